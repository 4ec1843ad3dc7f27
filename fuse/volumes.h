/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volumes.h - blocks of cartridges for the view, by barcode and address.
 *
 * The view reads cartridges itself (vtl/cartridge, read-only) instead of through engine/tape: it
 * has to see what a drive wrote a moment ago (cartridge_refresh), wants many cartridges open at a
 * time and random access without a drive's ceremony, and never writes.  No drive is ever used, and
 * a cartridge can be read while a drive holds it (cartridge.h, promise 4).
 *
 * Open cartridges are kept, up to VOLUMES_OPEN_MAX; blocks read lately are cached (records.h).
 * Any thread; reading of one cartridge is one at a time, of different ones at once.
 */
#ifndef CAPSTAN_FUSE_VOLUMES_H
#define CAPSTAN_FUSE_VOLUMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "fuse/facts.h"
#include "fuse/records.h"

#define VOLUMES_OPEN_MAX    32
#define VOLUMES_CACHE_BYTES (64u << 20)

struct volumes;

/* Cartridges are library_root/cartridges/<BARCODE>. */
int view_volumes_open(const char *library_root, struct volumes **out, struct error *err);
void view_volumes_close(struct volumes *v); /* NULL is allowed */

/* The block at address `block` of partition 0, at most `size` bytes: record_cache_put(*out).
 * ERR_NOT_FOUND: there is no such cartridge here.  ERR_CORRUPT: the block is damaged, longer, or is
 * a filemark.  ERR_END_OF_DATA: the cartridge ends before it. */
int view_volumes_read(struct volumes *v, const char *barcode, uint64_t block, size_t size,
                      struct record **out, struct error *err);

/* The cartridge was found to hold something else than was expected: if it has changed since the
 * view looked at it last, look at it anew; true if so. */
bool view_volumes_renew(struct volumes *v, const char *barcode);

/* Read it soon, in the background, if it is not cached: a failure shows when it is really read. */
void view_volumes_prefetch(struct volumes *v, const char *barcode, uint64_t block, size_t size);

/* What is known about blocks, by record.volume. */
struct facts *view_volumes_facts(struct volumes *v);

/* Whether the cartridge is in the library's directory. */
bool view_volumes_online(struct volumes *v, const char *barcode);

#endif
