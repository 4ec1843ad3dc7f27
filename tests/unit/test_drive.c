/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_drive.c - the tape drive: data, marks, positions, and above all the sense data by which
 * hosts know where they are.  The numbers in comments are the rows of the list of behaviours that
 * real backup software depends on.
 */
#include <unistd.h>

#include "common/bytes.h"
#include "tests/unit/check.h"
#include "tests/unit/scsi_rig.h"
#include "vtl/scsi/sense.h"

#define TUR    "00 00 00 00 00 00"
#define REWIND "01 00 00 00 00 00"

static struct error err;

/* ---- helpers --------------------------------------------------------------------------------- */

static uint8_t write_block(uint32_t len, uint8_t fill)
{
    uint8_t cdb[6] = {0x0a};
    uint8_t *data = malloc(len ? len : 1);
    uint8_t status;

    memset(data, fill, len);
    put_be24(cdb + 2, len);
    status = rig_send(rig.a, DRIVE, cdb, 6, data, len, 0);
    free(data);
    return status;
}

static uint8_t read_block(uint32_t len, bool sili)
{
    uint8_t cdb[6] = {0x08, sili ? 2 : 0};

    put_be24(cdb + 2, len);
    return rig_send(rig.a, DRIVE, cdb, 6, NULL, 0, len);
}

static uint8_t read_fixed(uint32_t blocks, uint32_t size)
{
    uint8_t cdb[6] = {0x08, 1};

    put_be24(cdb + 2, blocks);
    return rig_send(rig.a, DRIVE, cdb, 6, NULL, 0, (size_t)blocks * size);
}

static uint8_t space(unsigned code, int32_t count)
{
    uint8_t cdb[6] = {0x11, (uint8_t)code};

    put_be24(cdb + 2, (uint32_t)count);
    return rig_send(rig.a, DRIVE, cdb, 6, NULL, 0, 0);
}

static uint8_t space16(unsigned code, int64_t count)
{
    uint8_t cdb[16] = {0x91, (uint8_t)code};

    put_be64(cdb + 4, (uint64_t)count);
    return rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 0);
}

static uint8_t locate16(unsigned type, uint64_t number)
{
    uint8_t cdb[16] = {0x92, (uint8_t)(type << 3)};

    put_be64(cdb + 4, number);
    return rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 0);
}

static void filemarks(unsigned count)
{
    uint8_t cdb[6] = {0x10};

    put_be24(cdb + 2, count);
    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 6, NULL, 0, 0), SCSI_GOOD);
}

static uint64_t position(void)
{
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "34 06 00 00 00 00 00 00 00 00", NULL, 0, 32), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 32);
    return get_be64(answer.in + 8);
}

#define CHECK_POSITION(lba) CU_ASSERT_EQUAL(position(), (lba))

static void set_block_length(uint32_t len)
{
    uint8_t list[12] = {0, 0, 0x10, 8};

    put_be24(list + 9, len);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 0c 00", list, 12, 0), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
}

/* 4 blocks of 1000 bytes (1..4), filemark, 3 blocks (5..7), two filemarks, EOD:
 * addresses 0-3, 4, 5-7, 8, 9; end of data at 10. */
static void write_sample(void)
{
    for (uint8_t i = 1; i <= 4; i++)
        CU_ASSERT_EQUAL(write_block(1000, i), SCSI_GOOD);
    filemarks(1);
    for (uint8_t i = 5; i <= 7; i++)
        CU_ASSERT_EQUAL(write_block(1000, i), SCSI_GOOD);
    filemarks(2);
    rig_good(DRIVE, REWIND);
}

static void start_sample(void)
{
    rig_start();
    rig_load(1);
    write_sample();
}

/* ---- reading --------------------------------------------------------------------------------- */

static void test_write_read(void)
{
    start_sample();
    for (uint8_t i = 1; i <= 4; i++) {
        CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in_len, 1000);
        CU_ASSERT_EQUAL(answer.in[0], i);
        CU_ASSERT_EQUAL(answer.in[999], i);
    }
    CU_ASSERT_EQUAL(read_block(0, false), SCSI_GOOD); /* nothing moves */
    CHECK_POSITION(4);
    rig_stop();
}

/* Row 1: at a filemark; INFORMATION is what was asked for less what was read. */
static void test_read_filemark(void)
{
    start_sample();
    locate16(0, 4);
    read_block(5000, false);
    CHECK_SENSE(KEY_NO_SENSE, ASC_FILEMARK_DETECTED);
    CHECK_BITS(true, false, false);
    CHECK_INFO(5000);
    CU_ASSERT_EQUAL(answer.in_len, 0);
    CHECK_POSITION(5);
    locate16(0, 4);
    read_block(5000, true); /* SILI hides lengths, not filemarks */
    CHECK_SENSE(KEY_NO_SENSE, ASC_FILEMARK_DETECTED);
    /* fixed: blocks */
    set_block_length(1000);
    locate16(0, 1);
    read_fixed(10, 1000);
    CHECK_SENSE(KEY_NO_SENSE, ASC_FILEMARK_DETECTED);
    CHECK_INFO(7);
    CU_ASSERT_EQUAL(answer.in_len, 3000);
    CU_ASSERT_EQUAL(answer.in[2999], 4);
    CHECK_POSITION(5);
    rig_stop();
}

/* Row 2: at end of data, twice. */
static void test_read_end_of_data(void)
{
    start_sample();
    locate16(3, 0);
    for (int i = 0; i < 2; i++) {
        read_block(512, false);
        CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
        CHECK_BITS(false, false, false);
        CHECK_INFO(512);
        CU_ASSERT_EQUAL(answer.in_len, 0);
        CHECK_POSITION(10);
    }
    rig_stop();
}

/* Row 3: incorrect length. */
static void test_incorrect_length(void)
{
    start_sample();
    read_block(1500, false); /* shorter than asked */
    CHECK_SENSE(KEY_NO_SENSE, ASC_NONE);
    CHECK_BITS(false, false, true);
    CHECK_INFO(500);
    CU_ASSERT_EQUAL(answer.in_len, 1000);
    CU_ASSERT_EQUAL(answer.in[999], 1);
    CHECK_POSITION(1);
    read_block(600, false); /* longer */
    CHECK_SENSE(KEY_NO_SENSE, ASC_NONE);
    CHECK_BITS(false, false, true);
    CHECK_INFO(-400);
    CU_ASSERT_EQUAL(answer.in_len, 600);
    CHECK_POSITION(2);
    CU_ASSERT_EQUAL(read_block(1500, true), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 1000);
    CU_ASSERT_EQUAL(read_block(600, true), SCSI_GOOD); /* block length 0: hidden too */
    CU_ASSERT_EQUAL(answer.in_len, 600);
    set_block_length(512);
    locate16(0, 0);
    CU_ASSERT_EQUAL(read_block(1500, true), SCSI_GOOD);
    read_block(600, true); /* a block length is set: told */
    CHECK_SENSE(KEY_NO_SENSE, ASC_NONE);
    CHECK_BITS(false, false, true);
    CHECK_INFO(-400);
    rig_stop();
}

/* Row 4: a fixed read of several blocks stops at the first that is otherwise. */
static void test_fixed_read_odd_block(void)
{
    rig_start();
    rig_load(1);
    for (uint8_t i = 0; i < 3; i++)
        write_block(512, i);
    write_block(300, 9);
    write_block(512, 4);
    rig_good(DRIVE, REWIND);
    set_block_length(512);
    read_fixed(5, 512);
    CHECK_SENSE(KEY_NO_SENSE, ASC_NONE);
    CHECK_BITS(false, false, true);
    CHECK_INFO(2);
    CU_ASSERT_EQUAL(answer.in_len, 3 * 512);
    CHECK_POSITION(4);
    CU_ASSERT_EQUAL(read_fixed(1, 512), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 4);
    read_fixed(1, 512);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_INFO(1);
    rig_stop();
}

static void test_fixed_write(void)
{
    uint8_t data[8 * 512];

    rig_start();
    rig_load(1);
    set_block_length(512);
    memset(data, 0x5a, sizeof(data));
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "0a 01 00 00 08 00", data, sizeof(data), 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.out_want, sizeof(data));
    CHECK_POSITION(8);
    CU_ASSERT_EQUAL(write_block(700, 1), SCSI_GOOD); /* a variable block in between is allowed */
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(read_fixed(8, 512), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, sizeof(data));
    CU_ASSERT_EQUAL(memcmp(answer.in, data, sizeof(data)), 0);
    CU_ASSERT_EQUAL(read_block(700, false), SCSI_GOOD);
    rig_stop();
}

/* Items 15: fixed without a block length, impossible lengths, less data or room than promised. */
static void test_hostile_transfers(void)
{
    start_sample();
    rig_cdb(rig.a, DRIVE, "08 01 00 00 01 00", NULL, 0, 512);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "0a 01 00 00 01 00", "x", 1, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    set_block_length(512);
    rig_cdb(rig.a, DRIVE, "08 03 00 00 01 00", NULL, 0, 512); /* FIXED and SILI */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "08 01 ff ff ff 00", NULL, 0, 512);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "0a 01 ff ff ff 00", "x", 1, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CHECK_POSITION(0);
    rig_cdb(rig.a, DRIVE, "0a 00 00 04 00 00", "xyz", 3, 0); /* 3 of 1024 bytes came */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(answer.out_want, 1024);
    CHECK_POSITION(0);                                        /* and nothing was written */
    rig_cdb(rig.a, DRIVE, "08 00 00 03 e8 00", NULL, 0, 100); /* 1000 wanted, room for 100 */
    CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 100);
    CU_ASSERT_EQUAL(answer.in_want, 1000);
    rig_cdb(rig.a, DRIVE, "08 00 ff ff ff 00", NULL, 0, 0); /* no room at all */
    CU_ASSERT_EQUAL(answer.in_len, 0);
    CHECK_POSITION(2);
    rig_stop();
}

/* The largest block goes through, whole. */
static void test_largest_block(void)
{
    rig_start();
    rig_load(1);
    CU_ASSERT_EQUAL(write_block(0xffffff, 0xa5), SCSI_GOOD);
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(read_block(0xffffff, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 0xffffff);
    CU_ASSERT_EQUAL(answer.in[0xfffffe], 0xa5);
    rig_stop();
}

/* ---- spacing --------------------------------------------------------------------------------- */

/* Row 5: spacing blocks is stopped by a filemark, on its far side. */
static void test_space_blocks(void)
{
    start_sample();
    CU_ASSERT_EQUAL(space(0, 3), SCSI_GOOD);
    CHECK_POSITION(3);
    locate16(0, 1);
    space(0, 10);
    CHECK_SENSE(KEY_NO_SENSE, ASC_FILEMARK_DETECTED);
    CHECK_BITS(true, false, false);
    CHECK_INFO(7);
    CHECK_POSITION(5);
    locate16(0, 8);
    space(0, -8);
    CHECK_SENSE(KEY_NO_SENSE, ASC_FILEMARK_DETECTED);
    CHECK_BITS(true, false, false);
    CHECK_INFO(5);
    CHECK_POSITION(4);
    CU_ASSERT_EQUAL(space(0, -2), SCSI_GOOD);
    CHECK_POSITION(2);
    CU_ASSERT_EQUAL(space(0, 0), SCSI_GOOD);
    CHECK_POSITION(2);
    rig_stop();
}

/* Row 6: back over the beginning. */
static void test_space_before_beginning(void)
{
    start_sample();
    locate16(0, 3);
    space(0, -10);
    CHECK_SENSE(KEY_NO_SENSE, ASC_BEGINNING_OF_MEDIUM);
    CHECK_BITS(false, true, false);
    CHECK_INFO(7);
    CHECK_POSITION(0);
    locate16(0, 6);
    space(1, -5);
    CHECK_SENSE(KEY_NO_SENSE, ASC_BEGINNING_OF_MEDIUM);
    CHECK_INFO(4);
    CHECK_POSITION(0);
    rig_stop();
}

/* Row 7: filemarks, runs of filemarks, end of data, both command lengths. */
static void test_space_filemarks(void)
{
    start_sample();
    CU_ASSERT_EQUAL(space(1, 1), SCSI_GOOD);
    CHECK_POSITION(5);
    CU_ASSERT_EQUAL(space(1, -1), SCSI_GOOD);
    CHECK_POSITION(4);
    CU_ASSERT_EQUAL(space16(1, 3), SCSI_GOOD);
    CHECK_POSITION(10);
    rig_good(DRIVE, REWIND);
    space(1, 5);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_INFO(2);
    CHECK_POSITION(10);
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(space(2, 2), SCSI_GOOD); /* two in a row */
    CHECK_POSITION(10);
    CU_ASSERT_EQUAL(space(2, -2), SCSI_GOOD);
    CHECK_POSITION(8);
    rig_good(DRIVE, REWIND);
    space(2, 3);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_POSITION(10);
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(space(3, 0), SCSI_GOOD);
    CHECK_POSITION(10);
    space(4, 1); /* setmarks */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

/* Item 18: the extremes of counts and addresses. */
static void test_extreme_counts(void)
{
    start_sample();
    space(0, -0x800000);
    CHECK_SENSE(KEY_NO_SENSE, ASC_BEGINNING_OF_MEDIUM);
    CHECK_INFO(0x800000);
    space(0, 0x7fffff);
    CHECK_SENSE(KEY_NO_SENSE, ASC_FILEMARK_DETECTED);
    CHECK_INFO(0x7fffff - 4);
    space16(1, INT64_MAX);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CU_ASSERT_TRUE(rig_info_is(false, 0)); /* too large for fixed format */
    space16(0, INT64_MIN);
    CHECK_SENSE(KEY_NO_SENSE, ASC_FILEMARK_DETECTED);
    space16(1, INT64_MIN);
    CHECK_SENSE(KEY_NO_SENSE, ASC_BEGINNING_OF_MEDIUM);
    locate16(0, UINT64_MAX);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_POSITION(10);
    locate16(1, UINT64_MAX);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    rig_cdb(rig.a, DRIVE, "2b 00 00 ff ff ff ff 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    rig_cdb(rig.a, DRIVE, "10 00 ff ff ff 00", NULL, 0, 0); /* 16,777,215 filemarks */
    CU_ASSERT(answer.status == SCSI_GOOD || answer.status == SCSI_CHECK_CONDITION);
    rig_cdb(rig.a, DRIVE, "34 06 00 00 00 00 00 00 00 00", NULL, 0, 32);
    CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
    rig_stop();
}

/* ---- positions (rows 12, 13) ----------------------------------------------------------------- */

static void test_read_position(void)
{
    start_sample();
    rig_cdb(rig.a, DRIVE, "34 00 00 00 00 00 00 00 00 00", NULL, 0, 20);
    CU_ASSERT_EQUAL(answer.in_len, 20);
    CU_ASSERT_EQUAL(answer.in[0], 0x80); /* BOP */
    CU_ASSERT_EQUAL(get_be32(answer.in + 4), 0);
    locate16(0, 6);
    rig_cdb(rig.a, DRIVE, "34 00 00 00 00 00 00 00 00 00", NULL, 0, 20);
    CU_ASSERT_EQUAL(answer.in[0], 0x00);
    CU_ASSERT_EQUAL(get_be32(answer.in + 4), 6);
    CU_ASSERT_EQUAL(get_be32(answer.in + 8), 6);
    CHECK_POSITION(6);
    CU_ASSERT_EQUAL(get_be64(answer.in + 16), 1); /* one filemark before it */
    rig_cdb(rig.a, DRIVE, "34 08 00 00 00 00 00 00 20 00", NULL, 0, 32);
    CU_ASSERT_EQUAL(answer.in_len, 32);
    CU_ASSERT_EQUAL(get_be16(answer.in + 2), 0x1c);
    CU_ASSERT_EQUAL(get_be64(answer.in + 8), 6);
    /* what is in the buffer is told */
    locate16(3, 0);
    write_block(500, 1);
    write_block(500, 1);
    rig_cdb(rig.a, DRIVE, "34 08 00 00 00 00 00 00 20 00", NULL, 0, 32);
    CU_ASSERT_EQUAL(get_be24(answer.in + 5), 2);
    CU_ASSERT_EQUAL(get_be64(answer.in + 8), 12);
    CU_ASSERT_EQUAL(get_be64(answer.in + 16), 10);
    CU_ASSERT(get_be64(answer.in + 24) >= 1000);
    rig_good(DRIVE, "10 00 00 00 00 00"); /* row 10: no filemarks is a flush */
    rig_cdb(rig.a, DRIVE, "34 08 00 00 00 00 00 00 20 00", NULL, 0, 32);
    CU_ASSERT_EQUAL(get_be24(answer.in + 5), 0);
    rig_cdb(rig.a, DRIVE, "34 00 00 00 00 00 00 00 10 00", NULL, 0, 20); /* a length is reserved */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

static void test_locate(void)
{
    start_sample();
    rig_good(DRIVE, "2b 00 00 00 00 00 05 00 00 00");
    CHECK_POSITION(5);
    CU_ASSERT_EQUAL(locate16(1, 1), SCSI_GOOD);
    CHECK_POSITION(5);
    CU_ASSERT_EQUAL(locate16(1, 3), SCSI_GOOD);
    CHECK_POSITION(10);
    CU_ASSERT_EQUAL(locate16(1, 0), SCSI_GOOD);
    CHECK_POSITION(0);
    CU_ASSERT_EQUAL(locate16(3, 0), SCSI_GOOD);
    CHECK_POSITION(10);
    CU_ASSERT_EQUAL(locate16(0, 10), SCSI_GOOD); /* end of data itself can be located */
    locate16(0, 11);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_POSITION(10);
    locate16(1, 4);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    locate16(2, 1);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "2b 02 00 00 00 00 00 00 01 00", NULL, 0, 0); /* partition 1 */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_good(DRIVE, "2b 02 00 00 00 00 02 00 00 00");
    CHECK_POSITION(2);
    rig_stop();
}

/* ---- the end of the medium (row 8) ----------------------------------------------------------- */

static void test_early_warning_and_overflow(void)
{
    unsigned good = 0, warned = 0;

    rig_start();
    rig_load(0); /* 8 MiB, early warning at 7 */
    for (int i = 0; i < 40; i++) {
        if (write_block(262144, (uint8_t)i) == SCSI_GOOD) {
            CU_ASSERT_EQUAL(warned, 0);
            good++;
            continue;
        }
        if ((answer.sense[2] & 0x0f) != KEY_NO_SENSE)
            break;
        CHECK_SENSE(KEY_NO_SENSE, ASC_END_OF_MEDIUM);
        CHECK_BITS(false, true, false);
        CHECK_INFO(0); /* written */
        warned++;
    }
    CU_ASSERT_EQUAL(good, 28);
    CU_ASSERT_EQUAL(warned, 4);
    CHECK_SENSE(KEY_VOLUME_OVERFLOW, ASC_END_OF_MEDIUM);
    CHECK_BITS(false, true, false);
    CHECK_INFO(262144);
    CHECK_POSITION(32);
    CU_ASSERT_EQUAL(answer.in[0] & 0x40, 0x40); /* EOP */
    /* a trailer can be written in the early-warning zone after stepping back */
    CU_ASSERT_EQUAL(space(0, -1), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "10 00 00 00 02 00", NULL, 0, 0);
    CHECK_SENSE(KEY_NO_SENSE, ASC_END_OF_MEDIUM);
    rig_good(DRIVE, REWIND);
    for (int i = 0; i < 31; i++) {
        CU_ASSERT_EQUAL(read_block(262144, false), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in[77], i);
    }
    rig_stop();
}

static void test_fixed_overflow_residual(void)
{
    static uint8_t data[40 * 262144];

    rig_start();
    rig_load(0);
    set_block_length(262144);
    rig_cdb(rig.a, DRIVE, "0a 01 00 00 28 00", data, sizeof(data), 0);
    CHECK_SENSE(KEY_VOLUME_OVERFLOW, ASC_END_OF_MEDIUM);
    CHECK_BITS(false, true, false);
    CHECK_INFO(8); /* 32 of 40 blocks fit */
    CHECK_POSITION(32);
    rig_stop();
}

/* ---- filemarks and buffering (row 10) -------------------------------------------------------- */

static void test_write_filemarks(void)
{
    rig_start();
    rig_load(1);
    write_block(10, 1);
    rig_good(DRIVE, "10 01 00 00 01 00"); /* IMMED: stays buffered */
    rig_cdb(rig.a, DRIVE, "34 08 00 00 00 00 00 00 20 00", NULL, 0, 32);
    CU_ASSERT_EQUAL(get_be24(answer.in + 5), 2);
    rig_good(DRIVE, "10 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, "34 08 00 00 00 00 00 00 20 00", NULL, 0, 32);
    CU_ASSERT_EQUAL(get_be24(answer.in + 5), 0);
    CHECK_POSITION(3);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 04 00", "\0\0\0\0", 4, 0), SCSI_GOOD);
    write_block(10, 1); /* unbuffered: on the medium at once */
    rig_cdb(rig.a, DRIVE, "34 08 00 00 00 00 00 00 20 00", NULL, 0, 32);
    CU_ASSERT_EQUAL(get_be24(answer.in + 5), 0);
    rig_cdb(rig.a, DRIVE, "10 01 00 00 01 00", NULL, 0, 0); /* IMMED needs the buffer */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

/* Buffered blocks reach the medium by themselves when the drive is idle. */
static void test_idle_sync(void)
{
    rig_start();
    rig_load(1);
    write_block(10, 1);
    usleep(1500000);
    rig_cdb(rig.a, DRIVE, "34 08 00 00 00 00 00 00 20 00", NULL, 0, 32);
    CU_ASSERT_EQUAL(get_be24(answer.in + 5), 0);
    rig_stop();
}

/* What was written with a filemark behind it survives a power cycle, and the drive loads by
 * itself. */
static void test_power_cycle(void)
{
    start_sample();
    rig_restart();
    rig_good(DRIVE, TUR);
    locate16(0, 5);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 5);
    rig_stop();
}

static void test_overwrite_truncates(void)
{
    start_sample();
    locate16(0, 2);
    CU_ASSERT_EQUAL(write_block(77, 0x33), SCSI_GOOD);
    read_block(100, false);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_POSITION(3);
    rig_stop();
}

static void test_erase(void)
{
    start_sample();
    locate16(0, 5);
    rig_good(DRIVE, "19 00 00 00 00 00");
    read_block(100, false);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_POSITION(5);
    rig_good(DRIVE, REWIND);
    rig_good(DRIVE, "19 03 00 00 00 00"); /* long, immediate */
    read_block(100, false);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_POSITION(0);
    rig_stop();
}

/* ---- loading (rows 15, 17) ------------------------------------------------------------------- */

static void test_load_unload(void)
{
    rig_start();
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_cdb(rig.a, DRIVE, "08 00 00 00 10 00", NULL, 0, 16);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_cdb(rig.a, DRIVE, "1b 00 00 00 01 00", NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_good(DRIVE, "1b 00 00 00 00 00"); /* unloading nothing */
    rig_load(1);
    write_sample();
    rig_good(DRIVE, "1b 00 00 00 00 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM); /* ejected: st says "no tape" */
    rig_good(DRIVE, "1b 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    rig_good(DRIVE, TUR);
    CHECK_POSITION(0);
    rig_good(DRIVE, "1b 00 00 00 08 00"); /* HOLD */
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_INITIALIZING_REQUIRED);
    rig_good(DRIVE, "1b 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    locate16(0, 3);
    rig_good(DRIVE, "1b 00 00 00 01 00"); /* loaded already: to the beginning */
    CHECK_POSITION(0);
    rig_cdb(rig.a, DRIVE, "1b 00 00 00 05 00", NULL, 0, 0); /* LOAD with EOT */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

static void test_prevent(void)
{
    struct scsi_drive_state state;

    rig_start();
    rig_load(1);
    rig_good(DRIVE, "1e 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, "1b 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
    rig_good(DRIVE, TUR); /* still loaded */
    rig_cdb(rig.b, DRIVE, "1b 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
    CHECK_FAILS(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), ERR_BUSY, err);
    rig_cdb(rig.b, DRIVE, "1e 00 00 00 00 00", NULL, 0, 0); /* another nexus' ALLOW */
    CHECK_OK(scsi_target_drive_state(rig.target, 0, &state, &err), err);
    CU_ASSERT_TRUE(state.prevented);
    rig_cdb(rig.b, DRIVE, "1b 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
    scsi_nexus_destroy(rig.a); /* its prevent goes with it */
    rig.a = rig.b;
    rig.b = NULL;
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), err);
    rig_cdb(rig.a, DRIVE, "1e 00 00 00 02 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

/* A cartridge taken by the robot while it is loaded keeps what was written. */
static void test_move_out_of_drive(void)
{
    struct scsi_drive_state state;

    rig_start();
    rig_load(1);
    write_block(1000, 0x11); /* not synchronised */
    CHECK_OK(scsi_target_drive_state(rig.target, 0, &state, &err), err);
    CU_ASSERT(state.loaded && state.present);
    CU_ASSERT_STRING_EQUAL(state.barcode, "RIG001L8");
    CU_ASSERT_EQUAL(state.bytes_written, 1000);
    CU_ASSERT_EQUAL(state.position.lba, 1);
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(3), &err), err);
    CHECK_OK(scsi_target_drive_state(rig.target, 0, &state, &err), err);
    CU_ASSERT(!state.loaded && !state.present);
    CU_ASSERT_STRING_EQUAL(state.barcode, "");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    CHECK_OK(scsi_target_move(rig.target, SLOT(3), DRIVE_AT(1), &err), err);
    rig_cdb(rig.a, SECOND, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, SECOND, "08 00 00 03 e8 00", NULL, 0, 1000), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[999], 0x11);
    CHECK_FAILS(scsi_target_drive_state(rig.target, 7, &state, &err), ERR_NOT_FOUND, err);
    rig_stop();
}

/* Rows 25, 26: what the drive does not take. */
static void test_incompatible_media(void)
{
    static const struct {
        const char *barcode;
        uint8_t density;
        unsigned code;
    } cases[] = {
        {"INC001L6", 0x5a, ASC_INCOMPATIBLE_MEDIUM},
        {"INC001L9", 0x60, ASC_INCOMPATIBLE_MEDIUM},
        {"CLN001CU", 0x5e, ASC_CLEANING_CARTRIDGE},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_start();
        rig_cartridge(cases[i].barcode, SLOT(2), cases[i].density, false, 0);
        CHECK_OK(scsi_target_move(rig.target, SLOT(2), DRIVE_AT(0), &err), err);
        rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
        CHECK_SENSE(KEY_NOT_READY, cases[i].code);
        rig_cdb(rig.a, DRIVE, "1b 00 00 00 01 00", NULL, 0, 0);
        CHECK_SENSE(KEY_NOT_READY, cases[i].code);
        CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(2), &err), err);
        rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
        CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
        rig_stop();
    }
    rig_start();
    rig_cartridge("RDY001L7", SLOT(2), 0x5c, false, 0);
    rig_load(2);
    rig_good(DRIVE, TUR);
    CU_ASSERT_EQUAL(write_block(100, 1), SCSI_GOOD);
    rig_stop();
}

/* A cartridge that another process writes to is "becoming ready", and is loaded when it is free. */
static void test_cartridge_in_use(void)
{
    struct store *store;
    struct cartridge *c;

    rig_start();
    CHECK_OK(library_cartridge_store(rig.library, "RIG001L8", &store, &err), err);
    CHECK_OK(cartridge_open(store, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(scsi_target_move(rig.target, SLOT(1), DRIVE_AT(0), &err), err);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_BECOMING_READY);
    cartridge_close(c);
    store_close(store);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    rig_good(DRIVE, TUR);
    rig_stop();
}

static void test_damaged_cartridge(void)
{
    char command[256];

    rig_start();
    snprintf(command, sizeof(command),
             "cd %s/cartridges/RIG001L8 && for f in *; do echo x > $f; done", rig.root);
    CU_ASSERT_EQUAL(system(command), 0);
    CHECK_OK(scsi_target_move(rig.target, SLOT(1), DRIVE_AT(0), &err), err);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(answer.status, SCSI_CHECK_CONDITION);
    CU_ASSERT_EQUAL(answer.sense[2] & 0x0f, KEY_NOT_READY);
    CU_ASSERT(answer.sense[12] == 0x30 || answer.sense[12] == 0x53);
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), err);
    rig_stop();
}

/* ---- protection (row 19) --------------------------------------------------------------------- */

static void set_tab(const char *barcode, bool on)
{
    struct store *store;
    struct cartridge *c;

    CHECK_OK(library_cartridge_store(rig.library, barcode, &store, &err), err);
    CHECK_OK(cartridge_open(store, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(cartridge_set_protected(c, on, &err), err);
    cartridge_close(c);
    store_close(store);
}

static void test_write_protect(void)
{
    start_sample();
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), err);
    set_tab("RIG001L8", true);
    rig_load(1);
    write_block(10, 1);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WRITE_PROTECTED);
    rig_cdb(rig.a, DRIVE, "10 00 00 00 01 00", NULL, 0, 0);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WRITE_PROTECTED);
    rig_cdb(rig.a, DRIVE, "19 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WRITE_PROTECTED);
    rig_good(DRIVE, "10 00 00 00 00 00"); /* a flush writes nothing */
    CU_ASSERT_EQUAL(space(1, 1), SCSI_GOOD);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "1a 00 00 00 0c 00", NULL, 0, 12);
    CU_ASSERT_EQUAL(answer.in[2] & 0x80, 0x80);
    rig_stop();
}

static void test_worm(void)
{
    rig_start();
    rig_cartridge("WRM001LY", SLOT(2), 0x5e, true, 0);
    rig_load(2);
    write_sample();
    write_block(10, 1);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WORM_OVERWRITE);
    rig_cdb(rig.a, DRIVE, "19 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WORM_OVERWRITE);
    locate16(3, 0);
    CU_ASSERT_EQUAL(write_block(10, 1), SCSI_GOOD); /* appending is what it is for */
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "1a 08 1d 00 ff 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(answer.in[4 + 2], 0x01);
    CU_ASSERT_EQUAL(answer.in[1], 0x8c); /* medium type: LTO-8 WORM */
    rig_stop();
}

/* ---- limits, density, attributes (rows 18, 27) ----------------------------------------------- */

static void test_block_limits_and_mode(void)
{
    rig_start();
    rig_load(1);
    rig_cdb(rig.a, DRIVE, "05 00 00 00 00 00", NULL, 0, 6);
    CU_ASSERT_EQUAL(answer.in_len, 6);
    CU_ASSERT_EQUAL(get_be24(answer.in + 1), 0xffffff);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4), 1);
    rig_cdb(rig.a, DRIVE, "05 01 00 00 00 00", NULL, 0, 20);
    CU_ASSERT_EQUAL(answer.in_len, 20);
    set_block_length(70000);
    rig_cdb(rig.a, DRIVE, "1a 00 00 00 0c 00", NULL, 0, 12); /* what st does */
    CU_ASSERT_EQUAL(answer.in_len, 12);
    CU_ASSERT_EQUAL(answer.in[0], 11);
    CU_ASSERT_EQUAL(answer.in[1], 0x88);
    CU_ASSERT_EQUAL(answer.in[2], 0x10); /* buffered, not protected */
    CU_ASSERT_EQUAL(answer.in[3], 8);
    CU_ASSERT_EQUAL(answer.in[4], 0x5e);
    CU_ASSERT_EQUAL(get_be24(answer.in + 9), 70000);
    rig_stop();
}

static void test_density(void)
{
    rig_start();
    rig_cdb(rig.a, DRIVE, "44 00 00 00 00 00 00 10 00 00", NULL, 0, 4096);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 3 * 52);
    CU_ASSERT_EQUAL(get_be16(answer.in), answer.in_len - 2);
    rig_cdb(rig.a, DRIVE, "44 01 00 00 00 00 00 10 00 00", NULL, 0, 4096);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_load(1);
    rig_cdb(rig.a, DRIVE, "44 01 00 00 00 00 00 10 00 00", NULL, 0, 4096);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 52);
    CU_ASSERT_EQUAL(answer.in[4], 0x5e);
    CU_ASSERT_EQUAL(answer.in[6] & 0x80, 0x80); /* WRTOK */
    rig_cdb(rig.a, DRIVE, "44 03 00 00 00 00 00 10 00 00", NULL, 0, 4096);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 56);
    rig_stop();
}

/* READ ATTRIBUTE from the id on; leaves the value's place in answer.in + 4. */
static bool attribute(uint16_t id)
{
    uint8_t cdb[16] = {0x8c};

    put_be16(cdb + 8, id);
    put_be32(cdb + 10, 4096);
    return rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 4096) == SCSI_GOOD &&
           get_be16(answer.in + 4) == id;
}

static void test_attributes(void)
{
    static const uint8_t host[] = {0,   0,   0,    18,   0x08, 0x01, 1, 0, 4, 'T', 'E',
                                   'S', 'T', 0x08, 0x0c, 0,    0,    4, 1, 2, 3,   4};
    uint8_t list[22];
    uint32_t change;

    rig_start();
    rig_load(1);
    CU_ASSERT_TRUE(attribute(0x0806));
    CU_ASSERT_EQUAL(get_be16(answer.in + 7), 32);
    CU_ASSERT_EQUAL(memcmp(answer.in + 9, "RIG001L8   ", 11), 0);
    CU_ASSERT_TRUE(attribute(0x0001));
    CU_ASSERT_EQUAL(get_be64(answer.in + 9), 12000000000000 / 1048576);
    CU_ASSERT_TRUE(attribute(0x0003));
    CU_ASSERT_EQUAL(get_be64(answer.in + 9), 1);
    CU_ASSERT_TRUE(attribute(0x0009));
    change = get_be32(answer.in + 9);
    write_block(10, 1);
    write_block(10, 1);
    CU_ASSERT_TRUE(attribute(0x0009));
    CU_ASSERT_EQUAL(get_be32(answer.in + 9), change + 1);
    CU_ASSERT_FALSE(attribute(0x0801));
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    memcpy(list, host, sizeof(list));
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "8d 01 00 00 00 00 00 00 00 00 00 00 00 16 00 00", list,
                            sizeof(list), 0),
                    SCSI_GOOD);
    CU_ASSERT_TRUE(attribute(0x0801));
    CU_ASSERT_EQUAL(memcmp(answer.in + 9, "TEST", 4), 0);
    CU_ASSERT_TRUE(attribute(0x080c));
    CU_ASSERT_EQUAL(get_be32(answer.in + 9), 0x01020304);
    rig_restart();
    CU_ASSERT_TRUE(attribute(0x0801));
    rig_cdb(rig.a, DRIVE, "8c 01 00 00 00 00 00 00 00 00 00 00 10 00 00 00", NULL, 0, 4096);
    CU_ASSERT_EQUAL(get_be32(answer.in) + 4, answer.in_len);
    /* refused as a whole: the second attribute is read-only; then lengths that lie */
    list[13] = 0x00;
    list[14] = 0x01;
    list[9] = 'X';
    rig_cdb(rig.a, DRIVE, "8d 00 00 00 00 00 00 00 00 00 00 00 00 16 00 00", list, sizeof(list), 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    CU_ASSERT_TRUE(attribute(0x0801));
    CU_ASSERT_EQUAL(answer.in[9], 'T');
    memcpy(list, host, sizeof(list));
    put_be16(list + 16, 65535);
    rig_cdb(rig.a, DRIVE, "8d 00 00 00 00 00 00 00 00 00 00 00 00 16 00 00", list, sizeof(list), 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    rig_cdb(rig.a, DRIVE, "8d 00 00 00 00 00 00 00 00 00 ff ff ff ff 00 00", list, sizeof(list), 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    rig_stop();
}

/* ---- deferred errors (row 11) ---------------------------------------------------------------- */

static void check_deferred(int64_t blocks)
{
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x71);
    CHECK_INFO(blocks);
}

/* A command that must synchronise finds that it can't: it is not run, the loss is told, once, and
 * WRITE is refused until the host positions. */
static void test_deferred_error(void)
{
    start_sample();
    locate16(3, 0);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(write_block(1000, 8), SCSI_GOOD);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, REWIND, NULL, 0, 0);
    check_deferred(3);
    CU_ASSERT_EQUAL(get_be32(answer.sense + 8), 10); /* the first that is lost */
    rig_good(DRIVE, TUR);
    rig_store_fault = 0;
    write_block(1000, 9);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x70);
    CHECK_POSITION(10);
    CU_ASSERT_EQUAL(locate16(3, 0), SCSI_GOOD);
    CHECK_POSITION(10);
    CU_ASSERT_EQUAL(write_block(1000, 9), SCSI_GOOD);
    rig_good(DRIVE, "10 00 00 00 01 00");
    locate16(0, 10);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 9);
    rig_cdb(rig.a, DRIVE, "4d 00 42 00 00 00 06 00 ff 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(get_be64(answer.in + 8), 1); /* one write error was counted */
    rig_stop();
}

/* WRITE FILEMARKS is where hosts look for write errors. */
static void test_deferred_at_filemarks(void)
{
    start_sample();
    locate16(3, 0);
    write_block(1000, 8);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, "10 00 00 00 01 00", NULL, 0, 0);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CHECK_INFO(2); /* the block and the filemark */
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x71);
    rig_store_fault = 0;
    CU_ASSERT_EQUAL(locate16(3, 0), SCSI_GOOD);
    rig_store_fault = ERR_IO; /* nothing but the filemarks themselves: a current error */
    rig_cdb(rig.a, DRIVE, "10 00 00 00 03 00", NULL, 0, 0);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x70);
    CHECK_INFO(3);
    rig_store_fault = 0;
    CHECK_POSITION(10);
    rig_stop();
}

/* The background synchronisation fails: the next command of the nexus that wrote is not run. */
static void test_deferred_when_idle(void)
{
    start_sample();
    locate16(3, 0);
    write_block(1000, 8);
    rig_store_fault = ERR_IO;
    usleep(1500000);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD); /* it did not write */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "12 00 00 00 60 00", NULL, 0, 96), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, REWIND, NULL, 0, 0);
    check_deferred(1);
    rig_store_fault = 0;
    CHECK_POSITION(10); /* the REWIND was not carried out */
    rig_good(DRIVE, REWIND);
    rig_stop();
}

/* Another nexus' command finds the loss: both are told. */
static void test_deferred_for_the_writer(void)
{
    start_sample();
    locate16(3, 0);
    write_block(1000, 8);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.b, DRIVE, REWIND, NULL, 0, 0);
    check_deferred(1);
    rig_store_fault = 0;
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    check_deferred(1);
    rig_good(DRIVE, TUR);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    rig_stop();
}

/* The robot comes for a cartridge whose last blocks can't be stored. */
static void test_deferred_at_move(void)
{
    start_sample();
    locate16(3, 0);
    write_block(1000, 8);
    rig_store_fault = ERR_IO;
    CHECK_FAILS(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), ERR_IO, err);
    rig_store_fault = 0;
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), err);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    check_deferred(1);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_load(1);
    locate16(3, 0);
    CHECK_POSITION(10); /* what was synchronised is there */
    rig_stop();
}

/* Unbuffered, a write that can't be stored is that WRITE's own error. */
static void test_unbuffered_error(void)
{
    start_sample();
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 04 00", "\0\0\0\0", 4, 0), SCSI_GOOD);
    locate16(3, 0);
    rig_store_fault = ERR_IO;
    write_block(1000, 8);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x70);
    CHECK_INFO(1000);
    rig_store_fault = 0;
    CHECK_POSITION(10);
    rig_stop();
}

/* A full file system below is the end of the medium, not a loss without a word (mhvtl #99). */
static void test_no_space(void)
{
    start_sample();
    locate16(3, 0);
    write_block(1000, 8);
    rig_store_fault = ERR_NO_SPACE;
    rig_cdb(rig.a, DRIVE, "10 00 00 00 01 00", NULL, 0, 0);
    CHECK_SENSE(KEY_VOLUME_OVERFLOW, ASC_END_OF_MEDIUM);
    CHECK_BITS(false, true, false);
    rig_store_fault = 0;
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    rig_stop();
}

static const struct check_test tests[] = {
    {"write_read", test_write_read},
    {"read_filemark", test_read_filemark},
    {"read_end_of_data", test_read_end_of_data},
    {"incorrect_length", test_incorrect_length},
    {"fixed_read_odd_block", test_fixed_read_odd_block},
    {"fixed_write", test_fixed_write},
    {"hostile_transfers", test_hostile_transfers},
    {"largest_block", test_largest_block},
    {"space_blocks", test_space_blocks},
    {"space_before_beginning", test_space_before_beginning},
    {"space_filemarks", test_space_filemarks},
    {"extreme_counts", test_extreme_counts},
    {"read_position", test_read_position},
    {"locate", test_locate},
    {"early_warning_and_overflow", test_early_warning_and_overflow},
    {"fixed_overflow_residual", test_fixed_overflow_residual},
    {"write_filemarks", test_write_filemarks},
    {"idle_sync", test_idle_sync},
    {"power_cycle", test_power_cycle},
    {"overwrite_truncates", test_overwrite_truncates},
    {"erase", test_erase},
    {"load_unload", test_load_unload},
    {"prevent", test_prevent},
    {"move_out_of_drive", test_move_out_of_drive},
    {"incompatible_media", test_incompatible_media},
    {"cartridge_in_use", test_cartridge_in_use},
    {"damaged_cartridge", test_damaged_cartridge},
    {"write_protect", test_write_protect},
    {"worm", test_worm},
    {"block_limits_and_mode", test_block_limits_and_mode},
    {"density", test_density},
    {"attributes", test_attributes},
    {"deferred_error", test_deferred_error},
    {"deferred_at_filemarks", test_deferred_at_filemarks},
    {"deferred_when_idle", test_deferred_when_idle},
    {"deferred_for_the_writer", test_deferred_for_the_writer},
    {"deferred_at_move", test_deferred_at_move},
    {"unbuffered_error", test_unbuffered_error},
    {"no_space", test_no_space},
};

CHECK_MAIN("drive", tests)
