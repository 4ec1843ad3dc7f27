/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cdb.h - what can be said of a CDB before it is executed, for transports that are not told.
 *
 * iSCSI sends the direction of the data with each command; TCMU hands over a CDB and a buffer.
 */
#ifndef CAPSTAN_VTL_SCSI_CDB_H
#define CAPSTAN_VTL_SCSI_CDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of a CDB by its group code (SPC-5 section 4.2.5.1): 6, 10, 12 or 16 bytes; for the
 * variable and the vendor-specific groups, 16. */
size_t scsi_cdb_length(uint8_t opcode);

/* True if the data of this command goes from the initiator to the device.  cdb has
 * scsi_cdb_length() bytes.  changer: the logical unit is a medium changer. */
bool scsi_cdb_is_data_out(const uint8_t *cdb, bool changer);

#endif
