/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog.c - open and close a catalog, and what catalog.db answers.
 *
 * A list is read row by row, each row in a read transaction of its own that has ended before the
 * caller's function runs: the function may call the catalog again, and a slow one does not keep
 * the write-ahead log from being checkpointed.
 */
#include "catalog/internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"

#define IMAGE_COLUMNS                                                                              \
    "id, uuid, host, path, label, level, date, base, ended, blocking, files, directories, bytes, " \
    "stream_blocks, warnings, state"

/* ---- open and close -------------------------------------------------------------------------- */

/* Paths are handed to SQLite later, when a daemon may have changed its working directory. */
static int make_absolute(struct catalog *cat, struct error *err)
{
    char *absolute = realpath(cat->dir, NULL);

    if (!absolute)
        return error_errno(err, "Cannot find the way to %s", cat->dir);
    free(cat->dir);
    cat->dir = absolute;
    return 0;
}

static int open_directories(struct catalog *cat, bool create, struct error *err)
{
    CLEANUP_CLOSE int dir_fd = -1;

    if (create && mkdir(cat->dir, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "Cannot make the catalog directory %s", cat->dir);
    dir_fd = open(cat->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return error_errno(err, "Cannot open the catalog directory %s", cat->dir);
    if (create && mkdirat(dir_fd, "images", 0700) < 0 && errno != EEXIST)
        return error_errno(err, "Cannot make the directory images in %s", cat->dir);
    cat->images_fd = openat(dir_fd, "images", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cat->images_fd < 0)
        return error_errno(err, "Cannot open the directory images in %s", cat->dir);
    if (create && fsync(dir_fd) < 0)
        return error_errno(err, "Cannot sync %s", cat->dir);
    return make_absolute(cat, err);
}

static int open_parts(struct catalog *cat, bool create, struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    int rc = open_directories(cat, create, err);

    if (rc != 0)
        return rc;
    if (asprintf(&path, "%s/catalog.db", cat->dir) < 0)
        return error_set(err, ERR_NO_MEMORY, "No memory to open the catalog %s", cat->dir);
    rc = db_open(path, &catalog_format, create ? DB_CREATE : DB_READ_WRITE, &cat->db, err);
    if (rc != 0)
        return rc;
    return db_readonly(cat->db) ? 0 : catalog_debris_remove(cat, err);
}

int catalog_open(const char *dir, bool create, struct catalog **out, struct error *err)
{
    struct catalog *cat = calloc(1, sizeof(*cat));
    int rc;

    if (cat)
        cat->dir = strdup(dir);
    if (!cat || !cat->dir) {
        free(cat);
        return error_set(err, ERR_NO_MEMORY, "No memory to open the catalog %s", dir);
    }
    cat->images_fd = -1;
    pthread_mutex_init(&cat->lock, NULL);
    rc = open_parts(cat, create, err);
    if (rc != 0) {
        catalog_close(cat);
        return rc;
    }
    *out = cat;
    return 0;
}

void catalog_close(struct catalog *cat)
{
    if (!cat)
        return;
    catalog_index_cache_clear(cat);
    db_close(cat->db);
    if (cat->images_fd >= 0)
        close(cat->images_fd);
    pthread_mutex_destroy(&cat->lock);
    free(cat->dir);
    free(cat);
}

bool catalog_uuid_valid(const char *uuid)
{
    if (strlen(uuid) != CATALOG_UUID_TEXT - 1)
        return false;
    for (size_t i = 0; uuid[i]; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? uuid[i] != '-' : !strchr("0123456789abcdef", uuid[i]))
            return false;
    }
    return true;
}

/* ---- images ---------------------------------------------------------------------------------- */

static int read_image(struct db_query *q, struct catalog_image *image, struct error *err)
{
    int rc;

    memset(image, 0, sizeof(*image));
    image->id = (uint64_t)db_column_int(q, 0);
    image->level = (int)db_column_int(q, 5);
    image->date_ns = db_column_int(q, 6);
    image->ended_ns = db_column_int(q, 8);
    image->blocking = (unsigned)db_column_int(q, 9);
    image->files = (uint64_t)db_column_int(q, 10);
    image->directories = (uint64_t)db_column_int(q, 11);
    image->bytes = (uint64_t)db_column_int(q, 12);
    image->stream_blocks = (uint64_t)db_column_int(q, 13);
    image->warnings = (uint64_t)db_column_int(q, 14);
    image->state = db_column_int(q, 15) == CATALOG_PARTIAL ? CATALOG_PARTIAL : CATALOG_COMPLETE;
    rc = db_column_string(q, 1, image->uuid, sizeof(image->uuid), err);
    if (rc == 0)
        rc = db_column_string(q, 2, image->host, sizeof(image->host), err);
    if (rc == 0)
        rc = db_column_string(q, 3, image->path, sizeof(image->path), err);
    if (rc == 0)
        rc = db_column_string(q, 4, image->label, sizeof(image->label), err);
    if (rc == 0)
        rc = db_column_string(q, 7, image->base_uuid, sizeof(image->base_uuid), err);
    if (rc == 0 && (!catalog_uuid_valid(image->uuid) || image->blocking == 0 ||
                    image->blocking > CATALOG_BLOCKING_MAX))
        rc = error_set(err, ERR_CORRUPT, "The catalog has an image %.60s that makes no sense",
                       image->uuid);
    return rc;
}

/* The first image behind (date, id); *found false at the end. */
static int next_image(struct catalog *cat, int64_t date, uint64_t id, struct catalog_image *image,
                      bool *found, struct error *err)
{
    CLEANUP_UNLOCK(&cat->lock);
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(cat->db,
                        "SELECT " IMAGE_COLUMNS " FROM image WHERE (date, id) > (?1, ?2) "
                        "ORDER BY date, id LIMIT 1",
                        &q, err);

    if (rc != 0)
        return rc;
    db_bind_int(q, 1, date);
    db_bind_int(q, 2, (int64_t)id);
    rc = db_step(q, found, err);
    if (rc == 0 && *found)
        rc = read_image(q, image, err);
    if (rc == 0 && *found && (image->date_ns < date || (image->date_ns == date && image->id <= id)))
        rc = error_set(err, ERR_CORRUPT, "%s is damaged: its images are out of order",
                       db_path(cat->db));
    return rc;
}

int catalog_images(struct catalog *cat, int (*fn)(void *ctx, const struct catalog_image *image),
                   void *ctx, struct error *err)
{
    CLEANUP_FREE struct catalog_image *image = calloc(1, sizeof(*image));
    bool found;
    int rc;

    if (!image)
        return error_set(err, ERR_NO_MEMORY, "No memory to list the catalog");
    image->date_ns = INT64_MIN;
    for (;;) {
        rc = next_image(cat, image->date_ns, image->id, image, &found, err);
        if (rc != 0 || !found)
            return rc;
        rc = fn(ctx, image);
        if (rc != 0)
            return rc;
    }
}

static int image_latest(struct catalog *cat, struct catalog_image *out, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    bool row;
    int rc = db_prepare(cat->db,
                        "SELECT " IMAGE_COLUMNS " FROM image ORDER BY date DESC, id DESC LIMIT 1",
                        &q, err);

    if (rc == 0)
        rc = db_step(q, &row, err);
    if (rc == 0 && !row)
        rc = error_set(err, ERR_NOT_FOUND, "The catalog %s has no image yet", cat->dir);
    if (rc == 0)
        rc = read_image(q, out, err);
    return rc;
}

static int image_by_prefix(struct catalog *cat, const char *prefix, struct catalog_image *out,
                           struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    bool row;
    /* uuids are lower-case hexadecimal and dashes: 'g' is behind every continuation of prefix. */
    int rc = db_prepare(cat->db,
                        "SELECT " IMAGE_COLUMNS " FROM image "
                        "WHERE uuid >= ?1 AND uuid < ?1 || 'g' ORDER BY uuid LIMIT 2",
                        &q, err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, prefix);
    rc = db_step(q, &row, err);
    if (rc == 0 && !row)
        rc = error_set(err, ERR_NOT_FOUND, "The catalog has no image whose uuid begins with %s",
                       prefix);
    if (rc == 0)
        rc = read_image(q, out, err);
    if (rc == 0)
        rc = db_step(q, &row, err);
    if (rc == 0 && row)
        rc = error_set(err, ERR_USAGE,
                       "Several images have a uuid that begins with %s: give more of it", prefix);
    return rc;
}

int catalog_image(struct catalog *cat, const char *prefix, struct catalog_image *out,
                  struct error *err)
{
    CLEANUP_UNLOCK(&cat->lock);
    char lower[CATALOG_UUID_TEXT];
    size_t len = strlen(prefix);

    if (strcmp(prefix, "latest") == 0)
        return image_latest(cat, out, err);
    if (len < 4 || len >= sizeof(lower))
        return error_set(
            err, ERR_USAGE,
            "\"%.60s\" does not name an image: give at least 4 characters of its uuid, "
            "or \"latest\"",
            prefix);
    for (size_t i = 0; i <= len; i++)
        lower[i] = (char)tolower((unsigned char)prefix[i]);
    return image_by_prefix(cat, lower, out, err);
}

int catalog_image_known(struct catalog *cat, const char *uuid, bool *known, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(cat->db, "SELECT 1 FROM image WHERE uuid = ?1", &q, err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, uuid);
    return db_step(q, known, err);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static int read_part(struct db_query *q, struct catalog_part *part, struct error *err)
{
    memset(part, 0, sizeof(*part));
    part->volume = (unsigned)db_column_int(q, 0);
    part->file = (uint64_t)db_column_int(q, 2);
    part->first_block = (uint64_t)db_column_int(q, 3);
    part->first_stream = (uint64_t)db_column_int(q, 4);
    part->stream_blocks = (uint64_t)db_column_int(q, 5);
    return db_column_string(q, 1, part->barcode, sizeof(part->barcode), err);
}

static int append_part(struct db_query *q, struct catalog_part **parts, size_t *count,
                       struct error *err)
{
    struct catalog_part *grown = reallocarray(*parts, *count + 1, sizeof(**parts));
    int rc;

    if (!grown)
        return error_set(err, ERR_NO_MEMORY, "No memory for the parts of an image");
    *parts = grown;
    rc = read_part(q, &grown[*count], err);
    if (rc == 0)
        (*count)++;
    return rc;
}

int catalog_parts(struct catalog *cat, const char *uuid, struct catalog_part **out, size_t *count,
                  struct error *err)
{
    CLEANUP_UNLOCK(&cat->lock);
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    CLEANUP_FREE struct catalog_part *parts = NULL;
    size_t n = 0;
    bool row = true;
    int rc =
        db_prepare(cat->db,
                   "SELECT volume, barcode, file, first_block, first_stream, part.stream_blocks "
                   "FROM part JOIN image ON image.id = part.image WHERE uuid = ?1 ORDER BY number",
                   &q, err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, uuid);
    while ((rc = db_step(q, &row, err)) == 0 && row)
        if ((rc = append_part(q, &parts, &n, err)) != 0)
            break;
    if (rc != 0)
        return rc;
    if (n == 0)
        return error_set(err, ERR_NOT_FOUND, "The catalog has no image %s", uuid);
    *out = steal_pointer(&parts);
    *count = n;
    return 0;
}

int catalog_parts_cover(const struct catalog_part *parts, size_t count, uint64_t stream_blocks,
                        struct error *err)
{
    uint64_t next = 0;

    for (size_t i = 0; i < count; i++) {
        if (parts[i].first_stream != next || parts[i].stream_blocks == 0)
            return error_set(
                err, ERR_RANGE, "Part %zu begins at stream block %llu instead of %llu, or is empty",
                i + 1, (unsigned long long)parts[i].first_stream, (unsigned long long)next);
        if (parts[i].stream_blocks > stream_blocks - next)
            return error_set(err, ERR_RANGE, "Part %zu goes beyond the end of the stream", i + 1);
        next += parts[i].stream_blocks;
    }
    if (next != stream_blocks)
        return error_set(err, ERR_RANGE, "The parts hold %llu of %llu stream blocks",
                         (unsigned long long)next, (unsigned long long)stream_blocks);
    return 0;
}

int catalog_volume_used(struct catalog *cat, const char *barcode, bool *used, struct error *err)
{
    CLEANUP_UNLOCK(&cat->lock);
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(cat->db, "SELECT 1 FROM part WHERE barcode = ?1 LIMIT 1", &q, err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, barcode);
    return db_step(q, used, err);
}

int catalog_generation(struct catalog *cat, uint64_t *generation, struct error *err)
{
    CLEANUP_UNLOCK(&cat->lock);
    int64_t value;
    int rc = db_get_int(cat->db, "SELECT generation FROM change", &value, err);

    if (rc == 0)
        *generation = (uint64_t)value;
    return rc;
}

/* ---- deleting -------------------------------------------------------------------------------- */

static int delete_row(struct catalog *cat, const char *uuid, struct error *err)
{
    static const char *const steps[] = {
        "DELETE FROM part WHERE image = (SELECT id FROM image WHERE uuid = ?1)",
        "DELETE FROM image WHERE uuid = ?1",
    };
    CLEANUP_UNLOCK(&cat->lock);
    DB_TRANSACTION(cat->db);
    int rc = db_begin(cat->db, err);

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && rc == 0; i++) {
        CLEANUP_DB_QUERY struct db_query *q = NULL;

        rc = db_prepare(cat->db, steps[i], &q, err);
        if (rc == 0) {
            db_bind_text(q, 1, uuid);
            rc = db_run(q, err);
        }
    }
    if (rc == 0 && db_changes(cat->db) == 0)
        rc = error_set(err, ERR_NOT_FOUND, "The catalog has no image %s", uuid);
    if (rc == 0)
        rc = catalog_generation_raise(cat, err);
    return rc == 0 ? db_commit(cat->db, err) : rc;
}

int catalog_generation_raise(struct catalog *cat, struct error *err)
{
    return db_exec(cat->db, "UPDATE change SET generation = generation + 1", err);
}

int catalog_image_delete(struct catalog *cat, const char *uuid, struct error *err)
{
    char name[INDEX_NAME_SIZE];
    int rc;

    if (!catalog_uuid_valid(uuid))
        return error_set(err, ERR_USAGE, "\"%.60s\" is not the uuid of an image", uuid);
    rc = delete_row(cat, uuid, err);
    if (rc != 0)
        return rc;
    catalog_index_cache_forget(cat, uuid);
    catalog_index_file_name(uuid, name);
    /* The image is gone with its row; what cannot be removed now is debris for the next open. */
    if (unlinkat(cat->images_fd, name, 0) < 0 && errno != ENOENT)
        log_warning("Cannot remove %s/images/%s: %s", cat->dir, name, strerror(errno));
    return 0;
}
