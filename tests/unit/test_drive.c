/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_drive.c - the tape drive: data, marks, positions, and above all the sense data by which
 * hosts know where they are.  The numbers in comments are the rows of the list of behaviours that
 * real backup software depends on.
 */
#include <unistd.h>

#include "tests/unit/drive_rig.h"

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

/* The largest block goes through, whole; what is larger than the model writes is refused. */
static void test_largest_block(void)
{
    rig.model = "CAPSTAN-TAPE";
    rig_start();
    rig_load(1);
    CU_ASSERT_EQUAL(write_block(0xffffff, 0xa5), SCSI_GOOD);
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(read_block(0xffffff, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 0xffffff);
    CU_ASSERT_EQUAL(answer.in[0xfffffe], 0xa5);
    rig_stop();
    rig.model = NULL;
    rig_start();
    rig_load(1);
    CU_ASSERT_EQUAL(write_block(0x800000, 0xa5), SCSI_GOOD);
    write_block(0x800001, 0xa5);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
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
    rig_good(DRIVE, "19 02 00 00 00 00"); /* IMMED; LONG: test_drive_background */
    read_block(100, false);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_POSITION(0);
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
};

CHECK_MAIN("drive", tests)
