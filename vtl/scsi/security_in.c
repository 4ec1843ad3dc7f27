/* SPDX-License-Identifier: Apache-2.0 */
/*
 * security_in.c - SECURITY PROTOCOL IN (SPC-5 6.40, SSC-5 8.5.2): what the drive can do, how it is
 * set for the nexus that asks, and what the next block is.  One builder a page.
 */
#include "common/openssl.h"
#include "vtl/scsi/drive.h"
#include "vtl/scsi/drive_usage.h"
#include "vtl/scsi/security.h"

enum { PROTOCOL_INFORMATION = 0x00, PROTOCOL_TAPE_ENCRYPTION = 0x20 };

/* AUTHENTICATED of a KAD descriptor (SSC-5 8.5.4.3). */
enum { NOT_COVERED = 1, NOT_ATTEMPTED = 2 };

struct security_page {
    uint8_t protocol;
    uint16_t page;
    void (*build)(struct scsi_lu *lu, const struct scsi_task *task, struct reply *r);
};

/* ---- protocol 00h ---------------------------------------------------------------------------- */

static void put_protocols(struct scsi_lu *lu, const struct scsi_task *task, struct reply *r)
{
    (void)lu;
    (void)task;
    reply_zero(r, 6);
    reply_be16(r, 2);
    reply_u8(r, PROTOCOL_INFORMATION);
    reply_u8(r, PROTOCOL_TAPE_ENCRYPTION);
}

static void put_certificate(struct scsi_lu *lu, const struct scsi_task *task, struct reply *r)
{
    (void)lu;
    (void)task;
    reply_be32(r, 0); /* there is none */
}

/* ---- what there is --------------------------------------------------------------------------- */

static void put_header(struct reply *r, unsigned page)
{
    reply_be16(r, page);
    reply_be16(r, 0); /* page length: patched when the page is whole */
}

static void put_out_support(struct scsi_lu *lu, const struct scsi_task *task, struct reply *r)
{
    (void)lu;
    (void)task;
    put_header(r, 0x0001);
    reply_be16(r, 0x0010);
}

/* AES-256-GCM with a 16-byte tag, and nothing else, as LTO has it. */
static void put_capabilities(struct scsi_lu *lu, const struct scsi_task *task, struct reply *r)
{
    enum { CFG_P_CONFIGURABLE = 1 };
    enum { MAC_C = 0x20, DED_C = 0x10, DECRYPT_HARDWARE = 2 << 2, ENCRYPT_HARDWARE = 2 };
    enum { NONCE_GENERATED = 1 << 4, KADF_C = 0x08, VCELB_C = 0x04, AVFMV = 0x80 };
    enum { DKAD_OPTIONAL = 3 << 6, EXTERNAL_ALLOWED = 2 << 4, RAW_BY_DEFAULT = 4 << 1, EAREM = 1 };
    bool ready = lu->drive->medium == MEDIUM_READY;
    bool writable = ready && !(drive_device_specific(lu) & 0x80);

    (void)task;
    put_header(r, 0x0010);
    reply_u8(r, CFG_P_CONFIGURABLE);
    reply_zero(r, 15);
    reply_u8(r, SECURITY_ALGORITHM);
    reply_u8(r, 0);
    reply_be16(r, 20); /* descriptor length */
    reply_u8(r, (ready ? AVFMV : 0u) | MAC_C | DED_C | DECRYPT_HARDWARE | ENCRYPT_HARDWARE);
    reply_u8(r, (writable ? 2u << 6 : 0) | NONCE_GENERATED | KADF_C | VCELB_C); /* AVFCLP */
    reply_be16(r, CODEC_UKAD_MAX);
    reply_be16(r, CODEC_AKAD_MAX);
    reply_be16(r, CODEC_KEY_SIZE);
    reply_u8(r, DKAD_OPTIONAL | EXTERNAL_ALLOWED | RAW_BY_DEFAULT | EAREM);
    reply_zero(r, 7); /* no supplemental keys, no encrypted data keys */
    reply_be32(r, 0x00010014);
}

static void put_key_formats(struct scsi_lu *lu, const struct scsi_task *task, struct reply *r)
{
    (void)lu;
    (void)task;
    put_header(r, 0x0011);
    reply_u8(r, 0x00); /* the key in plain text */
}

static void put_management(struct scsi_lu *lu, const struct scsi_task *task, struct reply *r)
{
    (void)lu;
    (void)task;
    put_header(r, 0x0012);
    reply_u8(r, 0x01); /* LOCK_C */
    reply_u8(r, 0x07); /* CKOD_C, CKORP_C, CKORL_C */
    reply_u8(r, 0);
    reply_u8(r, 0x07); /* AITN_C, LOCAL_C, PUBLIC_C */
    reply_zero(r, 8);
}

/* ---- how it is set --------------------------------------------------------------------------- */

static void put_kad(struct reply *r, unsigned type, unsigned authenticated, const uint8_t *value,
                    unsigned len)
{
    if (len == 0)
        return;
    reply_u8(r, type);
    reply_u8(r, authenticated);
    reply_be16(r, len);
    reply_bytes(r, value, len);
}

static void put_kads(struct reply *r, const struct codec_kads *kads, bool from_medium)
{
    put_kad(r, 0, from_medium ? NOT_COVERED : 0, kads->u, kads->u_len);
    put_kad(r, 1, from_medium ? NOT_ATTEMPTED : 0, kads->a, kads->a_len);
    put_kad(r, 3, from_medium ? NOT_ATTEMPTED : 0, kads->m, kads->m_len);
}

static void put_status(struct scsi_lu *lu, const struct scsi_task *task, struct reply *r)
{
    enum { NOT_EXCLUSIVE = 1 << 4, VCELB = 0x08 }; /* PARAMETERS CONTROL: nobody else decides */
    bool contains = lu->drive->medium == MEDIUM_READY && usage_has_encrypted(lu->drive);
    const struct security *s = lu->drive->security;
    const struct security_nexus *n = security_nexus_find(s, task->nexus);
    const struct security_set *set = security_of(s, task->nexus);
    unsigned scope = n ? n->scope : SCOPE_PUBLIC, key_scope = SCOPE_PUBLIC;

    if (set->established)
        key_scope = scope == SCOPE_LOCAL ? SCOPE_LOCAL : SCOPE_ALL_NEXUS;
    put_header(r, 0x0020);
    reply_u8(r, scope << 5 | key_scope);
    reply_u8(r, set->encryption);
    reply_u8(r, set->decryption);
    reply_u8(r, set->established ? SECURITY_ALGORITHM : 0);
    reply_be32(r, set->instance);
    reply_u8(r, NOT_EXCLUSIVE | (contains ? VCELB : 0u) | (unsigned)set->check << 1 |
                    (set->raw == RAW_DISABLED));
    reply_u8(r, set->kad_format);
    reply_zero(r, 10); /* no supplemental keys */
    put_kads(r, &set->kads, false);
}

/* ---- the next block -------------------------------------------------------------------------- */

/* ENCRYPTION STATUS, COMPRESSION STATUS (SSC-5 8.5.2.8). */
enum { CANT_KNOW = 0, NOT_NOW = 1, NO_BLOCK = 2, IS_NOT = 3, IS = 5, IS_NOT_FOR_US = 6 };

struct next_block {
    uint64_t lba;
    unsigned compression, encryption;
    struct codec_envelope envelope; /* if it is encrypted */
};

/* Look at the block at the position, without moving. */
static void next_look(struct scsi_lu *lu, const struct scsi_nexus *nexus, struct next_block *next)
{
    struct cartridge *c = lu->drive->cartridge;
    const struct security_set *set = security_of(lu->drive->security, nexus);
    uint8_t head[CODEC_HEAD_MAX];
    struct cartridge_position pos;
    struct cartridge_block block;
    struct error err = ERROR_INIT;
    int rc;

    cartridge_tell(c, &pos);
    next->lba = pos.lba;
    next->compression = next->encryption = NOT_NOW;
    if (pos.lba >= pos.eod_lba)
        return;
    rc = cartridge_read_block(c, head, sizeof(head), &block, &err);
    cartridge_locate(c, pos.partition, pos.lba, &err);
    if (rc == -ERR_FILEMARK)
        next->compression = next->encryption = NO_BLOCK;
    if (rc != 0 && rc != -ERR_LENGTH)
        return;
    next->compression = block.compression ? IS : IS_NOT;
    next->encryption = IS_NOT;
    if (!block.encryption)
        return;
    if (codec_envelope(head, block.stored, &next->envelope, &err) != 0) {
        memset(&next->envelope, 0, sizeof(next->envelope));
        next->encryption = NOT_NOW;
        return;
    }
    if (set->key && codec_key_fits(set->key, head) && set->decryption >= DECRYPTION_DECRYPT)
        next->encryption = IS;
    else
        next->encryption = IS_NOT_FOR_US;
}

static void put_next_block(struct scsi_lu *lu, const struct scsi_task *task, struct reply *r)
{
    struct next_block next = {.compression = CANT_KNOW, .encryption = CANT_KNOW};
    bool encrypted;

    if (lu->drive->medium == MEDIUM_READY)
        next_look(lu, task->nexus, &next);
    encrypted = next.encryption >= IS;
    put_header(r, 0x0021);
    reply_be64(r, next.lba);
    reply_u8(r, next.compression << 4 | next.encryption);
    reply_u8(r, encrypted ? SECURITY_ALGORITHM : 0);
    reply_u8(r, (next.envelope.external ? 2u : 0) | (next.envelope.raw_disabled ? 1u : 0));
    reply_u8(r, 0);
    put_kads(r, &next.envelope.kads, true);
}

static void put_random(struct scsi_lu *lu, const struct scsi_task *task, struct reply *r)
{
    uint8_t number[32] = {0};

    (void)lu;
    (void)task;
    RAND_bytes(number, sizeof(number));
    put_header(r, 0x0030);
    reply_bytes(r, number, sizeof(number));
}

/* ---- the command ----------------------------------------------------------------------------- */

static void put_in_support(struct scsi_lu *lu, const struct scsi_task *task, struct reply *r);

static const struct security_page pages[] = {
    {PROTOCOL_INFORMATION, 0x0000, put_protocols},
    {PROTOCOL_INFORMATION, 0x0001, put_certificate},
    {PROTOCOL_TAPE_ENCRYPTION, 0x0000, put_in_support},
    {PROTOCOL_TAPE_ENCRYPTION, 0x0001, put_out_support},
    {PROTOCOL_TAPE_ENCRYPTION, 0x0010, put_capabilities},
    {PROTOCOL_TAPE_ENCRYPTION, 0x0011, put_key_formats},
    {PROTOCOL_TAPE_ENCRYPTION, 0x0012, put_management},
    {PROTOCOL_TAPE_ENCRYPTION, 0x0020, put_status},
    {PROTOCOL_TAPE_ENCRYPTION, 0x0021, put_next_block},
    {PROTOCOL_TAPE_ENCRYPTION, 0x0030, put_random},
};

static void put_in_support(struct scsi_lu *lu, const struct scsi_task *task, struct reply *r)
{
    (void)lu;
    (void)task;
    put_header(r, 0x0000);
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        if (pages[i].protocol == PROTOCOL_TAPE_ENCRYPTION)
            reply_be16(r, pages[i].page);
    }
}

void cmd_security_in(struct scsi_lu *lu, struct scsi_task *task)
{
    uint8_t protocol = task->cdb[1];
    unsigned number = get_be16(task->cdb + 2);
    uint32_t allocation = get_be32(task->cdb + 6);
    struct reply r = task_reply(task, allocation);
    const struct security_page *page = NULL;

    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        if (pages[i].protocol == protocol && pages[i].page == number)
            page = &pages[i];
    }
    if (!page) {
        bool known = protocol == PROTOCOL_INFORMATION || protocol == PROTOCOL_TAPE_ENCRYPTION;

        task_bad_cdb(lu, task, known ? 2 : 1, 7);
        return;
    }
    if (protocol == PROTOCOL_TAPE_ENCRYPTION &&
        !security_nexus_get(lu->drive->security, task->nexus)) {
        task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
        return;
    }
    page->build(lu, task, &r);
    if (protocol == PROTOCOL_TAPE_ENCRYPTION)
        reply_patch(&r, 2, r.len - 4, 2);
    task_replied(task, &r, allocation);
}
