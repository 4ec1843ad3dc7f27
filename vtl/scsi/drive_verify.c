/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_verify.c - VERIFY (SSC-5 6.8, 6.9): blocks are read and checked.
 *
 *    BYTCMP  and compared with what the host sends
 *    VLBPM   and their protection, which must be by the method of the mode page
 *    VBF     up to so many filemarks, whatever the blocks' lengths
 *    VTE     to end of data
 *
 * Without VBF and VTE it ends where READ would end, with the same sense data.  It is done in parts,
 * between which others have their turn if it goes on in the background.
 */
#include <stdlib.h>

#include "vtl/scsi/drive_background.h"
#include "vtl/scsi/drive_codec.h"
#include "vtl/scsi/drive_transfer.h"

enum { BIT_FIXED = 0x01, BIT_COMPARE = 0x02, BIT_VBF = 0x08, BIT_VLBPM = 0x10, BIT_VTE = 0x20 };

struct verify {
    struct transfer t;
    bool method;             /* VLBPM */
    const uint8_t *expected; /* NULL: the medium only */
    uint8_t *block;          /* room for t.size bytes */
};

enum { PART = 64 }; /* blocks at once */

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

static int verify_read(struct scsi_lu *lu, const struct scsi_task *task, const struct verify *v,
                       uint32_t *len, struct error *err)
{
    int rc;

    if (!v->method)
        return drive_get_block(lu, task->nexus, v->block, v->t.size, v->t.crc, len, err);
    rc = drive_check_block(lu, task->nexus, true, len, err);
    *len += v->t.crc;
    return rc;
}

/* Verify the block at the position, the done-th of the command; false, with the status set, if it
 * ends the command. */
static bool verify_block(struct scsi_lu *lu, struct scsi_task *task, const struct verify *v,
                         uint32_t done)
{
    const struct transfer *t = &v->t;
    struct error err = ERROR_INIT;
    uint32_t len = 0, got;
    int rc = verify_read(lu, task, v, &len, &err);

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

/* p->done counts the blocks of the command. */
static bool verify_blocks(struct scsi_lu *lu, struct scsi_task *task, struct verify *v,
                          struct progress *p)
{
    CLEANUP_FREE uint8_t *block = malloc(v->t.size);
    uint64_t most = p->done + PART;

    if (!block) {
        task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
        return true;
    }
    v->block = block;
    for (; p->done < v->t.count && p->done < most; p->done++)
        if (!verify_block(lu, task, v, (uint32_t)p->done))
            return true;
    p->progress = (uint16_t)(p->done * 0xffff / v->t.count);
    return p->done == v->t.count;
}

/* Up to so many filemarks, or (VTE) to end of data; INFORMATION is the filemarks not met.  p->done
 * counts those met. */
static bool verify_through(struct scsi_lu *lu, struct scsi_task *task, const struct verify *v,
                           struct progress *p)
{
    bool to_end = task->cdb[1] & BIT_VTE;
    uint32_t marks = get_be24(task->cdb + v->t.length_at);

    for (unsigned i = 0; i < PART && (to_end || p->done < marks); i++) {
        struct error err = ERROR_INIT;
        uint32_t len;
        int rc = drive_check_block(lu, task->nexus, v->method, &len, &err);

        if (to_end && rc == -ERR_END_OF_DATA)
            return true;
        if (rc != 0 && rc != -ERR_FILEMARK) {
            read_failed(lu, task, rc, &err, to_end ? 0 : (int64_t)(marks - p->done));
            return true;
        }
        p->done += rc == -ERR_FILEMARK;
        lu->drive->counters.bytes_read += len;
        lu->drive->total_read += len;
    }
    return !to_end && p->done >= marks;
}

/* Whatever was found good before, is now. */
static bool verify_step(struct scsi_lu *lu, struct scsi_task *task, struct progress *p)
{
    struct verify v = {.method = task->cdb[1] & BIT_VLBPM,
                       .expected = task->cdb[1] & BIT_COMPARE ? task->out : NULL};

    if (!transfer_decode(lu, task, &v.t))
        return true;
    if (task->cdb[1] & (BIT_VTE | BIT_VBF))
        return verify_through(lu, task, &v, p);
    return verify_blocks(lu, task, &v, p);
}

/* False, with the status set, if the bits of byte 1 contradict each other or the mode page. */
static bool verify_sensible(struct scsi_lu *lu, struct scsi_task *task)
{
    uint8_t bits = task->cdb[1];
    int bad = -1;

    if ((bits & BIT_VTE) && (bits & BIT_VBF))
        bad = 5;
    else if ((bits & BIT_VLBPM) && drive_protection(lu).method == PROTECTION_NONE)
        bad = 4;
    else if ((bits & (BIT_VTE | BIT_VLBPM | BIT_VBF)) && (bits & BIT_COMPARE))
        bad = 1;
    else if ((bits & (BIT_VTE | BIT_VBF)) && (bits & BIT_FIXED))
        bad = 0;
    if (bad >= 0)
        task_bad_cdb(lu, task, 1, bad);
    return bad < 0;
}

void cmd_verify(struct scsi_lu *lu, struct scsi_task *task)
{
    bool compare = task->cdb[1] & BIT_COMPARE;
    bool through = task->cdb[1] & (BIT_VTE | BIT_VBF);
    struct transfer t;

    if (!verify_sensible(lu, task) || !transfer_decode(lu, task, &t))
        return;
    task->out_want = compare ? (uint64_t)t.count * t.size : 0;
    if (task->out_len < task->out_want) { /* nothing to compare the rest with */
        task_bad_cdb(lu, task, t.length_at, 7);
        return;
    }
    if ((t.count != 0 || through) && transfer_locate(lu, task))
        operation_run(lu, task, OPERATION_VERIFY, verify_step, 0);
}
