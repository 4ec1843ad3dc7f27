/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_medium.c - the medium in a drive: noticing, loading, synchronising, unloading; the states
 * are drawn in drive.h.
 */
#include "vtl/scsi/drive_background.h"
#include "vtl/scsi/drive_usage.h"
#include "vtl/scsi/security.h"

uint16_t drive_not_ready(const struct drive *d)
{
    if (operation_goes_on(d))
        return operation_not_ready(d);
    switch (d->medium) {
    case MEDIUM_READY:
        return 0;
    case MEDIUM_HELD:
        return ASC_INITIALIZING_REQUIRED;
    case MEDIUM_FAILED:
        return d->failure;
    case MEDIUM_CLEANING:
        return ASC_CLEANING_CARTRIDGE;
    default: /* an ejected cartridge is out of the drive's reach: st takes 3Ah for "no tape" */
        return ASC_NO_MEDIUM;
    }
}

static enum sense_key not_ready_key(uint16_t code)
{
    switch (code) {
    case ASC_INCOMPATIBLE_MEDIUM:
    case ASC_UNKNOWN_FORMAT:
    case ASC_INCOMPATIBLE_FORMAT:
    case ASC_WORM_INTEGRITY:
    case ASC_LOAD_FAILED:
        return KEY_MEDIUM_ERROR;
    default:
        return KEY_NOT_READY;
    }
}

struct sense drive_not_ready_sense(const struct drive *d)
{
    struct sense s = {.code = drive_not_ready(d)};

    s.key = not_ready_key(s.code);
    s.progress_valid = operation_goes_on(d) || s.code == ASC_BECOMING_READY;
    s.progress = operation_goes_on(d) ? operation_progress(d) : 0;
    return s;
}

/* ---- loading --------------------------------------------------------------------------------- */

static bool load_refused(struct scsi_lu *lu, uint16_t code, unsigned alert, const char *why)
{
    struct drive *d = lu->drive;

    if (d->medium != MEDIUM_FAILED) { /* not for every retry */
        lu_log(lu, LOG_LEVEL_WARNING, "cartridge %s can't be loaded: %s", d->barcode, why);
        if (alert)
            alert_raise(lu, alert);
    }
    d->medium = MEDIUM_FAILED;
    d->failure = code;
    return false;
}

static void drive_close(struct drive *d)
{
    cartridge_close(d->cartridge);
    store_close(d->store);
    d->cartridge = NULL;
    d->store = NULL;
}

static bool drive_open(struct scsi_lu *lu)
{
    struct drive *d = lu->drive;
    struct library_media media;
    struct error err = ERROR_INIT;
    int rc = library_cartridge_store(lu->target->library, d->barcode, &d->store, &err);

    if (rc == 0)
        rc = cartridge_open(d->store, CARTRIDGE_READ_WRITE, &d->cartridge, &err);
    d->try_again = rc == -ERR_BUSY;
    if (rc == 0)
        return true;
    drive_close(d);
    if (rc == -ERR_BUSY)
        return load_refused(lu, ASC_BECOMING_READY, 0, err.message);
    library_barcode_media(d->barcode, &media);
    if (media.worm && (rc == -ERR_FORMAT || rc == -ERR_CORRUPT)) /* somebody was at it */
        return load_refused(lu, ASC_WORM_INTEGRITY, ALERT_WORM_INTEGRITY, err.message);
    return load_refused(lu, rc == -ERR_FORMAT ? ASC_INCOMPATIBLE_MEDIUM : ASC_LOAD_FAILED,
                        ALERT_MEDIUM, err.message);
}

static bool load_cleaning(struct scsi_lu *lu)
{
    struct drive *d = lu->drive;
    bool good = drive_clean(lu);

    drive_close(d);
    if (!good)
        return load_refused(lu, ASC_CLEANING_FAILURE, ALERT_CLEANING_EXPIRED,
                            "it has cleaned as often as it may");
    d->medium = MEDIUM_CLEANING;
    return false;
}

/* A generation that this drive does not know, or that it no longer reads. */
static bool load_foreign(struct scsi_lu *lu, uint8_t density)
{
    const struct medium *m = medium_by_density(density);
    bool older = m && m->generation < lu->personality->native->generation;

    drive_close(lu->drive);
    return load_refused(lu, older ? ASC_INCOMPATIBLE_FORMAT : ASC_UNKNOWN_FORMAT,
                        ALERT_UNSUPPORTED_FORMAT, "this drive does not take its format");
}

/* Thread the cartridge that lies in the drive.  True: READY. */
static bool drive_load(struct scsi_lu *lu)
{
    struct drive *d = lu->drive;
    struct library_media media;

    d->try_again = false;
    library_barcode_media(d->barcode, &media);
    if (!drive_open(lu))
        return false;
    if (media.cleaning)
        return load_cleaning(lu);
    if (!drive_reads_density(lu, cartridge_identity(d->cartridge)->density))
        return load_foreign(lu, cartridge_identity(d->cartridge)->density);
    d->medium = MEDIUM_READY;
    d->counters.loads++;
    d->written = d->change_read = false;
    d->load_written = d->total_written;
    d->load_read = d->total_read;
    d->load_write_errors = d->counters.write_errors;
    d->load_read_errors = d->counters.read_errors;
    drive_positioned(d);
    drive_disallow(d);
    division_forget(lu);
    usage_load(lu);
    life_loaded(lu);
    attention_raise(lu, ASC_MEDIUM_CHANGED, NULL);
    return true;
}

void drive_refresh(struct scsi_lu *lu)
{
    struct drive *d = lu->drive;
    struct library_element e;

    operation_settle(lu);
    if (library_element(lu->target->library, d->address, &e, NULL) != 0)
        return;
    drive_clean_done(lu);
    if (e.generation == d->generation) {
        if (d->medium == MEDIUM_FAILED && d->try_again)
            drive_load(lu);
        return;
    }
    d->generation = e.generation;
    operation_end(lu);
    alert_clear(lu, ALERTS_OF_MEDIUM);
    if (d->medium == MEDIUM_READY) { /* taken out behind our back: keep what was written */
        drive_unload(lu, MEDIUM_EJECTED);
        alert_raise(lu, ALERT_FORCED_EJECT);
    }
    d->medium = MEDIUM_NONE;
    d->try_again = false;
    memcpy(d->barcode, e.barcode, sizeof(d->barcode));
    if (e.full)
        drive_load(lu);
}

/* ---- synchronising --------------------------------------------------------------------------- */

bool drive_sync(struct scsi_lu *lu, struct sense *s)
{
    struct drive *d = lu->drive;
    struct error err = ERROR_INIT;
    struct cartridge_position pos;
    uint64_t lost;
    int rc;

    if (d->medium != MEDIUM_READY)
        return true;
    cartridge_tell(d->cartridge, &pos);
    if (pos.unsynced == 0)
        return true;
    lost = pos.lba - (pos.unsynced < pos.lba ? pos.unsynced : pos.lba);
    rc = cartridge_sync(d->cartridge, &lost, &err);
    if (rc == 0)
        return true;
    lu_log(lu, LOG_LEVEL_ERROR, "written blocks are lost: %s", err.message);
    d->write_blocked = true;
    d->counters.write_errors++;
    alert_raise(lu, ALERT_WRITE_FAILURE);
    *s = (struct sense){.key = KEY_MEDIUM_ERROR,
                        .code = ASC_WRITE_ERROR,
                        .deferred = true,
                        .valid = true,
                        .information = (int64_t)(pos.lba > lost ? pos.lba - lost : pos.unsynced),
                        .command_specific = lost};
    if (rc == -ERR_NO_SPACE) {
        s->key = KEY_VOLUME_OVERFLOW;
        s->code = ASC_END_OF_MEDIUM;
        s->eom = true;
    }
    return false;
}

void drive_defer(struct drive *d, const struct sense *s, struct scsi_nexus *nexus)
{
    if (d->deferred_pending)
        return;
    d->deferred = *s;
    d->deferred_for = nexus;
    d->deferred_pending = true;
}

bool drive_flush(struct scsi_lu *lu, struct scsi_task *task)
{
    struct drive *d = lu->drive;
    struct sense s;

    if (drive_sync(lu, &s))
        return true;
    task_check(lu, task, &s);
    if (d->writer != task->nexus)
        drive_defer(d, &s, d->writer);
    return false;
}

bool drive_take_deferred(struct drive *d, const struct scsi_nexus *nexus, struct sense *s)
{
    if (!d->deferred_pending || (d->deferred_for && d->deferred_for != nexus))
        return false;
    *s = d->deferred;
    d->deferred_pending = false;
    return true;
}

enum chores drive_chores(struct scsi_lu *lu)
{
    enum chores chores = operation_chores(lu->drive);
    struct cartridge_position pos;

    if (chores != CHORES_NONE)
        return chores;
    if (lu->drive->medium != MEDIUM_READY)
        return CHORES_NONE;
    cartridge_tell(lu->drive->cartridge, &pos);
    if (pos.unsynced == 0)
        return CHORES_NONE;
    return pos.unsynced_bytes < DRIVE_SYNC_BYTES ? CHORES_LATER : CHORES_NOW;
}

void drive_do_chores(struct scsi_lu *lu)
{
    struct sense s;

    if (operation_chores(lu->drive) != CHORES_NONE)
        operation_do_chores(lu);
    else if (drive_chores(lu) != CHORES_NONE && !drive_sync(lu, &s))
        drive_defer(lu->drive, &s, lu->drive->writer);
}

/* ---- unloading ------------------------------------------------------------------------------- */

static bool let_go(struct scsi_lu *lu, enum medium_state after)
{
    struct drive *d = lu->drive;
    struct sense s;
    bool kept = true;

    if (d->medium == MEDIUM_READY) {
        kept = drive_sync(lu, &s);
        if (!kept)
            drive_defer(d, &s, d->writer);
        usage_settle(lu);
        usage_store(d);
        drive_forget_rao(d);
        division_forget(lu);
        drive_close(d);
        security_demounted(lu);
        life_save(lu);
    }
    if (d->medium != MEDIUM_NONE)
        d->medium = after;
    d->try_again = false;
    drive_positioned(d);
    return kept;
}

bool drive_unload(struct scsi_lu *lu, enum medium_state after)
{
    operation_end(lu);
    return let_go(lu, after);
}

static bool hold_bit(const struct scsi_task *task)
{
    return task->cdb[4] & 0x08;
}

static bool unload_step(struct scsi_lu *lu, struct scsi_task *task, struct progress *p)
{
    struct sense s;

    (void)p;
    if (!let_go(lu, hold_bit(task) ? MEDIUM_HELD : MEDIUM_EJECTED) &&
        drive_take_deferred(lu->drive, task->nexus, &s))
        task_check(lu, task, &s);
    return true;
}

static void do_unload(struct scsi_lu *lu, struct scsi_task *task)
{
    if (lu_prevented(lu)) {
        alert_raise(lu, ALERT_REMOVAL_PREVENTED);
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
    } else if (lu->drive->medium != MEDIUM_NONE) { /* nothing to do is no error (SSC-5 7.3) */
        operation_run(lu, task, OPERATION_UNLOAD, unload_step, 0);
    }
}

/* What a medium that is loaded can't do, it says itself from then on. */
static bool load_step(struct scsi_lu *lu, struct scsi_task *task, struct progress *p)
{
    struct drive *d = lu->drive;

    (void)p;
    if (d->medium == MEDIUM_READY) { /* to the beginning of partition 0: always there */
        cartridge_locate(d->cartridge, 0, 0, NULL);
        drive_positioned(d);
    } else if (!drive_load(lu) && !scsi_cdb_is_immediate(task->cdb)) {
        const struct sense s = drive_not_ready_sense(d);

        task_check(lu, task, &s);
    }
    return true;
}

static void do_load(struct scsi_lu *lu, struct scsi_task *task)
{
    struct drive *d = lu->drive;

    if (d->medium == MEDIUM_NONE) {
        task_fail(lu, task, KEY_NOT_READY, ASC_NO_MEDIUM);
    } else if (d->medium == MEDIUM_CLEANING) {
        task_fail(lu, task, KEY_NOT_READY, ASC_CLEANING_CARTRIDGE);
    } else if (!hold_bit(task)) {
        operation_run(lu, task, OPERATION_LOAD, load_step, 0);
    } else if (d->medium == MEDIUM_EJECTED) { /* drawn in, but not threaded */
        d->medium = MEDIUM_HELD;
    }
}

/* LOAD UNLOAD (SSC-5 7.3).  There is nothing to retension. */
void cmd_load_unload(struct scsi_lu *lu, struct scsi_task *task)
{
    bool load = task->cdb[4] & 0x01, eot = task->cdb[4] & 0x04;

    if (load && eot)
        task_bad_cdb(lu, task, 4, 2);
    else if (load)
        do_load(lu, task);
    else
        do_unload(lu, task);
}
