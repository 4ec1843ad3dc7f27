/* SPDX-License-Identifier: Apache-2.0 */
/* config_write.c - see config.h: the file that `capstan init` leaves, made from the table. */
#include "vtl/control/config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

static void write_list(FILE *f, const struct config_list *list)
{
    /* One item a line: a line of the file is bounded, a list is not. */
    for (unsigned i = 0; i < list->count; i++)
        fprintf(f, "%s%s", i ? "\n    " : "", list->item[i]);
}

static void write_value(FILE *f, const struct config *config, const struct config_key *key)
{
    const void *place = (const char *)config + key->offset;

    switch (key->kind) {
    case CONFIG_TEXT:
        fputs(place, f);
        break;
    case CONFIG_NUMBER:
        fprintf(f, "%u", *(const unsigned *)place);
        break;
    case CONFIG_BOOL:
        fputs(*(const bool *)place ? "yes" : "no", f);
        break;
    case CONFIG_LIST:
        write_list(f, place);
        break;
    }
}

/* A key that has nothing to say stands there as a comment, so that it is found. */
static bool is_empty(const struct config *config, const struct config_key *key)
{
    const void *place = (const char *)config + key->offset;

    if (key->kind == CONFIG_TEXT)
        return *(const char *)place == '\0';
    return key->kind == CONFIG_LIST && ((const struct config_list *)place)->count == 0;
}

static void write_keys(FILE *f, const struct config *config)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    const char *section = "";

    fputs("# A Capstan library; capstan.conf(5) explains the keys.\n"
          "# A change is taken over when the daemon starts.\n",
          f);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(section, keys[i].section) != 0)
            fprintf(f, "\n[%s]\n", keys[i].section);
        section = keys[i].section;
        fprintf(f, "# %s\n%s%s = ", keys[i].help, is_empty(config, &keys[i]) ? "#" : "",
                keys[i].key);
        write_value(f, config, &keys[i]);
        fputc('\n', f);
    }
}

static int sync_directory(const char *path, struct error *err)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return error_errno(err, "%s cannot be made durable", path);
    return 0;
}

int config_write(const struct config *config, struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    CLEANUP_FREE char *temporary = NULL;
    CLEANUP_FILE FILE *f = NULL;
    int fd;

    if (asprintf(&path, "%s/%s", config->root, CONFIG_FILE_NAME) < 0)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for the configuration");
    if (asprintf(&temporary, "%s.%d.new", path, getpid()) < 0)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for the configuration");
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    f = fd < 0 ? NULL : fdopen(fd, "w");
    if (!f)
        return error_errno(err, "%s cannot be made", temporary);
    write_keys(f, config);
    if (fflush(f) == 0 && fsync(fd) == 0 && link(temporary, path) == 0) {
        unlink(temporary);
        return sync_directory(config->root, err);
    }
    error_errno(err, "%s cannot be written", path);
    unlink(temporary);
    return err ? -(int)err->code : -(int)ERR_IO;
}
