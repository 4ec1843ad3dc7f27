/* SPDX-License-Identifier: Apache-2.0 */
/* events.c - see events.h. */
#include "engine/restore/events.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define RECORD_MAX      ((size_t)STREAM_BLOCKING_MAX * STREAM_BLOCK)
#define FILE_READ_SIZE  ((size_t)64 * STREAM_BLOCK) /* of a file whose blocking is not told */
#define BAD_RECORDS_MAX 16                          /* in a row; then the medium is given up */
#define TAPE_FILES_MAX  10000                       /* looked at on a cartridge for a volume */

static int set_tape(struct events *r, struct tape *tape, struct error *err)
{
    struct tape_info info;
    struct tape_position pos;
    int rc = tape_get_info(tape, &info, err);

    if (rc)
        return rc;
    r->tape = tape;
    r->is_file = !info.has_filemarks;
    r->read_size = r->capacity;
    if (info.block_max && info.block_max < r->capacity)
        r->read_size = info.block_max;
    if (r->is_file)
        r->read_size = r->blocking ? r->blocking * (size_t)STREAM_BLOCK : FILE_READ_SIZE;
    r->tape_block = tape_tell(tape, &pos, NULL) == 0 ? pos.block : UINT64_MAX;
    return 0;
}

static int start(struct events *r, unsigned blocking, restore_volume_fn *volume, void *ctx,
                 struct error *err)
{
    memset(r, 0, sizeof(*r));
    r->volume = volume;
    r->ctx = ctx;
    r->blocking = blocking;
    r->capacity = RECORD_MAX;
    r->volume_number = 1;
    if (blocking > STREAM_BLOCKING_MAX)
        return error_set(err, ERR_RANGE, "a blocking factor of %u is not possible", blocking);
    r->record = malloc(r->capacity);
    if (!r->record)
        return error_set(err, ERR_NO_MEMORY, "no memory for a tape record");
    return stream_decoder_open(&r->decoder, err);
}

int events_start_stream(struct events *r, struct tape *tape, unsigned blocking,
                        restore_volume_fn *volume, void *ctx, struct error *err)
{
    int rc = start(r, blocking, volume, ctx, err);

    if (!rc)
        rc = set_tape(r, tape, err);
    if (rc)
        events_end(r);
    return rc;
}

int events_start_image(struct events *r, const struct catalog_image *image,
                       const struct catalog_part *parts, size_t part_count,
                       restore_volume_fn *volume, void *ctx, struct error *err)
{
    int rc = start(r, image->blocking, volume, ctx, err);

    r->image = image;
    r->parts = parts;
    r->part_count = part_count;
    r->part = SIZE_MAX;
    if (!rc && (part_count == 0 || image->blocking == 0))
        rc = error_set(err, ERR_CORRUPT, "the catalog does not say where this image is");
    if (!rc && !volume)
        rc = error_set(err, ERR_USAGE, "there is no way to bring a cartridge");
    if (rc)
        events_end(r);
    return rc;
}

void events_end(struct events *r)
{
    stream_decoder_close(r->decoder);
    free(r->record);
    r->decoder = NULL;
    r->record = NULL;
}

/* ---- records -----------------------------------------------------------------------------------
 */

static bool is_end_of_file(int rc)
{
    return rc == -ERR_FILEMARK || rc == -ERR_END_OF_DATA || rc == -ERR_END_OF_TAPE;
}

/* A record that can't be read: zeros take its place if we know where to go on. */
static int pass_bad_record(struct events *r, size_t *count, int rc, struct error *err)
{
    struct error at = ERROR_INIT;

    if (rc != -ERR_IO || r->tape_block == UINT64_MAX || !r->blocking || r->is_file ||
        ++r->bad_records > BAD_RECORDS_MAX || tape_locate(r->tape, r->tape_block + 1, &at) != 0)
        return rc;
    log_warning("tape block %llu could not be read and was left out: %s",
                (unsigned long long)r->tape_block, err ? err->message : "");
    r->tape_block++;
    *count = r->blocking;
    memset(r->record, 0, *count * STREAM_BLOCK);
    return 0;
}

/* Check the length of a record that was read. */
static int check_length(struct events *r, size_t got, struct error *err)
{
    if (got % STREAM_BLOCK || got == 0)
        return error_set(err, ERR_FORMAT,
                         "a record of %zu bytes: this is not a dump (its records are multiples of "
                         "%u bytes)",
                         got, STREAM_BLOCK);
    if (r->is_file)
        return 0;
    if (!r->blocking)
        r->blocking = (unsigned)(got / STREAM_BLOCK);
    if (r->blocking != got / STREAM_BLOCK)
        return error_set(err, ERR_FORMAT,
                         "the records on tape have %zu blocks of %u bytes, not %u: use this "
                         "blocking factor",
                         got / STREAM_BLOCK, STREAM_BLOCK, r->blocking);
    return 0;
}

int events_read_record(struct events *r, size_t *count, struct error *err)
{
    struct error own = ERROR_INIT;
    size_t got = 0;
    int rc = tape_read(r->tape, r->record, r->read_size, &got, &own);

    *count = 0;
    r->end_of_data = rc == -ERR_END_OF_DATA || rc == -ERR_END_OF_TAPE;
    if (is_end_of_file(rc))
        return 0;
    if (rc)
        rc = pass_bad_record(r, count, rc, &own);
    if (rc && err)
        *err = own;
    if (rc || *count)
        return rc;
    r->bad_records = 0;
    if (r->tape_block != UINT64_MAX)
        r->tape_block++;
    if (r->is_file)
        got -= got % STREAM_BLOCK; /* a file that was cut off: what is whole is taken */
    *count = got / STREAM_BLOCK;
    return got || !r->is_file ? check_length(r, got, err) : 0;
}

/* ---- volumes -----------------------------------------------------------------------------------
 */

/* Without a catalog: the next cartridge, then the file on it that has the volume. */
static int next_stream_volume(struct events *r, struct error *err)
{
    struct tape *tape = NULL;
    int rc;

    rc = r->volume(r->ctx, r->volume_number + 1, "", &tape, err);
    if (!rc)
        rc = set_tape(r, tape, err);
    if (!rc)
        rc = tape_rewind(tape, err);
    if (rc)
        return rc;
    if (r->tape_block != UINT64_MAX)
        r->tape_block = 0;
    stream_decoder_volume(r->decoder);
    return 0;
}

/* The volume record at the tape's position must be that of this image. */
static int check_cartridge(struct events *r, const struct catalog_part *part, struct error *err)
{
    char uuid[STREAM_UUID_TEXT] = "";
    struct stream_decoder *d;
    struct stream_event ev;
    size_t count = 0;
    int rc = events_read_record(r, &count, err);

    if (!rc)
        rc = stream_decoder_open(&d, err);
    if (rc)
        return rc;
    stream_decoder_feed(d, r->record, count ? 1 : 0);
    if (stream_decoder_next(d, &ev) && ev.type == STREAM_EVENT_VOLUME && ev.volume.capstan &&
        ev.volume.volume == part->volume)
        stream_uuid_format(ev.volume.uuid, uuid);
    stream_decoder_close(d);
    if (strcmp(uuid, r->image->uuid) == 0)
        return 0;
    return error_set(err, ERR_CORRUPT,
                     "cartridge %s has no volume %u of image %.8s where the catalog says",
                     part->barcode, part->volume, r->image->uuid);
}

/* Bring the cartridge of parts[i] and check that it is the right one. */
static int open_part(struct events *r, size_t i, struct error *err)
{
    const struct catalog_part *part = &r->parts[i];
    /* The volume record has no stream block, except on the first volume where it is block 0. */
    uint64_t header = part->first_stream ? part->first_block - 1 : part->first_block;
    struct tape *tape = NULL;
    int rc;

    if (r->part == i && r->part_ready)
        return 0;
    if (part->first_stream && part->first_block == 0)
        return error_set(err, ERR_CORRUPT, "the catalog's address of volume %u is impossible",
                         part->volume);
    r->part_ready = false;
    r->part = i;
    rc = r->volume(r->ctx, part->volume, part->barcode, &tape, err);
    if (!rc)
        rc = set_tape(r, tape, err);
    if (!rc)
        rc = tape_locate(r->tape, header, err);
    r->tape_block = header;
    if (!rc)
        rc = check_cartridge(r, part, err);
    r->part_ready = rc == 0;
    return rc;
}

/* Position to the record with stream block `block`. */
static int go_to(struct events *r, uint64_t block, struct error *err)
{
    const struct catalog_part *part;
    uint64_t record;
    size_t i = 0;
    int rc;

    while (i < r->part_count && (block < r->parts[i].first_stream ||
                                 block - r->parts[i].first_stream >= r->parts[i].stream_blocks))
        i++;
    if (i == r->part_count)
        return error_set(err, ERR_CORRUPT, "no cartridge of the image has its stream block %llu",
                         (unsigned long long)block);
    rc = open_part(r, i, err);
    if (rc)
        return rc;
    part = &r->parts[i];
    record = (block - part->first_stream) / r->blocking;
    r->skip = (size_t)((block - part->first_stream) % r->blocking);
    r->next_block = block - r->skip;
    if (r->tape_block == part->first_block + record)
        return 0;
    rc = tape_locate(r->tape, part->first_block + record, err);
    r->tape_block = part->first_block + record;
    return rc;
}

int events_seek(struct events *r, uint64_t address, struct error *err)
{
    struct stream_volume volume = {.volume = 1,
                                   .date_ns = r->image->date_ns,
                                   .capstan = true,
                                   .accepted = true,
                                   .blocking = r->image->blocking};
    int rc = go_to(r, address, err);

    if (rc)
        return rc;
    r->finished = r->truncated = false;
    stream_decoder_seek(r->decoder, &volume, address);
    return stream_uuid_parse(r->image->uuid, volume.uuid, err);
}

int events_start_whole(struct events *r, struct error *err)
{
    r->next_block = 0;
    return go_to(r, 0, err);
}

/* ---- events ------------------------------------------------------------------------------------
 */

static int no_more(struct events *r, size_t *count)
{
    r->truncated = true;
    *count = 0;
    return 0;
}

/* The next record by the catalog; *count 0 at the end of the image. */
static int read_of_image(struct events *r, size_t *count, struct error *err)
{
    uint64_t end = r->image->stream_blocks;
    int rc;

    if (r->next_block >= end)
        return no_more(r, count);
    rc = go_to(r, r->next_block + r->skip, err);
    if (!rc)
        rc = events_read_record(r, count, err);
    if (rc)
        return rc;
    if (*count == 0)
        return no_more(r, count);
    r->next_block += *count;
    if (r->skip >= *count)
        return error_set(err, ERR_CORRUPT, "a record on tape is shorter than the catalog says");
    return 0;
}

/* The next record of the stream, of the next volume if need be; *count 0 if there is none. */
static int read_of_stream(struct events *r, size_t *count, struct error *err)
{
    int rc = events_read_record(r, count, err);

    if (rc || *count)
        return rc;
    if (r->searching)
        return error_set(err, ERR_OPERATOR, "this cartridge does not have volume %u of the dump",
                         r->volume_number + 1);
    if (!r->volume)
        return no_more(r, count);
    rc = next_stream_volume(r, err);
    if (rc)
        return rc;
    rc = events_read_record(r, count, err);
    return rc || *count ? rc : no_more(r, count);
}

/* A tape file that is not the volume we need: try the next one on the cartridge. */
static int pass_foreign_file(struct events *r, const struct stream_event *ev, struct error *err)
{
    struct error own = ERROR_INIT;

    if (!r->is_file && tape_space_filemarks(r->tape, 1, &own) == 0) {
        struct tape_position pos = {.file = UINT64_MAX};

        r->searching = true;
        r->tape_block = tape_tell(r->tape, &pos, NULL) == 0 ? pos.block : UINT64_MAX;
        if (pos.file < TAPE_FILES_MAX || pos.file == UINT64_MAX) {
            stream_decoder_volume(r->decoder);
            return 0;
        }
    }
    return error_set(err, ERR_OPERATOR,
                     "this cartridge does not have volume %u of the dump (what it has is volume %u "
                     "of a dump of %s on %s); load the right one",
                     r->volume_number + 1, ev->volume.volume, ev->volume.filesys, ev->volume.host);
}

int events_next(struct events *r, struct stream_event *ev, struct error *err)
{
    for (;;) {
        size_t count = 0, skip;
        int rc;

        if (stream_decoder_next(r->decoder, ev)) {
            if (ev->type == STREAM_EVENT_VOLUME && ev->volume.accepted) {
                r->volume_number = ev->volume.volume;
                r->searching = false;
            }
            if (ev->type != STREAM_EVENT_VOLUME || ev->volume.accepted)
                return 1;
            rc = pass_foreign_file(r, ev, err);
            if (rc)
                return rc;
            continue;
        }
        if (r->finished || stream_decoder_ended(r->decoder))
            return 0;
        skip = r->skip;
        rc = r->image ? read_of_image(r, &count, err) : read_of_stream(r, &count, err);
        if (rc)
            return rc;
        r->skip = 0;
        if (count == 0) {
            stream_decoder_finish(r->decoder);
            r->finished = true;
        } else {
            stream_decoder_feed(r->decoder, r->record + skip * STREAM_BLOCK, count - skip);
        }
    }
}
