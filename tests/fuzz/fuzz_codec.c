/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_codec.c - stored bytes from anybody: a block's record and what follows it.
 *
 *   byte 0     compression, encryption, protection of the record: 2 bits, 1 bit, 2 bits
 *   byte 1..3  its length, little-endian
 *   the rest   the stored bytes
 *
 * Whatever comes: nothing is written outside of the length, what can't be decoded has a sentence,
 * and nothing that was not encrypted with the key is taken for it.  What the first byte's upper
 * bits ask for is the way there and back: the bytes are a block, encoded and decoded; bit 5: with a
 * place.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vtl/cartridge/codec.h"
#include "vtl/cartridge/protection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key_bytes[CODEC_KEY_SIZE] = "a key that no input can know of.";
static const struct codec_kads kads = {3, 2, 1, "usr", "au", "m"};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void decode(struct codec *c, const struct codec_key *key, struct cartridge_block block,
                   const uint8_t *stored)
{
    uint8_t *plain = malloc(block.length); /* of just that size */
    struct error err = ERROR_INIT;
    struct codec_envelope e;
    int rc = codec_decode(c, key, &block, stored, plain, &err);

    require(rc == 0 || err.message[0]);
    require(rc != 0 || !block.encryption);
    if (codec_envelope(stored, block.stored, &e, &err) == 0)
        require(e.size <= block.stored && e.length > 0 && e.length <= CARTRIDGE_BLOCK_MAX);
    free(plain);
}

static void there_and_back(struct codec *c, struct codec_key *key, unsigned how,
                           const uint8_t *plain, uint32_t len)
{
    struct cartridge_block block = {.length = len, .protection = (uint8_t)((how >> 3 & 3) % 3)};
    uint8_t *copy, *back = malloc(len);
    struct error err = ERROR_INIT;
    const void *stored;
    struct codec_envelope e;
    uint32_t crc = 0;

    if (how & 0x20)
        codec_key_place(key, 1, len);
    if (block.protection)
        block.protection_crc = crc = protection_crc(block.protection, plain, len);
    require(codec_encode(c, (how & 3) % 3, how & 4 ? key : NULL, plain, &block, &stored, &err) ==
            0);
    require(block.stored <= CARTRIDGE_STORED_MAX);
    require(!(how & 4) || (codec_envelope(stored, block.stored, &e, &err) == 0 &&
                           e.placed == ((how & 0x20) != 0) && (!e.placed || e.lba == len)));
    copy = malloc(block.stored);
    memcpy(copy, stored, block.stored);
    require(codec_decode(c, key, &block, copy, back, &err) == 0);
    require(memcmp(plain, back, len) == 0 && block.protection_crc == crc);
    free(copy);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = ERROR_INIT;
    struct codec *c = codec_new(&err);
    struct codec_key *key = codec_key_new(key_bytes, &kads, false, &err);

    require(c && key);
    if (size > 4 && data[0] & 0x80) {
        there_and_back(c, key, data[0], data + 4, (uint32_t)(size - 4));
    } else if (size > 4) {
        uint32_t len = data[1] | (uint32_t)data[2] << 8 | (uint32_t)data[3] << 16;
        uint8_t *stored = malloc(size - 4);
        struct cartridge_block block = {.length = len ? len : 1,
                                        .stored = (uint32_t)(size - 4),
                                        .compression = data[0] & 3,
                                        .encryption = data[0] >> 2 & 1,
                                        .protection = (uint8_t)((data[0] >> 3 & 3) % 3)};

        memcpy(stored, data + 4, size - 4);
        decode(c, key, block, stored);
        decode(c, NULL, block, stored);
        free(stored);
    }
    codec_key_free(key);
    codec_free(c);
    return 0;
}
