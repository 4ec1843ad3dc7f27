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

/* One target as the bits say, and perhaps another that anybody may reach, but not by portal 0. */
static struct directory *choose_directory(uint8_t bits)
{
    const struct placement here = {.tags = {1}}, elsewhere = {.tags = {0, 2}};
    struct iscsid_options options;
    struct directory *one = NULL, *two = NULL;

    choose_options(&options, bits);
    if (directory_with(NULL, 0, &options, &here, &one, NULL))
        return NULL;
    if (!(bits & 8))
        return one;
    choose_options(&options, 0);
    options.target_name = "iqn.2026-01.test:open";
    if (directory_with(one, 1, &options, bits & 16 ? &elsewhere : &here, &two, NULL))
        return one;
    directory_release(one);
    return two;
}

/* Nobody gets where a proof is asked for: the fuzzer knows no secret. */
static void check_admission(const struct login *l)
{
    const struct offer *first = &l->directory->offers[0];

    if (l->auth != AUTH_DONE || !l->params.initiator[0])
        abort();
    if (l->params.discovery ? l->offer || (first->options.chap.secret && (l->discoverable & 1))
                            : !l->offer || l->offer->options.chap.secret || !login_group(l))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct login *l = malloc(sizeof(*l));
    struct directory *directory = l && size ? choose_directory(data[0]) : NULL;

    log_set_level(LOG_LEVEL_ERROR);
    if (!directory) {
        free(l);
        return 0;
    }
    login_init(l, directory, 0);
    for (size_t at = 1; at + 3 <= size;) {
        size_t len = get_be16(data + at + 1), left = size - at - 3;
        const uint8_t *head = data + at;

        len = len < left ? len : left;
        at += 3 + len;
        if (!one_request(l, head, head + 3, len))
            break;
    }
    if (l->state == LOGIN_ADMISSION) {
        check_admission(l);
        login_admit(l, 1);
    }
    directory_release(directory);
    free(l);
    return 0;
}
