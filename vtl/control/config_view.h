/* SPDX-License-Identifier: Apache-2.0 */
/* config_view.h - one view of [iscsi] views: see config_view.c for what it looks like. */
#ifndef CAPSTAN_VTL_CONTROL_CONFIG_VIEW_H
#define CAPSTAN_VTL_CONTROL_CONFIG_VIEW_H

#include "vtl/scsi/scsi.h"

/* Parse "INITIATOR=PARTS"; the initiator is the first *name_len bytes.  drives: of the library, for
 * where its test disk is.  NULL, or a sentence why not. */
const char *config_view_parse(const char *text, unsigned drives, size_t *name_len,
                              struct scsi_view *view);

#endif
