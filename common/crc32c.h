/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c.h - CRC32C (Castagnoli), the checksum of iSCSI digests (RFC 7143 section 13.1) and of
 * every record on a cartridge.
 *
 * crc32c_update() uses ISA-L, which picks the machine's instructions at run time; built without it
 * (configure --without-isal), the portable table code.  Tests compare the two on every length.
 */
#ifndef CAPSTAN_COMMON_CRC32C_H
#define CAPSTAN_COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC of data[0..len) continued from crc; start with 0.  crc32c_update(crc32c_update(0, a), b)
 * is the CRC of a followed by b.  Any thread. */
uint32_t crc32c_update(uint32_t crc, const void *data, size_t len);

/* The same by table only: the fallback, and the reference for tests. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len);

static inline uint32_t crc32c(const void *data, size_t len)
{
    return crc32c_update(0, data, len);
}

#endif
