/* SPDX-License-Identifier: Apache-2.0 */
/* lu_log.c - messages about a logical unit: see internal.h. */
#include <stdarg.h>
#include <stdio.h>

#include "vtl/scsi/drive.h"
#include "vtl/scsi/internal.h"

void lu_log(const struct scsi_lu *lu, enum log_level level, const char *fmt, ...)
{
    char what[ERROR_MESSAGE_SIZE + 128], who[32];
    va_list args;

    if (lu->drive)
        snprintf(who, sizeof(who), "Drive %u", lu->drive->number);
    else
        snprintf(who, sizeof(who), "Logical unit %u", lu->lun);
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    log_message(level, "%s (%s): %s", who, lu->serial, what);
}
