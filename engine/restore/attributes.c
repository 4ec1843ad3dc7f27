/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attributes.c - see attributes.h.
 *
 * Everything goes through the descriptor: for files and directories by the f-calls, for all else,
 * where only an O_PATH descriptor can be had, by its name in /proc/self/fd, which leads to the very
 * inode and never follows a symlink.
 */
#include "engine/restore/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define ACL_ACCESS    "system.posix_acl_access"
#define ACL_DEFAULT   "system.posix_acl_default"
#define XATTR_MAX     65536u

/* The flags of FS_IOC_SETFLAGS that a person sets; others are the file system's own. */
#define SETTABLE_FLAGS                                                                             \
    (FS_SYNC_FL | FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL | FS_DIRSYNC_FL |  \
     FS_NOCOW_FL | FS_COMPR_FL | FS_TOPDIR_FL | FS_PROJINHERIT_FL)

struct fd_path {
    char text[32];
};

static struct fd_path path_of(int fd)
{
    struct fd_path p;

    snprintf(p.text, sizeof(p.text), "/proc/self/fd/%d", fd);
    return p;
}

static void tell(struct attributes_policy *policy, unsigned *count, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(struct attributes_policy *policy, unsigned *count, const char *fmt, ...)
{
    char message[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    policy->tell(policy->ctx, message);
    (*count)++;
}

/* ---- the list of xattrs ------------------------------------------------------------------------
 */

int attributes_add_xattr(struct attributes *a, const struct stream_xattr *x, struct error *err)
{
    struct stream_xattr *list, *last;
    size_t name_len = strlen(x->name) + 1;
    char *memory;

    if (a->xattr_count >= ATTRIBUTES_COUNT_MAX || x->len > ATTRIBUTES_BYTES_MAX - a->xattr_bytes)
        return error_set(err, ERR_RANGE, "it has too many extended attributes; some were left out");
    list = reallocarray(a->xattrs, a->xattr_count + 1, sizeof(*list));
    if (!list)
        return error_set(err, ERR_NO_MEMORY, "no memory for extended attributes");
    a->xattrs = list;
    memory = malloc(name_len + x->len);
    if (!memory)
        return error_set(err, ERR_NO_MEMORY, "no memory for extended attributes");
    memcpy(memory, x->name, name_len);
    if (x->len)
        memcpy(memory + name_len, x->value, x->len);
    last = &list[a->xattr_count++];
    *last = (struct stream_xattr){memory, memory + name_len, x->len};
    a->xattr_bytes += x->len;
    return 0;
}

void attributes_free(struct attributes *a)
{
    for (size_t i = 0; i < a->xattr_count; i++)
        free((void *)(uintptr_t)a->xattrs[i].name);
    free(a->xattrs);
    a->xattrs = NULL;
    a->xattr_count = a->xattr_bytes = 0;
}

static const struct stream_xattr *find_xattr(const struct attributes *a, const char *name)
{
    for (size_t i = 0; i < a->xattr_count; i++)
        if (strcmp(a->xattrs[i].name, name) == 0)
            return &a->xattrs[i];
    return NULL;
}

static bool is_acl(const char *name)
{
    return strcmp(name, ACL_ACCESS) == 0 || strcmp(name, ACL_DEFAULT) == 0;
}

/* ---- setting -----------------------------------------------------------------------------------
 */

static bool has_f_calls(const struct attributes *a)
{
    return S_ISREG(a->inode.mode) || S_ISDIR(a->inode.mode);
}

/* Set the owner; true if setuid and setgid bits may be set. */
static bool apply_owner(struct attributes_policy *policy, int fd, const struct attributes *a,
                        unsigned *told)
{
    if (!policy->keep_owner)
        return a->inode.uid == geteuid() && a->inode.gid == getegid();
    if (fchownat(fd, "", a->inode.uid, a->inode.gid, AT_EMPTY_PATH) == 0)
        return true;
    tell(policy, told, "the owner %u:%u could not be set: %s", a->inode.uid, a->inode.gid,
         strerror(errno));
    return false;
}

static void apply_mode(struct attributes_policy *policy, int fd, const struct attributes *a,
                       bool owner_is_right, unsigned *told)
{
    mode_t mode = a->inode.mode & 07777;
    int rc;

    if (S_ISLNK(a->inode.mode))
        return; /* Linux has no modes of symlinks */
    if (!owner_is_right && S_ISREG(a->inode.mode))
        mode &= (mode_t) ~(S_ISUID | S_ISGID);
    rc = has_f_calls(a) ? fchmod(fd, mode) : chmod(path_of(fd).text, mode);
    if (rc != 0)
        tell(policy, told, "the mode %04o could not be set: %s", (unsigned)mode, strerror(errno));
}

static int set_xattr(int fd, const struct attributes *a, const struct stream_xattr *x)
{
    if (has_f_calls(a))
        return fsetxattr(fd, x->name, x->value, x->len, 0);
    return setxattr(path_of(fd).text, x->name, x->value, x->len, 0);
}

/* The kinds of xattr that only root may set are refused for all files alike: told once. */
static bool refused_before(struct attributes_policy *policy, const char *name, int error)
{
    static const char *const kinds[] = {"trusted.", "security.", "system."};

    if (error != EPERM && error != EACCES && error != EOPNOTSUPP)
        return false;
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strncmp(name, kinds[i], strlen(kinds[i])) != 0)
            continue;
        if (policy->refused & 1u << i)
            return true;
        policy->refused |= 1u << i;
    }
    return false;
}

static void apply_xattr(struct attributes_policy *policy, int fd, const struct attributes *a,
                        const struct stream_xattr *x, bool owner_is_right, unsigned *told)
{
    if (!owner_is_right && strcmp(x->name, "security.capability") == 0) {
        tell(policy, told, "capabilities were not set, as the owner is not kept");
        return;
    }
    if (set_xattr(fd, a, x) != 0 && !refused_before(policy, x->name, errno))
        tell(policy, told, "the attribute %s could not be set: %s", x->name, strerror(errno));
}

/* ACLs first; what was inherited from the parent directory must go. */
static void apply_xattrs(struct attributes_policy *policy, int fd, const struct attributes *a,
                         bool owner_is_right, unsigned *told)
{
    if (has_f_calls(a)) {
        if (!find_xattr(a, ACL_ACCESS))
            fremovexattr(fd, ACL_ACCESS);
        if (S_ISDIR(a->inode.mode) && !find_xattr(a, ACL_DEFAULT))
            fremovexattr(fd, ACL_DEFAULT);
    }
    for (int acls = 1; acls >= 0; acls--)
        for (size_t i = 0; i < a->xattr_count; i++)
            if (is_acl(a->xattrs[i].name) == (acls == 1))
                apply_xattr(policy, fd, a, &a->xattrs[i], owner_is_right, told);
}

static struct timespec timespec_of(int64_t ns)
{
    int64_t rest = ns % NS_PER_SECOND;
    struct timespec ts = {.tv_sec = ns / NS_PER_SECOND - (rest < 0),
                          .tv_nsec = rest < 0 ? rest + NS_PER_SECOND : rest};

    return ts;
}

static void apply_times(struct attributes_policy *policy, int fd, const struct attributes *a,
                        unsigned *told)
{
    struct timespec times[2] = {timespec_of(a->inode.atime_ns), timespec_of(a->inode.mtime_ns)};
    int rc = has_f_calls(a) ? futimens(fd, times) : utimensat(fd, "", times, AT_EMPTY_PATH);

    if (rc != 0)
        tell(policy, told, "the times could not be set: %s", strerror(errno));
}

void attributes_apply_flags(int fd, const struct attributes *a)
{
    unsigned wanted = (unsigned)a->inode.flags & SETTABLE_FLAGS;
    int flags;

    /* Best effort: most file systems know only some of them. */
    if (!wanted || !has_f_calls(a) || ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0)
        return;
    flags |= (int)wanted;
    if (ioctl(fd, FS_IOC_SETFLAGS, &flags) != 0)
        return;
}

unsigned attributes_apply(struct attributes_policy *policy, int fd, const struct attributes *a)
{
    unsigned told = 0;
    bool owner_is_right = apply_owner(policy, fd, a, &told);

    apply_mode(policy, fd, a, owner_is_right, &told);
    apply_xattrs(policy, fd, a, owner_is_right, &told);
    apply_times(policy, fd, a, &told);
    return told;
}

/* ---- comparing ---------------------------------------------------------------------------------
 */

/* As the dump cut it: int64_t holds the ns of the years 1677 to 2262. */
static int64_t ns_of(const struct timespec *ts)
{
    int64_t ns;

    if (__builtin_mul_overflow(ts->tv_sec, NS_PER_SECOND, &ns) ||
        __builtin_add_overflow(ns, ts->tv_nsec, &ns))
        return ts->tv_sec < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

static void compare_stat(struct attributes_policy *policy, const struct stat *st,
                         const struct attributes *a, unsigned *told)
{
    const struct stream_inode *i = &a->inode;
    int64_t mtime = ns_of(&st->st_mtim), difference;

    if ((st->st_mode & S_IFMT) != (i->mode & S_IFMT)) {
        tell(policy, told, "it is of another type");
        return;
    }
    if (!S_ISLNK(i->mode) && (st->st_mode & 07777) != (i->mode & 07777))
        tell(policy, told, "its mode is %04o, in the dump %04o", st->st_mode & 07777u,
             i->mode & 07777u);
    if (st->st_uid != i->uid || st->st_gid != i->gid)
        tell(policy, told, "its owner is %u:%u, in the dump %u:%u", st->st_uid, st->st_gid, i->uid,
             i->gid);
    if (S_ISREG(i->mode) && (uint64_t)st->st_size != i->size)
        tell(policy, told, "its size is %lld, in the dump %llu", (long long)st->st_size,
             (unsigned long long)i->size);
    if ((S_ISCHR(i->mode) || S_ISBLK(i->mode)) && st->st_rdev != i->rdev)
        tell(policy, told, "it is another device");
    if (__builtin_sub_overflow(mtime, i->mtime_ns, &difference))
        tell(policy, told, "its modification time is centuries away");
    else if (difference != 0)
        tell(policy, told, "its modification time differs by %lld ns", (long long)difference);
}

static void compare_value(struct attributes_policy *policy, const char *path,
                          const struct stream_xattr *x, unsigned *told)
{
    CLEANUP_FREE uint8_t *value = malloc(XATTR_MAX);
    ssize_t len = value ? getxattr(path, x->name, value, XATTR_MAX) : -1;

    if (len < 0)
        tell(policy, told, "the attribute %s is missing", x->name);
    else if ((size_t)len != x->len || memcmp(value, x->value, x->len) != 0)
        tell(policy, told, "the attribute %s differs", x->name);
}

static void compare_xattrs(struct attributes_policy *policy, int fd, const struct attributes *a,
                           unsigned *told)
{
    struct fd_path path = path_of(fd);
    CLEANUP_FREE char *names = malloc(XATTR_MAX);
    ssize_t len = names ? listxattr(path.text, names, XATTR_MAX) : 0;

    for (size_t i = 0; i < a->xattr_count; i++)
        compare_value(policy, path.text, &a->xattrs[i], told);
    for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1)
        if (!find_xattr(a, names + at))
            tell(policy, told, "the attribute %s is not in the dump", names + at);
}

unsigned attributes_compare(struct attributes_policy *policy, int fd, const struct attributes *a)
{
    unsigned told = 0;
    struct stat st;

    if (fstat(fd, &st) != 0) {
        tell(policy, &told, "it could not be looked at: %s", strerror(errno));
        return told;
    }
    compare_stat(policy, &st, a, &told);
    if ((st.st_mode & S_IFMT) == (a->inode.mode & S_IFMT))
        compare_xattrs(policy, fd, a, &told);
    return told;
}
