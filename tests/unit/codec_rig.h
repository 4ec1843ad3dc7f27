/* SPDX-License-Identifier: Apache-2.0 */
/* codec_rig.h - commands of encryption, compression and protection, to drive 0 from either nexus.
 */
#ifndef CAPSTAN_TESTS_UNIT_CODEC_RIG_H
#define CAPSTAN_TESTS_UNIT_CODEC_RIG_H

#include "tests/unit/drive_rig.h"
#include "vtl/cartridge/protection.h"

enum { PUBLIC = 0, LOCAL = 1, ALL = 2 };          /* scopes */
enum { OFF = 0, EXTERNAL = 1, ENCRYPT = 2 };      /* encryption modes */
enum { RAW = 1, DECRYPT = 2, MIXED = 3 };         /* decryption modes */
enum { CKORL = 1, CKORP = 2, CKOD = 4, SDK = 8 }; /* flags of byte 5 */

/* A Set Data Encryption page under construction. */
struct sde {
    uint8_t page[256];
    size_t len;
};

static inline struct sde sde_page(unsigned scope, unsigned encryption, unsigned decryption,
                                  const char *key)
{
    struct sde s = {{0x00, 0x10, 0, 0, (uint8_t)(scope << 5), 0x40, (uint8_t)encryption,
                     (uint8_t)decryption, 1},
                    20};

    if (key) {
        put_be16(s.page + 18, 32);
        memset(s.page + 20, 0, 32);
        memcpy(s.page + 20, key, strlen(key));
        s.len += 32;
    }
    put_be16(s.page + 2, (uint16_t)(s.len - 4));
    return s;
}

static inline void sde_kad(struct sde *s, unsigned type, const void *value, size_t len)
{
    s->page[s->len] = (uint8_t)type;
    put_be16(s->page + s->len + 2, (uint16_t)len);
    memcpy(s->page + s->len + 4, value, len);
    s->len += 4 + len;
    put_be16(s->page + 2, (uint16_t)(s->len - 4));
}

/* Send it in a block of exactly its size. */
static inline uint8_t sde_send(struct scsi_nexus *nexus, const struct sde *s)
{
    uint8_t cdb[12] = {0xb5, 0x20, 0x00, 0x10};
    uint8_t *list = malloc(s->len ? s->len : 1), status;

    put_be32(cdb + 6, (uint32_t)s->len);
    memcpy(list, s->page, s->len);
    status = rig_send(nexus, DRIVE, cdb, 12, list, s->len, 0);
    free(list);
    return status;
}

static inline void set_key(struct scsi_nexus *nexus, unsigned scope, unsigned encryption,
                           unsigned decryption, const char *key)
{
    struct sde s = sde_page(scope, encryption, decryption, key);

    CU_ASSERT_EQUAL(sde_send(nexus, &s), SCSI_GOOD);
}

/* SECURITY PROTOCOL IN, page of protocol 20h. */
static inline uint8_t spin(struct scsi_nexus *nexus, unsigned page)
{
    uint8_t cdb[12] = {0xa2, 0x20};

    put_be16(cdb + 2, (uint16_t)page);
    put_be32(cdb + 6, 512);
    return rig_send(nexus, DRIVE, cdb, 12, NULL, 0, 512);
}

/* MODE SELECT of one page of `size` bytes whose byte `at` becomes value. */
static inline uint8_t mode_set(unsigned page, unsigned subpage, unsigned at, uint8_t value,
                               unsigned at2, uint8_t value2)
{
    uint8_t sense[6] = {0x1a, 0x08, (uint8_t)page, (uint8_t)subpage, 0xff};
    uint8_t select[6] = {0x15, 0x10}, list[128] = {0};

    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, sense, 6, NULL, 0, 255), SCSI_GOOD);
    memcpy(list, answer.in, answer.in_len);
    list[0] = 0;
    list[4] &= 0x7f; /* PS */
    list[4 + at] = value;
    list[4 + at2] = value2;
    select[4] = (uint8_t)answer.in_len;
    return rig_send(rig.a, DRIVE, select, 6, list, answer.in_len, 0);
}

/* The control data protection page. */
static inline uint8_t set_protection(enum protection_method method, bool write, bool read)
{
    uint8_t status = mode_set(0x0a, 0xf0, 5, method ? 4 : 0, 4, (uint8_t)method);

    if (status == SCSI_GOOD)
        status = mode_set(0x0a, 0xf0, 6, (uint8_t)((write ? 0x80 : 0) | (read ? 0x40 : 0)), 4,
                          (uint8_t)method);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    return status;
}

/* Compressible, and different from byte to byte. */
static inline void pattern(uint8_t *p, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(i % 251 + seed);
}

static inline uint8_t write_pattern(struct scsi_nexus *nexus, uint32_t len, unsigned seed)
{
    uint8_t cdb[6] = {0x0a}, *data = malloc(len), status;

    put_be24(cdb + 2, len);
    pattern(data, len, seed);
    status = rig_send(nexus, DRIVE, cdb, 6, data, len, 0);
    free(data);
    return status;
}

static inline uint8_t read_from(struct scsi_nexus *nexus, uint32_t len)
{
    uint8_t cdb[6] = {0x08};

    put_be24(cdb + 2, len);
    return rig_send(nexus, DRIVE, cdb, 6, NULL, 0, len);
}

/* The block at the position is this pattern. */
static inline void check_pattern(struct scsi_nexus *nexus, uint32_t len, unsigned seed)
{
    uint8_t *data = malloc(len);

    pattern(data, len, seed);
    CU_ASSERT_EQUAL(read_from(nexus, len), SCSI_GOOD);
    CU_ASSERT_EQUAL_FATAL(answer.in_len, len);
    CU_ASSERT_EQUAL(memcmp(answer.in, data, len), 0);
    free(data);
}

/* The second nexus gives a command and gets this unit attention. */
static inline bool attention_is(struct scsi_nexus *nexus, unsigned code)
{
    rig_cdb(nexus, DRIVE, TUR, NULL, 0, 0);
    return rig_sense_is(KEY_UNIT_ATTENTION, code);
}

static inline void start_codec(enum cartridge_compression method)
{
    rig.compression = method;
    rig_start();
    rig_load(1);
    rig.compression = CARTRIDGE_PLAIN;
}

#endif
