/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db.h - SQLite as the project uses it: few calls, every failure a struct error, and a database
 * file treated as hostile input until it has proved to be ours.
 *
 * A database is ours if its application_id, its user_version and its whole schema (every table,
 * index, trigger and view, word for word) are those of the struct db_format it is opened with.
 * So nothing that a stranger planted in a file (triggers, views, generated columns) is ever run;
 * on top of it the connection is set up as SQLite advises for untrusted files: defensive, schema
 * not trusted, cell sizes checked, no memory map, low limits.
 *
 * A transaction:
 *     DB_TRANSACTION(db);                  rolled back at the end of the scope unless committed
 *     rc = db_begin(db, err); ...
 *     rc = db_prepare(db, "INSERT INTO place(barcode, element) VALUES(?1, ?2)", &q, err); ...
 *     db_bind_text(q, 1, barcode);
 *     db_bind_int(q, 2, element);
 *     rc = db_run(q, err); ...
 *     rc = db_commit(db, err);
 *
 * Thread rule: one thread at a time per struct db (the owner's lock); any number of processes.
 */
#ifndef CAPSTAN_COMMON_DB_H
#define CAPSTAN_COMMON_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define DB_BUSY_MS 10000 /* how long a call waits for another process's lock */

struct db;
struct db_query;

/* What a kind of database is; lives as long as any struct db opened with it. */
struct db_format {
    const char *what;        /* for messages: "library database" */
    uint32_t application_id; /* PRAGMA application_id */
    int version;             /* PRAGMA user_version, from 1 */
    const char *schema;      /* statements that make an empty one */
    /* The version before this one and the statements that make this one of it; NULL: there was
     * none.  What upgrade makes must be in schema word for word. */
    const struct db_format *previous;
    const char *upgrade;
};

enum db_mode {
    DB_READ_WRITE, /* an existing one; falls back to reading if the file may not be written */
    DB_CREATE,     /* the same, made first if it is missing */
    DB_BUILD,      /* fill a new or empty file that nobody else looks at: no journal, no locks, no
                    * syncs; the caller syncs and renames it */
    DB_IMMUTABLE,  /* a file that never changes any more: no locks, no journal */
};

/* Open the database at path.  DB_READ_WRITE and DB_CREATE: WAL, synchronous=FULL (a commit is
 * durable), foreign keys enforced; a file of an older version that format knows is brought up to it
 * in one transaction, or ERR_FORMAT if it may not be written.
 * Errors: ERR_NOT_FOUND, ERR_PERMISSION, ERR_FORMAT (foreign, newer, or empty), ERR_CORRUPT,
 * ERR_EXISTS (DB_BUILD of a file that is not empty), ERR_BUSY, ERR_IO, ERR_NO_SPACE. */
int db_open(const char *path, const struct db_format *format, enum db_mode mode, struct db **out,
            struct error *err);

/* Roll back what is open, finish the statements, close; NULL is allowed. */
void db_close(struct db *db);

const char *db_path(const struct db *db);
bool db_readonly(const struct db *db);

/* ---- transactions ---------------------------------------------------------------------------- */

int db_begin(struct db *db, struct error *err); /* BEGIN IMMEDIATE: the writer's lock at once */
int db_commit(struct db *db, struct error *err);
void db_rollback(struct db *db); /* nothing happens outside of a transaction */
bool db_in_transaction(const struct db *db);

void db_transaction_end(struct db **db); /* for DB_TRANSACTION */
#define DB_TRANSACTION(database)                                                                   \
    __attribute__((cleanup(db_transaction_end), unused)) struct db *db_transaction_ = (database)

/* ---- statements ------------------------------------------------------------------------------ */

/* A prepared statement of the connection's cache, found by its text; db_finish() gives it back.
 * sql must stay valid as long as db: use literals. */
int db_prepare(struct db *db, const char *sql, struct db_query **out, struct error *err);

/* Parameters count from 1; what is not bound is NULL.  Text and blobs are copied.  A failure here
 * is reported by the next db_step() or db_run(). */
void db_bind_int(struct db_query *q, int param, int64_t value);
void db_bind_text(struct db_query *q, int param, const char *text); /* NULL: SQL NULL */
void db_bind_blob(struct db_query *q, int param, const void *data, size_t len);
void db_bind_null(struct db_query *q, int param);

/* *row is true if there is a row to look at, false at the end. */
int db_step(struct db_query *q, bool *row, struct error *err);

/* Run a statement that gives no rows; it can be bound and run again at once. */
int db_run(struct db_query *q, struct error *err);

/* Columns count from 0.  Pointers are valid until the next db_step(), db_run() or db_finish(). */
int64_t db_column_int(struct db_query *q, int column); /* 0 for NULL */
bool db_column_null(struct db_query *q, int column);
const void *db_column_blob(struct db_query *q, int column, size_t *len); /* never NULL; also text */
/* Copy text or bytes to dst and terminate them; ERR_CORRUPT if they hold a NUL or do not fit. */
int db_column_string(struct db_query *q, int column, char *dst, size_t size, struct error *err);

void db_finish(struct db_query *q); /* NULL is allowed */

void db_query_end(struct db_query **q); /* for CLEANUP_DB_QUERY */
#define CLEANUP_DB_QUERY __attribute__((cleanup(db_query_end)))

int db_exec(struct db *db, const char *sql, struct error *err);                    /* no rows */
int db_get_int(struct db *db, const char *sql, int64_t *value, struct error *err); /* one number */
int64_t db_changes(const struct db *db); /* rows changed by the last statement */

/* ---- checking -------------------------------------------------------------------------------- */

/* PRAGMA quick_check and foreign_key_check: ERR_CORRUPT with the first fault found. */
int db_check(struct db *db, struct error *err);

#endif
