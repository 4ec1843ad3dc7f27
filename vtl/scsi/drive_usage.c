/* SPDX-License-Identifier: Apache-2.0 */
/* drive_usage.c - see drive_usage.h. */
#include "vtl/scsi/drive_usage.h"

#include "common/clock.h"

enum {
    /* Where it is kept: the numbers as earlier versions had them, and the rest in one piece. */
    ID_LOADS = 0x0003,
    ID_VOLUME_CHANGE = 0x0009,
    ID_RECORD = 0x0340,
    RECORD_VERSION = 2, /* 1 ended with the devices */
    RECORD_NUMBERS = 2 + CARTRIDGE_PARTITIONS * 5,
    RECORD_DEVICES = 1 + RECORD_NUMBERS * 8,
    RECORD_1_SIZE = RECORD_DEVICES + USAGE_DEVICES * USAGE_DEVICE_TEXT,
    /* errors; the volume change reference; and of each partition its end of data and where its
     * encrypted blocks are */
    RECORD_MORE = 3 + CARTRIDGE_PARTITIONS * 3,
    RECORD_SIZE = RECORD_1_SIZE + RECORD_MORE * 8,
};

static uint64_t get_number(const struct cartridge *c, uint16_t id)
{
    uint8_t value[8];
    size_t len = sizeof(value);

    if (cartridge_attribute_get(c, 0, id, value, &len, NULL) != 0 || len != sizeof(value))
        return 0;
    return get_be64(value);
}

/* A counter that can't be stored is no reason to refuse a tape. */
static void set_number(struct cartridge *c, uint16_t id, uint64_t number)
{
    uint8_t value[8];

    put_be64(value, number);
    cartridge_attribute_set(c, 0, id, value, sizeof(value), NULL);
}

/* ---- the record ------------------------------------------------------------------------------ */

/* The numbers of the record, in their order. */
static void numbers(struct usage *u, uint64_t *out[RECORD_NUMBERS])
{
    size_t n = 0;

    out[n++] = &u->formats;
    out[n++] = &u->cleanings;
    for (unsigned p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        struct usage_partition *part = &u->partition[p];

        out[n++] = &part->current.written;
        out[n++] = &part->current.read;
        out[n++] = &part->total.written;
        out[n++] = &part->total.read;
        out[n++] = &part->changes;
    }
}

/* What version 2 added, in its order; ends is of the ends of data. */
static void more_numbers(struct usage *u, uint64_t *reference, uint64_t *ends,
                         uint64_t *out[RECORD_MORE])
{
    size_t n = 0;

    out[n++] = &u->write_errors;
    out[n++] = &u->read_errors;
    out[n++] = reference;
    for (unsigned p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        out[n++] = &ends[p];
        out[n++] = &u->partition[p].encrypted;
        out[n++] = &u->partition[p].clear;
    }
}

static void ends_of_data(struct cartridge *c, uint64_t ends[CARTRIDGE_PARTITIONS])
{
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        struct cartridge_position pos = {.eod_lba = 0};

        if (p < cartridge_partition_count(c))
            drive_partition_tell(c, p, &pos);
        ends[p] = pos.eod_lba;
    }
}

static void more_get(struct cartridge *c, struct usage *u, const uint8_t *more)
{
    uint64_t *fields[RECORD_MORE], reference, then[CARTRIDGE_PARTITIONS], now[CARTRIDGE_PARTITIONS];

    more_numbers(u, &reference, then, fields);
    for (size_t i = 0; i < RECORD_MORE; i++)
        *fields[i] = get_be64(more + i * 8);
    ends_of_data(c, now);
    for (unsigned p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        struct usage_partition *part = &u->partition[p];

        if (now[p] == 0)
            part->encrypted = part->clear = USAGE_NONE;
        else if (reference != u->volume_change || then[p] != now[p])
            part->encrypted = part->clear = USAGE_UNKNOWN;
    }
}

static void record_get(struct cartridge *c, struct usage *u)
{
    uint8_t record[RECORD_SIZE] = {0};
    size_t len = sizeof(record);
    uint64_t *fields[RECORD_NUMBERS];
    bool there;

    memset(u->device, ' ', sizeof(u->device));
    there = cartridge_attribute_get(c, 0, ID_RECORD, record, &len, NULL) == 0 &&
            ((record[0] == 1 && len == RECORD_1_SIZE) ||
             (record[0] == RECORD_VERSION && len == RECORD_SIZE));
    if (!there || record[0] == 1) /* a reference that never was */
        memset(record + RECORD_1_SIZE, 0xff, RECORD_SIZE - RECORD_1_SIZE);
    more_get(c, u, record + RECORD_1_SIZE);
    if (!there || record[0] == 1)
        u->write_errors = u->read_errors = 0;
    if (!there)
        return;
    numbers(u, fields);
    for (size_t i = 0; i < RECORD_NUMBERS; i++)
        *fields[i] = get_be64(record + 1 + i * 8);
    memcpy(u->device, record + RECORD_DEVICES, sizeof(u->device));
}

static void record_set(struct cartridge *c, struct usage *u)
{
    uint8_t record[RECORD_SIZE] = {RECORD_VERSION};
    uint64_t *fields[RECORD_NUMBERS], *more[RECORD_MORE], reference = u->volume_change,
                                                          ends[CARTRIDGE_PARTITIONS];

    numbers(u, fields);
    for (size_t i = 0; i < RECORD_NUMBERS; i++)
        put_be64(record + 1 + i * 8, *fields[i]);
    memcpy(record + RECORD_DEVICES, u->device, sizeof(u->device));
    ends_of_data(c, ends);
    more_numbers(u, &reference, ends, more);
    for (size_t i = 0; i < RECORD_MORE; i++)
        put_be64(record + RECORD_1_SIZE + i * 8, *more[i]);
    cartridge_attribute_set(c, 0, ID_RECORD, record, sizeof(record), NULL);
}

/* ---- what happens to it ---------------------------------------------------------------------- */

uint64_t usage_mounted_ms(const struct usage *u)
{
    int64_t ms = clock_monotonic_ms() - u->loaded_ms;

    return ms > 0 ? (uint64_t)ms : 0;
}

static void note_device(struct scsi_lu *lu, struct usage *u)
{
    struct reply r = reply_to((uint8_t *)u->device[0], USAGE_DEVICE_TEXT);

    memmove(u->device[1], u->device[0], sizeof(u->device) - USAGE_DEVICE_TEXT);
    reply_text(&r, lu->personality->vendor, 8);
    reply_text(&r, lu->serial, 32);
}

void usage_load(struct scsi_lu *lu)
{
    struct drive *d = lu->drive;
    struct usage *u = d->usage;

    memset(u, 0, sizeof(*u));
    u->loads = get_number(d->cartridge, ID_LOADS) + 1;
    u->volume_change = get_number(d->cartridge, ID_VOLUME_CHANGE);
    record_get(d->cartridge, u);
    for (unsigned p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        u->partition[p].previous = u->partition[p].current;
        u->partition[p].current = (struct usage_amounts){0, 0};
    }
    u->seen = (struct usage_amounts){d->total_written, d->total_read};
    u->seen_write_errors = d->counters.write_errors;
    u->seen_read_errors = d->counters.read_errors;
    u->stored_written = d->counters.stored_written;
    u->stored_read = d->counters.stored_read;
    u->loaded_ms = clock_monotonic_ms();
    note_device(lu, u);
    set_number(d->cartridge, ID_LOADS, u->loads);
    d->usage_dirty = true; /* with this device, at the unload */
}

static void settle_errors(const struct drive *d)
{
    struct usage *u = d->usage;

    u->write_errors += d->counters.write_errors - u->seen_write_errors;
    u->read_errors += d->counters.read_errors - u->seen_read_errors;
    u->seen_write_errors = d->counters.write_errors;
    u->seen_read_errors = d->counters.read_errors;
}

static struct usage_partition *partition_here(const struct drive *d)
{
    struct cartridge_position pos;

    cartridge_tell(d->cartridge, &pos);
    return &d->usage->partition[pos.partition < CARTRIDGE_PARTITIONS ? pos.partition : 0];
}

/* What was at an address and behind it is gone. */
static void cut(struct usage_partition *part, uint64_t lba)
{
    if (part->encrypted == USAGE_UNKNOWN && lba != 0)
        return;
    if (part->encrypted >= lba)
        part->encrypted = USAGE_NONE;
    if (part->clear >= lba)
        part->clear = USAGE_NONE;
}

void usage_cut(struct drive *d, uint64_t lba)
{
    cut(partition_here(d), lba);
}

void usage_wrote_block(struct drive *d, uint64_t lba, bool encrypted)
{
    struct usage_partition *part = partition_here(d);

    d->usage->blocks_written++;
    cut(part, lba);
    if (encrypted && part->encrypted == USAGE_NONE)
        part->encrypted = lba;
    else if (!encrypted && part->encrypted < USAGE_UNKNOWN && part->clear == USAGE_NONE)
        part->clear = lba;
}

bool usage_has_encrypted(const struct drive *d)
{
    for (uint32_t p = 0; p < cartridge_partition_count(d->cartridge); p++) {
        if (d->usage->partition[p].encrypted < USAGE_UNKNOWN)
            return true;
    }
    return false;
}

void usage_settle(struct scsi_lu *lu)
{
    struct drive *d = lu->drive;
    struct usage *u = d->usage;
    uint64_t written = d->total_written - u->seen.written, read = d->total_read - u->seen.read;
    struct cartridge_position pos;
    struct usage_partition *part;

    if (d->medium != MEDIUM_READY)
        return;
    cartridge_tell(d->cartridge, &pos);
    part = &u->partition[pos.partition < CARTRIDGE_PARTITIONS ? pos.partition : 0];
    part->current.written += written;
    part->total.written += written;
    part->current.read += read;
    part->total.read += read;
    if (pos.partition != u->at_partition)
        part->changes++;
    u->at_partition = pos.partition;
    u->seen = (struct usage_amounts){d->total_written, d->total_read};
    settle_errors(d);
    cut(part, pos.eod_lba); /* what was erased, or lost before it was stored */
}

void usage_store(struct drive *d)
{
    if (d->usage_dirty)
        record_set(d->cartridge, d->usage);
    d->usage_dirty = false;
}

void usage_changing(struct drive *d, bool overwrites)
{
    if (d->written && !d->change_read && !overwrites)
        return;
    d->written = true;
    d->change_read = false;
    set_number(d->cartridge, ID_VOLUME_CHANGE, ++d->usage->volume_change);
}

void usage_formatted(struct drive *d)
{
    d->usage->formats++;
    d->usage_dirty = true;
    for (unsigned p = 0; p < CARTRIDGE_PARTITIONS; p++)
        d->usage->partition[p].encrypted = d->usage->partition[p].clear = USAGE_NONE;
    usage_changing(d, true);
}

struct usage_partition usage_medium(const struct usage *u)
{
    struct usage_partition sum = {.changes = 0};

    for (unsigned p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        const struct usage_partition *part = &u->partition[p];

        sum.current.written += part->current.written;
        sum.current.read += part->current.read;
        sum.previous.written += part->previous.written;
        sum.previous.read += part->previous.read;
        sum.total.written += part->total.written;
        sum.total.read += part->total.read;
        sum.changes += part->changes;
    }
    return sum;
}
