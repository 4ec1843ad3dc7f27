/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.h - take a header block apart, whoever wrote it.  Internal to engine/stream.
 *
 * Pure functions on one block: they check what can be checked within it (magic, checksum, type,
 * counts) and know the dialects; what depends on other blocks is the decoder's affair.
 */
#ifndef CAPSTAN_ENGINE_STREAM_PARSE_H
#define CAPSTAN_ENGINE_STREAM_PARSE_H

#include "engine/stream/decoder.h"
#include "engine/stream/format.h"

/* A header, in the host's order. */
struct parsed_header {
    int type;          /* TS_* */
    int64_t date;      /* c_date, seconds */
    int64_t base_date; /* c_ddate */
    uint32_t volume;
    uint32_t tapea;
    uint32_t ino;
    uint32_t flags;
    uint32_t ext_attributes;
    int64_t firstrec;
    size_t count;  /* blocks described: at most TP_NINDIR, more for maps */
    size_t follow; /* of these, blocks that follow */
    bool big_endian, ufs2;
    bool ours; /* the private part is there and its CRC holds */
    const uint8_t *block;
};

/* False if the block is no valid header. */
bool parse_header(const uint8_t *block, struct parsed_header *h);

/* True if block i (< h->count) of an inode or address header has data on the tape. */
static inline bool parsed_present(const struct parsed_header *h, size_t i)
{
    return h->block[C_ADDR + i] != 0;
}

/* The inode in a TS_INODE or TS_ADDR header; old_ids: uid and gid as V7 and Solaris have them. */
void parse_inode(const struct parsed_header *h, bool old_ids, struct stream_inode *inode);

/* What a TS_TAPE header says. */
void parse_volume(const struct parsed_header *h, struct stream_volume *volume);

/* The totals in a TS_END header of ours. */
void parse_totals(const struct parsed_header *h, struct stream_totals *totals);

#endif
