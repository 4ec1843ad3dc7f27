/* SPDX-License-Identifier: Apache-2.0 */
/* drive_mode.c - mode pages of a tape drive (SSC-5 8.5), parameter header and block descriptor. */
#include "vtl/scsi/drive_codec.h"
#include "vtl/scsi/mode_pages.h"

/* ---- mode parameter header and block descriptor ---------------------------------------------- */

const struct cartridge_identity *drive_identity(struct scsi_lu *lu)
{
    return lu->drive && lu->drive->medium == MEDIUM_READY ? cartridge_identity(lu->drive->cartridge)
                                                          : NULL;
}

uint8_t lu_density(struct scsi_lu *lu)
{
    const struct cartridge_identity *id = drive_identity(lu);

    return id ? id->density : drive_native_density(lu);
}

/* LTO: generation and kind of the cartridge; 00h: none. */
uint8_t drive_medium_type(struct scsi_lu *lu)
{
    const struct cartridge_identity *id = drive_identity(lu);
    const struct medium *m = id ? medium_by_density(id->density) : NULL;

    return m ? (id->worm ? m->worm_type : m->type) : 0;
}

uint8_t drive_device_specific(struct scsi_lu *lu)
{
    const struct cartridge_identity *id = drive_identity(lu);
    bool protect = id && (cartridge_protected(lu->drive->cartridge) ||
                          !drive_writes_density(lu, id->density) || drive_software_protected(lu));

    return (uint8_t)((protect ? 0x80 : 0) | (lu->buffered ? 0x10 : 0));
}

/* ---- mode pages ------------------------------------------------------------------------------ */

/* What LTO drives come with: TB, EER; retry counts beyond counting.  Changeable: PER, which asks
 * for recovered errors to be told; there are none but informational exceptions (mode page 1Ch). */
static const uint8_t recovery[12] = {0x01, 0x0a, 0x28, 0xff, 0, 0, 0, 0, 0xff};
static const uint8_t recovery_changeable[12] = {[2] = 0x04};
static const uint8_t disconnect[16] = {0x02, 0x0e};
/* TST 0: one task set.  TAS: tasks aborted by another nexus end with TASK ABORTED.  Busy for any
 * time.  Changeable: D_SENSE, RLEC, SWP. */
static const uint8_t control[12] = {0x0a, 0x0a, 0, 0, 0, 0x40, 0, 0, 0xff, 0xff};
static const uint8_t control_changeable[12] = {[2] = 0x05, [4] = 0x08};
/* Logical block protection (SSC-5 8.5.9): method, length, LBP_W and LBP_R; RBDP is no LTO drive's.
 */
static const uint8_t protection[32] = {0x4a, 0xf0, 0x00, 0x1c};
static const uint8_t protection_changeable[32] = {[4] = 0xff, [5] = 0x3f, [6] = 0xc0};
/* DCE, DCC, DDE; the algorithm is the LTO one, which has no registered number.  Changeable: DCE;
 * what was compressed is always decompressed. */
static const uint8_t compression[16] = {0x0f, 0x0e, 0xc0, 0x80, 0, 0, 0, 0xff, 0, 0, 0, 0xff};
static const uint8_t compression_changeable[16] = {0, 0, 0x80};
/* LOIS; EEG, SEW: a write behind early warning says so; compression selected.  Changeable: SWP,
 * compression. */
static const uint8_t configuration[16] = {0x10, 0x0e, 0,    0, 0, 0, 0, 0,
                                          0x40, 0,    0x18, 0, 0, 0, 1, 0};
static const uint8_t configuration_changeable[16] = {[10] = 0x04, [14] = 0x01};
/* Device configuration extension.  Changeable: TARPF, TARPC, TAPLSD, WRITE MODE
 * (append-only), PEWS. */
static const uint8_t extension[32] = {0x50, 0x01, 0x00, 0x1c};
static const uint8_t extension_changeable[32] = {[4] = 0x0b, [5] = 0x10, [6] = 0xff, [7] = 0xff};
/* It is always active: no timer is enabled. */
static const uint8_t power[40] = {0x1a, 0x26};
/* WORM: some labels may be written over, and filemarks at the end of data but for the first (see
 * drive_protect.c). */
static const uint8_t medium_configuration[32] = {0x1d, 0x1e, 0, 0, 0x01, 0x02};
/* IBM: "vendor-specific speed matching control" of LTO drives, read by LTFS and lin_tape for what
 * the last byte says the drive can do: partitions, WORM, encryption. */
static const uint8_t abilities[8] = {0x24, 0x06, 0, 0, 0, 0, 0, 0x80 | 0x10 | 0x01};
/* IBM: read/write control.  Of its fields only the method of the logical end of partition is known
 * of an LTO drive: as much as the medium holds.  (23h, medium sense, is of 3592 drives alone.) */
static const uint8_t read_write_control[32] = {0x25, 0x1e, [5] = 0x01};
/* IBM LTO: behaviour configuration, as it is delivered; device attributes, of which there are none
 * to be set. */
static const uint8_t behavior[10] = {0x2f, 0x08, 0, 0x01, 0, 0x01, 0, 0, 0, 0x01};
static const uint8_t attributes[2] = {0x30, 0x00};

/* SWP (SSC-5 8.5.3): the host's own protection, in either page. */
bool drive_software_protected(struct scsi_lu *lu)
{
    return (mode_page_values(lu, 0x0a, 0)[4] & 0x08) || (mode_page_values(lu, 0x10, 0)[10] & 0x04);
}

static void medium_configuration_refresh(struct scsi_lu *lu, uint8_t *page)
{
    const struct cartridge_identity *id = drive_identity(lu);

    page[2] = id && id->worm; /* WORMM */
}

/* What one of the pages says of compression the other shows at once, so it is also saved so. */
static void compression_changed(struct scsi_lu *lu, uint8_t *page)
{
    (void)page;
    drive_compresses(lu);
}

static unsigned protection_check(struct scsi_lu *lu, const uint8_t *page)
{
    unsigned byte;

    (void)lu;
    return drive_protection_valid(page, &byte) ? 0 : byte;
}

const struct mode_page drive_mode_pages[DRIVE_MODE_PAGES] = {
    {.code = 0x01,
     .size = sizeof(recovery),
     .initial = recovery,
     .changeable = recovery_changeable},
    {.code = 0x02, .size = sizeof(disconnect), .initial = disconnect},
    {.code = 0x0a, .size = sizeof(control), .initial = control, .changeable = control_changeable},
    MODE_PAGE_CONTROL_EXTENSION,
    {.code = 0x0a,
     .subcode = 0xf0,
     .size = sizeof(protection),
     .initial = protection,
     .changeable = protection_changeable,
     .check = protection_check,
     .unsaved = true},
    {.code = 0x0f,
     .size = sizeof(compression),
     .initial = compression,
     .changeable = compression_changeable,
     .changed = compression_changed},
    {.code = 0x10,
     .size = sizeof(configuration),
     .initial = configuration,
     .changeable = configuration_changeable,
     .changed = compression_changed},
    {.code = 0x10,
     .subcode = 1,
     .size = sizeof(extension),
     .initial = extension,
     .changeable = extension_changeable},
    MODE_PAGE_PARTITION,
    MODE_PAGE_UNIT_ISCSI,
    MODE_PAGE_PORT_ISCSI,
    {.code = 0x1a, .size = sizeof(power), .initial = power},
    MODE_PAGE_EXCEPTIONS,
    {.code = 0x1d,
     .size = sizeof(medium_configuration),
     .initial = medium_configuration,
     .refresh = medium_configuration_refresh},
    {.code = 0x24, .size = sizeof(abilities), .initial = abilities},
    {.code = 0x25, .size = sizeof(read_write_control), .initial = read_write_control},
    {.code = 0x2f, .size = sizeof(behavior), .initial = behavior},
    {.code = 0x30, .size = sizeof(attributes), .initial = attributes},
};
