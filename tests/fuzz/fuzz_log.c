/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_log.c - LOG SELECT, with and without a list, to the changer and the drives.
 *
 * An input is a LUN (byte 0) and commands: byte 0 bits 1..0 of CDB byte 1, byte 1 page, byte 2
 * subpage, byte 3 length of the list (modulo 128), and the list.
 *
 * After each, every page that is said to be supported is whole, from the first parameter on and
 * from the middle on, and what fits of a longer answer is its beginning.
 */
#include "tests/fuzz/target_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define COMMANDS_MAX 16
#define PAGE_MAX     4096
#define TAPE_ALERT   0x2e /* heeds the parameter pointer only if TARPF says so (SSC-5 8.2.9) */

static unsigned lun;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    target_rig_start();
    return 0;
}

static size_t ask(uint8_t page, uint8_t subpage, uint16_t pointer, uint16_t allocation,
                  uint8_t buf[PAGE_MAX])
{
    uint8_t cdb[10] = {0x4d, 0, (uint8_t)(0x40 | page), subpage};
    const struct target_answer *a;

    put_be16(cdb + 5, pointer);
    put_be16(cdb + 7, allocation);
    a = target_run(0, lun, cdb, 10, NULL, 0, PAGE_MAX);
    REQUIRE(a->status == SCSI_GOOD || (a->key == 5 && pointer != 0));
    memcpy(buf, a->in, a->in_len);
    return a->in_len;
}

/* Parameters in rising order up to the page's length (SPC-5 7.3.2). */
static void check_parameters(const uint8_t *page, size_t len, uint16_t from, uint16_t *middle)
{
    size_t count = 0;
    long last = -1;

    for (size_t at = 4; at < len; at += 4u + page[at + 3], count++) {
        REQUIRE(at + 4 <= len && at + 4 + page[at + 3] <= len);
        REQUIRE(get_be16(page + at) > last);
        REQUIRE(get_be16(page + at) >= from || page[0] == TAPE_ALERT);
        last = get_be16(page + at);
        if (count % 2 == 0)
            *middle = (uint16_t)last;
    }
}

static void check_page(uint8_t code, uint8_t subpage)
{
    uint8_t page[PAGE_MAX], part[PAGE_MAX];
    size_t len = ask(code, subpage, 0, PAGE_MAX, page);
    uint16_t middle = 0;

    REQUIRE(len >= 4 && (page[0] & 0x3f) == code && len == 4u + get_be16(page + 2));
    if (code == 0 || subpage == 0xff)
        return;
    check_parameters(page, len, 0, &middle);
    len = ask(code, subpage, middle, PAGE_MAX, part);
    if (len)
        check_parameters(part, len, middle, &middle);
}

static void check_all(void)
{
    uint8_t pages[PAGE_MAX];
    size_t len = ask(0x00, 0xff, 0, PAGE_MAX, pages);

    REQUIRE(len >= 4 && len % 2 == 0);
    for (size_t at = 4; at < len; at += 2)
        check_page(pages[at] & 0x3f, pages[at + 1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    target_rig_reset();
    lun = fuzz_u8(&in) % 3;
    for (unsigned i = 0; in.left > 0 && i < COMMANDS_MAX; i++) {
        uint8_t cdb[10] = {0x4c, fuzz_u8(&in) & 3}, list[128];
        size_t len;

        cdb[2] = fuzz_u8(&in);
        cdb[3] = fuzz_u8(&in);
        len = fuzz_bytes(&in, list, fuzz_u8(&in) & 0x7f);
        cdb[8] = (uint8_t)len;
        target_run(0, lun, cdb, 10, list, len, 0);
        check_all();
    }
    return 0;
}
