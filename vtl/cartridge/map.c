/* SPDX-License-Identifier: Apache-2.0 */
/* map.c - which segments make up a partition, and which are in limbo; see internal.h. */
#include <stdlib.h>
#include <string.h>

#include "vtl/cartridge/internal.h"

int segment_list_add(struct segment_list *list, const struct segment *seg, struct error *err)
{
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 8;
        struct segment *items;

        if (list->count >= SEGMENTS_MAX)
            return error_set(err, ERR_NO_SPACE,
                             "the cartridge has %u segments, the most there can be; copy it to a "
                             "new one",
                             SEGMENTS_MAX);
        items = realloc(list->items, room * sizeof(*items));
        if (!items)
            return error_set(err, ERR_NO_MEMORY, "no memory for the map of segments");
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = *seg;
    return 0;
}

void map_free(struct map *map)
{
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        free(map->partition[p].items);
    free(map->limbo.items);
    memset(map, 0, sizeof(*map));
}

struct segment *map_last(const struct map *map, uint32_t partition)
{
    const struct segment_list *list = &map->partition[partition];

    return list->count ? &list->items[list->count - 1] : NULL;
}

struct place map_end(const struct map *map, uint32_t partition)
{
    const struct segment *last = map_last(map, partition);

    return last ? last->end : (struct place){0, 0, 0};
}

const struct segment *map_find(const struct map *map, uint32_t partition, uint64_t lba)
{
    const struct segment_list *list = &map->partition[partition];
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (list->items[mid].end.lba <= lba)
            low = mid + 1;
        else
            high = mid;
    }
    return low < list->count ? &list->items[low] : NULL;
}

const struct segment *map_find_filemark(const struct map *map, uint32_t partition, uint64_t file)
{
    const struct segment_list *list = &map->partition[partition];
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (list->items[mid].end.file <= file)
            low = mid + 1;
        else
            high = mid;
    }
    return low < list->count ? &list->items[low] : NULL;
}

int map_cut(struct map *map, uint32_t partition, const struct place *at, int64_t now,
            uint64_t generation, struct error *err)
{
    struct segment_list *list = &map->partition[partition];
    size_t kept = list->count;
    size_t limbo = map->limbo.count;

    while (kept > 0 && list->items[kept - 1].end.lba > at->lba)
        kept--;
    for (size_t i = kept; i < list->count; i++) {
        struct segment dead = list->items[i];
        int rc;

        dead.died_ns = now;
        dead.died_generation = generation;
        rc = segment_list_add(&map->limbo, &dead, err);
        if (rc) {
            map->limbo.count = limbo;
            return rc;
        }
    }
    if (kept < list->count && list->items[kept].first.lba < at->lba) {
        list->items[kept].end = *at;
        kept++;
    }
    list->count = kept;
    return 0;
}

/* ---- notes -----------------------------------------------------------------------------------
 */

int map_note_ends(struct segment_list *limbo, const struct map *of, uint32_t but, int64_t now,
                  uint64_t generation, struct error *err)
{
    size_t before = limbo->count;

    for (uint32_t p = 0; of->division.count > 1 && p < of->division.count; p++) {
        struct segment note = {.note = NOTE_END, .partition = p};
        int rc;

        if (p == but)
            continue;
        note.first = note.end = map_end(of, p);
        note.died_ns = now;
        note.died_generation = generation;
        rc = segment_list_add(limbo, &note, err);
        if (rc) {
            limbo->count = before;
            return rc;
        }
    }
    return 0;
}

/* The entry has no room of its own for it: the capacities are where places would be. */
int map_note_division(struct segment_list *limbo, const struct division *d, int64_t now,
                      uint64_t generation, struct error *err)
{
    struct segment note = {
        .note = NOTE_DIVISION,
        .first = {d->capacity[0], d->capacity[1], d->capacity[2]},
        .end = {d->capacity[3], d->count, 0},
        .died_ns = now,
        .died_generation = generation,
    };

    return segment_list_add(limbo, &note, err);
}

struct division division_of_note(const struct segment *note)
{
    return (struct division){
        note->end.file <= CARTRIDGE_PARTITIONS ? (uint32_t)note->end.file : 0,
        {note->first.lba, note->first.file, note->first.used, note->end.lba},
    };
}

int map_copy(const struct map *from, struct map *to, struct error *err)
{
    int rc = 0;

    memset(to, 0, sizeof(*to));
    to->division = from->division;
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS && !rc; p++)
        for (size_t i = 0; i < from->partition[p].count && !rc; i++)
            rc = segment_list_add(&to->partition[p], &from->partition[p].items[i], err);
    for (size_t i = 0; i < from->limbo.count && !rc; i++)
        rc = segment_list_add(&to->limbo, &from->limbo.items[i], err);
    if (rc)
        map_free(to);
    return rc;
}

bool map_has(const struct map *map, const struct segment *seg)
{
    const struct segment *s = map_find(map, seg->partition, seg->first.lba);

    return s && s->seq == seg->seq && s->end.lba >= seg->end.lba;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void needed_add(struct needed *needed, const struct segment_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        needed->numbers[needed->count++] = list->items[i].seq;
}

int needed_make(const struct map *map, struct needed *out, struct error *err)
{
    size_t room = map->limbo.count;
    bool sorted = true;

    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        room += map->partition[p].count;
    out->count = 0;
    out->numbers = malloc((room + 1) * sizeof(*out->numbers));
    if (!out->numbers)
        return error_set(err, ERR_NO_MEMORY, "no memory for the numbers of segments");
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        needed_add(out, &map->partition[p]);
    needed_add(out, &map->limbo);
    for (size_t i = 1; i < out->count && sorted; i++)
        sorted = out->numbers[i - 1] <= out->numbers[i];
    if (!sorted)
        qsort(out->numbers, out->count, sizeof(*out->numbers), compare_numbers);
    return 0;
}

bool needed_has(const struct needed *needed, uint64_t seq)
{
    size_t low = 0, high = needed->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (needed->numbers[mid] < seq)
            low = mid + 1;
        else
            high = mid;
    }
    return low < needed->count && needed->numbers[low] == seq;
}

void needed_free(struct needed *needed)
{
    free(needed->numbers);
    needed->numbers = NULL;
}

static bool place_same(const struct place *a, const struct place *b)
{
    return a->lba == b->lba && a->file == b->file && a->used == b->used;
}

/* Does the segment hold in itself?  The bounds keep every later sum from wrapping. */
static bool segment_sane(const struct segment *s, uint32_t partition, uint64_t next_seq)
{
    return s->partition == partition && s->note == NOTE_NONE && s->seq > 0 && s->seq < next_seq &&
           s->end.lba <= INT64_MAX && s->end.used <= INT64_MAX && s->first.lba <= s->end.lba &&
           s->first.file <= s->end.file && s->first.used <= s->end.used &&
           s->end.file - s->first.file <= s->end.lba - s->first.lba &&
           s->end.file - s->first.file <= UINT32_MAX && s->first.file <= s->first.lba &&
           s->records_end <= INT64_MAX && s->died_ns >= 0 &&
           (s->records_end == 0 || s->records_end >= SEGMENT_HEADER_SIZE);
}

bool map_limbo_sane(const struct segment *seg, uint64_t next_seq, uint64_t capacity)
{
    struct division d = division_of_note(seg);

    if (seg->partition >= CARTRIDGE_PARTITIONS || seg->died_ns < 0)
        return false;
    if (seg->note == NOTE_DIVISION)
        return division_sane(&d, capacity);
    if (seg->note == NOTE_END)
        return place_same(&seg->first, &seg->end) && seg->end.lba <= INT64_MAX &&
               seg->end.used <= INT64_MAX && seg->end.file <= seg->end.lba;
    return segment_sane(seg, seg->partition, next_seq);
}

int map_check(const struct map *map, uint64_t next_seq, uint64_t capacity, struct error *err)
{
    if (next_seq > INT64_MAX)
        return error_set(err, ERR_CORRUPT, "the next segment's number is beyond all");
    if (!division_sane(&map->division, capacity))
        return error_set(err, ERR_CORRUPT, "the partitions do not fit on the medium");
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        const struct segment_list *list = &map->partition[p];
        struct place at = {0, 0, 0};
        uint64_t seq = 0;

        for (size_t i = 0; i < list->count; i++) {
            const struct segment *s = &list->items[i];

            if (p >= map->division.count || !segment_sane(s, p, next_seq) || s->seq <= seq ||
                !place_same(&s->first, &at) || s->first.lba == s->end.lba ||
                (s->records_end == 0 && i + 1 < list->count))
                return error_set(err, ERR_CORRUPT,
                                 "the map of the cartridge contradicts itself at segment %zu of "
                                 "partition %u",
                                 i, p);
            at = s->end;
            seq = s->seq;
        }
    }
    for (size_t i = 0; i < map->limbo.count; i++)
        if (!map_limbo_sane(&map->limbo.items[i], next_seq, capacity))
            return error_set(err, ERR_CORRUPT, "the limbo of the cartridge contradicts itself");
    return 0;
}
