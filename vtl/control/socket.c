/* SPDX-License-Identifier: Apache-2.0 */
/* socket.c - see socket.h. */
#include "vtl/control/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"

#define SOCKET_NAME "control.sock"

/* Open ROOT/run and fill in the address of the socket in it; *dir stays open while it is used. */
static int socket_address(const char *root, struct sockaddr_un *address, int *dir,
                          struct error *err)
{
    CLEANUP_FREE char *path = NULL;
    int len;

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (asprintf(&path, "%s/run", root) < 0) {
        path = NULL;
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for the control socket");
    }
    *dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dir < 0)
        return error_errno(err, "%s cannot be opened", path);
    len = snprintf(address->sun_path, sizeof(address->sun_path), "%s/%s", path, SOCKET_NAME);
    if (len > 0 && (size_t)len < sizeof(address->sun_path))
        return 0;
    if (access("/proc/self/fd", X_OK) < 0)
        return error_set(err, ERR_RANGE,
                         "the path of the control socket below %s is longer than %zu bytes; use a"
                         " library with a shorter path",
                         root, sizeof(address->sun_path) - 1);
    snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", *dir,
             SOCKET_NAME);
    return 0;
}

static int remove_dead(int dir, const char *root, struct error *err)
{
    struct stat st;

    if (fstatat(dir, SOCKET_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(err, "%s/run/%s", root, SOCKET_NAME);
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, ERR_EXISTS, "%s/run/%s is not a socket; remove it", root,
                         SOCKET_NAME);
    if (unlinkat(dir, SOCKET_NAME, 0) < 0)
        return error_errno(err, "%s/run/%s cannot be replaced", root, SOCKET_NAME);
    return 0;
}

int control_socket_listen(const char *root, int *out, struct error *err)
{
    CLEANUP_FREE char *run = NULL;
    CLEANUP_CLOSE int dir = -1;
    CLEANUP_CLOSE int fd = -1;
    struct sockaddr_un address;
    int rc;

    if (asprintf(&run, "%s/run", root) < 0) {
        run = NULL;
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for the control socket");
    }
    if (mkdir(run, 0700) < 0 && errno != EEXIST)
        return error_errno(err, "%s cannot be made", run);
    rc = socket_address(root, &address, &dir, err);
    if (!rc)
        rc = remove_dead(dir, root, err);
    if (rc)
        return rc;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* The mode is set before bind(), so the socket is never open to others. */
    if (fd < 0 || fchmod(fd, 0600) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 16) < 0)
        return error_errno(err, "the control socket %s/%s cannot be made", run, SOCKET_NAME);
    *out = steal_fd(&fd);
    return 0;
}

void control_socket_remove(const char *root)
{
    CLEANUP_FREE char *path = NULL;

    if (asprintf(&path, "%s/run/%s", root, SOCKET_NAME) < 0) {
        path = NULL;
        return;
    }
    unlink(path);
}

static int no_daemon(const char *root, struct error *err)
{
    return error_set(err, ERR_NOT_FOUND,
                     "no daemon is running for the library %s; start it with 'capstan serve'",
                     root);
}

int control_socket_connect(const char *root, int *out, struct error *err)
{
    CLEANUP_CLOSE int dir = -1;
    CLEANUP_CLOSE int fd = -1;
    struct sockaddr_un address;
    int rc = socket_address(root, &address, &dir, err);

    if (rc == -ERR_NOT_FOUND)
        return no_daemon(root, err);
    if (rc)
        return rc;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_errno(err, "a socket cannot be made");
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        if (errno == ENOENT || errno == ECONNREFUSED)
            return no_daemon(root, err);
        return error_errno(err, "the daemon of the library %s cannot be reached", root);
    }
    *out = steal_fd(&fd);
    return 0;
}

int control_socket_peer(int fd, pid_t *pid, uid_t *uid, struct error *err)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return error_errno(err, "it cannot be told who is at the other end of the control socket");
    *pid = peer.pid;
    *uid = peer.uid;
    return 0;
}

/* ---- lines ------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Wait until fd is ready for events, but not past deadline. */
static int wait_ready(int fd, short events, int64_t deadline, struct error *err)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int64_t left = deadline - now_ms();
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;

        if (n > 0)
            return 0;
        if (n == 0)
            return error_set(err, ERR_TIMEOUT,
                             "the other end of the control socket did not answer in time");
        if (errno != EINTR)
            return error_errno(err, "the control socket failed");
    }
}

static int reader_grow(struct line_reader *r, struct error *err)
{
    size_t size = r->size ? r->size * 2 : 4096;
    char *buf;

    if (r->used < r->size)
        return 0;
    buf = realloc(r->buf, size);
    if (!buf)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for the control socket");
    r->buf = buf;
    r->size = size;
    return 0;
}

/* Drop the line that was given out last; its end is the NUL that line_read() put there. */
static void reader_drop(struct line_reader *r, size_t len)
{
    r->used -= len;
    memmove(r->buf, r->buf + len, r->used);
}

int line_read(struct line_reader *r, int fd, size_t max, int timeout_ms, char **line, size_t *len,
              struct error *err)
{
    int64_t deadline = now_ms() + timeout_ms;
    size_t searched = 0;

    if (*line)
        reader_drop(r, *len + 1);
    *line = NULL;
    for (;;) {
        char *end = r->used > searched ? memchr(r->buf + searched, '\n', r->used - searched) : NULL;
        ssize_t n;
        int rc;

        if (end && (size_t)(end - r->buf) <= max) {
            *end = '\0';
            *line = r->buf;
            *len = (size_t)(end - r->buf);
            return 0;
        }
        if (end || r->used > max)
            return error_set(err, ERR_RANGE,
                             "a line on the control socket is longer than %zu bytes", max);
        searched = r->used;
        rc = reader_grow(r, err);
        if (!rc)
            rc = wait_ready(fd, POLLIN, deadline, err);
        if (rc)
            return rc;
        n = recv(fd, r->buf + r->used, r->size - r->used, MSG_DONTWAIT);
        if (n == 0)
            return error_set(err, ERR_CLOSED, "the control socket was closed by the other end");
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return error_errno(err, "the control socket failed");
        if (n > 0)
            r->used += (size_t)n;
    }
}

int line_write(int fd, const char *text, size_t len, int timeout_ms, struct error *err)
{
    int64_t deadline = now_ms() + timeout_ms;

    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        int rc;

        if (n >= 0) {
            text += n;
            len -= (size_t)n;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return error_errno(err, "the control socket failed");
        rc = wait_ready(fd, POLLOUT, deadline, err);
        if (rc)
            return rc;
    }
    return 0;
}
