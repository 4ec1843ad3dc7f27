/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_log_ibm.c - log pages that IBM's LTO drives add, and HPE's in part (IBM LTO reference
 * 6.4.19 on).  What they count that a virtual drive has not - retries, errors of an interface - is
 * 0; what they judge and nobody can judge here is "unknown".
 *
 * Pages 3Ch to 3Eh are the manufacturer's, for its engineers: they are not there.
 */
#include "vtl/scsi/drive.h"
#include "vtl/scsi/drive_usage.h"

enum { KIB = 1024 };

static uint64_t data_sets(uint64_t bytes)
{
    return bytes / DRIVE_DATA_SET;
}

/* 30h: tape usage. */
void log_usage(struct log_reply *l)
{
    const struct usage *u = l->lu->drive->usage;
    bool loaded = drive_identity(l->lu) != NULL;
    const struct usage_partition all = loaded ? usage_medium(u) : (struct usage_partition){0};

    log_number(l, 0x1, loaded ? u->loads : 0, 4);
    log_number(l, 0x2, data_sets(all.total.written), 8);
    log_number(l, 0x3, 0, 4); /* write retries */
    log_number(l, 0x4, loaded ? u->write_errors : 0, 2);
    log_number(l, 0x5, 0, 2); /* suspended writes */
    log_number(l, 0x6, 0, 2);
    log_number(l, 0x7, data_sets(all.total.read), 8);
    log_number(l, 0x8, 0, 4); /* read retries */
    log_number(l, 0x9, loaded ? u->read_errors : 0, 2);
    log_number(l, 0xa, 0, 2); /* suspended reads */
    log_number(l, 0xb, 0, 2);
}

/* 33h, 34h: kinds of retries, of which there can be none. */
void log_write_retries(struct log_reply *l)
{
    for (unsigned code = 0; code <= 0x11; code++)
        log_counter(l, code, 0, 2);
}

void log_read_retries(struct log_reply *l)
{
    for (unsigned code = 0; code <= 0x1e; code++)
        log_counter(l, code, 0, 2);
}

/* 37h: performance characteristics: efficiency of drive, medium, the interfaces and the library's,
 * from 01h, the best, to FFh; 00h: it is not known. */
void log_performance(struct log_reply *l)
{
    static const uint8_t codes[] = {0x00, 0x01, 0x10, 0x11, 0x12, 0x1a};

    for (size_t i = 0; i < sizeof(codes); i++)
        log_number(l, codes[i], 0, 1);
}

/* How much of a whole lies behind, of 255. */
static uint64_t fraction(uint64_t part, uint64_t whole)
{
    return whole ? (uint64_t)((double)part / (double)whole * 255) : 0;
}

/* What there is of partition and volume: nominal capacity, how much of it was passed, what
 * remains.  Of a tape that winds back and forth that is the share of its wraps. */
static void put_extents(struct log_reply *l, struct cartridge *c)
{
    struct cartridge_position pos = {.used = 0};
    uint64_t volume = 0, remaining = 0, capacity = 0, before = 0;

    if (c) {
        cartridge_tell(c, &pos);
        capacity = cartridge_partition_capacity(c, pos.partition);
        for (uint32_t p = 0; p < cartridge_partition_count(c); p++) {
            before += p < pos.partition ? cartridge_partition_capacity(c, p) : 0;
            volume += cartridge_partition_capacity(c, p);
            remaining += drive_partition_remaining(c, p);
        }
    }
    log_number(l, 0x0c, capacity / KIB, 8);
    log_number(l, 0x0d, fraction(pos.used, capacity), 1);
    log_number(l, 0x0e, volume / KIB, 8);
    log_number(l, 0x0f, fraction(before + pos.used, volume), 1);
    log_number(l, 0x10, remaining / KIB, 8);
    log_number(l, 0x11, pos.remaining / KIB, 8);
}

/* 38h: blocks and bytes transferred since the medium was loaded: by the host, then to and from the
 * medium, what was processed and what went over the head being the same here. */
void log_transferred(struct log_reply *l)
{
    const struct drive *d = l->lu->drive;
    const struct usage *u = d->usage;
    bool loaded = drive_identity(l->lu) != NULL;
    uint64_t written = loaded ? d->counters.stored_written - u->stored_written : 0,
             read = loaded ? d->counters.stored_read - u->stored_read : 0;

    log_number(l, 0x00, loaded ? u->blocks_written : 0, 8);
    log_number(l, 0x01, loaded ? (d->total_written - d->load_written) / KIB : 0, 8);
    log_number(l, 0x02, loaded ? u->blocks_read : 0, 8);
    log_number(l, 0x03, loaded ? (d->total_read - d->load_read) / KIB : 0, 8);
    for (unsigned code = 0x04; code <= 0x08; code += 4) {
        log_number(l, code, data_sets(written), 8);
        log_number(l, code + 1, written / KIB, 8);
        log_number(l, code + 2, data_sets(read), 8);
        log_number(l, code + 3, read / KIB, 8);
    }
    put_extents(l, loaded ? d->cartridge : NULL);
}

/* 39h: host port 0 interface errors: counted where the interface is. */
void log_port_errors(struct log_reply *l)
{
    static const uint8_t codes[] = {0, 7, 8, 9, 10};

    for (size_t i = 0; i < sizeof(codes); i++)
        log_counter(l, codes[i], 0, 2);
    log_counter(l, 0x10, 0, 4);
}
