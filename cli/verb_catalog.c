/* SPDX-License-Identifier: Apache-2.0 */
/* verb_catalog.c - `capstan catalog list`, `show`, `files`, `check`, `delete`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/images.h"
#include "common/checked.h"
#include "common/cleanup.h"
#include "common/json.h"

const struct cli_option verb_catalog_list_options[] = {{NULL, NULL, NULL}};
const struct cli_option verb_catalog_show_options[] = {{NULL, NULL, NULL}};
const struct cli_option verb_catalog_files_options[] = {{NULL, NULL, NULL}};
const struct cli_option verb_catalog_check_options[] = {{NULL, NULL, NULL}};
const struct cli_option verb_catalog_delete_options[] = {{NULL, NULL, NULL}};

/* What a walk over the catalog collects. */
struct collection {
    json_t *rows;
    struct error *err;
};

/* ---- list -------------------------------------------------------------------------------- */

static const struct table_column image_columns[] = {
    {"IMAGE", "short", TABLE_TEXT},   {"DATE", "date", TABLE_TIME},
    {"LEVEL", "level", TABLE_NUMBER}, {"HOST", "host", TABLE_TEXT},
    {"PATH", "path", TABLE_TEXT},     {"LABEL", "label", TABLE_TEXT},
    {"FILES", "files", TABLE_NUMBER}, {"SIZE", "bytes", TABLE_SIZE},
    {"STATE", "state", TABLE_TEXT},
};

static int collect_image(void *ctx, const struct catalog_image *image)
{
    struct collection *c = ctx;
    json_t *row = NULL;
    int rc = image_json(image, NULL, 0, &row, c->err);

    if (rc)
        return rc;
    if (json_object_set_new(row, "short", json_stringn(image->uuid, 8)) ||
        json_array_append_new(c->rows, row))
        return error_set(c->err, ERR_NO_MEMORY, "there is no memory left for the output");
    return 0;
}

int verb_catalog_list(struct cli *cli, struct error *err)
{
    struct collection c = {.err = err};
    struct catalog *catalog;
    int rc = images_open(cli, &catalog, err);

    if (rc)
        return rc;
    c.rows = json_array();
    rc = catalog_images(catalog, collect_image, &c, err);
    catalog_close(catalog);
    if (!rc)
        return cli_print_rows(cli, "images", c.rows, image_columns, ARRAY_LENGTH(image_columns),
                              err);
    json_decref(c.rows);
    return rc;
}

/* ---- show -------------------------------------------------------------------------------- */

static const struct table_column part_columns[] = {
    {"VOLUME", "volume", TABLE_NUMBER},     {"CARTRIDGE", "barcode", TABLE_TEXT},
    {"FILE", "file", TABLE_NUMBER},         {"BLOCK", "first_block", TABLE_NUMBER},
    {"FROM", "first_stream", TABLE_NUMBER}, {"STREAM BLOCKS", "stream_blocks", TABLE_NUMBER},
};

static int print_image(json_t *image, struct error *err)
{
    static const struct {
        const char *word, *key;
    } lines[] = {
        {"image", "uuid"}, {"host", "host"},   {"path", "path"},   {"label", "label"},
        {"date", "date"},  {"ended", "ended"}, {"state", "state"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        printf("%-12s %s\n", lines[i].word, json_get_text(image, lines[i].key, "-"));
    printf("%-12s %" PRId64 "\n", "level", json_get_integer(image, "level", 0));
    printf("%-12s %" PRId64 " files, %" PRId64 " directories, %" PRId64 " bytes\n", "contents",
           json_get_integer(image, "files", 0), json_get_integer(image, "directories", 0),
           json_get_integer(image, "bytes", 0));
    printf("%-12s %" PRId64 " blocks of 1,024 bytes, %" PRId64 " in a record\n", "stream",
           json_get_integer(image, "stream_blocks", 0), json_get_integer(image, "blocking", 0));
    printf("%-12s %" PRId64 "\n\n", "warnings", json_get_integer(image, "warnings", 0));
    return table_print(stdout, part_columns, ARRAY_LENGTH(part_columns),
                       json_object_get(image, "parts"), err);
}

int verb_catalog_show(struct cli *cli, struct error *err)
{
    CLEANUP_FREE struct catalog_part *parts = NULL;
    struct catalog_image image;
    struct catalog *catalog;
    json_t *row = NULL;
    size_t count = 0;
    int rc = images_open(cli, &catalog, err);

    if (rc)
        return rc;
    rc = catalog_image(catalog, cli->operands[0], &image, err);
    if (!rc)
        rc = catalog_parts(catalog, image.uuid, &parts, &count, err);
    catalog_close(catalog);
    if (!rc)
        rc = image_json(&image, parts, count, &row, err);
    if (!rc && cli->json) {
        json_t *result = json_pack("{sO}", "image", row);

        rc = cli_print_json(result, err);
        json_decref(result);
    } else if (!rc) {
        rc = print_image(row, err);
    }
    json_decref(row);
    return rc;
}

/* ---- files ------------------------------------------------------------------------------- */

static const struct table_column file_columns[] = {
    {"MODE", "mode_text", TABLE_TEXT}, {"LINKS", "links", TABLE_NUMBER},
    {"UID", "uid", TABLE_NUMBER},      {"GID", "gid", TABLE_NUMBER},
    {"SIZE", "size", TABLE_NUMBER},    {"CHANGED", "mtime", TABLE_TIME},
    {"NAME", "name", TABLE_TEXT},
};

static char type_letter(uint32_t mode)
{
    static const struct {
        uint32_t type;
        char letter;
    } types[] = {{S_IFDIR, 'd'}, {S_IFLNK, 'l'}, {S_IFCHR, 'c'},
                 {S_IFBLK, 'b'}, {S_IFIFO, 'p'}, {S_IFSOCK, 's'}};

    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if ((mode & S_IFMT) == types[i].type)
            return types[i].letter;
    return '-';
}

/* As ls -l shows it. */
static void mode_text(uint32_t mode, char text[11])
{
    static const char bits[] = "rwxrwxrwx";

    text[0] = type_letter(mode);
    for (unsigned i = 0; i < 9; i++)
        text[1 + i] = mode & (0400u >> i) ? bits[i] : '-';
    if (mode & S_ISUID)
        text[3] = mode & 0100 ? 's' : 'S';
    if (mode & S_ISGID)
        text[6] = mode & 0010 ? 's' : 'S';
    if (mode & S_ISVTX)
        text[9] = mode & 0001 ? 't' : 'T';
    text[10] = '\0';
}

static int collect_file(void *ctx, const struct catalog_entry *entry)
{
    struct collection *c = ctx;
    const struct catalog_inode *in = &entry->inode;
    char mode[11];
    json_t *row;
    int rc;

    mode_text(in->mode, mode);
    row = json_pack("{sIsssisisisIsb}", "inode", (json_int_t)in->ino, "mode_text", mode, "links",
                    (int)in->nlink, "uid", (int)in->uid, "gid", (int)in->gid, "size",
                    (json_int_t)in->size, "in_image", in->address != UINT64_MAX);
    rc = row ? json_set_bytes(row, "name", entry->name, entry->name_len, c->err)
             : error_set(c->err, ERR_NO_MEMORY, "there is no memory left for the output");
    if (!rc)
        rc = json_set_time(row, "mtime", in->mtime_ns, c->err);
    if (!rc && in->link)
        rc = json_set_bytes(row, "link", in->link, in->link_len, c->err);
    if (!rc && json_object_set_new(row, "mode", json_integer(in->mode)))
        rc = error_set(c->err, ERR_NO_MEMORY, "there is no memory left for the output");
    if (rc) {
        json_decref(row);
        return rc;
    }
    return json_array_append_new(c->rows, row) ? -ERR_NO_MEMORY : 0;
}

static int list_directory(struct cli *cli, struct catalog *catalog, struct collection *c)
{
    const char *path = cli->operand_count > 1 ? cli->operands[1] : "";
    struct catalog_index *index = NULL;
    struct catalog_image image;
    struct catalog_inode inode;
    uint32_t ino;
    int rc = catalog_image(catalog, cli->operands[0], &image, c->err);

    if (!rc)
        rc = catalog_index_open(catalog, image.uuid, &index, c->err);
    if (rc)
        return rc;
    rc = catalog_index_path(index, path, &ino, c->err);
    if (!rc)
        rc = catalog_index_inode(index, ino, &inode, c->err);
    if (!rc) {
        bool directory = S_ISDIR(inode.mode);

        catalog_inode_release(&inode);
        if (!directory)
            rc = error_set(c->err, ERR_USAGE, "%s is not a directory of the image", path);
    }
    if (!rc)
        rc = catalog_index_entries(index, ino, NULL, 0, collect_file, c, c->err);
    catalog_index_close(index);
    return rc;
}

int verb_catalog_files(struct cli *cli, struct error *err)
{
    struct collection c = {.err = err};
    struct catalog *catalog;
    int rc = images_open(cli, &catalog, err);

    if (rc)
        return rc;
    c.rows = json_array();
    rc = list_directory(cli, catalog, &c);
    catalog_close(catalog);
    if (!rc)
        return cli_print_rows(cli, "files", c.rows, file_columns, ARRAY_LENGTH(file_columns), err);
    json_decref(c.rows);
    return rc;
}

/* ---- check and delete -------------------------------------------------------------------- */

static int count_image(void *ctx, const struct catalog_image *image)
{
    (void)image;
    ++*(unsigned *)ctx;
    return 0;
}

int verb_catalog_check(struct cli *cli, struct error *err)
{
    struct catalog *catalog;
    unsigned images = 0;
    int rc = images_open(cli, &catalog, err);

    if (rc)
        return rc;
    rc = catalog_check(catalog, err);
    if (!rc)
        rc = catalog_images(catalog, count_image, &images, err);
    catalog_close(catalog);
    if (rc)
        return rc;
    if (cli->json) {
        json_t *result = json_pack("{sssi}", "state", "good", "images", (int)images);

        rc = cli_print_json(result, err);
        json_decref(result);
        return rc;
    }
    printf("the catalog is good: %u images\n", images);
    return 0;
}

int verb_catalog_delete(struct cli *cli, struct error *err)
{
    struct catalog_image image;
    struct catalog *catalog;
    int rc = images_open(cli, &catalog, err);

    if (rc)
        return rc;
    rc = catalog_image(catalog, cli->operands[0], &image, err);
    if (!rc)
        rc = catalog_image_delete(catalog, image.uuid, err);
    catalog_close(catalog);
    if (rc)
        return rc;
    if (cli->json) {
        json_t *result = json_pack("{ss}", "deleted", image.uuid);

        rc = cli_print_json(result, err);
        json_decref(result);
        return rc;
    }
    printf("deleted %s from the catalog; its data stays on tape\n", image.uuid);
    return 0;
}
