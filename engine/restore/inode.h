/* SPDX-License-Identifier: Apache-2.0 */
/* inode.h - an inode of the stream as the catalog has it.  Internal to engine/restore. */
#ifndef CAPSTAN_ENGINE_RESTORE_INODE_H
#define CAPSTAN_ENGINE_RESTORE_INODE_H

#include <string.h>

#include "catalog/catalog.h"
#include "engine/stream/stream.h"

static inline void inode_to_catalog(const struct stream_inode *from, uint64_t address,
                                    struct catalog_inode *to)
{
    memset(to, 0, sizeof(*to));
    to->ino = from->ino;
    to->mode = from->mode;
    to->uid = from->uid;
    to->gid = from->gid;
    to->nlink = from->nlink;
    to->rdev = from->rdev;
    to->size = from->st_size;
    to->atime_ns = from->atime_ns;
    to->mtime_ns = from->mtime_ns;
    to->ctime_ns = from->ctime_ns;
    to->btime_ns = from->btime_ns;
    to->blocks512 = from->blocks512;
    to->address = address;
    to->flags = from->flags;
}

#endif
