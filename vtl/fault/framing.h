/* SPDX-License-Identifier: Apache-2.0 */
/*
 * framing.h - where the digests are in the bytes of an iSCSI connection (RFC 7143 section 11.2).
 *
 * A PDU is a header of 48 bytes, additional header segments, a header digest if one was agreed,
 * data padded to four bytes, and a data digest if there are data and one was agreed.  What was
 * agreed is read from the target's Login Responses; the digests begin behind the last of them.
 *
 * A state machine on bytes: HEADER -> MORE -> HEADER_DIGEST -> DATA -> DATA_DIGEST -> HEADER, those
 * of no length left out.  It knows nothing of sockets.  One thread.
 */
#ifndef CAPSTAN_VTL_FAULT_FRAMING_H
#define CAPSTAN_VTL_FAULT_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum framing_part { PART_HEADER, PART_MORE, PART_HEADER_DIGEST, PART_DATA, PART_DATA_DIGEST };

/* One direction; all zero at the beginning of a connection. */
struct framing {
    enum framing_part part;
    uint32_t done; /* bytes of the part that have gone by */
    uint8_t header[48];
    bool header_digest, data_digest;
};

/* Step over bytes up to the end of a part, at most len; returns how many (at least 1 if len is not
 * 0).  *ended: the part that ended with the last of them, or -1. */
size_t framing_step(struct framing *f, const uint8_t *bytes, size_t len, int *ended);

/* What a target answers while a session logs in; all zero at the beginning. */
struct framing_login {
    struct framing frames;
    char text[1024]; /* of the response under way; what is longer holds no key of interest */
    uint32_t text_len;
    bool header_digest, data_digest, over;
};

/* Follow the target's bytes; when over, the digests of both directions are known. */
void framing_follow_login(struct framing_login *l, const uint8_t *bytes, size_t len);

#endif
