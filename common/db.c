/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db.c - see db.h.
 *
 * Opening goes: connection, limits, is it ours (or empty and to be made), then the journal mode:
 * a file that is not ours is never written to.  Two processes that make a database at the same
 * time are kept apart by BEGIN IMMEDIATE; the second finds it made.
 */
#include "common/db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

struct db {
    sqlite3 *handle;
    const struct db_format *format;
    struct db_query *queries; /* the statement cache, most recently made first */
    char *path;
    bool readonly;
};

/* Invariant: a query is in its db's list from db_prepare() that made it until db_close(); in_use
 * says whether a caller has it. */
struct db_query {
    struct db *db;
    sqlite3_stmt *stmt;
    const char *sql;
    struct db_query *next;
    int bind_rc; /* the first failed bind, SQLITE_OK if none */
    bool in_use;
};

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

static int db_error(struct db *db, int rc, struct error *err)
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

/* ---- opening --------------------------------------------------------------------------------- */

static void db_defend(sqlite3 *handle)
{
    static const struct {
        int option, on;
    } options[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},        {SQLITE_DBCONFIG_DQS_DDL, 0},
    };
    static const struct {
        int limit, value;
    } limits[] = {
        {SQLITE_LIMIT_LENGTH, 16 << 20},   {SQLITE_LIMIT_SQL_LENGTH, 64 << 10},
        {SQLITE_LIMIT_COLUMN, 64},         {SQLITE_LIMIT_EXPR_DEPTH, 32},
        {SQLITE_LIMIT_COMPOUND_SELECT, 8}, {SQLITE_LIMIT_VDBE_OP, 25000},
        {SQLITE_LIMIT_FUNCTION_ARG, 8},    {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 4},   {SQLITE_LIMIT_WORKER_THREADS, 0},
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        sqlite3_db_config(handle, options[i].option, options[i].on, NULL);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        sqlite3_limit(handle, limits[i].limit, limits[i].value);
    sqlite3_busy_timeout(handle, DB_BUSY_MS);
}

/* "file:" URI of path: the only way to say immutable=1.  Every byte that could mean something in a
 * URI is escaped.  free() it. */
static char *db_uri(const char *path, enum db_mode mode)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
    const char *tail = mode == DB_IMMUTABLE ? "?immutable=1" : "";
    size_t room = strlen(path) * 3 + sizeof("file:./") + strlen(tail);
    char *uri = malloc(room);
    size_t used;

    if (!uri)
        return NULL;
    /* "file://x" would be an authority; "file:/x" and "file:./x" are paths. */
    used = (size_t)snprintf(uri, room, "file:%s", path[0] == '/' ? "" : "./");
    while (path[0] == '/' && path[1] == '/')
        path++;
    for (; *path; path++) {
        if (strchr(plain, *path))
            uri[used++] = *path;
        else
            used += (size_t)snprintf(uri + used, room - used, "%%%02x", (unsigned char)*path);
    }
    snprintf(uri + used, room - used, "%s", tail);
    return uri;
}

/* Every object of the schema in one text; free() it. */
static int schema_text(struct db *db, sqlite3 *handle, char **out, struct error *err)
{
    sqlite3_str *text = sqlite3_str_new(NULL);
    sqlite3_stmt *stmt = NULL;
    char *joined;
    int rc;

    /* sqlite_stat*: what an administrator's ANALYZE left; it is data, not code. */
    rc = sqlite3_prepare_v2(handle,
                            "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema "
                            "WHERE name NOT LIKE 'sqlite~_stat%' ESCAPE '~' ORDER BY type, name",
                            -1, &stmt, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        for (int column = 0; column < 4; column++)
            sqlite3_str_appendf(text, "%s|", sqlite3_column_text(stmt, column));
        rc = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    joined = sqlite3_str_finish(text);
    if (rc != SQLITE_DONE) {
        sqlite3_free(joined);
        return db_error(db, rc, err);
    }
    *out = strdup(joined ? joined : "");
    sqlite3_free(joined);
    return *out ? 0 : error_set(err, ERR_NO_MEMORY, "No memory to open %s", db->path);
}

/* ERR_FORMAT unless the schema is exactly what format->schema makes. */
static int check_schema(struct db *db, struct error *err)
{
    CLEANUP_FREE char *have = NULL, *want = NULL;
    sqlite3 *model = NULL;
    int rc = 0;

    if (sqlite3_open(":memory:", &model) != SQLITE_OK ||
        sqlite3_exec(model, db->format->schema, NULL, NULL, NULL) != SQLITE_OK)
        rc = error_set(err, ERR_INTERNAL, "The schema of the %s is wrong: %s", db->format->what,
                       sqlite3_errmsg(model));
    if (rc == 0)
        rc = schema_text(db, model, &want, err);
    if (rc == 0)
        rc = schema_text(db, db->handle, &have, err);
    sqlite3_close(model);
    if (rc == 0 && strcmp(have, want) != 0)
        rc = error_set(err, ERR_FORMAT,
                       "%s is not a proper %s: its tables are not those of version %d; it was "
                       "changed by something else and is left alone",
                       db->path, db->format->what, db->format->version);
    return rc;
}

/* *empty: no application_id, no version, no table: nothing was ever made here. */
static int check_identity(struct db *db, bool *empty, struct error *err)
{
    int64_t id, version, objects;
    int rc = db_get_int(db, "PRAGMA application_id", &id, err);

    if (rc == 0)
        rc = db_get_int(db, "PRAGMA user_version", &version, err);
    if (rc == 0)
        rc = db_get_int(db, "SELECT count(*) FROM sqlite_schema", &objects, err);
    if (rc != 0)
        return rc;
    *empty = id == 0 && version == 0 && objects == 0;
    if (*empty)
        return 0;
    if ((uint32_t)id != db->format->application_id)
        return error_set(err, ERR_FORMAT, "%s is not a Capstan %s (application id %08x)", db->path,
                         db->format->what, (unsigned)(uint32_t)id);
    if (version > db->format->version)
        return error_set(err, ERR_FORMAT,
                         "%s is a %s of version %lld; this program knows up to %d: use a newer one",
                         db->path, db->format->what, (long long)version, db->format->version);
    if (version != db->format->version)
        return error_set(err, ERR_FORMAT, "%s is a %s of version %lld, which was never released",
                         db->path, db->format->what, (long long)version);
    return check_schema(db, err);
}

static int make_schema(struct db *db, struct error *err)
{
    DB_TRANSACTION(db);
    char pragmas[128];
    bool empty;
    int rc = db_begin(db, err);

    if (rc == 0)
        rc = check_identity(db, &empty, err);
    if (rc != 0 || !empty) /* another process was first */
        return rc;
    snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id=%d; PRAGMA user_version=%d",
             (int)db->format->application_id, db->format->version);
    rc = db_exec(db, db->format->schema, err);
    if (rc == 0)
        rc = db_exec(db, pragmas, err);
    if (rc == 0)
        rc = db_commit(db, err);
    return rc;
}

/* A defensive connection refuses to do without a journal; this file is ours and empty. */
static int begin_building(struct db *db, struct error *err)
{
    int rc;

    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    rc = db_exec(
        db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE", err);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return rc;
}

/* WAL is a property of the file.  Changing to it needs the file alone for a moment, and SQLite does
 * not always call the busy handler for it. */
static int enter_wal(struct db *db, struct error *err)
{
    int rc;

    sqlite3_busy_timeout(db->handle, 0);
    for (int waited = 0;; waited += 10) {
        rc = sqlite3_exec(db->handle, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
        if ((rc & 0xff) != SQLITE_BUSY || waited >= DB_BUSY_MS)
            break;
        usleep(10 * 1000);
    }
    sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
    if (rc != SQLITE_OK)
        return db_error(db, rc, err);
    return db_exec(db,
                   "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
                   "PRAGMA journal_size_limit=4194304",
                   err);
}

static int db_set_up(struct db *db, enum db_mode mode, struct error *err)
{
    bool empty;
    int rc =
        db_exec(db, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY", err);

    if (rc == 0)
        rc = check_identity(db, &empty, err);
    if (rc != 0)
        return rc;
    db->readonly = mode == DB_IMMUTABLE || sqlite3_db_readonly(db->handle, "main") == 1;
    if (empty && mode != DB_CREATE && mode != DB_BUILD)
        return error_set(err, ERR_FORMAT, "%s is empty: it is not a Capstan %s", db->path,
                         db->format->what);
    if (!empty && mode == DB_BUILD)
        return error_set(err, ERR_EXISTS, "%s exists already", db->path);
    if (mode == DB_BUILD)
        rc = begin_building(db, err);
    if (rc == 0 && empty)
        rc = make_schema(db, err);
    if (rc == 0 && mode != DB_BUILD && !db->readonly)
        rc = enter_wal(db, err);
    return rc;
}

static int db_connect(struct db *db, enum db_mode mode, struct error *err)
{
    static const int flags[] = {
        [DB_READ_WRITE] = SQLITE_OPEN_READWRITE,
        [DB_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
        [DB_BUILD] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
        [DB_IMMUTABLE] = SQLITE_OPEN_READONLY,
    };
    CLEANUP_FREE char *uri = db_uri(db->path, mode);
    int rc;

    if (!uri)
        return error_set(err, ERR_NO_MEMORY, "No memory to open %s", db->path);
    rc = sqlite3_open_v2(uri, &db->handle, flags[mode] | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
                         NULL);
    if (!db->handle)
        return error_set(err, ERR_NO_MEMORY, "No memory to open %s", db->path);
    sqlite3_extended_result_codes(db->handle, 1);
    if (rc != SQLITE_OK)
        return db_error(db, rc, err);
    db_defend(db->handle);
    return db_set_up(db, mode, err);
}

int db_open(const char *path, const struct db_format *format, enum db_mode mode, struct db **out,
            struct error *err)
{
    struct db *db = calloc(1, sizeof(*db));
    int rc;

    if (db)
        db->path = strdup(path);
    if (!db || !db->path) {
        free(db);
        return error_set(err, ERR_NO_MEMORY, "No memory to open %s", path);
    }
    db->format = format;
    rc = db_connect(db, mode, err);
    if (rc != 0) {
        db_close(db);
        return rc;
    }
    *out = db;
    return 0;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    while (db->queries) {
        struct db_query *q = db->queries;

        db->queries = q->next;
        sqlite3_finalize(q->stmt);
        free(q);
    }
    sqlite3_close_v2(db->handle); /* rolls an open transaction back */
    free(db->path);
    free(db);
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
