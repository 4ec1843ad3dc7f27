/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reserve.c - registrations, the conflict matrix, and RESERVE/RELEASE (SPC-2 7.20, 7.21).
 *
 * The two methods do not mix (SPC-2 5.5.1): while a unit is RESERVEd, every PERSISTENT RESERVE
 * conflicts; while anybody is registered, RESERVE and RELEASE do.  The exception of SPC-4 5.13.3
 * is made (CRH=1): for who may use the unit under the persistent reservation, RESERVE and RELEASE
 * are GOOD and do nothing.
 */
#include "vtl/scsi/reserve.h"

#include <stdlib.h>

#include "vtl/scsi/internal.h"

/* ---- registrations --------------------------------------------------------------------------- */

struct registration *registration_of(const struct persistent *p, const char *name, uint16_t port)
{
    for (struct registration *r = p->first; r; r = r->next) {
        if (r->port == port && port_name_equal(r->name, name))
            return r;
    }
    return NULL;
}

struct registration *registration_of_nexus(const struct persistent *p,
                                           const struct scsi_nexus *nexus)
{
    return registration_of(p, nexus->name, nexus->port);
}

struct registration *registration_add(struct persistent *p, const char *name, uint16_t port,
                                      uint64_t key)
{
    size_t size = strlen(name) + 1;
    struct registration *r, **end = &p->first;

    if (p->count >= REGISTRATIONS_MAX || size > PORT_NAME_MAX || !(r = malloc(sizeof(*r) + size)))
        return NULL;
    r->next = NULL;
    r->key = key;
    r->port = port;
    r->all_ports = false;
    memcpy(r->name, name, size);
    while (*end)
        end = &(*end)->next;
    *end = r;
    p->count++;
    return r;
}

void registration_remove(struct persistent *p, struct registration *r)
{
    struct registration **at = &p->first;

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    p->count--;
    if (p->holder == r || p->count == 0) {
        p->holder = NULL;
        p->type = TYPE_NONE;
    }
    free(r);
}

void registrations_free(struct persistent *p)
{
    while (p->first)
        registration_remove(p, p->first);
}

/* ---- the conflict matrix --------------------------------------------------------------------- */

/* What a command is to a persistent reservation. */
enum { ANY = 1, READS = 2, CHANGES = 4, ALL = ANY | READS | CHANGES };

/* What SPC-5, SSC-5 and SMC-3 allow in the presence of reservations, their columns turned to rows:
 * which commands run, from whom. */
static const struct type_rule {
    uint8_t registered, stranger; /* the holder may do all */
    bool all;                     /* every registrant holds it */
} rules[RESERVATION_TYPES] = {
    [TYPE_NONE] = {ALL, ALL, false},
    [TYPE_WRITE_EXCLUSIVE] = {ANY | READS, ANY | READS, false},
    [TYPE_EXCLUSIVE_ACCESS] = {ANY, ANY, false},
    [TYPE_WRITE_EXCLUSIVE_REGISTRANTS] = {ALL, ANY | READS, false},
    [TYPE_EXCLUSIVE_ACCESS_REGISTRANTS] = {ALL, ANY, false},
    [TYPE_WRITE_EXCLUSIVE_ALL] = {ALL, ANY | READS, true},
    [TYPE_EXCLUSIVE_ACCESS_ALL] = {ALL, ANY, true},
};

bool reservation_type_valid(unsigned type)
{
    return type != TYPE_NONE && type < RESERVATION_TYPES && rules[type].registered != 0;
}

bool reservation_is_all(unsigned type)
{
    return rules[type].all;
}

bool reservation_is_registrants(unsigned type)
{
    return type != TYPE_NONE && rules[type].registered == ALL;
}

bool reservation_held_by(const struct persistent *p, const struct registration *r)
{
    return r && p->type != TYPE_NONE && (reservation_is_all(p->type) || p->holder == r);
}

static unsigned command_class(unsigned op_flags)
{
    return op_flags & OP_PR_ANY ? ANY : op_flags & OP_PR_READ ? READS : CHANGES;
}

static unsigned classes_allowed(const struct persistent *p, const struct registration *own)
{
    if (reservation_held_by(p, own))
        return ALL;
    return own ? rules[p->type].registered : rules[p->type].stranger;
}

bool reservation_conflicts(struct scsi_lu *lu, const struct scsi_nexus *nexus, unsigned op_flags)
{
    CLEANUP_UNLOCK(&lu->target->lock);
    const struct persistent *p = &lu->persistent;

    if (lu->reserved_by && lu->reserved_by != nexus && !(op_flags & OP_SHARED))
        return true;
    if (p->type == TYPE_NONE)
        return false;
    return !(classes_allowed(p, registration_of_nexus(p, nexus)) & command_class(op_flags));
}

/* ---- RESERVE and RELEASE --------------------------------------------------------------------- */

/* True if the persistent reservations have decided the command: GOOD for who may use the unit, a
 * conflict for the rest. */
static bool persistent_decides(struct scsi_lu *lu, struct scsi_task *task)
{
    const struct persistent *p = &lu->persistent;

    if (!p->first)
        return false;
    if (p->type == TYPE_NONE || classes_allowed(p, registration_of_nexus(p, task->nexus)) != ALL)
        task->status = SCSI_RESERVATION_CONFLICT;
    return true;
}

/* For this nexus; third parties are refused by the table. */
void cmd_reserve(struct scsi_lu *lu, struct scsi_task *task)
{
    CLEANUP_UNLOCK(&lu->target->lock);

    if (!persistent_decides(lu, task))
        lu->reserved_by = task->nexus; /* a conflict was found by the dispatcher */
}

void cmd_release(struct scsi_lu *lu, struct scsi_task *task)
{
    CLEANUP_UNLOCK(&lu->target->lock);

    if (!persistent_decides(lu, task) && lu->reserved_by == task->nexus)
        lu->reserved_by = NULL; /* another's stays, and that is no error */
}
