/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_input.h - the inputs of the stream fuzzers.
 *
 *      byte 0   bit 0: the headers of ours are given right checksums, so that what is in them gets
 *               past the checks that random damage never passes
 *               bits 4..7: how many blocks are fed at once, less one
 *      rest     blocks of 1,024 bytes; the last is filled up with zeros
 */
#ifndef CAPSTAN_TESTS_FUZZ_STREAM_INPUT_H
#define CAPSTAN_TESTS_FUZZ_STREAM_INPUT_H

#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "engine/stream/format.h"
#include "engine/stream/header.h"

struct stream_input {
    uint8_t *blocks;
    size_t count, chunk;
};

/* Give what looks like a header the checksum of its dialect. */
static inline void stream_input_seal(uint8_t *block, uint64_t number)
{
    if (get_le32(block + P_MAGIC) == PRIVATE_MAGIC) {
        block[P_TYPE] = block[C_TYPE];
        /* Volume headers say another number than that of their place. */
        header_seal(block, get_le32(block) == TS_TAPE ? get_le32(block + C_TAPEA) : number);
    } else if (get_be32(block + C_MAGIC) == NFS_MAGIC ||
               get_be32(block + C_MAGIC) == FS_UFS2_MAGIC) {
        put_be32(block + C_CHECKSUM, 0);
        put_be32(block + C_CHECKSUM, CHECKSUM - header_sum_be(block));
    } else if (get_le32(block + C_MAGIC) == NFS_MAGIC ||
               get_le32(block + C_MAGIC) == FS_UFS2_MAGIC) {
        put_le32(block + C_CHECKSUM, 0);
        put_le32(block + C_CHECKSUM, CHECKSUM - header_sum_le(block));
    }
}

/* blocks is the caller's to free. */
static inline void stream_input_read(const uint8_t *data, size_t size, struct stream_input *in)
{
    uint8_t option = size ? data[0] : 0;

    size -= size > 0;
    in->count = (size + STREAM_BLOCK - 1) / STREAM_BLOCK;
    in->chunk = (size_t)(option >> 4) + 1;
    in->blocks = calloc(in->count + 1, STREAM_BLOCK);
    if (!in->blocks)
        abort();
    if (size)
        memcpy(in->blocks, data + 1, size);
    for (size_t i = 0; i < in->count && (option & 1); i++)
        stream_input_seal(in->blocks + i * STREAM_BLOCK, i);
}

#endif
