/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - addresses <-> file numbers <-> native bytes: a binary search in the map, then one in
 * the index of the segment found.
 */
#include "vtl/cartridge/internal.h"

/* The last entry that begins at or before lba. */
static size_t entry_of_lba(const struct segment_index *index, uint64_t lba)
{
    size_t low = 0, high = index->count;

    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;

        if (index->entries[mid].lba <= lba)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static int find(struct cartridge *c, uint32_t partition, uint64_t lba, const struct segment **seg,
                const struct segment_index **index, size_t *entry, struct error *err)
{
    int rc;

    *seg = map_find(cartridge_map(c), partition, lba);
    if (!*seg)
        return error_set(err, ERR_INTERNAL, "block %llu is not in the map",
                         (unsigned long long)lba);
    rc = index_get(c, *seg, index, err);
    if (rc)
        return rc;
    if ((*index)->count == 0 || lba < (*index)->entries[0].lba || lba >= (*index)->end.lba)
        return error_set(err, ERR_INTERNAL, "block %llu is not in the index of its segment",
                         (unsigned long long)lba);
    *entry = entry_of_lba(*index, lba);
    return 0;
}

int place_object(struct cartridge *c, uint32_t partition, uint64_t lba, struct object *out,
                 struct error *err)
{
    const struct segment_index *index;
    const struct index_entry *e, *next;
    const struct segment *seg;
    uint64_t end;
    size_t i;
    int rc = find(c, partition, lba, &seg, &index, &i, err);

    if (rc)
        return rc;
    e = &index->entries[i];
    next = index_next(index, i);
    end = next->lba < seg->end.lba ? next->lba : seg->end.lba;
    *out = (struct object){
        .kind = index_kind(index, i),
        .segment = seg,
        .offset = (uint64_t)e->offset16 * RECORD_ALIGN,
        .first_lba = e->lba,
        .count = (uint32_t)(next->lba - e->lba),
        .left = end - lba,
        .damage = index->damage,
    };
    if (out->kind == OBJECT_BLOCK)
        out->stored = (uint32_t)((next->used - e->used) / (next->lba - e->lba));
    return 0;
}

int place_of(struct cartridge *c, uint32_t partition, uint64_t lba, struct place *out,
             struct error *err)
{
    const struct segment *seg = map_find(cartridge_map(c), partition, lba);
    const struct segment_index *index;
    const struct index_entry *e, *next;
    uint64_t into, files;
    size_t i;
    int rc;

    if (!seg || seg->first.lba == lba) {
        *out = seg ? seg->first : map_end(cartridge_map(c), partition);
        return 0;
    }
    rc = find(c, partition, lba, &seg, &index, &i, err);
    if (rc)
        return rc;
    e = &index->entries[i];
    next = index_next(index, i);
    into = lba - e->lba;
    files = next->files - e->files;
    out->lba = lba;
    out->file = seg->first.file + e->files + (into < files ? into : files);
    out->used = seg->first.used + e->used + (next->used - e->used) / (next->lba - e->lba) * into;
    return 0;
}

int place_filemark(struct cartridge *c, uint32_t partition, uint64_t n, uint64_t *lba,
                   struct error *err)
{
    const struct segment *seg = map_find_filemark(cartridge_map(c), partition, n);
    const struct segment_index *index;
    size_t low = 0, high;
    uint64_t files;
    int rc;

    if (!seg)
        return error_set(err, ERR_INTERNAL, "filemark %llu is not in the map",
                         (unsigned long long)n);
    rc = index_get(c, seg, &index, err);
    if (rc)
        return rc;
    files = n - seg->first.file;
    if (index->end.files <= files)
        return error_set(err, ERR_CORRUPT, "filemark %llu is not where the map has it",
                         (unsigned long long)n);
    for (high = index->count; high - low > 1;) {
        size_t mid = low + (high - low) / 2;

        if (index->entries[mid].files <= files)
            low = mid;
        else
            high = mid;
    }
    *lba = index->entries[low].lba + (files - index->entries[low].files);
    if (*lba >= seg->end.lba)
        return error_set(err, ERR_CORRUPT, "filemark %llu is not where the map has it",
                         (unsigned long long)n);
    return 0;
}
