/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer.c - one image into the catalog.
 *
 *   begin ──> images/<uuid>.XXXXXX.tmp, locked; rows go in without journal and without syncs
 *   commit ─> sync the file ─> BEGIN IMMEDIATE ─> rename to <uuid>.idx, sync images/ ─> row and
 *             parts ─> COMMIT, which syncs
 *   abort or death ─> the file is removed, now or by the next catalog_open()
 *
 * Whatever moment the power goes: if there is a row, its index is complete and in place.
 */
#include "catalog/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

struct catalog_writer {
    struct catalog *cat;
    struct db *db;
    struct db_query *entry, *inode, *xattr;
    char *path; /* of the temporary file */
    int fd;     /* open on it: holds the lock that says "alive" */
    char uuid[CATALOG_UUID_TEXT];
};

/* ---- begin and abort ------------------------------------------------------------------------- */

static void writer_free(struct catalog_writer *w)
{
    db_close(w->db);
    if (w->fd >= 0)
        close(w->fd);
    free(w->path);
    free(w);
}

void catalog_writer_abort(struct catalog_writer *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        unlink(w->path);
    writer_free(w);
}

/* Make and lock the temporary file.  Between the two, another process's clean-up may have taken it
 * for debris: then once more. */
static int make_temporary(struct catalog_writer *w, struct error *err)
{
    struct stat st;

    for (int attempt = 0; attempt < 10; attempt++) {
        free(w->path);
        if (asprintf(&w->path, "%s/images/%s.XXXXXX.tmp", w->cat->dir, w->uuid) < 0) {
            w->path = NULL;
            return error_set(err, ERR_NO_MEMORY, "No memory for a file history");
        }
        w->fd = mkostemps(w->path, 4, O_CLOEXEC);
        if (w->fd < 0)
            return error_errno(err, "Cannot make a file history in %s/images", w->cat->dir);
        if (flock(w->fd, LOCK_EX) == 0 && fstat(w->fd, &st) == 0 && st.st_nlink == 1)
            return 0;
        close(w->fd);
        w->fd = -1;
    }
    return error_set(err, ERR_BUSY, "Files in %s/images are removed while they are made",
                     w->cat->dir);
}

static int prepare_writer(struct catalog_writer *w, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *about = NULL;
    int rc = db_open(w->path, &catalog_index_format, DB_BUILD, &w->db, err);

    if (rc == 0)
        rc = db_begin(w->db, err);
    if (rc == 0)
        rc = db_prepare(w->db, "INSERT INTO about VALUES(?1)", &about, err);
    if (rc == 0) {
        db_bind_text(about, 1, w->uuid);
        rc = db_run(about, err);
    }
    if (rc == 0)
        rc = db_prepare(w->db, "INSERT INTO dent(dir, name, ino) VALUES(?1, ?2, ?3)", &w->entry,
                        err);
    if (rc == 0)
        rc = db_prepare(w->db,
                        "INSERT INTO inode(ino, mode, uid, gid, nlink, rdev, size, blocks, atime, "
                        "mtime, ctime, btime, address, flags, link) "
                        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                        &w->inode, err);
    if (rc == 0)
        rc = db_prepare(w->db, "INSERT INTO xattr(ino, name, value) VALUES(?1, ?2, ?3)", &w->xattr,
                        err);
    return rc;
}

static int check_new(struct catalog *cat, const char *uuid, struct error *err)
{
    bool known;
    int rc;

    if (!catalog_uuid_valid(uuid))
        return error_set(err, ERR_USAGE,
                         "\"%.60s\" is not a uuid in lower case: an image cannot be called so",
                         uuid);
    pthread_mutex_lock(&cat->lock);
    rc = catalog_image_known(cat, uuid, &known, err);
    pthread_mutex_unlock(&cat->lock);
    if (rc == 0 && known)
        rc = error_set(err, ERR_EXISTS, "The catalog has the image %s already", uuid);
    return rc;
}

int catalog_writer_begin(struct catalog *cat, const char *uuid, struct catalog_writer **out,
                         struct error *err)
{
    struct catalog_writer *w;
    int rc = check_new(cat, uuid, err);

    if (rc != 0)
        return rc;
    w = calloc(1, sizeof(*w));
    if (!w)
        return error_set(err, ERR_NO_MEMORY, "No memory for a file history");
    w->cat = cat;
    w->fd = -1;
    memcpy(w->uuid, uuid, sizeof(w->uuid)); /* check_new(): its length is known */
    rc = make_temporary(w, err);
    if (rc == 0)
        rc = prepare_writer(w, err);
    if (rc != 0) {
        catalog_writer_abort(w);
        return rc;
    }
    *out = w;
    return 0;
}

/* ---- rows ------------------------------------------------------------------------------------ */

bool catalog_entry_name_valid(const void *name, size_t len)
{
    const char *n = name;

    if (len == 0 || len > CATALOG_NAME_MAX || memchr(n, '/', len) || memchr(n, '\0', len))
        return false;
    return !(n[0] == '.' && (len == 1 || (len == 2 && n[1] == '.')));
}

int catalog_writer_entry(struct catalog_writer *w, uint32_t directory, const void *name,
                         size_t name_len, uint32_t ino, struct error *err)
{
    int rc;

    if (!catalog_entry_name_valid(name, name_len) || directory == 0 || ino == 0)
        return error_set(err, ERR_RANGE,
                         "A directory entry of inode %u has an impossible name (%zu bytes) or "
                         "inode %u",
                         directory, name_len, ino);
    db_bind_int(w->entry, 1, directory);
    db_bind_blob(w->entry, 2, name, name_len);
    db_bind_int(w->entry, 3, ino);
    rc = db_run(w->entry, err);
    if (rc == -ERR_EXISTS)
        return error_set(err, ERR_EXISTS, "Directory %u has the name \"%.*s\" twice", directory,
                         (int)name_len, (const char *)name);
    return rc;
}

int catalog_writer_inode(struct catalog_writer *w, const struct catalog_inode *inode,
                         struct error *err)
{
    const int64_t columns[] = {
        inode->ino,
        inode->mode,
        inode->uid,
        inode->gid,
        inode->nlink,
        (int64_t)inode->rdev,
        (int64_t)inode->size,
        (int64_t)inode->blocks512,
        inode->atime_ns,
        inode->mtime_ns,
        inode->ctime_ns,
        inode->btime_ns,
        (int64_t)inode->address,
        (int64_t)inode->flags,
    };
    const int count = sizeof(columns) / sizeof(columns[0]);
    int rc;

    if (inode->ino == 0 || inode->link_len > CATALOG_LINK_MAX || inode->size > INT64_MAX)
        return error_set(err, ERR_RANGE, "Inode %u has an impossible number, size or link target",
                         inode->ino);
    for (int i = 0; i < count; i++)
        db_bind_int(w->inode, i + 1, columns[i]);
    if (inode->link)
        db_bind_blob(w->inode, count + 1, inode->link, inode->link_len);
    rc = db_run(w->inode, err);
    if (rc == -ERR_EXISTS)
        return error_set(err, ERR_EXISTS, "Inode %u was given twice", inode->ino);
    return rc;
}

int catalog_writer_xattr(struct catalog_writer *w, uint32_t ino, const char *name,
                         const void *value, size_t len, struct error *err)
{
    size_t name_len = strlen(name);
    int rc;

    if (name_len == 0 || name_len > CATALOG_NAME_MAX || len > CATALOG_XATTR_MAX || ino == 0)
        return error_set(err, ERR_RANGE,
                         "An extended attribute of inode %u is too long (name %zu, value %zu)", ino,
                         name_len, len);
    db_bind_int(w->xattr, 1, ino);
    db_bind_blob(w->xattr, 2, name, name_len);
    db_bind_blob(w->xattr, 3, value, len);
    rc = db_run(w->xattr, err);
    if (rc == -ERR_EXISTS)
        return error_set(err, ERR_EXISTS, "Inode %u has the extended attribute %s twice", ino,
                         name);
    return rc;
}

/* ---- commit ---------------------------------------------------------------------------------- */

static int finish_index(struct catalog_writer *w, struct error *err)
{
    int rc;

    db_finish(w->entry);
    db_finish(w->inode);
    db_finish(w->xattr);
    rc = db_commit(w->db, err);
    db_close(steal_pointer(&w->db));
    if (rc == 0 && fsync(w->fd) < 0)
        rc = error_errno(err, "Cannot sync the file history %s", w->path);
    return rc;
}

static int place_index(struct catalog_writer *w, struct error *err)
{
    char name[INDEX_NAME_SIZE];

    catalog_index_file_name(w->uuid, name);
    if (renameat(AT_FDCWD, w->path, w->cat->images_fd, name) < 0)
        return error_errno(err, "Cannot rename %s", w->path);
    if (fsync(w->cat->images_fd) < 0)
        return error_errno(err, "Cannot sync %s/images", w->cat->dir);
    return 0;
}

static int insert_image(struct catalog *cat, const struct catalog_image *image, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(cat->db,
                        "INSERT INTO image(uuid, host, path, label, level, date, base, ended, "
                        "blocking, files, directories, bytes, stream_blocks, warnings, state) "
                        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
                        &q, err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, image->uuid);
    db_bind_blob(q, 2, image->host, strlen(image->host));
    db_bind_blob(q, 3, image->path, strlen(image->path));
    db_bind_blob(q, 4, image->label, strlen(image->label));
    db_bind_int(q, 5, image->level);
    db_bind_int(q, 6, image->date_ns);
    db_bind_text(q, 7, image->base_uuid);
    db_bind_int(q, 8, image->ended_ns);
    db_bind_int(q, 9, image->blocking);
    db_bind_int(q, 10, (int64_t)image->files);
    db_bind_int(q, 11, (int64_t)image->directories);
    db_bind_int(q, 12, (int64_t)image->bytes);
    db_bind_int(q, 13, (int64_t)image->stream_blocks);
    db_bind_int(q, 14, (int64_t)image->warnings);
    db_bind_int(q, 15, image->state);
    return db_run(q, err);
}

static int insert_parts(struct catalog *cat, const char *uuid, const struct catalog_part *parts,
                        size_t count, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(cat->db,
                        "INSERT INTO part(image, number, volume, barcode, file, first_block, "
                        "first_stream, stream_blocks) VALUES((SELECT id FROM image WHERE uuid = "
                        "?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                        &q, err);

    for (size_t i = 0; i < count && rc == 0; i++) {
        db_bind_text(q, 1, uuid);
        db_bind_int(q, 2, (int64_t)i + 1);
        db_bind_int(q, 3, parts[i].volume);
        db_bind_text(q, 4, parts[i].barcode);
        db_bind_int(q, 5, (int64_t)parts[i].file);
        db_bind_int(q, 6, (int64_t)parts[i].first_block);
        db_bind_int(q, 7, (int64_t)parts[i].first_stream);
        db_bind_int(q, 8, (int64_t)parts[i].stream_blocks);
        rc = db_run(q, err);
    }
    return rc;
}

static int record_image(struct catalog_writer *w, const struct catalog_image *image,
                        const struct catalog_part *parts, size_t part_count, struct error *err)
{
    struct catalog *cat = w->cat;
    CLEANUP_UNLOCK(&cat->lock);
    DB_TRANSACTION(cat->db);
    bool known;
    int rc = db_begin(cat->db, err);

    if (rc == 0)
        rc = catalog_image_known(cat, w->uuid, &known, err);
    if (rc == 0 && known) /* another process was faster: its index is not touched */
        rc = error_set(err, ERR_EXISTS, "The catalog has the image %s already", w->uuid);
    if (rc == 0)
        rc = insert_image(cat, image, err);
    if (rc == 0)
        rc = insert_parts(cat, w->uuid, parts, part_count, err);
    if (rc == 0)
        rc = catalog_generation_raise(cat, err);
    if (rc == 0)
        rc = place_index(w, err);
    return rc == 0 ? db_commit(cat->db, err) : rc;
}

static int check_image(const struct catalog_writer *w, const struct catalog_image *image,
                       const struct catalog_part *parts, size_t part_count, struct error *err)
{
    if (strcmp(image->uuid, w->uuid) != 0 ||
        (image->base_uuid[0] && !catalog_uuid_valid(image->base_uuid)) || image->blocking == 0 ||
        image->blocking > CATALOG_BLOCKING_MAX || image->level < 0 ||
        (image->state != CATALOG_COMPLETE && image->state != CATALOG_PARTIAL))
        return error_set(err, ERR_RANGE,
                         "Image %s cannot be recorded: its uuid, base, blocking factor, level or "
                         "state makes no sense",
                         w->uuid);
    for (size_t i = 0; i < part_count; i++)
        if (!parts[i].barcode[0])
            return error_set(err, ERR_RANGE, "Part %zu of image %s has no barcode", i + 1, w->uuid);
    if (part_count == 0)
        return error_set(err, ERR_RANGE, "Image %s is on no cartridge", w->uuid);
    return catalog_parts_cover(parts, part_count, image->stream_blocks, err);
}

int catalog_writer_commit(struct catalog_writer *w, const struct catalog_image *image,
                          const struct catalog_part *parts, size_t part_count, struct error *err)
{
    int rc = check_image(w, image, parts, part_count, err);

    if (rc == 0)
        rc = finish_index(w, err);
    if (rc == 0)
        rc = record_image(w, image, parts, part_count, err);
    if (rc == 0)
        writer_free(w);
    else
        catalog_writer_abort(w);
    return rc;
}
