/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_mam.c - the medium auxiliary memory: its attributes and READ ATTRIBUTE (SPC-5 6.18, 7.4;
 * IBM LTO reference 6.5).
 */
#include "vtl/scsi/drive_mam.h"

#include "vtl/scsi/drive_usage.h"

enum { MIB = 1048576 };

static const struct cartridge *medium(const struct mam_query *q)
{
    return q->lu->drive->cartridge;
}

static const struct usage *life(const struct mam_query *q)
{
    return q->lu->drive->usage;
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

uint64_t mam_load_count(const struct drive *d)
{
    return d->usage->loads;
}

/* ---- device attributes ----------------------------------------------------------------------- */

static void put_remaining(const struct mam_query *q, struct reply *r)
{
    reply_be64(r, drive_partition_remaining(q->lu->drive->cartridge, q->partition) / MIB);
}

static void put_capacity(const struct mam_query *q, struct reply *r)
{
    reply_be64(r, cartridge_partition_capacity(medium(q), q->partition) / MIB);
}

/* Those that are active: bit 63 is flag 1. */
static void put_alerts(const struct mam_query *q, struct reply *r)
{
    uint64_t alerts = alert_active(q->lu), bits = 0;

    for (unsigned flag = 1; flag <= 64; flag++)
        bits |= (alerts >> (flag - 1) & 1) << (64 - flag);
    reply_be64(r, bits);
}

static void put_loads(const struct mam_query *q, struct reply *r)
{
    reply_be64(r, life(q)->loads);
}

static void put_space(const struct mam_query *q, struct reply *r)
{
    reply_be64(r, MAM_CAPACITY - mam_used(q->lu));
}

static void put_organization(const struct mam_query *q, struct reply *r)
{
    (void)q;
    reply_text(r, MEDIUM_ORGANIZATION, 8);
}

static void put_density_code(const struct mam_query *q, struct reply *r)
{
    reply_u8(r, cartridge_identity(medium(q))->density);
}

/* Formatted when it was made, and by each FORMAT MEDIUM. */
static void put_initializations(const struct mam_query *q, struct reply *r)
{
    uint64_t formats = life(q)->formats + 1;

    reply_be16(r, formats < 0xffff ? (unsigned)formats : 0xffff);
}

static void put_barcode(const struct mam_query *q, struct reply *r)
{
    reply_text(r, q->lu->drive->barcode, 32);
}

static void put_volume_change(const struct mam_query *q, struct reply *r)
{
    reply_be32(r, (uint32_t)life(q)->volume_change);
}

static void put_device(const struct mam_query *q, struct reply *r, unsigned load)
{
    reply_bytes(r, life(q)->device[load], USAGE_DEVICE_TEXT);
}

static void put_device_0(const struct mam_query *q, struct reply *r)
{
    put_device(q, r, 0);
}

static void put_device_1(const struct mam_query *q, struct reply *r)
{
    put_device(q, r, 1);
}

static void put_device_2(const struct mam_query *q, struct reply *r)
{
    put_device(q, r, 2);
}

static void put_device_3(const struct mam_query *q, struct reply *r)
{
    put_device(q, r, 3);
}

static void put_life_written(const struct mam_query *q, struct reply *r)
{
    reply_be64(r, usage_medium(life(q)).total.written / MIB);
}

static void put_life_read(const struct mam_query *q, struct reply *r)
{
    reply_be64(r, usage_medium(life(q)).total.read / MIB);
}

static void put_load_written(const struct mam_query *q, struct reply *r)
{
    reply_be64(r, usage_medium(life(q)).current.written / MIB);
}

static void put_load_read(const struct mam_query *q, struct reply *r)
{
    reply_be64(r, usage_medium(life(q)).current.read / MIB);
}

/* Of logical blocks of the partition (SPC-5 7.4.2.2.12 and .13). */
static void put_first_encrypted(const struct mam_query *q, struct reply *r)
{
    reply_be64(r, life(q)->partition[q->partition].encrypted);
}

static void put_first_clear(const struct mam_query *q, struct reply *r)
{
    reply_be64(r, life(q)->partition[q->partition].clear);
}

/* Data written, write retries, data read, read retries: this load, the one before, all; then the
 * loads, changes of partition and formats.  Nothing here retries. */
static void put_history(const struct mam_query *q, struct reply *r, const struct usage_partition *p,
                        unsigned width)
{
    const struct usage_amounts amounts[] = {p->current, p->previous, p->total};

    for (size_t i = 0; i < ARRAY_LENGTH(amounts); i++) {
        reply_be(r, amounts[i].written / MIB, width);
        reply_be(r, 0, width);
        reply_be(r, amounts[i].read / MIB, width);
        reply_be(r, 0, width);
    }
    reply_be(r, life(q)->loads, width);
    reply_be(r, p->changes, width);
    reply_be(r, life(q)->formats + 1, width);
}

static void put_medium_history(const struct mam_query *q, struct reply *r)
{
    struct usage_partition all = usage_medium(life(q));

    put_history(q, r, &all, 6);
}

static void put_partition_history(const struct mam_query *q, struct reply *r)
{
    put_history(q, r, &life(q)->partition[q->partition], 4);
}

/* ---- medium attributes ----------------------------------------------------------------------- */

static void put_manufacturer(const struct mam_query *q, struct reply *r)
{
    (void)q;
    reply_text(r, "CAPSTAN", 8);
}

static void put_medium_serial(const struct mam_query *q, struct reply *r)
{
    char text[MAM_SERIAL_SIZE];

    mam_medium_serial(q->lu->drive, text);
    reply_text(r, text, MAM_SERIAL_SIZE - 1);
}

static void put_length(const struct mam_query *q, struct reply *r)
{
    const struct medium *m = medium_by_density(cartridge_identity(medium(q))->density);

    reply_be32(r, m ? m->length : 0);
}

static void put_width(const struct mam_query *q, struct reply *r)
{
    (void)q;
    reply_be32(r, MEDIUM_WIDTH);
}

static void put_made(const struct mam_query *q, struct reply *r)
{
    time_t made = (time_t)(cartridge_identity(medium(q))->created_ns / 1000000000);
    struct tm tm;
    char text[16];

    if (!gmtime_r(&made, &tm) || strftime(text, sizeof(text), "%Y%m%d", &tm) == 0)
        text[0] = '\0';
    reply_text(r, text, 8);
}

static void put_mam_size(const struct mam_query *q, struct reply *r)
{
    (void)q;
    reply_be64(r, MAM_CAPACITY);
}

static void put_type(const struct mam_query *q, struct reply *r)
{
    reply_u8(r, cartridge_identity(medium(q))->worm ? 0x80 : 0x00);
}

static void put_type_information(const struct mam_query *q, struct reply *r)
{
    (void)q;
    reply_be16(r, 0);
}

/* ---- the table ------------------------------------------------------------------------------- */

/* In rising order of id. */
static const struct mam_row mam_rows[] = {
    {0x0000, MAM_BINARY, 8, true, put_remaining},
    {0x0001, MAM_BINARY, 8, true, put_capacity},
    {0x0002, MAM_BINARY, 8, false, put_alerts},
    {0x0003, MAM_BINARY, 8, false, put_loads},
    {0x0004, MAM_BINARY, 8, false, put_space},
    {0x0005, MAM_ASCII, 8, false, put_organization},
    {0x0006, MAM_BINARY, 1, false, put_density_code},
    {0x0007, MAM_BINARY, 2, false, put_initializations},
    {0x0008, MAM_ASCII, 32, false, put_barcode},
    {0x0009, MAM_BINARY, 4, false, put_volume_change},
    {0x020a, MAM_ASCII, 40, false, put_device_0},
    {0x020b, MAM_ASCII, 40, false, put_device_1},
    {0x020c, MAM_ASCII, 40, false, put_device_2},
    {0x020d, MAM_ASCII, 40, false, put_device_3},
    {0x0220, MAM_BINARY, 8, false, put_life_written},
    {0x0221, MAM_BINARY, 8, false, put_life_read},
    {0x0222, MAM_BINARY, 8, false, put_load_written},
    {0x0223, MAM_BINARY, 8, false, put_load_read},
    {0x0224, MAM_BINARY, 8, true, put_first_encrypted},
    {0x0225, MAM_BINARY, 8, true, put_first_clear},
    {0x0340, MAM_BINARY, 90, false, put_medium_history},
    {0x0341, MAM_BINARY, 60, true, put_partition_history},
    {0x0400, MAM_ASCII, 8, false, put_manufacturer},
    {0x0401, MAM_ASCII, 32, false, put_medium_serial},
    {0x0402, MAM_BINARY, 4, false, put_length},
    {0x0403, MAM_BINARY, 4, false, put_width},
    {0x0404, MAM_ASCII, 8, false, put_organization},
    {0x0405, MAM_BINARY, 1, false, put_density_code},
    {0x0406, MAM_ASCII, 8, false, put_made},
    {0x0407, MAM_BINARY, 8, false, put_mam_size},
    {0x0408, MAM_BINARY, 1, false, put_type},
    {0x0409, MAM_BINARY, 2, false, put_type_information},
    {0x0800, MAM_ASCII, 8, true, NULL},     /* application vendor */
    {0x0801, MAM_ASCII, 32, true, NULL},    /* application name */
    {0x0802, MAM_ASCII, 8, true, NULL},     /* application version */
    {0x0803, MAM_TEXT, 160, true, NULL},    /* user medium text label */
    {0x0804, MAM_ASCII, 12, true, NULL},    /* date and time last written */
    {0x0805, MAM_BINARY, 1, true, NULL},    /* text localization identifier */
    {0x0806, MAM_ASCII, 32, true, NULL},    /* barcode */
    {0x0807, MAM_TEXT, 80, true, NULL},     /* owning host */
    {0x0808, MAM_TEXT, 160, true, NULL},    /* media pool */
    {0x0809, MAM_ASCII, 16, true, NULL},    /* partition user text label */
    {0x080a, MAM_BINARY, 1, true, NULL},    /* load/unload at partition */
    {0x080b, MAM_ASCII, 16, true, NULL},    /* application format version */
    {0x080c, MAM_BINARY, 1023, true, NULL}, /* volume coherency information */
    {0x0820, MAM_BINARY, 36, true, NULL},   /* medium globally unique identifier */
    {0x0821, MAM_BINARY, 36, true, NULL},   /* media pool globally unique identifier */
    {0x1623, MAM_BINARY, 1, true, NULL},    /* LTFS: the volume is locked */
};

const struct mam_row *mam_find(uint32_t id)
{
    for (size_t i = 0; i < ARRAY_LENGTH(mam_rows); i++) {
        if (mam_rows[i].id == id)
            return &mam_rows[i];
    }
    return NULL;
}

bool mam_is_host(uint32_t id)
{
    return (id >= 0x0800 && id <= 0x0bff) || (id >= 0x1400 && id <= 0x17ff);
}

/* ---- host attributes ------------------------------------------------------------------------- */

/* The stored value; its format is its first byte.  Returns its length, or -1. */
static long stored(const struct mam_query *q, uint16_t id, uint8_t *value, uint8_t *format)
{
    uint8_t bytes[1 + MAM_VALUE_MAX];
    size_t len = sizeof(bytes);

    if (cartridge_attribute_get(medium(q), q->partition, id, bytes, &len, NULL) == 0 && len >= 1 &&
        len <= sizeof(bytes)) {
        *format = bytes[0];
        memcpy(value, bytes + 1, len - 1);
        return (long)len - 1;
    }
    if (id != MAM_BARCODE)
        return -1;
    *format = MAM_ASCII;
    memset(value, ' ', 32);
    memcpy(value, q->lu->drive->barcode, strlen(q->lu->drive->barcode));
    return 32;
}

/* The ranges that hold attributes; between them lies nothing. */
static const struct {
    uint16_t first, last;
} ranges[] = {{0x0000, 0x0009}, {0x0200, 0x0225}, {0x0340, 0x0341},
              {0x0400, 0x0409}, {0x0800, 0x0bff}, {0x1400, 0x17ff}};

/* The next id after `id` that may be one; 0x10000: none. */
static uint32_t next_id(uint32_t id)
{
    id++;
    for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++) {
        if (id <= ranges[i].last)
            return id < ranges[i].first ? ranges[i].first : id;
    }
    return 0x10000;
}

/* Call fn for each host attribute that is stored. */
static void each_host(struct scsi_lu *lu,
                      void (*fn)(const struct mam_query *q, uint16_t id, size_t len, void *ctx),
                      void *ctx)
{
    struct cartridge *c = lu->drive->cartridge;
    struct mam_query q = {lu, 0};

    for (; q.partition < cartridge_partition_count(c); q.partition++) {
        for (uint32_t id = 0x0800; id < 0x10000; id = next_id(id)) {
            size_t len = drive_attribute_size(c, q.partition, (uint16_t)id);

            if (len)
                fn(&q, (uint16_t)id, len, ctx);
        }
    }
}

static void add_size(const struct mam_query *q, uint16_t id, size_t len, void *ctx)
{
    uint32_t *sum = ctx;

    (void)q;
    (void)id;
    *sum += MAM_HEADER + (uint32_t)len - 1;
}

uint32_t mam_used(struct scsi_lu *lu)
{
    uint32_t sum = 0;

    each_host(lu, add_size, &sum);
    return sum < MAM_CAPACITY ? sum : MAM_CAPACITY;
}

static void clear(const struct mam_query *q, uint16_t id, size_t len, void *ctx)
{
    (void)len;
    (void)ctx;
    cartridge_attribute_set(q->lu->drive->cartridge, q->partition, id, "", 0, NULL);
}

void mam_clear_host(struct scsi_lu *lu)
{
    each_host(lu, clear, NULL);
}

/* ---- READ ATTRIBUTE -------------------------------------------------------------------------- */

/* Attribute id in the format of SPC-5 7.4.1, if the medium has it. */
static bool put_attribute(const struct mam_query *q, uint16_t id, struct reply *r)
{
    const struct mam_row *row = mam_find(id);
    uint8_t value[MAM_VALUE_MAX], format = MAM_BINARY;
    long len = row && row->build ? row->length : -1;

    if (row && row->build)
        format = row->format | 0x80; /* read only */
    else if (mam_is_host(id))
        len = stored(q, id, value, &format);
    if (len < 0)
        return false;
    reply_be16(r, id);
    reply_u8(r, format);
    reply_be16(r, (unsigned)len);
    if (row && row->build)
        row->build(q, r);
    else
        reply_bytes(r, value, (size_t)len);
    return true;
}

/* The attributes that the medium has, in rising order: values or ids. */
static void put_attributes(const struct mam_query *q, uint32_t first, bool values, struct reply *r)
{
    uint8_t none[1];

    for (uint32_t id = first; id < 0x10000; id = next_id(id)) {
        struct reply probe = reply_to(none, 0);

        if (put_attribute(q, (uint16_t)id, values ? r : &probe) && !values)
            reply_be16(r, id);
    }
}

enum { VALUES, LIST, LOGICAL_VOLUMES, PARTITIONS, SUPPORTED = 5 };

/* The first attribute asked for must be there (SPC-5 6.18.2). */
static bool put_values(struct scsi_lu *lu, struct scsi_task *task, const struct mam_query *q,
                       struct reply *r)
{
    unsigned first = get_be16(task->cdb + 8);
    struct reply probe = reply_to(NULL, 0);

    if (first != 0 && !put_attribute(q, (uint16_t)first, &probe)) {
        task_bad_cdb(lu, task, 8, 7);
        return false;
    }
    put_attributes(q, first, true, r);
    lu->drive->change_read = lu->drive->change_read || first == MAM_VOLUME_CHANGE;
    return true;
}

static void put_list(const struct mam_query *q, unsigned action, struct reply *r)
{
    if (action == LIST) {
        put_attributes(q, 0, false, r);
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(mam_rows); i++)
        reply_be16(r, mam_rows[i].id);
}

void cmd_read_attribute(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned action = task->cdb[1] & 0x1f, count = cartridge_partition_count(lu->drive->cartridge);
    const struct mam_query q = {lu, task->cdb[7]};
    uint32_t allocation = get_be32(task->cdb + 10);
    struct reply r = task_reply(task, allocation);

    if (q.partition >= count) {
        task_bad_cdb(lu, task, 7, 7);
        return;
    }
    if (action == LOGICAL_VOLUMES || action == PARTITIONS) {
        reply_be16(&r, 2);
        reply_u8(&r, 0); /* the first; and how many */
        reply_u8(&r, action == PARTITIONS ? count : 1);
        task_replied(task, &r, allocation);
        return;
    }
    reply_be32(&r, 0); /* available data, below */
    if (action == VALUES && !put_values(lu, task, &q, &r))
        return;
    if (action != VALUES)
        put_list(&q, action, &r);
    reply_patch(&r, 0, r.len - 4, 4);
    task_replied(task, &r, allocation);
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
