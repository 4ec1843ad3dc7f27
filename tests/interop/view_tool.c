/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view_tool.c - what the tests of the view need besides dump_tool:
 *
 *   view_tool create DIR BARCODE MEGABYTES   an empty cartridge in the directory DIR
 *   view_tool append ROOT BARCODE PATH       dump PATH to the end of the data of a cartridge
 *   view_tool mount ROOT MOUNTPOINT          serve ROOT/catalog and ROOT/cartridges
 *   view_tool daemon ROOT MOUNTPOINT         the same in the background
 *   view_tool hold DIR                       write to the end of a cartridge, print "held", hold
 *                                            its writer's lock until standard input ends
 *   view_tool erase DIR                      end the data of a cartridge at its beginning
 *   view_tool pread FILE OTHER SEED          the same bytes at 2000 random places of both files
 *   view_tool holes FILE                     where data begins and ends, as lseek(2) says
 *   view_tool images ROOT FIRST COUNT        images in the catalog, each of one file, one a minute
 *                                            (counted from the 14th of November 2023; 2^32-1: -1),
 *                                            on ten cartridges in turn that are not there
 *   view_tool list DIR COMMAND               names in a directory; when it has read some of them it
 *                                            runs the command, and at the end reads all again
 *   view_tool check CATALOG                  catalog_check()
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/catalog.h"
#include "engine/dump/dump.h"
#include "fuse/view.h"
#include "vtl/cartridge/cartridge.h"

static int create(char **args, struct error *err)
{
    struct cartridge_identity identity;
    struct store *store = NULL;
    int rc = cartridge_identity_default(&identity, args[1], 0x5e, err);

    if (rc == 0)
        rc = store_directory_open(args[0], true, &store, err);
    if (rc == 0) {
        identity.capacity = strtoull(args[2], NULL, 10) << 20;
        identity.early_warning = 1 << 20;
        identity.segment_size = 16 << 20;
        rc = cartridge_create(store, &identity, err);
    }
    store_close(store);
    return rc;
}

static int append_to(struct tape *tape, const char *root, const char *barcode, const char *path,
                     struct error *err)
{
    struct dump_options options = {.path = path, .blocking = 16};
    struct dump_result result = {.parts = NULL};
    struct catalog *cat = NULL;
    char dir[4096];
    int rc;

    snprintf(dir, sizeof(dir), "%s/catalog", root);
    rc = catalog_open(dir, true, &cat, err);
    if (rc == 0)
        rc = tape_load(tape, err);
    if (rc == 0)
        rc = tape_space_end(tape, err);
    if (rc == 0)
        rc = dump_run(&options, tape, barcode, cat, &result, err);
    free(result.parts);
    catalog_close(cat);
    return rc;
}

static int append(char **args, struct error *err)
{
    struct tape *tape = NULL;
    char url[4096];
    int rc;

    snprintf(url, sizeof(url), "cartridge:%s/cartridges/%s", args[0], args[1]);
    rc = tape_open(url, TAPE_WRITE, NULL, &tape, err);
    if (rc == 0)
        rc = append_to(tape, args[0], args[1], args[2], err);
    tape_close(tape);
    return rc;
}

static int serve(char **args, bool foreground, struct error *err)
{
    char catalog[4096];
    struct view_options options = {.catalog_dir = catalog,
                                   .library_root = args[0],
                                   .mountpoint = args[1],
                                   .foreground = foreground};

    snprintf(catalog, sizeof(catalog), "%s/catalog", args[0]);
    return view_run(&options, err);
}

static int mount_view(char **args, struct error *err)
{
    return serve(args, true, err);
}

static int daemon_view(char **args, struct error *err)
{
    return serve(args, false, err);
}

static int with_writer(const char *dir, int (*work)(struct cartridge *c, struct error *err),
                       struct error *err)
{
    struct store *store = NULL;
    struct cartridge *c = NULL;
    int rc = store_directory_open(dir, false, &store, err);

    if (rc == 0)
        rc = cartridge_open(store, CARTRIDGE_READ_WRITE, &c, err);
    if (rc == 0)
        rc = work(c, err);
    cartridge_close(c);
    store_close(store);
    return rc;
}

static int hold_work(struct cartridge *c, struct error *err)
{
    static char block[262144];
    int rc;

    memset(block, 'h', sizeof(block));
    cartridge_locate_end(c);
    for (int i = 0; i < 8; i++) {
        rc = cartridge_write(c, block, sizeof(block), NULL, err);
        if (rc != 0)
            return rc;
    }
    puts("held");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}

static int hold(char **args, struct error *err)
{
    return with_writer(args[0], hold_work, err);
}

static int erase_work(struct cartridge *c, struct error *err)
{
    cartridge_rewind(c);
    return cartridge_erase(c, err);
}

static int erase(char **args, struct error *err)
{
    return with_writer(args[0], erase_work, err);
}

static int compare_places(int a, int b, unsigned seed, struct error *err)
{
    static char x[300000], y[300000];
    struct stat st;

    if (fstat(b, &st) < 0 || st.st_size == 0)
        return error_errno(err, "Cannot look at the file");
    for (int i = 0; i < 2000; i++) {
        size_t len;
        off_t at;
        ssize_t got;

        seed = seed * 1103515245 + 12345;
        len = i % 10 == 0 ? seed % sizeof(x) : seed % 5000;
        seed = seed * 1103515245 + 12345;
        at = (off_t)(((uint64_t)seed << 12 ^ seed >> 3) % (uint64_t)st.st_size);
        got = pread(a, x, len, at);
        if (got < 0 || got != pread(b, y, len, at) || memcmp(x, y, (size_t)got) != 0)
            return error_set(err, ERR_CORRUPT, "%zu bytes at %lld differ", len, (long long)at);
    }
    return 0;
}

static int pread_files(char **args, struct error *err)
{
    int a = open(args[0], O_RDONLY), b = open(args[1], O_RDONLY);
    int rc;

    if (a < 0 || b < 0)
        return error_errno(err, "Cannot open %s and %s", args[0], args[1]);
    rc = compare_places(a, b, (unsigned)strtoul(args[2], NULL, 10), err);
    close(a);
    close(b);
    return rc;
}

static int holes(char **args, struct error *err)
{
    int fd = open(args[0], O_RDONLY);
    off_t data, hole = 0;

    if (fd < 0)
        return error_errno(err, "Cannot open %s", args[0]);
    while ((data = lseek(fd, hole, SEEK_DATA)) >= 0 && (hole = lseek(fd, data, SEEK_HOLE)) >= 0)
        printf("%lld-%lld\n", (long long)data, (long long)hole);
    close(fd);
    return errno == ENXIO ? 0 : error_errno(err, "Cannot seek in %s", args[0]);
}

/* An image of a root with a file in it. */
static int image_index(struct catalog_writer *w, struct error *err)
{
    const struct catalog_inode root = {.ino = 2, .mode = S_IFDIR | 0755, .nlink = 2};
    const struct catalog_inode file = {.ino = 3, .mode = S_IFREG | 0644, .nlink = 1, .size = 5};
    int rc = catalog_writer_entry(w, 2, "file", 4, 3, err);

    if (rc == 0)
        rc = catalog_writer_inode(w, &root, err);
    if (rc == 0)
        rc = catalog_writer_inode(w, &file, err);
    return rc;
}

static int image_add(struct catalog *cat, unsigned number, struct error *err)
{
    struct catalog_image image = {.host = "host",
                                  .path = "/srv",
                                  .label = "none",
                                  .date_ns =
                                      (1700000000 + (int64_t)(int32_t)number * 60) * 1000000000,
                                  .blocking = 16,
                                  .files = 1,
                                  .directories = 1,
                                  .stream_blocks = 16,
                                  .state = CATALOG_COMPLETE};
    struct catalog_part part = {.volume = 1, .first_block = number * 2, .stream_blocks = 16};
    struct catalog_writer *w = NULL;
    int rc;

    image.ended_ns = image.date_ns;
    snprintf(image.uuid, sizeof(image.uuid), "%08x-0000-4000-8000-000000000000", number);
    snprintf(part.barcode, sizeof(part.barcode), "MANY%02uL8", number % 10);
    rc = catalog_writer_begin(cat, image.uuid, &w, err);
    if (rc == 0)
        rc = image_index(w, err);
    if (rc == 0)
        return catalog_writer_commit(w, &image, &part, 1, err);
    catalog_writer_abort(w);
    return rc;
}

static int images(char **args, struct error *err)
{
    unsigned first = (unsigned)strtoul(args[1], NULL, 10), count;
    struct catalog *cat = NULL;
    char dir[4096];
    int rc;

    count = (unsigned)strtoul(args[2], NULL, 10);
    snprintf(dir, sizeof(dir), "%s/catalog", args[0]);
    rc = catalog_open(dir, true, &cat, err);
    for (unsigned i = 0; rc == 0 && i < count; i++)
        rc = image_add(cat, first + i, err);
    catalog_close(cat);
    return rc;
}

static void list_names(DIR *dir, int count)
{
    struct dirent *entry;

    while (count-- != 0 && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            puts(entry->d_name);
}

static int list(char **args, struct error *err)
{
    DIR *dir = opendir(args[0]);

    if (!dir)
        return error_errno(err, "Cannot open %s", args[0]);
    list_names(dir, 4);
    fflush(stdout);
    if (system(args[1]) != 0) {
        closedir(dir);
        return error_set(err, ERR_STATE, "%s failed", args[1]);
    }
    list_names(dir, -1);
    puts("again");
    rewinddir(dir);
    list_names(dir, -1);
    closedir(dir);
    return 0;
}

static int check(char **args, struct error *err)
{
    struct catalog *cat = NULL;
    int rc = catalog_open(args[0], false, &cat, err);

    if (rc == 0)
        rc = catalog_check(cat, err);
    catalog_close(cat);
    return rc;
}

static const struct {
    const char *name;
    int args;
    int (*run)(char **args, struct error *err);
} verbs[] = {
    {"create", 3, create},      {"append", 3, append}, {"mount", 2, mount_view},
    {"daemon", 2, daemon_view}, {"hold", 1, hold},     {"erase", 1, erase},
    {"pread", 3, pread_files},  {"check", 1, check},   {"holes", 1, holes},
    {"images", 3, images},      {"list", 2, list},
};

int main(int argc, char **argv)
{
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (argc >= 2 && strcmp(argv[1], verbs[i].name) == 0 && argc - 2 == verbs[i].args) {
            int rc = verbs[i].run(argv + 2, &err);

            if (rc != 0)
                fprintf(stderr, "view_tool: %s\n", err.message);
            return rc == 0 ? 0 : rc == -ERR_UNSUPPORTED ? 77 : 1;
        }
    }
    fprintf(stderr, "view_tool: see the head of view_tool.c\n");
    return 2;
}
