/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - see reader.h: the window, the threads, and the consumer's side.  What a thread does
 * with one file is in read_file.c. */
#include "engine/dump/reader.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "engine/dump/read_file.h"

#define BATCH 16u /* files that a thread claims at once */

struct job {
    struct reader_file file;
    struct file_chunk *first, *last; /* guarded by the reader's mutex */
    bool known;       /* the attributes are there, or it is left out: file is the consumer's */
    bool done;        /* no more chunks will come */
    bool abandoned;   /* the consumer wants no more of them */
    bool waits;       /* its reader waits for room in the window */
    unsigned outcome; /* of reading the data, and its errno */
    int error;
};

struct reader {
    struct reader_options options;
    pthread_t *threads;
    unsigned thread_count;

    pthread_mutex_t mutex;
    pthread_cond_t slots;   /* readers: jobs for a batch are free */
    pthread_cond_t room;    /* readers: room in the window, or the consumer has come to the file */
    pthread_cond_t arrived; /* the consumer: something of its file has come */
    /* guarded by mutex */
    struct tree_cursor cursor;
    uint64_t claimed, ended; /* files begun by readers, done with by the consumer */
    bool all_claimed, stopping;
    size_t used;                            /* bytes in the window */
    unsigned wait_for_slots, wait_for_room; /* readers */
    bool consumer_waits;
    struct job jobs[READER_FILES]; /* file n is in jobs[n % READER_FILES] */

    struct file_chunk *present; /* the consumer's */
};

/* A reader thread's view of the file it is at. */
struct reader_task {
    struct reader *reader;
    uint64_t number, batch_first, batch_end;
    struct reader_file file; /* not yet told */
    bool untold;
};

/* ---- readers -----------------------------------------------------------------------------------
 *
 * Files are mostly small, and waking a thread costs more than reading one.  So a thread claims a
 * batch, and wakes the consumer when the batch is done, or when there is more of a file than one
 * chunk.  The consumer then finds a number of files ready.
 */

static struct job *job_of(struct reader_task *task)
{
    return &task->reader->jobs[task->number % READER_FILES];
}

/* Batches are claimed in order: if this one begins before the consumer's file, it holds it. */
static void wake_consumer(const struct reader_task *task)
{
    struct reader *r = task->reader;

    if (r->consumer_waits && task->batch_first <= r->ended)
        pthread_cond_signal(&r->arrived);
}

void read_task_known(struct reader_task *task, const struct reader_file *file)
{
    task->file = *file;
    task->untold = true;
}

static void tell_known(struct reader_task *task)
{
    if (!task->untold)
        return;
    job_of(task)->file = task->file;
    job_of(task)->known = true;
    task->untold = false;
}

/* Put a chunk into the window when there is room; the file that the consumer is at does not wait
 * for room when the consumer waits for it. */
bool read_task_chunk(struct reader_task *task, struct file_chunk *chunk)
{
    struct reader *r = task->reader;
    struct job *job = job_of(task);
    CLEANUP_UNLOCK(&r->mutex);

    tell_known(task);
    while (r->used + chunk->room > r->options.window && !r->stopping && !job->abandoned &&
           !(task->number == r->ended && !job->first)) {
        wake_consumer(task);
        job->waits = true;
        r->wait_for_room++;
        pthread_cond_wait(&r->room, &r->mutex);
        r->wait_for_room--;
    }
    job->waits = false;
    if (r->stopping || job->abandoned) {
        free(chunk);
        return false;
    }
    r->used += chunk->room;
    chunk->next = NULL;
    if (job->last)
        job->last->next = chunk;
    else
        job->first = chunk;
    job->last = chunk;
    if (job->file.inode.size > READER_CHUNK)
        wake_consumer(task);
    return true;
}

void read_task_done(struct reader_task *task, unsigned outcome, int error)
{
    struct job *job = job_of(task);
    CLEANUP_UNLOCK(&task->reader->mutex);

    tell_known(task);
    job->outcome = outcome;
    job->error = error;
    job->done = true;
    if (task->number + 1 == task->batch_end || job->abandoned)
        wake_consumer(task);
}

/* Claim the next files of the tree; their number, 0 when there are none or the reader stops. */
static unsigned claim(struct reader *r, struct reader_task *task, uint32_t nodes[BATCH])
{
    unsigned count = 0;
    CLEANUP_UNLOCK(&r->mutex);

    while (r->claimed - r->ended + BATCH > READER_FILES && !r->stopping && !r->all_claimed) {
        r->wait_for_slots++;
        pthread_cond_wait(&r->slots, &r->mutex);
        r->wait_for_slots--;
    }
    task->batch_first = task->number = r->claimed;
    while (count < BATCH && !r->stopping && !r->all_claimed) {
        if (!tree_next_file(&r->cursor, &nodes[count]))
            r->all_claimed = true;
        else if (!(tree_node(r->options.tree, nodes[count])->flags & NODE_UNREADABLE))
            memset(&r->jobs[(r->claimed + count++) % READER_FILES], 0, sizeof(struct job));
    }
    r->claimed += count;
    task->batch_end = r->claimed;
    if (r->all_claimed && r->consumer_waits)
        pthread_cond_signal(&r->arrived);
    return count;
}

static void *reader_main(void *arg)
{
    struct reader *r = arg;
    struct reader_task task = {.reader = r};
    struct file_source source = {
        .tree = r->options.tree, .read_at = r->options.read_at, .directory_fd = -1};
    uint32_t nodes[BATCH];
    unsigned count;

    while ((count = claim(r, &task, nodes)) > 0)
        for (unsigned i = 0; i < count; i++, task.number++)
            read_file(&source, &task, nodes[i]);
    if (source.directory_fd >= 0)
        close(source.directory_fd);
    return NULL;
}

/* ---- the consumer ------------------------------------------------------------------------------
 */

int reader_open(const struct reader_options *options, struct reader **out, struct error *err)
{
    struct reader *r = calloc(1, sizeof(*r));

    if (!r)
        return error_set(err, ERR_NO_MEMORY, "no memory for the readers");
    r->options = *options;
    if (r->options.window == 0)
        r->options.window = READER_WINDOW_DEFAULT;
    if (!r->options.read_at)
        r->options.read_at = pread;
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->slots, NULL);
    pthread_cond_init(&r->room, NULL);
    pthread_cond_init(&r->arrived, NULL);
    tree_files(options->tree, &r->cursor);
    r->threads = calloc(options->threads, sizeof(*r->threads));
    while (r->threads && r->thread_count < options->threads &&
           pthread_create(&r->threads[r->thread_count], NULL, reader_main, r) == 0)
        r->thread_count++;
    if (r->thread_count == 0) {
        reader_close(r);
        return error_set(err, ERR_NO_MEMORY, "cannot start a thread to read files");
    }
    *out = r;
    return 0;
}

/* Readers that wait for room are woken when the window is half empty, or when the consumer has come
 * to the file of one of them; those that wait for jobs, one whenever a batch has become free. */
static void wake_readers(struct reader *r)
{
    uint64_t free_jobs = READER_FILES - (r->claimed - r->ended);

    if (r->wait_for_room &&
        (r->used <= r->options.window / 2 || r->jobs[r->ended % READER_FILES].waits))
        pthread_cond_broadcast(&r->room);
    if (r->wait_for_slots && free_jobs >= BATCH && free_jobs % BATCH == 0)
        pthread_cond_signal(&r->slots);
}

static void wait_for_readers(struct reader *r)
{
    wake_readers(r);
    r->consumer_waits = true;
    pthread_cond_wait(&r->arrived, &r->mutex);
    r->consumer_waits = false;
}

const struct reader_file *reader_next(struct reader *r)
{
    struct job *job = &r->jobs[r->ended % READER_FILES];
    CLEANUP_UNLOCK(&r->mutex);

    while (r->claimed == r->ended && !r->all_claimed)
        wait_for_readers(r);
    if (r->claimed == r->ended)
        return NULL;
    while (!job->known)
        wait_for_readers(r);
    return &job->file;
}

static void release(struct reader *r, struct file_chunk *chunk)
{
    r->used -= chunk->room;
    free(chunk);
}

bool reader_chunk(struct reader *r, struct reader_chunk *chunk)
{
    struct job *job = &r->jobs[r->ended % READER_FILES];
    CLEANUP_UNLOCK(&r->mutex);

    if (r->present) {
        release(r, steal_pointer(&r->present));
        wake_readers(r);
    }
    while (!job->first && !job->done)
        wait_for_readers(r);
    r->present = job->first;
    if (!r->present) {
        job->file.outcome |= job->outcome;
        if (job->error)
            job->file.error = job->error;
        return false;
    }
    job->first = r->present->next;
    if (!job->first)
        job->last = NULL;
    chunk->len = r->present->len;
    chunk->data = r->present->hole ? NULL : r->present->data;
    return true;
}

static void job_clear(struct reader *r, struct job *job)
{
    while (job->first) {
        struct file_chunk *chunk = job->first;

        job->first = chunk->next;
        release(r, chunk);
    }
    job->last = NULL;
    free(job->file.link);
    job->file.link = NULL;
    xattr_set_free(&job->file.xattrs);
}

void reader_end(struct reader *r)
{
    struct job *job = &r->jobs[r->ended % READER_FILES];
    CLEANUP_UNLOCK(&r->mutex);

    if (r->present)
        release(r, steal_pointer(&r->present));
    job->abandoned = true;
    wake_readers(r);
    while (!job->done)
        wait_for_readers(r);
    job_clear(r, job);
    r->ended++;
    wake_readers(r);
}

void reader_close(struct reader *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->mutex);
    r->stopping = true;
    pthread_cond_broadcast(&r->slots);
    pthread_cond_broadcast(&r->room);
    pthread_mutex_unlock(&r->mutex);
    for (unsigned i = 0; i < r->thread_count; i++)
        pthread_join(r->threads[i], NULL);
    free(r->threads);
    free(r->present);
    for (uint64_t n = r->ended; n < r->claimed; n++)
        job_clear(r, &r->jobs[n % READER_FILES]);
    pthread_mutex_destroy(&r->mutex);
    pthread_cond_destroy(&r->slots);
    pthread_cond_destroy(&r->room);
    pthread_cond_destroy(&r->arrived);
    free(r);
}
