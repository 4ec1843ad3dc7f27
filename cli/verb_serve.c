/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_serve.c - `capstan serve`: the daemon of a library.
 *
 * It is built up in one order and taken down in the other:
 *
 *   library (its lock makes us the only one) -> SCSI target -> portals bound -> control socket
 *     -> portals accept -> READY
 *
 * With --detach the parent waits on a pipe until the child is ready or has failed; the child's
 * standard error stays the caller's until then, so a failure is seen where it was caused.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/notify.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "vtl/control/control.h"
#include "vtl/control/models.h"

#define LOGOUT_GRACE_MS 3000                /* for initiators to log out */
#define LOG_SIZE_MAX    (INT64_C(16) << 20) /* bytes; a larger log becomes serve.log.1 */

const struct cli_option verb_serve_options[] = {
    {"foreground", NULL, "stay in the foreground; this is the default"},
    {"detach", NULL, "go into the background once the portals accept; log to ROOT/run/serve.log"},
    {"verbose", NULL, "log more"},
    {NULL, NULL, NULL},
};

struct daemon {
    const char *root;
    struct config *config;
    struct models models;
    struct control control;
    struct control_server *server;
    sigset_t signals; /* that end it */
    bool detached;    /* it logs to a file */
    int ready_fd;     /* of the pipe to the parent; -1 in the foreground */
};

/* ---- up and down ------------------------------------------------------------------------- */

/* Any thread: the control socket's 'stop'. */
static void daemon_ask_stop(void *ctx)
{
    (void)ctx;
    kill(getpid(), SIGTERM);
}

static int daemon_up(struct daemon *d, struct error *err)
{
    struct iscsid_options options;
    struct timespec now;
    int rc = config_load(d->root, &d->config, err);

    if (!rc)
        rc = config_load_secrets(d->config, err);
    if (rc)
        return rc;
    clock_gettime(CLOCK_REALTIME, &now);
    d->control = (struct control){.config = d->config,
                                  .since_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
                                  .stop = daemon_ask_stop};
    config_iscsi_options(d->config, &options);
    rc = models_load(d->config, &d->models, err);
    if (!rc)
        rc = models_open_library(&d->models, d->config, &d->control.library, err);
    if (!rc)
        rc = scsi_target_create(d->control.library, &d->models.scsi, &d->control.target, err);
    if (!rc)
        scsi_target_set_compression(d->control.target, config_compression(d->config));
    if (!rc && d->config->test_disk)
        rc = scsi_target_add_disk(d->control.target, d->config->test_disk, err);
    if (!rc)
        rc = faults_create((uint64_t)d->control.since_ns, &d->control.faults, err);
    if (!rc) {
        faults_attach(d->control.faults, d->control.library, d->control.target);
        options.connection = faults_connection;
        options.connection_ctx = d->control.faults;
        rc = iscsid_create(d->control.target, &options, &d->control.iscsid, err);
    }
    for (unsigned i = 0; !rc && i < d->config->portals.count; i++)
        faults_portal(d->control.faults, iscsid_portal(d->control.iscsid, i));
    if (!rc)
        rc = control_server_start(&d->control, &d->server, err);
    if (!rc)
        rc = iscsid_start(d->control.iscsid, err);
    return rc;
}

/* Also for what daemon_up() left half-done. */
static void daemon_down(struct daemon *d)
{
    control_server_stop(d->server);
    if (d->control.iscsid) {
        iscsid_stop(d->control.iscsid, LOGOUT_GRACE_MS);
        iscsid_destroy(d->control.iscsid);
    }
    if (d->control.target)
        scsi_target_destroy(d->control.target);
    if (d->control.library)
        library_close(d->control.library);
    faults_destroy(d->control.faults);
    models_free(&d->models);
    config_free(d->config);
}

/* ---- ready ------------------------------------------------------------------------------- */

/* Errors go to the log of the library from now on; one that has grown large is put aside, so that
 * it is bounded even where nobody rotates it. */
static int daemon_open_log(const struct daemon *d, struct error *err)
{
    char path[PATH_MAX], aside[PATH_MAX];
    CLEANUP_CLOSE int log = -1;
    struct stat st;
    int n = snprintf(path, sizeof(path), "%s/run/serve.log", d->root);

    if (n < 0 || (size_t)n >= sizeof(path) - 2)
        return error_set(err, ERR_RANGE, "the path %.100s... is too long", d->root);
    snprintf(aside, sizeof(aside), "%.*s.1", n, path);
    if (lstat(path, &st) == 0 && st.st_size > LOG_SIZE_MAX)
        rename(path, aside); /* if not, it grows on */
    log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (log < 0 || dup2(log, STDERR_FILENO) < 0)
        return error_errno(err, "%s cannot be opened", path);
    return 0;
}

/* Standard input and output go to /dev/null, errors to the log of the library. */
static int daemon_leave_terminal(const struct daemon *d, struct error *err)
{
    CLEANUP_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int rc = daemon_open_log(d, err);

    if (rc)
        return rc;
    log_set_times();
    fflush(stdout);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 || chdir("/") < 0)
        return error_errno(err, "the terminal cannot be left");
    return 0;
}

static int daemon_ready(struct daemon *d, struct error *err)
{
    int rc = 0;

    for (unsigned i = 0; i < d->config->portals.count; i++) {
        const char *portal = iscsid_portal(d->control.iscsid, i);

        if (d->ready_fd >= 0)
            printf("serving %s at %s\n", d->config->target, portal);
        else
            log_info("serving %s at %s", d->config->target, portal);
    }
    if (d->ready_fd >= 0) {
        rc = daemon_leave_terminal(d, err);
        if (!rc && write(d->ready_fd, "R", 1) != 1)
            rc = error_errno(err, "the parent process is gone");
        close(d->ready_fd);
        d->ready_fd = -1;
        log_info("serving the library %s", d->root);
    }
    if (d->config->test_disk)
        log_info("LUN %u is a test disk of %u MiB in memory: what is on it is lost at the end",
                 scsi_target_lun_count(d->control.target) - 1, d->config->test_disk);
    notify_systemd("READY=1");
    return rc;
}

static void daemon_wait(const struct daemon *d)
{
    struct error err = ERROR_INIT;
    int number = 0;

    /* Without a terminal there is none to hang up: somebody has rotated the log. */
    while (sigwait(&d->signals, &number) != 0 || (number == SIGHUP && d->detached)) {
        if (number == SIGHUP && daemon_open_log(d, &err) != 0)
            log_error("%s", err.message);
        else if (number == SIGHUP)
            log_info("the log was opened anew");
    }
    log_info("ending on signal %d (%s)", number, strsignal(number));
    notify_systemd("STOPPING=1");
}

/* ---- the process ------------------------------------------------------------------------- */

/* The signals that end the daemon are blocked before it has threads, so only daemon_wait() sees
 * them. */
static void block_signals(struct daemon *d)
{
    sigemptyset(&d->signals);
    sigaddset(&d->signals, SIGINT);
    sigaddset(&d->signals, SIGTERM);
    sigaddset(&d->signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &d->signals, NULL);
}

/* A connection and a cartridge take some descriptors each. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int daemon_run(struct daemon *d, struct error *err)
{
    int rc;

    umask(0077);
    raise_descriptor_limit();
    block_signals(d);
    rc = daemon_up(d, err);
    if (!rc)
        rc = daemon_ready(d, err);
    if (!rc)
        daemon_wait(d);
    daemon_down(d);
    if (!rc)
        log_info("ended");
    return rc;
}

/* In the parent: 0 once the child is ready; does not return if it failed, as the child has said
 * why. */
static int parent_wait(pid_t child, int fd, struct error *err)
{
    char word;
    int status;

    if (read(fd, &word, 1) == 1)
        return 0;
    if (waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status))
        _exit(WEXITSTATUS(status));
    return error_set(err, ERR_INTERNAL, "the daemon ended before it was ready");
}

static int detach(struct daemon *d, bool *parent, struct error *err)
{
    int ends[2];
    pid_t child;
    int rc;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "a pipe cannot be made");
    fflush(NULL);
    child = fork();
    if (child < 0) {
        close(ends[0]);
        close(ends[1]);
        return error_errno(err, "a process cannot be made");
    }
    *parent = child > 0;
    if (*parent) {
        close(ends[1]);
        rc = parent_wait(child, ends[0], err);
        close(ends[0]);
        return rc;
    }
    close(ends[0]);
    d->ready_fd = ends[1];
    d->detached = true;
    setsid();
    return 0;
}

int verb_serve(struct cli *cli, struct error *err)
{
    struct daemon d = {.root = cli->root, .ready_fd = -1};
    bool parent = false;
    int rc = 0;

    if (cli_flag(cli, "foreground") && cli_flag(cli, "detach"))
        return error_set(err, ERR_USAGE, "--foreground and --detach contradict each other");
    if (cli_flag(cli, "verbose"))
        log_set_level(LOG_LEVEL_DEBUG);
    if (cli_flag(cli, "detach"))
        rc = detach(&d, &parent, err);
    if (rc || parent)
        return rc;
    return daemon_run(&d, err);
}
