/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - the server as its owner sees it: options, start, stop (iscsid.h). */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "vtl/iscsi/conn.h"
#include "vtl/iscsi/hash.h"

#define DEFAULT_SESSIONS 1024
#define DEFAULT_NOP_S    30
#define POOL_LIMIT       (512u << 20)
#define POOL_IDLE_LIMIT  (64u << 20)
#define SESSIONS_MAX     65000 /* a TSIH has 16 bits */
#define CHAP_NAME_MAX    255

/* ---- options ----------------------------------------------------------------------------------*/

static int check_secret(const char *what, const char *user, const char *secret, struct error *err)
{
    size_t len;

    if (!secret && !user)
        return 0;
    if (!secret || !user || !user[0] || strlen(user) > CHAP_NAME_MAX)
        return error_set(err, ERR_RANGE, "%s needs a user name and a secret", what);
    len = strlen(secret);
    if (len < CHAP_SECRET_MIN || len > CHAP_SECRET_MAX)
        return error_set(err, ERR_RANGE, "the secret of %s must have %d to %d bytes", what,
                         CHAP_SECRET_MIN, CHAP_SECRET_MAX);
    return 0;
}

static int check_chap(const char *what, const struct iscsid_chap *c, struct error *err)
{
    int rc = check_secret(what, c->user, c->secret, err);

    if (!rc)
        rc = check_secret("mutual CHAP", c->mutual_user, c->mutual_secret, err);
    if (rc)
        return rc;
    if (c->mutual_secret && !c->secret)
        return error_set(err, ERR_RANGE, "%s: mutual CHAP needs CHAP of the initiator too", what);
    /* 12.1.3: one secret for both directions would make a reflected answer right. */
    if (c->mutual_secret && strcmp(c->secret, c->mutual_secret) == 0)
        return error_set(err, ERR_RANGE, "%s: the two secrets of mutual CHAP must differ", what);
    return 0;
}

static int check_target_name(const char *name, struct error *err)
{
    bool good = name && strlen(name) <= ISCSI_NAME_MAX &&
                (strncmp(name, "iqn.", 4) == 0 || strncmp(name, "eui.", 4) == 0 ||
                 strncmp(name, "naa.", 4) == 0);

    for (const char *p = name; good && *p; p++)
        good = (unsigned char)*p > ' ' && (unsigned char)*p != 0x7f && *p != ',' && !isupper(*p);
    if (!good)
        return error_set(err, ERR_RANGE,
                         "'%s' is no iSCSI target name; write it like iqn.2026-01.org.example:tape",
                         name ? name : "");
    return 0;
}

static int check_options(const struct iscsid_options *o, struct error *err)
{
    int rc = check_target_name(o->target_name, err);

    if (!rc)
        rc = check_chap("CHAP", &o->chap, err);
    if (!rc)
        rc = check_chap("discovery CHAP", &o->discovery_chap, err);
    if (rc)
        return rc;
    if (o->portal_count > ISCSI_PORTALS_MAX || o->initiator_count > ISCSI_ACL_MAX ||
        o->max_sessions > SESSIONS_MAX)
        return error_set(err, ERR_RANGE, "at most %d portals, %d initiators and %d sessions",
                         ISCSI_PORTALS_MAX, ISCSI_ACL_MAX, SESSIONS_MAX);
    if (o->redirect) {
        rc = portal_check(o->redirect, err);
        if (rc)
            return error_prefix(err, "redirect");
    }
    if (o->target_alias && strlen(o->target_alias) > 255)
        return error_set(err, ERR_RANGE, "the target's alias is longer than 255 bytes");
    return 0;
}

/* Every string of the options, ours: visited to copy and to free.
 * False if fn said so for one of them. */
static bool each_string(struct iscsid_options *o, bool (*fn)(const char **))
{
    struct iscsid_chap *chaps[] = {&o->chap, &o->discovery_chap};
    bool good = fn(&o->target_name);

    good &= fn(&o->target_alias);
    good &= fn(&o->redirect);
    for (unsigned i = 0; i < o->portal_count; i++)
        good &= fn(&o->portals[i]);
    for (unsigned i = 0; i < o->initiator_count; i++)
        good &= fn(&o->initiators[i]);
    for (unsigned i = 0; i < 2; i++) {
        good &= fn(&chaps[i]->user);
        good &= fn(&chaps[i]->secret);
        good &= fn(&chaps[i]->mutual_user);
        good &= fn(&chaps[i]->mutual_secret);
    }
    return good;
}

static bool copy_string(const char **s)
{
    const char *source = *s;

    *s = source ? strdup(source) : NULL;
    return *s || !source;
}

static bool free_string(const char **s)
{
    char *own = (char *)(uintptr_t)*s;

    if (own)
        hash_wipe(own, strlen(own));
    free(own);
    *s = NULL;
    return true;
}

/* ---- life -------------------------------------------------------------------------------------*/

static int open_portals(struct iscsid *s, struct error *err)
{
    for (unsigned i = 0; i < s->options.portal_count; i++) {
        struct portal *p = &s->portals[i];
        int rc;

        p->server = s;
        rc = portal_open(p, s->options.portals[i], err);
        if (rc)
            return rc;
        s->portal_count++;
        if (s->options.redirect && strcmp(s->options.redirect, p->address) == 0)
            return error_set(err, ERR_RANGE, "redirect to %s leads back to this portal",
                             p->address);
    }
    return 0;
}

int iscsid_create(struct scsi_target *target, const struct iscsid_options *options,
                  struct iscsid **out, struct error *err)
{
    pthread_condattr_t attr;
    struct iscsid *s;
    bool copied;
    int rc = check_options(options, err);

    if (rc)
        return rc;
    s = calloc(1, sizeof(*s));
    if (!s)
        return error_set(err, ERR_NO_MEMORY, "no memory for the iSCSI server");
    s->target = target;
    s->login_s = CONN_LOGIN_S;
    s->options = *options;
    copied = each_string(&s->options, copy_string);
    if (s->options.max_sessions == 0)
        s->options.max_sessions = DEFAULT_SESSIONS;
    if (s->options.nop_interval_s == 0)
        s->options.nop_interval_s = DEFAULT_NOP_S;
    pool_init(&s->pool, POOL_LIMIT, POOL_IDLE_LIMIT);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (s->stop_fd < 0)
        rc = error_errno(err, "the iSCSI server");
    else
        rc = copied ? open_portals(s, err) : error_set(err, ERR_NO_MEMORY, "no memory for options");
    if (rc) {
        iscsid_destroy(s);
        return rc;
    }
    *out = s;
    return 0;
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

const char *iscsid_portal(const struct iscsid *s, unsigned n)
{
    return n < s->portal_count ? s->portals[n].address : NULL;
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
    if (s->stop_fd >= 0)
        close(s->stop_fd);
    each_string(&s->options, free_string);
    pool_destroy(&s->pool);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
}
