/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decoder.h - read a dump stream: blocks in, events out.
 *
 *      stream_decoder_open
 *        -> { stream_decoder_feed -> { stream_decoder_next }* until it returns false }*
 *        -> stream_decoder_finish -> { stream_decoder_next }* until it returns false
 *
 * At the end of a volume: stream_decoder_volume(), then the blocks of the next one.
 *
 * It reads our streams, and those of Linux dump(8), 4.4BSD and UFS2 (FreeBSD) in either byte order.
 * The stream is hostile.  What is promised, whatever the input:
 *   1. Progress: each call of stream_decoder_next() consumes a block, gives an event, or returns
 *      false; the number of events for one block is bounded.
 *   2. Memory: at most 640 KiB; no size from the stream is allocated before its bytes have come.
 *   3. Data events lie inside [0, size) of their inode; names of xattrs hold no NUL.
 *   4. Whatever was damaged or left out is told by an event (DAMAGE), and INODE_END says whether
 *      the file is whole.  After damage it goes on at the next header of this dump.
 * What it does not promise: that names, modes, inode numbers or sizes make any sense.
 *
 * Thread rule: one thread at a time per decoder.
 */
#ifndef CAPSTAN_ENGINE_STREAM_DECODER_H
#define CAPSTAN_ENGINE_STREAM_DECODER_H

#include "engine/stream/stream.h"

enum stream_event_type {
    STREAM_EVENT_VOLUME = 1, /* volume */
    STREAM_EVENT_MAP,        /* map_dumped, offset, data, len: bytes of a map of inodes */
    STREAM_EVENT_INODE,      /* inode, continued: what follows belongs to it */
    STREAM_EVENT_DATA,       /* offset, data, len */
    STREAM_EVENT_HOLE,       /* offset, bytes */
    STREAM_EVENT_XATTR,      /* xattr */
    STREAM_EVENT_ORIGIN,     /* path or host, whole: data, len, of the whole dump */
    STREAM_EVENT_INODE_END,  /* damaged */
    STREAM_EVENT_DAMAGE,     /* message: something was wrong at address */
    STREAM_EVENT_END         /* totals, if has_totals: the dump is over */
};

struct stream_volume {
    unsigned volume; /* 1, 2, ... */
    int level;
    int64_t date_ns, base_date_ns;
    char label[17], filesys[65], device[65], host[65]; /* as in the header: may be cut */
    bool big_endian;
    bool capstan; /* ours: what follows is valid, else zero */
    uint8_t uuid[16], base_uuid[16];
    unsigned blocking;
    uint64_t first_stream; /* number of the first block that is new on this volume */
    uint32_t duplicates;   /* blocks behind the header that are on the volume before, too */
    uint32_t resume;       /* data blocks from first_stream on before the next header */
    bool compressed;       /* by dump -z, -j or -y: can't be read */
    bool old_directories;  /* entries have no type (stream_entry_cursor.old_format) */
    bool accepted;         /* it is the volume that was expected; else its blocks are dropped */
};

struct stream_event {
    enum stream_event_type type;
    uint64_t address; /* stream block of the header it belongs to, or of the damage */
    uint64_t offset;
    const void *data; /* valid until the next call */
    size_t len;
    uint64_t bytes;
    union {
        struct stream_volume volume;
        struct stream_inode inode;
        struct stream_xattr xattr;
        struct stream_totals totals;
        char message[200];
    };
    bool continued;     /* INODE: its beginning was not seen */
    bool metadata_only; /* INODE: dump -m: data was not dumped */
    bool damaged;
    bool is_host;    /* ORIGIN: the host, else the path */
    bool map_dumped; /* MAP: inodes on this tape, else inodes in use */
    bool has_totals;
};

struct stream_decoder;

int stream_decoder_open(struct stream_decoder **out, struct error *err);
void stream_decoder_close(struct stream_decoder *d); /* NULL is allowed */

/* Begin in the middle: the next block fed is number `address` of the dump that volume (from an
 * earlier VOLUME event or filled in from the catalog) describes, and is a header. */
void stream_decoder_seek(struct stream_decoder *d, const struct stream_volume *volume,
                         uint64_t address);

/* The next count blocks; they stay where they are until stream_decoder_next() returned false. */
void stream_decoder_feed(struct stream_decoder *d, const uint8_t *blocks, size_t count);

/* True: *event is the next event.  False: all that was fed is consumed. */
bool stream_decoder_next(struct stream_decoder *d, struct stream_event *event);

/* The next block fed is the first of another volume.  A volume that does not continue this dump is
 * reported with accepted false; then call this again for another try. */
void stream_decoder_volume(struct stream_decoder *d);

/* No more blocks will come: the open inode, if any, is ended (damaged if incomplete). */
void stream_decoder_finish(struct stream_decoder *d);

/* Number of the next block to be fed; only blocks that count are counted (stream.h). */
uint64_t stream_decoder_position(const struct stream_decoder *d);
/* Blocks that the last header announced and that have not come yet; the next one is a header. */
size_t stream_decoder_remaining(const struct stream_decoder *d);
/* True once TS_END was seen. */
bool stream_decoder_ended(const struct stream_decoder *d);

/* How many blocks the header in block announces; false if block is no header of any dump. */
bool stream_header_follow(const uint8_t *block, size_t *follow);

#endif
