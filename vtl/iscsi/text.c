/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - see text.h. */
#include "vtl/iscsi/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/checked.h"

/* 6.1: letters, digits and . - + @ _ ; checked so that a key can be echoed safely. */
static bool key_is_legal(struct text key)
{
    if (key.len == 0 || key.len > TEXT_KEY_MAX)
        return false;
    for (size_t i = 0; i < key.len; i++) {
        char c = key.at[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (!letter && !(c >= '0' && c <= '9') && !memchr(".-+@_#", c, 6))
            return false;
    }
    return true;
}

int text_next(struct text *rest, struct text_pair *out, struct error *err)
{
    const char *end, *equals;
    size_t len;

    /* Stray NULs between pairs are padding of some initiators. */
    while (rest->len > 0 && rest->at[0] == '\0') {
        rest->at++;
        rest->len--;
    }
    if (rest->len == 0)
        return 0;
    end = memchr(rest->at, '\0', rest->len);
    len = end ? (size_t)(end - rest->at) : rest->len;
    equals = memchr(rest->at, '=', len);
    if (!equals)
        return error_set(err, ERR_PROTOCOL, "text without '=' (RFC 7143 section 6.1)");
    out->key = (struct text){rest->at, (size_t)(equals - rest->at)};
    out->value = (struct text){equals + 1, len - out->key.len - 1};
    if (!key_is_legal(out->key))
        return error_set(err, ERR_PROTOCOL, "text key of %zu bytes is not a legal key name",
                         out->key.len);
    rest->at += len + (end ? 1 : 0);
    rest->len -= len + (end ? 1 : 0);
    return 1;
}

bool text_list_next(struct text *rest, struct text *element)
{
    const char *comma;

    if (!rest->at)
        return false;
    comma = rest->len ? memchr(rest->at, ',', rest->len) : NULL;
    if (comma) {
        *element = (struct text){rest->at, (size_t)(comma - rest->at)};
        rest->len -= element->len + 1;
        rest->at = comma + 1;
    } else {
        *element = *rest;
        *rest = (struct text){NULL, 0};
    }
    return true;
}

bool text_is(struct text t, const char *word)
{
    return t.len == strlen(word) && memcmp(t.at, word, t.len) == 0;
}

bool text_is_nocase(struct text t, const char *word)
{
    return t.len == strlen(word) && strncasecmp(t.at, word, t.len) == 0;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

static bool has_prefix(struct text t, char letter)
{
    return t.len > 2 && t.at[0] == '0' && (t.at[1] | 0x20) == letter;
}

bool text_number(struct text t, uint64_t *out)
{
    unsigned base = has_prefix(t, 'x') ? 16 : 10;
    uint64_t value = 0;

    if (base == 16)
        t = (struct text){t.at + 2, t.len - 2};
    if (t.len == 0)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        unsigned digit = (unsigned)digit_value(t.at[i]);

        if (digit >= base || !checked_mul(value, base, &value) ||
            !checked_add(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

static bool hex_binary(struct text t, uint8_t *out, size_t size, size_t *len)
{
    if (t.len % 2 != 0 || t.len / 2 > size)
        return false;
    for (size_t i = 0; i < t.len / 2; i++) {
        int high = digit_value(t.at[2 * i]), low = digit_value(t.at[2 * i + 1]);

        if (high > 15 || low > 15)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    *len = t.len / 2;
    return true;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 section 4; padding may be left out, as some initiators do. */
static bool base64_binary(struct text t, uint8_t *out, size_t size, size_t *len)
{
    uint32_t bits = 0;
    unsigned have = 0;

    *len = 0;
    for (int pad = 0; pad < 2 && t.len > 0 && t.at[t.len - 1] == '='; pad++)
        t.len--;
    if (t.len % 4 == 1)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        int value = base64_value(t.at[i]);

        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            if (*len == size)
                return false;
            out[(*len)++] = (uint8_t)(bits >> have);
        }
    }
    return true;
}

bool text_binary(struct text t, uint8_t *out, size_t size, size_t *len)
{
    struct text digits = {t.at + 2, t.len - 2};

    if (has_prefix(t, 'x'))
        return hex_binary(digits, out, size, len) && *len > 0;
    if (has_prefix(t, 'b'))
        return base64_binary(digits, out, size, len) && *len > 0;
    return false;
}

static void append(struct text_builder *b, const char *data, size_t len)
{
    if (b->overflow || len > b->size - b->used) {
        b->overflow = true;
        return;
    }
    if (len)
        memcpy(b->buf + b->used, data, len);
    b->used += len;
}

void text_add(struct text_builder *b, struct text key, struct text value)
{
    append(b, key.at, key.len);
    append(b, "=", 1);
    append(b, value.at, value.len);
    append(b, "", 1);
}

void text_addf(struct text_builder *b, const char *key, const char *fmt, ...)
{
    char value[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(value))
        b->overflow = true;
    else
        text_add(b, text_of(key), (struct text){value, (size_t)n});
}

void text_add_binary(struct text_builder *b, const char *key, const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    append(b, key, strlen(key));
    append(b, "=0x", 3);
    for (size_t i = 0; i < len; i++) {
        append(b, &digits[data[i] >> 4], 1);
        append(b, &digits[data[i] & 15], 1);
    }
    append(b, "", 1);
}
