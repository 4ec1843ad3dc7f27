/* SPDX-License-Identifier: Apache-2.0 */
/* format.c - see format.h.  Offsets are those of the tables in doc/cartridge-format.md. */
#include "vtl/cartridge/format.h"

#include <ctype.h>
#include <string.h>

#include "common/bytes.h"
#include "common/checked.h"
#include "common/crc32c.h"

#define IDENTITY_MAGIC "CAPSTAN\n"
#define SEGMENT_MAGIC  "CAPSEG\r\n"
#define RECORD_MAGIC   0x1ca9u

/* ---- identity -------------------------------------------------------------------------------- */

int identity_check(const struct cartridge_identity *id, struct error *err)
{
    size_t len = strnlen(id->barcode, sizeof(id->barcode));
    bool good = len > 0 && len <= CARTRIDGE_BARCODE_MAX;

    for (size_t i = 0; good && i < len; i++)
        good = (id->barcode[i] >= 'A' && id->barcode[i] <= 'Z') ||
               isdigit((unsigned char)id->barcode[i]);
    if (!good)
        return error_set(err, ERR_RANGE,
                         "'%.40s' is no barcode: 1 to %d characters of A-Z and 0-9 are",
                         id->barcode, CARTRIDGE_BARCODE_MAX);
    if (id->segment_size < SEGMENT_SIZE_MIN || id->segment_size > SEGMENT_SIZE_MAX)
        return error_set(err, ERR_RANGE, "a segment size of %u bytes is outside of %u to %u",
                         id->segment_size, SEGMENT_SIZE_MIN, SEGMENT_SIZE_MAX);
    if (id->capacity == 0 || id->capacity > INT64_MAX || id->early_warning > id->capacity)
        return error_set(err, ERR_RANGE,
                         "a capacity of %llu bytes with early warning %llu bytes "
                         "before its end is not possible",
                         (unsigned long long)id->capacity, (unsigned long long)id->early_warning);
    return 0;
}

void identity_encode(const struct cartridge_identity *id, uint32_t features,
                     uint8_t out[IDENTITY_SIZE])
{
    memset(out, 0, IDENTITY_SIZE);
    memcpy(out, IDENTITY_MAGIC, 8);
    put_le32(out + 8, features ? FORMAT_VERSION_NEW : FORMAT_VERSION);
    put_le32(out + 12, IDENTITY_SIZE);
    memcpy(out + 16, id->uuid, 16);
    memcpy(out + 32, id->barcode, strnlen(id->barcode, CARTRIDGE_BARCODE_MAX));
    out[64] = id->density;
    out[65] = id->worm;
    put_le32(out + 68, id->segment_size);
    put_le64(out + 72, id->capacity);
    put_le64(out + 80, id->early_warning);
    put_le64(out + 88, (uint64_t)id->created_ns);
    put_le64(out + 96, id->limbo_bytes);
    put_le64(out + 104, (uint64_t)id->limbo_ns);
    put_le32(out + 112, features);
    if (features & FEATURE_CLONED)
        memcpy(out + 116, id->family, 16);
    put_le32(out + 252, crc32c(out, 252));
}

static void identity_fields(const uint8_t *data, struct cartridge_identity *id)
{
    memset(id, 0, sizeof(*id));
    memcpy(id->uuid, data + 16, 16);
    memcpy(id->barcode, data + 32, CARTRIDGE_BARCODE_MAX);
    id->density = data[64];
    id->worm = data[65] != 0;
    id->segment_size = get_le32(data + 68);
    id->capacity = get_le64(data + 72);
    id->early_warning = get_le64(data + 80);
    id->created_ns = (int64_t)get_le64(data + 88);
    id->limbo_bytes = get_le64(data + 96);
    id->limbo_ns = (int64_t)get_le64(data + 104);
}

int identity_decode(const uint8_t *data, size_t len, struct cartridge_identity *id,
                    uint32_t *features, struct error *err)
{
    if (len < 16 || memcmp(data, IDENTITY_MAGIC, 8) != 0)
        return error_set(err, ERR_FORMAT,
                         "this is not a Capstan cartridge: its object '%s' is "
                         "foreign",
                         IDENTITY_OBJECT);
    if (get_le32(data + 8) > FORMAT_VERSION_NEW)
        return error_set(err, ERR_FORMAT,
                         "the cartridge has format version %u, this program knows "
                         "up to %u; use a newer program",
                         get_le32(data + 8), FORMAT_VERSION_NEW);
    if (len != IDENTITY_SIZE || get_le32(data + 8) == 0 || get_le32(data + 12) != IDENTITY_SIZE ||
        get_le32(data + 252) != crc32c(data, 252))
        return error_set(err, ERR_CORRUPT,
                         "the cartridge's object '%s' is damaged; bring it back "
                         "from a copy of the cartridge",
                         IDENTITY_OBJECT);
    *features = get_le32(data + 8) == FORMAT_VERSION ? 0 : get_le32(data + 112);
    if (*features & ~(uint32_t)FEATURES_KNOWN)
        return error_set(err, ERR_FORMAT,
                         "the cartridge uses features (%08xh) that this program does not know; use "
                         "a newer program",
                         *features);
    identity_fields(data, id);
    memcpy(id->family, *features & FEATURE_CLONED ? data + 116 : id->uuid, 16);
    if (identity_check(id, err) != 0)
        return error_set(err, ERR_CORRUPT, "the cartridge's object '%s' holds impossible values",
                         IDENTITY_OBJECT);
    return 0;
}

/* ---- segment header -------------------------------------------------------------------------- */

void segment_header_encode(const struct segment_header *h, uint8_t out[SEGMENT_HEADER_SIZE])
{
    memset(out, 0, SEGMENT_HEADER_SIZE);
    memcpy(out, SEGMENT_MAGIC, 8);
    put_le32(out + 8, FORMAT_VERSION);
    put_le32(out + 12, h->partition);
    memcpy(out + 16, h->uuid, 16);
    put_le64(out + 32, h->seq);
    put_le64(out + 40, h->epoch);
    put_le64(out + 48, h->first_lba);
    put_le64(out + 56, h->first_file);
    put_le64(out + 64, h->first_used);
    put_le64(out + 72, (uint64_t)h->created_ns);
    put_le32(out + 124, crc32c(out, 124));
}

bool segment_header_decode(const uint8_t in[SEGMENT_HEADER_SIZE], struct segment_header *h)
{
    if (memcmp(in, SEGMENT_MAGIC, 8) != 0 || get_le32(in + 8) != FORMAT_VERSION ||
        get_le32(in + 124) != crc32c(in, 124))
        return false;
    h->partition = get_le32(in + 12);
    memcpy(h->uuid, in + 16, 16);
    h->seq = get_le64(in + 32);
    h->epoch = get_le64(in + 40);
    h->first_lba = get_le64(in + 48);
    h->first_file = get_le64(in + 56);
    h->first_used = get_le64(in + 64);
    h->created_ns = (int64_t)get_le64(in + 72);
    return h->partition < CARTRIDGE_PARTITIONS;
}

/* ---- records --------------------------------------------------------------------------------- */

/* The flags: compression in bits 0-1, encryption in bit 2, protection in bits 3-4. */
static uint8_t flags_encode(const struct record *r)
{
    return (uint8_t)(r->compression | r->encryption << 2 | r->protection << 3);
}

static void flags_decode(uint8_t flags, struct record *r)
{
    r->compression = flags & 3;
    r->encryption = flags >> 2 & 1;
    r->protection = (uint8_t)(flags >> 3); /* 4 and above: bits that mean nothing yet */
}

void record_encode(const struct record *r, uint8_t out[RECORD_HEADER_SIZE])
{
    memset(out, 0, RECORD_HEADER_SIZE);
    put_le16(out, RECORD_MAGIC);
    out[2] = (uint8_t)r->type;
    out[3] = flags_encode(r);
    out[4] = r->partition;
    put_le32(out + 8, r->back);
    put_le32(out + 12, r->count);
    put_le64(out + 16, r->epoch);
    put_le64(out + 24, r->lba);
    put_le64(out + 32, r->file);
    put_le32(out + 40, r->length);
    put_le32(out + 44, r->stored);
    put_le32(out + 48, r->payload_crc);
    put_le32(out + 52, r->host_crc);
    put_le32(out + 56, r->chain);
    put_le32(out + 60, crc32c(out, 60));
}

bool record_block_sane(const struct record *r)
{
    return r->length > 0 && r->length <= CARTRIDGE_BLOCK_MAX && r->stored > 0 &&
           r->stored <= CARTRIDGE_STORED_MAX && r->compression <= CARTRIDGE_ZSTD &&
           r->encryption <= 1 && r->protection <= 2 &&
           (r->stored == r->length || r->compression || r->encryption) &&
           (r->protection || r->host_crc == 0);
}

/* What lengths and counts a record of each type may have. */
static bool record_sane(const struct record *r)
{
    bool plain = r->compression == 0 && r->encryption == 0 && r->protection == 0;
    bool addresses = r->lba <= INT64_MAX && r->file <= r->lba &&
                     r->partition < CARTRIDGE_PARTITIONS &&
                     (plain || (r->type == RECORD_DATA && record_block_sane(r)));

    switch (r->type) {
    case RECORD_DATA:
    case RECORD_RUN:
        return addresses && r->length > 0 && r->length <= CARTRIDGE_BLOCK_MAX &&
               (r->stored == r->length || !plain) && r->count > 0 &&
               (r->type == RECORD_RUN || r->count == 1);
    case RECORD_FILEMARK:
        return addresses && r->length == 0 && r->stored == 0 && r->count > 0;
    case RECORD_COMMIT:
        return addresses && r->length == 0 && r->stored == 0 && r->count == 0;
    case RECORD_END:
        return addresses && r->length == 0 && r->count == 0 &&
               r->stored <= (SEGMENT_RECORDS_MAX + 1) * INDEX_ENTRY_SIZE &&
               r->stored % INDEX_ENTRY_SIZE == 0;
    case RECORD_GAP:
        break;
    }
    return false;
}

bool record_decode(const uint8_t in[RECORD_HEADER_SIZE], struct record *r)
{
    if (get_le16(in) != RECORD_MAGIC || get_le32(in + 60) != crc32c(in, 60))
        return false;
    r->type = (enum record_type)in[2];
    flags_decode(in[3], r);
    r->partition = in[4];
    r->back = get_le32(in + 8);
    r->count = get_le32(in + 12);
    r->epoch = get_le64(in + 16);
    r->lba = get_le64(in + 24);
    r->file = get_le64(in + 32);
    r->length = get_le32(in + 40);
    r->stored = get_le32(in + 44);
    r->payload_crc = get_le32(in + 48);
    r->host_crc = get_le32(in + 52);
    r->chain = get_le32(in + 56);
    return record_sane(r);
}

uint32_t record_chain(const void *header, size_t size, uint64_t epoch)
{
    uint8_t seed[8];

    /* Without the header's own CRC at its end: the CRC of a text followed by its CRC is the same
     * for every text, and the chain would hold nothing together. */
    put_le64(seed, epoch);
    return crc32c_update(crc32c(seed, sizeof(seed)), header, size - 4);
}

/* ---- index ----------------------------------------------------------------------------------- */

void index_entry_encode(const struct index_entry *e, uint8_t out[INDEX_ENTRY_SIZE])
{
    put_le64(out, e->lba);
    put_le64(out + 8, e->used);
    put_le32(out + 16, e->offset16);
    put_le32(out + 20, e->files);
}

void index_entry_decode(const uint8_t in[INDEX_ENTRY_SIZE], struct index_entry *e)
{
    e->lba = get_le64(in);
    e->used = get_le64(in + 8);
    e->offset16 = get_le32(in + 16);
    e->files = get_le32(in + 20);
}
