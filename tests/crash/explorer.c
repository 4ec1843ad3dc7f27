/* SPDX-License-Identifier: Apache-2.0 */
/* explorer.c - see explorer.h. */
#include "tests/crash/explorer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "vtl/cartridge/cartridge.h"
#include "vtl/store/fault.h"
#include "vtl/store/simdisk.h"

#define OBJECTS_MAX 160 /* on a tape; then it is a life's end */
#define STATES_MAX  4096
#define BLOCK_BIG   150000
#define CUTS_A_LIFE 24
#define FILEMARK    UINT64_C(0x8000000000000000)
#define HABIT       UINT64_C(0x4000000000000000)
#define ATTRIBUTE   0x0800

/* A tape as the oracle knows it: what each object is, and the hash of each prefix. */
struct tape {
    uint64_t ids[OBJECTS_MAX];
    uint64_t hash[OBJECTS_MAX + 1];
    size_t count;
};

struct state {
    uint64_t hash;
    size_t count;
};

struct life {
    const struct explorer_options *options;
    struct explorer_result *result;
    uint64_t rng, next_id, number;
    struct store *disk, *store;
    struct cartridge *c;
    struct tape now;                 /* what the host sees */
    struct tape before;              /* ... and saw before it cut the tape */
    struct state states[STATES_MAX]; /* what a cut may leave; [0] is the last one synced */
    size_t state_count;
    size_t floor;          /* no state since the last sync is shorter */
    uint64_t attribute[2]; /* what it may be: the durable one, the one being set */
    uint8_t block[BLOCK_BIG];
    jmp_buf violated;
};

static uint64_t rnd(struct life *l, uint64_t below)
{
    uint64_t z = l->rng += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

static void violation(struct life *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

static void violation(struct life *l, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(l->result->violation, sizeof(l->result->violation), fmt, ap);
    va_end(ap);
    l->result->violated = true;
    l->result->violated_life = l->number;
    longjmp(l->violated, 1);
}

/* ---- the oracle ------------------------------------------------------------------------------ */

static void tape_cut(struct tape *t, size_t count)
{
    if (count < t->count)
        t->count = count;
}

static void tape_add(struct tape *t, uint64_t id)
{
    t->ids[t->count] = id;
    t->hash[t->count + 1] = (t->hash[t->count] ^ id) * 0x9e3779b97f4a7c15u + 1;
    t->count++;
}

/* A cut may leave the tape as it is now. */
static void state_possible(struct life *l)
{
    struct state s = {l->now.hash[l->now.count], l->now.count};

    if (l->state_count == STATES_MAX)
        violation(l, "the oracle is full: sync more often");
    l->states[l->state_count++] = s;
    if (s.count < l->floor)
        l->floor = s.count;
}

/* A cut must leave the tape as it is now. */
static void state_certain(struct life *l)
{
    l->state_count = 0;
    l->floor = l->now.count;
    state_possible(l);
}

static bool state_known(const struct life *l, const struct tape *t)
{
    for (size_t i = 0; i < l->state_count; i++)
        if (l->states[i].count == t->count && l->states[i].hash == t->hash[t->count])
            return true;
    return false;
}

/* Sizes come in few kinds, so that stale records fall where new ones are expected. */
static uint32_t block_size(uint64_t id)
{
    static const uint32_t sizes[] = {16, 100, 400, 448, 960, 1984, 3000, 448};
    uint64_t z = id * 0xd1342543de82ef95u >> 40;

    if (id & HABIT)
        return 448;
    return z % 64 == 0 ? (uint32_t)(8 + (z >> 6) % (BLOCK_BIG - 8)) : sizes[(z >> 6) % 8];
}

static uint32_t block_fill(uint8_t *out, uint64_t id)
{
    uint32_t len = block_size(id);
    uint64_t word = id;
    uint32_t i = 0;

    for (; i + 8 <= len; i += 8, word = word * 6364136223846793005u + 1442695040888963407u)
        put_le64(out + i, word);
    for (; i < len; i++)
        out[i] = (uint8_t)(word >> (i % 8 * 8));
    return len;
}

static uint64_t block_check(struct life *l, const uint8_t *data, uint32_t len, uint64_t lba)
{
    static uint8_t expected[BLOCK_BIG];
    uint64_t id = len >= 8 ? get_le64(data) : 0;

    if (len < 8 || block_size(id) != len || id >= l->next_id)
        violation(l, "block %llu was never written like this (%u bytes)", (unsigned long long)lba,
                  len);
    block_fill(expected, id);
    if (memcmp(expected, data, len) != 0)
        violation(l, "block %llu is mixed", (unsigned long long)lba);
    l->result->blocks_checked++;
    return id;
}

static void read_tape(struct life *l, struct cartridge *c, struct tape *t)
{
    static uint8_t buf[BLOCK_BIG];
    struct cartridge_position pos;
    struct error err = ERROR_INIT;
    uint64_t files = 0;
    uint32_t len;
    int rc;

    t->count = 0;
    t->hash[0] = 0;
    cartridge_rewind(c);
    while ((rc = cartridge_read(c, buf, sizeof(buf), &len, &err)) != -ERR_END_OF_DATA) {
        if (t->count == OBJECTS_MAX)
            violation(l, "the tape is longer than anything written");
        if (rc == 0)
            tape_add(t, block_check(l, buf, len, t->count));
        else if (rc == -ERR_FILEMARK)
            tape_add(t, FILEMARK);
        else
            violation(l, "reading object %zu: %s", t->count, err.message);
        files += rc != 0;
    }
    cartridge_tell(c, &pos);
    if (pos.eod_lba != t->count || pos.lba != t->count || pos.file != files)
        violation(l, "at end of data: block %llu of %llu, file %llu; read were %zu, %llu",
                  (unsigned long long)pos.lba, (unsigned long long)pos.eod_lba,
                  (unsigned long long)pos.file, t->count, (unsigned long long)files);
}

/* ---- power ----------------------------------------------------------------------------------- */

static void open_again(struct life *l);

/* Cut the power, recover and compare. */
static void cut(struct life *l)
{
    struct tape found;
    uint64_t value = 0;
    size_t len = sizeof(value);

    cartridge_close(l->c);
    l->c = NULL;
    simdisk_power_cut(l->disk);
    l->result->cuts++;
    open_again(l);
    read_tape(l, l->c, &found);
    if (!state_known(l, &found))
        violation(l,
                  "after the cut the tape has %zu objects and is none of the %zu it may be "
                  "(%zu were synced)",
                  found.count, l->state_count, l->states[0].count);
    (void)cartridge_attribute_get(l->c, 0, ATTRIBUTE, &value, &len, NULL);
    if (value != l->attribute[0] && value != l->attribute[1])
        violation(l, "the attribute is neither the old nor the new one");
    l->attribute[0] = l->attribute[1] = value;
    l->now = found;
    state_certain(l);
}

static void open_again(struct life *l)
{
    struct error err = ERROR_INIT;
    int rc;

    if (rnd(l, 8) == 0) /* the recovery is cut as well */
        simdisk_cut_at(l->disk, 1 + rnd(l, 6));
    while ((rc = cartridge_open(l->store, CARTRIDGE_READ_WRITE, &l->c, &err)) != 0) {
        bool excused = simdisk_is_off(l->disk) || (l->options->fail_syncs && rc == -ERR_IO) ||
                       (l->options->full && rc == -ERR_NO_SPACE);

        if (!excused)
            violation(l, "the cartridge can't be opened: %s", err.message);
        l->c = NULL;
        if (simdisk_is_off(l->disk)) {
            simdisk_power_cut(l->disk);
            l->result->cuts++;
        }
    }
    simdisk_cut_at(l->disk, 0);
    if (simdisk_is_off(l->disk)) { /* it opened all the same, and can't go on */
        cartridge_close(l->c);
        simdisk_power_cut(l->disk);
        open_again(l);
    }
}

static bool is_prefix(const struct tape *a, const struct tape *b)
{
    return a->count <= b->count && a->hash[a->count] == b->hash[a->count];
}

/* A call failed and the power did not: the tape must have been put back to something written. */
static void after_error(struct life *l, const struct error *err)
{
    struct tape found;

    l->result->errors_met++;
    if (err->code != ERR_IO && err->code != ERR_NO_SPACE && err->code != ERR_STATE)
        violation(l, "an operation failed strangely: %s", err->message);
    read_tape(l, l->c, &found);
    if (found.count < l->floor || !(is_prefix(&found, &l->now) || is_prefix(&found, &l->before)))
        violation(
            l,
            "after an error (%s) the tape has %zu objects: no prefix of the %zu written, of which "
            "%zu are certain",
            err->message, found.count, l->now.count, l->floor);
    l->now = found;
    state_possible(l);
}

/* ---- operations ------------------------------------------------------------------------------ */

static void settle(struct life *l, int rc, const struct error *err)
{
    if (simdisk_is_off(l->disk)) /* also when the call needed no more of the disk */
        cut(l);
    else if (rc)
        after_error(l, err);
}

static size_t room(const struct life *l)
{
    return OBJECTS_MAX - l->now.count;
}

static void op_write(struct life *l)
{
    struct error err = ERROR_INIT;
    uint64_t id = l->next_id++;
    uint32_t len = block_fill(l->block, id);
    bool run = rnd(l, 16) == 0 && room(l) > 8 && !(id & HABIT);
    uint32_t n = run ? 1 + (uint32_t)rnd(l, 4) : 1;
    int rc;

    for (uint32_t i = 0; i < n; i++)
        tape_add(&l->now, id);
    state_possible(l);
    rc = run ? cartridge_write_run(l->c, l->block, len, n, NULL, &err)
             : cartridge_write(l->c, l->block, len, NULL, &err);
    settle(l, rc, &err);
}

static void op_filemarks(struct life *l)
{
    struct error err = ERROR_INIT;
    uint32_t n = 1 + (uint32_t)rnd(l, 3);

    for (uint32_t i = 0; i < n; i++)
        tape_add(&l->now, FILEMARK);
    state_possible(l);
    settle(l, cartridge_write_filemarks(l->c, n, NULL, &err), &err);
}

static void op_sync(struct life *l)
{
    struct error err = ERROR_INIT;
    uint64_t lost = UINT64_MAX;
    int rc = cartridge_sync(l->c, &lost, &err);

    if (rc == 0)
        state_certain(l);
    else if (!simdisk_is_off(l->disk) && lost > l->now.count)
        violation(l, "a failed sync says that block %llu is lost, of %zu", (unsigned long long)lost,
                  l->now.count);
    settle(l, rc, &err);
}

/* Write over the tape from a random place on; the places are few, so that stale records meet. */
static void op_overwrite(struct life *l)
{
    struct error err = ERROR_INIT;
    size_t at = l->now.count ? rnd(l, 2) ? rnd(l, l->now.count) : l->now.count / 4 * rnd(l, 4) : 0;
    int rc = cartridge_locate(l->c, 0, at, &err);

    if (rc && simdisk_is_off(l->disk))
        return;
    if (rc)
        violation(l, "locating object %zu of %zu: %s", at, l->now.count, err.message);
    l->before = l->now;
    tape_cut(&l->now, at);
    if (at < l->floor) /* if the new data is lost, its place is the end of data */
        l->floor = at;
    if (rnd(l, 4))
        op_write(l);
    else
        op_filemarks(l);
}

static void op_erase(struct life *l)
{
    struct error err = ERROR_INIT;
    size_t at = rnd(l, l->now.count + 1);
    int rc = cartridge_locate(l->c, 0, at, &err);

    if (rc && simdisk_is_off(l->disk))
        return;
    if (rc)
        violation(l, "locating object %zu: %s", at, err.message);
    l->before = l->now;
    tape_cut(&l->now, at);
    state_possible(l);
    rc = cartridge_erase(l->c, &err);
    if (rc == 0)
        state_certain(l);
    settle(l, rc, &err);
}

/* Close, with or without a sync before, and open again: what was not synced may be gone. */
static void op_reopen(struct life *l)
{
    struct tape found;

    if (rnd(l, 2))
        op_sync(l);
    cartridge_close(l->c);
    l->c = NULL;
    if (simdisk_is_off(l->disk)) {
        cut(l);
        return;
    }
    simdisk_cut_at(l->disk, 0);
    open_again(l);
    read_tape(l, l->c, &found);
    if (!state_known(l, &found))
        violation(l, "opened again the tape has %zu objects and is none of the states it may be",
                  found.count);
    l->now = found;
    state_possible(l);
}

static void op_attribute(struct life *l)
{
    struct error err = ERROR_INIT;
    uint64_t value = rnd(l, UINT64_MAX);
    int rc;

    l->attribute[1] = value;
    rc = cartridge_attribute_set(l->c, 0, ATTRIBUTE, &value, sizeof(value), &err);
    if (rc == 0)
        l->attribute[0] = value;
    settle(l, rc, &err);
}

/* What is read beside a writer is a state, too, and not older than the last sync. */
static void op_read_beside(struct life *l)
{
    struct error err = ERROR_INIT;
    struct cartridge *reader;
    struct tape found;

    if (cartridge_open(l->store, CARTRIDGE_READ_ONLY, &reader, &err) != 0)
        violation(l, "a reader can't open the cartridge: %s", err.message);
    read_tape(l, reader, &found);
    cartridge_close(reader);
    /* A recovery that found the disk full could not publish what it found: readers see less. */
    if (!state_known(l, &found) && !l->options->full)
        violation(l, "a reader sees %zu objects, no state of the tape", found.count);
}

static void op_read_self(struct life *l)
{
    struct tape found;

    read_tape(l, l->c, &found);
    if (found.count != l->now.count || found.hash[found.count] != l->now.hash[found.count])
        violation(l, "the writer reads %zu objects, %zu were written", found.count, l->now.count);
}

static const struct {
    unsigned weight;
    bool writes; /* at end of data */
    void (*run)(struct life *l);
} operations[] = {
    {56, true, op_write},     {10, true, op_filemarks},   {12, false, op_sync},
    {8, false, op_overwrite}, {2, false, op_erase},       {4, false, op_reopen},
    {2, false, op_attribute}, {2, false, op_read_beside}, {2, false, op_read_self},
};

static void operate(struct life *l)
{
    uint64_t pick = rnd(l, 98);
    size_t i = 0;

    while (pick >= operations[i].weight)
        pick -= operations[i++].weight;
    if (operations[i].writes)
        cartridge_locate_end(l->c);
    l->before.count = 0;
    operations[i].run(l);
    l->result->operations++;
}

/* The same job again and again from the beginning of the tape: each segment looks like the one
 * before, so an old record that shines through a lost sector is where a new one is expected. */
static void operate_by_habit(struct life *l)
{
    l->before.count = 0;
    if (l->state_count > 1 && l->now.count % 4 == 0) {
        op_sync(l);
    } else if (l->now.count >= 12) {
        cartridge_rewind(l->c);
        l->before = l->now;
        tape_cut(&l->now, 0);
        l->floor = 0;
        op_write(l);
    } else {
        cartridge_locate_end(l->c);
        op_write(l);
    }
    l->result->operations++;
}

/* ---- lives ----------------------------------------------------------------------------------- */

static void life_begin(struct life *l)
{
    static const uint32_t segment_sizes[] = {4096, 4096, 16384, 65536, 1 << 20};
    struct fault_rule swallow = {
        .ops = FAULT_SYNC, .kind = FAULT_SWALLOW, .per_million = l->options->swallow_syncs};
    struct fault_rule retry = {.ops = FAULT_SYNC, .kind = FAULT_RETRY, .per_million = 1000000};
    struct cartridge_identity id;
    struct error err = ERROR_INIT;

    if (simdisk_open(l->rng, &l->disk, &err) != 0 ||
        fault_open(l->disk, l->rng, &l->store, &err) != 0 ||
        cartridge_identity_default(&id, "CRASH1L8", 0x5e, &err) != 0)
        violation(l, "%s", err.message);
    if (l->options->swallow_syncs)
        (void)fault_add(l->store, &swallow, NULL);
    if (l->options->retry_syncs)
        (void)fault_add(l->store, &retry, NULL);
    id.segment_size = segment_sizes[rnd(l, 5)];
    id.capacity = 1 << 30;
    id.early_warning = 0;
    id.limbo_bytes = rnd(l, 2) ? 20000 : 0;
    if (cartridge_create(l->store, &id, &err) != 0)
        violation(l, "%s", err.message);
    simdisk_fail_syncs(l->disk, l->options->fail_syncs);
    if (l->options->full)
        simdisk_set_capacity(l->disk, 100000 + rnd(l, 400000));
    l->attribute[0] = l->attribute[1] = 0;
    l->now.count = 0;
    l->now.hash[0] = 0;
    state_certain(l);
    open_again(l);
}

static void life_run(struct life *l)
{
    life_begin(l);
    uint64_t until = l->result->cuts + CUTS_A_LIFE;

    while (l->result->cuts < until && room(l) >= 10) {
        if (rnd(l, 6) == 0)
            simdisk_cut_at(l->disk, 1 + rnd(l, 8));
        if (l->next_id & HABIT)
            operate_by_habit(l);
        else
            operate(l);
        if (simdisk_is_off(l->disk))
            cut(l);
    }
}

static void life_end(struct life *l)
{
    cartridge_close(l->c);
    store_close(l->store ? l->store : l->disk);
    l->c = NULL;
    l->store = l->disk = NULL;
}

void explorer_run(const struct explorer_options *options, struct explorer_result *result)
{
    struct life *l = calloc(1, sizeof(*l));

    memset(result, 0, sizeof(*result));
    if (!l)
        abort();
    l->options = options;
    l->result = result;
    while (result->cuts < options->cuts && !result->violated) {
        l->number = options->only_life == UINT64_MAX ? result->lives : options->only_life;
        l->rng = options->seed * 0x100000001b3u + l->number;
        l->next_id = (1 + (l->number << 20)) | (l->number % 4 == 3 ? HABIT : 0);
        result->lives++;
        if (setjmp(l->violated) == 0)
            life_run(l);
        life_end(l);
        if (options->only_life != UINT64_MAX)
            break;
    }
    free(l);
}
