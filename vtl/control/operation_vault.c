/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operation_vault.c - what an operator does with cartridges by hand: put them into the library and
 * take them out, put them away, slide the tab, destroy them: see control.h.
 *
 * A host that prevents the removal of media prevents the operator, too.
 */
#include "vtl/control/operations.h"

#include <string.h>

#include "common/json.h"
#include "vtl/control/place.h"

#define EXPORTED "outside of the library"

static int check_allowed(struct control *control, struct error *err)
{
    if (control->target && scsi_target_prevented(control->target))
        return error_set(err, ERR_BUSY,
                         "a host prevents that cartridges are taken out of the library");
    return 0;
}

/* The element that text names, with a cartridge in it. */
static int full_place(struct control *control, const char *text, unsigned bare,
                      struct library_element *e, struct error *err)
{
    char place[PLACE_TEXT_SIZE];
    int rc = place_resolve(control->library, text, bare, e, err);

    if (!rc && !e->full)
        rc = error_set(err, ERR_STATE, "there is no cartridge in %s",
                       place_text(control->library, e->address, place));
    return rc;
}

static void tell_hosts(struct control *control)
{
    if (control->target)
        scsi_target_inventory_changed(control->target);
}

static int put_away(struct control *control, const struct library_element *e, const char *place,
                    json_t **result, struct error *err)
{
    char from[PLACE_TEXT_SIZE];
    int rc = check_allowed(control, err);

    place_text(control->library, e->address, from);
    if (!rc)
        rc = library_vault(control->library, e->address, place, err);
    if (rc)
        return rc;
    tell_hosts(control);
    *result = json_pack("{ssss}", "cartridge", e->barcode, "from", from);
    return *result && json_set_bytes(*result, "to", place, strlen(place), err) == 0
               ? 0
               : operation_no_memory(err);
}

int operation_vault(struct control *control, const json_t *args, json_t **result, struct error *err)
{
    struct library_element e;
    int rc = full_place(control, json_get_text(args, "cartridge", ""), ELEMENT_SLOT, &e, err);

    return rc ? rc : put_away(control, &e, json_get_text(args, "place", ""), result, err);
}

/* Only what lies in an import/export element can be reached from outside. */
int operation_slot_export(struct control *control, const json_t *args, json_t **result,
                          struct error *err)
{
    struct library_element e;
    char text[PLACE_TEXT_SIZE];
    int rc = full_place(control, json_get_text(args, "from", ""), ELEMENT_IMPORT_EXPORT, &e, err);

    if (!rc && e.type != ELEMENT_IMPORT_EXPORT)
        rc = error_set(err, ERR_STATE,
                       "the cartridge %s is in %s; move it into an import/export element first",
                       e.barcode, place_text(control->library, e.address, text));
    return rc ? rc : put_away(control, &e, json_get_text(args, "place", EXPORTED), result, err);
}

/* ---- back -------------------------------------------------------------------------------- */

static int first_empty(void *ctx, const struct library_element *e)
{
    if (e->full)
        return 0;
    *(struct library_element *)ctx = *e;
    return 1;
}

static int bring_back(struct control *control, const char *barcode, uint16_t to, json_t **result,
                      struct error *err)
{
    struct library_element e;
    char text[PLACE_TEXT_SIZE];
    int rc = library_unvault(control->library, barcode, to, err);

    if (!rc)
        rc = library_find(control->library, barcode, &e, err);
    if (rc)
        return rc;
    tell_hosts(control);
    *result = json_pack("{ssssss}", "cartridge", barcode, "from", "the vault", "to",
                        place_text(control->library, e.address, text));
    return *result ? 0 : operation_no_memory(err);
}

int operation_unvault(struct control *control, const json_t *args, json_t **result,
                      struct error *err)
{
    const char *place = json_get_text(args, "to", NULL);
    struct library_element to = {.address = 0xffff};
    int rc = place ? place_resolve(control->library, place, ELEMENT_SLOT, &to, err) : 0;

    return rc ? rc
              : bring_back(control, json_get_text(args, "barcode", ""), to.address, result, err);
}

/* Into an import/export element, as an operator does: hosts get 28h/01h. */
int operation_slot_import(struct control *control, const json_t *args, json_t **result,
                          struct error *err)
{
    const char *place = json_get_text(args, "to", NULL);
    struct library_element to;
    int rc = check_allowed(control, err);

    if (!rc && place)
        rc = place_resolve(control->library, place, ELEMENT_IMPORT_EXPORT, &to, err);
    else if (!rc)
        rc = library_elements(control->library, ELEMENT_IMPORT_EXPORT, 0, UINT16_MAX, first_empty,
                              &to, err);
    if (!rc && !place)
        rc = error_set(err, ERR_STATE, "every import/export element is full, or there is none");
    if (rc < 0)
        return rc;
    if (to.type != ELEMENT_IMPORT_EXPORT)
        return error_set(err, ERR_USAGE, "'%.40s' is no import/export element; write ie:1", place);
    return bring_back(control, json_get_text(args, "barcode", ""), to.address, result, err);
}

struct vault_listing {
    json_t *rows;
    struct error *err;
};

static int vault_row(void *ctx, const struct library_vaulted *v)
{
    struct vault_listing *l = ctx;
    json_t *row = json_pack("{ss}", "cartridge", v->barcode);

    if (!row || json_set_bytes(row, "place", v->place, strlen(v->place), l->err) ||
        json_set_time(row, "since", v->since_ns, l->err) || json_array_append_new(l->rows, row))
        return operation_no_memory(l->err);
    return 0;
}

int operation_vault_list(struct control *control, const json_t *args, json_t **result,
                         struct error *err)
{
    struct vault_listing l = {json_array(), err};
    json_t *list = json_pack("{so}", "vault", l.rows);
    int rc =
        list ? library_vault_list(control->library, vault_row, &l, err) : operation_no_memory(err);

    (void)args;
    if (rc)
        json_decref(list);
    else
        *result = list;
    return rc;
}

/* ---- the tab, and the end ---------------------------------------------------------------- */

/* The tab is out of reach while the cartridge is in a drive. */
static int slide_tab(struct control *control, const char *barcode, bool on, struct error *err)
{
    struct store *store = NULL;
    struct cartridge *c = NULL;
    int rc = library_cartridge_store(control->library, barcode, &store, err);

    if (!rc)
        rc = cartridge_open(store, CARTRIDGE_READ_WRITE, &c, err);
    if (!rc)
        rc = cartridge_set_protected(c, on, err);
    cartridge_close(c);
    store_close(store);
    return rc;
}

int operation_protect(struct control *control, const json_t *args, json_t **result,
                      struct error *err)
{
    bool on = json_is_true(json_object_get(args, "on"));
    struct library_element e;
    char text[PLACE_TEXT_SIZE];
    int rc = full_place(control, json_get_text(args, "cartridge", ""), ELEMENT_SLOT, &e, err);

    if (!rc && e.type == ELEMENT_DRIVE)
        rc = error_set(err, ERR_STATE, "the cartridge %s is in %s; unload it first", e.barcode,
                       place_text(control->library, e.address, text));
    if (!rc)
        rc = slide_tab(control, e.barcode, on, err);
    if (rc)
        return rc;
    *result = json_pack("{sssb}", "cartridge", e.barcode, "protected", on);
    return *result ? 0 : operation_no_memory(err);
}

/* The alternate volume tag; without one it is only told. */
int operation_tag(struct control *control, const json_t *args, json_t **result, struct error *err)
{
    const char *tag = json_get_text(args, "tag", NULL);
    bool remove = json_is_true(json_object_get(args, "remove"));
    int64_t sequence = json_get_integer(args, "sequence", 0);
    struct library_element e;
    int rc = full_place(control, json_get_text(args, "cartridge", ""), ELEMENT_SLOT, &e, err);

    if (!rc && (sequence < 0 || sequence > UINT16_MAX || (tag && remove)))
        rc = error_set(err, ERR_USAGE,
                       "a sequence number is from 0 to 65535, and a tag is given or removed");
    if (!rc && (tag || remove))
        rc = library_set_alternate(control->library, e.address, tag, (uint16_t)sequence, err);
    if (!rc)
        rc = library_find(control->library, e.barcode, &e, err);
    if (rc)
        return rc;
    *result = json_pack("{ssss?si}", "cartridge", e.barcode, "alternate_tag",
                        *e.alternate ? e.alternate : NULL, "sequence", (int)e.alternate_sequence);
    return *result ? 0 : operation_no_memory(err);
}

int operation_cartridge_delete(struct control *control, const json_t *args, json_t **result,
                               struct error *err)
{
    const char *barcode = json_get_text(args, "barcode", "");
    int rc = check_allowed(control, err);

    if (!rc)
        rc = library_cartridge_delete(control->library, barcode, err);
    if (rc)
        return rc;
    tell_hosts(control);
    *result = json_pack("{ss}", "deleted", barcode);
    return *result ? 0 : operation_no_memory(err);
}
