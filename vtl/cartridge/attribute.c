/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attribute.c - medium auxiliary memory and write protection: small values in the superblock.
 *
 * They are published with the map, and what is published must be durable, so unsynced data is
 * synced first.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "vtl/cartridge/internal.h"

#define ATTRIBUTE_HEAD 4u

/* Offset of attribute id in the list, or its length if it is not there. */
static size_t attribute_find(const struct super *super, uint16_t id)
{
    size_t at = 0;

    while (at < super->attributes_len && get_le16(super->attributes + at) != id)
        at += ATTRIBUTE_HEAD + get_le16(super->attributes + at + 2);
    return at;
}

static size_t attribute_extent(const struct super *super, size_t at)
{
    return at < super->attributes_len ? ATTRIBUTE_HEAD + get_le16(super->attributes + at + 2) : 0u;
}

static int check_settable(struct cartridge *c, struct error *err)
{
    if (c->mode != CARTRIDGE_READ_WRITE)
        return error_set(err, ERR_PROTECTED, "cartridge %s is open for reading only",
                         c->identity.barcode);
    return cartridge_sync(c, NULL, err);
}

int cartridge_attribute_set(struct cartridge *c, uint16_t id, const void *value, size_t len,
                            struct error *err)
{
    size_t at = attribute_find(&c->super, id), old = attribute_extent(&c->super, at);
    size_t added = len ? ATTRIBUTE_HEAD + len : 0, kept = c->super.attributes_len - old;
    uint8_t *before = c->super.attributes, *list;
    size_t before_len = c->super.attributes_len;
    int rc;

    if (len > UINT16_MAX)
        return error_set(err, ERR_RANGE, "an attribute of %zu bytes is too large", len);
    if (added > ATTRIBUTES_MAX - kept)
        return error_set(err, ERR_NO_SPACE, "cartridge %s: the medium's memory is full",
                         c->identity.barcode);
    rc = check_settable(c, err);
    if (rc)
        return rc;
    list = malloc(kept + added + 1);
    if (!list)
        return error_set(err, ERR_NO_MEMORY, "no memory for attributes");
    if (before_len) {
        memcpy(list, before, at);
        memcpy(list + at, before + at + old, before_len - at - old);
    }
    if (len) {
        put_le16(list + kept, id);
        put_le16(list + kept + 2, (uint16_t)len);
        memcpy(list + kept + ATTRIBUTE_HEAD, value, len);
    }
    c->super.attributes = list;
    c->super.attributes_len = kept + added;
    rc = super_publish(c, err);
    if (rc) {
        c->super.attributes = before;
        c->super.attributes_len = before_len;
        free(list);
        return rc;
    }
    free(before);
    return 0;
}

int cartridge_attribute_get(const struct cartridge *c, uint16_t id, void *value, size_t *len,
                            struct error *err)
{
    size_t at = attribute_find(&c->super, id), room = *len;

    if (at >= c->super.attributes_len)
        return error_set(err, ERR_NOT_FOUND, "cartridge %s has no attribute %04xh",
                         c->identity.barcode, id);
    *len = get_le16(c->super.attributes + at + 2);
    memcpy(value, c->super.attributes + at + ATTRIBUTE_HEAD, *len < room ? *len : room);
    return 0;
}

int cartridge_set_protected(struct cartridge *c, bool on, struct error *err)
{
    bool before = c->super.protect;
    int rc;

    if (on == before)
        return 0;
    rc = check_settable(c, err);
    if (rc)
        return rc;
    c->super.protect = on;
    rc = super_publish(c, err);
    if (rc)
        c->super.protect = before;
    return rc;
}

bool cartridge_protected(const struct cartridge *c)
{
    return c->super.protect;
}
