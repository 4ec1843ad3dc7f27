/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore_tool.c - the restore engine without daemon, library and robot, for tests.
 *
 *   restore_tool restore|compare [-b BLOCKING] [-o] [-n NAME]... DESTINATION URL...
 *   restore_tool list [-b BLOCKING] URL
 *   restore_tool image|image-compare [-o] [-n NAME]... DESTINATION CATALOG UUID URL...
 *   restore_tool rebuild CATALOG URL...
 *   restore_tool digest CATALOG
 *   restore_tool cartridge DIRECTORY BARCODE BYTES      makes an empty one
 *
 * Several URLs are the volumes in order (rebuild: in any order).  -o: owners are not kept.
 * Prints the warnings; exits 0, 3 with warnings or differences, 1 on failure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/checked.h"
#include "engine/restore/restore.h"
#include "vtl/cartridge/cartridge.h"

struct tool {
    struct restore_options options;
    unsigned blocking;
    const char *names[64];
    char **args;
    int count;
    char **urls;
    int url_count;
    int next;
    struct tape *tape; /* the open one */
    char barcode[40];
};

static void warning(void *ctx, const char *path, const char *message)
{
    (void)ctx;
    fprintf(stderr, "%s: %s\n", path, message);
}

static int open_url(struct tool *t, int i, struct error *err)
{
    struct tape_info info;
    int rc;

    tape_close(t->tape);
    t->tape = NULL;
    if (i >= t->url_count)
        return error_set(err, ERR_OPERATOR, "no cartridge is left");
    rc = tape_open(t->urls[i], TAPE_READ, NULL, &t->tape, err);
    if (!rc)
        rc = tape_load(t->tape, err);
    if (!rc)
        rc = tape_get_info(t->tape, &info, err);
    if (!rc)
        snprintf(t->barcode, sizeof(t->barcode), "%s", info.barcode);
    return rc;
}

static int bring_volume(void *ctx, unsigned volume, const char *barcode, struct tape **out,
                        struct error *err)
{
    struct tool *t = ctx;
    int rc = open_url(t, (int)volume - 1, err);

    for (int i = 0; barcode[0] && i < t->url_count && strcmp(barcode, t->barcode) != 0 && !rc; i++)
        rc = open_url(t, i, err);
    *out = t->tape;
    return rc;
}

static int bring_next(void *ctx, struct tape **out, char barcode[40], struct error *err)
{
    struct tool *t = ctx;
    int rc;

    *out = NULL;
    if (t->next == t->url_count)
        return 0;
    rc = open_url(t, t->next++, err);
    *out = t->tape;
    memcpy(barcode, t->barcode, sizeof(t->barcode));
    return rc;
}

static int print_name(void *ctx, const char *path, const struct catalog_inode *inode)
{
    (void)ctx;
    printf("%u %o %llu %s\n", inode->ino, inode->mode, (unsigned long long)inode->size, path);
    return 0;
}

static void set_urls(struct tool *t, int from)
{
    t->urls = t->args + from;
    t->url_count = t->count - from;
}

static int run_stream(struct tool *t, struct error *err)
{
    struct restore_result result;
    int rc;

    t->options.destination = t->args[0];
    set_urls(t, 1);
    rc = open_url(t, 0, err);
    if (!rc)
        rc = restore_stream(&t->options, t->tape, t->blocking, &result, err);
    return rc;
}

static int run_list(struct tool *t, struct error *err)
{
    int rc;

    set_urls(t, 0);
    rc = open_url(t, 0, err);
    return rc ? rc : restore_list(t->tape, t->blocking, print_name, NULL, err);
}

static int run_image(struct tool *t, struct error *err)
{
    struct restore_result result;
    struct catalog *cat;
    int rc;

    t->options.destination = t->args[0];
    set_urls(t, 3);
    rc = catalog_open(t->args[1], false, &cat, err);
    if (rc)
        return rc;
    rc = restore_image(&t->options, cat, t->args[2], &result, err);
    catalog_close(cat);
    return rc;
}

static int run_rebuild(struct tool *t, struct error *err)
{
    struct catalog *cat;
    uint64_t images = 0;
    int rc;

    set_urls(t, 1);
    rc = catalog_open(t->args[0], true, &cat, err);
    if (rc)
        return rc;
    rc = restore_rebuild(cat, bring_next, warning, t, &images, err);
    printf("%llu\n", (unsigned long long)images);
    if (!rc)
        rc = catalog_check(cat, err);
    catalog_close(cat);
    return rc;
}

static int run_digest(struct tool *t, struct error *err)
{
    struct catalog *cat;
    uint8_t digest[32];
    int rc = catalog_open(t->args[0], false, &cat, err);

    if (rc)
        return rc;
    rc = catalog_digest(cat, digest, err);
    for (size_t i = 0; i < sizeof(digest) && !rc; i++)
        printf("%02x", digest[i]);
    printf("\n");
    catalog_close(cat);
    return rc;
}

static int run_cartridge(struct tool *t, struct error *err)
{
    struct cartridge_identity id;
    struct store *store = NULL;
    int rc = cartridge_identity_default(&id, t->args[1], 0x5e, err);

    id.capacity = strtoull(t->args[2], NULL, 10);
    id.early_warning = id.capacity / 8;
    if (!rc)
        rc = store_directory_open(t->args[0], true, &store, err);
    if (!rc)
        rc = cartridge_create(store, &id, err);
    store_close(store);
    return rc;
}

static const struct {
    const char *name;
    int arguments; /* at least */
    bool compare;
    int (*run)(struct tool *t, struct error *err);
} verbs[] = {
    {"restore", 2, false, run_stream},     {"compare", 2, true, run_stream},
    {"list", 1, false, run_list},          {"image", 4, false, run_image},
    {"image-compare", 4, true, run_image}, {"rebuild", 2, false, run_rebuild},
    {"digest", 1, false, run_digest},      {"cartridge", 3, false, run_cartridge},
};

int main(int argc, char **argv)
{
    struct tool t = {.options = {.keep_owner = true, .devices = true, .warning = warning}};
    struct error err = ERROR_INIT;
    int option, rc = -ERR_USAGE;

    while ((option = getopt(argc - 1, argv + 1, "b:on:")) != -1) {
        if (option == 'b')
            t.blocking = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'o')
            t.options.keep_owner = false;
        else if (option == 'n' && t.options.name_count < ARRAY_LENGTH(t.names))
            t.names[t.options.name_count++] = optarg;
        else
            return 2;
    }
    t.args = argv + 1 + optind;
    t.count = argc - 1 - optind;
    t.options.names = t.options.name_count ? t.names : NULL;
    t.options.volume = bring_volume;
    t.options.ctx = &t;
    error_set(&err, ERR_USAGE, "what to do? see the beginning of restore_tool.c");
    for (size_t i = 0; i < ARRAY_LENGTH(verbs) && argc > 1; i++) {
        if (strcmp(argv[1], verbs[i].name) != 0 || t.count < verbs[i].arguments)
            continue;
        t.options.compare = verbs[i].compare;
        rc = verbs[i].run(&t, &err);
    }
    tape_close(t.tape);
    if (rc)
        fprintf(stderr, "restore_tool: %s\n", err.message);
    return rc == 0 ? 0 : rc == -ERR_PARTIAL ? 3 : 1;
}
