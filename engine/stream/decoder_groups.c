/* SPDX-License-Identifier: Apache-2.0 */
/* decoder_groups.c - the blocks that a header announced, and the attributes among them. */
#include <stdlib.h>
#include <string.h>

#include "common/crc32c.h"
#include "engine/stream/decoder_internal.h"

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
    decoder_consume(d, n);
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

    decoder_give(d, ev, STREAM_EVENT_MAP);
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
    decoder_give(d, ev, present ? STREAM_EVENT_DATA : STREAM_EVENT_HOLE);
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
        return decoder_give_damage(
            d, ev, d->address, "data of inode %u is damaged: its checksum differs", d->inode.ino);
    }
    if (d->buf_len == 0)
        return false;
    if (d->kind == GROUP_DATA &&
        (d->buf_len < d->extension_len || crc32c(d->buf, d->buf_len) != d->extension_crc)) {
        d->damaged = true;
        return decoder_give_damage(d, ev, d->address, "attributes of inode %u are damaged",
                                   d->inode.ino);
    }
    d->items = d->kind == GROUP_EA ? ITEM_EA : ITEM_EXTENSION;
    d->extension_len = d->kind == GROUP_EA ? d->extension_len : 0;
    memset(&d->cursor, 0, sizeof(d->cursor));
    d->cursor.data = d->buf;
    d->cursor.len = d->buf_len;
    d->cursor.acl = d->acl;
    return false;
}

bool decoder_step_group(struct stream_decoder *d, struct stream_event *ev)
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

bool decoder_give_item(struct stream_decoder *d, struct stream_event *ev)
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
        return decoder_give_damage(d, ev, d->address, "attributes of inode %u break the format",
                                   d->inode.ino);
    }
    if (type == EXTENSION_XATTR) {
        decoder_give(d, ev, STREAM_EVENT_XATTR);
        ev->xattr = x;
        return true;
    }
    if (type != EXTENSION_PATH && type != EXTENSION_HOST)
        return false;
    decoder_give(d, ev, STREAM_EVENT_ORIGIN);
    ev->is_host = type == EXTENSION_HOST;
    ev->data = x.value;
    ev->len = x.len;
    return true;
}
