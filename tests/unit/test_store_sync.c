/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_store_sync.c - a file system that fails to sync once and then says that all is well
 * (fsyncgate): the directory store does not pass the second answer on (store.h, rule 5).
 *
 * fdatasync() is the one below (the linker's --wrap).
 */
#include <errno.h>

#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include "vtl/store/store.h"

static struct error err;
static int fail_next;

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

int __wrap_fdatasync(int fd)
{
    if (fail_next > 0) {
        fail_next--;
        errno = EIO;
        return -1;
    }
    return __real_fdatasync(fd);
}

static int append(struct store *s, const char *object, uint64_t offset, const char *text)
{
    struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};

    return store_append(s, object, offset, &iov, 1, &err);
}

static void test_sync_twice(void)
{
    struct store *s = NULL;

    CU_ASSERT_EQUAL_FATAL(scratch_make(), 0);
    CHECK_OK(store_directory_open(scratch, true, &s, &err), err);
    CHECK_OK(append(s, "one", 0, "abc"), err);
    CHECK_OK(store_sync(s, "one", &err), err);
    CHECK_OK(append(s, "one", 3, "def"), err);
    fail_next = 1;
    CHECK_FAILS(store_sync(s, "one", &err), ERR_IO, err);
    CHECK_FAILS(store_sync(s, "one", &err), ERR_IO, err);
    CHECK_FAILS(append(s, "one", 6, "ghi"), ERR_IO, err);
    CHECK_OK(append(s, "two", 0, "def"), err); /* elsewhere it goes on */
    CHECK_OK(store_sync(s, "two", &err), err);
    store_close(s);
    scratch_remove(scratch);
}

static const struct check_test tests[] = {
    {"sync_twice", test_sync_twice},
};

CHECK_MAIN("store sync", tests)
