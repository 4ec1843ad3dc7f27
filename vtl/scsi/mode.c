/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mode.c - MODE SENSE and MODE SELECT (SPC-5 6.14 .. 6.17) over a kind's table of mode pages.
 *
 * A MODE SELECT is decoded into a copy of all parameters; only if the whole list is right does the
 * copy become current, and then the other nexuses get a unit attention, once.
 */
#include "vtl/scsi/internal.h"

enum { PC_CURRENT, PC_CHANGEABLE, PC_DEFAULT, PC_SAVED };

#define ALL_PAGES    0x3f
#define ALL_SUBPAGES 0xff

/* What MODE SELECT may change. */
struct mode_values {
    uint8_t pages[MODE_PAGES_MAX][MODE_PAGE_MAX];
    uint32_t block_length;
    bool buffered;
};

void mode_reset(struct scsi_lu *lu)
{
    for (size_t i = 0; i < lu->kind->mode_page_count; i++)
        memcpy(lu->mode[i], lu->kind->mode_pages[i].initial, lu->kind->mode_pages[i].size);
    lu->block_length = 0;
    lu->buffered = true;
}

uint8_t *mode_page_values(struct scsi_lu *lu, uint8_t code, uint8_t subcode)
{
    for (size_t i = 0; i < lu->kind->mode_page_count; i++) {
        if (lu->kind->mode_pages[i].code == code && lu->kind->mode_pages[i].subcode == subcode)
            return lu->mode[i];
    }
    return NULL;
}

bool lu_descriptor_sense(struct scsi_lu *lu)
{
    const uint8_t *control = mode_page_values(lu, 0x0a, 0);

    return control && (control[2] & 0x04); /* D_SENSE */
}

/* ---- MODE SENSE ------------------------------------------------------------------------------ */

static bool page_wanted(const struct mode_page *page, uint8_t code, uint8_t subcode)
{
    if (code != ALL_PAGES && code != page->code)
        return false;
    return subcode == ALL_SUBPAGES || subcode == page->subcode;
}

static void put_page(struct scsi_lu *lu, size_t row, unsigned pc, struct reply *r)
{
    const struct mode_page *page = &lu->kind->mode_pages[row];
    size_t header = page->subcode ? 4 : 2;
    uint8_t values[MODE_PAGE_MAX] = {0};

    if (pc == PC_CHANGEABLE) {
        memcpy(values, page->initial, header);
        if (page->changeable)
            memcpy(values + header, page->changeable + header, page->size - header);
    } else {
        memcpy(values, pc == PC_DEFAULT ? page->initial : lu->mode[row], page->size);
        if (page->refresh)
            page->refresh(lu, values);
    }
    reply_bytes(r, values, page->size);
}

static void put_block_descriptor(struct scsi_lu *lu, unsigned pc, struct reply *r)
{
    reply_u8(r, lu_density(lu));
    reply_be24(r, 0); /* all blocks */
    reply_u8(r, 0);
    reply_be24(r, pc == PC_CHANGEABLE ? 0xffffff : pc == PC_DEFAULT ? 0 : lu->block_length);
}

void cmd_mode_sense(struct scsi_lu *lu, struct scsi_task *task)
{
    bool ten = task->cdb[0] == 0x5a;
    unsigned allocation = ten ? get_be16(task->cdb + 7) : task->cdb[4];
    bool descriptor = lu->kind->medium_type && !(task->cdb[1] & 0x08); /* DBD */
    unsigned pc = task->cdb[2] >> 6, found = 0;
    uint8_t code = task->cdb[2] & 0x3f, subcode = task->cdb[3];
    struct reply r = task_reply(task, allocation);

    if (pc == PC_SAVED) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_SAVING_NOT_SUPPORTED);
        return;
    }
    reply_be(&r, 0, ten ? 2 : 1); /* mode data length, below */
    reply_u8(&r, lu->kind->medium_type ? lu->kind->medium_type(lu) : 0);
    reply_u8(&r, lu->kind->device_specific ? lu->kind->device_specific(lu) : 0);
    reply_zero(&r, ten ? 2 : 0);
    reply_be(&r, descriptor ? 8 : 0, ten ? 2 : 1);
    if (descriptor)
        put_block_descriptor(lu, pc, &r);
    for (size_t i = 0; i < lu->kind->mode_page_count; i++) {
        if (page_wanted(&lu->kind->mode_pages[i], code, subcode)) {
            put_page(lu, i, pc, &r);
            found++;
        }
    }
    /* Page 0 alone asks for header and block descriptor: what st does, to learn the block size. */
    if (found == 0 && !(code == 0 && subcode == 0)) {
        task_bad_cdb(lu, task, subcode && mode_page_values(lu, code, 0) ? 3 : 2,
                     subcode && mode_page_values(lu, code, 0) ? 7 : 5);
        return;
    }
    reply_patch(&r, 0, r.len - (ten ? 2 : 1), ten ? 2 : 1);
    task_replied(task, &r, allocation);
}

/* ---- MODE SELECT ----------------------------------------------------------------------------- */

struct mode_list {
    const uint8_t *data;
    size_t len, at;
};

static bool short_list(struct scsi_lu *lu, struct scsi_task *task)
{
    task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    return false;
}

/* DEVICE-SPECIFIC PARAMETER (SSC-5 8.5.3): WP is ours and ignored; buffered mode 0 or 1; speed 0.
 */
static bool select_device_specific(struct scsi_lu *lu, struct scsi_task *task, unsigned at,
                                   uint8_t value, struct mode_values *v)
{
    if (!lu->kind->device_specific)
        return true;
    if ((value & 0x70) > 0x10) {
        task_bad_list(lu, task, at, 6);
        return false;
    }
    if (value & 0x0f) {
        task_bad_list(lu, task, at, 3);
        return false;
    }
    v->buffered = (value & 0x70) != 0;
    return true;
}

static bool select_block_descriptor(struct scsi_lu *lu, struct scsi_task *task,
                                    struct mode_list *list, struct mode_values *v)
{
    const uint8_t *d = list->data + list->at;

    if (list->len - list->at < 8)
        return short_list(lu, task);
    /* The density is the medium's: 0 is the default, 7Fh no change, else it must be just that. */
    if (d[0] != 0 && d[0] != 0x7f && d[0] != lu_density(lu)) {
        task_bad_list(lu, task, (unsigned)list->at, 7);
        return false;
    }
    v->block_length = get_be24(d + 5);
    list->at += 8;
    return true;
}

/* Find the page at list->at, with its header's length, and check that it is whole. */
static bool select_find(struct scsi_lu *lu, struct scsi_task *task, const struct mode_list *list,
                        size_t *row)
{
    const uint8_t *p = list->data + list->at;
    size_t left = list->len - list->at;
    bool sub = p[0] & 0x40;
    uint8_t subcode;
    size_t size;

    if (left < 2 || (sub && left < 4))
        return short_list(lu, task);
    subcode = sub ? p[1] : 0;
    size = sub ? 4u + get_be16(p + 2) : 2u + p[1];
    for (*row = 0; *row < lu->kind->mode_page_count; (*row)++) {
        const struct mode_page *page = &lu->kind->mode_pages[*row];

        if (page->code != (p[0] & 0x3f) || page->subcode != subcode)
            continue;
        if (page->size != size) {
            task_bad_list(lu, task, (unsigned)list->at + (sub ? 2 : 1), 7);
            return false;
        }
        return left >= size || short_list(lu, task);
    }
    task_bad_list(lu, task, (unsigned)list->at, 5);
    return false;
}

static bool select_page(struct scsi_lu *lu, struct scsi_task *task, struct mode_list *list,
                        struct mode_values *v)
{
    const uint8_t *p = list->data + list->at;
    const struct mode_page *page;
    uint8_t present[MODE_PAGE_MAX];
    size_t row, header;

    if (!select_find(lu, task, list, &row))
        return false;
    page = &lu->kind->mode_pages[row];
    header = page->subcode ? 4 : 2;
    memcpy(present, v->pages[row], page->size);
    if (page->refresh)
        page->refresh(lu, present);
    for (size_t i = header; i < page->size; i++) {
        uint8_t changeable = page->changeable ? page->changeable[i] : 0;
        uint8_t bad = (uint8_t)((p[i] ^ present[i]) & ~changeable);

        if (bad) {
            task_bad_list(lu, task, (unsigned)(list->at + i), 31 - __builtin_clz(bad));
            return false;
        }
        v->pages[row][i] = (uint8_t)((v->pages[row][i] & ~changeable) | (p[i] & changeable));
    }
    list->at += page->size;
    return true;
}

static bool select_list(struct scsi_lu *lu, struct scsi_task *task, bool ten,
                        struct mode_list *list, struct mode_values *v)
{
    size_t header = ten ? 8 : 4, descriptor;

    if (list->len < header)
        return short_list(lu, task);
    descriptor = ten ? get_be16(list->data + 6) : list->data[3];
    if ((ten && (list->data[4] & 1)) || (descriptor != 0 && descriptor != 8) ||
        (descriptor && !lu->kind->medium_type)) {
        task_bad_list(lu, task, ten ? 6 : 3, 7); /* LONGLBA, or more descriptors than the one */
        return false;
    }
    if (!select_device_specific(lu, task, ten ? 3 : 2, list->data[ten ? 3 : 2], v))
        return false;
    list->at = header;
    if (descriptor && !select_block_descriptor(lu, task, list, v))
        return false;
    while (list->at < list->len) {
        if (!select_page(lu, task, list, v))
            return false;
    }
    return true;
}

void cmd_mode_select(struct scsi_lu *lu, struct scsi_task *task)
{
    bool ten = task->cdb[0] == 0x55;
    size_t len = ten ? get_be16(task->cdb + 7) : task->cdb[4];
    struct mode_list list = {task->out, len, 0};
    struct mode_values v = {.block_length = lu->block_length, .buffered = lu->buffered};

    if (task->cdb[1] & 1) { /* SP: no page can be saved */
        task_bad_cdb(lu, task, 1, 0);
        return;
    }
    memcpy(v.pages, lu->mode, sizeof(v.pages));
    if (len == 0 || !task_list(lu, task, len) || !select_list(lu, task, ten, &list, &v))
        return;
    if (memcmp(v.pages, lu->mode, sizeof(v.pages)) == 0 && v.block_length == lu->block_length &&
        v.buffered == lu->buffered)
        return;
    memcpy(lu->mode, v.pages, sizeof(v.pages));
    lu->block_length = v.block_length;
    lu->buffered = v.buffered;
    attention_raise(lu, ASC_MODE_CHANGED, task->nexus);
}
