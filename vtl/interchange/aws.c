/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aws.c - AWSTAPE, the tape images of the P/390, and HET, Hercules' form of it with compression.
 *
 * A stream is a sequence of chunks, each behind a header of 6 bytes:
 *     0-1  length of this chunk, little-endian      4  80h a block begins here   40h tape mark
 *     2-3  length of the chunk before it               20h it ends here   01h zlib   02h bzip2
 *                                                   5  80h HET: packed by another program's rules
 * A block longer than a chunk can be goes over several.  With compression the whole block is one
 * zlib stream (RFC 1950) or one of bzip2, and that is what goes over chunks.  Nothing marks the
 * end.
 */
#include <bzlib.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/bytes.h"
#include "vtl/interchange/internal.h"

#define HEADER_SIZE 6
#define CHUNK_MAX   65535u

#define FLAG_BEGIN   0x80u
#define FLAG_MARK    0x40u
#define FLAG_END     0x20u
#define FLAG_BZIP2   0x02u
#define FLAG_ZLIB    0x01u
#define FLAG_PACKED  (FLAG_ZLIB | FLAG_BZIP2)
#define FLAG_BUSTECH 0x80u /* byte 5 */

/* What zlib makes of the largest block at worst (compressBound()). */
#define PACKED_MAX ((size_t)CARTRIDGE_BLOCK_MAX + CARTRIDGE_BLOCK_MAX / 1000 + 65536)

struct chunk {
    uint32_t len, previous;
    uint8_t flags, flags2;
};

static struct chunk chunk_decode(const uint8_t *p)
{
    return (struct chunk){get_le16(p), get_le16(p + 2), p[4], p[5]};
}

/* Is h possible behind a chunk of length previous, in the middle of a block or not? */
static bool chunk_valid(const struct chunk *h, uint32_t previous, bool inside)
{
    if (h->previous != previous || (h->flags2 & ~FLAG_BUSTECH) || (h->flags & 0x1c))
        return false;
    if (h->flags & FLAG_MARK)
        return !inside && h->len == 0;
    return h->len > 0 && inside == !(h->flags & FLAG_BEGIN);
}

/* ---- which one is it? -------------------------------------------------------------------- */

static bool detect(const uint8_t *data, size_t len, bool all)
{
    uint32_t previous = 0;
    bool inside = false;
    size_t at = 0;

    while (len - at >= HEADER_SIZE) {
        struct chunk h = chunk_decode(data + at);

        if (!chunk_valid(&h, previous, inside))
            return false;
        if (len - at - HEADER_SIZE < h.len)
            return !all;
        inside = !(h.flags & (FLAG_MARK | FLAG_END));
        previous = h.len;
        at += HEADER_SIZE + h.len;
    }
    return at > 0 && (!all || (at == len && !inside));
}

/* ---- import ------------------------------------------------------------------------------ */

static int packed_room(struct format_state *state, struct error *err)
{
    state->packed = state->packed ? state->packed : malloc(PACKED_MAX);
    return state->packed ? 0 : error_set(err, ERR_NO_MEMORY, "there is no memory left for a block");
}

enum unpacked { UNPACKED, NO_ROOM, NO_STREAM, NO_MEMORY };

static enum unpacked unpack_zlib(struct interchange_import *in, size_t len, struct item *item)
{
    z_stream z = {.next_in = in->state.packed,
                  .avail_in = (uInt)len,
                  .next_out = in->block,
                  .avail_out = CARTRIDGE_BLOCK_MAX};
    int result;

    if (inflateInit(&z) != Z_OK)
        return NO_MEMORY;
    result = inflate(&z, Z_FINISH);
    item->len = CARTRIDGE_BLOCK_MAX - z.avail_out;
    inflateEnd(&z);
    if (result == Z_STREAM_END && z.avail_in == 0)
        return UNPACKED;
    return result == Z_BUF_ERROR && z.avail_out == 0 ? NO_ROOM : NO_STREAM;
}

static enum unpacked unpack_bzip2(struct interchange_import *in, size_t len, struct item *item)
{
    unsigned room = CARTRIDGE_BLOCK_MAX;
    int result = BZ2_bzBuffToBuffDecompress((char *)in->block, &room, (char *)in->state.packed,
                                            (unsigned)len, 0, 0);

    item->len = room;
    return result == BZ_OK             ? UNPACKED
           : result == BZ_OUTBUFF_FULL ? NO_ROOM
           : result == BZ_MEM_ERROR    ? NO_MEMORY
                                       : NO_STREAM;
}

/* Unpack len bytes at state.packed to the block buffer, which is all the room there is. */
static int unpack(struct interchange_import *in, size_t len, unsigned packing, struct item *item,
                  uint64_t at, struct error *err)
{
    enum unpacked result =
        packing == FLAG_ZLIB ? unpack_zlib(in, len, item) : unpack_bzip2(in, len, item);

    if (result == UNPACKED && item->len > 0)
        return 0;
    if (result == NO_MEMORY)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left to unpack a block");
    if (result == NO_ROOM)
        return error_set(err, ERR_CORRUPT,
                         "the compressed block at byte %llu of the stream unpacks to more than a "
                         "block can have (%u bytes)",
                         (unsigned long long)at, CARTRIDGE_BLOCK_MAX);
    return error_set(err, ERR_CORRUPT,
                     "the compressed block at byte %llu of the stream can't be unpacked",
                     (unsigned long long)at);
}

static int chunk_refused(const struct chunk *h, uint32_t previous, bool inside, uint64_t at,
                         struct error *err)
{
    unsigned long long offset = at;

    if (h->previous != previous)
        return error_set(err, ERR_CORRUPT,
                         "the chunk at byte %llu of the stream contradicts the one before: it says "
                         "that one has %u bytes, not %u",
                         offset, h->previous, previous);
    if (inside)
        return error_set(err, ERR_CORRUPT,
                         "at byte %llu of the stream another chunk of a block should stand, not "
                         "one with the flags %02xh and %u bytes",
                         offset, h->flags, h->len);
    return error_set(err, ERR_CORRUPT,
                     "the chunk at byte %llu of the stream makes no sense: flags %02xh %02xh, %u "
                     "bytes",
                     offset, h->flags, h->flags2, h->len);
}

/* Read the header of a chunk; *end: the stream ends here instead. */
static int next_chunk(struct interchange_import *in, struct chunk *h, bool inside, bool *end,
                      struct error *err)
{
    struct source *s = &in->source;
    uint64_t at = s->offset;
    uint8_t raw[HEADER_SIZE];
    size_t got;
    int rc = source_read(s, raw, sizeof(raw), &got, err);

    *end = !rc && got == 0 && !inside;
    if (rc || *end)
        return rc;
    if (got < sizeof(raw))
        return error_set(err, ERR_CORRUPT,
                         "the stream ends at byte %llu, in the middle of %s: it is truncated",
                         (unsigned long long)s->offset, inside && !got ? "a block" : "a header");
    *h = chunk_decode(raw);
    if (!chunk_valid(h, in->state.previous, inside))
        return chunk_refused(h, in->state.previous, inside, at, err);
    in->state.previous = h->len;
    return 0;
}

static int check_packing(const struct interchange_import *in, const struct chunk *h, uint64_t at,
                         struct error *err)
{
    unsigned packing = h->flags & FLAG_PACKED;

    if (packing == FLAG_PACKED || h->flags2)
        return error_set(err, ERR_UNSUPPORTED,
                         "the block at byte %llu of the stream is compressed by %s; only zlib and "
                         "bzip2 are known here: have the program that made it write it plain",
                         (unsigned long long)at,
                         h->flags2 ? "the rules of Bus-Tech" : "a method without a name");
    if (packing && in->format == &format_aws)
        return error_set(err, ERR_FORMAT,
                         "the block at byte %llu of the stream is compressed: this is HET, not "
                         "AWSTAPE; say --format het",
                         (unsigned long long)at);
    return 0;
}

/* A block while its chunks come in. */
struct assembly {
    uint64_t at; /* where it begins in the stream */
    unsigned packing;
    uint8_t *to;
    size_t len, room;
};

static int begin_block(struct interchange_import *in, const struct chunk *h, struct assembly *a,
                       struct error *err)
{
    int rc = check_packing(in, h, a->at, err);

    a->packing = h->flags & FLAG_PACKED;
    a->to = in->block;
    a->room = CARTRIDGE_BLOCK_MAX;
    if (rc || !a->packing)
        return rc;
    rc = packed_room(&in->state, err);
    a->to = in->state.packed;
    a->room = PACKED_MAX;
    return rc;
}

static int add_chunk(struct interchange_import *in, const struct chunk *h, struct assembly *a,
                     struct error *err)
{
    int rc;

    if (h->len > a->room - a->len)
        return error_set(err, ERR_CORRUPT,
                         "the block at byte %llu of the stream is larger than a block can be",
                         (unsigned long long)a->at);
    if ((h->flags & FLAG_PACKED) != a->packing)
        return error_set(err, ERR_CORRUPT,
                         "the block at byte %llu of the stream is compressed only in part",
                         (unsigned long long)a->at);
    rc = source_exact(&in->source, a->to + a->len, h->len, "a block", err);
    a->len += h->len;
    return rc;
}

static int aws_next(struct interchange_import *in, struct item *item, struct error *err)
{
    struct assembly a = {.at = in->source.offset};
    struct chunk h = {0};
    bool inside = false, end;
    int rc;

    do {
        rc = next_chunk(in, &h, inside, &end, err);
        if (rc)
            return rc;
        item->kind = end ? ITEM_END : h.flags & FLAG_MARK ? ITEM_FILEMARKS : ITEM_BLOCK;
        item->count = 1;
        if (item->kind != ITEM_BLOCK)
            return 0;
        if (!inside)
            rc = begin_block(in, &h, &a, err);
        if (!rc)
            rc = add_chunk(in, &h, &a, err);
        inside = true;
    } while (!rc && !(h.flags & FLAG_END));
    item->len = (uint32_t)a.len;
    return rc || !a.packing ? rc : unpack(in, a.len, a.packing, item, a.at, err);
}

/* ---- export ------------------------------------------------------------------------------ */

static int put_chunk(struct exporter *out, unsigned flags, const uint8_t *data, uint32_t len,
                     struct error *err)
{
    uint8_t raw[HEADER_SIZE] = {0};
    int rc;

    put_le16(raw, (uint16_t)len);
    put_le16(raw + 2, (uint16_t)out->state.previous);
    raw[4] = (uint8_t)flags;
    out->state.previous = len;
    rc = sink_put(&out->sink, raw, sizeof(raw), err);
    return rc ? rc : sink_put(&out->sink, data, len, err);
}

static int put_chunks(struct exporter *out, unsigned packing, const uint8_t *data, size_t len,
                      struct error *err)
{
    unsigned flags = packing | FLAG_BEGIN;
    int rc = 0;

    for (size_t at = 0; at < len && !rc; flags = packing) {
        size_t part = len - at < CHUNK_MAX ? len - at : CHUNK_MAX;

        if (at + part == len)
            flags |= FLAG_END;
        rc = put_chunk(out, flags, data + at, (uint32_t)part, err);
        at += part;
    }
    return rc;
}

static int aws_block(struct exporter *out, uint32_t partition, const uint8_t *data, uint32_t len,
                     struct error *err)
{
    (void)partition;
    return put_chunks(out, 0, data, len, err);
}

/* As Hercules does: a block that does not get smaller stays as it is. */
static int het_block(struct exporter *out, uint32_t partition, const uint8_t *data, uint32_t len,
                     struct error *err)
{
    uLongf packed = PACKED_MAX;
    int rc = packed_room(&out->state, err);

    (void)partition;
    if (rc)
        return rc;
    if (compress2(out->state.packed, &packed, data, len, Z_DEFAULT_COMPRESSION) != Z_OK)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for zlib");
    return packed < len ? put_chunks(out, FLAG_ZLIB, out->state.packed, packed, err)
                        : put_chunks(out, 0, data, len, err);
}

static int aws_filemarks(struct exporter *out, uint32_t partition, uint32_t count,
                         struct error *err)
{
    int rc = 0;

    (void)partition;
    for (uint32_t i = 0; i < count && !rc; i++)
        rc = put_chunk(out, FLAG_MARK, NULL, 0, err);
    return rc;
}

const struct interchange_format format_aws = {
    .name = "aws",
    .next = aws_next,
    .block = aws_block,
    .filemarks = aws_filemarks,
};

const struct interchange_format format_het = {
    .name = "het",
    .detect = detect,
    .next = aws_next,
    .block = het_block,
    .filemarks = aws_filemarks,
};
