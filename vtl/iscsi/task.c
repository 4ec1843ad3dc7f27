/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task.c - the life of a SCSI task on this side of vtl/scsi.
 *
 *      COLLECTING ──all data here──> READY ──its turn──> SUBMITTED ──done()──> ANSWERING ──> freed
 *           │                          │ failed here already                      ^
 *           └── aborted: freed         └──────────────────────────────────────────┘
 *
 * Invariants:
 *   1. Tasks of one logical unit reach vtl/scsi in CmdSN order, also when a later one has its data
 *      first: two writes to a tape must not change places.
 *   2. A task is in conn.tasks until its last PDU is in a batch or it is dropped.
 *   3. done() is the only function here that runs on foreign threads.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "vtl/iscsi/conn.h"

enum { SECURITY_PROTOCOL_OUT = 0xb5 };

#define SENSE_FIXED_SIZE 18
#define SENSE_FIXED      0x70 /* SPC-5 table 29: current, fixed format */

/* Put a task into the list: behind all that came before it by CmdSN; an immediate one behind all
 * that came before it in time.  Lock held. */
static void task_link(struct task *t)
{
    struct conn *c = t->conn;
    struct task *before = NULL;

    for (struct task *e = c->tasks_last; e && !t->immediate; e = e->prev)
        if (!e->immediate && sn_before(t->cmd_sn, e->cmd_sn))
            before = e;
    t->next = before;
    t->prev = before ? before->prev : c->tasks_last;
    *(t->prev ? &t->prev->next : &c->tasks) = t;
    *(before ? &before->prev : &c->tasks_last) = t;
    *(t->immediate ? &c->open_immediate : &c->open_ordered) += 1;
}

struct task *task_new(struct conn *c, const uint8_t *bhs)
{
    struct task *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->conn = c;
    t->itt = bhs_itt(bhs);
    t->cmd_sn = bhs_cmd_sn(bhs);
    t->immediate = bhs_immediate(bhs);
    t->read = bhs[1] & COMMAND_READ;
    t->write = bhs[1] & COMMAND_WRITE;
    t->edtl = t->read || t->write ? get_be32(bhs + BHS_EDTL) : 0;
    memcpy(t->scsi.lun, bhs + 8, sizeof(t->scsi.lun));
    memcpy(t->scsi.cdb, bhs + BHS_CDB, BHS_CDB_SIZE);
    t->scsi.cdb_len = BHS_CDB_SIZE;
    t->scsi.nexus = c->nexus;
    t->scsi.tag = t->itt;
    t->scsi.transport = t;
    t->scsi.done = task_done;
    t->answer.task = t;
    t->answer.sn = STAT_SN_COUNT;

    pthread_mutex_lock(&c->lock);
    task_link(t);
    pthread_mutex_unlock(&c->lock);
    return t;
}

struct task *task_find(struct conn *c, uint32_t itt)
{
    struct task *t = c->tasks;

    while (t && t->itt != itt)
        t = t->next;
    return t;
}

void task_unlink(struct task *t)
{
    struct conn *c = t->conn;
    unsigned *open = t->immediate ? &c->open_immediate : &c->open_ordered;

    assert(*open > 0);
    *open -= 1;
    *(t->prev ? &t->prev->next : &c->tasks) = t->next;
    *(t->next ? &t->next->prev : &c->tasks_last) = t->prev;
}

void task_free(struct task *t)
{
    if (t->buffer) {
        atomic_fetch_sub(&t->conn->buffered, t->size);
        if (t->scsi.cdb[0] == SECURITY_PROTOCOL_OUT) /* a key is not for who gets it next */
            explicit_bzero(t->buffer, t->size);
        pool_put(&t->conn->server->pool, t->buffer, t->size);
    }
    free(t);
}

void task_take_buffer(struct task *t)
{
    struct conn *c = t->conn;

    if (atomic_fetch_add(&c->buffered, t->size) + t->size <= CONN_BUFFERED_MAX)
        t->buffer = pool_get(&c->server->pool, t->size);
    if (t->buffer)
        return;
    /* SAM-6 5.3.1: BUSY is said to who has nothing else under way, TASK SET FULL to the others. */
    atomic_fetch_sub(&c->buffered, t->size);
    t->size = 0;
    task_refuse(t, atomic_load(&c->buffered) ? SCSI_TASK_SET_FULL : SCSI_BUSY);
}

/* ---- the verdict ------------------------------------------------------------------------------*/

void task_refuse(struct task *t, uint8_t status)
{
    if (t->failed)
        return;
    t->failed = true;
    t->scsi.status = status;
}

void command_fail(struct task *t, uint8_t key, uint8_t asc, uint8_t ascq)
{
    if (t->failed)
        return;
    task_refuse(t, SCSI_CHECK_CONDITION);
    t->scsi.sense[0] = SENSE_FIXED;
    t->scsi.sense[2] = key;
    t->scsi.sense[7] = SENSE_FIXED_SIZE - 8;
    t->scsi.sense[12] = asc;
    t->scsi.sense[13] = ascq;
    t->scsi.sense_len = SENSE_FIXED_SIZE;
}

/* 11.4.5: what the CDB wanted to move against what the initiator made room for. */
static void set_residual(struct task *t)
{
    uint64_t want = t->write ? t->scsi.out_want : t->scsi.in_want;
    uint64_t moved = t->write ? want : t->scsi.in_len, residual = 0;
    uint8_t flag = 0;

    if (!t->read && !t->write && want < t->scsi.out_want)
        want = t->scsi.out_want;
    if (want > t->edtl) {
        flag = RESIDUAL_OVERFLOW;
        residual = want - t->edtl;
    } else if (moved < t->edtl) {
        flag = RESIDUAL_UNDERFLOW;
        residual = t->edtl - moved;
    }
    t->answer.bhs[1] |= flag;
    put_be32(t->answer.bhs + 44, residual > UINT32_MAX ? UINT32_MAX : (uint32_t)residual);
}

void task_answer(struct task *t)
{
    struct scsi_task *s = &t->scsi;

    if (t->failed) {
        s->in_len = 0;
        s->in_want = s->out_want = 0;
    }
    if (s->in_len > s->in_size)
        s->in_len = s->in_size;
    t->state = TASK_ANSWERING;
    pdu_init(t->answer.bhs, OP_SCSI_RESPONSE, FLAG_FINAL, t->itt);
    t->answer.bhs[3] = s->status;
    set_residual(t);
    if (s->sense_len > 0 && s->sense_len <= SCSI_SENSE_MAX) {
        put_be16(t->sense, (uint16_t)s->sense_len);
        memcpy(t->sense + 2, s->sense, s->sense_len);
        t->answer.data = t->sense;
        t->answer.len = (uint32_t)s->sense_len + 2;
    }
    /* 11.4.2: status rides on Data-In only if it is good; a short tape block has sense as well. */
    t->collapse = s->status == SCSI_GOOD && s->sense_len == 0;
    tx_queue(t->conn, &t->answer);
}

void task_done(struct scsi_task *scsi)
{
    struct task *t = scsi->transport;
    struct conn *c = t->conn;
    struct task *dropped = NULL;

    pthread_mutex_lock(&c->lock);
    if (c->ending || (t->dropping && scsi->status == SCSI_TASK_ABORTED)) {
        task_unlink(t);
        dropped = t;
    } else {
        task_answer(t);
        tx_flush(c);
    }
    if (dropped)
        task_free(dropped);
    /* From the moment in_target is 0 and the lock is free the connection may be gone. */
    if (--c->in_target == 0)
        pthread_cond_broadcast(&c->quiet);
    pthread_mutex_unlock(&c->lock);
}

/* ---- its turn ---------------------------------------------------------------------------------*/

static bool arrived_in_order(const struct conn *c, const struct task *t)
{
    return t->immediate || sn_before(t->cmd_sn, c->exp_cmd_sn);
}

/* The first task that may go: ready, every earlier CmdSN is here, and no earlier task of its
 * logical unit is still waiting. */
static struct task *next_ready(struct conn *c)
{
    for (struct task *t = c->tasks; t; t = t->next) {
        bool waits = t->state != TASK_READY || !arrived_in_order(c, t);

        for (struct task *e = c->tasks; !waits && e != t; e = e->next)
            waits = e->state <= TASK_READY && memcmp(e->scsi.lun, t->scsi.lun, 8) == 0;
        if (!waits)
            return t;
    }
    return NULL;
}

/* Room for data-in is taken when the command goes, not when it queues. */
static void make_room(struct task *t)
{
    if (!t->failed && t->read && t->size > 0)
        task_take_buffer(t);
}

void conn_advance(struct conn *c)
{
    struct task *t;
    bool alone;

    pthread_mutex_lock(&c->lock);
    while ((t = next_ready(c))) {
        make_room(t);
        if (t->failed) {
            task_answer(t);
            continue;
        }
        t->state = TASK_SUBMITTED;
        c->in_target++;
        if (t->read) {
            t->scsi.in = t->buffer;
            t->scsi.in_size = t->size;
        } else {
            t->scsi.out = t->buffer;
            t->scsi.out_len = t->size;
        }
        alone = c->open_ordered + c->open_immediate == 1 && c->rx.start == c->rx.end;
        pthread_mutex_unlock(&c->lock);
        atomic_fetch_add(&c->commands, 1);
        /* With another command behind it, receiving that one overlaps with carrying this one out.
         */
        (alone ? scsi_target_run : scsi_target_submit)(c->scsi, &t->scsi);
        pthread_mutex_lock(&c->lock);
    }
    tx_flush(c);
    pthread_mutex_unlock(&c->lock);
}
