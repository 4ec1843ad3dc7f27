/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle.h - the drive against the model: steps, places to begin at, and sequences of steps.
 *
 * After every step status, sense data, data-in, position and end of data must be what the model
 * says.  A sequence that does not agree is made shorter until no step can be left out, and printed
 * with the place and what differed; the same sequence always gives the same.
 */
#ifndef CAPSTAN_TESTS_ORACLE_ORACLE_H
#define CAPSTAN_TESTS_ORACLE_ORACLE_H

#include "tests/oracle/rig.h"

#define ORACLE_STEPS_MAX 256

enum oracle_data {
    ORACLE_FRESH,   /* bytes that were not sent before */
    ORACLE_MATCH,   /* those of the block at the position */
    ORACLE_DIFFERS, /* the same but for the last */
};

struct oracle_step {
    const char *name;
    const char *cdb;  /* hex; NULL: a reset of the logical unit */
    const char *list; /* hex: a mode parameter list, or NULL; of a page, the bits to be set */
    enum oracle_data data;
    unsigned nexus;
    bool short_room;  /* the initiator has room, or sends, but half of what the CDB says */
    unsigned reduced; /* 1: also in the smaller alphabet */
};

/* Where sequences begin. */
struct oracle_place {
    const char *name;
    enum rig_tape tape;
    const char *objects; /* what is on it: see places.c */
    uint32_t partition, at;
    uint32_t block_length;
    bool unbuffered, software_protect, descriptors;
    bool append_only;
    uint16_t pews;
    enum model_medium medium;
};

extern const struct oracle_step oracle_steps[];
extern const size_t oracle_step_count;
extern const struct oracle_place oracle_places[];
extern const size_t oracle_place_count;

/* What has been done; for a report. */
struct oracle_counts {
    uint64_t sequences, commands;
};
extern struct oracle_counts oracle_counts;

void oracle_start(void);
void oracle_stop(void);

/* Run the steps from the place.  False: they do not agree; it has been printed. */
bool oracle_run(const struct oracle_place *place, const struct oracle_step *const *steps,
                unsigned count);

/* The same one by one, for requests made elsewhere.  False: it did not agree, and oracle_said()
 * says how; then only oracle_stop() may follow. */
bool oracle_reach(const struct oracle_place *place);
bool oracle_send(const struct model_request *r);
const char *oracle_said(void);
const struct model *oracle_now(void); /* the state that the drive is in */

/* By name; the program ends if there is none. */
const struct oracle_place *oracle_place(const char *name);
const struct oracle_step *oracle_step(const char *name);

/* The model of the place, before anything is done there. */
void oracle_place_model(const struct oracle_place *place, struct model *m);

/* A step as it is to be sent in the state of m; fresh: the seed of new data.  The parameter list
 * stays valid until the next call. */
void oracle_request(const struct oracle_step *step, const struct model *m, uint32_t fresh,
                    struct model_request *r);

/* Set the room for data-in, or the length of data-out, to what the CDB asks for divided by
 * `divisor`; not of a request with a parameter list. */
void oracle_fit(struct model_request *r, const struct model *m, unsigned divisor);

#endif
