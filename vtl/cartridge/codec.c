/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec.c - compression, and the way of a block through compression and encryption.
 *
 * Data that can't be compressed costs time at no gain, and mostly comes in long stretches.  So
 * after a block that did not shrink, a few small samples of each next block decide whether it is
 * tried, until one is found that shrinks; and now and then a block is tried in spite of them,
 * because repetitions farther apart than a sample is long don't show in one.
 */
#include "vtl/cartridge/codec_internal.h"

#include <assert.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "vtl/cartridge/protection.h"

enum {
    SAMPLE_SIZE = 4096,
    SAMPLES = 4,
    SAMPLED_FROM = 16 * SAMPLE_SIZE, /* smaller blocks are simply tried */
    TRIED_ANYWAY = 16,               /* one block in so many, whatever its samples say */
    ZSTD_LEVEL = 1,
    ZSTD_WINDOW_LOG = 24, /* of the largest block */
};

struct codec *codec_new(struct error *err)
{
    struct codec *c = calloc(1, sizeof(*c));

    if (!c)
        error_set(err, ERR_NO_MEMORY, "no memory to encode blocks");
    return c;
}

void codec_free(struct codec *c)
{
    if (!c)
        return;
    free(c->buffer);
    free(c->work);
    free(c->lz4);
    ZSTD_freeCCtx(c->compressor);
    ZSTD_freeDCtx(c->decompressor);
    free(c);
}

void *codec_buffer(struct codec *c)
{
    if (!c->buffer) /* pages that are never touched cost nothing */
        c->buffer = malloc(CARTRIDGE_STORED_MAX);
    return c->buffer;
}

void *codec_work(struct codec *c)
{
    if (!c->work)
        c->work = malloc(CARTRIDGE_STORED_MAX);
    return c->work;
}

/* ---- compression ----------------------------------------------------------------------------- */

static uint32_t lz4_pack(struct codec *c, const void *plain, uint32_t len, void *out, uint32_t room)
{
    int n;

    if (!c->lz4)
        c->lz4 = malloc((size_t)LZ4_sizeofState());
    if (!c->lz4)
        return 0;
    n = LZ4_compress_fast_extState(c->lz4, plain, out, (int)len, (int)room, 1);
    return n > 0 ? (uint32_t)n : 0;
}

static uint32_t zstd_pack(struct codec *c, const void *plain, uint32_t len, void *out,
                          uint32_t room)
{
    size_t n;

    if (!c->compressor) {
        c->compressor = ZSTD_createCCtx();
        if (!c->compressor)
            return 0;
        ZSTD_CCtx_setParameter(c->compressor, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    }
    n = ZSTD_compress2(c->compressor, out, room, plain, len);
    return ZSTD_isError(n) ? 0 : (uint32_t)n;
}

static uint32_t pack(struct codec *c, enum cartridge_compression method, const void *plain,
                     uint32_t len, void *out)
{
    uint32_t room = len - len / 16;

    if (room >= len) /* fewer than 16 bytes */
        return 0;
    if (method == CARTRIDGE_LZ4)
        return lz4_pack(c, plain, len, out, room);
    return method == CARTRIDGE_ZSTD ? zstd_pack(c, plain, len, out, room) : 0;
}

/* Do samples from all over the block shrink?  LZ4 judges for both methods: it is the quicker one.
 */
static bool samples_shrink(struct codec *c, const uint8_t *plain, uint32_t len)
{
    uint32_t step = (len - SAMPLE_SIZE) / (SAMPLES - 1);
    uint8_t out[SAMPLE_SIZE];

    for (uint32_t i = 0; i < SAMPLES; i++) {
        if (pack(c, CARTRIDGE_LZ4, plain + i * step, SAMPLE_SIZE, out) > 0)
            return true;
    }
    return false;
}

static bool worth_trying(struct codec *c, const void *plain, uint32_t len)
{
    if (c->incompressible == 0 || len < SAMPLED_FROM)
        return true;
    if (c->incompressible % TRIED_ANYWAY == 0 || samples_shrink(c, plain, len))
        return true;
    c->incompressible++;
    return false;
}

uint32_t codec_compress(struct codec *c, enum cartridge_compression method, const void *plain,
                        uint32_t len, void *out)
{
    uint32_t n;

    if (method == CARTRIDGE_PLAIN || !worth_trying(c, plain, len))
        return 0;
    n = pack(c, method, plain, len, out);
    c->incompressible = n > 0 ? 0 : c->incompressible + 1;
    return n;
}

/* ---- decompression --------------------------------------------------------------------------- */

static int lz4_unpack(const void *data, size_t stored, void *plain, uint32_t len)
{
    if (stored > CARTRIDGE_STORED_MAX)
        return -1;
    return LZ4_decompress_safe(data, plain, (int)stored, (int)len) == (int)len ? 0 : -1;
}

/* One frame that says how long it is, and nothing behind it: then zstd decodes straight into the
 * room given, and allocates no window, however large the frame says that one should be. */
static int zstd_unpack(struct codec *c, const void *data, size_t stored, void *plain, uint32_t len)
{
    size_t n;

    if (ZSTD_getFrameContentSize(data, stored) != len ||
        ZSTD_findFrameCompressedSize(data, stored) != stored)
        return -1;
    if (!c->decompressor) {
        c->decompressor = ZSTD_createDCtx();
        if (!c->decompressor)
            return -1;
        ZSTD_DCtx_setParameter(c->decompressor, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    }
    n = ZSTD_decompressDCtx(c->decompressor, plain, len, data, stored);
    return !ZSTD_isError(n) && n == len ? 0 : -1;
}

int codec_decompress(struct codec *c, enum cartridge_compression method, const void *data,
                     size_t stored, void *plain, uint32_t len, struct error *err)
{
    int rc;

    if (method == CARTRIDGE_LZ4)
        rc = lz4_unpack(data, stored, plain, len);
    else if (method == CARTRIDGE_ZSTD)
        rc = zstd_unpack(c, data, stored, plain, len);
    else
        return error_set(err, ERR_UNSUPPORTED, "a block is compressed by the unknown method %u",
                         (unsigned)method);
    if (rc)
        return error_set(err, ERR_CORRUPT, "a block of %u bytes can't be decompressed", len);
    return 0;
}

/* ---- both ------------------------------------------------------------------------------------ */

int codec_encode(struct codec *c, enum cartridge_compression method, struct codec_key *key,
                 const void *plain, struct cartridge_block *block, const void **stored,
                 struct error *err)
{
    size_t head = key ? codec_key_overhead(key) : 0;
    uint8_t *buffer = codec_buffer(c);
    const void *payload = plain;
    uint32_t packed;

    if (!buffer)
        return error_set(err, ERR_NO_MEMORY, "no memory to encode a block");
    packed = codec_compress(c, method, plain, block->length, buffer + head);
    block->compression = (uint8_t)(packed > 0 ? method : CARTRIDGE_PLAIN);
    block->stored = packed > 0 ? packed : block->length;
    block->encryption = 0;
    if (packed > 0)
        payload = buffer + head;
    *stored = payload;
    if (!key)
        return 0;
    *stored = buffer;
    return codec_seal(key, block, payload, buffer, err);
}

static int decode_payload(struct codec *c, const struct cartridge_block *block, const void *payload,
                          size_t len, void *plain, struct error *err)
{
    if (block->compression != CARTRIDGE_PLAIN)
        return codec_decompress(c, block->compression, payload, len, plain, block->length, err);
    if (len != block->length)
        return error_set(err, ERR_CORRUPT, "a block of %u bytes has %zu", block->length, len);
    if (payload != plain)
        memcpy(plain, payload, len);
    return 0;
}

static int decode_sealed(struct codec *c, const struct codec_key *key,
                         struct cartridge_block *block, const void *data, void *plain,
                         struct error *err)
{
    void *payload = block->compression == CARTRIDGE_PLAIN ? plain : codec_work(c);
    size_t len = 0;
    int rc;

    if (!key)
        return error_set(err, ERR_ENCRYPTED, "a block is encrypted, and no key is set");
    if (!payload)
        return error_set(err, ERR_NO_MEMORY, "no memory to decode a block");
    rc = codec_unseal(key, block, data, payload, &len, err);
    return rc ? rc : decode_payload(c, block, payload, len, plain, err);
}

int codec_decode(struct codec *c, const struct codec_key *key, struct cartridge_block *block,
                 const void *data, void *plain, struct error *err)
{
    if (block->encryption)
        return decode_sealed(c, key, block, data, plain, err);
    return decode_payload(c, block, data, block->stored, plain, err);
}

bool codec_protection_holds(const struct cartridge_block *block, const void *plain)
{
    return protection_known(block->protection) && block->protection != PROTECTION_NONE &&
           protection_crc(block->protection, plain, block->length) == block->protection_crc;
}
