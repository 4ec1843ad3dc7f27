/* SPDX-License-Identifier: Apache-2.0 */
/* disk.c - the test disk as a kind of logical unit: its opcode table and what it is. */
#include "vtl/scsi/disk.h"

#include <stdlib.h>

#include "vtl/scsi/vpd.h"

#define NO_SA NO_SERVICE_ACTION

enum { SHORT = 60 };

static void cmd_start_stop(struct scsi_lu *lu, struct scsi_task *task)
{
    lu->disk->stopped = !(task->cdb[4] & 0x01); /* LOEJ and power conditions are not in the mask */
}

#define LBA_LENGTH_10 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff
#define LBA_LENGTH_12 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff
#define LBA_LENGTH_16 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff

/* Byte 1 of the commands on blocks: protection, DPO and FUA are not offered; BYTCHK is. */
/* clang-format off */
static const struct opcode disk_opcodes[] = {
    {0x00, NO_SA, 6, OP_PR_ANY, "TEST UNIT READY", {0}, SHORT, cmd_test_unit_ready},
    {0x03, NO_SA, 6, OP_ALWAYS, "REQUEST SENSE", {0x01, 0, 0, 0xff}, SHORT, cmd_request_sense},
    {0x08, NO_SA, 6, OP_MEDIUM | OP_PR_READ, "READ(6)", {0x1f, 0xff, 0xff, 0xff}, SHORT,
     cmd_disk_read},
    {0x0a, NO_SA, 6, OP_MEDIUM, "WRITE(6)", {0x1f, 0xff, 0xff, 0xff}, SHORT, cmd_disk_write},
    {0x12, NO_SA, 6, OP_ALWAYS, "INQUIRY", {0x01, 0xff, 0xff, 0xff}, SHORT, cmd_inquiry},
    {0x15, NO_SA, 6, 0, "MODE SELECT(6)", {0x11, 0, 0, 0xff}, SHORT, cmd_mode_select},
    {0x1a, NO_SA, 6, OP_PR_READ, "MODE SENSE(6)", {0x08, 0xff, 0xff, 0xff}, SHORT, cmd_mode_sense},
    {0x1b, NO_SA, 6, 0, "START STOP UNIT", {0x01, 0, 0, 0x05}, SHORT, cmd_start_stop},
    {0x1d, NO_SA, 6, 0, "SEND DIAGNOSTIC", {0xf7, 0, 0xff, 0xff}, SHORT, cmd_send_diagnostic},
    {0x25, NO_SA, 10, OP_MEDIUM | OP_FREE, "READ CAPACITY(10)", {0}, SHORT, cmd_disk_capacity10},
    {0x28, NO_SA, 10, OP_MEDIUM | OP_PR_READ, "READ(10)", {0, LBA_LENGTH_10}, SHORT, cmd_disk_read},
    {0x2a, NO_SA, 10, OP_MEDIUM, "WRITE(10)", {0, LBA_LENGTH_10}, SHORT, cmd_disk_write},
    {0x2e, NO_SA, 10, OP_MEDIUM, "WRITE AND VERIFY(10)", {0x02, LBA_LENGTH_10}, SHORT,
     cmd_disk_write},
    {0x2f, NO_SA, 10, OP_MEDIUM | OP_PR_READ, "VERIFY(10)", {0x06, LBA_LENGTH_10}, SHORT,
     cmd_disk_verify},
    {0x35, NO_SA, 10, OP_MEDIUM, "SYNCHRONIZE CACHE(10)", {0x02, LBA_LENGTH_10}, SHORT,
     cmd_disk_synchronize},
    {0x41, NO_SA, 10, OP_MEDIUM, "WRITE SAME(10)", {0, LBA_LENGTH_10}, SHORT, cmd_disk_write_same},
    {0x55, NO_SA, 10, 0, "MODE SELECT(10)", {0x11, 0, 0, 0, 0, 0, 0xff, 0xff}, SHORT,
     cmd_mode_select},
    {0x5a, NO_SA, 10, OP_PR_READ, "MODE SENSE(10)", {0x18, 0xff, 0xff, 0, 0, 0, 0xff, 0xff}, SHORT,
     cmd_mode_sense},
    {0x88, NO_SA, 16, OP_MEDIUM | OP_PR_READ, "READ(16)", {0, LBA_LENGTH_16}, SHORT, cmd_disk_read},
    {0x8a, NO_SA, 16, OP_MEDIUM, "WRITE(16)", {0, LBA_LENGTH_16}, SHORT, cmd_disk_write},
    {0x8e, NO_SA, 16, OP_MEDIUM, "WRITE AND VERIFY(16)", {0x02, LBA_LENGTH_16}, SHORT,
     cmd_disk_write},
    {0x8f, NO_SA, 16, OP_MEDIUM | OP_PR_READ, "VERIFY(16)", {0x06, LBA_LENGTH_16}, SHORT,
     cmd_disk_verify},
    {0x91, NO_SA, 16, OP_MEDIUM, "SYNCHRONIZE CACHE(16)", {0x02, LBA_LENGTH_16}, SHORT,
     cmd_disk_synchronize},
    {0x93, NO_SA, 16, OP_MEDIUM, "WRITE SAME(16)", {0, LBA_LENGTH_16}, SHORT, cmd_disk_write_same},
    {0x9e, 0x10, 16, OP_MEDIUM | OP_FREE, "READ CAPACITY(16)",
     {0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_disk_capacity16},
    {0xa0, NO_SA, 12, OP_ALWAYS, "REPORT LUNS",
     {0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_report_luns},
    {0xa3, 0x0c, 12, OP_SHARED | OP_PR_READ, "REPORT SUPPORTED OPERATION CODES",
     {0, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_report_opcodes},
    {0xa3, 0x0d, 12, OP_SHARED | OP_PR_READ, "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS",
     {0, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_report_tmfs},
    {0xa8, NO_SA, 12, OP_MEDIUM | OP_PR_READ, "READ(12)", {0, LBA_LENGTH_12}, SHORT, cmd_disk_read},
    {0xaa, NO_SA, 12, OP_MEDIUM, "WRITE(12)", {0, LBA_LENGTH_12}, SHORT, cmd_disk_write},
    {0xae, NO_SA, 12, OP_MEDIUM, "WRITE AND VERIFY(12)", {0x02, LBA_LENGTH_12}, SHORT,
     cmd_disk_write},
    {0xaf, NO_SA, 12, OP_MEDIUM | OP_PR_READ, "VERIFY(12)", {0x06, LBA_LENGTH_12}, SHORT,
     cmd_disk_verify},
    RESERVATION_OPCODES,
};
/* clang-format on */

static const struct vpd_page disk_vpd_pages[] = {
    {0x00, vpd_supported},    {0x80, vpd_serial},       {0x83, vpd_identification},
    {0x86, vpd_extended},     {0xb0, vpd_block_limits}, {0xb1, vpd_block_characteristics},
    {0xb2, vpd_provisioning},
};

const struct personality disk_personality = {
    .name = "VOLATILE-RAMDISK",
    .type = PERSONALITY_DISK,
    .fixed = true,
    .vendor = "CAPSTAN",
    .product = "VOLATILE RAMDISK",
    .revision = "0001",
    .scsi_version = 6,
    .serial = "{library}{unit}",
    .versions = {0x0460 /* SPC-4 */, 0x04c0 /* SBC-3 */, 0x0600 /* SBC-4 */, 0x0960 /* iSCSI */},
};

/* ---- hooks ----------------------------------------------------------------------------------- */

static bool disk_admit(struct scsi_lu *lu, struct scsi_task *task, const struct opcode *op)
{
    if (!(op->flags & OP_MEDIUM) || !lu->disk->stopped)
        return true;
    task_fail(lu, task, KEY_NOT_READY, ASC_INITIALIZING_REQUIRED);
    return false;
}

static bool disk_sense(struct scsi_lu *lu, struct scsi_nexus *nexus, struct sense *s)
{
    (void)nexus;
    *s = (struct sense){.key = KEY_NOT_READY, .code = ASC_INITIALIZING_REQUIRED};
    return lu->disk->stopped;
}

static void disk_reset(struct scsi_lu *lu)
{
    lu->disk->stopped = false;
}

const struct lu_kind disk_kind = {
    .opcodes = disk_opcodes,
    .opcode_count = ARRAY_LENGTH(disk_opcodes),
    .mode_pages = disk_mode_pages,
    .mode_page_count = DISK_MODE_PAGES,
    .vpd_pages = disk_vpd_pages,
    .vpd_page_count = ARRAY_LENGTH(disk_vpd_pages),
    .admit = disk_admit,
    .sense = disk_sense,
    .reset = disk_reset,
};

int disk_create(struct scsi_lu *lu, unsigned mib, struct error *err)
{
    struct disk *d = calloc(1, sizeof(*d));

    if (!d || !(d->data = calloc(mib, 1048576))) {
        free(d);
        return error_set(err, ERR_NO_MEMORY, "There is no memory for a test disk of %u MiB", mib);
    }
    d->blocks = (uint64_t)mib * 1048576 / DISK_BLOCK;
    lu->disk = d;
    return 0;
}

void disk_destroy(struct scsi_lu *lu)
{
    if (!lu->disk)
        return;
    free(lu->disk->data);
    free(lu->disk);
    lu->disk = NULL;
}
