/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ini_text.h - inih over text that somebody else wrote: with bounds, and with errors that name the
 * line.
 *
 * inih by itself cuts a line that is too long in two, takes any byte, and goes on behind a line
 * that it does not understand.  Here each of these is a fault, and the first fault of the text is
 * told. One thread at a time for each text.
 */
#ifndef CAPSTAN_COMMON_INI_TEXT_H
#define CAPSTAN_COMMON_INI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/error.h"

struct ini_text {
    /* filled in by the caller, who keeps all of it */
    FILE *stream;
    const char *path;      /* what errors call it */
    size_t limit;          /* bytes it may have at most ... */
    const char *too_large; /* ... and what is said of more */
    struct error *err;

    /* for the handler of a key */
    unsigned line;  /* number of the line that holds it */
    bool continued; /* it began with a blank: inih gives the key before it again */

    size_t bytes; /* read so far */
    int rc;       /* of the first fault; then the text ends */
};

/* One key: 1, or 0 after ini_text_fail() or another error in text->err and text->rc. */
typedef int ini_text_key_fn(void *ctx, const char *section, const char *name, const char *value);

/* Hand every key of the text to fn.  Errors: ERR_FORMAT "PATH: line N: ...", ERR_IO, ERR_NO_MEMORY,
 * or what fn left in text->rc. */
int ini_text_parse(struct ini_text *text, ini_text_key_fn *fn, void *ctx);

/* The present line is wrong; returns 0, as a handler must then. */
int ini_text_fail(struct ini_text *text, const char *why);

#endif
