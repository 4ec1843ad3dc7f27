/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape_iscsi.c - a tape drive behind an iSCSI target (SSC-5).
 *
 * Blocks are of variable length (FIXED = 0) and reads report every difference in length (SILI = 0):
 * with SILI a block longer than the buffer would be cut without a word (SSC-5 READ(6)).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "engine/tape/backends.h"
#include "engine/tape/session.h"

#define DEVICE_TYPE_TAPE      0x01
#define BLOCK_LENGTH_MAX      0xffffffu /* READ(6), WRITE(6): 24 bits */
#define ATTRIBUTE_BARCODE     0x0806    /* SPC-5 7.4.2.3.8 */
#define POSITION_LONG         0x06
#define POSITION_LONG_LENGTH  32
#define POSITION_SHORT_LENGTH 20
#define SPACE_FILEMARKS       1
#define SPACE_END_OF_DATA     3
#define SPACE_COUNT_MAX       0x7fffff

struct tape_iscsi {
    struct tape tape;
    struct session *session;
    struct tape_info info; /* barcode and protection are asked for anew each time */
    bool short_position;   /* the drive has no long form of READ POSITION */
};

static struct session *session_of(struct tape *t)
{
    return ((struct tape_iscsi *)t)->session;
}

/* READ BLOCK LIMITS, SSC-5 section 7.9. */
static int learn_block_limits(struct tape_iscsi *t, struct error *err)
{
    uint8_t data[6];
    struct session_command c = {.cdb = {0x05},
                                .cdb_len = 6,
                                .in = data,
                                .len = sizeof(data),
                                .use = SESSION_NEUTRAL,
                                .what = "read block limits"};
    int rc = session_run(t->session, &c, err);

    if (rc)
        return rc;
    t->info.block_max = get_be24(data + 1);
    if (t->info.block_max == 0) /* no limit but that of the command */
        t->info.block_max = BLOCK_LENGTH_MAX;
    return 0;
}

/* Buffered mode (SSC-5 section 8.3.2, device-specific parameter): without it every write waits for
 * the medium.  A drive that does not take it is slow, not wrong. */
static int set_buffered(struct tape_iscsi *t)
{
    uint8_t data[12];
    struct session_command sense = {.cdb = {0x1a, 0, 0, 0, sizeof(data), 0},
                                    .cdb_len = 6,
                                    .in = data,
                                    .len = sizeof(data),
                                    .use = SESSION_NEUTRAL,
                                    .what = "mode sense"};
    struct session_command select = {.cdb = {0x15, 0x10, 0, 0, sizeof(data), 0},
                                     .cdb_len = 6,
                                     .out = data,
                                     .len = sizeof(data),
                                     .use = SESSION_NEUTRAL,
                                     .what = "mode select"};
    int rc = session_run(t->session, &sense, NULL);

    if (rc || sense.got < sizeof(data) || data[3] != 8 || (data[2] & 0x70) != 0)
        return rc;
    data[0] = 0;
    data[1] = 0;
    data[2] = 0x10;
    memset(data + 5, 0, 3); /* number of blocks: all */
    memset(data + 8, 0, 4); /* block length: variable */
    return session_run(t->session, &select, NULL);
}

static void iscsi_tape_close(struct tape *t)
{
    session_close(session_of(t));
    free(t);
}

static bool transport_failed(int rc)
{
    return rc == -ERR_CLOSED || rc == -ERR_TIMEOUT;
}

static int iscsi_tape_open(const char *rest, enum tape_mode mode, const struct tape_login *login,
                           struct tape **out, struct error *err)
{
    struct tape_iscsi *t = calloc(1, sizeof(*t));
    int rc;

    if (!t)
        return error_set(err, ERR_NO_MEMORY, "no memory for a tape");
    t->tape.ops = &tape_iscsi_ops;
    rc = session_open(rest, login, &t->session, err);
    if (rc == 0)
        rc = session_identify(t->session, DEVICE_TYPE_TAPE, t->info.product, t->info.serial, err);
    if (rc == 0) {
        rc = session_ready(t->session, err);
        if (rc == -ERR_NO_MEDIUM || rc == -ERR_STATE || rc == -ERR_FORMAT)
            rc = 0; /* told when the cartridge is needed */
    }
    if (rc == 0)
        rc = learn_block_limits(t, err);
    if (rc == 0 && mode == TAPE_WRITE && transport_failed(set_buffered(t)))
        rc = session_ready(t->session, err); /* says that the session is lost */
    if (rc) {
        iscsi_tape_close(&t->tape);
        return rc;
    }
    t->info.has_filemarks = true;
    t->info.can_locate = true;
    *out = &t->tape;
    return 0;
}

/* ---- what the drive and the cartridge are ------------------------------------------------------
 */

/* The write-protect bit of MODE SENSE(6), SSC-5 section 8.3.2. */
static int read_protection(struct tape_iscsi *t, struct tape_info *info, struct error *err)
{
    uint8_t data[4];
    struct session_command c = {.cdb = {0x1a, 0x08, 0, 0, sizeof(data), 0},
                                .cdb_len = 6,
                                .in = data,
                                .len = sizeof(data),
                                .use = SESSION_NEUTRAL,
                                .what = "mode sense"};
    int rc = session_run(t->session, &c, err);

    info->write_protected = rc == 0 && c.got >= 3 && (data[2] & 0x80);
    return transport_failed(rc) ? rc : 0;
}

/* READ ATTRIBUTE, attribute values (SPC-5 section 6.18). */
static int read_barcode(struct tape_iscsi *t, struct tape_info *info, struct error *err)
{
    uint8_t data[4 + 5 + 64];
    struct session_command c = {.cdb = {0x8c},
                                .cdb_len = 16,
                                .in = data,
                                .len = sizeof(data),
                                .use = SESSION_NEUTRAL,
                                .what = "read attribute"};
    int rc;

    put_be16(c.cdb + 8, ATTRIBUTE_BARCODE);
    put_be32(c.cdb + 10, sizeof(data));
    rc = session_run(t->session, &c, err);
    if (rc)
        return transport_failed(rc) ? rc : 0;
    if (c.got > 9 && get_be16(data + 4) == ATTRIBUTE_BARCODE) {
        size_t len = get_be16(data + 7);

        session_text(info->barcode, sizeof(info->barcode), data + 9,
                     len < c.got - 9 ? len : c.got - 9);
    }
    return 0;
}

static int iscsi_tape_get_info(struct tape *tape, struct tape_info *info, struct error *err)
{
    struct tape_iscsi *t = (struct tape_iscsi *)tape;
    int rc;

    *info = t->info;
    rc = read_protection(t, info, err);
    return rc ? rc : read_barcode(t, info, err);
}

/* ---- blocks and filemarks ----------------------------------------------------------------------
 */

static int iscsi_tape_write(struct tape *t, const void *data, size_t len, bool *early_warning,
                            struct error *err)
{
    struct session_command c = {
        .cdb = {0x0a}, .cdb_len = 6, .out = data, .len = len, .what = "write"};
    int rc;

    put_be24(c.cdb + 2, (uint32_t)(len & BLOCK_LENGTH_MAX));
    rc = session_run(session_of(t), &c, err);
    if (rc == 0 && c.sense.valid && c.sense.eom)
        *early_warning = true;
    return rc;
}

/* Sense that informs about a read: a filemark, or a block of another length. */
static int read_result(const struct session_command *c, size_t size, size_t *got, struct error *err)
{
    const struct sense *sense = &c->sense;

    *got = c->got;
    if (!sense->valid)
        return 0;
    *got = 0;
    if (sense->filemark)
        return error_set(err, ERR_FILEMARK, "read: a filemark");
    if (!sense->ili) {
        *got = c->got;
        return 0; /* recovered, or beyond early warning: the block is whole */
    }
    if (!sense->has_information)
        return error_set(err, ERR_PROTOCOL, "read: the drive does not tell the block's length");
    if (sense->information < 0)
        return error_set(err, ERR_LENGTH, "read: the block has more than %zu bytes", size);
    if ((uint64_t)sense->information > size)
        return error_set(err, ERR_PROTOCOL, "read: the drive tells an impossible length");
    *got = size - (size_t)sense->information;
    return 0;
}

static int iscsi_tape_read(struct tape *t, void *buf, size_t size, size_t *got, struct error *err)
{
    struct session_command c = {.cdb = {0x08}, .cdb_len = 6, .in = buf, .what = "read"};
    int rc;

    c.len = size < BLOCK_LENGTH_MAX ? size : BLOCK_LENGTH_MAX;
    put_be24(c.cdb + 2, (uint32_t)c.len);
    rc = session_run(session_of(t), &c, err);
    return rc ? rc : read_result(&c, c.len, got, err);
}

static int iscsi_tape_write_filemarks(struct tape *t, unsigned count, struct error *err)
{
    struct session_command c = {.cdb = {0x10}, .cdb_len = 6, .what = "write filemarks"};

    if (count > BLOCK_LENGTH_MAX)
        return error_set(err, ERR_RANGE, "%u filemarks are too many for one command", count);
    put_be24(c.cdb + 2, count);
    return session_run(session_of(t), &c, err);
}

/* ---- moving ------------------------------------------------------------------------------------
 */

static int iscsi_tape_rewind(struct tape *t, struct error *err)
{
    struct session_command c = {
        .cdb = {0x01}, .cdb_len = 6, .use = SESSION_SETS_POSITION, .what = "rewind"};

    return session_run(session_of(t), &c, err);
}

static int space(struct tape *t, uint8_t code, int count, enum session_use use, struct error *err)
{
    struct session_command c = {.cdb = {0x11, code}, .cdb_len = 6, .use = use, .what = "space"};
    int rc;

    if (count > SPACE_COUNT_MAX || count < -SPACE_COUNT_MAX)
        return error_set(err, ERR_RANGE, "%d filemarks are too many for one command", count);
    put_be24(c.cdb + 2, (uint32_t)count & BLOCK_LENGTH_MAX);
    rc = session_run(session_of(t), &c, err);
    /* NO SENSE with EOM is the beginning of the partition (SSC-5 SPACE(6)). */
    if (rc == 0 && c.sense.valid && c.sense.eom && count < 0)
        return error_set(err, ERR_BEGIN, "space: the beginning of the partition");
    return rc;
}

static int iscsi_tape_space_filemarks(struct tape *t, int count, struct error *err)
{
    return space(t, SPACE_FILEMARKS, count, SESSION_NEEDS_POSITION, err);
}

static int iscsi_tape_space_end(struct tape *t, struct error *err)
{
    return space(t, SPACE_END_OF_DATA, 0, SESSION_SETS_POSITION, err);
}

/* LOCATE(10) knows 32 bits; LOCATE(16) the rest (SSC-5 sections 7.4, 7.5). */
static int iscsi_tape_locate(struct tape *t, uint64_t block, struct error *err)
{
    struct session_command c = {.use = SESSION_SETS_POSITION, .what = "locate"};

    if (block <= UINT32_MAX) {
        c.cdb[0] = 0x2b;
        c.cdb_len = 10;
        put_be32(c.cdb + 3, (uint32_t)block);
    } else {
        c.cdb[0] = 0x92;
        c.cdb_len = 16;
        put_be64(c.cdb + 4, block);
    }
    return session_run(session_of(t), &c, err);
}

static int position_unknown(struct error *err)
{
    return error_set(err, ERR_STATE, "read position: the drive does not know where it is");
}

/* READ POSITION, long form: SSC-5 section 7.10.4. */
static int tell_long(struct tape *t, struct tape_position *pos, struct error *err)
{
    uint8_t data[POSITION_LONG_LENGTH];
    struct session_command c = {.cdb = {0x34, POSITION_LONG},
                                .cdb_len = 10,
                                .in = data,
                                .len = sizeof(data),
                                .what = "read position"};
    int rc = session_run(session_of(t), &c, err);

    if (rc)
        return rc;
    if (c.got < 24)
        return error_set(err, ERR_PROTOCOL, "read position: the answer is too short");
    if (data[0] & 0x04) /* LONU */
        return position_unknown(err);
    pos->begin = data[0] & 0x80;
    pos->block = get_be64(data + 8);
    pos->file = data[0] & 0x08 ? UINT64_MAX : get_be64(data + 16); /* MPU */
    return 0;
}

/* Short form: SSC-5 section 7.10.2. */
static int tell_short(struct tape *t, struct tape_position *pos, struct error *err)
{
    uint8_t data[POSITION_SHORT_LENGTH];
    struct session_command c = {
        .cdb = {0x34}, .cdb_len = 10, .in = data, .len = sizeof(data), .what = "read position"};
    int rc = session_run(session_of(t), &c, err);

    if (rc)
        return rc;
    if (c.got < 8)
        return error_set(err, ERR_PROTOCOL, "read position: the answer is too short");
    if (data[0] & 0x05) /* LOLU, PERR */
        return position_unknown(err);
    pos->begin = data[0] & 0x80;
    pos->block = get_be32(data + 4);
    pos->file = UINT64_MAX;
    return 0;
}

static int iscsi_tape_tell(struct tape *tape, struct tape_position *pos, struct error *err)
{
    struct tape_iscsi *t = (struct tape_iscsi *)tape;
    int rc;

    if (!t->short_position) {
        rc = tell_long(tape, pos, err);
        if (rc != -ERR_UNSUPPORTED)
            return rc;
        t->short_position = true;
    }
    return tell_short(tape, pos, err);
}

/* ---- the cartridge -----------------------------------------------------------------------------
 */

/* PREVENT ALLOW MEDIUM REMOVAL (SPC-5 section 6.17): while we read or write, nobody else may take
 * the cartridge out.  Losing the session lets go of it.  A drive that does not know the command is
 * none the worse for it, so only a lost session is an error. */
static int prevent_removal(struct tape *t, bool prevent, struct error *err)
{
    struct session_command c = {.cdb = {0x1e, 0, 0, 0, prevent, 0},
                                .cdb_len = 6,
                                .use = SESSION_NEUTRAL,
                                .what = prevent ? "prevent removal" : "allow removal"};
    int rc = session_run(session_of(t), &c, err);

    return transport_failed(rc) ? rc : 0;
}

static int load_unload(struct tape *t, bool load, struct error *err)
{
    struct session_command c = {.cdb = {0x1b, 0, 0, 0, load, 0},
                                .cdb_len = 6,
                                .use = SESSION_SETS_POSITION,
                                .what = load ? "load" : "unload"};

    return session_run(session_of(t), &c, err);
}

/* A cartridge that lies in the drive unloaded is NOT READY 04/02, or 3A/00 from some drives. */
static int iscsi_tape_load(struct tape *t, struct error *err)
{
    int rc = session_ready(session_of(t), err);

    if (rc == -ERR_STATE || rc == -ERR_NO_MEDIUM) {
        rc = load_unload(t, true, err);
        if (rc == 0)
            rc = session_ready(session_of(t), err);
    }
    return rc ? rc : prevent_removal(t, true, err);
}

static int iscsi_tape_unload(struct tape *t, struct error *err)
{
    int rc = prevent_removal(t, false, err);

    return rc ? rc : load_unload(t, false, err);
}

const struct tape_ops tape_iscsi_ops = {
    .scheme = "iscsi://",
    .open = iscsi_tape_open,
    .close = iscsi_tape_close,
    .get_info = iscsi_tape_get_info,
    .write = iscsi_tape_write,
    .read = iscsi_tape_read,
    .write_filemarks = iscsi_tape_write_filemarks,
    .rewind = iscsi_tape_rewind,
    .space_filemarks = iscsi_tape_space_filemarks,
    .space_end = iscsi_tape_space_end,
    .locate = iscsi_tape_locate,
    .tell = iscsi_tape_tell,
    .load = iscsi_tape_load,
    .unload = iscsi_tape_unload,
};
