/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cartridge_overwrite.c - what a careless host does: write from block LBA on what stands in TEXT.
 *
 *   cartridge_overwrite DIRECTORY LBA TEXT
 *   cartridge_overwrite DIRECTORY divide TEXT    in two, and TEXT is in partition 1, of 1 GB
 */
#include <stdlib.h>
#include <string.h>

#include "vtl/cartridge/cartridge.h"

static int divide(struct cartridge *c)
{
    uint64_t capacities[] = {cartridge_identity(c)->capacity / 2, 1000000000};
    int rc = cartridge_format(c, capacities, 2, NULL);

    return rc ? rc : cartridge_locate(c, 1, 0, NULL);
}

int main(int argc, char **argv)
{
    struct store *store = NULL;
    struct cartridge *c = NULL;
    int rc;

    if (argc != 4)
        return 2;
    rc = store_directory_open(argv[1], false, &store, NULL);
    if (!rc)
        rc = cartridge_open(store, CARTRIDGE_READ_WRITE, &c, NULL);
    if (!rc)
        rc = strcmp(argv[2], "divide") == 0
                 ? divide(c)
                 : cartridge_locate(c, 0, strtoul(argv[2], NULL, 10), NULL);
    if (!rc)
        rc = cartridge_write(c, argv[3], (uint32_t)strlen(argv[3]), NULL, NULL);
    if (!rc)
        rc = cartridge_sync(c, NULL, NULL);
    cartridge_close(c);
    store_close(store);
    return rc ? 1 : 0;
}
