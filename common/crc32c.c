/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.c - see crc32c.h.  The table code works on eight bytes a step ("slicing by 8"). */
#include "common/crc32c.h"

#include <pthread.h>

#include "common/bytes.h"
#include "config.h"

#ifdef HAVE_ISAL
#include <isa-l/crc.h>
#endif

#define CRC32C_POLYNOMIAL 0x82f63b78u /* 0x1EDC6F41 reflected */

static uint32_t slice[8][256];
static pthread_once_t slice_once = PTHREAD_ONCE_INIT;

static void slice_init(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
        slice[0][i] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t i = 0; i < 256; i++)
            slice[k][i] = slice[k - 1][i] >> 8 ^ slice[0][slice[k - 1][i] & 0xff];
}

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *p = data;

    pthread_once(&slice_once, slice_init);
    crc = ~crc;
    for (; len >= 8; p += 8, len -= 8) {
        uint32_t low = get_le32(p) ^ crc;
        uint32_t high = get_le32(p + 4);

        crc = slice[7][low & 0xff] ^ slice[6][low >> 8 & 0xff] ^ slice[5][low >> 16 & 0xff] ^
              slice[4][low >> 24] ^ slice[3][high & 0xff] ^ slice[2][high >> 8 & 0xff] ^
              slice[1][high >> 16 & 0xff] ^ slice[0][high >> 24];
    }
    for (; len > 0; p++, len--)
        crc = crc >> 8 ^ slice[0][(crc ^ *p) & 0xff];
    return ~crc;
}

#ifdef HAVE_ISAL
uint32_t crc32c_update(uint32_t crc, const void *data, size_t len)
{
    /* ISA-L takes an int length and neither inverts before nor after. */
    enum { STEP = 1 << 30 };
    unsigned char *p = (unsigned char *)(uintptr_t)data;

    crc = ~crc;
    while (len > 0) {
        int n = len > STEP ? STEP : (int)len;

        crc = crc32_iscsi(p, n, crc);
        p += n;
        len -= (size_t)n;
    }
    return ~crc;
}
#else
uint32_t crc32c_update(uint32_t crc, const void *data, size_t len)
{
    return crc32c_portable(crc, data, len);
}
#endif
