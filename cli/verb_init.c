/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_init.c - `capstan init`: make a library.
 *
 * Everything is checked before anything is made.  capstan.conf is written last and at once, so a
 * directory with that file is a whole library.  If a step fails, what this run has made is removed
 * again; a directory that holds anything else is never touched.
 */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/catalog.h"
#include "cli/cli.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "vtl/control/control.h"
#include "vtl/control/models.h"

#define BARCODE_DIGITS 6 /* characters of an LTO barcode in front of its media type */

const struct cli_option verb_init_options[] = {
    {"library-model", "NAME", "what the changer says it is; 'capstan personality list' shows them"},
    {"drive-model", "NAME", "what the drives say they are; default: IBM-ULT3580-TD8"},
    {"name", "TEXT", "name of the library; default: capstan"},
    {"serial", "TEXT", "serial number of the changer, A-Z and 0-9; default: a random one"},
    {"drives", "N", "tape drives; default: 2"},
    {"slots", "N", "storage slots; default: 8, or what --library-model has"},
    {"import-export", "N", "import/export elements; default: 1, or what --library-model has"},
    {"portal", "LIST", "addresses to listen on; default: 127.0.0.1:3260; port 0: any free one"},
    {"target", "NAME", "iSCSI name of the target; default: made from the serial number"},
    {"cartridges", "N", "make that many cartridges in the first slots; default: none"},
    {"prefix", "TEXT", "beginning of their barcodes; default: CAP, for CAP001L8, CAP002L8 ..."},
    {"capacity", "SIZE", "their capacity; default: that of the drives' own kind: LTO-8, 12T"},
    {NULL, NULL, NULL},
};

/* The options that are keys of the configuration. */
static const struct {
    const char *option, *section, *key;
} settings[] = {
    {"library-model", "library", "model"},
    {"drive-model", "library", "drive_model"},
    {"name", "library", "name"},
    {"serial", "library", "serial"},
    {"drives", "library", "drives"},
    {"slots", "library", "slots"},
    {"import-export", "library", "import_export"},
    {"portal", "iscsi", "portals"},
    {"target", "iscsi", "target"},
};

struct init {
    const struct cli *cli;
    struct config *config;
    struct models models;
    const char *prefix;
    unsigned cartridges;
    uint64_t capacity; /* 0: the default */
};

/* ---- checking ---------------------------------------------------------------------------- */

static int random_serial(char serial[11], struct error *err)
{
    static const char letters[] = "0123456789ABCDEFGHJKLMNPQRSTUVWX";
    unsigned char bytes[7];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return error_errno(err, "the system gives no random numbers");
    memcpy(serial, "CAP", 3);
    for (size_t i = 0; i < sizeof(bytes); i++)
        serial[3 + i] = letters[bytes[i] & 31];
    serial[10] = '\0';
    return 0;
}

static int configure(struct init *init, struct error *err)
{
    char text[11], target[80];
    int rc = config_default(init->cli->root, &init->config, err);

    if (!rc)
        rc = random_serial(text, err);
    if (!rc)
        rc = config_set(init->config, "library", "serial", text, err);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]) && !rc; i++) {
        const char *value = cli_value(init->cli, settings[i].option);

        if (value && config_set(init->config, settings[i].section, settings[i].key, value, err))
            return error_set(err, ERR_USAGE, "--%s is not right: %s", settings[i].option,
                             err->message);
    }
    if (rc || init->config->target[0])
        return rc;
    snprintf(target, sizeof(target), "iqn.2026-11.capstan:library.%.10s", init->config->serial);
    for (char *p = target; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return config_set(init->config, "iscsi", "target", target, err);
}

/* The models, and what a library of this model has unless the user says otherwise. */
static int choose_models(struct init *init, struct error *err)
{
    int rc = models_load(init->config, &init->models, err);
    const struct personality *p = init->models.scsi.changer;

    if (rc)
        return error_set(err, rc == -ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_USAGE, "%s", err->message);
    if (!cli_value(init->cli, "library-model"))
        return 0;
    if (!cli_value(init->cli, "slots"))
        init->config->slots = p->slots;
    if (!cli_value(init->cli, "import-export"))
        init->config->import_export = p->import_export;
    return 0;
}

static int check_cartridges(struct init *init, struct error *err)
{
    const char *prefix = cli_value(init->cli, "prefix");
    unsigned most = 1;
    size_t len;
    int rc = cli_number(init->cli, "cartridges", 0, LIBRARY_SLOTS_MAX, &init->cartridges, err);

    if (!rc)
        rc = cli_size(init->cli, "capacity", &init->capacity, err);
    if (rc)
        return rc;
    init->prefix = prefix ? prefix : "CAP";
    len = strlen(init->prefix);
    if (len >= BARCODE_DIGITS ||
        init->prefix[strspn(init->prefix, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")])
        return error_set(err, ERR_USAGE,
                         "--prefix must be at most %d characters of A-Z and 0-9, not '%.40s'",
                         BARCODE_DIGITS - 1, init->prefix);
    for (size_t i = len; i < BARCODE_DIGITS; i++)
        most *= 10;
    if (init->cartridges >= most)
        return error_set(err, ERR_USAGE,
                         "--prefix %s leaves room for %u barcodes, not for %u; make it shorter",
                         init->prefix, most - 1, init->cartridges);
    if (init->cartridges > init->config->slots)
        return error_set(err, ERR_USAGE,
                         "%u cartridges do not fit into %u slots; give more --slots",
                         init->cartridges, init->config->slots);
    if (init->capacity && init->capacity < 1000000)
        return error_set(err, ERR_USAGE, "--capacity must be at least 1M");
    return 0;
}

/* ERR_EXISTS unless the root is missing or empty. */
static int check_empty(const char *root, struct error *err)
{
    struct dirent *entry;
    bool library = false, other = false;
    DIR *dir = opendir(root);

    if (!dir)
        return errno == ENOENT ? 0 : error_errno(err, "%s cannot be used", root);
    while ((entry = readdir(dir)) != NULL) {
        library = library || strcmp(entry->d_name, CONFIG_FILE_NAME) == 0;
        other = other || (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                          strcmp(entry->d_name, "lost+found") != 0);
    }
    closedir(dir);
    if (library)
        return error_set(err, ERR_EXISTS,
                         "%s is a library already; name another directory with --root", root);
    if (other)
        return error_set(err, ERR_EXISTS,
                         "%s is not empty; name an empty or a new directory with --root", root);
    return 0;
}

/* ---- making ------------------------------------------------------------------------------ */

static int make_directories(const char *root, struct error *err)
{
    CLEANUP_FREE char *path = strdup(root);

    if (!path)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left");
    for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return error_errno(err, "%s cannot be made", path);
        *slash = '/';
    }
    if (mkdir(root, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "%s cannot be made", root);
    if (chmod(root, 0700) < 0)
        return error_errno(err, "%s cannot be made private", root);
    return 0;
}

static int make_cartridges(struct init *init, struct library *library, struct error *err)
{
    struct control control = {.config = init->config, .library = library};
    int width = BARCODE_DIGITS - (int)strlen(init->prefix);
    int rc = 0;

    for (unsigned i = 1; i <= init->cartridges && !rc; i++) {
        char barcode[CARTRIDGE_BARCODE_MAX + 1];
        json_t *args, *result;

        snprintf(barcode, sizeof(barcode), "%s%0*u%s", init->prefix, width, i,
                 init->models.scsi.drives[0]->native->barcode);
        args = init->capacity
                   ? json_pack("{sssI}", "barcode", barcode, "capacity", (json_int_t)init->capacity)
                   : json_pack("{ss}", "barcode", barcode);
        rc = control_perform(&control, "cartridge.create", args, &result, err);
        json_decref(args);
        if (!rc)
            json_decref(result);
    }
    return rc;
}

static int make_library(struct init *init, struct error *err)
{
    struct library_geometry geometry;
    struct library *library;
    struct catalog *catalog;
    CLEANUP_FREE char *catalog_dir = NULL;
    int rc;

    config_geometry(init->config, &geometry);
    rc = library_create(init->cli->root, &geometry, err);
    if (!rc)
        rc = models_open_library(&init->models, init->config, &library, err);
    if (rc)
        return rc;
    rc = make_cartridges(init, library, err);
    library_close(library);
    if (!rc)
        rc = cli_path(init->cli, "catalog", &catalog_dir, err);
    if (!rc)
        rc = catalog_open(catalog_dir, true, &catalog, err);
    if (rc)
        return rc;
    catalog_close(catalog);
    return config_write(init->config, err);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    if (ftw->level > 0)
        remove(path);
    return 0;
}

/* check_empty() found nothing here, so everything is ours. */
static void remove_made(const char *root)
{
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    rmdir(root);
}

static int report(const struct init *init, struct error *err)
{
    const struct config *config = init->config;
    json_t *result;
    int rc;

    if (!init->cli->json) {
        printf("made the library %s: %u drives, %u slots, %u import/export, %u cartridges\n"
               "start it with: capstan --root %s serve\n",
               config->root, config->drives, config->slots, config->import_export, init->cartridges,
               config->root);
        return 0;
    }
    result = json_pack("{sssssisisisi}", "serial", config->serial, "target", config->target,
                       "drives", (int)config->drives, "slots", (int)config->slots, "import_export",
                       (int)config->import_export, "cartridges", (int)init->cartridges);
    rc = result ? json_set_bytes(result, "root", config->root, strlen(config->root), err)
                : error_set(err, ERR_NO_MEMORY, "there is no memory left");
    if (!rc)
        rc = cli_print_json(result, err);
    json_decref(result);
    return rc;
}

int verb_init(struct cli *cli, struct error *err)
{
    struct init init = {.cli = cli};
    int rc = configure(&init, err);

    if (!rc)
        rc = choose_models(&init, err);
    if (!rc)
        rc = check_cartridges(&init, err);
    if (!rc)
        rc = check_empty(cli->root, err);
    if (!rc)
        rc = make_directories(cli->root, err);
    if (!rc) {
        rc = make_library(&init, err);
        if (rc)
            remove_made(cli->root);
    }
    if (!rc)
        rc = report(&init, err);
    models_free(&init.models);
    config_free(init.config);
    return rc;
}
