/* SPDX-License-Identifier: Apache-2.0 */
/* pdu.c - the table of opcodes, and the parts of a header that are not one field. */
#include "vtl/iscsi/pdu.h"

#include <string.h>

#define FULL (PHASE_DISCOVERY | PHASE_NORMAL)

/* RFC 7143: which request is legal when (4.3, 6.3, 11.x).  Rows that are missing are illegal. */
static const struct pdu_rule rules[OP_MASK + 1] = {
    [OP_NOP_OUT] = {"NOP-Out", FULL, true, false},
    [OP_SCSI_COMMAND] = {"SCSI Command", PHASE_NORMAL, true, true},
    [OP_TASK_REQUEST] = {"Task Management Request", PHASE_NORMAL, true, false},
    [OP_LOGIN_REQUEST] = {"Login Request", PHASE_LOGIN, false, false},
    [OP_TEXT_REQUEST] = {"Text Request", FULL, true, false},
    [OP_DATA_OUT] = {"Data-Out", PHASE_NORMAL, false, false},
    [OP_LOGOUT_REQUEST] = {"Logout Request", FULL, true, false},
    [OP_SNACK] = {"SNACK Request", PHASE_NORMAL, false, false},
};

static const struct pdu_rule no_rule = {"unknown", 0, false, false};

const struct pdu_rule *pdu_rule(uint8_t opcode)
{
    const struct pdu_rule *rule = &rules[opcode & OP_MASK];

    return rule->name ? rule : &no_rule;
}

void pdu_init(uint8_t *bhs, uint8_t opcode, uint8_t flags, uint32_t itt)
{
    memset(bhs, 0, BHS_SIZE);
    bhs[0] = opcode;
    bhs[1] = flags;
    put_be32(bhs + 16, itt);
}

bool pdu_next_ahs(const uint8_t **at, size_t *left, uint8_t *type, const uint8_t **body,
                  size_t *len, bool *bad)
{
    size_t whole;

    *bad = false;
    if (*left == 0)
        return false;
    /* AHSLength counts the bytes behind AHSType, of which the first is specific too (11.2.2). */
    if (*left < 4 || get_be16(*at) == 0 || (size_t)get_be16(*at) + 3 > *left) {
        *bad = true;
        return false;
    }
    *len = get_be16(*at);
    *type = (*at)[2];
    *body = *at + 3;
    whole = (*len + 3 + 3) & ~(size_t)3;
    if (whole > *left)
        whole = *left;
    *at += whole;
    *left -= whole;
    return true;
}
