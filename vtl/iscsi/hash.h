/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash.h - the few functions of libcrypto that CHAP needs.
 *
 * They stand apart because OpenSSL's headers define ERR_STATE, which common/error.h does too: no
 * file can include both.
 */
#ifndef CAPSTAN_VTL_ISCSI_HASH_H
#define CAPSTAN_VTL_ISCSI_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_MAX 32

enum hash_kind { HASH_MD5, HASH_SHA1, HASH_SHA256, HASH_SHA3_256 };

struct hash_part {
    const void *data;
    size_t len;
};

/* The hash over the parts, one behind the other.  False if this machine's libcrypto refuses the
 * kind (MD5 in a FIPS set-up).  Any thread. */
bool hash_parts(enum hash_kind kind, const struct hash_part *parts, size_t count,
                uint8_t out[HASH_MAX], size_t *len);

/* Compare in a time that depends on len only. */
bool hash_equal(const void *a, const void *b, size_t len);

/* Overwrite a secret; the compiler may not leave it out. */
void hash_wipe(void *p, size_t len);

#endif
