/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_life.c - see drive_life.h.
 *
 * There is no motor whose hours could be counted: motion is modelled from the bytes that passed the
 * head, by what an LTO drive of the present kind does with them.
 */
#include "vtl/scsi/drive.h"

/* Native speed and length of tape per byte of LTO-8: 360 MB/s; 208 wraps of 960 m hold 12 TB. */
enum { BYTES_PER_SECOND = 360000000, BYTES_PER_METRE = 60096154 };

/* What is kept: a version, and the numbers. */
enum { VERSION = 1, NUMBERS = 3, RECORD = 1 + NUMBERS * 8 };

static uint64_t bytes_now(const struct drive *d)
{
    return d->life.bytes + d->total_written + d->total_read;
}

/* A library may have 255 drives: who has done nothing has nothing to keep. */
void life_save(struct scsi_lu *lu)
{
    struct drive_life *life = &lu->drive->life;
    const uint64_t numbers[NUMBERS] = {life->loads, life->cleanings, bytes_now(lu->drive)};
    uint8_t record[RECORD] = {VERSION};
    struct error err = ERROR_INIT;

    if (life->loads == life->kept_loads && bytes_now(lu->drive) == life->kept_bytes)
        return;
    for (size_t i = 0; i < NUMBERS; i++)
        put_be64(record + 1 + i * 8, numbers[i]);
    if (lu_value_set(lu, "life", record, sizeof(record), &err) != 0)
        lu_log(lu, LOG_LEVEL_WARNING, "its statistics can't be kept: %s", err.message);
    life->kept_loads = life->loads;
    life->kept_bytes = bytes_now(lu->drive);
}

void life_start(struct scsi_lu *lu)
{
    struct drive_life *life = &lu->drive->life;
    uint64_t *const numbers[NUMBERS] = {&life->loads, &life->cleanings, &life->bytes};
    uint8_t record[RECORD];
    size_t len = 0;

    if (lu_value_get(lu, "life", record, sizeof(record), &len, NULL) == 0 && len == RECORD &&
        record[0] == VERSION) {
        for (size_t i = 0; i < NUMBERS; i++)
            *numbers[i] = get_be64(record + 1 + i * 8);
    }
    life->kept_loads = life->loads;
    life->kept_bytes = life->bytes;
}

void life_loaded(struct scsi_lu *lu)
{
    lu->drive->life.loads++;
    life_save(lu);
}

uint64_t life_motion_hours(const struct scsi_lu *lu)
{
    return bytes_now(lu->drive) / BYTES_PER_SECOND / 3600;
}

uint64_t life_metres(const struct scsi_lu *lu)
{
    return bytes_now(lu->drive) / BYTES_PER_METRE;
}

/* ---- hard errors ----------------------------------------------------------------------------- */

void life_failed(struct scsi_lu *lu, const struct scsi_task *task, const struct sense *s)
{
    struct drive_life *life = &lu->drive->life;
    const struct cartridge_identity *id = drive_identity(lu);
    struct life_error *e = &life->errors[0];

    if (s->key != KEY_MEDIUM_ERROR && s->key != KEY_HARDWARE_ERROR)
        return;
    memmove(e + 1, e, (LIFE_ERRORS - 1) * sizeof(*e));
    if (life->error_count < LIFE_ERRORS)
        life->error_count++;
    *e = (struct life_error){.key = (uint8_t)s->key,
                             .code = s->code,
                             .density = id ? id->density : 0,
                             .medium_type = drive_medium_type(lu),
                             .opcode = task->cdb[0],
                             .action = task->cdb[1] & 0x1f,
                             .motion_hours = (uint32_t)life_motion_hours(lu)};
    e->clock_ms = lu_clock_ms(lu, &e->clock_origin);
    if (id)
        mam_medium_serial(lu->drive, e->medium);
    alert_raise(lu, ALERT_HARD_ERROR);
}

/* The 68 bytes of a parameter (SSC-5 8.3.8, tape diagnostic data). */
static void put_error(struct log_reply *l, unsigned code, const struct life_error *e)
{
    uint8_t data[68];
    struct reply r = reply_to(data, sizeof(data));

    reply_zero(&r, 2);
    reply_u8(&r, e->density);
    reply_u8(&r, e->medium_type);
    reply_be32(&r, e->motion_hours);
    reply_u8(&r, 0);
    reply_u8(&r, e->key); /* REPEAT=0: each is told */
    reply_be16(&r, e->code);
    reply_zero(&r, 4); /* vendor specific code qualifier */
    reply_text(&r, l->lu->personality->revision, 4);
    reply_be32(&r, (uint32_t)life_motion_hours(l->lu)); /* since it was last cleaned */
    reply_u8(&r, e->opcode);
    reply_u8(&r, e->action);
    reply_zero(&r, 2);
    reply_text(&r, e->medium, 32);
    reply_u8(&r, e->clock_origin);
    reply_u8(&r, 0);
    reply_be(&r, (uint64_t)e->clock_ms, 6);
    log_binary(l, code, data, (unsigned)r.len);
}

/* 16h: tape diagnostic data, the latest error first. */
void log_diagnostic_data(struct log_reply *l)
{
    const struct drive_life *life = &l->lu->drive->life;

    for (unsigned i = 0; i < life->error_count; i++)
        put_error(l, i, &life->errors[i]);
}
