/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changer.h - the medium changer (SMC-3): the library's elements as a SCSI unit.
 *
 * It keeps nothing of its own: places are the library's, so every answer is the present truth and
 * INITIALIZE ELEMENT STATUS has nothing to do.
 */
#ifndef CAPSTAN_VTL_SCSI_CHANGER_H
#define CAPSTAN_VTL_SCSI_CHANGER_H

#include "vtl/scsi/internal.h"

struct changer {
    /* Sum of the generations of the import/export elements when hosts last knew them: a change
     * that the robot did not make is an access by an operator. */
    uint64_t import_export_seen;
};

int changer_create(struct scsi_lu *lu, struct error *err);
void changer_destroy(struct scsi_lu *lu);

/* Move, unloading a drive that is the source; with the changer's lu->device held.  ERR_BUSY: the
 * drive's removal is prevented.  Errors else as library_move(). */
int robot_move(struct scsi_target *target, uint16_t from, uint16_t to, struct error *err);

/* A robot's move is no operator's access: note the state of the import/export elements. */
uint64_t changer_import_export(struct scsi_target *target);

void cmd_initialize_element_status(struct scsi_lu *lu, struct scsi_task *task);
void cmd_initialize_range(struct scsi_lu *lu, struct scsi_task *task);
void cmd_read_element_status(struct scsi_lu *lu, struct scsi_task *task);
void cmd_move_medium(struct scsi_lu *lu, struct scsi_task *task);
void cmd_exchange_medium(struct scsi_lu *lu, struct scsi_task *task);
void cmd_position_to_element(struct scsi_lu *lu, struct scsi_task *task);

#define CHANGER_MODE_PAGES 6
extern const struct mode_page changer_mode_pages[CHANGER_MODE_PAGES];

#endif
