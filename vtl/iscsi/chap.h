/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chap.h - the target's side of CHAP (RFC 7143 section 12.1.3, RFC 1994).
 *
 *      OFFERED ──CHAP_A──> CHALLENGED ──CHAP_N, CHAP_R [, CHAP_I, CHAP_C]──> PROVEN
 *
 * Invariants:
 *   1. A secret or an expected response never leaves this file, not to a log, not to an error.
 *   2. Name and response are compared in constant time, both always, with all that is accepted.
 *   3. A challenge is used once; one that comes back to us (reflection) fails.
 */
#ifndef CAPSTAN_VTL_ISCSI_CHAP_H
#define CAPSTAN_VTL_ISCSI_CHAP_H

#include <stdbool.h>
#include <stdint.h>

#include "vtl/iscsi/iscsid.h"
#include "vtl/iscsi/text.h"

#define CHAP_CHALLENGE_SIZE 32
#define CHAP_CHALLENGE_MAX  1024 /* of the initiator, 12.1.3 */
#define CHAP_RESPONSE_MAX   32
#define CHAP_SECRET_MIN     12
#define CHAP_SECRET_MAX     255

enum chap_state { CHAP_OFFERED, CHAP_CHALLENGED, CHAP_PROVEN };

struct chap {
    const struct iscsid_chap *accepted[ISCSI_TARGETS_MAX]; /* the caller's; any one will do */
    unsigned count;
    const struct iscsid_chap *secrets; /* PROVEN: the one whose user it is */
    enum chap_state state;
    const struct chap_algorithm *algorithm;
    uint8_t identifier;
    uint8_t challenge[CHAP_CHALLENGE_SIZE];
};

/* Users and secrets of which the initiator is to prove one: 1..ISCSI_TARGETS_MAX, all with user and
 * secret. */
void chap_init(struct chap *chap, const struct iscsid_chap *const *accepted, unsigned count);

/* Take the next message of the initiator and add the answer to out.  ERR_AUTH: the login must fail
 * with "authentication failure"; the sentence is for the log and holds no secret. */
int chap_step(struct chap *chap, struct text text, struct text_builder *out, struct error *err);

/* The response to a challenge by algorithm id (5 MD5, 6 SHA-1, 7 SHA-256, 8 SHA3-256): hash over
 * identifier, secret, challenge.  *len is set.  ERR_UNSUPPORTED: no such algorithm. */
int chap_response(unsigned algorithm, uint8_t identifier, const char *secret,
                  const uint8_t *challenge, size_t challenge_len, uint8_t out[CHAP_RESPONSE_MAX],
                  size_t *len, struct error *err);

#endif
