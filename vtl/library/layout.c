/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.c - the element addresses that hosts see.
 *
 * library.db knows elements by numbers that are the same whatever model the library is, the
 * LIBRARY_ADDRESS_* and what follows them: so it can become another one, and every cartridge stays
 * in its place.  They have more than 16 bits in a library of more than 64,511 slots.  In memory,
 * and for everybody outside, an element has the address of the layout.  Only what goes to the
 * database and comes from it is translated, here.
 */
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "vtl/library/internal.h"

/* In rising order. */
static const struct {
    enum element_type type;
    uint32_t first;
} stored[LIBRARY_KINDS] = {
    {ELEMENT_TRANSPORT, LIBRARY_ADDRESS_TRANSPORT},
    {ELEMENT_IMPORT_EXPORT, LIBRARY_ADDRESS_IMPORT_EXPORT},
    {ELEMENT_DRIVE, LIBRARY_ADDRESS_DRIVE},
    {ELEMENT_SLOT, LIBRARY_ADDRESS_SLOT},
};

static int by_address(const void *a, const void *b)
{
    const struct library_element *x = a, *y = b;

    return (int)x->address - (int)y->address;
}

static int by_first(const void *a, const void *b)
{
    const struct library_kind *x = a, *y = b;

    return (int)x->first - (int)y->first;
}

/* Without the lock: it is set before anybody asks. */
uint16_t library_first(const struct library *lib, enum element_type type)
{
    for (unsigned k = 0; k < LIBRARY_KINDS; k++) {
        if (lib->kinds[k].type == type)
            return lib->kinds[k].first;
    }
    return 0;
}

/* ---- what is stored -------------------------------------------------------------------------- */

/* The number of the element at address.  One beyond the last element of its kind, as that of a slot
 * that has gone, stays so. */
static uint32_t stored_number(const struct library *lib, uint16_t address)
{
    const struct library_kind *kind = &lib->kinds[0];

    for (unsigned k = 1; k < LIBRARY_KINDS && lib->kinds[k].first <= address; k++)
        kind = &lib->kinds[k];
    for (unsigned k = 0; k < LIBRARY_KINDS; k++) {
        if (stored[k].type == kind->type)
            return stored[k].first + (uint32_t)(address - kind->first);
    }
    return 0;
}

struct places_row library_stored(const struct library *lib, const struct library_element *e)
{
    struct places_row row = {
        .element = stored_number(lib, e->address),
        .source = e->source_valid ? stored_number(lib, e->source) : 0,
        .full = e->full,
        .source_valid = e->source_valid,
        .imported = e->imported,
        .generation = e->generation,
        .changed_ns = e->changed_ns,
    };

    memcpy(row.barcode, e->barcode, sizeof(row.barcode));
    return row;
}

struct library_element *library_lookup_stored(struct library *lib, uint32_t number)
{
    unsigned k = LIBRARY_KINDS - 1;

    while (number < stored[k].first)
        k--;
    number -= stored[k].first;
    if (number >= library_kind_count(library_geometry(lib), stored[k].type))
        return NULL;
    return library_lookup(lib, (uint16_t)(library_first(lib, stored[k].type) + number));
}

/* ---- what hosts see -------------------------------------------------------------------------- */

/* No two kinds share an address, and none goes beyond the last one. */
static int check_room(const struct library_kind *kinds, const struct library_geometry *g,
                      struct error *err)
{
    for (unsigned k = 0; k < LIBRARY_KINDS; k++) {
        unsigned end = k + 1 < LIBRARY_KINDS ? kinds[k + 1].first : LIBRARY_NO_ADDRESS;
        unsigned count = library_kind_count(g, kinds[k].type);

        if (kinds[k].first + count > end)
            return error_set(
                err, ERR_RANGE,
                "From element address %u to %u there is no room for %u elements; stop the "
                "daemon, set the counts in capstan.conf, and start it: then elements "
                "get other addresses",
                kinds[k].first, end, count);
    }
    return 0;
}

int library_check_room(const struct library *lib, const struct library_geometry *g,
                       struct error *err)
{
    return check_room(lib->kinds, g, err);
}

/* One kind behind the other, the slots last, where they can grow. */
static void pack(struct library_kind *kinds, const struct library_geometry *g)
{
    unsigned first = 0;

    for (unsigned k = 0; k < LIBRARY_KINDS; k++) {
        kinds[k] = (struct library_kind){stored[k].type, (uint16_t)first};
        first += library_kind_count(g, stored[k].type);
    }
}

/* The layout if there is room in it; there always is in the other, as library_check_geometry()
 * counts all elements. */
static void choose(struct library_kind *kinds, const struct library_layout *layout,
                   const struct library_geometry *g)
{
    for (unsigned k = 0; k < LIBRARY_KINDS; k++)
        kinds[k] = (struct library_kind){k + 1, layout->first[k + 1]};
    qsort(kinds, LIBRARY_KINDS, sizeof(kinds[0]), by_first);
    if (check_room(kinds, g, NULL) != 0)
        pack(kinds, g);
}

void library_first_layout(struct library *lib, const struct library_geometry *g)
{
    const struct library_layout layout = {
        .first = {[ELEMENT_TRANSPORT] = LIBRARY_ADDRESS_TRANSPORT,
                  [ELEMENT_SLOT] = LIBRARY_ADDRESS_SLOT,
                  [ELEMENT_IMPORT_EXPORT] = LIBRARY_ADDRESS_IMPORT_EXPORT,
                  [ELEMENT_DRIVE] = LIBRARY_ADDRESS_DRIVE},
    };

    lib->barcode_max = CARTRIDGE_BARCODE_MAX;
    choose(lib->kinds, &layout, g);
}

/* The same element in another layout. */
static uint16_t translate(const struct library *lib, uint16_t address,
                          const struct library_kind *kinds)
{
    const struct library_kind *kind = &lib->kinds[0];

    for (unsigned k = 1; k < LIBRARY_KINDS && lib->kinds[k].first <= address; k++)
        kind = &lib->kinds[k];
    for (unsigned k = 0; k < LIBRARY_KINDS; k++) {
        if (kinds[k].type == kind->type)
            return (uint16_t)(kinds[k].first + (address - kind->first));
    }
    return address;
}

void library_set_layout(struct library *lib, const struct library_layout *layout)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_kind kinds[LIBRARY_KINDS];

    choose(kinds, layout, library_geometry(lib));
    for (unsigned i = 0; i < lib->element_count; i++) {
        struct library_element *e = &lib->elements[i];

        e->address = translate(lib, e->address, kinds);
        if (e->source_valid)
            e->source = translate(lib, e->source, kinds);
    }
    qsort(lib->elements, lib->element_count, sizeof(*lib->elements), by_address);
    memcpy(lib->kinds, kinds, sizeof(kinds));
    lib->barcode_max = layout->barcode_max;
    library_index_all(lib);
}
