/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what the files of the catalog share; nobody outside of catalog/ includes it.
 */
#ifndef CAPSTAN_CATALOG_INTERNAL_H
#define CAPSTAN_CATALOG_INTERNAL_H

#include <pthread.h>
#include <sys/types.h>

#include "catalog/catalog.h"
#include "common/db.h"

#define CATALOG_ROOT_INO     2     /* of every image: dump(8) */
#define CATALOG_BLOCKING_MAX 16384 /* a record of 16 MiB, the longest block SSC-5 knows */
#define CATALOG_LINK_MAX     4096
#define CATALOG_XATTR_MAX    65536 /* bytes of a value: XATTR_SIZE_MAX */
#define CATALOG_IDLE_INDEX   16    /* indexes kept open though nobody uses them */

extern const struct db_format catalog_format;       /* catalog.db */
extern const struct db_format catalog_index_format; /* images/<uuid>.idx */

/* Locks: catalog.lock may be taken while no index.lock is held, and no callback runs under either.
 */
struct catalog {
    pthread_mutex_t lock; /* db, indexes, and users of every index */
    struct db *db;
    char *dir;
    int images_fd;                 /* the directory images/ */
    struct catalog_index *indexes; /* open ones, most recently used first */
};

struct catalog_index {
    pthread_mutex_t lock; /* db */
    struct db *db;
    struct catalog *cat;
    struct catalog_index *next;
    unsigned users;
    bool gone; /* the image was deleted or replaced: close it with its last user */
    dev_t dev; /* the file's identity, to see that it is still the one of this name */
    ino_t file_ino;
    char uuid[CATALOG_UUID_TEXT];
};

/* "<uuid>.idx" */
#define INDEX_NAME_SIZE (CATALOG_UUID_TEXT + 4)
void catalog_index_file_name(const char *uuid, char name[INDEX_NAME_SIZE]);

/* True for lower-case xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx. */
bool catalog_uuid_valid(const char *uuid);

/* Whether the catalog has this image. cat->lock is held. */
int catalog_image_known(struct catalog *cat, const char *uuid, bool *known, struct error *err);

/* Inside a transaction that changes something. cat->lock is held. */
int catalog_generation_raise(struct catalog *cat, struct error *err);

/* The open indexes: forget one that was deleted; close them all (nobody uses any). */
void catalog_index_cache_forget(struct catalog *cat, const char *uuid);
void catalog_index_cache_clear(struct catalog *cat);

/* Remove what dead writers left: temporary files, and indexes that no row names. */
int catalog_debris_remove(struct catalog *cat, struct error *err);

/* ERR_RANGE unless the parts, in this order, cover blocks 0..stream_blocks-1 without gap or
 * overlap. */
int catalog_parts_cover(const struct catalog_part *parts, size_t count, uint64_t stream_blocks,
                        struct error *err);

/* What a name of a directory entry may be: 1..255 bytes, no '/' or NUL, not "." or "..". */
bool catalog_entry_name_valid(const void *name, size_t len);

#endif
