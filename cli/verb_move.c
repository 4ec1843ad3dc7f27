/* SPDX-License-Identifier: Apache-2.0 */
/* verb_move.c - `capstan move`, `load` and `unload`: what the robot does. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "common/json.h"

const struct cli_option verb_move_options[] = {{NULL, NULL, NULL}};
const struct cli_option verb_load_options[] = {{NULL, NULL, NULL}};
const struct cli_option verb_unload_options[] = {{NULL, NULL, NULL}};

static int carry(struct cli *cli, const char *op, json_t *args, struct error *err)
{
    json_t *result = NULL;
    int rc = cli_perform(cli, op, args, &result, err);

    if (!rc && cli->json)
        rc = cli_print_json(result, err);
    else if (!rc)
        printf("%s: %s -> %s\n", json_get_text(result, "cartridge", "?"),
               json_get_text(result, "from", "?"), json_get_text(result, "to", "?"));
    json_decref(result);
    return rc;
}

/* Arguments of the command line as JSON; what is not UTF-8 names nothing in a library. */
static json_t *arguments(const char *key1, const char *value1, const char *key2, const char *value2)
{
    json_t *args = json_object();

    if (value1)
        json_set_bytes(args, key1, value1, strlen(value1), NULL);
    if (value2)
        json_set_bytes(args, key2, value2, strlen(value2), NULL);
    return args;
}

int verb_move(struct cli *cli, struct error *err)
{
    return carry(cli, "move", arguments("from", cli->operands[0], "to", cli->operands[1]), err);
}

int verb_load(struct cli *cli, struct error *err)
{
    const char *drive = cli->operand_count > 1 ? cli->operands[1] : NULL;

    return carry(cli, "load", arguments("cartridge", cli->operands[0], "drive", drive), err);
}

int verb_unload(struct cli *cli, struct error *err)
{
    const char *drive = cli->operand_count > 0 ? cli->operands[0] : NULL;

    return carry(cli, "unload", arguments("drive", drive, NULL, NULL), err);
}
