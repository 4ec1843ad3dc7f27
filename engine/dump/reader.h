/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.h - read the files of a tree ahead, many at once, and hand them out in order.
 *
 * Flash answers many readers at once far faster than one, so threads read ahead; the stream needs
 * the files in the order of their numbers, so what they read waits in a window of bounded memory.
 *
 *      readers:  claim next file --> open, attributes --> chunks of data and holes --> end
 *      consumer: reader_next()   --> attributes       --> reader_chunk() ...       --> reader_end
 *
 * Invariants:
 *   1. The bytes in the window are at most `window`, and one chunk more for the file that the
 *      consumer is at: it alone may exceed, so the window can't fill up with files behind it.
 *   2. At most READER_FILES files are begun and not yet ended.
 *   3. A file's chunks are in order and without gaps; together they are at most its size as the
 *      attributes tell it (fewer: it shrank).
 *
 * Thread rule: one consumer thread.
 */
#ifndef CAPSTAN_ENGINE_DUMP_READER_H
#define CAPSTAN_ENGINE_DUMP_READER_H

#include <sys/types.h>

#include "engine/dump/attributes.h"
#include "engine/dump/tree.h"

#define READER_FILES          512
#define READER_CHUNK          (256u * 1024)
#define READER_WINDOW_DEFAULT (64u * 1024 * 1024)

/* How reading a file went; more than one may be true. */
enum {
    FILE_VANISHED = 1,     /* it is not there any more: no attributes */
    FILE_UNREADABLE = 2,   /* it can't be opened (`error`): no attributes */
    FILE_OTHER_TYPE = 4,   /* what is there now is of another type: no attributes */
    FILE_LEFT_OUT = 7,     /* any of the above */
    FILE_REPLACED = 8,     /* another file of the same type has taken the name; that was read */
    FILE_CHANGED = 16,     /* its time or size changed while it was read */
    FILE_GREW = 32,        /* ... and there is more of it than was read */
    FILE_SHRANK = 64,      /* ... and there was less: the rest is missing */
    FILE_READ_ERROR = 128, /* parts could not be read (`error`) and are holes */
    FILE_XATTR_ERROR = 256 /* some extended attributes could not be read (`error`) */
};

struct reader_file {
    uint32_t node;
    unsigned outcome; /* FILE_*; what concerns the data is complete after the last chunk */
    int error;        /* errno of what could not be read */
    struct stream_inode inode;
    char *link; /* symlinks: the target, inode.size bytes */
    struct xattr_set xattrs;
};

struct reader_chunk {
    uint64_t len;
    const void *data; /* NULL: a hole */
};

struct reader_options {
    const struct tree *tree;
    unsigned threads; /* >= 1 */
    size_t window;    /* bytes; 0: READER_WINDOW_DEFAULT */
    /* Instead of pread(2), for a layer that fails on purpose; may be NULL. */
    ssize_t (*read_at)(int fd, void *buf, size_t len, off_t offset);
};

struct reader;

int reader_open(const struct reader_options *options, struct reader **out, struct error *err);
/* Stops the threads, also in the middle; NULL is allowed. */
void reader_close(struct reader *r);

/* The next file: its attributes and what is known of it.  NULL at the end.  It is the reader's,
 * until reader_end(). */
const struct reader_file *reader_next(struct reader *r);
/* The next chunk of the present file's data; false at its end.  Valid until the next call. */
bool reader_chunk(struct reader *r, struct reader_chunk *chunk);
/* Done with the present file, whether all its chunks were taken or not. */
void reader_end(struct reader *r);

#endif
