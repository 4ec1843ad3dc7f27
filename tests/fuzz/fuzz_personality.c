/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_personality.c - a personality's data file from anybody.  What is accepted must keep what
 * vtl/scsi relies on: texts that fit, media that are known, elements that do not overlap; what is
 * refused has a sentence of one line.
 */
#include <stdlib.h>
#include <string.h>

#include "vtl/personality/personality.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static void check_changer(const struct personality *p)
{
    for (unsigned a = 1; a <= 4; a++) {
        unsigned end = p->elements[a].first + p->elements[a].max;

        REQUIRE(p->elements[a].max >= 1 && end <= 0x10000);
        for (unsigned b = 1; b <= 4; b++)
            REQUIRE(a == b || p->elements[b].first < p->elements[a].first ||
                    p->elements[b].first >= end);
    }
    REQUIRE(p->barcode_length >= 6 && p->barcode_length <= 32);
    REQUIRE(p->slots <= p->elements[2].max && p->import_export <= p->elements[3].max);
}

static void check_accepted(const struct personality *p)
{
    char serial[PERSONALITY_SERIAL_MAX + 1];
    uint8_t page[PERSONALITY_VPD_MAX];

    REQUIRE(p->vendor[0] && strlen(p->vendor) <= 8 && strlen(p->product) <= 16);
    personality_serial(p, "ABCDEFGHIJ", 255, serial);
    REQUIRE(serial[0] && strlen(serial) <= PERSONALITY_SERIAL_MAX);
    REQUIRE(p->vpd_count <= PERSONALITY_VPD_PAGES);
    for (unsigned i = 0; i < p->vpd_count; i++) {
        REQUIRE(p->vpd[i].code >= 0xc0 && p->vpd[i].length <= PERSONALITY_VPD_MAX);
        personality_vpd_fill(&p->vpd[i], serial, page);
    }
    if (p->type == PERSONALITY_CHANGER) {
        check_changer(p);
        return;
    }
    REQUIRE(p->media_count >= 1 && p->media_count <= PERSONALITY_MEDIA_MAX);
    REQUIRE(personality_writes(p, p->native) && p->block_max >= 65536 && p->block_max < 1u << 24);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct personality p;
    struct error err = ERROR_INIT;
    FILE *f;

    if (size == 0)
        return 0;
    f = fmemopen((void *)(uintptr_t)data, size, "r");
    REQUIRE(f);
    if (personality_read(f, "FUZZ", "FUZZ.conf", &p, &err) == 0)
        check_accepted(&p);
    else
        REQUIRE(err.message[0] && !strpbrk(err.message, "\n\033"));
    fclose(f);
    return 0;
}
