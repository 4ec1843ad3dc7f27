/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - the CLI's side of control.h: ask the daemon, or open the stopped library. */
#include "vtl/control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "vtl/control/models.h"
#include "vtl/control/socket.h"

#define SEND_MS   10000
#define TRIES     50        /* for a daemon that is starting, or another command */
#define TRY_EVERY 100000000 /* ns */

struct control_session {
    struct config *config;
    bool daemon;
    pid_t pid;
    struct control control; /* if there is no daemon */
};

/* How long an answer may take: whether a daemon lives is known soon, a robot waits for its drive.
 */
static int reply_ms(const char *op)
{
    static const struct {
        const char *op;
        int ms;
    } waits[] = {{"ping", 10 * 1000},
                 {"move", 30 * 60 * 1000},
                 {"load", 30 * 60 * 1000},
                 {"unload", 30 * 60 * 1000}};

    for (size_t i = 0; i < ARRAY_LENGTH(waits); i++)
        if (strcmp(waits[i].op, op) == 0)
            return waits[i].ms;
    return 2 * 60 * 1000;
}

/* ---- talking to a daemon ----------------------------------------------------------------- */

static enum error_code code_named(const char *name)
{
    for (int code = 0; code < ERR_CODE_COUNT; code++)
        if (strcmp(error_code_name((enum error_code)code), name) == 0)
            return (enum error_code)code;
    return ERR_PROTOCOL;
}

/* What the daemon said, as our own result. */
static int reply_take(const char *line, size_t len, json_t **result, struct error *err)
{
    json_t *reply = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    json_t *value = json_object_get(reply, "result");
    const json_t *failure = json_object_get(reply, "error");
    const char *code = json_string_value(json_object_get(failure, "code"));
    const char *message = json_string_value(json_object_get(failure, "message"));
    int rc;

    if (json_is_true(json_object_get(reply, "ok")) && json_is_object(value)) {
        *result = json_incref(value);
        rc = 0;
    } else if (code && message && code_named(code) != ERR_NONE) {
        rc = error_set(err, code_named(code), "%s", message);
    } else {
        rc = error_set(err, ERR_PROTOCOL,
                       "the daemon's answer on the control socket makes no sense");
    }
    json_decref(reply);
    return rc;
}

static int request_send(int fd, const char *op, const json_t *args, struct error *err)
{
    json_t *request = json_pack("{ssso*}", "op", op, "args", json_incref((json_t *)args));
    CLEANUP_FREE char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    int rc;

    json_decref(request);
    if (!text)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for a request");
    rc = line_write(fd, text, strlen(text), SEND_MS, err);
    return rc ? rc : line_write(fd, "\n", 1, SEND_MS, err);
}

/* Whoever was at the other end ended, politely or not. */
static bool hung_up(int rc, const struct error *err)
{
    return rc == -ERR_CLOSED ||
           (rc && err && (err->sys_errno == ECONNRESET || err->sys_errno == EPIPE));
}

int control_request(const char *root, const char *op, const json_t *args, json_t **result,
                    pid_t *pid, struct error *err)
{
    CLEANUP_CLOSE int fd = -1;
    struct line_reader reader = {0};
    char *line = NULL;
    size_t len = 0;
    pid_t peer = 0;
    uid_t uid;
    int rc = control_socket_connect(root, &fd, err);

    if (!rc)
        rc = control_socket_peer(fd, &peer, &uid, err);
    /* A stranger's socket in our place would tell us lies; root may ask anybody. */
    if (!rc && uid != geteuid() && uid != 0 && geteuid() != 0)
        rc = error_set(err, ERR_PERMISSION, "the daemon of %s runs as another user", root);
    if (!rc)
        rc = request_send(fd, op, args, err);
    if (!rc)
        rc = line_read(&reader, fd, CONTROL_REPLY_MAX, reply_ms(op), &line, &len, err);
    if (hung_up(rc, err))
        rc = error_set(err, ERR_CLOSED,
                       "the daemon of %s (process %d) went away before it answered; what it was "
                       "asked for may have been done or not: 'capstan status' tells",
                       root, (int)peer);
    if (!rc)
        rc = reply_take(line, len, result, err);
    if (!rc && pid)
        *pid = peer;
    free(reader.buf);
    return rc;
}

/* ---- a session --------------------------------------------------------------------------- */

static int reach(struct control_session *s, struct error *err)
{
    json_t *result = NULL;
    int rc;

    for (int i = 0;; i++) {
        rc = control_request(s->config->root, "ping", NULL, &result, &s->pid, err);
        json_decref(result);
        s->daemon = rc == 0;
        if (rc != -ERR_NOT_FOUND && rc != -ERR_CLOSED)
            return rc;
        rc = models_open_library_only(s->config, &s->control.library, err);
        if (rc != -ERR_BUSY || i == TRIES)
            return rc;
        nanosleep(&(struct timespec){.tv_nsec = TRY_EVERY}, NULL);
    }
}

int control_session_open(const char *root, struct control_session **out, struct error *err)
{
    struct control_session *s = calloc(1, sizeof(*s));
    int rc;

    if (!s)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left");
    rc = config_load(root, &s->config, err);
    if (!rc)
        rc = reach(s, err);
    s->control.config = s->config;
    if (rc)
        control_session_close(s);
    else
        *out = s;
    return rc;
}

void control_session_close(struct control_session *s)
{
    if (!s)
        return;
    if (s->control.library)
        library_close(s->control.library);
    config_free(s->config);
    free(s);
}

bool control_session_daemon(const struct control_session *s, pid_t *pid)
{
    if (pid && s->daemon)
        *pid = s->pid;
    return s->daemon;
}

const struct config *control_session_config(const struct control_session *s)
{
    return s->config;
}

int control_session_request(struct control_session *s, const char *op, json_t *args,
                            json_t **result, struct error *err)
{
    int rc = s->daemon ? control_request(s->config->root, op, args, result, NULL, err)
                       : control_perform(&s->control, op, args, result, err);

    json_decref(args);
    return rc;
}
