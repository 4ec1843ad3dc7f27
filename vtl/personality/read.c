/* SPDX-License-Identifier: Apache-2.0 */
/* read.c - one data file against the table of keys. */
#include <ctype.h>
#include <ini.h>
#include <string.h>

#include "common/checked.h"
#include "vtl/personality/internal.h"

#define FILE_MAX 65536 /* bytes */
#define KEYS_MAX 32

struct reading {
    FILE *stream;
    const char *path;
    struct personality *p;
    unsigned line;  /* number of the line that the parser holds */
    bool continued; /* it began with a blank: inih gives the key before it again */
    size_t bytes;   /* read so far */
    bool seen[KEYS_MAX];
    char vpd[16]; /* the last key of [vpd] */
    int rc;       /* of the first fault; then the reader says end of file */
    struct error *err;
};

static char *reading_stop(struct reading *r, const char *why)
{
    r->rc = error_set(r->err, ERR_FORMAT, "%s: line %u: %s", r->path, r->line, why);
    return NULL;
}

/* fgets() for inih, with bounds and without bytes that no text has.  inih cuts a longer line in two
 * silently, so a line that does not fit is a fault here. */
static char *reading_line(char *text, int room, void *ctx)
{
    struct reading *r = ctx;
    int used = 0, c = EOF;

    if (r->rc)
        return NULL;
    r->line++;
    while (used < room - 1 && (c = getc(r->stream)) != EOF) {
        if (++r->bytes > FILE_MAX)
            return reading_stop(r, "the file is larger than 64 KiB, this is no personality");
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
            return reading_stop(r, "there is a control character in it");
        text[used++] = (char)c;
        if (c == '\n')
            break;
    }
    text[used] = '\0';
    if (ferror(r->stream)) {
        r->rc = error_errno(r->err, "%s cannot be read", r->path);
        return NULL;
    }
    if (used == room - 1 && c != '\n')
        return reading_stop(r, "the line is too long; a list may go on in further lines that begin "
                               "with a blank");
    r->continued = text[0] == ' ' || text[0] == '\t';
    return used ? text : NULL;
}

static int key_fail(struct reading *r, const char *section, const char *name, const char *why)
{
    r->rc = error_set(r->err, ERR_FORMAT, "%s: line %u: [%.40s] %.40s: %s", r->path, r->line,
                      section, name, why);
    return 0;
}

static int read_vpd(struct reading *r, const char *name, const char *value)
{
    bool again = r->continued && strncmp(name, r->vpd, sizeof(r->vpd)) == 0;
    struct error why = ERROR_INIT;

    snprintf(r->vpd, sizeof(r->vpd), "%.15s", name);
    if (personality_set_vpd(r->p, name, value, again, &why) != 0)
        return key_fail(r, "vpd", name, why.message);
    return 1;
}

/* inih calls this for each key. */
static int reading_key(void *ctx, const char *section, const char *name, const char *value)
{
    struct reading *r = ctx;
    struct error why = ERROR_INIT;
    size_t count, i = 0;
    const struct personality_key *keys = personality_keys(&count);

    if (r->rc)
        return 0;
    if (strcmp(section, "vpd") == 0)
        return read_vpd(r, name, value);
    while (i < count && (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].key, name) != 0))
        i++;
    if (i == count)
        return key_fail(r, section, name, "there is no such key; see doc/personalities.md");
    if (r->seen[i] && !(r->continued && keys[i].list))
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
            return error_set(r->err, ERR_FORMAT, "%s: [%s] %s does not belong to a %s", r->path,
                             keys[i].section, keys[i].key,
                             r->p->type == PERSONALITY_DRIVE ? "drive" : "changer");
        if (!r->seen[i] && keys[i].use != other)
            return error_set(r->err, ERR_FORMAT, "%s: [%s] %s is missing", r->path, keys[i].section,
                             keys[i].key);
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
    struct reading r = {.stream = stream, .path = path, .p = out, .err = &why};
    int rc = check_name(name, path, err), fault;

    if (rc)
        return rc;
    memset(out, 0, sizeof(*out));
    memcpy(out->name, name, strlen(name));
    fault = ini_parse_stream(reading_line, &r, reading_key, &r);
    rc = r.rc;
    /* inih goes on behind a line it does not understand; that one comes first all the same. */
    if (fault && (!rc || (unsigned)fault < r.line))
        rc = error_set(&why, fault < 0 ? ERR_NO_MEMORY : ERR_FORMAT,
                       "%s: line %d: it is neither [section], nor key = value, nor a comment", path,
                       fault);
    if (rc == 0 && (rc = check_keys(&r)) == 0 && (rc = personality_finish(out, &why)) != 0)
        rc = error_prefix(&why, "%s", path);
    return rc ? error_set(err, why.code, "%s", why.message) : 0;
}
