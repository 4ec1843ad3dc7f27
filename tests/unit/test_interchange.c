/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_interchange.c - the formats against streams written by hand from their descriptions, round
 * trips of everything, and streams that are wrong.
 */
#include "tests/unit/test_interchange.h"

/* ---- golden streams ---------------------------------------------------------------------- */

/* Blocks "abc" and "wxyz", a tape mark, "Q", two tape marks. */
#define GOLDEN_TAPE "3:abc 4:wxyz f 1:Q ff"

static const uint8_t golden_tap[] = {
    3, 0, 0, 0, 'a', 'b', 'c', 0,   3,    0,    0,    0,    /* odd: padded */
    4, 0, 0, 0, 'w', 'x', 'y', 'z', 4,    0,    0,    0,    /* even */
    0, 0, 0, 0,                                             /* tape mark */
    1, 0, 0, 0, 'Q', 0,   1,   0,   0,    0,                /* odd */
    0, 0, 0, 0, 0,   0,   0,   0,   0xff, 0xff, 0xff, 0xff, /* two, end of medium */
};

static const uint8_t golden_aws[] = {
    3, 0, 0, 0, 0xa0, 0, 'a', 'b', 'c',               /* */
    4, 0, 3, 0, 0xa0, 0, 'w', 'x', 'y', 'z',          /* */
    0, 0, 4, 0, 0x40, 0,                              /* tape mark */
    1, 0, 0, 0, 0xa0, 0, 'Q',                         /* */
    0, 0, 1, 0, 0x40, 0, 0,   0,   0,   0,   0x40, 0, /* two */
};

static void test_golden(void)
{
    static const struct {
        const char *format;
        const uint8_t *data;
        size_t len;
    } golden[] = {{"tap", golden_tap, sizeof(golden_tap)}, {"aws", golden_aws, sizeof(golden_aws)}};

    for (size_t i = 0; i < 2; i++) {
        struct interchange_report report;
        struct tape t = tape_new(0);
        struct bytes out = {0};

        CHECK_OK(import_bytes(&t, NULL, golden[i].data, golden[i].len, 1, &report, &err), err);
        CHECK_TAPE(t.cartridge, GOLDEN_TAPE);
        CU_ASSERT_EQUAL(report.blocks, 3);
        CU_ASSERT_EQUAL(report.filemarks, 3);
        CU_ASSERT_EQUAL(report.stream_bytes, golden[i].len);
        CHECK_OK(export_bytes(&t, golden[i].format, &out, &report, &err), err);
        CU_ASSERT_EQUAL_FATAL(out.len, golden[i].len);
        CU_ASSERT_EQUAL(memcmp(out.data, golden[i].data, out.len), 0);
        tape_end(&t);
        free(out.data);
    }
}

/* What readers must cope with and our writer does not make. */
static void test_tap_oddities(void)
{
    static const uint8_t stream[] = {
        0xfe, 0xff, 0xff, 0xff,                                 /* erase gap */
        0xff, 0xff, 0xfe, 0xff, 0xff, 0xff,                     /* from its middle */
        1,    0,    0,    0,    'a',  0,    1,   0,    0, 0,    /* */
        2,    0,    0,    0x80, 'b',  'd',  2,   0,    0, 0x80, /* bad data */
        0,    0,    0,    0x80, 0,    0,    0,   0x80,          /* ... of which none is left */
        2,    0,    0,    0xe0, 'n',  'o',  2,   0,    0, 0xe0, /* description */
        7,    0,    0,    0x70,                                 /* private marker */
        0,    0,    0,    0,                                    /* */
        0xff, 0xff, 0xff, 0xff, 'j',  'u',  'n', 'k',           /* behind the end */
    };
    struct interchange_report report;
    struct tape t = tape_new(0);

    CHECK_OK(import_bytes(&t, "tap", stream, sizeof(stream), 3, &report, &err), err);
    CHECK_TAPE(t.cartridge, "1:a 2:bd f");
    CU_ASSERT_EQUAL(report.bad, 2);
    CU_ASSERT_EQUAL(report.skipped, 1);
    CU_ASSERT_EQUAL(t.warnings, 3);
    tape_end(&t);
}

/* A block over three chunks, as HET and AWSTAPE have it; the last empty would be wrong. */
static void test_aws_chunks(void)
{
    static const uint8_t stream[] = {
        2, 0, 0, 0, 0x80, 0, 'a', 'b', 1, 0, 2, 0,    0, 0,   'c',
        1, 0, 1, 0, 0x20, 0, 'd', 1,   0, 1, 0, 0xa0, 0, 'e',
    };
    struct interchange_report report;
    struct tape t = tape_new(0);

    CHECK_OK(import_bytes(&t, "aws", stream, sizeof(stream), 4, &report, &err), err);
    CHECK_TAPE(t.cartridge, "4:abcd 1:e");
    tape_end(&t);
}

/* Twenty times 'A' as a zlib stream (RFC 1950): head, fixed codes with one match, Adler-32. */
static void test_het_zlib(void)
{
    static const uint8_t stream[] = {
        11,   0,    0,    0,    0xa1, 0, /* */
        0x78, 0x9c, 0x73, 0x74, 0xc4, 0x04, 0x00, 0x35, 0x66, 0x05, 0x15,
    };
    struct interchange_report report;
    struct tape t = tape_new(0);

    CHECK_OK(import_bytes(&t, NULL, stream, sizeof(stream), 7, &report, &err), err);
    CHECK_TAPE(t.cartridge, "20:AAAAAAAAAAAAAAAAAAAA");
    tape_end(&t);
}

/* ---- round trips ------------------------------------------------------------------------- */

static void check_round_trip(const char *format, const char *letters, const char *again)
{
    struct interchange_report report;
    struct tape from = tape_new(0), to = tape_new(0);
    struct bytes out = {0};

    tape_write(from.cartridge, letters);
    CHECK_OK(export_bytes(&from, format, &out, &report, &err), err);
    CHECK_OK(import_bytes(&to, again, out.data, out.len, 70001, &report, &err), err);
    CHECK_SAME(from.cartridge, to.cartridge);
    tape_end(&from);
    tape_end(&to);
    free(out.data);
}

static void test_round_trips(void)
{
    static const char *const formats[] = {"capstan", "tap", "aws", "het"};
    /* digits: blocks of lengths.h; f: a filemark */
    static const char *const tapes[] = {"0",  "f",         "ff",       "0f",
                                        "f0", "01234567f", "7ff00ff7", "ffff0"};

    for (size_t f = 0; f < 4; f++) {
        for (size_t t = 0; t < 8; t++) {
            check_round_trip(formats[f], tapes[t], NULL);
            check_round_trip(formats[f], tapes[t], formats[f]);
        }
        check_round_trip(formats[f], "8f1", formats[f]); /* 16 MiB - 1 */
        check_round_trip(formats[f], "8f1", NULL);
    }
    check_round_trip("capstan", "", NULL);
    check_round_trip("tap", "", NULL);
    check_round_trip("aws", "", "aws");
}

static void test_raw(void)
{
    struct interchange_report report;
    struct tape t = tape_new(0);
    struct bytes out = {0};
    uint8_t stream[10240];

    memset(stream, 'r', sizeof(stream));
    CHECK_OK(import_bytes(&t, "raw", stream, 2500, 999, &report, &err), err); /* blocks of 1,024 */
    CU_ASSERT_EQUAL(report.blocks, 3);
    CHECK_OK(export_bytes(&t, "raw", &out, &report, &err), err);
    CU_ASSERT_EQUAL(out.len, 2500);
    free(out.data);
    out = (struct bytes){0};
    CHECK_OK(cartridge_write_filemarks(t.cartridge, 2, NULL, &err), err);
    CHECK_OK(export_bytes(&t, "raw", &out, &report, &err), err); /* nothing follows: one file */
    CHECK_OK(cartridge_write(t.cartridge, "zz", 2, NULL, &err), err);
    CHECK_FAILS(export_bytes(&t, "raw", &out, &report, &err), ERR_UNSUPPORTED, err);
    free(out.data);
    out = (struct bytes){0};
    t.file = 2;
    CHECK_OK(export_bytes(&t, "raw", &out, &report, &err), err);
    CU_ASSERT_EQUAL(out.len, 2);
    free(out.data);
    tape_end(&t);
}

/* The identity, attributes and the tab go with our own format. */
static void test_capstan_all(void)
{
    struct interchange_report report;
    struct tape from = tape_new(0), to = tape_new(0);
    struct bytes out = {0};
    char text[16];
    size_t len = sizeof(text);

    tape_write(from.cartridge, "0f1");
    CHECK_OK(cartridge_attribute_set(from.cartridge, 0, 0x0803, "label", 5, &err), err);
    CHECK_OK(cartridge_attribute_set(from.cartridge, 0, 0xffff, "", 0, &err), err);
    CHECK_OK(cartridge_set_protected(from.cartridge, true, &err), err);
    CHECK_OK(export_bytes(&from, "capstan", &out, &report, &err), err);
    CHECK_OK(import_bytes(&to, NULL, out.data, out.len, 1000, &report, &err), err);
    CU_ASSERT_EQUAL(to.was.density, 0x5e);
    CU_ASSERT_EQUAL(to.was.segment_size, cartridge_identity(from.cartridge)->segment_size);
    CU_ASSERT_EQUAL(to.was.capacity, cartridge_identity(from.cartridge)->capacity);
    CU_ASSERT_STRING_EQUAL(to.was.barcode, "FROM01L8");
    CU_ASSERT(cartridge_protected(to.cartridge));
    CHECK_OK(cartridge_attribute_get(to.cartridge, 0, 0x0803, text, &len, &err), err);
    CU_ASSERT_EQUAL(len, 5);
    CU_ASSERT_EQUAL(memcmp(text, "label", 5), 0);
    tape_end(&from);
    tape_end(&to);
    free(out.data);
}

/* So do the partitions, with what is on them; other formats have no place for that. */
static void test_capstan_partitions(void)
{
    struct interchange_report report;
    struct tape from = tape_new(0), to = tape_new(0);
    uint64_t half = cartridge_identity(from.cartridge)->capacity / 4;
    struct bytes out = {0};
    struct cartridge_position pos;
    char text[16];
    size_t len = sizeof(text);

    CHECK_OK(cartridge_format(from.cartridge, (uint64_t[]){half, 2 * half}, 2, &err), err);
    tape_write(from.cartridge, "0f1");
    CHECK_OK(cartridge_locate(from.cartridge, 1, 0, &err), err);
    tape_write(from.cartridge, "2f3f");
    CHECK_OK(cartridge_attribute_set(from.cartridge, 1, 0x0803, "label", 5, &err), err);
    CHECK_FAILS(export_bytes(&from, "raw", &out, &report, &err), ERR_UNSUPPORTED, err);
    free(out.data);
    out = (struct bytes){0};
    CHECK_OK(export_bytes(&from, "capstan", &out, &report, &err), err);
    CHECK_OK(import_bytes(&to, NULL, out.data, out.len, 1000, &report, &err), err);
    CU_ASSERT_EQUAL(cartridge_partition_count(to.cartridge), 2);
    CU_ASSERT_EQUAL(cartridge_partition_capacity(to.cartridge, 1), 2 * half);
    CHECK_OK(cartridge_locate(to.cartridge, 1, 0, &err), err);
    cartridge_tell(to.cartridge, &pos);
    CU_ASSERT_EQUAL(pos.eod_lba, 4);
    CHECK_OK(cartridge_locate(to.cartridge, 0, 0, &err), err);
    cartridge_tell(to.cartridge, &pos);
    CU_ASSERT_EQUAL(pos.eod_lba, 3);
    CHECK_OK(cartridge_attribute_get(to.cartridge, 1, 0x0803, text, &len, &err), err);
    CHECK_FAILS(cartridge_attribute_get(to.cartridge, 0, 0x0803, text, &len, &err), ERR_NOT_FOUND,
                err);
    tape_end(&from);
    tape_end(&to);
    free(out.data);
}

/* ---- wrong streams ----------------------------------------------------------------------- */

/* Wherever it is cut, and whatever byte is wrong: our own format notices. */
static void test_capstan_damage(void)
{
    struct interchange_report report;
    struct tape from = tape_new(0);
    struct bytes out = {0};

    tape_write(from.cartridge, "1ff2");
    CHECK_OK(cartridge_attribute_set(from.cartridge, 0, 0x0803, "label", 5, &err), err);
    CHECK_OK(export_bytes(&from, "capstan", &out, &report, &err), err);
    for (size_t at = 0; at <= out.len; at++) {
        struct tape to = tape_new(0);
        int rc;

        if (at < out.len)
            CU_ASSERT_NOT_EQUAL(import_bytes(&to, "capstan", out.data, at, 64, &report, &err), 0);
        out.data[at] ^= 1; /* at the end: one byte more */
        rc = import_bytes(&to, "capstan", out.data, out.len + (at == out.len), 64, &report, &err);
        CU_ASSERT_NOT_EQUAL(rc, 0);
        if (rc == 0)
            printf("\n    byte %zu\n", at);
        out.data[at] ^= 1;
        tape_end(&to);
    }
    tape_end(&from);
    free(out.data);
}

struct wrong {
    const char *format;
    const char *says; /* a part of the sentence */
    size_t len;
    uint8_t data[40];
};

static void test_wrong_streams(void)
{
    static const struct wrong all[] = {
        {"tap", "truncated", 2, {1, 0}},
        {"tap", "truncated", 6, {9, 0, 0, 0, 'a', 'b'}},
        {"tap", "truncated", 8, {1, 0, 0, 0, 'a', 0, 1, 0}},
        {"tap", "byte 4 of", 14, {0, 0, 0, 0, 1, 0, 0, 0, 'a', 0, 2, 0, 0, 0}},
        {"tap", "90000001h at byte 0", 10, {1, 0, 0, 0x90, 'a', 0, 1, 0, 0, 0x90}},
        {"tap", "truncated", 4, {0xff, 0xff, 0xff, 0}},
        {"aws", "truncated", 3, {1, 0, 0}},
        {"aws", "truncated", 7, {5, 0, 0, 0, 0xa0, 0, 'a'}},
        {"aws", "contradicts the one before", 13, {1, 0, 0, 0, 0xa0, 0, 'a', 1, 0, 2, 0, 0xa0, 0}},
        {"aws", "truncated", 7, {1, 0, 0, 0, 0x80, 0, 'a'}},
        {"aws", "another chunk", 13, {1, 0, 0, 0, 0x80, 0, 'a', 0, 0, 1, 0, 0x40, 0}},
        {"aws", "makes no sense", 7, {1, 0, 0, 0, 0x20, 0, 'a'}},
        {"aws", "makes no sense", 7, {1, 0, 0, 0, 0x40, 0, 'a'}},
        {"aws", "makes no sense", 6, {0, 0, 0, 0, 0xa0, 0}},
        {"aws", "--format het", 7, {1, 0, 0, 0, 0xa1, 0, 'a'}},
        {"het", "bzip2", 7, {1, 0, 0, 0, 0xa2, 0, 'a'}},
        {"het", "Bus-Tech", 7, {1, 0, 0, 0, 0xa0, 0x80, 'a'}},
        {"het", "can't be unpacked", 7, {1, 0, 0, 0, 0xa1, 0, 'a'}},
        {"het", "only in part", 14, {1, 0, 0, 0, 0x81, 0, 'x', 1, 0, 1, 0, 0x20, 0, 'a'}},
        {NULL, "format", 4, {'j', 'u', 'n', 'k'}},
        {NULL, "empty", 0, {0}},
        {"capstan", "truncated", 4, {'C', 'A', 'P', 'T'}},
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct interchange_report report;
        struct tape t = tape_new(0);
        int rc;

        err.message[0] = '\0';
        rc = import_bytes(&t, all[i].format, all[i].data, all[i].len, 5, &report, &err);
        CU_ASSERT_NOT_EQUAL(rc, 0);
        if (!rc || !strstr(err.message, all[i].says)) {
            printf("\n    %zu: %d %s\n", i, rc, err.message);
            CU_FAIL("not the sentence expected");
        }
        tape_end(&t);
    }
}

/* A block that unpacks to more than a block; more marks than the tape has room for. */
static void test_bombs(void)
{
    struct interchange_report report;
    struct tape t = tape_new(0), small = tape_new(64 * 1000);
    struct bytes out = bomb();
    uint8_t *marks = calloc(1, 8192);

    CHECK_FAILS(import_bytes(&t, "het", out.data, out.len, 4096, &report, &err), ERR_CORRUPT, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "more than a block"));
    CHECK_FAILS(import_bytes(&small, "tap", marks, 8192, 4096, &report, &err), ERR_END_OF_TAPE,
                err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "full at byte"));
    free(marks);
    free(out.data);
    tape_end(&t);
    tape_end(&small);
}

/* A damaged block: tap says so and goes on, the others refuse. */
static void test_damaged_cartridge(void)
{
    struct interchange_report report;
    struct tape t = tape_new(0), to = tape_new(0);
    struct bytes out = {0}, none = {0};

    tape_write(t.cartridge, "3f3");
    tape_damage(&t);
    CHECK_FAILS(export_bytes(&t, "aws", &none, &report, &err), ERR_CORRUPT, err);
    CHECK_OK(export_bytes(&t, "tap", &out, &report, &err), err);
    CU_ASSERT_EQUAL(report.bad, 1);
    CU_ASSERT_EQUAL(report.blocks, 1);
    CHECK_OK(import_bytes(&to, NULL, out.data, out.len, 100, &report, &err), err);
    CU_ASSERT_EQUAL(report.bad, 1);
    CU_ASSERT_EQUAL(report.blocks, 1);
    tape_end(&t);
    tape_end(&to);
    free(out.data);
    free(none.data);
}

static const struct check_test tests[] = {
    {"golden", test_golden},
    {"tap_oddities", test_tap_oddities},
    {"aws_chunks", test_aws_chunks},
    {"het_zlib", test_het_zlib},
    {"round_trips", test_round_trips},
    {"raw", test_raw},
    {"capstan_all", test_capstan_all},
    {"capstan_partitions", test_capstan_partitions},
    {"capstan_damage", test_capstan_damage},
    {"wrong_streams", test_wrong_streams},
    {"bombs", test_bombs},
    {"damaged_cartridge", test_damaged_cartridge},
};

CHECK_MAIN("interchange", tests)
