/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_mam.c - the medium auxiliary memory: READ ATTRIBUTE and WRITE ATTRIBUTE (SPC-5 6.18, 6.50,
 * 7.4).
 *
 * What the drive knows itself is computed by a row of the table below; host attributes (0800h and
 * up) and the few counters that outlive a mount are kept with the cartridge.  Hosts may write only
 * 0800h .. 0BFFh; a WRITE ATTRIBUTE is checked as a whole before the first attribute is stored.
 */
#include "vtl/scsi/drive.h"

enum { FORMAT_BINARY = 0, FORMAT_ASCII = 1, FORMAT_TEXT = 2 };

enum {
    MAM_LOAD_COUNT = 0x0003,
    MAM_VOLUME_CHANGE = 0x0009,
    MAM_HOST_FIRST = 0x0800,
    MAM_BARCODE = 0x0806,
    MAM_HOST_LAST = 0x0bff,
    MAM_VALUE_MAX = 4096, /* of a host attribute */
    MIB = 1048576,
};

/* ---- counters kept with the cartridge -------------------------------------------------------- */

static uint64_t mam_number(const struct cartridge *c, uint16_t id)
{
    uint8_t value[8];
    size_t len = sizeof(value);

    if (cartridge_attribute_get(c, 0, id, value, &len, NULL) != 0 || len != sizeof(value))
        return 0;
    return get_be64(value);
}

/* A counter that can't be stored is no reason to refuse a tape. */
static void mam_increment(struct cartridge *c, uint16_t id)
{
    uint8_t value[8];

    put_be64(value, mam_number(c, id) + 1);
    cartridge_attribute_set(c, 0, id, value, sizeof(value), NULL);
}

uint64_t mam_load_count(const struct drive *d)
{
    return mam_number(d->cartridge, MAM_LOAD_COUNT);
}

void mam_loaded(struct drive *d)
{
    mam_increment(d->cartridge, MAM_LOAD_COUNT);
}

/* The volume change reference (SPC-5 7.4.2.2.8) rises before the first change after a load, so that
 * an index a host wrote down with the old value is known to be stale. */
void mam_written(struct drive *d)
{
    mam_increment(d->cartridge, MAM_VOLUME_CHANGE);
}

/* The UUID of the cartridge is as unique as a serial number must be. */
void mam_medium_serial(const struct drive *d, char text[MAM_SERIAL_SIZE])
{
    static const char hex[] = "0123456789ABCDEF";
    const uint8_t *uuid = cartridge_identity(d->cartridge)->uuid;

    for (unsigned i = 0; i < 16; i++) {
        text[2 * i] = hex[uuid[i] >> 4];
        text[2 * i + 1] = hex[uuid[i] & 15];
    }
    text[32] = '\0';
}

/* ---- attributes that the drive computes ------------------------------------------------------ */

static void put_remaining(struct scsi_lu *lu, struct reply *r)
{
    struct cartridge_position pos;

    cartridge_tell(lu->drive->cartridge, &pos);
    reply_be64(r, pos.remaining / MIB);
}

static void put_capacity(struct scsi_lu *lu, struct reply *r)
{
    reply_be64(r, cartridge_identity(lu->drive->cartridge)->capacity / MIB);
}

static void put_zero(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_be64(r, 0);
}

static void put_loads(struct scsi_lu *lu, struct reply *r)
{
    reply_be64(r, mam_load_count(lu->drive));
}

static void put_space(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_be64(r, 8192);
}

static void put_organization(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_text(r, "LTO-CVE", 8);
}

static void put_density_code(struct scsi_lu *lu, struct reply *r)
{
    reply_u8(r, cartridge_identity(lu->drive->cartridge)->density);
}

static void put_initializations(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_be16(r, 1);
}

static void put_volume_change(struct scsi_lu *lu, struct reply *r)
{
    reply_be32(r, (uint32_t)mam_number(lu->drive->cartridge, MAM_VOLUME_CHANGE));
}

static void put_manufacturer(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_text(r, "CAPSTAN", 8);
}

static void put_medium_serial(struct scsi_lu *lu, struct reply *r)
{
    char text[MAM_SERIAL_SIZE];

    mam_medium_serial(lu->drive, text);
    reply_text(r, text, MAM_SERIAL_SIZE - 1);
}

static void put_length(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_be32(r, 960);
}

static void put_width(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_be32(r, 127);
}

static void put_made(struct scsi_lu *lu, struct reply *r)
{
    time_t made = (time_t)(cartridge_identity(lu->drive->cartridge)->created_ns / 1000000000);
    struct tm tm;
    char text[16];

    if (!gmtime_r(&made, &tm) || strftime(text, sizeof(text), "%Y%m%d", &tm) == 0)
        text[0] = '\0';
    reply_text(r, text, 8);
}

static void put_mam_size(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_be64(r, 16384);
}

static void put_type(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_u8(r, cartridge_identity(lu->drive->cartridge)->worm ? 0x80 : 0x00);
}

static void put_type_information(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_be16(r, 0);
}

/* Computed attributes, and what is known of host attributes; in rising order of id. */
static const struct mam_row {
    uint16_t id;
    uint8_t format;
    uint16_t length;                                    /* host attributes: at most */
    void (*build)(struct scsi_lu *lu, struct reply *r); /* NULL: a host attribute */
} mam_rows[] = {
    {0x0000, FORMAT_BINARY, 8, put_remaining},
    {0x0001, FORMAT_BINARY, 8, put_capacity},
    {0x0002, FORMAT_BINARY, 8, put_zero}, /* TapeAlert flags: page 2Eh has them per nexus */
    {0x0003, FORMAT_BINARY, 8, put_loads},
    {0x0004, FORMAT_BINARY, 8, put_space},
    {0x0005, FORMAT_ASCII, 8, put_organization},
    {0x0006, FORMAT_BINARY, 1, put_density_code},
    {0x0007, FORMAT_BINARY, 2, put_initializations},
    {0x0009, FORMAT_BINARY, 4, put_volume_change},
    {0x0400, FORMAT_ASCII, 8, put_manufacturer},
    {0x0401, FORMAT_ASCII, 32, put_medium_serial},
    {0x0402, FORMAT_BINARY, 4, put_length},
    {0x0403, FORMAT_BINARY, 4, put_width},
    {0x0404, FORMAT_ASCII, 8, put_organization},
    {0x0405, FORMAT_BINARY, 1, put_density_code},
    {0x0406, FORMAT_ASCII, 8, put_made},
    {0x0407, FORMAT_BINARY, 8, put_mam_size},
    {0x0408, FORMAT_BINARY, 1, put_type},
    {0x0409, FORMAT_BINARY, 2, put_type_information},
    {0x0800, FORMAT_ASCII, 8, NULL},     /* application vendor */
    {0x0801, FORMAT_ASCII, 32, NULL},    /* application name */
    {0x0802, FORMAT_ASCII, 8, NULL},     /* application version */
    {0x0803, FORMAT_TEXT, 160, NULL},    /* user medium text label */
    {0x0804, FORMAT_ASCII, 12, NULL},    /* date and time last written */
    {0x0805, FORMAT_BINARY, 1, NULL},    /* text localization identifier */
    {0x0806, FORMAT_ASCII, 32, NULL},    /* barcode */
    {0x0807, FORMAT_TEXT, 80, NULL},     /* owning host */
    {0x0808, FORMAT_TEXT, 160, NULL},    /* media pool */
    {0x0809, FORMAT_ASCII, 16, NULL},    /* partition user text label */
    {0x080b, FORMAT_ASCII, 16, NULL},    /* application format version */
    {0x080c, FORMAT_BINARY, 1023, NULL}, /* volume coherency information */
    {0x0820, FORMAT_BINARY, 36, NULL},   /* medium globally unique identifier */
    {0x0821, FORMAT_BINARY, 36, NULL},   /* media pool globally unique identifier */
};

static const struct mam_row *mam_find(uint32_t id)
{
    for (size_t i = 0; i < ARRAY_LENGTH(mam_rows); i++) {
        if (mam_rows[i].id == id)
            return &mam_rows[i];
    }
    return NULL;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The stored value of a host attribute; its format is its first byte.  Returns its length, or -1.
 */
static long mam_stored(struct scsi_lu *lu, uint16_t id, uint8_t *value, uint8_t *format)
{
    const struct cartridge *c = lu->drive->cartridge;
    uint8_t stored[1 + MAM_VALUE_MAX];
    size_t len = sizeof(stored);

    if (cartridge_attribute_get(c, 0, id, stored, &len, NULL) == 0 && len >= 1 &&
        len <= sizeof(stored)) {
        *format = stored[0];
        memcpy(value, stored + 1, len - 1);
        return (long)len - 1;
    }
    if (id != MAM_BARCODE)
        return -1;
    *format = FORMAT_ASCII;
    memset(value, ' ', 32);
    memcpy(value, lu->drive->barcode, strlen(lu->drive->barcode));
    return 32;
}

/* Attribute id in the format of SPC-5 7.4.1, if the medium has it. */
static bool put_attribute(struct scsi_lu *lu, uint16_t id, struct reply *r)
{
    const struct mam_row *row = mam_find(id);
    uint8_t value[MAM_VALUE_MAX], format = FORMAT_BINARY;
    long len = row && row->build ? row->length : -1;

    if (row && row->build)
        format = row->format | 0x80; /* read only */
    else if (id >= MAM_HOST_FIRST && id <= MAM_HOST_LAST)
        len = mam_stored(lu, id, value, &format);
    if (len < 0)
        return false;
    reply_be16(r, id);
    reply_u8(r, format);
    reply_be16(r, (unsigned)len);
    if (row && row->build)
        row->build(lu, r);
    else
        reply_bytes(r, value, (size_t)len);
    return true;
}

/* Walk the attributes that the medium has, in rising order. */
static void put_attributes(struct scsi_lu *lu, unsigned first, bool values, struct reply *r)
{
    uint8_t none[1];

    for (unsigned id = first; id <= MAM_HOST_LAST; id++) {
        struct reply probe = reply_to(none, 0);

        if (id == MAM_VOLUME_CHANGE + 1u)
            id = 0x0400; /* nothing lies between */
        if (id == 0x040a)
            id = MAM_HOST_FIRST;
        if (id < first || !put_attribute(lu, (uint16_t)id, values ? r : &probe))
            continue;
        if (!values)
            reply_be16(r, id);
    }
}

void cmd_read_attribute(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned action = task->cdb[1] & 0x1f, first = get_be16(task->cdb + 8);
    uint32_t allocation = get_be32(task->cdb + 10);
    struct reply r = task_reply(task, allocation);

    if (task->cdb[7] != 0) { /* there is one partition */
        task_bad_cdb(lu, task, 7, 7);
        return;
    }
    if (action >= 2) { /* volume list, partition list: one of each, the first is 0 */
        reply_be16(&r, 2);
        reply_u8(&r, 0);
        reply_u8(&r, 1);
        task_replied(task, &r, allocation);
        return;
    }
    reply_be32(&r, 0); /* available data, below */
    if (action == 0) {
        put_attributes(lu, first, true, &r);
        if (r.len == 4 ||
            (first != 0 && !put_attribute(lu, (uint16_t)first, &(struct reply){NULL, 0, 0}))) {
            task_bad_cdb(lu, task, 8, 7); /* the first attribute asked for is not there */
            return;
        }
    } else {
        put_attributes(lu, 0, false, &r);
    }
    reply_patch(&r, 0, r.len - 4, 4);
    task_replied(task, &r, allocation);
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool check_attribute(struct scsi_lu *lu, struct scsi_task *task, uint32_t at, uint32_t end)
{
    const uint8_t *a = task->out + at;
    const struct mam_row *row;
    unsigned id, len;

    if (end - at < 5) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
        return false;
    }
    id = get_be16(a);
    len = get_be16(a + 3);
    row = mam_find(id);
    if (id < MAM_HOST_FIRST || id > MAM_HOST_LAST) {
        task_bad_list(lu, task, at, 7);
    } else if ((a[2] & 0x03) == 3 || (a[2] & 0xfc) || (row && row->format != a[2])) {
        task_bad_list(lu, task, at + 2, 1);
    } else if (len > MAM_VALUE_MAX || (row && len > row->length)) {
        task_bad_list(lu, task, at + 3, 7);
    } else if (end - at - 5 < len) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    } else {
        return true;
    }
    return false;
}

/* Length 0 deletes (SPC-5 6.50): an empty value is stored, which counts as the default again. */
static int store_attribute(struct scsi_lu *lu, const uint8_t *a, struct error *err)
{
    uint8_t stored[1 + MAM_VALUE_MAX];
    size_t len = get_be16(a + 3);

    stored[0] = a[2];
    memcpy(stored + 1, a + 5, len);
    return cartridge_attribute_set(lu->drive->cartridge, 0, get_be16(a), stored, len ? len + 1 : 0,
                                   err);
}

void cmd_write_attribute(struct scsi_lu *lu, struct scsi_task *task)
{
    uint32_t list = get_be32(task->cdb + 10), end;
    struct error err = ERROR_INIT;

    if (list == 0)
        return;
    if (task->cdb[7] != 0) {
        task_bad_cdb(lu, task, 7, 7);
        return;
    }
    if (list < 4 || list > 65536) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
        return;
    }
    if (!task_list(lu, task, list))
        return;
    if (get_be32(task->out) != list - 4) {
        task_bad_list(lu, task, 0, 7);
        return;
    }
    end = list;
    for (uint32_t at = 4; at < end; at += 5u + get_be16(task->out + at + 3)) {
        if (!check_attribute(lu, task, at, end))
            return;
    }
    for (uint32_t at = 4; at < end; at += 5u + get_be16(task->out + at + 3)) {
        int rc = store_attribute(lu, task->out + at, &err);

        if (rc != 0) {
            drive_error(lu, task, rc, &err, 0);
            return;
        }
    }
}

/* READ MEDIA SERIAL NUMBER (SPC-5): padded with spaces to a multiple of four. */
void cmd_media_serial(struct scsi_lu *lu, struct scsi_task *task)
{
    uint32_t allocation = get_be32(task->cdb + 6);
    struct reply r = task_reply(task, allocation);
    char serial[MAM_SERIAL_SIZE];
    size_t len;

    mam_medium_serial(lu->drive, serial);
    len = (strlen(serial) + 3) / 4 * 4;
    reply_be32(&r, (uint32_t)len);
    reply_text(&r, serial, len);
    task_replied(task, &r, allocation);
}
