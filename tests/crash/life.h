/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life.h - one cartridge, the operations of a host on it, and an oracle that knows what may be
 * left.
 *
 * Each operation changes what the host sees (`now`) and calls the cartridge.  The oracle keeps
 * every state of the whole medium since the last good sync: after a power cut the medium must be
 * exactly one of them, so every synchronised block is identical, each partition is a prefix in
 * writing order, nothing is stale or mixed, and an overwrite, a format or an undo is done wholly or
 * not at all.  After an error without a cut the medium must be a prefix of what was written that
 * holds at least what was synced.
 *
 * The first disagreement ends the life: life_violation() does not return, it jumps to `violated`.
 */
#ifndef CAPSTAN_TESTS_CRASH_LIFE_H
#define CAPSTAN_TESTS_CRASH_LIFE_H

#include <setjmp.h>

#include "tests/crash/tape.h"
#include "vtl/store/store.h"

#define LIFE_STATES_MAX  4096
#define LIFE_HISTORY_MAX 16384 /* a power of two */

/* What an undo in progress may lead to. */
struct life_target {
    bool set;
    uint64_t objects, filemarks;
};

struct life {
    struct store *disk;  /* the simulated disk, NULL: a real one */
    struct store *store; /* what the cartridge is on: the disk, or a fault layer over it */
    struct cartridge *c;
    struct cartridge *reader; /* beside it, or NULL */

    struct medium now;    /* what the host sees */
    struct medium before; /* ... and saw before it cut a tape in this operation */
    struct medium seen;   /* what the reader saw when it looked last */
    struct medium found;  /* scratch */
    bool cutting;         /* before is set */
    uint32_t partition;   /* the position */
    size_t lba;

    uint64_t states[LIFE_STATES_MAX]; /* what a cut may leave; [0] is the last one synced */
    size_t state_count;
    size_t floor[CARTRIDGE_PARTITIONS]; /* no state since the last sync is shorter */
    uint64_t history[LIFE_HISTORY_MAX]; /* every state there ever was: a hash table, 0 free */
    size_t history_count;
    struct life_target target;
    uint64_t alternative;  /* a state that an error may leave as well; 0: none */
    uint64_t attribute[2]; /* what it may be: the durable one, the one being set */
    uint64_t next_id;

    bool look_first;             /* after a cut a reader looks before the recovery */
    bool excuse_io, excuse_full; /* opening may fail like this, and is tried again */
    uint64_t cuts, operations, blocks_checked, errors_met;
    /* Told of each state when it becomes possible, and when it is certain; NULL: nobody is. */
    void (*on_state)(struct life *l, uint64_t hash, bool certain);
    void (*on_error)(struct life *l);  /* before an error is looked at: let the faults end */
    void (*cut_power)(struct life *l); /* NULL: simdisk_power_cut() */
    void *context;
    uint8_t block[TAPE_BLOCK_MAX];
    jmp_buf violated;
    char violation[500];
};

void life_violation(struct life *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* Make a cartridge on l->store and open it. */
void life_create(struct life *l, struct cartridge_identity *id);
void life_state_certain(struct life *l); /* a cut must leave it as it is now */
void life_close(struct life *l);         /* the handles, without a sync */
bool life_is_off(const struct life *l);

/* ---- what a host does; the position moves as on a tape */
void life_locate(struct life *l, uint32_t partition, size_t lba);
void life_locate_end(struct life *l, uint32_t partition);
void life_write(struct life *l, uint64_t flags); /* TAPE_HABIT, TAPE_SMALL ... or 0 */
void life_write_run(struct life *l, uint32_t count);
void life_filemarks(struct life *l, uint32_t count);
void life_sync(struct life *l);
void life_erase(struct life *l);
void life_purge(struct life *l, uint32_t most); /* so many objects of the store in a call */
void life_format(struct life *l, const uint64_t *capacities, unsigned count);
void life_undo(struct life *l, unsigned nth); /* to the nth newest point; none: nothing */
void life_attribute(struct life *l, uint64_t value);
void life_reopen(struct life *l); /* without a sync: what was not synced may be gone */

/* ---- looking */
bool life_target_reached(const struct life *l, const struct medium *m); /* of an undo */
void life_read_self(struct life *l);
void life_read_beside(struct life *l); /* a reader of its own */
void life_refresh(struct life *l);     /* the reader that stays looks again */
void life_read_stale(struct life *l);  /* ... or goes on with what it knows */

/* ---- power */
void life_cut(struct life *l); /* cut it, recover and compare */
void life_open(struct life *l);

#endif
