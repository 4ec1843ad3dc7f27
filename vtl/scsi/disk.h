/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disk.h - the test disk: a small direct-access device (SBC-4) in memory.
 *
 * It is there for conformance tools, which want a disk before they test a transport; a library has
 * none unless its configuration asks for one.  Its blocks are lost with the target, and its
 * product identification says so.  There is no cache: a write is done when it has its status, so
 * FUA and DPO are refused (DPOFUA=0), and SYNCHRONIZE CACHE only checks its range.
 */
#ifndef CAPSTAN_VTL_SCSI_DISK_H
#define CAPSTAN_VTL_SCSI_DISK_H

#include "vtl/scsi/internal.h"

#define DISK_BLOCK          512u
#define DISK_TRANSFER_MAX   (16u * 1024 * 1024) /* bytes in one command: a transport's buffer */
#define DISK_PARAMETERS_MAX 65536u

extern const struct personality disk_personality; /* it is no model, and has no file */

struct disk {
    uint8_t *data;   /* blocks * DISK_BLOCK bytes; the disk's */
    uint64_t blocks; /* never 0 */
    bool stopped;    /* START STOP UNIT */
};

/* Give the unit its disk of mib MiB, zeroed. */
int disk_create(struct scsi_lu *lu, unsigned mib, struct error *err);
void disk_destroy(struct scsi_lu *lu);

/* scsi_nexus_transfer_bound() for the commands that count in blocks; false: it is none. */
bool disk_transfer_bound(const uint8_t *cdb, size_t *bound);

/* Commands, all with lu->device held. */
void cmd_disk_read(struct scsi_lu *lu, struct scsi_task *task);
void cmd_disk_write(struct scsi_lu *lu, struct scsi_task *task);
void cmd_disk_verify(struct scsi_lu *lu, struct scsi_task *task);
void cmd_disk_write_same(struct scsi_lu *lu, struct scsi_task *task);
void cmd_disk_synchronize(struct scsi_lu *lu, struct scsi_task *task);
void cmd_disk_capacity10(struct scsi_lu *lu, struct scsi_task *task);
void cmd_disk_capacity16(struct scsi_lu *lu, struct scsi_task *task);

/* Pages (disk_pages.c). */
#define DISK_MODE_PAGES 5
extern const struct mode_page disk_mode_pages[DISK_MODE_PAGES];
void vpd_block_limits(struct scsi_lu *lu, struct reply *r);
void vpd_block_characteristics(struct scsi_lu *lu, struct reply *r);
void vpd_provisioning(struct scsi_lu *lu, struct reply *r);

#endif
