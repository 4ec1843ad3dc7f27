/* SPDX-License-Identifier: Apache-2.0 */
/* serve_log.c - see serve_log.h. */
#include "cli/serve_log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"

#define LOG_SIZE_MAX (INT64_C(16) << 20) /* bytes; a larger log becomes serve.log.1 */

/* The descriptor of a log; one that has grown large is put aside, so that it is bounded even where
 * nobody rotates it. */
static int open_log(const char *root, struct error *err)
{
    char path[PATH_MAX], aside[PATH_MAX];
    struct stat st;
    int n = snprintf(path, sizeof(path), "%s/run/serve.log", root), fd;

    if (n < 0 || (size_t)n >= sizeof(path) - 2)
        return error_set(err, ERR_RANGE, "the path %.100s... is too long", root);
    snprintf(aside, sizeof(aside), "%.*s.1", n, path);
    if (lstat(path, &st) == 0 && st.st_size > LOG_SIZE_MAX)
        rename(path, aside); /* if not, it grows on */
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? error_errno(err, "%s cannot be opened", path) : fd;
}

static const char *root_of(const struct daemon *daemon, unsigned n)
{
    return daemon_library(daemon, n)->config->root;
}

int serve_log_reopen(const struct daemon *daemon, struct error *err)
{
    CLEANUP_CLOSE int log = open_log(root_of(daemon, 0), err);

    if (log < 0)
        return log;
    return dup2(log, STDERR_FILENO) < 0 ? error_errno(err, "the log cannot be used") : 0;
}

int serve_log_begin(const struct daemon *daemon, struct error *err)
{
    const char *first = root_of(daemon, 0);
    int rc = serve_log_reopen(daemon, err);

    if (rc)
        return rc;
    log_set_times();
    for (unsigned i = 1; i < daemon_count(daemon); i++) {
        struct error why = ERROR_INIT;
        CLEANUP_CLOSE int fd = open_log(root_of(daemon, i), &why);

        if (fd < 0)
            log_warning("%s", why.message);
        else
            dprintf(fd, "served by process %d together with the library %s: see %s/run/serve.log\n",
                    (int)getpid(), first, first);
    }
    return 0;
}
