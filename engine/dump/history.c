/* SPDX-License-Identifier: Apache-2.0 */
/* history.c - see history.h. */
#include "engine/dump/history.h"

#include <stdlib.h>
#include <sys/stat.h>

struct history {
    struct catalog_writer *writer; /* NULL: there is no catalog */
};

int history_begin(struct catalog *cat, const char *uuid, struct history **out, struct error *err)
{
    struct history *h = calloc(1, sizeof(*h));
    int rc = 0;

    if (!h)
        return error_set(err, ERR_NO_MEMORY, "no memory for the file history");
    if (cat)
        rc = catalog_writer_begin(cat, uuid, &h->writer, err);
    if (rc) {
        free(h);
        return rc;
    }
    *out = h;
    return 0;
}

int history_entry(struct history *h, uint32_t directory, const void *name, size_t name_len,
                  uint32_t ino, struct error *err)
{
    return h->writer ? catalog_writer_entry(h->writer, directory, name, name_len, ino, err) : 0;
}

int history_inode(struct history *h, const struct stream_inode *inode, uint64_t address,
                  const char *link, const struct stream_xattr *xattrs, size_t xattr_count,
                  struct error *err)
{
    struct catalog_inode row = {
        .ino = inode->ino,
        .mode = inode->mode,
        .uid = inode->uid,
        .gid = inode->gid,
        .nlink = inode->nlink,
        .rdev = inode->rdev,
        .size = inode->st_size,
        .atime_ns = inode->atime_ns,
        .mtime_ns = inode->mtime_ns,
        .ctime_ns = inode->ctime_ns,
        .btime_ns = inode->btime_ns,
        .blocks512 = inode->blocks512,
        .address = address,
        .link = link,
        .link_len = link ? (size_t)inode->size : 0,
        .flags = inode->flags,
    };
    int rc;

    if (!h->writer)
        return 0;
    rc = catalog_writer_inode(h->writer, &row, err);
    for (size_t i = 0; i < xattr_count && !rc; i++)
        rc = catalog_writer_xattr(h->writer, inode->ino, xattrs[i].name, xattrs[i].value,
                                  xattrs[i].len, err);
    return rc;
}

int history_missing(struct history *h, uint32_t ino, uint32_t mode, struct error *err)
{
    struct catalog_inode row = {.ino = ino, .mode = mode & S_IFMT, .address = UINT64_MAX};

    return h->writer ? catalog_writer_inode(h->writer, &row, err) : 0;
}

int history_commit(struct history *h, const struct catalog_image *image,
                   const struct catalog_part *parts, size_t part_count, struct error *err)
{
    int rc = h->writer ? catalog_writer_commit(h->writer, image, parts, part_count, err) : 0;

    free(h);
    return rc;
}

void history_abort(struct history *h)
{
    if (h && h->writer)
        catalog_writer_abort(h->writer);
    free(h);
}
