/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump.h - write a directory tree to tape.
 *
 * The dump is a pipeline with bounded memory (doc/architecture.md): walk (phases I and II: find the
 * files, number them), read ahead (parallel), encode, tape.  Phases III (directories) and IV
 * (files) write; what a file system does not let us read is reported and left out, the dump goes
 * on.
 *
 * A file that is left out keeps its name in its directory; the catalog has an inode for it of which
 * only number and type (S_IFMT, from the directory entry) are known, all else 0, address
 * UINT64_MAX.  A rebuild from the cartridges makes the same row.
 *
 * The order in which things become true: the data and the closing filemark are on the tape; then
 * the catalog has the image.  A dump that fails leaves no image in the catalog.
 */
#ifndef CAPSTAN_ENGINE_DUMP_DUMP_H
#define CAPSTAN_ENGINE_DUMP_DUMP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "catalog/catalog.h"
#include "common/error.h"
#include "engine/tape/tape.h"

#define DUMP_BLOCKING_MIN     4
#define DUMP_BLOCKING_MAX     256
#define DUMP_BLOCKING_DEFAULT 256

enum dump_phase {
    DUMP_PHASE_WALK = 1,
    DUMP_PHASE_MAPS,
    DUMP_PHASE_DIRECTORIES,
    DUMP_PHASE_FILES,
    DUMP_PHASE_ACLS
};

struct dump_progress {
    enum dump_phase phase;
    uint64_t files_done, files_total;
    uint64_t bytes_done, bytes_total; /* of the stream; the total is an estimate from the walk */
    unsigned volume;
};

struct dump_options {
    const char *path;     /* directory to dump */
    unsigned blocking;    /* blocks of 1,024 bytes in a record, DUMP_BLOCKING_MIN..MAX */
    const char *label;    /* at most 15 bytes; NULL: "none" */
    bool one_file_system; /* do not descend into other mounts (they are dumped as empty directories)
                           */
    unsigned readers;     /* threads that read ahead; 0: chosen from the machine */
    size_t window;        /* bytes that may be read ahead; 0: 64 MiB */
    const atomic_bool *cancel; /* becomes true: stop soon, ERR_CANCELLED; may be NULL */

    /* Called on the caller's thread, at most some times a second. May be NULL. */
    void (*progress)(void *ctx, const struct dump_progress *p);
    /* One sentence per file that vanished, changed or could not be read; path is that below the
     * root of the tree.  Any thread, one at a time. */
    void (*warning)(void *ctx, const char *path, const char *message);
    /* The cartridge is full: bring the next one into the drive and loaded, positioned at its
     * beginning, and write its barcode.  NULL: then a full cartridge is ERR_OPERATOR.  Called on
     * the thread that writes, while nothing else uses the tape; volume is the number of the one
     * that is wanted.  A cartridge that takes no record at all is passed over: the same volume is
     * then asked for again. */
    int (*next_volume)(void *ctx, unsigned volume, char barcode[40], struct error *err);
    void *ctx;
};

struct dump_result {
    struct catalog_image image; /* as in the catalog */
    struct catalog_part *parts; /* free() */
    size_t part_count;
    double seconds;
};

/* Dump options->path at level 0 to tape, which stands where the dump is to begin (usually end of
 * data), and record it in cat (may be NULL: no catalog).  barcode is that of the first cartridge; a
 * catalog takes no cartridge without one (so for file: pass cat NULL).
 * Returns 0, or -ERR_PARTIAL when files had to be left out or changed (the image is good otherwise
 * and in the catalog, result->image.warnings counts them); else nothing was recorded. */
int dump_run(const struct dump_options *options, struct tape *tape, const char *barcode,
             struct catalog *cat, struct dump_result *result, struct error *err);

#endif
