/* SPDX-License-Identifier: Apache-2.0 */
/* test_interchange.h - tapes on a simulated disk, and streams in memory. */
#ifndef CAPSTAN_TESTS_UNIT_TEST_INTERCHANGE_H
#define CAPSTAN_TESTS_UNIT_TEST_INTERCHANGE_H

#include <zlib.h>

#include "tests/unit/check.h"

#include "vtl/interchange/interchange.h"
#include "vtl/store/simdisk.h"

static struct error err;

struct bytes {
    uint8_t *data;
    size_t len, room, at;
    size_t chunk; /* what a read gives at most: streams come in pieces */
};

struct tape {
    struct store *disk;
    struct cartridge *cartridge;
    unsigned warnings;
    uint64_t file;                 /* for an export as raw */
    struct cartridge_identity was; /* of the last import */
};

/* capacity 0: plenty. */
static inline struct tape tape_new(uint64_t capacity)
{
    struct tape t = {.file = INTERCHANGE_NO_FILE};
    struct cartridge_identity id;

    CHECK_OK(cartridge_identity_default(&id, "FROM01L8", 0x5e, &err), err);
    id.segment_size = 1 << 20;
    if (capacity) {
        id.capacity = capacity;
        id.early_warning = capacity / 10;
    }
    CHECK_OK(simdisk_open(1, &t.disk, &err), err);
    CHECK_OK(cartridge_create(t.disk, &id, &err), err);
    CHECK_OK(cartridge_open(t.disk, CARTRIDGE_READ_WRITE, &t.cartridge, &err), err);
    return t;
}

static inline void tape_end(struct tape *t)
{
    cartridge_close(t->cartridge);
    store_close(t->disk);
}

/* ---- streams ------------------------------------------------------------------------------ */

static inline int bytes_read(void *ctx, void *buf, size_t len, size_t *got, struct error *e)
{
    struct bytes *b = ctx;

    (void)e;
    *got = b->len - b->at;
    if (*got > len)
        *got = len;
    if (*got > b->chunk)
        *got = b->chunk;
    if (*got)
        memcpy(buf, b->data + b->at, *got);
    b->at += *got;
    return 0;
}

static inline int bytes_write(void *ctx, const void *buf, size_t len, struct error *e)
{
    struct bytes *b = ctx;

    if (b->len + len + 1 > b->room) {
        uint8_t *data = realloc(b->data, (b->len + len) * 2 + 1);

        if (!data)
            return error_set(e, ERR_NO_MEMORY, "no memory");
        memset(data + b->len, 0, b->len + 2 * len + 1);
        b->data = data;
        b->room = (b->len + len) * 2 + 1;
    }
    memcpy(b->data + b->len, buf, len);
    b->len += len;
    return 0;
}

static inline void count_warning(void *ctx, const char *message)
{
    CU_ASSERT_NOT_EQUAL(message[0], '\0');
    ((struct tape *)ctx)->warnings++;
}

static inline const struct interchange_format *format_named(const char *name)
{
    const struct interchange_format *format = NULL;

    if (name)
        CHECK_OK(interchange_format_find(name, &format, &err), err);
    return format;
}

/* chunk: how many bytes a read gives; raw has blocks of 1,024. */
static inline int import_bytes(struct tape *t, const char *format, const uint8_t *data, size_t len,
                               size_t chunk, struct interchange_report *report, struct error *e)
{
    struct interchange_watch watch = {.warning = count_warning, .ctx = t};
    struct bytes b = {.data = (uint8_t *)data, .len = len, .chunk = chunk};
    struct interchange_import *in;
    int rc = interchange_import_open(bytes_read, &b, format_named(format), 1024, &in, e);

    if (rc)
        return rc;
    if (interchange_identity(in))
        t->was = *interchange_identity(in);
    rc = interchange_import_run(in, t->cartridge, &watch, report, e);
    interchange_import_close(in);
    return rc;
}

static inline int export_bytes(struct tape *t, const char *format, struct bytes *out,
                               struct interchange_report *report, struct error *e)
{
    struct interchange_watch watch = {.warning = count_warning, .ctx = t};

    return interchange_export(t->cartridge, format_named(format), t->file, bytes_write, out, &watch,
                              report, e);
}

/* ---- tapes --------------------------------------------------------------------------------- */

static inline uint32_t block_length(char digit)
{
    static const uint32_t lengths[] = {
        1, 2, 3, 511, 65535, 65536, 65537, 300001, CARTRIDGE_BLOCK_MAX};

    return lengths[digit - '0'];
}

/* Half of a block can be compressed, half can't. */
static inline void block_fill(uint8_t *buf, uint32_t len, uint32_t seed)
{
    for (uint32_t i = 0; i < len; i++) {
        seed = seed * 1103515245 + 12345;
        buf[i] = i < len / 2 ? (uint8_t)(seed >> 16) : (uint8_t)len;
    }
}

static inline void tape_write(struct cartridge *c, const char *letters)
{
    uint8_t *buf = malloc(CARTRIDGE_BLOCK_MAX);

    for (uint32_t i = 0; letters[i]; i++) {
        uint32_t len = letters[i] == 'f' ? 0 : block_length(letters[i]);

        block_fill(buf, len, i);
        if (len)
            CHECK_OK(cartridge_write(c, buf, len, NULL, &err), err);
        else
            CHECK_OK(cartridge_write_filemarks(c, 1, NULL, &err), err);
    }
    CHECK_OK(cartridge_sync(c, NULL, &err), err);
    free(buf);
}

/* Every object is the same, and so is the end. */
static inline void CHECK_SAME(struct cartridge *a, struct cartridge *b)
{
    uint8_t *one = malloc(CARTRIDGE_BLOCK_MAX), *two = malloc(CARTRIDGE_BLOCK_MAX);
    uint32_t one_len = 0, two_len = 0;
    int rc = 0;

    cartridge_rewind(a);
    cartridge_rewind(b);
    while (rc == 0 || rc == -ERR_FILEMARK) {
        rc = cartridge_read(a, one, CARTRIDGE_BLOCK_MAX, &one_len, &err);
        CU_ASSERT_EQUAL_FATAL(cartridge_read(b, two, CARTRIDGE_BLOCK_MAX, &two_len, &err), rc);
        if (rc == 0)
            CU_ASSERT_FATAL(one_len == two_len && memcmp(one, two, one_len) == 0);
    }
    CU_ASSERT_EQUAL(rc, -ERR_END_OF_DATA);
    free(one);
    free(two);
}

/* The tape as words: "3:abc 4:wxyz f 1:Q ff" ("f": a filemark). */
static inline void CHECK_TAPE(struct cartridge *c, const char *words)
{
    char text[256] = "", block[64];
    uint32_t len = 0;
    size_t used = 0;
    bool marks = false;
    int rc;

    cartridge_rewind(c);
    while ((rc = cartridge_read(c, block, sizeof(block), &len, &err)) != -ERR_END_OF_DATA) {
        bool mark = rc == -ERR_FILEMARK;

        CU_ASSERT_FATAL(mark || rc == 0);
        if (mark)
            used += (size_t)snprintf(text + used, sizeof(text) - used, marks ? "f" : " f");
        else
            used += (size_t)snprintf(text + used, sizeof(text) - used, " %u:%.*s", len, (int)len,
                                     block);
        marks = mark;
    }
    CU_ASSERT_STRING_EQUAL(text + 1, words);
}

/* A bit of the first block's payload: behind the headers of the segment and the record. */
static inline void tape_damage(struct tape *t)
{
    static const char name[] = "seg-0000000000000001";
    uint8_t *raw;
    uint64_t size;
    size_t got;

    cartridge_close(t->cartridge);
    CHECK_OK(store_size(t->disk, name, &size, &err), err);
    raw = malloc((size_t)size);
    CHECK_OK(store_read(t->disk, name, 0, raw, (size_t)size, &got, &err), err);
    raw[128 + 64 + 7] ^= 4;
    CHECK_OK(store_put(t->disk, name, raw, got, &err), err);
    free(raw);
    CHECK_OK(cartridge_open(t->disk, CARTRIDGE_READ_WRITE, &t->cartridge, &err), err);
}

/* HET: one block of 64 MiB of nothing, compressed. */
static inline struct bytes bomb(void)
{
    uLong len = 64ul << 20;
    uLongf packed = compressBound(len);
    uint8_t *zero = calloc(1, len), *out = malloc(packed);
    struct bytes b = {0};

    CU_ASSERT_EQUAL_FATAL(compress2(out, &packed, zero, len, 9), Z_OK);
    for (size_t at = 0, previous = 0; at < packed;) {
        size_t part = packed - at < 65535 ? packed - at : 65535;
        uint8_t header[6] = {(uint8_t)part,
                             (uint8_t)(part >> 8),
                             (uint8_t)previous,
                             (uint8_t)(previous >> 8),
                             (uint8_t)((at ? 0 : 0x80) | (at + part == packed ? 0x20 : 0) | 1),
                             0};

        CHECK_OK(bytes_write(&b, header, sizeof(header), &err), err);
        CHECK_OK(bytes_write(&b, out + at, part, &err), err);
        at += part;
        previous = part;
    }
    free(zero);
    free(out);
    return b;
}

#endif
