/* SPDX-License-Identifier: Apache-2.0 */
/* verb_cartridge.c - `capstan cartridge create`, `list`, `show`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/catalog.h"
#include "cli/cli.h"
#include "common/checked.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "vtl/control/control.h"

/* ---- create ------------------------------------------------------------------------------ */

const struct cli_option verb_cartridge_create_options[] = {
    {"slot", "N", "put it there; several cartridges into the slots from there on"},
    {"import-export", "N", "put it into that import/export element"},
    {"capacity", "SIZE", "native capacity; default: that of the kind of media"},
    {"generation", "KIND", "LTO-5 to LTO-10, LTO-M8; default: as the barcode ends, else LTO-8"},
    {"media", "KIND", "the same"},
    {"worm", NULL, "write once, never overwrite; default: as the barcode ends"},
    {NULL, NULL, NULL},
};

struct creation {
    unsigned slot, import_export; /* 0: not given */
    uint64_t capacity;
};

static json_t *create_arguments(const struct cli *cli, const struct creation *c, unsigned i)
{
    json_t *args = json_pack("{sssb}", "barcode", cli->operands[i], "worm", cli_flag(cli, "worm"));
    const char *media = cli_value(cli, cli_value(cli, "media") ? "media" : "generation");
    char place[24] = "";

    if (c->slot)
        snprintf(place, sizeof(place), "slot:%u", c->slot + i);
    else if (c->import_export)
        snprintf(place, sizeof(place), "ie:%u", c->import_export + i);
    if (*place)
        json_object_set_new(args, "to", json_string(place));
    if (c->capacity)
        json_object_set_new(args, "capacity", json_integer((json_int_t)c->capacity));
    if (args && media)
        json_set_bytes(args, "media", media, strlen(media), NULL);
    return args;
}

/* One request each, so those before a failure are made and said to be. */
static int create_all(struct cli *cli, const struct creation *c, json_t *made, struct error *err)
{
    struct control_session *session;
    int rc = control_session_open(cli->root, &session, err);

    if (rc)
        return rc;
    for (unsigned i = 0; i < cli->operand_count && !rc; i++) {
        json_t *args = create_arguments(cli, c, i), *result = NULL;

        rc = args ? control_session_request(session, "cartridge.create", args, &result, err)
                  : error_set(err, ERR_USAGE, "a barcode is made of A-Z and 0-9");
        if (rc)
            break;
        if (!cli->json)
            printf("%s: %s, in %s\n", json_get_text(result, "barcode", "?"),
                   json_get_text(result, "media", "?"), json_get_text(result, "place", "?"));
        json_array_append_new(made, result);
    }
    control_session_close(session);
    return rc;
}

int verb_cartridge_create(struct cli *cli, struct error *err)
{
    struct creation c = {0};
    json_t *made, *document;
    int rc = cli_number(cli, "slot", 1, LIBRARY_SLOTS_MAX, &c.slot, err);

    if (!rc)
        rc = cli_number(cli, "import-export", 1, LIBRARY_IMPORT_EXPORT_MAX, &c.import_export, err);
    if (!rc)
        rc = cli_size(cli, "capacity", &c.capacity, err);
    if (!rc && cli_value(cli, "media") && cli_value(cli, "generation"))
        rc = error_set(err, ERR_USAGE, "--media and --generation are the same: give one of them");
    if (!rc && c.slot && c.import_export)
        rc = error_set(err, ERR_USAGE, "--slot and --import-export contradict each other");
    if (rc)
        return rc;
    made = json_array();
    rc = create_all(cli, &c, made, err);
    document = json_pack("{so}", "cartridges", made);
    if (cli->json && json_array_size(made) > 0) {
        struct error unsaid;
        int printed = cli_print_json(document, rc ? &unsaid : err);

        rc = rc ? rc : printed;
    }
    json_decref(document);
    return rc;
}

/* ---- list and show ----------------------------------------------------------------------- */

const struct cli_option verb_cartridge_list_options[] = {{NULL, NULL, NULL}};
const struct cli_option verb_cartridge_show_options[] = {{NULL, NULL, NULL}};

static const struct table_column cartridge_columns[] = {
    {"BARCODE", "barcode", TABLE_TEXT},   {"PLACE", "place", TABLE_TEXT},
    {"MEDIA", "media", TABLE_TEXT},       {"STATE", "state", TABLE_TEXT},
    {"USED", "used", TABLE_SIZE},         {"LEFT", "remaining", TABLE_SIZE},
    {"CAPACITY", "capacity", TABLE_SIZE}, {"PARTITION", "partition", TABLE_TEXT},
    {"FILES", "filemarks", TABLE_NUMBER}, {"WORM", "worm", TABLE_YES},
    {"CREATED", "created", TABLE_TIME},
};

/* For people, a line for each partition of a tape that has several; the first has the rest. */
static json_t *partition_rows(json_t *cartridges)
{
    json_t *rows = json_array(), *row, *part;
    size_t i, p;

    json_array_foreach (cartridges, i, row) {
        json_t *partitions = json_object_get(row, "partitions");

        if (json_array_size(partitions) < 2) {
            json_array_append(rows, row);
            continue;
        }
        json_array_foreach (partitions, p, part) {
            json_t *line = p == 0 ? json_copy(row) : json_object();
            char number[24];

            snprintf(number, sizeof(number), "%zu", p);
            if (p > 0)
                json_object_set(line, "barcode", json_object_get(row, "barcode"));
            json_object_update(line, part);
            json_object_set_new(line, "partition", json_string(number));
            json_array_append_new(rows, line);
        }
    }
    return rows;
}

int verb_cartridge_list(struct cli *cli, struct error *err)
{
    json_t *result = NULL;
    int rc = cli_perform(cli, "cartridge.list", NULL, &result, err);

    if (!rc)
        rc = cli_print_rows(cli, "cartridges",
                            cli->json ? json_incref(json_object_get(result, "cartridges"))
                                      : partition_rows(json_object_get(result, "cartridges")),
                            cartridge_columns, ARRAY_LENGTH(cartridge_columns), err);
    json_decref(result);
    return rc;
}

struct image_search {
    struct catalog *catalog;
    const char *barcode;
    json_t *images;
    struct error *err;
};

static int image_on_cartridge(void *ctx, const struct catalog_image *image)
{
    struct image_search *s = ctx;
    struct catalog_part *parts = NULL;
    size_t count = 0;
    bool here = false;
    int rc = catalog_parts(s->catalog, image->uuid, &parts, &count, s->err);

    for (size_t i = 0; i < count && !rc; i++)
        here = here || strcmp(parts[i].barcode, s->barcode) == 0;
    free(parts);
    if (!rc && here)
        json_array_append_new(s->images, json_string(image->uuid));
    return rc;
}

/* The images that the catalog knows on it; a library without a catalog has none. */
static int add_images(const struct cli *cli, json_t *cartridge, struct error *err)
{
    struct image_search s = {.barcode = json_get_text(cartridge, "barcode", ""), .err = err};
    CLEANUP_FREE char *dir = NULL;
    int rc = cli_path(cli, "catalog", &dir, err);

    s.images = json_array();
    if (json_object_set_new(cartridge, "images", s.images))
        return error_set(err, ERR_NO_MEMORY, "there is no memory left");
    if (!rc)
        rc = catalog_open(dir, false, &s.catalog, err);
    if (rc)
        return rc == -ERR_NOT_FOUND ? 0 : rc;
    rc = catalog_images(s.catalog, image_on_cartridge, &s, err);
    catalog_close(s.catalog);
    return rc;
}

static void print_member(const char *key, const json_t *value)
{
    char size[16];
    size_t i;
    json_t *item;

    if (json_is_integer(value)) {
        printf("%-14s %" JSON_INTEGER_FORMAT, key, json_integer_value(value));
        if (json_integer_value(value) >= 100000)
            printf(" (%s)", size_text(size, (uint64_t)json_integer_value(value)));
        printf("\n");
    } else if (json_is_boolean(value)) {
        printf("%-14s %s\n", key, json_is_true(value) ? "yes" : "no");
    } else if (json_is_string(value)) {
        printf("%-14s %s\n", key, json_string_value(value));
    }
    json_array_foreach (value, i, item)
        printf("%-14s %s\n", i ? "" : key, json_string_value(item));
}

static void print_partitions(const json_t *partitions)
{
    char used[16], left[16], capacity[16];
    size_t i;
    json_t *p;

    json_array_foreach (partitions, i, p)
        printf("partition %-4zu %s used, %s left of %s; %" JSON_INTEGER_FORMAT
               " objects, %" JSON_INTEGER_FORMAT " of them filemarks\n",
               i, size_text(used, (uint64_t)json_get_integer(p, "used", 0)),
               size_text(left, (uint64_t)json_get_integer(p, "remaining", 0)),
               size_text(capacity, (uint64_t)json_get_integer(p, "capacity", 0)),
               (json_int_t)json_get_integer(p, "objects", 0),
               (json_int_t)json_get_integer(p, "filemarks", 0));
}

int verb_cartridge_show(struct cli *cli, struct error *err)
{
    json_t *result = NULL, *cartridge, *value;
    const char *key;
    int rc = cli_perform(cli, "cartridge.show", json_pack("{ss}", "barcode", cli->operands[0]),
                         &result, err);

    cartridge = json_object_get(result, "cartridge");
    if (!rc)
        rc = add_images(cli, cartridge, err);
    if (!rc && cli->json) {
        rc = cli_print_json(result, err);
    } else if (!rc) {
        json_object_foreach (cartridge, key, value)
            if (strcmp(key, "partitions") == 0)
                print_partitions(value);
            else if (!strstr(key, "_ns"))
                print_member(key, value);
    }
    json_decref(result);
    return rc;
}
