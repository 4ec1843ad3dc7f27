/* SPDX-License-Identifier: Apache-2.0 */
/*
 * room.c - a store that fills up looks like the end of the tape, and not like a broken one.
 *
 *     free  |----------------|-----------------|---------|-----|
 *           as ever          early warning     no more   no more filemarks
 *                            (ZONE)            blocks    (a quarter of RESERVE)
 *                                              (RESERVE)
 *
 * Early warning comes while a host can still write what it writes behind it; then blocks are
 * refused as at the physical end, while filemarks, the syncs they ask for and the superblocks have
 * a reserve. Both are measured on the store, so that a small one is not all warning.
 *
 * The store is asked once for each piece that is handed to it (1 MiB), and when the last answer is
 * a second old; in between what is collected is taken off.  Others may fill the same store
 * meanwhile: if they are faster than the zone is wide, the store says that it is full, and writer.c
 * saves what can be saved.
 */
#include "vtl/cartridge/internal.h"

#define ZONE_MAX    (64u << 20)
#define RESERVE_MAX (16u << 20)
#define ANSWER_NS   1000000000 /* how long an answer is good for */

#define SUPER_ENTRY_BYTES 112

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Two superblocks are put beside the old ones before those go. */
static uint64_t reserve(const struct cartridge *c)
{
    uint64_t entries = c->super.map.limbo.count + 8;

    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        entries += c->super.map.partition[p].count;
    return smaller(c->room.total / 64, RESERVE_MAX) + 2 * entries * SUPER_ENTRY_BYTES;
}

static uint64_t zone(const struct cartridge *c)
{
    uint64_t asked = c->identity.early_warning;

    return smaller(asked, smaller(c->room.total / 16, ZONE_MAX));
}

/* What is collected and not handed over yet is as good as gone. */
static uint64_t left(const struct cartridge *c)
{
    uint64_t collected = 0;

    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        if (c->writer[p].open)
            collected += c->writer[p].len - c->writer[p].flushed;
    return c->room.free > collected ? c->room.free - collected : 0;
}

void room_ask(struct cartridge *c)
{
    c->room.known = store_free(c->store, &c->room.free, &c->room.total, NULL) == 0;
    c->room.asked_ns = store_now(c->store);
}

bool room_low(const struct cartridge *c)
{
    return c->mode == CARTRIDGE_READ_WRITE && c->room.known && left(c) < reserve(c) + zone(c);
}

int room_check(struct cartridge *c, enum record_type type, uint64_t bytes, struct error *err)
{
    uint64_t extent = record_extent((uint32_t)bytes), keep;

    if (store_now(c->store) - c->room.asked_ns > ANSWER_NS)
        room_ask(c);
    if (!c->room.known || left(c) >= reserve(c) + zone(c) + extent)
        return 0;
    if (c->super.map.limbo.count > 0) {
        super_drop_limbo(c);
        room_ask(c);
    }
    keep = type == RECORD_FILEMARK ? reserve(c) / 4 : reserve(c);
    if (!c->room.known || left(c) >= keep + extent)
        return 0;
    return error_set(err, ERR_END_OF_TAPE,
                     "the store of cartridge %s is full: it takes no more until room is made there",
                     c->identity.barcode);
}
