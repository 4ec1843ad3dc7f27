/* SPDX-License-Identifier: Apache-2.0 */
/* place.c - see place.h. */
#include "vtl/control/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"

static const struct place_kind {
    const char *prefix;
    enum element_type type;
    unsigned first; /* number of the first one */
    const char *what;
} kinds[] = {
    {"slot:", ELEMENT_SLOT, 1, "slot"},
    {"ie:", ELEMENT_IMPORT_EXPORT, 1, "import/export element"},
    {"drive:", ELEMENT_DRIVE, 0, "drive"},
};

static unsigned kind_count(const struct library *lib, const struct place_kind *kind)
{
    const struct library_geometry *g = library_geometry(lib);

    return kind->type == ELEMENT_SLOT    ? g->slots
           : kind->type == ELEMENT_DRIVE ? g->drives
                                         : g->import_export;
}

static bool number_parse(const char *text, unsigned long *out)
{
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *out = strtoul(text, &end, 0);
    return !*end && !errno;
}

static int resolve_numbered(struct library *lib, const struct place_kind *kind, const char *number,
                            struct library_element *out, struct error *err)
{
    unsigned count = kind_count(lib, kind);
    unsigned long n;

    if (!number_parse(number, &n))
        return error_set(err, ERR_USAGE, "'%.40s' is not the number of a %s", number, kind->what);
    if (n < kind->first || n - kind->first >= count)
        return count == 0
                   ? error_set(err, ERR_NOT_FOUND, "this library has no %s", kind->what)
                   : error_set(err, ERR_NOT_FOUND, "there is no %s %lu: they are numbered %u to %u",
                               kind->what, n, kind->first, kind->first + count - 1);
    return library_element(lib, (uint16_t)(library_first(lib, kind->type) + n - kind->first), out,
                           err);
}

static int resolve_address(struct library *lib, unsigned long address, struct library_element *out,
                           struct error *err)
{
    if (address > UINT16_MAX || address == library_first(lib, ELEMENT_TRANSPORT) ||
        library_element(lib, (uint16_t)address, out, NULL))
        return error_set(err, ERR_NOT_FOUND,
                         "there is no element with the address %lu; name a place as slot:1, drive:0"
                         " or ie:1, or by a barcode",
                         address);
    return 0;
}

static bool may_be_barcode(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= CARTRIDGE_BARCODE_MAX &&
           text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] == '\0';
}

int place_resolve(struct library *lib, const char *text, unsigned bare, struct library_element *out,
                  struct error *err)
{
    unsigned long number;

    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        size_t len = strlen(kinds[i].prefix);

        if (strncmp(text, kinds[i].prefix, len) == 0)
            return resolve_numbered(lib, &kinds[i], text + len, out, err);
    }
    if (may_be_barcode(text) && library_find(lib, text, out, NULL) == 0)
        return 0;
    if (number_parse(text, &number)) {
        for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
            if (kinds[i].type == bare)
                return resolve_numbered(lib, &kinds[i], text, out, err);
        return resolve_address(lib, number, out, err);
    }
    if (may_be_barcode(text))
        return error_set(err, ERR_NOT_FOUND,
                         "there is no cartridge %s in this library; 'capstan cartridge list' shows"
                         " them",
                         text);
    return error_set(err, ERR_USAGE,
                     "'%.64s' names no place: write slot:1, drive:0, ie:1 or a barcode (A-Z, 0-9)",
                     text);
}

char *place_text(const struct library *lib, uint16_t address, char buf[PLACE_TEXT_SIZE])
{
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        uint16_t base = library_first(lib, kinds[i].type);
        unsigned n = (unsigned)(address - base);

        if (address >= base && n < kind_count(lib, &kinds[i])) {
            snprintf(buf, PLACE_TEXT_SIZE, "%s%u", kinds[i].prefix, n + kinds[i].first);
            return buf;
        }
    }
    snprintf(buf, PLACE_TEXT_SIZE, "element:%u", (unsigned)address);
    return buf;
}
