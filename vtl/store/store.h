/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - where the bytes of cartridges live: named objects that grow at their end.
 *
 * A store is a flat name space of objects.  The cartridge and everything below it reach files,
 * time and randomness only through a store, so that a simulated disk can replay a run from a seed
 * and a fault layer can stand in between.  Back ends: a directory (store_directory_open), a
 * simulated disk that loses, tears and reorders what was not synced (simdisk.h), and a fault layer
 * over any store (fault.h).
 *
 * Durability contract, the same for every back end:
 *   1. What store_sync() returned 0 for survives a power cut, and so do the object's name and size.
 *   2. What was appended but not synced may survive wholly, partly, torn within a sector's
 *      neighbourhood, in any order, or not at all.
 *   3. store_put() is atomic and durable: after a cut the object holds the old or the new content.
 *   4. store_delete() is durable when the next store_sync_names() returns.
 *      So are the store_clone()s before it.
 *   5. After store_sync() failed once, nothing appended since the last good sync may be taken as
 *      stored, even if a later sync "succeeds" (fsyncgate): the caller writes it elsewhere.
 *
 * Names: 1..64 bytes of [A-Za-z0-9._-], not starting with '.'; everything else is ERR_RANGE.
 * Thread rule: one thread per object for writing; any number of threads may read.
 */
#ifndef CAPSTAN_VTL_STORE_STORE_H
#define CAPSTAN_VTL_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/error.h"

#define STORE_NAME_MAX 64

struct store;

/* Called for each object; a non-zero return ends the listing and is returned by store_list(). */
typedef int store_list_fn(void *ctx, const char *object, uint64_t size);

/* A back end fills one of these; all members but free and names are required.  Names were checked
 * by the callers below, offsets and lengths were not. */
struct store_ops {
    const char *kind; /* "directory", "simdisk", "fault": for messages */
    int (*put)(struct store *s, const char *object, const void *data, size_t len,
               struct error *err);
    int (*append)(struct store *s, const char *object, uint64_t offset, const struct iovec *iov,
                  int iov_count, struct error *err);
    int (*read)(struct store *s, const char *object, uint64_t offset, void *buf, size_t len,
                size_t *got, struct error *err);
    int (*size)(struct store *s, const char *object, uint64_t *size, struct error *err);
    int (*truncate)(struct store *s, const char *object, uint64_t size, struct error *err);
    int (*sync)(struct store *s, const char *object, struct error *err);
    int (*sync_names)(struct store *s, struct error *err);
    int (*list)(struct store *s, store_list_fn *fn, void *ctx, struct error *err);
    /* As list, with sizes of 0; NULL: list is as good. */
    int (*names)(struct store *s, store_list_fn *fn, void *ctx, struct error *err);
    int (*remove)(struct store *s, const char *object, struct error *err);
    /* NULL, or ERR_UNSUPPORTED with nothing done: it is read and appended. */
    int (*clone)(struct store *s, const char *object, struct store *from, uint64_t size,
                 bool *shared, struct error *err);
    /* NULL: it is not known. */
    int (*free)(struct store *s, uint64_t *bytes, uint64_t *total, struct error *err);
    int64_t (*now)(struct store *s); /* wall clock, ns since 1970 */
    int (*random)(struct store *s, void *buf, size_t len, struct error *err);
    int (*lock)(struct store *s, struct error *err);
    void (*unlock)(struct store *s);
    /* NULL, both: nobody else has this store. */
    int (*guard)(struct store *s, const char *object, struct error *err);
    void (*unguard)(struct store *s);
    void (*close)(struct store *s);
};

/* Back ends embed this as their first member. */
struct store {
    const struct store_ops *ops;
};

/* Open the directory path as a store; create makes it (mode 0700) if it is missing.
 * Errors: ERR_NOT_FOUND, ERR_PERMISSION, ERR_IO.  *out is the caller's, store_close() frees it. */
int store_directory_open(const char *path, bool create, struct store **out, struct error *err);

/* Replace or make the whole object, atomically and durably.  For small objects. */
int store_put(struct store *s, const char *object, const void *data, size_t len, struct error *err);

/* Write iov at offset, which must be the object's present end (0 makes it).  Not durable until
 * store_sync().  After an error the object's end is undefined: read its size or truncate it. */
int store_append(struct store *s, const char *object, uint64_t offset, const struct iovec *iov,
                 int iov_count, struct error *err);

/* Read up to len bytes at offset; *got < len only at the object's end. */
int store_read(struct store *s, const char *object, uint64_t offset, void *buf, size_t len,
               size_t *got, struct error *err);

int store_size(struct store *s, const char *object, uint64_t *size, struct error *err);

/* Cut the object back to size (<= its present size); durable after the next store_sync(). */
int store_truncate(struct store *s, const char *object, uint64_t size, struct error *err);

int store_sync(struct store *s, const char *object, struct error *err);
int store_sync_names(struct store *s, struct error *err);
int store_list(struct store *s, store_list_fn *fn, void *ctx, struct error *err);

/* As store_list(), but without looking at the objects: size is 0.  A directory of 100,000 objects
 * is listed without reading 100,000 inodes. */
int store_list_names(struct store *s, store_list_fn *fn, void *ctx, struct error *err);
int store_delete(struct store *s, const char *object, struct error *err);

/* Make object, which must not be there, with the first size bytes (fewer, if it has fewer) of the
 * one of that name in the store `from`.  They share the disk's blocks where the file system can
 * (*shared), else they are copied; neither is ever changed through the other.  Many are durable by
 * one store_sync_names().  After an error some of object may be there.  ERR_NOT_FOUND: from has
 * none; ERR_EXISTS. */
int store_clone(struct store *s, const char *object, struct store *from, uint64_t size,
                bool *shared, struct error *err);

/* Bytes that can still be stored, and how many there would be in an empty store: of the file system
 * or the disk as it is now, which others may be filling as well.  Cheap, but a system call.
 * ERR_UNSUPPORTED: it is not known (no limit, or the back end can't tell). */
int store_free(struct store *s, uint64_t *bytes, uint64_t *total, struct error *err);

int64_t store_now(struct store *s);
int store_random(struct store *s, void *buf, size_t len, struct error *err);

/* Take the writer's lock of the whole store: ERR_BUSY if anyone, in any process or through this
 * same handle, has it.  It ends with store_unlock(), store_close() or the process.  Advisory: only
 * those who ask are kept out, so readers work beside a writer. */
int store_lock(struct store *s, struct error *err);
void store_unlock(struct store *s);

/* Wait until nobody else, in any process, is between these two for that object: to read it, change
 * it and put it, so that no change of another is lost.  For moments.  One at a time in a handle:
 * ERR_STATE.  It ends with the process, too. */
int store_guard(struct store *s, const char *object, struct error *err);
void store_unguard(struct store *s);

/* Close and free s; NULL is allowed. */
void store_close(struct store *s);

#endif
