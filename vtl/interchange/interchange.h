/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interchange.h - cartridges as one stream of bytes, for other programs and other places.
 *
 * Formats: our own (doc/interchange.md: everything, checked, through a pipe), SIMH .tap, AWSTAPE,
 * HET (AWSTAPE with zlib), and raw (blocks without any structure).  A stream is read and written
 * strictly forwards, with memory for two of the largest blocks, whatever its size.
 *
 * Every stream is hostile: lengths are checked before use, a compressed block is given no more room
 * than a block can have, and a sentence about a bad stream names the offset.
 *
 * Thread rule: one thread at a time per call.
 */
#ifndef CAPSTAN_VTL_INTERCHANGE_INTERCHANGE_H
#define CAPSTAN_VTL_INTERCHANGE_INTERCHANGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "vtl/cartridge/cartridge.h"

#define INTERCHANGE_BLOCKING_DEFAULT (256u * 1024) /* bytes of a block of a raw stream */
#define INTERCHANGE_NO_FILE          UINT64_MAX

struct interchange_format;

/* "capstan", "tap", "aws", "het" or "raw"; ERR_USAGE with the list of them. */
int interchange_format_find(const char *name, const struct interchange_format **out,
                            struct error *err);
const char *interchange_format_name(const struct interchange_format *format);

/* Where bytes come from: up to len into buf; *got 0: the end. */
typedef int interchange_read_fn(void *ctx, void *buf, size_t len, size_t *got, struct error *err);
/* Where they go: all of them. */
typedef int interchange_write_fn(void *ctx, const void *buf, size_t len, struct error *err);

/* What both directions may be told; all of it optional. */
struct interchange_watch {
    void (*warning)(void *ctx, const char *message);
    /* Bytes of the cartridge (export) or of the stream (import). */
    void (*progress)(void *ctx, uint64_t done);
    void *ctx;
    const atomic_bool *stop; /* true: end with ERR_CANCELLED */
};

struct interchange_report {
    const struct interchange_format *format;
    uint64_t blocks, filemarks, bytes; /* of the cartridge */
    uint64_t stream_bytes;
    uint64_t bad;     /* blocks that could not be read when the stream was made */
    uint64_t skipped; /* records of the stream that are no part of a tape */
};

/* Write all of c (open in either mode) as a stream.  file: of a raw stream, the file to take;
 * INTERCHANGE_NO_FILE: the tape's only one.
 * ERR_UNSUPPORTED: the format can't hold what is on the tape; ERR_CORRUPT: a block is damaged and
 * the format can't say so (tap can: report->bad); ERR_ENCRYPTED: it is to be plain, but is not (our
 * own takes blocks as they are stored); what write() says. */
int interchange_export(struct cartridge *c, const struct interchange_format *format, uint64_t file,
                       interchange_write_fn *write, void *write_ctx,
                       const struct interchange_watch *watch, struct interchange_report *report,
                       struct error *err);

struct interchange_import;

/* Begin to read a stream.  format NULL: it is found out (raw never is); blocking: bytes of a block
 * of a raw stream, else not used.  ERR_FORMAT: no format fits.  read_ctx must live until
 * interchange_import_close(). */
int interchange_import_open(interchange_read_fn *read, void *read_ctx,
                            const struct interchange_format *format, uint32_t blocking,
                            struct interchange_import **out, struct error *err);

/* The cartridge it was, with its barcode; NULL: the format does not say. */
const struct cartridge_identity *interchange_identity(const struct interchange_import *in);

/* Write the stream's contents to c, an empty cartridge open for writing, and synchronise it.  Only
 * when 0 is returned was all of the stream good. */
int interchange_import_run(struct interchange_import *in, struct cartridge *c,
                           const struct interchange_watch *watch, struct interchange_report *report,
                           struct error *err);
void interchange_import_close(struct interchange_import *in); /* NULL is allowed */

#endif
