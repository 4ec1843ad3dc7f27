/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diagnostic.c - SEND DIAGNOSTIC, RECEIVE DIAGNOSTIC RESULTS, WRITE BUFFER, READ BUFFER (SPC-5):
 * what hosts try a path and a unit with.
 *
 * A unit has an echo buffer and no data buffer.  The echo buffer is one, so it is the nexus' that
 * wrote it last (EBOS=0): another may not read it.
 */
#include "vtl/scsi/internal.h"

/* ---- diagnostic pages ------------------------------------------------------------------------ */

enum { PAGE_SUPPORTED = 0x00, PAGE_HEADER = 4 };

/* A list is good if it is page 00h, which asks RECEIVE DIAGNOSTIC RESULTS for the same. */
static void send_page(struct scsi_lu *lu, struct scsi_task *task, size_t len)
{
    if (!(task->cdb[1] & 0x10)) { /* PF: what is not a page is the vendor's */
        task_bad_cdb(lu, task, 1, 4);
        return;
    }
    if (len != PAGE_HEADER) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
        return;
    }
    if (!task_list(lu, task, len))
        return;
    if (task->out[0] != PAGE_SUPPORTED)
        task_bad_list(lu, task, 0, 7);
    else if (get_be16(task->out + 2) != 0)
        task_bad_list(lu, task, 2, 7);
}

/* The default self-test finds nothing wrong. */
void cmd_send_diagnostic(struct scsi_lu *lu, struct scsi_task *task)
{
    size_t len = get_be16(task->cdb + 3);

    if (task->cdb[1] >> 5 == 7 || task->cdb[1] >> 5 == 3)
        task_bad_cdb(lu, task, 1, 7); /* reserved self-test codes */
    else if (len != 0)
        send_page(lu, task, len);
}

/* With or without PCV: there is only the list of pages, with itself in it. */
void cmd_receive_diagnostic(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned allocation = get_be16(task->cdb + 3);
    struct reply r = task_reply(task, allocation);

    if ((task->cdb[1] & 1) && task->cdb[2] != PAGE_SUPPORTED) {
        task_bad_cdb(lu, task, 2, 7);
        return;
    }
    reply_u8(&r, PAGE_SUPPORTED);
    reply_u8(&r, 0);
    reply_be16(&r, 1);
    reply_u8(&r, PAGE_SUPPORTED);
    task_replied(task, &r, allocation);
}

/* ---- buffers --------------------------------------------------------------------------------- */

enum buffer_mode {
    MODE_DATA = 0x02,
    MODE_DESCRIPTOR = 0x03,
    MODE_ECHO = 0x0a,
    MODE_ECHO_DESCRIPTOR = 0x0b,
};

static void read_echo(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    if (lu->echo_owner != task->nexus)
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_COMMAND_SEQUENCE);
    else
        reply_bytes(r, lu->echo, lu->echo_len);
}

/* LTFS asks for descriptor and data of buffers, and must get an answer: of none, nothing. */
void cmd_read_buffer(struct scsi_lu *lu, struct scsi_task *task)
{
    uint32_t allocation = get_be24(task->cdb + 6);
    struct reply r = task_reply(task, allocation);

    switch (task->cdb[1] & 0x1f) {
    case MODE_DATA:
        if (get_be24(task->cdb + 3) != 0)
            task_bad_cdb(lu, task, 3, 7);
        break;
    case MODE_DESCRIPTOR:
        reply_zero(&r, 4);
        break;
    case MODE_ECHO:
        read_echo(lu, task, &r);
        break;
    case MODE_ECHO_DESCRIPTOR:
        reply_be16(&r, 0);
        reply_be16(&r, ECHO_MAX);
        break;
    default:
        task_bad_cdb(lu, task, 1, 4);
    }
    if (task->status == SCSI_GOOD)
        task_replied(task, &r, allocation);
}

/* Only the echo buffer can be written: there is no microcode, and no data buffer. */
void cmd_write_buffer(struct scsi_lu *lu, struct scsi_task *task)
{
    uint32_t len = get_be24(task->cdb + 6);

    if ((task->cdb[1] & 0x1f) != MODE_ECHO) {
        task_bad_cdb(lu, task, 1, 4);
        return;
    }
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
