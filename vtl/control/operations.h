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
/* operations.c */
operation_fn operation_stop;

int operation_no_memory(struct error *err);

#endif
