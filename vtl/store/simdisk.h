/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simdisk.h - a store on a simulated disk that behaves as badly as a disk may.
 *
 * Everything is in memory and comes from one seed: the clock, the random numbers and what a power
 * cut spares.  What was not synced may survive a cut wholly, not at all, in any subset of its
 * 512-byte sectors, or torn at any byte; in place of a lost sector there may be zeros, noise, or
 * what an older object held at the same offset (blocks that a file system used again).  A new name,
 * a deletion or a truncation that was not synced may be undone.  What was synced stays.
 *
 * Thread rule: one thread per disk.  Several store handles are not needed: reader and writer of a
 * test share one.
 */
#ifndef CAPSTAN_VTL_STORE_SIMDISK_H
#define CAPSTAN_VTL_STORE_SIMDISK_H

#include "vtl/store/store.h"

#define SIMDISK_SECTOR 512

/* An empty disk.  *out is the caller's, store_close() frees it with all it holds. */
int simdisk_open(uint64_t seed, struct store **out, struct error *err);

/* Let the power fail at the calls-th call of a changing operation (put, append, truncate, sync,
 * sync_names, remove) from now (1: the next); 0: never.  That call may or may not have its effect
 * and fails, and so does every call after it, until simdisk_power_cut(). */
void simdisk_cut_at(struct store *s, uint64_t calls);
bool simdisk_is_off(const struct store *s);

/* The power goes and comes back: the disk holds what survived, all of it durable; the writer's lock
 * is gone. */
void simdisk_power_cut(struct store *s);

/* As simdisk_cut_at(), but the call that the power fails in surely has no effect. */
void simdisk_cut_before(struct store *s, uint64_t calls);

/* What a cut spares of the sectors that were not synced. */
enum simdisk_spared {
    SIMDISK_NOTHING,
    SIMDISK_EVERYTHING,
    SIMDISK_COIN,
    SIMDISK_PREFIX, /* all before one */
    SIMDISK_ALL_BUT_ONE,
    SIMDISK_ONLY_ONE,
    SIMDISK_SPARED_KINDS
};

/* A cut chosen by hand, to go through all there are. */
struct simdisk_fate {
    enum simdisk_spared spared;
    size_t sector;   /* which one, of simdisk_dirty_sectors() */
    bool torn;       /* that sector is torn at a byte by chance */
    unsigned filler; /* what a lost sector holds: 0 zeros, 1 noise, 2 what an older object held */
    bool names;      /* new names and deletions that were not synced are kept */
};

void simdisk_power_cut_to(struct store *s, const struct simdisk_fate *fate);

/* Sectors of all objects that are not synced. */
size_t simdisk_dirty_sectors(const struct store *s);

/* The same disk once more, in every respect. */
int simdisk_clone(const struct store *s, struct store **out, struct error *err);

/* Let a sync fail with this probability (in a million).  As Linux does it: dirty sectors of that
 * object count as clean afterwards, whether they reached the disk or not; reads go on showing them,
 * and the next sync succeeds (fsyncgate). */
void simdisk_fail_syncs(struct store *s, uint32_t per_million);

/* Let an append be followed, with this probability (in a million), by a write-back of the kernel's
 * own that fails: the sectors count as clean, as after a failed sync.  The next sync of the same
 * writer fails once; if the writer goes before it, nobody is ever told. */
void simdisk_fail_writeback(struct store *s, uint32_t per_million);

/* Bytes that the disk holds at most (ERR_NO_SPACE beyond); the default is without limit. */
void simdisk_set_capacity(struct store *s, uint64_t bytes);

/* Let store_free() know nothing of it, as of a quota or of others who fill the disk. */
void simdisk_hide_capacity(struct store *s);

/* Changing calls since the disk was opened. */
uint64_t simdisk_calls(const struct store *s);

/* Let the clock, which each call advances by a little, go on by ns. */
void simdisk_advance(struct store *s, int64_t ns);

/* Turn over bit number bit of the object's byte at offset, on the disk: bit rot. */
int simdisk_flip(struct store *s, const char *object, uint64_t offset, unsigned bit,
                 struct error *err);

#endif
