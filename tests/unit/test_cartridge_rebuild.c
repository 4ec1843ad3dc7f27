/* SPDX-License-Identifier: Apache-2.0 */
/* test_cartridge_rebuild.c - a map made of the segments; how long overwritten data is kept. */
#include "tests/unit/test_cartridge.h"

#include "common/log.h"

static void lose_superblocks(struct store *disk)
{
    struct cartridge *c = NULL;

    CHECK_OK(store_delete(disk, "super.a", &err), err);
    CHECK_OK(store_put(disk, "super.b", "CAPSUPR\n", 8, &err), err);
    CHECK_FAILS(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), ERR_CORRUPT, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "cartridge rebuild"));
}

static uint64_t end_of(struct cartridge *c, uint32_t partition)
{
    struct cartridge_position pos;

    CHECK_OK(cartridge_locate(c, partition, 0, &err), err);
    cartridge_tell(c, &pos);
    return pos.eod_lba;
}

static int take_point(void *ctx, const struct cartridge_point *point)
{
    *(uint64_t *)ctx = point->generation;
    return 1;
}

static void test_overwritten(void)
{
    struct cartridge_rebuilt report;
    struct cartridge *c;
    struct store *disk;
    uint64_t point = 0;

    c = new_tape(&disk);
    write_tape(c, "bbbbbbbbbbbb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_locate(c, 0, 5, &err), err);
    write_tape(c, "fbb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_FAILS(cartridge_rebuild(disk, &report, &err), ERR_BUSY, err);
    cartridge_close(c);
    CHECK_FAILS(cartridge_rebuild(disk, &report, &err), ERR_EXISTS, err);
    lose_superblocks(disk);
    CHECK_OK(cartridge_rebuild(disk, &report, &err), err);
    CU_ASSERT_TRUE(report.objects == 8 && report.segments == 2 && report.left_out == 0);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CU_ASSERT_EQUAL(end_of(c, 0), 8);
    for (unsigned i = 0; i < 5; i++)
        CU_ASSERT_TRUE(reads_block(c, i));
    CHECK_OK(cartridge_locate(c, 0, 6, &err), err);
    CU_ASSERT_TRUE(reads_block(c, 6) && reads_block(c, 7));
    CHECK_OK(cartridge_verify(c, &(struct cartridge_report){0}, &err), err);
    /* Nobody writes on it unseen; what was overwritten is still there. */
    CHECK_FAILS(cartridge_write(c, "x", 1, NULL, &err), ERR_PROTECTED, err);
    CHECK_OK(cartridge_set_protected(c, false, &err), err);
    (void)cartridge_points(c, take_point, &point, &err);
    CHECK_OK(cartridge_undo(c, point, &err), err);
    CU_ASSERT_EQUAL(end_of(c, 0), 12);
    CHECK_OK(cartridge_write(c, "x", 1, NULL, &err), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    store_close(disk);
}

static void test_partitions(void)
{
    struct cartridge_rebuilt report;
    struct cartridge *c;
    struct store *disk;

    c = new_tape(&disk);
    CHECK_OK(cartridge_format(c, (uint64_t[]){1 << 19, 1 << 18, 1 << 17}, 3, &err), err);
    write_tape(c, "bbbfb");
    CHECK_OK(cartridge_locate(c, 2, 0, &err), err);
    write_tape(c, "bb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    lose_superblocks(disk);
    CHECK_OK(cartridge_rebuild(disk, &report, &err), err);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CU_ASSERT_EQUAL(cartridge_partition_count(c), 3);
    CU_ASSERT_TRUE(end_of(c, 0) == 5 && end_of(c, 1) == 0 && end_of(c, 2) == 2);
    CU_ASSERT_TRUE(reads_block(c, 0) && reads_block(c, 1));
    cartridge_close(c);
    store_close(disk);
}

/* What was never committed is not made up; what a lost segment held is not bridged. */
static void test_left_out(void)
{
    struct cartridge_rebuilt report;
    struct cartridge *c;
    struct store *disk;
    uint8_t zeros[64] = {0};

    log_set_level(LOG_LEVEL_ERROR);
    c = new_tape(&disk);
    write_tape(c, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"); /* four segments and a part */
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    write_tape(c, "b");
    simdisk_cut_at(disk, 1);
    cartridge_close(c);
    simdisk_power_cut(disk);
    lose_superblocks(disk);
    CHECK_OK(cartridge_rebuild(disk, &report, &err), err);
    CU_ASSERT_EQUAL(report.objects, 30);
    lose_superblocks(disk);
    CHECK_OK(store_put(disk, "seg-0000000000000002", zeros, sizeof(zeros), &err), err);
    CHECK_OK(cartridge_rebuild(disk, &report, &err), err);
    CU_ASSERT_TRUE(report.left_out >= 2 && report.objects > 0 && report.objects < 30);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_ONLY, &c, &err), err);
    for (unsigned i = 0; i < report.objects; i++)
        CU_ASSERT_TRUE(reads_block(c, i));
    cartridge_close(c);
    store_close(disk);
}

#define ROTTEN_TAPE   "bbbbbbbfbbbffbbbbbbbbbbbbbbbbbbbb"
#define ROTTEN_LENGTH (sizeof(ROTTEN_TAPE) - 1)

/* Objects that read back as they were written; the others must be said to be damaged. */
static unsigned count_good(struct cartridge *c)
{
    uint8_t expected[2000], buf[2000];
    unsigned good = 0;
    uint32_t len;

    for (unsigned i = 0; i < ROTTEN_LENGTH; i++) {
        int rc = cartridge_read(c, buf, sizeof(buf), &len, &err);

        if (ROTTEN_TAPE[i] == 'f'
                ? rc == -ERR_FILEMARK
                : rc == 0 && len == block_fill(expected, i) && memcmp(buf, expected, len) == 0)
            good++;
        else
            CU_ASSERT_EQUAL(rc, -ERR_CORRUPT);
    }
    return good;
}

/* One flipped bit in a segment, and both superblocks gone: at most the object it hit is lost. */
static void rebuild_with_flip(const char *name, uint64_t offset, unsigned bit)
{
    struct cartridge_rebuilt report;
    struct cartridge *c;
    struct store *disk;
    unsigned good;

    c = new_tape(&disk);
    write_tape(c, ROTTEN_TAPE);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    CHECK_OK(simdisk_flip(disk, name, offset, bit, &err), err);
    lose_superblocks(disk);
    CHECK_OK(cartridge_rebuild(disk, &report, &err), err);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_ONLY, &c, &err), err);
    good = count_good(c);
    if (report.objects != ROTTEN_LENGTH || good + 1 < ROTTEN_LENGTH)
        printf("\n    %s byte %llu: %llu objects, %u good, %llu left out\n", name,
               (unsigned long long)offset, (unsigned long long)report.objects, good,
               (unsigned long long)report.left_out);
    CU_ASSERT_EQUAL(report.objects, ROTTEN_LENGTH);
    CU_ASSERT_TRUE(good + 1 >= ROTTEN_LENGTH);
    cartridge_close(c);
    store_close(disk);
}

static void test_rotten_segments(void)
{
    char name[32];

    log_set_level(LOG_LEVEL_ERROR);
    for (unsigned seq = 1; seq < 8; seq++) {
        struct cartridge *c;
        struct store *disk;
        uint64_t size = 0;

        c = new_tape(&disk);
        write_tape(c, ROTTEN_TAPE);
        CHECK_OK(cartridge_sync(c, NULL, &err), err);
        cartridge_close(c);
        snprintf(name, sizeof(name), "seg-%016x", seq);
        (void)store_size(disk, name, &size, NULL);
        store_close(disk);
        for (uint64_t at = 3; at < size; at += 19)
            rebuild_with_flip(name, at, (unsigned)at % 8);
    }
}

static void test_retention(void)
{
    struct cartridge *c;
    struct store *disk;
    uint64_t point = 0;

    c = new_tape(&disk);
    CHECK_FAILS(cartridge_set_retention(c, 1, -1, &err), ERR_RANGE, err);
    write_tape(c, "bbb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_set_retention(c, 0, 1000, &err), err);
    cartridge_close(c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CU_ASSERT_EQUAL(cartridge_identity(c)->limbo_bytes, 0);
    CU_ASSERT_EQUAL(cartridge_identity(c)->limbo_ns, 1000);
    CHECK_OK(cartridge_erase(c, &err), err);
    CU_ASSERT_EQUAL(cartridge_points(c, take_point, &point, &err), 0); /* nothing is kept */
    CHECK_OK(cartridge_set_retention(c, 1 << 20, INT64_MAX, &err), err);
    write_tape(c, "bbb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_rewind(c);
    CHECK_OK(cartridge_erase(c, &err), err);
    CU_ASSERT_EQUAL(cartridge_points(c, take_point, &point, &err), 1);
    cartridge_close(c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_ONLY, &c, &err), err);
    CHECK_FAILS(cartridge_set_retention(c, 0, 0, &err), ERR_PROTECTED, err);
    cartridge_close(c);
    store_close(disk);
}

static const struct check_test tests[] = {
    {"overwritten", test_overwritten}, {"partitions", test_partitions},
    {"left_out", test_left_out},       {"rotten_segments", test_rotten_segments},
    {"retention", test_retention},
};

CHECK_MAIN("cartridge rebuild", tests)
