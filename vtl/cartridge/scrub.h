/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scrub.h - reading a whole cartridge at leisure, and remembering what was found.
 *
 * Bits rot unread.  A scrub reads every segment of the tape beside whoever uses it, remembers for
 * each when it was last seen to be good, and keeps a list of the objects that are not: the
 * quarantine.  Whoever opens the cartridge afterwards is told ERR_CORRUPT for a block in it at
 * once, without waiting for a disk that tries again and again; all other blocks are read as ever.
 *
 * What it remembers is one object of the store, `scrub` (doc/cartridge-format.md).  Nothing else
 * depends on it: where it is missing or damaged, the next scrub begins anew.  A handle that was
 * open before, the one of a drive, learns of it by the first read a second later.
 *
 * A block leaves the quarantine when it is overwritten (it is in another segment then), or when a
 * later scrub finds it good.  What undo could bring back (limbo) is read after the tape, and what
 * is damaged of it is in quarantine as soon as it is back.
 *
 * Several scrubs of one cartridge may be at work at once, in any processes: they keep what the
 * others found, and leave out what those have done.
 */
#ifndef CAPSTAN_VTL_CARTRIDGE_SCRUB_H
#define CAPSTAN_VTL_CARTRIDGE_SCRUB_H

#include "vtl/cartridge/cartridge.h"

struct cartridge_scrub_progress {
    uint64_t read;  /* bytes read from the store so far */
    uint64_t done;  /* bytes of segments looked at so far ... */
    uint64_t total; /* ... of those that this call will look at */
};

struct cartridge_scrub_options {
    bool restart; /* do not go on with a pass that was interrupted: begin a new one */
    /* Called whenever something was read; it may wait, to bound the rate.  Non-zero ends the scrub,
     * which remembers where it was, and is returned.  May be NULL. */
    int (*step)(void *ctx, const struct cartridge_scrub_progress *progress, struct error *err);
    void *ctx;
};

struct cartridge_scrub_report {
    struct cartridge_report found; /* in this call */
    uint64_t segments;             /* looked at in this call */
    uint64_t before;               /* seen in an earlier call of the same pass */
    uint64_t frames;               /* segments whose objects are good, but not all around them */
    uint64_t unreadable;           /* segments whose headers the store could not read */
    uint64_t limbo_segments;       /* of limbo, looked at in this call */
    uint64_t limbo_damaged;        /* ... and the objects of it that are not good */
    bool resumed;                  /* it went on with a pass */
};

/* Scrub what is not yet done of the present pass, or begin a new one.  The handle must be
 * CARTRIDGE_READ_ONLY (ERR_STATE) and sees the quarantine that results.  A segment that a writer
 * has open is read up to its last commit.
 * ERR_CORRUPT: something on the tape is damaged, and all was read; damage in limbo is only
 * reported. ERR_IO: segments could not be read.  Position afterwards: beginning. */
int cartridge_scrub(struct cartridge *c, const struct cartridge_scrub_options *options,
                    struct cartridge_scrub_report *report, struct error *err);

/* ---- what is remembered ----------------------------------------------------------------------
 */

struct cartridge_scrub_state {
    bool scrubbed;        /* it was, at least in part */
    bool unfinished;      /* the last pass was interrupted */
    uint64_t segments;    /* of the tape */
    uint64_t verified;    /* ... that a scrub has seen ever */
    int64_t oldest_ns;    /* when the one was seen that was not seen for longest; 0: there is one
                           * that never was, or there is none at all */
    uint64_t frames;      /* segments whose frame is damaged */
    uint64_t quarantined; /* objects of the tape */
    uint64_t limbo_segments, limbo_verified; /* what was cut off of segments; what of it was seen */
    uint64_t limbo_quarantined;              /* objects of it */
};

void cartridge_scrub_state(struct cartridge *c, struct cartridge_scrub_state *state);

/* A segment of the tape, in order of address. */
struct cartridge_scrub_segment {
    uint64_t segment; /* its number */
    uint32_t partition;
    uint64_t first_lba, end_lba;
    int64_t verified_ns; /* 0: never */
    bool frame_bad;
};

typedef int cartridge_scrub_segment_fn(void *ctx, const struct cartridge_scrub_segment *segment);

/* Objects lba .. lba + count - 1 of the tape are in quarantine. */
struct cartridge_quarantine {
    uint32_t partition;
    uint64_t lba, count;
    int64_t found_ns;
};

typedef int cartridge_quarantine_fn(void *ctx, const struct cartridge_quarantine *entry);

/* A non-zero return of fn ends the walk and is returned. */
int cartridge_scrub_segments(struct cartridge *c, cartridge_scrub_segment_fn *fn, void *ctx);
int cartridge_quarantine(struct cartridge *c, cartridge_quarantine_fn *fn, void *ctx);

#endif
