/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topology.c - drives, slots and import/export elements that come and go while the library is open.
 *
 * A drive keeps its number, its element address and its serial number for good: one that is taken
 * out of the middle leaves its element behind, empty, with `removed` set (kept as the value
 * drive.N.removed), and the next new drive takes that place.  The last drive takes its element with
 * it.  Slots and import/export elements come and go at the end.
 */
#include <stdio.h>

#include "common/cleanup.h"
#include "vtl/library/internal.h"

static void removed_name(unsigned drive, char name[32])
{
    snprintf(name, 32, "drive.%u.removed", drive);
}

static struct library_element *drive_element(struct library *lib, unsigned drive)
{
    return library_lookup(lib, library_drive_address(lib, drive));
}

/* ---- storing --------------------------------------------------------------------------------- */

/* One transaction: the counts, and whether `drive` is removed (drive < 0: nothing about one). */
static int store_topology(struct library *lib, const struct library_geometry *g, int drive,
                          bool removed, struct error *err)
{
    char name[32];
    int rc = places_begin(lib->places, err);

    if (rc != 0)
        return rc;
    rc = places_set_geometry(lib->places, g, err);
    if (rc == 0 && drive >= 0) {
        removed_name((unsigned)drive, name);
        rc = places_set_value(lib->places, name, "1", removed ? 1 : 0, err);
    }
    if (rc != 0) {
        places_rollback(lib->places);
        return rc;
    }
    return places_commit(lib->places, err);
}

int library_load_removed(struct library *lib, struct error *err)
{
    for (unsigned i = 0; i < library_geometry(lib)->drives; i++) {
        struct library_element *e = drive_element(lib, i);
        char name[32], value;
        size_t len;
        int rc;

        removed_name(i, name);
        rc = places_get_value(lib->places, name, &value, 1, &len, err);
        if (rc != 0 && rc != -ERR_NOT_FOUND)
            return rc;
        e->removed = rc == 0 && !e->full;
    }
    return 0;
}

/* Memory first, as it can fail; it is put back if the database refuses. */
static int change(struct library *lib, const struct library_geometry *g, int drive, bool removed,
                  struct error *err)
{
    const struct library_geometry old = *library_geometry(lib);
    int rc = library_lay_out(lib, g, err);

    if (rc != 0)
        return rc;
    rc = store_topology(lib, g, drive, removed, err);
    if (rc != 0)
        library_lay_out(lib, &old, NULL);
    return rc;
}

/* ---- slots and import/export elements -------------------------------------------------------- */

static int check_emptied(struct library *lib, uint16_t first, unsigned from, unsigned to,
                         struct error *err)
{
    for (unsigned i = from; i < to; i++) {
        const struct library_element *e = library_lookup(lib, (uint16_t)(first + i));

        if (e->full)
            return error_set(err, ERR_STATE,
                             "Element %u, which would go, holds the cartridge %s; move it first",
                             e->address, e->barcode);
    }
    return 0;
}

int library_resize(struct library *lib, unsigned slots, unsigned import_export, struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_geometry g = *library_geometry(lib);
    int rc;

    if ((rc = check_emptied(lib, library_first(lib, ELEMENT_SLOT), slots, g.slots, err)) != 0 ||
        (rc = check_emptied(lib, library_first(lib, ELEMENT_IMPORT_EXPORT), import_export,
                            g.import_export, err)) != 0)
        return rc;
    g.slots = slots;
    g.import_export = import_export;
    if ((rc = library_check_geometry(&g, err)) != 0)
        return rc;
    return change(lib, &g, -1, false, err);
}

/* ---- drives ---------------------------------------------------------------------------------- */

bool library_drive_removed(struct library *lib, unsigned drive)
{
    CLEANUP_UNLOCK(&lib->lock);
    const struct library_element *e = drive_element(lib, drive);

    return !e || e->removed;
}

int library_drive_add(struct library *lib, unsigned *drive, struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_geometry g = *library_geometry(lib);
    unsigned n = 0;
    int rc;

    while (n < g.drives && !drive_element(lib, n)->removed)
        n++;
    if (n == g.drives) {
        g.drives++;
        if (library_check_geometry(&g, NULL) != 0)
            return error_set(err, ERR_STATE, "A library has at most %d drives", LIBRARY_DRIVES_MAX);
    }
    rc = change(lib, &g, (int)n, false, err);
    if (rc != 0)
        return rc;
    drive_element(lib, n)->removed = false;
    *drive = n;
    return 0;
}

static unsigned drives_left(struct library *lib)
{
    unsigned left = 0;

    for (unsigned i = 0; i < library_geometry(lib)->drives; i++)
        left += !drive_element(lib, i)->removed;
    return left;
}

int library_drive_remove(struct library *lib, unsigned drive, struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_geometry g = *library_geometry(lib);
    struct library_element *e = drive_element(lib, drive);
    bool last = drive + 1 == g.drives;
    int rc;

    if (!e || e->removed)
        return error_set(err, ERR_NOT_FOUND, "There is no drive %u", drive);
    if (e->full)
        return error_set(err, ERR_STATE, "Cartridge %s is in drive %u; unload it first", e->barcode,
                         drive);
    if (drives_left(lib) == 1)
        return error_set(err, ERR_STATE, "Drive %u is the only one; a library has at least one",
                         drive);
    if (last)
        g.drives--;
    rc = change(lib, &g, (int)drive, !last, err);
    if (rc == 0 && !last)
        drive_element(lib, drive)->removed = true;
    return rc;
}
