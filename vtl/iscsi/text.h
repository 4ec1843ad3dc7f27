/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h - key=value text of Login and Text PDUs (RFC 7143 section 6.1).
 *
 * Invariants:
 *   1. Text is length and pointer; nothing here needs or adds a terminating NUL.
 *   2. A pair points into the caller's text and lives as long as that.
 *   3. A builder never writes behind its buffer: what does not fit sets overflow.
 */
#ifndef CAPSTAN_VTL_ISCSI_TEXT_H
#define CAPSTAN_VTL_ISCSI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define TEXT_KEY_MAX 63 /* RFC 7143 section 6.1 */

struct text {
    const char *at;
    size_t len;
};

struct text_pair {
    struct text key, value;
};

/* Take the next pair off *rest: 1, or 0 at the end (*out untouched), or ERR_PROTOCOL for what is no
 * key=value pair.  A last pair without its NUL is taken. */
int text_next(struct text *rest, struct text_pair *out, struct error *err);

/* Take the next element off a comma-separated list; false at the end. */
bool text_list_next(struct text *rest, struct text *element);

bool text_is(struct text t, const char *word);
bool text_is_nocase(struct text t, const char *word);

/* A number as 13.x writes it: decimal or 0x hexadecimal, no sign.  False for anything else and for
 * what does not fit. */
bool text_number(struct text t, uint64_t *out);

/* A binary value (6.1): "0x" and an even number of hex digits, or "0b" and base64.  At most size
 * bytes; *len is set.  False if it is malformed, empty or too long. */
bool text_binary(struct text t, uint8_t *out, size_t size, size_t *len);

struct text_builder {
    char *buf;
    size_t size, used;
    bool overflow;
};

/* Append key=value and a NUL. */
void text_add(struct text_builder *b, struct text key, struct text value);
void text_addf(struct text_builder *b, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Append key=0x... in hexadecimal. */
void text_add_binary(struct text_builder *b, const char *key, const uint8_t *data, size_t len);

static inline struct text text_of(const char *s)
{
    struct text t = {s, __builtin_strlen(s)};

    return t;
}

#endif
