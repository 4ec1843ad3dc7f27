/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume.h - one cartridge of the library as the view reads it: a handle that comes and goes, and
 * whether what it sees is still what is there.
 *
 * A handle sees the cartridge as it was when it was opened or last refreshed.  Others write to it,
 * replace it, or take it away: the stamp (its directory and the objects in it) tells that something
 * has changed without reading any of it.  A failure counts only with a handle that is fresh; with
 * one that is, opening the cartridge again would find the same damage again.
 *
 * Internal to volumes.c, which has the locks: all calls hold volume.lock.
 */
#ifndef CAPSTAN_FUSE_VOLUME_H
#define CAPSTAN_FUSE_VOLUME_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "fuse/records.h"
#include "vtl/cartridge/cartridge.h"

/* What a directory and the objects in it look like from outside. */
struct volume_stamp {
    dev_t device;
    ino_t inode;
    uint64_t objects; /* a hash of their numbers, sizes and times */
};

/* Stays in the list for good. */
struct volume {
    struct volume *next;
    char barcode[CARTRIDGE_BARCODE_MAX + 1];
    char *path; /* of the directory; owned */
    pthread_mutex_t lock;
    struct store *store;
    struct cartridge *cartridge; /* NULL: not open */
    struct volume_stamp stamp;   /* before it was opened or refreshed */
    uint64_t opened_ns;          /* or refreshed; monotonic */
    atomic_ullong number; /* key in the record cache: a new one whenever the handle sees anew */
    uint64_t used;        /* clock of the last use; volumes.lock */
};

int view_volume_open(struct volume *volume, struct error *err);
void view_volume_close(struct volume *volume);

/* True if something was changed since it was opened or refreshed; the handle is open. */
bool view_volume_changed(const struct volume *volume);

/* True if opening again would not help after the failure `rc`; the handle is open.  While a writer
 * is at work, or the storage fails, that is tried once a second only. */
bool view_volume_fresh(const struct volume *volume, int rc);

/* Read a block of partition 0; *anew: the handle sees more than before, so that what was read from
 * it may not be what is there now.  Errors as view_volumes_read(). */
int view_volume_read(struct volume *volume, uint64_t block, struct record *record, bool *anew,
                     struct error *err);

#endif
