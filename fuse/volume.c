/* SPDX-License-Identifier: Apache-2.0 */
/* volume.c - see volume.h. */
#include "fuse/volume.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/cleanup.h"

#define FRESH_NS 1000000000u

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- the stamp ------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static uint64_t stamp_of_object(int directory, const char *name)
{
    struct stat st;

    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    return mix(mix(mix(mix(1, st.st_ino), (uint64_t)st.st_size), (uint64_t)st.st_mtim.tv_sec),
               (uint64_t)st.st_mtim.tv_nsec);
}

/* Zeros if there is no such directory.  The order of a directory means nothing: a sum. */
static struct volume_stamp stamp_take(const char *path)
{
    struct volume_stamp stamp = {.objects = 0};
    DIR *directory = opendir(path);
    struct dirent *entry;
    struct stat st;

    if (!directory)
        return stamp;
    if (fstat(dirfd(directory), &st) == 0) {
        stamp.device = st.st_dev;
        stamp.inode = st.st_ino;
    }
    while ((entry = readdir(directory)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            stamp.objects += stamp_of_object(dirfd(directory), entry->d_name);
    closedir(directory);
    return stamp;
}

static bool stamp_same(const struct volume_stamp *a, const struct volume_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->objects == b->objects;
}

bool view_volume_changed(const struct volume *volume)
{
    struct volume_stamp now = stamp_take(volume->path);

    return !stamp_same(&now, &volume->stamp);
}

bool view_volume_fresh(const struct volume *volume, int rc)
{
    struct volume_stamp now = stamp_take(volume->path);

    if (now.device != volume->stamp.device || now.inode != volume->stamp.inode)
        return false; /* another cartridge, or none */
    if (stamp_same(&now, &volume->stamp) && rc != -ERR_IO)
        return true;
    return now_ns() - volume->opened_ns < FRESH_NS;
}

/* ---- the handle ------------------------------------------------------------------------------ */

int view_volume_open(struct volume *volume, struct error *err)
{
    struct store *store = NULL;
    struct stat st;
    int rc;

    if (stat(volume->path, &st) != 0 || !S_ISDIR(st.st_mode))
        return error_set(err, ERR_NOT_FOUND,
                         "Cartridge %s is not in the library: %s is missing; import it again",
                         volume->barcode, volume->path);
    volume->stamp = stamp_take(volume->path);
    volume->opened_ns = now_ns();
    rc = store_directory_open(volume->path, false, &store, err);
    if (rc == 0)
        rc = cartridge_open(store, CARTRIDGE_READ_ONLY, &volume->cartridge, err);
    if (rc != 0) {
        volume->cartridge = NULL;
        store_close(store);
        return rc;
    }
    volume->store = store;
    return 0;
}

void view_volume_close(struct volume *volume)
{
    cartridge_close(volume->cartridge);
    store_close(volume->store);
    volume->cartridge = NULL;
    volume->store = NULL;
}

/* To the block; what a writer committed since is looked for if it is not there. */
static int locate(struct volume *volume, uint64_t block, bool *anew, struct error *err)
{
    struct cartridge *c = volume->cartridge;
    struct cartridge_position pos;
    struct volume_stamp now;
    int rc = cartridge_locate(c, 0, block, err);

    cartridge_tell(c, &pos);
    if (rc == 0 && pos.lba < pos.eod_lba)
        return 0;
    if (rc != 0 && rc != -ERR_END_OF_DATA)
        return rc;
    now = stamp_take(volume->path);
    if (stamp_same(&now, &volume->stamp))
        return rc;
    *anew = true; /* the writer may have overwritten, not only appended */
    rc = cartridge_refresh(c, err);
    if (rc != 0)
        return rc;
    volume->stamp = now;
    volume->opened_ns = now_ns();
    return cartridge_locate(c, 0, block, err);
}

int view_volume_read(struct volume *volume, uint64_t block, struct record *record, bool *anew,
                     struct error *err)
{
    uint32_t len = 0;
    int rc = locate(volume, block, anew, err);

    if (rc == 0)
        rc = cartridge_read(volume->cartridge, record->data, record->room, &len, err);
    switch (-rc) {
    case 0:
        record->len = len;
        return 0;
    case ERR_FILEMARK:
        return error_set(err, ERR_CORRUPT,
                         "Cartridge %s has a filemark at block %llu, where data should be: it was "
                         "overwritten",
                         volume->barcode, (unsigned long long)block);
    case ERR_LENGTH:
        return error_set(err, ERR_CORRUPT,
                         "Block %llu of cartridge %s has %u bytes, more than the %zu expected: it "
                         "was overwritten",
                         (unsigned long long)block, volume->barcode, len, record->room);
    case ERR_END_OF_DATA:
        return error_set(err, ERR_END_OF_DATA,
                         "Cartridge %s ends before block %llu: it was overwritten", volume->barcode,
                         (unsigned long long)block);
    default:
        return rc;
    }
}
