/* SPDX-License-Identifier: Apache-2.0 */
/* test_cartridge.c - writing, reading and every rule of position. */
#include "tests/unit/test_cartridge.h"

#include <sys/wait.h>
#include <unistd.h>

/* ---- a model: the rules of cartridge.h, on a string of letters --------------------------------
 */

struct model {
    const char *tape;
    size_t end, lba;
    uint64_t moved;
};

static int model_blocks(struct model *m, int64_t count)
{
    for (m->moved = 0; count > 0; count--, m->moved++) {
        if (m->lba == m->end)
            return -ERR_END_OF_DATA;
        if (m->tape[m->lba++] == 'f')
            return -ERR_FILEMARK;
    }
    for (; count < 0; count++, m->moved++) {
        if (m->lba == 0)
            return -ERR_BEGIN;
        if (m->tape[--m->lba] == 'f')
            return -ERR_FILEMARK;
    }
    return 0;
}

static int model_filemarks(struct model *m, int64_t count)
{
    for (m->moved = 0; count > 0; m->lba++) {
        if (m->lba == m->end)
            return -ERR_END_OF_DATA;
        if (m->tape[m->lba] == 'f') {
            m->moved++;
            count--;
        }
    }
    while (count < 0) {
        if (m->lba == 0)
            return -ERR_BEGIN;
        if (m->tape[--m->lba] == 'f') {
            m->moved++;
            count++;
        }
    }
    return 0;
}

static int model_sequential(struct model *m, int64_t count)
{
    int64_t run = 0, n = count < 0 ? -count : count;

    m->moved = 0;
    while (run < n) {
        if (m->lba == (count > 0 ? m->end : 0))
            return count > 0 ? -ERR_END_OF_DATA : -ERR_BEGIN;
        run = m->tape[count > 0 ? m->lba++ : --m->lba] == 'f' ? run + 1 : 0;
    }
    return 0;
}

static uint64_t model_file(const struct model *m)
{
    uint64_t file = 0;

    for (size_t i = 0; i < m->lba; i++)
        file += m->tape[i] == 'f';
    return file;
}

static void compare_motion(struct cartridge *c, const char *tape, size_t from, int kind,
                           int64_t count)
{
    struct model m = {tape, strlen(tape), from, 0};
    uint64_t moved = 0;
    int expected, rc;

    CHECK_OK(cartridge_locate(c, 0, from, &err), err);
    if (kind == 0) {
        expected = model_blocks(&m, count);
        rc = cartridge_space_blocks(c, count, &moved, &err);
    } else if (kind == 1) {
        expected = model_filemarks(&m, count);
        rc = cartridge_space_filemarks(c, count, &moved, &err);
    } else {
        expected = model_sequential(&m, count);
        rc = cartridge_space_sequential_filemarks(c, count, &err);
    }
    if (rc != expected || moved != m.moved)
        printf("\n    %s: kind %d, from %zu by %lld: returned %d, moved %llu; expected %d, %llu\n",
               tape, kind, from, (long long)count, rc, (unsigned long long)moved, expected,
               (unsigned long long)m.moved);
    CU_ASSERT_EQUAL(rc, expected);
    CU_ASSERT_EQUAL(moved, m.moved);
    CU_ASSERT_TRUE(at(c, m.lba, model_file(&m)));
}

/* Every motion from every position of tapes that have every mixture. */
static void test_space_all(void)
{
    static const char *const tapes[] = {
        "", "b", "f", "ff", "bf", "fb", "bbbfbbffbfffb", "ffbbbff", "bbbbbbbb", "fbfbffbfffbbbbf"};

    for (size_t t = 0; t < sizeof(tapes) / sizeof(tapes[0]); t++) {
        struct store *disk;
        struct cartridge *c = new_tape(&disk);
        int64_t len = (int64_t)strlen(tapes[t]);

        write_tape(c, tapes[t]);
        for (int reopened = 0; reopened < 2; reopened++) {
            for (int64_t from = 0; from <= len; from++)
                for (int64_t count = -len - 2; count <= len + 2; count++)
                    for (int kind = 0; kind < 3; kind++)
                        compare_motion(c, tapes[t], (size_t)from, kind, count);
            CHECK_OK(cartridge_sync(c, NULL, &err), err);
            cartridge_close(c);
            CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
        }
        compare_motion(c, tapes[t], 0, 0, INT64_MAX);
        compare_motion(c, tapes[t], (size_t)len, 1, -1000000);
        cartridge_close(c);
        store_close(disk);
    }
}

static void test_space_extremes(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);
    uint64_t moved;

    write_tape(c, "bfb");
    CHECK_FAILS(cartridge_space_filemarks(c, INT64_MIN, &moved, &err), ERR_BEGIN, err);
    CU_ASSERT_EQUAL(moved, 1);
    CHECK_FAILS(cartridge_space_filemarks(c, INT64_MAX, &moved, &err), ERR_END_OF_DATA, err);
    CHECK_FAILS(cartridge_space_blocks(c, INT64_MIN, &moved, &err), ERR_FILEMARK, err);
    CHECK_FAILS(cartridge_space_sequential_filemarks(c, INT64_MIN, &err), ERR_BEGIN, err);
    CHECK_FAILS(cartridge_locate(c, 0, UINT64_MAX, &err), ERR_END_OF_DATA, err);
    CU_ASSERT_TRUE(at(c, 3, 1));
    CHECK_FAILS(cartridge_locate(c, 1, 0, &err), ERR_RANGE, err);
    CHECK_FAILS(cartridge_locate_file(c, 0, 2, &err), ERR_END_OF_DATA, err);
    CHECK_OK(cartridge_locate_file(c, 0, 1, &err), err);
    CU_ASSERT_TRUE(at(c, 2, 1));
    CHECK_OK(cartridge_locate_file(c, 0, 0, &err), err);
    CU_ASSERT_TRUE(at(c, 0, 0));
    cartridge_locate_end(c);
    CU_ASSERT_TRUE(at(c, 3, 1));
    cartridge_close(c);
    store_close(disk);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void test_read(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);
    uint8_t buf[2000], expected[2000];
    uint32_t len;

    write_tape(c, "bbfb");
    cartridge_rewind(c);
    CU_ASSERT_TRUE(reads_block(c, 0));
    CHECK_FAILS(cartridge_read(c, buf, 5, &len, &err), ERR_LENGTH, err);
    CU_ASSERT_EQUAL(len, block_fill(expected, 1));
    CU_ASSERT_EQUAL(memcmp(buf, expected, 5), 0);
    CU_ASSERT_TRUE(at(c, 2, 0));
    CHECK_FAILS(cartridge_read(c, buf, sizeof(buf), &len, &err), ERR_FILEMARK, err);
    CU_ASSERT_TRUE(at(c, 3, 1));
    CU_ASSERT_TRUE(reads_block(c, 3));
    CHECK_FAILS(cartridge_read(c, buf, sizeof(buf), &len, &err), ERR_END_OF_DATA, err);
    CHECK_FAILS(cartridge_read(c, buf, sizeof(buf), &len, &err), ERR_END_OF_DATA, err);
    CU_ASSERT_TRUE(at(c, 4, 1));
    CHECK_OK(cartridge_locate(c, 0, 1, &err), err);
    CHECK_FAILS(cartridge_read(c, NULL, 0, &len, &err), ERR_LENGTH, err);
    CU_ASSERT_TRUE(at(c, 2, 0));
    cartridge_close(c);
    store_close(disk);
}

/* Blocks around the sizes at which reading changes its way, up to the largest. */
static void test_block_sizes(void)
{
    static const uint32_t sizes[] = {1,       15,      16,      17,
                                     262143,  262144,  262145,  524288,
                                     1048575, 1048577, 5000000, CARTRIDGE_BLOCK_MAX};
    struct cartridge_identity id = small_identity();
    struct store *disk;
    struct cartridge *c;
    uint8_t *data = malloc(CARTRIDGE_BLOCK_MAX), *back = malloc(CARTRIDGE_BLOCK_MAX);
    uint32_t len;

    CHECK_OK(simdisk_open(1, &disk, &err), err);
    id.capacity = 1 << 30;
    id.segment_size = 1 << 20;
    CHECK_OK(cartridge_create(disk, &id, &err), err);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(data, (int)i + 1, sizes[i]);
        CHECK_OK(cartridge_write(c, data, sizes[i], NULL, &err), err);
    }
    CHECK_FAILS(cartridge_write(c, data, 0, NULL, &err), ERR_RANGE, err);
    CHECK_FAILS(cartridge_write(c, data, CARTRIDGE_BLOCK_MAX + 1, NULL, &err), ERR_RANGE, err);
    cartridge_rewind(c);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        memset(data, (int)i + 1, sizes[i]);
        CHECK_OK(cartridge_read(c, back, CARTRIDGE_BLOCK_MAX, &len, &err), err);
        CU_ASSERT_EQUAL(len, sizes[i]);
        CU_ASSERT_EQUAL(memcmp(data, back, len), 0);
    }
    free(data);
    free(back);
    cartridge_close(c);
    store_close(disk);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void test_overwrite(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);
    struct cartridge_position pos;
    struct cartridge_report report;

    write_tape(c, "bbbbfbbbbfbbbb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_locate(c, 0, 6, &err), err);
    write_tape(c, "fb");
    cartridge_tell(c, &pos);
    CU_ASSERT_EQUAL(pos.eod_lba, 8);
    CU_ASSERT_EQUAL(pos.file, 2);
    cartridge_close(c); /* not synced: the old tape */
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    cartridge_tell(c, &pos);
    CU_ASSERT_EQUAL(pos.eod_lba, 14);
    CHECK_OK(cartridge_locate(c, 0, 6, &err), err);
    write_tape(c, "fb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(cartridge_verify(c, &report, &err), err);
    CU_ASSERT_EQUAL(report.blocks, 6);
    CU_ASSERT_EQUAL(report.filemarks, 2);
    CHECK_OK(cartridge_locate(c, 0, 2, &err), err);
    CHECK_OK(cartridge_erase(c, &err), err);
    cartridge_tell(c, &pos);
    CU_ASSERT_EQUAL(pos.eod_lba, 2);
    cartridge_close(c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_ONLY, &c, &err), err);
    CU_ASSERT_TRUE(reads_block(c, 0) && reads_block(c, 1));
    CHECK_FAILS(cartridge_locate(c, 0, 3, &err), ERR_END_OF_DATA, err);
    cartridge_close(c);
    store_close(disk);
}

static void test_end_of_tape(void)
{
    static uint8_t data[65536];
    struct store *disk;
    struct cartridge *c = new_tape(&disk);
    struct cartridge_position pos;
    bool warned = false;
    unsigned written = 0, warnings = 0;
    int rc;

    while ((rc = cartridge_write(c, data, sizeof(data), &warned, &err)) == 0) {
        written++;
        warnings += warned;
    }
    CU_ASSERT_EQUAL(rc, -ERR_END_OF_TAPE);
    CU_ASSERT_EQUAL(written, 16);
    CU_ASSERT_EQUAL(warnings, 1);
    cartridge_tell(c, &pos);
    CU_ASSERT_TRUE(pos.early_warning);
    CU_ASSERT_EQUAL(pos.remaining, 0);
    CU_ASSERT_EQUAL(pos.used, 1 << 20);
    CHECK_FAILS(cartridge_write_filemarks(c, 1, NULL, &err), ERR_END_OF_TAPE, err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_locate(c, 0, 15, &err), err);
    cartridge_tell(c, &pos);
    CU_ASSERT_FALSE(pos.early_warning);
    CHECK_OK(cartridge_write_filemarks(c, 1, &warned, &err), err);
    CU_ASSERT_TRUE(warned);
    cartridge_close(c);
    store_close(disk);
}

/* 12 TB in a few kilobytes, and all of it is there. */
static void test_runs(void)
{
    struct cartridge_identity id;
    struct cartridge *c;
    struct store *disk;
    struct cartridge_report report;
    struct cartridge_position pos;
    static uint8_t data[262144], back[262144];
    uint64_t bytes = 0;
    uint32_t len;

    CHECK_OK(simdisk_open(1, &disk, &err), err);
    CHECK_OK(cartridge_identity_default(&id, "FULL01L8", 0x5e, &err), err);
    CHECK_OK(cartridge_create(disk, &id, &err), err);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    memset(data, 7, sizeof(data));
    CHECK_OK(cartridge_write_run(c, data, sizeof(data), 45000000, NULL, &err), err);
    CHECK_OK(cartridge_write_filemarks(c, 3, NULL, &err), err);
    CHECK_FAILS(cartridge_write_run(c, data, sizeof(data), 45000000, NULL, &err), ERR_END_OF_TAPE,
                err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_locate(c, 0, 31234567, &err), err);
    CHECK_OK(cartridge_read(c, back, sizeof(back), &len, &err), err);
    CU_ASSERT_EQUAL(memcmp(back, data, sizeof(back)), 0);
    cartridge_tell(c, &pos);
    CU_ASSERT_EQUAL(pos.used, 31234568ull * sizeof(data));
    CHECK_OK(cartridge_locate(c, 0, 1000, &err), err); /* the middle of a run */
    CHECK_OK(cartridge_write(c, "new", 3, NULL, &err), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_verify(c, &report, &err), err);
    CU_ASSERT_EQUAL(report.blocks, 1001);
    CU_ASSERT_EQUAL(report.bytes, 1000ull * sizeof(data) + 3);
    cartridge_close(c);
    CHECK_OK(store_size(disk, "seg-0000000000000001", &bytes, &err), err);
    CU_ASSERT_TRUE(bytes < 300000);
    store_close(disk);
}

/* Each of many filemarks with its own sync, as hosts do; motions over them are binary searches. */
static void test_many_filemarks(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);
    struct cartridge_position pos;
    uint64_t moved;

    for (unsigned i = 0; i < 10000; i++) {
        CHECK_OK(cartridge_write_filemarks(c, 1, NULL, &err), err);
        CHECK_OK(cartridge_sync(c, NULL, &err), err);
    }
    for (uint64_t i = 0; i < 1000; i++) {
        CHECK_OK(cartridge_locate_file(c, 0, i * 10 + 1, &err), err);
        CU_ASSERT_TRUE(at(c, i * 10 + 1, i * 10 + 1));
    }
    cartridge_locate_end(c);
    CHECK_OK(cartridge_space_filemarks(c, -9999, &moved, &err), err);
    CU_ASSERT_TRUE(at(c, 1, 1));
    cartridge_tell(c, &pos);
    CU_ASSERT_EQUAL(pos.used, CARTRIDGE_FILEMARK_COST);
    cartridge_close(c);
    store_close(disk);
}

static void test_tell_unsynced(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);
    struct cartridge_position pos;

    CHECK_OK(cartridge_write(c, "hello", 5, NULL, &err), err);
    CHECK_OK(cartridge_write(c, "you", 3, NULL, &err), err);
    cartridge_tell(c, &pos);
    CU_ASSERT_EQUAL(pos.unsynced, 2);
    CU_ASSERT_EQUAL(pos.unsynced_bytes, 8);
    CU_ASSERT_EQUAL(pos.remaining, (1 << 20) - 8);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_tell(c, &pos);
    CU_ASSERT_EQUAL(pos.unsynced, 0);
    cartridge_close(c);
    store_close(disk);
}

/* ---- identity, protection, attributes -------------------------------------------------------- */

static void test_identity(void)
{
    struct cartridge_identity id;
    const struct cartridge_identity *kept;
    struct store *disk;
    struct cartridge *c = new_tape(&disk), *second = NULL;

    CHECK_FAILS(cartridge_identity_default(&id, "", 0x5e, &err), ERR_RANGE, err);
    CHECK_FAILS(cartridge_identity_default(&id, "abc", 0x5e, &err), ERR_RANGE, err);
    CHECK_FAILS(cartridge_identity_default(&id, "A/B", 0x5e, &err), ERR_RANGE, err);
    CHECK_FAILS(cartridge_identity_default(&id, "A23456789012345678901234567890123", 0x5e, &err),
                ERR_RANGE, err);
    CHECK_FAILS(cartridge_identity_default(&id, "ABC001L8", 0x01, &err), ERR_RANGE, err);
    kept = cartridge_identity(c);
    CU_ASSERT_STRING_EQUAL(kept->barcode, "TEST01L8");
    CU_ASSERT_EQUAL(kept->density, 0x5e);
    CU_ASSERT_EQUAL(kept->segment_size, 4096);
    CU_ASSERT_TRUE(kept->created_ns > 0);
    id = small_identity();
    CHECK_FAILS(cartridge_create(disk, &id, &err), ERR_EXISTS, err);
    CHECK_FAILS(cartridge_open(disk, CARTRIDGE_READ_WRITE, &second, &err), ERR_BUSY, err);
    cartridge_close(c);
    store_close(disk);
}

static void test_protection(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);

    write_tape(c, "bb");
    CHECK_OK(cartridge_set_protected(c, true, &err), err);
    CHECK_FAILS(cartridge_write(c, "x", 1, NULL, &err), ERR_PROTECTED, err);
    CHECK_FAILS(cartridge_write_filemarks(c, 1, NULL, &err), ERR_PROTECTED, err);
    CHECK_FAILS(cartridge_write_filemarks(c, 0, NULL, &err), ERR_PROTECTED, err);
    CHECK_FAILS(cartridge_erase(c, &err), ERR_PROTECTED, err);
    cartridge_close(c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CU_ASSERT_TRUE(cartridge_protected(c));
    CU_ASSERT_TRUE(reads_block(c, 0) && reads_block(c, 1));
    CHECK_OK(cartridge_set_protected(c, false, &err), err);
    CHECK_OK(cartridge_write(c, "x", 1, NULL, &err), err);
    cartridge_close(c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_ONLY, &c, &err), err);
    CHECK_FAILS(cartridge_write(c, "x", 1, NULL, &err), ERR_PROTECTED, err);
    CHECK_FAILS(cartridge_attribute_set(c, 0, 1, "x", 1, &err), ERR_PROTECTED, err);
    CHECK_FAILS(cartridge_set_protected(c, true, &err), ERR_PROTECTED, err);
    cartridge_close(c);
    store_close(disk);
}

static void test_worm(void)
{
    struct cartridge_identity id = small_identity();
    struct cartridge *c;
    struct store *disk;

    CHECK_OK(simdisk_open(1, &disk, &err), err);
    id.worm = true;
    CHECK_OK(cartridge_create(disk, &id, &err), err);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    write_tape(c, "bbf");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_locate(c, 0, 1, &err), err);
    CHECK_FAILS(cartridge_write(c, "x", 1, NULL, &err), ERR_PROTECTED, err);
    CHECK_FAILS(cartridge_write_filemarks(c, 1, NULL, &err), ERR_PROTECTED, err);
    CHECK_FAILS(cartridge_erase(c, &err), ERR_PROTECTED, err);
    CU_ASSERT_TRUE(at(c, 1, 0));
    cartridge_locate_end(c);
    write_tape(c, "bff");
    CHECK_OK(cartridge_erase(c, &err), err);
    CHECK_OK(cartridge_locate(c, 0, 5, &err), err);
    write_tape(c, "f"); /* the filemarks at the end may be written over, the blocks not */
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_locate(c, 0, 3, &err), err);
    CHECK_FAILS(cartridge_write(c, "x", 1, NULL, &err), ERR_PROTECTED, err);
    cartridge_rewind(c);
    CHECK_FAILS(cartridge_write(c, "x", 1, NULL, &err), ERR_PROTECTED, err);
    CU_ASSERT_TRUE(reads_block(c, 0) && reads_block(c, 1));
    cartridge_close(c);
    store_close(disk);
}

static void test_attributes(void)
{
    static uint8_t big[65535], back[65535];
    struct store *disk;
    struct cartridge *c = new_tape(&disk);
    size_t len = sizeof(back);

    write_tape(c, "bfb");
    CHECK_OK(cartridge_attribute_set(c, 0, 0x0800, "CAPSTAN", 7, &err), err);
    CHECK_OK(cartridge_attribute_set(c, 0, 0x0806, "TEST01L8", 8, &err), err);
    CHECK_OK(cartridge_attribute_set(c, 0, 0x0800, "other one", 9, &err), err);
    memset(big, 3, sizeof(big));
    CHECK_OK(cartridge_attribute_set(c, 0, 0x1400, big, 60000, &err), err);
    CHECK_FAILS(cartridge_attribute_set(c, 0, 0x1401, big, 65535, &err), ERR_NO_SPACE, err);
    CHECK_FAILS(cartridge_attribute_set(c, 0, 0x1401, big, 65536, &err), ERR_RANGE, err);
    cartridge_close(c); /* not synced, but attributes sync what is before them */
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_ONLY, &c, &err), err);
    CHECK_OK(cartridge_attribute_get(c, 0, 0x0800, back, &len, &err), err);
    CU_ASSERT_TRUE(len == 9 && memcmp(back, "other one", 9) == 0);
    len = 4;
    CHECK_OK(cartridge_attribute_get(c, 0, 0x0806, back, &len, &err), err);
    CU_ASSERT_TRUE(len == 8 && memcmp(back, "TESTr one", 5) == 0);
    CHECK_FAILS(cartridge_attribute_get(c, 0, 0x9999, back, &len, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(cartridge_locate(c, 0, 4, &err), ERR_END_OF_DATA, err);
    CU_ASSERT_TRUE(at(c, 3, 1));
    cartridge_close(c);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(cartridge_attribute_set(c, 0, 0x0800, NULL, 0, &err), err);
    CHECK_FAILS(cartridge_attribute_get(c, 0, 0x0800, back, &len, &err), ERR_NOT_FOUND, err);
    cartridge_close(c);
    store_close(disk);
}

/* ---- beside a writer ------------------------------------------------------------------------- */

static void test_reader_beside_writer(void)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk), *reader;
    struct cartridge_position pos;

    write_tape(c, "bbf");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    write_tape(c, "bbb");
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_ONLY, &reader, &err), err);
    cartridge_tell(reader, &pos);
    CU_ASSERT_EQUAL(pos.eod_lba, 3);
    CHECK_OK(cartridge_locate(reader, 0, 1, &err), err);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_refresh(reader, &err), err);
    cartridge_tell(reader, &pos);
    CU_ASSERT_EQUAL(pos.eod_lba, 6);
    CU_ASSERT_TRUE(at(reader, 1, 0));
    CU_ASSERT_TRUE(reads_block(reader, 1));
    write_tape(c, "bbbbbbbbbbbbbbbbbbbbfbbbbbbbbbbbb"); /* several segments */
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_refresh(reader, &err), err);
    CHECK_OK(cartridge_locate(reader, 0, 38, &err), err);
    CU_ASSERT_TRUE(reads_block(reader, 38));
    CHECK_OK(cartridge_locate(c, 0, 4, &err), err);
    write_tape(c, "b");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    CHECK_OK(cartridge_refresh(reader, &err), err);
    CU_ASSERT_TRUE(at(reader, 5, 1)); /* its end of data came down */
    CHECK_FAILS(cartridge_refresh(c, &err), ERR_STATE, err);
    cartridge_close(reader);
    cartridge_close(c);
    store_close(disk);
}

static int read_in_child(const char *path)
{
    struct store *s = NULL;
    struct cartridge *c = NULL;
    struct error why = ERROR_INIT;
    int rc = 0;

    if (store_directory_open(path, false, &s, &why) != 0 ||
        cartridge_open(s, CARTRIDGE_READ_WRITE, &c, &why) != -ERR_BUSY ||
        cartridge_open(s, CARTRIDGE_READ_ONLY, &c, &why) != 0)
        return 1;
    for (unsigned i = 0; i < 20; i++)
        rc |= !reads_block(c, i);
    cartridge_close(c);
    store_close(s);
    return rc;
}

static void test_reader_in_another_process(void)
{
    struct cartridge_identity id = small_identity();
    char path[] = "/tmp/capstan-cartridge-XXXXXX", command[128];
    struct store *s = NULL;
    struct cartridge *c = NULL;
    int status = -1;
    pid_t pid;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(path));
    CHECK_OK(store_directory_open(path, false, &s, &err), err);
    CHECK_OK(cartridge_create(s, &id, &err), err);
    CHECK_OK(cartridge_open(s, CARTRIDGE_READ_WRITE, &c, &err), err);
    write_tape(c, "bbbbbbbbbbbbbbbbbbbb");
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        _exit(read_in_child(path));
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    cartridge_close(c);
    store_close(s);
    snprintf(command, sizeof(command), "rm -rf %s", path);
    CU_ASSERT_EQUAL(system(command), 0);
}

/* What was overwritten is kept for a while, and not for ever. */
static void test_limbo_is_bounded(void)
{
    struct cartridge_identity id = small_identity();
    struct store *disk;
    struct cartridge *c;
    uint64_t size = 0;
    char name[32];
    unsigned kept = 0;

    CHECK_OK(simdisk_open(1, &disk, &err), err);
    id.limbo_bytes = 5000;
    CHECK_OK(cartridge_create(disk, &id, &err), err);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    for (int i = 0; i < 50; i++) {
        uint8_t buf[1000] = {(uint8_t)i};

        cartridge_rewind(c);
        CHECK_OK(cartridge_write(c, buf, sizeof(buf), NULL, &err), err);
        CHECK_OK(cartridge_sync(c, NULL, &err), err);
    }
    for (int i = 1; i <= 50; i++) {
        snprintf(name, sizeof(name), "seg-%016x", (unsigned)i);
        kept += store_size(disk, name, &size, NULL) == 0;
    }
    CU_ASSERT_TRUE(kept >= 4 && kept <= 7);
    simdisk_advance(disk, 40LL * 24 * 3600 * 1000000000);
    CHECK_OK(cartridge_set_protected(c, true, &err), err);
    for (int i = 1; i < 50; i++) {
        snprintf(name, sizeof(name), "seg-%016x", (unsigned)i);
        CU_ASSERT_EQUAL(store_size(disk, name, &size, NULL), -ERR_NOT_FOUND);
    }
    cartridge_close(c);
    store_close(disk);
}

static const struct check_test tests[] = {
    {"space_all", test_space_all},
    {"space_extremes", test_space_extremes},
    {"read", test_read},
    {"block_sizes", test_block_sizes},
    {"overwrite", test_overwrite},
    {"end_of_tape", test_end_of_tape},
    {"runs", test_runs},
    {"many_filemarks", test_many_filemarks},
    {"tell_unsynced", test_tell_unsynced},
    {"identity", test_identity},
    {"protection", test_protection},
    {"worm", test_worm},
    {"attributes", test_attributes},
    {"reader_beside_writer", test_reader_beside_writer},
    {"reader_in_another_process", test_reader_in_another_process},
    {"limbo_is_bounded", test_limbo_is_bounded},
};

CHECK_MAIN("cartridge", tests)
