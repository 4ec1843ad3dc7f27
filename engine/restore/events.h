/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.h - the events of a dump, from however many cartridges it is on.  Internal to
 * engine/restore.
 *
 * Two ways:
 *   events_start_stream   from the present position of a tape on; further volumes are found by
 *                         their volume headers
 *   events_start_image    by the parts the catalog knows: any stream block can be sought
 *
 * A record that the drive can't read is replaced by zeros, reported by a DAMAGE event, and reading
 * goes on behind it.  Thread rule: one thread at a time.
 */
#ifndef CAPSTAN_ENGINE_RESTORE_EVENTS_H
#define CAPSTAN_ENGINE_RESTORE_EVENTS_H

#include "engine/restore/restore.h"
#include "engine/stream/decoder.h"

struct events {
    struct stream_decoder *decoder;
    struct tape *tape; /* not ours */
    restore_volume_fn *volume;
    void *ctx;

    uint8_t *record;
    size_t capacity;     /* of record, in bytes */
    size_t read_size;    /* what tape_read() is asked for */
    unsigned blocking;   /* blocks in a record; 0: not known yet */
    bool is_file;        /* a tape without records of its own */
    uint64_t tape_block; /* address of the next record; UINT64_MAX: not known */
    unsigned volume_number;
    unsigned bad_records; /* one after the other that could not be read */
    bool truncated;       /* the stream ended before its END */
    bool finished;
    bool end_of_data; /* the last record read was none: the tape ends here */
    bool searching;   /* a file that was not the volume wanted was passed */

    /* by the catalog */
    const struct catalog_image *image;
    const struct catalog_part *parts;
    size_t part_count, part; /* the part that the tape is in */
    bool part_ready;         /* its cartridge was checked */
    uint64_t next_block;     /* stream block that the next record begins with */
    size_t skip;             /* blocks of the next record before the one sought */
};

int events_start_stream(struct events *r, struct tape *tape, unsigned blocking,
                        restore_volume_fn *volume, void *ctx, struct error *err);
/* image and parts must outlive it. */
int events_start_image(struct events *r, const struct catalog_image *image,
                       const struct catalog_part *parts, size_t part_count,
                       restore_volume_fn *volume, void *ctx, struct error *err);
void events_end(struct events *r); /* frees what it holds; the tape stays open */

/* By the catalog only: the next event is that of the header at stream block address. */
int events_seek(struct events *r, uint64_t address, struct error *err);

/* By the catalog only: the next event is that of the image's first volume header. */
int events_start_whole(struct events *r, struct error *err);

/* 1: *ev is the next event; 0: the dump is over (truncated says how); < 0: error. */
int events_next(struct events *r, struct stream_event *ev, struct error *err);

/* The next record as it is: *count blocks in r->record; 0 blocks at the end of the tape file. */
int events_read_record(struct events *r, size_t *count, struct error *err);

#endif
