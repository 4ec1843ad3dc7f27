/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c - a connection's life: its thread, login, time-outs, and a close that loses nothing. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "vtl/iscsi/conn.h"

#define SECOND_NS       1000000000LL
#define CONN_STACK_SIZE (256 * 1024)
#define LAST_WORDS_S    2 /* for what is still queued when a connection ends */
#define LINGER_S        1 /* for the peer to read it and close */

int64_t clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * SECOND_NS + ts.tv_nsec;
}

void conn_wake(struct conn *c)
{
    uint64_t one = 1;

    /* It can only fail when it is full, and then the thread wakes anyway. */
    if (write(c->wake_fd, &one, sizeof(one)) < 0)
        return;
}

void conn_ask_close(struct conn *c)
{
    atomic_store(&c->close_asked, true);
    conn_wake(c);
}

void conn_log(struct conn *c, const struct error *err)
{
    if (server_may_log(c->server))
        log_warning("iSCSI %s: %s", c->ends.peer, err->message);
}

int conn_create(struct iscsid *server, unsigned portal, const struct socket_ends *ends, int fd,
                struct conn **out, struct error *err)
{
    struct conn *c = calloc(1, sizeof(*c));

    if (c)
        c->login = malloc(sizeof(*c->login));
    if (c)
        c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!c || !c->login || c->wake_fd < 0) {
        close(fd);
        if (c)
            free(c->login);
        free(c);
        return error_set(err, ERR_NO_MEMORY, "no memory or descriptors for another connection");
    }
    c->server = server;
    c->fd = fd;
    c->portal = portal;
    c->ends = *ends;
    c->phase = CONN_LOGIN;
    c->recv_length = KEYS_LOGIN_LENGTH;
    c->accepted_ns = c->received_ns = clock_ns();
    c->tx.tail = &c->tx.head;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->quiet, NULL);
    c->directory = server_directory(server);
    login_init(c->login, c->directory, portal);
    server_add(server, c);
    *out = c;
    return 0;
}

void conn_free(struct conn *c)
{
    close(c->wake_fd);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->quiet);
    free(c);
}

static void login_free(struct conn *c)
{
    free(c->login);
    c->login = NULL;
    directory_release(c->directory);
    c->directory = NULL;
}

static void *conn_thread(void *arg)
{
    conn_run(arg);
    return NULL;
}

int conn_start(struct conn *c, struct error *err)
{
    struct iscsid *s = c->server;
    pthread_attr_t attr;
    int rc;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, CONN_STACK_SIZE);
    c->threaded = true;
    rc = pthread_create(&c->thread, &attr, conn_thread, c);
    pthread_attr_destroy(&attr);
    if (rc == 0)
        return 0;
    c->threaded = false;
    server_remove(s, c);
    login_free(c);
    close(c->fd);
    conn_free(c);
    errno = rc;
    return error_errno(err, "no thread for another connection");
}

/* ---- login ------------------------------------------------------------------------------------*/

static void send_login_response(struct conn *c)
{
    struct login *l = c->login;
    struct tx_item *item =
        tx_item_new(OP_LOGIN_RESPONSE, 0, l->itt, STAT_SN_COUNT, (uint32_t)l->data_len);

    if (item) {
        memcpy(item->bhs, l->bhs, BHS_SIZE);
        if (l->data_len)
            memcpy(tx_item_data(item), l->data, l->data_len);
        item->plain = true;
    }
    tx_send(c, item);
    if (l->state == LOGIN_FAILED)
        c->phase = CONN_CLOSING;
}

int login_begin(struct conn *c, struct error *err)
{
    struct rx *rx = &c->rx;
    char *room = login_room(c->login, rx->data_len);

    if (!room)
        return error_set(err, ERR_PROTOCOL, "login text of more than %d bytes", LOGIN_TEXT_MAX);
    rx->dest = (uint8_t *)room;
    rx->dest_len = rx->data_len;
    return 0;
}

static void note_luns_changed(void *ctx)
{
    struct conn *c = ctx;

    atomic_store(&c->luns_changed, true);
    conn_wake(c);
}

/* The I_T nexus of a normal session, by the name of the initiator port (SAM-6 annex A). */
static enum login_status make_nexus(struct conn *c, struct error *err)
{
    char name[ISCSI_NAME_MAX + 32];
    struct scsi_nexus_options options = {
        .name = name, .port = c->group, .luns_changed = note_luns_changed, .ctx = c};

    if (c->params.discovery)
        return LOGIN_SUCCESS;
    snprintf(name, sizeof(name), "%s,i,0x%02x%02x%02x%02x%02x%02x", c->params.initiator, c->isid[0],
             c->isid[1], c->isid[2], c->isid[3], c->isid[4], c->isid[5]);
    options.view = session_view(c, c->login->offer);
    return scsi_nexus_open(c->scsi, &options, &c->nexus, err) ? LOGIN_NO_RESOURCES : LOGIN_SUCCESS;
}

static void enter_full_feature(struct conn *c, uint16_t tsih)
{
    login_admit(c->login, tsih);
    c->recv_length = c->login->length_declared ? KEYS_RECV_LENGTH : KEYS_LOGIN_LENGTH;
    send_login_response(c);
    login_free(c);
    pthread_mutex_lock(&c->lock);
    c->digests_on = true;
    pthread_mutex_unlock(&c->lock);
    c->phase = CONN_FULL_FEATURE;
    if (server_may_log(c->server))
        log_info("iSCSI %s: %s session %u of %s%s%s", c->ends.peer,
                 c->params.discovery ? "discovery" : "normal", tsih, c->params.initiator,
                 c->params.discovery ? "" : " with ", c->params.target);
}

static void admit(struct conn *c)
{
    struct error err = ERROR_INIT;
    uint16_t tsih = 0;
    enum login_status status = session_admit(c, c->login, &tsih);

    if (status == LOGIN_SUCCESS)
        status = make_nexus(c, &err);
    else
        error_set(&err, ERR_BUSY, "login of %s refused: status 0x%04x", c->login->params.initiator,
                  status);
    if (status == LOGIN_SUCCESS) {
        enter_full_feature(c, tsih);
        return;
    }
    conn_log(c, &err);
    login_refuse(c->login, status);
    send_login_response(c);
}

int login_end(struct conn *c, struct error *err)
{
    const uint8_t *bhs = c->rx.bhs;
    struct login *l = c->login;

    if (l->state == LOGIN_START) {
        pthread_mutex_lock(&c->lock);
        c->exp_cmd_sn = bhs_cmd_sn(bhs);
        c->stat_sn = get_be32(bhs + 28);
        pthread_mutex_unlock(&c->lock);
    }
    if (login_request(l, bhs, c->rx.data_len, err))
        conn_log(c, err);
    if (l->state == LOGIN_ADMISSION)
        admit(c);
    else
        send_login_response(c);
    return 0;
}

/* A login that broke the rules of PDUs is told so before it is closed. */
static void refuse_login(struct conn *c)
{
    if (!c->login || c->login->state == LOGIN_FAILED)
        return;
    if (c->login->state == LOGIN_START)
        c->login->itt = bhs_itt(c->rx.bhs);
    login_refuse(c->login, bhs_opcode(c->rx.bhs) == OP_LOGIN_REQUEST ? LOGIN_INITIATOR_ERROR
                                                                     : LOGIN_INVALID_REQUEST);
    send_login_response(c);
}

/* ---- time and requests from other threads -----------------------------------------------------*/

/* 11.19: a ping with a TTT of ours, which does not use up a StatSN. */
static void ping(struct conn *c)
{
    struct tx_item *item = tx_item_new(OP_NOP_IN, FLAG_FINAL, TAG_NONE, STAT_SN_SHOW, 0);

    if (item)
        put_be32(item->bhs + 20, conn_new_ttt(c));
    c->nop_outstanding = true;
    tx_send(c, item);
}

static int64_t ping_due_ns(const struct conn *c)
{
    return c->received_ns + (int64_t)c->server->nop_interval_s * SECOND_NS;
}

/* The rules of the target have changed: what do they say of this session? */
static int review(struct conn *c, struct error *err)
{
    struct directory *d = server_directory(c->server);
    const struct offer *offer = &d->offers[c->target];
    int rc = 0;

    if (!offer_lets_in(offer, c->params.initiator))
        rc = error_set(err, ERR_PERMISSION, "%s is no longer on the access list of %s",
                       c->params.initiator, c->params.target);
    else
        scsi_nexus_set_view(c->nexus, session_view(c, offer));
    if (!rc && offer->options.redirect && !c->logout_asked)
        async_ask_logout(c);
    directory_release(d);
    return rc;
}

/* What time and others demand; an error ends the connection. */
static int check_clock(struct conn *c, bool stalled, struct error *err)
{
    int64_t now = clock_ns();
    bool login = c->phase == CONN_LOGIN;

    if (atomic_load(&c->close_asked))
        return error_set(err, ERR_CANCELLED, "closed by the server");
    if (login && now >= c->login_deadline_ns)
        return error_set(err, ERR_TIMEOUT, "no login within %u seconds", c->server->login_s);
    if (stalled)
        return error_set(err, ERR_TIMEOUT, "the initiator took no data for %d seconds",
                         CONN_STALL_S);
    if (atomic_load(&c->server->stopping) && (login || c->params.discovery))
        return error_set(err, ERR_CANCELLED, "the server stops");
    if (atomic_load(&c->server->stopping) && !c->logout_asked)
        async_ask_logout(c);
    if (c->nexus && atomic_exchange(&c->review, false)) {
        int rc = review(c, err);

        if (rc)
            return rc;
    }
    if (c->nexus && atomic_exchange(&c->luns_changed, false))
        async_luns_changed(c);
    if (!login && !c->nop_outstanding && now >= ping_due_ns(c))
        ping(c);
    return 0;
}

static int wait_ms(const struct conn *c, bool tx_pending)
{
    int64_t left;

    if (c->phase == CONN_LOGIN || tx_pending)
        return 1000;
    if (c->nop_outstanding)
        return 60000;
    left = (ping_due_ns(c) - clock_ns()) / 1000000 + 1;
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* ---- the thread -------------------------------------------------------------------------------*/

static void unblock(struct conn *c)
{
    pthread_mutex_lock(&c->lock);
    c->tx.blocked = false;
    tx_flush(c);
    pthread_mutex_unlock(&c->lock);
}

/* Wait for something to do and do it; an error ends the connection. */
static int conn_turn(struct conn *c, struct error *err)
{
    struct pollfd fds[2] = {{.fd = c->fd}, {.fd = c->wake_fd, .events = POLLIN}};
    bool crowded, blocked, broken, pending, stalled;
    uint64_t wakes;
    int rc;

    pthread_mutex_lock(&c->lock);
    crowded = tx_crowded(c);
    blocked = c->tx.blocked;
    broken = c->broken;
    pending = !tx_empty(c);
    stalled = pending && clock_ns() - c->tx.progress_ns > CONN_STALL_S * SECOND_NS;
    pthread_mutex_unlock(&c->lock);
    if (broken)
        return error_set(err, ERR_CLOSED, "the connection broke while sending");
    if (c->rx.more && !crowded && !blocked && !atomic_load(&c->close_asked) &&
        !atomic_load(&c->review) && !atomic_load(&c->luns_changed) &&
        !atomic_load(&c->server->stopping))
        return rx_run(c, err);
    fds[0].events = (short)((crowded ? 0 : POLLIN) | (crowded || blocked ? POLLOUT : 0));
    if (poll(fds, 2, wait_ms(c, pending)) < 0 && errno != EINTR)
        return error_errno(err, "poll");
    if (fds[1].revents && read(c->wake_fd, &wakes, sizeof(wakes)) < 0 && errno != EAGAIN)
        return error_errno(err, "eventfd");
    rc = check_clock(c, stalled, err);
    if (rc)
        return rc;
    if (fds[0].revents & (POLLOUT | POLLERR | POLLHUP))
        unblock(c);
    if ((fds[0].revents & (POLLIN | POLLERR | POLLHUP)) && !crowded)
        rc = rx_run(c, err);
    return rc;
}

/* Give what is queued a last chance, then tell the peer and wait for it to close: a close() with
 * bytes unread would be a reset, which destroys what we said last. */
static void last_words(struct conn *c)
{
    int64_t until = clock_ns() + LAST_WORDS_S * SECOND_NS;
    struct pollfd fd = {.fd = c->fd, .events = POLLOUT};
    char drop[4096];
    bool more = true;

    while (more && clock_ns() < until) {
        unblock(c);
        pthread_mutex_lock(&c->lock);
        more = !c->broken && !tx_empty(c);
        pthread_mutex_unlock(&c->lock);
        if (more)
            poll(&fd, 1, 100);
    }
    shutdown(c->fd, SHUT_WR);
    until = clock_ns() + LINGER_S * SECOND_NS;
    fd.events = POLLIN;
    while (clock_ns() < until && !atomic_load(&c->close_asked)) {
        ssize_t n;

        poll(&fd, 1, 100);
        n = recv(c->fd, drop, sizeof(drop), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return;
    }
}

void conn_end_session(struct conn *c)
{
    struct task *next;

    if (c->ended)
        return;
    c->ended = true;
    pthread_mutex_lock(&c->lock);
    c->ending = true;
    for (struct task *t = c->tasks; t; t = next) {
        next = t->next;
        if (t->state <= TASK_READY) {
            task_unlink(t);
            task_free(t);
        }
    }
    while (c->helpers > 0)
        pthread_cond_wait(&c->quiet, &c->lock);
    pthread_mutex_unlock(&c->lock);
    if (c->nexus)
        scsi_nexus_destroy(c->nexus);
    c->nexus = NULL;
    pthread_mutex_lock(&c->lock);
    while (c->in_target > 0)
        pthread_cond_wait(&c->quiet, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

/* A port scan or a health check that connects and leaves is not worth a line, nor is what we
 * wanted ourselves. */
static void report_end(struct conn *c, int rc, const struct error *err)
{
    if (rc == -(int)ERR_CLOSED && c->phase == CONN_FULL_FEATURE && server_may_log(c->server))
        log_info("iSCSI %s: %s", c->ends.peer, err->message);
    else if (rc && rc != -(int)ERR_CLOSED && rc != -(int)ERR_CANCELLED)
        conn_log(c, err);
}

void conn_run(struct conn *c)
{
    struct error err = ERROR_INIT;
    int rc = 0;

    c->self = pthread_self();
    while (!rc && c->phase != CONN_CLOSING)
        rc = conn_turn(c, &err);
    if (rc && c->phase == CONN_LOGIN && rc == -(int)ERR_PROTOCOL)
        refuse_login(c);
    report_end(c, rc, &err);
    conn_end_session(c);
    if (!atomic_load(&c->close_asked) &&
        (!rc || rc == -(int)ERR_PROTOCOL || rc == -(int)ERR_CANCELLED))
        last_words(c);
    tx_discard(c);
    text_close(c);
    free(c->rx.echo);
    login_free(c);
    close(c->fd);
    c->phase = CONN_CLOSING;
    server_remove(c->server, c);
}
