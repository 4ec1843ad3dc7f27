/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition.c - dividing the tape, and what a cartridge needs of newer formats.
 *
 * A cartridge is of format version 1 until it uses something that version 1 has not; then its
 * identity says so, durably, before the first of it is written.
 */
#include "vtl/cartridge/internal.h"

#include "common/checked.h"

struct division division_whole(const struct cartridge_identity *id)
{
    return (struct division){1, {id->capacity}};
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
uint64_t partition_early_warning(const struct cartridge *c, uint32_t partition)
{
    uint64_t capacity = cartridge_partition_capacity(c, partition);
    uint64_t zone = c->identity.early_warning;

    if (cartridge_partition_count(c) > 1 && zone > capacity / 2)
        zone = capacity / 2;
    return zone < capacity ? capacity - zone : 0;
}

int cartridge_need(struct cartridge *c, uint32_t features, struct error *err)
{
    uint8_t raw[IDENTITY_SIZE];
    int rc;

    if ((c->features & features) == features)
        return 0;
    identity_encode(&c->identity, c->features | features, raw);
    rc = store_put(c->store, IDENTITY_OBJECT, raw, sizeof(raw), err);
    if (rc)
        return rc;
    c->features |= features;
    c->super.divided = c->features & FEATURE_DIVIDED;
    return 0;
}

unsigned cartridge_partition_count(const struct cartridge *c)
{
    return c->super.map.division.count;
}

uint64_t cartridge_partition_capacity(const struct cartridge *c, uint32_t partition)
{
    return partition < CARTRIDGE_PARTITIONS ? c->super.map.division.capacity[partition] : 0;
}

int cartridge_format(struct cartridge *c, const uint64_t *capacities, unsigned count,
                     struct error *err)
{
    (void)capacities;
    return error_set(err, ERR_UNSUPPORTED, "cartridge %s can't be divided in %u partitions yet",
                     c->identity.barcode, count);
}
