/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder_headers.c - volume headers, and the headers of maps, inodes and the end.
 *
 * A header is only consumed when the events before it have been given: a step that gives INODE_END
 * or DAMAGE leaves the header for the next step.
 */
#include <string.h>

#include "common/bytes.h"
#include "common/checked.h"
#include "engine/stream/decoder_internal.h"

/* ---- volumes -----------------------------------------------------------------------------------
 */

/* The first volume seen: everything before its first header is unknown. */
static bool first_volume(struct stream_decoder *d, const struct parsed_header *h,
                         struct stream_event *ev)
{
    struct stream_volume volume;

    parse_volume(h, &volume);
    d->date = h->date;
    d->base_date = h->base_date;
    d->lost = 0;
    if (h->type != TS_TAPE) { /* the volume header is lost, what it said is partly in this one */
        memset(volume.uuid, 0, sizeof(volume.uuid));
        memset(volume.base_uuid, 0, sizeof(volume.base_uuid));
        volume.first_stream = volume.blocking = volume.duplicates = volume.resume = 0;
        if (h->ours) /* then 32 bits; parse_volume() took a field that is another here */
            volume.date_ns = h->date * INT64_C(1000000000);
        volume.old_directories = false;
        d->position = h->tapea;
    } else {
        d->position = volume.volume > 1 ? h->tapea : 0;
        decoder_consume(d, 1);
        d->pass = volume.capstan || volume.volume == 1 ? 0 : h->count;
        if (volume.capstan && volume.volume > 1) {
            d->position = volume.first_stream;
            d->skip = decoder_at_most(volume.duplicates, DUPLICATES_MAX);
            d->pass = decoder_at_most(volume.resume, TP_NINDIR);
        }
    }
    volume.accepted = true;
    d->volume = volume;
    d->have_volume = true;
    d->address = h->type == TS_TAPE && volume.volume == 1 ? 0 : d->position;
    d->state = DECODER_HEADER;
    decoder_give(d, ev, STREAM_EVENT_VOLUME);
    ev->volume = volume;
    return true;
}

/* Blocks on this volume that were on the one before, for streams of others: restore(8)'s rule. */
static uint64_t foreign_duplicates(const struct stream_decoder *d, const struct parsed_header *h)
{
    uint64_t first = h->firstrec > 0 ? (uint64_t)h->firstrec : 0;

    if (first == 0 || first + 1 >= d->blocks_read || d->blocks_read - first - 1 > DUPLICATES_MAX)
        return 0;
    return d->blocks_read - first - 1;
}

/* Go on with the blocks behind the header of the volume that was expected. */
static void continue_on(struct stream_decoder *d, const struct parsed_header *h,
                        const struct stream_volume *volume)
{
    decoder_consume(d, 1);
    d->state = d->remaining ? DECODER_GROUP : DECODER_HEADER;
    if (!volume->capstan) {
        d->skip = foreign_duplicates(d, h);
        return;
    }
    d->position--; /* our volume records have no number */
    d->skip = decoder_at_most(volume->duplicates, DUPLICATES_MAX);
    if (volume->first_stream <= d->position) {
        d->skip = decoder_at_most(d->skip + d->position - volume->first_stream, DUPLICATES_MAX);
        return;
    }
    d->lost_at = d->position;
    d->lost = volume->first_stream - d->position;
    d->damaged = true;
    d->position = volume->first_stream;
    d->pass = decoder_at_most(volume->resume, TP_NINDIR);
    d->remaining = 0;
    d->state = DECODER_HEADER;
}

/* Of the same dump; if our first volume header was lost, its UUID was too. */
static bool same_uuid(const struct stream_decoder *d, const uint8_t *uuid)
{
    static const uint8_t lost[16];

    return memcmp(d->volume.uuid, lost, 16) == 0 || memcmp(d->volume.uuid, uuid, 16) == 0;
}

static bool next_volume(struct stream_decoder *d, const struct parsed_header *h,
                        struct stream_event *ev)
{
    struct stream_volume volume;

    parse_volume(h, &volume);
    volume.accepted = h->date == d->date && h->base_date == d->base_date &&
                      volume.volume == d->volume.volume + 1 &&
                      volume.capstan == d->volume.capstan && same_uuid(d, volume.uuid);
    if (volume.accepted) {
        d->volume.volume = volume.volume;
        continue_on(d, h, &volume);
    } else {
        d->state = DECODER_DROP;
    }
    decoder_give(d, ev, STREAM_EVENT_VOLUME);
    ev->volume = volume;
    return true;
}

bool decoder_step_volume(struct stream_decoder *d, struct stream_event *ev)
{
    struct parsed_header h;

    if (!parse_header(d->in, &h)) {
        decoder_lose_block(d);
        return false;
    }
    if (!d->have_volume)
        return first_volume(d, &h, ev);
    if (h.type == TS_TAPE)
        return next_volume(d, &h, ev);
    /* The volume's header is lost: how far this is, the next header of this dump will tell. */
    d->position -= d->position < d->lost ? d->position : d->lost;
    d->volume.volume++;
    d->unsure = true;
    d->damaged = true;
    d->remaining = 0;
    d->state = DECODER_HEADER;
    return false;
}

/* ---- headers -----------------------------------------------------------------------------------
 */

/* True if h belongs to this dump and stands where it should; *seen: it was read before. */
static bool check_dump(struct stream_decoder *d, const struct parsed_header *h, bool *seen)
{
    *seen = false;
    if (d->base_date == -1 && (d->date == -1 || d->date == h->date)) {
        d->date = h->date;
        d->base_date = h->base_date;
    }
    if (h->type == TS_TAPE || h->date != d->date || h->base_date != d->base_date ||
        h->ours != d->volume.capstan || h->big_endian != d->volume.big_endian)
        return false;
    if (!h->ours)
        return true;
    if (d->unsure) {
        int32_t ahead = (int32_t)(h->tapea - (uint32_t)d->position);

        *seen = ahead < 0;
        if (!*seen)
            d->position += (uint32_t)ahead;
        d->unsure = *seen;
        return true;
    }
    return h->tapea == (uint32_t)d->position;
}

static void begin_group(struct stream_decoder *d, const struct parsed_header *h,
                        enum group_kind kind)
{
    d->kind = kind;
    d->address = d->position;
    d->index = 0;
    d->count = h->count;
    d->remaining = kind == GROUP_MAP ? h->count : h->follow;
    if (h->type == TS_INODE || h->type == TS_ADDR)
        memcpy(d->present, h->block + C_ADDR, h->count);
    d->check_crc = h->ours && (h->type == TS_INODE || h->type == TS_ADDR);
    d->crc = 0;
    d->crc_expected = d->check_crc ? get_le32(h->block + P_DATA_CRC) : 0;
    d->buf_len = 0;
    d->state = DECODER_GROUP;
    decoder_consume(d, 1);
}

static bool on_map(struct stream_decoder *d, const struct parsed_header *h, struct stream_event *ev)
{
    (void)ev;
    if (h->type == TS_CLRI && checked_mul((uint32_t)h->count, 8 * STREAM_BLOCK, &d->trailer_ino))
        d->trailer_ino++;
    d->map_dumped = h->type == TS_BITS;
    d->offset = 0;
    begin_group(d, h, GROUP_MAP);
    return false;
}

static bool on_end(struct stream_decoder *d, const struct parsed_header *h, struct stream_event *ev)
{
    d->address = d->position;
    decoder_give(d, ev, STREAM_EVENT_END);
    ev->has_totals = h->ours;
    if (h->ours)
        parse_totals(h, &ev->totals);
    d->state = DECODER_ENDED;
    return true;
}

static bool ignore_group(struct stream_decoder *d, const struct parsed_header *h)
{
    begin_group(d, h, GROUP_IGNORED);
    d->check_crc = false;
    return false;
}

/* A header of file data: the first, a further one of the open inode, or, in our streams, a further
 * one of an inode whose beginning was not seen. */
static bool begin_data(struct stream_decoder *d, const struct parsed_header *h, bool further,
                       struct stream_event *ev)
{
    uint64_t offset = h->ours ? get_le64(h->block + P_OFFSET) : d->covered;

    if (!further) {
        parse_inode(h, d->volume.big_endian && d->volume.old_directories, &d->inode);
        d->continued = h->type == TS_ADDR;
        d->damaged = false;
        d->covered = d->continued ? offset : 0;
        d->extension_len = h->ours ? get_le32(h->block + P_EXT_LENGTH) : 0;
        d->extension_crc = h->ours ? get_le32(h->block + P_EXT_CRC) : 0;
        offset = h->type == TS_INODE ? 0 : offset;
    }
    if (d->inode.size > INT64_MAX || d->inode.ino == 0) {
        uint64_t size = d->inode.size;

        ignore_group(d, h);
        return decoder_give_damage(d, ev, d->address,
                                   "inode %u has an impossible number or size (%llu)", h->ino,
                                   (unsigned long long)size);
    }
    begin_group(d, h, GROUP_DATA);
    if (offset != d->covered || offset % STREAM_BLOCK)
        d->damaged = true;
    d->offset = offset < d->inode.size ? offset - offset % STREAM_BLOCK : d->inode.size;
    if (further)
        return false;
    d->open = true;
    decoder_give(d, ev, STREAM_EVENT_INODE);
    ev->inode = d->inode;
    ev->continued = d->continued;
    ev->metadata_only = h->flags & DR_METAONLY;
    return true;
}

static bool on_addr(struct stream_decoder *d, const struct parsed_header *h,
                    struct stream_event *ev)
{
    if (d->open && h->ino == d->inode.ino)
        return begin_data(d, h, true, ev);
    if (!d->open && d->kind == GROUP_MAP) { /* Solaris writes long maps so */
        d->offset += d->count * STREAM_BLOCK;
        begin_group(d, h, GROUP_MAP);
        return false;
    }
    if (decoder_give_before_header(d, ev, true))
        return true;
    if (h->ours)
        return begin_data(d, h, false, ev);
    ignore_group(d, h);
    return decoder_give_damage(d, ev, d->address,
                               "a part of inode %u without its beginning was left out", h->ino);
}

static bool on_ea(struct stream_decoder *d, const struct parsed_header *h, struct stream_event *ev)
{
    struct stream_inode inode;

    if (h->ext_attributes != EXT_XATTR) /* resource forks of a Macintosh */
        return ignore_group(d, h);
    parse_inode(h, false, &inode);
    if (d->open && h->ino != d->inode.ino)
        return decoder_give_before_header(d, ev, true);
    if (!d->open && h->ours) { /* its inode is on the volume before this */
        d->open = d->continued = true;
        d->damaged = false;
        d->inode = inode;
        d->inode.size = d->covered = 0;
        d->extension_len = 0;
        d->address = d->position;
        decoder_give(d, ev, STREAM_EVENT_INODE);
        ev->inode = d->inode;
        ev->continued = true;
        return true;
    }
    /* parse_inode() takes a size for regular files, directories and symlinks only */
    inode.size = h->big_endian ? get_be64(h->block + DI_SIZE) : get_le64(h->block + DI_SIZE);
    if (!d->open || inode.size > EA_MAX) {
        ignore_group(d, h);
        return decoder_give_damage(d, ev, d->address, "attributes of inode %u can't be read",
                                   h->ino);
    }
    begin_group(d, h, GROUP_EA);
    d->offset = inode.size;
    return false;
}

static bool on_inode(struct stream_decoder *d, const struct parsed_header *h,
                     struct stream_event *ev)
{
    if (!(h->flags & DR_EXTATTRIBUTES) || h->ufs2) {
        if (decoder_give_before_header(d, ev, true))
            return true;
        if (d->trailer_ino != 0 && h->ino == d->trailer_ino)
            return ignore_group(d, h);
        return begin_data(d, h, false, ev);
    }
    return on_ea(d, h, ev);
}

bool decoder_step_header(struct stream_decoder *d, struct stream_event *ev)
{
    static bool (*const handlers[])(struct stream_decoder * d, const struct parsed_header *h,
                                    struct stream_event *ev) = {
        [TS_INODE] = on_inode, [TS_BITS] = on_map, [TS_ADDR] = on_addr,
        [TS_END] = on_end,     [TS_CLRI] = on_map,
    };
    struct parsed_header h;
    bool seen;

    if (!parse_header(d->in, &h) || !check_dump(d, &h, &seen)) {
        decoder_lose_block(d);
        return false;
    }
    if (seen) {
        decoder_consume(d, 1);
        d->position--;
        return false;
    }
    if (decoder_give_lost(d, ev))
        return true;
    if (h.type != TS_ADDR && h.type != TS_INODE && decoder_give_before_header(d, ev, true))
        return true;
    return handlers[h.type](d, &h, ev);
}
