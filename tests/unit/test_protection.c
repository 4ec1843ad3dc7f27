/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_protection.c - logical block protection (SSC-5 4.2.25) and compression in the drive, alone,
 * together, and with encryption.
 */
#include "tests/unit/codec_rig.h"

#include "common/crc32c.h"
#include "common/rs_crc.h"

enum { METHODS = 2 };

/* A block of len bytes of pattern and its protection; the caller frees it. */
static uint8_t *protected_block(enum protection_method method, uint32_t len, unsigned seed)
{
    uint8_t *wire = malloc(len + PROTECTION_SIZE);

    pattern(wire, len, seed);
    if (method == PROTECTION_RS_CRC) /* big-endian */
        put_be32(wire + len, rs_crc(wire, len));
    else /* little-endian */
        put_le32(wire + len, crc32c(wire, len));
    return wire;
}

static uint8_t write_wire(const uint8_t *wire, uint32_t len)
{
    uint8_t cdb[6] = {0x0a};

    put_be24(cdb + 2, len);
    return rig_send(rig.a, DRIVE, cdb, 6, wire, len, 0);
}

static uint8_t write_protected(enum protection_method method, uint32_t len, unsigned seed)
{
    uint8_t *wire = protected_block(method, len, seed), status;

    status = write_wire(wire, len + PROTECTION_SIZE);
    free(wire);
    return status;
}

/* READ gives this block with this protection. */
static void check_protected(enum protection_method method, uint32_t len, unsigned seed)
{
    uint8_t *wire = protected_block(method, len, seed);

    CU_ASSERT_EQUAL(read_from(rig.a, len + PROTECTION_SIZE), SCSI_GOOD);
    CU_ASSERT_EQUAL_FATAL(answer.in_len, len + PROTECTION_SIZE);
    CU_ASSERT_EQUAL(memcmp(answer.in, wire, len + PROTECTION_SIZE), 0);
    free(wire);
}

/* ---- the mode page --------------------------------------------------------------------------- */

static void test_page(void)
{
    static const struct {
        uint8_t method, length, field;
    } bad[] = {{3, 4, 4}, {0xf0, 4, 4}, {1, 0, 5}, {1, 5, 5}, {2, 8, 5}, {0, 4, 5}};

    start_codec(CARTRIDGE_LZ4);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        mode_set(0x0a, 0xf0, 4, bad[i].method, 5, bad[i].length);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
        CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 4u + bad[i].field);
    }
    CU_ASSERT_EQUAL(set_protection(PROTECTION_RS_CRC, true, true), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "1a 08 0a f0 ff 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(answer.in_len, 36);
    CU_ASSERT_EQUAL(memcmp(answer.in + 4, "\x4a\xf0\0\x1c\1\4\xc0", 7), 0);
    rig_stop();
}

/* ---- writing --------------------------------------------------------------------------------- */

/* A wrong CRC: nothing is recorded, the position stays, and the next block is as if nothing was. */
static void test_guard_check(void)
{
    for (unsigned method = 1; method <= METHODS; method++) {
        uint8_t *wire = protected_block(method, 1000, 5);

        start_codec(CARTRIDGE_LZ4);
        set_protection(method, true, false);
        CU_ASSERT_EQUAL(write_wire(wire, 1004), SCSI_GOOD);
        for (uint32_t at = 0; at < 1004; at += 167) {
            wire[at] ^= 0x10;
            write_wire(wire, 1004);
            CHECK_SENSE(KEY_HARDWARE_ERROR, ASC_GUARD_CHECK_FAILED);
            CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x70); /* of this command */
            CHECK_INFO(1004);
            CHECK_POSITION(1);
            wire[at] ^= 0x10;
        }
        CU_ASSERT_EQUAL(write_wire(wire, 1004), SCSI_GOOD);
        CHECK_POSITION(2);
        rig_good(DRIVE, REWIND);
        check_pattern(rig.a, 1000, 5); /* LBP_R=0: the block alone */
        check_pattern(rig.a, 1000, 5);
        read_from(rig.a, 1000);
        CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
        free(wire);
        rig_stop();
    }
}

/* The other method's CRC is a wrong one, and so is the right one in the other byte order. */
static void test_wrong_method(void)
{
    start_codec(CARTRIDGE_LZ4);
    set_protection(PROTECTION_CRC32C, true, true);
    write_protected(PROTECTION_RS_CRC, 1000, 1);
    CHECK_SENSE(KEY_HARDWARE_ERROR, ASC_GUARD_CHECK_FAILED);
    set_protection(PROTECTION_RS_CRC, true, true);
    write_protected(PROTECTION_CRC32C, 1000, 1);
    CHECK_SENSE(KEY_HARDWARE_ERROR, ASC_GUARD_CHECK_FAILED);
    CHECK_POSITION(0);
    rig_stop();
}

/* No room for a block beside its CRC. */
static void test_too_short(void)
{
    uint8_t wire[5] = {0};

    start_codec(CARTRIDGE_LZ4);
    set_protection(PROTECTION_CRC32C, true, true);
    for (uint32_t len = 1; len <= 4; len++) {
        write_wire(wire, len);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    }
    CU_ASSERT_EQUAL(write_protected(PROTECTION_CRC32C, 1, 9), SCSI_GOOD);
    rig_good(DRIVE, REWIND);
    check_protected(PROTECTION_CRC32C, 1, 9);
    rig_stop();
}

/* Fixed blocks: the block length counts the CRC; the good ones before a bad one are recorded. */
static void test_fixed(void)
{
    uint8_t wire[3 * 504];

    start_codec(CARTRIDGE_LZ4);
    set_protection(PROTECTION_RS_CRC, true, true);
    set_block_length(504);
    for (unsigned i = 0; i < 3; i++) {
        uint8_t *one = protected_block(PROTECTION_RS_CRC, 500, i);

        memcpy(wire + 504u * i, one, 504);
        free(one);
    }
    wire[2 * 504] ^= 1;
    rig_cdb(rig.a, DRIVE, "0a 01 00 00 03 00", wire, sizeof(wire), 0);
    CHECK_SENSE(KEY_HARDWARE_ERROR, ASC_GUARD_CHECK_FAILED);
    CHECK_INFO(1);
    CHECK_POSITION(2);
    wire[2 * 504] ^= 1;
    rig_cdb(rig.a, DRIVE, "0a 01 00 00 01 00", wire + 2 * 504, 504, 0);
    CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(read_fixed(3, 504), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, sizeof(wire));
    CU_ASSERT_EQUAL(memcmp(answer.in, wire, sizeof(wire)), 0);
    rig_stop();
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Every way of storing a block gives it back with the CRC of either method, also one that came
 * without any. */
static void test_all_ways(void)
{
    for (unsigned way = 0; way < 3 * 2 * 3; way++) {
        enum cartridge_compression compression = way % 3;
        bool encrypted = way / 3 % 2;
        unsigned written = way / 6;

        start_codec(compression);
        if (encrypted)
            set_key(rig.a, ALL, ENCRYPT, DECRYPT, "one");
        set_protection(written, true, false);
        for (unsigned i = 0; i < 3; i++) {
            uint32_t len = i == 2 ? 70001 : 100 + i;

            CU_ASSERT_EQUAL(written ? write_protected(written, len, i)
                                    : write_pattern(rig.a, len, i),
                            SCSI_GOOD);
        }
        for (unsigned method = 0; method <= METHODS; method++) {
            set_protection(method, false, true);
            rig_good(DRIVE, REWIND);
            for (unsigned i = 0; i < 3; i++) {
                uint32_t len = i == 2 ? 70001 : 100 + i;

                if (method)
                    check_protected(method, len, i);
                else
                    check_pattern(rig.a, len, i);
            }
        }
        rig_stop();
    }
}

/* Lengths on the wire count the CRC, and so does INFORMATION. */
static void test_incorrect_length(void)
{
    uint8_t *wire = protected_block(PROTECTION_CRC32C, 1000, 3);

    for (enum cartridge_compression m = CARTRIDGE_PLAIN; m <= CARTRIDGE_LZ4; m++) {
        start_codec(m);
        set_protection(PROTECTION_CRC32C, true, true);
        CU_ASSERT_EQUAL(write_wire(wire, 1004), SCSI_GOOD);
        for (uint32_t room = 1; room <= 1010; room += room < 996 ? 199 : 1) {
            rig_good(DRIVE, REWIND);
            read_from(rig.a, room);
            if (room == 1004) {
                CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
                continue;
            }
            CHECK_BITS(false, false, true);
            CHECK_INFO((int64_t)room - 1004);
            CU_ASSERT_EQUAL(answer.in_len, room < 1004 ? room : 1004);
            CU_ASSERT_EQUAL(memcmp(answer.in, wire, answer.in_len), 0);
            CHECK_POSITION(1);
        }
        rig_stop();
    }
    free(wire);
}

/* READ REVERSE: behind the block as it was written its CRC; behind one turned round that of what
 * comes. */
static void test_reverse(void)
{
    uint8_t *wire = protected_block(PROTECTION_RS_CRC, 777, 4), turned[777];

    start_codec(CARTRIDGE_LZ4);
    set_key(rig.a, ALL, ENCRYPT, DECRYPT, "one");
    set_protection(PROTECTION_RS_CRC, true, true);
    CU_ASSERT_EQUAL(write_wire(wire, 781), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "0f 04 00 03 0d 00", NULL, 0, 781); /* BYTORD=1 */
    CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 781);
    CU_ASSERT_EQUAL(memcmp(answer.in, wire, 781), 0);
    CHECK_POSITION(0);
    CU_ASSERT_EQUAL(space(0, 1), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "0f 00 00 03 0d 00", NULL, 0, 781);
    CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
    for (size_t i = 0; i < 777; i++)
        turned[i] = wire[776 - i];
    CU_ASSERT_EQUAL(memcmp(answer.in, turned, 777), 0);
    CU_ASSERT_EQUAL(get_be32(answer.in + 777), rs_crc(turned, 777));
    CU_ASSERT_EQUAL(space(0, 1), SCSI_GOOD);
    set_key(rig.a, ALL, OFF, DECRYPT, "two");
    rig_cdb(rig.a, DRIVE, "0f 04 00 03 0d 00", NULL, 0, 781);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_INCORRECT_KEY);
    CHECK_POSITION(1);
    free(wire);
    rig_stop();
}

/* ---- VERIFY ---------------------------------------------------------------------------------- */

static uint8_t verify6(unsigned bits, uint32_t length, const void *data, size_t len)
{
    uint8_t cdb[6] = {0x13, (uint8_t)bits};

    put_be24(cdb + 2, length);
    return rig_send(rig.a, DRIVE, cdb, 6, data, len, 0);
}

enum { BYTCMP = 0x02, VBF = 0x08, VLBPM = 0x10, VTE = 0x20 };

/* Protected blocks 0-2 with RS-CRC, filemark 3, block 4 with CRC32C, block 5 without, filemark 6.
 */
static void start_verify(void)
{
    start_codec(CARTRIDGE_LZ4);
    set_protection(PROTECTION_RS_CRC, true, true);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(write_protected(PROTECTION_RS_CRC, 1000, i), SCSI_GOOD);
    filemarks(1);
    set_protection(PROTECTION_CRC32C, true, true);
    CU_ASSERT_EQUAL(write_protected(PROTECTION_CRC32C, 1000, 4), SCSI_GOOD);
    set_protection(PROTECTION_RS_CRC, false, true);
    CU_ASSERT_EQUAL(write_pattern(rig.a, 1000, 5), SCSI_GOOD);
    filemarks(1);
    rig_good(DRIVE, REWIND);
}

static void test_verify_method(void)
{
    start_verify();
    CU_ASSERT_EQUAL(verify6(VLBPM, 1004, NULL, 0), SCSI_GOOD);
    CHECK_POSITION(1);
    CU_ASSERT_EQUAL(verify6(VLBPM | VBF, 1, NULL, 0), SCSI_GOOD);
    CHECK_POSITION(4);
    verify6(VLBPM, 1004, NULL, 0); /* the other method */
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_PROTECTION_METHOD);
    CHECK_POSITION(5);
    verify6(VLBPM, 1004, NULL, 0); /* none */
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_PROTECTION_METHOD);
    rig_good(DRIVE, REWIND);
    verify6(VLBPM | VTE, 0, NULL, 0);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_PROTECTION_METHOD);
    CHECK_POSITION(5);
    rig_stop();
}

static void test_verify_through(void)
{
    start_verify();
    CU_ASSERT_EQUAL(verify6(VTE, 0, NULL, 0), SCSI_GOOD);
    CHECK_POSITION(7);
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(verify6(VBF, 2, NULL, 0), SCSI_GOOD);
    CHECK_POSITION(7);
    rig_good(DRIVE, REWIND);
    verify6(VBF, 5, NULL, 0); /* there are two */
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CHECK_INFO(3);
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(verify6(VBF, 0, NULL, 0), SCSI_GOOD);
    CHECK_POSITION(0);
    rig_stop();
}

/* Compared with protection: checked, then compared with it. */
static void test_verify_compare(void)
{
    uint8_t *wire = protected_block(PROTECTION_RS_CRC, 1000, 0);
    uint8_t *other = protected_block(PROTECTION_RS_CRC, 1000, 9);

    start_verify();
    set_protection(PROTECTION_RS_CRC, true, true);
    CU_ASSERT_EQUAL(verify6(BYTCMP, 1004, wire, 1004), SCSI_GOOD);
    CHECK_POSITION(1);
    rig_good(DRIVE, REWIND);
    verify6(BYTCMP, 1004, other, 1004);
    CHECK_SENSE(KEY_MISCOMPARE, ASC_MISCOMPARE);
    free(wire);
    free(other);
    rig_stop();
}

/* ---- compression ----------------------------------------------------------------------------- */

/* Native bytes before the position, by log page 31h, in MiB left. */
static uint64_t used_after(uint32_t blocks)
{
    struct cartridge_position pos;
    struct scsi_drive_state state;
    struct error err = ERROR_INIT;

    rig_good(DRIVE, REWIND);
    for (uint32_t i = 0; i < blocks; i++)
        CU_ASSERT_EQUAL(write_block(65536, 7), SCSI_GOOD);
    CHECK_OK(scsi_target_drive_state(rig.target, 0, &state, &err), err);
    pos = state.position;
    return pos.used;
}

/* Both mode pages are one switch, each shows what the other did; capacity counts what is stored. */
static void test_compression_switch(void)
{
    static const struct {
        unsigned page, at;
        uint8_t value;
        bool on;
    } steps[] = {
        {0x0f, 2, 0x40, false},
        {0x10, 14, 1, true},
        {0x10, 14, 0, false},
        {0x0f, 2, 0xc0, true},
    };

    start_codec(CARTRIDGE_LZ4);
    CU_ASSERT(used_after(4) < 4096); /* on by default, as in a drive */
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        CU_ASSERT_EQUAL(
            mode_set(steps[i].page, 0, steps[i].at, steps[i].value, steps[i].at, steps[i].value),
            SCSI_GOOD);
        rig_cdb(rig.a, DRIVE, "1a 08 0f 00 ff 00", NULL, 0, 255);
        CU_ASSERT_EQUAL(!!(answer.in[4 + 2] & 0x80), steps[i].on);
        rig_cdb(rig.a, DRIVE, "1a 08 10 00 ff 00", NULL, 0, 255);
        CU_ASSERT_EQUAL(answer.in[4 + 14], steps[i].on);
        CU_ASSERT_EQUAL(used_after(4) < 4096, steps[i].on);
    }
    /* What was written compressed is read with compression off, too. */
    mode_set(0x0f, 0, 2, 0x40, 2, 0x40);
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(read_from(rig.a, 65536), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[65535], 7);
    rig_stop();
}

static uint64_t log_number(const uint8_t *page, size_t len, unsigned code)
{
    for (size_t at = 4; at + 4 <= len; at += 4u + page[at + 3]) {
        uint64_t v = 0;

        if (get_be16(page + at) != code)
            continue;
        for (unsigned i = 0; i < page[at + 3]; i++)
            v = v << 8 | page[at + 4 + i];
        return v;
    }
    return UINT64_MAX;
}

/* Log page 1Bh: what really was written and read, on both sides. */
static void test_compression_log(void)
{
    uint64_t ratio;

    start_codec(CARTRIDGE_LZ4);
    for (unsigned i = 0; i < 10; i++)
        write_pattern(rig.a, 500000, i);
    rig_good(DRIVE, REWIND);
    for (unsigned i = 0; i < 4; i++)
        check_pattern(rig.a, 500000, i);
    rig_cdb(rig.a, DRIVE, "4d 00 5b 00 00 00 00 02 00 00", NULL, 0, 512);
    CU_ASSERT_EQUAL(log_number(answer.in, answer.in_len, 6), 5); /* MB from the host */
    CU_ASSERT_EQUAL(log_number(answer.in, answer.in_len, 7), 0);
    CU_ASSERT_EQUAL(log_number(answer.in, answer.in_len, 2), 2);
    ratio = log_number(answer.in, answer.in_len, 1);
    CU_ASSERT(ratio > 1000); /* ten to one and better */
    CU_ASSERT_EQUAL(log_number(answer.in, answer.in_len, 8), 0);
    CU_ASSERT(log_number(answer.in, answer.in_len, 9) * ratio / 100 > 4900000);
    CU_ASSERT(log_number(answer.in, answer.in_len, 9) * ratio / 100 < 5100000);
    rig_stop();
}

/* Reset, the pages count on from nothing: the bytes beside the MB too, which must not go below it.
 */
static void test_compression_log_reset(void)
{
    start_codec(CARTRIDGE_LZ4);
    CU_ASSERT_EQUAL(mode_set(0x0f, 0, 2, 0x40, 2, 0x40), SCSI_GOOD); /* stored as it is */
    for (unsigned i = 0; i < 3; i++)
        write_pattern(rig.a, 500000, i);
    rig_cdb(rig.a, DRIVE, "4c 02 72 00 00 00 00 00 00 00", NULL, 0, 0); /* PCR */
    for (unsigned i = 0; i < 2; i++)
        write_pattern(rig.a, 300000, i);
    for (unsigned page = 0x1b; page <= 0x32; page += 0x32 - 0x1b) {
        uint8_t cdb[10] = {0x4d, 0, (uint8_t)(0x40 | page), 0, 0, 0, 0, 2};

        rig_send(rig.a, DRIVE, cdb, 10, NULL, 0, 512);
        for (unsigned code = 2; code < 6; code++) /* nothing was read */
            CU_ASSERT_EQUAL(log_number(answer.in, answer.in_len, code), 0);
        for (unsigned code = 6; code < 10; code += 2) {
            CU_ASSERT_EQUAL(log_number(answer.in, answer.in_len, code), 0);
            CU_ASSERT_EQUAL(log_number(answer.in, answer.in_len, code + 1), 600000);
        }
    }
    rig_stop();
}

/* Saved by one of the pages, it is off after a reset: the other has not kept it on. */
static void test_compression_saved(void)
{
    static const struct {
        unsigned page, at;
        uint8_t value;
    } off[] = {{0x0f, 2, 0x40}, {0x10, 14, 0}};
    const uint8_t lun[8] = {0, DRIVE};

    for (size_t i = 0; i < 2; i++) {
        uint8_t sense[6] = {0x1a, 0x08, (uint8_t)off[i].page, 0, 20};
        uint8_t select[6] = {0x15, 0x11, 0, 0, 20}, list[20]; /* SP */

        start_codec(CARTRIDGE_LZ4);
        rig_send(rig.a, DRIVE, sense, 6, NULL, 0, 20);
        memcpy(list, answer.in, 20);
        list[0] = 0;
        list[4] &= 0x7f;
        list[4 + off[i].at] = off[i].value;
        CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, select, 6, list, 20, 0), SCSI_GOOD);
        rig_good(DRIVE, TUR);
        scsi_target_manage(rig.target, rig.a, SCSI_TMF_LUN_RESET, lun, 0);
        rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
        rig_cdb(rig.a, DRIVE, "1a 08 0f 00 ff 00", NULL, 0, 255);
        CU_ASSERT_EQUAL(answer.in[4 + 2] & 0x80, 0);
        rig_cdb(rig.a, DRIVE, "1a 08 10 00 ff 00", NULL, 0, 255);
        CU_ASSERT_EQUAL(answer.in[4 + 14], 0);
        CU_ASSERT(used_after(4) >= 4 * 65536);
        rig_stop();
    }
}

/* Compressible and incompressible blocks in turn, of all sizes: each comes back. */
static void test_compression_mixture(void)
{
    static uint8_t data[300000];
    uint64_t x = 88172645463325252u;

    for (enum cartridge_compression m = CARTRIDGE_LZ4; m <= CARTRIDGE_ZSTD; m++) {
        start_codec(m);
        for (int pass = 0; pass < 2; pass++) {
            for (unsigned i = 0; i < 40; i++) {
                uint32_t len = 1 + i * i * 180;

                pattern(data, len, i);
                for (uint32_t k = 0; i % 3 && k < len; k++) {
                    x = x * 6364136223846793005u + 1442695040888963407u;
                    data[k] = (uint8_t)(x >> 56);
                }
                if (pass == 0) {
                    CU_ASSERT_EQUAL(write_wire(data, len), SCSI_GOOD);
                    continue;
                }
                CU_ASSERT_EQUAL(read_from(rig.a, len), SCSI_GOOD);
                CU_ASSERT_EQUAL_FATAL(answer.in_len, len);
                CU_ASSERT_EQUAL(memcmp(answer.in, data, len), 0);
            }
            rig_good(DRIVE, REWIND);
            x = 88172645463325252u;
        }
        rig_stop();
    }
}

/* Unbuffered mode: compressed, encrypted and protected blocks are on the medium with GOOD. */
static void test_unbuffered(void)
{
    uint8_t list[12] = {0, 0, 0x00, 8};

    start_codec(CARTRIDGE_LZ4);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 0c 00", list, 12, 0), SCSI_GOOD);
    set_key(rig.a, ALL, ENCRYPT, DECRYPT, "one");
    set_protection(PROTECTION_CRC32C, true, true);
    CU_ASSERT_EQUAL(write_protected(PROTECTION_CRC32C, 5000, 1), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "34 08 00 00 00 00 00 00 20 00", NULL, 0, 32);
    CU_ASSERT_EQUAL(get_be64(answer.in + 16), 1); /* nothing is left in the buffer */
    rig_good(DRIVE, REWIND);
    check_protected(PROTECTION_CRC32C, 5000, 1);
    rig_stop();
}

/* Blocks lost by the store are told by a deferred error; what was refused for its CRC is not among
 * them. */
static void test_deferred(void)
{
    uint8_t *wire = protected_block(PROTECTION_CRC32C, 5000, 1);

    start_codec(CARTRIDGE_LZ4);
    set_key(rig.a, ALL, ENCRYPT, DECRYPT, "one");
    set_protection(PROTECTION_CRC32C, true, true);
    CU_ASSERT_EQUAL(write_wire(wire, 5004), SCSI_GOOD);
    wire[0] ^= 1;
    write_wire(wire, 5004);
    CHECK_SENSE(KEY_HARDWARE_ERROR, ASC_GUARD_CHECK_FAILED);
    wire[0] ^= 1;
    CU_ASSERT_EQUAL(write_wire(wire, 5004), SCSI_GOOD);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, REWIND, NULL, 0, 0);
    rig_store_fault = 0;
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x71);
    CHECK_INFO(2);
    for (int i = 0; i < 2; i++) { /* they come back plain, and without protection */
        rig_cdb(rig.a, DRIVE, "14 00 00 13 8c 00", NULL, 0, 5004);
        CHECK_SENSE(KEY_NO_SENSE, ASC_NONE);
        CHECK_INFO(4);
        CU_ASSERT_EQUAL(answer.in_len, 5000);
        CU_ASSERT_EQUAL(memcmp(answer.in, wire, 5000), 0);
    }
    free(wire);
    rig_stop();
}

/* The block length of the mode parameters counts the protection, which is not recovered. */
static void test_recover_fixed(void)
{
    uint8_t *wire = protected_block(PROTECTION_CRC32C, 500, 1);

    start_codec(CARTRIDGE_LZ4);
    set_protection(PROTECTION_CRC32C, true, true);
    set_block_length(504);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "0a 01 00 00 01 00", wire, 504, 0), SCSI_GOOD);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, REWIND, NULL, 0, 0);
    rig_store_fault = 0;
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "14 01 00 00 02 00", NULL, 0, 1008), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 1000);
    CU_ASSERT_EQUAL(memcmp(answer.in + 500, wire, 500), 0);
    rig_cdb(rig.a, DRIVE, "14 01 00 00 02 00", NULL, 0, 1008);
    CHECK_SENSE(KEY_NO_SENSE, ASC_END_OF_DATA);
    CHECK_INFO(1);
    free(wire);
    rig_stop();
}

static const struct check_test tests[] = {
    {"page", test_page},
    {"guard_check", test_guard_check},
    {"wrong_method", test_wrong_method},
    {"too_short", test_too_short},
    {"fixed", test_fixed},
    {"all_ways", test_all_ways},
    {"incorrect_length", test_incorrect_length},
    {"reverse", test_reverse},
    {"verify_method", test_verify_method},
    {"verify_through", test_verify_through},
    {"verify_compare", test_verify_compare},
    {"compression_switch", test_compression_switch},
    {"compression_log", test_compression_log},
    {"compression_log_reset", test_compression_log_reset},
    {"compression_saved", test_compression_saved},
    {"compression_mixture", test_compression_mixture},
    {"recover_fixed", test_recover_fixed},
    {"unbuffered", test_unbuffered},
    {"deferred", test_deferred},
};

CHECK_MAIN("protection", tests)
