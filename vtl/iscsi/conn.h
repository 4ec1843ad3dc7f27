/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.h - inside of the iSCSI server: a connection, its tasks, and the server they belong to.
 *
 * A connection is a session (MaxConnections=1).  Its own thread receives and decides; threads of
 * vtl/scsi bring answers.  Whoever has something to send puts it on the transmit queue and flushes
 * it without blocking (tx.c); what the socket does not take is left to the connection's thread, so
 * that a peer that does not read never holds up a drive.
 *
 *      LOGIN ──login done──> FULL_FEATURE ──logout, error, close, stop──> CLOSING ──> gone
 *        └──────refused, time-out, anything but a Login Request──────────────^
 *
 * Lock order: server.lock, then conn.lock, then pool.lock.  No lock is held while vtl/scsi is
 * called.  Fields of the connection's own thread need no lock.
 */
#ifndef CAPSTAN_VTL_ISCSI_CONN_H
#define CAPSTAN_VTL_ISCSI_CONN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vtl/iscsi/iscsid.h"
#include "vtl/iscsi/keys.h"
#include "vtl/iscsi/login.h"
#include "vtl/iscsi/offer.h"
#include "vtl/iscsi/pdu.h"
#include "vtl/iscsi/pool.h"
#include "vtl/scsi/scsi.h"

#define CONN_WINDOW        32           /* commands that may be under way; bits of seen */
#define CONN_IMMEDIATE_MAX 16           /* immediate tasks and task management beside them */
#define CONN_BUFFERED_MAX  (128u << 20) /* bytes of the pool that one session may hold */
#define CONN_RX_BUFFER     4096
#define CONN_TX_BATCH      32  /* PDUs handed to one sendmsg() */
#define CONN_QUEUE_MAX     256 /* PDUs waiting to be sent before we stop reading */
#define CONN_QUEUE_BYTES   (1u << 20)
#define CONN_LOGIN_S       15
#define CONN_STALL_S       300 /* a peer that takes no byte for so long is gone */
#define CONN_PENDING_MAX   64  /* connections in login; the oldest gives way */
#define CONN_LEAVING_MAX   64  /* those that give way and are not gone yet; then none is accepted */
#define CONN_TEXT_ROUNDS   64

/* ---- sending (tx.c) ---------------------------------------------------------------------------*/

struct tx_item {
    struct tx_item *next;
    struct task *task; /* the answer of this task, inside of it; NULL: allocated on its own */
    enum stat_sn_rule sn;
    bool plain; /* no digests: login */
    uint32_t len;
    const uint8_t *data;
    uint8_t bhs[BHS_SIZE];
};

struct tx_slot { /* one PDU on its way */
    uint8_t header[BHS_SIZE + DIGEST_SIZE];
    uint8_t trailer[3 + DIGEST_SIZE];
    const uint8_t *data;
    uint32_t len;
    bool plain;
};

struct tx {
    struct tx_item *head, **tail;
    unsigned queued;     /* items without a task */
    size_t queued_bytes; /* their data */
    bool sending;        /* a thread is in sendmsg() with the batch */
    bool blocked;        /* the socket is full: the connection's thread polls for room */
    /* the batch; its owner is the thread that set sending */
    struct tx_slot slots[CONN_TX_BATCH];
    unsigned slot_count;
    struct iovec iov[CONN_TX_BATCH * 3];
    unsigned iov_at, iov_count;
    struct tx_item *sent;        /* freed when the batch is through */
    _Atomic int64_t progress_ns; /* when the socket last took a byte; read without the lock */
};

/* A PDU with room for len bytes of data at item_data(); NULL: no memory.  The caller's until
 * queued. */
struct tx_item *tx_item_new(uint8_t opcode, uint8_t flags, uint32_t itt, enum stat_sn_rule sn,
                            uint32_t len);
static inline uint8_t *tx_item_data(struct tx_item *item)
{
    return (uint8_t *)(item + 1);
}

/* ---- tasks (task.c, command.c) ----------------------------------------------------------------*/

enum task_state {
    TASK_COLLECTING, /* data-out is still coming */
    TASK_READY,      /* complete; earlier ones of its logical unit go first */
    TASK_SUBMITTED,  /* with vtl/scsi */
    TASK_ANSWERING,  /* its answer is queued */
};

struct r2t {
    bool used;
    uint32_t ttt, offset, length, got, data_sn;
};

struct task {
    struct scsi_task scsi;
    struct conn *conn;
    struct task *next, *prev; /* conn.tasks, in order of arrival; under conn.lock */
    enum task_state state;
    uint32_t itt, cmd_sn, edtl;
    bool immediate, read, write;
    bool failed;   /* the verdict is ours already: collect what must come, then say it */
    bool dropping; /* aborted by its own initiator: no answer */

    uint8_t *buffer; /* from the pool, size bytes */
    size_t size;
    bool unsolicited; /* more data will come unasked */
    uint32_t unsolicited_limit, unsolicited_sn;
    uint32_t received; /* unasked bytes so far */
    uint32_t asked;    /* end of what came unasked or was asked for */
    uint32_t r2t_sn;
    unsigned outstanding;
    struct r2t r2t[KEYS_OUTSTANDING_R2T];

    uint32_t sent, burst_sent, data_sn; /* data-in on its way */
    bool collapse;                      /* status rides on the last Data-In */
    struct tx_item answer;
    uint8_t sense[2 + SCSI_SENSE_MAX];
};

/* ---- receiving (rx.c) -------------------------------------------------------------------------*/

enum rx_state { RX_HEADER, RX_DATA };

struct rx {
    enum rx_state state;
    uint8_t buf[CONN_RX_BUFFER];
    size_t start, end; /* bytes in buf not yet looked at */
    uint8_t bhs[BHS_SIZE];
    uint8_t ahs[AHS_MAX];
    uint32_t ahs_len, data_len;
    uint32_t got;  /* data bytes so far */
    uint8_t *dest; /* where the first dest_len of them go; the rest is dropped */
    uint32_t dest_len;
    uint32_t crc;
    uint8_t trailer[3 + DIGEST_SIZE];
    uint32_t trailer_len, trailer_got;
    bool ignore; /* the PDU is not acted on: only its data is skipped */
    bool more;   /* the last read filled its room: there may be more */
    struct task *task;
    struct r2t *r2t;
    struct tx_item *echo;
};

/* Read once from the socket and act on all that is complete.  0, or an error when the connection
 * can't go on (ERR_CLOSED: the peer closed it). */
int rx_run(struct conn *c, struct error *err);

/* ---- the connection ---------------------------------------------------------------------------*/

enum conn_phase { CONN_LOGIN, CONN_FULL_FEATURE, CONN_CLOSING };

struct socket_ends { /* addresses, "127.0.0.1:3260" or "[::1]:3260" */
    char peer[64], local[64];
    bool peer_loopback;
};

struct text_exchange { /* Text Requests under way (discovery.c) */
    bool open;
    uint32_t itt, ttt;
    unsigned rounds;
    bool processed;
    size_t len, answer_len, answer_sent;
    char *text;   /* LOGIN_TEXT_MAX, while open */
    char *answer; /* once it is processed */
};

struct conn {
    struct iscsid *server;
    int fd, wake_fd;
    pthread_t thread; /* for join */
    pthread_t self;   /* set by conn_run() */
    bool threaded;    /* has a thread of its own, to be joined by the server */
    struct socket_ends ends;
    unsigned portal;             /* that it came by */
    struct directory *directory; /* while it logs in */

    /* the connection's thread's own */
    enum conn_phase phase;
    struct login *login; /* freed when it is over */
    struct params params;
    struct rx rx;
    struct text_exchange text;
    uint32_t recv_length; /* the largest data segment we take now */
    uint32_t next_ttt;
    int64_t accepted_ns, login_deadline_ns, received_ns;
    bool nop_outstanding, logout_asked, ended;
    struct scsi_target *scsi; /* once it is a session; NULL: of discovery */
    struct scsi_nexus *nexus;
    uint64_t discoverable; /* of discovery: a bit per target that it has proven itself to */

    _Atomic bool close_asked;  /* by another thread: reinstatement, stop, too many logins */
    _Atomic bool review;       /* the same: the rules have changed */
    _Atomic bool luns_changed; /* the same: and the initiator is to be told */

    pthread_mutex_t lock; /* what follows, and tx */
    pthread_cond_t quiet; /* in_target or helpers went down */
    struct tx tx;
    uint32_t stat_sn, exp_cmd_sn;
    uint64_t seen; /* bit n: command exp_cmd_sn + n came already */
    struct task *tasks, *tasks_last;
    unsigned open_ordered, open_immediate; /* tasks not yet answered */
    unsigned in_target;                    /* tasks with vtl/scsi, and their done() */
    unsigned helpers;                      /* task management functions being carried out */
    bool ending;                           /* answers are dropped */
    bool broken;                           /* the socket failed */
    bool digests_on;

    struct conn *next, *prev; /* server.conns; under server.lock */
    bool admitted;            /* counted as a session; under server.lock, as are these: */
    unsigned target;          /* its number, in a normal session */
    uint16_t group;           /* portal group tag */
    uint8_t isid[6];
    uint16_t tsih, cid;
    int64_t since_ns;
    char view[ISCSI_NAME_MAX + 1]; /* whose view it has; "": none */
    struct conn *next_finished;

    _Atomic size_t buffered; /* what its tasks hold of the pool */
    _Atomic uint64_t commands, bytes_in, bytes_out;
};

struct portal {
    int fd;
    char address[64];
    char *spelling; /* in the options of the target that had it first */
    bool wildcard, loopback;
    pthread_t thread;
    struct iscsid *server;
};

struct iscsid {
    struct scsi_target *targets[ISCSI_TARGETS_MAX]; /* by number; constant once it runs */
    uint32_t max_sessions, nop_interval_s;
    int (*connection)(void *ctx, int fd); /* a layer over the sockets, or NULL */
    void *connection_ctx;
    struct pool pool;
    struct portal portals[SERVER_PORTALS_MAX];
    unsigned portal_count, threads; /* threads: portals that have one */
    int stop_fd;                    /* readable: stop accepting */

    pthread_mutex_t reloading; /* one new directory at a time; outside of all others */
    pthread_mutex_t lock;
    pthread_cond_t changed;      /* a connection left, or stopping */
    struct directory *directory; /* as it is now */
    struct conn *conns, *conns_last;
    struct conn *finished; /* threads to be joined */
    unsigned pending, sessions;
    unsigned login_s; /* CONN_LOGIN_S; tests have no time */
    uint16_t last_tsih;
    _Atomic bool stopping;
    _Atomic uint32_t grace_s;
    int64_t log_window_ns; /* peers' faults are logged at most so often */
    unsigned log_count;
};

int64_t clock_ns(void); /* monotonic */

/* How many commands from ExpCmdSN on may come now; lock held.  Tasks not yet answered take room,
 * but those ahead of a gap do not move ExpCmdSN, so the window must not shrink for them (4.2.2.1:
 * MaxCmdSN never goes back). */
static inline uint32_t conn_window(const struct conn *c)
{
    return CONN_WINDOW + (uint32_t)__builtin_popcountll(c->seen) - c->open_ordered;
}

/* A connection over a connected stream socket (taken over), come by this portal, that is not yet
 * running.  ends: as they are on the network, whatever a layer has put in between; copied. */
int conn_create(struct iscsid *server, unsigned portal, const struct socket_ends *ends, int fd,
                struct conn **out, struct error *err);
void conn_run(struct conn *c); /* until it is over; the thread's main function */
int conn_start(struct conn *c, struct error *err); /* in a thread of its own */
void conn_free(struct conn *c);
void conn_ask_close(struct conn *c); /* any thread */
void conn_wake(struct conn *c);      /* any thread */

/* Abort all tasks and leave the nexus; the connection can still send.  Once is enough. */
void conn_end_session(struct conn *c);

/* Tell the operator of a peer's fault, not too often. */
void conn_log(struct conn *c, const struct error *err);

/* lock held */
void tx_queue(struct conn *c, struct tx_item *item);
void tx_flush(struct conn *c);
bool tx_empty(const struct conn *c);
bool tx_crowded(const struct conn *c);
/* lock not held: queue and flush */
void tx_send(struct conn *c, struct tx_item *item);
void tx_discard(struct conn *c); /* at the end */

/* A PDU's header is complete: decide about its data.  Sets rx.dest or rx.ignore. */
int pdu_begin(struct conn *c, struct error *err);
/* Its data is complete too. */
int pdu_end(struct conn *c, struct error *err);
/* Answer a PDU with a Reject; its data is skipped. */
void pdu_reject(struct conn *c, enum reject_reason reason);

/* The next target transfer tag, and whether one was ever given out. */
uint32_t conn_new_ttt(struct conn *c);
bool conn_ttt_issued(const struct conn *c, uint32_t ttt);

/* handlers: begin (header is here) and end (data is here too) */
int login_begin(struct conn *c, struct error *err);
int login_end(struct conn *c, struct error *err);
int nop_begin(struct conn *c, struct error *err);
int nop_end(struct conn *c, struct error *err);
int text_begin(struct conn *c, struct error *err);
int text_end(struct conn *c, struct error *err);
int logout_end(struct conn *c, struct error *err);
int command_begin(struct conn *c, struct error *err);
int command_end(struct conn *c, struct error *err);
int data_out_begin(struct conn *c, struct error *err);
int data_out_end(struct conn *c, struct error *err);
int task_request_end(struct conn *c, struct error *err);

/* A data PDU whose data digest was wrong; its Reject is queued already. */
void command_bad_digest(struct conn *c);
void data_out_bad_digest(struct conn *c);
void text_close(struct conn *c);

/* async.c: Async Messages.  Connection's thread. */
void async_ask_logout(struct conn *c);
void async_luns_changed(struct conn *c);

/* task.c */
struct task *task_new(struct conn *c, const uint8_t *bhs);
struct task *task_find(struct conn *c, uint32_t itt); /* lock held */
void task_unlink(struct task *t);                     /* lock held */
void task_free(struct task *t);
/* Take the buffer of t->size bytes; without one the task is refused. */
void task_take_buffer(struct task *t);
void command_fail(struct task *t, uint8_t key, uint8_t asc, uint8_t ascq);
void task_refuse(struct task *t, uint8_t status);
void task_answer(struct task *t); /* lock held: queue the answer from scsi.status etc. */
void task_done(struct scsi_task *scsi);
/* Submit what has become ready, in order. Connection's thread. */
void conn_advance(struct conn *c);

/* registry.c */

/* Count the connection as a session: an older one of the same initiator port is closed first and
 * waited for (session reinstatement, 6.3.5).  LOGIN_SUCCESS and *tsih, or why not. */
enum login_status session_admit(struct conn *c, const struct login *login, uint16_t *tsih);
/* What a session sees of its target, and a note of it for the operator; NULL: all. */
const struct scsi_view *session_view(struct conn *c, const struct offer *offer);
void server_add(struct iscsid *s, struct conn *c);
/* Wait until another connection may be added; false: none left in time. */
bool server_wait_room(struct iscsid *s);
/* The last thing a connection's thread does; c is freed by server_reap(). */
void server_remove(struct iscsid *s, struct conn *c);
void server_reap(struct iscsid *s);
/* Close all sessions with one target. */
void server_close_target(struct iscsid *s, unsigned target);
/* What is offered now; directory_release() it. */
struct directory *server_directory(struct iscsid *s);
/* True if one more line about peers may be logged now. */
bool server_may_log(struct iscsid *s);

/* portal.c */
int portal_open(struct portal *p, const char *address, struct error *err);
void *portal_thread(void *portal);
void socket_ends_of(int fd, struct socket_ends *out);

#endif
