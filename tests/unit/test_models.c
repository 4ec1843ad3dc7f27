/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_models.c - every model as a host sees it: a target is started for each personality, and its
 * answers are compared with tables that were written by hand, not made from the data files.
 */
#include "common/bytes.h"
#include "tests/unit/check.h"
#include "tests/unit/scsi_rig.h"
#include "vtl/scsi/sense.h"

#define READY       "00 00 00 00 00 00"
#define CARTRIDGES  10
#define SMALL       (2u * 1048576)
#define WRITE_BLOCK "0a 00 00 04 00 00"

/* ---- expectations ---------------------------------------------------------------------------- */

/* LTO: density code, medium type, native capacity in 10^6 bytes, end of the barcode. */
static const struct kind {
    uint8_t density, type;
    uint32_t megabytes;
    const char *barcode;
} kinds[CARTRIDGES] = {
    {0x44, 0x38, 400000, "L3"},   {0x46, 0x48, 800000, "L4"},   {0x58, 0x58, 1500000, "L5"},
    {0x5a, 0x68, 2500000, "L6"},  {0x5c, 0x78, 6000000, "L7"},  {0x5d, 0x78, 9000000, "M8"},
    {0x5e, 0x88, 12000000, "L8"}, {0x60, 0x98, 18000000, "L9"}, {0x62, 0xa8, 30000000, "LA"},
    {0x63, 0xa8, 40000000, "PA"},
};

/* By generation of a drive: r reads, w writes, - refuses, for each of the kinds above. */
static const struct {
    unsigned generation;
    uint8_t native;
    const char *takes;
} generations[] = {
    {5, 0x58, "rww-------"}, {6, 0x5a, "-rww------"}, {7, 0x5c, "--rww-----"},
    {8, 0x5e, "----www---"}, {9, 0x60, "------ww--"}, {10, 0x62, "--------ww"},
};

static const struct drive {
    const char *name, *vendor, *product;
    unsigned generation, serial;
    const char *pages; /* the vendor's VPD pages */
} drives[] = {
    {"IBM-ULT3580-TD5", "IBM", "ULT3580-TD5", 5, 10, "c0c1"},
    {"IBM-ULT3580-TD6", "IBM", "ULT3580-TD6", 6, 10, "c0c1"},
    {"IBM-ULT3580-TD7", "IBM", "ULT3580-TD7", 7, 10, "c0c1"},
    {"IBM-ULT3580-TD8", "IBM", "ULT3580-TD8", 8, 12, "c0c1"},
    {"IBM-ULT3580-TD9", "IBM", "ULT3580-TD9", 9, 10, "c0c1"},
    {"IBM-ULT3580-TD10", "IBM", "ULT3580-TDA", 10, 10, "c0c1"},
    {"IBM-ULT3580-HH5", "IBM", "ULT3580-HH5", 5, 10, "c0c1"},
    {"IBM-ULT3580-HH6", "IBM", "ULT3580-HH6", 6, 10, "c0c1"},
    {"IBM-ULT3580-HH7", "IBM", "ULT3580-HH7", 7, 10, "c0c1"},
    {"IBM-ULT3580-HH8", "IBM", "ULT3580-HH8", 8, 10, "c0c1"},
    {"IBM-ULT3580-HH9", "IBM", "ULT3580-HH9", 9, 10, "c0c1"},
    {"IBM-ULTRIUM-HH5", "IBM", "ULTRIUM-HH5", 5, 10, "c0c1"},
    {"IBM-ULTRIUM-HH6", "IBM", "ULTRIUM-HH6", 6, 10, "c0c1"},
    {"IBM-ULTRIUM-HH7", "IBM", "ULTRIUM-HH7", 7, 10, "c0c1"},
    {"IBM-ULTRIUM-HH8", "IBM", "ULTRIUM-HH8", 8, 10, "c0c1"},
    {"IBM-ULTRIUM-HH9", "IBM", "ULTRIUM-HH9", 9, 10, "c0c1"},
    {"HP-ULTRIUM-5", "HP", "Ultrium 5-SCSI", 5, 10, "c0c1c2c3c4c5"},
    {"HP-ULTRIUM-6", "HP", "Ultrium 6-SCSI", 6, 10, "c0c1c2c3c4c5"},
    {"HPE-ULTRIUM-7", "HPE", "Ultrium 7-SCSI", 7, 10, "c0c1c2c3c4c5"},
    {"HPE-ULTRIUM-8", "HPE", "Ultrium 8-SCSI", 8, 10, "c0c1c2c3c4c5"},
    {"HPE-ULTRIUM-9", "HPE", "Ultrium 9-SCSI", 9, 10, "c0c1c2c3c4c5"},
    {"QUANTUM-ULTRIUM-5", "QUANTUM", "ULTRIUM 5", 5, 10, ""},
    {"QUANTUM-ULTRIUM-6", "QUANTUM", "ULTRIUM 6", 6, 10, ""},
    {"TANDBERG-LTO-5-HH", "TANDBERG", "LTO-5 HH", 5, 10, ""},
    {"TANDBERG-LTO-6-HH", "TANDBERG", "LTO-6 HH", 6, 10, ""},
    {"CAPSTAN-TAPE", "CAPSTAN", "VIRTUAL TAPE", 0, 12, ""},
};

static const struct changer {
    const char *name, *vendor, *product;
    uint16_t transport, slots, import_export, drives;
} changers[] = {
    {"IBM-3573-TL", "IBM", "3573-TL", 1, 4096, 16, 256},
    {"IBM-03584L32", "IBM", "03584L32", 1, 1025, 769, 257},
    {"HPE-MSL-G3", "HP", "MSL G3 Series", 0, 1001, 101, 1},
    {"QUANTUM-SCALAR-I500", "ADIC", "Scalar i500", 1, 4096, 16, 256},
    {"QUANTUM-SCALAR-I6000", "QUANTUM", "Scalar i6000", 1, 4096, 16, 256},
    {"STK-L700", "STK", "L700", 0, 1000, 10, 500},
    {"STK-SL500", "STK", "SL500", 0, 1000, 10, 500},
    {"SPECTRA-PYTHON", "SPECTRA", "PYTHON", 1, 4096, 16, 256},
    {"CAPSTAN-LIBRARY", "CAPSTAN", "VIRTUAL LIBRARY", 0, 1024, 16, 256},
};

static const char *takes(const struct drive *d, uint8_t *native)
{
    for (size_t i = 0; i < sizeof(generations) / sizeof(generations[0]); i++) {
        if (generations[i].generation == d->generation) {
            *native = generations[i].native;
            return generations[i].takes;
        }
    }
    *native = 0x5e;
    return "--wwwwww--"; /* of no maker: whatever there is of LTO-5 to LTO-9 */
}

/* Every personality that is built in has its row. */
static void test_complete(void)
{
    struct personality_set *set = NULL;
    struct error err = ERROR_INIT;
    const struct personality *p;
    size_t count = 0;

    CHECK_OK(personality_set_load(NULL, &set, &err), err);
    for (size_t i = 0; (p = personality_set_at(set, i)) != NULL; i++, count++) {
        bool found = false;

        for (size_t k = 0; k < sizeof(drives) / sizeof(drives[0]); k++)
            found = found || strcmp(drives[k].name, p->name) == 0;
        for (size_t k = 0; k < sizeof(changers) / sizeof(changers[0]); k++)
            found = found || strcmp(changers[k].name, p->name) == 0;
        if (!found)
            printf("\n    %s has no expectation", p->name);
        CU_ASSERT_TRUE(found);
    }
    CU_ASSERT_EQUAL(count,
                    sizeof(drives) / sizeof(drives[0]) + sizeof(changers) / sizeof(changers[0]));
    personality_set_free(set);
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool field_is(const uint8_t *field, size_t width, const char *text)
{
    char padded[33];

    snprintf(padded, sizeof(padded), "%-*s", (int)width, text);
    return memcmp(field, padded, width) == 0;
}

static void check_inquiry(unsigned lun, uint8_t type, const char *vendor, const char *product)
{
    CU_ASSERT_EQUAL(rig_cdb(rig.a, lun, "12 00 00 00 ff 00", NULL, 0, 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 96);
    CU_ASSERT_EQUAL(answer.in[0], type);
    CU_ASSERT_EQUAL(answer.in[1], 0x80);
    CU_ASSERT_TRUE(field_is(answer.in + 8, 8, vendor));
    CU_ASSERT_TRUE(field_is(answer.in + 16, 16, product));
    for (unsigned i = 58; i < 74; i += 2) /* OSD-2 and the like have no place here */
        CU_ASSERT(get_be16(answer.in + i) == 0 || get_be16(answer.in + i) == 0x00a0 ||
                  get_be16(answer.in + i) == 0x0460 || get_be16(answer.in + i) == 0x0480 ||
                  get_be16(answer.in + i) == 0x0520 || get_be16(answer.in + i) == 0x05a0 ||
                  get_be16(answer.in + i) == 0x0960);
}

/* VPD 80h, and the same number in the T10 designator of 83h. */
static void check_serial(unsigned lun, size_t length, char serial[32])
{
    CU_ASSERT_EQUAL(rig_cdb(rig.a, lun, "12 01 80 00 ff 00", NULL, 0, 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[3], length);
    snprintf(serial, 32, "%.*s", (int)answer.in[3], (char *)answer.in + 4);
    CU_ASSERT_EQUAL(strlen(serial), length);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, lun, "12 01 83 00 ff 00", NULL, 0, 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[4], 2);
    CU_ASSERT_EQUAL(answer.in[5], 1);
    CU_ASSERT_EQUAL(answer.in[7], 24 + length);
    CU_ASSERT_EQUAL(memcmp(answer.in + 32, serial, length), 0);
    CU_ASSERT_EQUAL(answer.in[32 + length + 1], 3); /* NAA behind it */
}

/* Page 00h ends with the vendor's pages, and each is there. */
static void check_pages(const struct drive *d)
{
    uint8_t listed[64];
    size_t count, own = strlen(d->pages) / 2;

    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "12 01 00 00 ff 00", NULL, 0, 255), SCSI_GOOD);
    count = answer.in[3];
    CU_ASSERT_FATAL(count >= own && count < sizeof(listed));
    memcpy(listed, answer.in + 4, count);
    CU_ASSERT(count == own || listed[count - own - 1] < 0xc0);
    for (size_t i = 1; i < count; i++)
        CU_ASSERT(listed[i] > listed[i - 1]);
    for (size_t i = 0; i < own; i++) {
        const char digits[3] = {d->pages[i * 2], d->pages[i * 2 + 1], '\0'};
        char cdb[32];

        CU_ASSERT_EQUAL(listed[count - own + i], strtoul(digits, NULL, 16));
        snprintf(cdb, sizeof(cdb), "12 01 %s 00 ff 00", digits);
        CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, cdb, NULL, 0, 255), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in_len, 4u + answer.in[3]);
        /* IBM: 39 and 24 bytes; HP: 92 */
        CU_ASSERT_EQUAL(answer.in[3], own == 6 ? 92 : i == 0 ? 39 : 24);
    }
}

/* ---- media ----------------------------------------------------------------------------------- */

static void check_densities(const char *takes_all, uint8_t native)
{
    const uint8_t *at;
    unsigned rows = 0;

    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "44 00 00 00 00 00 00 10 00 00", NULL, 0, 4096),
                    SCSI_GOOD);
    at = answer.in + 4;
    for (unsigned i = 0; i < CARTRIDGES; i++) {
        if (takes_all[i] == '-')
            continue;
        CU_ASSERT_EQUAL(at[0], kinds[i].density);
        CU_ASSERT_EQUAL(at[1], kinds[i].density);
        CU_ASSERT_EQUAL((at[2] & 0x80) != 0, takes_all[i] == 'w');
        CU_ASSERT_EQUAL((at[2] & 0x20) != 0, kinds[i].density == native);
        CU_ASSERT_EQUAL(get_be16(at + 8), 127);
        CU_ASSERT_EQUAL(get_be32(at + 12), kinds[i].megabytes);
        CU_ASSERT_TRUE(field_is(at + 16, 8, "LTO-CVE"));
        at += 52;
        rows++;
    }
    CU_ASSERT_EQUAL(answer.in_len, 4 + 52 * rows);
    CU_ASSERT_EQUAL(get_be16(answer.in), 2 + 52 * rows);
}

static void move(uint16_t from, uint16_t to)
{
    struct error err = ERROR_INIT;

    CHECK_OK(scsi_target_move(rig.target, from, to, &err), err);
    for (int i = 0; i < 3; i++)
        rig_cdb(rig.a, DRIVE, READY, NULL, 0, 0);
}

/* The cartridge of one kind in the drive: what it may do with it; older: than what it takes. */
static void check_load(const struct kind *k, char how, bool older)
{
    static uint8_t block[1024];

    rig_cdb(rig.a, DRIVE, READY, NULL, 0, 0);
    if (how == '-') {
        CHECK_SENSE(KEY_MEDIUM_ERROR, older ? ASC_INCOMPATIBLE_FORMAT : ASC_UNKNOWN_FORMAT);
        return;
    }
    CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "1a 00 00 00 ff 00", NULL, 0, 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[1], k->type);
    CU_ASSERT_EQUAL((answer.in[2] & 0x80) != 0, how == 'r');
    CU_ASSERT_EQUAL(answer.in[4], k->density);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "44 01 00 00 00 00 00 10 00 00", NULL, 0, 4096),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 56);
    CU_ASSERT_EQUAL(answer.in[4], k->density);
    CU_ASSERT_EQUAL(answer.in[6], how == 'w' ? 0xa0 : 0x20);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "44 03 00 00 00 00 00 10 00 00", NULL, 0, 4096),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 56);
    CU_ASSERT_EQUAL(answer.in[4], k->type);
    CU_ASSERT_EQUAL(answer.in[9], k->density);
    rig_cdb(rig.a, DRIVE, WRITE_BLOCK, block, sizeof(block), 0);
    if (how == 'w')
        CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
    if (how == 'r')
        CHECK_SENSE(KEY_DATA_PROTECT, ASC_CANNOT_WRITE_FORMAT);
}

static void check_media(const char *takes_all)
{
    for (unsigned i = 0; i < CARTRIDGES; i++) {
        char barcode[16];

        snprintf(barcode, sizeof(barcode), "KIND%02u%s", i, kinds[i].barcode);
        rig_cartridge(barcode, (uint16_t)SLOT(2 + i), kinds[i].density, false, SMALL);
        move((uint16_t)SLOT(2 + i), DRIVE_AT(0));
        check_load(&kinds[i], takes_all[i], strspn(takes_all + i, "-") < strlen(takes_all + i));
        move(DRIVE_AT(0), (uint16_t)SLOT(2 + i));
    }
}

static void test_drives(void)
{
    rig.slots = 2 + CARTRIDGES;
    for (size_t i = 0; i < sizeof(drives) / sizeof(drives[0]); i++) {
        const struct drive *d = &drives[i];
        unsigned before = CU_get_number_of_failures();
        char serial[32], other[32];
        uint8_t native;
        const char *all = takes(d, &native);

        rig.model = d->name;
        rig_start();
        check_inquiry(DRIVE, 0x01, d->vendor, d->product);
        check_inquiry(SECOND, 0x01, "IBM", "ULT3580-TD8"); /* mixed generations */
        check_serial(DRIVE, d->serial, serial);
        check_serial(SECOND, 12, other);
        CU_ASSERT_STRING_NOT_EQUAL(serial, other);
        check_pages(d);
        CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "05 00 00 00 00 00", NULL, 0, 6), SCSI_GOOD);
        CU_ASSERT_EQUAL(get_be24(answer.in + 1), d->generation ? 0x800000 : 0xffffff);
        check_densities(all, native);
        check_media(all);
        rig_stop();
        if (CU_get_number_of_failures() != before)
            printf("\n    (that was %s)", d->name);
    }
    rig.model = NULL;
    rig.slots = 0;
}

/* A WORM cartridge has another medium type and the same density. */
static void test_worm(void)
{
    rig.model = "IBM-ULT3580-TD9";
    rig_start();
    rig_cartridge("WORM01LZ", SLOT(2), 0x60, true, SMALL);
    move(SLOT(2), DRIVE_AT(0));
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "1a 00 00 00 ff 00", NULL, 0, 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[1], 0x9c);
    CU_ASSERT_EQUAL(answer.in[4], 0x60);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "44 03 00 00 00 00 00 10 00 00", NULL, 0, 4096),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 56);
    CU_ASSERT_EQUAL(answer.in[4], 0x9c);
    /* All types that the drive takes: LTO-8 and LTO-9, each of data and WORM. */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "44 02 00 00 00 00 00 10 00 00", NULL, 0, 4096),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 4 * 56);
    rig_stop();
    rig.model = NULL;
}

/* An LTO-7 cartridge may be formatted as M8: one type of medium, two densities. */
static void test_m8(void)
{
    rig_start();
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "44 02 00 00 00 00 00 10 00 00", NULL, 0, 4096),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 4 * 56); /* 78h, 7Ch, 88h, 8Ch */
    CU_ASSERT_EQUAL(answer.in[4], 0x78);
    CU_ASSERT_EQUAL(answer.in[8], 2);
    CU_ASSERT_EQUAL(answer.in[9], 0x5c);
    CU_ASSERT_EQUAL(answer.in[10], 0x5d);
    rig_stop();
}

/* ---- changers -------------------------------------------------------------------------------- */

static void check_addresses(const struct changer *c)
{
    const uint8_t *page = answer.in + 4;

    CU_ASSERT_EQUAL(rig_cdb(rig.a, CHANGER, "1a 08 1d 00 ff 00", NULL, 0, 255), SCSI_GOOD);
    page = answer.in + 4;
    CU_ASSERT_EQUAL(get_be16(page + 2), c->transport);
    CU_ASSERT_EQUAL(get_be16(page + 4), 1);
    CU_ASSERT_EQUAL(get_be16(page + 6), c->slots);
    CU_ASSERT_EQUAL(get_be16(page + 8), 4);
    CU_ASSERT_EQUAL(get_be16(page + 10), c->import_export);
    CU_ASSERT_EQUAL(get_be16(page + 12), 2);
    CU_ASSERT_EQUAL(get_be16(page + 14), c->drives);
    CU_ASSERT_EQUAL(get_be16(page + 16), 2);
}

/* READ ELEMENT STATUS: rising addresses, each kind where it belongs, drives with their designator.
 */
static void check_elements(const struct changer *c)
{
    unsigned seen[5] = {0}, last = 0, count = 0;
    const uint8_t *at, *end;

    CU_ASSERT_EQUAL(rig_cdb(rig.a, CHANGER, "b8 10 00 00 ff ff 01 00 ff ff 00 00", NULL, 0, 65535),
                    SCSI_GOOD);
    at = answer.in + 8;
    end = answer.in + answer.in_len;
    while (at + 8 <= end) {
        const uint16_t first[] = {0, c->transport, c->slots, c->import_export, c->drives};
        unsigned type = at[0], length = get_be16(at + 2), bytes = get_be24(at + 5);

        unsigned name = at[1] & 0x40 ? 84 : 48; /* behind one volume tag, or two */

        CU_ASSERT_FATAL(type >= 1 && type <= 4 && length >= 16 && at + 8 + bytes <= end);
        for (at += 8; bytes >= length; at += length, bytes -= length) {
            unsigned address = get_be16(at);

            CU_ASSERT_EQUAL(address, first[type] + seen[type]++);
            CU_ASSERT(count++ == 0 || address > last);
            last = address;
            if (type == 4) {
                CU_ASSERT_EQUAL(at[name], 2);
                CU_ASSERT_EQUAL(at[name + 3], length - name - 4);
                CU_ASSERT_EQUAL(memcmp(at + name + 4, "IBM     ULT3580-TD8     CPRIG00001", 34), 0);
            }
        }
        CU_ASSERT_EQUAL(bytes, 0);
    }
    CU_ASSERT_EQUAL(count, 9);
}

/* MOVE MEDIUM at the model's addresses; the cartridge is there after a restart. */
static void check_move(const struct changer *c)
{
    uint8_t cdb[12] = {0xa5};
    struct library_element e;
    struct error err = ERROR_INIT;

    put_be16(cdb + 2, c->transport);
    put_be16(cdb + 4, c->slots);
    put_be16(cdb + 6, (uint16_t)(c->drives + 1));
    CU_ASSERT_EQUAL(rig_send(rig.a, CHANGER, cdb, sizeof(cdb), NULL, 0, 0), SCSI_GOOD);
    put_be16(cdb + 2, (uint16_t)(c->slots + 1)); /* a slot is no transport */
    CU_ASSERT_EQUAL(rig_send(rig.a, CHANGER, cdb, sizeof(cdb), NULL, 0, 0), SCSI_CHECK_CONDITION);
    rig_restart();
    CHECK_OK(library_find(rig.library, "RIG000L8", &e, &err), err);
    CU_ASSERT_EQUAL(e.address, c->drives + 1);
    CU_ASSERT(e.source_valid && e.source == c->slots);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, SECOND, READY, NULL, 0, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, SECOND, "12 01 b4 00 ff 00", NULL, 0, 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be16(answer.in + 6), c->drives + 1);
}

static void test_changers(void)
{
    for (size_t i = 0; i < sizeof(changers) / sizeof(changers[0]); i++) {
        const struct changer *c = &changers[i];
        unsigned before = CU_get_number_of_failures();
        char serial[32];

        rig.library_model = c->name;
        rig_start();
        check_inquiry(CHANGER, 0x08, c->vendor, c->product);
        check_serial(CHANGER, 10, serial);
        CU_ASSERT_STRING_EQUAL(serial, "CPRIG00001");
        check_addresses(c);
        check_elements(c);
        check_move(c);
        rig_stop();
        if (CU_get_number_of_failures() != before)
            printf("\n    (that was %s)", c->name);
    }
    rig.library_model = NULL;
}

/* A library may become another model: everything stays in its place. */
static void test_changed_model(void)
{
    struct library_element e;
    struct error err = ERROR_INIT;

    rig.library_model = "STK-L700";
    rig_start();
    CHECK_OK(scsi_target_move(rig.target, 1000, 500, &err), err);
    rig.library_model = "HPE-MSL-G3";
    rig_restart();
    CHECK_OK(library_element(rig.library, 1, &e, &err), err);
    CU_ASSERT_STRING_EQUAL(e.barcode, "RIG000L8");
    CU_ASSERT_EQUAL(e.source, 1001);
    CHECK_OK(library_element(rig.library, 1002, &e, &err), err);
    CU_ASSERT_STRING_EQUAL(e.barcode, "RIG001L8");
    rig_stop();
    rig.library_model = NULL;
}

static const struct check_test tests[] = {
    {"complete", test_complete}, {"drives", test_drives},
    {"worm", test_worm},         {"m8", test_m8},
    {"changers", test_changers}, {"changed_model", test_changed_model},
};

CHECK_MAIN("models", tests)
