/* SPDX-License-Identifier: Apache-2.0 */
/* framing.c - see framing.h. */
#include "vtl/fault/framing.h"

#include <string.h>

#include "common/bytes.h"

enum { OP_LOGIN_RESPONSE = 0x23, LOGIN_TRANSIT = 0x80, LOGIN_NSG = 0x03, DIGEST = 4 };

static uint32_t part_length(const struct framing *f, enum framing_part part)
{
    uint32_t data = get_be24(f->header + 5);

    switch (part) {
    case PART_HEADER:
        return sizeof(f->header);
    case PART_MORE:
        return 4u * f->header[4];
    case PART_HEADER_DIGEST:
        return f->header_digest ? DIGEST : 0;
    case PART_DATA:
        return (data + 3) & ~3u;
    default:
        return data && f->data_digest ? DIGEST : 0;
    }
}

static void next_part(struct framing *f)
{
    do {
        f->part = f->part == PART_DATA_DIGEST ? PART_HEADER : f->part + 1;
    } while (part_length(f, f->part) == 0);
    f->done = 0;
}

size_t framing_step(struct framing *f, const uint8_t *bytes, size_t len, int *ended)
{
    uint32_t left = part_length(f, f->part) - f->done;
    size_t n = len < left ? len : left;

    *ended = -1;
    if (f->part == PART_HEADER)
        memcpy(f->header + f->done, bytes, n);
    f->done += (uint32_t)n;
    if (n == left) {
        *ended = (int)f->part;
        next_part(f);
    }
    return n;
}

/* ---- the login ------------------------------------------------------------------------------- */

static bool agreed(const struct framing_login *l, const char *pair)
{
    return memmem(l->text, l->text_len, pair, strlen(pair) + 1) != NULL;
}

/* A response has come whole. */
static void response_ended(struct framing_login *l)
{
    const uint8_t *header = l->frames.header;

    l->header_digest = l->header_digest || agreed(l, "HeaderDigest=CRC32C");
    l->data_digest = l->data_digest || agreed(l, "DataDigest=CRC32C");
    l->text_len = 0;
    l->over = header[0] == OP_LOGIN_RESPONSE && header[36] == 0 &&
              (header[1] & (LOGIN_TRANSIT | LOGIN_NSG)) == (LOGIN_TRANSIT | LOGIN_NSG);
}

static void keep_text(struct framing_login *l, const uint8_t *bytes, size_t len)
{
    size_t room = sizeof(l->text) - l->text_len, n = len < room ? len : room;

    memcpy(l->text + l->text_len, bytes, n);
    l->text_len += (uint32_t)n;
}

void framing_follow_login(struct framing_login *l, const uint8_t *bytes, size_t len)
{
    while (len > 0 && !l->over) {
        bool data = l->frames.part == PART_DATA;
        int ended;
        size_t n = framing_step(&l->frames, bytes, len, &ended);

        if (data)
            keep_text(l, bytes, n);
        if (ended >= 0 && l->frames.part == PART_HEADER)
            response_ended(l);
        bytes += n;
        len -= n;
    }
}
