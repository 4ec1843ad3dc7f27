/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_transfer.h - what READ, READ REVERSE, VERIFY and WRITE have in common: how their CDBs say
 * how much and where, and how sense data says what was left.
 *
 * The commands of 6 bytes work at the position; those of 16 name an object (SSC-5, explicit
 * address), and go there first if the position is another.
 */
#ifndef CAPSTAN_VTL_SCSI_DRIVE_TRANSFER_H
#define CAPSTAN_VTL_SCSI_DRIVE_TRANSFER_H

#include "vtl/scsi/drive.h"

/* One transfer as its CDB asks. */
struct transfer {
    bool fixed, sili;
    uint32_t count;     /* blocks if fixed, else 1, or 0 for an empty transfer */
    uint32_t size;      /* of a block, with its protection */
    uint32_t crc;       /* bytes of protection behind each block, 0 or 4 (drive_codec.h) */
    unsigned length_at; /* byte of the CDB with the length */
};

/* A command of 16 bytes with LOGICAL OBJECT IDENTIFIER. */
static inline bool cdb_is_explicit(const uint8_t *cdb)
{
    return cdb[0] >= 0x80;
}

/* False, with the status set, if the CDB makes no sense with the present block length. */
bool transfer_decode(struct scsi_lu *lu, struct scsi_task *task, struct transfer *t);

/* Go to the object that the CDB names, if it does; false, with the status set, on failure. */
bool transfer_locate(struct scsi_lu *lu, struct scsi_task *task);

/* What is left of the transfer after done blocks, in the unit of INFORMATION. */
int64_t transfer_residual(const struct transfer *t, uint32_t done);

/* Whether a block of len bytes is of another length than asked for, and the host wants to know
 * (SSC-5, READ): SILI hides a short block; a long one only if no block length is set. */
bool transfer_is_odd(const struct scsi_lu *lu, const struct transfer *t, uint32_t len);
void incorrect_length(struct scsi_lu *lu, struct scsi_task *task, int64_t residual);

/* A block's bytes, moved of them, were read to offset `at` of the transfer. */
void transfer_account(struct scsi_lu *lu, struct scsi_task *task, size_t at, uint32_t moved);

/* Where a block goes for which the transport has no room (left). */
uint8_t *transfer_target(struct scsi_task *task, size_t at);

/* A read of the cartridge has failed. */
void read_failed(struct scsi_lu *lu, struct scsi_task *task, int rc, struct error *err,
                 int64_t residual);

#endif
