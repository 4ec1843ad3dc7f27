/* SPDX-License-Identifier: Apache-2.0 */
/*
 * damage.c - what is on the disk changes behind the cartridge's back.
 *
 * Small cartridges of several kinds are damaged at random, one damage at a time: bits, ranges of
 * up to a MiB (noise or zeros), two sectors or two segments that changed places, a truncated or
 * missing object, an older state of a segment, a segment of another cartridge.  Then everything is
 * read: each object is right, or an error at its own address, and never other data; what lies
 * outside of the damaged bytes is read as before; and a verify does not call it good.
 *
 *   damage [--count N] [--seed S] [--only I]
 *
 * DAMAGE_COUNT and DAMAGE_SEED in the environment stand for the options.  --only makes the one
 * damage number I of a run again, and says what it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "tests/crash/script.h"
#include "vtl/cartridge/internal.h"
#include "vtl/store/simdisk.h"

#define OBJECTS_MAX 128
#define SECTOR      512

#if defined(__SANITIZE_ADDRESS__)
#define COUNT_DEFAULT 10000
#else
#define COUNT_DEFAULT 100000
#endif

/* An object of the store, as it should be. */
struct object_copy {
    char name[STORE_NAME_MAX + 1];
    uint8_t *data;
    size_t len;
    bool live;        /* a segment that the map names: */
    size_t dead_from; /* behind this it holds what was cut off, */
    size_t index;     /* as far as its END record, */
    size_t end;       /* which ends here */
};

/* Where on the disk an object of the tape is. */
struct whereabouts {
    size_t object; /* OBJECTS_MAX: nowhere found */
    size_t offset, extent;
};

struct sample {
    struct store *disk;
    struct medium medium;
    uint64_t next_id;
    struct object_copy objects[OBJECTS_MAX];
    size_t count;
    struct object_copy older[OBJECTS_MAX]; /* states of before */
    size_t older_count;
    struct whereabouts where[CARTRIDGE_PARTITIONS][TAPE_OBJECTS_MAX];
    bool sealed; /* it was unloaded: the whole of it is known to the map */
};

struct damage {
    char text[200];
    size_t object;  /* the one that was changed, */
    size_t object2; /* and a second one, or OBJECTS_MAX */
    uint8_t *data[2];
    size_t len[2];
    bool gone;
    bool misplaced; /* records that are valid in themselves are where they do not belong */
};

struct campaign {
    uint64_t rng;
    struct sample *samples;
    size_t sample_count;
    uint64_t reads_good, reads_refused, opens_refused, verifies;
    const char *wrong;
    char wrong_text[400];
};

static uint64_t rnd(struct campaign *c, uint64_t below)
{
    uint64_t z = c->rng += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return below ? (z ^ z >> 31) % below : 0;
}

static void must(int rc, const struct error *err)
{
    if (rc == 0)
        return;
    printf("damage: making the samples: %s\n", err->message);
    exit(99);
}

static void *must_have(void *p)
{
    if (!p)
        abort();
    return p;
}

/* ---- samples --------------------------------------------------------------------------------- */

struct collecting {
    struct store *disk;
    struct object_copy *into;
    size_t *count;
};

static int collect(void *ctx, const char *object, uint64_t size)
{
    struct collecting *k = ctx;
    struct object_copy *o = &k->into[*k->count];
    struct error err = ERROR_INIT;

    if (*k->count == OBJECTS_MAX)
        return 0;
    memset(o, 0, sizeof(*o));
    snprintf(o->name, sizeof(o->name), "%s", object);
    o->data = must_have(malloc((size_t)size + 1));
    must(store_read(k->disk, object, 0, o->data, (size_t)size, &o->len, &err), &err);
    ++*k->count;
    return 0;
}

static void collect_all(struct store *disk, struct object_copy *into, size_t *count)
{
    struct collecting k = {disk, into, count};
    struct error err = ERROR_INIT;

    must(store_list(disk, collect, &k, &err), &err);
}

static size_t object_named(const struct sample *s, const char *name)
{
    size_t i = 0;

    while (i < s->count && strcmp(s->objects[i].name, name) != 0)
        i++;
    return i < s->count ? i : OBJECTS_MAX;
}

/* Find the records of seg in its object, one behind the other. */
static void locate_records(struct sample *s, const struct segment *seg)
{
    char name[STORE_NAME_MAX + 1];
    struct object_copy *o;
    size_t index, at = SEGMENT_HEADER_SIZE;
    struct record r;

    segment_name(seg->seq, name);
    index = object_named(s, name);
    if (index == OBJECTS_MAX)
        return;
    o = &s->objects[index];
    o->live = true;
    o->dead_from = 0;
    for (; at + RECORD_HEADER_SIZE <= o->len && record_decode(o->data + at, &r);
         at += record_extent(r.stored)) {
        struct whereabouts where = {index, at, record_extent(r.stored)};

        for (uint64_t i = 0; i < r.count && r.lba + i < seg->end.lba; i++)
            s->where[seg->partition][r.lba + i] = where;
        if (r.count > 0 && r.lba >= seg->end.lba && o->dead_from == 0)
            o->dead_from = at;
        o->index = r.type == RECORD_END ? at : o->len;
    }
    o->end = at;
    if (!seg->sealed) /* the map does not know that it has one */
        o->index = o->end;
    if (o->dead_from == 0)
        o->dead_from = o->index;
}

static void locate_all(struct sample *s)
{
    struct cartridge *c = NULL;
    struct error err = ERROR_INIT;

    must(cartridge_open(s->disk, CARTRIDGE_READ_ONLY, &c, &err), &err);
    for (unsigned p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        const struct segment_list *list = &cartridge_map(c)->partition[p];

        for (size_t i = 0; i < TAPE_OBJECTS_MAX; i++)
            s->where[p][i].object = OBJECTS_MAX;
        for (size_t i = 0; i < list->count; i++)
            locate_records(s, &list->items[i]);
    }
    cartridge_close(c);
}

/* What a tape that was left open has of what was not synced is for the cartridge to say. */
static void read_sample(struct sample *s)
{
    struct cartridge *c = NULL;
    struct error err = ERROR_INIT;
    uint64_t blocks = 0;
    char why[300];

    must(cartridge_open(s->disk, CARTRIDGE_READ_ONLY, &c, &err), &err);
    if (medium_read(c, s->next_id, &s->medium, &blocks, why) != 0) {
        printf("damage: making the samples: %s\n", why);
        exit(1);
    }
    cartridge_close(c);
}

/* Every '|' in the script keeps what is on the disk then, to be put back later. */
static void make_sample(struct sample *s, const char *script, uint32_t segment_size, uint64_t seed)
{
    struct life *l = must_have(calloc(1, sizeof(*l)));
    struct cartridge_identity id;
    struct error err = ERROR_INIT;

    if (setjmp(l->violated) != 0) {
        printf("damage: making the samples: %s\n", l->violation);
        exit(1);
    }
    must(simdisk_open(seed, &s->disk, &err), &err);
    l->store = l->disk = s->disk;
    l->next_id = 1 + seed * 1000;
    script_identity(l, &id);
    id.segment_size = segment_size;
    life_create(l, &id);
    for (const char *step = script; *step; step++)
        if (*step == '|')
            collect_all(s->disk, s->older, &s->older_count);
        else
            script_step(l, *step);
    life_close(l);
    s->sealed = script[strlen(script) - 1] == 'u';
    s->next_id = l->next_id;
    read_sample(s);
    collect_all(s->disk, s->objects, &s->count);
    locate_all(s);
    free(l);
}

/* ---- damages --------------------------------------------------------------------------------- */

static void change(const struct sample *s, struct damage *d, int n, size_t object)
{
    const struct object_copy *o = &s->objects[object];

    *(n ? &d->object2 : &d->object) = object;
    d->len[n] = o->len;
    d->data[n] = must_have(malloc(o->len + (1 << 16)));
    memcpy(d->data[n], o->data, o->len);
}

static size_t any_segment(struct campaign *c, const struct sample *s)
{
    size_t i;

    do
        i = rnd(c, s->count);
    while (strncmp(s->objects[i].name, "seg-", 4) != 0);
    return i;
}

/* Three of four go to segments. */
static size_t any_object(struct campaign *c, const struct sample *s)
{
    return rnd(c, 4) ? any_segment(c, s) : rnd(c, s->count);
}

static void flip_bit(struct campaign *c, const struct sample *s, struct damage *d)
{
    size_t at;

    change(s, d, 0, any_object(c, s));
    at = rnd(c, d->len[0]);
    d->data[0][at] ^= (uint8_t)(1u << rnd(c, 8));
    snprintf(d->text, sizeof(d->text), "a bit of byte %zu of %s", at, s->objects[d->object].name);
}

/* One bit anywhere, and one of the segment's index: its records must be searched for. */
static void flip_bit_and_index(struct campaign *c, const struct sample *s, struct damage *d)
{
    const struct object_copy *o;
    size_t at;

    change(s, d, 0, any_segment(c, s));
    o = &s->objects[d->object];
    at = rnd(c, d->len[0]);
    d->data[0][at] ^= (uint8_t)(1u << rnd(c, 8));
    if (o->live && o->index < o->end)
        d->data[0][o->index + rnd(c, o->end - o->index)] ^= (uint8_t)(1u << rnd(c, 8));
    snprintf(d->text, sizeof(d->text), "a bit of byte %zu and one of the index of %s", at, o->name);
}

static void range(struct campaign *c, const struct sample *s, struct damage *d, bool noise)
{
    size_t at, len = (size_t)1 << rnd(c, 21);

    change(s, d, 0, any_object(c, s));
    at = rnd(c, d->len[0]);
    len = 1 + rnd(c, len);
    len = len > d->len[0] - at ? d->len[0] - at : len;
    for (size_t i = 0; i < len; i++)
        d->data[0][at + i] = noise ? (uint8_t)rnd(c, 256) : 0;
    snprintf(d->text, sizeof(d->text), "%s in bytes %zu..%zu of %s", noise ? "noise" : "zeros", at,
             at + len, s->objects[d->object].name);
}

static void noise_range(struct campaign *c, const struct sample *s, struct damage *d)
{
    range(c, s, d, true);
}

static void zero_range(struct campaign *c, const struct sample *s, struct damage *d)
{
    range(c, s, d, false);
}

static void swap_sectors(struct campaign *c, const struct sample *s, struct damage *d)
{
    uint8_t keep[SECTOR], *one, *two;
    size_t a, b;

    change(s, d, 0, any_segment(c, s));
    if (rnd(c, 2))
        change(s, d, 1, any_segment(c, s));
    if (d->object2 == d->object) {
        free(d->data[1]);
        d->data[1] = NULL;
        d->object2 = OBJECTS_MAX;
    }
    two = d->data[1] ? d->data[1] : d->data[0];
    a = rnd(c, (d->len[0] + SECTOR) / SECTOR) * SECTOR;
    b = rnd(c, ((d->data[1] ? d->len[1] : d->len[0]) + SECTOR) / SECTOR) * SECTOR;
    one = d->data[0] + a;
    two += b;
    if (a + SECTOR > d->len[0] || b + SECTOR > (d->data[1] ? d->len[1] : d->len[0]))
        return; /* not whole */
    memcpy(keep, one, SECTOR);
    memcpy(one, two, SECTOR);
    memcpy(two, keep, SECTOR);
    d->misplaced = true;
    snprintf(d->text, sizeof(d->text), "sector %zu of %s and sector %zu of %s swapped", a / SECTOR,
             s->objects[d->object].name, b / SECTOR,
             s->objects[d->data[1] ? d->object2 : d->object].name);
}

static void replace(const struct sample *s, struct damage *d, int n, size_t object,
                    const struct object_copy *by)
{
    *(n ? &d->object2 : &d->object) = object;
    d->len[n] = by->len;
    d->misplaced = true;
    d->data[n] = must_have(malloc(by->len + 1));
    memcpy(d->data[n], by->data, by->len);
    snprintf(d->text, sizeof(d->text), "%s in place of %s", by->name, s->objects[object].name);
}

static void swap_segments(struct campaign *c, const struct sample *s, struct damage *d)
{
    size_t a = any_segment(c, s), b = any_segment(c, s);

    replace(s, d, 0, a, &s->objects[b]);
    if (a != b)
        replace(s, d, 1, b, &s->objects[a]);
}

static void truncate_object(struct campaign *c, const struct sample *s, struct damage *d)
{
    change(s, d, 0, any_object(c, s));
    d->len[0] = rnd(c, d->len[0]);
    snprintf(d->text, sizeof(d->text), "%s truncated to %zu bytes", s->objects[d->object].name,
             d->len[0]);
}

static void lengthen_object(struct campaign *c, const struct sample *s, struct damage *d)
{
    size_t more = 1 + rnd(c, 3000);

    change(s, d, 0, any_object(c, s));
    for (size_t i = 0; i < more; i++)
        d->data[0][d->len[0] + i] = (uint8_t)rnd(c, 256);
    d->len[0] += more;
    snprintf(d->text, sizeof(d->text), "%s is %zu bytes longer", s->objects[d->object].name, more);
}

static void remove_object(struct campaign *c, const struct sample *s, struct damage *d)
{
    change(s, d, 0, any_object(c, s));
    d->gone = true;
    snprintf(d->text, sizeof(d->text), "%s is gone", s->objects[d->object].name);
}

/* The same object as it was earlier, or an earlier segment in place of a later one. */
static void put_back_older(struct campaign *c, const struct sample *s, struct damage *d)
{
    const struct object_copy *old = &s->older[rnd(c, s->older_count)];
    size_t object = object_named(s, old->name);

    if (object == OBJECTS_MAX || (strncmp(old->name, "seg-", 4) == 0 && rnd(c, 4) == 0))
        object = any_segment(c, s);
    replace(s, d, 0, object, old);
}

static void put_foreign(struct campaign *c, const struct sample *s, struct damage *d)
{
    const struct sample *other = &c->samples[rnd(c, c->sample_count)];
    size_t from = any_object(c, other), object = object_named(s, other->objects[from].name);

    if (object == OBJECTS_MAX)
        object = any_segment(c, s);
    replace(s, d, 0, object, &other->objects[from]);
}

/* A record in place of another of its segment. */
static void copy_record(struct campaign *c, const struct sample *s, struct damage *d)
{
    unsigned p = (unsigned)rnd(c, s->medium.partitions);
    size_t count = s->medium.part[p].count;
    const struct whereabouts *from = &s->where[p][rnd(c, count)], *to = &s->where[p][rnd(c, count)];

    if (from->object != to->object || from->extent != to->extent || from->object == OBJECTS_MAX) {
        flip_bit(c, s, d);
        return;
    }
    change(s, d, 0, to->object);
    d->misplaced = true;
    memcpy(d->data[0] + to->offset, s->objects[from->object].data + from->offset, to->extent);
    snprintf(d->text, sizeof(d->text), "the record at %zu of %s in place of that at %zu",
             from->offset, s->objects[to->object].name, to->offset);
}

/* What an overwritten segment, another cartridge, or an earlier state has at the same place. */
static void stale_record(struct campaign *c, const struct sample *s, struct damage *d)
{
    unsigned p = (unsigned)rnd(c, s->medium.partitions);
    const struct sample *other = rnd(c, 3) ? s : &c->samples[rnd(c, c->sample_count)];
    const struct object_copy *from = &other->objects[any_segment(c, other)];
    const struct whereabouts *to = &s->where[p][rnd(c, s->medium.part[p].count)];

    if (to->object == OBJECTS_MAX || to->offset + to->extent > from->len) {
        flip_bit(c, s, d);
        return;
    }
    change(s, d, 0, to->object);
    d->misplaced = true;
    memcpy(d->data[0] + to->offset, from->data + to->offset, to->extent);
    snprintf(d->text, sizeof(d->text), "bytes %zu..%zu of another %s in %s", to->offset,
             to->offset + to->extent, from->name, s->objects[to->object].name);
}

static void (*const kinds[])(struct campaign *c, const struct sample *s, struct damage *d) = {
    flip_bit,      flip_bit_and_index, noise_range,     zero_range,    swap_sectors,
    swap_segments, truncate_object,    lengthen_object, remove_object, put_back_older,
    put_foreign,   copy_record,        stale_record,
};

/* ---- what must still be right ---------------------------------------------------------------- */

/* The bytes of object that are as they were? */
static bool intact(const struct sample *s, const struct damage *d, size_t object, size_t offset,
                   size_t len)
{
    const struct object_copy *o = &s->objects[object];

    for (int n = 0; n < 2; n++)
        if (d->data[n] && object == (n ? d->object2 : d->object))
            return !d->gone && offset + len <= d->len[n] &&
                   memcmp(d->data[n] + offset, o->data + offset, len) == 0;
    return true;
}

static bool object_intact(const struct sample *s, const struct damage *d, const char *name)
{
    size_t i = object_named(s, name);

    for (int n = 0; n < 2; n++)
        if (d->data[n] && i == (n ? d->object2 : d->object) && d->len[n] != s->objects[i].len)
            return false;
    return intact(s, d, i, 0, s->objects[i].len);
}

static bool index_intact(const struct sample *s, const struct damage *d, size_t object)
{
    const struct object_copy *o = &s->objects[object];

    return o->index >= o->end || intact(s, d, object, o->index, o->end - o->index);
}

static bool has_index(const struct sample *s, const struct damage *d, size_t object)
{
    return s->objects[object].index < s->objects[object].end && index_intact(s, d, object);
}

/* Are all segments that the tape is made of as they were? */
static bool tape_intact(const struct sample *s, const struct damage *d)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->objects[i].live &&
            !(intact(s, d, i, 0, s->objects[i].dead_from) && index_intact(s, d, i)))
            return false;
    return object_intact(s, d, "super.a") && object_intact(s, d, "super.b") &&
           object_intact(s, d, "identity") && object_intact(s, d, "identity.copy");
}

/* Has nothing changed at all, but for bytes behind the last record? */
static bool all_intact(const struct sample *s, const struct damage *d)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->objects[i].live && !intact(s, d, i, 0, s->objects[i].end))
            return false;
    return tape_intact(s, d);
}

static bool wrong(struct campaign *c, const char *what, unsigned p, size_t lba, const char *detail)
{
    snprintf(c->wrong_text, sizeof(c->wrong_text), "partition %u, object %zu: %s (%.200s)", p, lba,
             what, detail);
    return false;
}

static bool check_object(struct campaign *c, const struct sample *s, const struct damage *d,
                         struct cartridge *k, unsigned p, size_t lba)
{
    static uint8_t data[TAPE_BLOCK_MAX];
    const struct whereabouts *at = &s->where[p][lba];
    struct cartridge_position pos;
    struct cartridge_block block;
    struct error err = ERROR_INIT;
    uint64_t id = s->medium.part[p].ids[lba];
    int rc = cartridge_locate(k, p, lba, &err);

    if (rc)
        return wrong(c, "it can't be located", p, lba, err.message);
    rc = cartridge_read_block(k, data, sizeof(data), &block, &err);
    cartridge_tell(k, &pos);
    if (pos.partition != p || pos.lba != lba + 1)
        return wrong(c, "the position is not behind it", p, lba, err.message);
    if (rc == 0 && (id == TAPE_FILEMARK || !block_is(data, &block, id)))
        return wrong(c, "other data is read", p, lba, "");
    if (rc == -ERR_FILEMARK && id != TAPE_FILEMARK)
        return wrong(c, "a filemark is read", p, lba, "");
    if (rc == 0 || rc == -ERR_FILEMARK) {
        c->reads_good++;
        return true;
    }
    c->reads_refused++;
    if (rc != -ERR_CORRUPT)
        return wrong(c, "it fails strangely", p, lba, err.message);
    /* Without its index a segment is searched for its records, and one that is not where it
     * belongs hides those before it. */
    if (at->object != OBJECTS_MAX && intact(s, d, at->object, at->offset, at->extent) &&
        !(d->misplaced && !has_index(s, d, at->object)))
        return wrong(c, "it is not damaged and can't be read", p, lba, err.message);
    return true;
}

/* Of a tape that a crash left open the end may come earlier: what is behind damage there can't be
 * told from what was never written (doc/cartridge-format.md). */
static bool check_all(struct campaign *c, const struct sample *s, const struct damage *d,
                      struct cartridge *k)
{
    for (unsigned p = 0; p < s->medium.partitions; p++) {
        struct cartridge_position pos;
        struct error err = ERROR_INIT;
        size_t count = s->medium.part[p].count;

        if (cartridge_locate(k, p, 0, &err) != 0)
            return wrong(c, "its partition is gone", p, 0, err.message);
        cartridge_tell(k, &pos);
        if (pos.eod_lba > count || (pos.eod_lba < count && s->sealed))
            return wrong(c, "here is the end of data", p, pos.eod_lba, "");
        for (size_t i = 0; i < pos.eod_lba; i++)
            if (!check_object(c, s, d, k, p, i))
                return false;
    }
    return true;
}

/* Only who it is and both maps make a cartridge unreadable. */
static bool check_refusal(struct campaign *c, const struct sample *s, const struct damage *d,
                          const struct error *err)
{
    /* An identity of another cartridge, good in itself, is believed. */
    bool who =
        object_intact(s, d, "identity") || (object_intact(s, d, "identity.copy") && !d->misplaced);

    c->opens_refused++;
    if (err->code != ERR_CORRUPT && err->code != ERR_FORMAT)
        return wrong(c, "the cartridge is refused strangely", 0, 0, err->message);
    if (who && (object_intact(s, d, "super.a") || object_intact(s, d, "super.b")))
        return wrong(c, "the cartridge is refused", 0, 0, err->message);
    return true;
}

static bool check_verify(struct campaign *c, const struct sample *s, const struct damage *d,
                         struct cartridge *k)
{
    struct cartridge_report report;
    struct error err = ERROR_INIT;
    int rc = cartridge_verify(k, &report, &err);

    c->verifies++;
    if (rc == 0 && !tape_intact(s, d) && s->sealed)
        return wrong(c, "verify finds nothing", 0, 0, "");
    if (rc != 0 && rc != -ERR_CORRUPT)
        return wrong(c, "verify fails strangely", 0, 0, err.message);
    if (rc != 0 && all_intact(s, d))
        return wrong(c, "verify finds what is not there", 0, 0, err.message);
    return true;
}

static bool check_sample(struct campaign *c, const struct sample *s, const struct damage *d,
                         struct store *disk)
{
    enum cartridge_mode mode = rnd(c, 4) ? CARTRIDGE_READ_ONLY : CARTRIDGE_READ_WRITE;
    struct cartridge *k = NULL;
    struct error err = ERROR_INIT;
    bool good;

    if (cartridge_open(disk, mode, &k, &err) != 0)
        return check_refusal(c, s, d, &err);
    good = (mode == CARTRIDGE_READ_WRITE || rnd(c, 4) || check_verify(c, s, d, k)) &&
           check_all(c, s, d, k);
    cartridge_close(k);
    return good;
}

/* ---- the campaign ---------------------------------------------------------------------------- */

static void apply(const struct sample *s, const struct damage *d, struct store *disk)
{
    struct error err = ERROR_INIT;

    for (int n = 0; n < 2; n++) {
        const char *name = d->data[n] ? s->objects[n ? d->object2 : d->object].name : NULL;

        if (name && d->gone)
            must(store_delete(disk, name, &err), &err);
        else if (name)
            must(store_put(disk, name, d->data[n], d->len[n], &err), &err);
    }
}

static bool damage_one(struct campaign *c, bool tell)
{
    const struct sample *s = &c->samples[rnd(c, c->sample_count)];
    struct damage d = {.object2 = OBJECTS_MAX};
    struct store *disk = NULL;
    struct error err = ERROR_INIT;
    bool good;

    kinds[rnd(c, sizeof(kinds) / sizeof(kinds[0]))](c, s, &d);
    if (tell)
        printf("damage: of sample %td: %s\n", s - c->samples, d.text);
    must(simdisk_clone(s->disk, &disk, &err), &err);
    apply(s, &d, disk);
    good = check_sample(c, s, &d, disk);
    if (!good)
        printf("damage: sample %td, %s: %s\n", s - c->samples, d.text, c->wrong_text);
    store_close(disk);
    free(d.data[0]);
    free(d.data[1]);
    return good;
}

static void make_samples(struct campaign *c)
{
    static const struct {
        const char *script;
        uint32_t segment_size;
    } recipes[] = {
        {"wsFswwfsw|wwFwsRfswwFu", 4096},
        {"wsFswwfsw|wwFwsRfswwFu", 4096}, /* another cartridge with the same layout */
        {"owwFspwsFsw|wpwwsfsspAAAFpAAFu", 4096},
        {"wwwFwwww|y0wwFss|wwmswwwFm|AAFsu", 16384},
        {"AAAAAAFAAAAAAAAF|AAAARFAAAAAAAAAAFAAAAAAAAAAAAAAAAAFu", 1 << 20},
        {"hhhFhhh|hF0hhhFhhhhFu", 16384},  /* what was overwritten looks alike */
        {"wsFswwyfsw|wwFwsswwysw", 16384}, /* left open */
    };

    c->sample_count = sizeof(recipes) / sizeof(recipes[0]);
    c->samples = must_have(calloc(c->sample_count, sizeof(*c->samples)));
    for (size_t i = 0; i < c->sample_count; i++)
        make_sample(&c->samples[i], recipes[i].script, recipes[i].segment_size, i + 1);
}

/* With both superblocks gone, the segments are enough for the same tape (the division is not in
 * them); of one that was left open, for at least as much of it as an open would find: nothing tells
 * whole records at its end from those that a long erase has kept. */
static bool check_rebuild(const struct sample *s)
{
    static struct medium found;
    struct cartridge_rebuilt report;
    struct store *disk = NULL;
    struct cartridge *k = NULL;
    struct error err = ERROR_INIT;
    uint64_t blocks = 0;
    char why[300] = "the tape is another one";
    bool good;

    must(simdisk_clone(s->disk, &disk, &err), &err);
    must(store_delete(disk, "super.a", &err), &err);
    must(store_delete(disk, "super.b", &err), &err);
    good = cartridge_rebuild(disk, &report, &err) == 0 &&
           cartridge_open(disk, CARTRIDGE_READ_ONLY, &k, &err) == 0;
    if (!good)
        snprintf(why, sizeof(why), "%.200s", err.message);
    good = good && medium_read(k, s->next_id, &found, &blocks, why) == 0 &&
           found.partitions == s->medium.partitions;
    for (unsigned p = 0; good && p < found.partitions; p++)
        good = tape_is_prefix(&s->medium.part[p], &found.part[p]) &&
               (!s->sealed || found.part[p].count == s->medium.part[p].count);
    cartridge_close(k);
    store_close(disk);
    if (!good)
        printf("damage: rebuilt without superblocks: %s\n", why);
    return good;
}

/* With one superblock gone, no bit of the other can be turned over without being noticed. */
static bool check_last_superblock(const struct sample *s)
{
    const struct object_copy *super = &s->objects[object_named(s, "super.a")];
    uint8_t *data = must_have(malloc(super->len));
    struct store *disk = NULL;
    struct cartridge *k = NULL;
    struct error err = ERROR_INIT;
    size_t bit = 0;

    must(simdisk_clone(s->disk, &disk, &err), &err);
    must(store_delete(disk, "super.b", &err), &err);
    for (; bit < super->len * 8 && !k; bit++) {
        memcpy(data, super->data, super->len);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        must(store_put(disk, "super.a", data, super->len, &err), &err);
        if (cartridge_open(disk, CARTRIDGE_READ_ONLY, &k, &err) != 0)
            k = NULL;
    }
    if (k)
        printf("damage: bit %zu of the last superblock is turned over, and it is believed\n",
               bit - 1);
    cartridge_close(k);
    store_close(disk);
    free(data);
    return k == NULL;
}

static void free_samples(struct campaign *c)
{
    for (size_t i = 0; i < c->sample_count; i++) {
        struct sample *s = &c->samples[i];

        for (size_t n = 0; n < s->count; n++)
            free(s->objects[n].data);
        for (size_t n = 0; n < s->older_count; n++)
            free(s->older[n].data);
        store_close(s->disk);
    }
    free(c->samples);
}

static uint64_t option(int argc, char **argv, const char *name, const char *variable,
                       uint64_t otherwise)
{
    const char *value = variable ? getenv(variable) : NULL;

    for (int i = 1; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0)
            value = argv[i + 1];
    return value && *value ? strtoull(value, NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
    uint64_t count = option(argc, argv, "--count", "DAMAGE_COUNT", COUNT_DEFAULT);
    uint64_t seed = option(argc, argv, "--seed", "DAMAGE_SEED", 1);
    uint64_t only = option(argc, argv, "--only", NULL, UINT64_MAX), failed = 0;
    struct campaign c = {0};
    clock_t since = clock();

    log_set_level(LOG_LEVEL_ERROR);
    make_samples(&c);
    for (size_t i = 0; i < c.sample_count; i++)
        if (!check_rebuild(&c.samples[i]) || !check_last_superblock(&c.samples[i]))
            failed++;
    for (uint64_t i = only == UINT64_MAX ? 0 : only; i < count || only != UINT64_MAX; i++) {
        c.rng = seed * 0x100000001b3u + i * 0x9e3779b97f4a7c15u * 31;
        if (!damage_one(&c, only != UINT64_MAX)) {
            printf("  replay: --seed %llu --only %llu\n", (unsigned long long)seed,
                   (unsigned long long)i);
            failed++;
        }
        if (only != UINT64_MAX || failed >= 10)
            break;
    }
    printf(
        "damage: seed %llu: %llu damages: %llu objects read right, %llu refused as damaged, %llu "
        "cartridges refused, %llu verified, %llu wrong, %.1f s\n",
        (unsigned long long)seed, (unsigned long long)count, (unsigned long long)c.reads_good,
        (unsigned long long)c.reads_refused, (unsigned long long)c.opens_refused,
        (unsigned long long)c.verifies, (unsigned long long)failed,
        (double)(clock() - since) / CLOCKS_PER_SEC);
    free_samples(&c);
    return failed != 0;
}
