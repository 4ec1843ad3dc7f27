/* SPDX-License-Identifier: Apache-2.0 */
/* records.c - see records.h.  A hash table for finding, a list in order of use for forgetting. */
#include "fuse/records.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/cleanup.h"

#define BUCKETS 1024u

struct record_cache {
    pthread_mutex_t lock; /* everything below; never held while a record is read from a tape */
    size_t bytes, limit;
    struct record *newest, *oldest;
    struct record *buckets[BUCKETS];
};

static size_t bucket_of(uint64_t volume, uint64_t block)
{
    uint64_t h = (volume * 0x9e3779b97f4a7c15u) ^ (block * 0xc2b2ae3d27d4eb4fu);

    return (h >> 40) % BUCKETS;
}

struct record *record_cache_new(uint64_t volume, uint64_t block, size_t size)
{
    struct record *record = malloc(sizeof(*record) + size);

    if (!record)
        return NULL;
    *record = (struct record){.volume = volume, .block = block, .room = size};
    atomic_init(&record->users, 1);
    return record;
}

void record_cache_put(struct record *record)
{
    if (record && atomic_fetch_sub(&record->users, 1) == 1)
        free(record);
}

int record_cache_open(size_t limit, struct record_cache **out, struct error *err)
{
    struct record_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return error_set(err, ERR_NO_MEMORY, "No memory for the record cache");
    pthread_mutex_init(&cache->lock, NULL);
    cache->limit = limit;
    *out = cache;
    return 0;
}

/* ---- the list: newest first ------------------------------------------------------------------ */

static void list_remove(struct record_cache *cache, struct record *record)
{
    if (record->newer)
        record->newer->older = record->older;
    else
        cache->newest = record->older;
    if (record->older)
        record->older->newer = record->newer;
    else
        cache->oldest = record->newer;
}

static void list_add(struct record_cache *cache, struct record *record)
{
    record->newer = NULL;
    record->older = cache->newest;
    if (cache->newest)
        cache->newest->newer = record;
    else
        cache->oldest = record;
    cache->newest = record;
}

/* ---- the table ------------------------------------------------------------------------------- */

static struct record *table_find(struct record_cache *cache, uint64_t volume, uint64_t block)
{
    struct record *record = cache->buckets[bucket_of(volume, block)];

    while (record && (record->volume != volume || record->block != block))
        record = record->hash_next;
    return record;
}

static void forget(struct record_cache *cache, struct record *record)
{
    struct record **at = &cache->buckets[bucket_of(record->volume, record->block)];

    while (*at != record)
        at = &(*at)->hash_next;
    *at = record->hash_next;
    list_remove(cache, record);
    cache->bytes -= record->room;
    record_cache_put(record);
}

void record_cache_close(struct record_cache *cache)
{
    if (!cache)
        return;
    while (cache->oldest)
        forget(cache, cache->oldest);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

struct record *record_cache_find(struct record_cache *cache, uint64_t volume, uint64_t block)
{
    CLEANUP_UNLOCK(&cache->lock);
    struct record *record = table_find(cache, volume, block);

    if (record) {
        list_remove(cache, record);
        list_add(cache, record);
        atomic_fetch_add(&record->users, 1);
    }
    return record;
}

void record_cache_add(struct record_cache *cache, struct record *record)
{
    CLEANUP_UNLOCK(&cache->lock);
    struct record **bucket = &cache->buckets[bucket_of(record->volume, record->block)];

    if (table_find(cache, record->volume, record->block))
        return;
    atomic_fetch_add(&record->users, 1);
    record->hash_next = *bucket;
    *bucket = record;
    list_add(cache, record);
    cache->bytes += record->room;
    while (cache->bytes > cache->limit && cache->oldest != record)
        forget(cache, cache->oldest);
}
