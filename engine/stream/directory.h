/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory.h - read directory data of a dump stream: entries, chunk by chunk.
 *
 * An entry never crosses a chunk of 512 bytes, so each block of a directory can be read by itself,
 * as it comes.  The data is hostile: whatever is wrong in a chunk ends that chunk only.
 * Pure functions, any thread.
 */
#ifndef CAPSTAN_ENGINE_STREAM_DIRECTORY_H
#define CAPSTAN_ENGINE_STREAM_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/stream/stream.h"

enum stream_name_fault {
    STREAM_NAME_GOOD,
    STREAM_NAME_EMPTY,
    STREAM_NAME_SLASH,   /* holds '/' */
    STREAM_NAME_NUL,     /* holds NUL before its length is up */
    STREAM_NAME_DOTS,    /* "." or ".." */
    STREAM_NAME_TOO_LONG /* over 255 bytes */
};

/* Whether name may stand in a directory. */
enum stream_name_fault stream_name_check(const void *name, size_t len);
/* A sentence's end for it: "holds a slash". */
const char *stream_name_fault_text(enum stream_name_fault fault);

struct stream_entry {
    uint32_t ino;
    uint8_t type; /* DT_*, 0 unknown */
    const uint8_t *name;
    size_t name_len;
};

struct stream_entry_cursor {
    const uint8_t *data;
    size_t len, at;
    bool big_endian;
    bool old_format; /* no d_type: written without DR_NEWINODEFMT */
    bool damaged;    /* a chunk broke the rules; its rest was left out */
};

/* The next entry with an inode other than 0, "." and ".." included.  False at the end. */
bool stream_entry_next(struct stream_entry_cursor *c, struct stream_entry *entry);

#endif
