/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - what the files of vtl/library share. */
#ifndef CAPSTAN_VTL_LIBRARY_INTERNAL_H
#define CAPSTAN_VTL_LIBRARY_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "vtl/library/library.h"
#include "vtl/library/places.h"

#define LIBRARY_NO_ADDRESS 0xffff
#define LIBRARY_KINDS      4

/* The elements of a type lie together. */
struct library_kind {
    enum element_type type;
    uint16_t first;
};

/* The counts at one time.  Readers follow the newest without a lock, so older ones are kept until
 * the library is closed. */
struct geometry_version {
    struct library_geometry geometry;
    struct geometry_version *older;
};

/*
 * The elements are kept in memory in rising order of address.  What is in memory is what library.db
 * says: a change is made there first and here only after the commit.
 *
 * Locks, in this order: create_lock (one cartridge is made at a time), then lock.
 */
struct library {
    pthread_mutex_t create_lock;
    struct geometry_version *_Atomic geometry; /* changed with the lock held */
    pthread_mutex_t lock;                      /* everything below */
    char *root;
    int lock_fd;
    struct library_kind kinds[LIBRARY_KINDS]; /* in rising order of address: the layout */
    unsigned barcode_max;                     /* characters of a new cartridge's barcode */
    struct places *places;
    struct library_element *elements;
    unsigned element_count;
    uint32_t *buckets, *chain;  /* barcodes: see elements.c */
    unsigned bucket_count;      /* a power of two */
    unsigned empty_hint;        /* no slot below it is empty */
    library_store_layer *layer; /* over each store that is handed out; NULL: none */
    void *layer_ctx;
};

/* ---- elements.c; with the lock held ---------------------------------------------------------- */

/* Lay the elements out for g; those that there are already stay as they are. */
int library_lay_out(struct library *lib, const struct library_geometry *g, struct error *err);
void library_free_elements(struct library *lib);

/* Before and after an element changes; all of them. */
void library_unindex(struct library *lib, struct library_element *e);
void library_index(struct library *lib, struct library_element *e);
void library_index_all(struct library *lib);

/* layout.c: addresses until library_set_layout() gives others. */
void library_first_layout(struct library *lib, const struct library_geometry *g);

/* An element as library.db knows it, and back (NULL: there is none).  With the lock held. */
struct places_row library_stored(const struct library *lib, const struct library_element *e);
struct library_element *library_lookup_stored(struct library *lib, uint32_t number);

/* Whether there are addresses for so many elements; ERR_RANGE. */
int library_check_room(const struct library *lib, const struct library_geometry *g,
                       struct error *err);

unsigned library_kind_count(const struct library_geometry *g, enum element_type type);

/* The element at address, or NULL.  With the lock held. */
struct library_element *library_lookup(struct library *lib, uint16_t address);

/* Where a barcode is, or NULL.  With the lock held. */
struct library_element *library_lookup_barcode(struct library *lib, const char *barcode);

/* Put a cartridge that has a directory but no place into e.  With the lock held. */
int library_place_new(struct library *lib, struct library_element *e, const char *barcode,
                      struct error *err);

/* The same for one of the vault; and the way there. */
int library_return(struct library *lib, struct library_element *e, const char *barcode,
                   struct error *err);
int library_leave(struct library *lib, struct library_element *e, const struct library_vaulted *v,
                  struct error *err);

/* The same of one that is in the vault and shall be no more. */
int library_forget_vaulted(struct library *lib, const char *barcode, struct error *err);

int64_t library_now(void); /* ns since 1970 */

/* Which drives are removed, from library.db. */
int library_load_removed(struct library *lib, struct error *err);

int library_check_geometry(const struct library_geometry *g, struct error *err);

/* The first empty slot, or NULL; those that cartridges in drives came from are the last choice.
 * With the lock held. */
struct library_element *library_empty_slot(struct library *lib);

/* Remove half-made cartridges and take in directories that have no place yet.  At open, before
 * anybody else sees the library. */
int library_adopt_strays(struct library *lib, struct error *err);

int library_check_barcode(const char *barcode, struct error *err);

/* path = root/name, checked for length. */
int library_path(const char *root, const char *name, char *path, size_t size, struct error *err);

#endif
