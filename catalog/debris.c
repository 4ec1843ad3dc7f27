/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debris.c - what a writer that died left in images/: temporary files, and indexes that no row
 * names because the end came between the rename and the commit (or, deleting, between the commit
 * and the unlink).
 *
 * Living writers are safe: a temporary file is locked (flock) as long as its writer lives, and an
 * index without a row is only debris while the writer's lock of catalog.db is held, as rename and
 * row happen inside one transaction.
 */
#include "catalog/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"

void catalog_index_file_name(const char *uuid, char name[INDEX_NAME_SIZE])
{
    snprintf(name, INDEX_NAME_SIZE, "%s.idx", uuid);
}

/* The uuid that a file name in images/ begins with; false if it does not. */
static bool name_uuid(const char *name, char uuid[CATALOG_UUID_TEXT])
{
    if (strlen(name) < CATALOG_UUID_TEXT)
        return false;
    memcpy(uuid, name, CATALOG_UUID_TEXT - 1);
    uuid[CATALOG_UUID_TEXT - 1] = '\0';
    return catalog_uuid_valid(uuid);
}

static void remove_debris(struct catalog *cat, const char *name)
{
    if (unlinkat(cat->images_fd, name, 0) == 0)
        log_info("Removed %s/images/%s, left by an unfinished dump", cat->dir, name);
    else if (errno != ENOENT)
        log_warning("Cannot remove %s/images/%s: %s", cat->dir, name, strerror(errno));
}

static void remove_dead_temporary(struct catalog *cat, const char *name)
{
    CLEANUP_CLOSE int fd = openat(cat->images_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        remove_debris(cat, name);
}

/* The row is looked for twice: at first without, then (a writer may be between rename and commit)
 * with the writer's lock. */
static int remove_unknown_index(struct catalog *cat, const char *name, const char *uuid,
                                struct error *err)
{
    DB_TRANSACTION(cat->db);
    bool known;
    int rc = catalog_image_known(cat, uuid, &known, err);

    if (rc != 0 || known)
        return rc;
    rc = db_begin(cat->db, err);
    if (rc == 0)
        rc = catalog_image_known(cat, uuid, &known, err);
    if (rc == 0 && !known)
        remove_debris(cat, name);
    return rc;
}

static int examine(struct catalog *cat, const char *name, struct error *err)
{
    char uuid[CATALOG_UUID_TEXT];
    const char *tail = name + CATALOG_UUID_TEXT - 1;

    if (!name_uuid(name, uuid))
        return 0; /* not ours: let it be */
    if (strcmp(tail, ".idx") == 0)
        return remove_unknown_index(cat, name, uuid, err);
    if (tail[0] == '.' && strlen(tail) > 4 && strcmp(tail + strlen(tail) - 4, ".tmp") == 0)
        remove_dead_temporary(cat, name);
    return 0;
}

int catalog_debris_remove(struct catalog *cat, struct error *err)
{
    int fd = openat(cat->images_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    int rc = 0;

    if (!dir) {
        rc = error_errno(err, "Cannot list %s/images", cat->dir);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (rc == 0 && (entry = readdir(dir)) != NULL)
        rc = examine(cat, entry->d_name, err);
    closedir(dir);
    if (rc == -ERR_BUSY) /* somebody writes just now: the next to open cleans up */
        return 0;
    return rc;
}
