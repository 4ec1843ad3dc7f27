/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_serve.c - `capstan serve`: the daemon of one library or several, as a process
 * (vtl/control/daemon.h is what it does).
 *
 * With --detach the parent waits on a pipe until the child is ready or has failed; the child's
 * standard error stays the caller's until then, so a failure is seen where it was caused.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/notify.h"
#include "cli/serve_log.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "vtl/control/daemon.h"

#define LOGOUT_GRACE_MS 3000 /* for initiators to log out */

const struct cli_option verb_serve_options[] = {
    {"foreground", NULL, "stay in the foreground; this is the default"},
    {"detach", NULL, "go into the background once the portals accept; log to ROOT/run/serve.log"},
    {"skip-failed", NULL, "of several libraries, serve those that can be; else all or none"},
    {"verbose", NULL, "log more"},
    {NULL, NULL, NULL},
};

struct serve {
    char *roots[DAEMON_LIBRARIES_MAX]; /* owned */
    unsigned count;
    bool skip;
    struct daemon *daemon;
    sigset_t signals; /* that end it */
    bool detached;    /* it logs to a file */
    int ready_fd;     /* of the pipe to the parent; -1 in the foreground */
};

/* Any thread: the control socket's 'stop'. */
static void ask_stop(void *ctx)
{
    (void)ctx;
    kill(getpid(), SIGTERM);
}

static int serve_up(struct serve *s, struct error *err)
{
    const struct daemon_options options = {.roots = (const char *const *)s->roots,
                                           .count = s->count,
                                           .skip = s->skip,
                                           .stop = ask_stop};
    int rc = daemon_open(&options, &s->daemon, err);

    return rc ? rc : daemon_start(s->daemon, err);
}

/* ---- ready ------------------------------------------------------------------------------- */

/* Standard input and output go to /dev/null, errors to the log. */
static int leave_terminal(const struct serve *s, struct error *err)
{
    CLEANUP_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int rc = serve_log_begin(s->daemon, err);

    if (rc)
        return rc;
    fflush(stdout);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 || chdir("/") < 0)
        return error_errno(err, "the terminal cannot be left");
    return 0;
}

/* Where a library's target is, one line a portal. */
static void tell_portals(const struct serve *s, const struct control *c)
{
    for (unsigned i = 0;; i++) {
        uint16_t group = 0;
        const char *portal = iscsid_target_portal(c->iscsid, c->number, i, &group);
        char suffix[32] = "";

        if (!portal)
            return;
        if (group != 1)
            snprintf(suffix, sizeof(suffix), ", portal group %u", group);
        if (s->ready_fd >= 0)
            printf("serving %s at %s%s\n", c->config->target, portal, suffix);
        else
            log_info("serving %s at %s%s", c->config->target, portal, suffix);
    }
}

static void tell_test_disk(const struct control *c)
{
    if (c->config->test_disk)
        log_info("%s: LUN %u is a test disk of %u MiB in memory: what is on it is lost at the end",
                 c->config->target, scsi_target_lun_count(c->target) - 1, c->config->test_disk);
}

static int serve_ready(struct serve *s, struct error *err)
{
    int rc = 0;

    for (unsigned i = 0; i < daemon_count(s->daemon); i++)
        tell_portals(s, daemon_library(s->daemon, i));
    if (s->ready_fd >= 0) {
        rc = leave_terminal(s, err);
        if (!rc && write(s->ready_fd, "R", 1) != 1)
            rc = error_errno(err, "the parent process is gone");
        close(s->ready_fd);
        s->ready_fd = -1;
        for (unsigned i = 0; i < daemon_count(s->daemon); i++)
            log_info("serving the library %s", daemon_library(s->daemon, i)->config->root);
    }
    for (unsigned i = 0; i < daemon_count(s->daemon); i++)
        tell_test_disk(daemon_library(s->daemon, i));
    notify_systemd("READY=1");
    return rc;
}

static void serve_wait(const struct serve *s)
{
    struct error err = ERROR_INIT;
    int number = 0;

    /* Without a terminal there is none to hang up: somebody has rotated the log, or changed
     * capstan.conf. */
    while (sigwait(&s->signals, &number) != 0 || (number == SIGHUP && s->detached)) {
        if (number == SIGHUP && serve_log_reopen(s->daemon, &err) != 0)
            log_error("%s", err.message);
        else if (number == SIGHUP)
            log_info("the log was opened anew");
        if (number == SIGHUP)
            daemon_reload(s->daemon);
    }
    log_info("ending on signal %d (%s)", number, strsignal(number));
    notify_systemd("STOPPING=1");
}

/* ---- the process ------------------------------------------------------------------------- */

/* The signals that end the daemon are blocked before it has threads, so only serve_wait() sees
 * them. */
static void block_signals(struct serve *s)
{
    sigemptyset(&s->signals);
    sigaddset(&s->signals, SIGINT);
    sigaddset(&s->signals, SIGTERM);
    sigaddset(&s->signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &s->signals, NULL);
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

static int serve_run(struct serve *s, struct error *err)
{
    int rc;

    umask(0077);
    raise_descriptor_limit();
    block_signals(s);
    rc = serve_up(s, err);
    if (!rc)
        rc = serve_ready(s, err);
    if (!rc)
        serve_wait(s);
    daemon_close(s->daemon, LOGOUT_GRACE_MS);
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

static int detach(struct serve *s, bool *parent, struct error *err)
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
    s->ready_fd = ends[1];
    s->detached = true;
    setsid();
    return 0;
}

/* The libraries named behind the verb, or the one that --root means. */
static int choose_roots(struct serve *s, const struct cli *cli, struct error *err)
{
    int rc = 0;

    if (cli->operand_count == 0)
        rc = cli_root(cli->root, &s->roots[s->count], err);
    s->count = cli->operand_count == 0 && !rc;
    for (unsigned i = 0; i < cli->operand_count && !rc; i++) {
        rc = cli_root(cli->operands[i], &s->roots[s->count], err);
        s->count += rc == 0;
    }
    return rc;
}

int verb_serve(struct cli *cli, struct error *err)
{
    struct serve s = {.ready_fd = -1, .skip = cli_flag(cli, "skip-failed")};
    bool parent = false;
    int rc = 0;

    if (cli_flag(cli, "foreground") && cli_flag(cli, "detach"))
        return error_set(err, ERR_USAGE, "--foreground and --detach contradict each other");
    if (cli_flag(cli, "verbose"))
        log_set_level(LOG_LEVEL_DEBUG);
    rc = choose_roots(&s, cli, err);
    if (!rc && cli_flag(cli, "detach"))
        rc = detach(&s, &parent, err);
    if (!rc && !parent)
        rc = serve_run(&s, err);
    for (unsigned i = 0; i < s.count; i++)
        free(s.roots[i]);
    return rc;
}
