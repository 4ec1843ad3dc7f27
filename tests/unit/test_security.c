/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_security.c - SECURITY PROTOCOL IN and OUT, and what keys do to reading and writing (SSC-5
 * 4.2.23, 8.5).
 */
#include "tests/unit/codec_rig.h"

#include <dirent.h>

#include "vtl/cartridge/codec.h"
#include "vtl/scsi/security.h"

/* ---- the pages ------------------------------------------------------------------------------- */

static void test_information_pages(void)
{
    static const uint8_t protocols[] = {0, 0, 0, 0, 0, 0, 0, 2, 0x00, 0x20};
    static const uint8_t in[] = {0, 0x00, 0, 16,   0, 0x00, 0, 0x01, 0, 0x10,
                                 0, 0x11, 0, 0x12, 0, 0x20, 0, 0x21, 0, 0x30};
    static const uint8_t out[] = {0, 1, 0, 2, 0, 0x10};
    static const uint8_t formats[] = {0, 0x11, 0, 1, 0};
    static const uint8_t management[] = {0, 0x12, 0, 12, 1, 7, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0};

    start_codec(CARTRIDGE_LZ4);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "a2 00 00 00 00 00 00 00 02 00 00 00", NULL, 0, 512),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, sizeof(protocols));
    CU_ASSERT_EQUAL(memcmp(answer.in, protocols, sizeof(protocols)), 0);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "a2 00 00 01 00 00 00 00 02 00 00 00", NULL, 0, 512),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 4);
    CU_ASSERT_EQUAL(get_be32(answer.in), 0);
    spin(rig.a, 0x00);
    CU_ASSERT_EQUAL(answer.in_len, sizeof(in));
    CU_ASSERT_EQUAL(memcmp(answer.in, in, sizeof(in)), 0);
    spin(rig.a, 0x01);
    CU_ASSERT_EQUAL(memcmp(answer.in, out, sizeof(out)), 0);
    spin(rig.a, 0x11);
    CU_ASSERT_EQUAL(memcmp(answer.in, formats, sizeof(formats)), 0);
    spin(rig.a, 0x12);
    CU_ASSERT_EQUAL(memcmp(answer.in, management, sizeof(management)), 0);
    /* the allocation length cuts */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "a2 20 00 12 00 00 00 00 00 06 00 00", NULL, 0, 6),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 6);
    CU_ASSERT_EQUAL(answer.in_want, 6);
    rig_stop();
}

static void test_capabilities(void)
{
    start_codec(CARTRIDGE_LZ4);
    spin(rig.a, 0x10);
    CU_ASSERT_EQUAL(answer.in_len, 44);
    CU_ASSERT_EQUAL(get_be16(answer.in + 2), 40);
    CU_ASSERT_EQUAL(answer.in[20], 1); /* algorithm index, as hosts expect of LTO */
    CU_ASSERT_EQUAL(get_be16(answer.in + 22), 20);
    CU_ASSERT_EQUAL(answer.in[24], 0xba);          /* AVFMV, MAC_C, DED_C, in hardware */
    CU_ASSERT_EQUAL(answer.in[25] >> 6, 2);        /* AVFCLP */
    CU_ASSERT_EQUAL(get_be16(answer.in + 26), 32); /* U-KAD */
    CU_ASSERT_EQUAL(get_be16(answer.in + 28), 12); /* A-KAD */
    CU_ASSERT_EQUAL(get_be16(answer.in + 30), 32); /* key */
    CU_ASSERT_EQUAL(get_be32(answer.in + 40), 0x10014);
    rig_stop();
}

static void test_random_page(void)
{
    uint8_t first[32];

    start_codec(CARTRIDGE_LZ4);
    spin(rig.a, 0x30);
    CU_ASSERT_EQUAL(answer.in_len, 36);
    memcpy(first, answer.in + 4, 32);
    spin(rig.a, 0x30);
    CU_ASSERT_NOT_EQUAL(memcmp(first, answer.in + 4, 32), 0);
    rig_stop();
}

static void test_unknown_pages(void)
{
    start_codec(CARTRIDGE_LZ4);
    rig_cdb(rig.a, DRIVE, "a2 41 00 00 00 00 00 00 02 00 00 00", NULL, 0, 512);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 1);
    spin(rig.a, 0x31); /* no public key: keys come in plain text only */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 2);
    rig_cdb(rig.a, DRIVE, "a2 20 00 10 80 00 00 00 00 01 00 00", NULL, 0, 512); /* INC_512 */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "b5 20 00 11 00 00 00 00 00 04 00 00", "\0\x11\0\0", 4, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "b5 00 00 10 00 00 00 00 00 04 00 00", "\0\x10\0\0", 4, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_good(DRIVE, "b5 20 00 10 00 00 00 00 00 00 00 00"); /* nothing to do is no error */
    rig_stop();
}

static void test_status_page(void)
{
    struct sde s = sde_page(ALL, ENCRYPT, MIXED, "secret");
    uint32_t before;

    start_codec(CARTRIDGE_LZ4);
    spin(rig.a, 0x20);
    CU_ASSERT_EQUAL(answer.in_len, 24);
    CU_ASSERT_EQUAL(answer.in[4], 0);
    before = get_be32(answer.in + 8);
    s.page[5] |= 0x30 | CKOD; /* RDMC: not to be read raw */
    sde_kad(&s, 0, "name of the key", 15);
    sde_kad(&s, 1, "auth", 4);
    CU_ASSERT_EQUAL(sde_send(rig.a, &s), SCSI_GOOD);
    spin(rig.a, 0x20);
    CU_ASSERT_EQUAL(answer.in[4], ALL << 5 | ALL);
    CU_ASSERT_EQUAL(answer.in[5], ENCRYPT);
    CU_ASSERT_EQUAL(answer.in[6], MIXED);
    CU_ASSERT_EQUAL(answer.in[7], 1);
    CU_ASSERT_EQUAL(get_be32(answer.in + 8), before + 1);
    CU_ASSERT_EQUAL(answer.in[12], 0x10 | 1 << 1 | 1); /* CEEMS, RDMD */
    CU_ASSERT_EQUAL(answer.in_len, 24 + 19 + 8);
    CU_ASSERT_EQUAL(memcmp(answer.in + 24, "\0\0\0\x0fname of the key\1\0\0\4auth", 27), 0);
    for (size_t i = 0; i + 6 <= answer.in_len; i++) /* the key is not told */
        CU_ASSERT_NOT_EQUAL(memcmp(answer.in + i, "secret", 6), 0);
    spin(rig.b, 0x20); /* the other uses the same */
    CU_ASSERT_EQUAL(answer.in[4], PUBLIC << 5 | ALL);
    CU_ASSERT_EQUAL(answer.in[5], ENCRYPT);
    rig_stop();
}

/* ---- hostile pages --------------------------------------------------------------------------- */

/* Each wrong byte is refused at its place, and nothing is set. */
static void test_bad_fields(void)
{
    static const struct {
        unsigned at;
        uint8_t value;
        unsigned field;
        int bit;
    } bad[] = {
        {0, 1, 0, 7},
        {4, 3 << 5, 4, 7},
        {5, 0x48, 5, 3},
        {5, 0x50, 5, 5},
        {6, 3, 6, 7},
        {7, 4, 7, 7},
        {8, 0, 8, 7},
        {9, 1, 9, 7},
        {9, 2, 9, 7},
        {10, 3, 10, 7},
        {19, 31, 18, 7},
        {19, 33, 18, 7},
        {18, 0xff, 18, 7},
        {19, 0, 18, 7},
        {5, 0x40 | CKORP, 5, 1},
        {5, 0x40 | CKORL, 5, 0},
    };

    start_codec(CARTRIDGE_LZ4);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sde s = sde_page(ALL, ENCRYPT, DECRYPT, "k");

        s.page[bad[i].at] = bad[i].value;
        sde_send(rig.a, &s);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
        CU_ASSERT_EQUAL(get_be16(answer.sense + 16), bad[i].field);
        CU_ASSERT_EQUAL(answer.sense[15], 0x88 | bad[i].bit);
    }
    spin(rig.a, 0x20);
    CU_ASSERT_EQUAL(answer.in[5], 0);
    rig_stop();
}

/* Cut at every byte; longer than what was sent; a list that the transport cut. */
static void test_truncated(void)
{
    struct sde whole = sde_page(ALL, ENCRYPT, DECRYPT, "k"), s;

    start_codec(CARTRIDGE_LZ4);
    sde_kad(&whole, 0, "u-kad", 5);
    sde_kad(&whole, 1, "a-kad", 5);
    for (size_t len = 1; len < whole.len; len++) {
        s = whole;
        s.len = len; /* the page says more */
        sde_send(rig.a, &s);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
        if (len < 4 || len == 20 + 32 || len == 20 + 32 + 9)
            continue;
        put_be16(s.page + 2, (uint16_t)(len - 4)); /* the page agrees */
        sde_send(rig.a, &s);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    }
    rig_cdb(rig.a, DRIVE, "b5 20 00 10 00 00 ff ff ff ff 00 00", whole.page, whole.len, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "b5 20 00 10 00 00 00 00 10 00 00 00", whole.page, whole.len, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    memset(&s, 0, sizeof(s)); /* all zero */
    s.len = 52;
    sde_send(rig.a, &s);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    CU_ASSERT_EQUAL(sde_send(rig.a, &whole), SCSI_GOOD);
    rig_stop();
}

static void test_bad_kads(void)
{
    static const uint8_t types[][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 2}, {0, 4}, {3, 1}};
    struct sde s;

    start_codec(CARTRIDGE_LZ4);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) { /* twice, out of order, nonce */
        s = sde_page(ALL, ENCRYPT, DECRYPT, "k");
        sde_kad(&s, types[i][0], "one", 3);
        sde_kad(&s, types[i][1], "two", 3);
        sde_send(rig.a, &s);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
        CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 52 + 7);
    }
    for (unsigned type = 0; type <= 3; type++) { /* one byte more than there may be */
        static const size_t max[] = {32, 12, 0, 64};
        uint8_t value[65] = {0};

        if (type == 2)
            continue;
        s = sde_page(ALL, ENCRYPT, DECRYPT, "k");
        sde_kad(&s, type, value, max[type]);
        CU_ASSERT_EQUAL(sde_send(rig.a, &s), SCSI_GOOD);
        s = sde_page(ALL, ENCRYPT, DECRYPT, "k");
        sde_kad(&s, type, value, max[type] + 1);
        sde_send(rig.a, &s);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
        CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 54);
    }
    rig_stop();
}

/* ---- writing and reading --------------------------------------------------------------------- */

/* With the key it comes back; on the medium it is not to be found. */
static void test_encrypt_decrypt(void)
{
    for (enum cartridge_compression m = CARTRIDGE_PLAIN; m <= CARTRIDGE_ZSTD; m++) {
        start_codec(m);
        set_key(rig.a, ALL, ENCRYPT, DECRYPT, "one");
        for (unsigned i = 1; i < 5; i++)
            CU_ASSERT_EQUAL(write_pattern(rig.a, 30000 * i, i), SCSI_GOOD);
        filemarks(1);
        rig_good(DRIVE, REWIND);
        for (unsigned i = 1; i < 5; i++)
            check_pattern(i % 2 ? rig.a : rig.b, 30000 * i, i);
        CHECK_POSITION(4);
        rig_stop();
    }
}

/* DISABLE: 74/01, DECRYPT with another key: 74/03, each before the block, however often. */
static void test_without_the_key(void)
{
    start_codec(CARTRIDGE_LZ4);
    set_key(rig.a, ALL, ENCRYPT, DECRYPT, "one");
    write_pattern(rig.a, 1000, 1);
    write_pattern(rig.a, 1000, 2);
    filemarks(0);
    set_key(rig.a, ALL, OFF, OFF, NULL);
    locate16(0, 1);
    for (int i = 0; i < 2; i++) {
        read_from(rig.a, 1000);
        CHECK_SENSE(KEY_DATA_PROTECT, ASC_UNABLE_TO_DECRYPT);
        CHECK_INFO(1000);
        CU_ASSERT_EQUAL(answer.in_len, 0);
        CHECK_POSITION(1);
    }
    set_key(rig.a, ALL, OFF, DECRYPT, "two");
    for (int i = 0; i < 2; i++) {
        read_from(rig.a, 1000);
        CHECK_SENSE(KEY_DATA_PROTECT, ASC_INCORRECT_KEY);
        CU_ASSERT_EQUAL(answer.in_len, 0);
        CHECK_POSITION(1);
    }
    CU_ASSERT_EQUAL(space(0, 1), SCSI_GOOD); /* motion needs no key */
    CHECK_POSITION(2);
    CU_ASSERT_EQUAL(space(0, -2), SCSI_GOOD);
    set_key(rig.a, ALL, OFF, DECRYPT, "one");
    check_pattern(rig.a, 1000, 1);
    rig_stop();
}

/* Blocks of both kinds: MIXED reads both, DECRYPT refuses the plain ones, DISABLE the others. */
static void test_mixed(void)
{
    start_codec(CARTRIDGE_LZ4);
    write_pattern(rig.a, 1000, 1);
    set_key(rig.a, ALL, ENCRYPT, MIXED, "one");
    write_pattern(rig.a, 1000, 2);
    set_key(rig.a, ALL, OFF, MIXED, "one");
    write_pattern(rig.a, 1000, 3);
    rig_good(DRIVE, REWIND);
    for (unsigned i = 1; i <= 3; i++)
        check_pattern(rig.a, 1000, i);
    set_key(rig.a, ALL, OFF, DECRYPT, "one");
    locate16(0, 1);
    check_pattern(rig.a, 1000, 2);
    read_from(rig.a, 1000);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_UNENCRYPTED_DATA);
    CHECK_POSITION(2);
    set_key(rig.a, ALL, OFF, OFF, NULL);
    check_pattern(rig.a, 1000, 3);
    rig_good(DRIVE, REWIND);
    check_pattern(rig.a, 1000, 1);
    read_from(rig.a, 1000);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_UNABLE_TO_DECRYPT);
    CHECK_POSITION(1);
    rig_stop();
}

/* Fixed blocks: those before the one without a key are handed over, INFORMATION is the rest. */
static void test_fixed_residual(void)
{
    start_codec(CARTRIDGE_LZ4);
    set_key(rig.a, ALL, ENCRYPT, MIXED, "one");
    write_pattern(rig.a, 1000, 1);
    write_pattern(rig.a, 1000, 2);
    set_key(rig.a, ALL, ENCRYPT, MIXED, "two");
    write_pattern(rig.a, 1000, 3);
    set_key(rig.a, ALL, OFF, MIXED, "one");
    set_block_length(1000);
    rig_good(DRIVE, REWIND);
    read_fixed(5, 1000);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_INCORRECT_KEY);
    CHECK_INFO(3);
    CU_ASSERT_EQUAL(answer.in_len, 2000);
    CHECK_POSITION(2);
    rig_stop();
}

/* Short and long reads of encrypted blocks are as those of plain ones. */
static void test_lengths(void)
{
    start_codec(CARTRIDGE_LZ4);
    set_key(rig.a, ALL, ENCRYPT, DECRYPT, "one");
    write_pattern(rig.a, 1000, 7);
    rig_good(DRIVE, REWIND);
    read_from(rig.a, 600);
    CHECK_SENSE(KEY_NO_SENSE, ASC_NONE);
    CHECK_BITS(false, false, true);
    CHECK_INFO(-400);
    CU_ASSERT_EQUAL(answer.in_len, 600);
    CU_ASSERT_EQUAL(answer.in[599], (uint8_t)(599 % 251 + 7));
    CHECK_POSITION(1);
    rig_good(DRIVE, REWIND);
    read_from(rig.a, 5000);
    CHECK_INFO(4000);
    CU_ASSERT_EQUAL(answer.in_len, 1000);
    rig_stop();
}

/* What RAW gives can be written elsewhere in EXTERNAL mode, and read there with the key. */
static void test_raw_external(void)
{
    uint8_t cdb[6] = {0x0a}, raw[2000];
    size_t len;

    start_codec(CARTRIDGE_LZ4);
    set_key(rig.a, ALL, ENCRYPT, DECRYPT, "one");
    write_pattern(rig.a, 1000, 1);
    set_key(rig.a, ALL, EXTERNAL, RAW, NULL);
    rig_good(DRIVE, REWIND);
    read_from(rig.a, sizeof(raw));
    CHECK_BITS(false, false, true); /* shorter than asked for */
    len = answer.in_len;
    CU_ASSERT(len > CODEC_ENVELOPE_SIZE && len < 500); /* it was compressed */
    memcpy(raw, answer.in, len);
    write_block(1000, 9); /* no encrypted block */
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_ENCRYPTION_PARAMETERS);
    CHECK_POSITION(1);
    put_be24(cdb + 2, (uint32_t)len);
    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 6, raw, len, 0), SCSI_GOOD);
    locate16(0, 1);
    spin(rig.a, 0x21);
    CU_ASSERT_EQUAL(answer.in[14], 2); /* EMES */
    set_key(rig.a, ALL, OFF, DECRYPT, "one");
    rig_good(DRIVE, REWIND);
    check_pattern(rig.a, 1000, 1);
    check_pattern(rig.a, 1000, 1);
    rig_stop();
}

/* RDMC: blocks whose owner does not want them read raw; CEEM: blocks of another mode. */
static void test_modes_checked(void)
{
    struct sde s = sde_page(ALL, ENCRYPT, DECRYPT, "one");

    start_codec(CARTRIDGE_LZ4);
    s.page[5] = 0x40 | 0x30;
    CU_ASSERT_EQUAL(sde_send(rig.a, &s), SCSI_GOOD);
    write_pattern(rig.a, 1000, 1);
    set_key(rig.a, ALL, OFF, RAW, NULL);
    rig_good(DRIVE, REWIND);
    read_from(rig.a, 1000);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_RAW_READ_NOT_ENABLED);
    CHECK_POSITION(0);
    spin(rig.a, 0x21);
    CU_ASSERT_EQUAL(answer.in[14], 1); /* RDMDS */
    s = sde_page(ALL, OFF, DECRYPT, "one");
    s.page[5] = 0xc0; /* only those of EXTERNAL mode */
    CU_ASSERT_EQUAL(sde_send(rig.a, &s), SCSI_GOOD);
    read_from(rig.a, 1000);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_ENCRYPTION_MODE_MISMATCH);
    CHECK_POSITION(0);
    s.page[5] = 0x80; /* not those */
    CU_ASSERT_EQUAL(sde_send(rig.a, &s), SCSI_GOOD);
    check_pattern(rig.a, 1000, 1);
    rig_stop();
}

/* The next block, whatever it is. */
static void test_next_block(void)
{
    struct sde s = sde_page(ALL, ENCRYPT, DECRYPT, "one");

    start_codec(CARTRIDGE_LZ4);
    spin(rig.a, 0x21);
    CU_ASSERT_EQUAL(answer.in[12], 0x11); /* end of data: not now */
    write_pattern(rig.a, 1000, 1);
    filemarks(1);
    sde_kad(&s, 0, "which key", 9);
    sde_kad(&s, 1, "authentic", 9);
    CU_ASSERT_EQUAL(sde_send(rig.a, &s), SCSI_GOOD);
    write_pattern(rig.a, 1000, 2);
    rig_good(DRIVE, REWIND);
    spin(rig.a, 0x21);
    CU_ASSERT_EQUAL(answer.in[12], 0x53); /* compressed, not encrypted */
    CU_ASSERT_EQUAL(answer.in_len, 16);
    locate16(0, 1);
    spin(rig.a, 0x21);
    CU_ASSERT_EQUAL(answer.in[12], 0x22); /* no block */
    locate16(0, 2);
    spin(rig.a, 0x21);
    CU_ASSERT_EQUAL(get_be64(answer.in + 4), 2);
    CU_ASSERT_EQUAL(answer.in[12], 0x55);
    CU_ASSERT_EQUAL(answer.in[13], 1);
    CU_ASSERT_EQUAL(memcmp(answer.in + 16,
                           "\0\1\0\x09which key\1\2\0\x09"
                           "authentic",
                           26),
                    0);
    CU_ASSERT_EQUAL(answer.in_len, 16 + 26);
    set_key(rig.a, ALL, OFF, DECRYPT, "two");
    spin(rig.a, 0x21);
    CU_ASSERT_EQUAL(answer.in[12], 0x56); /* not for us, but whose it is is told */
    CU_ASSERT_EQUAL(answer.in_len, 16 + 26);
    CHECK_POSITION(2);
    rig_stop();
}

/* ---- who uses which key ---------------------------------------------------------------------- */

static void test_scopes(void)
{
    start_codec(CARTRIDGE_LZ4);
    set_key(rig.a, ALL, ENCRYPT, MIXED, "shared");
    write_pattern(rig.b, 1000, 1); /* b shares it */
    set_key(rig.b, LOCAL, ENCRYPT, MIXED, "b's own");
    write_pattern(rig.b, 1000, 2);
    rig_good(DRIVE, REWIND);
    check_pattern(rig.a, 1000, 1);
    read_from(rig.a, 1000);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_INCORRECT_KEY);
    check_pattern(rig.b, 1000, 2);
    rig_good(DRIVE, REWIND);
    set_key(rig.b, PUBLIC, OFF, OFF, NULL); /* its own is gone, the shared one is there */
    spin(rig.b, 0x20);
    CU_ASSERT_EQUAL(answer.in[4], PUBLIC << 5 | ALL);
    check_pattern(rig.b, 1000, 1);
    rig_stop();
}

/* Only who has shown that he cares is told, and only of what concerns him. */
static void test_attentions(void)
{
    start_codec(CARTRIDGE_LZ4);
    set_key(rig.a, ALL, ENCRYPT, MIXED, "one");
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    spin(rig.b, 0x20);
    set_key(rig.a, ALL, ENCRYPT, MIXED, "two");
    CU_ASSERT_TRUE(attention_is(rig.b, ASC_ENCRYPTION_CHANGED_BY_NEXUS));
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    set_key(rig.b, ALL, ENCRYPT, MIXED, "three"); /* a had made it: it is public now */
    CU_ASSERT_TRUE(attention_is(rig.a, ASC_ENCRYPTION_CHANGED_BY_NEXUS));
    spin(rig.a, 0x20);
    CU_ASSERT_EQUAL(answer.in[4], PUBLIC << 5 | ALL);
    set_key(rig.a, LOCAL, ENCRYPT, MIXED, "four"); /* concerns nobody */
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    set_key(rig.b, ALL, ENCRYPT, MIXED, "five"); /* a uses its own */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    rig_stop();
}

/* LOCK: with other parameters than those at the lock nothing is written; reading goes on. */
static void test_lock(void)
{
    struct sde s = sde_page(PUBLIC, OFF, OFF, NULL);

    start_codec(CARTRIDGE_LZ4);
    set_key(rig.a, ALL, ENCRYPT, MIXED, "one");
    s.page[4] |= 1;
    CU_ASSERT_EQUAL(sde_send(rig.b, &s), SCSI_GOOD);
    CU_ASSERT_EQUAL(write_pattern(rig.b, 1000, 1), SCSI_GOOD);
    set_key(rig.a, ALL, ENCRYPT, MIXED, "one"); /* the same key, but set anew */
    CU_ASSERT_TRUE(attention_is(rig.b, ASC_ENCRYPTION_CHANGED_BY_NEXUS));
    write_pattern(rig.b, 1000, 2);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_KEY_INSTANCE_CHANGED);
    CHECK_POSITION(1);
    CU_ASSERT_EQUAL(write_pattern(rig.a, 1000, 2), SCSI_GOOD);
    rig_good(DRIVE, REWIND);
    check_pattern(rig.b, 1000, 1);
    s.page[4] = 0;
    CU_ASSERT_EQUAL(sde_send(rig.b, &s), SCSI_GOOD);
    CU_ASSERT_EQUAL(write_pattern(rig.b, 1000, 3), SCSI_GOOD);
    rig_stop();
}

/* ---- what ends a key ------------------------------------------------------------------------- */

static unsigned mode_now(struct scsi_nexus *nexus)
{
    spin(nexus, 0x20);
    return answer.in[5];
}

static void test_ends_with_volume(void)
{
    struct sde s = sde_page(ALL, ENCRYPT, MIXED, "one");

    start_codec(CARTRIDGE_LZ4);
    CU_ASSERT_EQUAL(sde_send(rig.a, &s), SCSI_GOOD);
    rig_good(DRIVE, "1b 00 00 00 00 00");
    CU_ASSERT_EQUAL(mode_now(rig.a), ENCRYPT); /* CKOD=0: it stays */
    rig_good(DRIVE, "1b 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0); /* medium may have changed */
    s.page[5] |= CKOD;
    CU_ASSERT_EQUAL(sde_send(rig.a, &s), SCSI_GOOD);
    rig_good(DRIVE, "1b 00 00 00 00 00");
    CU_ASSERT_TRUE(attention_is(rig.a, ASC_ENCRYPTION_CHANGED_BY_EVENT));
    CU_ASSERT_EQUAL(mode_now(rig.a), OFF);
    rig_stop();
}

static void test_ends_with_reset(void)
{
    uint8_t lun[8] = {0, DRIVE};

    start_codec(CARTRIDGE_LZ4);
    set_key(rig.a, ALL, ENCRYPT, MIXED, "one");
    set_key(rig.b, LOCAL, ENCRYPT, MIXED, "two");
    scsi_target_manage(rig.target, rig.a, SCSI_TMF_LUN_RESET, lun, 0);
    CU_ASSERT_TRUE(attention_is(rig.a, ASC_DEVICE_RESET));
    CU_ASSERT_EQUAL(mode_now(rig.a), OFF);
    CU_ASSERT_TRUE(attention_is(rig.b, ASC_DEVICE_RESET));
    CU_ASSERT_EQUAL(mode_now(rig.b), OFF);
    CU_ASSERT_EQUAL(answer.in[4], 0);
    rig_stop();
}

/* Nobody decides for a drive that comes back what it encrypts with. */
static void test_ends_with_drive(void)
{
    struct error err = ERROR_INIT;
    unsigned drive;

    start_codec(CARTRIDGE_LZ4);
    set_key(rig.a, ALL, ENCRYPT, MIXED, "one");
    set_key(rig.b, LOCAL, ENCRYPT, MIXED, "two");
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "1b 00 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), err);
    CHECK_OK(scsi_target_drive_remove(rig.target, 0, &err), err);
    CHECK_OK(scsi_target_drive_add(rig.target, &drive, &err), err);
    CU_ASSERT_EQUAL(drive, 0);
    CU_ASSERT_TRUE(attention_is(rig.a, ASC_POWER_ON));
    CU_ASSERT_EQUAL(mode_now(rig.a), OFF);
    CU_ASSERT_TRUE(attention_is(rig.b, ASC_POWER_ON));
    CU_ASSERT_EQUAL(mode_now(rig.b), OFF);
    rig_stop();
}

/* A nexus takes its own key with it; one for all stays, as a program that sets it ends. */
static void test_nexus_goes(void)
{
    struct error err = ERROR_INIT;
    struct scsi_nexus *c;

    start_codec(CARTRIDGE_LZ4);
    CHECK_OK(scsi_nexus_create(rig.target, "iqn.test:c,i,0x1", &c, &err), err);
    CU_ASSERT_TRUE(attention_is(c, ASC_POWER_ON));
    set_key(c, ALL, ENCRYPT, MIXED, "for all");
    scsi_nexus_destroy(c);
    CU_ASSERT_EQUAL(mode_now(rig.a), ENCRYPT);
    CHECK_OK(scsi_nexus_create(rig.target, "iqn.test:c,i,0x1", &c, &err), err);
    CU_ASSERT_TRUE(attention_is(c, ASC_POWER_ON));
    set_key(c, LOCAL, OFF, DECRYPT, "its own");
    scsi_nexus_destroy(c);
    CHECK_OK(scsi_nexus_create(rig.target, "iqn.test:c,i,0x1", &c, &err), err);
    CU_ASSERT_TRUE(attention_is(c, ASC_POWER_ON));
    CU_ASSERT_EQUAL(mode_now(c), ENCRYPT);
    CU_ASSERT_EQUAL(answer.in[4], PUBLIC << 5 | ALL);
    scsi_nexus_destroy(c);
    rig_stop();
}

/* CKORL: any reservation; CKORP: a persistent one. */
static void test_ends_with_reservation(void)
{
    static uint8_t reg[24] = {[15] = 0x11};
    struct sde s = sde_page(ALL, ENCRYPT, MIXED, "one");

    start_codec(CARTRIDGE_LZ4);
    s.page[5] |= CKORL;
    rig_good(DRIVE, "16 00 00 00 00 00");
    CU_ASSERT_EQUAL(sde_send(rig.a, &s), SCSI_GOOD);
    CU_ASSERT_EQUAL(mode_now(rig.a), ENCRYPT);
    rig_good(DRIVE, "17 00 00 00 00 00");
    CU_ASSERT_EQUAL(mode_now(rig.a), OFF);
    CU_ASSERT_TRUE(attention_is(rig.a, ASC_ENCRYPTION_CHANGED_BY_EVENT));
    s.page[5] = 0x40 | CKORP;
    rig_cdb(rig.a, DRIVE, "5f 00 00 00 00 00 00 00 18 00", reg, 24, 0);
    reg[7] = 0x11;
    rig_cdb(rig.a, DRIVE, "5f 01 01 00 00 00 00 00 18 00", reg, 24, 0);
    CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
    CU_ASSERT_EQUAL(sde_send(rig.a, &s), SCSI_GOOD);
    CU_ASSERT_EQUAL(mode_now(rig.a), ENCRYPT);
    reg[7] = 0;
    reg[15] = 0x22;
    rig_cdb(rig.b, DRIVE, "5f 00 00 00 00 00 00 00 18 00", reg, 24, 0);
    reg[7] = 0x22;
    reg[15] = 0x11;
    rig_cdb(rig.b, DRIVE, "5f 04 01 00 00 00 00 00 18 00", reg, 24, 0); /* PREEMPT */
    CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
    CU_ASSERT_EQUAL(mode_now(rig.b), OFF);
    rig_stop();
}

/* ---- secrecy --------------------------------------------------------------------------------- */

static bool holds(const char *path, const void *what, size_t len)
{
    static uint8_t buf[1 << 20];
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(buf, 1, sizeof(buf), f) : 0;

    if (f)
        fclose(f);
    return n >= len && memmem(buf, n, what, len) != NULL;
}

/* Neither the key nor what it encrypts is in any object of the cartridge; the U-KAD is. */
static void test_nothing_on_disk(void)
{
    uint8_t plain[64];
    char dir[128], path[512];
    struct sde s = sde_page(ALL, ENCRYPT, DECRYPT, "0123456789abcdef0123456789abcdef");
    unsigned keys = 0, plains = 0, kads = 0, files = 0;
    const struct dirent *e;
    DIR *d;

    start_codec(CARTRIDGE_PLAIN);
    sde_kad(&s, 0, "the name of the key", 19);
    CU_ASSERT_EQUAL(sde_send(rig.a, &s), SCSI_GOOD);
    CU_ASSERT_EQUAL(write_pattern(rig.a, 1000, 3), SCSI_GOOD);
    filemarks(1);
    pattern(plain, sizeof(plain), 3);
    snprintf(dir, sizeof(dir), "%s/cartridges/RIG001L8", rig.root);
    d = opendir(dir);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    while ((e = readdir(d))) {
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        files++;
        keys += holds(path, "0123456789abcdef", 16);
        plains += holds(path, plain, sizeof(plain));
        kads += holds(path, "the name of the key", 19);
    }
    closedir(d);
    CU_ASSERT(files > 3);
    CU_ASSERT_EQUAL(keys, 0);
    CU_ASSERT_EQUAL(plains, 0);
    CU_ASSERT_EQUAL(kads, 1); /* so the search finds what is there */
    rig_stop();
}

static const struct check_test tests[] = {
    {"information_pages", test_information_pages},
    {"capabilities", test_capabilities},
    {"random_page", test_random_page},
    {"unknown_pages", test_unknown_pages},
    {"status_page", test_status_page},
    {"bad_fields", test_bad_fields},
    {"truncated", test_truncated},
    {"bad_kads", test_bad_kads},
    {"encrypt_decrypt", test_encrypt_decrypt},
    {"without_the_key", test_without_the_key},
    {"mixed", test_mixed},
    {"fixed_residual", test_fixed_residual},
    {"lengths", test_lengths},
    {"raw_external", test_raw_external},
    {"modes_checked", test_modes_checked},
    {"next_block", test_next_block},
    {"scopes", test_scopes},
    {"attentions", test_attentions},
    {"lock", test_lock},
    {"ends_with_volume", test_ends_with_volume},
    {"ends_with_reset", test_ends_with_reset},
    {"ends_with_drive", test_ends_with_drive},
    {"nexus_goes", test_nexus_goes},
    {"ends_with_reservation", test_ends_with_reservation},
    {"nothing_on_disk", test_nothing_on_disk},
};

CHECK_MAIN("security", tests)
