/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - see session.h.  The transport is libiscsi's; the event loop and all waiting is here.
 */
#include "engine/tape/session.h"

#include <ctype.h>
#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"

#define DEFAULT_PORT      "3260"
#define DEFAULT_TIMEOUT   1800
#define BUSY_SECONDS      60 /* BUSY and TASK SET FULL are waited out so long */
#define ATTENTIONS        16 /* unit attentions in a row that are believed */
#define RETRY_NANOSECONDS 100000000l
#define LUN_MAX           16383 /* flat space addressing, SAM-5 4.7.7.3 */
#define TRANSFER_MAX      0xffffff

struct session {
    pthread_mutex_t mutex; /* guards iscsi and lost */
    pthread_cond_t wake;   /* the keeper: closing */
    pthread_t keeper;
    bool has_keeper, closing;
    struct iscsi_context *iscsi; /* NULL: lost */
    char lost[ERROR_MESSAGE_SIZE / 2];
    enum error_code lost_code;
    struct session_url url;
    unsigned timeout_s;
    bool position_lost;
};

/* ---- the event loop ----------------------------------------------------------------------------
 */

static double seconds_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* libiscsi writes with writev(), which can't ask for MSG_NOSIGNAL: keep SIGPIPE from killing us
 * when the target has closed the connection. */
static void sigpipe_block(sigset_t *before)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, before);
}

static void sigpipe_restore(const sigset_t *before)
{
    const struct timespec at_once = {0, 0};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    if (!sigismember(before, SIGPIPE))
        while (sigtimedwait(&set, NULL, &at_once) == SIGPIPE)
            ;
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* From here on the session is lost.  Commands in flight get their callback now. */
static void session_lose(struct session *s, enum error_code code, const char *why)
{
    if (!s->iscsi)
        return;
    s->lost_code = code;
    snprintf(s->lost, sizeof(s->lost), "%s", why);
    iscsi_destroy_context(s->iscsi);
    s->iscsi = NULL;
}

static int session_lost_error(const struct session *s, struct error *err)
{
    return error_set(err, s->lost_code, "the session with %s at %s is lost: %s", s->url.target,
                     s->url.portal, s->lost);
}

/* libiscsi gave up: the other end has gone, or it says what we do not understand.  The socket has
 * told one end already, and tells it again. */
static void session_give_up(struct session *s)
{
    const char *detail = iscsi_get_error(s->iscsi);
    int fd = iscsi_get_fd(s->iscsi);
    char byte, why[sizeof(s->lost)];
    ssize_t n = fd < 0 ? 0 : recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    bool alive = n > 0 || (n < 0 && errno == EAGAIN);

    if (strncmp(detail, "SENSE KEY", 9) == 0)
        detail = ""; /* the last text, of a command that was answered long before */
    snprintf(why, sizeof(why), "%s%s%s%s",
             alive ? "the exchange with the target failed"
                   : "the daemon that serves it, or the network to it, went away",
             *detail ? " (" : "", detail, *detail ? ")" : "");
    session_lose(s, ERR_CLOSED, why);
}

/* One round: wait at most `ms` for the socket, serve it.  Loses the session if that fails. */
static void session_turn(struct session *s, int ms)
{
    struct pollfd pfd = {.fd = iscsi_get_fd(s->iscsi)};
    sigset_t before;
    int n;

    pfd.events = (short)iscsi_which_events(s->iscsi);
    if (pfd.fd < 0) {
        session_lose(s, ERR_CLOSED, "the connection was closed");
        return;
    }
    n = poll(&pfd, 1, ms);
    if (n < 0 && errno != EINTR) {
        session_lose(s, ERR_IO, strerror(errno));
        return;
    }
    sigpipe_block(&before);
    if (n > 0 && iscsi_service(s->iscsi, pfd.revents) < 0)
        session_give_up(s);
    sigpipe_restore(&before);
}

struct pending {
    bool done;
    int status;
};

static void pending_cb(struct iscsi_context *iscsi, int status, void *data, void *ctx)
{
    struct pending *p = ctx;

    (void)iscsi;
    (void)data;
    p->done = true;
    p->status = status;
}

/* Serve the session until p is done or the session is lost. */
static void session_wait(struct session *s, struct pending *p, double timeout, bool nops)
{
    double start = seconds_now(), next_nop = start + SESSION_NOP_SECONDS;

    while (!p->done && s->iscsi) {
        double now = seconds_now();
        double until = next_nop < start + timeout || !nops ? next_nop : start + timeout;

        if (now - start >= timeout) {
            session_lose(s, ERR_TIMEOUT, "the target did not answer in time");
            return;
        }
        if (nops && now >= next_nop) {
            next_nop = now + SESSION_NOP_SECONDS;
            if (iscsi_get_nops_in_flight(s->iscsi) >= SESSION_NOP_MISSED ||
                iscsi_nop_out_async(s->iscsi, NULL, NULL, 0, NULL) != 0) {
                session_lose(s, ERR_TIMEOUT, "the target gives no sign of life");
                return;
            }
            continue;
        }
        session_turn(s, until - now > 1       ? 1000
                        : until - now > 0.001 ? (int)((until - now) * 1e3)
                                              : 1);
    }
}

/* Answers the target's NOP-Ins while the caller is busy elsewhere. */
static void *keeper_main(void *arg)
{
    struct session *s = arg;

    pthread_mutex_lock(&s->mutex);
    while (!s->closing) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        if (s->iscsi)
            session_turn(s, 0);
        pthread_cond_timedwait(&s->wake, &s->mutex, &until);
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

/* ---- login -------------------------------------------------------------------------------------
 */

/* libiscsi tells the login status (RFC 7143 section 11.13.5) in words only. */
static enum error_code login_failure(const char *words)
{
    if (strstr(words, "Authentication") || strstr(words, "Authorization") || strstr(words, "CHAP"))
        return ERR_AUTH;
    if (strstr(words, "not found"))
        return ERR_NOT_FOUND;
    return ERR_CLOSED;
}

/* Who keeps the same port from process to process has to keep the name, too. */
static void default_initiator(const struct tape_login *login, char *name, size_t size)
{
    char host[65];

    if (gethostname(host, sizeof(host)) != 0)
        snprintf(host, sizeof(host), "localhost");
    host[sizeof(host) - 1] = '\0';
    for (char *p = host; *p; p++) /* RFC 7143 section 4.2.7.2: what stringprep leaves alone */
        *p = isalnum((unsigned char)*p) || *p == '.' ? (char)tolower((unsigned char)*p) : '-';
    snprintf(name, size, "iqn.2026-11.capstan:engine.%s.%s%ld", host, login->port ? "user-" : "",
             login->port ? (long)getuid() : (long)getpid());
}

static int session_configure(struct session *s, const struct tape_login *login, struct error *err)
{
    struct iscsi_context *c = s->iscsi;
    bool bad;

    bad = iscsi_set_targetname(c, s->url.target) != 0 ||
          iscsi_set_session_type(c, ISCSI_SESSION_NORMAL) != 0 ||
          iscsi_set_immediate_data(c, ISCSI_IMMEDIATE_DATA_YES) != 0 ||
          iscsi_set_initial_r2t(c, ISCSI_INITIAL_R2T_NO) != 0 ||
          iscsi_set_header_digest(c, login->header_digest ? ISCSI_HEADER_DIGEST_CRC32C_NONE
                                                          : ISCSI_HEADER_DIGEST_NONE) != 0;
    if (!bad && login->port) /* libiscsi's own choice has qualifier 0 */
        bad = iscsi_set_isid_random(c, login->port_group, login->port) != 0;
    iscsi_set_noautoreconnect(c, 1);
    iscsi_set_timeout(c, 0); /* session_wait() keeps the time */
    if (!bad && login->user)
        bad = iscsi_set_initiator_username_pwd(c, login->user,
                                               login->secret ? login->secret : "") != 0;
    if (!bad && login->mutual_user)
        bad = iscsi_set_target_username_pwd(c, login->mutual_user,
                                            login->mutual_secret ? login->mutual_secret : "") != 0;
    if (bad)
        return error_set(err, ERR_USAGE, "cannot set up a session with %s: %s", s->url.target,
                         iscsi_get_error(c));
    return 0;
}

static int session_login(struct session *s, struct error *err)
{
    struct pending p = {0};
    char words[ERROR_MESSAGE_SIZE / 2];

    if (iscsi_connect_async(s->iscsi, s->url.portal, pending_cb, &p) != 0)
        return error_set(err, ERR_CLOSED, "cannot connect to %s: %s", s->url.portal,
                         iscsi_get_error(s->iscsi));
    session_wait(s, &p, SESSION_LOGIN_SECONDS, false);
    if (!s->iscsi || p.status != SCSI_STATUS_GOOD)
        return error_set(err, ERR_CLOSED, "cannot connect to %s: is the target serving there? (%s)",
                         s->url.portal, s->iscsi ? iscsi_get_error(s->iscsi) : s->lost);
    p = (struct pending){0};
    if (iscsi_login_async(s->iscsi, pending_cb, &p) != 0)
        return error_set(err, ERR_CLOSED, "cannot log in to %s: %s", s->url.target,
                         iscsi_get_error(s->iscsi));
    session_wait(s, &p, SESSION_LOGIN_SECONDS, false);
    if (s->iscsi && p.status == SCSI_STATUS_GOOD)
        return 0;
    snprintf(words, sizeof(words), "%s", s->iscsi ? iscsi_get_error(s->iscsi) : s->lost);
    return error_set(err, s->iscsi ? login_failure(words) : s->lost_code,
                     "cannot log in to %s at %s: %s", s->url.target, s->url.portal, words);
}

int session_open(const char *rest, const struct tape_login *login, struct session **out,
                 struct error *err)
{
    static const struct tape_login nobody;
    char initiator[224];
    struct session *s = calloc(1, sizeof(*s));
    int rc;

    if (!s)
        return error_set(err, ERR_NO_MEMORY, "no memory for a session");
    login = login ? login : &nobody;
    default_initiator(login, initiator, sizeof(initiator));
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->wake, NULL);
    s->timeout_s = login->timeout_s ? login->timeout_s : DEFAULT_TIMEOUT;
    rc = session_url_parse(rest, &s->url, err);
    if (rc == 0) {
        s->iscsi = iscsi_create_context(login->initiator ? login->initiator : initiator);
        if (!s->iscsi)
            rc = error_set(err, ERR_NO_MEMORY, "no memory for a session");
    }
    if (rc == 0)
        rc = session_configure(s, login, err);
    if (rc == 0)
        rc = session_login(s, err);
    if (rc == 0 && pthread_create(&s->keeper, NULL, keeper_main, s) != 0)
        rc = error_set(err, ERR_NO_MEMORY, "cannot start a thread");
    else if (rc == 0)
        s->has_keeper = true;
    if (rc) {
        session_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void session_close(struct session *s)
{
    if (!s)
        return;
    if (s->has_keeper) {
        pthread_mutex_lock(&s->mutex);
        s->closing = true;
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->mutex);
        pthread_join(s->keeper, NULL);
    }
    if (s->iscsi && iscsi_is_logged_in(s->iscsi)) {
        struct pending p = {0};

        if (iscsi_logout_async(s->iscsi, pending_cb, &p) == 0)
            session_wait(s, &p, 5, false);
    }
    session_lose(s, ERR_CLOSED, "it was closed");
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

/* ---- commands ----------------------------------------------------------------------------------
 */

static void command_result(struct session_command *c, const struct scsi_task *task, int status)
{
    c->got = c->in ? c->len : 0;
    if (c->in && task->residual_status == SCSI_RESIDUAL_UNDERFLOW)
        c->got = task->residual <= c->len ? c->len - task->residual : 0;
    c->status = status;
    c->sense_len = 0;
    /* Sense data follows a two-byte length (RFC 7143 section 11.4.7). */
    if (status != SCSI_STATUS_CHECK_CONDITION || !task->datain.data || task->datain.size <= 2)
        return;
    c->sense_len = (size_t)task->datain.size - 2;
    if (c->sense_len > sizeof(c->sense_data))
        c->sense_len = sizeof(c->sense_data);
    memcpy(c->sense_data, task->datain.data + 2, c->sense_len);
    sense_parse(&c->sense, c->sense_data, c->sense_len);
}

/* Send c once.  *status: the SCSI status.  Fails only when the session is lost. */
static int command_send(struct session *s, struct session_command *c, int *status,
                        struct error *err)
{
    struct pending p = {0};
    struct iscsi_data data = {.size = c->len, .data = (unsigned char *)(uintptr_t)c->out};
    struct scsi_task *task;
    int rc = 0;
    CLEANUP_UNLOCK(&s->mutex);

    c->sense = (struct sense){0};
    c->got = 0;
    if (!s->iscsi)
        return session_lost_error(s, err);
    task = scsi_create_task(c->cdb_len, c->cdb,
                            c->out  ? SCSI_XFER_WRITE
                            : c->in ? SCSI_XFER_READ
                                    : SCSI_XFER_NONE,
                            c->out || c->in ? (int)c->len : 0);
    if (!task)
        return error_set(err, ERR_NO_MEMORY, "no memory for a command");
    if (c->in) {
        memset(c->in, 0, c->len);
        rc = scsi_task_add_data_in_buffer(task, (int)c->len, c->in);
    }
    if (rc != 0 || iscsi_scsi_command_async(s->iscsi, s->url.lun, task, pending_cb,
                                            c->out ? &data : NULL, &p) != 0)
        session_lose(s, ERR_CLOSED, iscsi_get_error(s->iscsi));
    session_wait(s, &p, s->timeout_s, true);
    /* Statuses of libiscsi's own, above 0xff, mean that the transport failed. */
    if (s->iscsi && p.status > 0xff)
        session_give_up(s);
    if (!s->iscsi)
        rc = session_lost_error(s, err);
    else
        command_result(c, task, p.status);
    *status = p.status;
    scsi_free_scsi_task(task);
    return rc;
}

static void retry_pause(void)
{
    const struct timespec pause = {0, RETRY_NANOSECONDS};

    nanosleep(&pause, NULL);
}

/* Decide about a CHECK CONDITION: 1 send again, 0 done, negative the error. */
static int command_sense(struct session *s, struct session_command *c, int *attentions, bool *pause,
                         struct error *err)
{
    switch (sense_action(&c->sense)) {
    case SENSE_RETRY_LATER:
        *pause = true;
        return 1;
    case SENSE_RETRY:
        return ++*attentions <= ATTENTIONS ? 1 : sense_error(err, &c->sense, c->what);
    case SENSE_POSITION_LOST:
        s->position_lost = true;
        if (c->use != SESSION_NEEDS_POSITION && ++*attentions <= ATTENTIONS)
            return 1;
        return sense_error(err, &c->sense, c->what);
    case SENSE_REPORT:
        break;
    }
    if (sense_is_information(&c->sense))
        return 0;
    return sense_error(err, &c->sense, c->what);
}

/* Decide about a status other than CHECK CONDITION, as command_sense(). */
static int command_status(const struct session_command *c, int status, bool *pause,
                          struct error *err)
{
    switch (status) {
    case SCSI_STATUS_GOOD:
        return 0;
    case SCSI_STATUS_BUSY:
    case SCSI_STATUS_TASK_SET_FULL:
        *pause = true;
        return 1;
    case SCSI_STATUS_RESERVATION_CONFLICT:
        return error_set(err, ERR_BUSY, "%s: another initiator has reserved the device", c->what);
    default:
        return error_set(err, ERR_IO, "%s: SCSI status %02Xh", c->what, (unsigned)status);
    }
}

/* Send c until it is done, it fails, or the device has been busy for too long. */
static int command_repeat(struct session *s, struct session_command *c, struct error *err)
{
    double start = seconds_now();
    int attentions = 0, rc;

    do {
        bool pause = false;
        double limit = s->timeout_s;
        int status = 0;

        rc = command_send(s, c, &status, err);
        if (rc)
            return rc;
        if (status == SCSI_STATUS_CHECK_CONDITION) {
            rc = command_sense(s, c, &attentions, &pause, err);
        } else {
            rc = command_status(c, status, &pause, err);
            limit = limit < BUSY_SECONDS ? limit : BUSY_SECONDS;
        }
        if (pause && seconds_now() - start >= limit)
            return error_set(err, ERR_BUSY, "%s: the device stayed busy for %.0f seconds", c->what,
                             limit);
        if (pause)
            retry_pause();
    } while (rc > 0);
    return rc;
}

static int too_long(const struct session_command *c, struct error *err)
{
    if (c->len <= TRANSFER_MAX)
        return 0;
    return error_set(err, ERR_RANGE, "%s: %zu bytes are too many for one command", c->what, c->len);
}

int session_pass(struct session *s, struct session_command *c, struct error *err)
{
    int status = 0, rc = too_long(c, err);

    return rc ? rc : command_send(s, c, &status, err);
}

int session_run(struct session *s, struct session_command *c, struct error *err)
{
    int rc = too_long(c, err);

    if (rc)
        return rc;
    if (s->position_lost && c->use == SESSION_NEEDS_POSITION)
        return error_set(err, ERR_STATE,
                         "%s: the drive was reset or its medium changed, the position is lost",
                         c->what);
    rc = command_repeat(s, c, err);
    if (rc == 0 && c->use == SESSION_SETS_POSITION)
        s->position_lost = false;
    return rc;
}

/* The caller is about to learn or to choose the position: whatever it is, it is not lost. */
int session_ready(struct session *s, struct error *err)
{
    struct session_command tur = {
        .cdb_len = 6, .use = SESSION_SETS_POSITION, .what = "test unit ready"};

    return session_run(s, &tur, err);
}

const char *session_target(const struct session *s)
{
    return s->url.target;
}
