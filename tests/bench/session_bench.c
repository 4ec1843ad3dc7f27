/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_bench.c - what connections cost the iSCSI server: a crowd that never logs in, and
 * sessions that do nothing.
 *
 *   session_bench [HALF_OPEN [IDLE]]      default 10000 and 1000; 2000 and 200 with sanitizers
 *
 * The server is a process of its own on 127.0.0.1 over the disks of iscsi_fake.h, so that its
 * memory, descriptors and threads are counted by the kernel and not mixed with the initiators'.
 * Every HALF_OPEN connection stays open at this end until all have been made.  It prints what was
 * measured and fails if the crowd costs more than a bound that does not depend on its size, if a
 * session costs 64 KiB or more, or if the server does not serve afterwards.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/iscsi_fake.h"
#include "tests/unit/sanitized.h"
#include "vtl/iscsi/conn.h"

#define TARGET          "iqn.2026-01.test:fake"
#define SPARE_FDS       64
#define SAMPLE_EVERY    50
#define SESSION_MAX_KIB 64
#define PATIENCE_S      30

/* What the server allows itself: a socket and an eventfd of each that has not logged in or is on
 * its way out, and the eventfds of as many whose threads are over but not joined. */
#define HALF_OPEN_MAX     (CONN_PENDING_MAX + CONN_LEAVING_MAX)
#define HALF_OPEN_MAX_FDS (3 * HALF_OPEN_MAX + 8)
#define HALF_OPEN_MAX_KIB (HALF_OPEN_MAX * SESSION_MAX_KIB)

struct server {
    pid_t pid;
    int stop; /* closed: the server ends */
    uint16_t port;
};

struct usage {
    long rss_kib, peak_kib, threads, fds;
};

static void die(const char *what)
{
    fprintf(stderr, "session_bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- the server -------------------------------------------------------------------------------*/

static int serve(int port_out, int stop_in)
{
    const struct iscsid_options options = {.target_name = TARGET,
                                           .portals = {"127.0.0.1:0"},
                                           .portal_count = 1,
                                           .max_sessions = 65000};
    struct scsi_target *target = fake_target_create();
    struct error err = ERROR_INIT;
    struct iscsid *server;
    uint16_t port;
    char end;

    log_set_level(LOG_LEVEL_ERROR);
    if (iscsid_create(target, &options, &server, &err) || iscsid_start(server, &err)) {
        fprintf(stderr, "session_bench: %s\n", err.message);
        return 1;
    }
    port = (uint16_t)atoi(strrchr(iscsid_portal(server, 0), ':') + 1);
    if (write(port_out, &port, sizeof(port)) != (ssize_t)sizeof(port))
        return 1;
    while (read(stop_in, &end, 1) < 0 && errno == EINTR)
        ;
    iscsid_stop(server, 0);
    iscsid_destroy(server);
    fake_target_destroy(target);
    return 0;
}

static void server_start(struct server *s)
{
    int port[2], stop[2];

    if (pipe(port) < 0 || pipe(stop) < 0)
        die("pipe");
    s->pid = fork();
    if (s->pid < 0)
        die("fork");
    if (s->pid == 0) {
        close(port[0]);
        close(stop[1]);
        exit(serve(port[1], stop[0]));
    }
    close(port[1]);
    close(stop[0]);
    s->stop = stop[1];
    if (read(port[0], &s->port, sizeof(s->port)) != (ssize_t)sizeof(s->port))
        die("the server did not start");
    close(port[0]);
}

static int server_end(struct server *s)
{
    int status = -1;

    close(s->stop);
    waitpid(s->pid, &status, 0);
    return status;
}

static long count_fds(pid_t pid)
{
    char path[64];
    long count = -2; /* . and .. */
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    if (!dir)
        die(path);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static struct usage measure(pid_t pid)
{
    struct usage u = {.fds = count_fds(pid)};
    char path[64], line[256];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "r");
    if (!f)
        die(path);
    while (fgets(line, sizeof(line), f)) {
        sscanf(line, "VmRSS: %ld", &u.rss_kib);
        sscanf(line, "VmHWM: %ld", &u.peak_kib);
        sscanf(line, "Threads: %ld", &u.threads);
    }
    fclose(f);
    return u;
}

/* ---- initiators -------------------------------------------------------------------------------*/

static int connect_to(const struct server *s)
{
    const struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons(s->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct linger reset = {1, 0}; /* leave no port behind in TIME_WAIT */
    const struct timeval patience = {PATIENCE_S, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const void *)&sa, sizeof(sa)) < 0)
        die("connect");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

/* A session of an initiator of its own, straight to full feature phase. */
static int log_in(const struct server *s, unsigned number)
{
    uint8_t pdu[BHS_SIZE + 256] = {OP_LOGIN_REQUEST | 0x40, LOGIN_TRANSIT | 1 << 2 | 3};
    char *text = (char *)pdu + BHS_SIZE, answer[1024];
    int fd = connect_to(s), len;

    pdu[8] = 0x80; /* ISID: random */
    put_be24(pdu + 11, number);
    put_be32(pdu + 16, 1);
    len = snprintf(text, 256, "InitiatorName=iqn.2026-01.test:host%u%cTargetName=%s%c", number, 0,
                   TARGET, 0);
    put_be24(pdu + 5, (uint32_t)len);
    if (send(fd, pdu, BHS_SIZE + (size_t)((len + 3) & ~3), MSG_NOSIGNAL) < 0 ||
        recv(fd, answer, BHS_SIZE, MSG_WAITALL) != BHS_SIZE || answer[36] || answer[37])
        die("login");
    while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
        ;
    return fd;
}

/* ---- what is measured -------------------------------------------------------------------------*/

static bool half_open(const struct server *s, int *fds, unsigned count)
{
    struct usage before = measure(s->pid), u = before;
    long most_fds = 0, most_threads = 0;
    bool good;

    for (unsigned i = 0; i < count; i++) {
        fds[i] = connect_to(s);
        if (i % 3 == 0)
            (void)send(fds[i], "\x43\x87", 2, MSG_NOSIGNAL);
        if (i % SAMPLE_EVERY && i + 1 < count)
            continue;
        u = measure(s->pid);
        most_fds = u.fds > most_fds ? u.fds : most_fds;
        most_threads = u.threads > most_threads ? u.threads : most_threads;
    }
    good = most_fds - before.fds <= HALF_OPEN_MAX_FDS &&
           (!MEASURE || u.peak_kib - before.rss_kib <= HALF_OPEN_MAX_KIB);
    printf("%u half-open connections: at most %ld descriptors, %ld threads and %ld KiB more%s\n",
           count, most_fds - before.fds, most_threads - before.threads, u.peak_kib - before.rss_kib,
           good ? "" : ": TOO MUCH");
    close(log_in(s, 0xffffff));
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
    return good;
}

static bool idle(const struct server *s, int *fds, unsigned count)
{
    struct usage before = measure(s->pid), after;
    double each;
    bool good;

    for (unsigned i = 0; i < count; i++)
        fds[i] = log_in(s, i);
    after = measure(s->pid);
    each = (double)(after.rss_kib - before.rss_kib) / count;
    good = !MEASURE || each < SESSION_MAX_KIB;
    printf("%u idle sessions: %.1f KiB each%s\n", count, each, good ? "" : ": TOO MUCH");
    for (unsigned i = 0; i < count; i++)
        close(fds[i]);
    return good;
}

/* At most what the limit on descriptors allows. */
static unsigned within_limit(unsigned count)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur - SPARE_FDS < count ? (unsigned)limit.rlim_cur - SPARE_FDS : count;
}

int main(int argc, char **argv)
{
    unsigned crowd = within_limit(argc > 1 ? (unsigned)atoi(argv[1]) : MEASURE ? 10000 : 2000);
    unsigned sessions = within_limit(argc > 2 ? (unsigned)atoi(argv[2]) : MEASURE ? 1000 : 200);
    struct server s;
    int *fds;
    bool good;

    setvbuf(stdout, NULL, _IOLBF, 0);
    server_start(&s);
    fds = calloc(crowd + sessions + 1, sizeof(*fds));
    if (!fds)
        die("memory");
    close(log_in(&s, 0));
    good = crowd == 0 || half_open(&s, fds, crowd);
    good = (sessions == 0 || idle(&s, fds, sessions)) && good;
    free(fds);
    if (server_end(&s) != 0) {
        fprintf(stderr, "session_bench: the server failed\n");
        good = false;
    }
    return good ? 0 : 1;
}
