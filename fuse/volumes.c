/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volumes.c - see volumes.h.
 *
 * Locks, in this order: volume.lock (the cartridge handle), volumes.lock (list, clock, count,
 * queue), the record cache's.  To close another volume's handle its lock is only tried.
 */
#include "fuse/volumes.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "fuse/volume.h"

#define QUEUE_SIZE 16u

struct wish {
    struct volume *volume;
    uint64_t block;
    size_t size;
};

struct volumes {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct volume *list;
    struct record_cache *cache;
    char *root;
    uint64_t clock, next_number;
    unsigned open_count;
    struct wish queue[QUEUE_SIZE]; /* ring: queue_count wishes from queue_at */
    unsigned queue_at, queue_count;
    struct facts *facts;
    bool stop, running;
    pthread_t reader;
};

/* ---- handles --------------------------------------------------------------------------------- */

/* Part of a path, and it comes from a database: only what a barcode may hold. */
static bool barcode_good(const char *barcode)
{
    size_t len = strlen(barcode);

    return len > 0 && len <= CARTRIDGE_BARCODE_MAX &&
           strspn(barcode, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == len;
}

static char *cartridge_path(const struct volumes *v, const char *barcode)
{
    char *path = NULL;

    return asprintf(&path, "%s/cartridges/%s", v->root, barcode) < 0 ? NULL : path;
}

bool view_volumes_online(struct volumes *v, const char *barcode)
{
    CLEANUP_FREE char *path = barcode_good(barcode) ? cartridge_path(v, barcode) : NULL;
    struct stat st;

    return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static struct volume *volume_get(struct volumes *v, const char *barcode)
{
    CLEANUP_UNLOCK(&v->lock);
    struct volume *volume;

    for (volume = v->list; volume; volume = volume->next)
        if (strcmp(volume->barcode, barcode) == 0)
            break;
    if (!volume) {
        volume = calloc(1, sizeof(*volume));
        if (!volume)
            return NULL;
        volume->path = cartridge_path(v, barcode);
        if (!volume->path) {
            free(volume);
            return NULL;
        }
        memcpy(volume->barcode, barcode, strlen(barcode)); /* barcode_good(): it fits */
        pthread_mutex_init(&volume->lock, NULL);
        atomic_init(&volume->number, 0);
        volume->next = v->list;
        v->list = volume;
    }
    volume->used = ++v->clock;
    return volume;
}

/* volume->lock is held. */
static void handle_close(struct volumes *v, struct volume *volume)
{
    if (!volume->cartridge)
        return;
    view_volume_close(volume);
    pthread_mutex_lock(&v->lock);
    v->open_count--;
    pthread_mutex_unlock(&v->lock);
}

/* The idle open volume that was used longest ago, locked; NULL if all are in use. */
static struct volume *oldest_idle(struct volumes *v)
{
    CLEANUP_UNLOCK(&v->lock);
    struct volume *oldest = NULL;

    if (v->open_count < VOLUMES_OPEN_MAX)
        return NULL;
    for (struct volume *volume = v->list; volume; volume = volume->next) {
        if ((oldest && volume->used >= oldest->used) || pthread_mutex_trylock(&volume->lock) != 0)
            continue;
        if (!volume->cartridge) {
            pthread_mutex_unlock(&volume->lock);
            continue;
        }
        if (oldest)
            pthread_mutex_unlock(&oldest->lock);
        oldest = volume;
    }
    return oldest;
}

static void make_room(struct volumes *v)
{
    struct volume *oldest = oldest_idle(v);

    if (!oldest)
        return;
    handle_close(v, oldest);
    pthread_mutex_unlock(&oldest->lock);
}

/* What is cached of the volume is not used any more. v->lock is held. */
static void renumber(struct volumes *v, struct volume *volume)
{
    atomic_store(&volume->number, ++v->next_number);
}

/* volume->lock is held. */
static int handle_open(struct volumes *v, struct volume *volume, struct error *err)
{
    int rc;

    if (volume->cartridge)
        return 0;
    make_room(v);
    rc = view_volume_open(volume, err);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&v->lock);
    v->open_count++;
    renumber(v, volume);
    pthread_mutex_unlock(&v->lock);
    return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int read_block(struct volumes *v, struct volume *volume, struct record *record,
                      struct error *err)
{
    bool anew = false;
    int rc = view_volume_read(volume, record->block, record, &anew, err);

    if (anew) {
        pthread_mutex_lock(&v->lock);
        renumber(v, volume);
        pthread_mutex_unlock(&v->lock);
    }
    record->volume = atomic_load(&volume->number);
    if (rc == -ERR_CORRUPT)
        view_facts_learn_damage(v->facts, record->volume, record->block, err);
    return rc;
}

/* Read with a handle that is open if possible.  A handle may have grown stale (the cartridge was
 * exported and came back): a failure counts only with a fresh one. */
static int read_fresh(struct volumes *v, struct volume *volume, struct record *record,
                      struct error *err)
{
    bool opened = !volume->cartridge;
    int rc = handle_open(v, volume, err);

    if (rc != 0)
        return rc;
    rc = view_facts_damage(v->facts, atomic_load(&volume->number), record->block, err);
    if (rc == 0)
        rc = read_block(v, volume, record, err);
    if (rc == 0 || opened || view_volume_fresh(volume, rc))
        return rc;
    handle_close(v, volume);
    rc = handle_open(v, volume, err);
    return rc == 0 ? read_block(v, volume, record, err) : rc;
}

/* volume->lock is held. */
static int fetch(struct volumes *v, struct volume *volume, uint64_t block, size_t size,
                 struct record **out, struct error *err)
{
    struct record *record = record_cache_new(0, block, size);
    struct error why = ERROR_INIT;
    int rc;

    if (!record)
        return error_set(err, ERR_NO_MEMORY, "No memory for a block of %zu bytes", size);
    rc = read_fresh(v, volume, record, &why);
    if (rc != 0) {
        if (err)
            *err = why;
        record_cache_put(record);
        return rc;
    }
    record_cache_add(v->cache, record);
    *out = record;
    return 0;
}

static int volume_read(struct volumes *v, struct volume *volume, uint64_t block, size_t size,
                       struct record **out, struct error *err)
{
    struct record *record = record_cache_find(v->cache, atomic_load(&volume->number), block);

    if (!record) {
        CLEANUP_UNLOCK(&volume->lock);
        /* Another thread may have read it while this one waited. */
        record = record_cache_find(v->cache, atomic_load(&volume->number), block);
        if (!record)
            return fetch(v, volume, block, size, out, err);
    }
    if (record->len > size) {
        record_cache_put(record);
        return error_set(err, ERR_CORRUPT, "Block %llu of cartridge %s is longer than expected",
                         (unsigned long long)block, volume->barcode);
    }
    *out = record;
    return 0;
}

int view_volumes_read(struct volumes *v, const char *barcode, uint64_t block, size_t size,
                      struct record **out, struct error *err)
{
    struct volume *volume;

    if (!barcode_good(barcode))
        return error_set(err, ERR_NOT_FOUND, "\"%s\" is not the barcode of a cartridge", barcode);
    volume = volume_get(v, barcode);
    if (!volume)
        return error_set(err, ERR_NO_MEMORY, "No memory to open cartridge %s", barcode);
    return volume_read(v, volume, block, size, out, err);
}

bool view_volumes_renew(struct volumes *v, const char *barcode)
{
    struct volume *volume = barcode_good(barcode) ? volume_get(v, barcode) : NULL;

    if (!volume)
        return false;
    CLEANUP_UNLOCK(&volume->lock);
    if (!volume->cartridge || !view_volume_changed(volume))
        return false;
    handle_close(v, volume);
    return handle_open(v, volume, NULL) == 0;
}

/* ---- reading ahead --------------------------------------------------------------------------- */

static bool wish_take(struct volumes *v, struct wish *wish)
{
    CLEANUP_UNLOCK(&v->lock);

    while (!v->stop && v->queue_count == 0)
        pthread_cond_wait(&v->wake, &v->lock);
    if (v->stop)
        return false;
    *wish = v->queue[v->queue_at];
    v->queue_at = (v->queue_at + 1) % QUEUE_SIZE;
    v->queue_count--;
    return true;
}

static void *reader_run(void *arg)
{
    struct volumes *v = arg;
    struct wish wish;

    while (wish_take(v, &wish)) {
        struct record *record = NULL;

        if (volume_read(v, wish.volume, wish.block, wish.size, &record, NULL) == 0)
            record_cache_put(record);
    }
    return NULL;
}

void view_volumes_prefetch(struct volumes *v, const char *barcode, uint64_t block, size_t size)
{
    struct volume *volume = barcode_good(barcode) ? volume_get(v, barcode) : NULL;
    struct record *record;

    if (!volume)
        return;
    record = record_cache_find(v->cache, atomic_load(&volume->number), block);
    if (record) {
        record_cache_put(record);
        return;
    }
    CLEANUP_UNLOCK(&v->lock);
    if (v->queue_count == QUEUE_SIZE) /* the readers are faster than the reading ahead: leave it */
        return;
    v->queue[(v->queue_at + v->queue_count++) % QUEUE_SIZE] = (struct wish){volume, block, size};
    pthread_cond_signal(&v->wake);
}

/* Signals are for the thread that runs the session. */
static int start_reader(struct volumes *v, struct error *err)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&v->reader, NULL, reader_run, v);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return error_set(err, ERR_NO_MEMORY, "Cannot start a thread: %s", strerror(rc));
    v->running = true;
    return 0;
}

/* ---- open and close -------------------------------------------------------------------------- */

struct facts *view_volumes_facts(struct volumes *v)
{
    return v->facts;
}

int view_volumes_open(const char *library_root, struct volumes **out, struct error *err)
{
    struct volumes *v = calloc(1, sizeof(*v));
    int rc;

    if (!v)
        return error_set(err, ERR_NO_MEMORY, "No memory for the view");
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->wake, NULL);
    v->root = realpath(library_root, NULL);
    if (!v->root)
        rc = error_errno(err, "Cannot open the library %s", library_root);
    else
        rc = record_cache_open(VOLUMES_CACHE_BYTES, &v->cache, err);
    if (rc == 0)
        rc = view_facts_open(&v->facts, err);
    if (rc == 0)
        rc = start_reader(v, err);
    if (rc != 0) {
        view_volumes_close(v);
        return rc;
    }
    *out = v;
    return 0;
}

static void stop_reader(struct volumes *v)
{
    if (!v->running)
        return;
    pthread_mutex_lock(&v->lock);
    v->stop = true;
    pthread_cond_signal(&v->wake);
    pthread_mutex_unlock(&v->lock);
    pthread_join(v->reader, NULL);
}

void view_volumes_close(struct volumes *v)
{
    if (!v)
        return;
    stop_reader(v);
    while (v->list) {
        struct volume *volume = v->list;

        v->list = volume->next;
        handle_close(v, volume);
        pthread_mutex_destroy(&volume->lock);
        free(volume->path);
        free(volume);
    }
    view_facts_close(v->facts);
    record_cache_close(v->cache);
    pthread_cond_destroy(&v->wake);
    pthread_mutex_destroy(&v->lock);
    free(v->root);
    free(v);
}
