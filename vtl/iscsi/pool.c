/* SPDX-License-Identifier: Apache-2.0 */
/* pool.c - see pool.h. */
#include "vtl/iscsi/pool.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

/* An idle buffer holds its own link. */
struct pool_buffer {
    struct pool_buffer *next;
};

static unsigned class_of(size_t size)
{
    unsigned class = POOL_CLASS_MIN;

    while (((size_t)1 << class) < size)
        class ++;
    return class;
}

void pool_init(struct pool *pool, size_t limit, size_t idle_limit)
{
    memset(pool, 0, sizeof(*pool));
    pthread_mutex_init(&pool->lock, NULL);
    pool->limit = limit;
    pool->idle_limit = idle_limit;
}

void pool_destroy(struct pool *pool)
{
    assert(pool->lent == 0);
    for (unsigned i = 0; i < POOL_CLASS_COUNT; i++)
        while (pool->classes[i]) {
            struct pool_buffer *b = pool->classes[i];

            pool->classes[i] = b->next;
            free(b);
        }
    pthread_mutex_destroy(&pool->lock);
}

static bool fits(const struct pool *pool, size_t bytes)
{
    size_t limit = pool->limit - (bytes > POOL_SMALL ? pool->limit / 8 : 0);

    return pool->lent < limit && bytes <= limit - pool->lent;
}

static uint8_t *take(struct pool *pool, unsigned class, bool *allowed)
{
    size_t bytes = (size_t)1 << class;
    struct pool_buffer **list = &pool->classes[class - POOL_CLASS_MIN];
    struct pool_buffer *b;
    CLEANUP_UNLOCK(&pool->lock);

    b = *list;
    *allowed = fits(pool, bytes);
    if (!*allowed)
        return NULL;
    pool->lent += bytes;
    if (b) {
        *list = b->next;
        pool->idle -= bytes;
    }
    return (uint8_t *)b;
}

uint8_t *pool_get(struct pool *pool, size_t size)
{
    unsigned class = class_of(size);
    bool allowed;
    uint8_t *buffer;

    if (size > POOL_BUFFER_MAX)
        return NULL;
    buffer = take(pool, class, &allowed);
    if (buffer || !allowed)
        return buffer;
    buffer = malloc((size_t)1 << class);
    if (!buffer) {
        CLEANUP_UNLOCK(&pool->lock);
        pool->lent -= (size_t)1 << class;
    }
    return buffer;
}

void pool_put(struct pool *pool, uint8_t *buffer, size_t size)
{
    unsigned class = class_of(size);
    size_t bytes = (size_t)1 << class;
    struct pool_buffer *b = (struct pool_buffer *)(void *)buffer;

    if (!buffer)
        return;
    {
        CLEANUP_UNLOCK(&pool->lock);
        assert(pool->lent >= bytes);
        pool->lent -= bytes;
        if (bytes <= pool->idle_limit - pool->idle) {
            b->next = pool->classes[class - POOL_CLASS_MIN];
            pool->classes[class - POOL_CLASS_MIN] = b;
            pool->idle += bytes;
            b = NULL;
        }
    }
    free(b);
}
