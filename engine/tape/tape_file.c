/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape_file.c - a plain file as a tape: records one after the other, as dump(8) -f writes them.
 *
 * A file has no block boundaries and no filemarks.  The length of a record is that of the first
 * write or read on this handle (the blocking factor) and stays; block n begins at n records from
 * the start.  Until it is known, locate() remembers the block.  Pipes and character devices can be
 * written and read, but not positioned.
 *
 * Invariant: `offset` is the file offset of the next record whenever `pending` is not set.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "engine/tape/backends.h"

#define FILE_RECORD_MAX  (256u * 1024 * 1024)
#define SCSI_TAPE_MAJOR  9
#define NOT_YET_POSITION UINT64_MAX

struct tape_file {
    struct tape tape;
    int fd;
    bool regular; /* can be positioned */
    bool writable;
    uint64_t offset;  /* of the next record */
    uint64_t blocks;  /* records before it, counted where they can't be computed */
    uint64_t pending; /* block to go to as soon as `record` is known, else NOT_YET_POSITION */
    size_t record;    /* bytes, 0: not known yet */
    char path[4096];
};

static struct tape_file *file_of(struct tape *t)
{
    return (struct tape_file *)t;
}

static int file_kind(struct tape_file *f, struct error *err)
{
    struct stat st;

    if (fstat(f->fd, &st) != 0)
        return error_errno(err, "cannot look at %s", f->path);
    if (S_ISDIR(st.st_mode))
        return error_set(err, ERR_USAGE, "%s is a directory; name a file", f->path);
    if (S_ISCHR(st.st_mode) && major(st.st_rdev) == SCSI_TAPE_MAJOR)
        return error_set(err, ERR_UNSUPPORTED, "%s is a tape device, which file: cannot drive",
                         f->path);
    f->regular = S_ISREG(st.st_mode);
    return 0;
}

static int file_open(const char *path, enum tape_mode mode, const struct tape_login *login,
                     struct tape **out, struct error *err)
{
    CLEANUP_FREE struct tape_file *f = calloc(1, sizeof(*f));
    CLEANUP_CLOSE int fd = -1;
    int rc;

    (void)login;
    if (!f)
        return error_set(err, ERR_NO_MEMORY, "no memory for a tape");
    if ((size_t)snprintf(f->path, sizeof(f->path), "%s", path) >= sizeof(f->path))
        return error_set(err, ERR_USAGE, "the path of the file is too long");
    f->writable = mode == TAPE_WRITE;
    fd = open(path, f->writable ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0600);
    if (fd < 0 && f->writable)
        fd = open(path, O_WRONLY | O_CLOEXEC); /* a device or pipe that can only be written */
    if (fd < 0)
        return error_errno(err, "cannot open %s", path);
    f->fd = fd;
    f->pending = NOT_YET_POSITION;
    rc = file_kind(f, err);
    if (rc)
        return rc;
    f->tape.ops = &tape_file_ops;
    steal_fd(&fd);
    *out = &f->tape;
    steal_pointer(&f);
    return 0;
}

static void file_close(struct tape *t)
{
    close(file_of(t)->fd);
    free(t);
}

static int file_get_info(struct tape *t, struct tape_info *info, struct error *err)
{
    struct tape_file *f = file_of(t);

    (void)err;
    snprintf(info->product, sizeof(info->product), "file");
    info->block_max = FILE_RECORD_MAX;
    info->write_protected = !f->writable;
    info->can_locate = f->regular;
    return 0;
}

/* The first transfer fixes the length of a record and settles a locate() that came before it. */
static int file_learn_record(struct tape_file *f, size_t len, struct error *err)
{
    if (f->record == 0)
        f->record = len;
    if (f->pending != NOT_YET_POSITION) {
        if (!checked_mul(f->pending, (uint64_t)f->record, &f->offset))
            return error_set(err, ERR_RANGE, "block %llu lies beyond any file",
                             (unsigned long long)f->pending);
        f->blocks = f->pending;
        f->pending = NOT_YET_POSITION;
    }
    return 0;
}

/* As on tape, a write ends the data behind it. */
static int file_cut(struct tape_file *f, struct error *err)
{
    struct stat st;

    if (!f->regular)
        return 0;
    if (fstat(f->fd, &st) != 0)
        return error_errno(err, "cannot look at %s", f->path);
    if ((uint64_t)st.st_size > f->offset && ftruncate(f->fd, (off_t)f->offset) != 0)
        return error_errno(err, "cannot cut %s", f->path);
    return 0;
}

static int file_write(struct tape *t, const void *data, size_t len, bool *early_warning,
                      struct error *err)
{
    struct tape_file *f = file_of(t);
    const char *p = data;
    size_t done = 0;
    int rc;

    *early_warning = false;
    if (!f->writable)
        return error_set(err, ERR_PROTECTED, "%s was opened for reading", f->path);
    if (len > FILE_RECORD_MAX)
        return error_set(err, ERR_RANGE, "a record of %zu bytes is too large", len);
    rc = file_learn_record(f, len, err);
    if (!rc)
        rc = file_cut(f, err);
    if (rc)
        return rc;
    while (done < len) {
        ssize_t n = f->regular ? pwrite(f->fd, p + done, len - done, (off_t)(f->offset + done))
                               : write(f->fd, p + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = error_errno(err, "cannot write to %s", f->path);
            if (f->regular && ftruncate(f->fd, (off_t)f->offset) != 0)
                error_prefix(err, "half a record is left behind");
            return rc;
        }
        done += (size_t)n;
    }
    f->offset += len;
    f->blocks++;
    return 0;
}

static int file_read(struct tape *t, void *buf, size_t size, size_t *got, struct error *err)
{
    struct tape_file *f = file_of(t);
    char *p = buf;
    size_t done = 0;
    int rc = file_learn_record(f, size, err);

    if (rc)
        return rc;
    while (done < size) {
        ssize_t n = f->regular ? pread(f->fd, p + done, size - done, (off_t)(f->offset + done))
                               : read(f->fd, p + done, size - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, "cannot read %s", f->path);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    if (done == 0)
        return error_set(err, ERR_END_OF_DATA, "the end of %s", f->path);
    f->offset += done;
    f->blocks++;
    *got = done;
    return 0;
}

/* No filemarks here: only what they stand for, that the data is safe. */
static int file_write_filemarks(struct tape *t, unsigned count, struct error *err)
{
    struct tape_file *f = file_of(t);

    (void)count;
    if (f->regular && f->writable && fdatasync(f->fd) != 0)
        return error_errno(err, "cannot sync %s", f->path);
    return 0;
}

static int file_seekable(const struct tape_file *f, struct error *err)
{
    if (!f->regular)
        return error_set(err, ERR_UNSUPPORTED, "%s is not a regular file and cannot be positioned",
                         f->path);
    return 0;
}

static int file_rewind(struct tape *t, struct error *err)
{
    struct tape_file *f = file_of(t);

    if (f->offset == 0 && f->pending == NOT_YET_POSITION)
        return 0; /* also for pipes */
    if (file_seekable(f, err))
        return -ERR_UNSUPPORTED;
    f->offset = f->blocks = 0;
    f->pending = NOT_YET_POSITION;
    return 0;
}

static int file_space_end(struct tape *t, struct error *err)
{
    struct tape_file *f = file_of(t);
    struct stat st;

    if (file_seekable(f, err))
        return -ERR_UNSUPPORTED;
    if (fstat(f->fd, &st) != 0)
        return error_errno(err, "cannot look at %s", f->path);
    if (f->record == 0 && st.st_size > 0)
        return error_set(err, ERR_UNSUPPORTED,
                         "%s holds records of unknown length; rewind and read one first, "
                         "or dump to a new file",
                         f->path);
    f->offset = (uint64_t)st.st_size;
    f->blocks = f->record ? f->offset / f->record : 0;
    f->pending = NOT_YET_POSITION;
    return 0;
}

static int file_locate(struct tape *t, uint64_t block, struct error *err)
{
    struct tape_file *f = file_of(t);
    struct stat st;
    uint64_t offset;

    if (file_seekable(f, err))
        return -ERR_UNSUPPORTED;
    if (f->record == 0) {
        f->pending = block;
        return 0;
    }
    if (fstat(f->fd, &st) != 0)
        return error_errno(err, "cannot look at %s", f->path);
    if (!checked_mul(block, (uint64_t)f->record, &offset) || offset > (uint64_t)st.st_size) {
        f->offset = (uint64_t)st.st_size;
        f->blocks = f->offset / f->record;
        return error_set(err, ERR_END_OF_DATA, "%s has no block %llu", f->path,
                         (unsigned long long)block);
    }
    f->offset = offset;
    f->blocks = block;
    return 0;
}

static int file_tell(struct tape *t, struct tape_position *pos, struct error *err)
{
    struct tape_file *f = file_of(t);

    (void)err;
    pos->block = f->pending != NOT_YET_POSITION ? f->pending : f->blocks;
    pos->file = 0;
    pos->begin = pos->block == 0;
    return 0;
}

const struct tape_ops tape_file_ops = {
    .scheme = "file:",
    .open = file_open,
    .close = file_close,
    .get_info = file_get_info,
    .write = file_write,
    .read = file_read,
    .write_filemarks = file_write_filemarks,
    .rewind = file_rewind,
    .space_end = file_space_end,
    .locate = file_locate,
    .tell = file_tell,
    .unload = file_rewind,
};
