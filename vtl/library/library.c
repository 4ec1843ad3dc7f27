/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library.c - the elements and the moves between them; see library.h and internal.h.
 *
 * A change goes: check, transaction in library.db, commit, then the elements in memory.  If the
 * transaction fails, memory is as it was.
 */
#include "vtl/library/library.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "vtl/library/internal.h"

/* ---- looking --------------------------------------------------------------------------------- */

int library_element(struct library *lib, uint16_t address, struct library_element *out,
                    struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_element *e = library_lookup(lib, address);

    if (!e)
        return error_set(err, ERR_NOT_FOUND, "The library has no element %u", address);
    *out = *e;
    return 0;
}

int library_find(struct library *lib, const char *barcode, struct library_element *out,
                 struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_element *e = library_lookup_barcode(lib, barcode);

    if (!e)
        return error_set(err, ERR_NOT_FOUND, "There is no cartridge %.40s in the library", barcode);
    *out = *e;
    return 0;
}

/* A copy of the elements asked for, so that fn runs without the lock. */
static int library_snapshot(struct library *lib, unsigned type, uint16_t first, unsigned count,
                            struct library_element **out, unsigned *copied, struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    unsigned matches = 0;
    struct library_element *copy;

    for (unsigned pass = 0; pass < 2; pass++) {
        copy = pass ? malloc((matches ? matches : 1) * sizeof(*copy)) : NULL;
        if (pass && !copy)
            return error_set(err, ERR_NO_MEMORY, "There is no memory to list the elements");
        matches = 0;
        for (unsigned i = 0; i < lib->element_count && matches < count; i++) {
            const struct library_element *e = &lib->elements[i];

            if (e->address < first || (type && e->type != type))
                continue;
            if (copy)
                copy[matches] = *e;
            matches++;
        }
    }
    *out = copy;
    *copied = matches;
    return 0;
}

int library_elements(struct library *lib, unsigned type, uint16_t first, unsigned count,
                     int (*fn)(void *ctx, const struct library_element *e), void *ctx,
                     struct error *err)
{
    CLEANUP_FREE struct library_element *copy = NULL;
    unsigned copied = 0;
    int rc = library_snapshot(lib, type, first, count, &copy, &copied, err);

    for (unsigned i = 0; rc == 0 && i < copied; i++)
        rc = fn(ctx, &copy[i]);
    return rc;
}

/* ---- moving ---------------------------------------------------------------------------------- */

int64_t library_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void element_empty(struct library_element *e)
{
    e->full = e->imported = e->source_valid = e->missing = false;
    e->source = e->alternate_sequence = 0;
    e->barcode[0] = e->alternate[0] = '\0';
}

/* What `to` is when the cartridge of `from` has come into it.  SOURCE is the last storage element
 * the cartridge lay in (SMC-3 6.11.4): a drive it came from does not count. */
static void element_carry(struct library_element *to, const struct library_element *from)
{
    bool storage = from->type == ELEMENT_SLOT || from->type == ELEMENT_IMPORT_EXPORT;

    to->full = true;
    to->missing = from->missing;
    to->imported = false;
    to->source_valid = storage || from->source_valid;
    to->source = storage ? from->address : from->source;
    memcpy(to->barcode, from->barcode, sizeof(to->barcode));
    memcpy(to->alternate, from->alternate, sizeof(to->alternate));
    to->alternate_sequence = from->alternate_sequence;
}

/* What has become durable, in memory. */
static void library_remember(struct library *lib, const struct library_element *changed,
                             unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        library_unindex(lib, library_lookup(lib, changed[i].address));
    for (unsigned i = 0; i < count; i++) {
        struct library_element *e = library_lookup(lib, changed[i].address);

        *e = changed[i];
        library_index(lib, e);
    }
}

/* What becomes different in one transaction. */
struct change {
    struct library_element *elements; /* in their new state */
    unsigned count;
    enum library_evidence evidence;
    const struct library_vaulted *to_vault; /* NULL: none */
    const char *from_vault, *destroyed;     /* barcodes; NULL: none */
};

static int change_beside(struct library *lib, const struct change *c, struct error *err)
{
    int rc = 0;

    if (c->from_vault)
        rc = places_vault_take(lib->places, c->from_vault, err);
    if (rc == 0 && c->to_vault)
        rc = places_vault_put(lib->places, c->to_vault, err);
    if (rc == 0 && c->destroyed)
        rc = places_set_tag(lib->places, c->destroyed, "", 0, err);
    return rc;
}

static int change_elements(struct library *lib, const struct change *c, struct error *err)
{
    int64_t now = library_now();
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < c->count; i++) {
        struct library_element *e = &c->elements[i], *old = library_lookup(lib, e->address);

        e->generation = old->generation + 1;
        e->changed_ns = e->observed_ns = now;
        e->evidence = c->evidence;
        if (old->full)
            rc = places_take(lib->places, old->barcode, err);
    }
    for (unsigned i = 0; rc == 0 && i < c->count; i++) {
        struct places_row row = library_stored(lib, &c->elements[i]);

        if (row.full)
            rc = places_put(lib->places, &row, err);
        if (rc == 0)
            rc = places_touch(lib->places, &row, err);
    }
    return rc;
}

/* Store it and, when it is durable, put it in memory. */
static int library_apply(struct library *lib, const struct change *c, struct error *err)
{
    int rc = places_begin(lib->places, err);

    if (rc == 0)
        rc = change_beside(lib, c, err);
    if (rc == 0)
        rc = change_elements(lib, c, err);
    if (rc != 0) {
        places_rollback(lib->places);
        return rc;
    }
    rc = places_commit(lib->places, err);
    if (rc == 0)
        library_remember(lib, c->elements, c->count);
    return rc;
}

static int library_ends(struct library *lib, uint16_t from, uint16_t to,
                        struct library_element *source, struct library_element *destination,
                        struct error *err)
{
    const struct library_element *s = library_lookup(lib, from);
    const struct library_element *d = library_lookup(lib, to);

    if (!s || !d)
        return error_set(err, ERR_NOT_FOUND, "The library has no element %u", s ? to : from);
    if (d->type == ELEMENT_TRANSPORT)
        return error_set(err, ERR_NOT_FOUND, "The robot's hand (element %u) keeps no cartridge",
                         to);
    if (!s->full)
        return error_set(err, ERR_STATE, "Element %u is empty: there is nothing to move", from);
    *source = *s;
    *destination = *d;
    return 0;
}

int library_move(struct library *lib, uint16_t from, uint16_t to, struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_element changed[2], source;
    int rc = library_ends(lib, from, to, &source, &changed[1], err);

    if (rc != 0)
        return rc;
    if (changed[1].full)
        return error_set(err, ERR_EXISTS, "Element %u is full: cartridge %s is in it", to,
                         changed[1].barcode);
    changed[0] = source;
    element_empty(&changed[0]);
    element_carry(&changed[1], &source);
    return library_apply(lib, &(struct change){changed, 2, EVIDENCE_MOVE, NULL, NULL, NULL}, err);
}

int library_exchange(struct library *lib, uint16_t source, uint16_t first, uint16_t second,
                     struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_element from, middle, end, changed[3];
    int rc;

    if ((rc = library_ends(lib, source, first, &from, &changed[1], err)) != 0 ||
        (rc = library_ends(lib, first, second, &middle, &end, err)) != 0)
        return rc;
    if (source == first || first == second || (end.full && second != source))
        return error_set(err, ERR_EXISTS, "Element %u is full", second);
    element_carry(&changed[1], &from);
    changed[0] = from;
    element_empty(&changed[0]);
    changed[2] = end;
    element_carry(second == source ? &changed[0] : &changed[2], &middle);
    return library_apply(
        lib, &(struct change){changed, second == source ? 2 : 3, EVIDENCE_MOVE, NULL, NULL, NULL},
        err);
}

/* ---- by an operator's hand ------------------------------------------------------------------- */

static int library_enter(struct library *lib, struct library_element *e, const char *barcode,
                         const char *from_vault, struct error *err)
{
    struct library_element changed = *e;
    int rc;

    element_empty(&changed);
    changed.full = true;
    changed.imported = e->type == ELEMENT_IMPORT_EXPORT;
    snprintf(changed.barcode, sizeof(changed.barcode), "%s", barcode);
    rc = places_get_tag(lib->places, barcode, changed.alternate, &changed.alternate_sequence, err);
    if (rc != 0)
        return rc;
    return library_apply(
        lib, &(struct change){&changed, 1, EVIDENCE_OPERATOR, NULL, from_vault, NULL}, err);
}

int library_place_new(struct library *lib, struct library_element *e, const char *barcode,
                      struct error *err)
{
    return library_enter(lib, e, barcode, NULL, err);
}

int library_return(struct library *lib, struct library_element *e, const char *barcode,
                   struct error *err)
{
    return library_enter(lib, e, barcode, barcode, err);
}

int library_leave(struct library *lib, struct library_element *e, const struct library_vaulted *v,
                  struct error *err)
{
    struct library_element changed = *e;

    element_empty(&changed);
    return library_apply(
        lib, &(struct change){&changed, 1, EVIDENCE_OPERATOR, v, NULL, v ? NULL : e->barcode}, err);
}

/* ---- alternate volume tags ------------------------------------------------------------------- */

static int check_tag(const char *tag, struct error *err)
{
    size_t len = strlen(tag);

    for (size_t i = 0; i < len; i++) {
        if (tag[i] < 0x20 || tag[i] > 0x7e)
            len = 0;
    }
    if (len == 0 || len > LIBRARY_TAG_MAX || tag[len - 1] == ' ')
        return error_set(err, ERR_RANGE,
                         "A volume tag is 1 to %d printable ASCII characters, the last no space",
                         LIBRARY_TAG_MAX);
    return 0;
}

int library_set_alternate(struct library *lib, uint16_t address, const char *tag, uint16_t sequence,
                          struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_element *e = library_lookup(lib, address);
    int rc = tag ? check_tag(tag, err) : 0;

    if (rc != 0)
        return rc;
    if (!e)
        return error_set(err, ERR_NOT_FOUND, "The library has no element %u", address);
    if (!e->full)
        return error_set(err, ERR_STATE, "Element %u is empty", address);
    rc = places_set_tag(lib->places, e->barcode, tag ? tag : "", sequence, err);
    if (rc != 0)
        return rc;
    snprintf(e->alternate, sizeof(e->alternate), "%s", tag ? tag : "");
    e->alternate_sequence = tag ? sequence : 0;
    return 0;
}

bool library_has_alternates(struct library *lib)
{
    CLEANUP_UNLOCK(&lib->lock);
    bool found = false;

    for (unsigned i = 0; i < lib->element_count && !found; i++)
        found = lib->elements[i].alternate[0] != '\0';
    return found;
}
