/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.h - faults for tests and rigs, switched on and off while the daemon runs.
 *
 * Every fault is a layer around the shipped code, which knows nothing of it:
 *
 *   connection   between a portal's socket and the iSCSI server    (faults_socket.c)
 *   device       in front of the logical units and of the robot    (faults_scsi.c)
 *   store        over the store of every cartridge                 (faults_store.c)
 *
 * One table says which there are (faults_kinds()).  A fault that is set strikes where its place
 * matches, in so many percent of the cases, and so often; then it is spent.  Faults are kept in
 * memory only: a restart of the daemon heals all of them.
 *
 * Thread rule: any thread.  One lock, a leaf.
 */
#ifndef CAPSTAN_VTL_FAULT_FAULTS_H
#define CAPSTAN_VTL_FAULT_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "vtl/library/library.h"
#include "vtl/scsi/scsi.h"

#define FAULTS_MAX 64

enum fault_name {
    FAULT_MEDIUM_ERROR,
    FAULT_WRITE_ERROR,
    FAULT_DISK_FULL,
    FAULT_LOAD_FAILURE,
    FAULT_ROBOT_JAM,
    FAULT_DRIVE_STUCK,
    FAULT_LABEL_UNREADABLE,
    FAULT_ATTENTION_STORM,
    FAULT_SLOW_DRIVE,
    FAULT_SLOW_ROBOT,
    FAULT_CONNECTION_DROP,
    FAULT_CORRUPT_DIGEST,
    FAULT_NAMES,
};

enum fault_parameter { /* which options make sense */
                       PARAMETER_CARTRIDGE = 1 << 0,
                       PARAMETER_DRIVE = 1 << 1,
                       PARAMETER_BLOCK = 1 << 2,
                       PARAMETER_DELAY = 1 << 3,
};

enum fault_layer { LAYER_STORE, LAYER_DEVICE, LAYER_CONNECTION };

/* One row of the vocabulary. */
struct fault_kind_row {
    const char *name; /* "medium-error" */
    unsigned parameters;
    enum fault_layer layer;
    const char *summary; /* what it does, and what a host sees */
};
const struct fault_kind_row *faults_kinds(void); /* FAULT_NAMES rows */
#define FAULT_OPTIONS_SIZE 64
/* The options that make sense with it, each behind prefix, separated by spaces; returns buf. */
const char *faults_options(const struct fault_kind_row *row, const char *prefix,
                           char buf[FAULT_OPTIONS_SIZE]);
const char *faults_layer_name(enum fault_layer layer);

/* One fault as it is set. */
struct fault_setting {
    enum fault_name name;
    unsigned id;                               /* given by faults_set() */
    char cartridge[CARTRIDGE_BARCODE_MAX + 1]; /* "": every one */
    int drive;                                 /* -1: every one */
    int64_t block;                             /* -1: every one */
    unsigned rate;                             /* percent, 1..100 */
    uint64_t count;                            /* strikes; 0: without end */
    unsigned delay_ms;
    uint64_t strikes; /* so far */
};

struct faults;

/* seed: of the chances.  *out is the caller's: faults_destroy(), after library and target. */
int faults_create(uint64_t seed, struct faults **out, struct error *err);
void faults_destroy(struct faults *f); /* NULL is allowed */

/* Put the layers in place; before a cartridge is opened and before the first connection. */
void faults_attach(struct faults *f, struct library *library, struct scsi_target *target);

/* The address of a portal as bound: its connections are those that the connection layer cuts. */
void faults_portal(struct faults *f, const char *address);

/* What the server is to use instead of a socket that it has accepted: mostly the socket itself. */
int faults_connection(void *faults, int fd);

/* Set a fault; *id names it.  ERR_USAGE: an option that makes no sense with it; ERR_RANGE;
 * ERR_STATE: there are FAULTS_MAX. */
int faults_set(struct faults *f, const struct fault_setting *setting, unsigned *id,
               struct error *err);

/* Take back the fault with this number or all of this name; NULL: all.  *cleared: how many.
 * ERR_NOT_FOUND: text names none. */
int faults_clear(struct faults *f, const char *text, unsigned *cleared, struct error *err);

/* Those that are set, spent ones too, oldest first; fn's non-zero return ends the walk. */
int faults_list(struct faults *f, int (*fn)(void *ctx, const struct fault_setting *s), void *ctx);

/* The row of a name; NULL: there is none. */
const struct fault_kind_row *faults_find(const char *name);

#endif
