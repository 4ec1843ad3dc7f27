/* SPDX-License-Identifier: Apache-2.0 */
/* test_cartridge_ahead.c - reading ahead: the host gets what is there, whatever was read before. */
#include "tests/unit/test_cartridge.h"

#include "vtl/cartridge/internal.h"

#define BLOCKS 12

/* Shorter than the read-ahead buffer, as long as it is, and longer; and lengths that alternate. */
static const uint32_t lengths[][2] = {
    {10, 10},         {4096, 4096},   {65536, 65536},   {65536, 100}, {262144, 262144},
    {262144, 524288}, {524224, 1000}, {524225, 524225}, {700000, 64},
};

static uint8_t data[1 << 20], back[1 << 20];

static struct cartridge *large_tape(struct store **disk)
{
    struct cartridge_identity id = small_identity();
    struct cartridge *c = NULL;

    id.segment_size = 4 << 20;
    id.capacity = 64 << 20;
    CHECK_OK(simdisk_open(1, disk, &err), err);
    CHECK_OK(cartridge_create(*disk, &id, &err), err);
    CHECK_OK(cartridge_open(*disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    return c;
}

static uint32_t length_of(size_t row, unsigned n)
{
    return lengths[row][n % 2];
}

static void write_blocks(struct cartridge *c, size_t row, uint8_t seed)
{
    for (unsigned n = 0; n < BLOCKS; n++) {
        memset(data, (int)(seed + n), length_of(row, n));
        CHECK_OK(cartridge_write(c, data, length_of(row, n), NULL, &err), err);
    }
    CHECK_OK(cartridge_write_filemarks(c, 1, NULL, &err), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
}

static bool reads_back(struct cartridge *c, size_t row, unsigned n, uint8_t seed)
{
    uint32_t len = 0;

    memset(data, (int)(seed + n), length_of(row, n));
    return cartridge_read(c, back, sizeof(back), &len, &err) == 0 && len == length_of(row, n) &&
           memcmp(back, data, len) == 0;
}

static void test_in_order(void)
{
    for (size_t row = 0; row < sizeof(lengths) / sizeof(lengths[0]); row++) {
        struct store *disk;
        struct cartridge *c = large_tape(&disk);
        uint32_t len;

        write_blocks(c, row, 1);
        cartridge_rewind(c);
        for (unsigned n = 0; n < BLOCKS; n++) {
            CU_ASSERT(reads_back(c, row, n, 1));
            cartridge_read_ahead(c);
        }
        CU_ASSERT(cartridge_read(c, back, sizeof(back), &len, &err) == -ERR_FILEMARK);
        cartridge_read_ahead(c); /* end of data */
        CU_ASSERT(cartridge_read(c, back, sizeof(back), &len, &err) == -ERR_END_OF_DATA);
        cartridge_close(c);
        store_close(disk);
    }
}

/* What was read ahead is written over before the host asks for it. */
static void test_overwritten(void)
{
    struct store *disk;
    struct cartridge *c = large_tape(&disk);

    write_blocks(c, 2, 1);
    cartridge_rewind(c);
    CU_ASSERT(reads_back(c, 2, 0, 1));
    cartridge_read_ahead(c);
    cartridge_rewind(c);
    write_blocks(c, 2, 100);
    cartridge_rewind(c);
    cartridge_read_ahead(c);
    for (unsigned n = 0; n < BLOCKS; n++)
        CU_ASSERT(reads_back(c, 2, n, 100));
    cartridge_close(c);
    store_close(disk);
}

/* Damage that reading ahead has met is told to who reads the block, once, and not before. */
static void test_damaged(void)
{
    struct store *disk;
    struct cartridge *c = large_tape(&disk);
    char name[STORE_NAME_MAX + 1];
    uint32_t len;

    write_blocks(c, 1, 1);
    segment_name(1, name);
    CHECK_OK(simdisk_flip(disk, name, SEGMENT_HEADER_SIZE + 2 * record_extent(4096) + 100, 3, &err),
             err);
    cartridge_rewind(c);
    CU_ASSERT(reads_back(c, 1, 0, 1));
    cartridge_read_ahead(c);
    CU_ASSERT(reads_back(c, 1, 1, 1));
    cartridge_read_ahead(c);
    CU_ASSERT(cartridge_read(c, back, sizeof(back), &len, &err) == -ERR_CORRUPT);
    cartridge_read_ahead(c);
    CU_ASSERT(reads_back(c, 1, 3, 1));
    cartridge_close(c);
    store_close(disk);
}

static const struct check_test tests[] = {
    {"in_order", test_in_order},
    {"overwritten", test_overwritten},
    {"damaged", test_damaged},
};

CHECK_MAIN("cartridge ahead", tests)
