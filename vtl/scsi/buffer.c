/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer.c - WRITE BUFFER and READ BUFFER (SPC-5 6.49, 6.18): what hosts try a path with.
 *
 * A unit has one data buffer, number 0, which is everybody's and comes into being when it is first
 * written; and one echo buffer, which is the nexus' that wrote it last (EBOS=0): another may not
 * read it.  There is no microcode to be loaded.
 */
#include <stdlib.h>

#include "vtl/scsi/internal.h"

enum buffer_mode {
    MODE_COMBINED = 0x00, /* header and data */
    MODE_DATA = 0x02,
    MODE_DESCRIPTOR = 0x03,
    MODE_ECHO = 0x0a,
    MODE_ECHO_DESCRIPTOR = 0x0b,
};

enum { DATA_MAX = 65536 - 4 /* with its header what a transport takes at once */ };

static uint32_t capacity(uint8_t number)
{
    return number == 0 ? DATA_MAX : 0;
}

/* ---- READ BUFFER ----------------------------------------------------------------------------- */

/* From BUFFER OFFSET to the end; of buffers that are not there nothing: LTFS asks for several. */
static void read_data(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    uint32_t offset = get_be24(task->cdb + 3), size = capacity(task->cdb[2]);

    if (offset > size) {
        task_bad_cdb(lu, task, 3, 7);
        return;
    }
    if (lu->data_buffer)
        reply_bytes(r, lu->data_buffer + offset, size - offset);
    else
        reply_zero(r, size - offset);
}

static void read_combined(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    if (get_be24(task->cdb + 3) != 0) {
        task_bad_cdb(lu, task, 3, 7);
        return;
    }
    reply_be32(r, capacity(task->cdb[2]));
    read_data(lu, task, r);
}

/* OFFSET BOUNDARY 2^0, BUFFER CAPACITY. */
static void read_descriptor(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    (void)lu;
    reply_u8(r, 0);
    reply_be24(r, capacity(task->cdb[2]));
}

static void read_echo(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    if (lu->echo_owner != task->nexus)
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_COMMAND_SEQUENCE);
    else
        reply_bytes(r, lu->echo, lu->echo_len);
}

static void read_echo_descriptor(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    (void)lu;
    (void)task;
    reply_be16(r, 0);
    reply_be16(r, ECHO_MAX);
}

void cmd_read_buffer(struct scsi_lu *lu, struct scsi_task *task)
{
    static void (*const readers[32])(struct scsi_lu * lu, struct scsi_task * task,
                                     struct reply * r) = {
        [MODE_COMBINED] = read_combined,
        [MODE_DATA] = read_data,
        [MODE_DESCRIPTOR] = read_descriptor,
        [MODE_ECHO] = read_echo,
        [MODE_ECHO_DESCRIPTOR] = read_echo_descriptor,
    };
    unsigned mode = task->cdb[1] & 0x1f;
    uint32_t allocation = get_be24(task->cdb + 6);
    struct reply r = task_reply(task, allocation);

    if (!readers[mode]) {
        task_bad_cdb(lu, task, 1, 4);
        return;
    }
    readers[mode](lu, task, &r);
    if (task->status == SCSI_GOOD)
        task_replied(task, &r, allocation);
}

/* ---- WRITE BUFFER ---------------------------------------------------------------------------- */

static void write_data(struct scsi_lu *lu, struct scsi_task *task, uint32_t len)
{
    uint32_t offset = get_be24(task->cdb + 3), size = capacity(task->cdb[2]);

    if (size == 0) {
        task_bad_cdb(lu, task, 2, 7);
    } else if (offset > size || len > size - offset) {
        task_bad_cdb(lu, task, offset > size ? 3 : 6, 7);
    } else if (!lu->data_buffer && !(lu->data_buffer = calloc(1, DATA_MAX))) {
        task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
    } else if (task_list(lu, task, len) && len) {
        memcpy(lu->data_buffer + offset, task->out, len);
    }
}

static void write_echo(struct scsi_lu *lu, struct scsi_task *task, uint32_t len)
{
    if (len > ECHO_MAX) {
        task_bad_cdb(lu, task, 6, 7);
        return;
    }
    if (!task_list(lu, task, len))
        return;
    if (len)
        memcpy(lu->echo, task->out, len);
    lu->echo_len = len;
    lu->echo_owner = task->nexus;
}

void cmd_write_buffer(struct scsi_lu *lu, struct scsi_task *task)
{
    uint32_t len = get_be24(task->cdb + 6);

    switch (task->cdb[1] & 0x1f) {
    case MODE_DATA:
        write_data(lu, task, len);
        break;
    case MODE_ECHO:
        write_echo(lu, task, len);
        break;
    default:
        task_bad_cdb(lu, task, 1, 4);
    }
}
