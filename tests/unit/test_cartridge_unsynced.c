/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cartridge_unsynced.c - data that is on the store without a sync: who may see it, and what is
 * made of it when the writer is gone.
 */
#include "tests/unit/test_cartridge.h"

#define BLOCK  (256u * 1024)
#define BLOCKS 9 /* more than the writer keeps to itself before it hands it to the store */

static uint8_t data[BLOCK];

static struct cartridge *large_tape(struct store **disk)
{
    struct cartridge_identity id = small_identity();
    struct cartridge *c = NULL;

    id.segment_size = 64 << 20;
    id.capacity = 1 << 30;
    CHECK_OK(simdisk_open(1, disk, &err), err);
    CHECK_OK(cartridge_create(*disk, &id, &err), err);
    CHECK_OK(cartridge_open(*disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    return c;
}

static void write_blocks(struct cartridge *c, uint8_t first)
{
    for (uint8_t i = 0; i < BLOCKS; i++) {
        memset(data, first + i, sizeof(data));
        CHECK_OK(cartridge_write(c, data, sizeof(data), NULL, &err), err);
    }
}

/* How many blocks there are, all of which are right. */
static unsigned count_blocks(struct cartridge *c)
{
    unsigned n = 0;
    uint32_t len;

    cartridge_rewind(c);
    while (cartridge_read(c, data, sizeof(data), &len, &err) == 0) {
        CU_ASSERT_TRUE(len == sizeof(data) && data[0] == n && data[len - 1] == n);
        n++;
    }
    CU_ASSERT_EQUAL(err.code, ERR_END_OF_DATA);
    return n;
}

/* The store holds most of it, but no reader sees it before a sync. */
static void test_reader(void)
{
    struct store *s = NULL;
    struct cartridge *c = large_tape(&s), *reader = NULL;

    write_blocks(c, 0);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    write_blocks(c, BLOCKS);
    CHECK_OK(cartridge_open(s, CARTRIDGE_READ_ONLY, &reader, &err), err);
    CU_ASSERT_EQUAL(count_blocks(reader), BLOCKS);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_refresh(reader, &err), err);
    CU_ASSERT_EQUAL(count_blocks(reader), 2 * BLOCKS);
    cartridge_close(reader);
    cartridge_close(c);
    store_close(s);
}

/* The kernel fails to write it out, and the writer dies before it is told.  The next one reads it
 * all, as the kernel shows it; when it says that it is synced, it must be. */
static void test_write_back(void)
{
    static const struct simdisk_fate nothing = {.spared = SIMDISK_NOTHING, .names = true};
    struct store *s = NULL;
    struct cartridge *c = large_tape(&s);
    unsigned found;

    write_blocks(c, 0);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    simdisk_fail_writeback(s, 1000000);
    write_blocks(c, BLOCKS);
    cartridge_close(c);
    simdisk_fail_writeback(s, 0);
    CHECK_OK(cartridge_open(s, CARTRIDGE_READ_WRITE, &c, &err), err);
    found = count_blocks(c);
    CU_ASSERT_TRUE(found > BLOCKS);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    simdisk_power_cut_to(s, &nothing);
    CHECK_OK(cartridge_open(s, CARTRIDGE_READ_WRITE, &c, &err), err);
    CU_ASSERT_EQUAL(count_blocks(c), found);
    cartridge_close(c);
    store_close(s);
}

static const struct check_test tests[] = {
    {"reader", test_reader},
    {"write_back", test_write_back},
};

CHECK_MAIN("cartridge unsynced", tests)
