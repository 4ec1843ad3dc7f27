/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_position.c - REWIND, SPACE, LOCATE, READ POSITION (SSC-5 6.x, 7.x).
 *
 * The cartridge says where it stopped and why; here it becomes sense data.  What is buffered was
 * synchronised before (OP_SYNC), so motion never loses blocks.
 */
#include "vtl/scsi/drive_background.h"

static bool rewind_step(struct scsi_lu *lu, struct scsi_task *task, struct progress *p)
{
    (void)task;
    (void)p;
    cartridge_rewind(lu->drive->cartridge);
    drive_positioned(lu->drive);
    return true;
}

void cmd_rewind(struct scsi_lu *lu, struct scsi_task *task)
{
    operation_run(lu, task, OPERATION_REWIND, rewind_step, 0);
}

/* ---- SPACE ----------------------------------------------------------------------------------- */

enum space_code { SPACE_BLOCKS, SPACE_FILEMARKS, SPACE_SEQUENTIAL_FILEMARKS, SPACE_END_OF_DATA };

/* INFORMATION is the magnitude of what was not spaced over; there is none for sequential filemarks
 * (SSC-5, SPACE). */
static void space(struct scsi_lu *lu, struct scsi_task *task, unsigned code, int64_t count)
{
    struct cartridge *c = lu->drive->cartridge;
    uint64_t wanted = count < 0 ? 0 - (uint64_t)count : (uint64_t)count, moved = 0;
    struct error err = ERROR_INIT;
    int rc = 0;

    if (code > SPACE_END_OF_DATA) { /* setmarks are obsolete */
        task_bad_cdb(lu, task, 1, 3);
        return;
    }
    if (count != 0 || code == SPACE_END_OF_DATA) /* else the host has not said where it is */
        drive_positioned(lu->drive);
    switch ((enum space_code)code) {
    case SPACE_BLOCKS:
        rc = cartridge_space_blocks(c, count, &moved, &err);
        break;
    case SPACE_FILEMARKS:
        rc = cartridge_space_filemarks(c, count, &moved, &err);
        break;
    case SPACE_SEQUENTIAL_FILEMARKS:
        rc = cartridge_space_sequential_filemarks(c, count, &err);
        break;
    case SPACE_END_OF_DATA:
        cartridge_locate_end(c);
    }
    if (rc != 0)
        drive_error(lu, task, rc, &err,
                    code == SPACE_SEQUENTIAL_FILEMARKS ? DRIVE_NO_RESIDUAL
                                                       : (int64_t)(wanted - moved));
}

void cmd_space6(struct scsi_lu *lu, struct scsi_task *task)
{
    space(lu, task, task->cdb[1] & 0x0f, get_be24_signed(task->cdb + 2));
}

void cmd_space16(struct scsi_lu *lu, struct scsi_task *task)
{
    int64_t count = (int64_t)get_be64(task->cdb + 4);

    /* -2^63 has no magnitude in 63 bits, and no tape is as long. */
    space(lu, task, task->cdb[1] & 0x0f, count == INT64_MIN ? INT64_MIN + 1 : count);
}

/* ---- LOCATE ---------------------------------------------------------------------------------- */

enum destination { TO_OBJECT, TO_FILE, TO_SET, TO_END_OF_DATA };

struct target {
    enum destination to;
    uint32_t partition;
    uint64_t number;
};

/* LOCATE(10) has objects only. */
static struct target locate_target(struct scsi_lu *lu, const struct scsi_task *task)
{
    bool ten = task->cdb[0] == 0x2b, change = task->cdb[1] & 0x02; /* CP */
    struct cartridge_position pos;

    cartridge_tell(lu->drive->cartridge, &pos);
    return (struct target){
        .to = ten ? TO_OBJECT : (enum destination)(task->cdb[1] >> 3 & 0x07),
        .partition = change ? task->cdb[ten ? 8 : 3] : pos.partition,
        .number = ten ? get_be32(task->cdb + 3) : get_be64(task->cdb + 4),
    };
}

static bool locate_step(struct scsi_lu *lu, struct scsi_task *task, struct progress *p)
{
    const struct target t = locate_target(lu, task);
    struct cartridge *c = lu->drive->cartridge;
    struct error err = ERROR_INIT;
    int rc;

    (void)p;
    if (t.to == TO_FILE)
        rc = cartridge_locate_file(c, t.partition, t.number, &err);
    else
        rc = cartridge_locate(c, t.partition, t.to == TO_OBJECT ? t.number : 0, &err);
    if (rc == 0 && t.to == TO_END_OF_DATA)
        cartridge_locate_end(c);
    drive_positioned(lu->drive);
    if (rc == -ERR_END_OF_DATA) /* LOCATE has no INFORMATION */
        task_fail(lu, task, KEY_BLANK_CHECK, ASC_END_OF_DATA);
    else if (rc != 0)
        drive_error(lu, task, rc, &err, 0);
    return true;
}

void cmd_locate(struct scsi_lu *lu, struct scsi_task *task)
{
    const struct target t = locate_target(lu, task);

    if (t.to == TO_SET || t.to > TO_END_OF_DATA)
        task_bad_cdb(lu, task, 1, 5);
    else if (t.partition >= cartridge_partition_count(lu->drive->cartridge))
        task_bad_cdb(lu, task, task->cdb[0] == 0x2b ? 8 : 3, 7);
    else
        operation_run(lu, task, OPERATION_LOCATE, locate_step, 0);
}

/* ---- READ POSITION --------------------------------------------------------------------------- */

enum {
    FLAG_BOP = 0x80,
    FLAG_EOP = 0x40,
    FLAG_PERR = 0x02, /* short form: a number does not fit */
    FLAG_BPEW = 0x01,
};

/* BPEW: behind the programmable early warning, which is early warning itself if none is set. */
static unsigned position_flags(const struct cartridge_position *pos, bool beyond_pews)
{
    return (pos->lba == 0 ? FLAG_BOP : 0u) | (pos->early_warning ? FLAG_EOP : 0u) |
           (beyond_pews || pos->early_warning ? FLAG_BPEW : 0u);
}

/* Short form (SSC-5 table 64): next object for the host, next object to go to the medium, and what
 * lies between them in the buffer. */
static void position_short(const struct cartridge_position *pos, bool pews, struct reply *r)
{
    uint64_t unsynced = pos->unsynced < 0xffffff ? pos->unsynced : 0xffffff;
    uint64_t bytes = pos->unsynced_bytes < UINT32_MAX ? pos->unsynced_bytes : UINT32_MAX;
    bool fits = pos->lba <= UINT32_MAX;

    reply_u8(r, position_flags(pos, pews) | (fits ? 0u : FLAG_PERR));
    reply_u8(r, pos->partition);
    reply_be16(r, 0);
    reply_be32(r, fits ? (uint32_t)pos->lba : 0);
    reply_be32(r, fits ? (uint32_t)(pos->lba - pos->unsynced) : 0);
    reply_u8(r, 0);
    reply_be24(r, (uint32_t)unsynced);
    reply_be32(r, (uint32_t)bytes);
}

/* Long form (SSC-5 table 66). */
static void position_long(const struct cartridge_position *pos, bool pews, struct reply *r)
{
    reply_u8(r, position_flags(pos, pews));
    reply_zero(r, 3);
    reply_be32(r, pos->partition);
    reply_be64(r, pos->lba);
    reply_be64(r, pos->file);
    reply_be64(r, 0); /* sets: obsolete */
}

/* Extended form (SSC-5 table 67). */
static void position_extended(const struct cartridge_position *pos, bool pews, struct reply *r)
{
    reply_u8(r, position_flags(pos, pews));
    reply_u8(r, pos->partition);
    reply_be16(r, 0x1c);
    reply_u8(r, 0);
    reply_be24(r, pos->unsynced < 0xffffff ? (uint32_t)pos->unsynced : 0xffffff);
    reply_be64(r, pos->lba);
    reply_be64(r, pos->lba - pos->unsynced);
    reply_be64(r, pos->unsynced_bytes);
}

void cmd_read_position(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned form = task->cdb[1] & 0x1f, parameter_length = get_be16(task->cdb + 7);
    uint64_t allocation = form == 0x08 ? parameter_length : 64;
    struct reply r = task_reply(task, allocation);
    struct cartridge_position pos;
    bool pews;

    if (form > 0x01 && form != 0x06 && form != 0x08) { /* reserved (SSC-5, READ POSITION) */
        task_bad_cdb(lu, task, 1, 4);
        return;
    }
    if (form != 0x08 && parameter_length != 0) { /* SSC-5 7.6: only the extended form has one */
        task_bad_cdb(lu, task, 7, 7);
        return;
    }
    cartridge_tell(lu->drive->cartridge, &pos);
    pews = drive_beyond_pews(lu, &pos);
    if (form == 0x08)
        position_extended(&pos, pews, &r);
    else if (form == 0x06)
        position_long(&pos, pews, &r);
    else /* 00h, and 01h "vendor-specific", which is the same here */
        position_short(&pos, pews, &r);
    task_replied(task, &r, allocation);
}
