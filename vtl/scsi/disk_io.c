/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk_io.c - the test disk's commands that move or compare blocks (SBC-4 clause 5).
 *
 * Every one of them names an extent of blocks.  It is checked as a whole before a byte is touched:
 * an extent that ends behind the last block moves nothing.
 */
#include "vtl/scsi/disk.h"

enum { BYTCHK_NONE = 0, BYTCHK_ALL = 1, BYTCHK_ONE = 3 };

struct extent {
    uint64_t lba, count;
};

/* The LBA and the length, where the group of the opcode has them (SBC-4 5.1, SPC-5 4.2.5.1). */
static struct extent cdb_extent(const uint8_t *cdb)
{
    switch (cdb[0] >> 5) {
    case 0: /* READ(6), WRITE(6): 0 is 256 blocks */
        return (struct extent){get_be24(cdb + 1) & 0x1fffff, cdb[4] ? cdb[4] : 256};
    case 4:
        return (struct extent){get_be64(cdb + 2), get_be32(cdb + 10)};
    case 5:
        return (struct extent){get_be32(cdb + 2), get_be32(cdb + 6)};
    default:
        return (struct extent){get_be32(cdb + 2), get_be16(cdb + 7)};
    }
}

/* Take the extent of a command; false, with the status set, if the disk does not have it. */
static bool take_extent(struct scsi_lu *lu, struct scsi_task *task, struct extent *e)
{
    *e = cdb_extent(task->cdb);
    if (range_inside(e->lba, e->count, lu->disk->blocks))
        return true;
    task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
    return false;
}

/* The same for commands that transfer the blocks, which VPD page B0h bounds. */
static bool take_transfer(struct scsi_lu *lu, struct scsi_task *task, struct extent *e)
{
    static const uint8_t length_field[8] = {4, 7, 7, 0, 10, 6};

    if (!take_extent(lu, task, e))
        return false;
    if (e->count <= DISK_TRANSFER_MAX / DISK_BLOCK)
        return true;
    task_bad_cdb(lu, task, length_field[task->cdb[0] >> 5], 7);
    return false;
}

static uint8_t *at(const struct scsi_lu *lu, uint64_t lba)
{
    return lu->disk->data + lba * DISK_BLOCK;
}

/* ---- READ, WRITE ----------------------------------------------------------------------------- */

void cmd_disk_read(struct scsi_lu *lu, struct scsi_task *task)
{
    struct extent e;

    if (!take_transfer(lu, task, &e))
        return;
    task->in_want = e.count * DISK_BLOCK;
    task->in_len = task->in_want < task->in_size ? (size_t)task->in_want : task->in_size;
    if (task->in_len > 0)
        memcpy(task->in, at(lu, e.lba), task->in_len);
}

/* WRITE and WRITE AND VERIFY: what is in memory is what was written, with BYTCHK or without.  An
 * initiator that announces less data than the CDB asks for has the whole blocks of it written, and
 * is told of an overflow (RFC 7143 11.4.5.1). */
void cmd_disk_write(struct scsi_lu *lu, struct scsi_task *task)
{
    uint64_t here = task->out_len / DISK_BLOCK;
    struct extent e;

    if (!take_transfer(lu, task, &e))
        return;
    task->out_want = e.count * DISK_BLOCK;
    if (here > e.count)
        here = e.count;
    if (here > 0)
        memcpy(at(lu, e.lba), task->out, (size_t)(here * DISK_BLOCK));
}

/* ---- VERIFY ---------------------------------------------------------------------------------- */

/* MISCOMPARE; INFORMATION is the offset in data-out of the first byte that differs (SBC-4 5.36). */
static void miscompare(struct scsi_lu *lu, struct scsi_task *task, uint64_t offset)
{
    task_check(lu, task,
               &(struct sense){.key = KEY_MISCOMPARE,
                               .code = ASC_MISCOMPARE,
                               .valid = true,
                               .information = (int64_t)offset});
}

/* Compare the blocks of the extent with data-out: with its one block each, or one with one. */
static void compare(struct scsi_lu *lu, struct scsi_task *task, const struct extent *e, bool one)
{
    for (uint64_t i = 0; i < e->count; i++) {
        uint64_t offset = one ? 0 : i * DISK_BLOCK;
        const uint8_t *sent = task->out + offset, *kept = at(lu, e->lba + i);

        if (memcmp(sent, kept, DISK_BLOCK) == 0)
            continue;
        while (*sent == *kept) {
            sent++;
            kept++;
        }
        miscompare(lu, task, (uint64_t)(sent - task->out));
        return;
    }
}

void cmd_disk_verify(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned check = task->cdb[1] >> 1 & 3;
    struct extent e;

    if (check != BYTCHK_NONE && check != BYTCHK_ALL && check != BYTCHK_ONE) {
        task_bad_cdb(lu, task, 1, 2);
        return;
    }
    /* Without data-out the blocks are there by being in range. */
    if (check == BYTCHK_ALL ? !take_transfer(lu, task, &e) : !take_extent(lu, task, &e))
        return;
    if (check == BYTCHK_NONE || e.count == 0)
        return;
    /* Less data than the CDB promises is not enough to say that it is the same. */
    if (task_list(lu, task, (size_t)(check == BYTCHK_ONE ? 1 : e.count) * DISK_BLOCK))
        compare(lu, task, &e, check == BYTCHK_ONE);
}

/* ---- the others ------------------------------------------------------------------------------ */

/* WRITE SAME: length 0 is up to the last block (WSNZ=0 in VPD page B0h). */
void cmd_disk_write_same(struct scsi_lu *lu, struct scsi_task *task)
{
    struct extent e;

    if (!take_extent(lu, task, &e) || !task_list(lu, task, DISK_BLOCK))
        return;
    if (e.count == 0)
        e.count = lu->disk->blocks - e.lba;
    for (uint64_t i = 0; i < e.count; i++)
        memcpy(at(lu, e.lba + i), task->out, DISK_BLOCK);
}

void cmd_disk_synchronize(struct scsi_lu *lu, struct scsi_task *task)
{
    struct extent e;

    take_extent(lu, task, &e); /* length 0: up to the last block; the LBA is checked all the same */
}

bool disk_transfer_bound(const uint8_t *cdb, size_t *bound)
{
    static const uint8_t counts_blocks[] = {0x08, 0x0a, 0x28, 0x2a, 0x2e, 0x2f, 0x88,
                                            0x8a, 0x8e, 0x8f, 0xa8, 0xaa, 0xae, 0xaf};
    struct extent e = cdb_extent(cdb);

    if (memchr(counts_blocks, cdb[0], sizeof(counts_blocks)))
        *bound = e.count < DISK_TRANSFER_MAX / DISK_BLOCK ? (size_t)e.count * DISK_BLOCK
                                                          : DISK_TRANSFER_MAX;
    else if (cdb[0] == 0x41 || cdb[0] == 0x93) /* WRITE SAME */
        *bound = DISK_BLOCK;
    else if (cdb[0] == 0x25 || cdb[0] == 0x9e) /* READ CAPACITY */
        *bound = 32;
    else
        return false;
    return true;
}
