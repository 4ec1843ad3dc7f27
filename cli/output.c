/* SPDX-License-Identifier: Apache-2.0 */
/* output.c - what many verbs do: ask the library, print the answer.  See cli.h. */
#include "cli/cli.h"

#include <stdio.h>

#include "common/json.h"
#include "vtl/control/control.h"

int cli_perform(const struct cli *cli, const char *op, json_t *args, json_t **result,
                struct error *err)
{
    struct control_session *session;
    int rc = control_session_open(cli->root, &session, err);

    if (rc) {
        json_decref(args);
        return rc;
    }
    rc = control_session_request(session, op, args, result, err);
    control_session_close(session);
    return rc;
}

int cli_print_json(const json_t *result, struct error *err)
{
    json_t *document = json_document();
    int rc = document && json_object_update_missing(document, (json_t *)result) == 0
                 ? json_print(document, stdout, err)
                 : error_set(err, ERR_NO_MEMORY, "there is no memory left for the output");

    json_decref(document);
    return rc;
}

int cli_print_rows(const struct cli *cli, const char *key, json_t *rows,
                   const struct table_column *columns, size_t count, struct error *err)
{
    json_t *result = json_pack("{so}", key, rows);
    int rc;

    if (!result)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for the output");
    rc = cli->json ? cli_print_json(result, err)
                   : table_print(stdout, columns, count, json_object_get(result, key), err);
    json_decref(result);
    return rc;
}
