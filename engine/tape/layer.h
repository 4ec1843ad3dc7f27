/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer.h - tapes over tapes.
 *
 * A layer is a struct tape that passes everything on to an inner tape, which it does not own:
 *   the magazine  lets one tape stand for several cartridges one after the other, so that a dump
 *                 can go on with the next without a robot;
 *   the fault     layer fails on purpose, so that the shipped code is the tested code.
 *
 * Thread rule: as tape.h; the switches may be set between calls.
 */
#ifndef CAPSTAN_ENGINE_TAPE_LAYER_H
#define CAPSTAN_ENGINE_TAPE_LAYER_H

#include "engine/tape/tape.h"

/* ---- the magazine ------------------------------------------------------------------------------
 */

/* *out stands for inner until tape_magazine_set() puts another in its place.  Closing *out leaves
 * the inner tape open. */
int tape_magazine_open(struct tape *inner, struct tape **out, struct error *err);
void tape_magazine_set(struct tape *magazine, struct tape *inner);

/* ---- the fault layer ---------------------------------------------------------------------------
 */

struct tape_faults {
    uint64_t write_error_at;    /* the n-th write (from 1) and all after it: ERR_IO; 0: none */
    uint64_t read_error_at;     /* the n-th read: ERR_IO, the block is lost; 0: none */
    uint64_t end_at;            /* bytes after which a write is ERR_END_OF_TAPE; 0: none */
    uint64_t early_warning_at;  /* bytes after which a write sets early warning; 0: none */
    bool filemark_error;        /* writing filemarks and syncing: ERR_IO */
    bool lose_position;         /* every tell: ERR_STATE */
    enum error_code write_code; /* instead of ERR_IO; 0: ERR_IO */
};

struct tape_fault_counts {
    uint64_t writes, reads, written; /* calls that reached the layer; bytes passed on */
    uint64_t filemarks;
};

int tape_fault_open(struct tape *inner, const struct tape_faults *faults, struct tape **out,
                    struct error *err);
void tape_fault_set(struct tape *fault, const struct tape_faults *faults);
struct tape_fault_counts tape_fault_count(const struct tape *fault);

#endif
