/* SPDX-License-Identifier: Apache-2.0 */
/* test_cartridge_partition.c - partitions: each is a tape of its own, and formatting can be undone.
 */
#include "tests/unit/test_cartridge.h"

#include "common/bytes.h"
#include "common/log.h"
#include "vtl/cartridge/format.h"

#define HALF (1u << 18)

static const uint64_t two[] = {HALF, 2 * HALF};

/* Write n blocks, which tell the partition and the address (from `tag` on), at the position. */
static int put(struct cartridge *c, unsigned n, unsigned tag)
{
    struct cartridge_position pos;
    uint8_t buf[2000];

    for (unsigned i = 0; i < n; i++) {
        int rc;

        cartridge_tell(c, &pos);
        rc = cartridge_write(
            c, buf, block_fill(buf, (unsigned)(pos.lba + pos.partition * 1000 + tag)), NULL, &err);
        if (rc)
            return rc;
    }
    return 0;
}

/* Does the partition hold just `first` blocks of tag 0 and then, up to n, those of tag? */
static bool holds(struct cartridge *c, uint32_t partition, unsigned first, unsigned n, unsigned tag)
{
    struct cartridge_position pos;

    if (cartridge_locate(c, partition, 0, &err) != 0)
        return false;
    for (unsigned i = 0; i < n; i++)
        if (!reads_block(c, i + partition * 1000 + (i < first ? 0 : tag)))
            return false;
    cartridge_tell(c, &pos);
    return pos.eod_lba == n && pos.partition == partition;
}

static int go(struct cartridge *c, uint32_t partition, uint64_t lba)
{
    return cartridge_locate(c, partition, lba, &err);
}

static struct cartridge *new_divided(struct store **disk)
{
    struct cartridge *c = new_tape(disk);

    CHECK_OK(cartridge_format(c, two, 2, &err), err);
    return c;
}

static void crash(struct store *disk, struct cartridge *c)
{
    simdisk_cut_at(disk, 1);
    cartridge_close(c);
    simdisk_power_cut(disk);
}

static int count_object(void *ctx, const char *object, uint64_t size)
{
    (void)size;
    *(unsigned *)ctx += strncmp(object, "seg-", 4) == 0;
    return 0;
}

static unsigned segments(struct store *disk)
{
    unsigned n = 0;

    CHECK_OK(store_list(disk, count_object, &n, &err), err);
    return n;
}

static int first_point(void *ctx, const struct cartridge_point *point)
{
    *(uint64_t *)ctx = point->generation;
    return 1;
}

static uint64_t newest_point(struct cartridge *c)
{
    uint64_t generation = 0;

    (void)cartridge_points(c, first_point, &generation, &err);
    return generation;
}

/* ---- the tests ---------------------------------------------------------------------------------
 */

static void test_division(void)
{
    static const uint64_t bad[] = {1 << 20, 1}, zero[] = {1, 0}, wrap[] = {UINT64_MAX, 1u << 20},
                          five[] = {1, 1, 1, 1, 1};
    struct cartridge_position pos;
    struct cartridge *c;
    struct store *disk;
    uint8_t raw[IDENTITY_SIZE];
    size_t got;

    c = new_tape(&disk);
    CU_ASSERT_EQUAL(cartridge_partition_count(c), 1);
    CHECK_FAILS(go(c, 1, 0), ERR_RANGE, err);
    CHECK_FAILS(cartridge_format(c, bad, 2, &err), ERR_RANGE, err);
    CHECK_FAILS(cartridge_format(c, zero, 2, &err), ERR_RANGE, err);
    CHECK_FAILS(cartridge_format(c, wrap, 2, &err), ERR_RANGE, err);
    CHECK_FAILS(cartridge_format(c, five, 5, &err), ERR_RANGE, err);
    CHECK_FAILS(cartridge_format(c, five, 0, &err), ERR_RANGE, err);
    CHECK_OK(store_read(disk, IDENTITY_OBJECT, 0, raw, sizeof(raw), &got, &err), err);
    CU_ASSERT_EQUAL(get_le32(raw + 8), 1);
    CHECK_OK(cartridge_format(c, five, 4, &err), err);
    CU_ASSERT_EQUAL(cartridge_partition_count(c), 4);
    CHECK_OK(cartridge_format(c, two, 2, &err), err);
    CHECK_OK(store_read(disk, IDENTITY_OBJECT, 0, raw, sizeof(raw), &got, &err), err);
    CU_ASSERT_EQUAL(get_le32(raw + 8), 2);
    for (int again = 0; again < 2; again++) {
        CU_ASSERT_EQUAL(cartridge_partition_count(c), 2);
        CU_ASSERT_EQUAL(cartridge_partition_capacity(c, 0), HALF);
        CU_ASSERT_EQUAL(cartridge_partition_capacity(c, 1), 2 * HALF);
        CU_ASSERT_EQUAL(cartridge_partition_capacity(c, 2), 0);
        CU_ASSERT_EQUAL(cartridge_partition_capacity(c, 77), 0);
        CHECK_FAILS(go(c, 2, 0), ERR_RANGE, err);
        CHECK_OK(go(c, 1, 0), err);
        cartridge_tell(c, &pos);
        CU_ASSERT_EQUAL(pos.remaining, 2 * HALF);
        if (!again)
            crash(disk, c);
        if (!again)
            CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    }
    cartridge_close(c);
    store_close(disk);
}

/* Positions, addresses and files of the one are none of the other's. */
static void test_apart(void)
{
    struct cartridge_position pos;
    struct cartridge *c;
    struct store *disk;
    uint64_t moved;

    c = new_divided(&disk);
    CHECK_OK(put(c, 3, 0), err);
    CHECK_OK(cartridge_write_filemarks(c, 2, NULL, &err), err);
    CHECK_FAILS(go(c, 1, 5), ERR_END_OF_DATA, err);
    CHECK_OK(put(c, 2, 0), err);
    CHECK_OK(cartridge_write_filemarks(c, 1, NULL, &err), err);
    cartridge_tell(c, &pos);
    CU_ASSERT_TRUE(pos.partition == 1 && pos.lba == 3 && pos.file == 1 && pos.unsynced == 3);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_tell(c, &pos);
    CU_ASSERT_EQUAL(pos.unsynced, 0);
    cartridge_rewind(c);
    CHECK_OK(cartridge_space_filemarks(c, 1, &moved, &err), err);
    CU_ASSERT_TRUE(at(c, 3, 1));
    CHECK_FAILS(cartridge_space_filemarks(c, 1, &moved, &err), ERR_END_OF_DATA, err);
    CHECK_OK(cartridge_locate_file(c, 0, 2, &err), err);
    CU_ASSERT_TRUE(at(c, 5, 2));
    CHECK_OK(go(c, 0, 1), err);
    CHECK_OK(cartridge_erase(c, &err), err);
    CU_ASSERT_TRUE(holds(c, 0, 1, 1, 0));
    CHECK_OK(go(c, 1, 1), err);
    CU_ASSERT_TRUE(reads_block(c, 1001));
    CHECK_FAILS(cartridge_read(c, &moved, 1, &(uint32_t){0}, &err), ERR_FILEMARK, err);
    cartridge_close(c);
    store_close(disk);
}

static void test_capacity(void)
{
    struct cartridge_position pos;
    struct cartridge *c;
    struct store *disk;
    uint8_t buf[1024] = {0};
    bool warning = false;

    c = new_divided(&disk);
    for (uint32_t p = 0; p < 2; p++) {
        unsigned n = 0, warned = 0;

        CHECK_OK(go(c, p, 0), err);
        while (cartridge_write(c, buf, sizeof(buf), &warning, &err) == 0) {
            n++;
            warned += warning;
        }
        CU_ASSERT_EQUAL(err.code, ERR_END_OF_TAPE);
        CU_ASSERT_EQUAL(n, two[p] / 1024);
        CU_ASSERT_EQUAL(warned, (1 << 16) / 1024);
        cartridge_tell(c, &pos);
        CU_ASSERT_TRUE(pos.early_warning && pos.remaining == 0);
    }
    CU_ASSERT_EQUAL(cartridge_sync(c, NULL, &err), 0);
    /* A small partition is not all early warning. */
    CHECK_OK(cartridge_format(c, (uint64_t[]){4096, 1 << 19}, 2, &err), err);
    CHECK_OK(cartridge_write(c, buf, sizeof(buf), &warning, &err), err);
    CU_ASSERT_FALSE(warning);
    cartridge_close(c);
    store_close(disk);
}

/* To and fro, each time with a sync: as LTFS and its index.  It costs no segments. */
static void test_to_and_fro(void)
{
    struct cartridge_report report;
    struct cartridge *c;
    struct store *disk;

    c = new_divided(&disk);
    for (unsigned i = 0; i < 100; i++) {
        CHECK_OK(cartridge_locate(c, i % 2, i / 2, &err), err);
        CHECK_OK(put(c, 1, 0), err);
        CHECK_OK(cartridge_sync(c, NULL, &err), err);
    }
    /* 100 blocks of 760 bytes on average, in segments of 4 KiB. */
    CU_ASSERT_TRUE(segments(disk) < 30);
    crash(disk, c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CU_ASSERT_TRUE(holds(c, 0, 50, 50, 0) && holds(c, 1, 50, 50, 0));
    CHECK_OK(cartridge_verify(c, &report, &err), err);
    CU_ASSERT_EQUAL(report.blocks, 100);
    cartridge_close(c);
    store_close(disk);
}

/* A reader sees what is committed in both, also while both are being written. */
static void test_reader(void)
{
    struct cartridge *c, *reader;
    struct store *disk;

    c = new_divided(&disk);
    CHECK_OK(put(c, 2, 0), err);
    CHECK_OK(go(c, 1, 0), err);
    CHECK_OK(put(c, 3, 0), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_ONLY, &reader, &err), err);
    CU_ASSERT_TRUE(holds(reader, 0, 2, 2, 0) && holds(reader, 1, 3, 3, 0));
    CHECK_OK(put(c, 1, 0), err);
    CHECK_OK(cartridge_locate(c, 0, 2, &err), err);
    CHECK_OK(put(c, 2, 0), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_refresh(reader, &err), err);
    CU_ASSERT_TRUE(holds(reader, 0, 4, 4, 0) && holds(reader, 1, 4, 4, 0));
    CHECK_OK(cartridge_format(c, (uint64_t[]){1 << 20}, 1, &err), err);
    CHECK_OK(cartridge_refresh(reader, &err), err);
    CU_ASSERT_EQUAL(cartridge_partition_count(reader), 1);
    CU_ASSERT_TRUE(at(reader, 0, 0));
    cartridge_close(reader);
    cartridge_close(c);
    store_close(disk);
}

static void test_attributes(void)
{
    struct cartridge *c;
    struct store *disk;
    char text[8];
    size_t len = sizeof(text);

    c = new_divided(&disk);
    CHECK_OK(cartridge_attribute_set(c, 0, 9, "zero", 4, &err), err);
    CHECK_OK(cartridge_attribute_set(c, 1, 9, "one", 3, &err), err);
    CHECK_FAILS(cartridge_attribute_set(c, 2, 9, "two", 3, &err), ERR_RANGE, err);
    crash(disk, c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(cartridge_attribute_get(c, 1, 9, text, &len, &err), err);
    CU_ASSERT_TRUE(len == 3 && memcmp(text, "one", 3) == 0);
    len = sizeof(text);
    CHECK_OK(cartridge_attribute_get(c, 0, 9, text, &len, &err), err);
    CU_ASSERT_TRUE(len == 4 && memcmp(text, "zero", 4) == 0);
    CHECK_FAILS(cartridge_attribute_get(c, 2, 9, text, &len, &err), ERR_RANGE, err);
    CHECK_OK(cartridge_format(c, two, 2, &err), err);
    CHECK_OK(cartridge_attribute_get(c, 0, 9, text, &len, &err), err);
    CHECK_FAILS(cartridge_attribute_get(c, 1, 9, text, &len, &err), ERR_NOT_FOUND, err);
    cartridge_close(c);
    store_close(disk);
}

static void test_refusals(void)
{
    struct cartridge_identity id = small_identity();
    struct cartridge *c;
    struct store *disk;

    id.worm = true;
    CHECK_OK(simdisk_open(1, &disk, &err), err);
    CHECK_OK(cartridge_create(disk, &id, &err), err);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(cartridge_format(c, two, 2, &err), err);
    CHECK_OK(go(c, 1, 0), err);
    CHECK_OK(put(c, 3, 0), err);
    CHECK_FAILS(cartridge_format(c, two, 2, &err), ERR_PROTECTED, err);
    CHECK_OK(go(c, 1, 0), err);
    CHECK_FAILS(put(c, 1, 0), ERR_PROTECTED, err);
    CHECK_OK(go(c, 0, 0), err);
    CHECK_OK(put(c, 1, 0), err);
    cartridge_close(c);
    store_close(disk);
    c = new_tape(&disk);
    CHECK_OK(cartridge_set_protected(c, true, &err), err);
    CHECK_FAILS(cartridge_format(c, two, 2, &err), ERR_PROTECTED, err);
    cartridge_close(c);
    store_close(disk);
}

/* Formatting is undone, division and all; and what undo took off comes back as well. */
static void test_undo_format(void)
{
    uint64_t formatted, divided;
    struct cartridge *c;
    struct store *disk;

    c = new_tape(&disk);
    CHECK_OK(put(c, 6, 0), err);
    CHECK_OK(cartridge_format(c, two, 2, &err), err);
    formatted = newest_point(c);
    CU_ASSERT_TRUE(holds(c, 0, 0, 0, 0) && holds(c, 1, 0, 0, 0));
    CHECK_OK(put(c, 2, 0), err);
    CHECK_OK(go(c, 0, 0), err);
    CHECK_OK(put(c, 3, 5), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(cartridge_undo(c, formatted, &err), err);
    CU_ASSERT_EQUAL(cartridge_partition_count(c), 1);
    CU_ASSERT_EQUAL(cartridge_partition_capacity(c, 0), 1 << 20);
    CU_ASSERT_TRUE(holds(c, 0, 6, 6, 0));
    divided = newest_point(c);
    CU_ASSERT_NOT_EQUAL(divided, formatted);
    CHECK_OK(cartridge_undo(c, divided, &err), err);
    CU_ASSERT_EQUAL(cartridge_partition_count(c), 2);
    CU_ASSERT_TRUE(holds(c, 0, 0, 3, 5) && holds(c, 1, 2, 2, 0));
    crash(disk, c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CU_ASSERT_TRUE(holds(c, 0, 0, 3, 5) && holds(c, 1, 2, 2, 0));
    CHECK_OK(cartridge_undo(c, formatted, &err), err);
    CU_ASSERT_TRUE(holds(c, 0, 6, 6, 0));
    cartridge_close(c);
    store_close(disk);
}

/* A point is the tape as it was, not a mix: what was appended elsewhere since is not on it. */
static void test_undo_ends(void)
{
    struct cartridge *c;
    struct store *disk;
    uint64_t point;

    c = new_divided(&disk);
    CHECK_OK(put(c, 4, 0), err);
    CHECK_OK(go(c, 1, 0), err);
    CHECK_OK(put(c, 4, 0), err);
    CHECK_OK(go(c, 0, 2), err);
    CHECK_OK(put(c, 3, 9), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    point = newest_point(c);
    CHECK_OK(go(c, 1, 4), err);
    CHECK_OK(put(c, 10, 0), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_undo(c, point, &err), err);
    CU_ASSERT_TRUE(holds(c, 0, 4, 4, 0) && holds(c, 1, 4, 4, 0));
    CHECK_OK(cartridge_undo(c, newest_point(c), &err), err);
    CU_ASSERT_TRUE(holds(c, 0, 2, 5, 9) && holds(c, 1, 14, 14, 0));
    CHECK_OK(cartridge_verify(c, &(struct cartridge_report){0}, &err), err);
    cartridge_close(c);
    store_close(disk);
}

/* ---- when the power fails, or the store -------------------------------------------------------
 */

/* What is known of a tape while story() goes on. */
struct known {
    unsigned step; /* the last that was done wholly */
};

/* Steps that each end with a sync; what each leaves is said in told(). */
static int story(struct cartridge *c, struct known *k)
{
    int rc;

    if ((rc = put(c, 5, 0)) || (rc = cartridge_sync(c, NULL, &err)))
        return rc;
    k->step = 1;
    if ((rc = cartridge_format(c, two, 2, &err)))
        return rc;
    k->step = 2;
    if ((rc = put(c, 6, 0)) || (rc = go(c, 1, 0)) || (rc = put(c, 9, 0)) || (rc = go(c, 0, 6)) ||
        (rc = put(c, 1, 0)) || (rc = cartridge_sync(c, NULL, &err)))
        return rc;
    k->step = 3;
    if ((rc = go(c, 1, 9)) || (rc = put(c, 4, 0)) || (rc = go(c, 0, 2)) || (rc = put(c, 4, 7)) ||
        (rc = cartridge_sync(c, NULL, &err)))
        return rc;
    k->step = 4;
    if ((rc = cartridge_undo(c, newest_point(c), &err)))
        return rc;
    k->step = 5;
    return 0;
}

static unsigned length_of(struct cartridge *c, uint32_t partition)
{
    struct cartridge_position pos;

    if (go(c, partition, 0) != 0)
        return UINT32_MAX;
    cartridge_tell(c, &pos);
    return (unsigned)pos.eod_lba;
}

/* Is c what is possible between step and step + 1? */
static bool possible(struct cartridge *c, unsigned step)
{
    unsigned a = length_of(c, 0), b = length_of(c, 1);

    if (cartridge_partition_count(c) == 1)
        return step <= 1 && b == UINT32_MAX && a <= 5 && (step == 0 || a == 5) &&
               holds(c, 0, a, a, 0);
    if (step == 0)
        return false;
    if (step <= 1)
        return a == 0 && b == 0;
    if (step == 2)
        return a <= 7 && b <= 9 && holds(c, 0, a, a, 0) && holds(c, 1, b, b, 0);
    if (step == 3) /* 0 was overwritten, at once; 1 only grew */
        return b >= 9 && b <= 13 && holds(c, 1, b, b, 0) &&
               (holds(c, 0, 7, 7, 0) || (a >= 2 && a <= 6 && holds(c, 0, 2, a, 7)));
    return b >= 9 && b <= 13 && holds(c, 1, b, b, 0) &&
           ((step == 4 && holds(c, 0, 2, 6, 7) && b == 13) || holds(c, 0, 7, 7, 0));
}

static void test_power_cuts(void)
{
    unsigned steps[6] = {0};
    bool off = true;

    log_set_level(LOG_LEVEL_ERROR); /* each rescue is a warning */
    for (unsigned call = 1; off; call++) {
        struct known k = {0};
        struct cartridge *c;
        struct store *disk;

        c = new_tape(&disk);
        simdisk_cut_at(disk, call);
        off = story(c, &k) != 0;
        cartridge_close(c);
        simdisk_power_cut(disk);
        steps[k.step]++;
        for (int mode = CARTRIDGE_READ_ONLY; mode <= CARTRIDGE_READ_WRITE; mode++) {
            CHECK_OK(cartridge_open(disk, (enum cartridge_mode)mode, &c, &err), err);
            if (!possible(c, k.step))
                printf("\n    cut at call %u in step %u: %u and %u blocks\n", call, k.step,
                       length_of(c, 0), length_of(c, 1));
            CU_ASSERT_TRUE(possible(c, k.step));
            if (mode == CARTRIDGE_READ_WRITE) /* now there are two superblocks again */
                CHECK_OK(cartridge_verify(c, &(struct cartridge_report){0}, &err), err);
            cartridge_close(c);
        }
        store_close(disk);
    }
    for (unsigned i = 0; i < 6; i++)
        CU_ASSERT_TRUE(steps[i] > 0);
}

/* A store that fails once, at any call, loses nothing; one that fails on loses what it says. */
static void test_failing_store(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    for (int on = 0; on < 2; on++) {
        bool hit = true;

        for (unsigned call = 1; hit; call++) {
            struct fault_rule rule = {.ops = FAULT_PUT | FAULT_APPEND | FAULT_SYNC,
                                      .kind = call % 2 ? FAULT_ERROR : FAULT_FULL,
                                      .nth = call,
                                      .count = on ? 0 : 1,
                                      .per_million = 0};
            struct known k = {0};
            struct store *disk, *fault;
            struct cartridge *c;
            int rc;

            c = new_tape(&disk);
            cartridge_close(c);
            CHECK_OK(fault_open(disk, 1, &fault, &err), err);
            CHECK_OK(cartridge_open(fault, CARTRIDGE_READ_WRITE, &c, &err), err);
            CHECK_OK(fault_add(fault, &rule, &err), err);
            rc = story(c, &k);
            hit = fault_hits(fault) > 0;
            CU_ASSERT_TRUE(!on || !hit || rc || k.step == 5);
            fault_clear(fault);
            cartridge_close(c);
            CHECK_OK(cartridge_open(fault, CARTRIDGE_READ_WRITE, &c, &err), err);
            if (!possible(c, k.step))
                printf("\n    call %u fails%s in step %u: %u and %u blocks\n", call,
                       on ? " for good" : "", k.step, length_of(c, 0), length_of(c, 1));
            CU_ASSERT_TRUE(possible(c, k.step));
            CHECK_OK(cartridge_verify(c, &(struct cartridge_report){0}, &err), err);
            cartridge_close(c);
            store_close(fault);
        }
    }
}

static const struct check_test tests[] = {
    {"division", test_division},
    {"apart", test_apart},
    {"capacity", test_capacity},
    {"to_and_fro", test_to_and_fro},
    {"reader", test_reader},
    {"attributes", test_attributes},
    {"refusals", test_refusals},
    {"undo_format", test_undo_format},
    {"undo_ends", test_undo_ends},
    {"power_cuts", test_power_cuts},
    {"failing_store", test_failing_store},
};

CHECK_MAIN("cartridge partition", tests)
