/* SPDX-License-Identifier: Apache-2.0 */
/* index.c - the index of a segment: from its END record, or by a walk; see internal.h. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "vtl/cartridge/internal.h"

#define END_GUESS         (32u * 1024)
#define CACHE_ENTRIES_MAX (2u * SEGMENT_RECORDS_MAX) /* 48 MiB */

void index_start(struct segment_index *index, uint64_t seq, uint64_t first_lba)
{
    index->seq = seq;
    index->count = 0;
    index->damage = NULL;
    index->end = (struct index_entry){first_lba, 0, SEGMENT_HEADER_SIZE / RECORD_ALIGN, 0};
}

int index_add(struct segment_index *index, uint64_t offset, uint64_t objects, uint64_t bytes,
              uint64_t files, uint64_t end_offset, struct error *err)
{
    if (index->count == index->room) {
        size_t room = index->room ? index->room * 2 : 64;
        struct index_entry *entries = realloc(index->entries, room * sizeof(*entries));

        if (!entries)
            return error_set(err, ERR_NO_MEMORY, "no memory for the index of a segment");
        index->entries = entries;
        index->room = room;
    }
    index->end.offset16 = (uint32_t)(offset / RECORD_ALIGN);
    index->entries[index->count++] = index->end;
    index->end.lba += objects;
    index->end.used += bytes;
    index->end.files += (uint32_t)files;
    index->end.offset16 = (uint32_t)(end_offset / RECORD_ALIGN);
    return 0;
}

void index_cut(struct segment_index *index, size_t count)
{
    if (count < index->count) {
        index->end = index->entries[count];
        index->count = count;
    }
}

void index_free(struct segment_index *index)
{
    free(index->entries);
    memset(index, 0, sizeof(*index));
}

enum object_kind index_kind(const struct segment_index *index, size_t i)
{
    if (index->entries[i].offset16 == 0)
        return OBJECT_DAMAGED;
    return index_next(index, i)->files > index->entries[i].files ? OBJECT_FILEMARK : OBJECT_BLOCK;
}

/* ---- the index in the END record ------------------------------------------------------------- */

/* May b follow a?  What passes here can be used without further checks of sums. */
static bool entries_fit(const struct index_entry *a, const struct index_entry *b, bool last)
{
    uint64_t objects = b->lba - a->lba;

    if (b->lba <= a->lba || b->used < a->used || b->files < a->files || objects > UINT32_MAX ||
        b->used > INT64_MAX)
        return false;
    if (b->files > a->files)
        return b->files - a->files == objects;
    return a->offset16 != 0 && (last || b->offset16 > a->offset16) &&
           (b->used - a->used) % objects == 0 &&
           (b->used - a->used) / objects <= CARTRIDGE_STORED_MAX && b->used > a->used;
}

static bool index_sane(const struct segment *seg, const struct segment_index *index)
{
    const struct index_entry *first = &index->entries[0];

    if (index->count == 0 || first->lba != seg->first.lba || first->used != 0 ||
        first->files != 0 || index->end.lba < seg->end.lba || index->end.lba > INT64_MAX ||
        (index->end.lba == seg->end.lba && (index->end.used != seg->end.used - seg->first.used ||
                                            index->end.files != seg->end.file - seg->first.file)))
        return false;
    for (size_t i = 0; i < index->count; i++)
        if ((uint64_t)index->entries[i].offset16 * RECORD_ALIGN >= seg->records_end ||
            !entries_fit(&index->entries[i], index_next(index, i), i + 1 == index->count))
            return false;
    return true;
}

static int index_decode(const uint8_t *raw, size_t len, const struct segment *seg,
                        struct segment_index *index, bool *good, struct error *err)
{
    size_t count = len / INDEX_ENTRY_SIZE - 1;

    index_start(index, seg->seq, seg->first.lba);
    index->entries = calloc(count + 1, sizeof(*index->entries));
    if (!index->entries)
        return error_set(err, ERR_NO_MEMORY, "no memory for the index of a segment");
    index->room = count + 1;
    index->count = count;
    for (size_t i = 0; i < count; i++)
        index_entry_decode(raw + i * INDEX_ENTRY_SIZE, &index->entries[i]);
    index_entry_decode(raw + count * INDEX_ENTRY_SIZE, &index->end);
    *good = index_sane(seg, index);
    if (!*good)
        index_free(index);
    return 0;
}

/* Does the END record at the beginning of raw, got bytes, hold?  Its index is in raw then. */
static bool end_holds(const struct segment *seg, const uint8_t *raw, size_t got, struct record *r)
{
    if (got < RECORD_HEADER_SIZE || !record_decode(raw, r) || r->type != RECORD_END ||
        r->epoch != seg->epoch || r->stored < 2 * INDEX_ENTRY_SIZE ||
        got < RECORD_HEADER_SIZE + (size_t)r->stored || !check_payload(r, raw + RECORD_HEADER_SIZE))
        return false;
    if (got < record_extent(r->stored)) /* the padding was cut off */
        return false;
    for (size_t i = RECORD_HEADER_SIZE + (size_t)r->stored; i < record_extent(r->stored); i++)
        if (raw[i] != 0)
            return false;
    return true;
}

/* Most indexes fit into one read; a larger one is read again, wholly. */
int index_load(struct cartridge *c, const struct segment *seg, struct segment_index *index,
               bool *good, struct error *err)
{
    size_t got = 0, room = END_GUESS;
    CLEANUP_FREE uint8_t *raw = NULL;
    struct record r;
    int rc;

    *good = false;
    memset(index, 0, sizeof(*index));
    if (!seg->sealed)
        return 0;
    for (int again = 0; again < 2; again++) {
        free(raw);
        raw = malloc(room);
        if (!raw)
            return error_set(err, ERR_NO_MEMORY, "no memory for the index of a segment");
        rc = segment_read(c, seg, seg->records_end, raw, room, &got, err);
        if (rc)
            return rc;
        if (got < room || !record_decode(raw, &r) || record_extent(r.stored) <= room)
            break;
        room = (size_t)record_extent(r.stored);
    }
    if (!end_holds(seg, raw, got, &r))
        return 0;
    return index_decode(raw + RECORD_HEADER_SIZE, r.stored, seg, index, good, err);
}

/* ---- the cache ------------------------------------------------------------------------------- */

void index_cache_put(struct index_cache *cache, struct segment_index *index)
{
    size_t entries = 0;

    index_free(&cache->slots[INDEX_CACHE_SLOTS - 1]);
    memmove(&cache->slots[1], &cache->slots[0], sizeof(cache->slots[0]) * (INDEX_CACHE_SLOTS - 1));
    cache->slots[0] = *index;
    memset(index, 0, sizeof(*index));
    for (size_t i = 0; i < INDEX_CACHE_SLOTS; i++) {
        entries += cache->slots[i].room;
        if (i > 0 && entries > CACHE_ENTRIES_MAX)
            index_free(&cache->slots[i]);
    }
}

void index_cache_free(struct index_cache *cache)
{
    for (size_t i = 0; i < INDEX_CACHE_SLOTS; i++)
        index_free(&cache->slots[i]);
}

static bool cache_find(struct index_cache *cache, uint64_t seq)
{
    for (size_t i = 0; i < INDEX_CACHE_SLOTS; i++)
        if (cache->slots[i].seq == seq) {
            struct segment_index found = cache->slots[i];

            memmove(&cache->slots[1], &cache->slots[0], sizeof(found) * i);
            cache->slots[0] = found;
            return true;
        }
    return false;
}

int index_get(struct cartridge *c, const struct segment *seg, const struct segment_index **out,
              struct error *err)
{
    const struct writer *w = cartridge_writer_of(c, seg->seq);
    struct segment_index index;
    struct walk walk;
    bool good;
    int rc;

    if (w) {
        *out = &w->index;
        return 0;
    }
    if (c->tail[seg->partition].index.seq == seg->seq) {
        *out = &c->tail[seg->partition].index;
        return 0;
    }
    *out = &c->cache.slots[0];
    if (cache_find(&c->cache, seg->seq))
        return 0;
    rc = index_load(c, seg, &index, &good, err);
    if (rc)
        return rc;
    if (good) {
        index_cache_put(&c->cache, &index);
        return 0;
    }
    rc = walk_start(c, seg, &walk, err);
    if (rc == 0)
        rc = walk_run(c, seg, seg->end.lba, &walk, err);
    if (rc == 0)
        index_cache_put(&c->cache, &walk.index);
    walk_free(&walk);
    return rc;
}
