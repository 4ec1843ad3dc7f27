/* SPDX-License-Identifier: Apache-2.0 */
/* root.c - which library is meant: see cli.h. */
#include "cli/cli.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

static int no_memory(struct error *err)
{
    return error_set(err, ERR_NO_MEMORY, "there is no memory left");
}

/* The default: root's library is the machine's, anybody else's is below the home. */
static int default_root(char **out, struct error *err)
{
    const char *home = getenv("HOME");

    if (geteuid() == 0) {
        *out = strdup("/var/lib/capstan");
        return *out ? 0 : no_memory(err);
    }
    if (!home || home[0] != '/') {
        const struct passwd *user = getpwuid(geteuid());

        home = user ? user->pw_dir : NULL;
    }
    if (!home || home[0] != '/')
        return error_set(
            err, ERR_USAGE,
            "there is no home directory; name the library with --root or CAPSTAN_ROOT");
    return asprintf(out, "%s/.local/share/capstan", home) < 0 ? no_memory(err) : 0;
}

int cli_root(const char *option, char **out, struct error *err)
{
    const char *given = option ? option : getenv("CAPSTAN_ROOT");
    CLEANUP_FREE char *here = NULL;
    size_t len;

    if (option && !*option)
        return error_set(err, ERR_USAGE, "--root is empty; name the directory of the library");
    if (!given || !*given)
        return default_root(out, err);
    /* The daemon changes its directory, so a relative root must be made absolute here. */
    if (given[0] != '/') {
        here = getcwd(NULL, 0);
        if (!here)
            return error_errno(err, "the current directory is unknown");
    }
    if (asprintf(out, "%s%s%s", here ? here : "", here ? "/" : "", given) < 0)
        return no_memory(err);
    len = strlen(*out);
    while (len > 1 && (*out)[len - 1] == '/')
        (*out)[--len] = '\0';
    if (len >= PATH_MAX - 64) {
        free(*out);
        return error_set(err, ERR_USAGE, "the path of the library is too long");
    }
    return 0;
}

int cli_path(const struct cli *cli, const char *name, char **out, struct error *err)
{
    return asprintf(out, "%s/%s", cli->root, name) < 0 ? no_memory(err) : 0;
}
