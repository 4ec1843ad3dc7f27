/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attributes.h - what belongs to a file besides its data: set it, or compare it.
 * Internal to engine/restore.
 */
#ifndef CAPSTAN_ENGINE_RESTORE_ATTRIBUTES_H
#define CAPSTAN_ENGINE_RESTORE_ATTRIBUTES_H

#include <stdbool.h>

#include "common/error.h"
#include "engine/stream/stream.h"

#define ATTRIBUTES_BYTES_MAX (2u * 1024 * 1024) /* xattrs of one inode; more is left out */
#define ATTRIBUTES_COUNT_MAX 4096u

struct attributes {
    struct stream_inode inode;
    uint64_t address;            /* stream block of its header; UINT64_MAX: not known */
    struct stream_xattr *xattrs; /* owned, with names and values */
    size_t xattr_count, xattr_bytes;
};

/* A copy of x is appended.  ERR_RANGE: over the limits. */
int attributes_add_xattr(struct attributes *a, const struct stream_xattr *x, struct error *err);
/* Free the xattrs; the inode stays. */
void attributes_free(struct attributes *a);

struct attributes_policy {
    bool keep_owner;
    /* One sentence for what could not be set or differs. */
    void (*tell)(void *ctx, const char *message);
    void *ctx;
    unsigned refused; /* bit set of kinds of xattr already told to be refused */
};

/* Set everything on the open file fd (O_PATH unless a regular file or directory), in the order
 * owner, mode, ACL, xattrs, times. What can't be set is told; returns how much was told. */
unsigned attributes_apply(struct attributes_policy *policy, int fd, const struct attributes *a);

/* Set the flags of chattr(1), as far as the file system has them. To be called when all else is
 * done and the file has its names: an immutable file can't be renamed. */
void attributes_apply_flags(int fd, const struct attributes *a);

/* Compare with the open file; each difference is told.  Returns their number. */
unsigned attributes_compare(struct attributes_policy *policy, int fd, const struct attributes *a);

#endif
