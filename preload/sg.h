/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sg.h - a logical unit as Linux's sg driver shows it: SG_IO of version 3, and the ioctls around
 * it.
 *
 * The program's command goes to the unit as it is, and status and sense data come back as they are.
 * The time limit of a command is the session's, not the program's: a session in which a command was
 * given up would be lost.  A lost session shows as host_status DID_NO_CONNECT.
 *
 * Source: the sg driver's HOWTO, version 3; <scsi/sg.h>.
 */
#ifndef CAPSTAN_PRELOAD_SG_H
#define CAPSTAN_PRELOAD_SG_H

#include "preload/device.h"

/* Returns 0, or -1 with errno: ENXIO no daemon, ENOTTY an ioctl that sg doesn't know, EINVAL. */
int sg_open(struct device device, int flags);
int sg_ioctl(struct device device, unsigned long request, void *arg);

#endif
