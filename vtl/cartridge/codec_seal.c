/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_seal.c - AES-256-GCM: the envelope, and what is in it.
 *
 * A nonce is never used twice with a key: a key set begins at a random one of the 2^96 and counts
 * from there.  The key check value is the cipher block that GCM's counter mode would use with
 * counter 0, which it never reaches, so it gives nothing away; it tells a wrong key from a damaged
 * block, which hosts are told apart (SSC-5: 74h/03h and 74h/04h).
 *
 * A key lives in a page of its own that is neither dumped nor (where the limits allow) swapped. The
 * cipher's context, which holds its schedule on the heap, is made for each block and wiped after
 * it.
 */
#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#include "common/bytes.h"
#include "common/openssl.h"
#include "vtl/cartridge/codec_internal.h"
#include "vtl/cartridge/protection.h"

enum {
    ENVELOPE_VERSION = 1,
    ALGORITHM_AES_256_GCM = 1,
    FLAG_RAW_DISABLED = 0x01,
    FLAG_EXTERNAL = 0x02, /* not authenticated: it is set on the way to another place */
    FLAG_PLACED = 0x04,   /* behind the key-associated data is partition and address */
    AT_FLAGS = 11,
    AT_NONCE = 12,
    AT_TAG = 24,
    AT_CHECK = 40,
    CHECK_SIZE = 8,
    AES_BLOCK = 16,
};

struct codec_key {
    uint8_t key[CODEC_KEY_SIZE];
    uint8_t nonce[CODEC_NONCE_SIZE]; /* of the next block */
    struct codec_kads kads;
    bool raw_disabled;
    bool placed;
    uint32_t partition; /* placed: of the next block */
    uint64_t lba;
};

/* ---- keys ------------------------------------------------------------------------------------ */

static struct codec_key *key_page(void)
{
    void *page = mmap(NULL, sizeof(struct codec_key), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return NULL;
    /* Both are for safety's sake; where they are refused the key works all the same. */
    (void)madvise(page, sizeof(struct codec_key), MADV_DONTDUMP);
    (void)mlock(page, sizeof(struct codec_key));
    return page;
}

struct codec_key *codec_key_new(const uint8_t key[CODEC_KEY_SIZE], const struct codec_kads *kads,
                                bool raw_disabled, struct error *err)
{
    struct codec_key *k = key_page();

    assert(kads->u_len <= CODEC_UKAD_MAX && kads->a_len <= CODEC_AKAD_MAX &&
           kads->m_len <= CODEC_MKAD_MAX);
    if (!k) {
        error_set(err, ERR_NO_MEMORY, "no memory for a key");
        return NULL;
    }
    if (RAND_bytes(k->nonce, sizeof(k->nonce)) != 1) {
        codec_key_free(k);
        error_set(err, ERR_IO, "the system has no random numbers for encryption");
        return NULL;
    }
    memcpy(k->key, key, sizeof(k->key));
    k->kads = *kads;
    k->raw_disabled = raw_disabled;
    return k;
}

void codec_key_free(struct codec_key *k)
{
    if (!k)
        return;
    OPENSSL_cleanse(k, sizeof(*k));
    munmap(k, sizeof(*k));
}

void codec_key_place(struct codec_key *k, uint32_t partition, uint64_t lba)
{
    k->placed = true;
    k->partition = partition;
    k->lba = lba;
}

static size_t kads_size(const struct codec_kads *kads)
{
    return (size_t)kads->u_len + kads->a_len + kads->m_len;
}

size_t codec_key_overhead(const struct codec_key *k)
{
    return CODEC_ENVELOPE_SIZE + kads_size(&k->kads) + (k->placed ? CODEC_PLACE_SIZE : 0);
}

static void nonce_next(uint8_t nonce[CODEC_NONCE_SIZE])
{
    for (int i = CODEC_NONCE_SIZE - 1; i >= 0 && ++nonce[i] == 0; i--)
        ;
}

static bool key_check(const struct codec_key *k, const uint8_t *nonce, uint8_t check[CHECK_SIZE])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t in[AES_BLOCK] = {0}, out[AES_BLOCK];
    int n = 0;
    bool ok;

    memcpy(in, nonce, CODEC_NONCE_SIZE);
    ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_ecb(), NULL, k->key, NULL) == 1 &&
         EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
         EVP_EncryptUpdate(ctx, out, &n, in, AES_BLOCK) == 1 && n == AES_BLOCK;
    EVP_CIPHER_CTX_free(ctx);
    if (ok)
        memcpy(check, out, CHECK_SIZE);
    OPENSSL_cleanse(out, sizeof(out));
    return ok;
}

bool codec_key_fits(const struct codec_key *k, const void *stored)
{
    const uint8_t *e = stored;
    uint8_t check[CHECK_SIZE];

    return key_check(k, e + AT_NONCE, check) && CRYPTO_memcmp(check, e + AT_CHECK, CHECK_SIZE) == 0;
}

/* ---- the envelope ---------------------------------------------------------------------------- */

static void envelope_put(const struct codec_key *k, const struct cartridge_block *block, uint8_t *e)
{
    const struct codec_kads *kads = &k->kads;
    uint8_t *at = e + CODEC_ENVELOPE_SIZE;

    memset(e, 0, CODEC_ENVELOPE_SIZE);
    e[0] = ENVELOPE_VERSION;
    e[1] = ALGORITHM_AES_256_GCM;
    e[2] = block->compression;
    e[3] = block->protection;
    put_le32(e + 4, block->length);
    e[8] = kads->u_len;
    e[9] = kads->a_len;
    e[10] = kads->m_len;
    e[AT_FLAGS] =
        (uint8_t)((k->raw_disabled ? FLAG_RAW_DISABLED : 0) | (k->placed ? FLAG_PLACED : 0));
    memcpy(e + AT_NONCE, k->nonce, CODEC_NONCE_SIZE);
    memcpy(at, kads->u, kads->u_len);
    memcpy(at + kads->u_len, kads->a, kads->a_len);
    memcpy(at + kads->u_len + kads->a_len, kads->m, kads->m_len);
    if (k->placed) {
        put_le32(at + kads_size(kads), k->partition);
        put_le64(at + kads_size(kads) + 4, k->lba);
    }
}

static bool envelope_lengths_hold(const struct codec_envelope *e, size_t len)
{
    size_t room = len - e->size, crc = e->protection ? PROTECTION_SIZE : 0;

    if (e->length == 0 || e->length > CARTRIDGE_BLOCK_MAX || room <= crc)
        return false;
    return e->compression ? room - crc < e->length : room - crc == e->length;
}

int codec_envelope(const void *head, size_t len, struct codec_envelope *out, struct error *err)
{
    const uint8_t *e = head, *at = e + CODEC_ENVELOPE_SIZE;
    struct codec_kads *kads = &out->kads;

    memset(out, 0, sizeof(*out));
    if (len < CODEC_ENVELOPE_SIZE || len > CARTRIDGE_STORED_MAX || e[0] != ENVELOPE_VERSION ||
        e[1] != ALGORITHM_AES_256_GCM || e[2] > CARTRIDGE_ZSTD || !protection_known(e[3]) ||
        e[8] > CODEC_UKAD_MAX || e[9] > CODEC_AKAD_MAX || e[10] > CODEC_MKAD_MAX ||
        (e[AT_FLAGS] & ~(FLAG_RAW_DISABLED | FLAG_EXTERNAL | FLAG_PLACED)))
        return error_set(err, ERR_CORRUPT, "it is no encrypted block");
    out->compression = e[2];
    out->protection = e[3];
    out->length = get_le32(e + 4);
    kads->u_len = e[8];
    kads->a_len = e[9];
    kads->m_len = e[10];
    out->raw_disabled = e[AT_FLAGS] & FLAG_RAW_DISABLED;
    out->external = e[AT_FLAGS] & FLAG_EXTERNAL;
    out->placed = e[AT_FLAGS] & FLAG_PLACED;
    out->size =
        CODEC_ENVELOPE_SIZE + kads_size(kads) + (out->placed ? (size_t)CODEC_PLACE_SIZE : 0);
    if (len < out->size || !envelope_lengths_hold(out, len))
        return error_set(err, ERR_CORRUPT, "the lengths of an encrypted block do not fit");
    memcpy(kads->u, at, kads->u_len);
    memcpy(kads->a, at + kads->u_len, kads->a_len);
    memcpy(kads->m, at + kads->u_len + kads->a_len, kads->m_len);
    if (out->placed) {
        out->partition = get_le32(at + kads_size(kads));
        out->lba = get_le64(at + kads_size(kads) + 4);
    }
    return 0;
}

void codec_envelope_external(void *stored)
{
    uint8_t *e = stored;

    e[AT_FLAGS] |= FLAG_EXTERNAL;
}

/* What is authenticated beside the payload: the envelope up to the tag, the A-KAD, the M-KAD and
 * the place. */
static bool add_associated(EVP_CIPHER_CTX *ctx, const uint8_t *e)
{
    uint8_t head[AT_TAG];
    const uint8_t *kads = e + CODEC_ENVELOPE_SIZE + e[8];
    int len = e[9] + e[10] + (e[AT_FLAGS] & FLAG_PLACED ? CODEC_PLACE_SIZE : 0), n;

    memcpy(head, e, sizeof(head));
    head[AT_FLAGS] &= (uint8_t)~FLAG_EXTERNAL;
    return EVP_CipherUpdate(ctx, NULL, &n, head, sizeof(head)) == 1 &&
           (len == 0 || EVP_CipherUpdate(ctx, NULL, &n, kads, len) == 1);
}

static EVP_CIPHER_CTX *cipher_begin(const struct codec_key *k, const uint8_t *e, bool encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    /* 12 bytes of nonce are the default of GCM. */
    if (ctx &&
        EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, k->key, e + AT_NONCE, encrypt) == 1 &&
        add_associated(ctx, e))
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

static bool cipher_step(EVP_CIPHER_CTX *ctx, const void *in, size_t len, void *out)
{
    int n = 0;

    return EVP_CipherUpdate(ctx, out, &n, in, (int)len) == 1 && n == (int)len;
}

static bool cipher_end(EVP_CIPHER_CTX *ctx)
{
    uint8_t nothing[AES_BLOCK];
    int n = 0;

    return EVP_CipherFinal_ex(ctx, nothing, &n) == 1 && n == 0;
}

/* ---- sealing --------------------------------------------------------------------------------- */

static bool seal(EVP_CIPHER_CTX *ctx, const struct cartridge_block *block, const void *payload,
                 uint8_t *e, uint8_t *out)
{
    uint8_t crc[PROTECTION_SIZE];

    if (!cipher_step(ctx, payload, block->stored, out))
        return false;
    put_le32(crc, block->protection_crc);
    if (block->protection && !cipher_step(ctx, crc, sizeof(crc), out + block->stored))
        return false;
    return cipher_end(ctx) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, CODEC_TAG_SIZE, e + AT_TAG) == 1;
}

int codec_seal(struct codec_key *k, struct cartridge_block *block, const void *payload,
               uint8_t *out, struct error *err)
{
    size_t head = codec_key_overhead(k);
    EVP_CIPHER_CTX *ctx;
    bool ok;

    nonce_next(k->nonce);
    envelope_put(k, block, out);
    ctx = key_check(k, k->nonce, out + AT_CHECK) ? cipher_begin(k, out, true) : NULL;
    ok = ctx && seal(ctx, block, payload, out, out + head);
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        return error_set(err, ERR_INTERNAL, "a block can't be encrypted: libcrypto refuses");
    block->stored += (uint32_t)head + (block->protection ? PROTECTION_SIZE : 0);
    block->encryption = 1;
    block->protection_crc = 0;
    return 0;
}

static bool unseal(EVP_CIPHER_CTX *ctx, const uint8_t *e, const uint8_t *in, size_t len,
                   void *payload, uint8_t *crc, size_t crc_len)
{
    uint8_t tag[CODEC_TAG_SIZE];

    memcpy(tag, e + AT_TAG, sizeof(tag));
    return cipher_step(ctx, in, len, payload) &&
           (crc_len == 0 || cipher_step(ctx, in + len, crc_len, crc)) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, CODEC_TAG_SIZE, tag) == 1 &&
           cipher_end(ctx);
}

int codec_unseal(const struct codec_key *k, struct cartridge_block *block, const void *data,
                 void *payload, size_t *len, struct error *err)
{
    const uint8_t *e = data;
    uint8_t crc[PROTECTION_SIZE] = {0};
    size_t crc_len = block->protection ? PROTECTION_SIZE : 0;
    struct codec_envelope env;
    EVP_CIPHER_CTX *ctx;
    bool ok;
    int rc = codec_envelope(data, block->stored, &env, err);

    if (rc)
        return rc;
    if (env.length != block->length || env.compression != block->compression ||
        env.protection != block->protection)
        return error_set(err, ERR_CORRUPT, "an encrypted block is not the one of its record");
    if (!codec_key_fits(k, data))
        return error_set(err, ERR_PERMISSION, "a block is encrypted with another key");
    *len = block->stored - env.size - crc_len;
    ctx = cipher_begin(k, e, false);
    ok = ctx && unseal(ctx, e, e + env.size, *len, payload, crc, crc_len);
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        return error_set(err, ERR_AUTH, "an encrypted block was changed after it was written");
    block->protection_crc = get_le32(crc);
    return 0;
}
