/* SPDX-License-Identifier: Apache-2.0 */
/* test_diagnostic.c - buffers, diagnostic pages, what is told of drive and medium, PEWS. */
#include "tests/unit/drive_rig.h"
#include "vtl/scsi/internal.h"

#define ECHO_DESCRIPTOR "3c 0b 00 00 00 00 00 00 04 00"

/* ---- buffers --------------------------------------------------------------------------------- */

static uint8_t write_echo(struct scsi_nexus *n, unsigned lun, const uint8_t *data, uint32_t len)
{
    uint8_t cdb[10] = {0x3b, 0x0a};

    put_be24(cdb + 6, len);
    return rig_send(n, lun, cdb, 10, data, len, 0);
}

static uint8_t read_echo(struct scsi_nexus *n, unsigned lun, uint32_t len)
{
    uint8_t cdb[10] = {0x3c, 0x0a};

    put_be24(cdb + 6, len);
    return rig_send(n, lun, cdb, 10, NULL, 0, len);
}

static void test_echo(void)
{
    uint8_t data[ECHO_MAX + 1];

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
    rig_start();
    for (unsigned lun = CHANGER; lun <= DRIVE; lun++) {
        CU_ASSERT_EQUAL(rig_cdb(rig.a, lun, ECHO_DESCRIPTOR, NULL, 0, 4), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in[0], 0);
        CU_ASSERT_EQUAL(get_be16(answer.in + 2), ECHO_MAX);
        read_echo(rig.a, lun, 10); /* nothing was written */
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_COMMAND_SEQUENCE);
        CU_ASSERT_EQUAL(write_echo(rig.a, lun, data, ECHO_MAX), SCSI_GOOD);
        CU_ASSERT_EQUAL(read_echo(rig.a, lun, ECHO_MAX), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in_len, ECHO_MAX);
        CU_ASSERT_EQUAL(memcmp(answer.in, data, ECHO_MAX), 0);
        CU_ASSERT_EQUAL(read_echo(rig.a, lun, 7), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in_len, 7);
        read_echo(rig.b, lun, 7); /* not b's */
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_COMMAND_SEQUENCE);
        write_echo(rig.b, lun, data, 3);
        read_echo(rig.a, lun, 7);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_COMMAND_SEQUENCE);
        CU_ASSERT_EQUAL(read_echo(rig.b, lun, 7), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in_len, 3);
        write_echo(rig.a, lun, data, ECHO_MAX + 1);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
        rig_cdb(rig.a, lun, "3b 0a 00 00 00 00 00 00 08 00", data, 7, 0); /* fewer came */
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
        CU_ASSERT_EQUAL(read_echo(rig.b, lun, 3), SCSI_GOOD); /* and changed nothing */
    }
    rig_stop();
}

/* Microcode and vendor modes are refused; each of the 32 modes has an answer. */
static void test_buffer_modes(void)
{
    rig_start();
    for (unsigned mode = 0; mode < 32; mode++) {
        uint8_t cdb[10] = {0x3b, (uint8_t)mode};

        rig_send(rig.a, DRIVE, cdb, 10, NULL, 0, 0);
        CU_ASSERT_EQUAL(answer.status,
                        mode == 2 || mode == 0x0a ? SCSI_GOOD : SCSI_CHECK_CONDITION);
        cdb[0] = 0x3c;
        rig_send(rig.a, SECOND, cdb, 10, NULL, 0, 0);
        CU_ASSERT_EQUAL(answer.status, mode == 0 || mode == 2 || mode == 3 || mode == 0x0b
                                           ? SCSI_GOOD
                                           : SCSI_CHECK_CONDITION);
    }
    rig_cdb(rig.a, DRIVE, "3c 03 01 00 00 00 00 00 04 00", NULL, 0, 4); /* no such buffer */
    CU_ASSERT_EQUAL(answer.in_len, 4);
    CU_ASSERT_EQUAL(get_be32(answer.in), 0);
    rig_stop();
}

/* The data buffer: parts of it are written and read, within its bounds; anybody reads it. */
static void test_data_buffer(void)
{
    rig_start();
    rig_cdb(rig.a, DRIVE, "3c 03 00 00 00 00 00 00 04 00", NULL, 0, 4);
    CU_ASSERT_EQUAL(get_be32(answer.in), 65532);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "3b 02 00 00 ff fa 00 00 02 00", "xy", 2, 0), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "3b 02 00 00 ff fb 00 00 02 00", "xy", 2, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "3b 02 01 00 00 00 00 00 02 00", "xy", 2, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.b, DRIVE, "3c 02 00 00 ff f9 00 00 09 00", NULL, 0, 9);
    CU_ASSERT_EQUAL(answer.in_len, 3);
    CU_ASSERT_EQUAL(memcmp(answer.in, "\0xy", 3), 0);
    rig_cdb(rig.b, DRIVE, "3c 02 00 00 ff fd 00 00 09 00", NULL, 0, 9);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.b, DRIVE, "3c 00 00 00 00 00 01 00 00 00", NULL, 0, 65536); /* header and data */
    CU_ASSERT_EQUAL(answer.in_len, 65536);
    CU_ASSERT_EQUAL(get_be32(answer.in), 65532);
    CU_ASSERT_EQUAL(memcmp(answer.in + 65534, "xy", 2), 0);
    rig_stop();
}

/* ---- identifying information ----------------------------------------------------------------- */

static void test_identifier(void)
{
    static const uint8_t types[12] = {0, 0, 0, 8, 0x00, 0, 0x02, 0x00, 0x04, 0, 0x01, 0x00};
    uint8_t longest[513] = {0};

    for (unsigned lun = CHANGER; lun <= DRIVE; lun++) {
        rig_start();
        rig_cdb(rig.a, lun, "a3 05 00 00 00 00 00 00 00 ff fe 00", NULL, 0, 255);
        CU_ASSERT_EQUAL(answer.in_len, 12);
        CU_ASSERT_EQUAL(memcmp(answer.in, types, 12), 0);
        rig_cdb(rig.a, lun, "a3 05 00 00 00 00 00 00 00 ff 00 00", NULL, 0, 255);
        CU_ASSERT_EQUAL(answer.in_len, 4);
        CU_ASSERT_EQUAL(rig_cdb(rig.a, lun, "a4 06 00 00 00 00 00 00 00 05 00 00", "rack7", 5, 0),
                        SCSI_GOOD);
        rig_cdb(rig.b, lun, TUR, NULL, 0, 0);
        CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_IDENTIFIER_CHANGED);
        CU_ASSERT_EQUAL(rig_cdb(rig.a, lun, "a4 06 00 00 00 00 00 00 00 05 04 00", "text", 5, 0),
                        SCSI_GOOD);
        rig_cdb(rig.a, lun, "a4 06 00 00 00 00 00 00 00 04 04 00", "text", 4, 0); /* no end */
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
        rig_cdb(rig.a, lun, "a4 06 00 00 00 00 00 00 02 01 00 00", longest, 513, 0);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
        rig_cdb(rig.a, lun, "a4 06 00 00 00 00 00 00 00 01 02 00", longest, 1, 0); /* no such */
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
        rig_restart();
        rig_cdb(rig.a, lun, "a3 05 00 00 00 00 00 00 00 ff 00 00", NULL, 0, 255);
        CU_ASSERT_EQUAL(answer.in_len, 9);
        CU_ASSERT_EQUAL(memcmp(answer.in, "\0\0\0\5rack7", 9), 0);
        rig_cdb(rig.a, lun, "a4 06 00 00 00 00 00 00 00 00 00 00", NULL, 0, 0);
        rig_cdb(rig.a, lun, "a3 05 00 00 00 00 00 00 00 ff 00 00", NULL, 0, 255);
        CU_ASSERT_EQUAL(answer.in_len, 4);
        rig_stop();
    }
}

/* REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS, short and with time-outs. */
static void test_functions(void)
{
    static const uint8_t extended[16] = {0xd8, 0, 0, 12, 1, 0, 0, 0, 0, 0, 0x04, 0xb0, 0, 0, 0, 10};

    rig_start();
    rig_cdb(rig.a, DRIVE, "a3 0d 00 00 00 00 00 00 00 ff 00 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(answer.in_len, 4);
    CU_ASSERT_EQUAL(memcmp(answer.in, "\xd8\0\0\0", 4), 0);
    rig_cdb(rig.a, DRIVE, "a3 0d 80 00 00 00 00 00 00 ff 00 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(answer.in_len, 16);
    CU_ASSERT_EQUAL(memcmp(answer.in, extended, 16), 0);
    rig_stop();
}

/* EXTENDED COPY is not there at all: no tape copies by itself. */
static void test_no_copy(void)
{
    rig_start();
    for (unsigned lun = CHANGER; lun <= DRIVE; lun++) {
        rig_cdb(rig.a, lun, "83 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", NULL, 0, 0);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
        rig_cdb(rig.a, lun, "84 03 00 00 00 00 00 00 00 00 00 00 00 ff 00 00", NULL, 0, 255);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
        rig_cdb(rig.a, lun, "a3 0c 01 83 00 00 00 00 00 ff 00 00", NULL, 0, 255);
        CU_ASSERT_EQUAL(answer.in[1], 0x01); /* not supported */
    }
    rig_stop();
}

/* ---- diagnostic pages ------------------------------------------------------------------------ */

static void test_diagnostic_pages(void)
{
    static const uint8_t expected[5] = {0, 0, 0, 1, 0};
    uint8_t list[8] = {0};

    rig_start();
    for (unsigned lun = CHANGER; lun <= DRIVE; lun++) {
        rig_good(lun, "1d 04 00 00 00 00");
        CU_ASSERT_EQUAL(rig_cdb(rig.a, lun, "1d 10 00 00 04 00", list, 4, 0), SCSI_GOOD);
        CU_ASSERT_EQUAL(rig_cdb(rig.a, lun, "1c 00 00 00 ff 00", NULL, 0, 255), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in_len, 5);
        CU_ASSERT_EQUAL(memcmp(answer.in, expected, 5), 0);
        CU_ASSERT_EQUAL(rig_cdb(rig.a, lun, "1c 01 00 00 03 00", NULL, 0, 255), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in_len, 3);
        rig_cdb(rig.a, lun, "1c 01 10 00 ff 00", NULL, 0, 255); /* no such page */
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
        rig_cdb(rig.a, lun, "1d 00 00 00 04 00", list, 4, 0); /* not PF */
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
        rig_cdb(rig.a, lun, "1d 10 00 00 08 00", list, 8, 0);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
        rig_cdb(rig.a, lun, "1d 10 00 00 04 00", list, 3, 0);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
        list[0] = 0x40;
        rig_cdb(rig.a, lun, "1d 10 00 00 04 00", list, 4, 0);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
        list[0] = 0;
    }
    rig_stop();
}

/* ---- the medium's serial number -------------------------------------------------------------- */

static void test_media_serial(void)
{
    char serial[32];

    rig_start();
    rig_cdb(rig.a, DRIVE, "ab 01 00 00 00 00 00 00 00 ff 00 00", NULL, 0, 255);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_load(0);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "ab 01 00 00 00 00 00 00 00 ff 00 00", NULL, 0, 255),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 36);
    CU_ASSERT_EQUAL(get_be32(answer.in), 32);
    memcpy(serial, answer.in + 4, 32);
    /* it is the one in the attribute MEDIUM SERIAL NUMBER */
    rig_cdb(rig.a, DRIVE, "8c 00 00 00 00 00 00 00 04 01 00 00 00 ff 00 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4), 0x0401);
    CU_ASSERT_EQUAL(memcmp(answer.in + 9, serial, 32), 0);
    rig_cdb(rig.a, DRIVE, "ab 01 00 00 00 00 00 00 00 06 00 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(answer.in_len, 6);
    CU_ASSERT_EQUAL(get_be32(answer.in), 32);
    rig_cdb(rig.a, DRIVE, "ab 00 00 00 00 00 00 00 00 ff 00 00", NULL, 0, 255);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

/* ---- log pages 11h and 14h ------------------------------------------------------------------- */

/* The very high frequency data: what is in the drive, and may it be taken out? */
static const uint8_t *vhf(void)
{
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "4d 00 51 00 00 00 00 00 ff 00", NULL, 0, 255),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 8 + 6 + 12 + 16);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4), 0);
    CU_ASSERT_EQUAL(answer.in[7], 4);
    return answer.in + 8;
}

static void test_device_status(void)
{
    rig_start();
    CU_ASSERT_EQUAL(vhf()[0], 0x11);
    CU_ASSERT_EQUAL(vhf()[1], 0x20); /* empty: the robot may come */
    rig_load(0);
    CU_ASSERT_EQUAL(vhf()[0], 0x31);
    CU_ASSERT_EQUAL(vhf()[1], 0x17);
    rig_good(DRIVE, "1e 00 00 00 01 00");
    CU_ASSERT_EQUAL(vhf()[0], 0xb1);
    rig_good(DRIVE, "1e 00 00 00 00 00");
    rig_good(DRIVE, "1b 00 00 00 00 00"); /* ejected: still there, to be fetched */
    CU_ASSERT_EQUAL(vhf()[0], 0x11);
    CU_ASSERT_EQUAL(vhf()[1], 0x30);
    rig_stop();
}

/* A parameter of page 14h, 8 bytes. */
static uint64_t statistic(unsigned code)
{
    uint8_t cdb[10] = {0x4d, 0, 0x54, 0, 0, 0, (uint8_t)code, 0, 0xff};

    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 10, NULL, 0, 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4), code);
    CU_ASSERT_EQUAL(answer.in[7], 8);
    return get_be64(answer.in + 8);
}

static void test_device_statistics(void)
{
    rig_start();
    CU_ASSERT_EQUAL(statistic(0x0d), 0);
    rig_load(1);
    CU_ASSERT_EQUAL(statistic(0x0d), 1);
    CU_ASSERT_EQUAL(write_block(1000, 1), SCSI_GOOD);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, "10 00 00 00 00 00", NULL, 0, 0);
    rig_store_fault = 0;
    CU_ASSERT_EQUAL(statistic(0x0e), 1);
    CU_ASSERT_EQUAL(statistic(0x0f), 0);
    rig_good(DRIVE, "4c 02 54 00 00 00 00 00 00 00"); /* reset */
    CU_ASSERT_EQUAL(statistic(0x0d), 0);
    CU_ASSERT_EQUAL(statistic(0x0e), 0);
    rig_stop();
}

/* ---- programmable early warning -------------------------------------------------------------- */

static void set_pews(unsigned megabytes)
{
    uint8_t list[4 + 32] = {0, 0, 0x10, 0, 0x50, 1, 0, 0x1c};

    put_be16(list + 4 + 6, (uint16_t)megabytes);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 24 00", list, sizeof(list), 0), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "1a 08 10 01 ff 00", NULL, 0, 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 36);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4 + 6), megabytes);
}

static unsigned position_flags(void)
{
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "34 06 00 00 00 00 00 00 00 00", NULL, 0, 32), SCSI_GOOD);
    return answer.in[0];
}

/* Write until a warning comes; how many blocks that took. */
static unsigned write_until(unsigned code)
{
    unsigned count = 1;

    while (write_block(100000, 1) == SCSI_GOOD && count < 100)
        count++;
    CHECK_SENSE(KEY_NO_SENSE, code);
    CHECK_BITS(false, true, false);
    CHECK_INFO(0);
    return count;
}

/* 8 MiB, early warning in the last; 2 MB before it the host wants to know. */
static void test_pews(void)
{
    unsigned before, between;

    rig_start();
    rig_load(0);
    set_pews(2);
    before = write_until(ASC_PROGRAMMABLE_EARLY_WARNING);
    CU_ASSERT_EQUAL(before, (8 * 1048576 - 1048576 - 2000000) / 100000 + 1);
    CU_ASSERT_EQUAL(position_flags(), 0x01);  /* BPEW, not yet EOP */
    between = write_until(ASC_END_OF_MEDIUM); /* not once more in the zone */
    CU_ASSERT(between >= 19 && between <= 21);
    CU_ASSERT_EQUAL(position_flags(), 0x41);
    /* back out of the zone and into it again, with filemarks */
    CU_ASSERT_EQUAL(locate16(0, before - 1), SCSI_GOOD);
    CU_ASSERT_EQUAL(position_flags(), 0);
    CU_ASSERT_EQUAL(write_until(ASC_PROGRAMMABLE_EARLY_WARNING), 1);
    CU_ASSERT_EQUAL(locate16(0, before - 1), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "10 00 00 10 00 00", NULL, 0, 0); /* 4096 of 64 bytes each */
    CHECK_SENSE(KEY_NO_SENSE, ASC_PROGRAMMABLE_EARLY_WARNING);
    rig_stop();
}

static void test_pews_off(void)
{
    rig_start();
    rig_load(0);
    CU_ASSERT(write_until(ASC_END_OF_MEDIUM) > 70);
    rig_stop();
}

/* Nothing but WRITE MODE and PEWS of the page may change, and WRITE MODE only to append-only. */
static void test_extension_page(void)
{
    uint8_t list[4 + 32] = {0, 0, 0x10, 0, 0x50, 1, 0, 0x1c};

    rig_start();
    for (unsigned at = 4; at < 32; at++) {
        if (at == 6 || at == 7)
            continue;
        list[4 + at] = at == 5 ? 0x20 : 0x10;
        rig_cdb(rig.a, DRIVE, "15 10 00 00 24 00", list, sizeof(list), 0);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
        CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 4 + at);
        list[4 + at] = 0;
    }
    rig_stop();
}

static const struct check_test tests[] = {
    {"echo", test_echo},
    {"buffer_modes", test_buffer_modes},
    {"data_buffer", test_data_buffer},
    {"identifier", test_identifier},
    {"functions", test_functions},
    {"no_copy", test_no_copy},
    {"diagnostic_pages", test_diagnostic_pages},
    {"media_serial", test_media_serial},
    {"device_status", test_device_status},
    {"device_statistics", test_device_statistics},
    {"pews", test_pews},
    {"pews_off", test_pews_off},
    {"extension_page", test_extension_page},
};

CHECK_MAIN("diagnostic", tests)
