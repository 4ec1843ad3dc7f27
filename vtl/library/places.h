/* SPDX-License-Identifier: Apache-2.0 */
/*
 * places.h - library.db: where each cartridge is, as rows that a crash can't contradict.
 *
 * Its tables: `library` is one row with the geometry.  `place` has a row per cartridge: the
 * barcode is its primary key and the element is UNIQUE, so SQLite itself refuses a cartridge in two
 * places and two cartridges in one.  `element` remembers when an element changed, and how often.
 * `vault` has the cartridges that are known but not in the library, `tag` the alternate volume tags
 * of those that have one, wherever they are, `value` what the devices of the library remember.
 *
 * Elements have numbers that do not change with the model (layout.c); they are no SMC-3 addresses.
 * Changes are made between places_begin() and places_commit(); with synchronous=FULL a committed
 * change survives a power cut.
 *
 * The file is treated as hostile: it must carry our application id and a version we know, hold
 * exactly our schema (no trigger, no view) and pass SQLite's own check (common/db.h).
 *
 * Thread rule: one thread at a time (the library's lock).
 */
#ifndef CAPSTAN_VTL_LIBRARY_PLACES_H
#define CAPSTAN_VTL_LIBRARY_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "vtl/library/library.h"

struct places;

/* Make the file at path, which must not exist, for this geometry. */
int places_create(const char *path, const struct library_geometry *geometry, struct error *err);

/* Open and check it.  ERR_NOT_FOUND, ERR_FORMAT (foreign, or from a newer Capstan), ERR_CORRUPT. */
int places_open(const char *path, struct places **out, struct error *err);
void places_close(struct places *p); /* NULL is allowed */

int places_get_geometry(struct places *p, struct library_geometry *geometry, struct error *err);
int places_set_geometry(struct places *p, const struct library_geometry *geometry,
                        struct error *err);

/* A row of `place` or, with full false, of `element`: then of what is in it nothing is said. */
struct places_row {
    uint32_t element, source;
    bool full, source_valid, imported;
    char barcode[CARTRIDGE_BARCODE_MAX + 1];
    char alternate[LIBRARY_TAG_MAX + 1];
    uint16_t alternate_sequence;
    uint64_t generation;
    int64_t changed_ns;
};

/* Hand every row of `element`, then of `place`, to fn, whose non-zero return ends the walk. */
typedef int places_row_fn(void *ctx, const struct places_row *row, struct error *err);
int places_load(struct places *p, places_row_fn *fn, void *ctx, struct error *err);

int places_begin(struct places *p, struct error *err);
int places_take(struct places *p, const char *barcode, struct error *err); /* out of its element */
int places_put(struct places *p, const struct places_row *row, struct error *err);   /* place */
int places_touch(struct places *p, const struct places_row *row, struct error *err); /* element */
int places_commit(struct places *p, struct error *err); /* rolls back if it fails */
void places_rollback(struct places *p);

/* The alternate volume tag of a cartridge; tag "": it has none. */
int places_set_tag(struct places *p, const char *barcode, const char *tag, uint16_t sequence,
                   struct error *err);
int places_get_tag(struct places *p, const char *barcode, char tag[LIBRARY_TAG_MAX + 1],
                   uint16_t *sequence, struct error *err);

/* The vault.  ERR_NOT_FOUND: the barcode is not in it. */
int places_vault_put(struct places *p, const struct library_vaulted *v, struct error *err);
int places_vault_take(struct places *p, const char *barcode, struct error *err);
int places_vaulted(struct places *p, const char *barcode, struct library_vaulted *out,
                   struct error *err);
int places_walk_vault(struct places *p,
                      int (*fn)(void *ctx, const struct library_vaulted *v, struct error *err),
                      void *ctx, struct error *err);

/* The contract is that of library_value_set() and library_value_get(). */
int places_set_value(struct places *p, const char *name, const void *bytes, size_t len,
                     struct error *err);
int places_get_value(struct places *p, const char *name, void *buf, size_t size, size_t *len,
                     struct error *err);

#endif
