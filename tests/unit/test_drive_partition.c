/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_drive_partition.c - FORMAT MEDIUM, SET CAPACITY, mode page 11h, and every command in a
 * partition: rows 12, 13 and 27 of the behaviours that backup software depends on.
 */
#include "tests/unit/drive_rig.h"

static struct error err;

enum { FDP = 0x80, SDP = 0x40, IDP = 0x20, MB = 0x10, UNITS = 0x18 };

#define REST 0xffff

/* MODE SENSE of page 11h; the page begins at answer.in + 8. */
static const uint8_t *page11(void)
{
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "5a 08 11 00 00 00 00 00 ff 00", NULL, 0, 255),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 8u + 2u + answer.in[9]);
    return answer.in + 8;
}

/* MODE SELECT of page 11h with `given` sizes. */
static uint8_t choose(uint8_t flags, uint8_t units, unsigned additional, unsigned given,
                      const uint16_t *sizes)
{
    uint8_t list[4 + 8 + 2 * 8] = {0, 0, 0x10, 0}, cdb[6] = {0x15, 0x10};

    list[4] = 0x11;
    list[5] = (uint8_t)(6 + 2 * given);
    list[7] = (uint8_t)additional;
    list[8] = flags;
    list[10] = units;
    for (unsigned i = 0; i < given; i++)
        put_be16(list + 12 + 2 * i, sizes[i]);
    cdb[4] = (uint8_t)(12 + 2 * given);
    return rig_send(rig.a, DRIVE, cdb, 6, list, cdb[4], 0);
}

#define CHOOSE(flags, units, ...)                                                                  \
    choose((flags), (units), sizeof((uint16_t[]){__VA_ARGS__}) / 2 - 1,                            \
           sizeof((uint16_t[]){__VA_ARGS__}) / 2, (uint16_t[]){__VA_ARGS__})

static uint8_t format(unsigned how)
{
    uint8_t cdb[6] = {0x04, 0, (uint8_t)how};

    return rig_send(rig.a, DRIVE, cdb, 6, NULL, 0, 0);
}

static uint8_t locate_in(unsigned type, uint8_t partition, uint64_t number)
{
    uint8_t cdb[16] = {0x92, (uint8_t)(type << 3 | 0x02), 0, partition};

    put_be64(cdb + 4, number);
    return rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 0);
}

static bool at(uint32_t partition, uint64_t lba)
{
    uint64_t got = position();
    bool right = get_be32(answer.in + 4) == partition && got == lba;

    if (!right)
        printf("\n    at %u/%llu", get_be32(answer.in + 4), (unsigned long long)got);
    return right;
}

#define CHECK_AT(partition, lba) CU_ASSERT_TRUE(at((partition), (lba)))

/* MAM attribute of a partition, 8 bytes binary. */
static uint64_t attribute(uint16_t id, uint8_t partition)
{
    uint8_t cdb[16] = {0x8c, [7] = partition};

    put_be16(cdb + 8, id);
    put_be32(cdb + 10, 32);
    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 32), SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4), id);
    return id == 0x0009 ? get_be32(answer.in + 9) : get_be64(answer.in + 9);
}

#define LTO8_UNIT (12000000000000 / 104) /* two wraps of 208 */

/* Two partitions on a tape of 12 TB: the first of 1,400 GB at least. */
static void start_two(void)
{
    rig_start();
    rig_load(1);
    CU_ASSERT_EQUAL(CHOOSE(IDP | UNITS, 9, 1400, REST), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(format(1), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
}

/* ---- the page -------------------------------------------------------------------------------- */

static void test_page(void)
{
    const uint8_t *page;

    rig_start();
    page = page11(); /* no medium */
    CU_ASSERT(page[1] == 8 && page[2] == 3 && page[3] == 0);
    rig_load(1);
    page = page11();
    CU_ASSERT_EQUAL(page[0], 0x11);
    CU_ASSERT_EQUAL(page[1], 8);
    CU_ASSERT_EQUAL(page[2], 3);
    CU_ASSERT_EQUAL(page[3], 0);
    CU_ASSERT_EQUAL(page[4], 0x1c); /* PSUM: units of 10^9; POFM */
    CU_ASSERT_EQUAL(page[5], 0x03);
    CU_ASSERT_EQUAL(page[6], 9);
    CU_ASSERT_EQUAL(get_be16(page + 8), 12000);
    CU_ASSERT_EQUAL(CHOOSE(IDP | UNITS, 9, 1400, REST), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MODE_CHANGED);
    page = page11(); /* chosen, not yet done */
    CU_ASSERT(page[1] == 10 && page[3] == 1 && (page[4] & 0xe0) == IDP);
    CU_ASSERT(get_be16(page + 8) == 1400 && get_be16(page + 10) == REST);
    CU_ASSERT_EQUAL(
        rig_cdb(rig.a, DRIVE, "8c 03 00 00 00 00 00 00 00 00 00 00 00 04 00 00", NULL, 0, 4),
        SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[3], 1);
    CU_ASSERT_EQUAL(format(1), SCSI_GOOD);
    page = page11();
    CU_ASSERT(page[1] == 10 && page[3] == 1 && page[4] == 0x1c);
    CU_ASSERT_EQUAL(get_be16(page + 8), 13 * LTO8_UNIT / 1000000000); /* 24 wraps are not enough */
    CU_ASSERT_EQUAL(get_be16(page + 10), 90 * LTO8_UNIT / 1000000000);
    /* What is chosen goes with the medium. */
    CU_ASSERT_EQUAL(CHOOSE(SDP | UNITS, 9, 0, 0, 0), SCSI_GOOD);
    rig_good(DRIVE, "1b 00 00 00 00 00");
    rig_good(DRIVE, "1b 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    page = page11();
    CU_ASSERT(page[3] == 1 && (page[4] & 0xe0) == 0);
    format(1);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_VALUE_INVALID);
    rig_stop();
}

/* What MODE SENSE has told can be sent back. */
static void test_page_round_trip(void)
{
    uint8_t list[64], cdb[6] = {0x15, 0x10};
    size_t len;

    start_two();
    rig_cdb(rig.a, DRIVE, "1a 08 11 00 40 00", NULL, 0, 64);
    len = answer.in_len;
    memcpy(list, answer.in, len);
    list[0] = list[1] = 0;
    list[4] &= 0x3f;
    cdb[4] = (uint8_t)len;
    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 6, list, len, 0), SCSI_GOOD);
    list[4 + 4] |= IDP; /* and with the method: the sizes are exact, and fill the tape */
    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 6, list, len, 0), SCSI_GOOD);
    rig_stop();
}

/* Which choices make which tape: units of two wraps, of 104 (LTO-8). */
static void test_methods(void)
{
    static const struct {
        uint8_t flags, units;
        unsigned additional, given;
        uint16_t sizes[4];
        unsigned partitions, got[4];
    } cases[] = {
        {FDP, 0, 0, 0, {0}, 2, {102, 1}},
        {FDP, 0, 3, 1, {5}, 2, {102, 1}}, /* what else is there does not count */
        {SDP, 0, 1, 0, {0}, 2, {51, 52}},
        {SDP, 0, 2, 0, {0}, 3, {34, 34, 34}},
        {SDP, 0, 3, 0, {0}, 4, {25, 25, 25, 26}},
        {IDP | UNITS, 9, 1, 2, {1, REST}, 2, {1, 102}},
        {IDP | UNITS, 9, 1, 2, {REST, 1}, 2, {102, 1}},
        {IDP | UNITS, 9, 1, 2, {REST, 116}, 2, {101, 2}}, /* a wrap is a wrap */
        {IDP | MB, 0, 1, 2, {REST, 1000}, 2, {102, 1}},
        {IDP | UNITS, 12, 1, 4, {REST, 4, 7, 7}, 2, {68, 35}}, /* more sizes than partitions */
        {IDP | UNITS, 9, 2, 3, {100, REST, 200}, 3, {1, 99, 2}},
        {IDP | UNITS, 9, 3, 4, {100, 200, 300, REST}, 4, {1, 2, 3, 95}},
    };

    rig_start();
    rig_load(1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unsigned units = 0;

        CU_ASSERT_EQUAL(choose(cases[i].flags, cases[i].units, cases[i].additional, cases[i].given,
                               cases[i].sizes),
                        SCSI_GOOD);
        CU_ASSERT_EQUAL(format(1 + i % 2), SCSI_GOOD); /* FORMAT 1 and 2 */
        rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
        rig_cdb(rig.a, DRIVE, "8c 03 00 00 00 00 00 00 00 00 00 00 00 04 00 00", NULL, 0, 4);
        CU_ASSERT_EQUAL(answer.in[3], cases[i].partitions);
        for (unsigned p = 0; p < cases[i].partitions; p++) {
            CU_ASSERT_EQUAL(attribute(0x0001, (uint8_t)p), cases[i].got[p] * LTO8_UNIT / 1048576);
            units += cases[i].got[p];
        }
        CU_ASSERT_EQUAL(units, 104 - (cases[i].partitions - 1)); /* guard wraps between them */
    }
    CU_ASSERT_EQUAL(format(0), SCSI_GOOD); /* one again */
    CU_ASSERT_EQUAL(attribute(0x0001, 0), 12000000000000 / 1048576);
    rig_stop();
}

static void test_refused_choices(void)
{
    static const uint16_t sizes[] = {1, REST, REST, 1, 1, 1, 1, 1};
    static const struct {
        uint8_t flags, units;
        unsigned additional, given;
        uint16_t sizes[4];
    } cases[] = {
        {FDP | SDP, 9, 1, 2, {1, REST}},         /* two methods */
        {IDP | UNITS, 9, 4, 4, {1, 1, 1, REST}}, /* five partitions */
        {IDP | UNITS, 9, 255, 4, {1, 1, 1, REST}},
        {IDP | UNITS, 9, 1, 1, {1}}, /* a size is missing */
        {IDP | UNITS, 9, 1, 0, {0}},
        {IDP | UNITS, 9, 1, 2, {REST, REST}},   /* two rests */
        {IDP | UNITS, 9, 1, 2, {1, 1}},         /* and none: together not the tape */
        {IDP | UNITS, 9, 1, 2, {12000, REST}},  /* nothing is left */
        {IDP | UNITS, 15, 1, 2, {REST, 65534}}, /* 10^15 times that */
        {IDP | UNITS, 9, 2, 3, {6000, 6000, REST}},
    };
    uint8_t list[4 + 8 + 16] = {0, 0, 0x10, 0, 0x11, 22};

    rig_start();
    rig_load(1);
    write_block(10, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        choose(cases[i].flags, cases[i].units, cases[i].additional, cases[i].given, cases[i].sizes);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    }
    choose(IDP, 9, 1, 5, sizes); /* a page longer than any */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    rig_cdb(rig.a, DRIVE, "15 10 00 00 10 00", list, 16, 0); /* longer than the list */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    list[5] = 14;
    rig_cdb(rig.a, DRIVE, "15 10 00 00 10 00", list, 16, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    list[5] = 4; /* shorter than the page can be */
    rig_cdb(rig.a, DRIVE, "15 10 00 00 0a 00", list, 10, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    list[5] = 8;
    list[8] = 0x02; /* CLEAR */
    rig_cdb(rig.a, DRIVE, "15 10 00 00 0e 00", list, 14, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    CU_ASSERT_EQUAL(page11()[3], 0); /* nothing of all that is chosen */
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(read_block(10, false), SCSI_GOOD);
    rig_stop();
}

/* ---- FORMAT MEDIUM --------------------------------------------------------------------------- */

static void test_format_refused(void)
{
    struct store *store;
    struct cartridge *c;

    rig_start();
    format(0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_load(1);
    write_block(10, 1);
    format(0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_PAST_BEGINNING);
    rig_good(DRIVE, REWIND);
    format(3);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "04 00 00 00 08 00", NULL, 0, 0); /* TRANSFER LENGTH */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    format(1);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_VALUE_INVALID); /* nothing is chosen */
    CU_ASSERT_EQUAL(read_block(10, false), SCSI_GOOD);
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), err);
    CHECK_OK(library_cartridge_store(rig.library, "RIG001L8", &store, &err), err);
    CHECK_OK(cartridge_open(store, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(cartridge_set_protected(c, true, &err), err);
    cartridge_close(c);
    store_close(store);
    rig_load(1);
    format(0);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WRITE_PROTECTED);
    rig_cdb(rig.a, DRIVE, "0b 00 00 80 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WRITE_PROTECTED);
    CU_ASSERT_EQUAL(read_block(10, false), SCSI_GOOD);
    rig_stop();
}

static void test_format_worm(void)
{
    rig_start();
    rig_cartridge("WRM001LY", SLOT(2), 0x5e, true, 0);
    rig_load(2);
    CHOOSE(IDP | UNITS, 9, 1500, REST); /* WORM has one partition */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    format(0);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_CANNOT_FORMAT_MEDIUM);
    write_sample();
    format(0);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WORM_OVERWRITE);
    rig_cdb(rig.a, DRIVE, "0b 00 00 80 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WORM_OVERWRITE);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    rig_stop();
}

static void append_only(void)
{
    uint8_t list[4 + 32] = {0, 0, 0x10, 0, 0x50, 0x01, 0, 0x1c, [4 + 5] = 0x10};

    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 24 00", list, sizeof(list), 0), SCSI_GOOD);
}

static void test_format_append_only(void)
{
    rig_start();
    rig_load(1);
    append_only();
    CU_ASSERT_EQUAL(format(0), SCSI_GOOD); /* an empty tape */
    write_sample();
    format(0);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_OPERATOR_WRITE_PROTECT);
    rig_good(DRIVE,
             "82 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00"); /* to write, not to format */
    format(0);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_OPERATOR_WRITE_PROTECT);
    rig_good(DRIVE, "82 00 02 00 00 00 00 00 00 00 00 00 00 00 00 00");
    CU_ASSERT_EQUAL(format(0), SCSI_GOOD);
    read_block(10, false);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    rig_stop();
}

/* What FORMAT takes, and what it leaves. */
static void test_format_effects(void)
{
    static const uint8_t text[] = {0, 0, 0, 9, 0x08, 0x01, 1, 0, 4, 'T', 'E', 'S', 'T'};
    struct cartridge *c;
    struct store *store;
    uint64_t change;

    start_two();
    change = attribute(0x0009, 0);
    CU_ASSERT_EQUAL(write_block(100, 'a'), SCSI_GOOD);
    CU_ASSERT_EQUAL(locate_in(0, 1, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(write_block(100, 'b'), SCSI_GOOD);
    CU_ASSERT_EQUAL(
        rig_cdb(rig.a, DRIVE, "8d 01 00 00 00 00 00 01 00 00 00 00 00 0d 00 00", text, 13, 0),
        SCSI_GOOD);
    CU_ASSERT_EQUAL(
        rig_cdb(rig.a, DRIVE, "8d 01 00 00 00 00 00 00 00 00 00 00 00 0d 00 00", text, 13, 0),
        SCSI_GOOD);
    format(0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_PAST_BEGINNING);
    rig_good(DRIVE, REWIND);
    CHECK_AT(1, 0);
    format(0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_PAST_BEGINNING); /* of partition 0 it must be */
    CU_ASSERT_EQUAL(locate_in(0, 0, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(format(0), SCSI_GOOD);
    CHECK_AT(0, 0);
    read_block(100, false);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CU_ASSERT(attribute(0x0009, 0) > change);
    rig_cdb(rig.a, DRIVE, "8c 00 00 00 00 00 00 00 08 01 00 00 10 00 00 00", NULL, 0, 4096);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB); /* the host's attributes are gone */
    CU_ASSERT_EQUAL(page11()[3], 0);
    rig_cdb(rig.a, DRIVE, "8c 00 00 00 00 00 00 01 00 00 00 00 10 00 00 00", NULL, 0, 4096);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB); /* there is no partition 1 */
    rig_restart();
    CU_ASSERT_EQUAL(page11()[3], 0);
    /* An operator can still undo it. */
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), err);
    CHECK_OK(library_cartridge_store(rig.library, "RIG001L8", &store, &err), err);
    CHECK_OK(cartridge_open(store, CARTRIDGE_READ_ONLY, &c, &err), err);
    CU_ASSERT_EQUAL(cartridge_partition_count(c), 1);
    cartridge_close(c);
    store_close(store);
    rig_stop();
}

/* ---- SET CAPACITY ---------------------------------------------------------------------------- */

static void test_set_capacity(void)
{
    rig_start();
    rig_load(1);
    write_block(10, 1);
    rig_cdb(rig.a, DRIVE, "0b 00 00 80 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_PAST_BEGINNING);
    rig_good(DRIVE, REWIND);
    rig_good(DRIVE, "0b 01 00 80 00 00"); /* IMMED; a half, and a bit */
    CU_ASSERT_EQUAL(attribute(0x0001, 0), 12000000000000 / 65535 * 32768 / 1048576);
    read_block(10, false);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    /* Partitions are made of what is left, and one of them is all of it. */
    CU_ASSERT_EQUAL(choose(SDP, 0, 1, 0, NULL), SCSI_GOOD);
    CU_ASSERT_EQUAL(format(1), SCSI_GOOD);
    CU_ASSERT(attribute(0x0001, 0) + attribute(0x0001, 1) < 6000000000000 / 1048576);
    rig_restart();
    CU_ASSERT_EQUAL(format(0), SCSI_GOOD);
    CU_ASSERT_EQUAL(attribute(0x0001, 0), 12000000000000 / 65535 * 32768 / 1048576);
    rig_good(DRIVE, "0b 00 00 00 00 00"); /* the least there is */
    CU_ASSERT_EQUAL(attribute(0x0001, 0), 600000000000 / 1048576);
    rig_good(DRIVE, "0b 00 00 ff ff 00");
    CU_ASSERT_EQUAL(attribute(0x0001, 0), 12000000000000 / 1048576);
    CU_ASSERT_EQUAL(get_be16(page11() + 8), 12000);
    rig_stop();
}

/* ---- commands in partitions ------------------------------------------------------------------ */

static void test_motion(void)
{
    start_two();
    write_sample(); /* partition 0: 10 objects; rewound */
    CU_ASSERT_EQUAL(locate_in(0, 1, 0), SCSI_GOOD);
    CHECK_AT(1, 0);
    CU_ASSERT_EQUAL(answer.in[0] & 0x80, 0x80); /* BOP */
    for (uint8_t i = 1; i <= 3; i++)
        CU_ASSERT_EQUAL(write_block(500, (uint8_t)(0x40 + i)), SCSI_GOOD);
    filemarks(1);
    CU_ASSERT_EQUAL(locate_in(0, 0, 6), SCSI_GOOD);
    CHECK_AT(0, 6);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 6);
    CU_ASSERT_EQUAL(locate16(3, 0), SCSI_GOOD); /* without CP: the present one */
    CHECK_AT(0, 10);
    CU_ASSERT_EQUAL(locate_in(3, 1, 0), SCSI_GOOD);
    CHECK_AT(1, 4);
    CU_ASSERT_EQUAL(locate_in(1, 1, 1), SCSI_GOOD); /* by file */
    CHECK_AT(1, 4);
    rig_good(DRIVE, REWIND); /* SSC-5: to the beginning of the present partition */
    CHECK_AT(1, 0);
    CU_ASSERT_EQUAL(space(3, 0), SCSI_GOOD);
    CHECK_AT(1, 4);
    space(0, -9);
    CHECK_SENSE(KEY_NO_SENSE, ASC_FILEMARK_DETECTED);
    CHECK_AT(1, 3);
    space(0, -9);
    CHECK_SENSE(KEY_NO_SENSE, ASC_BEGINNING_OF_MEDIUM);
    CHECK_INFO(6);
    CHECK_AT(1, 0);
    locate_in(0, 1, 7);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_AT(1, 4);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "2b 02 00 00 00 00 05 00 00 00", NULL, 0, 0), SCSI_GOOD);
    CHECK_AT(0, 5);
    rig_cdb(rig.a, DRIVE, "2b 02 00 00 00 00 05 00 02 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    locate_in(0, 2, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CHECK_AT(0, 5);
    CU_ASSERT_EQUAL(locate_in(0, 1, 2), SCSI_GOOD);
    rig_good(DRIVE, "1b 00 00 00 01 00"); /* LOAD: to the beginning of partition 0 */
    CHECK_AT(0, 0);
    rig_stop();
}

/* READ POSITION tells the partition in each of its forms. */
static void test_position_forms(void)
{
    start_two();
    CU_ASSERT_EQUAL(locate_in(0, 1, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(write_block(10, 1), SCSI_GOOD);
    filemarks(1);
    rig_cdb(rig.a, DRIVE, "34 00 00 00 00 00 00 00 00 00", NULL, 0, 20);
    CU_ASSERT(answer.in[1] == 1 && get_be32(answer.in + 4) == 2);
    rig_cdb(rig.a, DRIVE, "34 06 00 00 00 00 00 00 00 00", NULL, 0, 32);
    CU_ASSERT(get_be32(answer.in + 4) == 1 && get_be64(answer.in + 8) == 2);
    CU_ASSERT_EQUAL(get_be64(answer.in + 16), 1);
    rig_cdb(rig.a, DRIVE, "34 08 00 00 00 00 00 00 20 00", NULL, 0, 32);
    CU_ASSERT(answer.in[1] == 1 && get_be64(answer.in + 8) == 2);
    rig_stop();
}

/* Commands that name an object name its partition. */
static void test_explicit_address(void)
{
    uint8_t data[100];
    uint8_t cdb[16] = {0x8a, 0, 0, 1, [14] = 100};

    start_two();
    write_sample();
    memset(data, 'p', sizeof(data));
    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 16, data, 100, 0), SCSI_GOOD);
    CHECK_AT(1, 1);
    cdb[0] = 0x88;
    cdb[3] = 0;
    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 100), SCSI_CHECK_CONDITION); /* ILI */
    CHECK_AT(0, 1);
    cdb[3] = 1;
    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 100), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[99], 'p');
    cdb[3] = 2;
    rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 100);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

/* What is written, erased or lost in one partition leaves the other alone. */
static void test_independent(void)
{
    start_two();
    write_sample();
    CU_ASSERT_EQUAL(locate_in(0, 1, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(write_block(10, 1), SCSI_GOOD);
    CU_ASSERT_EQUAL(write_block(10, 2), SCSI_GOOD);
    filemarks(1);
    CU_ASSERT_EQUAL(locate_in(0, 0, 2), SCSI_GOOD);
    rig_good(DRIVE, "19 00 00 00 00 00");
    CU_ASSERT_EQUAL(locate_in(3, 0, 0), SCSI_GOOD);
    CHECK_AT(0, 2);
    CU_ASSERT_EQUAL(locate_in(3, 1, 0), SCSI_GOOD);
    CHECK_AT(1, 3);
    CU_ASSERT_EQUAL(write_block(10, 3), SCSI_GOOD);
    rig_store_fault = ERR_IO; /* lost when the host goes over to the other */
    locate_in(0, 0, 1);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x71);
    CHECK_INFO(1);
    rig_store_fault = 0;
    CHECK_AT(1, 3);
    CU_ASSERT_EQUAL(locate_in(0, 0, 1), SCSI_GOOD);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 2);
    rig_restart();
    CU_ASSERT_EQUAL(locate_in(0, 1, 1), SCSI_GOOD);
    CU_ASSERT_EQUAL(read_block(10, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 2);
    CU_ASSERT_EQUAL(locate_in(3, 1, 0), SCSI_GOOD);
    CHECK_AT(1, 3);
    rig_stop();
}

/* Host attributes are a partition's own; counts and the change reference are the volume's. */
static void test_attributes(void)
{
    uint8_t list[] = {0, 0, 0, 9, 0x08, 0x0c, 0, 0, 4, 0, 0, 0, 7};

    start_two();
    CU_ASSERT_EQUAL(
        rig_cdb(rig.a, DRIVE, "8d 01 00 00 00 00 00 01 00 00 00 00 00 0d 00 00", list, 13, 0),
        SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "8c 00 00 00 00 00 00 00 08 0c 00 00 00 20 00 00", NULL, 0, 32);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    list[12] = 5;
    CU_ASSERT_EQUAL(
        rig_cdb(rig.a, DRIVE, "8d 01 00 00 00 00 00 00 00 00 00 00 00 0d 00 00", list, 13, 0),
        SCSI_GOOD);
    rig_restart();
    rig_cdb(rig.a, DRIVE, "8c 00 00 00 00 00 00 00 08 0c 00 00 00 20 00 00", NULL, 0, 32);
    CU_ASSERT_EQUAL(answer.in[12], 5);
    rig_cdb(rig.a, DRIVE, "8c 00 00 00 00 00 00 01 08 0c 00 00 00 20 00 00", NULL, 0, 32);
    CU_ASSERT_EQUAL(answer.in[12], 7);
    CU_ASSERT_EQUAL(attribute(0x0003, 0), attribute(0x0003, 1));
    CU_ASSERT_EQUAL(attribute(0x0009, 0), attribute(0x0009, 1));
    CU_ASSERT(attribute(0x0000, 1) > attribute(0x0000, 0)); /* 90 units are more than 13 */
    CHECK_AT(0, 0);
    rig_stop();
}

/* Early warning and the end come in each partition by itself; row 8. */
static void test_end_of_partition(void)
{
    unsigned blocks[2] = {0, 0};

    rig_start();
    rig_cartridge("EOP001L8", SLOT(2), 0x5e, false, 104 * 65536); /* units of 64 KiB */
    rig_load(2);
    CU_ASSERT_EQUAL(CHOOSE(IDP | 0x08, 0, 3000, REST), SCSI_GOOD); /* PSUM: 1000 bytes */
    CU_ASSERT_EQUAL(format(1), SCSI_GOOD);
    for (uint8_t p = 0; p < 2; p++) {
        bool warned = false;

        CU_ASSERT_EQUAL(locate_in(0, p, 0), SCSI_GOOD);
        CU_ASSERT_EQUAL(position(), 0);
        CU_ASSERT_EQUAL(answer.in[0] & 0x40, 0);
        for (;;) {
            uint8_t status = write_block(16384, p);

            if (status == SCSI_GOOD) {
                CU_ASSERT_FALSE(warned); /* once behind the warning, each write says so */
                blocks[p]++;
                continue;
            }
            if ((answer.sense[2] & 0x0f) == KEY_VOLUME_OVERFLOW)
                break;
            CHECK_SENSE(KEY_NO_SENSE, ASC_END_OF_MEDIUM);
            CHECK_BITS(false, true, false);
            CHECK_INFO(0);
            warned = true;
            blocks[p]++;
            position();
            CU_ASSERT_EQUAL(answer.in[0] & 0x41, 0x41); /* EOP, BPEW */
        }
        CHECK_SENSE(KEY_VOLUME_OVERFLOW, ASC_END_OF_MEDIUM);
        CHECK_INFO(16384);
        CU_ASSERT_TRUE(warned);
    }
    CU_ASSERT_EQUAL(blocks[0], 46 * 4); /* 3,000,000 bytes are 46 units, begun */
    CU_ASSERT_EQUAL(blocks[1], 57 * 4);
    rig_stop();
}

/* The order that st's MTMKPART and LTFS's mkltfs send: what they make of what MODE SENSE told. */
static void test_as_hosts_do(void)
{
    uint8_t list[64];

    rig_start();
    rig_load(1);
    rig_cdb(rig.a, DRIVE, "1a 00 11 00 ff 00", NULL, 0, 255); /* with a block descriptor */
    CU_ASSERT_EQUAL(answer.in_len, 4 + 8 + 10);
    memcpy(list, answer.in, 22);
    list[0] = list[1] = 0; /* st: sizes for both, in 10^9 bytes as the drive suggests */
    list[2] &= 0x7f;
    list[12] &= 0x3f;
    list[13] = 10;
    list[15] = 1;
    list[16] = IDP | UNITS | (list[16] & 0x07);
    list[18] = 9;
    put_be16(list + 20, REST);
    put_be16(list + 22, 500);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 18 00", list, 24, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(format(1), SCSI_GOOD);
    CU_ASSERT_EQUAL(page11()[3], 1);
    CU_ASSERT_EQUAL(get_be16(answer.in + 8 + 10), 5 * LTO8_UNIT / 1000000000);
    CU_ASSERT_EQUAL(format(0), SCSI_GOOD);
    /* mkltfs: 10-byte commands, one small partition in front; FORMAT 2 */
    rig_cdb(rig.a, DRIVE, "5a 00 11 00 00 00 00 00 ff 00", NULL, 0, 255);
    memcpy(list, answer.in, answer.in_len);
    memset(list, 0, 2);
    list[17] = 10;
    list[18] = 1;
    list[19] = 1;
    list[20] = IDP | UNITS | 0x04;
    list[22] = 9;
    put_be16(list + 24, 1);
    put_be16(list + 26, REST);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "55 10 00 00 00 00 00 00 1c 00", list, 28, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(format(2), SCSI_GOOD);
    CU_ASSERT_EQUAL(attribute(0x0001, 0), LTO8_UNIT / 1048576);
    rig_stop();
}

static uint64_t log_parameter(unsigned code)
{
    for (size_t at = 4; at + 4 <= answer.in_len; at += 4u + answer.in[at + 3]) {
        if (get_be16(answer.in + at) == code)
            return get_be64(answer.in + at + 4);
    }
    return UINT64_MAX;
}

/* Log page 0Ch tells of the partition where the tape is. */
static void test_log_capacities(void)
{
    rig_start();
    rig_load(1);
    choose(FDP, 9, 0, 0, NULL);
    CU_ASSERT_EQUAL(format(1), SCSI_GOOD);
    for (uint8_t p = 0; p < 2; p++) {
        uint64_t mb = (p == 1 ? 1u : 102u) * (uint64_t)LTO8_UNIT / 1000000;

        CU_ASSERT_EQUAL(locate_in(0, p, 0), SCSI_GOOD);
        CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "4d 00 4c 00 00 00 00 02 00 00", NULL, 0, 512),
                        SCSI_GOOD);
        CU_ASSERT_EQUAL(log_parameter(4), 0); /* nothing up to the end of data */
        CU_ASSERT_EQUAL(log_parameter(5) + 5000, mb);
        CU_ASSERT_EQUAL(log_parameter(6), 5000); /* early warning */
    }
    rig_stop();
}

static const struct check_test tests[] = {
    {"page", test_page},
    {"page_round_trip", test_page_round_trip},
    {"methods", test_methods},
    {"refused_choices", test_refused_choices},
    {"format_refused", test_format_refused},
    {"format_worm", test_format_worm},
    {"format_append_only", test_format_append_only},
    {"format_effects", test_format_effects},
    {"set_capacity", test_set_capacity},
    {"motion", test_motion},
    {"position_forms", test_position_forms},
    {"explicit_address", test_explicit_address},
    {"independent", test_independent},
    {"attributes", test_attributes},
    {"end_of_partition", test_end_of_partition},
    {"log_capacities", test_log_capacities},
    {"as_hosts_do", test_as_hosts_do},
};

CHECK_MAIN("drive_partition", tests)
