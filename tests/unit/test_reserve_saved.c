/* SPDX-License-Identifier: Apache-2.0 */
/* test_reserve_saved.c - registrations of other ports (SPEC_I_PT), and through a power loss. */
#include "common/bytes.h"
#include "tests/unit/check.h"
#include "tests/unit/scsi_rig.h"
#include "vtl/scsi/internal.h"

#define KEY_A 0xaaaaaaaaaaaaaaaa
#define KEY_B 0xbbbbbbbbbbbbbbbb

enum { REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_ABORT, REGISTER_IGNORE, MOVE };
enum { WE = 1, EA_RO = 6, WE_AR = 7 };
enum { APTPL = 1, ALL_TG_PT = 4, SPEC_I_PT = 8 };

static uint8_t out(unsigned lun, struct scsi_nexus *n, unsigned action, unsigned type, uint64_t key,
                   uint64_t new_key, uint8_t options)
{
    uint8_t cdb[10] = {0x5f, (uint8_t)action, (uint8_t)type, 0, 0, 0, 0, 0, 24}, list[24] = {0};

    put_be64(list, key);
    put_be64(list + 8, new_key);
    list[20] = options;
    return rig_send(n, lun, cdb, 10, list, 24, 0);
}

static void in(unsigned lun, unsigned action)
{
    uint8_t cdb[10] = {0x5e, (uint8_t)action, 0, 0, 0, 0, 0, 0x20, 0};

    CU_ASSERT_EQUAL(rig_send(rig.a, lun, cdb, 10, NULL, 0, 8192), SCSI_GOOD);
}

static unsigned key_count(unsigned lun)
{
    in(lun, 0);
    return get_be32(answer.in + 4) / 8;
}

static unsigned reserved(unsigned lun)
{
    in(lun, 1);
    return get_be32(answer.in + 4) ? answer.in[21] : 0;
}

/* ---- APTPL ----------------------------------------------------------------------------------- */

/* Keys, holder, type and the ALL_TG_PT of each come back; PRGENERATION begins anew. */
static void test_power_loss(void)
{
    for (unsigned lun = CHANGER; lun <= DRIVE; lun++) {
        rig_start();
        CU_ASSERT_EQUAL(out(lun, rig.a, REGISTER, 0, 0, KEY_A, APTPL), SCSI_GOOD);
        CU_ASSERT_EQUAL(out(lun, rig.b, REGISTER, 0, 0, KEY_B, APTPL | ALL_TG_PT), SCSI_GOOD);
        CU_ASSERT_EQUAL(out(lun, rig.b, RESERVE, WE, KEY_B, 0, 0), SCSI_GOOD);
        rig_restart();
        CU_ASSERT_EQUAL(key_count(lun), 2);
        CU_ASSERT_EQUAL(get_be32(answer.in), 0);
        CU_ASSERT_EQUAL(get_be64(answer.in + 8), KEY_A);
        CU_ASSERT_EQUAL(reserved(lun), WE);
        CU_ASSERT_EQUAL(get_be64(answer.in + 8), KEY_B);
        in(lun, 2);
        CU_ASSERT_EQUAL(answer.in[3], 0x81); /* PTPL_A */
        in(lun, 3);
        CU_ASSERT_EQUAL(answer.in[8 + 12], 0);
        CU_ASSERT_EQUAL(answer.in[8 + 24 + get_be32(answer.in + 8 + 20) + 12], 0x03);
        CU_ASSERT_EQUAL(rig_cdb(rig.a, lun, "4c 02 40 00 00 00 00 00 00 00", NULL, 0, 0),
                        SCSI_RESERVATION_CONFLICT);
        CU_ASSERT_EQUAL(out(lun, rig.b, RELEASE, WE, KEY_B, 0, 0), SCSI_GOOD);
        rig_restart();
        CU_ASSERT_EQUAL(key_count(lun), 2);
        CU_ASSERT_EQUAL(reserved(lun), 0);
        CU_ASSERT_EQUAL(key_count(!lun), 0);
        rig_stop();
    }
}

/* The last REGISTER decides: without APTPL nothing is left, and a reservation of all comes back
 * without a holder. */
static void test_last_decides(void)
{
    rig_start();
    out(DRIVE, rig.a, REGISTER, 0, 0, KEY_A, APTPL);
    out(DRIVE, rig.b, REGISTER, 0, 0, KEY_B, 0);
    in(DRIVE, 2);
    CU_ASSERT_EQUAL(answer.in[3], 0x80);
    rig_restart();
    CU_ASSERT_EQUAL(key_count(DRIVE), 0);
    out(DRIVE, rig.a, REGISTER_IGNORE, 0, 0, KEY_A, APTPL);
    out(DRIVE, rig.a, RESERVE, WE_AR, KEY_A, 0, 0);
    rig_restart();
    CU_ASSERT_EQUAL(reserved(DRIVE), WE_AR);
    CU_ASSERT_EQUAL(get_be64(answer.in + 8), 0);
    CU_ASSERT_EQUAL(out(DRIVE, rig.a, CLEAR, 0, KEY_A, 0, 0), SCSI_GOOD);
    rig_restart();
    CU_ASSERT_EQUAL(key_count(DRIVE), 0);
    rig_stop();
}

/* ---- SPEC_I_PT ------------------------------------------------------------------------------- */

/* REGISTER from a for itself and count ports; each id is 4 + 36 bytes. */
static uint8_t register_ports(const char *const *names, unsigned count, uint8_t options, size_t cut)
{
    uint8_t cdb[10] = {0x5f, REGISTER}, list[28 + 40 * 8] = {0};
    size_t len = 28 + 40 * (size_t)count - cut;

    put_be64(list + 8, KEY_A);
    list[20] = options;
    put_be32(list + 24, 40 * count);
    for (unsigned i = 0; i < count; i++) {
        list[28 + 40 * i] = 0x45;
        list[28 + 40 * i + 3] = 36;
        memcpy(list + 28 + 40 * i + 4, names[i], strlen(names[i]));
    }
    put_be32(cdb + 5, (uint32_t)len);
    return rig_send(rig.a, DRIVE, cdb, 10, list, len, 0);
}

static void test_other_ports(void)
{
    static const char *const names[] = {"iqn.test:b,i,0x000000000001",
                                        "iqn.test:c,i,0x000000000001"};

    rig_start();
    CU_ASSERT_EQUAL(register_ports(names, 2, SPEC_I_PT, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(key_count(DRIVE), 3);
    CU_ASSERT_EQUAL(out(DRIVE, rig.b, RESERVE, EA_RO, KEY_A, 0, 0), SCSI_GOOD); /* it is b's */
    register_ports(names, 2, SPEC_I_PT, 0); /* a is registered already */
    CU_ASSERT_EQUAL(answer.status, SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(out(DRIVE, rig.a, CLEAR, 0, KEY_A, 0, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(key_count(DRIVE), 0);
    CU_ASSERT_EQUAL(register_ports(names, 0, SPEC_I_PT, 0), SCSI_GOOD); /* an empty list */
    CU_ASSERT_EQUAL(key_count(DRIVE), 1);
    rig_stop();
}

/* All or none: a list with a bad, a doubled or a cut name registers nobody. */
static void test_all_or_none(void)
{
    static const char *const twice[] = {"iqn.test:c,i,0x000000000001",
                                        "iqn.test:c,i,0x000000000001"};
    static const char *const bad[] = {"iqn.test:c,i,0x000000000001", "iqn.test:c"};

    rig_start();
    register_ports(twice, 2, SPEC_I_PT, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 28 + 40);
    register_ports(bad, 2, SPEC_I_PT, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    for (size_t cut = 1; cut < 84; cut++) {
        register_ports(twice, 2, SPEC_I_PT | APTPL, cut);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    }
    register_ports(twice, 1, 0, 0); /* ports, but no SPEC_I_PT */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    CU_ASSERT_EQUAL(key_count(DRIVE), 0);
    CU_ASSERT_EQUAL(get_be32(answer.in), 0);
    out(DRIVE, rig.a, REGISTER_IGNORE, 0, 0, KEY_A, SPEC_I_PT);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    rig_stop();
}

/* ---- the kept bytes -------------------------------------------------------------------------- */

/* Damaged at any byte, or cut anywhere: refused or sound, never out of bounds. */
static void test_damage(void)
{
    struct persistent p = {0}, q = {0};
    uint8_t good[PERSISTENT_MAX];
    size_t len;

    registration_add(&p, "iqn.test:a,i,0x1", 1, 1);
    p.holder = registration_add(&p, "iqn.test:b,i,0x1", 1, 2);
    p.type = WE;
    len = persistent_encode(&p, good);
    CU_ASSERT_TRUE(persistent_decode(&q, good, len));
    CU_ASSERT_EQUAL(q.count, 2);
    CU_ASSERT_PTR_EQUAL(q.holder, q.first->next);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1);

        memcpy(exact, good, cut);
        CU_ASSERT_FALSE(persistent_decode(&q, exact, cut));
        CU_ASSERT_EQUAL(q.count, 0);
        free(exact);
    }
    for (size_t at = 0; at < len; at++) {
        uint8_t *exact = malloc(len);

        for (unsigned value = 0; value < 256; value += 5) {
            memcpy(exact, good, len);
            exact[at] = (uint8_t)value;
            if (persistent_decode(&q, exact, len))
                CU_ASSERT(q.type == TYPE_NONE || reservation_type_valid(q.type));
        }
        free(exact);
    }
    registrations_free(&p);
    registrations_free(&q);
}

static const struct check_test tests[] = {
    {"power_loss", test_power_loss},   {"last_decides", test_last_decides},
    {"other_ports", test_other_ports}, {"all_or_none", test_all_or_none},
    {"damage", test_damage},
};

CHECK_MAIN("reserve_saved", tests)
