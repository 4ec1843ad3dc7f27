/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c - which logical units a nexus sees, and under which LUNs (scsi.h, struct scsi_view).
 *
 * A unit that is not in the view is not there: its LUN answers as one without a unit (SPC-5 6.6.2,
 * 25h/00h), and nothing that happens to it is told.  Inside, a unit is known by its own number.
 *
 * The table of a nexus is read by whoever submits its tasks while another thread may change it: so
 * its entries are atomic, and each task sees an entry as it was or as it is.
 */
#include <string.h>

#include "vtl/scsi/internal.h"

/* Single-level LUNs only: peripheral addressing with bus 0, or flat space (SAM-6 4.7.4).  -1: it is
 * none that we have. */
int lun_number(const uint8_t lun[8])
{
    static const uint8_t zeros[6];
    unsigned method = lun[0] >> 6, number;

    if (memcmp(lun + 2, zeros, sizeof(zeros)) != 0)
        return -1;
    if (method == 0 && lun[0] == 0)
        number = lun[1];
    else if (method == 1)
        number = (lun[0] & 0x3fu) << 8 | lun[1];
    else
        return -1;
    return number < TARGET_LUNS ? (int)number : -1;
}

struct scsi_lu *nexus_lu(const struct scsi_nexus *nexus, const uint8_t lun[8])
{
    int number = lun_number(lun);

    return number < 0 ? NULL : nexus_unit(nexus, (unsigned)number);
}

struct scsi_lu *nexus_unit(const struct scsi_nexus *nexus, unsigned lun)
{
    uint16_t unit = atomic_load_explicit(&nexus->units[lun], memory_order_relaxed);
    struct scsi_lu *lu = unit < TARGET_LUNS ? &nexus->target->lus[unit] : NULL;

    return lu && lu->present ? lu : NULL;
}

int nexus_lun(const struct scsi_nexus *nexus, const struct scsi_lu *lu)
{
    for (unsigned lun = 0; lun < TARGET_LUNS; lun++)
        if (atomic_load_explicit(&nexus->units[lun], memory_order_relaxed) == lu->lun)
            return (int)lun;
    return -1;
}

bool scsi_nexus_sees_all(const struct scsi_nexus *nexus)
{
    for (unsigned i = 0; i < nexus->target->lu_count; i++)
        if (nexus->target->lus[i].present && nexus_lun(nexus, &nexus->target->lus[i]) < 0)
            return false;
    return true;
}

/* What a nexus without a rule sees: every unit under its own number. */
static uint16_t view_unit(const struct scsi_view *view, unsigned lun)
{
    return view ? view->unit[lun] : (uint16_t)lun;
}

void view_begin(struct scsi_nexus *nexus, const struct scsi_view *view)
{
    for (unsigned lun = 0; lun < TARGET_LUNS; lun++)
        atomic_init(&nexus->units[lun], view_unit(view, lun));
}

void view_tell(struct scsi_nexus *nexus)
{
    for (unsigned lun = 0; lun < TARGET_LUNS; lun++) {
        struct scsi_lu *lu = nexus_unit(nexus, lun);

        if (lu) {
            attention_give(lu, nexus, ASC_REPORTED_LUNS_CHANGED);
            if (nexus->luns_changed)
                nexus->luns_changed(nexus->ctx);
            return;
        }
    }
}

/* What the nexus held of units that it does not see any more, it lets go; registrations stay, as
 * they outlive a session too. */
static void let_go(struct scsi_nexus *nexus)
{
    struct scsi_target *target = nexus->target;

    for (unsigned i = 0; i < target->lu_count; i++) {
        if (nexus_lun(nexus, &target->lus[i]) >= 0)
            continue;
        nexus->lu[i].prevents = false;
        if (target->lus[i].reserved_by == nexus)
            target->lus[i].reserved_by = NULL;
    }
}

void scsi_nexus_set_view(struct scsi_nexus *nexus, const struct scsi_view *view)
{
    CLEANUP_UNLOCK(&nexus->target->lock);
    bool changed = false;

    for (unsigned lun = 0; lun < TARGET_LUNS; lun++) {
        uint16_t unit = view_unit(view, lun);

        changed |= atomic_exchange(&nexus->units[lun], unit) != unit;
    }
    if (!changed)
        return;
    let_go(nexus);
    view_tell(nexus);
}
