/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_secret.c - see config.h: CHAP secrets come from files that only their owner can read.
 *
 * The checks are made on the open descriptor, so what was checked is what is read.  A symbolic link
 * is followed: the file it leads to must be private itself.
 */
#include "vtl/control/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

static int check_private(int fd, const char *path, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_errno(err, "the CHAP secret file %s cannot be examined", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERR_PERMISSION, "the CHAP secret file %s is not a regular file",
                         path);
    if (st.st_mode & 077)
        return error_set(err, ERR_PERMISSION,
                         "the CHAP secret file %s can be read or written by others (mode %04o); run"
                         " 'chmod 600 %s' and change the secret",
                         path, st.st_mode & 07777, path);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return error_set(err, ERR_PERMISSION, "the CHAP secret file %s belongs to somebody else",
                         path);
    return 0;
}

/* One line end at the end of the file is not part of the secret. */
static int check_secret(char *secret, size_t len, const char *path, struct error *err)
{
    if (len > 0 && secret[len - 1] == '\n')
        len--;
    if (len > 0 && secret[len - 1] == '\r')
        len--;
    secret[len] = '\0';
    if (len < CONFIG_SECRET_MIN || len > CONFIG_SECRET_MAX)
        return error_set(err, ERR_RANGE, "the CHAP secret in %s must have %d to %d bytes", path,
                         CONFIG_SECRET_MIN, CONFIG_SECRET_MAX);
    if (strlen(secret) != len || strpbrk(secret, "\r\n"))
        return error_set(err, ERR_RANGE,
                         "the CHAP secret file %s must hold one line of text and nothing else",
                         path);
    return 0;
}

/* file is relative to the library's root unless it begins with '/'. */
static int secret_read(const struct config *config, const char *file,
                       char secret[CONFIG_SECRET_MAX + 1], struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    CLEANUP_CLOSE int fd = -1;
    char text[CONFIG_SECRET_MAX + 4];
    ssize_t len;
    int rc;

    if (asprintf(&path, "%s%s%s", file[0] == '/' ? "" : config->root, file[0] == '/' ? "" : "/",
                 file) < 0) {
        path = NULL;
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for a secret");
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_errno(err, "the CHAP secret file %s cannot be opened", path);
    rc = check_private(fd, path, err);
    if (rc)
        return rc;
    len = read(fd, text, sizeof(text) - 1);
    if (len < 0)
        return error_errno(err, "the CHAP secret file %s cannot be read", path);
    rc = check_secret(text, (size_t)len, path, err);
    if (!rc)
        memcpy(secret, text, strlen(text) + 1);
    explicit_bzero(text, sizeof(text));
    return rc;
}

int config_load_secrets(struct config *config, struct error *err)
{
    int rc;

    if (!config->user[0] && (config->secret_file[0] || config->mutual_user[0] || config->discovery))
        return error_set(err, ERR_USAGE,
                         "%s: [chap] needs a user before anything else in it counts", config->path);
    if (config->user[0] && !config->secret_file[0])
        return error_set(err, ERR_USAGE, "%s: [chap] user = %.64s needs a secret_file",
                         config->path, config->user);
    if (!config->mutual_user[0] != !config->mutual_secret_file[0])
        return error_set(
            err, ERR_USAGE,
            "%s: [chap] mutual_user and mutual_secret_file stand together or not at all",
            config->path);
    if (!config->user[0])
        return 0;
    rc = secret_read(config, config->secret_file, config->secret, err);
    if (!rc && config->mutual_user[0])
        rc = secret_read(config, config->mutual_secret_file, config->mutual_secret, err);
    /* RFC 7143 section 9.2.1: the same secret in both directions lets a peer reflect ours. */
    if (!rc && config->mutual_user[0] && strcmp(config->secret, config->mutual_secret) == 0)
        rc = error_set(err, ERR_USAGE,
                       "%s: [chap] the secrets of user and of mutual_user must differ",
                       config->path);
    return rc;
}
