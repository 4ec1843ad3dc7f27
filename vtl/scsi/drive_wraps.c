/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_wraps.c - the wraps of the tape, and READ END OF WRAP POSITION (IBM LTO reference 5.2.20):
 * which object is the last of each wrap.  Hosts order what they restore by it, where they have no
 * recommended access order.
 *
 * A wrap holds so many native bytes; an object is of the wrap in which its last byte lies.  The
 * wraps of a partition follow each other, and between two partitions lie guard wraps.  A wrap that
 * is not written to its end is the last one with data: its end is the end of data.
 */
#include "vtl/scsi/drive.h"

enum {
    GUARD_WRAPS = 2,
    WRAPS_MAX = 4096,
    QUALIFIER = 0x45,
    REPORT_ALL = 0x02,
    WRAP_NUMBER_VALID = 0x01
};

/* Wraps of a full tape: the head has 32 channels, before LTO-7 16. */
static uint32_t wraps_of(uint8_t density)
{
    const struct medium *m = medium_by_density(density);

    return m && m->tracks ? m->tracks / (m->generation < 7 ? 16 : 32) : 80;
}

uint64_t drive_wrap_bytes(const struct cartridge *c)
{
    const struct cartridge_identity *id = cartridge_identity(c);
    uint64_t bytes = id->capacity / wraps_of(id->density);

    return bytes ? bytes : 1;
}

uint32_t drive_first_wrap(const struct cartridge *c, uint32_t partition)
{
    uint64_t bytes = drive_wrap_bytes(c), wrap = 0;

    for (uint32_t p = 0; p < partition; p++) {
        uint64_t wraps = (cartridge_partition_capacity(c, p) + bytes / 2) / bytes;

        wrap += (wraps ? wraps : 1) + GUARD_WRAPS;
    }
    return (uint32_t)wrap;
}

/* Native bytes before an object. */
static uint64_t bytes_before(struct cartridge *c, uint32_t partition, uint64_t lba)
{
    struct error err = ERROR_INIT;
    struct cartridge_position pos;

    cartridge_locate(c, partition, lba, &err);
    cartridge_tell(c, &pos);
    return pos.used;
}

/* The last object that ends within so many bytes; the ones before `from` do. */
static uint64_t last_within(struct cartridge *c, uint32_t partition, uint64_t bytes, uint64_t from,
                            uint64_t eod)
{
    uint64_t low = from, high = eod; /* before low: within; before high: not */

    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;

        if (bytes_before(c, partition, middle) <= bytes)
            low = middle;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : 0;
}

/* What each descriptor is handed to; false: that was enough. */
typedef bool wrap_fn(uint32_t wrap, uint32_t partition, uint64_t last, void *ctx);

/* The wraps of a partition that have data. */
static bool each_wrap(struct cartridge *c, uint32_t partition, wrap_fn *fn, void *ctx)
{
    uint64_t bytes = drive_wrap_bytes(c), from = 0, used;
    uint32_t wrap = drive_first_wrap(c, partition);
    struct cartridge_position pos;

    drive_partition_tell(c, partition, &pos);
    if (pos.eod_lba == 0)
        return true;
    used = bytes_before(c, partition, pos.eod_lba);
    for (uint64_t end = bytes; end < used && wrap < WRAPS_MAX; end += bytes, wrap++) {
        from = last_within(c, partition, end, from, pos.eod_lba);
        if (!fn(wrap, partition, from, ctx))
            return false;
        from++;
    }
    return fn(wrap, partition, pos.eod_lba, ctx);
}

/* ---- the command ----------------------------------------------------------------------------- */

static bool put_wrap(uint32_t wrap, uint32_t partition, uint64_t last, void *ctx)
{
    struct reply *r = ctx;

    reply_be16(r, wrap);
    reply_be16(r, partition);
    reply_be16(r, 0);
    reply_be(r, last, 6);
    return true;
}

struct wanted {
    uint32_t wrap;
    bool found;
    uint64_t last;
};

static bool find_wrap(uint32_t wrap, uint32_t partition, uint64_t last, void *ctx)
{
    struct wanted *w = ctx;

    (void)partition;
    w->found = wrap == w->wrap;
    w->last = last;
    return !w->found;
}

static void each_partition(struct cartridge *c, wrap_fn *fn, void *ctx)
{
    for (uint32_t p = 0; p < cartridge_partition_count(c); p++) {
        if (!each_wrap(c, p, fn, ctx))
            return;
    }
}

/* One wrap, or all; false: the one that is asked for has no data. */
static bool put_wraps(struct cartridge *c, const uint8_t *cdb, struct reply *r)
{
    struct wanted wanted = {.wrap = cdb[3] & WRAP_NUMBER_VALID ? get_be16(cdb + 4) : 0};

    reply_be32(r, 0); /* response data length, below; reserved */
    if (cdb[3] & REPORT_ALL) {
        each_partition(c, put_wrap, r);
    } else {
        each_partition(c, find_wrap, &wanted);
        reply_be(r, wanted.last, 6);
    }
    reply_patch(r, 0, r->len - 2, 2);
    return (cdb[3] & REPORT_ALL) || wanted.found;
}

void cmd_end_of_wrap(struct scsi_lu *lu, struct scsi_task *task)
{
    struct cartridge *c = lu->drive->cartridge;
    uint32_t allocation = get_be32(task->cdb + 6);
    struct reply r = task_reply(task, allocation);
    struct error err = ERROR_INIT;
    struct cartridge_position pos;
    bool found;

    if (task->cdb[2] != QUALIFIER) {
        task_bad_cdb(lu, task, 2, 7);
        return;
    }
    if (task->cdb[3] == (REPORT_ALL | WRAP_NUMBER_VALID)) {
        task_bad_cdb(lu, task, 3, 1);
        return;
    }
    cartridge_tell(c, &pos);
    found = put_wraps(c, task->cdb, &r);
    cartridge_locate(c, pos.partition, pos.lba, &err); /* back: it is there */
    if (found)
        task_replied(task, &r, allocation);
    else
        task_bad_cdb(lu, task, 4, 7);
}
