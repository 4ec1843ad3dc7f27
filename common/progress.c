/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c - see progress.h. */
#include "common/progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/table.h"

#define PROGRESS_INTERVAL 0.2 /* seconds between two drawings */
#define PROGRESS_SMOOTH   0.3 /* weight of the newest rate */

static double monotonic(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void progress_begin(struct progress *p)
{
    *p = (struct progress){.on = isatty(STDERR_FILENO) == 1, .started = monotonic()};
    p->rate_time = p->started;
}

/* The rate of the last second or so, so that a pause shows, but not every hiccup. */
static void take_rate(struct progress *p, double now, uint64_t done)
{
    double seconds = now - p->rate_time;
    double newest;

    if (seconds < PROGRESS_INTERVAL / 2 || done < p->rate_done)
        return;
    newest = (double)(done - p->rate_done) / seconds;
    p->rate = p->rate_done ? p->rate + PROGRESS_SMOOTH * (newest - p->rate) : newest;
    p->rate_time = now;
    p->rate_done = done;
}

void progress_line(struct progress *p, double now, const char *what, uint64_t done, uint64_t total,
                   char *buf, size_t size)
{
    char done_text[16], total_text[16], rate_text[16], left[32] = "", part[48] = "";

    if (done == 0 && total == 0) {
        snprintf(buf, size, "%s", what);
        return;
    }
    take_rate(p, now, done);
    size_text(done_text, done);
    size_text(rate_text, (uint64_t)p->rate);
    if (total > 0) {
        uint64_t percent = done >= total ? 100 : (uint64_t)(100.0 * (double)done / (double)total);

        snprintf(part, sizeof(part), " of %s (%u%%)", size_text(total_text, total),
                 (unsigned)percent);
    }
    if (total > done && p->rate >= 1) {
        double wait = (double)(total - done) / p->rate;
        unsigned seconds = wait > 359999 ? 359999 : (unsigned)wait;

        snprintf(left, sizeof(left), ", %u:%02u:%02u left", seconds / 3600, seconds / 60 % 60,
                 seconds % 60);
    }
    snprintf(buf, size, "%s, %s%s, %s/s%s", what, done_text, part, rate_text, left);
}

void progress_update(struct progress *p, const char *what, uint64_t done, uint64_t total)
{
    char line[160];
    double now;

    if (!p->on)
        return;
    now = monotonic();
    if (now < p->next)
        return;
    p->next = now + PROGRESS_INTERVAL;
    progress_line(p, now, what, done, total, line, sizeof(line));
    fprintf(stderr, "\r%s\033[K", line);
    p->drawn = true;
}

void progress_clear(struct progress *p)
{
    if (p->drawn)
        fputs("\r\033[K", stderr);
    p->drawn = false;
}
