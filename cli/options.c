/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - the command line against the tables of options: see cli.h. */
#include "cli/cli.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"

#define COMMON_BASE 1000 /* getopt's value for row 0 of the common options */
#define OWN_BASE    2000 /* ... and of the verb's own */

static size_t add_options(struct option *all, size_t used, const struct cli_option *options,
                          bool json, int base)
{
    for (size_t i = 0; options && options[i].name; i++) {
        if (base == COMMON_BASE && !json && strcmp(options[i].name, "json") == 0)
            continue;
        assert(i < CLI_OPTIONS_MAX);
        all[used++] =
            (struct option){options[i].name, options[i].argument ? required_argument : no_argument,
                            NULL, base + (int)i};
    }
    return used;
}

/* ---- hints ------------------------------------------------------------------------------- */

#define NEAR_MAX 24 /* longer words are not compared */

/* Levenshtein's distance. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[NEAR_MAX + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > NEAR_MAX || lb > NEAR_MAX)
        return NEAR_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned corner = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned best = corner + (a[i - 1] != b[j - 1]);

            corner = row[j];
            best = best < row[j] + 1 ? best : row[j] + 1;
            row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
        }
    }
    return row[lb];
}

const char *cli_nearest(const char *word, const char *(*name)(size_t i), size_t count)
{
    const char *nearest = NULL;
    unsigned least = 3;

    for (size_t i = 0; i < count; i++) {
        unsigned d = distance(word, name(i));

        if (d < least) {
            least = d;
            nearest = name(i);
        }
    }
    return nearest;
}

/* getopt_long() does not say which word it stumbled over when it is a long one. */
static int refuse(const struct cli *cli, const struct option *all, size_t count, char **argv,
                  int found, struct error *err)
{
    const char *given = optind > 0 && argv[optind - 1] ? argv[optind - 1] : "";
    const char *nearest = NULL;
    char word[64]; /* without "=value" */
    unsigned least = 3;

    snprintf(word, sizeof(word), "%.*s", (int)strcspn(given, "="), given);
    if (found == ':')
        return error_set(err, ERR_USAGE, "the option %.60s of 'capstan %s' needs a value", word,
                         cli->verb->name);
    if (optopt >= COMMON_BASE)
        return error_set(err, ERR_USAGE, "the option %.60s of 'capstan %s' takes no value", word,
                         cli->verb->name);
    for (size_t i = 0; i < count && strncmp(word, "--", 2) == 0; i++) {
        unsigned d = distance(word + 2, all[i].name);

        if (d < least) {
            least = d;
            nearest = all[i].name;
        }
    }
    if (optopt && strncmp(word, "--", 2) != 0)
        return error_set(err, ERR_USAGE, "'capstan %s' has no option -%c", cli->verb->name, optopt);
    return error_set(err, ERR_USAGE, "'capstan %s' has no option %.60s%s%s%s", cli->verb->name,
                     word, nearest ? "; did you mean --" : "", nearest ? nearest : "",
                     nearest ? "?" : "");
}

static int check_operands(const struct cli *cli, struct error *err)
{
    const struct cli_verb *verb = cli->verb;

    if (cli->operand_count < verb->operands_min)
        return error_set(err, ERR_USAGE, "'capstan %s' needs: %s", verb->name, verb->operands);
    if (cli->operand_count > verb->operands_max)
        return verb->operands_max == 0
                   ? error_set(err, ERR_USAGE, "'capstan %s' takes no operands, but got '%.60s'",
                               verb->name, cli->operands[0])
                   : error_set(err, ERR_USAGE, "'capstan %s' takes only: %s; '%.60s' is too many",
                               verb->name, verb->operands, cli->operands[verb->operands_max]);
    for (unsigned i = 0; i < cli->operand_count; i++)
        if (cli->operands[i][0] == '\0')
            return error_set(err, ERR_USAGE, "an operand of 'capstan %s' is empty", verb->name);
    return 0;
}

/* One of the options every verb has. */
static void take_common(struct cli *cli, const char *name, bool *help)
{
    if (strcmp(name, "root") == 0)
        cli->root = optarg;
    else if (strcmp(name, "json") == 0)
        cli->json = true;
    else
        *help = true;
}

int cli_parse(struct cli *cli, int argc, char **argv, bool *help, struct error *err)
{
    struct option all[2 * CLI_OPTIONS_MAX] = {{0}};
    size_t count = add_options(all, 0, cli_common_options(), cli->verb->json, COMMON_BASE);
    int found;

    count = add_options(all, count, cli->verb->options, true, OWN_BASE);
    opterr = 0;
    optind = 1;
    while ((found = getopt_long(argc, argv, ":h", all, NULL)) != -1) {
        if (found == ':' || found == '?')
            return refuse(cli, all, count, argv, found, err);
        if (found == 'h')
            *help = true;
        else if (found >= OWN_BASE)
            cli->values[found - OWN_BASE] = optarg ? optarg : "";
        else
            take_common(cli, cli_common_options()[found - COMMON_BASE].name, help);
    }
    cli->operands = argv + optind;
    cli->operand_count = (unsigned)(argc - optind);
    return *help ? 0 : check_operands(cli, err);
}

/* ---- values ------------------------------------------------------------------------------ */

const char *cli_value(const struct cli *cli, const char *option)
{
    const struct cli_option *options = cli->verb->options;

    for (size_t i = 0; options[i].name; i++)
        if (strcmp(options[i].name, option) == 0)
            return cli->values[i];
    /* Asking for an option that the table does not have is a fault of the program. */
    abort();
}

bool cli_flag(const struct cli *cli, const char *option)
{
    return cli_value(cli, option) != NULL;
}

int cli_number(const struct cli *cli, const char *option, unsigned min, unsigned max, unsigned *out,
               struct error *err)
{
    const char *text = cli_value(cli, option);
    unsigned long n;
    char *end;

    if (!text)
        return 0;
    errno = 0;
    n = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || n < min || n > max)
        return error_set(err, ERR_USAGE, "--%s must be a number from %u to %u, not '%.40s'", option,
                         min, max, text);
    *out = (unsigned)n;
    return 0;
}

static uint64_t unit_factor(const char *unit)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {
        {"", 1},
        {"B", 1},
        {"K", 1000},
        {"KB", 1000},
        {"M", 1000000},
        {"MB", 1000000},
        {"G", 1000000000},
        {"GB", 1000000000},
        {"T", 1000000000000},
        {"TB", 1000000000000},
        {"KiB", 1ull << 10},
        {"MiB", 1ull << 20},
        {"GiB", 1ull << 30},
        {"TiB", 1ull << 40},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
        if (strcmp(units[i].name, unit) == 0)
            return units[i].factor;
    return 0;
}

int cli_size(const struct cli *cli, const char *option, uint64_t *out, struct error *err)
{
    const char *text = cli_value(cli, option);
    unsigned long long n;
    uint64_t factor, size;
    char *end;

    if (!text)
        return 0;
    errno = 0;
    n = strtoull(text, &end, 10);
    factor = unit_factor(end);
    if (text[0] < '0' || text[0] > '9' || errno || !factor ||
        !checked_mul((uint64_t)n, factor, &size) || size == 0 || size > INT64_MAX)
        return error_set(err, ERR_USAGE, "--%s must be a size as 500M, 12T or 1GiB, not '%.40s'",
                         option, text);
    *out = size;
    return 0;
}
