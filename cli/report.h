/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - what dump, restore and rebuild tell while they work: warnings as lines, progress on a
 * terminal.  Neither breaks into the other.  Warnings may come from any thread.
 */
#ifndef CAPSTAN_CLI_REPORT_H
#define CAPSTAN_CLI_REPORT_H

#include <pthread.h>

#include "common/progress.h"

struct report {
    pthread_mutex_t lock; /* of the terminal */
    struct progress progress;
};

void report_begin(struct report *report);
/* "capstan: PATH: MESSAGE" on standard error. */
void report_warning(struct report *report, const char *path, const char *message);
void report_progress(struct report *report, const char *what, uint64_t done, uint64_t total);
void report_end(struct report *report);

/* MB/s, with 0 for no time at all. */
double report_rate(uint64_t bytes, double seconds);

#endif
