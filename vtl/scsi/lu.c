/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lu.c - a logical unit's queue and thread; the states of a task are drawn in internal.h.
 *
 * Tasks run in the order of their submission, whatever their task attribute: SAM-6 8.6 allows a
 * unit to treat SIMPLE as ORDERED, and tape commands depend on position.
 *
 * With one command at a time the way to the unit's thread and back costs more than a block's work:
 * so a command that neither moves the tape nor waits for a sync (OP_QUICK) may run on the thread
 * that submits it while the unit has nothing else to do (lu_run_here).  What it leaves to do in the
 * background is the unit's thread's all the same.
 */
#include <errno.h>
#include <time.h>

#include "vtl/scsi/internal.h"

#define LABORIOUS_FROM 65536      /* bytes of a WRITE that are worth another thread's turn */
#define IDLE_NS        1000000000 /* background work is done after this long without a command */

static void finish(struct scsi_task *task, uint8_t status)
{
    if (status != SCSI_GOOD) {
        task->status = status;
        task->sense_len = 0;
        task->in_len = 0;
    }
    task->done(task);
}

static void *lu_main(void *arg);

/* A drive that nobody uses costs no thread.  With the unit's lock held; false: there is no more. */
static bool lu_thread(struct scsi_lu *lu)
{
    if (!lu->started)
        lu->started = pthread_create(&lu->thread, NULL, lu_main, lu) == 0;
    return lu->started;
}

void lu_submit(struct scsi_lu *lu, struct scsi_task *task)
{
    uint8_t refused = SCSI_GOOD;

    pthread_mutex_lock(&lu->lock);
    if (lu->stop)
        refused = SCSI_TASK_ABORTED;
    else if (lu->queued >= LU_QUEUE_MAX)
        refused = SCSI_TASK_SET_FULL;
    else if (!lu_thread(lu))
        refused = SCSI_BUSY;
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

/* ---- running a task -------------------------------------------------------------------------- */

/* The unit's lock held; no other task runs. */
static void lu_begin(struct scsi_lu *lu, struct scsi_task *task)
{
    lu->running = task;
    lu->state.busy = true;
}

bool lu_aborted(struct scsi_lu *lu, const struct scsi_task *task)
{
    CLEANUP_UNLOCK(&lu->lock);

    return task->aborted;
}

/* The initiator is busy with the answer.  A robot or an observer that holds the unit goes first. */
static void lu_afterwards(struct scsi_lu *lu)
{
    if (!lu->kind->afterwards || pthread_mutex_trylock(&lu->device) != 0)
        return;
    lu->kind->afterwards(lu);
    pthread_mutex_unlock(&lu->device);
}

/* Carry out the task that lu_begin() was told of; with lu->device held, which is let go.  What is
 * left to do in the background is looked at before done(): the task is the transport's then. */
static void lu_run(struct scsi_lu *lu, struct scsi_task *task)
{
    bool aborted;

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
    if (lu->kind->chores)
        lu->chores = lu->kind->chores(lu);
    pthread_mutex_unlock(&lu->lock);
    pthread_mutex_unlock(&lu->device);

    finish(task, aborted ? SCSI_TASK_ABORTED : SCSI_GOOD);
    lu_afterwards(lu);

    pthread_mutex_lock(&lu->lock);
    lu->ending = false;
    lu->turns++;
    pthread_cond_broadcast(&lu->finished);
    pthread_mutex_unlock(&lu->lock);
}

/* Begin task here and now, with lu->device held: false if the unit has anything else to do. */
static bool lu_begin_here(struct scsi_lu *lu, struct scsi_task *task)
{
    CLEANUP_UNLOCK(&lu->lock);

    /* An initiator may have its answer before done() has returned on the unit's thread. */
    while (lu->ending && !lu->stop)
        pthread_cond_wait(&lu->finished, &lu->lock);
    if (lu->stop || lu->head || lu->running || lu->chores == CHORES_NOW)
        return false;
    /* A robot or an observer may hold the unit, and for long: then the task queues. */
    if (pthread_mutex_trylock(&lu->device) != 0)
        return false;
    lu_begin(lu, task);
    return true;
}

bool lu_run_here(struct scsi_lu *lu, struct scsi_task *task)
{
    const struct opcode *op = opcode_find(lu, task->cdb);
    bool woken;

    if (lu->target->layer) /* it may take its time */
        return false;
    if (atomic_load(&lu->laborious) && task->out_len >= LABORIOUS_FROM)
        return false; /* the transport has the next command to receive meanwhile */
    if (!op || !(op->flags & OP_QUICK) || !lu_begin_here(lu, task))
        return false;
    woken = lu->chores != CHORES_NONE; /* the unit's thread: it looks again every second */
    lu_run(lu, task);
    pthread_mutex_lock(&lu->lock);
    if ((lu->head || lu->chores == CHORES_NOW || (lu->chores == CHORES_LATER && !woken)) &&
        lu_thread(lu)) /* without one, what is buffered waits for the next command that syncs */
        pthread_cond_signal(&lu->wake);
    pthread_mutex_unlock(&lu->lock);
    return true;
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void idle_deadline(struct timespec *until)
{
    clock_gettime(CLOCK_MONOTONIC, until);
    until->tv_nsec += IDLE_NS % 1000000000;
    until->tv_sec += IDLE_NS / 1000000000;
}

static bool lu_is_busy(const struct scsi_lu *lu)
{
    return lu->running || lu->ending;
}

/* Nothing to be done: wait until there may be.  True: a whole second has gone without a command. */
static bool lu_wait(struct scsi_lu *lu)
{
    uint64_t turn = lu->turns;
    struct timespec until;

    if (lu->chores == CHORES_NONE) {
        pthread_cond_wait(&lu->wake, &lu->lock);
        return false;
    }
    idle_deadline(&until);
    while (!lu->stop && !lu->head && lu->chores == CHORES_LATER) {
        if (pthread_cond_timedwait(&lu->wake, &lu->lock, &until) == ETIMEDOUT)
            return lu->turns == turn && !lu_is_busy(lu);
    }
    return false;
}

/* Wait for work.  Returns true with *task set, or NULL: background work; false: stop. */
static bool lu_next(struct scsi_lu *lu, struct scsi_task **task)
{
    CLEANUP_UNLOCK(&lu->lock);

    *task = NULL;
    while (!lu->stop && (!lu->head || lu_is_busy(lu))) {
        if (lu_is_busy(lu)) /* another thread, in lu_run_here() */
            pthread_cond_wait(&lu->finished, &lu->lock);
        else if (lu->chores == CHORES_NOW || lu_wait(lu))
            return true;
    }
    if (lu->stop)
        return false;
    *task = lu->head;
    lu->head = (*task)->next;
    if (!lu->head)
        lu->tail = &lu->head;
    lu->queued--;
    lu_begin(lu, *task);
    return true;
}

/* Background work, between commands: the initiator has its status already and can send on. */
static void lu_do_chores(struct scsi_lu *lu)
{
    pthread_mutex_lock(&lu->device);
    lu->kind->do_chores(lu);
    pthread_mutex_lock(&lu->lock);
    lu->chores = lu->kind->chores(lu);
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
        if (!task) {
            lu_do_chores(lu);
            continue;
        }
        pthread_mutex_lock(&lu->device);
        lu_run(lu, task);
    }
    return NULL;
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
