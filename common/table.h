/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - listings for people: rows of JSON objects laid out in columns.
 *
 * A listing is made once, as a JSON array of objects; `--json` prints that array, a table shows the
 * columns of it that a person wants.  So the two can never disagree.
 */
#ifndef CAPSTAN_COMMON_TABLE_H
#define CAPSTAN_COMMON_TABLE_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "common/error.h"

enum table_kind {
    TABLE_TEXT,   /* a string, or a number as it is; left-aligned */
    TABLE_NUMBER, /* right-aligned */
    TABLE_SIZE,   /* bytes, shown as "1.5 GB"; right-aligned */
    TABLE_TIME,   /* an RFC 3339 string, shown as "2026-11-20 12:00" */
    TABLE_YES,    /* a boolean, shown as "yes" or "no" */
};

struct table_column {
    const char *heading; /* upper-case */
    const char *key;     /* member of the row's object */
    enum table_kind kind;
};

/* Print rows (an array of objects) to stream; a member that is missing or null is "-".  An empty
 * array prints the headings only. */
int table_print(FILE *stream, const struct table_column *columns, size_t count, const json_t *rows,
                struct error *err);

/* "999 B", "1.5 KB", "12.0 GB": powers of 1000, as tape drives and disks are sold.  buf has at
 * least 16 bytes.  Returns buf. */
char *size_text(char *buf, uint64_t bytes);

#endif
