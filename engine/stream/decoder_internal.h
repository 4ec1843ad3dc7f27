/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder_internal.h - the decoder's state, and what its files share:
 *
 *      decoder.c           the interface, events, blocks consumed
 *      decoder_headers.c   volumes and headers: which of them belong here, what they begin
 *      decoder_groups.c    the blocks behind a header; attributes
 */
#ifndef CAPSTAN_ENGINE_STREAM_DECODER_INTERNAL_H
#define CAPSTAN_ENGINE_STREAM_DECODER_INTERNAL_H

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

/* ---- decoder.c ---------------------------------------------------------------------------------
 * Those that return bool and take an event: true if they filled it in. */

bool decoder_give(struct stream_decoder *d, struct stream_event *ev, enum stream_event_type type);
bool decoder_give_damage(struct stream_decoder *d, struct stream_event *ev, uint64_t address,
                         const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* What must be told before the next header is taken: the end of the open inode.  clean: the next
 * header is there; dumps of others may leave out holes at the end of a file. */
bool decoder_give_before_header(struct stream_decoder *d, struct stream_event *ev, bool clean);
/* ... and blocks that were lost. */
bool decoder_give_lost(struct stream_decoder *d, struct stream_event *ev);
/* Consume n blocks that count. */
void decoder_consume(struct stream_decoder *d, size_t n);
/* Consume one that makes no sense. */
void decoder_lose_block(struct stream_decoder *d);

/* What a stream says must be dropped, within reason. */
static inline uint64_t decoder_at_most(uint64_t blocks, uint64_t limit)
{
    return blocks <= limit ? blocks : limit;
}

/* ---- steps: one for each state; each consumes a block, gives an event or changes the state -----
 */

bool decoder_step_volume(struct stream_decoder *d, struct stream_event *ev);
bool decoder_step_header(struct stream_decoder *d, struct stream_event *ev);
bool decoder_step_group(struct stream_decoder *d, struct stream_event *ev);
/* The next attribute of those gathered; false ends them. */
bool decoder_give_item(struct stream_decoder *d, struct stream_event *ev);

#endif
