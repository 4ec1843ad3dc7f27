/* SPDX-License-Identifier: Apache-2.0 */
/* scratch.h - a directory of its own for a test program, removed with everything in it. */
#ifndef CAPSTAN_TESTS_UNIT_SCRATCH_H
#define CAPSTAN_TESTS_UNIT_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[] = "/tmp/capstan-test.XXXXXX";

static int scratch_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (kind == FTW_DP || kind == FTW_DNR)
        rmdir(path);
    else
        unlink(path);
    return 0;
}

/* Remove path and what is below it, also where permissions were taken away by its owner. */
static inline void scratch_remove(const char *path)
{
    nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int scratch_make(void)
{
    return mkdtemp(scratch) ? 0 : -1;
}

#endif
