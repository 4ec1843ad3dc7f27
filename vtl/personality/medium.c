/* SPDX-License-Identifier: Apache-2.0 */
/* medium.c - see medium.h. */
#include "vtl/personality/medium.h"

#include <string.h>
#include <strings.h>

#include "common/checked.h"

/*
 * Density codes and names: SSC-5 and the LTO SCSI references of IBM and HP; medium types: the
 * generation in the upper half of the byte, 8h data, Ch WORM (IBM LTO SCSI Reference, mode
 * parameter header).  An M8 cartridge is an LTO-7 cartridge, so it has the type of one.
 */
static const struct medium media[] = {
    {.name = "LTO-3",
     .generation = 3,
     .density = 0x44,
     .type = 0x38,
     .worm_type = 0x3c,
     .capacity = 400000000000,
     .bits_per_mm = 9638,
     .tracks = 704,
     .length = 680,
     .partitions = 1,
     .density_name = "U-316",
     .description = "Ultrium 3/16T",
     .barcode = "L3",
     .worm_barcode = "LT"},
    {.name = "LTO-4",
     .generation = 4,
     .density = 0x46,
     .type = 0x48,
     .worm_type = 0x4c,
     .capacity = 800000000000,
     .bits_per_mm = 12725,
     .tracks = 896,
     .length = 820,
     .partitions = 1,
     .density_name = "U-416",
     .description = "Ultrium 4/16T",
     .barcode = "L4",
     .worm_barcode = "LU"},
    {.name = "LTO-5",
     .generation = 5,
     .density = 0x58,
     .type = 0x58,
     .worm_type = 0x5c,
     .capacity = 1500000000000,
     .bits_per_mm = 15142,
     .tracks = 1280,
     .length = 846,
     .partitions = 2,
     .density_name = "U-516",
     .description = "Ultrium 5/16T",
     .barcode = "L5",
     .worm_barcode = "LV"},
    {.name = "LTO-6",
     .generation = 6,
     .density = 0x5a,
     .type = 0x68,
     .worm_type = 0x6c,
     .capacity = 2500000000000,
     .bits_per_mm = 15143,
     .tracks = 2176,
     .length = 846,
     .partitions = 4,
     .density_name = "U-616",
     .description = "Ultrium 6/16T",
     .barcode = "L6",
     .worm_barcode = "LW"},
    {.name = "LTO-7",
     .generation = 7,
     .density = 0x5c,
     .type = 0x78,
     .worm_type = 0x7c,
     .capacity = 6000000000000,
     .bits_per_mm = 19107,
     .tracks = 3584,
     .length = 960,
     .partitions = 4,
     .density_name = "U-732",
     .description = "Ultrium 7/32T",
     .barcode = "L7",
     .worm_barcode = "LX"},
    {.name = "LTO-M8",
     .generation = 8,
     .density = 0x5d,
     .type = 0x78,
     .worm_type = 0,
     .capacity = 9000000000000,
     .bits_per_mm = 19107,
     .tracks = 5376,
     .length = 960,
     .partitions = 4,
     .density_name = "U-732M8",
     .description = "Ultrium M8/32T",
     .barcode = "M8",
     .worm_barcode = NULL},
    {.name = "LTO-8",
     .generation = 8,
     .density = 0x5e,
     .type = 0x88,
     .worm_type = 0x8c,
     .capacity = 12000000000000,
     .bits_per_mm = 20668,
     .tracks = 6656,
     .length = 960,
     .partitions = 4,
     .density_name = "U-832",
     .description = "Ultrium 8/32T",
     .barcode = "L8",
     .worm_barcode = "LY"},
    {.name = "LTO-9",
     .generation = 9,
     .density = 0x60,
     .type = 0x98,
     .worm_type = 0x9c,
     .capacity = 18000000000000,
     .bits_per_mm = 0,
     .tracks = 8960,
     .length = 1035,
     .partitions = 4,
     .density_name = "U-932",
     .description = "Ultrium 9/32T",
     .barcode = "L9",
     .worm_barcode = "LZ"},
    /* LTO-10: what is not public for sure is left out. */
    {.name = "LTO-10",
     .generation = 10,
     .density = 0x62,
     .type = 0xa8,
     .worm_type = 0,
     .capacity = 30000000000000,
     .bits_per_mm = 0,
     .tracks = 0,
     .length = 0,
     .partitions = 4,
     .density_name = "U-1032",
     .description = "Ultrium 10/32T",
     .barcode = "LA",
     .worm_barcode = NULL},
    {.name = "LTO-P10",
     .generation = 10,
     .density = 0x63,
     .type = 0xa8,
     .worm_type = 0,
     .capacity = 40000000000000,
     .bits_per_mm = 0,
     .tracks = 0,
     .length = 0,
     .partitions = 4,
     .density_name = "U-1032P",
     .description = "Ultrium P10/32T",
     .barcode = "PA",
     .worm_barcode = NULL},
};

const struct medium *medium_table(size_t *count)
{
    *count = ARRAY_LENGTH(media);
    return media;
}

const struct medium *medium_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(media); i++) {
        if (strcasecmp(media[i].name, name) == 0 || strcasecmp(media[i].barcode, name) == 0 ||
            strcasecmp(media[i].name + strlen("LTO-"), name) == 0)
            return &media[i];
    }
    return NULL;
}

const struct medium *medium_by_density(uint8_t density)
{
    for (size_t i = 0; i < ARRAY_LENGTH(media); i++) {
        if (media[i].density == density)
            return &media[i];
    }
    return NULL;
}

/* IBM LTO label specification: six characters and the media identifier.  Cleaning cartridges end in
 * CU (universal), or begin with CLN. */
struct medium_label medium_of_barcode(const char *barcode)
{
    size_t len = strlen(barcode);
    const char *end = len > 2 ? barcode + len - 2 : "";
    struct medium_label label = {NULL, false, false};

    if (strncmp(barcode, "CLN", 3) == 0 || strcmp(end, "CU") == 0) {
        label.cleaning = true;
        return label;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(media); i++) {
        bool worm = media[i].worm_barcode && strcmp(end, media[i].worm_barcode) == 0;

        if (worm || strcmp(end, media[i].barcode) == 0)
            label = (struct medium_label){&media[i], worm, false};
    }
    return label;
}
