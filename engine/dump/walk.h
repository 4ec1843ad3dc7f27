/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.h - phases I and II: find every name below a directory.
 *
 * Threads take directories from a stack, read one each, sort its names and stat them by the open
 * directory; the result does not depend on which thread was where.
 */
#ifndef CAPSTAN_ENGINE_DUMP_WALK_H
#define CAPSTAN_ENGINE_DUMP_WALK_H

#include <stdatomic.h>

#include "engine/dump/tree.h"

struct walk_options {
    const char *path;
    unsigned threads; /* >= 1 */
    bool one_file_system;
    const atomic_bool *cancel; /* may be NULL */
    /* Something is left out or incomplete: `name` in the directory `node`, or with name "" the
     * directory itself.  Any thread, one at a time. */
    void (*warning)(void *ctx, const struct tree *tree, uint32_t node, const char *name,
                    const char *message);
    /* So many names until now; on the caller's thread, some times a second. */
    void (*found)(void *ctx, uint64_t names);
    void *ctx;
};

struct walk_totals {
    uint64_t files; /* names that are not directories */
    uint64_t directories;
    uint64_t bytes; /* of data that is allocated, as far as can be told */
};

/* ERR_NOT_FOUND, ERR_PERMISSION, ERR_USAGE (not a directory), ERR_CANCELLED. */
int walk_tree(const struct walk_options *options, struct tree **out, struct walk_totals *totals,
              struct error *err);

#endif
