/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openssl.h - OpenSSL's digests and ciphers beside common/error.h.
 *
 * OpenSSL has a type ERR_STATE, we have an error code of that name: its type is renamed while its
 * headers are read.  Include this instead of <openssl/evp.h>.
 */
#ifndef CAPSTAN_COMMON_OPENSSL_H
#define CAPSTAN_COMMON_OPENSSL_H

#define ERR_STATE OPENSSL_ERR_STATE_TYPE
#include <openssl/evp.h>
#include <openssl/rand.h>
#undef ERR_STATE

#endif
