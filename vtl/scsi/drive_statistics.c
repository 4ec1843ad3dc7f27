/* SPDX-License-Identifier: Apache-2.0 */
/* drive_statistics.c - log pages that look back on the drive and on the volume: device statistics,
 * volume statistics (SSC-5 8.3). */
#include "vtl/scsi/drive.h"

#include "vtl/scsi/drive_usage.h"

enum { MB = 1000000 };

/* 14h: device statistics (SSC-5 8.3.3).  Nothing of the drive gets warm, wears or is cleaned. */
void log_device_statistics(struct log_reply *l)
{
    const struct drive *d = l->lu->drive;
    const struct drive_counters *n = &d->counters;
    uint64_t motion = life_motion_hours(l->lu);

    log_number(l, 0x00, d->life.loads, 4);
    log_number(l, 0x01, d->life.cleanings, 4);
    log_number(l, 0x02, power_hours(l->lu->target), 4);
    log_number(l, 0x03, motion, 4);
    log_number(l, 0x04, life_metres(l->lu), 4);
    log_number(l, 0x05, 0, 4); /* motion hours when an incompatible medium was last loaded */
    log_number(l, 0x06, 0, 4); /* hours when last too hot */
    log_number(l, 0x07, 0, 4); /* ... when last drawing too much */
    log_number(l, 0x08, motion, 4);
    log_number(l, 0x09, motion, 4); /* motion hours since the last cleanings: never */
    log_number(l, 0x0a, motion, 4);
    log_number(l, 0x0b, 0, 4); /* hours when an operator last forced an eject */
    log_number(l, 0x0c, l->lu->target->power_cycles, 4);
    log_counter(l, 0x0d, n->loads, 8); /* since the last reset, as the next two */
    log_counter(l, 0x0e, n->write_errors, 8);
    log_counter(l, 0x0f, n->read_errors, 8);
    log_text(l, 0x40, l->lu->serial, SERIAL_MAX);
    log_text(l, 0x41, l->lu->serial, SERIAL_MAX);
    log_number(l, 0x80, lu_prevented(l->lu), 1);
    log_number(l, 0x81, 0, 1);
}

/* ---- 17h: volume statistics (SSC-5 8.3.9); sizes in 10^6 bytes ------------------------------- */

/* A list with a record for each partition: its length without this byte, number, value. */
static void put_partitions(struct log_reply *l, unsigned code, unsigned bytes,
                           uint64_t (*value)(const struct drive *d, uint32_t partition))
{
    const struct drive *d = l->lu->drive;
    uint8_t data[CARTRIDGE_PARTITIONS * 12];
    struct reply r = reply_to(data, sizeof(data));

    for (uint32_t p = 0; p < cartridge_partition_count(d->cartridge); p++) {
        reply_u8(&r, 3 + bytes);
        reply_u8(&r, 0);
        reply_be16(&r, p);
        reply_be(&r, value(d, p), bytes);
    }
    log_binary(l, code, data, (unsigned)r.len);
}

static uint64_t partition_capacity(const struct drive *d, uint32_t partition)
{
    return cartridge_partition_capacity(d->cartridge, partition) / MB;
}

static uint64_t partition_remaining(const struct drive *d, uint32_t partition)
{
    return drive_partition_remaining(d->cartridge, partition) / MB;
}

static uint64_t partition_used(const struct drive *d, uint32_t partition)
{
    struct cartridge *c = d->cartridge;

    return (cartridge_partition_capacity(c, partition) - drive_partition_remaining(c, partition)) /
           MB;
}

/* All ones: there is none; one less: it is not known (SSC-5 8.3.9.4). */
static uint64_t first_encrypted(const struct drive *d, uint32_t partition)
{
    return d->usage->partition[partition].encrypted;
}

static uint64_t first_clear(const struct drive *d, uint32_t partition)
{
    return d->usage->partition[partition].clear;
}

static uint64_t used_of_all(struct cartridge *c)
{
    uint64_t used = 0;

    for (uint32_t p = 0; p < cartridge_partition_count(c); p++)
        used += cartridge_partition_capacity(c, p) - drive_partition_remaining(c, p);
    return used;
}

/* In hundredths; nothing was moved: 0. */
static uint64_t load_ratio(uint64_t host, uint64_t medium)
{
    double hundredths = medium ? (double)host * 100 / (double)medium : 0;

    return hundredths < UINT16_MAX ? (uint64_t)hundredths : UINT16_MAX;
}

/* What was moved: by this mount, and in the volume's life. */
static void put_amounts(struct log_reply *l)
{
    const struct drive *d = l->lu->drive;
    const struct usage *u = d->usage;
    const struct usage_partition all = usage_medium(u);

    log_number(l, 0x0c, d->counters.write_errors - d->load_write_errors, 2);
    log_number(l, 0x0d, d->counters.read_errors - d->load_read_errors, 2);
    log_number(l, 0x0e, all.current.written / MB, 4);
    log_number(l, 0x0f, all.current.read / MB, 4);
    log_number(l, 0x10, all.total.written / MB, 8);
    log_number(l, 0x11, all.total.read / MB, 8);
    log_number(l, 0x12,
               load_ratio(all.current.written, d->counters.stored_written - u->stored_written), 2);
    log_number(l, 0x13, load_ratio(all.current.read, d->counters.stored_read - u->stored_read), 2);
    log_number(l, 0x14, usage_mounted_ms(u), 6);
    log_number(l, 0x15, usage_mounted_ms(u), 6); /* it is ready as soon as it is mounted */
}

static void put_identity(struct log_reply *l, const struct cartridge_identity *id)
{
    const struct medium *m = medium_by_density(id->density);
    char serial[MAM_SERIAL_SIZE], personality[16];

    mam_medium_serial(l->lu->drive, serial);
    log_text(l, 0x40, serial, 32);
    log_text(l, 0x42, l->lu->drive->barcode, 32);
    log_text(l, 0x43, "CAPSTAN", 8);
    if (m) {
        snprintf(personality, sizeof(personality), "Ultrium-%u", m->generation);
        log_text(l, 0x45, personality, (unsigned)strlen(personality));
    }
    log_number(l, 0x80, drive_device_specific(l->lu) >> 7, 1); /* write protected */
    log_number(l, 0x81, id->worm, 1);
    log_number(l, 0x82, 0, 1); /* never too hot */
}

void log_volume_statistics(struct log_reply *l)
{
    const struct drive *d = l->lu->drive;
    const struct cartridge_identity *id = drive_identity(l->lu);
    const struct usage_partition all = usage_medium(d->usage);

    log_number(l, 0x00, id != NULL, 1); /* page valid */
    if (!id)
        return;
    log_number(l, 0x01, d->usage->loads, 4);
    log_number(l, 0x02, all.total.written / DRIVE_DATA_SET, 8);
    log_number(l, 0x03, 0, 4); /* write retries: none are needed */
    log_number(l, 0x04, d->usage->write_errors, 2);
    log_number(l, 0x05, 0, 4); /* suspended writes */
    log_number(l, 0x06, 0, 4); /* ... and fatal ones */
    log_number(l, 0x07, all.total.read / DRIVE_DATA_SET, 8);
    log_number(l, 0x08, 0, 4); /* read retries */
    log_number(l, 0x09, d->usage->read_errors, 2);
    put_amounts(l);
    log_number(l, 0x16, id->capacity / MB, 4);
    log_number(l, 0x17, used_of_all(d->cartridge) / MB, 4);
    put_identity(l, id);
    put_partitions(l, 0x200, 6, first_encrypted);
    put_partitions(l, 0x201, 6, first_clear);
    put_partitions(l, 0x202, 4, partition_capacity);
    put_partitions(l, 0x203, 4, partition_used);
    put_partitions(l, 0x204, 4, partition_remaining);
}
