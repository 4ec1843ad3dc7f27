/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db.c - errors, statements, transactions and checking; see db.h.  Opening is in db_open.c.
 */
#include "common/db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/db_internal.h"

/* ---- errors ---------------------------------------------------------------------------------- */

static const struct {
    int primary; /* SQLite's primary result code */
    enum error_code code;
} code_table[] = {
    {SQLITE_BUSY, ERR_BUSY},        {SQLITE_LOCKED, ERR_BUSY},
    {SQLITE_CORRUPT, ERR_CORRUPT},  {SQLITE_NOTADB, ERR_FORMAT},
    {SQLITE_FULL, ERR_NO_SPACE},    {SQLITE_IOERR, ERR_IO},
    {SQLITE_CANTOPEN, ERR_IO},      {SQLITE_READONLY, ERR_PERMISSION},
    {SQLITE_PERM, ERR_PERMISSION},  {SQLITE_AUTH, ERR_PERMISSION},
    {SQLITE_NOMEM, ERR_NO_MEMORY},  {SQLITE_TOOBIG, ERR_RANGE},
    {SQLITE_RANGE, ERR_INTERNAL},   {SQLITE_CONSTRAINT, ERR_STATE},
    {SQLITE_MISMATCH, ERR_CORRUPT}, {SQLITE_INTERRUPT, ERR_CANCELLED},
    {SQLITE_MISUSE, ERR_INTERNAL},
};

static enum error_code code_of(sqlite3 *handle, int rc)
{
    int extended = sqlite3_extended_errcode(handle);
    int sys = sqlite3_system_errno(handle);

    if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY ||
        extended == SQLITE_CONSTRAINT_ROWID)
        return ERR_EXISTS;
    if ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN) {
        if (sys == ENOSPC || sys == EDQUOT)
            return ERR_NO_SPACE;
        if (sys == ENOENT)
            return ERR_NOT_FOUND;
        if (sys == EACCES || sys == EPERM || sys == EROFS)
            return ERR_PERMISSION;
    }
    for (size_t i = 0; i < sizeof(code_table) / sizeof(code_table[0]); i++)
        if (code_table[i].primary == (rc & 0xff))
            return code_table[i].code;
    return ERR_INTERNAL;
}

/* What the user can do about it. */
static const char *advice_of(enum error_code code)
{
    switch (code) {
    case ERR_BUSY:
        return "; another process holds it, try again";
    case ERR_CORRUPT:
        return "; the file is damaged, bring back a copy or rebuild it";
    case ERR_NO_SPACE:
        return "; make room and try again";
    default:
        return "";
    }
}

int db_error(struct db *db, int rc, struct error *err)
{
    enum error_code code = code_of(db->handle, rc);
    int sys = sqlite3_system_errno(db->handle);

    if (code == ERR_FORMAT)
        return error_set(err, code, "%s is not a Capstan %s: it is not an SQLite database",
                         db->path, db->format->what);
    if (code == ERR_NOT_FOUND)
        return error_set(err, code, "There is no %s %s", db->format->what, db->path);
    if ((rc & 0xff) == SQLITE_CANTOPEN && sys) {
        errno = sys;
        return error_errno(err, "Cannot open the %s %s", db->format->what, db->path);
    }
    return error_set(err, code, "%s %s: %s%s", db->format->what, db->path,
                     sqlite3_errmsg(db->handle), advice_of(code));
}

/* ---- statements ------------------------------------------------------------------------------ */

int db_prepare(struct db *db, const char *sql, struct db_query **out, struct error *err)
{
    struct db_query *q;
    int rc;

    for (q = db->queries; q; q = q->next) {
        if (!q->in_use && (q->sql == sql || strcmp(q->sql, sql) == 0)) {
            q->in_use = true;
            *out = q;
            return 0;
        }
    }
    q = calloc(1, sizeof(*q));
    if (!q)
        return error_set(err, ERR_NO_MEMORY, "No memory for a database statement");
    rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &q->stmt, NULL);
    if (rc != SQLITE_OK) {
        free(q);
        return db_error(db, rc, err);
    }
    q->db = db;
    q->sql = sql;
    q->in_use = true;
    q->next = db->queries;
    db->queries = q;
    *out = q;
    return 0;
}

static void note_bind(struct db_query *q, int rc)
{
    if (q->bind_rc == SQLITE_OK)
        q->bind_rc = rc;
}

void db_bind_int(struct db_query *q, int param, int64_t value)
{
    note_bind(q, sqlite3_bind_int64(q->stmt, param, value));
}

void db_bind_text(struct db_query *q, int param, const char *text)
{
    note_bind(q, sqlite3_bind_text(q->stmt, param, text, -1, SQLITE_TRANSIENT));
}

void db_bind_blob(struct db_query *q, int param, const void *data, size_t len)
{
    /* A null pointer would bind NULL; an empty blob is not NULL. */
    note_bind(q, sqlite3_bind_blob64(q->stmt, param, len > 0 ? data : "", len, SQLITE_TRANSIENT));
}

void db_bind_null(struct db_query *q, int param)
{
    note_bind(q, sqlite3_bind_null(q->stmt, param));
}

int db_step(struct db_query *q, bool *row, struct error *err)
{
    int rc = q->bind_rc;

    *row = false;
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q->stmt);
    if (rc == SQLITE_ROW) {
        *row = true;
        return 0;
    }
    if (rc == SQLITE_DONE)
        return 0;
    return db_error(q->db, rc, err);
}

static void query_reset(struct db_query *q)
{
    sqlite3_reset(q->stmt);
    sqlite3_clear_bindings(q->stmt);
    q->bind_rc = SQLITE_OK;
}

int db_run(struct db_query *q, struct error *err)
{
    bool row;
    int rc = db_step(q, &row, err);

    query_reset(q);
    if (rc == 0 && row)
        return error_set(err, ERR_INTERNAL, "A statement that should change data gave rows: %s",
                         q->sql);
    return rc;
}

int64_t db_column_int(struct db_query *q, int column)
{
    return sqlite3_column_int64(q->stmt, column);
}

bool db_column_null(struct db_query *q, int column)
{
    return sqlite3_column_type(q->stmt, column) == SQLITE_NULL;
}

const void *db_column_blob(struct db_query *q, int column, size_t *len)
{
    const void *data = sqlite3_column_blob(q->stmt, column);

    *len = data ? (size_t)sqlite3_column_bytes(q->stmt, column) : 0;
    return data ? data : "";
}

int db_column_string(struct db_query *q, int column, char *dst, size_t size, struct error *err)
{
    size_t len;
    const void *data = db_column_blob(q, column, &len);

    if (len >= size || memchr(data, '\0', len))
        return error_set(err, ERR_CORRUPT, "%s %s: a text of %zu bytes is too long or holds a NUL",
                         q->db->format->what, q->db->path, len);
    memcpy(dst, data, len);
    dst[len] = '\0';
    return 0;
}

void db_finish(struct db_query *q)
{
    if (!q)
        return;
    query_reset(q);
    q->in_use = false;
}

void db_query_end(struct db_query **q)
{
    db_finish(*q);
}

int db_exec(struct db *db, const char *sql, struct error *err)
{
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : db_error(db, rc, err);
}

int db_get_int(struct db *db, const char *sql, int64_t *value, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    bool row;
    int rc = db_prepare(db, sql, &q, err);

    if (rc == 0)
        rc = db_step(q, &row, err);
    if (rc != 0)
        return rc;
    if (!row)
        return error_set(err, ERR_NOT_FOUND, "%s %s: no row for: %s", db->format->what, db->path,
                         sql);
    *value = db_column_int(q, 0);
    return 0;
}

int64_t db_changes(const struct db *db)
{
    return sqlite3_changes64(db->handle);
}

/* ---- transactions ---------------------------------------------------------------------------- */

int db_begin(struct db *db, struct error *err)
{
    return db_exec(db, "BEGIN IMMEDIATE", err);
}

int db_commit(struct db *db, struct error *err)
{
    return db_exec(db, "COMMIT", err);
}

bool db_in_transaction(const struct db *db)
{
    return !sqlite3_get_autocommit(db->handle);
}

void db_rollback(struct db *db)
{
    /* It can only fail where SQLite has rolled back by itself already (lang_transaction). */
    if (db_in_transaction(db))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

void db_transaction_end(struct db **db)
{
    if (*db)
        db_rollback(*db);
}

const char *db_path(const struct db *db)
{
    return db->path;
}

bool db_readonly(const struct db *db)
{
    return db->readonly;
}

/* ---- checking -------------------------------------------------------------------------------- */

static int check_foreign_keys(struct db *db, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    char table[64] = "";
    bool row;
    int rc = db_prepare(db, "PRAGMA foreign_key_check", &q, err);

    if (rc == 0)
        rc = db_step(q, &row, err);
    if (rc != 0 || !row)
        return rc;
    rc = db_column_string(q, 0, table, sizeof(table), err);
    if (rc != 0)
        return rc;
    return error_set(err, ERR_CORRUPT, "%s %s: a row of table %s refers to one that is not there",
                     db->format->what, db->path, table);
}

int db_check(struct db *db, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    const void *verdict = "no answer";
    size_t len = 9;
    bool row;
    int rc = db_prepare(db, "PRAGMA quick_check(1)", &q, err);

    if (rc == 0)
        rc = db_step(q, &row, err);
    if (rc == 0 && row)
        verdict = db_column_blob(q, 0, &len);
    if (rc != 0)
        return rc;
    if (len != 2 || memcmp(verdict, "ok", 2) != 0)
        return error_set(err, ERR_CORRUPT, "%s %s: %.*s%s", db->format->what, db->path,
                         (int)(len < 200 ? len : 200), (const char *)verdict,
                         advice_of(ERR_CORRUPT));
    return check_foreign_keys(db, err);
}
