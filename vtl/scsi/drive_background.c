/* SPDX-License-Identifier: Apache-2.0 */
/* drive_background.c - see drive_background.h. */
#include "vtl/scsi/drive_background.h"

#include "common/clock.h"

#include <stdlib.h>
#include <time.h>

/* What is told while it goes on: by NOT READY, and by REQUEST SENSE, which has sense data of its
 * own for operations that do not end readiness for good (SPC-5 annex F, "... OPERATION IN
 * PROGRESS"). */
static const struct row {
    uint16_t not_ready;
    enum sense_key key; /* of REQUEST SENSE */
    uint16_t code;
    bool at_last; /* the medium is as it was until its time is over */
} rows[] = {
    [OPERATION_LOAD] = {ASC_BECOMING_READY, KEY_NOT_READY, ASC_BECOMING_READY, true},
    [OPERATION_UNLOAD] = {ASC_NOT_READY, KEY_NOT_READY, ASC_NOT_READY, false},
    [OPERATION_REWIND] = {ASC_OPERATION_IN_PROGRESS, KEY_NO_SENSE, ASC_REWINDING, false},
    [OPERATION_LOCATE] = {ASC_OPERATION_IN_PROGRESS, KEY_NO_SENSE, ASC_LOCATING, false},
    [OPERATION_ERASE] = {ASC_OPERATION_IN_PROGRESS, KEY_NO_SENSE, ASC_ERASING, false},
    [OPERATION_FORMAT] = {ASC_FORMATTING, KEY_NOT_READY, ASC_FORMATTING, false},
    [OPERATION_CAPACITY] = {ASC_OPERATION_IN_PROGRESS, KEY_NO_SENSE, ASC_SETTING_CAPACITY, false},
    [OPERATION_VERIFY] = {ASC_OPERATION_IN_PROGRESS, KEY_NO_SENSE, ASC_VERIFYING, false},
};

struct background {
    enum operation what;
    operation_step *step; /* NULL: all is done, but its time is not over */
    bool begun;           /* the first step was */
    struct progress progress;
    int64_t began_ms, until_ms; /* monotonic */
    struct scsi_task task;      /* a copy of the command's, with its data-out */
};

struct background *operation_create(void)
{
    return calloc(1, sizeof(struct background));
}

void operation_destroy(struct background *b)
{
    if (b)
        free((void *)(uintptr_t)b->task.out);
    free(b);
}

static void go_idle(struct background *b)
{
    free((void *)(uintptr_t)b->task.out);
    memset(b, 0, sizeof(*b));
}

/* ---- beginning ------------------------------------------------------------------------------- */

/* Steps and the time that is left, on the thread of the command; an abort ends the waiting, and
 * what can be done in parts. */
static void run_now(struct scsi_lu *lu, struct scsi_task *task, operation_step *step, int64_t until)
{
    const struct timespec pause = {0, 5 * 1000000};
    struct progress p = {0};

    while (!step(lu, task, &p) && !lu_aborted(lu, task))
        ;
    while (task->status == SCSI_GOOD && clock_monotonic_ms() < until && !lu_aborted(lu, task))
        nanosleep(&pause, NULL);
}

/* The command as it is needed when the transport has its task back; false: there is no memory. */
static bool keep_task(struct scsi_task *copy, const struct scsi_task *task)
{
    uint8_t *out = NULL;

    if (task->out_want > 0) {
        out = malloc(task->out_len);
        if (!out)
            return false;
        memcpy(out, task->out, task->out_len);
    }
    *copy = (struct scsi_task){.nexus = task->nexus,
                               .cdb_len = task->cdb_len,
                               .out = out,
                               .out_len = out ? task->out_len : 0};
    memcpy(copy->cdb, task->cdb, sizeof(copy->cdb));
    return true;
}

/* How much longer a layer in front of the drive makes it last. */
static unsigned layer_ms(struct scsi_lu *lu, const struct scsi_task *task)
{
    const struct scsi_layer *layer = lu->target->layer;

    return layer && layer->background ? layer->background(layer->ctx, lu->lun, task) : 0;
}

void operation_run(struct scsi_lu *lu, struct scsi_task *task, enum operation what,
                   operation_step *step, unsigned ms)
{
    struct background *b = lu->drive->background;
    int64_t now = clock_monotonic_ms();

    if (!scsi_cdb_is_immediate(task->cdb)) {
        run_now(lu, task, step, now + ms);
        return;
    }
    if (!keep_task(&b->task, task)) {
        task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
        return;
    }
    b->what = what;
    b->step = step;
    b->began_ms = now;
    b->until_ms = now + ms + layer_ms(lu, task);
}

/* ---- going on -------------------------------------------------------------------------------- */

/* What the host has not been told is told to it later (SPC-5 4.4.6). */
static void fail(struct scsi_lu *lu)
{
    struct background *b = lu->drive->background;
    struct sense s = lu->last_sense;

    s.deferred = true;
    drive_defer(lu->drive, &s, b->task.nexus);
    go_idle(b);
}

static void do_step(struct scsi_lu *lu)
{
    struct background *b = lu->drive->background;

    b->begun = true;
    if (!b->step(lu, &b->task, &b->progress))
        return;
    if (b->task.status != SCSI_GOOD)
        fail(lu);
    else
        b->step = NULL;
}

static bool step_is_due(const struct background *b)
{
    return b->step && (!rows[b->what].at_last || clock_monotonic_ms() >= b->until_ms);
}

void operation_settle(struct scsi_lu *lu)
{
    struct background *b = lu->drive->background;

    if (step_is_due(b) && !b->begun)
        do_step(lu);
    if (b->what != OPERATION_NONE && !b->step && clock_monotonic_ms() >= b->until_ms)
        go_idle(b);
}

bool operation_goes_on(const struct drive *d)
{
    return d->background->what != OPERATION_NONE;
}

enum chores operation_chores(const struct drive *d)
{
    const struct background *b = d->background;

    if (!b->step)
        return CHORES_NONE;
    return step_is_due(b) ? CHORES_NOW : CHORES_LATER;
}

void operation_do_chores(struct scsi_lu *lu)
{
    if (step_is_due(lu->drive->background))
        do_step(lu);
}

void operation_end(struct scsi_lu *lu)
{
    struct background *b = lu->drive->background;

    if (b->step && !b->begun && !rows[b->what].at_last)
        do_step(lu);
    go_idle(b);
}

void operation_forget(struct drive *d, const struct scsi_nexus *nexus)
{
    struct background *b = d->background;

    if (b->what == OPERATION_NONE || b->task.nexus != nexus)
        return;
    b->task.nexus = NULL;
    if (b->what == OPERATION_VERIFY) /* what may be read is a matter of its host's keys */
        go_idle(b);
}

/* ---- telling --------------------------------------------------------------------------------- */

uint16_t operation_not_ready(const struct drive *d)
{
    return rows[d->background->what].not_ready;
}

uint16_t operation_progress(const struct drive *d)
{
    const struct background *b = d->background;
    int64_t lasts = b->until_ms - b->began_ms, gone = clock_monotonic_ms() - b->began_ms;
    uint16_t of_time = 0xffff;

    if (gone < lasts)
        of_time = (uint16_t)(gone * 0xffff / lasts);
    return b->step && b->progress.progress < of_time ? b->progress.progress : of_time;
}

bool operation_sense(const struct drive *d, struct sense *s)
{
    const struct row *row = &rows[d->background->what];

    if (d->background->what == OPERATION_NONE)
        return false;
    *s = (struct sense){.key = row->key,
                        .code = row->code,
                        .progress_valid = true,
                        .progress = operation_progress(d)};
    return true;
}
