/* SPDX-License-Identifier: Apache-2.0 */
/* sg.c - see sg.h. */
#include "preload/sg.h"

#include <errno.h>
#include <fcntl.h>
#include <scsi/sg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "preload/preload.h"

#define VERSION          30536 /* 3.5.36: of the interface, without version 4 */
#define HZ_USER          100
#define TRANSFER_MAX     0xffffff
#define IOVECS_MAX       1024
#define DID_NO_CONNECT   0x01
#define DRIVER_SENSE     0x08
#define CHECK_CONDITION  0x02
#define TYPE_TAPE        0x01
#define TYPE_CHANGER     0x08
#define GET_IDLUN        0x5382 /* <scsi/scsi_ioctl.h> does not have them */
#define GET_BUS_NUMBER   0x5386
#define SEND_TUR         0x0002 /* SCSI_IOCTL_TEST_UNIT_READY */
#define DOORLOCK         0x5380
#define DOORUNLOCK       0x5381
#define TIMEOUT_SET      0x2201
#define TIMEOUT_GET      0x2202
#define COMMAND_Q_GET    0x2270
#define COMMAND_Q_SET    0x2271
#define DEBUG_SET        0x227e
#define NEXT_CMD_LEN     0x2283
#define ACCESS_COUNT_GET 0x2289

/* 0 or a negated errno; a lost session is made anew, as a device that came back. */
static int open_unit(struct unit *unit)
{
    int rc = device_session(unit);

    if (rc == 0 && session_ready(unit->session, NULL) == -ERR_CLOSED) {
        device_logout(unit);
        rc = device_session(unit);
    }
    return rc;
}

int sg_open(struct device device, int flags)
{
    struct unit *unit = device_unit(device.lun);
    int fd, rc;

    unit_lock(unit);
    rc = open_unit(unit);
    unit_unlock(unit);
    if (rc) {
        errno = -rc;
        return -1;
    }
    fd = device_open_sg(flags);
    device.access = flags & O_ACCMODE;
    if (fd >= 0 && device_note(fd, device) < 0) {
        preload_close(fd);
        return -1;
    }
    return fd;
}

/* ---- SG_IO ------------------------------------------------------------------------------- */

/* 0, or the errno that sg answers with. */
static int header_check(const struct sg_io_hdr *hdr)
{
    if (hdr->interface_id != 'S') /* 'Q' is version 4 */
        return hdr->interface_id == 'Q' ? EINVAL : ENOSYS;
    if (!hdr->cmdp || hdr->cmd_len < 6 || hdr->cmd_len > 16)
        return EMSGSIZE;
    if (hdr->dxfer_len > TRANSFER_MAX)
        return ENOMEM;
    if (hdr->dxfer_direction == SG_DXFER_NONE || hdr->dxfer_len == 0)
        return 0;
    if (hdr->dxfer_direction < SG_DXFER_TO_FROM_DEV || hdr->dxfer_direction > SG_DXFER_NONE)
        return EINVAL;
    return hdr->dxferp && hdr->iovec_count <= IOVECS_MAX ? 0 : EINVAL;
}

/* Copy between one buffer and the program's list of them. */
static void scatter(const struct sg_io_hdr *hdr, uint8_t *data, bool gather)
{
    const sg_iovec_t *vec = hdr->dxferp;
    size_t left = hdr->dxfer_len;

    for (unsigned i = 0; i < hdr->iovec_count && left; i++) {
        size_t n = vec[i].iov_len < left ? vec[i].iov_len : left;

        if (gather)
            memcpy(data, vec[i].iov_base, n);
        else
            memcpy(vec[i].iov_base, data, n);
        data += n;
        left -= n;
    }
}

static void header_result(struct sg_io_hdr *hdr, const struct session_command *c, int rc)
{
    size_t sense = c->sense_len < hdr->mx_sb_len ? c->sense_len : hdr->mx_sb_len;

    hdr->sb_len_wr = 0;
    hdr->msg_status = 0;
    hdr->host_status = hdr->driver_status = 0;
    hdr->status = (unsigned char)(rc ? 0 : c->status);
    hdr->masked_status = (hdr->status >> 1) & 0x1f;
    hdr->resid = c->in ? (int)(hdr->dxfer_len - c->got) : 0;
    hdr->info = SG_INFO_INDIRECT_IO;
    if (rc)
        hdr->host_status = DID_NO_CONNECT;
    if (!rc && c->status == CHECK_CONDITION)
        hdr->driver_status = DRIVER_SENSE;
    if (hdr->driver_status && hdr->sbp && sense) {
        memcpy(hdr->sbp, c->sense_data, sense);
        hdr->sb_len_wr = (unsigned char)sense;
    }
    if (hdr->status || hdr->host_status)
        hdr->info |= SG_INFO_CHECK;
}

static int64_t milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* With the unit's lock held. */
static int sg_io(struct unit *unit, struct sg_io_hdr *hdr)
{
    struct session_command c = {.cdb_len = hdr->cmd_len, .len = hdr->dxfer_len, .what = "SG_IO"};
    bool moves = hdr->dxfer_direction != SG_DXFER_NONE && hdr->dxfer_len > 0;
    bool out = moves && hdr->dxfer_direction == SG_DXFER_TO_DEV;
    CLEANUP_FREE uint8_t *bounce = NULL;
    uint8_t *data = hdr->dxferp;
    int64_t start = milliseconds();
    int rc;

    memcpy(c.cdb, hdr->cmdp, hdr->cmd_len);
    if (moves && hdr->iovec_count) {
        data = bounce = calloc(1, hdr->dxfer_len);
        if (!bounce)
            return ENOMEM;
        if (out)
            scatter(hdr, bounce, true);
    }
    if (!moves)
        c.len = 0;
    else if (out)
        c.out = data;
    else
        c.in = data;
    rc = session_pass(unit->session, &c, NULL);
    if (bounce && !out)
        scatter(hdr, bounce, false);
    header_result(hdr, &c, rc);
    hdr->duration = (unsigned)(milliseconds() - start);
    unit->checked = false; /* whoever uses st on this drive looks anew */
    return 0;
}

/* ---- the others -------------------------------------------------------------------------- */

static void fill_id(struct device device, struct sg_scsi_id *id)
{
    *id = (struct sg_scsi_id){.lun = (int)device.lun,
                              .scsi_type = device.lun ? TYPE_TAPE : TYPE_CHANGER,
                              .h_cmd_per_lun = 1,
                              .d_queue_depth = 1};
}

static int simple_command(struct unit *unit, uint8_t opcode, uint8_t byte4)
{
    struct session_command c = {
        .cdb = {opcode, 0, 0, 0, byte4}, .cdb_len = 6, .use = SESSION_NEUTRAL, .what = "ioctl"};

    return session_run(unit->session, &c, NULL) ? EIO : 0;
}

/* ioctls that answer with one number. */
static const struct {
    unsigned long request;
    int value;
} numbers[] = {
    {SG_GET_VERSION_NUM, VERSION},
    {SG_GET_RESERVED_SIZE, TRANSFER_MAX & ~0xfff},
    {SG_GET_SG_TABLESIZE, IOVECS_MAX},
    {SG_EMULATED_HOST, 0},
    {SG_GET_TRANSFORM, 0},
    {SG_GET_LOW_DMA, 0},
    {SG_GET_PACK_ID, -1},
    {SG_GET_NUM_WAITING, 0},
    {SG_GET_KEEP_ORPHAN, 0},
    {COMMAND_Q_GET, 1},
    {ACCESS_COUNT_GET, 1},
    {GET_BUS_NUMBER, 0},
};

/* ioctls that set what is not there to be set. */
static const unsigned long settings[] = {
    SG_SET_RESERVED_SIZE,
    SG_SET_FORCE_LOW_DMA,
    SG_SET_FORCE_PACK_ID,
    SG_SET_KEEP_ORPHAN,
    TIMEOUT_SET,
    COMMAND_Q_SET,
    DEBUG_SET,
    NEXT_CMD_LEN,
};

/* 0, an errno, or -1: not one of these. */
static int settled_without_device(unsigned long request, void *arg)
{
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++)
        if (settings[i] == request)
            return 0;
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        if (numbers[i].request != request)
            continue;
        if (!arg)
            return EFAULT;
        memcpy(arg, &numbers[i].value, sizeof(int));
        return 0;
    }
    return -1;
}

static int with_device(struct device device, struct unit *unit, unsigned long request, void *arg)
{
    const uint32_t idlun[2] = {device.lun << 8, 0}; /* as <scsi/scsi_ioctl.h> packs them */
    int rc = device_session(unit);

    if (rc)
        return -rc;
    switch (request) {
    case SG_IO:
        rc = header_check(arg);
        return rc ? rc : sg_io(unit, arg);
    case SG_GET_SCSI_ID:
        fill_id(device, arg);
        return 0;
    case GET_IDLUN:
        memcpy(arg, idlun, sizeof(idlun));
        return 0;
    case SEND_TUR:
        return simple_command(unit, 0x00, 0);
    case DOORLOCK:
    case DOORUNLOCK:
        return simple_command(unit, 0x1e, request == DOORLOCK);
    default: /* SG_SCSI_RESET among them: other initiators use the unit too */
        return ENOTTY;
    }
}

int sg_ioctl(struct device device, unsigned long request, void *arg)
{
    struct unit *unit = device_unit(device.lun);
    int rc = settled_without_device(request, arg);

    if (request == TIMEOUT_GET)
        return 60 * HZ_USER;
    if (rc < 0 && !arg && (request == SG_IO || request == SG_GET_SCSI_ID || request == GET_IDLUN))
        rc = EFAULT;
    if (rc < 0) {
        unit_lock(unit);
        rc = with_device(device, unit, request, arg);
        unit_unlock(unit);
    }
    if (rc == 0)
        return 0;
    errno = rc;
    return -1;
}
