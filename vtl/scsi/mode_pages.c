/* SPDX-License-Identifier: Apache-2.0 */
/* mode_pages.c - see mode_pages.h. */
#include "vtl/scsi/mode_pages.h"

#include "vtl/scsi/sense.h"

/*
 * Control extension (SPC-5 7.5.10).  TCMOS: the clock runs by the machine's, until a host sets it;
 * SCSIP: which it may, and may be forbidden.  The longest sense data.
 */
const uint8_t mode_control_extension[32] = {
    0x4a, 0x01, 0x00, 0x1c, TIMESTAMP_TCMOS | TIMESTAMP_SCSIP, 0, SENSE_ENCODED_MAX};
const uint8_t mode_control_extension_changeable[32] = {[4] = TIMESTAMP_SCSIP};

/* Protocol specific pages (SPC-5 7.5.16, 7.5.17): of iSCSI, which has nothing to be set. */
const uint8_t mode_unit_iscsi[8] = {0x18, 0x06, 0x05};
const uint8_t mode_port_iscsi[8] = {0x19, 0x06, 0x05};

/* Informational exceptions (alert.c): disabled, hosts poll page 2Eh; when enabled, by recovered
 * errors.  All but PERF, EBF, EWASC and LOGERR can be changed. */
const uint8_t mode_exceptions[12] = {0x1c, 0x0a, 0x08, 0x04};
const uint8_t mode_exceptions_changeable[12] = {0,    0,    0x0c, 0x0f, 0xff, 0xff,
                                                0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
