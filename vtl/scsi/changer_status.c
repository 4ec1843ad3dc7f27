/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changer_status.c - READ ELEMENT STATUS (SMC-3 6.11): every element asked for, in pages by type.
 *
 * Elements are reported in rising order of address; as each type has one range of addresses, that
 * is one page a type.  A type with nothing to report has no page: mtx and others take a page
 * without descriptors for an error.
 */
#include "vtl/scsi/changer.h"

enum {
    VOLUME_TAG_LENGTH = 36,
    FLAG_FULL = 0x01,
    FLAG_IMPEXP = 0x02,
    FLAG_ACCESS = 0x08,
    FLAG_EXENAB = 0x10,
    FLAG_INENAB = 0x20,
    LU_VALID = 0x10,
    SVALID = 0x80,
    ED = 0x08,
};

struct status_walk {
    struct scsi_target *target;
    struct reply *r;
    bool voltag, dvcid;
    enum element_type type; /* of the open page, 0: none */
    uint64_t page;          /* offset of the open page */
    unsigned elements;
    uint16_t first;
};

static size_t designator_length(const struct status_walk *w, enum element_type type)
{
    return w->dvcid && type == ELEMENT_DRIVE && w->target->lu_count > 1
               ? 24u + strlen(w->target->lus[1].serial)
               : 0;
}

static unsigned element_flags(const struct library_element *e)
{
    unsigned flags = e->full ? FLAG_FULL : 0;

    if (e->type == ELEMENT_IMPORT_EXPORT)
        flags |= FLAG_INENAB | FLAG_EXENAB | (e->imported ? FLAG_IMPEXP : 0);
    return e->type == ELEMENT_TRANSPORT ? flags : flags | FLAG_ACCESS;
}

/* Bytes 6 and 7 of a drive's descriptor are obsolete since SMC-2, but Linux' ch finds the drives by
 * them: "on my own bus and target, this LUN".  Three bits hold a LUN up to 7. */
static void put_drive_address(struct reply *r, const struct library_element *e)
{
    unsigned lun = e->type == ELEMENT_DRIVE ? e->address - LIBRARY_ADDRESS_DRIVE + 1u : 8;

    reply_u8(r, lun < 8 ? (unsigned)LU_VALID | lun : 0);
    reply_u8(r, 0);
}

static void put_descriptor(struct status_walk *w, const struct library_element *e)
{
    struct reply *r = w->r;
    size_t designator = designator_length(w, e->type);

    reply_be16(r, e->address);
    reply_u8(r, element_flags(e));
    reply_u8(r, 0);
    reply_be16(r, 0); /* no additional sense code: no exception */
    put_drive_address(r, e);
    reply_u8(r, 0);
    reply_u8(r, (e->source_valid ? SVALID : 0u) | (e->full ? 1u : 0)); /* medium type: data */
    reply_be16(r, e->source_valid ? e->source : 0);
    if (w->voltag) {
        reply_text(r, e->barcode, e->full ? 32u : 0);
        reply_zero(r, e->full ? 4u : VOLUME_TAG_LENGTH);
    }
    reply_u8(r, designator ? 2 : 0); /* ASCII */
    reply_u8(r, designator ? 1 : 0); /* T10 vendor id, as in VPD page 83h */
    reply_u8(r, 0);
    reply_u8(r, (unsigned)designator);
    if (designator)
        reply_t10_designator(r, &w->target->lus[e->address - LIBRARY_ADDRESS_DRIVE + 1]);
}

static void close_page(struct status_walk *w)
{
    if (w->type)
        reply_patch(w->r, w->page + 5, w->r->len - w->page - 8, 3);
}

static void open_page(struct status_walk *w, enum element_type type)
{
    size_t length = 16 + (w->voltag ? (size_t)VOLUME_TAG_LENGTH : 0) + designator_length(w, type);

    close_page(w);
    w->type = type;
    w->page = w->r->len;
    reply_u8(w->r, type);
    reply_u8(w->r, w->voltag ? 0x80 : 0); /* PVOLTAG */
    reply_be16(w->r, (unsigned)length);
    reply_be32(w->r, 0); /* byte count, when it is closed */
}

static int status_element(void *ctx, const struct library_element *e)
{
    struct status_walk *w = ctx;

    if (w->elements++ == 0)
        w->first = e->address;
    if (w->type != e->type)
        open_page(w, e->type);
    put_descriptor(w, e);
    return 0;
}

void cmd_read_element_status(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned type = task->cdb[1] & 0x0f;
    uint32_t allocation = get_be24(task->cdb + 7);
    struct reply r = task_reply(task, allocation);
    struct status_walk w = {
        .target = lu->target, .r = &r, .voltag = task->cdb[1] & 0x10, .dvcid = task->cdb[6] & 0x01};
    struct error err = ERROR_INIT;

    /* Without CURDATA a robot might have to move, which a reservation forbids (SMC-2 table 2). */
    if (!(task->cdb[6] & 0x02) && reservation_conflicts(lu, task->nexus, 0)) {
        task->status = SCSI_RESERVATION_CONFLICT;
        return;
    }
    if (type > ELEMENT_DRIVE) {
        task_bad_cdb(lu, task, 1, 3);
        return;
    }
    reply_zero(&r, 8);
    if (library_elements(lu->target->library, type, get_be16(task->cdb + 2),
                         get_be16(task->cdb + 4), status_element, &w, &err) != 0) {
        task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
        return;
    }
    close_page(&w);
    reply_patch(&r, 0, w.first, 2);
    reply_patch(&r, 2, w.elements, 2);
    reply_patch(&r, 5, r.len - 8, 3);
    task_replied(task, &r, allocation);
}
