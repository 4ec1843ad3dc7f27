/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_view.c - [iscsi] views of capstan.conf: which logical units some initiators see.
 *
 *   INITIATOR=PART+PART...     PART: [LUN@]UNIT   UNIT: changer | drive:N | drive:N-M | disk | all
 *   INITIATOR=none
 *
 * A unit without LUN@ keeps the LUN that it has of itself: 0 is the changer, N + 1 is drive N, the
 * test disk is behind the drives.  With LUN@ it is there, and further drives of a range behind it.
 * No LUN and no unit stands twice in a view.
 */
#include <stdlib.h>
#include <string.h>

#include "vtl/control/config_view.h"

#define NUMBER_NONE UINT32_MAX

/* A number at *at, which moves behind it; NUMBER_NONE: there is none, or a large one. */
static uint32_t take_number(const char **at)
{
    uint32_t n = 0;
    unsigned digits = 0;

    for (; **at >= '0' && **at <= '9'; (*at)++, digits++)
        n = digits < 6 ? n * 10 + (uint32_t)(**at - '0') : 1000000;
    return digits ? n : NUMBER_NONE;
}

static bool take_word(const char **at, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(*at, word, len) != 0)
        return false;
    *at += len;
    return true;
}

static const char *put(struct scsi_view *view, uint32_t lun, uint32_t unit)
{
    if (lun >= SCSI_LUNS_MAX || unit >= SCSI_LUNS_MAX)
        return "there are no so many LUNs";
    if (view->unit[lun] != SCSI_NO_UNIT)
        return "a LUN stands twice in it";
    for (unsigned i = 0; i < SCSI_LUNS_MAX; i++)
        if (view->unit[i] == unit)
            return "a unit stands twice in it";
    view->unit[lun] = (uint16_t)unit;
    return NULL;
}

static const char *put_range(struct scsi_view *view, uint32_t lun, uint32_t first, uint32_t last)
{
    const char *why = NULL;

    if (last < first)
        return "a range goes from the smaller number to the larger";
    if (last >= SCSI_LUNS_MAX)
        return "there are no so many LUNs";
    for (uint32_t unit = first; unit <= last && !why; unit++)
        why = put(view, lun == NUMBER_NONE ? unit : lun + (unit - first), unit);
    return why;
}

/* One part at *at, which moves behind it. */
static const char *take_part(const char **at, unsigned drives, struct scsi_view *view)
{
    static const char wanted[] =
        "a view is NAME=PART+PART with parts like changer, drive:1, drive:0-3, 2@drive:1, disk, all"
        " or none";
    const char *start = *at;
    uint32_t lun = take_number(at), first, last;

    if (lun == NUMBER_NONE || !take_word(at, "@")) {
        lun = NUMBER_NONE;
        *at = start;
    }
    if (take_word(at, "changer"))
        return put_range(view, lun, 0, 0);
    if (take_word(at, "disk"))
        return put_range(view, lun, drives + 1, drives + 1);
    if (take_word(at, "all"))
        return put_range(view, lun, 0, SCSI_LUNS_MAX - 1 - (lun == NUMBER_NONE ? 0 : lun));
    if (!take_word(at, "drive:") || (first = take_number(at)) == NUMBER_NONE)
        return wanted;
    last = first;
    if (take_word(at, "-") && (last = take_number(at)) == NUMBER_NONE)
        return wanted;
    if (first >= LIBRARY_DRIVES_MAX || last >= LIBRARY_DRIVES_MAX)
        return "there are no so many drives";
    return put_range(view, lun, first + 1, last + 1);
}

const char *config_view_parse(const char *text, unsigned drives, size_t *name_len,
                              struct scsi_view *view)
{
    const char *at = strchr(text, '='), *why = NULL;

    *name_len = at ? (size_t)(at - text) : 0;
    if (!at || at == text)
        return "a view is INITIATOR=LUNS, as in iqn.2026-01.org.example:host=changer+drive:0";
    memset(view->unit, 0xff, sizeof(view->unit)); /* SCSI_NO_UNIT */
    at++;
    if (strcmp(at, "none") == 0)
        return NULL;
    do
        why = take_part(&at, drives, view);
    while (!why && *at == '+' && at++);
    return why ? why : *at ? "parts of a view are joined by +" : NULL;
}
