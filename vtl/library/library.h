/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library.h - who is where: the elements of a library, its cartridges, and every move.
 *
 * The geometry (how many slots, drives, import/export elements) comes from the configuration; the
 * places of cartridges live in ROOT/library.db.  A move is one SQLite transaction with
 * synchronous=FULL, so after any crash every cartridge is in exactly one place; a UNIQUE
 * constraint makes the database itself refuse anything else.
 *
 * A library is opened by one process at a time (lock on ROOT/library.lock).  Element addresses are
 * those of SMC-3: what MOVE MEDIUM and READ ELEMENT STATUS use.
 *
 * Thread rule: any thread; the library has one lock, taken inside every call and never held while
 * anything outside is called.
 */
#ifndef CAPSTAN_VTL_LIBRARY_LIBRARY_H
#define CAPSTAN_VTL_LIBRARY_LIBRARY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "vtl/cartridge/cartridge.h"

/* SMC-3 table 9; the values are those of the ELEMENT TYPE CODE field. */
enum element_type {
    ELEMENT_TRANSPORT = 1,
    ELEMENT_SLOT = 2,
    ELEMENT_IMPORT_EXPORT = 3,
    ELEMENT_DRIVE = 4,
};

/* First element address of each kind, unless library_set_layout() says otherwise; the counts are in
 * struct library_geometry. */
#define LIBRARY_ADDRESS_TRANSPORT     0x0000
#define LIBRARY_ADDRESS_IMPORT_EXPORT 0x0010
#define LIBRARY_ADDRESS_DRIVE         0x0100
#define LIBRARY_ADDRESS_SLOT          0x0400

/* Elements have addresses of 16 bits (SMC-3), each its own, and FFFFh is none: a library has 65,535
 * elements of all kinds.  One is the robot's hand and at least one a drive. */
#define LIBRARY_ELEMENTS_MAX      65535
#define LIBRARY_DRIVES_MAX        255
#define LIBRARY_SLOTS_MAX         (LIBRARY_ELEMENTS_MAX - 2)
#define LIBRARY_IMPORT_EXPORT_MAX 240

struct library_geometry {
    unsigned drives, slots, import_export;
    char serial[16]; /* of the changer, 10 characters; drives are serial with a suffix */
};

/* How it is known what is in an element. */
enum library_evidence {
    EVIDENCE_RECORDED,  /* library.db says so; whether it is true could not be seen */
    EVIDENCE_INVENTORY, /* somebody looked */
    EVIDENCE_MOVE,      /* the robot put it there, or took it away */
    EVIDENCE_OPERATOR,  /* an operator did */
};

#define LIBRARY_TAG_MAX 32 /* characters of a volume identification (SMC-3 6.16) */

struct library_element {
    uint16_t address;
    enum element_type type;
    bool full;
    char barcode[CARTRIDGE_BARCODE_MAX + 1]; /* "" if empty */
    bool source_valid;                       /* SVALID: source is where it came from */
    uint16_t source;
    bool imported; /* IMPEXP: an operator put it there, not the robot */
    bool removed;  /* of a drive: it was taken out, its place is left */
    bool missing;  /* its directory was not there when it was looked for */
    enum library_evidence evidence;
    int64_t observed_ns; /* when that was, ns since 1970; recorded: when it was recorded, or 0 */
    char alternate[LIBRARY_TAG_MAX + 1]; /* alternate volume tag of the cartridge; "": none */
    uint16_t alternate_sequence;
    uint64_t generation; /* rises with every change of this element */
    int64_t changed_ns;  /* when, ns since 1970 */
};

struct library;

/* Make ROOT/library.db and ROOT/cartridges/ for this geometry; ERR_EXISTS if there is one,
 * ERR_RANGE for impossible counts.  An empty serial: a random one is made. */
int library_create(const char *root, const struct library_geometry *geometry, struct error *err);

/* Open it.  A geometry that has grown is taken over; one that has shrunk below an occupied element
 * is ERR_STATE; NULL is the geometry stored in library.db, and so is an empty serial.  ERR_BUSY:
 * another process has it; ERR_NOT_FOUND: no library there; ERR_FORMAT, ERR_CORRUPT: library.db is
 * foreign, newer or damaged.  Half-made cartridges are removed, and a good cartridge directory that
 * has no place yet is put into an empty slot.  *out is the caller's: library_close(). */
int library_open(const char *root, const struct library_geometry *geometry, struct library **out,
                 struct error *err);
void library_close(struct library *lib);

/* The element addresses that hosts see, and how long a barcode the library reads. */
struct library_layout {
    uint16_t first[5];    /* by enum element_type */
    unsigned barcode_max; /* characters, 1 to CARTRIDGE_BARCODE_MAX */
};

/* Give the elements other addresses; what is stored does not change with it.  After library_open(),
 * before anybody has seen an address.  If these have no room for all, the elements are laid one
 * behind the other: the hand, import/export elements, drives, slots.  A cartridge with a longer
 * barcode stays; a new one is refused. */
void library_set_layout(struct library *lib, const struct library_layout *layout);

/* The first address of a kind of element. */
uint16_t library_first(const struct library *lib, enum element_type type);

/* The counts at this moment; valid until the library is closed, but not changed with it. */
const struct library_geometry *library_geometry(const struct library *lib);

/* Fill *out with the element at address; ERR_NOT_FOUND if there is none.  O(1). */
int library_element(struct library *lib, uint16_t address, struct library_element *out,
                    struct error *err);

/* Elements of one type (0: all) from address first on, in rising order of address, at most count.
 * fn's non-zero return ends the walk and is returned.  fn sees a snapshot and may call anything. */
int library_elements(struct library *lib, unsigned type, uint16_t first, unsigned count,
                     int (*fn)(void *ctx, const struct library_element *e), void *ctx,
                     struct error *err);

struct library_inventory {
    unsigned seen, missing; /* cartridges that have their directories, and that have not */
    unsigned unknown;       /* and for which it can't be told: the storage below does not say */
};

/* Look what is in the elements first .. first+count-1, and note it: missing, evidence. */
int library_inventory(struct library *lib, uint16_t first, unsigned count,
                      struct library_inventory *out, struct error *err);

/* Give the cartridge in the element an alternate volume tag, which stays with it wherever it goes;
 * NULL: it has none any more.  A tag is 1 to LIBRARY_TAG_MAX printable ASCII characters, and does
 * not end with a space.  Durable on return.  ERR_NOT_FOUND: no such element; ERR_STATE: it is
 * empty; ERR_RANGE: no tag. */
int library_set_alternate(struct library *lib, uint16_t address, const char *tag, uint16_t sequence,
                          struct error *err);
/* Whether any cartridge in the library has one. */
bool library_has_alternates(struct library *lib);

/* Where a barcode is; ERR_NOT_FOUND. */
int library_find(struct library *lib, const char *barcode, struct library_element *out,
                 struct error *err);

/* Carry the cartridge from one element to another.  Durable on return.  ERR_NOT_FOUND: no such
 * element; ERR_STATE: the source is empty; ERR_EXISTS: the destination is full. */
int library_move(struct library *lib, uint16_t from, uint16_t to, struct error *err);

/* Carry the cartridge in source to first, and the one that is in first to second (which may be
 * source: they change places), as one transaction (SMC-3 EXCHANGE MEDIUM).  Errors as
 * library_move(); ERR_STATE also if first is empty. */
int library_exchange(struct library *lib, uint16_t source, uint16_t first, uint16_t second,
                     struct error *err);

/* ---- growing and shrinking ------------------------------------------------------------------- */

/* Have so many slots and import/export elements.  ERR_STATE: one that would go is full; ERR_RANGE.
 */
int library_resize(struct library *lib, unsigned slots, unsigned import_export, struct error *err);

/* A new drive: in the place of one that was removed, else behind the last.  ERR_STATE: there are
 * LIBRARY_DRIVES_MAX. */
int library_drive_add(struct library *lib, unsigned *drive, struct error *err);
/* Take a drive out.  ERR_NOT_FOUND; ERR_STATE: it holds a cartridge, or is the only one. */
int library_drive_remove(struct library *lib, unsigned drive, struct error *err);
bool library_drive_removed(struct library *lib, unsigned drive); /* or there never was one */

/* ---- the vault: cartridges that are known, but not in the library ---------------------------- */

#define LIBRARY_VAULT_PLACE_MAX 120

struct library_vaulted {
    char barcode[CARTRIDGE_BARCODE_MAX + 1];
    char place[LIBRARY_VAULT_PLACE_MAX + 1]; /* UTF-8 as the operator gave it; no control bytes */
    int64_t since_ns;
};

/* Take the cartridge in an element out of the library, to a place of that name.  ERR_STATE: the
 * element is empty, or a drive; ERR_RANGE: no name. */
int library_vault(struct library *lib, uint16_t from, const char *place, struct error *err);

/* Bring one back, into `to` (0xffff: the first empty slot).  ERR_NOT_FOUND: it is not in the vault,
 * or there is no such element; ERR_EXISTS: the element is full. */
int library_unvault(struct library *lib, const char *barcode, uint16_t to, struct error *err);

bool library_is_vaulted(struct library *lib, const char *barcode);

/* All of them, by barcode; fn's non-zero return ends the walk.  fn may call anything. */
int library_vault_list(struct library *lib, int (*fn)(void *ctx, const struct library_vaulted *v),
                       void *ctx, struct error *err);

/* Destroy a cartridge, which may not be in a drive, and all that is on it.  A crash leaves it in
 * the library, or gone.  ERR_NOT_FOUND, ERR_STATE. */
int library_cartridge_delete(struct library *lib, const char *barcode, struct error *err);

/* ---- what the devices of the library remember ------------------------------------------------ */

#define LIBRARY_VALUE_MAX (64 << 10) /* bytes of one value */

/* Keep bytes under a name of 1 to 64 characters of a-z, 0-9, '.', '_' and '-' ("drive.0.mode"):
 * saved mode pages, registrations that survive a power loss, device identifiers.  Durable on
 * return; after a crash it is the value of before or this one.  len 0 .. LIBRARY_VALUE_MAX; 0:
 * there is none any more.  ERR_RANGE: name or length. */
int library_value_set(struct library *lib, const char *name, const void *bytes, size_t len,
                      struct error *err);

/* Copy the value to buf; *len is its length.  ERR_NOT_FOUND: there is none; ERR_LENGTH: it is
 * longer than size, and *len says how long. */
int library_value_get(struct library *lib, const char *name, void *buf, size_t size, size_t *len,
                      struct error *err);

/* What a barcode says about its medium: LTO generation (default 8), WORM, cleaning cartridge. */
struct library_media {
    uint8_t density; /* SSC density code */
    bool worm, cleaning;
};
void library_barcode_media(const char *barcode, struct library_media *media);

/* Make a new empty cartridge and put it into `to` (0xffff: the first empty slot).  ERR_EXISTS: the
 * barcode is taken or the element is full; ERR_RANGE: it is longer than the library reads;
 * ERR_STATE: the library has no empty slot.  A crash leaves the whole cartridge or none. */
int library_cartridge_create(struct library *lib, struct cartridge_identity *id, uint16_t to,
                             struct error *err);

/* Build a cartridge from elsewhere beside the library, open or not, without anybody seeing it:
 * make the directory ROOT/cartridges/import.BARCODE (path: PATH_MAX bytes) to create it in.  What a
 * crash leaves of it is removed at the next open of the library; *lock, which the caller close()s
 * at last, says that it is no such leftover.  ERR_EXISTS: the barcode is taken; ERR_BUSY: another
 * process is building it. */
int library_import_begin(const char *root, const char *barcode, char *path, int *lock,
                         struct error *err);
void library_import_abandon(const char *path);

/* Take the finished cartridge in import.BARCODE into the library, into `to` (0xffff: the first
 * empty slot).  Errors as library_cartridge_create(), and those of opening it. */
int library_cartridge_adopt(struct library *lib, const char *barcode, uint16_t to,
                            struct error *err);

/* Open the store of a cartridge that is in the library. The caller closes it. */
int library_cartridge_store(struct library *lib, const char *barcode, struct store **out,
                            struct error *err);

/* Put a layer over every store that library_cartridge_store() opens from now on: a fault layer, a
 * mirror.  layer gets the directory store and gives the one to use in *out, which owns it; if it
 * fails, it leaves the store to the caller.  NULL: none.  Before anything opens a cartridge. */
typedef int library_store_layer(void *ctx, const char *barcode, struct store *below,
                                struct store **out, struct error *err);
void library_set_store_layer(struct library *lib, library_store_layer *layer, void *ctx);

/* Write the path of a cartridge's directory to buf. Works without an open library: root alone. */
int library_cartridge_path(const char *root, const char *barcode, char *buf, size_t size,
                           struct error *err);

/* Drive n (0-based) as an element address. */
static inline uint16_t library_drive_address(const struct library *lib, unsigned drive)
{
    return (uint16_t)(library_first(lib, ELEMENT_DRIVE) + drive);
}

#endif
