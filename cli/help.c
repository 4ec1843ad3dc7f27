/* SPDX-License-Identifier: Apache-2.0 */
/* help.c - the help and its machine-readable form, made from the tables: see cli.h. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "common/checked.h"
#include "common/json.h"
#include "vtl/control/config.h"

static const struct {
    enum cli_exit code;
    const char *meaning;
} exits[] = {
    {CLI_DONE, "done"},
    {CLI_FAILURE, "failed; the sentence on standard error says why"},
    {CLI_USAGE, "the command line makes no sense"},
    {CLI_PARTIAL, "done, but not for everything; the warnings say what is missing"},
    {CLI_OPERATOR, "an operator must act first, for instance add a cartridge"},
};

static void help_exits(void)
{
    puts("\nExit status:");
    for (size_t i = 0; i < ARRAY_LENGTH(exits); i++)
        printf("  %d  %s\n", exits[i].code, exits[i].meaning);
}

void cli_help(void)
{
    size_t count;
    const struct cli_verb *verbs = cli_verbs(&count);

    puts("usage: capstan [--root DIRECTORY] VERB [OPTION...] [OPERAND...]\n\n"
         "Capstan is a virtual tape library with a dump engine.\n");
    for (size_t i = 0; i < count; i++)
        printf("  %-20s %s\n", verbs[i].name, verbs[i].summary);
    puts("\n'capstan VERB --help' explains a verb; capstan(1) is the manual.");
    help_exits();
}

static void help_option(const struct cli_option *option)
{
    char left[64];

    snprintf(left, sizeof(left), "--%s%s%s", option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    printf("  %-24s %s\n", left, option->help);
}

static bool has_option(const struct cli_verb *verb, const struct cli_option *common)
{
    return verb->json || strcmp(common->name, "json") != 0;
}

void cli_help_verb(const struct cli_verb *verb)
{
    const struct cli_option *common = cli_common_options();

    printf("usage: capstan %s [OPTION...]%s%s\n\n%c%s.\n", verb->name, *verb->operands ? " " : "",
           verb->operands, verb->summary[0] - 'a' + 'A', verb->summary + 1);
    if (verb->detail)
        printf("%s\n", verb->detail);
    puts("\nOptions:");
    for (size_t i = 0; verb->options[i].name; i++)
        help_option(&verb->options[i]);
    for (size_t i = 0; common[i].name; i++)
        if (has_option(verb, &common[i]))
            help_option(&common[i]);
    if (verb->more)
        verb->more();
    help_exits();
}

/* ---- for programs: shells that complete, tests that compare ------------------------------ */

static json_t *option_json(const struct cli_option *option)
{
    return json_pack("{ssss?ss}", "name", option->name, "argument", option->argument, "help",
                     option->help);
}

static json_t *verb_json(const struct cli_verb *verb)
{
    const struct cli_option *common = cli_common_options();
    json_t *options = json_array();

    for (size_t i = 0; verb->options[i].name; i++)
        json_array_append_new(options, option_json(&verb->options[i]));
    for (size_t i = 0; common[i].name; i++)
        if (has_option(verb, &common[i]))
            json_array_append_new(options, option_json(&common[i]));
    return json_pack("{ssssssso}", "name", verb->name, "operands", verb->operands, "summary",
                     verb->summary, "options", options);
}

static json_t *keys_json(void)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{ssssss?ss}", "section", keys[i].section, "key",
                                              keys[i].key, "default", keys[i].fallback, "help",
                                              keys[i].help));
    return list;
}

int cli_help_json(struct error *err)
{
    size_t count;
    const struct cli_verb *verbs = cli_verbs(&count);
    json_t *verb_list = json_array(), *exit_list = json_array(), *document = json_document();
    int rc;

    for (size_t i = 0; i < count; i++)
        json_array_append_new(verb_list, verb_json(&verbs[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(exits); i++)
        json_array_append_new(exit_list, json_pack("{siss}", "code", (int)exits[i].code, "meaning",
                                                   exits[i].meaning));
    rc = json_object_set_new(document, "verbs", verb_list) |
         json_object_set_new(document, "exit_codes", exit_list) |
         json_object_set_new(document, "config", keys_json());
    rc = rc ? error_set(err, ERR_NO_MEMORY, "there is no memory left for the help")
            : json_print(document, stdout, err);
    json_decref(document);
    return rc;
}
