/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - the server as its owner sees it: options, start, stop (iscsid.h). */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "vtl/iscsi/conn.h"

#define DEFAULT_SESSIONS 1024
#define DEFAULT_NOP_S    30
#define POOL_LIMIT       (512u << 20)
#define POOL_IDLE_LIMIT  (64u << 20)

/* ---- life -------------------------------------------------------------------------------------*/

/* The portal of this spelling that the target has not yet, opened if no other target had it. */
static int share_portal(struct iscsid *s, const char *address, const struct placement *at,
                        unsigned *out, struct error *err)
{
    struct portal *p;
    int rc;

    for (unsigned i = 0; i < s->portal_count; i++)
        if (at->tags[i] == 0 && strcmp(s->portals[i].spelling, address) == 0) {
            *out = i;
            return 0;
        }
    if (s->portal_count == SERVER_PORTALS_MAX)
        return error_set(err, ERR_RANGE, "a server has at most %d portals", SERVER_PORTALS_MAX);
    p = &s->portals[s->portal_count];
    *p = (struct portal){.fd = -1, .server = s, .spelling = strdup(address)};
    rc = p->spelling ? portal_open(p, address, err)
                     : error_set(err, ERR_NO_MEMORY, "no memory for another portal");
    if (rc)
        free(p->spelling);
    else
        *out = s->portal_count++;
    return rc;
}

static int check_redirect(const struct iscsid *s, const struct iscsid_options *o, unsigned portal,
                          struct error *err)
{
    const char *address = s->portals[portal].address;

    return o->redirect && strcmp(o->redirect, address) == 0
               ? error_set(err, ERR_RANGE, "redirect to %s leads back to this portal", address)
               : 0;
}

static int place_target(struct iscsid *s, const struct iscsid_options *o, struct placement *at,
                        struct error *err)
{
    /* Connections that a test brings itself came by no portal: they count as its portal 0. */
    if (o->portal_count == 0)
        at->tags[0] = KEYS_TARGET_PORT_GROUP;
    for (unsigned i = 0; i < o->portal_count; i++) {
        unsigned n = 0;
        int rc = share_portal(s, o->portals[i], at, &n, err);

        if (rc)
            return rc;
        at->portals[i] = n;
        at->tags[n] = o->portal_groups[i] ? o->portal_groups[i] : KEYS_TARGET_PORT_GROUP;
        rc = check_redirect(s, o, n, err);
        if (rc)
            return rc;
    }
    return 0;
}

/* Those that have a number from `from` on, while none is being listened to. */
static void close_portals(struct iscsid *s, unsigned from)
{
    for (unsigned i = from; i < s->portal_count; i++) {
        if (s->portals[i].fd >= 0)
            close(s->portals[i].fd);
        free(s->portals[i].spelling);
    }
    s->portal_count = from;
}

/* Each portal group is a target port (RFC 7143 section 4.4.3). */
static int name_ports(struct scsi_target *target, const struct iscsid_options *o,
                      const struct placement *at, struct error *err)
{
    char name[ISCSI_NAME_MAX + 16];
    int rc = 0;

    for (unsigned i = 0; i < o->portal_count && !rc; i++) {
        uint16_t tag = at->tags[at->portals[i]];
        bool again = false;

        for (unsigned j = 0; j < i; j++)
            again |= at->tags[at->portals[j]] == tag;
        snprintf(name, sizeof(name), "%s,t,0x%04x", o->target_name, tag);
        if (!again)
            rc = scsi_target_add_port(target, tag, name, err);
    }
    return rc;
}

int iscsid_add(struct iscsid *s, struct scsi_target *target, const struct iscsid_options *options,
               unsigned *number, struct error *err)
{
    unsigned portals = s->portal_count, n = s->directory ? s->directory->count : 0;
    struct placement at = {0};
    struct directory *now;
    int rc = options_check(options, err);

    assert(s->threads == 0);
    if (!rc && n == ISCSI_TARGETS_MAX)
        rc = error_set(err, ERR_RANGE, "a server has at most %d targets", ISCSI_TARGETS_MAX);
    if (!rc && s->directory &&
        directory_find(s->directory, options->target_name, strlen(options->target_name)))
        rc = error_set(err, ERR_EXISTS, "there are two targets with the name %s",
                       options->target_name);
    if (!rc)
        rc = place_target(s, options, &at, err);
    if (!rc)
        rc = directory_with(s->directory, n, options, &at, &now, err);
    if (!rc) {
        rc = name_ports(target, options, &at, err);
        if (rc)
            directory_release(now);
    }
    if (rc) {
        close_portals(s, portals);
        return rc;
    }
    directory_release(s->directory);
    s->directory = now;
    s->targets[n] = target;
    s->max_sessions += options->max_sessions ? options->max_sessions : DEFAULT_SESSIONS;
    *number = n;
    return 0;
}

static struct iscsid *server_new(const struct iscsid_options *options)
{
    struct iscsid *s = calloc(1, sizeof(*s));
    pthread_condattr_t attr;

    if (!s)
        return NULL;
    s->login_s = CONN_LOGIN_S;
    s->nop_interval_s = options->nop_interval_s ? options->nop_interval_s : DEFAULT_NOP_S;
    s->connection = options->connection;
    s->connection_ctx = options->connection_ctx;
    pool_init(&s->pool, POOL_LIMIT, POOL_IDLE_LIMIT);
    pthread_mutex_init(&s->reloading, NULL);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    return s;
}

int iscsid_create(struct scsi_target *target, const struct iscsid_options *options,
                  struct iscsid **out, struct error *err)
{
    struct iscsid *s = server_new(options);
    unsigned number;
    int rc;

    if (!s)
        return error_set(err, ERR_NO_MEMORY, "no memory for the iSCSI server");
    rc = s->stop_fd < 0 ? error_errno(err, "the iSCSI server")
                        : iscsid_add(s, target, options, &number, err);
    if (rc) {
        iscsid_destroy(s);
        return rc;
    }
    *out = s;
    return 0;
}

/* Under its lock: put the new directory in place and have sessions look at it. */
static void exchange(struct iscsid *s, unsigned target, struct directory *now)
{
    CLEANUP_UNLOCK(&s->lock);

    directory_release(s->directory);
    s->directory = now;
    for (struct conn *c = s->conns; c; c = c->next) {
        if (c->admitted && c->params.discovery)
            conn_ask_close(c);
        if (!c->admitted || c->params.discovery || c->target != target)
            continue;
        atomic_store(&c->review, true);
        conn_wake(c);
    }
}

int iscsid_reload(struct iscsid *s, unsigned target, const struct iscsid_options *options,
                  struct error *err)
{
    CLEANUP_UNLOCK(&s->reloading);
    struct directory *old = server_directory(s), *now;
    const struct offer *offer = &old->offers[target];
    struct iscsid_options o = *options;
    int rc;

    o.target_name = offer->options.target_name;
    o.portal_count = offer->options.portal_count;
    memcpy(o.portals, offer->options.portals, sizeof(o.portals));
    memcpy(o.portal_groups, offer->options.portal_groups, sizeof(o.portal_groups));
    rc = options_check(&o, err);
    for (unsigned i = 0; i < o.portal_count && !rc; i++)
        rc = check_redirect(s, &o, offer->at.portals[i], err);
    if (!rc)
        rc = directory_with(old, target, &o, &offer->at, &now, err);
    if (!rc)
        exchange(s, target, now);
    directory_release(old);
    return rc;
}

int iscsid_start(struct iscsid *s, struct error *err)
{
    for (; s->threads < s->portal_count; s->threads++) {
        int rc = pthread_create(&s->portals[s->threads].thread, NULL, portal_thread,
                                &s->portals[s->threads]);

        if (rc) {
            errno = rc;
            error_errno(err, "no thread for portal %s", s->portals[s->threads].address);
            iscsid_stop(s, 0);
            return err ? -(int)err->code : -(int)ERR_IO;
        }
    }
    return 0;
}

const char *iscsid_target_portal(struct iscsid *s, unsigned target, unsigned n, uint16_t *tag)
{
    struct directory *d = server_directory(s); /* a reload may be putting another one in place */
    const struct offer *o = &d->offers[target];
    const char *address = NULL;

    if (n < o->options.portal_count) {
        unsigned portal = o->at.portals[n];

        address = s->portals[portal].address;
        if (tag)
            *tag = o->at.tags[portal];
    }
    directory_release(d);
    return address;
}

const char *iscsid_portal(struct iscsid *s, unsigned n)
{
    return iscsid_target_portal(s, 0, n, NULL);
}

static void stop_accepting(struct iscsid *s)
{
    uint64_t one = 1;

    if (write(s->stop_fd, &one, sizeof(one)) < 0)
        return; /* full: it is readable, which is all that matters */
    while (s->threads > 0)
        pthread_join(s->portals[--s->threads].thread, NULL);
    for (unsigned i = 0; i < s->portal_count; i++)
        if (s->portals[i].fd >= 0) {
            close(s->portals[i].fd);
            s->portals[i].fd = -1;
        }
}

void iscsid_stop(struct iscsid *s, unsigned grace_ms)
{
    struct timespec until;

    stop_accepting(s);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += grace_ms / 1000;
    until.tv_nsec += (long)(grace_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    atomic_store(&s->grace_s, (grace_ms + 999) / 1000);
    atomic_store(&s->stopping, true);
    pthread_mutex_lock(&s->lock);
    pthread_cond_broadcast(&s->changed);
    for (struct conn *c = s->conns; c; c = c->next)
        conn_wake(c);
    while (s->conns)
        if (grace_ms == 0 || pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
            break;
    for (struct conn *c = s->conns; c; c = c->next)
        conn_ask_close(c);
    while (s->conns)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    server_reap(s);
}

void iscsid_destroy(struct iscsid *s)
{
    if (!s)
        return;
    iscsid_stop(s, 0);
    close_portals(s, 0);
    if (s->stop_fd >= 0)
        close(s->stop_fd);
    directory_release(s->directory);
    pool_destroy(&s->pool);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->reloading);
    pthread_cond_destroy(&s->changed);
    free(s);
}
