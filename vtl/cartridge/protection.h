/* SPDX-License-Identifier: Apache-2.0 */
/*
 * protection.h - logical block protection: the four bytes that travel behind a block
 * (SSC-5 4.2.25).
 *
 * The number kept with a block is the CRC; how it stands on the wire is the method's: the
 * Reed-Solomon CRC big-endian, CRC32C little-endian (as LTO drives and LTFS have it).
 */
#ifndef CAPSTAN_VTL_CARTRIDGE_PROTECTION_H
#define CAPSTAN_VTL_CARTRIDGE_PROTECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTECTION_SIZE 4

enum protection_method { /* SSC-5 table 155, LOGICAL BLOCK PROTECTION METHOD */
                         PROTECTION_NONE = 0,
                         PROTECTION_RS_CRC = 1,
                         PROTECTION_CRC32C = 2,
};

bool protection_known(unsigned method);

/* The CRC of a block by a method other than PROTECTION_NONE. */
uint32_t protection_crc(enum protection_method method, const void *block, size_t len);

/* Between the CRC and its bytes on the wire. */
uint32_t protection_get(enum protection_method method, const void *wire);
void protection_put(enum protection_method method, uint32_t crc, void *wire);

#endif
