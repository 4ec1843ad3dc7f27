/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lu.c - a logical unit's queue and thread; the states of a task are drawn in internal.h.
 *
 * Tasks run in the order of their submission, whatever their task attribute: SAM-6 8.6 allows a
 * unit to treat SIMPLE as ORDERED, and tape commands depend on position.
 */
#include <errno.h>
#include <time.h>

#include "vtl/scsi/internal.h"

#define IDLE_NS 1000000000 /* background work is done after this long without a command */

static void finish(struct scsi_task *task, uint8_t status)
{
    if (status != SCSI_GOOD) {
        task->status = status;
        task->sense_len = 0;
        task->in_len = 0;
    }
    task->done(task);
}

void lu_submit(struct scsi_lu *lu, struct scsi_task *task)
{
    uint8_t refused = SCSI_GOOD;

    pthread_mutex_lock(&lu->lock);
    if (lu->stop)
        refused = SCSI_TASK_ABORTED;
    else if (lu->queued >= LU_QUEUE_MAX)
        refused = SCSI_TASK_SET_FULL;
    if (refused == SCSI_GOOD) {
        *lu->tail = task;
        lu->tail = &task->next;
        lu->queued++;
        pthread_cond_signal(&lu->wake);
    }
    pthread_mutex_unlock(&lu->lock);
    if (refused != SCSI_GOOD)
        finish(task, refused);
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* Wait for work.  Returns true with *task set, or NULL: background work; false: stop. */
static bool lu_next(struct scsi_lu *lu, struct scsi_task **task)
{
    CLEANUP_UNLOCK(&lu->lock);
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += IDLE_NS % 1000000000;
    until.tv_sec += IDLE_NS / 1000000000;
    *task = NULL;
    while (!lu->head && !lu->stop) {
        if (!lu->needs_idle)
            pthread_cond_wait(&lu->wake, &lu->lock);
        else if (pthread_cond_timedwait(&lu->wake, &lu->lock, &until) == ETIMEDOUT && !lu->head)
            return true;
    }
    if (lu->stop)
        return false;
    *task = lu->head;
    lu->head = (*task)->next;
    if (!lu->head)
        lu->tail = &lu->head;
    lu->queued--;
    lu->running = *task;
    lu->state.busy = true;
    return true;
}

bool lu_aborted(struct scsi_lu *lu, const struct scsi_task *task)
{
    CLEANUP_UNLOCK(&lu->lock);

    return task->aborted;
}

static void lu_run(struct scsi_lu *lu, struct scsi_task *task)
{
    bool aborted;

    pthread_mutex_lock(&lu->device);
    if (!lu_aborted(lu, task)) /* it may have been, while the robot held the unit */
        (task->no_lu ? dispatch_no_lu : dispatch)(lu, task);
    pthread_mutex_lock(&lu->lock);
    aborted = task->aborted;
    lu->running = NULL;
    lu->ending = true;
    lu->last.nexus = task->nexus;
    lu->last.tag = task->tag;
    lu->last.no_lu = task->no_lu;
    lu->state.busy = false;
    lu->state.commands++;
    if (lu->kind->publish)
        lu->kind->publish(lu);
    pthread_mutex_unlock(&lu->lock);
    pthread_mutex_unlock(&lu->device);

    finish(task, aborted ? SCSI_TASK_ABORTED : SCSI_GOOD);

    pthread_mutex_lock(&lu->lock);
    lu->ending = false;
    lu->turns++;
    pthread_cond_broadcast(&lu->finished);
    pthread_mutex_unlock(&lu->lock);
}

/* Background work, between commands: the initiator has its status already and can send on. */
static void lu_idle(struct scsi_lu *lu, bool expired)
{
    bool left;

    if (!lu->kind->idle)
        return;
    pthread_mutex_lock(&lu->device);
    left = lu->kind->idle(lu, expired);
    pthread_mutex_lock(&lu->lock);
    lu->needs_idle = left;
    if (lu->kind->publish)
        lu->kind->publish(lu);
    pthread_mutex_unlock(&lu->lock);
    pthread_mutex_unlock(&lu->device);
}

static void *lu_main(void *arg)
{
    struct scsi_lu *lu = arg;
    struct scsi_task *task;

    while (lu_next(lu, &task)) {
        if (task)
            lu_run(lu, task);
        lu_idle(lu, task == NULL);
    }
    return NULL;
}

int lu_start(struct scsi_lu *lu, struct error *err)
{
    if (pthread_create(&lu->thread, NULL, lu_main, lu) != 0)
        return error_set(err, ERR_NO_MEMORY, "The thread of logical unit %u can't be started",
                         lu->lun);
    lu->started = true;
    return 0;
}

static bool is_any(const struct scsi_task *task, const void *ctx)
{
    (void)task;
    (void)ctx;
    return true;
}

void lu_stop(struct scsi_lu *lu)
{
    pthread_mutex_lock(&lu->lock);
    lu->stop = true;
    pthread_cond_signal(&lu->wake);
    pthread_mutex_unlock(&lu->lock);
    lu_abort(lu, is_any, NULL);
    if (lu->started)
        pthread_join(lu->thread, NULL);
    lu->started = false;
}

/* ---- aborting -------------------------------------------------------------------------------- */

/* Take what matches out of the queue; they are returned as a list. */
static struct scsi_task *unqueue(struct scsi_lu *lu,
                                 bool (*match)(const struct scsi_task *task, const void *ctx),
                                 const void *ctx, unsigned *count)
{
    struct scsi_task *taken = NULL, **end = &taken;

    for (struct scsi_task **p = &lu->head; *p;) {
        struct scsi_task *task = *p;

        if (!match(task, ctx)) {
            p = &task->next;
            continue;
        }
        *p = task->next;
        task->next = NULL;
        *end = task;
        end = &task->next;
        lu->queued--;
        (*count)++;
    }
    lu->tail = &lu->head;
    while (*lu->tail)
        lu->tail = &(*lu->tail)->next;
    return taken;
}

unsigned lu_abort(struct scsi_lu *lu, bool (*match)(const struct scsi_task *task, const void *ctx),
                  const void *ctx)
{
    struct scsi_task *taken, *running, *next;
    unsigned count = 0;
    uint64_t turn;
    bool wait;

    pthread_mutex_lock(&lu->lock);
    taken = unqueue(lu, match, ctx, &count);
    running = lu->running && match(lu->running, ctx) ? lu->running : NULL;
    if (running) {
        running->aborted = true;
        count++;
    }
    wait = running || (lu->ending && match(&lu->last, ctx));
    turn = lu->turns;
    pthread_mutex_unlock(&lu->lock);
    for (; taken; taken = next) {
        next = taken->next;
        finish(taken, SCSI_TASK_ABORTED);
    }
    pthread_mutex_lock(&lu->lock);
    while (wait && lu->turns == turn)
        pthread_cond_wait(&lu->finished, &lu->lock);
    pthread_mutex_unlock(&lu->lock);
    return count;
}
