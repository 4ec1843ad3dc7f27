/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reserve.c - persistent reservations: registering, the conflict matrix, preempting, what
 * hosts are told, and hostile parameter lists; on the drive, and on the changer what differs.
 */
#include "common/bytes.h"
#include "tests/unit/check.h"
#include "tests/unit/scsi_rig.h"
#include "vtl/scsi/internal.h"

#define TUR     "00 00 00 00 00 00"
#define KEY_A   0xaaaaaaaaaaaaaaaa
#define KEY_B   0xbbbbbbbbbbbbbbbb
#define KEY_C   0xcccccccccccccccc
#define MISSING 0x1234

enum action { REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_ABORT, REGISTER_IGNORE, MOVE };
enum { WE = 1, EA = 3, WE_RO = 5, EA_RO = 6, WE_AR = 7, EA_AR = 8 };

static const uint8_t types[] = {WE, EA, WE_RO, EA_RO, WE_AR, EA_AR};
static struct error err;

/* ---- helpers --------------------------------------------------------------------------------- */

static uint8_t out_to(unsigned lun, struct scsi_nexus *n, unsigned action, unsigned type,
                      uint64_t key, uint64_t new_key)
{
    uint8_t cdb[10] = {0x5f, (uint8_t)action, (uint8_t)type, 0, 0, 0, 0, 0, 24};
    uint8_t list[24] = {0};

    put_be64(list, key);
    put_be64(list + 8, new_key);
    return rig_send(n, lun, cdb, 10, list, 24, 0);
}

static uint8_t out(struct scsi_nexus *n, unsigned action, unsigned type, uint64_t key,
                   uint64_t new_key)
{
    return out_to(DRIVE, n, action, type, key, new_key);
}

static void in(unsigned action, unsigned lun)
{
    uint8_t cdb[10] = {0x5e, (uint8_t)action, 0, 0, 0, 0, 0, 0x10, 0};

    CU_ASSERT_EQUAL(rig_send(rig.a, lun, cdb, 10, NULL, 0, 4096), SCSI_GOOD);
}

static uint32_t generation(void)
{
    in(0, DRIVE);
    return get_be32(answer.in);
}

static unsigned key_count(void)
{
    in(0, DRIVE);
    CU_ASSERT_EQUAL(answer.in_len, 8 + get_be32(answer.in + 4));
    return get_be32(answer.in + 4) / 8;
}

/* The reservation: its type, and its key in *key; 0: none. */
static unsigned reserved(uint64_t *key)
{
    in(1, DRIVE);
    if (get_be32(answer.in + 4) == 0) {
        CU_ASSERT_EQUAL(answer.in_len, 8);
        return 0;
    }
    CU_ASSERT_EQUAL(answer.in_len, 24);
    CU_ASSERT_EQUAL(get_be32(answer.in + 4), 16);
    if (key)
        *key = get_be64(answer.in + 8);
    return answer.in[21];
}

static void both_registered(void)
{
    CU_ASSERT_EQUAL(out(rig.a, REGISTER, 0, 0, KEY_A), SCSI_GOOD);
    CU_ASSERT_EQUAL(out(rig.b, REGISTER, 0, 0, KEY_B), SCSI_GOOD);
}

static void check_attention(struct scsi_nexus *n, unsigned code)
{
    rig_cdb(n, DRIVE, "03 00 00 00 12 00", NULL, 0, 18);
    if ((answer.in[2] & 15) != (code ? KEY_UNIT_ATTENTION : KEY_NO_SENSE) ||
        get_be16(answer.in + 12) != code)
        printf("\n    expected attention %04x, got %x/%04x", code, answer.in[2] & 15,
               get_be16(answer.in + 12));
    CU_ASSERT_EQUAL(answer.in[2] & 15, code ? KEY_UNIT_ATTENTION : KEY_NO_SENSE);
    CU_ASSERT_EQUAL(get_be16(answer.in + 12), code);
}

static void start(void)
{
    rig_start();
    rig_load(0);
}

/* ---- registering ----------------------------------------------------------------------------- */

static void test_register(void)
{
    start();
    CU_ASSERT_EQUAL(generation(), 0);
    CU_ASSERT_EQUAL(out(rig.a, REGISTER, 0, KEY_A, KEY_A), SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(out(rig.a, REGISTER, 0, 0, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(key_count(), 0);
    both_registered();
    CU_ASSERT_EQUAL(generation(), 3);
    CU_ASSERT_EQUAL(key_count(), 2);
    CU_ASSERT_EQUAL(get_be64(answer.in + 8), KEY_A);
    CU_ASSERT_EQUAL(get_be64(answer.in + 16), KEY_B);
    CU_ASSERT_EQUAL(out(rig.a, REGISTER, 0, 0, KEY_C), SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(out(rig.a, REGISTER, 0, KEY_A, KEY_C), SCSI_GOOD);
    CU_ASSERT_EQUAL(out(rig.a, REGISTER_IGNORE, 0, MISSING, KEY_A), SCSI_GOOD);
    CU_ASSERT_EQUAL(key_count(), 2);
    CU_ASSERT_EQUAL(get_be64(answer.in + 8), KEY_A);
    CU_ASSERT_EQUAL(generation(), 5);
    CU_ASSERT_EQUAL(out(rig.b, REGISTER, 0, KEY_B, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(out(rig.a, REGISTER_IGNORE, 0, MISSING, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(key_count(), 0);
    /* another unit has its own */
    both_registered();
    in(0, SECOND);
    CU_ASSERT_EQUAL(get_be32(answer.in + 4), 0);
    rig_stop();
}

static void test_capabilities(void)
{
    static const uint8_t expected[8] = {0, 8, 0x1d, 0x80, 0xea, 0x01, 0, 0};

    start();
    in(2, DRIVE);
    CU_ASSERT_EQUAL(answer.in_len, 8);
    CU_ASSERT_EQUAL(memcmp(answer.in, expected, 8), 0);
    rig_stop();
}

static void test_full_status(void)
{
    const uint8_t *d;

    start();
    both_registered();
    out(rig.b, RESERVE, WE_RO, KEY_B, 0);
    in(3, DRIVE);
    CU_ASSERT_EQUAL(answer.in_len, 8 + 2 * (24 + 4 + 20));
    CU_ASSERT_EQUAL(get_be32(answer.in + 4), answer.in_len - 8);
    d = answer.in + 8;
    CU_ASSERT_EQUAL(get_be64(d), KEY_A);
    CU_ASSERT_EQUAL(d[12], 0);
    CU_ASSERT_EQUAL(d[13], 0);
    CU_ASSERT_EQUAL(get_be16(d + 18), 1);
    CU_ASSERT_EQUAL(get_be32(d + 20), 24);
    CU_ASSERT_EQUAL(d[24], 0x45); /* iSCSI, world wide unique port */
    CU_ASSERT_EQUAL(get_be16(d + 26), 20);
    CU_ASSERT_EQUAL(memcmp(d + 28, "iqn.test:a,i,0x1\0\0\0\0", 20), 0);
    d += 48;
    CU_ASSERT_EQUAL(get_be64(d), KEY_B);
    CU_ASSERT_EQUAL(d[12], 1); /* R_HOLDER */
    CU_ASSERT_EQUAL(d[13], WE_RO);
    out(rig.b, RELEASE, WE_RO, KEY_B, 0);
    out(rig.b, RESERVE, EA_AR, KEY_B, 0);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0); /* 2A/04 */
    in(3, DRIVE);
    CU_ASSERT_EQUAL(answer.in[8 + 12] & answer.in[8 + 48 + 12], 1); /* both hold it */
    CU_ASSERT_EQUAL(reserved(NULL), EA_AR);
    CU_ASSERT_EQUAL(get_be64(answer.in + 8), 0);
    rig_stop();
}

/* Any allocation length: just so many bytes, and the lengths inside tell the whole. */
static void test_allocation(void)
{
    start();
    both_registered();
    out(rig.a, RESERVE, WE, KEY_A, 0);
    for (unsigned action = 0; action < 4; action++) {
        size_t whole;

        in(action, DRIVE);
        whole = answer.in_len;
        for (unsigned room = 0; room <= whole + 1; room++) {
            uint8_t cdb[10] = {0x5e, (uint8_t)action, 0, 0, 0, 0, 0, 0, (uint8_t)room};

            CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 10, NULL, 0, room), SCSI_GOOD);
            CU_ASSERT_EQUAL(answer.in_len, room < whole ? room : whole);
        }
    }
    rig_stop();
}

/* ---- the conflict matrix --------------------------------------------------------------------- */

/* A: allowed under any type; R: under write exclusive; W: for holders and the like only. */
static const struct command {
    char class;
    const char *cdb;
} drive_commands[] =
    {
        {'A', TUR},
        {'A', "03 00 00 00 00 00"},
        {'A', "05 00 00 00 00 00"},
        {'A', "12 00 00 00 00 00"},
        {'A', "1e 00 00 00 00 00"},
        {'A', "44 00 00 00 00 00 00 00 00 00"},
        {'A', "4d 00 40 00 00 00 00 00 00 00"},
        {'A', "5e 00 00 00 00 00 00 00 00 00"},
        {'A', "a0 00 00 00 00 00 00 00 00 00 00 00"},
        {'A', "ab 01 00 00 00 00 00 00 00 00 00 00"},
        {'A', "a3 0f 00 00 00 00 00 00 00 00 00 00"},
        {'R', "01 00 00 00 00 00"},
        {'R', "08 00 00 00 00 00"},
        {'R', "a3 1d 00 00 00 00 00 00 00 00 00 00"},
        {'R', "a4 1d 02 00 00 00 00 00 00 00 00 00"},
        {'W', "14 00 00 00 00 00"},
        {'W', "04 00 00 00 00 00"},
        {'W', "0b 00 00 00 00 00"},
        {'W', "82 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
        {'R', "0f 00 00 00 00 00"},
        {'R', "11 00 00 00 00 00"},
        {'R', "13 00 00 00 00 00"},
        {'R', "81 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
        {'R', "88 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
        {'R', "8f 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
        {'R', "1a 00 00 00 00 00"},
        {'R', "1c 00 00 00 00 00"},
        {'R', "2b 00 00 00 00 00 00 00 00 00"},
        {'R', "34 00 00 00 00 00 00 00 00 00"},
        {'R', "3c 03 00 00 00 00 00 00 00 00"},
        {'R', "a2 00 00 00 00 00 00 00 00 00 00 00"},
        {'R', "5a 00 00 00 00 00 00 00 00 00"},
        {'R', "8c 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
        {'R', "91 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
        {'R', "92 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
        {'R', "a3 0c 00 00 00 00 00 00 00 00 00 00"},
        {'R', "a3 0d 00 00 00 00 00 00 00 00 00 00"},
        {'W', "0a 00 00 00 00 00"},
        {'W', "10 01 00 00 00 00"},
        {'W', "15 10 00 00 00 00"},
        {'W', "19 00 00 00 00 00"},
        {'W', "1b 00 00 00 01 00"},
        {'W', "1d 00 00 00 00 00"},
        {'W', "1e 00 00 00 01 00"},
        {'W', "3b 0a 00 00 00 00 00 00 00 00"},
        {'W', "4c 00 00 00 00 00 00 00 00 00"},
        {'W', "55 10 00 00 00 00 00 00 00 00"},
        {'W', "80 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
        {'W', "8a 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
        {'W', "93 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
        {'W', "8d 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
        {'W', "a4 0f 00 00 00 00 00 00 00 00 00 00"},
        {'W', "b5 20 00 10 00 00 00 00 00 00 00 00"},
},
  changer_commands[] = {
      {'A', TUR},
      {'A', "b8 00 00 00 00 01 02 00 00 00 00 00"}, /* CURDATA */
      {'W', "b8 00 00 00 00 01 00 00 00 00 00 00"},
      {'A', "1e 00 00 00 00 00"},
      {'R', "1a 00 1d 00 00 00"},
      {'W', "07 00 00 00 00 00"},
      {'W', "2b 00 00 00 04 00 00 00 00 00"},
      {'W', "a5 00 00 00 04 01 04 02 00 00 00 00"},
      {'W', "a6 00 00 00 04 01 04 02 04 01 00 00"},
      {'W', "37 00 00 00 00 00 00 00 00 00"},
      {'W', "15 10 00 00 00 00"},
};

static bool may(char class, unsigned type, bool holder, bool registered)
{
    bool read_shared = type == WE || type == WE_RO || type == WE_AR;

    if (holder || class == 'A' || (registered && type >= WE_RO))
        return true;
    return class == 'R' && read_shared;
}

static void check_matrix(unsigned lun, const struct command *commands, size_t count,
                         const struct scsi_nexus *who, unsigned type, bool holder, bool registered)
{
    for (size_t i = 0; i < count; i++) {
        bool allowed = may(commands[i].class, type, holder, registered);
        uint8_t status =
            rig_cdb((struct scsi_nexus *)(uintptr_t)who, lun, commands[i].cdb, NULL, 0, 0);

        if ((status != SCSI_RESERVATION_CONFLICT) != allowed)
            printf("\n    type %u, registered %d, %s: status %02x", type, registered,
                   commands[i].cdb, status);
        CU_ASSERT_EQUAL(status != SCSI_RESERVATION_CONFLICT, allowed);
    }
}

static void run_matrix(unsigned lun, const struct command *commands, size_t count)
{
    start();
    for (size_t t = 0; t < sizeof(types); t++) {
        unsigned type = types[t];

        for (int registered = 0; registered < 2; registered++) {
            out_to(lun, rig.a, REGISTER_IGNORE, 0, 0, KEY_A);
            out_to(lun, rig.b, REGISTER_IGNORE, 0, 0, registered ? KEY_B : 0);
            CU_ASSERT_EQUAL(out_to(lun, rig.a, RESERVE, type, KEY_A, 0), SCSI_GOOD);
            check_matrix(lun, commands, count, rig.b, type, false, registered);
            check_matrix(lun, commands, count, rig.a, type, true, true);
            CU_ASSERT_EQUAL(out_to(lun, rig.a, RELEASE, type, KEY_A, 0), SCSI_GOOD);
            for (int i = 0; i < 3; i++)
                rig_cdb(rig.b, lun, TUR, NULL, 0, 0);
            CU_ASSERT_NOT_EQUAL(rig_cdb(rig.b, lun, commands[count - 1].cdb, NULL, 0, 0),
                                SCSI_RESERVATION_CONFLICT);
        }
    }
    rig_stop();
}

static void test_matrix_drive(void)
{
    run_matrix(DRIVE, drive_commands, ARRAY_LENGTH(drive_commands));
}

static void test_matrix_changer(void)
{
    run_matrix(CHANGER, changer_commands, ARRAY_LENGTH(changer_commands));
}

/* Every opcode of a unit is in the matrix above, or is of the reservations themselves: a new one
 * can't be left without a class unseen. */
static bool in_matrix(uint8_t code, const struct command *commands, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strtoul(commands[i].cdb, NULL, 16) == code)
            return true;
    }
    return code == 0x16 || code == 0x17 || code == 0x56 || code == 0x57 || code == 0x5f;
}

static void test_matrix_complete(void)
{
    for (size_t i = 0; i < drive_kind.opcode_count; i++) {
        uint8_t code = drive_kind.opcodes[i].code;

        if (!in_matrix(code, drive_commands, ARRAY_LENGTH(drive_commands)))
            printf("\n    opcode %02x is not in the matrix", code);
        CU_ASSERT_TRUE(in_matrix(code, drive_commands, ARRAY_LENGTH(drive_commands)));
    }
}

/* ---- reserving and releasing ----------------------------------------------------------------- */

static void test_reserve_rules(void)
{
    uint64_t key = 0;

    start();
    CU_ASSERT_EQUAL(out(rig.a, RESERVE, WE, 0, 0), SCSI_RESERVATION_CONFLICT); /* unregistered */
    both_registered();
    CU_ASSERT_EQUAL(out(rig.a, RESERVE, WE, KEY_B, 0), SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(out(rig.a, RESERVE, EA, KEY_A, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(reserved(&key), EA);
    CU_ASSERT_EQUAL(key, KEY_A);
    CU_ASSERT_EQUAL(out(rig.a, RESERVE, EA, KEY_A, 0), SCSI_GOOD); /* the same again */
    CU_ASSERT_EQUAL(out(rig.a, RESERVE, WE, KEY_A, 0), SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(out(rig.b, RESERVE, EA, KEY_B, 0), SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(out(rig.b, RELEASE, EA, KEY_B, 0), SCSI_GOOD); /* not its own: nothing */
    CU_ASSERT_EQUAL(reserved(NULL), EA);
    out(rig.a, RELEASE, WE, KEY_A, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_RELEASE);
    CU_ASSERT_EQUAL(out(rig.a, RELEASE, EA, KEY_B, 0), SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(generation(), 2); /* RESERVE and RELEASE do not count */
    CU_ASSERT_EQUAL(out(rig.a, RELEASE, EA, KEY_A, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(reserved(NULL), 0);
    check_attention(rig.b, 0); /* exclusive types: nobody else was waiting */
    CU_ASSERT_EQUAL(out(rig.a, RELEASE, EA, KEY_A, 0), SCSI_GOOD);
    /* the key of a holder may change */
    out(rig.a, RESERVE, EA, KEY_A, 0);
    CU_ASSERT_EQUAL(out(rig.a, REGISTER, 0, KEY_A, KEY_C), SCSI_GOOD);
    CU_ASSERT_EQUAL(reserved(&key), EA);
    CU_ASSERT_EQUAL(key, KEY_C);
    rig_stop();
}

/* Who is told when a reservation goes, and with which types. */
static void test_release_attentions(void)
{
    for (size_t t = 0; t < sizeof(types); t++) {
        bool registrants = types[t] >= WE_RO;
        bool all = types[t] >= WE_AR;

        start();
        both_registered();
        CU_ASSERT_EQUAL(out(rig.a, RESERVE, types[t], KEY_A, 0), SCSI_GOOD);
        CU_ASSERT_EQUAL(out(rig.a, RELEASE, types[t], KEY_A, 0), SCSI_GOOD);
        check_attention(rig.b, registrants ? ASC_RESERVATIONS_RELEASED : 0);
        check_attention(rig.b, 0);
        check_attention(rig.a, 0);
        /* the holder unregisters */
        CU_ASSERT_EQUAL(out(rig.a, RESERVE, types[t], KEY_A, 0), SCSI_GOOD);
        CU_ASSERT_EQUAL(out(rig.a, REGISTER, 0, KEY_A, 0), SCSI_GOOD);
        CU_ASSERT_EQUAL(reserved(NULL), all ? types[t] : 0);
        check_attention(rig.b, registrants && !all ? ASC_RESERVATIONS_RELEASED : 0);
        CU_ASSERT_EQUAL(out(rig.b, REGISTER, 0, KEY_B, 0), SCSI_GOOD); /* the last one */
        CU_ASSERT_EQUAL(reserved(NULL), 0);
        rig_stop();
    }
}

static void test_clear(void)
{
    start();
    both_registered();
    out(rig.a, RESERVE, EA, KEY_A, 0);
    CU_ASSERT_EQUAL(out(rig.b, CLEAR, 0, KEY_A, 0), SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(out(rig.b, CLEAR, 0xff, KEY_B, 0), SCSI_GOOD); /* scope and type: ignored */
    check_attention(rig.a, ASC_RESERVATIONS_PREEMPTED);
    check_attention(rig.b, 0);
    CU_ASSERT_EQUAL(reserved(NULL), 0);
    CU_ASSERT_EQUAL(key_count(), 0);
    CU_ASSERT_EQUAL(generation(), 3);
    rig_stop();
}

/* ---- preempting ------------------------------------------------------------------------------ */

static void test_preempt_reservation(void)
{
    struct scsi_nexus *c;
    uint64_t key = 0;

    start();
    both_registered();
    CHECK_OK(scsi_nexus_create(rig.target, "iqn.test:c,i,0x1", &c, &err), err);
    rig_cdb(c, DRIVE, TUR, NULL, 0, 0);
    out(c, REGISTER, 0, 0, KEY_C);
    rig_good(DRIVE, "1e 00 00 00 01 00"); /* a prevents removal, and dies */
    out(rig.a, RESERVE, EA, KEY_A, 0);
    CU_ASSERT_EQUAL(out(rig.b, PREEMPT, WE_RO, KEY_C, KEY_A), SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(out(rig.b, PREEMPT, WE_RO, KEY_B, MISSING), SCSI_RESERVATION_CONFLICT);
    out(rig.b, PREEMPT, WE_RO, KEY_B, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    out(rig.b, PREEMPT, 2, KEY_B, KEY_A);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(generation(), 3);
    CU_ASSERT_EQUAL(out(rig.b, PREEMPT, WE_RO, KEY_B, KEY_A), SCSI_GOOD);
    check_attention(rig.a, ASC_REGISTRATIONS_PREEMPTED);
    check_attention(rig.a, 0);
    check_attention(c, ASC_RESERVATIONS_RELEASED); /* the type has changed */
    check_attention(rig.b, 0);
    CU_ASSERT_EQUAL(generation(), 4);
    CU_ASSERT_EQUAL(reserved(&key), WE_RO);
    CU_ASSERT_EQUAL(key, KEY_B);
    CU_ASSERT_EQUAL(key_count(), 2);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "1b 00 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "1b 00 00 00 01 00", NULL, 0, 0),
                    SCSI_RESERVATION_CONFLICT);
    /* a holder changes its own type */
    CU_ASSERT_EQUAL(out(rig.b, PREEMPT, EA_RO, KEY_B, KEY_B), SCSI_GOOD);
    CU_ASSERT_EQUAL(reserved(&key), EA_RO);
    CU_ASSERT_EQUAL(key, KEY_B);
    scsi_nexus_destroy(c);
    rig_stop();
}

/* A key that holds nothing: only registrations go, the orderer's too if it is its own. */
static void test_preempt_registrations(void)
{
    start();
    both_registered();
    out(rig.a, RESERVE, WE, KEY_A, 0);
    CU_ASSERT_EQUAL(out(rig.a, PREEMPT, 0x2f, KEY_A, KEY_B), SCSI_GOOD); /* type is ignored */
    CU_ASSERT_EQUAL(key_count(), 1);
    CU_ASSERT_EQUAL(reserved(NULL), WE);
    check_attention(rig.b, ASC_REGISTRATIONS_PREEMPTED);
    out(rig.b, REGISTER, 0, 0, KEY_B);
    CU_ASSERT_EQUAL(out(rig.b, PREEMPT, WE, KEY_B, KEY_B), SCSI_GOOD);
    check_attention(rig.b, 0);
    CU_ASSERT_EQUAL(key_count(), 1);
    CU_ASSERT_EQUAL(reserved(NULL), WE);
    rig_stop();
}

static void test_preempt_all_registrants(void)
{
    uint64_t key = 1;

    start();
    both_registered();
    out(rig.a, RESERVE, WE_AR, KEY_A, 0);
    CU_ASSERT_EQUAL(out(rig.b, PREEMPT, EA, KEY_B, KEY_A), SCSI_GOOD); /* one registration goes */
    check_attention(rig.a, ASC_REGISTRATIONS_PREEMPTED);
    CU_ASSERT_EQUAL(reserved(&key), WE_AR);
    CU_ASSERT_EQUAL(key, 0);
    CU_ASSERT_EQUAL(key_count(), 1);
    out(rig.a, REGISTER, 0, 0, KEY_A);
    CU_ASSERT_EQUAL(out(rig.a, PREEMPT, EA, KEY_A, 0), SCSI_GOOD); /* zero: all of it */
    CU_ASSERT_EQUAL(reserved(&key), EA);
    CU_ASSERT_EQUAL(key, KEY_A);
    CU_ASSERT_EQUAL(key_count(), 1);
    check_attention(rig.b, ASC_REGISTRATIONS_PREEMPTED);
    rig_stop();
}

/* PREEMPT AND ABORT ends what the preempted nexus has queued behind it, and nothing else. */
static _Atomic unsigned finished;

static void note_done(struct scsi_task *task)
{
    (void)task;
    finished++;
}

static void queue(struct scsi_task *task, struct scsi_nexus *n, const uint8_t *cdb, size_t len,
                  const uint8_t *list)
{
    memset(task, 0, sizeof(*task));
    task->nexus = n;
    task->lun[1] = DRIVE;
    memcpy(task->cdb, cdb, len);
    task->cdb_len = len;
    task->out = list;
    task->out_len = list ? 24 : 0;
    task->done = note_done;
    scsi_target_submit(rig.target, task);
}

static void test_preempt_and_abort(void)
{
    static struct scsi_task order, victim, other;
    uint8_t cdb[10] = {0x5f, PREEMPT_ABORT, EA, 0, 0, 0, 0, 0, 24}, list[24] = {0};
    struct scsi_lu *lu;

    start();
    both_registered();
    out(rig.a, RESERVE, EA, KEY_A, 0);
    put_be64(list, KEY_B);
    put_be64(list + 8, KEY_A);
    lu = nexus_lu(rig.a, (const uint8_t[8]){0, DRIVE});
    pthread_mutex_lock(&lu->device); /* so that all three are under way at once */
    finished = 0;
    queue(&order, rig.b, cdb, 10, list);
    queue(&victim, rig.a, (const uint8_t[6]){0x01}, 6, NULL);
    queue(&other, rig.b, (const uint8_t[6]){0x01}, 6, NULL);
    pthread_mutex_unlock(&lu->device);
    while (finished < 3)
        sched_yield();
    CU_ASSERT_EQUAL(order.status, SCSI_GOOD);
    CU_ASSERT_EQUAL(victim.status, SCSI_TASK_ABORTED);
    CU_ASSERT_EQUAL(other.status, SCSI_GOOD);
    check_attention(rig.a, ASC_REGISTRATIONS_PREEMPTED);
    CU_ASSERT_EQUAL(reserved(NULL), EA);
    rig_stop();
}

/* ---- REGISTER AND MOVE ----------------------------------------------------------------------- */

static uint8_t move_to(struct scsi_nexus *n, uint64_t key, uint64_t new_key, const char *name,
                       uint8_t flags)
{
    uint8_t cdb[10] = {0x5f, MOVE}, list[24 + 4 + 256] = {0};
    size_t padded = (strlen(name) + 4) / 4 * 4;

    padded = padded < 20 ? 20 : padded;
    put_be64(list, key);
    put_be64(list + 8, new_key);
    list[17] = flags;
    list[19] = 1;
    list[23] = (uint8_t)(4 + padded);
    list[24] = 0x45;
    list[27] = (uint8_t)padded;
    memcpy(list + 28, name, strlen(name));
    cdb[8] = (uint8_t)(28 + padded);
    return rig_send(n, DRIVE, cdb, 10, list, 28 + padded, 0);
}

static void test_move(void)
{
    static const char spelt[] = "IQN.test:b,i,0x000000000001"; /* b, as another host writes it */
    uint64_t key = 0;

    start();
    out(rig.a, REGISTER, 0, 0, KEY_A);
    move_to(rig.a, KEY_A, KEY_B, spelt, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB); /* nothing is reserved */
    out(rig.a, RESERVE, WE, KEY_A, 0);
    CU_ASSERT_EQUAL(move_to(rig.a, KEY_B, KEY_B, spelt, 0), SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(move_to(rig.b, KEY_B, KEY_B, spelt, 0), SCSI_RESERVATION_CONFLICT);
    move_to(rig.a, KEY_A, 0, spelt, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    move_to(rig.a, KEY_A, KEY_B, spelt, 4); /* reserved */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    move_to(rig.a, KEY_A, KEY_B, "iqn.test:a,i,0x01", 0); /* itself */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    CU_ASSERT_EQUAL(move_to(rig.a, KEY_A, KEY_B, spelt, 2), SCSI_GOOD); /* UNREG */
    CU_ASSERT_EQUAL(reserved(&key), WE);
    CU_ASSERT_EQUAL(key, KEY_B);
    CU_ASSERT_EQUAL(key_count(), 1);
    CU_ASSERT_EQUAL(generation(), 2);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "0a 00 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "0a 00 00 00 00 00", NULL, 0, 0),
                    SCSI_RESERVATION_CONFLICT);
    rig_stop();
}

/* ---- a session's end, a reset, a power cycle ------------------------------------------------- */

static void test_survives_session(void)
{
    uint64_t key = 0;

    start();
    out(rig.a, REGISTER, 0, 0, KEY_A);
    out(rig.a, RESERVE, EA, KEY_A, 0);
    scsi_nexus_destroy(rig.a);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "0a 00 00 00 00 00", NULL, 0, 0),
                    SCSI_RESERVATION_CONFLICT);
    CHECK_OK(scsi_nexus_create(rig.target, "iqn.test:a,i,0x1", &rig.a, &err), err);
    check_attention(rig.a, ASC_POWER_ON);
    CU_ASSERT_EQUAL(reserved(&key), EA);
    CU_ASSERT_EQUAL(key, KEY_A);
    rig_good(DRIVE, "0a 00 00 00 00 00");
    CU_ASSERT_EQUAL(
        scsi_target_manage(rig.target, rig.b, SCSI_TMF_LUN_RESET, (const uint8_t[8]){0, DRIVE}, 0),
        SCSI_TMF_COMPLETE);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(reserved(NULL), EA);
    rig_restart(); /* PTPL_C=0 */
    CU_ASSERT_EQUAL(reserved(NULL), 0);
    CU_ASSERT_EQUAL(key_count(), 0);
    CU_ASSERT_EQUAL(generation(), 0);
    rig_stop();
}

/* ---- RESERVE and RELEASE beside it ----------------------------------------------------------- */

static void test_compatible(void)
{
    static const char *const classic[] = {"16 00 00 00 00 00", "17 00 00 00 00 00",
                                          "56 00 00 00 00 00 00 00 00 00",
                                          "57 00 00 00 00 00 00 00 00 00"};

    start();
    rig_good(DRIVE, classic[0]); /* RESERVEd: persistent reservations are shut out, for all */
    for (unsigned i = 0; i < 2; i++) {
        struct scsi_nexus *n = i ? rig.a : rig.b;

        CU_ASSERT_EQUAL(out(n, REGISTER, 0, 0, KEY_A), SCSI_RESERVATION_CONFLICT);
        CU_ASSERT_EQUAL(rig_cdb(n, DRIVE, "5e 00 00 00 00 00 00 00 08 00", NULL, 0, 8),
                        SCSI_RESERVATION_CONFLICT);
    }
    rig_good(DRIVE, classic[1]);
    both_registered(); /* registered, nothing reserved: RESERVE is shut out */
    for (size_t i = 0; i < ARRAY_LENGTH(classic); i++)
        CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, classic[i], NULL, 0, 0), SCSI_RESERVATION_CONFLICT);
    for (size_t t = 0; t < sizeof(types); t++) { /* CRH */
        CU_ASSERT_EQUAL(out(rig.a, RESERVE, types[t], KEY_A, 0), SCSI_GOOD);
        for (size_t i = 0; i < ARRAY_LENGTH(classic); i++) {
            rig_good(DRIVE, classic[i]);
            CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, classic[i], NULL, 0, 0),
                            types[t] >= WE_RO ? SCSI_GOOD : SCSI_RESERVATION_CONFLICT);
        }
        CU_ASSERT_EQUAL(reserved(NULL), types[t]);
        out(rig.a, RELEASE, types[t], KEY_A, 0);
        rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
        CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    }
    rig_stop();
}

/* ---- hostile lists --------------------------------------------------------------------------- */

static void test_hostile_lists(void)
{
    uint8_t list[512] = {0};

    start();
    put_be64(list + 8, KEY_A);
    for (unsigned len = 0; len < 300; len++) { /* any length but 24, as the CDB says */
        uint8_t cdb[10] = {0x5f, REGISTER, 0, 0, 0, 0, 0, (uint8_t)(len >> 8), (uint8_t)len};

        if (len == 24)
            continue;
        rig_send(rig.a, DRIVE, cdb, 10, list, len, 0);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    }
    rig_cdb(rig.a, DRIVE, "5f 00 00 00 00 ff ff ff ff 00", list, 24, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    rig_cdb(rig.a, DRIVE, "5f 00 00 00 00 00 00 00 18 00", list, 23, 0); /* fewer came */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    for (unsigned bit = 0; bit < 8; bit++) { /* what is reserved beside the three options */
        if (bit == 0 || bit == 2 || bit == 3)
            continue;
        list[20] = (uint8_t)(1u << bit);
        rig_cdb(rig.a, DRIVE, "5f 00 00 00 00 00 00 00 18 00", list, 24, 0);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
        CU_ASSERT_EQUAL(answer.sense[15], 0x88 | bit);
        CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 20);
    }
    CU_ASSERT_EQUAL(key_count(), 0);
    CU_ASSERT_EQUAL(generation(), 0);
    out(rig.a, REGISTER, 0, 0, KEY_A);
    for (unsigned type = 0; type < 256; type++) {
        bool good = type == WE || type == EA || (type >= WE_RO && type <= EA_AR);

        if (good)
            continue;
        out(rig.a, RESERVE, type, KEY_A, 0);
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    }
    rig_cdb(rig.a, DRIVE, "5f 08 00 00 00 00 00 00 18 00", list, 24, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "5e 04 00 00 00 00 00 00 18 00", NULL, 0, 24);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

/* REGISTER AND MOVE with each byte of a good list spoilt, and cut at each length. */
static void test_hostile_move(void)
{
    static const char name[] = "iqn.test:elsewhere,i,0x000000000009";
    uint8_t cdb[10] = {0x5f, MOVE, 0, 0, 0, 0, 0, 0, 64}, good[64] = {0};

    start();
    out(rig.a, REGISTER, 0, 0, KEY_A);
    out(rig.a, RESERVE, WE, KEY_A, 0);
    put_be64(good, KEY_A);
    put_be64(good + 8, KEY_B);
    good[19] = 1;
    good[23] = 40;
    good[24] = 0x45;
    good[27] = 36;
    memcpy(good + 28, name, sizeof(name));
    for (unsigned at = 16; at < 28; at++) {
        uint8_t list[64];

        if (at == 16) /* reserved */
            continue;
        memcpy(list, good, 64);
        list[at] ^= 0x81;
        CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 10, list, 64, 0), SCSI_CHECK_CONDITION);
    }
    for (unsigned len = 0; len < 64; len++) {
        cdb[8] = (uint8_t)len;
        CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 10, good, len, 0), SCSI_CHECK_CONDITION);
    }
    CU_ASSERT_EQUAL(key_count(), 1);
    cdb[8] = 64;
    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 10, good, 64, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(key_count(), 2);
    rig_stop();
}

static void test_transport_id(void)
{
    uint8_t id[29] = {0x45, 0, 0, 24}; /* one more: a zero that is not its own */
    char name[PORT_NAME_MAX];

    memcpy(id + 4, "iqn.a,i,0x0123456789ab", 22);
    CU_ASSERT_TRUE(transport_id_parse(id, 28, name));
    CU_ASSERT_STRING_EQUAL(name, "iqn.a,i,0x0123456789ab");
    memcpy(id + 4, "iqn.abc,i,0x0123456789ab", 24); /* no end */
    CU_ASSERT_FALSE(transport_id_parse(id, 28, name));
    memcpy(id + 4, ",i,0x0123456789ab\0\0\0\0\0", 22); /* no name */
    id[26] = id[27] = 0;
    CU_ASSERT_FALSE(transport_id_parse(id, 28, name));
    memcpy(id + 4, "iqn.a,i,0x123g\0\0\0\0\0\0\0\0", 22);
    CU_ASSERT_FALSE(transport_id_parse(id, 28, name));
    CU_ASSERT_TRUE(port_name_equal("iqn.a,i,0x1", "IQN.A,i,0x0001"));
    CU_ASSERT_FALSE(port_name_equal("iqn.a,i,0x1", "iqn.a,i,0x10"));
    CU_ASSERT_FALSE(port_name_equal("iqn.a,i,0x1", "iqn.ab,i,0x1"));
    CU_ASSERT_FALSE(port_name_equal("tcmu,lun-1", "tcmu,lun-2"));
}

/* More ports than there is room for are refused, and those that are there work on. */
static void test_too_many(void)
{
    start();
    for (unsigned i = 0; i <= REGISTRATIONS_MAX; i++) {
        char name[40];
        struct scsi_nexus *n;

        snprintf(name, sizeof(name), "iqn.test:crowd,i,0x%x", i);
        CHECK_OK(scsi_nexus_create(rig.target, name, &n, &err), err);
        rig_cdb(n, DRIVE, TUR, NULL, 0, 0);
        if (i < REGISTRATIONS_MAX) {
            CU_ASSERT_EQUAL(out(n, REGISTER, 0, 0, i + 1), SCSI_GOOD);
        } else {
            out(n, REGISTER, 0, 0, i + 1);
            CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_NO_REGISTRATION_RESOURCES);
        }
        scsi_nexus_destroy(n);
    }
    CU_ASSERT_EQUAL(key_count(), REGISTRATIONS_MAX);
    CU_ASSERT_EQUAL(generation(), REGISTRATIONS_MAX);
    rig_stop();
}

static const struct check_test tests[] = {
    {"register", test_register},
    {"capabilities", test_capabilities},
    {"full_status", test_full_status},
    {"allocation", test_allocation},
    {"matrix_drive", test_matrix_drive},
    {"matrix_changer", test_matrix_changer},
    {"matrix_complete", test_matrix_complete},
    {"reserve_rules", test_reserve_rules},
    {"release_attentions", test_release_attentions},
    {"clear", test_clear},
    {"preempt_reservation", test_preempt_reservation},
    {"preempt_registrations", test_preempt_registrations},
    {"preempt_all_registrants", test_preempt_all_registrants},
    {"preempt_and_abort", test_preempt_and_abort},
    {"move", test_move},
    {"survives_session", test_survives_session},
    {"compatible", test_compatible},
    {"hostile_lists", test_hostile_lists},
    {"hostile_move", test_hostile_move},
    {"transport_id", test_transport_id},
    {"too_many", test_too_many},
};

CHECK_MAIN("reserve", tests)
