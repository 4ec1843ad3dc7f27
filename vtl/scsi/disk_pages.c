/* SPDX-License-Identifier: Apache-2.0 */
/* disk_pages.c - what the test disk tells of itself: mode and VPD pages, its capacity (SBC-4). */
#include "vtl/scsi/disk.h"

/* ---- mode pages ------------------------------------------------------------------------------ */

static const uint8_t recovery[12] = {0x01, 0x0a};
static const uint8_t disconnect[16] = {0x02, 0x0e};
static const uint8_t caching[20] = {0x08, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20}; /* DRA */
/* TAS: tasks aborted by another nexus end with TASK ABORTED.  Changeable: D_SENSE. */
static const uint8_t control[12] = {0x0a, 0x0a, 0x00, 0x00, 0x00, 0x40};
static const uint8_t control_changeable[12] = {0, 0, 0x04};
static const uint8_t exceptions[12] = {0x1c, 0x0a, 0x08}; /* DEXCPT */

const struct mode_page disk_mode_pages[DISK_MODE_PAGES] = {
    {.code = 0x01, .size = sizeof(recovery), .initial = recovery},
    {.code = 0x02, .size = sizeof(disconnect), .initial = disconnect},
    {.code = 0x08, .size = sizeof(caching), .initial = caching}, /* WCE=0: there is no cache */
    {.code = 0x0a, .size = sizeof(control), .initial = control, .changeable = control_changeable},
    {.code = 0x1c, .size = sizeof(exceptions), .initial = exceptions},
};

/* ---- VPD pages ------------------------------------------------------------------------------- */

/* Block limits (SBC-4 6.6.4): one limit, that of a transfer. */
void vpd_block_limits(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_zero(r, 2); /* WSNZ=0; no COMPARE AND WRITE */
    reply_be16(r, 1); /* optimal granularity, in blocks */
    reply_be32(r, DISK_TRANSFER_MAX / DISK_BLOCK);
    reply_be32(r, 128); /* optimal length: 64 KiB */
    reply_zero(r, 48);  /* no prefetch, no UNMAP, any length of WRITE SAME, no atomic writes */
}

/* Block device characteristics (SBC-4 6.6.2). */
void vpd_block_characteristics(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_be16(r, 1); /* it does not rotate */
    reply_zero(r, 58);
}

/* Logical block provisioning (SBC-4 6.6.6): fully provisioned, nothing can be unmapped. */
void vpd_provisioning(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_zero(r, 4);
}

/* ---- READ CAPACITY --------------------------------------------------------------------------- */

void cmd_disk_capacity10(struct scsi_lu *lu, struct scsi_task *task)
{
    struct reply r = task_reply(task, 8);

    reply_be32(&r, (uint32_t)(lu->disk->blocks - 1)); /* at most 64 MiB: it fits */
    reply_be32(&r, DISK_BLOCK);
    task_replied(task, &r, 8);
}

void cmd_disk_capacity16(struct scsi_lu *lu, struct scsi_task *task)
{
    uint32_t allocation = get_be32(task->cdb + 10);
    struct reply r = task_reply(task, allocation);

    reply_be64(&r, lu->disk->blocks - 1);
    reply_be32(&r, DISK_BLOCK);
    reply_zero(&r, 20); /* no protection; one logical block a physical one; LBPME=0 */
    task_replied(task, &r, allocation);
}
