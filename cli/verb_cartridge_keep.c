/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_cartridge_keep.c - `capstan cartridge retention` and `capstan cartridge rebuild`: how long
 * overwritten data is kept, and a map for a cartridge that has lost its own.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "cli/cartridge_use.h"
#include "cli/cli.h"
#include "common/json.h"

#define DAY_NS   (24LL * 3600 * 1000000000)
#define DAYS_MAX 36500

const struct cli_option verb_cartridge_retention_options[] = {
    {"days", "N", "keep overwritten data so long; 0: nothing is kept"},
    {"bytes", "SIZE", "... and at most so much of it"},
    {NULL, NULL, NULL},
};

const struct cli_option verb_cartridge_rebuild_options[] = {
    {NULL, NULL, NULL},
};

static int print(struct cli *cli, json_t *result, struct error *err)
{
    int rc = result ? cli_print_json(result, err)
                    : error_set(err, ERR_NO_MEMORY, "there is no memory left for the output");

    (void)cli;
    json_decref(result);
    return rc;
}

/* ---- retention ------------------------------------------------------------------------------- */

static int say_retention(struct cli *cli, const struct cartridge_identity *id, struct error *err)
{
    double days = (double)id->limbo_ns / (double)DAY_NS;

    if (cli->json)
        return print(cli,
                     json_pack("{sssfsI}", "barcode", id->barcode, "days", days, "bytes",
                               (json_int_t)id->limbo_bytes),
                     err);
    printf("%s: overwritten data is kept for %g days, at most %" PRIu64 " bytes of it\n",
           id->barcode, days, id->limbo_bytes);
    return 0;
}

static int set_retention(struct cli *cli, struct cartridge *c, struct error *err)
{
    uint64_t bytes = cartridge_identity(c)->limbo_bytes;
    int64_t ns = cartridge_identity(c)->limbo_ns;
    unsigned days = UINT_MAX;
    int rc = cli_number(cli, "days", 0, DAYS_MAX, &days, err);

    if (!rc)
        rc = cli_size(cli, "bytes", &bytes, err);
    if (!rc && days != UINT_MAX)
        ns = days * DAY_NS;
    return rc ? rc : cartridge_set_retention(c, bytes, ns, err);
}

int verb_cartridge_retention(struct cli *cli, struct error *err)
{
    bool change = cli_value(cli, "days") || cli_value(cli, "bytes");
    struct cartridge *c = NULL;
    struct store *store = NULL;
    int rc = cartridge_use_store(cli, cli->operands[0], change, &store, err);

    if (!rc)
        rc = cartridge_open(store, change ? CARTRIDGE_READ_WRITE : CARTRIDGE_READ_ONLY, &c, err);
    if (rc == -ERR_BUSY && store)
        rc = cartridge_use_busy(cli->operands[0], err);
    if (!rc && change)
        rc = set_retention(cli, c, err);
    if (!rc)
        rc = say_retention(cli, cartridge_identity(c), err);
    cartridge_close(c);
    store_close(store);
    return rc;
}

/* ---- rebuild --------------------------------------------------------------------------------- */

static int say_rebuilt(struct cli *cli, const struct cartridge_rebuilt *r, struct error *err)
{
    if (cli->json)
        return print(cli,
                     json_pack("{sssIsIsI}", "barcode", cli->operands[0], "segments",
                               (json_int_t)r->segments, "left_out", (json_int_t)r->left_out,
                               "objects", (json_int_t)r->objects),
                     err);
    printf("%s: %" PRIu64 " objects are on the tape again, of %" PRIu64 " segments; %" PRIu64
           " segments were left out\n"
           "It is write-protected: look at it, then 'capstan cartridge protect %s off'.\n",
           cli->operands[0], r->objects, r->segments, r->left_out, cli->operands[0]);
    return 0;
}

int verb_cartridge_rebuild(struct cli *cli, struct error *err)
{
    struct cartridge_rebuilt report;
    struct store *store = NULL;
    int rc = cartridge_use_store(cli, cli->operands[0], true, &store, err);

    if (!rc)
        rc = cartridge_rebuild(store, &report, err);
    if (rc == -ERR_BUSY && store)
        rc = cartridge_use_busy(cli->operands[0], err);
    store_close(store);
    return rc ? rc : say_rebuilt(cli, &report, err);
}
