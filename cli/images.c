/* SPDX-License-Identifier: Apache-2.0 */
/* images.c - see images.h. */
#include "cli/images.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "vtl/control/config.h"

int images_open(const struct cli *cli, struct catalog **out, struct error *err)
{
    CLEANUP_FREE char *dir = NULL;
    struct config *config;
    int rc = config_load(cli->root, &config, err);

    if (rc)
        return rc;
    config_free(config);
    rc = cli_path(cli, "catalog", &dir, err);
    /* A catalog that was lost is made anew, empty: 'catalog rebuild' fills it. */
    return rc ? rc : catalog_open(dir, true, out, err);
}

const char *image_state(const struct catalog_image *image)
{
    return image->state == CATALOG_COMPLETE ? "complete" : "partial";
}

static json_t *parts_json(const struct catalog_part *parts, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct catalog_part *p = &parts[i];
        json_t *row = json_pack(
            "{sisssIsIsIsI}", "volume", (int)p->volume, "barcode", p->barcode, "file",
            (json_int_t)p->file, "first_block", (json_int_t)p->first_block, "first_stream",
            (json_int_t)p->first_stream, "stream_blocks", (json_int_t)p->stream_blocks);

        if (json_array_append_new(list, row)) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static int image_texts(json_t *row, const struct catalog_image *image, struct error *err)
{
    int rc = json_set_bytes(row, "host", image->host, strlen(image->host), err);

    if (!rc)
        rc = json_set_bytes(row, "path", image->path, strlen(image->path), err);
    if (!rc)
        rc = json_set_bytes(row, "label", image->label, strlen(image->label), err);
    if (!rc)
        rc = json_set_time(row, "date", image->date_ns, err);
    return rc ? rc : json_set_time(row, "ended", image->ended_ns, err);
}

int image_json(const struct catalog_image *image, const struct catalog_part *parts,
               size_t part_count, json_t **out, struct error *err)
{
    json_t *row =
        json_pack("{sssisIsIsIsisIsIss}", "uuid", image->uuid, "level", image->level, "files",
                  (json_int_t)image->files, "directories", (json_int_t)image->directories, "bytes",
                  (json_int_t)image->bytes, "blocking", (int)image->blocking, "stream_blocks",
                  (json_int_t)image->stream_blocks, "warnings", (json_int_t)image->warnings,
                  "state", image_state(image));
    int rc = row ? image_texts(row, image, err)
                 : error_set(err, ERR_NO_MEMORY, "there is no memory left for the output");

    if (!rc && image->base_uuid[0] &&
        json_object_set_new(row, "base", json_string(image->base_uuid)))
        rc = error_set(err, ERR_NO_MEMORY, "there is no memory left for the output");
    if (!rc && parts && json_object_set_new(row, "parts", parts_json(parts, part_count)))
        rc = error_set(err, ERR_NO_MEMORY, "there is no memory left for the output");
    if (rc)
        json_decref(row);
    else
        *out = row;
    return rc;
}
