/* SPDX-License-Identifier: Apache-2.0 */
/* life_internal.h - what life.c and life_ops.c share. */
#ifndef CAPSTAN_TESTS_CRASH_LIFE_INTERNAL_H
#define CAPSTAN_TESTS_CRASH_LIFE_INTERNAL_H

#include "tests/crash/life.h"

#define LIFE_ATTRIBUTE 0x0800

void life_state_possible(struct life *l, const struct medium *m);  /* a cut may leave it so */
void life_settle(struct life *l, int rc, const struct error *err); /* behind each operation */
void life_read(struct life *l, struct cartridge *c);               /* into l->found */
bool life_excused(struct life *l, int rc);
void life_take_found(struct life *l);
void life_compare(struct life *l, const char *when);
bool life_is_block(const uint8_t *data, uint32_t stored, uint64_t id);
const char *life_describe(const struct medium *m, char out[80]);

#endif
