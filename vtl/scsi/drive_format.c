/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_format.c - FORMAT MEDIUM (SSC-5 7.2; IBM LTO reference 4.4.5) and SET CAPACITY
 * (SSC-5 7.11).
 *
 * Both empty the tape.  They are taken at the beginning of partition 0 only, so that a host knows
 * what it does.  There is nothing to VERIFY.  The cartridge keeps what was on it, and the old
 * division, for `undo`.
 */
#include "vtl/scsi/drive_background.h"
#include "vtl/scsi/drive_mam.h"
#include "vtl/scsi/drive_usage.h"

/* FORMAT: one partition; as mode page 11h says; the first, then the second. */
enum format { FORMAT_DEFAULT, FORMAT_PARTITION, FORMAT_DEFAULT_THEN_PARTITION };

enum { PROPORTION_WHOLE = 0xffff };

static bool at_beginning(struct scsi_lu *lu, struct scsi_task *task)
{
    struct cartridge_position pos;

    cartridge_tell(lu->drive->cartridge, &pos);
    if (pos.partition == 0 && pos.lba == 0)
        return true;
    task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_PAST_BEGINNING);
    return false;
}

/* Do it: what hosts had written goes, their attributes with it. */
static bool format(struct scsi_lu *lu, struct scsi_task *task, const uint64_t *capacity,
                   unsigned count)
{
    struct drive *d = lu->drive;
    struct error err = ERROR_INIT;
    int rc;

    usage_formatted(d); /* the reference rises before the tape changes */
    rc = cartridge_format(d->cartridge, capacity, count, &err);
    if (rc != 0) {
        drive_error(lu, task, rc, &err, 0);
        return false;
    }
    mam_clear_host(lu);
    drive_forget_rao(d);
    division_forget(lu);
    drive_positioned(d);
    attention_raise(lu, ASC_MODE_CHANGED, task->nexus);
    return true;
}

/* The partitions to be made; returns how many, or 0: nothing is chosen, or it no longer fits. */
static unsigned chosen(struct scsi_lu *lu, const struct scsi_task *task,
                       uint64_t capacity[CARTRIDGE_PARTITIONS])
{
    capacity[0] = division_total(lu->drive->cartridge);
    return (task->cdb[2] & 0x0f) == FORMAT_DEFAULT ? 1 : division_chosen(lu, capacity);
}

static bool format_step(struct scsi_lu *lu, struct scsi_task *task, struct progress *p)
{
    uint64_t capacity[CARTRIDGE_PARTITIONS];
    unsigned count = chosen(lu, task, capacity);

    (void)p;
    format(lu, task, capacity, count);
    return true;
}

void cmd_format_medium(struct scsi_lu *lu, struct scsi_task *task)
{
    uint64_t capacity[CARTRIDGE_PARTITIONS];
    unsigned how = task->cdb[2] & 0x0f;

    if (how > FORMAT_DEFAULT_THEN_PARTITION) {
        task_bad_cdb(lu, task, 2, 3);
        return;
    }
    if (!at_beginning(lu, task))
        return;
    if (chosen(lu, task, capacity) == 0) /* IBM 4.4.5 */
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_VALUE_INVALID);
    else if (drive_may_format(lu, task))
        operation_run(lu, task, OPERATION_FORMAT, format_step, 0);
}

/* A part of the medium, in 65,535ths; less than a twentieth is a twentieth, as on LTO drives. */
static bool capacity_step(struct scsi_lu *lu, struct scsi_task *task, struct progress *p)
{
    struct cartridge *c = lu->drive->cartridge;
    uint64_t whole = cartridge_identity(c)->capacity, capacity, least = whole / 20;
    unsigned proportion = get_be16(task->cdb + 3);
    struct error err = ERROR_INIT;
    int rc;

    (void)p;
    capacity = whole / PROPORTION_WHOLE * proportion +
               whole % PROPORTION_WHOLE * proportion / PROPORTION_WHOLE;
    if (capacity < least)
        capacity = least ? least : 1;
    if (!format(lu, task, &capacity, 1))
        return true;
    rc = division_scale(c, capacity, &err); /* for FORMAT MEDIUM to come */
    if (rc != 0)
        drive_error(lu, task, rc, &err, 0);
    return true;
}

void cmd_set_capacity(struct scsi_lu *lu, struct scsi_task *task)
{
    if (at_beginning(lu, task) && drive_may_format(lu, task))
        operation_run(lu, task, OPERATION_CAPACITY, capacity_step, 0);
}
