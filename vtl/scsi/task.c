/* SPDX-License-Identifier: Apache-2.0 */
/* task.c - how a handler answers: status and sense, parameter data, parameter lists. */
#include <string.h>

#include "vtl/scsi/internal.h"

void task_check(struct scsi_lu *lu, struct scsi_task *task, const struct sense *s)
{
    lu->last_sense = *s;
    if (s->key == KEY_HARDWARE_ERROR)
        lu->hardware_errors++;
    if (lu->kind->failed)
        lu->kind->failed(lu, task, s);
    task->status = SCSI_CHECK_CONDITION;
    task->sense_len = sense_encode(s, lu_descriptor_sense(lu), task->sense);
}

void task_fail(struct scsi_lu *lu, struct scsi_task *task, enum sense_key key, uint16_t code)
{
    task_check(lu, task, &(struct sense){.key = key, .code = code});
}

void task_bad_cdb(struct scsi_lu *lu, struct scsi_task *task, unsigned byte, int bit)
{
    task_check(lu, task,
               &(struct sense){.key = KEY_ILLEGAL_REQUEST,
                               .code = ASC_INVALID_FIELD_IN_CDB,
                               .field_valid = true,
                               .field_cdb = true,
                               .field = (uint16_t)byte,
                               .field_bit = (int8_t)bit});
}

void task_bad_list(struct scsi_lu *lu, struct scsi_task *task, unsigned byte, int bit)
{
    task_check(lu, task,
               &(struct sense){.key = KEY_ILLEGAL_REQUEST,
                               .code = ASC_INVALID_FIELD_IN_LIST,
                               .field_valid = true,
                               .field = (uint16_t)byte,
                               .field_bit = (int8_t)bit});
}

struct reply task_reply(struct scsi_task *task, uint64_t allocation)
{
    return reply_to(task->in, allocation < task->in_size ? (size_t)allocation : task->in_size);
}

void task_replied(struct scsi_task *task, const struct reply *r, uint64_t allocation)
{
    task->in_want = r->len < allocation ? r->len : allocation;
    task->in_len = task->in_want < task->in_size ? (size_t)task->in_want : task->in_size;
}

bool task_list(struct scsi_lu *lu, struct scsi_task *task, size_t want)
{
    task->out_want = want;
    if (task->out_len >= want)
        return true;
    /* The transport brought less than the CDB promises: nothing of it may be used. */
    task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    return false;
}
