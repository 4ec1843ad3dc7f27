/* SPDX-License-Identifier: Apache-2.0 */
/* test_drive_wraps.c - READ END OF WRAP POSITION. */
#include "tests/unit/drive_rig.h"

static uint64_t get_be48(const uint8_t *p)
{
    return (uint64_t)get_be16(p) << 32 | get_be32(p + 2);
}

/* A tape of 208 wraps of 40 KiB: 10 blocks of 4 KiB each. */
#define WRAP 10

static void start(unsigned blocks)
{
    rig_start();
    rig_cartridge("WRP001L8", SLOT(2), 0x5e, false, 208 * 40960);
    rig_load(2);
    for (unsigned i = 0; i < blocks; i++)
        CU_ASSERT_EQUAL(write_block(4096, (uint8_t)i), SCSI_GOOD);
}

#define ALL_WRAPS "a3 1f 45 02 00 00 00 00 40 00 00 00"

static const uint8_t *descriptor(unsigned i)
{
    return answer.in + 4 + 12 * i;
}

static void test_all(void)
{
    start(5 * WRAP + 3);
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, ALL_WRAPS, NULL, 0, 16384), SCSI_GOOD);
    CU_ASSERT_EQUAL_FATAL(answer.in_len, 4 + 6 * 12);
    CU_ASSERT_EQUAL(get_be16(answer.in), 2 + 6 * 12);
    for (unsigned i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(get_be16(descriptor(i)), i);
        CU_ASSERT_EQUAL(get_be16(descriptor(i) + 2), 0);
        /* of the last one, the end of data */
        CU_ASSERT_EQUAL(get_be48(descriptor(i) + 6), i < 5 ? i * WRAP + 9 : 5 * WRAP + 3);
    }
    CHECK_POSITION(0);
    rig_stop();
}

static void test_one(void)
{
    static const struct {
        const char *cdb;
        uint64_t last;
    } cases[] = {
        {"a3 1f 45 00 00 00 00 00 00 40 00 00", 9}, /* the first */
        {"a3 1f 45 01 00 00 00 00 00 40 00 00", 9},
        {"a3 1f 45 01 00 01 00 00 00 40 00 00", 19},
        {"a3 1f 45 01 00 02 00 00 00 40 00 00", 25}, /* the end of data */
    };

    start(2 * WRAP + 5);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, cases[i].cdb, NULL, 0, 64), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in_len, 10);
        CU_ASSERT_EQUAL(get_be16(answer.in), 8);
        CU_ASSERT_EQUAL(get_be48(answer.in + 4), cases[i].last);
    }
    CHECK_POSITION(25);
    rig_cdb(rig.a, DRIVE, "a3 1f 45 01 00 03 00 00 00 40 00 00", NULL, 0, 64);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB); /* no data there */
    rig_cdb(rig.a, DRIVE, "a3 1f 45 03 00 00 00 00 00 40 00 00", NULL, 0, 64);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB); /* all, or one */
    rig_cdb(rig.a, DRIVE, "a3 1f 01 00 00 00 00 00 00 40 00 00", NULL, 0, 64);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB); /* another command's qualifier */
    rig_stop();
}

static void test_blank(void)
{
    start(0);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, ALL_WRAPS, NULL, 0, 64), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 4);
    CU_ASSERT_EQUAL(get_be16(answer.in), 2);
    rig_cdb(rig.a, DRIVE, "a3 1f 45 00 00 00 00 00 00 40 00 00", NULL, 0, 64);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

/* The wraps of a second partition lie behind those of the first and two of guard. */
static void test_partitions(void)
{
    static const uint8_t two_equal[12] = {0, 0, 0x10, 0, 0x11, 6, 0, 1, 0x40};
    const uint8_t *last;

    start(WRAP + 1);
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 0c 00", two_equal, 12, 0), SCSI_GOOD);
    rig_good(DRIVE, "04 00 01 00 00 00");
    CU_ASSERT_EQUAL(write_block(4096, 1), SCSI_GOOD);
    rig_good(DRIVE, "2b 02 00 00 00 00 00 00 01 00"); /* LOCATE, partition 1 */
    for (unsigned i = 0; i < WRAP + 1; i++)
        CU_ASSERT_EQUAL(write_block(4096, (uint8_t)i), SCSI_GOOD);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, ALL_WRAPS, NULL, 0, 16384), SCSI_GOOD);
    CU_ASSERT_EQUAL_FATAL(answer.in_len, 4 + 3 * 12);
    CU_ASSERT_EQUAL(get_be48(descriptor(0) + 6), 1);
    CU_ASSERT_EQUAL(get_be16(descriptor(1) + 2), 1);
    CU_ASSERT_EQUAL(get_be48(descriptor(1) + 6), 9);
    last = descriptor(2);
    CU_ASSERT_EQUAL(get_be16(last), get_be16(descriptor(1)) + 1u);
    CU_ASSERT(get_be16(last) > 100 && get_be16(last) < 110); /* half of 208 wraps away */
    CU_ASSERT_EQUAL(get_be48(last + 6), WRAP + 1);
    rig_stop();
}

static const struct check_test tests[] = {
    {"all", test_all},
    {"one", test_one},
    {"blank", test_blank},
    {"partitions", test_partitions},
};

CHECK_MAIN("drive_wraps", tests)
