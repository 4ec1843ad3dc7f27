/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_changer.c - MOVE MEDIUM, EXCHANGE MEDIUM and what goes with them, against a map of who is
 * where.
 *
 * An input is commands: byte 0 which, bytes 1 to 3 elements (ends of a move, ranges) out of all
 * that there are and a few that are not, byte 4 options.
 *
 * A move that is possible is done, one that is not changes nothing; the library, and READ ELEMENT
 * STATUS with volume tags, say what the map says; no cartridge is ever lost or in two places.
 */
#include "tests/fuzz/target_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define COMMANDS_MAX 24
#define ELEMENTS     (1 + TARGET_IE + 2 + TARGET_SLOTS)
#define NOBODY       TARGET_TAPES
#define STATUS_MAX   4096

/* The hand, import/export elements, drives, slots; then addresses of nothing. */
static const uint16_t addresses[ELEMENTS + 3] = {0x0000, 0x0010, 0x0011, 0x0100, 0x0101, 0x0400,
                                                 0x0401, 0x0402, 0x0403, 0x0012, 0x0102, 0xffff};

static unsigned in_element[ELEMENTS]; /* which tape; NOBODY */
static bool hindered;                 /* a prevent or a door may be in the way */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    target_rig_start();
    return 0;
}

static bool is_place(unsigned e)
{
    return e > 0 && e < ELEMENTS;
}

/* ---- the map --------------------------------------------------------------------------------- */

static void map_start(void)
{
    for (unsigned e = 0; e < ELEMENTS; e++)
        in_element[e] = NOBODY;
    in_element[3] = 0; /* drive 0 */
    in_element[5] = 1;
    in_element[6] = 2;
    hindered = false;
}

static void check_library(void)
{
    for (unsigned e = 0; e < ELEMENTS; e++) {
        struct library_element element;

        REQUIRE(library_element(target_library(), addresses[e], &element, NULL) == 0);
        REQUIRE(element.full == (in_element[e] != NOBODY));
        if (element.full)
            REQUIRE(strcmp(element.barcode, target_barcode(in_element[e])) == 0);
    }
}

static unsigned element_at(unsigned address)
{
    unsigned e = 0;

    while (e < ELEMENTS && addresses[e] != address)
        e++;
    REQUIRE(e < ELEMENTS);
    return e;
}

/* SMC-3 6.10: pages of one type each, descriptors of one length each, all of it counted. */
static void check_status(void)
{
    static const uint8_t cdb[12] = {0xb8, 0x10, 0, 0, 0xff, 0xff, 0, 0, STATUS_MAX >> 8};
    const struct target_answer *a = target_run(1, 0, cdb, 12, NULL, 0, STATUS_MAX);
    size_t at = 8, count = 0;

    REQUIRE(a->status == SCSI_GOOD && a->in_len >= 8 && a->in_len == 8 + get_be24(a->in + 5));
    REQUIRE(get_be16(a->in + 2) == ELEMENTS);
    while (at < a->in_len) {
        size_t size = get_be16(a->in + at + 2), end = at + 8 + get_be24(a->in + at + 5);

        REQUIRE(size >= 12 + 36 && end <= a->in_len && (end - at - 8) % size == 0);
        for (at += 8; at < end; at += size, count++) {
            const uint8_t *d = a->in + at;
            unsigned e = element_at(get_be16(d));
            bool full = d[2] & 0x01;

            REQUIRE(full == (in_element[e] != NOBODY));
            if (full)
                REQUIRE(memcmp(d + 12, target_barcode(in_element[e]), 8) == 0);
        }
    }
    REQUIRE(count == ELEMENTS);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void move(unsigned from, unsigned to)
{
    uint8_t cdb[12] = {0xa5};
    bool possible =
        is_place(from) && is_place(to) && in_element[from] != NOBODY && in_element[to] == NOBODY;
    const struct target_answer *a;

    put_be16(cdb + 4, addresses[from]);
    put_be16(cdb + 6, addresses[to]);
    a = target_run(0, 0, cdb, 12, NULL, 0, 0);
    REQUIRE(a->status == SCSI_GOOD ? possible : !possible || hindered);
    if (a->status != SCSI_GOOD)
        return;
    in_element[to] = in_element[from];
    in_element[from] = NOBODY;
}

/* SMC-3 6.3: what is in `first` goes to `second`, and what is in `from` to `first`. */
static void exchange(unsigned from, unsigned first, unsigned second)
{
    uint8_t cdb[12] = {0xa6};
    bool places = is_place(from) && is_place(first) && is_place(second);
    bool possible = places && from != first && first != second && in_element[from] != NOBODY &&
                    in_element[first] != NOBODY && (in_element[second] == NOBODY || second == from);
    const struct target_answer *a;
    unsigned carried;

    put_be16(cdb + 4, addresses[from]);
    put_be16(cdb + 6, addresses[first]);
    put_be16(cdb + 8, addresses[second]);
    a = target_run(0, 0, cdb, 12, NULL, 0, 0);
    REQUIRE(a->status == SCSI_GOOD ? possible : !possible || hindered);
    if (a->status != SCSI_GOOD)
        return;
    carried = in_element[from];
    in_element[from] = NOBODY;
    in_element[second] = in_element[first];
    in_element[first] = carried;
}

/* Commands that change no place: whatever they are given. */
static void other(uint8_t which, const uint8_t *p, uint8_t options)
{
    static const struct {
        uint8_t opcode, length;
    } commands[] = {{0x07, 6},  {0x37, 10}, {0xe7, 10}, {0x2b, 10}, {0xb5, 12}, {0xb6, 12},
                    {0xb8, 12}, {0x00, 6},  {0x1b, 6},  {0xb1, 12}, {0x1e, 6}};
    unsigned n = which % (sizeof(commands) / sizeof(commands[0]));
    uint8_t cdb[12] = {commands[n].opcode, options & 0x1f};
    uint8_t template[40] = "FUZ0*";

    if (n >= 8) { /* doors and prevention */
        hindered = true;
        cdb[1] = 0;
        cdb[4] = options & 3;
        put_be16(cdb + 2, n == 10 ? 0 : addresses[p[0]]);
    } else if (n > 0) {
        put_be16(cdb + 2, addresses[p[0]]);
        put_be16(cdb + (n == 3 || n >= 4 ? 4 : 6), addresses[p[1]]);
    }
    if (n == 5)
        cdb[9] = 40;
    if (n == 4 || n == 6)
        put_be16(cdb + 8, 512);
    target_run(options >> 7, n == 10 ? options >> 6 & 1 : 0, cdb, commands[n].length, template,
               n == 5 ? 40 : 0, n == 4 || n == 6 ? 512 : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    target_rig_reset();
    map_start();
    check_library();
    for (unsigned i = 0; in.left > 0 && i < COMMANDS_MAX; i++) {
        uint8_t which = fuzz_u8(&in), p[3];

        for (unsigned j = 0; j < 3; j++)
            p[j] = fuzz_u8(&in) % (ELEMENTS + 3);
        if (which % 4 == 0)
            other(which / 4, p, fuzz_u8(&in));
        else if (which % 4 == 1)
            exchange(p[0], p[1], p[2]);
        else
            move(p[0], p[1]);
        target_take_attentions(0, 0);
        target_take_attentions(1, 0);
        check_library();
        check_status();
    }
    return 0;
}
