/* SPDX-License-Identifier: Apache-2.0 */
/* explorer.c - see explorer.h. */
#include "tests/crash/explorer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/crash/life.h"
#include "vtl/store/fault.h"
#include "vtl/store/simdisk.h"

#define CUTS_A_LIFE 40
#define CAPACITY    (UINT64_C(1) << 30)

struct explorer {
    const struct explorer_options *options;
    struct explorer_result *result;
    struct life *life;
    uint64_t rng;
    bool habit;
    unsigned peril; /* the power fails within the next calls at one of so many operations */
};

static uint64_t rnd(struct explorer *e, uint64_t below)
{
    uint64_t z = e->rng += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

/* The recovery is cut as well, now and then. */
static void cut_power(struct life *l)
{
    struct explorer *e = l->context;

    simdisk_power_cut(l->disk);
    if (rnd(e, 8) == 0)
        simdisk_cut_at(l->disk, 1 + rnd(e, 6));
}

/* ---- operations ------------------------------------------------------------------------------ */

/* In the fullest partition. */
static size_t room(const struct life *l)
{
    size_t most = 0;

    for (unsigned p = 0; p < l->now.partitions; p++)
        if (l->now.part[p].count > most)
            most = l->now.part[p].count;
    return TAPE_OBJECTS_MAX - most;
}

static void op_write(struct explorer *e)
{
    struct life *l = e->life;

    if (rnd(e, 16) == 0 && room(l) > 8)
        life_write_run(l, 1 + (uint32_t)rnd(e, 4));
    else
        life_write(l, 0);
}

static void op_filemarks(struct explorer *e)
{
    life_filemarks(e->life, 1 + (uint32_t)rnd(e, 3));
}

static void op_sync(struct explorer *e)
{
    life_sync(e->life);
}

/* Write over the tape from a random place on; the places are few, so that stale records meet. */
static void op_overwrite(struct explorer *e)
{
    struct life *l = e->life;
    uint32_t p = (uint32_t)rnd(e, l->now.partitions);
    size_t count = l->now.part[p].count;

    life_locate(l, p, count ? rnd(e, 2) ? rnd(e, count) : count / 4 * rnd(e, 4) : 0);
    if (rnd(e, 4))
        op_write(e);
    else
        op_filemarks(e);
}

static void op_erase(struct explorer *e)
{
    struct life *l = e->life;
    uint32_t p = (uint32_t)rnd(e, l->now.partitions);

    life_locate(l, p, rnd(e, l->now.part[p].count + 1));
    life_erase(l);
}

/* A long erase, or limbo alone; the number of a call's deletions decides where it can be cut. */
static void op_purge(struct explorer *e)
{
    struct life *l = e->life;
    uint64_t cuts = l->cuts;

    if (rnd(e, 2))
        op_erase(e);
    if (!life_is_off(l) && l->cuts == cuts)
        life_purge(l, 1 + (uint32_t)rnd(e, 3));
}

static void op_change(struct explorer *e)
{
    life_locate_end(e->life, (uint32_t)rnd(e, e->life->now.partitions));
    op_write(e);
}

/* The sizes are few, so that a division is met again. */
static void op_format(struct explorer *e)
{
    uint64_t capacities[CARTRIDGE_PARTITIONS];
    unsigned count = 1 + (unsigned)rnd(e, CARTRIDGE_PARTITIONS);

    for (unsigned p = 0; p < count; p++)
        capacities[p] = CAPACITY / count >> rnd(e, 2);
    life_format(e->life, capacities, count);
}

static void op_undo(struct explorer *e)
{
    life_undo(e->life, rnd(e, 2) ? 0 : (unsigned)rnd(e, 4));
}

static void op_attribute(struct explorer *e)
{
    life_attribute(e->life, rnd(e, UINT64_MAX));
}

static void op_reopen(struct explorer *e)
{
    if (rnd(e, 2))
        life_sync(e->life);
    life_reopen(e->life);
}

static void op_read_beside(struct explorer *e)
{
    if (rnd(e, 2))
        life_read_beside(e->life);
    else
        life_refresh(e->life);
}

static void op_read_stale(struct explorer *e)
{
    life_read_stale(e->life);
}

static void op_read_self(struct explorer *e)
{
    life_read_self(e->life);
}

static const struct {
    unsigned weight;
    bool writes; /* at end of data */
    void (*run)(struct explorer *e);
} operations[] = {
    {560, true, op_write},     {100, true, op_filemarks},   {120, false, op_sync},
    {80, false, op_overwrite}, {20, false, op_erase},       {40, false, op_reopen},
    {20, false, op_attribute}, {20, false, op_read_beside}, {5, false, op_read_stale},
    {20, false, op_read_self}, {60, false, op_change},      {8, false, op_format},
    {20, false, op_undo},      {10, false, op_purge},
};

static void operate(struct explorer *e)
{
    static unsigned total;
    uint64_t pick;
    size_t i = 0;

    if (total == 0)
        for (size_t n = 0; n < sizeof(operations) / sizeof(operations[0]); n++)
            total += operations[n].weight;
    pick = rnd(e, total);
    while (pick >= operations[i].weight)
        pick -= operations[i++].weight;
    if (operations[i].writes)
        life_locate_end(e->life, e->life->partition);
    operations[i].run(e);
}

/* The same job again and again from the beginning of the tape: each segment looks like the one
 * before, so an old record that shines through a lost sector is where a new one is expected. */
static void operate_by_habit(struct explorer *e)
{
    struct life *l = e->life;
    size_t count = l->now.part[l->partition].count;

    if (l->state_count > 1 && count % 4 == 0) {
        life_sync(l);
    } else {
        if (count >= 12)
            life_locate(l, (l->partition + 1) % l->now.partitions, 0);
        else
            life_locate_end(l, l->partition);
        life_write(l, TAPE_HABIT);
    }
}

/* ---- lives ----------------------------------------------------------------------------------- */

static void add_plants(const struct explorer *e, struct store *s)
{
    struct fault_rule swallow = {
        .ops = FAULT_SYNC, .kind = FAULT_SWALLOW, .per_million = e->options->swallow_syncs};
    struct fault_rule retry = {.ops = FAULT_SYNC, .kind = FAULT_RETRY, .per_million = 1000000};

    if (e->options->swallow_syncs)
        (void)fault_add(s, &swallow, NULL);
    if (e->options->retry_syncs)
        (void)fault_add(s, &retry, NULL);
}

/* Go on with a clone of the tape, on a disk of its own. */
static void become_clone(struct explorer *e)
{
    struct life *l = e->life;
    struct store *source = l->store;
    struct cartridge_cloned report;
    struct error err = ERROR_INIT;

    life_close(l);
    /* Of another seed, or both would have the same uuid. */
    if (simdisk_open(~e->rng, &l->disk, &err) != 0 ||
        fault_open(l->disk, e->rng, &l->store, &err) != 0 ||
        cartridge_clone(source, l->store, "CLONE1L8", &report, &err) != 0)
        life_violation(l, "%s", err.message);
    store_close(source);
    add_plants(e, l->store);
    life_open(l);
}

static void life_begin(struct explorer *e)
{
    static const uint32_t segment_sizes[] = {4096, 4096, 16384, 65536, 1 << 20};
    struct life *l = e->life;
    struct cartridge_identity id;
    struct error err = ERROR_INIT;

    if (simdisk_open(e->rng, &l->disk, &err) != 0 ||
        fault_open(l->disk, e->rng, &l->store, &err) != 0 ||
        cartridge_identity_default(&id, "CRASH1L8", 0x5e, &err) != 0)
        life_violation(l, "%s", err.message);
    add_plants(e, l->store);
    id.segment_size = segment_sizes[rnd(e, 5)];
    id.capacity = CAPACITY;
    id.early_warning = 0;
    id.limbo_bytes = rnd(e, 3) * 20000;
    life_create(l, &id);
    if ((e->rng & 3) == 0)
        become_clone(e);
    simdisk_fail_syncs(l->disk, e->options->fail_syncs);
    simdisk_fail_writeback(l->disk, e->options->fail_syncs);
    if (e->options->full)
        simdisk_set_capacity(l->disk, 100000 + rnd(e, 400000));
    if (rnd(e, 2)) /* or else it is the end of the tape that is met */
        simdisk_hide_capacity(l->disk);
    if (rnd(e, 2))
        op_format(e);
}

static void life_run(struct explorer *e)
{
    struct life *l = e->life;

    life_begin(e);
    while (l->cuts < CUTS_A_LIFE && room(l) >= 10) {
        if (rnd(e, e->peril) == 0)
            simdisk_cut_at(l->disk, 1 + rnd(e, 8));
        if (e->habit)
            operate_by_habit(e);
        else
            operate(e);
        if (life_is_off(l))
            life_cut(l);
    }
}

static void life_end(struct explorer *e)
{
    struct life *l = e->life;

    life_close(l);
    store_close(l->store ? l->store : l->disk);
    e->result->cuts += l->cuts;
    e->result->operations += l->operations;
    e->result->blocks_checked += l->blocks_checked;
    e->result->errors_met += l->errors_met;
}

/* All of a life is zero before it, but for the media, of which no more than what is set is read. */
static void life_clear(struct explorer *e, uint64_t number)
{
    struct life *l = e->life;

    memset(l, 0, sizeof(*l));
    l->context = e;
    l->cut_power = cut_power;
    l->excuse_io = e->options->fail_syncs != 0;
    l->excuse_full = e->options->full;
    l->look_first = number % 2;
    e->rng = e->options->seed * 0x100000001b3u + number;
    e->habit = number % 4 == 3;
    e->peril = number / 4 % 2 ? 6 : 2;
    l->next_id = 1 + (number << 20 & TAPE_NUMBER >> 4);
}

void explorer_run(const struct explorer_options *options, struct explorer_result *result)
{
    struct explorer e = {.options = options, .result = result, .life = calloc(1, sizeof(*e.life))};

    memset(result, 0, sizeof(*result));
    if (!e.life)
        abort();
    while (result->cuts < options->cuts && !result->violated) {
        uint64_t number = options->only_life == UINT64_MAX ? result->lives : options->only_life;

        life_clear(&e, number);
        result->lives++;
        if (setjmp(e.life->violated) == 0) {
            life_run(&e);
        } else {
            result->violated = true;
            result->violated_life = number;
            snprintf(result->violation, sizeof(result->violation), "%s", e.life->violation);
        }
        life_end(&e);
        if (options->only_life != UINT64_MAX)
            break;
    }
    free(e.life);
}
