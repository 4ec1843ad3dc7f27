/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cartridge_faults.c - the same piece of work again and again, and each time one more call of
 * the store fails: never is something lost that a good sync was reported for, never a crash.
 */
#include "tests/unit/test_cartridge.h"

/* What the host was told to be safe. */
struct promise {
    size_t synced;  /* this many objects, */
    size_t may_end; /* and the tape ends here at most */
    unsigned part;  /* 1: the first tape, 2: overwritten from block 3 on */
    bool unsure;    /* an overwrite was under way */
};

static bool is_expected(const char *tape, size_t lba, unsigned base, int rc, const uint8_t *buf,
                        uint32_t len)
{
    uint8_t expected[2000];

    if (tape[lba] == 'f')
        return rc == -ERR_FILEMARK;
    return rc == 0 && len == block_fill(expected, base + (unsigned)lba) &&
           memcmp(buf, expected, len) == 0;
}

static const char first_tape[] = "bbbbfbbbbbbbbfbb";
static const char second_tape[] = "bbbffbbbbbb";

/* Write `letters` from lba on; the first failure ends it. */
static int write_part(struct cartridge *c, const char *tape, size_t from, unsigned base,
                      struct promise *p)
{
    uint8_t buf[2000];
    int rc = 0;

    for (size_t i = from; rc == 0 && tape[i]; i++) {
        if (tape[i] == 'f')
            rc = cartridge_write_filemarks(c, 1, NULL, &err);
        else
            rc = cartridge_write(c, buf, block_fill(buf, base + (unsigned)i), NULL, &err);
        if (i == 6 || !tape[i + 1]) {
            uint64_t lost = 0;

            rc = rc ? rc : cartridge_sync(c, &lost, &err);
            if (rc == 0)
                p->synced = i + 1;
            else if (lost)
                CU_ASSERT_TRUE(lost >= (p->unsure ? 3 : p->synced) && lost <= i + 1);
        }
    }
    return rc;
}

static int work(struct store *s, struct promise *p)
{
    struct cartridge *c = NULL;
    int rc = cartridge_open(s, CARTRIDGE_READ_WRITE, &c, &err);

    if (rc)
        return rc;
    p->part = 1;
    rc = write_part(c, first_tape, 0, 0, p);
    if (rc == 0)
        rc = cartridge_locate(c, 0, 3, &err);
    if (rc == 0) {
        p->unsure = true;
        rc = write_part(c, second_tape, 3, 100, p);
        if (p->synced <= 7 || rc == 0)
            p->part = 2;
    }
    if (rc == 0) {
        p->unsure = false;
        rc = cartridge_attribute_set(c, 0, 1, "x", 1, &err);
    }
    cartridge_close(c);
    return rc;
}

/* The tape as it is now is the first one or the overwritten one, and as long as was promised. */
static void check_promise(struct store *s, const struct promise *p, uint64_t nth)
{
    struct cartridge *c = NULL;
    uint8_t buf[2000];
    uint32_t len;
    size_t first = 0, second = 0, lba = 0;
    int rc;

    CHECK_OK(cartridge_open(s, CARTRIDGE_READ_WRITE, &c, &err), err);
    for (; lba < 64; lba++) {
        rc = cartridge_read(c, buf, sizeof(buf), &len, &err);
        if (rc == -ERR_END_OF_DATA)
            break;
        if (first == lba && lba < strlen(first_tape) &&
            is_expected(first_tape, lba, 0, rc, buf, len))
            first++;
        if (second == lba && lba < strlen(second_tape) &&
            is_expected(second_tape, lba, lba < 3 ? 0 : 100, rc, buf, len))
            second++;
    }
    if (first != lba && second != lba)
        printf("\n    call %llu: %zu objects, %zu like the first tape, %zu like the second\n",
               (unsigned long long)nth, lba, first, second);
    CU_ASSERT_TRUE(first == lba || second == lba);
    if (!p->unsure)
        CU_ASSERT_TRUE(lba >= p->synced);
    if (p->unsure && first != lba)
        CU_ASSERT_TRUE(second == lba && lba >= 3);
    cartridge_close(c);
}

static struct store *faulty_tape(uint64_t seed)
{
    struct cartridge_identity id = small_identity();
    struct store *disk = NULL, *s = NULL;

    CHECK_OK(simdisk_open(seed, &disk, &err), err);
    CHECK_OK(cartridge_create(disk, &id, &err), err);
    CHECK_OK(fault_open(disk, seed, &s, &err), err);
    return s;
}

static void fail_each_call(unsigned ops, enum fault_kind kind, uint64_t count)
{
    bool struck = true;
    unsigned failed = 0;
    uint64_t nth = 1;

    for (; struck && nth < 2000; nth++) {
        struct fault_rule rule = {.ops = ops, .kind = kind, .nth = nth, .count = count};
        struct promise p = {0, 0, 0, false};
        struct store *s = faulty_tape(nth);

        CHECK_OK(fault_add(s, &rule, &err), err);
        failed += work(s, &p) != 0;
        struck = fault_hits(s) > 0;
        fault_clear(s);
        check_promise(s, &p, nth);
        store_close(s);
    }
    CU_ASSERT_TRUE(nth > 4);
    if (count == 0) /* a store that fails for good is not hidden */
        CU_ASSERT_TRUE(failed > 0);
}

static void test_error_once(void)
{
    fail_each_call(FAULT_ANY & ~(unsigned)FAULT_LOCK, FAULT_ERROR, 1);
}

static void test_error_for_good(void)
{
    fail_each_call(FAULT_ANY & ~(unsigned)FAULT_LOCK, FAULT_ERROR, 0);
}

static void test_full_once(void)
{
    fail_each_call(FAULT_PUT | FAULT_APPEND, FAULT_FULL, 1);
}

static void test_full_for_good(void)
{
    fail_each_call(FAULT_PUT | FAULT_APPEND, FAULT_FULL, 0);
}

static void test_short_write(void)
{
    fail_each_call(FAULT_APPEND, FAULT_SHORT, 1);
    fail_each_call(FAULT_APPEND, FAULT_SHORT, 0);
}

static void test_sync_failures(void)
{
    fail_each_call(FAULT_SYNC, FAULT_ERROR, 1);
    fail_each_call(FAULT_SYNC, FAULT_ERROR, 2);
    fail_each_call(FAULT_SYNC, FAULT_ERROR, 0);
}

/* A sync that fails once: nothing is lost, it is somewhere else, and 0 is the truth. */
static void test_rescue(void)
{
    struct fault_rule rule = {.ops = FAULT_SYNC, .kind = FAULT_ERROR, .nth = 1, .count = 1};
    struct store *s = faulty_tape(1);
    struct cartridge *c = NULL;
    uint64_t size;

    CHECK_OK(cartridge_open(s, CARTRIDGE_READ_WRITE, &c, &err), err);
    write_tape(c, "bfb");
    CHECK_OK(fault_add(s, &rule, &err), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CU_ASSERT_EQUAL(fault_hits(s), 1);
    cartridge_close(c);
    CHECK_OK(store_size(s, "seg-0000000000000002", &size, &err), err);
    CHECK_OK(cartridge_open(s, CARTRIDGE_READ_ONLY, &c, &err), err);
    CU_ASSERT_TRUE(reads_block(c, 0));
    CHECK_OK(cartridge_locate(c, 0, 2, &err), err);
    CU_ASSERT_TRUE(reads_block(c, 2));
    cartridge_close(c);
    store_close(s);
}

/* Both tries fail: it is said what is lost, and the tape waits for the host to say where to go. */
static void test_lost(void)
{
    struct fault_rule rule = {.ops = FAULT_SYNC, .kind = FAULT_ERROR, .per_million = 1000000};
    struct store *s = faulty_tape(1);
    struct cartridge *c = NULL;
    struct cartridge_position pos;
    uint64_t lost = 99;

    CHECK_OK(cartridge_open(s, CARTRIDGE_READ_WRITE, &c, &err), err);
    write_tape(c, "bb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    write_tape(c, "bfb");
    CHECK_OK(fault_add(s, &rule, &err), err);
    CHECK_FAILS(cartridge_sync(c, &lost, &err), ERR_IO, err);
    CU_ASSERT_EQUAL(lost, 2);
    cartridge_tell(c, &pos);
    CU_ASSERT_EQUAL(pos.eod_lba, 2);
    CU_ASSERT_EQUAL(pos.lba, 2);
    fault_clear(s);
    CHECK_FAILS(cartridge_write(c, "x", 1, NULL, &err), ERR_STATE, err);
    CHECK_FAILS(cartridge_write_filemarks(c, 1, NULL, &err), ERR_STATE, err);
    CHECK_OK(cartridge_locate(c, 0, 2, &err), err);
    write_tape(c, "b");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_rewind(c);
    CU_ASSERT_TRUE(reads_block(c, 0) && reads_block(c, 1) && reads_block(c, 2));
    cartridge_close(c);
    store_close(s);
}

static uint8_t block[1 << 20];

/* Write and sync blocks of a MiB until the store is full, which is told; *synced of them are safe.
 */
static void fill(struct cartridge *c, unsigned per_sync, uint64_t *synced)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < 100; i++) {
        rc = cartridge_write(c, block, sizeof(block), NULL, &err);
        if (rc == 0 && i % per_sync == per_sync - 1)
            rc = cartridge_sync(c, NULL, &err);
        if (rc == 0 && i % per_sync == per_sync - 1)
            *synced = i + 1;
    }
    CU_ASSERT_EQUAL(rc, -ERR_NO_SPACE);
}

/* What was lost because the store is full takes no room there: something smaller fits. */
static void test_full_gives_back(void)
{
    for (unsigned per_sync = 5; per_sync <= 50; per_sync *= 10) {
        struct cartridge_identity id = small_identity();
        struct store *s = NULL;
        struct cartridge *c = NULL;
        uint64_t synced = 0;

        id.capacity = 1 << 30;
        id.segment_size = 256 << 20;
        CHECK_OK(simdisk_open(1, &s, &err), err);
        CHECK_OK(cartridge_create(s, &id, &err), err);
        simdisk_set_capacity(s, 12 << 20);
        simdisk_hide_capacity(s);
        CHECK_OK(cartridge_open(s, CARTRIDGE_READ_WRITE, &c, &err), err);
        fill(c, per_sync, &synced);
        CHECK_OK(cartridge_locate(c, 0, synced, &err), err);
        CHECK_OK(cartridge_write(c, block, sizeof(block), NULL, &err), err);
        CHECK_OK(cartridge_sync(c, NULL, &err), err);
        cartridge_close(c);
        store_close(s);
    }
}

/* A tape on a disk of 1 MiB, of which the cartridge knows nothing. */
static struct cartridge *tape_on_small_disk(struct store **disk)
{
    struct cartridge_identity id = small_identity();
    struct cartridge *c = NULL;

    id.capacity = 1 << 30;
    id.segment_size = 256 << 10;
    CHECK_OK(simdisk_open(1, disk, &err), err);
    simdisk_set_capacity(*disk, 1 << 20);
    CHECK_OK(cartridge_create(*disk, &id, &err), err);
    CHECK_OK(cartridge_open(*disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    return c;
}

/* Blocks of 1000 bytes from the position to the end; *warned is how many had early warning. */
static unsigned write_to_end(struct cartridge *c, unsigned *warned)
{
    uint8_t buf[1000];
    unsigned n = 0;
    bool warning = false;

    memset(buf, 7, sizeof(buf));
    *warned = 0;
    while (cartridge_write(c, buf, sizeof(buf), &warning, &err) == 0) {
        CU_ASSERT_TRUE(warning || *warned == 0); /* once on it stays */
        *warned += warning;
        n++;
    }
    return n;
}

/* A full disk is the end of the tape: warned of, and filemarks and a sync still go. */
static void test_full_is_end_of_tape(void)
{
    struct cartridge_position pos;
    unsigned n, warned;
    struct cartridge *c;
    struct store *disk;

    c = tape_on_small_disk(&disk);
    n = write_to_end(c, &warned);
    CU_ASSERT_EQUAL(err.code, ERR_END_OF_TAPE);
    CU_ASSERT_TRUE(n > 800 && warned >= 55 && warned < 70); /* 64 KiB before the end */
    cartridge_tell(c, &pos);
    CU_ASSERT_TRUE(pos.lba == n && pos.early_warning && pos.remaining > 1 << 29);
    CHECK_OK(cartridge_write_filemarks(c, 1, NULL, &err), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_write_filemarks(c, 1, NULL, &err), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_attribute_set(c, 0, 1, "x", 1, &err), err);
    cartridge_close(c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(cartridge_verify(c, &(struct cartridge_report){0}, &err), err);
    cartridge_locate_end(c);
    CU_ASSERT_TRUE(at(c, n + 2, 2));
    CU_ASSERT_EQUAL(write_to_end(c, &warned), 0);
    /* Room is made, and the tape goes on. */
    simdisk_set_capacity(disk, 2 << 20);
    simdisk_advance(disk, 2000000000);
    CU_ASSERT_TRUE(write_to_end(c, &warned) > 800 && warned < 140);
    cartridge_close(c);
    store_close(disk);
}

/* Before the tape ends, what limbo keeps goes. */
static void test_full_of_limbo(void)
{
    unsigned n, again, warned;
    struct cartridge *c;
    struct store *disk;

    c = tape_on_small_disk(&disk);
    n = write_to_end(c, &warned);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_rewind(c);
    CHECK_OK(cartridge_erase(c, &err), err);
    again = write_to_end(c, &warned);
    CU_ASSERT_TRUE(again + 10 > n && warned < 70);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    store_close(disk);
}

static const struct check_test tests[] = {
    {"error_once", test_error_once},
    {"error_for_good", test_error_for_good},
    {"full_once", test_full_once},
    {"full_for_good", test_full_for_good},
    {"short_write", test_short_write},
    {"sync_failures", test_sync_failures},
    {"rescue", test_rescue},
    {"lost", test_lost},
    {"full_is_end_of_tape", test_full_is_end_of_tape},
    {"full_of_limbo", test_full_of_limbo},
    {"full_gives_back", test_full_gives_back},
};

CHECK_MAIN("cartridge faults", tests)
