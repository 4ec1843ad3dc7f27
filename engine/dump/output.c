/* SPDX-License-Identifier: Apache-2.0 */
/* output.c - see output.h. */
#include "engine/dump/output.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define EMPTY_VOLUMES_MAX 3 /* cartridges in a row that take nothing: something else is wrong */

struct slot {
    uint8_t *data;
    struct stream_record record; /* record.data is data */
};

struct output {
    struct output_options options;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t mutex;
    pthread_cond_t filled, emptied;
    /* guarded by mutex */
    struct slot slots[OUTPUT_RECORDS + 1]; /* one more than can wait: the last one written stays,
                                              as a volume record is made from it */
    uint64_t put, taken;                   /* records so far; slot of record n: n % (RECORDS + 1) */
    bool closing, failed;
    struct error failure;

    /* the thread's own */
    atomic_uint volume;
    bool full;    /* the next record goes onto the next cartridge */
    bool started; /* the present cartridge has a part */
    bool closed;  /* ... and its filemark */
    uint8_t *volume_record;
    struct catalog_part *parts;
    size_t part_count;
    char barcode[40];
};

static size_t slot_of(uint64_t n)
{
    return (size_t)(n % (OUTPUT_RECORDS + 1));
}

/* ---- volumes (the thread) ----------------------------------------------------------------------
 */

/* Begin a part at the tape's position; `first` is the number of its first stream block. */
static int part_begin(struct output *o, uint64_t first, struct error *err)
{
    struct tape_position at;
    struct catalog_part *grown, *part;
    int rc = tape_tell(o->options.tape, &at, err);

    if (rc)
        return rc;
    grown = reallocarray(o->parts, o->part_count + 1, sizeof(*grown));
    if (!grown)
        return error_set(err, ERR_NO_MEMORY, "no memory for the list of cartridges");
    o->parts = grown;
    part = &o->parts[o->part_count++];
    *part = (struct catalog_part){.volume = atomic_load(&o->volume),
                                  .file = at.file == UINT64_MAX ? 0 : at.file,
                                  .first_block = at.block,
                                  .first_stream = first};
    snprintf(part->barcode, sizeof(part->barcode), "%s", o->barcode);
    o->started = true;
    o->closed = false;
    return 0;
}

/* Make what is on the cartridge safe and end its stretch.  A cartridge that is so full that it
 * takes no filemark ends at its end of data. */
static int part_close(struct output *o, struct error *err)
{
    int rc = tape_write_filemarks(o->options.tape, 1, err);

    if (rc == -ERR_END_OF_TAPE)
        rc = tape_sync(o->options.tape, err);
    o->closed = rc == 0;
    return rc;
}

static int ask_for_volume(struct output *o, unsigned volume, struct error *err)
{
    int rc;

    if (!o->options.next_volume)
        return error_set(err, ERR_OPERATOR,
                         "cartridge %s is full and there is nobody to bring the next one",
                         o->barcode[0] ? o->barcode : "(without barcode)");
    memset(o->barcode, 0, sizeof(o->barcode));
    rc = o->options.next_volume(o->options.ctx, volume, o->barcode, err);
    if (!rc && o->options.need_barcode && !o->barcode[0])
        return error_set(err, ERR_OPERATOR,
                         "the cartridge for volume %u has no barcode, so that the catalog could "
                         "not find it again",
                         volume);
    return rc;
}

/* Bring the next cartridge and begin it.  `n` is the record that comes next; the one before it, if
 * there is one, is still in its slot. */
static int next_volume(struct output *o, uint64_t n, struct error *err)
{
    unsigned volume = atomic_load(&o->volume) + (o->started ? 1 : 0);
    int rc = 0;

    if (o->started && !o->closed)
        rc = part_close(o, err);
    o->started = false;
    atomic_store(&o->volume, volume);
    for (int tries = 0; rc == 0; tries++) {
        if (tries == EMPTY_VOLUMES_MAX)
            return error_set(err, ERR_OPERATOR,
                             "%d cartridges in a row had no room for a single record", tries);
        if (o->options.cancel && atomic_load(o->options.cancel))
            return error_set(err, ERR_CANCELLED, "the dump was cancelled");
        rc = ask_for_volume(o, volume, err);
        if (rc || n == 0)
            break;
        stream_volume_record(o->options.image, volume, &o->slots[slot_of(n - 1)].record,
                             o->volume_record);
        rc = tape_write(o->options.tape, o->volume_record, o->slots[slot_of(n - 1)].record.len,
                        NULL, err);
        if (rc != -ERR_END_OF_TAPE)
            break;
        rc = 0; /* there is no room on that one: try another */
    }
    o->full = false;
    return rc;
}

/* Write record n, on the next cartridge if need be. */
static int write_record(struct output *o, uint64_t n, struct error *err)
{
    const struct stream_record *record = &o->slots[slot_of(n)].record;

    for (int tries = 0;; tries++) {
        bool early = false;
        int rc = o->full ? next_volume(o, n, err) : 0;

        if (rc == 0 && !o->started)
            rc = part_begin(o, record->first, err);
        if (rc)
            return rc;
        rc = tape_write(o->options.tape, record->data, record->len, &early, err);
        if (rc == 0) {
            o->parts[o->part_count - 1].stream_blocks += record->len / STREAM_BLOCK;
            o->full = early;
            return 0;
        }
        if (rc != -ERR_END_OF_TAPE)
            return rc;
        if (o->parts[o->part_count - 1].stream_blocks == 0) { /* took nothing: it has no part */
            o->part_count--;
            o->started = false;
        }
        if (tries == EMPTY_VOLUMES_MAX)
            return error_set(err, ERR_OPERATOR,
                             "%d cartridges in a row had no room for a single record", tries);
        o->full = true;
    }
}

/* ---- the thread --------------------------------------------------------------------------------
 */

static void fail(struct output *o, const struct error *err)
{
    CLEANUP_UNLOCK(&o->mutex);

    o->failed = true;
    o->failure = *err;
    pthread_cond_broadcast(&o->emptied);
}

static void *output_main(void *arg)
{
    struct output *o = arg;

    for (;;) {
        struct error err = ERROR_INIT;
        uint64_t n;

        pthread_mutex_lock(&o->mutex);
        while (o->taken == o->put && !o->closing)
            pthread_cond_wait(&o->filled, &o->mutex);
        n = o->taken;
        if (n == o->put) {
            pthread_mutex_unlock(&o->mutex);
            return NULL;
        }
        pthread_mutex_unlock(&o->mutex);
        if (write_record(o, n, &err) != 0) {
            fail(o, &err);
            return NULL;
        }
        pthread_mutex_lock(&o->mutex);
        o->taken++;
        pthread_cond_signal(&o->emptied);
        pthread_mutex_unlock(&o->mutex);
    }
}

/* ---- the producer ------------------------------------------------------------------------------
 */

static void output_free(struct output *o)
{
    for (size_t i = 0; i <= OUTPUT_RECORDS; i++)
        free(o->slots[i].data);
    free(o->volume_record);
    free(o->parts);
    pthread_mutex_destroy(&o->mutex);
    pthread_cond_destroy(&o->filled);
    pthread_cond_destroy(&o->emptied);
    free(o);
}

int output_open(const struct output_options *options, struct output **out, struct error *err)
{
    struct output *o = calloc(1, sizeof(*o));
    size_t size = (size_t)options->blocking * STREAM_BLOCK;
    bool complete;

    if (!o)
        return error_set(err, ERR_NO_MEMORY, "no memory for the records");
    o->options = *options;
    snprintf(o->barcode, sizeof(o->barcode), "%s", options->barcode ? options->barcode : "");
    atomic_init(&o->volume, 1);
    pthread_mutex_init(&o->mutex, NULL);
    pthread_cond_init(&o->filled, NULL);
    pthread_cond_init(&o->emptied, NULL);
    o->volume_record = malloc(size);
    complete = o->volume_record != NULL;
    for (size_t i = 0; i <= OUTPUT_RECORDS; i++) {
        o->slots[i].data = malloc(size);
        complete = complete && o->slots[i].data;
    }
    if (complete)
        complete = o->has_thread = pthread_create(&o->thread, NULL, output_main, o) == 0;
    if (!complete) {
        output_free(o);
        return error_set(err, ERR_NO_MEMORY, "no memory for the records");
    }
    *out = o;
    return 0;
}

static int output_failure(const struct output *o, struct error *err)
{
    if (err)
        *err = o->failure;
    return -(int)o->failure.code;
}

int output_put(void *ctx, const struct stream_record *record, struct error *err)
{
    struct output *o = ctx;
    struct slot *slot;

    pthread_mutex_lock(&o->mutex);
    while (o->put - o->taken == OUTPUT_RECORDS && !o->failed)
        pthread_cond_wait(&o->emptied, &o->mutex);
    if (o->failed) {
        pthread_mutex_unlock(&o->mutex);
        return output_failure(o, err);
    }
    slot = &o->slots[slot_of(o->put)];
    pthread_mutex_unlock(&o->mutex);
    memcpy(slot->data, record->data, record->len); /* nobody else looks at a free slot */
    slot->record = *record;
    slot->record.data = slot->data;
    pthread_mutex_lock(&o->mutex);
    o->put++;
    pthread_cond_signal(&o->filled);
    pthread_mutex_unlock(&o->mutex);
    return 0;
}

static void stop_thread(struct output *o)
{
    if (!o->has_thread)
        return;
    pthread_mutex_lock(&o->mutex);
    o->closing = true;
    pthread_cond_signal(&o->filled);
    pthread_mutex_unlock(&o->mutex);
    pthread_join(o->thread, NULL);
    o->has_thread = false;
}

int output_finish(struct output *o, struct catalog_part **parts, size_t *count, struct error *err)
{
    int rc;

    stop_thread(o);
    if (o->failed)
        return output_failure(o, err);
    rc = part_close(o, err);
    if (rc) {
        o->failed = true; /* the tape takes nothing more: output_close() leaves it alone */
        return rc;
    }
    *parts = steal_pointer(&o->parts);
    *count = o->part_count;
    return 0;
}

void output_close(struct output *o)
{
    if (!o)
        return;
    stop_thread(o);
    if (o->started && !o->closed && !o->failed)
        part_close(o, NULL);
    output_free(o);
}

unsigned output_volume(const struct output *o)
{
    return atomic_load(&o->volume);
}
