/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attributes.h - what is known of a file besides its data: from statx(2) and extended attributes.
 */
#ifndef CAPSTAN_ENGINE_DUMP_ATTRIBUTES_H
#define CAPSTAN_ENGINE_DUMP_ATTRIBUTES_H

#include <sys/stat.h>

#include "common/error.h"
#include "engine/stream/stream.h"

/* What dump asks statx(2) for. */
#define ATTRIBUTES_MASK (STATX_BASIC_STATS | STATX_BTIME)

/* Everything but ino (the dump's number) and size (0 unless it is a regular file or a symlink). */
void attributes_from_statx(struct stream_inode *inode, const struct statx *stx);
uint64_t attributes_device(const struct statx *stx); /* st_dev */

/* FS_IOC_GETFLAGS of an open file or directory; 0 if the file system has none. */
uint64_t attributes_flags(int fd);

struct xattr_set {
    struct stream_xattr *list;
    size_t count;
    char *memory; /* names and values */
};

/* All extended attributes of an open file or directory, of those that may be read; POSIX ACLs are
 * system.posix_acl_access and _default.  A file system without them: an empty set.  Returns 0 or an
 * errno for the first that should have been readable and was not (the set holds the others). */
int xattr_set_read(struct xattr_set *set, int fd);
/* Of a name that can't be opened (symlink, device, FIFO, socket), without following it. */
int xattr_set_read_at(struct xattr_set *set, int dir_fd, const char *name);
void xattr_set_free(struct xattr_set *set); /* empty again */

#endif
