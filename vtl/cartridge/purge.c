/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purge.c - giving up for good what is not on the tape any more (ERASE with LONG=1).
 *
 *   1. The segments at whose ends something was cut off are to end where the tape ends in them.
 *   2. Limbo is emptied; this and 1 are published as one superblock.  From here on nobody finds the
 *      way to what is given up, and a crash leaves the rest of the work to the next open (orphans)
 *      or to the next purge.
 *   3. Those segments are cut back, and the others deleted.
 *
 * It is the one place where a segment becomes shorter (invariant 1): only behind what any
 * superblock names, and never where one is being written.
 */
#include <stdlib.h>

#include "vtl/cartridge/internal.h"

/* Where the objects before lba end, as an offset; 0: damage hides it. */
static uint64_t offset_of(const struct segment_index *index, uint64_t lba)
{
    size_t low = 0, high = index->count;

    while (low < high) { /* the first record that begins at lba or behind it */
        size_t mid = low + (high - low) / 2;

        if (index->entries[mid].lba < lba)
            low = mid + 1;
        else
            high = mid;
    }
    return (uint64_t)(low < index->count ? index->entries[low].offset16 : index->end.offset16) *
           RECORD_ALIGN;
}

/* Step 1 for one segment of the map. */
static int end_with_tape(struct cartridge *c, struct segment *seg, struct error *err)
{
    const struct segment_index *index;
    uint64_t offset;
    int rc;

    if (seg->records_end == 0 || cartridge_writer_of(c, seg->seq))
        return 0;
    rc = index_get(c, seg, &index, err);
    if (rc || index->end.lba <= seg->end.lba)
        return rc;
    offset = offset_of(index, seg->end.lba);
    if (offset > SEGMENT_HEADER_SIZE && offset < seg->records_end) {
        seg->records_end = offset;
        seg->sealed = false;
        c->dirty = true;
    }
    return 0;
}

/* Cut the object back to what the map says; durable on return. */
static int cut_back(struct cartridge *c, struct segment *seg, struct error *err)
{
    char name[STORE_NAME_MAX + 1];
    uint64_t size;
    int rc;

    if (seg->records_end == 0 || seg->sealed || cartridge_writer_of(c, seg->seq))
        return 0;
    segment_name(seg->seq, name);
    rc = store_size(c->store, name, &size, err);
    if (rc || size <= seg->records_end)
        return rc;
    rc = store_truncate(c->store, name, seg->records_end, err);
    return rc ? rc : store_sync(c->store, name, err);
}

/* Do so with the last segment of each partition, with those that limbo has a part of, and with
 * those that are not sealed: a purge before may not have come to cutting them back. */
static int for_cut_segments(struct cartridge *c, const struct needed *dead,
                            int (*fn)(struct cartridge *c, struct segment *seg, struct error *err),
                            struct error *err)
{
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        struct segment_list *list = &cartridge_map(c)->partition[p];

        for (size_t i = 0; i < list->count; i++) {
            int rc = 0;

            if (i + 1 == list->count || !list->items[i].sealed ||
                needed_has(dead, list->items[i].seq))
                rc = fn(c, &list->items[i], err);
            if (rc)
                return rc;
        }
    }
    return 0;
}

/* Step 2: limbo is empty, durably; on failure it is as it was. */
static int publish_without_limbo(struct cartridge *c, struct error *err)
{
    struct segment_list limbo = cartridge_map(c)->limbo;
    int rc;

    if (limbo.count == 0 && !c->dirty)
        return 0;
    cartridge_map(c)->limbo = (struct segment_list){0};
    rc = super_publish(c, err);
    if (rc) {
        cartridge_map(c)->limbo = limbo;
        c->dirty = true; /* what is on the store now is not known: it is said again */
        return rc;
    }
    free(limbo.items);
    return 0;
}

struct leftovers {
    struct cartridge *c;
    struct needed alive;
    struct error *err;
};

static int find_leftover(void *ctx, const char *object, uint64_t size)
{
    struct leftovers *l = ctx;
    struct segment gone = {0};

    (void)size;
    if (!segment_number(object, &gone.seq) || needed_has(&l->alive, gone.seq))
        return 0;
    return segment_list_add(&l->c->purged, &gone, l->err);
}

/* What step 3 is to delete: every segment that is not on the tape, also what a crash has left. */
static int note_purged(struct cartridge *c, struct error *err)
{
    struct leftovers l = {.c = c, .err = err};
    int rc = needed_make(cartridge_map(c), &l.alive, err);

    if (rc)
        return rc;
    c->purged.count = 0;
    rc = store_list_names(c->store, find_leftover, &l, err);
    needed_free(&l.alive);
    return rc;
}

/* Steps 1 and 2, and what of 3 keeps the map as it is. */
static int give_up(struct cartridge *c, struct error *err)
{
    const struct map limbo = {.limbo = cartridge_map(c)->limbo};
    struct needed dead;
    int rc = needed_make(&limbo, &dead, err);

    if (rc)
        return rc;
    rc = for_cut_segments(c, &dead, end_with_tape, err);
    if (rc == 0)
        rc = publish_without_limbo(c, err);
    if (rc == 0)
        rc = note_purged(c, err);
    if (rc == 0)
        rc = for_cut_segments(c, &dead, cut_back, err);
    needed_free(&dead);
    return rc;
}

/* Step 3, for so many segments. */
static int delete_some(struct cartridge *c, uint32_t most, struct error *err)
{
    char name[STORE_NAME_MAX + 1];

    for (; most > 0 && c->purged.count > 0; most--) {
        int rc;

        segment_name(c->purged.items[c->purged.count - 1].seq, name);
        rc = store_delete(c->store, name, err);
        if (rc && rc != -ERR_NOT_FOUND)
            return rc;
        c->purged.count--;
    }
    return c->purged.count ? 0 : store_sync_names(c->store, err);
}

int cartridge_purge(struct cartridge *c, uint32_t most, uint64_t *left, struct error *err)
{
    int rc = check_writable(c, err);

    *left = 0;
    if (rc || c->identity.worm)
        return rc;
    rc = writer_settle(c, err);
    if (rc == 0 && (c->purged.count == 0 || cartridge_map(c)->limbo.count > 0 || c->dirty))
        rc = give_up(c, err);
    recover_drop(c);
    if (rc == 0)
        rc = delete_some(c, most, err);
    *left = c->purged.count;
    return rc;
}
