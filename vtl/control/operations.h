/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operations.h - the handlers behind control_perform(), one file per subject.
 *
 * A handler gets arguments that have been checked against its row of the table: no unknown ones,
 * none of the wrong kind, the required ones there.  It returns a new object in *result.
 */
#ifndef CAPSTAN_VTL_CONTROL_OPERATIONS_H
#define CAPSTAN_VTL_CONTROL_OPERATIONS_H

#include "vtl/control/control.h"

typedef int operation_fn(struct control *control, const json_t *args, json_t **result,
                         struct error *err);

/* operation_status.c */
operation_fn operation_ping, operation_status;
/* operation_cartridge.c */
operation_fn operation_cartridge_create, operation_cartridge_list, operation_cartridge_show,
    operation_cartridge_adopt;
/* operation_move.c */
operation_fn operation_move, operation_load, operation_unload;
/* operation_topology.c */
operation_fn operation_drive_add, operation_drive_remove, operation_drive_eject,
    operation_slot_change, operation_inventory;
/* operation_vault.c */
operation_fn operation_vault, operation_unvault, operation_vault_list, operation_slot_export,
    operation_slot_import, operation_protect, operation_cartridge_delete, operation_tag;
/* operation_fault.c */
operation_fn operation_fault_set, operation_fault_clear, operation_fault_list,
    operation_fault_vocabulary;
/* operation_reload.c */
operation_fn operation_reload;
/* operations.c */
operation_fn operation_stop;

int operation_no_memory(struct error *err);

#endif
