/* SPDX-License-Identifier: Apache-2.0 */
/*
 * undo.c - going back to what a cartridge was before something was overwritten or erased.
 *
 * Limbo is the log of it: each cut of the map left there what it cut off, under the generation of
 * the superblock that said so.  To step back over the newest cut is to end the map where its first
 * dead segment begins and to append what it cut off; older points are reached step by step.
 *
 *     map      A B C D        cut at x in C, write E         step back: end at the beginning of C,
 *     limbo    -              map A B c E, limbo C D         append C D
 *
 * Undo itself is such a cut: what it takes off the tape goes to limbo under a new generation, and
 * the older entries stay.  So every point that could be reached before can be reached afterwards,
 * and undoing twice is doing again.  (If nothing is taken off, as after an erase, nothing is
 * added.)
 *
 * A cut does not show where the other partitions ended then, nor how the tape was divided before a
 * format; notes in limbo say that.
 *
 * Invariant: a step is taken only if the map ends where the dead segments begin, and their objects
 * are there; else that point and all older ones are gone.
 */
#include <stdlib.h>
#include <string.h>

#include "vtl/cartridge/internal.h"

static bool same_place(const struct place *a, const struct place *b)
{
    return a->lba == b->lba && a->file == b->file && a->used == b->used;
}

/* ---- stepping back -----------------------------------------------------------------------------
 */

static bool maps_same(const struct map *a, const struct map *b)
{
    if (!division_same(&a->division, &b->division))
        return false;
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        const struct segment_list *one = &a->partition[p], *two = &b->partition[p];

        if (one->count != two->count)
            return false;
        for (size_t i = 0; i < one->count; i++)
            if (one->items[i].seq != two->items[i].seq ||
                !same_place(&one->items[i].end, &two->items[i].end))
                return false;
    }
    return true;
}

/* Is the object of s there, as long as it must be? */
static bool segment_there(struct cartridge *c, const struct segment *s)
{
    char name[STORE_NAME_MAX + 1];
    uint64_t size;

    segment_name(s->seq, name);
    return s->records_end > 0 && store_size(c->store, name, &size, NULL) == 0 &&
           size >= s->records_end;
}

/* Take back one cut, that took off the segments dead[0..count). */
static int uncut(struct cartridge *c, struct map *map, const struct segment *dead, size_t count,
                 bool *done, struct error *err)
{
    struct segment_list *list = &map->partition[dead[0].partition];
    size_t kept = list->count;
    int rc = 0;

    *done = false;
    while (kept > 0 && list->items[kept - 1].first.lba >= dead[0].first.lba)
        kept--;
    if (kept ? !same_place(&list->items[kept - 1].end, &dead[0].first) : dead[0].first.lba > 0)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (!segment_there(c, &dead[i]))
            return 0;
    list->count = kept;
    for (size_t i = 0; i < count && !rc; i++) {
        struct segment s = dead[i];

        s.died_ns = 0;
        s.died_generation = 0;
        rc = segment_list_add(list, &s, err);
    }
    *done = !rc;
    return rc;
}

/* End the partition of the note where it ended then: what was appended to it since goes. */
static void uncut_end(struct map *map, const struct segment *note)
{
    struct segment_list *list = &map->partition[note->partition];

    while (list->count > 0 && list->items[list->count - 1].first.lba >= note->end.lba)
        list->count--;
    if (list->count > 0 && list->items[list->count - 1].end.lba > note->end.lba)
        list->items[list->count - 1].end = note->end;
}

/* Take back the newest of what limbo says of one generation: a note, or a cut. */
static int uncut_newest(struct cartridge *c, struct map *map, bool *done, struct error *err)
{
    struct segment_list *limbo = &map->limbo;
    const struct segment *item = &limbo->items[limbo->count - 1];
    size_t from = limbo->count - 1;
    int rc = 0;

    if (item->note == NOTE_DIVISION) {
        map->division = division_of_note(item);
        for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
            map->partition[p].count = 0;
    } else if (item->note == NOTE_END) {
        uncut_end(map, item);
    } else {
        while (from > 0 && limbo->items[from - 1].note == NOTE_NONE &&
               limbo->items[from - 1].died_generation == item->died_generation &&
               limbo->items[from - 1].partition == item->partition &&
               same_place(&limbo->items[from - 1].end, &limbo->items[from].first))
            from--;
        rc = uncut(c, map, &limbo->items[from], limbo->count - from, done, err);
    }
    limbo->count = from;
    return rc;
}

/* Step back over the newest generation of map->limbo; *done false: there is none, or it is gone.
 * One generation may have cut more than once, if the first of the cuts came to nothing: each cut
 * left segments that follow each other. */
static int step_back(struct cartridge *c, struct map *map, struct cartridge_point *point,
                     bool *done, struct error *err)
{
    struct segment_list *limbo = &map->limbo;
    int rc = 0;

    *done = limbo->count > 0;
    if (!*done)
        return 0;
    point->generation = limbo->items[limbo->count - 1].died_generation;
    point->ended_ns = limbo->items[limbo->count - 1].died_ns;
    while (!rc && *done && limbo->count > 0 &&
           limbo->items[limbo->count - 1].died_generation == point->generation)
        rc = uncut_newest(c, map, done, err);
    if (!rc && *done)
        *done = map_check(map, c->super.next_seq, c->identity.capacity, NULL) == 0;
    point->objects = point->filemarks = point->used = 0;
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        point->objects += map_end(map, p).lba;
        point->filemarks += map_end(map, p).file;
        point->used += map_end(map, p).used;
    }
    return rc;
}

int cartridge_points(struct cartridge *c, cartridge_point_fn *fn, void *ctx, struct error *err)
{
    struct cartridge_point point;
    struct map map;
    bool done = true;
    int rc = map_copy(cartridge_map(c), &map, err);

    if (rc)
        return rc;
    while (!rc) {
        rc = step_back(c, &map, &point, &done, err);
        if (rc || !done)
            break;
        if (!maps_same(&map, cartridge_map(c)))
            rc = fn(ctx, &point);
    }
    map_free(&map);
    return rc;
}

/* ---- undo --------------------------------------------------------------------------------------
 */

/* How many segments at their beginnings two partitions have in common. */
static size_t common(const struct segment_list *a, const struct segment_list *b)
{
    size_t same = 0;

    while (same < a->count && same < b->count && a->items[same].seq == b->items[same].seq &&
           same_place(&a->items[same].end, &b->items[same].end))
        same++;
    return same;
}

/* Put into to's limbo what from has and to has not. */
static int bury(const struct map *from, struct map *to, int64_t now, uint64_t generation,
                struct error *err)
{
    bool divided = !division_same(&from->division, &to->division);
    size_t before = to->limbo.count;
    int rc = 0;

    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        const struct segment_list *old = &from->partition[p];
        size_t same = divided ? 0 : common(old, &to->partition[p]);

        for (size_t i = same; i < old->count && !rc; i++) {
            struct segment dead = old->items[i];

            dead.died_ns = now;
            dead.died_generation = generation;
            rc = segment_list_add(&to->limbo, &dead, err);
        }
    }
    if (rc == 0 && divided)
        return map_note_division(&to->limbo, &from->division, now, generation, err);
    if (rc == 0 && to->limbo.count > before)
        return map_note_ends(&to->limbo, from, CARTRIDGE_PARTITIONS, now, generation, err);
    return rc;
}

/* The map as it was at generation, with all of limbo; ERR_NOT_FOUND. */
static int map_at(struct cartridge *c, uint64_t generation, struct map *map, struct error *err)
{
    struct cartridge_point point = {0};
    bool done = true;
    int rc = map_copy(cartridge_map(c), map, err);

    if (rc)
        return rc;
    while (!rc && done && (point.generation == 0 || point.generation > generation))
        rc = step_back(c, map, &point, &done, err);
    if (!rc && (!done || point.generation != generation))
        rc = error_set(err, ERR_NOT_FOUND,
                       "cartridge %s can't go back to %llu: there is no such point, or what it "
                       "needs is gone",
                       c->identity.barcode, (unsigned long long)generation);
    map->limbo.count = 0;
    for (size_t i = 0; i < cartridge_map(c)->limbo.count && !rc; i++)
        rc = segment_list_add(&map->limbo, &cartridge_map(c)->limbo.items[i], err);
    if (!rc)
        rc = bury(cartridge_map(c), map, store_now(c->store), c->super.generation + 1, err);
    if (rc)
        map_free(map);
    return rc;
}

static int check_undo(const struct cartridge *c, struct error *err)
{
    int rc = check_writable(c, err);

    if (rc == 0 && c->identity.worm)
        return error_set(err, ERR_PROTECTED, "cartridge %s is WORM: nothing on it was overwritten",
                         c->identity.barcode);
    return rc;
}

int cartridge_undo(struct cartridge *c, uint64_t generation, struct error *err)
{
    struct map then;
    size_t expired;
    int rc = check_undo(c, err);

    if (!rc)
        rc = writer_end_all(c, err);
    if (!rc && c->dirty) /* or else the new generation would hold two cuts */
        rc = super_publish(c, err);
    expired = rc ? 0 : super_limbo_expired(c, cartridge_map(c));
    if (!rc)
        rc = map_at(c, generation, &then, err);
    if (rc)
        return rc;
    if (super_limbo_expired(c, &then) > expired) {
        map_free(&then);
        return error_set(err, ERR_NO_SPACE,
                         "cartridge %s has no room in limbo (%llu bytes) for what the undo would "
                         "take off the tape",
                         c->identity.barcode, (unsigned long long)c->identity.limbo_bytes);
    }
    return super_publish_map(c, &then, err);
}
