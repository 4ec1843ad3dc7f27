/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library_open.c - making a library on disk, and opening it: the lock, the geometry, the rows of
 * library.db, and what a crash has left.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "vtl/library/internal.h"

/* ---- create ---------------------------------------------------------------------------------- */

int library_path(const char *root, const char *name, char *path, size_t size, struct error *err)
{
    int n = snprintf(path, size, "%s/%s", root, name);

    if (n < 0 || (size_t)n >= size)
        return error_set(err, ERR_RANGE, "The path %.100s... is too long", root);
    return 0;
}

int library_check_geometry(const struct library_geometry *g, struct error *err)
{
    if (g->drives > LIBRARY_DRIVES_MAX || g->slots > LIBRARY_SLOTS_MAX ||
        g->import_export > LIBRARY_IMPORT_EXPORT_MAX)
        return error_set(err, ERR_RANGE,
                         "A library has at most %d drives, %d slots and %d import/export elements",
                         LIBRARY_DRIVES_MAX, LIBRARY_SLOTS_MAX, LIBRARY_IMPORT_EXPORT_MAX);
    if (1 + g->drives + g->slots + g->import_export > LIBRARY_ELEMENTS_MAX)
        return error_set(err, ERR_RANGE,
                         "A library has at most %d elements, as SMC-3 addresses have 16 bits: with "
                         "%u drives and %u import/export elements it can have %u slots",
                         LIBRARY_ELEMENTS_MAX, g->drives, g->import_export,
                         LIBRARY_ELEMENTS_MAX - 1 - g->drives - g->import_export);
    if (strnlen(g->serial, sizeof(g->serial)) > 10 ||
        strspn(g->serial, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") !=
            strnlen(g->serial, sizeof(g->serial)))
        return error_set(err, ERR_RANGE,
                         "A changer's serial number is up to 10 characters of A-Z and 0-9");
    return 0;
}

static int library_make_serial(char serial[16], struct error *err)
{
    static const char digits[] = "0123456789ABCDEFGHJKLMNPQRSTUVWX";
    unsigned char random[8];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return error_errno(err, "The system gives no random numbers for a serial number");
    memcpy(serial, "CP", 2);
    for (int i = 0; i < 8; i++)
        serial[2 + i] = digits[random[i] % 32];
    serial[10] = '\0';
    return 0;
}

static int make_directory(const char *path, struct error *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    return error_errno(err, "The directory %s can't be made", path);
}

/* Make path and what is missing above it. */
static int make_directories(const char *path, struct error *err)
{
    CLEANUP_FREE char *copy = strdup(path);

    if (!copy)
        return error_set(err, ERR_NO_MEMORY, "There is no memory for the path %s", path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(copy, 0700); /* a failure shows below, on what is made in it */
        *slash = '/';
    }
    return make_directory(copy, err);
}

static int sync_directory(const char *path, struct error *err)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0)
        return error_errno(err, "The directory %s can't be synchronised", path);
    return 0;
}

/* The database is made under another name, so that a crash leaves no half library. */
static int library_create_db(const char *root, const struct library_geometry *geometry,
                             struct error *err)
{
    char path[PATH_MAX], made[PATH_MAX];
    int rc;

    if ((rc = library_path(root, "library.db", path, sizeof(path), err)) != 0 ||
        (rc = library_path(root, "library.db.new", made, sizeof(made), err)) != 0)
        return rc;
    if (access(path, F_OK) == 0)
        return error_set(err, ERR_EXISTS,
                         "There is a library in %s already; choose another directory", root);
    unlink(made);
    rc = places_create(made, geometry, err);
    if (rc == 0 && rename(made, path) != 0)
        rc = error_errno(err, "%s can't be put into its place", path);
    return rc == 0 ? sync_directory(root, err) : rc;
}

int library_create(const char *root, const struct library_geometry *geometry, struct error *err)
{
    struct library_geometry g = *geometry;
    char cartridges[PATH_MAX];
    int rc;

    if ((rc = library_check_geometry(&g, err)) != 0 ||
        (rc = library_path(root, "cartridges", cartridges, sizeof(cartridges), err)) != 0 ||
        (g.serial[0] == '\0' && (rc = library_make_serial(g.serial, err)) != 0) ||
        (rc = make_directories(root, err)) != 0 || (rc = make_directory(cartridges, err)) != 0)
        return rc;
    return library_create_db(root, &g, err);
}

/* ---- open ------------------------------------------------------------------------------------ */

static int library_take_lock(struct library *lib, struct error *err)
{
    char path[PATH_MAX], pid[32] = "";
    int rc = library_path(lib->root, "library.lock", path, sizeof(path), err);

    if (rc != 0)
        return rc;
    lib->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lib->lock_fd < 0)
        return error_errno(err, "%s can't be opened", path);
    if (flock(lib->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = pread(lib->lock_fd, pid, sizeof(pid) - 1, 0);

        pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
        return error_set(err, ERR_BUSY,
                         "Another process (%s) has the library in %s open; talk to it, or stop it",
                         pid[0] ? pid : "unknown", lib->root);
    }
    snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(lib->lock_fd, 0) != 0 || pwrite(lib->lock_fd, pid, strlen(pid), 0) < 0)
        log_warning("%s: the process id can't be noted", path);
    return 0;
}

/* Counts come from the configuration, but a serial once given stays unless another is asked for. */
static int library_merge_geometry(struct library *lib, const struct library_geometry *wanted,
                                  struct error *err)
{
    struct library_geometry stored, g;
    int rc = places_get_geometry(lib->places, &stored, err);

    if (rc != 0)
        return rc;
    g = wanted ? *wanted : stored;
    if (g.serial[0] == '\0')
        memcpy(g.serial, stored.serial, sizeof(stored.serial));
    rc = library_check_geometry(&g, err);
    if (rc != 0)
        return rc;
    library_first_layout(lib, &g);
    return library_lay_out(lib, &g, err);
}

/* A row of library.db into memory; for places_load(). */
static int library_load_row(void *ctx, const struct places_row *row, struct error *err)
{
    struct library *lib = ctx;
    struct library_element *e = library_lookup_stored(lib, row->element), *source;

    if (!row->full) {
        if (e) {
            e->generation = row->generation;
            e->changed_ns = e->observed_ns = row->changed_ns;
        }
        return 0;
    }
    if (library_check_barcode(row->barcode, NULL) != 0)
        return error_set(err, ERR_CORRUPT, "library.db holds the impossible barcode %s",
                         row->barcode);
    if (!e)
        return error_set(err, ERR_STATE,
                         "Cartridge %s is in element %u, which the configured geometry does not "
                         "have; make the library as large as it was, and move the cartridge first",
                         row->barcode, row->element);
    source = row->source_valid ? library_lookup_stored(lib, row->source) : NULL;
    e->full = true;
    e->imported = row->imported;
    e->source_valid = source != NULL;
    e->source = source ? source->address : 0;
    memcpy(e->barcode, row->barcode, sizeof(e->barcode));
    memcpy(e->alternate, row->alternate, sizeof(e->alternate));
    e->alternate_sequence = row->alternate_sequence;
    return 0;
}

static int library_load(struct library *lib, const struct library_geometry *geometry,
                        struct error *err)
{
    char path[PATH_MAX];
    const struct library_geometry *g;
    struct library_geometry stored;
    int rc;

    if ((rc = library_path(lib->root, "library.db", path, sizeof(path), err)) != 0 ||
        (rc = places_open(path, &lib->places, err)) != 0 ||
        (rc = library_merge_geometry(lib, geometry, err)) != 0 ||
        (rc = places_load(lib->places, library_load_row, lib, err)) != 0 ||
        (rc = library_load_removed(lib, err)) != 0 ||
        (rc = places_get_geometry(lib->places, &stored, err)) != 0)
        return rc;
    library_index_all(lib);
    g = library_geometry(lib);
    if (memcmp(&stored, g, offsetof(struct library_geometry, serial)) != 0 ||
        strcmp(stored.serial, g->serial) != 0)
        rc = places_set_geometry(lib->places, g, err);
    return rc == 0 ? library_adopt_strays(lib, err) : rc;
}

int library_open(const char *root, const struct library_geometry *geometry, struct library **out,
                 struct error *err)
{
    char path[PATH_MAX];
    struct library *lib;
    int rc;

    if ((rc = library_path(root, "library.db", path, sizeof(path), err)) != 0)
        return rc;
    if (access(path, F_OK) != 0)
        return error_errno(err, "There is no library in %s (make one with capstan init)", root);
    lib = calloc(1, sizeof(*lib));
    if (!lib || !(lib->root = strdup(root))) {
        free(lib);
        return error_set(err, ERR_NO_MEMORY, "There is no memory to open the library");
    }
    lib->lock_fd = -1;
    pthread_mutex_init(&lib->lock, NULL);
    pthread_mutex_init(&lib->create_lock, NULL);
    rc = library_take_lock(lib, err);
    if (rc == 0)
        rc = library_load(lib, geometry, err);
    if (rc != 0) {
        library_close(lib);
        return rc;
    }
    *out = lib;
    return 0;
}

void library_close(struct library *lib)
{
    if (!lib)
        return;
    places_close(lib->places);
    if (lib->lock_fd >= 0)
        close(lib->lock_fd);
    pthread_mutex_destroy(&lib->lock);
    pthread_mutex_destroy(&lib->create_lock);
    library_free_elements(lib);
    free(lib->root);
    free(lib);
}
