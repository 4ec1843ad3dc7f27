/* SPDX-License-Identifier: Apache-2.0 */
/* verb_reload.c - `capstan reload`: the daemon reads capstan.conf again. */
#include <stdio.h>

#include "cli/cli.h"

const struct cli_option verb_reload_options[] = {
    {NULL, NULL, NULL},
};

int verb_reload(struct cli *cli, struct error *err)
{
    json_t *result = NULL, *name;
    size_t i;
    int rc = cli_perform(cli, "reload", NULL, &result, err);

    if (!rc && cli->json) {
        rc = cli_print_json(result, err);
    } else if (!rc) {
        printf("reloaded: who may log in, and what he sees, is as capstan.conf says\n");
        json_array_foreach (json_object_get(result, "pending"), i, name)
            printf("%s has changed: it waits for the next start\n", json_string_value(name));
    }
    json_decref(result);
    return rc;
}
