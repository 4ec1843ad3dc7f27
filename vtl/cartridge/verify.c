/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - reading everything there is: each segment is walked from its header, whatever its END
 * record says, so headers, chain, payloads and padding are all looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "vtl/cartridge/internal.h"

struct verify {
    struct cartridge_report *report;
    uint8_t *buf; /* one record */
    size_t room;
    bool frame_bad; /* a segment's header, a COMMIT or an END: no object is damaged by it */
};

static void count_damaged(struct verify *v, uint64_t lba, uint64_t n)
{
    if (v->report->damaged == 0 || lba < v->report->first_damaged)
        v->report->first_damaged = lba;
    v->report->damaged += n;
}

static bool all_zero(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i])
            return false;
    return true;
}

static int block_holds(struct cartridge *c, struct verify *v, const struct segment *seg,
                       const struct index_entry *e, uint32_t stored, bool *holds, struct error *err)
{
    size_t want = record_extent(stored), got;
    struct record r;
    int rc;

    *holds = false;
    if (want > v->room) {
        free(v->buf);
        v->room = 0;
        v->buf = malloc(want);
        if (!v->buf)
            return error_set(err, ERR_NO_MEMORY, "no memory for a block of %u bytes", stored);
        v->room = want;
    }
    rc = segment_read(c, seg, (uint64_t)e->offset16 * RECORD_ALIGN, v->buf, want, &got, err);
    if (rc == 0 && got == want && record_decode(v->buf, &r) && r.stored == stored)
        *holds = check_payload(&r, v->buf + RECORD_HEADER_SIZE) &&
                 all_zero(v->buf + RECORD_HEADER_SIZE + stored, want - RECORD_HEADER_SIZE - stored);
    return rc;
}

static int verify_entry(struct cartridge *c, struct verify *v, const struct segment *seg,
                        const struct segment_index *index, size_t i, struct error *err)
{
    const struct index_entry *e = &index->entries[i], *next = index_next(index, i);
    uint64_t end = next->lba < seg->end.lba ? next->lba : seg->end.lba;
    uint64_t n = end > e->lba ? end - e->lba : 0;
    enum object_kind kind = index_kind(index, i);
    bool holds = kind == OBJECT_FILEMARK;
    uint32_t stored = 0;
    int rc = 0;

    if (n == 0)
        return 0;
    if (kind == OBJECT_BLOCK) {
        stored = (uint32_t)((next->used - e->used) / (next->lba - e->lba));
        rc = block_holds(c, v, seg, e, stored, &holds, err);
    }
    if (rc)
        return rc;
    if (!holds) {
        count_damaged(v, e->lba, n);
    } else if (kind == OBJECT_FILEMARK) {
        v->report->filemarks += n;
    } else {
        v->report->blocks += n;
        v->report->bytes += n * stored;
    }
    return 0;
}

static int verify_segment(struct cartridge *c, struct verify *v, const struct segment *seg,
                          struct error *err)
{
    struct segment_index index;
    bool good = true;
    struct walk w;
    int rc = walk_start(c, seg, &w, err);

    if (rc == 0)
        rc = walk_run(c, seg, seg->end.lba, &w, err);
    for (size_t i = 0; rc == 0 && i < w.index.count; i++)
        rc = verify_entry(c, v, seg, &w.index, i, err);
    if (w.broken || w.index.damage || w.offset < seg->records_end || (seg->sealed && !w.end_seen))
        v->frame_bad = true;
    walk_free(&w);
    if (rc == 0 && seg->sealed) {
        rc = index_load(c, seg, &index, &good, err);
        index_free(&index);
        v->frame_bad = v->frame_bad || !good;
    }
    return rc;
}

static int verify_supers(struct cartridge *c, bool *whole, struct error *err)
{
    struct super super;
    int rc = super_load(c->store, &c->identity, &super, whole, err);

    if (rc == 0)
        super_free(&super);
    return rc;
}

int cartridge_verify(struct cartridge *c, struct cartridge_report *report, struct error *err)
{
    struct verify v = {.report = report};
    bool whole = true;
    int rc = 0;

    memset(report, 0, sizeof(*report));
    if (c->mode == CARTRIDGE_READ_WRITE)
        rc = cartridge_sync(c, NULL, err);
    for (uint32_t p = 0; rc == 0 && p < CARTRIDGE_PARTITIONS; p++)
        for (size_t i = 0; rc == 0 && i < cartridge_map(c)->partition[p].count; i++)
            rc = verify_segment(c, &v, &cartridge_map(c)->partition[p].items[i], err);
    free(v.buf);
    cartridge_rewind(c);
    if (rc == 0)
        rc = verify_supers(c, &whole, err);
    if (rc)
        return rc;
    if (report->damaged)
        return error_set(err, ERR_CORRUPT,
                         "cartridge %s: %llu objects are damaged, first block %llu",
                         c->identity.barcode, (unsigned long long)report->damaged,
                         (unsigned long long)report->first_damaged);
    if (v.frame_bad || !whole)
        return error_set(err, ERR_CORRUPT, "cartridge %s: all data is good, but %s is damaged",
                         c->identity.barcode,
                         v.frame_bad ? "the frame of a segment" : "a copy of the superblock");
    return 0;
}
