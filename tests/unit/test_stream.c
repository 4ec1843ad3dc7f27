/* SPDX-License-Identifier: Apache-2.0 */
/* test_stream.c - what the stream writer writes, the decoder gives back; and other dialects. */
#include <stdio.h>

#include "common/bytes.h"
#include "common/checked.h"
#include "common/crc32c.h"
#include "engine/stream/decoder.h"
#include "engine/stream/directory.h"
#include "engine/stream/format.h"
#include "engine/stream/header.h"
#include "engine/stream/xattr.h"
#include "tests/unit/check.h"
#include "tests/unit/stream_fixture.h"

/* ---- a checker of events against the fixture ---------------------------------------------------
 */

struct seen {
    unsigned volumes, inodes, ends, damages, damaged_inodes, continued, xattrs, totals;
    unsigned wrong; /* whatever is not as the fixture says */
    uint64_t covered;
    struct stream_inode inode;
    const struct fixture_file *file;
    char path[200], host[100];
    char first_damage[200];
};

static const struct fixture_file *find_file(uint32_t ino)
{
    static struct fixture_file many;

    for (size_t i = 0; i < FIXTURE_COUNT; i++)
        if (fixture_files[i].ino == ino)
            return &fixture_files[i];
    many = (struct fixture_file){.ino = ino, .mode = S_IFREG | 0644};
    return ino >= FIXTURE_MANY_INODE && ino <= FIXTURE_MAX_INODE ? &many : NULL;
}

static void see_inode(struct seen *s, const struct stream_event *ev)
{
    const struct fixture_file *f = find_file(ev->inode.ino);
    struct stream_inode want;

    s->inodes++;
    s->continued += ev->continued;
    s->inode = ev->inode;
    s->file = f;
    s->covered = 0;
    if (!f) {
        s->wrong++;
        return;
    }
    want = fixture_inode(f, ev->inode.size);
    s->wrong += !fixture_inode_equal(&want, &ev->inode);
    if (S_ISREG(f->mode))
        s->wrong += ev->inode.size != f->size;
}

static void see_data(struct seen *s, const struct stream_event *ev)
{
    const uint8_t *p = ev->data;

    s->wrong += ev->offset != s->covered;
    s->covered = ev->offset + ev->bytes;
    if (!s->file || !S_ISREG(s->file->mode))
        return;
    for (uint64_t i = 0; i < ev->bytes; i++) {
        uint8_t want = fixture_expect(s->file, ev->offset + i);

        s->wrong += (p ? p[i] : 0) != want;
    }
}

static void see_xattr(struct seen *s, const struct stream_event *ev)
{
    s->xattrs++;
    for (size_t i = 0; s->file && i < s->file->xattr_count; i++) {
        const struct stream_xattr *x = &s->file->xattrs[i];

        if (strcmp(x->name, ev->xattr.name) == 0 && x->len == ev->xattr.len &&
            memcmp(x->value, ev->xattr.value, x->len) == 0)
            return;
    }
    s->wrong++;
}

static void see(struct seen *s, const struct stream_event *ev)
{
    switch (ev->type) {
    case STREAM_EVENT_VOLUME:
        s->volumes++;
        s->wrong += !ev->volume.accepted || !ev->volume.capstan;
        break;
    case STREAM_EVENT_INODE:
        see_inode(s, ev);
        break;
    case STREAM_EVENT_DATA:
    case STREAM_EVENT_HOLE:
        see_data(s, ev);
        break;
    case STREAM_EVENT_XATTR:
        see_xattr(s, ev);
        break;
    case STREAM_EVENT_ORIGIN:
        snprintf(ev->is_host ? s->host : s->path, ev->is_host ? 100 : 200, "%.*s", (int)ev->len,
                 (const char *)ev->data);
        break;
    case STREAM_EVENT_INODE_END:
        s->ends++;
        s->damaged_inodes += ev->damaged;
        s->wrong += !ev->damaged && s->covered != s->inode.size;
        break;
    case STREAM_EVENT_DAMAGE:
        if (s->damages++ == 0)
            snprintf(s->first_damage, sizeof(s->first_damage), "%s", ev->message);
        break;
    case STREAM_EVENT_END:
        s->totals += ev->has_totals && ev->totals.files == FIXTURE_FILES + FIXTURE_MANY &&
                     ev->totals.state == STREAM_PARTIAL &&
                     ev->totals.ended_ns == FIXTURE_DATE_NS + 77;
        break;
    default:
        break;
    }
}

static void drain(struct stream_decoder *d, struct seen *s)
{
    struct stream_event ev;

    while (stream_decoder_next(d, &ev))
        see(s, &ev);
}

/* Feed a buffer in pieces of `chunk` blocks. */
static void feed(struct stream_decoder *d, struct seen *s, const uint8_t *data, size_t len,
                 size_t chunk)
{
    for (size_t at = 0; at < len / STREAM_BLOCK; at += chunk) {
        size_t n = len / STREAM_BLOCK - at;

        stream_decoder_feed(d, data + at * STREAM_BLOCK, n < chunk ? n : chunk);
        drain(d, s);
    }
}

static void decode_all(const struct fixture_buffer *b, size_t chunk, struct seen *s)
{
    struct stream_decoder *d;
    struct error err = ERROR_INIT;

    memset(s, 0, sizeof(*s));
    CHECK_OK(stream_decoder_open(&d, &err), err);
    feed(d, s, b->data, b->len, chunk);
    stream_decoder_finish(d);
    drain(d, s);
    stream_decoder_close(d);
}

#define FIXTURE_INODES (5 + FIXTURE_FILES + FIXTURE_MANY)
#define FIXTURE_XATTRS (2u + 6u + 2u + 1u + 2u + 1u)

static void check_whole(const struct seen *s)
{
    CU_ASSERT_EQUAL(s->wrong, 0);
    CU_ASSERT_EQUAL(s->inodes, FIXTURE_INODES);
    CU_ASSERT_EQUAL(s->ends, FIXTURE_INODES);
    CU_ASSERT_EQUAL(s->damages, 0);
    CU_ASSERT_EQUAL(s->damaged_inodes, 0);
    CU_ASSERT_EQUAL(s->continued, 0);
    CU_ASSERT_EQUAL(s->xattrs, FIXTURE_XATTRS);
    CU_ASSERT_EQUAL(s->totals, 1);
    CU_ASSERT_STRING_EQUAL(s->path, FIXTURE_PATH);
    CU_ASSERT_STRING_EQUAL(s->host, "host.example");
}

static void test_round_trip(void)
{
    static const unsigned blockings[] = {1, 4, 10, 64, 256};
    static const size_t chunks[] = {1, 3, 1000};
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < ARRAY_LENGTH(blockings); i++) {
        struct stream_totals totals;
        struct fixture_buffer b;
        struct seen s;

        CHECK_OK(fixture_make(&b, blockings[i], i == 2, &totals, &err), err);
        CU_ASSERT_EQUAL(b.len, totals.stream_blocks * STREAM_BLOCK);
        CU_ASSERT_EQUAL(totals.stream_blocks % blockings[i], 0);
        decode_all(&b, chunks[i % 3], &s);
        check_whole(&s);
        CU_ASSERT_EQUAL(s.volumes, 1);
        free(b.data);
    }
}

/* Each header of ours: the checksum that old readers want, the number of the block. */
static void test_headers(void)
{
    struct error err = ERROR_INIT;
    struct stream_totals totals;
    struct fixture_buffer b;
    size_t headers = 0;

    CHECK_OK(fixture_make(&b, 16, false, &totals, &err), err);
    for (size_t at = 0; at < b.len;) {
        const uint8_t *block = b.data + at;
        size_t follow = 0;

        CU_ASSERT_EQUAL(header_sum_le(block), CHECKSUM);
        CU_ASSERT_EQUAL(get_le32(block + C_TAPEA), at / STREAM_BLOCK);
        CU_ASSERT_EQUAL(get_le32(block + C_DATE), FIXTURE_DATE_NS / 1000000000);
        CU_ASSERT_TRUE_FATAL(stream_header_follow(block, &follow));
        /* usec: restore(8)'s utimes() fails above 999,999 and loses the time */
        if (get_le32(block) == TS_INODE)
            CU_ASSERT_TRUE(get_le32(block + DI_MTIME + 4) < 1000000);
        at += (1 + follow) * STREAM_BLOCK;
        headers++;
    }
    CU_ASSERT_TRUE(headers > FIXTURE_INODES);
    free(b.data);
}

/* ---- volumes -----------------------------------------------------------------------------------
 */

struct volumes {
    struct fixture_buffer volume[200];
    size_t count, in_volume, limit;
    struct stream_image image;
    uint8_t last[64 * STREAM_BLOCK];
    struct stream_record record;
};

static int write_volume(void *ctx, const struct stream_record *record, struct error *err)
{
    struct volumes *v = ctx;

    if (v->in_volume == v->limit) {
        static uint8_t out[64 * STREAM_BLOCK];
        struct stream_record first = {.data = out, .len = record->len};

        v->count++;
        stream_volume_record(&v->image, (unsigned)v->count + 1, &v->record, out);
        if (fixture_append(&v->volume[v->count], &first, err) != 0)
            return -ERR_NO_MEMORY;
        v->in_volume = 0;
    }
    v->in_volume++;
    memcpy(v->last, record->data, record->len);
    v->record = *record;
    v->record.data = v->last;
    return fixture_append(&v->volume[v->count], record, err);
}

static void make_volumes(struct volumes *v, unsigned blocking, size_t records)
{
    struct stream_totals totals;
    struct error err = ERROR_INIT;
    struct stream_writer_options options = {.image = &v->image, .write = write_volume, .ctx = v};

    memset(v, 0, sizeof(*v));
    v->image = fixture_image(blocking);
    v->limit = records;
    CHECK_OK(fixture_write(&options, &totals, &err), err);
    v->count++;
}

static void free_volumes(struct volumes *v)
{
    for (size_t i = 0; i < v->count; i++)
        free(v->volume[i].data);
    free(v);
}

static void test_volumes(void)
{
    static const struct {
        unsigned blocking;
        size_t records;
    } shapes[] = {{10, 20}, {32, 11}, {4, 60}, {64, 2}};

    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
        struct volumes *v = calloc(1, sizeof(*v));
        struct error err = ERROR_INIT;
        struct stream_decoder *d;
        struct seen s = {0};

        make_volumes(v, shapes[i].blocking, shapes[i].records);
        CU_ASSERT_TRUE(v->count > 3);
        CHECK_OK(stream_decoder_open(&d, &err), err);
        for (size_t k = 0; k < v->count; k++) {
            if (k)
                stream_decoder_volume(d);
            feed(d, &s, v->volume[k].data, v->volume[k].len, 7);
        }
        stream_decoder_finish(d);
        drain(d, &s);
        check_whole(&s);
        CU_ASSERT_EQUAL(s.volumes, v->count);
        stream_decoder_close(d);
        free_volumes(v);
    }
}

/* The wrong cartridge is refused, and then the right one still taken. */
static void test_wrong_volume(void)
{
    struct volumes *v = calloc(1, sizeof(*v));
    struct error err = ERROR_INIT;
    struct stream_decoder *d;
    struct stream_event ev;
    struct seen s = {0};

    make_volumes(v, 10, 20);
    CHECK_OK(stream_decoder_open(&d, &err), err);
    feed(d, &s, v->volume[0].data, v->volume[0].len, 7);
    stream_decoder_volume(d);
    stream_decoder_feed(d, v->volume[2].data, v->volume[2].len / STREAM_BLOCK);
    CU_ASSERT_TRUE_FATAL(stream_decoder_next(d, &ev));
    CU_ASSERT_EQUAL(ev.type, STREAM_EVENT_VOLUME);
    CU_ASSERT_FALSE(ev.volume.accepted);
    CU_ASSERT_EQUAL(ev.volume.volume, 3);
    CU_ASSERT_FALSE(stream_decoder_next(d, &ev));
    for (size_t k = 1; k < v->count; k++) {
        stream_decoder_volume(d);
        feed(d, &s, v->volume[k].data, v->volume[k].len, 7);
    }
    stream_decoder_finish(d);
    drain(d, &s);
    check_whole(&s);
    stream_decoder_close(d);
    free_volumes(v);
}

/* A missing volume costs what is on it, no more. */
static void test_missing_volume(void)
{
    struct volumes *v = calloc(1, sizeof(*v));
    struct error err = ERROR_INIT;
    struct stream_decoder *d;
    struct stream_event ev;
    struct seen s = {0};

    make_volumes(v, 32, 20);
    CHECK_OK(stream_decoder_open(&d, &err), err);
    stream_decoder_feed(d, v->volume[2].data, v->volume[2].len / STREAM_BLOCK);
    CU_ASSERT_TRUE_FATAL(stream_decoder_next(d, &ev));
    CU_ASSERT_EQUAL(ev.type, STREAM_EVENT_VOLUME);
    CU_ASSERT_TRUE(ev.volume.accepted);
    CU_ASSERT_EQUAL(ev.volume.first_stream, 2 * 20 * 32);
    drain(d, &s);
    for (size_t k = 3; k < v->count; k++) {
        stream_decoder_volume(d);
        feed(d, &s, v->volume[k].data, v->volume[k].len, 7);
    }
    stream_decoder_finish(d);
    drain(d, &s);
    CU_ASSERT_TRUE(s.inodes > 300);
    CU_ASSERT_EQUAL(s.continued, 1); /* d/e/3m, which is cut */
    CU_ASSERT_EQUAL(s.damaged_inodes, 1);
    CU_ASSERT_EQUAL(s.totals, 1);
    stream_decoder_close(d);
    free_volumes(v);
}

/* The header of a later volume is unreadable: the duplicates behind it lead back into the stream.
 */
static void test_lost_volume_header(void)
{
    struct volumes *v = calloc(1, sizeof(*v));
    struct error err = ERROR_INIT;
    struct stream_decoder *d;
    struct seen s = {0};

    make_volumes(v, 32, 20);
    memset(v->volume[4].data, 0x55, STREAM_BLOCK);
    CHECK_OK(stream_decoder_open(&d, &err), err);
    for (size_t k = 0; k < v->count; k++) {
        if (k)
            stream_decoder_volume(d);
        feed(d, &s, v->volume[k].data, v->volume[k].len, 7);
    }
    stream_decoder_finish(d);
    drain(d, &s);
    CU_ASSERT_TRUE(s.damages > 0);
    CU_ASSERT_TRUE(s.inodes >= FIXTURE_INODES - 1);
    CU_ASSERT_TRUE(s.damaged_inodes <= 2);
    CU_ASSERT_EQUAL(s.totals, 1);
    stream_decoder_close(d);
    free_volumes(v);
}

/* ---- damage ------------------------------------------------------------------------------------
 */

/* Address of the header of inode ino. */
static size_t address_of(const struct fixture_buffer *b, uint32_t ino)
{
    for (size_t at = 0; at + STREAM_BLOCK <= b->len; at += STREAM_BLOCK) {
        size_t follow;

        if (!stream_header_follow(b->data + at, &follow))
            continue;
        if (get_le32(b->data + at) == TS_INODE && get_le32(b->data + at + C_INUMBER) == ino)
            return at;
        at += follow * STREAM_BLOCK;
    }
    return 0;
}

static void make(struct fixture_buffer *b)
{
    struct stream_totals totals;
    struct error err = ERROR_INIT;

    CHECK_OK(fixture_make(b, 32, false, &totals, &err), err);
}

static void test_damaged_header(void)
{
    struct fixture_buffer b;
    struct seen s;

    make(&b);
    b.data[address_of(&b, 13) + 600] ^= 0x10; /* inode 13 is lost with its two blocks */
    decode_all(&b, 5, &s);
    CU_ASSERT_EQUAL(s.damages, 1);
    CU_ASSERT_STRING_EQUAL(s.first_damage, "3 stream blocks are damaged and were left out");
    CU_ASSERT_EQUAL(s.inodes, FIXTURE_INODES - 1);
    CU_ASSERT_EQUAL(s.wrong, 0);
    CU_ASSERT_EQUAL(s.totals, 1);
    free(b.data);
}

static void test_damaged_data(void)
{
    struct fixture_buffer b;
    struct seen s;

    make(&b);
    b.data[address_of(&b, 15) + 100 * STREAM_BLOCK + 7] ^= 1;
    decode_all(&b, 5, &s);
    CU_ASSERT_EQUAL(s.damages, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(s.first_damage, "inode 15 is damaged"));
    CU_ASSERT_EQUAL(s.damaged_inodes, 1);
    CU_ASSERT_EQUAL(s.inodes, FIXTURE_INODES);
    CU_ASSERT_EQUAL(s.wrong, 1); /* the one byte */
    free(b.data);
}

/* Damage inside of a file of several headers: what follows has its place by the header. */
static void test_damaged_addr(void)
{
    struct fixture_buffer b;
    struct seen s;
    size_t at;

    make(&b);
    at = address_of(&b, 16) + 513 * STREAM_BLOCK;
    CU_ASSERT_EQUAL_FATAL(get_le32(b.data + at), TS_ADDR);
    b.data[at + C_COUNT]++;
    decode_all(&b, 64, &s);
    CU_ASSERT_EQUAL(s.damages, 1);
    CU_ASSERT_EQUAL(s.damaged_inodes, 1);
    CU_ASSERT_EQUAL(s.inodes, FIXTURE_INODES);
    CU_ASSERT_EQUAL(s.wrong, 1); /* one jump of the offset, no byte in the wrong place */
    free(b.data);
}

static void test_lost_beginning(void)
{
    struct fixture_buffer b;
    struct seen s;

    make(&b);
    memset(b.data, 0xaa, 3 * STREAM_BLOCK);
    decode_all(&b, 5, &s);
    CU_ASSERT_EQUAL(s.volumes, 1);
    CU_ASSERT_EQUAL(s.inodes, FIXTURE_INODES);
    CU_ASSERT_EQUAL(s.totals, 1);
    free(b.data);
}

static void test_truncated(void)
{
    struct fixture_buffer b;

    make(&b);
    for (size_t blocks = 0; blocks < b.len / STREAM_BLOCK; blocks += 97) {
        struct fixture_buffer cut = {b.data, blocks * STREAM_BLOCK, 0};
        struct seen s;

        decode_all(&cut, 11, &s);
        CU_ASSERT_EQUAL(s.inodes, s.ends);
        CU_ASSERT_EQUAL(s.totals, 0);
        CU_ASSERT_TRUE(s.damaged_inodes <= 1);
    }
    free(b.data);
}

/* Begin at the header of one inode, as a restore of single files does. */
static void test_seek(void)
{
    struct error err = ERROR_INIT;
    struct stream_volume volume = {.capstan = true, .date_ns = FIXTURE_DATE_NS, .volume = 1};
    struct stream_decoder *d;
    struct fixture_buffer b;
    struct seen s = {0};
    size_t at;

    make(&b);
    at = address_of(&b, 26);
    CHECK_OK(stream_decoder_open(&d, &err), err);
    stream_decoder_seek(d, &volume, at / STREAM_BLOCK);
    feed(d, &s, b.data + at, b.len - at, 9);
    CU_ASSERT_EQUAL(s.wrong, 0);
    CU_ASSERT_EQUAL(s.damages, 0);
    CU_ASSERT_EQUAL(s.inodes, 7 + FIXTURE_MANY);
    stream_decoder_close(d);
    free(b.data);
}

/* ---- other dialects ----------------------------------------------------------------------------
 */

static void put32(uint8_t *p, bool big, uint32_t v)
{
    if (big)
        put_be32(p, v);
    else
        put_le32(p, v);
}

static void put64(uint8_t *p, bool big, uint64_t v)
{
    if (big)
        put_be64(p, v);
    else
        put_le64(p, v);
}

static void foreign_seal(uint8_t *block, bool big)
{
    put32(block + C_CHECKSUM, big, 0);
    put32(block + C_CHECKSUM, big, CHECKSUM - (big ? header_sum_be(block) : header_sum_le(block)));
}

static void foreign_header(uint8_t *block, bool big, uint32_t magic, uint32_t type, uint32_t ino,
                           uint32_t count)
{
    memset(block, 0, STREAM_BLOCK);
    put32(block + C_TYPE, big, type);
    put32(block + C_DATE, big, 1000000);
    put32(block + C_VOLUME, big, 1);
    put32(block + C_INUMBER, big, ino);
    put32(block + C_MAGIC, big, magic);
    put32(block + C_COUNT, big, count);
    memset(block + C_ADDR, 1, count < TP_NINDIR ? count : TP_NINDIR);
    if (magic == FS_UFS2_MAGIC)
        put64(block + C_UFS2_DATE, big, 1000000);
}

/* Decode blocks and give the inode event with this number. */
static bool find_inode(const uint8_t *blocks, size_t count, uint32_t ino, struct stream_event *out)
{
    struct error err = ERROR_INIT;
    struct stream_decoder *d;
    struct stream_event ev;
    bool found = false;

    CHECK_OK(stream_decoder_open(&d, &err), err);
    stream_decoder_feed(d, blocks, count);
    while (stream_decoder_next(d, &ev)) {
        if (ev.type == STREAM_EVENT_INODE && ev.inode.ino == ino) {
            *out = ev;
            found = true;
        }
    }
    stream_decoder_close(d);
    return found;
}

static void test_ufs2(void)
{
    for (int big = 0; big < 2; big++) {
        uint8_t blocks[3 * STREAM_BLOCK];
        uint8_t *h = blocks + STREAM_BLOCK;
        struct stream_event ev;

        foreign_header(blocks, big, FS_UFS2_MAGIC, TS_TAPE, 0, 0);
        put32(blocks + C_FLAGS, big, DR_NEWINODEFMT);
        foreign_seal(blocks, big);
        foreign_header(h, big, FS_UFS2_MAGIC, TS_INODE, 5, 1);
        if (big)
            put_be16(h + DI_MODE, S_IFREG | 0640);
        else
            put_le16(h + DI_MODE, S_IFREG | 0640);
        put64(h + DI_SIZE, big, 600);
        put64(h + DI_UFS2_MTIME, big, UINT64_C(5000000000)); /* year 2128 */
        put32(h + DI_MTIME + 4, big, 123456789);
        put64(h + DI_UFS2_BIRTH, big, 77);
        put32(h + DI_UFS2_BIRTHNSEC, big, 5);
        put32(h + DI_UID, big, 100001);
        foreign_seal(h, big);
        memset(blocks + 2 * STREAM_BLOCK, 'u', STREAM_BLOCK);
        CU_ASSERT_TRUE_FATAL(find_inode(blocks, 3, 5, &ev));
        CU_ASSERT_EQUAL(ev.inode.mode, S_IFREG | 0640);
        CU_ASSERT_EQUAL(ev.inode.size, 600);
        CU_ASSERT_EQUAL(ev.inode.mtime_ns, INT64_C(5000000000123456789));
        CU_ASSERT_EQUAL(ev.inode.btime_ns, INT64_C(77000000005));
        CU_ASSERT_EQUAL(ev.inode.uid, 100001);
    }
}

static void test_classic_owner(void)
{
    static const struct {
        bool big, new_format;
        uint32_t uid, gid;
    } cases[] = {
        {false, true, 70001, 70002}, /* Linux, BSD */
        {true, true, 70001, 70002},  /* BSD on a big-endian machine */
        {true, false, 501, 70003},   /* Solaris: 16 bits, or 65,535 and the long one */
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        bool big = cases[i].big;
        uint8_t blocks[2 * STREAM_BLOCK];
        uint8_t *h = blocks + STREAM_BLOCK;
        struct stream_event ev;

        foreign_header(blocks, big, NFS_MAGIC, TS_TAPE, 0, 0);
        put32(blocks + C_FLAGS, big, cases[i].new_format ? DR_NEWINODEFMT : 0);
        foreign_seal(blocks, big);
        foreign_header(h, big, NFS_MAGIC, TS_INODE, 9, 0);
        if (big) {
            put_be16(h + DI_MODE, S_IFREG | 0600);
            put_be16(h + DI_OUID, 501);
            put_be16(h + DI_OGID, UINT16_MAX);
        } else {
            put_le16(h + DI_MODE, S_IFREG | 0600);
        }
        put32(h + DI_MTIME, big, 4000000000u); /* 2096: unsigned */
        put32(h + DI_MTIME + 4, big, 999999);
        put32(h + DI_UID, big, 70001);
        put32(h + DI_GID, big, 70002);
        if (!cases[i].new_format)
            put32(h + DI_SOLARIS_GID, big, 70003);
        foreign_seal(h, big);
        CU_ASSERT_TRUE_FATAL(find_inode(blocks, 2, 9, &ev));
        CU_ASSERT_EQUAL(ev.inode.uid, cases[i].uid);
        CU_ASSERT_EQUAL(ev.inode.gid, cases[i].gid);
        CU_ASSERT_EQUAL(ev.inode.mtime_ns, INT64_C(4000000000999999000));
    }
}

/* ---- parts -------------------------------------------------------------------------------------
 */

static void test_directory_data(void)
{
    struct stream_directory d = {0};
    struct error err = ERROR_INIT;
    struct stream_entry_cursor c = {0};
    struct stream_entry e;
    unsigned count = 0;

    CHECK_OK(stream_directory_begin(&d, 7, 2, &err), err);
    for (unsigned i = 1; i <= 255; i++) {
        char name[256];

        memset(name, 'a' + (int)(i % 26), i);
        CHECK_OK(stream_directory_add(&d, 1000 + i, S_IFLNK | 0777, name, i, &err), err);
    }
    CHECK_FAILS(stream_directory_add(&d, 1, S_IFREG, "a/b", 3, &err), ERR_RANGE, err);
    CHECK_FAILS(stream_directory_add(&d, 1, S_IFREG, "", 0, &err), ERR_RANGE, err);
    CHECK_FAILS(stream_directory_add(&d, 1, S_IFREG, "..", 2, &err), ERR_RANGE, err);
    CHECK_FAILS(stream_directory_add(&d, 1, S_IFREG, "a\0b", 3, &err), ERR_RANGE, err);
    stream_directory_finish(&d);
    CU_ASSERT_EQUAL(d.len % DIRBLKSIZ, 0);
    c.data = d.data;
    c.len = d.len;
    while (stream_entry_next(&c, &e)) {
        if (count >= 2) {
            CU_ASSERT_EQUAL(e.ino, 1000 + count - 1);
            CU_ASSERT_EQUAL(e.name_len, count - 1);
            CU_ASSERT_EQUAL(e.type, S_IFLNK >> 12);
        }
        count++;
    }
    CU_ASSERT_EQUAL(count, 257);
    CU_ASSERT_FALSE(c.damaged);
    stream_directory_free(&d);
}

/* dump(8) writes a name of 255 bytes as an entry of 8 bytes that says 255: the others are there. */
static void test_directory_of_dump8(void)
{
    static const uint8_t data[DIRBLKSIZ] = {
        3, 0, 0, 0, 12, 0, 8, 1,   'a', 0,   0, 0, /* a good one */
        4, 0, 0, 0, 8,  0, 8, 255,                 /* the name that got lost */
        5, 0, 0, 0, 12, 0, 8, 2,   'b', 'c', 0, 0, 6, 0, 0, 0, 480 & 255, 480 >> 8, 8, 1, 'd',
    };
    struct stream_entry_cursor c = {.data = data, .len = sizeof(data)};
    struct stream_entry e;
    uint32_t sum = 0;

    while (stream_entry_next(&c, &e))
        sum = sum * 10 + e.ino;
    CU_ASSERT_EQUAL(sum, 356);
    CU_ASSERT_TRUE(c.damaged);
}

static void test_acl_forms(void)
{
    uint8_t disk[200], back[200];
    size_t len = xattr_acl_to_disk(fixture_acl, sizeof(fixture_acl), disk, sizeof(disk));

    CU_ASSERT_EQUAL(len, 4 + 4 * 4 + 8);
    CU_ASSERT_EQUAL(xattr_acl_from_disk(disk, len, back, sizeof(back)), sizeof(fixture_acl));
    CU_ASSERT_EQUAL(memcmp(back, fixture_acl, sizeof(fixture_acl)), 0);
    for (size_t cut = 0; cut < len; cut++) { /* never beyond its end, never half an entry */
        size_t got = xattr_acl_from_disk(disk, cut, back, sizeof(back));

        CU_ASSERT_TRUE(got == 0 || (cut >= 4 && got % 8 == 4 && got <= sizeof(fixture_acl)));
    }
    for (size_t cut = 1; cut < 8; cut++)
        CU_ASSERT_EQUAL(
            xattr_acl_to_disk(fixture_acl, sizeof(fixture_acl) - cut, disk, sizeof(disk)), 0);
    CU_ASSERT_EQUAL(xattr_acl_to_disk(fixture_acl, sizeof(fixture_acl), disk, 10), 0);
}

/* What an EA record can't carry goes into the extension: nothing is lost, whatever the mix. */
static void test_xattr_places(void)
{
    static const char big[70000];
    const struct stream_xattr cases[] = {
        {"user.fits", big, 3900},         {"user.4060", big, 4060},
        {"user.too-large", big, 4096},    {"system.nfs4_acl", big, 100},
        {"btrfs.compression", "zstd", 4}, {"system.posix_acl_access", "no ACL", 6},
        {"security.selinux", "x", 1},     {"user.", "empty suffix", 12},
        {"user.huge", big, 70000},
    };
    static const bool fits[] = {true, false, false, false, false, false, true, false, false};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        CU_ASSERT_EQUAL(xattr_fits_record(&cases[i]), fits[i]);
}

static void test_too_many_xattrs(void)
{
    static char big[60000];
    struct stream_xattr list[10];
    char names[10][16];
    struct error err = ERROR_INIT;
    struct fixture_buffer b = {0};
    struct stream_image image = fixture_image(4);
    struct stream_writer_options options = {.image = &image, .write = fixture_append, .ctx = &b};
    struct stream_inode inode = {.ino = 3, .mode = S_IFREG};
    struct stream_writer *w;
    uint8_t map[1] = {6};
    uint64_t before;

    for (size_t i = 0; i < 10; i++) {
        snprintf(names[i], sizeof(names[i]), "user.%zu", i);
        list[i] = (struct stream_xattr){names[i], big, sizeof(big)};
    }
    CHECK_OK(stream_writer_open(&options, &w, &err), err);
    CHECK_OK(stream_writer_maps(w, map, map, 3, &err), err);
    before = stream_writer_position(w);
    CHECK_FAILS(stream_writer_inode(w, &inode, list, 10, NULL, &err), ERR_RANGE, err);
    CU_ASSERT_EQUAL(stream_writer_position(w), before);
    CHECK_OK(stream_writer_inode(w, &inode, list, 8, NULL, &err), err);
    CHECK_FAILS(stream_writer_data(w, "x", 1, &err), ERR_RANGE, err);
    CHECK_OK(stream_writer_finish(w, &err), err);
    CHECK_FAILS(stream_writer_finish(w, &err), ERR_INTERNAL, err);
    stream_writer_close(w);
    free(b.data);
}

static int refuse(void *ctx, const struct stream_record *record, struct error *err)
{
    unsigned *left = ctx;

    (void)record;
    return (*left)-- ? 0 : error_set(err, ERR_IO, "the tape broke");
}

/* The error of the callback comes out, and again on each later call. */
static void test_write_error(void)
{
    struct stream_image image = fixture_image(4);
    struct error err = ERROR_INIT;
    struct stream_totals totals;

    for (unsigned after = 0; after < 30; after++) {
        unsigned left = after;
        struct stream_writer_options options = {.image = &image, .write = refuse, .ctx = &left};

        memset(&err, 0, sizeof(err));
        CHECK_FAILS(fixture_write(&options, &totals, &err), ERR_IO, err);
        CU_ASSERT_STRING_EQUAL(err.message, "the tape broke");
    }
}

static void test_uuid(void)
{
    struct stream_image image = fixture_image(4);
    struct error err = ERROR_INIT;
    char text[STREAM_UUID_TEXT];
    uint8_t back[16];

    stream_uuid_format(image.uuid, text);
    CU_ASSERT_STRING_EQUAL(text, "12345678-9abc-4def-8001-020304050607");
    CHECK_OK(stream_uuid_parse(text, back, &err), err);
    CU_ASSERT_EQUAL(memcmp(back, image.uuid, 16), 0);
    CHECK_FAILS(stream_uuid_parse("12345678-9abc-4def-8001-02030405060", back, &err), ERR_USAGE,
                err);
    CHECK_FAILS(stream_uuid_parse("12345678-9abc-4def-8001-02030405060g", back, &err), ERR_USAGE,
                err);
    CHECK_OK(stream_uuid_parse("", back, &err), err);
    stream_uuid_format(back, text);
    CU_ASSERT_STRING_EQUAL(text, "");
}

static const struct check_test tests[] = {
    {"round_trip", test_round_trip},
    {"headers", test_headers},
    {"volumes", test_volumes},
    {"wrong_volume", test_wrong_volume},
    {"missing_volume", test_missing_volume},
    {"lost_volume_header", test_lost_volume_header},
    {"damaged_header", test_damaged_header},
    {"damaged_data", test_damaged_data},
    {"damaged_addr", test_damaged_addr},
    {"lost_beginning", test_lost_beginning},
    {"truncated", test_truncated},
    {"seek", test_seek},
    {"ufs2", test_ufs2},
    {"classic_owner", test_classic_owner},
    {"directory_data", test_directory_data},
    {"directory_of_dump8", test_directory_of_dump8},
    {"acl_forms", test_acl_forms},
    {"xattr_places", test_xattr_places},
    {"too_many_xattrs", test_too_many_xattrs},
    {"write_error", test_write_error},
    {"uuid", test_uuid},
};

CHECK_MAIN("stream", tests)
