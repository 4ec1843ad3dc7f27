/* SPDX-License-Identifier: Apache-2.0 */
/* verb_version.c - `capstan version` and `capstan help`. */
#include <config.h>

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "common/checked.h"

const struct cli_option verb_version_options[] = {{NULL, NULL, NULL}};
const struct cli_option verb_help_options[] = {
    {"completion", NULL, "print the completion of command lines for bash"},
    {NULL, NULL, NULL},
};

static const struct {
    const char *name, *what;
    bool built;
} features[] = {
#ifdef HAVE_ISAL
    {"isal", "CRC32C by the machine's instructions", true},
#else
    {"isal", "CRC32C by the machine's instructions", false},
#endif
#ifdef HAVE_FUSE
    {"fuse", "the view (capstan mount)", true},
#else
    {"fuse", "the view (capstan mount)", false},
#endif
#ifdef HAVE_ACL
    {"acl", "POSIX ACLs", true},
#else
    {"acl", "POSIX ACLs", false},
#endif
};

static int print_version_json(struct error *err)
{
    json_t *list = json_object(), *result;
    int rc;

    for (size_t i = 0; i < ARRAY_LENGTH(features); i++)
        json_object_set_new(list, features[i].name, json_boolean(features[i].built));
    result = json_pack("{sssssssO}", "version", PACKAGE_VERSION, "sqlite", sqlite3_libversion(),
                       "jansson", JANSSON_VERSION, "features", list);
    rc = cli_print_json(result, err);
    json_decref(list);
    json_decref(result);
    return rc;
}

int verb_version(struct cli *cli, struct error *err)
{
    if (cli->json)
        return print_version_json(err);
    printf("capstan %s\n", PACKAGE_VERSION);
    for (size_t i = 0; i < ARRAY_LENGTH(features); i++)
        printf("  %-6s %-3s %s\n", features[i].name, features[i].built ? "yes" : "no",
               features[i].what);
    printf("  SQLite %s, jansson %s\n", sqlite3_libversion(), JANSSON_VERSION);
    return 0;
}

int verb_help(struct cli *cli, struct error *err)
{
    size_t count;
    const struct cli_verb *verbs = cli_verbs(&count);
    char name[80];

    if (cli->json)
        return cli_help_json(err);
    if (cli_flag(cli, "completion")) {
        cli_completion();
        return 0;
    }
    if (cli->operand_count == 0) {
        cli_help();
        return 0;
    }
    snprintf(name, sizeof(name), "%.30s%s%.30s", cli->operands[0],
             cli->operand_count > 1 ? " " : "", cli->operand_count > 1 ? cli->operands[1] : "");
    for (size_t i = 0; i < count; i++)
        if (strcmp(verbs[i].name, name) == 0) {
            cli_help_verb(&verbs[i]);
            return 0;
        }
    return error_set(err, ERR_USAGE, "there is no verb '%s'", name);
}
