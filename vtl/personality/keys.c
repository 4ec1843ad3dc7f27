/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c - the keys of a personality's data file: one row and one small setter each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "vtl/personality/internal.h"

#define BLOCK_MAX_MAX 0xffffff /* 24-bit TRANSFER LENGTH of READ and WRITE */

/* ---- kinds of value -------------------------------------------------------------------------- */

/* Printable ASCII, as SPC-5 4.3.1 asks of ASCII fields. */
static int set_ascii(char *place, size_t max, const char *value, struct error *err)
{
    size_t len = strlen(value);

    if (len < 1 || len > max)
        return error_set(err, ERR_RANGE, "it must have 1 to %zu characters, not %zu", max, len);
    for (size_t i = 0; i < len; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e)
            return error_set(err, ERR_RANGE, "it must be printable ASCII");
    }
    memset(place, 0, max + 1);
    memcpy(place, value, len);
    return 0;
}

static int get_number(const char *value, unsigned min, unsigned max, unsigned *out,
                      struct error *err)
{
    unsigned long n;
    char *end;

    errno = 0;
    n = strtoul(value, &end, 0);
    if (value[0] < '0' || value[0] > '9' || *end || errno || n < min || n > max)
        return error_set(err, ERR_RANGE, "'%.40s' must be a number from %u to %u", value, min, max);
    *out = (unsigned)n;
    return 0;
}

/* Hand each blank- or comma-separated word of value to fn. */
static int each_word(struct personality *p, const char *value,
                     int (*fn)(struct personality *p, const char *word, struct error *err),
                     struct error *err)
{
    char word[PERSONALITY_NAME_MAX + 1];
    int rc = 0;

    for (const char *at = value; rc == 0 && *(at += strspn(at, ", \t"));) {
        size_t len = strcspn(at, ", \t");

        if (len >= sizeof(word))
            return error_set(err, ERR_RANGE, "'%.40s' is too long", at);
        memcpy(word, at, len);
        word[len] = '\0';
        at += len;
        rc = fn(p, word, err);
    }
    return rc;
}

/* value as one of count names; -1 with the error set if it is none. */
static int choose(const char *value, const char *const *names, int count, struct error *err)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(value, names[i]) == 0)
            return i;
    }
    error_set(err, ERR_RANGE, "'%.40s' must be one of %s, %s and %s", value, names[0], names[1],
              count > 2 ? names[2] : "nothing else");
    return -1;
}

/* ---- [model] --------------------------------------------------------------------------------- */

static int set_type(struct personality *p, const char *value, struct error *err)
{
    if (strcmp(value, "drive") != 0 && strcmp(value, "changer") != 0)
        return error_set(err, ERR_RANGE, "'%.40s' must be drive or changer", value);
    p->type = value[0] == 'd' ? PERSONALITY_DRIVE : PERSONALITY_CHANGER;
    return 0;
}

static int set_summary(struct personality *p, const char *value, struct error *err)
{
    return set_ascii(p->summary, PERSONALITY_SUMMARY_MAX, value, err);
}

static int set_vendor(struct personality *p, const char *value, struct error *err)
{
    return set_ascii(p->vendor, 8, value, err);
}

static int set_product(struct personality *p, const char *value, struct error *err)
{
    return set_ascii(p->product, 16, value, err);
}

static int set_revision(struct personality *p, const char *value, struct error *err)
{
    return set_ascii(p->revision, 4, value, err);
}

static int set_scsi_version(struct personality *p, const char *value, struct error *err)
{
    unsigned n;
    int rc = get_number(value, 3, 7, &n, err);

    if (rc == 0)
        p->scsi_version = (uint8_t)n;
    return rc;
}

static int add_version(struct personality *p, const char *word, struct error *err)
{
    unsigned count = 0, n;
    int rc = get_number(word, 1, 0xffff, &n, err);

    while (count < PERSONALITY_VERSIONS_MAX && p->versions[count])
        count++;
    if (rc == 0 && count == PERSONALITY_VERSIONS_MAX)
        return error_set(err, ERR_RANGE, "there are at most %u of them", PERSONALITY_VERSIONS_MAX);
    if (rc == 0)
        p->versions[count] = (uint16_t)n;
    return rc;
}

static int set_versions(struct personality *p, const char *value, struct error *err)
{
    return each_word(p, value, add_version, err);
}

static int set_serial(struct personality *p, const char *value, struct error *err)
{
    return set_ascii(p->serial, PERSONALITY_NAME_MAX, value, err);
}

/* ---- [drive] --------------------------------------------------------------------------------- */

static int add_medium(struct personality *p, const char *word, bool writable, struct error *err)
{
    const struct medium *m = medium_by_name(word);

    if (!m)
        return error_set(err, ERR_RANGE, "'%.40s' is no kind of medium that is known", word);
    if (personality_reads(p, m))
        return error_set(err, ERR_RANGE, "%s stands there a second time", m->name);
    if (p->media_count == PERSONALITY_MEDIA_MAX)
        return error_set(err, ERR_RANGE, "there are at most %u of them", PERSONALITY_MEDIA_MAX);
    p->media[p->media_count] = m;
    p->writable[p->media_count++] = writable;
    if (writable)
        p->native = m; /* the last one in the file */
    return 0;
}

static int add_read(struct personality *p, const char *word, struct error *err)
{
    return add_medium(p, word, false, err);
}

static int add_written(struct personality *p, const char *word, struct error *err)
{
    return add_medium(p, word, true, err);
}

static int set_reads(struct personality *p, const char *value, struct error *err)
{
    return each_word(p, value, add_read, err);
}

static int set_writes(struct personality *p, const char *value, struct error *err)
{
    return each_word(p, value, add_written, err);
}

static int set_block_max(struct personality *p, const char *value, struct error *err)
{
    return get_number(value, 65536, BLOCK_MAX_MAX, &p->block_max, err);
}

/* ---- [changer] ------------------------------------------------------------------------------- */

static int set_first(struct personality *p, unsigned type, const char *value, struct error *err)
{
    unsigned n;
    int rc = get_number(value, 0, 0xfffe, &n, err);

    if (rc == 0)
        p->elements[type].first = (uint16_t)n;
    return rc;
}

static int set_transport(struct personality *p, const char *value, struct error *err)
{
    return set_first(p, 1, value, err);
}

static int set_storage(struct personality *p, const char *value, struct error *err)
{
    return set_first(p, 2, value, err);
}

static int set_ie(struct personality *p, const char *value, struct error *err)
{
    return set_first(p, 3, value, err);
}

static int set_drives(struct personality *p, const char *value, struct error *err)
{
    return set_first(p, 4, value, err);
}

static int set_dvcid(struct personality *p, const char *value, struct error *err)
{
    static const char *const names[] = {"t10", "serial", "none"};
    int n = choose(value, names, (int)ARRAY_LENGTH(names), err);

    if (n < 0)
        return -ERR_RANGE;
    p->dvcid = (enum personality_dvcid)n;
    return 0;
}

static int set_alternate_tag(struct personality *p, const char *value, struct error *err)
{
    static const char *const names[] = {"cartridge", "drive_serial"};
    int n = choose(value, names, (int)ARRAY_LENGTH(names), err);

    if (n < 0)
        return -ERR_RANGE;
    p->alternate_tag = (enum personality_alternate_tag)n;
    return 0;
}

static int set_barcode_length(struct personality *p, const char *value, struct error *err)
{
    return get_number(value, 6, 32, &p->barcode_length, err);
}

static int set_slots(struct personality *p, const char *value, struct error *err)
{
    return get_number(value, 1, 60000, &p->slots, err);
}

static int set_default_ie(struct personality *p, const char *value, struct error *err)
{
    return get_number(value, 0, 240, &p->import_export, err);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct personality_key keys[] = {
    {"model", "type", USE_BOTH, false, false, set_type},
    {"model", "summary", USE_BOTH, false, false, set_summary},
    {"model", "vendor", USE_BOTH, false, false, set_vendor},
    {"model", "product", USE_BOTH, false, false, set_product},
    {"model", "revision", USE_BOTH, false, false, set_revision},
    {"model", "scsi_version", USE_BOTH, false, false, set_scsi_version},
    {"model", "versions", USE_BOTH, true, false, set_versions},
    {"model", "serial", USE_BOTH, false, false, set_serial},
    {"drive", "reads", USE_DRIVE, true, false, set_reads},
    {"drive", "writes", USE_DRIVE, true, false, set_writes},
    {"drive", "block_max", USE_DRIVE, false, false, set_block_max},
    {"changer", "transport", USE_CHANGER, false, false, set_transport},
    {"changer", "storage", USE_CHANGER, false, false, set_storage},
    {"changer", "import_export", USE_CHANGER, false, false, set_ie},
    {"changer", "drives", USE_CHANGER, false, false, set_drives},
    {"changer", "dvcid", USE_CHANGER, false, false, set_dvcid},
    {"changer", "barcode_length", USE_CHANGER, false, false, set_barcode_length},
    {"changer", "alternate_tag", USE_CHANGER, false, true, set_alternate_tag},
    {"changer", "default_slots", USE_CHANGER, false, false, set_slots},
    {"changer", "default_import_export", USE_CHANGER, false, false, set_default_ie},
};

const struct personality_key *personality_keys(size_t *count)
{
    *count = ARRAY_LENGTH(keys);
    return keys;
}
