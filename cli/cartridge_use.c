/* SPDX-License-Identifier: Apache-2.0 */
/* cartridge_use.c - see cartridge_use.h. */
#include "cli/cartridge_use.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "vtl/control/control.h"

static int check_no_drive(struct cli *cli, const char *barcode, struct error *err)
{
    json_t *args = json_pack("{ss}", "barcode", barcode), *result = NULL;
    int rc = 0;

    if (args && control_request(cli->root, "cartridge.show", args, &result, NULL, NULL) == 0) {
        const char *place = json_get_text(json_object_get(result, "cartridge"), "place", "");

        if (strncmp(place, "drive:", 6) == 0)
            rc = error_set(err, ERR_BUSY, "cartridge %s is in %s; unload it first", barcode, place);
    }
    json_decref(args);
    json_decref(result);
    return rc;
}

int cartridge_use_store(struct cli *cli, const char *barcode, bool change, struct store **out,
                        struct error *err)
{
    char path[PATH_MAX];
    int rc = library_cartridge_path(cli->root, barcode, path, sizeof(path), err);

    if (!rc && access(path, F_OK) < 0)
        rc = error_set(err, ERR_NOT_FOUND, "there is no cartridge %s in the library %s", barcode,
                       cli->root);
    if (!rc && change)
        rc = check_no_drive(cli, barcode, err);
    return rc ? rc : store_directory_open(path, false, out, err);
}

int cartridge_use_busy(const char *barcode, struct error *err)
{
    return error_set(err, ERR_BUSY, "cartridge %s is in use by another program", barcode);
}

int cartridge_use_adopt(struct cli *cli, const char *barcode, json_t **result, struct error *err)
{
    json_t *args = json_pack("{ss}", "barcode", barcode);
    const char *slot = cli_value(cli, "slot");
    char place[32];

    if (args && slot) {
        snprintf(place, sizeof(place), "slot:%.20s", slot);
        json_object_set_new(args, "to", json_string(place));
    }
    return args ? cli_perform(cli, "cartridge.adopt", args, result, err)
                : error_set(err, ERR_NO_MEMORY, "there is no memory left");
}
