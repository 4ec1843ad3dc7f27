/* SPDX-License-Identifier: Apache-2.0 */
/*
 * medium.h - the kinds of LTO cartridge: one table of facts, which everybody asks.
 *
 * A kind of medium is what a cartridge is formatted as: LTO-8, or M8 (an LTO-7 cartridge in the
 * denser format of LTO-8 drives).  WORM is not a kind of its own: it has the same density code, and
 * another medium type and barcode.
 *
 * Thread rule: any thread; everything is constant.
 * Source: doc/personalities.md says where each number comes from.
 */
#ifndef CAPSTAN_VTL_PERSONALITY_MEDIUM_H
#define CAPSTAN_VTL_PERSONALITY_MEDIUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct medium {
    const char *name;     /* "LTO-8", "LTO-M8" */
    uint8_t generation;   /* of the drive that made it: 8; M8 is of generation 8, too */
    uint8_t density;      /* primary density code (SSC-5 7.7) */
    uint8_t type;         /* MEDIUM TYPE of the mode parameter header */
    uint8_t worm_type;    /* the same of the WORM cartridge; 0: there is none */
    uint64_t capacity;    /* native bytes */
    unsigned bits_per_mm; /* 0: not known for sure, and reported so */
    unsigned tracks;      /* the same */
    unsigned length;      /* of the tape in metres; the same */
    unsigned partitions;  /* at most */
    const char *density_name, *description; /* REPORT DENSITY SUPPORT: 8 and 20 characters */
    const char *barcode;      /* last two characters of the barcode of a data cartridge */
    const char *worm_barcode; /* ... of a WORM cartridge; NULL: there is none */
};

#define MEDIUM_WIDTH        127 /* of the tape, in tenths of a millimetre */
#define MEDIUM_ORGANIZATION "LTO-CVE"
#define MEDIUM_DEFAULT      "LTO-8"

/* The table; *count is its length. */
const struct medium *medium_table(size_t *count);

/* By name ("LTO-8", also "8" and the barcode's "L8"; case does not matter); NULL: there is none. */
const struct medium *medium_by_name(const char *name);

/* By density code; NULL: there is none. */
const struct medium *medium_by_density(uint8_t density);

/* What a barcode says of its cartridge.  The media identifier is its last two characters. */
struct medium_label {
    const struct medium *medium; /* NULL: the barcode does not say */
    bool worm, cleaning;
};
struct medium_label medium_of_barcode(const char *barcode);

#endif
