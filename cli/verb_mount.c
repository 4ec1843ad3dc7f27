/* SPDX-License-Identifier: Apache-2.0 */
/* verb_mount.c - `capstan mount`: the view. */
#include <config.h>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "cli/cli.h"
#include "common/cleanup.h"
#include "fuse/view.h"
#include "vtl/control/config.h"

const struct cli_option verb_mount_options[] = {
    {"foreground", NULL, "stay in the foreground; default: return once the mount stands"},
    {"allow-other", NULL, "let other users look too (user_allow_other in /etc/fuse.conf)"},
    {"debug", NULL, "print every request; stays in the foreground"},
    {NULL, NULL, NULL},
};

#ifdef HAVE_FUSE
/* Is a FUSE file system mounted on dir itself?  A second one would hide it, and unmounting would
 * only bring the first one back. */
static bool is_view_already(const char *dir, const struct stat *st)
{
    CLEANUP_CLOSE int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat up;
    struct statfs fs;

    return fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == FUSE_SUPER_MAGIC &&
           fstatat(fd, "..", &up, 0) == 0 && up.st_dev != st->st_dev;
}

int verb_mount(struct cli *cli, struct error *err)
{
    struct view_options options = {
        .library_root = cli->root,
        .mountpoint = cli->operands[0],
        .foreground = cli_flag(cli, "foreground") || cli_flag(cli, "debug"),
        .allow_other = cli_flag(cli, "allow-other"),
        .debug = cli_flag(cli, "debug"),
    };
    CLEANUP_FREE char *catalog_dir = NULL;
    struct config *config;
    struct stat st;
    int rc = config_load(cli->root, &config, err);

    if (rc)
        return rc;
    config_free(config);
    if (stat(options.mountpoint, &st) < 0)
        return error_errno(err, "%s cannot be mounted on", options.mountpoint);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, ERR_USAGE, "%s is not a directory", options.mountpoint);
    if (is_view_already(options.mountpoint, &st))
        return error_set(err, ERR_EXISTS,
                         "something is mounted on %s already; unmount it first: fusermount3 -u %s",
                         options.mountpoint, options.mountpoint);
    rc = cli_path(cli, "catalog", &catalog_dir, err);
    options.catalog_dir = catalog_dir;
    return rc ? rc : view_run(&options, err);
}
#else
int verb_mount(struct cli *cli, struct error *err)
{
    (void)cli;
    return error_set(err, ERR_UNSUPPORTED,
                     "this build has no view; build with libfuse3 (package libfuse3-dev)");
}
#endif
