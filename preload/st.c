/* SPDX-License-Identifier: Apache-2.0 */
/* st.c - see st.h: open and close of a tape, and looking at the drive. */
#include "preload/st.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "preload/preload.h"

/* ---- a call ------------------------------------------------------------------------------ */

int st_begin(struct st *st, struct device device)
{
    int rc;

    st->unit = device_unit(device.lun);
    st->read_only = device.access == O_RDONLY;
    unit_lock(st->unit);
    rc = device_session(st->unit);
    st_state_load(st);
    if (rc == 0 && !st->unit->checked)
        rc = st_check(st);
    if (rc)
        unit_unlock(st->unit);
    return rc;
}

void st_end(struct st *st)
{
    st_state_save(st);
    unit_unlock(st->unit);
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
    int rc = session_run(st->unit->session, c, NULL) ? -EIO : 0;

    if (c->sense.valid && c->sense.key == SENSE_RECOVERED_ERROR)
        st->state.recovered++;
    if (c->sense.valid && c->sense.asc == 0x00 && c->sense.ascq == 0x17) /* cleaning requested */
        st->state.cleaning = 1;
    return rc;
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

    unit->block_min = unit->block_max = 0;
    if (!st_option(st, MT_ST_NO_BLKLIMS)) {
        if (st_run(st, &read_limits) || read_limits.got < 6)
            return -EIO;
        unit->block_max = get_be24(limits + 1);
        unit->block_min = get_be16(limits + 4);
    }
    if (st_run(st, &sense) || sense.got < 4)
        return -EIO;
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

/* One filemark, or two and back between them. */
static int end_file(struct st *st)
{
    bool two = st_option(st, MT_ST_TWO_FM);
    int rc = st_weof(st, two ? 2 : 1, st_option(st, MT_ST_NOWAIT_EOF));

    if (rc || !two)
        return rc;
    rc = st_space_files(st, -1);
    st_is_at(st, st->state.file, 0, ST_FM);
    return rc;
}

/* A file that was read is left where it is, or, as System V does, behind its end. */
static int leave_file(struct st *st)
{
    if (st_option(st, MT_ST_SYSV) && st->state.rw == ST_READING) {
        if (st->state.eof == ST_FM_HIT) {
            st_is_at(st, st->state.file < 0 ? -1 : st->state.file + 1, 0, ST_FM);
            return 0;
        }
        return st->state.eof == ST_NOEOF ? st_space_files(st, 1) : 0;
    }
    return st->state.eof == ST_FM_HIT ? st_uncross(st) : 0;
}

/* What st does when the last descriptor is gone. */
static int finish_file(struct st *st)
{
    int rc = 0;

    if (st->state.rw == ST_WRITING)
        rc = end_file(st);
    else if (!st->state.rewind)
        rc = leave_file(st);
    st->state.rw = ST_IDLE;
    if (rc == 0)
        rc = st_partition_enter(st);
    if (st->state.rewind && st_rewind(st) && !rc)
        rc = -EIO;
    st->state.rw = ST_IDLE;
    st->state.rewind = 0;
    if (st->state.door == ST_LOCKED_AUTO)
        (void)st_door(st, ST_UNLOCKED);
    return rc;
}

/* Take up the drive's state, and finish what a killed process could not. */
static int take_over(struct st *st, int mode)
{
    bool fresh = false;
    int rc = st_state_resume(st, &fresh);

    if (rc == 0 && (st->state.rw == ST_WRITING || st->state.rewind))
        rc = finish_file(st);
    st->state.rw = ST_IDLE;
    fresh |= st->state.mode != mode;
    st->state.mode = mode;
    return rc == 0 && fresh && st->state.modes[mode].defined ? st_new_medium(st) : rc;
}

static int open_check(struct st *st, struct device device, int flags)
{
    bool waits = !(flags & O_NONBLOCK);
    int rc = st_check(st);

    if (rc == 0 && waits)
        rc = st_need_ready(st);
    if (rc == 0 && waits && st->unit->write_protected && (flags & O_ACCMODE) != O_RDONLY)
        rc = -EROFS;
    if (rc == 0 && st->unit->ready)
        rc = take_over(st, (int)device.mode);
    st->state.mode = (int)device.mode;
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
static int open_unit(struct unit *unit, struct device device, int flags)
{
    struct st st = {.unit = unit};
    int rc = open_session(unit);

    if (rc)
        return rc;
    st_state_load(&st);
    st.unit->rest_len = 0;
    rc = open_check(&st, device, flags);
    if (rc)
        return rc;
    st.state.rewind = device.kind == DEVICE_ST;
    st_state_save(&st);
    return 0;
}

static int open_drive(struct device device, int flags)
{
    struct unit *unit = device_unit(device.lun);
    int rc;

    unit_lock(unit);
    rc = open_unit(unit, device, flags);
    unit_unlock(unit);
    return rc;
}

int st_open(struct device device, int flags)
{
    CLEANUP_CLOSE int fd = device_open_lock(device.lun, O_RDONLY | (flags & O_CLOEXEC));
    int rc;

    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return answer(errno == EWOULDBLOCK ? -EBUSY : -EIO);
    device.access = flags & O_ACCMODE;
    preload_lseek(fd, device_offset(device), SEEK_SET);
    rc = open_drive(device, flags);
    if (rc)
        return answer(rc);
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
    rc = st_begin(&st, (struct device){.lun = lun, .access = O_RDWR});
    if (rc)
        return answer(rc);
    st.unit->rest_len = 0;
    if (st.unit->ready) {
        rc = finish_file(&st);
        st.state.address = st_position(&st, &address, NULL, NULL) == 0 ? address : UINT64_MAX;
    }
    st_end(&st);
    errno = saved;
    return answer(rc);
}
