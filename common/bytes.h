/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes.h - integers in byte strings, in the order the format at hand demands.
 *
 * SCSI and iSCSI are big-endian, the cartridge and the dump stream little-endian.  Every access to
 * a multi-byte field goes through here, so that no code depends on alignment or on the host.
 * The caller has checked that the bytes are there.
 */
#ifndef CAPSTAN_COMMON_BYTES_H
#define CAPSTAN_COMMON_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define BYTES_ACCESSORS(bits)                                                                      \
    static inline uint##bits##_t get_be##bits(const void *p)                                       \
    {                                                                                              \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof(v));                                                                  \
        return be##bits##toh(v);                                                                   \
    }                                                                                              \
    static inline uint##bits##_t get_le##bits(const void *p)                                       \
    {                                                                                              \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof(v));                                                                  \
        return le##bits##toh(v);                                                                   \
    }                                                                                              \
    static inline void put_be##bits(void *p, uint##bits##_t v)                                     \
    {                                                                                              \
        v = htobe##bits(v);                                                                        \
        memcpy(p, &v, sizeof(v));                                                                  \
    }                                                                                              \
    static inline void put_le##bits(void *p, uint##bits##_t v)                                     \
    {                                                                                              \
        v = htole##bits(v);                                                                        \
        memcpy(p, &v, sizeof(v));                                                                  \
    }

BYTES_ACCESSORS(16)
BYTES_ACCESSORS(32)
BYTES_ACCESSORS(64)

/* 24 bits: DataSegmentLength (RFC 7143 section 11.2.1.5), READ(6) transfer length (SSC-5). */
static inline uint32_t get_be24(const void *p)
{
    const uint8_t *b = p;

    return (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
}

static inline void put_be24(void *p, uint32_t v)
{
    uint8_t *b = p;

    b[0] = (uint8_t)(v >> 16);
    b[1] = (uint8_t)(v >> 8);
    b[2] = (uint8_t)v;
}

/* 48 bits: MAM and log parameters. */
static inline void put_be48(void *p, uint64_t v)
{
    put_be16(p, (uint16_t)(v >> 32));
    put_be32((uint8_t *)p + 2, (uint32_t)v);
}

/* A two's-complement 24-bit count: SPACE(6) (SSC-5). */
static inline int32_t get_be24_signed(const void *p)
{
    uint32_t v = get_be24(p);

    return v & 0x800000 ? (int32_t)(v | 0xff000000u) : (int32_t)v;
}

#endif
