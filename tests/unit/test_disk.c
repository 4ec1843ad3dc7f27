/* SPDX-License-Identifier: Apache-2.0 */
/* test_disk.c - the test disk: what it says it is, blocks, ranges, residuals, refusals. */
#include "common/bytes.h"
#include "tests/unit/check.h"
#include "tests/unit/scsi_rig.h"
#include "vtl/scsi/disk.h"

#define BLOCKS 2048u /* of the rig's disk of 1 MiB */

static struct error err;
static uint8_t pattern[4 * DISK_BLOCK];

static void disk_start(void)
{
    rig.disk_mib = 1;
    rig_start();
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)(i / DISK_BLOCK * 16 + i % 13);
}

static uint8_t disk_out(const char *cdb, size_t len)
{
    return rig_cdb(rig.a, DISK, cdb, pattern, len, 0);
}

static uint8_t disk_in(const char *cdb, size_t room)
{
    return rig_cdb(rig.a, DISK, cdb, NULL, 0, room);
}

/* Block lba holds block n of the pattern; n < 0: zeros. */
static bool block_is(unsigned lba, int n)
{
    static const uint8_t zeros[DISK_BLOCK];
    char cdb[64];

    snprintf(cdb, sizeof(cdb), "28 00 00 00 %02x %02x 00 00 01 00", lba >> 8, lba & 0xff);
    return disk_in(cdb, DISK_BLOCK) == SCSI_GOOD && answer.in_len == DISK_BLOCK &&
           memcmp(answer.in, n < 0 ? zeros : pattern + n * (int)DISK_BLOCK, DISK_BLOCK) == 0;
}

/* ---- what it says it is ---------------------------------------------------------------------- */

static void test_identity(void)
{
    struct scsi_drive_state state;

    disk_start();
    CU_ASSERT_EQUAL(disk_in("12 00 00 00 60 00", 96), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 0x00);
    CU_ASSERT_EQUAL(answer.in[1], 0x00); /* not removable */
    CU_ASSERT_EQUAL(memcmp(answer.in + 8, "CAPSTAN VOLATILE RAMDISK", 24), 0);
    CU_ASSERT_EQUAL(disk_in("12 01 00 00 ff 00", 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 11);
    CU_ASSERT_EQUAL(memcmp(answer.in + 4, "\x00\x80\x83\x86\xb0\xb1\xb2", 7), 0);
    CU_ASSERT_EQUAL(disk_in("12 01 b0 00 ff 00", 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 64);
    CU_ASSERT_EQUAL(get_be32(answer.in + 8), DISK_TRANSFER_MAX / DISK_BLOCK);
    CU_ASSERT_EQUAL(disk_in("12 01 b1 00 ff 00", 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 64);
    CU_ASSERT_EQUAL(disk_in("12 01 b2 00 ff 00", 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 8);
    CU_ASSERT_EQUAL(disk_in("a0 00 00 00 00 00 00 00 00 ff 00 00", 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be32(answer.in), 4 * 8); /* changer, two drives, disk */
    /* It is no drive: neither for the operator nor for the robot. */
    CHECK_FAILS(scsi_target_drive_state(rig.target, 2, &state, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(scsi_target_move(rig.target, DRIVE_AT(2), SLOT(3), &err), ERR_NOT_FOUND, err);
    rig_stop();
}

static void test_capacity(void)
{
    disk_start();
    CU_ASSERT_EQUAL(disk_in("25 00 00 00 00 00 00 00 00 00", 8), SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be32(answer.in), BLOCKS - 1);
    CU_ASSERT_EQUAL(get_be32(answer.in + 4), DISK_BLOCK);
    CU_ASSERT_EQUAL(disk_in("9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00", 64), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 32);
    CU_ASSERT_EQUAL(get_be64(answer.in), BLOCKS - 1);
    CU_ASSERT_EQUAL(get_be32(answer.in + 8), DISK_BLOCK);
    CU_ASSERT_EQUAL(disk_in("9e 10 00 00 00 00 00 00 00 00 00 00 00 0c 00 00", 64), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 12);
    CU_ASSERT_EQUAL(disk_in("9e 11 00 00 00 00 00 00 00 00 00 00 00 20 00 00", 64),
                    SCSI_CHECK_CONDITION);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

/* MODE SENSE: no block descriptor, no cache; D_SENSE can be set, and nothing else. */
static void test_mode(void)
{
    static const uint8_t d_sense[16] = {0, 0, 0, 0, 0x0a, 0x0a, 0x04, 0, 0, 0x40};

    disk_start();
    CU_ASSERT_EQUAL(disk_in("1a 00 3f 00 ff 00", 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 12 + 16 + 20 + 12 + 12);
    CU_ASSERT_EQUAL(answer.in[2], 0); /* WP=0, DPOFUA=0 */
    CU_ASSERT_EQUAL(answer.in[3], 0);
    CU_ASSERT_EQUAL(answer.in[4 + 12 + 16 + 2], 0); /* WCE=0 */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DISK, "15 10 00 00 10 00", d_sense, 16, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(disk_in("28 00 ff 00 00 00 00 00 01 00", 512), SCSI_CHECK_CONDITION);
    CU_ASSERT_EQUAL(answer.sense[0], 0x72);
    CU_ASSERT_EQUAL(get_be16(answer.sense + 2), ASC_LBA_OUT_OF_RANGE);
    rig_stop();
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static void test_read_write(void)
{
    static const char *const writes[] = {
        "0a 00 01 00 02 00",
        "2a 00 00 00 01 00 00 00 02 00",
        "aa 00 00 00 01 00 00 00 00 02 00 00",
        "8a 00 00 00 00 00 00 00 01 00 00 00 00 02 00 00",
        "2e 02 00 00 01 00 00 00 02 00",
        "ae 02 00 00 01 00 00 00 00 02 00 00",
        "8e 00 00 00 00 00 00 00 01 00 00 00 00 02 00 00",
    };
    static const char *const reads[] = {
        "08 00 01 00 02 00",
        "28 00 00 00 01 00 00 00 02 00",
        "a8 00 00 00 01 00 00 00 00 02 00 00",
        "88 00 00 00 00 00 00 00 01 00 00 00 00 02 00 00",
    };

    disk_start();
    for (size_t w = 0; w < ARRAY_LENGTH(writes); w++) {
        rig_cdb(rig.a, DISK, "41 00 00 00 00 00 00 00 00 00", (uint8_t[DISK_BLOCK]){0}, DISK_BLOCK,
                0);
        CU_ASSERT_TRUE(block_is(256, -1));
        CU_ASSERT_EQUAL(disk_out(writes[w], 2 * DISK_BLOCK), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.out_want, 2 * DISK_BLOCK);
        CU_ASSERT_TRUE(block_is(255, -1));
        CU_ASSERT_TRUE(block_is(258, -1));
        for (size_t i = 0; i < ARRAY_LENGTH(reads); i++) {
            CU_ASSERT_EQUAL(disk_in(reads[i], 2 * DISK_BLOCK), SCSI_GOOD);
            CU_ASSERT_EQUAL(answer.in_len, 2 * DISK_BLOCK);
            CU_ASSERT_EQUAL(memcmp(answer.in, pattern, 2 * DISK_BLOCK), 0);
        }
    }
    /* READ(6) of 0 blocks is 256, of the others none. */
    CU_ASSERT_EQUAL(disk_in("08 00 00 00 00 00", 256 * DISK_BLOCK), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 256 * DISK_BLOCK);
    CU_ASSERT_EQUAL(disk_in("28 00 00 00 00 00 00 00 00 00", 512), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 0);
    rig_stop();
}

/* What is announced and what the CDB asks for need not be the same. */
static void test_residuals(void)
{
    disk_start();
    CU_ASSERT_EQUAL(disk_out("2a 00 00 00 00 00 00 00 03 00", 2 * DISK_BLOCK + 100), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.out_want, 3 * DISK_BLOCK);
    CU_ASSERT_TRUE(block_is(0, 0));
    CU_ASSERT_TRUE(block_is(1, 1));
    CU_ASSERT_TRUE(block_is(2, -1)); /* not a part of a block */
    CU_ASSERT_EQUAL(disk_out("2a 00 00 00 00 08 00 00 01 00", 2 * DISK_BLOCK), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.out_want, DISK_BLOCK);
    CU_ASSERT_TRUE(block_is(9, -1));
    CU_ASSERT_EQUAL(disk_in("28 00 00 00 00 00 00 00 02 00", 700), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 700);
    CU_ASSERT_EQUAL(answer.in_want, 2 * DISK_BLOCK);
    CU_ASSERT_EQUAL(disk_out("2a 00 00 00 00 00 00 00 01 00", 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.out_want, DISK_BLOCK);
    rig_stop();
}

static void test_ranges(void)
{
    static const char *const outside[] = {
        "28 00 00 00 08 00 00 00 01 00", /* the block behind the last one */
        "28 00 00 00 07 ff 00 00 02 00", /* over the end */
        "28 00 00 00 08 01 00 00 00 00", /* nothing, behind the end */
        "28 00 ff ff ff ff 00 ff ff 00",
        "08 1f ff ff 01 00",
        "a8 00 00 00 07 ff ff ff ff ff 00 00",
        "88 00 ff ff ff ff ff ff ff ff 00 00 00 01 00 00",
        "88 00 ff ff ff ff ff ff ff ff ff ff ff ff 00 00",
        "2a 00 00 00 07 ff 00 00 02 00",
        "2e 00 00 00 07 ff 00 00 02 00",
        "2f 00 00 00 07 ff 00 00 02 00",
        "2f 06 00 00 07 ff 00 00 02 00",
        "8f 02 ff ff ff ff ff ff ff ff 00 00 00 02 00 00",
        "35 00 00 00 08 01 00 00 00 00",
        "91 00 ff ff ff ff ff ff ff ff 00 00 00 01 00 00",
        "41 00 00 00 07 ff 00 00 02 00",
        "93 00 00 00 00 00 00 00 08 01 00 00 00 00 00 00",
    };

    disk_start();
    for (size_t i = 0; i < ARRAY_LENGTH(outside); i++) {
        CU_ASSERT_EQUAL(rig_cdb(rig.a, DISK, outside[i], pattern, sizeof(pattern), 0),
                        SCSI_CHECK_CONDITION);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
    }
    CU_ASSERT_TRUE(block_is(BLOCKS - 1, -1)); /* nothing of the first half was written */
    CU_ASSERT_EQUAL(disk_out("2a 00 00 00 07 ff 00 00 01 00", DISK_BLOCK), SCSI_GOOD);
    CU_ASSERT_TRUE(block_is(BLOCKS - 1, 0));
    CU_ASSERT_EQUAL(disk_in("28 00 00 00 08 00 00 00 00 00", 512), SCSI_GOOD);
    rig_good(DISK, "35 00 00 00 00 00 00 00 00 00");
    rig_good(DISK, "91 02 00 00 00 00 00 00 00 00 00 00 08 00 00 00");
    rig_stop();
}

/* One command moves at most what VPD page B0h says; VERIFY without data is free of it. */
static void test_longest_transfer(void)
{
    rig.disk_mib = 17;
    rig_start();
    CU_ASSERT_EQUAL(disk_in("28 00 00 00 00 00 00 80 00 00", 512), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_want, DISK_TRANSFER_MAX);
    CU_ASSERT_EQUAL(disk_in("28 00 00 00 00 00 00 80 01 00", 512), SCSI_CHECK_CONDITION);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_good(DISK, "2f 00 00 00 00 00 00 80 01 00");
    rig_stop();
}

static void test_verify(void)
{
    disk_start();
    CU_ASSERT_EQUAL(disk_out("2a 00 00 00 00 04 00 00 03 00", 3 * DISK_BLOCK), SCSI_GOOD);
    CU_ASSERT_EQUAL(disk_out("2f 02 00 00 00 04 00 00 03 00", 3 * DISK_BLOCK), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.out_want, 3 * DISK_BLOCK);
    CU_ASSERT_EQUAL(disk_out("af 02 00 00 00 04 00 00 00 03 00 00", 3 * DISK_BLOCK), SCSI_GOOD);
    pattern[2 * DISK_BLOCK + 7] ^= 1;
    CU_ASSERT_EQUAL(disk_out("2f 02 00 00 00 04 00 00 03 00", 3 * DISK_BLOCK),
                    SCSI_CHECK_CONDITION);
    CHECK_SENSE(KEY_MISCOMPARE, ASC_MISCOMPARE);
    CHECK_INFO(2 * DISK_BLOCK + 7);
    CU_ASSERT_EQUAL(disk_out("2f 00 00 00 00 04 00 00 03 00", 0), SCSI_GOOD); /* no comparison */
    CU_ASSERT_EQUAL(answer.out_want, 0);
    CU_ASSERT_EQUAL(disk_out("2f 02 00 00 00 04 00 00 02 00", 2 * DISK_BLOCK - 1),
                    SCSI_CHECK_CONDITION); /* too little to compare */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    CU_ASSERT_EQUAL(disk_out("2f 06 00 00 00 04 00 00 02 00", 0), SCSI_CHECK_CONDITION);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    /* BYTCHK=11b: one block against all of them */
    CU_ASSERT_EQUAL(disk_out("41 00 00 00 00 04 00 00 03 00", DISK_BLOCK), SCSI_GOOD);
    CU_ASSERT_EQUAL(disk_out("8f 06 00 00 00 00 00 00 00 04 00 00 00 03 00 00", DISK_BLOCK),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.out_want, DISK_BLOCK);
    CU_ASSERT_EQUAL(disk_out("2f 06 00 00 00 04 00 00 04 00", DISK_BLOCK), SCSI_CHECK_CONDITION);
    CHECK_SENSE(KEY_MISCOMPARE, ASC_MISCOMPARE);
    CHECK_INFO(1); /* block 7 is zeros, and so is the first byte of the pattern */
    CU_ASSERT_EQUAL(disk_out("2f 04 00 00 00 04 00 00 01 00", DISK_BLOCK), SCSI_CHECK_CONDITION);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

static void test_write_same(void)
{
    disk_start();
    CU_ASSERT_EQUAL(disk_out("93 00 00 00 00 00 00 00 07 fe 00 00 00 00 00 00", DISK_BLOCK),
                    SCSI_GOOD); /* up to the last block */
    CU_ASSERT_EQUAL(answer.out_want, DISK_BLOCK);
    CU_ASSERT_TRUE(block_is(BLOCKS - 3, -1));
    CU_ASSERT_TRUE(block_is(BLOCKS - 2, 0));
    CU_ASSERT_TRUE(block_is(BLOCKS - 1, 0));
    CU_ASSERT_EQUAL(disk_out("41 00 00 00 00 00 00 00 02 00", DISK_BLOCK - 1),
                    SCSI_CHECK_CONDITION);
    CU_ASSERT_TRUE(block_is(0, -1));
    rig_stop();
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void test_refusals(void)
{
    static const char *const bad_fields[] = {
        "28 20 00 00 00 00 00 00 01 00", /* RDPROTECT */
        "28 10 00 00 00 00 00 00 01 00", /* DPO */
        "28 08 00 00 00 00 00 00 01 00", /* FUA */
        "2a 08 00 00 00 00 00 00 01 00",
        "2e 06 00 00 00 00 00 00 01 00", /* BYTCHK=11b */
        "41 08 00 00 00 00 00 00 01 00", /* UNMAP */
        "1b 00 00 00 02 00",             /* LOEJ */
        "1b 00 00 00 31 00",             /* a power condition */
        "25 00 00 00 00 01 00 00 00 00", /* an LBA without PMI */
    };
    static const char *const unknown[] = {
        "1e 00 00 00 01 00",             /* PREVENT ALLOW: the medium stays anyway */
        "42 00 00 00 00 00 00 00 18 00", /* UNMAP */
        "01 00 00 00 00 00",             /* REWIND */
    };

    disk_start();
    for (size_t i = 0; i < ARRAY_LENGTH(bad_fields); i++) {
        CU_ASSERT_EQUAL(disk_out(bad_fields[i], DISK_BLOCK), SCSI_CHECK_CONDITION);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(unknown); i++) {
        CU_ASSERT_EQUAL(disk_in(unknown[i], 0), SCSI_CHECK_CONDITION);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
    }
    CU_ASSERT_TRUE(block_is(0, -1));
    rig_stop();
}

static void test_start_stop(void)
{
    static const uint8_t lun[8] = {0, DISK};

    disk_start();
    CU_ASSERT_EQUAL(disk_out("2a 00 00 00 00 00 00 00 01 00", DISK_BLOCK), SCSI_GOOD);
    rig_good(DISK, "1b 00 00 00 00 00");
    CU_ASSERT_EQUAL(disk_in("00 00 00 00 00 00", 0), SCSI_CHECK_CONDITION);
    CHECK_SENSE(KEY_NOT_READY, ASC_INITIALIZING_REQUIRED);
    CU_ASSERT_EQUAL(disk_in("28 00 00 00 00 00 00 00 01 00", 512), SCSI_CHECK_CONDITION);
    CHECK_SENSE(KEY_NOT_READY, ASC_INITIALIZING_REQUIRED);
    CU_ASSERT_EQUAL(disk_in("03 00 00 00 ff 00", 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[2], KEY_NOT_READY);
    rig_good(DISK, "1b 00 00 00 01 00");
    CU_ASSERT_TRUE(block_is(0, 0));
    rig_good(DISK, "1b 01 00 00 00 00");
    CU_ASSERT_EQUAL(scsi_target_manage(rig.target, rig.a, SCSI_TMF_LUN_RESET, lun, 0),
                    SCSI_TMF_COMPLETE);
    disk_in("00 00 00 00 00 00", 0); /* the attention */
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_DEVICE_RESET);
    CU_ASSERT_TRUE(block_is(0, 0)); /* a reset starts it, and loses nothing */
    rig_stop();
}

/* ---- bounds ---------------------------------------------------------------------------------- */

/* A disk counts in blocks what a tape counts in bytes. */
static void test_transfer_bound(void)
{
    static const uint8_t disk[8] = {0, DISK}, tape[8] = {0, DRIVE}, none[8] = {0, 9};
    static const struct {
        uint8_t cdb[16];
        size_t bound;
    } cases[] = {
        {{0x08, 0, 0, 0, 1}, 512},
        {{0x0a, 0, 0, 0, 0}, 131072},
        {{0x28, 0, 0, 0, 0, 0, 0, 0, 3}, 1536},
        {{0x2f, 2, 0, 0, 0, 0, 0, 0, 3}, 1536},
        {{0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, DISK_TRANSFER_MAX},
        {{0xa8, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, DISK_TRANSFER_MAX},
        {{0x41, 0, 0, 0, 0, 0, 0, 0, 9}, 512},
        {{0x25}, 32},
        {{0x12, 0, 0, 1, 0}, 256},
    };

    disk_start();
    CU_ASSERT_EQUAL(scsi_nexus_transfer_bound(rig.a, tape, cases[0].cdb, 16), 1);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const uint8_t *cdb = cases[i].cdb;
        size_t other = scsi_cdb_transfer_bound(cdb, 16);

        CU_ASSERT_EQUAL(scsi_nexus_transfer_bound(rig.a, disk, cdb, 16), cases[i].bound);
        CU_ASSERT_EQUAL(scsi_nexus_transfer_bound(rig.a, tape, cdb, 16), other);
        CU_ASSERT_EQUAL(scsi_nexus_transfer_bound(rig.a, none, cdb, 16), other);
    }
    rig_stop();
}

static const struct check_test tests[] = {
    {"identity", test_identity},
    {"capacity", test_capacity},
    {"mode", test_mode},
    {"read_write", test_read_write},
    {"residuals", test_residuals},
    {"ranges", test_ranges},
    {"longest_transfer", test_longest_transfer},
    {"verify", test_verify},
    {"write_same", test_write_same},
    {"refusals", test_refusals},
    {"start_stop", test_start_stop},
    {"transfer_bound", test_transfer_bound},
};

CHECK_MAIN("disk", tests)
