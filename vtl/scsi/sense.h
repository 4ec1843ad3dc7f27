/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sense.h - sense data: what went wrong, and how far the command came.
 *
 * struct sense is the meaning; sense_encode() puts it into the fixed (70h/71h) or the descriptor
 * (72h/73h) format of SPC-5 section 4.4.  Stream commands count on INFORMATION, FILEMARK, EOM and
 * ILI being exactly right: hosts compute file and block numbers from them.
 */
#ifndef CAPSTAN_VTL_SCSI_SENSE_H
#define CAPSTAN_VTL_SCSI_SENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sense_key { /* SPC-5 table 48 */
                 KEY_NO_SENSE = 0x0,
                 KEY_RECOVERED_ERROR = 0x1,
                 KEY_NOT_READY = 0x2,
                 KEY_MEDIUM_ERROR = 0x3,
                 KEY_HARDWARE_ERROR = 0x4,
                 KEY_ILLEGAL_REQUEST = 0x5,
                 KEY_UNIT_ATTENTION = 0x6,
                 KEY_DATA_PROTECT = 0x7,
                 KEY_BLANK_CHECK = 0x8,
                 KEY_ABORTED_COMMAND = 0xb,
                 KEY_VOLUME_OVERFLOW = 0xd,
                 KEY_MISCOMPARE = 0xe,
};

enum sense_code { /* ADDITIONAL SENSE CODE << 8 | QUALIFIER, SPC-5 annex F */
                  ASC_NONE = 0x0000,
                  ASC_FILEMARK_DETECTED = 0x0001,
                  ASC_END_OF_MEDIUM = 0x0002,
                  ASC_BEGINNING_OF_MEDIUM = 0x0004,
                  ASC_END_OF_DATA = 0x0005,
                  ASC_PROGRAMMABLE_EARLY_WARNING = 0x0007,
                  ASC_ERASING = 0x0018, /* ... OPERATION IN PROGRESS, as the next four */
                  ASC_LOCATING = 0x0019,
                  ASC_REWINDING = 0x001a,
                  ASC_SETTING_CAPACITY = 0x001b,
                  ASC_VERIFYING = 0x001c,
                  ASC_NOT_READY = 0x0400, /* cause not reportable: it is being unloaded */
                  ASC_BECOMING_READY = 0x0401,
                  ASC_INITIALIZING_REQUIRED = 0x0402,
                  ASC_MANUAL_INTERVENTION = 0x0403,
                  ASC_FORMATTING = 0x0404,
                  ASC_OPERATION_IN_PROGRESS = 0x0407,
                  ASC_WRITE_ERROR = 0x0c00,
                  ASC_GUARD_CHECK_FAILED = 0x1001,
                  ASC_PROTECTION_METHOD = 0x1005,
                  ASC_READ_ERROR = 0x1100,
                  ASC_LIST_LENGTH_ERROR = 0x1a00,
                  ASC_MISCOMPARE = 0x1d00,
                  ASC_INVALID_OPCODE = 0x2000,
                  ASC_NOT_APPEND_ONLY = 0x200c,
                  ASC_LBA_OUT_OF_RANGE = 0x2100,
                  ASC_INVALID_ELEMENT = 0x2101,
                  ASC_INVALID_FIELD_IN_CDB = 0x2400,
                  ASC_NO_LOGICAL_UNIT = 0x2500,
                  ASC_INVALID_FIELD_IN_LIST = 0x2600,
                  ASC_VALUE_INVALID = 0x2602,
                  ASC_INVALID_RELEASE = 0x2604,
                  ASC_WRITE_PROTECTED = 0x2700,
                  ASC_MEDIUM_CHANGED = 0x2800,
                  ASC_IMPORT_EXPORT_ACCESSED = 0x2801,
                  ASC_POWER_ON = 0x2900,
                  ASC_DEVICE_RESET = 0x2903,
                  ASC_MODE_CHANGED = 0x2a01,
                  ASC_LOG_CHANGED = 0x2a02,
                  ASC_RESERVATIONS_PREEMPTED = 0x2a03,
                  ASC_RESERVATIONS_RELEASED = 0x2a04,
                  ASC_REGISTRATIONS_PREEMPTED = 0x2a05,
                  ASC_TIMESTAMP_CHANGED = 0x2a10,
                  ASC_ENCRYPTION_CHANGED_BY_NEXUS = 0x2a11,
                  ASC_ENCRYPTION_CHANGED_BY_EVENT = 0x2a12,
                  ASC_KEY_INSTANCE_CHANGED = 0x2a13,
                  ASC_COMMAND_SEQUENCE = 0x2c00,
                  ASC_INCOMPATIBLE_MEDIUM = 0x3000,
                  ASC_UNKNOWN_FORMAT = 0x3001,
                  ASC_INCOMPATIBLE_FORMAT = 0x3002,
                  ASC_CLEANING_CARTRIDGE = 0x3003,
                  ASC_CANNOT_WRITE_FORMAT = 0x3005,
                  ASC_CANNOT_FORMAT_MEDIUM = 0x3006,
                  ASC_CLEANING_FAILURE = 0x3007,
                  ASC_WORM_OVERWRITE = 0x300c,
                  ASC_WORM_INTEGRITY = 0x300d,
                  ASC_SAVING_NOT_SUPPORTED = 0x3900,
                  ASC_NO_MEDIUM = 0x3a00,
                  ASC_POSITIONING_ERROR = 0x3b00,
                  ASC_PAST_BEGINNING = 0x3b0c,
                  ASC_DESTINATION_FULL = 0x3b0d,
                  ASC_SOURCE_EMPTY = 0x3b0e,
                  ASC_DRIVE_REMOVED = 0x3b1a,
                  ASC_REPORTED_LUNS_CHANGED = 0x3f0e,
                  ASC_IDENTIFIER_CHANGED = 0x3f05,
                  ASC_INTERNAL_FAILURE = 0x4400,
                  ASC_ERASE_FAILURE = 0x5100,
                  ASC_LOAD_FAILED = 0x5300,
                  ASC_REMOVAL_PREVENTED = 0x5302,
                  ASC_NO_REGISTRATION_RESOURCES = 0x5504,
                  ASC_MEMORY_OUT_OF_SPACE = 0x5506,
                  ASC_OPERATOR_WRITE_PROTECT = 0x5a02,
                  ASC_THRESHOLD_MET = 0x5b01,
                  ASC_FAILURE_PREDICTION = 0x5d00,
                  ASC_FALSE_PREDICTION = 0x5dff,
                  ASC_UNABLE_TO_DECRYPT = 0x7401,
                  ASC_UNENCRYPTED_DATA = 0x7402,
                  ASC_INCORRECT_KEY = 0x7403,
                  ASC_INTEGRITY_FAILED = 0x7404,
                  ASC_ENCRYPTION_MODE_MISMATCH = 0x7409,
                  ASC_RAW_READ_NOT_ENABLED = 0x740a,
                  ASC_ENCRYPTION_PARAMETERS = 0x740b,
                  ASC_LABEL_UNREADABLE = 0x8300, /* in element descriptors, as IBM's libraries */
                  ASC_CARTRIDGE_DAMAGED = 0x8302,
};

struct sense {
    enum sense_key key;
    uint16_t code;
    bool deferred;               /* of an earlier command: 71h/73h */
    bool valid;                  /* information is meaningful */
    bool filemark, eom, ili;     /* stream commands */
    int64_t information;         /* negative: two's complement */
    uint64_t command_specific;   /* SSC-5: nothing; ours in deferred errors: first lost address */
    bool field_valid, field_cdb; /* sense-key specific field pointer: into the CDB, else the list */
    uint16_t field;              /* byte */
    int8_t field_bit;            /* most significant bit in error, -1: the whole byte */
    bool progress_valid;         /* NOT READY, NO SENSE: sense-key specific progress indication */
    uint16_t progress;           /* in 65536ths */
};

#define SENSE_ENCODED_MAX 64

/* Put s into buf, in descriptor format or fixed; returns the length. */
size_t sense_encode(const struct sense *s, bool descriptor, uint8_t buf[SENSE_ENCODED_MAX]);

#endif
