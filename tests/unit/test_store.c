/* SPDX-License-Identifier: Apache-2.0 */
/* test_store.c - the directory store, the simulated disk and the fault layer. */
#include "tests/unit/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vtl/store/fault.h"
#include "vtl/store/simdisk.h"
#include "vtl/store/store.h"

static struct error err;
static char dir[96];

static struct store *directory(void)
{
    struct store *s = NULL;

    snprintf(dir, sizeof(dir), "%.70s/capstan-store-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
    CHECK_OK(store_directory_open(dir, false, &s, &err), err);
    return s;
}

static void remove_directory(void)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    CU_ASSERT_EQUAL(system(command), 0);
}

static struct store *simdisk(uint64_t seed)
{
    struct store *s = NULL;

    CHECK_OK(simdisk_open(seed, &s, &err), err);
    return s;
}

static int append(struct store *s, const char *name, uint64_t offset, const char *text)
{
    struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};

    return store_append(s, name, offset, &iov, 1, &err);
}

static bool holds(struct store *s, const char *name, const char *text)
{
    char buf[256];
    size_t got = 0;

    return store_read(s, name, 0, buf, sizeof(buf), &got, &err) == 0 && got == strlen(text) &&
           memcmp(buf, text, got) == 0;
}

static int count_objects(void *ctx, const char *name, uint64_t size)
{
    (void)name;
    *(uint64_t *)ctx += 1000 + size;
    return 0;
}

static int stop_at_once(void *ctx, const char *name, uint64_t size)
{
    (void)ctx;
    (void)name;
    (void)size;
    return 7;
}

/* What every back end must do. */
static void exercise(struct store *s)
{
    char text[] = "abcdefg";
    struct iovec pieces[3] = {{text, 3}, {text, 0}, {text + 3, 4}};
    uint64_t size = 0, seen = 0;
    char buf[16];
    size_t got;

    CHECK_OK(append(s, "log", 0, "one"), err);
    CHECK_OK(store_append(s, "log", 3, pieces, 3, &err), err);
    CU_ASSERT_TRUE(holds(s, "log", "oneabcdefg"));
    CHECK_FAILS(append(s, "log", 3, "x"), ERR_RANGE, err);
    CHECK_FAILS(append(s, "log", 11, "x"), ERR_RANGE, err);
    CHECK_OK(store_read(s, "log", 8, buf, sizeof(buf), &got, &err), err);
    CU_ASSERT_EQUAL(got, 2);
    CHECK_OK(store_read(s, "log", 100, buf, sizeof(buf), &got, &err), err);
    CU_ASSERT_EQUAL(got, 0);
    CHECK_OK(store_sync(s, "log", &err), err);
    CHECK_OK(store_truncate(s, "log", 4, &err), err);
    CHECK_FAILS(store_truncate(s, "log", 5, &err), ERR_RANGE, err);
    CHECK_OK(append(s, "log", 4, "XY"), err);
    CU_ASSERT_TRUE(holds(s, "log", "oneaXY"));
    CHECK_OK(store_put(s, "small", "first", 5, &err), err);
    CHECK_OK(store_put(s, "small", "2nd", 3, &err), err);
    CU_ASSERT_TRUE(holds(s, "small", "2nd"));
    CHECK_OK(store_size(s, "small", &size, &err), err);
    CU_ASSERT_EQUAL(size, 3);
    CHECK_OK(store_list(s, count_objects, &seen, &err), err);
    CU_ASSERT_EQUAL(seen, 2009);
    CU_ASSERT_EQUAL(store_list(s, stop_at_once, NULL, &err), 7);
    CHECK_OK(store_delete(s, "small", &err), err);
    CHECK_OK(store_sync_names(s, &err), err);
    CHECK_FAILS(store_delete(s, "small", &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(store_size(s, "small", &size, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(store_read(s, "small", 0, buf, 1, &got, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(store_sync(s, "small", &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(append(s, "small", 5, "x"), ERR_NOT_FOUND, err);
    CHECK_OK(store_lock(s, &err), err);
    CHECK_FAILS(store_lock(s, &err), ERR_BUSY, err);
    store_unlock(s);
    CHECK_OK(store_lock(s, &err), err);
    CU_ASSERT_TRUE(store_now(s) > 0);
}

static void test_every_back_end(void)
{
    struct store *s = directory(), *fault = NULL;

    exercise(s);
    store_close(s);
    remove_directory();
    s = simdisk(1);
    exercise(s);
    store_close(s);
    CHECK_OK(fault_open(simdisk(2), 1, &fault, &err), err);
    exercise(fault);
    store_close(fault);
}

static void test_names(void)
{
    static const char *const bad[] = {
        "",      ".",
        "..",    ".hidden",
        "a/b",   "/etc/passwd",
        "../up", "a b",
        "a\n",   "\xc3\xa9",
        "a\\b",  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* 65 */};
    static const char longest[] =
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"; /* 64 */
    struct store *s = directory();
    size_t got;
    char c;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK_FAILS(store_put(s, bad[i], "x", 1, &err), ERR_RANGE, err);
        CHECK_FAILS(append(s, bad[i], 0, "x"), ERR_RANGE, err);
        CHECK_FAILS(store_read(s, bad[i], 0, &c, 1, &got, &err), ERR_RANGE, err);
        CHECK_FAILS(store_delete(s, bad[i], &err), ERR_RANGE, err);
    }
    CHECK_FAILS(store_put(s, NULL, "x", 1, &err), ERR_RANGE, err);
    CHECK_OK(store_put(s, longest, "x", 1, &err), err);
    CHECK_FAILS(append(s, "huge", UINT64_MAX - 1, "xyz"), ERR_RANGE, err);
    CHECK_FAILS(store_read(s, longest, UINT64_MAX, &c, 1, &got, &err), ERR_RANGE, err);
    store_close(s);
    remove_directory();
}

static void make_stand_ins(void)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/fifo", dir);
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    snprintf(path, sizeof(path), "%s/link", dir);
    CU_ASSERT_EQUAL(symlink("/etc/passwd", path), 0);
    snprintf(path, sizeof(path), "%s/folder", dir);
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
}

/* A FIFO would block for ever, a link lead out of the store, a device move. */
static void test_only_regular_files(void)
{
    static const char *const names[] = {"fifo", "link", "folder"};
    struct store *s = directory();
    uint64_t size;
    size_t got;
    char c;

    make_stand_ins();
    for (size_t i = 0; i < 3; i++) {
        CHECK_FAILS(store_read(s, names[i], 0, &c, 1, &got, &err), ERR_FORMAT, err);
        CHECK_FAILS(append(s, names[i], 0, "x"), ERR_FORMAT, err);
        CHECK_FAILS(store_put(s, names[i], "x", 1, &err), ERR_FORMAT, err);
        CHECK_FAILS(store_size(s, names[i], &size, &err), ERR_FORMAT, err);
        CHECK_FAILS(store_sync(s, names[i], &err), ERR_FORMAT, err);
        CHECK_FAILS(store_truncate(s, names[i], 0, &err), ERR_FORMAT, err);
    }
    store_close(s);
    remove_directory();
}

static void test_directory_opening(void)
{
    struct store *s = directory(), *other = NULL;
    char path[160];

    CHECK_OK(store_lock(s, &err), err);
    CHECK_OK(store_directory_open(dir, true, &other, &err), err);
    CHECK_FAILS(store_lock(other, &err), ERR_BUSY, err);
    store_close(s);
    CHECK_OK(store_lock(other, &err), err);
    store_close(other);
    snprintf(path, sizeof(path), "%s/missing", dir);
    CHECK_FAILS(store_directory_open(path, false, &s, &err), ERR_NOT_FOUND, err);
    snprintf(path, sizeof(path), "%s/missing/deeper", dir);
    CHECK_FAILS(store_directory_open(path, true, &s, &err), ERR_NOT_FOUND, err);
    remove_directory();
}

/* Who guards an object is alone with it; the others wait, and come when it is done or dead. */
static void test_guard(void)
{
    struct store *s = directory(), *other = NULL;
    int status = -1;
    pid_t child;

    CHECK_FAILS(store_guard(s, "../x", &err), ERR_RANGE, err);
    CHECK_OK(store_guard(s, "scrub", &err), err);
    CHECK_FAILS(store_guard(s, "scrub", &err), ERR_STATE, err);
    CHECK_OK(store_directory_open(dir, true, &other, &err), err);
    CHECK_OK(store_guard(other, "another", &err), err);
    store_unguard(other);
    child = fork();
    if (child == 0)
        _exit(store_guard(other, "scrub", NULL) == 0 ? 7 : 1);
    usleep(50000);
    CU_ASSERT_EQUAL(waitpid(child, &status, WNOHANG), 0);
    store_unguard(s);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK_OK(store_guard(s, "scrub", &err), err); /* the child's ended with it */
    store_close(other);
    store_close(s);
    remove_directory();
}

/* Many objects written and not synced: none may lose its descriptor, and with it its errors. */
static void test_many_writers(void)
{
    struct store *s = directory();
    char name[16];

    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 40; i++) {
            snprintf(name, sizeof(name), "o%d", i);
            CHECK_OK(append(s, name, (uint64_t)round * 2, "ab"), err);
            if (i % 2)
                CHECK_OK(store_sync(s, name, &err), err);
        }
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "o%d", i);
        CU_ASSERT_TRUE(holds(s, name, "abab"));
    }
    store_close(s);
    remove_directory();
}

/* ---- the simulated disk ---------------------------------------------------------------------- */

#define SECTORS 8

struct fates {
    unsigned gone, whole, nothing, torn, holed;
};

/* One object: 100 bytes synced, then several sectors not. */
static void one_fate(uint64_t seed, struct fates *fates)
{
    static char data[SECTORS * SIMDISK_SECTOR], back[sizeof(data) + 200];
    struct store *s = simdisk(seed);
    struct iovec iov[2] = {{data, 100}, {data, sizeof(data)}};
    size_t got = 0, good = 0;

    memset(data, 'd', sizeof(data));
    CHECK_OK(store_append(s, "o", 0, &iov[0], 1, &err), err);
    CHECK_OK(store_sync(s, "o", &err), err);
    CHECK_OK(store_append(s, "o", 100, &iov[1], 1, &err), err);
    CHECK_OK(append(s, "fresh", 0, "x"), err);
    simdisk_power_cut(s);
    CHECK_OK(store_read(s, "o", 0, back, sizeof(back), &got, &err), err);
    CU_ASSERT_TRUE(got >= 100 && memcmp(back, data, 100) == 0);
    while (good < got && back[good] == 'd')
        good++;
    fates->nothing += got == 100;
    fates->whole += good == 100 + sizeof(data);
    fates->torn += good % SIMDISK_SECTOR != 0 && good < got;
    fates->holed += good < got && memchr(back + good, 'd', got - good) != NULL;
    fates->gone += store_read(s, "fresh", 0, back, 1, &got, &err) == -ERR_NOT_FOUND;
    store_close(s);
}

static void test_simdisk_power_cut(void)
{
    struct fates fates = {0, 0, 0, 0, 0};

    for (uint64_t seed = 1; seed <= 400; seed++)
        one_fate(seed, &fates);
    CU_ASSERT_TRUE(fates.gone > 100 && fates.gone < 300);
    CU_ASSERT_TRUE(fates.nothing > 20 && fates.whole > 20);
    CU_ASSERT_TRUE(fates.torn > 20 && fates.holed > 20);
}

static void test_simdisk_durable(void)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct store *s = simdisk(seed);

        CHECK_OK(store_put(s, "put", "old", 3, &err), err);
        CHECK_OK(append(s, "log", 0, "hello"), err);
        CHECK_OK(store_sync(s, "log", &err), err);
        CHECK_OK(store_put(s, "dead", "x", 1, &err), err);
        CHECK_OK(store_delete(s, "dead", &err), err);
        CHECK_OK(store_sync_names(s, &err), err);
        simdisk_cut_at(s, 1);
        CHECK_FAILS(store_put(s, "put", "newer", 5, &err), ERR_IO, err);
        CU_ASSERT_TRUE(simdisk_is_off(s));
        CHECK_FAILS(store_sync(s, "log", &err), ERR_IO, err);
        simdisk_power_cut(s);
        CU_ASSERT_TRUE(holds(s, "put", "old") || holds(s, "put", "newer"));
        CU_ASSERT_TRUE(holds(s, "log", "hello"));
        CHECK_FAILS(store_delete(s, "dead", &err), ERR_NOT_FOUND, err);
        store_close(s);
    }
}

/* After a failed sync the next one succeeds, and the data is not there (see store.h, 5). */
static void test_simdisk_fsyncgate(void)
{
    unsigned lost = 0;

    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct store *s = simdisk(seed);

        CHECK_OK(append(s, "log", 0, "a"), err);
        CHECK_OK(store_sync(s, "log", &err), err);
        CHECK_OK(append(s, "log", 1, "bcd"), err);
        simdisk_fail_syncs(s, 1000000);
        CHECK_FAILS(store_sync(s, "log", &err), ERR_IO, err);
        simdisk_fail_syncs(s, 0);
        CHECK_OK(store_sync(s, "log", &err), err);
        CU_ASSERT_TRUE(holds(s, "log", "abcd"));
        simdisk_power_cut(s);
        lost += !holds(s, "log", "abcd");
        store_close(s);
    }
    CU_ASSERT_TRUE(lost > 10);
}

static void test_simdisk_replays(void)
{
    uint8_t a[32], b[32];
    struct store *s = simdisk(42), *t = simdisk(42);

    CHECK_OK(store_random(s, a, sizeof(a), &err), err);
    CHECK_OK(store_random(t, b, sizeof(b), &err), err);
    CU_ASSERT_EQUAL(memcmp(a, b, sizeof(a)), 0);
    CU_ASSERT_EQUAL(store_now(s), store_now(t));
    simdisk_set_capacity(s, 10);
    CHECK_OK(append(s, "o", 0, "12345678"), err);
    CHECK_FAILS(append(s, "o", 8, "9ab"), ERR_NO_SPACE, err);
    CHECK_OK(simdisk_flip(s, "o", 0, 0, &err), err);
    CU_ASSERT_TRUE(holds(s, "o", "02345678"));
    store_close(s);
    store_close(t);
}

/* ---- the fault layer ------------------------------------------------------------------------- */

static void test_fault_kinds(void)
{
    struct fault_rule nth = {.ops = FAULT_SYNC, .kind = FAULT_ERROR, .nth = 2, .count = 1};
    struct fault_rule full = {.ops = FAULT_APPEND, .kind = FAULT_FULL, .per_million = 1000000};
    struct fault_rule half = {.ops = FAULT_APPEND | FAULT_READ, .kind = FAULT_SHORT, .nth = 1};
    struct fault_rule lie = {.ops = FAULT_PUT, .kind = FAULT_SWALLOW, .nth = 1};
    struct fault_rule rot = {.ops = FAULT_READ, .kind = FAULT_ROT, .nth = 1};
    struct store *s = NULL;
    char buf[8];
    size_t got;

    CHECK_OK(fault_open(simdisk(1), 1, &s, &err), err);
    CHECK_OK(append(s, "o", 0, "abcd"), err);
    CHECK_OK(fault_add(s, &nth, &err), err);
    CHECK_OK(store_sync(s, "o", &err), err);
    CHECK_FAILS(store_sync(s, "o", &err), ERR_IO, err);
    CHECK_OK(store_sync(s, "o", &err), err);
    CU_ASSERT_EQUAL(fault_hits(s), 1);
    fault_clear(s);
    CHECK_OK(fault_add(s, &full, &err), err);
    CHECK_FAILS(append(s, "o", 4, "efgh"), ERR_NO_SPACE, err);
    fault_clear(s);
    CHECK_OK(fault_add(s, &half, &err), err);
    CHECK_FAILS(append(s, "o", 4, "efgh"), ERR_IO, err);
    CHECK_OK(store_read(s, "o", 0, buf, 8, &got, &err), err);
    CU_ASSERT_EQUAL(got, 4);
    fault_clear(s);
    CU_ASSERT_TRUE(holds(s, "o", "abcdef"));
    CHECK_OK(fault_add(s, &lie, &err), err);
    CHECK_OK(store_put(s, "p", "x", 1, &err), err);
    fault_clear(s);
    CHECK_FAILS(store_read(s, "p", 0, buf, 1, &got, &err), ERR_NOT_FOUND, err);
    CHECK_OK(fault_add(s, &rot, &err), err);
    CU_ASSERT_FALSE(holds(s, "o", "abcdef"));
    fault_clear(s);
    CU_ASSERT_TRUE(holds(s, "o", "abcdef"));
    store_close(s);
}

static void *switch_faults(void *arg)
{
    struct fault_rule always = {.ops = FAULT_ANY, .kind = FAULT_ERROR, .per_million = 1000000};

    for (int i = 0; i < 200; i++) {
        (void)fault_add(arg, &always, NULL);
        fault_clear(arg);
    }
    return NULL;
}

/* A switch for who does not hold the store: writing fails with its code, reading does not. */
static void test_fault_code(void)
{
    static _Atomic int code;
    struct store *s = NULL;
    char buf[8];
    size_t got;

    CHECK_OK(fault_open_switched(simdisk(1), &code, &s, &err), err);
    CHECK_OK(append(s, "o", 0, "abcd"), err);
    code = ERR_NO_SPACE;
    CHECK_FAILS(append(s, "o", 4, "efgh"), ERR_NO_SPACE, err);
    CHECK_FAILS(store_sync(s, "o", &err), ERR_NO_SPACE, err);
    CHECK_FAILS(store_put(s, "p", "x", 1, &err), ERR_NO_SPACE, err);
    CHECK_OK(store_read(s, "o", 0, buf, sizeof(buf), &got, &err), err);
    CU_ASSERT_EQUAL(got, 4);
    code = 0;
    CHECK_OK(append(s, "o", 4, "efgh"), err);
    CHECK_OK(store_sync(s, "o", &err), err);
    store_close(s);
}

static void test_fault_switched_meanwhile(void)
{
    struct fault_rule rate = {.ops = FAULT_SIZE, .kind = FAULT_ERROR, .per_million = 250000};
    struct store *s = NULL;
    pthread_t thread;
    uint64_t size;
    unsigned failed = 0;

    CHECK_OK(fault_open(simdisk(1), 7, &s, &err), err);
    CHECK_OK(append(s, "o", 0, "abcd"), err);
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, switch_faults, s), 0);
    for (int i = 0; i < 2000; i++)
        (void)store_size(s, "o", &size, NULL);
    pthread_join(thread, NULL);
    CHECK_OK(fault_add(s, &rate, &err), err);
    for (int i = 0; i < 2000; i++)
        failed += store_size(s, "o", &size, NULL) != 0;
    CU_ASSERT_TRUE(failed > 350 && failed < 650);
    store_close(s);
}

static void test_free(void)
{
    uint64_t bytes = 0, total = 0, before;
    struct store *s = directory(), *layer;

    CHECK_OK(store_free(s, &bytes, &total, &err), err);
    CU_ASSERT_TRUE(bytes > 0 && bytes <= total);
    store_close(s);
    remove_directory();
    s = simdisk(1);
    CHECK_FAILS(store_free(s, &bytes, &total, &err), ERR_UNSUPPORTED, err);
    simdisk_set_capacity(s, 1000);
    CHECK_OK(fault_open(s, 1, &layer, &err), err);
    CHECK_OK(store_free(layer, &before, &total, &err), err);
    CHECK_OK(append(layer, "a", 0, "hello"), err);
    CHECK_OK(store_free(layer, &bytes, &total, &err), err);
    CU_ASSERT_TRUE(total == 1000 && before == 1000 && bytes == 995);
    CHECK_OK(store_delete(layer, "a", &err), err);
    CHECK_OK(store_free(layer, &bytes, &total, &err), err);
    CU_ASSERT_EQUAL(bytes, 1000);
    store_close(layer);
}

static void check_clone(struct store *from, struct store *to)
{
    bool shared = true;

    CHECK_OK(store_clone(to, "whole", from, UINT32_MAX, &shared, &err), err);
    CHECK_OK(store_clone(to, "part", from, 3, &shared, &err), err);
    CHECK_OK(store_clone(to, "empty", from, 10, &shared, &err), err);
    CHECK_OK(store_sync_names(to, &err), err);
    CU_ASSERT_TRUE(holds(to, "whole", "first words") && holds(to, "part", "fir") &&
                   holds(to, "empty", ""));
    CHECK_FAILS(store_clone(to, "whole", from, 10, &shared, &err), ERR_EXISTS, err);
    CHECK_FAILS(store_clone(to, "none", from, 10, &shared, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(store_clone(to, "../x", from, 10, &shared, &err), ERR_RANGE, err);
    /* Neither is changed through the other, and a clone goes on like any object. */
    CHECK_OK(append(to, "part", 3, "e"), err);
    CHECK_OK(store_truncate(to, "whole", 2, &err), err);
    CHECK_OK(append(from, "part", 11, "!"), err);
    CHECK_OK(store_sync(to, "part", &err), err);
    CU_ASSERT_TRUE(holds(from, "whole", "first words") && holds(from, "part", "first words!") &&
                   holds(to, "whole", "fi") && holds(to, "part", "fire"));
}

/* Within a kind of store and between two. */
static void test_clone(void)
{
    char second[160];

    for (unsigned kinds = 0; kinds < 4; kinds++) {
        struct store *from = directory(), *to = NULL;

        snprintf(second, sizeof(second), "%s/second", dir);
        CHECK_OK(store_directory_open(second, true, &to, &err), err);
        if (kinds & 1) {
            store_close(from);
            from = simdisk(1);
        }
        if (kinds & 2) {
            store_close(to);
            to = simdisk(2);
        }
        CHECK_OK(append(from, "whole", 0, "first words"), err);
        CHECK_OK(append(from, "part", 0, "first words"), err);
        CHECK_OK(append(from, "empty", 0, ""), err);
        check_clone(from, to);
        store_close(from);
        store_close(to);
        remove_directory();
    }
}

static void test_clone_durable(void)
{
    struct store *from = simdisk(1);
    bool shared;

    CHECK_OK(append(from, "text", 0, "first words"), err);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct store *to = simdisk(seed);

        CHECK_OK(store_clone(to, "text", from, 10, &shared, &err), err);
        CHECK_OK(store_sync_names(to, &err), err);
        simdisk_power_cut(to);
        CU_ASSERT_TRUE(holds(to, "text", "first word"));
        store_close(to);
    }
    store_close(from);
}

/* Nothing but regular files, and nothing through the layer's faults. */
static void test_clone_refused(void)
{
    struct fault_rule half = {.ops = FAULT_APPEND, .kind = FAULT_SHORT, .nth = 1, .count = 1};
    struct store *from = directory(), *to = NULL;
    bool shared;

    make_stand_ins();
    CHECK_OK(fault_open(simdisk(1), 1, &to, &err), err);
    CHECK_FAILS(store_clone(to, "link", from, 10, &shared, &err), ERR_FORMAT, err);
    CHECK_FAILS(store_clone(from, "link", to, 10, &shared, &err), ERR_FORMAT, err);
    CHECK_OK(append(from, "text", 0, "0123456789"), err);
    CHECK_OK(fault_add(to, &half, &err), err);
    CHECK_FAILS(store_clone(to, "text", from, 10, &shared, &err), ERR_IO, err);
    CU_ASSERT_TRUE(holds(to, "text", "01234"));
    store_close(from);
    store_close(to);
    remove_directory();
}

static const struct check_test tests[] = {
    {"every_back_end", test_every_back_end},
    {"names", test_names},
    {"only_regular_files", test_only_regular_files},
    {"directory_opening", test_directory_opening},
    {"guard", test_guard},
    {"many_writers", test_many_writers},
    {"simdisk_power_cut", test_simdisk_power_cut},
    {"simdisk_durable", test_simdisk_durable},
    {"simdisk_fsyncgate", test_simdisk_fsyncgate},
    {"simdisk_replays", test_simdisk_replays},
    {"free", test_free},
    {"clone", test_clone},
    {"clone_durable", test_clone_durable},
    {"clone_refused", test_clone_refused},
    {"fault_kinds", test_fault_kinds},
    {"fault_code", test_fault_code},
    {"fault_switched_meanwhile", test_fault_switched_meanwhile},
};

CHECK_MAIN("store", tests)
