/* SPDX-License-Identifier: Apache-2.0 */
/* read.c - one data file against the table of keys. */
#include <ctype.h>
#include <string.h>

#include "common/checked.h"
#include "common/ini_text.h"
#include "vtl/personality/internal.h"

#define FILE_MAX 65536 /* bytes */
#define KEYS_MAX 32

struct reading {
    struct ini_text text;
    struct personality *p;
    bool seen[KEYS_MAX];
    char vpd[16]; /* the last key of [vpd] */
};

static int key_fail(struct reading *r, const char *section, const char *name, const char *why)
{
    r->text.rc = error_set(r->text.err, ERR_FORMAT, "%s: line %u: [%.40s] %.40s: %s", r->text.path,
                           r->text.line, section, name, why);
    return 0;
}

static int read_vpd(struct reading *r, const char *name, const char *value)
{
    bool again = r->text.continued && strncmp(name, r->vpd, sizeof(r->vpd)) == 0;
    struct error why = ERROR_INIT;

    snprintf(r->vpd, sizeof(r->vpd), "%.15s", name);
    if (personality_set_vpd(r->p, name, value, again, &why) != 0)
        return key_fail(r, "vpd", name, why.message);
    return 1;
}

static int reading_key(void *ctx, const char *section, const char *name, const char *value)
{
    struct reading *r = ctx;
    struct error why = ERROR_INIT;
    size_t count, i = 0;
    const struct personality_key *keys = personality_keys(&count);

    if (r->text.rc)
        return 0;
    if (strcmp(section, "vpd") == 0)
        return read_vpd(r, name, value);
    while (i < count && (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].key, name) != 0))
        i++;
    if (i == count)
        return key_fail(r, section, name, "there is no such key; see doc/personalities.md");
    if (r->seen[i] && !(r->text.continued && keys[i].list))
        return key_fail(r, section, name, "it stands here a second time");
    r->seen[i] = true;
    if (keys[i].set(r->p, value, &why) != 0)
        return key_fail(r, section, name, why.message);
    return 1;
}

/* Every key of the type is there, and none of the other. */
static int check_keys(const struct reading *r)
{
    enum key_use other = r->p->type == PERSONALITY_DRIVE ? USE_CHANGER : USE_DRIVE;
    size_t count;
    const struct personality_key *keys = personality_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (r->seen[i] && keys[i].use == other)
            return error_set(r->text.err, ERR_FORMAT, "%s: [%s] %s does not belong to a %s",
                             r->text.path, keys[i].section, keys[i].key,
                             r->p->type == PERSONALITY_DRIVE ? "drive" : "changer");
        if (!r->seen[i] && keys[i].use != other && !keys[i].optional)
            return error_set(r->text.err, ERR_FORMAT, "%s: [%s] %s is missing", r->text.path,
                             keys[i].section, keys[i].key);
    }
    return 0;
}

/* A name is a word of capstan.conf, and of a command line. */
static int check_name(const char *name, const char *path, struct error *err)
{
    size_t len = strlen(name);
    bool right = len >= 1 && len <= PERSONALITY_NAME_MAX && isalnum((unsigned char)name[0]);

    for (size_t i = 0; right && i < len; i++)
        right = isalnum((unsigned char)name[i]) || strchr("-_.", name[i]);
    if (!right)
        return error_set(err, ERR_FORMAT,
                         "%s: a personality has 1 to %d characters of A-Z, a-z, 0-9, '-', '_' and "
                         "'.' in its name",
                         path, PERSONALITY_NAME_MAX);
    return 0;
}

int personality_read(FILE *stream, const char *name, const char *path, struct personality *out,
                     struct error *err)
{
    struct error why = ERROR_INIT;
    struct reading r = {
        .text = {.stream = stream,
                 .path = path,
                 .limit = FILE_MAX,
                 .too_large = "the file is larger than 64 KiB, this is no personality",
                 .err = &why},
        .p = out,
    };
    int rc = check_name(name, path, err);

    if (rc)
        return rc;
    memset(out, 0, sizeof(*out));
    memcpy(out->name, name, strlen(name));
    rc = ini_text_parse(&r.text, reading_key, &r);
    if (rc == 0 && (rc = check_keys(&r)) == 0 && (rc = personality_finish(out, &why)) != 0)
        rc = error_prefix(&why, "%s", path);
    return rc ? error_set(err, why.code, "%s", why.message) : 0;
}
