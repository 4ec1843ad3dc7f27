/* SPDX-License-Identifier: Apache-2.0 */
/*
 * personality.h - what a model of drive or medium changer says of itself.
 *
 * Backup software looks devices up by vendor and product, and then expects the serial numbers,
 * pages, element addresses and media of that model.  A personality is a data file
 * (doc/personalities.md): those of personalities/ are built in, those of ROOT/personalities/ come
 * on top, and one of the same name there takes the place of the built-in one.
 *
 * A file is hostile input: read line by line with bounds; every key is a row of a table with its
 * range; unknown keys, keys that stand there twice and models that contradict themselves are
 * refused with file, line and key.
 *
 * Thread rule: a set is read-only once it is loaded; then any thread.
 */
#ifndef CAPSTAN_VTL_PERSONALITY_PERSONALITY_H
#define CAPSTAN_VTL_PERSONALITY_PERSONALITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/error.h"
#include "vtl/personality/medium.h"

#define PERSONALITY_NAME_MAX     32
#define PERSONALITY_SUMMARY_MAX  80
#define PERSONALITY_VERSIONS_MAX 8
#define PERSONALITY_MEDIA_MAX    8
#define PERSONALITY_VPD_PAGES    8
#define PERSONALITY_VPD_MAX      128
#define PERSONALITY_SERIAL_MAX   16 /* characters of a serial number */

#define PERSONALITY_DEFAULT_DRIVE   "IBM-ULT3580-TD8"
#define PERSONALITY_DEFAULT_CHANGER "IBM-3573-TL"

/* The value is the PERIPHERAL DEVICE TYPE. */
enum personality_type {
    PERSONALITY_DISK = 0x00, /* the test disk, which is no file */
    PERSONALITY_DRIVE = 0x01,
    PERSONALITY_CHANGER = 0x08,
    PERSONALITY_ANY = 0xff, /* for personality_find() */
};

#define PERSONALITY_VPD_SERIALS 2

/* A vendor's VPD page, C0h..FFh: bytes, and where the unit's serial number goes into them. */
struct personality_vpd {
    uint8_t code;
    uint8_t length; /* of what is behind the header */
    uint8_t bytes[PERSONALITY_VPD_MAX];
    struct {
        uint8_t at, width; /* width 0: nowhere */
    } serial[PERSONALITY_VPD_SERIALS];
};

/* Where a changer has the elements of one type, and how many have room there; with more, a library
 * lays its elements out otherwise (library_set_layout()). */
struct personality_elements {
    uint16_t first;
    unsigned max;
};

/* How READ ELEMENT STATUS with DVCID names a drive. */
enum personality_dvcid {
    DVCID_T10,    /* T10 vendor identification: vendor, product, serial number */
    DVCID_SERIAL, /* vendor specific: the serial number */
    DVCID_NONE,
};

/* What stands in the alternate volume tag of a drive's descriptor. */
enum personality_alternate_tag {
    ALTERNATE_TAG_CARTRIDGE,    /* as in all others: that of the cartridge in it */
    ALTERNATE_TAG_DRIVE_SERIAL, /* the drive's serial number, as Quantum's libraries */
};

struct personality {
    char name[PERSONALITY_NAME_MAX + 1]; /* of the file, without .conf */
    char summary[PERSONALITY_SUMMARY_MAX + 1];
    bool builtin;

    /* INQUIRY */
    enum personality_type type;
    bool fixed; /* the medium can't be removed */
    char vendor[9], product[17], revision[5];
    uint8_t scsi_version;                        /* byte 2 of INQUIRY: 5 is SPC-3, 6 is SPC-4 */
    uint16_t versions[PERSONALITY_VERSIONS_MAX]; /* VERSION DESCRIPTORs, 0 ends */
    char serial[PERSONALITY_NAME_MAX + 1];       /* pattern: personality_serial() */
    struct personality_vpd vpd[PERSONALITY_VPD_PAGES];
    unsigned vpd_count;

    /* drives: what media it takes, the oldest first */
    const struct medium *media[PERSONALITY_MEDIA_MAX];
    bool writable[PERSONALITY_MEDIA_MAX];
    unsigned media_count;
    const struct medium *native; /* of its own generation: writable, reported as the default */
    uint32_t block_max;          /* READ BLOCK LIMITS, bytes */

    /* changers */
    struct personality_elements elements[5]; /* by element type code 1..4 (SMC-3 table 9) */
    enum personality_dvcid dvcid;
    enum personality_alternate_tag alternate_tag;
    unsigned barcode_length;       /* characters of the volume tag it reports at most */
    unsigned slots, import_export; /* what `capstan init` makes unless told */
};

/* ---- one personality ------------------------------------------------------------------------- */

/* Whether a drive takes a medium, and may write it. NULL medium: no. */
bool personality_reads(const struct personality *p, const struct medium *medium);
bool personality_writes(const struct personality *p, const struct medium *medium);

/* The serial number of logical unit `unit` (0: the changer) in the library with this serial number,
 * at most PERSONALITY_SERIAL_MAX characters.  The pattern is text with {library}: the library's
 * serial number, at most 10 characters; {unit}: two hexadecimal digits; {hash:N}: N digits and
 * letters that depend on the library and the unit alone. */
void personality_serial(const struct personality *p, const char *library, unsigned unit,
                        char out[PERSONALITY_SERIAL_MAX + 1]);

/* What is behind the header of a vendor's page: page->length bytes. */
void personality_vpd_fill(const struct personality_vpd *page, const char *serial,
                          uint8_t out[PERSONALITY_VPD_MAX]);

/* ---- sets ------------------------------------------------------------------------------------ */

struct personality_set;

/* Those that are built in, and on top those of directory (ROOT/personalities; NULL or missing:
 * none).  ERR_FORMAT with file, line and key.  *out is the caller's: personality_set_free(). */
int personality_set_load(const char *directory, struct personality_set **out, struct error *err);
void personality_set_free(struct personality_set *set); /* NULL is allowed */

/* In order of name; NULL at the end. */
const struct personality *personality_set_at(const struct personality_set *set, size_t i);

/* By name; case does not matter.  ERR_NOT_FOUND names those that are near; ERR_RANGE: it is of the
 * other type. */
int personality_find(const struct personality_set *set, enum personality_type type,
                     const char *name, const struct personality **out, struct error *err);

/* Read one file; name and path are for the result and for messages. */
int personality_read(FILE *stream, const char *name, const char *path, struct personality *out,
                     struct error *err);

/* ---- what the build puts in (made from personalities/ by vtl/personality/embed.awk) ---------- */

struct personality_file {
    const char *name, *text;
};
extern const struct personality_file personality_files[]; /* name NULL ends */

#endif
