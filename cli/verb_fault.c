/* SPDX-License-Identifier: Apache-2.0 */
/* verb_fault.c - `capstan fault set`, `clear`, `list`: a running library disturbed on purpose. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "common/checked.h"
#include "common/json.h"
#include "vtl/fault/faults.h"

#define NUMBER_MAX 2000000000

const struct cli_option verb_fault_set_options[] = {
    {"cartridge", "BARCODE", "only on this cartridge"},
    {"drive", "N", "only on this drive, from 0"},
    {"block", "N", "only at this block of the cartridge, from 0"},
    {"rate", "PERCENT", "strike so many of a hundred times; default: 100"},
    {"count", "N", "strike so many times, then no more; default: without end"},
    {"delay", "MILLISECONDS", "how long slow things take; default: 1000"},
    {NULL, NULL, NULL},
};
const struct cli_option verb_fault_clear_options[] = {{NULL, NULL, NULL}};
const struct cli_option verb_fault_list_options[] = {
    {"vocabulary", NULL, "the faults that there are, instead of those that are set"},
    {NULL, NULL, NULL},
};

static const struct table_column set_columns[] = {
    {"FAULT", "fault", TABLE_NUMBER},    {"NAME", "name", TABLE_TEXT},
    {"LAYER", "layer", TABLE_TEXT},      {"CARTRIDGE", "cartridge", TABLE_TEXT},
    {"DRIVE", "drive", TABLE_NUMBER},    {"BLOCK", "block", TABLE_NUMBER},
    {"RATE", "rate", TABLE_NUMBER},      {"COUNT", "count", TABLE_NUMBER},
    {"DELAY", "delay_ms", TABLE_NUMBER}, {"STRIKES", "strikes", TABLE_NUMBER},
};

static const struct table_column vocabulary_columns[] = {
    {"NAME", "name", TABLE_TEXT},
    {"LAYER", "layer", TABLE_TEXT},
    {"OPTIONS", "options", TABLE_TEXT},
    {"WHAT IT DOES", "summary", TABLE_TEXT},
};

static int add_numbers(const struct cli *cli, json_t *args, struct error *err)
{
    static const char *const options[] = {"drive", "block", "rate", "count", "delay"};
    int rc = 0;

    for (size_t i = 0; !rc && i < ARRAY_LENGTH(options); i++) {
        unsigned n = 0;

        if (!cli_value(cli, options[i]))
            continue;
        rc = cli_number(cli, options[i], 0, NUMBER_MAX, &n, err);
        if (!rc)
            json_object_set_new(args, options[i], json_integer(n));
    }
    return rc;
}

/* The vocabulary is that of this program, whatever daemon runs. */
void verb_fault_set_more(void)
{
    puts("\nFaults:");
    for (unsigned i = 0; i < FAULT_NAMES; i++) {
        const struct fault_kind_row *row = &faults_kinds()[i];
        char options[FAULT_OPTIONS_SIZE];

        printf("  %-17s %s\n", row->name, row->summary);
        if (*faults_options(row, "--", options))
            printf("  %-17s %s\n", "", options);
    }
}

int verb_fault_set(struct cli *cli, struct error *err)
{
    const char *cartridge = cli_value(cli, "cartridge");
    json_t *args = json_object(), *result = NULL;
    int rc;

    json_set_bytes(args, "name", cli->operands[0], strlen(cli->operands[0]), NULL);
    if (cartridge)
        json_set_bytes(args, "cartridge", cartridge, strlen(cartridge), NULL);
    rc = add_numbers(cli, args, err);
    if (rc) {
        json_decref(args);
        return rc;
    }
    rc = cli_perform(cli, "fault.set", args, &result, err);
    if (!rc && cli->json)
        rc = cli_print_json(result, err);
    else if (!rc)
        printf("fault %lld: %s\n", (long long)json_get_integer(result, "fault", 0),
               json_get_text(result, "name", "?"));
    json_decref(result);
    return rc;
}

int verb_fault_clear(struct cli *cli, struct error *err)
{
    json_t *args = json_object(), *result = NULL;
    int rc;

    if (cli->operand_count > 0)
        json_set_bytes(args, "fault", cli->operands[0], strlen(cli->operands[0]), NULL);
    rc = cli_perform(cli, "fault.clear", args, &result, err);
    if (!rc && cli->json)
        rc = cli_print_json(result, err);
    else if (!rc)
        printf("%lld cleared\n", (long long)json_get_integer(result, "cleared", 0));
    json_decref(result);
    return rc;
}

/* To programs a count of 0 says "without end"; to people, the word does. */
static void name_endless(json_t *faults)
{
    size_t i;
    json_t *row;

    json_array_foreach (faults, i, row) {
        if (json_get_integer(row, "count", 0) == 0)
            json_object_set_new(row, "count", json_string("endless"));
    }
}

int verb_fault_list(struct cli *cli, struct error *err)
{
    bool vocabulary = cli_flag(cli, "vocabulary");
    json_t *result = NULL;
    int rc = cli_perform(cli, vocabulary ? "fault.vocabulary" : "fault.list", NULL, &result, err);

    if (!rc && !vocabulary && !cli->json)
        name_endless(json_object_get(result, "faults"));
    if (!rc)
        rc = cli_print_rows(
            cli, "faults", json_incref(json_object_get(result, "faults")),
            vocabulary ? vocabulary_columns : set_columns,
            vocabulary ? ARRAY_LENGTH(vocabulary_columns) : ARRAY_LENGTH(set_columns), err);
    json_decref(result);
    return rc;
}
