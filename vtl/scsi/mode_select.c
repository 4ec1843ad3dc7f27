/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mode_select.c - MODE SELECT (SPC-5 6.14, 6.15).
 *
 * A list is decoded into a copy of all parameters; only if the whole list is right does the copy
 * become current, and then the other nexuses get a unit attention, once.  What can't be saved
 * though SP asks for it is taken back.
 */
#include "vtl/scsi/internal.h"

/* What MODE SELECT may change. */
struct mode_values {
    uint8_t pages[MODE_PAGES_MAX][MODE_PAGE_MAX];
    bool given[MODE_PAGES_MAX]; /* the list has this page */
    uint32_t block_length;
    bool buffered;
};

struct mode_list {
    const uint8_t *data;
    size_t len, at;
};

static bool short_list(struct scsi_lu *lu, struct scsi_task *task)
{
    task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    return false;
}

static bool bad_list(struct scsi_lu *lu, struct scsi_task *task, size_t byte, int bit)
{
    task_bad_list(lu, task, (unsigned)byte, bit);
    return false;
}

/* ---- header and block descriptor ------------------------------------------------------------- */

/* DEVICE-SPECIFIC PARAMETER (SSC-5 8.5.3): WP is ours and ignored; buffered mode 0 or 1; speed 0.
 */
static bool select_device_specific(struct scsi_lu *lu, struct scsi_task *task, unsigned at,
                                   uint8_t value, struct mode_values *v)
{
    if (!lu->kind->device_specific)
        return true;
    if ((value & 0x70) > 0x10)
        return bad_list(lu, task, at, 6);
    if (value & 0x0f)
        return bad_list(lu, task, at, 3);
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
    if (d[0] != 0 && d[0] != 0x7f && d[0] != lu_density(lu))
        return bad_list(lu, task, list->at, 7);
    if (lu->personality->block_max && get_be24(d + 5) > lu->personality->block_max)
        return bad_list(lu, task, list->at + 5, 7); /* more than READ BLOCK LIMITS says */
    v->block_length = get_be24(d + 5);
    list->at += 8;
    return true;
}

/* ---- pages ----------------------------------------------------------------------------------- */

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
        if (page->variable ? size < 8 || size > page->size : size != page->size)
            return bad_list(lu, task, list->at + (sub ? 2 : 1), 7);
        return left >= size || short_list(lu, task);
    }
    return bad_list(lu, task, list->at, 5);
}

/* Bits that can't be changed must come as they are. */
static bool select_bits(struct scsi_lu *lu, struct scsi_task *task, const struct mode_list *list,
                        size_t row, uint8_t *values)
{
    const struct mode_page *page = &lu->kind->mode_pages[row];
    const uint8_t *p = list->data + list->at;
    size_t size = page->variable ? 2u + p[1] : page->size;
    uint8_t present[MODE_PAGE_MAX];

    memcpy(present, values, page->size);
    if (page->refresh)
        page->refresh(lu, present);
    if (page->variable) {
        if (memcmp(p + 1, present + 1, size - 1) == 0) /* as it is: nothing is chosen anew */
            return true;
        memset(values + 2, 0, page->size - 2u);
        values[1] = p[1];
    }
    for (size_t i = page->subcode ? 4 : 2; i < size; i++) {
        uint8_t changeable = page->changeable ? page->changeable[i] : 0;
        uint8_t bad = (uint8_t)((p[i] ^ present[i]) & ~changeable);

        if (bad)
            return bad_list(lu, task, list->at + i, 31 - __builtin_clz(bad));
        values[i] = (uint8_t)((values[i] & ~changeable) | (p[i] & changeable));
    }
    return true;
}

static bool select_page(struct scsi_lu *lu, struct scsi_task *task, struct mode_list *list,
                        struct mode_values *v)
{
    const struct mode_page *page;
    unsigned bad = 0;
    size_t row;

    if (!select_find(lu, task, list, &row) || !select_bits(lu, task, list, row, v->pages[row]))
        return false;
    page = &lu->kind->mode_pages[row];
    if (page->check)
        bad = page->check(lu, v->pages[row]);
    if (bad)
        return bad_list(lu, task, list->at + bad, -1);
    if (page->settle)
        page->settle(v->pages[row]);
    v->given[row] = true;
    list->at += page->variable ? 2u + list->data[list->at + 1] : page->size;
    return true;
}

static bool select_list(struct scsi_lu *lu, struct scsi_task *task, bool ten,
                        struct mode_list *list, struct mode_values *v)
{
    size_t header = ten ? 8 : 4, descriptor;

    if (list->len < header)
        return short_list(lu, task);
    descriptor = ten ? get_be16(list->data + 6) : list->data[3];
    if (ten &&
        (list->data[4] & 1)) /* LONGLBA: its descriptor is of 16 bytes, which tapes have not */
        return bad_list(lu, task, 4, 0);
    if ((descriptor != 0 && descriptor != 8) || (descriptor && !lu->kind->medium_type))
        return bad_list(lu, task, ten ? 6 : 3, 7);
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

/* ---- taking the values ----------------------------------------------------------------------- */

static void values_get(const struct scsi_lu *lu, struct mode_values *v)
{
    memset(v, 0, sizeof(*v));
    memcpy(v->pages, lu->mode, sizeof(v->pages));
    v->block_length = lu->block_length;
    v->buffered = lu->buffered;
}

static void values_set(struct scsi_lu *lu, const struct mode_values *v)
{
    memcpy(lu->mode, v->pages, sizeof(v->pages));
    lu->block_length = v->block_length;
    lu->buffered = v->buffered;
}

static bool values_equal(const struct mode_values *a, const struct mode_values *b)
{
    return a->block_length == b->block_length && a->buffered == b->buffered &&
           memcmp(a->pages, b->pages, sizeof(a->pages)) == 0;
}

/* SP: also saves what was current already.  If that can't be, the old values are back. */
static bool save_values(struct scsi_lu *lu, struct scsi_task *task, const struct mode_values *old)
{
    struct error err = ERROR_INIT;

    if (mode_save(lu, &err) == 0)
        return true;
    lu_log(lu, LOG_LEVEL_ERROR, "mode pages can't be saved: %s", err.message);
    values_set(lu, old);
    task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
    return false;
}

void cmd_mode_select(struct scsi_lu *lu, struct scsi_task *task)
{
    bool ten = task->cdb[0] == 0x55, save = task->cdb[1] & 1;
    size_t len = ten ? get_be16(task->cdb + 7) : task->cdb[4];
    struct mode_list list = {task->out, len, 0};
    struct mode_values old, v;

    if (save && !mode_saves(lu)) {
        task_bad_cdb(lu, task, 1, 0);
        return;
    }
    values_get(lu, &old);
    v = old;
    if (len != 0 && (!task_list(lu, task, len) || !select_list(lu, task, ten, &list, &v)))
        return;
    values_set(lu, &v);
    for (size_t i = 0; i < lu->kind->mode_page_count; i++) {
        if (v.given[i] && lu->kind->mode_pages[i].changed)
            lu->kind->mode_pages[i].changed(lu, lu->mode[i]);
    }
    if (save && !save_values(lu, task, &old))
        return;
    if (!values_equal(&old, &v))
        attention_raise(lu, ASC_MODE_CHANGED, task->nexus);
}
