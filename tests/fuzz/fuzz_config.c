/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_config.c - capstan.conf from anybody.  What is accepted must keep the promises of config.h:
 * numbers in range, lists and texts within their bounds; what is refused has a sentence.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vtl/control/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every LUN of a view has a unit of ours, and no unit has two; every portal has a group. */
static void check_options(const struct config *config)
{
    struct iscsid_options o;

    config_iscsi_options(config, &o);
    for (unsigned i = 0; i < o.portal_count; i++)
        if (!o.portals[i][0] || o.portal_groups[i] == 0)
            abort();
    for (unsigned i = 0; i < o.view_count; i++) {
        bool seen[SCSI_LUNS_MAX] = {false};

        for (unsigned lun = 0; lun < SCSI_LUNS_MAX; lun++) {
            uint16_t unit = o.views[i].luns.unit[lun];

            if (unit != SCSI_NO_UNIT && (unit >= SCSI_LUNS_MAX || seen[unit]))
                abort();
            if (unit != SCSI_NO_UNIT)
                seen[unit] = true;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;
    struct error err = ERROR_INIT;
    FILE *f;

    if (size == 0)
        return 0;
    f = fmemopen((void *)data, size, "r");
    if (!f)
        abort();
    if (config_read(f, "capstan.conf", "/root", &config, &err)) {
        if (config || !err.message[0] || strpbrk(err.message, "\n\033"))
            abort();
    } else if (config->drives < 1 || config->drives > LIBRARY_DRIVES_MAX || config->slots < 1 ||
               config->slots > LIBRARY_SLOTS_MAX || strlen(config->serial) > 10 ||
               config->portals.count < 1 || config->portals.count > ISCSI_PORTALS_MAX ||
               strlen(config->target) > ISCSI_NAME_MAX) {
        abort();
    } else {
        check_options(config);
    }
    config_free(config);
    fclose(f);
    return 0;
}
