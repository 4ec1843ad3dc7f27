/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sense.h - sense data (SPC-5 section 4.5) taken apart and put into words.
 *
 * Pure functions on bytes from the other side; every length is checked.
 */
#ifndef CAPSTAN_ENGINE_TAPE_SENSE_H
#define CAPSTAN_ENGINE_TAPE_SENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

enum sense_key {
    SENSE_NO_SENSE = 0x0,
    SENSE_RECOVERED_ERROR = 0x1,
    SENSE_NOT_READY = 0x2,
    SENSE_MEDIUM_ERROR = 0x3,
    SENSE_HARDWARE_ERROR = 0x4,
    SENSE_ILLEGAL_REQUEST = 0x5,
    SENSE_UNIT_ATTENTION = 0x6,
    SENSE_DATA_PROTECT = 0x7,
    SENSE_BLANK_CHECK = 0x8,
    SENSE_ABORTED_COMMAND = 0xb,
    SENSE_VOLUME_OVERFLOW = 0xd
};

struct sense {
    bool valid;    /* there was sense data of a known format */
    bool deferred; /* about an earlier command (response codes 71h, 73h) */
    uint8_t key, asc, ascq;
    bool filemark, eom, ili; /* SSC-5 section 4.2.24 */
    bool has_information;
    int64_t information; /* INFORMATION as the signed residue that tapes put there */
};

/* Never fails: sense->valid says whether data could be understood. */
void sense_parse(struct sense *sense, const uint8_t *data, size_t len);

/* What a unit attention or a passing state asks the initiator to do. */
enum sense_action {
    SENSE_REPORT,       /* it is the result of the command */
    SENSE_RETRY,        /* the command was not done; send it again, nothing else has changed */
    SENSE_RETRY_LATER,  /* the same after a while: becoming ready */
    SENSE_POSITION_LOST /* not done, and the medium may have moved or been changed */
};
enum sense_action sense_action(const struct sense *sense);

/* True if the command was done and the sense data only tells about it (NO SENSE, RECOVERED). */
bool sense_is_information(const struct sense *sense);

/* Fill *err: the code that stands for the sense, and "what: MEDIUM ERROR, write error (3/0c/00)".
 */
int sense_error(struct error *err, const struct sense *sense, const char *what);

#endif
