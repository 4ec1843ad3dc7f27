/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults_socket.c - the layer between the sockets of the portals and the iSCSI server.
 *
 * Cutting: a thread, there while such a fault is set, finds this process's connections at the
 * portals (their local address is the portal's) and shuts them down; to the server that is a peer
 * that went away.
 *
 * Spoiling digests: while that fault is set, a new connection is led through a pair of sockets and
 * a thread that copies, which turns a bit now and then of a digest that comes from the initiator
 * (framing.h).  A session that has agreed on none is left alone: what nobody can notice would be
 * written to tape.  Connections that were there before are cut once, so that initiators come back
 * through it.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "vtl/fault/framing.h"
#include "vtl/fault/internal.h"

enum { PUMP_BUFFER = 65536 };

/* ---- cutting --------------------------------------------------------------------------------- */

static void address_text(const struct sockaddr_storage *sa, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";

    if (sa->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)sa;

        inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
        snprintf(text, size, "%s:%u", host, ntohs(in->sin_port));
    } else {
        const struct sockaddr_in6 *in = (const void *)sa;

        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
        snprintf(text, size, "[%s]:%u", host, ntohs(in->sin6_port));
    }
}

/* Whether fd is a connection that came in at one of the portals.  A portal on every address has
 * connections with any, so only the port counts. */
static bool is_ours(struct faults *f, int fd)
{
    struct sockaddr_storage local, peer;
    socklen_t local_len = sizeof(local), peer_len = sizeof(peer);
    const char *port;
    char text[64];

    if (getsockname(fd, (void *)&local, &local_len) != 0 ||
        (local.ss_family != AF_INET && local.ss_family != AF_INET6) ||
        getpeername(fd, (void *)&peer, &peer_len) != 0)
        return false;
    address_text(&local, text, sizeof(text));
    port = strrchr(text, ':');
    CLEANUP_UNLOCK(&f->lock);
    for (unsigned i = 0; i < f->portal_count; i++) {
        const char *own = strrchr(f->portals[i], ':');

        if (own && strcmp(own, port) == 0)
            return true;
    }
    return false;
}

/* Every connection once; with a strike each, or for nothing. */
static void cut_all(struct faults *f, bool strike)
{
    const struct fault_place anywhere = {NULL, -1, -1};
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL) {
        int fd = (int)strtol(entry->d_name, NULL, 10);

        if (entry->d_name[0] == '.' || !is_ours(f, fd))
            continue;
        if (!strike || faults_strike(f, FAULT_CONNECTION_DROP, &anywhere, NULL))
            shutdown(fd, SHUT_RDWR);
    }
    if (dir)
        closedir(dir);
}

static unsigned cut_delay(struct faults *f)
{
    CLEANUP_UNLOCK(&f->lock);

    for (unsigned i = 0; i < f->count; i++) {
        if (f->set[i].name == FAULT_CONNECTION_DROP)
            return f->set[i].delay_ms;
    }
    return 0;
}

/* Sleep until something changes or the time is over. True: stop. */
static bool cutter_sleep(struct faults *f, unsigned ms)
{
    CLEANUP_UNLOCK(&f->lock);
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    if (!f->stop)
        pthread_cond_timedwait(&f->changed, &f->lock, &until);
    return f->stop;
}

static void *cutter_main(void *arg)
{
    struct faults *f = arg;
    unsigned delay;

    do {
        if (faults_active(f, FAULT_CONNECTION_DROP))
            cut_all(f, true);
        delay = cut_delay(f);
    } while (!cutter_sleep(f, delay ? delay : 3600 * 1000));
    return NULL;
}

void faults_cut_connections(struct faults *f)
{
    cut_all(f, false);
}

void faults_cutter_start(struct faults *f)
{
    bool start;

    pthread_mutex_lock(&f->lock);
    start = !f->cutting;
    f->cutting = true;
    pthread_mutex_unlock(&f->lock);
    if (start && pthread_create(&f->cutter, NULL, cutter_main, f) != 0) {
        pthread_mutex_lock(&f->lock);
        f->cutting = false;
        pthread_mutex_unlock(&f->lock);
    }
}

/* ---- spoiling digests ------------------------------------------------------------------------ */

struct pump {
    struct faults *faults;
    int outside, inside; /* the initiator's, the server's */
    struct framing_login login;
    struct framing frames; /* of the initiator */
};

static bool write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};

            poll(&p, 1, 1000);
            continue;
        }
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Bytes from the initiator: each digest among them may be struck. */
static void spoil_digests(struct pump *p, uint8_t *bytes, size_t len)
{
    const struct fault_place anywhere = {NULL, -1, -1};

    while (len > 0) {
        int ended;
        size_t n = framing_step(&p->frames, bytes, len, &ended);

        if ((ended == PART_HEADER_DIGEST || ended == PART_DATA_DIGEST) &&
            faults_strike(p->faults, FAULT_CORRUPT_DIGEST, &anywhere, NULL))
            bytes[n - 1] ^= 0x20;
        bytes += n;
        len -= n;
    }
}

/* Bytes from the target: when its last Login Response goes out, the next PDU of the initiator is
 * the first that has digests. */
static void follow_login(struct pump *p, const uint8_t *bytes, size_t len)
{
    framing_follow_login(&p->login, bytes, len);
    p->frames.header_digest = p->login.over && p->login.header_digest;
    p->frames.data_digest = p->login.over && p->login.data_digest;
}

/* Copy what is there; false: the end. */
static bool pump_once(struct pump *p, int from, int to, uint8_t *buf)
{
    ssize_t n = recv(from, buf, PUMP_BUFFER, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    if (from == p->outside)
        spoil_digests(p, buf, (size_t)n);
    else
        follow_login(p, buf, (size_t)n);
    return write_all(to, buf, (size_t)n);
}

static void *pump_main(void *arg)
{
    struct pump *p = arg;
    uint8_t *buf = malloc(PUMP_BUFFER);
    struct pollfd fds[2] = {{.fd = p->outside, .events = POLLIN},
                            {.fd = p->inside, .events = POLLIN}};
    bool stop = !buf;

    while (!stop) {
        int n = poll(fds, 2, 200);

        if (n > 0 && fds[0].revents && !pump_once(p, p->outside, p->inside, buf))
            break;
        if (n > 0 && fds[1].revents && !pump_once(p, p->inside, p->outside, buf))
            break;
        pthread_mutex_lock(&p->faults->lock);
        stop = p->faults->stop;
        pthread_mutex_unlock(&p->faults->lock);
    }
    close(p->outside);
    close(p->inside);
    pthread_mutex_lock(&p->faults->lock);
    p->faults->pumps--;
    pthread_cond_broadcast(&p->faults->changed);
    pthread_mutex_unlock(&p->faults->lock);
    free(buf);
    free(p);
    return NULL;
}

int faults_connection(void *faults, int fd)
{
    struct faults *f = faults;
    struct pump *p;
    pthread_t thread;
    int ends[2];

    if (!faults_active(f, FAULT_CORRUPT_DIGEST) || !(p = calloc(1, sizeof(*p))))
        return fd;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        free(p);
        return fd;
    }
    p->faults = f;
    p->outside = fd;
    p->inside = ends[1];
    pthread_mutex_lock(&f->lock);
    f->pumps++;
    pthread_mutex_unlock(&f->lock);
    if (pthread_create(&thread, NULL, pump_main, p) != 0) {
        pthread_mutex_lock(&f->lock);
        f->pumps--;
        pthread_mutex_unlock(&f->lock);
        close(ends[0]);
        close(ends[1]);
        free(p);
        return fd;
    }
    pthread_detach(thread);
    return ends[0];
}

void faults_socket_stop(struct faults *f)
{
    bool cutting;

    pthread_mutex_lock(&f->lock);
    f->stop = true;
    pthread_cond_broadcast(&f->changed);
    cutting = f->cutting;
    while (f->pumps > 0)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
    if (cutting)
        pthread_join(f->cutter, NULL);
}
