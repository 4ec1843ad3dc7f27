/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - is everything in the catalog as it should be, and is it the same as another one.
 *
 * The digest is over rows in the order of their keys, each value with its type and length, so it
 * depends on nothing but what the rows say: not on insertion order, image numbers or page layout.
 */
#include "catalog/internal.h"

#include <endian.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/openssl.h"

/* ---- check ----------------------------------------------------------------------------------- */

/* What must hold in an index: each query finds the number of the first inode that breaks it. */
static const struct {
    const char *sql;
    const char *fault;
} index_rules[] = {
    {"SELECT dent.ino FROM dent LEFT JOIN inode ON inode.ino = dent.ino WHERE inode.ino IS NULL "
     "LIMIT 1",
     "an entry refers to the missing inode"},
    {"SELECT dir FROM dent LEFT JOIN inode ON inode.ino = dir "
     "WHERE inode.ino IS NULL OR mode & 61440 <> 16384 LIMIT 1",
     "there are entries in something that is not a directory: inode"},
    {"SELECT 2 WHERE NOT EXISTS (SELECT 1 FROM inode WHERE ino = 2 AND mode & 61440 = 16384)",
     "the root directory is missing: inode"},
    {"SELECT ino FROM dent WHERE ino = 2 LIMIT 1", "the root is inside of a directory: inode"},
    {"SELECT dent.ino FROM dent JOIN inode ON inode.ino = dent.ino WHERE mode & 61440 = 16384 "
     "GROUP BY dent.ino HAVING count(*) > 1 LIMIT 1",
     "a directory has two names: inode"},
    {"SELECT xattr.ino FROM xattr LEFT JOIN inode ON inode.ino = xattr.ino "
     "WHERE inode.ino IS NULL LIMIT 1",
     "there are attributes of the missing inode"},
    {"SELECT ino FROM dent WHERE length(name) NOT BETWEEN 1 AND 255 OR name IN (x'2e', x'2e2e') "
     "OR instr(name, x'2f') OR instr(name, x'00') LIMIT 1",
     "there is an impossible name for inode"},
    {"SELECT ino FROM xattr WHERE length(name) NOT BETWEEN 1 AND 255 OR instr(name, x'00') OR "
     "length(value) > 65536 LIMIT 1",
     "there is an impossible attribute of inode"},
    {"SELECT ino FROM inode WHERE ino < 1 OR ino > 4294967295 OR size < 0 LIMIT 1",
     "impossible numbers in inode"},
};

static int check_rules(struct catalog_index *idx, struct error *err)
{
    for (size_t i = 0; i < sizeof(index_rules) / sizeof(index_rules[0]); i++) {
        int64_t ino;
        int rc = db_get_int(idx->db, index_rules[i].sql, &ino, err);

        if (rc == -ERR_NOT_FOUND)
            continue;
        if (rc != 0)
            return rc;
        return error_set(err, ERR_CORRUPT, "The file history of image %s: %s %lld", idx->uuid,
                         index_rules[i].fault, (long long)ino);
    }
    return 0;
}

/* Addresses that lie in the stream, or say that the inode is not in this image (-1). */
static int check_addresses(struct catalog_index *idx, uint64_t stream_blocks, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    bool row;
    int rc = db_prepare(
        idx->db, "SELECT ino FROM inode WHERE address < -1 OR address >= ?1 LIMIT 1", &q, err);

    if (rc != 0)
        return rc;
    db_bind_int(q, 1, (int64_t)stream_blocks);
    rc = db_step(q, &row, err);
    if (rc == 0 && row)
        rc = error_set(err, ERR_CORRUPT,
                       "The file history of image %s: inode %lld is behind the end of the stream",
                       idx->uuid, (long long)db_column_int(q, 0));
    return rc;
}

static int check_index(struct catalog *cat, const struct catalog_image *image, struct error *err)
{
    struct catalog_index *idx;
    int rc = catalog_index_open(cat, image->uuid, &idx, err);

    if (rc == -ERR_NOT_FOUND)
        return error_set(err, ERR_CORRUPT,
                         "The file history of image %s is missing; rebuild the catalog from the "
                         "cartridges",
                         image->uuid);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&idx->lock);
    rc = db_check(idx->db, err);
    if (rc == 0)
        rc = check_rules(idx, err);
    if (rc == 0)
        rc = check_addresses(idx, image->stream_blocks, err);
    pthread_mutex_unlock(&idx->lock);
    catalog_index_close(idx);
    return rc;
}

struct check_context {
    struct catalog *cat;
    struct error *err;
};

static int check_image(void *ctx, const struct catalog_image *image)
{
    struct check_context *check = ctx;
    CLEANUP_FREE struct catalog_part *parts = NULL;
    size_t count;
    int rc = catalog_parts(check->cat, image->uuid, &parts, &count, check->err);

    if (rc == -ERR_NOT_FOUND)
        return error_set(check->err, ERR_CORRUPT, "Image %s is on no cartridge", image->uuid);
    if (rc == 0)
        rc = catalog_parts_cover(parts, count, image->stream_blocks, check->err);
    if (rc == -ERR_RANGE) {
        error_prefix(check->err, "Image %s", image->uuid);
        if (check->err)
            check->err->code = ERR_CORRUPT;
        return -ERR_CORRUPT;
    }
    return rc == 0 ? check_index(check->cat, image, check->err) : rc;
}

int catalog_check(struct catalog *cat, struct error *err)
{
    struct check_context check = {cat, err};
    int rc;

    pthread_mutex_lock(&cat->lock);
    rc = db_check(cat->db, err);
    pthread_mutex_unlock(&cat->lock);
    return rc == 0 ? catalog_images(cat, check_image, &check, err) : rc;
}

/* ---- digest ---------------------------------------------------------------------------------- */

static void digest_number(EVP_MD_CTX *md, uint64_t value)
{
    value = htole64(value);
    EVP_DigestUpdate(md, &value, sizeof(value));
}

/* All rows of a query: a mark per row, and per column a length and the bytes (numbers in
 * decimal, NULL as a length that cannot be). */
static int digest_query(EVP_MD_CTX *md, struct db *db, const char *sql, const char *uuid,
                        int columns, struct error *err)
{
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    bool row;
    int rc = db_prepare(db, sql, &q, err);

    if (rc != 0)
        return rc;
    if (uuid)
        db_bind_text(q, 1, uuid);
    while ((rc = db_step(q, &row, err)) == 0 && row) {
        digest_number(md, 1);
        for (int column = 0; column < columns; column++) {
            size_t len;
            const void *data = db_column_blob(q, column, &len);

            digest_number(md, db_column_null(q, column) ? UINT64_MAX : len);
            EVP_DigestUpdate(md, data, len);
        }
    }
    digest_number(md, 0);
    return rc;
}

static int digest_index(EVP_MD_CTX *md, struct catalog *cat, const char *uuid, struct error *err)
{
    static const struct {
        const char *sql;
        int columns;
    } tables[] = {
        {"SELECT dir, name, ino FROM dent ORDER BY dir, name", 3},
        {"SELECT ino, mode, uid, gid, nlink, rdev, size, blocks, atime, mtime, ctime, btime, "
         "address, flags, link FROM inode ORDER BY ino",
         15},
        {"SELECT ino, name, value FROM xattr ORDER BY ino, name", 3},
    };
    struct catalog_index *idx;
    int rc = catalog_index_open(cat, uuid, &idx, err);

    if (rc != 0)
        return rc;
    pthread_mutex_lock(&idx->lock);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && rc == 0; i++)
        rc = digest_query(md, idx->db, tables[i].sql, NULL, tables[i].columns, err);
    pthread_mutex_unlock(&idx->lock);
    catalog_index_close(idx);
    return rc;
}

static int digest_image(EVP_MD_CTX *md, struct catalog *cat, const char *uuid, struct error *err)
{
    int rc;

    pthread_mutex_lock(&cat->lock);
    rc = digest_query(md, cat->db,
                      "SELECT uuid, host, path, label, level, date, base, ended, blocking, files, "
                      "directories, bytes, stream_blocks, warnings, state FROM image "
                      "WHERE uuid = ?1",
                      uuid, 15, err);
    if (rc == 0)
        rc = digest_query(md, cat->db,
                          "SELECT number, volume, barcode, file, first_block, first_stream, "
                          "part.stream_blocks FROM part JOIN image ON image.id = part.image "
                          "WHERE uuid = ?1 ORDER BY number",
                          uuid, 7, err);
    pthread_mutex_unlock(&cat->lock);
    return rc == 0 ? digest_index(md, cat, uuid, err) : rc;
}

/* The uuid behind `uuid`, which is replaced; *found false at the end. */
static int next_uuid(struct catalog *cat, char uuid[CATALOG_UUID_TEXT], bool *found,
                     struct error *err)
{
    CLEANUP_UNLOCK(&cat->lock);
    CLEANUP_DB_QUERY struct db_query *q = NULL;
    int rc = db_prepare(cat->db, "SELECT uuid FROM image WHERE uuid > ?1 ORDER BY uuid LIMIT 1", &q,
                        err);

    if (rc != 0)
        return rc;
    db_bind_text(q, 1, uuid);
    rc = db_step(q, found, err);
    return rc == 0 && *found ? db_column_string(q, 0, uuid, CATALOG_UUID_TEXT, err) : rc;
}

int catalog_digest(struct catalog *cat, uint8_t digest[32], struct error *err)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    char uuid[CATALOG_UUID_TEXT] = "";
    bool found;
    int rc = 0;

    if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
        rc = error_set(err, ERR_NO_MEMORY, "SHA-256 is not available");
    while (rc == 0 && (rc = next_uuid(cat, uuid, &found, err)) == 0 && found)
        rc = digest_image(md, cat, uuid, err);
    if (rc == 0 && EVP_DigestFinal_ex(md, digest, NULL) != 1)
        rc = error_set(err, ERR_INTERNAL, "SHA-256 failed");
    EVP_MD_CTX_free(md);
    return rc;
}
