/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.c - which connections there are, which of them are sessions, and who gives way to whom.
 *
 * Invariants:
 *   1. No two sessions are one I_T nexus: initiator name and ISID, target and portal group (RFC
 * 7143 section 4.4.3); of discovery sessions, which have no target, no two are one initiator port.
 *   2. A session leaves the registry only after its nexus is gone, so its successor finds
 *      reservations released and drives free.
 *   3. At most CONN_PENDING_MAX connections have not logged in; the oldest of them gives way.
 *      With those that are giving way it is CONN_LEAVING_MAX more, however fast others come.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "vtl/iscsi/conn.h"

#define REINSTATE_WAIT_S 20
#define ROOM_WAIT_S      1
#define LOG_WINDOW_NS    (10 * 1000000000LL)
#define LOG_LINES        20 /* per window */

void server_add(struct iscsid *s, struct conn *c)
{
    CLEANUP_UNLOCK(&s->lock);

    c->login_deadline_ns = c->accepted_ns + s->login_s * 1000000000LL;
    c->next = NULL;
    c->prev = s->conns_last;
    *(c->prev ? &c->prev->next : &s->conns) = c;
    s->conns_last = c;
    if (++s->pending <= CONN_PENDING_MAX)
        return;
    for (struct conn *old = s->conns; old; old = old->next)
        if (!old->admitted && !atomic_load(&old->close_asked)) {
            conn_ask_close(old);
            pthread_cond_broadcast(&s->changed); /* it may wait for its older session */
            break;
        }
}

bool server_wait_room(struct iscsid *s)
{
    struct timespec until;
    CLEANUP_UNLOCK(&s->lock);

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ROOM_WAIT_S;
    while (s->pending >= CONN_PENDING_MAX + CONN_LEAVING_MAX)
        if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
            return false;
    return true;
}

void server_remove(struct iscsid *s, struct conn *c)
{
    CLEANUP_UNLOCK(&s->lock);

    *(c->admitted ? &s->sessions : &s->pending) -= 1;
    *(c->prev ? &c->prev->next : &s->conns) = c->next;
    *(c->next ? &c->next->prev : &s->conns_last) = c->prev;
    if (c->threaded) {
        c->next_finished = s->finished;
        s->finished = c;
    }
    pthread_cond_broadcast(&s->changed);
}

void server_reap(struct iscsid *s)
{
    struct conn *list;

    pthread_mutex_lock(&s->lock);
    list = s->finished;
    s->finished = NULL;
    pthread_mutex_unlock(&s->lock);
    while (list) {
        struct conn *next = list->next_finished;

        pthread_join(list->thread, NULL);
        conn_free(list);
        list = next;
    }
}

void server_close_target(struct iscsid *s, unsigned target)
{
    CLEANUP_UNLOCK(&s->lock);

    for (struct conn *c = s->conns; c; c = c->next)
        if (c->admitted && !c->params.discovery && c->target == target)
            conn_ask_close(c);
}

struct directory *server_directory(struct iscsid *s)
{
    CLEANUP_UNLOCK(&s->lock);

    return directory_hold(s->directory);
}

bool server_may_log(struct iscsid *s)
{
    int64_t now = clock_ns();
    CLEANUP_UNLOCK(&s->lock);

    if (now - s->log_window_ns > LOG_WINDOW_NS) {
        s->log_window_ns = now;
        s->log_count = 0;
    }
    return s->log_count++ < LOG_LINES;
}

/* ---- sessions; server.lock is held ------------------------------------------------------------*/

static bool same_port(const struct conn *c, const struct login *login)
{
    return c->admitted && c->params.discovery == login->params.discovery &&
           c->target == login_target(login) && c->group == login_group(login) &&
           memcmp(c->isid, login->isid, sizeof(c->isid)) == 0 &&
           strcmp(c->params.initiator, login->params.initiator) == 0;
}

static struct conn *find_twin(struct iscsid *s, const struct login *login)
{
    struct conn *c = s->conns;

    while (c && !same_port(c, login))
        c = c->next;
    return c;
}

static bool tsih_used(const struct iscsid *s, uint16_t tsih)
{
    for (const struct conn *c = s->conns; c; c = c->next)
        if (c->admitted && c->tsih == tsih)
            return true;
    return false;
}

static uint16_t new_tsih(struct iscsid *s)
{
    do
        s->last_tsih = (uint16_t)(s->last_tsih + 1);
    while (s->last_tsih == 0 || tsih_used(s, s->last_tsih));
    return s->last_tsih;
}

/* 6.3.1: a TSIH names a session to join, which MaxConnections=1 only allows in place of its one
 * connection (connection reinstatement, 6.3.4). */
static enum login_status check_tsih(const struct conn *twin, const struct login *login)
{
    if (login->tsih == 0)
        return LOGIN_SUCCESS;
    if (!twin || twin->tsih != login->tsih)
        return LOGIN_NO_SESSION;
    return twin->cid == login->cid ? LOGIN_SUCCESS : LOGIN_TOO_MANY_CONNECTIONS;
}

/* Close the older session of this port and wait until it is gone. */
static enum login_status replace_twin(struct iscsid *s, struct conn *c, const struct login *login)
{
    struct timespec until;
    struct conn *twin;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += REINSTATE_WAIT_S;
    while ((twin = find_twin(s, login))) {
        conn_ask_close(twin);
        if (atomic_load(&s->stopping) || atomic_load(&c->close_asked) ||
            pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
            return LOGIN_UNAVAILABLE;
    }
    return LOGIN_SUCCESS;
}

static int64_t real_time_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

enum login_status session_admit(struct conn *c, const struct login *login, uint16_t *tsih)
{
    struct iscsid *s = c->server;
    enum login_status status;
    CLEANUP_UNLOCK(&s->lock);

    status = check_tsih(find_twin(s, login), login);
    if (status == LOGIN_SUCCESS)
        status = replace_twin(s, c, login);
    if (status != LOGIN_SUCCESS)
        return status;
    if (s->sessions >= s->max_sessions)
        return LOGIN_NO_RESOURCES;
    /* By rules that are no longer: it may try again by the new ones. */
    if (atomic_load(&s->stopping) || atomic_load(&c->close_asked) ||
        login->directory != s->directory)
        return LOGIN_UNAVAILABLE;
    *tsih = login->tsih && !tsih_used(s, login->tsih) ? login->tsih : new_tsih(s);
    memcpy(c->isid, login->isid, sizeof(c->isid));
    c->params = login->params;
    c->target = login_target(login);
    c->group = login_group(login);
    c->scsi = login->offer ? s->targets[c->target] : NULL;
    c->discoverable = login->discoverable;
    c->tsih = *tsih;
    c->cid = login->cid;
    c->since_ns = real_time_ns();
    c->admitted = true;
    s->pending--;
    s->sessions++;
    return LOGIN_SUCCESS;
}

const struct scsi_view *session_view(struct conn *c, const struct offer *offer)
{
    const struct iscsid_view *view = offer_view(offer, c->params.initiator);
    CLEANUP_UNLOCK(&c->server->lock);

    snprintf(c->view, sizeof(c->view), "%s", view ? view->initiator : "");
    return view ? &view->luns : NULL;
}

int iscsid_sessions(struct iscsid *s, int (*fn)(void *ctx, const struct iscsid_session_info *info),
                    void *ctx)
{
    struct iscsid_session_info *list = NULL;
    size_t count = 0;
    int rc = 0;

    pthread_mutex_lock(&s->lock);
    if (s->sessions > 0)
        list = calloc(s->sessions, sizeof(*list));
    for (struct conn *c = s->conns; list && c; c = c->next) {
        struct iscsid_session_info *i = &list[count];

        if (!c->admitted)
            continue;
        count++;
        memcpy(i->initiator, c->params.initiator, sizeof(i->initiator));
        memcpy(i->peer, c->ends.peer, sizeof(i->peer));
        memcpy(i->local, c->ends.local, sizeof(i->local));
        memcpy(i->view, c->view, sizeof(i->view));
        i->target = c->target;
        i->group = c->group;
        i->tsih = c->tsih;
        i->discovery = c->params.discovery;
        i->commands = atomic_load(&c->commands);
        i->bytes_in = atomic_load(&c->bytes_in);
        i->bytes_out = atomic_load(&c->bytes_out);
        i->since_ns = c->since_ns;
    }
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = fn(ctx, &list[i]);
    free(list);
    return rc;
}
