/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_usage.h - what a cartridge remembers of its life: how often it was loaded, by whom, how
 * much was written and read in each partition.
 *
 * The record is kept in the cartridge's auxiliary memory, read when it is loaded, and written then
 * and when it is unloaded.  So what a crash takes is the amounts since the load, never more; the
 * volume change reference is stored before the change it tells of.  Where the encrypted blocks are
 * is believed only if the reference and the ends of data are those of when it was stored; else it
 * is unknown until the partition is written anew from its beginning.
 */
#ifndef CAPSTAN_VTL_SCSI_DRIVE_USAGE_H
#define CAPSTAN_VTL_SCSI_DRIVE_USAGE_H

#include "vtl/scsi/drive.h"

#define USAGE_DEVICES     4  /* the last loads' drives */
#define USAGE_DEVICE_TEXT 40 /* vendor 8, serial number 32 */

struct usage_amounts {
    uint64_t written, read; /* bytes, as the host moved them */
};

/* No such object; it is not known whether there is one. */
#define USAGE_NONE    UINT64_MAX
#define USAGE_UNKNOWN (UINT64_MAX - 1)

struct usage_partition {
    struct usage_amounts current, previous, total; /* this load; the one before; all, with this */
    uint64_t changes;                              /* how often it was changed to */
    uint64_t encrypted;                            /* address of the first encrypted block */
    uint64_t clear; /* of the first block behind it that is not; both may be as above */
};

struct usage {
    uint64_t loads, formats, volume_change, cleanings;
    struct usage_partition partition[CARTRIDGE_PARTITIONS];
    char device[USAGE_DEVICES][USAGE_DEVICE_TEXT]; /* [0]: this load's; padded with spaces */
    uint32_t at_partition;                         /* to count changes */
    struct usage_amounts seen;                     /* the drive's totals already accounted */
    uint64_t write_errors, read_errors;            /* of all loads */
    uint64_t seen_write_errors, seen_read_errors;
    uint64_t blocks_written, blocks_read; /* since the load */
    uint64_t stored_written, stored_read; /* the drive's counters when it was loaded */
    int64_t loaded_ms;                    /* monotonic time of the load */
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

/* A block was written at an address of the present partition, or something that is no block: what
 * was behind it is gone. */
void usage_wrote_block(struct drive *d, uint64_t lba, bool encrypted);
void usage_cut(struct drive *d, uint64_t lba);

/* Whether the medium is known to have encrypted blocks. */
bool usage_has_encrypted(const struct drive *d);

/* How long the medium has been loaded. */
uint64_t usage_mounted_ms(const struct usage *u);

/* The sum over all partitions. */
struct usage_partition usage_medium(const struct usage *u);

#endif
