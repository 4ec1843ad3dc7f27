/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - LOG SENSE and LOG SELECT (SPC-5 6.8, 6.9) over a kind's table of log pages, and the
 * TapeAlert page, which every kind has.
 */
#include "vtl/scsi/internal.h"

enum { PC_THRESHOLD, PC_CUMULATIVE, PC_DEFAULT_THRESHOLD, PC_DEFAULT_CUMULATIVE };
enum { PAGE_SUPPORTED = 0x00 };

/* The flags of TapeAlert that a condition of ours raises (SSC-5 annex A). */
bool alert_supported(unsigned flag)
{
    static const uint8_t flags[] = {
        3,  /* hard error */
        4,  /* medium: data at risk */
        5,  /* read failure */
        6,  /* write failure */
        9,  /* write protected */
        10, /* removal prevented */
        11, /* cleaning cartridge */
        12, /* unsupported format */
        16, /* forced eject */
    };

    return memchr(flags, (int)flag, sizeof(flags)) != NULL;
}

void log_value(struct reply *r, const struct scsi_task *task, unsigned code, uint64_t value,
               unsigned bytes)
{
    unsigned pc = task->cdb[2] >> 6;

    if (code < get_be16(task->cdb + 5))
        return;
    if (pc == PC_DEFAULT_CUMULATIVE)
        value = 0;
    else if (pc != PC_CUMULATIVE)
        value = UINT64_MAX; /* thresholds are never met */
    reply_be16(r, code);
    reply_u8(r, 0x20); /* TSD: not saved by itself; a bounded counter */
    reply_u8(r, bytes);
    reply_be(r, value, bytes);
}

void log_text(struct reply *r, const struct scsi_task *task, unsigned code, const char *text,
              unsigned width)
{
    if (code < get_be16(task->cdb + 5))
        return;
    reply_be16(r, code);
    reply_u8(r, 0x21); /* ASCII list parameter */
    reply_u8(r, width);
    reply_text(r, text, width);
}

void log_binary(struct reply *r, const struct scsi_task *task, unsigned code, const uint8_t *data,
                unsigned len)
{
    if (code < get_be16(task->cdb + 5))
        return;
    reply_be16(r, code);
    reply_u8(r, 0x23); /* binary list parameter */
    reply_u8(r, len);
    reply_bytes(r, data, len);
}

void log_tape_alert(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    uint64_t alerts = alert_take(lu, task->nexus); /* reading clears them (SSC-5 8.3.3) */

    for (unsigned flag = 1; flag <= 64; flag++)
        log_value(r, task, flag, alerts >> (flag - 1) & 1, 1);
}

/* Page 00h, and 00h/FFh, where each page comes with its subpage 00h. */
static void put_supported(struct scsi_lu *lu, bool subpages, struct reply *r)
{
    reply_u8(r, PAGE_SUPPORTED);
    reply_zero(r, subpages ? 1 : 0);
    if (subpages) {
        reply_u8(r, PAGE_SUPPORTED);
        reply_u8(r, 0xff);
    }
    for (size_t i = 0; i < lu->kind->log_page_count; i++) {
        reply_u8(r, lu->kind->log_pages[i].code);
        reply_zero(r, subpages ? 1 : 0);
    }
}

static const struct log_page *log_find(struct scsi_lu *lu, uint8_t code)
{
    for (size_t i = 0; i < lu->kind->log_page_count; i++) {
        if (lu->kind->log_pages[i].code == code)
            return &lu->kind->log_pages[i];
    }
    return NULL;
}

void cmd_log_sense(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned allocation = get_be16(task->cdb + 7);
    uint8_t code = task->cdb[2] & 0x3f, subcode = task->cdb[3];
    const struct log_page *page = log_find(lu, code);
    struct reply r = task_reply(task, allocation);

    if (task->cdb[1] & 1) { /* SP */
        task_bad_cdb(lu, task, 1, 0);
        return;
    }
    if (code != PAGE_SUPPORTED && !page) {
        task_bad_cdb(lu, task, 2, 5);
        return;
    }
    if (subcode != 0 && !(code == PAGE_SUPPORTED && subcode == 0xff)) {
        task_bad_cdb(lu, task, 3, 7);
        return;
    }
    reply_u8(&r, code | (subcode ? 0x40u : 0));
    reply_u8(&r, subcode);
    reply_be16(&r, 0); /* page length, below */
    if (page)
        page->build(lu, task, &r);
    else
        put_supported(lu, subcode != 0, &r);
    /* A parameter pointer beyond the last parameter (SPC-5 6.9.2). */
    if (page && r.len == 4 && get_be16(task->cdb + 5) != 0) {
        task_bad_cdb(lu, task, 5, 7);
        return;
    }
    reply_patch(&r, 2, r.len - 4, 2);
    task_replied(task, &r, allocation);
}

/* Only the reset of counters (PCR) is offered: values and thresholds can't be set by a list. */
void cmd_log_select(struct scsi_lu *lu, struct scsi_task *task)
{
    uint8_t code = task->cdb[2] & 0x3f;

    if (task->cdb[1] & 1) { /* SP */
        task_bad_cdb(lu, task, 1, 0);
    } else if (get_be16(task->cdb + 7) != 0) {
        task_bad_cdb(lu, task, 7, 7);
    } else if (task->cdb[3] != 0 || (code != 0 && !log_find(lu, code))) {
        task_bad_cdb(lu, task, task->cdb[3] ? 3 : 2, task->cdb[3] ? 7 : 5);
    } else if (task->cdb[1] & 2) { /* PCR */
        if (lu->kind->log_reset)
            lu->kind->log_reset(lu, code);
        attention_raise(lu, ASC_LOG_CHANGED, task->nexus);
    }
}
