/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_rebuild.c - `capstan catalog rebuild`: read all cartridges below ROOT/cartridges, read-only,
 * and put the images that are missing into the catalog.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/images.h"
#include "cli/report.h"
#include "common/cleanup.h"
#include "engine/restore/restore.h"
#include "vtl/library/library.h"

const struct cli_option verb_catalog_rebuild_options[] = {{NULL, NULL, NULL}};

struct rebuild {
    const struct cli *cli;
    struct report report;
    struct dirent **names;
    int count, next;
    struct tape *tape; /* handed out last */
    unsigned unreadable;
};

static int is_barcode(const struct dirent *entry)
{
    const char *name = entry->d_name;

    return name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] == '\0' &&
           strlen(name) <= CARTRIDGE_BARCODE_MAX;
}

static void on_warning(void *ctx, const char *path, const char *message)
{
    report_warning(&((struct rebuild *)ctx)->report, path, message);
}

static int open_one(struct rebuild *r, const char *barcode, struct error *err)
{
    char path[4096], url[4200];
    int rc = library_cartridge_path(r->cli->root, barcode, path, sizeof(path), err);

    if (rc)
        return rc;
    snprintf(url, sizeof(url), "cartridge:%s", path);
    return tape_open(url, TAPE_READ, NULL, &r->tape, err);
}

/* One cartridge that cannot be opened is a warning, not the end of the rebuild. */
static int on_next(void *ctx, struct tape **out, char barcode[40], struct error *err)
{
    struct rebuild *r = ctx;

    (void)err;
    tape_close(r->tape);
    r->tape = NULL;
    *out = NULL;
    while (r->next < r->count) {
        const char *name = r->names[r->next++]->d_name;
        struct error why = ERROR_INIT;
        char what[80];

        snprintf(what, sizeof(what), "cartridge %.32s, %d of %d", name, r->next, r->count);
        report_progress(&r->report, what, 0, 0);
        if (open_one(r, name, &why)) {
            report_warning(&r->report, name, why.message);
            r->unreadable++;
            continue;
        }
        snprintf(barcode, 40, "%.39s", name);
        *out = r->tape;
        return 0;
    }
    return 0;
}

static int find_cartridges(struct rebuild *r, struct error *err)
{
    CLEANUP_FREE char *dir = NULL;
    int rc = cli_path(r->cli, "cartridges", &dir, err);

    if (rc)
        return rc;
    r->count = scandir(dir, &r->names, is_barcode, alphasort);
    return r->count < 0 ? error_errno(err, "%s cannot be read", dir) : 0;
}

static int print_result(const struct rebuild *r, uint64_t images, struct error *err)
{
    json_t *result;
    int rc;

    if (!r->cli->json) {
        printf("read %u of %d cartridges, added %" PRIu64 " images\n",
               (unsigned)r->count - r->unreadable, r->count, images);
        return 0;
    }
    result = json_pack("{sisisI}", "cartridges", r->count, "unreadable", (int)r->unreadable,
                       "images_added", (json_int_t)images);
    rc = cli_print_json(result, err);
    json_decref(result);
    return rc;
}

int verb_catalog_rebuild(struct cli *cli, struct error *err)
{
    struct rebuild r = {.cli = cli};
    struct catalog *catalog;
    uint64_t images = 0;
    int rc = images_open(cli, &catalog, err);

    if (rc)
        return rc;
    report_begin(&r.report);
    rc = find_cartridges(&r, err);
    if (!rc)
        rc = restore_rebuild(catalog, on_next, on_warning, &r, &images, err);
    report_end(&r.report);
    tape_close(r.tape);
    for (int i = 0; i < r.count; i++)
        free(r.names[i]);
    free(r.names);
    catalog_close(catalog);
    if (!rc || rc == -ERR_PARTIAL) {
        struct error unsaid;
        int printed = print_result(&r, images, rc ? &unsaid : err);

        rc = rc ? rc : printed;
    }
    if (!rc && r.unreadable)
        rc = error_set(err, ERR_PARTIAL, "%u cartridges could not be read", r.unreadable);
    return rc;
}
