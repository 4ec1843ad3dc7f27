/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c - see reply.h. */
#include "vtl/scsi/reply.h"

#include <string.h>

#include "common/bytes.h"

void reply_bytes(struct reply *r, const void *data, size_t len)
{
    if (r->len < r->room) {
        size_t left = r->room - (size_t)r->len;

        memcpy(r->buf + r->len, data, len < left ? len : left);
    }
    r->len += len;
}

void reply_zero(struct reply *r, size_t len)
{
    static const uint8_t zeros[64];

    for (; len > sizeof(zeros); len -= sizeof(zeros))
        reply_bytes(r, zeros, sizeof(zeros));
    reply_bytes(r, zeros, len);
}

void reply_be(struct reply *r, uint64_t v, unsigned bytes)
{
    uint8_t be[8];

    put_be64(be, v);
    reply_bytes(r, be + 8 - bytes, bytes);
}

void reply_u8(struct reply *r, unsigned v)
{
    reply_be(r, v, 1);
}

void reply_be16(struct reply *r, unsigned v)
{
    reply_be(r, v, 2);
}

void reply_be24(struct reply *r, uint32_t v)
{
    reply_be(r, v, 3);
}

void reply_be32(struct reply *r, uint32_t v)
{
    reply_be(r, v, 4);
}

void reply_be64(struct reply *r, uint64_t v)
{
    reply_be(r, v, 8);
}

void reply_text(struct reply *r, const char *text, size_t width)
{
    size_t len = strnlen(text, width);

    reply_bytes(r, text, len);
    for (; len < width; len++)
        reply_u8(r, ' ');
}

void reply_patch(struct reply *r, uint64_t offset, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        if (offset + i < r->room && offset + i < r->len)
            r->buf[offset + i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
    }
}
