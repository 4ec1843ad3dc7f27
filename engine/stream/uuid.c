/* SPDX-License-Identifier: Apache-2.0 */
/* uuid.c - the text form of a UUID (RFC 9562 section 4). */
#include <stdio.h>
#include <string.h>

#include "engine/stream/stream.h"

void stream_uuid_format(const uint8_t uuid[16], char text[STREAM_UUID_TEXT])
{
    static const uint8_t none[16];
    char *p = text;

    *p = '\0';
    if (memcmp(uuid, none, sizeof(none)) == 0)
        return;
    for (size_t i = 0; i < 16; i++)
        p += snprintf(p, 4, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdefABCDEF";
    const char *p = c ? strchr(digits, c) : NULL;
    int value = p ? (int)(p - digits) : -1;

    return value > 15 ? value - 6 : value;
}

int stream_uuid_parse(const char *text, uint8_t uuid[16], struct error *err)
{
    const char *p = text;

    memset(uuid, 0, 16);
    if (text[0] == '\0')
        return 0;
    for (size_t i = 0; i < 16; i++) {
        int high, low;

        if (i == 4 || i == 6 || i == 8 || i == 10)
            if (*p++ != '-')
                return error_set(err, ERR_USAGE, "'%.40s' is not a UUID", text);
        high = hex_digit(p[0]);
        low = high < 0 ? -1 : hex_digit(p[1]);
        if (low < 0)
            return error_set(err, ERR_USAGE, "'%.40s' is not a UUID", text);
        uuid[i] = (uint8_t)(high << 4 | low);
        p += 2;
    }
    return *p == '\0' ? 0 : error_set(err, ERR_USAGE, "'%.40s' is not a UUID", text);
}
