/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - ROOT/capstan.conf: what a library is made of and how it is reached.
 *
 * An INI file (capstan.conf(5)).  Every key is a row of one table (config_keys()), from which the
 * parser, the file that `capstan init` writes, the help and the tests of the manual are made.
 *
 * Invariants:
 *   1. What is not in the table is refused: no unknown section or key, no key twice, no number
 *      outside its range.  The sentence names the file, the line and the key.
 *   2. The file is hostile: it is read line by line with bounds, and only if it is a regular file.
 *   3. Secrets are never in the file itself: it names files that only the owner can read.  They are
 *      read by config_load_secrets(), never logged, and wiped by config_free().
 *
 * Thread rule: a struct config is read-only once it is loaded; then any thread.
 */
#ifndef CAPSTAN_VTL_CONTROL_CONFIG_H
#define CAPSTAN_VTL_CONTROL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/error.h"
#include "vtl/iscsi/iscsid.h"
#include "vtl/library/library.h"

#define CONFIG_FILE_NAME  "capstan.conf"
#define CONFIG_LIST_MAX   64
#define CONFIG_FILE_MAX   (1u << 20) /* bytes; a full list of initiators is some 15 KiB */
#define CONFIG_TEXT_MAX   256        /* room for one text value */
#define CONFIG_SECRET_MIN 12         /* bytes: RFC 7143 section 9.2.1 asks for 96 bits */
#define CONFIG_SECRET_MAX 255

struct config_list {
    unsigned count;
    char *item[CONFIG_LIST_MAX];
};

struct config {
    char *root; /* absolute path of the library */
    char *path; /* of the file that was read */

    /* [library] */
    char name[CONFIG_TEXT_MAX];
    char serial[CONFIG_TEXT_MAX];
    unsigned drives, slots, import_export;
    char compression[CONFIG_TEXT_MAX];                                 /* by name */
    unsigned test_disk;                                                /* MiB; 0: none */
    char library_model[CONFIG_TEXT_MAX], drive_model[CONFIG_TEXT_MAX]; /* names of personalities */
    struct config_list drive_models; /* of some drives, over drive_model: "0=NAME", "2-3=NAME" */

    /* [iscsi] */
    char target[CONFIG_TEXT_MAX];
    struct config_list portals; /* "ADDRESS:PORT", or with a portal group "TAG=ADDRESS:PORT" */
    struct config_list initiators;
    struct config_list views;        /* "INITIATOR=LUNS", see config_view.h */
    char redirect[CONFIG_TEXT_MAX];  /* "": the target is here */
    char initiator[CONFIG_TEXT_MAX]; /* what dump and restore call themselves; "": the default */

    /* [chap]; the secrets are "" until config_load_secrets() */
    char user[CONFIG_TEXT_MAX], secret_file[CONFIG_TEXT_MAX];
    char mutual_user[CONFIG_TEXT_MAX], mutual_secret_file[CONFIG_TEXT_MAX];
    bool discovery;
    char secret[CONFIG_SECRET_MAX + 1], mutual_secret[CONFIG_SECRET_MAX + 1];

    /* views, parsed: by config_read() */
    struct iscsid_view *parsed;
    unsigned parsed_count;
};

enum config_kind { CONFIG_TEXT, CONFIG_NUMBER, CONFIG_BOOL, CONFIG_LIST };

struct config_key {
    const char *section, *key;
    enum config_kind kind;
    unsigned min, max;    /* NUMBER: the value; TEXT: its length; LIST: items */
    const char *fallback; /* value if the key is missing; NULL: the key is required */
    const char *help;     /* one line */
    const char *(*refusal)(
        const char *value); /* why a text or an item is not allowed; NULL: it is */
    size_t offset;          /* in struct config */
};

/* What [library] compression names. */
enum cartridge_compression config_compression(const struct config *config);

/* The table; *count is its length. */
const struct config_key *config_keys(size_t *count);

/* Read and check ROOT/capstan.conf.  ERR_NOT_FOUND: there is none (root is no library);
 * ERR_FORMAT: the file is not right.  *out is the caller's: config_free(). */
int config_load(const char *root, struct config **out, struct error *err);

/* The same from an open stream; path is for messages only. */
int config_read(FILE *stream, const char *path, const char *root, struct config **out,
                struct error *err);

/* A configuration with every default, for `init`; serial and target are "". */
int config_default(const char *root, struct config **out, struct error *err);

/* Set one key from text, with the checks of the table.  ERR_RANGE. */
int config_set(struct config *config, const char *section, const char *key, const char *value,
               struct error *err);

/* Write ROOT/capstan.conf, each key with its help, atomically and durably.  ERR_EXISTS. */
int config_write(const struct config *config, struct error *err);

/* Change one value of ROOT/capstan.conf and nothing else in it, atomically and durably.  value must
 * be one that the table allows.  Loaded configurations stay as they are. */
int config_edit(const char *root, const char *section, const char *key, const char *value,
                struct error *err);

/* Read the secret files.  ERR_PERMISSION: a file can be read by others; ERR_RANGE: a secret is too
 * short or too long; ERR_USAGE: a user without a secret, or the same secret in both directions. */
int config_load_secrets(struct config *config, struct error *err);

/* Whether both have the same value of a key. */
bool config_same(const struct config *a, const struct config *b, const struct config_key *key);

/* Portal n of the list: its address, in the list, and its portal group. */
const char *config_portal(const struct config *config, unsigned n, uint16_t *tag);

void config_geometry(const struct config *config, struct library_geometry *out);
/* The options point into config, which must outlive them. */
void config_iscsi_options(const struct config *config, struct iscsid_options *out);

void config_free(struct config *config); /* NULL is allowed */

#endif
