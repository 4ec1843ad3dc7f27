/* SPDX-License-Identifier: Apache-2.0 */
/* test_vpd.c - INQUIRY and its vital product data, byte by byte (SPC-5 6.6, 7.7, SSC-5 8.6). */
#include "common/checked.h"
#include "tests/unit/drive_rig.h"

static const uint8_t *vpd(unsigned lun, unsigned code)
{
    uint8_t cdb[6] = {0x12, 1, (uint8_t)code, 0x10, 0x00};

    CU_ASSERT_EQUAL(rig_send(rig.a, lun, cdb, 6, NULL, 0, 4096), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], lun == CHANGER ? 0x08 : 0x01);
    CU_ASSERT_EQUAL(answer.in[1], code);
    CU_ASSERT_EQUAL(answer.in_len, 4u + get_be16(answer.in + 2));
    return answer.in;
}

/* The designator of this association and type in page 83h; NULL: there is none. */
static const uint8_t *designator(unsigned association, unsigned type)
{
    for (size_t at = 4; at < answer.in_len; at += 4u + answer.in[at + 3]) {
        if ((answer.in[at + 1] & 0x3fu) == (association << 4 | type))
            return answer.in + at;
    }
    return NULL;
}

/* Page 00h names every page in rising order, itself first, and each of them answers. */
static void test_supported(void)
{
    static const uint8_t wanted[] = {0x00, 0x80, 0x83, 0x85, 0x86, 0x87};
    static const uint8_t of_drive[] = {0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xc0};

    rig_start();
    for (unsigned lun = CHANGER; lun <= DRIVE; lun++) {
        uint8_t codes[64];
        size_t count;

        vpd(lun, 0);
        count = answer.in_len - 4;
        memcpy(codes, answer.in + 4, count);
        for (size_t i = 0; i < sizeof(wanted); i++)
            CU_ASSERT_PTR_NOT_NULL(memchr(codes, wanted[i], count));
        for (size_t i = 0; lun == DRIVE && i < sizeof(of_drive); i++)
            CU_ASSERT_PTR_NOT_NULL(memchr(codes, of_drive[i], count));
        for (size_t i = 0; i < count; i++) {
            CU_ASSERT(i == 0 || codes[i] > codes[i - 1]);
            vpd(lun, codes[i]);
        }
    }
    rig_stop();
}

/* Each unit has an NAA of its own, the same after a power cycle; the port and the device are one.
 */
static void test_identification(void)
{
    uint64_t naa[2], port[2], again;

    rig_start();
    for (unsigned lun = DRIVE; lun <= SECOND; lun++) {
        const uint8_t *d;
        char name[24];

        vpd(lun, 0x83);
        d = designator(0, 1);
        CU_ASSERT_EQUAL(d[0], 2);
        CU_ASSERT_EQUAL(memcmp(d + 4, "IBM     ULT3580-TD8     ", 24), 0);
        CU_ASSERT_EQUAL(memcmp(d + 4 + 24, "CPRIG00001", 10), 0);
        d = designator(0, 3);
        CU_ASSERT_EQUAL(memcmp(d, "\1\3\0\10", 4), 0);
        naa[lun - 1] = get_be64(d + 4);
        CU_ASSERT_EQUAL(naa[lun - 1] >> 60, 3);
        CU_ASSERT_EQUAL(memcmp(designator(1, 4), "\1\24\0\4\0\0\0\1", 8), 0);
        port[lun - 1] = get_be64(designator(1, 3) + 4);
        d = designator(0, 8);
        CU_ASSERT_EQUAL(d[0], 3);
        CU_ASSERT_EQUAL(d[3], 24);
        memset(name, 0, sizeof(name));
        snprintf(name, sizeof(name), "naa.%016llX", (unsigned long long)naa[lun - 1]);
        CU_ASSERT_EQUAL(memcmp(d + 4, name, 24), 0);
        CU_ASSERT_PTR_NOT_NULL(designator(2, 8));
    }
    CU_ASSERT_NOT_EQUAL(naa[0], naa[1]);
    CU_ASSERT_EQUAL(port[0], port[1]);
    rig_restart();
    vpd(DRIVE, 0x83);
    again = get_be64(designator(0, 3) + 4);
    CU_ASSERT_EQUAL(again, naa[0]);
    rig_stop();
}

static void test_fixed_pages(void)
{
    static const uint8_t policy[8] = {1, 0x87, 0, 4, 0x3f, 0xff, 0, 0};
    static const uint8_t protection[16] = {1, 0xb5, 0,    12,   0, 0, 0, 0,
                                           3, 1,    0x04, 0xc0, 3, 2, 4, 0xc0};

    rig_start();
    CU_ASSERT_EQUAL(memcmp(vpd(DRIVE, 0x87), policy, 8), 0);
    CU_ASSERT_EQUAL(memcmp(vpd(DRIVE, 0xb5), protection, 16), 0);
    CU_ASSERT_EQUAL(get_be16(vpd(DRIVE, 0x86) + 2), 60);
    CU_ASSERT_EQUAL(answer.in[5], 0x01);
    CU_ASSERT_EQUAL(answer.in[13], 64);
    CU_ASSERT_EQUAL(get_be16(vpd(DRIVE, 0x85) + 2), 0);
    CU_ASSERT_EQUAL(get_be16(vpd(DRIVE, 0xb2) + 2), 8);
    CU_ASSERT_EQUAL(answer.in[4] & 0x2c, 0x2c); /* TapeAlert 3, 5, 6 */
    CU_ASSERT_EQUAL(get_be32(vpd(DRIVE, 0xb4) + 4), DRIVE_AT(0));
    rig_stop();
}

/* Each refusal says where; the allocation length cuts and changes nothing. */
static void test_errors(void)
{
    uint8_t whole[96];

    rig_start();
    rig_cdb(rig.a, DRIVE, "12 01 77 00 ff 00", NULL, 0, 255);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(memcmp(answer.sense + 15, "\xcf\0\2", 3), 0);
    rig_cdb(rig.a, DRIVE, "12 00 80 00 ff 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(memcmp(answer.sense + 15, "\xcf\0\2", 3), 0);
    rig_cdb(rig.a, DRIVE, "12 02 00 00 ff 00", NULL, 0, 255); /* CMDDT is long gone */
    CU_ASSERT_EQUAL(memcmp(answer.sense + 15, "\xc9\0\1", 3), 0);
    rig_cdb(rig.a, DRIVE, "12 00 00 00 60 00", NULL, 0, 96);
    CU_ASSERT_EQUAL(answer.in_len, 96);
    memcpy(whole, answer.in, 96);
    CU_ASSERT_EQUAL(whole[4], 91);
    CU_ASSERT_EQUAL(whole[7] & 2, 2); /* CMDQUE */
    for (uint8_t len = 0; len < 96; len++) {
        uint8_t cdb[6] = {0x12, 0, 0, 0, len};

        CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 6, NULL, 0, len), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in_len, len);
        CU_ASSERT_EQUAL(memcmp(answer.in, whole, len), 0);
    }
    rig_stop();
}

static const struct check_test tests[] = {
    {"supported", test_supported},
    {"identification", test_identification},
    {"fixed_pages", test_fixed_pages},
    {"errors", test_errors},
};

CHECK_MAIN("vpd", tests)
