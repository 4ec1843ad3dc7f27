/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scrub_object.c - what scrubs remember, in memory and as the object `scrub` of the store.
 *
 * The object is put whole, atomically.  It is advice: whoever reads one that is not as it should be
 * takes it for none.  Several scrubs may be at work: who saves takes over what others have saved
 * meanwhile, under the store's guard; of a segment that both have seen, what was seen last.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/crc32c.h"
#include "vtl/cartridge/scrub_internal.h"

#define SCRUB_MAGIC       "CAPSCRB\n"
#define SCRUB_VERSION     1u
#define SCRUB_HEADER_SIZE 64u
#define SCRUB_MARK_SIZE   48u
#define SCRUB_BAD_SIZE    48u

#define LOOK_NS 1000000000LL /* a live drive knows of a new quarantine after so long */

#define FLAG_UNFINISHED 1u /* of the header */
#define FLAG_FRAME      1u /* of a mark */

void scrub_free(struct scrub *s)
{
    free(s->marks);
    free(s->bad);
    memset(s, 0, sizeof(*s));
}

/* ---- encoding -------------------------------------------------------------------------------- */

static void mark_encode(const struct scrub_mark *m, uint8_t *out)
{
    put_le64(out, m->seq);
    put_le64(out + 8, m->epoch);
    put_le64(out + 16, m->end_lba);
    put_le64(out + 24, m->pass);
    put_le64(out + 32, (uint64_t)m->verified_ns);
    put_le32(out + 40, m->frame_bad ? FLAG_FRAME : 0);
}

static void bad_encode(const struct scrub_bad *b, uint8_t *out)
{
    put_le64(out, b->seq);
    put_le64(out + 8, b->epoch);
    put_le64(out + 16, b->lba);
    put_le64(out + 24, b->count);
    put_le64(out + 32, (uint64_t)b->found_ns);
    put_le32(out + 40, b->partition);
}

static uint8_t *scrub_encode(const struct scrub *s, const uint8_t uuid[16], size_t *len)
{
    size_t body = s->mark_count * SCRUB_MARK_SIZE + s->bad_count * SCRUB_BAD_SIZE;
    uint8_t *raw = calloc(1, SCRUB_HEADER_SIZE + body), *at;

    if (!raw)
        return NULL;
    *len = SCRUB_HEADER_SIZE + body;
    memcpy(raw, SCRUB_MAGIC, 8);
    put_le32(raw + 8, SCRUB_VERSION);
    put_le32(raw + 12, s->unfinished ? FLAG_UNFINISHED : 0);
    memcpy(raw + 16, uuid, 16);
    put_le64(raw + 32, s->pass);
    put_le32(raw + 40, (uint32_t)s->mark_count);
    put_le32(raw + 44, (uint32_t)s->bad_count);
    at = raw + SCRUB_HEADER_SIZE;
    for (size_t i = 0; i < s->mark_count; i++, at += SCRUB_MARK_SIZE)
        mark_encode(&s->marks[i], at);
    for (size_t i = 0; i < s->bad_count; i++, at += SCRUB_BAD_SIZE)
        bad_encode(&s->bad[i], at);
    put_le32(raw + 56, crc32c(raw + SCRUB_HEADER_SIZE, body));
    put_le32(raw + 60, crc32c(raw, 60));
    return raw;
}

/* ---- decoding -------------------------------------------------------------------------------- */

static bool mark_decode(const uint8_t *in, struct scrub_mark *m)
{
    *m = (struct scrub_mark){
        .seq = get_le64(in),
        .epoch = get_le64(in + 8),
        .end_lba = get_le64(in + 16),
        .pass = get_le64(in + 24),
        .verified_ns = (int64_t)get_le64(in + 32),
        .frame_bad = get_le32(in + 40) & FLAG_FRAME,
    };
    return m->seq > 0 && m->verified_ns >= 0;
}

static bool bad_decode(const uint8_t *in, struct scrub_bad *b)
{
    *b = (struct scrub_bad){
        .seq = get_le64(in),
        .epoch = get_le64(in + 8),
        .lba = get_le64(in + 16),
        .count = get_le64(in + 24),
        .found_ns = (int64_t)get_le64(in + 32),
        .partition = get_le32(in + 40),
    };
    return b->seq > 0 && b->partition < CARTRIDGE_PARTITIONS && b->count > 0 &&
           b->lba <= INT64_MAX && b->count <= INT64_MAX && b->found_ns >= 0;
}

/* Does b stand behind a, as the searches expect it? */
static bool bad_follows(const struct scrub_bad *a, const struct scrub_bad *b)
{
    return b->seq > a->seq || (b->seq == a->seq && b->lba >= a->lba + a->count);
}

/* raw: marks and bad ones, as many as s says; s has room for them. */
static bool lists_decode(const uint8_t *raw, struct scrub *s)
{
    for (size_t i = 0; i < s->mark_count; i++, raw += SCRUB_MARK_SIZE)
        if (!mark_decode(raw, &s->marks[i]) || (i && s->marks[i].seq <= s->marks[i - 1].seq))
            return false;
    for (size_t i = 0; i < s->bad_count; i++, raw += SCRUB_BAD_SIZE)
        if (!bad_decode(raw, &s->bad[i]) || (i && !bad_follows(&s->bad[i - 1], &s->bad[i])))
            return false;
    return true;
}

static bool header_decode(const uint8_t *raw, const uint8_t uuid[16], struct scrub *s)
{
    if (memcmp(raw, SCRUB_MAGIC, 8) != 0 || get_le32(raw + 8) != SCRUB_VERSION ||
        get_le32(raw + 60) != crc32c(raw, 60) || memcmp(raw + 16, uuid, 16) != 0)
        return false;
    s->unfinished = get_le32(raw + 12) & FLAG_UNFINISHED;
    s->pass = get_le64(raw + 32);
    s->mark_count = get_le32(raw + 40);
    s->bad_count = get_le32(raw + 44);
    return s->pass < INT64_MAX && s->mark_count <= SEGMENTS_MAX && s->bad_count <= SCRUB_BAD_MAX;
}

/* s is left as it was if this is not one. */
static bool scrub_decode(const uint8_t *raw, size_t len, const uint8_t uuid[16], struct scrub *s)
{
    struct scrub got = {0};

    if (len < SCRUB_HEADER_SIZE || !header_decode(raw, uuid, &got) ||
        len - SCRUB_HEADER_SIZE !=
            got.mark_count * SCRUB_MARK_SIZE + got.bad_count * SCRUB_BAD_SIZE ||
        get_le32(raw + 56) != crc32c(raw + SCRUB_HEADER_SIZE, len - SCRUB_HEADER_SIZE))
        return false;
    got.mark_room = got.mark_count;
    got.bad_room = got.bad_count;
    got.marks = calloc(got.mark_count + 1, sizeof(*got.marks));
    got.bad = calloc(got.bad_count + 1, sizeof(*got.bad));
    if (!got.marks || !got.bad || !lists_decode(raw + SCRUB_HEADER_SIZE, &got)) {
        scrub_free(&got);
        return false;
    }
    scrub_free(s);
    *s = got;
    return true;
}

/* The checksums of the header and of what follows it. */
static uint64_t stamp_of(const uint8_t *raw)
{
    return get_le64(raw + 56);
}

void scrub_load(struct cartridge *c)
{
    const uint64_t most = SCRUB_HEADER_SIZE + (uint64_t)SEGMENTS_MAX * SCRUB_MARK_SIZE +
                          (uint64_t)SCRUB_BAD_MAX * SCRUB_BAD_SIZE;
    CLEANUP_FREE uint8_t *raw = NULL;
    uint64_t size = 0;
    size_t got = 0;

    scrub_free(&c->scrub);
    c->scrub_asked_ns = store_now(c->store);
    if (store_size(c->store, SCRUB_OBJECT, &size, NULL) != 0 || size < SCRUB_HEADER_SIZE ||
        size > most)
        return;
    raw = malloc((size_t)size);
    if (raw && store_read(c->store, SCRUB_OBJECT, 0, raw, (size_t)size, &got, NULL) == 0)
        (void)scrub_decode(raw, got, c->identity.uuid, &c->scrub);
    c->scrub.stamp = raw && got >= SCRUB_HEADER_SIZE ? stamp_of(raw) : 0;
}

void scrub_look(struct cartridge *c)
{
    int64_t now = store_now(c->store);
    uint8_t raw[SCRUB_HEADER_SIZE];
    size_t got = 0;
    int rc;

    if (now >= c->scrub_asked_ns && now - c->scrub_asked_ns < LOOK_NS)
        return;
    c->scrub_asked_ns = now;
    rc = store_read(c->store, SCRUB_OBJECT, 0, raw, sizeof(raw), &got, NULL);
    if (rc && rc != -ERR_NOT_FOUND)
        return; /* what is known is better than nothing */
    if ((rc == 0 && got == sizeof(raw) ? stamp_of(raw) : 0) != c->scrub.stamp)
        scrub_load(c);
}

/* ---- marks ----------------------------------------------------------------------------------- */

/* The first mark at or behind seq. */
static size_t mark_lower(const struct scrub *s, uint64_t seq)
{
    size_t low = 0, high = s->mark_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (s->marks[mid].seq < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct scrub_mark *scrub_mark_of(const struct scrub *s, const struct segment *seg)
{
    size_t i = mark_lower(s, seg->seq);
    bool here = i < s->mark_count && s->marks[i].seq == seg->seq &&
                s->marks[i].epoch == seg->epoch && s->marks[i].end_lba >= seg->end.lba;

    return here ? &s->marks[i] : NULL;
}

int scrub_mark_add(struct scrub *s, const struct scrub_mark *mark, struct error *err)
{
    size_t i = mark_lower(s, mark->seq);

    if (i < s->mark_count && s->marks[i].seq == mark->seq) {
        s->marks[i] = *mark;
        return 0;
    }
    if (s->mark_count == s->mark_room) {
        size_t room = s->mark_room ? s->mark_room * 2 : 64;
        struct scrub_mark *marks = reallocarray(s->marks, room, sizeof(*marks));

        if (!marks)
            return error_set(err, ERR_NO_MEMORY, "no memory to remember a scrub");
        s->marks = marks;
        s->mark_room = room;
    }
    memmove(&s->marks[i + 1], &s->marks[i], (s->mark_count - i) * sizeof(*s->marks));
    s->marks[i] = *mark;
    s->mark_count++;
    return 0;
}

/* ---- quarantine ------------------------------------------------------------------------------ */

/* The first entry that ends behind lba of segment seq. */
static size_t bad_lower(const struct scrub *s, uint64_t seq, uint64_t lba)
{
    size_t low = 0, high = s->bad_count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct scrub_bad *b = &s->bad[mid];

        if (b->seq < seq || (b->seq == seq && b->lba + b->count <= lba))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

size_t scrub_bad_of(const struct scrub *s, uint64_t seq)
{
    return bad_lower(s, seq, 0);
}

bool scrub_is_bad(const struct scrub *s, const struct segment *seg, uint64_t lba)
{
    size_t i = bad_lower(s, seg->seq, lba);

    return i < s->bad_count && s->bad[i].seq == seg->seq && s->bad[i].epoch == seg->epoch &&
           s->bad[i].partition == seg->partition && s->bad[i].lba <= lba;
}

int scrub_bad_replace(struct scrub *s, uint64_t seq, const struct scrub_bad *with, size_t count,
                      struct error *err)
{
    size_t from = bad_lower(s, seq, 0), to = from, total;

    while (to < s->bad_count && s->bad[to].seq == seq)
        to++;
    total = s->bad_count - (to - from) + count;
    if (total > SCRUB_BAD_MAX)
        return error_set(
            err, ERR_NO_SPACE,
            "more than %u pieces of the cartridge are damaged: copy what is good of it "
            "to a new one",
            SCRUB_BAD_MAX);
    if (total > s->bad_room) {
        struct scrub_bad *bad = reallocarray(s->bad, total, sizeof(*bad));

        if (!bad)
            return error_set(err, ERR_NO_MEMORY, "no memory to remember a scrub");
        s->bad = bad;
        s->bad_room = total;
    }
    if (s->bad_count > to)
        memmove(&s->bad[from + count], &s->bad[to], (s->bad_count - to) * sizeof(*s->bad));
    if (count)
        memcpy(&s->bad[from], with, count * sizeof(*with));
    s->bad_count = total;
    return 0;
}

/* ---- saving ---------------------------------------------------------------------------------- */

/* Forget segments that the cartridge has not any more, neither on the tape nor in limbo. */
static void forget_gone(struct scrub *s, const struct needed *needed)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->mark_count; i++)
        if (needed_has(needed, s->marks[i].seq))
            s->marks[kept++] = s->marks[i];
    s->mark_count = kept;
    kept = 0;
    for (size_t i = 0; i < s->bad_count; i++)
        if (needed_has(needed, s->bad[i].seq))
            s->bad[kept++] = s->bad[i];
    s->bad_count = kept;
}

/* Take over what they say of segment seq. */
static int merge_segment(struct scrub *s, const struct scrub *theirs, const struct scrub_mark *mark,
                         struct error *err)
{
    size_t from = bad_lower(theirs, mark->seq, 0), to = from;
    int rc;

    while (to < theirs->bad_count && theirs->bad[to].seq == mark->seq)
        to++;
    rc = scrub_bad_replace(s, mark->seq, theirs->bad + from, to - from, err);
    return rc ? rc : scrub_mark_add(s, mark, err);
}

/* What another scrub has saved since, if it saw it later than we.  A pass that it began anew is
 * ours as well. */
static int merge(struct scrub *s, const struct scrub *theirs, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < theirs->mark_count; i++) {
        const struct scrub_mark *mark = &theirs->marks[i];
        size_t k = mark_lower(s, mark->seq);
        bool ours = k < s->mark_count && s->marks[k].seq == mark->seq;

        if (!ours || s->marks[k].verified_ns < mark->verified_ns)
            rc = merge_segment(s, theirs, mark, err);
    }
    if (theirs->pass > s->pass) {
        s->pass = theirs->pass;
        s->unfinished = theirs->unfinished;
    }
    return rc;
}

static int put(struct cartridge *c, struct error *err)
{
    CLEANUP_FREE uint8_t *raw = NULL;
    struct needed needed;
    size_t len;
    int rc = needed_make(cartridge_map(c), &needed, err);

    if (rc)
        return rc;
    forget_gone(&c->scrub, &needed);
    needed_free(&needed);
    raw = scrub_encode(&c->scrub, c->identity.uuid, &len);
    if (!raw)
        return error_set(err, ERR_NO_MEMORY, "no memory to remember a scrub");
    rc = store_put(c->store, SCRUB_OBJECT, raw, len, err);
    if (rc == 0)
        c->scrub.stamp = stamp_of(raw);
    return rc;
}

int scrub_save(struct cartridge *c, struct error *err)
{
    struct scrub ours = c->scrub;
    int rc = store_guard(c->store, SCRUB_OBJECT, err);

    if (rc)
        return rc;
    c->scrub = (struct scrub){0};
    scrub_load(c);
    if (c->scrub.stamp != ours.stamp)
        rc = merge(&ours, &c->scrub, err);
    scrub_free(&c->scrub);
    c->scrub = ours;
    if (rc == 0)
        rc = put(c, err);
    store_unguard(c->store);
    return rc;
}
