/* SPDX-License-Identifier: Apache-2.0 */
/* test_output.c - common/json, common/table, common/progress: what people and programs get to see.
 */
#include "tests/unit/check.h"

#include <locale.h>
#include <string.h>

#include "common/checked.h"
#include "common/json.h"
#include "common/progress.h"
#include "common/table.h"

static void test_sizes(void)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},           {999, "999 B"},          {1000, "1.0 KB"},
        {999949, "999.9 KB"}, {999950, "1.0 MB"},      {12000000000000, "12.0 TB"},
        {1500, "1.5 KB"},     {UINT64_MAX, "18.4 EB"},
    };
    char buf[16];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        CU_ASSERT_STRING_EQUAL(size_text(buf, cases[i].bytes), cases[i].text);
}

/* A name that is not UTF-8 is shown escaped, and its bytes are there in base64 (RFC 4648). */
static void test_names(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *text, *base64;
    } cases[] = {
        {"plain", 5, "plain", NULL},
        {"", 0, "", NULL},
        {"gr\303\274n", 5, "gr\303\274n", NULL},
        {"a\nb\033", 4, "a\nb\033", NULL}, /* JSON escapes these itself */
        {"\377", 1, "\\xff", "/w=="},
        {"a\377", 2, "a\\xff", "Yf8="},
        {"a\377b", 3, "a\\xffb", "Yf9i"},
        {"a\0b", 3, "a\\x00b", "YQBi"},
        {"\303\274\377\n", 4, "\\xc3\\xbc\\xff\\x0a", "w7z/Cg=="},
    };
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        json_t *o = json_object();

        CHECK_OK(json_set_bytes(o, "name", cases[i].bytes, cases[i].len, &err), err);
        CU_ASSERT_STRING_EQUAL(json_get_text(o, "name", "?"), cases[i].text);
        if (cases[i].base64)
            CU_ASSERT_STRING_EQUAL(json_get_text(o, "name_base64", "?"), cases[i].base64);
        CU_ASSERT_EQUAL(json_object_size(o), cases[i].base64 ? 2 : 1);
        json_decref(o);
    }
}

static void test_times(void)
{
    struct error err = ERROR_INIT;
    json_t *o = json_object();

    CHECK_OK(json_set_time(o, "t", 1795177891228173678, &err), err);
    CU_ASSERT_STRING_EQUAL(json_get_text(o, "t", ""), "2026-11-20T12:31:31Z");
    CU_ASSERT_EQUAL(json_get_integer(o, "t_ns", 0), 1795177891228173678);
    CHECK_OK(json_set_time(o, "t", -1, &err), err); /* before 1970 it is the second before */
    CU_ASSERT_STRING_EQUAL(json_get_text(o, "t", ""), "1969-12-31T23:59:59Z");
    CHECK_OK(json_set_time(o, "t", INT64_MAX, &err), err);
    CHECK_OK(json_set_time(o, "t", INT64_MIN, &err), err);
    json_decref(o);
}

static void print_rows(const char *rows, char *buf, size_t size)
{
    static const struct table_column columns[] = {
        {"NAME", "name", TABLE_TEXT}, {"SIZE", "size", TABLE_SIZE}, {"N", "n", TABLE_NUMBER},
        {"OK", "ok", TABLE_YES},      {"T", "t", TABLE_TIME},
    };
    struct error err = ERROR_INIT;
    json_t *array = json_loads(rows, 0, NULL);
    FILE *f = fmemopen(buf, size, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(array);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CHECK_OK(table_print(f, columns, ARRAY_LENGTH(columns), array, &err), err);
    fclose(f);
    json_decref(array);
}

static void test_table(void)
{
    char buf[4096] = "";

    print_rows("[{\"name\": \"a\", \"size\": 1500, \"n\": 7, \"ok\": true,"
               "  \"t\": \"2026-11-20T12:31:31Z\"},"
               " {\"name\": \"evil\\u001b[31m\\nline\", \"ok\": false, \"t\": \"\"}, {}]",
               buf, sizeof(buf));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf, "NAME"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf, "1.5 KB"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf, "2026-11-20 12:31"));
    CU_ASSERT_PTR_NULL(strchr(buf, '\033')); /* a name cannot colour the screen */
    CU_ASSERT_PTR_NULL(strstr(buf, "\nline"));
    /* What is escaped already stays so; letters of any tongue stand as they are. */
    print_rows("[{\"name\": \"a\\\\xff\\\\b\"}]", buf, sizeof(buf));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf, "a\\xff\\b"));
    CU_ASSERT_PTR_NULL(strstr(buf, "x5c"));
    if (setlocale(LC_CTYPE, "C.UTF-8")) {
        print_rows("[{\"name\": \"\\u00fc\\u0085\"}]", buf, sizeof(buf));
        CU_ASSERT_PTR_NOT_NULL(strstr(buf, "\303\274\\xc2\\x85"));
    }
    setlocale(LC_CTYPE, "C");
    print_rows("[{\"name\": \"\\u00fc\"}]", buf, sizeof(buf));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf, "\\xc3\\xbc"));
    print_rows("[]", buf, sizeof(buf));
    CU_ASSERT_STRING_EQUAL(buf, "NAME SIZE N OK T\n");
}

/* Ten seconds at 100 MB/s of 2 GB: ten more to go. */
static void test_progress(void)
{
    struct progress p = {0};
    char line[160];

    for (unsigned s = 1; s <= 10; s++)
        progress_line(&p, s, "files 1/2", s * 100000000ull, 2000000000, line, sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, "files 1/2, 1.0 GB of 2.0 GB (50%), 100.0 MB/s, 0:00:10 left");
    progress_line(&p, 11, "x", 2100000000, 2000000000, line, sizeof(line));
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "(100%)"));
    CU_ASSERT_PTR_NULL(strstr(line, "left"));
    progress_line(&p, 12, "x", 5, 0, line, sizeof(line)); /* backwards, and no total */
    CU_ASSERT_PTR_NULL(strstr(line, "of"));
    progress_line(&p, 13, "just words", 0, 0, line, sizeof(line));
    CU_ASSERT_STRING_EQUAL(line, "just words");
}

static const struct check_test tests[] = {
    {"sizes", test_sizes}, {"names", test_names},       {"times", test_times},
    {"table", test_table}, {"progress", test_progress},
};

CHECK_MAIN("output", tests)
