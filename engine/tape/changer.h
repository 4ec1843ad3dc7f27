/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changer.h - the robot as the engine sees it: which cartridge is where, and moves, over iSCSI.
 *
 * Opened by the same URL form as a drive (tape.h), with the LUN of the medium changer.
 * Thread rule: one thread at a time per changer.
 */
#ifndef CAPSTAN_ENGINE_TAPE_CHANGER_H
#define CAPSTAN_ENGINE_TAPE_CHANGER_H

#include "engine/tape/tape.h"

struct changer;

enum changer_element_type {
    CHANGER_TRANSPORT = 1,
    CHANGER_SLOT,
    CHANGER_IMPORT_EXPORT,
    CHANGER_DRIVE
};

struct changer_element {
    uint16_t address;
    enum changer_element_type type;
    bool full;
    bool source_valid;
    uint16_t source;
    char barcode[40];
    char drive_serial[64]; /* of a drive element, from DVCID; "" if not told */
};

int changer_open(const char *url, const struct tape_login *login, struct changer **out,
                 struct error *err);
void changer_close(struct changer *c);

/* The inventory, read anew; *out is an array of *count, the caller frees it. */
int changer_inventory(struct changer *c, struct changer_element **out, size_t *count,
                      struct error *err);
int changer_move(struct changer *c, uint16_t from, uint16_t to, struct error *err);

/* Bring the cartridge with this barcode into the drive with this serial; what is there before goes
 * back to its source slot, or to the first empty one.  ERR_NOT_FOUND: no such barcode or drive. */
int changer_load(struct changer *c, const char *barcode, const char *drive_serial,
                 struct error *err);

/* Put what is in the drive back; ERR_STATE if it is empty. */
int changer_unload(struct changer *c, const char *drive_serial, struct error *err);

#endif
