/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump_tool.c - the engine without daemon, library and robot, for interoperability tests.
 *
 *   dump_tool [-b BLOCKING] [-r READERS] [-x] [-c CATALOG] PATH URL...
 *
 * Dumps PATH to the first URL and goes on with the next ones when a cartridge is full.  Prints the
 * warnings and one line of JSON; exits as the program does: 0, 3 with warnings, 1 on failure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "catalog/catalog.h"
#include "engine/dump/dump.h"
#include "engine/tape/layer.h"

struct magazine {
    char **urls;
    int count;
    struct tape *tape, *inner;
};

static int open_volume(struct magazine *m, unsigned volume, char barcode[40], struct error *err)
{
    struct tape_info info;
    struct tape *next;
    int rc;

    if (volume > (unsigned)m->count)
        return error_set(err, ERR_OPERATOR, "no cartridge is left");
    tape_close(m->inner);
    m->inner = NULL;
    rc = tape_open(m->urls[volume - 1], TAPE_WRITE, NULL, &next, err);
    if (rc)
        return rc;
    m->inner = next;
    if (m->tape)
        tape_magazine_set(m->tape, next);
    rc = tape_load(next, err);
    if (!rc)
        rc = tape_get_info(next, &info, err);
    if (!rc)
        rc = tape_rewind(next, err);
    if (!rc)
        snprintf(barcode, 40, "%s", info.barcode);
    return rc;
}

static int next_volume(void *ctx, unsigned volume, char barcode[40], struct error *err)
{
    return open_volume(ctx, volume, barcode, err);
}

static void warning(void *ctx, const char *path, const char *message)
{
    char shown[8192];

    (void)ctx;
    error_escape(shown, sizeof(shown), path, strlen(path));
    fprintf(stderr, "%s: %s\n", shown, message);
}

static int run(struct dump_options *options, struct magazine *m, const char *catalog,
               struct error *err)
{
    struct dump_result result = {0};
    struct catalog *cat = NULL;
    char barcode[40] = "";
    int rc = open_volume(m, 1, barcode, err);

    if (!rc)
        rc = tape_magazine_open(m->inner, &m->tape, err);
    if (!rc && catalog)
        rc = catalog_open(catalog, true, &cat, err);
    if (!rc)
        rc = dump_run(options, m->tape, barcode, cat, &result, err);
    if (rc == 0 || rc == -ERR_PARTIAL)
        printf("{\"uuid\": \"%s\", \"files\": %llu, \"directories\": %llu, \"bytes\": %llu, "
               "\"blocks\": %llu, \"volumes\": %zu, \"warnings\": %llu, \"seconds\": %.3f}\n",
               result.image.uuid, (unsigned long long)result.image.files,
               (unsigned long long)result.image.directories, (unsigned long long)result.image.bytes,
               (unsigned long long)result.image.stream_blocks, result.part_count,
               (unsigned long long)result.image.warnings, result.seconds);
    free(result.parts);
    catalog_close(cat);
    return rc;
}

int main(int argc, char **argv)
{
    struct dump_options options = {
        .blocking = DUMP_BLOCKING_DEFAULT, .warning = warning, .next_volume = next_volume};
    struct magazine m = {0};
    struct error err = ERROR_INIT;
    const char *catalog = NULL;
    int option, rc;

    while ((option = getopt(argc, argv, "b:r:xc:")) != -1) {
        switch (option) {
        case 'b':
            options.blocking = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'r':
            options.readers = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'x':
            options.one_file_system = true;
            break;
        case 'c':
            catalog = optarg;
            break;
        default:
            return 2;
        }
    }
    if (argc - optind < 2) {
        fprintf(stderr, "dump_tool [-b BLOCKING] [-r READERS] [-x] [-c CATALOG] PATH URL...\n");
        return 2;
    }
    options.path = argv[optind];
    m.urls = argv + optind + 1;
    m.count = argc - optind - 1;
    options.ctx = &m;
    rc = run(&options, &m, catalog, &err);
    tape_close(m.tape);
    tape_close(m.inner);
    if (rc)
        fprintf(stderr, "dump_tool: %s\n", err.message);
    return rc == 0 ? 0 : rc == -ERR_PARTIAL ? 3 : 1;
}
