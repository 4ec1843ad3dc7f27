/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_mam.h - the attributes of the medium auxiliary memory (SPC-5 7.4): one table of all that
 * are known, for READ ATTRIBUTE (drive_mam.c) and WRITE ATTRIBUTE (drive_mam_write.c).
 *
 *   0000h-03FFh device, 0400h-07FFh medium: computed by a row of the table, read only
 *   0800h-0BFFh host, 1400h-17FFh host, vendor's: stored as hosts write them, per partition
 */
#ifndef CAPSTAN_VTL_SCSI_DRIVE_MAM_H
#define CAPSTAN_VTL_SCSI_DRIVE_MAM_H

#include "vtl/scsi/drive.h"

enum mam_format { MAM_BINARY = 0, MAM_ASCII = 1, MAM_TEXT = 2 };

enum {
    MAM_VOLUME_CHANGE = 0x0009,
    MAM_BARCODE = 0x0806,
    MAM_VALUE_MAX = 4096, /* of a host attribute */
    MAM_CAPACITY = 16384, /* of the memory, for host attributes */
    MAM_HEADER = 5,       /* id, format, length */
};

/* One attribute, as asked for. */
struct mam_query {
    struct scsi_lu *lu;
    uint32_t partition;
};

struct mam_row {
    uint16_t id;
    uint8_t format;
    uint16_t length; /* host attributes: at most */
    bool partition;  /* each partition has its own; else that of partition 0 is the medium's */
    void (*build)(const struct mam_query *q, struct reply *r); /* NULL: a host attribute */
};

const struct mam_row *mam_find(uint32_t id);
bool mam_is_host(uint32_t id);

/* What host attributes take of MAM_CAPACITY. */
uint32_t mam_used(struct scsi_lu *lu);

/* Forget the host attributes of all partitions, as FORMAT MEDIUM does. */
void mam_clear_host(struct scsi_lu *lu);

#endif
