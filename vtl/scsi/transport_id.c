/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transport_id.c - initiator ports by name, and as TransportIDs (SPC-5, iSCSI TransportIDs).
 *
 * An iSCSI port is "<iSCSI name>,i,0x<ISID>" (RFC 7143 4.2.7); hosts differ in whether they write
 * the ISID's leading zeros.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/bytes.h"
#include "vtl/scsi/reply.h"
#include "vtl/scsi/reserve.h"

enum { ISCSI_DEVICE = 0x05, ISCSI_PORT = 0x45, HEADER = 4, NAME_MIN = 20, ISID_DIGITS = 12 };

static const char separator[] = ",i,0x";

/* Length of the name and the ISID; false if it is no port's. */
static bool port_split(const char *name, size_t *len, uint64_t *isid)
{
    const char *at = strstr(name, separator), *digits;
    size_t count;

    if (!at || at == name)
        return false;
    digits = at + strlen(separator);
    count = strspn(digits, "0123456789abcdefABCDEF");
    if (count == 0 || count > ISID_DIGITS || digits[count] != '\0')
        return false;
    *len = (size_t)(at - name);
    *isid = strtoull(digits, NULL, 16);
    return true;
}

bool port_name_equal(const char *a, const char *b)
{
    size_t a_len, b_len;
    uint64_t a_isid, b_isid;

    if (!port_split(a, &a_len, &a_isid) || !port_split(b, &b_len, &b_isid))
        return strcmp(a, b) == 0;
    return a_len == b_len && a_isid == b_isid && strncasecmp(a, b, a_len) == 0;
}

void transport_id_put(struct reply *r, const char *name)
{
    size_t len = strlen(name) + 1, padded = (len + 3) / 4 * 4;

    if (padded < NAME_MIN)
        padded = NAME_MIN;
    reply_u8(r, strstr(name, separator) ? ISCSI_PORT : ISCSI_DEVICE);
    reply_u8(r, 0);
    reply_be16(r, (unsigned)padded);
    reply_bytes(r, name, len);
    reply_zero(r, padded - len);
}

bool transport_id_parse(const uint8_t *data, size_t len, char name[PORT_NAME_MAX])
{
    size_t room = len - HEADER, name_len;
    uint64_t isid;

    if (len < HEADER + NAME_MIN || len % 4 != 0 || data[0] != ISCSI_PORT || data[1] != 0 ||
        get_be16(data + 2) != room)
        return false;
    name_len = strnlen((const char *)data + HEADER, room);
    if (name_len == room || name_len >= PORT_NAME_MAX)
        return false;
    for (size_t i = 0; i < name_len; i++) {
        if (!isgraph(data[HEADER + i]))
            return false;
    }
    memcpy(name, data + HEADER, name_len + 1);
    return port_split(name, &name_len, &isid);
}
