/* SPDX-License-Identifier: Apache-2.0 */
/* security.c - see security.h: sets of parameters, scopes, and what ends a set. */
#include "vtl/scsi/security.h"

#include <stdlib.h>

#include "vtl/scsi/drive.h"

struct security {
    struct security_set shared;
    struct security_nexus *nexuses;
    uint32_t instances; /* handed out */
};

struct security *security_new(struct error *err)
{
    struct security *s = calloc(1, sizeof(*s));

    if (!s)
        error_set(err, ERR_NO_MEMORY, "There is no memory for the encryption of a drive");
    return s;
}

void security_free(struct security *s)
{
    struct security_nexus *n, *next;

    if (!s)
        return;
    for (n = s->nexuses; n; n = next) {
        next = n->next;
        codec_key_free(n->own.key);
        free(n);
    }
    codec_key_free(s->shared.key);
    free(s);
}

/* ---- who uses what --------------------------------------------------------------------------- */

static struct security_nexus *nexus_find(const struct security *s, const struct scsi_nexus *nexus)
{
    struct security_nexus *n = s->nexuses;

    while (n && n->nexus != nexus)
        n = n->next;
    return n;
}

const struct security_nexus *security_nexus_find(const struct security *s,
                                                 const struct scsi_nexus *nexus)
{
    return nexus_find(s, nexus);
}

struct security_nexus *security_nexus_get(struct security *s, const struct scsi_nexus *nexus)
{
    struct security_nexus *n = nexus_find(s, nexus);

    if (n || !(n = calloc(1, sizeof(*n))))
        return n;
    n->nexus = nexus;
    n->next = s->nexuses;
    s->nexuses = n;
    return n;
}

const struct security_set *security_of(const struct security *s, const struct scsi_nexus *nexus)
{
    const struct security_nexus *n = nexus_find(s, nexus);

    return n && n->scope == SCOPE_LOCAL ? &n->own : &s->shared;
}

struct codec_key *security_key(struct security *s, const struct scsi_nexus *nexus)
{
    return security_of(s, nexus)->key;
}

bool security_lock_broken(const struct security *s, const struct scsi_nexus *nexus)
{
    const struct security_nexus *n = nexus_find(s, nexus);

    return n && n->locked && security_of(s, nexus)->instance != n->locked_to;
}

/* ---- changing sets --------------------------------------------------------------------------- */

/* A unit attention for everybody who uses the shared set and has shown that he cares. */
static void tell_sharers(struct scsi_lu *lu, uint16_t code, const struct scsi_nexus *except)
{
    const struct security *s = lu->drive->security;
    CLEANUP_UNLOCK(&lu->target->lock);

    for (struct scsi_nexus *n = lu->target->nexuses; n; n = n->next) {
        const struct security_nexus *of = nexus_find(s, n);

        if (n != except && of && of->scope != SCOPE_LOCAL)
            attention_give(lu, n, code);
    }
}

static void tell_one(struct scsi_lu *lu, uint16_t code, const struct scsi_nexus *whom)
{
    CLEANUP_UNLOCK(&lu->target->lock);

    for (struct scsi_nexus *n = lu->target->nexuses; n; n = n->next) {
        if (n == whom)
            attention_give(lu, n, code);
    }
}

/* Put a set (NULL: the default one) in the place of another, which ends. */
static void set_replace(struct security *s, struct security_set *old,
                        const struct security_set *with, const struct scsi_nexus *maker)
{
    codec_key_free(old->key);
    memset(old, 0, sizeof(*old));
    if (with) {
        *old = *with;
        old->established = true;
        snprintf(old->maker, sizeof(old->maker), "%s", maker->name);
    }
    old->instance = ++s->instances;
}

/* Nobody has the scope ALL I_T NEXUS any more. */
static void demote_maker(struct security *s)
{
    for (struct security_nexus *n = s->nexuses; n; n = n->next) {
        if (n->scope == SCOPE_ALL_NEXUS)
            n->scope = SCOPE_PUBLIC;
    }
}

bool security_apply(struct scsi_lu *lu, const struct scsi_nexus *nexus,
                    struct security_request *request)
{
    struct security *s = lu->drive->security;
    struct security_nexus *n = security_nexus_get(s, nexus);

    if (!n)
        return false;
    if (n->scope == SCOPE_LOCAL && request->scope != SCOPE_LOCAL)
        set_replace(s, &n->own, NULL, nexus);
    if (request->scope == SCOPE_ALL_NEXUS) {
        tell_sharers(lu, ASC_ENCRYPTION_CHANGED_BY_NEXUS, nexus);
        demote_maker(s);
        set_replace(s, &s->shared, &request->set, nexus);
    } else if (request->scope == SCOPE_LOCAL) {
        set_replace(s, &n->own, &request->set, nexus);
    }
    request->set.key = NULL;
    n->scope = request->scope;
    n->locked = request->lock;
    n->locked_to = security_of(s, nexus)->instance;
    return true;
}

/* ---- what ends sets -------------------------------------------------------------------------- */

typedef bool end_fn(struct scsi_lu *lu, const struct security_set *set);

static bool always(struct scsi_lu *lu, const struct security_set *set)
{
    (void)lu;
    (void)set;
    return true;
}

static bool on_demount(struct scsi_lu *lu, const struct security_set *set)
{
    (void)lu;
    return set->clear_on_demount;
}

static bool on_reservation(struct scsi_lu *lu, const struct security_set *set)
{
    return (set->clear_on_preempt && !security_reserved(lu, set->maker, true)) ||
           (set->clear_on_loss && !security_reserved(lu, set->maker, false));
}

/* End the sets that `ends` says so of, and tell those who used them (code 0: they are told so by
 * something else). */
static void end_sets(struct scsi_lu *lu, end_fn *ends, uint16_t code)
{
    struct security *s = lu->drive->security;

    if (s->shared.established && ends(lu, &s->shared)) {
        demote_maker(s);
        set_replace(s, &s->shared, NULL, NULL);
        if (code)
            tell_sharers(lu, code, NULL);
    }
    for (struct security_nexus *n = s->nexuses; n; n = n->next) {
        if (!n->own.established || !ends(lu, &n->own))
            continue;
        set_replace(s, &n->own, NULL, NULL);
        n->scope = SCOPE_PUBLIC;
        if (code)
            tell_one(lu, code, n->nexus);
    }
}

void security_demounted(struct scsi_lu *lu)
{
    end_sets(lu, on_demount, ASC_ENCRYPTION_CHANGED_BY_EVENT);
}

void security_check_reservations(struct scsi_lu *lu)
{
    end_sets(lu, on_reservation, ASC_ENCRYPTION_CHANGED_BY_EVENT);
}

/* The reset attention includes what this one would say (SAM-6 5.14.3). */
void security_reset(struct scsi_lu *lu)
{
    end_sets(lu, always, 0);
    for (struct security_nexus *n = lu->drive->security->nexuses; n; n = n->next) {
        n->scope = SCOPE_PUBLIC;
        n->locked = false;
    }
}

void security_forget(struct scsi_lu *lu, const struct scsi_nexus *nexus)
{
    for (struct security_nexus **p = &lu->drive->security->nexuses; *p; p = &(*p)->next) {
        struct security_nexus *n = *p;

        if (n->nexus != nexus)
            continue;
        *p = n->next;
        codec_key_free(n->own.key);
        free(n);
        return;
    }
}

bool security_reserved(struct scsi_lu *lu, const char *port, bool persistent)
{
    const struct persistent *p = &lu->persistent;
    CLEANUP_UNLOCK(&lu->target->lock);

    if (!persistent && lu->reserved_by && port_name_equal(lu->reserved_by->name, port))
        return true;
    for (const struct registration *r = p->first; r; r = r->next)
        if (port_name_equal(r->name, port) && reservation_held_by(p, r)) /* by any target port */
            return true;
    return false;
}
