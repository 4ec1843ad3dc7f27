/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_mode.c - MODE SELECT lists, to the drive, the changer and the disk.
 *
 * An input is a LUN (byte 0) and lists: a length byte, bit 7 MODE SELECT(10), and that many bytes.
 *
 * After each list MODE SENSE tells what it told before but for bits that may be changed (page
 * control 01b), and exactly the same if the list was refused; the other initiators are told of a
 * change if there was one, and only then (SPC-5 6.14); and MODE SENSE(6) and (10) say the same.
 */
#include "tests/fuzz/target_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define LISTS_MAX 24
#define ALL_MAX   2048
enum { CURRENT, CHANGEABLE, DEFAULTS };

static unsigned lun;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    target_rig_start();
    return 0;
}

/* All pages and subpages: with the header of MODE SENSE(10), whose length is checked. */
static size_t sense_all(unsigned page_control, uint8_t *buf)
{
    uint8_t cdb[10] = {0x5a, 0, (uint8_t)(page_control << 6 | 0x3f), 0xff, 0, 0, 0, ALL_MAX >> 8};
    const struct target_answer *a = target_run(0, lun, cdb, 10, NULL, 0, ALL_MAX);

    REQUIRE(a->status == SCSI_GOOD && a->in_len >= 8);
    REQUIRE(a->in_len == 2u + get_be16(a->in));
    memcpy(buf, a->in, a->in_len);
    return a->in_len;
}

static size_t page_size(const uint8_t *page)
{
    return page[0] & 0x40 ? 4u + get_be16(page + 2) : 2u + page[1];
}

/* MODE SENSE(6) has the same descriptor and pages, less those that do not fit into 256 bytes. */
static void check_six(const uint8_t *ten, size_t len)
{
    static const uint8_t cdb[6] = {0x1a, 0, 0x3f, 0xff, 0xff};
    const struct target_answer *a = target_run(0, lun, cdb, 6, NULL, 0, 255);
    size_t descriptor = get_be16(ten + 6), at = 4 + descriptor, total = 1u + a->in[0];

    REQUIRE(a->status == SCSI_GOOD && a->in_len >= at && a->in_len <= total);
    REQUIRE(a->in[1] == ten[2] && a->in[2] == ten[3] && a->in[3] == descriptor);
    REQUIRE(memcmp(a->in + 4, ten + 8, descriptor) == 0);
    for (size_t i = 8 + descriptor; i < len; i += page_size(ten + i)) {
        size_t size = page_size(ten + i), here = size < a->in_len - at ? size : a->in_len - at;

        if (at + size <= total && memcmp(a->in + at, ten + i, here) == 0)
            at = at + size < a->in_len ? at + size : a->in_len; /* byte 256 is never seen */
        else                                                    /* left out, as it must be */
            REQUIRE(at + size > 255);
    }
}

/* Pages follow each other to the very end. */
static void check_pages(const uint8_t *all, size_t len)
{
    size_t at = 8u + get_be16(all + 6);

    while (at < len) {
        REQUIRE(at + (all[at] & 0x40 ? 4u : 2u) <= len);
        at += page_size(all + at);
    }
    REQUIRE(at == len);
}

static const struct target_answer *select_list(const uint8_t *list, size_t len, bool ten)
{
    uint8_t six_cdb[6] = {0x15, 0x10, 0, 0, (uint8_t)len};
    uint8_t ten_cdb[10] = {0x55, 0x10, 0, 0, 0, 0, 0, 0, (uint8_t)len};

    return target_run(0, lun, ten ? ten_cdb : six_cdb, ten ? 10 : 6, list, len, 0);
}

static bool others_are_told(void)
{
    static const uint8_t tur[6];
    const struct target_answer *a = target_run(1, lun, tur, 6, NULL, 0, 0);

    return a->status == SCSI_CHECK_CONDITION && a->key == 6 && a->code == 0x2a01;
}

/* Behind the header, only what may change has changed; of the header, the buffered mode. */
static void check_changes(const uint8_t *before, const uint8_t *after, const uint8_t *changeable,
                          size_t len)
{
    REQUIRE(memcmp(before, after, 3) == 0 && memcmp(before + 4, after + 4, 4) == 0);
    for (size_t i = 8; i < len; i++)
        REQUIRE(((before[i] ^ after[i]) & ~changeable[i]) == 0);
}

/* Without page 11h, which is as long as the partitions chosen are many; the new length. */
static size_t cut_division(uint8_t *all, size_t len)
{
    size_t at = 8u + get_be16(all + 6), size;

    while (at < len && (all[at] & 0x7f) != 0x11)
        at += page_size(all + at);
    if (at == len)
        return len;
    size = page_size(all + at);
    memmove(all + at, all + at + size, len - at - size);
    memset(all, 0, 2); /* MODE DATA LENGTH counts it, too */
    return len - size;
}

/* TEST of page 1Ch has other commands tell of a false alarm, which is not the subject here. */
static void no_alarm(uint8_t *list, size_t len)
{
    for (size_t i = 0; i + 2 < len; i++) {
        if (list[i] == 0x1c && list[i + 1] == 0x0a)
            list[i + 2] &= (uint8_t)~0x04;
    }
}

static void one_list(struct fuzz_input *in)
{
    uint8_t before[ALL_MAX], after[ALL_MAX], changeable[ALL_MAX], list[128];
    uint8_t how = fuzz_u8(in);
    size_t len = fuzz_bytes(in, list, how & 0x7f), size = sense_all(CURRENT, before);
    size_t masks = sense_all(CHANGEABLE, changeable), new_size;
    const struct target_answer *a;
    bool accepted, changed;

    no_alarm(list, len);
    a = select_list(list, len, how & 0x80);
    if (a->status != SCSI_GOOD)
        REQUIRE(a->key == 5 || a->key == 7);
    accepted = a->status == SCSI_GOOD;
    new_size = sense_all(CURRENT, after);
    changed = new_size != size || memcmp(before, after, size) != 0;
    REQUIRE(accepted || !changed);
    check_pages(after, new_size);
    check_six(after, new_size);
    REQUIRE(others_are_told() == changed);
    size = cut_division(before, size);
    REQUIRE(cut_division(after, new_size) == size && cut_division(changeable, masks) == size);
    check_changes(before, after, changeable, size);
    for (unsigned n = 0; n < TARGET_NEXUSES; n++)
        target_take_attentions(n, lun);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    target_rig_reset();
    lun = fuzz_u8(&in) % TARGET_LUNS;
    for (unsigned i = 0; in.left > 0 && i < LISTS_MAX; i++)
        one_list(&in);
    return 0;
}
