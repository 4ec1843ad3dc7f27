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
static size_t attribute_find(const struct attributes *a, uint16_t id)
{
    size_t at = 0;

    while (at < a->len && get_le16(a->list + at) != id)
        at += ATTRIBUTE_HEAD + get_le16(a->list + at + 2);
    return at;
}

static size_t attribute_extent(const struct attributes *a, size_t at)
{
    return at < a->len ? ATTRIBUTE_HEAD + get_le16(a->list + at + 2) : 0u;
}

/* All of them share the medium's memory. */
static size_t attributes_total(const struct cartridge *c)
{
    size_t len = 0;

    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        len += c->super.attributes[p].len;
    return len;
}

static int check_partition(const struct cartridge *c, uint32_t partition, struct error *err)
{
    if (partition < cartridge_partition_count(c))
        return 0;
    return error_set(err, ERR_RANGE, "cartridge %s has no partition %u", c->identity.barcode,
                     partition);
}

static int check_settable(struct cartridge *c, struct error *err)
{
    if (c->mode != CARTRIDGE_READ_WRITE)
        return error_set(err, ERR_PROTECTED, "cartridge %s is open for reading only",
                         c->identity.barcode);
    return cartridge_sync(c, NULL, err);
}

/* The list of a with attribute id set to value, for the caller to free. */
static int list_with(const struct attributes *a, uint16_t id, const void *value, size_t len,
                     struct attributes *out, struct error *err)
{
    size_t at = attribute_find(a, id), old = attribute_extent(a, at), kept = a->len - old;

    out->len = kept + (len ? ATTRIBUTE_HEAD + len : 0);
    out->list = malloc(out->len + 1);
    if (!out->list)
        return error_set(err, ERR_NO_MEMORY, "no memory for attributes");
    if (a->len) {
        memcpy(out->list, a->list, at);
        memcpy(out->list + at, a->list + at + old, kept - at);
    }
    if (len) {
        put_le16(out->list + kept, id);
        put_le16(out->list + kept + 2, (uint16_t)len);
        memcpy(out->list + kept + ATTRIBUTE_HEAD, value, len);
    }
    return 0;
}

static int check_room(const struct cartridge *c, const struct attributes *a, uint16_t id,
                      size_t len, struct error *err)
{
    size_t kept = attributes_total(c) - attribute_extent(a, attribute_find(a, id));

    if (len > UINT16_MAX)
        return error_set(err, ERR_RANGE, "an attribute of %zu bytes is too large", len);
    if ((len ? ATTRIBUTE_HEAD + len : 0) > ATTRIBUTES_MAX - kept)
        return error_set(err, ERR_NO_SPACE, "cartridge %s: the medium's memory is full",
                         c->identity.barcode);
    return 0;
}

int cartridge_attribute_set(struct cartridge *c, uint32_t partition, uint16_t id, const void *value,
                            size_t len, struct error *err)
{
    struct attributes *a = &c->super.attributes[partition % CARTRIDGE_PARTITIONS], before = *a, now;
    int rc = check_partition(c, partition, err);

    if (rc == 0)
        rc = check_room(c, a, id, len, err);
    if (rc == 0)
        rc = check_settable(c, err);
    if (rc == 0)
        rc = list_with(a, id, value, len, &now, err);
    if (rc)
        return rc;
    *a = now;
    rc = super_publish(c, err);
    if (rc)
        *a = before;
    free(rc ? now.list : before.list);
    return rc;
}

int cartridge_attribute_get(const struct cartridge *c, uint32_t partition, uint16_t id, void *value,
                            size_t *len, struct error *err)
{
    const struct attributes *a = &c->super.attributes[partition % CARTRIDGE_PARTITIONS];
    size_t at = attribute_find(a, id), room = *len;
    int rc = check_partition(c, partition, err);

    if (rc)
        return rc;
    if (at >= a->len)
        return error_set(err, ERR_NOT_FOUND, "cartridge %s has no attribute %04xh",
                         c->identity.barcode, id);
    *len = get_le16(a->list + at + 2);
    memcpy(value, a->list + at + ATTRIBUTE_HEAD, *len < room ? *len : room);
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

int cartridge_set_retention(struct cartridge *c, uint64_t limbo_bytes, int64_t limbo_ns,
                            struct error *err)
{
    struct cartridge_identity before = c->identity;
    int rc;

    if (limbo_ns < 0)
        return error_set(err, ERR_RANGE, "data can't be kept for less than no time");
    if (c->mode != CARTRIDGE_READ_WRITE)
        return error_set(err, ERR_PROTECTED, "cartridge %s is open for reading only",
                         c->identity.barcode);
    c->identity.limbo_bytes = limbo_bytes;
    c->identity.limbo_ns = limbo_ns;
    rc = identity_put(c->store, &c->identity, c->features, err);
    if (rc)
        c->identity = before;
    return rc;
}
