/* SPDX-License-Identifier: Apache-2.0 */
/* db_internal.h - what db.c and db_open.c share; nobody else includes it. */
#ifndef CAPSTAN_COMMON_DB_INTERNAL_H
#define CAPSTAN_COMMON_DB_INTERNAL_H

#include <sqlite3.h>

#include "common/db.h"

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

/* The error for SQLite's result code rc of the last call. */
int db_error(struct db *db, int rc, struct error *err);

#endif
