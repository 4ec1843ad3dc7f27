/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open.c - creating, opening, recovering, refreshing and closing a cartridge.
 *
 * Recovery: the newest valid superblock says what there is, but for the records behind the last
 * commit of a segment that was open.  That one segment is walked; what is found is synced, its end
 * is published, and writing goes on in a new segment.  Recovery can itself be cut at any point and
 * begins again from the same superblock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "vtl/cartridge/codec.h"
#include "vtl/cartridge/internal.h"
#include "vtl/personality/medium.h"

#define REFRESH_TRIES    4
#define RECOVER_COPY_MAX (128u << 20) /* more than a writer ever has without a sync */

/* ---- create ---------------------------------------------------------------------------------- */

#define DEFAULT_SEGMENT_SIZE  (256u * 1024 * 1024)
#define DEFAULT_EARLY_WARNING 5000000000u /* room for what a host writes after the warning */
#define DEFAULT_LIMBO_PART    16          /* of the capacity */
#define DEFAULT_LIMBO_NS      (30LL * 24 * 3600 * 1000000000)

int cartridge_identity_default(struct cartridge_identity *id, const char *barcode, uint8_t density,
                               struct error *err)
{
    const struct medium *medium = medium_by_density(density);

    if (!medium)
        return error_set(err, ERR_RANGE, "density code %02xh is not known; LTO-8 is 5eh", density);
    memset(id, 0, sizeof(*id));
    if (strlen(barcode) > CARTRIDGE_BARCODE_MAX)
        return error_set(err, ERR_RANGE, "'%.40s...' is no barcode: it has more than %d characters",
                         barcode, CARTRIDGE_BARCODE_MAX);
    memcpy(id->barcode, barcode, strlen(barcode));
    id->density = density;
    id->capacity = medium->capacity;
    id->early_warning = DEFAULT_EARLY_WARNING;
    id->segment_size = DEFAULT_SEGMENT_SIZE;
    id->limbo_bytes = id->capacity / DEFAULT_LIMBO_PART;
    id->limbo_ns = DEFAULT_LIMBO_NS;
    return identity_check(id, err);
}

/* The superblocks alone are what a create that was cut short leaves; the identity comes last. */
static int refuse_object(void *ctx, const char *object, uint64_t size)
{
    (void)size;
    if (strncmp(object, "super.", 6) == 0)
        return 0;
    snprintf(ctx, STORE_NAME_MAX + 1, "%s", object);
    return -ERR_EXISTS;
}

int cartridge_check_empty(struct store *store, const char *barcode, struct error *err)
{
    char found[STORE_NAME_MAX + 1] = "";
    int rc = store_list(store, refuse_object, found, err);

    if (found[0])
        return error_set(err, ERR_EXISTS,
                         "cartridge %s: its place is not empty, it holds '%s' already", barcode,
                         found);
    return rc;
}

int cartridge_create(struct store *store, struct cartridge_identity *id, struct error *err)
{
    struct super super = {.next_seq = 1, .map.division = division_whole(id)};
    int rc = identity_check(id, err);

    if (rc == 0)
        rc = cartridge_check_empty(store, id->barcode, err);
    if (rc == 0)
        rc = store_random(store, id->uuid, sizeof(id->uuid), err);
    if (rc)
        return rc;
    memcpy(id->family, id->uuid, sizeof(id->family));
    id->created_ns = store_now(store);
    rc = super_write(store, id->uuid, &super, err);
    return rc ? rc : identity_put(store, id, 0, err);
}

/* ---- recovery -------------------------------------------------------------------------------- */

/* Write the records of w behind `from` again, to a new segment. */
static int repeat_tail(struct cartridge *c, const struct segment *seg, const struct walk *w,
                       size_t from, struct error *err)
{
    struct writer *to = &c->writer[seg->partition];
    int rc = writer_begin(c, seg->partition, err);

    for (size_t i = from; rc == 0 && i < w->index.count; i++) {
        uint64_t offset = (uint64_t)w->index.entries[i].offset16 * RECORD_ALIGN;
        uint8_t raw[RECORD_HEADER_SIZE];
        CLEANUP_FREE uint8_t *payload = NULL;
        struct record r;
        size_t got;

        rc = segment_read(c, seg, offset, raw, sizeof(raw), &got, err);
        if (rc == 0 && (got < sizeof(raw) || !record_decode(raw, &r)))
            rc = error_set(err, ERR_IO, "a segment changed while it was recovered");
        if (rc)
            break;
        payload = malloc((size_t)r.stored + 1);
        if (!payload)
            return error_set(err, ERR_NO_MEMORY, "no memory for a block of %u bytes", r.stored);
        rc = segment_read(c, seg, offset + RECORD_HEADER_SIZE, payload, r.stored, &got, err);
        if (rc == 0 && (got < r.stored || !check_payload(&r, payload)))
            rc = error_set(err, ERR_IO, "a segment changed while it was recovered");
        if (rc == 0)
            rc = writer_append(c, to, &r, payload, err);
    }
    return rc ? rc : writer_commit(c, to, err);
}

/* Close seg where the walk ended.  An END record of which only the header reached the disk, or
 * whose index did not, seals nothing. */
static int close_at_walk(struct cartridge *c, struct segment *seg, const struct walk *w,
                         struct error *err)
{
    struct segment_index index;
    bool good;
    int rc;

    seg->sealed = w->end_seen;
    seg->records_end = w->end_seen ? w->header : w->offset;
    rc = index_load(c, seg, &index, &good, err);
    index_free(&index);
    seg->sealed = good;
    return rc;
}

/* Take over what is behind the trusted part.  It can be read, but that does not mean that it is on
 * the disk: after a failed sync the kernel shows pages that it will never write, and a sync now
 * would succeed.  So it is written once more.  Only if there is no room for that is it believed:
 * the cartridge is still good for reading. */
static int recover_tail(struct cartridge *c, struct segment *seg, struct walk *w,
                        struct walk_mark trusted, struct error *err)
{
    struct segment_list *list = &cartridge_map(c)->partition[seg->partition];
    struct writer *to = &c->writer[seg->partition];
    struct segment whole = *seg;
    size_t count = list->count;
    struct error why = ERROR_INIT;
    char name[STORE_NAME_MAX + 1];
    int rc;

    whole.end = w->place;
    rc = close_at_walk(c, &whole, w, err);
    if (rc)
        return rc;
    seg->end = trusted.place;
    seg->sealed = false;
    seg->records_end = trusted.offset;
    if (seg->end.lba == seg->first.lba)
        list->count--;
    rc = -ERR_NO_SPACE;
    if (w->offset - trusted.offset <= RECOVER_COPY_MAX)
        rc = repeat_tail(c, &whole, w, trusted.records, &why);
    if (rc == 0)
        return 0;
    to->open = false;
    to->len = to->flushed = to->stored = 0;
    if (rc != -ERR_NO_SPACE)
        return error_set(err, why.code, "cartridge %s can't be recovered: %s", c->identity.barcode,
                         why.message);
    list->count = count;
    list->items[count - 1] = whole;
    segment_name(whole.seq, name);
    return store_sync(c->store, name, err);
}

static int recover_segment(struct cartridge *c, struct segment *seg, struct walk *w,
                           struct error *err)
{
    struct walk_mark trusted, end;
    size_t good;
    int rc = walk_start(c, seg, w, err);

    if (rc == 0)
        rc = walk_run(c, seg, seg->end.lba, w, err);
    if (rc)
        return rc;
    if (w->index.damage)
        log_warning("cartridge %s: segment %016llx is damaged: %s", c->identity.barcode,
                    (unsigned long long)seg->seq, w->index.damage);
    c->dirty = true;
    trusted = walk_trusted(w, seg);
    rc = walk_check_payloads(c, seg, w, trusted.records, w->index.count, &good, err);
    if (rc)
        return rc;
    if (good < w->index.count) {
        end = walk_mark_at(w, seg, good);
        walk_cut(w, &end);
        w->end_seen = false;
    }
    if (w->index.count > trusted.records)
        return recover_tail(c, seg, w, trusted, err);
    seg->end = w->place;
    return close_at_walk(c, seg, w, err);
}

static int recover(struct cartridge *c, struct error *err)
{
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        struct segment *seg = map_last(cartridge_map(c), p);
        struct walk w;
        int rc;

        if (!seg || seg->records_end != 0)
            continue;
        memset(&w, 0, sizeof(w));
        rc = recover_segment(c, seg, &w, err);
        walk_free(&w);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- orphans --------------------------------------------------------------------------------- */

/* Segments that no superblock names: they were never committed, or fell out of limbo. */
struct orphans {
    struct cartridge *c;
    struct needed needed;
    struct segment_list found;
};

static int find_orphan(void *ctx, const char *object, uint64_t size)
{
    struct orphans *o = ctx;
    struct segment seg = {0};

    (void)size;
    if (!segment_number(object, &seg.seq))
        return 0;
    /* The superblock does not know of numbers that were used in vain. */
    if (seg.seq >= o->c->super.next_seq)
        o->c->super.next_seq = seg.seq + 1;
    if (!needed_has(&o->needed, seg.seq))
        (void)segment_list_add(&o->found, &seg, NULL); /* too many: the next open gets the rest */
    return 0;
}

static int find_orphans(struct cartridge *c, struct orphans *o, struct error *err)
{
    int rc = needed_make(cartridge_map(c), &o->needed, err);

    if (rc == 0)
        rc = store_list_names(c->store, find_orphan, o, err);
    needed_free(&o->needed);
    return rc;
}

static void remove_orphans(struct cartridge *c, const struct orphans *o)
{
    char name[STORE_NAME_MAX + 1];

    for (size_t i = 0; i < o->found.count; i++) {
        segment_name(o->found.items[i].seq, name);
        (void)store_delete(c->store, name, NULL);
    }
}

/* ---- open ------------------------------------------------------------------------------------ */

static int open_writing(struct cartridge *c, struct error *err)
{
    struct orphans orphans = {.c = c};
    struct error why = ERROR_INIT;
    bool whole;
    int rc = super_load(c->store, &c->identity, &c->super, &whole, err);

    c->super.divided = c->features & FEATURE_DIVIDED;
    if (rc == 0)
        rc = find_orphans(c, &orphans, err);
    /* First of all, as a full store may need their room to publish anything.  With a copy of the
     * superblock missing, the map may be an old one: delete nothing. */
    if (rc == 0 && whole)
        remove_orphans(c, &orphans);
    if (rc == 0)
        rc = recover(c, err);
    /* A store that is full or refuses just now must not keep the cartridge from being read: what
     * was recovered is found again, and published with the next commit. */
    if (rc == 0 && (c->dirty || !whole) && super_publish(c, &why) != 0) {
        c->dirty = true;
        log_warning("cartridge %s: %s", c->identity.barcode, why.message);
    }
    free(orphans.found.items);
    if (rc == 0)
        identity_mend(c);
    room_ask(c);
    return rc;
}

/* Let seg end for the reader where the last COMMIT is.  If its sync is still to come, or never came
 * because of a crash, data before it may be missing. */
static int show_committed(struct cartridge *c, struct segment *seg, const struct walk *w,
                          struct error *err)
{
    struct walk_mark trusted = walk_trusted(w, seg), end = w->commit;
    size_t good;
    int rc;

    if (end.records <= trusted.records) {
        seg->end = trusted.place;
        return 0;
    }
    rc = walk_check_payloads(c, seg, w, trusted.records, end.records, &good, err);
    seg->end = good < end.records ? walk_mark_at(w, seg, good).place : end.place;
    return rc;
}

/* Go on with the walk of the segment that a writer has open in a partition, or start it. */
static int follow_writer(struct cartridge *c, uint32_t partition, struct error *err)
{
    struct segment *seg = map_last(cartridge_map(c), partition);
    struct walk *w = &c->tail[partition];
    int rc = 0;

    if (!seg || seg->records_end != 0) {
        walk_free(w);
        return 0;
    }
    if (w->index.seq != seg->seq) {
        walk_free(w);
        rc = walk_start(c, seg, w, err);
    }
    if (rc == 0)
        rc = walk_run(c, seg, seg->end.lba, w, err);
    if (rc == 0)
        rc = show_committed(c, seg, w, err);
    if (rc)
        walk_free(w);
    return rc;
}

static int follow_writers(struct cartridge *c, bool *damaged, struct error *err)
{
    int rc = 0;

    *damaged = false;
    for (uint32_t p = 0; rc == 0 && p < CARTRIDGE_PARTITIONS; p++) {
        rc = follow_writer(c, p, err);
        *damaged = *damaged || c->tail[p].index.damage;
    }
    return rc;
}

static int load_reading(struct cartridge *c, struct error *err)
{
    struct super super;
    bool whole, damaged;
    int rc;

    for (int i = 0; i < REFRESH_TRIES; i++) {
        uint64_t before = c->super.generation;

        rc = super_load(c->store, &c->identity, &super, &whole, err);
        if (rc)
            return rc;
        if (i > 0 && super.generation == before) {
            super_free(&super);
            return 0; /* the damage is real */
        }
        super_free(&c->super);
        c->super = super;
        rc = follow_writers(c, &damaged, err);
        if (rc || !damaged)
            return rc;
        /* The writer may have replaced the segment under us: look again. */
    }
    return 0;
}

int cartridge_open(struct store *store, enum cartridge_mode mode, struct cartridge **out,
                   struct error *err)
{
    struct cartridge *c = calloc(1, sizeof(*c));
    int rc;

    if (!c)
        return error_set(err, ERR_NO_MEMORY, "no memory for a cartridge");
    c->store = store;
    c->mode = mode;
    rc = cartridge_load_identity(c, err);
    if (rc == 0 && mode == CARTRIDGE_READ_WRITE) {
        rc = store_lock(store, err);
        if (rc == 0) {
            rc = open_writing(c, err);
            if (rc)
                store_unlock(store);
        }
    } else if (rc == 0) {
        rc = load_reading(c, err);
    }
    if (rc) {
        c->mode = CARTRIDGE_READ_ONLY; /* nothing to close on the store */
        cartridge_close(c);
        return rc;
    }
    scrub_load(c);
    *out = c;
    return 0;
}

int cartridge_refresh(struct cartridge *c, struct error *err)
{
    uint64_t end;
    int rc;

    if (c->mode != CARTRIDGE_READ_ONLY)
        return error_set(err, ERR_STATE, "cartridge %s is open for writing: it is always fresh",
                         c->identity.barcode);
    rc = load_reading(c, err);
    if (rc == 0 && !c->meter) /* a scrub knows more than its object */
        scrub_load(c);
    c->ahead.seq = 0;
    if (c->pos.partition >= cartridge_partition_count(c)) /* a writer divided it anew */
        c->pos = (struct position){0};
    end = map_end(cartridge_map(c), c->pos.partition).lba;
    if (rc == 0 && c->pos.at.lba > end)
        c->pos.at = map_end(cartridge_map(c), c->pos.partition);
    return rc;
}

void cartridge_close(struct cartridge *c)
{
    if (!c)
        return;
    if (c->mode == CARTRIDGE_READ_WRITE) {
        /* Sealing saves the next open a walk; if it fails, that walk is done. */
        if (!writer_others_owe(c, CARTRIDGE_PARTITIONS)) {
            (void)writer_end_all(c, NULL);
            if (c->dirty && !c->branching && !writer_others_owe(c, CARTRIDGE_PARTITIONS))
                (void)super_publish(c, NULL);
        }
        store_unlock(c->store);
    }
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        writer_free(&c->writer[p]);
        walk_free(&c->tail[p]);
    }
    index_cache_free(&c->cache);
    free(c->ahead.buf);
    codec_free(c->codec);
    free(c->plain);
    recover_drop(c);
    free(c->purged.items);
    scrub_free(&c->scrub);
    super_free(&c->super);
    free(c);
}

const struct cartridge_identity *cartridge_identity(const struct cartridge *c)
{
    return &c->identity;
}
