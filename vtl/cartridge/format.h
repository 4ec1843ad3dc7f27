/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.h - the bytes of a cartridge, as doc/cartridge-format.md describes them.
 *
 * Pure functions between structures and little-endian bytes.  The decoders treat their input as
 * hostile: what they return true for holds in itself (magic, version, CRC, ranges); whether it fits
 * its neighbours is for the callers to check.
 */
#ifndef CAPSTAN_VTL_CARTRIDGE_FORMAT_H
#define CAPSTAN_VTL_CARTRIDGE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vtl/cartridge/cartridge.h"

#define FORMAT_VERSION     1 /* of segments, and of cartridges that use no feature */
#define FORMAT_VERSION_NEW 2 /* of those that do, and of the superblocks of divided ones */

/* What a cartridge uses beyond version 1, told in its identity before it is used. */
enum format_feature {
    FEATURE_DIVIDED = 1u << 0, /* superblocks of version 2: partitions, notes in limbo */
    FEATURE_BLOCKS = 1u << 1,  /* records with flags: compressed, encrypted, protected blocks */
    FEATURE_CLONED = 1u << 2,  /* segments carry the family of the identity */
    FEATURES_KNOWN = (1u << 3) - 1,
};

#define IDENTITY_OBJECT "identity"
#define IDENTITY_COPY   "identity.copy"
#define IDENTITY_SIZE   256

#define SEGMENT_HEADER_SIZE 128
#define RECORD_HEADER_SIZE  64
#define RECORD_ALIGN        16
#define INDEX_ENTRY_SIZE    24

#define SEGMENT_SIZE_MIN 4096u
#define SEGMENT_SIZE_MAX (1u << 31)
#define SEGMENT_RECORDS_MAX                                                                        \
    (1u << 20)                    /* sealed when it has so many: bounds the index in memory        \
                                   */
#define SEGMENTS_MAX   (1u << 18) /* of the map and of limbo together */
#define ATTRIBUTES_MAX 65536u     /* bytes of all attributes, with 4 bytes of head each */

/* ---- identity -------------------------------------------------------------------------------- */

/* features: enum format_feature, or-ed. */
void identity_encode(const struct cartridge_identity *id, uint32_t features,
                     uint8_t out[IDENTITY_SIZE]);

/* ERR_FORMAT (foreign, a newer version, or a feature not known here), ERR_CORRUPT. */
int identity_decode(const uint8_t *data, size_t len, struct cartridge_identity *id,
                    uint32_t *features, struct error *err);

/* Are the values of id possible ones? ERR_RANGE with a sentence if not. */
int identity_check(const struct cartridge_identity *id, struct error *err);

/* ---- segment header -------------------------------------------------------------------------- */

struct segment_header {
    uint8_t uuid[16]; /* the family of the cartridge */
    uint64_t seq;     /* number of the segment, never used twice */
    uint64_t epoch;   /* random: no other segment has it */
    uint32_t partition;
    uint64_t first_lba, first_file, first_used;
    int64_t created_ns;
};

void segment_header_encode(const struct segment_header *h, uint8_t out[SEGMENT_HEADER_SIZE]);
bool segment_header_decode(const uint8_t in[SEGMENT_HEADER_SIZE], struct segment_header *h);

/* ---- records --------------------------------------------------------------------------------- */

enum record_type {
    RECORD_DATA = 1,
    RECORD_FILEMARK = 2, /* count filemarks */
    RECORD_COMMIT = 3,   /* everything before it was handed to a sync */
    RECORD_RUN = 4,      /* count blocks of the same content */
    RECORD_GAP = 5,      /* reserved: erased area */
    RECORD_END = 6,      /* seals the segment; payload: its index */
};

struct record {
    enum record_type type;
    uint8_t compression, encryption, protection; /* of a DATA record: see struct cartridge_block */
    uint8_t partition;
    uint64_t epoch;
    uint64_t lba;    /* address of the (first) object; for COMMIT and END of the next one */
    uint64_t file;   /* filemarks before it */
    uint32_t length; /* of one block, as the host wrote it */
    uint32_t stored; /* bytes of payload that follow the header */
    uint32_t back;   /* distance back to the header before this one, in 16-byte units */
    uint32_t payload_crc;
    uint32_t host_crc; /* logical block protection as the host sent it; 0 if it sent none */
    uint32_t chain;    /* record_chain() of the header before this one */
    uint32_t count;    /* objects: 1 for DATA, n for FILEMARK and RUN, 0 otherwise */
};

void record_encode(const struct record *r, uint8_t out[RECORD_HEADER_SIZE]);

/* Can a DATA record be like this?  (What struct cartridge_block says of a block.) */
bool record_block_sane(const struct record *r);

/* False if the bytes are no record header, or its lengths contradict each other. */
bool record_decode(const uint8_t in[RECORD_HEADER_SIZE], struct record *r);

/* The chain value that the record behind header (a segment's or a record's) must carry.  Each
 * header's CRC covers its chain value and its payload's CRC, so a value stands for everything
 * before it in the segment. */
uint32_t record_chain(const void *header, size_t size, uint64_t epoch);

/* Bytes that a record takes in a segment: header and payload, aligned. */
static inline uint64_t record_extent(uint32_t stored)
{
    return ((uint64_t)RECORD_HEADER_SIZE + stored + RECORD_ALIGN - 1) &
           ~(uint64_t)(RECORD_ALIGN - 1);
}

/* Native bytes that a record takes of the capacity. */
static inline uint64_t record_cost(const struct record *r)
{
    return r->type == RECORD_FILEMARK ? (uint64_t)r->count * CARTRIDGE_FILEMARK_COST
                                      : (uint64_t)r->count * r->stored;
}

/* ---- index of a segment ---------------------------------------------------------------------- */

/* One per record that holds objects; all but lba relative to the segment's beginning. */
struct index_entry {
    uint64_t lba;      /* of its first object */
    uint64_t used;     /* native bytes before it */
    uint32_t offset16; /* where its header is, in 16-byte units; 0: the record is damaged */
    uint32_t files;    /* filemarks before it */
};

void index_entry_encode(const struct index_entry *e, uint8_t out[INDEX_ENTRY_SIZE]);
void index_entry_decode(const uint8_t in[INDEX_ENTRY_SIZE], struct index_entry *e);

#endif
