/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit.h - a device of the handler: a logical unit, the command that it runs, and whether it is
 * known where its tape is.
 *
 * Thread rule: the device's own thread; opening and closing it, the runner's main thread.
 */
#ifndef CAPSTAN_VTL_TCMU_UNIT_H
#define CAPSTAN_VTL_TCMU_UNIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "vtl/control/models.h"
#include "vtl/library/library.h"
#include "vtl/scsi/scsi.h"

struct tcmu_mailbox;

/* One served ROOT.  Guarded by roots_lock. */
struct tcmu_root {
    struct tcmu_root *next;
    char path[256];
    struct models models;
    struct library *library;
    struct scsi_target *target;
    unsigned users;
};

/* One device: a logical unit of a root.  Lock order: roots_lock, then lock. */
struct tcmu_unit {
    struct tcmu_root *root;
    struct scsi_nexus *nexus;
    unsigned lun;
    struct tcmu_mailbox *mailbox;
    bool lost;       /* the runner died with the drive, and no host has said yet where to be */
    bool settled;    /* the unit attentions of power on have been heard */
    uint8_t *buffer; /* data-in or gathered data-out of the running command */
    size_t buffer_size;
    pthread_mutex_t lock;
    pthread_cond_t finished;
    bool running; /* a task is with the target; guarded by lock once it is */
    struct scsi_task task;
};

/* Run unit->task, of which nexus, lun, cdb and buffers are set, to its end: the runner cancels the
 * device's thread when it closes the device, and a thread that dies here would leave the lock taken
 * and the task without its memory. */
void unit_run(struct tcmu_unit *unit);

/* When a device is opened.  Hosts see no more than a pause if the runner restarts, perhaps a unit
 * attention that only the first of them hears: so the tape must be where it was, or be known not to
 * be (unit->lost). */
int unit_take_up_past(struct tcmu_unit *unit, struct error *err);

/* When it is closed.  If the position is lost, it still is for the next runner. */
void unit_leave_past(struct tcmu_unit *unit);

enum position_use { USES_NO_POSITION, NEEDS_POSITION, SETS_POSITION };
enum position_use unit_position_use(const uint8_t *cdb);

/* Instead of a command that needs the position that is lost: unit->task has the answer. A host that
 * goes on writing where it believes to be would overwrite what is at the beginning. */
void unit_refuse_lost(struct tcmu_unit *unit);

#endif
