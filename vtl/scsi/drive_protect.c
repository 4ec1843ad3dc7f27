/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_protect.c - whether the medium may be changed at the position: the tab, software write
 * protection, formats that are only read, WORM, append-only mode; and ALLOW OVERWRITE.
 *
 * WORM (IBM LTO reference 4.14.1; mode page 1Dh says the same): writing is allowed
 *   - at the end of data, so also on an empty medium;
 *   - where only filemarks lie ahead, behind at least one filemark or at the beginning;
 *   - at the beginning, if one or two blocks and then only filemarks are there: a label.
 *
 * Append-only mode (SSC-5 4.2.21; IBM 4.2.3), WRITE MODE of mode page 10h/01h: the same but for the
 * label.  ALLOW OVERWRITE lets one command pass:
 *
 *                 ALLOW OVERWRITE at the position        the position changes, the command begins,
 *      DISABLED ---------------------------------> POSITION   a refused ALLOW OVERWRITE, a load
 *         |  ^ <------------------------------------------------------------+
 *         |  +---------------------------------------------------- FORMAT <-+
 *         +---------------------------------------------------------^
 */
#include "vtl/scsi/drive_usage.h"

enum { WRITE_MODE_APPEND_ONLY = 1 };

/* ---- what lies where ------------------------------------------------------------------------- */

/* The tape around a position that lies before the end of data.  Looking needs motion, and leaves
 * the position as it was; nothing is buffered there. */
struct surroundings {
    uint64_t blocks_ahead;  /* blocks, not filemarks, up to the end of data */
    bool behind_filemark;   /* the object just before is a filemark */
    bool blocks_come_first; /* ahead: all the blocks, then all the filemarks */
};

static void look_around(struct cartridge *c, const struct cartridge_position *pos,
                        struct surroundings *s)
{
    struct cartridge_position p;
    struct error err = ERROR_INIT;

    cartridge_locate_end(c);
    cartridge_tell(c, &p);
    s->blocks_ahead = (p.lba - pos->lba) - (p.file - pos->file);
    cartridge_locate(c, pos->partition, pos->lba + s->blocks_ahead, &err);
    cartridge_tell(c, &p);
    s->blocks_come_first = p.file == pos->file;
    s->behind_filemark = false;
    if (pos->lba > 0) {
        cartridge_locate(c, pos->partition, pos->lba - 1, &err);
        cartridge_tell(c, &p);
        s->behind_filemark = p.file < pos->file;
    }
    cartridge_locate(c, pos->partition, pos->lba, &err);
}

static bool is_append_point(struct cartridge *c, const struct cartridge_position *pos,
                            bool label_too)
{
    struct surroundings s;

    if (pos->lba >= pos->eod_lba)
        return true;
    look_around(c, pos, &s);
    if (s.blocks_ahead == 0)
        return pos->lba == 0 || s.behind_filemark;
    return label_too && pos->lba == 0 && s.blocks_ahead <= 2 && s.blocks_come_first;
}

/* ---- append-only mode ------------------------------------------------------------------------ */

static bool append_only(struct scsi_lu *lu)
{
    return mode_page_values(lu, 0x10, 1)[5] >> 4 == WRITE_MODE_APPEND_ONLY;
}

void drive_disallow(struct drive *d)
{
    d->allow = ALLOW_DISABLED;
}

/* Before each command: the one before, whatever it was, may have moved the medium or set the mode.
 */
void drive_settle_allow(struct scsi_lu *lu)
{
    struct drive *d = lu->drive;
    struct cartridge_position pos;
    bool mode = append_only(lu);

    if (d->medium != MEDIUM_READY || mode != d->append_only) {
        drive_disallow(d);
    } else if (d->allow != ALLOW_DISABLED) {
        cartridge_tell(d->cartridge, &pos);
        if (pos.partition != d->allow_partition || pos.lba != d->allow_lba)
            drive_disallow(d);
    }
    d->append_only = mode;
}

void cmd_allow_overwrite(struct scsi_lu *lu, struct scsi_task *task)
{
    struct drive *d = lu->drive;
    unsigned allow = task->cdb[2] & 0x0f;
    struct cartridge_position pos;

    drive_disallow(d);
    cartridge_tell(d->cartridge, &pos);
    if (!append_only(lu)) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_NOT_APPEND_ONLY);
    } else if (allow > ALLOW_FORMAT) {
        task_bad_cdb(lu, task, 2, 3);
    } else if (allow != ALLOW_DISABLED &&
               (task->cdb[3] != pos.partition || get_be64(task->cdb + 4) != pos.lba)) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_POSITIONING_ERROR);
    } else {
        d->allow = (enum allow_overwrite)allow;
        d->allow_partition = pos.partition;
        d->allow_lba = pos.lba;
    }
}

/* ---- whether it may be written --------------------------------------------------------------- */

static bool refuse(struct scsi_lu *lu, struct scsi_task *task, uint16_t code, unsigned alert)
{
    if (alert)
        alert_raise(lu, alert);
    task_fail(lu, task, KEY_DATA_PROTECT, code);
    return false;
}

/* What protects the whole medium, wherever the position is. */
static bool medium_is_writable(struct scsi_lu *lu, struct scsi_task *task)
{
    struct drive *d = lu->drive;

    if (!drive_writes_density(lu, cartridge_identity(d->cartridge)->density))
        return refuse(lu, task, ASC_CANNOT_WRITE_FORMAT, ALERT_READ_ONLY_FORMAT);
    if (cartridge_protected(d->cartridge))
        return refuse(lu, task, ASC_WRITE_PROTECTED, ALERT_WRITE_PROTECTED);
    if (drive_software_protected(lu))
        return refuse(lu, task, ASC_WRITE_PROTECTED | 2, 0);
    return true;
}

bool drive_may_write(struct scsi_lu *lu, struct scsi_task *task)
{
    struct drive *d = lu->drive;
    bool worm = cartridge_identity(d->cartridge)->worm, allowed = d->allow == ALLOW_POSITION;
    struct cartridge_position pos;

    if (!medium_is_writable(lu, task))
        return false;
    if (d->write_blocked) { /* see drive.h: nothing may be appended behind a gap */
        task_fail(lu, task, KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
        return false;
    }
    cartridge_tell(d->cartridge, &pos);
    if (append_only(lu) && !allowed && !is_append_point(d->cartridge, &pos, false))
        return refuse(lu, task, ASC_OPERATOR_WRITE_PROTECT, ALERT_WRITE_PROTECTED);
    if (worm && !is_append_point(d->cartridge, &pos, true))
        return refuse(lu, task, ASC_WORM_OVERWRITE, ALERT_WORM_OVERWRITE);
    if (d->change_read && !drive_flush(lu, task)) /* the reference is stored with a sync */
        return false;
    drive_disallow(d); /* it is for one command */
    d->writer = task->nexus;
    usage_changing(d, pos.lba < pos.eod_lba);
    return true;
}

bool drive_may_format(struct scsi_lu *lu, struct scsi_task *task)
{
    struct drive *d = lu->drive;
    bool allowed = d->allow == ALLOW_FORMAT;

    if (!medium_is_writable(lu, task))
        return false;
    if (append_only(lu) && !allowed && !drive_is_blank(d))
        return refuse(lu, task, ASC_OPERATOR_WRITE_PROTECT, ALERT_WRITE_PROTECTED);
    if (cartridge_identity(d->cartridge)->worm) /* it is formatted, once and for all */
        return drive_is_blank(d) ? refuse(lu, task, ASC_CANNOT_FORMAT_MEDIUM, 0)
                                 : refuse(lu, task, ASC_WORM_OVERWRITE, ALERT_WORM_OVERWRITE);
    drive_disallow(d);
    return true;
}
