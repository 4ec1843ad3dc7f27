/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.c - the present tree, and what its nodes are; see tree.h.  tree_load.c makes it.
 */
#include "fuse/tree.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "fuse/tree_internal.h"

struct tree_cache {
    pthread_mutex_t lock; /* tree */
    struct catalog *cat;
    struct tree *tree;
};

/* ---- the present tree ------------------------------------------------------------------------ */

int view_tree_cache_open(struct catalog *cat, struct tree_cache **out, struct error *err)
{
    struct tree_cache *cache = calloc(1, sizeof(*cache));
    int rc;

    if (!cache)
        return error_set(err, ERR_NO_MEMORY, "No memory for the list of images");
    pthread_mutex_init(&cache->lock, NULL);
    cache->cat = cat;
    rc = view_tree_load(cat, &cache->tree, err);
    if (rc != 0) {
        view_tree_cache_close(cache);
        return rc;
    }
    *out = cache;
    return 0;
}

void view_tree_cache_close(struct tree_cache *cache)
{
    if (!cache)
        return;
    view_tree_put(cache->tree);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

int view_tree_get(struct tree_cache *cache, struct tree **out, struct error *err)
{
    CLEANUP_UNLOCK(&cache->lock);
    uint64_t generation;
    int rc = catalog_generation(cache->cat, &generation, err);

    if (rc != 0)
        return rc;
    if (generation != cache->tree->generation) {
        struct tree *fresh;

        rc = view_tree_load(cache->cat, &fresh, err);
        if (rc != 0)
            return rc;
        fresh->born_ns = cache->tree->born_ns;
        view_tree_put(cache->tree);
        cache->tree = fresh;
    }
    atomic_fetch_add(&cache->tree->users, 1);
    *out = cache->tree;
    return 0;
}

void view_tree_put(struct tree *tree)
{
    if (tree && atomic_fetch_sub(&tree->users, 1) == 1)
        view_tree_free(tree);
}

uint64_t view_tree_generation(const struct tree *tree)
{
    return tree->generation;
}

size_t view_tree_image_count(const struct tree *tree)
{
    return tree->image_count;
}

const struct tree_image *view_tree_image_at(const struct tree *tree, size_t index)
{
    return index < tree->image_count ? &tree->images[index] : NULL;
}

size_t view_tree_volume_count(const struct tree *tree)
{
    return tree->volume_count;
}

const char *view_tree_volume_at(const struct tree *tree, size_t index)
{
    return index < tree->volume_count ? tree->volumes[index].barcode : NULL;
}

const struct tree_image *view_tree_image_by_id(const struct tree *tree, uint64_t id)
{
    size_t low = 0, high = tree->image_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct tree_image *image = &tree->images[tree->by_id[middle]];

        if (image->id == id)
            return image;
        if (image->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- children -------------------------------------------------------------------------------- */

static const struct {
    uint64_t node;
    const char *name;
    enum tree_type type;
} fixed_nodes[] = {
    {NODE_IMAGES, "images", TREE_DIRECTORY},
    {NODE_BY_DATE, "by-date", TREE_DIRECTORY},
    {NODE_BY_VOLUME, "by-volume", TREE_DIRECTORY},
    {NODE_STATUS, ".status", TREE_FILE},
};
#define FIXED_COUNT (sizeof(fixed_nodes) / sizeof(fixed_nodes[0]))

static bool child_of_root(const struct tree *tree, size_t index, struct tree_child *child)
{
    if (index < FIXED_COUNT) {
        *child = (struct tree_child){fixed_nodes[index].node, fixed_nodes[index].name,
                                     fixed_nodes[index].type};
        return true;
    }
    if (index > FIXED_COUNT || tree->image_count == 0)
        return false;
    *child = (struct tree_child){node_make(NODE_LATEST, tree->images[tree->image_count - 1].id, 0),
                                 "latest", TREE_LINK};
    return true;
}

static bool child_of_images(const struct tree *tree, size_t index, struct tree_child *child)
{
    const struct tree_image *image;

    if (index >= tree->image_count)
        return false;
    image = &tree->images[tree->by_name[index]];
    *child = (struct tree_child){node_make(NODE_IMAGE, image->id, TREE_ROOT_INO), image->name,
                                 TREE_DIRECTORY};
    return true;
}

static bool child_of_by_date(const struct tree *tree, size_t index, struct tree_child *child)
{
    const struct tree_image *image;

    if (index >= tree->date_count)
        return false;
    image = &tree->images[tree->dates[index]];
    *child = (struct tree_child){node_make(NODE_DATE, image->id, 0), image->date, TREE_DIRECTORY};
    return true;
}

static bool child_of_by_volume(const struct tree *tree, size_t index, struct tree_child *child)
{
    const struct tree_on_volume *first;

    if (index >= tree->volume_count)
        return false;
    first = &tree->on_volumes[tree->volumes[index].first];
    *child = (struct tree_child){node_make(NODE_VOLUME, tree->images[first->image].id, first->part),
                                 tree->volumes[index].barcode, TREE_DIRECTORY};
    return true;
}

static bool child_of_date(const struct tree *tree, uint64_t directory, size_t index,
                          struct tree_child *child)
{
    const struct tree_image *first = view_tree_image_by_id(tree, node_image(directory)), *image;

    if (!first || index >= tree->image_count - (size_t)(first - tree->images))
        return false;
    image = first + index;
    if (strcmp(image->date, first->date) != 0)
        return false;
    *child = (struct tree_child){node_make(NODE_DATED, image->id, TREE_ROOT_INO), image->fs_name,
                                 TREE_DIRECTORY};
    return true;
}

/* The volume that a NODE_VOLUME or NODE_VOLUME_IMAGE is of. */
static const struct tree_volume *volume_of(const struct tree *tree, uint64_t node)
{
    const struct tree_image *image = view_tree_image_by_id(tree, node_image(node));
    size_t low = 0, high = tree->volume_count;

    if (!image || node_inside(node) >= image->part_count)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(tree->volumes[middle].barcode, image->parts[node_inside(node)].barcode);

        if (order == 0)
            return &tree->volumes[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool child_of_volume(const struct tree *tree, uint64_t directory, size_t index,
                            struct tree_child *child)
{
    const struct tree_volume *volume = volume_of(tree, directory);
    const struct tree_on_volume *at;

    if (!volume || index >= volume->count)
        return false;
    at = &tree->on_volumes[volume->first + index];
    *child = (struct tree_child){node_make(NODE_VOLUME_IMAGE, tree->images[at->image].id, at->part),
                                 tree->images[at->image].name, TREE_LINK};
    return true;
}

bool view_tree_child(const struct tree *tree, uint64_t directory, size_t index,
                     struct tree_child *child)
{
    switch (node_kind(directory)) {
    case NODE_FIXED:
        switch (directory) {
        case NODE_ROOT:
            return child_of_root(tree, index, child);
        case NODE_IMAGES:
            return child_of_images(tree, index, child);
        case NODE_BY_DATE:
            return child_of_by_date(tree, index, child);
        case NODE_BY_VOLUME:
            return child_of_by_volume(tree, index, child);
        default:
            return false;
        }
    case NODE_DATE:
        return child_of_date(tree, directory, index, child);
    case NODE_VOLUME:
        return child_of_volume(tree, directory, index, child);
    default:
        return false;
    }
}

/* Children of these are in order of name (bytes); those of the others are few. */
static bool in_order(uint64_t directory)
{
    return directory == NODE_IMAGES || directory == NODE_BY_VOLUME;
}

static bool search_in_order(const struct tree *tree, uint64_t directory, size_t count,
                            const char *name, struct tree_child *child)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order;

        if (!view_tree_child(tree, directory, middle, child))
            return false;
        order = strcmp(child->name, name);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool view_tree_lookup(const struct tree *tree, uint64_t directory, const char *name,
                      struct tree_child *child)
{
    if (in_order(directory))
        return search_in_order(tree, directory,
                               directory == NODE_IMAGES ? tree->image_count : tree->volume_count,
                               name, child);
    for (size_t i = 0; view_tree_child(tree, directory, i, child); i++)
        if (strcmp(child->name, name) == 0)
            return true;
    return false;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static bool fixed_node(const struct tree *tree, uint64_t node, enum tree_type *type,
                       int64_t *changed_ns)
{
    *changed_ns = tree->image_count ? tree->images[tree->image_count - 1].date_ns : tree->born_ns;
    if (node == NODE_ROOT) {
        *type = TREE_DIRECTORY;
        return true;
    }
    for (size_t i = 0; i < FIXED_COUNT; i++) {
        if (fixed_nodes[i].node == node) {
            *type = fixed_nodes[i].type;
            return true;
        }
    }
    return false;
}

bool view_tree_node(const struct tree *tree, uint64_t node, enum tree_type *type,
                    int64_t *changed_ns)
{
    const struct tree_image *image;

    if (node_kind(node) == NODE_FIXED)
        return fixed_node(tree, node, type, changed_ns);
    image = view_tree_image_by_id(tree, node_image(node));
    if (!image)
        return false;
    *changed_ns = image->date_ns;
    switch (node_kind(node)) {
    case NODE_DATE:
        *type = TREE_DIRECTORY;
        return true;
    case NODE_VOLUME:
        *type = TREE_DIRECTORY;
        return volume_of(tree, node) != NULL;
    case NODE_VOLUME_IMAGE:
        *type = TREE_LINK;
        return volume_of(tree, node) != NULL;
    case NODE_LATEST:
        *type = TREE_LINK;
        return true;
    default:
        return false;
    }
}

bool view_tree_link(const struct tree *tree, uint64_t node, char *target, size_t size)
{
    const struct tree_image *image = view_tree_image_by_id(tree, node_image(node));
    enum node_kind kind = node_kind(node);

    if (!image || (kind != NODE_LATEST && kind != NODE_VOLUME_IMAGE))
        return false;
    snprintf(target, size, "%simages/%s", kind == NODE_LATEST ? "" : "../../", image->name);
    return true;
}
