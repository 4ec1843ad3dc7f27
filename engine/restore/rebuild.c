/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rebuild.c - the catalog from what is on the cartridges.
 *
 * Cartridges come in any order, so each volume of a dump is read by itself with a decoder of its
 * own.  What is cut by the end of a volume is at most one header and its 512 blocks: its beginning
 * (`tail` of the one part) and its end (`head` of the next) are kept, and read as one when all
 * volumes are there.
 *
 * Invariant: an image is committed only when its parts follow each other without a gap from block 0
 * to the END record, as many blocks as that says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "engine/restore/events.h"
#include "engine/restore/rows.h"

#define GROUP_BLOCKS 513u /* a header and all it can announce */

struct volume_part {
    struct catalog_part part;
    uint8_t *head, *tail; /* owned */
    size_t head_blocks, tail_blocks;
    uint32_t resume; /* blocks of a group that began on the volume before */
};

struct image {
    struct image *next;
    struct rows rows;
    struct stream_volume volume; /* the first one seen */
    struct volume_part *parts;
    size_t part_count;
    bool known; /* the catalog has it */
};

struct rebuild {
    struct catalog *cat;
    struct image *images;
    struct events events; /* of the present tape: only its records are used */
    const char *barcode;
    void (*warning)(void *ctx, const char *path, const char *message);
    void *ctx;
    uint64_t added;
    bool behind_mark; /* the last read met a filemark */
    uint8_t *fifo;    /* blocks read and not decoded yet: GROUP_BLOCKS and a record */
    size_t fifo_blocks;
};

static void warn(struct rebuild *b, const char *path, const char *message)
{
    if (b->warning)
        b->warning(b->ctx, path, message);
}

static int decode(struct rows *rows, struct stream_decoder *d, struct error *err)
{
    struct stream_event ev;
    int rc = 0;

    while (!rc && stream_decoder_next(d, &ev))
        rc = rows_event(rows, &ev, err);
    return rc;
}

/* ---- images ------------------------------------------------------------------------------------
 */

static void image_free(struct image *image)
{
    for (size_t i = 0; i < image->part_count; i++) {
        free(image->parts[i].head);
        free(image->parts[i].tail);
    }
    free(image->parts);
    rows_free(&image->rows);
    free(image);
}

static void forget_image(struct rebuild *b, struct image *image)
{
    struct image **p = &b->images;

    while (*p != image)
        p = &(*p)->next;
    *p = image->next;
    image_free(image);
}

static void describe(struct catalog_image *image, const struct stream_volume *v)
{
    snprintf(image->host, sizeof(image->host), "%s", v->host);
    snprintf(image->path, sizeof(image->path), "%s", v->filesys);
    snprintf(image->label, sizeof(image->label), "%.15s", v->label);
    image->level = v->level;
    image->date_ns = v->date_ns;
    image->blocking = v->blocking;
    stream_uuid_format(v->uuid, image->uuid);
    stream_uuid_format(v->base_uuid, image->base_uuid);
}

/* The image that the volume belongs to; made if it is new. */
static int find_image(struct rebuild *b, const struct stream_volume *v, struct image **out,
                      struct error *err)
{
    struct image *image;
    int rc;

    for (image = b->images; image; image = image->next) {
        if (memcmp(image->volume.uuid, v->uuid, 16) == 0) {
            *out = image;
            return 0;
        }
    }
    image = calloc(1, sizeof(*image));
    if (!image)
        return error_set(err, ERR_NO_MEMORY, "no memory to rebuild the catalog");
    image->volume = *v;
    image->rows.warning = b->warning;
    image->rows.ctx = b->ctx;
    describe(&image->rows.image, v);
    rc = catalog_writer_begin(b->cat, image->rows.image.uuid, &image->rows.writer, err);
    image->known = rc == -ERR_EXISTS;
    if (rc && !image->known) {
        free(image);
        return rc;
    }
    image->next = b->images;
    b->images = image;
    *out = image;
    return 0;
}

/* ---- the end of an image -----------------------------------------------------------------------
 */

static int compare_parts(const void *a, const void *b)
{
    const struct volume_part *x = a, *y = b;

    return x->part.volume < y->part.volume ? -1 : x->part.volume > y->part.volume;
}

/* True if the parts are all there. */
static bool is_complete(struct image *image)
{
    uint64_t next = 0;

    if (!image->rows.ended)
        return false;
    qsort(image->parts, image->part_count, sizeof(*image->parts), compare_parts);
    for (size_t i = 0; i < image->part_count; i++) {
        if (image->parts[i].part.first_stream != next)
            return false;
        next += image->parts[i].part.stream_blocks;
    }
    return next == image->rows.image.stream_blocks;
}

/* What part i has of a group that goes on in the next ones. */
static int join_parts(struct image *image, size_t i, struct error *err)
{
    const struct volume_part *p = &image->parts[i];
    uint64_t address = p->part.first_stream + p->part.stream_blocks - p->tail_blocks;
    struct stream_decoder *d;
    int rc;

    if (p->tail_blocks == 0)
        return 0;
    rc = stream_decoder_open(&d, err);
    if (rc)
        return rc;
    stream_decoder_seek(d, &image->volume, address);
    stream_decoder_feed(d, p->tail, p->tail_blocks);
    rc = decode(&image->rows, d, err);
    while (!rc && ++i < image->part_count) {
        p = &image->parts[i];
        stream_decoder_feed(d, p->head, p->head_blocks);
        rc = decode(&image->rows, d, err);
        if (p->head_blocks < p->part.stream_blocks)
            break;
    }
    stream_decoder_finish(d);
    if (!rc)
        rc = decode(&image->rows, d, err);
    stream_decoder_close(d);
    return rc;
}

static int commit_image(struct rebuild *b, struct image *image, struct error *err)
{
    CLEANUP_FREE struct catalog_part *parts = calloc(image->part_count, sizeof(*parts));
    int rc = 0;

    if (!parts)
        return error_set(err, ERR_NO_MEMORY, "no memory to rebuild the catalog");
    for (size_t i = 0; i < image->part_count && !rc; i++) {
        parts[i] = image->parts[i].part;
        rc = join_parts(image, i, err);
    }
    if (!rc)
        rc = rows_finish(&image->rows, err);
    if (rc)
        return rc;
    rc = catalog_writer_commit(image->rows.writer, &image->rows.image, parts, image->part_count,
                               err);
    image->rows.writer = NULL;
    image->known = true;
    b->added += rc == 0;
    return rc;
}

/* ---- one volume on a cartridge -----------------------------------------------------------------
 */

static int keep(uint8_t **to, size_t *blocks, const uint8_t *from, size_t count, struct error *err)
{
    uint8_t *p = realloc(*to, (*blocks + count) * STREAM_BLOCK + 1);

    if (!p)
        return error_set(err, ERR_NO_MEMORY, "no memory to rebuild the catalog");
    memcpy(p + *blocks * STREAM_BLOCK, from, count * STREAM_BLOCK);
    *to = p;
    *blocks += count;
    return 0;
}

/* Decode the first count blocks of the fifo and drop them. */
static int decode_fifo(struct rebuild *b, struct image *image, struct stream_decoder *d,
                       size_t count, struct error *err)
{
    int rc;

    stream_decoder_feed(d, b->fifo, count);
    rc = decode(&image->rows, d, err);
    b->fifo_blocks -= count;
    memmove(b->fifo, b->fifo + count * STREAM_BLOCK, b->fifo_blocks * STREAM_BLOCK);
    return rc;
}

/* The volume ends: decode what is complete of the fifo, keep what is not. */
static int end_volume(struct rebuild *b, struct image *image, struct volume_part *p,
                      struct stream_decoder *d, struct error *err)
{
    int rc = 0;

    while (b->fifo_blocks && !rc && !stream_decoder_ended(d)) {
        size_t follow = stream_decoder_remaining(d), take = follow;

        if (follow == 0) {
            if (!stream_header_follow(b->fifo, &follow))
                follow = 0;
            take = 1 + follow;
            if (take > b->fifo_blocks)
                break;
        }
        rc = decode_fifo(b, image, d, take < b->fifo_blocks ? take : b->fifo_blocks, err);
    }
    if (!rc && b->fifo_blocks && !stream_decoder_ended(d))
        rc = keep(&p->tail, &p->tail_blocks, b->fifo, b->fifo_blocks, err);
    stream_decoder_finish(d);
    return rc ? rc : decode(&image->rows, d, err);
}

/* A record that is in the events' buffer: count it, keep what belongs to the group before, decode
 * all that has been read but for the last group. */
static int take_record(struct rebuild *b, struct image *image, struct volume_part *p,
                       struct stream_decoder *d, size_t count, struct error *err)
{
    size_t head = p->resume - p->head_blocks < count ? p->resume - p->head_blocks : count;
    int rc = 0;

    p->part.stream_blocks += count;
    if (head)
        rc = keep(&p->head, &p->head_blocks, b->events.record, head, err);
    memcpy(b->fifo + b->fifo_blocks * STREAM_BLOCK, b->events.record, count * STREAM_BLOCK);
    b->fifo_blocks += count;
    if (!rc && b->fifo_blocks > GROUP_BLOCKS)
        rc = decode_fifo(b, image, d, b->fifo_blocks - GROUP_BLOCKS, err);
    return rc;
}

static int read_record(struct rebuild *b, size_t *count, struct error *err)
{
    int rc = events_read_record(&b->events, count, err);

    b->behind_mark = rc == 0 && *count == 0 && !b->events.end_of_data;
    return rc;
}

/* The volume record of a later volume is no part of the stream, but the decoder wants it.  What
 * follows it in the buffer (a file has no records) is moved to its beginning. */
static int pass_volume_record(struct rebuild *b, struct image *image, struct stream_decoder *d,
                              size_t *count, struct error *err)
{
    size_t own = b->events.blocking;
    int rc = 0;

    while (!rc && own && *count) {
        size_t n = own < *count ? own : *count;

        stream_decoder_feed(d, b->events.record, n);
        rc = decode(&image->rows, d, err);
        own -= n;
        *count -= n;
        memmove(b->events.record, b->events.record + n * STREAM_BLOCK, *count * STREAM_BLOCK);
        if (!rc && own)
            rc = read_record(b, count, err);
    }
    return rc;
}

/* Read the volume whose first record is in the events' buffer. */
static int read_volume(struct rebuild *b, struct image *image, struct volume_part *p,
                       struct stream_decoder *d, size_t count, struct error *err)
{
    bool more = true;
    int rc = 0;

    b->fifo_blocks = 0;
    if (p->part.first_stream)
        rc = pass_volume_record(b, image, d, &count, err);
    while (!rc && more) {
        if (count)
            rc = take_record(b, image, p, d, count, err);
        if (!rc)
            rc = read_record(b, &count, err);
        more = count > 0;
    }
    return rc ? rc : end_volume(b, image, p, d, err);
}

static int add_part(struct rebuild *b, struct image *image, const struct stream_volume *v,
                    const struct tape_position *at, struct volume_part **out, struct error *err)
{
    struct volume_part *p =
        reallocarray(image->parts, image->part_count + 1, sizeof(*image->parts));

    if (!p)
        return error_set(err, ERR_NO_MEMORY, "no memory to rebuild the catalog");
    image->parts = p;
    p = &image->parts[image->part_count++];
    memset(p, 0, sizeof(*p));
    p->part.volume = v->volume;
    p->part.file = at->file == UINT64_MAX ? 0 : at->file;
    p->part.first_block = at->block + (v->volume > 1);
    p->part.first_stream = v->first_stream;
    p->resume = v->resume < GROUP_BLOCKS ? v->resume : GROUP_BLOCKS - 1;
    snprintf(p->part.barcode, sizeof(p->part.barcode), "%s", b->barcode);
    *out = p;
    return 0;
}

static bool has_volume(const struct image *image, unsigned volume)
{
    for (size_t i = 0; i < image->part_count; i++)
        if (image->parts[i].part.volume == volume)
            return true;
    return false;
}

static int volume_of_image(struct rebuild *b, struct image *image, const struct stream_volume *v,
                           const struct tape_position *at, size_t count, struct error *err)
{
    struct stream_decoder *d;
    struct volume_part *p = NULL;
    int rc = stream_decoder_open(&d, err);

    if (rc)
        return rc;
    b->events.blocking = v->blocking;
    rc = add_part(b, image, v, at, &p, err);
    if (!rc)
        rc = read_volume(b, image, p, d, count, err);
    stream_decoder_close(d);
    if (rc)
        return rc;
    if (p->part.stream_blocks == 0) /* nothing but its header was written */
        image->part_count--;
    return is_complete(image) ? commit_image(b, image, err) : 0;
}

/* What the first block of a tape file says it is; false: no dump of ours. */
static bool look_at(struct rebuild *b, const uint8_t *block, struct stream_volume *v)
{
    struct stream_decoder *d;
    struct stream_event ev;
    bool ours = false;

    if (stream_decoder_open(&d, NULL) != 0)
        return false;
    stream_decoder_feed(d, block, 1);
    if (stream_decoder_next(d, &ev) && ev.type == STREAM_EVENT_VOLUME) {
        char uuid[STREAM_UUID_TEXT];

        *v = ev.volume;
        stream_uuid_format(v->uuid, uuid);
        ours = v->capstan && uuid[0] && v->blocking >= 1 && v->blocking <= STREAM_BLOCKING_MAX &&
               v->volume >= 1 && (v->volume == 1) == (v->first_stream == 0);
        if (!ours)
            warn(b, b->barcode, "a dump that another program wrote is not put into the catalog");
    }
    stream_decoder_close(d);
    return ours;
}

/* ---- cartridges --------------------------------------------------------------------------------
 */

/* The tape file at the present position. */
static int read_tape_file(struct rebuild *b, bool *more, struct error *err)
{
    struct tape_position at = {0};
    struct stream_volume v;
    struct image *image = NULL;
    struct error own = ERROR_INIT;
    size_t count = 0;
    int rc = tape_tell(b->events.tape, &at, err);

    if (rc)
        return rc;
    b->events.blocking = 0;
    rc = read_record(b, &count, &own);
    *more = !b->events.end_of_data && !b->events.is_file;
    if (rc == -ERR_LENGTH || rc == -ERR_FORMAT)
        return 0; /* other programs' data */
    if (rc) {
        if (err)
            *err = own;
        return rc;
    }
    if (count == 0 || !look_at(b, b->events.record, &v))
        return 0;
    rc = find_image(b, &v, &image, err);
    if (rc || image->known || has_volume(image, v.volume))
        return rc;
    return volume_of_image(b, image, &v, &at, count, err);
}

/* To the next tape file; *more false: there is none. */
static int next_tape_file(struct rebuild *b, bool *more, struct error *err)
{
    struct error own = ERROR_INIT;
    int rc;

    if (b->behind_mark)
        return 0;
    rc = tape_space_filemarks(b->events.tape, 1, &own);
    *more = rc == 0;
    if (rc == 0 || rc == -ERR_END_OF_DATA || rc == -ERR_END_OF_TAPE)
        return 0;
    if (err)
        *err = own;
    return rc;
}

static int read_cartridge(struct rebuild *b, struct tape *tape, struct error *err)
{
    bool more = true;
    int rc = events_start_stream(&b->events, tape, 0, NULL, NULL, err);

    if (rc)
        return rc;
    rc = tape_rewind(tape, err);
    while (!rc && more) {
        rc = read_tape_file(b, &more, err);
        if (!rc && more)
            rc = next_tape_file(b, &more, err);
    }
    events_end(&b->events);
    return rc;
}

/* Tell what was not complete, and forget everything. */
static void end_images(struct rebuild *b)
{
    while (b->images) {
        struct image *image = b->images;
        char message[200];

        snprintf(message, sizeof(message),
                 "image %.8s of %.60s is not complete on these cartridges (%zu volumes were found, "
                 "%s end); it was not added",
                 image->rows.image.uuid, image->rows.image.host, image->part_count,
                 image->rows.ended ? "with its" : "without its");
        if (!image->known)
            warn(b, image->rows.image.path, message);
        forget_image(b, image);
    }
}

int restore_rebuild(struct catalog *cat,
                    int (*next)(void *ctx, struct tape **out, char barcode[40], struct error *err),
                    void (*warning)(void *ctx, const char *path, const char *message), void *ctx,
                    uint64_t *images, struct error *err)
{
    struct rebuild b = {.cat = cat, .warning = warning, .ctx = ctx};
    char barcode[40] = "";
    struct tape *tape = NULL;
    int rc;

    b.barcode = barcode;
    b.fifo = malloc((GROUP_BLOCKS + STREAM_BLOCKING_MAX) * STREAM_BLOCK);
    if (!b.fifo)
        return error_set(err, ERR_NO_MEMORY, "no memory to rebuild the catalog");
    while ((rc = next(ctx, &tape, barcode, err)) == 0 && tape) {
        rc = read_cartridge(&b, tape, err);
        if (rc == -ERR_IO || rc == -ERR_CORRUPT) {
            warn(&b, barcode, err ? err->message : "the cartridge could not be read to its end");
            rc = 0;
        }
        if (rc)
            break;
        tape = NULL;
    }
    if (!rc)
        end_images(&b);
    while (b.images)
        forget_image(&b, b.images);
    free(b.fifo);
    *images = b.added;
    return rc;
}
