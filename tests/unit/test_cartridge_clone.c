/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cartridge_clone.c - another cartridge with the same contents: what comes along and what does
 * not, that the two never disturb each other, and that a power cut, a failing store or a full disk
 * at any call leaves none or a whole one, and the source as it was.
 */
#include "tests/unit/test_cartridge.h"

#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/log.h"

static struct cartridge_cloned report;

/* ---- comparing --------------------------------------------------------------------------------
 */

/* Do both hold the same objects in all partitions, as they are stored? */
static bool same_tape(struct cartridge *a, struct cartridge *b)
{
    static uint8_t x[CARTRIDGE_BLOCK_MAX], y[CARTRIDGE_BLOCK_MAX];
    struct cartridge *both[2] = {a, b};
    bool same = cartridge_partition_count(a) == cartridge_partition_count(b);

    for (unsigned p = 0; same && p < cartridge_partition_count(a); p++) {
        struct cartridge_block m = {0}, n = {0};
        int rc = 0, other;

        for (unsigned i = 0; i < 2; i++)
            CHECK_OK(cartridge_locate(both[i], p, 0, &err), err);
        same = cartridge_partition_capacity(a, p) == cartridge_partition_capacity(b, p);
        while (same && rc != -ERR_END_OF_DATA) {
            rc = cartridge_read_block(a, x, sizeof(x), &m, &err);
            other = cartridge_read_block(b, y, sizeof(y), &n, &err);
            same = rc == other && (rc == 0 || rc == -ERR_FILEMARK || rc == -ERR_END_OF_DATA) &&
                   memcmp(&m, &n, sizeof(m)) == 0 && (rc || memcmp(x, y, m.stored) == 0);
        }
    }
    return same;
}

static bool same_on(struct store *a, struct store *b)
{
    struct cartridge *one = NULL, *two = NULL;
    bool same;

    CHECK_OK(cartridge_open(a, CARTRIDGE_READ_ONLY, &one, &err), err);
    CHECK_OK(cartridge_open(b, CARTRIDGE_READ_ONLY, &two, &err), err);
    same = one && two && same_tape(one, two);
    cartridge_close(one);
    cartridge_close(two);
    return same;
}

struct sum {
    struct store *store;
    uint32_t crc;
};

static int add_object(void *ctx, const char *object, uint64_t size)
{
    static uint8_t buf[1 << 20];
    struct sum *s = ctx;
    size_t got = 0;

    CU_ASSERT_TRUE(size <= sizeof(buf));
    CHECK_OK(store_read(s->store, object, 0, buf, sizeof(buf), &got, &err), err);
    s->crc += crc32c_update(crc32c(object, strlen(object)), buf, got); /* in any order */
    return 0;
}

/* Of all bytes of all objects. */
static uint32_t sum_of(struct store *store)
{
    struct sum s = {store, 0};

    CHECK_OK(store_list(store, add_object, &s, &err), err);
    return s.crc;
}

static int count_object(void *ctx, const char *object, uint64_t size)
{
    (void)object;
    (void)size;
    ++*(unsigned *)ctx;
    return 0;
}

static unsigned objects_in(struct store *store)
{
    unsigned count = 0;

    CHECK_OK(store_list(store, count_object, &count, &err), err);
    return count;
}

/* ---- making -----------------------------------------------------------------------------------
 */

static struct store *disk_of(uint64_t seed)
{
    struct store *disk = NULL;

    CHECK_OK(simdisk_open(seed, &disk, &err), err);
    return disk;
}

static struct store *clone_of(struct store *source, const char *barcode)
{
    struct store *to = disk_of(7);

    CHECK_OK(cartridge_clone(source, to, barcode, &report, &err), err);
    return to;
}

static struct cartridge *opened(struct store *disk)
{
    struct cartridge *c = NULL;

    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    return c;
}

/* Partitions, an overwritten and an erased end, compressed blocks, attributes; all synced. */
static void write_history(struct cartridge *c)
{
    struct cartridge_block packed = {
        .length = 900, .stored = 5, .compression = CARTRIDGE_LZ4, .protection = 2};

    CHECK_OK(cartridge_format(c, (uint64_t[]){1 << 19, 1 << 18}, 2, &err), err);
    write_tape(c, "bbbbbbbbbbbbfbbbbbbbb");
    CHECK_OK(cartridge_locate(c, 0, 6, &err), err);
    write_tape(c, "fbbbb");
    packed.protection_crc = 0x01020304;
    CHECK_OK(cartridge_write_block(c, &packed, "lumps", NULL, &err), err);
    CHECK_OK(cartridge_locate(c, 1, 0, &err), err);
    write_tape(c, "bfbbb");
    CHECK_OK(cartridge_locate(c, 1, 3, &err), err);
    CHECK_OK(cartridge_erase(c, &err), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
}

static struct store *history(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);

    write_history(c);
    cartridge_close(c);
    return disk;
}

static bool has_attribute(struct cartridge *c, uint32_t partition, uint16_t id, const char *value)
{
    char buf[32] = "";
    size_t len = sizeof(buf);

    return cartridge_attribute_get(c, partition, id, buf, &len, &err) == 0 &&
           len == strlen(value) && memcmp(buf, value, len) == 0;
}

static int take_point(void *ctx, const struct cartridge_point *point)
{
    *(uint64_t *)ctx = point->generation;
    return 1;
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void test_contents(void)
{
    struct store *disk = history(), *copy;
    struct cartridge *c = opened(disk), *clone;
    const struct cartridge_identity *a, *b;
    struct cartridge_report good;
    uint64_t point = 0;
    uint32_t before;

    CHECK_OK(cartridge_attribute_set(c, 0, 0x0003, "loads", 5, &err), err);
    CHECK_OK(cartridge_attribute_set(c, 0, 0x0801, "program", 7, &err), err);
    CHECK_OK(cartridge_attribute_set(c, 0, 0x0806, "TEST01L8", 8, &err), err);
    CHECK_OK(cartridge_attribute_set(c, 0, 0x0340, "life", 4, &err), err);
    CHECK_OK(cartridge_attribute_set(c, 0, 0x080c, "coherency", 9, &err), err);
    CHECK_OK(cartridge_attribute_set(c, 1, 0x0340, "its own", 7, &err), err);
    CHECK_OK(cartridge_attribute_set(c, 1, 0x080c, "second", 6, &err), err);
    CHECK_OK(cartridge_set_protected(c, true, &err), err);
    cartridge_close(c);
    before = sum_of(disk);
    copy = clone_of(disk, "CLON01L8");
    CU_ASSERT_EQUAL(sum_of(disk), before);
    CU_ASSERT_TRUE(same_on(disk, copy));
    CU_ASSERT_TRUE(report.segments > 2 && report.objects == 15 && !report.shared);

    c = opened(disk);
    clone = opened(copy);
    a = cartridge_identity(c);
    b = cartridge_identity(clone);
    CU_ASSERT_STRING_EQUAL(b->barcode, "CLON01L8");
    CU_ASSERT_TRUE(memcmp(a->uuid, b->uuid, 16) != 0 && memcmp(a->uuid, b->family, 16) == 0);
    CU_ASSERT_TRUE(a->capacity == b->capacity && a->segment_size == b->segment_size &&
                   a->early_warning == b->early_warning && a->limbo_ns == b->limbo_ns);
    CU_ASSERT_FALSE(cartridge_protected(clone));
    CU_ASSERT_TRUE(has_attribute(clone, 0, 0x0801, "program"));
    CU_ASSERT_TRUE(has_attribute(clone, 0, 0x080c, "coherency"));
    CU_ASSERT_TRUE(has_attribute(clone, 1, 0x080c, "second"));
    CU_ASSERT_FALSE(has_attribute(clone, 0, 0x0003, "loads"));
    CU_ASSERT_FALSE(has_attribute(clone, 0, 0x0806, "TEST01L8"));
    CU_ASSERT_FALSE(has_attribute(clone, 0, 0x0340, "life"));
    CU_ASSERT_EQUAL(cartridge_points(c, take_point, &point, &err), 1);
    CU_ASSERT_EQUAL(cartridge_points(clone, take_point, &point, &err), 0);
    CHECK_OK(cartridge_verify(clone, &good, &err), err);
    CU_ASSERT_EQUAL(good.blocks + good.filemarks, 15);
    cartridge_close(c);
    cartridge_close(clone);
    store_close(disk);
    store_close(copy);
}

static void overwrite(struct store *disk, uint64_t lba)
{
    struct cartridge *c = opened(disk);

    CHECK_OK(cartridge_locate(c, 0, lba, &err), err);
    write_tape(c, "fbbbbbbbbbbbbbbbbbb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
}

/* Neither is disturbed by what is done to the other; undo takes the clone back to what it was. */
static void test_independent(void)
{
    struct store *disk = history(), *copy = clone_of(disk, "CLON01L8");
    struct store *witness = clone_of(disk, "WITN01L8");
    uint32_t before = sum_of(disk);
    uint64_t point = 0;
    struct cartridge *c;

    overwrite(copy, 3);
    CU_ASSERT_EQUAL(sum_of(disk), before);
    CU_ASSERT_FALSE(same_on(disk, copy));
    c = opened(copy);
    CU_ASSERT_EQUAL(cartridge_points(c, take_point, &point, &err), 1);
    CHECK_OK(cartridge_undo(c, point, &err), err);
    cartridge_close(c);
    CU_ASSERT_TRUE(same_on(disk, copy));
    overwrite(disk, 1);
    CU_ASSERT_TRUE(same_on(witness, copy));
    c = opened(disk);
    CHECK_OK(cartridge_format(c, (uint64_t[]){1 << 20}, 1, &err), err);
    CHECK_OK(cartridge_set_retention(c, 0, 0, &err), err);
    write_tape(c, "b");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    CU_ASSERT_TRUE(same_on(witness, copy));
    store_close(disk);
    store_close(copy);
    store_close(witness);
}

/* A clone's clone is of the same family; a rebuild knows all of its segments. */
static void test_family(void)
{
    struct store *disk = history(), *copy = clone_of(disk, "CLON01L8"), *second;
    struct cartridge_rebuilt rebuilt;
    uint8_t raw[256];
    size_t got;

    overwrite(copy, 5);
    second = clone_of(copy, "CLON02L8");
    overwrite(second, 9);
    CHECK_OK(store_read(second, "identity", 0, raw, sizeof(raw), &got, &err), err);
    CU_ASSERT_TRUE(got == 256 && get_le32(raw + 8) == 2 && get_le32(raw + 112) == 7);
    CHECK_OK(store_read(disk, "identity", 0, raw + 128, 32, &got, &err), err);
    CU_ASSERT_EQUAL(memcmp(raw + 116, raw + 128 + 16, 12), 0);
    CHECK_OK(store_delete(copy, "super.a", &err), err);
    CHECK_OK(store_delete(copy, "super.b", &err), err);
    CHECK_OK(cartridge_rebuild(copy, &rebuilt, &err), err);
    CU_ASSERT_EQUAL(rebuilt.left_out, 0);
    store_close(copy);
    copy = clone_of(second, "CLON03L8");
    CHECK_OK(store_delete(copy, "super.a", &err), err);
    CHECK_OK(store_delete(copy, "super.b", &err), err);
    CHECK_OK(cartridge_rebuild(copy, &rebuilt, &err), err);
    CU_ASSERT_EQUAL(rebuilt.left_out, 0);
    CU_ASSERT_EQUAL(rebuilt.objects, 9 + 19 + 5); /* the erase of partition 1 is not in segments */
    store_close(disk);
    store_close(copy);
    store_close(second);
}

/* A writer is at it: what it has synced comes along, and nothing that it has not. */
static void test_beside_writer(void)
{
    struct store *disk, *copy;
    struct cartridge *c = new_tape(&disk), *clone;
    struct cartridge_position pos;

    log_set_level(LOG_LEVEL_ERROR);
    write_tape(c, "bbbbbbbbbbbbfb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    write_tape(c, "bbb");
    copy = clone_of(disk, "CLON01L8");
    clone = opened(copy);
    cartridge_locate_end(clone);
    cartridge_tell(clone, &pos);
    CU_ASSERT_EQUAL(pos.lba, 14);
    write_tape(clone, "bb");
    CHECK_OK(cartridge_sync(clone, NULL, &err), err);
    cartridge_close(clone);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    simdisk_cut_at(disk, 1);
    cartridge_close(c);
    simdisk_power_cut(disk);
    store_close(copy);
    copy = clone_of(disk, "CLON02L8"); /* of one that nobody has recovered */
    CU_ASSERT_EQUAL(report.objects, 17);
    CU_ASSERT_TRUE(same_on(disk, copy));
    store_close(disk);
    store_close(copy);
}

/* What was handed to the store but not synced is there, whole and good: it does not come along. */
static void test_handed_over(void)
{
    static uint8_t large[1 << 18];
    struct cartridge_identity id = small_identity();
    struct store *disk = disk_of(1), *copy;
    struct cartridge *c;
    uint64_t size = 0;

    id.capacity = id.segment_size = 1 << 27;
    CHECK_OK(cartridge_create(disk, &id, &err), err);
    c = opened(disk);
    write_tape(c, "bbb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    for (unsigned i = 0; i < 12; i++)
        CHECK_OK(cartridge_write(c, large, sizeof(large), NULL, &err), err);
    CHECK_OK(store_size(disk, "seg-0000000000000001", &size, &err), err);
    CU_ASSERT_TRUE(size > 2 * sizeof(large));
    copy = clone_of(disk, "CLON01L8");
    CU_ASSERT_EQUAL(report.objects, 3);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    store_close(copy);
    copy = clone_of(disk, "CLON01L8");
    CU_ASSERT_EQUAL(report.objects, 15);
    CU_ASSERT_TRUE(same_on(disk, copy));
    store_close(disk);
    store_close(copy);
}

static void test_worm(void)
{
    struct cartridge_identity id = small_identity();
    struct store *disk = disk_of(1), *copy;
    struct cartridge *c;

    id.worm = true;
    CHECK_OK(cartridge_create(disk, &id, &err), err);
    copy = clone_of(disk, "WRM000L8"); /* an empty one */
    CU_ASSERT_TRUE(report.segments == 0 && report.objects == 0 && !report.shared);
    store_close(copy);
    c = opened(disk);
    write_tape(c, "bbb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    copy = clone_of(disk, "WRM001L8");
    c = opened(copy);
    CU_ASSERT_TRUE(cartridge_identity(c)->worm);
    CHECK_OK(cartridge_locate(c, 0, 1, &err), err);
    CHECK_FAILS(cartridge_write(c, "x", 1, NULL, &err), ERR_PROTECTED, err);
    cartridge_locate_end(c);
    CHECK_OK(cartridge_write(c, "x", 1, NULL, &err), err);
    cartridge_close(c);
    store_close(disk);
    store_close(copy);
}

static void test_refused(void)
{
    struct store *disk = history(), *to = disk_of(3);

    CHECK_FAILS(cartridge_clone(disk, to, "not one", &report, &err), ERR_RANGE, err);
    CHECK_FAILS(cartridge_clone(disk, to, "ABCDEFGHIJKLMNOPQRSTUVWXYZ01234567", &report, &err),
                ERR_RANGE, err);
    CHECK_FAILS(cartridge_clone(to, disk, "CLON01L8", &report, &err), ERR_FORMAT, err);
    CHECK_OK(store_put(to, "mine", "x", 1, &err), err);
    CHECK_FAILS(cartridge_clone(disk, to, "CLON01L8", &report, &err), ERR_EXISTS, err);
    CU_ASSERT_EQUAL(objects_in(to), 1);
    CHECK_OK(store_delete(to, "mine", &err), err);
    CHECK_OK(store_delete(disk, "seg-0000000000000001", &err), err);
    CHECK_FAILS(cartridge_clone(disk, to, "CLON01L8", &report, &err), ERR_NOT_FOUND, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "cartridge verify"));
    CU_ASSERT_EQUAL(objects_in(to), 0);
    store_close(disk);
    store_close(to);
}

/* A store in whose first reading of a segment a writer overwrites the tape and keeps nothing. */
struct meddler {
    struct store store;
    struct store *below;
    struct cartridge *writer;
};

static int meddler_read(struct store *s, const char *object, uint64_t offset, void *buf, size_t len,
                        size_t *got, struct error *e)
{
    struct meddler *m = (struct meddler *)s;

    if (strncmp(object, "seg-", 4) == 0 && m->writer) {
        cartridge_rewind(m->writer);
        write_tape(m->writer, "b");
        CHECK_OK(cartridge_sync(m->writer, NULL, &err), err);
        m->writer = NULL;
    }
    return store_read(m->below, object, offset, buf, len, got, e);
}

static int meddler_size(struct store *s, const char *object, uint64_t *size, struct error *e)
{
    return store_size(((struct meddler *)s)->below, object, size, e);
}

static void test_overtaken(void)
{
    static const struct store_ops ops = {
        .kind = "meddler", .read = meddler_read, .size = meddler_size};
    struct store *disk, *to = disk_of(3);
    struct cartridge *c = new_tape(&disk);
    struct meddler m = {{&ops}, disk, c};

    CHECK_OK(cartridge_set_retention(c, 0, 0, &err), err);
    write_tape(c, "bbbbbbbbbbbb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_FAILS(cartridge_clone(&m.store, to, "CLON01L8", &report, &err), ERR_BUSY, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "try again"));
    CU_ASSERT_EQUAL(objects_in(to), 0);
    CHECK_OK(cartridge_clone(&m.store, to, "CLON01L8", &report, &err), err);
    CU_ASSERT_EQUAL(report.objects, 1);
    cartridge_close(c);
    store_close(disk);
    store_close(to);
}

/* ---- when it fails ----------------------------------------------------------------------------
 */

/* A source that a crash left with an open segment: cloning does all it ever does. */
static struct store *crashed(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);

    log_set_level(LOG_LEVEL_ERROR);
    write_history(c);
    cartridge_locate_end(c);
    write_tape(c, "bbf");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    simdisk_cut_before(disk, 1);
    cartridge_close(c);
    simdisk_power_cut(disk);
    return disk;
}

/* No cartridge is there, or one that is the source; *whole: which. */
static void check_none_or_whole(struct store *source, struct store *to, bool *whole)
{
    struct cartridge *c = NULL;
    int rc = cartridge_open(to, CARTRIDGE_READ_WRITE, &c, &err);

    *whole = rc == 0;
    if (rc)
        CU_ASSERT_TRUE(err.code == ERR_FORMAT && strstr(err.message, "not a Capstan cartridge"));
    cartridge_close(c);
    if (!rc)
        CU_ASSERT_TRUE(same_on(source, to));
}

static void test_power_cuts(void)
{
    struct store *disk = crashed();
    uint32_t before = sum_of(disk);
    unsigned none = 0, all = 0;
    bool done = false;

    for (uint64_t call = 1; !done; call++)
        for (uint64_t seed = 1; seed <= 6; seed++) {
            struct store *to = disk_of(seed * 1000 + call);
            bool whole;
            int rc;

            simdisk_cut_at(to, call);
            rc = cartridge_clone(disk, to, "CLON01L8", &report, &err);
            done = !simdisk_is_off(to);
            simdisk_power_cut(to);
            check_none_or_whole(disk, to, &whole);
            CU_ASSERT_TRUE(whole || rc != 0);
            none += !whole;
            all += whole;
            store_close(to);
        }
    CU_ASSERT_TRUE(none > 60 && all > 20);
    CU_ASSERT_EQUAL(sum_of(disk), before);
    store_close(disk);
}

/* Each call of the new cartridge's store fails once, or from then on. */
static void test_failing_store(void)
{
    static const enum fault_kind kinds[] = {FAULT_ERROR, FAULT_FULL, FAULT_SHORT};
    struct store *disk = crashed();
    uint32_t before = sum_of(disk);
    unsigned failed = 0;

    for (unsigned i = 0; i < 6; i++) {
        bool struck = true;

        for (uint64_t call = 1; struck; call++) {
            struct fault_rule rule = {.ops = i % 3 == 2 ? FAULT_APPEND | FAULT_READ
                                                        : FAULT_ANY & ~FAULT_REMOVE,
                                      .kind = kinds[i % 3],
                                      .nth = call,
                                      .count = i / 3};
            struct store *to = NULL;
            bool whole;
            int rc;

            CHECK_OK(fault_open(disk_of(call), 1, &to, &err), err);
            CHECK_OK(fault_add(to, &rule, &err), err);
            rc = cartridge_clone(disk, to, "CLON01L8", &report, &err);
            struck = fault_hits(to) > 0;
            fault_clear(to);
            CU_ASSERT_TRUE(rc == 0 || struck);
            failed += rc != 0;
            check_none_or_whole(disk, to, &whole);
            CU_ASSERT_EQUAL(whole, rc == 0);
            if (rc && i / 3) /* the next try has room */
                CHECK_OK(cartridge_clone(disk, to, "CLON01L8", &report, &err), err);
            store_close(to);
        }
    }
    CU_ASSERT_TRUE(failed > 50);
    CU_ASSERT_EQUAL(sum_of(disk), before);
    store_close(disk);
}

static void test_failing_source(void)
{
    struct store *disk = NULL, *to;
    bool struck = true;
    unsigned failed = 0;

    CHECK_OK(fault_open(crashed(), 1, &disk, &err), err);
    for (uint64_t call = 1; struck; call++) {
        struct fault_rule rule = {.ops = FAULT_ANY, .kind = FAULT_ERROR, .nth = call, .count = 1};
        uint64_t hits = fault_hits(disk);
        bool whole;
        int rc;

        to = disk_of(call);
        CHECK_OK(fault_add(disk, &rule, &err), err);
        rc = cartridge_clone(disk, to, "CLON01L8", &report, &err);
        struck = fault_hits(disk) > hits;
        fault_clear(disk);
        check_none_or_whole(disk, to, &whole);
        CU_ASSERT_EQUAL(whole, rc == 0);
        failed += rc != 0;
        store_close(to);
    }
    CU_ASSERT_TRUE(failed > 10);
    store_close(disk);
}

static void test_full_disk(void)
{
    struct store *disk = crashed();
    unsigned failed = 0, done = 0;

    for (uint64_t room = 300; done < 8; room += 997) {
        struct store *to = disk_of(room);
        bool whole;
        int rc;

        simdisk_set_capacity(to, room);
        rc = cartridge_clone(disk, to, "CLON01L8", &report, &err);
        done += rc == 0;
        failed += rc == -ERR_NO_SPACE;
        CU_ASSERT_TRUE(rc == 0 || rc == -ERR_NO_SPACE);
        if (rc)
            CU_ASSERT_EQUAL(objects_in(to), 0);
        check_none_or_whole(disk, to, &whole);
        CU_ASSERT_EQUAL(whole, rc == 0);
        store_close(to);
    }
    CU_ASSERT_TRUE(failed > 5);
    store_close(disk);
}

static const struct check_test tests[] = {
    {"contents", test_contents},
    {"independent", test_independent},
    {"family", test_family},
    {"beside_writer", test_beside_writer},
    {"handed_over", test_handed_over},
    {"worm", test_worm},
    {"refused", test_refused},
    {"overtaken", test_overtaken},
    {"power_cuts", test_power_cuts},
    {"failing_store", test_failing_store},
    {"failing_source", test_failing_source},
    {"full_disk", test_full_disk},
};

CHECK_MAIN("cartridge clone", tests)
