/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h - the frame of the `capstan` program: verbs, options, exit codes.
 *
 * A verb is a row of the table in verbs.c; its options are a table beside its code.  The parser,
 * the help and the tests of the manual all work on these tables, so an option that is in one of
 * them is in all.  A verb's code is one function in one file; it prints what it has to say to
 * standard output and returns like every function of the project; the frame prints the error and
 * makes the exit code of it.
 */
#ifndef CAPSTAN_CLI_CLI_H
#define CAPSTAN_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/table.h"

#define CLI_OPTIONS_MAX 24

enum cli_exit { CLI_DONE = 0, CLI_FAILURE = 1, CLI_USAGE = 2, CLI_PARTIAL = 3, CLI_OPERATOR = 4 };

struct cli_option {
    const char *name;     /* without the dashes; NULL ends a table */
    const char *argument; /* what it is called in the help; NULL: the option takes none */
    const char *help;     /* one line */
};

struct cli;

struct cli_verb {
    const char *name; /* one or two words: "cartridge create" */
    const char *operands;
    unsigned operands_min, operands_max;
    const char *summary;              /* one line */
    const char *detail;               /* further lines of the help, or NULL */
    const struct cli_option *options; /* or NULL */
    bool json;                        /* it knows --json */
    int (*run)(struct cli *cli, struct error *err);
    void (*more)(void); /* prints what only the program knows, behind the options; or NULL */
};

/* One invocation. */
struct cli {
    const struct cli_verb *verb;
    const char *root; /* absolute */
    bool json;
    const char
        *values[CLI_OPTIONS_MAX]; /* by row of verb->options; "" for a flag; NULL: not given */
    char **operands;
    unsigned operand_count;
};

/* verbs.c */
const struct cli_verb *cli_verbs(size_t *count);
const struct cli_option *cli_common_options(void); /* --root, --json, --help */

/* options.c: the command line against the tables.  ERR_USAGE. */

/* Fill in *cli from the words behind the verb. *help is true if --help is among them. */
int cli_parse(struct cli *cli, int argc, char **argv, bool *help, struct error *err);
/* The name of a list that is most like word, or NULL if none is near. */
const char *cli_nearest(const char *word, const char *(*name)(size_t i), size_t count);

/* The value of an option of the verb (which must be in its table), or NULL. */
const char *cli_value(const struct cli *cli, const char *option);
bool cli_flag(const struct cli *cli, const char *option);
/* A number from min to max; *out is left alone if the option was not given. */
int cli_number(const struct cli *cli, const char *option, unsigned min, unsigned max, unsigned *out,
               struct error *err);
/* Bytes, with an optional K, M, G, T (powers of 1000) or KiB, MiB, GiB, TiB; as cli_number(). */
int cli_size(const struct cli *cli, const char *option, uint64_t *out, struct error *err);

/* root.c */

/* The library's root: option (may be NULL), $CAPSTAN_ROOT, or the default; absolute. The caller's.
 */
int cli_root(const char *option, char **out, struct error *err);
/* ROOT/name in a new string. */
int cli_path(const struct cli *cli, const char *name, char **out, struct error *err);

/* help.c */
void cli_help(void);                             /* all verbs */
void cli_help_verb(const struct cli_verb *verb); /* one */
int cli_help_json(struct error *err);            /* verbs, options, keys, exit codes */

/* completion.c */
void cli_completion(void); /* for bash */

/* output.c */

/* Perform an operation on the library, whoever has it, and give its result.  args is taken over. */
int cli_perform(const struct cli *cli, const char *op, json_t *args, json_t **result,
                struct error *err);
/* Print result as a document of its own ("format_version" first). */
int cli_print_json(const json_t *result, struct error *err);
/* With --json: {"format_version", key: rows}, else the table. rows is taken over. */
int cli_print_rows(const struct cli *cli, const char *key, json_t *rows,
                   const struct table_column *columns, size_t count, struct error *err);

/* The verbs' own code and tables, one file each: verb_NAME.c */
#define CLI_VERB(name)                                                                             \
    int verb_##name(struct cli *cli, struct error *err);                                           \
    extern const struct cli_option verb_##name##_options[]

CLI_VERB(init);
CLI_VERB(serve);
CLI_VERB(stop);
CLI_VERB(reload);
CLI_VERB(status);
CLI_VERB(cartridge_create);
CLI_VERB(cartridge_list);
CLI_VERB(cartridge_show);
CLI_VERB(cartridge_verify);
CLI_VERB(cartridge_scrub);
CLI_VERB(cartridge_export);
CLI_VERB(cartridge_import);
CLI_VERB(cartridge_clone);
CLI_VERB(cartridge_undo);
CLI_VERB(cartridge_retention);
CLI_VERB(cartridge_rebuild);
CLI_VERB(cartridge_vault);
CLI_VERB(cartridge_unvault);
CLI_VERB(cartridge_vaulted);
CLI_VERB(cartridge_protect);
CLI_VERB(cartridge_delete);
CLI_VERB(cartridge_tag);
CLI_VERB(drive_list);
CLI_VERB(drive_add);
CLI_VERB(drive_remove);
CLI_VERB(drive_eject);
CLI_VERB(slot_list);
CLI_VERB(slot_add);
CLI_VERB(slot_remove);
CLI_VERB(slot_import);
CLI_VERB(slot_export);
CLI_VERB(fault_set);
void verb_fault_set_more(void);
CLI_VERB(fault_clear);
CLI_VERB(fault_list);
CLI_VERB(library_show);
CLI_VERB(library_inventory);
CLI_VERB(move);
CLI_VERB(load);
CLI_VERB(unload);
CLI_VERB(dump);
CLI_VERB(restore);
CLI_VERB(catalog_list);
CLI_VERB(catalog_show);
CLI_VERB(catalog_files);
CLI_VERB(catalog_rebuild);
CLI_VERB(catalog_check);
CLI_VERB(catalog_delete);
CLI_VERB(personality_list);
CLI_VERB(personality_show);
CLI_VERB(mount);
CLI_VERB(exec);
CLI_VERB(version);
CLI_VERB(help);

#endif
