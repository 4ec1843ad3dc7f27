/* SPDX-License-Identifier: Apache-2.0 */
/* saved.c - what a unit remembers in the library: saved pages, registrations, its identifier. */
#include <stdio.h>

#include "vtl/scsi/internal.h"

enum { NAME_SIZE = 64 };

/* False: the unit has no place to remember in. */
static bool value_name(const struct scsi_lu *lu, const char *what, char name[NAME_SIZE])
{
    if (lu->kind == &changer_kind)
        snprintf(name, NAME_SIZE, "changer.%s", what);
    else if (lu->kind == &drive_kind)
        snprintf(name, NAME_SIZE, "drive.%u.%s", lu->lun - 1, what);
    else
        return false;
    return true;
}

static int no_place(const struct scsi_lu *lu, struct error *err)
{
    return error_set(err, ERR_NOT_FOUND, "Logical unit %u remembers nothing", lu->lun);
}

int lu_value_set(const struct scsi_lu *lu, const char *what, const void *bytes, size_t len,
                 struct error *err)
{
    char name[NAME_SIZE];

    if (!value_name(lu, what, name))
        return no_place(lu, err);
    return library_value_set(lu->target->library, name, bytes, len, err);
}

int lu_value_get(const struct scsi_lu *lu, const char *what, void *buf, size_t size, size_t *len,
                 struct error *err)
{
    char name[NAME_SIZE];

    if (!value_name(lu, what, name))
        return no_place(lu, err);
    return library_value_get(lu->target->library, name, buf, size, len, err);
}

void lu_values_forget(const struct scsi_lu *lu)
{
    static const char *const of_hosts[] = {"mode", "log", "reserve", "identifier",
                                           "identifier.text"};

    for (size_t i = 0; i < ARRAY_LENGTH(of_hosts); i++)
        (void)lu_value_set(lu, of_hosts[i], "", 0, NULL);
}
