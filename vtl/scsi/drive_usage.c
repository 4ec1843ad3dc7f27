/* SPDX-License-Identifier: Apache-2.0 */
/* drive_usage.c - see drive_usage.h. */
#include "vtl/scsi/drive_usage.h"

enum {
    /* Where it is kept: the numbers as earlier versions had them, and the rest in one piece. */
    ID_LOADS = 0x0003,
    ID_VOLUME_CHANGE = 0x0009,
    ID_RECORD = 0x0340,
    RECORD_VERSION = 1,
    RECORD_NUMBERS = 2 + CARTRIDGE_PARTITIONS * 5,
    RECORD_SIZE = 1 + RECORD_NUMBERS * 8 + USAGE_DEVICES * USAGE_DEVICE_TEXT,
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

static void record_get(const struct cartridge *c, struct usage *u)
{
    uint8_t record[RECORD_SIZE];
    size_t len = sizeof(record);
    uint64_t *fields[RECORD_NUMBERS];

    memset(u->device, ' ', sizeof(u->device));
    if (cartridge_attribute_get(c, 0, ID_RECORD, record, &len, NULL) != 0 ||
        len != sizeof(record) || record[0] != RECORD_VERSION)
        return;
    numbers(u, fields);
    for (size_t i = 0; i < RECORD_NUMBERS; i++)
        *fields[i] = get_be64(record + 1 + i * 8);
    memcpy(u->device, record + 1 + RECORD_NUMBERS * 8, sizeof(u->device));
}

static void record_set(struct cartridge *c, struct usage *u)
{
    uint8_t record[RECORD_SIZE] = {RECORD_VERSION};
    uint64_t *fields[RECORD_NUMBERS];

    numbers(u, fields);
    for (size_t i = 0; i < RECORD_NUMBERS; i++)
        put_be64(record + 1 + i * 8, *fields[i]);
    memcpy(record + 1 + RECORD_NUMBERS * 8, u->device, sizeof(u->device));
    cartridge_attribute_set(c, 0, ID_RECORD, record, sizeof(record), NULL);
}

/* ---- what happens to it ---------------------------------------------------------------------- */

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
    note_device(lu, u);
    set_number(d->cartridge, ID_LOADS, u->loads);
    d->usage_dirty = true; /* with this device, at the unload */
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
