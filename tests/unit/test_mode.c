/* SPDX-License-Identifier: Apache-2.0 */
/* test_mode.c - mode pages: what may be changed, what is saved, who is told; and informational
 * exceptions with the TapeAlert flags behind them. */
#include <unistd.h>

#include "common/checked.h"
#include "tests/unit/drive_rig.h"

enum { CURRENT, CHANGEABLE, DEFAULT, SAVED };

/* A page by MODE SENSE(10) without a block descriptor, behind its header; NULL: there is none. */
static const uint8_t *page_of(unsigned lun, unsigned pc, unsigned code, unsigned subcode)
{
    uint8_t cdb[10] = {0x5a, 0x08, (uint8_t)(pc << 6 | code), (uint8_t)subcode, 0, 0, 0, 0x10, 0};

    if (rig_send(rig.a, lun, cdb, 10, NULL, 0, 4096) != SCSI_GOOD)
        return NULL;
    CU_ASSERT_EQUAL(get_be16(answer.in) + 2u, answer.in_len);
    CU_ASSERT_EQUAL(get_be16(answer.in + 6), 0);
    return answer.in + 8;
}

static size_t page_size(const uint8_t *page)
{
    return page[0] & 0x40 ? 4u + get_be16(page + 2) : 2u + page[1];
}

/* Change byte `at` of a page and select it. */
static uint8_t set_byte(unsigned lun, bool save, unsigned code, unsigned subcode, size_t at,
                        uint8_t value)
{
    uint8_t list[8 + 64] = {0, 0, 0, lun ? 0x10 : 0}, cdb[10] = {0x55, (uint8_t)(0x10 | save)};
    const uint8_t *page = page_of(lun, CURRENT, code, subcode);
    size_t size;

    CU_ASSERT_PTR_NOT_NULL_FATAL(page);
    size = page_size(page);
    memcpy(list + 8, page, size);
    list[8 + at] = value;
    put_be16(cdb + 7, (uint16_t)(8 + size));
    return rig_send(rig.a, lun, cdb, 10, list, 8 + size, 0);
}

static bool field_is(unsigned byte, int bit)
{
    const uint8_t *p = answer.sense + 15;
    uint8_t flags = bit < 0 ? 0x80 : (uint8_t)(0x88 | bit);

    if (p[0] != flags || get_be16(p + 1) != byte)
        printf("\n    expected field %u bit %d, got %02x %u", byte, bit, p[0], get_be16(p + 1));
    return p[0] == flags && get_be16(p + 1) == byte;
}

static void reset(unsigned lun)
{
    const uint8_t address[8] = {0, (uint8_t)lun};

    CU_ASSERT_EQUAL(scsi_target_manage(rig.target, rig.a, SCSI_TMF_LUN_RESET, address, 0),
                    SCSI_TMF_COMPLETE);
    rig_cdb(rig.a, lun, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_DEVICE_RESET);
    rig_cdb(rig.b, lun, TUR, NULL, 0, 0);
}

/* ---- the pages ------------------------------------------------------------------------------- */

/* Pages and subpages that hosts look for are there, in rising order, and each also alone. */
static void test_all_pages(void)
{
    static const uint16_t wanted[] = {0x0100, 0x0200, 0x0a00, 0x0a01, 0x0f00, 0x1000,
                                      0x1001, 0x1100, 0x1800, 0x1900, 0x1a00, 0x1c00,
                                      0x1d00, 0x2400, 0x2500, 0x2f00, 0x3000};
    uint16_t seen[64], last = 0;
    size_t count = 0, found = 0;

    rig_start();
    CU_ASSERT_PTR_NOT_NULL_FATAL(page_of(DRIVE, CURRENT, 0x3f, 0xff));
    for (size_t at = 8; at < answer.in_len; at += page_size(answer.in + at)) {
        const uint8_t *p = answer.in + at;

        seen[count] = (uint16_t)((p[0] & 0x3f) << 8 | (p[0] & 0x40 ? p[1] : 0));
        CU_ASSERT(count == 0 || seen[count] > last);
        last = seen[count++];
    }
    for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
        for (size_t k = 0; k < count; k++)
            found += seen[k] == wanted[i];
    }
    CU_ASSERT_EQUAL(found, ARRAY_LENGTH(wanted));
    for (size_t i = 0; i < count; i++) {
        for (unsigned pc = CURRENT; pc <= SAVED; pc++)
            CU_ASSERT_PTR_NOT_NULL(page_of(DRIVE, pc, seen[i] >> 8, seen[i] & 0xff));
    }
    rig_stop();
}

/* MODE SENSE(6) has 255 bytes to tell of; what is told is whole pages. */
static void test_six_bytes(void)
{
    size_t at = 4;

    rig_start();
    rig_cdb(rig.a, DRIVE, "1a 08 3f ff ff 00", NULL, 0, 255);
    CU_ASSERT(answer.in[0] + 1u <= 256);
    CU_ASSERT(answer.in_len + 1 >= answer.in[0]);
    while (at < answer.in[0] + 1u && at < answer.in_len)
        at += page_size(answer.in + at);
    CU_ASSERT_EQUAL(at, answer.in[0] + 1u);
    rig_cdb(rig.a, DRIVE, "1a 08 0a 00 06 00", NULL, 0, 6); /* cut by the allocation length */
    CU_ASSERT_EQUAL(answer.in_len, 6);
    CU_ASSERT_EQUAL(answer.in[0], 3 + 12);
    rig_stop();
}

/* No bit outside the changeable mask can be changed, each bit in it can (or is refused by the page
 * itself), and nothing changes by a refusal. */
static void check_bit(unsigned lun, const uint8_t *mask, const uint8_t *now, size_t at,
                      unsigned bit)
{
    unsigned code = now[0] & 0x3f, subcode = now[0] & 0x40 ? now[1] : 0;
    uint8_t status = set_byte(lun, false, code, subcode, at, (uint8_t)(now[at] ^ (1u << bit)));

    if (mask[at] & (1u << bit)) {
        if (status == SCSI_GOOD)
            set_byte(lun, false, code, subcode, at, now[at]);
        return;
    }
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    CU_ASSERT_TRUE(field_is(8 + (unsigned)at, (int)bit));
    CU_ASSERT_EQUAL(memcmp(page_of(lun, CURRENT, code, subcode), now, page_size(now)), 0);
}

static void test_masks(void)
{
    for (unsigned lun = CHANGER; lun <= DRIVE; lun++) {
        uint8_t all[1024], masks[1024];
        size_t len;

        rig_start();
        page_of(lun, CURRENT, 0x3f, 0xff);
        len = answer.in_len - 8;
        memcpy(all, answer.in + 8, len);
        page_of(lun, CHANGEABLE, 0x3f, 0xff);
        CU_ASSERT_EQUAL_FATAL(answer.in_len - 8, len);
        memcpy(masks, answer.in + 8, len);
        for (size_t at = 0; at < len; at += page_size(all + at)) {
            const uint8_t *page = all + at, *mask = masks + at;

            CU_ASSERT_EQUAL(mask[0], page[0]);
            CU_ASSERT_EQUAL(mask[1], page[1]);
            if ((page[0] & 0x3f) == 0x0a || (page[0] & 0x3f) == 0x11)
                continue; /* D_SENSE turns sense data over; a division is another test's */
            for (size_t i = page[0] & 0x40 ? 4 : 2; i < page_size(page); i++) {
                for (unsigned bit = 0; bit < 8; bit++)
                    check_bit(lun, mask, page, i, bit);
            }
        }
        rig_stop();
    }
}

/* The bytes that a host without our constants would expect (SPC-5, SSC-5, IBM LTO). */
static void test_defaults(void)
{
    static const uint8_t exceptions[12] = {0x9c, 0x0a, 0x08, 0x04};
    static const uint8_t extension[8] = {0xca, 0x01, 0x00, 0x1c, 0x06, 0x00, 0x40, 0x00};
    static const uint8_t recovery[12] = {0x81, 0x0a, 0x28, 0xff, 0, 0, 0, 0, 0xff};

    rig_start();
    CU_ASSERT_EQUAL(memcmp(page_of(DRIVE, DEFAULT, 0x1c, 0), exceptions, 12), 0);
    CU_ASSERT_EQUAL(memcmp(page_of(DRIVE, DEFAULT, 0x0a, 1), extension, 8), 0);
    CU_ASSERT_EQUAL(memcmp(page_of(DRIVE, DEFAULT, 0x01, 0), recovery, 12), 0);
    CU_ASSERT_EQUAL(page_of(DRIVE, DEFAULT, 0x18, 0)[2], 5); /* iSCSI */
    CU_ASSERT_EQUAL(page_of(DRIVE, DEFAULT, 0x1a, 0)[1], 0x26);
    CU_ASSERT_PTR_NULL(page_of(DRIVE, CURRENT, 0x0a, 0x77));
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(answer.sense[15], 0xcf);
    CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 3);
    CU_ASSERT_PTR_NULL(page_of(DRIVE, CURRENT, 0x3e, 0));
    CU_ASSERT_EQUAL(answer.sense[15], 0xcd);
    CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 2);
    rig_stop();
}

/* ---- saving ---------------------------------------------------------------------------------- */

/* Saved values outlive a reset and a power cycle; current ones do not; defaults stay. */
static void test_saved(void)
{
    for (unsigned lun = CHANGER; lun <= DRIVE; lun++) {
        rig_start();
        CU_ASSERT_EQUAL(set_byte(lun, true, 0x1c, 0, 3, 0x06), SCSI_GOOD);
        rig_cdb(rig.b, lun, TUR, NULL, 0, 0);
        CU_ASSERT_EQUAL(set_byte(lun, false, 0x1c, 0, 3, 0x02), SCSI_GOOD);
        CU_ASSERT_EQUAL(page_of(lun, CURRENT, 0x1c, 0)[3], 0x02);
        CU_ASSERT_EQUAL(page_of(lun, SAVED, 0x1c, 0)[3], 0x06);
        CU_ASSERT_EQUAL(page_of(lun, DEFAULT, 0x1c, 0)[3], 0x04);
        reset(lun);
        CU_ASSERT_EQUAL(page_of(lun, CURRENT, 0x1c, 0)[3], 0x06);
        rig_restart();
        CU_ASSERT_EQUAL(page_of(lun, CURRENT, 0x1c, 0)[3], 0x06);
        CU_ASSERT_EQUAL(page_of(!lun, CURRENT, 0x1c, 0)[3], 0x04); /* the other unit's is its own */
        rig_stop();
    }
}

/* SP without a list saves what is current; a page that can't be saved has PS=0. */
static void test_save_current(void)
{
    rig_start();
    CU_ASSERT_EQUAL(set_byte(DRIVE, false, 0x10, 1, 7, 9), SCSI_GOOD);
    rig_good(DRIVE, "15 11 00 00 00 00");
    rig_restart();
    CU_ASSERT_EQUAL(page_of(DRIVE, CURRENT, 0x10, 1)[7], 9);
    CU_ASSERT_EQUAL(page_of(DRIVE, CURRENT, 0x10, 1)[0], 0xd0);
    CU_ASSERT_EQUAL(page_of(DRIVE, CURRENT, 0x1d, 0)[0], 0x1d);
    rig_stop();
}

/* ---- MODE SELECT ----------------------------------------------------------------------------- */

static void select_fails(const char *cdb, const uint8_t *list, size_t len, unsigned code,
                         unsigned byte, int bit)
{
    rig_cdb(rig.a, DRIVE, cdb, list, len, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, code);
    if (code == ASC_INVALID_FIELD_IN_LIST)
        CU_ASSERT_TRUE(field_is(byte, bit));
}

static void test_select_headers(void)
{
    static const uint8_t long_lba[8] = {0, 0, 0, 0x10, 1}, two[8] = {0, 0, 0, 0x10, 0, 0, 0, 16},
                         speed[8] = {0, 0, 0, 0x11}, buffered[8] = {0, 0, 0, 0x20},
                         density[16] = {0, 0, 0, 0x10, 0, 0, 0, 8, 0x44},
                         too_long[16] = {0, 0, 0, 0x10, 0, 0,    0,    8,
                                         0, 0, 0, 0,    0, 0xff, 0xff, 0xff};

    rig_start();
    rig_load(1);
    select_fails("55 10 00 00 00 00 00 00 08 00", long_lba, 8, ASC_INVALID_FIELD_IN_LIST, 4, 0);
    select_fails("55 10 00 00 00 00 00 00 08 00", two, 8, ASC_INVALID_FIELD_IN_LIST, 6, 7);
    select_fails("55 10 00 00 00 00 00 00 08 00", speed, 8, ASC_INVALID_FIELD_IN_LIST, 3, 3);
    select_fails("55 10 00 00 00 00 00 00 08 00", buffered, 8, ASC_INVALID_FIELD_IN_LIST, 3, 6);
    select_fails("55 10 00 00 00 00 00 00 10 00", density, 16, ASC_INVALID_FIELD_IN_LIST, 8, 7);
    rig_cdb(rig.a, DRIVE, "05 00 00 00 00 00", NULL, 0, 6);
    if (get_be24(answer.in + 1) < 0xffffff)
        select_fails("55 10 00 00 00 00 00 00 10 00", too_long, 16, ASC_INVALID_FIELD_IN_LIST, 13,
                     7);
    select_fails("55 10 00 00 00 00 00 00 0c 00", density, 12, ASC_LIST_LENGTH_ERROR, 0, 0);
    rig_cdb(rig.a, DRIVE, "5a 10 00 00 00 00 00 00 ff 00", NULL, 0, 255); /* LLBAA */
    CU_ASSERT_EQUAL(answer.in[4], 0);
    CU_ASSERT_EQUAL(get_be16(answer.in + 6), 8);
    rig_cdb(rig.a, DRIVE, "5a 08 00 00 00 00 00 00 ff 00", NULL, 0, 255); /* DBD */
    CU_ASSERT_EQUAL(answer.in_len, 8);
    rig_stop();
}

/* Others learn of a change, once; who made it does not, and one that changes nothing is none. */
static void test_attention(void)
{
    rig_start();
    CU_ASSERT_EQUAL(set_byte(DRIVE, false, 0x10, 1, 7, 1), SCSI_GOOD);
    CU_ASSERT_EQUAL(set_byte(DRIVE, false, 0x10, 1, 7, 2), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MODE_CHANGED);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    CU_ASSERT_EQUAL(set_byte(DRIVE, false, 0x10, 1, 7, 2), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_stop();
}

/* Either software write protection keeps the medium as it is. */
static void test_software_protection(void)
{
    rig_start();
    rig_load(1);
    CU_ASSERT_EQUAL(set_byte(DRIVE, false, 0x10, 0, 10, 0x1c), SCSI_GOOD);
    write_block(100, 1);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WRITE_PROTECTED | 2);
    rig_cdb(rig.a, DRIVE, "1a 08 00 00 04 00", NULL, 0, 4);
    CU_ASSERT_EQUAL(answer.in[2], 0x90); /* WP, buffered */
    CU_ASSERT_EQUAL(set_byte(DRIVE, false, 0x10, 0, 10, 0x18), SCSI_GOOD);
    CU_ASSERT_EQUAL(write_block(100, 1), SCSI_GOOD);
    rig_stop();
}

/* SCSIP=0: no host sets the clock. */
static void test_clock_protected(void)
{
    static const uint8_t clock[12] = {0, 0, 0, 0, 1};

    rig_start();
    CU_ASSERT_EQUAL(set_byte(DRIVE, false, 0x0a, 1, 4, 0x04), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "a4 0f 00 00 00 00 00 00 00 0c 00 00", clock, 12, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(set_byte(DRIVE, false, 0x0a, 1, 4, 0x06), SCSI_GOOD);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "a4 0f 00 00 00 00 00 00 00 0c 00 00", clock, 12, 0),
                    SCSI_GOOD);
    rig_stop();
}

/* ---- TapeAlert and informational exceptions -------------------------------------------------- */

/* Select page 1Ch with TEST and this flag. */
static uint8_t test_exception(uint8_t flags, uint8_t method, int32_t flag)
{
    uint8_t list[20] = {0, 0, 0, 0x10, 0, 0, 0, 0, 0x1c, 0x0a, flags, method};

    put_be32(list + 16, (uint32_t)flag);
    return rig_cdb(rig.a, DRIVE, "55 10 00 00 00 00 00 00 14 00", list, 20, 0);
}

/* The flag in page 2Eh as the nexus sees it; reading takes it. */
static unsigned alert_of(struct scsi_nexus *nexus, unsigned flag)
{
    CU_ASSERT_EQUAL(rig_cdb(nexus, DRIVE, "4d 00 6e 00 00 00 00 10 00 00", NULL, 0, 4096),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 64 * 5);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4 + (flag - 1) * 5), flag);
    return answer.in[4 + (flag - 1) * 5 + 4];
}

static void test_alerts(void)
{
    rig_start();
    CU_ASSERT_EQUAL(test_exception(0x0c, 4, 5), SCSI_GOOD); /* TEST, DEXCPT: only the flag */
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    rig_cdb(rig.a, DRIVE, "4d 00 52 00 00 00 00 00 ff 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(answer.in_len, 16);
    CU_ASSERT_EQUAL(answer.in[8], 0x08); /* flag 5, not taken by this page */
    rig_cdb(rig.a, DRIVE, "4d 00 51 00 00 00 00 00 ff 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(answer.in[8 + 3], 0x02); /* TAFC: somebody is to look */
    rig_cdb(rig.a, DRIVE, "4d 00 6e 00 00 00 00 00 04 00", NULL, 0, 4); /* how long is it? */
    CU_ASSERT_EQUAL(get_be16(answer.in + 2), 64 * 5);
    CU_ASSERT_EQUAL(alert_of(rig.a, 5), 1);
    rig_cdb(rig.a, DRIVE, "4d 00 51 00 00 00 00 00 ff 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(answer.in[8 + 3], 0x00);
    CU_ASSERT_EQUAL(alert_of(rig.a, 5), 0);
    CU_ASSERT_EQUAL(alert_of(rig.b, 5), 1);
    CU_ASSERT_EQUAL(test_exception(0x0c, 4, 5), SCSI_GOOD);
    CU_ASSERT_EQUAL(test_exception(0x0c, 4, -5), SCSI_GOOD);
    CU_ASSERT_EQUAL(alert_of(rig.a, 5), 0);
    CU_ASSERT_EQUAL(set_byte(DRIVE, false, 0x10, 1, 4, 0x01), SCSI_GOOD); /* TAPLSD */
    CU_ASSERT_EQUAL(test_exception(0x0c, 4, 5), SCSI_GOOD);
    CU_ASSERT_EQUAL(alert_of(rig.a, 5), 1);
    CU_ASSERT_EQUAL(alert_of(rig.a, 5), 1);
    rig_good(DRIVE, "4c 02 6e 00 00 00 00 00 00 00"); /* LOG SELECT, PCR */
    CU_ASSERT_EQUAL(alert_of(rig.a, 5), 0);
    CU_ASSERT_EQUAL(test_exception(0x0c, 4, 5), SCSI_GOOD);
    rig_load(0); /* another medium */
    CU_ASSERT_EQUAL(alert_of(rig.a, 5), 0);
    rig_stop();
}

/* A host that comes later finds what is still wrong. */
static void test_alert_for_newcomer(void)
{
    struct error err = ERROR_INIT;
    struct scsi_nexus *c;

    rig_start();
    CU_ASSERT_EQUAL(test_exception(0x0c, 4, 32767), SCSI_GOOD); /* all */
    CHECK_OK(scsi_nexus_create(rig.target, "iqn.test:c,i,0x1", &c, &err), err);
    CU_ASSERT_EQUAL(alert_of(rig.a, 9), 1);
    rig_cdb(c, DRIVE, TUR, NULL, 0, 0); /* power on */
    CU_ASSERT_EQUAL(alert_of(c, 9), 1);
    scsi_nexus_destroy(c);
    rig_stop();
}

static void test_methods(void)
{
    rig_start();
    rig_load(0);
    CU_ASSERT_EQUAL(test_exception(0x04, 2, 0), SCSI_GOOD); /* unit attention, to everybody */
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_FALSE_PREDICTION);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_FALSE_PREDICTION);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MODE_CHANGED);
    CU_ASSERT_EQUAL(test_exception(0x04, 3, 0), SCSI_GOOD); /* PER=0: untold */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(set_byte(DRIVE, false, 0x01, 0, 2, 0x2c), SCSI_CHECK_CONDITION);
    CHECK_SENSE(KEY_RECOVERED_ERROR, ASC_FALSE_PREDICTION); /* PER is set, so this command tells */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    test_exception(0x04, 4, 0);
    CHECK_SENSE(KEY_RECOVERED_ERROR, ASC_FALSE_PREDICTION);
    test_exception(0x04, 5, 0);
    CHECK_SENSE(KEY_NO_SENSE, ASC_FALSE_PREDICTION);
    CU_ASSERT_EQUAL(test_exception(0x04, 6, 4), SCSI_GOOD); /* by a true flag, on request */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "03 00 00 00 12 00", NULL, 0, 18);
    CU_ASSERT_EQUAL(answer.in[2], KEY_NO_SENSE);
    CU_ASSERT_EQUAL(get_be16(answer.in + 12), ASC_FAILURE_PREDICTION);
    rig_cdb(rig.a, DRIVE, "03 00 00 00 12 00", NULL, 0, 18);
    CU_ASSERT_EQUAL(get_be16(answer.in + 12), 0);            /* once */
    CU_ASSERT_EQUAL(page_of(DRIVE, CURRENT, 0x1c, 0)[2], 0); /* TEST does not stay */
    rig_stop();
}

static void test_refusals(void)
{
    rig_start();
    test_exception(0x0c, 4, 0); /* TEST and DEXCPT */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    CU_ASSERT_TRUE(field_is(8 + 2, -1));
    test_exception(0x00, 7, 0); /* no such method */
    CU_ASSERT_TRUE(field_is(8 + 3, -1));
    test_exception(0x04, 4, 60 + 40); /* no such flag */
    CU_ASSERT_TRUE(field_is(8 + 8, -1));
    rig_stop();
}

/* INTERVAL TIMER repeats it, REPORT COUNT times. */
static void test_interval(void)
{
    uint8_t list[20] = {0, 0, 0, 0x10, 0, 0, 0, 0, 0x1c, 0x0a, 0x00, 0x05};
    struct error err = ERROR_INIT;
    unsigned told = 0;

    rig_start();
    rig_load(1);
    put_be32(list + 12, 1); /* 100 ms */
    put_be32(list + 16, 2);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "55 10 00 00 00 00 00 00 14 00", list, 20, 0), SCSI_GOOD);
    write_block(100, 1);
    rig_store_fault = ERR_IO; /* a true condition */
    rig_cdb(rig.a, DRIVE, "10 00 00 00 00 00", NULL, 0, 0);
    rig_store_fault = 0;
    for (int i = 0; i < 50; i++) {
        if (rig_cdb(rig.a, DRIVE, "1b 00 00 00 01 00", NULL, 0, 0) == SCSI_CHECK_CONDITION &&
            get_be16(answer.sense + 12) == ASC_FAILURE_PREDICTION)
            told++;
        usleep(10000);
    }
    CU_ASSERT_EQUAL(told, 2);
    put_be32(list + 16, 0); /* without end; and who asks for data gets them with it */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "55 10 00 00 00 00 00 00 14 00", list, 20, 0), SCSI_GOOD);
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(2), &err), err);
    rig_load(0);
    write_block(100, 1);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, "10 00 00 00 00 00", NULL, 0, 0);
    rig_store_fault = 0;
    rig_cdb(rig.a, DRIVE, "12 00 00 00 60 00", NULL, 0, 96); /* never by INQUIRY */
    CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "4d 00 40 00 00 00 00 00 ff 00", NULL, 0, 255);
    CHECK_SENSE(KEY_NO_SENSE, ASC_FAILURE_PREDICTION);
    CU_ASSERT_EQUAL(answer.in_len, 4u + get_be16(answer.in + 2));
    rig_stop();
}

static const struct check_test tests[] = {
    {"all_pages", test_all_pages},
    {"six_bytes", test_six_bytes},
    {"masks", test_masks},
    {"defaults", test_defaults},
    {"saved", test_saved},
    {"save_current", test_save_current},
    {"select_headers", test_select_headers},
    {"attention", test_attention},
    {"software_protection", test_software_protection},
    {"clock_protected", test_clock_protected},
    {"alerts", test_alerts},
    {"alert_for_newcomer", test_alert_for_newcomer},
    {"methods", test_methods},
    {"refusals", test_refusals},
    {"interval", test_interval},
};

CHECK_MAIN("mode", tests)
