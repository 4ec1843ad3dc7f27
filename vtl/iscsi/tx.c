/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tx.c - sending: the queue, batches of PDUs, and numbers stamped in the order of the wire.
 *
 * Invariants:
 *   1. StatSN, ExpCmdSN and MaxCmdSN are put into a PDU when it is taken off the queue, under the
 *      lock, so they rise in the order in which the PDUs go out.
 *   2. One thread at a time owns the batch (tx.sending); the lock is dropped around sendmsg().
 *   3. A task is found no more by its ITT once its last PDU is in a batch: the initiator may use
 *      the ITT again as soon as it has read that PDU.
 *   4. Payload is sent from where it is; it is never copied.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/crc32c.h"
#include "vtl/iscsi/conn.h"

#define FOREIGN_BATCHES 4 /* a thread of vtl/scsi sends so many batches, then has other work */

struct tx_item *tx_item_new(uint8_t opcode, uint8_t flags, uint32_t itt, enum stat_sn_rule sn,
                            uint32_t len)
{
    struct tx_item *item = malloc(sizeof(*item) + len);

    if (!item)
        return NULL;
    *item = (struct tx_item){.sn = sn, .len = len, .data = tx_item_data(item)};
    pdu_init(item->bhs, opcode, flags, itt);
    return item;
}

void tx_queue(struct conn *c, struct tx_item *item)
{
    if (tx_empty(c))
        c->tx.progress_ns = clock_ns();
    item->next = NULL;
    *c->tx.tail = item;
    c->tx.tail = &item->next;
    if (!item->task) {
        c->tx.queued++;
        c->tx.queued_bytes += item->len;
    }
}

bool tx_empty(const struct conn *c)
{
    return !c->tx.head && c->tx.slot_count == 0;
}

bool tx_crowded(const struct conn *c)
{
    return c->tx.queued > CONN_QUEUE_MAX || c->tx.queued_bytes > CONN_QUEUE_BYTES;
}

static void stamp(struct conn *c, uint8_t *bhs, enum stat_sn_rule sn)
{
    if (sn != STAT_SN_NONE)
        put_be32(bhs + 24, c->stat_sn);
    if (sn == STAT_SN_COUNT)
        c->stat_sn++;
    put_be32(bhs + 28, c->exp_cmd_sn);
    put_be32(bhs + 32, c->exp_cmd_sn + conn_window(c) - 1);
}

/* The task's last PDU is in the batch: its slot in the window is free again. */
static void task_leaves(struct conn *c, struct task *t)
{
    task_unlink(t);
    atomic_fetch_add(&c->bytes_out, t->sent);
}

static void finish_head(struct conn *c)
{
    struct tx_item *item = c->tx.head;

    c->tx.head = item->next;
    if (!c->tx.head)
        c->tx.tail = &c->tx.head;
    if (!item->task) {
        c->tx.queued--;
        c->tx.queued_bytes -= item->len;
    }
    item->next = c->tx.sent;
    c->tx.sent = item;
}

/* The next Data-In of a task (11.7): pieces as large as the initiator takes; F ends a burst. */
static void fill_data_in(struct conn *c, struct task *t, struct tx_slot *slot)
{
    uint32_t left = (uint32_t)t->scsi.in_len - t->sent, len = left;
    uint32_t burst_left = c->params.max_burst - t->burst_sent;
    bool last, status;

    if (len > c->params.peer_recv_length)
        len = c->params.peer_recv_length;
    if (len > burst_left)
        len = burst_left;
    last = len == left;
    status = last && t->collapse;
    pdu_init(slot->header, OP_DATA_IN, last || len == burst_left ? FLAG_FINAL : 0, t->itt);
    put_be24(slot->header + 5, len);
    put_be32(slot->header + 20, TAG_NONE);
    put_be32(slot->header + 36, t->data_sn++);
    put_be32(slot->header + 40, t->sent);
    if (status) {
        slot->header[1] |= DATA_IN_STATUS | (t->answer.bhs[1] & 0x06);
        slot->header[3] = t->scsi.status;
        memcpy(slot->header + 44, t->answer.bhs + 44, 4);
    }
    slot->data = t->buffer + t->sent;
    slot->len = len;
    slot->plain = false;
    t->sent += len;
    t->burst_sent = len == burst_left ? 0 : t->burst_sent + len;
    if (status) {
        task_leaves(c, t);
        finish_head(c);
    }
    stamp(c, slot->header, status ? STAT_SN_COUNT : STAT_SN_NONE);
}

static void fill_whole(struct conn *c, struct tx_item *item, struct tx_slot *slot)
{
    memcpy(slot->header, item->bhs, BHS_SIZE);
    put_be24(slot->header + 5, item->len);
    slot->data = item->data;
    slot->len = item->len;
    slot->plain = item->plain;
    if (item->task) {
        put_be32(slot->header + 36, item->task->data_sn + item->task->r2t_sn); /* ExpDataSN */
        task_leaves(c, item->task);
    }
    finish_head(c);
    stamp(c, slot->header, item->sn);
}

/* Take PDUs off the queue until the batch is full; false if there was none. */
static bool batch_fill(struct conn *c)
{
    struct tx *tx = &c->tx;

    tx->slot_count = 0;
    while (tx->head && tx->slot_count < CONN_TX_BATCH) {
        struct tx_slot *slot = &tx->slots[tx->slot_count++];
        struct task *t = tx->head->task;

        if (t && t->sent < t->scsi.in_len)
            fill_data_in(c, t, slot);
        else
            fill_whole(c, tx->head, slot);
    }
    return tx->slot_count > 0;
}

static void batch_add(struct tx *tx, const void *data, size_t len)
{
    if (len)
        tx->iov[tx->iov_count++] = (struct iovec){(void *)(uintptr_t)data, len};
}

/* Digests and the list of pieces; without the lock, since a CRC over a block takes its time. */
static void batch_seal(struct conn *c, bool digests)
{
    struct tx *tx = &c->tx;

    tx->iov_at = tx->iov_count = 0;
    for (unsigned i = 0; i < tx->slot_count; i++) {
        struct tx_slot *slot = &tx->slots[i];
        bool header_digest = digests && !slot->plain && c->params.header_digest;
        bool data_digest = digests && !slot->plain && c->params.data_digest && slot->len;
        uint32_t pad = pdu_pad(slot->len);

        if (header_digest)
            put_le32(slot->header + BHS_SIZE, crc32c(slot->header, BHS_SIZE));
        memset(slot->trailer, 0, pad);
        if (data_digest)
            put_le32(slot->trailer + pad,
                     crc32c_update(crc32c(slot->data, slot->len), slot->trailer, pad));
        batch_add(tx, slot->header, BHS_SIZE + (header_digest ? DIGEST_SIZE : 0u));
        batch_add(tx, slot->data, slot->len);
        batch_add(tx, slot->trailer, pad + (data_digest ? DIGEST_SIZE : 0u));
    }
}

static void batch_advance(struct tx *tx, size_t n)
{
    while (n > 0) {
        struct iovec *v = &tx->iov[tx->iov_at];
        size_t step = n < v->iov_len ? n : v->iov_len;

        v->iov_base = (char *)v->iov_base + step;
        v->iov_len -= step;
        n -= step;
        if (v->iov_len == 0)
            tx->iov_at++;
    }
    if (tx->iov_at == tx->iov_count)
        tx->slot_count = 0;
}

static void free_list(struct tx_item *list)
{
    while (list) {
        struct tx_item *next = list->next;

        if (list->task)
            task_free(list->task);
        else
            free(list);
        list = next;
    }
}

/* One sendmsg() for the batch, without the lock.  False when the socket takes no more. */
static bool batch_send(struct conn *c)
{
    struct tx *tx = &c->tx;
    struct msghdr msg = {.msg_iov = tx->iov + tx->iov_at, .msg_iovlen = tx->iov_count - tx->iov_at};
    struct tx_item *sent = NULL;
    ssize_t n;
    int saved;

    pthread_mutex_unlock(&c->lock);
    n = sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    saved = errno;
    pthread_mutex_lock(&c->lock);
    if (n < 0 && saved == EINTR)
        return true;
    if (n < 0) {
        tx->blocked = saved == EAGAIN;
        c->broken = c->broken || !tx->blocked;
        return false;
    }
    tx->progress_ns = clock_ns();
    batch_advance(tx, (size_t)n);
    if (tx->slot_count == 0) {
        sent = tx->sent;
        tx->sent = NULL;
    }
    if (sent) {
        pthread_mutex_unlock(&c->lock);
        free_list(sent);
        pthread_mutex_lock(&c->lock);
    }
    return true;
}

void tx_flush(struct conn *c)
{
    struct tx *tx = &c->tx;
    bool own = pthread_equal(pthread_self(), c->self);
    unsigned batches = 0;

    if (tx->sending || tx->blocked || c->broken)
        return;
    tx->sending = true;
    for (;;) {
        if (tx->slot_count == 0) {
            bool digests = c->digests_on;

            if (!own && batches++ == FOREIGN_BATCHES && tx->head) {
                tx->blocked = true;
                break;
            }
            if (!batch_fill(c))
                break;
            pthread_mutex_unlock(&c->lock);
            batch_seal(c, digests);
            pthread_mutex_lock(&c->lock);
        }
        if (!batch_send(c))
            break;
    }
    tx->sending = false;
    if (!own && (tx->blocked || c->broken))
        conn_wake(c);
}

void tx_send(struct conn *c, struct tx_item *item)
{
    pthread_mutex_lock(&c->lock);
    if (item)
        tx_queue(c, item);
    else
        c->broken = true; /* no memory for an answer: the peer would wait for ever */
    tx_flush(c);
    pthread_mutex_unlock(&c->lock);
}

void tx_discard(struct conn *c)
{
    struct tx_item *list = c->tx.head;

    assert(!c->tx.sending);
    /* Tasks in the queue are still in conn.tasks; those in `sent` are not. */
    for (struct tx_item *i = list; i; i = i->next)
        if (i->task)
            task_unlink(i->task);
    c->tx.head = NULL;
    c->tx.tail = &c->tx.head;
    free_list(list);
    free_list(c->tx.sent);
    c->tx.sent = NULL;
    c->tx.slot_count = 0;
}
