/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_cartridge_clone.c - `capstan cartridge clone`: another cartridge with the same contents.
 *
 * It is built where an import is (import.BARCODE), and appears in the library when it is whole.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "cli/cartridge_use.h"
#include "cli/cli.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "vtl/library/library.h"
#include "vtl/personality/medium.h"

const struct cli_option verb_cartridge_clone_options[] = {
    {"slot", "N", "put it there; default: the first empty slot"},
    {NULL, NULL, NULL},
};

/* The new barcode must be one for the same kind of media. */
static int check_kind(struct store *source, const char *barcode, struct error *err)
{
    struct medium_label label = medium_of_barcode(barcode);
    struct library_media media;
    struct cartridge *c;
    int rc = cartridge_open(source, CARTRIDGE_READ_ONLY, &c, err);

    if (rc)
        return rc;
    library_barcode_media(barcode, &media);
    if (media.cleaning)
        rc = error_set(err, ERR_USAGE, "%s is the barcode of a cleaning cartridge", barcode);
    else if (label.medium && label.medium->density != cartridge_identity(c)->density)
        rc = error_set(err, ERR_USAGE,
                       "the barcode %s says %s, but cartridge %s is another kind; choose a barcode "
                       "that ends as that one",
                       barcode, label.medium->name, cartridge_identity(c)->barcode);
    cartridge_close(c);
    return rc;
}

static int build(struct store *source, const char *path, const char *barcode,
                 struct cartridge_cloned *report, struct error *err)
{
    struct store *to = NULL;
    int rc = store_directory_open(path, false, &to, err);

    if (!rc)
        rc = cartridge_clone(source, to, barcode, report, err);
    if (!rc)
        rc = store_sync_names(to, err);
    store_close(to);
    return rc;
}

static int clone_cartridge(struct cli *cli, struct store *source, struct cartridge_cloned *report,
                           json_t **result, struct error *err)
{
    const char *barcode = cli->operands[1];
    CLEANUP_CLOSE int lock = -1;
    char path[PATH_MAX];
    int rc = library_import_begin(cli->root, barcode, path, &lock, err);

    if (rc)
        return rc;
    rc = build(source, path, barcode, report, err);
    if (!rc)
        rc = cartridge_use_adopt(cli, barcode, result, err);
    if (rc)
        library_import_abandon(path);
    return rc;
}

static int say_cloned(struct cli *cli, const struct cartridge_cloned *r, const char *place,
                      struct error *err)
{
    json_t *document;
    int rc;

    if (!cli->json) {
        printf("%s: a clone of %s, in %s: %" PRIu64 " objects in %" PRIu64 " segments%s\n",
               cli->operands[1], cli->operands[0], place, r->objects, r->segments,
               r->segments == 0 ? ""
               : r->shared      ? ", which share their bytes with it"
                                : ", copied: the file system can't share them");
        return 0;
    }
    document = json_pack("{sssssssIsIsb}", "barcode", cli->operands[1], "source", cli->operands[0],
                         "place", place, "objects", (json_int_t)r->objects, "segments",
                         (json_int_t)r->segments, "shared", r->shared);
    rc = document ? cli_print_json(document, err)
                  : error_set(err, ERR_NO_MEMORY, "there is no memory left for the output");
    json_decref(document);
    return rc;
}

int verb_cartridge_clone(struct cli *cli, struct error *err)
{
    struct cartridge_cloned report;
    struct store *source = NULL;
    json_t *result = NULL;
    char path[PATH_MAX];
    unsigned slot;
    int rc = cli_number(cli, "slot", 1, LIBRARY_SLOTS_MAX, &slot, err);

    if (!rc && library_cartridge_path(cli->root, cli->operands[1], path, sizeof(path), err))
        rc = -ERR_USAGE;
    if (!rc)
        rc = cartridge_use_store(cli, cli->operands[0], false, &source, err);
    if (!rc)
        rc = check_kind(source, cli->operands[1], err);
    if (!rc)
        rc = clone_cartridge(cli, source, &report, &result, err);
    if (!rc)
        rc = say_cloned(cli, &report, json_get_text(result, "place", "?"), err);
    store_close(source);
    json_decref(result);
    return rc;
}
