/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.h - the destination tree, entered only from its root.  Internal to engine/restore.
 *
 * Invariants:
 *   1. Every directory is opened from the root descriptor by openat2 with RESOLVE_BENEATH,
 *      RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS: whatever somebody swaps meanwhile, nothing
 *      outside the root is ever reached.
 *   2. A directory that was opened before must be the same one (device and inode) when it is opened
 *      again.
 *   3. A name is only ever replaced by renaming a finished temporary file over it.
 */
#ifndef CAPSTAN_ENGINE_RESTORE_TARGET_H
#define CAPSTAN_ENGINE_RESTORE_TARGET_H

#include "engine/restore/names.h"

#define TARGET_CACHE    64u
#define TARGET_TEMP_MAX 40u

struct target {
    int root;
    bool root_made; /* the root was made by us, or was empty: it gets its attributes too */
    struct {
        size_t directory; /* index + 1; 0: free */
        int fd;
        uint64_t used;
    } cache[TARGET_CACHE];
    uint64_t clock;
    uint64_t temp_seed, temp_number;
};

/* Open the destination; make: make it if it is missing.  ERR_NOT_FOUND, ERR_USAGE (no directory),
 * ERR_PERMISSION (make, and the file system is read-only). */
int target_open(struct target *t, const char *path, bool make, struct error *err);
void target_close(struct target *t);

/* A descriptor (O_PATH) of the directory; it stays the target's, valid until the next call. */
int target_directory(struct target *t, struct names *n, size_t directory, int *fd,
                     struct error *err);
/* Make the directory in its parent (which must be there), unless it is there; something else of
 * that name is removed.  Sets names_directory.made. */
int target_make_directory(struct target *t, struct names *n, size_t directory, struct error *err);
/* The directory opened for reading, to set its attributes; the caller closes it. */
int target_open_directory(struct target *t, struct names *n, size_t directory, int *fd,
                          struct error *err);

/* A name for a temporary file that nobody guesses. */
void target_temp_name(struct target *t, char name[TARGET_TEMP_MAX]);

#endif
