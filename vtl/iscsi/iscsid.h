/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iscsid.h - the iSCSI server: RFC 7143, error recovery level 0, one connection per session.
 *
 * It has one or several targets.  They share the portals that more than one of them names, and one
 * SendTargets answer tells an initiator of all that it may reach.
 *
 * A listening thread per portal, a thread per connection.  A connection receives, decodes and
 * answers; commands run on the threads of vtl/scsi, and a connection goes on answering NOP-Out
 * while they do.
 *
 * Thread rule: create, start, stop, destroy from one thread.
 */
#ifndef CAPSTAN_VTL_ISCSI_ISCSID_H
#define CAPSTAN_VTL_ISCSI_ISCSID_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "vtl/scsi/scsi.h"

#define ISCSI_NAME_MAX    223 /* RFC 7143 section 4.2.7.1 */
#define ISCSI_PORTALS_MAX 16
#define ISCSI_ACL_MAX     64
#define ISCSI_TARGETS_MAX 64

/* CHAP secrets: 12..255 bytes; the pointers stay the caller's. */
struct iscsid_chap {
    const char *user, *secret;               /* what initiators must prove; NULL: no CHAP */
    const char *mutual_user, *mutual_secret; /* what we prove to them; NULL: one-way */
};

/* What some initiators see of a target's logical units. */
struct iscsid_view {
    const char *initiator; /* their name; a trailing '*' is a prefix */
    struct scsi_view luns;
};
#define ISCSI_VIEWS_MAX 64

struct iscsid_options {
    const char *target_name;                /* iqn.… */
    const char *target_alias;               /* NULL: none */
    const char *portals[ISCSI_PORTALS_MAX]; /* "127.0.0.1:3260", "[::1]:3260", port 0: any free */
    unsigned portal_count;
    /* The portal group of each, 1..65535; 0 stands for 1 (RFC 7143 section 13.9). */
    uint16_t portal_groups[ISCSI_PORTALS_MAX];
    const char *initiators[ISCSI_ACL_MAX]; /* names let in; a trailing '*' is a prefix */
    unsigned initiator_count;              /* 0: all */
    /* The first one that fits is an initiator's; if none does, it sees all. */
    const struct iscsid_view *views;
    unsigned view_count; /* 0..ISCSI_VIEWS_MAX */
    /* Where the target has moved for now, ADDRESS:PORT: normal sessions are sent there (login
     * status 0101h).  NULL: it is here. */
    const char *redirect;
    struct iscsid_chap chap;
    struct iscsid_chap discovery_chap; /* for discovery sessions */
    uint32_t max_sessions;             /* 0: 1024; those of all targets add up */
    /* What follows is the server's: only the options of its first target are looked at. */
    uint32_t nop_interval_s; /* NOP-In when a session is idle so long; 0: 30 */
    /* A layer over the sockets: what to use instead of one that was accepted, mostly itself; the
     * layer owns that one then.  NULL: none. */
    int (*connection)(void *ctx, int fd);
    void *connection_ctx;
};

struct iscsid;

/* A server with a first target, number 0.  Bind the portals (ERR_EXISTS with a sentence if a port
 * is in use, ERR_RANGE for bad options) but accept nothing yet.  options is copied; target is
 * borrowed. */
int iscsid_create(struct scsi_target *target, const struct iscsid_options *options,
                  struct iscsid **out, struct error *err);

/* Another target on the same server, before iscsid_start(); *number is its own.  A portal that is
 * spelled like one of an earlier target is that portal.  Errors as above, and ERR_EXISTS if a
 * target has this name already; then the server is as it was. */
int iscsid_add(struct iscsid *server, struct scsi_target *target,
               const struct iscsid_options *options, unsigned *number, struct error *err);
int iscsid_start(struct iscsid *server, struct error *err);

/* Other rules for a target: who is let in, views, CHAP, redirect, alias; its name and its portals
 * stay, whatever options say.  Sessions whose initiator is not let in any more are closed, those
 * that have another view are told (3Fh/0Eh, and by async event 0), and with a redirect they are
 * asked to log out; discovery sessions end.  Any thread.  Errors as iscsid_create(), and nothing
 * has changed. */
int iscsid_reload(struct iscsid *server, unsigned target, const struct iscsid_options *options,
                  struct error *err);

/* The address of a target's portal n as bound ("127.0.0.1:41873", for port 0), and its group (tag
 * may be NULL); NULL: it has no so many.  Any thread; the text lives as long as the server. */
const char *iscsid_target_portal(struct iscsid *server, unsigned target, unsigned n, uint16_t *tag);
/* The same of the first target. */
const char *iscsid_portal(struct iscsid *server, unsigned n);

/* Ask sessions to log out (async event 1), give them grace_ms, then close all connections. */
void iscsid_stop(struct iscsid *server, unsigned grace_ms);
void iscsid_destroy(struct iscsid *server);

struct iscsid_session_info {
    char initiator[ISCSI_NAME_MAX + 1];
    char peer[64];
    unsigned target;               /* its number; none in a discovery session */
    uint16_t group;                /* the portal group that it came by */
    char local[64];                /* our address that it reached */
    char view[ISCSI_NAME_MAX + 1]; /* whose view it has, as the options say; "": it sees all */
    uint16_t tsih;
    bool discovery;
    uint64_t commands, bytes_in, bytes_out;
    int64_t since_ns;
};
/* Calls fn for each session. */
int iscsid_sessions(struct iscsid *server,
                    int (*fn)(void *ctx, const struct iscsid_session_info *info), void *ctx);

#endif
