/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.h - the read-only file system over the catalog (`capstan mount`).
 *
 * Low-level FUSE, stateless: an inode number is (image slot << 32 | inode of the dump), and
 * everything about it is looked up in the image's index.  File data comes straight from the
 * cartridges, opened read-only beside whatever drive writes to them; no drive is ever used.
 */
#ifndef CAPSTAN_FUSE_VIEW_H
#define CAPSTAN_FUSE_VIEW_H

#include <stdbool.h>

#include "common/error.h"

struct view_options {
    const char *catalog_dir;  /* ROOT/catalog */
    const char *library_root; /* ROOT: cartridges/<BARCODE> are below it */
    const char *mountpoint;
    bool foreground; /* else: daemonise once the mount stands */
    bool allow_other;
    bool debug;
};

/* Mount and serve until unmounted or until SIGINT, SIGTERM, SIGHUP.  In the background, messages go
 * to the journal if standard error was one, else to ROOT/run/view.log.
 * Errors: ERR_NOT_FOUND, ERR_USAGE (no directory), ERR_STATE (a dead mount is there),
 * ERR_PERMISSION, ERR_UNSUPPORTED (no /dev/fuse, or built without libfuse), those of
 * catalog_open(). */
int view_run(const struct view_options *options, struct error *err);

#endif
