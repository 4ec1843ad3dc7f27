/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attributes.c - extended attributes: those of the file as they were dumped, POSIX ACLs among them,
 * and user.capstan.*, which say where the file is:
 *
 *   image   uuid of the image              volume  barcode of the cartridge that holds its header
 *   level   of the dump                    block   address of that tape block
 *   date    of the dump, RFC 3339          online  1 if that cartridge is in the library, else 0
 *
 * The latter can be read, but are not listed: a copy with all attributes must not gain any.
 */
#include "fuse/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "fuse/file_data.h"

#define OWN_PREFIX "user.capstan."
#define OWN_SIZE   80

/* ---- user.capstan.* -------------------------------------------------------------------------- */

static const struct catalog_part *part_of(const struct view_inode *vi, uint64_t *block)
{
    return vi->inode.address == UINT64_MAX ? NULL
                                           : view_image_locate(vi->image, vi->inode.address, block);
}

static bool own_image(struct view *view, const struct view_inode *vi, char text[OWN_SIZE])
{
    (void)view;
    memcpy(text, vi->image->uuid, sizeof(vi->image->uuid));
    return true;
}

static bool own_level(struct view *view, const struct view_inode *vi, char text[OWN_SIZE])
{
    (void)view;
    snprintf(text, OWN_SIZE, "%d", vi->image->level);
    return true;
}

static bool own_date(struct view *view, const struct view_inode *vi, char text[OWN_SIZE])
{
    int64_t ns = vi->image->date_ns % 1000000000;
    time_t seconds = (time_t)(vi->image->date_ns / 1000000000 - (ns < 0));
    char head[32];
    struct tm tm;

    (void)view;
    if (!gmtime_r(&seconds, &tm) || !strftime(head, sizeof(head), "%Y-%m-%dT%H:%M:%S", &tm))
        return false;
    snprintf(text, OWN_SIZE, "%s.%09lldZ", head, (long long)(ns < 0 ? ns + 1000000000 : ns));
    return true;
}

static bool own_volume(struct view *view, const struct view_inode *vi, char text[OWN_SIZE])
{
    uint64_t block;
    const struct catalog_part *part = part_of(vi, &block);

    (void)view;
    if (part)
        snprintf(text, OWN_SIZE, "%s", part->barcode);
    return part != NULL;
}

static bool own_block(struct view *view, const struct view_inode *vi, char text[OWN_SIZE])
{
    uint64_t block;
    const struct catalog_part *part = part_of(vi, &block);

    (void)view;
    if (part)
        snprintf(text, OWN_SIZE, "%llu", (unsigned long long)block);
    return part != NULL;
}

static bool own_online(struct view *view, const struct view_inode *vi, char text[OWN_SIZE])
{
    uint64_t block;
    const struct catalog_part *part = part_of(vi, &block);

    if (part)
        snprintf(text, OWN_SIZE, "%d", view_volumes_online(view->volumes, part->barcode));
    return part != NULL;
}

static const struct {
    const char *name;
    bool (*make)(struct view *view, const struct view_inode *vi, char text[OWN_SIZE]);
} own_attributes[] = {
    {"image", own_image},   {"level", own_level}, {"date", own_date},
    {"volume", own_volume}, {"block", own_block}, {"online", own_online},
};

static bool own_get(struct view *view, const struct view_inode *vi, const char *name,
                    char text[OWN_SIZE])
{
    for (size_t i = 0; i < sizeof(own_attributes) / sizeof(own_attributes[0]); i++)
        if (strcmp(own_attributes[i].name, name) == 0)
            return own_attributes[i].make(view, vi, text);
    return false;
}

/* ---- getxattr -------------------------------------------------------------------------------- */

static void reply_value(fuse_req_t req, const void *value, size_t len, size_t size)
{
    if (size == 0)
        fuse_reply_xattr(req, len);
    else if (len > size)
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, value, len);
}

struct search {
    const char *name;
    void *value; /* a copy */
    size_t len;
    bool found;
};

static int search_xattr(void *ctx, const char *name, const void *value, size_t len)
{
    struct search *search = ctx;

    if (strcmp(name, search->name) != 0)
        return 0;
    search->found = true;
    search->len = len;
    search->value = malloc(len ? len : 1);
    if (!search->value)
        return -ERR_NO_MEMORY;
    memcpy(search->value, value, len);
    return 1;
}

static void reply_stored(fuse_req_t req, struct view_inode *vi, const char *name, size_t size)
{
    struct search search = {.name = name};
    struct error err = ERROR_INIT;
    int rc = catalog_index_xattrs(vi->index, vi->inode.ino, search_xattr, &search, &err);

    if (rc < 0)
        fuse_reply_err(req, view_errno(rc, &err));
    else if (!search.found)
        fuse_reply_err(req, ENODATA);
    else
        reply_value(req, search.value, search.len, size);
    free(search.value);
}

void view_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
    const size_t prefix = strlen(OWN_PREFIX);
    char text[OWN_SIZE];
    struct view_inode vi;
    int error;

    if (!node_in_image(node)) {
        fuse_reply_err(req, ENODATA);
        return;
    }
    error = view_inode_open(view_of(req), node, true, &vi);
    if (error != 0) {
        fuse_reply_err(req, error);
        return;
    }
    if (strncmp(name, OWN_PREFIX, prefix) == 0 && own_get(view_of(req), &vi, name + prefix, text))
        reply_value(req, text, strlen(text), size);
    else
        reply_stored(req, &vi, name, size);
    view_inode_close(&vi);
}

/* ---- listxattr ------------------------------------------------------------------------------- */

struct names {
    char *data;
    size_t len;
};

static int collect_name(void *ctx, const char *name, const void *value, size_t len)
{
    struct names *names = ctx;
    size_t more = strlen(name) + 1;
    char *grown = realloc(names->data, names->len + more);

    (void)value;
    (void)len;
    if (!grown)
        return -ERR_NO_MEMORY;
    memcpy(grown + names->len, name, more);
    names->data = grown;
    names->len += more;
    return 0;
}

void view_listxattr(fuse_req_t req, fuse_ino_t node, size_t size)
{
    struct names names = {NULL, 0};
    struct error err = ERROR_INIT;
    struct view_inode vi;
    int error, rc;

    if (!node_in_image(node)) {
        reply_value(req, "", 0, size);
        return;
    }
    error = view_inode_open(view_of(req), node, false, &vi);
    if (error != 0) {
        fuse_reply_err(req, error);
        return;
    }
    rc = catalog_index_xattrs(vi.index, node_inside(node), collect_name, &names, &err);
    view_inode_close(&vi);
    if (rc != 0)
        fuse_reply_err(req, view_errno(rc, &err));
    else
        reply_value(req, names.data ? names.data : "", names.len, size);
    free(names.data);
}
