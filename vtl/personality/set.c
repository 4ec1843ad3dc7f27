/* SPDX-License-Identifier: Apache-2.0 */
/* set.c - all personalities: the built-in ones, and those of a directory on top. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "vtl/personality/internal.h"

#define SET_MAX 512 /* personalities */
#define SUFFIX  ".conf"

struct personality_set {
    struct personality *items[SET_MAX]; /* in order of name */
    size_t count;
};

/* ---- adding ---------------------------------------------------------------------------------- */

/* Where name is, or would be. */
static size_t set_place(const struct personality_set *set, const char *name, bool *found)
{
    size_t i = 0;

    while (i < set->count && strcasecmp(set->items[i]->name, name) < 0)
        i++;
    *found = i < set->count && strcasecmp(set->items[i]->name, name) == 0;
    return i;
}

/* Takes p over, also if it fails. */
static int set_add(struct personality_set *set, struct personality *p, const char *path,
                   struct error *err)
{
    bool found;
    size_t i = set_place(set, p->name, &found);

    if (found && (p->builtin || !set->items[i]->builtin)) {
        free(p);
        return error_set(err, ERR_FORMAT,
                         "%s: there is a personality of this name already (case does not matter)",
                         path);
    }
    if (found) {
        free(set->items[i]);
        set->items[i] = p;
        return 0;
    }
    if (set->count == SET_MAX) {
        free(p);
        return error_set(err, ERR_RANGE, "%s: there are more than %d personalities", path, SET_MAX);
    }
    memmove(set->items + i + 1, set->items + i, (set->count - i) * sizeof(set->items[0]));
    set->items[i] = p;
    set->count++;
    return 0;
}

static int set_read(struct personality_set *set, FILE *stream, const char *name, const char *path,
                    bool builtin, struct error *err)
{
    struct personality *p = calloc(1, sizeof(*p));
    int rc;

    if (!p)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for personalities");
    rc = personality_read(stream, name, path, p, err);
    if (rc) {
        free(p);
        return rc;
    }
    p->builtin = builtin;
    return set_add(set, p, path, err);
}

static int load_builtin(struct personality_set *set, struct error *err)
{
    int rc = 0;

    for (const struct personality_file *f = personality_files; rc == 0 && f->name; f++) {
        CLEANUP_FILE FILE *stream = fmemopen((void *)(uintptr_t)f->text, strlen(f->text), "r");
        char path[80];

        if (!stream)
            return error_set(err, ERR_NO_MEMORY, "there is no memory left for personalities");
        snprintf(path, sizeof(path), "the built-in %.40s" SUFFIX, f->name);
        rc = set_read(set, stream, f->name, path, true, err);
    }
    return rc;
}

/* ---- the directory --------------------------------------------------------------------------- */

static int load_file(struct personality_set *set, const char *directory, const char *file,
                     struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    CLEANUP_FREE char *name = strndup(file, strlen(file) - strlen(SUFFIX));
    CLEANUP_FILE FILE *stream = NULL;
    struct stat st;
    int fd;

    if (!name || asprintf(&path, "%s/%s", directory, file) < 0) {
        path = NULL;
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for personalities");
    }
    /* O_NONBLOCK: a FIFO in its place must not stop us here. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0 || !(stream = fdopen(fd, "r"))) {
        int rc = error_errno(err, "%s cannot be read", path);

        if (fd >= 0)
            close(fd);
        return rc;
    }
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERR_FORMAT, "%s is not a regular file", path);
    return set_read(set, stream, name, path, false, err);
}

static int is_personality(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > strlen(SUFFIX) && entry->d_name[0] != '.' &&
           strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX) == 0;
}

static int load_directory(struct personality_set *set, const char *directory, struct error *err)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_personality, alphasort), rc = 0;

    if (count < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? 0
                   : error_errno(err, "%s cannot be read", directory);
    for (int i = 0; i < count; i++) {
        if (rc == 0)
            rc = load_file(set, directory, entries[i]->d_name, err);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

int personality_set_load(const char *directory, struct personality_set **out, struct error *err)
{
    struct personality_set *set = calloc(1, sizeof(*set));
    int rc;

    if (!set)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for personalities");
    rc = load_builtin(set, err);
    if (rc == 0 && directory)
        rc = load_directory(set, directory, err);
    if (rc) {
        personality_set_free(set);
        return rc;
    }
    *out = set;
    return 0;
}

void personality_set_free(struct personality_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++)
        free(set->items[i]);
    free(set);
}

/* ---- finding --------------------------------------------------------------------------------- */

const struct personality *personality_set_at(const struct personality_set *set, size_t i)
{
    return i < set->count ? set->items[i] : NULL;
}

/* How many of the pairs of letters of word are in name: "td9" is near to "IBM-ULT3580-TD9". */
static unsigned likeness(const char *word, const char *name)
{
    unsigned same = 0;

    for (size_t i = 0; word[i] && word[i + 1]; i++) {
        const char pair[3] = {word[i], word[i + 1], '\0'};

        same += strcasestr(name, pair) != NULL;
    }
    return same;
}

static bool is_of(const struct personality *p, enum personality_type type)
{
    return type == PERSONALITY_ANY || p->type == type;
}

/* Names of this type that are most like the word, or all if none is. */
static void name_near(const struct personality_set *set, enum personality_type type,
                      const char *word, char *text, size_t size)
{
    unsigned best = 1;
    size_t len = 0;

    for (size_t i = 0; i < set->count; i++) {
        unsigned n = is_of(set->items[i], type) ? likeness(word, set->items[i]->name) : 0;

        best = n > best ? n : best;
    }
    text[0] = '\0';
    for (size_t i = 0; i < set->count && len < size; i++) {
        if (is_of(set->items[i], type) && likeness(word, set->items[i]->name) >= best)
            len += (size_t)snprintf(text + len, size - len, "%s%s", len ? ", " : "",
                                    set->items[i]->name);
    }
}

int personality_find(const struct personality_set *set, enum personality_type type,
                     const char *name, const struct personality **out, struct error *err)
{
    const char *kind = type == PERSONALITY_DRIVE     ? "drive"
                       : type == PERSONALITY_CHANGER ? "medium changer"
                                                     : "drive or medium changer";
    char near[200];
    bool found;
    size_t i = set_place(set, name, &found);

    if (found && is_of(set->items[i], type)) {
        *out = set->items[i];
        return 0;
    }
    if (found)
        return error_set(err, ERR_RANGE, "%s is not the model of a %s", set->items[i]->name, kind);
    name_near(set, type, name, near, sizeof(near));
    if (near[0])
        return error_set(err, ERR_NOT_FOUND, "there is no model of a %s '%.40s'; did you mean %s?",
                         kind, name, near);
    return error_set(err, ERR_NOT_FOUND,
                     "there is no model of a %s '%.40s'; 'capstan personality list' shows them",
                     kind, name);
}
