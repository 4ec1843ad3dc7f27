/* SPDX-License-Identifier: Apache-2.0 */
/*
 * past.h - what a drive was doing when the runner last had it, so that a restart of the runner is
 * no surprise to hosts that only see a pause.
 *
 * One small file in the library's root, "run/tcmu-drive-N".  It tells of this boot of the machine
 * only: LIO's devices do not outlive it, and a drive that comes back from a power cycle is at the
 * beginning of its tape.  So it need not be synchronised.
 *
 *      (no file, other boot) --past_begin--> IN USE --past_end--> ENDED at a position
 *                                              |  ^                     |
 *                                  runner died |  +-----past_begin------+
 *                                              v
 *                                      found IN USE by the next: the position is lost
 *
 * Thread rule: one thread per drive.
 */
#ifndef CAPSTAN_VTL_TCMU_PAST_H
#define CAPSTAN_VTL_TCMU_PAST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "vtl/library/library.h"

enum past_kind {
    PAST_NONE,  /* this machine has not had the drive since it booted */
    PAST_ENDED, /* it was closed; the rest of struct past tells where */
    PAST_LOST,  /* the runner died with it */
};

struct past {
    enum past_kind kind;
    uint32_t partition;
    uint64_t block;
    char barcode[CARTRIDGE_BARCODE_MAX + 1]; /* "": there was no tape to be at */
};

/* What the file says; one that says nothing sensible is PAST_LOST. */
void past_read(const char *root, unsigned drive, struct past *out);

/* The drive is in use from now on.  An error: the file can't be written. */
int past_begin(const char *root, unsigned drive, struct error *err);

/* It was closed: past tells where.  If that can't be written, the next start finds it lost. */
void past_end(const char *root, unsigned drive, const struct past *past);

#endif
