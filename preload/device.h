/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h - what the preload library knows of the library's devices and of a process's
 * descriptors.
 *
 *   /dev/sg0 the changer, /dev/sgN drive N - 1; /dev/nstN and /dev/stN drive N, in st's mode 0;
 *   with the letter l, m or a behind it in mode 1, 2 or 3
 *
 * A program's descriptor is a real one, so that dup, fork, exec, select and closing by whoever work
 * as ever: of the drive's lock file (ROOT/run/drive-N.lock) with flock(2) held, as long as any
 * process has a copy of it; of the directory ROOT/run for sg.  Both are opened so that a write that
 * nobody intercepted fails.  Which descriptors are ours stands in one array of atomic words; before
 * one is used, fstat(2) confirms that it still is what it was.
 *
 * Each process has its own iSCSI session per logical unit, from its first use on; a child gives up
 * its parent's.  Its initiator port is one of the user's (port.h), not of the process.  What has to
 * outlive a process is in the drive, or in the lock file (state.h).
 *
 * Lock order: a unit's lock, then the session's.  Nothing here prints.
 */
#ifndef CAPSTAN_PRELOAD_DEVICE_H
#define CAPSTAN_PRELOAD_DEVICE_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "engine/tape/session.h"
#include "preload/port.h"

#define UNITS_MAX 256 /* the changer and 255 drives */

enum device_kind { DEVICE_NONE, DEVICE_SG, DEVICE_NST, DEVICE_ST };

struct device {
    enum device_kind kind;
    unsigned lun;  /* 0 the changer, N + 1 drive N */
    int access;    /* O_RDONLY, O_WRONLY or O_RDWR */
    unsigned mode; /* of a tape: 0 to 3, by the letter behind its name */
};

/* A logical unit, as this process sees it. */
struct unit {
    pthread_mutex_t lock; /* guards what follows, and everything that goes to the drive */
    sigset_t signals;     /* of the thread that has the lock, for when it lets it go */
    int cancellation;     /* ... and its cancel state */
    unsigned lun;
    struct session *session;
    int socket;       /* of the session; -1: none */
    struct port port; /* that the session is logged in as */

    /* st's view of the drive, from st_check() on (st.h) */
    bool checked, ready, no_tape, write_protected, position_lost;
    uint8_t density, buffered;
    uint32_t block_size, block_min, block_max; /* block_size 0: variable */
    uint8_t *rest; /* of a fixed block that was read in part (st_data.c); owned */
    size_t rest_at, rest_len;
};

/* True if this process runs under `capstan exec`. */
bool device_active(void);
/* Which device a path names; DEVICE_NONE: not ours.  A number without a device has lun UINT32_MAX:
 * such a name is ours too, so that no program meets real hardware by mistake. */
struct device device_of_path(const char *path);
/* The same, without the names of descriptors (/dev/stdin, /dev/fd/N), which are links. */
struct device device_of_name(const char *path);
/* Which device a descriptor is; DEVICE_NONE: not ours. */
struct device device_of_fd(int fd);
/* Note what fd is.  -1 with errno EMFILE if it is too large a number. */
int device_note(int fd, struct device device);
void device_forget(int fd);
/* The offset of a tape's descriptor, which tells what it is to a program that exec starts. */
off_t device_offset(struct device device);
/* A copy of a descriptor was made. */
void device_copied(int from, int to);

/* What stat(2) shows of it: a character device of the kernel's numbers. */
void device_stat(struct device device, struct stat *st);

/* Open the descriptor behind an sg device. -1 with errno. */
int device_open_sg(int flags);
/* Open a drive's lock file; without taking the lock. */
int device_open_lock(unsigned lun, int flags);
/* Close those of our descriptors from first to last, as close(2) does. */
void device_close_between(unsigned first, unsigned last);
/* Close what the process has left open as it ends; tapes[LUN] is set for those that were tapes. */
void device_close_all(bool tapes[UNITS_MAX]);

struct unit *device_unit(unsigned lun);
/* As in a call of the kernel's drivers, no signal handler runs and no thread is cancelled while a
 * unit is locked: a handler that ends the program would find the session in the middle of a
 * command.
 */
void unit_lock(struct unit *unit);
bool unit_trylock(struct unit *unit);
void unit_unlock(struct unit *unit);
/* The unit's session, made if there is none.  0, or a negated errno: ENXIO if the daemon can't be
 * reached, EIO once the session was lost.  The lock is held. */
int device_session(struct unit *unit);
/* Log out, and give up the session and its port.  The lock is held. */
void device_logout(struct unit *unit);
/* libiscsi has made this socket, for the unit that this thread logs in to; returns what it is moved
 * to. */
int device_socket_type(int type);
int device_socket_made(int fd);

#endif
