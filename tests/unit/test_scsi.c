/* SPDX-License-Identifier: Apache-2.0 */
/* test_scsi.c - what all logical units do: INQUIRY, attentions, reservations, CDB rules, tasks. */
#include <unistd.h>

#include "common/bytes.h"
#include "tests/unit/check.h"
#include "tests/unit/scsi_rig.h"
#include "vtl/scsi/internal.h"

#define TUR "00 00 00 00 00 00"

static struct error err;

/* ---- identity -------------------------------------------------------------------------------- */

static void test_inquiry(void)
{
    rig_start();
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "12 00 00 00 60 00", NULL, 0, 96), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 96);
    CU_ASSERT_EQUAL(answer.in[0], 0x01);
    CU_ASSERT_EQUAL(answer.in[1], 0x80);
    CU_ASSERT_EQUAL(answer.in[4], 91);
    CU_ASSERT_EQUAL(memcmp(answer.in + 8, "IBM     ULT3580-TD8     HB83", 28), 0);
    rig_cdb(rig.a, CHANGER, "12 00 00 00 24 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(answer.in_len, 36);
    CU_ASSERT_EQUAL(answer.in[0], 0x08);
    CU_ASSERT_EQUAL(memcmp(answer.in + 8, "IBM     3573-TL         ", 24), 0);
    /* a page code without EVPD; CMDDT; an unknown page */
    rig_cdb(rig.a, DRIVE, "12 00 80 00 60 00", NULL, 0, 96);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "12 02 00 00 60 00", NULL, 0, 96);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "12 01 c7 00 60 00", NULL, 0, 96);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(answer.sense[15] & 0xc0, 0xc0); /* SKSV, in the CDB */
    CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 2);
    rig_stop();
}

/* Each page listed in 00h answers, names itself and has the length it says. */
static void test_vpd(void)
{
    for (unsigned lun = 0; lun < 2; lun++) {
        uint8_t pages[64];
        unsigned count;

        rig_start();
        rig_cdb(rig.a, lun, "12 01 00 00 ff 00", NULL, 0, 255);
        count = get_be16(answer.in + 2);
        CU_ASSERT_EQUAL_FATAL(answer.in_len, 4 + count);
        memcpy(pages, answer.in + 4, count);
        CU_ASSERT(count >= 4);
        for (unsigned i = 0; i < count; i++) {
            uint8_t cdb[6] = {0x12, 0x01, pages[i], 0x01, 0x00, 0};

            CU_ASSERT(i == 0 || pages[i] > pages[i - 1]);
            CU_ASSERT_EQUAL(rig_send(rig.a, lun, cdb, 6, NULL, 0, 256), SCSI_GOOD);
            CU_ASSERT_EQUAL(answer.in[1], pages[i]);
            CU_ASSERT_EQUAL(answer.in_len, 4u + get_be16(answer.in + 2));
        }
        rig_stop();
    }
}

/* Row 22, 23: serials and names differ between units, and stay over a restart. */
static void test_names(void)
{
    uint8_t names[3][256], again[256];
    size_t lens[3];

    rig_start();
    for (unsigned lun = 0; lun < 3; lun++) {
        rig_cdb(rig.a, lun, "12 01 83 00 ff 00", NULL, 0, 255);
        memcpy(names[lun], answer.in, answer.in_len);
        lens[lun] = answer.in_len;
    }
    CU_ASSERT_NOT_EQUAL(memcmp(names[1], names[2], lens[1]), 0);
    rig_cdb(rig.a, DRIVE, "12 01 80 00 ff 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 12);
    CU_ASSERT_EQUAL(memcmp(answer.in + 4, "CPRIG0000101", 12), 0);
    /* T10 designator: vendor, product, the same serial */
    CU_ASSERT_EQUAL(memcmp(names[1] + 8, "IBM     ULT3580-TD8     CPRIG0000101", 36), 0);
    CU_ASSERT_EQUAL(names[1][4 + 4 + 36 + 1] & 0x0f, 3); /* NAA */
    CU_ASSERT_EQUAL(names[1][4 + 4 + 36 + 4] >> 4, 3);   /* locally assigned */
    rig_restart();
    rig_cdb(rig.a, DRIVE, "12 01 83 00 ff 00", NULL, 0, 255);
    memcpy(again, answer.in, answer.in_len);
    CU_ASSERT_EQUAL(memcmp(again, names[1], lens[1]), 0);
    rig_stop();
}

static void test_report_luns(void)
{
    rig_start();
    rig_cdb(rig.a, CHANGER, "a0 00 00 00 00 00 00 00 01 00 00 00", NULL, 0, 256);
    CU_ASSERT_EQUAL(answer.in_len, 8 + 3 * 8);
    CU_ASSERT_EQUAL(get_be32(answer.in), 24);
    CU_ASSERT_EQUAL(answer.in[8 + 8 + 1], 1);
    rig_cdb(rig.a, CHANGER, "a0 00 01 00 00 00 00 00 01 00 00 00", NULL, 0, 256);
    CU_ASSERT_EQUAL(answer.in_len, 8);
    rig_cdb(rig.a, CHANGER, "a0 00 33 00 00 00 00 00 01 00 00 00", NULL, 0, 256);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

static void test_no_such_lun(void)
{
    rig_start();
    CU_ASSERT_EQUAL(rig_cdb(rig.a, 77, "12 00 00 00 60 00", NULL, 0, 96), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 0x7f);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, 77, "a0 00 00 00 00 00 00 00 01 00 00 00", NULL, 0, 256),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be32(answer.in), 24);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, 77, "03 00 00 00 12 00", NULL, 0, 18), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[2], KEY_ILLEGAL_REQUEST);
    CU_ASSERT_EQUAL(get_be16(answer.in + 12), ASC_NO_LOGICAL_UNIT);
    rig_cdb(rig.a, 77, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_NO_LOGICAL_UNIT);
    rig_stop();
}

static void test_lun_addressing(void)
{
    static const struct {
        uint8_t lun[8];
        int number; /* -1: none */
    } cases[] = {
        {{0x00, 0x01}, 1},     {{0x40, 0x01}, 1},  {{0x40, 0x03}, -1},
        {{0x01, 0x01}, -1},    {{0x80, 0x01}, -1}, {{0xc1, 0x01}, -1},
        {{0x00, 0x01, 1}, -1}, {{0x7f, 0xff}, -1}, {{0, 1, 0, 0, 0, 0, 0, 1}, -1},
    };

    rig_start();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct scsi_lu *lu = nexus_lu(rig.a, cases[i].lun);

        CU_ASSERT_EQUAL(lu ? (int)lu->lun : -1, cases[i].number);
    }
    rig_stop();
}

/* ---- attentions (row 14) --------------------------------------------------------------------- */

static void test_power_on_attention(void)
{
    struct scsi_nexus *n;

    rig_start();
    CHECK_OK(scsi_nexus_create(rig.target, "new", &n, &err), err);
    /* INQUIRY and REPORT LUNS neither report nor clear it */
    CU_ASSERT_EQUAL(rig_cdb(n, CHANGER, "12 00 00 00 60 00", NULL, 0, 96), SCSI_GOOD);
    CU_ASSERT_EQUAL(rig_cdb(n, CHANGER, "a0 00 00 00 00 00 00 00 01 00 00 00", NULL, 0, 256),
                    SCSI_GOOD);
    rig_cdb(n, CHANGER, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_POWER_ON);
    CU_ASSERT_EQUAL(rig_cdb(n, CHANGER, TUR, NULL, 0, 0), SCSI_GOOD);
    /* REQUEST SENSE returns it and clears it */
    CU_ASSERT_EQUAL(rig_cdb(n, DRIVE, "03 00 00 00 12 00", NULL, 0, 18), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[2], KEY_UNIT_ATTENTION);
    CU_ASSERT_EQUAL(get_be16(answer.in + 12), ASC_POWER_ON);
    rig_cdb(n, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, CHANGER, TUR, NULL, 0, 0), SCSI_GOOD); /* nobody else's */
    scsi_nexus_destroy(n);
    rig_stop();
}

static void test_medium_attention_once_each(void)
{
    rig_start();
    CHECK_OK(scsi_target_move(rig.target, SLOT(0), DRIVE_AT(0), &err), err);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    rig_good(DRIVE, TUR);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    rig_stop();
}

static void test_mode_attention(void)
{
    static const uint8_t list[12] = {0, 0, 0x10, 8, 0, 0, 0, 0, 0, 0, 2, 0}; /* 512-byte blocks */

    rig_start();
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 0c 00", list, 12, 0), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, "03 00 00 00 12 00", NULL, 0, 18);
    CU_ASSERT_EQUAL(get_be16(answer.in + 12), ASC_MODE_CHANGED);
    rig_cdb(rig.a, DRIVE, "03 00 00 00 12 00", NULL, 0, 18);
    CU_ASSERT_EQUAL(get_be16(answer.in + 12), ASC_NO_MEDIUM);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 0c 00", list, 12, 0), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, "03 00 00 00 12 00", NULL, 0, 18); /* nothing changed: nothing to say */
    CU_ASSERT_EQUAL(get_be16(answer.in + 12), ASC_NO_MEDIUM);
    rig_stop();
}

/* ---- reservations ---------------------------------------------------------------------------- */

static void test_reserve(void)
{
    static const char *const shared[] = {
        "12 00 00 00 00 00",
        "03 00 00 00 00 00",
        "17 00 00 00 00 00",
        "05 00 00 00 00 00",
        "a0 00 00 00 00 00 00 00 00 00 00 00",
        "4d 00 40 00 00 00 00 00 00 00",
        "57 00 00 00 00 00 00 00 00 00",
        "a3 0c 00 00 00 00 00 00 00 00 00 00",
        "1e 00 00 00 00 00",
    };
    static const char *const conflicting[] = {
        TUR,
        "01 00 00 00 00 00",
        "08 00 00 00 00 00",
        "0a 00 00 00 00 00",
        "16 00 00 00 00 00",
        "1a 00 00 00 00 00",
        "56 00 00 00 00 00 00 00 00 00",
        "1b 00 00 00 01 00",
        "1e 00 00 00 01 00",
    };

    rig_start();
    rig_load(0);
    rig_good(DRIVE, "16 00 00 00 00 00");
    rig_good(DRIVE, "16 00 00 00 00 00"); /* again by the same nexus: fine */
    rig_good(DRIVE, TUR);
    for (size_t i = 0; i < ARRAY_LENGTH(shared); i++)
        CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, shared[i], NULL, 0, 0), SCSI_GOOD);
    for (size_t i = 0; i < ARRAY_LENGTH(conflicting); i++)
        CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, conflicting[i], NULL, 0, 0),
                        SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, SECOND, "16 00 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    rig_good(DRIVE, "57 00 00 00 00 00 00 00 00 00");
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "16 00 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    scsi_nexus_destroy(rig.b); /* nexus loss frees it */
    rig.b = NULL;
    rig_good(DRIVE, "16 00 00 00 00 00");
    rig_cdb(rig.a, DRIVE, "16 10 00 00 00 00", NULL, 0, 0); /* third party */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

/* ---- CDBs ------------------------------------------------------------------------------------ */

static void test_cdb_rules(void)
{
    rig_start();
    rig_load(0);
    rig_cdb(rig.a, DRIVE, "02 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
    rig_cdb(rig.a, DRIVE, "52 00 00 00 00 00 00 00 08 00", NULL, 0, 8);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
    rig_cdb(rig.a, DRIVE, "83 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
    rig_cdb(rig.a, DRIVE, "a3 1b 00 00 00 00 00 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    /* a reserved bit: named by the field pointer */
    rig_cdb(rig.a, DRIVE, "00 00 00 10 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(answer.sense[15], 0xc8 | 4);
    CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 3);
    rig_cdb(rig.a, DRIVE, "00 00 00 00 00 04", NULL, 0, 0); /* NACA */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_good(DRIVE, "00 00 00 00 00 c0"); /* the vendor's bits */
    rig_stop();
}

/* Every opcode 00h..FFh with hostile bytes, on each unit: an answer, and the unit lives on. */
static void test_all_opcodes(void)
{
    static const uint8_t fill[] = {0x00, 0xff, 0x01, 0x80, 0x7f};
    static uint8_t out[70000];

    rig_start();
    rig_load(0);
    for (unsigned lun = 0; lun < 3; lun++) {
        for (unsigned op = 0; op < 256; op++) {
            for (size_t f = 0; f < sizeof(fill); f++) {
                uint8_t cdb[16];

                memset(cdb, fill[f], sizeof(cdb));
                cdb[0] = (uint8_t)op;
                for (unsigned action = 0; action < 32; action += f ? 32 : 1) {
                    if (f == 0)
                        cdb[1] = (uint8_t)action;
                    rig_send(rig.a, lun, cdb, sizeof(cdb), out, op == 0x0a ? 10 : sizeof(out), 300);
                }
            }
        }
    }
    CU_ASSERT_EQUAL(rig_cdb(rig.a, CHANGER, "12 00 00 00 60 00", NULL, 0, 96), SCSI_GOOD);
    rig_stop();
}

/* Allocation lengths 0..255 and exact rooms, for every command that returns data. */
static void test_allocation_lengths(void)
{
    static const struct {
        const char *cdb;
        unsigned length_at; /* byte of the CDB with the low byte of the allocation length */
    } cases[] = {
        {"12 00 00 00 00 00", 4},
        {"12 01 00 00 00 00", 4},
        {"12 01 80 00 00 00", 4},
        {"12 01 83 00 00 00", 4},
        {"12 01 b2 00 00 00", 4},
        {"03 00 00 00 00 00", 4},
        {"03 01 00 00 00 00", 4},
        {"1a 00 3f 00 00 00", 4},
        {"1a 00 3f ff 00 00", 4},
        {"5a 00 3f 00 00 00 00 00 00 00", 8},
        {"4d 00 40 00 00 00 00 00 00 00", 8},
        {"4d 00 40 ff 00 00 00 00 00 00", 8},
        {"4d 00 6e 00 00 00 00 00 00 00", 8},
        {"4d 00 4c 00 00 00 00 00 00 00", 8},
        {"a0 00 00 00 00 00 00 00 00 00 00 00", 9},
        {"a3 0c 00 00 00 00 00 00 00 00 00 00", 9},
        {"a3 0c 80 00 00 00 00 00 00 00 00 00", 9},
        {"a3 0c 81 12 00 00 00 00 00 00 00 00", 9},
        {"a3 0d 80 00 00 00 00 00 00 00 00 00", 9},
        {"44 00 00 00 00 00 00 00 00 00", 8},
        {"44 02 00 00 00 00 00 00 00 00", 8},
        {"34 08 00 00 00 00 00 00 00 00", 8},
        {"8c 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", 13},
        {"8c 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00", 13},
        {"b8 10 00 00 ff ff 01 00 00 00 00 00", 9},
        {"b8 00 00 00 ff ff 00 00 00 00 00 00", 9},
        {"3c 03 00 00 00 00 00 00 00 00", 8},
    };

    rig_start();
    rig_load(0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        unsigned lun = cases[i].cdb[0] == 'b' ? CHANGER : DRIVE;

        for (unsigned length = 0; length < 256; length++) {
            uint8_t cdb[16] = {0};
            uint8_t whole[256];
            size_t n = 0;

            for (const char *p = cases[i].cdb; *p; p += p[2] ? 3 : 2)
                cdb[n++] = (uint8_t)strtoul(p, NULL, 16);
            cdb[cases[i].length_at] = 0xff;
            CU_ASSERT_EQUAL(rig_send(rig.a, lun, cdb, n, NULL, 0, 255), SCSI_GOOD);
            memcpy(whole, answer.in, 255);
            cdb[cases[i].length_at] = (uint8_t)length;
            CU_ASSERT_EQUAL(rig_send(rig.a, lun, cdb, n, NULL, 0, length), SCSI_GOOD);
            CU_ASSERT(answer.in_want <= length);
            CU_ASSERT_EQUAL(answer.in_len, answer.in_want);
            CU_ASSERT_EQUAL(memcmp(answer.in, whole, answer.in_len), 0);
            /* the transport has less room than the CDB says */
            rig_send(rig.a, lun, cdb, n, NULL, 0, length / 2);
            CU_ASSERT(answer.in_len <= length / 2);
            if (cdb[0] == 0x4d && length % 16 != 0)
                length += 15; /* TapeAlert is long; that is enough */
        }
    }
    rig_stop();
}

/* REPORT SUPPORTED OPERATION CODES is the table: what it says is supported is, and nothing else. */
static void test_report_opcodes(void)
{
    for (unsigned lun = 0; lun < 2; lun++) {
        unsigned listed = 0;

        rig_start();
        rig_load(0);
        for (unsigned op = 0; op < 256; op++) {
            uint8_t ask[12] = {0xa3, 0x0c, 0x81, (uint8_t)op, 0, 0, 0, 0, 1, 0};
            uint8_t cdb[16] = {(uint8_t)op};
            bool supported, known;

            if (rig_send(rig.a, lun, ask, 12, NULL, 0, 256) != SCSI_GOOD) {
                CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB); /* service actions */
                listed++;
                continue;
            }
            supported = (answer.in[1] & 7) == 3;
            listed += supported;
            if (supported) {
                unsigned size = get_be16(answer.in + 2);

                CU_ASSERT(size == 6 || size == 10 || size == 12 || size == 16);
                CU_ASSERT_EQUAL(answer.in[4], op);
                CU_ASSERT_EQUAL(answer.in[1] & 0x80, 0x80); /* CTDP */
                CU_ASSERT_EQUAL(get_be16(answer.in + 4 + size), 0x0a);
                CU_ASSERT(get_be32(answer.in + 4 + size + 8) > 0);
                CU_ASSERT_EQUAL(answer.in_len, 4 + size + 12);
            }
            rig_send(rig.a, lun, cdb, 16, NULL, 0, 256);
            known = !(answer.status == SCSI_CHECK_CONDITION &&
                      get_be16(answer.sense + 12) == ASC_INVALID_OPCODE);
            CU_ASSERT_EQUAL(known, supported);
            if (op == 0x1b) /* that unloaded it */
                rig_cdb(rig.a, lun, "1b 00 00 00 01 00", NULL, 0, 0);
            rig_cdb(rig.a, lun, TUR, NULL, 0, 0);
        }
        rig_cdb(rig.a, lun, "a3 0c 00 00 00 00 00 00 20 00 00 00", NULL, 0, 8192);
        CU_ASSERT_EQUAL(get_be32(answer.in) + 4, answer.in_len);
        CU_ASSERT(get_be32(answer.in) / 8 >= listed);
        rig_cdb(rig.a, lun, "a3 0c 02 a3 00 0c 00 00 01 00 00 00", NULL, 0, 256);
        CU_ASSERT_EQUAL(answer.in[1] & 7, 3);
        CU_ASSERT_EQUAL(answer.in[5], 0x0c);
        rig_cdb(rig.a, lun, "a3 0c 02 12 00 00 00 00 01 00 00 00", NULL, 0, 256);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
        rig_cdb(rig.a, lun, "a3 0c 03 a3 00 1b 00 00 01 00 00 00", NULL, 0, 256);
        CU_ASSERT_EQUAL(answer.in[1] & 7, 1);
        rig_stop();
    }
}

/* ---- mode and log ---------------------------------------------------------------------------- */

/* Every page of 3Fh can be written back unchanged, alone and all together, by 6 and by 10. */
static void test_mode_round_trip(void)
{
    for (unsigned lun = 0; lun < 2; lun++) {
        uint8_t list[1024], cdb[10] = {0x55, 0x10};
        size_t len;

        rig_start();
        rig_load(0);
        rig_cdb(rig.a, lun, "5a 00 3f 00 00 00 00 04 00 00", NULL, 0, 1024);
        len = answer.in_len;
        CU_ASSERT_EQUAL(get_be16(answer.in) + 2u, len);
        memcpy(list, answer.in, len);
        put_be16(cdb + 7, (uint16_t)len);
        CU_ASSERT_EQUAL(rig_send(rig.a, lun, cdb, 10, list, len, 0), SCSI_GOOD);
        rig_cdb(rig.b, lun, TUR, NULL, 0, 0); /* nothing changed */
        CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
        for (size_t cut = 1; cut < len; cut++) { /* never out of bounds, never half applied */
            uint8_t *exact = malloc(cut);

            memcpy(exact, list, cut);
            put_be16(cdb + 7, (uint16_t)cut);
            rig_send(rig.a, lun, cdb, 10, exact, cut, 0);
            free(exact);
        }
        rig_cdb(rig.b, lun, TUR, NULL, 0, 0);
        CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
        rig_stop();
    }
}

static void test_mode_select_refusals(void)
{
    static const struct {
        uint8_t list[24];
        unsigned len, code;
    } cases[] = {
        {{0, 0, 0}, 3, ASC_LIST_LENGTH_ERROR},
        {{0, 0, 0x10, 8, 0, 0}, 6, ASC_LIST_LENGTH_ERROR},
        {{0, 0, 0x10, 16}, 4, ASC_INVALID_FIELD_IN_LIST},
        {{0, 0, 0x20, 0}, 4, ASC_INVALID_FIELD_IN_LIST},
        {{0, 0, 0x15, 0}, 4, ASC_INVALID_FIELD_IN_LIST},
        {{0, 0, 0x10, 8, 0x44}, 12, ASC_INVALID_FIELD_IN_LIST},            /* density */
        {{0, 0, 0x10, 0, 0x3e, 0x02, 0, 0}, 8, ASC_INVALID_FIELD_IN_LIST}, /* no such page */
        {{0, 0, 0x10, 0, 0x0f, 0xff, 0, 0}, 8, ASC_INVALID_FIELD_IN_LIST}, /* length beyond list */
        {{0, 0, 0x10, 0, 0x0f, 0x0e, 0x80}, 7, ASC_LIST_LENGTH_ERROR},
        {{0, 0, 0x10, 0, 0x0f}, 5, ASC_LIST_LENGTH_ERROR},
        {{0, 0, 0x10, 0, 0x18, 0x06, 0x06, 0, 0, 0, 0, 0},
         12,
         ASC_INVALID_FIELD_IN_LIST}, /* not changeable */
    };

    rig_start();
    rig_load(0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint8_t cdb[6] = {0x15, 0x10, 0, 0, (uint8_t)cases[i].len, 0};
        uint8_t *exact = malloc(cases[i].len);

        memcpy(exact, cases[i].list, cases[i].len);
        rig_send(rig.a, DRIVE, cdb, 6, exact, cases[i].len, 0);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, cases[i].code);
        free(exact);
    }
    rig_cdb(rig.a, DRIVE, "15 10 00 00 0c 00", "\0\0\0", 4, 0); /* transport brought less */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    rig_cdb(rig.a, DRIVE, "1a 00 33 00 ff 00", NULL, 0, 255);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

/* Defaults, current and changeable values; D_SENSE turns sense into descriptors. */
static void test_mode_page_controls(void)
{
    uint8_t list[16] = {0, 0, 0x10, 0};

    rig_start();
    rig_cdb(rig.a, DRIVE, "1a 08 4a 00 ff 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(answer.in[4 + 2], 0x05);
    rig_cdb(rig.a, DRIVE, "1a 08 0a 00 ff 00", NULL, 0, 255);
    memcpy(list + 4, answer.in + 4, 12);
    list[4 + 2] |= 0x04;
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 10 00", list, 16, 0), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "08 00 00 00 10 00", NULL, 0, 16);
    CU_ASSERT_EQUAL(answer.sense[0], 0x72);
    CU_ASSERT_EQUAL(answer.sense[1], KEY_NOT_READY);
    CU_ASSERT_EQUAL(get_be16(answer.sense + 2), ASC_NO_MEDIUM);
    rig_cdb(rig.a, DRIVE, "1a 08 8a 00 ff 00", NULL, 0, 255); /* default */
    CU_ASSERT_EQUAL(answer.in[4 + 2], 0x00);
    CU_ASSERT_EQUAL(
        scsi_target_manage(rig.target, rig.a, SCSI_TMF_LUN_RESET, (const uint8_t[8]){0, DRIVE}, 0),
        SCSI_TMF_COMPLETE);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_DEVICE_RESET); /* fixed format again */
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_DEVICE_RESET);
    rig_stop();
}

/* Each page that 00h lists answers with whole parameters; counters are true and can be reset. */
static void test_log(void)
{
    uint8_t pages[32], data[100] = {1};
    unsigned count;

    rig_start();
    rig_load(0);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "0a 00 00 00 64 00", data, 100, 0), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "4d 00 40 00 00 00 00 00 ff 00", NULL, 0, 255);
    count = get_be16(answer.in + 2);
    memcpy(pages, answer.in + 4, count);
    CU_ASSERT(count >= 6);
    for (unsigned i = 1; i < count; i++) {
        uint8_t cdb[10] = {0x4d, 0, (uint8_t)(0x40 | pages[i]), 0, 0, 0, 0, 0x10, 0, 0};
        size_t at = 4;

        CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 10, NULL, 0, 4096), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in[0], pages[i]);
        CU_ASSERT_EQUAL(answer.in_len, 4u + get_be16(answer.in + 2));
        while (at < answer.in_len)
            at += 4u + answer.in[at + 3];
        CU_ASSERT_EQUAL(at, answer.in_len);
    }
    rig_cdb(rig.a, DRIVE, "4d 00 4c 00 00 00 00 10 00 00", NULL, 0, 4096);
    CU_ASSERT_EQUAL(get_be64(answer.in + 8), 100);
    rig_cdb(rig.a, DRIVE, "4d 00 4c 00 00 00 02 10 00 00", NULL, 0, 4096); /* from parameter 2 */
    CU_ASSERT_EQUAL(get_be16(answer.in + 4), 2);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "4c 02 4c 00 00 00 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_LOG_CHANGED);
    rig_cdb(rig.a, DRIVE, "4d 00 4c 00 00 00 00 10 00 00", NULL, 0, 4096);
    CU_ASSERT_EQUAL(get_be64(answer.in + 8), 0);
    rig_cdb(rig.a, DRIVE, "4d 00 7f 00 00 00 00 10 00 00", NULL, 0, 4096);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "4d 00 4c 01 00 00 00 10 00 00", NULL, 0, 4096);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "4d 00 4c 00 00 ff ff 10 00 00", NULL, 0, 4096);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

/* A host's clock is kept, for this unit, without touching the machine's. */
static void test_timestamp(void)
{
    uint8_t list[12] = {0, 0, 0, 0, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06};
    uint64_t first;

    rig_start();
    rig_cdb(rig.a, DRIVE, "a3 0f 00 00 00 00 00 00 00 0c 00 00", NULL, 0, 12);
    CU_ASSERT_EQUAL(answer.in_len, 12);
    CU_ASSERT_EQUAL(answer.in[2], 3);
    first = get_be64(answer.in + 2) & 0xffffffffffff;
    CU_ASSERT(first > 1600000000000);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "a4 0f 00 00 00 00 00 00 00 0c 00 00", list, 12, 0),
                    SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "a3 0f 00 00 00 00 00 00 00 0c 00 00", NULL, 0, 12);
    CU_ASSERT_EQUAL(answer.in[2], 2);
    CU_ASSERT((get_be64(answer.in + 2) & 0xffffffffffff) - 0x010203040506 < 60000);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_TIMESTAMP_CHANGED);
    rig_cdb(rig.a, DRIVE, "a4 0f 00 00 00 00 00 00 00 04 00 00", list, 4, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    rig_stop();
}

/* ---- task management ------------------------------------------------------------------------- */

static int aborted, finished;
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;

static void count_done(struct scsi_task *task)
{
    pthread_mutex_lock(&count_lock);
    if (task->status == SCSI_TASK_ABORTED)
        aborted++;
    else
        finished++;
    pthread_mutex_unlock(&count_lock);
}

static struct scsi_task *queue_writes(struct scsi_nexus *nexus, unsigned count)
{
    static uint8_t data[65536];
    struct scsi_task *tasks = calloc(count, sizeof(*tasks));

    aborted = finished = 0;
    for (unsigned i = 0; i < count; i++) {
        tasks[i] = (struct scsi_task){.nexus = nexus,
                                      .lun = {0, DRIVE},
                                      .cdb = {0x0a, 0, 1, 0, 0, 0},
                                      .cdb_len = 6,
                                      .out = data,
                                      .out_len = 65536,
                                      .tag = i,
                                      .done = count_done};
        scsi_target_submit(rig.target, &tasks[i]);
    }
    return tasks;
}

static void test_task_management(void)
{
    static const uint8_t lun[8] = {0, DRIVE}, none[8] = {0, 99};
    struct scsi_task *tasks;

    rig_start();
    rig_load(1);
    tasks = queue_writes(rig.a, 64);
    CU_ASSERT_EQUAL(scsi_target_manage(rig.target, rig.a, SCSI_TMF_ABORT_TASK_SET, lun, 0),
                    SCSI_TMF_COMPLETE);
    CU_ASSERT_EQUAL(aborted + finished, 64); /* all done when it returns */
    free(tasks);
    tasks = queue_writes(rig.a, 64);
    CU_ASSERT_EQUAL(scsi_target_manage(rig.target, rig.b, SCSI_TMF_ABORT_TASK, lun, 63),
                    SCSI_TMF_NO_TASK); /* another nexus' tag */
    scsi_target_manage(rig.target, rig.a, SCSI_TMF_ABORT_TASK, lun, 63);
    scsi_target_manage(rig.target, rig.b, SCSI_TMF_CLEAR_TASK_SET, lun, 0);
    CU_ASSERT_EQUAL(aborted + finished, 64);
    free(tasks);
    CU_ASSERT_EQUAL(scsi_target_manage(rig.target, rig.a, SCSI_TMF_LUN_RESET, none, 0),
                    SCSI_TMF_NO_LUN);
    rig_good(DRIVE, "16 00 00 00 00 00");
    rig_good(DRIVE, "1e 00 00 00 01 00");
    tasks = queue_writes(rig.a, 16);
    CU_ASSERT_EQUAL(scsi_target_manage(rig.target, rig.b, SCSI_TMF_TARGET_RESET, lun, 0),
                    SCSI_TMF_COMPLETE);
    CU_ASSERT_EQUAL(aborted + finished, 16);
    free(tasks);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_DEVICE_RESET);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD); /* no reservation left */
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "1b 00 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    tasks = queue_writes(rig.a, 32);
    scsi_nexus_destroy(rig.a); /* waits for its tasks */
    rig.a = NULL;
    CU_ASSERT_EQUAL(aborted + finished, 32);
    free(tasks);
    rig_stop();
}

/* ---- everybody at once ----------------------------------------------------------------------- */

struct client {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool finished;
};

static void client_done(struct scsi_task *task)
{
    struct client *c = task->transport;

    pthread_mutex_lock(&c->lock);
    c->finished = true;
    pthread_cond_signal(&c->done);
    pthread_mutex_unlock(&c->lock);
}

/* A session that comes, works on a drive and the changer, and goes; again and again. */
static void *client_main(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    static const uint8_t cdbs[][12] = {
        {0x0a, 0, 0, 2, 0, 0},
        {0x10, 0, 0, 0, 1, 0},
        {0x01},
        {0x08, 2, 0, 2, 0, 0},
        {0x00},
        {0x16},
        {0x17},
        {0x1e, 0, 0, 0, 1},
        {0x1e},
        {0xb8, 0x10, 0, 0, 0xff, 0xff, 1, 0, 2, 0},
        {0xa5, 0, 0, 0, 4, 0, 1, 0},
        {0xa5, 0, 0, 0, 1, 0, 4, 0},
        {0x4d, 0, 0x6e, 0, 0, 0, 0, 2, 0},
    };
    struct client c = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

    for (int session = 0; session < 8; session++) {
        struct scsi_nexus *n;

        if (scsi_nexus_create(rig.target, "crowd", &n, NULL) != 0)
            return NULL;
        for (int i = 0; i < 60; i++) {
            const uint8_t *cdb = cdbs[(unsigned)rand_r(&seed) % ARRAY_LENGTH(cdbs)];
            struct scsi_task *task = calloc(1, sizeof(*task));
            uint8_t *buf = calloc(1, 512);

            *task = (struct scsi_task){.nexus = n,
                                       .cdb_len = 12,
                                       .out = buf,
                                       .out_len = 512,
                                       .in = buf,
                                       .in_size = 512,
                                       .tag = (uint64_t)i,
                                       .done = client_done,
                                       .transport = &c};
            memcpy(task->cdb, cdb, 12);
            task->lun[1] = cdb[0] >= 0xa0 ? 0 : 1;
            c.finished = false;
            scsi_target_submit(rig.target, task);
            if (rand_r(&seed) % 8 == 0)
                scsi_target_manage(rig.target, n, SCSI_TMF_ABORT_TASK, task->lun, task->tag);
            pthread_mutex_lock(&c.lock);
            while (!c.finished)
                pthread_cond_wait(&c.done, &c.lock);
            pthread_mutex_unlock(&c.lock);
            free(buf);
            free(task);
        }
        scsi_nexus_destroy(n);
    }
    return NULL;
}

/* Sessions, the operator, observers and resets at the same time: under the thread sanitizer this
 * looks for races; everywhere it must end, with both cartridges in the library. */
static void test_crowd(void)
{
    static const uint8_t lun[8] = {0, DRIVE};
    struct scsi_drive_state state;
    struct library_element e;
    unsigned seeds[3] = {1, 2, 3};
    pthread_t threads[3];

    rig_start();
    rig_load(0);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, client_main, &seeds[i]), 0);
    for (int i = 0; i < 100; i++) {
        scsi_target_drive_state(rig.target, 0, &state, &err);
        scsi_target_move(rig.target, SLOT(1), SLOT(2), &err);
        scsi_target_move(rig.target, DRIVE_AT(0), SLOT(0), &err);
        scsi_target_move(rig.target, SLOT(0), DRIVE_AT(0), &err);
        scsi_target_move(rig.target, SLOT(2), SLOT(1), &err);
        scsi_target_inventory_changed(rig.target);
        if (i % 10 == 0)
            scsi_target_manage(rig.target, rig.a, SCSI_TMF_LUN_RESET, lun, 0);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        pthread_join(threads[i], NULL);
    CHECK_OK(library_find(rig.library, "RIG000L8", &e, &err), err);
    CHECK_OK(library_find(rig.library, "RIG001L8", &e, &err), err);
    rig_stop();
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static void test_transfer_bound(void)
{
    static const struct {
        uint8_t cdb[12];
        size_t bound;
    } cases[] = {
        {{0x00}, 0},
        {{0x12, 0, 0, 0x01, 0x00}, 256},
        {{0x08, 0, 0x01, 0x00, 0x00}, 65536},
        {{0x08, 1, 0, 0, 1}, 16777216},
        {{0x0a, 0, 0xff, 0xff, 0xff}, 16777215},
        {{0xb8, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff}, 16777215},
        {{0xa0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, 65536},
        {{0x34}, 64},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        CU_ASSERT_EQUAL(scsi_cdb_transfer_bound(cases[i].cdb, 12), cases[i].bound);
    CU_ASSERT_EQUAL(scsi_cdb_transfer_bound(cases[0].cdb, 0), 0);
    CU_ASSERT_EQUAL(scsi_cdb_transfer_bound((const uint8_t[1]){0x12}, 1), 0);
}

/* ---- sense ----------------------------------------------------------------------------------- */

static void test_sense_formats(void)
{
    struct sense s = {.key = KEY_NO_SENSE,
                      .code = ASC_FILEMARK_DETECTED,
                      .valid = true,
                      .filemark = true,
                      .information = -3};
    uint8_t buf[SENSE_ENCODED_MAX];

    CU_ASSERT_EQUAL(sense_encode(&s, false, buf), 18);
    CU_ASSERT_EQUAL(buf[0], 0xf0);
    CU_ASSERT_EQUAL(buf[2], 0x80);
    CU_ASSERT_EQUAL(get_be32(buf + 3), 0xfffffffd);
    CU_ASSERT_EQUAL(sense_encode(&s, true, buf), 8 + 12 + 4);
    CU_ASSERT_EQUAL(buf[0], 0x72);
    CU_ASSERT_EQUAL(get_be64(buf + 12), 0xfffffffffffffffd);
    CU_ASSERT_EQUAL(buf[20], 4);
    CU_ASSERT_EQUAL(buf[23], 0x80);
    s.information = (int64_t)1 << 40; /* does not fit into fixed format */
    s.deferred = true;
    sense_encode(&s, false, buf);
    CU_ASSERT_EQUAL(buf[0], 0x71);
    CU_ASSERT_EQUAL(get_be32(buf + 3), 0);
    sense_encode(&s, true, buf); /* but into a descriptor */
    CU_ASSERT_EQUAL(buf[0], 0x73);
    CU_ASSERT_EQUAL(get_be64(buf + 12), (uint64_t)1 << 40);
    s = (struct sense){.key = KEY_NOT_READY,
                       .code = ASC_BECOMING_READY,
                       .progress_valid = true,
                       .progress = 0x1234};
    CU_ASSERT_EQUAL(sense_encode(&s, false, buf), 18);
    CU_ASSERT_EQUAL(memcmp(buf + 15, "\x80\x12\x34", 3), 0);
    CU_ASSERT_EQUAL(sense_encode(&s, true, buf), 16);
    CU_ASSERT_EQUAL(memcmp(buf + 8, "\2\6\0\0\x80\x12\x34\0", 8), 0);
}

/* A host that asked for descriptors gets them with the marks of stream commands: of READ, SPACE,
 * errors in the CDB, unit attentions. */
static void test_descriptor_sense(void)
{
    uint8_t list[16] = {0, 0, 0x10, 0}, data[10] = {0};

    rig_start();
    rig_load(1);
    rig_cdb(rig.a, DRIVE, "0a 00 00 00 0a 00", data, 10, 0);
    rig_good(DRIVE, "10 00 00 00 01 00");
    rig_good(DRIVE, "01 00 00 00 00 00");
    rig_cdb(rig.a, DRIVE, "1a 08 0a 00 ff 00", NULL, 0, 255);
    memcpy(list + 4, answer.in + 4, 12);
    list[4 + 2] |= 0x04; /* D_SENSE */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 10 00", list, 16, 0), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(memcmp(answer.sense, "\x72\6\x2a\1\0\0\0\0", 8), 0);
    rig_cdb(rig.a, DRIVE, "08 00 00 00 14 00", NULL, 0, 20); /* 10 of 20 bytes: ILI */
    CU_ASSERT_EQUAL(answer.sense_len, 24);
    CU_ASSERT_EQUAL(memcmp(answer.sense, "\x72\0\0\0\0\0\0\x10", 8), 0);
    CU_ASSERT_EQUAL(memcmp(answer.sense + 8, "\0\x0a\x80\0", 4), 0);
    CU_ASSERT_EQUAL(get_be64(answer.sense + 12), 10);
    CU_ASSERT_EQUAL(memcmp(answer.sense + 20, "\4\2\0\x20", 4), 0);
    rig_cdb(rig.a, DRIVE, "11 00 00 00 05 00", NULL, 0, 0); /* SPACE stops at the filemark */
    CU_ASSERT_EQUAL(get_be16(answer.sense + 2), ASC_FILEMARK_DETECTED);
    CU_ASSERT_EQUAL(get_be64(answer.sense + 12), 5);
    CU_ASSERT_EQUAL(memcmp(answer.sense + 20, "\4\2\0\x80", 4), 0);
    rig_cdb(rig.a, DRIVE, "12 01 77 00 ff 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(answer.sense_len, 16);
    CU_ASSERT_EQUAL(memcmp(answer.sense + 8, "\2\6\0\0\xcf\0\2\0", 8), 0);
    rig_stop();
}

/* A host that is away for long misses none of what happens meanwhile. */
static void test_attentions_kept(void)
{
    enum { KINDS = 13, FIRST = 0x2a01 };

    rig_start();
    for (int again = 0; again < 2; again++) {
        for (uint16_t i = 0; i < KINDS; i++)
            attention_raise(&rig.target->lus[1], (uint16_t)(FIRST + i), rig.a);
    }
    for (uint16_t i = 0; i < KINDS; i++) {
        rig_cdb(rig.b, 1, TUR, NULL, 0, 0);
        CHECK_SENSE(KEY_UNIT_ATTENTION, FIRST + i);
    }
    rig_cdb(rig.b, 1, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_stop();
}
/* ---- the log --------------------------------------------------------------------------------- */

/* Which drive of which library: each has a drive 0. */
static void test_log_names_the_unit(void)
{
    char line[256] = "";
    int pipes[2], saved = dup(STDERR_FILENO);

    rig_start();
    CU_ASSERT_EQUAL_FATAL(pipe(pipes), 0);
    dup2(pipes[1], STDERR_FILENO);
    lu_log(&rig.target->lus[DRIVE], LOG_LEVEL_ERROR, "a write failed: %d", 5);
    dup2(saved, STDERR_FILENO);
    CU_ASSERT_TRUE(read(pipes[0], line, sizeof(line) - 1) > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "Drive 0 (CPRIG0000101): a write failed: 5\n"));
    close(pipes[0]);
    close(pipes[1]);
    close(saved);
    rig_stop();
}

static const struct check_test tests[] = {
    {"attentions_kept", test_attentions_kept},
    {"inquiry", test_inquiry},
    {"vpd", test_vpd},
    {"names", test_names},
    {"report_luns", test_report_luns},
    {"no_such_lun", test_no_such_lun},
    {"lun_addressing", test_lun_addressing},
    {"power_on_attention", test_power_on_attention},
    {"medium_attention_once_each", test_medium_attention_once_each},
    {"mode_attention", test_mode_attention},
    {"reserve", test_reserve},
    {"cdb_rules", test_cdb_rules},
    {"all_opcodes", test_all_opcodes},
    {"allocation_lengths", test_allocation_lengths},
    {"report_opcodes", test_report_opcodes},
    {"mode_round_trip", test_mode_round_trip},
    {"mode_select_refusals", test_mode_select_refusals},
    {"mode_page_controls", test_mode_page_controls},
    {"log", test_log},
    {"timestamp", test_timestamp},
    {"task_management", test_task_management},
    {"crowd", test_crowd},
    {"transfer_bound", test_transfer_bound},
    {"sense_formats", test_sense_formats},
    {"descriptor_sense", test_descriptor_sense},
    {"log_names_the_unit", test_log_names_the_unit},
};

CHECK_MAIN("scsi", tests)
