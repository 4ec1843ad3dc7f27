/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - what time it is: the operator's clock for what is told and kept, the one that nobody
 * sets for what lasts. */
#ifndef CAPSTAN_COMMON_CLOCK_H
#define CAPSTAN_COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

/* ns since 1970. */
static inline int64_t clock_real_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* ms since some moment before the start. */
static inline int64_t clock_monotonic_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#endif
