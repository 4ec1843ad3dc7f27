/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_topology.c - `capstan drive`, `slot` and `library`, and what is done to cartridges by hand:
 * each is one operation of the library, asked for and answered in a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "common/checked.h"
#include "common/json.h"
#include "vtl/library/library.h"

#define NO_OPTIONS                                                                                 \
    {                                                                                              \
        {                                                                                          \
            NULL, NULL, NULL                                                                       \
        }                                                                                          \
    }

const struct cli_option verb_drive_list_options[] = NO_OPTIONS;
const struct cli_option verb_drive_add_options[] = NO_OPTIONS;
const struct cli_option verb_drive_remove_options[] = NO_OPTIONS;
const struct cli_option verb_drive_eject_options[] = NO_OPTIONS;
const struct cli_option verb_slot_list_options[] = NO_OPTIONS;
const struct cli_option verb_slot_add_options[] = {
    {"import-export", NULL, "import/export elements instead of slots"},
    {NULL, NULL, NULL},
};
const struct cli_option verb_slot_remove_options[] = {
    {"import-export", NULL, "import/export elements instead of slots"},
    {NULL, NULL, NULL},
};
const struct cli_option verb_slot_export_options[] = {
    {"place", "TEXT", "where it goes; default: outside of the library"},
    {NULL, NULL, NULL},
};
const struct cli_option verb_slot_import_options[] = {
    {"to", "PLACE", "the import/export element; default: the first that is empty"},
    {NULL, NULL, NULL},
};
const struct cli_option verb_library_show_options[] = NO_OPTIONS;
const struct cli_option verb_library_inventory_options[] = NO_OPTIONS;
const struct cli_option verb_cartridge_vault_options[] = NO_OPTIONS;
const struct cli_option verb_cartridge_unvault_options[] = {
    {"to", "PLACE", "put it there; default: the first empty slot"},
    {NULL, NULL, NULL},
};
const struct cli_option verb_cartridge_vaulted_options[] = NO_OPTIONS;
const struct cli_option verb_cartridge_protect_options[] = NO_OPTIONS;
const struct cli_option verb_cartridge_tag_options[] = {
    {"sequence", "N", "sequence number of the tag, to 65535; default: 0"},
    {"remove", NULL, "take the tag away"},
    {NULL, NULL, NULL},
};
const struct cli_option verb_cartridge_delete_options[] = {
    {"yes", NULL, "really: everything that is on it is lost"},
    {NULL, NULL, NULL},
};

/* ---- asking ------------------------------------------------------------------------------ */

/* Add a text of the command line; what is not UTF-8 is handed on as bytes. */
static void add_text(json_t *args, const char *key, const char *value)
{
    if (value)
        json_set_bytes(args, key, value, strlen(value), NULL);
}

/* Ask, and print what say() makes of the answer. */
static int ask(struct cli *cli, const char *op, json_t *args, void (*say)(const json_t *result),
               struct error *err)
{
    json_t *result = NULL;
    int rc = cli_perform(cli, op, args, &result, err);

    if (!rc && cli->json)
        rc = cli_print_json(result, err);
    else if (!rc)
        say(result);
    json_decref(result);
    return rc;
}

/* The operand as a number; *out is left alone if there is none. */
static int operand_number(const struct cli *cli, unsigned i, unsigned min, unsigned max,
                          unsigned *out, struct error *err)
{
    const char *text = cli->operand_count > i ? cli->operands[i] : NULL;
    unsigned long n;
    char *end;

    if (!text)
        return 0;
    if (strncmp(text, "drive:", 6) == 0)
        text += 6;
    n = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || n < min || n > max)
        return error_set(err, ERR_USAGE, "'%.40s' must be a number from %u to %u", cli->operands[i],
                         min, max);
    *out = (unsigned)n;
    return 0;
}

/* ---- drives ------------------------------------------------------------------------------ */

static void say_drive(const json_t *result)
{
    printf("drive:%lld: %s\n", (long long)json_get_integer(result, "drive", 0),
           json_get_text(result, "done", "?"));
}

static int on_drive(struct cli *cli, const char *op, struct error *err)
{
    unsigned drive = 0;
    int rc = operand_number(cli, 0, 0, LIBRARY_DRIVES_MAX - 1, &drive, err);

    return rc ? rc : ask(cli, op, json_pack("{si}", "drive", (int)drive), say_drive, err);
}

int verb_drive_add(struct cli *cli, struct error *err)
{
    return ask(cli, "drive.add", NULL, say_drive, err);
}

int verb_drive_remove(struct cli *cli, struct error *err)
{
    return on_drive(cli, "drive.remove", err);
}

int verb_drive_eject(struct cli *cli, struct error *err)
{
    return on_drive(cli, "drive.eject", err);
}

static const struct table_column drive_columns[] = {
    {"DRIVE", "place", TABLE_TEXT},       {"ELEMENT", "element", TABLE_NUMBER},
    {"STATE", "state", TABLE_TEXT},       {"CARTRIDGE", "cartridge", TABLE_TEXT},
    {"FROM", "source", TABLE_TEXT},       {"COMMANDS", "commands", TABLE_NUMBER},
    {"OBSERVED", "observed", TABLE_TIME},
};

static const struct table_column slot_columns[] = {
    {"PLACE", "place", TABLE_TEXT},           {"ELEMENT", "element", TABLE_NUMBER},
    {"CARTRIDGE", "cartridge", TABLE_TEXT},   {"STATE", "state", TABLE_TEXT},
    {"KNOWN BY", "state_source", TABLE_TEXT}, {"SEEN", "observed", TABLE_TIME},
    {"CHANGED", "changed", TABLE_TIME},       {"ALTERNATE TAG", "alternate_tag", TABLE_TEXT},
};

static int list_part(struct cli *cli, const char *key, const char *more,
                     const struct table_column *columns, size_t count, struct error *err)
{
    json_t *status = NULL, *rows = NULL;
    int rc = cli_perform(cli, "status", NULL, &status, err);

    if (!rc) {
        rows = json_incref(json_object_get(status, key));
        if (more)
            json_array_extend(rows, json_object_get(status, more));
        rc = cli_print_rows(cli, key, rows, columns, count, err);
    }
    json_decref(status);
    return rc;
}

int verb_drive_list(struct cli *cli, struct error *err)
{
    return list_part(cli, "drives", NULL, drive_columns, ARRAY_LENGTH(drive_columns), err);
}

/* ---- slots ------------------------------------------------------------------------------- */

int verb_slot_list(struct cli *cli, struct error *err)
{
    return list_part(cli, "slots", "import_export", slot_columns, ARRAY_LENGTH(slot_columns), err);
}

static void say_count(const json_t *result)
{
    printf("%lld %s\n", (long long)json_get_integer(result, "count", 0),
           json_get_text(result, "what", "?"));
}

static int change_slots(struct cli *cli, bool remove, struct error *err)
{
    unsigned count = 1;
    int rc = operand_number(cli, 0, 1, LIBRARY_SLOTS_MAX, &count, err);

    return rc ? rc
              : ask(cli, "slot.change",
                    json_pack("{sisbsb}", "count", (int)count, "import_export",
                              cli_flag(cli, "import-export"), "remove", remove),
                    say_count, err);
}

int verb_slot_add(struct cli *cli, struct error *err)
{
    return change_slots(cli, false, err);
}

int verb_slot_remove(struct cli *cli, struct error *err)
{
    return change_slots(cli, true, err);
}

static void say_way(const json_t *result)
{
    printf("%s: %s -> %s\n", json_get_text(result, "cartridge", "?"),
           json_get_text(result, "from", "?"), json_get_text(result, "to", "?"));
}

int verb_slot_export(struct cli *cli, struct error *err)
{
    json_t *args = json_object();

    add_text(args, "from", cli->operands[0]);
    add_text(args, "place", cli_value(cli, "place"));
    return ask(cli, "slot.export", args, say_way, err);
}

int verb_slot_import(struct cli *cli, struct error *err)
{
    json_t *args = json_object();

    add_text(args, "barcode", cli->operands[0]);
    add_text(args, "to", cli_value(cli, "to"));
    return ask(cli, "slot.import", args, say_way, err);
}

/* ---- the library ------------------------------------------------------------------------- */

static void say_library(const json_t *status)
{
    const json_t *library = json_object_get(status, "library");
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)library, key, value) {
        if (json_is_integer(value))
            printf("%-14s %lld\n", key, (long long)json_integer_value(value));
        else if (json_is_string(value))
            printf("%-14s %s\n", key, json_string_value(value));
    }
}

int verb_library_show(struct cli *cli, struct error *err)
{
    json_t *status = NULL, *shown;
    int rc = cli_perform(cli, "status", NULL, &status, err);

    shown = json_pack("{sO}", "library", json_object_get(status, "library"));
    if (!rc && cli->json)
        rc = cli_print_json(shown, err);
    else if (!rc)
        say_library(shown);
    json_decref(shown);
    json_decref(status);
    return rc;
}

static void say_inventory(const json_t *result)
{
    long long unknown = (long long)json_get_integer(result, "unknown", 0);

    printf("%lld cartridges are where they should be, %lld are missing\n",
           (long long)json_get_integer(result, "cartridges", 0),
           (long long)json_get_integer(result, "missing", 0));
    if (unknown)
        printf("of %lld it is unknown; the log tells why\n", unknown);
}

int verb_library_inventory(struct cli *cli, struct error *err)
{
    return ask(cli, "library.inventory", NULL, say_inventory, err);
}

/* ---- cartridges by hand ------------------------------------------------------------------ */

int verb_cartridge_vault(struct cli *cli, struct error *err)
{
    json_t *args = json_object();

    add_text(args, "cartridge", cli->operands[0]);
    add_text(args, "place", cli->operands[1]);
    return ask(cli, "cartridge.vault", args, say_way, err);
}

int verb_cartridge_unvault(struct cli *cli, struct error *err)
{
    json_t *args = json_object();

    add_text(args, "barcode", cli->operands[0]);
    add_text(args, "to", cli_value(cli, "to"));
    return ask(cli, "cartridge.unvault", args, say_way, err);
}

static const struct table_column vault_columns[] = {
    {"CARTRIDGE", "cartridge", TABLE_TEXT},
    {"PLACE", "place", TABLE_TEXT},
    {"SINCE", "since", TABLE_TIME},
};

int verb_cartridge_vaulted(struct cli *cli, struct error *err)
{
    json_t *result = NULL;
    int rc = cli_perform(cli, "cartridge.vaulted", NULL, &result, err);

    if (!rc)
        rc = cli_print_rows(cli, "vault", json_incref(json_object_get(result, "vault")),
                            vault_columns, ARRAY_LENGTH(vault_columns), err);
    json_decref(result);
    return rc;
}

static void say_protected(const json_t *result)
{
    bool on = json_is_true(json_object_get(result, "protected"));

    printf("%s: %s\n", json_get_text(result, "cartridge", "?"),
           on ? "write-protected" : "may be written");
}

int verb_cartridge_protect(struct cli *cli, struct error *err)
{
    bool on = strcmp(cli->operands[1], "on") == 0;
    json_t *args;

    if (!on && strcmp(cli->operands[1], "off") != 0)
        return error_set(err, ERR_USAGE, "'%.20s' must be on or off", cli->operands[1]);
    args = json_pack("{sb}", "on", on);
    add_text(args, "cartridge", cli->operands[0]);
    return ask(cli, "cartridge.protect", args, say_protected, err);
}

static void say_tag(const json_t *result)
{
    printf("%s: %s\n", json_get_text(result, "cartridge", "?"),
           json_get_text(result, "alternate_tag", "no alternate volume tag"));
}

int verb_cartridge_tag(struct cli *cli, struct error *err)
{
    unsigned sequence = 0;
    int rc = cli_number(cli, "sequence", 0, 65535, &sequence, err);
    json_t *args;

    if (rc)
        return rc;
    args = json_pack("{sisb}", "sequence", (int)sequence, "remove", cli_flag(cli, "remove"));
    add_text(args, "cartridge", cli->operands[0]);
    if (cli->operand_count > 1)
        add_text(args, "tag", cli->operands[1]);
    return ask(cli, "cartridge.tag", args, say_tag, err);
}

static void say_deleted(const json_t *result)
{
    printf("%s: deleted\n", json_get_text(result, "deleted", "?"));
}

int verb_cartridge_delete(struct cli *cli, struct error *err)
{
    json_t *args = json_object();

    if (!cli_flag(cli, "yes")) {
        json_decref(args);
        return error_set(err, ERR_USAGE,
                         "everything on the cartridge %.40s would be lost; say --yes if it shall",
                         cli->operands[0]);
    }
    add_text(args, "barcode", cli->operands[0]);
    return ask(cli, "cartridge.delete", args, say_deleted, err);
}
