/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rebuild.c - a map made of the segments, when both superblocks are gone.
 *
 * Each segment says whose it is, where it begins and when it was begun (its number).  In the order
 * of their numbers each is what the writer did next: it cut the tape where it begins, and went on
 * from there.  So they are laid on the map one after the other, and what one cuts off goes to
 * limbo.  Damage inside a segment, to its header or to its seal, hides nothing but what it hit.
 *
 * What segments do not tell is lost: erasing and formatting without writing, undo (the tape is what
 * it was before it, and undo can be done again), attributes, how the medium was divided (partitions
 * share the capacity evenly), the tab.  So the cartridge is write-protected until somebody has
 * looked at it.
 */
#include <stdlib.h>
#include <string.h>

#include "vtl/cartridge/internal.h"

#define NO_HEADER UINT64_MAX /* as native bytes: not known */
#define WALK_ALL  UINT64_MAX /* as a floor: go on as long as there are records */

struct rebuild {
    struct cartridge c; /* only what walks need */
    struct segment_list found;
    struct map map;
    struct cartridge_rebuilt *report;
    struct error *err;
};

/* The header of seg is damaged: its first record says the same but for the native bytes before it.
 * Those are known if it goes on where the tape ends (lay()). */
static bool first_record_tells(struct rebuild *b, struct segment *seg)
{
    uint8_t raw[RECORD_HEADER_SIZE];
    struct record r;
    size_t got = 0;

    if (segment_read(&b->c, seg, SEGMENT_HEADER_SIZE, raw, sizeof(raw), &got, NULL) != 0 ||
        got < sizeof(raw) || !record_decode(raw, &r) || r.partition >= CARTRIDGE_PARTITIONS ||
        r.lba > INT64_MAX || r.file > r.lba)
        return false;
    seg->epoch = r.epoch;
    seg->partition = r.partition;
    seg->first = seg->end = (struct place){r.lba, r.file, NO_HEADER};
    return true;
}

static int find_segment(void *ctx, const char *object, uint64_t size)
{
    struct rebuild *b = ctx;
    uint8_t raw[SEGMENT_HEADER_SIZE];
    struct segment seg = {0};
    struct segment_header h;
    size_t got = 0;
    int rc;

    (void)size;
    if (!segment_number(object, &seg.seq))
        return 0;
    rc = segment_read(&b->c, &seg, 0, raw, sizeof(raw), &got, b->err);
    if (rc)
        return rc;
    if (got == sizeof(raw) && segment_header_decode(raw, &h)) {
        if (h.seq != seg.seq || memcmp(h.uuid, b->c.identity.family, sizeof(h.uuid)) != 0) {
            b->report->left_out++;
            return 0;
        }
        seg.epoch = h.epoch;
        seg.partition = h.partition;
        seg.first = seg.end = (struct place){h.first_lba, h.first_file, h.first_used};
    } else if (!first_record_tells(b, &seg)) {
        b->report->left_out++;
        return 0;
    }
    return segment_list_add(&b->found, &seg, b->err);
}

static int by_number(const void *a, const void *b)
{
    const struct segment *x = a, *y = b;

    return (x->seq > y->seq) - (x->seq < y->seq);
}

/* Where the writer went on in that partition behind number i of those found; NULL: nowhere. */
static const struct place *went_on(const struct rebuild *b, size_t i)
{
    for (size_t k = i + 1; k < b->found.count; k++)
        if (b->found.items[k].partition == b->found.items[i].partition)
            return &b->found.items[k].first;
    return NULL;
}

/* The walk has ended in the middle: is it damage, and a commit behind it?  Then what is between is
 * said to be damaged, as it would be with a superblock, and what is behind it is there.  (It may
 * also be a rest that was torn before its first sync came back: more than was promised, and nothing
 * that was not written.) */
static int walk_behind(struct rebuild *b, const struct segment *seg, struct walk *w, bool *more)
{
    struct walk beyond;
    int rc = walk_start(&b->c, seg, &beyond, b->err);

    if (rc == 0)
        rc = walk_run(&b->c, seg, WALK_ALL, &beyond, b->err);
    if (beyond.end_seen) /* a COMMIT stood before it */
        beyond.commit = (struct walk_mark){beyond.header, beyond.index.count, beyond.place};
    *more = rc == 0 && beyond.commit.place.lba > w->commit.place.lba;
    if (*more) {
        struct walk shorter = *w;

        *w = beyond;
        beyond = shorter;
    }
    walk_free(&beyond);
    return rc;
}

/* What native bytes were damaged, the records do not tell: the seal does, or the next segment. */
static int mend_end(struct rebuild *b, struct segment *seg, const struct place *next)
{
    struct segment probe = *seg;
    struct segment_index index;
    bool good;
    int rc;

    probe.end = probe.first;
    rc = index_load(&b->c, &probe, &index, &good, b->err);
    if (rc == 0 && good && index.end.lba == seg->end.lba)
        seg->end = (struct place){index.end.lba, seg->first.file + index.end.files,
                                  seg->first.used + index.end.used};
    index_free(&index);
    if (next && next->lba > seg->first.lba && next->lba <= seg->end.lba)
        seg->end = *next;
    return rc;
}

/* A long erase cuts an object off behind a record, and what is left of it was committed by what is
 * gone.  (Or a crash has left whole records by chance: their payloads are looked at, too.) */
static bool is_cut_back(struct rebuild *b, const struct segment *seg, const struct walk *w)
{
    char name[STORE_NAME_MAX + 1];
    uint64_t size = 0;

    segment_name(seg->seq, name);
    return !w->end_seen && w->index.count > w->commit.records &&
           store_size(b->c.store, name, &size, NULL) == 0 && size == w->offset;
}

/* Where does what was committed of seg end?  Nothing of it: seg->end stays at its beginning.  Only
 * of what nothing came behind, no seal and no other segment, the payloads must tell whether it had
 * come to the disk. */
static int measure(struct rebuild *b, struct segment *seg, const struct place *next)
{
    struct walk w;
    size_t good = 0;
    bool damaged = false;
    struct walk_mark end;
    int rc = walk_start(&b->c, seg, &w, b->err);

    if (rc == 0)
        rc = walk_run(&b->c, seg, 0, &w, b->err);
    if (rc == 0 && !w.end_seen)
        rc = walk_behind(b, seg, &w, &damaged);
    if (rc == 0 && !damaged && is_cut_back(b, seg, &w))
        w.commit = (struct walk_mark){w.offset, w.index.count, w.place};
    good = w.commit.records;
    if (rc == 0 && !damaged && !w.end_seen && !(next && next->lba >= w.commit.place.lba))
        rc =
            walk_check_payloads(&b->c, seg, &w, w.durable.records, w.commit.records, &good, b->err);
    end = good < w.commit.records ? walk_mark_at(&w, seg, good) : w.commit;
    seg->end = end.place;
    seg->sealed = w.end_seen && good >= w.commit.records;
    seg->records_end = seg->sealed ? w.header : end.offset;
    walk_free(&w);
    return rc == 0 && damaged ? mend_end(b, seg, next) : rc;
}

/* Is there tape up to where seg begins? */
static bool fits(const struct map *map, const struct segment *seg)
{
    const struct segment *under = map_find(map, seg->partition, seg->first.lba);
    struct place end = map_end(map, seg->partition);

    if (seg->first.lba == end.lba)
        return seg->first.file == end.file && seg->first.used == end.used;
    return under && seg->first.lba < end.lba && seg->first.file >= under->first.file &&
           seg->first.file <= under->end.file && seg->first.used >= under->first.used &&
           seg->first.used <= under->end.used;
}

/* Number i of those found. */
static int lay(struct rebuild *b, size_t i)
{
    struct segment *seg = &b->found.items[i];
    struct place end = map_end(&b->map, seg->partition);
    int rc;

    if (seg->first.used == NO_HEADER && seg->first.lba == end.lba)
        seg->first.used = seg->end.used = end.used;
    rc = measure(b, seg, went_on(b, i));
    if (rc)
        return rc;
    if (seg->end.lba == seg->first.lba || !fits(&b->map, seg)) {
        b->report->left_out++;
        return 0;
    }
    rc = map_cut(&b->map, seg->partition, &seg->first, store_now(b->c.store), i + 1, b->err);
    if (rc == 0)
        rc = segment_list_add(&b->map.partition[seg->partition], seg, b->err);
    if (rc == 0 && seg->partition >= b->map.division.count)
        b->map.division.count = seg->partition + 1;
    b->report->segments++;
    return rc;
}

/* Each partition has what is on it, and a share of the rest. */
static int divide(struct rebuild *b)
{
    struct division *d = &b->map.division;
    uint64_t rest = b->c.identity.capacity, used[CARTRIDGE_PARTITIONS] = {0};

    for (uint32_t p = 0; p < d->count; p++) {
        used[p] = map_end(&b->map, p).used;
        if (used[p] > rest)
            return error_set(b->err, ERR_CORRUPT, "the segments hold more than the cartridge can");
        rest -= used[p];
    }
    for (uint32_t p = 0; p < d->count; p++)
        d->capacity[p] = used[p] + rest / d->count;
    return division_sane(d, b->c.identity.capacity)
               ? 0
               : error_set(b->err, ERR_CORRUPT, "the segments do not fit on the medium");
}

static int make_map(struct rebuild *b)
{
    int rc = store_list_names(b->c.store, find_segment, b, b->err);

    if (b->found.count > 0)
        qsort(b->found.items, b->found.count, sizeof(*b->found.items), by_number);
    b->map.division.count = 1;
    for (size_t i = 0; rc == 0 && i < b->found.count; i++)
        rc = lay(b, i);
    return rc ? rc : divide(b);
}

/* Publish the map as the first superblock of a new history. */
static int publish_rebuilt(struct rebuild *b)
{
    struct super super = {.map = b->map, .protect = true, .generation = b->found.count + 1};
    int rc = 0;

    super.next_seq = b->found.count ? b->found.items[b->found.count - 1].seq + 1 : 1;
    if (b->map.division.count > 1)
        rc = cartridge_need(&b->c, FEATURE_DIVIDED, b->err);
    super.divided = b->c.features & FEATURE_DIVIDED;
    if (rc == 0)
        rc = map_check(&b->map, super.next_seq, b->c.identity.capacity, b->err);
    return rc ? rc : super_write(b->c.store, b->c.identity.uuid, &super, b->err);
}

static int check_needed(struct rebuild *b)
{
    struct super super;
    struct error why = ERROR_INIT;
    bool whole;
    int rc = super_load(b->c.store, &b->c.identity, &super, &whole, &why);

    if (rc == 0) {
        super_free(&super);
        return error_set(b->err, ERR_EXISTS,
                         "cartridge %s has a good superblock; there is nothing to rebuild",
                         b->c.identity.barcode);
    }
    if (rc == -ERR_CORRUPT || rc == -ERR_NOT_FOUND)
        return 0;
    return error_set(b->err, why.code, "%s", why.message);
}

int cartridge_rebuild(struct store *store, struct cartridge_rebuilt *report, struct error *err)
{
    struct rebuild b = {.c.store = store, .report = report, .err = err};
    int rc;

    memset(report, 0, sizeof(*report));
    rc = cartridge_load_identity(&b.c, err);
    if (rc == 0)
        rc = store_lock(store, err);
    if (rc)
        return rc;
    rc = check_needed(&b);
    if (rc == 0)
        rc = make_map(&b);
    if (rc == 0)
        rc = publish_rebuilt(&b);
    if (rc == 0)
        identity_mend(&b.c);
    store_unlock(store);
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        report->objects += map_end(&b.map, p).lba;
    map_free(&b.map);
    free(b.found.items);
    return rc;
}
