/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition.c - dividing the tape, and what a cartridge needs of newer formats.
 *
 * A cartridge is of format version 1 until it uses something that version 1 has not; then its
 * identity says so, durably, before the first of it is written.
 */
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "vtl/cartridge/internal.h"

struct division division_whole(const struct cartridge_identity *id)
{
    return (struct division){1, {id->capacity}};
}

bool division_same(const struct division *a, const struct division *b)
{
    return a->count == b->count && memcmp(a->capacity, b->capacity, sizeof(a->capacity)) == 0;
}

bool division_sane(const struct division *d, uint64_t capacity)
{
    uint64_t sum = 0;

    if (d->count == 0 || d->count > CARTRIDGE_PARTITIONS)
        return false;
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        if ((d->capacity[p] > 0) != (p < d->count) || !checked_add(sum, d->capacity[p], &sum))
            return false;
    return sum <= capacity;
}

/* A small partition must not be all zone: at most half of it is. */
uint64_t cartridge_early_warning(const struct cartridge *c, uint32_t partition)
{
    uint64_t capacity = cartridge_partition_capacity(c, partition);
    uint64_t zone = c->identity.early_warning;

    if (cartridge_partition_count(c) > 1 && zone > capacity / 2)
        zone = capacity / 2;
    return zone < capacity ? capacity - zone : 0;
}

int cartridge_need(struct cartridge *c, uint32_t features, struct error *err)
{
    int rc;

    if ((c->features & features) == features)
        return 0;
    rc = identity_put(c->store, &c->identity, c->features | features, err);
    if (rc)
        return rc;
    c->features |= features;
    c->super.divided = c->features & FEATURE_DIVIDED;
    return 0;
}

bool cartridge_has_stored_forms(const struct cartridge *c)
{
    return c->features & FEATURE_BLOCKS;
}

unsigned cartridge_partition_count(const struct cartridge *c)
{
    return c->super.map.division.count;
}

uint64_t cartridge_partition_capacity(const struct cartridge *c, uint32_t partition)
{
    return partition < CARTRIDGE_PARTITIONS ? c->super.map.division.capacity[partition] : 0;
}

/* ---- formatting -------------------------------------------------------------------------------
 */

static int check_format(struct cartridge *c, const struct division *d, struct error *err)
{
    int rc = check_writable(c, err);

    if (rc)
        return rc;
    if (!division_sane(d, c->identity.capacity))
        return error_set(
            err, ERR_RANGE,
            "cartridge %s can't be divided like that: 1 to %d partitions of at least 1 "
            "byte are possible, of together %llu bytes",
            c->identity.barcode, CARTRIDGE_PARTITIONS, (unsigned long long)c->identity.capacity);
    for (uint32_t p = 0; c->identity.worm && p < CARTRIDGE_PARTITIONS; p++)
        if (map_end(cartridge_map(c), p).lba > 0)
            return error_set(err, ERR_PROTECTED,
                             "cartridge %s is WORM and has been written: it can't be formatted",
                             c->identity.barcode);
    return 0;
}

/* The map of the empty tape, divided by d, with what it held in limbo. */
static int map_divided(struct cartridge *c, const struct division *d, struct map *out,
                       struct error *err)
{
    int64_t now = store_now(c->store);
    uint64_t generation = c->super.generation + 1;
    int rc = map_copy(cartridge_map(c), out, err);

    if (rc)
        return rc;
    for (uint32_t p = 0; rc == 0 && p < CARTRIDGE_PARTITIONS; p++)
        rc = map_cut(out, p, &(struct place){0}, now, generation, err);
    if (rc == 0 && (out->division.count > 1 || !division_same(d, &out->division)))
        rc = map_note_division(&out->limbo, &out->division, now, generation, err);
    out->division = *d;
    if (rc)
        map_free(out);
    return rc;
}

/* The attributes of partitions go with them; those of the medium stay. */
static int publish_divided(struct cartridge *c, struct map *map, struct error *err)
{
    struct attributes before[CARTRIDGE_PARTITIONS];
    int rc;

    memcpy(before, c->super.attributes, sizeof(before));
    for (uint32_t p = 1; p < CARTRIDGE_PARTITIONS; p++)
        c->super.attributes[p] = (struct attributes){0};
    rc = super_publish_map(c, map, err);
    for (uint32_t p = 1; p < CARTRIDGE_PARTITIONS; p++)
        if (rc)
            c->super.attributes[p] = before[p];
        else
            free(before[p].list);
    return rc;
}

int cartridge_format(struct cartridge *c, const uint64_t *capacities, unsigned count,
                     struct error *err)
{
    struct division d = {.count = count}, whole = division_whole(&c->identity);
    struct map map;
    int rc;

    for (unsigned p = 0; p < count && p < CARTRIDGE_PARTITIONS; p++)
        d.capacity[p] = capacities[p];
    rc = check_format(c, &d, err);
    if (rc == 0)
        rc = writer_end_all(c, err);
    if (rc == 0 && c->dirty) /* the new generation must hold this cut alone */
        rc = super_publish(c, err);
    if (rc == 0 && !division_same(&d, &whole))
        rc = cartridge_need(c, FEATURE_DIVIDED, err);
    if (rc == 0)
        rc = map_divided(c, &d, &map, err);
    return rc ? rc : publish_divided(c, &map, err);
}
