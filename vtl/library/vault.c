/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault.c - cartridges that are known but not in the library: in a safe, on a truck, in a drawer.
 *
 * A cartridge is in exactly one of: an element (table place), the vault (table vault).  Going from
 * one to the other is one transaction.  Its directory stays in ROOT/cartridges/BARCODE; nothing can
 * load it from there, and opening the library does not take it for a stray.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "vtl/library/internal.h"

static int check_place(const char *place, struct error *err)
{
    size_t len = strlen(place);

    if (len == 0 || len > LIBRARY_VAULT_PLACE_MAX)
        return error_set(err, ERR_RANGE, "The name of a place has 1 to %d bytes",
                         LIBRARY_VAULT_PLACE_MAX);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)place[i] < 0x20 || place[i] == 0x7f)
            return error_set(err, ERR_RANGE, "The name of a place holds no control characters");
    }
    return 0;
}

int library_vault(struct library *lib, uint16_t from, const char *place, struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_element *e = library_lookup(lib, from);
    struct library_vaulted v = {.since_ns = library_now()};
    int rc = check_place(place, err);

    if (rc != 0)
        return rc;
    if (!e)
        return error_set(err, ERR_NOT_FOUND, "The library has no element %u", from);
    if (!e->full)
        return error_set(err, ERR_STATE, "Element %u is empty", from);
    if (e->type == ELEMENT_DRIVE)
        return error_set(err, ERR_STATE, "Cartridge %s is in a drive; unload it first", e->barcode);
    snprintf(v.barcode, sizeof(v.barcode), "%s", e->barcode);
    snprintf(v.place, sizeof(v.place), "%s", place);
    return library_leave(lib, e, &v, err);
}

int library_unvault(struct library *lib, const char *barcode, uint16_t to, struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_vaulted v;
    struct library_element *e;
    int rc = places_vaulted(lib->places, barcode, &v, err);

    if (rc != 0)
        return rc;
    e = to == LIBRARY_NO_ADDRESS ? library_empty_slot(lib) : library_lookup(lib, to);
    if (!e && to == LIBRARY_NO_ADDRESS)
        return error_set(err, ERR_STATE, "The library has no empty slot; add slots or free one");
    if (!e || e->type == ELEMENT_TRANSPORT || e->type == ELEMENT_DRIVE)
        return error_set(err, ERR_NOT_FOUND, "The library has no element %u for a cartridge", to);
    if (e->full)
        return error_set(err, ERR_EXISTS, "Element %u is full: cartridge %s is in it", to,
                         e->barcode);
    return library_return(lib, e, barcode, err);
}

int library_forget_vaulted(struct library *lib, const char *barcode, struct error *err)
{
    int rc = places_begin(lib->places, err);

    if (rc == 0)
        rc = places_vault_take(lib->places, barcode, err);
    if (rc == 0)
        rc = places_set_tag(lib->places, barcode, "", 0, err);
    if (rc == 0)
        return places_commit(lib->places, err);
    places_rollback(lib->places);
    return rc;
}

bool library_is_vaulted(struct library *lib, const char *barcode)
{
    CLEANUP_UNLOCK(&lib->lock);
    struct library_vaulted v;

    return places_vaulted(lib->places, barcode, &v, NULL) == 0;
}

struct gathering {
    struct library_vaulted *list;
    size_t count;
};

static int gather(void *ctx, const struct library_vaulted *v, struct error *err)
{
    struct gathering *g = ctx;
    struct library_vaulted *list = realloc(g->list, (g->count + 1) * sizeof(*list));

    if (!list)
        return error_set(err, ERR_NO_MEMORY, "There is no memory to list the vault");
    g->list = list;
    list[g->count++] = *v;
    return 0;
}

int library_vault_list(struct library *lib, int (*fn)(void *ctx, const struct library_vaulted *v),
                       void *ctx, struct error *err)
{
    struct gathering g = {NULL, 0};
    int rc;

    pthread_mutex_lock(&lib->lock);
    rc = places_walk_vault(lib->places, gather, &g, err);
    pthread_mutex_unlock(&lib->lock);
    for (size_t i = 0; rc == 0 && i < g.count; i++)
        rc = fn(ctx, &g.list[i]);
    free(g.list);
    return rc;
}
