/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read.c - reading blocks.
 *
 * Blocks come out of a read-ahead buffer that takes whole records, as many as a processor's cache
 * has room for beside the caller's: it is filled between two commands (cartridge_read_ahead()),
 * while the host is busy with the last block.  Very large ones go from the store straight into the
 * caller's buffer, behind one small read of their header.  Nothing is handed out before its header
 * and its payload were checked.
 */
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "vtl/cartridge/codec.h"
#include "vtl/cartridge/internal.h"

#define AHEAD_SIZE (512u * 1024) /* records that are longer are read without read-ahead */

/* Point *out at the record of o, in the read-ahead buffer; NULL if it is not there.  Records behind
 * one another are of one length, as a rule: only whole ones are read. */
static int ahead_get(struct cartridge *c, const struct object *o, const uint8_t **out,
                     struct error *err)
{
    size_t len = RECORD_HEADER_SIZE + (size_t)o->stored, extent = record_extent(o->stored);
    size_t want = extent > AHEAD_SIZE ? extent : AHEAD_SIZE / extent * extent;
    const struct segment *seg = o->segment;
    struct read_ahead *a = &c->ahead;
    uint64_t offset = o->offset;

    *out = NULL;
    if (a->seq != seg->seq || offset < a->offset ||
        !range_inside(offset - a->offset, len, a->len)) {
        int rc;

        if (want > a->room) {
            uint8_t *buf = realloc(a->buf, want);

            if (!buf)
                return error_set(err, ERR_NO_MEMORY, "no memory to read ahead");
            a->buf = buf;
            a->room = want;
        }
        a->seq = a->checked = 0;
        rc = segment_read(c, seg, offset, a->buf, want, &a->len, err);
        if (rc)
            return rc;
        a->seq = seg->seq;
        a->offset = offset;
    }
    if (range_inside(offset - a->offset, len, a->len))
        *out = a->buf + (offset - a->offset);
    return 0;
}

static int damaged(const struct cartridge *c, uint64_t lba, const char *what, struct error *err)
{
    return error_set(err, ERR_CORRUPT, "cartridge %s, block %llu: %s", c->identity.barcode,
                     (unsigned long long)lba, what);
}

/* Does the header at o's offset say what the index says? */
static bool header_holds(const struct object *o, const uint8_t *raw, struct record *r)
{
    return record_decode(raw, r) && (r->type == RECORD_DATA || r->type == RECORD_RUN) &&
           r->epoch == o->segment->epoch && r->partition == o->segment->partition &&
           r->lba == o->first_lba && r->count == o->count && r->stored == o->stored;
}

static bool is_plain(const struct record *r)
{
    return r->compression == CARTRIDGE_PLAIN && r->encryption == 0;
}

/* What was read of a block. */
struct loaded {
    struct record header;
    const uint8_t *stored; /* its bytes: in the caller's buffer or in that for reading ahead */
};

/* The stored bytes of o, straight into buf, which has room for them.  in->stored stays NULL if they
 * would be of no use there: the host wants them plain, and they are not. */
static int load_direct(struct cartridge *c, const struct object *o, uint64_t lba, void *buf,
                       bool plain, struct loaded *in, struct error *err)
{
    uint8_t raw[RECORD_HEADER_SIZE];
    size_t got;
    int rc = segment_read(c, o->segment, o->offset, raw, sizeof(raw), &got, err);

    if (rc)
        return rc;
    if (got < sizeof(raw) || !header_holds(o, raw, &in->header))
        return damaged(c, lba, "its header is damaged", err);
    if (plain && !is_plain(&in->header))
        return 0;
    rc = segment_read(c, o->segment, o->offset + RECORD_HEADER_SIZE, buf, o->stored, &got, err);
    if (rc)
        return rc;
    if (got < o->stored || !check_payload(&in->header, buf))
        return damaged(c, lba, "its data is damaged", err);
    in->stored = buf;
    return 0;
}

static int load_ahead(struct cartridge *c, const struct object *o, uint64_t lba, struct loaded *in,
                      struct error *err)
{
    const uint8_t *raw;
    int rc = ahead_get(c, o, &raw, err);

    if (rc)
        return rc;
    if (!raw)
        return damaged(c, lba, "its segment ends before it", err);
    if (!header_holds(o, raw, &in->header))
        return damaged(c, lba, "its header is damaged", err);
    if (c->ahead.checked != o->offset && !check_payload(&in->header, raw + RECORD_HEADER_SIZE)) {
        c->ahead.seq = 0; /* whoever asks again wants it read again */
        return damaged(c, lba, "its data is damaged", err);
    }
    c->ahead.checked = o->offset;
    in->stored = raw + RECORD_HEADER_SIZE;
    return 0;
}

static int load(struct cartridge *c, const struct object *o, uint64_t lba, void *buf, size_t size,
                bool plain, struct loaded *in, struct error *err)
{
    int rc = 0;

    in->stored = NULL;
    if (record_extent(o->stored) > AHEAD_SIZE && o->stored <= size)
        rc = load_direct(c, o, lba, buf, plain, in, err);
    return rc || in->stored ? rc : load_ahead(c, o, lba, in, err);
}

void cartridge_read_ahead(struct cartridge *c)
{
    struct error ignored = ERROR_INIT;
    uint64_t lba = c->pos.at.lba;
    struct loaded in;
    struct object o;

    if (lba < map_end(cartridge_map(c), c->pos.partition).lba &&
        place_object(c, c->pos.partition, lba, &o, &ignored) == 0 && o.kind == OBJECT_BLOCK &&
        record_extent(o.stored) <= AHEAD_SIZE)
        (void)load_ahead(c, &o, lba, &in, &ignored);
}

static void step_over_block(struct cartridge *c, const struct object *o)
{
    c->pos.at.lba++;
    c->pos.at.used += o->stored;
}

/* Find the object at the position.  Anything but a block is stepped over and told. */
static int find_block(struct cartridge *c, struct object *o, struct error *err)
{
    uint64_t lba = c->pos.at.lba;
    int rc;

    c->lost = false;
    if (lba >= map_end(cartridge_map(c), c->pos.partition).lba)
        return error_set(err, ERR_END_OF_DATA, "end of data at block %llu",
                         (unsigned long long)lba);
    scrub_look(c);
    rc = place_object(c, c->pos.partition, lba, o, err);
    if (rc == 0 && o->kind == OBJECT_BLOCK && c->scrub.bad_count &&
        scrub_is_bad(&c->scrub, o->segment, lba)) {
        step_over_block(c, o);
        return damaged(c, lba, "it is in quarantine: a scrub found it damaged", err);
    }
    if (rc || o->kind == OBJECT_BLOCK)
        return rc;
    if (o->kind == OBJECT_FILEMARK) {
        c->pos.at.lba++;
        c->pos.at.file++;
        c->pos.at.used += CARTRIDGE_FILEMARK_COST;
        return error_set(err, ERR_FILEMARK, "filemark at block %llu", (unsigned long long)lba);
    }
    rc = place_of(c, c->pos.partition, lba + 1, &c->pos.at, err);
    return rc ? rc : damaged(c, lba, o->damage ? o->damage : "its record is damaged", err);
}

static int too_long(uint64_t lba, uint32_t len, size_t size, struct error *err)
{
    return error_set(err, ERR_LENGTH, "block %llu has %u bytes, the buffer %zu",
                     (unsigned long long)lba, len, size);
}

/* ---- the block as the host wrote it ------------------------------------------------------------
 */

struct cartridge_block block_of(const struct record *r)
{
    return (struct cartridge_block){
        .length = r->length,
        .stored = r->stored,
        .compression = r->compression,
        .encryption = r->encryption,
        .protection = r->protection,
        .protection_crc = r->host_crc,
    };
}

/* Room for a plain block that is longer than the caller's buffer. */
static void *plain_room(struct cartridge *c, uint32_t len)
{
    if (len > c->plain_room) {
        free(c->plain);
        c->plain = malloc(len);
        c->plain_room = c->plain ? len : 0;
    }
    return c->plain;
}

/* Decompress what was loaded, and give out its first size bytes. */
static int give_decompressed(struct cartridge *c, const struct loaded *in, void *buf, size_t size,
                             struct error *err)
{
    struct cartridge_block block = block_of(&in->header);
    void *plain = size < block.length ? plain_room(c, block.length) : buf;
    struct error why = ERROR_INIT;
    int rc;

    if (!c->codec)
        c->codec = codec_new(err);
    if (!c->codec)
        return -ERR_NO_MEMORY;
    if (!plain)
        return error_set(err, ERR_NO_MEMORY, "no memory for a block of %u bytes", block.length);
    rc = codec_decode(c->codec, NULL, &block, in->stored, plain, &why);
    if (rc == -ERR_CORRUPT)
        return damaged(c, c->pos.at.lba, why.message, err);
    if (rc)
        return error_set(err, why.code, "%s", why.message);
    if (plain != buf && size > 0)
        memcpy(buf, plain, size);
    return 0;
}

/* Give out the first size bytes of what was loaded, as the host wrote it. */
static int give_plain(struct cartridge *c, const struct loaded *in, void *buf, size_t size,
                      struct error *err)
{
    if (!is_plain(&in->header))
        return give_decompressed(c, in, buf, size, err);
    if (in->stored != buf && size > 0)
        memcpy(buf, in->stored, size < in->header.length ? size : in->header.length);
    return 0;
}

int cartridge_read(struct cartridge *c, void *buf, size_t size, uint32_t *len, struct error *err)
{
    uint64_t lba = c->pos.at.lba;
    struct object o;
    struct loaded in;
    int rc;

    *len = 0;
    rc = find_block(c, &o, err);
    if (rc)
        return rc;
    rc = load(c, &o, lba, buf, size, true, &in, err);
    if (rc == 0 && in.header.encryption) {
        *len = in.header.length;
        return error_set(err, ERR_ENCRYPTED, "cartridge %s, block %llu: it is encrypted",
                         c->identity.barcode, (unsigned long long)lba);
    }
    if (rc == 0)
        rc = give_plain(c, &in, buf, size, err);
    if (rc == 0 || rc == -ERR_CORRUPT)
        step_over_block(c, &o);
    if (rc)
        return rc;
    *len = in.header.length;
    return *len > size ? too_long(lba, *len, size, err) : 0;
}

/* ---- the block as it is stored -----------------------------------------------------------------
 */

int cartridge_read_block(struct cartridge *c, void *stored, size_t size,
                         struct cartridge_block *block, struct error *err)
{
    uint64_t lba = c->pos.at.lba;
    struct object o;
    struct loaded in;
    int rc;

    memset(block, 0, sizeof(*block));
    rc = find_block(c, &o, err);
    if (rc)
        return rc;
    rc = load(c, &o, lba, stored, size, false, &in, err);
    if (rc == 0 || rc == -ERR_CORRUPT)
        step_over_block(c, &o);
    if (rc)
        return rc;
    *block = block_of(&in.header);
    if (in.stored != stored && size > 0)
        memcpy(stored, in.stored, size < o.stored ? size : o.stored);
    return o.stored > size ? too_long(lba, o.stored, size, err) : 0;
}
