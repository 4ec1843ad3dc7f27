/* SPDX-License-Identifier: Apache-2.0 */
/* session_url.c - HOST[:PORT]/TARGET/LUN taken apart (session.h). */
#include "engine/tape/session.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT "3260" /* RFC 7143 section 4.2.7 */
#define LUN_MAX      16383  /* flat space addressing, SAM-5 section 4.7.7.3 */

static int url_error(const char *rest, const char *why, struct error *err)
{
    return error_set(err, ERR_USAGE, "iscsi://%s: %s; write iscsi://HOST[:PORT]/TARGET/LUN", rest,
                     why);
}

static int parse_number(const char *text, long max, long *out)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return -1;
    errno = 0;
    *out = strtol(text, &end, 10);
    return *end || errno || *out > max ? -1 : 0;
}

/* host[:port] of len bytes; adds the default port. */
static int parse_portal(const char *rest, size_t len, struct session_url *url, struct error *err)
{
    char text[sizeof(url->portal) - sizeof(DEFAULT_PORT) - 1];
    const char *host_end, *port;
    long number;

    if (len == 0 || len >= sizeof(text))
        return url_error(rest, "the host is missing or too long", err);
    memcpy(text, rest, len);
    text[len] = '\0';
    if (strchr(text, '@'))
        return url_error(rest, "a user name does not belong into the URL", err);
    host_end = text[0] == '[' ? strchr(text, ']') : text;
    if (!host_end)
        return url_error(rest, "the address lacks its closing bracket", err);
    port = strchr(host_end, ':');
    if (port == text)
        return url_error(rest, "the host is missing", err);
    if (port && (parse_number(port + 1, 65535, &number) != 0 || number == 0))
        return url_error(rest, "the port is not a number from 1 to 65535", err);
    snprintf(url->portal, sizeof(url->portal), "%s%s", text, port ? "" : ":" DEFAULT_PORT);
    return 0;
}

int session_url_parse(const char *rest, struct session_url *url, struct error *err)
{
    const char *target = strchr(rest, '/');
    const char *lun = target ? strchr(target + 1, '/') : NULL;
    long number;

    if (!lun)
        return url_error(rest, "the target or the LUN is missing", err);
    if (lun - target - 1 < 1 || (size_t)(lun - target - 1) >= sizeof(url->target))
        return url_error(rest, "the name of the target is missing or too long", err);
    if (parse_number(lun + 1, LUN_MAX, &number) != 0)
        return url_error(rest, "the LUN is not a number from 0 to 16383", err);
    memcpy(url->target, target + 1, (size_t)(lun - target - 1));
    url->target[lun - target - 1] = '\0';
    url->lun = (int)number;
    return parse_portal(rest, (size_t)(target - rest), url, err);
}
