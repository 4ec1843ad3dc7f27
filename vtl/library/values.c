/* SPDX-License-Identifier: Apache-2.0 */
/* values.c - what the devices of a library remember: small named values in library.db. */
#include <string.h>

#include "common/cleanup.h"
#include "vtl/library/internal.h"

enum { NAME_LENGTH_MAX = 64 };

static int check_name(const char *name, struct error *err)
{
    size_t len = strlen(name);

    if (len == 0 || len > NAME_LENGTH_MAX ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") != len)
        return error_set(err, ERR_RANGE, "\"%.70s\" can't be the name of a value", name);
    return 0;
}

int library_value_set(struct library *lib, const char *name, const void *bytes, size_t len,
                      struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    int rc = check_name(name, err);

    if (rc == 0 && len > LIBRARY_VALUE_MAX)
        rc = error_set(err, ERR_RANGE, "The value %s would have %zu bytes; %d are allowed", name,
                       len, LIBRARY_VALUE_MAX);
    return rc == 0 ? places_set_value(lib->places, name, bytes, len, err) : rc;
}

int library_value_get(struct library *lib, const char *name, void *buf, size_t size, size_t *len,
                      struct error *err)
{
    CLEANUP_UNLOCK(&lib->lock);
    int rc = check_name(name, err);

    return rc == 0 ? places_get_value(lib->places, name, buf, size, len, err) : rc;
}
