/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operation_cartridge.c - making and showing cartridges: see control.h.
 *
 * Cartridges are looked at read-only, beside whatever drive writes to them; what is shown is what
 * was committed.  One that cannot be read is a row with its error, never the end of the listing.
 */
#include "vtl/control/operations.h"

#include <string.h>

#include "common/checked.h"
#include "common/json.h"
#include "vtl/cartridge/scrub.h"
#include "vtl/control/place.h"
#include "vtl/personality/medium.h"

/* ---- create ------------------------------------------------------------------------------ */

/* What the cartridge will be: what its barcode says, and what the user says, if they agree. */
static int choose_medium(const char *barcode, const char *wanted, bool worm,
                         const struct medium **out, bool *out_worm, struct error *err)
{
    struct medium_label label = medium_of_barcode(barcode);
    const struct medium *m = wanted         ? medium_by_name(wanted)
                             : label.medium ? label.medium
                                            : medium_by_name(MEDIUM_DEFAULT);

    if (!m)
        return error_set(
            err, ERR_USAGE,
            "there is no kind of media '%.20s'; use LTO-3 to LTO-10, LTO-M8 or the end "
            "of a barcode, as L8",
            wanted);
    if (label.cleaning && (wanted || worm))
        return error_set(err, ERR_USAGE,
                         "the barcode %.40s is that of a cleaning cartridge, which has neither "
                         "generation nor WORM; choose another barcode, or leave those options out",
                         barcode);
    if (label.medium && label.medium != m)
        return error_set(err, ERR_USAGE,
                         "the barcode %.40s says %s, but %s was asked for; let it end in %s, or "
                         "leave --generation out",
                         barcode, label.medium->name, m->name, m->barcode);
    if (worm && !m->worm_type)
        return error_set(err, ERR_USAGE, "there are no WORM cartridges of the kind %s", m->name);
    if (worm && label.medium && !label.worm)
        return error_set(
            err, ERR_USAGE,
            "the barcode %.40s says that it is no WORM cartridge; let it end in %s, or "
            "leave --worm out",
            barcode, m->worm_barcode);
    *out = m;
    *out_worm = worm || label.worm;
    return 0;
}

static const char *media_name(uint8_t density)
{
    const struct medium *m = medium_by_density(density);

    return m ? m->name : "unknown";
}

static int identity_from(const json_t *args, struct cartridge_identity *id, struct error *err)
{
    const char *barcode = json_get_text(args, "barcode", "");
    int64_t capacity = json_get_integer(args, "capacity", 0);
    const struct medium *medium = NULL;
    struct error why = ERROR_INIT;
    bool worm = false;
    int rc = choose_medium(barcode, json_get_text(args, "media", NULL),
                           json_is_true(json_object_get(args, "worm")), &medium, &worm, err);

    if (rc)
        return rc;
    rc = cartridge_identity_default(id, barcode, medium->density, &why);
    if (rc) /* all that can be wrong is what the user wrote */
        return error_set(err, rc == -ERR_RANGE ? ERR_USAGE : why.code, "%s", why.message);
    id->worm = worm;
    if (capacity == 0)
        return 0;
    id->capacity = (uint64_t)capacity;
    /* A small cartridge for a test still needs room in front of its early warning. */
    if (id->early_warning > id->capacity / 10)
        id->early_warning = id->capacity / 10;
    if (id->segment_size > id->capacity)
        id->segment_size = (uint32_t)id->capacity;
    return 0;
}

#define CAPACITY_MIN 1000000 /* bytes: some blocks and the early warning behind them */

/* The element that the user named for a new cartridge. */
static int place_for_new(struct control *control, const char *place, struct library_element *to,
                         struct error *err)
{
    char text[PLACE_TEXT_SIZE];
    int rc = place_resolve(control->library, place, ELEMENT_SLOT, to, err);

    if (!rc && to->full)
        rc = error_set(err, ERR_EXISTS, "%s is full: it holds the cartridge %s",
                       place_text(control->library, to->address, text), to->barcode);
    if (!rc && to->type == ELEMENT_DRIVE)
        rc = error_set(err, ERR_USAGE,
                       "a new cartridge goes into a slot or an import/export"
                       " element, not into a drive");
    return rc;
}

int operation_cartridge_create(struct control *control, const json_t *args, json_t **result,
                               struct error *err)
{
    struct library_element to = {.address = 0xffff};
    struct cartridge_identity id;
    const char *place = json_get_text(args, "to", NULL);
    char text[PLACE_TEXT_SIZE];
    int64_t capacity = json_get_integer(args, "capacity", CAPACITY_MIN);
    int rc = identity_from(args, &id, err);

    if (!rc && capacity < CAPACITY_MIN)
        rc = error_set(err, ERR_USAGE, "a cartridge has at least %d bytes, not %lld", CAPACITY_MIN,
                       (long long)capacity);
    if (!rc && place)
        rc = place_for_new(control, place, &to, err);
    if (!rc)
        rc = library_cartridge_create(control->library, &id, to.address, err);
    if (!rc && control->target)
        scsi_target_inventory_changed(control->target);
    if (!rc)
        rc = library_find(control->library, id.barcode, &to, err);
    if (rc)
        return rc;
    *result = json_pack("{sssssssI}", "barcode", id.barcode, "place",
                        place_text(control->library, to.address, text), "media",
                        media_name(id.density), "capacity", (json_int_t)id.capacity);
    return *result ? 0 : operation_no_memory(err);
}

/* Take in the cartridge that was built in import.BARCODE (library_import_begin()). */
int operation_cartridge_adopt(struct control *control, const json_t *args, json_t **result,
                              struct error *err)
{
    struct library_element to = {.address = 0xffff};
    const char *barcode = json_get_text(args, "barcode", "");
    const char *place = json_get_text(args, "to", NULL);
    char text[PLACE_TEXT_SIZE];
    int rc = place ? place_for_new(control, place, &to, err) : 0;

    if (!rc)
        rc = library_cartridge_adopt(control->library, barcode, to.address, err);
    if (!rc && control->target)
        scsi_target_inventory_changed(control->target);
    if (!rc)
        rc = library_find(control->library, barcode, &to, err);
    if (rc)
        return rc;
    *result = json_pack("{ssss}", "barcode", barcode, "place",
                        place_text(control->library, to.address, text));
    return *result ? 0 : operation_no_memory(err);
}

/* ---- list and show ----------------------------------------------------------------------- */

/* What is in each partition and what has room there; c stands in partition 0 afterwards. */
static json_t *describe_partitions(struct cartridge *c)
{
    json_t *list = json_array();

    for (unsigned p = cartridge_partition_count(c); list && p-- > 0;) {
        struct cartridge_position pos;
        json_t *entry;

        if (cartridge_locate(c, p, 0, NULL) == 0)
            cartridge_locate_end(c);
        cartridge_tell(c, &pos);
        entry = json_pack("{sisIsIsIsIsI}", "partition", (int)p, "capacity",
                          (json_int_t)cartridge_partition_capacity(c, p), "used",
                          (json_int_t)pos.used, "remaining", (json_int_t)pos.remaining, "objects",
                          (json_int_t)pos.eod_lba, "filemarks", (json_int_t)pos.file);
        if (!entry || json_array_insert_new(list, 0, entry)) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

static int describe(json_t *row, struct cartridge *c, struct error *err)
{
    const struct cartridge_identity *id = cartridge_identity(c);
    struct cartridge_position pos;
    json_t *more, *partitions = describe_partitions(c);

    if (!partitions || json_object_set_new(row, "partitions", partitions))
        return operation_no_memory(err);
    cartridge_locate_end(c);
    cartridge_tell(c, &pos);
    more = json_pack("{sssIsIsIsIsIsIsbsb}", "media", media_name(id->density), "capacity",
                     (json_int_t)id->capacity, "early_warning", (json_int_t)id->early_warning,
                     "used", (json_int_t)pos.used, "remaining", (json_int_t)pos.remaining,
                     "objects", (json_int_t)pos.eod_lba, "filemarks", (json_int_t)pos.file, "worm",
                     id->worm, "protected", cartridge_protected(c));
    if (!more || json_object_update(row, more)) {
        json_decref(more);
        return operation_no_memory(err);
    }
    json_decref(more);
    return json_set_time(row, "created", id->created_ns, err);
}

static int add_quarantined(void *ctx, const struct cartridge_quarantine *entry)
{
    json_t *e = json_pack("{sisIsI}", "partition", (int)entry->partition, "block",
                          (json_int_t)entry->lba, "count", (json_int_t)entry->count);

    return e && json_array_append_new(ctx, e) == 0 ? 0 : -ERR_NO_MEMORY;
}

/* What the last scrubs have found, if there were any. */
static int describe_scrub(json_t *row, struct cartridge *c, struct error *err)
{
    struct cartridge_scrub_state state;
    json_t *scrub, *list;

    cartridge_scrub_state(c, &state);
    if (!state.scrubbed)
        return 0;
    list = json_array();
    scrub = json_pack("{sbsIsIsIso}", "unfinished", state.unfinished, "segments",
                      (json_int_t)state.segments, "verified", (json_int_t)state.verified,
                      "frames_damaged", (json_int_t)state.frames, "quarantine", list);
    if (!scrub || json_object_set_new(row, "scrub", scrub) ||
        json_object_set_new(row, "quarantined", json_integer((json_int_t)state.quarantined)) ||
        cartridge_quarantine(c, add_quarantined, list))
        return operation_no_memory(err);
    return state.oldest_ns ? json_set_time(scrub, "oldest", state.oldest_ns, err) : 0;
}

static int describe_more(json_t *row, struct cartridge *c, struct error *err)
{
    const struct cartridge_identity *id = cartridge_identity(c);
    char uuid[33];
    json_t *more;

    for (size_t i = 0; i < sizeof(id->uuid); i++)
        snprintf(uuid + 2 * i, 3, "%02x", id->uuid[i]);
    more = json_pack("{sssisI}", "uuid", uuid, "density", (int)id->density, "segment_size",
                     (json_int_t)id->segment_size);
    if (!more || json_object_update(row, more)) {
        json_decref(more);
        return operation_no_memory(err);
    }
    json_decref(more);
    return describe_scrub(row, c, err);
}

/* "damaged": a scrub found blocks that cannot be read.  Dumps go to "good" cartridges. */
static int describe_state(json_t *row, struct cartridge *c, struct error *err)
{
    struct cartridge_scrub_state state;

    cartridge_scrub_state(c, &state);
    return json_object_set_new(row, "state", json_string(state.quarantined ? "damaged" : "good"))
               ? operation_no_memory(err)
               : 0;
}

/* Open the cartridge beside whoever uses it, and hand it to each of the describers. */
static int look(struct control *control, const char *barcode, json_t *row, bool more,
                struct error *err)
{
    struct store *store = NULL;
    struct cartridge *c = NULL;
    int rc = library_cartridge_store(control->library, barcode, &store, err);

    if (!rc)
        rc = cartridge_open(store, CARTRIDGE_READ_ONLY, &c, err);
    if (!rc)
        rc = describe(row, c, err);
    if (!rc && more)
        rc = describe_more(row, c, err);
    if (!rc)
        rc = describe_state(row, c, err);
    cartridge_close(c);
    store_close(store);
    return rc;
}

static json_t *cartridge_row(struct control *control, const struct library_element *e, bool more,
                             struct error *err)
{
    char place[PLACE_TEXT_SIZE];
    struct error why = ERROR_INIT;
    json_t *row =
        json_pack("{sssssi}", "barcode", e->barcode, "place",
                  place_text(control->library, e->address, place), "element", (int)e->address);
    int rc = row ? look(control, e->barcode, row, more, &why) : -ERR_NO_MEMORY;

    if (row && !rc)
        return row;
    if (row && rc &&
        json_object_set_new(row, "state", json_string(error_code_name(why.code))) == 0 &&
        json_set_bytes(row, "error", why.message, strlen(why.message), NULL) == 0)
        return row;
    json_decref(row);
    operation_no_memory(err);
    return NULL;
}

struct listing {
    struct control *control;
    json_t *rows;
    struct error *err;
};

static int listing_add(void *ctx, const struct library_element *e)
{
    struct listing *l = ctx;
    json_t *row;

    if (!e->full)
        return 0;
    row = cartridge_row(l->control, e, false, l->err);
    return !row || json_array_append_new(l->rows, row) ? -ERR_NO_MEMORY : 0;
}

int operation_cartridge_list(struct control *control, const json_t *args, json_t **out,
                             struct error *err)
{
    struct listing l = {control, json_array(), err};
    json_t *result = json_pack("{so}", "cartridges", l.rows);
    int rc = result ? library_elements(control->library, 0, 0, UINT16_MAX, listing_add, &l, err)
                    : operation_no_memory(err);

    (void)args;
    if (rc)
        json_decref(result);
    else
        *out = result;
    return rc;
}

int operation_cartridge_show(struct control *control, const json_t *args, json_t **out,
                             struct error *err)
{
    struct library_element e;
    json_t *row;
    int rc =
        place_resolve(control->library, json_get_text(args, "barcode", ""), ELEMENT_SLOT, &e, err);
    char text[PLACE_TEXT_SIZE];

    if (!rc && !e.full)
        rc = error_set(err, ERR_STATE, "there is no cartridge in %s",
                       place_text(control->library, e.address, text));
    if (rc)
        return rc;
    row = cartridge_row(control, &e, true, err);
    if (!row)
        return -ERR_NO_MEMORY;
    *out = json_pack("{so}", "cartridge", row);
    return *out ? 0 : operation_no_memory(err);
}
