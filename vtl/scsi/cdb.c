/* SPDX-License-Identifier: Apache-2.0 */
/* cdb.c - see cdb.h. */
#include "vtl/scsi/cdb.h"

#include "common/checked.h"
#include "vtl/scsi/scsi.h"

size_t scsi_cdb_length(uint8_t opcode)
{
    static const uint8_t length[8] = {6, 10, 10, 16, 16, 12, 16, 16};

    return length[opcode >> 5];
}

enum unit { DRIVE = 1, CHANGER = 2, BOTH = 3 };

/* Commands with data-out: SPC-5 table 31, SSC-5 table 14, SMC-3 table 4. */
static const struct {
    uint8_t opcode;
    uint8_t unit;
    uint8_t byte, mask; /* if mask is not 0: only when this bit of the CDB is set */
} data_out[] = {
    {0x0a, DRIVE, 0, 0},    /* WRITE(6) */
    {0x13, DRIVE, 1, 0x02}, /* VERIFY(6) with BYTCMP */
    {0x15, BOTH, 0, 0},     /* MODE SELECT(6) */
    {0x1d, BOTH, 0, 0},     /* SEND DIAGNOSTIC */
    {0x3b, BOTH, 0, 0},     /* WRITE BUFFER */
    {0x4c, BOTH, 0, 0},     /* LOG SELECT */
    {0x55, BOTH, 0, 0},     /* MODE SELECT(10) */
    {0x5f, BOTH, 0, 0},     /* PERSISTENT RESERVE OUT */
    {0x83, BOTH, 0, 0},     /* EXTENDED COPY */
    {0x8a, DRIVE, 0, 0},    /* WRITE(16) */
    {0x8d, BOTH, 0, 0},     /* WRITE ATTRIBUTE */
    {0x8f, DRIVE, 1, 0x02}, /* VERIFY(16) with BYTCMP */
    {0xa4, BOTH, 0, 0},     /* MAINTENANCE OUT */
    {0xb5, DRIVE, 0, 0},    /* SECURITY PROTOCOL OUT; a changer's B5h is data-in */
    {0xb6, CHANGER, 0, 0},  /* SEND VOLUME ELEMENT ADDRESS */
};

bool scsi_cdb_is_data_out(const uint8_t *cdb, bool changer)
{
    const uint8_t unit = changer ? CHANGER : DRIVE;

    for (size_t i = 0; i < ARRAY_LENGTH(data_out); i++)
        if (data_out[i].opcode == cdb[0] && (data_out[i].unit & unit))
            return data_out[i].mask == 0 || (cdb[data_out[i].byte] & data_out[i].mask);
    return false;
}

bool scsi_cdb_is_immediate(const uint8_t *cdb)
{
    static const struct {
        uint8_t opcode, bit; /* of byte 1 */
    } immed[] = {
        {0x01, 0x01}, /* REWIND */
        {0x04, 0x01}, /* FORMAT MEDIUM */
        {0x0b, 0x01}, /* SET CAPACITY */
        {0x13, 0x04}, /* VERIFY(6) */
        {0x19, 0x02}, /* ERASE(6) */
        {0x1b, 0x01}, /* LOAD UNLOAD */
        {0x2b, 0x01}, /* LOCATE(10) */
        {0x8f, 0x04}, /* VERIFY(16) */
        {0x92, 0x01}, /* LOCATE(16) */
        {0x93, 0x02}, /* ERASE(16) */
    };

    for (size_t i = 0; i < ARRAY_LENGTH(immed); i++)
        if (immed[i].opcode == cdb[0])
            return cdb[1] & immed[i].bit;
    return false;
}
