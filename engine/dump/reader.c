/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - see reader.h: the window, the threads, and the consumer's side.  What a thread does
 * with one file is in read_file.c. */
#include "engine/dump/reader.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "engine/dump/read_file.h"

struct job {
    struct reader_file file;
    struct file_chunk *first, *last; /* guarded by the reader's mutex */
    bool known;       /* the attributes are there, or it is left out: file is the consumer's */
    bool done;        /* no more chunks will come */
    bool abandoned;   /* the consumer wants no more of them */
    unsigned outcome; /* of reading the data, and its errno */
    int error;
};

struct reader {
    struct reader_options options;
    pthread_t *threads;
    unsigned thread_count;

    pthread_mutex_t mutex;
    pthread_cond_t work;    /* readers: room in the window, a free job */
    pthread_cond_t arrived; /* the consumer: something of its file has come */
    /* guarded by mutex */
    struct tree_cursor cursor;
    uint64_t claimed, ended; /* files begun by readers, done with by the consumer */
    bool all_claimed, stopping;
    size_t used;      /* bytes in the window */
    unsigned waiting; /* readers in a wait for `work` */
    bool consumer_waits;
    struct job jobs[READER_FILES]; /* file n is in jobs[n % READER_FILES] */

    struct file_chunk *present; /* the consumer's */
};

/* A reader thread's view of the file it is at. */
struct reader_task {
    struct reader *reader;
    struct job *job;
    uint64_t number;
};

/* ---- readers -----------------------------------------------------------------------------------
 */

static void tell_consumer(struct reader *r, uint64_t number)
{
    if (r->consumer_waits && number == r->ended)
        pthread_cond_signal(&r->arrived);
}

void read_task_known(struct reader_task *task, const struct reader_file *file)
{
    struct reader *r = task->reader;
    CLEANUP_UNLOCK(&r->mutex);

    task->job->file = *file;
    task->job->known = true;
    tell_consumer(r, task->number);
}

/* Put a chunk into the window when there is room; the file that the consumer is at does not wait
 * for room when the consumer waits for it. */
bool read_task_chunk(struct reader_task *task, struct file_chunk *chunk)
{
    struct reader *r = task->reader;
    struct job *job = task->job;
    CLEANUP_UNLOCK(&r->mutex);

    while (r->used + chunk->room > r->options.window && !r->stopping && !job->abandoned &&
           !(task->number == r->ended && !job->first)) {
        r->waiting++;
        pthread_cond_wait(&r->work, &r->mutex);
        r->waiting--;
    }
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
    tell_consumer(r, task->number);
    return true;
}

void read_task_done(struct reader_task *task, unsigned outcome, int error)
{
    struct reader *r = task->reader;
    CLEANUP_UNLOCK(&r->mutex);

    task->job->outcome = outcome;
    task->job->error = error;
    task->job->done = true;
    tell_consumer(r, task->number);
}

/* Claim the next file of the tree; false when there is none or the reader stops. */
static bool claim(struct reader *r, struct reader_task *task, uint32_t *node)
{
    CLEANUP_UNLOCK(&r->mutex);

    do {
        while (r->claimed - r->ended >= READER_FILES && !r->stopping) {
            r->waiting++;
            pthread_cond_wait(&r->work, &r->mutex);
            r->waiting--;
        }
        if (r->stopping || r->all_claimed)
            return false;
        if (!tree_next_file(&r->cursor, node)) {
            r->all_claimed = true;
            if (r->consumer_waits)
                pthread_cond_signal(&r->arrived);
            return false;
        }
    } while (tree_node(r->options.tree, *node)->flags & NODE_UNREADABLE);
    task->number = r->claimed++;
    task->job = &r->jobs[task->number % READER_FILES];
    memset(task->job, 0, sizeof(*task->job));
    return true;
}

static void *reader_main(void *arg)
{
    struct reader *r = arg;
    struct reader_task task = {.reader = r};
    struct file_source source = {
        .tree = r->options.tree, .read_at = r->options.read_at, .directory_fd = -1};
    uint32_t node;

    while (claim(r, &task, &node))
        read_file(&source, &task, node);
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
    pthread_cond_init(&r->work, NULL);
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

static void wake_readers(struct reader *r)
{
    if (r->waiting)
        pthread_cond_broadcast(&r->work);
}

static void wait_for_readers(struct reader *r)
{
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
    pthread_cond_broadcast(&r->work);
    pthread_mutex_unlock(&r->mutex);
    for (unsigned i = 0; i < r->thread_count; i++)
        pthread_join(r->threads[i], NULL);
    free(r->threads);
    free(r->present);
    for (uint64_t n = r->ended; n < r->claimed; n++)
        job_clear(r, &r->jobs[n % READER_FILES]);
    pthread_mutex_destroy(&r->mutex);
    pthread_cond_destroy(&r->work);
    pthread_cond_destroy(&r->arrived);
    free(r);
}
