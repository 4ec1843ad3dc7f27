/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diagnostic.c - SEND DIAGNOSTIC, RECEIVE DIAGNOSTIC RESULTS (SPC-5): the self-test finds nothing
 * wrong, and the only page is the list of pages.
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
