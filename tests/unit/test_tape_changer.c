/* SPDX-License-Identifier: Apache-2.0 */
/* test_tape_changer.c - READ ELEMENT STATUS answers, good and hostile. */
#include "common/bytes.h"
#include "engine/tape/element_status.h"
#include "tests/unit/check.h"

#define TAG 36

struct answer {
    uint8_t data[4096];
    size_t len;
};

static void begin(struct answer *a)
{
    memset(a, 0, sizeof(*a));
    a->len = ELEMENT_STATUS_HEADER;
}

static void end(struct answer *a)
{
    put_be24(a->data + 5, (uint32_t)(a->len - ELEMENT_STATUS_HEADER));
}

/* A page of count descriptors of size bytes; returns the first. */
static uint8_t *page(struct answer *a, uint8_t type, uint8_t flags, uint16_t size, unsigned count)
{
    uint8_t *p = a->data + a->len;

    p[0] = type;
    p[1] = flags;
    put_be16(p + 2, size);
    put_be24(p + 5, size * count);
    a->len += 8 + (size_t)size * count;
    return p + 8;
}

/* A changer with two slots, one import/export element and a drive that holds a cartridge. */
static void typical(struct answer *a)
{
    uint8_t *d;

    begin(a);
    d = page(a, CHANGER_SLOT, 0x80, 12 + TAG, 2);
    put_be16(d, 1000);
    d[2] = 0x09;
    memcpy(d + 12, "ABC001L8                        ", 32);
    put_be16(d + 12 + TAG, 1001);
    d = page(a, CHANGER_IMPORT_EXPORT, 0x80, 12 + TAG, 1);
    put_be16(d, 10);
    d = page(a, CHANGER_DRIVE, 0x80, 12 + TAG + 4 + 34, 1);
    put_be16(d, 256);
    d[2] = 0x09;
    d[9] = 0x80;
    put_be16(d + 10, 1001);
    memcpy(d + 12, "ABC002L8                        ", 32);
    d[12 + TAG] = 2;     /* ASCII */
    d[12 + TAG + 1] = 1; /* T10 vendor identification */
    d[12 + TAG + 3] = 34;
    memcpy(d + 12 + TAG + 4, "IBM     ULT3580-TD8     1013000001", 34);
    end(a);
}

/* Parse a copy that ends where the answer ends, for the sanitizer. */
static int parse(const struct answer *a, size_t len, struct changer_element **elements,
                 size_t *count, struct error *err)
{
    uint8_t *copy = malloc(len ? len : 1);
    int rc;

    memcpy(copy, a->data, len);
    rc = element_status_parse(copy, len, elements, count, err);
    free(copy);
    return rc;
}

static void test_typical(void)
{
    struct changer_element *e;
    struct error err = ERROR_INIT;
    struct answer a;
    size_t count;

    typical(&a);
    CHECK_OK(parse(&a, a.len, &e, &count, &err), err);
    CU_ASSERT_EQUAL_FATAL(count, 4);
    CU_ASSERT_EQUAL(e[0].address, 1000);
    CU_ASSERT_EQUAL(e[0].type, CHANGER_SLOT);
    CU_ASSERT_TRUE(e[0].full);
    CU_ASSERT_STRING_EQUAL(e[0].barcode, "ABC001L8");
    CU_ASSERT_FALSE(e[1].full);
    CU_ASSERT_STRING_EQUAL(e[1].barcode, "");
    CU_ASSERT_EQUAL(e[2].type, CHANGER_IMPORT_EXPORT);
    CU_ASSERT_TRUE(e[3].source_valid);
    CU_ASSERT_EQUAL(e[3].source, 1001);
    CU_ASSERT_STRING_EQUAL(e[3].barcode, "ABC002L8");
    CU_ASSERT_STRING_EQUAL(e[3].drive_serial, "1013000001");
    free(e);
}

static void test_vendor_identifier_and_no_tags(void)
{
    struct changer_element *e;
    struct error err = ERROR_INIT;
    struct answer a;
    size_t count;
    uint8_t *d;

    begin(&a);
    d = page(&a, CHANGER_DRIVE, 0, 12 + 4 + 10, 1);
    d[12] = 2;
    d[12 + 3] = 200; /* longer than the descriptor: cut there */
    memcpy(d + 16, "SERIAL0001", 10);
    end(&a);
    CHECK_OK(parse(&a, a.len, &e, &count, &err), err);
    CU_ASSERT_EQUAL_FATAL(count, 1);
    CU_ASSERT_STRING_EQUAL(e[0].drive_serial, "SERIAL0001");
    CU_ASSERT_STRING_EQUAL(e[0].barcode, "");
    free(e);
    begin(&a);
    end(&a);
    CHECK_OK(parse(&a, a.len, &e, &count, &err), err);
    CU_ASSERT_EQUAL(count, 0);
    free(e);
}

/* Cut anywhere, the answer is refused, and nothing is read behind the cut. */
static void test_truncated(void)
{
    struct answer a;

    typical(&a);
    for (size_t len = 0; len < a.len; len++) {
        struct changer_element *e;
        struct error err = ERROR_INIT;
        size_t count;

        CHECK_FAILS(parse(&a, len, &e, &count, &err), ERR_PROTOCOL, err);
        if (len >= ELEMENT_STATUS_HEADER) { /* the same with a header that fits the cut */
            struct answer cut = a;
            int rc;

            put_be24(cut.data + 5, (uint32_t)(len - ELEMENT_STATUS_HEADER));
            rc = parse(&cut, len, &e, &count, &err);
            CU_ASSERT_TRUE(rc == -ERR_PROTOCOL || rc == 0);
            if (rc == 0)
                free(e);
        }
    }
}

static void test_lies(void)
{
    static const struct {
        size_t at;
        uint8_t value;
    } lies[] = {
        {8, 0},       /* element type 0 */
        {8, 5},       /* ... and 5 */
        {8 + 2, 255}, /* descriptors longer than the page */
        {8 + 3, 0},   /* that do not divide it */
        {8 + 5, 1},   /* a page longer than the answer */
        {5, 1},       /* an answer longer than what came */
    };

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct changer_element *e;
        struct error err = ERROR_INIT;
        struct answer a;
        size_t count;

        typical(&a);
        a.data[lies[i].at] = lies[i].value;
        CHECK_FAILS(parse(&a, a.len, &e, &count, &err), ERR_PROTOCOL, err);
    }
}

/* A descriptor of 12 bytes that claims to have volume tags. */
static void test_no_room_for_tag(void)
{
    struct changer_element *e;
    struct error err = ERROR_INIT;
    struct answer a;
    size_t count;

    begin(&a);
    page(&a, CHANGER_SLOT, 0xc0, 12, 3);
    end(&a);
    CHECK_FAILS(parse(&a, a.len, &e, &count, &err), ERR_PROTOCOL, err);
}

/* Any single byte changed: an error or a list, never a crash. */
static void test_any_byte(void)
{
    struct answer good;

    typical(&good);
    for (size_t at = 0; at < good.len; at++)
        for (unsigned value = 0; value < 256; value += 5) {
            struct changer_element *e;
            struct answer a = good;
            size_t count;

            a.data[at] = (uint8_t)value;
            if (parse(&a, a.len, &e, &count, NULL) == 0) {
                CU_ASSERT_TRUE(count <= a.len / 12);
                free(e);
            }
        }
}

static const struct check_test tests[] = {
    {"typical", test_typical},
    {"vendor_identifier_and_no_tags", test_vendor_identifier_and_no_tags},
    {"truncated", test_truncated},
    {"lies", test_lies},
    {"no_room_for_tag", test_no_room_for_tag},
    {"any_byte", test_any_byte},
};

CHECK_MAIN("tape_changer", tests)
