/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_edit.c - see config.h: one value of ROOT/capstan.conf changed, all else left as its owner
 * wrote it.
 *
 * The line that has the key is replaced; a key that has only its default gets a line behind its
 * section's name.  The new file takes the old one's place at once, so a crash leaves one or the
 * other.
 */
#include "vtl/control/config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

struct edit {
    FILE *from, *to;
    const char *section, *key, *value;
    bool inside; /* of the section */
    bool done;
};

static void put_line(struct edit *e)
{
    fprintf(e->to, "%s = %s\n", e->key, e->value);
    e->done = true;
}

/* Whether line is "key = ..." */
static bool is_key(const char *line, const char *key)
{
    size_t len = strlen(key);

    if (strncmp(line, key, len) != 0)
        return false;
    line += len;
    line += strspn(line, " \t");
    return *line == '=' || *line == ':';
}

static bool is_section(const char *line, const char *section)
{
    size_t len = strlen(section);

    return strncmp(line + 1, section, len) == 0 && line[len + 1] == ']';
}

/* Copy one line, or what takes its place. */
static void edit_line(struct edit *e, const char *line)
{
    if (line[0] == '[')
        e->inside = is_section(line, e->section);
    if (e->inside && !e->done && is_key(line, e->key))
        put_line(e);
    else
        fputs(line, e->to);
}

static bool has_key(struct edit *e)
{
    CLEANUP_FREE char *line = NULL;
    size_t size = 0;
    bool inside = false, found = false;

    while (!found && getline(&line, &size, e->from) > 0) {
        if (line[0] == '[')
            inside = is_section(line, e->section);
        found = inside && is_key(line, e->key);
    }
    rewind(e->from);
    return found;
}

static int edit_file(struct edit *e, const char *path, struct error *err)
{
    CLEANUP_FREE char *line = NULL;
    bool there = has_key(e);
    size_t size = 0;

    while (getline(&line, &size, e->from) > 0) {
        edit_line(e, line);
        if (line[0] == '[' && e->inside && !there && !e->done)
            put_line(e);
    }
    if (ferror(e->from) || fflush(e->to) != 0 || fsync(fileno(e->to)) != 0)
        return error_errno(err, "%s cannot be changed", path);
    if (!e->done)
        return error_set(err, ERR_FORMAT, "%s has no section [%s]", path, e->section);
    return 0;
}

static int sync_root(const char *root, struct error *err)
{
    CLEANUP_CLOSE int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || fsync(fd) != 0 ? error_errno(err, "%s cannot be made durable", root) : 0;
}

int config_edit(const char *root, const char *section, const char *key, const char *value,
                struct error *err)
{
    CLEANUP_FREE char *path = NULL, *temporary = NULL;
    CLEANUP_FILE FILE *from = NULL, *to = NULL;
    struct stat st;
    struct edit e;
    int fd, rc;

    if (asprintf(&path, "%s/%s", root, CONFIG_FILE_NAME) < 0)
        path = NULL;
    if (path && asprintf(&temporary, "%s.%d.new", path, getpid()) < 0)
        temporary = NULL;
    if (!path || !temporary)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for the configuration");
    from = fopen(path, "re");
    if (!from || fstat(fileno(from), &st) != 0)
        return error_errno(err, "%s cannot be read", path);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    to = fd < 0 ? NULL : fdopen(fd, "w");
    if (!to || fchmod(fd, st.st_mode & 0777) != 0)
        return error_errno(err, "%s cannot be made", temporary);
    e = (struct edit){from, to, section, key, value, false, false};
    rc = edit_file(&e, path, err);
    if (rc == 0 && rename(temporary, path) != 0)
        rc = error_errno(err, "%s cannot be replaced", path);
    if (rc != 0)
        unlink(temporary);
    return rc == 0 ? sync_root(root, err) : rc;
}
