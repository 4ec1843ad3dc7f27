/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h - the buffers that tasks move their data in: bounded in sum, kept warm for reuse.
 *
 * A buffer that the C library takes from the system anew costs a page fault per 4 KiB, which shows
 * at 256 KiB per command; so buffers come in classes of powers of two and go back to a list, the
 * last one given back first.
 *
 * Invariants: the bytes lent never exceed the limit, and larger buffers never bring them above
 * seven eighths of it: INQUIRY and its like still go when hosts leave large transfers unfinished.
 * The bytes kept idle never exceed idle_limit. Thread rule: any thread; the pool's lock is a leaf.
 */
#ifndef CAPSTAN_VTL_ISCSI_POOL_H
#define CAPSTAN_VTL_ISCSI_POOL_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_CLASS_MIN   12 /* 4 KiB */
#define POOL_CLASS_MAX   24 /* 16 MiB */
#define POOL_CLASS_COUNT (POOL_CLASS_MAX - POOL_CLASS_MIN + 1)
#define POOL_SMALL       ((size_t)64 << 10) /* bytes; up to here a buffer may be of the last eighth */
#define POOL_BUFFER_MAX  ((size_t)1 << POOL_CLASS_MAX)

struct pool {
    pthread_mutex_t lock;
    size_t limit, idle_limit; /* bytes */
    size_t lent, idle;
    struct pool_buffer *classes[POOL_CLASS_COUNT]; /* idle ones */
};

void pool_init(struct pool *pool, size_t limit, size_t idle_limit);

/* All buffers must have come back. */
void pool_destroy(struct pool *pool);

/* A buffer of at least size bytes (1 .. POOL_BUFFER_MAX), contents undefined; NULL if the limit is
 * reached or memory is out.  Give it back with the same size. */
uint8_t *pool_get(struct pool *pool, size_t size);
void pool_put(struct pool *pool, uint8_t *buffer, size_t size);

#endif
