/* SPDX-License-Identifier: Apache-2.0 */
/* places.c - see places.h. */
#include "vtl/library/places.h"

#include <stdlib.h>
#include <string.h>

#include "common/db.h"

#define TABLE_LIBRARY                                                                              \
    "CREATE TABLE library("                                                                        \
    " id INTEGER PRIMARY KEY CHECK(id = 0),"                                                       \
    " drives INTEGER NOT NULL,"                                                                    \
    " slots INTEGER NOT NULL,"                                                                     \
    " import_export INTEGER NOT NULL,"                                                             \
    " serial TEXT NOT NULL) STRICT;"

/* Elements were known by 16 bits in versions 1 and 2. */
#define TABLES_ELEMENT(last)                                                                       \
    "CREATE TABLE element("                                                                        \
    " address INTEGER PRIMARY KEY CHECK(address BETWEEN 0 AND " last "),"                          \
    " generation INTEGER NOT NULL,"                                                                \
    " changed_ns INTEGER NOT NULL) STRICT;"                                                        \
    "CREATE TABLE place("                                                                          \
    " barcode TEXT PRIMARY KEY NOT NULL,"                                                          \
    " element INTEGER NOT NULL UNIQUE CHECK(element BETWEEN 0 AND " last "),"                      \
    " source INTEGER CHECK(source BETWEEN 0 AND " last "),"                                        \
    " imported INTEGER NOT NULL CHECK(imported IN (0, 1))) STRICT, WITHOUT ROWID;"

#define TABLES_2                                                                                   \
    "CREATE TABLE vault("                                                                          \
    " barcode TEXT PRIMARY KEY NOT NULL,"                                                          \
    " place TEXT NOT NULL,"                                                                        \
    " since_ns INTEGER NOT NULL) STRICT, WITHOUT ROWID;"                                           \
    "CREATE TABLE value("                                                                          \
    " name TEXT PRIMARY KEY NOT NULL,"                                                             \
    " bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;"

#define TABLES_3                                                                                   \
    "CREATE TABLE tag("                                                                            \
    " barcode TEXT PRIMARY KEY NOT NULL,"                                                          \
    " alternate TEXT NOT NULL,"                                                                    \
    " sequence INTEGER NOT NULL CHECK(sequence BETWEEN 0 AND 65535)) STRICT, WITHOUT ROWID;"

/* A CHECK can't be altered: the tables are made again and filled from the old ones. */
#define UPGRADE_3                                                                                  \
    "ALTER TABLE element RENAME TO old_element;"                                                   \
    "ALTER TABLE place RENAME TO old_place;" TABLES_ELEMENT(                                       \
        "131071") "INSERT INTO element SELECT address, generation, changed_ns FROM old_element;"   \
                  "INSERT INTO place SELECT barcode, element, source, imported FROM old_place;"    \
                  "DROP TABLE old_element;"                                                        \
                  "DROP TABLE old_place;" TABLES_3

#define APPLICATION_ID 0x43417073 /* "CAps" */
#define ELEMENT_LAST   131071

static const struct db_format places_format_1 = {
    .what = "library database",
    .application_id = APPLICATION_ID,
    .version = 1,
    .schema = TABLE_LIBRARY TABLES_ELEMENT("65534"),
};

static const struct db_format places_format_2 = {
    .what = "library database",
    .application_id = APPLICATION_ID,
    .version = 2,
    .schema = TABLE_LIBRARY TABLES_ELEMENT("65534") TABLES_2,
    .previous = &places_format_1,
    .upgrade = TABLES_2,
};

static const struct db_format places_format = {
    .what = "library database",
    .application_id = APPLICATION_ID,
    .version = 3,
    .schema = TABLE_LIBRARY TABLES_ELEMENT("131071") TABLES_2 TABLES_3,
    .previous = &places_format_2,
    .upgrade = UPGRADE_3,
};

struct places {
    struct db *db;
};

static int places_connect(const char *path, enum db_mode mode, struct places **out,
                          struct error *err)
{
    struct places *p = calloc(1, sizeof(*p));
    int rc;

    if (!p)
        return error_set(err, ERR_NO_MEMORY, "There is no memory to open %s", path);
    rc = db_open(path, &places_format, mode, &p->db, err);
    if (rc != 0) {
        free(p);
        return rc;
    }
    *out = p;
    return 0;
}

int places_create(const char *path, const struct library_geometry *geometry, struct error *err)
{
    struct places *p;
    int rc = places_connect(path, DB_CREATE, &p, err);

    if (rc != 0)
        return rc;
    rc = places_set_geometry(p, geometry, err);
    places_close(p);
    return rc;
}

int places_open(const char *path, struct places **out, struct error *err)
{
    struct places *p;
    int rc = places_connect(path, DB_READ_WRITE, &p, err);

    if (rc != 0)
        return rc;
    if (db_readonly(p->db))
        rc = error_set(err, ERR_PERMISSION, "%s may not be written by this user", path);
    else
        rc = db_check(p->db, err);
    if (rc != 0) {
        places_close(p);
        return rc;
    }
    *out = p;
    return 0;
}

void places_close(struct places *p)
{
    if (!p)
        return;
    db_close(p->db);
    free(p);
}

int places_get_geometry(struct places *p, struct library_geometry *geometry, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    struct library_geometry g = {0, 0, 0, ""};
    int64_t count[3];
    bool row;
    int rc = db_prepare(p->db, "SELECT drives, slots, import_export, serial FROM library", &q, err);

    if (rc == 0)
        rc = db_step(q, &row, err);
    if (rc != 0)
        return rc;
    if (!row)
        return error_set(err, ERR_CORRUPT, "%s does not say how large the library is",
                         db_path(p->db));
    for (int i = 0; i < 3; i++)
        count[i] = db_column_int(q, i);
    rc = db_column_string(q, 3, g.serial, sizeof(g.serial), err);
    if (rc != 0 || count[0] < 0 || count[0] > LIBRARY_DRIVES_MAX || count[1] < 0 ||
        count[1] > LIBRARY_SLOTS_MAX || count[2] < 0 || count[2] > LIBRARY_IMPORT_EXPORT_MAX ||
        1 + count[0] + count[1] + count[2] > LIBRARY_ELEMENTS_MAX)
        return error_set(err, ERR_CORRUPT, "%s holds an impossible geometry", db_path(p->db));
    g.drives = (unsigned)count[0];
    g.slots = (unsigned)count[1];
    g.import_export = (unsigned)count[2];
    *geometry = g;
    return 0;
}

int places_set_geometry(struct places *p, const struct library_geometry *geometry,
                        struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(p->db,
                        "INSERT OR REPLACE INTO library"
                        "(id, drives, slots, import_export, serial) VALUES(0, ?1, ?2, ?3, ?4)",
                        &q, err);

    if (rc != 0)
        return rc;
    db_bind_int(q, 1, geometry->drives);
    db_bind_int(q, 2, geometry->slots);
    db_bind_int(q, 3, geometry->import_export);
    db_bind_text(q, 4, geometry->serial);
    return db_run(q, err);
}

/* The number of an element; the CHECK of the schema binds only whoever keeps to it. */
static int places_number(struct db_query *q, int column, uint32_t *number, struct error *err)
{
    int64_t value = db_column_int(q, column);

    if (value < 0 || value > ELEMENT_LAST)
        return error_set(err, ERR_CORRUPT, "library.db holds the impossible element address %lld",
                         (long long)value);
    *number = (uint32_t)value;
    return 0;
}

static int places_element_row(struct db_query *q, struct places_row *row, struct error *err)
{
    row->generation = (uint64_t)db_column_int(q, 1);
    row->changed_ns = db_column_int(q, 2);
    return places_number(q, 0, &row->element, err);
}

/* Columns `first` and the next: a tag and its sequence number, or NULL. */
static int places_tag(struct db_query *q, int first, char tag[LIBRARY_TAG_MAX + 1],
                      uint16_t *sequence, struct error *err)
{
    tag[0] = '\0';
    *sequence = 0;
    if (db_column_null(q, first))
        return 0;
    *sequence = (uint16_t)db_column_int(q, first + 1);
    return db_column_string(q, first, tag, LIBRARY_TAG_MAX + 1, err);
}

static int places_place_row(struct db_query *q, struct places_row *row, struct error *err)
{
    int rc;

    row->full = true;
    row->source_valid = !db_column_null(q, 2);
    row->imported = db_column_int(q, 3) != 0;
    if ((rc = db_column_string(q, 0, row->barcode, sizeof(row->barcode), err)) != 0 ||
        (rc = places_tag(q, 4, row->alternate, &row->alternate_sequence, err)) != 0)
        return rc;
    if (row->source_valid && (rc = places_number(q, 2, &row->source, err)) != 0)
        return rc;
    return places_number(q, 1, &row->element, err);
}

static int places_walk(struct places *p, const char *sql,
                       int (*decode)(struct db_query *, struct places_row *, struct error *),
                       places_row_fn *fn, void *ctx, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(p->db, sql, &q, err);

    while (rc == 0) {
        struct places_row row = {.full = false};
        bool more;

        rc = db_step(q, &more, err);
        if (rc == 0 && !more)
            return 0;
        if (rc == 0)
            rc = decode(q, &row, err);
        if (rc == 0)
            rc = fn(ctx, &row, err);
    }
    return rc;
}

int places_load(struct places *p, places_row_fn *fn, void *ctx, struct error *err)
{
    int rc = places_walk(p, "SELECT address, generation, changed_ns FROM element",
                         places_element_row, fn, ctx, err);

    if (rc != 0)
        return rc;
    return places_walk(p,
                       "SELECT barcode, element, source, imported, alternate, sequence"
                       " FROM place LEFT JOIN tag USING(barcode)",
                       places_place_row, fn, ctx, err);
}

int places_begin(struct places *p, struct error *err)
{
    return db_begin(p->db, err);
}

int places_take(struct places *p, const char *barcode, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(p->db, "DELETE FROM place WHERE barcode = ?1", &q, err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, barcode);
    return db_run(q, err);
}

int places_put(struct places *p, const struct places_row *row, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(
        p->db, "INSERT INTO place(barcode, element, source, imported) VALUES(?1, ?2, ?3, ?4)", &q,
        err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, row->barcode);
    db_bind_int(q, 2, row->element);
    if (row->source_valid)
        db_bind_int(q, 3, row->source);
    else
        db_bind_null(q, 3);
    db_bind_int(q, 4, row->imported);
    return db_run(q, err);
}

int places_touch(struct places *p, const struct places_row *row, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(p->db,
                        "INSERT OR REPLACE INTO element(address, generation, changed_ns)"
                        " VALUES(?1, ?2, ?3)",
                        &q, err);

    if (rc != 0)
        return rc;
    db_bind_int(q, 1, row->element);
    db_bind_int(q, 2, (int64_t)row->generation);
    db_bind_int(q, 3, row->changed_ns);
    return db_run(q, err);
}

void places_rollback(struct places *p)
{
    db_rollback(p->db);
}

int places_commit(struct places *p, struct error *err)
{
    int rc = db_commit(p->db, err);

    if (rc != 0)
        db_rollback(p->db);
    return rc;
}

/* ---- alternate volume tags ------------------------------------------------------------------- */

int places_set_tag(struct places *p, const char *barcode, const char *tag, uint16_t sequence,
                   struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(
        p->db,
        *tag ? "INSERT OR REPLACE INTO tag(barcode, alternate, sequence) VALUES(?1, ?2, ?3)"
             : "DELETE FROM tag WHERE barcode = ?1",
        &q, err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, barcode);
    if (*tag) {
        db_bind_text(q, 2, tag);
        db_bind_int(q, 3, sequence);
    }
    return db_run(q, err);
}

int places_get_tag(struct places *p, const char *barcode, char tag[LIBRARY_TAG_MAX + 1],
                   uint16_t *sequence, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    bool row;
    int rc = db_prepare(p->db, "SELECT alternate, sequence FROM tag WHERE barcode = ?1", &q, err);

    tag[0] = '\0';
    *sequence = 0;
    if (rc != 0)
        return rc;
    db_bind_text(q, 1, barcode);
    rc = db_step(q, &row, err);
    return rc == 0 && row ? places_tag(q, 0, tag, sequence, err) : rc;
}

/* ---- the vault ------------------------------------------------------------------------------- */

int places_vault_put(struct places *p, const struct library_vaulted *v, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(p->db, "INSERT INTO vault(barcode, place, since_ns) VALUES(?1, ?2, ?3)", &q,
                        err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, v->barcode);
    db_bind_text(q, 2, v->place);
    db_bind_int(q, 3, v->since_ns);
    return db_run(q, err);
}

int places_vault_take(struct places *p, const char *barcode, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(p->db, "DELETE FROM vault WHERE barcode = ?1", &q, err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, barcode);
    return db_run(q, err);
}

static int vault_row(struct db_query *q, struct library_vaulted *v, struct error *err)
{
    int rc;

    if ((rc = db_column_string(q, 0, v->barcode, sizeof(v->barcode), err)) != 0 ||
        (rc = db_column_string(q, 1, v->place, sizeof(v->place), err)) != 0)
        return rc;
    v->since_ns = db_column_int(q, 2);
    return 0;
}

int places_vaulted(struct places *p, const char *barcode, struct library_vaulted *out,
                   struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    bool row;
    int rc =
        db_prepare(p->db, "SELECT barcode, place, since_ns FROM vault WHERE barcode = ?1", &q, err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, barcode);
    if ((rc = db_step(q, &row, err)) != 0)
        return rc;
    if (!row)
        return error_set(err, ERR_NOT_FOUND, "There is no cartridge %.40s in the vault", barcode);
    return vault_row(q, out, err);
}

int places_walk_vault(struct places *p,
                      int (*fn)(void *ctx, const struct library_vaulted *v, struct error *err),
                      void *ctx, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc =
        db_prepare(p->db, "SELECT barcode, place, since_ns FROM vault ORDER BY barcode", &q, err);

    while (rc == 0) {
        struct library_vaulted v;
        bool row;

        rc = db_step(q, &row, err);
        if (rc == 0 && !row)
            return 0;
        if (rc == 0)
            rc = vault_row(q, &v, err);
        if (rc == 0)
            rc = fn(ctx, &v, err);
    }
    return rc;
}

/* ---- named values ---------------------------------------------------------------------------- */

int places_set_value(struct places *p, const char *name, const void *bytes, size_t len,
                     struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(p->db,
                        len ? "INSERT OR REPLACE INTO value(name, bytes) VALUES(?1, ?2)"
                            : "DELETE FROM value WHERE name = ?1",
                        &q, err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, name);
    if (len)
        db_bind_blob(q, 2, bytes, len);
    return db_run(q, err);
}

int places_get_value(struct places *p, const char *name, void *buf, size_t size, size_t *len,
                     struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    const void *bytes;
    bool row;
    int rc = db_prepare(p->db, "SELECT bytes FROM value WHERE name = ?1", &q, err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, name);
    if ((rc = db_step(q, &row, err)) != 0)
        return rc;
    if (!row)
        return error_set(err, ERR_NOT_FOUND, "The library keeps no value %s", name);
    bytes = db_column_blob(q, 0, len);
    if (*len > size)
        return error_set(err, ERR_LENGTH, "%s: the value %s has %zu bytes, more than %zu",
                         db_path(p->db), name, *len, size);
    memcpy(buf, bytes, *len);
    return 0;
}
