/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_background.h - what a drive goes on doing after the status of a command was sent (IMMED).
 *
 *           a command with IMMED      nothing is left to do, and its time is over
 *     IDLE -----------------------> BUSY -------------------------------------------> IDLE
 *                                     |                                                ^
 *                                     | it fails: a deferred error is left             |
 *                                     +------------------------------------------------+
 *
 * The command is found good first: its fields, the position, what protects the medium
 * (SSC-5 4.2.18; HPE and IBM LTO references).  What is left of it is done in steps by the unit's
 * thread, and a command that comes between two steps is answered: what needs the medium with NOT
 * READY, and REQUEST SENSE with what goes on and how far it has come.  Work of a single step that
 * takes no time is done before the next command is looked at, so that a host that does not ask
 * finds all as without IMMED.
 *
 * No abort and no reset ends it, nor does the loss of the nexus it came from; the robot and the end
 * of the target do.
 */
#ifndef CAPSTAN_VTL_SCSI_DRIVE_BACKGROUND_H
#define CAPSTAN_VTL_SCSI_DRIVE_BACKGROUND_H

#include "vtl/scsi/drive.h"

enum operation {
    OPERATION_NONE,
    OPERATION_LOAD,
    OPERATION_UNLOAD,
    OPERATION_REWIND,
    OPERATION_LOCATE,
    OPERATION_ERASE,
    OPERATION_FORMAT,
    OPERATION_CAPACITY,
    OPERATION_VERIFY,
};

/* How far an operation has come; all 0 at the beginning. */
struct progress {
    uint64_t done;     /* the step's own */
    uint16_t progress; /* in 65536ths, for hosts */
};

/* Do the next part of what a command has to do; with lu->device held.  True: all of it is done, or
 * the task's status tells why not. */
typedef bool operation_step(struct scsi_lu *lu, struct scsi_task *task, struct progress *p);

/* Do what is left of a command that was found good, in not less than ms milliseconds: now, or with
 * its IMMED bit set after its status.  step is not called again once it has failed. */
void operation_run(struct scsi_lu *lu, struct scsi_task *task, enum operation what,
                   operation_step *step, unsigned ms);

/* All below with lu->device held. */

/* Before a command is looked at: do what takes no time, notice what is over. */
void operation_settle(struct scsi_lu *lu);
bool operation_goes_on(const struct drive *d);

/* For the unit's thread: is there a step to be done?  Do it. */
enum chores operation_chores(const struct drive *d);
void operation_do_chores(struct scsi_lu *lu);

/* The medium is about to go: what was not begun is done, or (a load) never will be. */
void operation_end(struct scsi_lu *lu);

/* A nexus goes: it may be the one that the operation is of. */
void operation_forget(struct drive *d, const struct scsi_nexus *nexus);

/* What NOT READY tells while something is under way, else 0. */
uint16_t operation_not_ready(const struct drive *d);
/* What REQUEST SENSE tells then; false: nothing is. */
bool operation_sense(const struct drive *d, struct sense *s);
/* How far it has come, in 65536ths. */
uint16_t operation_progress(const struct drive *d);

struct background *operation_create(void); /* NULL: there is no memory */
void operation_destroy(struct background *b);

#endif
