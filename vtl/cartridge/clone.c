/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clone.c - another cartridge with the same contents, that shares the source's bytes where the file
 * system can.
 *
 * A segment is never changed once it is there, so the clone has the very same ones: same numbers,
 * epochs and headers, and so the same checksums and chains.  Their headers carry the uuid of the
 * cartridge they were first written on; the clone's identity names it as its family, and its own
 * segments carry it, too.  What comes behind the clone is told apart by epochs, as ever.
 *
 * The source is read as a reader does it, without a lock: a superblock, and the segments that it
 * names.  One that a writer has open is taken up to its last COMMIT, and ended in the clone by the
 * recovery that ends it after a crash: so only what the disk gives back is believed.
 *
 *     segments | sync of all | super.a, super.b | identity | recovery
 *     -------------- not a cartridge -----------^--- a whole one ---
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "vtl/cartridge/internal.h"

struct clone {
    struct cartridge from; /* only what walks need */
    struct cartridge_identity identity;
    struct store *to;
    struct cartridge_cloned *report;
    struct error *err;
};

/* ---- attributes ------------------------------------------------------------------------------ */

/* What is said of the medium and not of what is on it: loads, the barcode as a host noted it, the
 * drives it was in and how much they wrote. */
static bool is_of_medium(uint16_t id)
{
    return id == 0x0003 || id == 0x0806 || id == 0x0340;
}

static void keep_attributes(struct attributes *a)
{
    size_t kept = 0;

    for (size_t at = 0, len; at < a->len; at += len) {
        len = 4u + get_le16(a->list + at + 2);
        if (is_of_medium(get_le16(a->list + at)))
            continue;
        memmove(a->list + kept, a->list + at, len);
        kept += len;
    }
    a->len = kept;
}

/* ---- segments -------------------------------------------------------------------------------- */

/* How much of the object of seg is its committed part? */
static int measure(struct clone *k, const struct segment *seg, uint64_t *size)
{
    struct walk w;
    int rc;

    *size = INT64_MAX;
    if (seg->sealed)
        return 0;
    *size = seg->records_end;
    if (seg->records_end > 0)
        return 0;
    rc = walk_start(&k->from, seg, &w, k->err);
    if (rc == 0)
        rc = walk_run(&k->from, seg, seg->end.lba, &w, k->err);
    *size = w.commit.place.lba >= seg->end.lba ? w.commit.offset : w.offset;
    walk_free(&w);
    return rc;
}

static int clone_segment(struct clone *k, const struct segment *seg)
{
    char name[STORE_NAME_MAX + 1];
    struct error why = ERROR_INIT;
    bool shared = false;
    uint64_t size;
    int rc = measure(k, seg, &size);

    if (rc)
        return rc;
    segment_name(seg->seq, name);
    rc = store_clone(k->to, name, k->from.store, size, &shared, &why);
    if (rc == -ERR_NOT_FOUND)
        return error_set(k->err, ERR_NOT_FOUND,
                         "cartridge %s has lost its object %s; see 'capstan "
                         "cartridge verify %s'",
                         k->from.identity.barcode, name, k->from.identity.barcode);
    if (rc)
        return error_set(k->err, why.code, "%s", why.message);
    k->report->shared = k->report->shared && shared;
    k->report->segments++;
    return 0;
}

/* Was a segment missing because a writer has gone on since super was read? */
static int blame_writer(struct clone *k)
{
    struct super now;
    bool whole, changed;

    if (super_load(k->from.store, &k->from.identity, &now, &whole, NULL) != 0)
        return -ERR_NOT_FOUND;
    changed = now.generation != k->from.super.generation;
    super_free(&now);
    if (!changed)
        return -ERR_NOT_FOUND;
    return error_set(k->err, ERR_BUSY,
                     "cartridge %s was overwritten while it was cloned; try again",
                     k->from.identity.barcode);
}

static int clone_segments(struct clone *k)
{
    const struct map *map = &k->from.super.map;
    int rc = 0;

    k->report->shared = true;
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        for (size_t i = 0; rc == 0 && i < map->partition[p].count; i++)
            rc = clone_segment(k, &map->partition[p].items[i]);
    k->report->shared = k->report->shared && k->report->segments > 0;
    if (rc == -ERR_NOT_FOUND)
        rc = blame_writer(k);
    return rc ? rc : store_sync_names(k->to, k->err);
}

/* ---- the cartridge --------------------------------------------------------------------------- */

static int load_source(struct clone *k)
{
    struct super *super = &k->from.super;
    bool whole;
    int rc = super_load(k->from.store, &k->from.identity, super, &whole, k->err);

    if (rc)
        return rc;
    super->map.limbo.count = 0;
    super->protect = false;
    super->divided = k->from.features & FEATURE_DIVIDED;
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        keep_attributes(&super->attributes[p]);
    return 0;
}

static int make_identity(struct clone *k, const char *barcode)
{
    struct cartridge_identity *id = &k->identity;
    size_t len = strnlen(barcode, sizeof(id->barcode));
    int rc;

    *id = k->from.identity; /* with the family */
    memset(id->barcode, 0, sizeof(id->barcode));
    memcpy(id->barcode, barcode, len < sizeof(id->barcode) ? len : 0);
    rc = identity_check(id, k->err);
    if (rc == 0)
        rc = cartridge_check_empty(k->to, id->barcode, k->err);
    if (rc == 0)
        rc = store_random(k->to, id->uuid, sizeof(id->uuid), k->err);
    id->created_ns = store_now(k->to);
    return rc;
}

static int publish(struct clone *k)
{
    int rc = super_write(k->to, k->identity.uuid, &k->from.super, k->err);

    return rc ? rc : identity_put(k->to, &k->identity, k->from.features | FEATURE_CLONED, k->err);
}

/* End what a writer had open. */
static int finish(struct clone *k)
{
    struct cartridge *c;
    int rc = cartridge_open(k->to, CARTRIDGE_READ_WRITE, &c, k->err);

    if (rc)
        return rc;
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        k->report->objects += map_end(cartridge_map(c), p).lba;
    rc = writer_end_all(c, k->err);
    if (rc == 0 && c->dirty)
        rc = super_publish(c, k->err);
    cartridge_close(c);
    return rc;
}

static int take_back_object(void *ctx, const char *object, uint64_t size)
{
    struct clone *k = ctx;

    (void)size;
    (void)store_delete(k->to, object, NULL);
    return 0;
}

/* The identity and its copy go first, so that they are never of a cartridge with less than all. */
static void take_back(struct clone *k)
{
    (void)store_delete(k->to, IDENTITY_OBJECT, NULL);
    (void)store_delete(k->to, IDENTITY_COPY, NULL);
    (void)store_sync_names(k->to, NULL);
    (void)store_list_names(k->to, take_back_object, k, NULL);
}

int cartridge_clone(struct store *source, struct store *to, const char *barcode,
                    struct cartridge_cloned *report, struct error *err)
{
    struct clone k = {.from.store = source, .to = to, .report = report, .err = err};
    int rc;

    memset(report, 0, sizeof(*report));
    rc = cartridge_load_identity(&k.from, err);
    if (rc == 0)
        rc = make_identity(&k, barcode);
    if (rc)
        return rc;
    rc = load_source(&k);
    if (rc == 0)
        rc = clone_segments(&k);
    if (rc == 0)
        rc = publish(&k);
    if (rc == 0)
        rc = finish(&k);
    if (rc)
        take_back(&k);
    super_free(&k.from.super);
    return rc;
}
