/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - see json.h. */
#include "common/json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"

json_t *json_document(void)
{
    return json_pack("{si}", "format_version", JSON_FORMAT_VERSION);
}

static int no_memory(struct error *err)
{
    return error_set(err, ERR_NO_MEMORY, "there is no memory left for a JSON document");
}

/* RFC 4648 section 4. */
static char *base64(const uint8_t *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc((len + 2) / 3 * 4 + 1);
    char *p = text;

    if (!text)
        return NULL;
    for (size_t i = 0; i < len; i += 3) {
        size_t have = len - i < 3 ? len - i : 3;
        uint32_t v = (uint32_t)bytes[i] << 16;

        v |= have > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        v |= have > 2 ? bytes[i + 2] : 0;
        *p++ = digits[v >> 18];
        *p++ = digits[v >> 12 & 63];
        *p++ = have > 1 ? digits[v >> 6 & 63] : '=';
        *p++ = have > 2 ? digits[v & 63] : '=';
    }
    *p = '\0';
    return text;
}

/* The bytes with everything outside of printable ASCII as \xNN. */
static char *escape_all(const uint8_t *bytes, size_t len)
{
    char *text = malloc(len * 4 + 1);
    char *p = text;

    if (!text)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] >= 0x20 && bytes[i] < 0x7f)
            *p++ = (char)bytes[i];
        else
            p += snprintf(p, sizeof("\\xff"), "\\x%02x", bytes[i]);
    }
    *p = '\0';
    return text;
}

int json_set_bytes(json_t *object, const char *key, const void *bytes, size_t len,
                   struct error *err)
{
    CLEANUP_FREE char *escaped = NULL;
    CLEANUP_FREE char *encoded = NULL;
    char other[80];
    json_t *plain;

    /* jansson refuses what is not UTF-8; a NUL inside is legal JSON but no name. */
    plain = memchr(bytes, '\0', len) ? NULL : json_stringn(bytes, len);
    if (plain)
        return json_object_set_new(object, key, plain) ? no_memory(err) : 0;
    escaped = escape_all(bytes, len);
    encoded = base64(bytes, len);
    snprintf(other, sizeof(other), "%s_base64", key);
    if (!escaped || !encoded || json_object_set_new(object, key, json_string(escaped)) ||
        json_object_set_new(object, other, json_string(encoded)))
        return no_memory(err);
    return 0;
}

int json_set_time(json_t *object, const char *key, int64_t ns, struct error *err)
{
    time_t seconds = (time_t)(ns / 1000000000 - (ns % 1000000000 < 0));
    char text[40] = "", other[80];
    struct tm tm;

    if (gmtime_r(&seconds, &tm))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    snprintf(other, sizeof(other), "%s_ns", key);
    if (json_object_set_new(object, key, json_string(text)) ||
        json_object_set_new(object, other, json_integer(ns)))
        return no_memory(err);
    return 0;
}

int json_print(const json_t *document, FILE *stream, struct error *err)
{
    if (json_dumpf(document, stream, JSON_INDENT(2)) || fputc('\n', stream) == EOF ||
        fflush(stream) == EOF)
        return error_errno(err, "the output could not be written");
    return 0;
}

const char *json_get_text(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : fallback;
}

int64_t json_get_integer(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(object, key);

    return json_is_integer(value) ? json_integer_value(value) : fallback;
}
