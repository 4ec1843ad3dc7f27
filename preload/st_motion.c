/* SPDX-License-Identifier: Apache-2.0 */
/* st_motion.c - see st.h: the operations of MTIOCTOP, mtio(4). */
#include <errno.h>
#include <string.h>
#include <sys/mtio.h>

#include "common/bytes.h"
#include "common/checked.h"
#include "preload/st.h"

#define COUNT_MAX       0x7fffff
#define SPACE_BLOCKS    0
#define SPACE_FILEMARKS 1
#define SPACE_END       3

/* ---- motion ------------------------------------------------------------------------------ */

void st_is_at(struct st *st, int32_t file, int32_t block, enum st_eof eof)
{
    st->state.file = file;
    st->state.block = block;
    st->state.eof = (int32_t)eof;
    st->state.address = UINT64_MAX;
}

static int32_t known_sum(int32_t a, int64_t b)
{
    return a < 0 || a + b < 0 || a + b > INT32_MAX ? -1 : (int32_t)(a + b);
}

/* SPACE; *sense tells what stopped it. */
static int space(struct st *st, uint8_t code, int count, struct sense *sense)
{
    struct session_command c = {
        .cdb = {0x11, code}, .cdb_len = 6, .use = SESSION_NEEDS_POSITION, .what = "space"};
    int rc;

    if (code == SPACE_END)
        c.use = SESSION_SETS_POSITION;
    put_be24(c.cdb + 2, (uint32_t)count & 0xffffff);
    rc = st_run(st, &c);
    *sense = c.sense;
    st->state.address = UINT64_MAX;
    if (rc == 0 && c.sense.valid && (c.sense.filemark || c.sense.eom))
        return -EIO;
    return rc;
}

/* How many were not spaced over, without sign. */
static int64_t undone(const struct sense *sense)
{
    int64_t n = sense->valid && sense->has_information ? sense->information : 0;

    return n < 0 ? -n : n;
}

static int forward_files(struct st *st, int count)
{
    struct sense sense;
    int rc = space(st, SPACE_FILEMARKS, count, &sense);

    if (rc == 0)
        st_is_at(st, known_sum(st->state.file, count), 0, count ? ST_FM : ST_NOEOF);
    else
        st_is_at(st, known_sum(st->state.file, count - undone(&sense)), -1,
                 sense.key == SENSE_BLANK_CHECK ? ST_EOD : ST_NOEOF);
    return rc;
}

static int backward_files(struct st *st, int count)
{
    struct sense sense;
    int rc = space(st, SPACE_FILEMARKS, -count, &sense);

    if (rc == 0)
        st_is_at(st, known_sum(st->state.file, -count), count ? -1 : st->state.block, ST_NOEOF);
    else
        st_is_at(st, known_sum(st->state.file, undone(&sense) - count), 0, ST_NOEOF);
    return rc;
}

int st_space_files(struct st *st, int count)
{
    return count < 0 ? backward_files(st, -count) : forward_files(st, count);
}

static int op_fsf(struct st *st, int op, int count)
{
    int rc = count < 0 ? backward_files(st, -count) : forward_files(st, count);

    return rc == 0 && op == MTFSFM ? backward_files(st, 1) : rc;
}

static int op_bsf(struct st *st, int op, int count)
{
    int rc = count < 0 ? forward_files(st, -count) : backward_files(st, count);

    return rc == 0 && op == MTBSFM ? forward_files(st, 1) : rc;
}

static int space_blocks(struct st *st, int count)
{
    struct sense sense;
    int rc = space(st, SPACE_BLOCKS, count, &sense);
    int64_t left = undone(&sense);

    if (rc == 0)
        st_is_at(st, st->state.file, known_sum(st->state.block, count), ST_NOEOF);
    else if (sense.filemark && count > 0)
        st_is_at(st, known_sum(st->state.file, 1), 0, ST_FM);
    else if (sense.filemark)
        st_is_at(st, known_sum(st->state.file, -1), -1, ST_NOEOF);
    else if (count < 0 && sense.eom) /* the beginning of the medium */
        st_is_at(st, 0, 0, ST_NOEOF);
    else
        st_is_at(st, st->state.file,
                 known_sum(st->state.block, count > 0 ? count - left : count + left),
                 sense.key == SENSE_BLANK_CHECK ? ST_EOD : ST_NOEOF);
    return rc;
}

static int op_fsr(struct st *st, int op, int count)
{
    (void)op;
    return space_blocks(st, count);
}

static int op_bsr(struct st *st, int op, int count)
{
    (void)op;
    return space_blocks(st, -count);
}

int st_uncross(struct st *st)
{
    struct sense sense;
    int rc = space(st, SPACE_FILEMARKS, -1, &sense);

    st->state.eof = ST_NOEOF;
    return rc;
}

static int op_eom(struct st *st, int op, int count)
{
    struct sense sense;
    uint64_t address, file = UINT64_MAX;
    int rc = space(st, SPACE_END, 0, &sense);

    (void)op;
    (void)count;
    if (rc == 0)
        rc = st_position(st, &address, &file, NULL);
    if (st_option(st, MT_ST_FAST_MTEOM)) /* st does not count then */
        file = UINT64_MAX;
    st_is_at(st, rc == 0 && file <= INT32_MAX ? (int32_t)file : -1, -1, ST_EOD);
    return rc;
}

int st_rewind(struct st *st)
{
    struct session_command c = {
        .cdb = {0x01}, .cdb_len = 6, .use = SESSION_SETS_POSITION, .what = "rewind"};
    int rc;

    c.cdb[1] = st_option(st, MT_ST_NOWAIT);
    rc = st_run(st, &c);
    st_is_at(st, rc ? -1 : 0, rc ? -1 : 0, ST_NOEOF);
    return rc;
}

static int op_rewind(struct st *st, int op, int count)
{
    (void)op;
    (void)count;
    return st_rewind(st);
}

/* ---- what changes the medium ------------------------------------------------------------- */

int st_weof(struct st *st, int count, bool immediate)
{
    struct session_command c = {.cdb = {0x10, immediate}, .cdb_len = 6, .what = "write filemarks"};
    int rc;

    put_be24(c.cdb + 2, (uint32_t)count & 0xffffff);
    rc = st_run(st, &c);
    if (rc == 0 && count)
        st_is_at(st, known_sum(st->state.file, count), 0, ST_FM);
    else if (rc)
        st_is_at(st, -1, -1, c.sense.key == SENSE_VOLUME_OVERFLOW ? ST_EOM_ERROR : ST_NOEOF);
    if (rc && c.sense.valid && c.sense.key == SENSE_VOLUME_OVERFLOW)
        return -ENOSPC;
    return rc;
}

static bool may_write(const struct st *st)
{
    return !st->unit->write_protected && !st->read_only;
}

static int op_weof(struct st *st, int op, int count)
{
    if (!may_write(st))
        return -EACCES;
    return st_weof(st, count, op == MTWEOFI || st_option(st, MT_ST_NOWAIT_EOF));
}

static int op_erase(struct st *st, int op, int count)
{
    struct session_command c = {.cdb = {0x19, count ? 1 : 0}, .cdb_len = 6, .what = "erase"};
    int rc;

    (void)op;
    if (!may_write(st))
        return -EACCES;
    if (st_option(st, MT_ST_NOWAIT))
        c.cdb[1] |= 0x02;
    rc = st_run(st, &c);
    if (rc == 0)
        st->state.eof = ST_NOEOF;
    return rc;
}

/* ---- the drive --------------------------------------------------------------------------- */

static int op_nothing(struct st *st, int op, int count)
{
    (void)st;
    (void)op;
    (void)count;
    return 0;
}

static int load_unload(struct st *st, uint8_t how)
{
    struct session_command c = {.cdb = {0x1b, 0, 0, 0, how},
                                .cdb_len = 6,
                                .use = SESSION_SETS_POSITION,
                                .what = "load or unload"};

    c.cdb[1] = st_option(st, MT_ST_NOWAIT);
    return st_run(st, &c);
}

static int op_load(struct st *st, int op, int count)
{
    int rc = load_unload(st, op == MTRETEN ? 3 : 1);
    bool fresh = false;

    (void)count;
    if (rc == 0)
        rc = st_check(st);
    if (rc == 0)
        rc = st_need_ready(st);
    if (rc == 0)
        rc = st_state_resume(st, &fresh);
    if (rc == 0 && fresh)
        rc = st_new_medium(st);
    if (rc == 0)
        st_is_at(st, 0, 0, ST_NOEOF);
    return rc;
}

static int op_unload(struct st *st, int op, int count)
{
    int rc = st_need_ready(st);

    (void)count;
    if (rc == 0 && op == MTOFFL && st->state.door != ST_UNLOCKED)
        (void)st_door(st, ST_UNLOCKED);
    if (rc == 0)
        rc = load_unload(st, 0);
    if (rc)
        return rc;
    st->unit->ready = false;
    st->unit->no_tape = true;
    st->state.rewind = 0;
    st_is_at(st, -1, -1, ST_NOEOF);
    return 0;
}

/* Setmarks are of drives that are gone: SSC-5 has none. */
static int op_setmarks(struct st *st, int op, int count)
{
    (void)st;
    (void)op;
    (void)count;
    return -EIO;
}

/* ---- the table --------------------------------------------------------------------------- */

#define ENDS_FILE 0x01 /* what was written gets its filemark first */
#define ONWARD    0x02 /* from behind a filemark that was met: it is not gone back over */
#define KEEPS     0x04 /* writing stays writing */
#define ALWAYS    0x08 /* also if the drive is not ready */
#define FORWARD   0x10 /* such a filemark counts as one spaced over ... */
#define BACKWARD  0x20 /* ... or to be spaced over */
#define STAYS     0x40 /* in the partition where the tape is; the others go to the chosen one */

static const struct operation {
    int op;
    unsigned flags;
    int (*run)(struct st *st, int op, int count);
} operations[] = {
    {MTFSF, ONWARD | FORWARD, op_fsf},
    {MTFSFM, ONWARD | FORWARD, op_fsf},
    {MTBSF, ENDS_FILE | ONWARD | BACKWARD, op_bsf},
    {MTBSFM, ENDS_FILE | ONWARD | BACKWARD, op_bsf},
    {MTFSR, 0, op_fsr},
    {MTBSR, 0, op_bsr},
    {MTWEOF, 0, op_weof},
    {MTWEOFI, 0, op_weof},
    {MTREW, ENDS_FILE | ONWARD, op_rewind},
    {MTOFFL, ENDS_FILE | ONWARD | ALWAYS | STAYS, op_unload},
    {MTUNLOAD, ENDS_FILE | ONWARD | ALWAYS | STAYS, op_unload},
    {MTNOP, KEEPS, op_nothing},
    {MTRETEN, ENDS_FILE | ONWARD, op_load},
    {MTLOAD, ENDS_FILE | ONWARD | ALWAYS | STAYS, op_load},
    {MTEOM, ONWARD, op_eom},
    {MTERASE, 0, op_erase},
    {MTSETBLK, KEEPS, st_op_block},
    {MTSETDENSITY, KEEPS, st_op_block},
    {MTSEEK, ENDS_FILE | STAYS, st_op_seek},
    {MTLOCK, ONWARD | ALWAYS | STAYS, st_op_lock},
    {MTUNLOCK, ALWAYS | STAYS, st_op_lock},
    {MTCOMPRESSION, ONWARD, st_op_compression},
    {MTSETDRVBUFFER, KEEPS | ALWAYS | STAYS, st_op_buffer},
    {MTSETPART, KEEPS | STAYS, st_op_partition},
    {MTMKPART, STAYS, st_op_format},
    {MTFSS, 0, op_setmarks},
    {MTBSS, 0, op_setmarks},
    {MTWSM, KEEPS, op_setmarks},
};

static const struct operation *operation_find(int op)
{
    for (size_t i = 0; i < ARRAY_LENGTH(operations); i++)
        if (operations[i].op == op)
            return &operations[i];
    return NULL;
}

/* Behind data that ended at a filemark the drive is further than the program believes. */
static int settle_filemark(struct st *st, const struct operation *operation, int *count)
{
    if (st->state.eof != ST_FM_HIT)
        return 0;
    if (!(operation->flags & ONWARD))
        return st_uncross(st);
    st_is_at(st, known_sum(st->state.file, 1), 0, ST_NOEOF);
    if (operation->flags & FORWARD)
        --*count;
    if (operation->flags & BACKWARD)
        ++*count;
    return 0;
}

int st_operate(struct st *st, int op, int count)
{
    const struct operation *operation = operation_find(op);
    bool writing = st->state.rw == ST_WRITING;
    int rc;

    if (!operation)
        return -ENOSYS;
    if ((count > COUNT_MAX || count < -COUNT_MAX) && op != MTSEEK && op != MTSETBLK &&
        op != MTSETDRVBUFFER)
        return -EINVAL;
    if (!(operation->flags & ALWAYS) && (rc = st_need_ready(st)))
        return rc;
    rc = settle_filemark(st, operation, &count);
    if (rc == 0 && writing && (operation->flags & ENDS_FILE)) {
        rc = st_weof(st, 1, false);
        if (operation->flags & BACKWARD)
            count++;
    }
    if (rc)
        return rc;
    if (!(operation->flags & KEEPS))
        st->state.rw = ST_IDLE; /* no filemark of ours at the end */
    if (!(operation->flags & STAYS) && (rc = st_partition_enter(st)))
        return rc;
    return operation->run(st, op, count);
}
