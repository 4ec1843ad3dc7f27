/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - what follows from the keys of a personality, and whether they agree. */
#include <string.h>

#include "common/checked.h"
#include "vtl/personality/internal.h"

#define TRANSPORT     1
#define IMPORT_EXPORT 3
#define DRIVES        4
#define ELEMENT_TYPES 4
/* As a library has them at most. */
#define DRIVES_MAX        255
#define IMPORT_EXPORT_MAX 240
#define SLOTS_MAX         65533
#define LIBRARY_LEN       10 /* characters of a library's serial number at most */

/* ---- serial numbers -------------------------------------------------------------------------- */

/* FNV-1a 64 of both: the same after every start, another in every library. */
static uint64_t serial_hash(const char *library, unsigned unit)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (const char *p = library; *p; p++)
        hash = (hash ^ (uint8_t)*p) * 0x100000001b3;
    hash = (hash ^ (unit & 0xff)) * 0x100000001b3;
    return (hash ^ hash >> 29) * 0xbf58476d1ce4e5b9;
}

/* The text of one {token} at *at, which is stepped over; NULL: it is none. */
static const char *serial_token(const char **at, const char *library, unsigned unit, char text[20])
{
    static const char digits[] = "0123456789ABCDEFGHJKLMNPQRSTUVWX";
    static const char hash_token[] = "{hash:";
    uint64_t hash = serial_hash(library, unit);
    unsigned n;

    if (strncmp(*at, "{library}", 9) == 0) {
        *at += 9;
        snprintf(text, 20, "%.*s", LIBRARY_LEN, library);
        return text;
    }
    if (strncmp(*at, "{unit}", 6) == 0) {
        *at += 6;
        snprintf(text, 20, "%02X", unit & 0xff);
        return text;
    }
    n = (unsigned)((*at)[strlen(hash_token)] - '0');
    if (strncmp(*at, hash_token, strlen(hash_token)) != 0 || n < 6 || n > 9 ||
        (*at)[strlen(hash_token) + 1] != '}')
        return NULL;
    *at += strlen(hash_token) + 2;
    for (unsigned i = 0; i < n; i++, hash >>= 5)
        text[i] = digits[hash & 31];
    text[n] = '\0';
    return text;
}

/* Length of the whole serial number, also if it does not fit; -1: the pattern is not right. */
static int serial_make(const char *pattern, const char *library, unsigned unit, char *out,
                       size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (const char *at = pattern; *at;) {
        char text[20] = {*at, '\0'};
        const char *piece = text;

        if (*at == '{')
            piece = serial_token(&at, library, unit, text);
        else
            at++;
        if (!piece)
            return -1;
        if (len < size)
            snprintf(out + len, size - len, "%s", piece);
        len += strlen(piece);
    }
    return (int)len;
}

void personality_serial(const struct personality *p, const char *library, unsigned unit,
                        char out[PERSONALITY_SERIAL_MAX + 1])
{
    serial_make(p->serial, library, unit, out, PERSONALITY_SERIAL_MAX + 1);
}

static int check_serial(const struct personality *p, struct error *err)
{
    char text[PERSONALITY_SERIAL_MAX + 1];
    int len = serial_make(p->serial, "LLLLLLLLLL", 255, text, sizeof(text));

    if (len < 0)
        return error_set(err, ERR_FORMAT,
                         "[model] serial: what stands in braces must be {library}, {unit}, or "
                         "{hash:6} to {hash:9}");
    if (len > PERSONALITY_SERIAL_MAX)
        return error_set(err, ERR_FORMAT,
                         "[model] serial: it may become %d characters long, and %d are allowed",
                         len, PERSONALITY_SERIAL_MAX);
    if (!strstr(p->serial, "{hash:") && !strstr(p->serial, "{library}"))
        return error_set(err, ERR_FORMAT,
                         "[model] serial: without {library} or {hash:N} all libraries would have "
                         "the same");
    if (p->type == PERSONALITY_DRIVE && !strstr(p->serial, "{hash:") &&
        !strstr(p->serial, "{unit}"))
        return error_set(err, ERR_FORMAT,
                         "[model] serial: without {unit} or {hash:N} all drives would have the "
                         "same");
    return 0;
}

/* ---- drives ---------------------------------------------------------------------------------- */

bool personality_reads(const struct personality *p, const struct medium *medium)
{
    for (unsigned i = 0; medium && i < p->media_count; i++) {
        if (p->media[i] == medium)
            return true;
    }
    return false;
}

bool personality_writes(const struct personality *p, const struct medium *medium)
{
    for (unsigned i = 0; medium && i < p->media_count; i++) {
        if (p->media[i] == medium)
            return p->writable[i];
    }
    return false;
}

/* REPORT DENSITY SUPPORT gives descriptors in rising order of density code (SSC-5 7.7). */
static void sort_media(struct personality *p)
{
    for (unsigned i = 1; i < p->media_count; i++) {
        for (unsigned k = i; k > 0 && p->media[k - 1]->density > p->media[k]->density; k--) {
            const struct medium *m = p->media[k];
            bool writable = p->writable[k];

            p->media[k] = p->media[k - 1];
            p->writable[k] = p->writable[k - 1];
            p->media[k - 1] = m;
            p->writable[k - 1] = writable;
        }
    }
}

static int finish_drive(struct personality *p, struct error *err)
{
    if (!p->native)
        return error_set(err, ERR_FORMAT, "[drive] writes: a drive writes at least its own kind");
    sort_media(p);
    return 0;
}

/* ---- changers -------------------------------------------------------------------------------- */

/* Elements of a type may go on up to the first of the next type. */
static unsigned element_room(const struct personality *p, unsigned type)
{
    unsigned first = p->elements[type].first, end = 0x10000;

    for (unsigned t = TRANSPORT; t <= ELEMENT_TYPES; t++) {
        unsigned other = p->elements[t].first;

        if (t != type && other >= first && other < end)
            end = other;
    }
    return end - first;
}

static int finish_changer(struct personality *p, struct error *err)
{
    static const char *const names[] = {"", "transport", "storage", "import_export", "drives"};
    static const unsigned most[] = {0, 1, SLOTS_MAX, IMPORT_EXPORT_MAX, DRIVES_MAX};

    for (unsigned t = TRANSPORT; t <= ELEMENT_TYPES; t++) {
        unsigned room = element_room(p, t);

        if (room == 0)
            return error_set(err, ERR_FORMAT,
                             "[changer] %s begins where other elements begin, at %u", names[t],
                             p->elements[t].first);
        p->elements[t].max = room < most[t] ? room : most[t];
    }
    if (p->slots > p->elements[2].max || p->import_export > p->elements[IMPORT_EXPORT].max)
        return error_set(err, ERR_FORMAT,
                         "[changer] default_slots or default_import_export is more than there are "
                         "addresses for: %u and %u",
                         p->elements[2].max, p->elements[IMPORT_EXPORT].max);
    return 0;
}

int personality_finish(struct personality *p, struct error *err)
{
    int rc = check_serial(p, err);

    if (rc == 0)
        rc = p->type == PERSONALITY_DRIVE ? finish_drive(p, err) : finish_changer(p, err);
    return rc;
}
