/* SPDX-License-Identifier: Apache-2.0 */
/*
 * robot.h - a running library as dump and restore use it: an iSCSI initiator with a changer and one
 * drive at a time.
 *
 * Data goes the way any backup software's data goes: to the portal of the daemon, by libiscsi.  The
 * control socket is only asked what is where.
 *
 * Rules:
 *   1. A drive is taken under a lock file (ROOT/run/drive-N.lock), so that two dumps on this
 * machine never write to the same one.
 *   2. Choosing a cartridge and carrying it is one step under another lock (ROOT/run/robot.lock),
 * so that two of them never choose the same one.
 *   3. A cartridge is only put away for another one if its drive is idle, its removal is not
 *      prevented, and it belongs to the pool or the drive was named by the user.
 *   4. A dump never overwrites: it gets a blank cartridge, or one with room, at its end of data.
 *
 * Thread rule: one thread at a time per robot.
 */
#ifndef CAPSTAN_CLI_ROBOT_H
#define CAPSTAN_CLI_ROBOT_H

#include "catalog/catalog.h"
#include "engine/tape/tape.h"

#define ROBOT_ANY_DRIVE (-1)

struct robot_options {
    const char *root;
    int drive;        /* or ROBOT_ANY_DRIVE */
    const char *pool; /* glob of barcodes that may be used; NULL: all */
    enum tape_mode mode;
};

struct robot;

/* Reach the daemon of the library and its changer; options' strings must outlive *out.
 * ERR_NOT_FOUND: no daemon is running. */
int robot_open(const struct robot_options *options, struct robot **out, struct error *err);
void robot_close(struct robot *robot); /* NULL is allowed; the cartridge stays in the drive */

/* Bring the cartridge with this barcode into a drive and loaded; *out stays the robot's and is
 * valid until the next call.  ERR_BUSY: all drives, or the one that holds it, are used by others.
 */
int robot_bring(struct robot *robot, const char *barcode, struct tape **out, struct error *err);

/* Choose and bring the cartridge that a dump begins on, positioned where it may write: `volume` if
 * it is given, else one of the pool that is in a drive and has room, else a blank one, else one
 * with room.  Writes its barcode.  ERR_OPERATOR: there is none. */
int robot_bring_first(struct robot *robot, struct catalog *catalog, const char *volume,
                      struct tape **out, char barcode[40], struct error *err);

/* Bring a blank cartridge of the pool into the drive in use; for a dump that goes on. */
int robot_bring_blank(struct robot *robot, struct catalog *catalog, char barcode[40],
                      struct error *err);

/* Open a tape by its URL (tape.h); to the target of the library at root we log in with the names
 * and secrets of its configuration, to any other one without.  *out is the caller's. */
int tape_open_at(const char *root, const char *url, enum tape_mode mode, struct tape **out,
                 struct error *err);

/* Space to the end of data and make sure that a filemark is in front of it, so that what comes is a
 * file of its own even behind a dump that was broken off. */
int tape_append_here(struct tape *tape, struct error *err);

#endif
