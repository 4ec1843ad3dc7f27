/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cartridge_purge.c - what a long erase gives up is nowhere on the store any more: the bytes
 * of every object are searched for it.
 */
#include "common/log.h"
#include "tests/unit/test_cartridge.h"
#include "vtl/store/fault.h"

#define BLOCK 300

/* Blocks tell what is to become of them, all over. */
static int put(struct cartridge *c, const char *word, unsigned count)
{
    char block[BLOCK];
    int rc = 0;

    for (size_t i = 0; i < BLOCK; i++)
        block[i] = word[i % 4];
    for (unsigned i = 0; rc == 0 && i < count; i++)
        rc = cartridge_write(c, block, BLOCK, NULL, &err);
    return rc ? rc : cartridge_sync(c, NULL, &err);
}

static bool is_kept(struct cartridge *c)
{
    char block[BLOCK];
    uint32_t len = 0;

    return cartridge_read(c, block, BLOCK, &len, &err) == 0 && len == BLOCK &&
           memcmp(block, "keptkept", 8) == 0;
}

/* 12 kept, of which segments have 8 or so; what was overwritten and what is to be erased is gone.
 */
static int history(struct cartridge *c)
{
    int rc = put(c, "kept", 10);

    if (rc == 0)
        rc = put(c, "gone", 12);
    if (rc == 0)
        rc = cartridge_locate(c, 0, 10, &err);
    if (rc == 0)
        rc = put(c, "kept", 2);
    if (rc == 0)
        rc = put(c, "gone", 30);
    return rc ? rc : cartridge_locate(c, 0, 12, &err);
}

static int erase(struct cartridge *c)
{
    uint64_t left = 1;
    int rc = cartridge_erase(c, &err);

    while (rc == 0 && left > 0)
        rc = cartridge_purge(c, 1, &left, &err);
    return rc;
}

/* ---- what is on the store -------------------------------------------------------------------- */

struct search {
    struct store *store;
    unsigned found, objects;
};

static int search_object(void *ctx, const char *object, uint64_t size)
{
    struct search *s = ctx;
    uint8_t *bytes = malloc(size ? size : 1);
    size_t got = 0;

    s->objects++;
    CHECK_OK(store_read(s->store, object, 0, bytes, size, &got, &err), err);
    for (size_t i = 0; i + 4 <= got; i++)
        s->found += memcmp(bytes + i, "gone", 4) == 0;
    free(bytes);
    return 0;
}

static unsigned found_on(struct store *store)
{
    struct search s = {.store = store};

    CHECK_OK(store_list(store, search_object, &s, &err), err);
    CU_ASSERT(s.objects >= 3);
    return s.found;
}

static int count_point(void *ctx, const struct cartridge_point *point)
{
    (void)point;
    ++*(unsigned *)ctx;
    return 0;
}

static unsigned points(struct cartridge *c)
{
    unsigned count = 0;

    CHECK_OK(cartridge_points(c, count_point, &count, &err), err);
    return count;
}

/* The twelve are there and nothing else. */
static void check_kept(struct cartridge *c)
{
    struct cartridge_report report;
    struct cartridge_position pos;

    cartridge_rewind(c);
    for (unsigned i = 0; i < 12; i++)
        CU_ASSERT_TRUE(is_kept(c));
    cartridge_tell(c, &pos);
    CU_ASSERT_EQUAL(pos.eod_lba, 12);
    CHECK_OK(cartridge_check(c, CARTRIDGE_PROTECTION, &report, &err), err);
    CU_ASSERT_EQUAL(report.blocks, 12);
}

static struct cartridge *reopen(struct store *disk, struct cartridge *c)
{
    cartridge_close(c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    return c;
}

static void test_gone(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);

    CHECK_OK(history(c), err);
    CHECK_OK(cartridge_erase(c, &err), err);
    CU_ASSERT(found_on(disk) > 0); /* a short erase keeps it for undo */
    CU_ASSERT(points(c) >= 2);
    CHECK_OK(erase(c), err);
    CU_ASSERT_EQUAL(found_on(disk), 0);
    CU_ASSERT_EQUAL(points(c), 0);
    check_kept(c);
    c = reopen(disk, c);
    check_kept(c);
    CHECK_OK(cartridge_locate(c, 0, 12, &err), err);
    CHECK_OK(put(c, "more", 20), err);
    c = reopen(disk, c);
    CHECK_OK(cartridge_verify(c, &(struct cartridge_report){0}, &err), err);
    cartridge_rewind(c);
    CHECK_OK(erase(c), err);
    CU_ASSERT_EQUAL(points(c), 0);
    CHECK_OK(put(c, "kept", 1), err);
    cartridge_close(c);
    store_close(disk);
}

/* Nothing of it comes back with a power cut, once the purge has said that it is gone. */
static void test_gone_for_good(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);

    log_set_level(LOG_LEVEL_ERROR);
    CHECK_OK(history(c), err);
    CHECK_OK(erase(c), err);
    simdisk_power_cut(disk);
    cartridge_close(c);
    simdisk_power_cut(disk);
    CU_ASSERT_EQUAL(found_on(disk), 0);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    check_kept(c);
    cartridge_close(c);
    store_close(disk);
}

static struct cartridge *rebuilt(struct store *disk)
{
    struct cartridge_rebuilt report;
    struct cartridge *c = NULL;

    CHECK_OK(store_delete(disk, "super.a", &err), err);
    CHECK_OK(store_delete(disk, "super.b", &err), err);
    CHECK_OK(cartridge_rebuild(disk, &report, &err), err);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    return c;
}

/* A long erase ends in the middle of a segment, which has no seal then: a map made of the segments
 * has what was kept, and nothing else; also behind what was written afterwards. */
static void test_rebuilt(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);
    struct cartridge_position pos;

    CHECK_OK(history(c), err);
    CHECK_OK(erase(c), err);
    cartridge_close(c);
    c = rebuilt(disk);
    check_kept(c);
    CU_ASSERT_EQUAL(points(c), 0);
    CHECK_OK(cartridge_set_protected(c, false, &err), err);
    CHECK_OK(cartridge_locate(c, 0, 12, &err), err);
    CHECK_OK(put(c, "more", 20), err);
    cartridge_close(c);
    c = rebuilt(disk);
    for (unsigned i = 0; i < 12; i++)
        CU_ASSERT_TRUE(is_kept(c));
    cartridge_tell(c, &pos);
    CU_ASSERT_EQUAL(pos.eod_lba, 32);
    CHECK_OK(cartridge_verify(c, &(struct cartridge_report){0}, &err), err);
    cartridge_close(c);
    store_close(disk);
}

/* ... and where no COMMIT stands before the cut. */
static void test_rebuilt_between_commits(void)
{
    for (unsigned kept = 1; kept < 30; kept++) {
        struct cartridge_position pos;
        struct store *disk;
        struct cartridge *c = new_tape(&disk);

        CHECK_OK(put(c, "kept", 30), err);
        CHECK_OK(cartridge_locate(c, 0, kept, &err), err);
        CHECK_OK(erase(c), err);
        cartridge_close(c);
        c = rebuilt(disk);
        cartridge_tell(c, &pos);
        CU_ASSERT_EQUAL(pos.eod_lba, kept);
        CHECK_OK(cartridge_verify(c, &(struct cartridge_report){0}, &err), err);
        for (unsigned i = 0; i < kept; i++)
            CU_ASSERT_TRUE(is_kept(c));
        cartridge_close(c);
        store_close(disk);
    }
}

/* The first call says so, the others delete, and what was begun goes on with another purge. */
static void test_in_parts(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);
    uint64_t left = 0, before;
    unsigned found;

    CHECK_OK(history(c), err);
    CHECK_OK(cartridge_erase(c, &err), err);
    CHECK_OK(cartridge_purge(c, 0, &left, &err), err);
    CU_ASSERT(left >= 2);
    CU_ASSERT_EQUAL(points(c), 0);
    found = found_on(disk);
    before = left;
    CHECK_OK(cartridge_purge(c, 1, &left, &err), err);
    CU_ASSERT_EQUAL(left, before - 1);
    CU_ASSERT(found_on(disk) < found);
    CHECK_OK(put(c, "gone", 1), err);
    CHECK_OK(cartridge_locate(c, 0, 12, &err), err);
    CHECK_OK(erase(c), err);
    CU_ASSERT_EQUAL(found_on(disk), 0);
    check_kept(c);
    c = reopen(disk, c);
    CHECK_OK(put(c, "gone", 0), err);
    cartridge_close(c);
    store_close(disk);
}

static void test_worm(void)
{
    struct cartridge_identity id = small_identity();
    struct store *disk;
    struct cartridge *c;
    uint64_t left;

    id.worm = true;
    CHECK_OK(simdisk_open(1, &disk, &err), err);
    CHECK_OK(cartridge_create(disk, &id, &err), err);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(put(c, "gone", 2), err);
    cartridge_rewind(c);
    CHECK_OK(put(c, "kept", 1), err); /* over a label */
    CHECK_OK(cartridge_purge(c, 9, &left, &err), err);
    CU_ASSERT_EQUAL(left, 0);
    CU_ASSERT(found_on(disk) > 0);
    CHECK_OK(cartridge_set_protected(c, true, &err), err);
    CHECK_FAILS(cartridge_purge(c, 9, &left, &err), ERR_PROTECTED, err);
    cartridge_close(c);
    store_close(disk);
}

/* ---- when the power fails, or the store ------------------------------------------------------ */

/* Whatever happened: the twelve are there, and the same again makes an end of the rest. */
static void check_again(struct store *disk)
{
    struct cartridge *c;

    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(cartridge_verify(c, &(struct cartridge_report){0}, &err), err);
    for (unsigned i = 0; i < 12; i++)
        CU_ASSERT_TRUE(is_kept(c));
    CHECK_OK(erase(c), err);
    CU_ASSERT_EQUAL(found_on(disk), 0);
    check_kept(c);
    c = reopen(disk, c);
    check_kept(c);
    cartridge_close(c);
}

static void test_power_cuts(void)
{
    bool off = true;
    unsigned call;

    log_set_level(LOG_LEVEL_ERROR);
    for (call = 1; off; call++) {
        struct cartridge *c;
        struct store *disk;

        c = new_tape(&disk);
        CHECK_OK(history(c), err);
        simdisk_cut_at(disk, call);
        off = erase(c) != 0;
        cartridge_close(c);
        simdisk_power_cut(disk);
        check_again(disk);
        store_close(disk);
    }
    CU_ASSERT(call > 10);
}

static void test_failing_store(void)
{
    bool hit = true;
    unsigned failed = 0;

    log_set_level(LOG_LEVEL_ERROR);
    for (unsigned call = 1; hit; call++) {
        struct fault_rule rule = {.ops = FAULT_PUT | FAULT_APPEND | FAULT_SYNC | FAULT_TRUNCATE |
                                         FAULT_REMOVE,
                                  .kind = call % 2 ? FAULT_ERROR : FAULT_FULL,
                                  .nth = call,
                                  .count = 1};
        struct store *disk, *fault;
        struct cartridge *c = new_tape(&disk);

        cartridge_close(c);
        CHECK_OK(fault_open(disk, 1, &fault, &err), err);
        CHECK_OK(cartridge_open(fault, CARTRIDGE_READ_WRITE, &c, &err), err);
        CHECK_OK(history(c), err);
        CHECK_OK(fault_add(fault, &rule, &err), err);
        if (erase(c) == 0) {
            CU_ASSERT_EQUAL(found_on(fault), 0); /* it never says so when it is not */
        } else {
            failed++;
        }
        hit = fault_hits(fault) > 0;
        fault_clear(fault);
        cartridge_close(c);
        check_again(fault);
        store_close(fault);
    }
    CU_ASSERT(failed > 3);
}

static const struct check_test tests[] = {
    {"gone", test_gone},
    {"gone_for_good", test_gone_for_good},
    {"rebuilt", test_rebuilt},
    {"rebuilt_between_commits", test_rebuilt_between_commits},
    {"in_parts", test_in_parts},
    {"worm", test_worm},
    {"power_cuts", test_power_cuts},
    {"failing_store", test_failing_store},
};

CHECK_MAIN("cartridge_purge", tests)
