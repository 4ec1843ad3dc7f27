/* SPDX-License-Identifier: Apache-2.0 */
/*
 * st.h - a drive as Linux's st driver shows it: files, blocks and errors of the calls of libc.
 *
 * What st keeps in the kernel for as long as the machine runs is kept here in the drive's lock
 * file: where the tape is by files and blocks, what was met last, whether something was written
 * since the last filemark, the options and defaults of `mt stsetoptions`.  The place is believed if
 * the drive still is where it was left, with the same cartridge.
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

#include <sys/mtio.h>
#include <sys/types.h>

#include "preload/device.h"

/* Of <linux/mtio.h>, which is not to be had together with <sys/mtio.h>. */
#ifndef MTWEOFI
#define MTWEOFI                35 /* without waiting for the medium */
#define MT_ST_TIMEOUTS         0x70000000
#define MT_ST_SET_LONG_TIMEOUT (MT_ST_TIMEOUTS | 0x100000)
#define MT_ST_SET_CLN          0x80000000
#define MT_ST_SYSV             0x1000
#define MT_ST_NOWAIT           0x2000
#define MT_ST_SILI             0x4000
#define MT_ST_NOWAIT_EOF       0x8000
#endif

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
enum st_door { ST_UNLOCKED, ST_LOCKED_AUTO, ST_LOCKED };

#define ST_MAGIC      "capst-02"
#define ST_NOWHERE    UINT64_MAX
#define ST_PARTITIONS 4 /* of a medium, and known to st */
#define ST_MODES      4 /* /dev/nst0, nst0l, nst0m, nst0a */
#define ST_UNSET      (-1)

/* MT_ST_* bits that each mode has of its own; the others are the drive's. */
#define ST_MODE_OPTIONS                                                                            \
    (MT_ST_BUFFER_WRITES | MT_ST_ASYNC_WRITES | MT_ST_READ_AHEAD | MT_ST_DEF_WRITES | MT_ST_SYSV)

struct st_mode {
    int32_t defined;
    uint32_t options;
    int32_t block_size, density, compression; /* defaults; ST_UNSET: none */
};

/* In the lock file, in the order of the machine: it does not leave it. */
struct st_state {
    char magic[8];
    int32_t eof, rw;
    int32_t file, block; /* -1: not known */
    int32_t rewind;      /* at the last close */
    uint64_t address;    /* of the next block; while writing, and when left; else ST_NOWHERE */
    char barcode[40];

    /* of the medium in the drive */
    int32_t partition, next_partition;
    struct {
        uint64_t address; /* where it was left; ST_NOWHERE: never there */
        int32_t rw;
    } left[ST_PARTITIONS];
    int32_t block_chosen, density_chosen, compression_chosen; /* by the program: no defaults */
    int32_t recovered;                                        /* errors since the last MTIOCGET */
    int32_t cleaning;                                         /* asked for by the drive */

    /* for good */
    int32_t mode, door;
    uint32_t options;              /* MT_ST_*, without those of the modes */
    int32_t buffering;             /* default of the buffered mode; ST_UNSET */
    int32_t algorithm;             /* of compression; 0: the drive's */
    int32_t timeout, long_timeout; /* seconds; kept, but a command has the session's time */
    struct st_mode modes[ST_MODES];
};

/* One call on a drive: between st_begin() and st_end() the unit's lock is held. */
struct st {
    struct unit *unit;
    bool read_only; /* the descriptor is */
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
/* Fill in the state of a drive that is ready from where it is, and what was noted about it.
 * *fresh: it is another medium. */
int st_state_resume(struct st *st, bool *fresh);
/* The address of the next block, and, if they are not NULL, the filemarks before it and the
 * partition. */
int st_position(struct st *st, uint64_t *address, uint64_t *file, uint32_t *partition);

/* st.c */
int st_begin(struct st *st, struct device device);
void st_end(struct st *st);
/* Look at the drive: ready? block length, limits, protection. */
int st_check(struct st *st);
/* Carry out a command. */
int st_run(struct st *st, struct session_command *c);
/* Is the drive ready? ENOMEDIUM, EIO. */
int st_need_ready(const struct st *st);
/* Is an option on, the drive's or the mode's? */
bool st_option(const struct st *st, uint32_t option);

/* st_motion.c: MTIOCTOP */
int st_operate(struct st *st, int op, int count);
int st_weof(struct st *st, int count, bool immediate);
int st_rewind(struct st *st);
int st_space_files(struct st *st, int count);
/* Back in front of a filemark that was met behind data. */
int st_uncross(struct st *st);
/* The tape is there now. */
void st_is_at(struct st *st, int32_t file, int32_t block, enum st_eof eof);

/* st_settings.c: operations on the drive's mode parameters, the driver's options, the door */
int st_op_block(struct st *st, int op, int count);
int st_op_buffer(struct st *st, int op, int count);
int st_op_compression(struct st *st, int op, int count);
int st_op_lock(struct st *st, int op, int count);
int st_door(struct st *st, enum st_door door);
/* Apply the defaults of the mode: for another medium or mode, or before writing at the beginning.
 */
int st_new_medium(struct st *st);
int st_write_defaults(struct st *st);

/* A mode page between MODE SENSE(6) and MODE SELECT(6). */
struct st_page {
    uint8_t data[255];
    uint8_t *page; /* in data */
    size_t len;    /* of the page */
};
int st_page_read(struct st *st, uint8_t code, struct st_page *page);
int st_page_write(struct st *st, struct st_page *page);

/* st_partition.c */
int st_op_partition(struct st *st, int op, int count);
int st_op_format(struct st *st, int op, int count);
int st_op_seek(struct st *st, int op, int count);
/* Go to the partition that MTSETPART chose, if the tape isn't there yet. */
int st_partition_enter(struct st *st);

#endif
