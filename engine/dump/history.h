/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history.h - what the catalog remembers of each file (ref: file history).
 *
 * Everything that goes in is in the stream as well, so that a catalog rebuilt from the cartridges
 * is the same to the byte (catalog_digest()):
 *   - an inode is what its header says (history_inode);
 *   - a name whose inode is not in the stream, because it could not be read, gets an inode of
 *     which only the number and the type are known, the type being that of the directory entry
 *     (history_missing).
 *
 * With cat NULL everything is accepted and forgotten.
 */
#ifndef CAPSTAN_ENGINE_DUMP_HISTORY_H
#define CAPSTAN_ENGINE_DUMP_HISTORY_H

#include "catalog/catalog.h"
#include "common/error.h"
#include "engine/stream/stream.h"

struct history;

int history_begin(struct catalog *cat, const char *uuid, struct history **out, struct error *err);
int history_entry(struct history *h, uint32_t directory, const void *name, size_t name_len,
                  uint32_t ino, struct error *err);
/* link: the target of a symlink, inode->size bytes; else NULL. */
int history_inode(struct history *h, const struct stream_inode *inode, uint64_t address,
                  const char *link, const struct stream_xattr *xattrs, size_t xattr_count,
                  struct error *err);
int history_missing(struct history *h, uint32_t ino, uint32_t mode, struct error *err);

/* Make it part of the catalog; h is freed in any case. */
int history_commit(struct history *h, const struct catalog_image *image,
                   const struct catalog_part *parts, size_t part_count, struct error *err);
void history_abort(struct history *h); /* NULL is allowed */

#endif
