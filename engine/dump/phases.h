/* SPDX-License-Identifier: Apache-2.0 */
/*
 * phases.h - what the phases of one dump share; within engine/dump only.
 *
 *      walk (walk.c, tree.c) --> maps --> directories --> files --> END record --> tape, catalog
 *
 * Everything happens on the caller's thread but for the threads that walk, read ahead and write.
 */
#ifndef CAPSTAN_ENGINE_DUMP_PHASES_H
#define CAPSTAN_ENGINE_DUMP_PHASES_H

#include <pthread.h>

#include "engine/dump/dump.h"
#include "engine/dump/output.h"
#include "engine/dump/tree.h"
#include "engine/dump/walk.h"
#include "engine/stream/stream.h"

struct history;

struct dump {
    const struct dump_options *options;
    unsigned readers; /* threads */
    struct tree *tree;
    struct walk_totals found;
    uint32_t last; /* highest inode number */
    struct stream_image image;
    struct stream_totals totals;
    struct output *output;
    struct stream_writer *writer;
    struct history *history;

    struct dump_progress progress;
    double progress_told; /* when, seconds */

    pthread_mutex_t mutex; /* guards warnings, and one warning at a time */
    uint64_t warnings;
};

int dump_maps(struct dump *d, struct error *err);
int dump_directories(struct dump *d, struct error *err);
int dump_files(struct dump *d, struct error *err);

/* Report and count something that is left out or changed: `name` in directory `node`, or with name
 * "" the node itself.  Any thread. */
void dump_warn(struct dump *d, const struct tree *tree, uint32_t node, const char *name,
               const char *message);

/* Enter a phase (told at once), or tell how far it is (some times a second). */
void dump_enter(struct dump *d, enum dump_phase phase);
void dump_tick(struct dump *d);

/* ERR_CANCELLED if the user wants to stop. */
int dump_cancelled(const struct dump *d, struct error *err);

/* Begin an inode in the stream; extended attributes that are too large for it are left out with a
 * warning.  *address as stream_writer_inode(); *count is what is left of the attributes. */
int dump_inode(struct dump *d, uint32_t node, const struct stream_inode *inode,
               struct stream_xattr *xattrs, size_t *count, uint64_t *address, struct error *err);

#endif
