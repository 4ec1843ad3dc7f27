/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_login.c - the login state machine alone: texts, stages and flags of every kind.
 *
 * The first byte: bit 0 CHAP is required, bit 1 mutual CHAP, bit 2 an access list.  Then requests:
 * one byte of flags, two of length (big-endian), the text.  Nobody who cannot compute a CHAP
 * response may get in, and no answer may be longer than a login PDU.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "vtl/iscsi/login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void choose_options(struct iscsid_options *o, uint8_t bits)
{
    memset(o, 0, sizeof(*o));
    o->target_name = "iqn.2026-01.test:fake";
    o->target_alias = "fuzzed";
    if (bits & 1) {
        o->chap.user = "user";
        o->chap.secret = "a-secret-of-24-bytes-....";
        o->discovery_chap = o->chap;
    }
    if (bits & 2) {
        o->chap.mutual_user = "target";
        o->chap.mutual_secret = "another-secret-of-24-bytes";
    }
    if (bits & 4) {
        o->initiators[0] = "iqn.2026-01.test:*";
        o->initiator_count = 1;
    }
}

/* One request; false when the login is over. */
static bool one_request(struct login *l, const uint8_t *head, const uint8_t *text, size_t len)
{
    uint8_t bhs[BHS_SIZE];
    char *room = login_room(l, len);

    if (!room)
        return false;
    pdu_init(bhs, OP_LOGIN_REQUEST | OP_IMMEDIATE, head[0], 1);
    if (len)
        memcpy(room, text, len);
    login_request(l, bhs, len, NULL);
    if (l->data_len > KEYS_LOGIN_LENGTH)
        abort();
    return l->state < LOGIN_ADMISSION;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct login *l = malloc(sizeof(*l));
    struct iscsid_options options;

    log_set_level(LOG_LEVEL_ERROR);
    if (!l || size == 0) {
        free(l);
        return 0;
    }
    choose_options(&options, data[0]);
    login_init(l, &options);
    for (size_t at = 1; at + 3 <= size;) {
        size_t len = get_be16(data + at + 1), left = size - at - 3;
        const uint8_t *head = data + at;

        len = len < left ? len : left;
        at += 3 + len;
        if (!one_request(l, head, head + 3, len))
            break;
    }
    if (l->state == LOGIN_ADMISSION) {
        if (options.chap.secret || l->auth != AUTH_DONE || !l->params.initiator[0])
            abort();
        login_admit(l, 1);
    }
    free(l);
    return 0;
}
