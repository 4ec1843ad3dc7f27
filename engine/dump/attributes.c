/* SPDX-License-Identifier: Apache-2.0 */
/* attributes.c - see attributes.h. */
#include "engine/dump/attributes.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "common/cleanup.h"

#define LIST_FIRST 1024
#define VALUE_MAX  65536 /* XATTR_SIZE_MAX */

static int64_t time_ns(const struct statx_timestamp *ts)
{
    int64_t ns;

    if (__builtin_mul_overflow(ts->tv_sec, 1000000000, &ns) ||
        __builtin_add_overflow(ns, ts->tv_nsec, &ns))
        return ts->tv_sec < 0 ? INT64_MIN : INT64_MAX; /* beyond the years 1677 and 2262 */
    return ns;
}

uint64_t attributes_device(const struct statx *stx)
{
    return makedev(stx->stx_dev_major, stx->stx_dev_minor);
}

void attributes_from_statx(struct stream_inode *inode, const struct statx *stx)
{
    bool device = S_ISCHR(stx->stx_mode) || S_ISBLK(stx->stx_mode);
    bool data = S_ISREG(stx->stx_mode) || S_ISLNK(stx->stx_mode);

    *inode = (struct stream_inode){
        .mode = stx->stx_mode,
        .uid = stx->stx_uid,
        .gid = stx->stx_gid,
        .nlink = stx->stx_nlink,
        .rdev = device ? makedev(stx->stx_rdev_major, stx->stx_rdev_minor) : 0,
        .size = data ? stx->stx_size : 0,
        .st_size = stx->stx_size,
        .atime_ns = time_ns(&stx->stx_atime),
        .mtime_ns = time_ns(&stx->stx_mtime),
        .ctime_ns = time_ns(&stx->stx_ctime),
        .btime_ns = stx->stx_mask & STATX_BTIME ? time_ns(&stx->stx_btime) : 0,
        .blocks512 = stx->stx_blocks,
        .original_ino = stx->stx_ino,
        .original_dev = attributes_device(stx),
    };
}

uint64_t attributes_flags(int fd)
{
    /* The kernel writes an int, FUSE the long that the ioctl's number announces. */
    union {
        long room;
        unsigned flags;
    } value = {0};

    return ioctl(fd, FS_IOC_GETFLAGS, &value) == 0 ? value.flags : 0;
}

/* ---- extended attributes -----------------------------------------------------------------------
 */

/* A file that is open (path NULL), or one that is reached by a path and not followed. */
struct xattr_source {
    int fd;
    const char *path;
};

static ssize_t source_list(const struct xattr_source *s, char *buf, size_t size)
{
    return s->path ? llistxattr(s->path, buf, size) : flistxattr(s->fd, buf, size);
}

static ssize_t source_get(const struct xattr_source *s, const char *name, void *buf, size_t size)
{
    return s->path ? lgetxattr(s->path, name, buf, size) : fgetxattr(s->fd, name, buf, size);
}

/* The names, each with its NUL; the list may grow between two calls. */
static ssize_t read_names(const struct xattr_source *s, char **names)
{
    size_t room = LIST_FIRST;

    for (;;) {
        char *buf = malloc(room);
        ssize_t len;

        if (!buf) {
            errno = ENOMEM;
            return -1;
        }
        len = source_list(s, buf, room);
        if (len > 0) {
            *names = buf;
            return len;
        }
        free(buf);
        if (len == 0 || errno != ERANGE || room > VALUE_MAX)
            return len;
        room = VALUE_MAX + 1;
    }
}

/* Append the value of name behind set->memory[used]; 0 or errno. */
static int read_value(struct xattr_set *set, const struct xattr_source *s, const char *name,
                      char *value, size_t *used)
{
    ssize_t len = source_get(s, name, value, VALUE_MAX);
    size_t name_size = strlen(name) + 1;
    char *grown;

    if (len < 0) /* gone since it was listed, or not for us to read */
        return errno == ENODATA || errno == EACCES || errno == EPERM || errno == EOPNOTSUPP ? 0
                                                                                            : errno;
    grown = realloc(set->memory, *used + name_size + (size_t)len);
    if (!grown)
        return ENOMEM;
    set->memory = grown;
    memcpy(grown + *used, name, name_size);
    memcpy(grown + *used + name_size, value, (size_t)len);
    *used += name_size + (size_t)len;
    set->list[set->count++].len = (size_t)len;
    return 0;
}

/* The memory does not move any more: let the list point into it. */
static void point_into(struct xattr_set *set)
{
    char *at = set->memory;

    for (size_t i = 0; i < set->count; i++) {
        set->list[i].name = at;
        set->list[i].value = at + strlen(at) + 1;
        at += strlen(at) + 1 + set->list[i].len;
    }
}

static int set_read(struct xattr_set *set, const struct xattr_source *s)
{
    CLEANUP_FREE char *names = NULL;
    CLEANUP_FREE char *value = NULL;
    ssize_t len = read_names(s, &names);
    size_t count = 0, used = 0;
    int failure = 0;

    if (len <=
        0) /* EOPNOTSUPP, ENOTDIR, ENOENT: without /proc or xattrs there is nothing to read */
        return len == 0 || errno == EOPNOTSUPP || errno == ENOSYS || errno == ENOENT ? 0 : errno;
    while (len > 0 && names[len - 1] != '\0') /* a file system that does not end the last one */
        len--;
    for (ssize_t i = 0; i < len; i++)
        count += names[i] == '\0';
    value = malloc(VALUE_MAX);
    set->list = calloc(count + 1, sizeof(*set->list));
    if (!value || !set->list)
        return ENOMEM;
    for (char *name = names; name < names + len; name += strlen(name) + 1) {
        int rc = read_value(set, s, name, value, &used);

        if (rc && !failure)
            failure = rc;
    }
    point_into(set);
    return failure;
}

int xattr_set_read(struct xattr_set *set, int fd)
{
    struct xattr_source source = {.fd = fd};

    *set = (struct xattr_set){0};
    return set_read(set, &source);
}

int xattr_set_read_at(struct xattr_set *set, int dir_fd, const char *name)
{
    char path[sizeof("/proc/self/fd/") + 12 + STREAM_NAME_MAX + 1];
    struct xattr_source source = {.fd = -1, .path = path};

    *set = (struct xattr_set){0};
    snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir_fd, name);
    return set_read(set, &source);
}

void xattr_set_free(struct xattr_set *set)
{
    free(set->list);
    free(set->memory);
    *set = (struct xattr_set){0};
}
