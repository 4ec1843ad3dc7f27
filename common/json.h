/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - what this project adds to jansson: names that are bytes, and documents.
 *
 * File names are bytes, JSON strings are Unicode.  A name that is valid UTF-8 stands as it is; any
 * other is shown with its strange bytes as \xNN, and beside it stands KEY_base64 with the truth.
 *
 * Every document for other programs begins with "format_version" (json_document()), so that a
 * reader can tell when its meaning has changed.
 */
#ifndef CAPSTAN_COMMON_JSON_H
#define CAPSTAN_COMMON_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/error.h"

#define JSON_FORMAT_VERSION 1

/* A new object that holds "format_version"; NULL without memory. The caller's: json_decref(). */
json_t *json_document(void);

/* Set object[key] to the bytes of a name (see above).  0, or -ERR_NO_MEMORY. */
int json_set_bytes(json_t *object, const char *key, const void *bytes, size_t len,
                   struct error *err);

/* Set object[key] to a time: RFC 3339 in UTC, and beside it KEY_ns, in ns since 1970. */
int json_set_time(json_t *object, const char *key, int64_t ns, struct error *err);

/* Print the document and a newline to stream, indented.  ERR_IO if it could not be written. */
int json_print(const json_t *document, FILE *stream, struct error *err);

/* Members of an object with a fallback for those that are missing or of another kind. */
const char *json_get_text(const json_t *object, const char *key, const char *fallback);
int64_t json_get_integer(const json_t *object, const char *key, int64_t fallback);

#endif
