/* SPDX-License-Identifier: Apache-2.0 */
/* inquiry.c - INQUIRY (SPC-5 6.6) and REPORT LUNS (6.33): who is there. */
#include "vtl/scsi/internal.h"

enum { NO_DEVICE = 0x7f /* peripheral qualifier 3, type 1Fh */, MULTIP = 0x10 };

/* Standard data, 96 bytes (SPC-5 6.6.2). */
static void standard_inquiry(struct reply *r, uint8_t type, const struct personality *p)
{
    reply_u8(r, type);
    reply_u8(r, p->fixed ? 0 : 0x80); /* removable medium */
    reply_u8(r, p->scsi_version);
    reply_u8(r, 0x12); /* HISUP, response data format 2 */
    reply_u8(r, 0);    /* additional length, below */
    reply_u8(r, 0);
    reply_u8(r, 0);
    reply_u8(r, 0x02); /* CMDQUE */
    reply_text(r, p->vendor, 8);
    reply_text(r, p->product, 16);
    reply_text(r, p->revision, 4);
    reply_zero(r, 55 - r->len);
    /* Of the vendor specific bytes, changers of all makers have BarC here: they read labels. */
    reply_u8(r, type == PERSONALITY_CHANGER ? 0x01 : 0);
    reply_zero(r, 58 - r->len);
    for (size_t i = 0; i < ARRAY_LENGTH(p->versions); i++)
        reply_be16(r, p->versions[i]);
    reply_zero(r, 96 - r->len);
    reply_patch(r, 4, 96 - 5, 1);
}

/* A page of the model's own, C0h to FFh. */
static bool vendor_inquiry(struct scsi_lu *lu, uint8_t code, struct reply *r)
{
    const struct personality *p = lu->personality;

    for (unsigned i = 0; i < p->vpd_count; i++) {
        const struct personality_vpd *page = &p->vpd[i];
        uint8_t bytes[PERSONALITY_VPD_MAX];

        if (page->code != code)
            continue;
        reply_u8(r, p->type);
        reply_u8(r, code);
        reply_be16(r, page->length);
        personality_vpd_fill(page, lu->serial, bytes);
        reply_bytes(r, bytes, page->length);
        return true;
    }
    return false;
}

static void vpd_inquiry(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    uint8_t code = task->cdb[2];

    if (vendor_inquiry(lu, code, r))
        return;
    for (size_t i = 0; i < lu->kind->vpd_page_count; i++) {
        if (lu->kind->vpd_pages[i].code != code)
            continue;
        reply_u8(r, lu->personality->type);
        reply_u8(r, code);
        reply_be16(r, 0); /* page length, below */
        lu->kind->vpd_pages[i].build(lu, r);
        reply_patch(r, 2, r->len - 4, 2);
        return;
    }
    task_bad_cdb(lu, task, 2, 7);
}

void cmd_inquiry(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned allocation = get_be16(task->cdb + 3);
    struct reply r = task_reply(task, allocation);

    if (task->cdb[1] & 1)
        vpd_inquiry(lu, task, &r);
    else if (task->cdb[2])
        task_bad_cdb(lu, task, 2, 7); /* a page code without EVPD */
    else
        standard_inquiry(&r, (uint8_t)lu->personality->type, lu->personality);
    if (!(task->cdb[1] & 1) && lu->target->port_count > 1)
        reply_patch(&r, 6, MULTIP, 1);
    if (task->status == SCSI_GOOD)
        task_replied(task, &r, allocation);
}

void inquiry_no_lu(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned allocation = get_be16(task->cdb + 3);
    struct reply r = task_reply(task, allocation);

    if (task->cdb[1] || task->cdb[2]) {
        task_bad_cdb(lu, task, 1, 0);
        return;
    }
    standard_inquiry(&r, NO_DEVICE, lu->personality);
    task_replied(task, &r, allocation);
}

/* ---- REPORT LUNS ----------------------------------------------------------------------------- */

/* Peripheral device addressing up to 255, flat space addressing beyond (SAM-6 4.7.7.2, 4.7.7.3). */
static void put_luns(const struct scsi_nexus *nexus, struct reply *r)
{
    for (unsigned i = 0; i < TARGET_LUNS; i++) {
        if (!nexus_unit(nexus, i))
            continue;
        reply_be16(r, i < 256 ? i : 0x4000 | i);
        reply_zero(r, 6);
    }
}

void report_luns_any(struct scsi_lu *lu, struct scsi_task *task)
{
    uint32_t allocation = get_be32(task->cdb + 6);
    struct reply r = task_reply(task, allocation);

    if (task->cdb[2] > 2) { /* 10h..12h: administrative and subsidiary units: we have none */
        task_bad_cdb(lu, task, 2, 7);
        return;
    }
    reply_be32(&r, 0);
    reply_be32(&r, 0);
    if (task->cdb[2] != 1) /* 1: well-known units only */
        put_luns(task->nexus, &r);
    reply_patch(&r, 0, r.len - 8, 4);
    task_replied(task, &r, allocation);
    attention_withdraw(task->nexus, ASC_REPORTED_LUNS_CHANGED); /* SPC-5 6.33 */
}

void cmd_report_luns(struct scsi_lu *lu, struct scsi_task *task)
{
    report_luns_any(lu, task);
}
