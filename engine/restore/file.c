/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.c - make one file of the destination.
 *
 * It is made under a temporary name, gets its data and attributes, is renamed over its first name
 * and linked to the others.  Nothing is done by a name that could have been exchanged: the
 * descriptor is kept from the making to the last link.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "engine/restore/session.h"

#define TEMP_TRIES 8

/* Tell that something could not be done with the file, and give it up.  A file system that is full
 * or has become read-only ends the session: the rest would fail alike. */
static int file_fail(struct session *s, const char *what, struct error *err)
{
    int saved = errno;

    s->file.failed = true;
    if (saved == ENOSPC || saved == EDQUOT || saved == EROFS)
        return error_errno(err, "%s could not be restored, nor what follows it", s->path);
    session_warn(s, NULL, "%s: %s", what, strerror(saved));
    return 0;
}

/* Make the thing under `name` in directory parent; errno on failure. */
static int make_at(struct session *s, int parent, const char *name)
{
    const struct stream_inode *i = &s->file.attributes.inode;

    switch (i->mode & S_IFMT) {
    case S_IFREG:
        s->file.fd = openat(parent, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        return s->file.fd < 0 ? -1 : 0;
    case S_IFLNK:
        return symlinkat(s->file.target, parent, name);
    case S_IFCHR:
    case S_IFBLK:
        return mknodat(parent, name, (i->mode & S_IFMT) | 0600, (dev_t)i->rdev);
    default:
        return mknodat(parent, name, (i->mode & S_IFMT) | 0600, 0);
    }
}

/* Make the file under a temporary name in the directory of its first wanted name. */
static int make_temp(struct session *s, struct error *err)
{
    struct session_file *f = &s->file;
    const struct names_entry *e = &s->names.entries[f->link];
    size_t directory = names_find_directory(&s->names, e->directory);
    int parent, rc = -1;
    struct error own = ERROR_INIT;

    if (target_directory(&s->destination, &s->names, directory, &parent, &own) != 0) {
        f->failed = true;
        if (own.sys_errno == EROFS)
            return error_set(err, own.code, "%s", own.message);
        session_warn(s, NULL, "%s", own.message);
        return 0;
    }
    for (int i = 0; i < TEMP_TRIES && rc != 0; i++) {
        target_temp_name(&s->destination, f->temp);
        rc = make_at(s, parent, f->temp);
        if (rc != 0 && errno != EEXIST)
            break;
    }
    if (rc != 0)
        return file_fail(s, "it could not be made", err);
    f->temp_directory = directory;
    return 0;
}

/* What may not be made at all, with the reason; NULL if it may. */
static const char *forbidden(const struct session *s)
{
    mode_t type = s->file.attributes.inode.mode & S_IFMT;

    if ((type == S_IFCHR || type == S_IFBLK) && !s->options->devices)
        return "device nodes are not made without being asked for";
    if (type != S_IFREG && type != S_IFLNK && type != S_IFCHR && type != S_IFBLK &&
        type != S_IFIFO && type != S_IFSOCK)
        return "it is of a type that is not known here";
    return NULL;
}

static int file_begin(struct session *s, struct error *err)
{
    const char *reason = forbidden(s);

    if (reason) {
        s->file.failed = true;
        session_warn(s, NULL, "left out: %s", reason);
        return 0;
    }
    /* All else is made at its end: a symlink's target must come first. */
    return S_ISREG(s->file.attributes.inode.mode) ? make_temp(s, err) : 0;
}

static int file_data(struct session *s, uint64_t offset, const void *data, size_t len,
                     struct error *err)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = pwrite(s->file.fd, p, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_fail(s, "its data could not be written", err);
        p += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

static void file_discard(struct session *s)
{
    struct session_file *f = &s->file;
    int parent;

    if (f->temp_directory != NAMES_NONE &&
        target_directory(&s->destination, &s->names, f->temp_directory, &parent, NULL) == 0)
        unlinkat(parent, f->temp, 0);
    f->temp_directory = NAMES_NONE;
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

/* Put the file, which has the temporary name, under the name of entry e. */
static int rename_to(struct session *s, const struct names_entry *e)
{
    size_t directory = names_find_directory(&s->names, e->directory);
    char name[STREAM_NAME_MAX + 1];
    int from, to;

    if (target_directory(&s->destination, &s->names, s->file.temp_directory, &from, NULL) != 0 ||
        target_directory(&s->destination, &s->names, directory, &to, NULL) != 0) {
        errno = ESTALE;
        return -1;
    }
    names_entry_name(&s->names, e, name);
    if (renameat(from, s->file.temp, to, name) != 0)
        return -1;
    s->file.temp_directory = NAMES_NONE;
    return 0;
}

/* One more name: link to the very inode by its descriptor, again through a temporary name. */
static int link_to(struct session *s, int fd, const struct names_entry *e)
{
    size_t directory = names_find_directory(&s->names, e->directory);
    char name[STREAM_NAME_MAX + 1], temp[TARGET_TEMP_MAX], path[32];
    int parent, rc;

    if (target_directory(&s->destination, &s->names, directory, &parent, NULL) != 0) {
        errno = ESTALE;
        return -1;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    target_temp_name(&s->destination, temp);
    if (linkat(AT_FDCWD, path, parent, temp, AT_SYMLINK_FOLLOW) != 0)
        return -1;
    names_entry_name(&s->names, e, name);
    rc = renameat(parent, temp, parent, name);
    /* Renaming a link over another link of the same inode does nothing: then temp is left. */
    unlinkat(parent, temp, 0);
    return rc;
}

/* Give the file, which is complete, all its names. */
static void name_file(struct session *s, int fd)
{
    struct session_file *f = &s->file;

    for (size_t i = f->first; i < f->first + f->links; i++) {
        struct names_entry *e = &s->names.entries[s->names.by_ino[i]];
        int rc;

        if (!e->selected || e->done)
            continue;
        e->done = true;
        rc = f->temp_directory != NAMES_NONE ? rename_to(s, e) : link_to(s, fd, e);
        if (rc != 0) {
            char path[NAMES_PATH_MAX];

            session_warn(s, names_entry_path(&s->names, e, path),
                         "it could not be put in its place: %s", strerror(errno));
        } else {
            s->result->files++;
        }
    }
}

/* A descriptor for the attributes of what is no regular file, checked to be what was made. */
static int open_made(struct session *s)
{
    struct session_file *f = &s->file;
    struct stat st;
    int parent, fd;

    if (target_directory(&s->destination, &s->names, f->temp_directory, &parent, NULL) != 0) {
        errno = ESTALE;
        return -1;
    }
    fd = openat(parent, f->temp, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == (f->attributes.inode.mode & S_IFMT) &&
        st.st_nlink == 1 && st.st_uid == geteuid())
        return fd;
    close(fd);
    errno = ESTALE;
    return -1;
}

static int file_end(struct session *s, struct error *err)
{
    struct session_file *f = &s->file;
    CLEANUP_CLOSE int made = -1;
    int rc = 0;

    if (S_ISREG(f->attributes.inode.mode)) {
        if (ftruncate(f->fd, (off_t)f->attributes.inode.size) != 0)
            rc = file_fail(s, "it could not get its size", err);
        made = steal_fd(&f->fd);
    } else {
        rc = make_temp(s, err);
        if (!rc && !f->failed && (made = open_made(s)) < 0)
            rc = file_fail(s, "it could not be opened", err);
    }
    if (rc || f->failed)
        return rc;
    attributes_apply(&s->policy, made, &f->attributes);
    name_file(s, made);
    attributes_apply_flags(made, &f->attributes);
    return 0;
}

static int file_hole(struct session *s, uint64_t offset, uint64_t len, struct error *err)
{
    (void)s, (void)offset, (void)len, (void)err;
    return 0; /* what is not written is one */
}

/* ---- directories -------------------------------------------------------------------------------
 */

static int make_directories(struct session *s, struct error *err)
{
    (void)err;
    for (size_t i = 0; i < s->names.order_count; i++) {
        struct names_directory *d = &s->names.directories[s->names.order[i]];
        struct error own = ERROR_INIT;

        if (!d->needed)
            continue;
        if (target_make_directory(&s->destination, &s->names, s->names.order[i], &own) != 0) {
            names_directory_path(&s->names, s->names.order[i], s->path);
            session_warn(s, NULL, "%s", own.message);
        } else if (d->selected || d->made) {
            s->result->directories++;
        }
    }
    return 0;
}

static void finish_directory(struct session *s, size_t index)
{
    struct names_directory *d = &s->names.directories[index];
    struct error err = ERROR_INIT;
    int fd;

    if (!d->made)
        return;
    names_directory_path(&s->names, index, s->path);
    if (target_open_directory(&s->destination, &s->names, index, &fd, &err) != 0) {
        session_warn(s, NULL, "%s", err.message);
        return;
    }
    attributes_apply(&s->policy, fd, &d->attributes);
    attributes_apply_flags(fd, &d->attributes);
    close(fd);
}

const struct session_sink file_sink = {
    .makes_target = true,
    .start = make_directories,
    .begin = file_begin,
    .data = file_data,
    .hole = file_hole,
    .end = file_end,
    .discard = file_discard,
    .finish_directory = finish_directory,
};
