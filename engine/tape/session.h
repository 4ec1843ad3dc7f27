/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - an iSCSI session with one logical unit, by libiscsi; below the drive and the changer.
 *
 *   connecting --login--> ready --any failure of the transport--> lost
 *
 * A session is never re-established behind the caller's back: a drive's position and buffered
 * writes do not survive that.  Once lost, every call is ERR_CLOSED (or the timeout's ERR_TIMEOUT).
 *
 * One command at a time is in flight, so that the order of writes is the order of calls whatever
 * the target answers.  While a command runs, the peer is asked for a sign of life (NOP-Out) every
 * SESSION_NOP_SECONDS; while none runs, a keeper thread answers the target's own NOP-Ins.
 *
 * Thread rule: one caller at a time; the keeper is the session's own affair (lock `mutex`).
 */
#ifndef CAPSTAN_ENGINE_TAPE_SESSION_H
#define CAPSTAN_ENGINE_TAPE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "engine/tape/sense.h"
#include "engine/tape/tape.h"

#define SESSION_NOP_SECONDS   10
#define SESSION_NOP_MISSED    3 /* unanswered NOP-Outs after which the target is taken for dead */
#define SESSION_LOGIN_SECONDS 30
#define SESSION_SENSE_MAX     252

struct session;

struct session_url {
    char portal[300]; /* host:port or [address]:port */
    char target[224]; /* RFC 7143 section 4.2.7.1: at most 223 bytes */
    int lun;
};

/* Take HOST[:PORT]/TARGET/LUN apart; an IPv6 address stands in brackets.  ERR_USAGE. */
int session_url_parse(const char *rest, struct session_url *url, struct error *err);

/* Log in.  Errors: ERR_USAGE, ERR_AUTH, ERR_NOT_FOUND (no such target), ERR_CLOSED, ERR_TIMEOUT. */
int session_open(const char *rest, const struct tape_login *login, struct session **out,
                 struct error *err);
void session_close(struct session *s); /* logs out if it can; NULL is allowed */

/* What a command has to do with the position of the medium. */
enum session_use {
    SESSION_NEEDS_POSITION = 0, /* refused once the position is lost */
    SESSION_NEUTRAL,            /* inquiries and the like */
    SESSION_SETS_POSITION       /* ends in a known position, or takes it as it is */
};

struct session_command {
    uint8_t cdb[16];
    uint8_t cdb_len;
    const void *out; /* data-out */
    void *in;        /* data-in; filled with zeros first */
    size_t len;      /* of one of them */
    enum session_use use;
    const char *what; /* "write", for messages */

    size_t got;                            /* data-in that arrived */
    struct sense sense;                    /* valid: CHECK CONDITION */
    int status;                            /* SAM-5 section 5.3.1 */
    uint8_t sense_data[SESSION_SENSE_MAX]; /* what sense was parsed from ... */
    size_t sense_len;                      /* ... and its length */
};

/* Carry out c.  BUSY, TASK SET FULL, harmless unit attentions and "becoming ready" are waited out.
 * Returns 0 for GOOD and for CHECK CONDITION that only informs (c->sense then says what); else the
 * error that the sense stands for, with c->sense.
 * When a reset or a change of the medium is met, commands that need the position are ERR_STATE
 * until one that sets it has succeeded: nothing is ever written in a place nobody chose. */
int session_run(struct session *s, struct session_command *c, struct error *err);

/* Carry out c once and as it is, for a caller that judges status and sense data itself: nothing is
 * repeated, c->use is not looked at.  Returns 0 if there is a status, whichever; ERR_RANGE (too
 * many bytes), or why the session is lost. */
int session_pass(struct session *s, struct session_command *c, struct error *err);

/* TEST UNIT READY until the unit attentions that an initiator meets at first are gone; then 0 if
 * ready, else why not (ERR_NO_MEDIUM, ...).  Waits for a drive that is becoming ready. */
int session_ready(struct session *s, struct error *err);

/* INQUIRY: the peripheral device type must be `type` (ERR_UNSUPPORTED); product as "VENDOR MODEL",
 * serial from VPD page 80h or "". */
int session_identify(struct session *s, uint8_t type, char product[64], char serial[64],
                     struct error *err);

const char *session_target(const struct session *s); /* its name, for messages */

/* Copy a field of a peer's text to dst: printable ASCII only, blanks at both ends taken off. */
void session_text(char *dst, size_t size, const uint8_t *src, size_t len);

#endif
