/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elements.c - the elements in memory: found by address and by barcode in constant time, and laid
 * out anew when the library grows or shrinks.
 *
 * Barcodes are found by a hash table whose chains run through the elements' indexes; an index is
 * stored as index + 1, so 0 ends a chain.  The first empty slot is looked for from a hint on, below
 * which there is none.
 */
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "vtl/library/internal.h"

unsigned library_kind_count(const struct library_geometry *g, enum element_type type)
{
    switch (type) {
    case ELEMENT_IMPORT_EXPORT:
        return g->import_export;
    case ELEMENT_DRIVE:
        return g->drives;
    case ELEMENT_SLOT:
        return g->slots;
    default:
        return 1;
    }
}

const struct library_geometry *library_geometry(const struct library *lib)
{
    return &atomic_load(&lib->geometry)->geometry;
}

/* ---- by address ------------------------------------------------------------------------------ */

struct library_element *library_lookup(struct library *lib, uint16_t address)
{
    unsigned index = 0;

    for (unsigned k = 0; k < LIBRARY_KINDS; k++) {
        unsigned count = library_kind_count(library_geometry(lib), lib->kinds[k].type);

        if (address >= lib->kinds[k].first && address - lib->kinds[k].first < (int)count)
            return &lib->elements[index + address - lib->kinds[k].first];
        index += count;
    }
    return NULL;
}

/* ---- by barcode ------------------------------------------------------------------------------ */

/* FNV-1a */
static uint32_t barcode_hash(const char *barcode)
{
    uint32_t hash = 0x811c9dc5;

    for (; *barcode; barcode++)
        hash = (hash ^ (uint8_t)*barcode) * 0x01000193;
    return hash;
}

static uint32_t *bucket(struct library *lib, const char *barcode)
{
    return &lib->buckets[barcode_hash(barcode) & (lib->bucket_count - 1)];
}

void library_index(struct library *lib, struct library_element *e)
{
    uint32_t at = (uint32_t)(e - lib->elements);
    uint32_t *head;

    if (!e->full) {
        if (e->type == ELEMENT_SLOT && at < lib->empty_hint)
            lib->empty_hint = at;
        return;
    }
    head = bucket(lib, e->barcode);
    lib->chain[at] = *head;
    *head = at + 1;
}

void library_unindex(struct library *lib, struct library_element *e)
{
    uint32_t at = (uint32_t)(e - lib->elements);

    if (!e->full)
        return;
    for (uint32_t *p = bucket(lib, e->barcode); *p; p = &lib->chain[*p - 1]) {
        if (*p == at + 1) {
            *p = lib->chain[at];
            return;
        }
    }
}

void library_index_all(struct library *lib)
{
    memset(lib->buckets, 0, lib->bucket_count * sizeof(*lib->buckets));
    lib->empty_hint = 0;
    for (unsigned i = 0; i < lib->element_count; i++)
        library_index(lib, &lib->elements[i]);
}

struct library_element *library_lookup_barcode(struct library *lib, const char *barcode)
{
    for (uint32_t at = *bucket(lib, barcode); at; at = lib->chain[at - 1]) {
        if (strcmp(lib->elements[at - 1].barcode, barcode) == 0)
            return &lib->elements[at - 1];
    }
    return NULL;
}

/* Is a cartridge out of this slot in a drive?  Its host will carry it back there. */
static bool is_awaiting(struct library *lib, const struct library_element *slot)
{
    for (unsigned i = 0; i < library_geometry(lib)->drives; i++) {
        const struct library_element *e = library_lookup(lib, library_drive_address(lib, i));

        if (e->full && e->source_valid && e->source == slot->address)
            return true;
    }
    return false;
}

static bool is_empty_slot(const struct library_element *e)
{
    return e->type == ELEMENT_SLOT && !e->full;
}

struct library_element *library_empty_slot(struct library *lib)
{
    while (lib->empty_hint < lib->element_count && !is_empty_slot(&lib->elements[lib->empty_hint]))
        lib->empty_hint++;
    for (unsigned i = lib->empty_hint; i < lib->element_count; i++) {
        if (is_empty_slot(&lib->elements[i]) && !is_awaiting(lib, &lib->elements[i]))
            return &lib->elements[i];
    }
    return lib->empty_hint < lib->element_count ? &lib->elements[lib->empty_hint] : NULL;
}

/* ---- laying out ------------------------------------------------------------------------------ */

struct layout {
    struct geometry_version *version;
    struct library_element *elements;
    uint32_t *buckets, *chain;
    unsigned count, bucket_count;
};

static void layout_free(struct layout *l)
{
    free(l->version);
    free(l->elements);
    free(l->buckets);
    free(l->chain);
}

static int layout_allocate(struct layout *l, const struct library_geometry *g, struct error *err)
{
    l->count = 1 + g->drives + g->slots + g->import_export;
    for (l->bucket_count = 16; l->bucket_count < l->count * 2;)
        l->bucket_count *= 2;
    l->version = calloc(1, sizeof(*l->version));
    l->elements = calloc(l->count, sizeof(*l->elements));
    l->buckets = calloc(l->bucket_count, sizeof(*l->buckets));
    l->chain = calloc(l->count, sizeof(*l->chain));
    if (l->version && l->elements && l->buckets && l->chain)
        return 0;
    layout_free(l);
    return error_set(err, ERR_NO_MEMORY, "There is no memory for %u elements", l->count);
}

/* Every element, as it is now or empty: an operator has put it in, or it is not known yet. */
static void layout_fill(struct library *lib, struct layout *l, const struct library_geometry *g)
{
    enum library_evidence evidence = lib->elements ? EVIDENCE_OPERATOR : EVIDENCE_RECORDED;
    int64_t now = lib->elements ? library_now() : 0;
    unsigned at = 0;

    for (unsigned k = 0; k < LIBRARY_KINDS; k++) {
        for (unsigned i = 0; i < library_kind_count(g, lib->kinds[k].type); i++) {
            struct library_element *e = &l->elements[at++];
            uint16_t address = (uint16_t)(lib->kinds[k].first + i);
            const struct library_element *old = lib->elements ? library_lookup(lib, address) : NULL;

            *e = old ? *old
                     : (struct library_element){.address = address,
                                                .type = lib->kinds[k].type,
                                                .evidence = evidence,
                                                .observed_ns = now};
        }
    }
}

int library_lay_out(struct library *lib, const struct library_geometry *g, struct error *err)
{
    struct layout l = {0};
    int rc = library_check_room(lib, g, err);

    if (rc == 0)
        rc = layout_allocate(&l, g, err);
    if (rc != 0)
        return rc;
    layout_fill(lib, &l, g);
    free(lib->elements);
    free(lib->buckets);
    free(lib->chain);
    lib->elements = l.elements;
    lib->element_count = l.count;
    lib->buckets = l.buckets;
    lib->bucket_count = l.bucket_count;
    lib->chain = l.chain;
    l.version->geometry = *g;
    l.version->older = atomic_load(&lib->geometry);
    atomic_store(&lib->geometry, l.version);
    library_index_all(lib);
    return 0;
}

void library_free_elements(struct library *lib)
{
    struct geometry_version *v = atomic_load(&lib->geometry), *older;

    for (; v; v = older) {
        older = v->older;
        free(v);
    }
    free(lib->elements);
    free(lib->buckets);
    free(lib->chain);
}
