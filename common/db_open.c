/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db_open.c - opening a database, making it, closing it; see db.h.
 *
 * Opening goes: connection, limits, is it ours (or empty and to be made), then the journal mode:
 * a file that is not ours is never written to.  Two processes that make a database at the same
 * time are kept apart by BEGIN IMMEDIATE; the second finds it made.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/db_internal.h"

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
static int check_schema(struct db *db, const struct db_format *format, struct error *err)
{
    CLEANUP_FREE char *have = NULL, *want = NULL;
    sqlite3 *model = NULL;
    int rc = 0;

    if (sqlite3_open(":memory:", &model) != SQLITE_OK ||
        sqlite3_exec(model, format->schema, NULL, NULL, NULL) != SQLITE_OK)
        rc = error_set(err, ERR_INTERNAL, "The schema of the %s is wrong: %s", format->what,
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
                       db->path, format->what, format->version);
    return rc;
}

/* The format of a version, which is db's or one before it; NULL: there never was such a one. */
static const struct db_format *format_of(const struct db *db, int64_t version)
{
    const struct db_format *f = db->format;

    while (f && f->version != version)
        f = f->previous;
    return f;
}

/* *found: what the file is; NULL: no application_id, no version, no table: nothing was ever made
 * here. */
static int check_identity(struct db *db, const struct db_format **found, struct error *err)
{
    int64_t id, version, objects;
    int rc = db_get_int(db, "PRAGMA application_id", &id, err);

    if (rc == 0)
        rc = db_get_int(db, "PRAGMA user_version", &version, err);
    if (rc == 0)
        rc = db_get_int(db, "SELECT count(*) FROM sqlite_schema", &objects, err);
    if (rc != 0)
        return rc;
    *found = NULL;
    if (id == 0 && version == 0 && objects == 0)
        return 0;
    if ((uint32_t)id != db->format->application_id)
        return error_set(err, ERR_FORMAT, "%s is not a Capstan %s (application id %08x)", db->path,
                         db->format->what, (unsigned)(uint32_t)id);
    if (version > db->format->version)
        return error_set(err, ERR_FORMAT,
                         "%s is a %s of version %lld; this program knows up to %d: use a newer one",
                         db->path, db->format->what, (long long)version, db->format->version);
    *found = format_of(db, version);
    if (!*found)
        return error_set(err, ERR_FORMAT, "%s is a %s of version %lld, which was never released",
                         db->path, db->format->what, (long long)version);
    return check_schema(db, *found, err);
}

/* Run the upgrades from `from`, which the file is, to `to`. */
static int upgrade_steps(struct db *db, const struct db_format *from, const struct db_format *to,
                         struct error *err)
{
    int rc = from == to ? 0 : upgrade_steps(db, from, to->previous, err);

    return rc == 0 && from != to ? db_exec(db, to->upgrade, err) : rc;
}

/* Another process may have been first; a failure or a crash leaves the old version. */
static int upgrade_schema(struct db *db, struct error *err)
{
    DB_TRANSACTION(db);
    const struct db_format *found;
    char pragma[64];
    int rc;

    if (db->readonly)
        return error_set(err, ERR_FORMAT,
                         "%s is a %s of an older version and may not be written: open it once as "
                         "its owner",
                         db->path, db->format->what);
    snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%d", db->format->version);
    if ((rc = db_begin(db, err)) != 0 || (rc = check_identity(db, &found, err)) != 0 ||
        found == db->format)
        return rc;
    if ((rc = upgrade_steps(db, found, db->format, err)) != 0 ||
        (rc = db_exec(db, pragma, err)) != 0 || (rc = check_schema(db, db->format, err)) != 0)
        return rc;
    return db_commit(db, err);
}

static int make_schema(struct db *db, struct error *err)
{
    DB_TRANSACTION(db);
    const struct db_format *found;
    char pragmas[128];
    int rc = db_begin(db, err);

    if (rc == 0)
        rc = check_identity(db, &found, err);
    if (rc != 0 || found) /* another process was first */
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
    const struct db_format *found;
    int rc =
        db_exec(db, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY", err);

    if (rc == 0)
        rc = check_identity(db, &found, err);
    if (rc != 0)
        return rc;
    db->readonly = mode == DB_IMMUTABLE || sqlite3_db_readonly(db->handle, "main") == 1;
    if (!found && mode != DB_CREATE && mode != DB_BUILD)
        return error_set(err, ERR_FORMAT, "%s is empty: it is not a Capstan %s", db->path,
                         db->format->what);
    if (found && mode == DB_BUILD)
        return error_set(err, ERR_EXISTS, "%s exists already", db->path);
    if (mode == DB_BUILD)
        rc = begin_building(db, err);
    if (rc == 0 && !found)
        rc = make_schema(db, err);
    else if (rc == 0 && found != db->format)
        rc = upgrade_schema(db, err);
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
