/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_drive_address.c - VERIFY, READ REVERSE, and the commands of 16 bytes that name an object.
 *
 * The sample (drive_rig.h): blocks of 1000 bytes at 0-3 and 5-7, filled with 1..7; filemarks at 4,
 * 8, 9; end of data at 10.
 */
#include "tests/unit/drive_rig.h"
#include "vtl/scsi/internal.h"

enum { COMPARE = 2, FIXED = 1, SILI = 2, BYTORD = 4 };

/* ---- helpers --------------------------------------------------------------------------------- */

static uint8_t verify(unsigned flags, uint32_t length, const void *data, size_t len)
{
    uint8_t cdb[6] = {0x13, (uint8_t)flags};

    put_be24(cdb + 2, length);
    return rig_send(rig.a, DRIVE, cdb, 6, data, len, 0);
}

static uint8_t reverse(unsigned flags, uint32_t length, size_t room)
{
    uint8_t cdb[6] = {0x0f, (uint8_t)flags};

    put_be24(cdb + 2, length);
    return rig_send(rig.a, DRIVE, cdb, 6, NULL, 0, room);
}

static uint8_t at_address(uint8_t opcode, unsigned flags, uint64_t address, uint32_t length,
                          const void *data, size_t data_len, size_t room)
{
    uint8_t cdb[16] = {opcode, (uint8_t)flags};

    put_be64(cdb + 4, address);
    put_be24(cdb + 12, length);
    return rig_send(rig.a, DRIVE, cdb, 16, data, data_len, room);
}

static bool all_are(const uint8_t *data, size_t len, uint8_t value)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] != value)
            return false;
    }
    return true;
}

/* ---- VERIFY ---------------------------------------------------------------------------------- */

static void test_verify_medium(void)
{
    start_sample();
    CU_ASSERT_EQUAL(verify(0, 1000, NULL, 0), SCSI_GOOD);
    CHECK_POSITION(1);
    CU_ASSERT_EQUAL(verify(0, 0, NULL, 0), SCSI_GOOD);
    CHECK_POSITION(1);
    verify(0, 1500, NULL, 0); /* ends as READ does: a short block, a long one */
    CHECK_SENSE(KEY_NO_SENSE, ASC_NONE);
    CHECK_BITS(false, false, true);
    CHECK_INFO(500);
    verify(0, 400, NULL, 0);
    CHECK_BITS(false, false, true);
    CHECK_INFO(-600);
    CHECK_POSITION(3);
    set_block_length(1000);
    verify(FIXED, 5, NULL, 0); /* a filemark */
    CHECK_SENSE(KEY_NO_SENSE, ASC_FILEMARK_DETECTED);
    CHECK_BITS(true, false, false);
    CHECK_INFO(4);
    CHECK_POSITION(5);
    CU_ASSERT_EQUAL(verify(FIXED, 3, NULL, 0), SCSI_GOOD);
    space(3, 0);
    verify(FIXED, 2, NULL, 0);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_INFO(2);
    rig_good(DRIVE, REWIND);
    set_block_length(10); /* more than a buffer holds: no matter, nothing is moved */
    verify(FIXED, 0xffffff, NULL, 0);
    CHECK_BITS(false, false, true);
    CHECK_INFO(0xffffff);
    rig_stop();
}

static void test_verify_compare(void)
{
    uint8_t data[4000];

    start_sample();
    memset(data, 1, 1000);
    CU_ASSERT_EQUAL(verify(COMPARE, 1000, data, 1000), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.out_want, 1000);
    memset(data, 2, 1000);
    data[300] = 9;
    verify(COMPARE, 1000, data, 1000);
    CHECK_SENSE(KEY_MISCOMPARE, ASC_MISCOMPARE);
    CHECK_BITS(false, false, false);
    CHECK_INFO(700);
    CHECK_POSITION(2);
    data[300] = 2; /* the block is shorter than what is compared: what is there is right or not */
    memset(data, 3, 1200);
    verify(COMPARE, 1200, data, 1200);
    CHECK_SENSE(KEY_NO_SENSE, ASC_NONE);
    CHECK_INFO(200);
    verify(COMPARE, 1200, data, 1200);
    CHECK_SENSE(KEY_MISCOMPARE, ASC_MISCOMPARE);
    rig_good(DRIVE, REWIND);
    set_block_length(1000);
    for (size_t i = 0; i < 4; i++)
        memset(data + 1000 * i, (int)i + 1, 1000);
    CU_ASSERT_EQUAL(verify(COMPARE | FIXED, 4, data, 4000), SCSI_GOOD);
    CHECK_POSITION(4);
    rig_good(DRIVE, REWIND);
    data[2999] ^= 1;
    verify(COMPARE | FIXED, 4, data, 4000);
    CHECK_SENSE(KEY_MISCOMPARE, ASC_MISCOMPARE);
    CHECK_INFO(2); /* two were right */
    CHECK_POSITION(3);
    /* less data than the CDB says */
    rig_good(DRIVE, REWIND);
    verify(COMPARE | FIXED, 4, data, 3999);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CHECK_POSITION(0);
    rig_stop();
}

/* What contradicts itself (VTE with VBF, either with FIXED, any with BYTCMP), what needs a method
 * of protection (VLBPM), and the reserved bits, by number. */
static void test_verify_refusals(void)
{
    static const struct {
        uint8_t bits, bad;
    } refused[] = {
        {0x80, 7}, {0x40, 6}, {0x28, 5}, {0x10, 4}, {0x22, 1}, {0x0a, 1}, {0x21, 0}, {0x09, 0},
    };

    start_sample();
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        verify(refused[i].bits, 1, NULL, 0);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
        CU_ASSERT_EQUAL(answer.sense[15], 0xc8 | refused[i].bad);
    }
    verify(FIXED, 1, NULL, 0); /* no block length is set */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CHECK_POSITION(0);
    rig_stop();
}

static void test_verify16(void)
{
    uint8_t data[1000];

    start_sample();
    memset(data, 6, sizeof(data));
    CU_ASSERT_EQUAL(at_address(0x8f, COMPARE, 6, 1000, data, 1000, 0), SCSI_GOOD);
    CHECK_POSITION(7);
    at_address(0x8f, COMPARE, 5, 1000, data, 1000, 0);
    CHECK_SENSE(KEY_MISCOMPARE, ASC_MISCOMPARE);
    CHECK_INFO(1000);
    CHECK_POSITION(6);
    at_address(0x8f, 0, 11, 1000, NULL, 0, 0);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_POSITION(10);
    rig_stop();
}

/* ---- READ REVERSE ---------------------------------------------------------------------------- */

static void test_reverse_variable(void)
{
    start_sample();
    locate16(0, 7);
    CU_ASSERT_EQUAL(reverse(BYTORD, 1000, 1000), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 1000);
    CU_ASSERT_TRUE(all_are(answer.in, 1000, 6));
    CHECK_POSITION(6);
    reverse(BYTORD, 1200, 1200);
    CHECK_BITS(false, false, true);
    CHECK_INFO(200);
    CU_ASSERT_EQUAL(answer.in_len, 1000);
    CHECK_POSITION(5);
    reverse(BYTORD, 1000, 1000); /* the filemark: passed */
    CHECK_SENSE(KEY_NO_SENSE, ASC_FILEMARK_DETECTED);
    CHECK_BITS(true, false, false);
    CHECK_INFO(1000);
    CHECK_POSITION(4);
    CU_ASSERT_EQUAL(reverse(BYTORD | SILI, 1200, 1200), SCSI_GOOD);
    CHECK_POSITION(3);
    reverse(BYTORD, 300, 300); /* a long block */
    CHECK_BITS(false, false, true);
    CHECK_INFO(-700);
    CU_ASSERT_EQUAL(answer.in_len, 300);
    CHECK_POSITION(2);
    CU_ASSERT_EQUAL(reverse(BYTORD, 0, 0), SCSI_GOOD);
    CHECK_POSITION(2);
    rig_good(DRIVE, REWIND);
    reverse(BYTORD, 1000, 1000);
    CHECK_SENSE(KEY_NO_SENSE, ASC_BEGINNING_OF_MEDIUM);
    CHECK_BITS(false, true, false);
    CHECK_INFO(1000);
    rig_stop();
}

/* The nearest block first; without BYTORD the last byte of each first. */
static void test_reverse_order(void)
{
    static const uint8_t one[4] = {1, 2, 3, 4}, two[4] = {5, 6, 7, 8};
    static const uint8_t as_written[8] = {5, 6, 7, 8, 1, 2, 3, 4};
    static const uint8_t mirrored[8] = {8, 7, 6, 5, 4, 3, 2, 1};

    rig_start();
    rig_load(1);
    rig_cdb(rig.a, DRIVE, "0a 00 00 00 04 00", one, 4, 0);
    rig_cdb(rig.a, DRIVE, "0a 00 00 00 04 00", two, 4, 0);
    set_block_length(4);
    CU_ASSERT_EQUAL(reverse(FIXED | BYTORD, 2, 8), SCSI_GOOD);
    CU_ASSERT_EQUAL(memcmp(answer.in, as_written, 8), 0);
    CHECK_POSITION(0);
    space(3, 0);
    CU_ASSERT_EQUAL(reverse(FIXED, 2, 8), SCSI_GOOD);
    CU_ASSERT_EQUAL(memcmp(answer.in, mirrored, 8), 0);
    space(3, 0);
    CU_ASSERT_EQUAL(reverse(0, 3, 3), SCSI_CHECK_CONDITION); /* the last three bytes */
    CU_ASSERT_EQUAL(memcmp(answer.in, mirrored, 3), 0);
    space(3, 0);
    CU_ASSERT_EQUAL(reverse(FIXED, 2, 5), SCSI_GOOD); /* less room than asked for */
    CU_ASSERT_EQUAL(answer.in_len, 5);
    CU_ASSERT_EQUAL(answer.in_want, 8);
    space(3, 0);
    reverse(FIXED, 3, 12);
    CHECK_SENSE(KEY_NO_SENSE, ASC_BEGINNING_OF_MEDIUM);
    CHECK_INFO(1);
    CU_ASSERT_EQUAL(answer.in_len, 8);
    CU_ASSERT_EQUAL(at_address(0x81, FIXED | BYTORD, 1, 1, NULL, 0, 4), SCSI_GOOD);
    CU_ASSERT_EQUAL(memcmp(answer.in, one, 4), 0);
    rig_stop();
}

/* ---- READ(16), WRITE(16), WRITE FILEMARKS(16), ERASE(16) --------------------------------------
 */

static void test_read16(void)
{
    start_sample();
    CU_ASSERT_EQUAL(at_address(0x88, 0, 6, 1000, NULL, 0, 1000), SCSI_GOOD);
    CU_ASSERT_TRUE(all_are(answer.in, 1000, 6));
    CHECK_POSITION(7);
    CU_ASSERT_EQUAL(at_address(0x88, SILI, 0, 2000, NULL, 0, 2000), SCSI_GOOD);
    CU_ASSERT_TRUE(all_are(answer.in, 1000, 1));
    CU_ASSERT_EQUAL(answer.in_len, 1000);
    at_address(0x88, 0, 4, 1000, NULL, 0, 1000);
    CHECK_SENSE(KEY_NO_SENSE, ASC_FILEMARK_DETECTED);
    CHECK_INFO(1000);
    CHECK_POSITION(5);
    at_address(0x88, 0, 10, 1000, NULL, 0, 1000); /* end of data */
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_INFO(1000);
    at_address(0x88, 0, UINT64_MAX, 1000, NULL, 0, 1000); /* and beyond */
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CU_ASSERT_EQUAL(answer.in_len, 0);
    CHECK_POSITION(10);
    set_block_length(1000);
    CU_ASSERT_EQUAL(at_address(0x88, FIXED, 1, 3, NULL, 0, 3000), SCSI_GOOD);
    CU_ASSERT_TRUE(all_are(answer.in + 2000, 1000, 4));
    rig_cdb(rig.a, DRIVE, "88 00 00 01 00 00 00 00 00 00 00 00 00 03 e8 00", NULL, 0, 1000);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB); /* partition 1 */
    CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 3);
    rig_stop();
}

static void test_write16(void)
{
    uint8_t data[1000];

    start_sample();
    memset(data, 0x55, sizeof(data));
    CU_ASSERT_EQUAL(at_address(0x8a, 0, 10, 1000, data, 1000, 0), SCSI_GOOD); /* append */
    CU_ASSERT_EQUAL(at_address(0x8a, 0, 11, 1000, data, 1000, 0), SCSI_GOOD);
    at_address(0x8a, 0, 13, 1000, data, 1000, 0); /* a hole: nothing is written */
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_POSITION(12);
    CU_ASSERT_EQUAL(at_address(0x8a, 0, 6, 1000, data, 1000, 0), SCSI_GOOD); /* overwrite */
    CHECK_POSITION(7);
    read_block(1000, false);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    locate16(0, 5);
    read_block(1000, false);
    CU_ASSERT_TRUE(all_are(answer.in, 1000, 5));
    read_block(1000, false);
    CU_ASSERT_TRUE(all_are(answer.in, 1000, 0x55));
    at_address(0x8a, 0, 0, 1000, data, 999, 0); /* half a block: not even the position changes */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 12);
    CHECK_POSITION(7);
    rig_stop();
}

static void test_filemarks16(void)
{
    start_sample();
    CU_ASSERT_EQUAL(at_address(0x80, 0, 10, 3, NULL, 0, 0), SCSI_GOOD);
    CHECK_POSITION(13);
    CU_ASSERT_EQUAL(at_address(0x80, 1, 2, 1, NULL, 0, 0), SCSI_GOOD); /* IMMED, over block 2 */
    CHECK_POSITION(3);
    CU_ASSERT_EQUAL(at_address(0x80, 0, 3, 0, NULL, 0, 0), SCSI_GOOD);
    locate16(3, 0);
    CHECK_POSITION(3);
    at_address(0x80, 0, 9, 1, NULL, 0, 0);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    at_address(0x80, 2, 0, 1, NULL, 0, 0); /* setmarks are obsolete */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CHECK_POSITION(3);
    rig_stop();
}

static void test_erase16(void)
{
    start_sample();
    CU_ASSERT_EQUAL(at_address(0x93, 1, 2, 0, NULL, 0, 0), SCSI_GOOD);
    CHECK_POSITION(2);
    locate16(3, 0);
    CHECK_POSITION(2);
    at_address(0x93, 1, 9, 0, NULL, 0, 0);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    rig_stop();
}

/* After a loss WRITE(6) is refused; a host that names an address knows where it is. */
static void test_write16_after_loss(void)
{
    uint8_t data[1000] = {0};
    uint64_t at;

    rig_start();
    rig_load(1);
    CU_ASSERT_EQUAL(write_block(1000, 1), SCSI_GOOD);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, "10 00 00 00 00 00", NULL, 0, 0);
    CU_ASSERT_EQUAL(answer.status, SCSI_CHECK_CONDITION);
    rig_store_fault = 0;
    CU_ASSERT_EQUAL(write_block(1000, 2), SCSI_CHECK_CONDITION);
    at = position();
    CU_ASSERT_EQUAL(at, 0);
    CU_ASSERT_EQUAL(at_address(0x8a, 0, at, 1000, data, 1000, 0), SCSI_GOOD);
    CHECK_POSITION(1);
    rig_stop();
}

/* Going elsewhere brings what is buffered to the medium first; if that fails, it is said. */
static void test_write16_flushes(void)
{
    uint8_t data[1000] = {0};

    start_sample();
    space(3, 0);
    CU_ASSERT_EQUAL(write_block(1000, 1), SCSI_GOOD);
    rig_store_fault = ERR_IO;
    CU_ASSERT_EQUAL(at_address(0x8a, 0, 0, 1000, data, 1000, 0), SCSI_CHECK_CONDITION);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x71);
    CHECK_INFO(1);
    rig_store_fault = 0;
    locate16(3, 0);
    CHECK_POSITION(10); /* the sample is not overwritten */
    rig_stop();
}

/* ---- what a transport is told ---------------------------------------------------------------- */

static void test_bounds(void)
{
    static const struct {
        uint8_t cdb[16];
        size_t bound;
    } cases[] = {
        {{0x13, 0, 0, 0x10, 0}, 0},
        {{0x13, 2, 0, 0x10, 0}, 4096},
        {{0x13, 3, 0, 0, 1}, 16777216},
        {{0x8f, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0}, 4096},
        {{0x88, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0}, 4096},
        {{0x8a, 1}, 16777216},
        {{0x0f, 0, 0, 0x20, 0}, 8192},
        {{0x81, 1}, 16777216},
        {{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff}, 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        CU_ASSERT_EQUAL(scsi_cdb_transfer_bound(cases[i].cdb, 16), cases[i].bound);
}

static const struct check_test tests[] = {
    {"verify_medium", test_verify_medium},
    {"verify_compare", test_verify_compare},
    {"verify_refusals", test_verify_refusals},
    {"verify16", test_verify16},
    {"reverse_variable", test_reverse_variable},
    {"reverse_order", test_reverse_order},
    {"read16", test_read16},
    {"write16", test_write16},
    {"filemarks16", test_filemarks16},
    {"erase16", test_erase16},
    {"write16_after_loss", test_write16_after_loss},
    {"write16_flushes", test_write16_flushes},
    {"bounds", test_bounds},
};

CHECK_MAIN("drive_address", tests)
