/* SPDX-License-Identifier: Apache-2.0 */
/* sense.c - see sense.h.  Additional sense codes: SPC-5 annex F; stream flags: SSC-5 4.2.24. */
#include "engine/tape/sense.h"

#include <stdio.h>

#include "common/bytes.h"
#include "common/checked.h"

#define ANY_ASCQ 0xff

static const struct {
    uint8_t key;
    enum error_code code;
    const char *name;
} keys[] = {
    {SENSE_NO_SENSE, ERR_IO, "NO SENSE"},
    {SENSE_RECOVERED_ERROR, ERR_IO, "RECOVERED ERROR"},
    {SENSE_NOT_READY, ERR_BUSY, "NOT READY"},
    {SENSE_MEDIUM_ERROR, ERR_IO, "MEDIUM ERROR"},
    {SENSE_HARDWARE_ERROR, ERR_IO, "HARDWARE ERROR"},
    {SENSE_ILLEGAL_REQUEST, ERR_UNSUPPORTED, "ILLEGAL REQUEST"},
    {SENSE_UNIT_ATTENTION, ERR_STATE, "UNIT ATTENTION"},
    {SENSE_DATA_PROTECT, ERR_PROTECTED, "DATA PROTECT"},
    {SENSE_BLANK_CHECK, ERR_END_OF_DATA, "BLANK CHECK"},
    {SENSE_ABORTED_COMMAND, ERR_IO, "ABORTED COMMAND"},
    {SENSE_VOLUME_OVERFLOW, ERR_END_OF_TAPE, "VOLUME OVERFLOW"},
};

/* What is more telling than its key: the words, the error, and what to do about it. */
static const struct sense_code {
    uint8_t asc, ascq;
    enum error_code code; /* 0: that of the key */
    enum sense_action action;
    const char *words;
} codes[] = {
    {0x00, 0x01, 0, SENSE_REPORT, "filemark detected"},
    {0x00, 0x02, 0, SENSE_REPORT, "end of partition or medium detected"},
    {0x00, 0x04, ERR_BEGIN, SENSE_REPORT, "beginning of partition or medium detected"},
    {0x00, 0x05, 0, SENSE_REPORT, "end of data detected"},
    {0x04, 0x01, ERR_BUSY, SENSE_RETRY_LATER, "the drive is becoming ready"},
    {0x04, 0x02, ERR_STATE, SENSE_REPORT, "the cartridge is not loaded"},
    {0x04, 0x03, ERR_STATE, SENSE_REPORT, "manual intervention is required"},
    {0x04, 0x07, ERR_BUSY, SENSE_RETRY_LATER, "an operation is in progress"},
    {0x04, 0x12, ERR_BUSY, SENSE_REPORT, "the logical unit is offline"},
    {0x0c, ANY_ASCQ, 0, SENSE_REPORT, "write error"},
    {0x11, ANY_ASCQ, 0, SENSE_REPORT, "unrecovered read error"},
    {0x14, 0x03, 0, SENSE_REPORT, "end of data not found"},
    {0x14, ANY_ASCQ, 0, SENSE_REPORT, "recorded entity not found"},
    {0x15, ANY_ASCQ, 0, SENSE_REPORT, "positioning error"},
    {0x1a, 0x00, ERR_PROTOCOL, SENSE_REPORT, "parameter list length error"},
    {0x20, ANY_ASCQ, 0, SENSE_REPORT, "the command is not supported"},
    {0x21, 0x01, ERR_NOT_FOUND, SENSE_REPORT, "there is no element of this address"},
    {0x24, ANY_ASCQ, 0, SENSE_REPORT, "a field of the command is invalid"},
    {0x25, ANY_ASCQ, ERR_NOT_FOUND, SENSE_REPORT, "there is no such logical unit"},
    {0x26, ANY_ASCQ, 0, SENSE_REPORT, "a field of the parameter list is invalid"},
    {0x27, ANY_ASCQ, ERR_PROTECTED, SENSE_REPORT, "the cartridge is write protected"},
    {0x28, 0x00, 0, SENSE_POSITION_LOST, "the medium may have been changed"},
    {0x28, 0x01, 0, SENSE_RETRY, "an import/export element was opened"},
    {0x29, ANY_ASCQ, 0, SENSE_POSITION_LOST, "the drive was reset or switched on"},
    {0x2a, ANY_ASCQ, 0, SENSE_RETRY, "parameters were changed"},
    {0x2f, ANY_ASCQ, 0, SENSE_POSITION_LOST, "commands were cleared by another initiator"},
    {0x30, 0x03, ERR_BUSY, SENSE_REPORT, "a cleaning cartridge is in the drive"},
    {0x30, ANY_ASCQ, ERR_FORMAT, SENSE_REPORT, "the medium is incompatible with the drive"},
    {0x31, ANY_ASCQ, ERR_FORMAT, SENSE_REPORT, "the format of the medium is corrupted"},
    {0x37, ANY_ASCQ, 0, SENSE_RETRY, "a parameter was rounded"},
    {0x3a, ANY_ASCQ, ERR_NO_MEDIUM, SENSE_REPORT, "there is no cartridge in the drive"},
    {0x3b, 0x00, 0, SENSE_REPORT, "sequential positioning error"},
    {0x3b, 0x0d, ERR_STATE, SENSE_REPORT, "the destination element is full"},
    {0x3b, 0x0e, ERR_STATE, SENSE_REPORT, "the source element is empty"},
    {0x3b, 0x12, ERR_STATE, SENSE_REPORT, "the magazine was removed"},
    {0x3f, ANY_ASCQ, 0, SENSE_RETRY, "the target's configuration has changed"},
    {0x44, ANY_ASCQ, 0, SENSE_REPORT, "internal target failure"},
    {0x4e, ANY_ASCQ, ERR_BUSY, SENSE_REPORT, "overlapped commands"},
    {0x53, 0x02, ERR_STATE, SENSE_REPORT, "the removal of the medium is prevented"},
    {0x53, ANY_ASCQ, ERR_IO, SENSE_REPORT, "loading or ejecting failed"},
    {0x5a, ANY_ASCQ, 0, SENSE_RETRY, "an operator request"},
    {0x5e, ANY_ASCQ, 0, SENSE_RETRY, "a power condition changed"},
};

static const struct sense_code *code_row(const struct sense *sense)
{
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++)
        if (codes[i].asc == sense->asc &&
            (codes[i].ascq == ANY_ASCQ || codes[i].ascq == sense->ascq))
            return &codes[i];
    return NULL;
}

/* Fixed format, SPC-5 4.5.3. */
static void parse_fixed(struct sense *sense, const uint8_t *d, size_t len)
{
    sense->filemark = d[2] & 0x80;
    sense->eom = d[2] & 0x40;
    sense->ili = d[2] & 0x20;
    sense->key = d[2] & 0x0f;
    if (len >= 7 && (d[0] & 0x80)) {
        sense->has_information = true;
        sense->information = (int32_t)get_be32(d + 3);
    }
    if (len >= 14) {
        sense->asc = d[12];
        sense->ascq = d[13];
    }
}

/* Descriptor format, SPC-5 4.5.2: information (type 00h) and stream commands (type 04h). */
static void parse_descriptors(struct sense *sense, const uint8_t *d, size_t len)
{
    size_t end = len < 8 ? 8 : 8u + d[7];

    sense->key = d[1] & 0x0f;
    sense->asc = d[2];
    sense->ascq = d[3];
    if (end > len)
        end = len;
    for (size_t at = 8; at + 2 <= end; at += 2u + d[at + 1]) {
        size_t room = end - at;

        if (room < 2u + d[at + 1])
            return;
        if (d[at] == 0x00 && d[at + 1] >= 10 && (d[at + 2] & 0x80)) {
            sense->has_information = true;
            sense->information = (int64_t)get_be64(d + at + 4);
        } else if (d[at] == 0x04 && d[at + 1] >= 2) {
            sense->filemark = d[at + 3] & 0x80;
            sense->eom = d[at + 3] & 0x40;
            sense->ili = d[at + 3] & 0x20;
        }
    }
}

void sense_parse(struct sense *sense, const uint8_t *data, size_t len)
{
    uint8_t response = len ? data[0] & 0x7f : 0;

    *sense = (struct sense){0};
    if (len < 4 || response < 0x70 || response > 0x73)
        return;
    sense->valid = true;
    sense->deferred = response & 1;
    if (response <= 0x71)
        parse_fixed(sense, data, len);
    else
        parse_descriptors(sense, data, len);
}

bool sense_is_information(const struct sense *sense)
{
    return sense->valid && !sense->deferred && sense->key <= SENSE_RECOVERED_ERROR;
}

enum sense_action sense_action(const struct sense *sense)
{
    const struct sense_code *row = code_row(sense);

    if (!sense->valid)
        return SENSE_REPORT;
    if (sense->deferred) /* the command was not begun; only a harmless message may be passed over */
        return sense->key <= SENSE_RECOVERED_ERROR ? SENSE_RETRY : SENSE_REPORT;
    if (sense->key == SENSE_UNIT_ATTENTION)
        return row && row->action != SENSE_REPORT ? row->action : SENSE_POSITION_LOST;
    if (sense->key == SENSE_NOT_READY && row && row->action == SENSE_RETRY_LATER)
        return SENSE_RETRY_LATER;
    return SENSE_REPORT;
}

int sense_error(struct error *err, const struct sense *sense, const char *what)
{
    const struct sense_code *row = code_row(sense);
    const char *name = "vendor specific sense";
    enum error_code code = ERR_IO;

    if (!sense->valid)
        return error_set(err, ERR_PROTOCOL, "%s: CHECK CONDITION without sense data", what);
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        if (keys[i].key == sense->key) {
            name = keys[i].name;
            code = keys[i].code;
        }
    if (row && row->code && sense->key != SENSE_MEDIUM_ERROR && sense->key != SENSE_HARDWARE_ERROR)
        code = row->code;
    if (sense->deferred)
        code = ERR_IO;
    return error_set(err, code, "%s: %s%s%s%s (%x/%02x/%02x)", what,
                     sense->deferred ? "an earlier write failed: " : "", name, row ? ", " : "",
                     row ? row->words : "", sense->key, sense->asc, sense->ascq);
}
