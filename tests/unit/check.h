/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.h - the frame of every unit test program: a table of tests, run by CUnit.
 *
 * A program ends with CHECK_MAIN("suite", tests), where tests is an array of struct check_test.
 * It exits 0 if all passed, 1 if any failed (CUnit prints which assertion), 77 to skip.
 * Names given on the command line select tests; a name that there is not is an error.
 */
#ifndef CAPSTAN_TESTS_UNIT_CHECK_H
#define CAPSTAN_TESTS_UNIT_CHECK_H

#include <CUnit/Basic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"

struct check_test {
    const char *name;
    void (*run)(void);
};

/* True for a call that returned 0; prints the message of err when it did not. */
#define CHECK_OK(call, err)                                                                        \
    do {                                                                                           \
        int check_rc_ = (call);                                                                    \
        if (check_rc_ != 0)                                                                        \
            printf("\n    %s:%d: %s returned %d: %s\n", __FILE__, __LINE__, #call, check_rc_,      \
                   (err).message);                                                                 \
        CU_ASSERT_EQUAL_FATAL(check_rc_, 0);                                                       \
    } while (0)

/* True for a call that failed with this error code and said why. */
#define CHECK_FAILS(call, expected_code, err)                                                      \
    do {                                                                                           \
        int check_rc_ = (call);                                                                    \
        if (check_rc_ != -(int)(expected_code))                                                    \
            printf("\n    %s:%d: %s returned %d, expected %d\n", __FILE__, __LINE__, #call,        \
                   check_rc_, -(int)(expected_code));                                              \
        CU_ASSERT_EQUAL(check_rc_, -(int)(expected_code));                                         \
        CU_ASSERT_NOT_EQUAL((err).message[0], '\0');                                               \
    } while (0)

/* Whether there is a test of this name; says so if not. */
static inline bool check_name(const struct check_test *tests, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(tests[i].name, name) == 0)
            return true;
    }
    fprintf(stderr, "there is no test \"%s\"\n", name);
    return false;
}

static inline int check_main(const char *suite_name, const struct check_test *tests, size_t count,
                             int argc, char **argv)
{
    unsigned failures, run;
    CU_pSuite suite;

    for (int a = 1; a < argc; a++) {
        if (!check_name(tests, count, argv[a]))
            return 99;
    }
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 99;
    suite = CU_add_suite(suite_name, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        bool wanted = argc < 2;

        for (int a = 1; a < argc; a++)
            wanted = wanted || strcmp(argv[a], tests[i].name) == 0;
        if (wanted && !CU_add_test(suite, tests[i].name, tests[i].run))
            return 99;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    run = CU_get_number_of_tests_run();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    if (run == 0) {
        fprintf(stderr, "no test was run\n");
        return 99;
    }
    return failures ? 1 : 0;
}

#define CHECK_MAIN(suite_name, tests)                                                              \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return check_main((suite_name), (tests), sizeof(tests) / sizeof((tests)[0]), argc, argv);  \
    }

#endif
