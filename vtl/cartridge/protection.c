/* SPDX-License-Identifier: Apache-2.0 */
/* protection.c - see protection.h. */
#include "vtl/cartridge/protection.h"

#include <assert.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/rs_crc.h"

bool protection_known(unsigned method)
{
    return method <= PROTECTION_CRC32C;
}

uint32_t protection_crc(enum protection_method method, const void *block, size_t len)
{
    assert(method == PROTECTION_RS_CRC || method == PROTECTION_CRC32C);
    return method == PROTECTION_RS_CRC ? rs_crc(block, len) : crc32c(block, len);
}

uint32_t protection_get(enum protection_method method, const void *wire)
{
    return method == PROTECTION_RS_CRC ? get_be32(wire) : get_le32(wire);
}

void protection_put(enum protection_method method, uint32_t crc, void *wire)
{
    if (method == PROTECTION_RS_CRC)
        put_be32(wire, crc);
    else
        put_le32(wire, crc);
}
