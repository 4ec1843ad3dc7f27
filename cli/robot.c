/* SPDX-License-Identifier: Apache-2.0 */
/* robot.c - see robot.h: reaching the daemon, taking a drive, bringing a cartridge. */
#include "cli/robot.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cli/robot_private.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "vtl/control/control.h"

/* ---- reaching the daemon ----------------------------------------------------------------- */

/* A portal on all addresses is reached at the loopback one. */
static void reachable_portal(const char *portal, char *buf, size_t size)
{
    const char *port = strrchr(portal, ':');

    if (strncmp(portal, "0.0.0.0:", 8) == 0 || strncmp(portal, "*:", 2) == 0)
        snprintf(buf, size, "127.0.0.1%s", port);
    else if (strncmp(portal, "[::]:", 5) == 0)
        snprintf(buf, size, "[::1]%s", port);
    else
        snprintf(buf, size, "%s", portal);
}

static struct tape_login login_of(const struct config *c)
{
    return (struct tape_login){
        .initiator = c->initiator[0] ? c->initiator : NULL,
        .user = c->user[0] ? c->user : NULL,
        .secret = c->user[0] ? c->secret : NULL,
        .mutual_user = c->mutual_user[0] ? c->mutual_user : NULL,
        .mutual_secret = c->mutual_user[0] ? c->mutual_secret : NULL,
    };
}

static int refused(const struct robot *r, struct error *err)
{
    char why[ERROR_MESSAGE_SIZE];

    memcpy(why, err->message, sizeof(why));
    return error_set(
        err, ERR_AUTH,
        "%.300s; look at [chap] and at the initiators in %.100s: the daemon has them as"
        " they were when it started",
        why, r->config->path);
}

static int robot_reach(struct robot *r, struct error *err)
{
    json_t *status = NULL;
    const char *portal;
    char url[512];
    int rc = control_request(r->options.root, "status", NULL, &status, NULL, err);

    if (rc)
        return rc;
    portal = json_string_value(
        json_array_get(json_object_get(json_object_get(status, "daemon"), "portals"), 0));
    if (!portal || strlen(portal) >= sizeof(r->portal))
        rc = error_set(err, ERR_PROTOCOL, "the daemon does not say where it listens");
    else
        reachable_portal(portal, r->portal, sizeof(r->portal));
    json_decref(status);
    if (rc)
        return rc;
    r->login = login_of(r->config);
    snprintf(url, sizeof(url), "iscsi://%s/%s/0", r->portal, r->config->target);
    rc = changer_open(url, &r->login, &r->changer, err);
    return rc == -ERR_AUTH ? refused(r, err) : rc;
}

int robot_open(const struct robot_options *options, struct robot **out, struct error *err)
{
    struct robot *r = calloc(1, sizeof(*r));
    int rc;

    if (!r)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left");
    r->options = *options;
    r->drive = ROBOT_ANY_DRIVE;
    r->lock_fd = -1;
    rc = config_load(options->root, &r->config, err);
    if (!rc)
        rc = config_load_secrets(r->config, err);
    if (!rc && options->drive >= (int)r->config->drives)
        rc = error_set(err, ERR_USAGE, "there is no drive %d: they are numbered 0 to %u",
                       options->drive, r->config->drives - 1);
    if (!rc)
        rc = robot_reach(r, err);
    if (rc)
        robot_close(r);
    else
        *out = r;
    return rc;
}

static void drive_release(struct robot *r)
{
    tape_close(r->tape);
    r->tape = NULL;
    if (r->lock_fd >= 0)
        close(r->lock_fd);
    r->lock_fd = -1;
    r->drive = ROBOT_ANY_DRIVE;
}

void robot_close(struct robot *r)
{
    if (!r)
        return;
    drive_release(r);
    if (r->changer)
        changer_close(r->changer);
    config_free(r->config);
    free(r);
}

int tape_open_at(const char *root, const char *url, enum tape_mode mode, struct tape **out,
                 struct error *err)
{
    struct config *config = NULL;
    struct tape_login login;
    struct error none;
    int rc;

    /* A secret is for its target: a stranger's could try to find it out from our answers. */
    if (config_load(root, &config, &none) || !strstr(url, config->target)) {
        config_free(config);
        return tape_open(url, mode, NULL, out, err);
    }
    rc = config_load_secrets(config, err);
    if (!rc) {
        login = login_of(config);
        rc = tape_open(url, mode, &login, out, err);
    }
    config_free(config);
    return rc;
}

/* ---- taking a drive ---------------------------------------------------------------------- */

/* A lock goes with its descriptor, so a killed dump leaves none behind. */
static int lock_open(const struct robot *r, const char *name, int *fd, struct error *err)
{
    CLEANUP_FREE char *path = NULL;

    if (asprintf(&path, "%s/run/%s.lock", r->options.root, name) < 0) {
        path = NULL;
        return error_set(err, ERR_NO_MEMORY, "there is no memory left");
    }
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return *fd < 0 ? error_errno(err, "%s cannot be opened", path) : 0;
}

int robot_lock(const struct robot *r, int *out, struct error *err)
{
    CLEANUP_CLOSE int fd = -1;
    int rc = lock_open(r, "robot", &fd, err);

    if (rc)
        return rc;
    if (flock(fd, LOCK_EX) < 0)
        return error_errno(err, "the robot cannot be locked");
    *out = steal_fd(&fd);
    return 0;
}

static int drive_lock(struct robot *r, int drive, struct error *err)
{
    CLEANUP_CLOSE int fd = -1;
    char name[24];
    int rc;

    snprintf(name, sizeof(name), "drive-%d", drive);
    rc = lock_open(r, name, &fd, err);
    if (rc)
        return rc;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK
                   ? error_set(err, ERR_BUSY, "drive %d is used by another dump or restore", drive)
                   : error_errno(err, "drive %d cannot be locked", drive);
    r->lock_fd = steal_fd(&fd);
    return 0;
}

static int drive_take(struct robot *r, int drive, struct error *err)
{
    struct tape_info info;
    char url[512];
    int rc;

    if (r->drive == drive)
        return 0;
    drive_release(r);
    rc = drive_lock(r, drive, err);
    if (rc)
        return rc;
    /* LUN 0 is the changer, LUN n + 1 drive n (scsi.h). */
    snprintf(url, sizeof(url), "iscsi://%s/%s/%d", r->portal, r->config->target, drive + 1);
    rc = tape_open(url, r->options.mode, &r->login, &r->tape, err);
    if (!rc)
        rc = tape_get_info(r->tape, &info, err);
    if (rc) {
        drive_release(r);
        return rc;
    }
    snprintf(r->serial, sizeof(r->serial), "%s", info.serial);
    r->drive = drive;
    return 0;
}

enum rank { RANK_EMPTY, RANK_SWAP, RANK_NEVER };

bool robot_in_pool(const struct robot *r, const char *barcode)
{
    return fnmatch(r->options.pool ? r->options.pool : "*", barcode, 0) == 0 &&
           strncmp(barcode, "CLN", 3) != 0; /* cleaning cartridges hold no data */
}

/* Somebody else's software has its hands on it. */
static bool drive_in_use(const json_t *drive)
{
    return json_is_true(json_object_get(drive, "prevented")) ||
           strcmp(json_get_text(drive, "state", ""), "busy") == 0;
}

/* How willingly a drive is taken for a cartridge that is in none. */
static enum rank drive_rank(const struct robot *r, const json_t *drive)
{
    const char *holds = json_get_text(drive, "cartridge", NULL);
    int number = (int)json_get_integer(drive, "drive", ROBOT_ANY_DRIVE);
    bool named = r->options.drive == number, ours = r->drive == number;

    if ((r->options.drive != ROBOT_ANY_DRIVE && !named) || (r->drive != ROBOT_ANY_DRIVE && !ours))
        return RANK_NEVER;
    if (!holds)
        return RANK_EMPTY;
    if (!ours && drive_in_use(drive)) /* it is we who prevent removal from ours */
        return RANK_NEVER;
    return named || robot_in_pool(r, holds) ? RANK_SWAP : RANK_NEVER;
}

/* Take the first drive of this rank that nobody else has locked; ERR_BUSY if there is none. */
static int drive_take_ranked(struct robot *r, const json_t *drives, const char *barcode,
                             enum rank rank, struct error *err)
{
    int rc = error_set(err, ERR_BUSY,
                       "no drive is free for the cartridge %s: they are used by others, or hold"
                       " cartridges that this must not put away; unload one with 'capstan unload',"
                       " or name it with --drive",
                       barcode);
    size_t i;
    json_t *drive;

    json_array_foreach (drives, i, drive) {
        int number = (int)json_get_integer(drive, "drive", -1);
        struct error why;
        int taken;

        if (drive_rank(r, drive) != rank)
            continue;
        taken = drive_take(r, number, &why);
        if (taken != -ERR_BUSY || r->options.drive == number)
            return taken ? error_set(err, why.code, "%s", why.message) : 0;
    }
    return rc;
}

/* The drive that holds the cartridge, or NULL. */
static const json_t *drive_holding(const json_t *drives, const char *barcode)
{
    for (size_t i = 0; i < json_array_size(drives); i++) {
        const json_t *drive = json_array_get(drives, i);

        if (strcmp(json_get_text(drive, "cartridge", ""), barcode) == 0)
            return drive;
    }
    return NULL;
}

static int drive_choose(struct robot *r, const json_t *drives, const char *barcode,
                        struct error *err)
{
    const json_t *holder = drive_holding(drives, barcode);
    int number = (int)json_get_integer(holder, "drive", ROBOT_ANY_DRIVE), rc;

    if (holder && r->options.drive != ROBOT_ANY_DRIVE && number != r->options.drive)
        return error_set(err, ERR_BUSY, "the cartridge %s is in drive %d, not in drive %d", barcode,
                         number, r->options.drive);
    if (holder && r->stays && number != r->drive)
        return error_set(err, ERR_BUSY, "the cartridge %s is in drive %d, not in the one in use",
                         barcode, number);
    if (holder && number != r->drive && drive_in_use(holder))
        return error_set(err, ERR_BUSY,
                         "the cartridge %s is in drive %d, which another initiator uses", barcode,
                         number);
    if (holder)
        return drive_take(r, number, err);
    rc = drive_take_ranked(r, drives, barcode, RANK_EMPTY, err);
    return rc == -ERR_BUSY ? drive_take_ranked(r, drives, barcode, RANK_SWAP, err) : rc;
}

/* ---- bringing a cartridge ---------------------------------------------------------------- */

static bool drive_holds_other(const struct robot *r, const json_t *drives, const char *barcode)
{
    size_t i;
    json_t *drive;

    json_array_foreach (drives, i, drive) {
        const char *holds = json_get_text(drive, "cartridge", NULL);

        if (json_get_integer(drive, "drive", -1) == r->drive)
            return holds && strcmp(holds, barcode) != 0;
    }
    return false;
}

int robot_bring(struct robot *r, const char *barcode, struct tape **out, struct error *err)
{
    CLEANUP_CLOSE int lock = -1;
    int rc = robot_lock(r, &lock, err);

    return rc ? rc : robot_bring_locked(r, barcode, out, err);
}

int robot_bring_locked(struct robot *r, const char *barcode, struct tape **out, struct error *err)
{
    json_t *status = NULL;
    const json_t *drives;
    int rc = control_request(r->options.root, "status", NULL, &status, NULL, err);

    if (rc)
        return rc;
    drives = json_object_get(status, "drives");
    rc = drive_choose(r, drives, barcode, err);
    /* A real robot cannot pull out what the drive holds fast. */
    if (!rc && drive_holds_other(r, drives, barcode))
        rc = tape_unload(r->tape, err);
    json_decref(status);
    if (!rc)
        rc = changer_load(r->changer, barcode, r->serial, err);
    if (!rc)
        rc = tape_load(r->tape, err);
    if (!rc)
        *out = r->tape;
    return rc;
}
