/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_reader.c - see file_reader.h.
 *
 * A file is a chain of groups: a header, then those of its up to 512 blocks that are no holes; the
 * next header follows at once.  `mark` remembers where some headers are, in order of their offset.
 * To find a group, the reader first looks where it would be if the file had no holes (our headers
 * say what they are, so a guess can be checked), else it goes on from the nearest mark before it.
 * Over a run of groups that are all holes, or have none, it leaps (leap()): 1 TiB of nothing has
 * two million headers.
 *
 * Invariants:
 *   1. marks[0] is the TS_INODE header; marks are in rising order of offset and of block.
 *   2. Marks are at most MARKS_MAX: when they are full every second one is forgotten.
 *   3. `group` is a header that was checked to belong to the file.
 */
#include "engine/stream/file_reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "engine/stream/parse.h"

#define MARKS_MAX   4096u
#define GROUP_BYTES ((uint64_t)TP_NINDIR * STREAM_BLOCK)

struct mark {
    uint64_t offset; /* in the file, of the group's first block */
    uint64_t block;  /* of its header */
};

/* The group that was looked at last. */
struct group {
    struct mark at;
    size_t count, follow;
    uint16_t before[TP_NINDIR + 1]; /* blocks on tape before block i of the group */
    bool last_of_chain;             /* what follows is no part of this file */
};

struct file_reader {
    stream_source_fn *source;
    void *ctx;
    uint32_t ino;
    uint64_t size;
    int64_t date, base_date;
    bool ours;
    struct group group;
    struct mark marks[MARKS_MAX];
    size_t mark_count;
};

/* Exactly count blocks, however the source cuts them. */
static int read_blocks(struct file_reader *r, uint64_t first, size_t count, uint8_t *buf,
                       struct error *err)
{
    while (count > 0) {
        size_t got = 0;
        int rc = r->source(r->ctx, first, count, buf, &got, err);

        if (rc)
            return rc;
        if (got == 0 || got > count)
            return error_set(err, ERR_CORRUPT, "the stream ends at block %llu inside a file",
                             (unsigned long long)first);
        first += got;
        count -= got;
        buf += got * STREAM_BLOCK;
    }
    return 0;
}

/* ---- marks -------------------------------------------------------------------------------------
 */

/* Index of the last mark at or before offset. */
static size_t find_mark(const struct file_reader *r, uint64_t offset)
{
    size_t low = 0, high = r->mark_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (r->marks[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void add_mark(struct file_reader *r, struct mark m)
{
    size_t i = find_mark(r, m.offset);

    if (r->marks[i].offset == m.offset)
        return;
    if (r->mark_count == MARKS_MAX) {
        for (size_t k = 1; k < MARKS_MAX / 2; k++)
            r->marks[k] = r->marks[2 * k];
        r->mark_count = MARKS_MAX / 2;
        i = find_mark(r, m.offset);
    }
    memmove(&r->marks[i + 2], &r->marks[i + 1], (r->mark_count - i - 1) * sizeof(m));
    r->marks[i + 1] = m;
    r->mark_count++;
}

/* ---- groups ------------------------------------------------------------------------------------
 */

/* True if h is a further header of the file; offset: where it must be, if the header can tell. */
static bool is_further(const struct file_reader *r, const struct parsed_header *h, uint64_t block,
                       uint64_t offset)
{
    if (h->type != TS_ADDR || h->ino != r->ino || h->date != r->date ||
        h->base_date != r->base_date || h->ours != r->ours)
        return false;
    return !h->ours || (h->tapea == (uint32_t)block && get_le64(h->block + P_OFFSET) == offset);
}

static void set_group(struct file_reader *r, const struct parsed_header *h, struct mark at)
{
    struct group *g = &r->group;

    g->at = at;
    g->count = h->count;
    g->follow = h->follow;
    g->before[0] = 0;
    for (size_t i = 0; i < h->count; i++)
        g->before[i + 1] = (uint16_t)(g->before[i] + parsed_present(h, i));
    g->last_of_chain = false;
}

/* Look at block `at.block`; *found: it is the file's header for at.offset, and now the group. */
static int try_group(struct file_reader *r, struct mark at, bool *found, struct error *err)
{
    uint8_t block[STREAM_BLOCK];
    struct parsed_header h;
    int rc = read_blocks(r, at.block, 1, block, err);

    *found = false;
    if (rc || !parse_header(block, &h))
        return rc;
    if (at.block == r->marks[0].block)
        *found = h.type == TS_INODE && h.ino == r->ino;
    else
        *found = is_further(r, &h, at.block, at.offset);
    if (*found) {
        set_group(r, &h, at);
        add_mark(r, at);
    }
    return 0;
}

/* Step from the group to the one behind it. */
static int next_group(struct file_reader *r, struct error *err)
{
    struct group *g = &r->group;
    struct mark at = {g->at.offset + g->count * STREAM_BLOCK, g->at.block + 1 + g->follow};
    bool found;
    int rc = try_group(r, at, &found, err);

    if (rc || found)
        return rc;
    if (r->ours)
        return error_set(err, ERR_CORRUPT, "the header of inode %u at stream block %llu is damaged",
                         r->ino, (unsigned long long)at.block);
    g->last_of_chain = true; /* dumps of others may leave out holes at the end */
    return 0;
}

/* All of a whole group is data, or none of it: the ones behind it may be alike. */
static bool is_uniform(const struct group *g)
{
    return g->count == TP_NINDIR && (g->follow == 0 || g->follow == TP_NINDIR) &&
           g->at.offset % GROUP_BYTES == 0;
}

/* To the header that is `step` groups ahead if these are all like the group, not beyond limit. */
static bool leap_to(struct file_reader *r, uint64_t step, uint64_t limit)
{
    const struct mark *from = &r->group.at;
    struct mark to = {from->offset + step * GROUP_BYTES,
                      from->block + step * (1 + r->group.follow)};
    bool found = false;

    if (step == 0 || limit < from->offset || step > (limit - from->offset) / GROUP_BYTES)
        return false;
    return try_group(r, to, &found, NULL) == 0 && found;
}

/* Step from a uniform group over those behind it that are alike, as far as `limit`.
 *
 * If n groups are alike, then the header behind them is at a block that can be told.  And if a
 * header of that offset is at that block, they are: all our groups before one at a multiple of
 * GROUP_BYTES are whole ones (stream.h), so there is no other way to fill the blocks between.
 * First all the way at once; else doubled steps, then halved ones. */
static void leap(struct file_reader *r, uint64_t limit)
{
    const struct group *g = &r->group;
    const size_t alike = g->follow;
    uint64_t step = 1;
    bool rising = true;

    if (!r->ours || !is_uniform(g) || limit < g->at.offset ||
        leap_to(r, (limit - g->at.offset) / GROUP_BYTES, limit))
        return;
    while (step > 0 && is_uniform(g) && g->follow == alike) {
        rising = leap_to(r, step, limit) && rising;
        step = rising ? step * 2 : step / 2;
    }
}

static bool in_group(const struct file_reader *r, uint64_t offset)
{
    const struct group *g = &r->group;

    return offset >= g->at.offset &&
           (offset - g->at.offset < g->count * STREAM_BLOCK || g->last_of_chain);
}

/* Make the group with offset (< size) the current one. */
static int find_group(struct file_reader *r, uint64_t offset, struct error *err)
{
    struct mark from = r->marks[find_mark(r, offset)];
    uint64_t ahead = (offset - from.offset) / GROUP_BYTES;
    bool found = false;
    int rc = 0;

    if (in_group(r, offset))
        return 0;
    if (r->ours && ahead > 0 && from.offset % GROUP_BYTES == 0 &&
        from.offset != r->group.at.offset) {
        struct mark guess = {from.offset + ahead * GROUP_BYTES,
                             from.block + ahead * (1 + TP_NINDIR)};

        /* A guess may lie behind the end of the stream: that it failed is no error. */
        if (try_group(r, guess, &found, NULL) || !found)
            found = false;
    }
    if (!found && (r->group.at.offset > offset || r->group.at.offset < from.offset))
        rc = try_group(r, from, &found, err);
    if (!rc && !found && r->group.at.offset < from.offset)
        return error_set(err, ERR_CORRUPT, "the header of inode %u has changed", r->ino);
    while (!rc && !in_group(r, offset)) {
        leap(r, offset);
        if (!in_group(r, offset))
            rc = next_group(r, err);
    }
    return rc;
}

/* ---- the interface -----------------------------------------------------------------------------
 */

int file_reader_open(stream_source_fn *source, void *ctx, uint64_t address, uint32_t ino,
                     uint64_t size, struct file_reader **out, struct error *err)
{
    struct file_reader *r = calloc(1, sizeof(*r));
    uint8_t block[STREAM_BLOCK];
    struct stream_inode inode;
    struct parsed_header h;
    int rc;

    if (!r)
        return error_set(err, ERR_NO_MEMORY, "no memory to read a file");
    r->source = source;
    r->ctx = ctx;
    r->ino = ino;
    r->size = size;
    rc = read_blocks(r, address, 1, block, err);
    if (!rc && (!parse_header(block, &h) || h.type != TS_INODE || h.ino != ino))
        rc = error_set(err, ERR_CORRUPT, "stream block %llu is not the header of inode %u",
                       (unsigned long long)address, ino);
    if (!rc) {
        parse_inode(&h, false, &inode);
        if (inode.size != size || (h.ours && h.tapea != (uint32_t)address))
            rc = error_set(err, ERR_CORRUPT,
                           "inode %u has %llu bytes in the stream and %llu in the catalog", ino,
                           (unsigned long long)inode.size, (unsigned long long)size);
    }
    if (rc) {
        free(r);
        return rc;
    }
    r->date = h.date;
    r->base_date = h.base_date;
    r->ours = h.ours;
    r->marks[0] = (struct mark){0, address};
    r->mark_count = 1;
    set_group(r, &h, r->marks[0]);
    *out = r;
    return 0;
}

/* Part of one block. */
static int read_within_block(struct file_reader *r, uint64_t block, size_t at, uint8_t *buf,
                             size_t len, struct error *err)
{
    uint8_t whole[STREAM_BLOCK];
    int rc = read_blocks(r, block, 1, whole, err);

    if (!rc)
        memcpy(buf, whole + at, len);
    return rc;
}

/* As much of [offset, offset + len) as is alike and in the group: a hole, whole blocks, or part of
 * one block.  *got > 0. */
static int read_run(struct file_reader *r, uint64_t offset, uint8_t *buf, size_t len, size_t *got,
                    struct error *err)
{
    const struct group *g = &r->group;
    uint64_t index = (offset - g->at.offset) / STREAM_BLOCK;
    size_t within = (offset - g->at.offset) % STREAM_BLOCK, i = (size_t)index, n;
    uint64_t block;

    if (index >= g->count) {
        memset(buf, 0, len);
        *got = len;
        return 0;
    }
    block = g->at.block + 1 + g->before[i];
    n = STREAM_BLOCK - within < len ? STREAM_BLOCK - within : len;
    *got = n;
    if (g->before[i + 1] == g->before[i]) {
        memset(buf, 0, n);
        return 0;
    }
    if (n < STREAM_BLOCK)
        return read_within_block(r, block, within, buf, n, err);
    for (n = 1; (n + 1) * STREAM_BLOCK <= len && i + n < g->count; n++)
        if (g->before[i + n + 1] == g->before[i + n])
            break;
    *got = n * STREAM_BLOCK;
    return read_blocks(r, block, n, buf, err);
}

int file_reader_read(struct file_reader *r, uint64_t offset, void *buf, size_t len, size_t *got,
                     struct error *err)
{
    uint8_t *to = buf;
    size_t done = 0;

    if (offset >= r->size)
        len = 0;
    else if (len > r->size - offset)
        len = (size_t)(r->size - offset);
    while (done < len) {
        size_t part = 0;
        int rc = find_group(r, offset + done, err);

        if (!rc)
            rc = read_run(r, offset + done, to + done, len - done, &part, err);
        if (rc)
            return rc;
        done += part;
    }
    *got = done;
    return 0;
}

/* The first byte from `offset` (in the group) on that is of this part and in the group. */
static bool seek_in_group(const struct file_reader *r, uint64_t offset, enum file_reader_part part,
                          uint64_t *found)
{
    const struct group *g = &r->group;
    uint64_t i = (offset - g->at.offset) / STREAM_BLOCK;

    while (i < g->count && (g->before[i + 1] != g->before[i]) != (part == FILE_READER_DATA))
        i++;
    if (i >= g->count && (part == FILE_READER_DATA || !g->last_of_chain))
        return false; /* what the chain does not tell of is a hole */
    *found = g->at.offset + i * STREAM_BLOCK;
    if (*found < offset)
        *found = offset;
    return true;
}

int file_reader_seek(struct file_reader *r, uint64_t offset, enum file_reader_part part,
                     uint64_t *found, struct error *err)
{
    const struct group *g = &r->group;
    bool here = false;

    *found = UINT64_MAX;
    if (offset >= r->size)
        return 0;
    while (!here && offset < r->size) {
        int rc = find_group(r, offset, err);

        if (rc)
            return rc;
        here = seek_in_group(r, offset, part, found);
        if (here || g->last_of_chain)
            break;
        leap(r, r->size - 1);
        if (offset < g->at.offset)
            offset = g->at.offset;
        else
            offset = g->at.offset + g->count * STREAM_BLOCK;
    }
    if (!here || *found >= r->size) /* the rest of the last block is no part of the file */
        *found = part == FILE_READER_DATA ? UINT64_MAX : r->size;
    return 0;
}

void file_reader_close(struct file_reader *r)
{
    free(r);
}
