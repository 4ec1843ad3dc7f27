/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream.h - the tape stream: what its parts are, and the writer.
 *
 * The stream is the dump(8) format in blocks of 1,024 bytes, written in records of `blocking`
 * blocks; what that format can't say lies in places every reader skips (doc/stream-format.md).
 * Order of calls, asserted by the writer:
 *
 *      stream_writer_open
 *        -> stream_writer_maps                       once
 *        -> inode { data | hole } finish             every directory, then every other file,
 *                                                    each group in ascending inode numbers
 *        -> stream_writer_end                        once
 *
 * Inode numbers are the dump's own: dense, 32 bits, the root is STREAM_ROOT_INODE.
 *
 * Stream blocks are numbered from 0 through the whole dump; a number never changes, whatever the
 * volumes are: the volume record of a second or later volume (stream_volume_record) has no number.
 * So record n holds blocks n * blocking and following, on whatever cartridge it is.
 *
 * End of the medium.  When record n could not be written to volume k (ERR_END_OF_TAPE), then on
 * volume k+1 come, in this order: the volume record, made from record n-1 (the last one that is on
 * volume k), then record n unchanged, then all that follow.  Records that were encoded ahead need
 * no change.  In catalog terms the part on volume k+1 has first_stream = n * blocking and
 * first_block = the tape address of record n, that is the one behind the volume record.
 *
 * Thread rule: one thread at a time per writer; the functions without a writer are pure.
 */
#ifndef CAPSTAN_ENGINE_STREAM_STREAM_H
#define CAPSTAN_ENGINE_STREAM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define STREAM_BLOCK         1024u
#define STREAM_ROOT_INODE    2u
#define STREAM_NAME_MAX      255u
#define STREAM_BLOCKING_MIN  1u                    /* accepted when writing; dump.h allows 4..256 */
#define STREAM_BLOCKING_MAX  1024u                 /* accepted when reading foreign dumps */
#define STREAM_UUID_TEXT     37                    /* with NUL */
#define STREAM_EXTENSION_MAX (511u * STREAM_BLOCK) /* private bytes of one inode */

enum stream_state { STREAM_COMPLETE = 1, STREAM_PARTIAL }; /* as enum catalog_state */

/* What the stream says about itself in each volume header. Strings are copied. */
struct stream_image {
    uint8_t uuid[16];
    uint8_t base_uuid[16]; /* zeros: none */
    int64_t date_ns;       /* of the dump; its second is c_date */
    int64_t base_date_ns;  /* 0 for level 0 */
    int level;
    unsigned blocking;  /* blocks in a record */
    const char *label;  /* at most 15 bytes are kept */
    const char *host;   /* kept whole */
    const char *path;   /* root of the tree, bytes; kept whole up to 4,096 bytes */
    const char *device; /* what the tree lies on, for restore(8) to show; may be NULL */
};

/* What the dump knows when it is over; in the END record. */
struct stream_totals {
    uint64_t files, directories, bytes, warnings;
    int64_t ended_ns;
    enum stream_state state;
    uint64_t stream_blocks; /* set by stream_writer_end(): length of the stream, padding included */
};

struct stream_inode {
    uint32_t ino;  /* of the dump */
    uint32_t mode; /* type and permissions as in st_mode */
    uint32_t uid, gid, nlink;
    uint64_t rdev;    /* makedev() form; devices only */
    uint64_t size;    /* bytes of data that follow: file size, length of a symlink's target, length
                         of a directory's stream_directory data; 0 for all else */
    uint64_t st_size; /* as stat says (differs for directories) */
    int64_t atime_ns, mtime_ns, ctime_ns, btime_ns; /* btime 0: unknown */
    uint64_t blocks512;
    uint64_t flags; /* FS_IOC_GETFLAGS */
    uint32_t generation;
    uint64_t original_ino, original_dev; /* on the source; 0: unknown */
};

struct stream_xattr {
    const char *name; /* with its prefix: "user.x" */
    const void *value;
    size_t len;
};

/* ---- directories -------------------------------------------------------------------------------
 */

/* The data of a directory under construction: 4.4BSD entries in chunks of 512 bytes. */
struct stream_directory {
    uint8_t *data; /* owned */
    size_t len;    /* a multiple of 512 once stream_directory_finish() was called */
    size_t capacity;
    size_t last; /* offset of the last entry */
};

/* Begin with "." and ".." (parent of the root: the root itself). *d may be reused: its memory is
 * kept; zero it before the first use. ERR_NO_MEMORY. */
int stream_directory_begin(struct stream_directory *d, uint32_t self, uint32_t parent,
                           struct error *err);
/* Append an entry; mode gives the type.  ERR_RANGE for a name the format can't carry (empty, "/" or
 * NUL inside, longer than 255 bytes, "." or ".."). */
int stream_directory_add(struct stream_directory *d, uint32_t ino, uint32_t mode, const void *name,
                         size_t name_len, struct error *err);
/* Fill the last chunk: d->data[0 .. d->len) is the data, d->len the inode's size. */
void stream_directory_finish(struct stream_directory *d);
void stream_directory_free(struct stream_directory *d);

/* ---- writer ------------------------------------------------------------------------------------
 */

/* One record on its way to the tape; data is valid during the call only. */
struct stream_record {
    const uint8_t *data;
    size_t len;          /* blocking * STREAM_BLOCK */
    uint64_t first;      /* number of its first block */
    uint32_t resume;     /* data blocks from its second block up to the next header */
    uint32_t unfinished; /* data blocks of its last header that are in the following records */
};

struct stream_writer_options {
    const struct stream_image *image;
    bool no_ea_records; /* do not write EXT_XATTR records, which only Linux's restore knows: all
                           xattrs go to the private extension */
    /* Take one record; an error ends the writer (every later call returns it). */
    int (*write)(void *ctx, const struct stream_record *record, struct error *err);
    void *ctx;
};

struct stream_writer;

/* *out is the caller's until stream_writer_close(); the volume header is written. */
int stream_writer_open(const struct stream_writer_options *options, struct stream_writer **out,
                       struct error *err);
/* NULL is allowed; does not write. */
void stream_writer_close(struct stream_writer *w);

/* The maps of inodes: bit (i - 1) % 8 of byte (i - 1) / 8 for inode i, 1 <= i <= max_inode.
 * used: it exists in the tree; dumped: it is in this stream. */
int stream_writer_maps(struct stream_writer *w, const uint8_t *used, const uint8_t *dumped,
                       uint32_t max_inode, struct error *err);

static inline size_t stream_map_size(uint32_t max_inode)
{
    return ((size_t)max_inode + 7) / 8;
}

static inline void stream_map_set(uint8_t *map, uint32_t ino)
{
    map[(ino - 1) / 8] = (uint8_t)(map[(ino - 1) / 8] | 1u << ((ino - 1) % 8));
}

/* Begin an inode; *address (may be NULL) is the stream block of its header.  inode and xattrs are
 * needed during the call only.  ERR_RANGE: the xattrs are larger than STREAM_EXTENSION_MAX; nothing
 * was written, call again with fewer. */
int stream_writer_inode(struct stream_writer *w, const struct stream_inode *inode,
                        const struct stream_xattr *xattrs, size_t xattr_count, uint64_t *address,
                        struct error *err);
/* The next len bytes of its data.  ERR_RANGE beyond inode->size; nothing was written then. */
int stream_writer_data(struct stream_writer *w, const void *data, size_t len, struct error *err);
/* The next len bytes are a hole.  Blocks of 1,024 bytes that lie wholly in holes take no space. */
int stream_writer_hole(struct stream_writer *w, uint64_t len, struct error *err);
/* End the inode; data that did not come (the file shrank) is a hole. */
int stream_writer_finish(struct stream_writer *w, struct error *err);

/* Write the END records up to a full record; totals->stream_blocks is set. */
int stream_writer_end(struct stream_writer *w, struct stream_totals *totals, struct error *err);

/* Number of the next block, i.e. blocks encoded so far. */
uint64_t stream_writer_position(const struct stream_writer *w);

/* The volume record of volume (>= 2): previous is the last record that is on volume - 1; out has
 * previous->len bytes.  Readers of the old format take what follows its first block for blocks
 * they have read already, and skip it. */
void stream_volume_record(const struct stream_image *image, unsigned volume,
                          const struct stream_record *previous, uint8_t *out);

/* ---- uuid --------------------------------------------------------------------------------------
 */

/* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"; zeros are "". */
void stream_uuid_format(const uint8_t uuid[16], char text[STREAM_UUID_TEXT]);
/* ERR_USAGE if text is not a UUID; "" is zeros. */
int stream_uuid_parse(const char *text, uint8_t uuid[16], struct error *err);

#endif
