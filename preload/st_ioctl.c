/* SPDX-License-Identifier: Apache-2.0 */
/* st_ioctl.c - see st.h: mtio(4), and what the SCSI layer answers on every device. */
#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <string.h>
#include <sys/mtio.h>

#include "preload/sg.h"
#include "preload/st.h"

#define GMT_EOF_BIT       0x80000000ul
#define GMT_BOT_BIT       0x40000000ul
#define GMT_EOT_BIT       0x20000000ul
#define GMT_EOD_BIT       0x08000000ul
#define GMT_WR_PROT_BIT   0x04000000ul
#define GMT_ONLINE_BIT    0x01000000ul
#define GMT_DR_OPEN_BIT   0x00040000ul
#define GMT_IM_REP_EN_BIT 0x00010000ul
#define GMT_CLN_BIT       0x00008000ul

static unsigned long status_bits(const struct st *st)
{
    const struct st_state *state = &st->state;
    const struct unit *unit = st->unit;
    unsigned long bits = 0;

    if (unit->write_protected)
        bits |= GMT_WR_PROT_BIT;
    if (state->block == 0)
        bits |= state->file == 0 ? GMT_BOT_BIT : GMT_EOF_BIT;
    if (state->eof == ST_EOM_OK || state->eof == ST_EOM_ERROR)
        bits |= GMT_EOT_BIT;
    else if (state->eof >= ST_EOM_OK)
        bits |= GMT_EOD_BIT;
    if (unit->ready)
        bits |= GMT_ONLINE_BIT;
    if (unit->no_tape)
        bits |= GMT_DR_OPEN_BIT;
    if (st_option(st, MT_ST_ASYNC_WRITES) || unit->buffered ||
        (st_option(st, MT_ST_BUFFER_WRITES) && unit->block_size))
        bits |= GMT_IM_REP_EN_BIT;
    if (state->cleaning)
        bits |= GMT_CLN_BIT;
    return bits;
}

static int get_status(struct st *st, struct mtget *get)
{
    memset(get, 0, sizeof(*get));
    get->mt_type = MT_ISSCSI2;
    get->mt_resid = st->state.partition;
    get->mt_erreg = st->state.recovered & MT_ST_SOFTERR_MASK;
    get->mt_dsreg = (long)(st->unit->block_size & 0xffffff) | (long)st->unit->density << 24;
    get->mt_gstat = (long)status_bits(st);
    get->mt_fileno = st->unit->ready ? st->state.file : -1;
    get->mt_blkno = st->unit->ready ? st->state.block : -1;
    st->state.recovered = 0;
    return 0;
}

/* READ POSITION's short form has 32 bits, and so has st. */
static int get_position(struct st *st, struct mtpos *pos)
{
    uint64_t address = 0;
    int rc = st->unit->ready ? st_position(st, &address, NULL, NULL) : -EIO;

    if (rc == 0)
        pos->mt_blkno = (long)address;
    return rc;
}

static bool mode_defined(const struct st *st)
{
    return st->state.modes[st->state.mode].defined;
}

/* Of what is asked for the tape comes to rest first: in front of a filemark that was met, in the
 * chosen partition. */
static int settle(struct st *st)
{
    int rc = st->state.eof == ST_FM_HIT ? st_uncross(st) : 0;

    if (!mode_defined(st))
        return -ENXIO;
    return rc || !st->unit->ready ? rc : st_partition_enter(st);
}

static int perform(struct st *st, unsigned long request, void *arg)
{
    const struct mtop *op = arg;
    int rc;

    st->unit->rest_len = 0; /* read ahead: nothing of a block is given after anything else */
    if (request == MTIOCTOP) {
        if (!mode_defined(st) && op->mt_op != MTSETDRVBUFFER)
            return -ENXIO;
        return st_operate(st, op->mt_op, op->mt_count);
    }
    rc = settle(st);
    if (rc)
        return rc;
    return request == MTIOCGET ? get_status(st, arg) : get_position(st, arg);
}

int st_ioctl(struct device device, unsigned long request, void *arg)
{
    struct st st;
    int rc;

    if (request != MTIOCTOP && request != MTIOCGET && request != MTIOCPOS)
        return sg_ioctl(device, request, arg);
    if (!arg) {
        errno = EFAULT;
        return -1;
    }
    rc = st_begin(&st, device);
    if (rc == 0) {
        rc = perform(&st, request, arg);
        st_end(&st);
    }
    if (rc == 0)
        return 0;
    errno = -rc;
    return -1;
}
