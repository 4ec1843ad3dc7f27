/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_exec.c - `capstan exec`: a program with the library's drives and changer below /dev, by the
 * preload library (preload/device.h).
 *
 * The program takes the place of this process.  It is told where the daemon is by its environment,
 * of a secret only the file that holds it.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>

#include "cli/cli.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "preload/preload.h"
#include "vtl/control/config.h"
#include "vtl/control/control.h"

const struct cli_option verb_exec_options[] = {
    {"drive", "N", "the drive in $TAPE, which many programs use by themselves; default 0"},
    {NULL, NULL, NULL},
};

static int no_memory(struct error *err)
{
    return error_set(err, ERR_NO_MEMORY, "there is no memory left");
}

/* ---- the library ------------------------------------------------------------------------- */

/* Beside the program in a build tree; else where it was installed; else below where the program is
 * now, as after `make install DESTDIR=...` or in an unpacked package. */
static int find_library(char path[PATH_MAX], struct error *err)
{
    char program[PATH_MAX - sizeof("/../lib/capstan/" PRELOAD_LIBRARY)];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    char *slash;

    program[len > 0 ? len : 0] = '\0';
    slash = strrchr(program, '/');
    if (slash)
        *slash = '\0';
    snprintf(path, PATH_MAX, "%s/%s", program, PRELOAD_LIBRARY);
    if (access(path, R_OK) == 0)
        return 0;
    snprintf(path, PATH_MAX, "%s/%s", PKGLIBDIR, PRELOAD_LIBRARY);
    if (access(path, R_OK) == 0)
        return 0;
    snprintf(path, PATH_MAX, "%s/../lib/capstan/%s", program, PRELOAD_LIBRARY);
    if (access(path, R_OK) == 0)
        return 0;
    return error_set(err, ERR_NOT_FOUND,
                     "%s is neither beside the program, in %s nor in ../lib/capstan from the "
                     "program; install Capstan anew",
                     PRELOAD_LIBRARY, PKGLIBDIR);
}

/* In front of what is preloaded already. */
static int set_preload(struct error *err)
{
    char path[PATH_MAX];
    const char *others = getenv("LD_PRELOAD");
    CLEANUP_FREE char *list = NULL;
    int rc = find_library(path, err);

    if (rc)
        return rc;
    if (strpbrk(path, " :"))
        return error_set(err, ERR_UNSUPPORTED,
                         "the loader takes no library whose path has a blank or a colon: %s", path);
    if (others && strncmp(others, path, strlen(path)) == 0)
        return 0;
    if (asprintf(&list, "%s%s%s", path, others ? ":" : "", others ? others : "") < 0) {
        list = NULL;
        return no_memory(err);
    }
    return setenv("LD_PRELOAD", list, 1) ? no_memory(err) : 0;
}

/* ---- the environment --------------------------------------------------------------------- */

static int set(const char *name, const char *value, struct error *err)
{
    int rc = value && *value ? setenv(name, value, 1) : unsetenv(name);

    return rc ? no_memory(err) : 0;
}

/* The path of a secret file; a relative one is below the root. */
static int set_secret(const char *name, const char *root, const char *file, struct error *err)
{
    CLEANUP_FREE char *path = NULL;

    if (!*file)
        return set(name, NULL, err);
    if (asprintf(&path, "%s%s%s", file[0] == '/' ? "" : root, file[0] == '/' ? "" : "/", file) <
        0) {
        path = NULL;
        return no_memory(err);
    }
    return set(name, path, err);
}

static int set_login(const struct config *config, struct error *err)
{
    int rc = set(PRELOAD_INITIATOR, config->initiator, err);

    if (!rc)
        rc = set(PRELOAD_USER, config->user, err);
    if (!rc)
        rc = set(PRELOAD_MUTUAL_USER, config->mutual_user, err);
    if (!rc)
        rc = set_secret(PRELOAD_SECRET, config->root, config->secret_file, err);
    return rc ? rc
              : set_secret(PRELOAD_MUTUAL_SECRET, config->root, config->mutual_secret_file, err);
}

/* A portal on all addresses is reached at the loopback one. */
static int set_url(const char *portal, const char *target, struct error *err)
{
    const char *port = portal ? strrchr(portal, ':') : NULL, *host = NULL;
    CLEANUP_FREE char *url = NULL;

    if (!port)
        return error_set(err, ERR_PROTOCOL, "the daemon does not say where it listens");
    if (strncmp(portal, "0.0.0.0:", 8) == 0 || strncmp(portal, "*:", 2) == 0)
        host = "127.0.0.1";
    else if (strncmp(portal, "[::]:", 5) == 0)
        host = "[::1]";
    if (asprintf(&url, "%s%s/%s", host ? host : "", host ? port : portal, target) < 0) {
        url = NULL;
        return no_memory(err);
    }
    return set(PRELOAD_URL, url, err);
}

static int set_house(const struct cli *cli, const struct config *config, struct error *err)
{
    CLEANUP_FREE char *run = NULL;
    char drives[16];
    json_t *status = NULL;
    int rc = control_request(cli->root, "status", NULL, &status, NULL, err);

    if (!rc)
        rc = set_url(json_string_value(json_array_get(
                         json_object_get(json_object_get(status, "daemon"), "portals"), 0)),
                     config->target, err);
    json_decref(status);
    if (!rc)
        rc = cli_path(cli, "run", &run, err);
    if (!rc)
        rc = set(PRELOAD_RUN, run, err);
    snprintf(drives, sizeof(drives), "%u", config->drives);
    return rc ? rc : set(PRELOAD_DRIVES, drives, err);
}

/* What mt, tar and mtx use if they are not told. */
static int set_defaults(const struct cli *cli, const struct config *config, struct error *err)
{
    unsigned drive = 0;
    char tape[24];
    int rc = cli_number(cli, "drive", 0, config->drives - 1, &drive, err);

    if (rc)
        return rc;
    snprintf(tape, sizeof(tape), "/dev/nst%u", drive);
    if (setenv("TAPE", tape, cli_value(cli, "drive") != NULL) || setenv("CHANGER", "/dev/sg0", 0))
        return no_memory(err);
    return 0;
}

/* ---- the program ------------------------------------------------------------------------- */

int verb_exec(struct cli *cli, struct error *err)
{
    struct config *config = NULL;
    int rc = config_load(cli->root, &config, err);

    if (!rc)
        rc = config_load_secrets(config, err); /* to say now what is wrong with them */
    if (!rc)
        rc = set_defaults(cli, config, err);
    if (!rc)
        rc = set_house(cli, config, err);
    if (!rc)
        rc = set_login(config, err);
    if (!rc)
        rc = set_preload(err);
    config_free(config);
    if (rc)
        return rc;
    fflush(NULL);
    signal(SIGPIPE, SIG_DFL); /* main() ignores it, and a program would inherit that */
    execvp(cli->operands[0], cli->operands); /* the list of operands ends as argv does */
    signal(SIGPIPE, SIG_IGN);
    return error_errno(err, "%s cannot be run", cli->operands[0]);
}
