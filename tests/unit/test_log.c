/* SPDX-License-Identifier: Apache-2.0 */
/* test_log.c - log pages: what they say, and what hosts may set of them. */
#include "common/checked.h"
#include "tests/unit/drive_rig.h"

enum { THRESHOLD, CUMULATIVE, DEFAULT_THRESHOLD, DEFAULT_CUMULATIVE };

static uint8_t log_sense(unsigned lun, unsigned pc, unsigned page, unsigned subpage, unsigned first)
{
    uint8_t cdb[10] = {0x4d, 0, (uint8_t)(pc << 6 | page), (uint8_t)subpage, 0, 0, 0, 0x40, 0};

    put_be16(cdb + 5, (uint16_t)first);
    return rig_send(rig.a, lun, cdb, 10, NULL, 0, 16384);
}

/* The parameter with this code in the last answer; NULL: it has none. */
static const uint8_t *parameter(unsigned code)
{
    for (size_t at = 4; at + 4 <= answer.in_len; at += 4u + answer.in[at + 3]) {
        if (get_be16(answer.in + at) == code)
            return answer.in + at;
    }
    return NULL;
}

static uint64_t value(unsigned pc, unsigned page, unsigned code)
{
    const uint8_t *p;
    uint64_t v = 0;

    CU_ASSERT_EQUAL(log_sense(DRIVE, pc, page, 0, 0), SCSI_GOOD);
    p = parameter(code);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    for (unsigned i = 0; i < p[3]; i++)
        v = v << 8 | p[4 + i];
    return v;
}

static uint8_t log_select(unsigned pc, const uint8_t *list, size_t len, bool save)
{
    uint8_t cdb[10] = {0x4c, save, (uint8_t)(pc << 6)};

    put_be16(cdb + 7, (uint16_t)len);
    return rig_send(rig.a, DRIVE, cdb, 10, list, len, 0);
}

/* One counter of 8 bytes. */
static uint8_t set_counter(unsigned pc, uint8_t page, unsigned code, uint8_t control, uint64_t v,
                           bool save)
{
    uint8_t list[16] = {page, 0, 0, 12};

    put_be16(list + 4, (uint16_t)code);
    list[6] = control;
    list[7] = 8;
    put_be64(list + 8, v);
    return log_select(pc, list, 16, save);
}

static void other_is_told(unsigned code)
{
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, code);
}

/* ---- pages ----------------------------------------------------------------------------------- */

/* Page 00h names them in rising order, 00h/FFh with their subpages; each page is whole, and its
 * parameters rise. */
static void test_supported(void)
{
    static const uint8_t wanted[] = {0x00, 0x02, 0x03, 0x06, 0x0c, 0x0d, 0x11, 0x12,
                                     0x13, 0x14, 0x16, 0x17, 0x1a, 0x1b, 0x2d, 0x2e,
                                     0x30, 0x31, 0x32, 0x33, 0x34, 0x37, 0x38, 0x39};
    uint8_t codes[64], pairs[256];
    unsigned count, pair_count;

    rig_start();
    rig_load(0);
    log_sense(DRIVE, CUMULATIVE, 0, 0, 0);
    count = get_be16(answer.in + 2);
    memcpy(codes, answer.in + 4, count);
    for (size_t i = 0; i < sizeof(wanted); i++)
        CU_ASSERT_PTR_NOT_NULL(memchr(codes, wanted[i], count));
    log_sense(DRIVE, CUMULATIVE, 0, 0xff, 0);
    CU_ASSERT_EQUAL(answer.in[0], 0x40);
    CU_ASSERT_EQUAL(answer.in[1], 0xff);
    pair_count = get_be16(answer.in + 2);
    memcpy(pairs, answer.in + 4, pair_count);
    for (unsigned i = 2; i < pair_count; i += 2)
        CU_ASSERT(get_be16(pairs + i) > get_be16(pairs + i - 2));
    for (unsigned i = 0; i < pair_count; i += 2) {
        long last = -1;
        size_t at = 4;

        CU_ASSERT_EQUAL(log_sense(DRIVE, CUMULATIVE, pairs[i], pairs[i + 1], 0), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in[0] & 0x3f, pairs[i]);
        CU_ASSERT_EQUAL(answer.in_len, 4u + get_be16(answer.in + 2));
        if (pairs[i] == 0 || pairs[i + 1] == 0xff)
            continue;
        for (; at < answer.in_len; at += 4u + answer.in[at + 3]) {
            CU_ASSERT(get_be16(answer.in + at) > last);
            last = get_be16(answer.in + at);
        }
        CU_ASSERT_EQUAL(at, answer.in_len);
    }
    log_sense(DRIVE, CUMULATIVE, 0x02, 0xff, 0); /* the subpages of one page */
    CU_ASSERT_EQUAL(answer.in_len, 8);
    CU_ASSERT_EQUAL(memcmp(answer.in, "\x42\xff\x00\x04\x02\x00\x02\xff", 8), 0);
    rig_stop();
}

static void test_errors(void)
{
    rig_start();
    log_sense(DRIVE, CUMULATIVE, 0x3f, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(memcmp(answer.sense + 15, "\xcd\x00\x02", 3), 0);
    log_sense(DRIVE, CUMULATIVE, 0x02, 1, 0);
    CU_ASSERT_EQUAL(memcmp(answer.sense + 15, "\xcf\x00\x03", 3), 0);
    log_sense(DRIVE, CUMULATIVE, 0x02, 0, 7);
    CU_ASSERT_EQUAL(memcmp(answer.sense + 15, "\xcf\x00\x05", 3), 0);
    CU_ASSERT_EQUAL(log_sense(DRIVE, CUMULATIVE, 0x02, 0, 6), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 12);
    rig_stop();
}

/* What was written and read is counted, in the pages that have it. */
static void test_counts(void)
{
    rig_start();
    rig_load(1);
    for (int i = 0; i < 3; i++)
        write_block(1000, 1);
    rig_good(DRIVE, REWIND);
    read_block(1000, false);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x02, 5), 3000);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x03, 5), 1000);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x0c, 0), 3000);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x0c, 3), 1000);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x0d, 0), 0xff); /* no thermometer */
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x13, 0), 0);
    rig_stop();
}

/* ---- LOG SELECT ------------------------------------------------------------------------------ */

/* A reset is of the page it names, or of all; other pages go on counting the same bytes. */
static void test_reset(void)
{
    rig_start();
    rig_load(1);
    write_block(1000, 1);
    rig_good(DRIVE, "4c 02 42 00 00 00 00 00 00 00");
    other_is_told(ASC_LOG_CHANGED);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x02, 5), 0);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x0c, 0), 1000);
    write_block(500, 1);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x02, 5), 500);
    rig_good(DRIVE, "4c 00 c0 00 00 00 00 00 00 00"); /* default cumulative values, of all pages */
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x02, 5), 0);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x0c, 0), 0);
    rig_cdb(rig.a, DRIVE, "4c 02 7f 00 00 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "4c 02 42 00 00 00 00 00 04 00", "\2\0\0\0", 4, 0); /* PCR and a list */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(memcmp(answer.sense + 15, "\xc9\x00\x01", 3), 0);
    rig_stop();
}

static void test_set_value(void)
{
    rig_start();
    rig_load(1);
    write_block(1000, 1);
    CU_ASSERT_EQUAL(set_counter(CUMULATIVE, 0x02, 5, 0x20, 70000, false), SCSI_GOOD);
    other_is_told(ASC_LOG_CHANGED);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x02, 5), 70000);
    write_block(1000, 1);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x02, 5), 71000);
    CU_ASSERT_EQUAL(set_counter(CUMULATIVE, 0x02, 5, 0xa0, 5, false), SCSI_GOOD); /* DU */
    write_block(1000, 1);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x02, 5), 5);
    CU_ASSERT_EQUAL(parameter(5)[2], 0xa0);
    CU_ASSERT_EQUAL(set_counter(CUMULATIVE, 0x02, 5, 0x20, 5, false), SCSI_GOOD);
    write_block(1000, 1);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x02, 5), 1005);
    CU_ASSERT_EQUAL(value(DEFAULT_CUMULATIVE, 0x02, 5), 0);
    CU_ASSERT_EQUAL(value(THRESHOLD, 0x02, 5), UINT64_MAX);
    rig_stop();
}

/* D_SENSE off, RLEC on. */
static void report_log_exceptions(void)
{
    static const uint8_t list[20] = {0,    0,    0, 0x10, 0,    0, 0, 0,    0x0a,
                                     0x0a, 0x01, 0, 0x00, 0x40, 0, 0, 0xff, 0xff};

    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "55 10 00 00 00 00 00 00 14 00", list, 20, 0), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
}

static void test_threshold(void)
{
    rig_start();
    rig_load(1);
    report_log_exceptions();
    CU_ASSERT_EQUAL(set_counter(THRESHOLD, 0x02, 5, 0x3c, 2000, false), SCSI_GOOD); /* ETC, > */
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(value(THRESHOLD, 0x02, 5), 2000);
    write_block(2000, 1);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    write_block(1, 1);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_THRESHOLD_MET);
    other_is_told(ASC_THRESHOLD_MET);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD); /* it has not changed */
    rig_good(DRIVE, "4c 00 80 00 00 00 00 00 00 00");                   /* default thresholds */
    CU_ASSERT_EQUAL(value(THRESHOLD, 0x02, 5), UINT64_MAX);
    write_block(1, 1);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    rig_stop();
}

/* TMC: equal, and every change. */
static void test_criteria(void)
{
    rig_start();
    rig_load(1);
    report_log_exceptions();
    CU_ASSERT_EQUAL(set_counter(THRESHOLD, 0x02, 5, 0x34, 300, false), SCSI_GOOD); /* = */
    for (int i = 1; i <= 4; i++) {
        write_block(100, 1);
        CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0),
                        i == 3 ? SCSI_CHECK_CONDITION : SCSI_GOOD);
    }
    CU_ASSERT_EQUAL(set_counter(THRESHOLD, 0x02, 5, 0x30, 0, false), SCSI_GOOD); /* any */
    write_block(100, 1);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0), SCSI_CHECK_CONDITION);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    rig_stop();
}

/* A list with an error in its second parameter changes nothing, and says where. */
static void test_list_errors(void)
{
    static const struct {
        uint8_t list[32];
        unsigned len, code, byte;
    } cases[] = {
        {{0x02, 0, 0}, 3, ASC_LIST_LENGTH_ERROR, 0},
        {{0x02, 0, 0, 12, 0, 5, 0x20, 8}, 8, ASC_LIST_LENGTH_ERROR, 0},
        {{0x3e, 0, 0, 0}, 4, ASC_INVALID_FIELD_IN_LIST, 0},
        {{0x42, 1, 0, 0}, 4, ASC_INVALID_FIELD_IN_LIST, 0},
        {{0x02, 0, 0, 12, 0, 9, 0x20, 8}, 16, ASC_INVALID_FIELD_IN_LIST, 4},
        {{0x02, 0, 0, 12, 0, 5, 0x23, 8}, 16, ASC_INVALID_FIELD_IN_LIST, 6},
        {{0x02, 0, 0, 8, 0, 5, 0x20, 4}, 12, ASC_INVALID_FIELD_IN_LIST, 7},
        {{0x0d, 0, 0, 6, 0, 0, 0x23, 2}, 10, ASC_INVALID_FIELD_IN_LIST, 4}, /* a state */
        {{0x02, 0, 0, 24, 0, 5, 0x20, 8, 0, 0, 0, 0, 0, 0, 0, 9, 0, 9, 0x20, 8},
         28,
         ASC_INVALID_FIELD_IN_LIST,
         16},
    };

    rig_start();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint8_t *exact = malloc(cases[i].len);

        memcpy(exact, cases[i].list, cases[i].len);
        log_select(CUMULATIVE, exact, cases[i].len, false);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, cases[i].code);
        if (cases[i].byte)
            CU_ASSERT_EQUAL(get_be16(answer.sense + 16), cases[i].byte);
        free(exact);
    }
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x02, 5), 0);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_stop();
}

/* SP: values, thresholds and control bytes come back after a power cycle. */
static void test_saved(void)
{
    rig_start();
    CU_ASSERT_EQUAL(set_counter(CUMULATIVE, 0x03, 5, 0x20, 12345, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(set_counter(THRESHOLD, 0x03, 6, 0x3c, 2, true), SCSI_GOOD);
    CU_ASSERT_EQUAL(set_counter(CUMULATIVE, 0x02, 5, 0x20, 99, false), SCSI_GOOD); /* not saved */
    rig_restart();
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x03, 5), 12345);
    CU_ASSERT_EQUAL(value(THRESHOLD, 0x03, 6), 2);
    CU_ASSERT_EQUAL(parameter(6)[2], 0x3c);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x02, 5), 0);
    rig_load(1);
    write_block(10, 1);
    rig_good(DRIVE, REWIND);
    read_block(10, false);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x03, 5), 12355);
    rig_good(DRIVE, "4d 01 43 00 00 00 00 00 00 00"); /* LOG SENSE saves too */
    rig_restart();
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x03, 5), 12355);
    rig_stop();
}

/* ---- the lives of drive and volume ----------------------------------------------------------- */

/* Loads and power cycles of the drive go on counting over a power cycle; what the last mount moved
 * does not. */
static void test_drive_life(void)
{
    struct error err = ERROR_INIT;

    rig_start();
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x14, 0x00), 0);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x14, 0x0c), 1);
    rig_load(1);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x14, 0x00), 1);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x14, 0x0d), 1);
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), err);
    rig_restart();
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x14, 0x00), 1);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x14, 0x0c), 2);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x14, 0x0d), 0);
    rig_good(DRIVE, "4c 02 54 00 00 00 00 00 00 00"); /* a life is not reset */
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x14, 0x0c), 2);
    rig_stop();
}

/* The record of partition 0 in a parameter of page 17h. */
static uint64_t of_partition(unsigned code, unsigned bytes)
{
    const uint8_t *p;
    uint64_t v = 0;

    CU_ASSERT_EQUAL(log_sense(DRIVE, CUMULATIVE, 0x17, 0, 0), SCSI_GOOD);
    p = parameter(code);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT_EQUAL(p[3], 4 + bytes);
    CU_ASSERT_EQUAL(p[4], 3 + bytes);
    CU_ASSERT_EQUAL(get_be16(p + 6), 0);
    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | p[8 + i];
    return v;
}

static void test_volume(void)
{
    rig_start();
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x17, 0x00), 0); /* nothing is in it */
    CU_ASSERT_EQUAL(answer.in_len, 4 + 5);
    rig_load(0); /* 8 MiB */
    for (int i = 0; i < 3; i++)
        write_block(1000000, 1);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x17, 0x00), 1);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x17, 0x01), 1);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x17, 0x0e), 3);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x17, 0x10), 3);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x17, 0x16), 8);
    CU_ASSERT_EQUAL(of_partition(0x202, 4), 8);
    CU_ASSERT_EQUAL(of_partition(0x203, 4) + of_partition(0x204, 4), 8);
    CU_ASSERT_EQUAL(of_partition(0x200, 6), 0xffffffffffff);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x17, 0x12), 100); /* compression ratio: it is off */
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x17, 0x13), 0);   /* nothing was read */
    CU_ASSERT(value(CUMULATIVE, 0x17, 0x14) < 600000);   /* milliseconds since the load */
    log_sense(DRIVE, CUMULATIVE, 0x17, 0, 0x45);
    CU_ASSERT_EQUAL(memcmp(parameter(0x45) + 4, "Ultrium-8", 9), 0);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x31, 3), 8);
    rig_stop();
}

/* A page with a subpage: the list of its subpages, and SPF in each that is one. */
static void test_subpages(void)
{
    static const uint8_t pairs[] = {0x4d, 0xff, 0, 6, 0x0d, 0x00, 0x0d, 0x01, 0x0d, 0xff};

    rig_start();
    CU_ASSERT_EQUAL(log_sense(DRIVE, CUMULATIVE, 0x0d, 0xff, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, sizeof(pairs));
    CU_ASSERT_EQUAL(memcmp(answer.in, pairs, sizeof(pairs)), 0);
    CU_ASSERT_EQUAL(log_sense(DRIVE, CUMULATIVE, 0x0d, 0x01, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be16(answer.in), 0x4d01);
    CU_ASSERT_EQUAL(parameter(0x0000)[5], 0x80); /* no thermometer, no hygrometer */
    CU_ASSERT_EQUAL(parameter(0x0100)[5], 0xff);
    CU_ASSERT_EQUAL(log_sense(DRIVE, CUMULATIVE, 0x0d, 0x00, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be16(answer.in), 0x0d00);
    log_sense(DRIVE, CUMULATIVE, 0x0d, 0x02, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

/* Errors are of the volume, too, and stay with it. */
static void test_volume_errors(void)
{
    rig_start();
    rig_load(1);
    write_block(1000, 1);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, "10 00 00 00 00 00", NULL, 0, 0);
    rig_store_fault = 0;
    rig_good(DRIVE, REWIND);
    for (int load = 0; load < 2; load++) {
        CU_ASSERT_EQUAL(value(CUMULATIVE, 0x17, 0x04), 1);
        CU_ASSERT_EQUAL(value(CUMULATIVE, 0x30, 0x04), 1);
        CU_ASSERT_EQUAL(value(CUMULATIVE, 0x17, 0x0c), !load); /* of this mount */
        rig_cdb(rig.a, DRIVE, "1b 00 00 00 00 00", NULL, 0, 0);
        rig_good(DRIVE, "1b 00 00 00 01 00");
        rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    }
    rig_stop();
}

/* Page 38h: blocks and KiB of this load, and where the tape is. */
static void test_transferred(void)
{
    rig_start();
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x38, 0x0c), 0); /* nothing is in it */
    rig_load(0);                                       /* 8 MiB */
    for (int i = 0; i < 4; i++)
        write_block(1048576, 1);
    rig_good(DRIVE, REWIND);
    read_block(1048576, false);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x38, 0x00), 4);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x38, 0x01), 4096);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x38, 0x02), 1);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x38, 0x03), 1024);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x38, 0x05), 4096);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x38, 0x0c), 8192);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x38, 0x0d), 31); /* an eighth of 255 */
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x38, 0x0f), 31);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x38, 0x10), 4096);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x37, 0x01), 0); /* nobody knows how good the medium is */
    rig_good(DRIVE, "1b 00 00 00 00 00");
    rig_good(DRIVE, "1b 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x38, 0x00), 0);
    CU_ASSERT_EQUAL(value(CUMULATIVE, 0x38, 0x01), 0);
    rig_stop();
}

/* A hard error is noted with what was being done, and flags 3 and 6 come up. */
static void test_diagnostic_data(void)
{
    const uint8_t *p;

    rig_start();
    rig_load(1);
    log_sense(DRIVE, CUMULATIVE, 0x16, 0, 0);
    CU_ASSERT_EQUAL(answer.in_len, 4);
    write_block(1000, 1);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, "10 00 00 00 00 00", NULL, 0, 0);
    rig_store_fault = 0;
    log_sense(DRIVE, CUMULATIVE, 0x16, 0, 0);
    p = parameter(0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT_EQUAL(p[3], 68);
    CU_ASSERT_EQUAL(p[6], 0x5e);
    CU_ASSERT_EQUAL(p[13], KEY_MEDIUM_ERROR);
    CU_ASSERT_EQUAL(get_be16(p + 14), ASC_WRITE_ERROR);
    CU_ASSERT_EQUAL(p[28], 0x10);
    log_sense(DRIVE, CUMULATIVE, 0x12, 0, 0);
    CU_ASSERT_EQUAL(answer.in[8] & 0x24, 0x24);
    rig_stop();
}

static const struct check_test tests[] = {
    {"supported", test_supported},
    {"errors", test_errors},
    {"counts", test_counts},
    {"reset", test_reset},
    {"set_value", test_set_value},
    {"threshold", test_threshold},
    {"criteria", test_criteria},
    {"list_errors", test_list_errors},
    {"saved", test_saved},
    {"drive_life", test_drive_life},
    {"volume", test_volume},
    {"diagnostic_data", test_diagnostic_data},
    {"subpages", test_subpages},
    {"volume_errors", test_volume_errors},
    {"transferred", test_transferred},
};

CHECK_MAIN("log", tests)
