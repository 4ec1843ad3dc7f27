/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree_load.c - make a tree from the catalog: the names of its nodes and the orders they are in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "fuse/tree_internal.h"

#define FS_NAME_ROOM 200 /* bytes of a name made of host and path; then "-uuid8" */

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

void view_tree_free(struct tree *tree)
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

int view_tree_load(struct catalog *cat, struct tree **out, struct error *err)
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
        view_tree_free(tree);
        return rc;
    }
    *out = tree;
    return 0;
}
