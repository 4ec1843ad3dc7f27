/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read_file.c - see read_file.h.
 *
 * The file was seen by the walk; since then it may have vanished, been replaced, or become
 * something else, and it may change under our hands.  The size that fstat tells after the open is
 * what goes into the header: data beyond is not read, data that is missing becomes a hole.
 */
#include "engine/dump/read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

#define BAD_PIECE     4096u /* what is skipped around an input error */
#define BAD_PIECE_MAX 256u  /* input errors after which the rest of a file is given up */

/* ---- names -------------------------------------------------------------------------------------
 */

static void name_of(const struct tree_node *n, char name[STREAM_NAME_MAX + 1])
{
    memcpy(name, n->name + 1, n->name[0]);
    name[n->name[0]] = '\0';
}

static int enter_directory(struct file_source *s, uint32_t directory)
{
    if (s->directory_fd >= 0 && s->directory == directory)
        return 0;
    if (s->directory_fd >= 0)
        close(s->directory_fd);
    s->directory = directory;
    s->directory_fd = tree_open(s->tree, directory);
    return s->directory_fd < 0 ? -1 : 0;
}

/* What an errno of open or stat says about the file. */
static unsigned outcome_of(int value)
{
    switch (value) {
    case ENOENT:
        return FILE_VANISHED;
    case ENOTDIR:
    case ELOOP:
    case ENXIO: /* a socket, or a FIFO */
        return FILE_OTHER_TYPE;
    default:
        return FILE_UNREADABLE;
    }
}

/* O_NOATIME is the owner's and root's only. */
static int open_data(int at, const char *name)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int fd = openat(at, name, flags | O_NOATIME);

    if (fd < 0 && errno == EPERM)
        fd = openat(at, name, flags);
    return fd;
}

/* Fill *f from what stx says is there now; false: it is not what the walk has seen. */
static bool identify(struct reader_file *f, const struct file_source *s, const struct statx *stx)
{
    const struct tree_node *n = tree_node(s->tree, f->node);

    if ((stx->stx_mode & S_IFMT) != (n->mode & S_IFMT)) {
        f->outcome |= FILE_OTHER_TYPE;
        return false;
    }
    if (stx->stx_ino != n->ino || attributes_device(stx) != tree_device_of(s->tree, n->device))
        f->outcome |= FILE_REPLACED;
    attributes_from_statx(&f->inode, stx);
    f->inode.ino = n->number;
    return true;
}

static void note_xattr_error(struct reader_file *f, int error)
{
    if (error) {
        f->outcome |= FILE_XATTR_ERROR;
        f->error = error;
    }
}

/* ---- files without data ------------------------------------------------------------------------
 */

/* The target of a symlink; its length may have changed since the stat. */
static int read_link(struct reader_file *f, int at, const char *name)
{
    char target[4096 + 1];
    ssize_t len = readlinkat(at, name, target, sizeof(target));

    if (len < 0)
        return -1;
    f->link = malloc((size_t)len + 1);
    if (!f->link)
        return -1;
    memcpy(f->link, target, (size_t)len);
    f->inode.size = (uint64_t)len;
    return 0;
}

static void read_special(struct file_source *s, struct reader_task *task, struct reader_file *f,
                         const char *name)
{
    struct statx stx;
    int rc =
        statx(s->directory_fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, ATTRIBUTES_MASK, &stx);

    if (rc == 0 && identify(f, s, &stx)) {
        if (S_ISLNK(stx.stx_mode))
            rc = read_link(f, s->directory_fd, name);
        if (rc == 0)
            note_xattr_error(f, xattr_set_read_at(&f->xattrs, s->directory_fd, name));
    }
    if (rc != 0) {
        f->outcome |= errno == EINVAL ? FILE_OTHER_TYPE : outcome_of(errno);
        f->error = errno;
    }
    read_task_known(task, f);
    read_task_done(task, 0, 0);
}

/* ---- data --------------------------------------------------------------------------------------
 */

struct data_reader {
    const struct file_source *source;
    struct reader_task *task;
    int fd;
    uint64_t offset, size;
    bool sparse; /* holes are worth looking for */
    unsigned outcome, bad_pieces;
    int error;
};

static struct file_chunk *new_chunk(uint64_t len, bool hole)
{
    size_t room = sizeof(struct file_chunk) + (hole ? 0 : (size_t)len);
    struct file_chunk *chunk = malloc(room);

    if (chunk) {
        chunk->len = len;
        chunk->room = room;
        chunk->hole = hole;
    }
    return chunk;
}

static bool no_memory(struct data_reader *d)
{
    d->outcome |= FILE_READ_ERROR;
    d->error = ENOMEM;
    return false;
}

static bool put_hole(struct data_reader *d, uint64_t len)
{
    struct file_chunk *chunk = new_chunk(len, true);

    if (!chunk)
        return no_memory(d);
    d->offset += len;
    return read_task_chunk(d->task, chunk);
}

/* An input error: leave out the piece around it, or the rest when there are too many. */
static bool skip_bad(struct data_reader *d, int error)
{
    uint64_t rest = d->size - d->offset;
    uint64_t piece = BAD_PIECE - d->offset % BAD_PIECE;

    d->outcome |= FILE_READ_ERROR;
    d->error = error;
    if (++d->bad_pieces > BAD_PIECE_MAX || piece > rest)
        piece = rest;
    return put_hole(d, piece);
}

/* Read data from d->offset up to `end`, at most a chunk. False: stop here. */
static bool put_data(struct data_reader *d, uint64_t end)
{
    uint64_t len = end - d->offset < READER_CHUNK ? end - d->offset : READER_CHUNK;
    struct file_chunk *chunk;
    ssize_t n;

    if (d->bad_pieces && len > BAD_PIECE) /* feel the way around bad spots */
        len = BAD_PIECE;
    chunk = new_chunk(len, false);
    if (!chunk)
        return no_memory(d);
    do {
        n = d->source->read_at(d->fd, chunk->data, (size_t)len, (off_t)d->offset);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        free(chunk);
        if (n < 0)
            return skip_bad(d, errno);
        d->outcome |= FILE_SHRANK;
        return false;
    }
    chunk->len = (uint64_t)n;
    d->offset += (uint64_t)n;
    return read_task_chunk(d->task, chunk);
}

/* Where the data at or behind the offset begins and ends; without holes: here, at the end. */
static void find_data(struct data_reader *d, uint64_t *begin, uint64_t *end)
{
    off_t at;

    *begin = d->offset;
    *end = d->size;
    if (!d->sparse)
        return;
    at = lseek(d->fd, (off_t)d->offset, SEEK_DATA);
    if (at < 0) {
        if (errno == ENXIO) /* a hole up to the end */
            *begin = d->size;
        else
            d->sparse = false; /* the file system can't tell */
        return;
    }
    *begin = (uint64_t)at < d->size ? (uint64_t)at : d->size;
    at = lseek(d->fd, at, SEEK_HOLE);
    if (at > 0 && (uint64_t)at < d->size && (uint64_t)at > *begin)
        *end = (uint64_t)at;
}

static void read_data(struct data_reader *d)
{
    while (d->offset < d->size) {
        uint64_t begin, end;

        find_data(d, &begin, &end);
        if (begin > d->offset && !put_hole(d, begin - d->offset))
            return;
        while (d->offset < end)
            if (!put_data(d, end))
                return;
    }
}

/* Has the file stayed as it was at the open? */
static void compare(struct data_reader *d, const struct statx *before)
{
    struct statx now;

    if (statx(d->fd, "", AT_EMPTY_PATH, ATTRIBUTES_MASK, &now) != 0)
        return;
    if (now.stx_size != before->stx_size ||
        memcmp(&now.stx_mtime, &before->stx_mtime, sizeof(now.stx_mtime)) != 0 ||
        memcmp(&now.stx_ctime, &before->stx_ctime, sizeof(now.stx_ctime)) != 0)
        d->outcome |= FILE_CHANGED;
    if (now.stx_size > before->stx_size)
        d->outcome |= FILE_GREW;
    if (now.stx_size < before->stx_size)
        d->outcome |= FILE_SHRANK;
}

static void read_regular(struct file_source *s, struct reader_task *task, struct reader_file *f,
                         const char *name)
{
    CLEANUP_CLOSE int fd = open_data(s->directory_fd, name);
    struct data_reader d = {.source = s, .task = task, .fd = fd};
    struct statx stx;

    if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, ATTRIBUTES_MASK, &stx) != 0) {
        f->outcome |= outcome_of(errno);
        f->error = errno;
    } else if (identify(f, s, &stx)) {
        f->inode.flags = attributes_flags(fd);
        note_xattr_error(f, xattr_set_read(&f->xattrs, fd));
    }
    if (f->outcome & FILE_LEFT_OUT) {
        read_task_known(task, f);
        read_task_done(task, 0, 0);
        return;
    }
    d.size = stx.stx_size;
    d.sparse = stx.stx_blocks < stx.stx_size / 512;
    read_task_known(task, f);
    read_data(&d);
    compare(&d, &stx);
    read_task_done(task, d.outcome, d.error);
}

void read_file(struct file_source *source, struct reader_task *task, uint32_t node)
{
    const struct tree_node *n = tree_node(source->tree, node);
    struct reader_file f = {.node = node};
    char name[STREAM_NAME_MAX + 1];

    name_of(n, name);
    if (enter_directory(source, n->parent) != 0) {
        f.error = errno;
        f.outcome = outcome_of(f.error) == FILE_UNREADABLE ? FILE_UNREADABLE : FILE_VANISHED;
        read_task_known(task, &f);
        read_task_done(task, 0, 0);
    } else if (S_ISREG(n->mode)) {
        read_regular(source, task, &f, name);
    } else {
        read_special(source, task, &f, name);
    }
}
