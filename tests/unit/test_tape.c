/* SPDX-License-Identifier: Apache-2.0 */
/* test_tape.c - the tape layer without a target: URLs, sense, files, cartridges, layers. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"
#include "engine/tape/layer.h"
#include "engine/tape/sense.h"
#include "engine/tape/session.h"
#include "engine/tape/tape.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include "vtl/cartridge/cartridge.h"

#define RECORD 4096

static const char *in_scratch(const char *scheme, const char *name)
{
    static char url[256];

    snprintf(url, sizeof(url), "%s%s/%s", scheme, scratch, name);
    return url;
}

/* ---- URLs --------------------------------------------------------------------------------------
 */

static void test_session_urls(void)
{
    static const struct {
        const char *rest, *portal, *target;
        int lun; /* -1: refused */
    } cases[] = {
        {"host/iqn.2026-11.a:b/0", "host:3260", "iqn.2026-11.a:b", 0},
        {"127.0.0.1:3261/iqn.x/16383", "127.0.0.1:3261", "iqn.x", 16383},
        {"[::1]/iqn.x/2", "[::1]:3260", "iqn.x", 2},
        {"[fe80::1]:99/iqn.x/2", "[fe80::1]:99", "iqn.x", 2},
        {"", NULL, NULL, -1},
        {"host", NULL, NULL, -1},
        {"host/iqn.x", NULL, NULL, -1},
        {"/iqn.x/0", NULL, NULL, -1},
        {"host//0", NULL, NULL, -1},
        {":1/iqn.x/0", NULL, NULL, -1},
        {"host/iqn.x/", NULL, NULL, -1},
        {"host/iqn.x/-1", NULL, NULL, -1},
        {"host/iqn.x/16384", NULL, NULL, -1},
        {"host/iqn.x/1x", NULL, NULL, -1},
        {"host/iqn.x/99999999999999999999", NULL, NULL, -1},
        {"host:0/iqn.x/1", NULL, NULL, -1},
        {"host:65536/iqn.x/1", NULL, NULL, -1},
        {"host:/iqn.x/1", NULL, NULL, -1},
        {"[::1/iqn.x/1", NULL, NULL, -1},
        {"user%secret@host/iqn.x/1", NULL, NULL, -1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct session_url url;
        struct error err = ERROR_INIT;

        if (cases[i].lun < 0) {
            CHECK_FAILS(session_url_parse(cases[i].rest, &url, &err), ERR_USAGE, err);
            continue;
        }
        CHECK_OK(session_url_parse(cases[i].rest, &url, &err), err);
        CU_ASSERT_STRING_EQUAL(url.portal, cases[i].portal);
        CU_ASSERT_STRING_EQUAL(url.target, cases[i].target);
        CU_ASSERT_EQUAL(url.lun, cases[i].lun);
    }
}

static void test_session_urls_too_long(void)
{
    char rest[1024];
    struct session_url url;
    struct error err = ERROR_INIT;

    snprintf(rest, sizeof(rest), "host/%0223d/1", 1);
    CHECK_OK(session_url_parse(rest, &url, &err), err);
    snprintf(rest, sizeof(rest), "host/%0224d/1", 1);
    CHECK_FAILS(session_url_parse(rest, &url, &err), ERR_USAGE, err);
    snprintf(rest, sizeof(rest), "%0500d/iqn.x/1", 1);
    CHECK_FAILS(session_url_parse(rest, &url, &err), ERR_USAGE, err);
}

static void test_open_refuses(void)
{
    static const char *const urls[] = {
        "", "tape", "file:", "cartridge:", "iscsi://", "/dev/nst0", "http://x/y/0"};
    struct tape *t;

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct error err = ERROR_INIT;

        CHECK_FAILS(tape_open(urls[i], TAPE_READ, NULL, &t, &err), ERR_USAGE, err);
    }
}

/* ---- sense -------------------------------------------------------------------------------------
 */

/* Parse a copy that ends where it ends, so that the sanitizer sees a read behind it. */
static struct sense parse_exactly(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    struct sense sense;

    if (len)
        memcpy(copy, data, len);
    sense_parse(&sense, copy, len);
    free(copy);
    return sense;
}

static void test_sense_fixed(void)
{
    uint8_t d[18] = {0xf0, 0, 0x20, 0xff, 0xff, 0xff, 0x00, 10, 0, 0, 0, 0, 0x00, 0x00};
    struct sense s = parse_exactly(d, sizeof(d));

    CU_ASSERT_TRUE(s.valid);
    CU_ASSERT_TRUE(s.ili);
    CU_ASSERT_FALSE(s.eom);
    CU_ASSERT_TRUE(s.has_information);
    CU_ASSERT_EQUAL(s.information, -256);
    CU_ASSERT_TRUE(sense_is_information(&s));
    d[2] = 0x80 | 0x40 | SENSE_BLANK_CHECK;
    d[12] = 0x00;
    d[13] = 0x05;
    s = parse_exactly(d, sizeof(d));
    CU_ASSERT_TRUE(s.filemark);
    CU_ASSERT_TRUE(s.eom);
    CU_ASSERT_EQUAL(s.key, SENSE_BLANK_CHECK);
    CU_ASSERT_EQUAL(s.ascq, 5);
    CU_ASSERT_FALSE(sense_is_information(&s));
}

static void test_sense_descriptors(void)
{
    /* information -2, then stream commands: FM and EOM */
    static const uint8_t d[] = {0x72, SENSE_MEDIUM_ERROR,
                                0x0c, 0x00,
                                0,    0,
                                0,    16,
                                0x00, 10,
                                0x80, 0,
                                0xff, 0xff,
                                0xff, 0xff,
                                0xff, 0xff,
                                0xff, 0xfe,
                                0x04, 2,
                                0,    0xc0};
    struct sense s = parse_exactly(d, sizeof(d));

    CU_ASSERT_EQUAL(s.key, SENSE_MEDIUM_ERROR);
    CU_ASSERT_EQUAL(s.asc, 0x0c);
    CU_ASSERT_TRUE(s.has_information);
    CU_ASSERT_EQUAL(s.information, -2);
    CU_ASSERT_TRUE(s.filemark);
    CU_ASSERT_TRUE(s.eom);
    CU_ASSERT_FALSE(s.ili);
}

/* Whatever the bytes and the length: no read behind the end, and garbage is not taken for sense. */
static void test_sense_hostile(void)
{
    uint8_t d[64];

    for (unsigned response = 0; response < 256; response++)
        for (size_t len = 0; len <= sizeof(d); len++) {
            struct sense s;

            memset(d, (int)(response * 7 + len), sizeof(d));
            d[0] = (uint8_t)response;
            s = parse_exactly(d, len);
            if ((response & 0x7f) < 0x70 || (response & 0x7f) > 0x73)
                CU_ASSERT_FALSE(s.valid);
        }
}

static struct sense sense_of(uint8_t key, uint8_t asc, uint8_t ascq, bool deferred)
{
    const uint8_t d[18] = {deferred ? 0x71 : 0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq};

    return parse_exactly(d, sizeof(d));
}

static void test_sense_decides(void)
{
    static const struct {
        uint8_t key, asc, ascq;
        bool deferred;
        enum sense_action action;
        enum error_code code;
        const char *words;
    } cases[] = {
        {0x2, 0x3a, 0x00, false, SENSE_REPORT, ERR_NO_MEDIUM, "no cartridge"},
        {0x2, 0x04, 0x01, false, SENSE_RETRY_LATER, ERR_BUSY, "becoming ready"},
        {0x2, 0x04, 0x02, false, SENSE_REPORT, ERR_STATE, "not loaded"},
        {0x3, 0x0c, 0x00, false, SENSE_REPORT, ERR_IO, "MEDIUM ERROR, write error (3/0c/00)"},
        {0x4, 0x44, 0x00, false, SENSE_REPORT, ERR_IO, "HARDWARE ERROR"},
        {0x5, 0x20, 0x00, false, SENSE_REPORT, ERR_UNSUPPORTED, "not supported"},
        {0x5, 0x25, 0x00, false, SENSE_REPORT, ERR_NOT_FOUND, "no such logical unit"},
        {0x6, 0x28, 0x00, false, SENSE_POSITION_LOST, ERR_STATE, "may have been changed"},
        {0x6, 0x29, 0x04, false, SENSE_POSITION_LOST, ERR_STATE, "reset"},
        {0x6, 0x2a, 0x01, false, SENSE_RETRY, ERR_STATE, "parameters"},
        {0x6, 0x3f, 0x0e, false, SENSE_RETRY, ERR_STATE, "configuration"},
        {0x6, 0x77, 0x77, false, SENSE_POSITION_LOST, ERR_STATE, "UNIT ATTENTION"}, /* unknown */
        {0x7, 0x27, 0x00, false, SENSE_REPORT, ERR_PROTECTED, "write protected"},
        {0x8, 0x00, 0x05, false, SENSE_REPORT, ERR_END_OF_DATA, "end of data"},
        {0xd, 0x00, 0x02, false, SENSE_REPORT, ERR_END_OF_TAPE, "VOLUME OVERFLOW"},
        {0xe, 0x1d, 0x00, false, SENSE_REPORT, ERR_IO, "vendor specific"},
        /* What was acknowledged is lost: never an end of tape that one could go on from. */
        {0xd, 0x00, 0x02, true, SENSE_REPORT, ERR_IO, "earlier write failed"},
        {0x3, 0x0c, 0x00, true, SENSE_REPORT, ERR_IO, "earlier write failed"},
        {0x1, 0x17, 0x00, true, SENSE_RETRY, ERR_IO, "RECOVERED"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sense s = sense_of(cases[i].key, cases[i].asc, cases[i].ascq, cases[i].deferred);
        struct error err = ERROR_INIT;

        CU_ASSERT_EQUAL(sense_action(&s), cases[i].action);
        CU_ASSERT_EQUAL(sense_error(&err, &s, "write"), -(int)cases[i].code);
        if (!strstr(err.message, cases[i].words))
            printf("\n    \"%s\" lacks \"%s\"", err.message, cases[i].words);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, cases[i].words));
        CU_ASSERT_FALSE(sense_is_information(&s));
    }
}

static void test_text_is_cleaned(void)
{
    static const uint8_t raw[] = "  IBM\x1b[31m  \0 junk";
    char text[8];

    session_text(text, sizeof(text), raw, sizeof(raw));
    CU_ASSERT_STRING_EQUAL(text, "IBM?[31");
    session_text(text, sizeof(text), raw, 0);
    CU_ASSERT_STRING_EQUAL(text, "");
}

/* ---- what any tape does ------------------------------------------------------------------------
 */

static void write_records(struct tape *t, unsigned first, unsigned count)
{
    struct error err = ERROR_INIT;
    uint8_t block[RECORD];

    for (unsigned i = first; i < first + count; i++) {
        memset(block, (int)i, sizeof(block));
        CHECK_OK(tape_write(t, block, sizeof(block), NULL, &err), err);
    }
}

static void expect_record(struct tape *t, unsigned n)
{
    struct error err = ERROR_INIT;
    uint8_t block[RECORD];
    size_t got;

    CHECK_OK(tape_read(t, block, sizeof(block), &got, &err), err);
    CU_ASSERT_EQUAL(got, RECORD);
    CU_ASSERT_EQUAL(block[0], (uint8_t)n);
    CU_ASSERT_EQUAL(block[RECORD - 1], (uint8_t)n);
}

static void expect_position(struct tape *t, uint64_t block)
{
    struct tape_position pos;
    struct error err = ERROR_INIT;

    CHECK_OK(tape_tell(t, &pos, &err), err);
    CU_ASSERT_EQUAL(pos.block, block);
    CU_ASSERT_EQUAL(pos.begin, block == 0);
}

/* Ten records, read here and there, then cut by a write in the middle. */
static void use_tape(struct tape *t)
{
    struct error err = ERROR_INIT;
    uint8_t block[RECORD];
    size_t got;

    expect_position(t, 0);
    write_records(t, 0, 10);
    CHECK_OK(tape_sync(t, &err), err);
    expect_position(t, 10);
    CHECK_FAILS(tape_read(t, block, sizeof(block), &got, &err), ERR_END_OF_DATA, err);
    CHECK_OK(tape_rewind(t, &err), err);
    expect_record(t, 0);
    CHECK_OK(tape_locate(t, 7, &err), err);
    expect_record(t, 7);
    expect_position(t, 8);
    CHECK_OK(tape_locate(t, 3, &err), err);
    write_records(t, 33, 1);
    CHECK_FAILS(tape_read(t, block, sizeof(block), &got, &err), ERR_END_OF_DATA, err);
    CHECK_OK(tape_rewind(t, &err), err);
    CHECK_OK(tape_space_end(t, &err), err);
    expect_position(t, 4);
    CHECK_FAILS(tape_locate(t, 9, &err), ERR_END_OF_DATA, err);
    expect_position(t, 4);
    CHECK_OK(tape_locate(t, 3, &err), err);
    expect_record(t, 33);
}

static void test_file(void)
{
    struct error err = ERROR_INIT;
    struct tape *t;
    struct stat st;
    uint8_t block[RECORD];
    size_t got;

    CHECK_OK(tape_open(in_scratch("file:", "records"), TAPE_WRITE, NULL, &t, &err), err);
    use_tape(t);
    tape_close(t);
    CU_ASSERT_EQUAL(stat(in_scratch("", "records"), &st), 0);
    CU_ASSERT_EQUAL(st.st_size, 4 * RECORD);

    /* A locate before the length of a record is known. */
    CHECK_OK(tape_open(in_scratch("file:", "records"), TAPE_READ, NULL, &t, &err), err);
    CHECK_OK(tape_locate(t, 2, &err), err);
    expect_record(t, 2);
    expect_record(t, 33);
    CHECK_FAILS(tape_write(t, block, sizeof(block), NULL, &err), ERR_PROTECTED, err);
    CHECK_FAILS(tape_space_filemarks(t, 1, &err), ERR_UNSUPPORTED, err);
    CHECK_FAILS(tape_locate(t, UINT64_MAX / RECORD, &err), ERR_END_OF_DATA, err);
    CHECK_FAILS(tape_read(t, block, 0, &got, &err), ERR_RANGE, err);
    tape_close(t);
    CHECK_FAILS(tape_open(in_scratch("file:", "missing"), TAPE_READ, NULL, &t, &err), ERR_NOT_FOUND,
                err);
    CHECK_FAILS(tape_open(in_scratch("file:", ""), TAPE_READ, NULL, &t, &err), ERR_USAGE, err);
}

static void test_file_is_a_pipe(void)
{
    struct error err = ERROR_INIT;
    struct tape_info info;
    struct tape *t;
    char url[64];
    int fds[2];
    uint8_t block[RECORD];

    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    snprintf(url, sizeof(url), "file:/dev/fd/%d", fds[1]);
    CHECK_OK(tape_open(url, TAPE_WRITE, NULL, &t, &err), err);
    CHECK_OK(tape_get_info(t, &info, &err), err);
    CU_ASSERT_FALSE(info.can_locate);
    write_records(t, 5, 2);
    CHECK_OK(tape_write_filemarks(t, 1, &err), err);
    CHECK_FAILS(tape_rewind(t, &err), ERR_UNSUPPORTED, err);
    tape_close(t);
    CU_ASSERT_EQUAL(read(fds[0], block, sizeof(block)), RECORD);
    CU_ASSERT_EQUAL(block[0], 5);
    close(fds[0]);
    close(fds[1]);
}

/* A device that is full: an error, and no half record is counted. */
static void test_file_full(void)
{
    struct error err = ERROR_INIT;
    struct tape *t;
    uint8_t block[RECORD] = {0};

    CHECK_OK(tape_open("file:/dev/full", TAPE_WRITE, NULL, &t, &err), err);
    CHECK_FAILS(tape_write(t, block, sizeof(block), NULL, &err), ERR_NO_SPACE, err);
    expect_position(t, 0);
    tape_close(t);
}

/* ---- cartridges --------------------------------------------------------------------------------
 */

static const char *make_cartridge(const char *barcode, uint64_t capacity)
{
    const char *url = in_scratch("cartridge:", barcode);
    struct cartridge_identity id;
    struct error err = ERROR_INIT;
    struct store *store;

    CHECK_OK(cartridge_identity_default(&id, barcode, 0x5e, &err), err);
    if (capacity) {
        id.capacity = capacity;
        id.early_warning = capacity / 4;
        id.segment_size = 1024 * 1024;
    }
    CHECK_OK(store_directory_open(url + strlen("cartridge:"), true, &store, &err), err);
    CHECK_OK(cartridge_create(store, &id, &err), err);
    store_close(store);
    return url;
}

static void test_cartridge(void)
{
    struct error err = ERROR_INIT;
    struct tape_info info;
    struct tape *t, *other;
    const char *url = make_cartridge("TAP001L8", 0);
    uint8_t block[RECORD];
    size_t got;

    CHECK_OK(tape_open(url, TAPE_WRITE, NULL, &t, &err), err);
    CHECK_OK(tape_get_info(t, &info, &err), err);
    CU_ASSERT_STRING_EQUAL(info.barcode, "TAP001L8");
    CU_ASSERT_TRUE(info.has_filemarks);
    CHECK_FAILS(tape_open(url, TAPE_WRITE, NULL, &other, &err), ERR_BUSY, err);
    use_tape(t);
    CHECK_OK(tape_space_end(t, &err), err);
    CHECK_OK(tape_write_filemarks(t, 1, &err), err);
    write_records(t, 50, 1);
    CHECK_OK(tape_unload(t, &err), err);
    expect_position(t, 0);
    CHECK_OK(tape_space_filemarks(t, 1, &err), err);
    expect_record(t, 50);
    CHECK_OK(tape_locate(t, 4, &err), err);
    CHECK_FAILS(tape_read(t, block, sizeof(block), &got, &err), ERR_FILEMARK, err);
    CHECK_OK(tape_locate(t, 0, &err), err);
    CHECK_FAILS(tape_read(t, block, 100, &got, &err), ERR_LENGTH, err);
    expect_position(t, 1);
    tape_close(t);
    CHECK_OK(tape_open(url, TAPE_READ, NULL, &t, &err), err);
    CHECK_FAILS(tape_write(t, block, sizeof(block), NULL, &err), ERR_PROTECTED, err);
    expect_record(t, 0);
    tape_close(t);
    CHECK_FAILS(tape_open(in_scratch("cartridge:", "none"), TAPE_READ, NULL, &t, &err),
                ERR_NOT_FOUND, err);
}

static void test_cartridge_end(void)
{
    struct error err = ERROR_INIT;
    uint8_t block[RECORD] = {1};
    bool early = false, warned = false;
    unsigned written = 0;
    struct tape *t;
    int rc;

    CHECK_OK(tape_open(make_cartridge("END001L8", 1024 * 1024), TAPE_WRITE, NULL, &t, &err), err);
    while ((rc = tape_write(t, block, sizeof(block), &early, &err)) == 0) {
        CU_ASSERT_FALSE(warned && !early);
        warned = early;
        written++;
    }
    CU_ASSERT_EQUAL(rc, -ERR_END_OF_TAPE);
    CU_ASSERT_TRUE(warned);
    CU_ASSERT_TRUE(written > 100 && written <= 256);
    expect_position(t, written);
    tape_close(t);
}

/* ---- layers ------------------------------------------------------------------------------------
 */

static void test_faults(void)
{
    struct error err = ERROR_INIT;
    struct tape_faults faults = {.write_error_at = 3, .read_error_at = 2, .early_warning_at = 1};
    struct tape *file, *t;
    uint8_t block[RECORD];
    bool early;
    size_t got;

    CHECK_OK(tape_open(in_scratch("file:", "faults"), TAPE_WRITE, NULL, &file, &err), err);
    CHECK_OK(tape_fault_open(file, &faults, &t, &err), err);
    CHECK_OK(tape_write(t, block, sizeof(block), &early, &err), err);
    CU_ASSERT_TRUE(early);
    write_records(t, 1, 1);
    CHECK_FAILS(tape_write(t, block, sizeof(block), NULL, &err), ERR_IO, err);
    CHECK_FAILS(tape_write(t, block, sizeof(block), NULL, &err), ERR_IO, err);
    CHECK_OK(tape_rewind(t, &err), err);
    CHECK_OK(tape_read(t, block, sizeof(block), &got, &err), err);
    CHECK_FAILS(tape_read(t, block, sizeof(block), &got, &err), ERR_IO, err);
    faults = (struct tape_faults){.end_at = 3 * RECORD, .filemark_error = true};
    tape_fault_set(t, &faults);
    write_records(t, 7, 1);
    CHECK_FAILS(tape_write(t, block, sizeof(block), NULL, &err), ERR_END_OF_TAPE, err);
    CHECK_FAILS(tape_write_filemarks(t, 1, &err), ERR_IO, err);
    CHECK_FAILS(tape_sync(t, &err), ERR_IO, err);
    CU_ASSERT_EQUAL(tape_fault_count(t).written, 3 * RECORD);
    tape_close(t);
    tape_close(file);
}

static void test_magazine(void)
{
    struct error err = ERROR_INIT;
    struct tape *one, *two, *t;

    CHECK_OK(tape_open(in_scratch("file:", "one"), TAPE_WRITE, NULL, &one, &err), err);
    CHECK_OK(tape_open(in_scratch("file:", "two"), TAPE_WRITE, NULL, &two, &err), err);
    CHECK_OK(tape_magazine_open(one, &t, &err), err);
    write_records(t, 1, 2);
    tape_magazine_set(t, two);
    expect_position(t, 0);
    write_records(t, 3, 1);
    tape_magazine_set(t, one);
    CHECK_OK(tape_locate(t, 1, &err), err);
    expect_record(t, 2);
    tape_close(t);
    CHECK_OK(tape_rewind(two, &err), err);
    expect_record(two, 3);
    tape_close(one);
    tape_close(two);
}

static const struct check_test tests[] = {
    {"session_urls", test_session_urls},
    {"session_urls_too_long", test_session_urls_too_long},
    {"open_refuses", test_open_refuses},
    {"sense_fixed", test_sense_fixed},
    {"sense_descriptors", test_sense_descriptors},
    {"sense_hostile", test_sense_hostile},
    {"sense_decides", test_sense_decides},
    {"text_is_cleaned", test_text_is_cleaned},
    {"file", test_file},
    {"file_is_a_pipe", test_file_is_a_pipe},
    {"file_full", test_file_full},
    {"cartridge", test_cartridge},
    {"cartridge_end", test_cartridge_end},
    {"faults", test_faults},
    {"magazine", test_magazine},
};

int main(int argc, char **argv)
{
    int rc;

    if (scratch_make() != 0)
        return 99;
    rc = check_main("tape", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
    scratch_remove(scratch);
    return rc;
}
