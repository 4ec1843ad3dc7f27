/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_clean.c - a cleaning cartridge in the drive (IBM LTO reference 4.13).
 *
 * It is never "loaded": the drive says 30h/03h while it cleans, then lets go of the cartridge. Each
 * cleaning is counted in the cartridge's memory; one that is used up is refused (30h/07h, TapeAlert
 * 16h) until it is taken out.
 */

#include "vtl/scsi/drive_usage.h"

#include "common/clock.h"

enum { CLEANINGS = 50, CLEANING_MS = 1000 };

bool drive_clean(struct scsi_lu *lu)
{
    struct drive *d = lu->drive;

    usage_load(lu);
    if (d->usage->cleanings >= CLEANINGS) {
        lu_log(lu, LOG_LEVEL_WARNING, "cleaning cartridge %s is used up", d->barcode);
        return false;
    }
    d->usage->cleanings++;
    usage_store(d);
    alert_raise(lu, ALERT_CLEANING_MEDIUM);
    d->clean_until_ms = clock_monotonic_ms() + CLEANING_MS;
    return true;
}

void drive_clean_done(struct scsi_lu *lu)
{
    struct drive *d = lu->drive;

    if (d->medium != MEDIUM_CLEANING || clock_monotonic_ms() < d->clean_until_ms)
        return;
    d->medium = MEDIUM_EJECTED;
    alert_clear(lu, ALERT_BIT(ALERT_CLEANING_MEDIUM));
}
