/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.h - a line on the terminal that says how far a long job is.
 *
 * It goes to standard error, and only if that is a terminal, so it never gets into a pipe, a log or
 * `--json`.  It is drawn at most five times a second, over itself; progress_clear() takes it away
 * before something else is printed.  Thread rule: one thread at a time.
 */
#ifndef CAPSTAN_COMMON_PROGRESS_H
#define CAPSTAN_COMMON_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    bool on;            /* standard error is a terminal */
    bool drawn;         /* the line is on the screen now */
    double started;     /* seconds of the monotonic clock */
    double next;        /* not drawn before */
    double rate;        /* bytes a second, smoothed */
    double rate_time;   /* when rate was taken */
    uint64_t rate_done; /* bytes then */
};

void progress_begin(struct progress *p);

/* what: "files 12/40"; total 0: not known, no percentage and no time left; both 0: only what. */
void progress_update(struct progress *p, const char *what, uint64_t done, uint64_t total);

void progress_clear(struct progress *p);

/* The line as it would be drawn, without control characters; for tests.  now: monotonic seconds. */
void progress_line(struct progress *p, double now, const char *what, uint64_t done, uint64_t total,
                   char *buf, size_t size);

#endif
