/* SPDX-License-Identifier: Apache-2.0 */
/* address.c - see address.h. */
#include "vtl/iscsi/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT "3260"

int address_split(const char *address, char host[ADDRESS_HOST_MAX], char port[ADDRESS_PORT_MAX],
                  struct error *err)
{
    const char *colon = strrchr(address, ':'), *end = address + strlen(address);
    const char *host_at = address, *host_end = colon ? colon : end;

    if (address[0] == '[') {
        const char *bracket = strchr(address, ']');

        if (!bracket || (bracket[1] != '\0' && bracket[1] != ':'))
            return error_set(err, ERR_RANGE, "portal %s: write an IPv6 address as [::1]:3260",
                             address);
        host_at = address + 1;
        host_end = bracket;
        colon = bracket[1] == ':' ? bracket + 1 : NULL;
    } else if (colon && memchr(address, ':', (size_t)(colon - address))) {
        return error_set(err, ERR_RANGE, "portal %s: write an IPv6 address as [::1]:3260", address);
    }
    if (host_end == host_at || host_end - host_at > 255 || (colon && end - colon > 6) ||
        (colon && colon + 1 == end))
        return error_set(err, ERR_RANGE, "portal '%s' is no address like 127.0.0.1:3260", address);
    if (colon && (strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
                  strtoul(colon + 1, NULL, 10) > 65535))
        return error_set(err, ERR_RANGE, "portal %s: a port is a number up to 65535", address);
    snprintf(host, ADDRESS_HOST_MAX, "%.*s", (int)(host_end - host_at), host_at);
    snprintf(port, ADDRESS_PORT_MAX, "%s", colon ? colon + 1 : DEFAULT_PORT);
    return 0;
}

int address_check(const char *address, struct error *err)
{
    char host[ADDRESS_HOST_MAX], port[ADDRESS_PORT_MAX];
    int rc = address_split(address, host, port, err);

    if (!rc && (strpbrk(address, " ,\t\r\n") || strtoul(port, NULL, 10) == 0))
        rc = error_set(err, ERR_RANGE, "'%s' is no address like 192.0.2.7:3260", address);
    return rc;
}
