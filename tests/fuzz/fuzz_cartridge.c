/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_cartridge.c - a cartridge made of the input is opened for reading and for writing, read,
 * positioned, verified and written to.
 *
 * The input is a row of objects: {which: 0 identity, 1 super.a, 2 super.b, 254 identity.copy, 255
 * scrub, else segment which - 2; sign: 1 its checksums are put right first; length, le32; bytes}.
 * Signed objects carry the fuzzer past the checksums, as somebody would who means harm.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/log.h"
#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/format.h"
#include "vtl/cartridge/scrub.h"
#include "vtl/store/simdisk.h"

#define SEGMENTS 8
#define STEPS    200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sign_segment(uint8_t *p, size_t len)
{
    const uint8_t *before = p;
    size_t before_size = SEGMENT_HEADER_SIZE, at = SEGMENT_HEADER_SIZE;
    uint64_t epoch;

    if (len < SEGMENT_HEADER_SIZE)
        return;
    epoch = get_le64(p + 40);
    put_le32(p + 124, crc32c(p, 124));
    while (len - at >= RECORD_HEADER_SIZE) {
        uint32_t stored = get_le32(p + at + 44);

        put_le64(p + at + 16, epoch);
        put_le32(p + at + 56, record_chain(before, before_size, epoch));
        if (stored <= len - at - RECORD_HEADER_SIZE)
            put_le32(p + at + 48, crc32c(p + at + RECORD_HEADER_SIZE, stored));
        put_le32(p + at + 60, crc32c(p + at, 60));
        if (record_extent(stored) > len - at)
            break;
        before = p + at;
        before_size = RECORD_HEADER_SIZE;
        at += (size_t)record_extent(stored);
    }
}

static void sign(unsigned which, uint8_t *p, size_t len)
{
    if ((which == 0 || which == 254) && len >= IDENTITY_SIZE) {
        put_le32(p + 252, crc32c(p, 252));
    } else if ((which == 1 || which == 2) && len >= 128) {
        put_le32(p + 120, crc32c(p + 128, len - 128));
        put_le32(p + 124, crc32c(p, 124));
    } else if (which == 255 && len >= 64) {
        put_le32(p + 56, crc32c(p + 64, len - 64));
        put_le32(p + 60, crc32c(p, 60));
    } else if (which > 2 && which < 254) {
        sign_segment(p, len);
    }
}

static void put_object(struct store *disk, unsigned which, bool signing, const uint8_t *data,
                       size_t len)
{
    static const char *const names[] = {"identity", "super.a", "super.b"};
    uint8_t *copy = malloc(len + 1);
    char name[32];

    if (!copy)
        abort();
    memcpy(copy, data, len);
    if (signing)
        sign(which, copy, len);
    if (which < 3)
        snprintf(name, sizeof(name), "%s", names[which]);
    else if (which >= 254)
        snprintf(name, sizeof(name), "%s", which == 255 ? "scrub" : "identity.copy");
    else
        snprintf(name, sizeof(name), "seg-%016x", (which - 3) % SEGMENTS + 1);
    (void)store_put(disk, name, copy, len, NULL);
    free(copy);
}

static void unpack(struct store *disk, const uint8_t *data, size_t size)
{
    while (size >= 6) {
        size_t len = get_le32(data + 2);

        len = len < size - 6 ? len : size - 6;
        put_object(disk, data[0], data[1] & 1, data + 6, len);
        data += 6 + len;
        size -= 6 + len;
    }
}

static void read_some(struct cartridge *c)
{
    static uint8_t buf[65536];
    struct cartridge_position pos;
    uint64_t moved;
    uint32_t len;

    for (int i = 0; i < STEPS; i++)
        if (cartridge_read(c, buf, sizeof(buf), &len, NULL) == -ERR_END_OF_DATA)
            break;
    cartridge_tell(c, &pos);
    (void)cartridge_space_blocks(c, -3, &moved, NULL);
    (void)cartridge_space_filemarks(c, -1, &moved, NULL);
    (void)cartridge_space_filemarks(c, 2, &moved, NULL);
    (void)cartridge_space_blocks(c, INT64_MAX, &moved, NULL);
    (void)cartridge_locate(c, 0, pos.eod_lba / 2, NULL);
    (void)cartridge_read(c, buf, sizeof(buf), &len, NULL);
    (void)cartridge_locate_file(c, 0, 1, NULL);
    (void)cartridge_read(c, buf, sizeof(buf), &len, NULL);
}

static int count_entry(void *ctx, const struct cartridge_quarantine *entry)
{
    *(uint64_t *)ctx += entry->count;
    return 0;
}

/* What the input's quarantine says, then what a scrub finds, which goes on with its pass. */
static void scrub(struct cartridge *c)
{
    struct cartridge_scrub_options options = {.restart = false};
    struct cartridge_scrub_report report;
    struct cartridge_scrub_state state;
    uint64_t sum = 0;

    (void)cartridge_quarantine(c, count_entry, &sum);
    cartridge_scrub_state(c, &state);
    if (sum != state.quarantined)
        abort();
    (void)cartridge_scrub(c, &options, &report, NULL);
    cartridge_scrub_state(c, &state);
}

static void use(struct store *disk, enum cartridge_mode mode)
{
    struct cartridge_report report;
    struct cartridge *c = NULL;
    uint8_t value[64];
    size_t len = sizeof(value);

    if (cartridge_open(disk, mode, &c, NULL) != 0)
        return;
    read_some(c);
    (void)cartridge_attribute_get(c, 0, 0x0800, value, &len, NULL);
    if (mode == CARTRIDGE_READ_ONLY) {
        (void)cartridge_verify(c, &report, NULL);
        (void)cartridge_refresh(c, NULL);
        scrub(c);
    } else {
        (void)cartridge_locate(c, 0, 1, NULL);
        (void)cartridge_write(c, "fuzz", 4, NULL, NULL);
        (void)cartridge_write_filemarks(c, 1, NULL, NULL);
        (void)cartridge_sync(c, NULL, NULL);
        (void)cartridge_attribute_set(c, 0, 0x0800, "fuzz", 4, NULL);
    }
    cartridge_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct store *disk;

    log_set_level(LOG_LEVEL_ERROR);
    if (simdisk_open(1, &disk, NULL) != 0)
        return 0;
    unpack(disk, data, size);
    use(disk, CARTRIDGE_READ_ONLY);
    use(disk, CARTRIDGE_READ_WRITE);
    use(disk, CARTRIDGE_READ_ONLY); /* what was just written */
    store_close(disk);
    return 0;
}
