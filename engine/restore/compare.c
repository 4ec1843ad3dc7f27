/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare.c - compare one file of the dump with the one in the destination, without writing.
 *
 * The counterpart of file.c: the same calls at the same events.  Each difference is told once.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "engine/restore/session.h"

#define COMPARE_CHUNK 65536u

/* Open what entry e names in the destination, without following a symlink; -1 with errno. */
static int open_entry(struct session *s, const struct names_entry *e, int flags)
{
    char name[STREAM_NAME_MAX + 1];
    int parent;

    if (target_directory(&s->destination, &s->names, names_find_directory(&s->names, e->directory),
                         &parent, NULL) != 0) {
        errno = ENOENT;
        return -1;
    }
    names_entry_name(&s->names, e, name);
    return openat(parent, name, flags | O_NOFOLLOW | O_CLOEXEC);
}

static int compare_begin(struct session *s, struct error *err)
{
    struct session_file *f = &s->file;
    CLEANUP_CLOSE int fd = open_entry(s, &s->names.entries[f->link], O_PATH);
    struct stat st;

    (void)err;
    if (fd < 0 || fstat(fd, &st) != 0) {
        f->failed = true;
        session_warn(s, NULL, "it is missing: %s", strerror(errno));
        return 0;
    }
    if (!S_ISREG(f->attributes.inode.mode) || !S_ISREG(st.st_mode))
        return 0;
    f->fd = open_entry(s, &s->names.entries[f->link], O_RDONLY | O_NONBLOCK);
    if (f->fd < 0) {
        f->failed = true;
        session_warn(s, NULL, "it could not be read: %s", strerror(errno));
    }
    return 0;
}

/* Compare len bytes at offset with data (NULL: zeros). */
static void compare_bytes(struct session *s, uint64_t offset, const uint8_t *data, size_t len)
{
    static const uint8_t zeros[COMPARE_CHUNK];
    uint8_t buf[COMPARE_CHUNK];

    while (len > 0 && !s->file.differs) {
        size_t want = len < sizeof(buf) ? len : sizeof(buf);
        ssize_t n = pread(s->file.fd, buf, want, (off_t)offset);

        if (n <= 0 || memcmp(buf, data ? data : zeros, (size_t)n) != 0) {
            s->file.differs = true;
            session_warn(s, NULL, "its data differs near byte %llu", (unsigned long long)offset);
            return;
        }
        offset += (uint64_t)n;
        len -= (size_t)n;
        data = data ? data + n : NULL;
    }
}

static int compare_data(struct session *s, uint64_t offset, const void *data, size_t len,
                        struct error *err)
{
    (void)err;
    if (s->file.fd >= 0)
        compare_bytes(s, offset, data, len);
    return 0;
}

static int compare_hole(struct session *s, uint64_t offset, uint64_t len, struct error *err)
{
    (void)err;
    while (s->file.fd >= 0 && len > 0 && !s->file.differs) {
        /* Where the file on disk has a hole too, there is nothing to read. */
        off_t data = lseek(s->file.fd, (off_t)offset, SEEK_DATA);
        uint64_t skip = data < 0 ? (errno == ENXIO ? len : 0) : (uint64_t)data - offset;
        size_t part;

        skip = skip < len ? skip : len;
        offset += skip;
        len -= skip;
        part = len < COMPARE_CHUNK ? (size_t)len : COMPARE_CHUNK;
        compare_bytes(s, offset, NULL, part);
        offset += part;
        len -= part;
    }
    return 0;
}

static void compare_target(struct session *s, int fd)
{
    char target[PATH_MAX];
    ssize_t len = readlinkat(fd, "", target, sizeof(target));

    if (len < 0 || (size_t)len != s->file.target_len ||
        memcmp(target, s->file.target, s->file.target_len) != 0)
        session_warn(s, NULL, "the symlink leads elsewhere");
}

/* All names of the inode must be names of one file. */
static void compare_links(struct session *s, int fd)
{
    struct session_file *f = &s->file;
    struct stat st, other;

    if (fstat(fd, &st) != 0)
        return;
    for (size_t i = f->first; i < f->first + f->links; i++) {
        struct names_entry *e = &s->names.entries[s->names.by_ino[i]];
        CLEANUP_CLOSE int link = -1;
        char path[NAMES_PATH_MAX];

        if (!e->selected || e->done)
            continue;
        e->done = true;
        s->result->files++;
        link = open_entry(s, e, O_PATH);
        if (link < 0 || fstat(link, &other) != 0 || other.st_ino != st.st_ino ||
            other.st_dev != st.st_dev)
            session_warn(s, names_entry_path(&s->names, e, path), "it is no hard link to %s",
                         s->path);
    }
}

static int compare_end(struct session *s, struct error *err)
{
    struct session_file *f = &s->file;
    struct names_entry *e = &s->names.entries[f->link];
    CLEANUP_CLOSE int fd = open_entry(s, e, O_PATH);

    (void)err;
    e->done = true;
    if (fd < 0)
        return 0;
    s->result->files++;
    attributes_compare(&s->policy, fd, &f->attributes);
    if (S_ISLNK(f->attributes.inode.mode))
        compare_target(s, fd);
    compare_links(s, fd);
    return 0;
}

static void compare_directory(struct session *s, size_t directory)
{
    struct names_directory *d = &s->names.directories[directory];
    struct error err = ERROR_INIT;
    int fd;

    if (!d->selected)
        return;
    names_directory_path(&s->names, directory, s->path);
    s->result->directories++;
    if (target_directory(&s->destination, &s->names, directory, &fd, &err) != 0)
        session_warn(s, NULL, "%s", err.message);
    else
        attributes_compare(&s->policy, fd, &d->attributes);
}

static void compare_discard(struct session *s)
{
    if (s->file.fd >= 0)
        close(s->file.fd);
    s->file.fd = -1;
}

const struct session_sink compare_sink = {
    .begin = compare_begin,
    .data = compare_data,
    .hole = compare_hole,
    .end = compare_end,
    .discard = compare_discard,
    .finish_directory = compare_directory,
};
