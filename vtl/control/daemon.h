/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon.h - the libraries that one process serves, each with a target and a control socket of its
 * own, over one iSCSI server.
 *
 * It is built up in one order and taken down in the other:
 *
 *   each library (its lock makes us the only one) -> its SCSI target -> portals bound
 *     -> control sockets -> portals accept
 *
 * Invariants:
 *   1. A library does not know that there are others: its directory can be served alone again.
 *   2. All or nothing: if one of them cannot be served, none is, unless the caller wants those that
 *      can.  A host must not find half of its libraries and take that for the truth.
 *   3. No two have the same target name or the same serial number, from which SCSI names are made.
 *
 * Thread rule: open, start and close from one thread; reload from any.
 */
#ifndef CAPSTAN_VTL_CONTROL_DAEMON_H
#define CAPSTAN_VTL_CONTROL_DAEMON_H

#include <stdbool.h>

#include "common/error.h"
#include "vtl/control/control.h"

#define DAEMON_LIBRARIES_MAX ISCSI_TARGETS_MAX

struct daemon_options {
    const char *const *roots; /* absolute paths */
    unsigned count;           /* 1..DAEMON_LIBRARIES_MAX */
    bool skip;                /* leave out a library that cannot be opened, and log why */
    void (*stop)(void *ctx);  /* asks the process to end; any thread */
    void *stop_ctx;
};

/* Open the libraries and bind their portals, answer on their control sockets, but accept no host
 * yet.  Errors name the library if there are several.  ERR_EXISTS: a port or a name is in use;
 * ERR_BUSY: another process has a library. */
int daemon_open(const struct daemon_options *options, struct daemon **out, struct error *err);

/* From now on the portals accept. */
int daemon_start(struct daemon *daemon, struct error *err);

/* Ask hosts to log out, give them grace_ms, and take everything down.  NULL is allowed. */
void daemon_close(struct daemon *daemon, unsigned grace_ms);

/* Each library's capstan.conf is read again (the operation "reload"); what is wrong with one is
 * logged, and its rules stay. */
void daemon_reload(struct daemon *daemon);

/* Those that are served, in the order of the roots. */
unsigned daemon_count(const struct daemon *daemon);
const struct control *daemon_library(const struct daemon *daemon, unsigned n);

#endif
