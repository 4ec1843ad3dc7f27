/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changer_door.c - the doors of the import/export elements: OPEN/CLOSE IMPORT/EXPORT ELEMENT
 * (SMC-3 6.7), and what it means for the robot that one is open.
 *
 * While it is open the robot can't reach the element: ACCESS is 0 and moves there are refused.
 * Closing it is an access by an operator: the other hosts have to look what lies there now.
 * PREVENT MEDIUM REMOVAL of any nexus keeps all of them shut.  After a start they are shut.
 */
#include "vtl/scsi/changer.h"

#include "common/clock.h"

enum { ACTION_OPEN = 0, ACTION_CLOSE = 1 };

static unsigned door(const struct scsi_lu *lu, uint16_t address)
{
    return (unsigned)(address - library_first(lu->target->library, ELEMENT_IMPORT_EXPORT));
}

bool changer_is_open(const struct scsi_lu *lu, uint16_t address)
{
    return door(lu, address) < LIBRARY_IMPORT_EXPORT_MAX &&
           lu->changer->doors[door(lu, address)].open;
}

static void turn(struct scsi_lu *lu, struct scsi_door_state *d, bool open)
{
    pthread_mutex_lock(&lu->lock);
    *d = (struct scsi_door_state){.open = open, .commanded = true, .since_ns = clock_real_ns()};
    pthread_mutex_unlock(&lu->lock);
}

void scsi_target_door_state(struct scsi_target *target, uint16_t address,
                            struct scsi_door_state *out)
{
    struct scsi_lu *lu = &target->lus[0];
    unsigned n = door(lu, address);

    memset(out, 0, sizeof(*out));
    pthread_mutex_lock(&lu->lock);
    if (n < LIBRARY_IMPORT_EXPORT_MAX)
        *out = lu->changer->doors[n];
    pthread_mutex_unlock(&lu->lock);
}

void cmd_open_close(struct scsi_lu *lu, struct scsi_task *task)
{
    uint16_t address = get_be16(task->cdb + 2);
    unsigned action = task->cdb[4] & 0x1f;
    struct library_element e;
    struct scsi_door_state *d;

    if (library_element(lu->target->library, address, &e, NULL) != 0 ||
        e.type != ELEMENT_IMPORT_EXPORT) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
        return;
    }
    if (action != ACTION_OPEN && action != ACTION_CLOSE) {
        task_bad_cdb(lu, task, 4, 4);
        return;
    }
    d = &lu->changer->doors[door(lu, address)];
    if (action == ACTION_OPEN && lu_prevented(lu)) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
        return;
    }
    if (action == ACTION_OPEN && !d->open)
        lu->changer->counters.doors_opened++;
    if (action == ACTION_CLOSE && d->open)
        attention_raise(lu, ASC_IMPORT_EXPORT_ACCESSED, task->nexus);
    turn(lu, d, action == ACTION_OPEN);
}
