/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_reverse.c - READ REVERSE (SSC-5): the blocks before the position, the nearest first.
 *
 * Each block is stepped over backwards, read, and stepped over again; so the position is always
 * on the beginning-of-partition side of what was handed over.  BYTORD=1: bytes come as they were
 * written; 0: the last byte of a block first.
 */
#include <stdlib.h>

#include "vtl/scsi/drive_transfer.h"

enum { BIT_BYTORD = 0x04 };

struct reverse {
    struct transfer t;
    bool as_written;
    uint8_t *block; /* room for any block */
};

static int step_back(struct scsi_lu *lu, struct error *err)
{
    uint64_t moved;

    return cartridge_space_blocks(lu->drive->cartridge, -1, &moved, err);
}

/* Read the block before the position to r->block and stay before it. */
static int read_before(struct scsi_lu *lu, const struct reverse *r, uint32_t *len,
                       struct error *err)
{
    int rc = step_back(lu, err), back;

    if (rc != 0)
        return rc;
    rc = cartridge_read(lu->drive->cartridge, r->block, CARTRIDGE_BLOCK_MAX, len, err);
    back = step_back(lu, err);
    return rc != 0 ? rc : back;
}

/* Hand len bytes over at offset `at`: as far as there is room. */
static void put_block(struct scsi_task *task, const struct reverse *r, size_t at, uint32_t len,
                      uint32_t block_len)
{
    for (uint32_t i = 0; i < len && at + i < task->in_size; i++)
        task->in[at + i] = r->as_written ? r->block[i] : r->block[block_len - 1 - i];
}

/* The done-th block of the command; false, with the status set, if it ends the command. */
static bool reverse_block(struct scsi_lu *lu, struct scsi_task *task, const struct reverse *r,
                          uint32_t done)
{
    const struct transfer *t = &r->t;
    size_t at = (size_t)done * t->size;
    struct error err = ERROR_INIT;
    uint32_t len = 0, moved;
    int rc = read_before(lu, r, &len, &err);

    if (rc != 0) {
        read_failed(lu, task, rc, &err, transfer_residual(t, done));
        return false;
    }
    if (t->fixed && len != t->size) {
        incorrect_length(lu, task, transfer_residual(t, done));
        return false;
    }
    moved = len < t->size ? len : t->size;
    put_block(task, r, at, moved, len);
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
    block = malloc(CARTRIDGE_BLOCK_MAX);
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
