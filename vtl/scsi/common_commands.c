/* SPDX-License-Identifier: Apache-2.0 */
/* common_commands.c - small commands that every kind of unit has (SPC-5, SPC-2). */
#include <time.h>

#include "vtl/scsi/internal.h"

void cmd_test_unit_ready(struct scsi_lu *lu, struct scsi_task *task)
{
    struct sense s;

    if (lu->kind->sense && lu->kind->sense(lu, NULL, &s))
        task_check(lu, task, &s);
}

/* SPC-5 6.39: a pending unit attention, else the deferred error, else whether the unit is ready. */
void cmd_request_sense(struct scsi_lu *lu, struct scsi_task *task)
{
    struct reply r = task_reply(task, task->cdb[4]);
    struct sense s = {.key = KEY_NO_SENSE};
    uint8_t buf[SENSE_ENCODED_MAX];
    uint16_t code;

    if (attention_take(lu, task->nexus, false, &code))
        s = (struct sense){.key = KEY_UNIT_ATTENTION, .code = code};
    else if ((!lu->kind->sense || !lu->kind->sense(lu, task->nexus, &s)) &&
             !exception_on_request(lu, &s))
        s = (struct sense){.key = KEY_NO_SENSE};
    reply_bytes(&r, buf, sense_encode(&s, task->cdb[1] & 1, buf));
    task_replied(task, &r, task->cdb[4]);
}

/* The values 2 and 3 are obsolete since SPC-4: that bit is not in the usage mask. */
void cmd_prevent_allow(struct scsi_lu *lu, struct scsi_task *task)
{
    if (task->cdb[4] == 1 && reservation_conflicts(lu, task->nexus, 0)) { /* ALLOW never does */
        task->status = SCSI_RESERVATION_CONFLICT;
        return;
    }
    CLEANUP_UNLOCK(&lu->target->lock);
    task->nexus->lu[lu->lun].prevents = task->cdb[4] == 1;
}

/* REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-5 6.37).  With REPD also how long they may take:
 * an abort waits for the command that runs. */
void cmd_report_tmfs(struct scsi_lu *lu, struct scsi_task *task)
{
    enum { ABORT_TASK = 0x80, ABORT_TASK_SET = 0x40, CLEAR_TASK_SET = 0x10, LU_RESET = 0x08 };
    enum { TMFTMOV = 0x01, LONG = 1200, SHORT = 10 /* in 100 ms */ };
    const unsigned functions = ABORT_TASK | ABORT_TASK_SET | CLEAR_TASK_SET | LU_RESET;
    bool extended = task->cdb[2] & 0x80;
    uint32_t allocation = get_be32(task->cdb + 6);
    struct reply r = task_reply(task, allocation);

    (void)lu;
    reply_u8(&r, functions);
    reply_zero(&r, 2); /* no QUERY TASK SET, QUERY ASYNCHRONOUS EVENT, I_T NEXUS RESET */
    reply_u8(&r, extended ? 12 : 0);
    if (extended) {
        reply_u8(&r, TMFTMOV);
        reply_zero(&r, 3); /* none of them is bound by the short time-out */
        reply_be32(&r, LONG);
        reply_be32(&r, SHORT);
    }
    task_replied(task, &r, allocation);
}

/* ---- timestamps (SPC-5 5.2, 6.38, 6.48): milliseconds since 1970, in 48 bits ----------------- */

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Set by a host, or by other means (TCMOS): it is the machine's. */
int64_t lu_clock_ms(const struct scsi_lu *lu, uint8_t *origin)
{
    *origin = lu->clock_set ? 2 : 3;
    return now_ms() + lu->clock_offset_ms;
}

void cmd_report_timestamp(struct scsi_lu *lu, struct scsi_task *task)
{
    uint8_t origin;
    int64_t clock = lu_clock_ms(lu, &origin);
    uint32_t allocation = get_be32(task->cdb + 6);
    struct reply r = task_reply(task, allocation);

    reply_be16(&r, 10);
    reply_u8(&r, origin);
    reply_u8(&r, 0);
    reply_be(&r, (uint64_t)clock, 6);
    reply_be16(&r, 0);
    task_replied(task, &r, allocation);
}

/* The unit's clock is set, not the machine's. */
void cmd_set_timestamp(struct scsi_lu *lu, struct scsi_task *task)
{
    uint32_t len = get_be32(task->cdb + 6);
    const uint8_t *extension = mode_page_values(lu, 0x0a, 1);

    if (extension && !(extension[4] & TIMESTAMP_SCSIP)) {
        task_bad_cdb(lu, task, 1, 4);
        return;
    }
    if (len == 0)
        return;
    if (len < 12) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
        return;
    }
    if (!task_list(lu, task, 12))
        return;
    lu->clock_offset_ms = (int64_t)(get_be64(task->out + 2) & 0xffffffffffff) - now_ms();
    lu->clock_set = true;
    attention_raise(lu, ASC_TIMESTAMP_CHANGED, task->nexus);
}
