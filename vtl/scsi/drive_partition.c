/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drive_partition.c - what the drive asks of a cartridge by partition: how many there are, how
 * large, how full, and the attributes each of them has.
 */
#include "vtl/scsi/drive.h"

/* Looking into another partition needs motion, and leaves the position as it was. */
void drive_partition_tell(struct cartridge *c, uint32_t partition, struct cartridge_position *pos)
{
    struct error err = ERROR_INIT;
    struct cartridge_position here;

    cartridge_tell(c, &here);
    *pos = here;
    if (partition == here.partition)
        return;
    cartridge_locate(c, partition, 0, &err);
    cartridge_tell(c, pos);
    cartridge_locate(c, here.partition, here.lba, &err);
}

uint64_t drive_partition_remaining(struct cartridge *c, uint32_t partition)
{
    struct cartridge_position pos;

    drive_partition_tell(c, partition, &pos);
    return pos.remaining;
}

/* PEWS is counted in 10^6 bytes before early warning (SSC-5, device configuration extension). */
bool drive_beyond_pews(struct scsi_lu *lu, const struct cartridge_position *pos)
{
    uint64_t pews = get_be16(mode_page_values(lu, 0x10, 1) + 6) * UINT64_C(1000000);

    return pews && lu->drive->medium == MEDIUM_READY &&
           pos->used + pews > cartridge_early_warning(lu->drive->cartridge, pos->partition);
}

bool drive_is_blank(const struct drive *d)
{
    for (uint32_t p = 0; p < cartridge_partition_count(d->cartridge); p++) {
        struct cartridge_position pos;

        drive_partition_tell(d->cartridge, p, &pos);
        if (pos.eod_lba > 0)
            return false;
    }
    return true;
}

size_t drive_attribute_size(const struct cartridge *c, uint32_t partition, uint16_t id)
{
    uint8_t none[1];
    size_t len = 0;

    return cartridge_attribute_get(c, partition, id, none, &len, NULL) == 0 ? len : 0;
}
