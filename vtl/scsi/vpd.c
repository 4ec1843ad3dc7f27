/* SPDX-License-Identifier: Apache-2.0 */
/* vpd.c - the vital product data pages (SPC-5 7.7, SSC-5 8.6): one builder a page. */
#include "vtl/scsi/internal.h"

#include "vtl/scsi/vpd.h"

void vpd_supported(struct scsi_lu *lu, struct reply *r)
{
    for (size_t i = 0; i < lu->kind->vpd_page_count; i++)
        reply_u8(r, lu->kind->vpd_pages[i].code);
    for (unsigned i = 0; i < lu->personality->vpd_count; i++)
        reply_u8(r, lu->personality->vpd[i].code); /* C0h and above: behind all others */
}

void vpd_serial(struct scsi_lu *lu, struct reply *r)
{
    reply_bytes(r, lu->serial, strlen(lu->serial));
}

void reply_t10_designator(struct reply *r, const struct scsi_lu *lu)
{
    reply_text(r, lu->personality->vendor, 8);
    reply_text(r, lu->personality->product, 16);
    reply_bytes(r, lu->serial, strlen(lu->serial));
}

static void designator_header(struct reply *r, unsigned code_set, unsigned association_type,
                              size_t len)
{
    reply_u8(r, code_set);
    reply_u8(r, association_type);
    reply_u8(r, 0);
    reply_u8(r, (unsigned)len);
}

/* Device identification (SPC-5 7.7.6): the unit by name and by NAA, then the target port. */
void vpd_identification(struct scsi_lu *lu, struct reply *r)
{
    designator_header(r, 2, 0x01, 24 + strlen(lu->serial)); /* ASCII; unit, T10 vendor id */
    reply_t10_designator(r, lu);
    designator_header(r, 1, 0x03, 8); /* binary; unit, NAA */
    reply_be64(r, lu->naa);
    designator_header(r, 1, 0x14, 4); /* binary; port, relative target port */
    reply_be32(r, 1);
    designator_header(r, 1, 0x13, 8); /* binary; port, NAA */
    reply_be64(r, lu->target->port_naa);
}

/* Extended INQUIRY data (SPC-5 7.7.7): of all it can say, only simple task attributes are true
 * (bit SIMPSUP, byte 5), and the unit is one I_T nexus' worth of attentions (LUICLR no). */
void vpd_extended(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_u8(r, 0);
    reply_u8(r, 0x01);
    reply_zero(r, 58);
}

/* Sequential-access device capabilities (SSC-5 8.6.2): WORM cartridges are honoured. */
void vpd_capabilities(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_u8(r, 0x01);
    reply_u8(r, 0);
}

void vpd_manufacturer_serial(struct scsi_lu *lu, struct reply *r)
{
    vpd_serial(lu, r);
}

/* TapeAlert flags that can come up (SSC-5 8.6.4): bit 7 of byte 0 is flag 1. */
void vpd_alerts(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    for (unsigned byte = 0; byte < 8; byte++) {
        unsigned bits = 0;

        for (unsigned bit = 0; bit < 8; bit++)
            bits |= alert_supported(byte * 8 + bit + 1) ? 0x80u >> bit : 0;
        reply_u8(r, bits);
    }
}

void vpd_automation_serial(struct scsi_lu *lu, struct reply *r)
{
    vpd_serial(&lu->target->lus[0], r);
}

/* Data transfer device element address (SSC-5 8.6.6): where the changer knows this drive. */
void vpd_element_address(struct scsi_lu *lu, struct reply *r)
{
    reply_be16(r, 0);
    reply_be16(r, library_drive_address(lu->target->library, lu->lun - 1));
}
