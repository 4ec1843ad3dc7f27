/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_interchange.c - the formats against streams written by hand from their descriptions, round
 * trips of everything, and streams that are wrong.
 */
#include "tests/unit/test_interchange.h"

#include "common/bytes.h"
#include "common/checked.h"
#include "common/crc32c.h"
#include "common/openssl.h"

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

static void put_old_record(struct bytes *out, uint8_t type, uint32_t value, uint64_t lba,
                           const void *payload, uint32_t len)
{
    uint8_t raw[32] = {0xa7, 0x5c, type};

    put_le32(raw + 4, len);
    put_le32(raw + 8, value);
    put_le64(raw + 12, lba);
    put_le32(raw + 20, crc32c(payload, len));
    put_le32(raw + 28, crc32c(raw, 28));
    CHECK_OK(bytes_write(out, raw, sizeof(raw), &err), err);
    CHECK_OK(bytes_write(out, payload, len, &err), err);
}

/* A stream as versions 1 and 2 of the format have it, by hand: it stays importable. */
static void test_capstan_old(void)
{
    for (uint32_t version = 1; version <= 2; version++) {
        uint8_t header[512] = "CAPTAPE\n", end[24 + 32] = {0}, digest[32];
        struct interchange_report report;
        struct tape to = tape_new(0);
        struct bytes out = {0};

        put_le32(header + 8, version);
        put_le32(header + 12, 512);
        memcpy(header + 32, "OLD001L8", 8);
        header[64] = 0x5e;
        put_le64(header + 72, 1 << 30);
        put_le32(header + 112, version == 2 ? 2 : 0);
        put_le64(header + 120, version == 2 ? 1 << 20 : 0);
        put_le64(header + 128, version == 2 ? 1 << 21 : 0);
        put_le32(header + 508, crc32c(header, 508));
        CHECK_OK(bytes_write(&out, header, sizeof(header), &err), err);
        put_old_record(&out, 3, 0x0803, 0, "label", 5);
        put_old_record(&out, 1, 0, 0, "abc", 3);
        put_old_record(&out, 2, 2, 1, "", 0);
        put_old_record(&out, 1, 0, 3, "wxyz", 4);
        EVP_Digest(out.data, out.len, digest, NULL, EVP_sha256(), NULL);
        put_le64(end, 2);
        put_le64(end + 8, 2);
        put_le64(end + 16, 7);
        memcpy(end + 24, digest, sizeof(digest));
        put_old_record(&out, 4, 0, 0, end, sizeof(end));
        CHECK_OK(import_bytes(&to, NULL, out.data, out.len, 77, &report, &err), err);
        CHECK_TAPE(to.cartridge, "3:abc ff 4:wxyz");
        CU_ASSERT_EQUAL(cartridge_partition_count(to.cartridge), version);
        tape_end(&to);
        free(out.data);
    }
}

/* What a drive may store: compressed, protected, encrypted, and plain between. */
static const struct cartridge_block forms[] = {
    {.length = 5, .stored = 5},
    {.length = 900, .stored = 40, .compression = CARTRIDGE_LZ4},
    {.length = 5, .stored = 5, .protection = 2, .protection_crc = 0x89abcdef},
    {.length = 700,
     .stored = 90,
     .compression = CARTRIDGE_ZSTD,
     .protection = 1,
     .protection_crc = 7},
    {.length = 5, .stored = 5, .protection = 1},
    {.length = 300, .stored = 390, .encryption = 1, .protection = 2},
    {.length = CARTRIDGE_BLOCK_MAX,
     .stored = CARTRIDGE_STORED_MAX,
     .compression = CARTRIDGE_LZ4,
     .encryption = 1},
};

static void write_forms(struct cartridge *c, size_t count)
{
    uint8_t *buf = malloc(CARTRIDGE_STORED_MAX);

    for (size_t i = 0; i < count; i++) {
        block_fill(buf, forms[i].stored, (uint32_t)i);
        CHECK_OK(cartridge_write_block(c, &forms[i], buf, NULL, &err), err);
        CHECK_OK(cartridge_write_filemarks(c, 1, NULL, &err), err);
    }
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    free(buf);
}

static void check_forms(struct cartridge *c, size_t count)
{
    uint8_t *buf = malloc(CARTRIDGE_STORED_MAX), *expected = malloc(CARTRIDGE_STORED_MAX);
    struct cartridge_block b;

    cartridge_rewind(c);
    for (size_t i = 0; i < count; i++) {
        block_fill(expected, forms[i].stored, (uint32_t)i);
        CHECK_OK(cartridge_read_block(c, buf, CARTRIDGE_STORED_MAX, &b, &err), err);
        CU_ASSERT_EQUAL(memcmp(&b, &forms[i], sizeof(b)), 0);
        CU_ASSERT_EQUAL(memcmp(buf, expected, b.stored), 0);
        CHECK_FAILS(cartridge_read_block(c, buf, 0, &b, &err), ERR_FILEMARK, err);
    }
    CHECK_FAILS(cartridge_read_block(c, buf, 0, &b, &err), ERR_END_OF_DATA, err);
    free(buf);
    free(expected);
}

/* Each block comes back as it is stored, also when reads come in pieces. */
static void test_stored_forms(void)
{
    struct interchange_report report;
    struct tape from = tape_new(0), to = tape_new(0), again = tape_new(0);
    struct bytes out = {0}, second = {0};

    write_forms(from.cartridge, ARRAY_LENGTH(forms));
    CHECK_OK(export_bytes(&from, "capstan", &out, &report, &err), err);
    CU_ASSERT_EQUAL(report.blocks, ARRAY_LENGTH(forms));
    CU_ASSERT_EQUAL(get_le32(out.data + 8), 3);
    CHECK_OK(import_bytes(&to, NULL, out.data, out.len, 4099, &report, &err), err);
    CU_ASSERT_EQUAL(report.blocks, ARRAY_LENGTH(forms));
    check_forms(to.cartridge, ARRAY_LENGTH(forms));
    CHECK_OK(export_bytes(&to, "capstan", &second, &report, &err), err);
    CHECK_OK(import_bytes(&again, NULL, second.data, second.len, SIZE_MAX, &report, &err), err);
    check_forms(again.cartridge, ARRAY_LENGTH(forms));
    tape_end(&from);
    tape_end(&to);
    tape_end(&again);
    free(out.data);
    free(second.data);
}

/* Formats of others get plain data, and no encrypted tape. */
static void test_stored_elsewhere(void)
{
    static const char *const formats[] = {"tap", "aws", "het", "raw"};
    static const struct cartridge_block protected = {
        .length = 3, .stored = 3, .protection = 2, .protection_crc = 5};
    static const struct cartridge_block encrypted = {.length = 3, .stored = 80, .encryption = 1};
    static const uint8_t envelope[80] = {1, 1};

    for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
        struct tape from = tape_new(0), to = tape_new(0);
        struct interchange_report report;
        struct bytes out = {0}, none = {0};

        CHECK_OK(cartridge_write_block(from.cartridge, &protected, "abc", NULL, &err), err);
        CHECK_OK(export_bytes(&from, formats[i], &out, &report, &err), err);
        CHECK_OK(import_bytes(&to, formats[i], out.data, out.len, 100, &report, &err), err);
        CHECK_TAPE(to.cartridge, "3:abc");
        cartridge_locate_end(from.cartridge);
        CHECK_OK(cartridge_write_block(from.cartridge, &encrypted, envelope, NULL, &err), err);
        CHECK_FAILS(export_bytes(&from, formats[i], &none, &report, &err), ERR_ENCRYPTED, err);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "only the format capstan"));
        tape_end(&from);
        tape_end(&to);
        free(out.data);
        free(none.data);
    }
}

/* Impossible forms, with checksums that hold. */
static void test_stored_hostile(void)
{
    static const struct {
        unsigned at; /* of the record's header or payload */
        uint32_t value;
    } lies[] = {{8, 0}, {8, 3}, {8, 32}, {8, 25}, {32, 0}, {32, 1 << 24}, {4, 8}, {4, 3}};

    for (size_t i = 0; i < ARRAY_LENGTH(lies); i++) {
        struct tape from = tape_new(0), to = tape_new(0);
        struct interchange_report report;
        struct bytes out = {0};
        uint8_t *record;
        uint32_t len;

        CHECK_OK(cartridge_write_block(from.cartridge, &forms[1], memset((uint8_t[40]){0}, 3, 40),
                                       NULL, &err),
                 err);
        CHECK_OK(export_bytes(&from, "capstan", &out, &report, &err), err);
        record = out.data + 512;
        CU_ASSERT_EQUAL(record[2], 5);
        put_le32(record + lies[i].at, lies[i].value);
        len = get_le32(record + 4);
        put_le32(record + 20, crc32c(record + 32, len));
        put_le32(record + 28, crc32c(record, 28));
        CHECK_FAILS(import_bytes(&to, NULL, out.data, out.len, 100, &report, &err), ERR_CORRUPT,
                    err);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "byte 512 of the stream"));
        tape_end(&from);
        tape_end(&to);
        free(out.data);
    }
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
        {"het", "can't be unpacked", 7, {1, 0, 0, 0, 0xa2, 0, 'a'}},
        {"het", "without a name", 7, {1, 0, 0, 0, 0xa3, 0, 'a'}},
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
    {"capstan_old", test_capstan_old},
    {"stored_forms", test_stored_forms},
    {"stored_elsewhere", test_stored_elsewhere},
    {"stored_hostile", test_stored_hostile},
    {"capstan_damage", test_capstan_damage},
    {"wrong_streams", test_wrong_streams},
    {"bombs", test_bombs},
    {"damaged_cartridge", test_damaged_cartridge},
};

CHECK_MAIN("interchange", tests)
