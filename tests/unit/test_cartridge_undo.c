/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cartridge_undo.c - going back, against a model that simply remembers every tape there was.
 */
#include "tests/unit/test_cartridge.h"

#define TAPE_MAX 64

/* A tape as the model has it: what number each object has; 0 is a filemark. */
struct content {
    unsigned objects[TAPE_MAX];
    size_t count;
};

#define POINTS_MAX 4096

struct model {
    struct content now;
    struct content was[POINTS_MAX]; /* by generation */
    bool known[POINTS_MAX];
    unsigned number; /* of the last block */
    uint32_t seed;
};

static unsigned dice(struct model *m, unsigned sides)
{
    m->seed = m->seed * 1103515245 + 12345;
    return (m->seed >> 16) % sides;
}

static void check_content(struct cartridge *c, const struct content *content)
{
    uint8_t buf[2000], expected[2000];
    uint32_t len = 0;

    cartridge_rewind(c);
    for (size_t i = 0; i < content->count; i++) {
        int rc = cartridge_read(c, buf, sizeof(buf), &len, &err);

        if (content->objects[i] == 0) {
            CU_ASSERT_EQUAL_FATAL(rc, -ERR_FILEMARK);
            continue;
        }
        CU_ASSERT_EQUAL_FATAL(rc, 0);
        CU_ASSERT_EQUAL_FATAL(len, block_fill(expected, content->objects[i]));
        CU_ASSERT_EQUAL_FATAL(memcmp(buf, expected, len), 0);
    }
    CU_ASSERT_EQUAL(cartridge_read(c, buf, sizeof(buf), &len, &err), -ERR_END_OF_DATA);
}

/* ---- points -------------------------------------------------------------------------------- */

struct points {
    struct cartridge_point at[POINTS_MAX];
    size_t count;
};

static int collect(void *ctx, const struct cartridge_point *point)
{
    struct points *p = ctx;

    p->at[p->count++] = *point;
    return 0;
}

static void list_points(struct cartridge *c, struct points *p)
{
    p->count = 0;
    CHECK_OK(cartridge_points(c, collect, p, &err), err);
}

/* The newest point is new: it stands for what the tape was before. */
static void note_point(struct cartridge *c, struct model *m, const struct content *before)
{
    static struct points p;

    list_points(c, &p);
    for (size_t i = 0; i < p.count; i++) {
        CU_ASSERT_FATAL(p.at[i].generation < POINTS_MAX);
        CU_ASSERT(i == 0 || p.at[i].generation < p.at[i - 1].generation);
        if (!m->known[p.at[i].generation]) {
            CU_ASSERT_EQUAL(i, 0); /* nothing old comes up anew */
            m->was[p.at[i].generation] = *before;
            m->known[p.at[i].generation] = true;
        }
        CU_ASSERT_EQUAL(p.at[i].objects, m->was[p.at[i].generation].count);
    }
}

/* ---- work ---------------------------------------------------------------------------------- */

static void write_some(struct cartridge *c, struct model *m)
{
    size_t at = dice(m, 3) ? m->now.count : dice(m, (unsigned)m->now.count + 1);
    struct content before = m->now;
    uint8_t buf[2000];

    CHECK_OK(cartridge_locate(c, 0, at, &err), err);
    m->now.count = at;
    if (dice(m, 8) == 0) {
        CHECK_OK(cartridge_erase(c, &err), err);
    } else {
        for (unsigned n = 1 + dice(m, 6); n > 0 && m->now.count < TAPE_MAX; n--) {
            unsigned number = dice(m, 4) ? ++m->number : 0;

            if (number)
                CHECK_OK(cartridge_write(c, buf, block_fill(buf, number), NULL, &err), err);
            else
                CHECK_OK(cartridge_write_filemarks(c, 1, NULL, &err), err);
            m->now.objects[m->now.count++] = number;
        }
    }
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    note_point(c, m, &before);
}

static bool same_content(const struct content *a, const struct content *b)
{
    return a->count == b->count &&
           memcmp(a->objects, b->objects, a->count * sizeof(a->objects[0])) == 0;
}

static void go_back(struct cartridge *c, struct model *m)
{
    static struct points p, after;
    struct content before = m->now;
    uint64_t to;

    list_points(c, &p);
    if (p.count == 0)
        return;
    to = p.at[dice(m, (unsigned)p.count)].generation;
    CHECK_OK(cartridge_undo(c, to, &err), err);
    m->now = m->was[to];
    note_point(c, m, &before);
    check_content(c, &m->now);
    list_points(c, &after);
    for (size_t i = 0; i < p.count; i++) { /* no older point is lost, but that which is now */
        bool there = same_content(&m->was[p.at[i].generation], &m->now);

        for (size_t j = 0; j < after.count; j++)
            there = there || after.at[j].generation == p.at[i].generation;
        CU_ASSERT(there);
    }
}

/* Write, overwrite, erase, go back and forth, close and open: what comes back is what was. */
static void test_history(void)
{
    static struct model m;
    static struct points p, q;

    for (uint32_t seed = 1; seed <= 6; seed++) {
        struct store *disk;
        struct cartridge *c = new_tape(&disk);

        memset(&m, 0, sizeof(m));
        m.seed = seed;
        for (unsigned round = 0; round < 150; round++) {
            if (dice(&m, 3))
                write_some(c, &m);
            else
                go_back(c, &m);
            if (dice(&m, 5) == 0) {
                list_points(c, &p);
                cartridge_close(c);
                CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
                list_points(c, &q);
                CU_ASSERT_EQUAL(p.count, q.count);
            }
        }
        check_content(c, &m.now);
        cartridge_close(c);
        store_close(disk);
    }
}

static uint64_t newest(struct cartridge *c)
{
    static struct points p;

    list_points(c, &p);
    return p.count ? p.at[0].generation : 0;
}

static void test_refusals(void)
{
    struct cartridge_identity id = small_identity();
    struct store *disk;
    struct cartridge *c = new_tape(&disk);
    uint64_t point;

    CU_ASSERT_EQUAL(newest(c), 0);
    CHECK_FAILS(cartridge_undo(c, 1, &err), ERR_NOT_FOUND, err);
    write_tape(c, "bbbf");
    CHECK_OK(cartridge_locate(c, 0, 1, &err), err);
    write_tape(c, "f");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    point = newest(c);
    CU_ASSERT_NOT_EQUAL(point, 0);
    CHECK_FAILS(cartridge_undo(c, point + 1, &err), ERR_NOT_FOUND, err);
    CHECK_OK(cartridge_set_protected(c, true, &err), err);
    CHECK_FAILS(cartridge_undo(c, point, &err), ERR_PROTECTED, err);
    CHECK_OK(cartridge_set_protected(c, false, &err), err);
    cartridge_close(c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_ONLY, &c, &err), err);
    CU_ASSERT_EQUAL(newest(c), point);
    CHECK_FAILS(cartridge_undo(c, point, &err), ERR_PROTECTED, err);
    cartridge_close(c);
    store_close(disk);

    id.worm = true;
    CHECK_OK(simdisk_open(1, &disk, &err), err);
    CHECK_OK(cartridge_create(disk, &id, &err), err);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_FAILS(cartridge_undo(c, 1, &err), ERR_PROTECTED, err);
    cartridge_close(c);
    store_close(disk);
}

/* A segment that limbo names is gone: so is the point, and nothing else. */
static void test_gone(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);
    uint64_t point;

    write_tape(c, "bbb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_rewind(c);
    write_tape(c, "f");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    point = newest(c);
    CU_ASSERT_NOT_EQUAL(point, 0);
    CHECK_OK(store_delete(disk, "seg-0000000000000001", &err), err);
    CU_ASSERT_EQUAL(newest(c), 0);
    CHECK_FAILS(cartridge_undo(c, point, &err), ERR_NOT_FOUND, err);
    cartridge_close(c);
    store_close(disk);
}

/* What undo would take off is more than limbo may hold: refused, nothing is lost. */
static void test_no_room(void)
{
    struct cartridge_identity id = small_identity();
    struct content big = {{0}, 0};
    struct store *disk;
    struct cartridge *c;
    uint8_t buf[2000];
    uint64_t point;

    id.limbo_bytes = 3000;
    CHECK_OK(simdisk_open(1, &disk, &err), err);
    CHECK_OK(cartridge_create(disk, &id, &err), err);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    write_tape(c, "b");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_rewind(c);
    for (unsigned i = 0; i < 20; i++) {
        big.objects[big.count++] = i + 30;
        CHECK_OK(cartridge_write(c, buf, block_fill(buf, i + 30), NULL, &err), err);
    }
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    point = newest(c);
    CU_ASSERT_NOT_EQUAL(point, 0);
    CHECK_FAILS(cartridge_undo(c, point, &err), ERR_NO_SPACE, err);
    check_content(c, &big);
    CU_ASSERT_EQUAL(newest(c), point);
    cartridge_close(c);
    store_close(disk);
}

/* The power fails at every call of an undo: the tape is the one or the other. */
static void test_power_cuts(void)
{
    bool off = true;
    unsigned before = 0, after = 0;

    for (uint64_t at = 1; off; at++) {
        struct store *disk;
        struct cartridge *c = new_tape(&disk);
        struct cartridge_position pos;
        int rc;

        write_tape(c, "bbbbfbbb");
        CHECK_OK(cartridge_sync(c, NULL, &err), err);
        CHECK_OK(cartridge_locate(c, 0, 2, &err), err);
        write_tape(c, "bbf");
        CHECK_OK(cartridge_sync(c, NULL, &err), err);
        simdisk_cut_at(disk, at);
        rc = cartridge_undo(c, newest(c), &err);
        off = simdisk_is_off(disk);
        cartridge_close(c);
        simdisk_power_cut(disk);
        CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
        cartridge_locate_end(c);
        cartridge_tell(c, &pos);
        CU_ASSERT(pos.eod_lba == 8 || (pos.eod_lba == 5 && rc != 0));
        *(pos.eod_lba == 8 ? &after : &before) += 1;
        CHECK_OK(cartridge_verify(c, &(struct cartridge_report){0}, &err), err);
        if (pos.eod_lba == 5)
            CHECK_OK(cartridge_undo(c, newest(c), &err), err);
        cartridge_locate_end(c);
        cartridge_tell(c, &pos);
        CU_ASSERT_EQUAL(pos.eod_lba, 8);
        cartridge_close(c);
        store_close(disk);
    }
    CU_ASSERT(before > 0 && after > 0);
}

static const struct check_test tests[] = {
    {"history", test_history}, {"refusals", test_refusals},     {"gone", test_gone},
    {"no_room", test_no_room}, {"power_cuts", test_power_cuts},
};

CHECK_MAIN("cartridge undo", tests)
