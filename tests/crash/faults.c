/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.c - the same pieces of work again and again, and each time one more call fails.
 *
 * Every n-th call of the store fails (an error, a full disk, a short write, a sync), once, twice
 * or from then on, and every n-th allocation of the cartridge, until the work passes untouched.
 * After each the oracle of life.h is asked: success is reported for nothing that is not there
 * after a power cut, nothing that was synced is lost, and every byte allocated is freed.
 *
 * It is built with the cartridge's own sources, their allocations going through oom_malloc() and
 * its like below.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "tests/crash/script.h"
#include "vtl/store/fault.h"
#include "vtl/store/simdisk.h"

static const char *const scripts[] = {
    "wsFsfwyRsfuswFmsyepsyEwu",          "owFspsFfwpmsyewFuonssynrqsu",
    "AAAAFApAAoAAfAFnAAu0AAyrAAcAqErAF", "wwwwwwwwwywwww0wwwwynnwwsFawu",
    "wsFmfwyegwsFumwygunrsqowpsgmegwu",
};

/* ---- allocations that fail ------------------------------------------------------------------- */

static struct {
    bool armed;
    uint64_t seen, nth, count; /* as of struct fault_rule */
    uint64_t hits;
    int64_t alive;
} oom;

void *oom_malloc(size_t size);
void *oom_calloc(size_t n, size_t size);
void *oom_realloc(void *old, size_t size);
void oom_free(void *p);

static bool oom_strikes(void)
{
    if (!oom.armed || ++oom.seen < oom.nth || (oom.count && oom.seen - oom.nth >= oom.count))
        return false;
    oom.hits++;
    return true;
}

static void *oom_alive(void *p)
{
    oom.alive += p != NULL;
    return p;
}

void *oom_malloc(size_t size)
{
    return oom_strikes() ? NULL : oom_alive(malloc(size));
}

void *oom_calloc(size_t n, size_t size)
{
    return oom_strikes() ? NULL : oom_alive(calloc(n, size));
}

void *oom_realloc(void *old, size_t size)
{
    void *p = oom_strikes() ? NULL : realloc(old, size);

    if (!old)
        oom_alive(p);
    return p;
}

void oom_free(void *p)
{
    oom.alive -= p != NULL;
    free(p);
}

/* ---- one piece of work ----------------------------------------------------------------------- */

static void end_faults(struct life *l)
{
    fault_clear(l->store);
    oom.armed = false;
}

static void begin(struct life *l, uint64_t seed)
{
    struct cartridge_identity id;
    struct error err = ERROR_INIT;

    memset(l, 0, offsetof(struct life, block));
    l->next_id = 1;
    if (simdisk_open(seed, &l->disk, &err) != 0 || fault_open(l->disk, seed, &l->store, &err) != 0)
        life_violation(l, "%s", err.message);
    script_identity(l, &id);
    life_create(l, &id);
    l->on_error = end_faults;
}

/* The faults are over: a sync must succeed, and then nothing that is there may go. */
static void end(struct life *l)
{
    end_faults(l);
    life_sync(l);
    life_cut(l);
    life_reopen(l);
    life_close(l);
    store_close(l->store);
    l->store = l->disk = NULL;
    if (oom.alive != 0)
        life_violation(l, "%lld allocations were never freed", (long long)oom.alive);
}

struct fault_plan {
    const char *name;
    struct fault_rule rule; /* nth is filled in */
    bool allocations;       /* instead */
};

static const struct fault_plan plans[] = {
    {"an error", {.ops = FAULT_ANY & ~FAULT_LOCK, .kind = FAULT_ERROR, .count = 1}, false},
    {"two errors", {.ops = FAULT_ANY & ~FAULT_LOCK, .kind = FAULT_ERROR, .count = 2}, false},
    {"errors for good", {.ops = FAULT_ANY & ~FAULT_LOCK, .kind = FAULT_ERROR}, false},
    {"a failed put", {.ops = FAULT_PUT, .kind = FAULT_ERROR, .count = 2}, false},
    {"no space", {.ops = FAULT_PUT | FAULT_APPEND, .kind = FAULT_FULL, .count = 1}, false},
    {"no space for good", {.ops = FAULT_PUT | FAULT_APPEND, .kind = FAULT_FULL}, false},
    {"a short write", {.ops = FAULT_APPEND, .kind = FAULT_SHORT, .count = 1}, false},
    {"short writes", {.ops = FAULT_APPEND, .kind = FAULT_SHORT}, false},
    {"a failed sync", {.ops = FAULT_SYNC, .kind = FAULT_ERROR, .count = 1}, false},
    {"two failed syncs", {.ops = FAULT_SYNC, .kind = FAULT_ERROR, .count = 2}, false},
    {"failed syncs", {.ops = FAULT_SYNC, .kind = FAULT_ERROR}, false},
    {"an allocation", {.count = 1}, true},
    {"two allocations", {.count = 2}, true},
    {"allocations", {.count = 0}, true},
};

static void arm(struct life *l, const struct fault_plan *plan, uint64_t nth)
{
    struct fault_rule rule = plan->rule;

    rule.nth = nth;
    memset(&oom, 0, sizeof(oom) - sizeof(oom.alive));
    if (plan->allocations) {
        oom.nth = nth;
        oom.count = rule.count;
        oom.armed = true;
    } else {
        (void)fault_add(l->store, &rule, NULL);
    }
}

/* False: the work passed untouched. */
static bool run_once(struct life *l, const char *script, const struct fault_plan *plan,
                     uint64_t nth)
{
    uint64_t hits;

    begin(l, nth);
    arm(l, plan, nth);
    for (const char *step = script; *step; step++)
        script_step(l, *step);
    hits = plan->allocations ? oom.hits : fault_hits(l->store);
    end(l);
    return hits > 0;
}

static bool run_plan(struct life *l, const char *script, const struct fault_plan *plan,
                     uint64_t *runs, uint64_t *errors)
{
    volatile uint64_t nth = 1;

    if (setjmp(l->violated) != 0) {
        printf("faults: %s, %s number %llu: %s\n", script, plan->name, (unsigned long long)nth,
               l->violation);
        oom.alive = 0; /* what was in use then stays so */
        return false;
    }
    while (run_once(l, script, plan, nth)) {
        *errors += l->errors_met;
        nth++;
    }
    *runs += nth;
    return true;
}

int main(void)
{
    struct life *l = calloc(1, sizeof(*l));
    uint64_t all = 0, errors = 0;
    bool good = true;

    if (!l)
        return 99;
    log_set_level(LOG_LEVEL_ERROR);
    for (size_t p = 0; p < sizeof(plans) / sizeof(plans[0]); p++) {
        uint64_t runs = 0;

        for (size_t s = 0; s < sizeof(scripts) / sizeof(scripts[0]); s++)
            good = run_plan(l, scripts[s], &plans[p], &runs, &errors) && good;
        printf("faults: %s: at each of %llu calls\n", plans[p].name, (unsigned long long)runs);
        all += runs;
    }
    printf("faults: %llu runs, %llu errors told\n", (unsigned long long)all,
           (unsigned long long)errors);
    free(l);
    return !good || errors == 0;
}
