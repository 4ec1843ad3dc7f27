/* SPDX-License-Identifier: Apache-2.0 */
/* drive.c - the tape drive as a kind of logical unit: its opcode table and what it is. */
#include "vtl/scsi/drive.h"

#include <stdlib.h>

#include "common/clock.h"
#include "vtl/scsi/drive_background.h"
#include "vtl/scsi/drive_codec.h"
#include "vtl/scsi/drive_usage.h"
#include "vtl/scsi/security.h"
#include "vtl/scsi/vpd.h"

#define NO_SA NO_SERVICE_ACTION

/* Time-outs: what a real robot and drive may take; hosts wait so long before they give up. */
enum { SHORT = 60, MOTION = 1800, LONG_ERASE = 18000 };

/* clang-format off */
static const struct opcode drive_opcodes[] = {
    {0x00, NO_SA, 6, OP_PR_ANY, "TEST UNIT READY", {0}, SHORT, cmd_test_unit_ready},
    {0x01, NO_SA, 6, OP_MEDIUM | OP_SYNC | OP_PR_READ, "REWIND", {0x01}, MOTION, cmd_rewind},
    {0x03, NO_SA, 6, OP_ALWAYS, "REQUEST SENSE", {0x01, 0, 0, 0xff}, SHORT,
     cmd_request_sense},
    {0x04, NO_SA, 6, OP_MEDIUM | OP_SYNC, "FORMAT MEDIUM", {0x03, 0x0f}, LONG_ERASE,
     cmd_format_medium},
    {0x05, NO_SA, 6, OP_FREE, "READ BLOCK LIMITS", {0x01}, SHORT, cmd_read_block_limits},
    {0x08, NO_SA, 6, OP_MEDIUM | OP_SYNC | OP_PR_READ | OP_QUICK, "READ(6)",
     {0x03, 0xff, 0xff, 0xff}, MOTION, cmd_read},
    {0x0a, NO_SA, 6, OP_MEDIUM | OP_QUICK, "WRITE(6)", {0x01, 0xff, 0xff, 0xff}, MOTION,
     cmd_write},
    {0x0b, NO_SA, 6, OP_MEDIUM | OP_SYNC, "SET CAPACITY", {0x01, 0, 0xff, 0xff}, MOTION,
     cmd_set_capacity},
    {0x0f, NO_SA, 6, OP_MEDIUM | OP_SYNC | OP_PR_READ, "READ REVERSE(6)",
     {0x07, 0xff, 0xff, 0xff}, MOTION, cmd_read_reverse},
    {0x10, NO_SA, 6, OP_MEDIUM, "WRITE FILEMARKS(6)", {0x01, 0xff, 0xff, 0xff}, MOTION,
     cmd_write_filemarks},
    {0x11, NO_SA, 6, OP_MEDIUM | OP_SYNC | OP_PR_READ, "SPACE(6)", {0x0f, 0xff, 0xff, 0xff}, MOTION,
     cmd_space6},
    {0x12, NO_SA, 6, OP_ALWAYS, "INQUIRY", {0x01, 0xff, 0xff, 0xff}, SHORT,
     cmd_inquiry},
    {0x13, NO_SA, 6, OP_MEDIUM | OP_SYNC | OP_PR_READ, "VERIFY(6)", {0x3f, 0xff, 0xff, 0xff},
     MOTION, cmd_verify},
    {0x14, NO_SA, 6, OP_MEDIUM, "RECOVER BUFFERED DATA", {0x03, 0xff, 0xff, 0xff}, MOTION,
     cmd_recover_buffered},
    {0x15, NO_SA, 6, OP_SYNC, "MODE SELECT(6)", {0x11, 0, 0, 0xff}, SHORT, cmd_mode_select},
    {0x19, NO_SA, 6, OP_MEDIUM | OP_SYNC, "ERASE(6)", {0x03}, LONG_ERASE, cmd_erase},
    {0x1a, NO_SA, 6, OP_PR_READ, "MODE SENSE(6)", {0x08, 0xff, 0xff, 0xff}, SHORT, cmd_mode_sense},
    {0x1b, NO_SA, 6, OP_SYNC, "LOAD UNLOAD", {0x01, 0, 0, 0x0f}, MOTION, cmd_load_unload},
    {0x1c, NO_SA, 6, OP_PR_READ, "RECEIVE DIAGNOSTIC RESULTS", {0x01, 0xff, 0xff, 0xff}, SHORT,
     cmd_receive_diagnostic},
    {0x1d, NO_SA, 6, OP_SYNC, "SEND DIAGNOSTIC", {0xf7, 0, 0xff, 0xff}, MOTION,
     cmd_send_diagnostic},
    {0x1e, NO_SA, 6, OP_FREE, "PREVENT ALLOW MEDIUM REMOVAL", {0, 0, 0, 0x01}, SHORT,
     cmd_prevent_allow},
    {0x2b, NO_SA, 10, OP_MEDIUM | OP_SYNC | OP_PR_READ, "LOCATE(10)",
     {0x07, 0, 0xff, 0xff, 0xff, 0xff, 0, 0xff}, MOTION, cmd_locate},
    {0x34, NO_SA, 10, OP_MEDIUM | OP_PR_READ, "READ POSITION", {0x1f, 0, 0, 0, 0, 0, 0xff, 0xff},
     SHORT, cmd_read_position},
    {0x3b, NO_SA, 10, 0, "WRITE BUFFER",
     {0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_write_buffer},
    {0x3c, NO_SA, 10, OP_SHARED | OP_PR_READ, "READ BUFFER(10)",
     {0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_read_buffer},
    {0x44, NO_SA, 10, OP_FREE, "REPORT DENSITY SUPPORT", {0x03, 0, 0, 0, 0, 0, 0xff, 0xff},
     SHORT, cmd_report_density},
    {0x4c, NO_SA, 10, 0, "LOG SELECT", {0x03, 0xff, 0xff, 0, 0, 0, 0xff, 0xff}, SHORT,
     cmd_log_select},
    {0x4d, NO_SA, 10, OP_FREE, "LOG SENSE", {0x01, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff},
     SHORT, cmd_log_sense},
    {0x55, NO_SA, 10, OP_SYNC, "MODE SELECT(10)", {0x11, 0, 0, 0, 0, 0, 0xff, 0xff}, SHORT,
     cmd_mode_select},
    {0x5a, NO_SA, 10, OP_PR_READ, "MODE SENSE(10)", {0x18, 0xff, 0xff, 0, 0, 0, 0xff, 0xff}, SHORT,
     cmd_mode_sense},
    {0x80, NO_SA, 16, OP_MEDIUM, "WRITE FILEMARKS(16)",
     {0x0d, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, MOTION,
     cmd_write_filemarks},
    {0x81, NO_SA, 16, OP_MEDIUM | OP_SYNC | OP_PR_READ, "READ REVERSE(16)",
     {0x07, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, MOTION,
     cmd_read_reverse},
    {0x82, NO_SA, 16, OP_MEDIUM, "ALLOW OVERWRITE",
     {0, 0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_allow_overwrite},
    {0x88, NO_SA, 16, OP_MEDIUM | OP_SYNC | OP_PR_READ, "READ(16)",
     {0x03, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, MOTION,
     cmd_read},
    {0x8a, NO_SA, 16, OP_MEDIUM, "WRITE(16)",
     {0x0d, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, MOTION,
     cmd_write},
    {0x8c, 0x00, 16, OP_MEDIUM | OP_SHARED | OP_PR_READ, "READ ATTRIBUTE, values",
     {0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, SHORT,
     cmd_read_attribute},
    {0x8c, 0x01, 16, OP_MEDIUM | OP_SHARED | OP_PR_READ, "READ ATTRIBUTE, list",
     {0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, SHORT,
     cmd_read_attribute},
    {0x8c, 0x02, 16, OP_MEDIUM | OP_SHARED | OP_PR_READ, "READ ATTRIBUTE, volume list",
     {0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, SHORT,
     cmd_read_attribute},
    {0x8c, 0x03, 16, OP_MEDIUM | OP_SHARED | OP_PR_READ, "READ ATTRIBUTE, partition list",
     {0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, SHORT,
     cmd_read_attribute},
    {0x8c, 0x05, 16, OP_MEDIUM | OP_SHARED | OP_PR_READ, "READ ATTRIBUTE, supported",
     {0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, SHORT,
     cmd_read_attribute},
    {0x8d, NO_SA, 16, OP_MEDIUM | OP_SYNC, "WRITE ATTRIBUTE",
     {0x01, 0, 0, 0, 0, 0, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_write_attribute},
    {0x8f, NO_SA, 16, OP_MEDIUM | OP_SYNC | OP_PR_READ, "VERIFY(16)",
     {0x3f, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, MOTION,
     cmd_verify},
    {0x91, NO_SA, 16, OP_MEDIUM | OP_SYNC | OP_PR_READ, "SPACE(16)",
     {0x0f, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, MOTION, cmd_space16},
    {0x92, NO_SA, 16, OP_MEDIUM | OP_SYNC | OP_PR_READ, "LOCATE(16)",
     {0x3b, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, MOTION, cmd_locate},
    {0x93, NO_SA, 16, OP_MEDIUM | OP_SYNC, "ERASE(16)",
     {0x0f, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, LONG_ERASE, cmd_erase},
    {0xa0, NO_SA, 12, OP_ALWAYS, "REPORT LUNS",
     {0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_report_luns},
    {0xa2, NO_SA, 12, OP_PR_READ, "SECURITY PROTOCOL IN",
     {0xff, 0xff, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_security_in},
    {0xa3, 0x05, 12, OP_FREE, "REPORT IDENTIFYING INFORMATION",
     {0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xfe}, SHORT, cmd_report_identifier},
    {0xa3, 0x0c, 12, OP_SHARED | OP_PR_READ, "REPORT SUPPORTED OPERATION CODES",
     {0, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_report_opcodes},
    {0xa3, 0x0d, 12, OP_SHARED | OP_PR_READ, "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS",
     {0, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_report_tmfs},
    {0xa3, 0x0f, 12, OP_FREE, "REPORT TIMESTAMP",
     {0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_report_timestamp},
    {0xa3, 0x1d, 12, OP_MEDIUM | OP_PR_READ, "RECEIVE RECOMMENDED ACCESS ORDER",
     {0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07}, SHORT, cmd_receive_rao},
    {0xa3, 0x1f, 12, OP_MEDIUM | OP_SYNC | OP_PR_READ, "READ END OF WRAP POSITION",
     {0, 0xff, 0x03, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_end_of_wrap},
    {0xa4, 0x06, 12, 0, "SET IDENTIFYING INFORMATION",
     {0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xfe}, SHORT, cmd_set_identifier},
    {0xa4, 0x0f, 12, 0, "SET TIMESTAMP", {0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT,
     cmd_set_timestamp},
    {0xa4, 0x1d, 12, OP_MEDIUM | OP_SYNC | OP_PR_READ, "GENERATE RECOMMENDED ACCESS ORDER",
     {0, 0x07, 0x07, 0, 0, 0xff, 0xff, 0xff, 0xff}, 600, cmd_generate_rao},
    {0xab, 0x01, 12, OP_MEDIUM | OP_FREE, "READ MEDIA SERIAL NUMBER",
     {0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_media_serial},
    {0xb5, NO_SA, 12, 0, "SECURITY PROTOCOL OUT",
     {0xff, 0xff, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_security_out},
    RESERVATION_OPCODES,
};
/* clang-format on */

static const struct vpd_page drive_vpd_pages[] = {
    {0x00, vpd_supported},       {0x80, vpd_serial},
    {0x83, vpd_identification},  {0x85, vpd_addresses},
    {0x86, vpd_extended},        {0x87, vpd_policy},
    {0xb0, vpd_capabilities},    {0xb1, vpd_manufacturer_serial},
    {0xb2, vpd_alerts},          {0xb3, vpd_automation_serial},
    {0xb4, vpd_element_address}, {0xb5, vpd_protection},
};

/* ---- hooks ----------------------------------------------------------------------------------- */

static bool drive_admit(struct scsi_lu *lu, struct scsi_task *task, const struct opcode *op)
{
    uint16_t code = drive_not_ready(lu->drive);
    struct sense s;

    drive_settle_allow(lu); /* the command before this one may have moved the medium */
    usage_settle(lu);
    security_check_reservations(lu);
    drive_compresses(lu);
    if (!(op->flags & OP_NO_ATTENTION) && drive_take_deferred(lu->drive, task->nexus, &s)) {
        task_check(lu, task, &s);
        return false;
    }
    if (((op->flags & OP_MEDIUM) && code) ||
        ((op->flags & OP_SYNC) && operation_goes_on(lu->drive))) {
        s = drive_not_ready_sense(lu->drive);
        task_check(lu, task, &s);
        return false;
    }
    return !(op->flags & OP_SYNC) || drive_flush(lu, task);
}

static bool drive_sense(struct scsi_lu *lu, struct scsi_nexus *nexus, struct sense *s)
{
    if (nexus && drive_take_deferred(lu->drive, nexus, s))
        return true;
    if (nexus && operation_sense(lu->drive, s)) /* REQUEST SENSE */
        return true;
    *s = drive_not_ready_sense(lu->drive);
    return s->code != 0;
}

static bool drive_occupied(struct scsi_lu *lu)
{
    return operation_goes_on(lu->drive);
}

static void drive_publish(struct scsi_lu *lu)
{
    const struct drive *d = lu->drive;
    struct scsi_drive_state *state = &lu->state;

    state->drive = d->number;
    state->loaded = d->medium == MEDIUM_READY;
    state->present = d->medium != MEDIUM_NONE;
    state->busy = operation_goes_on(d); /* no command runs now */
    memcpy(state->barcode, d->barcode, sizeof(state->barcode));
    state->observed_ns = clock_real_ns();
    state->bytes_read = d->total_read;
    state->bytes_written = d->total_written;
    if (state->loaded)
        cartridge_tell(d->cartridge, &state->position);
    else
        memset(&state->position, 0, sizeof(state->position));
}

static void drive_forget(struct scsi_lu *lu, const struct scsi_nexus *nexus)
{
    struct drive *d = lu->drive;

    if (d->writer == nexus)
        d->writer = NULL;
    if (d->deferred_for == nexus)
        d->deferred_for = NULL;
    operation_forget(d, nexus);
    security_forget(lu, nexus);
}

/* A reset ends all keys (SSC-5 4.2.23); what is in the buffer stays, and what goes on in the
 * background goes on. */
static void drive_reset(struct scsi_lu *lu)
{
    security_reset(lu);
    drive_compresses(lu);
}

const struct lu_kind drive_kind = {
    .saves = true,
    .failed = life_failed,
    .opcodes = drive_opcodes,
    .opcode_count = ARRAY_LENGTH(drive_opcodes),
    .mode_pages = drive_mode_pages,
    .mode_page_count = DRIVE_MODE_PAGES,
    .log_pages = drive_log_pages,
    .log_page_count = DRIVE_LOG_PAGES,
    .vpd_pages = drive_vpd_pages,
    .vpd_page_count = ARRAY_LENGTH(drive_vpd_pages),
    .refresh = drive_refresh,
    .admit = drive_admit,
    .sense = drive_sense,
    .occupied = drive_occupied,
    .publish = drive_publish,
    .chores = drive_chores,
    .do_chores = drive_do_chores,
    .afterwards = drive_read_ahead,
    .reset = drive_reset,
    .forget = drive_forget,
    .medium_type = drive_medium_type,
    .device_specific = drive_device_specific,
};

int drive_create(struct scsi_lu *lu, struct error *err)
{
    lu->drive = calloc(1, sizeof(*lu->drive));
    if (!lu->drive)
        return error_set(err, ERR_NO_MEMORY, "There is no memory for drive %u", lu->lun - 1);
    lu->drive->usage = calloc(1, sizeof(*lu->drive->usage));
    lu->drive->background = operation_create();
    if (!lu->drive->usage || !lu->drive->background)
        return error_set(err, ERR_NO_MEMORY, "There is no memory for drive %u", lu->lun - 1);
    lu->drive->number = lu->lun - 1;
    lu->drive->address = library_drive_address(lu->target->library, lu->lun - 1);
    lu->drive->generation = UINT64_MAX; /* look at the element before the first command */
    lu->state.drive = lu->drive->number;
    life_start(lu);
    return drive_codec_create(lu->drive, err);
}

void drive_forget_all(struct scsi_lu *lu)
{
    struct drive *d = lu->drive;

    d->generation = UINT64_MAX;
    d->deferred_pending = false;
    d->writer = d->deferred_for = NULL;
    memset(&d->counters, 0, sizeof(d->counters));
    memset(&d->compression_since, 0, sizeof(d->compression_since));
}

void drive_destroy(struct scsi_lu *lu)
{
    if (!lu->drive)
        return;
    pthread_mutex_lock(&lu->device);
    drive_unload(lu, MEDIUM_EJECTED);
    life_save(lu);
    pthread_mutex_unlock(&lu->device);
    free(lu->drive->usage);
    operation_destroy(lu->drive->background);
    drive_codec_destroy(lu->drive);
    free(lu->drive);
    lu->drive = NULL;
}

/* ---- for observers --------------------------------------------------------------------------- */

int scsi_target_drive_state(struct scsi_target *target, unsigned drive,
                            struct scsi_drive_state *out, struct error *err)
{
    struct scsi_lu *lu = target_drive(target, drive);

    if (!lu)
        return error_set(err, ERR_NOT_FOUND, "There is no drive %u", drive);
    if (pthread_mutex_trylock(&lu->device) == 0) { /* else a command runs: as of the last one */
        drive_refresh(lu);
        pthread_mutex_lock(&lu->lock);
        drive_publish(lu);
        pthread_mutex_unlock(&lu->lock);
        pthread_mutex_unlock(&lu->device);
    }
    pthread_mutex_lock(&lu->lock);
    *out = lu->state;
    pthread_mutex_unlock(&lu->lock);
    out->prevented = lu_prevented(lu);
    return 0;
}
