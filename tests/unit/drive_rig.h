/* SPDX-License-Identifier: Apache-2.0 */
/* drive_rig.h - tape commands by name, to drive 0 of the rig from nexus a. */
#ifndef CAPSTAN_TESTS_UNIT_DRIVE_RIG_H
#define CAPSTAN_TESTS_UNIT_DRIVE_RIG_H

#include "common/bytes.h"
#include "tests/unit/check.h"
#include "tests/unit/scsi_rig.h"
#include "vtl/scsi/sense.h"

#define TUR    "00 00 00 00 00 00"
#define REWIND "01 00 00 00 00 00"

/* ---- helpers --------------------------------------------------------------------------------- */

static inline uint8_t write_block(uint32_t len, uint8_t fill)
{
    uint8_t cdb[6] = {0x0a};
    uint8_t *data = malloc(len ? len : 1);
    uint8_t status;

    memset(data, fill, len);
    put_be24(cdb + 2, len);
    status = rig_send(rig.a, DRIVE, cdb, 6, data, len, 0);
    free(data);
    return status;
}

static inline uint8_t read_block(uint32_t len, bool sili)
{
    uint8_t cdb[6] = {0x08, sili ? 2 : 0};

    put_be24(cdb + 2, len);
    return rig_send(rig.a, DRIVE, cdb, 6, NULL, 0, len);
}

static inline uint8_t read_fixed(uint32_t blocks, uint32_t size)
{
    uint8_t cdb[6] = {0x08, 1};

    put_be24(cdb + 2, blocks);
    return rig_send(rig.a, DRIVE, cdb, 6, NULL, 0, (size_t)blocks * size);
}

static inline uint8_t space(unsigned code, int32_t count)
{
    uint8_t cdb[6] = {0x11, (uint8_t)code};

    put_be24(cdb + 2, (uint32_t)count);
    return rig_send(rig.a, DRIVE, cdb, 6, NULL, 0, 0);
}

static inline uint8_t space16(unsigned code, int64_t count)
{
    uint8_t cdb[16] = {0x91, (uint8_t)code};

    put_be64(cdb + 4, (uint64_t)count);
    return rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 0);
}

static inline uint8_t locate16(unsigned type, uint64_t number)
{
    uint8_t cdb[16] = {0x92, (uint8_t)(type << 3)};

    put_be64(cdb + 4, number);
    return rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 0);
}

static inline void filemarks(unsigned count)
{
    uint8_t cdb[6] = {0x10};

    put_be24(cdb + 2, count);
    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 6, NULL, 0, 0), SCSI_GOOD);
}

static inline uint64_t position(void)
{
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "34 06 00 00 00 00 00 00 00 00", NULL, 0, 32), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 32);
    return get_be64(answer.in + 8);
}

#define CHECK_POSITION(lba) CU_ASSERT_EQUAL(position(), (lba))

static inline void set_block_length(uint32_t len)
{
    uint8_t list[12] = {0, 0, 0x10, 8};

    put_be24(list + 9, len);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 0c 00", list, 12, 0), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
}

/* 4 blocks of 1000 bytes (1..4), filemark, 3 blocks (5..7), two filemarks, EOD:
 * addresses 0-3, 4, 5-7, 8, 9; end of data at 10. */
static inline void write_sample(void)
{
    for (uint8_t i = 1; i <= 4; i++)
        CU_ASSERT_EQUAL(write_block(1000, i), SCSI_GOOD);
    filemarks(1);
    for (uint8_t i = 5; i <= 7; i++)
        CU_ASSERT_EQUAL(write_block(1000, i), SCSI_GOOD);
    filemarks(2);
    rig_good(DRIVE, REWIND);
}

static inline void start_sample(void)
{
    rig_start();
    rig_load(1);
    write_sample();
}

#endif
