/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - the upper levels of the view, which grow with the catalog, and the numbers of its nodes.
 *
 *   /images/2026-11-20T013000Z-1a2b3c4d/...    every image, by date and the head of its uuid
 *   /by-date/2026-11-20T013000Z/web1_srv_data/...   the same trees, by date, then host and path
 *   /by-volume/ABC001L8/2026-11-20T013000Z-1a2b3c4d -> ../../images/...   what is on a cartridge
 *   /latest -> images/...                      the youngest image
 *   /.status                                   JSON
 *
 * A struct tree is a snapshot of the catalog that never changes; a listing that was begun goes on
 * in the snapshot it was begun with.  view_tree_get() gives the present one and makes a new one
 * when the catalog's generation has risen, so new images appear without a remount.
 *
 * A node number says all about a node, so nothing has to be remembered for the kernel:
 *
 *      63..60  59........32  31.........0
 *      kind    image id      number inside (inode of the dump, part, or fixed node)
 *
 * The two ways to a tree (images, by-date) have two kinds, as a directory may be in one place only.
 */
#ifndef CAPSTAN_FUSE_TREE_H
#define CAPSTAN_FUSE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catalog/catalog.h"

enum node_kind {
    NODE_FIXED = 0,    /* NODE_ROOT ... */
    NODE_IMAGE,        /* an inode of an image, by way of /images */
    NODE_DATED,        /* the same by way of /by-date */
    NODE_DATE,         /* a directory in /by-date; the image: the first one of that date */
    NODE_VOLUME,       /* a directory in /by-volume; the image and part that first name it */
    NODE_VOLUME_IMAGE, /* a link in it; the image and its first part on the volume */
    NODE_LATEST,       /* /latest; the image it leads to: a new image makes it a new node, so that
                        * no cache shows the old target */
};

enum { NODE_ROOT = 1, NODE_IMAGES, NODE_BY_DATE, NODE_BY_VOLUME, NODE_STATUS };

#define NODE_IMAGE_ID_MAX ((1u << 28) - 1)
#define TREE_ROOT_INO     2 /* root of every image */

static inline uint64_t node_make(enum node_kind kind, uint64_t image, uint32_t inside)
{
    return (uint64_t)kind << 60 | image << 32 | inside;
}

static inline enum node_kind node_kind(uint64_t node)
{
    return (enum node_kind)(node >> 60);
}

static inline uint64_t node_image(uint64_t node)
{
    return node >> 32 & NODE_IMAGE_ID_MAX;
}

static inline uint32_t node_inside(uint64_t node)
{
    return (uint32_t)node;
}

/* True for a node whose attributes are in an image's index. */
static inline bool node_in_image(uint64_t node)
{
    return node_kind(node) == NODE_IMAGE || node_kind(node) == NODE_DATED;
}

struct tree_image {
    uint64_t id;
    char uuid[CATALOG_UUID_TEXT];
    char date[24]; /* "2026-11-20T013000Z" */
    int level;
    int64_t date_ns;
    unsigned blocking;
    uint64_t bytes, inodes;
    char *name;    /* in /images */
    char *fs_name; /* in /by-date/<date> */
    struct catalog_part *parts;
    size_t part_count;
};

struct tree;
struct tree_cache;

int view_tree_cache_open(struct catalog *cat, struct tree_cache **out, struct error *err);
void view_tree_cache_close(struct tree_cache *cache); /* NULL is allowed */

/* The present tree; view_tree_put() it.  Any thread. */
int view_tree_get(struct tree_cache *cache, struct tree **out, struct error *err);
void view_tree_put(struct tree *tree); /* NULL is allowed */

uint64_t view_tree_generation(const struct tree *tree);
size_t view_tree_image_count(const struct tree *tree);
/* In order of date. */
const struct tree_image *view_tree_image_at(const struct tree *tree, size_t index);
/* NULL if the catalog has it no more. Valid as long as the tree is held. */
const struct tree_image *view_tree_image_by_id(const struct tree *tree, uint64_t id);
size_t view_tree_volume_count(const struct tree *tree);
const char *view_tree_volume_at(const struct tree *tree, size_t index); /* barcode */

enum tree_type { TREE_DIRECTORY, TREE_LINK, TREE_FILE };

struct tree_child {
    uint64_t node;
    const char *name; /* valid as long as the tree is held */
    enum tree_type type;
};

/* Child number index of one of the directories described here (not of one in an image). */
bool view_tree_child(const struct tree *tree, uint64_t directory, size_t index,
                     struct tree_child *child);
bool view_tree_lookup(const struct tree *tree, uint64_t directory, const char *name,
                      struct tree_child *child);
/* Whether the tree has the node, of what type, and when it changed last (ns since 1970). */
bool view_tree_node(const struct tree *tree, uint64_t node, enum tree_type *type,
                    int64_t *changed_ns);
/* Target of a TREE_LINK; false if there is none. */
bool view_tree_link(const struct tree *tree, uint64_t node, char *target, size_t size);

#endif
