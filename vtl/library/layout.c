/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.c - the element addresses that hosts see.
 *
 * library.db knows elements by the addresses LIBRARY_ADDRESS_*, whatever model the library is: so
 * it can become another one, and every cartridge stays in its place.  In memory, and for everybody
 * outside, an element has the address of the layout.  Only what goes to the database and comes from
 * it is translated, here.
 */
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "vtl/library/internal.h"

static const uint16_t stored_first[] = {
    [ELEMENT_TRANSPORT] = LIBRARY_ADDRESS_TRANSPORT,
    [ELEMENT_SLOT] = LIBRARY_ADDRESS_SLOT,
    [ELEMENT_IMPORT_EXPORT] = LIBRARY_ADDRESS_IMPORT_EXPORT,
    [ELEMENT_DRIVE] = LIBRARY_ADDRESS_DRIVE,
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

void library_stored_layout(struct library *lib)
{
    for (unsigned k = 0; k < LIBRARY_KINDS; k++)
        lib->kinds[k] = (struct library_kind){k + 1, stored_first[k + 1]};
    qsort(lib->kinds, LIBRARY_KINDS, sizeof(lib->kinds[0]), by_first);
    lib->barcode_max = CARTRIDGE_BARCODE_MAX;
}

/* The same element in another layout.  An address beyond the last element of its kind, as that of a
 * slot that has gone, stays so. */
static uint16_t translate(const struct library *lib, uint16_t address, const uint16_t *first)
{
    const struct library_kind *kind = &lib->kinds[0];

    for (unsigned k = 1; k < LIBRARY_KINDS && lib->kinds[k].first <= address; k++)
        kind = &lib->kinds[k];
    return (uint16_t)(first[kind->type] + (address - kind->first));
}

static void translate_element(const struct library *lib, struct library_element *e,
                              const uint16_t *first)
{
    e->address = translate(lib, e->address, first);
    if (e->source_valid)
        e->source = translate(lib, e->source, first);
}

struct library_element library_stored(const struct library *lib, const struct library_element *e)
{
    struct library_element stored = *e;

    translate_element(lib, &stored, stored_first);
    return stored;
}

/* No two kinds share an address, and none goes beyond the last one. */
static int check_room(const struct library_kind *kinds, const struct library_geometry *g,
                      struct error *err)
{
    for (unsigned k = 0; k < LIBRARY_KINDS; k++) {
        unsigned end = k + 1 < LIBRARY_KINDS ? kinds[k + 1].first : LIBRARY_NO_ADDRESS;
        unsigned count = library_kind_count(g, kinds[k].type);

        if (end <= kinds[k].first || kinds[k].first + count > end)
            return error_set(err, ERR_RANGE,
                             "The model of this library has no addresses for so many elements: "
                             "from %u to %u there is no room for %u",
                             kinds[k].first, end, count);
    }
    return 0;
}

int library_check_room(const struct library *lib, const struct library_geometry *g,
                       struct error *err)
{
    return check_room(lib->kinds, g, err);
}

int library_set_layout(struct library *lib, const struct library_layout *layout, struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_kind kinds[LIBRARY_KINDS];
    int rc;

    for (unsigned k = 0; k < LIBRARY_KINDS; k++)
        kinds[k] = (struct library_kind){k + 1, layout->first[k + 1]};
    qsort(kinds, LIBRARY_KINDS, sizeof(kinds[0]), by_first);
    rc = check_room(kinds, library_geometry(lib), err);
    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < lib->element_count; i++)
        translate_element(lib, &lib->elements[i], layout->first);
    qsort(lib->elements, lib->element_count, sizeof(*lib->elements), by_address);
    memcpy(lib->kinds, kinds, sizeof(kinds));
    lib->barcode_max = layout->barcode_max;
    library_index_all(lib);
    return 0;
}
