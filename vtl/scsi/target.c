/* SPDX-License-Identifier: Apache-2.0 */
/* target.c - a target's logical units: making them, finding them by LUN, task management. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "vtl/scsi/changer.h"
#include "vtl/scsi/disk.h"
#include "vtl/scsi/drive.h"
#include "vtl/scsi/internal.h"

/* ---- names ----------------------------------------------------------------------------------- */

/* NAA 3h (locally assigned, SPC-5 7.7.6.6.4): 60 bits that depend on nothing but the serial number,
 * so they are the same after every start, and differ between libraries.  FNV-1a 64. */
static uint64_t naa_of(const char *kind, const char *serial)
{
    const char *const parts[] = {"capstan", kind, serial};
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        for (const char *p = parts[i];; p++) {
            hash = (hash ^ (uint8_t)*p) * 0x100000001b3;
            if (!*p)
                break;
        }
    }
    return (hash >> 4) | (uint64_t)3 << 60;
}

/* ---- making ---------------------------------------------------------------------------------- */

/* What a unit knows after power on: what it has saved. */
static void lu_power_on(struct scsi_lu *lu)
{
    alert_clear(lu, UINT64_MAX);
    lu->exception = (struct lu_exception){0};
    lu->hardware_errors = 0;
    lu->clock_set = false;
    lu->clock_offset_ms = 0;
    lu->echo_owner = NULL;
    free(lu->data_buffer);
    lu->data_buffer = NULL;
    mode_reset(lu);
    log_free(lu);
    log_load(lu);
    persistent_load(lu);
}

static void lu_init(struct scsi_target *target, unsigned lun, const struct lu_kind *kind,
                    const struct personality *personality)
{
    struct scsi_lu *lu = &target->lus[lun];
    const char *serial = library_geometry(target->library)->serial;
    pthread_condattr_t monotonic;

    lu->target = target;
    lu->lun = lun;
    lu->kind = kind;
    lu->personality = personality;
    personality_serial(personality, serial, lun, lu->serial);
    lu->naa = naa_of(lu->personality->product, lu->serial);
    lu->tail = &lu->head;
    pthread_mutex_init(&lu->device, NULL);
    pthread_mutex_init(&lu->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&lu->wake, &monotonic);
    pthread_cond_init(&lu->finished, NULL);
    pthread_condattr_destroy(&monotonic);
    lu_power_on(lu);
}

/* A unit that is complete gets its LUN. */
static void lu_appear(struct scsi_lu *lu)
{
    if (lu->target->lu_count <= lu->lun)
        lu->target->lu_count = lu->lun + 1;
    lu->present = true;
}

static void lu_free(struct scsi_lu *lu)
{
    if (!lu->target)
        return;
    registrations_free(&lu->persistent);
    log_free(lu);
    free(lu->data_buffer);
    lu->data_buffer = NULL;
    changer_destroy(lu);
    drive_destroy(lu);
    disk_destroy(lu);
    pthread_cond_destroy(&lu->wake);
    pthread_cond_destroy(&lu->finished);
    pthread_mutex_destroy(&lu->lock);
    pthread_mutex_destroy(&lu->device);
}

static int lu_create(struct scsi_target *target, unsigned lun, struct error *err)
{
    if (lun == 0) {
        lu_init(target, lun, &changer_kind, target->models.changer);
        return changer_create(&target->lus[0], err);
    }
    lu_init(target, lun, &drive_kind, target->models.drives[lun - 1]);
    return drive_create(&target->lus[lun], err);
}

/* Note what the units are, with the default models where the caller names none. */
static int target_models(struct scsi_target *target, const struct scsi_models *models,
                         struct error *err)
{
    struct scsi_models *m = &target->models;
    const struct personality *drive, *changer;
    int rc = personality_set_load(NULL, &target->defaults, err);

    if (rc != 0 ||
        (rc = personality_find(target->defaults, PERSONALITY_DRIVE, PERSONALITY_DEFAULT_DRIVE,
                               &drive, err)) != 0 ||
        (rc = personality_find(target->defaults, PERSONALITY_CHANGER, PERSONALITY_DEFAULT_CHANGER,
                               &changer, err)) != 0)
        return rc;
    m->changer = models && models->changer ? models->changer : changer;
    for (unsigned i = 0; i < LIBRARY_DRIVES_MAX; i++)
        m->drives[i] = models && models->drives[i] ? models->drives[i] : drive;
    return 0;
}

int scsi_target_create(struct library *lib, const struct scsi_models *models,
                       struct scsi_target **out, struct error *err)
{
    unsigned count = 1 + library_geometry(lib)->drives;
    struct scsi_target *target = calloc(1, sizeof(*target));
    int rc;

    if (!target || !(target->lus = calloc(TARGET_LUNS, sizeof(*target->lus)))) {
        free(target);
        return error_set(err, ERR_NO_MEMORY, "There is no memory for %u logical units", count);
    }
    target->library = lib;
    target->compression = CARTRIDGE_LZ4;
    target->port_naa = naa_of("port", library_geometry(lib)->serial);
    pthread_mutex_init(&target->topology, NULL);
    pthread_mutex_init(&target->lock, NULL);
    power_start(target);
    rc = target_models(target, models, err);
    for (unsigned i = 0; rc == 0 && i < count; i++) {
        if (i > 0 && library_drive_removed(lib, i - 1))
            continue;
        rc = lu_create(target, i, err);
        if (rc == 0)
            lu_appear(&target->lus[i]);
    }
    if (rc != 0) {
        scsi_target_destroy(target);
        return rc;
    }
    *out = target;
    return 0;
}

void scsi_target_set_compression(struct scsi_target *target, enum cartridge_compression method)
{
    assert(!target->nexuses);
    target->compression = method;
}

int scsi_target_add_port(struct scsi_target *target, uint16_t id, const char *name,
                         struct error *err)
{
    char *copy;

    assert(id && !target->nexuses);
    if (target->port_count == SCSI_PORTS_MAX)
        return error_set(err, ERR_RANGE, "A target has at most %d ports", SCSI_PORTS_MAX);
    copy = strdup(name);
    if (!copy)
        return error_set(err, ERR_NO_MEMORY, "There is no memory for another target port");
    target->ports[target->port_count++] = (struct scsi_port){id, copy};
    return 0;
}

int scsi_target_add_disk(struct scsi_target *target, unsigned mib, struct error *err)
{
    unsigned lun = 1 + library_geometry(target->library)->drives;
    struct scsi_lu *lu = &target->lus[lun];
    int rc;

    assert(mib >= 1 && mib <= SCSI_DISK_MIB_MAX);
    assert(!target->nexuses && !lu->target);
    lu_init(target, lun, &disk_kind, &disk_personality);
    rc = disk_create(lu, mib, err);
    if (rc == 0) {
        lu_appear(lu);
    } else {
        lu_free(lu);
        lu->target = NULL;
    }
    return rc;
}

void scsi_target_destroy(struct scsi_target *target)
{
    if (!target)
        return;
    for (unsigned i = 0; i < TARGET_LUNS; i++) {
        if (target->lus[i].target)
            lu_stop(&target->lus[i]);
    }
    for (unsigned i = 0; i < TARGET_LUNS; i++)
        lu_free(&target->lus[i]);
    power_save(target);
    for (unsigned i = 0; i < target->port_count; i++)
        free(target->ports[i].name);
    pthread_mutex_destroy(&target->lock);
    pthread_mutex_destroy(&target->topology);
    personality_set_free(target->defaults);
    free(target->lus);
    free(target);
}

void scsi_target_set_layer(struct scsi_target *target, const struct scsi_layer *layer)
{
    target->layer = layer;
}

bool scsi_task_aborted(const struct scsi_task *task)
{
    return lu_aborted(task->lu, task);
}

unsigned scsi_target_lun_count(const struct scsi_target *target)
{
    return target->lu_count;
}

struct scsi_lu *target_drive(struct scsi_target *target, unsigned drive)
{
    struct scsi_lu *lu = drive < LIBRARY_DRIVES_MAX ? &target->lus[drive + 1] : NULL;

    return lu && lu->present && lu->drive ? lu : NULL;
}

/* ---- drives that come and go ------------------------------------------------------------------
 */

/* Bring the unit of a drive up; it may have been there before. */
static int drive_appear(struct scsi_lu *lu, struct scsi_target *target, unsigned lun,
                        struct error *err)
{
    int rc = 0;

    if (!lu->target) {
        rc = lu_create(target, lun, err);
    } else {
        pthread_mutex_lock(&lu->device);
        lu_power_on(lu);
        drive_forget_all(lu);
        pthread_mutex_unlock(&lu->device);
        pthread_mutex_lock(&lu->lock);
        lu->stop = false;
        pthread_mutex_unlock(&lu->lock);
    }
    if (rc != 0)
        return rc;
    nexus_meet(lu);
    lu_appear(lu);
    return 0;
}

/* A unit has come or gone.  SPC-5 6.33 asks one device server to tell every nexus that sees it.  It
 * is that of LUN 0: st(4) gives up a backup under way for any unit attention, and next to a drive
 * of metal another one may be plugged in. */
static void luns_changed(struct scsi_target *target, const struct scsi_lu *which)
{
    CLEANUP_UNLOCK(&target->lock);

    for (struct scsi_nexus *n = target->nexuses; n; n = n->next)
        if (nexus_lun(n, which) >= 0)
            view_tell(n);
}

int scsi_target_drive_add(struct scsi_target *target, unsigned *drive, struct error *err)
{
    CLEANUP_UNLOCK(&target->topology);
    unsigned disk = 1 + library_geometry(target->library)->drives;
    struct error ignored;
    int rc;

    if (disk < TARGET_LUNS && target->lus[disk].disk)
        return error_set(err, ERR_STATE,
                         "LUN %u is the test disk; take it out of the configuration first", disk);
    rc = library_drive_add(target->library, drive, err);
    if (rc != 0)
        return rc;
    rc = drive_appear(&target->lus[*drive + 1], target, *drive + 1, err);
    if (rc != 0) {
        library_drive_remove(target->library, *drive, &ignored);
        return rc;
    }
    luns_changed(target, &target->lus[*drive + 1]);
    return 0;
}

/* Nobody finds it any more; what was under way ends; what a host had on it is gone. */
static void drive_vanish(struct scsi_lu *lu)
{
    lu->present = false;
    lu_stop(lu);
    pthread_mutex_lock(&lu->device);
    drive_unload(lu, MEDIUM_EJECTED);
    lu->kind->reset(lu); /* its keys, too */
    lu_values_forget(lu);
    pthread_mutex_unlock(&lu->device);
    pthread_mutex_lock(&lu->target->lock);
    lu->reserved_by = NULL;
    registrations_free(&lu->persistent);
    lu->persistent_kept = false;
    for (struct scsi_nexus *n = lu->target->nexuses; n; n = n->next)
        n->lu[lu->lun].prevents = false;
    pthread_mutex_unlock(&lu->target->lock);
}

int scsi_target_drive_remove(struct scsi_target *target, unsigned drive, struct error *err)
{
    CLEANUP_UNLOCK(&target->topology);
    struct scsi_lu *changer = &target->lus[0], *lu = target_drive(target, drive);
    int rc;

    if (!lu)
        return error_set(err, ERR_NOT_FOUND, "There is no drive %u", drive);
    pthread_mutex_lock(&changer->device); /* the robot brings nothing meanwhile */
    rc = library_drive_remove(target->library, drive, err);
    if (rc == 0)
        drive_vanish(lu);
    pthread_mutex_unlock(&changer->device);
    if (rc == 0)
        luns_changed(target, lu);
    return rc;
}

int scsi_target_drive_eject(struct scsi_target *target, unsigned drive, struct error *err)
{
    CLEANUP_UNLOCK(&target->topology);
    struct scsi_lu *lu = target_drive(target, drive);
    int rc = 0;

    if (!lu)
        return error_set(err, ERR_NOT_FOUND, "There is no drive %u", drive);
    pthread_mutex_lock(&lu->device);
    drive_refresh(lu);
    if (lu->drive->medium == MEDIUM_NONE)
        rc = error_set(err, ERR_STATE, "There is no cartridge in drive %u", drive);
    else if (lu_prevented(lu))
        rc = error_set(err, ERR_BUSY, "A host prevents the removal of cartridge %s from drive %u",
                       lu->drive->barcode, drive);
    else if (!drive_unload(lu, MEDIUM_EJECTED))
        rc = error_set(err, ERR_IO, "Drive %u could not bring all written blocks to cartridge %s",
                       drive, lu->drive->barcode);
    pthread_mutex_lock(&lu->lock);
    lu->kind->publish(lu);
    pthread_mutex_unlock(&lu->lock);
    pthread_mutex_unlock(&lu->device);
    return rc;
}

bool scsi_target_prevented(struct scsi_target *target)
{
    return lu_prevented(&target->lus[0]);
}

void scsi_target_elements_changed(struct scsi_target *target)
{
    struct scsi_lu *lu = &target->lus[0];

    pthread_mutex_lock(&lu->device);
    lu->changer->import_export_seen = changer_import_export(target);
    pthread_mutex_unlock(&lu->device);
    attention_raise(lu, ASC_MODE_CHANGED, NULL);
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static struct scsi_lu *task_prepare(struct scsi_target *target, struct scsi_task *task)
{
    struct scsi_lu *lu = nexus_lu(task->nexus, task->lun);

    task->next = NULL;
    task->aborted = false;
    task->no_lu = lu == NULL;
    task->lu = lu ? lu : &target->lus[0];
    task->status = SCSI_GOOD;
    task->sense_len = task->in_len = 0;
    task->in_want = task->out_want = 0;
    if (task->cdb_len > SCSI_CDB_MAX)
        task->cdb_len = SCSI_CDB_MAX;
    memset(task->cdb + task->cdb_len, 0, SCSI_CDB_MAX - task->cdb_len);
    return task->lu;
}

void scsi_target_submit(struct scsi_target *target, struct scsi_task *task)
{
    lu_submit(task_prepare(target, task), task);
}

void scsi_target_run(struct scsi_target *target, struct scsi_task *task)
{
    struct scsi_lu *lu = task_prepare(target, task);

    if (task->no_lu || !lu_run_here(lu, task))
        lu_submit(lu, task);
}

/* ---- task management (SAM-6 clause 7) -------------------------------------------------------- */

struct abort_one {
    const struct scsi_nexus *nexus;
    uint64_t tag;
};

static bool is_task(const struct scsi_task *task, const void *ctx)
{
    const struct abort_one *one = ctx;

    return !task->no_lu && task->nexus == one->nexus && task->tag == one->tag;
}

static bool is_of_nexus(const struct scsi_task *task, const void *nexus)
{
    return !task->no_lu && task->nexus == nexus;
}

static bool is_of_lu(const struct scsi_task *task, const void *ctx)
{
    (void)ctx;
    return !task->no_lu;
}

static void lu_reset(struct scsi_lu *lu)
{
    lu_abort(lu, is_of_lu, NULL);
    nexus_reset(lu);
    pthread_mutex_lock(&lu->device);
    mode_reset(lu);
    lu->exception = (struct lu_exception){0};
    if (lu->kind->reset)
        lu->kind->reset(lu);
    pthread_mutex_unlock(&lu->device);
}

enum scsi_tmf_result scsi_target_manage(struct scsi_target *target, struct scsi_nexus *nexus,
                                        enum scsi_tmf function, const uint8_t lun[8], uint64_t tag)
{
    const struct abort_one one = {nexus, tag};
    struct scsi_lu *lu;

    if (function == SCSI_TMF_TARGET_RESET && !scsi_nexus_sees_all(nexus))
        return SCSI_TMF_REJECTED;
    if (function == SCSI_TMF_TARGET_RESET) {
        for (unsigned i = 0; i < target->lu_count; i++) {
            if (target->lus[i].present)
                lu_reset(&target->lus[i]);
        }
        return SCSI_TMF_COMPLETE;
    }
    lu = nexus_lu(nexus, lun);
    if (!lu)
        return SCSI_TMF_NO_LUN;
    switch (function) {
    case SCSI_TMF_ABORT_TASK:
        return lu_abort(lu, is_task, &one) ? SCSI_TMF_COMPLETE : SCSI_TMF_NO_TASK;
    case SCSI_TMF_ABORT_TASK_SET:
        lu_abort(lu, is_of_nexus, nexus);
        return SCSI_TMF_COMPLETE;
    case SCSI_TMF_CLEAR_TASK_SET:
        lu_abort(lu, is_of_lu, NULL);
        return SCSI_TMF_COMPLETE;
    case SCSI_TMF_LUN_RESET:
        lu_reset(lu);
        return SCSI_TMF_COMPLETE;
    default:
        return SCSI_TMF_REJECTED;
    }
}

/* ---- bounds for transports ------------------------------------------------------------------- */

/* Where a CDB says how many bytes it moves. */
static const struct transfer_field {
    uint8_t opcode, offset, width;
    uint32_t max;
} transfer_fields[] = {
    {0x03, 4, 1, 65536},     {0x05, 0, 0, 32},        {0x08, 2, 3, 1u << 24},
    {0x0a, 2, 3, 1u << 24},  {0x0f, 2, 3, 1u << 24},  {0x13, 2, 3, 1u << 24},
    {0x14, 2, 3, 1u << 24},  {0x81, 12, 3, 1u << 24}, {0x88, 12, 3, 1u << 24},
    {0x8a, 12, 3, 1u << 24}, {0x8f, 12, 3, 1u << 24}, {0x12, 3, 2, 65536},
    {0x15, 4, 1, 65536},     {0x1a, 4, 1, 65536},     {0x1d, 3, 2, 65536},
    {0x16, 3, 2, 65536},     {0x34, 0, 0, 64},        {0x1c, 3, 2, 65536},
    {0x3b, 6, 3, 65536},     {0xab, 6, 4, 65536},     {0x3c, 6, 3, 65536},
    {0x44, 7, 2, 65536},     {0x4c, 7, 2, 65536},     {0x4d, 7, 2, 65536},
    {0x55, 7, 2, 65536},     {0x56, 7, 2, 65536},     {0x5a, 7, 2, 65536},
    {0x5e, 7, 2, 65536},     {0x5f, 5, 4, 65536},     {0x8c, 10, 4, 65536},
    {0x8d, 10, 4, 65536},    {0xa0, 6, 4, 65536},     {0xa2, 6, 4, 65536},
    {0xa3, 6, 4, 65536},     {0xa4, 6, 4, 65536},     {0xb8, 7, 3, 1u << 24},
    {0xb5, 7, 3, 1u << 24},  {0xb6, 8, 2, 65536},
};

static bool is_verify(uint8_t opcode)
{
    return opcode == 0x13 || opcode == 0x8f;
}

/* Byte 1 bit 0 is FIXED. */
static bool moves_blocks(const struct transfer_field *f)
{
    return f->max == 1u << 24 && f->opcode != 0xb8 && f->opcode != 0xb5;
}

size_t scsi_cdb_transfer_bound(const uint8_t *cdb, size_t cdb_len)
{
    for (size_t i = 0; i < ARRAY_LENGTH(transfer_fields); i++) {
        const struct transfer_field *f = &transfer_fields[i];
        uint32_t bytes = 0;

        if (cdb_len == 0 || f->opcode != cdb[0])
            continue;
        if (is_verify(cdb[0]) && !(cdb_len > 1 && (cdb[1] & 2)))
            return 0; /* without BYTCMP */
        /* Fixed blocks: the length is in blocks of a size that only the drive knows. */
        if (f->width == 0 || f->opcode == 0x34 || (moves_blocks(f) && cdb_len > 1 && (cdb[1] & 1)))
            return f->max;
        for (unsigned b = 0; b < f->width; b++)
            bytes = bytes << 8 | (f->offset + b < cdb_len ? cdb[f->offset + b] : 0);
        return bytes < f->max ? bytes : f->max;
    }
    return 0;
}

size_t scsi_nexus_transfer_bound(const struct scsi_nexus *nexus, const uint8_t lun[8],
                                 const uint8_t *cdb, size_t cdb_len)
{
    const struct scsi_lu *lu = nexus_lu(nexus, lun);
    size_t bound;

    if (lu && lu->disk && cdb_len >= 16 && disk_transfer_bound(cdb, &bound))
        return bound;
    return scsi_cdb_transfer_bound(cdb, cdb_len);
}
