/* SPDX-License-Identifier: Apache-2.0 */
/*
 * discovery.c - Text Requests of the full feature phase: SendTargets (RFC 7143 appendix C) and the
 * few keys that may change there (11.10, 13.12).
 *
 * One exchange is open at a time: text is collected while the initiator says C, then processed,
 * then the answer goes out in pieces of what the initiator takes, each fetched with our TTT.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vtl/iscsi/conn.h"

void text_close(struct conn *c)
{
    free(c->text.text);
    free(c->text.answer);
    memset(&c->text, 0, sizeof(c->text));
}

static int text_open(struct conn *c, struct error *err)
{
    text_close(c);
    c->text.text = malloc(LOGIN_TEXT_MAX);
    if (!c->text.text)
        return error_set(err, ERR_NO_MEMORY, "no memory for a Text Request");
    c->text.open = true;
    c->text.itt = bhs_itt(c->rx.bhs);
    c->text.ttt = conn_new_ttt(c);
    return 0;
}

int text_begin(struct conn *c, struct error *err)
{
    struct rx *rx = &c->rx;
    struct text_exchange *x = &c->text;
    uint32_t ttt = bhs_ttt(rx->bhs);
    int rc;

    if (bhs_itt(rx->bhs) == TAG_NONE || (bhs_final(rx->bhs) && (rx->bhs[1] & TEXT_CONTINUE))) {
        pdu_reject(c, REJECT_INVALID_FIELD);
        return 0;
    }
    if (ttt == TAG_NONE) {
        rc = text_open(c, err);
        if (rc)
            return rc;
    }
    if (!x->open || (ttt != TAG_NONE && ttt != x->ttt) || x->itt != bhs_itt(rx->bhs) ||
        rx->data_len > LOGIN_TEXT_MAX - x->len || ++x->rounds > CONN_TEXT_ROUNDS ||
        (x->processed && rx->data_len > 0)) {
        text_close(c);
        pdu_reject(c, REJECT_INVALID_FIELD);
        return 0;
    }
    rx->dest = (uint8_t *)x->text + x->len;
    rx->dest_len = rx->data_len;
    return 0;
}

/* The address this connection came by first; then the other portals that make sense to a host out
 * there: no wildcard, and no loopback unless the initiator is on this machine. */
static void describe_target(const struct conn *c, const struct offer *o, struct text_builder *out)
{
    const struct iscsid *s = c->server;

    text_addf(out, "TargetName", "%s", o->options.target_name);
    text_addf(out, "TargetAddress", "%s,%u", c->ends.local, o->at.tags[c->portal]);
    for (unsigned i = 0; i < s->portal_count; i++) {
        const struct portal *p = &s->portals[i];

        if (i == c->portal || o->at.tags[i] == 0 || p->wildcard ||
            (p->loopback && !c->ends.peer_loopback) || strcmp(p->address, c->ends.local) == 0)
            continue;
        text_addf(out, "TargetAddress", "%s,%u", p->address, o->at.tags[i]);
    }
}

/* Appendix C: only of what the initiator may reach, and by the portal that it came by. */
static bool visible(const struct conn *c, const struct offer *o, unsigned number)
{
    if (!c->params.discovery && number != c->target)
        return false;
    if (c->params.discovery && !(c->discoverable >> number & 1))
        return false;
    return o->at.tags[c->portal] != 0 && offer_lets_in(o, c->params.initiator);
}

/* All that it may be told of; name NULL: no matter what it is called. */
static void describe_targets(const struct conn *c, const struct text *name,
                             struct text_builder *out)
{
    struct directory *d = server_directory(c->server);

    for (unsigned i = 0; i < d->count; i++) {
        const struct offer *o = &d->offers[i];

        if (visible(c, o, i) && (!name || text_is_nocase(*name, o->options.target_name)))
            describe_target(c, o, out);
    }
    directory_release(d);
}

/* 13.x: "All" belongs to discovery sessions, "" to normal ones, a name to both. */
static bool send_targets(struct conn *c, struct text which, struct text_builder *out)
{
    bool all = text_is(which, "All"), own = which.len == 0;

    if (c->params.discovery ? own : all)
        return false;
    describe_targets(c, all || own ? NULL : &which, out);
    return true;
}

/* Room for the answer: for all targets by all portals, once. */
static int make_answer_room(struct conn *c, size_t *size, struct error *err)
{
    struct directory *d = server_directory(c->server);
    char *room;

    *size = LOGIN_TEXT_MAX + (size_t)d->count * (ISCSI_NAME_MAX + (ISCSI_PORTALS_MAX + 1) *
                                                                      sizeof(c->ends.local) * 2);
    directory_release(d);
    room = realloc(c->text.answer, *size);
    if (!room)
        return error_set(err, ERR_NO_MEMORY, "no memory to tell of all targets");
    c->text.answer = room;
    return 0;
}

static int process(struct conn *c, struct error *err)
{
    struct text_exchange *x = &c->text;
    struct text_builder out;
    struct text rest = {x->text, x->len};
    struct text_pair pair;
    size_t size;
    int rc = make_answer_room(c, &size, err);

    if (rc)
        return rc;
    out = (struct text_builder){x->answer, size, 0, false};
    /* Threads that send look at the lengths in params. */
    pthread_mutex_lock(&c->lock);
    rc = keys_negotiate(&c->params, STAGE_FULL_FEATURE, rest, &out, err);
    pthread_mutex_unlock(&c->lock);
    if (rc)
        return rc;
    while (text_next(&rest, &pair, NULL) > 0)
        if (text_is(pair.key, "SendTargets") && !send_targets(c, pair.value, &out))
            text_addf(&out, "SendTargets", "Reject");
    if (out.overflow)
        return error_set(err, ERR_RANGE, "a Text answer is too long");
    x->processed = true;
    x->answer_len = out.used;
    return 0;
}

/* The next piece of the answer, or an empty one while the question is still coming. */
static void answer_piece(struct conn *c)
{
    struct text_exchange *x = &c->text;
    size_t left = x->answer_len - x->answer_sent;
    bool more = left > c->params.peer_recv_length;
    size_t len = more ? c->params.peer_recv_length : left;
    bool over = x->processed && !more && bhs_final(c->rx.bhs);
    uint8_t flags = over ? FLAG_FINAL : more ? TEXT_CONTINUE : 0;
    struct tx_item *item =
        tx_item_new(OP_TEXT_RESPONSE, flags, x->itt, STAT_SN_COUNT, (uint32_t)len);

    if (item) {
        put_be32(item->bhs + 20, over ? TAG_NONE : x->ttt);
        if (len)
            memcpy(tx_item_data(item), x->answer + x->answer_sent, len);
        x->answer_sent += len;
    }
    tx_send(c, item);
    if (over)
        text_close(c);
}

int text_end(struct conn *c, struct error *err)
{
    struct text_exchange *x = &c->text;

    x->len += c->rx.data_len;
    if (!x->processed && !(c->rx.bhs[1] & TEXT_CONTINUE)) {
        struct error text_err = ERROR_INIT;

        if (process(c, &text_err)) {
            conn_log(c, &text_err);
            text_close(c);
            pdu_reject(c, REJECT_PROTOCOL);
            return 0;
        }
    }
    (void)err;
    answer_piece(c);
    return 0;
}
