/* SPDX-License-Identifier: Apache-2.0 */
/* test_drive_rao.c - GENERATE and RECEIVE RECOMMENDED ACCESS ORDER. */
#include "tests/unit/drive_rig.h"

static uint8_t list[8 + 2001 * 32];
static uint32_t count;

static void begin(void)
{
    count = 0;
    memset(list, 0, sizeof(list));
}

static uint8_t *add(char name, uint8_t partition, uint64_t from, uint64_t to)
{
    uint8_t *d = list + 8 + 32 * count++;

    put_be16(d, 30);
    d[5] = (uint8_t)name;
    d[15] = partition;
    put_be64(d + 16, from);
    put_be64(d + 24, to);
    return d;
}

static uint8_t generate(unsigned process)
{
    uint8_t cdb[12] = {0xa4, 0x1d, (uint8_t)process};

    put_be32(list + 4, count * 32);
    put_be32(cdb + 6, 8 + count * 32);
    return rig_send(rig.a, DRIVE, cdb, 12, list, 8 + count * 32, 0);
}

static uint8_t receive(uint32_t offset, uint32_t room)
{
    uint8_t cdb[12] = {0xa3, 0x1d};

    put_be32(cdb + 2, offset);
    put_be32(cdb + 6, room);
    return rig_send(rig.a, DRIVE, cdb, 12, NULL, 0, room);
}

/* The names in the order that was recommended. */
static void order_is(const char *expected)
{
    char seen[65] = "";

    CU_ASSERT_EQUAL(receive(0, 8 + 64 * 32), SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be32(answer.in + 4), count * 32);
    for (uint32_t i = 0; i < count && i < 64; i++)
        seen[i] = (char)answer.in[8 + 32 * i + 5];
    if (strcmp(seen, expected) != 0)
        printf("\n    the order is %s, not %s", seen, expected);
    CU_ASSERT_STRING_EQUAL(seen, expected);
}

static uint32_t locate_time(unsigned i)
{
    return get_be24(answer.in + 8 + 32 * i + 2);
}

static uint64_t total_time(void)
{
    uint64_t sum = 0;

    CU_ASSERT_EQUAL(receive(0, 8 + 64 * 32), SCSI_GOOD);
    for (unsigned i = 0; i < count; i++)
        sum += locate_time(i);
    return sum;
}

/* A tape of 208 wraps of 40 KiB each, 10 blocks of 4 KiB a wrap: wrap 0 holds blocks 0 .. 9 from
 * the beginning of the tape to its end, wrap 1 blocks 10 .. 19 from the end back. */
#define WRAP 10

static void start(void)
{
    rig_start();
    rig_cartridge("RAO001L8", SLOT(2), 0x5e, false, 208 * 40960);
    rig_load(2);
    for (unsigned i = 0; i < 20 * WRAP; i++)
        CU_ASSERT_EQUAL(write_block(4096, (uint8_t)i), SCSI_GOOD);
    rig_good(DRIVE, REWIND);
}

static void test_serpentine(void)
{
    start();
    begin();
    add('a', 0, 0 * WRAP + 8, 0 * WRAP + 9); /* far out on wrap 0 */
    add('b', 0, 1 * WRAP + 8, 1 * WRAP + 9); /* wrap 1 comes back: near the beginning */
    add('c', 0, 1 * WRAP + 1, 1 * WRAP + 2); /* and this is far out */
    add('d', 0, 2 * WRAP + 1, 2 * WRAP + 2);
    CU_ASSERT_EQUAL(generate(2), SCSI_GOOD);
    order_is("dbac"); /* what lies near the beginning first, then what is far out: one trip */
    CU_ASSERT_EQUAL(answer.in[0], 2);
    CU_ASSERT_EQUAL(answer.in[1], 1);
    CHECK_POSITION(0); /* looking has not moved the tape */
    CU_ASSERT_EQUAL(generate(1), SCSI_GOOD);
    order_is("abcd");
    rig_stop();
}

/* The recommended order is never worse than the one asked in, and the descriptors stay whole. */
static void test_never_worse(void)
{
    uint64_t random = 12345, sent, recommended;

    start();
    for (int round = 0; round < 20; round++) {
        begin();
        for (unsigned i = 0; i < 40; i++) {
            uint64_t from;

            random = random * 6364136223846793005u + 1442695040888963407u;
            from = (random >> 33) % (20 * WRAP - 3);
            add((char)('A' + i), 0, from, from + (random >> 60) % 3);
        }
        CU_ASSERT_EQUAL(generate(1), SCSI_GOOD);
        sent = total_time();
        CU_ASSERT_EQUAL(generate(2), SCSI_GOOD);
        recommended = total_time();
        CU_ASSERT(recommended <= sent);
        CU_ASSERT(recommended * 2 < sent); /* at random it is far worse */
        for (unsigned i = 0; i < count; i++) {
            const uint8_t *got = answer.in + 8 + 32 * i;
            unsigned name = got[5] - 'A';

            CU_ASSERT(name < 40);
            CU_ASSERT_EQUAL(memcmp(got + 5, list + 8 + 32 * name + 5, 27), 0);
        }
    }
    rig_stop();
}

static void test_binding_points(void)
{
    start();
    begin();
    add('s', 0, 50, 50); /* begins here */
    add('a', 0, 8, 9);
    add('b', 0, 11, 12);
    add('i', 0, 55, 55); /* a single object in between binds nothing */
    add('e', 0, 3, 3);   /* ends here */
    CU_ASSERT_EQUAL(generate(2), SCSI_GOOD);
    CU_ASSERT_EQUAL(receive(0, 8 + 64 * 32), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[8 + 5], 's');
    CU_ASSERT_EQUAL(answer.in[8 + 4 * 32 + 5], 'e');
    begin();
    add('a', 0, 18, 19);
    add('b', 0, 1, 2);
    add('u', 0, 0, 0); /* unload */
    CU_ASSERT_EQUAL(generate(2), SCSI_GOOD);
    order_is("bau");
    CU_ASSERT(locate_time(2) > 8000); /* unthreading takes its time */
    begin();
    add('u', 0, 0, 0);
    CU_ASSERT_EQUAL(generate(2), SCSI_GOOD);
    order_is("u");
    begin();
    CU_ASSERT_EQUAL(generate(2), SCSI_GOOD); /* an empty list is one */
    order_is("");
    rig_stop();
}

static void test_limits_and_parts(void)
{
    start();
    receive(0, 100);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_COMMAND_SEQUENCE); /* none was generated */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "a3 9d 00 00 00 00 00 00 00 04 00 00", NULL, 0, 4),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be16(answer.in), 2000);
    CU_ASSERT_EQUAL(get_be16(answer.in + 2), 32);
    begin();
    for (unsigned i = 0; i < 2000; i++)
        add('x', 0, i % 190, i % 190 + 1);
    CU_ASSERT_EQUAL(generate(2), SCSI_GOOD);
    CU_ASSERT_EQUAL(receive(1999 * 32, 100), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 8 + 32);
    CU_ASSERT_EQUAL(get_be32(answer.in + 4), 2000 * 32);
    receive(16, 100);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    receive(2001 * 32, 100);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    add('x', 0, 1, 2);
    generate(2);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    CU_ASSERT_EQUAL(receive(0, 8), SCSI_GOOD); /* the old list is still there */
    rig_good(DRIVE, "1b 00 00 00 00 00");
    rig_good(DRIVE, "1b 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    receive(0, 100);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_COMMAND_SEQUENCE); /* gone with the medium */
    rig_stop();
}

static void test_hostile(void)
{
    uint8_t *d;

    start();
    for (unsigned process = 0; process < 8; process++) {
        begin();
        add('a', 0, 1, 2);
        generate(process);
        CU_ASSERT_EQUAL(answer.status == SCSI_GOOD, process == 1 || process == 2);
        if (answer.status != SCSI_GOOD)
            CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    }
    for (int i = 0; i < 6; i++) {
        begin();
        add('a', 0, 1, 2);
        d = add('b', 0, 3, 4);
        if (i == 0)
            d[15] = 1; /* no such partition */
        else if (i == 1)
            put_be64(d + 16, 5); /* backwards */
        else if (i == 2)
            put_be64(d + 24, 20 * WRAP + 1); /* beyond the end of data */
        else if (i == 3)
            put_be64(d + 24, UINT64_MAX);
        else if (i == 4)
            put_be16(d, 31);
        else
            put_be16(d, 0);
        generate(2);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
        CHECK_POSITION(0);
    }
    begin();
    add('a', 0, 1, 2);
    put_be32(list + 4, 31);
    rig_cdb(rig.a, DRIVE, "a4 1d 02 00 00 00 00 00 00 28 00 00", list, 40, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    rig_cdb(rig.a, DRIVE, "a4 1d 02 00 00 00 00 00 00 07 00 00", list, 7, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    put_be32(list + 4, 32);
    rig_cdb(rig.a, DRIVE, "a4 1d 02 00 00 00 00 00 00 28 00 00", list, 20, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR); /* less than it says came */
    rig_cdb(rig.a, DRIVE, "a4 1d 02 01 00 00 00 00 00 28 00 00", list, 40, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB); /* with geometry */
    rig_good(DRIVE, "a4 1d 02 00 00 00 00 00 00 00 00 00");
    rig_stop();
}

static const struct check_test tests[] = {
    {"serpentine", test_serpentine},
    {"never_worse", test_never_worse},
    {"binding_points", test_binding_points},
    {"limits_and_parts", test_limits_and_parts},
    {"hostile", test_hostile},
};

CHECK_MAIN("drive_rao", tests)
