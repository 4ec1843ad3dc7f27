/* SPDX-License-Identifier: Apache-2.0 */
/* drive_codec.c - see drive_codec.h. */
#include "vtl/scsi/drive_codec.h"

#include <stdlib.h>

#include "vtl/scsi/drive_usage.h"
#include "vtl/scsi/security.h"

struct drive_codec {
    struct codec *codec;
    uint8_t *plain; /* CARTRIDGE_BLOCK_MAX bytes, when needed */
    bool encoded;   /* the last block read was not plain */
    bool on;        /* compression, as both mode pages said when they were last looked at */
};

int drive_codec_create(struct drive *d, struct error *err)
{
    d->codec = calloc(1, sizeof(*d->codec));
    if (!d->codec)
        return error_set(err, ERR_NO_MEMORY, "There is no memory for drive %u", d->number);
    d->codec->on = true;
    d->codec->codec = codec_new(err);
    d->security = d->codec->codec ? security_new(err) : NULL;
    return d->security ? 0 : -ERR_NO_MEMORY;
}

void drive_codec_destroy(struct drive *d)
{
    security_free(d->security);
    d->security = NULL;
    if (!d->codec)
        return;
    codec_free(d->codec->codec);
    free(d->codec->plain);
    free(d->codec);
    d->codec = NULL;
}

/* ---- mode pages ------------------------------------------------------------------------------ */

enum { LBP_W = 0x80, LBP_R = 0x40, DCE = 0x80, AT_DCE = 2, AT_ALGORITHM = 14 };

struct drive_protection drive_protection(struct scsi_lu *lu)
{
    const uint8_t *page = mode_page_values(lu, 0x0a, 0xf0);
    struct drive_protection p = {PROTECTION_NONE, false, false};

    if (!page || page[4] == PROTECTION_NONE)
        return p;
    p.method = page[4];
    p.write = page[6] & LBP_W;
    p.read = page[6] & LBP_R;
    return p;
}

bool drive_protection_valid(const uint8_t *page, unsigned *byte)
{
    *byte = 4;
    if (!protection_known(page[4]))
        return false;
    *byte = 5;
    return page[5] == (page[4] ? PROTECTION_SIZE : 0);
}

bool drive_compresses(struct scsi_lu *lu)
{
    struct drive_codec *c = lu->drive->codec;
    uint8_t *page_0f = mode_page_values(lu, 0x0f, 0), *page_10 = mode_page_values(lu, 0x10, 0);

    if (!!page_10[AT_ALGORITHM] != c->on)
        c->on = !c->on;
    else if (!!(page_0f[AT_DCE] & DCE) != c->on)
        c->on = !c->on;
    page_10[AT_ALGORITHM] = c->on;
    page_0f[AT_DCE] = (uint8_t)((page_0f[AT_DCE] & ~DCE) | (c->on ? DCE : 0));
    return c->on;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* In EXTERNAL mode the host sends what it once read raw. */
static int put_external(struct drive *d, const uint8_t *data, struct cartridge_block *block,
                        const void **stored, struct error *err)
{
    uint8_t *buffer = codec_buffer(d->codec->codec);
    struct codec_envelope e;
    uint32_t len = block->length;

    if (!buffer)
        return error_set(err, ERR_NO_MEMORY, "no memory to write a block");
    if (codec_envelope(data, len, &e, err) != 0)
        return -REFUSED_EXTERNAL;
    memcpy(buffer, data, len);
    codec_envelope_external(buffer);
    *block = (struct cartridge_block){.length = e.length,
                                      .stored = len,
                                      .compression = e.compression,
                                      .encryption = 1,
                                      .protection = e.protection};
    *stored = buffer;
    return 0;
}

static int encode(struct scsi_lu *lu, const struct scsi_nexus *nexus, const uint8_t *data,
                  struct cartridge_block *block, const void **stored, struct error *err)
{
    struct drive *d = lu->drive;
    const struct security_set *set = security_of(d->security, nexus);
    struct codec_key *key = NULL;

    if (set->encryption == ENCRYPTION_EXTERNAL)
        return put_external(d, data, block, stored, err);
    if (set->encryption == ENCRYPTION_ENCRYPT) {
        struct cartridge_position pos;

        cartridge_tell(d->cartridge, &pos);
        key = security_key(d->security, nexus);
        codec_key_place(key, pos.partition, pos.lba);
    }
    return codec_encode(d->codec->codec,
                        drive_compresses(lu) ? lu->target->compression : CARTRIDGE_PLAIN, key, data,
                        block, stored, err);
}

int drive_put_block(struct scsi_lu *lu, const struct scsi_nexus *nexus, const uint8_t *wire,
                    uint32_t len, uint32_t crc, bool *early_warning, struct error *err)
{
    struct drive *d = lu->drive;
    struct cartridge_block block = {.length = len - crc};
    struct cartridge_position pos;
    const void *stored;
    int rc;

    if (crc) {
        block.protection = (uint8_t)drive_protection(lu).method;
        block.protection_crc = protection_get(block.protection, wire + block.length);
        if (!codec_protection_holds(&block, wire))
            return -REFUSED_GUARD;
    }
    rc = encode(lu, nexus, wire, &block, &stored, err);
    cartridge_tell(d->cartridge, &pos);
    if (rc == 0)
        rc = cartridge_write_block(d->cartridge, &block, stored, early_warning, err);
    if (rc)
        return rc;
    d->counters.bytes_written += len - crc;
    d->counters.stored_written += block.stored;
    d->total_written += len - crc;
    atomic_store(&lu->laborious, block.compression || block.encryption);
    usage_wrote_block(d, pos.lba, block.encryption != 0);
    return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_plain(const struct cartridge_block *block)
{
    return !block->compression && !block->encryption;
}

static uint8_t *plain_buffer(struct drive_codec *c)
{
    if (!c->plain)
        c->plain = malloc(CARTRIDGE_BLOCK_MAX);
    return c->plain;
}

static void step_back(struct drive *d)
{
    struct error ignored = ERROR_INIT;
    uint64_t moved;

    (void)cartridge_space_blocks(d->cartridge, -1, &moved, &ignored);
}

/* The block at the position: its stored bytes go straight to target if they are plain, as those of
 * the last one were, and fit; else to the codec's buffer.  *at says where they are. */
static int fetch(struct drive *d, uint8_t *target, size_t room, struct cartridge_block *block,
                 uint8_t **at, struct error *err)
{
    uint8_t *buffer = codec_buffer(d->codec->codec);
    int rc;

    if (!buffer)
        return error_set(err, ERR_NO_MEMORY, "no memory to read a block");
    if (d->recovering) {
        *at = buffer;
        return cartridge_recover_block(d->cartridge, buffer, CARTRIDGE_STORED_MAX, block, err);
    }
    if (!d->codec->encoded) {
        rc = cartridge_read_block(d->cartridge, target, room, block, err);
        *at = target;
        if (rc == 0 && !is_plain(block))
            *at = memcpy(buffer, target, block->stored);
        if (rc != -ERR_LENGTH || is_plain(block))
            return rc;
        step_back(d);
    }
    *at = buffer;
    return cartridge_read_block(d->cartridge, buffer, CARTRIDGE_STORED_MAX, block, err);
}

/* Is this another block than the one that was written here?  Who does not care about the mode, or
 * wants what was written in EXTERNAL mode, gets blocks that a host has moved.  What is recovered is
 * nowhere. */
static bool is_misplaced(const struct drive *d, const struct security_set *set,
                         const struct codec_envelope *e)
{
    bool moved_by_host = e->external && (set->check == CHECK_NOT || set->check == CHECK_EXTERNAL);
    struct cartridge_position pos; /* behind the block */

    cartridge_tell(d->cartridge, &pos);
    return e->placed && !d->recovering && !moved_by_host &&
           (e->partition != pos.partition || e->lba + 1 != pos.lba);
}

/* May the nexus have this block, and how?  *raw: as it is stored. */
static int admit(const struct drive *d, const struct security_set *set,
                 const struct cartridge_block *block, const uint8_t *stored, bool *raw,
                 struct error *err)
{
    struct codec_envelope e;

    *raw = false;
    if (!block->encryption && set->decryption == DECRYPTION_DECRYPT)
        return -REFUSED_PLAIN;
    if (!block->encryption)
        return 0;
    if (set->decryption == DECRYPTION_DISABLE)
        return -REFUSED_ENCRYPTED;
    if (codec_envelope(stored, block->stored, &e, err) != 0)
        return -ERR_CORRUPT;
    if ((set->check == CHECK_NOT_EXTERNAL && e.external) ||
        (set->check == CHECK_EXTERNAL && !e.external))
        return -REFUSED_MODE;
    *raw = set->decryption == DECRYPTION_RAW;
    if (*raw && e.raw_disabled)
        return -REFUSED_RAW;
    if (!*raw && set->key && codec_key_fits(set->key, stored) && is_misplaced(d, set, &e))
        return -REFUSED_INTEGRITY;
    return 0;
}

bool drive_refused_block(int rc)
{
    return rc <= -REFUSED_ENCRYPTED && rc >= -REFUSED_RAW;
}

/* A block as it is for the host: data, and how it is protected. */
struct opened {
    struct cartridge_block block;
    const uint8_t *data; /* what there is of block.length bytes */
    size_t have;         /* how many of them */
    bool raw;
};

/* Make plain what was fetched to `at`: in target if it has room for all of it. */
static int open_block(struct scsi_lu *lu, const struct scsi_nexus *nexus, uint8_t *target,
                      size_t room, const uint8_t *at, struct opened *o, struct error *err)
{
    struct drive *d = lu->drive;
    const struct security_set *set = security_of(d->security, nexus);
    uint8_t *plain = room >= o->block.length ? target : plain_buffer(d->codec);
    int rc = admit(d, set, &o->block, at, &o->raw, err);

    if (rc)
        return rc;
    if (o->raw) { /* what protects the plain block is sealed in it */
        o->block.length = o->block.stored;
        o->block.protection = PROTECTION_NONE;
    }
    if (o->raw || is_plain(&o->block)) {
        o->data = at;
        o->have = at == target && room < o->block.length ? room : o->block.length;
        return 0;
    }
    if (!plain)
        return error_set(err, ERR_NO_MEMORY, "no memory to read a block");
    o->data = plain;
    o->have = o->block.length;
    rc = codec_decode(d->codec->codec, set->key, &o->block, at, plain, err);
    return rc == -ERR_ENCRYPTED    ? -REFUSED_ENCRYPTED
           : rc == -ERR_PERMISSION ? -REFUSED_KEY
           : rc == -ERR_AUTH       ? -REFUSED_INTEGRITY
                                   : rc;
}

static int load_block(struct scsi_lu *lu, const struct scsi_nexus *nexus, uint8_t *target,
                      size_t room, struct opened *o, struct error *err)
{
    struct drive *d = lu->drive;
    uint8_t *at = NULL;
    int rc = fetch(d, target, room, &o->block, &at, err);

    if (rc && rc != -ERR_LENGTH) /* too long for a plain block is for put_wire() to see */
        return rc;
    d->codec->encoded = !is_plain(&o->block);
    d->counters.stored_read += o->block.stored;
    d->usage->blocks_read++;
    rc = open_block(lu, nexus, target, room, at, o, err);
    if (drive_refused_block(rc) && !d->recovering)
        step_back(d);
    return rc;
}

/* The bytes behind the block: as the host sent them if it is the same method, else new ones. */
static void put_protection(const struct opened *o, enum protection_method method, uint8_t *wire)
{
    protection_put(method,
                   o->block.protection == method ? o->block.protection_crc
                                                 : protection_crc(method, o->data, o->block.length),
                   wire);
}

/* A block that is not handed on with its own CRC is checked here for the last time. */
static bool protection_is_wrong(const struct opened *o, enum protection_method method)
{
    return o->block.protection != PROTECTION_NONE && o->block.protection != method &&
           o->have == o->block.length && !codec_protection_holds(&o->block, o->data);
}

int drive_get_block(struct scsi_lu *lu, const struct scsi_nexus *nexus, uint8_t *target,
                    size_t room, uint32_t crc, uint32_t *len, struct error *err)
{
    enum protection_method method = crc ? drive_protection(lu).method : PROTECTION_NONE;
    uint8_t behind[PROTECTION_SIZE];
    struct opened o;
    size_t n, left;
    int rc = load_block(lu, nexus, target, room, &o, err);

    *len = 0;
    if (rc)
        return rc;
    if (protection_is_wrong(&o, method))
        return -REFUSED_GUARD;
    n = o.have < room ? o.have : room;
    if (o.data != target && n > 0)
        memcpy(target, o.data, n);
    *len = o.block.length + crc;
    left = room - n < crc ? room - n : crc;
    if (left > 0) { /* all of the block is there */
        put_protection(&o, method, behind);
        memcpy(target + n, behind, left);
    }
    return *len > room ? error_set(err, ERR_LENGTH, "a block has %u bytes", *len) : 0;
}

int drive_check_block(struct scsi_lu *lu, const struct scsi_nexus *nexus, bool method,
                      uint32_t *len, struct error *err)
{
    uint8_t *room = plain_buffer(lu->drive->codec);
    struct opened o;
    int rc;

    *len = 0;
    if (!room)
        return error_set(err, ERR_NO_MEMORY, "no memory to verify a block");
    rc = load_block(lu, nexus, room, CARTRIDGE_BLOCK_MAX, &o, err);
    if (rc)
        return rc;
    *len = o.block.length;
    if (method && o.block.protection != drive_protection(lu).method)
        return -REFUSED_METHOD;
    return protection_is_wrong(&o, PROTECTION_NONE) ? -REFUSED_GUARD : 0;
}
