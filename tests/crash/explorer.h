/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explorer.h - cut the power at random moments of random tape work, and look at what is left.
 *
 * A life is one cartridge on one simulated disk, from one seed: operations, cuts, recoveries.  An
 * oracle knows every state the tape was in since the last good sync; after each cut the tape must
 * be exactly one of them: every synchronised block identical, a prefix in writing order, nothing
 * stale, nothing mixed, an overwrite wholly done or not at all.
 */
#ifndef CAPSTAN_TESTS_CRASH_EXPLORER_H
#define CAPSTAN_TESTS_CRASH_EXPLORER_H

#include <stdbool.h>
#include <stdint.h>

struct explorer_options {
    uint64_t seed;
    uint64_t cuts;          /* power cuts to make, over all lives */
    uint64_t only_life;     /* replay this life alone; UINT64_MAX: all */
    uint32_t swallow_syncs; /* per million: syncs that report success and do nothing (a plant) */
    uint32_t fail_syncs;    /* per million: syncs that fail, as fsync does */
    bool retry_syncs;       /* a failed sync is asked again and then believed (a plant) */
    bool full;              /* the disk runs full now and then */
    bool verbose;
};

struct explorer_result {
    uint64_t cuts, lives, operations, blocks_checked, errors_met;
    bool violated;
    uint64_t violated_life;
    char violation[500];
};

/* Explore until the cuts are made or the oracle objects. */
void explorer_run(const struct explorer_options *options, struct explorer_result *result);

#endif
