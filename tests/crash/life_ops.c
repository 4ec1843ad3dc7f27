/* SPDX-License-Identifier: Apache-2.0 */
/* life_ops.c - what a host does with a cartridge, and what the oracle learns of it; see life.h. */
#include <string.h>

#include "tests/crash/life_internal.h"
#include "vtl/store/simdisk.h"

bool life_is_block(const uint8_t *data, uint32_t stored, uint64_t id)
{
    static uint8_t expected[TAPE_BLOCK_MAX];

    return block_fill(expected, id) == stored && memcmp(expected, data, stored) == 0;
}

void life_create(struct life *l, struct cartridge_identity *id)
{
    struct error err = ERROR_INIT;

    if (cartridge_create(l->store, id, &err) != 0)
        life_violation(l, "%s", err.message);
    l->now.partitions = 1;
    l->now.capacity[0] = id->capacity;
    l->now.part[0].count = 0;
    l->now.part[0].hash[0] = 0;
    life_state_certain(l);
    life_open(l);
}

void life_locate(struct life *l, uint32_t partition, size_t lba)
{
    struct error err = ERROR_INIT;
    int rc = cartridge_locate(l->c, partition, lba, &err);

    l->partition = partition;
    l->lba = lba;
    if (rc && !life_is_off(l) && err.code != ERR_IO && err.code != ERR_NO_MEMORY)
        life_violation(l, "locating object %zu of %zu in partition %u: %s", lba,
                       l->now.part[partition].count, partition, err.message);
    if (rc)
        life_settle(l, rc, &err);
}

void life_locate_end(struct life *l, uint32_t partition)
{
    if (partition != l->partition)
        life_locate(l, partition, 0);
    cartridge_locate_end(l->c);
    l->lba = l->now.part[l->partition].count;
}

/* To write in the middle is to cut. */
static struct tape *begin_writing(struct life *l)
{
    struct tape *t = &l->now.part[l->partition];

    if (l->lba < t->count) {
        medium_copy(&l->before, &l->now);
        l->cutting = true;
        tape_cut(t, l->lba);
        if (l->lba < l->floor[l->partition]) /* if the new data is lost, its place is the end */
            l->floor[l->partition] = l->lba;
    }
    return t;
}

static void end_writing(struct life *l, const struct tape *t)
{
    l->lba = t->count;
    life_state_possible(l, &l->now);
}

void life_write(struct life *l, uint64_t flags)
{
    struct error err = ERROR_INIT;
    uint64_t id = l->next_id++ | flags;
    struct tape *t = begin_writing(l);
    struct cartridge_block form;
    int rc;

    block_form(id, &form);
    block_fill(l->block, id);
    tape_add(t, id);
    end_writing(l, t);
    if (form.length == form.stored && !form.compression && !form.encryption && !form.protection)
        rc = cartridge_write(l->c, l->block, form.length, NULL, &err);
    else
        rc = cartridge_write_block(l->c, &form, l->block, NULL, &err);
    life_settle(l, rc, &err);
}

/* A run has no form: a name is taken whose block is plain. */
void life_write_run(struct life *l, uint32_t count)
{
    struct error err = ERROR_INIT;
    struct tape *t = begin_writing(l);
    struct cartridge_block form;
    uint64_t id;

    do {
        id = l->next_id++;
        block_form(id, &form);
    } while (form.length != form.stored || form.compression || form.encryption || form.protection);
    block_fill(l->block, id);
    for (uint32_t i = 0; i < count; i++)
        tape_add(t, id);
    end_writing(l, t);
    life_settle(l, cartridge_write_run(l->c, l->block, form.length, count, NULL, &err), &err);
}

void life_filemarks(struct life *l, uint32_t count)
{
    struct error err = ERROR_INIT;
    struct tape *t = begin_writing(l);

    for (uint32_t i = 0; i < count; i++)
        tape_add(t, TAPE_FILEMARK);
    end_writing(l, t);
    life_settle(l, cartridge_write_filemarks(l->c, count, NULL, &err), &err);
}

void life_sync(struct life *l)
{
    struct error err = ERROR_INIT;
    uint64_t lost = UINT64_MAX;
    int rc = cartridge_sync(l->c, &lost, &err);

    if (rc == 0)
        life_state_certain(l);
    else if (!life_is_off(l) && lost > TAPE_OBJECTS_MAX)
        life_violation(l, "a failed sync says that block %llu is lost", (unsigned long long)lost);
    life_settle(l, rc, &err);
}

void life_erase(struct life *l)
{
    struct error err = ERROR_INIT;
    struct tape *t = begin_writing(l);
    int rc;

    end_writing(l, t);
    rc = cartridge_erase(l->c, &err);
    if (rc == 0)
        life_state_certain(l);
    life_settle(l, rc, &err);
}

static int count_points(void *ctx, const struct cartridge_point *point)
{
    (void)point;
    ++*(unsigned *)ctx;
    return 0;
}

/* There is nothing to undo any more. */
static void check_purged(struct life *l)
{
    struct error err = ERROR_INIT;
    unsigned points = 0;

    if (cartridge_points(l->c, count_points, &points, &err) == 0 && points)
        life_violation(l, "behind a purge there are %u points to go back to", points);
}

void life_purge(struct life *l, uint32_t most)
{
    struct error err = ERROR_INIT;
    uint64_t left = 0;
    int rc;

    do {
        rc = cartridge_purge(l->c, most, &left, &err);
        if (rc == 0)
            life_state_certain(l);
    } while (rc == 0 && left > 0);
    if (rc == 0 && !life_is_off(l))
        check_purged(l);
    life_settle(l, rc, &err);
}

void life_format(struct life *l, const uint64_t *capacities, unsigned count)
{
    struct error err = ERROR_INIT;
    int rc;

    l->found.partitions = count;
    for (unsigned p = 0; p < count; p++) {
        l->found.capacity[p] = capacities[p];
        l->found.part[p].count = 0;
        l->found.part[p].hash[0] = 0;
    }
    l->alternative = medium_hash(&l->found);
    life_state_possible(l, &l->found);
    rc = cartridge_format(l->c, capacities, count, &err);
    if (rc == 0) {
        life_take_found(l);
        l->partition = 0;
        l->lba = 0;
        life_state_certain(l);
    }
    life_settle(l, rc, &err);
    l->alternative = 0;
}

struct point_wanted {
    unsigned nth;
    struct cartridge_point point;
};

static int take_point(void *ctx, const struct cartridge_point *point)
{
    struct point_wanted *w = ctx;

    w->point = *point;
    return w->nth-- == 0 ? 1 : 0;
}

static uint64_t filemarks_of(const struct medium *m)
{
    uint64_t n = 0;

    for (unsigned p = 0; p < m->partitions; p++)
        for (size_t i = 0; i < m->part[p].count; i++)
            n += m->part[p].ids[i] == TAPE_FILEMARK;
    return n;
}

/* What an undo took off the tape (l->before) is the newest point in turn. */
static void check_undone(struct life *l)
{
    struct error err = ERROR_INIT;
    struct point_wanted w = {.nth = 0};
    bool taken = false;
    int rc;

    for (unsigned p = 0; p < l->before.partitions; p++)
        taken =
            taken || p >= l->now.partitions || !tape_is_prefix(&l->before.part[p], &l->now.part[p]);
    if (!taken)
        return;
    rc = cartridge_points(l->c, take_point, &w, &err);
    if (rc != 1 && l->on_error) { /* a point whose segments can't be looked at is none */
        l->on_error(l);
        w.nth = 0;
        rc = cartridge_points(l->c, take_point, &w, &err);
    }
    if (rc != 1)
        life_violation(l, "behind an undo there is no point to go back to");
    if (w.point.objects != medium_count(&l->before) ||
        w.point.filemarks != filemarks_of(&l->before))
        life_violation(l, "behind an undo the newest point has %llu objects, not the %zu taken off",
                       (unsigned long long)w.point.objects, medium_count(&l->before));
}

void life_undo(struct life *l, unsigned nth)
{
    struct error err = ERROR_INIT;
    struct point_wanted w = {.nth = nth};
    int rc = cartridge_points(l->c, take_point, &w, &err);

    if (rc <= 0 || life_is_off(l)) { /* there are not so many */
        life_settle(l, rc, &err);
        return;
    }
    l->target = (struct life_target){true, w.point.objects, w.point.filemarks};
    medium_copy(&l->before, &l->now);
    rc = cartridge_undo(l->c, w.point.generation, &err);
    if (rc == 0 && !life_is_off(l)) {
        life_read(l, l->c);
        if (!life_target_reached(l, &l->found))
            life_violation(l, "undo to a point of %llu objects led to %zu, no state there ever was",
                           (unsigned long long)w.point.objects, medium_count(&l->found));
        life_take_found(l);
        life_state_certain(l);
        check_undone(l);
    }
    life_settle(l, rc, &err);
    l->target.set = false;
}

void life_attribute(struct life *l, uint64_t value)
{
    struct error err = ERROR_INIT;
    int rc;

    l->attribute[1] = value;
    rc = cartridge_attribute_set(l->c, 0, LIFE_ATTRIBUTE, &value, sizeof(value), &err);
    if (rc == 0)
        l->attribute[0] = value;
    life_settle(l, rc, &err);
}

void life_reopen(struct life *l)
{
    life_close(l);
    if (life_is_off(l)) {
        life_cut(l);
        return;
    }
    life_open(l);
    life_compare(l, "opened again");
    life_state_possible(l, &l->now);
    l->operations++;
}
