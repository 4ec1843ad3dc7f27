/* SPDX-License-Identifier: Apache-2.0 */
/* media.c - what a barcode says about its cartridge, for the library (vtl/personality/medium.h). */
#include <string.h>

#include "vtl/library/internal.h"
#include "vtl/personality/medium.h"

void library_barcode_media(const char *barcode, struct library_media *media)
{
    struct medium_label label = medium_of_barcode(barcode);
    const struct medium *medium = label.medium ? label.medium : medium_by_name(MEDIUM_DEFAULT);

    *media = (struct library_media){
        .density = medium->density, .worm = label.worm, .cleaning = label.cleaning};
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
