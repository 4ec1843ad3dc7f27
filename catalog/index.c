/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index.c - the file history of one image: open ones are kept and shared, then looked up.
 *
 * An index file never changes, so it is opened immutable: no locks, no journal, and as many
 * processes as like.  It is hostile input all the same (it may have been copied in): a row that
 * makes no sense is ERR_CORRUPT.
 *
 * Entries are read in batches that end before the caller's function runs, so the function may use
 * the index again, and no lock is held meanwhile.
 */
#include "catalog/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

#define BATCH_ENTRIES 32

/* ---- the open ones --------------------------------------------------------------------------- */

static void index_free(struct catalog_index *idx)
{
    db_close(idx->db);
    pthread_mutex_destroy(&idx->lock);
    free(idx);
}

static void unlink_index(struct catalog *cat, struct catalog_index *idx)
{
    struct catalog_index **at = &cat->indexes;

    while (*at != idx)
        at = &(*at)->next;
    *at = idx->next;
}

/* Nobody finds it any more; it is closed now or with its last user. */
static void index_drop(struct catalog *cat, struct catalog_index *idx)
{
    unlink_index(cat, idx);
    idx->gone = true;
    if (idx->users == 0)
        index_free(idx);
}

static struct catalog_index *index_find(struct catalog *cat, const char *uuid)
{
    struct catalog_index *idx = cat->indexes;

    while (idx && strcmp(idx->uuid, uuid) != 0)
        idx = idx->next;
    return idx;
}

/* Close the least recently used of the idle ones beyond CATALOG_IDLE_INDEX. */
static void index_trim(struct catalog *cat)
{
    struct catalog_index *last = NULL;
    unsigned idle = 0;

    for (struct catalog_index *idx = cat->indexes; idx; idx = idx->next) {
        if (idx->users == 0) {
            idle++;
            last = idx;
        }
    }
    if (idle > CATALOG_IDLE_INDEX)
        index_drop(cat, last);
}

void catalog_index_cache_forget(struct catalog *cat, const char *uuid)
{
    CLEANUP_UNLOCK(&cat->lock);
    struct catalog_index *idx = index_find(cat, uuid);

    if (idx)
        index_drop(cat, idx);
}

void catalog_index_cache_clear(struct catalog *cat)
{
    while (cat->indexes)
        index_drop(cat, cat->indexes);
}

/* The file must say itself that it is this image's: a renamed copy of another is refused. */
static int check_about(struct catalog_index *idx, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    char uuid[CATALOG_UUID_TEXT] = "";
    bool row;
    int rc = db_prepare(idx->db, "SELECT uuid FROM about", &q, err);

    if (rc == 0)
        rc = db_step(q, &row, err);
    if (rc == 0 && row)
        rc = db_column_string(q, 0, uuid, sizeof(uuid), err);
    if (rc == 0 && strcmp(uuid, idx->uuid) != 0)
        rc = error_set(err, ERR_CORRUPT, "%s is the file history of another image (\"%s\")",
                       db_path(idx->db), uuid);
    return rc;
}

static int index_load(struct catalog *cat, const char *uuid, const struct stat *st,
                      struct catalog_index **out, struct error *err)
{
    struct catalog_index *idx = calloc(1, sizeof(*idx));
    CLEANUP_FREE char *path = NULL;
    int rc;

    if (!idx || asprintf(&path, "%s/images/%s.idx", cat->dir, uuid) < 0) {
        path = NULL;
        free(idx);
        return error_set(err, ERR_NO_MEMORY, "No memory to open a file history");
    }
    pthread_mutex_init(&idx->lock, NULL);
    memcpy(idx->uuid, uuid, sizeof(idx->uuid)); /* catalog_uuid_valid(): its length is known */
    idx->cat = cat;
    idx->dev = st->st_dev;
    idx->file_ino = st->st_ino;
    rc = db_open(path, &catalog_index_format, DB_IMMUTABLE, &idx->db, err);
    if (rc == 0)
        rc = check_about(idx, err);
    if (rc != 0) {
        index_free(idx);
        return rc;
    }
    *out = idx;
    return 0;
}

int catalog_index_open(struct catalog *cat, const char *uuid, struct catalog_index **out,
                       struct error *err)
{
    CLEANUP_UNLOCK(&cat->lock);
    char name[INDEX_NAME_SIZE];
    struct catalog_index *idx;
    struct stat st;
    int rc = 0;

    if (!catalog_uuid_valid(uuid))
        return error_set(err, ERR_USAGE, "\"%.60s\" is not the uuid of an image", uuid);
    catalog_index_file_name(uuid, name);
    idx = index_find(cat, uuid);
    if (fstatat(cat->images_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        rc = error_errno(err, "Cannot open the file history of image %s", uuid);
        st = (struct stat){0};
    }
    if (idx && (idx->dev != st.st_dev || idx->file_ino != st.st_ino)) {
        index_drop(cat, idx); /* deleted or replaced by another process */
        idx = NULL;
    }
    if (rc == 0 && !idx) {
        rc = index_load(cat, uuid, &st, &idx, err);
    } else if (idx) {
        unlink_index(cat, idx);
    }
    if (rc != 0)
        return rc;
    idx->next = cat->indexes;
    cat->indexes = idx;
    idx->users++;
    *out = idx;
    return 0;
}

void catalog_index_close(struct catalog_index *idx)
{
    struct catalog *cat;

    if (!idx)
        return;
    cat = idx->cat;
    CLEANUP_UNLOCK(&cat->lock);
    idx->users--;
    if (idx->gone && idx->users == 0)
        index_free(idx);
    else
        index_trim(cat);
}

/* ---- inodes ---------------------------------------------------------------------------------- */

#define INODE_COLUMNS                                                                              \
    "inode.ino, mode, uid, gid, nlink, rdev, size, blocks, atime, mtime, ctime, btime, address, "  \
    "flags, link"

static int index_corrupt(struct catalog_index *idx, struct error *err, const char *what,
                         int64_t ino)
{
    return error_set(err, ERR_CORRUPT,
                     "The file history of image %s is damaged: %s %lld; rebuild the catalog from "
                     "the cartridges",
                     idx->uuid, what, (long long)ino);
}

static bool mode_valid(int64_t mode)
{
    static const uint32_t types[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR,
                                     S_IFBLK, S_IFIFO, S_IFSOCK};

    if (mode < 0 || mode > UINT32_MAX)
        return false;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (((uint32_t)mode & (uint32_t)S_IFMT) == types[i])
            return true;
    return false;
}

static int copy_link(struct catalog_index *idx, struct db_query *q, int column,
                     struct catalog_inode *inode, struct error *err)
{
    size_t len;
    const void *data = db_column_blob(q, column, &len);
    char *copy;

    if (len > CATALOG_LINK_MAX || memchr(data, '\0', len))
        return index_corrupt(idx, err, "the link target of inode", inode->ino);
    copy = malloc(len + 1);
    if (!copy)
        return error_set(err, ERR_NO_MEMORY, "No memory for a link target");
    memcpy(copy, data, len);
    copy[len] = '\0';
    inode->link = copy;
    inode->link_len = len;
    return 0;
}

/* The INODE_COLUMNS that begin at column `at`. */
static int read_inode(struct catalog_index *idx, struct db_query *q, int at,
                      struct catalog_inode *inode, struct error *err)
{
    int64_t ino = db_column_int(q, at);

    memset(inode, 0, sizeof(*inode));
    if (ino <= 0 || ino > UINT32_MAX || !mode_valid(db_column_int(q, at + 1)) ||
        db_column_int(q, at + 6) < 0)
        return index_corrupt(idx, err, "inode", ino);
    inode->ino = (uint32_t)ino;
    inode->mode = (uint32_t)db_column_int(q, at + 1);
    inode->uid = (uint32_t)db_column_int(q, at + 2);
    inode->gid = (uint32_t)db_column_int(q, at + 3);
    inode->nlink = (uint32_t)db_column_int(q, at + 4);
    inode->rdev = (uint64_t)db_column_int(q, at + 5);
    inode->size = (uint64_t)db_column_int(q, at + 6);
    inode->blocks512 = (uint64_t)db_column_int(q, at + 7);
    inode->atime_ns = db_column_int(q, at + 8);
    inode->mtime_ns = db_column_int(q, at + 9);
    inode->ctime_ns = db_column_int(q, at + 10);
    inode->btime_ns = db_column_int(q, at + 11);
    inode->address = (uint64_t)db_column_int(q, at + 12);
    inode->flags = (uint64_t)db_column_int(q, at + 13);
    return db_column_null(q, at + 14) ? 0 : copy_link(idx, q, at + 14, inode, err);
}

void catalog_inode_release(struct catalog_inode *inode)
{
    free((void *)(uintptr_t)inode->link);
    inode->link = NULL;
    inode->link_len = 0;
}

int catalog_index_inode(struct catalog_index *idx, uint32_t ino, struct catalog_inode *inode,
                        struct error *err)
{
    CLEANUP_UNLOCK(&idx->lock);
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    bool row;
    int rc = db_prepare(idx->db, "SELECT " INODE_COLUMNS " FROM inode WHERE ino = ?1", &q, err);

    if (rc != 0)
        return rc;
    db_bind_int(q, 1, ino);
    rc = db_step(q, &row, err);
    if (rc == 0 && !row)
        rc = error_set(err, ERR_NOT_FOUND, "Image %s has no inode %u", idx->uuid, ino);
    if (rc == 0)
        rc = read_inode(idx, q, 0, inode, err);
    return rc;
}

/* ---- names ----------------------------------------------------------------------------------- */

int catalog_index_lookup(struct catalog_index *idx, uint32_t directory, const void *name,
                         size_t name_len, uint32_t *ino, struct error *err)
{
    CLEANUP_UNLOCK(&idx->lock);
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int64_t value;
    bool row;
    int rc = db_prepare(idx->db, "SELECT ino FROM dent WHERE dir = ?1 AND name = ?2", &q, err);

    if (rc != 0)
        return rc;
    db_bind_int(q, 1, directory);
    db_bind_blob(q, 2, name, name_len);
    rc = db_step(q, &row, err);
    if (rc != 0)
        return rc;
    if (!row)
        return error_set(err, ERR_NOT_FOUND, "There is no \"%.*s\" in directory %u of image %s",
                         (int)(name_len < 255 ? name_len : 255), (const char *)name, directory,
                         idx->uuid);
    value = db_column_int(q, 0);
    if (value <= 0 || value > UINT32_MAX)
        return index_corrupt(idx, err, "an entry refers to inode", value);
    *ino = (uint32_t)value;
    return 0;
}

int catalog_index_path(struct catalog_index *idx, const char *path, uint32_t *ino,
                       struct error *err)
{
    uint32_t at = CATALOG_ROOT_INO;

    for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
        size_t len = strcspn(path, "/");
        int rc = catalog_index_lookup(idx, at, path, len, &at, err);

        if (rc != 0)
            return rc;
        path += len;
    }
    *ino = at;
    return 0;
}

struct batch_row {
    size_t name_len;
    struct catalog_inode inode;
    char name[CATALOG_NAME_MAX];
};

struct batch {
    size_t count;
    struct batch_row rows[BATCH_ENTRIES];
};

static int read_entry(struct catalog_index *idx, struct db_query *q, struct batch_row *row,
                      struct error *err)
{
    size_t len;
    const void *name = db_column_blob(q, 0, &len);

    if (!catalog_entry_name_valid(name, len))
        return index_corrupt(idx, err, "it holds an impossible name for inode",
                             db_column_int(q, 1));
    if (db_column_null(q, 2))
        return index_corrupt(idx, err, "an entry refers to the missing inode", db_column_int(q, 1));
    memcpy(row->name, name, len);
    row->name_len = len;
    return read_inode(idx, q, 2, &row->inode, err);
}

/* A b-tree out of order could send a listing round for ever. */
static bool name_follows(const void *name, size_t len, const void *after, size_t after_len)
{
    int order = memcmp(name, after, len < after_len ? len : after_len);

    return order > 0 || (order == 0 && len > after_len);
}

/* Rows behind `after`; batch->count < BATCH_ENTRIES at the end of the directory. */
static int fill_batch(struct catalog_index *idx, uint32_t directory, const void *after,
                      size_t after_len, struct batch *batch, struct error *err)
{
    CLEANUP_UNLOCK(&idx->lock);
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    bool row;
    int rc = db_prepare(idx->db,
                        "SELECT name, dent.ino, " INODE_COLUMNS
                        " FROM dent LEFT JOIN inode ON inode.ino = dent.ino "
                        "WHERE dir = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
                        &q, err);

    batch->count = 0;
    if (rc != 0)
        return rc;
    db_bind_int(q, 1, directory);
    db_bind_blob(q, 2, after, after_len);
    db_bind_int(q, 3, BATCH_ENTRIES);
    while ((rc = db_step(q, &row, err)) == 0 && row && batch->count < BATCH_ENTRIES) {
        struct batch_row *entry = &batch->rows[batch->count];

        rc = read_entry(idx, q, entry, err);
        if (rc != 0)
            break;
        batch->count++;
        if (!name_follows(entry->name, entry->name_len, after, after_len))
            return index_corrupt(idx, err, "out of order are the names of directory", directory);
        after = entry->name;
        after_len = entry->name_len;
    }
    return rc;
}

static int deliver_batch(struct batch *batch,
                         int (*fn)(void *ctx, const struct catalog_entry *entry), void *ctx)
{
    int rc = 0;

    for (size_t i = 0; i < batch->count; i++) {
        struct batch_row *row = &batch->rows[i];
        struct catalog_entry entry = {row->name, row->name_len, row->inode};

        if (rc == 0)
            rc = fn(ctx, &entry);
        catalog_inode_release(&row->inode);
    }
    return rc;
}

int catalog_index_entries(struct catalog_index *idx, uint32_t directory, const void *after,
                          size_t after_len, int (*fn)(void *ctx, const struct catalog_entry *entry),
                          void *ctx, struct error *err)
{
    CLEANUP_FREE struct batch *batch = malloc(sizeof(*batch));
    char last[CATALOG_NAME_MAX];
    int rc, delivered;

    if (!batch)
        return error_set(err, ERR_NO_MEMORY, "No memory to list a directory");
    if (!after) {
        after = "";
        after_len = 0;
    }
    do {
        rc = fill_batch(idx, directory, after, after_len, batch, err);
        if (batch->count > 0) {
            after_len = batch->rows[batch->count - 1].name_len;
            memcpy(last, batch->rows[batch->count - 1].name, after_len);
            after = last;
        }
        delivered = deliver_batch(batch, fn, ctx); /* the good ones before a damaged one too */
        if (delivered != 0)
            return delivered;
    } while (rc == 0 && batch->count == BATCH_ENTRIES);
    return rc;
}

/* ---- extended attributes --------------------------------------------------------------------- */

/* The attribute behind `name`, which is replaced; *found false at the end. */
static int next_xattr(struct catalog_index *idx, uint32_t ino, char name[CATALOG_NAME_MAX + 1],
                      void *value, size_t *len, bool *found, struct error *err)
{
    CLEANUP_UNLOCK(&idx->lock);
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    char before[CATALOG_NAME_MAX + 1];
    const void *data;
    int rc = db_prepare(idx->db,
                        "SELECT name, value FROM xattr WHERE ino = ?1 AND name > ?2 "
                        "ORDER BY name LIMIT 1",
                        &q, err);

    if (rc != 0)
        return rc;
    db_bind_int(q, 1, ino);
    db_bind_blob(q, 2, name, strlen(name));
    rc = db_step(q, found, err);
    if (rc != 0 || !*found)
        return rc;
    memcpy(before, name, sizeof(before));
    rc = db_column_string(q, 0, name, CATALOG_NAME_MAX + 1, err);
    if (rc != 0)
        return rc;
    data = db_column_blob(q, 1, len);
    if (*len > CATALOG_XATTR_MAX || strcmp(name, before) <= 0)
        return index_corrupt(idx, err, "an extended attribute of inode", ino);
    memcpy(value, data, *len);
    return 0;
}

int catalog_index_xattrs(struct catalog_index *idx, uint32_t ino,
                         int (*fn)(void *ctx, const char *name, const void *value, size_t len),
                         void *ctx, struct error *err)
{
    CLEANUP_FREE void *value = malloc(CATALOG_XATTR_MAX);
    char name[CATALOG_NAME_MAX + 1] = "";
    size_t len;
    bool found;
    int rc;

    if (!value)
        return error_set(err, ERR_NO_MEMORY, "No memory for extended attributes");
    for (;;) {
        rc = next_xattr(idx, ino, name, value, &len, &found, err);
        if (rc != 0 || !found)
            return rc;
        rc = fn(ctx, name, value, len);
        if (rc != 0)
            return rc;
    }
}
