/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tmf.c - Task Management Requests (RFC 7143 sections 11.5, 11.6 and 4.2.3).
 *
 * Tasks that still collect data are known only here and are dropped at once; those with vtl/scsi
 * are aborted there, which may take as long as a tape moves.  That wait is done by a short-lived
 * helper thread, so that the connection goes on answering.
 */
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "vtl/iscsi/conn.h"

enum tmf_function {
    TMF_ABORT_TASK = 1,
    TMF_ABORT_TASK_SET = 2,
    TMF_CLEAR_ACA = 3,
    TMF_CLEAR_TASK_SET = 4,
    TMF_LUN_RESET = 5,
    TMF_WARM_RESET = 6,
    TMF_COLD_RESET = 7,
    TMF_TASK_REASSIGN = 8,
};

enum tmf_response { /* 11.6.1 */
                    TMF_COMPLETE = 0,
                    TMF_NO_TASK = 1,
                    TMF_NO_LUN = 2,
                    TMF_NO_REASSIGN = 4,
                    TMF_NOT_SUPPORTED = 5,
                    TMF_NOT_AUTHORIZED = 6,
                    TMF_REJECTED = 255,
};

static const struct tmf_row {
    enum scsi_tmf function;
    bool known, all_luns, closes;
    uint8_t refusal;
} table[] = {
    [TMF_ABORT_TASK] = {SCSI_TMF_ABORT_TASK, true, false, false, 0},
    [TMF_ABORT_TASK_SET] = {SCSI_TMF_ABORT_TASK_SET, true, false, false, 0},
    [TMF_CLEAR_ACA] = {0, false, false, false, TMF_NOT_SUPPORTED},
    [TMF_CLEAR_TASK_SET] = {SCSI_TMF_CLEAR_TASK_SET, true, false, false, 0},
    [TMF_LUN_RESET] = {SCSI_TMF_LUN_RESET, true, false, false, 0},
    [TMF_WARM_RESET] = {SCSI_TMF_TARGET_RESET, true, true, false, 0},
    [TMF_COLD_RESET] = {SCSI_TMF_TARGET_RESET, true, true, true, 0},
    [TMF_TASK_REASSIGN] = {0, false, false, false, TMF_NO_REASSIGN},
};

static const uint8_t response_of[] = {
    [SCSI_TMF_COMPLETE] = TMF_COMPLETE,
    [SCSI_TMF_NO_TASK] = TMF_NO_TASK,
    [SCSI_TMF_NO_LUN] = TMF_NO_LUN,
    [SCSI_TMF_REJECTED] = TMF_REJECTED,
};

struct job {
    struct conn *conn;
    const struct tmf_row *row;
    uint8_t lun[8];
    uint64_t tag;
    struct tx_item *answer;
};

static void carry_out(struct job *job)
{
    struct conn *c = job->conn;
    enum scsi_tmf_result result =
        scsi_target_manage(c->scsi, c->nexus, job->row->function, job->lun, job->tag);

    job->answer->bhs[2] = response_of[result];
    /* 11.5.1: after a cold reset all connections are gone, and nobody is told. */
    if (job->row->closes && result == SCSI_TMF_COMPLETE)
        server_close_target(c->server, c->target);
    pthread_mutex_lock(&c->lock);
    tx_queue(c, job->answer);
    tx_flush(c);
    if (--c->helpers == 0)
        pthread_cond_broadcast(&c->quiet);
    pthread_mutex_unlock(&c->lock);
    free(job);
}

static void *helper_thread(void *job)
{
    carry_out(job);
    return NULL;
}

static void start_helper(struct job *job)
{
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, helper_thread, job) != 0)
        carry_out(job);
    pthread_attr_destroy(&attr);
}

/* Drop tasks that vtl/scsi has not seen; mark the others, whose answers are then dropped when they
 * come back aborted.  tag NULL: all of the unit.  Returns how many it found. */
static unsigned sweep(struct conn *c, const struct tmf_row *row, const uint8_t *lun,
                      const uint32_t *tag, unsigned *submitted)
{
    unsigned found = 0;
    struct task *next;

    for (struct task *t = c->tasks; t; t = next) {
        next = t->next;
        if (t->state == TASK_ANSWERING || (tag && t->itt != *tag) ||
            (!row->all_luns && memcmp(t->scsi.lun, lun, 8) != 0))
            continue;
        found++;
        if (t->state == TASK_SUBMITTED) {
            t->dropping = true;
            *submitted += 1;
        } else {
            task_unlink(t);
            task_free(t);
        }
    }
    return found;
}

/* 11.5.5: a task that never came, but whose number is in the window, counts as received. */
static bool consume_reference(struct conn *c, uint32_t ref, uint32_t own)
{
    uint32_t ahead = ref - c->exp_cmd_sn;

    if (ahead >= conn_window(c) || !sn_before(ref, own) || (c->seen >> ahead & 1))
        return false;
    c->seen |= (uint64_t)1 << ahead;
    while (c->seen & 1) {
        c->seen >>= 1;
        c->exp_cmd_sn++;
    }
    return true;
}

/* ABORT TASK is over here already if the task is not with vtl/scsi: the answer, or -1. */
static int abort_here(struct conn *c, const struct tmf_row *row, const uint8_t *bhs)
{
    uint32_t tag = bhs_ttt(bhs); /* the Referenced Task Tag stands there */
    unsigned submitted = 0, found = sweep(c, row, bhs + 8, &tag, &submitted);

    if (submitted > 0)
        return -1;
    if (found > 0 || consume_reference(c, get_be32(bhs + 32), bhs_cmd_sn(bhs)))
        return TMF_COMPLETE;
    return TMF_NO_TASK;
}

/* What is decided without vtl/scsi: the response, or -1; then a helper is accounted for. */
static int decide(struct conn *c, uint8_t function, const uint8_t *bhs)
{
    const struct tmf_row *row = &table[function];
    unsigned submitted = 0;
    int response = -1;

    if (!row->known)
        return row->refusal;
    /* 11.6.1: what it does not see is not its to reset, and it must not end others' sessions. */
    if (row->all_luns && !scsi_nexus_sees_all(c->nexus))
        return TMF_NOT_AUTHORIZED;
    pthread_mutex_lock(&c->lock);
    if (function == TMF_ABORT_TASK)
        response = abort_here(c, row, bhs);
    else
        sweep(c, row, bhs + 8, NULL, &submitted);
    if (response < 0)
        c->helpers++;
    pthread_mutex_unlock(&c->lock);
    return response;
}

static bool crowded(struct conn *c)
{
    bool many;

    pthread_mutex_lock(&c->lock);
    many = c->helpers >= CONN_IMMEDIATE_MAX;
    pthread_mutex_unlock(&c->lock);
    return many;
}

int task_request_end(struct conn *c, struct error *err)
{
    const uint8_t *bhs = c->rx.bhs;
    uint8_t function = bhs[1] & 0x7f;
    struct tx_item *answer;
    struct job *job;
    int response;

    if (bhs_itt(bhs) == TAG_NONE || crowded(c)) {
        pdu_reject(c, crowded(c) ? REJECT_IMMEDIATE : REJECT_INVALID_FIELD);
        return 0;
    }
    answer = tx_item_new(OP_TASK_RESPONSE, FLAG_FINAL, bhs_itt(bhs), STAT_SN_COUNT, 0);
    job = calloc(1, sizeof(*job));
    if (!answer || !job) {
        free(answer);
        free(job);
        return error_set(err, ERR_NO_MEMORY, "no memory for a task management function");
    }
    response = function > 0 && function < ARRAY_LENGTH(table) ? decide(c, function, bhs)
                                                              : TMF_NOT_SUPPORTED;
    if (response >= 0) {
        free(job);
        answer->bhs[2] = (uint8_t)response;
        tx_send(c, answer);
    } else {
        *job = (struct job){.conn = c, .row = &table[function], .tag = bhs_ttt(bhs)};
        job->answer = answer;
        memcpy(job->lun, bhs + 8, sizeof(job->lun));
        start_helper(job);
    }
    /* What the dropped ones held up may go. */
    conn_advance(c);
    return 0;
}
