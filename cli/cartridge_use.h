/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cartridge_use.h - verbs that open a cartridge themselves, beside a daemon if there is one.
 *
 * What keeps two writers apart is the cartridge's lock; but a drive opens its cartridge only when
 * it is first asked for it, and its host believes the tape to be as it was.  So one that is in a
 * drive is not changed.
 */
#ifndef CAPSTAN_CLI_CARTRIDGE_USE_H
#define CAPSTAN_CLI_CARTRIDGE_USE_H

#include "cli/cli.h"
#include "vtl/cartridge/cartridge.h"

/* Open the store of a cartridge of the library; change: it must not be in a drive (ERR_BUSY).
 * ERR_NOT_FOUND.  The caller closes *out. */
int cartridge_use_store(struct cli *cli, const char *barcode, bool change, struct store **out,
                        struct error *err);

/* Let the library take in the cartridge that was built under library_import_begin(), into the slot
 * of
 * --slot.  *result says "place"; the caller drops it. */
int cartridge_use_adopt(struct cli *cli, const char *barcode, json_t **result, struct error *err);

/* The sentence for a cartridge that another program has locked. */
int cartridge_use_busy(const char *barcode, struct error *err);

#endif
