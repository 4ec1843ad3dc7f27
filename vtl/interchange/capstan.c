/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capstan.c - our own stream: a whole cartridge, checked, through a pipe (doc/interchange.md).
 *
 *     header (512) | record | record | ... | END record
 *
 * A record is a header of 32 bytes and its payload.  Headers and payloads have a CRC32C each, so
 * that damage is told where it is; the END record has the counts and the SHA-256 of everything
 * before it, so that a stream that was put together wrongly is not taken for a whole one.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "vtl/interchange/internal.h"

#define STREAM_MAGIC   "CAPTAPE\n"
#define STREAM_VERSION 1
#define STREAM_DIVIDED 2 /* version of one that tells how the medium is divided */
#define STREAM_STORED  3 /* ... that may have blocks in their stored form */
#define STREAM_NEWEST  STREAM_STORED
#define HEADER_SIZE    512

#define FLAG_WORM      1u
#define FLAG_PROTECTED 2u

#define RECORD_MAGIC 0x5ca7u
#define RECORD_SIZE  32
#define END_SIZE     (24 + DIGEST_SIZE)

#define ATTRIBUTE_MAX 65535u

enum type { TYPE_BLOCK = 1, TYPE_FILEMARKS = 2, TYPE_ATTRIBUTE = 3, TYPE_END = 4, TYPE_STORED = 5 };

#define STORED_HEAD 8u /* of a TYPE_STORED payload: length of the block, CRC of the host */

struct record {
    uint8_t type, partition;
    uint32_t len;   /* of the payload */
    uint32_t value; /* filemarks: how many; attribute: which; stored: flags */
    uint64_t lba;   /* block, filemarks: address of the (first) object */
    uint32_t payload_crc;
};

/* ---- header ------------------------------------------------------------------------------ */

static void header_encode(const struct cartridge_identity *id, bool protect,
                          uint8_t out[HEADER_SIZE])
{
    memset(out, 0, HEADER_SIZE);
    memcpy(out, STREAM_MAGIC, 8);
    put_le32(out + 8, STREAM_VERSION);
    put_le32(out + 12, HEADER_SIZE);
    memcpy(out + 16, id->uuid, 16);
    memcpy(out + 32, id->barcode, strnlen(id->barcode, CARTRIDGE_BARCODE_MAX));
    out[64] = id->density;
    out[65] = (uint8_t)((id->worm ? FLAG_WORM : 0) | (protect ? FLAG_PROTECTED : 0));
    put_le32(out + 68, id->segment_size);
    put_le64(out + 72, id->capacity);
    put_le64(out + 80, id->early_warning);
    put_le64(out + 88, (uint64_t)id->created_ns);
    put_le64(out + 96, id->limbo_bytes);
    put_le64(out + 104, (uint64_t)id->limbo_ns);
    put_le32(out + HEADER_SIZE - 4, crc32c(out, HEADER_SIZE - 4));
}

/* Only a tape that is divided, or has other than plain blocks, needs a newer program. */
static void features_encode(const struct cartridge *c, uint8_t out[HEADER_SIZE])
{
    unsigned count = cartridge_partition_count(c);
    bool stored = cartridge_has_stored_forms(c);

    if (count == 1 && cartridge_partition_capacity(c, 0) == cartridge_identity(c)->capacity)
        count = 0;
    if (count == 0 && !stored)
        return;
    put_le32(out + 8, stored ? STREAM_STORED : STREAM_DIVIDED);
    put_le32(out + 112, count);
    for (uint32_t p = 0; p < count; p++)
        put_le64(out + 120 + (size_t)p * 8, cartridge_partition_capacity(c, p));
    put_le32(out + HEADER_SIZE - 4, crc32c(out, HEADER_SIZE - 4));
}

/* Whether it is a possible one, cartridge_format() will say. */
static int division_decode(const uint8_t in[HEADER_SIZE], struct interchange_import *import,
                           struct error *err)
{
    import->partitions = get_le32(in + 8) >= STREAM_DIVIDED ? get_le32(in + 112) : 0;
    if (import->partitions > CARTRIDGE_PARTITIONS)
        return error_set(err, ERR_CORRUPT, "the stream tells of %u partitions", import->partitions);
    for (uint32_t p = 0; p < import->partitions; p++)
        import->capacities[p] = get_le64(in + 120 + (size_t)p * 8);
    return 0;
}

/* Whether the identity is a possible one, cartridge_create() will say. */
static void header_decode(const uint8_t in[HEADER_SIZE], struct cartridge_identity *id,
                          bool *protect)
{
    memset(id, 0, sizeof(*id));
    memcpy(id->uuid, in + 16, 16);
    memcpy(id->barcode, in + 32, CARTRIDGE_BARCODE_MAX);
    id->density = in[64];
    id->worm = in[65] & FLAG_WORM;
    *protect = in[65] & FLAG_PROTECTED;
    id->segment_size = get_le32(in + 68);
    id->capacity = get_le64(in + 72);
    id->early_warning = get_le64(in + 80);
    id->created_ns = (int64_t)get_le64(in + 88);
    id->limbo_bytes = get_le64(in + 96);
    id->limbo_ns = (int64_t)get_le64(in + 104);
}

static bool capstan_detect(const uint8_t *data, size_t len, bool all)
{
    (void)all;
    return len >= 8 && memcmp(data, STREAM_MAGIC, 8) == 0;
}

/* ---- records ----------------------------------------------------------------------------- */

static void record_encode(const struct record *r, uint8_t out[RECORD_SIZE])
{
    memset(out, 0, RECORD_SIZE);
    put_le16(out, RECORD_MAGIC);
    out[2] = r->type;
    out[3] = r->partition;
    put_le32(out + 4, r->len);
    put_le32(out + 8, r->value);
    put_le64(out + 12, r->lba);
    put_le32(out + 20, r->payload_crc);
    put_le32(out + 28, crc32c(out, 28));
}

static bool record_decode(const uint8_t in[RECORD_SIZE], struct record *r)
{
    *r = (struct record){.type = in[2],
                         .partition = in[3],
                         .len = get_le32(in + 4),
                         .value = get_le32(in + 8),
                         .lba = get_le64(in + 12),
                         .payload_crc = get_le32(in + 20)};
    return get_le16(in) == RECORD_MAGIC && get_le32(in + 24) == 0 &&
           get_le32(in + 28) == crc32c(in, 28);
}

/* Does the payload have a length that its kind of record can have? */
static bool record_sane(const struct record *r)
{
    switch (r->type) {
    case TYPE_BLOCK:
        return r->len > 0 && r->len <= CARTRIDGE_BLOCK_MAX && r->value == 0;
    case TYPE_STORED:
        return r->len > STORED_HEAD && r->len <= CARTRIDGE_STORED_MAX + STORED_HEAD &&
               r->value > 0 && r->value < 32;
    case TYPE_FILEMARKS:
        return r->len == 0 && r->value > 0;
    case TYPE_ATTRIBUTE:
        return r->len <= ATTRIBUTE_MAX && r->value <= UINT16_MAX;
    case TYPE_END:
        return r->len == END_SIZE;
    default:
        return false;
    }
}

/* ---- import ------------------------------------------------------------------------------ */

static int capstan_begin(struct interchange_import *in, struct error *err)
{
    uint8_t raw[HEADER_SIZE];
    int rc = digest_start(&in->source.digest, err);

    if (!rc)
        rc = source_exact(&in->source, raw, sizeof(raw), "its header", err);
    if (rc)
        return rc;
    if (memcmp(raw, STREAM_MAGIC, 8) != 0)
        return error_set(err, ERR_FORMAT, "the stream is not one of Capstan's");
    if (get_le32(raw + 8) < STREAM_VERSION || get_le32(raw + 8) > STREAM_NEWEST ||
        get_le32(raw + 12) != HEADER_SIZE)
        return error_set(err, ERR_FORMAT,
                         "the stream has format version %u; this program knows up to version %u, "
                         "use a newer one",
                         get_le32(raw + 8), STREAM_NEWEST);
    if (get_le32(raw + HEADER_SIZE - 4) != crc32c(raw, HEADER_SIZE - 4))
        return error_set(err, ERR_CORRUPT, "the header of the stream is damaged");
    header_decode(raw, &in->identity, &in->protect);
    in->has_identity = true;
    return division_decode(raw, in, err);
}

/* Objects come in order, partition by partition. */
static int check_order(struct interchange_import *in, const struct record *r, uint64_t at,
                       struct error *err)
{
    struct format_state *s = &in->state;

    if (r->partition > s->partition && r->partition < CARTRIDGE_PARTITIONS) {
        s->partition = r->partition;
        s->lba = 0;
    }
    if (r->partition != s->partition || r->lba != s->lba)
        return error_set(err, ERR_CORRUPT,
                         "the record at byte %llu of the stream is out of order: partition %u, "
                         "address %llu where partition %u, address %llu is due",
                         (unsigned long long)at, r->partition, (unsigned long long)r->lba,
                         s->partition, (unsigned long long)s->lba);
    s->lba += r->type == TYPE_FILEMARKS ? r->value : 1;
    s->blocks += r->type != TYPE_FILEMARKS;
    s->filemarks += r->type == TYPE_FILEMARKS ? r->value : 0;
    s->bytes += r->len;
    return 0;
}

static int read_end(struct interchange_import *in, const struct record *r,
                    const uint8_t digest[DIGEST_SIZE], struct error *err)
{
    const struct format_state *s = &in->state;
    uint8_t raw[END_SIZE], more;
    size_t got;
    int rc = source_exact(&in->source, raw, sizeof(raw), "its end record", err);

    if (rc)
        return rc;
    if (crc32c(raw, sizeof(raw)) != r->payload_crc)
        return error_set(err, ERR_CORRUPT, "the end record of the stream is damaged");
    if (get_le64(raw) != s->blocks || get_le64(raw + 8) != s->filemarks ||
        get_le64(raw + 16) != s->bytes)
        return error_set(err, ERR_CORRUPT,
                         "the stream says at its end that it has %llu blocks and %llu filemarks, "
                         "but it had %llu and %llu",
                         (unsigned long long)get_le64(raw), (unsigned long long)get_le64(raw + 8),
                         (unsigned long long)s->blocks, (unsigned long long)s->filemarks);
    if (memcmp(raw + 24, digest, DIGEST_SIZE) != 0)
        return error_set(err, ERR_CORRUPT, "the SHA-256 of the stream does not hold");
    rc = source_read(&in->source, &more, 1, &got, err);
    if (!rc && got)
        rc = error_set(err, ERR_CORRUPT, "something follows the end of the stream at byte %llu",
                       (unsigned long long)in->source.offset - 1);
    return rc;
}

static int read_payload(struct interchange_import *in, const struct record *r, uint64_t at,
                        struct error *err)
{
    int rc = source_exact(&in->source, in->block, r->len, "a record", err);

    if (!rc && crc32c(in->block, r->len) != r->payload_crc)
        rc = error_set(err, ERR_CORRUPT,
                       "the record at byte %llu of the stream is damaged: its checksum does not "
                       "hold",
                       (unsigned long long)at);
    return rc;
}

/* The flags are those of the records of a cartridge (doc/cartridge-format.md). */
static int stored_decode(const struct interchange_import *in, const struct record *r, uint64_t at,
                         struct item *item, struct error *err)
{
    struct cartridge_block *b = &item->stored;

    item->is_stored = true;
    item->skip = STORED_HEAD;
    item->len = r->len - STORED_HEAD;
    *b = (struct cartridge_block){.length = get_le32(in->block),
                                  .stored = item->len,
                                  .compression = r->value & 3,
                                  .encryption = r->value >> 2 & 1,
                                  .protection = (uint8_t)(r->value >> 3),
                                  .protection_crc = get_le32(in->block + 4)};
    if (b->length > 0 && b->length <= CARTRIDGE_BLOCK_MAX && b->compression <= CARTRIDGE_ZSTD &&
        b->protection <= 2)
        return 0;
    return error_set(err, ERR_CORRUPT,
                     "the record at byte %llu of the stream holds a block that is not possible",
                     (unsigned long long)at);
}

/* The digest ends before the END record: its value is needed before that header is consumed. */
static int next_record(struct interchange_import *in, struct record *r, uint8_t digest[DIGEST_SIZE],
                       struct error *err)
{
    struct source *s = &in->source;
    uint64_t at = s->offset;
    uint8_t raw[RECORD_SIZE];
    const uint8_t *seen;
    size_t have;
    int rc = source_peek(s, RECORD_SIZE, &seen, &have, err);

    if (!rc && have == RECORD_SIZE && record_decode(seen, r) && r->type == TYPE_END)
        rc = digest_finish(&s->digest, digest, err);
    if (!rc)
        rc = source_exact(s, raw, sizeof(raw), "a record, before its end record", err);
    if (!rc && (!record_decode(raw, r) || !record_sane(r)))
        rc = error_set(err, ERR_CORRUPT, "the record at byte %llu of the stream is damaged",
                       (unsigned long long)at);
    return rc;
}

static int capstan_next(struct interchange_import *in, struct item *item, struct error *err)
{
    static const enum item_kind kinds[] = {[TYPE_BLOCK] = ITEM_BLOCK,
                                           [TYPE_FILEMARKS] = ITEM_FILEMARKS,
                                           [TYPE_ATTRIBUTE] = ITEM_ATTRIBUTE,
                                           [TYPE_END] = ITEM_END,
                                           [TYPE_STORED] = ITEM_BLOCK};
    uint64_t at = in->source.offset;
    uint8_t digest[DIGEST_SIZE];
    struct record r;
    int rc = next_record(in, &r, digest, err);

    if (rc)
        return rc;
    *item = (struct item){.kind = kinds[r.type],
                          .partition = r.partition,
                          .len = r.len,
                          .count = r.value,
                          .attribute = (uint16_t)r.value};
    if (r.type == TYPE_END)
        return read_end(in, &r, digest, err);
    if (r.type != TYPE_ATTRIBUTE)
        rc = check_order(in, &r, at, err);
    if (!rc)
        rc = read_payload(in, &r, at, err);
    return rc || r.type != TYPE_STORED ? rc : stored_decode(in, &r, at, item, err);
}

/* ---- export ------------------------------------------------------------------------------ */

static int put_record(struct exporter *out, struct record *r, const void *payload,
                      struct error *err)
{
    uint8_t raw[RECORD_SIZE];
    int rc;

    r->payload_crc = crc32c(payload, r->len);
    record_encode(r, raw);
    rc = sink_put(&out->sink, raw, sizeof(raw), err);
    return rc ? rc : sink_put(&out->sink, payload, r->len, err);
}

static int put_attributes(struct exporter *out, uint32_t partition, struct error *err)
{
    int rc = 0;

    for (uint32_t id = 0; id <= UINT16_MAX && !rc; id++) {
        size_t len = ATTRIBUTE_MAX;
        struct record r = {.type = TYPE_ATTRIBUTE, .partition = (uint8_t)partition, .value = id};

        if (cartridge_attribute_get(out->cartridge, partition, (uint16_t)id, out->block, &len,
                                    NULL) != 0)
            continue;
        r.len = (uint32_t)len;
        rc = put_record(out, &r, out->block, err);
    }
    return rc;
}

static int capstan_start(struct exporter *out, struct error *err)
{
    uint8_t raw[HEADER_SIZE];
    int rc = digest_start(&out->sink.digest, err);

    header_encode(cartridge_identity(out->cartridge), cartridge_protected(out->cartridge), raw);
    features_encode(out->cartridge, raw);
    if (!rc)
        rc = sink_put(&out->sink, raw, sizeof(raw), err);
    for (uint32_t p = 0; p < cartridge_partition_count(out->cartridge) && !rc; p++)
        rc = put_attributes(out, p, err);
    return rc;
}

static int put_object(struct exporter *out, struct record *r, uint64_t objects, const void *payload,
                      struct error *err)
{
    struct format_state *s = &out->state;

    if (r->partition != s->partition)
        s->lba = 0;
    s->partition = r->partition;
    r->lba = s->lba;
    s->lba += objects;
    s->bytes += r->len;
    return put_record(out, r, payload, err);
}

static int capstan_block(struct exporter *out, uint32_t partition, const uint8_t *data,
                         uint32_t len, struct error *err)
{
    struct record r = {.type = TYPE_BLOCK, .partition = (uint8_t)partition, .len = len};

    return put_object(out, &r, 1, data, err);
}

static int capstan_stored(struct exporter *out, uint32_t partition,
                          const struct cartridge_block *block, const uint8_t *data,
                          struct error *err)
{
    struct record r = {
        .type = TYPE_STORED,
        .partition = (uint8_t)partition,
        .len = block->stored + STORED_HEAD,
        .value = (uint32_t)(block->compression | block->encryption << 2 | block->protection << 3)};
    uint8_t head[STORED_HEAD];

    put_le32(head, block->length);
    put_le32(head + 4, block->protection_crc);
    memmove(out->block + STORED_HEAD, data, block->stored); /* there is room: BLOCK_ROOM */
    memcpy(out->block, head, STORED_HEAD);
    return put_object(out, &r, 1, out->block, err);
}

static int capstan_filemarks(struct exporter *out, uint32_t partition, uint32_t count,
                             struct error *err)
{
    struct record r = {.type = TYPE_FILEMARKS, .partition = (uint8_t)partition, .value = count};

    return put_object(out, &r, count, "", err);
}

static int capstan_finish(struct exporter *out, struct error *err)
{
    struct record r = {.type = TYPE_END, .len = END_SIZE};
    uint8_t raw[END_SIZE];
    int rc = digest_finish(&out->sink.digest, raw + 24, err);

    put_le64(raw, out->report->blocks);
    put_le64(raw + 8, out->report->filemarks);
    put_le64(raw + 16, out->state.bytes);
    return rc ? rc : put_record(out, &r, raw, err);
}

const struct interchange_format format_capstan = {
    .name = "capstan",
    .partitions = true,
    .detect = capstan_detect,
    .begin = capstan_begin,
    .next = capstan_next,
    .start = capstan_start,
    .block = capstan_block,
    .stored = capstan_stored,
    .filemarks = capstan_filemarks,
    .finish = capstan_finish,
};
