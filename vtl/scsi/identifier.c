/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identifier.c - REPORT and SET IDENTIFYING INFORMATION (SPC-5 6.32, 6.46), which SPC-3 calls
 * DEVICE IDENTIFIER: what an owner writes on a unit's back, kept in the library.
 */
#include "vtl/scsi/internal.h"

/* INFORMATION TYPE (SPC-5 table 247), with the name under which it is kept. */
static const struct information {
    uint8_t type;
    uint16_t max;
    bool text; /* UTF-8, ends with a zero */
    const char *name;
} kinds[] = {
    {0x00, 512, false, "identifier"},
    {0x02, 256, true, "identifier.text"},
};

enum { SUPPORTED_TYPES = 0x7f, VALUE_MAX = 512 };

static const struct information *kind_of(const struct scsi_task *task)
{
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        if (kinds[i].type == task->cdb[10] >> 1)
            return &kinds[i];
    }
    return NULL;
}

static void put_types(struct reply *r)
{
    reply_be16(r, 0);
    reply_be16(r, (unsigned)ARRAY_LENGTH(kinds) * 4);
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        reply_u8(r, (unsigned)kinds[i].type << 1);
        reply_u8(r, 0);
        reply_be16(r, kinds[i].max);
    }
}

void cmd_report_identifier(struct scsi_lu *lu, struct scsi_task *task)
{
    const struct information *kind = kind_of(task);
    uint32_t allocation = get_be32(task->cdb + 6);
    struct reply r = task_reply(task, allocation);
    uint8_t value[VALUE_MAX];
    size_t len = 0;

    if (task->cdb[10] >> 1 == SUPPORTED_TYPES) {
        put_types(&r);
    } else if (kind) {
        if (lu_value_get(lu, kind->name, value, sizeof(value), &len, NULL) != 0)
            len = 0; /* none was set */
        reply_be16(&r, 0);
        reply_be16(&r, (unsigned)len);
        reply_bytes(&r, value, len);
    } else {
        task_bad_cdb(lu, task, 10, 7);
        return;
    }
    task_replied(task, &r, allocation);
}

void cmd_set_identifier(struct scsi_lu *lu, struct scsi_task *task)
{
    const struct information *kind = kind_of(task);
    uint32_t len = get_be32(task->cdb + 6);
    struct error err = ERROR_INIT;

    if (!kind || len > kind->max) {
        task_bad_cdb(lu, task, kind ? 6 : 10, 7);
        return;
    }
    if (!task_list(lu, task, len))
        return;
    if (kind->text && len && task->out[len - 1] != 0) {
        task_bad_list(lu, task, len - 1, 7);
        return;
    }
    if (lu_value_set(lu, kind->name, task->out, len, &err) != 0) {
        lu_log(lu, LOG_LEVEL_ERROR, "its identifier can't be kept: %s", err.message);
        task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
        return;
    }
    attention_raise(lu, ASC_IDENTIFIER_CHANGED, task->nexus);
}
