/* SPDX-License-Identifier: Apache-2.0 */
/*
 * media.c - what a barcode says about its cartridge.
 *
 * The last two characters of an LTO label are the media identifier (IBM LTO label specification):
 * L and the generation for data, another letter for WORM; cleaning cartridges begin with CLN or
 * end in CU.
 */
#include <string.h>

#include "common/checked.h"
#include "vtl/library/internal.h"

static const struct media_suffix {
    const char *suffix;
    uint8_t density;
    bool worm;
} media_suffixes[] = {
    {"L5", 0x58, false}, {"L6", 0x5a, false}, {"L7", 0x5c, false}, {"M8", 0x5d, false},
    {"L8", 0x5e, false}, {"L9", 0x60, false}, {"LV", 0x58, true},  {"LW", 0x5a, true},
    {"LX", 0x5c, true},  {"LY", 0x5e, true},  {"LZ", 0x60, true},
};

void library_barcode_media(const char *barcode, struct library_media *media)
{
    size_t len = strlen(barcode);
    const char *suffix = len >= 2 ? barcode + len - 2 : "";

    *media = (struct library_media){.density = 0x5e};
    media->cleaning = strncmp(barcode, "CLN", 3) == 0 || strcmp(suffix, "CU") == 0;
    for (size_t i = 0; i < ARRAY_LENGTH(media_suffixes); i++) {
        if (strcmp(media_suffixes[i].suffix, suffix) == 0) {
            media->density = media_suffixes[i].density;
            media->worm = media_suffixes[i].worm;
        }
    }
}

int library_check_barcode(const char *barcode, struct error *err)
{
    size_t len = strlen(barcode);

    if (len == 0 || len > CARTRIDGE_BARCODE_MAX ||
        strspn(barcode, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != len)
        return error_set(err, ERR_RANGE,
                         "\"%.40s\" is no barcode: it must be 1 to %d characters of A-Z and 0-9, "
                         "for example ABC001L8",
                         barcode, CARTRIDGE_BARCODE_MAX);
    return 0;
}
