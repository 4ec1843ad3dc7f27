/* SPDX-License-Identifier: Apache-2.0 */
/* test_cartridge_block.c - blocks in their stored form: what is kept of them, and what they cost.
 */
#include "tests/unit/test_cartridge.h"

#include "common/bytes.h"
#include "vtl/cartridge/codec.h"
#include "vtl/cartridge/format.h"

/* A block of 1000 bytes that was encrypted to 1100. */
static const struct cartridge_block secret = {
    .length = 1000, .stored = 1100, .encryption = 1, .protection = 2, .protection_crc = 0xdeadbeef};

/* ... and one of 100,000 that shrank to 50. */
static const struct cartridge_block small = {
    .length = 100000, .stored = 50, .compression = CARTRIDGE_ZSTD};

/* ... and a plain one with the host's protection. */
static const struct cartridge_block shielded = {
    .length = 300, .stored = 300, .protection = 1, .protection_crc = 7};

static uint32_t version_of(struct store *disk)
{
    uint8_t raw[IDENTITY_SIZE];
    size_t got;

    CHECK_OK(store_read(disk, IDENTITY_OBJECT, 0, raw, sizeof(raw), &got, &err), err);
    return get_le32(raw + 8);
}

static bool reads_stored(struct cartridge *c, const struct cartridge_block *want, int byte)
{
    struct cartridge_block got;
    uint8_t buf[2000];
    bool same = true;

    if (cartridge_read_block(c, buf, sizeof(buf), &got, &err) != 0)
        return false;
    for (uint32_t i = 0; i < got.stored; i++)
        same = same && buf[i] == (uint8_t)byte;
    return same && got.length == want->length && got.stored == want->stored &&
           got.compression == want->compression && got.encryption == want->encryption &&
           got.protection == want->protection && got.protection_crc == want->protection_crc;
}

static void write_all(struct cartridge *c)
{
    uint8_t buf[2000];

    memset(buf, 1, sizeof(buf));
    CHECK_OK(cartridge_write_block(c, &secret, buf, NULL, &err), err);
    memset(buf, 2, sizeof(buf));
    CHECK_OK(cartridge_write_block(c, &small, buf, NULL, &err), err);
    memset(buf, 3, sizeof(buf));
    CHECK_OK(cartridge_write_block(c, &shielded, buf, NULL, &err), err);
    CHECK_OK(cartridge_write(c, buf, 10, NULL, &err), err);
}

static void check_all(struct cartridge *c, uint64_t lba)
{
    static const struct cartridge_block plain = {.length = 10, .stored = 10};

    CHECK_OK(cartridge_locate(c, 0, lba, &err), err);
    CU_ASSERT_TRUE(reads_stored(c, &secret, 1));
    CU_ASSERT_TRUE(reads_stored(c, &small, 2));
    CU_ASSERT_TRUE(reads_stored(c, &shielded, 3));
    CU_ASSERT_TRUE(reads_stored(c, &plain, 3));
}

static void test_round_trip(void)
{
    struct cartridge_report report;
    struct cartridge *c;
    struct store *disk;

    c = new_tape(&disk);
    write_all(c);
    check_all(c, 0);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    check_all(c, 0);
    cartridge_close(c);
    simdisk_power_cut(disk);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    check_all(c, 0);
    CHECK_OK(cartridge_verify(c, &report, &err), err);
    CU_ASSERT_EQUAL(report.blocks, 4);
    cartridge_close(c);
    store_close(disk);
}

/* A recovery writes what it found behind the last commit again: all that is known of it. */
static void test_recovered(void)
{
    struct cartridge *c;
    struct store *disk;

    c = new_tape(&disk);
    write_all(c);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    write_all(c);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    simdisk_cut_at(disk, 1);
    cartridge_close(c);
    simdisk_power_cut(disk);
    for (int mode = CARTRIDGE_READ_ONLY; mode <= CARTRIDGE_READ_WRITE; mode++) {
        CHECK_OK(cartridge_open(disk, (enum cartridge_mode)mode, &c, &err), err);
        check_all(c, 0);
        check_all(c, 4);
        cartridge_close(c);
    }
    store_close(disk);
}

/* Native bytes are those that are stored. */
static void test_cost(void)
{
    struct cartridge_position pos;
    struct cartridge *c;
    struct store *disk;
    uint8_t buf[2000] = {0};
    unsigned n = 0;

    c = new_tape(&disk);
    write_all(c);
    cartridge_tell(c, &pos);
    CU_ASSERT_EQUAL(pos.used, 1100 + 50 + 300 + 10);
    CHECK_OK(cartridge_locate(c, 0, 2, &err), err);
    cartridge_tell(c, &pos);
    CU_ASSERT_EQUAL(pos.used, 1150);
    CHECK_OK(cartridge_locate(c, 0, 4, &err), err);
    while (cartridge_write_block(c, &small, buf, NULL, &err) == 0)
        n++;
    CU_ASSERT_EQUAL(err.code, ERR_END_OF_TAPE);
    CU_ASSERT_EQUAL(n, ((1u << 20) - 1460) / 50);
    cartridge_close(c);
    store_close(disk);
}

static void test_reading(void)
{
    struct cartridge_block block;
    struct cartridge *c;
    struct store *disk;
    uint8_t buf[2000];
    uint32_t len;

    c = new_tape(&disk);
    write_all(c);
    cartridge_rewind(c);
    CHECK_FAILS(cartridge_read(c, buf, sizeof(buf), &len, &err), ERR_ENCRYPTED, err);
    CU_ASSERT_EQUAL(len, 1000);
    CU_ASSERT_TRUE(at(c, 0, 0)); /* whoever has the key must still be able to read it */
    CHECK_FAILS(cartridge_read_block(c, buf, 1099, &block, &err), ERR_LENGTH, err);
    CU_ASSERT_TRUE(at(c, 1, 0));
    CU_ASSERT_EQUAL(block.stored, 1100);
    CHECK_OK(cartridge_locate(c, 0, 2, &err), err);
    CHECK_OK(cartridge_read(c, buf, sizeof(buf), &len, &err), err);
    CU_ASSERT_EQUAL(len, 300);
    cartridge_close(c);
    store_close(disk);
}

/* cartridge_read() decompresses, also into less room than the block has, and finds what is none. */
static void test_decompress(void)
{
    static uint8_t plain[400000], back[400000], out[400000];
    struct codec *codec = codec_new(&err);
    struct cartridge_block block;
    const void *stored;
    struct cartridge *c;
    struct store *disk;
    uint32_t len;

    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)((i / 64) % 251);
    c = new_tape(&disk);
    for (unsigned method = CARTRIDGE_LZ4; method <= CARTRIDGE_ZSTD; method++) {
        memset(&block, 0, sizeof(block));
        block.length = sizeof(plain);
        CHECK_OK(codec_encode(codec, (enum cartridge_compression)method, NULL, plain, &block,
                              &stored, &err),
                 err);
        CU_ASSERT_EQUAL_FATAL(block.compression, method);
        CHECK_OK(cartridge_write_block(c, &block, stored, NULL, &err), err);
    }
    memcpy(out, stored, block.stored);
    out[0] ^= 0xff; /* not what zstd begins with; the record's CRC is right */
    CHECK_OK(cartridge_write_block(c, &block, out, NULL, &err), err);
    cartridge_rewind(c);
    for (unsigned i = 0; i < 2; i++) {
        memset(back, 0, sizeof(back));
        CHECK_OK(cartridge_read(c, back, sizeof(back), &len, &err), err);
        CU_ASSERT_TRUE(len == sizeof(plain) && memcmp(plain, back, sizeof(plain)) == 0);
    }
    CHECK_FAILS(cartridge_read(c, back, sizeof(back), &len, &err), ERR_CORRUPT, err);
    CU_ASSERT_TRUE(at(c, 3, 0));
    CHECK_OK(cartridge_locate(c, 0, 1, &err), err);
    memset(back, 0, sizeof(back));
    CHECK_FAILS(cartridge_read(c, back, 1000, &len, &err), ERR_LENGTH, err);
    CU_ASSERT_TRUE(len == sizeof(plain) && memcmp(plain, back, 1000) == 0 && back[1000] == 0);
    CU_ASSERT_TRUE(at(c, 2, 0));
    codec_free(codec);
    cartridge_close(c);
    store_close(disk);
}

static void test_impossible(void)
{
    static const struct cartridge_block bad[] = {
        {.length = 0, .stored = 1, .compression = 1},
        {.length = 10, .stored = 0, .compression = 1},
        {.length = 10, .stored = 9},
        {.length = 10, .stored = 10, .compression = 3},
        {.length = 10, .stored = 10, .encryption = 2},
        {.length = 10, .stored = 10, .protection = 3},
        {.length = 10, .stored = 10, .protection_crc = 1},
        {.length = 10, .stored = CARTRIDGE_STORED_MAX + 1, .encryption = 1},
        {.length = CARTRIDGE_BLOCK_MAX + 1, .stored = 10, .compression = 1},
    };
    struct cartridge *c;
    struct store *disk;

    c = new_tape(&disk);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_FAILS(cartridge_write_block(c, &bad[i], "0123456789", NULL, &err), ERR_RANGE, err);
    CU_ASSERT_TRUE(at(c, 0, 0));
    CU_ASSERT_EQUAL(version_of(disk), 1);
    cartridge_close(c);
    store_close(disk);
}

/* Only a cartridge that has such blocks asks for a newer program, and it does so before it has
 * them. */
static void test_version(void)
{
    struct cartridge_block plain = {.length = 10, .stored = 10};
    struct cartridge *c;
    struct store *disk;

    c = new_tape(&disk);
    CHECK_OK(cartridge_write_block(c, &plain, "0123456789", NULL, &err), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CU_ASSERT_EQUAL(version_of(disk), 1);
    CHECK_OK(cartridge_write_block(c, &small, (uint8_t[50]){0}, NULL, &err), err);
    CU_ASSERT_EQUAL(version_of(disk), 2);
    cartridge_close(c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CU_ASSERT_EQUAL(cartridge_partition_count(c), 1);
    CU_ASSERT_EQUAL(cartridge_partition_capacity(c, 0), 1 << 20);
    CU_ASSERT_EQUAL(cartridge_partition_capacity(c, 1), 0);
    cartridge_close(c);
    store_close(disk);
}

static const struct check_test tests[] = {
    {"round_trip", test_round_trip},
    {"recovered", test_recovered},
    {"cost", test_cost},
    {"reading", test_reading},
    {"decompress", test_decompress},
    {"impossible", test_impossible},
    {"version", test_version},
};

CHECK_MAIN("cartridge block", tests)
