/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_rw.c - READ, WRITE, WRITE FILEMARKS, ERASE (SSC-5 5.3, 6.4 .. 6.8).
 *
 * Data goes straight between the task's buffers and the cartridge.  INFORMATION is what was asked
 * for less what was done: blocks if FIXED, else bytes; hosts compute positions from it.
 */
#include "vtl/scsi/drive_background.h"
#include "vtl/scsi/drive_codec.h"
#include "vtl/scsi/drive_transfer.h"
#include "vtl/scsi/security.h"
#include "vtl/scsi/drive_usage.h"

void drive_error(struct scsi_lu *lu, struct scsi_task *task, int rc, const struct error *err,
                 int64_t residual)
{
    static const struct {
        int code; /* enum error_code or block_refusal */
        struct sense sense;
    } map[] = {
        {ERR_FILEMARK, {.key = KEY_NO_SENSE, .code = ASC_FILEMARK_DETECTED, .filemark = true}},
        /* RECOVER BUFFERED DATA: nothing is left */
        {ERR_NOT_FOUND, {.key = KEY_NO_SENSE, .code = ASC_END_OF_DATA, .eom = true}},
        {ERR_END_OF_DATA, {.key = KEY_BLANK_CHECK, .code = ASC_END_OF_DATA}},
        {ERR_BEGIN, {.key = KEY_NO_SENSE, .code = ASC_BEGINNING_OF_MEDIUM, .eom = true}},
        {ERR_END_OF_TAPE, {.key = KEY_VOLUME_OVERFLOW, .code = ASC_END_OF_MEDIUM, .eom = true}},
        {ERR_NO_SPACE, {.key = KEY_VOLUME_OVERFLOW, .code = ASC_END_OF_MEDIUM, .eom = true}},
        {ERR_PROTECTED, {.key = KEY_DATA_PROTECT, .code = ASC_WRITE_PROTECTED}},
        {ERR_CORRUPT, {.key = KEY_MEDIUM_ERROR, .code = ASC_READ_ERROR}},
        {ERR_IO, {.key = KEY_MEDIUM_ERROR, .code = ASC_READ_ERROR}},
        {REFUSED_ENCRYPTED, {.key = KEY_DATA_PROTECT, .code = ASC_UNABLE_TO_DECRYPT}},
        {REFUSED_PLAIN, {.key = KEY_DATA_PROTECT, .code = ASC_UNENCRYPTED_DATA}},
        {REFUSED_KEY, {.key = KEY_DATA_PROTECT, .code = ASC_INCORRECT_KEY}},
        {REFUSED_INTEGRITY, {.key = KEY_DATA_PROTECT, .code = ASC_INTEGRITY_FAILED}},
        {REFUSED_MODE, {.key = KEY_DATA_PROTECT, .code = ASC_ENCRYPTION_MODE_MISMATCH}},
        {REFUSED_RAW, {.key = KEY_DATA_PROTECT, .code = ASC_RAW_READ_NOT_ENABLED}},
        {REFUSED_EXTERNAL, {.key = KEY_DATA_PROTECT, .code = ASC_ENCRYPTION_PARAMETERS}},
        {REFUSED_GUARD, {.key = KEY_HARDWARE_ERROR, .code = ASC_GUARD_CHECK_FAILED}},
        {REFUSED_METHOD, {.key = KEY_MEDIUM_ERROR, .code = ASC_PROTECTION_METHOD}},
    };
    struct sense s = {.key = KEY_HARDWARE_ERROR, .code = ASC_INTERNAL_FAILURE};

    (void)err;
    for (size_t i = 0; i < ARRAY_LENGTH(map); i++) {
        if (rc == -map[i].code)
            s = map[i].sense;
    }
    if (rc == -ERR_END_OF_DATA) { /* at or behind early warning: EOM too (SSC-5, READ, SPACE) */
        struct cartridge_position pos;

        cartridge_tell(lu->drive->cartridge, &pos);
        s.eom = pos.early_warning;
    }
    s.valid = residual != DRIVE_NO_RESIDUAL;
    s.information = s.valid ? residual : 0;
    task_check(lu, task, &s);
}

/* ---- READ ------------------------------------------------------------------------------------ */

/* FIXED=0: one block, whatever its length. */
static void read_variable(struct scsi_lu *lu, struct scsi_task *task, const struct transfer *t)
{
    size_t room = t->size < task->in_size ? t->size : task->in_size;
    struct error err = ERROR_INIT;
    uint32_t len = 0;
    int rc = drive_get_block(lu, task->nexus, transfer_target(task, 0), room, t->crc, &len, &err);

    if (rc != 0 && rc != -ERR_LENGTH) {
        read_failed(lu, task, rc, &err, t->size);
        return;
    }
    transfer_account(lu, task, 0, len < t->size ? len : t->size);
    if (transfer_is_odd(lu, t, len))
        incorrect_length(lu, task, (int64_t)t->size - len);
}

/* FIXED=1: as many blocks of the set length as come; the first that is otherwise ends it, and it is
 * neither counted nor handed over. */
static void read_fixed(struct scsi_lu *lu, struct scsi_task *task, const struct transfer *t)
{
    for (uint32_t done = 0; done < t->count; done++) {
        size_t at = (size_t)done * t->size, left = at < task->in_size ? task->in_size - at : 0;
        size_t room = left < t->size ? left : t->size;
        struct error err = ERROR_INIT;
        uint32_t len = 0;
        int rc =
            drive_get_block(lu, task->nexus, transfer_target(task, at), room, t->crc, &len, &err);

        if (rc != 0 && rc != -ERR_LENGTH) {
            read_failed(lu, task, rc, &err, transfer_residual(t, done));
            return;
        }
        if (len != t->size) {
            incorrect_length(lu, task, transfer_residual(t, done));
            return;
        }
        transfer_account(lu, task, at, len);
    }
}

void cmd_read(struct scsi_lu *lu, struct scsi_task *task)
{
    struct transfer t;

    if (!transfer_decode(lu, task, &t) || t.count == 0 || !transfer_locate(lu, task))
        return;
    if (t.fixed)
        read_fixed(lu, task, &t);
    else
        read_variable(lu, task, &t);
    lu->drive->reading = task->status == SCSI_GOOD;
}

void drive_read_ahead(struct scsi_lu *lu)
{
    struct drive *d = lu->drive;

    if (d->reading && d->cartridge)
        cartridge_read_ahead(d->cartridge);
    d->reading = false;
}

/* RECOVER BUFFERED DATA (SSC-5 7.x): what the host wrote and no sync could store, in the order it
 * was written, as READ gives what is on the tape; the tape is not moved.  At its end: NO SENSE,
 * EOM. */
void cmd_recover_buffered(struct scsi_lu *lu, struct scsi_task *task)
{
    struct transfer t;

    if (!transfer_decode(lu, task, &t) || t.count == 0)
        return;
    lu->drive->recovering = true;
    if (t.fixed)
        read_fixed(lu, task, &t);
    else
        read_variable(lu, task, &t);
    lu->drive->recovering = false;
}

/* ---- WRITE ----------------------------------------------------------------------------------- */

static uint64_t drive_address(const struct drive *d)
{
    struct cartridge_position pos;

    cartridge_tell(d->cartridge, &pos);
    return pos.lba;
}

/*
 * The cartridge has refused, or could not store, an object of a command that began at object first;
 * residual is what of it was not taken.  When storage fails, blocks that were taken before may be
 * lost with it: then the position has gone back.  If it is before `first`, they were another
 * command's, which had its GOOD: a deferred error, and this command was not carried out.
 */
static void write_failed(struct scsi_lu *lu, struct scsi_task *task, int rc, struct error *err,
                         uint64_t first, int64_t residual)
{
    uint64_t now = drive_address(lu->drive);
    struct sense s = {
        .key = KEY_MEDIUM_ERROR, .code = ASC_WRITE_ERROR, .valid = true, .information = residual};

    if (rc != -ERR_IO && rc != -ERR_NO_SPACE) {
        drive_error(lu, task, rc, err, residual);
        return;
    }
    lu_log(lu, LOG_LEVEL_ERROR, "a write failed: %s", err->message);
    lu->drive->counters.write_errors++;
    lu->drive->write_blocked = true;
    alert_raise(lu, ALERT_WRITE_FAILURE);
    if (rc == -ERR_NO_SPACE) {
        s.key = KEY_VOLUME_OVERFLOW;
        s.code = ASC_END_OF_MEDIUM;
        s.eom = true;
    }
    if (now < first) {
        s.deferred = true;
        s.information = (int64_t)(first - now);
        s.command_specific = now;
    }
    task_check(lu, task, &s);
}

static bool beyond_pews(struct scsi_lu *lu)
{
    struct cartridge_position pos;

    cartridge_tell(lu->drive->cartridge, &pos);
    return drive_beyond_pews(lu, &pos);
}

/* The command that enters the programmable early warning zone says so, once (SSC-5). */
static void write_warn_pews(struct scsi_lu *lu, struct scsi_task *task)
{
    task_check(lu, task,
               &(struct sense){.key = KEY_NO_SENSE,
                               .code = ASC_PROGRAMMABLE_EARLY_WARNING,
                               .eom = true,
                               .valid = true,
                               .information = 0});
}

/* Synchronise what a command has written from object `first` on, of which `residual` is the count
 * for INFORMATION.  If nothing older is lost, it is this command's own error, and no deferred one.
 */
static bool write_sync(struct scsi_lu *lu, struct scsi_task *task, uint64_t first, int64_t residual)
{
    struct sense s;

    if (drive_sync(lu, &s))
        return true;
    if (s.command_specific >= first) {
        s.deferred = false;
        s.command_specific = 0;
        s.information = residual;
    }
    task_check(lu, task, &s);
    return false;
}

/* Behind early warning each WRITE that succeeds says so (SSC-5 6.8, SEW=1): NO SENSE, EOM, nothing
 * left over.  At the first, what is buffered is brought to the medium; `first` and `residual` are
 * those of write_sync(). */
static void write_warn(struct scsi_lu *lu, struct scsi_task *task, uint64_t first, int64_t residual)
{
    if (!lu->drive->warned && !write_sync(lu, task, first, residual))
        return;
    lu->drive->warned = true;
    task_check(lu, task,
               &(struct sense){.key = KEY_NO_SENSE,
                               .code = ASC_END_OF_MEDIUM,
                               .eom = true,
                               .valid = true,
                               .information = 0});
}

/* A nexus that has locked itself to a key does not write with another (SSC-5 4.2.23.9). */
static bool key_is_as_locked(struct scsi_lu *lu, struct scsi_task *task)
{
    if (!security_lock_broken(lu->drive->security, task->nexus))
        return true;
    task_fail(lu, task, KEY_DATA_PROTECT, ASC_KEY_INSTANCE_CHANGED);
    return false;
}

void cmd_write(struct scsi_lu *lu, struct scsi_task *task)
{
    struct drive *d = lu->drive;
    bool early_warning = false, pews;
    struct transfer t;
    uint64_t first;

    if (!transfer_decode(lu, task, &t))
        return;
    task->out_want = (uint64_t)t.count * t.size;
    if (task->out_len < task->out_want) { /* half a block is worse than none */
        task_bad_cdb(lu, task, t.length_at, 7);
        return;
    }
    /* A longer block is only ever read: one that another model has written. */
    if (t.size - t.crc > lu->personality->block_max && t.count != 0) {
        task_bad_cdb(lu, task, t.length_at, 7);
        return;
    }
    if (t.count == 0 || !transfer_locate(lu, task) || !key_is_as_locked(lu, task) ||
        !drive_may_write(lu, task))
        return;
    first = drive_address(d);
    pews = beyond_pews(lu);
    for (uint32_t done = 0; done < t.count; done++) {
        struct error err = ERROR_INIT;
        bool ew = false;
        int rc = drive_put_block(lu, task->nexus, task->out + (size_t)done * t.size, t.size, t.crc,
                                 &ew, &err);

        if (rc != 0) {
            /* Blocks of this command that were taken may be gone again. */
            uint64_t kept = drive_address(d) - first;

            write_failed(lu, task, rc, &err, first,
                         transfer_residual(&t, kept < done ? (uint32_t)kept : done));
            return;
        }
        early_warning = early_warning || ew;
    }
    if (!lu->buffered && !write_sync(lu, task, first, transfer_residual(&t, 0)))
        return;
    if (early_warning)
        write_warn(lu, task, first, transfer_residual(&t, 0));
    else if (!pews && beyond_pews(lu))
        write_warn_pews(lu, task);
}

/* ---- WRITE FILEMARKS ------------------------------------------------------------------------- */

/* IMMED=0 synchronises, with no filemarks too (SSC-5 6.9). */
void cmd_write_filemarks(struct scsi_lu *lu, struct scsi_task *task)
{
    uint32_t count = get_be24(task->cdb + (cdb_is_explicit(task->cdb) ? 12 : 2));
    bool immed = task->cdb[1] & 0x01, early_warning = false, pews;
    struct error err = ERROR_INIT;
    uint64_t first;
    int rc;

    if (immed && !lu->buffered) {
        task_bad_cdb(lu, task, 1, 0);
        return;
    }
    if (count != 0 && !transfer_locate(lu, task)) /* none: what was written is synchronised */
        return;
    first = drive_address(lu->drive);
    pews = beyond_pews(lu);
    if (count != 0) {
        if (!drive_may_write(lu, task))
            return;
        rc = cartridge_write_filemarks(lu->drive->cartridge, count, &early_warning, &err);
        if (rc != 0) {
            write_failed(lu, task, rc, &err, first, count);
            return;
        }
        usage_cut(lu->drive, first);
    }
    if (!immed && !write_sync(lu, task, first, count))
        return;
    if (early_warning)
        write_warn(lu, task, first, count);
    else if (!pews && beyond_pews(lu))
        write_warn_pews(lu, task);
}

/* ---- ERASE ----------------------------------------------------------------------------------- */

enum { BIT_LONG = 0x01, PURGED_AT_ONCE = 64 };

/* What LONG erases takes time, as on a drive, but little: this much of a tape each millisecond. */
#define ERASED_PER_MS 6000000000u

/* What is not on the tape any more is deleted; p->done counts that. */
static bool purge_step(struct scsi_lu *lu, struct scsi_task *task, struct progress *p)
{
    struct error err = ERROR_INIT;
    uint64_t left = 0;
    int rc = cartridge_purge(lu->drive->cartridge, PURGED_AT_ONCE, &left, &err);

    if (rc != 0) {
        lu_log(lu, LOG_LEVEL_ERROR, "a long erase failed: %s", err.message);
        task_fail(lu, task, KEY_MEDIUM_ERROR, ASC_ERASE_FAILURE);
        return true;
    }
    p->done += PURGED_AT_ONCE;
    p->progress = (uint16_t)(p->done * 0xffff / (p->done + left));
    return left == 0;
}

/* The data ends at the position; with LONG=1 nothing that was there, or before it was overwritten,
 * can be read again by any means (SSC-5 5.2: a data security erase). */
static bool erase_step(struct scsi_lu *lu, struct scsi_task *task, struct progress *p)
{
    struct error err = ERROR_INIT;
    int rc;

    if (p->done > 0)
        return purge_step(lu, task, p);
    rc = cartridge_erase(lu->drive->cartridge, &err);
    if (rc != 0) {
        write_failed(lu, task, rc, &err, drive_address(lu->drive), 0);
        return true;
    }
    usage_cut(lu->drive, drive_address(lu->drive));
    return !(task->cdb[1] & BIT_LONG) || purge_step(lu, task, p);
}

static unsigned erase_ms(struct scsi_lu *lu, const struct scsi_task *task)
{
    struct cartridge *c = lu->drive->cartridge;
    struct cartridge_position pos;
    uint64_t capacity;

    cartridge_tell(c, &pos);
    capacity = cartridge_partition_capacity(c, pos.partition);
    if (!(task->cdb[1] & BIT_LONG) || pos.used >= capacity)
        return 0;
    return (unsigned)((capacity - pos.used) / ERASED_PER_MS);
}

void cmd_erase(struct scsi_lu *lu, struct scsi_task *task)
{
    if (transfer_locate(lu, task) && drive_may_write(lu, task))
        operation_run(lu, task, OPERATION_ERASE, erase_step, erase_ms(lu, task));
}
