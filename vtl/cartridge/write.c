/* SPDX-License-Identifier: Apache-2.0 */
/*
 * write.c - writing and erasing, as the contract in cartridge.h has it.
 *
 * To write at a position before end of data is to branch: the open segment is settled and closed,
 * the map is cut in memory, and a new segment goes on from there.  The superblock that says so is
 * published by the first commit of that segment, so a crash leaves the one or the other tape.
 */
#include "vtl/cartridge/internal.h"

int check_writable(const struct cartridge *c, struct error *err)
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

/* Of a WORM cartridge, filemarks at the end of data may be written over, and at the beginning a
 * label: one or two blocks that nothing but filemarks follow (what LTO drives allow; IBM LTO
 * reference 4.14.1).  What is taken off stays in limbo for ever. */
static bool worm_admits_cut(struct cartridge *c)
{
    struct place end = map_end(cartridge_map(c), c->pos.partition);
    uint64_t blocks = (end.lba - c->pos.at.lba) - (end.file - c->pos.at.file);

    return blocks == 0 || (c->pos.at.lba == 0 && blocks <= 2);
}

/* End the data at the position, in memory. */
static int cut_at_position(struct cartridge *c, struct error *err)
{
    int64_t now = store_now(c->store);
    int rc;

    if (c->identity.worm && !worm_admits_cut(c))
        return error_set(err, ERR_PROTECTED,
                         "cartridge %s is WORM: what is written can't be overwritten",
                         c->identity.barcode);
    rc = writer_end(c, &c->writer[c->pos.partition], err);
    if (rc == 0)
        rc = map_note_ends(&cartridge_map(c)->limbo, cartridge_map(c), c->pos.partition, now,
                           c->super.generation + 1, err);
    if (rc == 0)
        rc = map_cut(cartridge_map(c), c->pos.partition, &c->pos.at, now, c->super.generation + 1,
                     err);
    if (rc)
        return rc;
    c->dirty = true;
    c->branching = true;
    return 0;
}

/* Get a writer to the position.  What the others have goes first: so the whole medium, and not
 * only each partition, is a prefix in writing order after a crash, as behind the buffer of a drive
 * (an index that LTFS wrote in one partition never tells of data that the other lost). */
static int prepare(struct cartridge *c, struct error *err)
{
    const struct writer *w = &c->writer[c->pos.partition];
    int rc = 0;

    if (writer_others_owe(c, c->pos.partition))
        rc = writer_settle(c, err);
    /* What was cut or lost elsewhere came before what is written now: no crash may bring it back
     * beside it.  (A segment that is not published yet says so itself, with its first commit.) */
    if (rc == 0 && c->dirty && w->open && w->published && w->len == 0)
        rc = super_publish(c, err);
    if (rc)
        return rc;
    if (c->pos.at.lba < map_end(cartridge_map(c), c->pos.partition).lba)
        rc = cut_at_position(c, err);
    if (rc == 0 && !w->open)
        rc = writer_begin(c, c->pos.partition, err);
    return rc;
}

/* Is the position behind the early-warning point of its partition, or the store nearly full? */
static bool early_warning_at(const struct cartridge *c)
{
    return c->pos.at.used > cartridge_early_warning(c, c->pos.partition) || room_low(c);
}

static int write_record(struct cartridge *c, const struct record *r, const void *data,
                        bool *early_warning, struct error *err)
{
    struct writer *w = &c->writer[c->pos.partition];
    uint64_t capacity = cartridge_partition_capacity(c, c->pos.partition), cost = record_cost(r);
    int rc = check_writable(c, err);

    if (rc == 0)
        rc = check_not_lost(c, err);
    if (rc)
        return rc;
    if (c->pos.at.used > capacity || cost > capacity - c->pos.at.used)
        return error_set(err, ERR_END_OF_TAPE, "cartridge %s is full", c->identity.barcode);
    rc = room_check(c, r->type, r->stored, err);
    if (rc == 0)
        rc = prepare(c, err);
    if (rc == 0)
        rc = writer_append(c, w, r, data, err);
    if (rc) {
        writer_drop_empty(c, w);
        return rc;
    }
    if (c->kept.buf)
        recover_drop(c);
    c->pos.at = map_end(cartridge_map(c), c->pos.partition);
    rc = writer_push(c, w, err);
    if (early_warning)
        *early_warning = early_warning_at(c);
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
    struct record r = {.type = RECORD_DATA, .length = len, .stored = len, .count = 1};
    int rc = check_length(len, err);

    return rc ? rc : write_record(c, &r, data, early_warning, err);
}

int cartridge_write_block(struct cartridge *c, const struct cartridge_block *block,
                          const void *stored, bool *early_warning, struct error *err)
{
    struct record r = {
        .type = RECORD_DATA,
        .length = block->length,
        .stored = block->stored,
        .compression = block->compression,
        .encryption = block->encryption,
        .protection = block->protection,
        .host_crc = block->protection_crc,
        .count = 1,
    };
    int rc = check_length(block->length, err);

    if (rc == 0 && !record_block_sane(&r))
        rc = error_set(err, ERR_RANGE, "a block of %u bytes can't be stored as %u bytes like that",
                       block->length, block->stored);
    if (rc == 0)
        rc = check_writable(c, err);
    if (rc == 0 && (r.compression || r.encryption || r.protection))
        rc = cartridge_need(c, FEATURE_BLOCKS, err);
    return rc ? rc : write_record(c, &r, stored, early_warning, err);
}

int cartridge_write_run(struct cartridge *c, const void *data, uint32_t len, uint32_t count,
                        bool *early_warning, struct error *err)
{
    struct record r = {.type = RECORD_RUN, .length = len, .stored = len, .count = count};
    int rc = check_length(len, err);

    return rc || count == 0 ? rc : write_record(c, &r, data, early_warning, err);
}

int cartridge_write_filemarks(struct cartridge *c, uint32_t count, bool *early_warning,
                              struct error *err)
{
    struct record r = {.type = RECORD_FILEMARK, .count = count};

    if (count > 0)
        return write_record(c, &r, NULL, early_warning, err);
    if (early_warning)
        *early_warning = early_warning_at(c);
    return check_writable(c, err);
}

int cartridge_sync(struct cartridge *c, uint64_t *lost, struct error *err)
{
    int rc = writer_settle(c, err);

    /* What was cut off and nothing was written in its place; what was lost; what a recovery found
     * and could not publish: after a good sync no crash may bring the other state back. */
    if (rc == 0 && c->dirty)
        rc = super_publish(c, err);
    if (rc && lost)
        *lost = map_end(cartridge_map(c), c->lost_partition).lba;
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
