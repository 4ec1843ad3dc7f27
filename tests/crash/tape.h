/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape.h - the tape as a test knows it: what every object of every partition must be.
 *
 * Blocks have a 64-bit name that everything about them follows from: length, bytes, and the form
 * they are stored in (plain, or marked as compressed, encrypted, protected, with fields that are
 * compared as well).  A medium is the division into partitions and their objects; each prefix of a
 * partition has a hash, so that two media are compared, and remembered, as one number.
 */
#ifndef CAPSTAN_TESTS_CRASH_TAPE_H
#define CAPSTAN_TESTS_CRASH_TAPE_H

#include "vtl/cartridge/cartridge.h"

#define TAPE_OBJECTS_MAX 160 /* in a partition */
#define TAPE_BLOCK_MAX   150000
#define TAPE_FILEMARK    UINT64_C(0x8000000000000000)
#define TAPE_HABIT       UINT64_C(0x4000000000000000) /* blocks that all have the same length */
#define TAPE_SMALL       UINT64_C(0x2000000000000000) /* one sector */
#define TAPE_LARGE       UINT64_C(0x1000000000000000) /* three sectors */
#define TAPE_NUMBER      UINT64_C(0x0fffffffffffffff) /* of a block, without what it is like */

struct tape {
    size_t count;
    uint64_t ids[TAPE_OBJECTS_MAX];
    uint64_t hash[TAPE_OBJECTS_MAX + 1]; /* of each prefix */
};

struct medium {
    unsigned partitions;
    uint64_t capacity[CARTRIDGE_PARTITIONS];
    struct tape part[CARTRIDGE_PARTITIONS];
};

void tape_cut(struct tape *t, size_t count);
void tape_add(struct tape *t, uint64_t id);
bool tape_is_prefix(const struct tape *a, const struct tape *b);

uint64_t medium_hash(const struct medium *m);
size_t medium_count(const struct medium *m); /* objects of all partitions */
void medium_copy(struct medium *to, const struct medium *from);

/* Everything about block id; returns its stored bytes. */
uint32_t block_form(uint64_t id, struct cartridge_block *form);
uint32_t block_fill(uint8_t *out, uint64_t id);

/* Is this block id, with all its fields? */
bool block_is(const uint8_t *data, const struct cartridge_block *found, uint64_t id);

/* Read the whole cartridge.  0, or TAPE_WRONG: what was read is wrong, *why says how; blocks
 * numbered next_id or more were not written yet; or the error of a call that failed, in words in
 * *why. Position afterwards: end of data of the last partition. */
#define TAPE_WRONG (-1000)
int medium_read(struct cartridge *c, uint64_t next_id, struct medium *m, uint64_t *blocks,
                char why[300]);

#endif
