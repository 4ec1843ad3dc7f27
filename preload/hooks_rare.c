/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks_rare.c - see hooks.c: calls that few programs make on a device.
 *
 * The answers are those of a character device of st or sg; without these the calls would reach the
 * file behind the descriptor, and succeed with nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "preload/device.h"
#include "preload/hook.h"

EXPORT ssize_t __readlink_chk(const char *path, char *buf, size_t size, size_t room);
EXPORT char *__realpath_chk(const char *path, char *resolved, size_t room);

static bool is_device(int fd)
{
    return device_of_fd(fd).kind != DEVICE_NONE;
}

static int refuse(int error)
{
    errno = error;
    return -1;
}

/* ---- data -------------------------------------------------------------------------------- */

/* Each piece is a call of its own, as for a driver that knows no vectors: a block of its own. */
EXPORT ssize_t readv(int fd, const struct iovec *vec, int count)
{
    ssize_t total = 0;

    if (!is_device(fd))
        return REAL(readv)(fd, vec, count);
    for (int i = 0; i < count; i++) {
        ssize_t n = read(fd, vec[i].iov_base, vec[i].iov_len);

        if (n < 0)
            return total ? total : n;
        total += n;
        if ((size_t)n < vec[i].iov_len)
            break;
    }
    return total;
}

EXPORT ssize_t writev(int fd, const struct iovec *vec, int count)
{
    ssize_t total = 0;

    if (!is_device(fd))
        return REAL(writev)(fd, vec, count);
    for (int i = 0; i < count; i++) {
        ssize_t n = write(fd, vec[i].iov_base, vec[i].iov_len);

        if (n < 0)
            return total ? total : n;
        total += n;
        if ((size_t)n < vec[i].iov_len)
            break;
    }
    return total;
}

#define NO_PLACE(name, type)                                                                       \
    EXPORT ssize_t name(int fd, type buf, size_t count, off_t offset)                              \
    {                                                                                              \
        return is_device(fd) ? refuse(ESPIPE) : REAL(name)(fd, buf, count, offset);                \
    }
NO_PLACE(pread, void *)
NO_PLACE(pread64, void *)
NO_PLACE(pwrite, const void *)
NO_PLACE(pwrite64, const void *)

/* Programs that try these first go on with read and write. */
#define NO_SENDFILE(name)                                                                          \
    EXPORT ssize_t name(int out, int in, off_t *offset, size_t count)                              \
    {                                                                                              \
        return is_device(out) || is_device(in) ? refuse(EINVAL)                                    \
                                               : REAL(name)(out, in, offset, count);               \
    }
NO_SENDFILE(sendfile)
NO_SENDFILE(sendfile64)

EXPORT ssize_t copy_file_range(int in, off64_t *in_offset, int out, off64_t *out_offset,
                               size_t count, unsigned flags)
{
    return is_device(in) || is_device(out)
               ? refuse(EINVAL)
               : REAL(copy_file_range)(in, in_offset, out, out_offset, count, flags);
}

EXPORT ssize_t splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t count,
                      unsigned flags)
{
    return is_device(in) || is_device(out)
               ? refuse(EINVAL)
               : REAL(splice)(in, in_offset, out, out_offset, count, flags);
}

/* ---- what a file has and a device has not ------------------------------------------------- */

EXPORT int fsync(int fd)
{
    return is_device(fd) ? refuse(EINVAL) : REAL(fsync)(fd);
}

EXPORT int fdatasync(int fd)
{
    return is_device(fd) ? refuse(EINVAL) : REAL(fdatasync)(fd);
}

EXPORT int ftruncate(int fd, off_t length)
{
    return is_device(fd) ? refuse(EINVAL) : REAL(ftruncate)(fd, length);
}

EXPORT int ftruncate64(int fd, off64_t length)
{
    return is_device(fd) ? refuse(EINVAL) : REAL(ftruncate64)(fd, length);
}

/* The lock of the file behind the descriptor is ours (device.h); a program's own would be alone. */
EXPORT int flock(int fd, int operation)
{
    return is_device(fd) ? 0 : REAL(flock)(fd, operation);
}

/* ---- names ------------------------------------------------------------------------------- */

static int no_link(struct device device)
{
    return refuse(device.lun == UINT32_MAX ? ENOENT : EINVAL);
}

EXPORT ssize_t readlink(const char *restrict path, char *restrict buf, size_t size)
{
    struct device device = device_of_name(path);

    return device.kind ? no_link(device) : REAL(readlink)(path, buf, size);
}

EXPORT ssize_t __readlink_chk(const char *path, char *buf, size_t size, size_t room)
{
    struct device device = device_of_name(path);

    return device.kind ? no_link(device) : REAL(__readlink_chk)(path, buf, size, room);
}

EXPORT ssize_t readlinkat(int dir, const char *restrict path, char *restrict buf, size_t size)
{
    struct device device = device_of_name(path);

    return device.kind ? no_link(device) : REAL(readlinkat)(dir, path, buf, size);
}

/* A device's name is its real one. */
static char *resolved_device(struct device device, const char *path, char *resolved)
{
    if (device.lun == UINT32_MAX) {
        errno = ENOENT;
        return NULL;
    }
    return resolved ? memcpy(resolved, path, strlen(path) + 1) : strdup(path);
}

EXPORT char *realpath(const char *restrict path, char *restrict resolved)
{
    struct device device = device_of_name(path);

    return device.kind ? resolved_device(device, path, resolved) : REAL(realpath)(path, resolved);
}

EXPORT char *__realpath_chk(const char *path, char *resolved, size_t room)
{
    struct device device = device_of_name(path);

    return device.kind ? resolved_device(device, path, resolved)
                       : REAL(__realpath_chk)(path, resolved, room);
}

EXPORT char *canonicalize_file_name(const char *path)
{
    struct device device = device_of_name(path);

    return device.kind ? resolved_device(device, path, NULL) : REAL(canonicalize_file_name)(path);
}

/* ---- closing many ------------------------------------------------------------------------ */

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    if (!((unsigned)flags & CLOSE_RANGE_CLOEXEC))
        device_close_between(first, last);
    return REAL(close_range)(first, last, flags);
}

EXPORT void closefrom(int first)
{
    device_close_between(first < 0 ? 0 : (unsigned)first, UINT_MAX);
    REAL(closefrom)(first);
}
