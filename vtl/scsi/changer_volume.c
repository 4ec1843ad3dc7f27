/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changer_volume.c - SEND VOLUME TAG and REQUEST VOLUME ELEMENT ADDRESS (SMC-3 6.12, 6.15): "where
 * are the cartridges with a label like this one?"
 *
 * A SEND leaves its question with the nexus; each REQUEST answers it from the present places, in
 * rising order of address, behind the last element that was handed over whole.  So a list that is
 * longer than a host's buffer is fetched in pieces, and a cartridge that has moved meanwhile is
 * told where it is now.
 *
 * Labels are primary volume tags without sequence numbers (0).  They are printed on the cartridge:
 * the actions that would assert, replace or undefine a tag are refused.
 */
#include <stdlib.h>

#include "vtl/scsi/changer.h"

enum { TEMPLATE_SIZE = 32, LIST_SIZE = 40, ADDRESSES = UINT16_MAX + 1 };

/* Send action codes: what a search looks at. */
enum { SEARCH_ALL = 0x0, SEARCH_PRIMARY = 0x1, SEARCH_ALTERNATE = 0x2, IGNORE_SEQUENCE = 0x4 };

struct volume_search {
    struct volume_search *next;
    const struct scsi_nexus *nexus; /* compared, never followed */
    uint8_t action;
    uint8_t type;       /* element type, 0: any */
    uint32_t from;      /* element address; ADDRESSES: all have been reported */
    bool sequence_fits; /* the sequence number 0 is within the range asked for */
    char template[TEMPLATE_SIZE + 1];
};

/* '*' stands for any characters, '?' for one.  Goes back to the last '*' only, so the time is
 * bounded by the product of the lengths. */
static bool template_matches(const char *template, const char *text)
{
    const char *star = NULL, *retry = NULL;

    while (*text) {
        if (*template == '*') {
            star = template ++;
            retry = text;
        } else if (*template == '?' || *template == *text) {
            template ++;
            text++;
        } else if (star) {
            template = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    return template[strspn(template, "*")] == '\0';
}

static bool search_wants(const void *ctx, const struct library_element *e)
{
    const struct volume_search *s = ctx;

    if (!e->full || (s->type && s->type != e->type) || !s->sequence_fits)
        return false;
    return (s->action & 0x3) != SEARCH_ALTERNATE && template_matches(s->template, e->barcode);
}

static struct volume_search *search_of(const struct changer *c, const struct scsi_nexus *nexus)
{
    struct volume_search *s = c->searches;

    while (s && s->nexus != nexus)
        s = s->next;
    return s;
}

void changer_forget_search(struct changer *c, const struct scsi_nexus *nexus)
{
    struct volume_search **at = &c->searches;

    while (*at) {
        struct volume_search *s = *at;

        if (nexus && s->nexus != nexus) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        free(s);
    }
}

/* The template is padded with spaces or zeros. */
static bool template_copy(const uint8_t *list, char template[TEMPLATE_SIZE + 1])
{
    size_t len = TEMPLATE_SIZE;

    while (len > 0 && (list[len - 1] == ' ' || list[len - 1] == '\0'))
        len--;
    if (len == 0 || memchr(list, '\0', len))
        return false;
    memcpy(template, list, len);
    template[len] = '\0';
    return true;
}

static bool is_translate(unsigned action)
{
    return action <= (IGNORE_SEQUENCE | SEARCH_ALTERNATE) && (action & 0x3) <= SEARCH_ALTERNATE;
}

static void search_set(struct scsi_lu *lu, struct scsi_task *task)
{
    struct volume_search *s = search_of(lu->changer, task->nexus);
    uint16_t low = get_be16(task->out + 34), high = get_be16(task->out + 38);
    uint8_t action = task->cdb[5] & 0x1f;
    char template[TEMPLATE_SIZE + 1];

    if (!template_copy(task->out, template)) {
        task_bad_list(lu, task, 0, -1);
        return;
    }
    if (!s && (s = calloc(1, sizeof(*s)))) {
        s->nexus = task->nexus;
        s->next = lu->changer->searches;
        lu->changer->searches = s;
    }
    if (!s) {
        task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
        return;
    }
    s->action = action;
    s->type = task->cdb[1] & 0x0f;
    s->from = get_be16(task->cdb + 2);
    s->sequence_fits = (action & IGNORE_SEQUENCE) || (low == 0 && low <= high);
    memcpy(s->template, template, sizeof(template));
}

void cmd_send_volume_tag(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned length = get_be16(task->cdb + 8);

    if ((task->cdb[1] & 0x0f) > ELEMENT_DRIVE)
        task_bad_cdb(lu, task, 1, 3);
    else if (!is_translate(task->cdb[5] & 0x1f))
        task_bad_cdb(lu, task, 5, 4);
    else if (length != LIST_SIZE)
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    else if (task_list(lu, task, length))
        search_set(lu, task);
}

/* Every later REQUEST begins behind what this one has handed over. */
void cmd_request_volume_address(struct scsi_lu *lu, struct scsi_task *task)
{
    struct volume_search *s = search_of(lu->changer, task->nexus);
    uint16_t start = get_be16(task->cdb + 2);
    struct element_report w = {
        .lu = lu,
        .allocation = get_be24(task->cdb + 7),
        .voltag = task->cdb[1] & 0x10,
        .only = task->cdb[1] & 0x0f,
        .count = get_be16(task->cdb + 4),
        .wanted = search_wants,
        .wanted_ctx = s,
    };

    if (w.only > ELEMENT_DRIVE) {
        task_bad_cdb(lu, task, 1, 3);
        return;
    }
    if (!s) { /* nothing was asked */
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_COMMAND_SEQUENCE);
        return;
    }
    w.action = s->action;
    w.start = (uint16_t)(s->from > start ? s->from : start);
    if (s->from >= ADDRESSES)
        w.count = 0;
    changer_report(&w, task);
    if (task->status == SCSI_GOOD && w.whole > 8)
        s->from = w.last + 1u;
}
