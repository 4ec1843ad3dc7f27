/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - the crash explorer as a program, and, built with a PLANT, as a test of itself: with a
 * planted bug it must object, or it could not be believed when it does not.
 *
 *   explorer [--cuts N] [--seed S] [--life L] [--fail-syncs PPM] [--swallow-syncs PPM] [--full]
 *
 * CRASH_CUTS and CRASH_SEED in the environment stand for the options.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "tests/crash/explorer.h"

/* A sanitizer makes it eight times slower, and has its own reason to run. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CUTS_DEFAULT 20000
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CUTS_DEFAULT 20000
#endif
#endif
#ifndef CUTS_DEFAULT
#define CUTS_DEFAULT 200000
#endif

#ifndef PLANT
#define PLANT NULL
#endif
#ifndef PLANT_RETRY_SYNCS
#define PLANT_RETRY_SYNCS 0
#endif
#ifndef PLANT_SWALLOW_SYNCS
#define PLANT_SWALLOW_SYNCS 0
#endif

static int usage(void)
{
    fprintf(stderr, "usage: explorer [--cuts N] [--seed S] [--life L] [--fail-syncs PPM] "
                    "[--swallow-syncs PPM] [--full]\n");
    return 2;
}

static bool parse(int argc, char **argv, struct explorer_options *o)
{
    for (int i = 1; i < argc; i++) {
        uint64_t value;

        if (strcmp(argv[i], "--full") == 0) {
            o->full = true;
            continue;
        }
        if (i + 1 >= argc)
            return false;
        value = strtoull(argv[i + 1], NULL, 0);
        if (strcmp(argv[i], "--cuts") == 0)
            o->cuts = value;
        else if (strcmp(argv[i], "--seed") == 0)
            o->seed = value;
        else if (strcmp(argv[i], "--life") == 0)
            o->only_life = value;
        else if (strcmp(argv[i], "--fail-syncs") == 0)
            o->fail_syncs = (uint32_t)value;
        else if (strcmp(argv[i], "--swallow-syncs") == 0)
            o->swallow_syncs = (uint32_t)value;
        else
            return false;
        i++;
    }
    return true;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);

    return value && *value ? strtoull(value, NULL, 0) : otherwise;
}

/* One run; true if the oracle objected. */
static bool explore(const struct explorer_options *o, const char *what)
{
    struct explorer_result r;
    clock_t begin = clock();

    explorer_run(o, &r);
    printf("%s: seed %llu: %llu power cuts in %llu lives, %llu operations, %llu blocks compared, "
           "%llu errors met, %.1f s\n",
           what, (unsigned long long)o->seed, (unsigned long long)r.cuts,
           (unsigned long long)r.lives, (unsigned long long)r.operations,
           (unsigned long long)r.blocks_checked, (unsigned long long)r.errors_met,
           (double)(clock() - begin) / CLOCKS_PER_SEC);
    if (r.violated)
        printf("%s: %s\n  replay: --seed %llu --life %llu\n", what, r.violation,
               (unsigned long long)o->seed, (unsigned long long)r.violated_life);
    fflush(stdout);
    return r.violated;
}

int main(int argc, char **argv)
{
    const char *plant = PLANT;
    struct explorer_options o = {
        .seed = from_environment("CRASH_SEED", 1),
        .cuts = from_environment("CRASH_CUTS", CUTS_DEFAULT),
        .only_life = UINT64_MAX,
        .swallow_syncs = PLANT_SWALLOW_SYNCS,
        .retry_syncs = PLANT_RETRY_SYNCS,
        .fail_syncs = PLANT_RETRY_SYNCS ? 100000 : 0,
    };
    bool violated;

    if (!parse(argc, argv, &o))
        return usage();
    log_set_level(LOG_LEVEL_ERROR); /* each rescue is a warning */
    violated = explore(&o, plant ? plant : "power cuts");
    if (plant) {
        printf("%s: the explorer %s\n", plant,
               violated ? "noticed, as it must" : "did NOT notice the planted bug");
        return !violated;
    }
    if (argc > 1 || violated)
        return violated;
    /* The same with a disk that fails and one that is full, in a tenth of the cuts. */
    o.cuts /= 10;
    o.fail_syncs = 200000;
    violated = explore(&o, "failing syncs");
    o.fail_syncs = 0;
    o.full = true;
    return explore(&o, "full disk") || violated;
}
