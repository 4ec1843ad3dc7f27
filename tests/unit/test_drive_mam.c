/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_drive_mam.c - the medium auxiliary memory: every attribute with its format, what hosts may
 * write, the volume change reference; row 27 of the behaviours that backup software depends on.
 */
#include "tests/unit/drive_rig.h"

static struct error err;

/* READ ATTRIBUTE from the id on; its value begins at answer.in + 9. */
static bool attribute(uint16_t id)
{
    uint8_t cdb[16] = {0x8c};

    put_be16(cdb + 8, id);
    put_be32(cdb + 10, 8192);
    return rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 8192) == SCSI_GOOD &&
           get_be16(answer.in + 4) == id;
}

static uint64_t number(uint16_t id)
{
    CU_ASSERT_TRUE(attribute(id));
    return get_be16(answer.in + 7) == 4 ? get_be32(answer.in + 9) : get_be64(answer.in + 9);
}

/* WRITE ATTRIBUTE of a list built by add(). */
static uint8_t list[20000];
static uint32_t list_len;

static void begin(void)
{
    list_len = 4;
}

static void add(uint16_t id, uint8_t format, const void *value, uint16_t len)
{
    put_be16(list + list_len, id);
    list[list_len + 2] = format;
    put_be16(list + list_len + 3, len);
    memcpy(list + list_len + 5, value, len);
    list_len += 5u + len;
}

static uint8_t send_list(void)
{
    uint8_t cdb[16] = {0x8d, 0x01};

    put_be32(list, list_len - 4);
    put_be32(cdb + 10, list_len);
    return rig_send(rig.a, DRIVE, cdb, 16, list, list_len, 0);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* id, format (80h: read only), length: SPC-5 table of device and medium attributes. */
static const struct {
    uint16_t id;
    uint8_t format;
    uint16_t length;
} expected[] = {
    {0x0000, 0x80, 8},  {0x0001, 0x80, 8},  {0x0002, 0x80, 8},  {0x0003, 0x80, 8},
    {0x0004, 0x80, 8},  {0x0005, 0x81, 8},  {0x0006, 0x80, 1},  {0x0007, 0x80, 2},
    {0x0008, 0x81, 32}, {0x0009, 0x80, 4},  {0x020a, 0x81, 40}, {0x020b, 0x81, 40},
    {0x020c, 0x81, 40}, {0x020d, 0x81, 40}, {0x0220, 0x80, 8},  {0x0221, 0x80, 8},
    {0x0222, 0x80, 8},  {0x0223, 0x80, 8},  {0x0224, 0x80, 8},  {0x0225, 0x80, 8},
    {0x0340, 0x80, 90}, {0x0341, 0x80, 60}, {0x0400, 0x81, 8},  {0x0401, 0x81, 32},
    {0x0402, 0x80, 4},  {0x0403, 0x80, 4},  {0x0404, 0x81, 8},  {0x0405, 0x80, 1},
    {0x0406, 0x81, 8},  {0x0407, 0x80, 8},  {0x0408, 0x80, 1},  {0x0409, 0x80, 2},
    {0x0806, 0x01, 32},
};

static void test_all(void)
{
    const uint8_t *a;

    rig_start();
    rig_load(1);
    CU_ASSERT_TRUE(attribute(0));
    CU_ASSERT_EQUAL(get_be32(answer.in) + 4, answer.in_len);
    a = answer.in + 4;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        CU_ASSERT_EQUAL(get_be16(a), expected[i].id);
        CU_ASSERT_EQUAL(a[2], expected[i].format);
        CU_ASSERT_EQUAL(get_be16(a + 3), expected[i].length);
        a += 5 + get_be16(a + 3);
    }
    CU_ASSERT_EQUAL((size_t)(a - answer.in), answer.in_len);
    rig_cdb(rig.a, DRIVE, "8c 01 00 00 00 00 00 00 00 00 00 00 10 00 00 00", NULL, 0, 4096);
    CU_ASSERT_EQUAL(get_be32(answer.in), 2 * sizeof(expected) / sizeof(expected[0]));
    CU_ASSERT_EQUAL(get_be16(answer.in + 4 + 2 * 9), 0x0009);
    rig_cdb(rig.a, DRIVE, "8c 05 00 00 00 00 00 00 00 00 00 00 10 00 00 00", NULL, 0, 4096);
    CU_ASSERT(get_be32(answer.in) > 2 * sizeof(expected) / sizeof(expected[0]));
    rig_cdb(rig.a, DRIVE, "8c 03 00 00 00 00 00 00 00 00 00 00 10 00 00 00", NULL, 0, 4096);
    CU_ASSERT(answer.in_len == 4 && answer.in[2] == 0 && answer.in[3] == 1);
    rig_cdb(rig.a, DRIVE, "8c 00 00 00 00 00 00 01 00 00 00 00 10 00 00 00", NULL, 0, 4096);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB); /* partition 1 */
    rig_cdb(rig.a, DRIVE, "8c 00 00 00 00 00 00 00 0b ff 00 00 10 00 00 00", NULL, 0, 4096);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB); /* no such attribute */
    rig_cdb(rig.a, DRIVE, "8c 04 00 00 00 00 00 00 00 00 00 00 10 00 00 00", NULL, 0, 4096);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

/* What the drive counts outlives the load. */
static void test_counters(void)
{
    char first[40];

    rig_start();
    rig_load(1);
    CU_ASSERT_EQUAL(number(0x0003), 1);
    CU_ASSERT_TRUE(attribute(0x020a));
    memcpy(first, answer.in + 9, 40);
    CU_ASSERT_EQUAL(memcmp(first, "IBM     ", 8), 0);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(write_block(1048576, 1), SCSI_GOOD);
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(read_block(1048576, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(number(0x0220), 3);
    CU_ASSERT_EQUAL(number(0x0221), 1);
    CU_ASSERT_EQUAL(number(0x0222), 3);
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), DRIVE_AT(1), &err), err);
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(1), DRIVE_AT(0), &err), err);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(number(0x0003), 3);
    CU_ASSERT_EQUAL(number(0x0220), 3);
    CU_ASSERT_EQUAL(number(0x0222), 0);
    CU_ASSERT_TRUE(attribute(0x020b)); /* the load before: another drive */
    CU_ASSERT_NOT_EQUAL(memcmp(first, answer.in + 9, 40), 0);
    CU_ASSERT_TRUE(attribute(0x020c));
    CU_ASSERT_EQUAL(memcmp(first, answer.in + 9, 40), 0);
    CU_ASSERT_TRUE(attribute(0x0340));
    CU_ASSERT_EQUAL(answer.in[9 + 8 * 6 + 5], 3);  /* total written */
    CU_ASSERT_EQUAL(answer.in[9 + 12 * 6 + 5], 3); /* loads */
    rig_stop();
}

/* SPC-5 7.4.2.2.8: it rises at the first write of a load, at the first after it was read, and at
 * every overwrite; and not at each write. */
static void test_volume_change(void)
{
    uint64_t was;

    rig_start();
    rig_load(1);
    was = number(0x0009);
    CU_ASSERT_EQUAL(write_block(10, 1), SCSI_GOOD);
    CU_ASSERT_TRUE(attribute(0x0000)); /* not by name: it does not count as read */
    CU_ASSERT_EQUAL(write_block(10, 1), SCSI_GOOD);
    filemarks(1);
    CU_ASSERT_EQUAL(number(0x0009), was + 1);
    CU_ASSERT_EQUAL(write_block(10, 1), SCSI_GOOD); /* appended, after it was read */
    CU_ASSERT_EQUAL(write_block(10, 1), SCSI_GOOD);
    CU_ASSERT_EQUAL(number(0x0009), was + 2);
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(number(0x0009), was + 2);
    CU_ASSERT_EQUAL(write_block(10, 1), SCSI_GOOD); /* overwritten */
    rig_good(DRIVE, REWIND);
    rig_good(DRIVE, "19 00 00 00 00 00"); /* and erased */
    CU_ASSERT_EQUAL(number(0x0009), was + 4);
    rig_restart();
    CU_ASSERT_EQUAL(number(0x0009), was + 4);
    CU_ASSERT_EQUAL(write_block(10, 1), SCSI_GOOD);
    CU_ASSERT_EQUAL(number(0x0009), was + 5);
    rig_stop();
}

/* Blocks still buffered when the reference must rise, and the store fails: they are told lost. */
static void test_volume_change_loses_nothing_silently(void)
{
    rig_start();
    rig_load(1);
    CU_ASSERT_EQUAL(write_block(10, 1), SCSI_GOOD);
    filemarks(1);
    CU_ASSERT_EQUAL(write_block(10, 2), SCSI_GOOD);
    number(0x0009);
    rig_store_fault = ERR_IO;
    write_block(10, 3);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x71);
    CHECK_INFO(1);
    CU_ASSERT_EQUAL(get_be32(answer.sense + 8), 2);
    rig_store_fault = 0;
    rig_stop();
}

/* ---- writing --------------------------------------------------------------------------------- */

static void test_write(void)
{
    uint8_t coherency[70] = {1, 2, 3};

    rig_start();
    rig_load(1);
    begin();
    add(0x0800, 1, "CAPSTAN ", 8);
    add(0x0803, 2, "a label", 7);
    add(0x080c, 0, coherency, sizeof(coherency));
    add(0x1623, 0, "\0", 1);
    CU_ASSERT_EQUAL(send_list(), SCSI_GOOD);
    rig_restart();
    CU_ASSERT_TRUE(attribute(0x0803));
    CU_ASSERT(answer.in[6] == 2 && get_be16(answer.in + 7) == 7);
    CU_ASSERT_EQUAL(memcmp(answer.in + 9, "a label", 7), 0);
    CU_ASSERT_TRUE(attribute(0x080c));
    CU_ASSERT_EQUAL(memcmp(answer.in + 9, coherency, sizeof(coherency)), 0);
    CU_ASSERT_TRUE(attribute(0x1623));
    CU_ASSERT_EQUAL(number(0x0004), 16384 - (5 + 8) - (5 + 7) - (5 + 70) - (5 + 1));
    begin();
    add(0x0803, 2, "", 0); /* taken away */
    CU_ASSERT_EQUAL(send_list(), SCSI_GOOD);
    CU_ASSERT_FALSE(attribute(0x0803));
    CU_ASSERT_TRUE(attribute(0x0800));
    rig_stop();
}

/* Lists that must be refused as a whole: each begins with a good attribute, which stays what it
 * was. */
static void test_write_refused(void)
{
    static const uint8_t big[5000];

    rig_start();
    rig_load(1);
    begin();
    add(0x0801, 1, "before", 6);
    CU_ASSERT_EQUAL(send_list(), SCSI_GOOD);
    for (int i = 0; i < 11; i++) {
        unsigned code = ASC_INVALID_FIELD_IN_LIST;

        begin();
        add(0x0801, 1, "after!", 6);
        if (i == 0)
            add(0x0003, 0, big, 8); /* read only */
        else if (i == 1)
            add(0x0401, 1, big, 32);
        else if (i == 2)
            add(0x0c00, 0, big, 1); /* no host's */
        else if (i == 3)
            add(0x0802, 0, big, 8); /* ASCII it is */
        else if (i == 4)
            add(0x0802, 1, big, 9); /* too long */
        else if (i == 5)
            add(0x0900, 3, big, 1); /* no such format */
        else if (i == 6)
            add(0x0900, 0x80, big, 1); /* not the host's to say */
        else if (i == 7)
            add(0x0800, 1, big, 8); /* not in rising order */
        else if (i == 8)
            add(0x0900, 0, big, 4097);
        else if (i == 9) {
            for (uint16_t id = 0x0900; id < 0x0904; id++)
                add(id, 0, big, 4096);
            code = ASC_MEMORY_OUT_OF_SPACE;
        } else {
            add(0x0900, 0, big, 10);
            put_be16(list + list_len - 12, 11); /* a value beyond the list */
            code = ASC_LIST_LENGTH_ERROR;
        }
        send_list();
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, code);
        CU_ASSERT_TRUE(attribute(0x0801));
        CU_ASSERT_EQUAL(memcmp(answer.in + 9, "before", 6), 0);
    }
    begin();
    add(0x0801, 1, "after!", 6);
    rig_cdb(rig.a, DRIVE, "8d 01 00 00 00 00 00 01 00 00 00 00 00 0f 00 00", list, 15, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB); /* partition 1 */
    rig_cdb(rig.a, DRIVE, "8d 01 00 00 00 00 00 00 00 00 00 00 00 03 00 00", list, 3, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    rig_good(DRIVE, "8d 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00"); /* nothing is no error */
    rig_stop();
}

static const struct check_test tests[] = {
    {"all", test_all},
    {"counters", test_counters},
    {"volume_change", test_volume_change},
    {"volume_change_loses_nothing_silently", test_volume_change_loses_nothing_silently},
    {"write", test_write},
    {"write_refused", test_write_refused},
};

CHECK_MAIN("drive_mam", tests)
