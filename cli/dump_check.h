/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump_check.h - are the dumps on a tape well-formed, as far as that can be seen without restoring
 * them?
 *
 * Each tape file that begins with the header of a dump, ours or that of any dump(8), is decoded
 * from there to its end.
 */
#ifndef CAPSTAN_CLI_DUMP_CHECK_H
#define CAPSTAN_CLI_DUMP_CHECK_H

#include "common/error.h"
#include "engine/tape/tape.h"

struct dump_check {
    /* Told of everything that is wrong or can't be told, "tape file 3: ..."; may be NULL. */
    void (*warning)(void *ctx, const char *where, const char *message);
    void *ctx;
    unsigned dumps;   /* tape files that are one, or a part of one */
    unsigned damaged; /* ... of which something is wrong */
    unsigned partial; /* ... good as far as could be seen: compressed, or without their end (which
                       * is on another cartridge, or was never written) */
};

/* Read the whole tape; the numbers are filled in.  Fails only if the tape can't be read on. */
int dump_check(struct dump_check *check, struct tape *tape, struct error *err);

#endif
