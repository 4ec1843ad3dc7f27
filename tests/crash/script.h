/* SPDX-License-Identifier: Apache-2.0 */
/*
 * script.h - what a host does, one letter for each step, for tests that repeat the same piece of
 * work.
 *
 *   w write (three sectors)   s write (one sector)   R write a run      A write any kind of block
 *   h write by habit: all such records look alike but for what is in them
 *   f filemark, not synced    F filemark, synced     y sync             e erase from here on
 *   0 locate the beginning    m locate the middle    E locate the end   p the next partition's end
 *   u unload and load         n undo                 g give limbo up    a attribute
 *   o divide the tape otherwise (1 or 2 partitions)  c close without a sync, and open again
 *   r a reader beside looks   q ... goes on with what it knew
 */
#ifndef CAPSTAN_TESTS_CRASH_SCRIPT_H
#define CAPSTAN_TESTS_CRASH_SCRIPT_H

#include "tests/crash/life.h"

#define SCRIPT_CAPACITY (UINT64_C(1) << 24)

/* The identity that fits the divisions of 'o': small segments, undo, no early warning. */
void script_identity(struct life *l, struct cartridge_identity *id);

/* One step.  If the power failed in its first half, the second is left out. */
void script_step(struct life *l, char letter);

#endif
