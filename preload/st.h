/* SPDX-License-Identifier: Apache-2.0 */
/*
 * st.h - a drive as Linux's st driver shows it: files, blocks and errors of the calls of libc.
 *
 * What st keeps in the kernel for as long as the machine runs is kept here in the drive's lock
 * file: where the tape is by files and blocks, what was met last, whether something was written
 * since the last filemark.  It is believed if the drive still is where it was left, with the same
 * cartridge.
 *
 *   idle --read--> reading --write--> writing --last close--> filemark --> idle
 *
 * The last close of all copies of a descriptor, in whatever process, ends a file that was written
 * and rewinds /dev/stN.  Whether a close is the last one is found out by taking the lock anew.  A
 * process that was killed leaves that to the next open.
 *
 * Sources: st.rst of the kernel's documentation, mtio(4), st(4).
 */
#ifndef CAPSTAN_PRELOAD_ST_H
#define CAPSTAN_PRELOAD_ST_H

#include <sys/types.h>

#include "preload/device.h"

/* In this order: what is from ST_EOM_OK on is an end, from ST_EOD_1 on the end of data. */
enum st_eof {
    ST_NOEOF,
    ST_FM_HIT, /* data was given, then a filemark met: the next read is 0 */
    ST_FM,     /* behind a filemark */
    ST_EOM_OK, /* early warning; the next write is ENOSPC */
    ST_EOM_ERROR,
    ST_EOD_1,
    ST_EOD_2,
    ST_EOD,
    ST_EOF_COUNT
};

enum st_rw { ST_IDLE, ST_READING, ST_WRITING };

#define ST_MAGIC "capst-01"

/* In the lock file, in the order of the machine: it does not leave it. */
struct st_state {
    char magic[8];
    int32_t eof, rw;
    int32_t file, block; /* -1: not known */
    int32_t rewind;      /* at the last close */
    uint64_t address;    /* of the next block; while writing, and when left; else UINT64_MAX */
    char barcode[40];
};

/* One call on a drive: between st_begin() and st_end() the unit's lock is held. */
struct st {
    struct unit *unit;
    struct st_state state;
};

/* The calls: a result or -1 with errno. */
int st_open(struct device device, int flags);
ssize_t st_read(struct device device, void *buf, size_t count);
ssize_t st_write(struct device device, const void *buf, size_t count);
int st_ioctl(struct device device, unsigned long request, void *arg);
/* A descriptor of the drive was closed; as close(2), what was written may not be safe: -1. */
int st_closed(unsigned lun);

/* ---- for st*.c: 0 or a negated errno ----------------------------------------------------- */

/* st_state.c: the state in the lock file */
void st_state_load(struct st *st);
void st_state_save(struct st *st);
/* Fill in the state of a drive that is ready from where it is, and what was noted about it. */
int st_state_resume(struct st *st);
/* The address of the next block, and, if file is not NULL, the filemarks before it. */
int st_position(struct st *st, uint64_t *address, uint64_t *file);

/* st.c */
int st_begin(struct st *st, unsigned lun);
void st_end(struct st *st);
/* Look at the drive: ready? block length, limits, protection. */
int st_check(struct st *st);
/* Carry out a command. */
int st_run(struct st *st, struct session_command *c);
/* Is the drive ready? ENOMEDIUM, EIO. */
int st_need_ready(const struct st *st);

/* st_motion.c: MTIOCTOP */
int st_operate(struct st *st, int op, int count);
int st_weof(struct st *st, int count);
int st_rewind(struct st *st);
/* Back in front of a filemark that was met behind data. */
int st_uncross(struct st *st);

#endif
