/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maps.c - the two maps of inodes: which exist, and which are on this tape.  They differ by the
 * files that are known not to be readable.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "engine/dump/phases.h"

int dump_maps(struct dump *d, struct error *err)
{
    size_t size = stream_map_size(d->last);
    CLEANUP_FREE uint8_t *used = malloc(size);
    CLEANUP_FREE uint8_t *dumped = malloc(size);
    struct tree_cursor cursor;
    uint32_t node;

    dump_enter(d, DUMP_PHASE_MAPS);
    if (!used || !dumped)
        return error_set(err, ERR_NO_MEMORY, "no memory for the maps of inodes");
    memset(used, 0, size);
    for (uint32_t ino = STREAM_ROOT_INODE; ino <= d->last; ino++)
        stream_map_set(used, ino);
    memcpy(dumped, used, size);
    tree_files(d->tree, &cursor);
    while (tree_next_file(&cursor, &node)) {
        const struct tree_node *n = tree_node(d->tree, node);

        if (n->flags & NODE_UNREADABLE)
            dumped[(n->number - 1) / 8] &= (uint8_t) ~(1u << ((n->number - 1) % 8));
    }
    return stream_writer_maps(d->writer, used, dumped, d->last, err);
}
