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
 * The primary volume tag is the label, which is printed on the cartridge: actions that would
 * assert, replace or undefine it are refused.  Its sequence number is 0.  The alternate volume tag
 * is what hosts and operators have given the cartridge; it stays with it.
 */
#include <stdlib.h>

#include "vtl/scsi/changer.h"

enum { TEMPLATE_SIZE = 32, LIST_SIZE = 40, ADDRESSES = UINT16_MAX + 1 };

/* Send action codes: what a search looks at. */
enum { SEARCH_ALL = 0x0, SEARCH_PRIMARY = 0x1, SEARCH_ALTERNATE = 0x2, IGNORE_SEQUENCE = 0x4 };
/* ... and what is done to the tag of one cartridge. */
enum { ASSERT_ALTERNATE = 0x9, REPLACE_ALTERNATE = 0xb, UNDEFINE_ALTERNATE = 0xd };

struct volume_search {
    struct volume_search *next;
    const struct scsi_nexus *nexus; /* compared, never followed */
    uint8_t action;
    uint8_t type;       /* element type, 0: any */
    uint32_t from;      /* element address; ADDRESSES: all have been reported */
    uint16_t low, high; /* range of sequence numbers, unless IGNORE_SEQUENCE */
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

static bool tag_matches(const struct volume_search *s, const char *tag, uint16_t sequence)
{
    return ((s->action & IGNORE_SEQUENCE) || (sequence >= s->low && sequence <= s->high)) &&
           template_matches(s->template, tag);
}

static bool search_wants(const void *ctx, const struct library_element *e)
{
    const struct volume_search *s = ctx;
    unsigned where = s->action & 0x3;

    if (!e->full || (s->type && s->type != e->type))
        return false;
    return (where != SEARCH_ALTERNATE && tag_matches(s, e->barcode, 0)) ||
           (where != SEARCH_PRIMARY && *e->alternate &&
            tag_matches(s, e->alternate, e->alternate_sequence));
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
    s->low = get_be16(task->out + 34);
    s->high = get_be16(task->out + 38);
    memcpy(s->template, template, sizeof(template));
}

/* ---- one cartridge's alternate tag ----------------------------------------------------------- */

static bool is_alternate(unsigned action)
{
    return action == ASSERT_ALTERNATE || action == REPLACE_ALTERNATE ||
           action == UNDEFINE_ALTERNATE;
}

/* The element that the CDB names, if there is a cartridge in it. */
static bool named_element(struct scsi_lu *lu, struct scsi_task *task, struct library_element *e)
{
    unsigned type = task->cdb[1] & 0x0f;

    if (library_element(lu->target->library, get_be16(task->cdb + 2), e, NULL) != 0 ||
        (type && type != e->type))
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
    else if (!e->full)
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_SOURCE_EMPTY);
    else
        return true;
    return false;
}

/* ASSERT gives a tag to a cartridge that has none, REPLACE to any; UNDEFINE takes it away, and the
 * list does not matter.  A template would be no tag: '*' and '?' are refused (SMC-3 6.15). */
static void alternate_set(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned action = task->cdb[5] & 0x1f;
    char tag[TEMPLATE_SIZE + 1] = "";
    struct library_element e;
    struct error err = ERROR_INIT;
    int rc;

    if (!named_element(lu, task, &e))
        return;
    if (action != UNDEFINE_ALTERNATE && (!template_copy(task->out, tag) || strpbrk(tag, "*?"))) {
        task_bad_list(lu, task, 0, -1);
        return;
    }
    if (action == ASSERT_ALTERNATE && *e.alternate) {
        task_bad_cdb(lu, task, 5, 4);
        return;
    }
    rc = library_set_alternate(lu->target->library, e.address, *tag ? tag : NULL,
                               *tag ? get_be16(task->out + 34) : 0, &err);
    if (rc == -ERR_RANGE)
        task_bad_list(lu, task, 0, -1);
    else if (rc != 0)
        task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
}

void cmd_send_volume_tag(struct scsi_lu *lu, struct scsi_task *task)
{
    unsigned length = get_be16(task->cdb + 8), action = task->cdb[5] & 0x1f;

    if ((task->cdb[1] & 0x0f) > ELEMENT_DRIVE)
        task_bad_cdb(lu, task, 1, 3);
    else if (!is_translate(action) && !is_alternate(action))
        task_bad_cdb(lu, task, 5, 4);
    else if (length != LIST_SIZE && !(action == UNDEFINE_ALTERNATE && length == 0))
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    else if (length > 0 && !task_list(lu, task, length))
        return;
    else if (is_translate(action))
        search_set(lu, task);
    else
        alternate_set(lu, task);
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
