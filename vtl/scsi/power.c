/* SPDX-License-Identifier: Apache-2.0 */
/*
 * power.c - how often and how long the target was switched on, for the units' statistics.  All its
 * units are, with it; a crash loses the hours of its run.
 */
#include <time.h>

#include "common/log.h"
#include "vtl/scsi/internal.h"

enum { VERSION = 1, RECORD = 17 };

static const char name[] = "power";

static uint64_t seconds_now(const struct scsi_target *target)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return target->power_seconds + (uint64_t)(now.tv_sec - target->power_started.tv_sec);
}

void power_save(struct scsi_target *target)
{
    uint8_t record[RECORD] = {VERSION};
    struct error err = ERROR_INIT;

    put_be64(record + 1, target->power_cycles);
    put_be64(record + 9, seconds_now(target));
    if (library_value_set(target->library, name, record, sizeof(record), &err) != 0)
        log_warning("The hours of the library can't be kept: %s", err.message);
}

void power_start(struct scsi_target *target)
{
    uint8_t record[RECORD];
    size_t len = 0;

    clock_gettime(CLOCK_MONOTONIC, &target->power_started);
    if (library_value_get(target->library, name, record, sizeof(record), &len, NULL) == 0 &&
        len == RECORD && record[0] == VERSION) {
        target->power_cycles = get_be64(record + 1);
        target->power_seconds = get_be64(record + 9);
    }
    target->power_cycles++;
    power_save(target);
}

uint64_t power_hours(const struct scsi_target *target)
{
    return seconds_now(target) / 3600;
}
