/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - what the layers of vtl/fault share. */
#ifndef CAPSTAN_VTL_FAULT_INTERNAL_H
#define CAPSTAN_VTL_FAULT_INTERNAL_H

#include <pthread.h>

#include "vtl/fault/faults.h"

#define PORTALS_MAX 16

struct faults {
    struct scsi_layer layer; /* in front of the target while it is needed */
    struct library *library;
    struct scsi_target *target; /* NULL: not attached */
    pthread_mutex_t lock;       /* everything below; a leaf */
    struct fault_setting set[FAULTS_MAX];
    unsigned count, next_id;
    uint64_t rng;
    char portals[PORTALS_MAX][64];
    unsigned portal_count;
    unsigned pumps;         /* connections that are led through us */
    pthread_cond_t changed; /* pumps, set, stop */
    bool stop, cutting;     /* cutting: the thread that cuts connections runs */
    pthread_t cutter;
};

/* Where something happens. */
struct fault_place {
    const char *cartridge; /* NULL: nobody knows; then a fault of one cartridge does not strike */
    int drive;             /* -1 */
    int64_t block;         /* -1 */
};

/* Whether a fault of this name strikes here and now, and with what; counts the strike. */
bool faults_strike(struct faults *f, enum fault_name name, const struct fault_place *place,
                   struct fault_setting *with);

/* Whether one of this name is set and not spent, anywhere. */
bool faults_active(struct faults *f, enum fault_name name);

/* faults_store.c */
int faults_store_layer(void *faults, const char *barcode, struct store *below, struct store **out,
                       struct error *err);

/* faults_scsi.c */
void faults_scsi_init(struct faults *f);
bool faults_reading(void); /* this thread is about to carry out a command that reads a tape */

/* faults_socket.c */
void faults_cutter_start(struct faults *f);
void faults_cut_connections(struct faults *f); /* once */
void faults_socket_stop(struct faults *f);

#endif
