/* SPDX-License-Identifier: Apache-2.0 */
/* hash.c - see hash.h. */
#include "vtl/iscsi/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

static const EVP_MD *(*const digests[])(void) = {
    [HASH_MD5] = EVP_md5,
    [HASH_SHA1] = EVP_sha1,
    [HASH_SHA256] = EVP_sha256,
    [HASH_SHA3_256] = EVP_sha3_256,
};

bool hash_parts(enum hash_kind kind, const struct hash_part *parts, size_t count,
                uint8_t out[HASH_MAX], size_t *len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned n = 0;
    bool good = ctx && EVP_DigestInit_ex(ctx, digests[kind](), NULL) == 1;

    for (size_t i = 0; good && i < count; i++)
        good = EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) == 1;
    good = good && EVP_DigestFinal_ex(ctx, out, &n) == 1;
    EVP_MD_CTX_free(ctx);
    *len = n;
    return good;
}

bool hash_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void hash_wipe(void *p, size_t len)
{
    OPENSSL_cleanse(p, len);
}
