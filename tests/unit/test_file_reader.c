/* SPDX-License-Identifier: Apache-2.0 */
/* test_file_reader.c - any byte of any file of the fixture, in any order; huge files; damage. */
#include "engine/stream/file_reader.h"

#include "common/bytes.h"
#include "common/checked.h"
#include "engine/stream/decoder.h"
#include "engine/stream/format.h"
#include "engine/stream/header.h"
#include "tests/unit/check.h"
#include "tests/unit/stream_fixture.h"

struct source {
    struct fixture_buffer stream;
    size_t most; /* blocks given at once */
    uint64_t calls;
};

static int give_blocks(void *ctx, uint64_t first, size_t count, uint8_t *buf, size_t *got,
                       struct error *err)
{
    struct source *s = ctx;
    uint64_t blocks = s->stream.len / STREAM_BLOCK;

    s->calls++;
    if (first >= blocks)
        return error_set(err, ERR_END_OF_DATA, "behind the end of the stream");
    if (count > s->most)
        count = s->most;
    if (count > blocks - first)
        count = (size_t)(blocks - first);
    memcpy(buf, s->stream.data + first * STREAM_BLOCK, count * STREAM_BLOCK);
    *got = count;
    return 0;
}

static uint64_t address_of(const struct source *s, uint32_t ino)
{
    for (size_t at = 0; at + STREAM_BLOCK <= s->stream.len; at += STREAM_BLOCK) {
        const uint8_t *block = s->stream.data + at;
        size_t follow;

        if (!stream_header_follow(block, &follow))
            continue;
        if (get_le32(block) == TS_INODE && get_le32(block + C_INUMBER) == ino)
            return at / STREAM_BLOCK;
        at += follow * STREAM_BLOCK;
    }
    return UINT64_MAX;
}

static void make(struct source *s)
{
    struct stream_totals totals;
    struct error err = ERROR_INIT;

    memset(s, 0, sizeof(*s));
    s->most = 10;
    CHECK_OK(fixture_make(&s->stream, 32, false, &totals, &err), err);
}

static struct file_reader *open_file(struct source *s, const struct fixture_file *f)
{
    uint64_t size = f->target ? strlen(fixture_target(f)) : f->size;
    struct error err = ERROR_INIT;
    struct file_reader *r = NULL;

    CHECK_OK(file_reader_open(give_blocks, s, address_of(s, f->ino), f->ino, size, &r, &err), err);
    return r;
}

/* Read len bytes at offset and compare with what the file has there. */
static void check_read(struct file_reader *r, const struct fixture_file *f, uint64_t offset,
                       size_t len)
{
    uint8_t *buf = malloc(len + 1);
    struct error err = ERROR_INIT;
    size_t got = 0, wrong = 0;
    uint64_t left = offset < f->size ? f->size - offset : 0;

    buf[len] = 0xee;
    CHECK_OK(file_reader_read(r, offset, buf, len, &got, &err), err);
    CU_ASSERT_EQUAL(got, left < len ? left : len);
    for (size_t i = 0; i < got; i++)
        wrong += buf[i] != fixture_expect(f, offset + i);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(buf[len], 0xee);
    free(buf);
}

static void test_whole_files(void)
{
    struct source s;

    make(&s);
    for (size_t i = 0; i < FIXTURE_COUNT; i++) {
        const struct fixture_file *f = &fixture_files[i];
        struct file_reader *r;

        if (!S_ISREG(f->mode))
            continue;
        r = open_file(&s, f);
        check_read(r, f, 0, (size_t)f->size + 100);
        file_reader_close(r);
    }
    free(s.stream.data);
}

static void test_random_reads(void)
{
    static const uint32_t inodes[] = {15, 16, 17, 18, 25, 30, 32};
    uint64_t random = 88172645463325252u;
    struct source s;

    make(&s);
    for (size_t i = 0; i < ARRAY_LENGTH(inodes); i++) {
        const struct fixture_file *f = fixture_files;
        struct file_reader *r;

        while (f->ino != inodes[i])
            f++;
        r = open_file(&s, f);
        for (int k = 0; k < 150; k++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            check_read(r, f, random % (f->size + 2000), (size_t)(random >> 40) % 9000);
        }
        check_read(r, f, f->size, 10);
        check_read(r, f, UINT64_MAX, 10);
        file_reader_close(r);
    }
    free(s.stream.data);
}

static void test_symlink(void)
{
    const struct fixture_file *f = fixture_files;
    struct error err = ERROR_INIT;
    struct file_reader *r;
    struct source s;
    char buf[5000];
    size_t got;

    make(&s);
    while (f->ino != 20)
        f++;
    r = open_file(&s, f);
    CHECK_OK(file_reader_read(r, 0, buf, sizeof(buf), &got, &err), err);
    CU_ASSERT_EQUAL(got, 4000);
    CU_ASSERT_EQUAL(memcmp(buf, fixture_target(f), got), 0);
    file_reader_close(r);
    free(s.stream.data);
}

/* ---- a file of 1 TiB without holes, made up block by block ------------------------------------
 */

#define HUGE_SIZE (UINT64_C(1) << 40)

static int give_huge(void *ctx, uint64_t first, size_t count, uint8_t *buf, size_t *got,
                     struct error *err)
{
    struct stream_image image = fixture_image(256);
    struct stream_inode inode = {.ino = 7, .mode = S_IFREG | 0600, .size = HUGE_SIZE};
    uint64_t group = first / (TP_NINDIR + 1), within = first % (TP_NINDIR + 1);
    uint64_t *calls = ctx;

    (void)count;
    (*calls)++;
    *got = 1;
    if (group >= HUGE_SIZE / (TP_NINDIR * STREAM_BLOCK))
        return error_set(err, ERR_END_OF_DATA, "behind the end");
    if (within) {
        put_le64(memset(buf, 0, STREAM_BLOCK), group * TP_NINDIR + within - 1);
        return 0;
    }
    header_begin(buf, group ? TS_ADDR : TS_INODE, 7, &image);
    header_inode(buf, &inode);
    put_le32(buf + C_COUNT, TP_NINDIR);
    memset(buf + C_ADDR, 1, TP_NINDIR);
    put_le64(buf + P_OFFSET, group * TP_NINDIR * STREAM_BLOCK);
    header_seal(buf, first);
    return 0;
}

static void test_huge_file(void)
{
    struct error err = ERROR_INIT;
    struct file_reader *r;
    uint64_t calls = 0;

    CHECK_OK(file_reader_open(give_huge, &calls, 0, 7, HUGE_SIZE, &r, &err), err);
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t block = i * UINT64_C(2654435761) % (HUGE_SIZE / STREAM_BLOCK);
        uint8_t buf[8];
        size_t got;

        CHECK_OK(file_reader_read(r, block * STREAM_BLOCK, buf, 8, &got, &err), err);
        CU_ASSERT_EQUAL(get_le64(buf), block);
    }
    CU_ASSERT_TRUE(calls < 3 * 20000); /* a guess, sometimes a walk on; never from the beginning */
    file_reader_close(r);
}

/* ---- holes -------------------------------------------------------------------------------------
 */

/* What lseek(2) must say: data is every block of 1,024 bytes that is not wholly in a hole. */
static uint64_t expect_seek(const struct fixture_file *f, uint64_t offset,
                            enum file_reader_part part)
{
    for (uint64_t at = offset; at < f->size; at = (at / STREAM_BLOCK + 1) * STREAM_BLOCK) {
        uint64_t block = at - at % STREAM_BLOCK;
        bool data = false;

        for (uint64_t b = block; b < block + STREAM_BLOCK && b < f->size; b++)
            data = data || fixture_expect(f, b) != 0;
        if (data == (part == FILE_READER_DATA))
            return at;
    }
    return part == FILE_READER_DATA || offset >= f->size ? UINT64_MAX : f->size;
}

static void check_seek(struct file_reader *r, const struct fixture_file *f, uint64_t offset)
{
    struct error err = ERROR_INIT;
    uint64_t found = 0;

    CHECK_OK(file_reader_seek(r, offset, FILE_READER_DATA, &found, &err), err);
    CU_ASSERT_EQUAL(found, expect_seek(f, offset, FILE_READER_DATA));
    CHECK_OK(file_reader_seek(r, offset, FILE_READER_HOLE, &found, &err), err);
    CU_ASSERT_EQUAL(found, expect_seek(f, offset, FILE_READER_HOLE));
}

static void test_seek(void)
{
    static const uint64_t step = 77777;
    struct source s;

    make(&s);
    for (size_t i = 0; i < FIXTURE_COUNT; i++) {
        const struct fixture_file *f = &fixture_files[i];
        struct file_reader *r;

        if (!S_ISREG(f->mode))
            continue;
        r = open_file(&s, f);
        for (uint64_t at = 0; at < f->size + 2 * step; at += step)
            check_seek(r, f, at);
        for (size_t k = 0; k < 2; k++) {
            check_seek(r, f, f->holes[k].offset);
            check_seek(r, f, f->holes[k].offset + f->holes[k].len - 1);
            check_seek(r, f, f->holes[k].offset + f->holes[k].len);
        }
        check_seek(r, f, UINT64_MAX);
        file_reader_close(r);
    }
    free(s.stream.data);
}

/* 1 TiB of nothing but block 0, one in the middle (its group has it alone), and the last one; or,
 * `inverse`, everything but these. */
struct sparse {
    bool inverse;
    uint64_t calls;
};
#define SPARSE_GROUPS (HUGE_SIZE / GROUP)
#define GROUP         ((uint64_t)TP_NINDIR * STREAM_BLOCK)
#define MIDDLE        (SPARSE_GROUPS / 3)

/* Of the group: the block that is other than the rest; TP_NINDIR if there is none. */
static size_t odd_block(uint64_t group)
{
    return group == 0 ? 0 : group == MIDDLE ? 100 : group == SPARSE_GROUPS - 1 ? 511 : TP_NINDIR;
}

static uint64_t header_of(const struct sparse *s, uint64_t group)
{
    uint64_t odd =
        (group > 0 ? 1u : 0u) + (group > MIDDLE ? 1u : 0u) + (group > SPARSE_GROUPS - 1 ? 1u : 0u);

    return s->inverse ? group * (TP_NINDIR + 1) - odd : group + odd;
}

static int give_sparse(void *ctx, uint64_t first, size_t count, uint8_t *buf, size_t *got,
                       struct error *err)
{
    struct stream_image image = fixture_image(256);
    struct stream_inode inode = {.ino = 7, .mode = S_IFREG | 0600, .size = HUGE_SIZE};
    struct sparse *s = ctx;
    uint64_t low = 0, high = SPARSE_GROUPS;

    (void)count;
    s->calls++;
    *got = 1;
    if (first >= header_of(s, SPARSE_GROUPS))
        return error_set(err, ERR_END_OF_DATA, "behind the end");
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;

        if (header_of(s, middle) <= first)
            low = middle;
        else
            high = middle;
    }
    if (header_of(s, low) != first) {
        memset(buf, 'd', STREAM_BLOCK);
        return 0;
    }
    header_begin(buf, low ? TS_ADDR : TS_INODE, 7, &image);
    header_inode(buf, &inode);
    put_le32(buf + C_COUNT, TP_NINDIR);
    memset(buf + C_ADDR, s->inverse, TP_NINDIR);
    if (odd_block(low) < TP_NINDIR)
        buf[C_ADDR + odd_block(low)] = !s->inverse;
    put_le64(buf + P_OFFSET, low * GROUP);
    header_seal(buf, first);
    return 0;
}

static void seek_huge(bool inverse)
{
    const uint64_t middle = MIDDLE * GROUP + 100 * STREAM_BLOCK, last = HUGE_SIZE - STREAM_BLOCK;
    enum file_reader_part lone = inverse ? FILE_READER_HOLE : FILE_READER_DATA;
    enum file_reader_part rest = inverse ? FILE_READER_DATA : FILE_READER_HOLE;
    struct sparse s = {.inverse = inverse};
    const struct {
        uint64_t from;
        enum file_reader_part part;
        uint64_t want;
    } seeks[] = {
        {0, lone, 0},
        {0, rest, STREAM_BLOCK},
        {STREAM_BLOCK, lone, middle},
        {middle, rest, middle + STREAM_BLOCK},
        {middle + STREAM_BLOCK, lone, last},
        {last, rest, inverse ? UINT64_MAX : HUGE_SIZE},
        {last - 5, rest, last - 5},
        {GROUP * 1000 + 5, lone, middle}, /* back again */
        {last + 1, lone, last + 1},
    };
    struct error err = ERROR_INIT;
    struct file_reader *r;
    uint64_t found;
    uint8_t byte;
    size_t got;

    CHECK_OK(file_reader_open(give_sparse, &s, 0, 7, HUGE_SIZE, &r, &err), err);
    for (size_t i = 0; i < ARRAY_LENGTH(seeks); i++) {
        CHECK_OK(file_reader_seek(r, seeks[i].from, seeks[i].part, &found, &err), err);
        CU_ASSERT_EQUAL(found, seeks[i].want);
    }
    file_reader_close(r);
    CHECK_OK(file_reader_open(give_sparse, &s, 0, 7, HUGE_SIZE, &r, &err), err);
    CHECK_OK(file_reader_read(r, last, &byte, 1, &got, &err), err); /* a long way at once */
    CU_ASSERT_EQUAL(byte, inverse ? 0 : 'd');
    CU_ASSERT_TRUE(s.calls < 1000);
    file_reader_close(r);
}

static void test_seek_huge(void)
{
    seek_huge(false);
    seek_huge(true);
}

/* ---- what is wrong -----------------------------------------------------------------------------
 */

static void test_wrong_address(void)
{
    struct error err = ERROR_INIT;
    struct file_reader *r = NULL;
    struct source s;
    uint64_t at;

    make(&s);
    at = address_of(&s, 16);
    CHECK_FAILS(file_reader_open(give_blocks, &s, at, 15, 3 * FIXTURE_MIB + 17, &r, &err),
                ERR_CORRUPT, err);
    CHECK_FAILS(file_reader_open(give_blocks, &s, at, 16, 3 * FIXTURE_MIB, &r, &err), ERR_CORRUPT,
                err);
    CHECK_FAILS(file_reader_open(give_blocks, &s, at + 1, 16, 3 * FIXTURE_MIB + 17, &r, &err),
                ERR_CORRUPT, err);
    CHECK_FAILS(file_reader_open(give_blocks, &s, UINT64_MAX, 16, 3 * FIXTURE_MIB + 17, &r, &err),
                ERR_END_OF_DATA, err);
    free(s.stream.data);
}

static void test_damaged_chain(void)
{
    struct error err = ERROR_INIT;
    const struct fixture_file *f = fixture_files;
    struct file_reader *r;
    uint8_t buf[100];
    struct source s;
    size_t got;

    make(&s);
    while (f->ino != 16)
        f++;
    s.stream.data[(address_of(&s, 16) + 2 * 513) * STREAM_BLOCK + 500] ^= 1;
    r = open_file(&s, f);
    check_read(r, f, 0, 2 * TP_NINDIR * STREAM_BLOCK);
    CHECK_FAILS(file_reader_read(r, 2 * TP_NINDIR * STREAM_BLOCK, buf, 100, &got, &err),
                ERR_CORRUPT, err);
    check_read(r, f, 3 * TP_NINDIR * STREAM_BLOCK + 5, 5000); /* found by its own header */
    check_read(r, f, 10, 5000);
    file_reader_close(r);
    free(s.stream.data);
}

static void test_truncated(void)
{
    struct error err = ERROR_INIT;
    const struct fixture_file *f = fixture_files;
    struct file_reader *r;
    uint8_t buf[2000];
    struct source s;
    size_t got;

    make(&s);
    while (f->ino != 16)
        f++;
    r = open_file(&s, f);
    s.stream.len = (size_t)(address_of(&s, 16) + 700) * STREAM_BLOCK;
    check_read(r, f, 0, 600 * STREAM_BLOCK);
    CHECK_FAILS(file_reader_read(r, f->size - 2000, buf, 2000, &got, &err), ERR_END_OF_DATA, err);
    file_reader_close(r);
    free(s.stream.data);
}

static const struct check_test tests[] = {
    {"whole_files", test_whole_files},
    {"random_reads", test_random_reads},
    {"symlink", test_symlink},
    {"huge_file", test_huge_file},
    {"seek", test_seek},
    {"seek_huge", test_seek_huge},
    {"wrong_address", test_wrong_address},
    {"damaged_chain", test_damaged_chain},
    {"truncated", test_truncated},
};

CHECK_MAIN("file_reader", tests)
