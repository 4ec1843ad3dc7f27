/* SPDX-License-Identifier: Apache-2.0 */
/* test_cartridge_damage.c - bit rot, missing parts, and cartridges made to do harm. */
#include "tests/unit/test_cartridge.h"

#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "vtl/cartridge/format.h"

#define TAPE        "bbbbbbbfbbbffbbbbbbbbbbbbbbbbbbbb"
#define TAPE_LENGTH (sizeof(TAPE) - 1)

struct copy {
    char name[STORE_NAME_MAX + 1];
    uint8_t *data;
    size_t len;
};

struct copies {
    struct copy items[64];
    size_t count;
    uint64_t bytes;
};

static int take_copy(void *ctx, const char *object, uint64_t size)
{
    struct copies *all = ctx;
    struct copy *c = &all->items[all->count++];

    snprintf(c->name, sizeof(c->name), "%s", object);
    c->len = (size_t)size;
    all->bytes += size;
    return all->count == 64;
}

/* All objects of a tape as write_tape() makes it, closed. */
static void take_copies(const char *letters, struct copies *all)
{
    struct store *disk;
    struct cartridge *c = new_tape(&disk);
    size_t got;

    write_tape(c, letters);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    memset(all, 0, sizeof(*all));
    CHECK_OK(store_list(disk, take_copy, all, &err), err);
    for (size_t i = 0; i < all->count; i++) {
        all->items[i].data = malloc(all->items[i].len + 1);
        CHECK_OK(store_read(disk, all->items[i].name, 0, all->items[i].data, all->items[i].len,
                            &got, &err),
                 err);
    }
    store_close(disk);
}

static struct store *put_copies(const struct copies *all)
{
    struct store *disk = NULL;

    CHECK_OK(simdisk_open(3, &disk, &err), err);
    for (size_t i = 0; i < all->count; i++)
        CHECK_OK(store_put(disk, all->items[i].name, all->items[i].data, all->items[i].len, &err),
                 err);
    return disk;
}

static void free_copies(struct copies *all)
{
    for (size_t i = 0; i < all->count; i++)
        free(all->items[i].data);
}

static struct copy *find_copy(struct copies *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->items[i].name, name) == 0)
            return &all->items[i];
    CU_FAIL_FATAL("no such object");
    return NULL;
}

struct outcome {
    unsigned good, damaged;
    bool refused, wrong;
};

/* Read the whole tape: each object is right or said to be damaged, in its place. */
static struct outcome read_all(struct store *disk, enum cartridge_mode mode)
{
    struct outcome o = {0, 0, false, false};
    uint8_t buf[2000], expected[2000];
    struct cartridge *c;
    uint32_t len;

    if (cartridge_open(disk, mode, &c, &err) != 0) {
        o.refused = true;
        return o;
    }
    for (unsigned i = 0; i < TAPE_LENGTH; i++) {
        int rc = cartridge_read(c, buf, sizeof(buf), &len, &err);
        bool filemark = TAPE[i] == 'f';

        if (rc == -ERR_CORRUPT)
            o.damaged++;
        else if (filemark
                     ? rc == -ERR_FILEMARK
                     : rc == 0 && len == block_fill(expected, i) && memcmp(buf, expected, len) == 0)
            o.good++;
        else
            o.wrong = true;
    }
    o.wrong = o.wrong || cartridge_read(c, buf, sizeof(buf), &len, &err) != -ERR_END_OF_DATA;
    cartridge_close(c);
    return o;
}

/* One bit anywhere: told by verify, never read as something else, its neighbours unharmed. */
static void flip_one(const struct copies *all, uint64_t bit)
{
    struct cartridge_report report;
    struct cartridge *c;
    struct store *disk = put_copies(all);
    struct outcome o;
    uint64_t offset = bit / 8;
    size_t i = 0;
    int rc;

    while (offset >= all->items[i].len)
        offset -= all->items[i++].len;
    CHECK_OK(simdisk_flip(disk, all->items[i].name, offset, bit % 8, &err), err);
    rc = cartridge_open(disk, CARTRIDGE_READ_ONLY, &c, &err);
    if (rc == 0) {
        rc = cartridge_verify(c, &report, &err);
        cartridge_close(c);
    }
    if (rc != -ERR_CORRUPT && rc != -ERR_FORMAT)
        printf("\n    %s byte %llu bit %llu: verify returned %d\n", all->items[i].name,
               (unsigned long long)offset, (unsigned long long)bit % 8, rc);
    CU_ASSERT_TRUE(rc == -ERR_CORRUPT || rc == -ERR_FORMAT);
    o = read_all(disk, bit % 2 ? CARTRIDGE_READ_ONLY : CARTRIDGE_READ_WRITE);
    if (o.wrong || o.damaged > 1)
        printf("\n    %s byte %llu bit %llu: %u good, %u damaged\n", all->items[i].name,
               (unsigned long long)offset, (unsigned long long)bit % 8, o.good, o.damaged);
    CU_ASSERT_FALSE(o.wrong);
    CU_ASSERT_TRUE(o.damaged <= 1);
    CU_ASSERT_FALSE(o.refused);
    store_close(disk);
}

static void test_every_flip_is_noticed(void)
{
    struct copies all;
    uint64_t x = 1;

    take_copies(TAPE, &all);
    for (unsigned i = 0; i < 4000; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        flip_one(&all, (x >> 16) % (all.bytes * 8));
    }
    free_copies(&all);
}

/* ---- objects cut short, missing or exchanged --------------------------------------------------
 */

static void test_truncated_segments(void)
{
    struct copies all;

    take_copies(TAPE, &all);
    for (size_t i = 0; i < all.count; i++) {
        size_t whole = all.items[i].len;

        for (size_t len = 0; len < whole; len += 1 + whole / 60) {
            struct store *disk;
            struct outcome o;

            all.items[i].len = len;
            disk = put_copies(&all);
            o = read_all(disk, CARTRIDGE_READ_ONLY);
            CU_ASSERT_FALSE(o.wrong);
            CU_ASSERT_TRUE(o.refused || o.good + o.damaged == TAPE_LENGTH);
            CU_ASSERT_FALSE(o.refused);
            store_close(disk);
        }
        all.items[i].len = whole;
    }
    free_copies(&all);
}

/* Where the END record of the segment object begins; 0: it has none. */
static size_t end_record(const struct copy *object)
{
    size_t at = SEGMENT_HEADER_SIZE;
    struct record r;

    while (at + RECORD_HEADER_SIZE <= object->len && record_decode(object->data + at, &r)) {
        if (r.type == RECORD_END)
            return at;
        at += (size_t)record_extent(r.stored);
    }
    return 0;
}

/* A seal that is gone, cut short or rotten hides none of the records before it. */
static void test_lost_seals(void)
{
    struct copies all;
    unsigned sealed = 0;

    take_copies(TAPE, &all);
    for (size_t i = 0; i < all.count; i++) {
        struct copy *object = &all.items[i];
        bool segment = strncmp(object->name, "seg-", 4) == 0;
        size_t end = segment ? end_record(object) : 0, whole = object->len;

        for (unsigned how = 0; end && how < 3; how++) {
            struct store *disk;
            struct outcome o;

            sealed++;
            object->len = how == 0 ? end : how == 1 ? whole - 16 : whole;
            disk = put_copies(&all);
            if (how == 2)
                CHECK_OK(simdisk_flip(disk, object->name, end + RECORD_HEADER_SIZE + 5, 1, &err),
                         err);
            o = read_all(disk, CARTRIDGE_READ_ONLY);
            CU_ASSERT_TRUE(!o.wrong && !o.refused && o.damaged == 0 && o.good == TAPE_LENGTH);
            store_close(disk);
        }
        object->len = whole;
    }
    CU_ASSERT_TRUE(sealed >= 6);
    free_copies(&all);
}

/* Is the object on disk what it was? */
static bool is_mended(struct store *disk, const struct copy *was)
{
    uint8_t now[IDENTITY_SIZE + 1];
    size_t got = 0;

    return store_read(disk, was->name, 0, now, sizeof(now), &got, &err) == 0 && got == was->len &&
           memcmp(now, was->data, got) == 0;
}

/* Whatever befalls one object that is no segment, all is read; the identity is made whole again by
 * who writes. */
static void test_any_metadata_lost(void)
{
    static const char *const names[] = {IDENTITY_OBJECT, IDENTITY_COPY, "super.a", "super.b"};
    struct copies all;

    take_copies(TAPE, &all);
    for (unsigned i = 0; i < 4 * 4; i++) {
        struct copy *object = find_copy(&all, names[i / 4]);
        struct store *disk = put_copies(&all);
        struct outcome o;

        CHECK_OK(i % 4 == 0   ? store_delete(disk, object->name, &err)
                 : i % 4 == 1 ? store_put(disk, object->name, "", 0, &err)
                 : i % 4 == 2 ? store_put(disk, object->name, "foreign", 7, &err)
                              : store_put(disk, object->name, object->data, object->len - 1, &err),
                 err);
        for (unsigned twice = 0; twice < 2; twice++) {
            o = read_all(disk, twice ? CARTRIDGE_READ_WRITE : CARTRIDGE_READ_ONLY);
            CU_ASSERT_TRUE(o.good == TAPE_LENGTH && !o.refused && !o.wrong);
        }
        CU_ASSERT_TRUE(i / 4 > 1 || is_mended(disk, object));
        store_close(disk);
    }
    free_copies(&all);
}

/* Both copies of the identity: refused. One of it and both superblocks: rebuilt, with all data. */
static void test_most_metadata_lost(void)
{
    struct cartridge_rebuilt rebuilt;
    struct copies all;
    struct store *disk;
    struct outcome o;

    take_copies(TAPE, &all);
    disk = put_copies(&all);
    CHECK_OK(store_delete(disk, IDENTITY_OBJECT, &err), err);
    CHECK_OK(store_delete(disk, "super.a", &err), err);
    CHECK_OK(store_put(disk, "super.b", "foreign", 7, &err), err);
    CU_ASSERT_TRUE(read_all(disk, CARTRIDGE_READ_ONLY).refused);
    CHECK_OK(cartridge_rebuild(disk, &rebuilt, &err), err);
    CU_ASSERT_TRUE(is_mended(disk, find_copy(&all, IDENTITY_OBJECT)));
    o = read_all(disk, CARTRIDGE_READ_WRITE);
    CU_ASSERT_TRUE(o.good == TAPE_LENGTH && !o.refused && !o.wrong);
    CHECK_OK(store_delete(disk, IDENTITY_OBJECT, &err), err);
    CHECK_OK(store_put(disk, IDENTITY_COPY, "foreign", 7, &err), err);
    CU_ASSERT_TRUE(read_all(disk, CARTRIDGE_READ_ONLY).refused);
    store_close(disk);
    free_copies(&all);
}

static void test_missing_segment(void)
{
    struct copies all;
    struct store *disk;
    struct outcome o;

    take_copies(TAPE, &all);
    disk = put_copies(&all);
    CHECK_OK(store_delete(disk, "seg-0000000000000002", &err), err);
    o = read_all(disk, CARTRIDGE_READ_WRITE);
    CU_ASSERT_TRUE(!o.wrong && !o.refused && o.damaged > 0 && o.good > 10);
    CHECK_OK(store_delete(disk, "super.a", &err), err);
    o = read_all(disk, CARTRIDGE_READ_WRITE); /* one copy is enough, and makes the other again */
    CU_ASSERT_TRUE(!o.wrong && !o.refused);
    CHECK_OK(store_delete(disk, "super.b", &err), err);
    o = read_all(disk, CARTRIDGE_READ_WRITE);
    CU_ASSERT_FALSE(o.refused);
    CHECK_OK(store_delete(disk, "super.a", &err), err);
    CHECK_OK(store_delete(disk, "super.b", &err), err);
    o = read_all(disk, CARTRIDGE_READ_WRITE);
    CU_ASSERT_TRUE(o.refused && strstr(err.message, "superblock") != NULL);
    store_close(disk);
    free_copies(&all);
}

/* The second tape has the same shape and valid checksums, but is another cartridge. */
static void test_foreign_segment(void)
{
    struct copies all, other;
    struct copy *mine, theirs;
    struct cartridge_identity id = small_identity();
    struct store *disk;
    struct cartridge *c;
    struct outcome o;
    uint8_t buf[8192];
    size_t got;

    take_copies(TAPE, &all);
    CHECK_OK(simdisk_open(99, &disk, &err), err);
    CHECK_OK(cartridge_create(disk, &id, &err), err);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    write_tape(c, TAPE);
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    cartridge_close(c);
    CHECK_OK(store_read(disk, "seg-0000000000000001", 0, buf, sizeof(buf), &got, &err), err);
    store_close(disk);
    mine = find_copy(&all, "seg-0000000000000001");
    theirs = *mine;
    mine->data = buf;
    mine->len = got;
    disk = put_copies(&all);
    o = read_all(disk, CARTRIDGE_READ_ONLY);
    CU_ASSERT_TRUE(!o.wrong && !o.refused && o.damaged > 3 && o.good > 10);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_ONLY, &c, &err), err);
    CHECK_FAILS(cartridge_read(c, buf, 10, &(uint32_t){0}, &err), ERR_CORRUPT, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "another cartridge"));
    cartridge_close(c);
    store_close(disk);
    *mine = theirs;
    memset(&other, 0, sizeof(other));
    free_copies(&all);
}

static void test_not_a_cartridge(void)
{
    struct cartridge *c = NULL;
    struct copies all;
    struct copy *identity;
    struct store *disk;

    CHECK_OK(simdisk_open(1, &disk, &err), err);
    CHECK_FAILS(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), ERR_FORMAT, err);
    CHECK_OK(store_put(disk, IDENTITY_OBJECT, "#!/bin/sh\necho hello world\n", 27, &err), err);
    CHECK_FAILS(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), ERR_FORMAT, err);
    store_close(disk);
    take_copies(TAPE, &all);
    identity = find_copy(&all, IDENTITY_OBJECT);
    /* A later version, and version 2 with a feature that nobody knows yet. */
    for (uint32_t version = 2; version <= 3; version++) {
        put_le32(identity->data + 8, version);
        put_le32(identity->data + 112, 0x80000000);
        put_le32(identity->data + 252, crc32c(identity->data, 252));
        disk = put_copies(&all);
        CHECK_FAILS(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err), ERR_FORMAT, err);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "newer program"));
        /* Refused, it must not stay locked. */
        CHECK_OK(store_lock(disk, &err), err);
        store_close(disk);
    }
    free_copies(&all);
}

static void test_fifo_and_symlink(void)
{
    char path[] = "/tmp/capstan-damage-XXXXXX", name[128], command[128];
    struct store *s = NULL;
    struct cartridge *c = NULL;
    struct copies all;
    uint8_t buf[2000];
    uint32_t len;

    take_copies(TAPE, &all);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(path));
    CHECK_OK(store_directory_open(path, false, &s, &err), err);
    for (size_t i = 0; i < all.count; i++)
        CHECK_OK(store_put(s, all.items[i].name, all.items[i].data, all.items[i].len, &err), err);
    snprintf(name, sizeof(name), "%s/seg-0000000000000001", path);
    CU_ASSERT_EQUAL(unlink(name), 0);
    CU_ASSERT_EQUAL(mkfifo(name, 0600), 0);
    CHECK_OK(cartridge_open(s, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_FAILS(cartridge_read(c, buf, sizeof(buf), &len, &err), ERR_CORRUPT, err);
    cartridge_close(c);
    snprintf(name, sizeof(name), "%s/identity", path);
    CU_ASSERT_EQUAL(unlink(name), 0);
    CU_ASSERT_EQUAL(symlink("/etc/passwd", name), 0);
    snprintf(name, sizeof(name), "%s/identity.copy", path);
    CU_ASSERT_EQUAL(unlink(name), 0);
    CU_ASSERT_EQUAL(symlink("/etc/passwd", name), 0);
    CHECK_FAILS(cartridge_open(s, CARTRIDGE_READ_WRITE, &c, &err), ERR_FORMAT, err);
    store_close(s);
    snprintf(command, sizeof(command), "rm -rf %s", path);
    CU_ASSERT_EQUAL(system(command), 0);
    free_copies(&all);
}

/* ---- valid checksums, hostile values ----------------------------------------------------------
 */

#define ENTRY 112 /* of the superblock, doc/cartridge-format.md */
#define HEAD  128

static void super_resign(struct copy *super)
{
    put_le32(super->data + 120, crc32c(super->data + HEAD, super->len - HEAD));
    put_le32(super->data + 124, crc32c(super->data, 124));
}

struct lie {
    const char *what;
    size_t at;      /* in the superblock */
    unsigned width; /* bytes */
    uint64_t value;
};

static int open_with_lie(const struct copies *all, const struct lie *lie)
{
    struct copies changed = *all;
    struct cartridge *c = NULL;
    struct store *disk;
    int rc;

    for (const char *const *name = (const char *const[]){"super.a", "super.b", NULL}; *name;
         name++) {
        struct copy *super = find_copy(&changed, *name);
        uint8_t *data = malloc(super->len);

        memcpy(data, super->data, super->len);
        super->data = data;
        if (lie->width == 4)
            put_le32(data + lie->at, (uint32_t)lie->value);
        else
            put_le64(data + lie->at, lie->value);
        super_resign(super);
    }
    disk = put_copies(&changed);
    rc = cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, &err);
    if (rc == 0) { /* not refused: then it must be harmless */
        uint8_t buf[2000];
        uint64_t moved;
        uint32_t len;

        for (unsigned i = 0; i < 2 * TAPE_LENGTH; i++)
            (void)cartridge_read(c, buf, sizeof(buf), &len, &err);
        (void)cartridge_space_filemarks(c, -1000, &moved, &err);
        (void)cartridge_space_blocks(c, 1000, &moved, &err);
        cartridge_close(c);
    }
    store_close(disk);
    free(find_copy(&changed, "super.a")->data);
    free(find_copy(&changed, "super.b")->data);
    return rc;
}

static void test_lying_map(void)
{
    static const struct lie refused[] = {
        {"2^32 segments", 52, 4, 0xffffffff},
        {"one segment more", 52, 4, 4},
        {"limbo of 2^32", 56, 4, 0xffffffff},
        {"attributes of 2^32", 60, 4, 0xffffffff},
        {"number of the next segment", 40, 8, 1},
        {"the same segment twice (a cycle)", HEAD + ENTRY, 8, 1},
        {"segment number 0", HEAD, 8, 0},
        {"segment number 2^64-1", HEAD, 8, UINT64_MAX},
        {"partition 77", HEAD + 16, 4, 77},
        {"partition 3", HEAD + ENTRY + 16, 4, 3},
        {"a hole", HEAD + ENTRY + 24, 8, 100},
        {"an overlap", HEAD + ENTRY + 24, 8, 1},
        {"an end before the beginning", HEAD + ENTRY + 48, 8, 0},
        {"an end at 2^64-1", HEAD + ENTRY + 48, 8, UINT64_MAX},
        {"more filemarks than objects", HEAD + ENTRY + 56, 8, 1000},
        {"native bytes beyond all", HEAD + ENTRY + 64, 8, UINT64_MAX},
        {"records end at 2^64-1", HEAD + 72, 8, UINT64_MAX},
        {"records end in the header", HEAD + 72, 8, 5},
        {"open in the middle", HEAD + 72, 8, 0},
        {"a generation that wraps", 32, 8, UINT64_MAX},
        {"next segment 2^64-1", 40, 8, UINT64_MAX},
    };
    static const struct lie harmless[] = {
        {"another epoch", HEAD + 8, 8, 1},
        {"records end elsewhere", HEAD + 72, 8, 4096 * 16},
        {"not sealed", HEAD + 20, 4, 0},
        {"unknown flags", HEAD + 20, 4, 0xffffffff},
    };
    struct copies all;

    take_copies(TAPE, &all);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        int rc = open_with_lie(&all, &refused[i]);

        if (rc != -ERR_CORRUPT)
            printf("\n    %s: returned %d\n", refused[i].what, rc);
        CU_ASSERT_EQUAL(rc, -ERR_CORRUPT);
    }
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        CU_ASSERT_EQUAL(open_with_lie(&all, &harmless[i]), 0);
    free_copies(&all);
}

/* A last segment that claims 2^40 blocks which nobody has: told block by block, at once. */
static void test_long_claim(void)
{
    struct copies all;
    struct copy *super;
    struct store *disk;
    struct cartridge *c;
    struct cartridge_report report;
    uint64_t moved;

    take_copies("b", &all);
    for (unsigned i = 0; i < 2; i++) {
        super = find_copy(&all, i ? "super.b" : "super.a");
        put_le64(super->data + HEAD + 48, UINT64_C(1) << 40);
        super_resign(super);
    }
    disk = put_copies(&all);
    CHECK_OK(cartridge_open(disk, CARTRIDGE_READ_ONLY, &c, &err), err);
    CU_ASSERT_TRUE(reads_block(c, 0));
    CHECK_FAILS(cartridge_verify(c, &report, &err), ERR_CORRUPT, err);
    CU_ASSERT_EQUAL(report.damaged, (UINT64_C(1) << 40) - 1);
    CU_ASSERT_EQUAL(report.first_damaged, 1);
    CHECK_OK(cartridge_space_blocks(c, 1000000, &moved, &err), err);
    CU_ASSERT_EQUAL(moved, 1000000);
    cartridge_close(c);
    store_close(disk);
    free_copies(&all);
}

/* A record with a valid checksum whose length leads out of its segment. */
static void test_lying_record(void)
{
    struct copies all;
    struct copy *seg;
    struct store *disk;
    struct outcome o;
    struct record r;

    take_copies(TAPE, &all);
    seg = find_copy(&all, "seg-0000000000000001");
    CU_ASSERT_TRUE_FATAL(record_decode(seg->data + SEGMENT_HEADER_SIZE, &r));
    r.length = r.stored = CARTRIDGE_BLOCK_MAX;
    record_encode(&r, seg->data + SEGMENT_HEADER_SIZE);
    disk = put_copies(&all);
    o = read_all(disk, CARTRIDGE_READ_ONLY);
    CU_ASSERT_TRUE(!o.wrong && o.damaged == 1 && o.good == TAPE_LENGTH - 1);
    store_close(disk);
    r.stored = 4; /* not what its length says */
    record_encode(&r, seg->data + SEGMENT_HEADER_SIZE);
    CU_ASSERT_FALSE(record_decode(seg->data + SEGMENT_HEADER_SIZE, &r));
    free_copies(&all);
}

static const struct check_test tests[] = {
    {"every_flip_is_noticed", test_every_flip_is_noticed},
    {"truncated_segments", test_truncated_segments},
    {"lost_seals", test_lost_seals},
    {"any_metadata_lost", test_any_metadata_lost},
    {"most_metadata_lost", test_most_metadata_lost},
    {"missing_segment", test_missing_segment},
    {"foreign_segment", test_foreign_segment},
    {"not_a_cartridge", test_not_a_cartridge},
    {"fifo_and_symlink", test_fifo_and_symlink},
    {"lying_map", test_lying_map},
    {"long_claim", test_long_claim},
    {"lying_record", test_lying_record},
};

CHECK_MAIN("cartridge damage", tests)
