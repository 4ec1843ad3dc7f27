/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_encrypted_places.c - where the encrypted blocks of a medium are (attributes 0224h and 0225h,
 * log page 17h, VCELB), and that a block is good only where it was written.
 */
#include "tests/unit/codec_rig.h"
#include "vtl/cartridge/cartridge.h"

#define NONE    UINT64_MAX
#define UNKNOWN (UINT64_MAX - 1)

static struct error err;

static uint64_t attribute(uint16_t id)
{
    uint8_t cdb[16] = {0x8c};

    put_be16(cdb + 8, id);
    put_be32(cdb + 10, 512);
    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 512), SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4), id);
    return get_be64(answer.in + 9);
}

/* The record of partition 0 in a parameter of log page 17h, the first behind the header. */
static uint64_t log_record(uint16_t code)
{
    uint8_t cdb[10] = {0x4d, 0, 0x57};

    put_be16(cdb + 5, code);
    put_be16(cdb + 7, 512);
    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 10, NULL, 0, 512), SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4), code);
    return (uint64_t)get_be16(answer.in + 12) << 32 | get_be32(answer.in + 14);
}

static bool volume_contains_encrypted(void)
{
    CU_ASSERT_EQUAL(spin(rig.a, 0x20), SCSI_GOOD);
    return answer.in[12] & 0x08;
}

/* Every source says the same. */
static void places_are(uint64_t encrypted, uint64_t clear)
{
    CU_ASSERT_EQUAL(attribute(0x0224), encrypted);
    CU_ASSERT_EQUAL(attribute(0x0225), clear);
    CU_ASSERT_EQUAL(log_record(0x200), encrypted & 0xffffffffffff);
    CU_ASSERT_EQUAL(log_record(0x201), clear & 0xffffffffffff);
    CU_ASSERT_EQUAL(volume_contains_encrypted(), encrypted < UNKNOWN);
}

/* Blocks 0, 1 in the clear, 2, 3 encrypted, 4 in the clear, 5 encrypted. */
static void write_mixed(void)
{
    for (unsigned i = 0; i < 6; i++) {
        if (i == 2 || i == 5)
            set_key(rig.a, ALL, ENCRYPT, MIXED, "one");
        else if (i == 4)
            set_key(rig.a, ALL, OFF, OFF, NULL);
        CU_ASSERT_EQUAL(write_pattern(rig.a, 1000, i), SCSI_GOOD);
    }
    set_key(rig.a, ALL, OFF, MIXED, "one");
}

static void reload(void)
{
    rig_good(DRIVE, "1b 00 00 00 00 00");
    rig_good(DRIVE, "1b 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
}

static void test_places(void)
{
    start_codec(CARTRIDGE_PLAIN);
    places_are(NONE, NONE);
    CU_ASSERT_EQUAL(spin(rig.a, 0x10), SCSI_GOOD);
    CU_ASSERT(answer.in[25] & 0x04); /* VCELB_C */
    write_mixed();
    places_are(2, 4);
    reload();
    places_are(2, 4);
    locate16(0, 4); /* overwriting takes what lies behind */
    CU_ASSERT_EQUAL(write_pattern(rig.a, 1000, 9), SCSI_GOOD);
    places_are(2, 4);
    locate16(0, 4);
    filemarks(1);
    places_are(2, NONE);
    locate16(0, 2);
    filemarks(1);
    places_are(NONE, NONE);
    rig_stop();
}

static void test_gone(void)
{
    start_codec(CARTRIDGE_PLAIN);
    write_mixed();
    locate16(0, 1);
    rig_good(DRIVE, "19 00 00 00 00 00"); /* ERASE */
    places_are(NONE, NONE);
    set_key(rig.a, ALL, ENCRYPT, MIXED, "one");
    CU_ASSERT_EQUAL(write_pattern(rig.a, 1000, 1), SCSI_GOOD);
    places_are(1, NONE);
    rig_good(DRIVE, REWIND);
    rig_good(DRIVE, "04 00 00 00 00 00"); /* FORMAT MEDIUM */
    places_are(NONE, NONE);
    rig_stop();
}

/* Written by something that is no drive: it is not known, until the tape is begun anew. */
static void test_unknown(void)
{
    struct store *store;
    struct cartridge *c;

    start_codec(CARTRIDGE_PLAIN);
    write_mixed();
    rig_good(DRIVE, "1b 00 00 00 00 00");
    CHECK_OK(library_cartridge_store(rig.library, "RIG001L8", &store, &err), err);
    CHECK_OK(cartridge_open(store, CARTRIDGE_READ_WRITE, &c, &err), err);
    cartridge_locate_end(c);
    CHECK_OK(cartridge_write(c, "x", 1, NULL, &err), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    store_close(store);
    rig_good(DRIVE, "1b 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    places_are(UNKNOWN, UNKNOWN);
    locate16(0, 3);
    CU_ASSERT_EQUAL(write_pattern(rig.a, 1000, 1), SCSI_GOOD);
    places_are(UNKNOWN, UNKNOWN); /* what lies before is as unknown as it was */
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(write_pattern(rig.a, 1000, 1), SCSI_GOOD);
    places_are(NONE, NONE);
    rig_stop();
}

/* What a crash leaves: the volume change reference has risen, and the record was not stored. */
static void test_crash(void)
{
    const uint8_t risen[8] = {0, 0, 0, 0, 0, 0, 1, 0};
    struct store *store;
    struct cartridge *c;

    start_codec(CARTRIDGE_PLAIN);
    write_mixed();
    rig_good(DRIVE, "1b 00 00 00 00 00");
    CHECK_OK(library_cartridge_store(rig.library, "RIG001L8", &store, &err), err);
    CHECK_OK(cartridge_open(store, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(cartridge_attribute_set(c, 0, 0x0009, risen, sizeof(risen), &err), err);
    cartridge_close(c);
    store_close(store);
    rig_good(DRIVE, "1b 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    places_are(UNKNOWN, UNKNOWN);
    rig_stop();
}

/* ---- a block is good where it was written ---------------------------------------------------- */

/* Put the stored form of block `from` in the place of block `to` and behind it nothing, as somebody
 * with the cartridge's files could. */
static void swap_in(uint64_t from, uint64_t to)
{
    static uint8_t stored[CARTRIDGE_STORED_MAX];
    struct cartridge_block block;
    struct store *store;
    struct cartridge *c;

    rig_good(DRIVE, "1b 00 00 00 00 00");
    CHECK_OK(library_cartridge_store(rig.library, "RIG001L8", &store, &err), err);
    CHECK_OK(cartridge_open(store, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(cartridge_locate(c, 0, from, &err), err);
    CHECK_OK(cartridge_read_block(c, stored, sizeof(stored), &block, &err), err);
    CHECK_OK(cartridge_locate(c, 0, to, &err), err);
    CHECK_OK(cartridge_write_block(c, &block, stored, NULL, &err), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    store_close(store);
    rig_good(DRIVE, "1b 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
}

static void test_swapped(void)
{
    start_codec(CARTRIDGE_LZ4);
    set_key(rig.a, ALL, ENCRYPT, MIXED, "one");
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(write_pattern(rig.a, 1000, i), SCSI_GOOD);
    swap_in(0, 2);
    check_pattern(rig.a, 1000, 0);
    check_pattern(rig.a, 1000, 1);
    read_from(rig.a, 1000);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_INTEGRITY_FAILED);
    CU_ASSERT_EQUAL(answer.in_len, 0);
    CHECK_POSITION(2);
    set_key(rig.a, ALL, OFF, DECRYPT, "two"); /* that it is another key is said first */
    read_from(rig.a, 1000);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_INCORRECT_KEY);
    set_key(rig.a, ALL, OFF, RAW, NULL); /* nothing is decrypted */
    CU_ASSERT_EQUAL(read_from(rig.a, 1000), SCSI_CHECK_CONDITION);
    CHECK_BITS(false, false, true);
    rig_stop();
}

/* What a host moves in EXTERNAL mode is accepted by who does not check the mode, or wants such
 * blocks, and by nobody else. */
static void test_moved_by_host(void)
{
    static const struct {
        uint8_t check; /* CEEM */
        bool good;
    } cases[] = {{0x00, false}, {0x40, true}, {0xc0, true}};
    uint8_t cdb[6] = {0x0a}, raw[1200];
    size_t len;

    start_codec(CARTRIDGE_PLAIN);
    set_key(rig.a, ALL, ENCRYPT, MIXED, "one");
    CU_ASSERT_EQUAL(write_pattern(rig.a, 1000, 7), SCSI_GOOD);
    set_key(rig.a, ALL, EXTERNAL, RAW, NULL);
    rig_good(DRIVE, REWIND);
    read_from(rig.a, sizeof(raw));
    len = answer.in_len;
    memcpy(raw, answer.in, len);
    put_be24(cdb + 2, (uint32_t)len);
    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 6, raw, len, 0), SCSI_GOOD);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sde s = sde_page(ALL, OFF, DECRYPT, "one");

        s.page[5] = cases[i].check;
        CU_ASSERT_EQUAL(sde_send(rig.a, &s), SCSI_GOOD);
        locate16(0, 1);
        if (cases[i].good) {
            check_pattern(rig.a, 1000, 7);
        } else {
            read_from(rig.a, 1000);
            CHECK_SENSE(KEY_DATA_PROTECT, ASC_INTEGRITY_FAILED);
        }
    }
    rig_stop();
}

static const struct check_test tests[] = {
    {"places", test_places}, {"gone", test_gone},       {"unknown", test_unknown},
    {"crash", test_crash},   {"swapped", test_swapped}, {"moved_by_host", test_moved_by_host},
};

CHECK_MAIN("encrypted_places", tests)
