/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder.c - see decoder.h.
 *
 *                         TS_TAPE (or, after damage, any header)
 *      VOLUME ─────────────────────────────────────────────────> HEADER <──────────────┐
 *        │ not the volume expected                                │  │ header         │ last block
 *        v                            stream_decoder_volume()     │  └──────> GROUP ──┘
 *      DROP ──> VOLUME                 leads to VOLUME            │ TS_END
 *                                      from every state           └───────> ENDED
 *
 * Invariants:
 *   1. GROUP: index <= count <= TP_NINDIR for inodes; position counts each block taken once.
 *   2. `open` means that an INODE event was given and its INODE_END was not.
 *   3. A header is only consumed when the events before it have been given: a step that gives
 *      INODE_END or DAMAGE leaves the header for the next step.
 */
#include "engine/stream/decoder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/bytes.h"
#include "common/checked.h"
#include "common/crc32c.h"
#include "engine/stream/header.h"
#include "engine/stream/parse.h"
#include "engine/stream/xattr.h"

#define EA_MAX         65536u   /* largest EA record that is accepted; Linux dump writes 4,096 */
#define DUPLICATES_MAX 1048576u /* blocks of an earlier volume that are skipped at most */

enum decoder_state { DECODER_VOLUME, DECODER_DROP, DECODER_HEADER, DECODER_GROUP, DECODER_ENDED };
enum group_kind { GROUP_IGNORED, GROUP_DATA, GROUP_MAP, GROUP_EA };
enum item_kind { ITEM_NONE, ITEM_EA, ITEM_EXTENSION };

struct stream_decoder {
    enum decoder_state state;
    const uint8_t *in; /* the caller's; in_count blocks not consumed yet */
    size_t in_count;
    bool finishing;

    /* the dump */
    bool have_volume;
    struct stream_volume volume;
    int64_t date, base_date; /* as in every header, seconds */
    uint32_t trailer_ino;    /* records of this inode are for nobody; 0: not known */
    uint64_t position;
    uint64_t blocks_read; /* as restore(8) counts: with volume records and duplicates */
    uint64_t skip;        /* blocks to drop that do not count in position */
    uint64_t pass;        /* blocks to drop that do */
    uint64_t lost;        /* blocks dropped since the last good header */
    uint64_t lost_at;
    bool unsure; /* position is a lower limit: the volume's header was lost */

    /* the group: the last header and its blocks */
    enum group_kind kind;
    uint64_t address;
    uint8_t present[TP_NINDIR];
    size_t index, count, remaining;
    uint64_t offset; /* in file or map, of the group's first block */
    bool check_crc;
    uint32_t crc, crc_expected;
    bool map_dumped;

    /* the inode */
    bool open, continued, damaged;
    struct stream_inode inode;
    uint64_t covered;                      /* data and holes seen up to here */
    uint32_t extension_len, extension_crc; /* length 0 once it has come */

    /* an EA record or extension, gathered, then given out item by item */
    uint8_t *buf;
    size_t buf_len, buf_capacity;
    enum item_kind items;
    struct xattr_cursor cursor;
    uint8_t *acl;
};

int stream_decoder_open(struct stream_decoder **out, struct error *err)
{
    struct stream_decoder *d = calloc(1, sizeof(*d));
    uint8_t *acl = malloc(EA_ACL_MAX);

    if (!d || !acl) {
        free(d);
        free(acl);
        return error_set(err, ERR_NO_MEMORY, "no memory for the stream decoder");
    }
    d->acl = acl;
    *out = d;
    return 0;
}

void stream_decoder_close(struct stream_decoder *d)
{
    if (!d)
        return;
    free(d->buf);
    free(d->acl);
    free(d);
}

void stream_decoder_feed(struct stream_decoder *d, const uint8_t *blocks, size_t count)
{
    d->in = blocks;
    d->in_count = count;
}

void stream_decoder_volume(struct stream_decoder *d)
{
    d->in_count = 0;
    d->skip = d->pass = 0;
    if (d->state != DECODER_ENDED)
        d->state = DECODER_VOLUME;
}

void stream_decoder_finish(struct stream_decoder *d)
{
    d->in_count = 0;
    d->finishing = true;
}

uint64_t stream_decoder_position(const struct stream_decoder *d)
{
    return d->position;
}

size_t stream_decoder_remaining(const struct stream_decoder *d)
{
    return (size_t)(d->skip + d->pass) + (d->state == DECODER_GROUP ? d->remaining : 0);
}

bool stream_decoder_ended(const struct stream_decoder *d)
{
    return d->state == DECODER_ENDED;
}

/* ---- events ------------------------------------------------------------------------------------
 */

static bool give(struct stream_decoder *d, struct stream_event *ev, enum stream_event_type type)
{
    memset(ev, 0, sizeof(*ev));
    ev->type = type;
    ev->address = d->address;
    return true;
}

static bool give_damage(struct stream_decoder *d, struct stream_event *ev, uint64_t address,
                        const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static bool give_damage(struct stream_decoder *d, struct stream_event *ev, uint64_t address,
                        const char *fmt, ...)
{
    va_list ap;

    give(d, ev, STREAM_EVENT_DAMAGE);
    ev->address = address;
    va_start(ap, fmt);
    vsnprintf(ev->message, sizeof(ev->message), fmt, ap);
    va_end(ap);
    return true;
}

/* What must be told before the next header is taken: lost blocks, then the end of the open inode.
 * clean: the next header is there; dumps of others may leave out holes at the end of a file. */
static bool give_before_header(struct stream_decoder *d, struct stream_event *ev, bool clean)
{
    if (!d->open)
        return false;
    if (d->covered < d->inode.size && !d->continued && !d->damaged) {
        if (clean && !d->volume.capstan) {
            give(d, ev, STREAM_EVENT_HOLE);
            ev->offset = d->covered;
            ev->bytes = d->inode.size - d->covered;
            d->covered = d->inode.size;
            return true;
        }
        d->damaged = true;
    }
    d->damaged = d->damaged || d->extension_len > 0;
    give(d, ev, STREAM_EVENT_INODE_END);
    ev->damaged = d->damaged || d->continued;
    d->open = false;
    return true;
}

static bool give_lost(struct stream_decoder *d, struct stream_event *ev)
{
    uint64_t lost = d->lost;

    if (!lost)
        return false;
    d->lost = 0;
    return give_damage(d, ev, d->lost_at, "%llu stream blocks are damaged and were left out",
                       (unsigned long long)lost);
}

/* ---- blocks ------------------------------------------------------------------------------------
 */

/* What a stream says must be dropped, within reason. */
static uint64_t at_most(uint64_t blocks, uint64_t limit)
{
    return blocks <= limit ? blocks : limit;
}

/* Consume n blocks that count. */
static void consume(struct stream_decoder *d, size_t n)
{
    d->in += n * STREAM_BLOCK;
    d->in_count -= n;
    d->position += n;
    d->blocks_read += n;
}

/* Drop what must be dropped before anything is looked at; false if nothing is left. */
static bool drop_blocks(struct stream_decoder *d)
{
    size_t n = d->skip < d->in_count ? (size_t)d->skip : d->in_count;

    if (d->in_count == 0)
        return false;
    consume(d, n);
    d->position -= n;
    d->skip -= n;
    n = d->pass < d->in_count ? (size_t)d->pass : d->in_count;
    consume(d, n);
    d->pass -= n;
    if (d->state == DECODER_DROP || d->state == DECODER_ENDED)
        d->in_count = 0;
    return d->in_count > 0;
}

static void lose_block(struct stream_decoder *d)
{
    if (d->lost++ == 0)
        d->lost_at = d->position;
    d->damaged = true;
    consume(d, 1);
    d->position -= d->unsure;
}

/* ---- volumes -----------------------------------------------------------------------------------
 */

static void adopt(struct stream_decoder *d, const struct stream_volume *volume)
{
    d->volume = *volume;
    d->have_volume = true;
}

void stream_decoder_seek(struct stream_decoder *d, const struct stream_volume *volume,
                         uint64_t address)
{
    adopt(d, volume);
    /* The header itself brings what volume can't (check_dump). */
    d->date = volume->capstan ? (int64_t)header_seconds(volume->date_ns) : -1;
    d->base_date = -1;
    d->position = address;
    d->in_count = 0;
    d->skip = d->pass = d->lost = 0;
    d->open = d->unsure = false;
    d->items = ITEM_NONE;
    d->state = DECODER_HEADER;
}

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
        consume(d, 1);
        d->pass = volume.capstan || volume.volume == 1 ? 0 : h->count;
        if (volume.capstan && volume.volume > 1) {
            d->position = volume.first_stream;
            d->skip = at_most(volume.duplicates, DUPLICATES_MAX);
            d->pass = at_most(volume.resume, TP_NINDIR);
        }
    }
    volume.accepted = true;
    adopt(d, &volume);
    d->address = h->type == TS_TAPE && volume.volume == 1 ? 0 : d->position;
    d->state = DECODER_HEADER;
    give(d, ev, STREAM_EVENT_VOLUME);
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
    consume(d, 1);
    d->state = d->remaining ? DECODER_GROUP : DECODER_HEADER;
    if (!volume->capstan) {
        d->skip = foreign_duplicates(d, h);
        return;
    }
    d->position--; /* our volume records have no number */
    d->skip = at_most(volume->duplicates, DUPLICATES_MAX);
    if (volume->first_stream <= d->position) {
        d->skip = at_most(d->skip + d->position - volume->first_stream, DUPLICATES_MAX);
        return;
    }
    d->lost_at = d->position;
    d->lost = volume->first_stream - d->position;
    d->damaged = true;
    d->position = volume->first_stream;
    d->pass = at_most(volume->resume, TP_NINDIR);
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
    give(d, ev, STREAM_EVENT_VOLUME);
    ev->volume = volume;
    return true;
}

static bool step_volume(struct stream_decoder *d, struct stream_event *ev)
{
    struct parsed_header h;

    if (!parse_header(d->in, &h)) {
        lose_block(d);
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
    consume(d, 1);
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
    give(d, ev, STREAM_EVENT_END);
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
        return give_damage(d, ev, d->address, "inode %u has an impossible number or size (%llu)",
                           h->ino, (unsigned long long)size);
    }
    begin_group(d, h, GROUP_DATA);
    if (offset != d->covered || offset % STREAM_BLOCK)
        d->damaged = true;
    d->offset = offset < d->inode.size ? offset - offset % STREAM_BLOCK : d->inode.size;
    if (further)
        return false;
    d->open = true;
    give(d, ev, STREAM_EVENT_INODE);
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
    if (give_before_header(d, ev, true))
        return true;
    if (h->ours)
        return begin_data(d, h, false, ev);
    ignore_group(d, h);
    return give_damage(d, ev, d->address, "a part of inode %u without its beginning was left out",
                       h->ino);
}

static bool on_ea(struct stream_decoder *d, const struct parsed_header *h, struct stream_event *ev)
{
    struct stream_inode inode;

    if (h->ext_attributes != EXT_XATTR) /* resource forks of a Macintosh */
        return ignore_group(d, h);
    parse_inode(h, false, &inode);
    if (d->open && h->ino != d->inode.ino)
        return give_before_header(d, ev, true);
    if (!d->open && h->ours) { /* its inode is on the volume before this */
        d->open = d->continued = true;
        d->damaged = false;
        d->inode = inode;
        d->inode.size = d->covered = 0;
        d->extension_len = 0;
        d->address = d->position;
        give(d, ev, STREAM_EVENT_INODE);
        ev->inode = d->inode;
        ev->continued = true;
        return true;
    }
    /* parse_inode() takes a size for regular files, directories and symlinks only */
    inode.size = h->big_endian ? get_be64(h->block + DI_SIZE) : get_le64(h->block + DI_SIZE);
    if (!d->open || inode.size > EA_MAX) {
        ignore_group(d, h);
        return give_damage(d, ev, d->address, "attributes of inode %u can't be read", h->ino);
    }
    begin_group(d, h, GROUP_EA);
    d->offset = inode.size;
    return false;
}

static bool on_inode(struct stream_decoder *d, const struct parsed_header *h,
                     struct stream_event *ev)
{
    if (!(h->flags & DR_EXTATTRIBUTES) || h->ufs2) {
        if (give_before_header(d, ev, true))
            return true;
        if (d->trailer_ino != 0 && h->ino == d->trailer_ino)
            return ignore_group(d, h);
        return begin_data(d, h, false, ev);
    }
    return on_ea(d, h, ev);
}

static bool step_header(struct stream_decoder *d, struct stream_event *ev)
{
    static bool (*const handlers[])(struct stream_decoder * d, const struct parsed_header *h,
                                    struct stream_event *ev) = {
        [TS_INODE] = on_inode, [TS_BITS] = on_map, [TS_ADDR] = on_addr,
        [TS_END] = on_end,     [TS_CLRI] = on_map,
    };
    struct parsed_header h;
    bool seen;

    if (!parse_header(d->in, &h) || !check_dump(d, &h, &seen)) {
        lose_block(d);
        return false;
    }
    if (seen) {
        consume(d, 1);
        d->position--;
        return false;
    }
    if (give_lost(d, ev))
        return true;
    if (h.type != TS_ADDR && h.type != TS_INODE && give_before_header(d, ev, true))
        return true;
    return handlers[h.type](d, &h, ev);
}

/* ---- groups ------------------------------------------------------------------------------------
 */

/* Length of the run of blocks that are alike from index on, at most limit. */
static size_t run_length(const struct stream_decoder *d, size_t limit)
{
    size_t n = 1;

    while (n < limit && d->present[d->index + n] == d->present[d->index])
        n++;
    return n;
}

/* Consume n blocks of the group. */
static void take_blocks(struct stream_decoder *d, size_t n)
{
    if (d->check_crc)
        d->crc = crc32c_update(d->crc, d->in, n * STREAM_BLOCK);
    d->index += n;
    d->remaining -= n;
    consume(d, n);
}

/* Append the next block to buf, whose use is limited to want bytes; false: no memory. */
static bool gather_block(struct stream_decoder *d, size_t want)
{
    size_t room = want > d->buf_len ? want - d->buf_len : 0;
    size_t n = room < STREAM_BLOCK ? room : STREAM_BLOCK;

    if (d->buf_len + n > d->buf_capacity) {
        size_t capacity = d->buf_capacity ? 2 * d->buf_capacity : 4 * STREAM_BLOCK;
        uint8_t *buf = realloc(d->buf, capacity);

        if (!buf)
            return false;
        d->buf = buf;
        d->buf_capacity = capacity;
    }
    memcpy(d->buf + d->buf_len, d->in, n);
    d->buf_len += n;
    return true;
}

static bool group_map(struct stream_decoder *d, struct stream_event *ev)
{
    size_t n = d->remaining < d->in_count ? d->remaining : d->in_count;

    give(d, ev, STREAM_EVENT_MAP);
    ev->map_dumped = d->map_dumped;
    ev->offset = d->offset + d->index * STREAM_BLOCK;
    ev->data = d->in;
    ev->len = n * STREAM_BLOCK;
    take_blocks(d, n);
    return true;
}

/* Blocks behind the end of the file: the extension, or somebody else's. */
static void group_beyond(struct stream_decoder *d, size_t want)
{
    if (!d->present[d->index]) {
        d->index++;
        return;
    }
    if (want && !gather_block(d, want))
        d->damaged = true;
    take_blocks(d, 1);
}

static bool group_data(struct stream_decoder *d, struct stream_event *ev)
{
    uint64_t offset = d->offset + d->index * STREAM_BLOCK, rest, blocks;
    size_t limit = d->count - d->index, n;
    bool present = d->present[d->index];

    if (offset >= d->inode.size) {
        group_beyond(d, d->extension_len <= STREAM_EXTENSION_MAX ? d->extension_len : 0);
        return false;
    }
    rest = d->inode.size - offset;
    blocks = rest / STREAM_BLOCK + (rest % STREAM_BLOCK != 0);
    limit = blocks < limit ? (size_t)blocks : limit;
    if (present && limit > d->in_count)
        limit = d->in_count;
    n = run_length(d, limit);
    give(d, ev, present ? STREAM_EVENT_DATA : STREAM_EVENT_HOLE);
    ev->offset = offset;
    ev->bytes = n * STREAM_BLOCK < rest ? n * STREAM_BLOCK : rest;
    if (offset + ev->bytes > d->covered)
        d->covered = offset + ev->bytes;
    if (present) {
        ev->data = d->in;
        ev->len = (size_t)ev->bytes;
        take_blocks(d, n);
    } else {
        d->index += n;
    }
    return true;
}

/* The group is complete: check it, and begin giving out what was gathered. */
static bool end_group(struct stream_decoder *d, struct stream_event *ev)
{
    d->state = DECODER_HEADER;
    if (d->check_crc && d->crc != d->crc_expected) {
        d->damaged = true;
        d->buf_len = 0;
        return give_damage(d, ev, d->address, "data of inode %u is damaged: its checksum differs",
                           d->inode.ino);
    }
    if (d->buf_len == 0)
        return false;
    if (d->kind == GROUP_DATA &&
        (d->buf_len < d->extension_len || crc32c(d->buf, d->buf_len) != d->extension_crc)) {
        d->damaged = true;
        return give_damage(d, ev, d->address, "attributes of inode %u are damaged", d->inode.ino);
    }
    d->items = d->kind == GROUP_EA ? ITEM_EA : ITEM_EXTENSION;
    d->extension_len = d->kind == GROUP_EA ? d->extension_len : 0;
    memset(&d->cursor, 0, sizeof(d->cursor));
    d->cursor.data = d->buf;
    d->cursor.len = d->buf_len;
    d->cursor.acl = d->acl;
    return false;
}

static bool step_group(struct stream_decoder *d, struct stream_event *ev)
{
    if (d->kind == GROUP_MAP && d->remaining > 0)
        return group_map(d, ev);
    if (d->kind == GROUP_MAP || d->index == d->count)
        return end_group(d, ev);
    if (d->in_count == 0 && d->present[d->index])
        return false;
    if (d->kind == GROUP_DATA)
        return group_data(d, ev);
    group_beyond(d, d->kind == GROUP_EA ? (size_t)d->offset : 0);
    return false;
}

/* ---- items -------------------------------------------------------------------------------------
 */

static bool give_item(struct stream_decoder *d, struct stream_event *ev)
{
    unsigned type = EXTENSION_XATTR;
    struct stream_xattr x;
    bool more =
        d->items == ITEM_EA ? xattr_next(&d->cursor, &x) : extension_next(&d->cursor, &type, &x);

    if (!more) {
        d->items = ITEM_NONE;
        if (!d->cursor.damaged)
            return false;
        d->damaged = true;
        return give_damage(d, ev, d->address, "attributes of inode %u break the format",
                           d->inode.ino);
    }
    if (type == EXTENSION_XATTR) {
        give(d, ev, STREAM_EVENT_XATTR);
        ev->xattr = x;
        return true;
    }
    if (type != EXTENSION_PATH && type != EXTENSION_HOST)
        return false;
    give(d, ev, STREAM_EVENT_ORIGIN);
    ev->is_host = type == EXTENSION_HOST;
    ev->data = x.value;
    ev->len = x.len;
    return true;
}

/* The next thing in the group is not on tape. */
static bool at_hole(const struct stream_decoder *d)
{
    return d->kind != GROUP_MAP && d->index < d->count && !d->present[d->index];
}

/* No block is left: give what does not need one. */
static bool step_without_block(struct stream_decoder *d, struct stream_event *ev, bool *more)
{
    *more = false;
    if (d->state == DECODER_GROUP && (d->remaining == 0 || at_hole(d))) {
        *more = true;
        return step_group(d, ev);
    }
    if (!d->finishing)
        return false;
    if (d->open && d->remaining > 0)
        d->damaged = true;
    return give_lost(d, ev) || give_before_header(d, ev, false);
}

bool stream_decoder_next(struct stream_decoder *d, struct stream_event *ev)
{
    static bool (*const steps[])(struct stream_decoder * d, struct stream_event * ev) = {
        [DECODER_VOLUME] = step_volume,
        [DECODER_HEADER] = step_header,
        [DECODER_GROUP] = step_group,
    };
    bool more = true;

    while (more) {
        if (d->items != ITEM_NONE) {
            if (give_item(d, ev))
                return true;
            continue;
        }
        if (!drop_blocks(d)) {
            if (step_without_block(d, ev, &more))
                return true;
            continue;
        }
        if (steps[d->state](d, ev))
            return true;
    }
    return false;
}
