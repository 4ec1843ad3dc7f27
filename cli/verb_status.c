/* SPDX-License-Identifier: Apache-2.0 */
/* verb_status.c - `capstan status`: a picture of the library. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/draw.h"
#include "common/checked.h"
#include "common/json.h"

const struct cli_option verb_status_options[] = {{NULL, NULL, NULL}};

static const struct table_column drive_columns[] = {
    {"DRIVE", "place", TABLE_TEXT},       {"CARTRIDGE", "cartridge", TABLE_TEXT},
    {"STATE", "state", TABLE_TEXT},       {"FROM", "source", TABLE_TEXT},
    {"FILE", "file", TABLE_NUMBER},       {"BLOCK", "block", TABLE_NUMBER},
    {"READ", "bytes_read", TABLE_SIZE},   {"WRITTEN", "bytes_written", TABLE_SIZE},
    {"OBSERVED", "observed", TABLE_TIME},
};

static const struct table_column session_columns[] = {
    {"INITIATOR", "initiator", TABLE_TEXT}, {"PEER", "peer", TABLE_TEXT},
    {"COMMANDS", "commands", TABLE_NUMBER}, {"IN", "bytes_in", TABLE_SIZE},
    {"OUT", "bytes_out", TABLE_SIZE},       {"VIEW", "view", TABLE_TEXT},
    {"SINCE", "since", TABLE_TIME},
};

static const struct table_column vault_columns[] = {
    {"VAULT", "cartridge", TABLE_TEXT},
    {"PLACE", "place", TABLE_TEXT},
    {"SINCE", "since", TABLE_TIME},
};

static void print_heading(const json_t *status)
{
    const json_t *library = json_object_get(status, "library");
    const json_t *daemon = json_object_get(status, "daemon");
    const json_t *portals = json_object_get(daemon, "portals");
    bool running = json_is_true(json_object_get(daemon, "running"));
    size_t i;
    json_t *portal;

    printf("library %s at %s, serial %s\n", json_get_text(library, "name", "?"),
           json_get_text(library, "root", "?"), json_get_text(library, "serial", "?"));
    if (!running) {
        printf("daemon: not running\n");
        return;
    }
    printf("daemon: process %lld, target %s at", (long long)json_get_integer(daemon, "pid", 0),
           json_get_text(daemon, "target", "?"));
    json_array_foreach (portals, i, portal)
        printf("%s %s", i ? "," : "", json_string_value(portal));
    printf("\n");
}

/* The position of a drive is an object of its own; in the table its members are columns. */
static int flatten_positions(json_t *drives, struct error *err)
{
    size_t i;
    json_t *drive;

    json_array_foreach (drives, i, drive) {
        json_t *position = json_object_get(drive, "position");

        if (position && json_object_update_missing(drive, position))
            return error_set(err, ERR_NO_MEMORY, "there is no memory left for the output");
    }
    return 0;
}

static void print_robot(const json_t *robot)
{
    const char *state = json_get_text(robot, "state", "unknown");
    const char *from = json_get_text(robot, "from", NULL);
    char age[DRAW_AGE_SIZE];

    printf("robot: %s", state);
    if (from)
        printf("%s%s -> %s", strcmp(state, "moving") == 0 ? ", " : ", last ", from,
               json_get_text(robot, "to", "?"));
    if (json_object_get(robot, "age_ms"))
        printf(", %s", draw_age(json_get_integer(robot, "age_ms", 0), age));
    printf("\n");
}

static int print_status(json_t *status, struct error *err)
{
    json_t *drives = json_object_get(status, "drives");
    json_t *sessions = json_object_get(status, "sessions");
    json_t *vault = json_object_get(status, "vault");
    int rc;

    print_heading(status);
    if (json_is_true(json_object_get(json_object_get(status, "daemon"), "running")))
        print_robot(json_object_get(status, "robot"));
    printf("\n");
    rc = flatten_positions(drives, err);
    if (!rc)
        rc = table_print(stdout, drive_columns, ARRAY_LENGTH(drive_columns), drives, err);
    if (rc)
        return rc;
    draw_places(json_object_get(status, "slots"), "SLOTS", draw_width());
    draw_places(json_object_get(status, "import_export"), "IMPORT/EXPORT", draw_width());
    if (json_array_size(vault) > 0) {
        printf("\n");
        rc = table_print(stdout, vault_columns, ARRAY_LENGTH(vault_columns), vault, err);
    }
    if (rc || json_array_size(sessions) == 0)
        return rc;
    printf("\n");
    return table_print(stdout, session_columns, ARRAY_LENGTH(session_columns), sessions, err);
}

int verb_status(struct cli *cli, struct error *err)
{
    json_t *status = NULL;
    int rc = cli_perform(cli, "status", NULL, &status, err);

    if (!rc)
        rc = cli->json ? cli_print_json(status, err) : print_status(status, err);
    json_decref(status);
    return rc;
}
