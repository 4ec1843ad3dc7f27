/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alert.c - TapeAlert (SSC-5 4.2.20) and the informational exceptions that report it (mode page
 * 1Ch, SPC-5 7.5.11, SSC-5 8.5.7).
 *
 * A flag is active on the unit from the moment its condition comes up until that has gone: another
 * medium was mounted, a reset, LOG SELECT.  Beside that each nexus has the flags it has not yet
 * read: LOG SENSE of page 2Eh takes them, unless TAPLSD says not to.  A nexus that comes later
 * finds the active ones.
 *
 *   condition --> alert_raise --> active, unread by every nexus --> exception 5Dh/00h (mode page
 * 1Ch)
 *
 * Flags are under target->lock, the exception under lu->device.
 */

#include "vtl/scsi/internal.h"
#include "common/clock.h"
#include "vtl/scsi/log.h"

enum { FLAGS = 64, TEST_ALL = 32767 };

/* How exceptions are reported (MRIE, SPC-5 table 398). */
enum {
    REPORT_ATTENTION = 2,
    REPORT_IF_RECOVERED_TOLD = 3, /* only if PER of page 01h wants recovered errors told */
    REPORT_RECOVERED = 4,
    REPORT_NO_SENSE = 5,
    REPORT_ON_REQUEST = 6,
};

/* The flags that a condition of ours raises (SSC-5 annex A). */
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
        17, /* read-only format */
        22, /* cleaning cartridge expired */
        59, /* WORM integrity */
        60, /* WORM overwrite attempted */
    };

    return memchr(flags, (int)flag, sizeof(flags)) != NULL;
}

/* ---- informational exceptions ---------------------------------------------------------------- */

static const uint8_t *exceptions_page(struct scsi_lu *lu)
{
    return mode_page_values(lu, 0x1c, 0);
}

static unsigned report_method(struct scsi_lu *lu)
{
    const uint8_t *page = exceptions_page(lu);

    return !page || (page[2] & 0x08) ? 0 : page[3] & 0x0f; /* DEXCPT: none */
}

static void exception_raise(struct scsi_lu *lu, uint16_t code)
{
    unsigned method = report_method(lu);

    if (method == REPORT_ATTENTION)
        attention_raise(lu, code, NULL);
    else if (method >= REPORT_IF_RECOVERED_TOLD)
        lu->exception = (struct lu_exception){.code = code};
}

/* Once, or at every INTERVAL TIMER (in 100 ms; 0 and FFFFFFFFh: none) until REPORT COUNT (0: no
 * end). */
static bool exception_due(struct scsi_lu *lu)
{
    const uint8_t *page = exceptions_page(lu);
    struct lu_exception *e = &lu->exception;
    uint32_t interval, count;

    if (!e->code || !page)
        return false;
    interval = get_be32(page + 4);
    count = get_be32(page + 8);
    if (e->reports == 0)
        return true;
    if (interval == 0 || interval == UINT32_MAX || (count && e->reports >= count)) {
        e->code = 0;
        return false;
    }
    return clock_monotonic_ms() - e->reported_ms >= (int64_t)interval * 100;
}

static uint16_t exception_take(struct scsi_lu *lu)
{
    lu->exception.reports++;
    lu->exception.reported_ms = clock_monotonic_ms();
    return lu->exception.code;
}

static bool reports_recovered(struct scsi_lu *lu)
{
    const uint8_t *recovery = mode_page_values(lu, 0x01, 0);

    return recovery && (recovery[2] & 0x04); /* PER */
}

bool exception_after(struct scsi_lu *lu, struct sense *s)
{
    unsigned method = report_method(lu);

    if (method < REPORT_IF_RECOVERED_TOLD || method > REPORT_NO_SENSE || !exception_due(lu) ||
        (method == REPORT_IF_RECOVERED_TOLD && !reports_recovered(lu)))
        return false;
    *s = (struct sense){.key = method == REPORT_NO_SENSE ? KEY_NO_SENSE : KEY_RECOVERED_ERROR,
                        .code = exception_take(lu)};
    return true;
}

bool exception_on_request(struct scsi_lu *lu, struct sense *s)
{
    if (report_method(lu) != REPORT_ON_REQUEST || !exception_due(lu))
        return false;
    *s = (struct sense){.key = KEY_NO_SENSE, .code = exception_take(lu)};
    return true;
}

/* ---- mode page 1Ch --------------------------------------------------------------------------- */

static int32_t test_flag(const uint8_t *page)
{
    return (int32_t)get_be32(page + 8);
}

unsigned exceptions_check(struct scsi_lu *lu, const uint8_t *page)
{
    int32_t flag = test_flag(page);

    (void)lu;
    if ((page[3] & 0x0f) > REPORT_ON_REQUEST)
        return 3;
    if (!(page[2] & 0x04)) /* TEST=0: it is REPORT COUNT */
        return 0;
    if (flag == 0)
        return page[2] & 0x08 ? 2 : 0; /* TEST and DEXCPT exclude each other */
    if (flag == TEST_ALL ||
        (flag >= -FLAGS && flag <= FLAGS && alert_supported((unsigned)(flag < 0 ? -flag : flag))))
        return 0;
    return 8;
}

/* TEST (SSC-5 8.5.7): without a flag a false exception; else the flag is raised, or if negative
 * lowered.  The bit does not stay. */
void exceptions_changed(struct scsi_lu *lu, uint8_t *page)
{
    int32_t flag = test_flag(page);

    lu->exception.code = 0;
    if (!(page[2] & 0x04))
        return;
    page[2] = (uint8_t)(page[2] & ~0x04);
    put_be32(page + 8, 0);
    if (flag == 0)
        exception_raise(lu, ASC_FALSE_PREDICTION);
    else if (flag < 0)
        alert_clear(lu, ALERT_BIT((unsigned)-flag));
    for (unsigned f = 1; f <= FLAGS; f++) {
        if (alert_supported(f) && (flag == TEST_ALL || flag == (int32_t)f))
            alert_raise(lu, f);
    }
}

/* ---- flags ----------------------------------------------------------------------------------- */

void alert_raise(struct scsi_lu *lu, unsigned flag)
{
    bool was;

    {
        CLEANUP_UNLOCK(&lu->target->lock);
        was = lu->alerts & ALERT_BIT(flag);
        lu->alerts |= ALERT_BIT(flag);
        for (struct scsi_nexus *n = lu->target->nexuses; n; n = n->next)
            n->lu[lu->lun].alerts |= ALERT_BIT(flag);
    }
    if (!was)
        exception_raise(lu, ASC_FAILURE_PREDICTION);
}

uint64_t alert_active(struct scsi_lu *lu)
{
    CLEANUP_UNLOCK(&lu->target->lock);

    return lu->alerts;
}

void alert_clear(struct scsi_lu *lu, uint64_t flags)
{
    CLEANUP_UNLOCK(&lu->target->lock);

    lu->alerts &= ~flags;
    for (struct scsi_nexus *n = lu->target->nexuses; n; n = n->next)
        n->lu[lu->lun].alerts &= ~flags;
}

uint64_t alert_unread(struct scsi_lu *lu, const struct scsi_nexus *nexus)
{
    CLEANUP_UNLOCK(&lu->target->lock);

    return nexus ? nexus->lu[lu->lun].alerts : 0;
}

static uint64_t alert_take(struct scsi_lu *lu, struct scsi_nexus *nexus)
{
    CLEANUP_UNLOCK(&lu->target->lock);
    uint64_t unread = nexus->lu[lu->lun].alerts;

    nexus->lu[lu->lun].alerts = 0;
    return unread;
}

/* ---- log pages ------------------------------------------------------------------------------- */

/* Device configuration extension (SSC-5 8.5.8), byte 4. */
static bool extension_bit(struct scsi_lu *lu, unsigned bit)
{
    const uint8_t *extension = mode_page_values(lu, 0x10, 1);

    return extension && (extension[4] & bit);
}

/* Hosts ask with a short allocation length first how long the page is: flags that are not handed
 * over are not taken either. */
static bool has_room(const struct log_reply *l, unsigned first)
{
    enum { PARAMETER = 5 };
    size_t flags = first > FLAGS ? 0 : FLAGS + 1 - (first ? first : 1);

    return l->r->room >= l->r->len + flags * PARAMETER;
}

/* 2Eh (SSC-5 8.2.9): unless TARPF and TARPC ask to heed them, the parameter pointer and PC do not
 * count: it is always all flags as they are. */
void log_tape_alert(struct log_reply *l)
{
    enum { TARPF = 0x08, TARPC = 0x02, TAPLSD = 0x01 };
    uint64_t alerts;

    if (l->control > LOG_DEFAULT_CUMULATIVE)
        return;
    if (!extension_bit(l->lu, TARPF))
        l->first = 0;
    if (!extension_bit(l->lu, TARPC))
        l->control = LOG_CUMULATIVE;
    alerts = extension_bit(l->lu, TAPLSD) || !has_room(l, l->first) ? alert_unread(l->lu, l->nexus)
                                                                    : alert_take(l->lu, l->nexus);
    for (unsigned flag = 1; flag <= FLAGS; flag++)
        log_counter(l, flag, (alerts >> (flag - 1)) & 1, 1);
}

void log_tape_alert_reset(struct scsi_lu *lu)
{
    alert_clear(lu, UINT64_MAX);
}

/* 12h (SSC-5 8.2.5): all flags in one parameter, without taking them; bit 7 of byte 0 is flag 1. */
void log_tape_alert_response(struct log_reply *l)
{
    uint64_t alerts = alert_unread(l->lu, l->nexus);
    uint8_t flags[FLAGS / 8] = {0};

    for (unsigned flag = 0; flag < FLAGS; flag++)
        flags[flag / 8] |= (uint8_t)(((alerts >> flag) & 1) << (7 - flag % 8));
    log_binary(l, 0, flags, sizeof(flags));
}
