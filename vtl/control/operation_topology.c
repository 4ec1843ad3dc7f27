/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operation_topology.c - drives, slots and import/export elements that come and go: see control.h.
 *
 * The counts stand in capstan.conf, which is read at the next start: so it is changed first, and
 * changed back if the library refuses.  A crash in between leaves an element more than hosts have
 * seen, which is empty, or one less that was empty.
 */
#include "vtl/control/operations.h"

#include <string.h>

#include "common/json.h"
#include "vtl/control/place.h"

static int note_count(struct control *control, const char *key, unsigned count, struct error *err)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", count);
    return config_edit(control->config->root, "library", key, text, err);
}

/* ---- drives ------------------------------------------------------------------------------ */

/* The number of a drive that may be there. */
static int drive_number(const json_t *args, unsigned *drive, struct error *err)
{
    int64_t n = json_get_integer(args, "drive", 0);

    if (n >= LIBRARY_DRIVES_MAX)
        return error_set(err, ERR_NOT_FOUND, "there is no drive %lld", (long long)n);
    *drive = (unsigned)n;
    return 0;
}

static json_t *drive_result(const char *word, unsigned drive)
{
    return json_pack("{sssi}", "done", word, "drive", (int)drive);
}

int operation_drive_add(struct control *control, const json_t *args, json_t **result,
                        struct error *err)
{
    unsigned before = library_geometry(control->library)->drives, after, drive = 0;
    int rc = control->target ? scsi_target_drive_add(control->target, &drive, err)
                             : library_drive_add(control->library, &drive, err);

    (void)args;
    after = library_geometry(control->library)->drives;
    if (!rc && after != before)
        rc = note_count(control, "drives", after, err);
    if (rc)
        return rc;
    *result = drive_result("added", drive);
    return *result ? 0 : operation_no_memory(err);
}

int operation_drive_remove(struct control *control, const json_t *args, json_t **result,
                           struct error *err)
{
    unsigned drive = 0, before = library_geometry(control->library)->drives;
    struct error ignored = ERROR_INIT;
    int rc = drive_number(args, &drive, err);
    bool last = drive + 1 == before;

    if (!rc && last && before > 1)
        rc = note_count(control, "drives", before - 1, err);
    if (rc)
        return rc;
    rc = control->target ? scsi_target_drive_remove(control->target, drive, err)
                         : library_drive_remove(control->library, drive, err);
    if (rc && last)
        note_count(control, "drives", before, &ignored);
    if (rc)
        return rc;
    *result = drive_result("removed", drive);
    return *result ? 0 : operation_no_memory(err);
}

int operation_drive_eject(struct control *control, const json_t *args, json_t **result,
                          struct error *err)
{
    unsigned drive = 0;
    int rc = drive_number(args, &drive, err);

    if (rc)
        return rc;
    if (!control->target)
        return error_set(err, ERR_STATE,
                         "no daemon is running, so no drive has threaded a cartridge");
    rc = scsi_target_drive_eject(control->target, drive, err);
    if (rc)
        return rc;
    *result = drive_result("ejected", drive);
    return *result ? 0 : operation_no_memory(err);
}

/* ---- slots and import/export elements ---------------------------------------------------- */

static int resize(struct control *control, unsigned slots, unsigned import_export,
                  struct error *err)
{
    int rc = library_resize(control->library, slots, import_export, err);

    if (!rc && control->target)
        scsi_target_elements_changed(control->target);
    return rc;
}

/* More elements: the library first, so that one that can't have them is not noted. */
static int count_change(struct control *control, const char *key, unsigned slots,
                        unsigned import_export, unsigned count, unsigned before, struct error *err)
{
    struct error ignored = ERROR_INIT;
    int rc = note_count(control, key, count, err);

    if (rc)
        return rc;
    rc = resize(control, slots, import_export, err);
    if (rc)
        note_count(control, key, before, &ignored);
    return rc;
}

int operation_slot_change(struct control *control, const json_t *args, json_t **result,
                          struct error *err)
{
    const struct library_geometry *g = library_geometry(control->library);
    bool doors = json_is_true(json_object_get(args, "import_export"));
    bool remove = json_is_true(json_object_get(args, "remove"));
    int64_t by = json_get_integer(args, "count", 1), before = doors ? g->import_export : g->slots;
    int64_t most = doors ? LIBRARY_IMPORT_EXPORT_MAX : LIBRARY_SLOTS_MAX, least = doors ? 0 : 1;
    int64_t count;
    int rc;

    if (by < 1 || by > LIBRARY_SLOTS_MAX)
        return error_set(err, ERR_USAGE, "a number of slots is from 1 to %d", LIBRARY_SLOTS_MAX);
    count = remove ? before - by : before + by;
    if (count < least || count > most)
        return error_set(err, ERR_USAGE, "the library would have %lld %s; it may have %lld to %lld",
                         (long long)count, doors ? "import/export elements" : "slots",
                         (long long)least, (long long)most);
    rc = count_change(
        control, doors ? "import_export" : "slots", doors ? g->slots : (unsigned)count,
        doors ? (unsigned)count : g->import_export, (unsigned)count, (unsigned)before, err);
    if (rc)
        return rc;
    *result = json_pack("{sssI}", "what", doors ? "import/export elements" : "slots", "count",
                        (json_int_t)count);
    return *result ? 0 : operation_no_memory(err);
}

/* ---- looking ----------------------------------------------------------------------------- */

int operation_inventory(struct control *control, const json_t *args, json_t **result,
                        struct error *err)
{
    struct library_inventory seen;
    int rc = library_inventory(control->library, 0, UINT16_MAX + 1u, &seen, err);

    (void)args;
    if (rc)
        return rc;
    *result = json_pack("{sisisi}", "cartridges", (int)seen.seen, "missing", (int)seen.missing,
                        "unknown", (int)seen.unknown);
    return *result ? 0 : operation_no_memory(err);
}
