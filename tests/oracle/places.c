/* SPDX-License-Identifier: Apache-2.0 */
/* places.c - where sequences begin, and of what steps they are made. */
#include <stdlib.h>
#include <string.h>

#include "tests/oracle/oracle.h"

/* Tapes are spelled: d a block of 512 bytes, s a short one of 100, l a long one of 1000, k one of
 * 65536, f a filemark; 12d is twelve of them.  Addresses of SAMPLE: dds are 0 to 2, f 3, dld 4 to
 * 6, ff 7 and 8, dd 9 and 10, end of data 11.  A slash begins the next partition. */
#define SAMPLE "ddsfdldffdd"
#define END    11
#define ALMOST "11df" /* RIG_FULL: one more block, and early warning is behind */
#define WARNED "11dfdfdd"
#define FULL   "11dfdfddd"   /* 384 bytes are left */
#define PARTS  "ddfd/dfdfd/" /* RIG_DIVIDED */

static const uint64_t division[] = {16384, 4096, 2048};

const struct oracle_place oracle_places[] = {
    {.name = "empty", .tape = RIG_PLAIN, .objects = ""},
    {.name = "bop", .tape = RIG_PLAIN, .objects = SAMPLE},
    {.name = "in a file", .tape = RIG_PLAIN, .objects = SAMPLE, .at = 1},
    {.name = "before a filemark", .tape = RIG_PLAIN, .objects = SAMPLE, .at = 3},
    {.name = "behind a filemark", .tape = RIG_PLAIN, .objects = SAMPLE, .at = 4},
    {.name = "at a long block", .tape = RIG_PLAIN, .objects = SAMPLE, .at = 5},
    {.name = "before two filemarks", .tape = RIG_PLAIN, .objects = SAMPLE, .at = 7},
    {.name = "between two filemarks", .tape = RIG_PLAIN, .objects = SAMPLE, .at = 8},
    {.name = "behind two filemarks", .tape = RIG_PLAIN, .objects = SAMPLE, .at = 9},
    {.name = "end of data", .tape = RIG_PLAIN, .objects = SAMPLE, .at = END},
    {.name = "filemark at the end", .tape = RIG_PLAIN, .objects = "ddff", .at = 4},
    {.name = "only filemarks", .tape = RIG_PLAIN, .objects = "fff", .at = 1},
    {.name = "fixed, bop", .tape = RIG_PLAIN, .objects = SAMPLE, .block_length = 512},
    {.name = "fixed, behind a filemark",
     .tape = RIG_PLAIN,
     .objects = SAMPLE,
     .at = 4,
     .block_length = 512},
    {.name = "fixed, end of data",
     .tape = RIG_PLAIN,
     .objects = SAMPLE,
     .at = END,
     .block_length = 512},
    {.name = "unbuffered", .tape = RIG_PLAIN, .objects = SAMPLE, .at = 4, .unbuffered = true},
    {.name = "descriptor sense",
     .tape = RIG_PLAIN,
     .objects = SAMPLE,
     .at = 4,
     .descriptors = true},
    {.name = "software write protect",
     .tape = RIG_PLAIN,
     .objects = SAMPLE,
     .at = 4,
     .software_protect = true},
    {.name = "before early warning", .tape = RIG_FULL, .objects = ALMOST, .at = 12},
    {.name = "behind early warning", .tape = RIG_FULL, .objects = WARNED, .at = 16},
    {.name = "within early warning", .tape = RIG_FULL, .objects = WARNED, .at = 15},
    {.name = "end of partition", .tape = RIG_FULL, .objects = FULL, .at = 17},
    {.name = "fixed, end of partition",
     .tape = RIG_FULL,
     .objects = FULL,
     .at = 15,
     .block_length = 512},
    {.name = "before programmable warning",
     .tape = RIG_LARGE,
     .objects = "30k",
     .at = 30,
     .pews = 1},
    {.name = "behind programmable warning",
     .tape = RIG_LARGE,
     .objects = "31k",
     .at = 31,
     .pews = 1},
    {.name = "write-protected, bop", .tape = RIG_PROTECTED, .objects = SAMPLE},
    {.name = "write-protected, in a file", .tape = RIG_PROTECTED, .objects = SAMPLE, .at = 5},
    {.name = "write-protected, end of data", .tape = RIG_PROTECTED, .objects = SAMPLE, .at = END},
    {.name = "worm, in a file", .tape = RIG_WORM, .objects = SAMPLE, .at = 4},
    {.name = "worm, end of data", .tape = RIG_WORM, .objects = SAMPLE, .at = END},
    {.name = "worm, filemarks at the end", .tape = RIG_WORM, .objects = "ddsff", .at = 4},
    {.name = "worm, before filemarks", .tape = RIG_WORM, .objects = "ddsff", .at = 3},
    {.name = "worm, a label", .tape = RIG_WORM, .objects = "sf"},
    {.name = "append-only, bop", .tape = RIG_PLAIN, .objects = SAMPLE, .append_only = true},
    {.name = "append-only, in a file",
     .tape = RIG_PLAIN,
     .objects = SAMPLE,
     .at = 4,
     .append_only = true},
    {.name = "append-only, end of data",
     .tape = RIG_PLAIN,
     .objects = SAMPLE,
     .at = END,
     .append_only = true},
    {.name = "append-only, filemarks at the end",
     .tape = RIG_PLAIN,
     .objects = "ddff",
     .at = 3,
     .append_only = true},
    {.name = "partition 0, bop", .tape = RIG_DIVIDED, .objects = PARTS},
    {.name = "partition 0, end of data", .tape = RIG_DIVIDED, .objects = PARTS, .at = 4},
    {.name = "partition 1, bop", .tape = RIG_DIVIDED, .objects = PARTS, .partition = 1},
    {.name = "partition 1, in a file",
     .tape = RIG_DIVIDED,
     .objects = PARTS,
     .partition = 1,
     .at = 3},
    {.name = "partition 1, end of data",
     .tape = RIG_DIVIDED,
     .objects = PARTS,
     .partition = 1,
     .at = 5},
    {.name = "partition 1, before a filemark",
     .tape = RIG_DIVIDED,
     .objects = PARTS,
     .partition = 1,
     .at = 1},
    {.name = "partition 1, fixed",
     .tape = RIG_DIVIDED,
     .objects = PARTS,
     .partition = 1,
     .at = 2,
     .block_length = 512},
    {.name = "partition 1, behind early warning",
     .tape = RIG_DIVIDED,
     .objects = "d/6dfd/",
     .partition = 1,
     .at = 8},
    {.name = "partition 2, empty", .tape = RIG_DIVIDED, .objects = PARTS, .partition = 2},
    {.name = "no cartridge", .medium = MODEL_ABSENT},
    {.name = "unloaded", .tape = RIG_PLAIN, .objects = SAMPLE, .medium = MODEL_EJECTED},
    {.name = "held", .tape = RIG_PLAIN, .objects = SAMPLE, .medium = MODEL_HELD},
};
const size_t oracle_place_count = sizeof(oracle_places) / sizeof(oracle_places[0]);

static uint32_t length_of(char letter)
{
    switch (letter) {
    case 'd':
        return 512;
    case 's':
        return 100;
    case 'l':
        return 1000;
    case 'k':
        return 65536;
    default:
        return MODEL_FILEMARK;
    }
}

/* The letter, so many times, at the end of data. */
static void spell_object(char letter, unsigned long times, struct model_partition *p)
{
    for (; times; times--) {
        struct model_object *o = &p->objects[p->count];

        o->len = length_of(letter);
        o->seed = o->len == MODEL_FILEMARK ? 0 : 1000 + p->count;
        p->count++;
    }
}

static void spell(const char *text, struct model_tape *tape)
{
    struct model_partition *p = tape->partitions;

    while (*text) {
        char *letter;
        unsigned long times = strtoul(text, &letter, 10);

        if (*letter == '/')
            p++;
        else
            spell_object(*letter, times ? times : 1, p);
        text = letter + 1;
    }
}

static void divide(struct model_tape *tape)
{
    tape->partition_count = sizeof(division) / sizeof(division[0]);
    for (uint32_t p = 0; p < tape->partition_count; p++)
        tape->partitions[p].capacity = division[p];
}

void oracle_place_model(const struct oracle_place *place, struct model *m)
{
    uint64_t capacity, early_warning;

    rig_tape_size(place->tape, &capacity, &early_warning);
    model_init(m, capacity, early_warning);
    if (place->medium != MODEL_ABSENT)
        spell(place->objects, &m->tape);
    if (place->tape == RIG_DIVIDED)
        divide(&m->tape);
    m->partition = place->partition;
    m->tape.worm = place->tape == RIG_WORM;
    m->tape.protect = place->tape == RIG_PROTECTED;
    m->at = place->at;
    m->block_length = place->block_length;
    m->buffered = !place->unbuffered;
    m->software_protect = place->software_protect;
    m->descriptors = place->descriptors;
    m->append_only = place->append_only;
    m->pews = place->pews;
    m->medium = place->medium;
}

/* ---- steps ----------------------------------------------------------------------------------- */

#define SELECT(descriptor) "15 10 00 00 0c 00", "00 00 10 08 00 00 00 00 00 " descriptor

const struct oracle_step oracle_steps[] = {
    {.name = "ready?", .cdb = "00 00 00 00 00 00"},
    {.name = "ready? of the other", .cdb = "00 00 00 00 00 00", .nexus = 1},
    {.name = "read 512", .cdb = "08 00 00 02 00 00", .reduced = 1},
    {.name = "read 1000", .cdb = "08 00 00 03 e8 00"},
    {.name = "read 100", .cdb = "08 00 00 00 64 00", .reduced = 1},
    {.name = "read 100 sili", .cdb = "08 02 00 00 64 00"},
    {.name = "read 1000 sili", .cdb = "08 02 00 03 e8 00"},
    {.name = "read 0", .cdb = "08 00 00 00 00 00"},
    {.name = "read 512, half the room", .cdb = "08 00 00 02 00 00", .short_room = true},
    {.name = "read fixed 0", .cdb = "08 01 00 00 00 00"},
    {.name = "read fixed 1", .cdb = "08 01 00 00 01 00", .reduced = 1},
    {.name = "read fixed 3", .cdb = "08 01 00 00 03 00"},
    {.name = "read fixed 8", .cdb = "08 01 00 00 08 00"},
    {.name = "read fixed sili", .cdb = "08 03 00 00 01 00"},
    {.name = "read fixed 2, half the room", .cdb = "08 01 00 00 02 00", .short_room = true},
    {.name = "read of the other", .cdb = "08 00 00 02 00 00", .nexus = 1},
    {.name = "read16 at 0", .cdb = "88 00 00 00 00 00 00 00 00 00 00 00 00 02 00 00"},
    {.name = "read16 at 4", .cdb = "88 00 00 00 00 00 00 00 00 00 00 04 00 02 00 00"},
    {.name = "read16 0 at 4", .cdb = "88 00 00 00 00 00 00 00 00 00 00 04 00 00 00 00"},
    {.name = "read16 at 40", .cdb = "88 00 00 00 00 00 00 00 00 00 00 28 00 02 00 00"},
    {.name = "read16 fixed 3 at 4", .cdb = "88 01 00 00 00 00 00 00 00 00 00 04 00 00 03 00"},
    {.name = "read16 in partition 3", .cdb = "88 00 00 03 00 00 00 00 00 00 00 00 00 02 00 00"},
    {.name = "reverse 512", .cdb = "0f 00 00 02 00 00", .reduced = 1},
    {.name = "reverse 512 as written", .cdb = "0f 04 00 02 00 00"},
    {.name = "reverse 100", .cdb = "0f 00 00 00 64 00"},
    {.name = "reverse 1000 sili", .cdb = "0f 02 00 03 e8 00"},
    {.name = "reverse 0", .cdb = "0f 00 00 00 00 00"},
    {.name = "reverse fixed 1", .cdb = "0f 01 00 00 01 00"},
    {.name = "reverse fixed 4", .cdb = "0f 01 00 00 04 00"},
    {.name = "reverse16 at 4", .cdb = "81 00 00 00 00 00 00 00 00 00 00 04 00 02 00 00"},
    {.name = "verify 512", .cdb = "13 00 00 02 00 00"},
    {.name = "verify 0", .cdb = "13 00 00 00 00 00"},
    {.name = "verify 512 compare", .cdb = "13 02 00 02 00 00", .data = ORACLE_MATCH},
    {.name = "verify 512 compare, other data", .cdb = "13 02 00 02 00 00"},
    {.name = "verify 512 compare, last byte", .cdb = "13 02 00 02 00 00", .data = ORACLE_DIFFERS},
    {.name = "verify 1000 compare", .cdb = "13 02 00 03 e8 00", .data = ORACLE_MATCH},
    {.name = "verify compare, half the data", .cdb = "13 02 00 02 00 00", .short_room = true},
    {.name = "verify fixed 3", .cdb = "13 01 00 00 03 00"},
    {.name = "verify fixed 1 compare", .cdb = "13 03 00 00 01 00", .data = ORACLE_MATCH},
    {.name = "verify16 at 4", .cdb = "8f 00 00 00 00 00 00 00 00 00 00 04 00 02 00 00"},
    {.name = "write 512", .cdb = "0a 00 00 02 00 00", .reduced = 1},
    {.name = "write 100", .cdb = "0a 00 00 00 64 00"},
    {.name = "write 1500", .cdb = "0a 00 00 05 dc 00"},
    {.name = "write 60000", .cdb = "0a 00 00 ea 60 00"},
    {.name = "write 0", .cdb = "0a 00 00 00 00 00"},
    {.name = "write 512, half of it sent", .cdb = "0a 00 00 02 00 00", .short_room = true},
    {.name = "write fixed 1", .cdb = "0a 01 00 00 01 00"},
    {.name = "write fixed 4", .cdb = "0a 01 00 00 04 00"},
    {.name = "write of the other", .cdb = "0a 00 00 02 00 00", .nexus = 1},
    {.name = "write16 at 4", .cdb = "8a 00 00 00 00 00 00 00 00 00 00 04 00 02 00 00"},
    {.name = "write16 0 at 4", .cdb = "8a 00 00 00 00 00 00 00 00 00 00 04 00 00 00 00"},
    {.name = "write16 at 40", .cdb = "8a 00 00 00 00 00 00 00 00 00 00 28 00 02 00 00"},
    {.name = "filemarks 0", .cdb = "10 00 00 00 00 00", .reduced = 1},
    {.name = "filemarks 1", .cdb = "10 00 00 00 01 00", .reduced = 1},
    {.name = "filemarks 2", .cdb = "10 00 00 00 02 00"},
    {.name = "filemarks 0 immed", .cdb = "10 01 00 00 00 00"},
    {.name = "filemarks 1 immed", .cdb = "10 01 00 00 01 00"},
    {.name = "filemarks 200", .cdb = "10 00 00 00 c8 00"},
    {.name = "filemarks16 1 at 4", .cdb = "80 00 00 00 00 00 00 00 00 00 00 04 00 00 01 00"},
    {.name = "filemarks16 0 at 4", .cdb = "80 00 00 00 00 00 00 00 00 00 00 04 00 00 00 00"},
    {.name = "space 1", .cdb = "11 00 00 00 01 00", .reduced = 1},
    {.name = "space -1", .cdb = "11 00 ff ff ff 00", .reduced = 1},
    {.name = "space 3", .cdb = "11 00 00 00 03 00"},
    {.name = "space -3", .cdb = "11 00 ff ff fd 00"},
    {.name = "space 1000", .cdb = "11 00 00 03 e8 00"},
    {.name = "space -1000", .cdb = "11 00 ff fc 18 00"},
    {.name = "space 0", .cdb = "11 00 00 00 00 00"},
    {.name = "space the most", .cdb = "11 00 7f ff ff 00"},
    {.name = "space the least", .cdb = "11 00 80 00 00 00"},
    {.name = "space filemark 1", .cdb = "11 01 00 00 01 00", .reduced = 1},
    {.name = "space filemark -1", .cdb = "11 01 ff ff ff 00", .reduced = 1},
    {.name = "space filemark 2", .cdb = "11 01 00 00 02 00"},
    {.name = "space filemark -2", .cdb = "11 01 ff ff fe 00"},
    {.name = "space filemark 9", .cdb = "11 01 00 00 09 00"},
    {.name = "space filemark -9", .cdb = "11 01 ff ff f7 00"},
    {.name = "space filemark 0", .cdb = "11 01 00 00 00 00"},
    {.name = "space sequential 1", .cdb = "11 02 00 00 01 00"},
    {.name = "space sequential 2", .cdb = "11 02 00 00 02 00"},
    {.name = "space sequential -2", .cdb = "11 02 ff ff fe 00"},
    {.name = "space sequential 4", .cdb = "11 02 00 00 04 00"},
    {.name = "space sequential -4", .cdb = "11 02 ff ff fc 00"},
    {.name = "space sequential 0", .cdb = "11 02 00 00 00 00"},
    {.name = "space to end of data", .cdb = "11 03 00 00 00 00", .reduced = 1},
    {.name = "space setmarks", .cdb = "11 04 00 00 01 00"},
    {.name = "space16 2", .cdb = "91 00 00 00 00 00 00 00 00 00 00 02 00 00 00 00"},
    {.name = "space16 -2", .cdb = "91 00 00 00 ff ff ff ff ff ff ff fe 00 00 00 00"},
    {.name = "space16 2^40", .cdb = "91 00 00 00 00 00 01 00 00 00 00 00 00 00 00 00"},
    {.name = "space16 filemark 1", .cdb = "91 01 00 00 00 00 00 00 00 00 00 01 00 00 00 00"},
    {.name = "space16 to end of data", .cdb = "91 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
    {.name = "locate 0", .cdb = "2b 00 00 00 00 00 00 00 00 00"},
    {.name = "locate 4", .cdb = "2b 00 00 00 00 00 04 00 00 00"},
    {.name = "locate 40", .cdb = "2b 00 00 00 00 00 28 00 00 00"},
    {.name = "locate in partition 3", .cdb = "2b 02 00 00 00 00 00 00 03 00"},
    {.name = "locate16 7", .cdb = "92 00 00 00 00 00 00 00 00 00 00 07 00 00 00 00", .reduced = 1},
    {.name = "locate16 40", .cdb = "92 00 00 00 00 00 00 00 00 00 00 28 00 00 00 00"},
    {.name = "locate16 2^63", .cdb = "92 00 00 00 80 00 00 00 00 00 00 00 00 00 00 00"},
    {.name = "locate16 file 0", .cdb = "92 08 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
    {.name = "locate16 file 2", .cdb = "92 08 00 00 00 00 00 00 00 00 00 02 00 00 00 00"},
    {.name = "locate16 file 9", .cdb = "92 08 00 00 00 00 00 00 00 00 00 09 00 00 00 00"},
    {.name = "locate16 set", .cdb = "92 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
    {.name = "locate16 end", .cdb = "92 18 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
    {.name = "locate16 in partition 0", .cdb = "92 02 00 00 00 00 00 00 00 00 00 02 00 00 00 00"},
    {.name = "locate16 in partition 3", .cdb = "92 02 00 03 00 00 00 00 00 00 00 00 00 00 00 00"},
    {.name = "rewind", .cdb = "01 00 00 00 00 00", .reduced = 1},
    {.name = "erase", .cdb = "19 00 00 00 00 00", .reduced = 1},
    {.name = "erase long", .cdb = "19 01 00 00 00 00"},
    {.name = "erase16 at 4", .cdb = "93 00 00 00 00 00 00 00 00 00 00 04 00 00 00 00"},
    {.name = "load", .cdb = "1b 00 00 00 01 00"},
    {.name = "load hold", .cdb = "1b 00 00 00 09 00"},
    {.name = "load to the end", .cdb = "1b 00 00 00 05 00"},
    {.name = "unload", .cdb = "1b 00 00 00 00 00", .reduced = 1},
    {.name = "unload hold", .cdb = "1b 00 00 00 08 00"},
    {.name = "prevent", .cdb = "1e 00 00 00 01 00"},
    {.name = "prevent of the other", .cdb = "1e 00 00 00 01 00", .nexus = 1},
    {.name = "allow", .cdb = "1e 00 00 00 00 00"},
    {.name = "position", .cdb = "34 00 00 00 00 00 00 00 00 00"},
    {.name = "position long", .cdb = "34 06 00 00 00 00 00 00 00 00", .reduced = 1},
    {.name = "position extended", .cdb = "34 08 00 00 00 00 00 00 20 00"},
    {.name = "position extended, 10 bytes", .cdb = "34 08 00 00 00 00 00 00 0a 00"},
    {.name = "position long, a length", .cdb = "34 06 00 00 00 00 00 00 20 00"},
    {.name = "position unknown", .cdb = "34 07 00 00 00 00 00 00 00 00"},
    {.name = "block length 0", SELECT("00 00 00")},
    {.name = "block length 512", SELECT("00 02 00")},
    {.name = "block length 100", SELECT("00 00 64")},
    {.name = "unbuffered", .cdb = "15 10 00 00 04 00", .list = "00 00 00 00"},
    {.name = "software write protect",
     .cdb = "15 10 00 00 10 00",
     .list = "00 00 10 00 0a 0a 00 00 08 00 00 00 00 00 00 00"},
    {.name = "descriptor sense",
     .cdb = "15 10 00 00 10 00",
     .list = "00 00 10 00 0a 0a 04 00 00 00 00 00 00 00 00 00"},
    {.name = "append-only",
     .cdb = "15 10 00 00 24 00",
     .list = "00 00 10 00 50 01 00 1c 00 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
             "00 00 00 00 00 00 00 00"},
    {.name = "allow overwrite at 0", .cdb = "82 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00"},
    {.name = "allow overwrite at 4", .cdb = "82 00 01 00 00 00 00 00 00 00 00 04 00 00 00 00"},
    {.name = "allow format at 0", .cdb = "82 00 02 00 00 00 00 00 00 00 00 00 00 00 00 00"},
    {.name = "allow nothing", .cdb = "82 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
    {.name = "allow the unknown", .cdb = "82 00 03 00 00 00 00 00 00 00 00 00 00 00 00 00"},
    {.name = "locate in partition 1", .cdb = "2b 02 00 00 00 00 01 00 01 00", .reduced = 1},
    {.name = "locate16 40 in partition 1",
     .cdb = "92 02 00 01 00 00 00 00 00 00 00 28 00 00 00 00"},
    {.name = "locate16 end of partition 2",
     .cdb = "92 1a 00 02 00 00 00 00 00 00 00 00 00 00 00 00"},
    {.name = "locate16 file 1 in partition 1",
     .cdb = "92 0a 00 01 00 00 00 00 00 00 00 01 00 00 00 00"},
    {.name = "read16 at 2 in partition 1",
     .cdb = "88 00 00 01 00 00 00 00 00 00 00 02 00 02 00 00"},
    {.name = "read16 0 in partition 1", .cdb = "88 00 00 01 00 00 00 00 00 00 00 02 00 00 00 00"},
    {.name = "reverse16 at 1 in partition 1",
     .cdb = "81 00 00 01 00 00 00 00 00 00 00 01 00 02 00 00"},
    {.name = "write16 at 2 in partition 1",
     .cdb = "8a 00 00 01 00 00 00 00 00 00 00 02 00 02 00 00"},
    {.name = "filemarks16 1 in partition 2",
     .cdb = "80 00 00 02 00 00 00 00 00 00 00 00 00 00 01 00"},
    {.name = "erase16 at 1 in partition 1",
     .cdb = "93 00 00 01 00 00 00 00 00 00 00 01 00 00 00 00"},
    {.name = "allow overwrite in partition 1",
     .cdb = "82 00 01 01 00 00 00 00 00 00 00 00 00 00 00 00"},
    {.name = "format", .cdb = "04 00 00 00 00 00"},
    {.name = "format by page 11h", .cdb = "04 00 01 00 00 00"},
    {.name = "format in an unknown way", .cdb = "04 00 03 00 00 00"},
    {.name = "set capacity, half", .cdb = "0b 00 00 80 00 00"},
    {.name = "set capacity, nothing", .cdb = "0b 00 00 00 00 00"},
    {.name = "rewind immed", .cdb = "01 01 00 00 00 00"},
    {.name = "locate 4 immed", .cdb = "2b 01 00 00 00 00 04 00 00 00"},
    {.name = "locate 40 immed", .cdb = "2b 01 00 00 00 00 28 00 00 00", .reduced = 1},
    {.name = "locate16 file 9 immed", .cdb = "92 09 00 00 00 00 00 00 00 00 00 09 00 00 00 00"},
    {.name = "locate16 40 in partition 1 immed",
     .cdb = "92 03 00 01 00 00 00 00 00 00 00 28 00 00 00 00"},
    {.name = "erase immed", .cdb = "19 02 00 00 00 00"},
    {.name = "erase16 long at 1 in partition 1 immed",
     .cdb = "93 03 00 01 00 00 00 00 00 00 00 01 00 00 00 00"},
    {.name = "verify 512 immed", .cdb = "13 04 00 02 00 00"},
    {.name = "verify fixed 3 immed", .cdb = "13 05 00 00 03 00"},
    {.name = "verify 512 compare immed, last byte",
     .cdb = "13 06 00 02 00 00",
     .data = ORACLE_DIFFERS},
    {.name = "verify of the other immed", .cdb = "13 04 00 03 e8 00", .nexus = 1},
    {.name = "load immed", .cdb = "1b 01 00 00 01 00"},
    {.name = "unload immed", .cdb = "1b 01 00 00 00 00"},
    {.name = "format immed", .cdb = "04 01 00 00 00 00"},
    {.name = "set capacity, half, immed", .cdb = "0b 01 00 80 00 00"},
    {.name = "write16 at 4, a whole sequence",
     .cdb = "8a 0c 00 00 00 00 00 00 00 00 00 04 00 02 00 00"},
    {.name = "reset"},
    {.name = "a reserved bit", .cdb = "08 80 00 02 00 00"},
};
const size_t oracle_step_count = sizeof(oracle_steps) / sizeof(oracle_steps[0]);
