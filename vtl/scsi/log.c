/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.c - LOG SENSE (SPC-5 6.9) over a kind's table of log pages, and what builders of pages put
 * parameters with.
 */
#include "vtl/scsi/log.h"

enum { PAGE_SUPPORTED = 0x00, ALL_SUBPAGES = 0xff };

/* Control bytes of list parameters: not saved by itself, and the format. */
enum { ASCII_LIST = LOG_TSD | 0x01, BINARY_LIST = LOG_TSD | 0x03 };

/* ---- parameters ------------------------------------------------------------------------------ */

/* Whether the parameter is wanted, as far as its header: lists are of no interest to walks. */
static bool put_list_header(struct log_reply *l, unsigned code, unsigned control, unsigned len)
{
    if (l->control > LOG_DEFAULT_CUMULATIVE || code < l->first)
        return false;
    reply_be16(l->r, code);
    reply_u8(l->r, control);
    reply_u8(l->r, len);
    return true;
}

/* The greatest value that fits: a counter stops there (SPC-5 7.3.2.2.2.2). */
static uint64_t bounded(uint64_t value, unsigned bytes)
{
    uint64_t max = bytes < 8 ? ((uint64_t)1 << (8 * bytes)) - 1 : UINT64_MAX;

    return value < max ? value : max;
}

void log_counter(struct log_reply *l, unsigned code, uint64_t value, unsigned bytes)
{
    uint8_t control;
    uint64_t shown;

    if (l->control > LOG_DEFAULT_CUMULATIVE) {
        log_visit(l, (uint16_t)code, value, bytes);
        return;
    }
    if (code < l->first)
        return;
    shown = log_shown(l, (uint16_t)code, value, &control);
    reply_be16(l->r, code);
    reply_u8(l->r, control);
    reply_u8(l->r, bytes);
    reply_be(l->r, bounded(shown, bytes), bytes);
}

void log_number(struct log_reply *l, unsigned code, uint64_t value, unsigned bytes)
{
    if (put_list_header(l, code, BINARY_LIST, bytes))
        reply_be(l->r, bounded(value, bytes), bytes);
}

void log_text(struct log_reply *l, unsigned code, const char *text, unsigned width)
{
    if (put_list_header(l, code, ASCII_LIST, width))
        reply_text(l->r, text, width);
}

void log_binary(struct log_reply *l, unsigned code, const uint8_t *data, unsigned len)
{
    if (put_list_header(l, code, BINARY_LIST, len))
        reply_bytes(l->r, data, len);
}

/* ---- lists of pages -------------------------------------------------------------------------- */

const struct log_page *log_page_find(const struct scsi_lu *lu, uint8_t code, uint8_t subcode)
{
    for (size_t i = 0; i < lu->kind->log_page_count; i++) {
        const struct log_page *page = &lu->kind->log_pages[i];

        if (page->code == code && page->subcode == subcode)
            return page;
    }
    return NULL;
}

static bool has_code(const struct scsi_lu *lu, uint8_t code)
{
    for (size_t i = 0; i < lu->kind->log_page_count; i++) {
        if (lu->kind->log_pages[i].code == code)
            return true;
    }
    return code == PAGE_SUPPORTED;
}

/* Page 00h: the page codes (SPC-5 7.3.17). */
static void put_codes(const struct scsi_lu *lu, struct reply *r)
{
    int last = PAGE_SUPPORTED;

    reply_u8(r, PAGE_SUPPORTED);
    for (size_t i = 0; i < lu->kind->log_page_count; i++) {
        if (lu->kind->log_pages[i].code != last)
            reply_u8(r, lu->kind->log_pages[i].code);
        last = lu->kind->log_pages[i].code;
    }
}

static void put_pair(struct reply *r, uint8_t code, uint8_t subcode)
{
    reply_u8(r, code);
    reply_u8(r, subcode);
}

/* Subpage FFh: pages with their subpages, this list among them (SPC-5 7.3.18); of page 00h those
 * of all pages. */
static void put_subpages(const struct scsi_lu *lu, uint8_t code, struct reply *r)
{
    int last = -1;

    if (code == PAGE_SUPPORTED) {
        put_pair(r, PAGE_SUPPORTED, 0);
        put_pair(r, PAGE_SUPPORTED, ALL_SUBPAGES);
    }
    for (size_t i = 0; i < lu->kind->log_page_count; i++) {
        const struct log_page *page = &lu->kind->log_pages[i];

        if (code != PAGE_SUPPORTED && page->code != code)
            continue;
        if (last >= 0 && last != page->code)
            put_pair(r, (uint8_t)last, ALL_SUBPAGES);
        put_pair(r, page->code, page->subcode);
        last = page->code;
    }
    if (last >= 0)
        put_pair(r, (uint8_t)last, ALL_SUBPAGES);
}

/* ---- LOG SENSE ------------------------------------------------------------------------------- */

/* False, with the status set: there is no such page. */
static bool page_is_there(struct scsi_lu *lu, struct scsi_task *task, const struct log_page *page)
{
    uint8_t code = task->cdb[2] & 0x3f, subcode = task->cdb[3];

    if (page || (has_code(lu, code) && subcode == ALL_SUBPAGES) ||
        (code == PAGE_SUPPORTED && subcode == 0))
        return true;
    task_bad_cdb(lu, task, has_code(lu, code) ? 3 : 2, has_code(lu, code) ? 7 : 5);
    return false;
}

static void put_page(struct scsi_lu *lu, struct scsi_task *task, const struct log_page *page,
                     struct reply *r)
{
    struct log_reply l = {.lu = lu,
                          .nexus = task->nexus,
                          .page = task->cdb[2] & 0x3f,
                          .subpage = task->cdb[3],
                          .control = task->cdb[2] >> 6,
                          .first = get_be16(task->cdb + 5),
                          .r = r};

    /* DS: nothing is saved; SPF */
    reply_u8(r, (lu->kind->saves ? 0u : 0x80u) | (l.subpage ? 0x40u : 0u) | l.page);
    reply_u8(r, l.subpage);
    reply_be16(r, 0); /* page length, below */
    if (page)
        page->build(&l);
    else if (l.subpage)
        put_subpages(lu, l.page, r);
    else
        put_codes(lu, r);
    reply_patch(r, 2, r->len - 4, 2);
}

void cmd_log_sense(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned allocation = get_be16(task->cdb + 7);
    const struct log_page *page = log_page_find(lu, task->cdb[2] & 0x3f, task->cdb[3]);
    struct reply r = task_reply(task, allocation);

    if (!page_is_there(lu, task, page) || ((task->cdb[1] & 1) && !log_save_parameters(lu, task)))
        return;
    put_page(lu, task, page, &r);
    /* A parameter pointer beyond the last parameter (SPC-5 6.9.2). */
    if (r.len == 4 && get_be16(task->cdb + 5) != 0) {
        task_bad_cdb(lu, task, 5, 7);
        return;
    }
    task_replied(task, &r, allocation);
}
