/* SPDX-License-Identifier: Apache-2.0 */
/*
 * part.c - see part.h.
 *
 * A part is the image's as a whole if its last record is.  That one is
 *   - on the last part, the end of the stream, which has the image's uuid;
 *   - on the others, what the volume record on the next cartridge is a copy of.
 *
 * If that is not so (the end was overwritten or is damaged, the next cartridge is not here), then
 * what is asked for is still the image's if the part begins with the image's volume record (on the
 * first volume stream block 0, on the others the record before the part, stream.h), and if a header
 * of this dump is at the block or soon behind it, in its place and of its date.  No group is longer
 * than GROUP_MAX, so there is one, except behind the last header before the end.  All of it must be
 * seen in one state of the cartridge.
 */
#include "fuse/part.h"

#include <string.h>

#include "engine/stream/decoder.h"
#include "engine/stream/identity.h"

#define GROUP_MAX 513u /* a header and what belongs to it */

const struct catalog_part *view_image_locate(const struct tree_image *image, uint64_t stream_block,
                                             uint64_t *tape_block)
{
    for (size_t i = 0; i < image->part_count; i++) {
        const struct catalog_part *part = &image->parts[i];

        if (stream_block >= part->first_stream &&
            stream_block - part->first_stream < part->stream_blocks) {
            *tape_block = part->first_block + (stream_block - part->first_stream) / image->blocking;
            return part;
        }
    }
    return NULL;
}

/* ---- the beginning --------------------------------------------------------------------------- */

/* A proof under way. */
struct proving {
    struct volumes *volumes;
    const struct tree_image *image;
    const struct catalog_part *part;
    uint8_t uuid[16];
};

/* The volume record of an image, by its UUID and volume number. */
static bool is_volume_record(const struct record *record, const uint8_t uuid[16], unsigned volume)
{
    struct stream_decoder *decoder;
    struct stream_event event;
    bool good;

    if (record->len < STREAM_BLOCK || stream_decoder_open(&decoder, NULL) != 0)
        return false;
    stream_decoder_feed(decoder, record->data, 1);
    good = stream_decoder_next(decoder, &event) && event.type == STREAM_EVENT_VOLUME &&
           event.volume.capstan && event.volume.volume == volume &&
           memcmp(event.volume.uuid, uuid, 16) == 0;
    stream_decoder_close(decoder);
    return good;
}

static int read_block(const struct proving *p, const struct catalog_part *part, uint64_t block,
                      struct record **out, struct error *err)
{
    return view_volumes_read(p->volumes, part->barcode, block,
                             (size_t)p->image->blocking * STREAM_BLOCK, out, err);
}

static uint64_t volume_record_block(const struct catalog_part *part)
{
    return part->first_stream == 0 ? part->first_block : part->first_block - 1;
}

static int check_begin(const struct proving *p, uint64_t *volume, struct error *err)
{
    uint64_t block = volume_record_block(p->part);
    struct record *record;
    int rc = read_block(p, p->part, block, &record, err);
    bool good;

    if (rc != 0)
        return rc;
    good = is_volume_record(record, p->uuid, p->part->volume);
    *volume = record->volume;
    record_cache_put(record);
    if (good)
        return 0;
    return error_set(err, ERR_CORRUPT,
                     "Cartridge %s does not hold volume %u of image %s at block %llu any more: it "
                     "was overwritten",
                     p->part->barcode, p->part->volume, p->image->uuid, (unsigned long long)block);
}

/* ---- the end --------------------------------------------------------------------------------- */

static uint64_t end_of(const struct catalog_part *part)
{
    return part->first_stream + part->stream_blocks;
}

/* The last record of the stream: its last block is of the end. */
static bool is_end(const struct proving *p, const struct record *record)
{
    return record->len >= STREAM_BLOCK &&
           stream_identify(record->data + (record->len / STREAM_BLOCK - 1) * STREAM_BLOCK, p->uuid,
                           p->image->date_ns, end_of(p->part) - 1) == STREAM_IDENTITY_UUID;
}

/* The volume record of the next part repeats this one from its second block on. */
static bool is_repeated(const struct proving *p, const struct record *record)
{
    const struct catalog_part *next = p->part + 1;
    struct record *copy;
    bool same;

    if (next->first_stream != end_of(p->part) ||
        read_block(p, next, volume_record_block(next), &copy, NULL) != 0)
        return false;
    same = is_volume_record(copy, p->uuid, next->volume) && copy->len == record->len &&
           record->len > STREAM_BLOCK &&
           memcmp(copy->data + STREAM_BLOCK, record->data + STREAM_BLOCK,
                  record->len - STREAM_BLOCK) == 0;
    record_cache_put(copy);
    return same;
}

/* True: the last record of the part is the image's, in the state *volume of the cartridge. */
static bool check_end(const struct proving *p, uint64_t *volume)
{
    bool last = p->part + 1 == p->image->parts + p->image->part_count;
    struct record *record;
    bool good;

    if (p->part->stream_blocks == 0 ||
        read_block(p, p->part,
                   p->part->first_block + (p->part->stream_blocks - 1) / p->image->blocking,
                   &record, NULL) != 0)
        return false;
    *volume = record->volume;
    good = last ? is_end(p, record) : is_repeated(p, record);
    record_cache_put(record);
    return good;
}

/* ---- in the middle --------------------------------------------------------------------------- */

/* The last block from `from` on in the record of stream block `first` that is a header of the dump;
 * 0 if there is none (block 0 is not asked for: it is the beginning). */
static uint64_t header_in_record(const struct proving *p, const struct record *record,
                                 uint64_t first, uint64_t from)
{
    uint64_t found = 0;

    for (size_t i = 0; i < record->len / STREAM_BLOCK; i++)
        if (first + i >= from &&
            stream_identify(record->data + i * STREAM_BLOCK, p->uuid, p->image->date_ns,
                            first + i) != STREAM_IDENTITY_NONE)
            found = first + i;
    return found;
}

/* *until: behind a header of the dump that is at the block or behind it; 0 if none is found, which
 * is no error.  A damaged record is passed over: it is damaged, not overwritten. */
static int search_header(const struct proving *p, uint64_t block, uint64_t volume, uint64_t *until,
                         struct error *err)
{
    const uint64_t blocking = p->image->blocking;
    uint64_t first = block - (block - p->part->first_stream) % blocking;

    *until = 0;
    for (; *until == 0 && first < end_of(p->part) && first < block + GROUP_MAX; first += blocking) {
        uint64_t at = p->part->first_block + (first - p->part->first_stream) / blocking;
        struct record *record;
        int rc = read_block(p, p->part, at, &record, err);

        if (rc == -ERR_CORRUPT)
            continue;
        if (rc != 0)
            return rc;
        if (record->volume == volume) {
            uint64_t header = header_in_record(p, record, first, block);

            *until = header ? header + 1 : 0;
        }
        record_cache_put(record);
    }
    return 0;
}

/* *until: as view_part_prove() finds it. */
static int prove(const struct proving *p, uint64_t block, uint64_t *volume, uint64_t *until,
                 struct error *err)
{
    int rc;

    if (check_end(p, volume)) {
        *until = end_of(p->part);
        return 0;
    }
    rc = check_begin(p, volume, err);
    if (rc == 0)
        rc = search_header(p, block, *volume, until, err);
    if (rc != 0 || *until != 0)
        return rc;
    return error_set(err, ERR_CORRUPT,
                     "Cartridge %s was overwritten: nothing shows that what is at block %llu and "
                     "behind it is of image %s",
                     p->part->barcode,
                     (unsigned long long)(p->part->first_block +
                                          (block - p->part->first_stream) / p->image->blocking),
                     p->image->uuid);
}

int view_part_prove(struct volumes *volumes, const struct tree_image *image,
                    const struct catalog_part *part, uint64_t block, struct part_proof *proof,
                    struct error *err)
{
    struct proving p = {.volumes = volumes, .image = image, .part = part};
    struct facts *facts = view_volumes_facts(volumes);
    int rc;

    proof->until = view_facts_until(facts, proof->volume, part->first_block, image->uuid);
    if (block < proof->until)
        return 0;
    rc = stream_uuid_parse(image->uuid, p.uuid, err);
    if (rc == 0)
        rc = prove(&p, block, &proof->volume, &proof->until, err);
    if (rc != 0 && view_volumes_renew(volumes, part->barcode))
        rc = prove(&p, block, &proof->volume, &proof->until, err);
    if (rc == 0)
        view_facts_learn_until(facts, proof->volume, part->first_block, image->uuid, proof->until);
    return rc;
}
