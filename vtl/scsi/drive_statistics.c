/* SPDX-License-Identifier: Apache-2.0 */
/* drive_statistics.c - log pages that look back on the life of the drive and of the volume: device
 * statistics, diagnostic data, volume statistics, tape usage (SSC-5 8.3). */
#include "vtl/scsi/drive.h"

enum { MB = 1000000 };

/* 14h: device statistics (SSC-5 8.3.3): of what it has, what is known. */
void log_device_statistics(struct log_reply *l)
{
    const struct drive_counters *n = &l->lu->drive->counters;

    log_counter(l, 0x0d, n->loads, 8); /* since the last reset, as the next two */
    log_counter(l, 0x0e, n->write_errors, 8);
    log_counter(l, 0x0f, n->read_errors, 8);
    log_text(l, 0x40, l->lu->serial, SERIAL_MAX);
    log_text(l, 0x41, l->lu->serial, SERIAL_MAX);
    log_number(l, 0x80, lu_prevented(l->lu), 1);
}

void log_diagnostic_data(struct log_reply *l)
{
    (void)l;
}

/* 17h: volume statistics (SSC-5 8.3.4): what is known of the cartridge; sizes in 10^6 bytes. */
void log_volume_statistics(struct log_reply *l)
{
    const struct drive *d = l->lu->drive;
    const struct cartridge_identity *id = drive_identity(l->lu);
    char serial[MAM_SERIAL_SIZE];
    struct cartridge_position pos;

    log_number(l, 0x00, id != NULL, 1); /* page valid */
    if (!id)
        return;
    cartridge_tell(d->cartridge, &pos);
    mam_medium_serial(d, serial);
    log_number(l, 0x01, mam_load_count(d), 4);
    log_number(l, 0x0e, (d->total_written - d->load_written) / MB, 4);
    log_number(l, 0x0f, (d->total_read - d->load_read) / MB, 4);
    log_number(l, 0x16, id->capacity / MB, 4);
    log_number(l, 0x17, (id->capacity - pos.remaining) / MB, 4);
    log_text(l, 0x40, serial, 32);
    log_text(l, 0x42, d->barcode, 32);
    log_text(l, 0x43, "CAPSTAN", 8);
    log_number(l, 0x80, drive_device_specific(l->lu) >> 7, 1); /* write protected */
    log_number(l, 0x81, id->worm, 1);
}

/* 30h: tape usage (IBM and HPE LTO). */
void log_usage(struct log_reply *l)
{
    bool loaded = drive_identity(l->lu) != NULL;

    log_number(l, 1, loaded ? mam_load_count(l->lu->drive) : 0, 4);
    log_number(l, 2, 0, 8);
    log_number(l, 3, 0, 4);
    log_number(l, 4, 0, 2);
    log_number(l, 5, 0, 2);
    log_number(l, 6, 0, 2);
    log_number(l, 7, 0, 8);
    log_number(l, 8, 0, 4);
    log_number(l, 9, 0, 2);
}
