/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.h - tape blocks that were read lately, so that small reads do not fetch and check a block
 * of 256 KiB each time (the complaint of every tool that has no such cache).
 *
 * A record is found by a volume's number and a block address, and is never changed.  It lives as
 * long as the cache or a user holds it.  Any thread.
 */
#ifndef CAPSTAN_FUSE_RECORDS_H
#define CAPSTAN_FUSE_RECORDS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct record {
    atomic_uint users;
    uint64_t volume, block; /* key */
    size_t len;             /* bytes of data */
    size_t room;
    struct record *hash_next;
    struct record *newer, *older;
    uint8_t data[];
};

struct record_cache;

/* limit: bytes of data that are kept. */
int record_cache_open(size_t limit, struct record_cache **out, struct error *err);
void record_cache_close(struct record_cache *cache); /* NULL is allowed */

/* A new record with room for size bytes, held once; NULL without memory. */
struct record *record_cache_new(uint64_t volume, uint64_t block, size_t size);
void record_cache_put(struct record *record); /* NULL is allowed */

/* NULL if it is not there; else held once more. */
struct record *record_cache_find(struct record_cache *cache, uint64_t volume, uint64_t block);
/* The caller goes on holding it.  One of the same key that is there stays. */
void record_cache_add(struct record_cache *cache, struct record *record);

#endif
