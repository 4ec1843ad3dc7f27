/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.c - reading everything there is: each segment is walked from its header, whatever its END
 * record says, so headers, chain, payloads and padding are all looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "vtl/cartridge/codec.h"
#include "vtl/cartridge/internal.h"

/* What became of a record. */
struct finding {
    bool holds;
    bool protected_block; /* its host's CRC was compared */
    bool unchecked;       /* it can't be: only the key's owner can */
};

static int count_damaged(struct verify *v, const struct segment *seg, uint64_t lba, uint64_t n,
                         struct error *err)
{
    if (v->report->damaged == 0 || lba < v->report->first_damaged)
        v->report->first_damaged = lba;
    v->report->damaged += n;
    return v->damaged ? v->damaged(v->ctx, seg, lba, n, err) : 0;
}

static bool all_zero(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i])
            return false;
    return true;
}

static int make_room(uint8_t **buf, size_t *room, size_t want, struct error *err)
{
    if (want <= *room)
        return 0;
    free(*buf);
    *room = 0;
    *buf = malloc(want);
    if (!*buf)
        return error_set(err, ERR_NO_MEMORY, "no memory for a block of %zu bytes", want);
    *room = want;
    return 0;
}

/* The block as its host wrote it, and what the host said of it. */
static int check_plain(struct cartridge *c, struct verify *v, const struct record *r,
                       struct finding *f, struct error *err)
{
    struct cartridge_block block = block_of(r);
    struct error why = ERROR_INIT;
    int rc = make_room(&v->plain, &v->plain_room, r->length, err);

    f->unchecked = r->encryption != 0;
    if (rc || f->unchecked)
        return rc;
    if (!c->codec && !(c->codec = codec_new(err)))
        return -ERR_NO_MEMORY;
    rc = codec_decode(c->codec, NULL, &block, v->buf + RECORD_HEADER_SIZE, v->plain, &why);
    if (rc == -ERR_UNSUPPORTED) {
        f->unchecked = true;
        return 0;
    }
    if (rc && rc != -ERR_CORRUPT)
        return error_set(err, why.code, "%s", why.message);
    f->protected_block = block.protection != 0;
    f->holds = rc == 0 && (!f->protected_block || codec_protection_holds(&block, v->plain));
    return 0;
}

static int check_block(struct cartridge *c, struct verify *v, const struct segment *seg,
                       const struct index_entry *e, uint32_t stored, struct finding *f,
                       struct error *err)
{
    size_t want = record_extent(stored), got;
    struct error why = ERROR_INIT;
    struct record r;
    int rc = make_room(&v->buf, &v->room, want, err);

    if (rc)
        return rc;
    rc = segment_read(c, seg, (uint64_t)e->offset16 * RECORD_ALIGN, v->buf, want, &got, &why);
    if (rc == -ERR_IO && v->damaged)
        return 0;
    if (rc)
        return error_set(err, why.code, "%s", why.message);
    f->holds = got == want && record_decode(v->buf, &r) && r.stored == stored &&
               check_payload(&r, v->buf + RECORD_HEADER_SIZE) &&
               all_zero(v->buf + RECORD_HEADER_SIZE + stored, want - RECORD_HEADER_SIZE - stored);
    if (f->holds && v->depth >= CARTRIDGE_PROTECTION)
        rc = check_plain(c, v, &r, f, err);
    return rc;
}

static void count_good(struct cartridge_report *report, const struct finding *f, uint64_t n,
                       uint32_t stored)
{
    if (f->unchecked) {
        report->unchecked += n;
        return;
    }
    report->blocks += n;
    report->bytes += n * stored;
    report->protected_blocks += f->protected_block ? n : 0;
}

static int verify_entry(struct cartridge *c, struct verify *v, const struct segment *seg,
                        const struct segment_index *index, size_t i, struct error *err)
{
    const struct index_entry *e = &index->entries[i], *next = index_next(index, i);
    uint64_t end = next->lba < seg->end.lba ? next->lba : seg->end.lba;
    uint64_t n = end > e->lba ? end - e->lba : 0;
    enum object_kind kind = index_kind(index, i);
    struct finding f = {.holds = kind == OBJECT_FILEMARK};
    uint32_t stored = 0;
    int rc = 0;

    if (n == 0)
        return 0;
    v->offset = (uint64_t)e->offset16 * RECORD_ALIGN;
    if (kind == OBJECT_BLOCK) {
        stored = (uint32_t)((next->used - e->used) / (next->lba - e->lba));
        f.holds = v->depth < CARTRIDGE_PAYLOADS; /* the walk has seen its header */
        if (!f.holds)
            rc = check_block(c, v, seg, e, stored, &f, err);
    }
    if (rc)
        return rc;
    if (!f.holds)
        return count_damaged(v, seg, e->lba, n, err);
    if (kind == OBJECT_FILEMARK)
        v->report->filemarks += n;
    else
        count_good(v->report, &f, n, stored);
    return 0;
}

int verify_segment(struct cartridge *c, struct verify *v, const struct segment *seg,
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

void verify_free(struct verify *v)
{
    free(v->buf);
    free(v->plain);
}

static int verify_supers(struct cartridge *c, bool *whole, struct error *err)
{
    struct super super;
    int rc = super_load(c->store, &c->identity, &super, whole, err);

    if (rc == 0)
        super_free(&super);
    return rc;
}

/* bad: what is damaged beside the segments; NULL: nothing. */
static int verdict(const struct cartridge *c, const struct verify *v, const char *bad,
                   struct error *err)
{
    if (v->report->damaged)
        return error_set(err, ERR_CORRUPT,
                         "cartridge %s: %llu objects are damaged, first block %llu",
                         c->identity.barcode, (unsigned long long)v->report->damaged,
                         (unsigned long long)v->report->first_damaged);
    if (v->frame_bad || bad)
        return error_set(err, ERR_CORRUPT, "cartridge %s: all data is good, but %s is damaged",
                         c->identity.barcode, v->frame_bad ? "the frame of a segment" : bad);
    return 0;
}

int cartridge_check(struct cartridge *c, enum cartridge_depth depth,
                    struct cartridge_report *report, struct error *err)
{
    struct verify v = {.depth = depth, .report = report};
    bool whole = true;
    int rc = 0;

    memset(report, 0, sizeof(*report));
    if (c->mode == CARTRIDGE_READ_WRITE)
        rc = cartridge_sync(c, NULL, err);
    for (uint32_t p = 0; rc == 0 && p < CARTRIDGE_PARTITIONS; p++)
        for (size_t i = 0; rc == 0 && i < cartridge_map(c)->partition[p].count; i++)
            rc = verify_segment(c, &v, &cartridge_map(c)->partition[p].items[i], err);
    verify_free(&v);
    cartridge_rewind(c);
    if (rc == 0)
        rc = verify_supers(c, &whole, err);
    if (rc)
        return rc;
    return verdict(c, &v,
                   !whole               ? "a copy of the superblock"
                   : !identity_whole(c) ? "a copy of the identity"
                                        : NULL,
                   err);
}

int cartridge_verify(struct cartridge *c, struct cartridge_report *report, struct error *err)
{
    return cartridge_check(c, CARTRIDGE_PAYLOADS, report, err);
}
