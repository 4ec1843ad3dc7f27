/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changer_status.c - READ ELEMENT STATUS (SMC-3 6.11): every element asked for, in pages by type.
 *
 * Elements are reported in rising order of address; as each type has one range of addresses, that
 * is one page a type.  A type with nothing to report has no page: mtx and others take a page
 * without descriptors for an error.  The headers tell about all that there is; of the descriptors
 * only whole ones are handed over (SMC-3 6.11.1), and no page header without one behind it.
 */
#include "vtl/scsi/changer.h"

enum {
    VOLUME_TAG_LENGTH = 36,
    FLAG_FULL = 0x01,
    FLAG_IMPEXP = 0x02,
    FLAG_EXCEPT = 0x04,
    FLAG_ACCESS = 0x08,
    FLAG_EXENAB = 0x10,
    FLAG_INENAB = 0x20,
    LU_VALID = 0x10,
    SVALID = 0x80,
    ELEMENT_DISABLED = 0x08, /* ED, SMC-3 6.11.4 */
    PVOLTAG = 0x80,
    AVOLTAG = 0x40,
};

enum { MEDIUM_DATA = 1, MEDIUM_CLEANING = 2, MEDIUM_WORM = 4 }; /* SMC-3, MEDIUM TYPE */

static enum personality_dvcid designator_kind(const struct element_report *w)
{
    return w->dvcid ? w->lu->personality->dvcid : DVCID_NONE;
}

static size_t designator_of(const struct element_report *w, const struct scsi_lu *drive)
{
    return strlen(drive->serial) + (designator_kind(w) == DVCID_T10 ? 24 : 0);
}

/* The descriptors of a page have one length: that of the longest designator. */
static size_t designator_room(const struct element_report *w)
{
    const struct scsi_target *target = w->lu->target;
    size_t room = 0;

    for (unsigned i = 1; designator_kind(w) != DVCID_NONE && i < target->lu_count; i++) {
        if (target->lus[i].present && target->lus[i].drive &&
            designator_of(w, &target->lus[i]) > room)
            room = designator_of(w, &target->lus[i]);
    }
    return room;
}

/* The robot can't take from a drive whose host prevents it, nor reach an element that is open. */
static bool accessible(struct scsi_lu *lu, const struct library_element *e)
{
    struct scsi_lu *drive = changer_drive_at(lu->target, e->address);

    if (e->type == ELEMENT_TRANSPORT || e->removed)
        return false; /* of the hand the bit is reserved */
    if (e->type == ELEMENT_IMPORT_EXPORT)
        return !changer_is_open(lu, e->address);
    return !drive || !lu_prevented(drive);
}

static unsigned element_flags(struct scsi_lu *lu, const struct library_element *e)
{
    unsigned flags = e->full ? FLAG_FULL : 0;

    if (e->type == ELEMENT_IMPORT_EXPORT)
        flags |= FLAG_INENAB | FLAG_EXENAB | (e->imported ? FLAG_IMPEXP : 0);
    return flags | (accessible(lu, e) ? FLAG_ACCESS : 0);
}

/* Bytes 6 and 7 of a drive's descriptor are obsolete since SMC-2, but Linux' ch finds the drives by
 * them: "on my own bus and target, this LUN".  Three bits hold a LUN up to 7. */
static void put_drive_address(const struct element_report *w, const struct library_element *e)
{
    struct scsi_lu *drive = changer_drive_at(w->lu->target, e->address);
    int lun = drive ? nexus_lun(w->lu->running->nexus, drive) : -1;
    struct reply *r = w->r;

    reply_u8(r, lun >= 0 && lun < 8 ? (unsigned)LU_VALID | (unsigned)lun : 0);
    reply_u8(r, 0);
}

static unsigned medium_type(const struct library_element *e)
{
    struct library_media media;

    if (!e->full)
        return 0;
    library_barcode_media(e->barcode, &media);
    return media.cleaning ? MEDIUM_CLEANING : media.worm ? MEDIUM_WORM : MEDIUM_DATA;
}

static void put_designator(const struct element_report *w, const struct library_element *e)
{
    struct scsi_lu *drive = changer_drive_at(w->lu->target, e->address);
    size_t room = e->type == ELEMENT_DRIVE ? w->designator : 0, len = 0;

    if (drive && room > 0)
        len = designator_of(w, drive);
    reply_u8(w->r, len ? 2 : 0);                                    /* ASCII */
    reply_u8(w->r, len && designator_kind(w) == DVCID_T10 ? 1 : 0); /* T10 as in VPD page 83h */
    reply_u8(w->r, 0);
    reply_u8(w->r, (unsigned)len);
    if (len && designator_kind(w) == DVCID_T10)
        reply_t10_designator(w->r, drive);
    else if (len)
        reply_text(w->r, drive->serial, len);
    reply_zero(w->r, room - len);
}

/* 32 characters, two bytes, the sequence number (SMC-3 6.16); NULL: there is none. */
static void put_tag(struct reply *r, const char *tag, uint16_t sequence)
{
    reply_text(r, tag ? tag : "", tag ? 32u : 0);
    reply_zero(r, tag ? 2u : VOLUME_TAG_LENGTH - 2u);
    reply_be16(r, sequence);
}

/* The label as the model reads it: some leave out what is behind the sixth character. */
static void put_primary_tag(const struct element_report *w, const struct library_element *e,
                            bool readable)
{
    unsigned max = w->lu->personality->barcode_length;
    char tag[CARTRIDGE_BARCODE_MAX + 1];

    snprintf(tag, sizeof(tag), "%.*s", max ? (int)max : CARTRIDGE_BARCODE_MAX, e->barcode);
    put_tag(w->r, readable ? tag : NULL, 0);
}

static bool tells_serial(const struct element_report *w, enum element_type type)
{
    return type == ELEMENT_DRIVE && w->lu->personality->alternate_tag == ALTERNATE_TAG_DRIVE_SERIAL;
}

/* AVOLTAG of a page: its descriptors have room for alternate tags. */
static bool has_alternates(const struct element_report *w, enum element_type type)
{
    return w->voltag && (w->alternates || tells_serial(w, type));
}

static void put_alternate_tag(const struct element_report *w, const struct library_element *e)
{
    const struct scsi_lu *drive = changer_drive_at(w->lu->target, e->address);

    if (tells_serial(w, e->type))
        put_tag(w->r, drive ? drive->serial : NULL, 0);
    else
        put_tag(w->r, *e->alternate ? e->alternate : NULL, e->alternate_sequence);
}

static void put_descriptor(struct element_report *w, const struct library_element *e)
{
    uint16_t exception = changer_exception(w->lu, e);
    bool tag = e->full && exception != ASC_LABEL_UNREADABLE;
    struct reply *r = w->r;

    reply_be16(r, e->address);
    reply_u8(r, element_flags(w->lu, e) | (exception ? FLAG_EXCEPT : 0u));
    reply_u8(r, 0);
    reply_be16(r, exception);
    put_drive_address(w, e);
    reply_u8(r, 0);
    reply_u8(r, (e->source_valid ? SVALID : 0u) | (e->removed ? ELEMENT_DISABLED : 0u) |
                    medium_type(e));
    reply_be16(r, e->source_valid ? e->source : 0);
    if (w->voltag)
        put_primary_tag(w, e, tag);
    if (has_alternates(w, e->type))
        put_alternate_tag(w, e);
    put_designator(w, e);
    if (r->len <= w->allocation) {
        w->whole = r->len;
        w->last = e->address;
    }
}

static void close_page(struct element_report *w)
{
    if (w->type)
        reply_patch(w->r, w->page + 5, w->r->len - w->page - 8, 3);
}

static void open_page(struct element_report *w, enum element_type type)
{
    size_t length = 16 + (w->voltag ? (size_t)VOLUME_TAG_LENGTH : 0) +
                    (has_alternates(w, type) ? (size_t)VOLUME_TAG_LENGTH : 0) +
                    (type == ELEMENT_DRIVE ? w->designator : 0);

    close_page(w);
    w->type = type;
    w->page = w->r->len;
    reply_u8(w->r, type);
    reply_u8(w->r, (w->voltag ? PVOLTAG : 0u) | (has_alternates(w, type) ? AVOLTAG : 0u));
    reply_be16(w->r, (unsigned)length);
    reply_be32(w->r, 0); /* byte count, when it is closed */
}

/* Count and describe one element. */
static void report_element(struct element_report *w, const struct library_element *e)
{
    if (w->elements++ == 0)
        w->first = e->address;
    if (w->type != e->type)
        open_page(w, e->type);
    put_descriptor(w, e);
}

static int visit_element(void *ctx, const struct library_element *e)
{
    struct element_report *w = ctx;

    if (w->elements < w->count && (!w->wanted || w->wanted(w->wanted_ctx, e)))
        report_element(w, e);
    return 0;
}

void changer_report(struct element_report *w, struct scsi_task *task)
{
    struct reply r = task_reply(task, w->allocation);
    /* With a filter, how many elements have to be looked at is not known beforehand. */
    unsigned count = w->wanted ? UINT16_MAX + 1u : w->count;

    w->r = &r;
    w->whole = 8;
    w->designator = designator_room(w);
    w->alternates = w->voltag && library_has_alternates(w->lu->target->library);
    reply_zero(&r, 4);
    reply_u8(&r, w->action);
    reply_zero(&r, 3);
    if (library_elements(w->lu->target->library, w->only, w->start, count, visit_element, w,
                         NULL) != 0) {
        task_fail(w->lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
        return;
    }
    close_page(w);
    reply_patch(&r, 0, w->first, 2);
    reply_patch(&r, 2, w->elements, 2);
    reply_patch(&r, 5, r.len - 8, 3);
    task_replied(task, &r, w->allocation < w->whole ? w->allocation : w->whole);
}

void cmd_read_element_status(struct scsi_lu *lu, struct scsi_task *task)
{
    struct element_report w = {
        .lu = lu,
        .allocation = get_be24(task->cdb + 7),
        .voltag = task->cdb[1] & 0x10,
        .dvcid = task->cdb[6] & 0x01,
        .only = task->cdb[1] & 0x0f,
        .start = get_be16(task->cdb + 2),
        .count = get_be16(task->cdb + 4),
    };

    /* Without CURDATA a robot might have to move, which a reservation forbids (SMC-2 table 2). */
    if (!(task->cdb[6] & 0x02) && reservation_conflicts(lu, task->nexus, 0))
        task->status = SCSI_RESERVATION_CONFLICT;
    else if (w.only > ELEMENT_DRIVE)
        task_bad_cdb(lu, task, 1, 3);
    else
        changer_report(&w, task);
}
