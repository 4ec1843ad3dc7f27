/* SPDX-License-Identifier: Apache-2.0 */
/* offer.c - see offer.h. */
#include "vtl/iscsi/offer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vtl/iscsi/address.h"
#include "vtl/iscsi/chap.h"
#include "vtl/iscsi/hash.h"

#define SESSIONS_MAX  65000 /* a TSIH has 16 bits */
#define CHAP_NAME_MAX 255

/* ---- options are right ------------------------------------------------------------------------*/

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
        good = (unsigned char)*p > ' ' && (unsigned char)*p != 0x7f && *p != ',' &&
               !isupper((unsigned char)*p);
    if (!good)
        return error_set(err, ERR_RANGE,
                         "'%s' is no iSCSI target name; write it like iqn.2026-01.org.example:tape",
                         name ? name : "");
    return 0;
}

int options_check(const struct iscsid_options *o, struct error *err)
{
    int rc = check_target_name(o->target_name, err);

    if (!rc)
        rc = check_chap("CHAP", &o->chap, err);
    if (!rc)
        rc = check_chap("discovery CHAP", &o->discovery_chap, err);
    if (rc)
        return rc;
    if (o->portal_count > ISCSI_PORTALS_MAX || o->initiator_count > ISCSI_ACL_MAX ||
        o->view_count > ISCSI_VIEWS_MAX || o->max_sessions > SESSIONS_MAX)
        return error_set(err, ERR_RANGE,
                         "at most %d portals, %d initiators, %d views and %d sessions",
                         ISCSI_PORTALS_MAX, ISCSI_ACL_MAX, ISCSI_VIEWS_MAX, SESSIONS_MAX);
    if (o->redirect) {
        rc = address_check(o->redirect, err);
        if (rc)
            return error_prefix(err, "redirect");
    }
    if (o->target_alias && strlen(o->target_alias) > 255)
        return error_set(err, ERR_RANGE, "the target's alias is longer than 255 bytes");
    return 0;
}

/* ---- copies -----------------------------------------------------------------------------------*/

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

/* The views are one block: the list, and behind it its names. */
static bool copy_views(struct iscsid_options *o)
{
    size_t size = o->view_count * sizeof(*o->views), names = size;
    struct iscsid_view *copy;
    char *at;

    for (unsigned i = 0; i < o->view_count; i++)
        size += strlen(o->views[i].initiator) + 1;
    copy = o->view_count ? malloc(size) : NULL;
    if (o->view_count && copy)
        memcpy(copy, o->views, names);
    at = (char *)copy + names;
    for (unsigned i = 0; copy && i < o->view_count; i++) {
        size_t len = strlen(o->views[i].initiator) + 1;

        copy[i].initiator = memcpy(at, o->views[i].initiator, len);
        at += len;
    }
    o->views = copy;
    return copy || o->view_count == 0;
}

static int copy_options(struct iscsid_options *to, const struct iscsid_options *from,
                        struct error *err)
{
    bool good;

    *to = *from;
    good = each_string(to, copy_string);
    good &= copy_views(to);
    return good ? 0 : error_set(err, ERR_NO_MEMORY, "no memory for the options of a target");
}

static void free_options(struct iscsid_options *o)
{
    each_string(o, free_string);
    free((void *)(uintptr_t)o->views);
}

/* ---- directories ------------------------------------------------------------------------------*/

int directory_with(const struct directory *old, unsigned n, const struct iscsid_options *options,
                   const struct placement *at, struct directory **out, struct error *err)
{
    unsigned count = old && n < old->count ? old->count : n + 1;
    struct directory *d = calloc(1, sizeof(*d) + count * sizeof(d->offers[0]));
    int rc = 0;

    if (!d)
        return error_set(err, ERR_NO_MEMORY, "no memory for another target");
    atomic_store(&d->holders, 1);
    for (; !rc && d->count < count; d->count++) {
        unsigned i = d->count;

        rc = copy_options(&d->offers[i].options, i == n ? options : &old->offers[i].options, err);
        d->offers[i].at = i == n ? *at : old->offers[i].at;
    }
    if (rc)
        directory_release(d);
    else
        *out = d;
    return rc;
}

struct directory *directory_hold(struct directory *d)
{
    atomic_fetch_add(&d->holders, 1);
    return d;
}

void directory_release(struct directory *d)
{
    if (!d || atomic_fetch_sub(&d->holders, 1) > 1)
        return;
    for (unsigned i = 0; i < d->count; i++)
        free_options(&d->offers[i].options);
    free(d);
}

const struct offer *directory_find(const struct directory *d, const char *name, size_t len)
{
    for (unsigned i = 0; i < d->count; i++) {
        const char *own = d->offers[i].options.target_name;

        if (strlen(own) == len && strncasecmp(own, name, len) == 0)
            return &d->offers[i];
    }
    return NULL;
}

/* Whether a name fits an entry of a list; a trailing '*' is a prefix. */
static bool fits(const char *entry, const char *initiator)
{
    size_t len = strlen(entry);

    return len > 0 && entry[len - 1] == '*' ? strncasecmp(entry, initiator, len - 1) == 0
                                            : strcasecmp(entry, initiator) == 0;
}

bool offer_lets_in(const struct offer *offer, const char *initiator)
{
    const struct iscsid_options *o = &offer->options;

    for (unsigned i = 0; i < o->initiator_count; i++)
        if (fits(o->initiators[i], initiator))
            return true;
    return o->initiator_count == 0;
}

const struct iscsid_view *offer_view(const struct offer *offer, const char *initiator)
{
    const struct iscsid_options *o = &offer->options;

    for (unsigned i = 0; i < o->view_count; i++)
        if (fits(o->views[i].initiator, initiator))
            return &o->views[i];
    return NULL;
}
