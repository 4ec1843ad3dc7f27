/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_density.c - READ BLOCK LIMITS and REPORT DENSITY SUPPORT (SSC-5 7.5, 7.7): what the model
 * takes, as its personality and the table of media say.
 */
#include "vtl/scsi/drive.h"

enum { WRTOK = 0x80, DEFLT = 0x20 };

bool drive_reads_density(const struct scsi_lu *lu, uint8_t code)
{
    return personality_reads(lu->personality, medium_by_density(code));
}

bool drive_writes_density(const struct scsi_lu *lu, uint8_t code)
{
    return personality_writes(lu->personality, medium_by_density(code));
}

uint8_t drive_native_density(const struct scsi_lu *lu)
{
    return lu->personality->native->density;
}

void cmd_read_block_limits(struct scsi_lu *lu, struct scsi_task *task)
{
    bool mloi = task->cdb[1] & 1;
    struct reply r = task_reply(task, 20);

    if (mloi) { /* maximum logical object identifier */
        reply_zero(&r, 12);
        reply_be64(&r, UINT64_MAX);
    } else {
        reply_u8(&r, 0); /* granularity 2^0 */
        reply_be24(&r, lu->personality->block_max);
        reply_be16(&r, 1);
    }
    task_replied(task, &r, 20);
}

/* ---- REPORT DENSITY SUPPORT ------------------------------------------------------------------ */

/* What is asked for: all that the drive takes, or (MEDIA) what is in it. */
struct density_walk {
    const struct personality *p;
    const struct cartridge_identity *loaded; /* NULL: nothing */
    bool media;
    struct reply *r;
};

static bool wanted(const struct density_walk *w, const struct medium *m)
{
    return !w->media || m->density == w->loaded->density;
}

/* SSC-5 table 66.  DEFLT: the density of the medium that is in the drive, or would be formatted. */
static void put_density(const struct density_walk *w, const struct medium *m)
{
    uint8_t standard = w->loaded ? w->loaded->density : w->p->native->density;

    reply_u8(w->r, m->density);
    reply_u8(w->r, m->density);
    reply_u8(w->r, (personality_writes(w->p, m) ? (unsigned)WRTOK : 0) |
                       (m->density == standard ? (unsigned)DEFLT : 0));
    reply_be16(w->r, 0); /* descriptor length: DLV=0 */
    reply_be24(w->r, m->bits_per_mm);
    reply_be16(w->r, MEDIUM_WIDTH);
    reply_be16(w->r, m->tracks);
    reply_be32(w->r, (uint32_t)(m->capacity / 1000000));
    reply_text(w->r, MEDIUM_ORGANIZATION, 8);
    reply_text(w->r, m->density_name, 8);
    reply_text(w->r, m->description, 20);
}

/* SSC-5 table 67.  A cartridge of one type may be formatted in several densities: M8 in LTO-7. */
static void put_type(const struct density_walk *w, const struct medium *m, bool worm)
{
    uint8_t codes[9] = {0}, count = 0;
    char text[24];

    for (unsigned i = 0; i < w->p->media_count && count < sizeof(codes); i++) {
        const struct medium *other = w->p->media[i];

        if (wanted(w, other) &&
            (worm ? other->worm_type : other->type) == (worm ? m->worm_type : m->type))
            codes[count++] = other->density;
    }
    snprintf(text, sizeof(text), "%s%s", m->description, worm ? " WORM" : "");
    reply_u8(w->r, worm ? m->worm_type : m->type);
    reply_u8(w->r, 0);
    reply_be16(w->r, 52);
    reply_u8(w->r, count);
    reply_bytes(w->r, codes, sizeof(codes));
    reply_be16(w->r, MEDIUM_WIDTH);
    reply_be16(w->r, m->length);
    reply_be16(w->r, 0);
    reply_text(w->r, MEDIUM_ORGANIZATION, 8);
    reply_text(w->r, m->density_name, 8);
    reply_text(w->r, text, 20);
}

/* The types of medium i, each type once. */
static void put_types(const struct density_walk *w, unsigned i)
{
    const struct medium *m = w->p->media[i];

    for (unsigned k = 0; k < i; k++) {
        if (wanted(w, w->p->media[k]) && w->p->media[k]->type == m->type)
            return;
    }
    if (!w->media || !w->loaded->worm)
        put_type(w, m, false);
    if (m->worm_type && (!w->media || w->loaded->worm))
        put_type(w, m, true);
}

void cmd_report_density(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned allocation = get_be16(task->cdb + 7);
    bool types = task->cdb[1] & 2;
    uint16_t not_ready = drive_not_ready(lu->drive);
    struct reply r = task_reply(task, allocation);
    struct density_walk w = {.p = lu->personality,
                             .loaded = not_ready ? NULL : cartridge_identity(lu->drive->cartridge),
                             .media = task->cdb[1] & 1,
                             .r = &r};

    if (w.media && not_ready) {
        task_fail(lu, task, KEY_NOT_READY, not_ready);
        return;
    }
    reply_be16(&r, 0); /* available length, below */
    reply_be16(&r, 0);
    for (unsigned i = 0; i < w.p->media_count; i++) {
        if (!wanted(&w, w.p->media[i]))
            continue;
        if (types)
            put_types(&w, i);
        else
            put_density(&w, w.p->media[i]);
    }
    reply_patch(&r, 0, r.len - 2, 2);
    task_replied(task, &r, allocation);
}
