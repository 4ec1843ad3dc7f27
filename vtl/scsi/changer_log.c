/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changer_log.c - log pages of the medium changer (SMC-3 7.2): what the robot did since it was
 * started or the counters were reset.
 */
#include "vtl/scsi/changer.h"

/* 14h: media changer statistics. */
void log_changer_statistics(struct log_reply *l)
{
    const struct changer_counters *n = &l->lu->changer->counters;

    log_counter(l, 0x00, n->moves, 4);
    log_counter(l, 0x01, n->picks, 4);
    log_counter(l, 0x02, 0, 4); /* pick retries */
    log_counter(l, 0x03, n->places, 4);
    log_counter(l, 0x04, 0, 4); /* place retries */
    log_counter(l, 0x05, n->tags_read, 4);
    log_counter(l, 0x06, n->tags_unreadable, 4);
    log_counter(l, 0x07, 0, 4); /* library door opens: it has none */
    log_counter(l, 0x08, n->doors_opened, 4);
    log_counter(l, 0x09, n->inventories, 4);
    log_counter(l, 0x0a, n->failures, 4); /* medium transport unrecovered errors */
    log_counter(l, 0x0b, 0, 4);           /* ... recovered errors */
}

static int log_element(void *ctx, const struct library_element *e)
{
    struct log_reply *l = ctx;
    const struct element_counters *n = &l->lu->changer->elements[e->address];
    uint8_t data[24] = {0};

    put_be32(data, n->places);
    put_be32(data + 8, n->picks);
    /* A page has a length of 16 bits: the parameter pointer fetches the others. */
    if (l->r->len + 4 + sizeof(data) > UINT16_MAX)
        return 1;
    log_binary(l, e->address, data, sizeof(data));
    return 0;
}

/* 15h: element statistics; the parameter code is the element address.  Places, place retries,
 * picks, pick retries, labels read, labels not read. */
void log_element_statistics(struct log_reply *l)
{
    library_elements(l->lu->target->library, 0, l->first, UINT16_MAX + 1u, log_element, l, NULL);
}

void log_element_reset(struct scsi_lu *lu)
{
    memset(lu->changer->elements, 0, CHANGER_ADDRESSES * sizeof(*lu->changer->elements));
}
