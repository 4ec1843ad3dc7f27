/* SPDX-License-Identifier: Apache-2.0 */
/*
 * async.c - Async Messages (RFC 7143 section 11.9): what the target says without being asked.
 *
 * Two of the events are sent.  1: log out, within so many seconds.  0: a SCSI event, and the only
 * one is REPORTED LUNS DATA HAS CHANGED, so that hosts look for their units now and not with the
 * next command.  It comes beside the unit attention, which is what counts: SAM-5 has no such
 * reports any more, and an initiator is free to drop them.  Linux scans for new units (iscsid),
 * libiscsi and FreeBSD go on as if there was nothing.
 */
#include "common/bytes.h"
#include "vtl/iscsi/conn.h"

enum { EVENT_SCSI = 0, EVENT_LOGOUT = 1 }; /* 11.9.1 */

#define MOVE_S 60 /* for a session to follow a redirect; it is not forced to */

/* 11.9.4: behind the length of the sense data.  Fixed format, UNIT ATTENTION, 3Fh/0Eh. */
static const uint8_t luns_changed[] = {0, 18, 0x70, 0, 0x06, 0,    0, 0, 0, 10,
                                       0, 0,  0,    0, 0x3f, 0x0e, 0, 0, 0, 0};

static struct tx_item *message(uint8_t event, uint32_t len)
{
    struct tx_item *item = tx_item_new(OP_ASYNC, FLAG_FINAL, TAG_NONE, STAT_SN_COUNT, len);

    if (item)
        item->bhs[36] = event;
    return item;
}

void async_ask_logout(struct conn *c)
{
    struct tx_item *item = message(EVENT_LOGOUT, 0);
    struct iscsid *s = c->server;

    if (item)
        put_be16(item->bhs + 42,
                 (uint16_t)(atomic_load(&s->stopping) ? atomic_load(&s->grace_s) : MOVE_S));
    c->logout_asked = true;
    tx_send(c, item);
}

void async_luns_changed(struct conn *c)
{
    struct tx_item *item = message(EVENT_SCSI, sizeof(luns_changed));

    if (item)
        memcpy(tx_item_data(item), luns_changed, sizeof(luns_changed));
    tx_send(c, item);
}
