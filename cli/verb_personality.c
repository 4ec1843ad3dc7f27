/* SPDX-License-Identifier: Apache-2.0 */
/* verb_personality.c - `capstan personality list`, `show`: what models there are. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "vtl/control/models.h"

const struct cli_option verb_personality_list_options[] = {
    {"drives", NULL, "drives only"},
    {"changers", NULL, "medium changers only"},
    {NULL, NULL, NULL},
};
const struct cli_option verb_personality_show_options[] = {{NULL, NULL, NULL}};

static const struct table_column columns[] = {
    {"NAME", "name", TABLE_TEXT},          {"TYPE", "type", TABLE_TEXT},
    {"VENDOR", "vendor", TABLE_TEXT},      {"PRODUCT", "product", TABLE_TEXT},
    {"REVISION", "revision", TABLE_TEXT},  {"FROM", "from", TABLE_TEXT},
    {"WHAT IT IS", "summary", TABLE_TEXT},
};

static int load(const struct cli *cli, struct personality_set **set, struct error *err)
{
    CLEANUP_FREE char *directory = NULL;
    int rc = cli_path(cli, MODELS_DIRECTORY, &directory, err);

    return rc ? rc : personality_set_load(directory, set, err);
}

static json_t *common_row(const struct personality *p)
{
    return json_pack("{sssssssssssssi}", "name", p->name, "type",
                     p->type == PERSONALITY_DRIVE ? "drive" : "changer", "vendor", p->vendor,
                     "product", p->product, "revision", p->revision, "from",
                     p->builtin ? "built in" : MODELS_DIRECTORY "/", "scsi_version",
                     (int)p->scsi_version);
}

/* ---- list -------------------------------------------------------------------------------- */

static int add_row(json_t *rows, const struct personality *p, struct error *err)
{
    json_t *row = common_row(p);

    if (!row || json_object_set_new(row, "summary", json_string(p->summary)) ||
        json_array_append_new(rows, row))
        return error_set(err, ERR_NO_MEMORY, "there is no memory left");
    return 0;
}

int verb_personality_list(struct cli *cli, struct error *err)
{
    bool drives = cli_flag(cli, "drives"), changers = cli_flag(cli, "changers");
    struct personality_set *set = NULL;
    const struct personality *p;
    json_t *rows;
    int rc = load(cli, &set, err);

    if (rc)
        return rc;
    rows = json_array();
    for (size_t i = 0; rc == 0 && (p = personality_set_at(set, i)) != NULL; i++) {
        if (drives == changers || drives == (p->type == PERSONALITY_DRIVE))
            rc = add_row(rows, p, err);
    }
    if (rc == 0)
        rc = cli_print_rows(cli, "personalities", rows, columns,
                            sizeof(columns) / sizeof(columns[0]), err);
    else
        json_decref(rows);
    personality_set_free(set);
    return rc;
}

/* ---- show -------------------------------------------------------------------------------- */

static void add_drive(json_t *row, const struct personality *p)
{
    json_t *media = json_array();

    for (unsigned i = 0; i < p->media_count; i++) {
        const struct medium *m = p->media[i];
        bool native = m == p->native;

        json_array_append_new(media, json_pack("{sssisbsbsssI}", "name", m->name, "density",
                                               (int)m->density, "writable", p->writable[i],
                                               "native", native, "barcode", m->barcode, "capacity",
                                               (json_int_t)m->capacity));
    }
    json_object_set_new(row, "media", media);
    json_object_set_new(row, "block_max", json_integer(p->block_max));
}

static const char *const element_names[] = {"", "transport", "slots", "import_export", "drives"};

static void add_changer(json_t *row, const struct personality *p)
{
    static const char *const dvcid[] = {"t10", "serial", "none"};
    json_t *elements = json_object();

    for (unsigned t = ELEMENT_TRANSPORT; t <= ELEMENT_DRIVE; t++)
        json_object_set_new(elements, element_names[t],
                            json_pack("{sisi}", "first", (int)p->elements[t].first, "max",
                                      (int)p->elements[t].max));
    json_object_set_new(row, "elements", elements);
    json_object_set_new(row, "dvcid", json_string(dvcid[p->dvcid]));
    json_object_set_new(row, "barcode_length", json_integer(p->barcode_length));
    json_object_set_new(row, "default_slots", json_integer(p->slots));
    json_object_set_new(row, "default_import_export", json_integer(p->import_export));
}

static void add_pages(json_t *row, const struct personality *p)
{
    json_t *versions = json_array(), *pages = json_array();

    for (unsigned i = 0; i < PERSONALITY_VERSIONS_MAX && p->versions[i]; i++)
        json_array_append_new(versions, json_integer(p->versions[i]));
    for (unsigned i = 0; i < p->vpd_count; i++)
        json_array_append_new(pages, json_integer(p->vpd[i].code));
    json_object_set_new(row, "version_descriptors", versions);
    json_object_set_new(row, "vendor_pages", pages);
    json_object_set_new(row, "serial", json_string(p->serial));
}

static void print_text(const struct personality *p)
{
    printf("%s: %s\n"
           "  says it is   %s %s, revision %s\n"
           "  serial       %s\n",
           p->name, p->summary, p->vendor, p->product, p->revision, p->serial);
    for (unsigned i = 0; i < p->media_count; i++)
        printf("  %s %s (density %02xh, barcodes ...%s)%s\n",
               p->writable[i] ? "writes      " : "reads       ", p->media[i]->name,
               p->media[i]->density, p->media[i]->barcode,
               p->media[i] == p->native ? ", its own kind" : "");
    if (p->type == PERSONALITY_DRIVE)
        printf("  blocks up to %u bytes\n", p->block_max);
    for (unsigned t = ELEMENT_TRANSPORT; p->type == PERSONALITY_CHANGER && t <= ELEMENT_DRIVE; t++)
        printf("  %-12s from address %u on, room for %u\n", element_names[t], p->elements[t].first,
               p->elements[t].max);
    if (p->type == PERSONALITY_CHANGER)
        printf("  barcodes     up to %u characters\n", p->barcode_length);
    for (unsigned i = 0; i < p->vpd_count; i++)
        printf("  VPD page     %02xh, %u bytes\n", p->vpd[i].code, p->vpd[i].length);
}

int verb_personality_show(struct cli *cli, struct error *err)
{
    struct personality_set *set = NULL;
    const struct personality *p = NULL;
    json_t *row;
    int rc = load(cli, &set, err);

    if (rc == 0)
        rc = personality_find(set, PERSONALITY_ANY, cli->operands[0], &p, err);
    if (rc == 0 && !cli->json)
        print_text(p);
    if (rc == 0 && cli->json) {
        row = common_row(p);
        json_object_set_new(row, "summary", json_string(p->summary));
        add_pages(row, p);
        if (p->type == PERSONALITY_DRIVE)
            add_drive(row, p);
        else
            add_changer(row, p);
        rc = cli_print_json(row, err);
        json_decref(row);
    }
    personality_set_free(set);
    return rc;
}
