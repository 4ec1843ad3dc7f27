/* SPDX-License-Identifier: Apache-2.0 */
/* changer_rig.h - the changer's commands for test programs, and element descriptors taken apart. */
#ifndef CAPSTAN_TESTS_UNIT_CHANGER_RIG_H
#define CAPSTAN_TESTS_UNIT_CHANGER_RIG_H

#include "common/bytes.h"
#include "tests/unit/check.h"
#include "tests/unit/scsi_rig.h"

#define TUR "00 00 00 00 00 00"

static inline uint8_t move(uint16_t from, uint16_t to)
{
    uint8_t cdb[12] = {0xa5};

    put_be16(cdb + 4, from);
    put_be16(cdb + 6, to);
    return rig_send(rig.a, CHANGER, cdb, 12, NULL, 0, 0);
}

static inline uint8_t exchange(uint16_t source, uint16_t first, uint16_t second)
{
    uint8_t cdb[12] = {0xa6};

    put_be16(cdb + 4, source);
    put_be16(cdb + 6, first);
    put_be16(cdb + 8, second);
    return rig_send(rig.a, CHANGER, cdb, 12, NULL, 0, 0);
}

/* READ ELEMENT STATUS; flags: 0x10 VOLTAG in the first, 1 DVCID and 2 CURDATA in the second. */
static inline uint8_t status(unsigned type_voltag, uint16_t start, uint16_t count, unsigned dvcid,
                             uint32_t allocation)
{
    uint8_t cdb[12] = {0xb8, (uint8_t)type_voltag};

    put_be16(cdb + 2, start);
    put_be16(cdb + 4, count);
    cdb[6] = (uint8_t)dvcid;
    put_be24(cdb + 7, allocation);
    return rig_send(rig.a, CHANGER, cdb, 12, NULL, 0, allocation);
}

/* The descriptor of an element in the last answer, or NULL; checks every length on the way. */
static inline const uint8_t *descriptor(uint16_t address)
{
    const uint8_t *end = answer.in + answer.in_len, *found = NULL;
    const uint8_t *page = answer.in + 8;
    unsigned counted = 0;

    CU_ASSERT_EQUAL_FATAL(get_be24(answer.in + 5) + 8, answer.in_len);
    while (page < end) {
        uint32_t length = get_be16(page + 2), bytes = get_be24(page + 5);

        CU_ASSERT_FATAL(length >= 12 && bytes > 0 && bytes % length == 0);
        CU_ASSERT_FATAL(page + 8 + bytes <= end);
        for (const uint8_t *d = page + 8; d < page + 8 + bytes; d += length, counted++) {
            if (get_be16(d) == address)
                found = d;
        }
        page += 8 + bytes;
    }
    CU_ASSERT_EQUAL(counted, get_be16(answer.in + 2));
    return found;
}

#endif
