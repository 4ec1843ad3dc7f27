/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library_cartridge.c - the directories of cartridges, ROOT/cartridges/BARCODE.
 *
 * A cartridge is made in cartridges/new.BARCODE (no barcode has a dot), synchronised, renamed, and
 * only then given a place in library.db.  So after a crash there is
 *     new.BARCODE           half made: removed at the next open
 *     BARCODE, no place     whole: given an empty slot at the next open, if it opens as a cartridge
 *     BARCODE, and a place  done
 * One that comes from elsewhere is built in import.BARCODE by whoever brings it, under a lock on
 * that directory, and then takes the same way; without the lock it is half made and removed.
 *
 * The second case also takes in a cartridge that an operator has copied there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "vtl/library/internal.h"

#define NEW_PREFIX    "new."
#define IMPORT_PREFIX "import."

int library_cartridge_path(const char *root, const char *barcode, char *buf, size_t size,
                           struct error *err)
{
    char name[sizeof("cartridges/") + CARTRIDGE_BARCODE_MAX];
    int rc = library_check_barcode(barcode, err);

    if (rc != 0)
        return rc;
    snprintf(name, sizeof(name), "cartridges/%s", barcode);
    return library_path(root, name, buf, size, err);
}

int library_cartridge_store(struct library *lib, const char *barcode, struct store **out,
                            struct error *err)
{
    char path[PATH_MAX];
    struct library_element e;
    struct store *store;
    int rc;

    if ((rc = library_cartridge_path(lib->root, barcode, path, sizeof(path), err)) != 0 ||
        (rc = library_find(lib, barcode, &e, err)) != 0 ||
        (rc = store_directory_open(path, false, &store, err)) != 0)
        return rc;
    if (!lib->layer) {
        *out = store;
        return 0;
    }
    rc = lib->layer(lib->layer_ctx, barcode, store, out, err);
    if (rc != 0)
        store_close(store);
    return rc;
}

void library_set_store_layer(struct library *lib, library_store_layer *layer, void *ctx)
{
    CLEANUP_UNLOCK(&lib->lock);

    lib->layer = layer;
    lib->layer_ctx = ctx;
}

/* ---- removing -------------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_tree(const char *path)
{
    if (nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        log_warning("%s can't be removed: %s", path, strerror(errno));
}

/* ---- making ---------------------------------------------------------------------------------- */

static int fill_directory(const char *path, struct cartridge_identity *id, struct error *err)
{
    struct store *store;
    int rc = store_directory_open(path, true, &store, err);

    if (rc != 0)
        return rc;
    rc = cartridge_create(store, id, err);
    if (rc == 0)
        rc = store_sync_names(store, err);
    store_close(store);
    return rc;
}

/* Give the finished directory its name, durably. */
static int publish_directory(struct library *lib, const char *made, const char *path,
                             struct error *err)
{
    char cartridges[PATH_MAX];
    CLEANUP_CLOSE int fd = -1;
    int rc = library_path(lib->root, "cartridges", cartridges, sizeof(cartridges), err);

    if (rc != 0)
        return rc;
    if (rename(made, path) != 0)
        return error_errno(err, "%s can't be put into its place", path);
    fd = open(cartridges, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return error_errno(err, "The directory %s can't be synchronised", cartridges);
    return 0;
}

/* The element for a new cartridge.  With the lock held. */
static int new_place(struct library *lib, uint16_t to, struct library_element **out,
                     struct error *err)
{
    struct library_element *e;

    e = to == LIBRARY_NO_ADDRESS ? library_empty_slot(lib) : library_lookup(lib, to);
    if (!e && to == LIBRARY_NO_ADDRESS)
        return error_set(err, ERR_STATE, "The library has no empty slot; add slots or free one");
    if (!e || e->type == ELEMENT_TRANSPORT)
        return error_set(err, ERR_NOT_FOUND, "The library has no element %u for a cartridge", to);
    if (e->full)
        return error_set(err, ERR_EXISTS, "Element %u is full: cartridge %s is in it", to,
                         e->barcode);
    *out = e;
    return 0;
}

static int check_new(struct library *lib, const char *barcode, const char *path, uint16_t to,
                     struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_element *e;
    struct stat st;

    if (strlen(barcode) > lib->barcode_max)
        return error_set(err, ERR_RANGE,
                         "The model of this library reads barcodes of up to %u characters, so it "
                         "can't take %s; choose a shorter one, or another library_model",
                         lib->barcode_max, barcode);
    if (library_lookup_barcode(lib, barcode) || lstat(path, &st) == 0) /* also in the vault */
        return error_set(err, ERR_EXISTS, "There is a cartridge %s already", barcode);
    return new_place(lib, to, &e, err);
}

static int place_new(struct library *lib, const char *barcode, uint16_t to, struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_element *e;
    int rc = new_place(lib, to, &e, err);

    return rc == 0 ? library_place_new(lib, e, barcode, err) : rc;
}

int library_cartridge_create(struct library *lib, struct cartridge_identity *id, uint16_t to,
                             struct error *err)
{
    CLEANUP_UNLOCK(&lib->create_lock);
    char path[PATH_MAX], made[PATH_MAX], name[sizeof("cartridges/" NEW_PREFIX) + 32];
    int rc;

    if ((rc = library_cartridge_path(lib->root, id->barcode, path, sizeof(path), err)) != 0 ||
        (rc = check_new(lib, id->barcode, path, to, err)) != 0)
        return rc;
    snprintf(name, sizeof(name), "cartridges/" NEW_PREFIX "%s", id->barcode);
    if ((rc = library_path(lib->root, name, made, sizeof(made), err)) != 0)
        return rc;
    remove_tree(made);
    rc = fill_directory(made, id, err);
    if (rc == 0)
        rc = publish_directory(lib, made, path, err);
    if (rc == 0)
        rc = place_new(lib, id->barcode, to, err);
    if (rc != 0) {
        remove_tree(made);
        remove_tree(path); /* check_new() found none: it is ours */
    }
    return rc;
}

/* ---- from elsewhere -------------------------------------------------------------------------- */

/* It opens, and says itself that it is this cartridge. */
static int check_stray(const char *path, const char *barcode, struct error *err)
{
    struct store *store;
    struct cartridge *c;
    int rc = store_directory_open(path, false, &store, err);

    if (rc != 0)
        return rc;
    rc = cartridge_open(store, CARTRIDGE_READ_ONLY, &c, err);
    if (rc == 0) {
        if (strcmp(cartridge_identity(c)->barcode, barcode) != 0)
            rc = error_set(err, ERR_FORMAT, "it is cartridge %s", cartridge_identity(c)->barcode);
        cartridge_close(c);
    }
    store_close(store);
    return rc;
}

static int import_path(const char *root, const char *barcode, char *path, struct error *err)
{
    char name[sizeof("cartridges/" IMPORT_PREFIX) + CARTRIDGE_BARCODE_MAX];
    int rc = library_check_barcode(barcode, err);

    if (rc != 0)
        return rc;
    snprintf(name, sizeof(name), "cartridges/" IMPORT_PREFIX "%s", barcode);
    return library_path(root, name, path, PATH_MAX, err);
}

/* The lock is on the directory that has this name at the end, not on one that was removed. */
static int import_lock(const char *path, int *lock, struct error *err)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat here, there;

    if (fd < 0)
        return error_errno(err, "%s can't be opened", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &here) != 0 || stat(path, &there) != 0 ||
        here.st_ino != there.st_ino || here.st_dev != there.st_dev)
        return error_set(err, ERR_BUSY, "another process is working on %s", path);
    *lock = steal_fd(&fd);
    return 0;
}

int library_import_begin(const char *root, const char *barcode, char *path, int *lock,
                         struct error *err)
{
    CLEANUP_CLOSE int fd = -1;
    char taken[PATH_MAX];
    struct stat st;
    int rc = library_cartridge_path(root, barcode, taken, sizeof(taken), err);

    if (rc == 0 && lstat(taken, &st) == 0)
        rc = error_set(err, ERR_EXISTS, "There is a cartridge %s already", barcode);
    if (rc == 0)
        rc = import_path(root, barcode, path, err);
    if (rc != 0)
        return rc;
    if (lstat(path, &st) == 0) { /* a leftover, or somebody's */
        rc = import_lock(path, &fd, err);
        if (rc != 0)
            return rc;
        remove_tree(path);
    }
    if (mkdir(path, 0700) != 0)
        return error_errno(err, "The directory %s can't be made", path);
    return import_lock(path, lock, err);
}

void library_import_abandon(const char *path)
{
    remove_tree(path);
}

int library_cartridge_adopt(struct library *lib, const char *barcode, uint16_t to,
                            struct error *err)
{
    CLEANUP_UNLOCK(&lib->create_lock);
    char path[PATH_MAX], made[PATH_MAX];
    int rc;

    if ((rc = library_cartridge_path(lib->root, barcode, path, sizeof(path), err)) != 0 ||
        (rc = import_path(lib->root, barcode, made, err)) != 0 ||
        (rc = check_new(lib, barcode, path, to, err)) != 0 ||
        (rc = check_stray(made, barcode, err)) != 0 ||
        (rc = publish_directory(lib, made, path, err)) != 0)
        return rc;
    rc = place_new(lib, barcode, to, err);
    if (rc != 0)
        remove_tree(path); /* check_new() found none: it is ours */
    return rc;
}

/* ---- strays ---------------------------------------------------------------------------------- */

static void adopt(struct library *lib, const char *path, const char *barcode)
{
    struct error err = ERROR_INIT;
    struct library_element *e = library_empty_slot(lib);

    if (check_stray(path, barcode, &err) != 0) {
        log_warning("%s has no place and is left alone: %s", path, err.message);
    } else if (!e) {
        log_warning("%s has no place and is left alone: the library has no empty slot", path);
    } else {
        if (library_place_new(lib, e, barcode, &err) != 0)
            log_warning("%s can't be given a place: %s", path, err.message);
        else
            log_info("Cartridge %s had no place; it is now in element %u", barcode, e->address);
    }
}

/* Somebody is building it, or was. */
static void look_at_import(const char *path)
{
    CLEANUP_CLOSE int lock = -1;

    if (import_lock(path, &lock, NULL) != 0)
        return;
    log_info("%s was only half made and is removed", path);
    remove_tree(path);
}

static void look_at(struct library *lib, const char *cartridges, const char *name)
{
    char path[PATH_MAX];

    if (library_path(cartridges, name, path, sizeof(path), NULL) != 0)
        return;
    if (strncmp(name, IMPORT_PREFIX, strlen(IMPORT_PREFIX)) == 0 &&
        library_check_barcode(name + strlen(IMPORT_PREFIX), NULL) == 0) {
        look_at_import(path);
    } else if (strncmp(name, NEW_PREFIX, strlen(NEW_PREFIX)) == 0 &&
               library_check_barcode(name + strlen(NEW_PREFIX), NULL) == 0) {
        log_info("%s was only half made and is removed", path);
        remove_tree(path);
    } else if (library_check_barcode(name, NULL) != 0) {
        log_warning("%s is no cartridge and is left alone", path);
    } else if (!library_lookup_barcode(lib, name) && !library_is_vaulted(lib, name)) {
        adopt(lib, path, name);
    }
}

int library_adopt_strays(struct library *lib, struct error *err)
{
    char cartridges[PATH_MAX];
    struct library_inventory ignored;
    struct dirent *entry;
    DIR *dir;
    int rc = library_path(lib->root, "cartridges", cartridges, sizeof(cartridges), err);

    if (rc != 0)
        return rc;
    dir = opendir(cartridges);
    if (!dir)
        return error_errno(err, "The directory %s can't be read", cartridges);
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            look_at(lib, cartridges, entry->d_name);
    }
    closedir(dir);
    return library_inventory(lib, 0, UINT16_MAX + 1u, &ignored, err);
}

/* ---- destroying ------------------------------------------------------------------------------ */

/* Its place goes first: without it the directory is a stray, taken in again at the next open. */
static int forget_place(struct library *lib, const char *barcode, struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_element *e = library_lookup_barcode(lib, barcode);
    struct library_vaulted v;

    if (e && e->type == ELEMENT_DRIVE)
        return error_set(err, ERR_STATE, "Cartridge %s is in a drive; unload it first", barcode);
    if (e)
        return library_leave(lib, e, NULL, err);
    if (places_vaulted(lib->places, barcode, &v, err) != 0)
        return error_set(err, ERR_NOT_FOUND, "There is no cartridge %.40s in the library", barcode);
    return library_forget_vaulted(lib, barcode, err);
}

int library_cartridge_delete(struct library *lib, const char *barcode, struct error *err)
{
    CLEANUP_UNLOCK(&lib->create_lock);
    char path[PATH_MAX], gone[PATH_MAX], name[sizeof("cartridges/" NEW_PREFIX) + 32];
    int rc = library_cartridge_path(lib->root, barcode, path, sizeof(path), err);

    if (rc != 0 || (rc = forget_place(lib, barcode, err)) != 0)
        return rc;
    snprintf(name, sizeof(name), "cartridges/" NEW_PREFIX "%s", barcode);
    if ((rc = library_path(lib->root, name, gone, sizeof(gone), err)) != 0)
        return rc;
    remove_tree(gone);
    if (rename(path, gone) != 0 && errno != ENOENT)
        return error_errno(err, "%s can't be removed", path);
    remove_tree(gone);
    return 0;
}

/* ---- inventory ------------------------------------------------------------------------------- */

struct inventory {
    struct library *lib;
    unsigned last; /* the highest address that is looked at */
    struct library_inventory *out;
};

enum sight { SEEN, MISSING, UNKNOWN };

static void note(struct library *lib, const struct library_element *seen, enum sight sight)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_element *e = library_lookup(lib, seen->address);

    if (!e || strcmp(e->barcode, seen->barcode) != 0) /* it has moved meanwhile */
        return;
    if (sight == MISSING && !e->missing)
        log_error("Cartridge %s has its place in element %u, but its directory is missing",
                  e->barcode, e->address);
    if (sight == UNKNOWN) {
        e->evidence = EVIDENCE_RECORDED;
        e->observed_ns = e->changed_ns;
        return;
    }
    e->missing = sight == MISSING;
    e->evidence = EVIDENCE_INVENTORY;
    e->observed_ns = library_now();
}

/* Only "there is none" says that it is missing; storage that fails says nothing. */
static int look_for(struct inventory *inventory, const struct library_element *e, enum sight *sight)
{
    char path[PATH_MAX];
    int rc = library_cartridge_path(inventory->lib->root, e->barcode, path, sizeof(path), NULL);

    if (rc != 0)
        return rc;
    *sight = access(path, F_OK) == 0 ? SEEN : errno == ENOENT ? MISSING : UNKNOWN;
    if (*sight == UNKNOWN)
        log_warning("Whether cartridge %s is in element %u can't be told: %s: %s", e->barcode,
                    e->address, path, strerror(errno));
    inventory->out->seen += *sight == SEEN;
    inventory->out->missing += *sight == MISSING;
    inventory->out->unknown += *sight == UNKNOWN;
    return 0;
}

static int look_into(void *ctx, const struct library_element *e)
{
    struct inventory *inventory = ctx;
    enum sight sight = SEEN;
    int rc = 0;

    if (e->address > inventory->last)
        return 1;
    if (e->full)
        rc = look_for(inventory, e, &sight);
    if (rc == 0)
        note(inventory->lib, e, sight);
    return rc;
}

int library_inventory(struct library *lib, uint16_t first, unsigned count,
                      struct library_inventory *out, struct error *err)
{
    struct inventory inventory = {lib, first + count - 1, out};
    int rc;

    *out = (struct library_inventory){0, 0, 0};
    rc = library_elements(lib, 0, first, count, look_into, &inventory, err);
    return rc > 0 ? 0 : rc;
}
