/* SPDX-License-Identifier: Apache-2.0 */
/* target.c - see target.h. */
#include "engine/restore/target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

/* Descriptor of path below dirfd, or -1 with errno; path is shorter than PATH_MAX. */
static int open_step(int dirfd, const char *path, int flags)
{
    struct open_how how = {
        .flags = (unsigned)flags | O_CLOEXEC | O_NOFOLLOW,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };

    return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}

/* The same for a path of any length, in steps that the kernel takes: no name in it is "..", so
 * what is beneath a step is beneath the root. */
static int open_beneath(int dirfd, const char *path, int flags)
{
    CLEANUP_CLOSE int at = -1;

    while (strlen(path) >= PATH_MAX) {
        char step[PATH_MAX];
        const char *slash = memrchr(path, '/', sizeof(step) - 1);
        int next;

        if (!slash) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(step, path, (size_t)(slash - path));
        step[slash - path] = '\0';
        next = open_step(at < 0 ? dirfd : at, step, O_PATH | O_DIRECTORY);
        if (next < 0)
            return -1;
        if (at >= 0)
            close(at);
        at = next;
        path = slash + 1;
    }
    return open_step(at < 0 ? dirfd : at, path, flags);
}

static bool is_empty(int fd)
{
    CLEANUP_CLOSE int copy = open_beneath(fd, ".", O_RDONLY | O_DIRECTORY);
    struct dirent *e;
    bool empty = true;
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);

    if (!dir)
        return false;
    steal_fd(&copy);
    while (empty && (e = readdir(dir)))
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    closedir(dir);
    return empty;
}

int target_open(struct target *t, const char *path, bool make, struct error *err)
{
    memset(t, 0, sizeof(*t));
    t->root = -1;
    if (getrandom(&t->temp_seed, sizeof(t->temp_seed), 0) != sizeof(t->temp_seed))
        return error_errno(err, "no random numbers for temporary names");
    if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
        return error_errno(err, "cannot make the directory %s", path);
    t->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (t->root < 0 && errno == ENOTDIR)
        return error_set(err, ERR_USAGE, "%s is not a directory; name one to restore to", path);
    if (t->root < 0)
        return error_errno(err, "cannot open the directory %s", path);
    /* Once for all, instead of once a file. */
    if (make && faccessat(t->root, ".", W_OK, AT_EACCESS) != 0 && errno == EROFS)
        return error_errno(err, "nothing can be restored to %s", path);
    t->root_made = make && is_empty(t->root);
    return 0;
}

void target_close(struct target *t)
{
    for (size_t i = 0; i < TARGET_CACHE; i++)
        if (t->cache[i].directory)
            close(t->cache[i].fd);
    if (t->root >= 0)
        close(t->root);
    t->root = -1;
}

void target_temp_name(struct target *t, char name[TARGET_TEMP_MAX])
{
    /* splitmix64 of a secret seed: names that can't be guessed and do not repeat */
    uint64_t z = t->temp_seed + ++t->temp_number * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    snprintf(name, TARGET_TEMP_MAX, ".capstan-%016" PRIx64, z ^ z >> 31);
}

/* Remember what directory this is, or check that it still is. */
static int check_identity(struct names_directory *d, int fd, const char *path, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return error_errno(err, "cannot look at %s", path);
    if (d->st_ino == 0) {
        d->st_dev = st.st_dev;
        d->st_ino = st.st_ino;
    }
    if (d->st_dev == st.st_dev && d->st_ino == st.st_ino)
        return 0;
    return error_set(err, ERR_PERMISSION,
                     "the directory %s was exchanged during the restore; it is not touched", path);
}

static int open_directory(struct target *t, struct names *n, size_t directory, int flags, int *out,
                          struct error *err)
{
    char path[NAMES_PATH_MAX];
    CLEANUP_CLOSE int fd = -1;
    int rc;

    names_directory_path(n, directory, path);
    fd = open_beneath(t->root, path, flags | O_DIRECTORY);
    if (fd < 0)
        return error_errno(err, "cannot open the directory %s", path);
    rc = check_identity(&n->directories[directory], fd, path, err);
    if (!rc)
        *out = steal_fd(&fd);
    return rc;
}

int target_open_directory(struct target *t, struct names *n, size_t directory, int *fd,
                          struct error *err)
{
    return open_directory(t, n, directory, O_RDONLY, fd, err);
}

int target_directory(struct target *t, struct names *n, size_t directory, int *fd,
                     struct error *err)
{
    size_t oldest = 0;
    int rc, opened;

    for (size_t i = 0; i < TARGET_CACHE; i++) {
        if (t->cache[i].directory == directory + 1) {
            t->cache[i].used = ++t->clock;
            *fd = t->cache[i].fd;
            return 0;
        }
        if (t->cache[i].used < t->cache[oldest].used)
            oldest = i;
    }
    rc = open_directory(t, n, directory, O_PATH, &opened, err);
    if (rc)
        return rc;
    if (t->cache[oldest].directory)
        close(t->cache[oldest].fd);
    t->cache[oldest].directory = directory + 1;
    t->cache[oldest].fd = opened;
    t->cache[oldest].used = ++t->clock;
    *fd = opened;
    return 0;
}

/* True if name in parent is a directory (not a symlink to one). */
static bool is_directory_at(int parent, const char *name)
{
    struct stat st;

    return fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

int target_make_directory(struct target *t, struct names *n, size_t directory, struct error *err)
{
    struct names_directory *d = &n->directories[directory];
    char path[NAMES_PATH_MAX], name[STREAM_NAME_MAX + 1];
    int parent, rc;

    if (d->parent == NAMES_NONE) {
        d->made = t->root_made;
        return 0;
    }
    rc = target_directory(t, n, d->parent, &parent, err);
    if (rc)
        return rc;
    names_entry_name(n, &n->entries[d->entry], name);
    if (mkdirat(parent, name, 0700) == 0) {
        d->made = true;
        return 0;
    }
    if (errno == EEXIST && is_directory_at(parent, name))
        return 0;
    if (errno == EEXIST && unlinkat(parent, name, 0) == 0 && mkdirat(parent, name, 0700) == 0) {
        d->made = true;
        return 0;
    }
    return error_errno(err, "cannot make the directory %s",
                       names_directory_path(n, directory, path));
}
