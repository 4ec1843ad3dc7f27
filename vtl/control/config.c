/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - see config.h: the table of keys, and reading the file against it. */
#include "vtl/control/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "common/ini_text.h"
#include "vtl/control/config_text.h"
#include "vtl/control/config_view.h"
#include "vtl/personality/personality.h"

/* ---- what the drives compress with ------------------------------------------------------- */

static const struct {
    const char *name;
    enum cartridge_compression method;
} compressions[] = {
    {"lz4", CARTRIDGE_LZ4},
    {"zstd", CARTRIDGE_ZSTD},
    {"none", CARTRIDGE_PLAIN},
};

static const char *compression_refusal(const char *value)
{
    for (size_t i = 0; i < sizeof(compressions) / sizeof(compressions[0]); i++) {
        if (strcmp(value, compressions[i].name) == 0)
            return NULL;
    }
    return "it must be lz4, zstd or none";
}

enum cartridge_compression config_compression(const struct config *config)
{
    for (size_t i = 0; i < sizeof(compressions) / sizeof(compressions[0]); i++) {
        if (strcmp(config->compression, compressions[i].name) == 0)
            return compressions[i].method;
    }
    return CARTRIDGE_LZ4;
}

/* ---- the table --------------------------------------------------------------------------- */

#define AT(member) offsetof(struct config, member)

static const struct config_key keys[] = {
    {"library", "name", CONFIG_TEXT, 1, 64, "capstan", "what status calls the library", NULL,
     AT(name)},
    {"library", "serial", CONFIG_TEXT, 4, 10, NULL,
     "serial number of the changer; those of the drives are derived from it", config_serial_refusal,
     AT(serial)},
    {"library", "drives", CONFIG_NUMBER, 1, LIBRARY_DRIVES_MAX, "2", "number of tape drives", NULL,
     AT(drives)},
    {"library", "slots", CONFIG_NUMBER, 1, LIBRARY_SLOTS_MAX, "8", "number of storage slots", NULL,
     AT(slots)},
    {"library", "import_export", CONFIG_NUMBER, 0, LIBRARY_IMPORT_EXPORT_MAX, "1",
     "number of import/export elements", NULL, AT(import_export)},
    {"library", "model", CONFIG_TEXT, 1, 32, PERSONALITY_DEFAULT_CHANGER,
     "what model the medium changer says it is; 'capstan personality list' shows them",
     config_model_refusal, AT(library_model)},
    {"library", "drive_model", CONFIG_TEXT, 1, 32, PERSONALITY_DEFAULT_DRIVE,
     "the same of the drives", config_model_refusal, AT(drive_model)},
    {"library", "drive_models", CONFIG_LIST, 0, CONFIG_LIST_MAX, "",
     "the same of some drives: 2=MODEL or 2-3=MODEL, drives are numbered from 0",
     config_drive_model_refusal, AT(drive_models)},
    {"library", "compression", CONFIG_TEXT, 1, 8, "lz4",
     "what the drives compress with, unless a host turns it off: lz4, zstd or none",
     compression_refusal, AT(compression)},
    {"library", "test_disk", CONFIG_NUMBER, 0, SCSI_DISK_MIB_MAX, "0",
     "MiB of a disk in memory behind the drives, for test tools; 0: none", NULL, AT(test_disk)},
    {"iscsi", "target", CONFIG_TEXT, 5, ISCSI_NAME_MAX, NULL, "name of the iSCSI target",
     config_iscsi_name_refusal, AT(target)},
    {"iscsi", "portals", CONFIG_LIST, 1, ISCSI_PORTALS_MAX, "127.0.0.1:3260",
     "addresses and ports to listen on; port 0 is any free one; 2=ADDRESS:PORT is in portal group "
     "2",
     config_grouped_portal_refusal, AT(portals)},
    {"iscsi", "initiators", CONFIG_LIST, 0, ISCSI_ACL_MAX, "",
     "names of the initiators that are let in; a final * is a prefix; none: all",
     config_initiator_refusal, AT(initiators)},
    {"iscsi", "views", CONFIG_LIST, 0, ISCSI_VIEWS_MAX, "",
     "what some initiators see: NAME=changer+drive:1, NAME*=0@drive:2-3; the first that fits; all",
     config_view_refusal, AT(views)},
    {"iscsi", "redirect", CONFIG_TEXT, 0, 255, "",
     "where the target has moved for now: logins are sent on to this address and port; none: it is "
     "here",
     config_redirect_refusal, AT(redirect)},
    {"iscsi", "initiator", CONFIG_TEXT, 0, ISCSI_NAME_MAX, "",
     "name that dump and restore give themselves; none: made from host and process",
     config_iscsi_name_refusal, AT(initiator)},
    {"chap", "user", CONFIG_TEXT, 0, 255, "",
     "name that initiators must prove by CHAP; none: no CHAP", NULL, AT(user)},
    {"chap", "secret_file", CONFIG_TEXT, 0, 255, "",
     "file with the secret of user, readable by its owner only", NULL, AT(secret_file)},
    {"chap", "mutual_user", CONFIG_TEXT, 0, 255, "",
     "name by which the target proves itself to initiators; none: it need not", NULL,
     AT(mutual_user)},
    {"chap", "mutual_secret_file", CONFIG_TEXT, 0, 255, "",
     "file with the secret of mutual_user, another one than that of user", NULL,
     AT(mutual_secret_file)},
    {"chap", "discovery", CONFIG_BOOL, 0, 1, "no", "yes: discovery asks for CHAP too", NULL,
     AT(discovery)},
};

const struct config_key *config_keys(size_t *count)
{
    *count = ARRAY_LENGTH(keys);
    return keys;
}

static const struct config_key *key_find(const char *section, const char *name, bool *section_known)
{
    *section_known = false;
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        if (strcmp(keys[i].section, section) != 0)
            continue;
        *section_known = true;
        if (strcmp(keys[i].key, name) == 0)
            return &keys[i];
    }
    return NULL;
}

static void *key_place(struct config *config, const struct config_key *key)
{
    return (char *)config + key->offset;
}

/* ---- one value --------------------------------------------------------------------------- */

static int set_text(struct config *config, const struct config_key *key, const char *value,
                    struct error *err)
{
    const char *why = key->refusal ? key->refusal(value) : NULL;
    size_t len = strlen(value);

    if (len < key->min || len > key->max)
        return error_set(err, ERR_RANGE, "[%s] %s must have %u to %u characters, not %zu",
                         key->section, key->key, key->min, key->max, len);
    if (why)
        return error_set(err, ERR_RANGE, "[%s] %s = %.64s: %s", key->section, key->key, value, why);
    memcpy(key_place(config, key), value, len + 1);
    return 0;
}

static int set_number(struct config *config, const struct config_key *key, const char *value,
                      struct error *err)
{
    unsigned *place = key_place(config, key);
    unsigned long n;
    char *end;

    errno = 0;
    n = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || errno || n < key->min || n > key->max)
        return error_set(err, ERR_RANGE, "[%s] %s = %.64s: it must be a number from %u to %u",
                         key->section, key->key, value, key->min, key->max);
    *place = (unsigned)n;
    return 0;
}

static int set_bool(struct config *config, const struct config_key *key, const char *value,
                    struct error *err)
{
    bool *place = key_place(config, key);

    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return error_set(err, ERR_RANGE, "[%s] %s = %.64s: it must be yes or no", key->section,
                         key->key, value);
    *place = value[0] == 'y';
    return 0;
}

static void list_clear(struct config_list *list)
{
    for (unsigned i = 0; i < list->count; i++)
        free(list->item[i]);
    list->count = 0;
}

static int list_add(struct config_list *list, const struct config_key *key, char *item,
                    struct error *err)
{
    const char *why = key->refusal ? key->refusal(item) : NULL;

    if (why)
        return error_set(err, ERR_RANGE, "[%s] %s: %.64s: %s", key->section, key->key, item, why);
    if (list->count >= key->max)
        return error_set(err, ERR_RANGE, "[%s] %s: there may be at most %u of them", key->section,
                         key->key, key->max);
    list->item[list->count] = strdup(item);
    if (!list->item[list->count])
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for [%s] %s", key->section,
                         key->key);
    list->count++;
    return 0;
}

/* Add the items of value, separated by commas or blanks, to the list. */
static int set_list(struct config *config, const struct config_key *key, const char *value,
                    struct error *err)
{
    CLEANUP_FREE char *copy = strdup(value);
    struct config_list *list = key_place(config, key);
    char *rest = NULL;

    if (!copy)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for [%s] %s", key->section,
                         key->key);
    for (char *item = strtok_r(copy, ", \t", &rest); item; item = strtok_r(NULL, ", \t", &rest)) {
        int rc = list_add(list, key, item, err);

        if (rc)
            return rc;
    }
    if (list->count < key->min)
        return error_set(err, ERR_RANGE, "[%s] %s needs at least %u of them", key->section,
                         key->key, key->min);
    return 0;
}

static int key_set(struct config *config, const struct config_key *key, const char *value,
                   struct error *err)
{
    static int (*const setters[])(struct config *, const struct config_key *, const char *,
                                  struct error *) = {
        [CONFIG_TEXT] = set_text,
        [CONFIG_NUMBER] = set_number,
        [CONFIG_BOOL] = set_bool,
        [CONFIG_LIST] = set_list,
    };

    return setters[key->kind](config, key, value, err);
}

static bool same_list(const struct config_list *a, const struct config_list *b)
{
    bool same = a->count == b->count;

    for (unsigned i = 0; same && i < a->count; i++)
        same = strcmp(a->item[i], b->item[i]) == 0;
    return same;
}

bool config_same(const struct config *a, const struct config *b, const struct config_key *key)
{
    const void *one = (const char *)a + key->offset, *two = (const char *)b + key->offset;

    switch (key->kind) {
    case CONFIG_TEXT:
        return strcmp(one, two) == 0;
    case CONFIG_NUMBER:
        return *(const unsigned *)one == *(const unsigned *)two;
    case CONFIG_BOOL:
        return *(const bool *)one == *(const bool *)two;
    case CONFIG_LIST:
        return same_list(one, two);
    }
    return false;
}

int config_set(struct config *config, const char *section, const char *name, const char *value,
               struct error *err)
{
    bool known;
    const struct config_key *key = key_find(section, name, &known);

    if (!key)
        return error_set(err, ERR_INTERNAL, "there is no key [%s] %s", section, name);
    if (value[strcspn(value, "\r\n")])
        return error_set(err, ERR_RANGE, "[%s] %s must not hold a line break", section, name);
    if (key->kind == CONFIG_LIST)
        list_clear(key_place(config, key));
    return key_set(config, key, value, err);
}

/* ---- reading the file -------------------------------------------------------------------- */

struct reading {
    struct ini_text text;
    struct config *config;
    bool seen[ARRAY_LENGTH(keys)];
};

static int reading_key(void *ctx, const char *section, const char *name, const char *value)
{
    struct reading *r = ctx;
    bool section_known, again;
    const struct config_key *key = key_find(section, name, &section_known);
    struct error why = ERROR_INIT;
    char text[256];

    if (!key) {
        snprintf(text, sizeof(text),
                 section_known ? "[%.60s] has no key '%.60s'; see capstan.conf(5)"
                               : "there is no section [%.60s] (key '%.60s'); see capstan.conf(5)",
                 section, name);
        return ini_text_fail(&r->text, text);
    }
    again = r->seen[key - keys];
    r->seen[key - keys] = true;
    if (again && !(r->text.continued && key->kind == CONFIG_LIST)) {
        snprintf(text, sizeof(text), "[%s] %s stands here a second time", section, name);
        return ini_text_fail(&r->text, text);
    }
    if (!again && key->kind == CONFIG_LIST)
        list_clear(key_place(r->config, key));
    if (key_set(r->config, key, value, &why))
        return ini_text_fail(&r->text, why.message);
    return 1;
}

/* The views as iscsid wants them: the table of keys has checked each. */
static int parse_views(struct config *config, struct error *err)
{
    size_t len;

    config->parsed = calloc(config->views.count + 1, sizeof(*config->parsed));
    if (!config->parsed)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for [iscsi] views");
    for (unsigned i = 0; i < config->views.count; i++) {
        struct iscsid_view *v = &config->parsed[i];

        const char *why = config_view_parse(config->views.item[i], config->drives, &len, &v->luns);

        if (!why)
            v->initiator = strndup(config->views.item[i], len);
        if (!v->initiator)
            return why ? error_set(err, ERR_FORMAT, "%s: [iscsi] views: %.64s: %s", config->path,
                                   config->views.item[i], why)
                       : error_set(err, ERR_NO_MEMORY, "there is no memory left for a view");
        config->parsed_count++;
    }
    return 0;
}

static int check_required(struct reading *r)
{
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        if (!keys[i].fallback && !r->seen[i])
            return error_set(r->text.err, ERR_FORMAT, "%s: [%s] %s is missing: %s", r->text.path,
                             keys[i].section, keys[i].key, keys[i].help);
    return 0;
}

int config_read(FILE *stream, const char *path, const char *root, struct config **out,
                struct error *err)
{
    struct reading r = {
        .text = {.stream = stream,
                 .path = path,
                 .limit = CONFIG_FILE_MAX,
                 .too_large = "the file is larger than 1 MiB, this is no configuration",
                 .err = err},
    };
    int rc = config_default(root, &r.config, err);

    if (rc)
        return rc;
    rc = ini_text_parse(&r.text, reading_key, &r);
    if (!rc)
        rc = check_required(&r);
    if (!rc) {
        free(r.config->path);
        r.config->path = strdup(path);
        if (!r.config->path)
            rc = error_set(err, ERR_NO_MEMORY, "there is no memory left for the configuration");
    }
    if (!rc)
        rc = parse_views(r.config, err);
    if (rc)
        config_free(r.config);
    else
        *out = r.config;
    return rc;
}

int config_load(const char *root, struct config **out, struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    CLEANUP_FILE FILE *stream = NULL;
    CLEANUP_CLOSE int fd = -1;
    struct stat st;

    if (asprintf(&path, "%s/%s", root, CONFIG_FILE_NAME) < 0) {
        path = NULL;
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for the configuration");
    }
    /* O_NONBLOCK: a FIFO in its place must not stop us here. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return error_set(err, ERR_NOT_FOUND,
                         "%s is no library: it has no %s; make one with 'capstan init', or name"
                         " another one with --root",
                         root, CONFIG_FILE_NAME);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, "%s cannot be opened", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERR_FORMAT, "%s is not a regular file", path);
    stream = fdopen(fd, "r");
    if (!stream)
        return error_errno(err, "%s cannot be read", path);
    fd = -1;
    return config_read(stream, path, root, out, err);
}

int config_default(const char *root, struct config **out, struct error *err)
{
    struct config *config = calloc(1, sizeof(*config));
    int rc = 0;

    if (!config || !(config->root = strdup(root))) {
        free(config);
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for the configuration");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(keys) && !rc; i++)
        if (keys[i].fallback)
            rc = key_set(config, &keys[i], keys[i].fallback, err);
    if (rc)
        config_free(config);
    else
        *out = config;
    return rc;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    list_clear(&config->drive_models);
    list_clear(&config->portals);
    list_clear(&config->initiators);
    list_clear(&config->views);
    for (unsigned i = 0; i < config->parsed_count; i++)
        free((char *)(uintptr_t)config->parsed[i].initiator);
    free(config->parsed);
    free(config->root);
    free(config->path);
    explicit_bzero(config->secret, sizeof(config->secret));
    explicit_bzero(config->mutual_secret, sizeof(config->mutual_secret));
    free(config);
}

/* ---- for those who use it ---------------------------------------------------------------- */

const char *config_portal(const struct config *config, unsigned n, uint16_t *group)
{
    unsigned tag;
    const char *address = config_portal_parts(config->portals.item[n], &tag);

    *group = (uint16_t)tag;
    return address;
}

void config_geometry(const struct config *config, struct library_geometry *out)
{
    *out = (struct library_geometry){
        .drives = config->drives, .slots = config->slots, .import_export = config->import_export};
    snprintf(out->serial, sizeof(out->serial), "%.10s", config->serial);
}

void config_iscsi_options(const struct config *config, struct iscsid_options *out)
{
    *out = (struct iscsid_options){.target_name = config->target, .target_alias = config->name};
    for (unsigned i = 0; i < config->portals.count; i++)
        out->portals[i] = config_portal(config, i, &out->portal_groups[i]);
    out->portal_count = config->portals.count;
    for (unsigned i = 0; i < config->initiators.count; i++)
        out->initiators[out->initiator_count++] = config->initiators.item[i];
    out->views = config->parsed;
    out->view_count = config->parsed_count;
    if (config->redirect[0])
        out->redirect = config->redirect;
    if (config->user[0]) {
        out->chap.user = config->user;
        out->chap.secret = config->secret;
    }
    if (config->mutual_user[0]) {
        out->chap.mutual_user = config->mutual_user;
        out->chap.mutual_secret = config->mutual_secret;
    }
    if (config->discovery)
        out->discovery_chap = out->chap;
}
