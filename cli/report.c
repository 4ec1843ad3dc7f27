/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - see report.h. */
#include "cli/report.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"

#define WARNING_MAX 8192 /* a path is at most 4,096 bytes, each perhaps escaped */

void report_begin(struct report *report)
{
    pthread_mutex_init(&report->lock, NULL);
    progress_begin(&report->progress);
}

void report_warning(struct report *report, const char *path, const char *message)
{
    char safe[WARNING_MAX];
    CLEANUP_UNLOCK(&report->lock);

    error_escape(safe, sizeof(safe), path, strlen(path));
    progress_clear(&report->progress);
    fprintf(stderr, "capstan: %s: %s\n", safe, message);
}

void report_progress(struct report *report, const char *what, uint64_t done, uint64_t total)
{
    CLEANUP_UNLOCK(&report->lock);

    progress_update(&report->progress, what, done, total);
}

void report_end(struct report *report)
{
    progress_clear(&report->progress);
    pthread_mutex_destroy(&report->lock);
}

double report_rate(uint64_t bytes, double seconds)
{
    return seconds > 0 ? (double)bytes / seconds / 1e6 : 0;
}
