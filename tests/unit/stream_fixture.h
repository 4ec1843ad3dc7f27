/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_fixture.h - a tree with every kind of thing in it, as a stream in memory.
 *
 * Tests of the decoder, the file reader, the restore engine and restore(8) share it: the table says
 * what must come out, fixture_write() makes the stream from it by the stream writer.
 */
#ifndef CAPSTAN_TESTS_UNIT_STREAM_FIXTURE_H
#define CAPSTAN_TESTS_UNIT_STREAM_FIXTURE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/stream/stream.h"

struct fixture_hole {
    uint64_t offset, len;
};

struct fixture_file {
    const char *path; /* "" is the root */
    uint32_t ino;     /* two rows with one number: hard links; the second row needs no more */
    uint32_t mode;
    uint64_t size;
    struct fixture_hole holes[2];
    const char *target; /* of a symlink; "*": 4,000 bytes */
    uint32_t uid, gid;
    uint64_t rdev; /* makedev() form */
    const struct stream_xattr *xattrs;
    size_t xattr_count;
};

/* POSIX ACL u::rw-,u:1234:r--,g::r--,m::r--,o::--- in the system call's form. */
static const uint8_t fixture_acl[] = {
    2, 0,    0,    0,    1,    0,    6,    0, 0xff, 0xff, 0xff, 0xff, 2,    0,    4,
    0, 0xd2, 4,    0,    0,    4,    0,    4, 0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,
    4, 0,    0xff, 0xff, 0xff, 0xff, 0x20, 0, 0,    0,    0xff, 0xff, 0xff, 0xff,
};

static char fixture_big_value[20000];

static const struct stream_xattr fixture_some[] = {
    {"user.a", "value", 5},
    {"user.empty", "", 0},
    {"user.blob", fixture_big_value, 1500},
    {"user.blob2", fixture_big_value, 1501},
    {"trusted.t", "hidden", 6},
    {"system.posix_acl_access", fixture_acl, sizeof(fixture_acl)},
};
static const struct stream_xattr fixture_large[] = {
    {"user.large", fixture_big_value, sizeof(fixture_big_value)},
    {"user.small", "s", 1},
};
static const struct stream_xattr fixture_dir[] = {
    {"system.posix_acl_default", fixture_acl, sizeof(fixture_acl)},
    {"user.on-a-directory", "yes", 3},
};

#define FIXTURE_KIB 1024u
#define FIXTURE_MIB (1024u * 1024u)

static const struct fixture_file fixture_files[] = {
    /* directories first, parents before children, ascending numbers */
    {.path = "", .ino = 2, .mode = S_IFDIR | 0755},
    {.path = "d", .ino = 3, .mode = S_IFDIR | 01777},
    {.path = "d/e", .ino = 4, .mode = S_IFDIR | 0750, .xattrs = fixture_dir, .xattr_count = 2},
    {.path = "d/e/empty-directory", .ino = 5, .mode = S_IFDIR | 0500, .uid = 1000, .gid = 1001},
    {.path = "many", .ino = 6, .mode = S_IFDIR | 0755},
    /* files */
    {.path = "empty", .ino = 10, .mode = S_IFREG | 0644},
    {.path = "one", .ino = 11, .mode = S_IFREG | 0600, .size = 1, .uid = 70000, .gid = 70001},
    {.path = "k", .ino = 12, .mode = S_IFREG | 0644, .size = 1024},
    {.path = "k+1", .ino = 13, .mode = S_IFREG | 0644, .size = 1025},
    {.path = "d/half", .ino = 14, .mode = S_IFREG | 0444, .size = 512 * FIXTURE_KIB},
    {.path = "d/half+1", .ino = 15, .mode = S_IFREG | 0644, .size = 512 * FIXTURE_KIB + 1},
    {.path = "d/e/3m", .ino = 16, .mode = S_IFREG | 0644, .size = 3 * FIXTURE_MIB + 17},
    {.path = "sparse",
     .ino = 17,
     .mode = S_IFREG | 0644,
     .size = 10 * FIXTURE_MIB,
     .holes = {{4096, 5 * FIXTURE_MIB}, {6 * FIXTURE_MIB, 4 * FIXTURE_MIB}}},
    {.path = "all-hole",
     .ino = 18,
     .mode = S_IFREG | 0644,
     .size = FIXTURE_MIB,
     .holes = {{0, FIXTURE_MIB}}},
    {.path = "link", .ino = 19, .mode = S_IFLNK | 0777, .target = "d/e/3m"},
    {.path = "long-link", .ino = 20, .mode = S_IFLNK | 0777, .target = "*"},
    {.path = "fifo", .ino = 21, .mode = S_IFIFO | 0622},
    {.path = "null", .ino = 22, .mode = S_IFCHR | 0666, .rdev = 0x103},
    {.path = "block", .ino = 23, .mode = S_IFBLK | 0660, .rdev = 0x11032c},
    {.path = "socket", .ino = 24, .mode = S_IFSOCK | 0755},
    {.path = "hard", .ino = 25, .mode = S_IFREG | 0644, .size = 5000},
    {.path = "d/e/hard-too", .ino = 25, .mode = S_IFREG | 0644, .size = 5000},
    {.path = "attributes",
     .ino = 26,
     .mode = S_IFREG | 0640,
     .size = 100,
     .xattrs = fixture_some,
     .xattr_count = 6},
    {.path = "large-attribute",
     .ino = 27,
     .mode = S_IFREG | 0644,
     .size = 10,
     .xattrs = fixture_large,
     .xattr_count = 2},
    {.path = "setuid", .ino = 28, .mode = S_IFREG | 04755, .size = 20, .uid = 1000, .gid = 1000},
    {.path = "na\nme\xff\xfe", .ino = 29, .mode = S_IFREG | 0644, .size = 3},
    {.path = "full-group",
     .ino = 30,
     .mode = S_IFREG | 0644,
     .size = 512 * FIXTURE_KIB,
     .xattrs = fixture_large,
     .xattr_count = 1},
    {.path = "attribute-only",
     .ino = 31,
     .mode = S_IFREG | 0644,
     .xattrs = fixture_large,
     .xattr_count = 2},
    {.path = "hole-and-attribute",
     .ino = 32,
     .mode = S_IFREG | 0644,
     .size = 600 * FIXTURE_KIB,
     .holes = {{FIXTURE_KIB, 599 * FIXTURE_KIB}},
     .xattrs = fixture_large,
     .xattr_count = 1},
};
#define FIXTURE_COUNT      (sizeof(fixture_files) / sizeof(fixture_files[0]))
#define FIXTURE_FILES      23u  /* inodes that are no directories, without those of FIXTURE_MANY */
#define FIXTURE_MANY       300u /* files many/<243 x's><nnn>, empty, from this inode on: */
#define FIXTURE_MANY_INODE 100u
#define FIXTURE_MAX_INODE  (FIXTURE_MANY_INODE + FIXTURE_MANY - 1)

#define FIXTURE_DATE_NS  INT64_C(1700000000123456789)
#define FIXTURE_MTIME_NS INT64_C(1600000000987654321) /* plus the inode number */
#define FIXTURE_PATH     "/srv/a (dir of) some length that does not fit into the header's sixty-four"

/* The byte of file ino at offset; never zero, so that a hole shows. */
static inline uint8_t fixture_byte(uint32_t ino, uint64_t offset)
{
    return (uint8_t)((offset * 31 + offset / 1024 * 7 + ino * 13) % 255 + 1);
}

static inline bool fixture_in_hole(const struct fixture_file *f, uint64_t offset)
{
    for (size_t i = 0; i < 2; i++)
        if (offset >= f->holes[i].offset && offset < f->holes[i].offset + f->holes[i].len)
            return true;
    return false;
}

/* What a reader must see there. */
static inline uint8_t fixture_expect(const struct fixture_file *f, uint64_t offset)
{
    return fixture_in_hole(f, offset) ? 0 : fixture_byte(f->ino, offset);
}

static inline const char *fixture_target(const struct fixture_file *f)
{
    static char text[4001];

    if (f->target[0] != '*')
        return f->target;
    memset(text, 'y', 4000);
    for (size_t i = 100; i < 4000; i += 100)
        text[i] = '/';
    return text;
}

static inline void fixture_many_name(uint32_t i, char name[STREAM_NAME_MAX + 1])
{
    memset(name, 'x', STREAM_NAME_MAX);
    snprintf(name + 243, STREAM_NAME_MAX + 1 - 243, "%03u", i);
}

static inline struct stream_inode fixture_inode(const struct fixture_file *f, uint64_t size)
{
    struct stream_inode inode = {
        .ino = f->ino,
        .mode = f->mode,
        .uid = f->uid,
        .gid = f->gid,
        .nlink = f->ino == 25       ? 2
                 : S_ISDIR(f->mode) ? 3
                                    : 1,
        .rdev = f->rdev,
        .size = size,
        .st_size = S_ISDIR(f->mode) ? 4096 : size,
        .atime_ns = FIXTURE_MTIME_NS - 1000,
        .mtime_ns = FIXTURE_MTIME_NS + f->ino,
        .ctime_ns = FIXTURE_MTIME_NS + 5000,
        .btime_ns = FIXTURE_MTIME_NS - 5000,
        .blocks512 = (size + 511) / 512,
        .flags = S_ISREG(f->mode) || S_ISDIR(f->mode) ? 0x80000 : 0,
        .generation = f->ino * 3,
        .original_ino = UINT64_C(0x100000000) + f->ino,
        .original_dev = 0xfd01,
    };

    return inode;
}

static inline bool fixture_inode_equal(const struct stream_inode *a, const struct stream_inode *b)
{
    return a->ino == b->ino && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
           a->nlink == b->nlink && a->rdev == b->rdev && a->size == b->size &&
           a->st_size == b->st_size && a->atime_ns == b->atime_ns && a->mtime_ns == b->mtime_ns &&
           a->ctime_ns == b->ctime_ns && a->btime_ns == b->btime_ns &&
           a->blocks512 == b->blocks512 && a->flags == b->flags && a->generation == b->generation &&
           a->original_ino == b->original_ino && a->original_dev == b->original_dev;
}

static inline struct stream_image fixture_image(unsigned blocking)
{
    struct stream_image image = {
        .uuid = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0x4d, 0xef, 0x80, 1, 2, 3, 4, 5, 6, 7},
        .date_ns = FIXTURE_DATE_NS,
        .blocking = blocking,
        .label = "fixture",
        .host = "host.example",
        .path = FIXTURE_PATH,
    };

    return image;
}

static inline const char *fixture_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* True if row `child` lies directly in directory row `parent`. */
static inline bool fixture_child(const struct fixture_file *parent,
                                 const struct fixture_file *child)
{
    size_t len = strlen(parent->path);

    if (child->path[0] == '\0')
        return false;
    if (len == 0)
        return !strchr(child->path, '/');
    return strncmp(child->path, parent->path, len) == 0 && child->path[len] == '/' &&
           !strchr(child->path + len + 1, '/');
}

static inline int fixture_directory(struct stream_writer *w, const struct fixture_file *f,
                                    struct error *err)
{
    struct stream_directory d = {0};
    uint32_t parent = 2;
    struct stream_inode inode;
    int rc;

    for (size_t i = 0; i < FIXTURE_COUNT; i++)
        if (fixture_child(&fixture_files[i], f))
            parent = fixture_files[i].ino;
    rc = stream_directory_begin(&d, f->ino, parent, err);
    for (size_t i = 0; i < FIXTURE_COUNT && !rc; i++)
        if (fixture_child(f, &fixture_files[i])) {
            const char *name = fixture_base(fixture_files[i].path);

            rc = stream_directory_add(&d, fixture_files[i].ino, fixture_files[i].mode, name,
                                      strlen(name), err);
        }
    for (uint32_t i = 0; i < FIXTURE_MANY && !rc && f->ino == 6; i++) {
        char name[STREAM_NAME_MAX + 1];

        fixture_many_name(i, name);
        rc = stream_directory_add(&d, FIXTURE_MANY_INODE + i, S_IFREG, name, strlen(name), err);
    }
    stream_directory_finish(&d);
    inode = fixture_inode(f, d.len);
    if (!rc)
        rc = stream_writer_inode(w, &inode, f->xattrs, f->xattr_count, NULL, err);
    if (!rc)
        rc = stream_writer_data(w, d.data, d.len, err);
    if (!rc)
        rc = stream_writer_finish(w, err);
    stream_directory_free(&d);
    return rc;
}

static inline int fixture_data(struct stream_writer *w, const struct fixture_file *f,
                               struct error *err)
{
    uint64_t offset = 0;
    int rc = 0;

    while (offset < f->size && !rc) {
        uint8_t part[3000]; /* not a divisor of anything */
        size_t n = 0;
        bool hole = fixture_in_hole(f, offset);

        while (n < sizeof(part) && offset + n < f->size && fixture_in_hole(f, offset + n) == hole) {
            part[n] = fixture_byte(f->ino, offset + n);
            n++;
        }
        rc = hole ? stream_writer_hole(w, n, err) : stream_writer_data(w, part, n, err);
        offset += n;
    }
    return rc;
}

static inline int fixture_file_write(struct stream_writer *w, const struct fixture_file *f,
                                     struct error *err)
{
    const char *target = f->target ? fixture_target(f) : NULL;
    struct stream_inode inode = fixture_inode(f, target ? strlen(target) : f->size);
    int rc = stream_writer_inode(w, &inode, f->xattrs, f->xattr_count, NULL, err);

    if (!rc)
        rc = target ? stream_writer_data(w, target, strlen(target), err) : fixture_data(w, f, err);
    return rc ? rc : stream_writer_finish(w, err);
}

/* Write the whole tree; the callback of `options` gets the records. */
static inline int fixture_write(const struct stream_writer_options *options,
                                struct stream_totals *totals, struct error *err)
{
    uint8_t map[FIXTURE_MAX_INODE / 8 + 1] = {0};
    struct stream_writer *w = NULL;
    int rc;

    for (size_t i = 0; i < sizeof(fixture_big_value); i++)
        fixture_big_value[i] = (char)(i % 251);
    for (size_t i = 0; i < FIXTURE_COUNT; i++)
        stream_map_set(map, fixture_files[i].ino);
    for (uint32_t i = 0; i < FIXTURE_MANY; i++)
        stream_map_set(map, FIXTURE_MANY_INODE + i);
    rc = stream_writer_open(options, &w, err);
    if (!rc)
        rc = stream_writer_maps(w, map, map, FIXTURE_MAX_INODE, err);
    for (size_t i = 0; i < FIXTURE_COUNT && !rc; i++) {
        const struct fixture_file *f = &fixture_files[i];

        if (i > 0 && f->ino == fixture_files[i - 1].ino)
            continue;
        rc = S_ISDIR(f->mode) ? fixture_directory(w, f, err) : fixture_file_write(w, f, err);
    }
    for (uint32_t i = 0; i < FIXTURE_MANY && !rc; i++) {
        struct fixture_file f = {.ino = FIXTURE_MANY_INODE + i, .mode = S_IFREG | 0644};

        rc = fixture_file_write(w, &f, err);
    }
    *totals = (struct stream_totals){.files = FIXTURE_FILES + FIXTURE_MANY,
                                     .directories = 5,
                                     .bytes = 1234567,
                                     .warnings = 1,
                                     .ended_ns = FIXTURE_DATE_NS + 77,
                                     .state = STREAM_PARTIAL};
    if (!rc)
        rc = stream_writer_end(w, totals, err);
    stream_writer_close(w);
    return rc;
}

/* A stream in memory. */
struct fixture_buffer {
    uint8_t *data;
    size_t len, capacity;
};

static inline int fixture_append(void *ctx, const struct stream_record *record, struct error *err)
{
    struct fixture_buffer *b = ctx;

    while (b->len + record->len > b->capacity) {
        b->capacity = b->capacity ? b->capacity * 2 : 1 << 20;
        b->data = realloc(b->data, b->capacity);
        if (!b->data)
            return error_set(err, ERR_NO_MEMORY, "no memory for the test's stream");
    }
    memcpy(b->data + b->len, record->data, record->len);
    b->len += record->len;
    return 0;
}

static inline int fixture_make(struct fixture_buffer *b, unsigned blocking, bool no_ea_records,
                               struct stream_totals *totals, struct error *err)
{
    struct stream_image image = fixture_image(blocking);
    struct stream_writer_options options = {
        .image = &image, .no_ea_records = no_ea_records, .write = fixture_append, .ctx = b};

    memset(b, 0, sizeof(*b));
    return fixture_write(&options, totals, err);
}

#endif
