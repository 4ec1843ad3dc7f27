/* SPDX-License-Identifier: Apache-2.0 */
/*
 * st_data.c - see st.h: read and write.
 *
 * With blocks of a fixed length a program may read any number of bytes: what it did not ask for of
 * the last block is kept for its next read, and dropped by whatever else it does (st.rst, "read
 * ahead").  Nothing else is kept back, in either direction.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "preload/st.h"

#define TRANSFER_MAX (8u << 20) /* of one command, in fixed blocks; READ(6) takes 24 bits */
#define FIXED        0x01
#define SILI         0x02

/* ---- read -------------------------------------------------------------------------------- */

/* What st answers to a number of bytes; 0: go on. */
static int check_count(struct st *st, size_t count, bool whole_blocks)
{
    const struct unit *unit = st->unit;
    int rc = st_need_ready(st);

    if (rc)
        return rc;
    if (!st->state.modes[st->state.mode].defined)
        return -ENXIO;
    if (count == 0)
        return 0;
    if (unit->block_size && whole_blocks && count % unit->block_size)
        return -EINVAL;
    if (!unit->block_size && unit->block_max &&
        (count < unit->block_min || count > unit->block_max))
        return -EINVAL;
    rc = st_partition_enter(st);
    if (rc == 0 && st_option(st, MT_ST_AUTO_LOCK) && st->state.door == ST_UNLOCKED)
        (void)st_door(st, ST_LOCKED_AUTO);
    return rc;
}

static void add_blocks(struct st *st, int64_t blocks)
{
    if (st->state.block >= 0)
        st->state.block += (int32_t)blocks;
}

static int back_one_block(struct st *st)
{
    struct session_command c = {.cdb = {0x11, 0}, .cdb_len = 6, .what = "space"};

    put_be24(c.cdb + 2, 0xffffff);
    return st_run(st, &c);
}

/* A block of another length: variable, it is given or too long; fixed, what came before it is. */
static ssize_t read_other_length(struct st *st, size_t count, int64_t residue)
{
    int64_t unit = st->unit->block_size ? st->unit->block_size : 1;
    int64_t got = (int64_t)count - residue * unit;

    if (!st->unit->block_size) {
        add_blocks(st, 1);
        return residue < 0 ? -ENOMEM : got;
    }
    add_blocks(st, got > 0 ? got / unit : 0);
    if (back_one_block(st) || got <= 0)
        return -EIO;
    return got;
}

static ssize_t read_special(struct st *st, const struct session_command *c, size_t count)
{
    const struct sense *sense = &c->sense;
    int64_t unit = st->unit->block_size ? st->unit->block_size : 1;
    int64_t residue = sense->has_information ? sense->information : 0, got;

    if (sense->ili && !sense->filemark && sense->key != SENSE_MEDIUM_ERROR)
        return read_other_length(st, count, residue);
    got = (int64_t)count - residue * unit;
    if (got < 0 || got > (int64_t)count || (sense->filemark && !st->unit->block_size))
        got = 0;
    if (sense->filemark)
        st->state.eof = ST_FM_HIT;
    else if (sense->eom && sense->key <= SENSE_RECOVERED_ERROR)
        st->state.eof = st->state.eof == ST_FM ? ST_EOD_1 : ST_EOM_OK;
    else {
        st->state.block = -1;
        if (sense->key != SENSE_BLANK_CHECK || st->state.eof != ST_FM)
            return -EIO;
        st->state.eof = ST_EOD_2; /* the first one behind a filemark is an end of file */
        return 0;
    }
    add_blocks(st, got / unit);
    return got;
}

/* The state behind a read that gave nothing, or something. */
static void read_done(struct st *st, ssize_t got)
{
    struct st_state *state = &st->state;

    if (got > 0 && state->eof == ST_FM)
        state->eof = ST_NOEOF;
    if (got > 0)
        return;
    if (state->eof == ST_FM_HIT || state->eof == ST_EOD_1) {
        state->eof = state->eof == ST_FM_HIT ? ST_FM : ST_EOD_2;
        state->block = 0;
        if (state->file >= 0)
            state->file++;
    } else if (state->eof == ST_EOD_2) {
        state->eof = ST_EOD;
    }
}

/* One command: so many whole blocks, or one of any length. */
static ssize_t read_blocks(struct st *st, void *buf, size_t count)
{
    uint32_t size = st->unit->block_size;
    uint32_t length = (uint32_t)(size ? count / size : count);
    struct session_command c = {
        .cdb = {0x08, size ? FIXED : 0}, .cdb_len = 6, .in = buf, .len = count, .what = "read"};
    ssize_t got = (ssize_t)count;

    if (!size && st_option(st, MT_ST_SILI))
        c.cdb[1] = SILI;
    put_be24(c.cdb + 2, length);
    if (st_run(st, &c) && !c.sense.valid) {
        st->state.block = -1;
        return -EIO;
    }
    if (c.sense.valid && !(c.sense.key == SENSE_RECOVERED_ERROR && !c.sense.ili && !c.sense.eom))
        return read_special(st, &c, count);
    if (!size)
        got = (ssize_t)c.got; /* less than asked for only with SILI */
    add_blocks(st, size ? length : 1);
    return got;
}

/* ---- what is left of a block ------------------------------------------------------------- */

static size_t rest_take(struct unit *unit, uint8_t *buf, size_t count)
{
    size_t n = unit->rest_len < count ? unit->rest_len : count;

    if (n)
        memcpy(buf, unit->rest + unit->rest_at, n);
    unit->rest_at += n;
    unit->rest_len -= n;
    return n;
}

/* The block of which count bytes are wanted. */
static ssize_t read_part(struct st *st, uint8_t *buf, size_t count)
{
    struct unit *unit = st->unit;
    uint8_t *block = realloc(unit->rest, unit->block_size);
    ssize_t got;

    if (!block)
        return -ENOMEM;
    unit->rest = block;
    got = read_blocks(st, block, unit->block_size);
    if (got <= 0)
        return got;
    unit->rest_at = 0;
    unit->rest_len = (size_t)got;
    return (ssize_t)rest_take(unit, buf, count);
}

/* The next piece of what was asked for. */
static ssize_t read_piece(struct st *st, uint8_t *buf, size_t count)
{
    uint32_t size = st->unit->block_size;
    size_t most = size ? TRANSFER_MAX / size * size : count;

    if (size && most == 0)
        most = size;
    if (size && count < size)
        return read_part(st, buf, count);
    if (count > most)
        count = most;
    return read_blocks(st, buf, size ? count / size * size : count);
}

/* Until there is enough, or something special is met. */
static ssize_t read_tape(struct st *st, uint8_t *buf, size_t count)
{
    size_t total = rest_take(st->unit, buf, count);
    ssize_t got = 0;

    while (total < count) {
        size_t whole = st->unit->block_size ? st->unit->block_size : count;
        size_t before = total;

        got = read_piece(st, buf + total, count - total);
        if (got > 0)
            total += (size_t)got;
        if (got <= 0 || st->state.eof >= ST_EOM_OK || st->state.eof == ST_FM_HIT ||
            !st->unit->block_size || (total - before) % whole)
            break;
    }
    if (total == 0 && got < 0)
        return got;
    read_done(st, (ssize_t)total);
    return (ssize_t)total;
}

/* 1: go on and read; 0 or an error: that is the answer. */
static int read_prepare(struct st *st, size_t count)
{
    int rc = check_count(st, count, !st_option(st, MT_ST_READ_AHEAD));

    if (rc || count == 0)
        return rc;
    if (st->unit->rest_len)
        return 1;
    if (st->state.rw == ST_WRITING) { /* st ends no file here */
        st->state.rw = ST_READING;
        st->state.address = UINT64_MAX;
    }
    if (st->state.eof == ST_FM_HIT) {
        read_done(st, 0);
        return 0;
    }
    if (st->state.eof >= ST_EOD)
        return -EIO;
    if (st->state.eof >= ST_EOD_1) {
        st->state.eof++;
        return 0;
    }
    st->state.rw = ST_READING;
    return 1;
}

ssize_t st_read(struct device device, void *buf, size_t count)
{
    struct st st;
    ssize_t rc = device.access == O_WRONLY ? -EBADF : st_begin(&st, device);

    if (rc == 0) {
        rc = read_prepare(&st, count);
        if (rc > 0)
            rc = read_tape(&st, buf, count);
        st_end(&st);
    }
    if (rc >= 0)
        return rc;
    errno = (int)-rc;
    return -1;
}

/* ---- write ------------------------------------------------------------------------------- */

/* Near the end of the medium writes are refused and allowed in turn: st.rst, "EOM behaviour". */
static int write_prepare(struct st *st, size_t count)
{
    int rc = check_count(st, count, true);

    if (rc || count == 0)
        return rc;
    if (st->unit->write_protected)
        return -EACCES;
    st->unit->rest_len = 0;
    if (st->state.eof == ST_EOM_OK) {
        st->state.eof = ST_EOM_ERROR;
        return -ENOSPC;
    }
    if (st->state.rw != ST_WRITING && st->state.eof == ST_FM_HIT)
        rc = st_uncross(st);
    if (rc == 0 && st->state.rw == ST_IDLE && st->state.file == 0 && st->state.block == 0)
        rc = st_write_defaults(st);
    if (rc == 0 && st->unit->block_size && count % st->unit->block_size)
        rc = -EINVAL; /* of a default just set */
    if (rc == 0 && st->state.rw != ST_WRITING)
        rc = st_position(st, &st->state.address, NULL, NULL);
    return rc ? rc : 1;
}

static ssize_t write_blocks(struct st *st, const void *buf, size_t count)
{
    uint32_t size = st->unit->block_size;
    uint32_t length = (uint32_t)(size ? count / size : count);
    struct session_command c = {
        .cdb = {0x0a, size ? FIXED : 0}, .cdb_len = 6, .out = buf, .len = count, .what = "write"};
    int64_t blocks = size ? length : 1;
    bool failed;

    put_be24(c.cdb + 2, length);
    failed = st_run(st, &c) != 0;
    if (failed && c.sense.valid && c.sense.key == SENSE_VOLUME_OVERFLOW && !c.sense.deferred) {
        int64_t residue = size && c.sense.has_information ? c.sense.information : blocks;

        st->state.eof = ST_EOM_ERROR;
        blocks = residue >= 0 && residue <= blocks ? blocks - residue : 0;
    } else if (failed) {
        st->state.block = -1;
        st->state.address = UINT64_MAX;
        return -EIO;
    } else {
        st->state.eof = c.sense.valid && c.sense.eom ? ST_EOM_OK : ST_NOEOF;
    }
    st->state.rw = blocks || st->state.rw == ST_WRITING ? ST_WRITING : ST_IDLE;
    st->state.address += (uint64_t)blocks;
    add_blocks(st, blocks);
    return blocks ? (ssize_t)(size ? (uint64_t)blocks * size : count) : -ENOSPC;
}

/* All of it, or up to where the tape begins to end. */
static ssize_t write_tape(struct st *st, const uint8_t *buf, size_t count)
{
    uint32_t size = st->unit->block_size;
    size_t most = size ? TRANSFER_MAX / size * size : count;
    size_t total = 0;

    if (most == 0)
        most = size;
    while (total < count) {
        size_t piece = count - total < most ? count - total : most;
        ssize_t done = write_blocks(st, buf + total, piece);

        if (done > 0)
            total += (size_t)done;
        if (done < 0 && total == 0)
            return done;
        if (done != (ssize_t)piece || st->state.eof >= ST_EOM_OK)
            break;
    }
    return (ssize_t)total;
}

ssize_t st_write(struct device device, const void *buf, size_t count)
{
    struct st st;
    ssize_t rc = device.access == O_RDONLY ? -EBADF : st_begin(&st, device);

    if (rc == 0) {
        rc = write_prepare(&st, count);
        if (rc > 0)
            rc = write_tape(&st, buf, count);
        st_end(&st);
    }
    if (rc >= 0)
        return rc;
    errno = (int)-rc;
    return -1;
}
