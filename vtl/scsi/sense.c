/* SPDX-License-Identifier: Apache-2.0 */
/* sense.c - see sense.h. */
#include "vtl/scsi/sense.h"

#include <string.h>

#include "common/bytes.h"

enum { CURRENT_FIXED = 0x70, CURRENT_DESCRIPTOR = 0x72, FIXED_LENGTH = 18 };

/* The stream bits stand in the same places in both formats. */
static uint8_t stream_bits(const struct sense *s)
{
    return (uint8_t)(s->filemark << 7 | s->eom << 6 | s->ili << 5);
}

/* The sense-key specific field (SPC-5 4.4.2.4): SKSV; C/D, BPV, BIT POINTER and FIELD POINTER; or
 * PROGRESS INDICATION. */
static void put_key_specific(const struct sense *s, uint8_t *p)
{
    p[0] = 0x80;
    if (s->progress_valid) {
        put_be16(p + 1, s->progress);
        return;
    }
    p[0] = (uint8_t)(p[0] | s->field_cdb << 6);
    if (s->field_bit >= 0)
        p[0] = (uint8_t)(p[0] | 0x08 | s->field_bit);
    put_be16(p + 1, s->field);
}

/* A number that does not fit into 32 bits is not valid in fixed format (SPC-5 4.4.3). */
static size_t encode_fixed(const struct sense *s, uint8_t *buf)
{
    bool fits = s->information >= INT32_MIN && s->information <= UINT32_MAX;

    buf[0] = (uint8_t)(CURRENT_FIXED | (s->deferred ? 1 : 0));
    buf[2] = (uint8_t)(stream_bits(s) | s->key);
    if (s->valid && fits) {
        buf[0] |= 0x80;
        put_be32(buf + 3, (uint32_t)s->information);
    }
    buf[7] = FIXED_LENGTH - 8;
    if (s->command_specific <= UINT32_MAX)
        put_be32(buf + 8, (uint32_t)s->command_specific);
    put_be16(buf + 12, s->code);
    if (s->field_valid || s->progress_valid)
        put_key_specific(s, buf + 15);
    return FIXED_LENGTH;
}

static size_t encode_descriptors(const struct sense *s, uint8_t *buf)
{
    size_t len = 8;

    buf[0] = (uint8_t)(CURRENT_DESCRIPTOR | (s->deferred ? 1 : 0));
    buf[1] = (uint8_t)s->key;
    put_be16(buf + 2, s->code);
    if (s->valid) { /* information */
        buf[len + 1] = 0x0a;
        buf[len + 2] = 0x80;
        put_be64(buf + len + 4, (uint64_t)s->information);
        len += 12;
    }
    if (s->command_specific || s->deferred) { /* the first object lost may be object 0 */
        buf[len] = 0x01;
        buf[len + 1] = 0x0a;
        put_be64(buf + len + 4, s->command_specific);
        len += 12;
    }
    if (s->field_valid || s->progress_valid) {
        buf[len] = 0x02;
        buf[len + 1] = 0x06;
        put_key_specific(s, buf + len + 4);
        len += 8;
    }
    if (stream_bits(s)) {
        buf[len] = 0x04;
        buf[len + 1] = 0x02;
        buf[len + 3] = stream_bits(s);
        len += 4;
    }
    buf[7] = (uint8_t)(len - 8);
    return len;
}

size_t sense_encode(const struct sense *s, bool descriptor, uint8_t buf[SENSE_ENCODED_MAX])
{
    memset(buf, 0, SENSE_ENCODED_MAX);
    return descriptor ? encode_descriptors(s, buf) : encode_fixed(s, buf);
}
