/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_restore_hostile.c - streams by somebody who means harm: nothing outside of the destination
 * is touched, nothing crashes, hangs or eats memory, and what was left out is told.
 *
 * The streams are made by the stream writer, which asks no questions about what is in a directory's
 * data, and then bent where it would not do.
 */
#include <pthread.h>
#include <time.h>

#include "common/bytes.h"
#include "common/checked.h"
#include "engine/stream/decoder.h"
#include "engine/stream/format.h"
#include "engine/stream/header.h"
#include "tests/unit/restore_fixture.h"

/* ---- forging streams ---------------------------------------------------------------------------
 */

struct forge {
    struct fixture_buffer out;
    struct stream_image image;
    struct stream_writer *writer;
    uint8_t *dir; /* directory data under construction */
    size_t dir_len, last;
    struct error err;
};

#define FORGE_INODES 70000u

static void forge_begin(struct forge *f)
{
    static uint8_t map[FORGE_INODES / 8 + 1];
    struct stream_writer_options options = {
        .image = &f->image, .write = fixture_append, .ctx = &f->out};

    memset(f, 0, sizeof(*f));
    memset(map, 0xff, sizeof(map));
    f->image = fixture_image(4);
    f->dir = malloc(8 << 20);
    CHECK_OK(stream_writer_open(&options, &f->writer, &f->err), f->err);
    CHECK_OK(stream_writer_maps(f->writer, map, map, FORGE_INODES, &f->err), f->err);
}

/* An entry in the directory under construction, whatever its name. */
static void forge_entry(struct forge *f, uint32_t ino, const void *name, size_t len)
{
    size_t size = 8 + (len + 4) / 4 * 4;
    uint8_t *e;

    if (f->dir_len % 512 + size > 512) {
        uint8_t *reclen = f->dir + f->last + 4;
        size_t rest = 512 - f->dir_len % 512;

        put_le16(reclen, (uint16_t)(get_le16(reclen) + rest));
        memset(f->dir + f->dir_len, 0, rest);
        f->dir_len += rest;
    }
    e = f->dir + f->dir_len;
    memset(e, 0, size);
    put_le32(e, ino);
    put_le16(e + 4, (uint16_t)size);
    e[7] = (uint8_t)len;
    memcpy(e + 8, name, len);
    f->last = f->dir_len;
    f->dir_len += size;
}

static void forge_name(struct forge *f, uint32_t ino, const char *name)
{
    forge_entry(f, ino, name, strlen(name));
}

static void forge_node(struct forge *f, const struct stream_inode *inode, const void *data,
                       const struct stream_xattr *xattrs, size_t count)
{
    CHECK_OK(stream_writer_inode(f->writer, inode, xattrs, count, NULL, &f->err), f->err);
    if (data)
        CHECK_OK(stream_writer_data(f->writer, data, (size_t)inode->size, &f->err), f->err);
    CHECK_OK(stream_writer_finish(f->writer, &f->err), f->err);
}

/* The directory with the entries given before. */
static void forge_directory(struct forge *f, uint32_t ino)
{
    struct stream_inode inode = {.ino = ino, .mode = S_IFDIR | 0755, .mtime_ns = FIXTURE_MTIME_NS};

    if (f->dir_len % 512) {
        uint8_t *reclen = f->dir + f->last + 4;
        size_t rest = 512 - f->dir_len % 512;

        put_le16(reclen, (uint16_t)(get_le16(reclen) + rest));
        memset(f->dir + f->dir_len, 0, rest);
        f->dir_len += rest;
    }
    inode.size = f->dir_len;
    forge_node(f, &inode, f->dir_len ? f->dir : NULL, NULL, 0);
    f->dir_len = 0;
}

static void forge_file(struct forge *f, uint32_t ino, uint32_t mode, const char *data)
{
    struct stream_inode inode = {
        .ino = ino, .mode = mode, .size = strlen(data), .mtime_ns = FIXTURE_MTIME_NS};

    forge_node(f, &inode, data, NULL, 0);
}

/* End the stream and put it into the scratch. */
static void forge_end(struct forge *f, struct scratch *s)
{
    struct stream_totals totals = {.state = STREAM_COMPLETE};

    CHECK_OK(stream_writer_end(f->writer, &totals, &f->err), f->err);
    stream_writer_close(f->writer);
    scratch_stream(s, f->out.data, f->out.len);
    free(f->out.data);
    free(f->dir);
}

/* Restore within a second of processor time, without touching what is outside. */
static int restore_hostile(struct scratch *s)
{
    struct timespec a, b;
    int rc;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    rc = scratch_restore(s);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    CU_ASSERT_TRUE(b.tv_sec - a.tv_sec < 3);
    CU_ASSERT_TRUE(outside_intact(s));
    return rc;
}

static unsigned count_names(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    unsigned n = 0;

    while (d && (e = readdir(d)))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (d)
        closedir(d);
    return n;
}

/* ---- 28: names ---------------------------------------------------------------------------------
 */

static void test_28_names(void)
{
    char umlauts[512] = "", absolute[120];
    struct scratch s;
    struct forge f;

    for (int i = 0; i < 127; i++)
        strcat(umlauts, "\xc3\xa9");
    scratch_begin(&s);
    snprintf(absolute, sizeof(absolute), "%s/new", s.outside);
    forge_begin(&f);
    forge_name(&f, 2, ".");
    forge_name(&f, 2, "..");
    forge_name(&f, 10, "..");
    forge_name(&f, 10, ".");
    forge_name(&f, 10, "/");
    forge_name(&f, 10, "a/b");
    forge_name(&f, 10, "../outside/secret");
    forge_name(&f, 10, absolute);
    forge_entry(&f, 10, "", 0);
    forge_entry(&f, 10, "a\0b", 3);
    forge_name(&f, 11, umlauts);
    forge_name(&f, 12, "new\nline \x1b[31m");
    forge_directory(&f, 2);
    forge_file(&f, 10, S_IFREG | 0644, "evil");
    forge_file(&f, 11, S_IFREG | 0644, "long");
    forge_file(&f, 12, S_IFREG | 0644, "odd");
    forge_end(&f, &s);
    CU_ASSERT_EQUAL(restore_hostile(&s), -ERR_PARTIAL);
    CU_ASSERT_EQUAL(count_names(s.root), 2);
    CU_ASSERT_TRUE(scratch_exists(&s, umlauts, NULL));
    CU_ASSERT_TRUE(scratch_exists(&s, "new\nline \x1b[31m", NULL));
    CU_ASSERT_TRUE(scratch_warned(&s, "../outside/secret", "holds a slash"));
    CU_ASSERT_TRUE(scratch_warned(&s, NULL, "is empty"));
    CU_ASSERT_TRUE(scratch_warned(&s, NULL, "NUL"));
    for (unsigned i = 0; i < s.warning_count; i++) /* nothing that a log or a terminal obeys */
        for (const char *p = s.warnings[i].path; *p; p++)
            CU_ASSERT_TRUE((unsigned char)*p >= 0x20 && *p != 0x7f);
    scratch_end(&s);
}

/* ---- 29: inode numbers -------------------------------------------------------------------------
 */

static void test_29_inodes(void)
{
    struct stream_inode root = {.ino = 2, .mode = S_IFREG | 0644, .size = 4};
    struct stream_inode zero = {.ino = 0, .mode = S_IFREG | 0644, .size = 4};
    struct stream_inode one = {.ino = 1, .mode = S_IFREG | 0644, .size = 4};
    struct stream_inode last = {.ino = UINT32_MAX, .mode = S_IFREG | 0644, .size = 4};
    struct scratch s;
    struct forge f;

    scratch_begin(&s);
    forge_begin(&f);
    forge_name(&f, 1, "one");
    forge_name(&f, 2, "root-again");
    forge_name(&f, UINT32_MAX, "last");
    forge_name(&f, 10, "twice");
    forge_name(&f, 12, "never");
    forge_directory(&f, 2);
    forge_name(&f, 10, "other-root");
    forge_directory(&f, 2); /* the root a second time */
    forge_node(&f, &zero, "zero", NULL, 0);
    forge_node(&f, &one, "one!", NULL, 0);
    forge_node(&f, &root, "root", NULL, 0);
    forge_file(&f, 10, S_IFREG | 0644, "first");
    forge_file(&f, 10, S_IFREG | 0644, "second");
    forge_node(&f, &last, "last", NULL, 0);
    forge_end(&f, &s);
    CU_ASSERT_EQUAL(restore_hostile(&s), -ERR_PARTIAL);
    CU_ASSERT_TRUE(scratch_exists(&s, "twice", NULL));
    CU_ASSERT_FALSE(scratch_exists(&s, "root-again", NULL));
    CU_ASSERT_FALSE(scratch_exists(&s, "never", NULL));
    CU_ASSERT_TRUE(scratch_warned(&s, "never", "not in it"));
    CU_ASSERT_TRUE(scratch_warned(&s, NULL, "inode 0 has an impossible number"));
    scratch_end(&s);
}

/* ---- 30: the tree ------------------------------------------------------------------------------
 */

static void test_30_cycles(void)
{
    struct scratch s;
    struct forge f;

    scratch_begin(&s);
    forge_begin(&f);
    forge_name(&f, 3, "a");
    forge_name(&f, 3, "a-again"); /* two names of one directory */
    forge_directory(&f, 2);
    forge_name(&f, 4, "b");
    forge_directory(&f, 3);
    forge_name(&f, 3, "up");   /* a/b/up is a */
    forge_name(&f, 2, "root"); /* and the root */
    forge_name(&f, 4, "self");
    forge_directory(&f, 4);
    forge_name(&f, 6, "island-2"); /* a cycle that can't be reached */
    forge_directory(&f, 5);
    forge_name(&f, 5, "island-1");
    forge_directory(&f, 6);
    forge_end(&f, &s);
    CU_ASSERT_EQUAL(restore_hostile(&s), -ERR_PARTIAL);
    CU_ASSERT_TRUE(scratch_exists(&s, "a/b", NULL));
    CU_ASSERT_FALSE(scratch_exists(&s, "a-again", NULL));
    CU_ASSERT_FALSE(scratch_exists(&s, "a/b/up", NULL));
    CU_ASSERT_TRUE(scratch_warned(&s, "up", "second name of a directory"));
    CU_ASSERT_TRUE(scratch_warned(&s, ".", "without a way from the root"));
    scratch_end(&s);
}

static void test_30_depth(void)
{
    struct scratch s;
    struct forge f;

    scratch_begin(&s);
    forge_begin(&f);
    for (uint32_t ino = 2; ino < 60002; ino++) {
        forge_name(&f, ino + 1, "d");
        forge_directory(&f, ino);
    }
    forge_end(&f, &s);
    CU_ASSERT_EQUAL(restore_hostile(&s), -ERR_PARTIAL);
    CU_ASSERT_TRUE(scratch_warned(&s, NULL, "nested too deeply"));
    CU_ASSERT_TRUE(s.result.directories <= 1024 + 1);
    scratch_end(&s);
}

/* nftw() stops at PATH_MAX; the directories go as they came, from within. */
static void remove_nested(const char *root)
{
    int fds[301], depth = 0;
    char name[256];

    memset(name, 'n', 255);
    name[255] = '\0';
    fds[0] = open(root, O_RDONLY | O_DIRECTORY);
    while (depth < 300 && fds[depth] >= 0) {
        fds[depth + 1] = openat(fds[depth], name, O_RDONLY | O_DIRECTORY);
        depth++;
    }
    for (; depth >= 0; depth--) {
        if (fds[depth] < 0)
            continue;
        unlinkat(fds[depth], "file", 0);
        unlinkat(fds[depth], name, AT_REMOVEDIR);
        close(fds[depth]);
    }
}

/* Restore directories with names of 255 bytes in each other, and a file in each. */
static int restore_nested(struct scratch *s, uint32_t levels)
{
    char name[256];
    struct forge f;

    memset(name, 'n', 255);
    name[255] = '\0';
    forge_begin(&f);
    for (uint32_t ino = 2; ino < 2 + levels; ino++) {
        if (ino + 1 < 2 + levels)
            forge_name(&f, ino + 1, name);
        forge_name(&f, 1000 + ino, "file");
        forge_directory(&f, ino);
    }
    for (uint32_t ino = 2; ino < 2 + levels; ino++)
        forge_file(&f, 1000 + ino, S_IFREG | 0644, "x");
    forge_end(&f, s);
    return restore_hostile(s);
}

/* Deeper than the kernel takes a path: all is restored, in steps, and compared the same way. */
static void test_30_long_path(void)
{
    struct scratch s;

    scratch_begin(&s);
    CU_ASSERT_EQUAL(restore_nested(&s, 40), 0);
    CU_ASSERT_EQUAL(s.result.files, 40);
    CU_ASSERT_EQUAL(s.warning_count, 0);
    s.options.compare = true;
    CU_ASSERT_EQUAL(restore_nested(&s, 40), 0);
    CU_ASSERT_EQUAL(s.result.files, 40);
    remove_nested(s.root);
    scratch_end(&s);
}

static void test_30_too_long_path(void)
{
    struct scratch s;

    scratch_begin(&s);
    CU_ASSERT_EQUAL(restore_nested(&s, 300), -ERR_PARTIAL);
    CU_ASSERT_TRUE(scratch_warned(&s, NULL, "path is too long"));
    CU_ASSERT_TRUE(s.result.files > 250 && s.result.files < 260);
    remove_nested(s.root);
    scratch_end(&s);
}

/* ---- 31: symlinks and links --------------------------------------------------------------------
 */

/* A symlink, and then things "below" it, by every trick the names allow. */
static void test_31_symlink_escape(void)
{
    struct scratch s;
    struct forge f;
    struct stat st;
    char target[200];

    scratch_begin(&s);
    snprintf(target, sizeof(target), "%s", s.outside);
    for (int there_before = 0; there_before < 2; there_before++) {
        if (there_before) { /* the destination holds the symlink already */
            nftw(s.root, scratch_remove_one, 20, FTW_DEPTH | FTW_PHYS);
            mkdir(s.root, 0755);
            snprintf(target, sizeof(target), "%s/dir", s.root);
            CU_ASSERT_EQUAL(symlink("../outside", target), 0);
            snprintf(target, sizeof(target), "%s/sub", s.root);
            CU_ASSERT_EQUAL(symlink(s.outside, target), 0);
            snprintf(target, sizeof(target), "%s", s.outside);
        }
        forge_begin(&f);
        forge_name(&f, 10, "dir"); /* the symlink first ... */
        forge_name(&f, 3, "dir");  /* ... and a directory of the same name */
        forge_name(&f, 4, "sub");
        forge_directory(&f, 2);
        forge_name(&f, 11, "secret");
        forge_name(&f, 12, "new");
        forge_directory(&f, 3);
        forge_name(&f, 10, "link");
        forge_name(&f, 13, "secret");
        forge_directory(&f, 4);
        forge_file(&f, 10, S_IFLNK | 0777, target);
        forge_file(&f, 11, S_IFREG | 0644, "overwritten");
        forge_file(&f, 12, S_IFREG | 0644, "created");
        forge_file(&f, 13, S_IFREG | 0666, "overwritten too");
        forge_end(&f, &s);
        restore_hostile(&s);
        CU_ASSERT_TRUE(scratch_exists(&s, "dir", &st));
        CU_ASSERT_TRUE(S_ISDIR(st.st_mode));
        CU_ASSERT_TRUE(scratch_exists(&s, "sub/link", &st));
        CU_ASSERT_TRUE(S_ISLNK(st.st_mode));
        CU_ASSERT_TRUE(scratch_exists(&s, "sub/secret", &st));
    }
    scratch_end(&s);
}

/* A file is restored onto a symlink: the symlink is replaced, its target left alone; and the
 * symlink's own attributes never reach the target. */
static void test_31_symlink_target(void)
{
    struct stream_inode link = {.ino = 11,
                                .mode = S_IFLNK | 07777,
                                .uid = 12345,
                                .gid = 12345,
                                .mtime_ns = FIXTURE_MTIME_NS};
    struct stream_xattr xattrs[] = {{"user.evil", "1", 1},
                                    {"trusted.evil", "1", 1},
                                    {"system.posix_acl_access", fixture_acl, sizeof(fixture_acl)}};
    char path[200], target[200];
    struct scratch s;
    struct forge f;
    struct stat st;

    scratch_begin(&s);
    mkdir(s.root, 0755);
    snprintf(path, sizeof(path), "%s/file", s.root);
    snprintf(target, sizeof(target), "%s/secret", s.outside);
    CU_ASSERT_EQUAL(symlink(target, path), 0);
    forge_begin(&f);
    forge_name(&f, 10, "file");
    forge_name(&f, 11, "link");
    forge_name(&f, 11, "link-too");
    forge_directory(&f, 2);
    forge_file(&f, 10, S_IFREG | 0600, "mine");
    link.size = strlen(target);
    forge_node(&f, &link, target, xattrs, 3);
    forge_end(&f, &s);
    restore_hostile(&s);
    CU_ASSERT_TRUE(scratch_exists(&s, "file", &st));
    CU_ASSERT_TRUE(S_ISREG(st.st_mode));
    CU_ASSERT_TRUE(scratch_exists(&s, "link-too", &st));
    CU_ASSERT_TRUE(S_ISLNK(st.st_mode));
    CU_ASSERT_EQUAL(st.st_nlink, 2);
    scratch_end(&s);
}

/* "Hard links" to directories, to what is not of this restore, to what failed. */
static void test_31_hard_links(void)
{
    struct scratch s;
    struct forge f;
    struct stat st;

    scratch_begin(&s);
    mkdir(s.root, 0755);
    forge_begin(&f);
    forge_name(&f, 3, "dir");
    forge_name(&f, 3, "dir-link");
    forge_name(&f, 10, "a");
    forge_name(&f, 10, "b");
    forge_name(&f, 10, "b"); /* the same name twice */
    forge_name(&f, 20, "ghost");
    forge_name(&f, 20, "ghost-too");
    forge_directory(&f, 2);
    forge_name(&f, 10, "c");
    forge_directory(&f, 3);
    forge_file(&f, 10, S_IFREG | 0644, "linked");
    forge_end(&f, &s);
    CU_ASSERT_EQUAL(restore_hostile(&s), -ERR_PARTIAL);
    CU_ASSERT_TRUE(scratch_exists(&s, "dir/c", &st));
    CU_ASSERT_EQUAL(st.st_nlink, 3);
    CU_ASSERT_FALSE(scratch_exists(&s, "dir-link", NULL));
    CU_ASSERT_FALSE(scratch_exists(&s, "ghost", NULL));
    CU_ASSERT_EQUAL(count_names(s.root), 3);
    scratch_end(&s);
}

/* ---- 32: sizes and maps ------------------------------------------------------------------------
 */

/* Bend the header of inode ino in the scratch's stream and seal it again. */
static void bend_header(struct scratch *s, uint32_t ino, void (*bend)(uint8_t *header))
{
    int fd = open(s->path, O_RDWR);
    uint8_t block[STREAM_BLOCK];

    for (off_t at = 0; pread(fd, block, STREAM_BLOCK, at) == STREAM_BLOCK; at += STREAM_BLOCK) {
        size_t follow;

        if (!stream_header_follow(block, &follow) || get_le32(block) != TS_INODE ||
            get_le32(block + C_INUMBER) != ino)
            continue;
        bend(block);
        header_seal(block, (uint64_t)at / STREAM_BLOCK);
        CU_ASSERT_EQUAL(pwrite(fd, block, STREAM_BLOCK, at), STREAM_BLOCK);
    }
    close(fd);
}

static void bend_size_max(uint8_t *h)
{
    put_le64(h + DI_SIZE, INT64_MAX);
}

static void bend_size_huge(uint8_t *h)
{
    put_le64(h + DI_SIZE, UINT64_MAX);
}

static void bend_map(uint8_t *h)
{
    put_le32(h + C_COUNT, TP_NINDIR);
    memset(h + C_ADDR, 1, TP_NINDIR);
}

static void bend_extension(uint8_t *h)
{
    put_le32(h + P_EXT_LENGTH, UINT32_MAX);
    put_le64(h + P_OFFSET, UINT64_MAX - 100);
}

static void bend_count(uint8_t *h)
{
    put_le32(h + C_COUNT, UINT32_MAX);
}

static void test_32_sizes(void)
{
    static void (*const bends[])(uint8_t * h) = {bend_size_max, bend_size_huge, bend_map,
                                                 bend_extension, bend_count};

    for (size_t i = 0; i < ARRAY_LENGTH(bends); i++) {
        struct scratch s;
        struct forge f;

        scratch_begin(&s);
        forge_begin(&f);
        forge_name(&f, 10, "bent");
        forge_name(&f, 11, "after");
        forge_directory(&f, 2);
        forge_file(&f, 10, S_IFREG | 0644, "some data");
        for (uint32_t k = 0; k < 600; k++)
            forge_file(&f, 12 + k, S_IFREG | 0644, "");
        forge_file(&f, 11, S_IFREG | 0644, "more data");
        forge_end(&f, &s);
        bend_header(&s, 10, bends[i]);
        CU_ASSERT_EQUAL(restore_hostile(&s), -ERR_PARTIAL);
        CU_ASSERT_TRUE(s.warning_count > 0);
        CU_ASSERT_TRUE(scratch_exists(&s, "after", NULL)); /* what follows is not lost */
        scratch_end(&s);
    }
}

/* 1 EiB of hole in a few headers: no data is written, whatever becomes of the size. */
static void test_32_sparse_bomb(void)
{
    struct scratch s;
    struct forge f;
    struct stat st;

    scratch_begin(&s);
    forge_begin(&f);
    forge_name(&f, 10, "bomb");
    forge_directory(&f, 2);
    forge_file(&f, 10, S_IFREG | 0644, "fuse");
    forge_end(&f, &s);
    bend_header(&s, 10, bend_size_max);
    restore_hostile(&s);
    if (scratch_exists(&s, "bomb", &st))
        CU_ASSERT_TRUE(st.st_blocks < 100);
    scratch_end(&s);
}

/* ---- 33: headers -------------------------------------------------------------------------------
 */

static void test_33_headers(void)
{
    struct error err = ERROR_INIT;
    uint8_t blocks[40 * STREAM_BLOCK];
    struct stream_image image = fixture_image(4);
    static const int types[] = {99, 0, -1, TS_EOM, 0x7fffffff};

    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        struct stream_decoder *d;
        struct stream_event ev;
        unsigned damages = 0, events = 0;

        header_volume(blocks, 1, &image);
        header_seal(blocks, 0);
        for (size_t k = 1; k < 39; k++) {
            header_begin(blocks + k * STREAM_BLOCK, types[i], 5, &image);
            header_seal(blocks + k * STREAM_BLOCK, k);
        }
        header_begin(blocks + 39 * STREAM_BLOCK, TS_END, 0, &image);
        header_seal(blocks + 39 * STREAM_BLOCK, 39);
        CHECK_OK(stream_decoder_open(&d, &err), err);
        stream_decoder_feed(d, blocks, 40);
        while (stream_decoder_next(d, &ev)) {
            damages += ev.type == STREAM_EVENT_DAMAGE;
            events++;
        }
        CU_ASSERT_EQUAL(damages, 1); /* told once, not for each block */
        CU_ASSERT_EQUAL(events, 3);
        CU_ASSERT_TRUE(stream_decoder_ended(d));
        stream_decoder_close(d);
    }
}

/* TS_END never comes: the same volume over and over. */
static void test_33_no_end(void)
{
    struct scratch s;
    struct forge f;

    scratch_begin(&s);
    forge_begin(&f);
    forge_name(&f, 10, "file");
    forge_directory(&f, 2);
    for (int i = 0; i < 3000; i++)
        forge_file(&f, 10, S_IFREG | 0644, "again");
    forge_end(&f, &s);
    CU_ASSERT_EQUAL(truncate(s.path, 5000 * 1024), 0);
    CU_ASSERT_EQUAL(restore_hostile(&s), -ERR_PARTIAL);
    CU_ASSERT_TRUE(s.warning_count < 10);
    scratch_end(&s);
}

/* ---- 34: what gives power ----------------------------------------------------------------------
 */

static void test_34_setuid_devices(void)
{
    static const uint8_t capability[20] = {1, 0, 0, 2, 0xff, 0xff, 0xff, 0xff};
    struct stream_xattr xattrs[] = {{"security.capability", capability, 20}};
    struct stream_inode shell = {.ino = 10, .mode = S_IFREG | 06755, .uid = 1, .gid = 1, .size = 5};
    struct stream_inode device = {.ino = 11, .mode = S_IFCHR | 0666, .rdev = 0x101}; /* mem */
    struct scratch s;
    struct forge f;
    struct stat st;
    char path[200];

    scratch_begin(&s);
    forge_begin(&f);
    forge_name(&f, 10, "shell");
    forge_name(&f, 11, "mem");
    forge_directory(&f, 2);
    forge_node(&f, &shell, "shell", xattrs, 1);
    forge_node(&f, &device, NULL, NULL, 0);
    forge_end(&f, &s);
    s.options.keep_owner = s.options.devices = false;
    CU_ASSERT_EQUAL(restore_hostile(&s), -ERR_PARTIAL);
    CU_ASSERT_FALSE(scratch_exists(&s, "mem", NULL));
    CU_ASSERT_TRUE(scratch_exists(&s, "shell", &st));
    CU_ASSERT_EQUAL(st.st_mode & 07777, 0755);
    snprintf(path, sizeof(path), "%s/shell", s.root);
    CU_ASSERT_TRUE(lgetxattr(path, "security.capability", NULL, 0) < 0);
    scratch_end(&s);
}

static void test_34_attributes(void)
{
    static uint8_t acl[4 + 8 * 8000];
    static char value[65536];
    struct stream_xattr xattrs[] = {{"noprefix", "x", 1},
                                    {"user.", "x", 1},
                                    {"", "x", 1},
                                    {"user.huge", value, sizeof(value)},
                                    {"system.posix_acl_access", acl, sizeof(acl)},
                                    {"user.good", "x", 1}};
    struct stream_inode inode = {.ino = 10, .mode = S_IFREG | 0644, .size = 4};
    struct scratch s;
    struct forge f;
    char path[200];

    put_le32(acl, 2);
    for (size_t i = 0; i < 8000; i++) {
        put_le16(acl + 4 + 8 * i, 2);
        put_le32(acl + 8 + 8 * i, (uint32_t)i);
    }
    scratch_begin(&s);
    forge_begin(&f);
    forge_name(&f, 10, "file");
    forge_directory(&f, 2);
    forge_node(&f, &inode, "data", xattrs, 6);
    forge_end(&f, &s);
    CU_ASSERT_EQUAL(restore_hostile(&s), -ERR_PARTIAL);
    snprintf(path, sizeof(path), "%s/file", s.root);
    CU_ASSERT_EQUAL(lgetxattr(path, "user.good", NULL, 0), 1);
    CU_ASSERT_TRUE(scratch_warned(&s, "file", "noprefix could not be set"));
    CU_ASSERT_TRUE(scratch_warned(&s, "file", "posix_acl_access could not be set"));
    scratch_end(&s);
}

/* Attributes without end: more records than anyone has. */
static void test_34_attribute_flood(void)
{
    static char value[3900];
    struct stream_xattr x = {"user.x", value, sizeof(value)};
    struct stream_inode inode = {.ino = 10, .mode = S_IFREG | 0644};
    struct fixture_buffer record = {0};
    struct scratch s;
    struct forge f;
    size_t header;

    scratch_begin(&s);
    forge_begin(&f);
    forge_name(&f, 10, "file");
    forge_directory(&f, 2);
    forge_node(&f, &inode, NULL, &x, 1);
    header = stream_writer_position(f.writer) - 5;
    forge_file(&f, 11, S_IFREG, "");
    forge_file(&f, 12, S_IFREG, "");
    forge_file(&f, 13, S_IFREG, "");
    forge_file(&f, 14, S_IFREG, "");
    CU_ASSERT_TRUE_FATAL(f.out.len >= (header + 5) * STREAM_BLOCK);
    record.data = f.out.data + header * STREAM_BLOCK;
    f.out.len = (header + 5) * STREAM_BLOCK;
    for (uint64_t i = 1; i < 3000; i++) { /* the EA record again and again */
        uint8_t copy[5 * STREAM_BLOCK];
        struct stream_record r = {.data = copy, .len = sizeof(copy)};

        record.data = f.out.data + header * STREAM_BLOCK;
        memcpy(copy, record.data, sizeof(copy));
        header_seal(copy, header + 5 * i);
        fixture_append(&f.out, &r, &f.err);
    }
    stream_writer_close(f.writer);
    scratch_stream(&s, f.out.data, f.out.len);
    free(f.out.data);
    free(f.dir);
    CU_ASSERT_EQUAL(restore_hostile(&s), -ERR_PARTIAL);
    CU_ASSERT_TRUE(scratch_warned(&s, NULL, "too many extended attributes"));
    scratch_end(&s);
}

/* ---- 35: races ---------------------------------------------------------------------------------
 */

struct racer {
    struct scratch *s;
    atomic_bool stop;
};

/* Swap root/dir with a symlink to the outside, as fast as it goes. */
static void *race(void *arg)
{
    struct racer *r = arg;
    char dir[120], evil[120];

    snprintf(dir, sizeof(dir), "%s/dir", r->s->root);
    snprintf(evil, sizeof(evil), "%s/evil", r->s->root);
    while (!atomic_load(&r->stop)) {
        if (symlink(r->s->outside, evil) != 0 && errno != EEXIST)
            continue;
        renameat2(AT_FDCWD, dir, AT_FDCWD, evil, RENAME_EXCHANGE);
    }
    return NULL;
}

static void test_35_race(void)
{
    struct racer racer;
    struct scratch s;
    struct forge f;
    pthread_t thread;
    char name[20];

    scratch_begin(&s);
    forge_begin(&f);
    forge_name(&f, 3, "dir");
    forge_directory(&f, 2);
    for (uint32_t i = 0; i < 400; i++) {
        snprintf(name, sizeof(name), "sub%u", i);
        forge_name(&f, 100 + i, name);
    }
    forge_name(&f, 10, "secret");
    forge_directory(&f, 3);
    for (uint32_t i = 0; i < 400; i++) {
        forge_name(&f, 1000 + i, "secret");
        forge_directory(&f, 100 + i);
    }
    forge_file(&f, 10, S_IFREG | 0777, "evil");
    for (uint32_t i = 0; i < 400; i++)
        forge_file(&f, 1000 + i, S_IFREG | 0777, "evil");
    forge_end(&f, &s);
    racer.s = &s;
    atomic_init(&racer.stop, false);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, race, &racer), 0);
    for (int i = 0; i < 10; i++)
        restore_hostile(&s);
    atomic_store(&racer.stop, true);
    pthread_join(thread, NULL);
    CU_ASSERT_TRUE(outside_intact(&s));
    scratch_end(&s);
}

/* ---- 36: other types than announced ------------------------------------------------------------
 */

static void test_36_types(void)
{
    static const uint32_t modes[] = {0, 0xf000 | 0644, 0xd000, 0xe000, S_IFDIR | 0755, 0177777};
    struct scratch s;
    struct forge f;
    char name[20];

    scratch_begin(&s);
    forge_begin(&f);
    for (uint32_t i = 0; i < ARRAY_LENGTH(modes); i++) {
        snprintf(name, sizeof(name), "type%u", i);
        forge_name(&f, 10 + i, name);
    }
    forge_name(&f, 30, "empty-link");
    forge_name(&f, 31, "nul-link");
    forge_name(&f, 32, "good");
    forge_directory(&f, 2);
    forge_file(&f, 9, S_IFREG, "");
    for (uint32_t i = 0; i < ARRAY_LENGTH(modes); i++)
        forge_file(&f, 10 + i, modes[i], S_ISDIR(modes[i]) ? "no directory data here" : "");
    forge_file(&f, 30, S_IFLNK | 0777, "");
    {
        struct stream_inode link = {.ino = 31, .mode = S_IFLNK | 0777, .size = 4};

        forge_node(&f, &link, "a\0bc", NULL, 0);
    }
    forge_file(&f, 32, S_IFREG | 0644, "good");
    forge_end(&f, &s);
    CU_ASSERT_EQUAL(restore_hostile(&s), -ERR_PARTIAL);
    CU_ASSERT_TRUE(scratch_exists(&s, "good", NULL));
    CU_ASSERT_EQUAL(count_names(s.root), 1);
    scratch_end(&s);
}

/* ---- 37: volumes and times ---------------------------------------------------------------------
 */

static struct tape *other_tape;

static int bring_other(void *ctx, unsigned volume, const char *barcode, struct tape **out,
                       struct error *err)
{
    struct scratch *s = ctx;

    (void)volume, (void)barcode;
    tape_close(other_tape);
    other_tape = NULL;
    if (s->library && (*(unsigned *)s->library)-- == 0)
        return error_set(err, ERR_OPERATOR, "asked for volumes for ever");
    if (tape_open(s->url, TAPE_READ, NULL, &other_tape, err) != 0)
        return -ERR_IO;
    *out = other_tape;
    return 0;
}

/* The second cartridge is the first again, or of another dump. */
static void test_37_wrong_second(void)
{
    unsigned patience = 20;
    struct scratch s;

    scratch_begin(&s);
    scratch_fixture(&s, 20);
    CU_ASSERT_EQUAL(truncate(s.path, 3000 * 1024), 0);
    s.options.volume = bring_other;
    s.library = &patience;
    CHECK_FAILS(scratch_restore(&s), ERR_OPERATOR, s.err);
    CU_ASSERT_PTR_NOT_NULL(strstr(s.err.message, "volume 2"));
    CU_ASSERT_TRUE(patience >= 18);
    CU_ASSERT_TRUE(outside_intact(&s));
    tape_close(other_tape);
    other_tape = NULL;
    scratch_end(&s);
}

/* A later volume alone. */
static void test_37_second_first(void)
{
    static uint8_t data[8 * STREAM_BLOCK], volume[4 * STREAM_BLOCK];
    struct stream_image image = fixture_image(4);
    struct stream_record record = {.data = data, .len = sizeof(volume)};
    struct scratch s;

    scratch_begin(&s);
    stream_volume_record(&image, 2, &record, volume);
    scratch_stream(&s, volume, sizeof(volume));
    CHECK_FAILS(scratch_restore(&s), ERR_OPERATOR, s.err);
    scratch_end(&s);
}

static void test_37_times(void)
{
    static const int64_t times[] = {INT64_MAX, INT64_MIN, 0, -1, INT64_C(4102444800) * 1000000000};
    struct scratch s;
    struct forge f;
    char name[20];
    struct stat st;

    scratch_begin(&s);
    forge_begin(&f);
    for (uint32_t i = 0; i < ARRAY_LENGTH(times); i++) {
        snprintf(name, sizeof(name), "time%u", i);
        forge_name(&f, 10 + i, name);
    }
    forge_directory(&f, 2);
    for (uint32_t i = 0; i < ARRAY_LENGTH(times); i++) {
        struct stream_inode inode = {
            .ino = 10 + i, .mode = S_IFREG | 0644, .mtime_ns = times[i], .atime_ns = times[i]};

        forge_node(&f, &inode, NULL, NULL, 0);
    }
    forge_end(&f, &s);
    restore_hostile(&s);
    CU_ASSERT_EQUAL(count_names(s.root), ARRAY_LENGTH(times));
    CU_ASSERT_TRUE(scratch_exists(&s, "time3", &st));
    CU_ASSERT_EQUAL(st.st_mtim.tv_sec, -1);
    CU_ASSERT_EQUAL(st.st_mtim.tv_nsec, 999999999);
    scratch_end(&s);
}

static const struct check_test tests[] = {
    {"28_names", test_28_names},
    {"29_inodes", test_29_inodes},
    {"30_cycles", test_30_cycles},
    {"30_depth", test_30_depth},
    {"30_long_path", test_30_long_path},
    {"30_too_long_path", test_30_too_long_path},
    {"31_symlink_escape", test_31_symlink_escape},
    {"31_symlink_target", test_31_symlink_target},
    {"31_hard_links", test_31_hard_links},
    {"32_sizes", test_32_sizes},
    {"32_sparse_bomb", test_32_sparse_bomb},
    {"33_headers", test_33_headers},
    {"33_no_end", test_33_no_end},
    {"34_setuid_devices", test_34_setuid_devices},
    {"34_attributes", test_34_attributes},
    {"34_attribute_flood", test_34_attribute_flood},
    {"35_race", test_35_race},
    {"36_types", test_36_types},
    {"37_wrong_second", test_37_wrong_second},
    {"37_second_first", test_37_second_first},
    {"37_times", test_37_times},
};

CHECK_MAIN("restore_hostile", tests)
