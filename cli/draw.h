/* SPDX-License-Identifier: Apache-2.0 */
/*
 * draw.h - the picture of a library on a terminal: places side by side as wide as it is, or, where
 * there are too many, a map with a character for every few of them.
 */
#ifndef CAPSTAN_CLI_DRAW_H
#define CAPSTAN_CLI_DRAW_H

#include <jansson.h>
#include <stdint.h>

#define DRAW_AGE_SIZE 32

/* Columns of standard output: of the terminal, else $COLUMNS, else 80; at least 20. */
unsigned draw_width(void);

/* The places (rows of `status`) under a heading; nothing if there are none.  A place that can't be
 * reached, is missing or unknown is marked, and explained. */
void draw_places(const json_t *places, const char *heading, unsigned width);

/* "just now", "12 s ago", "5 min ago", "3 h ago", "2 d ago".  Returns buf. */
const char *draw_age(int64_t age_ms, char buf[DRAW_AGE_SIZE]);

#endif
