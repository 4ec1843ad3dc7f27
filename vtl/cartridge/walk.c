/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.c - reading a segment record by record, from its header on.
 *
 * A walk believes a record only if its header's CRC holds, it carries the segment's epoch and the
 * chain value of the header before it, and its addresses go on where that one ended.  What follows
 * the first record that does not is not read: behind a crash it may be anything.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "common/cleanup.h"
#include "vtl/cartridge/internal.h"

#define WINDOW_SMALL 4096u         /* when the records are large: their headers only */
#define WINDOW_LARGE (256u * 1024) /* when they are small: many at a time */

/* A view on the bytes of a segment that moves along with the walk. */
struct window {
    uint8_t *buf;
    uint64_t offset;
    size_t len, want;
};

void segment_name(uint64_t seq, char out[STORE_NAME_MAX + 1])
{
    snprintf(out, STORE_NAME_MAX + 1, "seg-%016" PRIx64, seq);
}

/* Asked of each name in the store: there may be 100,000. */
bool segment_number(const char *name, uint64_t *seq)
{
    *seq = 0;
    if (strncmp(name, "seg-", 4) != 0)
        return false;
    for (int i = 4; i < 20; i++) {
        unsigned digit = name[i] >= '0' && name[i] <= '9'   ? (unsigned)(name[i] - '0')
                         : name[i] >= 'a' && name[i] <= 'f' ? (unsigned)(name[i] - 'a') + 10
                                                            : 16;

        if (digit > 15)
            return false;
        *seq = *seq << 4 | digit;
    }
    return name[20] == '\0' && *seq > 0 && *seq <= INT64_MAX;
}

int segment_read(struct cartridge *c, const struct segment *seg, uint64_t offset, void *buf,
                 size_t len, size_t *got, struct error *err)
{
    const struct writer *w = cartridge_writer_of(c, seg->seq);
    char name[STORE_NAME_MAX + 1];
    struct error why = ERROR_INIT;
    int rc;

    if (w && offset >= w->base) {
        uint64_t at = offset - w->base;

        *got = at >= w->len ? 0 : w->len - at < len ? w->len - (size_t)at : len;
        memcpy(buf, w->buf + (at < w->len ? at : 0), *got);
        return 0;
    }
    segment_name(seg->seq, name);
    rc = store_read(c->store, name, offset, buf, len, got, &why);
    if (rc == -ERR_NOT_FOUND || rc == -ERR_FORMAT) {
        *got = 0;
        return 0;
    }
    if (rc && err)
        *err = why;
    return rc == 0 && c->meter ? c->meter(c->meter_ctx, *got, err) : rc;
}

/* Point *out at len bytes at offset; NULL if the segment ends before. */
static int window_at(struct cartridge *c, const struct segment *seg, struct window *win,
                     uint64_t offset, size_t len, const uint8_t **out, struct error *err)
{
    *out = NULL;
    if (offset < win->offset || !range_inside(offset - win->offset, len, win->len)) {
        int rc;

        if (!win->buf && !(win->buf = malloc(WINDOW_LARGE)))
            return error_set(err, ERR_NO_MEMORY, "no memory to read a segment");
        win->offset = offset;
        win->len = 0;
        rc = segment_read(c, seg, offset, win->buf, win->want, &win->len, err);
        if (rc)
            return rc;
    }
    if (range_inside(offset - win->offset, len, win->len))
        *out = win->buf + (offset - win->offset);
    return 0;
}

static struct walk_mark walk_here(const struct walk *w)
{
    return (struct walk_mark){w->offset, w->index.count, w->place};
}

int walk_start(struct cartridge *c, const struct segment *seg, struct walk *w, struct error *err)
{
    uint8_t raw[SEGMENT_HEADER_SIZE];
    struct segment_header h;
    size_t got = 0;
    int rc;

    memset(w, 0, sizeof(*w));
    index_start(&w->index, seg->seq, seg->first.lba);
    w->epoch = seg->epoch;
    w->place = seg->first;
    w->offset = SEGMENT_HEADER_SIZE;
    rc = segment_read(c, seg, 0, raw, sizeof(raw), &got, err);
    if (rc)
        return rc;
    if (got == 0)
        w->index.damage = "its segment's object is missing, empty or no regular file";
    else if (got < sizeof(raw) || !segment_header_decode(raw, &h))
        w->index.damage = "the header of its segment is damaged";
    else if (memcmp(h.uuid, c->identity.family, sizeof(h.uuid)) != 0)
        w->index.damage = "its segment belongs to another cartridge";
    else if (h.seq != seg->seq || h.epoch != seg->epoch || h.partition != seg->partition ||
             h.first_lba != seg->first.lba || h.first_file != seg->first.file ||
             h.first_used != seg->first.used)
        w->index.damage = "its segment is another one than the map says";
    else
        w->chained = true;
    w->chain = record_chain(raw, sizeof(raw), seg->epoch);
    w->commit = w->durable = walk_here(w);
    return 0;
}

void walk_free(struct walk *w)
{
    index_free(&w->index);
    memset(w, 0, sizeof(*w));
}

void walk_cut(struct walk *w, const struct walk_mark *mark)
{
    w->offset = mark->offset;
    index_cut(&w->index, mark->records);
    w->place = mark->place;
}

/* Is r what a walk at w may meet next?  Not chained (behind damage), its address may lie ahead. */
static bool record_fits(const struct walk *w, const struct segment *seg, const struct record *r)
{
    uint64_t lba, used;

    if (r->partition != seg->partition)
        return false;
    if (w->chained) {
        if (!check_chain(r, w->epoch, w->chain) || r->lba != w->place.lba ||
            r->file != w->place.file)
            return false;
    } else if (r->epoch != w->epoch || r->lba < w->place.lba || r->file < w->place.file ||
               r->file - w->place.file > r->lba - w->place.lba) {
        return false;
    }
    return checked_add(r->lba, r->count, &lba) && lba <= INT64_MAX &&
           checked_add(w->place.used, record_cost(r), &used) && used <= INT64_MAX &&
           r->file + r->count - seg->first.file <= UINT32_MAX;
}

/* Cover the objects from w on up to (lba, file) as damaged. */
static int walk_cover(struct walk *w, uint64_t lba, uint64_t file, struct error *err)
{
    int rc;

    if (lba == w->place.lba)
        return 0;
    rc = index_add(&w->index, 0, lba - w->place.lba, 0, file - w->place.file, w->offset, err);
    if (rc)
        return rc;
    if (!w->index.damage)
        w->index.damage = "its record is damaged";
    w->place.lba = lba;
    w->place.file = file;
    return 0;
}

static int walk_take(struct walk *w, const struct record *r, const uint8_t *raw, uint64_t offset,
                     struct error *err)
{
    uint64_t end = offset + record_extent(r->stored);
    uint64_t files = r->type == RECORD_FILEMARK ? r->count : 0;
    int rc = walk_cover(w, r->lba, r->file, err);

    if (rc == 0 && r->count > 0)
        rc = index_add(&w->index, offset, r->count, record_cost(r), files, end, err);
    if (rc)
        return rc;
    /* A COMMIT that an object follows was synced: the writer waits for it (writer.c).  END comes in
     * the same breath as the last COMMIT. */
    if (w->skipped_commit && r->count > 0)
        w->durable = w->commit;
    w->place.lba += r->count;
    w->place.file += files;
    w->place.used += record_cost(r);
    w->header = offset;
    w->chain = record_chain(raw, RECORD_HEADER_SIZE, w->epoch);
    w->chained = true;
    w->offset = end;
    w->end_seen = r->type == RECORD_END;
    w->skipped_commit = r->type == RECORD_COMMIT;
    if (w->skipped_commit)
        w->commit = walk_here(w);
    return 0;
}

/* Look for the next record of this segment behind damage: 16 bytes a step. */
static int walk_resync(struct cartridge *c, const struct segment *seg, struct window *win,
                       struct walk *w, uint64_t *offset, struct record *r, const uint8_t **raw,
                       struct error *err)
{
    struct walk loose = *w;

    loose.chained = false;
    for (uint64_t at = w->offset; at < INT64_MAX - RECORD_ALIGN; at += RECORD_ALIGN) {
        int rc = window_at(c, seg, win, at, RECORD_HEADER_SIZE, raw, err);

        if (rc || !*raw)
            return rc;
        if (record_decode(*raw, r) && record_fits(&loose, seg, r)) {
            *offset = at;
            return 0;
        }
    }
    *raw = NULL;
    return 0;
}

static int walk_loop(struct cartridge *c, const struct segment *seg, uint64_t floor,
                     struct window *win, struct walk *w, struct error *err)
{
    while (!w->end_seen) {
        uint64_t offset = w->offset;
        const uint8_t *raw;
        struct record r;
        int rc = window_at(c, seg, win, offset, RECORD_HEADER_SIZE, &raw, err);

        if (rc)
            return rc;
        if (!raw || !w->chained || !record_decode(raw, &r) || !record_fits(w, seg, &r)) {
            if (w->place.lba >= floor)
                return 0;
            win->want = WINDOW_LARGE;
            rc = walk_resync(c, seg, win, w, &offset, &r, &raw, err);
            if (rc || !raw)
                return rc;
            w->broken = true;
        }
        rc = walk_take(w, &r, raw, offset, err);
        if (rc)
            return rc;
        win->want = r.stored > WINDOW_LARGE / 8 ? WINDOW_SMALL : WINDOW_LARGE;
    }
    return 0;
}

int walk_run(struct cartridge *c, const struct segment *seg, uint64_t floor, struct walk *w,
             struct error *err)
{
    struct window win = {NULL, 0, 0, WINDOW_LARGE};
    int rc = walk_loop(c, seg, floor, &win, w, err);

    if (rc == 0 && w->place.lba < floor && w->place.lba <= seg->end.lba) {
        /* Nothing of the segment's rest was found; the map knows where it ended. */
        rc = walk_cover(w, seg->end.lba, seg->end.file, err);
        w->place.used = seg->end.used;
    }
    free(win.buf);
    return rc;
}

static int payload_holds(struct cartridge *c, const struct segment *seg, uint64_t offset,
                         uint8_t **buf, size_t *room, bool *holds, struct error *err)
{
    uint8_t raw[RECORD_HEADER_SIZE];
    struct record r;
    size_t got;
    int rc = segment_read(c, seg, offset, raw, sizeof(raw), &got, err);

    *holds = false;
    if (rc || got < sizeof(raw) || !record_decode(raw, &r))
        return rc;
    if (r.stored > *room) {
        free(*buf);
        *room = 0;
        *buf = malloc(r.stored);
        if (!*buf)
            return error_set(err, ERR_NO_MEMORY, "no memory for a block of %u bytes", r.stored);
        *room = r.stored;
    }
    rc =
        r.stored ? segment_read(c, seg, offset + RECORD_HEADER_SIZE, *buf, r.stored, &got, err) : 0;
    *holds = rc == 0 && (r.stored == 0 || (got == r.stored && check_payload(&r, *buf)));
    return rc;
}

int walk_check_payloads(struct cartridge *c, const struct segment *seg, const struct walk *w,
                        size_t from, size_t to, size_t *good, struct error *err)
{
    uint8_t *buf = NULL;
    size_t room = 0;
    bool holds = true;
    int rc = 0;

    for (*good = from; rc == 0 && *good < to; (*good)++) {
        uint64_t offset = (uint64_t)w->index.entries[*good].offset16 * RECORD_ALIGN;

        if (index_kind(&w->index, *good) == OBJECT_BLOCK)
            rc = payload_holds(c, seg, offset, &buf, &room, &holds, err);
        if (!holds)
            break;
    }
    free(buf);
    return rc;
}

struct walk_mark walk_mark_at(const struct walk *w, const struct segment *seg, size_t records)
{
    const struct index_entry *e =
        records < w->index.count ? &w->index.entries[records] : &w->index.end;

    return (struct walk_mark){
        (uint64_t)e->offset16 * RECORD_ALIGN,
        records,
        {e->lba, seg->first.file + e->files, seg->first.used + e->used},
    };
}

struct walk_mark walk_trusted(const struct walk *w, const struct segment *seg)
{
    size_t records = w->durable.records;

    if (records >= w->index.count || w->index.entries[records].lba >= seg->end.lba)
        return w->durable;
    while (records < w->index.count && w->index.entries[records].lba < seg->end.lba)
        records++;
    return walk_mark_at(w, seg, records);
}
