/* SPDX-License-Identifier: Apache-2.0 */
/* robot_private.h - what robot.c and volumes.c share of a robot. */
#ifndef CAPSTAN_CLI_ROBOT_PRIVATE_H
#define CAPSTAN_CLI_ROBOT_PRIVATE_H

#include "cli/robot.h"
#include "engine/tape/changer.h"
#include "vtl/control/config.h"

struct robot {
    struct robot_options options;
    struct config *config;
    struct tape_login login; /* points into config */
    char portal[128];
    struct changer *changer;
    int drive;         /* that is taken, or ROBOT_ANY_DRIVE */
    int lock_fd;       /* of its lock file */
    char serial[64];   /* of the drive, by which the changer knows it */
    struct tape *tape; /* NULL if no drive is taken */
    bool stays;        /* in that drive: somebody works with tape and cannot take another one */
};

/* True if a dump may use this cartridge at all. */
bool robot_in_pool(const struct robot *r, const char *barcode);

/* Take ROOT/run/robot.lock, waiting for whoever has it; *fd is the caller's to close. */
int robot_lock(const struct robot *r, int *fd, struct error *err);

/* As robot_bring(), under the robot's lock. */
int robot_bring_locked(struct robot *r, const char *barcode, struct tape **out, struct error *err);

#endif
