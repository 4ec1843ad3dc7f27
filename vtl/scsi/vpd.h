/* SPDX-License-Identifier: Apache-2.0 */
/* vpd.h - builders of VPD pages, for the tables of the kinds of unit. */
#ifndef CAPSTAN_VTL_SCSI_VPD_H
#define CAPSTAN_VTL_SCSI_VPD_H

#include "vtl/scsi/internal.h"

void vpd_supported(struct scsi_lu *lu, struct reply *r);
void vpd_serial(struct scsi_lu *lu, struct reply *r);
void vpd_identification(struct scsi_lu *lu, struct reply *r);
void vpd_addresses(struct scsi_lu *lu, struct reply *r);
void vpd_policy(struct scsi_lu *lu, struct reply *r);
void vpd_protection(struct scsi_lu *lu, struct reply *r);
void vpd_extended(struct scsi_lu *lu, struct reply *r);
void vpd_capabilities(struct scsi_lu *lu, struct reply *r);
void vpd_manufacturer_serial(struct scsi_lu *lu, struct reply *r);
void vpd_alerts(struct scsi_lu *lu, struct reply *r);
void vpd_automation_serial(struct scsi_lu *lu, struct reply *r);
void vpd_element_address(struct scsi_lu *lu, struct reply *r);

#endif
