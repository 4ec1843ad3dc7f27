/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nexus.c - what each I_T nexus has on each logical unit: unit attentions, the prevent flag,
 * TapeAlert flags not yet read.  All under target->lock.
 *
 * A unit attention is kept once per code and handed out once, oldest first (SAM-6 5.14).  A reset
 * or power-on attention replaces all others, whose conditions it includes (SAM-6 5.14.3).
 */
#include <stdlib.h>
#include <string.h>

#include "vtl/scsi/internal.h"

static bool is_reset(uint16_t code)
{
    return code >> 8 == 0x29;
}

static void attention_add(struct nexus_lu *n, uint16_t code)
{
    if (is_reset(code))
        n->attentions = 0;
    for (unsigned i = 0; i < n->attentions; i++) {
        if (n->attention[i] == code)
            return;
    }
    if (n->attentions < NEXUS_ATTENTIONS_MAX)
        n->attention[n->attentions++] = code;
}

void attention_give(struct scsi_lu *lu, struct scsi_nexus *nexus, uint16_t code)
{
    attention_add(&nexus->lu[lu->lun], code);
}

void attention_raise(struct scsi_lu *lu, uint16_t code, const struct scsi_nexus *except)
{
    CLEANUP_UNLOCK(&lu->target->lock);

    for (struct scsi_nexus *n = lu->target->nexuses; n; n = n->next) {
        if (n != except)
            attention_add(&n->lu[lu->lun], code);
    }
}

static void attention_drop(struct nexus_lu *n, unsigned at)
{
    n->attentions--;
    memmove(n->attention + at, n->attention + at + 1,
            (n->attentions - at) * sizeof(n->attention[0]));
}

void attention_withdraw(struct scsi_nexus *nexus, uint16_t code)
{
    CLEANUP_UNLOCK(&nexus->target->lock);

    for (unsigned lun = 0; lun < nexus->target->lu_count; lun++) {
        for (unsigned i = 0; i < nexus->lu[lun].attentions; i++) {
            if (nexus->lu[lun].attention[i] == code)
                attention_drop(&nexus->lu[lun], i);
        }
    }
}

void nexus_meet(struct scsi_lu *lu)
{
    CLEANUP_UNLOCK(&lu->target->lock);

    for (struct scsi_nexus *n = lu->target->nexuses; n; n = n->next) {
        memset(&n->lu[lu->lun], 0, sizeof(n->lu[0]));
        attention_add(&n->lu[lu->lun], ASC_POWER_ON);
    }
}

bool attention_take(struct scsi_lu *lu, struct scsi_nexus *nexus, bool resets_only, uint16_t *code)
{
    CLEANUP_UNLOCK(&lu->target->lock);
    struct nexus_lu *n = &nexus->lu[lu->lun];

    if (n->attentions == 0 || (resets_only && !is_reset(n->attention[0])))
        return false;
    *code = n->attention[0];
    attention_drop(n, 0);
    return true;
}

bool lu_prevented(struct scsi_lu *lu)
{
    CLEANUP_UNLOCK(&lu->target->lock);

    for (struct scsi_nexus *n = lu->target->nexuses; n; n = n->next) {
        if (n->lu[lu->lun].prevents)
            return true;
    }
    return false;
}

void nexus_reset(struct scsi_lu *lu)
{
    {
        CLEANUP_UNLOCK(&lu->target->lock);
        lu->reserved_by = NULL;
        for (struct scsi_nexus *n = lu->target->nexuses; n; n = n->next)
            n->lu[lu->lun].prevents = false;
    }
    alert_clear(lu, UINT64_MAX);
    attention_raise(lu, ASC_DEVICE_RESET, NULL);
}

/* ---- the nexus itself ------------------------------------------------------------------------ */

int scsi_nexus_create(struct scsi_target *target, const char *name, struct scsi_nexus **out,
                      struct error *err)
{
    return scsi_nexus_open(target, &(struct scsi_nexus_options){.name = name}, out, err);
}

int scsi_nexus_open(struct scsi_target *target, const struct scsi_nexus_options *options,
                    struct scsi_nexus **out, struct error *err)
{
    struct scsi_nexus *n = calloc(1, sizeof(*n) + TARGET_LUNS * sizeof(n->lu[0]));

    if (!n || !(n->name = strdup(options->name))) {
        free(n);
        return error_set(err, ERR_NO_MEMORY, "There is no memory for another initiator");
    }
    n->target = target;
    n->port = options->port ? options->port : 1;
    n->luns_changed = options->luns_changed;
    n->ctx = options->ctx;
    view_begin(n, options->view);
    CLEANUP_UNLOCK(&target->lock);
    for (unsigned i = 0; i < TARGET_LUNS; i++) { /* also for drives that are yet to come */
        attention_add(&n->lu[i], ASC_POWER_ON);
        n->lu[i].alerts = target->lus[i].alerts;
    }
    n->next = target->nexuses;
    target->nexuses = n;
    *out = n;
    return 0;
}

static bool is_of_nexus(const struct scsi_task *task, const void *nexus)
{
    return task->nexus == nexus;
}

void scsi_nexus_destroy(struct scsi_nexus *nexus)
{
    struct scsi_target *target;

    if (!nexus)
        return;
    target = nexus->target;
    for (unsigned i = 0; i < target->lu_count; i++) {
        if (target->lus[i].target)
            lu_abort(&target->lus[i], is_of_nexus, nexus);
    }
    for (unsigned i = 0; i < target->lu_count; i++) {
        struct scsi_lu *lu = &target->lus[i];

        if (!lu->target)
            continue;
        pthread_mutex_lock(&lu->device);
        if (lu->echo_owner == nexus)
            lu->echo_owner = NULL;
        if (lu->kind->forget)
            lu->kind->forget(lu, nexus);
        pthread_mutex_unlock(&lu->device);
    }
    pthread_mutex_lock(&target->lock);
    for (unsigned i = 0; i < target->lu_count; i++) {
        if (target->lus[i].reserved_by == nexus)
            target->lus[i].reserved_by = NULL;
    }
    for (struct scsi_nexus **p = &target->nexuses; *p; p = &(*p)->next) {
        if (*p == nexus) {
            *p = nexus->next;
            break;
        }
    }
    pthread_mutex_unlock(&target->lock);
    free(nexus->name);
    free(nexus);
}
