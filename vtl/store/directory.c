/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory.c - a store in a directory of a local file system: an object is a regular file.
 *
 * Invariants:
 *   1. Nothing but a regular file is ever opened: what stands under an object's name is looked at
 *      before (a tape device would move when opened) and checked again behind the open.  Symbolic
 *      links are never followed.
 *   2. The file descriptor that wrote is the one that syncs.  Linux reports a failed write-back
 *      once per descriptor opened before the failure; a fresh one may never hear of it.
 *   3. After a failed sync the object's writer is poisoned: every later append and sync fails, so
 *      that "the second fsync succeeded" can't be taken for stored data (fsyncgate).
 *   4. Names beginning with '.' are ours: .lock, .guard.<object> and .put.<object>; store_list()
 *      shows none of them.
 *
 * Reads open, read and close: no descriptor is kept, so a reader sees each store_put() of any
 * process, and many cartridges do not use up the descriptors.
 */
#include "vtl/store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "common/cleanup.h"

#define WRITERS_KEPT    8                  /* descriptors kept for objects that owe nothing */
#define WRITE_OUT_STEP  (2u * 1024 * 1024) /* the kernel starts writing out behind us */
#define CLONE_COPY_STEP (64u * 1024 * 1024)
#define GUARD_NAP_NS    5000000
#define GUARD_NAPS      2000 /* ten seconds */
#define PATH_SHOWN      256

/* An object that this handle has appended to, cut or synced. */
struct writer {
    struct writer *next;
    char name[STORE_NAME_MAX + 1];
    int fd;
    uint64_t pushed;       /* write-out was started up to here */
    _Atomic bool dirty;    /* in use, or something since the last good sync: not to be closed */
    bool named;            /* the directory entry is durable */
    _Atomic bool poisoned; /* invariant 3 */
};

struct directory {
    struct store store;
    int fd;
    int lock_fd;            /* -1: not locked */
    int guard_fd;           /* -1: no object is guarded */
    _Atomic bool cloned;    /* clones owe a sync, all of them the same one */
    pthread_mutex_t mutex;  /* protects the list of writers and lock_fd; a leaf */
    struct writer *writers; /* the one used last is first */
    char path[PATH_SHOWN];  /* for messages */
};

static struct directory *directory_of(struct store *s)
{
    return (struct directory *)s;
}

/* ---- opening objects ------------------------------------------------------------------------- */

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)    ? "a directory"
           : S_ISLNK(mode)  ? "a symbolic link"
           : S_ISFIFO(mode) ? "a FIFO"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

static int refuse_kind(struct directory *d, const char *object, mode_t mode, struct error *err)
{
    return error_set(err, ERR_FORMAT, "%s/%s is %s; only a regular file can be an object", d->path,
                     object, kind_of(mode));
}

/* ERR_NOT_FOUND if nothing is there, ERR_FORMAT if it is no regular file. */
static int check_regular(struct directory *d, const char *object, struct stat *st,
                         struct error *err)
{
    if (fstatat(d->fd, object, st, AT_SYMLINK_NOFOLLOW) != 0)
        return error_errno(err, "%s/%s", d->path, object);
    return S_ISREG(st->st_mode) ? 0 : refuse_kind(d, object, st->st_mode, err);
}

static int open_object(struct directory *d, const char *object, int flags, int *out,
                       struct error *err)
{
    CLEANUP_CLOSE int fd = -1;
    struct stat st;
    int rc = check_regular(d, object, &st, err);

    if (rc && !(rc == -ERR_NOT_FOUND && flags & O_CREAT))
        return rc;
    fd = openat(d->fd, object, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, "%s/%s", d->path, object);
    if (fstat(fd, &st) != 0)
        return error_errno(err, "%s/%s", d->path, object);
    if (!S_ISREG(st.st_mode))
        return refuse_kind(d, object, st.st_mode, err);
    *out = steal_fd(&fd);
    return 0;
}

/* Take the writer of object off the list: NULL if there is none. */
static struct writer *writer_take(struct directory *d, const char *object)
{
    for (struct writer **p = &d->writers; *p; p = &(*p)->next) {
        struct writer *w = *p;

        if (strcmp(w->name, object) == 0) {
            *p = w->next;
            return w;
        }
    }
    return NULL;
}

static void writer_free(struct writer *w)
{
    if (w)
        close(w->fd);
    free(w);
}

/* Close those longest unused that owe nothing to the disk. */
static void writers_trim(struct directory *d)
{
    struct writer **p = &d->writers;
    size_t kept = 0;

    while (*p) {
        struct writer *w = *p;

        if (w->dirty || w->poisoned || ++kept <= WRITERS_KEPT) {
            p = &w->next;
        } else {
            *p = w->next;
            writer_free(w);
        }
    }
}

static int writer_open(struct directory *d, const char *object, bool create, struct writer **out,
                       struct error *err)
{
    CLEANUP_FREE struct writer *w = calloc(1, sizeof(*w));
    int rc;

    if (!w)
        return error_set(err, ERR_NO_MEMORY, "no memory to write %s/%s", d->path, object);
    rc = open_object(d, object, O_RDWR | (create ? O_CREAT : 0), &w->fd, err);
    if (rc)
        return rc;
    memcpy(w->name, object, strlen(object) + 1);
    *out = steal_pointer(&w);
    return 0;
}

/* The writer of object, opened if it is not yet.  It is dirty until its next good sync. */
static int writer_get(struct directory *d, const char *object, bool create, struct writer **out,
                      struct error *err)
{
    CLEANUP_UNLOCK(&d->mutex);
    struct writer *w = writer_take(d, object);

    if (!w) {
        int rc = writer_open(d, object, create, &w, err);

        if (rc)
            return rc;
        writers_trim(d);
    }
    w->next = d->writers;
    d->writers = w;
    w->dirty = true;
    *out = w;
    if (w->poisoned)
        return error_set(err, ERR_IO,
                         "%s/%s: an earlier sync failed; what was written since is not stored",
                         d->path, object);
    return 0;
}

static void writer_forget(struct directory *d, const char *object)
{
    CLEANUP_UNLOCK(&d->mutex);

    writer_free(writer_take(d, object));
}

/* ---- the operations -------------------------------------------------------------------------- */

static int write_whole(int fd, const struct iovec *iov, int iov_count, uint64_t offset)
{
    struct iovec left[IOV_MAX];
    struct iovec *v = left;
    int count = iov_count;

    memcpy(left, iov, (size_t)iov_count * sizeof(*iov));
    while (count > 0) {
        ssize_t n;

        if (v->iov_len == 0) {
            v++;
            count--;
            continue;
        }
        n = pwritev(fd, v, count, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENOSPC; /* a write of something that writes nothing would go on for ever */
        if (n <= 0)
            return -1;
        offset += (uint64_t)n;
        for (; count > 0 && (size_t)n >= v->iov_len; v++, count--)
            n -= (ssize_t)v->iov_len;
        if (count > 0) {
            v->iov_base = (char *)v->iov_base + n;
            v->iov_len -= (size_t)n;
        }
    }
    return 0;
}

/* Let the kernel start on what was written, so that the sync to come has little left to wait for.
 * Only advice: the sync is what counts. */
static void start_write_out(struct writer *w, uint64_t end)
{
    if (end < w->pushed)
        w->pushed = end;
    if (end - w->pushed >= WRITE_OUT_STEP) {
        (void)sync_file_range(w->fd, (off_t)w->pushed, (off_t)(end - w->pushed),
                              SYNC_FILE_RANGE_WRITE);
        w->pushed = end;
    }
}

static int directory_append(struct store *s, const char *object, uint64_t offset,
                            const struct iovec *iov, int iov_count, struct error *err)
{
    struct directory *d = directory_of(s);
    uint64_t end = offset;
    struct writer *w;
    struct stat st;
    int rc = writer_get(d, object, offset == 0, &w, err);

    if (rc)
        return rc;
    if (fstat(w->fd, &st) != 0)
        return error_errno(err, "%s/%s", d->path, object);
    if ((uint64_t)st.st_size != offset)
        return error_set(err, ERR_RANGE, "%s/%s ends at %lld, not at %llu", d->path, object,
                         (long long)st.st_size, (unsigned long long)offset);
    if (write_whole(w->fd, iov, iov_count, offset) != 0)
        return error_errno(err, "writing %s/%s", d->path, object);
    for (int i = 0; i < iov_count; i++)
        end += iov[i].iov_len;
    start_write_out(w, end);
    return 0;
}

static int directory_read(struct store *s, const char *object, uint64_t offset, void *buf,
                          size_t len, size_t *got, struct error *err)
{
    struct directory *d = directory_of(s);
    CLEANUP_CLOSE int fd = -1;
    size_t done = 0;
    int rc = open_object(d, object, O_RDONLY, &fd, err);

    if (rc)
        return rc;
    while (done < len) {
        ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, "reading %s/%s", d->path, object);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *got = done;
    return 0;
}

static int directory_size(struct store *s, const char *object, uint64_t *size, struct error *err)
{
    struct stat st;
    int rc = check_regular(directory_of(s), object, &st, err);

    if (rc == 0)
        *size = (uint64_t)st.st_size;
    return rc;
}

static int directory_truncate(struct store *s, const char *object, uint64_t size, struct error *err)
{
    struct directory *d = directory_of(s);
    struct writer *w;
    struct stat st;
    int rc = writer_get(d, object, false, &w, err);

    if (rc)
        return rc;
    if (fstat(w->fd, &st) != 0)
        return error_errno(err, "%s/%s", d->path, object);
    if (size > (uint64_t)st.st_size)
        return error_set(err, ERR_RANGE, "%s/%s is smaller than %llu bytes", d->path, object,
                         (unsigned long long)size);
    if (ftruncate(w->fd, (off_t)size) != 0)
        return error_errno(err, "cutting %s/%s", d->path, object);
    return 0;
}

static int directory_sync_names(struct store *s, struct error *err)
{
    struct directory *d = directory_of(s);

    /* One for all: 70,000 clones of an 18 TB cartridge would be as many commits of the journal. */
    if (d->cloned && syncfs(d->fd) != 0)
        return error_errno(err, "syncing the file system of %s", d->path);
    d->cloned = false;
    if (fsync(d->fd) != 0)
        return error_errno(err, "syncing directory %s", d->path);
    return 0;
}

static int directory_sync(struct store *s, const char *object, struct error *err)
{
    struct directory *d = directory_of(s);
    struct writer *w;
    int rc = writer_get(d, object, false, &w, err);

    if (rc)
        return rc;
    if (fdatasync(w->fd) != 0) {
        w->poisoned = true;
        return error_errno(err, "syncing %s/%s", d->path, object);
    }
    if (!w->named) {
        rc = directory_sync_names(s, err);
        if (rc)
            return rc;
    }
    w->named = true;
    w->dirty = false;
    return 0;
}

static int directory_put(struct store *s, const char *object, const void *data, size_t len,
                         struct error *err)
{
    struct directory *d = directory_of(s);
    struct iovec iov = {(void *)(uintptr_t)data, len};
    char temp[STORE_NAME_MAX + 8];
    CLEANUP_CLOSE int fd = -1;
    struct stat st;
    int rc = check_regular(d, object, &st, err);

    if (rc && rc != -ERR_NOT_FOUND)
        return rc;
    snprintf(temp, sizeof(temp), ".put.%s", object);
    if (unlinkat(d->fd, temp, 0) != 0 && errno != ENOENT)
        return error_errno(err, "%s/%s", d->path, temp);
    fd = openat(d->fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, "making %s/%s", d->path, temp);
    if (write_whole(fd, &iov, 1, 0) != 0 || fsync(fd) != 0 ||
        renameat(d->fd, temp, d->fd, object) != 0) {
        rc = error_errno(err, "writing %s/%s", d->path, object);
        (void)unlinkat(d->fd, temp, 0);
        return rc;
    }
    writer_forget(d, object);
    return directory_sync_names(s, err);
}

/* Call fn for an entry of the directory; sized: with what a look at it tells. */
static int list_entry(struct directory *d, const struct dirent *entry, bool sized,
                      store_list_fn *fn, void *ctx)
{
    struct stat st;

    if (entry->d_name[0] == '.' || entry->d_type == DT_DIR)
        return 0;
    if (!sized && entry->d_type != DT_UNKNOWN)
        return fn(ctx, entry->d_name, 0);
    if (fstatat(d->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(st.st_mode))
        return 0;
    return fn(ctx, entry->d_name, sized && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0);
}

static int list_entries(struct store *s, bool sized, store_list_fn *fn, void *ctx,
                        struct error *err)
{
    struct directory *d = directory_of(s);
    int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    int rc = 0;

    if (!dir) {
        rc = error_errno(err, "%s", d->path);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (rc == 0 && (errno = 0, entry = readdir(dir)))
        rc = list_entry(d, entry, sized, fn, ctx);
    if (rc == 0 && errno != 0)
        rc = error_errno(err, "listing %s", d->path);
    closedir(dir);
    return rc;
}

static int directory_list(struct store *s, store_list_fn *fn, void *ctx, struct error *err)
{
    return list_entries(s, true, fn, ctx, err);
}

static int directory_names(struct store *s, store_list_fn *fn, void *ctx, struct error *err)
{
    return list_entries(s, false, fn, ctx, err);
}

static int directory_remove(struct store *s, const char *object, struct error *err)
{
    struct directory *d = directory_of(s);

    writer_forget(d, object);
    if (unlinkat(d->fd, object, 0) != 0)
        return error_errno(err, "deleting %s/%s", d->path, object);
    return 0;
}

/* ---- clones ---------------------------------------------------------------------------------- */

/* Copy within the kernel; no file system is too old for it, but pairs of them are. */
static int copy_range(int in, int out, uint64_t size)
{
    while (size > 0) {
        size_t step = size < CLONE_COPY_STEP ? (size_t)size : CLONE_COPY_STEP;
        ssize_t n = copy_file_range(in, NULL, out, NULL, step, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? 0 : -1;
        size -= (uint64_t)n;
    }
    return 0;
}

/* What file systems say that can't: they differ, or it is not in their power. */
static bool cannot(int number)
{
    return number == EXDEV || number == EOPNOTSUPP || number == ENOTTY || number == EINVAL ||
           number == ENOSYS || number == EPERM;
}

static int clone_bytes(struct directory *d, const char *object, int in, int out, uint64_t size,
                       bool *shared, struct error *err)
{
    struct stat before, st;

    if (fstat(in, &before) != 0)
        return error_errno(err, "%s/%s", d->path, object);
    *shared = ioctl(out, FICLONE, in) == 0;
    if (!*shared && !cannot(errno))
        return error_errno(err, "cloning %s/%s", d->path, object);
    if (!*shared && copy_range(in, out, size) != 0)
        return cannot(errno) ? -ERR_UNSUPPORTED
                             : error_errno(err, "copying %s/%s", d->path, object);
    if (fstat(out, &st) != 0 || ((uint64_t)st.st_size > size && ftruncate(out, (off_t)size) != 0))
        return error_errno(err, "%s/%s", d->path, object);
    if (st.st_size < before.st_size && (uint64_t)st.st_size < size)
        return error_set(err, ERR_IO, "only a part of %s/%s was copied", d->path, object);
    return 0;
}

static int directory_clone(struct store *s, const char *object, struct store *from, uint64_t size,
                           bool *shared, struct error *err)
{
    struct directory *d = directory_of(s);
    CLEANUP_CLOSE int in = -1, out = -1;
    int rc;

    if (from->ops != s->ops)
        return -ERR_UNSUPPORTED;
    rc = open_object(directory_of(from), object, O_RDONLY, &in, err);
    if (rc)
        return rc;
    out = openat(d->fd, object, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (out < 0)
        return error_errno(err, "%s/%s", d->path, object);
    d->cloned = true;
    rc = clone_bytes(d, object, in, out, size, shared, err);
    if (rc == -ERR_UNSUPPORTED) /* nothing was done */
        (void)unlinkat(d->fd, object, 0);
    return rc;
}

/* What the file system gives to those who are not root; a quota is not seen. */
static int directory_free(struct store *s, uint64_t *bytes, uint64_t *total, struct error *err)
{
    struct directory *d = directory_of(s);
    struct statvfs fs;

    if (fstatvfs(d->fd, &fs) != 0)
        return error_errno(err, "%s", d->path);
    if (fs.f_blocks == 0) /* some network and virtual file systems */
        return error_set(err, ERR_UNSUPPORTED, "the file system of %s does not tell its size",
                         d->path);
    *bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    *total = (uint64_t)fs.f_blocks * fs.f_frsize;
    return 0;
}

static int64_t directory_now(struct store *s)
{
    struct timespec ts;

    (void)s;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int directory_random(struct store *s, void *buf, size_t len, struct error *err)
{
    size_t done = 0;

    (void)s;
    while (done < len) {
        ssize_t n = getrandom((char *)buf + done, len - done, 0);

        if (n < 0 && errno != EINTR)
            return error_errno(err, "random numbers");
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* flock() belongs to the open file: two handles conflict, in one process or in two, and the lock
 * ends with its holder however that ends. */
static int directory_lock(struct store *s, struct error *err)
{
    struct directory *d = directory_of(s);
    CLEANUP_CLOSE int fd = -1;
    CLEANUP_UNLOCK(&d->mutex);

    if (d->lock_fd >= 0)
        return error_set(err, ERR_BUSY, "%s is being written already", d->path);
    fd = openat(d->fd, ".lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, "%s/.lock", d->path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return error_set(err, ERR_BUSY, "%s is in use by another writer", d->path);
        return error_errno(err, "locking %s", d->path);
    }
    d->lock_fd = steal_fd(&fd);
    return 0;
}

static void directory_unlock(struct store *s)
{
    struct directory *d = directory_of(s);
    CLEANUP_UNLOCK(&d->mutex);

    if (d->lock_fd >= 0)
        close(d->lock_fd);
    d->lock_fd = -1;
}

/* Somebody may stand in there for good (a stopped process): that is told, not waited for. */
static int guard_wait(const struct directory *d, int fd, const char *name, struct error *err)
{
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        struct timespec nap = {.tv_nsec = GUARD_NAP_NS};

        if (errno != EWOULDBLOCK && errno != EINTR)
            return error_errno(err, "locking %s/%s", d->path, name);
        if (i == GUARD_NAPS)
            return error_set(err, ERR_BUSY, "%s/%s is locked by another process for too long",
                             d->path, name);
        nanosleep(&nap, NULL);
    }
    return 0;
}

static int directory_guard(struct store *s, const char *object, struct error *err)
{
    struct directory *d = directory_of(s);
    char name[STORE_NAME_MAX + 8];
    CLEANUP_CLOSE int fd = -1;
    int rc;

    if (d->guard_fd >= 0)
        return error_set(err, ERR_STATE, "%s: an object is guarded already", d->path);
    snprintf(name, sizeof(name), ".guard.%s", object);
    fd = openat(d->fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, "%s/%s", d->path, name);
    rc = guard_wait(d, fd, name, err);
    if (rc == 0)
        d->guard_fd = steal_fd(&fd);
    return rc;
}

static void directory_unguard(struct store *s)
{
    struct directory *d = directory_of(s);

    if (d->guard_fd < 0)
        return;
    (void)flock(d->guard_fd, LOCK_UN); /* a child that was forked meanwhile has it open as well */
    close(d->guard_fd);
    d->guard_fd = -1;
}

static void directory_close(struct store *s)
{
    struct directory *d = directory_of(s);

    while (d->writers) {
        struct writer *next = d->writers->next;

        writer_free(d->writers);
        d->writers = next;
    }
    if (d->lock_fd >= 0)
        close(d->lock_fd);
    if (d->guard_fd >= 0)
        close(d->guard_fd);
    close(d->fd);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}

static const struct store_ops directory_ops = {
    .kind = "directory",
    .put = directory_put,
    .append = directory_append,
    .read = directory_read,
    .size = directory_size,
    .truncate = directory_truncate,
    .sync = directory_sync,
    .sync_names = directory_sync_names,
    .list = directory_list,
    .names = directory_names,
    .remove = directory_remove,
    .clone = directory_clone,
    .free = directory_free,
    .now = directory_now,
    .random = directory_random,
    .lock = directory_lock,
    .unlock = directory_unlock,
    .guard = directory_guard,
    .unguard = directory_unguard,
    .close = directory_close,
};

int store_directory_open(const char *path, bool create, struct store **out, struct error *err)
{
    CLEANUP_FREE struct directory *d = calloc(1, sizeof(*d));

    if (!d)
        return error_set(err, ERR_NO_MEMORY, "no memory for a store");
    if (create && mkdir(path, 0700) != 0 && errno != EEXIST)
        return error_errno(err, "making directory %s", path);
    d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->fd < 0)
        return error_errno(err, "%s", path);
    d->store.ops = &directory_ops;
    d->lock_fd = d->guard_fd = -1;
    snprintf(d->path, sizeof(d->path), "%s", path);
    pthread_mutex_init(&d->mutex, NULL);
    *out = &steal_pointer(&d)->store;
    return 0;
}
