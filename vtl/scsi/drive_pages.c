/* SPDX-License-Identifier: Apache-2.0 */
/* drive_pages.c - mode and log pages of a tape drive (SSC-5 8.3, 8.5). */
#include "vtl/scsi/drive.h"

/* ---- mode parameter header and block descriptor ---------------------------------------------- */

static const struct cartridge_identity *loaded(struct scsi_lu *lu)
{
    return lu->drive && lu->drive->medium == MEDIUM_READY ? cartridge_identity(lu->drive->cartridge)
                                                          : NULL;
}

uint8_t lu_density(struct scsi_lu *lu)
{
    const struct cartridge_identity *id = loaded(lu);

    return id ? id->density : drive_native_density(lu);
}

/* LTO: generation and kind of the cartridge; 00h: none. */
uint8_t drive_medium_type(struct scsi_lu *lu)
{
    const struct cartridge_identity *id = loaded(lu);
    const struct medium *m = id ? medium_by_density(id->density) : NULL;

    return m ? (id->worm ? m->worm_type : m->type) : 0;
}

uint8_t drive_device_specific(struct scsi_lu *lu)
{
    const struct cartridge_identity *id = loaded(lu);
    bool protect =
        id && (cartridge_protected(lu->drive->cartridge) ||
               !drive_writes_density(lu, id->density) || (mode_page_values(lu, 0x0a, 0)[4] & 0x08));

    return (uint8_t)((protect ? 0x80 : 0) | (lu->buffered ? 0x10 : 0));
}

/* ---- mode pages ------------------------------------------------------------------------------ */

static const uint8_t recovery[12] = {0x01, 0x0a};
static const uint8_t disconnect[16] = {0x02, 0x0e};
/* TAS: tasks aborted by another nexus end with TASK ABORTED.  Changeable: D_SENSE, SWP. */
static const uint8_t control[12] = {0x0a, 0x0a, 0x00, 0x00, 0x00, 0x40};
static const uint8_t control_changeable[12] = {0, 0, 0x04, 0, 0x08};
/* DCE, DCC, DDE; the algorithm is the LTO one, which has no registered number. */
static const uint8_t compression[16] = {0x0f, 0x0e, 0xc0, 0x80, 0, 0, 0, 0xff, 0, 0, 0, 0xff};
static const uint8_t compression_changeable[16] = {0, 0, 0x80, 0x80};
/* LOIS; EEG, SEW: a write behind early warning says so; compression selected. */
static const uint8_t configuration[16] = {0x10, 0x0e, 0,    0, 0, 0, 0, 0,
                                          0x40, 0,    0x18, 0, 0, 0, 1, 0};
static const uint8_t configuration_changeable[16] = {[14] = 0x01};
/* Device configuration extension: PEWS is changeable; the write mode (append-only) is not. */
static const uint8_t extension[32] = {0x50, 0x01, 0x00, 0x1c};
static const uint8_t extension_changeable[32] = {[6] = 0xff, [7] = 0xff};
/* One partition; PSUM 3 and units of 10^9 bytes. */
static const uint8_t partition[10] = {0x11, 0x08, 0, 0, 0x18, 0x03, 9, 0, 0, 0};
static const uint8_t exceptions[12] = {0x1c, 0x0a, 0x08}; /* DEXCPT: TapeAlert page only */
static const uint8_t medium_configuration[32] = {0x1d, 0x1e, 0, 0, 0x01, 0x02};

/* PEWS is counted in 10^6 bytes before early warning (SSC-5, device configuration extension). */
bool drive_beyond_pews(struct scsi_lu *lu, const struct cartridge_position *pos)
{
    const struct cartridge_identity *id = loaded(lu);
    uint64_t pews = get_be16(mode_page_values(lu, 0x10, 1) + 6);

    return id && pews && pos->used + id->early_warning + pews * 1000000 > id->capacity;
}

static void partition_refresh(struct scsi_lu *lu, uint8_t *page)
{
    const struct cartridge_identity *id = loaded(lu);
    uint64_t size = id ? id->capacity / 1000000000 : 0;

    put_be16(page + 8, size < 0xffff ? (uint16_t)size : 0xffff);
}

static void medium_configuration_refresh(struct scsi_lu *lu, uint8_t *page)
{
    const struct cartridge_identity *id = loaded(lu);

    page[2] = id && id->worm; /* WORMM */
}

const struct mode_page drive_mode_pages[DRIVE_MODE_PAGES] = {
    {0x01, 0, sizeof(recovery), recovery, NULL, NULL},
    {0x02, 0, sizeof(disconnect), disconnect, NULL, NULL},
    {0x0a, 0, sizeof(control), control, control_changeable, NULL},
    {0x0f, 0, sizeof(compression), compression, compression_changeable, NULL},
    {0x10, 0, sizeof(configuration), configuration, configuration_changeable, NULL},
    {0x10, 1, sizeof(extension), extension, extension_changeable, NULL},
    {0x11, 0, sizeof(partition), partition, NULL, partition_refresh},
    {0x1c, 0, sizeof(exceptions), exceptions, NULL, NULL},
    {0x1d, 0, sizeof(medium_configuration), medium_configuration, NULL,
     medium_configuration_refresh},
};

/* ---- log pages ------------------------------------------------------------------------------- */

/* 02h and 03h: error counters (SPC-5 7.3.3). */
static void put_errors(struct scsi_task *task, struct reply *r, uint64_t bytes, uint64_t errors)
{
    for (unsigned code = 0; code <= 6; code++)
        log_value(r, task, code, code == 5 ? bytes : code == 6 ? errors : 0, 8);
}

static void log_write_errors(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    put_errors(task, r, lu->drive->counters.bytes_written, lu->drive->counters.write_errors);
}

static void log_read_errors(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    put_errors(task, r, lu->drive->counters.bytes_read, lu->drive->counters.read_errors);
}

/* 0Ch: sequential-access device (SSC-5 8.3.2); sizes of the medium in units of 10^6 bytes. */
static void log_sequential(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    const struct drive_counters *n = &lu->drive->counters;
    const struct cartridge_identity *id = loaded(lu);
    struct cartridge_position pos;

    log_value(r, task, 0, n->bytes_written, 8);
    log_value(r, task, 1, n->bytes_written, 8);
    log_value(r, task, 2, n->bytes_read, 8);
    log_value(r, task, 3, n->bytes_read, 8);
    if (id) {
        cartridge_tell(lu->drive->cartridge, &pos);
        log_value(r, task, 4, (id->capacity - pos.remaining) / 1000000, 8);
        log_value(r, task, 5, (id->capacity - id->early_warning) / 1000000, 8);
        log_value(r, task, 6, id->early_warning / 1000000, 8);
        log_value(r, task, 7, pos.used / 1000000, 8);
    }
    log_value(r, task, 0x100, 0, 8); /* no cleaning needed */
}

/* 11h: DT device status (SSC-5, ADC-3): the very high frequency data, and how often to look. */
static void log_device_status(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    enum { PAMR = 0x80, MACC = 0x20, WRTP = 0x08, DINIT = 0x01 };
    enum { RAA = 0x20, MPRSNT = 0x10, MSTD = 0x04, MTHRD = 0x02, MOUNTED = 0x01 };
    enum medium_state medium = lu->drive->medium;
    bool ready = medium == MEDIUM_READY, out = medium == MEDIUM_NONE || medium == MEDIUM_EJECTED;
    uint8_t vhf[4] = {DINIT}, delay[2] = {0, 100}; /* ms */

    vhf[0] = (uint8_t)(vhf[0] | (lu_prevented(lu) ? PAMR : 0) | (ready ? MACC : 0) |
                       (drive_device_specific(lu) & 0x80 ? WRTP : 0));
    vhf[1] = (uint8_t)((out ? RAA : 0) | (medium != MEDIUM_NONE ? MPRSNT : 0) | (out ? 0 : MSTD) |
                       (ready ? MTHRD | MOUNTED : 0));
    log_binary(r, task, 0, vhf, sizeof(vhf));
    log_binary(r, task, 1, delay, sizeof(delay));
}

/* 14h: device statistics (SSC-5): of what it has, what is known of a drive without a memory of its
 * former life. */
static void log_device_statistics(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    const struct drive_counters *n = &lu->drive->counters;

    log_value(r, task, 0x0d, n->loads, 8); /* since the last reset, as the next two */
    log_value(r, task, 0x0e, n->write_errors, 8);
    log_value(r, task, 0x0f, n->read_errors, 8);
    log_text(r, task, 0x40, lu->serial, SERIAL_MAX);
    log_text(r, task, 0x41, lu->serial, SERIAL_MAX);
    log_value(r, task, 0x80, lu_prevented(lu), 1);
}

/* 17h: volume statistics (SSC-5 8.3.4): what is known of the cartridge; sizes in 10^6 bytes. */
static void log_volume(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    const struct drive *d = lu->drive;
    const struct cartridge_identity *id = loaded(lu);
    char serial[MAM_SERIAL_SIZE];
    struct cartridge_position pos;

    log_value(r, task, 0x00, id != NULL, 1); /* page valid */
    if (!id)
        return;
    cartridge_tell(d->cartridge, &pos);
    mam_medium_serial(d, serial);
    log_value(r, task, 0x01, mam_load_count(d), 4);
    log_value(r, task, 0x0e, (d->total_written - d->load_written) / 1000000, 4);
    log_value(r, task, 0x0f, (d->total_read - d->load_read) / 1000000, 4);
    log_value(r, task, 0x16, id->capacity / 1000000, 4);
    log_value(r, task, 0x17, (id->capacity - pos.remaining) / 1000000, 4);
    log_text(r, task, 0x40, serial, 32);
    log_text(r, task, 0x42, d->barcode, 32);
    log_text(r, task, 0x43, "CAPSTAN", 8);
    log_value(r, task, 0x80, drive_device_specific(lu) >> 7, 1); /* write protected */
    log_value(r, task, 0x81, id->worm, 1);
}

/* 1Bh: data compression (SSC-5 8.3.6): ratios in hundredths, sides in bytes. */
static void log_compression(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    const struct drive_counters *n = &lu->drive->counters;

    log_value(r, task, 0, 100, 2);
    log_value(r, task, 1, 100, 2);
    log_value(r, task, 2, n->bytes_read / 1000000, 4);
    log_value(r, task, 3, n->bytes_read % 1000000, 4);
    log_value(r, task, 4, n->bytes_read / 1000000, 4);
    log_value(r, task, 5, n->bytes_read % 1000000, 4);
    log_value(r, task, 6, n->bytes_written / 1000000, 4);
    log_value(r, task, 7, n->bytes_written % 1000000, 4);
    log_value(r, task, 8, n->bytes_written / 1000000, 4);
    log_value(r, task, 9, n->bytes_written % 1000000, 4);
}

/* 31h: tape capacity (IBM LTO), in MiB: remaining and maximum of partitions 0 and 1. */
static void log_capacity(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    const struct cartridge_identity *id = loaded(lu);
    struct cartridge_position pos = {.remaining = 0};

    if (id)
        cartridge_tell(lu->drive->cartridge, &pos);
    log_value(r, task, 1, pos.remaining >> 20, 4);
    log_value(r, task, 2, 0, 4);
    log_value(r, task, 3, id ? id->capacity >> 20 : 0, 4);
    log_value(r, task, 4, 0, 4);
}

const struct log_page drive_log_pages[DRIVE_LOG_PAGES] = {
    {0x02, log_write_errors},  {0x03, log_read_errors},       {0x0c, log_sequential},
    {0x11, log_device_status}, {0x14, log_device_statistics}, {0x17, log_volume},
    {0x1b, log_compression},   {0x2e, log_tape_alert},        {0x31, log_capacity},
};

void drive_log_reset(struct scsi_lu *lu, uint8_t page)
{
    struct drive_counters *n = &lu->drive->counters;

    if (page == 0x02)
        n->write_errors = 0;
    else if (page == 0x03)
        n->read_errors = 0;
    else if (page == 0x14)
        n->loads = n->write_errors = n->read_errors = 0;
    else if (page == 0x0c || page == 0x1b)
        n->bytes_written = n->bytes_read = 0;
    else if (page == 0)
        *n = (struct drive_counters){0};
}
