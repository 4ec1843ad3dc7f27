/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.c - see daemon.h. */
#include "vtl/control/daemon.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/log.h"
#include "vtl/control/models.h"

struct served {
    struct control control;
    struct config *config;
    struct models models;
    struct control_server *server;
};

struct daemon {
    struct iscsid *iscsid;
    unsigned count;
    struct served libraries[];
};

/* ---- one library ------------------------------------------------------------------------- */

static int open_target(struct served *s, struct error *err)
{
    struct control *c = &s->control;
    int rc = models_load(s->config, &s->models, err);

    if (!rc)
        rc = models_open_library(&s->models, s->config, &c->library, err);
    if (!rc)
        rc = scsi_target_create(c->library, &s->models.scsi, &c->target, err);
    if (!rc)
        scsi_target_set_compression(c->target, config_compression(s->config));
    if (!rc && s->config->test_disk)
        rc = scsi_target_add_disk(c->target, s->config->test_disk, err);
    if (!rc)
        rc = faults_create((uint64_t)c->since_ns, &c->faults, err);
    if (!rc)
        faults_attach(c->faults, c->library, c->target);
    return rc;
}

/* Also for what served_open() left half-done. */
static void served_close(struct served *s)
{
    if (s->control.target)
        scsi_target_destroy(s->control.target);
    if (s->control.library)
        library_close(s->control.library);
    faults_destroy(s->control.faults);
    models_free(&s->models);
    config_free(s->config);
    *s = (struct served){0};
}

static int served_open(struct served *s, const char *root, struct error *err)
{
    int rc = config_load(root, &s->config, err);

    if (!rc)
        rc = config_load_secrets(s->config, err);
    s->control.config = s->config;
    s->control.since_ns = clock_real_ns();
    if (!rc)
        rc = open_target(s, err);
    if (rc)
        served_close(s);
    return rc;
}

/* ---- all of them ------------------------------------------------------------------------- */

static bool same_directory(const char *a, const char *b)
{
    struct stat one, two;

    return stat(a, &one) == 0 && stat(b, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

/* Those before it are open, so what they have is theirs. */
static int check_twins(const struct daemon *d, const struct config *config, struct error *err)
{
    for (unsigned i = 0; i < d->count; i++) {
        const struct config *other = d->libraries[i].config;
        bool target = strcmp(other->target, config->target) == 0;

        if (target || strcmp(other->serial, config->serial) == 0)
            return error_set(err, ERR_EXISTS,
                             "it has the %s of the library %s (%s); is one a copy of the other?"
                             " change [%s] in one of them",
                             target ? "target name" : "serial number", other->root,
                             target ? other->target : other->serial,
                             target ? "iscsi] target" : "library] serial");
    }
    return 0;
}

static int open_one(struct daemon *d, const char *root, struct error *err)
{
    struct served *s = &d->libraries[d->count];
    int rc;

    for (unsigned i = 0; i < d->count; i++)
        if (same_directory(root, d->libraries[i].config->root))
            return error_set(err, ERR_USAGE, "it is named twice");
    rc = served_open(s, root, err);
    if (!rc) {
        rc = check_twins(d, s->config, err);
        if (rc)
            served_close(s);
    }
    d->count += rc == 0;
    return rc;
}

static int open_libraries(struct daemon *d, const struct daemon_options *o, struct error *err)
{
    for (unsigned i = 0; i < o->count; i++) {
        int rc = open_one(d, o->roots[i], err);

        if (rc && o->count > 1)
            error_prefix(err, "library %s", o->roots[i]);
        if (rc && !o->skip)
            return o->count > 1 ? error_prefix(err, "none of the %u libraries is served", o->count)
                                : rc;
        if (rc)
            log_error("left out: %s", err->message);
    }
    return d->count ? 0 : error_set(err, ERR_STATE, "none of the libraries can be served");
}

/* A fault of the wire is one of the portals, which the libraries share. */
static int connection_layer(void *ctx, int fd)
{
    struct daemon *d = ctx;

    for (unsigned i = 0; i < d->count; i++)
        fd = faults_connection(d->libraries[i].control.faults, fd);
    return fd;
}

static int offer_one(struct daemon *d, struct served *s, struct error *err)
{
    struct iscsid_options options;
    unsigned n = 0;
    int rc;

    config_iscsi_options(s->config, &options);
    options.connection = connection_layer;
    options.connection_ctx = d;
    rc = d->iscsid ? iscsid_add(d->iscsid, s->control.target, &options, &n, err)
                   : iscsid_create(s->control.target, &options, &d->iscsid, err);
    if (rc)
        return d->count > 1 ? error_prefix(err, "library %s", s->config->root) : rc;
    s->control.iscsid = d->iscsid;
    s->control.number = n;
    for (unsigned i = 0; iscsid_target_portal(d->iscsid, n, i, NULL); i++)
        faults_portal(s->control.faults, iscsid_target_portal(d->iscsid, n, i, NULL));
    return 0;
}

int daemon_open(const struct daemon_options *o, struct daemon **out, struct error *err)
{
    struct daemon *d = calloc(1, sizeof(*d) + o->count * sizeof(d->libraries[0]));
    int rc;

    if (!d)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for the daemon");
    rc = open_libraries(d, o, err);
    for (unsigned i = 0; i < d->count && !rc; i++)
        rc = offer_one(d, &d->libraries[i], err);
    for (unsigned i = 0; i < d->count && !rc; i++) {
        struct served *s = &d->libraries[i];

        s->control.stop = o->stop;
        s->control.stop_ctx = o->stop_ctx;
        s->control.daemon = d;
        rc = control_server_start(&s->control, &s->server, err);
    }
    if (rc)
        daemon_close(d, 0);
    else
        *out = d;
    return rc;
}

int daemon_start(struct daemon *d, struct error *err)
{
    return iscsid_start(d->iscsid, err);
}

void daemon_close(struct daemon *d, unsigned grace_ms)
{
    if (!d)
        return;
    for (unsigned i = 0; i < d->count; i++)
        control_server_stop(d->libraries[i].server);
    if (d->iscsid) {
        iscsid_stop(d->iscsid, grace_ms);
        iscsid_destroy(d->iscsid);
    }
    for (unsigned i = 0; i < d->count; i++)
        served_close(&d->libraries[i]);
    free(d);
}

void daemon_reload(struct daemon *d)
{
    for (unsigned i = 0; i < d->count; i++) {
        struct control *c = &d->libraries[i].control;
        struct error err = ERROR_INIT;
        json_t *result = NULL;

        if (control_perform(c, "reload", NULL, &result, &err))
            log_error("library %s: its rules stay as they were: %s", c->config->root, err.message);
        else
            log_info("library %s: reloaded", c->config->root);
        json_decref(result);
    }
}

unsigned daemon_count(const struct daemon *d)
{
    return d->count;
}

const struct control *daemon_library(const struct daemon *d, unsigned n)
{
    return &d->libraries[n].control;
}
