/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c - mount, serve until told to stop, unmount.
 *
 *   view_run ─ foreground ──────────────────────> serve
 *            └ fork ─ child: new session ───────> serve
 *                   └ parent: waits until the child says that the mount stands, or why not
 *
 * serve: open catalog and volumes ─> mount ─> say so ─> loop ─> unmount ─> close.
 * The fork comes first, as neither threads nor SQLite connections survive one.
 */
#include "fuse/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "fuse/view.h"

/* ---- before mounting ------------------------------------------------------------------------- */

static int check_mountpoint(const char *mountpoint, struct error *err)
{
    struct stat st;

    if (stat(mountpoint, &st) < 0) {
        if (errno == ENOTCONN)
            return error_set(err, ERR_STATE,
                             "%s is a mount whose server has died: unmount it (fusermount3 -u)",
                             mountpoint);
        return error_errno(err, "Cannot mount on %s", mountpoint);
    }
    if (!S_ISDIR(st.st_mode))
        return error_set(err, ERR_USAGE, "Cannot mount on %s: it is not a directory", mountpoint);
    if (access("/dev/fuse", F_OK) < 0)
        return error_set(err, ERR_UNSUPPORTED,
                         "There is no /dev/fuse here: load the kernel's fuse module, or give the "
                         "container the device");
    return 0;
}

static int make_session(const struct view_options *options, struct view *view,
                        struct fuse_session **out, struct error *err)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    bool ok = fuse_opt_add_arg(&args, "capstan") == 0 &&
              fuse_opt_add_arg(&args, "-oro,nosuid,nodev,default_permissions") == 0 &&
              fuse_opt_add_arg(&args, "-ofsname=capstan,subtype=capstan") == 0;

    if (ok && options->allow_other)
        ok = fuse_opt_add_arg(&args, "-oallow_other") == 0;
    if (ok && options->debug)
        ok = fuse_opt_add_arg(&args, "-d") == 0;
    *out = ok ? fuse_session_new(&args, &view_operations, sizeof(view_operations), view) : NULL;
    fuse_opt_free_args(&args);
    return *out ? 0 : error_set(err, ERR_INTERNAL, "libfuse does not take the options of the view");
}

static int open_view(const struct view_options *options, struct view *view, struct error *err)
{
    int rc;

    pthread_mutex_init(&view->lock, NULL);
    view->uid = getuid();
    view->gid = getgid();
    rc = catalog_open(options->catalog_dir, false, &view->catalog, err);
    if (rc == 0)
        rc = view_tree_cache_open(view->catalog, &view->trees, err);
    if (rc == 0)
        rc = view_volumes_open(options->library_root, &view->volumes, err);
    return rc;
}

static void close_view(struct view *view)
{
    while (view->handles)
        view_handle_free(view, view->handles);
    view_volumes_close(view->volumes);
    view_tree_cache_close(view->trees);
    catalog_close(view->catalog);
    pthread_mutex_destroy(&view->lock);
}

/* ---- serving --------------------------------------------------------------------------------- */

/* Tells whoever waits how the mount went. */
struct announce {
    int fd; /* -1: nobody waits */
};

static void announce(const struct announce *a, int rc, const struct error *err)
{
    struct {
        int rc;
        struct error err;
    } message = {rc, *err};

    if (a->fd >= 0 && write(a->fd, &message, sizeof(message)) != sizeof(message))
        log_warning("Nobody waits any more for the mount");
}

/* Where a daemon's messages go: on to the journal, else to ROOT/run/view.log, else nowhere. */
static void redirect_messages(const char *library_root, int null)
{
    CLEANUP_FREE char *path = NULL;
    CLEANUP_CLOSE int fd = -1;

    if (getenv("JOURNAL_STREAM"))
        return;
    if (asprintf(&path, "%s/run/view.log", library_root) >= 0)
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    else
        path = NULL;
    dup2(fd >= 0 ? fd : null, STDERR_FILENO);
}

/* A daemon keeps no terminal and no directory. */
static void leave_terminal(const struct announce *a, const char *library_root)
{
    CLEANUP_CLOSE int null = -1;

    if (a->fd < 0)
        return;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return;
    redirect_messages(library_root, null); /* the path may be relative: before the chdir */
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    if (chdir("/") < 0)
        log_warning("The view keeps its working directory busy");
}

static int loop(struct fuse_session *session, struct error *err)
{
    struct fuse_loop_config config = {.clone_fd = 0, .max_idle_threads = 4};
    int rc = fuse_session_loop_mt(session, &config);

    if (rc < 0) {
        errno = -rc;
        return error_errno(err, "The view stopped serving");
    }
    return 0; /* unmounted, or a signal */
}

static int mount_and_loop(const struct view_options *options, struct fuse_session *session,
                          const struct announce *a, bool *announced, struct error *err)
{
    int rc;

    if (fuse_set_signal_handlers(session) != 0)
        return error_set(err, ERR_INTERNAL, "Cannot set up the signals of the view");
    if (fuse_session_mount(session, options->mountpoint) != 0) {
        fuse_remove_signal_handlers(session);
        return error_set(err, ERR_PERMISSION,
                         "Cannot mount on %s: see the message of fusermount3 above; users need "
                         "/dev/fuse and a directory of their own%s",
                         options->mountpoint,
                         options->allow_other
                             ? ", and for --allow-other user_allow_other in /etc/fuse.conf"
                             : "");
    }
    announce(a, 0, &(struct error)ERROR_INIT);
    *announced = true;
    leave_terminal(a, options->library_root);
    rc = loop(session, err);
    fuse_session_unmount(session);
    fuse_remove_signal_handlers(session);
    return rc;
}

static int serve(const struct view_options *options, const struct announce *a, struct error *err)
{
    struct view view = {.catalog = NULL};
    struct fuse_session *session = NULL;
    bool announced = false;
    int rc = open_view(options, &view, err);

    if (rc == 0)
        rc = make_session(options, &view, &session, err);
    if (rc == 0)
        rc = mount_and_loop(options, session, a, &announced, err);
    if (session)
        fuse_session_destroy(session);
    close_view(&view);
    if (!announced)
        announce(a, rc, err);
    return rc;
}

/* ---- in the background ----------------------------------------------------------------------- */

/* What the child says, or that it died without a word. */
static int await_mount(int fd, pid_t child, struct error *err)
{
    struct {
        int rc;
        struct error err;
    } message;
    ssize_t got;

    do
        got = read(fd, &message, sizeof(message));
    while (got < 0 && errno == EINTR);
    if (got != sizeof(message)) {
        waitpid(child, NULL, 0);
        return error_set(err, ERR_INTERNAL, "The server of the view died before it mounted");
    }
    if (message.rc != 0) {
        waitpid(child, NULL, 0);
        if (err)
            *err = message.err;
    }
    return message.rc;
}

static int serve_in_background(const struct view_options *options, struct error *err)
{
    int ends[2];
    int rc;
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, "Cannot make a pipe");
    child = fork();
    if (child == 0) {
        struct error own = ERROR_INIT;

        close(ends[0]);
        setsid();
        rc = serve(options, &(struct announce){ends[1]}, &own);
        _exit(rc == 0 ? 0 : 1);
    }
    close(ends[1]);
    if (child < 0)
        rc = error_errno(err, "Cannot start the server of the view");
    else
        rc = await_mount(ends[0], child, err);
    close(ends[0]);
    return rc;
}

int view_run(const struct view_options *given, struct error *err)
{
    struct view_options whole = *given, *options = &whole;
    CLEANUP_FREE char *mountpoint = NULL;
    struct error own = ERROR_INIT; /* announce() needs one */
    int rc = check_mountpoint(given->mountpoint, err);

    if (rc != 0)
        return rc;
    mountpoint = realpath(given->mountpoint, NULL); /* it is unmounted from elsewhere */
    if (!mountpoint)
        return error_errno(err, "Cannot mount on %s", given->mountpoint);
    options->mountpoint = mountpoint;
    if (!options->foreground && !options->debug)
        return serve_in_background(options, err);
    rc = serve(options, &(struct announce){-1}, &own);
    if (rc != 0 && err)
        *err = own;
    return rc;
}
