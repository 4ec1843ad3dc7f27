/* SPDX-License-Identifier: Apache-2.0 */
/* changer_pages.c - mode pages of the medium changer (SMC-3 7.3). */
#include "vtl/scsi/changer.h"
#include "vtl/scsi/mode_pages.h"

/* StorDT, StorI/E, StorST: every element but the robot's hand keeps cartridges. */
enum { KEEPS = 0x0e };

static const uint8_t disconnect[16] = {0x02, 0x0e};
static const uint8_t control[12] = {0x0a, 0x0a, 0x00, 0x00, 0x00, 0x40}; /* TAS */
static const uint8_t control_changeable[12] = {0, 0, 0x05};              /* D_SENSE, RLEC */
static const uint8_t addresses[20] = {0x1d, 0x12};
static const uint8_t geometry[4] = {0x1e, 0x02}; /* one hand, which does not turn over */
static const uint8_t capabilities[20] = {
    0x1f, 0x12,  KEEPS, 0x03,              /* VTRP, S2C: labels are read, by SMC-2 and later */
    0,    KEEPS, KEEPS, KEEPS, 0, 0, 0, 0, /* MOVE MEDIUM from hand, slot, I/E, drive to ... */
    0,    KEEPS, KEEPS, KEEPS, 0, 0, 0, 0, /* EXCHANGE MEDIUM, the same */
};

/* Extended device capabilities (SMC-3 7.3.5). */
enum { USROP = 0x02, USRCL = 0x04, RSSEA = 0x08, LCKIE = 0x02 };
static const uint8_t extended_capabilities[20] = {
    0x5f,          0x41, 0, 0x10, /* subpage format */
    USROP | USRCL,                /* a user opens and closes the import/export elements */
    RSSEA,                        /* SOURCE STORAGE ELEMENT ADDRESS is told */
    LCKIE,                        /* PREVENT locks them */
};

/* Element address assignment (SMC-3 7.3.3). */
static void addresses_refresh(struct scsi_lu *lu, uint8_t *page)
{
    struct library *lib = lu->target->library;
    const struct library_geometry *g = library_geometry(lib);

    put_be16(page + 2, library_first(lib, ELEMENT_TRANSPORT));
    put_be16(page + 4, 1);
    put_be16(page + 6, library_first(lib, ELEMENT_SLOT));
    put_be16(page + 8, (uint16_t)g->slots);
    put_be16(page + 10, library_first(lib, ELEMENT_IMPORT_EXPORT));
    put_be16(page + 12, (uint16_t)g->import_export);
    put_be16(page + 14, library_first(lib, ELEMENT_DRIVE));
    put_be16(page + 16, (uint16_t)g->drives);
}

const struct mode_page changer_mode_pages[CHANGER_MODE_PAGES] = {
    {.code = 0x02, .size = sizeof(disconnect), .initial = disconnect},
    {.code = 0x0a, .size = sizeof(control), .initial = control, .changeable = control_changeable},
    MODE_PAGE_CONTROL_EXTENSION,
    MODE_PAGE_UNIT_ISCSI,
    MODE_PAGE_PORT_ISCSI,
    MODE_PAGE_EXCEPTIONS,
    {.code = 0x1d, .size = sizeof(addresses), .initial = addresses, .refresh = addresses_refresh},
    {.code = 0x1e, .size = sizeof(geometry), .initial = geometry},
    {.code = 0x1f, .size = sizeof(capabilities), .initial = capabilities},
    {.code = 0x1f,
     .subcode = 0x41,
     .size = sizeof(extended_capabilities),
     .initial = extended_capabilities},
};
