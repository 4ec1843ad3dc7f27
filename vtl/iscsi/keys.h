/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.h - the text keys of a session: one table of {name, kind, range, default, irrelevant when}
 * (RFC 7143 chapter 13, RFC 7144 section 4) and what was agreed.
 *
 * Invariants:
 *   1. params hold the defaults of chapter 13 until a key is agreed; after a Reject they still do.
 *   2. Each key is offered at most once per login; a second time ends the login.
 *   3. Effective values are asked for by the functions below, which keep
 *      FirstBurstLength <= MaxBurstLength whatever came.
 */
#ifndef CAPSTAN_VTL_ISCSI_KEYS_H
#define CAPSTAN_VTL_ISCSI_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "vtl/iscsi/iscsid.h"
#include "vtl/iscsi/text.h"

#define KEYS_RECV_LENGTH       262144u   /* MaxRecvDataSegmentLength that we declare */
#define KEYS_LOGIN_LENGTH      8192u     /* its value until the full feature phase, 13.12 */
#define KEYS_BURST_MAX         16776192u /* largest multiple of 512 below 2^24 */
#define KEYS_OUTSTANDING_R2T   8u
#define KEYS_TARGET_PORT_GROUP 1u

enum digest_kind { DIGEST_NONE = 0, DIGEST_CRC32C = 1 };

struct params {
    /* agreed numbers; the table points in here */
    uint32_t header_digest, data_digest; /* enum digest_kind */
    uint32_t max_connections;
    uint32_t initial_r2t, immediate_data; /* 0 or 1 */
    uint32_t peer_recv_length;            /* what the initiator takes in one data segment */
    uint32_t max_burst, first_burst;
    uint32_t time2wait, time2retain;
    uint32_t outstanding_r2t;
    uint32_t pdu_in_order, sequence_in_order;
    uint32_t error_recovery, task_reporting, protocol_level;
    uint32_t discovery; /* SessionType: 0 Normal, 1 Discovery */

    char initiator[ISCSI_NAME_MAX + 1]; /* lower case; "" until declared */
    char target[ISCSI_NAME_MAX + 1];    /* "" until declared */
    uint64_t offered;                   /* bit per row of the table */
};

void params_init(struct params *p);

/* The stage a key arrives in, as a mask. */
enum key_stage { STAGE_SECURITY = 1, STAGE_OPERATIONAL = 2, STAGE_FULL_FEATURE = 4 };

/* Take all pairs of a complete text in one stage: agreed values go to p, answers to out.  Keys of
 * authentication (AuthMethod, CHAP_*) are left to the caller, SendTargets too.  ERR_PROTOCOL: the
 * login must fail with "initiator error"; p may then be half filled in. */
int keys_negotiate(struct params *p, enum key_stage stage, struct text text,
                   struct text_builder *out, struct error *err);

/* The bytes that may come unasked with or behind a write command. */
static inline uint32_t params_first_burst(const struct params *p)
{
    return p->first_burst < p->max_burst ? p->first_burst : p->max_burst;
}

#endif
