/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog.h - what was dumped, when, onto which cartridges, and every file in it.
 *
 * Two parts (doc/architecture.md):
 *   DIR/catalog.db          small and transactional: images and their parts (WAL, FULL).
 *   DIR/images/<uuid>.idx   the file history of one image: an SQLite file built once, synced,
 * renamed into place and from then on immutable. Order: the tape is durable, then the index file is
 * renamed into place, then the row is committed; a row never names an index that is not there, and
 * an index without a row is debris that catalog_open() removes.  Everything here can be rebuilt
 * from the cartridges.
 *
 * Names are bytes, never NUL-terminated text; an inode number here is the dump's own (root is 2).
 * The catalog knows nothing of how a tape works: addresses are opaque numbers to it.
 *
 * Thread rule: a struct catalog and a struct catalog_index may be used by any thread (one lock
 * each); a struct catalog_writer by one thread at a time.
 */
#ifndef CAPSTAN_CATALOG_CATALOG_H
#define CAPSTAN_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define CATALOG_UUID_TEXT 37 /* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" and NUL */
#define CATALOG_NAME_MAX  255

enum catalog_state {
    CATALOG_COMPLETE = 1, /* every file is on tape */
    CATALOG_PARTIAL,      /* some files could not be read; `warnings` counts them */
};

struct catalog_image {
    char uuid[CATALOG_UUID_TEXT];
    char host[65];   /* where the tree was */
    char path[4097]; /* root of the tree, bytes */
    char label[16];  /* of the dump */
    int level;
    int64_t date_ns;                   /* the dump's date: ns since 1970 */
    char base_uuid[CATALOG_UUID_TEXT]; /* "" for level 0 */
    int64_t ended_ns;
    unsigned blocking;                  /* blocks of 1,024 bytes in a tape record */
    uint64_t files, directories, bytes; /* bytes of file data */
    uint64_t stream_blocks;             /* length of the stream in blocks of 1,024 bytes */
    uint64_t warnings;
    enum catalog_state state;
    uint64_t id; /* number of the image in this catalog, from 1, never used again; set by it */
};

/* One stretch of an image on one cartridge: stream block b (first_stream <= b < first_stream +
 * stream_blocks) is in tape block first_block + (b - first_stream) / blocking. */
struct catalog_part {
    unsigned volume; /* 1, 2, ... within the image */
    char barcode[40];
    uint64_t file;         /* filemarks before it */
    uint64_t first_block;  /* tape address of its first record */
    uint64_t first_stream; /* number of the first stream block in it */
    uint64_t stream_blocks;
};

/* An inode of the file history. */
struct catalog_inode {
    uint32_t ino;
    uint32_t mode; /* type and permissions as in st_mode */
    uint32_t uid, gid, nlink;
    uint64_t rdev; /* makedev() form of this host */
    uint64_t size;
    int64_t atime_ns, mtime_ns, ctime_ns, btime_ns; /* btime 0: unknown */
    uint64_t blocks512;                             /* allocated, st_blocks */
    uint64_t address; /* stream block of its header; UINT64_MAX: not in this image */
    const void *link; /* symlinks: the target; else NULL */
    size_t link_len;
    uint64_t flags; /* FS_IOC_GETFLAGS of the file */
};

struct catalog;
struct catalog_writer;
struct catalog_index;

/* Open, and with create make, the catalog in directory dir. */
int catalog_open(const char *dir, bool create, struct catalog **out, struct error *err);
void catalog_close(struct catalog *cat); /* NULL is allowed; close writers and indexes first */

/* ---- writing an image
 * ---------------------------------------------------------------------------- */

/* Begin the index of the image with this uuid; ERR_EXISTS if the catalog has it. */
int catalog_writer_begin(struct catalog *cat, const char *uuid, struct catalog_writer **out,
                         struct error *err);
/* Entries of a directory, "." and ".." left out.  Any order is right; directory by directory with
 * rising numbers is fast. */
int catalog_writer_entry(struct catalog_writer *w, uint32_t directory, const void *name,
                         size_t name_len, uint32_t ino, struct error *err);
int catalog_writer_inode(struct catalog_writer *w, const struct catalog_inode *inode,
                         struct error *err);
int catalog_writer_xattr(struct catalog_writer *w, uint32_t ino, const char *name,
                         const void *value, size_t len, struct error *err);
/* Make the index durable, then the image's row and parts. w is freed in any case.  ERR_RANGE if the
 * parts do not cover stream blocks 0..stream_blocks-1 in order; ERR_EXISTS if another process was
 * faster. */
int catalog_writer_commit(struct catalog_writer *w, const struct catalog_image *image,
                          const struct catalog_part *parts, size_t part_count, struct error *err);
void catalog_writer_abort(struct catalog_writer *w); /* NULL is allowed */

/* ---- reading
 * -------------------------------------------------------------------------------------- */

/* Every fn below may call the catalog again. */

/* All images, oldest first; fn's non-zero return ends it and is returned. */
int catalog_images(struct catalog *cat, int (*fn)(void *ctx, const struct catalog_image *image),
                   void *ctx, struct error *err);
/* The image whose uuid starts with prefix (at least 4 characters, or "latest"); ERR_NOT_FOUND,
 * ERR_USAGE if several do. */
int catalog_image(struct catalog *cat, const char *prefix, struct catalog_image *out,
                  struct error *err);
/* The parts of an image in order; *out is the caller's to free. */
int catalog_parts(struct catalog *cat, const char *uuid, struct catalog_part **out, size_t *count,
                  struct error *err);
/* True in *used if any image has a part on this cartridge. */
int catalog_volume_used(struct catalog *cat, const char *barcode, bool *used, struct error *err);
/* Rises with every change of the catalog, also by other processes. */
int catalog_generation(struct catalog *cat, uint64_t *generation, struct error *err);
/* Remove an image: row, then index. */
int catalog_image_delete(struct catalog *cat, const char *uuid, struct error *err);

/* Indexes are kept open and shared: opening one again is cheap. */
int catalog_index_open(struct catalog *cat, const char *uuid, struct catalog_index **out,
                       struct error *err);
void catalog_index_close(struct catalog_index *idx); /* NULL is allowed */
/* *ino of name in directory; ERR_NOT_FOUND. */
int catalog_index_lookup(struct catalog_index *idx, uint32_t directory, const void *name,
                         size_t name_len, uint32_t *ino, struct error *err);
/* inode->link points into memory that the caller frees by catalog_inode_release(). */
int catalog_index_inode(struct catalog_index *idx, uint32_t ino, struct catalog_inode *inode,
                        struct error *err);
void catalog_inode_release(struct catalog_inode *inode);
struct catalog_entry {
    const void *name;
    size_t name_len;
    struct catalog_inode inode;
};
/* Entries of a directory in order of name, behind `after` (NULL: from the first), each with its
 * inode; fn's non-zero return ends it and is returned. */
int catalog_index_entries(struct catalog_index *idx, uint32_t directory, const void *after,
                          size_t after_len, int (*fn)(void *ctx, const struct catalog_entry *entry),
                          void *ctx, struct error *err);
int catalog_index_xattrs(struct catalog_index *idx, uint32_t ino,
                         int (*fn)(void *ctx, const char *name, const void *value, size_t len),
                         void *ctx, struct error *err);
/* "a/b/c" (bytes, leading and trailing '/' ignored) from the root; ERR_NOT_FOUND. */
int catalog_index_path(struct catalog_index *idx, const char *path, uint32_t *ino,
                       struct error *err);

/* ---- keeping it right
 * ------------------------------------------------------------------------------ */

/* quick_check of every database, every entry has its inode, parts cover the stream without gaps.
 * ERR_CORRUPT names the first fault. */
int catalog_check(struct catalog *cat, struct error *err);

/* A hash over all rows of all images that does not depend on insertion order: equal after a
 * rebuild. */
int catalog_digest(struct catalog *cat, uint8_t digest[32], struct error *err);

#endif
