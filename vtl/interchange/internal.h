/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what the files of vtl/interchange share.
 *
 *   stream.c    bytes with offsets and digests
 *   format.c    the table of formats, and finding out which one a stream has
 *   export.c    cartridge -> format
 *   import.c    format -> cartridge
 *   capstan.c, tap.c, aws.c, raw.c   one format (aws.c: AWSTAPE and HET), both directions
 *
 * A format knows nothing of cartridges: it is given blocks and filemarks, and gives items.
 */
#ifndef CAPSTAN_VTL_INTERCHANGE_INTERNAL_H
#define CAPSTAN_VTL_INTERCHANGE_INTERNAL_H

#include "vtl/interchange/stream.h"

#define BLOCK_ROOM                                                                                 \
    (CARTRIDGE_STORED_MAX + 16u) /* of a block in any form, with what a format adds */

enum item_kind {
    ITEM_BLOCK,
    ITEM_FILEMARKS,
    ITEM_ATTRIBUTE,
    ITEM_SKIPPED, /* a record that is no part of a tape */
    ITEM_END,
};

struct item {
    enum item_kind kind;
    bool bad;                      /* the block was damaged when the stream was made */
    uint32_t partition;            /* block, filemarks */
    uint32_t len;                  /* block, attribute: bytes in the importer's block buffer */
    uint32_t skip;                 /* ... and where they begin in it */
    bool is_stored;                /* the block is in its stored form, */
    struct cartridge_block stored; /* ... which is this one; len is stored.stored */
    uint32_t count;                /* filemarks: at least 1 */
    uint16_t attribute;
    uint64_t offset; /* where it begins in the stream; filled in by import.c */
};

/* What both directions of a format may keep: each uses what it needs. */
struct format_state {
    uint32_t blocking;                 /* raw */
    uint32_t previous;                 /* aws: length of the chunk before */
    uint32_t partition;                /* capstan: of the record before */
    uint64_t lba;                      /* capstan: of the next object there */
    uint64_t blocks, filemarks, bytes; /* capstan: so far */
    uint8_t *packed;                   /* het: a compressed block, PACKED_MAX bytes */
};

struct interchange_import {
    const struct interchange_format *format;
    struct source source;
    struct format_state state;
    struct cartridge_identity identity;
    bool has_identity, protect;
    unsigned partitions; /* the tape is divided so; 0: it is not */
    uint64_t capacities[CARTRIDGE_PARTITIONS];
    uint8_t *block; /* BLOCK_ROOM bytes */
};

struct exporter {
    const struct interchange_format *format;
    struct sink sink;
    struct format_state state;
    struct cartridge *cartridge;
    uint64_t file;
    uint8_t *block; /* BLOCK_ROOM bytes */
    const struct interchange_watch *watch;
    struct interchange_report *report;
};

struct interchange_format {
    const char *name;
    bool partitions; /* it can hold more than one */

    /* Does the beginning of a stream, `all` of it or STREAM_BUFFER bytes, look like this?  NULL:
     * there is nothing to see. */
    bool (*detect)(const uint8_t *data, size_t len, bool all);

    /* Import.  begin may be NULL.  next fills in *item, which is zero before. */
    int (*begin)(struct interchange_import *in, struct error *err);
    int (*next)(struct interchange_import *in, struct item *item, struct error *err);

    /* Export.  begin may be NULL; bad NULL: a damaged block can't be told. */
    int (*start)(struct exporter *out, struct error *err);
    int (*block)(struct exporter *out, uint32_t partition, const uint8_t *data, uint32_t len,
                 struct error *err);
    /* A block in its stored form; NULL: blocks are given plain, and encrypted ones are refused. */
    int (*stored)(struct exporter *out, uint32_t partition, const struct cartridge_block *block,
                  const uint8_t *data, struct error *err);
    int (*filemarks)(struct exporter *out, uint32_t partition, uint32_t count, struct error *err);
    int (*bad)(struct exporter *out, struct error *err);
    int (*finish)(struct exporter *out, struct error *err); /* NULL: nothing is at the end */
};

extern const struct interchange_format format_capstan, format_tap, format_aws, format_het,
    format_raw;

/* format.c: which one is it?  ERR_FORMAT. */
int format_detect(struct source *s, const struct interchange_format **out, struct error *err);

#endif
