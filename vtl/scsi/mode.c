/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mode.c - the values of mode pages, kept and saved, and MODE SENSE (SPC-5 6.16, 6.17) over a
 * kind's table of mode pages.
 *
 * Saved are the changeable bits only, page by page under their codes: a page that a later version
 * of the table has made longer or shorter starts from its defaults again, and a bit that may no
 * longer be changed has its default whatever was saved.
 */
#include "vtl/scsi/internal.h"

enum { PC_CURRENT, PC_CHANGEABLE, PC_DEFAULT, PC_SAVED };

#define ALL_PAGES    0x3f
#define ALL_SUBPAGES 0xff

/* A saved page: code, subcode, size, then its bytes; before the first a version. */
enum { SAVED_VERSION = 1, SAVED_HEADER = 3 };
#define SAVED_MAX (1 + MODE_PAGES_MAX * (SAVED_HEADER + MODE_PAGE_MAX))

/* ---- values ---------------------------------------------------------------------------------- */

static size_t header_size(const struct mode_page *page)
{
    return page->subcode ? 4 : 2;
}

static int page_row(const struct scsi_lu *lu, uint8_t code, uint8_t subcode)
{
    for (size_t i = 0; i < lu->kind->mode_page_count; i++) {
        if (lu->kind->mode_pages[i].code == code && lu->kind->mode_pages[i].subcode == subcode)
            return (int)i;
    }
    return -1;
}

uint8_t *mode_page_values(struct scsi_lu *lu, uint8_t code, uint8_t subcode)
{
    int row = page_row(lu, code, subcode);

    return row < 0 ? NULL : lu->mode[row];
}

bool lu_descriptor_sense(struct scsi_lu *lu)
{
    const uint8_t *control = mode_page_values(lu, 0x0a, 0);

    return control && (control[2] & 0x04); /* D_SENSE */
}

bool mode_saves(const struct scsi_lu *lu)
{
    return lu->kind->saves;
}

bool mode_page_saves(const struct scsi_lu *lu, const struct mode_page *page)
{
    return mode_saves(lu) && page->changeable && !page->unsaved;
}

/* ---- saving ---------------------------------------------------------------------------------- */

int mode_save(struct scsi_lu *lu, struct error *err)
{
    uint8_t buf[SAVED_MAX] = {SAVED_VERSION};
    size_t len = 1;

    for (size_t i = 0; i < lu->kind->mode_page_count; i++) {
        const struct mode_page *page = &lu->kind->mode_pages[i];

        if (!mode_page_saves(lu, page))
            continue;
        buf[len] = page->code;
        buf[len + 1] = page->subcode;
        buf[len + 2] = page->size;
        memcpy(buf + len + SAVED_HEADER, lu->mode[i], page->size);
        len += SAVED_HEADER + page->size;
    }
    return lu_value_set(lu, "mode", buf, len, err);
}

/* Put the saved bits of one page over its defaults. */
static void saved_page(const struct scsi_lu *lu, const uint8_t *saved,
                       uint8_t values[MODE_PAGES_MAX][MODE_PAGE_MAX])
{
    int row = page_row(lu, saved[0], saved[1]);
    const struct mode_page *page = row < 0 ? NULL : &lu->kind->mode_pages[row];

    if (!page || page->size != saved[2] || !mode_page_saves(lu, page))
        return;
    for (size_t i = header_size(page); i < page->size; i++) {
        uint8_t mask = page->changeable[i];

        values[row][i] = (uint8_t)((page->initial[i] & ~mask) | (saved[SAVED_HEADER + i] & mask));
    }
}

/* The saved values of all pages; of what was never saved, the defaults. */
static void saved_values(const struct scsi_lu *lu, uint8_t values[MODE_PAGES_MAX][MODE_PAGE_MAX])
{
    uint8_t buf[SAVED_MAX];
    struct error err = ERROR_INIT;
    size_t len = 0;
    int rc;

    for (size_t i = 0; i < lu->kind->mode_page_count; i++)
        memcpy(values[i], lu->kind->mode_pages[i].initial, lu->kind->mode_pages[i].size);
    if (!mode_saves(lu))
        return;
    rc = lu_value_get(lu, "mode", buf, sizeof(buf), &len, &err);
    if (rc != 0 && rc != -ERR_NOT_FOUND)
        lu_log(lu, LOG_LEVEL_WARNING, "its saved mode pages can't be read: %s", err.message);
    if (rc != 0 || len == 0 || buf[0] != SAVED_VERSION)
        return;
    for (size_t at = 1; at + SAVED_HEADER <= len; at += SAVED_HEADER + buf[at + 2]) {
        if (SAVED_HEADER + (size_t)buf[at + 2] > len - at)
            return;
        saved_page(lu, buf + at, values);
    }
}

void mode_reset(struct scsi_lu *lu)
{
    saved_values(lu, lu->mode);
    lu->block_length = 0;
    lu->buffered = true;
}

/* ---- MODE SENSE ------------------------------------------------------------------------------ */

static bool page_wanted(const struct mode_page *page, uint8_t code, uint8_t subcode)
{
    if (code != ALL_PAGES && code != page->code)
        return false;
    return subcode == ALL_SUBPAGES || subcode == page->subcode;
}

static void put_page(struct scsi_lu *lu, const struct mode_page *page, const uint8_t *values,
                     unsigned pc, struct reply *r)
{
    uint8_t bytes[MODE_PAGE_MAX] = {0};
    size_t size = page->size;

    memcpy(bytes, values, page->size);
    if (page->variable) {
        page->refresh(lu, bytes);
        size = 2u + bytes[1];
    }
    if (pc == PC_CHANGEABLE) {
        memset(bytes + header_size(page), 0, page->size - header_size(page));
        if (page->changeable)
            memcpy(bytes + header_size(page), page->changeable + header_size(page),
                   page->size - header_size(page));
    } else if (page->refresh) {
        page->refresh(lu, bytes);
    }
    if (mode_page_saves(lu, page))
        bytes[0] |= 0x80; /* PS */
    reply_bytes(r, bytes, size);
}

/* The wanted pages with the values of pc; returns how many.  room: so many bytes at most. */
static unsigned put_pages(struct scsi_lu *lu, const uint8_t *cdb, size_t room, struct reply *r)
{
    uint8_t saved[MODE_PAGES_MAX][MODE_PAGE_MAX];
    unsigned pc = cdb[2] >> 6, found = 0;

    if (pc == PC_SAVED)
        saved_values(lu, saved);
    for (size_t i = 0; i < lu->kind->mode_page_count; i++) {
        const struct mode_page *page = &lu->kind->mode_pages[i];

        if (!page_wanted(page, cdb[2] & 0x3f, cdb[3]))
            continue;
        found++;
        if (r->len + page->size <= room)
            put_page(lu, page,
                     pc == PC_SAVED     ? saved[i]
                     : pc == PC_DEFAULT ? page->initial
                                        : lu->mode[i],
                     pc, r);
    }
    return found;
}

static void put_block_descriptor(struct scsi_lu *lu, unsigned pc, struct reply *r)
{
    reply_u8(r, pc == PC_CHANGEABLE ? 0 : lu_density(lu));
    reply_be24(r, 0); /* all blocks */
    reply_u8(r, 0);
    reply_be24(r, pc == PC_CHANGEABLE ? 0xffffff : pc == PC_CURRENT ? lu->block_length : 0);
}

static void put_header(struct scsi_lu *lu, bool ten, bool descriptor, struct reply *r)
{
    reply_be(r, 0, ten ? 2 : 1); /* mode data length, below */
    reply_u8(r, lu->kind->medium_type ? lu->kind->medium_type(lu) : 0);
    reply_u8(r, lu->kind->device_specific ? lu->kind->device_specific(lu) : 0);
    reply_zero(r, ten ? 2 : 0); /* LONGLBA=0: the descriptor is short, whatever LLBAA allows */
    reply_be(r, descriptor ? 8 : 0, ten ? 2 : 1);
}

/* The page is not there: is it the page code, or only the subpage code? */
static void no_such_page(struct scsi_lu *lu, struct scsi_task *task)
{
    bool subpage = task->cdb[3] && mode_page_values(lu, task->cdb[2] & 0x3f, 0);

    task_bad_cdb(lu, task, subpage ? 3 : 2, subpage ? 7 : 5);
}

void cmd_mode_sense(struct scsi_lu *lu, struct scsi_task *task)
{
    bool ten = task->cdb[0] == 0x5a;
    unsigned allocation = ten ? get_be16(task->cdb + 7) : task->cdb[4];
    bool descriptor = lu->kind->medium_type && !(task->cdb[1] & 0x08); /* DBD */
    unsigned pc = task->cdb[2] >> 6, found;
    struct reply r = task_reply(task, allocation);

    if (pc == PC_SAVED && !mode_saves(lu)) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_SAVING_NOT_SUPPORTED);
        return;
    }
    put_header(lu, ten, descriptor, &r);
    if (descriptor)
        put_block_descriptor(lu, pc, &r);
    /* MODE SENSE(6) can't say more than 256 bytes: what does not fit is left out, page by page. */
    found = put_pages(lu, task->cdb, ten ? 65536 : 256, &r);
    /* Page 0 alone asks for header and block descriptor: what st does, to learn the block size. */
    if (found == 0 && ((task->cdb[2] & 0x3f) != 0 || task->cdb[3] != 0)) {
        no_such_page(lu, task);
        return;
    }
    reply_patch(&r, 0, r.len - (ten ? 2 : 1), ten ? 2 : 1);
    task_replied(task, &r, allocation);
}
