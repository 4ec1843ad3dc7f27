/* SPDX-License-Identifier: Apache-2.0 */
/* test_cartridge.h - what the tests of the cartridge share: a tape on a simulated disk. */
#ifndef CAPSTAN_TESTS_UNIT_TEST_CARTRIDGE_H
#define CAPSTAN_TESTS_UNIT_TEST_CARTRIDGE_H

#include "tests/unit/check.h"

#include "vtl/cartridge/cartridge.h"
#include "vtl/store/fault.h"
#include "vtl/store/simdisk.h"

static struct error err;

static inline struct cartridge_identity small_identity(void)
{
    struct cartridge_identity id;

    CHECK_OK(cartridge_identity_default(&id, "TEST01L8", 0x5e, &err), err);
    id.segment_size = 4096;
    id.capacity = 1 << 20;
    id.early_warning = 1 << 16;
    return id;
}

/* An empty tape, opened for writing; *disk is the caller's. */
static inline struct cartridge *new_tape(struct store **disk)
{
    struct cartridge_identity id = small_identity();
    struct cartridge *c = NULL;

    CHECK_OK(simdisk_open(1, disk, &err), err);
    CHECK_OK(cartridge_create(*disk, &id, &err), err);
    CHECK_OK(cartridge_open(*disk, CARTRIDGE_READ_WRITE, &c, &err), err);
    return c;
}

static inline uint32_t block_fill(uint8_t *buf, unsigned n)
{
    uint32_t len = 10 + n * 37 % 1500;

    for (uint32_t i = 0; i < len; i++)
        buf[i] = (uint8_t)(n + i * (n % 7 + 1));
    return len;
}

/* Write what the letters say: b a block (numbered from 0 on over the tape), f a filemark. */
static inline void write_tape(struct cartridge *c, const char *letters)
{
    struct cartridge_position pos;
    uint8_t buf[2000];

    for (; *letters; letters++) {
        cartridge_tell(c, &pos);
        if (*letters == 'f')
            CHECK_OK(cartridge_write_filemarks(c, 1, NULL, &err), err);
        else
            CHECK_OK(cartridge_write(c, buf, block_fill(buf, (unsigned)pos.lba), NULL, &err), err);
    }
}

/* Does block n, at the position, read back as write_tape() wrote it? */
static inline bool reads_block(struct cartridge *c, unsigned n)
{
    uint8_t expected[2000], buf[2000];
    uint32_t len = 0, want = block_fill(expected, n);

    return cartridge_read(c, buf, sizeof(buf), &len, &err) == 0 && len == want &&
           memcmp(buf, expected, len) == 0;
}

static inline bool at(struct cartridge *c, uint64_t lba, uint64_t file)
{
    struct cartridge_position pos;

    cartridge_tell(c, &pos);
    if (pos.lba != lba || pos.file != file)
        printf("\n    position is block %llu file %llu, expected %llu %llu\n",
               (unsigned long long)pos.lba, (unsigned long long)pos.file, (unsigned long long)lba,
               (unsigned long long)file);
    return pos.lba == lba && pos.file == file;
}

#endif
