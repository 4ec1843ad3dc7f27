/* SPDX-License-Identifier: Apache-2.0 */
/* life.c - see life.h; the operations are in life_ops.c. */
#include "tests/crash/life.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/crash/life_internal.h"
#include "vtl/store/simdisk.h"

void life_violation(struct life *l, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(l->violation, sizeof(l->violation), fmt, ap);
    va_end(ap);
    longjmp(l->violated, 1);
}

/* ---- states ---------------------------------------------------------------------------------- */

static bool history_has(const struct life *l, uint64_t hash)
{
    size_t i = hash & (LIFE_HISTORY_MAX - 1);

    while (l->history[i] != 0 && l->history[i] != hash)
        i = (i + 1) & (LIFE_HISTORY_MAX - 1);
    return l->history[i] == hash;
}

static void history_add(struct life *l, uint64_t hash)
{
    size_t i = hash & (LIFE_HISTORY_MAX - 1);

    while (l->history[i] != 0 && l->history[i] != hash)
        i = (i + 1) & (LIFE_HISTORY_MAX - 1);
    if (l->history[i] == hash)
        return;
    if (++l->history_count > LIFE_HISTORY_MAX / 2)
        life_violation(l, "the oracle's history is full: shorten the life");
    l->history[i] = hash;
}

void life_state_possible(struct life *l, const struct medium *m)
{
    uint64_t hash = medium_hash(m);

    if (l->state_count == LIFE_STATES_MAX)
        life_violation(l, "the oracle is full: sync more often");
    l->states[l->state_count++] = hash;
    history_add(l, hash);
    for (unsigned p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        size_t count = p < m->partitions ? m->part[p].count : 0;

        if (count < l->floor[p])
            l->floor[p] = count;
    }
    if (l->on_state)
        l->on_state(l, hash, false);
}

void life_state_certain(struct life *l)
{
    l->state_count = 0;
    for (unsigned p = 0; p < CARTRIDGE_PARTITIONS; p++)
        l->floor[p] = p < l->now.partitions ? l->now.part[p].count : 0;
    life_state_possible(l, &l->now);
    if (l->on_state)
        l->on_state(l, l->states[0], true);
}

static bool state_known(const struct life *l, uint64_t hash)
{
    for (size_t i = 0; i < l->state_count; i++)
        if (l->states[i] == hash)
            return true;
    return false;
}

bool life_target_reached(const struct life *l, const struct medium *m)
{
    uint64_t filemarks = 0;

    for (unsigned p = 0; p < m->partitions; p++)
        for (size_t i = 0; i < m->part[p].count; i++)
            filemarks += m->part[p].ids[i] == TAPE_FILEMARK;
    return l->target.set && history_has(l, medium_hash(m)) &&
           medium_count(m) == l->target.objects && filemarks == l->target.filemarks;
}

/* What is found becomes what the host sees; reading it left the position at its end. */
void life_take_found(struct life *l)
{
    medium_copy(&l->now, &l->found);
    l->partition = l->now.partitions - 1;
    l->lba = l->now.part[l->partition].count;
    l->target.set = false;
    l->alternative = 0;
    l->cutting = false;
}

/* May a call that only looks fail like this?  Then the faults end, and it is made again. */
bool life_excused(struct life *l, int rc)
{
    if (!l->on_error || life_is_off(l) ||
        (rc != -ERR_IO && rc != -ERR_NO_SPACE && rc != -ERR_NO_MEMORY && rc != -ERR_PERMISSION))
        return false;
    l->errors_met++;
    l->on_error(l);
    return true;
}

void life_read(struct life *l, struct cartridge *c)
{
    char why[300];
    int rc;

    while ((rc = medium_read(c, l->next_id, &l->found, &l->blocks_checked, why)) != 0)
        if (!life_excused(l, rc))
            life_violation(l, "%s", why);
}

const char *life_describe(const struct medium *m, char out[80])
{
    int at = snprintf(out, 80, "%zu", m->part[0].count);

    for (unsigned p = 1; p < m->partitions; p++)
        at += snprintf(out + at, 80 - (size_t)at, "+%zu", m->part[p].count);
    return out;
}

/* ---- power ----------------------------------------------------------------------------------- */

bool life_is_off(const struct life *l)
{
    return l->disk && simdisk_is_off(l->disk);
}

static void power_back(struct life *l)
{
    if (l->cut_power)
        l->cut_power(l);
    else
        simdisk_power_cut(l->disk);
    l->cuts++;
}

void life_close(struct life *l)
{
    cartridge_close(l->c);
    cartridge_close(l->reader);
    l->c = l->reader = NULL;
}

void life_open(struct life *l)
{
    struct error err = ERROR_INIT;
    int rc;

    while ((rc = cartridge_open(l->store, CARTRIDGE_READ_WRITE, &l->c, &err)) != 0) {
        bool excused = (l->excuse_io && rc == -ERR_IO) || (l->excuse_full && rc == -ERR_NO_SPACE);

        l->c = NULL;
        if (life_is_off(l))
            power_back(l);
        else if (!excused && !life_excused(l, rc))
            life_violation(l, "the cartridge can't be opened: %s", err.message);
    }
    if (l->disk)
        simdisk_cut_at(l->disk, 0);
    if (life_is_off(l)) { /* it opened all the same, and can't go on */
        cartridge_close(l->c);
        power_back(l);
        life_open(l);
    }
}

static void check_attribute(struct life *l)
{
    uint64_t value = 0;
    size_t len = sizeof(value);

    (void)cartridge_attribute_get(l->c, 0, LIFE_ATTRIBUTE, &value, &len, NULL);
    if (value != l->attribute[0] && value != l->attribute[1])
        life_violation(l, "the attribute is neither the old nor the new one");
    l->attribute[0] = l->attribute[1] = value;
}

/* The medium that was just opened again must be one that it may be. */
void life_compare(struct life *l, const char *when)
{
    char found[80], now[80];

    life_read(l, l->c);
    if (!state_known(l, medium_hash(&l->found)) && !life_target_reached(l, &l->found))
        life_violation(l, "%s the medium has %s objects and is none of the %zu it may be (now %s)",
                       when, life_describe(&l->found, found), l->state_count,
                       life_describe(&l->now, now));
    check_attribute(l);
    life_take_found(l);
}

/* ---- errors ---------------------------------------------------------------------------------- */

/* ERR_PERMISSION: a real file system that met an error may go on read-only. */
static bool code_expected(const struct life *l, enum error_code code)
{
    return (code == ERR_PERMISSION && !l->disk) || code == ERR_IO || code == ERR_NO_SPACE ||
           code == ERR_STATE || code == ERR_NO_MEMORY || code == ERR_END_OF_TAPE ||
           code == ERR_NOT_FOUND;
}

static bool error_excuses(const struct life *l, const struct medium *m)
{
    if (l->alternative && medium_hash(m) == l->alternative)
        return true;
    if (life_target_reached(l, m))
        return true;
    if (m->partitions != l->now.partitions)
        return false;
    for (unsigned p = 0; p < m->partitions; p++)
        if (m->part[p].count < l->floor[p] ||
            !(tape_is_prefix(&m->part[p], &l->now.part[p]) ||
              (l->cutting && tape_is_prefix(&m->part[p], &l->before.part[p]))))
            return false;
    return true;
}

/* A call failed and the power did not: the tape must have been put back to something written. */
static void after_error(struct life *l, const struct error *err)
{
    char found[80], now[80];

    l->errors_met++;
    if (!code_expected(l, err->code))
        life_violation(l, "an operation failed strangely: %s", err->message);
    if (l->on_error)
        l->on_error(l);
    life_read(l, l->c);
    if (!error_excuses(l, &l->found))
        life_violation(l,
                       "after an error (%.200s) the medium has %s objects: no prefix of the %s "
                       "written, of which %zu+%zu are certain",
                       err->message, life_describe(&l->found, found), life_describe(&l->now, now),
                       l->floor[0], l->floor[1]);
    life_take_found(l);
    life_state_possible(l, &l->now);
}

void life_settle(struct life *l, int rc, const struct error *err)
{
    if (life_is_off(l)) /* also when the call needed no more of the disk */
        life_cut(l);
    else if (rc)
        after_error(l, err);
    l->cutting = false;
    l->operations++;
}

/* ---- looking --------------------------------------------------------------------------------- */

void life_read_self(struct life *l)
{
    char found[80], now[80];

    life_read(l, l->c);
    if (medium_hash(&l->found) != medium_hash(&l->now))
        life_violation(l, "the writer reads %s objects, %s were written",
                       life_describe(&l->found, found), life_describe(&l->now, now));
    life_take_found(l);
}

/* What is read beside a writer is a state, too, and not older than the last sync.  A recovery that
 * found the disk full could not publish what it found: then readers see less. */
static void check_view(struct life *l)
{
    char found[80], now[80];

    if (!state_known(l, medium_hash(&l->found)) && !l->excuse_full)
        life_violation(l, "a reader sees %s objects, no state of the medium (now %s)",
                       life_describe(&l->found, found), life_describe(&l->now, now));
}

void life_read_beside(struct life *l)
{
    struct error err = ERROR_INIT;
    struct cartridge *reader;
    int rc;

    while ((rc = cartridge_open(l->store, CARTRIDGE_READ_ONLY, &reader, &err)) != 0)
        if (!life_excused(l, rc))
            life_violation(l, "a reader can't open the cartridge: %s", err.message);
    cartridge_close(l->reader);
    l->reader = reader;
    life_read(l, reader);
    check_view(l);
    medium_copy(&l->seen, &l->found);
}

void life_refresh(struct life *l)
{
    struct error err = ERROR_INIT;
    int rc;

    if (!l->reader) {
        life_read_beside(l);
        return;
    }
    while ((rc = cartridge_refresh(l->reader, &err)) != 0)
        if (!life_excused(l, rc))
            life_violation(l, "a reader can't refresh: %s", err.message);
    life_read(l, l->reader);
    check_view(l);
    medium_copy(&l->seen, &l->found);
}

static int read_object(struct life *l, unsigned p, size_t lba, struct cartridge_block *block,
                       struct error *err)
{
    int rc;

    do {
        rc = cartridge_locate(l->reader, p, lba, err);
        if (rc == 0)
            rc = cartridge_read_block(l->reader, l->block, sizeof(l->block), block, err);
    } while (rc != 0 && life_excused(l, rc));
    return rc;
}

/* A view grows old: what it has is the same, or it is said that it is gone. */
void life_read_stale(struct life *l)
{
    if (!l->reader)
        return;
    for (unsigned p = 0; p < l->seen.partitions; p++)
        for (size_t i = 0; i < l->seen.part[p].count; i++) {
            struct cartridge_block block;
            struct error err = ERROR_INIT;
            uint64_t id = l->seen.part[p].ids[i];
            int rc = read_object(l, p, i, &block, &err);

            if (rc == -ERR_CORRUPT || (rc == -ERR_FILEMARK && id == TAPE_FILEMARK))
                continue;
            if (rc != 0 || !life_is_block(l->block, block.stored, id))
                life_violation(l, "a reader that looked long ago reads object %zu as another: %s",
                               i, err.message);
        }
}

/* ---- a whole cut ----------------------------------------------------------------------------- */

/* Who reads before anybody has recovered sees a state as well. */
static void look_first(struct life *l)
{
    struct error err = ERROR_INIT;

    if (life_is_off(l) || cartridge_open(l->store, CARTRIDGE_READ_ONLY, &l->reader, &err) != 0)
        return;
    life_read(l, l->reader);
    if (!life_target_reached(l, &l->found))
        check_view(l);
    cartridge_close(l->reader);
    l->reader = NULL;
}

void life_cut(struct life *l)
{
    life_close(l);
    power_back(l);
    if (l->look_first)
        look_first(l);
    life_open(l);
    life_compare(l, "after the cut");
    life_state_certain(l);
}
