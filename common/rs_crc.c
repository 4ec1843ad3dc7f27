/* SPDX-License-Identifier: Apache-2.0 */
/* rs_crc.c - see rs_crc.h.  The table code works on eight bytes a step ("slicing by 8"). */
#include "common/rs_crc.h"

#include <pthread.h>

#include "common/bytes.h"

#define FIELD_POLYNOMIAL 0x11du /* x^8 + x^4 + x^3 + x^2 + 1 */

static uint32_t slice[8][256];
static pthread_once_t slice_once = PTHREAD_ONCE_INIT;

static uint8_t field_multiply(uint8_t a, uint8_t b)
{
    unsigned product = 0, shifted = a;

    for (int bit = 0; bit < 8; bit++) {
        if (b >> bit & 1)
            product ^= shifted;
        shifted <<= 1;
        if (shifted & 0x100)
            shifted ^= FIELD_POLYNOMIAL;
    }
    return (uint8_t)product;
}

/* slice[k][b]: what byte b with k zero bytes behind it leaves in the register. */
static void slice_init(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint8_t b = (uint8_t)i, edge = field_multiply(b, 0x38), middle = field_multiply(b, 0xcf);

        slice[0][i] = (uint32_t)edge << 24 | (uint32_t)middle << 16 | (uint32_t)edge << 8 | b;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t i = 0; i < 256; i++)
            slice[k][i] = slice[k - 1][i] << 8 ^ slice[0][slice[k - 1][i] >> 24];
}

uint32_t rs_crc_update(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *p = data;

    pthread_once(&slice_once, slice_init);
    for (; len >= 8; p += 8, len -= 8) {
        uint32_t high = get_be32(p) ^ crc;
        uint32_t low = get_be32(p + 4);

        crc = slice[7][high >> 24] ^ slice[6][high >> 16 & 0xff] ^ slice[5][high >> 8 & 0xff] ^
              slice[4][high & 0xff] ^ slice[3][low >> 24] ^ slice[2][low >> 16 & 0xff] ^
              slice[1][low >> 8 & 0xff] ^ slice[0][low & 0xff];
    }
    for (; len > 0; p++, len--)
        crc = crc << 8 ^ slice[0][crc >> 24 ^ *p];
    return crc;
}
