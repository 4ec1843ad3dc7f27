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

#include "engine/stream/decoder_internal.h"
#include "engine/stream/header.h"

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

void stream_decoder_seek(struct stream_decoder *d, const struct stream_volume *volume,
                         uint64_t address)
{
    d->volume = *volume;
    d->have_volume = true;
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

/* ---- events ------------------------------------------------------------------------------------
 */

bool decoder_give(struct stream_decoder *d, struct stream_event *ev, enum stream_event_type type)
{
    memset(ev, 0, sizeof(*ev));
    ev->type = type;
    ev->address = d->address;
    return true;
}

bool decoder_give_damage(struct stream_decoder *d, struct stream_event *ev, uint64_t address,
                         const char *fmt, ...)
{
    va_list ap;

    decoder_give(d, ev, STREAM_EVENT_DAMAGE);
    ev->address = address;
    va_start(ap, fmt);
    vsnprintf(ev->message, sizeof(ev->message), fmt, ap);
    va_end(ap);
    return true;
}

/* What must be told before the next header is taken: lost blocks, then the end of the open inode.
 * clean: the next header is there; dumps of others may leave out holes at the end of a file. */
bool decoder_give_before_header(struct stream_decoder *d, struct stream_event *ev, bool clean)
{
    if (!d->open)
        return false;
    if (d->covered < d->inode.size && !d->continued && !d->damaged) {
        if (clean && !d->volume.capstan) {
            decoder_give(d, ev, STREAM_EVENT_HOLE);
            ev->offset = d->covered;
            ev->bytes = d->inode.size - d->covered;
            d->covered = d->inode.size;
            return true;
        }
        d->damaged = true;
    }
    d->damaged = d->damaged || d->extension_len > 0;
    decoder_give(d, ev, STREAM_EVENT_INODE_END);
    ev->damaged = d->damaged || d->continued;
    d->open = false;
    return true;
}

bool decoder_give_lost(struct stream_decoder *d, struct stream_event *ev)
{
    uint64_t lost = d->lost;

    if (!lost)
        return false;
    d->lost = 0;
    return decoder_give_damage(d, ev, d->lost_at,
                               "%llu stream blocks are damaged and were left out",
                               (unsigned long long)lost);
}

/* ---- blocks ------------------------------------------------------------------------------------
 */

/* Consume n blocks that count. */
void decoder_consume(struct stream_decoder *d, size_t n)
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
    decoder_consume(d, n);
    d->position -= n;
    d->skip -= n;
    n = d->pass < d->in_count ? (size_t)d->pass : d->in_count;
    decoder_consume(d, n);
    d->pass -= n;
    if (d->state == DECODER_DROP || d->state == DECODER_ENDED)
        d->in_count = 0;
    return d->in_count > 0;
}

void decoder_lose_block(struct stream_decoder *d)
{
    if (d->lost++ == 0)
        d->lost_at = d->position;
    d->damaged = true;
    decoder_consume(d, 1);
    d->position -= d->unsure;
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
        return decoder_step_group(d, ev);
    }
    if (!d->finishing)
        return false;
    if (d->open && d->remaining > 0)
        d->damaged = true;
    return decoder_give_lost(d, ev) || decoder_give_before_header(d, ev, false);
}

bool stream_decoder_next(struct stream_decoder *d, struct stream_event *ev)
{
    static bool (*const steps[])(struct stream_decoder * d, struct stream_event * ev) = {
        [DECODER_VOLUME] = decoder_step_volume,
        [DECODER_HEADER] = decoder_step_header,
        [DECODER_GROUP] = decoder_step_group,
    };
    bool more = true;

    while (more) {
        if (d->items != ITEM_NONE) {
            if (decoder_give_item(d, ev))
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
