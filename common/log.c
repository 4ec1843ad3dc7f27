/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - see log.h.  A line is built in one buffer and written with one write(2). */
#include "common/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/error.h"

#define LOG_LINE_SIZE 2048

/* The one process-wide state here, set once at start-up. */
static _Atomic int log_threshold = LOG_LEVEL_INFO;
static _Atomic bool log_times;

static const struct {
    int priority; /* RFC 5424 severity, as sd-daemon(3) prefixes it */
    const char *word;
} level_table[] = {
    [LOG_LEVEL_ERROR] = {3, "error: "},
    [LOG_LEVEL_WARNING] = {4, "warning: "},
    [LOG_LEVEL_INFO] = {6, ""},
    [LOG_LEVEL_DEBUG] = {7, "debug: "},
};

void log_set_level(enum log_level level)
{
    atomic_store(&log_threshold, (int)level);
}

void log_set_times(void)
{
    atomic_store(&log_times, true);
}

/* What stands in front of every message. */
static void log_head(enum log_level level, char *line, size_t size)
{
    struct timespec now;
    struct tm tm;

    if (atomic_load(&log_times) && clock_gettime(CLOCK_REALTIME, &now) == 0 &&
        gmtime_r(&now.tv_sec, &tm)) {
        size_t used = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);

        snprintf(line + used, size - used, ".%03ldZ %s", now.tv_nsec / 1000000,
                 level_table[level].word);
    } else if (getenv("JOURNAL_STREAM")) {
        snprintf(line, size, "<%d>", level_table[level].priority);
    } else {
        snprintf(line, size, "capstan: %s", level_table[level].word);
    }
}

void log_message(enum log_level level, const char *fmt, ...)
{
    char raw[LOG_LINE_SIZE / 2];
    char line[LOG_LINE_SIZE];
    size_t used;
    va_list ap;

    if ((int)level > atomic_load(&log_threshold))
        return;
    log_head(level, line, sizeof(line));
    va_start(ap, fmt);
    vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    used = strlen(line);
    error_escape(line + used, sizeof(line) - used - 1, raw, strlen(raw));
    used = strlen(line);
    line[used++] = '\n';
    /* A log that cannot be written has nowhere to complain to. */
    if (write(STDERR_FILENO, line, used) < 0)
        return;
}
