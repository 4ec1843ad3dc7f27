/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rs_crc.h - the Reed-Solomon CRC of LTO (ECMA-319 annex on the data CRC), method 01h of logical
 * block protection (SSC-5 8.5.9).
 *
 * The four bytes are the remainder of the data, taken as a polynomial over GF(2^8), divided by
 *
 *     (x + a^126)(x + a^127)(x + a^128)(x + a^129) = x^4 + 38h x^3 + CFh x^2 + 38h x + 01h
 *
 * with a a root of x^8 + x^4 + x^3 + x^2 + 1.  The register begins as zero, nothing is inverted,
 * and the byte of x^3 goes first: the value is stored big-endian.  As the generator is its own
 * mirror image and the division linear, it runs by tables like any other 32-bit CRC.
 */
#ifndef CAPSTAN_COMMON_RS_CRC_H
#define CAPSTAN_COMMON_RS_CRC_H

#include <stddef.h>
#include <stdint.h>

/* CRC of data[0..len) continued from crc; start with 0.  Any thread. */
uint32_t rs_crc_update(uint32_t crc, const void *data, size_t len);

static inline uint32_t rs_crc(const void *data, size_t len)
{
    return rs_crc_update(0, data, len);
}

#endif
