/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.c - see tree.h.  Images are kept in order of date; dates are runs of that order; volumes are
 * in order of barcode, each with the images on it.
 */
#include "fuse/tree.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/log.h"

#define FS_NAME_ROOM 200 /* bytes of a name made of host and path; then "-uuid8" */

struct tree_volume {
    char barcode[40];
    size_t first, count; /* its run in volume_images */
};

struct tree_on_volume {
    size_t image;  /* index in images */
    uint32_t part; /* the first of its parts on the volume */
    char barcode[40];
};

struct tree {
    atomic_uint users;
    uint64_t generation;
    int64_t born_ns; /* change time of what no image dates */
    struct tree_image *images;
    size_t image_count, image_room;
    size_t *by_id;   /* indexes in images, in order of id */
    size_t *by_name; /* the same in order of name */
    size_t *dates;   /* index of the first image of each date */
    size_t date_count;
    struct tree_on_volume *on_volumes; /* in order of barcode, then date */
    size_t on_volume_count;
    struct tree_volume *volumes;
    size_t volume_count;
};

struct tree_cache {
    pthread_mutex_t lock; /* tree */
    struct catalog *cat;
    struct tree *tree;
};

/* ---- names ----------------------------------------------------------------------------------- */

static void date_text(int64_t ns, char text[24])
{
    time_t seconds = (time_t)(ns / 1000000000 - (ns % 1000000000 < 0));
    struct tm tm;

    if (!gmtime_r(&seconds, &tm) || strftime(text, 24, "%Y-%m-%dT%H%M%SZ", &tm) == 0)
        snprintf(text, 24, "date-%lld", (long long)seconds);
}

/* "web1_srv_data" of host web1 and path /srv/data: a name, whatever host and path hold. */
static char *fs_name(const struct catalog_image *image, bool with_uuid)
{
    const char *path = image->path + strspn(image->path, "/");
    char name[FS_NAME_ROOM + 1], *whole = NULL;
    size_t len = strlen(path);
    bool cut;

    while (len > 0 && path[len - 1] == '/')
        len--;
    if (len == 0) {
        path = "rootfs";
        len = strlen(path);
    }
    cut = snprintf(name, sizeof(name), "%s_%.*s", image->host, (int)len, path) >= (int)sizeof(name);
    for (char *c = name; *c; c++)
        if (*c == '/')
            *c = '_';
    if (asprintf(&whole, "%s%s%.8s", name, cut || with_uuid ? "-" : "",
                 cut || with_uuid ? image->uuid : "") < 0)
        return NULL;
    return whole;
}

/* ---- making a tree --------------------------------------------------------------------------- */

static void tree_free(struct tree *tree)
{
    for (size_t i = 0; i < tree->image_count; i++) {
        free(tree->images[i].name);
        free(tree->images[i].fs_name);
        free(tree->images[i].parts);
    }
    free(tree->images);
    free(tree->by_id);
    free(tree->by_name);
    free(tree->dates);
    free(tree->on_volumes);
    free(tree->volumes);
    free(tree);
}

struct load {
    struct catalog *cat;
    struct tree *tree;
    struct error *err;
};

static int no_memory(struct error *err)
{
    return error_set(err, ERR_NO_MEMORY, "No memory for the list of images");
}

/* Two images of one second and one place: the second is told apart by its uuid. */
static bool fs_name_taken(const struct tree *tree, const struct tree_image *image)
{
    for (size_t i = tree->image_count; i > 0; i--) {
        const struct tree_image *other = &tree->images[i - 1];

        if (strcmp(other->date, image->date) != 0)
            return false;
        if (strcmp(other->fs_name, image->fs_name) == 0)
            return true;
    }
    return false;
}

static int fill_image(struct load *load, struct tree_image *out, const struct catalog_image *image)
{
    out->id = image->id;
    memcpy(out->uuid, image->uuid, sizeof(out->uuid));
    out->level = image->level;
    out->date_ns = image->date_ns;
    out->blocking = image->blocking;
    out->bytes = image->bytes;
    out->inodes = image->files + image->directories;
    date_text(image->date_ns, out->date);
    if (asprintf(&out->name, "%s-%.8s", out->date, image->uuid) < 0) {
        out->name = NULL;
        return no_memory(load->err);
    }
    out->fs_name = fs_name(image, false);
    if (out->fs_name && fs_name_taken(load->tree, out)) {
        free(out->fs_name);
        out->fs_name = fs_name(image, true);
    }
    if (!out->fs_name)
        return no_memory(load->err);
    return catalog_parts(load->cat, image->uuid, &out->parts, &out->part_count, load->err);
}

static int load_image(void *ctx, const struct catalog_image *image)
{
    struct load *load = ctx;
    struct tree *tree = load->tree;
    struct tree_image *at;
    int rc;

    if (image->id == 0 || image->id > NODE_IMAGE_ID_MAX) {
        log_warning("Image %s is not shown: its number %llu is too large", image->uuid,
                    (unsigned long long)image->id);
        return 0;
    }
    if (tree->image_count == tree->image_room) {
        size_t room = tree->image_room ? tree->image_room * 2 : 16;
        struct tree_image *grown = reallocarray(tree->images, room, sizeof(*grown));

        if (!grown)
            return no_memory(load->err);
        tree->images = grown;
        tree->image_room = room;
    }
    at = &tree->images[tree->image_count];
    memset(at, 0, sizeof(*at));
    rc = fill_image(load, at, image);
    if (rc == 0) {
        tree->image_count++;
        return 0;
    }
    free(at->name);
    free(at->fs_name);
    free(at->parts);
    return rc == -ERR_NOT_FOUND ? 0 : rc; /* deleted in between */
}

static int compare_ids(const void *a, const void *b, void *tree)
{
    const struct tree_image *images = ((struct tree *)tree)->images;
    uint64_t x = images[*(const size_t *)a].id, y = images[*(const size_t *)b].id;

    return x < y ? -1 : x > y;
}

static int compare_names(const void *a, const void *b, void *tree)
{
    const struct tree_image *images = ((struct tree *)tree)->images;

    return strcmp(images[*(const size_t *)a].name, images[*(const size_t *)b].name);
}

static int make_orders(struct tree *tree, struct error *err)
{
    size_t n = tree->image_count;

    tree->by_id = calloc(n + 1, sizeof(size_t));
    tree->by_name = calloc(n + 1, sizeof(size_t));
    tree->dates = calloc(n + 1, sizeof(size_t));
    if (!tree->by_id || !tree->by_name || !tree->dates)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        tree->by_id[i] = tree->by_name[i] = i;
        if (i == 0 || strcmp(tree->images[i].date, tree->images[i - 1].date) != 0)
            tree->dates[tree->date_count++] = i;
    }
    qsort_r(tree->by_id, n, sizeof(size_t), compare_ids, tree);
    qsort_r(tree->by_name, n, sizeof(size_t), compare_names, tree);
    for (size_t i = 1; i < n; i++) { /* heads of uuids that are the same: the whole uuid */
        struct tree_image *image = &tree->images[tree->by_name[i]];

        if (strcmp(image->name, tree->images[tree->by_name[i - 1]].name) == 0) {
            free(image->name);
            if (asprintf(&image->name, "%s-%s", image->date, image->uuid) < 0) {
                image->name = NULL;
                return no_memory(err);
            }
        }
    }
    return 0;
}

static int compare_on_volumes(const void *a, const void *b)
{
    const struct tree_on_volume *x = a, *y = b;
    int order = strcmp(x->barcode, y->barcode);

    if (order == 0)
        order = x->image < y->image ? -1 : x->image > y->image;
    return order ? order : (x->part < y->part ? -1 : x->part > y->part);
}

/* A barcode is a name in /by-volume. */
static bool barcode_valid(const char *barcode)
{
    return barcode[0] && !strchr(barcode, '/') && strcmp(barcode, ".") != 0 &&
           strcmp(barcode, "..") != 0;
}

static int list_on_volumes(struct tree *tree, struct error *err)
{
    size_t total = 0, out = 0;

    for (size_t i = 0; i < tree->image_count; i++)
        total += tree->images[i].part_count;
    tree->on_volumes = calloc(total + 1, sizeof(*tree->on_volumes));
    tree->volumes = calloc(total + 1, sizeof(*tree->volumes));
    if (!tree->on_volumes || !tree->volumes)
        return no_memory(err);
    for (size_t i = 0; i < tree->image_count; i++) {
        for (size_t p = 0; p < tree->images[i].part_count; p++) {
            struct tree_on_volume *at = &tree->on_volumes[out];

            if (!barcode_valid(tree->images[i].parts[p].barcode))
                continue;
            at->image = i;
            at->part = (uint32_t)p;
            memcpy(at->barcode, tree->images[i].parts[p].barcode, sizeof(at->barcode));
            out++;
        }
    }
    qsort(tree->on_volumes, out, sizeof(*tree->on_volumes), compare_on_volumes);
    tree->on_volume_count = out;
    return 0;
}

static int make_volumes(struct tree *tree, struct error *err)
{
    int rc = list_on_volumes(tree, err);
    size_t kept = 0;

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < tree->on_volume_count; i++) {
        struct tree_on_volume at = tree->on_volumes[i];
        struct tree_volume *last =
            tree->volume_count ? &tree->volumes[tree->volume_count - 1] : NULL;

        if (!last || strcmp(last->barcode, at.barcode) != 0) {
            last = &tree->volumes[tree->volume_count++];
            memcpy(last->barcode, at.barcode, sizeof(last->barcode));
            last->first = kept;
        } else if (tree->on_volumes[kept - 1].image == at.image) {
            continue; /* a second part of one image on one volume */
        }
        tree->on_volumes[kept++] = at;
        last->count++;
    }
    tree->on_volume_count = kept;
    return 0;
}

static int tree_load(struct catalog *cat, struct tree **out, struct error *err)
{
    struct tree *tree = calloc(1, sizeof(*tree));
    struct load load = {cat, tree, err};
    struct timespec now;
    int rc;

    if (!tree)
        return no_memory(err);
    atomic_init(&tree->users, 1);
    clock_gettime(CLOCK_REALTIME, &now);
    tree->born_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    /* First the generation: what changes meanwhile makes the next tree. */
    rc = catalog_generation(cat, &tree->generation, err);
    if (rc == 0)
        rc = catalog_images(cat, load_image, &load, err);
    if (rc == 0)
        rc = make_orders(tree, err);
    if (rc == 0)
        rc = make_volumes(tree, err);
    if (rc != 0) {
        tree_free(tree);
        return rc;
    }
    *out = tree;
    return 0;
}

/* ---- the present tree ------------------------------------------------------------------------ */

int view_tree_cache_open(struct catalog *cat, struct tree_cache **out, struct error *err)
{
    struct tree_cache *cache = calloc(1, sizeof(*cache));
    int rc;

    if (!cache)
        return no_memory(err);
    pthread_mutex_init(&cache->lock, NULL);
    cache->cat = cat;
    rc = tree_load(cat, &cache->tree, err);
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

        rc = tree_load(cache->cat, &fresh, err);
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
        tree_free(tree);
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
