/* SPDX-License-Identifier: Apache-2.0 */
/* config_text.c - see config_text.h. */
#include "vtl/control/config_text.h"

#include <stdlib.h>
#include <string.h>

#include "vtl/control/config.h"
#include "vtl/control/config_view.h"

static bool only_of(const char *value, const char *allowed)
{
    return value[strspn(value, allowed)] == '\0';
}

const char *config_serial_refusal(const char *value)
{
    return only_of(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
               ? NULL
               : "a serial number is made of A-Z and 0-9";
}

const char *config_iscsi_name_refusal(const char *value)
{
    bool type = strncmp(value, "iqn.", 4) == 0 || strncmp(value, "eui.", 4) == 0 ||
                strncmp(value, "naa.", 4) == 0;

    if (*value == '\0')
        return NULL;
    if (!type || value[4] == '\0')
        return "an iSCSI name begins with iqn., eui. or naa.";
    return only_of(value, "abcdefghijklmnopqrstuvwxyz0123456789.:-")
               ? NULL
               : "an iSCSI name is made of a-z, 0-9, '.', ':' and '-'";
}

const char *config_initiator_refusal(const char *value)
{
    char name[CONFIG_TEXT_MAX];
    size_t len = strlen(value);

    if (len >= sizeof(name))
        return "it is too long";
    memcpy(name, value, len + 1);
    if (len > 0 && name[len - 1] == '*')
        name[len - 1] = '\0';
    else if (len < 5)
        return "an iSCSI name begins with iqn., eui. or naa.";
    return only_of(name, "abcdefghijklmnopqrstuvwxyz0123456789.:-")
               ? NULL
               : "an initiator's name is made of a-z, 0-9, '.', ':' and '-', and may end in '*'";
}

static const char *portal_refusal(const char *value)
{
    static const char wanted[] = "a portal is ADDRESS:PORT, as in 127.0.0.1:3260 or [::1]:3260";
    const char *colon = strrchr(value, ':');
    size_t digits = colon ? strlen(colon + 1) : 0;

    if (!colon || colon == value || digits == 0 || digits > 5)
        return wanted;
    if (!only_of(colon + 1, "0123456789") || strtol(colon + 1, NULL, 10) > 65535)
        return wanted;
    if (value[0] != '[' && memchr(value, ':', (size_t)(colon - value)))
        return "an IPv6 address stands in brackets, as in [::1]:3260";
    if (value[0] == '[' && colon[-1] != ']')
        return wanted;
    return NULL;
}

const char *config_portal_parts(const char *value, unsigned *tag)
{
    size_t digits = strspn(value, "0123456789");
    unsigned long number;

    *tag = 1;
    if (value[digits] != '=')
        return value;
    number = digits > 0 && digits <= 5 ? strtoul(value, NULL, 10) : 0;
    *tag = number <= UINT16_MAX ? (unsigned)number : 0;
    return value + digits + 1;
}

const char *config_grouped_portal_refusal(const char *value)
{
    unsigned tag;
    const char *address = config_portal_parts(value, &tag);

    return tag ? portal_refusal(address)
               : "a portal group is a number from 1 to 65535, as in 2=192.0.2.7:3260";
}

const char *config_redirect_refusal(const char *value)
{
    if (*value == '\0')
        return NULL;
    if (!strchr(value, ':') || strpbrk(value, " ,\t") ||
        strtol(strrchr(value, ':') + 1, NULL, 10) == 0)
        return "it must be ADDRESS:PORT of another target, as in 192.0.2.7:3260";
    return portal_refusal(value);
}

/* What is before the '=' must be a name, behind it logical units. */
const char *config_view_refusal(const char *value)
{
    char name[CONFIG_TEXT_MAX];
    struct scsi_view view;
    size_t len;
    const char *why = config_view_parse(value, LIBRARY_DRIVES_MAX, &len, &view);

    if (why || len >= sizeof(name))
        return why ? why : "the initiator's name is too long";
    memcpy(name, value, len);
    name[len] = '\0';
    return config_initiator_refusal(name);
}

/* Whether there is such a model, is for models_load(). */
const char *config_model_refusal(const char *value)
{
    return only_of(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
               ? NULL
               : "the name of a model is made of A-Z, a-z, 0-9, '-', '_' and '.'";
}

const char *config_drive_model_refusal(const char *value)
{
    const char digits[] = "0123456789";
    size_t first = strspn(value, digits), last = 1;
    const char *at = value + first;

    if (*at == '-') {
        last = strspn(at + 1, digits);
        at += 1 + last;
    }
    if (first < 1 || first > 3 || last < 1 || last > 3 || *at != '=' || !at[1])
        return "it must be DRIVE=MODEL or FIRST-LAST=MODEL, as in 2-3=IBM-ULT3580-TD9";
    return config_model_refusal(at + 1);
}
