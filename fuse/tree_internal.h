/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree_internal.h - a tree as tree_load.c makes it and tree.c reads it; nobody else includes it.
 *
 * Images are kept in order of date; dates are runs of that order; volumes are in order of barcode,
 * each with the images on it.
 */
#ifndef CAPSTAN_FUSE_TREE_INTERNAL_H
#define CAPSTAN_FUSE_TREE_INTERNAL_H

#include <stdatomic.h>

#include "fuse/tree.h"

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

/* The catalog's present state, held once. */
int view_tree_load(struct catalog *cat, struct tree **out, struct error *err);
void view_tree_free(struct tree *tree);

#endif
