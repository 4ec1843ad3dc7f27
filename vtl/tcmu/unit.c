/* SPDX-License-Identifier: Apache-2.0 */
/* unit.c - one command at a time, and where the tape is after a restart of the runner. */
#include "vtl/tcmu/unit.h"

#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "vtl/scsi/cdb.h"
#include "vtl/scsi/sense.h"
#include "vtl/tcmu/past.h"

static void task_done(struct scsi_task *task)
{
    struct tcmu_unit *unit = task->transport;
    CLEANUP_UNLOCK(&unit->lock);

    unit->running = false;
    pthread_cond_signal(&unit->finished);
}

void unit_run(struct tcmu_unit *unit)
{
    int before;

    unit->task.done = task_done;
    unit->task.transport = unit;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    unit->running = true;
    scsi_target_submit(unit->root->target, &unit->task);
    pthread_mutex_lock(&unit->lock);
    while (unit->running)
        pthread_cond_wait(&unit->finished, &unit->lock);
    pthread_mutex_unlock(&unit->lock);
    pthread_setcancelstate(before, NULL);
}

/* Run a command without data for ourselves, as nexus. */
static uint8_t run_own(struct tcmu_unit *unit, struct scsi_nexus *nexus, const uint8_t cdb[16])
{
    struct scsi_task *task = &unit->task;

    memset(task, 0, sizeof(*task));
    task->nexus = nexus;
    task->lun[1] = (uint8_t)unit->lun; /* peripheral addressing, SAM-6 section 4.7.7.2 */
    task->cdb_len = scsi_cdb_length(cdb[0]);
    memcpy(task->cdb, cdb, task->cdb_len);
    unit_run(unit);
    return task->status;
}

/* LOCATE(16) to where the tape was, by a nexus of our own: the unit attentions are for the hosts.
 */
static bool go_back(struct tcmu_unit *unit, const struct past *past)
{
    uint8_t ready[16] = {0}, locate[16] = {0x92, 0x02 /* CP */, 0, (uint8_t)past->partition};
    struct error err = ERROR_INIT;
    struct scsi_nexus *nexus = NULL;
    uint8_t status = SCSI_CHECK_CONDITION;

    if (scsi_nexus_create(unit->root->target, "tcmu,past", &nexus, &err) < 0)
        return false;
    put_be64(locate + 4, past->block);
    for (int i = 0; i < 10 && status != SCSI_GOOD; i++) /* power on, medium, becoming ready */
        status = run_own(unit, nexus, ready);
    if (status == SCSI_GOOD)
        status = run_own(unit, nexus, locate);
    scsi_nexus_destroy(nexus);
    return status == SCSI_GOOD;
}

int unit_take_up_past(struct tcmu_unit *unit, struct error *err)
{
    struct scsi_drive_state now;
    struct past past;
    int rc;

    if (unit->lun == 0)
        return 0;
    past_read(unit->root->path, unit->lun - 1, &past);
    rc = past_begin(unit->root->path, unit->lun - 1, err);
    if (rc == 0)
        rc = scsi_target_drive_state(unit->root->target, unit->lun - 1, &now, err);
    if (rc < 0)
        return rc;
    if (past.kind == PAST_LOST)
        unit->lost = now.present;
    else if (past.kind == PAST_ENDED && now.present && strcmp(now.barcode, past.barcode) == 0)
        unit->lost = !go_back(unit, &past);
    return 0;
}

void unit_leave_past(struct tcmu_unit *unit)
{
    struct scsi_drive_state now;
    struct error err = ERROR_INIT;
    struct past past = {.kind = PAST_ENDED};

    if (unit->lun == 0 || unit->lost ||
        scsi_target_drive_state(unit->root->target, unit->lun - 1, &now, &err) < 0)
        return;
    if (now.loaded) {
        past.partition = now.position.partition;
        past.block = now.position.lba;
        snprintf(past.barcode, sizeof(past.barcode), "%s", now.barcode);
    }
    past_end(unit->root->path, unit->lun - 1, &past);
}

/* ---- a lost position --------------------------------------------------------------------------
 */

enum position_use unit_position_use(const uint8_t *cdb)
{
    switch (cdb[0]) {
    case 0x08: /* READ, READ REVERSE, RECOVER BUFFERED DATA, VERIFY */
    case 0x88:
    case 0x0f:
    case 0x81:
    case 0x14:
    case 0x13:
    case 0x8f:
    case 0x0a: /* WRITE, WRITE FILEMARKS, ERASE */
    case 0x8a:
    case 0x10:
    case 0x80:
    case 0x19:
    case 0x93:
        return NEEDS_POSITION;
    case 0x11: /* SPACE: to end of data from anywhere */
    case 0x91:
        return (cdb[1] & 0x0f) == 3 ? SETS_POSITION : NEEDS_POSITION;
    case 0x01: /* REWIND, FORMAT MEDIUM, LOAD UNLOAD, LOCATE */
    case 0x04:
    case 0x1b:
    case 0x2b:
    case 0x92:
        return SETS_POSITION;
    default:
        return USES_NO_POSITION;
    }
}

/* The unit attentions come first; one of another medium, but for that of power on, ends the matter:
 * it is at its beginning, and the host knows.  Else the answer is MEDIUM ERROR, SEQUENTIAL
 * POSITIONING ERROR. */
void unit_refuse_lost(struct tcmu_unit *unit)
{
    static const struct sense lost = {.key = KEY_MEDIUM_ERROR, .code = ASC_POSITIONING_ERROR};
    static const uint8_t ready[16] = {0};
    struct scsi_task *task = &unit->task;

    if (run_own(unit, unit->nexus, ready) == SCSI_GOOD) {
        unit->settled = true;
        task->status = SCSI_CHECK_CONDITION;
        task->sense_len = sense_encode(&lost, false, task->sense);
    } else if (unit->settled && task->sense_len >= 14 && task->sense[12] == 0x28) {
        unit->lost = false;
    }
}
