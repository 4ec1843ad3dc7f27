/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changer_log.c - log pages of the medium changer (SMC-3 7.2): what the robot did since it was
 * started or the counters were reset.
 */
#include "vtl/scsi/changer.h"

enum { PAGE_MEDIA_CHANGER = 0x14, PAGE_ELEMENTS = 0x15 };

/* 14h: media changer statistics. */
void log_changer_statistics(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    const struct changer_counters *n = &lu->changer->counters;

    log_value(r, task, 0x00, n->moves, 4);
    log_value(r, task, 0x01, n->picks, 4);
    log_value(r, task, 0x02, 0, 4); /* pick retries */
    log_value(r, task, 0x03, n->places, 4);
    log_value(r, task, 0x04, 0, 4); /* place retries */
    log_value(r, task, 0x05, n->tags_read, 4);
    log_value(r, task, 0x06, n->tags_unreadable, 4);
    log_value(r, task, 0x07, 0, 4); /* library door opens: it has none */
    log_value(r, task, 0x08, n->doors_opened, 4);
    log_value(r, task, 0x09, n->inventories, 4);
    log_value(r, task, 0x0a, n->failures, 4); /* medium transport unrecovered errors */
    log_value(r, task, 0x0b, 0, 4);           /* ... recovered errors */
}

struct element_log {
    struct scsi_lu *lu;
    struct scsi_task *task;
    struct reply *r;
};

static int log_element(void *ctx, const struct library_element *e)
{
    struct element_log *l = ctx;
    const struct element_counters *n = &l->lu->changer->elements[e->address];
    uint8_t data[24] = {0};

    put_be32(data, n->places);
    put_be32(data + 8, n->picks);
    /* A page has a length of 16 bits: the parameter pointer fetches the others. */
    if (l->r->len + 4 + sizeof(data) > UINT16_MAX)
        return 1;
    log_binary(l->r, l->task, e->address, data, sizeof(data));
    return 0;
}

/* 15h: element statistics; the parameter code is the element address.  Places, place retries,
 * picks, pick retries, labels read, labels not read. */
void log_element_statistics(struct scsi_lu *lu, struct scsi_task *task, struct reply *r)
{
    struct element_log l = {lu, task, r};

    library_elements(lu->target->library, 0, get_be16(task->cdb + 5), UINT16_MAX + 1u, log_element,
                     &l, NULL);
}

void changer_log_reset(struct scsi_lu *lu, uint8_t page)
{
    if (page == 0 || page == PAGE_MEDIA_CHANGER)
        memset(&lu->changer->counters, 0, sizeof(lu->changer->counters));
    if (page == 0 || page == PAGE_ELEMENTS)
        memset(lu->changer->elements, 0, CHANGER_ADDRESSES * sizeof(*lu->changer->elements));
}
