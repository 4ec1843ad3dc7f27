/* SPDX-License-Identifier: Apache-2.0 */
/* script.c - see script.h. */
#include "tests/crash/script.h"

void script_identity(struct life *l, struct cartridge_identity *id)
{
    struct error err = ERROR_INIT;

    if (cartridge_identity_default(id, "CRASH2L8", 0x5e, &err) != 0)
        life_violation(l, "%s", err.message);
    id->segment_size = 4096;
    id->capacity = SCRIPT_CAPACITY;
    id->early_warning = 0;
    id->limbo_bytes = 1 << 20;
}

static void step_write(struct life *l)
{
    life_write(l, TAPE_LARGE);
}

static void step_short(struct life *l)
{
    life_write(l, TAPE_SMALL);
}

static void step_any(struct life *l)
{
    life_write(l, 0);
}

static void step_habit(struct life *l)
{
    life_write(l, TAPE_HABIT);
}

static void step_run(struct life *l)
{
    life_write_run(l, 3);
}

static void step_filemark(struct life *l)
{
    life_filemarks(l, 1);
}

static void step_filemark_synced(struct life *l)
{
    uint64_t cuts = l->cuts;

    life_filemarks(l, 1);
    if (!life_is_off(l) && l->cuts == cuts)
        life_sync(l);
}

static void step_begin(struct life *l)
{
    life_locate(l, l->partition, 0);
}

static void step_middle(struct life *l)
{
    life_locate(l, l->partition, l->now.part[l->partition].count / 2);
}

static void step_end(struct life *l)
{
    life_locate_end(l, l->partition);
}

static void step_partition(struct life *l)
{
    life_locate_end(l, (l->partition + 1) % l->now.partitions);
}

static void step_unload(struct life *l)
{
    uint64_t cuts = l->cuts;

    life_sync(l);
    if (!life_is_off(l) && l->cuts == cuts)
        life_reopen(l);
}

static void step_divide(struct life *l)
{
    static const uint64_t capacities[2] = {SCRIPT_CAPACITY / 2, SCRIPT_CAPACITY / 4};

    life_format(l, capacities, l->now.partitions == 1 ? 2 : 1);
}

static void step_purge(struct life *l)
{
    life_purge(l, 1);
}

static void step_undo(struct life *l)
{
    life_undo(l, 0);
}

static void step_attribute(struct life *l)
{
    life_attribute(l, l->next_id * 0x9e3779b97f4a7c15u);
}

static const struct {
    char letter;
    void (*run)(struct life *l);
} steps[] = {
    {'w', step_write},
    {'s', step_short},
    {'A', step_any},
    {'h', step_habit},
    {'R', step_run},
    {'f', step_filemark},
    {'F', step_filemark_synced},
    {'y', life_sync},
    {'e', life_erase},
    {'0', step_begin},
    {'m', step_middle},
    {'E', step_end},
    {'p', step_partition},
    {'u', step_unload},
    {'c', life_reopen},
    {'n', step_undo},
    {'g', step_purge},
    {'o', step_divide},
    {'a', step_attribute},
    {'r', life_refresh},
    {'q', life_read_stale},
};

void script_step(struct life *l, char letter)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (steps[i].letter == letter) {
            steps[i].run(l);
            return;
        }
    life_violation(l, "the script has a step '%c', which is none", letter);
}
