/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exhaustive.c - every short history, cut at every call of the store, with every way a cut may go.
 *
 * Where the explorer throws dice, this goes through all there is: each sequence of up to LENGTH of
 * the operations below, on a small tape that has something on it; the power fails at each changing
 * call of the last operation, and behind it (the calls of those before are the business of shorter
 * sequences); and at each of these points the disk keeps nothing of what was not synced, all of it,
 * all but one sector, only one, tears each one, or keeps a few subsets by chance, with and without
 * the names that were not synced.  After each the oracle of life.h is asked.
 *
 *   exhaustive [LENGTH]        4 if not said (3 in a build with sanitizers;
 *                              EXHAUSTIVE_LENGTH in the environment stands for it)
 *   exhaustive --replay OPS    one sequence alone, by its letters
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "tests/crash/script.h"
#include "vtl/store/simdisk.h"

/* A sanitizer makes it ten times slower, and has its own reason to run. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LENGTH_DEFAULT 3
#else
#define LENGTH_DEFAULT 4
#endif
#define LENGTH_MAX 8
#define SUBSETS    3 /* by chance, at each point */

struct tally {
    uint64_t sequences, points, cuts;
};

struct run {
    struct life *life;
    struct store *template;             /* the disk that every sequence begins with */
    struct medium medium;               /* what is on it */
    uint64_t history[LIFE_HISTORY_MAX]; /* ... and was, to which an undo may lead */
    uint64_t next_id;
    const char *sequence;
    uint64_t call; /* of its last operation, that is cut */
    struct tally tally;
    bool cut_seen;
};

/* In the order in which they are gone through; see script.h. */
static const char letters[] = "wsFf0mepyuong";

#define OPERATIONS (sizeof(letters) - 1)

/* ---- all ways a cut may go ------------------------------------------------------------------- */

static bool is_possible(struct life *l, struct cartridge *c)
{
    uint64_t hash;
    char why[300];

    if (medium_read(c, l->next_id, &l->found, &l->blocks_checked, why) != 0)
        life_violation(l, "%s", why);
    hash = medium_hash(&l->found);
    for (size_t i = 0; i < l->state_count; i++)
        if (l->states[i] == hash)
            return true;
    return life_target_reached(l, &l->found);
}

/* What a recovery found stays, whatever happens next. */
static void cut_again(struct life *l, struct store *disk, const struct simdisk_fate *fate)
{
    struct error err = ERROR_INIT;
    struct cartridge *c = NULL;
    uint64_t hash = medium_hash(&l->found);

    simdisk_power_cut_to(disk, fate);
    if (cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err) != 0)
        life_violation(l, "behind a recovery it can't be opened: %s", err.message);
    if (!is_possible(l, c) || medium_hash(&l->found) != hash)
        life_violation(l, "a second cut found another tape than the first recovery");
    cartridge_close(c);
}

/* Who reads before anybody has recovered sees a state as well. */
static void look_first(struct life *l, struct store *disk)
{
    struct cartridge *c = NULL;
    struct error err = ERROR_INIT;

    if (cartridge_open(disk, CARTRIDGE_READ_ONLY, &c, &err) != 0)
        life_violation(l, "a reader can't open the cartridge: %s", err.message);
    if (!is_possible(l, c))
        life_violation(l, "before the recovery a reader sees %zu objects, no state of the medium",
                       medium_count(&l->found));
    cartridge_close(c);
}

static void cut_so(struct run *r, const struct simdisk_fate *fate)
{
    struct life *l = r->life;
    struct store *disk = NULL;
    struct cartridge *c = NULL;
    struct error err = ERROR_INIT;

    if (simdisk_clone(l->disk, &disk, &err) != 0)
        life_violation(l, "%s", err.message);
    simdisk_power_cut_to(disk, fate);
    look_first(l, disk);
    if (cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err) != 0)
        life_violation(l, "the cartridge can't be opened: %s", err.message);
    if (!is_possible(l, c))
        life_violation(l,
                       "the medium has %zu objects and is none of the %zu it may be (spared %d, "
                       "sector %zu, torn %d, filler %u, names %d)",
                       medium_count(&l->found), l->state_count, (int)fate->spared, fate->sector,
                       (int)fate->torn, fate->filler, (int)fate->names);
    cartridge_close(c);
    r->tally.cuts++;
    if (fate->spared == SIMDISK_NOTHING && fate->names)
        cut_again(l, disk, fate);
    store_close(disk);
}

static void cut_all_ways(struct run *r)
{
    size_t sectors = simdisk_dirty_sectors(r->life->disk);
    struct simdisk_fate fate = {.names = true};

    for (int names = 0; names < 2; names++)
        for (int all = 0; all < 2; all++) {
            fate.spared = all ? SIMDISK_EVERYTHING : SIMDISK_NOTHING;
            fate.names = names;
            cut_so(r, &fate);
        }
    for (fate.sector = 0; fate.sector < sectors; fate.sector++) {
        fate.filler = (unsigned)fate.sector;
        fate.torn = false;
        fate.spared = SIMDISK_ONLY_ONE;
        cut_so(r, &fate);
        fate.spared = SIMDISK_ALL_BUT_ONE;
        cut_so(r, &fate);
        fate.torn = true;
        fate.filler++;
        cut_so(r, &fate);
    }
    fate.torn = false;
    fate.spared = SIMDISK_COIN;
    for (unsigned i = 0; sectors > 1 && i < SUBSETS; i++, fate.filler++)
        cut_so(r, &fate);
    r->tally.points++;
}

/* Called when the power has failed and the handles are closed. */
static void at_cut(struct life *l)
{
    static const struct simdisk_fate all = {.spared = SIMDISK_EVERYTHING, .names = true};
    struct run *r = l->context;

    if (!r->cut_seen)
        cut_all_ways(r);
    r->cut_seen = true;
    simdisk_power_cut_to(l->disk, &all);
}

/* ---- one sequence ---------------------------------------------------------------------------- */

static void life_reset(struct run *r)
{
    struct life *l = r->life;

    memset(l, 0, offsetof(struct life, block));
    l->context = r;
    l->cut_power = at_cut;
    r->cut_seen = false;
}

/* A disk with a tape of two partitions, both with something on them, and a point to go back to. */
static void make_template(struct run *r)
{
    struct life *l = r->life;
    struct cartridge_identity id;
    struct error err = ERROR_INIT;

    life_reset(r);
    l->next_id = 1;
    if (simdisk_open(1, &l->disk, &err) != 0)
        life_violation(l, "%s", err.message);
    l->store = l->disk;
    script_identity(l, &id);
    life_create(l, &id);
    for (const char *step = "owFspsu"; *step; step++)
        script_step(l, *step);
    life_close(l);
    r->template = l->disk;
    medium_copy(&r->medium, &l->now);
    memcpy(r->history, l->history, sizeof(r->history));
    r->next_id = l->next_id;
}

static void begin(struct run *r)
{
    struct life *l = r->life;
    struct error err = ERROR_INIT;

    life_reset(r);
    if (simdisk_clone(r->template, &l->disk, &err) != 0)
        life_violation(l, "%s", err.message);
    l->store = l->disk;
    l->next_id = r->next_id;
    medium_copy(&l->now, &r->medium);
    memcpy(l->history, r->history, sizeof(l->history));
    life_state_certain(l);
    life_open(l);
    life_locate_end(l, 0);
}

/* The whole sequence, with the power failing at a call of its last operation.  False: that
 * operation has no so many calls; then it was cut behind it. */
static bool run_once(struct run *r, size_t length)
{
    struct life *l = r->life;
    bool struck;

    begin(r);
    for (size_t i = 0; i + 1 < length; i++)
        script_step(l, r->sequence[i]);
    simdisk_cut_before(l->disk, r->call);
    script_step(l, r->sequence[length - 1]);
    struck = r->cut_seen;
    if (!struck) {
        simdisk_cut_at(l->disk, 0);
        life_cut(l);
    }
    life_close(l);
    store_close(l->disk);
    l->disk = l->store = NULL;
    return struck;
}

/* The first call of an operation fails where the shorter sequence was cut behind its last. */
static bool run_sequence(struct run *r, const char *sequence, size_t length)
{
    struct life *l = r->life;

    r->call = length == 1 ? 1 : 2;
    r->sequence = sequence;
    if (setjmp(l->violated) != 0) {
        printf("exhaustive: %.*s, cut at call %llu of the last operation: %s\n", (int)length,
               sequence, (unsigned long long)r->call, l->violation);
        life_close(l);
        store_close(l->disk);
        l->disk = NULL;
        return false;
    }
    while (run_once(r, length))
        r->call++;
    r->tally.sequences++;
    return true;
}

static bool run_all(struct run *r, size_t length)
{
    char sequence[LENGTH_MAX + 1] = "";
    size_t digits[LENGTH_MAX] = {0}, i;

    do {
        for (i = 0; i < length; i++)
            sequence[i] = letters[digits[i]];
        if (!run_sequence(r, sequence, length))
            return false;
        for (i = length; i > 0 && ++digits[i - 1] == OPERATIONS; i--)
            digits[i - 1] = 0;
    } while (i > 0);
    return true;
}

/* ---- the program ----------------------------------------------------------------------------- */

static void report(const struct tally *t, size_t length, clock_t since)
{
    printf("exhaustive: length %zu: all %llu sequences, %llu crash points, %llu power cuts, %.1f "
           "s\n",
           length, (unsigned long long)t->sequences, (unsigned long long)t->points,
           (unsigned long long)t->cuts, (double)(clock() - since) / CLOCKS_PER_SEC);
    fflush(stdout);
}

static bool explore(struct run *r, size_t length)
{
    bool good = true;

    for (size_t n = 1; good && n <= length; n++) {
        clock_t since = clock();

        memset(&r->tally, 0, sizeof(r->tally));
        good = run_all(r, n);
        report(&r->tally, n, since);
    }
    return good;
}

int main(int argc, char **argv)
{
    static struct run r;
    const char *text = argc > 1 ? argv[1] : getenv("EXHAUSTIVE_LENGTH");
    size_t length = text ? strtoul(text, NULL, 10) : LENGTH_DEFAULT;
    bool good;

    r.life = calloc(1, sizeof(*r.life));
    if (!r.life)
        return 99;
    log_set_level(LOG_LEVEL_ERROR);
    if (setjmp(r.life->violated) != 0) {
        printf("exhaustive: before anything: %s\n", r.life->violation);
        return 1;
    }
    make_template(&r);
    if (argc > 2)
        good = run_sequence(&r, argv[2], strlen(argv[2]));
    else
        good = explore(&r, length < LENGTH_MAX ? length : LENGTH_MAX);
    store_close(r.template);
    free(r.life);
    return !good;
}
