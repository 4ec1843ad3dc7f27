/* SPDX-License-Identifier: Apache-2.0 */
/* verb_cartridge_verify.c - `capstan cartridge verify`: is what is on a cartridge as it should be?
 */
#include <stdio.h>
#include <string.h>

#include "cli/cartridge_use.h"
#include "cli/cli.h"
#include "cli/dump_check.h"
#include "common/checked.h"
#include "common/json.h"
#include "vtl/control/config.h"

const struct cli_option verb_cartridge_verify_options[] = {
    {"headers", NULL, "only superblocks, headers, chains and indexes"},
    {"payload", NULL, "also the checksum of every block (this is the default)"},
    {"protection", NULL, "also each block's own checksum, as its host sent it"},
    {"dump", NULL, "also whether the dumps on it are well-formed"},
    {NULL, NULL, NULL},
};

static const struct table_column verify_columns[] = {
    {"BARCODE", "barcode", TABLE_TEXT},       {"STATE", "state", TABLE_TEXT},
    {"BLOCKS", "blocks", TABLE_NUMBER},       {"FILEMARKS", "filemarks", TABLE_NUMBER},
    {"BYTES", "bytes", TABLE_SIZE},           {"DAMAGED", "damaged", TABLE_NUMBER},
    {"FIRST", "first_damaged", TABLE_TEXT},   {"PROTECTED", "protected_blocks", TABLE_NUMBER},
    {"UNCHECKED", "unchecked", TABLE_NUMBER}, {"DUMPS", "dumps", TABLE_NUMBER},
};

/* The last columns are shown if they were asked for. */
#define COLUMNS_ALWAYS     7
#define COLUMNS_PROTECTION 2
#define COLUMNS_DUMP       1

/* One cartridge, and what was found. */
struct verification {
    struct cli *cli;
    const char *barcode;
    enum cartridge_depth depth;
    bool with_dump;
    struct cartridge_report report;
    struct dump_check dump;
    struct error why; /* if it is not good */
};

/* ---- the dumps on it ------------------------------------------------------------------------- */

static void on_dump_warning(void *ctx, const char *where, const char *message)
{
    const struct verification *v = ctx;

    fprintf(stderr, "capstan: %s, %s: %s\n", v->barcode, where, message);
}

static int judge_dumps(struct verification *v)
{
    const struct dump_check *d = &v->dump;

    if (d->damaged)
        return error_set(&v->why, ERR_CORRUPT, "%u of %u dumps are damaged", d->damaged, d->dumps);
    if (d->partial)
        return error_set(&v->why, ERR_PARTIAL, "%u tape files could not be checked to their end",
                         d->partial);
    if (d->dumps == 0)
        fprintf(stderr, "capstan: %s: there is no dump on it\n", v->barcode);
    return 0;
}

static int verify_dumps(struct verification *v)
{
    char path[4096], url[4200];
    struct tape *tape = NULL;
    int rc = library_cartridge_path(v->cli->root, v->barcode, path, sizeof(path), &v->why);

    if (rc)
        return rc;
    snprintf(url, sizeof(url), "cartridge:%s", path);
    v->dump = (struct dump_check){.warning = on_dump_warning, .ctx = v};
    rc = tape_open(url, TAPE_READ, NULL, &tape, &v->why);
    if (!rc)
        rc = dump_check(&v->dump, tape, &v->why);
    tape_close(tape);
    return rc ? rc : judge_dumps(v);
}

/* ---- the cartridge --------------------------------------------------------------------------- */

/* Read-only, beside whatever drive has it: no daemon and no lock is needed. */
static int verify_records(struct verification *v)
{
    struct store *store = NULL;
    struct cartridge *c = NULL;
    int rc = cartridge_use_store(v->cli, v->barcode, false, &store, &v->why);

    if (!rc)
        rc = cartridge_open(store, CARTRIDGE_READ_ONLY, &c, &v->why);
    if (!rc)
        rc = cartridge_check(c, v->depth, &v->report, &v->why);
    cartridge_close(c);
    store_close(store);
    if (!rc && v->report.unchecked)
        rc = error_set(&v->why, ERR_PARTIAL,
                       "%llu blocks are not checkable without the key they are encrypted with",
                       (unsigned long long)v->report.unchecked);
    return rc;
}

static int verify(struct verification *v)
{
    struct error first;
    int rc = verify_records(v), dumps;

    if (!v->with_dump || (rc && rc != -ERR_PARTIAL && rc != -ERR_CORRUPT))
        return rc;
    first = v->why;
    dumps = verify_dumps(v);
    if (rc && !(rc == -ERR_PARTIAL && dumps && dumps != -ERR_PARTIAL)) {
        v->why = first; /* what is worse, or came first */
        return rc;
    }
    return dumps;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static const char *state_of(const struct verification *v, int rc)
{
    if (rc == 0)
        return "good";
    return rc == -ERR_PARTIAL ? "partial" : error_code_name(v->why.code);
}

static json_t *verify_row(const struct verification *v, int rc)
{
    const struct cartridge_report *r = &v->report;
    json_t *row = json_pack("{sssssIsIsIsI}", "barcode", v->barcode, "state", state_of(v, rc),
                            "blocks", (json_int_t)r->blocks, "filemarks", (json_int_t)r->filemarks,
                            "bytes", (json_int_t)r->bytes, "damaged", (json_int_t)r->damaged);

    if (r->damaged)
        json_object_set_new(row, "first_damaged", json_integer((json_int_t)r->first_damaged));
    if (v->depth == CARTRIDGE_PROTECTION) {
        json_object_set_new(row, "protected_blocks", json_integer((json_int_t)r->protected_blocks));
        json_object_set_new(row, "unchecked", json_integer((json_int_t)r->unchecked));
    }
    if (v->with_dump) {
        json_object_set_new(row, "dumps", json_integer(v->dump.dumps));
        json_object_set_new(row, "dumps_damaged", json_integer(v->dump.damaged));
        json_object_set_new(row, "dumps_partial", json_integer(v->dump.partial));
    }
    if (rc)
        json_set_bytes(row, "error", v->why.message, strlen(v->why.message), NULL);
    return row;
}

static int depth_of(const struct cli *cli, enum cartridge_depth *out, struct error *err)
{
    bool headers = cli_flag(cli, "headers");

    if (headers && (cli_flag(cli, "payload") || cli_flag(cli, "protection")))
        return error_set(err, ERR_USAGE, "--headers and %s contradict each other",
                         cli_flag(cli, "payload") ? "--payload" : "--protection");
    *out = headers                       ? CARTRIDGE_HEADERS
           : cli_flag(cli, "protection") ? CARTRIDGE_PROTECTION
                                         : CARTRIDGE_PAYLOADS;
    return 0;
}

static int print_rows(struct cli *cli, json_t *rows, enum cartridge_depth depth, struct error *err)
{
    struct table_column columns[ARRAY_LENGTH(verify_columns)];
    size_t count = COLUMNS_ALWAYS, at = COLUMNS_ALWAYS;

    memcpy(columns, verify_columns, COLUMNS_ALWAYS * sizeof(*columns));
    for (size_t i = 0; i < COLUMNS_PROTECTION; i++, at++)
        if (depth == CARTRIDGE_PROTECTION)
            columns[count++] = verify_columns[at];
    for (size_t i = 0; i < COLUMNS_DUMP; i++, at++)
        if (cli_flag(cli, "dump"))
            columns[count++] = verify_columns[at];
    return cli_print_rows(cli, "cartridges", rows, columns, count, err);
}

int verb_cartridge_verify(struct cli *cli, struct error *err)
{
    enum cartridge_depth depth = CARTRIDGE_PAYLOADS;
    struct config *config;
    unsigned bad = 0, partial = 0;
    json_t *rows;
    int rc = depth_of(cli, &depth, err);

    if (!rc)
        rc = config_load(cli->root, &config, err);
    if (rc)
        return rc;
    config_free(config);
    rows = json_array();
    for (unsigned i = 0; i < cli->operand_count; i++) {
        struct verification v = {.cli = cli,
                                 .barcode = cli->operands[i],
                                 .depth = depth,
                                 .with_dump = cli_flag(cli, "dump"),
                                 .why = ERROR_INIT};
        int done = verify(&v);

        bad += done && done != -ERR_PARTIAL;
        partial += done == -ERR_PARTIAL;
        if (done)
            fprintf(stderr, "capstan: %s: %s\n", v.barcode, v.why.message);
        json_array_append_new(rows, verify_row(&v, done));
    }
    rc = print_rows(cli, rows, depth, err);
    if (!rc && bad)
        rc = error_set(err, ERR_CORRUPT, "%u of %u cartridges are not good", bad,
                       cli->operand_count);
    else if (!rc && partial)
        rc = error_set(err, ERR_PARTIAL, "of %u of %u cartridges not everything could be checked",
                       partial, cli->operand_count);
    return rc;
}
