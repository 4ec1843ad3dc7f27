/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_log.c - log pages of a tape drive (SSC-5 8.3, SPC-5 7.3, and those that LTO drives add).
 *
 * Where a page tells of what a virtual drive has not - rewrites, repositions, a thermometer - it
 * says "none" or "not known", never a number that nothing was counted for.
 */
#include "vtl/scsi/drive.h"

enum { MB = 1000000 };

/* 02h and 03h: error counters (SPC-5 7.3.5, 7.3.14).  Nothing is ever corrected: what was stored is
 * right or an error. */
static void put_errors(struct log_reply *l, uint64_t bytes, uint64_t errors)
{
    for (unsigned code = 0; code <= 6; code++)
        log_counter(l, code, code == 5 ? bytes : code == 6 ? errors : 0, 8);
}

static void log_write_errors(struct log_reply *l)
{
    const struct drive_counters *n = &l->lu->drive->counters;

    put_errors(l, n->bytes_written, n->write_errors);
}

static void log_read_errors(struct log_reply *l)
{
    const struct drive_counters *n = &l->lu->drive->counters;

    put_errors(l, n->bytes_read, n->read_errors);
}

/* 06h: non-medium errors (SPC-5 7.3.12). */
static void log_other_errors(struct log_reply *l)
{
    log_counter(l, 0, l->lu->hardware_errors, 8);
}

/* 0Ch: sequential-access device (SSC-5 8.3.2); sizes of the medium in units of 10^6 bytes. */
static void log_sequential(struct log_reply *l)
{
    const struct drive_counters *n = &l->lu->drive->counters;
    const struct cartridge_identity *id = drive_identity(l->lu);
    struct cartridge_position pos;

    log_counter(l, 0, n->bytes_written, 8);
    log_counter(l, 1, n->stored_written, 8);
    log_counter(l, 2, n->stored_read, 8);
    log_counter(l, 3, n->bytes_read, 8);
    if (id) { /* of the partition where it is */
        uint64_t capacity, warning;

        cartridge_tell(l->lu->drive->cartridge, &pos);
        capacity = cartridge_partition_capacity(l->lu->drive->cartridge, pos.partition);
        warning = cartridge_early_warning(l->lu->drive->cartridge, pos.partition);
        log_number(l, 4, (capacity - pos.remaining) / MB, 8);
        log_number(l, 5, warning / MB, 8);
        log_number(l, 6, (capacity - warning) / MB, 8);
        log_number(l, 7, pos.used / MB, 8);
    }
    log_number(l, 8, DRIVE_SYNC_BYTES / MB, 8); /* what is buffered at most */
    log_number(l, 0x100, 0, 8);                 /* no cleaning needed */
}

/* 0Dh: temperature (SPC-5 7.3.20): FFh, there is no sensor. */
static void log_temperature(struct log_reply *l)
{
    static const uint8_t unknown[2] = {0, 0xff};

    log_binary(l, 0, unknown, sizeof(unknown));
    log_binary(l, 1, unknown, sizeof(unknown));
}

/* 0Dh/01h: environmental reporting (SPC-5 7.3.7): nor is there a hygrometer. */
static void log_environment(struct log_reply *l)
{
    static const uint8_t no_temperature[8] = {0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
    static const uint8_t no_humidity[8] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    log_binary(l, 0x0000, no_temperature, sizeof(no_temperature));
    log_binary(l, 0x0100, no_humidity, sizeof(no_humidity));
}

/* A cartridge that can't be used, and won't let itself be: it is to be taken out. */
static bool drive_wants_recovery(const struct scsi_lu *lu)
{
    return lu->drive->medium == MEDIUM_FAILED && !lu->drive->try_again;
}

/* 11h: DT device status (SSC-5, ADC-3): the very high frequency data, and how often to look. */
static void log_device_status(struct log_reply *l)
{
    enum { PAMR = 0x80, MACC = 0x20, CMPR = 0x10, WRTP = 0x08, DINIT = 0x01 };
    enum { RRQST = 0x08, TAFC = 0x02 };
    enum { RAA = 0x20, MPRSNT = 0x10, MSTD = 0x04, MTHRD = 0x02, MOUNTED = 0x01 };
    enum medium_state medium = l->lu->drive->medium;
    bool ready = medium == MEDIUM_READY, out = medium == MEDIUM_NONE || medium == MEDIUM_EJECTED;
    uint8_t vhf[4] = {DINIT}, delay[2] = {0, 100}; /* ms */
    static const uint8_t encryption[8], key_errors[12];

    vhf[0] = (uint8_t)(vhf[0] | (lu_prevented(l->lu) ? PAMR : 0) | (ready ? MACC : 0) |
                       (mode_page_values(l->lu, 0x0f, 0)[2] & 0x80 ? CMPR : 0) |
                       (drive_device_specific(l->lu) & 0x80 ? WRTP : 0));
    vhf[1] = (uint8_t)((out ? RAA : 0) | (medium != MEDIUM_NONE ? MPRSNT : 0) | (out ? 0 : MSTD) |
                       (ready ? MTHRD | MOUNTED : 0));
    vhf[3] = (uint8_t)((drive_wants_recovery(l->lu) ? RRQST : 0) |
                       (alert_unread(l->lu, l->nexus) ? TAFC : 0));
    log_binary(l, 0, vhf, sizeof(vhf));
    log_binary(l, 1, delay, sizeof(delay));
    log_binary(l, 2, encryption, sizeof(encryption)); /* nobody controls it from outside (ADC-3) */
    log_binary(l, 3, key_errors, sizeof(key_errors));
}

/* 13h: requested recovery (SSC-5 8.3.6): what would help. */
static void log_recovery(struct log_reply *l)
{
    enum { NOT_REQUESTED = 0x00, UNLOAD = 0x07, UNLOAD_AND_QUARANTINE = 0x0a };
    uint8_t procedure = NOT_REQUESTED;

    if (drive_wants_recovery(l->lu))
        procedure = l->lu->drive->failure == ASC_LOAD_FAILED ? UNLOAD_AND_QUARANTINE : UNLOAD;
    log_binary(l, 0, &procedure, 1);
}

/* 1Ah: power condition transitions (SPC-5 7.3.13): it is always active. */
static void log_power(struct log_reply *l)
{
    log_counter(l, 1, 0, 4);
    log_counter(l, 4, 0, 4);
}

/* In hundredths, within 16 bits; of nothing it is 1.00. */
static uint64_t ratio(uint64_t host, uint64_t medium)
{
    uint64_t hundredths = medium ? host / (medium / 100 + 1) : 100;

    if (medium && medium < (uint64_t)1 << 50)
        hundredths = host * 100 / medium;
    return hundredths < UINT16_MAX ? hundredths : UINT16_MAX;
}

static void put_megabytes(struct log_reply *l, unsigned code, uint64_t bytes)
{
    log_counter(l, code, bytes / MB, 4);
    log_counter(l, code + 1, bytes % MB, 4);
}

/* 1Bh and 32h: data compression (SSC-5 8.3.6): ratios, then MB and bytes to and from the host and
 * the medium.  The two halves of a number can't be set or reset alone: both pages begin anew. */
void log_compression(struct log_reply *l)
{
    const struct drive_counters *n = &l->lu->drive->counters,
                                *since = &l->lu->drive->compression_since;
    uint64_t host_read = n->bytes_read - since->bytes_read,
             host_written = n->bytes_written - since->bytes_written,
             tape_read = n->stored_read - since->stored_read,
             tape_written = n->stored_written - since->stored_written;

    log_number(l, 0, ratio(host_read, tape_read), 2);
    log_number(l, 1, ratio(host_written, tape_written), 2);
    put_megabytes(l, 2, host_read);
    put_megabytes(l, 4, tape_read);
    put_megabytes(l, 6, host_written);
    put_megabytes(l, 8, tape_written);
}

static void log_compression_reset(struct scsi_lu *lu)
{
    lu->drive->compression_since = lu->drive->counters;
}

/* 31h: tape capacity (IBM LTO), in MiB: remaining and maximum of partitions 0 and 1. */
static void log_capacity(struct log_reply *l)
{
    struct cartridge *c = drive_identity(l->lu) ? l->lu->drive->cartridge : NULL;
    bool second = c && cartridge_partition_count(c) > 1;

    log_number(l, 1, c ? drive_partition_remaining(c, 0) >> 20 : 0, 4);
    log_number(l, 2, second ? drive_partition_remaining(c, 1) >> 20 : 0, 4);
    log_number(l, 3, c ? cartridge_partition_capacity(c, 0) >> 20 : 0, 4);
    log_number(l, 4, second ? cartridge_partition_capacity(c, 1) >> 20 : 0, 4);
}

/* 2Dh: current service information (ADC-4): a parameter for each thing that a technician should
 * know now, and this drive never needs one. */
static void log_service(struct log_reply *r)
{
    (void)r;
}

const struct log_page drive_log_pages[DRIVE_LOG_PAGES] = {
    {.code = 0x02, .build = log_write_errors},
    {.code = 0x03, .build = log_read_errors},
    {.code = 0x06, .build = log_other_errors},
    {.code = 0x0c, .build = log_sequential},
    {.code = 0x0d, .build = log_temperature, .fixed = true},
    {.code = 0x0d, .subcode = 0x01, .build = log_environment, .fixed = true},
    {.code = 0x11, .build = log_device_status, .fixed = true},
    {.code = 0x12, .build = log_tape_alert_response, .fixed = true},
    {.code = 0x13, .build = log_recovery, .fixed = true},
    {.code = 0x14, .build = log_device_statistics},
    {.code = 0x16, .build = log_diagnostic_data, .fixed = true},
    {.code = 0x17, .build = log_volume_statistics, .fixed = true},
    {.code = 0x1a, .build = log_power, .fixed = true},
    {.code = 0x1b, .build = log_compression, .fixed = true, .reset = log_compression_reset},
    {.code = 0x2d, .build = log_service, .fixed = true},
    {.code = 0x2e, .build = log_tape_alert, .fixed = true, .reset = log_tape_alert_reset},
    {.code = 0x30, .build = log_usage, .fixed = true},
    {.code = 0x31, .build = log_capacity, .fixed = true},
    {.code = 0x32, .build = log_compression, .fixed = true, .reset = log_compression_reset},
    {.code = 0x33, .build = log_write_retries, .fixed = true},
    {.code = 0x34, .build = log_read_retries, .fixed = true},
    {.code = 0x37, .build = log_performance, .fixed = true},
    {.code = 0x38, .build = log_transferred, .fixed = true},
    {.code = 0x39, .build = log_port_errors, .fixed = true},
};
