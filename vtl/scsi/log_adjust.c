/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_adjust.c - what hosts make of log counters: resets, set values, thresholds, control bytes;
 * and saving them (SPC-5 6.8, 7.3.2).
 *
 * A counter is never written to: a row remembers what is to be subtracted from what was counted, so
 * that a reset of one page leaves every other page alone that shows the same count.  Counts begin
 * with zero when the target starts, so a saved value v comes back as the base -v.
 */
#include <stdlib.h>

#include "common/log.h"
#include "vtl/scsi/log.h"

/* Of all pages of a kind of unit; a host can't make up more counters than the builders put. */
enum { ROWS_STEP = 32 };

/* A saved row: page, subpage, code, control, value, threshold; before the first a version. */
enum { SAVED_VERSION = 1, SAVED_ROW = 21, SAVED_MAX = 1 + 1024 * SAVED_ROW };

static struct log_adjustment *row_of(const struct log_adjust *adjust, uint8_t page, uint8_t subpage,
                                     uint16_t code)
{
    for (size_t i = 0; adjust && i < adjust->count; i++) {
        struct log_adjustment *a = &adjust->rows[i];

        if (a->page == page && a->subpage == subpage && a->code == code)
            return a;
    }
    return NULL;
}

static bool make_room(struct scsi_lu *lu)
{
    struct log_adjust *adjust = lu->log_adjust;
    struct log_adjustment *rows;

    if (!adjust && !(adjust = lu->log_adjust = calloc(1, sizeof(*adjust))))
        return false;
    if (adjust->count < adjust->room)
        return true;
    rows = realloc(adjust->rows, (adjust->room + ROWS_STEP) * sizeof(*rows));
    if (!rows)
        return false;
    adjust->rows = rows;
    adjust->room += ROWS_STEP;
    return true;
}

struct log_adjustment *log_adjustment(struct scsi_lu *lu, uint8_t page, uint8_t subpage,
                                      uint16_t code)
{
    struct log_adjustment *a = row_of(lu->log_adjust, page, subpage, code);

    if (a || !make_room(lu))
        return a;
    a = &lu->log_adjust->rows[lu->log_adjust->count++];
    *a = (struct log_adjustment){.page = page,
                                 .subpage = subpage,
                                 .code = code,
                                 .control = LOG_COUNTER_CONTROL,
                                 .threshold = UINT64_MAX};
    return a;
}

void log_free(struct scsi_lu *lu)
{
    if (lu->log_adjust)
        free(lu->log_adjust->rows);
    free(lu->log_adjust);
    lu->log_adjust = NULL;
}

/* ---- one counter ----------------------------------------------------------------------------- */

static uint64_t cumulative(const struct log_adjustment *a, uint64_t counted)
{
    return a->control & LOG_DU ? a->base : counted - a->base;
}

uint64_t log_shown(const struct log_reply *l, uint16_t code, uint64_t counted, uint8_t *control)
{
    const struct log_adjustment *a = row_of(l->lu->log_adjust, l->page, l->subpage, code);

    *control = a ? a->control : LOG_COUNTER_CONTROL;
    switch (l->control) {
    case LOG_CUMULATIVE:
        return a ? cumulative(a, counted) : counted;
    case LOG_THRESHOLD:
        return a ? a->threshold : UINT64_MAX;
    case LOG_DEFAULT_CUMULATIVE:
        return 0;
    default:
        return UINT64_MAX;
    }
}

void log_set_value(struct log_adjustment *a, uint64_t counted, uint64_t shown)
{
    a->base = a->control & LOG_DU ? shown : counted - shown;
}

void log_set_control(struct log_adjust *adjust, struct log_adjustment *a, uint64_t counted,
                     uint8_t control)
{
    uint64_t shown = cumulative(a, counted);

    a->control = control;
    a->seen = shown;
    log_set_value(a, counted, shown);
    adjust->compare = false;
    for (size_t i = 0; i < adjust->count; i++)
        adjust->compare |= (adjust->rows[i].control & LOG_ETC) != 0;
}

/* ---- walks ----------------------------------------------------------------------------------- */

/* What LOG_FIND looks for, and LOG_CHECK finds: where the walk's reply would be. */
struct log_found {
    uint16_t code;
    unsigned bytes; /* 0: not yet */
    uint64_t counted;
    bool met;
};

void log_walk(struct scsi_lu *lu, const struct log_page *page, enum log_control control,
              struct reply *r)
{
    struct reply none = reply_to(NULL, 0);
    struct log_reply l = {.lu = lu,
                          .page = page->code,
                          .subpage = page->subcode,
                          .control = (uint8_t)control,
                          .r = r ? r : &none};

    page->build(&l);
}

/* The threshold is met (TMC): 0 at every change, 1 if equal, 2 if not equal, 3 if greater. */
static bool is_met(const struct log_adjustment *a, uint64_t value)
{
    switch (a->control & LOG_TMC) {
    case 0x04:
        return value == a->threshold;
    case 0x08:
        return value != a->threshold;
    case 0x0c:
        return value > a->threshold;
    default:
        return true;
    }
}

static void check_counter(const struct log_reply *l, uint16_t code, uint64_t counted)
{
    struct log_adjustment *a = row_of(l->lu->log_adjust, l->page, l->subpage, code);
    struct log_found *found = l->found;
    uint64_t value;

    if (!a || !(a->control & LOG_ETC))
        return;
    value = cumulative(a, counted);
    if (value != a->seen && is_met(a, value))
        found->met = true;
    a->seen = value;
}

static void save_counter(const struct log_reply *l, uint16_t code, uint64_t counted)
{
    const struct log_adjustment *a = row_of(l->lu->log_adjust, l->page, l->subpage, code);

    reply_u8(l->r, l->page);
    reply_u8(l->r, l->subpage);
    reply_be16(l->r, code);
    reply_u8(l->r, a ? a->control : LOG_COUNTER_CONTROL);
    reply_be64(l->r, a ? cumulative(a, counted) : counted);
    reply_be64(l->r, a ? a->threshold : UINT64_MAX);
}

static void reset_counter(const struct log_reply *l, uint16_t code, uint64_t counted)
{
    struct log_adjustment *a = log_adjustment(l->lu, l->page, l->subpage, code);

    if (a)
        log_set_value(a, counted, 0);
}

static void forget_counter(const struct log_reply *l, uint16_t code, uint64_t counted)
{
    struct log_adjustment *a = row_of(l->lu->log_adjust, l->page, l->subpage, code);

    if (!a)
        return;
    a->threshold = UINT64_MAX;
    log_set_control(l->lu->log_adjust, a, counted, LOG_COUNTER_CONTROL);
}

void log_visit(const struct log_reply *l, uint16_t code, uint64_t counted, unsigned bytes)
{
    struct log_found *found = l->found;

    switch (l->control) {
    case LOG_RESET:
        reset_counter(l, code, counted);
        break;
    case LOG_FORGET:
        forget_counter(l, code, counted);
        break;
    case LOG_FIND:
        if (code == found->code)
            *found = (struct log_found){code, bytes, counted, false};
        break;
    case LOG_CHECK:
        check_counter(l, code, counted);
        break;
    default:
        save_counter(l, code, counted);
    }
}

bool log_find_counter(struct scsi_lu *lu, const struct log_page *page, uint16_t code,
                      unsigned *bytes, uint64_t *counted)
{
    struct log_found found = {.code = code};
    struct reply none = reply_to(NULL, 0);
    struct log_reply l = {.lu = lu,
                          .page = page->code,
                          .subpage = page->subcode,
                          .control = LOG_FIND,
                          .r = &none,
                          .found = &found};

    if (!page->fixed)
        page->build(&l);
    *bytes = found.bytes;
    *counted = found.counted;
    return found.bytes != 0;
}

/* Run the builders of every page that hosts may set. */
static void walk_all(struct scsi_lu *lu, struct log_reply *l)
{
    for (size_t i = 0; i < lu->kind->log_page_count; i++) {
        const struct log_page *page = &lu->kind->log_pages[i];

        if (page->fixed)
            continue;
        l->page = page->code;
        l->subpage = page->subcode;
        page->build(l);
    }
}

void log_check(struct scsi_lu *lu)
{
    const uint8_t *control = mode_page_values(lu, 0x0a, 0);
    struct log_found found = {.met = false};
    struct reply none = reply_to(NULL, 0);
    struct log_reply l = {.lu = lu, .control = LOG_CHECK, .r = &none, .found = &found};

    if (!lu->log_adjust || !lu->log_adjust->compare)
        return;
    walk_all(lu, &l);
    if (found.met && control && (control[2] & 0x01)) /* RLEC */
        attention_raise(lu, ASC_THRESHOLD_MET, NULL);
}

/* ---- saving ---------------------------------------------------------------------------------- */

int log_save(struct scsi_lu *lu, struct error *err)
{
    uint8_t *buf CLEANUP_FREE = malloc(SAVED_MAX);
    struct reply r = reply_to(buf, SAVED_MAX);
    struct log_reply l = {.lu = lu, .control = LOG_SAVE, .r = &r};

    if (!buf)
        return error_set(err, ERR_NO_MEMORY, "There is no memory to save log parameters");
    reply_u8(&r, SAVED_VERSION);
    walk_all(lu, &l);
    if (r.len > SAVED_MAX)
        return error_set(err, ERR_INTERNAL, "Logical unit %u has too many log parameters", lu->lun);
    return lu_value_set(lu, "log", buf, (size_t)r.len, err);
}

void log_load(struct scsi_lu *lu)
{
    uint8_t *buf CLEANUP_FREE = malloc(SAVED_MAX);
    size_t len = 0;

    if (!buf || lu_value_get(lu, "log", buf, SAVED_MAX, &len, NULL) != 0 || len == 0 ||
        buf[0] != SAVED_VERSION)
        return;
    for (const uint8_t *p = buf + 1; p + SAVED_ROW <= buf + len; p += SAVED_ROW) {
        struct log_adjustment *a = log_adjustment(lu, p[0], p[1], get_be16(p + 2));

        if (!a)
            return;
        a->threshold = get_be64(p + 13);
        log_set_control(lu->log_adjust, a, 0, p[4]);
        log_set_value(a, 0, get_be64(p + 5));
        a->seen = get_be64(p + 5);
    }
}
