/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer.c - the open segment; the states are drawn in internal.h.
 *
 * buf holds the bytes of the segment from `base` on, and base moves only when a sync succeeded.
 * So whatever the store does with a failed append or sync, the data is still here, and the rescue
 * writes it to a fresh segment, with a new epoch, as if the old one had ended at base.  A sync that
 * failed is never asked again: the kernel may have thrown the dirty pages away and report success.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "vtl/cartridge/internal.h"

#define PUSH_SIZE    (1u << 20)  /* bytes worth a write of their own, at most */
#define WINDOW_SIZE  (32u << 20) /* bytes without a sync, at most (and one block) */
#define WINDOW_PARTS 8           /* ... of a segment */
#define WINDOW_LEAST 4096u

static uint64_t writer_offset(const struct writer *w)
{
    return w->base + w->len;
}

/* Small segments have small windows: tests with some of 16 KiB go all the ways of 256 MiB. */
static size_t window_size(const struct cartridge *c)
{
    uint32_t part = c->identity.segment_size / WINDOW_PARTS;

    return part > WINDOW_SIZE ? WINDOW_SIZE : part < WINDOW_LEAST ? WINDOW_LEAST : part;
}

static size_t push_size(const struct cartridge *c)
{
    size_t part = window_size(c) / WINDOW_PARTS;

    return part < PUSH_SIZE ? part : PUSH_SIZE;
}

void writer_free(struct writer *w)
{
    free(w->buf);
    index_free(&w->index);
    memset(w, 0, sizeof(*w));
}

static int writer_reserve(struct writer *w, uint64_t extra, struct error *err)
{
    uint64_t want = w->len + extra;
    size_t room = w->room ? w->room : 4096;
    uint8_t *buf;

    if (want <= w->room)
        return 0;
    while (room < want)
        room *= 2;
    buf = realloc(w->buf, room);
    if (!buf)
        return error_set(err, ERR_NO_MEMORY, "no memory to buffer what is written");
    w->buf = buf;
    w->room = room;
    return 0;
}

static struct segment *writer_segment(struct cartridge *c, const struct writer *w)
{
    return map_last(cartridge_map(c), w->partition);
}

/* ---- records --------------------------------------------------------------------------------- */

int writer_append(struct cartridge *c, struct writer *w, const struct record *what,
                  const void *data, struct error *err)
{
    struct segment *seg = writer_segment(c, w);
    uint32_t len = what->stored;
    uint64_t offset = writer_offset(w), extent = record_extent(len);
    uint64_t files = what->type == RECORD_FILEMARK ? what->count : 0;
    struct record r = *what;
    int rc = writer_reserve(w, extent, err);

    r.partition = (uint8_t)w->partition;
    r.epoch = w->epoch;
    r.lba = seg->end.lba;
    r.file = seg->end.file;
    r.back = (uint32_t)((offset - w->header) / RECORD_ALIGN);
    r.payload_crc = len ? crc32c(data, len) : 0;
    r.chain = w->chain;
    if (rc == 0 && r.count > 0)
        rc = index_add(&w->index, offset, r.count, record_cost(&r), files, offset + extent, err);
    if (rc)
        return rc;
    record_encode(&r, w->buf + w->len);
    if (len)
        memcpy(w->buf + w->len + RECORD_HEADER_SIZE, data, len);
    memset(w->buf + w->len + RECORD_HEADER_SIZE + len, 0, extent - RECORD_HEADER_SIZE - len);
    w->chain = record_chain(w->buf + w->len, RECORD_HEADER_SIZE, w->epoch);
    w->header = offset;
    w->len += extent;
    w->pending = r.type != RECORD_COMMIT && r.type != RECORD_END;
    seg->end.lba += r.count;
    seg->end.file += files;
    seg->end.used += record_cost(&r);
    return 0;
}

int writer_begin(struct cartridge *c, uint32_t partition, struct error *err)
{
    struct writer *w = &c->writer[partition];
    struct segment_header h = {.partition = partition};
    struct segment seg = {.partition = partition};
    int rc = store_random(c->store, &h.epoch, sizeof(h.epoch), err);

    if (rc == 0)
        rc = writer_reserve(w, SEGMENT_HEADER_SIZE, err);
    if (rc)
        return rc;
    seg.seq = h.seq = c->super.next_seq;
    seg.epoch = h.epoch;
    seg.first = seg.end = map_end(cartridge_map(c), partition);
    rc = segment_list_add(&cartridge_map(c)->partition[partition], &seg, err);
    if (rc)
        return rc;
    c->super.next_seq++;
    memcpy(h.uuid, c->identity.family, sizeof(h.uuid));
    h.first_lba = seg.first.lba;
    h.first_file = seg.first.file;
    h.first_used = seg.first.used;
    h.created_ns = store_now(c->store);
    segment_header_encode(&h, w->buf);
    index_start(&w->index, h.seq, h.first_lba);
    w->chain = record_chain(w->buf, SEGMENT_HEADER_SIZE, h.epoch);
    w->len = SEGMENT_HEADER_SIZE;
    w->base = w->header = w->end_offset = 0;
    w->flushed = w->stored = 0;
    w->partition = partition;
    w->seq = h.seq;
    w->epoch = h.epoch;
    w->synced = seg.first;
    w->open = true;
    w->published = w->pending = false;
    c->dirty = true;
    return 0;
}

void writer_drop_empty(struct cartridge *c, struct writer *w)
{
    if (!w->open || w->flushed > 0 || w->base > 0 || w->index.count > 0)
        return;
    w->open = false;
    w->len = 0;
    cartridge_map(c)->partition[w->partition].count--;
}

/* ---- to the store ---------------------------------------------------------------------------- */

static int writer_flush(struct cartridge *c, struct writer *w, struct error *err)
{
    struct iovec iov = {w->buf + w->flushed, w->len - w->flushed};
    char name[STORE_NAME_MAX + 1];
    int rc;

    if (iov.iov_len == 0)
        return 0;
    segment_name(w->seq, name);
    rc = store_append(c->store, name, w->base + w->flushed, &iov, 1, err);
    if (rc)
        return rc;
    w->flushed = w->len;
    room_ask(c);
    return 0;
}

/* One COMMIT, one sync. */
static int writer_store(struct cartridge *c, struct writer *w, struct error *err)
{
    char name[STORE_NAME_MAX + 1];
    int rc = 0;

    if (w->pending)
        rc = writer_append(c, w, &(struct record){.type = RECORD_COMMIT}, NULL, err);
    if (rc == 0)
        rc = writer_flush(c, w, err);
    if (rc)
        return rc;
    segment_name(w->seq, name);
    rc = store_sync(c->store, name, err);
    if (rc == 0)
        w->stored = w->len;
    return rc;
}

/* What is stored is named, too: the buffer need not hold it any more. */
static void writer_release(struct cartridge *c, struct writer *w)
{
    w->published = true;
    w->base += w->len;
    w->len = w->flushed = w->stored = 0;
    w->synced = writer_segment(c, w)->end;
}

int writer_commit(struct cartridge *c, struct writer *w, struct error *err)
{
    int rc = writer_store(c, w, err);

    if (rc == 0 && !w->published)
        rc = super_publish(c, err);
    if (rc == 0)
        writer_release(c, w);
    return rc;
}

/* ---- when it fails --------------------------------------------------------------------------- */

/* Give back to the store what the segment has behind `base`, which no sync has covered: a full
 * store stays full otherwise.  It is only room: a failure leaves it until the next open. */
static void writer_give_back(struct cartridge *c, struct writer *w)
{
    char name[STORE_NAME_MAX + 1];

    segment_name(w->seq, name);
    if (w->base > 0)
        (void)store_truncate(c->store, name, w->base, NULL);
    else if (c->super.generation == c->super.published) /* surely no superblock names it */
        (void)store_delete(c->store, name, NULL);
}

/* Let the segment end at what is durable of it, and close it.  The buffer is left as it is. */
static void writer_cut(struct cartridge *c, struct writer *w)
{
    struct segment *seg = writer_segment(c, w);

    w->open = false;
    c->dirty = true;
    writer_give_back(c, w);
    if (w->base == 0) {
        cartridge_map(c)->partition[w->partition].count--;
        return;
    }
    seg->end = w->synced;
    seg->records_end = w->base;
    seg->sealed = false;
}

/* Append again what was in the buffer of the segment given up: old[0..len). */
static int writer_repeat(struct cartridge *c, struct writer *w, const uint8_t *old, size_t len,
                         struct error *err)
{
    struct record r;
    int rc = 0;

    for (size_t at = 0; rc == 0 && at < len; at += record_extent(r.stored)) {
        if (!record_decode(old + at, &r))
            return error_set(err, ERR_INTERNAL, "the writer's buffer is damaged");
        if (r.count > 0)
            rc = writer_append(c, w, &r, old + at + RECORD_HEADER_SIZE, err);
    }
    return rc;
}

/* Store what w owes in a fresh segment. */
static int writer_rescue(struct cartridge *c, struct writer *w, int reason, struct error *err)
{
    size_t skip = w->base == 0 ? SEGMENT_HEADER_SIZE : 0;
    size_t len = w->len;
    bool owes = writer_segment(c, w)->end.lba > w->synced.lba;
    uint8_t *old = w->buf;
    int rc;

    w->len = w->flushed = w->stored = 0;
    writer_cut(c, w);
    if (!owes) /* only a seal failed; without it the segment is as good */
        return 0;
    w->buf = NULL;
    w->room = 0;
    if (reason == -ERR_NO_SPACE)
        super_drop_limbo(c);
    rc = writer_begin(c, w->partition, err);
    if (rc == 0)
        rc = writer_repeat(c, w, old + skip, len - skip, err);
    if (rc == 0)
        rc = writer_store(c, w, err);
    free(old);
    return rc;
}

/* The data since the last good sync is gone: put the end of data back there. */
static int writer_abandon(struct cartridge *c, struct writer *w, int reason,
                          const struct error *why, struct error *err)
{
    size_t from = w->base == 0 ? SEGMENT_HEADER_SIZE : 0;
    struct place end;

    if (w->open)
        writer_cut(c, w);
    end = map_end(cartridge_map(c), w->partition);
    recover_keep(c, w, from, end.lba);
    w->len = w->flushed = w->stored = 0;
    c->lost = true;
    c->lost_partition = w->partition;
    if (c->pos.partition == w->partition && c->pos.at.lba > end.lba)
        c->pos.at = end;
    if (reason != -ERR_NO_SPACE)
        reason = -ERR_IO;
    return error_set(err, (enum error_code) - reason,
                     "cartridge %s: the data from block %llu on could not be stored and is lost: "
                     "%.300s",
                     c->identity.barcode, (unsigned long long)end.lba, why->message);
}

/* ---- settling -------------------------------------------------------------------------------- */

/* The store said `reason` to what w has (0: it is stored): save it if it must be. */
static int writer_save(struct cartridge *c, struct writer *w, int reason, const struct error *why,
                       struct error *err)
{
    struct error again = ERROR_INIT;

    if (reason == 0)
        return 0;
    log_warning("cartridge %s: %s; writing the data again to a new segment", c->identity.barcode,
                why->message);
    if (writer_rescue(c, w, reason, &again) == 0)
        return 0;
    return writer_abandon(c, w, reason, why, err);
}

/* Publish the segments that were stored for the first time.  A second try, with what limbo had of
 * the room, is all that can be done: if it fails they are lost. */
static int publish_fresh(struct cartridge *c, struct error *err)
{
    struct error why = ERROR_INIT;
    int reason = super_publish(c, &why), rc = 0;

    if (reason) {
        log_warning("cartridge %s: %s; trying again", c->identity.barcode, why.message);
        if (reason == -ERR_NO_SPACE)
            super_drop_limbo(c);
        reason = super_publish(c, &why);
    }
    for (uint32_t p = 0; reason && p < CARTRIDGE_PARTITIONS; p++)
        if (c->writer[p].open && !c->writer[p].published)
            rc = writer_abandon(c, &c->writer[p], reason, &why, err);
    return rc;
}

/* As writer_settle(), where the store has already refused something of bad (NULL: nothing). */
static int settle(struct cartridge *c, struct writer *bad, int reason, const struct error *why,
                  struct error *err)
{
    bool fresh = false;
    int first = 0, rc;

    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++) {
        struct writer *w = &c->writer[p];
        struct error mine = ERROR_INIT;

        if (!w->open || (w->len == 0 && w != bad))
            continue;
        rc = w == bad ? writer_save(c, w, reason, why, first ? NULL : err)
                      : writer_save(c, w, writer_store(c, w, &mine), &mine, first ? NULL : err);
        first = first ? first : rc;
        fresh = fresh || (w->open && !w->published);
    }
    rc = fresh ? publish_fresh(c, first ? NULL : err) : 0;
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        if (c->writer[p].open && c->writer[p].len > 0)
            writer_release(c, &c->writer[p]);
    return first ? first : rc;
}

int writer_settle(struct cartridge *c, struct error *err)
{
    return settle(c, NULL, 0, NULL, err);
}

bool writer_others_owe(const struct cartridge *c, uint32_t partition)
{
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        if (p != partition && c->writer[p].open && c->writer[p].len > 0)
            return true;
    return false;
}

/* ---- the end of a segment -------------------------------------------------------------------- */

static int writer_append_end(struct cartridge *c, struct writer *w, struct error *err)
{
    size_t count = w->index.count, len = (count + 1) * INDEX_ENTRY_SIZE;
    struct record end = {.type = RECORD_END, .stored = (uint32_t)len};
    uint8_t *raw = malloc(len);
    int rc = 0;

    if (!raw)
        return error_set(err, ERR_NO_MEMORY, "no memory for the index of a segment");
    if (w->pending)
        rc = writer_append(c, w, &(struct record){.type = RECORD_COMMIT}, NULL, err);
    for (size_t i = 0; i < count; i++)
        index_entry_encode(&w->index.entries[i], raw + i * INDEX_ENTRY_SIZE);
    index_entry_encode(&w->index.end, raw + count * INDEX_ENTRY_SIZE);
    if (rc == 0) {
        w->end_offset = writer_offset(w);
        rc = writer_append(c, w, &end, raw, err);
    }
    free(raw);
    return rc;
}

int writer_end(struct cartridge *c, struct writer *w, struct error *err)
{
    struct segment *seg;
    int rc;

    /* Without its END record a segment is as good, only slower to open. */
    if (w->open && writer_append_end(c, w, NULL) != 0)
        w->end_offset = 0;
    rc = writer_settle(c, err);
    if (!w->open) /* it was not, or the seal failed */
        return rc;
    /* If another partition lost something, this one is sealed all the same. */
    seg = writer_segment(c, w);
    seg->sealed = w->end_offset != 0;
    seg->records_end = w->end_offset ? w->end_offset : w->base;
    index_cache_put(&c->cache, &w->index);
    w->open = false;
    c->dirty = true;
    return rc;
}

int writer_end_all(struct cartridge *c, struct error *err)
{
    int rc = 0;

    for (uint32_t p = 0; rc == 0 && p < CARTRIDGE_PARTITIONS; p++)
        rc = writer_end(c, &c->writer[p], err);
    return rc;
}

int writer_push(struct cartridge *c, struct writer *w, struct error *err)
{
    struct error why = ERROR_INIT;
    int rc;

    if (writer_offset(w) >= c->identity.segment_size || w->index.count >= SEGMENT_RECORDS_MAX ||
        w->index.end.files >= UINT32_MAX / 2)
        return writer_end(c, w, err);
    if (w->len >= window_size(c))
        return writer_settle(c, err);
    if (w->len - w->flushed < push_size(c))
        return 0;
    rc = writer_flush(c, w, &why);
    return rc ? settle(c, w, rc, &why, err) : 0;
}
