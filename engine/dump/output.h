/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.h - records on their way to the tape: a thread writes while the next ones are encoded.
 *
 *      output_put --> ring of OUTPUT_RECORDS --> thread --> tape
 *
 * Volumes are the thread's affair.  When a cartridge is full (early warning, or a block that found
 * no room), it writes the closing filemark, asks for the next cartridge, and goes on there with the
 * volume record and the record that comes next (stream.h).  So every record is on exactly one
 * cartridge, and a part names a stretch of records without gaps.
 *
 *      WRITING --early warning--> FULL --next_volume--> WRITING
 *         |--END_OF_TAPE-----------^
 *         '--any other error--> failed: output_put and output_finish return it
 *
 * Thread rule: one producer.
 */
#ifndef CAPSTAN_ENGINE_DUMP_OUTPUT_H
#define CAPSTAN_ENGINE_DUMP_OUTPUT_H

#include <stdatomic.h>

#include "catalog/catalog.h"
#include "common/error.h"
#include "engine/stream/stream.h"
#include "engine/tape/tape.h"

#define OUTPUT_RECORDS 8 /* of up to 256 KiB each */

struct output_options {
    struct tape *tape;                /* stands where the first record goes */
    const struct stream_image *image; /* for volume records; outlives the output */
    const char *barcode;              /* of the first cartridge */
    bool need_barcode; /* refuse a next cartridge without one: a catalog is to find it again */
    unsigned blocking;
    const atomic_bool *cancel; /* may be NULL */
    int (*next_volume)(void *ctx, unsigned volume, char barcode[40], struct error *err);
    void *ctx;
};

struct output;

int output_open(const struct output_options *options, struct output **out, struct error *err);

/* Take a copy of the record; waits while the ring is full.  The write function of the stream
 * writer: ctx is the struct output. */
int output_put(void *ctx, const struct stream_record *record, struct error *err);

/* Wait until all is written, write the closing filemark and sync.  The parts are the caller's. */
int output_finish(struct output *o, struct catalog_part **parts, size_t *count, struct error *err);

/* Let go, whatever has happened.  Before a good output_finish(): what is written is closed with a
 * filemark if the tape still takes one, so that the next dump does not run into it.  NULL is
 * allowed. */
void output_close(struct output *o);

unsigned output_volume(const struct output *o); /* the present one, from 1; any thread */

#endif
