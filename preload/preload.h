/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preload.h - what `capstan exec` tells the preload library, by the environment; and libc below it.
 *
 * No secret is in the environment, only the path of the file that holds it.
 */
#ifndef CAPSTAN_PRELOAD_PRELOAD_H
#define CAPSTAN_PRELOAD_PRELOAD_H

#include <sys/stat.h>
#include <sys/types.h>

#define PRELOAD_LIBRARY       "libcapstan-preload.so"
#define PRELOAD_URL           "CAPSTAN_EXEC_URL" /* HOST:PORT/TARGET */
#define PRELOAD_RUN           "CAPSTAN_EXEC_RUN" /* ROOT/run */
#define PRELOAD_DRIVES        "CAPSTAN_EXEC_DRIVES"
#define PRELOAD_INITIATOR     "CAPSTAN_EXEC_INITIATOR"
#define PRELOAD_USER          "CAPSTAN_EXEC_USER"
#define PRELOAD_SECRET        "CAPSTAN_EXEC_SECRET_FILE"
#define PRELOAD_MUTUAL_USER   "CAPSTAN_EXEC_MUTUAL_USER"
#define PRELOAD_MUTUAL_SECRET "CAPSTAN_EXEC_MUTUAL_SECRET_FILE"

/* The first of the offsets of tapes' descriptors (device_offset()).  Far behind the end of the
 * file, so that a read that nobody intercepted finds nothing. */
#define PRELOAD_OFFSET 0x40000000

/* hooks.c: libc's own */
int preload_close(int fd);
int preload_stat(const char *path, struct stat *st);
int preload_fstat(int fd, struct stat *st);
off_t preload_lseek(int fd, off_t offset, int whence);
/* hooks_stdio.c: standard streams that are devices as the program starts */
void preload_streams(void);
void preload_streams_flush(void);
/* Move a descriptor of our own, closed by exec, to a number that programs (a shell's 3<>FILE) don't
 * choose; it stays where it is if there is none. */
int preload_fd_aside(int fd);

#endif
