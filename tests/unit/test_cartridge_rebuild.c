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
    {"overwritten", test_overwritten},
    {"partitions", test_partitions},
    {"left_out", test_left_out},
    {"retention", test_retention},
};

CHECK_MAIN("cartridge rebuild", tests)
