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

#include "catalog/catalog.h"
#include "common/cleanup.h"
#include "vtl/cartridge/cartridge.h"

#define QUEUE_SIZE 16u
#define FACTS_SIZE 64u

/* A volume stays in the list for good; only its handle comes and goes. */
struct volume {
    struct volume *next;
    char barcode[CARTRIDGE_BARCODE_MAX + 1];
    pthread_mutex_t lock;
    struct store *store;
    struct cartridge *cartridge; /* NULL: not open */
    atomic_ullong number; /* key in the record cache: a new one whenever the handle sees anew */
    uint64_t used;        /* clock of the last use; volumes.lock */
};

struct wish {
    struct volume *volume;
    uint64_t block;
    size_t size;
};

struct fact {
    uint64_t volume, block;
    char uuid[CATALOG_UUID_TEXT];
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
    struct fact facts[FACTS_SIZE]; /* ring */
    unsigned facts_at;
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
    cartridge_close(volume->cartridge);
    store_close(volume->store);
    volume->cartridge = NULL;
    volume->store = NULL;
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

static int open_cartridge(struct volumes *v, struct volume *volume, struct error *err)
{
    CLEANUP_FREE char *path = cartridge_path(v, volume->barcode);
    struct store *store = NULL;
    int rc;

    if (!path)
        return error_set(err, ERR_NO_MEMORY, "No memory to open cartridge %s", volume->barcode);
    if (!view_volumes_online(v, volume->barcode))
        return error_set(err, ERR_NOT_FOUND,
                         "Cartridge %s is not in the library: %s is missing; import it again",
                         volume->barcode, path);
    rc = store_directory_open(path, false, &store, err);
    if (rc == 0)
        rc = cartridge_open(store, CARTRIDGE_READ_ONLY, &volume->cartridge, err);
    if (rc != 0) {
        volume->cartridge = NULL;
        store_close(store);
        return rc;
    }
    volume->store = store;
    return 0;
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
    rc = open_cartridge(v, volume, err);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&v->lock);
    v->open_count++;
    renumber(v, volume);
    pthread_mutex_unlock(&v->lock);
    return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* To the block; what a writer committed since is looked for if it is not there. */
static int locate(struct volumes *v, struct volume *volume, uint64_t block, struct error *err)
{
    struct cartridge *c = volume->cartridge;
    struct cartridge_position pos;
    int rc = cartridge_locate(c, 0, block, err);

    cartridge_tell(c, &pos);
    if (rc == 0 && pos.lba < pos.eod_lba)
        return 0;
    if (rc != 0 && rc != -ERR_END_OF_DATA)
        return rc;
    rc = cartridge_refresh(c, err);
    if (rc != 0)
        return rc;
    /* The writer may have overwritten, not only appended. */
    pthread_mutex_lock(&v->lock);
    renumber(v, volume);
    pthread_mutex_unlock(&v->lock);
    return cartridge_locate(c, 0, block, err);
}

static int read_block(struct volumes *v, struct volume *volume, uint64_t block,
                      struct record *record, struct error *err)
{
    uint32_t len = 0;
    int rc = locate(v, volume, block, err);

    if (rc == 0)
        rc = cartridge_read(volume->cartridge, record->data, record->room, &len, err);
    switch (-rc) {
    case 0:
        record->len = len;
        record->volume = atomic_load(&volume->number);
        return 0;
    case ERR_FILEMARK:
        return error_set(err, ERR_CORRUPT,
                         "Cartridge %s has a filemark at block %llu, where data should be: it was "
                         "overwritten",
                         volume->barcode, (unsigned long long)block);
    case ERR_LENGTH:
        return error_set(err, ERR_CORRUPT,
                         "Block %llu of cartridge %s has %u bytes, more than the %zu expected: it "
                         "was overwritten",
                         (unsigned long long)block, volume->barcode, len, record->room);
    case ERR_END_OF_DATA:
        return error_set(err, ERR_END_OF_DATA,
                         "Cartridge %s ends before block %llu: it was overwritten", volume->barcode,
                         (unsigned long long)block);
    default:
        return rc;
    }
}

/* volume->lock is held.  A handle may have grown stale (the cartridge was exported and came back):
 * a failure counts only with a fresh one. */
static int fetch(struct volumes *v, struct volume *volume, uint64_t block, size_t size,
                 struct record **out, struct error *err)
{
    struct record *record;
    bool fresh = !volume->cartridge;
    int rc = handle_open(v, volume, err);

    if (rc != 0)
        return rc;
    record = record_cache_new(atomic_load(&volume->number), block, size);
    if (!record)
        return error_set(err, ERR_NO_MEMORY, "No memory for a block of %zu bytes", size);
    rc = read_block(v, volume, block, record, err);
    if (rc != 0 && !fresh) {
        handle_close(v, volume);
        rc = handle_open(v, volume, err);
        if (rc == 0)
            rc = read_block(v, volume, block, record, err);
    }
    if (rc != 0) {
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

/* ---- facts ----------------------------------------------------------------------------------- */

bool view_volumes_known(struct volumes *v, uint64_t volume, uint64_t block, const char *uuid)
{
    CLEANUP_UNLOCK(&v->lock);

    for (size_t i = 0; i < FACTS_SIZE; i++) {
        const struct fact *fact = &v->facts[i];

        if (fact->volume == volume && fact->block == block && strcmp(fact->uuid, uuid) == 0)
            return true;
    }
    return false;
}

void view_volumes_learn(struct volumes *v, uint64_t volume, uint64_t block, const char *uuid)
{
    CLEANUP_UNLOCK(&v->lock);
    struct fact *fact = &v->facts[v->facts_at++ % FACTS_SIZE];

    fact->volume = volume;
    fact->block = block;
    snprintf(fact->uuid, sizeof(fact->uuid), "%s", uuid);
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
        free(volume);
    }
    record_cache_close(v->cache);
    pthread_cond_destroy(&v->wake);
    pthread_mutex_destroy(&v->lock);
    free(v->root);
    free(v);
}
