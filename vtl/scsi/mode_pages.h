/* SPDX-License-Identifier: Apache-2.0 */
/* mode_pages.h - rows of mode pages that drives and changers have alike, for their tables. */
#ifndef CAPSTAN_VTL_SCSI_MODE_PAGES_H
#define CAPSTAN_VTL_SCSI_MODE_PAGES_H

#include "vtl/scsi/internal.h"

extern const uint8_t mode_control_extension[32], mode_control_extension_changeable[32];
extern const uint8_t mode_unit_iscsi[8], mode_port_iscsi[8];
extern const uint8_t mode_exceptions[12], mode_exceptions_changeable[12];

#define MODE_PAGE_CONTROL_EXTENSION                                                                \
    {                                                                                              \
        .code = 0x0a, .subcode = 0x01, .size = sizeof(mode_control_extension),                     \
        .initial = mode_control_extension, .changeable = mode_control_extension_changeable         \
    }
#define MODE_PAGE_UNIT_ISCSI                                                                       \
    {                                                                                              \
        .code = 0x18, .size = sizeof(mode_unit_iscsi), .initial = mode_unit_iscsi                  \
    }
#define MODE_PAGE_PORT_ISCSI                                                                       \
    {                                                                                              \
        .code = 0x19, .size = sizeof(mode_port_iscsi), .initial = mode_port_iscsi                  \
    }
#define MODE_PAGE_EXCEPTIONS                                                                       \
    {                                                                                              \
        .code = 0x1c, .size = sizeof(mode_exceptions), .initial = mode_exceptions,                 \
        .changeable = mode_exceptions_changeable, .check = exceptions_check,                       \
        .changed = exceptions_changed                                                              \
    }

#endif
