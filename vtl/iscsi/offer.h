/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offer.h - which targets the server has, at which of its portals, and who may reach them.
 *
 * A directory is one picture of all of that.  It never changes: new rules make a new directory, and
 * the one before lives on for the logins that began with it.  So nobody who reads one takes a lock.
 *
 * Invariants:
 *   1. A target keeps its number from one directory to the next.
 *   2. The portals and the portal group tags of a target never change; who may reach it does.
 *   3. Portal group tags are a target's own (RFC 7143 section 2.1, Portal Group Tag: within one
 *      iSCSI node), so two targets may group the same portals differently.
 */
#ifndef CAPSTAN_VTL_ISCSI_OFFER_H
#define CAPSTAN_VTL_ISCSI_OFFER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vtl/iscsi/iscsid.h"

#define SERVER_PORTALS_MAX 64 /* of all targets together */

/* Where a target is: constant from the moment it is added. */
struct placement {
    uint16_t tags[SERVER_PORTALS_MAX];   /* by portal of the server; 0: it is not offered there */
    unsigned portals[ISCSI_PORTALS_MAX]; /* in the order of its options */
};

struct offer {
    struct iscsid_options options; /* strings are ours */
    struct placement at;
};

struct directory {
    _Atomic unsigned holders;
    unsigned count;
    struct offer offers[];
};

/* ERR_RANGE with a sentence: names, secrets, lists. */
int options_check(const struct iscsid_options *options, struct error *err);

/* A directory like old (NULL: empty), but with these options at place n: instead of those there, or
 * behind the last.  The options are copied.  The caller holds it. */
int directory_with(const struct directory *old, unsigned n, const struct iscsid_options *options,
                   const struct placement *at, struct directory **out, struct error *err);
struct directory *directory_hold(struct directory *d);
void directory_release(struct directory *d); /* NULL is allowed */

/* The target of this name (case does not matter), whatever portal; NULL: there is none. */
const struct offer *directory_find(const struct directory *d, const char *name, size_t len);

/* Whether the access list has this initiator. */
bool offer_lets_in(const struct offer *offer, const char *initiator);
/* What it sees; NULL: all. */
const struct iscsid_view *offer_view(const struct offer *offer, const char *initiator);

#endif
