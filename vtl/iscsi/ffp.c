/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ffp.c - what becomes of a PDU: legal in this phase, in the command window, and whose it is; with
 * the small requests: NOP-Out and Logout (RFC 7143 sections 4.2.2, 11.14, 11.17, 11.18).
 */
#include <stdlib.h>
#include <string.h>

#include "vtl/iscsi/conn.h"

struct handler {
    int (*begin)(struct conn *c, struct error *err); /* NULL: no data segment is wanted */
    int (*end)(struct conn *c, struct error *err);
};

static const struct handler handlers[OP_MASK + 1] = {
    [OP_NOP_OUT] = {nop_begin, nop_end},          [OP_SCSI_COMMAND] = {command_begin, command_end},
    [OP_TASK_REQUEST] = {NULL, task_request_end}, [OP_LOGIN_REQUEST] = {login_begin, login_end},
    [OP_TEXT_REQUEST] = {text_begin, text_end},   [OP_DATA_OUT] = {data_out_begin, data_out_end},
    [OP_LOGOUT_REQUEST] = {NULL, logout_end},
};

void pdu_reject(struct conn *c, enum reject_reason reason)
{
    struct rx *rx = &c->rx;
    struct tx_item *item =
        tx_item_new(OP_REJECT, FLAG_FINAL, TAG_NONE, STAT_SN_COUNT, BHS_SIZE + rx->ahs_len);

    rx->ignore = true;
    if (item) {
        item->bhs[2] = (uint8_t)reason;
        memcpy(tx_item_data(item), rx->bhs, BHS_SIZE);
        memcpy(tx_item_data(item) + BHS_SIZE, rx->ahs, rx->ahs_len);
    }
    tx_send(c, item);
}

/* ---- the command window (4.2.2.1) -------------------------------------------------------------*/

/* Inside [ExpCmdSN, MaxCmdSN] and not yet seen.  Anything else is ignored without a word. */
static bool sn_wanted(struct conn *c, uint32_t sn)
{
    uint32_t ahead;
    bool wanted;

    pthread_mutex_lock(&c->lock);
    ahead = sn - c->exp_cmd_sn;
    wanted = ahead < conn_window(c) && !(c->seen >> ahead & 1);
    pthread_mutex_unlock(&c->lock);
    return wanted;
}

/* Count it as received.  True if that closed a gap: what came behind it may go now. */
static bool sn_take(struct conn *c, uint32_t sn)
{
    uint32_t moved = 0;

    pthread_mutex_lock(&c->lock);
    c->seen |= (uint64_t)1 << (sn - c->exp_cmd_sn);
    for (; c->seen & 1; moved++) {
        c->seen >>= 1;
        c->exp_cmd_sn++;
    }
    pthread_mutex_unlock(&c->lock);
    return moved > 1;
}

static bool carries_sn(const struct conn *c)
{
    return pdu_rule(bhs_opcode(c->rx.bhs))->cmd_sn && !bhs_immediate(c->rx.bhs);
}

static uint8_t phase_bit(const struct conn *c)
{
    if (c->phase == CONN_LOGIN)
        return PHASE_LOGIN;
    return c->params.discovery ? PHASE_DISCOVERY : PHASE_NORMAL;
}

/* A PDU that this phase does not know.  In login there is no way on (6.3.1). */
static int illegal(struct conn *c, struct error *err)
{
    uint8_t op = bhs_opcode(c->rx.bhs);

    if (c->phase == CONN_LOGIN)
        return error_set(err, ERR_PROTOCOL, "PDU of opcode 0x%02x before the login was done", op);
    if (op == OP_LOGIN_REQUEST)
        return error_set(err, ERR_PROTOCOL, "Login Request in the full feature phase");
    pdu_reject(c, op == OP_SNACK         ? REJECT_SNACK
                  : pdu_rule(op)->phases ? REJECT_PROTOCOL
                                         : REJECT_NOT_SUPPORTED);
    return 0;
}

int pdu_begin(struct conn *c, struct error *err)
{
    struct rx *rx = &c->rx;
    uint8_t op = bhs_opcode(rx->bhs);
    const struct pdu_rule *rule = pdu_rule(op);
    int rc = 0;

    if (!(rule->phases & phase_bit(c)) || op == OP_SNACK)
        return illegal(c, err);
    if (carries_sn(c) && !sn_wanted(c, bhs_cmd_sn(rx->bhs))) {
        rx->ignore = true;
        return 0;
    }
    if (handlers[op].begin)
        rc = handlers[op].begin(c, err);
    /* A command that is rejected for its contents has used up its number all the same. */
    if (!rc && rx->ignore && carries_sn(c) && sn_take(c, bhs_cmd_sn(rx->bhs)))
        conn_advance(c);
    return rc;
}

int pdu_end(struct conn *c, struct error *err)
{
    bool gap_closed = carries_sn(c) && sn_take(c, bhs_cmd_sn(c->rx.bhs));
    int rc = handlers[bhs_opcode(c->rx.bhs)].end(c, err);

    if (!rc && gap_closed)
        conn_advance(c);
    return rc;
}

uint32_t conn_new_ttt(struct conn *c)
{
    if (++c->next_ttt == TAG_NONE)
        c->next_ttt = 1;
    return c->next_ttt;
}

bool conn_ttt_issued(const struct conn *c, uint32_t ttt)
{
    return ttt != 0 && ttt != TAG_NONE && ttt <= c->next_ttt;
}

/* ---- NOP-Out ----------------------------------------------------------------------------------*/

/* Its data comes back, as much as the initiator can take; so it is read into the answer. */
int nop_begin(struct conn *c, struct error *err)
{
    struct rx *rx = &c->rx;
    uint32_t len = rx->data_len;

    if (bhs_itt(rx->bhs) == TAG_NONE) {
        /* An answer to our NOP-In, or a ping that wants none; 11.18: it must be immediate. */
        if (!bhs_immediate(rx->bhs))
            pdu_reject(c, REJECT_INVALID_FIELD);
        return 0;
    }
    if (len > c->params.peer_recv_length)
        len = c->params.peer_recv_length;
    rx->echo = tx_item_new(OP_NOP_IN, FLAG_FINAL, bhs_itt(rx->bhs), STAT_SN_COUNT, len);
    if (!rx->echo)
        return error_set(err, ERR_NO_MEMORY, "no memory to answer a NOP-Out");
    memcpy(rx->echo->bhs + 8, rx->bhs + 8, 8);
    put_be32(rx->echo->bhs + 20, TAG_NONE);
    rx->dest = tx_item_data(rx->echo);
    rx->dest_len = len;
    return 0;
}

int nop_end(struct conn *c, struct error *err)
{
    struct tx_item *echo = c->rx.echo;

    (void)err;
    c->rx.echo = NULL;
    if (echo)
        tx_send(c, echo);
    return 0;
}

/* ---- Logout -----------------------------------------------------------------------------------*/

#define LOGOUT_CLOSE_SESSION    0
#define LOGOUT_CLOSE_CONNECTION 1
#define LOGOUT_REMOVE           2
#define LOGOUT_NO_CID           1
#define LOGOUT_NO_RECOVERY      2

int logout_end(struct conn *c, struct error *err)
{
    const uint8_t *bhs = c->rx.bhs;
    uint8_t reason = bhs[1] & 0x7f, response = 0;
    struct tx_item *item;

    (void)err;
    if (reason > LOGOUT_REMOVE) {
        pdu_reject(c, REJECT_INVALID_FIELD);
        return 0;
    }
    if (reason == LOGOUT_REMOVE)
        response = LOGOUT_NO_RECOVERY;
    else if (reason == LOGOUT_CLOSE_CONNECTION && get_be16(bhs + 20) != c->cid)
        response = LOGOUT_NO_CID;
    /* Who logs in next must find the drives free: leave the nexus before saying so. */
    if (response == 0)
        conn_end_session(c);
    item = tx_item_new(OP_LOGOUT_RESPONSE, FLAG_FINAL, bhs_itt(bhs), STAT_SN_COUNT, 0);
    if (item) {
        item->bhs[2] = response;
        put_be16(item->bhs + 40, (uint16_t)c->params.time2wait);
        put_be16(item->bhs + 42, (uint16_t)c->params.time2retain);
    }
    tx_send(c, item);
    if (response == 0)
        c->phase = CONN_CLOSING;
    return 0;
}
