/* SPDX-License-Identifier: Apache-2.0 */
/* scrub_internal.h - what scrub.c and scrub_object.c share; struct scrub is in internal.h. */
#ifndef CAPSTAN_VTL_CARTRIDGE_SCRUB_INTERNAL_H
#define CAPSTAN_VTL_CARTRIDGE_SCRUB_INTERNAL_H

#include "vtl/cartridge/internal.h"
#include "vtl/cartridge/scrub.h"

#define SCRUB_OBJECT  "scrub"
#define SCRUB_BAD_MAX 65536u /* entries of the quarantine; neighbours are one */

/* Put c->scrub, without what it says of segments that are gone. */
int scrub_save(struct cartridge *c, struct error *err);

/* The mark that covers all of seg, or NULL. */
const struct scrub_mark *scrub_mark_of(const struct scrub *s, const struct segment *seg);

/* The first entry of the quarantine in segment seq, or in one behind it. */
size_t scrub_bad_of(const struct scrub *s, uint64_t seq);

/* In place of what there is of that segment. */
int scrub_mark_add(struct scrub *s, const struct scrub_mark *mark, struct error *err);
int scrub_bad_replace(struct scrub *s, uint64_t seq, const struct scrub_bad *with, size_t count,
                      struct error *err);

#endif
