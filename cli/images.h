/* SPDX-License-Identifier: Apache-2.0 */
/* images.h - images of the catalog as JSON, and the catalog of the library at hand. */
#ifndef CAPSTAN_CLI_IMAGES_H
#define CAPSTAN_CLI_IMAGES_H

#include <jansson.h>

#include "catalog/catalog.h"
#include "cli/cli.h"

/* Open ROOT/catalog of a library.  ERR_NOT_FOUND with a sentence if the root is none. */
int images_open(const struct cli *cli, struct catalog **out, struct error *err);

/* An image as an object; with parts as its member "parts".  *out is the caller's. */
int image_json(const struct catalog_image *image, const struct catalog_part *parts,
               size_t part_count, json_t **out, struct error *err);

/* "complete" or "partial". */
const char *image_state(const struct catalog_image *image);

#endif
