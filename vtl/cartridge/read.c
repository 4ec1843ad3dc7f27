/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read.c - reading blocks.
 *
 * Large blocks go from the store straight into the caller's buffer, behind one small read of their
 * header; small ones come out of a read-ahead buffer.  Nothing is handed out before its header and
 * its payload were checked.
 */
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "vtl/cartridge/internal.h"

#define DIRECT_SIZE (256u * 1024) /* blocks from here on are read without read-ahead */
#define AHEAD_SIZE  (1u << 20)

/* Point *out at len bytes of seg at offset, in the read-ahead buffer; NULL if they are not there.
 */
static int ahead_get(struct cartridge *c, const struct segment *seg, uint64_t offset, size_t len,
                     const uint8_t **out, struct error *err)
{
    struct read_ahead *a = &c->ahead;
    size_t want = len > AHEAD_SIZE ? len : AHEAD_SIZE;

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
        a->seq = 0;
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
           r->lba == o->first_lba && r->count == o->count && r->length == o->length;
}

/* The payload of o, straight into buf, which has room for it. */
static int read_direct(struct cartridge *c, const struct object *o, uint64_t lba, void *buf,
                       struct error *err)
{
    uint8_t raw[RECORD_HEADER_SIZE];
    struct record r;
    size_t got;
    int rc = segment_read(c, o->segment, o->offset, raw, sizeof(raw), &got, err);

    if (rc)
        return rc;
    if (got < sizeof(raw) || !header_holds(o, raw, &r))
        return damaged(c, lba, "its header is damaged", err);
    rc = segment_read(c, o->segment, o->offset + RECORD_HEADER_SIZE, buf, r.stored, &got, err);
    if (rc)
        return rc;
    if (got < r.stored || !check_payload(&r, buf))
        return damaged(c, lba, "its data is damaged", err);
    return 0;
}

/* The first size bytes of the payload of o, by way of the read-ahead buffer. */
static int read_ahead(struct cartridge *c, const struct object *o, uint64_t lba, void *buf,
                      size_t size, struct error *err)
{
    const uint8_t *raw;
    struct record r;
    int rc = ahead_get(c, o->segment, o->offset, RECORD_HEADER_SIZE + (size_t)o->length, &raw, err);

    if (rc)
        return rc;
    if (!raw)
        return damaged(c, lba, "its segment ends before it", err);
    if (!header_holds(o, raw, &r))
        return damaged(c, lba, "its header is damaged", err);
    if (!check_payload(&r, raw + RECORD_HEADER_SIZE))
        return damaged(c, lba, "its data is damaged", err);
    if (size > 0)
        memcpy(buf, raw + RECORD_HEADER_SIZE, size < r.stored ? size : r.stored);
    return 0;
}

static int read_block(struct cartridge *c, const struct object *o, void *buf, size_t size,
                      uint32_t *len, struct error *err)
{
    uint64_t lba = c->pos.at.lba;
    bool direct = o->length >= DIRECT_SIZE && o->length <= size;
    int rc = direct ? read_direct(c, o, lba, buf, err) : read_ahead(c, o, lba, buf, size, err);

    if (rc && rc != -ERR_CORRUPT)
        return rc;
    c->pos.at.lba++;
    c->pos.at.used += o->length;
    if (rc)
        return rc;
    *len = o->length;
    if (o->length > size)
        return error_set(err, ERR_LENGTH, "block %llu has %u bytes, the buffer %zu",
                         (unsigned long long)lba, o->length, size);
    return 0;
}

int cartridge_read(struct cartridge *c, void *buf, size_t size, uint32_t *len, struct error *err)
{
    uint64_t lba = c->pos.at.lba;
    struct object o;
    int rc;

    *len = 0;
    c->lost = false;
    if (lba >= map_end(cartridge_map(c), c->pos.partition).lba)
        return error_set(err, ERR_END_OF_DATA, "end of data at block %llu",
                         (unsigned long long)lba);
    rc = place_object(c, c->pos.partition, lba, &o, err);
    if (rc)
        return rc;
    if (o.kind == OBJECT_BLOCK)
        return read_block(c, &o, buf, size, len, err);
    if (o.kind == OBJECT_FILEMARK) {
        c->pos.at.lba++;
        c->pos.at.file++;
        c->pos.at.used += CARTRIDGE_FILEMARK_COST;
        return error_set(err, ERR_FILEMARK, "filemark at block %llu", (unsigned long long)lba);
    }
    rc = place_of(c, c->pos.partition, lba + 1, &c->pos.at, err);
    return rc ? rc : damaged(c, lba, o.damage ? o.damage : "its record is damaged", err);
}
