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

enum { ACTION_OPEN = 0, ACTION_CLOSE = 1 };

static unsigned door(const struct scsi_lu *lu, uint16_t address)
{
    return (unsigned)(address - library_first(lu->target->library, ELEMENT_IMPORT_EXPORT));
}

bool changer_is_open(const struct scsi_lu *lu, uint16_t address)
{
    return door(lu, address) < LIBRARY_IMPORT_EXPORT_MAX && lu->changer->open[door(lu, address)];
}

void cmd_open_close(struct scsi_lu *lu, struct scsi_task *task)
{
    uint16_t address = get_be16(task->cdb + 2);
    unsigned action = task->cdb[4] & 0x1f;
    struct library_element e;
    bool *open;

    if (library_element(lu->target->library, address, &e, NULL) != 0 ||
        e.type != ELEMENT_IMPORT_EXPORT) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
        return;
    }
    if (action != ACTION_OPEN && action != ACTION_CLOSE) {
        task_bad_cdb(lu, task, 4, 4);
        return;
    }
    open = &lu->changer->open[door(lu, address)];
    if (action == ACTION_OPEN && lu_prevented(lu)) {
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
        return;
    }
    if (action == ACTION_OPEN && !*open)
        lu->changer->counters.doors_opened++;
    if (action == ACTION_CLOSE && *open)
        attention_raise(lu, ASC_IMPORT_EXPORT_ACCESSED, task->nexus);
    *open = action == ACTION_OPEN;
}
