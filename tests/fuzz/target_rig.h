/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target_rig.h - a small library with a target over it, for fuzz targets of SCSI commands.
 *
 * LUN 0 is the changer, LUNs 1 and 2 are drives, LUN 3 is a disk of 1 MiB.  FUZ000L8 begins in
 * drive 0, FUZ001L8 and FUZ002L8 in slots 0 and 1.  After every command the answer is checked for
 * what is true of any: one status, sense data well formed, data-in within its room.  Room for
 * data-in is a heap block of exactly that size.
 */
#ifndef CAPSTAN_TESTS_FUZZ_TARGET_RIG_H
#define CAPSTAN_TESTS_FUZZ_TARGET_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "vtl/scsi/scsi.h"

#define TARGET_NEXUSES 3
#define TARGET_LUNS    4
#define TARGET_SLOTS   4
#define TARGET_IE      2
#define TARGET_TAPES   3

/* What must be true; the program ends if it is not. */
#define REQUIRE(what)                                                                              \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #what);                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct target_answer {
    uint8_t status;
    uint8_t key; /* of a CHECK CONDITION */
    uint16_t code;
    uint8_t *in; /* valid until the next command */
    size_t in_len;
};

/* Once per program; it is taken away at exit. */
void target_rig_start(void);

/* The same start for every input, as far as a host can bring it about: the tapes where they began,
 * a cartridge loaded and rewound, nothing reserved, attentions taken, mode pages as at power on. */
void target_rig_reset(void);

/* From nexus 0, 1 or 2. */
const struct target_answer *target_run(unsigned nexus, unsigned lun, const uint8_t *cdb,
                                       size_t cdb_len, const uint8_t *out, size_t out_len,
                                       size_t in_size);

/* Take what attentions nexus and unit have. */
void target_take_attentions(unsigned nexus, unsigned lun);

struct library *target_library(void);
const char *target_barcode(unsigned tape);

/* ---- reading an input ------------------------------------------------------------------------ */

struct fuzz_input {
    const uint8_t *data;
    size_t left;
};

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->data++;
}

/* At most len bytes into buf; how many there were. */
static inline size_t fuzz_bytes(struct fuzz_input *in, uint8_t *buf, size_t len)
{
    len = len < in->left ? len : in->left;
    if (len)
        memcpy(buf, in->data, len);
    in->data += len;
    in->left -= len;
    return len;
}

#endif
