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

static unsigned long status_bits(const struct st *st)
{
    const struct st_state *state = &st->state;
    const struct unit *unit = st->unit;
    unsigned long bits = GMT_IM_REP_EN_BIT;

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
    return bits;
}

static int get_status(struct st *st, struct mtget *get)
{
    int rc = st->state.eof == ST_FM_HIT ? st_uncross(st) : 0;

    if (rc)
        return rc;
    memset(get, 0, sizeof(*get));
    get->mt_type = MT_ISSCSI2;
    get->mt_dsreg = (long)(st->unit->block_size & 0xffffff) | (long)st->unit->density << 24;
    get->mt_gstat = (long)status_bits(st);
    get->mt_fileno = st->unit->ready ? st->state.file : -1;
    get->mt_blkno = st->unit->ready ? st->state.block : -1;
    return 0;
}

static int get_position(struct st *st, struct mtpos *pos)
{
    uint64_t address = 0;
    int rc = st->unit->ready ? 0 : -EIO;

    if (rc == 0 && st->state.eof == ST_FM_HIT)
        rc = st_uncross(st);
    if (rc == 0)
        rc = st_position(st, &address, NULL);
    if (rc == 0)
        pos->mt_blkno = (long)address;
    return rc;
}

static int perform(struct st *st, unsigned long request, void *arg)
{
    const struct mtop *op = arg;

    switch (request) {
    case MTIOCTOP:
        return st_operate(st, op->mt_op, op->mt_count);
    case MTIOCGET:
        return get_status(st, arg);
    default:
        return get_position(st, arg);
    }
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
    rc = st_begin(&st, device.lun);
    if (rc == 0) {
        rc = perform(&st, request, arg);
        st_end(&st);
    }
    if (rc == 0)
        return 0;
    errno = -rc;
    return -1;
}
