/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_life.h - what a drive remembers of its life, for log pages 14h and 16h: it is kept in the
 * library at each load, unload and clean stop, so a crash loses at most what one mount counted.
 */
#ifndef CAPSTAN_VTL_SCSI_DRIVE_LIFE_H
#define CAPSTAN_VTL_SCSI_DRIVE_LIFE_H

#include <stdint.h>

#include "vtl/scsi/sense.h"

struct log_reply;
struct scsi_lu;
struct scsi_task;

#define LIFE_ERRORS 12 /* of which the diagnostic data page tells, the latest first */

/* A hard error (log page 16h). */
struct life_error {
    uint8_t key, density, medium_type, opcode, action;
    uint16_t code;
    uint32_t motion_hours;
    uint8_t clock_origin;
    int64_t clock_ms; /* as REPORT TIMESTAMP had it */
    char medium[33];  /* serial number */
};

struct drive_life {
    uint64_t loads, cleanings;
    uint64_t bytes;                        /* moved over the head, before this start */
    uint64_t kept_loads, kept_bytes;       /* as they were last kept */
    struct life_error errors[LIFE_ERRORS]; /* since this start */
    unsigned error_count;
};

/* All with lu->device held. */

void life_start(struct scsi_lu *lu); /* power on */
void life_save(struct scsi_lu *lu);
void life_loaded(struct scsi_lu *lu);
/* A command ends with this sense data: note it if it is a hard error. */
void life_failed(struct scsi_lu *lu, const struct scsi_task *task, const struct sense *s);

uint64_t life_motion_hours(const struct scsi_lu *lu); /* the tape moved */
uint64_t life_metres(const struct scsi_lu *lu);       /* of tape that passed the head */

#endif
