/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port.h - which initiator port a session logs in as.
 *
 * To a drive an initiator is its port: the initiator's name and an ISID (RFC 7143 4.2.7.2).
 * Persistent reservations are the port's (SPC-5 5.14), so programs that are run one after the other
 * have to have the same one, as with a kernel's initiator; programs at the same time have to have
 * different ones, or a login would end the other's session (RFC 7143 6.3.5).
 *
 * Ports of a unit have numbers from 1 on.  ROOT/run/initiator-LUN.lock has a byte for each, locked
 * for as long as a session has that port; a session gets the lowest number that is free.  The lock
 * is one of the open file (F_OFD_SETLK, fcntl(2)): it ends with the process, however that ends, and
 * closing another descriptor of the file does not lose it.
 */
#ifndef CAPSTAN_PRELOAD_PORT_H
#define CAPSTAN_PRELOAD_PORT_H

#include <stdint.h>

struct port {
    int fd;          /* that holds the lock; -1: none */
    uint16_t number; /* 0: none could be had, the session has a name of its own */
};

/* Take the lowest free port of a unit, in the directory `run`.  One that is held already and still
 * ours is kept. */
void port_take(struct port *port, const char *run, unsigned lun);
/* Give it up: behind the end of its session, or in a child, to which it does not belong. */
void port_drop(struct port *port, const char *run, unsigned lun);

#endif
