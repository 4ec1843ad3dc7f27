/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rig.h - what the oracle drives: a library with one drive, two nexuses, and a few small tapes.
 *
 * Commands are sent one at a time.  Data-in goes into a heap block of exactly the room given, so
 * that the address sanitizer sees one byte too many.  A call of the product that must not fail and
 * does ends the program with its message.  One rig per program; no thread of its own.
 */
#ifndef CAPSTAN_TESTS_ORACLE_RIG_H
#define CAPSTAN_TESTS_ORACLE_RIG_H

#include "tests/oracle/model.h"
#include "vtl/scsi/scsi.h"

/* The tapes, each in its own slot when it is not in the drive. */
enum rig_tape { RIG_PLAIN, RIG_FULL, RIG_LARGE, RIG_PROTECTED, RIG_WORM, RIG_DIVIDED, RIG_TAPES };

struct rig_answer {
    uint8_t status;
    uint8_t sense[SCSI_SENSE_MAX];
    size_t sense_len;
    uint8_t *in; /* valid until the next command */
    size_t in_len;
    uint64_t in_want;
};

void rig_start(void); /* the drive is empty; power-on attentions are pending */
void rig_stop(void);

/* A tape's size as it was made. */
void rig_tape_size(enum rig_tape tape, uint64_t *capacity, uint64_t *early_warning);

/* Put a tape into the drive, or (RIG_TAPES) take out what is in it. */
void rig_load(enum rig_tape tape);

/* Replace a tape that is not in the drive by a new one; set its tab. */
void rig_blank(enum rig_tape tape);
void rig_protect(enum rig_tape tape, bool on);

/* Divide a tape that is not in the drive. */
void rig_divide(enum rig_tape tape, const uint64_t *capacities, unsigned count);

/* out: r->out_len bytes. */
const struct rig_answer *rig_run(const struct model_request *r, const uint8_t *out);

/* Where the drive believes to be, without a command. */
void rig_state(struct scsi_drive_state *state);

#endif
