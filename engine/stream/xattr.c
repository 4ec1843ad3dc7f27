/* SPDX-License-Identifier: Apache-2.0 */
/* xattr.c - see xattr.h.  The EA block is that of ext2/3/4 (fs/ext4/xattr.h). */
#include "engine/stream/xattr.h"

#include <string.h>
#include <sys/types.h>

#include "common/bytes.h"
#include "common/checked.h"
#include "engine/stream/format.h"

/* Name prefixes and their numbers in the EA block; a prefix that ends in a dot takes a suffix. */
static const struct {
    uint8_t index;
    const char *prefix;
} prefix_table[] = {
    {1, "user."},
    {2, "system.posix_acl_access"},
    {3, "system.posix_acl_default"},
    {4, "trusted."},
    {6, "security."},
};

#define INDEX_ACL_ACCESS  2
#define INDEX_ACL_DEFAULT 3

#define ACL_ENTRY_FULL 8u
#define ACL_HEADER     4u
#define ACL_XATTR_V2   2u /* the system call's form: u32 2, {u16 tag, u16 perm, u32 id} */
#define ACL_DISK_V1    1u /* ext4's: u32 1, {u16 tag, u16 perm [, u32 id]} */
#define ACL_TAG_USER   0x02u
#define ACL_TAG_GROUP  0x08u
#define ACL_NO_ID      UINT32_MAX

static bool acl_tag_has_id(uint16_t tag)
{
    return tag == ACL_TAG_USER || tag == ACL_TAG_GROUP;
}

size_t xattr_acl_to_disk(const uint8_t *acl, size_t len, uint8_t *out, size_t size)
{
    size_t used = ACL_HEADER;

    if (len < ACL_HEADER || (len - ACL_HEADER) % ACL_ENTRY_FULL || get_le32(acl) != ACL_XATTR_V2 ||
        size < ACL_HEADER)
        return 0;
    put_le32(out, ACL_DISK_V1);
    for (const uint8_t *e = acl + ACL_HEADER; e < acl + len; e += ACL_ENTRY_FULL) {
        bool id = acl_tag_has_id(get_le16(e));
        size_t need = id ? 8 : 4;

        if ((!id && get_le32(e + 4) != ACL_NO_ID) || need > size - used)
            return 0;
        memcpy(out + used, e, need);
        used += need;
    }
    return used;
}

size_t xattr_acl_from_disk(const uint8_t *disk, size_t len, uint8_t *out, size_t size)
{
    size_t at = ACL_HEADER, used = ACL_HEADER;

    if (len < ACL_HEADER || get_le32(disk) != ACL_DISK_V1 || size < ACL_HEADER)
        return 0;
    put_le32(out, ACL_XATTR_V2);
    while (at < len) {
        size_t need;

        if (len - at < 4)
            return 0;
        need = acl_tag_has_id(get_le16(disk + at)) ? 8 : 4;
        if (need > len - at || ACL_ENTRY_FULL > size - used)
            return 0;
        memcpy(out + used, disk + at, 4);
        put_le32(out + used + 4, need == 8 ? get_le32(disk + at + 4) : ACL_NO_ID);
        used += ACL_ENTRY_FULL;
        at += need;
    }
    return used;
}

/* ---- building ----------------------------------------------------------------------------------
 */

/* Row of prefix_table for name, or -1; *suffix is what the entry holds. */
static int find_prefix(const char *name, const char **suffix)
{
    for (size_t i = 0; i < ARRAY_LENGTH(prefix_table); i++) {
        const char *prefix = prefix_table[i].prefix;
        size_t len = strlen(prefix);
        bool takes_suffix = prefix[len - 1] == '.';

        if (strncmp(name, prefix, len) != 0 || (name[len] != '\0') != takes_suffix)
            continue;
        *suffix = name + len;
        return (int)i;
    }
    return -1;
}

static size_t pad4(size_t n)
{
    return (n + 3) / 4 * 4;
}

/* An attribute as an EA record holds it. */
struct ea_item {
    uint8_t index;
    const char *name;
    size_t name_len;
    const void *value;
    size_t value_len;
    uint8_t acl[EA_RECORD_MAX];
};

static size_t ea_item_size(const struct ea_item *item)
{
    return EA_ENTRY_HEADER + pad4(item->name_len) + pad4(item->value_len);
}

static bool make_item(const struct stream_xattr *x, struct ea_item *item)
{
    const char *suffix;
    int row = find_prefix(x->name, &suffix);

    if (row < 0 || strlen(suffix) > UINT8_MAX)
        return false;
    item->index = prefix_table[row].index;
    item->name = suffix;
    item->name_len = strlen(suffix);
    item->value = x->value;
    item->value_len = x->len;
    if (item->index == INDEX_ACL_ACCESS || item->index == INDEX_ACL_DEFAULT) {
        item->value = item->acl;
        item->value_len = xattr_acl_to_disk(x->value, x->len, item->acl, sizeof(item->acl));
        if (item->value_len == 0)
            return false;
    }
    /* Room for the header, this entry and the four zero bytes that end the list. */
    return item->value_len <= EA_RECORD_MAX &&
           ea_item_size(item) <= EA_RECORD_MAX - EA_BLOCK_HEADER - 4;
}

bool xattr_fits_record(const struct stream_xattr *x)
{
    struct ea_item item;

    return make_item(x, &item);
}

static void put_item(uint8_t *out, size_t *entry_at, size_t *value_at, const struct ea_item *item)
{
    uint8_t *e = out + *entry_at;

    *value_at -= pad4(item->value_len);
    e[0] = (uint8_t)item->name_len;
    e[1] = item->index;
    put_le16(e + 2, (uint16_t)*value_at);
    put_le32(e + 8, (uint32_t)item->value_len);
    memcpy(e + EA_ENTRY_HEADER, item->name, item->name_len);
    if (item->value_len)
        memcpy(out + *value_at, item->value, item->value_len);
    *entry_at += EA_ENTRY_HEADER + pad4(item->name_len);
}

/* How many bytes the record takes that begins with attribute first; *end is behind its last. */
static size_t measure_record(const struct stream_xattr *xattrs, size_t count, size_t first,
                             size_t *end)
{
    size_t size = EA_BLOCK_HEADER + 4;
    struct ea_item item;
    size_t i;

    for (i = first; i < count; i++) {
        if (!make_item(&xattrs[i], &item))
            continue;
        if (size + ea_item_size(&item) > EA_RECORD_MAX)
            break;
        size += ea_item_size(&item);
    }
    *end = i;
    return size;
}

size_t xattr_build_record(const struct stream_xattr *xattrs, size_t count, size_t *next,
                          uint8_t *out)
{
    size_t end, size = measure_record(xattrs, count, *next, &end);
    size_t entry_at = EA_BLOCK_HEADER, value_at = size;
    struct ea_item item;

    if (size == EA_BLOCK_HEADER + 4)
        return 0;
    memset(out, 0, EA_RECORD_MAX);
    put_le32(out, EA_MAGIC_BLOCK);
    put_le32(out + 4, 1); /* h_refcount */
    put_le32(out + 8, 1); /* h_blocks */
    for (; *next < end; (*next)++)
        if (make_item(&xattrs[*next], &item))
            put_item(out, &entry_at, &value_at, &item);
    return size;
}

/* ---- parsing -----------------------------------------------------------------------------------
 */

static const char *prefix_of(uint8_t index)
{
    for (size_t i = 0; i < ARRAY_LENGTH(prefix_table); i++)
        if (prefix_table[i].index == index)
            return prefix_table[i].prefix;
    return NULL;
}

/* Take one entry apart; false if its name or value is not in order. */
static bool parse_entry(struct xattr_cursor *c, const uint8_t *entry, const uint8_t *values,
                        size_t values_len, struct stream_xattr *x)
{
    size_t offset = get_le16(entry + 2), len = get_le32(entry + 8);
    const char *prefix = prefix_of(entry[1]);

    if (get_le32(entry + 4) != 0 || !range_inside(offset, len, values_len) ||
        strlen(prefix) + entry[0] >= sizeof(c->name) ||
        memchr(entry + EA_ENTRY_HEADER, '\0', entry[0]) ||
        (entry[0] == 0) == (prefix[strlen(prefix) - 1] == '.'))
        return false;
    memcpy(c->name, prefix, strlen(prefix));
    memcpy(c->name + strlen(prefix), entry + EA_ENTRY_HEADER, entry[0]);
    c->name[strlen(prefix) + entry[0]] = '\0';
    *x = (struct stream_xattr){c->name, values + offset, len};
    if (entry[1] == INDEX_ACL_ACCESS || entry[1] == INDEX_ACL_DEFAULT) {
        x->value = c->acl;
        x->len = xattr_acl_from_disk(values + offset, len, c->acl, EA_ACL_MAX);
        return x->len > 0;
    }
    return true;
}

/* The two forms differ in the length of the header and in what value offsets count from. */
static bool ea_form(const struct xattr_cursor *c, size_t *header, size_t *values)
{
    if (c->len < 4)
        return false;
    *header = get_le32(c->data) == EA_MAGIC_INODE ? 4 : EA_BLOCK_HEADER;
    *values = get_le32(c->data) == EA_MAGIC_INODE ? 4 : 0;
    return get_le32(c->data) == EA_MAGIC_INODE || get_le32(c->data) == EA_MAGIC_BLOCK;
}

bool xattr_next(struct xattr_cursor *c, struct stream_xattr *x)
{
    size_t header, values;

    if (c->damaged)
        return false;
    if (!ea_form(c, &header, &values)) {
        c->damaged = true;
        return false;
    }
    if (c->at == 0)
        c->at = header;
    while (c->at <= c->len && c->len - c->at >= 4 && get_le32(c->data + c->at) != 0) {
        const uint8_t *entry = c->data + c->at;
        bool known;

        if (c->len - c->at < EA_ENTRY_HEADER + pad4(entry[0]))
            break;
        c->at += EA_ENTRY_HEADER + pad4(entry[0]);
        known = prefix_of(entry[1]) != NULL; /* others are ext4's own, not attributes */
        if (known && parse_entry(c, entry, c->data + values, c->len - values, x))
            return true;
        c->damaged = c->damaged || known;
    }
    return false;
}

bool extension_next(struct xattr_cursor *c, unsigned *type, struct stream_xattr *x)
{
    const uint8_t *item = c->data + c->at;
    size_t name_len, len;

    if (c->damaged || c->at >= c->len)
        return false;
    c->damaged = true; /* until the item is found to be in order */
    if (c->len - c->at < EXTENSION_ITEM_HEADER)
        return false;
    *type = get_le16(item);
    name_len = get_le16(item + 2);
    len = get_le32(item + 4);
    if (name_len >= sizeof(c->name) ||
        !range_inside(name_len, len, c->len - c->at - EXTENSION_ITEM_HEADER) ||
        memchr(item + EXTENSION_ITEM_HEADER, '\0', name_len))
        return false;
    memcpy(c->name, item + EXTENSION_ITEM_HEADER, name_len);
    c->name[name_len] = '\0';
    *x = (struct stream_xattr){c->name, item + EXTENSION_ITEM_HEADER + name_len, len};
    c->at += EXTENSION_ITEM_HEADER + name_len + len;
    c->damaged = false;
    return true;
}
