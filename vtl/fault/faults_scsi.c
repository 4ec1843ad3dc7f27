/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults_scsi.c - the layer in front of logical units and robot.
 *
 * It also notes which threads are about to read a tape, for the layer over the stores: a block that
 * can't be read is one that a host asks for, not one that a drive looks at while it loads.
 */
#include <string.h>
#include <time.h>

#include "vtl/fault/internal.h"
#include "vtl/scsi/sense.h"

static _Thread_local bool reading;

bool faults_reading(void)
{
    return reading;
}

static bool in_list(uint8_t opcode, const uint8_t *list, size_t count)
{
    return memchr(list, opcode, count) != NULL;
}

static bool fails(struct scsi_failure *failure, uint8_t key, uint16_t code, const char *why)
{
    *failure = (struct scsi_failure){key, code, why};
    return true;
}

/* Wait, but not for a command that is aborted. */
static void take_time(unsigned ms, const struct scsi_task *task)
{
    const struct timespec step = {0, 10 * 1000000};

    for (unsigned waited = 0; waited < ms && !(task && scsi_task_aborted(task)); waited += 10)
        nanosleep(&step, NULL);
}

/* INQUIRY, REPORT LUNS and REQUEST SENSE tell no unit attention (SPC-5 5.1). */
static bool storm(struct faults *f, const struct scsi_task *task, const struct fault_place *place)
{
    static const uint8_t spared[] = {0x12, 0xa0, 0x03};

    return !in_list(task->cdb[0], spared, sizeof(spared)) &&
           faults_strike(f, FAULT_ATTENTION_STORM, place, NULL);
}

static bool drive_command(struct faults *f, const struct scsi_task *task,
                          const struct fault_place *place, struct scsi_failure *failure)
{
    static const uint8_t reads[] = {0x08, 0x88, 0x0f, 0x81, 0x13, 0x8f};
    struct fault_setting with;

    reading = in_list(task->cdb[0], reads, sizeof(reads));
    if (!scsi_cdb_is_immediate(task->cdb) && faults_strike(f, FAULT_SLOW_DRIVE, place, &with))
        take_time(with.delay_ms, task);
    if (task->cdb[0] == 0x1b && !(task->cdb[4] & 0x01) &&
        faults_strike(f, FAULT_DRIVE_STUCK, place, NULL))
        return fails(failure, KEY_HARDWARE_ERROR, 0x5301, "the drive is stuck");
    return false;
}

/* What a robot that is jammed can't do: INITIALIZE ELEMENT STATUS, POSITION TO ELEMENT. */
static bool changer_command(struct faults *f, const struct scsi_task *task,
                            const struct fault_place *place, struct scsi_failure *failure)
{
    static const uint8_t motions[] = {0x07, 0x37, 0xe7, 0x2b};

    if (!in_list(task->cdb[0], motions, sizeof(motions)) ||
        !faults_strike(f, FAULT_ROBOT_JAM, place, NULL))
        return false;
    return fails(failure, KEY_HARDWARE_ERROR, 0x1501, "the robot is jammed");
}

static bool on_command(void *ctx, unsigned lun, const struct scsi_task *task,
                       struct scsi_failure *failure)
{
    const struct fault_place place = {NULL, lun > 0 ? (int)lun - 1 : -1, -1};
    struct faults *f = ctx;

    reading = false;
    if (storm(f, task, &place))
        return fails(failure, KEY_UNIT_ATTENTION, 0x2904, "attention storm");
    return lun == 0 ? changer_command(f, task, &place, failure)
                    : drive_command(f, task, &place, failure);
}

/* A slow drive is slow behind the status of such a command, too. */
static unsigned on_background(void *ctx, unsigned lun, const struct scsi_task *task)
{
    const struct fault_place place = {NULL, lun > 0 ? (int)lun - 1 : -1, -1};
    struct fault_setting with;

    (void)task;
    return faults_strike(ctx, FAULT_SLOW_DRIVE, &place, &with) ? with.delay_ms : 0;
}

static int drive_of(const struct faults *f, uint16_t address)
{
    int number = (int)address - library_drive_address(f->library, 0);

    return number >= 0 && number < (int)library_geometry(f->library)->drives ? number : -1;
}

static bool on_move(void *ctx, uint16_t from, uint16_t to, const struct scsi_task *task,
                    struct scsi_failure *failure)
{
    struct faults *f = ctx;
    const struct fault_place anywhere = {NULL, -1, -1}, source = {NULL, drive_of(f, from), -1};
    struct fault_setting with;

    (void)to;
    if (faults_strike(f, FAULT_SLOW_ROBOT, &anywhere, &with))
        take_time(with.delay_ms, task);
    if (faults_strike(f, FAULT_ROBOT_JAM, &anywhere, NULL))
        return fails(failure, KEY_HARDWARE_ERROR, 0x1501, "the robot is jammed");
    if (source.drive >= 0 && faults_strike(f, FAULT_DRIVE_STUCK, &source, NULL))
        return fails(failure, KEY_HARDWARE_ERROR, 0x5301, "the drive is stuck");
    return false;
}

static uint16_t on_element(void *ctx, const struct library_element *e)
{
    const struct fault_place place = {e->barcode, -1, -1};

    return e->full && faults_strike(ctx, FAULT_LABEL_UNREADABLE, &place, NULL)
               ? ASC_LABEL_UNREADABLE
               : 0;
}

void faults_scsi_init(struct faults *f)
{
    f->layer = (struct scsi_layer){f, on_command, on_background, on_move, on_element};
}
