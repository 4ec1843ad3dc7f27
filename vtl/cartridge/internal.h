/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what the files of vtl/cartridge share.
 *
 *   open.c       create, open, recover, refresh, close
 *   identity.c   who the cartridge is, twice
 *   super.c      the superblocks: the map of segments, limbo, attributes; published atomically
 *   map.c        which segments make up a partition, which are in limbo
 *   partition.c  dividing the tape; what a cartridge needs of newer formats
 *   walk.c       reading a segment record by record
 *   index.c      the index of a segment: from its END record, or by a walk
 *   room.c       what the store has room for: a full one looks like the end of the tape
 *   place.c      addresses <-> file numbers <-> native bytes, by binary search
 *   writer.c     the open segment: append, commit, seal, and the rescue when a sync fails
 *   write.c      writing and erasing as the contract has it
 *   read.c       reading blocks
 *   position.c   locate and space
 *   attribute.c  MAM and write protection
 *   undo.c       going back to what was overwritten
 *   purge.c      giving it up for good
 *   verify.c     reading everything
 *   clone.c      another cartridge with the same contents
 *   scrub.c      the same at leisure, remembering what was found; see scrub.h
 *   rebuild.c    a map made of the segments, when both superblocks are gone
 *
 * Invariants:
 *   1. A segment is written by one writer in one go.  It is never reopened for writing, nothing in
 *      it is ever overwritten, its number is never used again.  (What lies behind the end of the
 *      tape in it may be cut off: purge.c.)
 *   2. The segments of a partition's map cover the addresses 0 .. end of data without a hole, in
 *      rising order of their numbers.
 *   3. What a published superblock says is durable: every segment it names was synced before.
 *   4. Data that no good sync has covered is still in the writer's buffer.
 */
#ifndef CAPSTAN_VTL_CARTRIDGE_INTERNAL_H
#define CAPSTAN_VTL_CARTRIDGE_INTERNAL_H

#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/format.h"

#ifndef CARTRIDGE_CHECKS
#define CARTRIDGE_CHECKS "vtl/cartridge/checks.h"
#endif
#include CARTRIDGE_CHECKS

/* A point between two objects of a partition. */
struct place {
    uint64_t lba;  /* objects before it */
    uint64_t file; /* filemarks before it */
    uint64_t used; /* native bytes before it */
};

/* ---- map.c ------------------------------------------------------------------------------------
 */

/* What an entry of limbo may be beside a segment that was cut off: a note of what else the tape was
 * until that generation.  A note has no number, and nothing in the store. */
enum limbo_note {
    NOTE_NONE,
    NOTE_END,      /* partition ended at `end`: another one was cut */
    NOTE_DIVISION, /* it was divided as division_of_note() says, and all of it was cut off */
};

/* The part [first, end) of a partition, and where it is. */
struct segment {
    enum limbo_note note;
    uint64_t seq, epoch;
    uint32_t partition;
    bool sealed;          /* an END record should be at records_end */
    uint64_t records_end; /* behind its last record; 0: it is open, walk it */
    struct place first, end;
    int64_t died_ns;          /* limbo: when it was overwritten, */
    uint64_t died_generation; /* and by which superblock */
};

struct segment_list {
    struct segment *items;
    size_t count, room;
};

/* How the medium is divided; capacities behind count are 0. */
struct division {
    uint32_t count; /* 1 .. CARTRIDGE_PARTITIONS */
    uint64_t capacity[CARTRIDGE_PARTITIONS];
};

struct map {
    struct division division;
    struct segment_list partition[CARTRIDGE_PARTITIONS];
    struct segment_list limbo; /* oldest first */
};

int segment_list_add(struct segment_list *list, const struct segment *seg, struct error *err);
void map_free(struct map *map);

/* The place of end of data. */
struct place map_end(const struct map *map, uint32_t partition);

/* The last segment of partition, NULL if it is empty. */
struct segment *map_last(const struct map *map, uint32_t partition);

/* The segment that holds lba (file: filemark number file), NULL if there is none. */
const struct segment *map_find(const struct map *map, uint32_t partition, uint64_t lba);
const struct segment *map_find_filemark(const struct map *map, uint32_t partition, uint64_t file);

/* End partition at `at`; what is cut off goes to limbo.  On failure nothing has changed. */
int map_cut(struct map *map, uint32_t partition, const struct place *at, int64_t now,
            uint64_t generation, struct error *err);

/* Say in limbo what the dead segments of a generation do not show, for undo: where the partitions
 * of a divided tape ended, except partition `but`; or how it was divided.  A division is the last
 * that is said of its generation. */
int map_note_ends(struct segment_list *limbo, const struct map *of, uint32_t but, int64_t now,
                  uint64_t generation, struct error *err);
int map_note_division(struct segment_list *limbo, const struct division *d, int64_t now,
                      uint64_t generation, struct error *err);
struct division division_of_note(const struct segment *note);

/* What may stand in limbo: are the values of seg possible ones? */
bool map_limbo_sane(const struct segment *seg, uint64_t next_seq, uint64_t capacity);

int map_copy(const struct map *from, struct map *to, struct error *err);

/* The numbers of all segments that the map or limbo needs, for many questions of that kind. */
struct needed {
    uint64_t *numbers; /* sorted */
    size_t count;
};

int needed_make(const struct map *map, struct needed *out, struct error *err);
bool needed_has(const struct needed *needed, uint64_t seq);
void needed_free(struct needed *needed);

/* Is all of seg in its partition? */
bool map_has(const struct map *map, const struct segment *seg);

/* Check invariant 2 of a map that came from outside, on a medium of capacity: ERR_CORRUPT. */
int map_check(const struct map *map, uint64_t next_seq, uint64_t capacity, struct error *err);

/* ---- index.c ----------------------------------------------------------------------------------
 */

/* Where the objects of a segment are. */
struct segment_index {
    uint64_t seq;
    struct index_entry *entries;
    size_t count, room;
    struct index_entry end; /* as if of the record behind the last one */
    const char *damage;     /* why there are damaged entries; NULL if there are none */
};

enum object_kind { OBJECT_BLOCK, OBJECT_FILEMARK, OBJECT_DAMAGED };

/* Append an entry that covers objects, native bytes and filemarks; offset 0: damaged. */
int index_add(struct segment_index *index, uint64_t offset, uint64_t objects, uint64_t bytes,
              uint64_t files, uint64_t end_offset, struct error *err);
void index_start(struct segment_index *index, uint64_t seq, uint64_t first_lba);
void index_cut(struct segment_index *index, size_t count);
void index_free(struct segment_index *index);

static inline const struct index_entry *index_next(const struct segment_index *index, size_t i)
{
    return i + 1 < index->count ? &index->entries[i + 1] : &index->end;
}

enum object_kind index_kind(const struct segment_index *index, size_t i);

#define INDEX_CACHE_SLOTS 4

struct index_cache {
    struct segment_index slots[INDEX_CACHE_SLOTS]; /* the one used last is first; seq 0: free */
};

struct cartridge;

/* The index of seg, from the cache, the open segment, the END record or a walk.  Damage does not
 * fail: what can't be found is covered by OBJECT_DAMAGED entries.  It stays valid until the next
 * call.  ERR_IO, ERR_NO_MEMORY. */
int index_get(struct cartridge *c, const struct segment *seg, const struct segment_index **out,
              struct error *err);
void index_cache_put(struct index_cache *cache, struct segment_index *index); /* takes *index */
void index_cache_free(struct index_cache *cache);

/* Read the index out of the END record of seg; false: there is none that holds. */
int index_load(struct cartridge *c, const struct segment *seg, struct segment_index *index,
               bool *good, struct error *err);

/* ---- walk.c -----------------------------------------------------------------------------------
 */

/* A point of a walk to which it can be cut back. */
struct walk_mark {
    uint64_t offset;
    size_t records; /* entries of the index */
    struct place place;
};

struct walk {
    struct segment_index index;
    uint64_t epoch;
    uint64_t offset; /* of the next header */
    uint64_t header; /* offset of the header before it */
    uint32_t chain;  /* what the next one must carry; chained: compare it */
    bool chained;
    bool broken;              /* it had to be found again behind damage */
    bool end_seen;            /* behind the END record */
    bool skipped_commit;      /* the header before was a COMMIT */
    struct place place;       /* behind the last record */
    struct walk_mark commit;  /* behind the last COMMIT */
    struct walk_mark durable; /* behind the last COMMIT that was synced for certain */
};

/* Start at the header of seg.  Damage to it gives a walk that finds nothing (walk->index.damage).
 */
int walk_start(struct cartridge *c, const struct segment *seg, struct walk *w, struct error *err);

/* Go on until something is no valid successor.  Below `floor` (an address that is known to have
 * been reached) a break is damage: it is covered and the walk goes on behind it. */
int walk_run(struct cartridge *c, const struct segment *seg, uint64_t floor, struct walk *w,
             struct error *err);

/* Check the payloads of the records from..to; *good is the first that does not hold, or to. */
int walk_check_payloads(struct cartridge *c, const struct segment *seg, const struct walk *w,
                        size_t from, size_t to, size_t *good, struct error *err);

/* The mark before index entry number records. */
struct walk_mark walk_mark_at(const struct walk *w, const struct segment *seg, size_t records);

/* What is surely durable of w: up to the published end or the last COMMIT known to have been
 * synced.  Damage before it is no reason to cut the tape; it is told when it is read. */
struct walk_mark walk_trusted(const struct walk *w, const struct segment *seg);
void walk_cut(struct walk *w, const struct walk_mark *mark);
void walk_free(struct walk *w);

/* Read bytes of a segment, out of the writer's buffer if they are there.  *got < len at its end;
 * an object that is missing or no regular file has 0 bytes. */
int segment_read(struct cartridge *c, const struct segment *seg, uint64_t offset, void *buf,
                 size_t len, size_t *got, struct error *err);
void segment_name(uint64_t seq, char out[STORE_NAME_MAX + 1]);
bool segment_number(const char *name, uint64_t *seq); /* false: it is no segment's name */

/* ---- writer.c ---------------------------------------------------------------------------------
 */

/*
 * The open segment of a partition.  Each partition has its own, so that a host that goes to and fro
 * between two of them (LTFS does) goes on in both where it was.  At most one owes a sync: who
 * begins to write in another partition waits for it (write.c).
 *
 *             writer_begin             first good settle              writer_end
 *   closed ------------------> unpublished -----------> published -----------> closed
 *      ^                            |                       |
 *      |     writer_abandon (a rescue failed: data lost)    |
 *      +----------------------------+-----------------------+
 */
struct writer {
    bool open;
    bool published; /* a superblock names the segment */
    bool pending;   /* records behind the last COMMIT */
    uint32_t partition;
    uint64_t seq, epoch;
    uint64_t base;             /* offset of buf[0]: everything before it is durable and named */
    uint8_t *buf;              /* the segment's bytes from base on */
    size_t len, flushed, room; /* of buf: filled, handed to the store, allocated */
    size_t stored;             /* of buf: covered by a good sync */
    uint64_t header;           /* offset of the last header */
    uint32_t chain;
    uint64_t end_offset; /* of the END record; 0: none */
    struct place synced; /* what base stands for */
    struct segment_index index;
};

/* Set aside what w has from `from` on, of which objects from first_lba on are lost; w's buffer is
 * taken.  And let go of it. */
void recover_keep(struct cartridge *c, struct writer *w, size_t from, uint64_t first_lba);
void recover_drop(struct cartridge *c);

struct cartridge_block block_of(const struct record *r);

/* Append a record like `what`: its type, count, lengths, flags and the host's CRC are taken. */
int writer_append(struct cartridge *c, struct writer *w, const struct record *what,
                  const void *data, struct error *err);
int writer_begin(struct cartridge *c, uint32_t partition, struct error *err);

/* Close the segment if nothing was written to it yet: a map with an empty one is none. */
void writer_drop_empty(struct cartridge *c, struct writer *w);

/* Make what w has durable, and publish its segment the first time, if no other partition owes
 * anything.  On failure the buffer still holds what is not. */
int writer_commit(struct cartridge *c, struct writer *w, struct error *err);

/* Hand the buffer over when it is worth it, settle when the window is full, seal a full segment. */
int writer_push(struct cartridge *c, struct writer *w, struct error *err);

/* Make everything of all partitions durable, in fresh segments if it must be.  On failure what
 * could not be saved is lost, the end of data is put back there and that writer is closed. */
int writer_settle(struct cartridge *c, struct error *err);

/* Settle all, then seal and close the segment of w, if it has one. */
int writer_end(struct cartridge *c, struct writer *w, struct error *err);
int writer_end_all(struct cartridge *c, struct error *err);

/* Has a partition other than this one anything that is not synced? */
bool writer_others_owe(const struct cartridge *c, uint32_t partition);
void writer_free(struct writer *w);

/* ---- super.c ----------------------------------------------------------------------------------
 */

struct attributes {
    uint8_t *list; /* {id le16, length le16, value} ... */
    size_t len;
};

struct super {
    uint64_t generation; /* of the last one tried */
    uint64_t published;  /* of the last one that was written for certain */
    uint64_t next_seq;
    bool divided; /* it is written as version 2 */
    bool protect;
    struct map map;
    struct attributes attributes[CARTRIDGE_PARTITIONS];
};

/* Read the newest valid superblock.  *whole: both copies are there, valid and the same. */
int super_load(struct store *store, const struct cartridge_identity *id, struct super *super,
               bool *whole, struct error *err);

/* Write super as the next generation to both places; 0 if at least one has it. */
int super_write(struct store *store, const uint8_t uuid[16], struct super *super,
                struct error *err);
void super_free(struct super *super);

/* Publish c's state, then delete what fell out of limbo.  Everything in the map must be durable. */
int super_publish(struct cartridge *c, struct error *err);

/* Publish with another map, which is taken; no writer may be open.  The position is the beginning
 * then.  On failure all is as before, and is published again with the next sync. */
int super_publish_map(struct cartridge *c, struct map *then, struct error *err);

/* How many of the oldest entries of limbo the next publishing of map would drop. */
size_t super_limbo_expired(const struct cartridge *c, const struct map *map);

/* Give all of limbo back to the store, at once (it is full). */
void super_drop_limbo(struct cartridge *c);

/* ---- verify.c ---------------------------------------------------------------------------------
 */

struct verify {
    enum cartridge_depth depth;
    struct cartridge_report *report;
    /* Told of each record whose objects are damaged; non-zero ends the work and is returned.  With
     * it, a block that the store can't read is a damaged one; without it (NULL), an ERR_IO. */
    int (*damaged)(void *ctx, const struct segment *seg, uint64_t lba, uint64_t count,
                   struct error *err);
    void *ctx;
    uint64_t offset; /* of the record that is looked at */
    bool frame_bad;  /* a segment's header, a COMMIT or an END: no object is damaged by it */
    uint8_t *buf;    /* one record */
    size_t room;
    uint8_t *plain; /* one block, decoded */
    size_t plain_room;
};

/* Check the part of seg that is on the tape, whatever its END record says; the report is added to.
 * verify_free() when all are done. */
int verify_segment(struct cartridge *c, struct verify *v, const struct segment *seg,
                   struct error *err);
void verify_free(struct verify *v);

/* ---- scrub.c ----------------------------------------------------------------------------------
 */

/* When a segment was found as it should be, or its damage was written down. */
struct scrub_mark {
    uint64_t seq, epoch;
    uint64_t end_lba; /* up to there */
    uint64_t pass;
    int64_t verified_ns;
    bool frame_bad;
};

/* Objects of a segment that were found damaged. */
struct scrub_bad {
    uint64_t seq, epoch;
    uint32_t partition;
    uint64_t lba, count;
    int64_t found_ns;
};

struct scrub {
    uint64_t stamp;           /* of the object it was loaded from: its checksums; 0: of none */
    uint64_t pass;            /* its number; 0: there was none */
    bool unfinished;          /* it goes on with the next call */
    struct scrub_mark *marks; /* in rising order of seq */
    size_t mark_count, mark_room;
    struct scrub_bad *bad; /* in rising order of seq, then lba; they do not overlap */
    size_t bad_count, bad_room;
};

/* Take over what the store's object says.  Never fails: what can't be read, or is no such object,
 * says nothing. */
void scrub_load(struct cartridge *c);

/* As scrub_load(), if another one is there than the one loaded; looks at most once a second. */
void scrub_look(struct cartridge *c);
void scrub_free(struct scrub *s);

/* Is lba of seg in quarantine?  Ask only if there is a list (bad_count). */
bool scrub_is_bad(const struct scrub *s, const struct segment *seg, uint64_t lba);

/* ---- the handle -------------------------------------------------------------------------------
 */

struct position {
    uint32_t partition;
    struct place at;
};

struct read_ahead {
    uint8_t *buf;
    size_t room, len;
    uint64_t seq, offset; /* what buf holds: len bytes of segment seq from offset on */
    uint64_t checked;     /* offset in the segment of the record in it that was checked; 0: none */
};

/* What the store had room for when it was asked last. */
struct room {
    bool known;
    uint64_t free, total; /* bytes */
    int64_t asked_ns;
};

/* Records that a writer had to give up, in memory (recover.c). */
struct kept {
    uint8_t *buf; /* NULL: none */
    size_t len, at;
    uint64_t lba;   /* the tape has what is before it */
    uint32_t given; /* objects of the record at `at` that were given out */
};

struct cartridge {
    struct store *store; /* not owned */
    enum cartridge_mode mode;
    struct cartridge_identity identity;
    uint32_t features; /* enum format_feature: those that the identity on the store tells */
    struct super super;
    bool dirty;     /* the map differs from the published one */
    bool branching; /* ... in what the host can see: published by the next sync only */
    bool lost;      /* data was lost: writing is refused until the host positions */
    struct position pos;
    uint32_t lost_partition;    /* where it was lost */
    struct kept kept;           /* ... and what (recover.c) */
    struct segment_list purged; /* only their numbers: to be deleted (purge.c) */
    struct writer writer[CARTRIDGE_PARTITIONS];
    struct walk tail[CARTRIDGE_PARTITIONS]; /* read-only: of the segment that a writer has open;
                                             * index.seq 0: none */
    struct index_cache cache;
    struct read_ahead ahead;
    struct room room;
    struct scrub scrub;
    int64_t scrub_asked_ns; /* when the store was asked last whether it has another one */
    /* Told of all bytes read from segments, if it is there; non-zero ends the reading. */
    int (*meter)(void *ctx, size_t bytes, struct error *err);
    void *meter_ctx;
    struct codec *codec; /* made when a compressed block is read */
    void *plain;         /* of plain_room bytes: a plain block that the caller has no room for */
    size_t plain_room;
};

/* The writer that has segment seq open, or NULL. */
static inline const struct writer *cartridge_writer_of(const struct cartridge *c, uint64_t seq)
{
    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS; p++)
        if (c->writer[p].open && c->writer[p].seq == seq)
            return &c->writer[p];
    return NULL;
}

static inline struct map *cartridge_map(struct cartridge *c)
{
    return &c->super.map;
}

/* ---- identity.c -------------------------------------------------------------------------------
 */

/* Read the identity of c->store, or if it is missing or damaged its copy, into c. */
int cartridge_load_identity(struct cartridge *c, struct error *err);

/* Put the identity and its copy; both are durable when it returns 0. */
int identity_put(struct store *store, const struct cartridge_identity *id, uint32_t features,
                 struct error *err);

/* Are both there, good and the same? */
bool identity_whole(struct cartridge *c);

/* Make them so, if the store lets us: c was loaded, and its writer's lock is taken. */
void identity_mend(struct cartridge *c);

/* ---- open.c -----------------------------------------------------------------------------------
 */

/* ERR_EXISTS: something other than a half-made cartridge is in store. */
int cartridge_check_empty(struct store *store, const char *barcode, struct error *err);

/* ---- room.c -----------------------------------------------------------------------------------
 */

/* Ask the store now. */
void room_ask(struct cartridge *c);

/* Is there room for a record of these native bytes?  ERR_END_OF_TAPE; limbo goes first. */
int room_check(struct cartridge *c, enum record_type type, uint64_t bytes, struct error *err);

/* Is the store so full that early warning is on? */
bool room_low(const struct cartridge *c);

/* ---- write.c ----------------------------------------------------------------------------------
 */

/* ERR_PROTECTED: open for reading only, or the tab is set. */
int check_writable(const struct cartridge *c, struct error *err);

/* ---- partition.c -------------------------------------------------------------------------------
 */

/* The whole of the medium as one partition. */
struct division division_whole(const struct cartridge_identity *id);

bool division_same(const struct division *a, const struct division *b);

/* Is d possible on a medium of this capacity? */
bool division_sane(const struct division *d, uint64_t capacity);

/* Say in the identity that features are used, before they are: an older program must refuse the
 * cartridge with its sentence, and not stumble over what it does not know. */
int cartridge_need(struct cartridge *c, uint32_t features, struct error *err);

/* ---- place.c ----------------------------------------------------------------------------------
 */

struct object {
    enum object_kind kind;
    const struct segment *segment;
    uint64_t offset;    /* of its record in the segment */
    uint64_t first_lba; /* of the record */
    uint32_t count;     /* objects in the record */
    uint32_t stored;    /* bytes that are stored of a block */
    uint64_t left;      /* objects of this kind from the one asked for to the entry's end */
    const char *damage; /* what is wrong, for a message; NULL if not known */
};

/* What is at lba, which is before end of data. */
int place_object(struct cartridge *c, uint32_t partition, uint64_t lba, struct object *out,
                 struct error *err);

/* The place at lba <= end of data. */
int place_of(struct cartridge *c, uint32_t partition, uint64_t lba, struct place *out,
             struct error *err);

/* The address of filemark number n (from 0), which exists. */
int place_filemark(struct cartridge *c, uint32_t partition, uint64_t n, uint64_t *lba,
                   struct error *err);

#endif
