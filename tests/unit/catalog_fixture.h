/* SPDX-License-Identifier: Apache-2.0 */
/* catalog_fixture.h - a scratch catalog and small images for the tests of the catalog. */
#ifndef CAPSTAN_TESTS_UNIT_CATALOG_FIXTURE_H
#define CAPSTAN_TESTS_UNIT_CATALOG_FIXTURE_H

#include "tests/unit/check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "catalog/catalog.h"

#define UUID_A "11111111-2222-3333-4444-555555555555"
#define UUID_B "11111111-2222-3333-4444-666666666666"
#define UUID_C "99999999-2222-3333-4444-777777777777"

static char scratch[64];        /* a fresh directory */
static char catalog_dir[80];    /* the catalog in it */
static struct catalog *fixture; /* open */

__attribute__((unused)) static void fixture_reopen(void)
{
    struct error err = ERROR_INIT;

    catalog_close(fixture);
    fixture = NULL;
    CHECK_OK(catalog_open(catalog_dir, false, &fixture, &err), err);
}

__attribute__((unused)) static void fixture_begin(void)
{
    struct error err = ERROR_INIT;

    strcpy(scratch, "/tmp/capstan-cat-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(scratch));
    snprintf(catalog_dir, sizeof(catalog_dir), "%s/catalog", scratch);
    CHECK_OK(catalog_open(catalog_dir, true, &fixture, &err), err);
}

__attribute__((unused)) static void fixture_end(void)
{
    char command[96];

    catalog_close(fixture);
    fixture = NULL;
    snprintf(command, sizeof(command), "rm -rf '%s'", scratch);
    CU_ASSERT_EQUAL(system(command), 0);
}

__attribute__((unused)) static void index_path(const char *uuid, char path[160])
{
    snprintf(path, 160, "%s/images/%s.idx", catalog_dir, uuid);
}

static struct catalog_image image_of(const char *uuid, int64_t date_s)
{
    struct catalog_image image = {
        .host = "web1",
        .path = "/srv/\xff data",
        .label = "none",
        .level = 0,
        .date_ns = date_s * 1000000000 + 123456789,
        .ended_ns = date_s * 1000000000 + 999999999,
        .blocking = 256,
        .files = 2,
        .directories = 2,
        .bytes = 70000,
        .stream_blocks = 1000,
        .warnings = 0,
        .state = CATALOG_COMPLETE,
    };

    strcpy(image.uuid, uuid);
    return image;
}

static const struct catalog_part fixture_parts[] = {
    {.volume = 1, .barcode = "ABC001L8", .file = 3, .first_block = 77, .stream_blocks = 600},
    {.volume = 2, .barcode = "ABC002L8", .first_stream = 600, .stream_blocks = 400},
};

/* Names that are bytes: not UTF-8, a newline, a quote, markup, the longest. */
static const char *const odd_names[] = {"\xff\xfe", "new\nline",         "o'quote",      "<b>%s",
                                        "\x1b[31m", "; DROP TABLE dent", "space at end "};

static void write_inode(struct catalog_writer *w, uint32_t ino, uint32_t mode, const char *link)
{
    struct error err = ERROR_INIT;
    struct catalog_inode inode = {
        .ino = ino,
        .mode = mode,
        .uid = 4294967294u,
        .gid = 100,
        .nlink = 1,
        .rdev = 0x801,
        .size = 10000000000ull + ino,
        .atime_ns = -1500000000,
        .mtime_ns = 1700000000123456789,
        .ctime_ns = 1700000000000000001,
        .btime_ns = ino,
        .blocks512 = 8,
        .address = ino == 2 ? UINT64_MAX : ino,
        .link = link,
        .link_len = link ? strlen(link) : 0,
        .flags = 0x10,
    };

    CHECK_OK(catalog_writer_inode(w, &inode, &err), err);
}

/* 2 = root{odd_names -> 10.., sub -> 3}, 3{hard -> 10, link -> 4}; rows in falling order if
 * `reverse`. */
static void write_tree(struct catalog_writer *w, bool reverse)
{
    struct error err = ERROR_INIT;
    const uint32_t odd = sizeof(odd_names) / sizeof(odd_names[0]);

    for (uint32_t i = 0; i < odd; i++) {
        uint32_t at = reverse ? odd - 1 - i : i;

        CHECK_OK(catalog_writer_entry(w, 2, odd_names[at], strlen(odd_names[at]), 10 + at, &err),
                 err);
        write_inode(w, 10 + at, S_IFREG | 0644, NULL);
    }
    CHECK_OK(catalog_writer_entry(w, 2, "sub", 3, 3, &err), err);
    CHECK_OK(catalog_writer_entry(w, 3, "hard", 4, 10, &err), err);
    CHECK_OK(catalog_writer_entry(w, 3, "link", 4, 4, &err), err);
    write_inode(w, 4, S_IFLNK | 0777, "../\xff target");
    write_inode(w, 3, S_IFDIR | 0755, NULL);
    write_inode(w, 2, S_IFDIR | 01777, NULL);
    CHECK_OK(catalog_writer_xattr(w, 10, "user.z", "z\0z", 3, &err), err);
    CHECK_OK(catalog_writer_xattr(w, 10, "system.posix_acl_access", "", 0, &err), err);
}

__attribute__((unused)) static int try_image(struct catalog *cat, const char *uuid, int64_t date_s,
                                             struct error *err)
{
    struct catalog_image image = image_of(uuid, date_s);
    struct catalog_writer *w;
    int rc = catalog_writer_begin(cat, uuid, &w, err);

    if (rc != 0)
        return rc;
    write_tree(w, false);
    return catalog_writer_commit(w, &image, fixture_parts, 2, err);
}

__attribute__((unused)) static void add_image(const char *uuid, int64_t date_s)
{
    struct error err = ERROR_INIT;

    CHECK_OK(try_image(fixture, uuid, date_s, &err), err);
}

#endif
