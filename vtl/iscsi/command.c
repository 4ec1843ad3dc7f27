/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.c - SCSI Command and Data-Out: from PDUs to a task with its data (RFC 7143
 * sections 4.2.5, 11.3, 11.7, 11.8).
 *
 * Data-out comes in three ways, in this order: immediate (in the command PDU), unsolicited (behind
 * it, up to FirstBurstLength), solicited (asked for by R2T).  All land in one buffer, whose size is
 * bounded by the CDB and by what the initiator announced, whichever is smaller.
 *
 * Invariants:
 *   1. Nothing is received behind task->size; a data PDU outside its burst fails the task.
 *   2. A failed task still collects what was asked for, so that the answer comes behind the last
 *      PDU of the initiator (7.8); the data is thrown away.
 */
#include <string.h>

#include "vtl/iscsi/conn.h"

#define KEY_ABORTED_COMMAND 0x0b

/* The conditions of 11.4.7.2, as ASC and ASCQ. */
static void fail_unexpected_data(struct task *t)
{
    command_fail(t, KEY_ABORTED_COMMAND, 0x0c, 0x0c);
}
static void fail_data_amount(struct task *t)
{
    command_fail(t, KEY_ABORTED_COMMAND, 0x0c, 0x0d);
}
static void fail_digest(struct task *t)
{
    command_fail(t, KEY_ABORTED_COMMAND, 0x47, 0x05);
}

/* ---- asking for data --------------------------------------------------------------------------*/

static void send_r2t(struct task *t, struct r2t *r)
{
    struct conn *c = t->conn;
    struct tx_item *item = tx_item_new(OP_R2T, FLAG_FINAL, t->itt, STAT_SN_SHOW, 0);
    uint32_t length = (uint32_t)t->size - t->asked;

    if (length > c->params.max_burst)
        length = c->params.max_burst;
    *r = (struct r2t){.used = true, .ttt = conn_new_ttt(c), .offset = t->asked, .length = length};
    t->asked += length;
    t->outstanding++;
    if (item) {
        memcpy(item->bhs + 8, t->scsi.lun, 8);
        put_be32(item->bhs + 20, r->ttt);
        put_be32(item->bhs + 36, t->r2t_sn++);
        put_be32(item->bhs + 40, r->offset);
        put_be32(item->bhs + 44, r->length);
    }
    tx_send(c, item);
}

/* What came unasked is over, or a burst is: ask for more, or the task is complete. */
static void proceed(struct task *t)
{
    struct conn *c = t->conn;

    if (t->unsolicited)
        return;
    if (t->asked < t->received)
        t->asked = t->received;
    for (unsigned i = 0; i < c->params.outstanding_r2t && i < KEYS_OUTSTANDING_R2T; i++)
        if (!t->failed && t->write && !t->r2t[i].used && t->asked < t->size)
            send_r2t(t, &t->r2t[i]);
    if (t->outstanding > 0)
        return;
    pthread_mutex_lock(&c->lock);
    t->state = TASK_READY;
    pthread_mutex_unlock(&c->lock);
    conn_advance(c);
}

/* ---- SCSI Command -----------------------------------------------------------------------------*/

/* Extended CDBs (11.2.2.3); a bidirectional command (11.2.2.4) is none that tapes have. */
static bool take_ahs(struct task *t, const struct rx *rx)
{
    const uint8_t *at = rx->ahs, *body;
    size_t left = rx->ahs_len, len;
    uint8_t type;
    bool bad;

    while (pdu_next_ahs(&at, &left, &type, &body, &len, &bad)) {
        if (type != AHS_EXTENDED_CDB)
            continue;
        /* The first specific byte is reserved. */
        if (t->scsi.cdb_len > BHS_CDB_SIZE || len < 2 || len - 1 > SCSI_CDB_MAX - BHS_CDB_SIZE)
            return false;
        memcpy(t->scsi.cdb + BHS_CDB_SIZE, body + 1, len - 1);
        t->scsi.cdb_len = BHS_CDB_SIZE + len - 1;
    }
    return !bad;
}

/* Bound the buffer by the CDB and by EDTL; a write needs it now. */
static void plan_buffer(struct task *t)
{
    size_t bound =
        scsi_nexus_transfer_bound(t->conn->nexus, t->scsi.lun, t->scsi.cdb, t->scsi.cdb_len);

    if (bound > POOL_BUFFER_MAX)
        bound = POOL_BUFFER_MAX;
    t->size = t->edtl < bound ? t->edtl : bound;
    if (t->write && !t->failed && t->size > 0)
        task_take_buffer(t);
}

/* What the command's flags and data segment promise, against what was negotiated (13.10-13.14). */
static void check_unsolicited(struct task *t, const struct rx *rx)
{
    const struct params *p = &t->conn->params;
    bool final = bhs_final(rx->bhs);
    uint32_t first_burst = params_first_burst(p);

    t->unsolicited_limit = t->edtl < first_burst ? t->edtl : first_burst;
    t->unsolicited = !final && t->write;
    if (t->read && t->write)
        command_fail(t, 0x05, 0x24, 0x00); /* ILLEGAL REQUEST, invalid field in CDB */
    if (!t->write && rx->data_len > 0)
        fail_unexpected_data(t);
    if (t->write && rx->data_len > 0 && !p->immediate_data)
        fail_unexpected_data(t);
    if (t->unsolicited && p->initial_r2t) {
        fail_unexpected_data(t);
        t->unsolicited = false;
    }
    if (t->write && rx->data_len > t->unsolicited_limit)
        fail_data_amount(t);
}

static bool command_acceptable(struct conn *c)
{
    const uint8_t *bhs = c->rx.bhs;
    enum reject_reason reason = 0;

    pthread_mutex_lock(&c->lock);
    if (bhs_itt(bhs) == TAG_NONE)
        reason = REJECT_INVALID_FIELD;
    else if (task_find(c, bhs_itt(bhs)))
        reason = REJECT_TASK_IN_PROGRESS;
    else if (bhs_immediate(bhs) && c->open_immediate >= CONN_IMMEDIATE_MAX)
        reason = REJECT_IMMEDIATE;
    pthread_mutex_unlock(&c->lock);
    if (reason)
        pdu_reject(c, reason);
    return reason == 0;
}

int command_begin(struct conn *c, struct error *err)
{
    struct rx *rx = &c->rx;
    struct task *t;

    if (!command_acceptable(c))
        return 0;
    t = task_new(c, rx->bhs);
    if (!t)
        return error_set(err, ERR_NO_MEMORY, "no memory for a command");
    rx->task = t;
    if (!take_ahs(t, rx))
        command_fail(t, 0x05, 0x24, 0x00);
    check_unsolicited(t, rx);
    plan_buffer(t);
    if (!t->failed && t->write) {
        rx->dest = t->buffer;
        rx->dest_len = (uint32_t)t->size;
    }
    return 0;
}

int command_end(struct conn *c, struct error *err)
{
    struct task *t = c->rx.task;

    (void)err;
    c->rx.task = NULL;
    if (t->write)
        t->received = c->rx.data_len;
    atomic_fetch_add(&c->bytes_in, c->rx.data_len);
    if (t->unsolicited && t->received >= t->unsolicited_limit) {
        /* 11.3.1: F=0 promises more, but the first burst is full. */
        fail_data_amount(t);
        t->unsolicited = false;
    }
    proceed(t);
    return 0;
}

/* 7.8: the command is discarded as if it had not come. */
void command_bad_digest(struct conn *c)
{
    struct task *t = c->rx.task;

    c->rx.task = NULL;
    pthread_mutex_lock(&c->lock);
    task_unlink(t);
    pthread_mutex_unlock(&c->lock);
    task_free(t);
}

/* ---- Data-Out ---------------------------------------------------------------------------------*/

static struct r2t *find_r2t(struct task *t, uint32_t ttt)
{
    for (unsigned i = 0; i < KEYS_OUTSTANDING_R2T; i++)
        if (t->r2t[i].used && t->r2t[i].ttt == ttt)
            return &t->r2t[i];
    return NULL;
}

/* A data PDU that belongs to nothing: late data of a task that is over is skipped silently, a tag
 * that was never given out is the initiator's mistake. */
static int stray_data(struct conn *c)
{
    uint32_t ttt = bhs_ttt(c->rx.bhs);

    if (ttt == TAG_NONE || conn_ttt_issued(c, ttt))
        c->rx.ignore = true;
    else
        pdu_reject(c, REJECT_INVALID_FIELD);
    return 0;
}

/* DataPDUInOrder and DataSequenceInOrder are Yes: each PDU must continue where the last ended. */
static void check_burst(struct task *t, const uint8_t *bhs, uint32_t len, uint32_t expected_offset,
                        uint32_t left, uint32_t expected_sn)
{
    uint32_t offset = get_be32(bhs + 40);

    if (get_be32(bhs + 36) != expected_sn || offset != expected_offset || len > left)
        fail_data_amount(t);
    /* F belongs on the last PDU of a burst and nowhere else (11.7.1). */
    else if (!bhs_final(bhs) && len == left)
        fail_data_amount(t);
}

int data_out_begin(struct conn *c, struct error *err)
{
    struct rx *rx = &c->rx;
    uint32_t ttt = bhs_ttt(rx->bhs), offset = get_be32(rx->bhs + 40);
    struct task *t;

    (void)err;
    pthread_mutex_lock(&c->lock);
    t = task_find(c, bhs_itt(rx->bhs));
    if (t && t->state != TASK_COLLECTING)
        t = NULL;
    pthread_mutex_unlock(&c->lock);
    rx->r2t = t && ttt != TAG_NONE ? find_r2t(t, ttt) : NULL;
    if (!t || (ttt != TAG_NONE && !rx->r2t) || (ttt == TAG_NONE && !t->unsolicited))
        return stray_data(c);
    rx->task = t;
    if (rx->r2t) {
        struct r2t *r = rx->r2t;

        check_burst(t, rx->bhs, rx->data_len, r->offset + r->got, r->length - r->got, r->data_sn);
        if (bhs_final(rx->bhs) && rx->data_len != r->length - r->got)
            fail_data_amount(t);
    } else {
        check_burst(t, rx->bhs, rx->data_len, t->received, t->unsolicited_limit - t->received,
                    t->unsolicited_sn);
    }
    if (!t->failed && offset < t->size) {
        rx->dest = t->buffer + offset;
        rx->dest_len = (uint32_t)t->size - offset;
    }
    return 0;
}

int data_out_end(struct conn *c, struct error *err)
{
    struct rx *rx = &c->rx;
    struct task *t = rx->task;
    struct r2t *r = rx->r2t;
    bool over = bhs_final(rx->bhs);

    (void)err;
    rx->task = NULL;
    rx->r2t = NULL;
    atomic_fetch_add(&c->bytes_in, rx->data_len);
    if (r) {
        r->got += rx->data_len;
        r->data_sn++;
        if (over || r->got >= r->length) {
            r->used = false;
            t->outstanding--;
        }
    } else {
        t->unsolicited_sn++;
        t->received += rx->data_len;
        t->unsolicited = !over && t->received < t->unsolicited_limit;
    }
    proceed(t);
    return 0;
}

void data_out_bad_digest(struct conn *c)
{
    fail_digest(c->rx.task);
    data_out_end(c, NULL);
}
