/* SPDX-License-Identifier: Apache-2.0 */
/* test_catalog_hostile.c - databases that are damaged, foreign or made to hurt. */
#include "tests/unit/catalog_fixture.h"

#include <sqlite3.h>

/* Change a database as a stranger would: no limits, writable_schema if they like. */
static void tamper(const char *path, const char *sql)
{
    sqlite3 *raw = NULL;
    char *message = NULL;

    CU_ASSERT_EQUAL_FATAL(sqlite3_open(path, &raw), SQLITE_OK);
    if (sqlite3_exec(raw, sql, NULL, NULL, &message) != SQLITE_OK)
        printf("\n    tamper: %s\n", message);
    CU_ASSERT_PTR_NULL(message);
    sqlite3_close(raw);
}

static int ignore_entry(void *ctx, const struct catalog_entry *entry)
{
    unsigned *count = ctx;

    (void)entry;
    (*count)++;
    return 0;
}

static int ignore_xattr(void *ctx, const char *name, const void *value, size_t len)
{
    unsigned *count = ctx;

    (void)name;
    (void)value;
    (void)len;
    (*count)++;
    return *count > 1000;
}

/* Look at everything in an index; the first error, or 0. */
static int walk(const char *uuid, struct error *err)
{
    struct catalog_index *idx;
    unsigned count = 0;
    int rc = catalog_index_open(fixture, uuid, &idx, err);

    if (rc != 0)
        return rc;
    for (uint32_t ino = 2; ino < 20 && rc == 0; ino++) {
        struct catalog_inode inode = {.ino = 0};

        rc = catalog_index_inode(idx, ino, &inode, err);
        catalog_inode_release(&inode);
        if (rc == -ERR_NOT_FOUND)
            rc = 0;
        if (rc == 0)
            rc = catalog_index_entries(idx, ino, NULL, 0, ignore_entry, &count, err);
        if (rc == 0)
            rc = catalog_index_xattrs(idx, ino, ignore_xattr, &count, err);
    }
    catalog_index_close(idx);
    return rc;
}

static void test_foreign_catalog(void)
{
    struct error err = ERROR_INIT;
    struct catalog *cat = NULL;
    char path[160];

    fixture_begin();
    catalog_close(fixture);
    fixture = NULL;
    snprintf(path, sizeof(path), "%s/catalog.db", catalog_dir);
    tamper(path, "CREATE TRIGGER t AFTER INSERT ON image BEGIN DELETE FROM part; END");
    CHECK_FAILS(catalog_open(catalog_dir, true, &cat, &err), ERR_FORMAT, err);
    tamper(path, "DROP TRIGGER t; PRAGMA user_version=2");
    CHECK_FAILS(catalog_open(catalog_dir, false, &cat, &err), ERR_FORMAT, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "newer"));
    tamper(path, "PRAGMA user_version=1; PRAGMA application_id=1130451273"); /* an index's */
    CHECK_FAILS(catalog_open(catalog_dir, false, &cat, &err), ERR_FORMAT, err);
    CHECK_FAILS(catalog_open("/nonexistent/catalog", false, &cat, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(catalog_open("/nonexistent/catalog", true, &cat, &err), ERR_NOT_FOUND, err);
    CU_ASSERT_EQUAL(truncate(path, 100), 0);
    CU_ASSERT_NOT_EQUAL(catalog_open(catalog_dir, false, &cat, &err), 0);
    CU_ASSERT_PTR_NULL(cat);
    fixture_end();
}

/* Rows that no writer of ours makes: catalog_check() names the fault, and reading does not fall
 * over it. */
static void test_rows_that_make_no_sense(void)
{
    static const struct {
        const char *sql;
        bool reading_fails;
    } cases[] = {
        {"DELETE FROM inode WHERE ino = 4", true},
        {"DELETE FROM inode WHERE ino = 2", false},
        {"INSERT INTO dent VALUES(3, x'6c6f6f70', 2)", false}, /* the root inside of itself */
        {"INSERT INTO dent VALUES(3, x'6c6f6f70', 3)", false}, /* a directory with two names */
        {"INSERT INTO dent VALUES(4, x'61', 10)", false},      /* entries in a symlink */
        {"UPDATE inode SET size = -1 WHERE ino = 10", true},
        {"UPDATE inode SET mode = 0 WHERE ino = 3", true},
        {"UPDATE inode SET address = 1000 WHERE ino = 3", false}, /* behind the stream */
        {"INSERT INTO xattr VALUES(500, x'75', x'00')", false},
        {"INSERT INTO dent VALUES(2, x'', 4)", false},
        {"INSERT INTO dent VALUES(2, x'2e', 4)", true},
        {"INSERT INTO xattr VALUES(3, x'', x'')", false},
        {"INSERT INTO xattr VALUES(3, x'750075', x'')", true},
        {"UPDATE dent SET ino = -1 WHERE name = x'737562'", true},
        {"UPDATE dent SET ino = 4294967298 WHERE name = x'737562'", true},
    };
    struct error err = ERROR_INIT;
    char path[160];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_begin();
        add_image(UUID_A, 1000);
        index_path(UUID_A, path);
        tamper(path, cases[i].sql);
        CHECK_FAILS(catalog_check(fixture, &err), ERR_CORRUPT, err);
        CU_ASSERT_EQUAL(walk(UUID_A, &err), cases[i].reading_fails ? -ERR_CORRUPT : 0);
        fixture_end();
    }
}

/* Names and values that would hurt whoever believes them. */
static void test_values_that_hurt(void)
{
    static const char *const cases[] = {
        "INSERT INTO dent VALUES(2, x'2e2e', 3)",
        "INSERT INTO dent VALUES(2, x'612f62', 3)",
        "INSERT INTO dent VALUES(2, x'610062', 3)",
        "INSERT INTO dent VALUES(2, zeroblob(1000000), 3)",
        "UPDATE inode SET link = zeroblob(5000) WHERE ino = 4",
        "UPDATE inode SET link = x'610061' WHERE ino = 4",
        "INSERT INTO xattr VALUES(3, zeroblob(300), x'')",
        "INSERT INTO xattr VALUES(3, x'6161', zeroblob(65537))",
        "UPDATE about SET uuid = '" UUID_B "'",
        "DELETE FROM about",
        "CREATE VIEW v AS SELECT 1",
        "ALTER TABLE dent ADD COLUMN bomb BLOB AS (zeroblob(1000000000))",
        "PRAGMA user_version = 9",
    };
    struct error err = ERROR_INIT;
    char path[160];
    int rc;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fixture_begin();
        add_image(UUID_A, 1000);
        index_path(UUID_A, path);
        tamper(path, cases[i]);
        rc = walk(UUID_A, &err);
        if (rc != -ERR_CORRUPT && rc != -ERR_FORMAT)
            printf("\n    not refused: %s\n", cases[i]);
        CU_ASSERT_TRUE(rc == -ERR_CORRUPT || rc == -ERR_FORMAT);
        fixture_end();
    }
}

static void test_missing_index(void)
{
    struct error err = ERROR_INIT;
    char path[160], other[160];

    fixture_begin();
    add_image(UUID_A, 1000);
    add_image(UUID_B, 1000);
    index_path(UUID_A, path);
    index_path(UUID_B, other);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CHECK_FAILS(walk(UUID_A, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(catalog_check(fixture, &err), ERR_CORRUPT, err);
    CU_ASSERT_EQUAL(rename(other, path), 0); /* the history of another image */
    CHECK_FAILS(walk(UUID_A, &err), ERR_CORRUPT, err);
    CU_ASSERT_EQUAL(symlink("/etc/passwd", other), 0);
    CHECK_FAILS(walk(UUID_B, &err), ERR_FORMAT, err);
    fixture_end();
}

/* Every page of the index turned to noise, one at a time, and the file cut at every page: an error
 * or the right data, never a crash or an endless loop. */
static void test_noise(void)
{
    struct error err = ERROR_INIT;
    char path[160];
    struct stat st;
    uint8_t page[4096], noise[4096];
    unsigned errors = 0;

    fixture_begin();
    add_image(UUID_A, 1000);
    index_path(UUID_A, path);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    for (long at = 0; at < st.st_size; at += 512) {
        FILE *f = fopen(path, "r+b");

        CU_ASSERT_PTR_NOT_NULL_FATAL(f);
        fseek(f, at, SEEK_SET);
        CU_ASSERT_EQUAL(fread(page, 512, 1, f), 1);
        for (size_t i = 0; i < 512; i++)
            noise[i] = (uint8_t)(page[i] ^ (uint8_t)((size_t)at * 31 + i * 7 + 1));
        fseek(f, at, SEEK_SET);
        CU_ASSERT_EQUAL(fwrite(noise, 512, 1, f), 1);
        fclose(f);
        fixture_reopen(); /* nothing may be left in a cache */
        errors += walk(UUID_A, &err) != 0;
        errors += catalog_check(fixture, &err) != 0;
        f = fopen(path, "r+b");
        fseek(f, at, SEEK_SET);
        CU_ASSERT_EQUAL(fwrite(page, 512, 1, f), 1);
        fclose(f);
    }
    CU_ASSERT_TRUE(errors > 10);
    fixture_reopen();
    CHECK_OK(walk(UUID_A, &err), err);
    for (long size = st.st_size - 4096; size >= 0; size -= 4096) {
        CU_ASSERT_EQUAL(truncate(path, size), 0);
        fixture_reopen();
        CU_ASSERT_NOT_EQUAL(catalog_check(fixture, &err), 0);
        walk(UUID_A, &err);
    }
    fixture_end();
}

static const struct check_test tests[] = {
    {"foreign catalog", test_foreign_catalog},
    {"rows that make no sense", test_rows_that_make_no_sense},
    {"values that hurt", test_values_that_hurt},
    {"missing index", test_missing_index},
    {"noise", test_noise},
};

CHECK_MAIN("catalog_hostile", tests)
