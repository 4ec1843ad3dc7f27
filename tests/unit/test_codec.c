/* SPDX-License-Identifier: Apache-2.0 */
/* test_codec.c - compression, encryption and protection CRCs as pure functions. */
#include <lz4.h>
#include <zstd.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/rs_crc.h"
#include "tests/unit/check.h"
#include "vtl/cartridge/codec.h"
#include "vtl/cartridge/protection.h"

static const uint8_t key_one[CODEC_KEY_SIZE] = "0123456789abcdef0123456789abcdef";
static const uint8_t key_two[CODEC_KEY_SIZE] = "0123456789abcdef0123456789abcdeF";
static const struct codec_kads kads = {5, 4, 3, "u-kad", "akad", "mkd"};

static uint64_t state = 88172645463325252u;

static void fill_random(uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        p[i] = (uint8_t)(state >> 32);
    }
}

static void fill_text(uint8_t *p, size_t len)
{
    static const char *const words[] = {"tape ", "block ", "mark ", "drive ", "of ", "the "};
    size_t at = 0;

    while (at < len) {
        const char *word;

        fill_random(p + at, 1);
        word = words[p[at] % 6];
        for (; *word && at < len; word++)
            p[at++] = (uint8_t)*word;
    }
}

static struct codec *codec_made(void)
{
    struct error err = ERROR_INIT;
    struct codec *c = codec_new(&err);

    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    return c;
}

static struct codec_key *key_made(const uint8_t *key)
{
    struct error err = ERROR_INIT;
    struct codec_key *k = codec_key_new(key, &kads, false, &err);

    CU_ASSERT_PTR_NOT_NULL_FATAL(k);
    codec_key_place(k, 3, 0x0123456789);
    return k;
}

/* ---- protection ------------------------------------------------------------------------------ */

/* The remainders of single bytes are the table of the LTO SCSI references' appendix. */
static void test_rs_crc_published(void)
{
    static const struct {
        uint8_t byte;
        uint32_t crc;
    } table[] = {
        {0x00, 0x00000000}, {0x01, 0x38cf3801}, {0x02, 0x70837002}, {0x04, 0xe01be004},
        {0x08, 0xdd36dd08}, {0x10, 0xa76ca710}, {0x20, 0x53d85320}, {0x40, 0xa6ada640},
        {0x80, 0x51475180}, {0xab, 0x97e597ab}, {0xfe, 0x4ef04efe}, {0xff, 0x763f76ff},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        CU_ASSERT_EQUAL(rs_crc(&table[i].byte, 1), table[i].crc);
}

/* A block followed by its CRC divides without a remainder, however it is cut. */
static void test_rs_crc_divides(void)
{
    uint8_t data[1000 + 4];

    fill_random(data, 1000);
    for (size_t len = 0; len < 1000; len += len < 40 ? 1 : 37) {
        uint32_t crc = rs_crc(data, len), slow = 0;

        for (size_t i = 0; i < len; i++)
            slow = rs_crc_update(slow, data + i, 1);
        CU_ASSERT_EQUAL(crc, slow);
        CU_ASSERT_EQUAL(rs_crc_update(rs_crc(data, len / 3), data + len / 3, len - len / 3), crc);
        put_be32(data + len, crc);
        CU_ASSERT_EQUAL(rs_crc(data, len + 4), 0);
        fill_random(data + len, 4);
    }
}

/* On the wire: CRC32C of "123456789" is E3069283h (RFC 3720 B.4's polynomial), little-endian. */
static void test_protection_wire(void)
{
    uint8_t wire[4];

    CU_ASSERT_EQUAL(protection_crc(PROTECTION_CRC32C, "123456789", 9), 0xe3069283);
    protection_put(PROTECTION_CRC32C, 0xe3069283, wire);
    CU_ASSERT_EQUAL(memcmp(wire, "\x83\x92\x06\xe3", 4), 0);
    CU_ASSERT_EQUAL(protection_get(PROTECTION_CRC32C, wire), 0xe3069283);
    CU_ASSERT_EQUAL(protection_crc(PROTECTION_RS_CRC, "\x01", 1), 0x38cf3801);
    protection_put(PROTECTION_RS_CRC, 0x38cf3801, wire);
    CU_ASSERT_EQUAL(memcmp(wire, "\x38\xcf\x38\x01", 4), 0);
    CU_ASSERT_EQUAL(protection_get(PROTECTION_RS_CRC, wire), 0x38cf3801);
    CU_ASSERT_FALSE(protection_known(3));
}

/* ---- compression ----------------------------------------------------------------------------- */

#define BLOCK_SIZE 262144u

static void check_round(enum cartridge_compression method, uint32_t len, bool shrinks)
{
    uint8_t *plain = malloc(len), *packed = malloc(len), *back = malloc(len);
    struct codec *c = codec_made();
    struct error err = ERROR_INIT;
    uint32_t n;

    if (shrinks)
        fill_text(plain, len);
    else
        fill_random(plain, len);
    n = codec_compress(c, method, plain, len, packed);
    CU_ASSERT_EQUAL(n > 0, shrinks);
    CU_ASSERT(n <= len - len / 16);
    if (n > 0) {
        CHECK_OK(codec_decompress(c, method, packed, n, back, len, &err), err);
        CU_ASSERT_EQUAL(memcmp(plain, back, len), 0);
    }
    codec_free(c);
    free(plain);
    free(packed);
    free(back);
}

static void test_compress_round(void)
{
    for (enum cartridge_compression m = CARTRIDGE_LZ4; m <= CARTRIDGE_ZSTD; m++) {
        check_round(m, 512, true);
        check_round(m, BLOCK_SIZE, true);
        check_round(m, CARTRIDGE_BLOCK_MAX, true);
        check_round(m, 1, false);
        check_round(m, 15, false);
        check_round(m, BLOCK_SIZE, false);
    }
}

/* Less than 1/16 is not worth it: 15/16 random and 1/16 zero is just not enough. */
static void test_compress_threshold(void)
{
    struct codec *c = codec_made();
    uint8_t *plain = malloc(BLOCK_SIZE), *packed = malloc(BLOCK_SIZE);

    fill_random(plain, BLOCK_SIZE);
    memset(plain, 0, BLOCK_SIZE / 17);
    CU_ASSERT_EQUAL(codec_compress(c, CARTRIDGE_LZ4, plain, BLOCK_SIZE, packed), 0);
    memset(plain, 0, BLOCK_SIZE / 8);
    CU_ASSERT(codec_compress(c, CARTRIDGE_LZ4, plain, BLOCK_SIZE, packed) > 0);
    CU_ASSERT_EQUAL(codec_compress(c, CARTRIDGE_PLAIN, plain, BLOCK_SIZE, packed), 0);
    codec_free(c);
    free(plain);
    free(packed);
}

/* After a stretch of random blocks the first one that shrinks is compressed at once; and one whose
 * samples do not show it after 16 at most. */
static void test_compress_recovers(void)
{
    struct codec *c = codec_made();
    uint8_t *plain = malloc(BLOCK_SIZE), *packed = malloc(BLOCK_SIZE);
    unsigned tries = 0;

    fill_random(plain, BLOCK_SIZE);
    for (int i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(codec_compress(c, CARTRIDGE_LZ4, plain, BLOCK_SIZE, packed), 0);
    fill_text(plain, BLOCK_SIZE);
    CU_ASSERT(codec_compress(c, CARTRIDGE_LZ4, plain, BLOCK_SIZE, packed) > 0);
    fill_random(plain, BLOCK_SIZE);
    for (int i = 0; i < 3; i++)
        codec_compress(c, CARTRIDGE_LZ4, plain, BLOCK_SIZE, packed);
    for (uint32_t i = 32768; i < BLOCK_SIZE; i += 32768) /* repeats, but not within 4 KiB */
        memcpy(plain + i, plain, 32768);
    while (++tries < 100 && codec_compress(c, CARTRIDGE_LZ4, plain, BLOCK_SIZE, packed) == 0)
        ;
    CU_ASSERT(tries > 1 && tries <= 17);
    codec_free(c);
    free(plain);
    free(packed);
}

/* A frame that is more, less, or behind another one; a window of 2 GiB; a bomb. */
static void test_decompress_bounded(void)
{
    struct codec *c = codec_made();
    struct error err = ERROR_INIT;
    size_t big = 4 << 20, room = ZSTD_compressBound(big), n;
    uint8_t *plain = calloc(1, big), *packed = malloc(2 * room), *back = malloc(1000);
    ZSTD_CCtx *z = ZSTD_createCCtx();

    n = ZSTD_compress(packed, room, plain, big, 1); /* 4 MiB in some hundred bytes */
    CHECK_FAILS(codec_decompress(c, CARTRIDGE_ZSTD, packed, n, back, 1000, &err), ERR_CORRUPT, err);
    n = (size_t)LZ4_compress_default((char *)plain, (char *)packed, (int)big, (int)room);
    CHECK_FAILS(codec_decompress(c, CARTRIDGE_LZ4, packed, n, back, 1000, &err), ERR_CORRUPT, err);
    n = ZSTD_compress(packed, room, plain, 500, 1);
    CHECK_FAILS(codec_decompress(c, CARTRIDGE_ZSTD, packed, n, back, 1000, &err), ERR_CORRUPT, err);
    n += ZSTD_compress(packed + n, room, plain, 500, 1); /* two frames, together the right length */
    CHECK_FAILS(codec_decompress(c, CARTRIDGE_ZSTD, packed, n, back, 1000, &err), ERR_CORRUPT, err);
    n = ZSTD_compress(packed, room, plain, 1000, 1);
    CHECK_OK(codec_decompress(c, CARTRIDGE_ZSTD, packed, n, back, 1000, &err), err);
    n += ZSTD_compress(packed + n, room, plain, 0, 1); /* an empty one behind it */
    CHECK_FAILS(codec_decompress(c, CARTRIDGE_ZSTD, packed, n, back, 1000, &err), ERR_CORRUPT, err);
    /* The length in the frame lies: streamed, so that it is not told. */
    ZSTD_CCtx_setParameter(z, ZSTD_c_contentSizeFlag, 0);
    n = ZSTD_compress2(z, packed, room, plain, 1000);
    CHECK_FAILS(codec_decompress(c, CARTRIDGE_ZSTD, packed, n, back, 1000, &err), ERR_CORRUPT, err);
    CHECK_FAILS(codec_decompress(c, CARTRIDGE_ZSTD, packed, 0, back, 1000, &err), ERR_CORRUPT, err);
    CHECK_FAILS(codec_decompress(c, CARTRIDGE_LZ4, packed, 0, back, 1000, &err), ERR_CORRUPT, err);
    CHECK_FAILS(codec_decompress(c, 3, packed, n, back, 1000, &err), ERR_UNSUPPORTED, err);
    ZSTD_freeCCtx(z);
    codec_free(c);
    free(plain);
    free(packed);
    free(back);
}

/* ---- encryption ------------------------------------------------------------------------------ */

struct sealed {
    struct codec *codec;
    struct cartridge_block block;
    uint8_t *plain, *stored, *back;
};

/* Encode len bytes of text (or random bytes) with key one, or none. */
static struct sealed seal(uint32_t len, bool text, enum cartridge_compression method,
                          enum protection_method protection, const uint8_t *key)
{
    struct sealed s = {
        codec_made(), {.length = len, .protection = (uint8_t)protection}, NULL, NULL, NULL};
    struct codec_key *k = key ? key_made(key) : NULL;
    struct error err = ERROR_INIT;
    const void *stored;

    s.plain = malloc(len);
    s.back = malloc(len);
    if (text)
        fill_text(s.plain, len);
    else
        fill_random(s.plain, len);
    if (protection)
        s.block.protection_crc = protection_crc(protection, s.plain, len);
    CHECK_OK(codec_encode(s.codec, method, k, s.plain, &s.block, &stored, &err), err);
    s.stored = malloc(s.block.stored); /* of just that size, for the address sanitizer */
    memcpy(s.stored, stored, s.block.stored);
    codec_key_free(k);
    return s;
}

static void sealed_free(struct sealed *s)
{
    codec_free(s->codec);
    free(s->plain);
    free(s->stored);
    free(s->back);
}

static int unseal(struct sealed *s, const uint8_t *key, struct error *err)
{
    struct codec_key *k = key ? key_made(key) : NULL;
    struct cartridge_block block = s->block;
    int rc = codec_decode(s->codec, k, &block, s->stored, s->back, err);

    codec_key_free(k);
    if (rc == 0) {
        CU_ASSERT_EQUAL(memcmp(s->plain, s->back, s->block.length), 0);
        CU_ASSERT_EQUAL(codec_protection_holds(&block, s->back), s->block.protection != 0);
    }
    return rc;
}

/* Every combination of compression, encryption and protection gives back what was put in. */
static void test_encode_all(void)
{
    struct error err = ERROR_INIT;

    for (unsigned i = 0; i < 2 * 3 * 2 * 3; i++) {
        bool text = i % 2;
        const uint8_t *key = i / 18 ? key_one : NULL;
        struct sealed s = seal(i % 3 ? 70000 : 5, text, i / 2 % 3, i / 6 % 3, key);

        CHECK_OK(unseal(&s, key, &err), err);
        CU_ASSERT_EQUAL(s.block.encryption, key != NULL);
        CU_ASSERT(s.block.stored <= s.block.length + 256);
        if (key) {
            CU_ASSERT_EQUAL(s.block.protection_crc, 0); /* it would tell of the plain block */
            CHECK_FAILS(unseal(&s, NULL, &err), ERR_ENCRYPTED, err);
            CHECK_FAILS(unseal(&s, key_two, &err), ERR_PERMISSION, err);
        }
        sealed_free(&s);
    }
}

/* One bit anywhere: never accepted, but for what is not authenticated on purpose. */
static void test_seal_tampered(void)
{
    struct sealed s = seal(3000, true, CARTRIDGE_LZ4, PROTECTION_CRC32C, key_one);
    struct error err = ERROR_INIT;

    for (uint32_t i = 0; i < s.block.stored * 8; i += i < 1200u ? 1u : 61u) {
        bool u_kad = i / 8 - CODEC_ENVELOPE_SIZE < kads.u_len;
        bool external = i == 11 * 8 + 1;
        int rc;

        s.stored[i / 8] ^= (uint8_t)(1 << i % 8);
        rc = unseal(&s, key_one, &err);
        CU_ASSERT_EQUAL(rc == 0, u_kad || external);
        CU_ASSERT(rc == 0 || rc == -ERR_AUTH || rc == -ERR_CORRUPT || rc == -ERR_PERMISSION);
        s.stored[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    s.stored[s.block.stored - 1] ^= 1; /* of the ciphertext: the key is right */
    CHECK_FAILS(unseal(&s, key_one, &err), ERR_AUTH, err);
    s.stored[s.block.stored - 1] ^= 1;
    CHECK_OK(unseal(&s, key_one, &err), err);
    sealed_free(&s);
}

/* The same block twice with one key: nonces, and so everything, differ. */
static void test_seal_nonces(void)
{
    struct codec_key *k = key_made(key_one);
    struct codec *c = codec_made();
    struct cartridge_block block = {.length = 100};
    uint8_t plain[100] = {0}, first[400];
    struct error err = ERROR_INIT;
    const void *stored;

    CHECK_OK(codec_encode(c, CARTRIDGE_PLAIN, k, plain, &block, &stored, &err), err);
    memcpy(first, stored, block.stored);
    CHECK_OK(codec_encode(c, CARTRIDGE_PLAIN, k, plain, &block, &stored, &err), err);
    CU_ASSERT_NOT_EQUAL(memcmp(first + 12, (const uint8_t *)stored + 12, 12), 0);
    CU_ASSERT_NOT_EQUAL(
        memcmp(first + block.stored - 100, (const uint8_t *)stored + block.stored - 100, 100), 0);
    codec_key_free(k);
    codec_free(c);
}

static void test_envelope(void)
{
    struct sealed s = seal(3000, false, CARTRIDGE_LZ4, PROTECTION_RS_CRC, key_one);
    struct codec_envelope e;
    struct error err = ERROR_INIT;

    CHECK_OK(codec_envelope(s.stored, s.block.stored, &e, &err), err);
    CU_ASSERT_EQUAL(e.length, 3000);
    CU_ASSERT_EQUAL(e.size, CODEC_ENVELOPE_SIZE + 12 + CODEC_PLACE_SIZE);
    CU_ASSERT_TRUE(e.placed);
    CU_ASSERT_EQUAL(e.partition, 3);
    CU_ASSERT_EQUAL(e.lba, 0x0123456789);
    CU_ASSERT_EQUAL(e.compression, CARTRIDGE_PLAIN);
    CU_ASSERT_EQUAL(e.protection, PROTECTION_RS_CRC);
    CU_ASSERT_FALSE(e.external);
    CU_ASSERT_FALSE(e.raw_disabled);
    CU_ASSERT_EQUAL(memcmp(&e.kads, &kads, sizeof(kads)), 0);
    codec_envelope_external(s.stored);
    CHECK_OK(codec_envelope(s.stored, s.block.stored, &e, &err), err);
    CU_ASSERT_TRUE(e.external);
    CHECK_OK(unseal(&s, key_one, &err), err);
    for (uint32_t len = 0; len < s.block.stored; len++) { /* truncated at any place */
        uint8_t *cut = malloc(len ? len : 1);

        memcpy(cut, s.stored, len);
        CHECK_FAILS(codec_envelope(cut, len, &e, &err), ERR_CORRUPT, err);
        free(cut);
    }
    sealed_free(&s);
}

static const struct check_test tests[] = {
    {"rs_crc_published", test_rs_crc_published},
    {"rs_crc_divides", test_rs_crc_divides},
    {"protection_wire", test_protection_wire},
    {"compress_round", test_compress_round},
    {"compress_threshold", test_compress_threshold},
    {"compress_recovers", test_compress_recovers},
    {"decompress_bounded", test_decompress_bounded},
    {"encode_all", test_encode_all},
    {"seal_tampered", test_seal_tampered},
    {"seal_nonces", test_seal_nonces},
    {"envelope", test_envelope},
};

CHECK_MAIN("codec", tests)
