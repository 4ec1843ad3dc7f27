/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts.h - what was found out about blocks of cartridges, so that it need not be found out again:
 * up to where a stretch is an image's (part.h), and which blocks are damaged.
 *
 * Everything is of a volume's number (record.volume), which is another one as soon as the cartridge
 * may have changed: nothing here ever becomes wrong.  The oldest facts are forgotten.  Any thread.
 */
#ifndef CAPSTAN_FUSE_FACTS_H
#define CAPSTAN_FUSE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

struct facts;

int view_facts_open(struct facts **out, struct error *err);
void view_facts_close(struct facts *facts); /* NULL is allowed */

/* The stretch that begins at `block` is the image's up to (not with) stream block `until`; 0 if
 * nothing is known. */
uint64_t view_facts_until(struct facts *facts, uint64_t volume, uint64_t block, const char *uuid);
void view_facts_learn_until(struct facts *facts, uint64_t volume, uint64_t block, const char *uuid,
                            uint64_t until);

/* 0, or the error with which the block could not be read. */
int view_facts_damage(struct facts *facts, uint64_t volume, uint64_t block, struct error *err);
void view_facts_learn_damage(struct facts *facts, uint64_t volume, uint64_t block,
                             const struct error *why);

#endif
