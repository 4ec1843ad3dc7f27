/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cartridge.h - a virtual tape cartridge: blocks, filemarks and positions on a store.
 *
 * A cartridge is a segmented, chained, copy-on-write log (doc/cartridge-format.md).  It knows
 * nothing of SCSI: it has partitions, each a sequence of logical objects (blocks and filemarks)
 * with addresses 0, 1, 2 ..., and a current position in one of them.  Errors are of the tape kind
 * (ERR_FILEMARK, ERR_END_OF_DATA, ERR_BEGIN, ERR_END_OF_TAPE, ERR_LENGTH, ERR_PROTECTED,
 * ERR_ENCRYPTED) and say exactly where the position is afterwards, because hosts count on it (SSC-5
 * section 4.2).
 *
 * Promises:
 *   1. What cartridge_sync() returned 0 for is read back identically after any crash.
 *   2. After any crash the medium, with all its partitions, is a prefix in writing order of what
 *      was written, at least up to the last sync; an overwrite not yet synced leaves the old data
 * or the new, never a mix.  What is done in one partition leaves the others as they are.
 *   3. A damaged record is ERR_CORRUPT with its address; the records beside it stay readable.
 *   4. A handle opened CARTRIDGE_READ_ONLY works beside one writer, in any process, and sees what
 *      was committed when it was opened or last cartridge_refresh()ed.
 *
 * Thread rule: one thread at a time per handle.
 */
#ifndef CAPSTAN_VTL_CARTRIDGE_CARTRIDGE_H
#define CAPSTAN_VTL_CARTRIDGE_CARTRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "vtl/store/store.h"

#define CARTRIDGE_BARCODE_MAX   32
#define CARTRIDGE_BLOCK_MAX     (16u * 1024 * 1024 - 1) /* 24-bit transfer length, SSC-5 READ(6) */
#define CARTRIDGE_PARTITIONS    4
#define CARTRIDGE_FILEMARK_COST 64 /* native bytes that a filemark takes of the capacity */
#define CARTRIDGE_STORED_MAX    (CARTRIDGE_BLOCK_MAX + 256) /* with what encryption adds */

/* What a cartridge is made with; it never changes afterwards. */
struct cartridge_identity {
    char barcode[CARTRIDGE_BARCODE_MAX + 1]; /* A-Z 0-9, 1..32 characters, "ABC001L8" */
    uint8_t uuid[16];                        /* made by cartridge_create() */
    uint8_t family[16];                      /* what segments carry: uuid, or of a clone the family
                                              * of its source */
    uint8_t density;                         /* SSC density code: 0x5e is LTO-8 */
    bool worm;                               /* written once, never overwritten */
    uint64_t capacity;                       /* native bytes of the whole medium */
    uint64_t early_warning;                  /* bytes before the end at which early warning is on */
    uint32_t segment_size;                   /* bytes at which a segment object is sealed */
    int64_t created_ns;                      /* ns since 1970 */
    uint64_t limbo_bytes;                    /* overwritten data kept for undo: at most this ... */
    int64_t limbo_ns;                        /* ... and for so long; 0: nothing is kept */
};

/* Fill in the defaults for an LTO cartridge of the generation in density (0x5e: 12 TB, 256 MiB
 * segments, limbo of 1/16 of the capacity for 30 days).  barcode is copied.  ERR_RANGE for a bad
 * barcode or an unknown density. */
int cartridge_identity_default(struct cartridge_identity *id, const char *barcode, uint8_t density,
                               struct error *err);

/* Make an empty cartridge in store, which must hold no objects (ERR_EXISTS).  id->uuid and
 * id->created_ns are filled in. */
int cartridge_create(struct store *store, struct cartridge_identity *id, struct error *err);

enum cartridge_mode {
    CARTRIDGE_READ_ONLY,
    CARTRIDGE_READ_WRITE, /* takes the writer's lock: ERR_BUSY if another handle has it */
};

struct cartridge;

/* Open and, in CARTRIDGE_READ_WRITE, recover the cartridge in store.  The position is the beginning
 * of partition 0.  The store stays the caller's and must outlive *out.
 * Errors: ERR_FORMAT (not a cartridge, or a newer version), ERR_CORRUPT, ERR_BUSY, ERR_IO. */
int cartridge_open(struct store *store, enum cartridge_mode mode, struct cartridge **out,
                   struct error *err);

/* Close without syncing what was not synced (call cartridge_sync() first to keep it); NULL is
 * allowed. */
void cartridge_close(struct cartridge *c);

const struct cartridge_identity *cartridge_identity(const struct cartridge *c);

/* ---- partitions -----------------------------------------------------------------------------
 */

/* How many there are, 1 .. CARTRIDGE_PARTITIONS. */
unsigned cartridge_partition_count(const struct cartridge *c);

/* Native bytes of a partition; 0 if there is no such one. */
uint64_t cartridge_partition_capacity(const struct cartridge *c, uint32_t partition);

/* Behind so many native bytes of the partition early warning is on; at most half of a partition of
 * a divided tape lies behind it. */
uint64_t cartridge_early_warning(const struct cartridge *c, uint32_t partition);

/* Empty the tape and divide it (FORMAT MEDIUM, SET CAPACITY): partition i holds capacities[i]
 * native bytes, together at most identity.capacity.  Atomic, durable on return.  What was on the
 * tape goes to limbo and can be undone (it is a point of cartridge_points(), and undoing brings the
 * old division back as well).  The attributes of partitions 1.. are gone, those of 0 stay.
 * Position: beginning of partition 0. Errors: ERR_PROTECTED (also WORM with anything written on
 * it), ERR_RANGE, else as cartridge_sync(). */
int cartridge_format(struct cartridge *c, const uint64_t *capacities, unsigned count,
                     struct error *err);

/* See what a writer has committed since; the position is kept.  Read-only handles only. */
int cartridge_refresh(struct cartridge *c, struct error *err);

/* ---- position ------------------------------------------------------------------------------ */

struct cartridge_position {
    uint32_t partition;
    uint64_t lba;      /* address of the next object to be read or written */
    uint64_t file;     /* number of filemarks before it */
    uint64_t eod_lba;  /* address of end of data in this partition */
    uint64_t unsynced; /* objects written but not yet synced, in all partitions */
    uint64_t unsynced_bytes;
    bool early_warning; /* the position is behind the early-warning point, or the store nearly full
                         */
    uint64_t used;      /* native bytes from the beginning of the partition to the position */
    uint64_t remaining; /* native bytes left in the partition behind end of data */
};

void cartridge_tell(const struct cartridge *c, struct cartridge_position *pos);

/* ---- writing -------------------------------------------------------------------------------- */

/* Write one block of len bytes (1 .. CARTRIDGE_BLOCK_MAX) at the position and step over it.
 * Everything behind it is gone for the host (and kept in limbo for undo).  The data is copied.
 * *early_warning (may be NULL) is set if the block lies behind the early-warning point, or if the
 * store is nearly full: then it goes on to be so like a tape, with room for some more blocks, at
 * the end for filemarks and a sync. Errors: ERR_END_OF_TAPE (nothing was written; the partition or
 * the store is full), ERR_PROTECTED (read-only, write-protected, WORM), ERR_IO and ERR_NO_SPACE:
 * what was written since the last good sync, this block with it, could not be stored anywhere and
 * is lost; the end of data and the position are where that sync left them, and until the position
 * is set or something is read, writing is ERR_STATE, so that a host that has not understood can't
 * go on in the wrong place. */
int cartridge_write(struct cartridge *c, const void *data, uint32_t len, bool *early_warning,
                    struct error *err);

/* How the bytes that are stored of a block came from those the host wrote. */
enum cartridge_compression {
    CARTRIDGE_PLAIN = 0,
    CARTRIDGE_LZ4 = 1,
    CARTRIDGE_ZSTD = 2,
};

/* A block as it is stored.  The cartridge keeps this and does not look into it; the record's own
 * CRC covers all of it. */
struct cartridge_block {
    uint32_t length;         /* as the host wrote it, without protection: 1..CARTRIDGE_BLOCK_MAX */
    uint32_t stored;         /* bytes that are stored: 1..CARTRIDGE_STORED_MAX; what it costs in
                              * native bytes.  length, if it is plain and not encrypted */
    uint8_t compression;     /* enum cartridge_compression */
    uint8_t encryption;      /* 0 none, 1 AES-256-GCM */
    uint8_t protection;      /* the host's logical block protection: 0 none, 1 RS-CRC, 2 CRC32C */
    uint32_t protection_crc; /* ... as the host sent it, over the plain block; 0 without */
};

/* As cartridge_write(), of a block in its stored form.  ERR_RANGE: not a possible block. */
int cartridge_write_block(struct cartridge *c, const struct cartridge_block *block,
                          const void *stored, bool *early_warning, struct error *err);

/* Write count blocks that all have this content; they are stored once.  For tests of full tapes. */
int cartridge_write_run(struct cartridge *c, const void *data, uint32_t len, uint32_t count,
                        bool *early_warning, struct error *err);

/* Write count filemarks (0 is allowed and does nothing); errors as cartridge_write(). */
int cartridge_write_filemarks(struct cartridge *c, uint32_t count, bool *early_warning,
                              struct error *err);

/* Make everything written so far durable.  On failure the data since the last good sync has been
 * rewritten to a fresh segment and synced there if that was possible (then 0 is returned);
 * otherwise ERR_IO or ERR_NO_SPACE, *lost (may be NULL) is the address of the first object that is
 * lost, and the end of data is put back there (then ERR_STATE as for cartridge_write()).  One
 * sync of the store for what was written since, and a superblock the first time in a segment. */
int cartridge_sync(struct cartridge *c, uint64_t *lost, struct error *err);

/* End the data at the position (ERASE short). Synced when it returns. */
int cartridge_erase(struct cartridge *c, struct error *err);

/* Give up for good all that is not on the tape any more: what was cut off, overwritten or erased,
 * so that nobody can read it again by any means (ERASE long, after cartridge_erase()).  Afterwards
 * there is nothing to undo, whatever the retention.  The first call says so durably, and each call
 * deletes at most `most` objects of the store; *left are still to be deleted: go on until it is 0.
 * What a crash leaves of them goes with the next open.  WORM keeps what it has.  Errors as
 * cartridge_sync(); ERR_IO: not everything is gone. */
int cartridge_purge(struct cartridge *c, uint32_t most, uint64_t *left, struct error *err);

/* Write protection by the tab of the cartridge; survives close. */
int cartridge_set_protected(struct cartridge *c, bool on, struct error *err);
bool cartridge_protected(const struct cartridge *c);

/* ---- reading and moving ---------------------------------------------------------------------- */

/* Read the block at the position into buf.  *len is the block's true length, also when it is larger
 * than size: then the first size bytes are in buf, the position is behind the block and ERR_LENGTH
 * is returned.  ERR_FILEMARK: the position is behind the filemark.  ERR_END_OF_DATA: at end of
 * data, unchanged.  ERR_CORRUPT: the position is behind the damaged block.  ERR_ENCRYPTED: *len is
 * set, the position is unchanged. */
int cartridge_read(struct cartridge *c, void *buf, size_t size, uint32_t *len, struct error *err);

/* The host is reading on: get what comes next from the store, and check it, before it is asked for.
 * What can't be read is not told here, but to who reads it. */
void cartridge_read_ahead(struct cartridge *c);

/* The block at the position with its stored bytes as they are; position and errors as
 * cartridge_read(), but ERR_LENGTH if block->stored > size.  *block is filled in with ERR_LENGTH,
 * too, and all zero with other errors. */
int cartridge_read_block(struct cartridge *c, void *stored, size_t size,
                         struct cartridge_block *block, struct error *err);

/* May there be blocks on it, or in limbo, that are compressed, encrypted or protected? */
bool cartridge_has_stored_forms(const struct cartridge *c);

/* What the last ERR_IO or ERR_NO_SPACE has taken off the tape, in the order it was written: the
 * next block, as cartridge_read_block() gives it, or ERR_FILEMARK.  The position does not move.
 * ERR_NOT_FOUND: there is no more; until something is written again it was in memory. */
int cartridge_recover_block(struct cartridge *c, void *stored, size_t size,
                            struct cartridge_block *block, struct error *err);

void cartridge_rewind(struct cartridge *c); /* beginning of the present partition */

/* To object lba of partition; beyond end of data: at end of data, ERR_END_OF_DATA. */
int cartridge_locate(struct cartridge *c, uint32_t partition, uint64_t lba, struct error *err);

/* To the beginning of file number file (behind that many filemarks); ERR_END_OF_DATA as above. */
int cartridge_locate_file(struct cartridge *c, uint32_t partition, uint64_t file,
                          struct error *err);

void cartridge_locate_end(struct cartridge *c); /* end of data of the present partition */

/* Move over count blocks (negative: backwards).  *moved is the number of blocks moved over, always
 * >= 0.  A filemark ends the motion: ERR_FILEMARK, the position is on its far side in the direction
 * of motion.  ERR_END_OF_DATA, ERR_BEGIN: the position is there. */
int cartridge_space_blocks(struct cartridge *c, int64_t count, uint64_t *moved, struct error *err);

/* Move over count filemarks: forwards to behind the count-th, backwards to before it.  *moved, and
 * ERR_END_OF_DATA and ERR_BEGIN, as above.  O(log n). */
int cartridge_space_filemarks(struct cartridge *c, int64_t count, uint64_t *moved,
                              struct error *err);

/* Forwards to behind (backwards: before) the next run of count consecutive filemarks. */
int cartridge_space_sequential_filemarks(struct cartridge *c, int64_t count, struct error *err);

/* How long overwritten data is kept for undo, and how much of it at most; 0: nothing.  Durable on
 * return; what is kept longer than that now goes with the next change of the tape. */
int cartridge_set_retention(struct cartridge *c, uint64_t limbo_bytes, int64_t limbo_ns,
                            struct error *err);

/* ---- attributes of the medium (MAM) ------------------------------------------------------------
 */

/* Small named values kept with a partition (SPC-5 section 7.4); those of the medium are partition
 * 0's.  Set is durable on return; len 0 takes it away.  get: *len in = room, out = true length;
 * ERR_NOT_FOUND.  ERR_RANGE: no such partition. */
int cartridge_attribute_set(struct cartridge *c, uint32_t partition, uint16_t id, const void *value,
                            size_t len, struct error *err);
int cartridge_attribute_get(const struct cartridge *c, uint32_t partition, uint16_t id, void *value,
                            size_t *len, struct error *err);

/* ---- undo --------------------------------------------------------------------------------------
 */

/* A point to go back to: the tape as it was until something was overwritten, erased or undone. */
struct cartridge_point {
    uint64_t generation;               /* its name */
    int64_t ended_ns;                  /* until when it was the tape, ns since 1970 */
    uint64_t objects, filemarks, used; /* of all partitions */
};

typedef int cartridge_point_fn(void *ctx, const struct cartridge_point *point);

/* The points whose data is there, the newest first.  A non-zero return of fn ends the walk and is
 * returned. */
int cartridge_points(struct cartridge *c, cartridge_point_fn *fn, void *ctx, struct error *err);

/* Make the tape what it was at a point, atomically; durable on return.  What is taken off it by
 * that is a point in turn, and all older points stay.  Attributes are not touched.  The position is
 * the beginning of partition 0.  ERR_PROTECTED: write-protected, WORM or open for reading only;
 * ERR_NOT_FOUND: no such point; ERR_NO_SPACE: limbo may not keep what would be taken off, nothing
 * was changed; else as cartridge_sync(). */
int cartridge_undo(struct cartridge *c, uint64_t generation, struct error *err);

/* ---- checking ----------------------------------------------------------------------------------
 */

/* How closely to look; each looks at all that the one before does, too. */
enum cartridge_depth {
    CARTRIDGE_HEADERS,    /* superblocks, map, headers of segments and records, chain, indexes */
    CARTRIDGE_PAYLOADS,   /* the CRC of each payload */
    CARTRIDGE_PROTECTION, /* each block is decoded, and the CRC holds that its host sent with it */
};

struct cartridge_report {
    uint64_t blocks, filemarks, bytes; /* that are good */
    uint64_t damaged;                  /* objects that are not */
    uint64_t first_damaged;            /* address of the first of them */
    uint64_t protected_blocks; /* CARTRIDGE_PROTECTION: of blocks, those with a host's CRC */
    uint64_t unchecked;        /* ... and beside blocks: stored well, but encrypted */
};

/* Look at every record of every partition.  ERR_CORRUPT if anything is damaged; *report is filled
 * in all the same.  Position afterwards: beginning. */
int cartridge_check(struct cartridge *c, enum cartridge_depth depth,
                    struct cartridge_report *report, struct error *err);

/* As cartridge_check() of CARTRIDGE_PAYLOADS. */
int cartridge_verify(struct cartridge *c, struct cartridge_report *report, struct error *err);

/* ---- clones ------------------------------------------------------------------------------------
 */

struct cartridge_cloned {
    uint64_t
        segments; /* of the clone; those it took over share their bytes with the source, if ... */
    bool shared;  /* ... the stores can do that for all of them; else they were copied */
    uint64_t objects; /* on its tape */
};

/* Make in the store `to`, which must hold no objects (ERR_EXISTS), another cartridge with what is
 * committed on the one in `source`: partitions, blocks as they are stored, what hosts noted about
 * them, WORM; not its undo points, its write protection, the history of its medium.  The source is
 * only read, and may have a writer; ERR_BUSY: that one has just overwritten what was to be cloned.
 * Durable on return; before, a crash leaves no cartridge in `to`, or all of it.  On failure what
 * was made is removed.  Other errors: ERR_RANGE (the barcode), as cartridge_open(), as
 * store_clone(). */
int cartridge_clone(struct store *source, struct store *to, const char *barcode,
                    struct cartridge_cloned *report, struct error *err);

/* ---- when both superblocks are gone ------------------------------------------------------------
 */

struct cartridge_rebuilt {
    uint64_t segments; /* that the tape is made of, or that are in limbo */
    uint64_t left_out; /* that are damaged, were never committed, or have no place on it */
    uint64_t objects;  /* on the tape now */
};

/* Make a superblock out of the segments in store, of which no handle may be open for writing.  The
 * cartridge is write-protected afterwards, as not everything can be known: erasing without writing,
 * undo, attributes and the capacities of partitions are not in the segments.
 * ERR_EXISTS: it has a good superblock; ERR_BUSY; ERR_CORRUPT; else as cartridge_open(). */
int cartridge_rebuild(struct store *store, struct cartridge_rebuilt *report, struct error *err);

#endif
