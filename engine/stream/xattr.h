/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xattr.h - extended attributes in the stream: ext4 EA blocks for Linux's restore, and the private
 * extension for what those can't carry.  Internal to engine/stream.
 *
 * An attribute goes into exactly one of the two places.  Pure functions, any thread.
 */
#ifndef CAPSTAN_ENGINE_STREAM_XATTR_H
#define CAPSTAN_ENGINE_STREAM_XATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/stream/stream.h"

/* True if an EA record can carry this attribute and gives the same bytes back. */
bool xattr_fits_record(const struct stream_xattr *x);

/* Build one EA record of at most EA_RECORD_MAX bytes in out (which has that size) from those of the
 * count attributes, from *next on, that fit a record; *next is moved on.  Returns its length, 0
 * when none is left. */
size_t xattr_build_record(const struct stream_xattr *xattrs, size_t count, size_t *next,
                          uint8_t *out);

/* Walks through an EA record, or through an extension; zero it, then set data and len. */
struct xattr_cursor {
    const uint8_t *data;
    size_t len, at;
    bool damaged; /* the format was broken; what followed was left out */
    char name[STREAM_NAME_MAX + 1];
    uint8_t *acl; /* EA record: EA_ACL_MAX bytes to convert an ACL in; the caller's */
};
#define EA_ACL_MAX (4u + 8u * (65536u / 4u)) /* of the largest EA record accepted, 64 KiB */

/* The next attribute of an EA record; its name and value are valid until the next call. */
bool xattr_next(struct xattr_cursor *c, struct stream_xattr *x);

/* The next item of an extension: *type, with the name in x->name ("" if it has none). */
bool extension_next(struct xattr_cursor *c, unsigned *type, struct stream_xattr *x);

/* POSIX ACLs: the form of the system call (version 2) from ext4's on-disk form (version 1) and
 * back.  out has size bytes; returns the length, 0 if the input breaks the format or does not fit.
 */
size_t xattr_acl_to_disk(const uint8_t *acl, size_t len, uint8_t *out, size_t size);
size_t xattr_acl_from_disk(const uint8_t *disk, size_t len, uint8_t *out, size_t size);

#endif
