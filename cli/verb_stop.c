/* SPDX-License-Identifier: Apache-2.0 */
/* verb_stop.c - `capstan stop`: ask the daemon to end, and wait until it has. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/cli.h"
#include "common/cleanup.h"
#include "vtl/control/control.h"

const struct cli_option verb_stop_options[] = {
    {"timeout", "SECONDS", "how long to wait until it has ended; default: 60"},
    {NULL, NULL, NULL},
};

/* The descriptor of a process becomes readable when it ends; no other can take its place. */
static int wait_end(int fd, unsigned seconds, struct error *err)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;

    do {
        n = poll(&p, 1, (int)seconds * 1000);
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        return error_set(err, ERR_TIMEOUT, "the daemon is still at work after %u seconds", seconds);
    return n < 0 ? error_errno(err, "the daemon cannot be waited for") : 0;
}

int verb_stop(struct cli *cli, struct error *err)
{
    CLEANUP_CLOSE int fd = -1;
    struct config *config;
    json_t *result = NULL;
    unsigned seconds = 60;
    pid_t pid;
    int rc = cli_number(cli, "timeout", 1, 3600, &seconds, err);

    if (!rc)
        rc = config_load(cli->root, &config, err);
    if (rc)
        return rc;
    config_free(config);
    rc = control_request(cli->root, "ping", NULL, &result, &pid, err);
    json_decref(result);
    if (rc)
        return rc;
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 && errno != ESRCH)
        return error_errno(err, "the daemon (process %d) cannot be watched", (int)pid);
    result = NULL;
    rc = control_request(cli->root, "stop", NULL, &result, NULL, err);
    json_decref(result);
    if (!rc && fd >= 0)
        rc = wait_end(fd, seconds, err);
    if (!rc)
        printf("stopped\n");
    return rc;
}
