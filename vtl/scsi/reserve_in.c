/* SPDX-License-Identifier: Apache-2.0 */
/* reserve_in.c - PERSISTENT RESERVE IN (SPC-5): what is registered and reserved. */
#include "vtl/scsi/internal.h"

static void read_keys(const struct persistent *p, struct reply *r)
{
    reply_be32(r, p->generation);
    reply_be32(r, p->count * 8);
    for (const struct registration *g = p->first; g; g = g->next)
        reply_be64(r, g->key);
}

/* SCOPE is the logical unit, always. */
static void read_reservation(const struct persistent *p, struct reply *r)
{
    reply_be32(r, p->generation);
    reply_be32(r, p->type ? 16 : 0);
    if (!p->type)
        return;
    reply_be64(r, p->holder ? p->holder->key : 0); /* all registrants: no one key */
    reply_be32(r, 0);
    reply_u8(r, 0);
    reply_u8(r, p->type);
    reply_be16(r, 0);
}

static void report_capabilities(const struct persistent *p, struct reply *r)
{
    enum { CRH = 0x10, SIP_C = 0x08, ATP_C = 0x04, PTPL_C = 0x01, TMV = 0x80, PTPL_A = 0x01 };

    reply_be16(r, 8);
    reply_u8(r, CRH | SIP_C | ATP_C | PTPL_C);
    reply_u8(r, TMV | (p->persists ? PTPL_A : 0)); /* the type mask is valid */
    reply_u8(r, 0xea);                             /* WR_EX_AR, EX_AC_RO, WR_EX_RO, EX_AC, WR_EX */
    reply_u8(r, 0x01);                             /* EX_AC_AR */
    reply_be16(r, 0);
}

static void put_full_status(const struct persistent *p, const struct registration *g,
                            struct reply *r)
{
    bool holds = reservation_held_by(p, g);
    uint64_t length_at, id_at;

    reply_be64(r, g->key);
    reply_be32(r, 0);
    reply_u8(r, (g->all_ports ? 0x02u : 0) | holds); /* ALL_TG_PT, R_HOLDER */
    reply_u8(r, holds ? p->type : 0);
    reply_be32(r, 0);
    reply_be16(r, g->port);
    length_at = r->len;
    reply_be32(r, 0);
    id_at = r->len;
    transport_id_put(r, g->name);
    reply_patch(r, length_at, r->len - id_at, 4);
}

static void read_full_status(const struct persistent *p, struct reply *r)
{
    reply_be32(r, p->generation);
    reply_be32(r, 0); /* additional length, below */
    for (const struct registration *g = p->first; g; g = g->next)
        put_full_status(p, g, r);
    reply_patch(r, 4, r->len - 8, 4);
}

void cmd_persistent_in(struct scsi_lu *lu, struct scsi_task *task)
{
    static void (*const builders[])(const struct persistent *p, struct reply *r) = {
        read_keys, read_reservation, report_capabilities, read_full_status};
    unsigned allocation = get_be16(task->cdb + 7);
    struct reply r = task_reply(task, allocation);
    CLEANUP_UNLOCK(&lu->target->lock);

    if (lu->reserved_by) { /* SPC-2 5.5.1: RESERVE shuts out persistent reservations, for all */
        task->status = SCSI_RESERVATION_CONFLICT;
        return;
    }
    builders[task->cdb[1] & 0x1f](&lu->persistent, &r); /* the opcode table has no other action */
    task_replied(task, &r, allocation);
}
