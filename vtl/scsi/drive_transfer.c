/* SPDX-License-Identifier: Apache-2.0 */
/* drive_transfer.c - see drive_transfer.h. */
#include "vtl/scsi/drive_transfer.h"

#include "vtl/scsi/drive_codec.h"

enum { BIT_FIXED = 0x01, BIT_SILI = 0x02, BIT_COMPARE = 0x02, NO_SILI = 0 };

/* Which bit of byte 1 is SILI: VERIFY has BYTCMP there, WRITE nothing. */
static uint8_t sili_bit(uint8_t opcode)
{
    switch (opcode) {
    case 0x08:
    case 0x0f:
    case 0x14:
    case 0x81:
    case 0x88:
        return BIT_SILI;
    default:
        return NO_SILI;
    }
}

/* All but a VERIFY without BYTCMP. */
static bool moves_data(const uint8_t *cdb)
{
    return (cdb[0] != 0x13 && cdb[0] != 0x8f) || (cdb[1] & BIT_COMPARE);
}

static bool sends_data(const uint8_t *cdb)
{
    return cdb[0] == 0x0a || cdb[0] == 0x8a || sili_bit(cdb[0]) == NO_SILI;
}

/* Lengths in CDBs and the block length of the mode parameters count the protection, too (SSC-5
 * 4.2.25).  A VERIFY that compares is sent data as a WRITE is, one that does not is as a READ; data
 * that is recovered comes without (RBDP=0), so a block of the set length is shorter by it. */
static bool decode_protection(struct scsi_lu *lu, struct scsi_task *task, struct transfer *t)
{
    struct drive_protection p = drive_protection(lu);
    bool out = sends_data(task->cdb) && moves_data(task->cdb);
    bool recovers = task->cdb[0] == 0x14;

    t->crc = (out ? p.write : p.read && !recovers) ? PROTECTION_SIZE : 0;
    if (recovers && t->fixed && p.write && t->size > PROTECTION_SIZE)
        t->size -= PROTECTION_SIZE;
    if (!out || t->count == 0 || t->size > t->crc)
        return true;
    task_bad_cdb(lu, task, t->length_at, 7); /* no room for a block */
    return false;
}

bool transfer_decode(struct scsi_lu *lu, struct scsi_task *task, struct transfer *t)
{
    uint32_t length;

    t->length_at = cdb_is_explicit(task->cdb) ? 12 : 2;
    length = get_be24(task->cdb + t->length_at);
    t->fixed = task->cdb[1] & BIT_FIXED;
    t->sili = task->cdb[1] & sili_bit(task->cdb[0]);
    if (t->fixed && (lu->block_length == 0 || t->sili)) {
        task_bad_cdb(lu, task, 1, t->sili ? 1 : 0);
        return false;
    }
    t->count = t->fixed ? length : length != 0;
    t->size = t->fixed ? lu->block_length : length;
    /* More than any transport's buffer: scsi_cdb_transfer_bound(). */
    if (moves_data(task->cdb) && (uint64_t)t->count * t->size > CARTRIDGE_BLOCK_MAX + 1u) {
        task_bad_cdb(lu, task, t->length_at, 7);
        return false;
    }
    return decode_protection(lu, task, t);
}

/* A host that names the address knows where it is: that ends the block on writing after a loss. */
bool transfer_locate(struct scsi_lu *lu, struct scsi_task *task)
{
    struct drive *d = lu->drive;
    uint64_t address = get_be64(task->cdb + 4);
    uint32_t partition = task->cdb[3];
    struct cartridge_position pos;
    struct error err = ERROR_INIT;
    int rc;

    if (!cdb_is_explicit(task->cdb))
        return true;
    if (partition >= cartridge_partition_count(d->cartridge)) {
        task_bad_cdb(lu, task, 3, 7);
        return false;
    }
    cartridge_tell(d->cartridge, &pos);
    if (pos.partition == partition && pos.lba == address && !d->write_blocked)
        return true;
    if (!drive_flush(lu, task))
        return false;
    rc = cartridge_locate(d->cartridge, partition, address, &err);
    drive_positioned(d);
    if (rc == -ERR_END_OF_DATA) /* no INFORMATION: nothing was begun */
        task_fail(lu, task, KEY_BLANK_CHECK, ASC_END_OF_DATA);
    else if (rc != 0)
        drive_error(lu, task, rc, &err, 0);
    return rc == 0;
}

int64_t transfer_residual(const struct transfer *t, uint32_t done)
{
    return t->fixed ? (int64_t)t->count - done : done ? 0 : t->size;
}

bool transfer_is_odd(const struct scsi_lu *lu, const struct transfer *t, uint32_t len)
{
    if (len < t->size)
        return !t->sili;
    return len > t->size && (!t->sili || lu->block_length != 0);
}

void incorrect_length(struct scsi_lu *lu, struct scsi_task *task, int64_t residual)
{
    task_check(lu, task,
               &(struct sense){.key = KEY_NO_SENSE,
                               .code = ASC_NONE,
                               .ili = true,
                               .valid = true,
                               .information = residual});
}

void transfer_account(struct scsi_lu *lu, struct scsi_task *task, size_t at, uint32_t moved)
{
    task->in_want = at + moved;
    task->in_len = task->in_want < task->in_size ? (size_t)task->in_want : task->in_size;
    lu->drive->counters.bytes_read += moved;
    lu->drive->total_read += moved;
}

uint8_t *transfer_target(struct scsi_task *task, size_t at)
{
    static uint8_t nowhere[1];

    return at < task->in_size ? task->in + at : nowhere;
}

void read_failed(struct scsi_lu *lu, struct scsi_task *task, int rc, struct error *err,
                 int64_t residual)
{
    if (rc == -ERR_CORRUPT || rc == -ERR_IO) {
        lu->drive->counters.read_errors++;
        alert_raise(lu, ALERT_READ_FAILURE);
    }
    drive_error(lu, task, rc, err, residual);
}
