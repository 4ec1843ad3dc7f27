/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec.h - from the host's block to the bytes stored for it, and back.
 *
 *     host's block --compress--> payload --(CRC behind it)--encrypt--> envelope + ciphertext
 *
 * Each step is optional, and struct cartridge_block says which were taken, so that a block is read
 * without knowing how the drive was set when it was written.  doc/cartridge-format.md has the
 * bytes.
 *
 * Compression: LZ4 or zstd, one frame a block.  A block that does not shrink by 1/16 is stored as
 * it is.  Decompression writes at most the block's length and needs no window of the stream's
 * choice.
 *
 * Encryption: AES-256-GCM.  What the key's owner must know is in the envelope in front of the
 * ciphertext: nonce, tag, a check value of the key, and the key-associated data (SSC-5 4.2.23).
 * All of it but the unauthenticated KAD is authenticated, and with it the block's length and
 * encodings, and where it was written, if the key was told so: so a reader notices a block that was
 * put elsewhere behind the drive's back.  A host may do that (EXTERNAL mode is for it), hence it is
 * the reader who compares.  The cartridge is not authenticated: a clone and what was exported are
 * as good as the original.  A block's logical block protection is encrypted with it, as a CRC tells
 * something of the plain block.
 *
 * Thread rule: one thread at a time per struct codec and per struct codec_key.
 */
#ifndef CAPSTAN_VTL_CARTRIDGE_CODEC_H
#define CAPSTAN_VTL_CARTRIDGE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "vtl/cartridge/cartridge.h"

/* Contexts of the libraries and one buffer, made when they are first needed. */
struct codec;

struct codec *codec_new(struct error *err); /* NULL: no memory */
void codec_free(struct codec *c);           /* NULL is allowed */

/* ---- compression (codec.c) ------------------------------------------------------------------- */

/* Compress len bytes into out, room for len bytes.  Returns the bytes used; 0 if they would not be
 * fewer by 1/16, or if a sample says so: then the block is stored as it is. */
uint32_t codec_compress(struct codec *c, enum cartridge_compression method, const void *plain,
                        uint32_t len, void *out);

/* The len bytes that `stored` bytes in data stand for, into plain, which has room for them.
 * ERR_CORRUPT: they are something else, or another number of bytes; plain is then undefined.
 * ERR_UNSUPPORTED: an unknown method. */
int codec_decompress(struct codec *c, enum cartridge_compression method, const void *data,
                     size_t stored, void *plain, uint32_t len, struct error *err);

/* ---- encryption (codec_seal.c) --------------------------------------------------------------- */

#define CODEC_KEY_SIZE      32
#define CODEC_NONCE_SIZE    12
#define CODEC_TAG_SIZE      16
#define CODEC_ENVELOPE_SIZE 48 /* without key-associated data */
#define CODEC_UKAD_MAX      32 /* what LTO drives take */
#define CODEC_AKAD_MAX      12
#define CODEC_MKAD_MAX      64

/* Data that goes with a key, for its owner to find the key by (SSC-5 8.5.4.3). */
struct codec_kads {
    uint8_t u_len, a_len, m_len;
    uint8_t u[CODEC_UKAD_MAX], a[CODEC_AKAD_MAX], m[CODEC_MKAD_MAX];
};

/* A key and what is stored with each block that it encrypts.  Kept out of core dumps, and wiped
 * when it is freed. */
struct codec_key;

/* Copies key and kads; raw_disabled: the blocks may not be read raw.  NULL on failure. */
struct codec_key *codec_key_new(const uint8_t key[CODEC_KEY_SIZE], const struct codec_kads *kads,
                                bool raw_disabled, struct error *err);
void codec_key_free(struct codec_key *k); /* NULL is allowed */

/* Where the next block is to be written; without, the blocks are good anywhere. */
void codec_key_place(struct codec_key *k, uint32_t partition, uint64_t lba);

/* What an envelope says, without any key. */
struct codec_envelope {
    size_t size;         /* of the envelope: the ciphertext is behind it */
    uint32_t length;     /* of the plain block */
    uint8_t compression; /* enum cartridge_compression */
    uint8_t protection;  /* enum protection_method */
    bool raw_disabled;   /* not to be read raw */
    bool external;       /* written in EXTERNAL mode */
    bool placed;         /* it says where it was encrypted for: */
    uint32_t partition;
    uint64_t lba;
    struct codec_kads kads;
};

#define CODEC_PLACE_SIZE 12
#define CODEC_HEAD_MAX                                                                             \
    (CODEC_ENVELOPE_SIZE + CODEC_UKAD_MAX + CODEC_AKAD_MAX + CODEC_MKAD_MAX + CODEC_PLACE_SIZE)

/* The envelope of a block of `stored` bytes, the first of which, CODEC_HEAD_MAX or all, are in
 * head. ERR_CORRUPT: no envelope, or one that contradicts itself or its size. */
int codec_envelope(const void *head, size_t stored, struct codec_envelope *out, struct error *err);

/* Say in an envelope that it was written in EXTERNAL mode. */
void codec_envelope_external(void *stored);

/* Is this the key of the block? */
bool codec_key_fits(const struct codec_key *k, const void *stored);

/* ---- both ------------------------------------------------------------------------------------ */

/* Encode a plain block as the drive is set.  In: block->length, protection, protection_crc; the
 * rest of *block is filled in.  *stored points to block->stored bytes: at plain itself, or at the
 * codec's buffer, valid until the next call.  key NULL: not encrypted. */
int codec_encode(struct codec *c, enum cartridge_compression method, struct codec_key *key,
                 const void *plain, struct cartridge_block *block, const void **stored,
                 struct error *err);

/* Decode block->stored bytes into plain, which has room for block->length.  key NULL: only blocks
 * that are not encrypted can be decoded.  If it was encrypted, block->protection_crc is filled in.
 * data may be the codec's own buffer (codec_buffer()), not plain.
 * ERR_ENCRYPTED: encrypted, and there is no key.  ERR_PERMISSION: encrypted with another key.
 * ERR_AUTH: it is the key, but the block was changed.  ERR_CORRUPT: damaged in another way. */
int codec_decode(struct codec *c, const struct codec_key *key, struct cartridge_block *block,
                 const void *data, void *plain, struct error *err);

/* A buffer of CARTRIDGE_STORED_MAX bytes for the stored bytes of a block to be decoded; NULL: no
 * memory.  Valid until the next codec_encode(). */
void *codec_buffer(struct codec *c);

/* Does the CRC that the host sent with the block hold (block->protection is one)? */
bool codec_protection_holds(const struct cartridge_block *block, const void *plain);

#endif
