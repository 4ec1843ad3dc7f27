/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch.c - what is checked before a command runs, in the order of SAM-6 5.3.3 and SPC-5 5.1:
 * reset attentions, reservation, other attentions, the opcode and its CDB, the medium.
 */
#include "vtl/scsi/internal.h"

/* ---- finding the row ------------------------------------------------------------------------- */

const struct opcode *opcode_find(const struct scsi_lu *lu, const uint8_t *cdb)
{
    for (size_t i = 0; i < lu->kind->opcode_count; i++) {
        const struct opcode *op = &lu->kind->opcodes[i];

        if (op->code == cdb[0] &&
            (op->service_action == NO_SERVICE_ACTION || op->service_action == (cdb[1] & 0x1f)))
            return op;
    }
    return NULL;
}

bool opcode_has_actions(const struct scsi_lu *lu, uint8_t code)
{
    for (size_t i = 0; i < lu->kind->opcode_count; i++) {
        if (lu->kind->opcodes[i].code == code)
            return lu->kind->opcodes[i].service_action != NO_SERVICE_ACTION;
    }
    return false;
}

/* ---- checks ---------------------------------------------------------------------------------- */

/* Every bit that the row does not look at must be zero; of CONTROL, the vendor's two bits are let
 * pass, as some hosts set them. */
static bool cdb_is_clean(struct scsi_lu *lu, struct scsi_task *task, const struct opcode *op)
{
    for (unsigned i = 1; i < op->length; i++) {
        uint8_t known = op->usage[i - 1], bad;

        if (i == 1 && op->service_action != NO_SERVICE_ACTION)
            known |= 0x1f;
        if (i == op->length - 1u)
            known |= 0xc0;
        bad = task->cdb[i] & (uint8_t)~known;
        if (bad) {
            task_bad_cdb(lu, task, i, 31 - __builtin_clz(bad));
            return false;
        }
    }
    return true;
}

static bool attention_first(struct scsi_lu *lu, struct scsi_task *task, bool resets_only)
{
    uint16_t code;

    if (!attention_take(lu, task->nexus, resets_only, &code))
        return false;
    task_fail(lu, task, KEY_UNIT_ATTENTION, code);
    return true;
}

/* False, with the status set, if the state of the nexus forbids the command now. */
static bool nexus_admits(struct scsi_lu *lu, struct scsi_task *task, unsigned flags)
{
    if (!(flags & OP_NO_ATTENTION) && attention_first(lu, task, true))
        return false;
    if (reservation_conflicts(lu, task->nexus, flags)) {
        task->status = SCSI_RESERVATION_CONFLICT;
        return false;
    }
    return (flags & OP_NO_ATTENTION) || !attention_first(lu, task, false);
}

/* True, with the task answered, if a layer in front of the devices does not let it through. */
static bool layer_stops(struct scsi_lu *lu, struct scsi_task *task)
{
    const struct scsi_layer *layer = lu->target->layer;
    struct scsi_failure failure;

    if (!layer || !layer->command || (lu->kind->occupied && lu->kind->occupied(lu)) ||
        !layer->command(layer->ctx, lu->lun, task, &failure))
        return false;
    task_fail(lu, task, failure.key, failure.code);
    return true;
}

/* What a command has led to beside its answer: thresholds of counters, informational exceptions. */
static void tell_after(struct scsi_lu *lu, struct scsi_task *task, unsigned flags)
{
    struct sense s;

    log_check(lu);
    if (task->status == SCSI_GOOD && !(flags & OP_NO_ATTENTION) && exception_after(lu, &s))
        task_check(lu, task, &s);
}

void dispatch(struct scsi_lu *lu, struct scsi_task *task)
{
    const struct opcode *op = opcode_find(lu, task->cdb);
    unsigned flags = op ? op->flags : OP_FREE;

    if (layer_stops(lu, task))
        return;
    if (lu->kind->refresh)
        lu->kind->refresh(lu);
    if (!nexus_admits(lu, task, flags))
        return;
    if (!op && opcode_has_actions(lu, task->cdb[0]))
        task_bad_cdb(lu, task, 1, 4);
    else if (!op)
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
    else if (cdb_is_clean(lu, task, op) && (!lu->kind->admit || lu->kind->admit(lu, task, op)))
        op->run(lu, task);
    tell_after(lu, task, flags);
}

/* A LUN that is not there still says so (SPC-5 6.6.2, 6.39): on the thread of LUN 0. */
void dispatch_no_lu(struct scsi_lu *lu, struct scsi_task *task)
{
    switch (task->cdb[0]) {
    case 0x12:
        inquiry_no_lu(lu, task);
        break;
    case 0xa0:
        report_luns_any(lu, task);
        break;
    case 0x03: {
        uint8_t buf[SENSE_ENCODED_MAX];
        const struct sense s = {.key = KEY_ILLEGAL_REQUEST, .code = ASC_NO_LOGICAL_UNIT};
        struct reply r = task_reply(task, task->cdb[4]);

        reply_bytes(&r, buf, sense_encode(&s, task->cdb[1] & 1, buf));
        task_replied(task, &r, task->cdb[4]);
        break;
    }
    default:
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_NO_LOGICAL_UNIT);
    }
}
