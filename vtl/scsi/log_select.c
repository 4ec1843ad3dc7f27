/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_select.c - LOG SELECT (SPC-5 6.8): resetting pages, setting counters, thresholds and control
 * bytes.
 *
 * A list is checked as a whole before the first parameter is set.  Only counters can be set; list
 * parameters, lifetime counters and states are the unit's own.
 */
#include "vtl/scsi/log.h"

enum { PAGE_HEADER = 4, PARAMETER_HEADER = 4 };

bool log_save_parameters(struct scsi_lu *lu, struct scsi_task *task)
{
    struct error err = ERROR_INIT;

    if (!lu->kind->saves) {
        task_bad_cdb(lu, task, 1, 0);
        return false;
    }
    if (log_save(lu, &err) == 0)
        return true;
    lu_log(lu, LOG_LEVEL_ERROR, "log parameters can't be saved: %s", err.message);
    task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
    return false;
}

/* ---- without a list: whole pages ------------------------------------------------------------- */

/* Page 00h: all pages; subpage FFh: all of the page code. */
static bool page_meant(const struct log_page *page, uint8_t code, uint8_t subcode)
{
    if (code == 0)
        return true;
    return page->code == code && (subcode == 0xff || page->subcode == subcode);
}

static bool select_pages(struct scsi_lu *lu, struct scsi_task *task, enum log_control control)
{
    uint8_t code = task->cdb[2] & 0x3f, subcode = task->cdb[3];
    unsigned found = 0;

    if (code == 0 && subcode != 0 && subcode != 0xff) {
        task_bad_cdb(lu, task, 3, 7);
        return false;
    }
    for (size_t i = 0; i < lu->kind->log_page_count; i++) {
        const struct log_page *page = &lu->kind->log_pages[i];

        if (!page_meant(page, code, subcode))
            continue;
        found++;
        if (control == LOG_RESET && page->reset)
            page->reset(lu);
        else if (!page->fixed && control != LOG_CUMULATIVE)
            log_walk(lu, page, control, NULL);
    }
    if (found == 0)
        task_bad_cdb(lu, task, log_page_find(lu, code, 0) ? 3 : 2,
                     log_page_find(lu, code, 0) ? 7 : 5);
    return found != 0;
}

/* ---- with a list ----------------------------------------------------------------------------- */

/* A list under way. */
struct log_list {
    const uint8_t *data;
    size_t len, at;
    unsigned control; /* PC: which of its values a parameter sets */
    const struct log_page *page;
    size_t end; /* of the page */
};

static bool bad_list(struct scsi_lu *lu, struct scsi_task *task, size_t byte, int bit)
{
    task_bad_list(lu, task, (unsigned)byte, bit);
    return false;
}

static bool short_list(struct scsi_lu *lu, struct scsi_task *task)
{
    task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    return false;
}

static bool list_page(struct scsi_lu *lu, struct scsi_task *task, struct log_list *list)
{
    const uint8_t *p = list->data + list->at;

    if (list->len - list->at < PAGE_HEADER)
        return short_list(lu, task);
    list->page = log_page_find(lu, p[0] & 0x3f, p[1]);
    if (!list->page || !(p[0] & 0x40) != (p[1] == 0))
        return bad_list(lu, task, list->at + (list->page ? 1 : 0), -1);
    list->at += PAGE_HEADER;
    list->end = list->at + get_be16(p + 2);
    return list->end <= list->len || short_list(lu, task);
}

static uint64_t parameter_value(const uint8_t *p)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < p[3]; i++)
        value = value << 8 | p[PARAMETER_HEADER + i];
    return value;
}

/* What the parameter at list->at sets; the width is the counter's, checked before. */
static void set_parameter(struct scsi_lu *lu, const struct log_list *list, uint64_t counted)
{
    const uint8_t *p = list->data + list->at;
    struct log_adjustment *a =
        log_adjustment(lu, list->page->code, list->page->subcode, get_be16(p));

    if (!a)
        return;
    if (list->control == LOG_THRESHOLD)
        a->threshold = parameter_value(p);
    else if (list->control == LOG_CUMULATIVE)
        log_set_value(a, counted, parameter_value(p));
    log_set_control(lu->log_adjust, a, counted, p[2]);
}

static bool list_parameter(struct scsi_lu *lu, struct scsi_task *task, struct log_list *list,
                           bool apply)
{
    const uint8_t *p = list->data + list->at;
    uint64_t counted;
    unsigned bytes;

    if (list->end - list->at < PARAMETER_HEADER || list->end - list->at - PARAMETER_HEADER < p[3])
        return short_list(lu, task);
    if (!log_find_counter(lu, list->page, get_be16(p), &bytes, &counted))
        return bad_list(lu, task, list->at, 7);
    if (p[2] & ~(LOG_DU | LOG_TSD | LOG_ETC | LOG_TMC)) /* another format than a counter's */
        return bad_list(lu, task, list->at + 2, 31 - __builtin_clz((unsigned)p[2] & 0x43u));
    if (p[3] != bytes)
        return bad_list(lu, task, list->at + 3, 7);
    if (apply)
        set_parameter(lu, list, counted);
    list->at += PARAMETER_HEADER + (size_t)bytes;
    return true;
}

static bool list_walk(struct scsi_lu *lu, struct scsi_task *task, struct log_list list, bool apply)
{
    while (list.at < list.len) {
        if (!list_page(lu, task, &list))
            return false;
        while (list.at < list.end) {
            if (!list_parameter(lu, task, &list, apply))
                return false;
        }
    }
    return true;
}

/* PAGE CODE and SUBPAGE CODE of the CDB are for commands without a list. */
static bool select_list(struct scsi_lu *lu, struct scsi_task *task, size_t len)
{
    struct log_list list = {.data = task->out, .len = len, .control = task->cdb[2] >> 6};

    if ((task->cdb[2] & 0x3f) || task->cdb[3]) {
        task_bad_cdb(lu, task, task->cdb[2] & 0x3f ? 2 : 3, task->cdb[2] & 0x3f ? 5 : 7);
        return false;
    }
    if (list.control > LOG_CUMULATIVE) { /* a default is not to be set */
        task_bad_cdb(lu, task, 2, 7);
        return false;
    }
    return task_list(lu, task, len) && list_walk(lu, task, list, false) &&
           list_walk(lu, task, list, true);
}

/* ---- the command ----------------------------------------------------------------------------- */

void cmd_log_select(struct scsi_lu *lu, struct scsi_task *task)
{
    size_t len = get_be16(task->cdb + 7);
    bool reset = task->cdb[1] & 2, save = task->cdb[1] & 1, changes = true;
    unsigned control = task->cdb[2] >> 6;

    if (save && !lu->kind->saves) {
        task_bad_cdb(lu, task, 1, 0);
    } else if (reset && len != 0) {
        task_bad_cdb(lu, task, 1, 1);
    } else if (len != 0) {
        changes = select_list(lu, task, len);
    } else if (reset || control == LOG_DEFAULT_CUMULATIVE) {
        changes = select_pages(lu, task, LOG_RESET);
    } else if (control == LOG_DEFAULT_THRESHOLD) {
        changes = select_pages(lu, task, LOG_FORGET);
    } else { /* nothing to set: only, perhaps, to save */
        changes = false;
        select_pages(lu, task, LOG_CUMULATIVE);
    }
    if (task->status == SCSI_GOOD && save)
        log_save_parameters(lu, task);
    if (task->status == SCSI_GOOD && changes)
        attention_raise(lu, ASC_LOG_CHANGED, task->nexus);
}
