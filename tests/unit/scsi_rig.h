/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scsi_rig.h - a small library with a target over it, and commands sent one at a time.
 *
 * Data-in goes into a heap block of exactly the room given, so that the address sanitizer sees one
 * byte too many.  The rig is one per program.
 */
#ifndef CAPSTAN_TESTS_UNIT_SCSI_RIG_H
#define CAPSTAN_TESTS_UNIT_SCSI_RIG_H

#include "vtl/scsi/scsi.h"

#define CHANGER     0
#define DRIVE       1 /* LUN of drive 0 */
#define SECOND      2
#define DISK        3
#define SLOT(n)     (LIBRARY_ADDRESS_SLOT + (n))
#define DRIVE_AT(n) (LIBRARY_ADDRESS_DRIVE + (n))
#define IE(n)       (LIBRARY_ADDRESS_IMPORT_EXPORT + (n))

struct rig {
    char root[64];
    struct library *library;
    struct scsi_target *target;
    struct scsi_nexus *a, *b;
    /* Set before rig_start(), and back afterwards: */
    unsigned disk_mib;                      /* a test disk, LUN 3; 0: none */
    enum cartridge_compression compression; /* of the drives; none, so that blocks of one
                                             * byte value fill a tape */
    const char *model;                      /* of drive 0; NULL: the default */
    const char *library_model;              /* the same of the changer, with its addresses */
    unsigned slots;                         /* 0: 4 */
    unsigned ports; /* target ports with names: 1 .. ports; 0: none is told of */
};
extern struct rig rig;

/* The last answer; in stays valid until the next command. */
struct answer {
    uint8_t status;
    uint8_t sense[SCSI_SENSE_MAX];
    size_t sense_len;
    uint8_t *in;
    size_t in_len;
    uint64_t in_want, out_want;
};
extern struct answer answer;

/* 2 drives, 4 slots, 2 import/export elements; cartridges RIG000L8 (8 MiB, early warning in its
 * last MiB) and RIG001L8 in slots 0 and 1; two nexuses whose power-on attentions are taken. */
void rig_start(void);
void rig_stop(void);

/* Close everything and open it again, without removing the library: a power cycle. */
void rig_restart(void);

/* Into slot `to` (0xffff: the first empty one); capacity 0: the default. */
void rig_cartridge(const char *barcode, uint16_t to, uint8_t density, bool worm, uint64_t capacity);

/* Send a command and wait.  cdb_text is hex with spaces; in_size is the room for data-in. */
uint8_t rig_send(struct scsi_nexus *nexus, unsigned lun, const uint8_t *cdb, size_t cdb_len,
                 const void *out, size_t out_len, size_t in_size);
uint8_t rig_cdb(struct scsi_nexus *nexus, unsigned lun, const char *cdb_text, const void *out,
                size_t out_len, size_t in_size);

/* The same from nexus a, for commands that must succeed without data. */
void rig_good(unsigned lun, const char *cdb_text);

/* Status CHECK CONDITION with this key, and ASC/ASCQ; prints what it was when not. */
bool rig_sense_is(unsigned key, unsigned code);
bool rig_info_is(bool valid, int64_t information); /* fixed format */
bool rig_bits_are(bool filemark, bool eom, bool ili);

#define CHECK_SENSE(key, code)   CU_ASSERT_TRUE(rig_sense_is((key), (code)))
#define CHECK_INFO(value)        CU_ASSERT_TRUE(rig_info_is(true, (value)))
#define CHECK_BITS(fm, eom, ili) CU_ASSERT_TRUE(rig_bits_are((fm), (eom), (ili)))

/* While on, every write to a cartridge's store fails with this code; 0: none.  The rig puts a layer
 * over each store for it. */
extern _Atomic int rig_store_fault;

/* Load slot n's cartridge into drive 0 and take the 28h attention from both nexuses. */
void rig_load(unsigned slot);

#endif
