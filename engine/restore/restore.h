/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore.h - bring files back from tape, list a stream, rebuild the catalog.
 *
 * The stream is hostile input: it may come from a stranger's tape.  Every path component is opened
 * relative to the destination with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS; a file is made under a
 * temporary name and renamed; metadata is set through descriptors, in the order owner, mode, ACL,
 * xattrs, times; directories get theirs last, deepest first (ref: rules in doc/architecture.md).
 *
 * What is there already: files (and symlinks, devices ...) are replaced, directories stay as they
 * are, attributes included; the destination itself gets the root's attributes only if it was made
 * or was empty.  Without keep_owner setuid, setgid and capabilities are dropped unless the file
 * belongs to the caller anyway.  A file that is damaged on tape is restored as far as it could be
 * read, and told.  Paths given to warning() are escaped for log and terminal (error_escape).
 */
#ifndef CAPSTAN_ENGINE_RESTORE_RESTORE_H
#define CAPSTAN_ENGINE_RESTORE_RESTORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "catalog/catalog.h"
#include "common/error.h"
#include "engine/tape/tape.h"

struct restore_progress {
    uint64_t files_done, files_total; /* total 0: not known */
    uint64_t bytes_done, bytes_total;
};

/* Bring the cartridge with this barcode into reach and return a tape for it, loaded; the tape
 * handed out before may be the same one.  volume counts from 1; barcode may be "" when only the
 * volume number is known (no catalog). */
typedef int restore_volume_fn(void *ctx, unsigned volume, const char *barcode, struct tape **out,
                              struct error *err);

struct restore_options {
    const char *destination;  /* directory; made if missing; NULL with compare/list */
    const char *const *names; /* paths inside the dump; NULL: everything */
    size_t name_count;
    bool compare;    /* compare with destination instead of writing (ERR_PARTIAL: differs) */
    bool keep_owner; /* chown to the recorded owner (default for root) */
    bool devices;    /* make device nodes (default for root) */
    const atomic_bool *cancel; /* may be NULL */
    void (*progress)(void *ctx, const struct restore_progress *p);
    void (*warning)(void *ctx, const char *path, const char *message);
    restore_volume_fn *volume;
    void *ctx;
};

struct restore_result {
    uint64_t files, directories, bytes, warnings;
    double seconds;
};

/* Restore an image that the catalog knows: volumes are asked for by barcode, and with names only
 * the parts that hold them are read (by address).  -ERR_PARTIAL: some files could not be restored.
 */
int restore_image(const struct restore_options *options, struct catalog *cat, const char *uuid,
                  struct restore_result *result, struct error *err);

/* Restore the stream that begins at the present position of tape, without a catalog.  blocking 0:
 * found out from the first record (not for file: URLs). */
int restore_stream(const struct restore_options *options, struct tape *tape, unsigned blocking,
                   struct restore_result *result, struct error *err);

/* Call fn for every name in the stream at the present position, parents first. */
int restore_list(struct tape *tape, unsigned blocking,
                 int (*fn)(void *ctx, const char *path, const struct catalog_inode *inode),
                 void *ctx, struct error *err);

/* Read every dump on the cartridges and put the images that are missing into cat.  next gives the
 * tapes one after the other (*out NULL at the end) with their barcodes; a dump over several
 * cartridges is put together whatever their order.  *images: how many were added. */
int restore_rebuild(struct catalog *cat,
                    int (*next)(void *ctx, struct tape **out, char barcode[40], struct error *err),
                    void (*warning)(void *ctx, const char *path, const char *message), void *ctx,
                    uint64_t *images, struct error *err);

#endif
