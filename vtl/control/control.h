/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.h - what an operator can ask of a library, running or stopped.
 *
 * One table of operations {name, arguments, handler}.  A handler works on a struct control, which
 * holds the open library and, in the daemon, the SCSI target and the iSCSI server.  The daemon
 * serves the table on ROOT/run/control.sock; on a stopped library the CLI opens the library itself
 * and calls the same handlers.  So there is one code path.
 *
 * On the socket, one JSON object a line each way:
 *   {"op": "move", "args": {"from": "slot:1", "to": "drive:0"}}
 *   {"ok": true, "result": {...}}
 *   {"ok": false, "error": {"code": "not_found", "message": "there is no slot 99: ..."}}
 *
 * Invariants:
 *   1. Only the user the daemon runs as, and root, are answered (SO_PEERCRED; the socket is 0600 in
 *      a directory that is 0700).
 *   2. A request is bounded in size and time; a client that is stuck costs one of a bounded number
 *      of connections, for a bounded time, and blocks nobody else.
 *   3. The socket is bound by whoever holds the library's lock, so one that is there already is a
 *      leftover of a killed daemon and is replaced.
 */
#ifndef CAPSTAN_VTL_CONTROL_CONTROL_H
#define CAPSTAN_VTL_CONTROL_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"
#include "vtl/control/config.h"
#include "vtl/fault/faults.h"
#include "vtl/iscsi/iscsid.h"
#include "vtl/library/library.h"
#include "vtl/scsi/scsi.h"

#define CONTROL_REQUEST_MAX     65536 /* bytes of one request line */
#define CONTROL_REPLY_MAX       (64u * 1024 * 1024)
#define CONTROL_CONNECTIONS_MAX 16
#define CONTROL_IDLE_MS         10000 /* for a whole request line to arrive */

struct daemon;

/* What the handlers work on.  Everything in it belongs to the caller. */
struct control {
    const struct config *config;
    struct library *library;
    struct scsi_target *target; /* NULL: the library is stopped */
    struct iscsid *iscsid;      /* NULL: the same; it may have targets of other libraries */
    unsigned number;            /* of our target there */
    struct faults *faults;      /* NULL: the same */
    int64_t since_ns;           /* when the daemon started */
    void (*stop)(void *ctx);    /* asks the daemon to end; any thread */
    void *stop_ctx;
    struct daemon *daemon; /* that serves it, with others perhaps; NULL: none */
};

/* Carry out one operation.  args may be NULL; *result is the caller's to json_decref(), an object.
 * ERR_USAGE: no such operation, or wrong arguments; else what the handler says.  Any thread. */
int control_perform(struct control *control, const char *op, const json_t *args, json_t **result,
                    struct error *err);

/* ---- the daemon's side ------------------------------------------------------------------- */

struct control_server;

/* Listen on ROOT/run/control.sock and answer on threads of its own.  The caller holds the library's
 * lock (library_open()).  control must outlive *out. */
int control_server_start(struct control *control, struct control_server **out, struct error *err);

/* Stop listening, break connections off, wait for running operations; NULL is allowed. */
void control_server_stop(struct control_server *server);

/* ---- the CLI's side ---------------------------------------------------------------------- */

/* A way to perform operations on the library at a root, whoever has it. */
struct control_session;

/* Reach the daemon, or else open the library in this process.  ERR_BUSY: another process works on
 * the library and does not answer within some seconds. */
int control_session_open(const char *root, struct control_session **out, struct error *err);
void control_session_close(struct control_session *session); /* NULL is allowed */

/* True if a daemon has the library; *pid (may be NULL) is its process. */
bool control_session_daemon(const struct control_session *session, pid_t *pid);
const struct config *control_session_config(const struct control_session *session);

/* As control_perform(); args is the session's from here on (a new reference, may be NULL). */
int control_session_request(struct control_session *session, const char *op, json_t *args,
                            json_t **result, struct error *err);

/* One request to the daemon at root and its reply, on a connection of its own; ERR_NOT_FOUND: no
 * daemon is there.  args is borrowed.  *pid (may be NULL): the daemon's. */
int control_request(const char *root, const char *op, const json_t *args, json_t **result,
                    pid_t *pid, struct error *err);

#endif
