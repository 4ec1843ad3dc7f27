/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write.c - writing and erasing, as the contract in cartridge.h has it.
 *
 * To write at a position before end of data is to branch: the open segment is settled and closed,
 * the map is cut in memory, and a new segment goes on from there.  The superblock that says so is
 * published by the first commit of that segment, so a crash leaves the one or the other tape.
 */
#include "vtl/cartridge/internal.h"

static int check_writable(const struct cartridge *c, struct error *err)
{
    if (c->mode != CARTRIDGE_READ_WRITE)
        return error_set(err, ERR_PROTECTED, "cartridge %s is open for reading only",
                         c->identity.barcode);
    if (c->super.protect)
        return error_set(err, ERR_PROTECTED, "cartridge %s is write-protected",
                         c->identity.barcode);
    return 0;
}

/* After a loss the host believes to be elsewhere: it must say where to go on. */
static int check_not_lost(const struct cartridge *c, struct error *err)
{
    if (!c->lost)
        return 0;
    return error_set(err, ERR_STATE,
                     "cartridge %s lost data from block %llu on; position it before writing on",
                     c->identity.barcode, (unsigned long long)c->pos.at.lba);
}

/* End the data at the position, in memory. */
static int cut_at_position(struct cartridge *c, struct error *err)
{
    int rc;

    if (c->identity.worm)
        return error_set(err, ERR_PROTECTED,
                         "cartridge %s is WORM: what is written can't be overwritten",
                         c->identity.barcode);
    rc = writer_end(c, err);
    if (rc)
        return rc;
    rc = map_cut(cartridge_map(c), c->pos.partition, &c->pos.at, store_now(c->store),
                 c->super.generation + 1, err);
    if (rc)
        return rc;
    c->dirty = true;
    c->branching = true;
    return 0;
}

/* Get the writer to the position. */
static int prepare(struct cartridge *c, struct error *err)
{
    int rc = 0;

    if (c->pos.at.lba < map_end(cartridge_map(c), c->pos.partition).lba)
        rc = cut_at_position(c, err);
    else if (c->writer.open && c->writer.partition != c->pos.partition)
        rc = writer_end(c, err);
    if (rc == 0 && !c->writer.open)
        rc = writer_begin(c, c->pos.partition, err);
    return rc;
}

static int write_record(struct cartridge *c, enum record_type type, const void *data, uint32_t len,
                        uint32_t count, uint64_t cost, bool *early_warning, struct error *err)
{
    int rc = check_writable(c, err);

    if (rc == 0)
        rc = check_not_lost(c, err);
    if (rc)
        return rc;
    if (c->pos.at.used > c->identity.capacity || cost > c->identity.capacity - c->pos.at.used)
        return error_set(err, ERR_END_OF_TAPE, "cartridge %s is full", c->identity.barcode);
    rc = prepare(c, err);
    if (rc == 0)
        rc = writer_append(c, type, data, len, count, err);
    if (rc)
        return rc;
    c->pos.at = map_end(cartridge_map(c), c->pos.partition);
    rc = writer_push(c, err);
    if (early_warning)
        *early_warning = c->pos.at.used > c->identity.capacity - c->identity.early_warning;
    return rc;
}

static int check_length(uint32_t len, struct error *err)
{
    if (len > 0 && len <= CARTRIDGE_BLOCK_MAX)
        return 0;
    return error_set(err, ERR_RANGE, "a block of %u bytes is not possible: 1 to %u are", len,
                     CARTRIDGE_BLOCK_MAX);
}

int cartridge_write(struct cartridge *c, const void *data, uint32_t len, bool *early_warning,
                    struct error *err)
{
    int rc = check_length(len, err);

    return rc ? rc : write_record(c, RECORD_DATA, data, len, 1, len, early_warning, err);
}

int cartridge_write_run(struct cartridge *c, const void *data, uint32_t len, uint32_t count,
                        bool *early_warning, struct error *err)
{
    int rc = check_length(len, err);

    if (rc || count == 0)
        return rc;
    return write_record(c, RECORD_RUN, data, len, count, (uint64_t)len * count, early_warning, err);
}

int cartridge_write_filemarks(struct cartridge *c, uint32_t count, bool *early_warning,
                              struct error *err)
{
    if (count == 0) {
        if (early_warning)
            *early_warning = c->pos.at.used > c->identity.capacity - c->identity.early_warning;
        return check_writable(c, err);
    }
    return write_record(c, RECORD_FILEMARK, NULL, 0, count,
                        (uint64_t)count * CARTRIDGE_FILEMARK_COST, early_warning, err);
}

int cartridge_sync(struct cartridge *c, uint64_t *lost, struct error *err)
{
    int rc = writer_settle(c, err);

    /* What was cut off and nothing was written in its place; what was lost; what a recovery found
     * and could not publish: after a good sync no crash may bring the other state back. */
    if (rc == 0 && c->dirty)
        rc = super_publish(c, err);
    if (rc && lost)
        *lost = map_end(cartridge_map(c), c->writer.partition).lba;
    return rc;
}

int cartridge_erase(struct cartridge *c, struct error *err)
{
    int rc = check_writable(c, err);

    if (rc)
        return rc;
    c->lost = false; /* the position is where the host is told that the data ends */
    if (c->pos.at.lba < map_end(cartridge_map(c), c->pos.partition).lba)
        rc = cut_at_position(c, err);
    return rc ? rc : cartridge_sync(c, NULL, err);
}
