/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_verify.c - VERIFY (SSC-5): blocks are read and checked; with BYTCMP compared with what the
 * host sends.
 *
 * It ends where READ would end, with the same sense data.  Everything is done when the status is
 * sent, so IMMED has no effect.  VBF, VTE and VLBPM are refused by the opcode table.
 */
#include <stdlib.h>

#include "vtl/scsi/drive_transfer.h"

enum { BIT_COMPARE = 0x02 };

struct verify {
    struct transfer t;
    const uint8_t *expected; /* NULL: the medium only */
    uint8_t *block;          /* room for t.size bytes */
};

static size_t equal_bytes(const uint8_t *a, const uint8_t *b, size_t len)
{
    size_t same = 0;

    while (same < len && a[same] == b[same])
        same++;
    return same;
}

/* INFORMATION: what was not verified; of a block of any length, its bytes from the first that
 * differs on.  The position is behind the block. */
static void miscompare(struct scsi_lu *lu, struct scsi_task *task, const struct transfer *t,
                       uint32_t done, size_t same)
{
    task_check(lu, task,
               &(struct sense){.key = KEY_MISCOMPARE,
                               .code = ASC_MISCOMPARE,
                               .valid = true,
                               .information = t->fixed ? transfer_residual(t, done)
                                                       : (int64_t)t->size - (int64_t)same});
}

/* Verify the block at the position, the done-th of the command; false, with the status set, if it
 * ends the command. */
static bool verify_block(struct scsi_lu *lu, struct scsi_task *task, const struct verify *v,
                         uint32_t done)
{
    const struct transfer *t = &v->t;
    struct error err = ERROR_INIT;
    uint32_t len = 0, got;
    int rc = cartridge_read(lu->drive->cartridge, v->block, t->size, &len, &err);

    if (rc != 0 && rc != -ERR_LENGTH) {
        read_failed(lu, task, rc, &err, transfer_residual(t, done));
        return false;
    }
    got = len < t->size ? len : t->size;
    lu->drive->counters.bytes_read += got;
    lu->drive->total_read += got;
    if (len != t->size && t->fixed) {
        incorrect_length(lu, task, transfer_residual(t, done));
        return false;
    }
    if (v->expected) {
        size_t same = equal_bytes(v->block, v->expected + (size_t)done * t->size, got);

        if (same < got) {
            miscompare(lu, task, t, done, same);
            return false;
        }
    }
    if (len != t->size)
        incorrect_length(lu, task, (int64_t)t->size - len);
    return len == t->size;
}

void cmd_verify(struct scsi_lu *lu, struct scsi_task *task)
{
    bool compare = task->cdb[1] & BIT_COMPARE;
    CLEANUP_FREE uint8_t *block = NULL;
    struct verify v;

    if (!transfer_decode(lu, task, &v.t))
        return;
    task->out_want = compare ? (uint64_t)v.t.count * v.t.size : 0;
    if (task->out_len < task->out_want) { /* nothing to compare the rest with */
        task_bad_cdb(lu, task, v.t.length_at, 7);
        return;
    }
    if (v.t.count == 0 || !transfer_locate(lu, task))
        return;
    block = malloc(v.t.size);
    if (!block) {
        task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
        return;
    }
    v.block = block;
    v.expected = compare ? task->out : NULL;
    for (uint32_t done = 0; done < v.t.count; done++) {
        if (lu_aborted(lu, task) || !verify_block(lu, task, &v, done))
            return;
    }
}
