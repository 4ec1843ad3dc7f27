/* SPDX-License-Identifier: Apache-2.0 */
/* report_opcodes.c - REPORT SUPPORTED OPERATION CODES (SPC-5 6.36): the opcode table itself. */
#include "vtl/scsi/internal.h"

enum {
    REPORT_ALL = 0,
    REPORT_ONE = 1,           /* must have no service actions */
    REPORT_ONE_WITH_SA = 2,   /* must have them */
    REPORT_ONE_IF_PRESENT = 3 /* either; a missing service action is "not supported" */
};

/* Command time-outs descriptor, SPC-5 6.36.4. */
static void put_timeouts(struct reply *r, const struct opcode *op)
{
    reply_be16(r, 0x0a);
    reply_u8(r, 0);
    reply_u8(r, 0);
    reply_be32(r, op->seconds / 10u);
    reply_be32(r, op->seconds);
}

static void report_all(struct scsi_lu *lu, struct reply *r, bool timeouts)
{
    reply_be32(r, 0); /* command data length, below */
    for (size_t i = 0; i < lu->kind->opcode_count; i++) {
        const struct opcode *op = &lu->kind->opcodes[i];
        bool action = op->service_action != NO_SERVICE_ACTION;

        reply_u8(r, op->code);
        reply_u8(r, 0);
        reply_be16(r, action ? (unsigned)op->service_action : 0);
        reply_u8(r, 0);
        reply_u8(r, (timeouts ? 2u : 0u) | (action ? 1u : 0u)); /* CTDP, SERVACTV */
        reply_be16(r, op->length);
        if (timeouts)
            put_timeouts(r, op);
    }
    reply_patch(r, 0, r->len - 4, 4);
}

static void report_one(struct reply *r, const struct opcode *op, bool timeouts)
{
    reply_u8(r, 0);
    if (!op) {
        reply_u8(r, 1); /* not supported */
        reply_be16(r, 0);
        return;
    }
    reply_u8(r, 3u | (timeouts ? 0x80u : 0)); /* as the standard says; CTDP */
    reply_be16(r, op->length);
    reply_u8(r, op->code);
    for (unsigned i = 1; i < op->length; i++) {
        unsigned usage = op->usage[i - 1];

        if (i == 1 && op->service_action != NO_SERVICE_ACTION)
            usage |= (unsigned)op->service_action;
        reply_u8(r, usage);
    }
    if (timeouts)
        put_timeouts(r, op);
}

void cmd_report_opcodes(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned option = task->cdb[2] & 7;
    bool timeouts = task->cdb[2] & 0x80;
    uint32_t allocation = get_be32(task->cdb + 6);
    unsigned action = get_be16(task->cdb + 4);
    uint8_t wanted[2] = {task->cdb[3], (uint8_t)(action & 0x1f)};
    bool has_actions = opcode_has_actions(lu, wanted[0]);
    const struct opcode *op = action > 0x1f && has_actions ? NULL : opcode_find(lu, wanted);
    struct reply r = task_reply(task, allocation);

    if (option > REPORT_ONE_IF_PRESENT || (option == REPORT_ONE && has_actions) ||
        (option == REPORT_ONE_WITH_SA && !has_actions && op)) {
        task_bad_cdb(lu, task, 2, 2);
        return;
    }
    if (option == REPORT_ALL)
        report_all(lu, &r, timeouts);
    else
        report_one(&r, op, timeouts);
    task_replied(task, &r, allocation);
}
