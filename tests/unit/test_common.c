/* SPDX-License-Identifier: Apache-2.0 */
/* test_common.c - the small things everything else rests on. */
#include "tests/unit/check.h"

#include <errno.h>

#include "common/bytes.h"
#include "common/checked.h"
#include "common/cleanup.h"
#include "common/crc32c.h"

static void test_crc_vectors(void)
{
    uint8_t zeros[32] = {0}, ones[32], up[32];

    /* RFC 7143 appendix B.4 (RFC 3720): the vectors every iSCSI stack is checked with. */
    memset(ones, 0xff, sizeof(ones));
    for (size_t i = 0; i < sizeof(up); i++)
        up[i] = (uint8_t)i;
    CU_ASSERT_EQUAL(crc32c(zeros, 32), 0x8a9136aau);
    CU_ASSERT_EQUAL(crc32c(ones, 32), 0x62a8ab43u);
    CU_ASSERT_EQUAL(crc32c(up, 32), 0x46dd794eu);
    CU_ASSERT_EQUAL(crc32c("123456789", 9), 0xe3069283u);
}

static void test_crc_fallback_agrees(void)
{
    static uint8_t data[4096 + 16];
    uint32_t x = 1;

    for (size_t i = 0; i < sizeof(data); i++) {
        x = x * 1664525u + 1013904223u;
        data[i] = (uint8_t)(x >> 24);
    }
    for (size_t len = 0; len <= 4096; len += len < 300 ? 1 : 61)
        for (size_t at = 0; at < 9; at += 4)
            CU_ASSERT_EQUAL(crc32c_update(7, data + at, len), crc32c_portable(7, data + at, len));
    CU_ASSERT_EQUAL(crc32c_update(crc32c(data, 100), data + 100, 900), crc32c(data, 1000));
}

static void test_bytes(void)
{
    uint8_t b[8] = {1, 2, 3, 4, 5, 6, 7, 8};

    CU_ASSERT_EQUAL(get_be16(b + 1), 0x0203);
    CU_ASSERT_EQUAL(get_be24(b + 1), 0x020304u);
    CU_ASSERT_EQUAL(get_be32(b + 1), 0x02030405u);
    CU_ASSERT_EQUAL(get_le64(b), 0x0807060504030201u);
    put_be24(b, 0xfffffe);
    CU_ASSERT_EQUAL(get_be24_signed(b), -2);
    put_be24(b, 0x7fffff);
    CU_ASSERT_EQUAL(get_be24_signed(b), 0x7fffff);
    put_be48(b, 0x010203040506u);
    CU_ASSERT_EQUAL(memcmp(b, "\1\2\3\4\5\6", 6), 0);
}

static void test_checked(void)
{
    uint64_t sum;
    uint8_t small;

    CU_ASSERT_FALSE(checked_add(UINT64_MAX, (uint64_t)1, &sum));
    CU_ASSERT_FALSE(checked_mul(200, 2, &small));
    CU_ASSERT_TRUE(checked_add((uint64_t)1, (uint64_t)2, &sum));
    CU_ASSERT_EQUAL(sum, 3);
    CU_ASSERT_FALSE(range_inside(UINT64_MAX, 1, 10));
    CU_ASSERT_FALSE(range_inside(5, UINT64_MAX, 10));
    CU_ASSERT_TRUE(range_inside(10, 0, 10));
}

static void test_error_escapes_and_maps(void)
{
    struct error err = ERROR_INIT;

    CU_ASSERT_EQUAL(error_set(&err, ERR_RANGE, "bad \n name %d", 7), -(int)ERR_RANGE);
    CU_ASSERT_STRING_EQUAL(err.message, "bad \\x0a name 7");
    errno = EDQUOT;
    CU_ASSERT_EQUAL(error_errno(&err, "write"), -(int)ERR_NO_SPACE);
    CU_ASSERT_EQUAL(err.sys_errno, EDQUOT);
    CU_ASSERT_EQUAL(error_prefix(&err, "drive %d", 1), -(int)ERR_NO_SPACE);
    CU_ASSERT_NOT_EQUAL(strstr(err.message, "drive 1: write: "), NULL);
    for (int c = 0; c < ERR_CODE_COUNT; c++)
        CU_ASSERT_TRUE(strlen(error_code_sentence((enum error_code)c)) > 10);
}

static const struct check_test tests[] = {
    {"crc_vectors", test_crc_vectors},
    {"crc_fallback_agrees", test_crc_fallback_agrees},
    {"bytes", test_bytes},
    {"checked", test_checked},
    {"error_escapes_and_maps", test_error_escapes_and_maps},
};
CHECK_MAIN("common", tests)
