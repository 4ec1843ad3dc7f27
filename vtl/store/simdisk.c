/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simdisk.c - see simdisk.h.
 *
 * Each object has two images: `cache`, what reads see, and `media`, what is on the platter for
 * certain.  They are equal below dirty_from; a sync copies the rest over.  A power cut makes a
 * third one, media with some of the dirty sectors of cache, and both become that.
 */
#include "vtl/store/simdisk.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define GRAVES 4 /* objects whose old sectors may shine through lost ones */

struct image {
    uint8_t *data;
    size_t len, room;
};

struct sim_object {
    struct sim_object *next;
    char name[STORE_NAME_MAX + 1];
    struct image cache, media;
    size_t dirty_from; /* cache and media are equal before; == cache.len if nothing is dirty */
    bool named;        /* the name is durable */
    bool removed;      /* deleted, but a cut may bring it back */
    bool owes_error;   /* write-back failed: the next sync says so, if its writer is still there */
};

struct simdisk {
    struct store store;
    struct sim_object *objects;
    struct image graves[GRAVES];
    size_t next_grave;
    uint64_t rng;
    int64_t now;
    uint64_t calls, cut_at;
    uint64_t capacity, used;
    bool capacity_hidden;
    uint32_t sync_failures, writeback_failures;
    bool off, locked;
    bool cut_before; /* the call that the power fails in surely does nothing */
};

static struct simdisk *simdisk_of(struct store *s)
{
    return (struct simdisk *)s;
}

/* splitmix64: every seed is a good one. */
static uint64_t rng_next(struct simdisk *d)
{
    uint64_t z = d->rng += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t rng_below(struct simdisk *d, uint64_t n)
{
    return n ? rng_next(d) % n : 0;
}

/* ---- images and objects ---------------------------------------------------------------------- */

static bool image_resize(struct image *m, size_t len)
{
    if (len > m->room) {
        size_t room = m->room ? m->room : 1024;
        uint8_t *data;

        while (room < len)
            room *= 2;
        data = realloc(m->data, room);
        if (!data)
            return false;
        m->data = data;
        m->room = room;
    }
    if (len > m->len)
        memset(m->data + m->len, 0, len - m->len);
    m->len = len;
    return true;
}

static bool image_copy(struct image *to, const struct image *from, size_t first)
{
    if (!image_resize(to, from->len))
        return false;
    if (from->len > first)
        memcpy(to->data + first, from->data + first, from->len - first);
    return true;
}

static struct sim_object *object_find(struct simdisk *d, const char *name)
{
    for (struct sim_object *o = d->objects; o; o = o->next)
        if (!o->removed && strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

static struct sim_object *object_make(struct simdisk *d, const char *name)
{
    struct sim_object *o = calloc(1, sizeof(*o));

    if (!o)
        return NULL;
    memcpy(o->name, name, strlen(name) + 1);
    o->next = d->objects;
    d->objects = o;
    return o;
}

/* Free *p; what was on the platter stays as an old tenant of the blocks. */
static void object_bury(struct simdisk *d, struct sim_object **p)
{
    struct sim_object *o = *p;
    struct image *grave = &d->graves[d->next_grave++ % GRAVES];

    *p = o->next;
    free(grave->data);
    *grave = o->media;
    free(o->cache.data);
    free(o);
}

static int not_found(const char *name, struct error *err)
{
    return error_set(err, ERR_NOT_FOUND, "simulated disk: %s: no such object", name);
}

static int no_memory(struct error *err)
{
    return error_set(err, ERR_NO_MEMORY, "simulated disk: no memory");
}

/* ---- power ----------------------------------------------------------------------------------- */

static int power_off(struct error *err)
{
    return error_set(err, ERR_IO, "simulated disk: the power is off");
}

enum power { GO_ON, HALF_DONE, OFF };

/* At each changing call: HALF_DONE is the one that the power fails in. */
static enum power power_at_call(struct simdisk *d)
{
    d->now += 1000000 + (int64_t)rng_below(d, 1000000);
    if (d->off)
        return OFF;
    d->calls++;
    if (d->cut_at == 0 || d->calls < d->cut_at)
        return GO_ON;
    d->off = true;
    return !d->cut_before && rng_below(d, 2) ? HALF_DONE : OFF;
}

enum filler { ZEROS, NOISE, STALE, FILLERS };

/* What becomes of one object. */
struct fate_of_object {
    enum simdisk_spared spared;
    enum filler filler;
    const struct image *donor; /* of stale sectors */
    size_t chosen;             /* the sector of "one", or where a prefix ends */
    size_t torn;               /* this sector is torn; SIZE_MAX: none is */
    size_t len;                /* what the file system remembers */
};

/* What stands in place of a lost sector that was never written before. */
static void fill_lost(struct simdisk *d, enum filler filler, const struct image *donor,
                      uint8_t *out, size_t offset, size_t len)
{
    if (filler == STALE && donor && offset < donor->len) {
        memcpy(out, donor->data + offset, donor->len - offset < len ? donor->len - offset : len);
    } else if (filler == NOISE) {
        uint64_t x = rng_next(d);

        for (size_t i = 0; i < len; i++)
            out[i] = (uint8_t)(x >> (i % 8 * 8) ^ i);
    }
}

static const struct image *pick_donor(struct simdisk *d, const struct sim_object *not_me)
{
    size_t n = rng_below(d, GRAVES + 4);

    if (n < GRAVES && d->graves[n].data)
        return &d->graves[n];
    for (const struct sim_object *o = d->objects; o; o = o->next)
        if (o != not_me && n-- <= GRAVES)
            return &o->media;
    return NULL;
}

static bool sector_survives(struct simdisk *d, enum simdisk_spared how, size_t i, size_t chosen)
{
    switch (how) {
    case SIMDISK_EVERYTHING:
        return true;
    case SIMDISK_COIN:
        return rng_next(d) & 1;
    case SIMDISK_PREFIX:
        return i < chosen;
    case SIMDISK_ALL_BUT_ONE:
        return i != chosen;
    case SIMDISK_ONLY_ONE:
        return i == chosen;
    case SIMDISK_NOTHING:
    case SIMDISK_SPARED_KINDS:
        break;
    }
    return false;
}

/* The length that the file system remembers: the old one, the new one or one in between. */
static size_t surviving_length(struct simdisk *d, const struct sim_object *o,
                               enum simdisk_spared how)
{
    size_t low = o->cache.len < o->media.len ? o->cache.len : o->media.len;
    size_t high = o->cache.len < o->media.len ? o->media.len : o->cache.len;

    if (how == SIMDISK_EVERYTHING)
        return o->cache.len;
    if (how == SIMDISK_NOTHING && rng_below(d, 4))
        return o->media.len;
    return rng_below(d, 4) ? o->cache.len : low + rng_below(d, high - low + 1);
}

static bool is_dirty(const struct sim_object *o)
{
    return o->dirty_from < o->cache.len || o->cache.len != o->media.len;
}

/* Sectors from the first dirty one to the end at len. */
static size_t sectors_to(const struct sim_object *o, size_t len)
{
    size_t first = len > o->dirty_from ? o->dirty_from / SIMDISK_SECTOR : 0;

    return (len + SIMDISK_SECTOR - 1) / SIMDISK_SECTOR - first;
}

static void fate_by_chance(struct simdisk *d, const struct sim_object *o, struct fate_of_object *f)
{
    bool torn;

    f->spared = (enum simdisk_spared)rng_below(d, SIMDISK_SPARED_KINDS);
    f->filler = (enum filler)rng_below(d, FILLERS);
    f->donor = f->filler == STALE ? pick_donor(d, o) : NULL;
    torn = rng_below(d, 4) == 0;
    f->len = surviving_length(d, o, f->spared);
    f->chosen = rng_below(d, sectors_to(o, f->len));
    f->torn = torn ? f->chosen : SIZE_MAX;
}

/* Make media what is left of the object; its dirty sectors meet their fate. */
static void object_settle(struct simdisk *d, struct sim_object *o, const struct fate_of_object *f)
{
    size_t from = o->dirty_from, old_len = o->media.len, len = f->len;
    size_t first = from / SIMDISK_SECTOR, sectors = sectors_to(o, len);

    if (!image_resize(&o->media, len))
        abort(); /* a test program without memory */
    for (size_t i = 0; len > from && i < sectors; i++) {
        size_t begin = (first + i) * SIMDISK_SECTOR, end = begin + SIMDISK_SECTOR, copy;

        begin = begin < from ? from : begin;
        end = end > len ? len : end;
        copy = sector_survives(d, f->spared, i, f->chosen) ? end : begin;
        if (i == f->torn)
            copy = begin + rng_below(d, end - begin + 1);
        copy = copy > o->cache.len ? o->cache.len : copy;
        if (copy > begin)
            memcpy(o->media.data + begin, o->cache.data + begin, copy - begin);
        else
            copy = begin;
        if (copy < old_len) /* an older durable content was there, and stays */
            copy = old_len < end ? old_len : end;
        fill_lost(d, f->filler, f->donor, o->media.data + copy, copy, end - copy);
    }
}

static void object_settle_by_chance(struct simdisk *d, struct sim_object *o)
{
    struct fate_of_object f;

    if (!is_dirty(o))
        return;
    fate_by_chance(d, o, &f);
    object_settle(d, o, &f);
}

size_t simdisk_dirty_sectors(const struct store *s)
{
    size_t count = 0;

    for (const struct sim_object *o = ((const struct simdisk *)s)->objects; o; o = o->next)
        if (is_dirty(o) && !o->removed)
            count += sectors_to(o, o->cache.len);
    return count;
}

/* The fate of o, whose first dirty sector has number `before` among all. */
static void fate_by_hand(struct simdisk *d, const struct sim_object *o,
                         const struct simdisk_fate *hand, size_t before, struct fate_of_object *f)
{
    f->spared = hand->spared;
    f->filler = (enum filler)(hand->filler % FILLERS);
    f->donor = f->filler == STALE ? pick_donor(d, o) : NULL;
    f->len = hand->spared == SIMDISK_NOTHING ? o->media.len : o->cache.len;
    f->chosen = hand->sector >= before ? hand->sector - before : SIZE_MAX;
    f->torn = hand->torn ? f->chosen : SIZE_MAX;
    if (f->chosen == SIZE_MAX && f->spared == SIMDISK_PREFIX)
        f->spared = SIMDISK_NOTHING;
}

static bool is_gone(struct simdisk *d, const struct sim_object *o, const struct simdisk_fate *hand)
{
    if (o->removed && object_find(d, o->name))
        return true;
    if (!o->removed && o->named)
        return false;
    if (!hand)
        return rng_below(d, 2);
    return o->removed ? hand->names : !hand->names;
}

/* Back on: the disk holds what survived, all of it durable. */
static void power_on(struct simdisk *d)
{
    d->off = d->locked = false;
    d->cut_at = 0;
    d->used = 0;
    for (struct sim_object *o = d->objects; o; o = o->next) {
        if (!image_copy(&o->cache, &o->media, 0))
            abort();
        o->dirty_from = o->cache.len;
        o->named = true;
        o->removed = false;
        d->used += o->cache.len;
    }
    d->now += 1000000000;
}

static void power_cut(struct simdisk *d, const struct simdisk_fate *hand)
{
    size_t before = 0;

    for (struct sim_object **p = &d->objects; *p;) {
        struct sim_object *o = *p;
        struct fate_of_object f;

        if (is_gone(d, o, hand)) {
            object_bury(d, p);
            continue;
        }
        if (hand && is_dirty(o)) {
            size_t sectors = o->removed ? 0 : sectors_to(o, o->cache.len);

            fate_by_hand(d, o, hand, before, &f);
            object_settle(d, o, &f);
            before += sectors;
        } else {
            object_settle_by_chance(d, o);
        }
        p = &o->next;
    }
    power_on(d);
}

void simdisk_power_cut(struct store *s)
{
    power_cut(simdisk_of(s), NULL);
}

void simdisk_power_cut_to(struct store *s, const struct simdisk_fate *fate)
{
    power_cut(simdisk_of(s), fate);
}

/* ---- the operations -------------------------------------------------------------------------- */

static int take_space(struct simdisk *d, uint64_t bytes, struct error *err)
{
    if (d->capacity && (bytes > d->capacity || d->used > d->capacity - bytes))
        return error_set(err, ERR_NO_SPACE, "simulated disk: no space left");
    d->used += bytes;
    return 0;
}

static int simdisk_put(struct store *s, const char *object, const void *data, size_t len,
                       struct error *err)
{
    struct simdisk *d = simdisk_of(s);
    enum power fate = power_at_call(d);
    struct sim_object *o;
    int rc;

    if (fate == OFF)
        return power_off(err);
    rc = take_space(d, len, err);
    if (rc)
        return rc;
    o = object_find(d, object);
    if (o)
        d->used -= o->cache.len;
    else
        o = object_make(d, object);
    if (!o || !image_resize(&o->cache, len))
        return no_memory(err);
    if (len)
        memcpy(o->cache.data, data, len);
    if (!image_copy(&o->media, &o->cache, 0))
        return no_memory(err);
    o->dirty_from = len;
    o->named = true;
    return fate == HALF_DONE ? power_off(err) : 0;
}

/* The kernel writes out by itself, fails, and takes the sectors for clean. */
static void write_back_fails(struct simdisk *d, struct sim_object *o)
{
    if (d->writeback_failures == 0 || rng_below(d, 1000000) >= d->writeback_failures)
        return;
    object_settle_by_chance(d, o);
    o->dirty_from = o->cache.len;
    o->owes_error = true;
}

static int simdisk_append(struct store *s, const char *object, uint64_t offset,
                          const struct iovec *iov, int iov_count, struct error *err)
{
    struct simdisk *d = simdisk_of(s);
    enum power fate = power_at_call(d);
    struct sim_object *o;
    int rc = 0;

    if (fate == OFF)
        return power_off(err);
    o = object_find(d, object);
    if (!o && offset == 0)
        o = object_make(d, object);
    if (!o)
        return not_found(object, err);
    if (o->cache.len != offset)
        return error_set(err, ERR_RANGE, "simulated disk: %s ends at %zu, not at %llu", object,
                         o->cache.len, (unsigned long long)offset);
    if (o->dirty_from > offset)
        o->dirty_from = (size_t)offset;
    for (int i = 0; rc == 0 && i < iov_count; i++) {
        size_t at = o->cache.len;

        rc = take_space(d, iov[i].iov_len, err);
        if (rc == 0 && !image_resize(&o->cache, at + iov[i].iov_len))
            rc = no_memory(err);
        if (rc == 0 && iov[i].iov_len)
            memcpy(o->cache.data + at, iov[i].iov_base, iov[i].iov_len);
    }
    write_back_fails(d, o);
    return fate == HALF_DONE ? power_off(err) : rc;
}

static int simdisk_read(struct store *s, const char *object, uint64_t offset, void *buf, size_t len,
                        size_t *got, struct error *err)
{
    struct simdisk *d = simdisk_of(s);
    const struct sim_object *o;

    if (d->off)
        return power_off(err);
    o = object_find(d, object);
    if (!o)
        return not_found(object, err);
    *got = 0;
    if (offset < o->cache.len) {
        *got = o->cache.len - offset < len ? o->cache.len - (size_t)offset : len;
        memcpy(buf, o->cache.data + offset, *got);
    }
    return 0;
}

static int simdisk_size(struct store *s, const char *object, uint64_t *size, struct error *err)
{
    struct simdisk *d = simdisk_of(s);
    const struct sim_object *o;

    if (d->off)
        return power_off(err);
    o = object_find(d, object);
    if (!o)
        return not_found(object, err);
    *size = o->cache.len;
    return 0;
}

static int simdisk_truncate(struct store *s, const char *object, uint64_t size, struct error *err)
{
    struct simdisk *d = simdisk_of(s);
    enum power fate = power_at_call(d);
    struct sim_object *o;

    if (fate == OFF)
        return power_off(err);
    o = object_find(d, object);
    if (!o)
        return not_found(object, err);
    if (size > o->cache.len)
        return error_set(err, ERR_RANGE, "simulated disk: %s is smaller than that", object);
    d->used -= o->cache.len - size;
    o->cache.len = (size_t)size;
    if (o->dirty_from > size)
        o->dirty_from = (size_t)size;
    return fate == HALF_DONE ? power_off(err) : 0;
}

static int simdisk_sync(struct store *s, const char *object, struct error *err)
{
    struct simdisk *d = simdisk_of(s);
    enum power fate = power_at_call(d);
    struct sim_object *o;

    if (fate == OFF)
        return power_off(err);
    o = object_find(d, object);
    if (!o)
        return not_found(object, err);
    if (o->owes_error) {
        o->owes_error = false;
        return error_set(err, ERR_IO, "simulated disk: writing %s out failed", object);
    }
    if (d->sync_failures && rng_below(d, 1000000) < d->sync_failures) {
        object_settle_by_chance(d, o);
        o->dirty_from = o->cache.len; /* "clean": the next sync will not write it */
        return error_set(err, ERR_IO, "simulated disk: syncing %s failed", object);
    }
    if (!image_copy(&o->media, &o->cache, o->dirty_from))
        return no_memory(err);
    o->dirty_from = o->cache.len;
    o->named = true;
    return fate == HALF_DONE ? power_off(err) : 0;
}

static int simdisk_sync_names(struct store *s, struct error *err)
{
    struct simdisk *d = simdisk_of(s);
    enum power fate = power_at_call(d);

    if (fate == OFF)
        return power_off(err);
    for (struct sim_object **p = &d->objects; *p;) {
        (*p)->named = true;
        if ((*p)->removed)
            object_bury(d, p);
        else
            p = &(*p)->next;
    }
    return fate == HALF_DONE ? power_off(err) : 0;
}

static int simdisk_list(struct store *s, store_list_fn *fn, void *ctx, struct error *err)
{
    struct simdisk *d = simdisk_of(s);
    int rc = d->off ? power_off(err) : 0;

    for (struct sim_object *o = d->objects; rc == 0 && o; o = o->next)
        if (!o->removed)
            rc = fn(ctx, o->name, o->cache.len);
    return rc;
}

static int simdisk_remove(struct store *s, const char *object, struct error *err)
{
    struct simdisk *d = simdisk_of(s);
    enum power fate = power_at_call(d);
    struct sim_object *o;

    if (fate == OFF)
        return power_off(err);
    o = object_find(d, object);
    if (!o)
        return not_found(object, err);
    d->used -= o->cache.len;
    o->removed = true;
    return fate == HALF_DONE ? power_off(err) : 0;
}

static int simdisk_free(struct store *s, uint64_t *bytes, uint64_t *total, struct error *err)
{
    struct simdisk *d = simdisk_of(s);

    if (d->capacity == 0 || d->capacity_hidden)
        return error_set(err, ERR_UNSUPPORTED, "the simulated disk has no limit");
    *bytes = d->used < d->capacity ? d->capacity - d->used : 0;
    *total = d->capacity;
    return 0;
}

static int64_t simdisk_now(struct store *s)
{
    return simdisk_of(s)->now += 1000;
}

static int simdisk_random(struct store *s, void *buf, size_t len, struct error *err)
{
    uint8_t *p = buf;

    (void)err;
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(rng_next(simdisk_of(s)) >> 32);
    return 0;
}

static int simdisk_lock(struct store *s, struct error *err)
{
    struct simdisk *d = simdisk_of(s);

    if (d->off)
        return power_off(err);
    if (d->locked)
        return error_set(err, ERR_BUSY, "simulated disk: it is in use by another writer");
    d->locked = true;
    return 0;
}

/* The writer closes its files: what they were not told yet, nobody is. */
static void simdisk_unlock(struct store *s)
{
    struct simdisk *d = simdisk_of(s);

    d->locked = false;
    for (struct sim_object *o = d->objects; o; o = o->next)
        o->owes_error = false;
}

static void simdisk_close(struct store *s)
{
    struct simdisk *d = simdisk_of(s);

    while (d->objects) {
        struct sim_object *o = d->objects;

        d->objects = o->next;
        free(o->cache.data);
        free(o->media.data);
        free(o);
    }
    for (size_t i = 0; i < GRAVES; i++)
        free(d->graves[i].data);
    free(d);
}

static const struct store_ops simdisk_ops = {
    .kind = "simdisk",
    .put = simdisk_put,
    .append = simdisk_append,
    .read = simdisk_read,
    .size = simdisk_size,
    .truncate = simdisk_truncate,
    .sync = simdisk_sync,
    .sync_names = simdisk_sync_names,
    .list = simdisk_list,
    .remove = simdisk_remove,
    .free = simdisk_free,
    .now = simdisk_now,
    .random = simdisk_random,
    .lock = simdisk_lock,
    .unlock = simdisk_unlock,
    .close = simdisk_close,
};

int simdisk_open(uint64_t seed, struct store **out, struct error *err)
{
    struct simdisk *d = calloc(1, sizeof(*d));

    if (!d)
        return no_memory(err);
    d->store.ops = &simdisk_ops;
    d->rng = seed;
    d->now = 1700000000LL * 1000000000;
    *out = &d->store;
    return 0;
}

/* ---- control --------------------------------------------------------------------------------- */

void simdisk_cut_at(struct store *s, uint64_t calls)
{
    struct simdisk *d = simdisk_of(s);

    d->cut_at = calls ? d->calls + calls : 0;
    d->cut_before = false;
}

void simdisk_cut_before(struct store *s, uint64_t calls)
{
    simdisk_cut_at(s, calls);
    simdisk_of(s)->cut_before = true;
}

static bool object_clone(struct simdisk *to, const struct sim_object *o)
{
    struct sim_object *copy = object_make(to, o->name);

    if (!copy || !image_copy(&copy->cache, &o->cache, 0) || !image_copy(&copy->media, &o->media, 0))
        return false;
    copy->dirty_from = o->dirty_from;
    copy->named = o->named;
    copy->removed = o->removed;
    return true;
}

int simdisk_clone(const struct store *s, struct store **out, struct error *err)
{
    const struct simdisk *from = (const struct simdisk *)s;
    struct simdisk *d = malloc(sizeof(*d));
    bool whole = d != NULL;

    if (!d)
        return no_memory(err);
    *d = *from;
    d->objects = NULL;
    memset(d->graves, 0, sizeof(d->graves));
    for (size_t i = 0; whole && i < GRAVES; i++)
        whole = !from->graves[i].data || image_copy(&d->graves[i], &from->graves[i], 0);
    for (const struct sim_object *o = from->objects; whole && o; o = o->next)
        whole = object_clone(d, o);
    if (!whole) {
        store_close(&d->store);
        return no_memory(err);
    }
    *out = &d->store;
    return 0;
}

bool simdisk_is_off(const struct store *s)
{
    return ((const struct simdisk *)s)->off;
}

void simdisk_fail_syncs(struct store *s, uint32_t per_million)
{
    simdisk_of(s)->sync_failures = per_million;
}

void simdisk_hide_capacity(struct store *s)
{
    simdisk_of(s)->capacity_hidden = true;
}

void simdisk_fail_writeback(struct store *s, uint32_t per_million)
{
    simdisk_of(s)->writeback_failures = per_million;
}

void simdisk_set_capacity(struct store *s, uint64_t bytes)
{
    simdisk_of(s)->capacity = bytes;
}

uint64_t simdisk_calls(const struct store *s)
{
    return ((const struct simdisk *)s)->calls;
}

void simdisk_advance(struct store *s, int64_t ns)
{
    simdisk_of(s)->now += ns;
}

int simdisk_flip(struct store *s, const char *object, uint64_t offset, unsigned bit,
                 struct error *err)
{
    struct sim_object *o = object_find(simdisk_of(s), object);

    if (!o || offset >= o->cache.len)
        return not_found(object, err);
    if (offset < o->media.len)
        o->media.data[offset] ^= (uint8_t)(1u << bit % 8);
    o->cache.data[offset] ^= (uint8_t)(1u << bit % 8);
    return 0;
}
