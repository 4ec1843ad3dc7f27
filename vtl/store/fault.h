/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault.h - a store over a store that fails on request.
 *
 * Rules are added and taken away at run time, from any thread: "every call of these operations, or
 * the n-th from now, or one in so many, does this".  The first rule that applies decides.  The code
 * under test is the shipped code; it knows nothing of the layer.
 */
#ifndef CAPSTAN_VTL_STORE_FAULT_H
#define CAPSTAN_VTL_STORE_FAULT_H

#include "vtl/store/store.h"

enum fault_op {
    FAULT_PUT = 1 << 0,
    FAULT_APPEND = 1 << 1, /* clones, too */
    FAULT_READ = 1 << 2,
    FAULT_SIZE = 1 << 3,
    FAULT_TRUNCATE = 1 << 4,
    FAULT_SYNC = 1 << 5,
    FAULT_SYNC_NAMES = 1 << 6,
    FAULT_LIST = 1 << 7,
    FAULT_REMOVE = 1 << 8,
    FAULT_LOCK = 1 << 9,
    FAULT_ANY = (1 << 10) - 1,
};

enum fault_kind {
    FAULT_ERROR,   /* ERR_IO, nothing is done */
    FAULT_FULL,    /* ERR_NO_SPACE, nothing is done */
    FAULT_SHORT,   /* append: half is written, then ERR_IO; read: half is read, "the end" */
    FAULT_DELAY,   /* it is done delay_ns later */
    FAULT_SWALLOW, /* nothing is done, and success is reported: a disk that lies */
    FAULT_RETRY,   /* sync: if it fails it is asked again, and the second answer is believed */
    FAULT_ROT,     /* read: one bit of what is read is turned over */
};

struct fault_rule {
    unsigned ops; /* enum fault_op, or-ed */
    enum fault_kind kind;
    uint64_t nth;         /* the nth matching call from now (1: the next); 0: see per_million */
    uint64_t count;       /* how many calls from the nth on; 0: all */
    uint32_t per_million; /* chance of each matching call; 1000000: every one */
    int64_t delay_ns;
};

/* A layer over below; store_close() of *out closes below too.  seed: of the chances. */
int fault_open(struct store *below, uint64_t seed, struct store **out, struct error *err);

/* A layer for those who do not hold the stores that fail: as long as *code is not 0, every PUT,
 * APPEND and SYNC fails with it (an enum error_code).  code must outlive the layer.  Rules may be
 * added too. */
int fault_open_switched(struct store *below, const _Atomic int *code, struct store **out,
                        struct error *err);

/* ERR_RANGE: 16 rules are in force already. */
int fault_add(struct store *s, const struct fault_rule *rule, struct error *err);
void fault_clear(struct store *s);

/* Calls that came by, and calls that a rule was applied to. */
uint64_t fault_calls(struct store *s);
uint64_t fault_hits(struct store *s);

#endif
