/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_reverse.c - READ REVERSE (SSC-5): the blocks before the position, the nearest first.
 *
 * Each block is stepped over backwards, read, and the position put back; so it is always
 * on the beginning-of-partition side of what was handed over.  BYTORD=1: bytes come as they were
 * written; 0: the last byte of a block first.
 */
#include <stdlib.h>

#include "vtl/scsi/drive_codec.h"
#include "vtl/scsi/drive_transfer.h"

enum { BIT_BYTORD = 0x04, ROOM = CARTRIDGE_STORED_MAX };

struct reverse {
    struct transfer t;
    bool as_written;
    uint8_t *block; /* room for any block and its protection */
};

static int move_to(struct scsi_lu *lu, const struct cartridge_position *pos, struct error *err)
{
    return cartridge_locate(lu->drive->cartridge, pos->partition, pos->lba, err);
}

/* Read the block before the position to r->block and stay before it; if it is not for this host,
 * the position is as it was. */
static int read_before(struct scsi_lu *lu, const struct scsi_nexus *nexus, const struct reverse *r,
                       uint32_t *len, struct error *err)
{
    struct cartridge_position after, before;
    struct error ignored = ERROR_INIT;
    uint64_t moved;
    int rc;

    cartridge_tell(lu->drive->cartridge, &after);
    rc = cartridge_space_blocks(lu->drive->cartridge, -1, &moved, err);
    if (rc != 0)
        return rc;
    cartridge_tell(lu->drive->cartridge, &before);
    rc = drive_get_block(lu, nexus, r->block, ROOM, r->t.crc, len, err);
    if (rc != 0)
        (void)move_to(lu, drive_refused_block(rc) ? &after : &before, &ignored);
    return rc != 0 ? rc : move_to(lu, &before, err);
}

/* BYTORD=0: the last byte first; what protects them is of the bytes as they come. */
static void turn_round(struct scsi_lu *lu, const struct reverse *r, uint32_t len)
{
    uint32_t data = len - r->t.crc;
    uint8_t *b = r->block;

    for (uint32_t i = 0; i < data / 2; i++) {
        uint8_t kept = b[i];

        b[i] = b[data - 1 - i];
        b[data - 1 - i] = kept;
    }
    if (r->t.crc) {
        enum protection_method method = drive_protection(lu).method;

        protection_put(method, protection_crc(method, b, data), b + data);
    }
}

/* Hand len bytes over at offset `at`: as far as there is room. */
static void put_block(struct scsi_task *task, const struct reverse *r, size_t at, uint32_t len)
{
    size_t room = at < task->in_size ? task->in_size - at : 0;

    if (room > 0)
        memcpy(task->in + at, r->block, len < room ? len : room);
}

/* The done-th block of the command; false, with the status set, if it ends the command. */
static bool reverse_block(struct scsi_lu *lu, struct scsi_task *task, const struct reverse *r,
                          uint32_t done)
{
    const struct transfer *t = &r->t;
    size_t at = (size_t)done * t->size;
    struct error err = ERROR_INIT;
    uint32_t len = 0, moved;
    int rc = read_before(lu, task->nexus, r, &len, &err);

    if (rc != 0) {
        read_failed(lu, task, rc, &err, transfer_residual(t, done));
        return false;
    }
    if (t->fixed && len != t->size) {
        incorrect_length(lu, task, transfer_residual(t, done));
        return false;
    }
    moved = len < t->size ? len : t->size;
    if (!r->as_written)
        turn_round(lu, r, len);
    put_block(task, r, at, moved);
    transfer_account(lu, task, at, moved);
    if (transfer_is_odd(lu, t, len)) {
        incorrect_length(lu, task, (int64_t)t->size - len);
        return false;
    }
    return true;
}

void cmd_read_reverse(struct scsi_lu *lu, struct scsi_task *task)
{
    CLEANUP_FREE uint8_t *block = NULL;
    struct reverse r = {.as_written = task->cdb[1] & BIT_BYTORD};

    if (!transfer_decode(lu, task, &r.t) || r.t.count == 0 || !transfer_locate(lu, task))
        return;
    block = malloc(ROOM);
    if (!block) {
        task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
        return;
    }
    r.block = block;
    drive_positioned(lu->drive);
    for (uint32_t done = 0; done < r.t.count; done++) {
        if (!reverse_block(lu, task, &r, done))
            return;
    }
}
