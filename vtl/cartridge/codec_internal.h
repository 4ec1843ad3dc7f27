/* SPDX-License-Identifier: Apache-2.0 */
/* codec_internal.h - what codec.c and codec_seal.c share. */
#ifndef CAPSTAN_VTL_CARTRIDGE_CODEC_INTERNAL_H
#define CAPSTAN_VTL_CARTRIDGE_CODEC_INTERNAL_H

#include "vtl/cartridge/codec.h"

struct codec {
    void *buffer;                     /* CARTRIDGE_STORED_MAX bytes, when needed */
    void *work;                       /* the same: what was decrypted, still compressed */
    void *lz4;                        /* state of the compressor */
    struct ZSTD_CCtx_s *compressor;   /* zstd */
    struct ZSTD_DCtx_s *decompressor; /* zstd */
    unsigned incompressible;          /* blocks in a row that did not shrink */
};

/* CARTRIDGE_STORED_MAX bytes for a payload; NULL: no memory. */
void *codec_work(struct codec *c);

/* Bytes of the envelope that blocks of this key get. */
size_t codec_key_overhead(const struct codec_key *k);

/* Encrypt block->stored bytes of payload, and the CRC of block->protection, to out behind an
 * envelope; payload may be where the ciphertext goes.  Sets block->stored and encryption, and takes
 * block->protection_crc away. */
int codec_seal(struct codec_key *k, struct cartridge_block *block, const void *payload,
               uint8_t *out, struct error *err);

/* The reverse: *len bytes of payload, which has room for block->stored bytes, or for block->length
 * if the block is not compressed. */
int codec_unseal(const struct codec_key *k, struct cartridge_block *block, const void *data,
                 void *payload, size_t *len, struct error *err);

#endif
