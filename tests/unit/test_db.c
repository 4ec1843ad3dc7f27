/* SPDX-License-Identifier: Apache-2.0 */
/* test_db.c - the SQLite wrapper: what it keeps, what it refuses, what it says. */
#include "tests/unit/check.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/db.h"

static const struct db_format format = {
    .what = "test database",
    .application_id = 0x43617054,
    .version = 2,
    .schema = "CREATE TABLE place(barcode TEXT PRIMARY KEY, element INTEGER NOT NULL) STRICT;"
              "CREATE TABLE note(barcode TEXT NOT NULL REFERENCES place, body BLOB) STRICT;",
};

static char dir[64];
static char path[128];

static void fresh(void)
{
    strcpy(dir, "/tmp/capstan-db-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/odd ?name#%%41.db", dir);
}

static void clean(void)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    CU_ASSERT_EQUAL(system(command), 0);
}

/* Change the file as a stranger would, by a connection without any of our protections. */
static void tamper(const char *sql)
{
    sqlite3 *raw = NULL;
    char *message = NULL;

    CU_ASSERT_EQUAL_FATAL(sqlite3_open(path, &raw), SQLITE_OK);
    if (sqlite3_exec(raw, sql, NULL, NULL, &message) != SQLITE_OK)
        printf("\n    tamper: %s\n", message);
    CU_ASSERT_PTR_NULL(message);
    sqlite3_close(raw);
}

static int insert(struct db *db, const char *barcode, int64_t element, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(db, "INSERT INTO place(barcode, element) VALUES(?1, ?2)", &q, err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, barcode);
    db_bind_int(q, 2, element);
    return db_run(q, err);
}

static int64_t count(struct db *db)
{
    struct error err = ERROR_INIT;
    int64_t n = -1;

    CHECK_OK(db_get_int(db, "SELECT count(*) FROM place", &n, &err), err);
    return n;
}

static void make(void)
{
    struct error err = ERROR_INIT;
    struct db *db = NULL;

    CHECK_OK(db_open(path, &format, DB_CREATE, &db, &err), err);
    CHECK_OK(insert(db, "ABC001L8", 1000, &err), err);
    db_close(db);
}

static void test_create_and_reopen(void)
{
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    struct stat st;

    fresh();
    CHECK_FAILS(db_open(path, &format, DB_READ_WRITE, &db, &err), ERR_NOT_FOUND, err);
    make();
    CU_ASSERT_EQUAL(stat(path, &st), 0); /* the odd name was not taken for a URI */
    CHECK_OK(db_open(path, &format, DB_READ_WRITE, &db, &err), err);
    CU_ASSERT_EQUAL(count(db), 1);
    CHECK_FAILS(insert(db, "ABC001L8", 1, &err), ERR_EXISTS, err);
    CHECK_FAILS(db_exec(db, "INSERT INTO place VALUES('B', 'no number')", &err), ERR_STATE, err);
    CHECK_FAILS(db_exec(db, "INSERT INTO note VALUES('NONE', x'00')", &err), ERR_STATE, err);
    CU_ASSERT_FALSE(db_readonly(db));
    CHECK_OK(db_check(db, &err), err);
    db_close(db);
    clean();
}

static void test_statements(void)
{
    struct error err = ERROR_INIT;
    struct db_query *q = NULL, *again = NULL;
    struct db *db = NULL;
    char text[9];
    size_t len;
    bool row;

    fresh();
    make();
    CHECK_OK(db_open(path, &format, DB_READ_WRITE, &db, &err), err);
    CHECK_OK(db_prepare(db, "INSERT INTO note VALUES(?1, ?2)", &q, &err), err);
    for (int i = 0; i < 3; i++) {
        db_bind_text(q, 1, "ABC001L8");
        if (i > 0)
            db_bind_blob(q, 2, "a\0b", i == 1 ? 0 : 3);
        CHECK_OK(db_run(q, &err), err);
        CU_ASSERT_EQUAL(db_changes(db), 1);
    }
    db_bind_int(q, 3, 1); /* no such parameter */
    CHECK_FAILS(db_run(q, &err), ERR_INTERNAL, err);
    db_finish(q);

    CHECK_OK(db_prepare(db, "SELECT barcode, body FROM note ORDER BY rowid", &q, &err), err);
    CHECK_OK(db_prepare(db, "SELECT barcode, body FROM note ORDER BY rowid", &again, &err), err);
    CU_ASSERT_PTR_NOT_EQUAL(q, again); /* one text, two users */
    CHECK_OK(db_step(q, &row, &err), err);
    CU_ASSERT_TRUE(row);
    CU_ASSERT_TRUE(db_column_null(q, 1));
    CHECK_OK(db_column_string(q, 0, text, sizeof(text), &err), err);
    CU_ASSERT_STRING_EQUAL(text, "ABC001L8");
    CHECK_FAILS(db_column_string(q, 0, text, 8, &err), ERR_CORRUPT, err);
    CHECK_OK(db_step(q, &row, &err), err);
    CU_ASSERT_FALSE(db_column_null(q, 1)); /* an empty blob is not NULL */
    CU_ASSERT_PTR_NOT_NULL(db_column_blob(q, 1, &len));
    CU_ASSERT_EQUAL(len, 0);
    CHECK_OK(db_step(q, &row, &err), err);
    CU_ASSERT_EQUAL(memcmp(db_column_blob(q, 1, &len), "a\0b", 3), 0);
    CU_ASSERT_EQUAL(len, 3);
    CHECK_FAILS(db_column_string(q, 1, text, sizeof(text), &err), ERR_CORRUPT, err); /* a NUL */
    CHECK_OK(db_step(q, &row, &err), err);
    CU_ASSERT_FALSE(row);
    db_finish(q);
    db_finish(again);
    CHECK_OK(db_prepare(db, "SELECT barcode, body FROM note ORDER BY rowid", &q, &err), err);
    CU_ASSERT_TRUE(q == again); /* the cache gave one of them back */
    db_finish(q);
    CHECK_FAILS(db_prepare(db, "SELECT nothing", &q, &err), ERR_INTERNAL, err);
    db_close(db);
    clean();
}

static int two_inserts(struct db *db, bool commit, struct error *err)
{
    DB_TRANSACTION(db);
    int rc = db_begin(db, err);

    if (rc == 0)
        rc = insert(db, "TX0001L8", 1, err);
    if (rc == 0)
        rc = insert(db, "TX0002L8", 2, err);
    if (rc == 0 && commit)
        rc = db_commit(db, err);
    return rc;
}

static void test_transactions(void)
{
    struct error err = ERROR_INIT;
    struct db *db = NULL;

    fresh();
    make();
    CHECK_OK(db_open(path, &format, DB_READ_WRITE, &db, &err), err);
    CHECK_OK(two_inserts(db, false, &err), err);
    CU_ASSERT_FALSE(db_in_transaction(db));
    CU_ASSERT_EQUAL(count(db), 1);
    CHECK_OK(two_inserts(db, true, &err), err);
    CU_ASSERT_EQUAL(count(db), 3);
    CHECK_FAILS(two_inserts(db, true, &err), ERR_EXISTS, err);
    CU_ASSERT_FALSE(db_in_transaction(db));
    db_rollback(db); /* nothing to do, nothing happens */
    CHECK_OK(db_begin(db, &err), err);
    CHECK_OK(insert(db, "TX0003L8", 3, &err), err);
    db_close(db); /* rolls back */
    CHECK_OK(db_open(path, &format, DB_READ_WRITE, &db, &err), err);
    CU_ASSERT_EQUAL(count(db), 3);
    db_close(db);
    clean();
}

/* Two processes make the same database at once and write into it at once. */
static void test_two_processes(void)
{
    enum { ROWS = 50 };
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    pid_t pids[2];

    fresh();
    for (int p = 0; p < 2; p++) {
        pids[p] = fork();
        if (pids[p] == 0) {
            char barcode[16];
            int rc = db_open(path, &format, DB_CREATE, &db, &err);

            for (int i = 0; i < ROWS && rc == 0; i++) {
                snprintf(barcode, sizeof(barcode), "P%dN%d", p, i);
                rc = insert(db, barcode, i, &err);
            }
            if (rc != 0)
                fprintf(stderr, "process %d: %s\n", p, err.message);
            db_close(db);
            _exit(rc != 0);
        }
    }
    for (int p = 0; p < 2; p++) {
        int status = -1;

        CU_ASSERT_EQUAL(waitpid(pids[p], &status, 0), pids[p]);
        CU_ASSERT_EQUAL(status, 0);
    }
    CHECK_OK(db_open(path, &format, DB_READ_WRITE, &db, &err), err);
    CU_ASSERT_EQUAL(count(db), 2 * ROWS);
    db_close(db);
    clean();
}

/* Whatever was done to the file: refused with this code, and the file stays as it is. */
static void refused(enum error_code code)
{
    struct error err = ERROR_INIT;
    struct db *db = NULL;

    CHECK_FAILS(db_open(path, &format, DB_READ_WRITE, &db, &err), code, err);
    CU_ASSERT_PTR_NULL(db);
    CHECK_FAILS(db_open(path, &format, DB_CREATE, &db, &err), code, err);
    CHECK_FAILS(db_open(path, &format, DB_IMMUTABLE, &db, &err), code, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "test database"));
}

static void test_foreign(void)
{
    static const char *const changes[] = {
        "PRAGMA application_id=1",
        "PRAGMA user_version=3",
        "PRAGMA user_version=1",
        "CREATE TABLE extra(a)",
        "CREATE VIEW v AS SELECT * FROM place",
        "CREATE TRIGGER t AFTER INSERT ON place BEGIN DELETE FROM note; END",
        "CREATE INDEX i ON place(element)",
        "ALTER TABLE place ADD COLUMN g INTEGER AS (abs(-9223372036854775808))",
        "DROP TABLE note; DROP TABLE place; CREATE TABLE place(barcode, element)",
    };

    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        fresh();
        make();
        tamper(changes[i]);
        refused(ERR_FORMAT);
        clean();
    }
}

static void write_file(const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fwrite(data, 1, len, f), len);
    fclose(f);
}

static void test_damaged(void)
{
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    char junk[8192];
    int fd;

    fresh();
    memset(junk, 'j', sizeof(junk));
    write_file(junk, sizeof(junk));
    refused(ERR_FORMAT);

    write_file("", 0);
    CHECK_FAILS(db_open(path, &format, DB_READ_WRITE, &db, &err), ERR_FORMAT, err);
    CHECK_OK(db_open(path, &format, DB_CREATE, &db, &err), err); /* empty: made */
    db_close(db);
    unlink(path);

    make();
    CU_ASSERT_EQUAL(truncate(path, 4096), 0); /* the schema refers to pages that are gone */
    CHECK_FAILS(db_open(path, &format, DB_READ_WRITE, &db, &err), ERR_CORRUPT, err);
    unlink(path);

    make();
    fd = open(path, O_WRONLY);
    CU_ASSERT_EQUAL(pwrite(fd, junk, 4000, 4096), 4000); /* the b-tree of a table */
    close(fd);
    CHECK_OK(db_open(path, &format, DB_READ_WRITE, &db, &err), err);
    CHECK_FAILS(db_check(db, &err), ERR_CORRUPT, err);
    CHECK_FAILS(insert(db, "X", 1, &err), ERR_CORRUPT, err);
    db_close(db);
    unlink(path);

    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    db = NULL;
    CU_ASSERT_NOT_EQUAL(db_open(path, &format, DB_CREATE, &db, &err), 0);
    CU_ASSERT_PTR_NULL(db);
    clean();
}

static void test_check_finds_dangling_rows(void)
{
    struct error err = ERROR_INIT;
    struct db *db = NULL;

    fresh();
    make();
    tamper("INSERT INTO note VALUES('NONE', NULL)"); /* foreign keys are off by default there */
    CHECK_OK(db_open(path, &format, DB_READ_WRITE, &db, &err), err);
    CHECK_FAILS(db_check(db, &err), ERR_CORRUPT, err);
    db_close(db);
    clean();
}

static void test_build_and_immutable(void)
{
    struct error err = ERROR_INIT;
    struct db *db = NULL;
    char journal[160];

    fresh();
    CHECK_OK(db_open(path, &format, DB_BUILD, &db, &err), err);
    CHECK_OK(db_begin(db, &err), err);
    CHECK_OK(insert(db, "TX0000L8", 0, &err), err);
    snprintf(journal, sizeof(journal), "%s-journal", path);
    CU_ASSERT_NOT_EQUAL(access(journal, F_OK), 0);
    CHECK_OK(db_commit(db, &err), err);
    CHECK_OK(two_inserts(db, true, &err), err);
    db_close(db);
    CHECK_FAILS(db_open(path, &format, DB_BUILD, &db, &err), ERR_EXISTS, err);
    CHECK_OK(db_open(path, &format, DB_IMMUTABLE, &db, &err), err);
    CU_ASSERT_TRUE(db_readonly(db));
    CU_ASSERT_EQUAL(count(db), 3);
    CHECK_FAILS(insert(db, "X", 1, &err), ERR_PERMISSION, err);
    db_close(db);
    clean();
}

/* ---- an older version ------------------------------------------------------------------------ */

#define NOTED "CREATE TABLE noted(barcode TEXT PRIMARY KEY) STRICT;"
#define SEEN  "CREATE TABLE seen(barcode TEXT PRIMARY KEY) STRICT;"

static int open_as(const struct db_format *f, enum db_mode mode, struct db **out, struct error *err)
{
    *out = NULL;
    return db_open(path, f, mode, out, err);
}

static void test_upgrade(void)
{
    static struct db_format third, fourth, broken;
    struct error err = ERROR_INIT;
    struct db *db;
    char schema[1024];
    int64_t n = -1;

    fresh();
    snprintf(schema, sizeof(schema), "%s" NOTED SEEN, format.schema);
    third = (struct db_format){"test database", format.application_id, 3, NULL, &format, NOTED};
    fourth = (struct db_format){"test database", format.application_id, 4, schema, &third, SEEN};
    broken = fourth;
    broken.upgrade = "CREATE TABLE seen(barcode TEXT) STRICT";
    CHECK_OK(open_as(&format, DB_CREATE, &db, &err), err);
    CHECK_OK(insert(db, "OLD001L8", 7, &err), err);
    db_close(db);
    CHECK_FAILS(open_as(&broken, DB_READ_WRITE, &db, &err), ERR_FORMAT, err);
    CHECK_OK(open_as(&format, DB_READ_WRITE, &db, &err), err); /* it is as it was */
    db_close(db);
    CHECK_FAILS(open_as(&fourth, DB_IMMUTABLE, &db, &err), ERR_FORMAT, err);
    CHECK_OK(open_as(&fourth, DB_READ_WRITE, &db, &err), err); /* two steps at once */
    CU_ASSERT_EQUAL(count(db), 1);
    CHECK_OK(db_get_int(db, "SELECT count(*) FROM seen", &n, &err), err);
    CHECK_OK(db_get_int(db, "PRAGMA user_version", &n, &err), err);
    CU_ASSERT_EQUAL(n, 4);
    db_close(db);
    CHECK_FAILS(open_as(&format, DB_READ_WRITE, &db, &err), ERR_FORMAT, err);
    tamper("PRAGMA user_version = 2"); /* it says that it is old, and is not */
    CHECK_FAILS(open_as(&fourth, DB_READ_WRITE, &db, &err), ERR_FORMAT, err);
    clean();
}

static const struct check_test tests[] = {
    {"create and reopen", test_create_and_reopen},
    {"statements", test_statements},
    {"transactions", test_transactions},
    {"two processes", test_two_processes},
    {"foreign", test_foreign},
    {"damaged", test_damaged},
    {"check finds dangling rows", test_check_finds_dangling_rows},
    {"build and immutable", test_build_and_immutable},
    {"upgrade", test_upgrade},
};

CHECK_MAIN("db", tests)
