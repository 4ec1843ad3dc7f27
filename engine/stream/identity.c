/* SPDX-License-Identifier: Apache-2.0 */
/* identity.c - see identity.h. */
#include "engine/stream/identity.h"

#include <string.h>

#include "engine/stream/header.h"
#include "engine/stream/parse.h"

enum stream_identity stream_identify(const uint8_t *block, const uint8_t uuid[16], int64_t date_ns,
                                     uint64_t address)
{
    const uint8_t *named = NULL;
    struct parsed_header h;

    if (!parse_header(block, &h) || !h.ours || h.tapea != (uint32_t)address ||
        h.date != header_seconds(date_ns))
        return STREAM_IDENTITY_NONE;
    if (h.type == TS_TAPE)
        named = block + P_UUID;
    if (h.type == TS_END)
        named = block + P_END_UUID;
    if (!named)
        return STREAM_IDENTITY_DATE;
    return memcmp(named, uuid, 16) == 0 ? STREAM_IDENTITY_UUID : STREAM_IDENTITY_NONE;
}
