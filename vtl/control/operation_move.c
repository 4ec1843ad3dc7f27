/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operation_move.c - carrying cartridges: see control.h.
 *
 * In the daemon a move goes through the SCSI target, so that a drive lets go of its cartridge and
 * hosts get their unit attentions; on a stopped library it is a move of the library alone.
 */
#include "vtl/control/operations.h"

#include "common/json.h"
#include "vtl/control/place.h"

static int carry(struct control *control, const struct library_element *from, uint16_t to,
                 json_t **result, struct error *err)
{
    const struct library *lib = control->library;
    char from_text[PLACE_TEXT_SIZE], to_text[PLACE_TEXT_SIZE];
    int rc;

    place_text(lib, from->address, from_text);
    place_text(lib, to, to_text);
    if (!from->full)
        return error_set(err, ERR_STATE, "there is no cartridge in %s", from_text);
    if (from->address == to)
        return error_set(err, ERR_STATE, "the cartridge %s is in %s already", from->barcode,
                         to_text);
    rc = control->target ? scsi_target_move(control->target, from->address, to, err)
                         : library_move(control->library, from->address, to, err);
    if (rc)
        return rc;
    *result = json_pack("{ssssss}", "cartridge", from->barcode, "from", from_text, "to", to_text);
    return *result ? 0 : operation_no_memory(err);
}

int operation_move(struct control *control, const json_t *args, json_t **result, struct error *err)
{
    struct library_element from, to;
    char text[PLACE_TEXT_SIZE];
    int rc = place_resolve(control->library, json_get_text(args, "from", ""), 0, &from, err);

    if (!rc)
        rc = place_resolve(control->library, json_get_text(args, "to", ""), 0, &to, err);
    if (rc)
        return rc;
    if (to.full && to.address != from.address)
        return error_set(err, ERR_EXISTS, "%s is full: it holds the cartridge %s",
                         place_text(control->library, to.address, text), to.barcode);
    return carry(control, &from, to.address, result, err);
}

/* ---- drives ------------------------------------------------------------------------------ */

struct drive_choice {
    bool want_full;
    unsigned found; /* how many are as wanted */
    struct library_element first;
};

static int drive_consider(void *ctx, const struct library_element *e)
{
    struct drive_choice *c = ctx;

    if (e->full == c->want_full && c->found++ == 0)
        c->first = *e;
    return 0;
}

/* The drive that args names, or the first one that is empty (for a load), or the only one that is
 * full (for an unload). */
static int drive_choose(struct control *control, const json_t *args, bool want_full,
                        struct library_element *out, struct error *err)
{
    struct drive_choice c = {.want_full = want_full};
    const char *text = json_get_text(args, "drive", NULL);
    int rc;

    if (text) {
        rc = place_resolve(control->library, text, ELEMENT_DRIVE, out, err);
        if (!rc && out->type != ELEMENT_DRIVE)
            rc = error_set(err, ERR_USAGE, "'%.40s' is not a drive; write drive:0", text);
        return rc;
    }
    rc = library_elements(control->library, ELEMENT_DRIVE, 0, UINT16_MAX, drive_consider, &c, err);
    if (rc)
        return rc;
    if (c.found == 0)
        return error_set(err, ERR_STATE,
                         want_full ? "there is no cartridge in any drive"
                                   : "every drive holds a cartridge; unload one first");
    if (want_full && c.found > 1)
        return error_set(err, ERR_USAGE, "%u drives hold a cartridge; say which one", c.found);
    *out = c.first;
    return 0;
}

int operation_load(struct control *control, const json_t *args, json_t **result, struct error *err)
{
    struct library_element from, drive;
    char text[PLACE_TEXT_SIZE];
    int rc = place_resolve(control->library, json_get_text(args, "cartridge", ""), ELEMENT_SLOT,
                           &from, err);

    if (!rc && from.type == ELEMENT_DRIVE)
        rc = from.full ? error_set(err, ERR_STATE, "the cartridge %s is in %s already",
                                   from.barcode, place_text(control->library, from.address, text))
                       : error_set(err, ERR_STATE, "there is no cartridge in %s",
                                   place_text(control->library, from.address, text));
    if (!rc)
        rc = drive_choose(control, args, false, &drive, err);
    if (!rc && drive.full)
        rc = error_set(err, ERR_EXISTS, "%s is full: it holds the cartridge %s; unload it first",
                       place_text(control->library, drive.address, text), drive.barcode);
    return rc ? rc : carry(control, &from, drive.address, result, err);
}

static int slot_empty(void *ctx, const struct library_element *e)
{
    if (e->full)
        return 0;
    *(uint16_t *)ctx = e->address;
    return 1;
}

/* Back to where it came from, or to the first empty slot. */
static int home_of(struct control *control, const struct library_element *drive, uint16_t *home,
                   struct error *err)
{
    struct library_element source;
    int rc;

    if (drive->source_valid &&
        library_element(control->library, drive->source, &source, NULL) == 0 && !source.full &&
        source.type != ELEMENT_DRIVE) {
        *home = source.address;
        return 0;
    }
    rc = library_elements(control->library, ELEMENT_SLOT, 0, UINT16_MAX, slot_empty, home, err);
    if (rc == 0)
        return error_set(err, ERR_STATE,
                         "no slot is empty for the cartridge %s; move another one away first",
                         drive->barcode);
    return rc > 0 ? 0 : rc;
}

int operation_unload(struct control *control, const json_t *args, json_t **result,
                     struct error *err)
{
    struct library_element drive;
    char text[PLACE_TEXT_SIZE];
    uint16_t home;
    int rc = drive_choose(control, args, true, &drive, err);

    if (!rc && !drive.full)
        rc = error_set(err, ERR_STATE, "there is no cartridge in %s",
                       place_text(control->library, drive.address, text));
    if (!rc)
        rc = home_of(control, &drive, &home, err);
    return rc ? rc : carry(control, &drive, home, result, err);
}
