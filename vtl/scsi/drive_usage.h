/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_usage.h - what a cartridge remembers of its life: how often it was loaded, by whom, how
 * much was written and read in each partition.
 *
 * The record is kept in the cartridge's auxiliary memory, read when it is loaded, and written then
 * and when it is unloaded.  So what a crash takes is the amounts since the load, never more; the
 * volume change reference is stored before the change it tells of.
 */
#ifndef CAPSTAN_VTL_SCSI_DRIVE_USAGE_H
#define CAPSTAN_VTL_SCSI_DRIVE_USAGE_H

#include "vtl/scsi/drive.h"

#define USAGE_DEVICES     4  /* the last loads' drives */
#define USAGE_DEVICE_TEXT 40 /* vendor 8, serial number 32 */

struct usage_amounts {
    uint64_t written, read; /* bytes, as the host moved them */
};

struct usage_partition {
    struct usage_amounts current, previous, total; /* this load; the one before; all, with this */
    uint64_t changes;                              /* how often it was changed to */
};

struct usage {
    uint64_t loads, formats, volume_change, cleanings;
    struct usage_partition partition[CARTRIDGE_PARTITIONS];
    char device[USAGE_DEVICES][USAGE_DEVICE_TEXT]; /* [0]: this load's; padded with spaces */
    uint32_t at_partition;                         /* to count changes */
    struct usage_amounts seen;                     /* the drive's totals already accounted */
};

/* All with lu->device held, and a medium that is READY. */

/* Take the record of a cartridge that is being loaded, and note this load in it. */
void usage_load(struct scsi_lu *lu);

/* Before each command: what the one before moved belongs to the partition it was in. */
void usage_settle(struct scsi_lu *lu);

/* Store the record, if it changed since the load. */
void usage_store(struct drive *d);

/* The medium is about to be changed: the volume change reference rises (SPC-5 7.4.2.2.8) at the
 * first write of a load, at the first after a host has read it, and when something is overwritten.
 */
void usage_changing(struct drive *d, bool overwrites);
void usage_formatted(struct drive *d);

/* The sum over all partitions. */
struct usage_partition usage_medium(const struct usage *u);

#endif
