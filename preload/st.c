/* SPDX-License-Identifier: Apache-2.0 */
/* st.c - see st.h: open, read, write and close of a tape. */
#include "preload/st.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "preload/preload.h"

#define TRANSFER_MAX 0xffffff /* of READ(6) and WRITE(6) */
#define FIXED        0x01

/* ---- a call ------------------------------------------------------------------------------ */

int st_begin(struct st *st, unsigned lun)
{
    int rc;

    st->unit = device_unit(lun);
    pthread_mutex_lock(&st->unit->lock);
    rc = device_session(st->unit);
    st_state_load(st);
    if (rc == 0 && !st->unit->checked)
        rc = st_check(st);
    if (rc)
        pthread_mutex_unlock(&st->unit->lock);
    return rc;
}

void st_end(struct st *st)
{
    st_state_save(st);
    pthread_mutex_unlock(&st->unit->lock);
}

/* libc's way to answer. */
static int answer(int rc)
{
    if (rc >= 0)
        return rc;
    errno = -rc;
    return -1;
}

int st_run(struct st *st, struct session_command *c)
{
    return session_run(st->unit->session, c, NULL) ? -EIO : 0;
}

int st_need_ready(const struct st *st)
{
    return st->unit->ready ? 0 : st->unit->no_tape ? -ENOMEDIUM : -EIO;
}

/* ---- looking at the drive ---------------------------------------------------------------- */

/* READ BLOCK LIMITS, and the header and block descriptor of MODE SENSE: SSC-5 8.3. */
static int check_modes(struct st *st)
{
    uint8_t limits[6], mode[12];
    struct session_command read_limits = {.cdb = {0x05},
                                          .cdb_len = 6,
                                          .in = limits,
                                          .len = sizeof(limits),
                                          .use = SESSION_NEUTRAL,
                                          .what = "read block limits"};
    struct session_command sense = {.cdb = {0x1a, 0, 0, 0, sizeof(mode)},
                                    .cdb_len = 6,
                                    .in = mode,
                                    .len = sizeof(mode),
                                    .use = SESSION_NEUTRAL,
                                    .what = "mode sense"};
    struct unit *unit = st->unit;

    if (st_run(st, &read_limits) || read_limits.got < 6 || st_run(st, &sense) || sense.got < 4)
        return -EIO;
    unit->block_max = get_be24(limits + 1);
    unit->block_min = get_be16(limits + 4);
    unit->write_protected = mode[2] & 0x80;
    unit->buffered = mode[2] & 0x70;
    if (mode[3] >= 8 && sense.got >= 12) {
        unit->density = mode[4];
        unit->block_size = get_be24(mode + 9);
    }
    return 0;
}

int st_check(struct st *st)
{
    struct error err = ERROR_INIT;
    struct unit *unit = st->unit;
    int rc = session_ready(unit->session, &err);

    unit->checked = true;
    unit->ready = rc == 0;
    unit->no_tape = rc == -ERR_NO_MEDIUM;
    if (rc == -ERR_CLOSED || rc == -ERR_TIMEOUT) {
        unit->checked = false;
        return -EIO;
    }
    return check_modes(st);
}

/* ---- open and close ---------------------------------------------------------------------- */

/* What st does when the last descriptor is gone. */
static int finish_file(struct st *st)
{
    int rc = 0;

    if (st->state.rw == ST_WRITING)
        rc = st_weof(st, 1);
    else if (st->state.eof == ST_FM_HIT)
        rc = st_uncross(st);
    if (st->state.rewind && st_rewind(st) && !rc)
        rc = -EIO;
    st->state.rw = ST_IDLE;
    st->state.rewind = 0;
    return rc;
}

/* Take up the drive's state, and finish what a killed process could not. */
static int take_over(struct st *st)
{
    int rc = st_state_resume(st);

    if (rc == 0 && (st->state.rw == ST_WRITING || st->state.rewind))
        rc = finish_file(st);
    st->state.rw = ST_IDLE;
    return rc;
}

static int open_check(struct st *st, int flags)
{
    int rc = st_check(st);

    if (rc == 0 && !(flags & O_NONBLOCK))
        rc = st_need_ready(st);
    if (rc == 0 && st->unit->write_protected && (flags & O_ACCMODE) != O_RDONLY)
        rc = -EROFS;
    if (rc == 0 && st->unit->ready)
        rc = take_over(st);
    return rc;
}

/* A lost session is made anew by the next open, as a drive that came back. */
static int open_session(struct unit *unit)
{
    int rc = device_session(unit);

    if (rc == 0 && session_ready(unit->session, NULL) == -ERR_CLOSED) {
        device_logout(unit);
        rc = device_session(unit);
    }
    return rc;
}

/* The state does not speak of the drive until it is known where it is. */
static int open_drive(struct device device, int flags)
{
    struct st st = {.unit = device_unit(device.lun)};
    int rc;
    CLEANUP_UNLOCK(&st.unit->lock);

    rc = open_session(st.unit);
    if (rc)
        return rc;
    st_state_load(&st);
    rc = open_check(&st, flags);
    if (rc)
        return rc;
    st.state.rewind = device.kind == DEVICE_ST;
    st_state_save(&st);
    return 0;
}

int st_open(struct device device, int flags)
{
    CLEANUP_CLOSE int fd = device_open_lock(device.lun, O_RDONLY | (flags & O_CLOEXEC));
    int rc;

    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return answer(errno == EWOULDBLOCK ? -EBUSY : -EIO);
    preload_lseek(fd, PRELOAD_OFFSET + (device.kind == DEVICE_ST), SEEK_SET);
    rc = open_drive(device, flags);
    if (rc)
        return answer(rc);
    device.access = flags & O_ACCMODE;
    if (device_note(fd, device) < 0)
        return -1;
    return steal_fd(&fd);
}

/* Only the last one touches the state: it has the lock again, as nobody else has. */
int st_closed(unsigned lun)
{
    CLEANUP_CLOSE int fd = device_open_lock(lun, O_RDONLY | O_CLOEXEC);
    uint64_t address;
    struct st st;
    int rc = 0, saved = errno;

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
        errno = saved;
        return 0;
    }
    rc = st_begin(&st, lun);
    if (rc)
        return answer(rc);
    if (st.unit->ready) {
        rc = finish_file(&st);
        st.state.address = st_position(&st, &address, NULL) == 0 ? address : UINT64_MAX;
    }
    st_end(&st);
    errno = saved;
    return answer(rc);
}

/* ---- read -------------------------------------------------------------------------------- */

/* What st answers to a number of bytes; 0: go on. */
static int check_count(const struct st *st, size_t count)
{
    const struct unit *unit = st->unit;
    int rc = st_need_ready(st);

    if (rc)
        return rc;
    if (unit->block_size && count % unit->block_size)
        return -EINVAL;
    if (count > TRANSFER_MAX)
        return -EINVAL;
    if (!unit->block_size && unit->block_max &&
        (count < unit->block_min || count > unit->block_max))
        return -EINVAL;
    return 0;
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

static ssize_t read_tape(struct st *st, void *buf, size_t count)
{
    uint32_t size = st->unit->block_size;
    uint32_t length = (uint32_t)(size ? count / size : count);
    struct session_command c = {
        .cdb = {0x08, size ? FIXED : 0}, .cdb_len = 6, .in = buf, .len = count, .what = "read"};
    ssize_t got = (ssize_t)count;

    put_be24(c.cdb + 2, length);
    if (st_run(st, &c) && !c.sense.valid) {
        st->state.block = -1;
        return -EIO;
    }
    if (c.sense.valid)
        got = read_special(st, &c, count);
    else
        add_blocks(st, size ? length : 1);
    if (got >= 0)
        read_done(st, got);
    return got;
}

/* 1: go on and read; 0 or an error: that is the answer. */
static int read_prepare(struct st *st, size_t count)
{
    int rc = check_count(st, count);

    if (rc || count == 0)
        return rc;
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
    ssize_t rc = device.access == O_WRONLY ? -EBADF : st_begin(&st, device.lun);

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
    int rc = check_count(st, count);

    if (rc || count == 0)
        return rc;
    if (st->unit->write_protected)
        return -EACCES;
    if (st->state.eof == ST_EOM_OK) {
        st->state.eof = ST_EOM_ERROR;
        return -ENOSPC;
    }
    if (st->state.rw != ST_WRITING && st->state.eof == ST_FM_HIT)
        rc = st_uncross(st);
    if (rc == 0 && st->state.rw != ST_WRITING)
        rc = st_position(st, &st->state.address, NULL);
    return rc ? rc : 1;
}

static ssize_t write_tape(struct st *st, const void *buf, size_t count)
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

ssize_t st_write(struct device device, const void *buf, size_t count)
{
    struct st st;
    ssize_t rc = device.access == O_RDONLY ? -EBADF : st_begin(&st, device.lun);

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
