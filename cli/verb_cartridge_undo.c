/* SPDX-License-Identifier: Apache-2.0 */
/* verb_cartridge_undo.c - `capstan cartridge undo`: back to before something was overwritten. */
#include <limits.h>
#include <stdio.h>

#include "cli/cartridge_use.h"
#include "cli/cli.h"
#include "common/checked.h"
#include "common/json.h"

const struct cli_option verb_cartridge_undo_options[] = {
    {"list", NULL, "only list the points one can go back to, the newest first"},
    {"to", "POINT", "go back to this one; default: the newest"},
    {NULL, NULL, NULL},
};

static const struct table_column point_columns[] = {
    {"POINT", "point", TABLE_NUMBER},   {"UNTIL", "until", TABLE_TIME},
    {"BLOCKS", "blocks", TABLE_NUMBER}, {"FILES", "filemarks", TABLE_NUMBER},
    {"USED", "used", TABLE_SIZE},
};

static json_t *point_row(const struct cartridge_point *p)
{
    json_t *row = json_pack("{sIsIsIsI}", "point", (json_int_t)p->generation, "blocks",
                            (json_int_t)(p->objects - p->filemarks), "filemarks",
                            (json_int_t)p->filemarks, "used", (json_int_t)p->used);

    if (row && json_set_time(row, "until", p->ended_ns, NULL)) {
        json_decref(row);
        row = NULL;
    }
    return row;
}

static int collect(void *ctx, const struct cartridge_point *point)
{
    json_t *row = point_row(point);

    return row && json_array_append_new(ctx, row) == 0 ? 0 : -ERR_NO_MEMORY;
}

static int list(struct cli *cli, json_t *points, struct error *err)
{
    return cli_print_rows(cli, "points", json_incref(points), point_columns,
                          ARRAY_LENGTH(point_columns), err);
}

static int say_undone(struct cli *cli, const json_t *point, struct error *err)
{
    json_t *result;
    int rc;

    if (!cli->json) {
        printf("%s: the tape is what it was until %s: %lld blocks, %lld filemarks\n",
               cli->operands[0], json_get_text(point, "until", "?"),
               (long long)json_get_integer(point, "blocks", 0),
               (long long)json_get_integer(point, "filemarks", 0));
        return 0;
    }
    result = json_pack("{sssO}", "barcode", cli->operands[0], "point", point);
    rc = result ? cli_print_json(result, err)
                : error_set(err, ERR_NO_MEMORY, "there is no memory left for the output");
    json_decref(result);
    return rc;
}

static int undo(struct cli *cli, struct cartridge *c, json_t *points, struct error *err)
{
    json_t *point, *chosen = NULL;
    unsigned to = 0;
    size_t i;
    int rc = cli_number(cli, "to", 1, UINT_MAX, &to, err);

    json_array_foreach (points, i, point)
        if (!chosen && (to == 0 || json_get_integer(point, "point", 0) == (json_int_t)to))
            chosen = point;
    if (!rc && to == 0 && !chosen)
        rc = error_set(err, ERR_NOT_FOUND,
                       "nothing on cartridge %s was overwritten that is still kept",
                       cli->operands[0]);
    if (!rc && chosen)
        to = (unsigned)json_get_integer(chosen, "point", 0);
    if (!rc) /* the cartridge knows best why it can't */
        rc = cartridge_undo(c, to, err);
    return rc ? rc : say_undone(cli, chosen, err);
}

int verb_cartridge_undo(struct cli *cli, struct error *err)
{
    bool only_list = cli_flag(cli, "list");
    struct cartridge *c = NULL;
    struct store *store = NULL;
    json_t *points = json_array();
    int rc = 0;

    if (only_list && cli_value(cli, "to"))
        rc = error_set(err, ERR_USAGE, "--list and --to contradict each other");
    if (!rc)
        rc = cartridge_use_store(cli, cli->operands[0], !only_list, &store, err);
    if (!rc)
        rc = cartridge_open(store, only_list ? CARTRIDGE_READ_ONLY : CARTRIDGE_READ_WRITE, &c, err);
    if (rc == -ERR_BUSY && store)
        rc = cartridge_use_busy(cli->operands[0], err);
    if (!rc)
        rc = cartridge_points(c, collect, points, err);
    if (!rc)
        rc = only_list ? list(cli, points, err) : undo(cli, c, points, err);
    cartridge_close(c);
    store_close(store);
    json_decref(points);
    return rc;
}
