/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks.c - the calls of libc that the preload library stands in front of.
 *
 * Each asks first whether the path or the descriptor is one of ours, which for most is one look at
 * an array; if not, libc's own is called with the same arguments.  The forms that fortified
 * programs
 * (__open_2) and older binaries (__xstat) use are here, too.  What is rarely called on a device is
 * in hooks_rare.c, stdio in hooks_stdio.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "preload/device.h"
#include "preload/hook.h"
#include "preload/preload.h"
#include "preload/sg.h"
#include "preload/st.h"

_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "one form of stat for both");

/* What no header declares. */
EXPORT int __open_2(const char *path, int flags);
EXPORT int __open64_2(const char *path, int flags);
EXPORT int __openat_2(int dir, const char *path, int flags);
EXPORT int __openat64_2(int dir, const char *path, int flags);
EXPORT ssize_t __read_chk(int fd, void *buf, size_t count, size_t size);
EXPORT int __xstat(int version, const char *path, struct stat *st);
EXPORT int __lxstat(int version, const char *path, struct stat *st);
EXPORT int __fxstat(int version, int fd, struct stat *st);
EXPORT int __xstat64(int version, const char *path, struct stat64 *st);
EXPORT int __lxstat64(int version, const char *path, struct stat64 *st);
EXPORT int __fxstat64(int version, int fd, struct stat64 *st);

/* ---- libc for the rest of the library ---------------------------------------------------- */

int preload_close(int fd)
{
    return REAL(close)(fd);
}

int preload_stat(const char *path, struct stat *st)
{
    return REAL(stat)(path, st);
}

int preload_fstat(int fd, struct stat *st)
{
    return REAL(fstat)(fd, st);
}

off_t preload_lseek(int fd, off_t offset, int whence)
{
    return REAL(lseek)(fd, offset, whence);
}

#define ASIDE 512 /* below the customary limit of 1024 */

int preload_fd_aside(int fd)
{
    int high = fd < 0 ? -1 : REAL(fcntl)(fd, F_DUPFD_CLOEXEC, ASIDE);

    if (high < 0)
        return fd;
    REAL(close)(fd);
    return high;
}

/* ---- open and close ---------------------------------------------------------------------- */

static int open_device(struct device device, int flags)
{
    if (device.lun == UINT32_MAX) {
        errno = ENOENT;
        return -1;
    }
    if ((flags & O_CREAT) && (flags & O_EXCL)) {
        errno = EEXIST;
        return -1;
    }
    return device.kind == DEVICE_SG ? sg_open(device, flags) : st_open(device, flags);
}

static mode_t mode_of(int flags, va_list args)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;
}

#define OPEN(name)                                                                                 \
    EXPORT int name(const char *path, int flags, ...)                                              \
    {                                                                                              \
        struct device device = device_of_path(path);                                               \
        va_list args;                                                                              \
        mode_t mode;                                                                               \
                                                                                                   \
        va_start(args, flags);                                                                     \
        mode = mode_of(flags, args);                                                               \
        va_end(args);                                                                              \
        return device.kind ? open_device(device, flags) : REAL(name)(path, flags, mode);           \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                               \
    EXPORT int name(int dir, const char *path, int flags, ...)                                     \
    {                                                                                              \
        struct device device = device_of_path(path);                                               \
        va_list args;                                                                              \
        mode_t mode;                                                                               \
                                                                                                   \
        va_start(args, flags);                                                                     \
        mode = mode_of(flags, args);                                                               \
        va_end(args);                                                                              \
        return device.kind ? open_device(device, flags) : REAL(name)(dir, path, flags, mode);      \
    }
OPENAT(openat)
OPENAT(openat64)

#define OPEN_2(name)                                                                               \
    EXPORT int name(const char *path, int flags)                                                   \
    {                                                                                              \
        struct device device = device_of_path(path);                                               \
                                                                                                   \
        return device.kind ? open_device(device, flags) : REAL(name)(path, flags);                 \
    }
OPEN_2(__open_2)
OPEN_2(__open64_2)

#define OPENAT_2(name)                                                                             \
    EXPORT int name(int dir, const char *path, int flags)                                          \
    {                                                                                              \
        struct device device = device_of_path(path);                                               \
                                                                                                   \
        return device.kind ? open_device(device, flags) : REAL(name)(dir, path, flags);            \
    }
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)

#define CREAT(name)                                                                                \
    EXPORT int name(const char *path, mode_t mode)                                                 \
    {                                                                                              \
        struct device device = device_of_path(path);                                               \
                                                                                                   \
        return device.kind ? open_device(device, O_WRONLY | O_CREAT | O_TRUNC)                     \
                           : REAL(name)(path, mode);                                               \
    }
CREAT(creat)
CREAT(creat64)

/* What has to be done behind the closing of a device. */
static int closed(struct device device)
{
    return device.kind == DEVICE_ST || device.kind == DEVICE_NST ? st_closed(device.lun) : 0;
}

EXPORT int close(int fd)
{
    struct device device = device_of_fd(fd);
    int rc;

    if (!device.kind)
        return REAL(close)(fd);
    device_forget(fd);
    rc = REAL(close)(fd);
    return rc < 0 ? rc : closed(device);
}

/* ---- copies ------------------------------------------------------------------------------ */

EXPORT int dup(int fd)
{
    struct device device = device_of_fd(fd);
    int copy = REAL(dup)(fd);

    if (device.kind && copy >= 0)
        device_copied(fd, copy);
    return copy;
}

EXPORT int dup3(int from, int to, int flags)
{
    struct device old = device_of_fd(to), device = device_of_fd(from);
    int rc = REAL(dup3)(from, to, flags);

    if (rc < 0)
        return rc;
    device_forget(to);
    if (device.kind)
        device_copied(from, to);
    closed(old);
    return rc;
}

EXPORT int dup2(int from, int to)
{
    if (from == to)
        return REAL(dup2)(from, to);
    return dup3(from, to, 0);
}

/* Locks of records: a device is its program's alone already, and the file behind it is not to be
 * locked. */
static bool device_lock(int op, void *arg)
{
    struct flock *lock = arg;

    if (op == F_GETLK || op == F_OFD_GETLK)
        lock->l_type = F_UNLCK;
    return op == F_GETLK || op == F_OFD_GETLK || op == F_SETLK || op == F_SETLKW ||
           op == F_OFD_SETLK || op == F_OFD_SETLKW;
}

#define FCNTL(name)                                                                                \
    EXPORT int name(int fd, int op, ...)                                                           \
    {                                                                                              \
        struct device device = device_of_fd(fd);                                                   \
        va_list args;                                                                              \
        void *arg;                                                                                 \
        int rc;                                                                                    \
                                                                                                   \
        va_start(args, op);                                                                        \
        arg = va_arg(args, void *);                                                                \
        va_end(args);                                                                              \
        if (device.kind && device_lock(op, arg))                                                   \
            return 0;                                                                              \
        rc = REAL(name)(fd, op, arg);                                                              \
        if (!device.kind || rc < 0)                                                                \
            return rc;                                                                             \
        if (op == F_DUPFD || op == F_DUPFD_CLOEXEC)                                                \
            device_copied(fd, rc);                                                                 \
        return op == F_GETFL ? (rc & ~(O_ACCMODE | O_DIRECTORY)) | device.access : rc;             \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

/* ---- data -------------------------------------------------------------------------------- */

/* sg's read and write of before SG_IO are not there. */
static ssize_t no_stream(void)
{
    errno = EINVAL;
    return -1;
}

EXPORT ssize_t read(int fd, void *buf, size_t count)
{
    struct device device = device_of_fd(fd);

    if (!device.kind)
        return REAL(read)(fd, buf, count);
    return device.kind == DEVICE_SG ? no_stream() : st_read(device, buf, count);
}

EXPORT ssize_t __read_chk(int fd, void *buf, size_t count, size_t size)
{
    return device_of_fd(fd).kind && count <= size ? read(fd, buf, count)
                                                  : REAL(__read_chk)(fd, buf, count, size);
}

EXPORT ssize_t write(int fd, const void *buf, size_t count)
{
    struct device device = device_of_fd(fd);

    if (!device.kind)
        return REAL(write)(fd, buf, count);
    return device.kind == DEVICE_SG ? no_stream() : st_write(device, buf, count);
}

EXPORT off_t lseek(int fd, off_t offset, int whence)
{
    return device_of_fd(fd).kind ? 0 : REAL(lseek)(fd, offset, whence);
}

EXPORT off64_t lseek64(int fd, off64_t offset, int whence)
{
    return device_of_fd(fd).kind ? 0 : REAL(lseek64)(fd, offset, whence);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    struct device device = device_of_fd(fd);
    va_list args;
    void *arg;

    va_start(args, request);
    arg = va_arg(args, void *);
    va_end(args);
    if (!device.kind)
        return REAL(ioctl)(fd, request, arg);
    return device.kind == DEVICE_SG ? sg_ioctl(device, request, arg)
                                    : st_ioctl(device, request, arg);
}

/* ---- what is there ----------------------------------------------------------------------- */

static int stat_device(struct device device, void *st)
{
    if (device.lun == UINT32_MAX) {
        errno = ENOENT;
        return -1;
    }
    device_stat(device, st);
    return 0;
}

#define STAT(name, type)                                                                           \
    EXPORT int name(const char *path, struct type *st)                                             \
    {                                                                                              \
        struct device device = device_of_path(path);                                               \
                                                                                                   \
        return device.kind ? stat_device(device, st) : REAL(name)(path, st);                       \
    }
STAT(stat, stat)
STAT(lstat, stat)
STAT(stat64, stat64)
STAT(lstat64, stat64)

#define FSTAT(name, type)                                                                          \
    EXPORT int name(int fd, struct type *st)                                                       \
    {                                                                                              \
        struct device device = device_of_fd(fd);                                                   \
                                                                                                   \
        return device.kind ? stat_device(device, st) : REAL(name)(fd, st);                         \
    }
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)

static struct device device_at(int dir, const char *path, int flags)
{
    if (path && !*path && (flags & AT_EMPTY_PATH))
        return device_of_fd(dir);
    return device_of_path(path);
}

#define FSTATAT(name, type)                                                                        \
    EXPORT int name(int dir, const char *path, struct type *st, int flags)                         \
    {                                                                                              \
        struct device device = device_at(dir, path, flags);                                        \
                                                                                                   \
        return device.kind ? stat_device(device, st) : REAL(name)(dir, path, st, flags);           \
    }
FSTATAT(fstatat, stat)
FSTATAT(fstatat64, stat64)

#define XSTAT(name, type)                                                                          \
    EXPORT int name(int version, const char *path, struct type *st)                                \
    {                                                                                              \
        struct device device = device_of_path(path);                                               \
                                                                                                   \
        return device.kind ? stat_device(device, st) : REAL(name)(version, path, st);              \
    }
XSTAT(__xstat, stat)
XSTAT(__lxstat, stat)
XSTAT(__xstat64, stat64)
XSTAT(__lxstat64, stat64)

#define FXSTAT(name, type)                                                                         \
    EXPORT int name(int version, int fd, struct type *st)                                          \
    {                                                                                              \
        struct device device = device_of_fd(fd);                                                   \
                                                                                                   \
        return device.kind ? stat_device(device, st) : REAL(name)(version, fd, st);                \
    }
FXSTAT(__fxstat, stat)
FXSTAT(__fxstat64, stat64)

EXPORT int statx(int dir, const char *restrict path, int flags, unsigned mask,
                 struct statx *restrict out)
{
    struct device device = device_at(dir, path, flags);
    struct stat st;

    if (!device.kind)
        return REAL(statx)(dir, path, flags, mask, out);
    if (stat_device(device, &st) < 0)
        return -1;
    memset(out, 0, sizeof(*out));
    out->stx_mask = STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_UID | STATX_GID | STATX_INO;
    out->stx_blksize = (uint32_t)st.st_blksize;
    out->stx_mode = (uint16_t)st.st_mode;
    out->stx_nlink = 1;
    out->stx_uid = st.st_uid;
    out->stx_gid = st.st_gid;
    out->stx_ino = st.st_ino;
    out->stx_rdev_major = (uint32_t)(st.st_rdev >> 8 & 0xfff);
    out->stx_rdev_minor = (uint32_t)(st.st_rdev & 0xff) | (uint32_t)(st.st_rdev >> 12 & 0xfff00);
    return 0;
}

/* Who may use the library may read and write its devices; nobody runs them. */
static int access_device(struct device device, int mode)
{
    if (device.lun != UINT32_MAX && !(mode & X_OK))
        return 0;
    errno = device.lun == UINT32_MAX ? ENOENT : EACCES;
    return -1;
}

#define ACCESS(name)                                                                               \
    EXPORT int name(const char *path, int mode)                                                    \
    {                                                                                              \
        struct device device = device_of_path(path);                                               \
                                                                                                   \
        return device.kind ? access_device(device, mode) : REAL(name)(path, mode);                 \
    }
ACCESS(access)
ACCESS(euidaccess)
ACCESS(eaccess)

EXPORT int faccessat(int dir, const char *path, int mode, int flags)
{
    struct device device = device_of_path(path);

    return device.kind ? access_device(device, mode) : REAL(faccessat)(dir, path, mode, flags);
}

/* ---- processes --------------------------------------------------------------------------- */

/* libiscsi's connection is not for the programs that this one starts. */
EXPORT int socket(int domain, int type, int protocol)
{
    int fd = REAL(socket)(domain, device_socket_type(type), protocol);

    return fd < 0 ? fd : device_socket_made(fd);
}

/* A child that shares our memory would close its descriptors in our table. */
EXPORT pid_t vfork(void)
{
    return fork();
}

/* The process ends, and with it its descriptors.  A unit that a thread is busy with, or that a
 * signal handler interrupted, is left to the next open. */
static void finish(void)
{
    bool tapes[UNITS_MAX] = {false};

    if (!device_active())
        return;
    device_close_all(tapes);
    for (unsigned lun = 0; lun < UNITS_MAX; lun++) {
        struct unit *unit = device_unit(lun);

        if (!unit_trylock(unit))
            continue;
        unit_unlock(unit);
        if (tapes[lun])
            st_closed(lun);
        /* Other threads run on: the session goes while none of them can be in it. */
        if (!unit_trylock(unit))
            continue;
        if (unit->session)
            device_logout(unit);
        unit_unlock(unit);
    }
}

__attribute__((destructor)) static void ended(void)
{
    preload_streams_flush(); /* libc does it later, when the descriptors are gone */
    finish();
}

EXPORT void _exit(int status)
{
    finish();
    REAL(_exit)(status);
    __builtin_unreachable();
}

EXPORT void _Exit(int status)
{
    _exit(status);
}
