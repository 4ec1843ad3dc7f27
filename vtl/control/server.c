/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.c - the daemon's side of the control socket: see control.h for the rules.
 *
 * One thread listens; each connection has a thread, at most CONTROL_CONNECTIONS_MAX at a time.  A
 * further one is told that the daemon is busy.  control_server_stop() shuts the connections down,
 * which ends their waits, and then waits until the last thread is gone.
 */
#include "vtl/control/control.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "vtl/control/socket.h"

#define SEND_MS 10000 /* for a whole reply to be taken */

struct connection {
    struct control_server *server;
    int fd; /* -1: the slot is free */
};

struct control_server {
    struct control *control;
    int listen_fd, wake_fd;
    pthread_t listener;
    pthread_mutex_t lock; /* of everything below; never held while an operation runs */
    pthread_cond_t gone;  /* a connection has ended */
    unsigned running;
    bool stopping;
    struct connection connections[CONTROL_CONNECTIONS_MAX];
};

/* ---- one connection ---------------------------------------------------------------------- */

/* A message may quote what somebody sent, cut off in the middle of a character. */
static json_t *reply_error(const struct error *err)
{
    json_t *error = json_pack("{ss}", "code", error_code_name(err->code));

    if (error && json_set_bytes(error, "message", err->message, strlen(err->message), NULL)) {
        json_decref(error);
        return NULL;
    }
    return error;
}

/* Takes over result. */
static json_t *reply_make(int rc, json_t *result, const struct error *err)
{
    return rc ? json_pack("{sbso}", "ok", 0, "error", reply_error(err))
              : json_pack("{sbso}", "ok", 1, "result", result);
}

/* Takes over result. */
static int reply_send(int fd, int rc, json_t *result, const struct error *failure,
                      struct error *err)
{
    json_t *reply = reply_make(rc, result, failure);
    CLEANUP_FREE char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
    size_t len = text ? strlen(text) : 0;

    json_decref(reply);
    if (!text)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for a reply");
    text[len] = '\n'; /* in the place of the NUL */
    return line_write(fd, text, len + 1, SEND_MS, err);
}

/* The request in text, carried out. */
static int request_perform(struct control *control, const char *text, size_t len, json_t **result,
                           struct error *err)
{
    json_error_t where;
    json_t *request = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    const char *op = json_string_value(json_object_get(request, "op"));
    const json_t *args = json_object_get(request, "args");
    int rc;

    if (!request)
        rc = error_set(err, ERR_PROTOCOL, "the request is not JSON: %s (column %d)", where.text,
                       where.column);
    else if (!op || (args && !json_is_object(args)) ||
             json_object_size(request) != (args ? 2u : 1u))
        rc = error_set(err, ERR_PROTOCOL,
                       "a request is an object {\"op\": TEXT, \"args\": {...}} and nothing else");
    else
        rc = control_perform(control, op, args, result, err);
    json_decref(request);
    return rc;
}

static int peer_check(int fd, struct error *err)
{
    pid_t pid;
    uid_t uid;
    int rc = control_socket_peer(fd, &pid, &uid, err);

    if (!rc && uid != geteuid() && uid != 0)
        rc = error_set(err, ERR_PERMISSION,
                       "this library belongs to another user; only that user and root may control"
                       " it");
    return rc;
}

static void serve(struct control_server *server, int fd)
{
    struct line_reader reader = {0};
    struct error err = ERROR_INIT;
    char *line = NULL;
    size_t len = 0;
    int rc = peer_check(fd, &err);

    while (!rc) {
        json_t *result = NULL;
        struct error failure = ERROR_INIT, unsent;
        int done;

        rc = line_read(&reader, fd, CONTROL_REQUEST_MAX, CONTROL_IDLE_MS, &line, &len, &err);
        if (rc)
            break;
        done = request_perform(server->control, line, len, &result, &failure);
        if (reply_send(fd, done, result, &failure, &unsent))
            break;
    }
    if (rc && err.code != ERR_CLOSED) {
        struct error unsent;

        log_warning("control socket: %s", err.message);
        reply_send(fd, rc, NULL, &err, &unsent);
    }
    free(reader.buf);
}

static void *connection_main(void *ctx)
{
    struct connection *c = ctx;
    struct control_server *server = c->server;

    serve(server, c->fd);
    {
        CLEANUP_UNLOCK(&server->lock);
        close(c->fd);
        c->fd = -1;
        server->running--;
        pthread_cond_broadcast(&server->gone);
    }
    return NULL;
}

/* ---- listening --------------------------------------------------------------------------- */

static int thread_start(void *(*main)(void *), void *ctx)
{
    pthread_attr_t attr;
    pthread_t thread;
    int failed;

    if (pthread_attr_init(&attr))
        return -1;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    failed = pthread_create(&thread, &attr, main, ctx);
    pthread_attr_destroy(&attr);
    return failed ? -1 : 0;
}

/* True if a thread has taken fd over. */
static bool connection_start(struct control_server *server, int fd)
{
    CLEANUP_UNLOCK(&server->lock);

    for (unsigned i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
        struct connection *c = &server->connections[i];

        if (server->stopping || c->fd >= 0)
            continue;
        *c = (struct connection){server, fd};
        if (thread_start(connection_main, c)) {
            c->fd = -1;
            return false;
        }
        server->running++;
        return true;
    }
    return false;
}

static void connection_refuse(int fd)
{
    struct error err, unsent;
    int rc =
        error_set(&err, ERR_BUSY, "the daemon has as many control connections as it takes (%d)",
                  CONTROL_CONNECTIONS_MAX);
    json_t *reply = reply_make(rc, NULL, &err);
    CLEANUP_FREE char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;

    json_decref(reply);
    /* No wait here: this is the listening thread. */
    if (text && line_write(fd, text, strlen(text), 0, &unsent) == 0)
        line_write(fd, "\n", 1, 0, &unsent);
    close(fd);
}

static void *listener_main(void *ctx)
{
    struct control_server *server = ctx;

    for (;;) {
        struct pollfd p[2] = {{.fd = server->listen_fd, .events = POLLIN},
                              {.fd = server->wake_fd, .events = POLLIN}};
        int fd;

        if (poll(p, 2, -1) < 0 && errno != EINTR) {
            log_error("the control socket failed: %s", strerror(errno));
            return NULL;
        }
        if (p[1].revents)
            return NULL;
        fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0 && !connection_start(server, fd))
            connection_refuse(fd);
        else if (fd < 0 && (errno == EMFILE || errno == ENFILE))
            poll(&p[1], 1, 100); /* out of descriptors: others will end */
    }
}

int control_server_start(struct control *control, struct control_server **out, struct error *err)
{
    struct control_server *server = calloc(1, sizeof(*server));
    int rc;

    if (!server)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for the control socket");
    server->control = control;
    for (unsigned i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        server->connections[i].fd = -1;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->gone, NULL);
    server->listen_fd = -1;
    server->wake_fd = eventfd(0, EFD_CLOEXEC);
    rc = server->wake_fd < 0
             ? error_errno(err, "an event descriptor cannot be made")
             : control_socket_listen(control->config->root, &server->listen_fd, err);
    if (!rc && pthread_create(&server->listener, NULL, listener_main, server)) {
        rc = error_set(err, ERR_NO_MEMORY, "a thread for the control socket cannot be made");
        control_socket_remove(control->config->root);
    }
    if (rc) {
        if (server->listen_fd >= 0)
            close(server->listen_fd);
        if (server->wake_fd >= 0)
            close(server->wake_fd);
        pthread_cond_destroy(&server->gone);
        pthread_mutex_destroy(&server->lock);
        free(server);
        return rc;
    }
    *out = server;
    return 0;
}

void control_server_stop(struct control_server *server)
{
    if (!server)
        return;
    eventfd_write(server->wake_fd, 1);
    pthread_join(server->listener, NULL);
    control_socket_remove(server->control->config->root);
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    /* Only the reading side: a reply that is on its way still gets out. */
    for (unsigned i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
        if (server->connections[i].fd >= 0)
            shutdown(server->connections[i].fd, SHUT_RD);
    while (server->running)
        pthread_cond_wait(&server->gone, &server->lock);
    pthread_mutex_unlock(&server->lock);
    close(server->listen_fd);
    close(server->wake_fd);
    pthread_cond_destroy(&server->gone);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
