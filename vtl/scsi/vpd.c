/* SPDX-License-Identifier: Apache-2.0 */
/* vpd.c - the vital product data pages (SPC-5 7.7, SSC-5 8.6): one builder a page. */
#include "vtl/scsi/vpd.h"

#include <inttypes.h>
#include <stdio.h>

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

enum { BINARY = 1, ASCII = 2, UTF8 = 3 };                          /* CODE SET */
enum { OF_UNIT = 0x00, OF_PORT = 0x10, OF_DEVICE = 0x20 };         /* ASSOCIATION */
enum { TYPE_T10 = 1, TYPE_NAA = 3, TYPE_PORT = 4, TYPE_NAME = 8 }; /* DESIGNATOR TYPE */

/* SCSI name string: with its end, a multiple of four (SPC-5 7.7.6.11). */
static void name_designator(struct reply *r, unsigned association, const char *name)
{
    size_t len = strlen(name), padded = (len / 4 + 1) * 4;

    designator_header(r, UTF8, association | TYPE_NAME, padded);
    reply_bytes(r, name, len);
    reply_zero(r, padded - len);
}

/* The same of an NAA: "naa." and 16 digits. */
static void naa_name_designator(struct reply *r, unsigned association, uint64_t naa)
{
    char text[24];

    snprintf(text, sizeof(text), "naa.%016" PRIX64, naa);
    name_designator(r, association, text);
}

/* The target port by which the command came: its relative identifier, its NAA, which is the
 * device's with the identifier in the lowest bits, and its name if it has one. */
static void port_designators(const struct scsi_lu *lu, struct reply *r)
{
    uint16_t port = lu->running ? lu->running->nexus->port : 1;

    designator_header(r, BINARY, OF_PORT | TYPE_PORT, 4);
    reply_be32(r, port);
    designator_header(r, BINARY, OF_PORT | TYPE_NAA, 8);
    reply_be64(r, lu->target->port_naa ^ (port - 1u));
    for (unsigned i = 0; i < lu->target->port_count; i++)
        if (lu->target->ports[i].id == port)
            name_designator(r, OF_PORT, lu->target->ports[i].name);
}

/* Device identification (SPC-5 7.7.6): the unit by name and by NAA, then the target port, then the
 * target device. */
void vpd_identification(struct scsi_lu *lu, struct reply *r)
{
    designator_header(r, ASCII, OF_UNIT | TYPE_T10, 24 + strlen(lu->serial));
    reply_t10_designator(r, lu);
    designator_header(r, BINARY, OF_UNIT | TYPE_NAA, 8);
    reply_be64(r, lu->naa);
    port_designators(lu, r);
    naa_name_designator(r, OF_UNIT, lu->naa);
    naa_name_designator(r, OF_DEVICE, lu->target->port_naa);
}

/* Management network addresses (SPC-5 7.7.9): none. */
void vpd_addresses(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    (void)r;
}

/* Extended INQUIRY data (SPC-5 7.7.7): of all it can say, only simple task attributes are true
 * (SIMPSUP), and how long sense data may be. */
void vpd_extended(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_u8(r, 0);
    reply_u8(r, 0x01); /* SIMPSUP */
    reply_zero(r, 7);
    reply_u8(r, SENSE_ENCODED_MAX);
    reply_zero(r, 50);
}

/* Mode page policy (SPC-5 7.7.8): every page is shared by all nexuses, and each unit's own. */
void vpd_policy(struct scsi_lu *lu, struct reply *r)
{
    (void)lu;
    reply_u8(r, 0x3f);
    reply_u8(r, 0xff);
    reply_u8(r, 0x00); /* MLUS=0, shared */
    reply_u8(r, 0);
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

/* Logical block protection (SSC-5 8.6.7): the methods of mode page 0Ah/F0h, for READ, WRITE and
 * VERIFY; RECOVER BUFFERED DATA has none. */
void vpd_protection(struct scsi_lu *lu, struct reply *r)
{
    enum { LBP_W_C = 0x80, LBP_R_C = 0x40, CRC_BYTES = 4 };

    (void)lu;
    reply_zero(r, 4);
    for (unsigned method = 1; method <= 2; method++) { /* Reed-Solomon CRC, CRC32C */
        reply_u8(r, 3);                                /* what follows of the descriptor */
        reply_u8(r, method);
        reply_u8(r, CRC_BYTES);
        reply_u8(r, LBP_W_C | LBP_R_C);
    }
}
