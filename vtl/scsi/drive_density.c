/* SPDX-License-Identifier: Apache-2.0 */
/* drive_density.c - READ BLOCK LIMITS and REPORT DENSITY SUPPORT (SSC-5 7.5, 7.7). */
#include "vtl/scsi/drive.h"

/* What an LTO-8 drive takes: its own generation, type M, and the one before. */
static const struct density densities[] = {
    {0x5c, 0x78, true, 19107, 3584, 6000000, "U-716", "Ultrium 7/16T"},
    {0x5d, 0x98, true, 19107, 5376, 9000000, "U-716M", "Ultrium M8/16T"},
    {0x5e, 0x88, true, 20668, 6656, 12000000, "U-832", "Ultrium 8/32T"},
};

const struct density *density_find(uint8_t code)
{
    for (size_t i = 0; i < ARRAY_LENGTH(densities); i++) {
        if (densities[i].code == code)
            return &densities[i];
    }
    return NULL;
}

/*
 * Any length from 1 byte to 16 MiB - 1, what the 24-bit TRANSFER LENGTH of READ and WRITE can say:
 * a limit below it (LTO drives name 8 MiB) would refuse blocks that other drives have written.
 */
void cmd_read_block_limits(struct scsi_lu *lu, struct scsi_task *task)
{
    bool mloi = task->cdb[1] & 1;
    struct reply r = task_reply(task, 20);

    (void)lu;
    if (mloi) { /* maximum logical object identifier */
        reply_zero(&r, 12);
        reply_be64(&r, UINT64_MAX);
    } else {
        reply_u8(&r, 0); /* granularity 2^0 */
        reply_be24(&r, CARTRIDGE_BLOCK_MAX);
        reply_be16(&r, 1);
    }
    task_replied(task, &r, 20);
}

static void put_density(struct reply *r, const struct density *d, uint8_t medium)
{
    reply_u8(r, d->code);
    reply_u8(r, d->code);
    /* WRTOK; DUP=0; DEFLT: what a medium of that generation gets */
    reply_u8(r, (d->writable ? 0x80u : 0) | (d->code == (medium ? medium : 0x5e) ? 0x20u : 0));
    reply_be16(r, 0); /* descriptor length: DLV=0 */
    reply_be24(r, d->bits_per_mm);
    reply_be16(r, 127); /* 12.7 mm wide, in tenths */
    reply_be16(r, d->tracks);
    reply_be32(r, d->capacity_mb);
    reply_text(r, "LTO-CVE", 8);
    reply_text(r, d->name, 8);
    reply_text(r, d->description, 20);
}

/* Medium type descriptor, SSC-5 7.7.4. */
static void put_medium_type(struct reply *r, const struct density *d)
{
    reply_u8(r, d->medium_type);
    reply_u8(r, 0);
    reply_be16(r, 52);
    reply_u8(r, 1); /* number of density codes */
    reply_u8(r, d->code);
    reply_zero(r, 8);
    reply_be16(r, 127);
    reply_be16(r, 960); /* metres */
    reply_be16(r, 0);
    reply_text(r, "LTO-CVE", 8);
    reply_text(r, d->name, 8);
    reply_text(r, d->description, 20);
}

void cmd_report_density(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned allocation = get_be16(task->cdb + 7);
    bool media = task->cdb[1] & 1, types = task->cdb[1] & 2;
    uint8_t medium = 0;
    struct reply r = task_reply(task, allocation);

    if (media && drive_not_ready(lu->drive)) {
        task_fail(lu, task, KEY_NOT_READY, drive_not_ready(lu->drive));
        return;
    }
    if (!drive_not_ready(lu->drive))
        medium = cartridge_identity(lu->drive->cartridge)->density;
    reply_be16(&r, 0); /* available length, below */
    reply_be16(&r, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(densities); i++) {
        if (media && densities[i].code != medium)
            continue;
        if (types)
            put_medium_type(&r, &densities[i]);
        else
            put_density(&r, &densities[i], medium);
    }
    reply_patch(&r, 0, r.len - 2, 2);
    task_replied(task, &r, allocation);
}
