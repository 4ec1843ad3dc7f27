/* SPDX-License-Identifier: Apache-2.0 */
/* test_cartridge_scrub.c - how closely a cartridge is checked, scrubs, and the quarantine. */
#include "tests/unit/test_cartridge.h"

#include "common/bytes.h"
#include "common/crc32c.h"
#include "vtl/cartridge/codec.h"
#include "vtl/cartridge/format.h"
#include "vtl/cartridge/scrub.h"

#define TAPE        "bbbbbbbfbbbffbbbbbbbbbbbbbbbbbbbb"
#define TAPE_LENGTH (sizeof(TAPE) - 1)
#define DAMAGED     18 /* a block in the middle of it */

static struct store *written(const char *letters)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);

    write_tape(c, letters);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    return disk;
}

static struct cartridge *open_reading(struct store *disk)
{
    struct cartridge *c = NULL;

    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_ONLY, &c, &err), err);
    return c;
}

/* Flip a bit in the payload of block lba; again: heal it. */
static void flip_block(struct store *disk, uint64_t lba)
{
    uint8_t raw[RECORD_HEADER_SIZE];
    char name[STORE_NAME_MAX + 1];
    struct record r;
    size_t got;

    for (unsigned seq = 1; seq < 64; seq++) {
        uint64_t offset = SEGMENT_HEADER_SIZE;

        snprintf(name, sizeof(name), "seg-%016x", seq);
        while (store_read(disk, name, offset, raw, sizeof(raw), &got, NULL) == 0 &&
               got == sizeof(raw) && record_decode(raw, &r)) {
            if (r.type == RECORD_DATA && r.lba == lba) {
                CHECK_OK(simdisk_flip(disk, name, offset + RECORD_HEADER_SIZE + 3, 2, &err), err);
                return;
            }
            offset += record_extent(r.stored);
        }
    }
    CU_FAIL_FATAL("no such block");
}

static int scrub(struct store *disk, bool restart, struct cartridge_scrub_report *report)
{
    struct cartridge_scrub_options options = {.restart = restart};
    struct cartridge *c = open_reading(disk);
    int rc = cartridge_scrub(c, &options, report, &err);

    cartridge_close(c);
    return rc;
}

struct list {
    struct cartridge_quarantine items[8];
    size_t count;
};

static int take(void *ctx, const struct cartridge_quarantine *entry)
{
    struct list *l = ctx;

    CU_ASSERT_TRUE_FATAL(l->count < 8);
    l->items[l->count++] = *entry;
    return 0;
}

static struct list quarantine(struct store *disk)
{
    struct cartridge *c = open_reading(disk);
    struct list l = {.count = 0};

    CU_ASSERT_EQUAL(cartridge_quarantine(c, take, &l), 0);
    cartridge_close(c);
    return l;
}

/* Everything but block `but` is read, and that one is said to be damaged, in its place. */
static void check_reads(struct store *disk, uint64_t but)
{
    struct cartridge *c = open_reading(disk);
    uint8_t buf[2000];
    uint32_t len;

    for (unsigned i = 0; i < TAPE_LENGTH; i++) {
        if (i == but) {
            CHECK_FAILS(cartridge_read(c, buf, sizeof(buf), &len, &err), ERR_CORRUPT, err);
            CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "block 18"));
        } else if (TAPE[i] == 'f') {
            CU_ASSERT_EQUAL(cartridge_read(c, buf, sizeof(buf), &len, &err), -ERR_FILEMARK);
        } else {
            CU_ASSERT_TRUE(reads_block(c, i));
        }
    }
    CU_ASSERT_TRUE(at(c, TAPE_LENGTH, 3));
    cartridge_close(c);
}

/* ---- scrubs ---------------------------------------------------------------------------------- */

static void test_good(void)
{
    struct store *disk = written(TAPE);
    struct cartridge_scrub_report report;
    struct cartridge_scrub_state state;
    struct cartridge *c = open_reading(disk);

    cartridge_scrub_state(c, &state);
    CU_ASSERT_TRUE(!state.scrubbed && state.segments > 3 && state.verified == 0);
    cartridge_close(c);
    CHECK_OK(scrub(disk, false, &report), err);
    CU_ASSERT_EQUAL(report.segments, state.segments);
    CU_ASSERT_EQUAL(report.before, 0);
    CU_ASSERT_EQUAL(report.found.blocks, TAPE_LENGTH - 3);
    CU_ASSERT_EQUAL(report.found.filemarks, 3);
    c = open_reading(disk);
    cartridge_scrub_state(c, &state);
    CU_ASSERT_TRUE(state.scrubbed && !state.unfinished && state.verified == state.segments);
    CU_ASSERT_TRUE(state.oldest_ns > 0 && state.quarantined == 0);
    cartridge_close(c);
    CHECK_OK(scrub(disk, false, &report), err); /* the next one is a whole one */
    CU_ASSERT_TRUE(report.segments == state.segments && !report.resumed);
    check_reads(disk, UINT64_MAX);
    store_close(disk);
}

static void test_damage(void)
{
    struct store *disk = written(TAPE);
    struct cartridge_scrub_report report;
    struct list l;

    flip_block(disk, DAMAGED);
    CHECK_FAILS(scrub(disk, false, &report), ERR_CORRUPT, err);
    CU_ASSERT_TRUE(report.found.damaged == 1 && report.found.first_damaged == DAMAGED);
    CU_ASSERT_EQUAL(report.found.blocks, TAPE_LENGTH - 3 - 1);
    l = quarantine(disk);
    CU_ASSERT_EQUAL_FATAL(l.count, 1);
    CU_ASSERT_TRUE(l.items[0].partition == 0 && l.items[0].lba == DAMAGED &&
                   l.items[0].count == 1 && l.items[0].found_ns > 0);
    check_reads(disk, DAMAGED);

    /* It is the list that says so now, not the block. */
    flip_block(disk, DAMAGED);
    check_reads(disk, DAMAGED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "quarantine"));
    CHECK_OK(scrub(disk, false, &report), err);
    CU_ASSERT_EQUAL(quarantine(disk).count, 0);
    check_reads(disk, UINT64_MAX);
    store_close(disk);
}

/* Three beside each other and one elsewhere: two entries, four objects. */
static void test_neighbours(void)
{
    struct store *disk = written(TAPE);
    struct cartridge_scrub_report report;
    uint64_t objects = 0;
    struct list l;

    for (uint64_t lba = 1; lba < 4; lba++)
        flip_block(disk, lba);
    flip_block(disk, 30);
    CHECK_FAILS(scrub(disk, false, &report), ERR_CORRUPT, err);
    l = quarantine(disk);
    for (size_t i = 0; i < l.count; i++)
        objects += l.items[i].count;
    CU_ASSERT_TRUE(objects == 4 && report.found.damaged == 4 && report.found.first_damaged == 1);
    CU_ASSERT_TRUE(l.count >= 2 && l.items[0].lba == 1 && l.items[l.count - 1].lba == 30);
    store_close(disk);
}

static void test_overwritten(void)
{
    struct store *disk = written(TAPE);
    struct cartridge_scrub_report report;
    struct cartridge *c;

    flip_block(disk, DAMAGED);
    CHECK_FAILS(scrub(disk, false, &report), ERR_CORRUPT, err);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(cartridge_locate(c, 0, DAMAGED, &err), err);
    write_tape(c, "bb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_locate(c, 0, DAMAGED, &err), err);
    CU_ASSERT_TRUE(reads_block(c, DAMAGED)); /* also by the handle that knew the old one */
    cartridge_close(c);
    CU_ASSERT_EQUAL(quarantine(disk).count, 0);
    CHECK_OK(scrub(disk, false, &report), err);
    store_close(disk);
}

/* ---- interruption ---------------------------------------------------------------------------- */

struct patience {
    unsigned left; /* calls */
    struct cartridge_scrub_progress last;
};

static int run_out(void *ctx, const struct cartridge_scrub_progress *progress, struct error *e)
{
    struct patience *p = ctx;

    CU_ASSERT_TRUE(progress->done >= p->last.done && progress->done <= progress->total);
    p->last = *progress;
    return p->left-- ? 0 : error_set(e, ERR_CANCELLED, "it was enough");
}

static void test_resume(void)
{
    struct store *disk = written(TAPE);
    struct cartridge_scrub_report report, first = {0};
    struct cartridge_scrub_state state;
    struct cartridge *c = open_reading(disk);
    unsigned calls = 0;

    cartridge_scrub_state(c, &state);
    cartridge_close(c);
    do { /* a little longer each time, until something was done */
        struct patience p = {.left = ++calls};
        struct cartridge_scrub_options options = {.step = run_out, .ctx = &p};

        c = open_reading(disk);
        CHECK_FAILS(cartridge_scrub(c, &options, &report, &err), ERR_CANCELLED, err);
        cartridge_close(c);
        first.segments += report.segments;
    } while (first.segments < 2);
    c = open_reading(disk);
    cartridge_scrub_state(c, &state);
    CU_ASSERT_TRUE(state.unfinished && state.verified == first.segments && state.oldest_ns == 0);
    cartridge_close(c);
    CHECK_OK(scrub(disk, false, &report), err);
    CU_ASSERT_TRUE(report.resumed && report.before == first.segments);
    CU_ASSERT_EQUAL(report.before + report.segments, state.segments);

    c = open_reading(disk);
    CU_ASSERT_EQUAL(cartridge_scrub(c,
                                    &(struct cartridge_scrub_options){
                                        .step = run_out, .ctx = &(struct patience){.left = calls}},
                                    &report, &err),
                    -ERR_CANCELLED);
    cartridge_close(c);
    CHECK_OK(scrub(disk, true, &report), err);
    CU_ASSERT_TRUE(!report.resumed && report.before == 0 && report.segments == state.segments);
    store_close(disk);
}

static void test_beside_a_writer(void)
{
    struct store *disk;
    struct cartridge *writer = new_tape(&disk), *c;
    struct cartridge_scrub_report report;
    struct cartridge_scrub_state state;

    CHECK_FAILS(cartridge_scrub(writer, &(struct cartridge_scrub_options){0}, &report, &err),
                ERR_STATE, err);
    write_tape(writer, TAPE);
    CHECK_OK(cartridge_sync(writer, NULL, &err), err);
    CHECK_OK(scrub(disk, false, &report), err);
    CU_ASSERT_EQUAL(report.found.blocks, TAPE_LENGTH - 3);
    write_tape(writer, "bb");
    CHECK_OK(cartridge_sync(writer, NULL, &err), err);
    c = open_reading(disk);
    cartridge_scrub_state(c, &state);
    CU_ASSERT_EQUAL(state.verified + 1, state.segments); /* the open one has grown */
    cartridge_close(c);
    cartridge_close(writer);
    CHECK_OK(scrub(disk, false, &report), err);
    CU_ASSERT_EQUAL(report.found.blocks, TAPE_LENGTH - 3 + 2);
    store_close(disk);
}

/* ---- hostile objects ------------------------------------------------------------------------- */

static void seal(uint8_t *raw, size_t len)
{
    put_le32(raw + 56, crc32c(raw + 64, len - 64));
    put_le32(raw + 60, crc32c(raw, 60));
}

/* Says nothing, does no harm, and is written anew. */
static void check_ignored(struct store *disk, const uint8_t *raw, size_t len)
{
    struct cartridge_scrub_state state;
    struct cartridge *c;

    CHECK_OK(store_put(disk, "scrub", raw, len, &err), err);
    c = open_reading(disk);
    cartridge_scrub_state(c, &state);
    CU_ASSERT_TRUE(!state.scrubbed && state.verified == 0 && state.quarantined == 0);
    cartridge_close(c);
    check_reads(disk, UINT64_MAX);
}

static void test_hostile_object(void)
{
    struct store *disk = written(TAPE);
    struct cartridge_scrub_report report;
    uint8_t good[4096], raw[4096];
    size_t len, mark = 64, bad;

    flip_block(disk, DAMAGED);
    CHECK_FAILS(scrub(disk, false, &report), ERR_CORRUPT, err);
    flip_block(disk, DAMAGED);
    CHECK_OK(store_read(disk, "scrub", 0, good, sizeof(good), &len, &err), err);
    bad = len - 48;
    CU_ASSERT_EQUAL_FATAL(get_le64(good + bad + 16), DAMAGED);
    for (size_t i = 0; i < len; i++) { /* any bit */
        memcpy(raw, good, len);
        raw[i] = (uint8_t)(raw[i] ^ 1u << i % 8);
        check_ignored(disk, raw, len);
    }
    for (size_t i = 0; i < len; i += 7) /* any length */
        check_ignored(disk, good, i);
    static const struct {
        size_t at; /* from a mark or from the bad one */
        bool of_bad;
        uint64_t value;
    } lies[] = {
        {0, false, 0},          {0, false, UINT64_MAX}, {32, false, UINT64_MAX},
        {0, true, 0},           {16, true, UINT64_MAX}, {24, true, 0},
        {24, true, UINT64_MAX}, {32, true, UINT64_MAX}, {40, true, CARTRIDGE_PARTITIONS},
    };
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        memcpy(raw, good, len);
        put_le64(raw + (lies[i].of_bad ? bad : mark) + lies[i].at, lies[i].value);
        seal(raw, len);
        check_ignored(disk, raw, len);
    }
    memcpy(raw, good, len);
    put_le32(raw + 44, UINT32_MAX); /* more than there are */
    seal(raw, len);
    check_ignored(disk, raw, len);
    memcpy(raw, good, len);
    raw[20] ^= 1; /* another cartridge's */
    seal(raw, len);
    check_ignored(disk, raw, len);
    memcpy(raw, good, len);
    raw[bad + 8] ^= 1; /* another segment's: what stands in it holds, but for no block */
    seal(raw, len);
    CHECK_OK(store_put(disk, "scrub", raw, len, &err), err);
    check_reads(disk, UINT64_MAX);
    CU_ASSERT_EQUAL(quarantine(disk).count, 0);
    CHECK_OK(scrub(disk, false, &report), err);
    store_close(disk);
}

/* A disk that refuses one read, each of them in turn: the block is damaged, or the segment could
 * not be read; the scrub goes on behind it, and the next one finds everything good. */
static void test_unreadable(void)
{
    struct store *disk = written(TAPE), *faulty = NULL;
    struct cartridge_scrub_report report;
    unsigned blocks = 0, segments = 0, advice = 0, nth = 0;
    bool hit = true;

    CHECK_OK(fault_open(disk, 1, &faulty, &err), err);
    while (hit) {
        struct cartridge *c = open_reading(faulty);
        struct cartridge_scrub_options options = {.restart = true};
        uint64_t hits = fault_hits(faulty);
        int rc;

        CHECK_OK(
            fault_add(faulty, &(struct fault_rule){FAULT_READ, FAULT_ERROR, ++nth, 1, 0, 0}, &err),
            err);
        rc = cartridge_scrub(c, &options, &report, &err);
        cartridge_close(c);
        fault_clear(faulty);
        hit = fault_hits(faulty) > hits;
        CU_ASSERT_EQUAL(report.found.damaged, rc == -ERR_CORRUPT);
        CU_ASSERT_EQUAL(report.unreadable, rc == -ERR_IO);
        CU_ASSERT_EQUAL(quarantine(faulty).count, rc == -ERR_CORRUPT);
        CU_ASSERT_TRUE(hit || rc == 0);
        advice += hit && rc == 0;
        blocks += rc == -ERR_CORRUPT;
        segments += rc == -ERR_IO;
        CHECK_OK(scrub(faulty, rc == -ERR_CORRUPT, &report), err);
        CU_ASSERT_TRUE(rc != -ERR_IO || (report.resumed && report.segments == 1));
        CU_ASSERT_EQUAL(quarantine(faulty).count, 0);
    }
    CU_ASSERT_EQUAL(blocks, TAPE_LENGTH - 3);
    CU_ASSERT_TRUE(segments > 3);
    CU_ASSERT_EQUAL(advice, 1); /* what another scrub may have saved */
    store_close(faulty);
}

/* ---- several at work ------------------------------------------------------------------------- */

/* Another scrub, of the whole tape, in the middle of ours. */
struct meddler {
    struct store *disk;
    unsigned left; /* calls before it comes */
};

static int meddle(void *ctx, const struct cartridge_scrub_progress *progress, struct error *e)
{
    struct meddler *m = ctx;
    struct cartridge_scrub_report report;

    (void)progress;
    (void)e;
    if (m->left && --m->left == 0)
        CHECK_FAILS(scrub(m->disk, true, &report), ERR_CORRUPT, err);
    return 0;
}

/* What the other one found is kept, wherever in ours it came, and ours is whole all the same. */
static void test_two_scrubs(void)
{
    for (unsigned at_call = 1; at_call < 45; at_call += 4) {
        struct store *disk = written(TAPE);
        struct meddler m = {disk, at_call};
        struct cartridge_scrub_options options = {.step = meddle, .ctx = &m};
        struct cartridge_scrub_report report;
        struct cartridge_scrub_state state;
        struct cartridge *c = open_reading(disk);

        flip_block(disk, 1);
        flip_block(disk, 30);
        CHECK_FAILS(cartridge_scrub(c, &options, &report, &err), ERR_CORRUPT, err);
        CU_ASSERT_EQUAL(m.left, 0);
        cartridge_close(c);
        c = open_reading(disk);
        cartridge_scrub_state(c, &state);
        CU_ASSERT_TRUE(state.quarantined == 2 && !state.unfinished);
        CU_ASSERT_EQUAL(state.verified, state.segments);
        cartridge_close(c);
        store_close(disk);
    }
}

/* Two savers that both loaded the object before either saved: neither loses what the other has. */
static void test_late_saver(void)
{
    struct store *disk = written(TAPE);
    struct cartridge_scrub_report report;
    struct cartridge *late = open_reading(disk);
    struct list l;

    flip_block(disk, DAMAGED);
    CHECK_FAILS(scrub(disk, false, &report), ERR_CORRUPT, err);
    CU_ASSERT_EQUAL(cartridge_scrub(late,
                                    &(struct cartridge_scrub_options){
                                        .step = run_out, .ctx = &(struct patience){.left = 1}},
                                    &report, &err),
                    -ERR_CANCELLED);
    cartridge_close(late);
    l = quarantine(disk);
    CU_ASSERT_TRUE(l.count == 1 && l.items[0].lba == DAMAGED);
    store_close(disk);
}

/* A drive that has the cartridge loaded learns of it a second later, without being told. */
static void test_live_drive(void)
{
    struct store *disk = written(TAPE);
    struct cartridge_scrub_report report;
    struct cartridge *c = NULL;
    uint8_t buf[2000];
    uint32_t len;

    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CU_ASSERT_TRUE(reads_block(c, 0));
    flip_block(disk, DAMAGED);
    CHECK_FAILS(scrub(disk, false, &report), ERR_CORRUPT, err);
    flip_block(disk, DAMAGED); /* only the list knows now */
    CHECK_OK(cartridge_locate(c, 0, DAMAGED, &err), err);
    CU_ASSERT_TRUE(reads_block(c, DAMAGED));
    simdisk_advance(disk, 1100000000);
    CHECK_OK(cartridge_locate(c, 0, DAMAGED, &err), err);
    CHECK_FAILS(cartridge_read(c, buf, sizeof(buf), &len, &err), ERR_CORRUPT, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "quarantine"));
    CHECK_OK(scrub(disk, false, &report), err);
    simdisk_advance(disk, 1100000000);
    CHECK_OK(cartridge_locate(c, 0, DAMAGED, &err), err);
    CU_ASSERT_TRUE(reads_block(c, DAMAGED));
    cartridge_close(c);
    store_close(disk);
}

/* ---- limbo ----------------------------------------------------------------------------------- */

static int first_point(void *ctx, const struct cartridge_point *point)
{
    *(uint64_t *)ctx = point->generation;
    return 1;
}

static struct cartridge_scrub_state state_of(struct store *disk)
{
    struct cartridge *c = open_reading(disk);
    struct cartridge_scrub_state state;

    cartridge_scrub_state(c, &state);
    cartridge_close(c);
    return state;
}

/* Damage in what was overwritten is found, does not harm the tape, and is known after an undo. */
static void test_limbo(void)
{
    struct store *disk = written(TAPE);
    struct cartridge_scrub_report report;
    struct cartridge_scrub_state state;
    struct cartridge *c = NULL;
    uint64_t point = 0;
    struct list l;

    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(cartridge_locate(c, 0, 5, &err), err);
    write_tape(c, "bb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    CHECK_OK(scrub(disk, false, &report), err);
    CU_ASSERT_TRUE(report.limbo_segments > 2 && report.limbo_damaged == 0);
    state = state_of(disk);
    CU_ASSERT_TRUE(state.limbo_verified == state.limbo_segments && state.limbo_segments > 2);
    CU_ASSERT_TRUE(state.verified == state.segments && !state.unfinished);
    flip_block(disk, 6); /* the old one: its segment has the tape's first five as well */
    flip_block(disk, DAMAGED);
    CHECK_OK(scrub(disk, false, &report), err); /* the tape is good */
    CU_ASSERT_TRUE(report.found.damaged == 0 && report.limbo_damaged == 2);
    state = state_of(disk);
    CU_ASSERT_TRUE(state.quarantined == 0 && state.limbo_quarantined == 2);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    (void)cartridge_points(c, first_point, &point, &err);
    CHECK_OK(cartridge_undo(c, point, &err), err);
    cartridge_close(c);
    l = quarantine(disk);
    CU_ASSERT_TRUE(l.count == 2 && l.items[0].lba == 6 && l.items[1].lba == DAMAGED);
    store_close(disk);
}

/* ---- depths ---------------------------------------------------------------------------------- */

static int check_at(struct store *disk, enum cartridge_depth depth, struct cartridge_report *report)
{
    struct cartridge *c = open_reading(disk);
    int rc = cartridge_check(c, depth, report, &err);

    cartridge_close(c);
    return rc;
}

static void test_depths(void)
{
    struct store *disk = written(TAPE);
    struct cartridge_report report;

    flip_block(disk, DAMAGED);
    CHECK_OK(check_at(disk, CARTRIDGE_HEADERS, &report), err);
    CU_ASSERT_TRUE(report.blocks == TAPE_LENGTH - 3 && report.filemarks == 3);
    CHECK_FAILS(check_at(disk, CARTRIDGE_PAYLOADS, &report), ERR_CORRUPT, err);
    CU_ASSERT_TRUE(report.damaged == 1 && report.first_damaged == DAMAGED);
    CHECK_FAILS(check_at(disk, CARTRIDGE_PROTECTION, &report), ERR_CORRUPT, err);
    CU_ASSERT_TRUE(report.damaged == 1 && report.first_damaged == DAMAGED);
    /* A header: the third byte of a record is its type. */
    CHECK_OK(simdisk_flip(disk, "seg-0000000000000001", SEGMENT_HEADER_SIZE + 2, 4, &err), err);
    CHECK_FAILS(check_at(disk, CARTRIDGE_HEADERS, &report), ERR_CORRUPT, err);
    CU_ASSERT_TRUE(report.damaged == 1 && report.first_damaged == 0);
    store_close(disk);
}

/* A good CRC of the host, one that does not fit, a compressed block, an encrypted one. */
static void test_protection(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);
    struct cartridge_block block = {.length = 300, .stored = 300, .protection = 2};
    struct codec *codec = codec_new(&err);
    struct cartridge_report report;
    uint8_t plain[3000], seal_key[CODEC_KEY_SIZE] = {1};
    struct codec_kads kads = {0};
    struct codec_key *key = codec_key_new(seal_key, &kads, false, &err);
    const void *stored;

    memset(plain, 5, sizeof(plain));
    block.protection_crc = crc32c(plain, 300);
    CU_ASSERT_TRUE_FATAL(codec_protection_holds(&block, plain));
    CHECK_OK(cartridge_write_block(c, &block, plain, NULL, &err), err);
    block = (struct cartridge_block){
        .length = 3000, .protection = 2, .protection_crc = crc32c(plain, 3000)};
    CHECK_OK(codec_encode(codec, CARTRIDGE_ZSTD, NULL, plain, &block, &stored, &err), err);
    CHECK_OK(cartridge_write_block(c, &block, stored, NULL, &err), err);
    block = (struct cartridge_block){.length = 3000};
    CHECK_OK(codec_encode(codec, CARTRIDGE_ZSTD, key, plain, &block, &stored, &err), err);
    CHECK_OK(cartridge_write_block(c, &block, stored, NULL, &err), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(check_at(disk, CARTRIDGE_PROTECTION, &report), err);
    CU_ASSERT_TRUE(report.blocks == 2 && report.protected_blocks == 2 && report.unchecked == 1);
    CHECK_OK(check_at(disk, CARTRIDGE_PAYLOADS, &report), err);
    CU_ASSERT_TRUE(report.blocks == 3 && report.unchecked == 0);

    block = (struct cartridge_block){
        .length = 300, .stored = 300, .protection = 2, .protection_crc = 1};
    CHECK_OK(cartridge_write_block(c, &block, plain, NULL, &err), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(check_at(disk, CARTRIDGE_PAYLOADS, &report), err);
    CHECK_FAILS(check_at(disk, CARTRIDGE_PROTECTION, &report), ERR_CORRUPT, err);
    CU_ASSERT_TRUE(report.damaged == 1 && report.first_damaged == 3);
    codec_key_free(key);
    codec_free(codec);
    cartridge_close(c);
    store_close(disk);
}

static const struct check_test tests[] = {
    {"good", test_good},
    {"damage", test_damage},
    {"neighbours", test_neighbours},
    {"overwritten", test_overwritten},
    {"resume", test_resume},
    {"beside_a_writer", test_beside_a_writer},
    {"hostile_object", test_hostile_object},
    {"unreadable", test_unreadable},
    {"two_scrubs", test_two_scrubs},
    {"late_saver", test_late_saver},
    {"live_drive", test_live_drive},
    {"limbo", test_limbo},
    {"depths", test_depths},
    {"protection", test_protection},
};

CHECK_MAIN("cartridge scrub", tests)
