/* SPDX-License-Identifier: Apache-2.0 */
/* portal.c - addresses to listen on, and the thread that accepts connections there. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "vtl/iscsi/address.h"
#include "vtl/iscsi/conn.h"

#define LISTEN_BACKLOG  1024 /* a burst of them costs no host a second until its next SYN */
#define SHORT_OF_FDS_MS 100
#define FDS_KEPT_MAX    256

static void describe(const struct sockaddr_storage *sa, char *buf, size_t size, bool *loopback,
                     bool *wildcard)
{
    const struct sockaddr_in *v4 = (const void *)sa;
    const struct sockaddr_in6 *v6 = (const void *)sa;
    char host[INET6_ADDRSTRLEN] = "?";

    *loopback = *wildcard = false;
    if (sa->ss_family == AF_INET) {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        *loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
        *wildcard = v4->sin_addr.s_addr == htonl(INADDR_ANY);
        snprintf(buf, size, "%s:%u", host, ntohs(v4->sin_port));
    } else if (sa->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        *loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
        *wildcard = IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
        snprintf(buf, size, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        *loopback = true;
        snprintf(buf, size, "local");
    }
}

static void socket_address(int fd, bool peer, char *buf, size_t size, bool *loopback,
                           bool *wildcard)
{
    struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(sa);

    if ((peer ? getpeername(fd, (void *)&sa, &len) : getsockname(fd, (void *)&sa, &len)) < 0)
        sa.ss_family = AF_UNSPEC;
    describe(&sa, buf, size, loopback, wildcard);
}

void socket_ends_of(int fd, struct socket_ends *out)
{
    bool unused;

    socket_address(fd, true, out->peer, sizeof(out->peer), &out->peer_loopback, &unused);
    socket_address(fd, false, out->local, sizeof(out->local), &unused, &unused);
}

static int bind_failed(const char *address, struct error *err)
{
    if (errno == EADDRINUSE)
        return error_set(err, ERR_EXISTS,
                         "portal %s is in use by another program; stop it or choose another port",
                         address);
    if (errno == EADDRNOTAVAIL)
        return error_set(err, ERR_RANGE, "portal %s: this machine has no such address", address);
    return error_errno(err, "portal %s", address);
}

static int bind_address(const struct addrinfo *ai, const char *address, int *out, struct error *err)
{
    CLEANUP_CLOSE int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;

    if (fd < 0)
        return error_errno(err, "portal %s", address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
        return bind_failed(address, err);
    *out = steal_fd(&fd);
    return 0;
}

int portal_open(struct portal *p, const char *address, struct error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char host[ADDRESS_HOST_MAX], port[ADDRESS_PORT_MAX];
    int rc;

    rc = address_split(address, host, port, err);
    if (rc)
        return rc;
    rc = getaddrinfo(host, port, &hints, &list);
    if (rc)
        return error_set(err, ERR_RANGE, "portal %s: %s", address, gai_strerror(rc));
    rc = bind_address(list, address, &p->fd, err);
    freeaddrinfo(list);
    if (!rc)
        socket_address(p->fd, false, p->address, sizeof(p->address), &p->loopback, &p->wildcard);
    return rc;
}

/* Dead hosts are found by TCP; a host that is only slow keeps its session. */
static void tune_socket(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},   {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 60}, {IPPROTO_TCP, TCP_KEEPINTVL, 10},
        {IPPROTO_TCP, TCP_KEEPCNT, 6},   {IPPROTO_TCP, TCP_USER_TIMEOUT, 120000},
    };

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

/* What serves the drives needs descriptors too, for cartridges and the control socket: the last
 * quarter, up to FDS_KEPT_MAX, is not for connections.  The kernel gives the lowest free number. */
static bool leaves_descriptors(int fd)
{
    struct rlimit limit;
    rlim_t kept;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return true;
    kept = limit.rlim_cur / 4 < FDS_KEPT_MAX ? limit.rlim_cur / 4 : FDS_KEPT_MAX;
    return (rlim_t)fd < limit.rlim_cur - kept;
}

static void take_connection(struct iscsid *s, unsigned portal, int fd)
{
    struct error err = ERROR_INIT;
    struct socket_ends ends;
    struct conn *c;

    server_reap(s);
    if (!leaves_descriptors(fd)) {
        close(fd);
        if (server_may_log(s))
            log_warning("a connection was dropped: too few descriptors (ulimit -n) are left");
        return;
    }
    tune_socket(fd);
    socket_ends_of(fd, &ends); /* a layer may put a socket there that has no addresses */
    if (s->connection)
        fd = s->connection(s->connection_ctx, fd);
    if (!server_wait_room(s)) {
        close(fd);
        return;
    }
    if (conn_create(s, portal, &ends, fd, &c, &err) || conn_start(c, &err))
        log_warning("a connection was dropped: %s", err.message);
}

void *portal_thread(void *arg)
{
    struct portal *p = arg;
    struct pollfd fds[2] = {{.fd = p->fd, .events = POLLIN},
                            {.fd = p->server->stop_fd, .events = POLLIN}};

    for (;;) {
        int fd;

        poll(fds, 2, -1);
        if (fds[1].revents)
            return NULL;
        fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            take_connection(p->server, (unsigned)(p - p->server->portals), fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            poll(fds + 1, 1, SHORT_OF_FDS_MS);
    }
}
