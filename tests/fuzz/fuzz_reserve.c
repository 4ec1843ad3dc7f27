/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_reserve.c - PERSISTENT RESERVE OUT, and RESERVE and RELEASE, by three initiators.
 *
 * An input is a LUN (byte 0, bit 0: the drive, else the changer) and commands:
 *   byte 0   bits 1..0 nexus (3: nexus 0 sends RESERVE(6) or RELEASE(6)), bits 6..2 service action
 *   byte 1   scope and type
 *   byte 2   bits 3..0 the two keys, out of four; bits 7..4: length of a TransportID, in units of 4
 *   byte 3   options (SPEC_I_PT, ALL_TG_PT, APTPL, UNREG)
 *   then the TransportID
 *
 * After each, what PERSISTENT RESERVE IN tells must agree with itself, and who may write and who
 * may not must be as SPC-5's table of types has it.
 */
#include <strings.h>

#include "tests/fuzz/target_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define COMMANDS_MAX 40
#define STATUS_MAX   16384

static unsigned lun;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    target_rig_start();
    return 0;
}

static uint64_t key_number(unsigned n)
{
    static const uint64_t keys[4] = {0, 1, 0x1122334455667788, UINT64_MAX};

    return keys[n & 3];
}

static void order(struct fuzz_input *in)
{
    uint8_t who = fuzz_u8(in), type = fuzz_u8(in), keys = fuzz_u8(in), options = fuzz_u8(in);
    uint8_t action = who >> 2 & 0x1f, list[24 + 64] = {0};
    size_t len = 24 + (size_t)(keys >> 4) * 4;
    uint8_t cdb[10] = {0x5f, action, type, 0, 0, 0, 0, 0, (uint8_t)len};

    if ((who & 3) == 3) {
        uint8_t old[6] = {action & 1 ? 0x16 : 0x17};

        target_run(0, lun, old, 6, NULL, 0, 0);
        return;
    }
    put_be64(list, key_number(keys));
    put_be64(list + 8, key_number(keys >> 2));
    list[20] = action == 7 ? 0 : options;
    if (action == 7) {
        list[17] = options;
        list[19] = 1;
        put_be32(list + 20, (uint32_t)len - 24);
    }
    fuzz_bytes(in, list + 24, len - 24);
    target_run(who & 3, lun, cdb, 10, list, len, 0);
}

/* ---- what it tells --------------------------------------------------------------------------- */

struct told {
    unsigned registrations, holders;
    uint8_t type; /* 0: nothing is reserved */
    bool registered[TARGET_NEXUSES], holds[TARGET_NEXUSES];
};

/* PERSISTENT RESERVE IN with so much room; what fits of a longer answer is its beginning. */
static size_t ask(uint8_t action, uint8_t *buf, size_t size)
{
    uint8_t cdb[10] = {0x5e, action};
    const struct target_answer *a;
    static uint8_t whole[STATUS_MAX];
    size_t len;

    put_be16(cdb + 7, (uint16_t)size);
    a = target_run(0, lun, cdb, 10, NULL, 0, size);
    REQUIRE(a->status == SCSI_GOOD && a->in_len >= 8);
    len = a->in_len;
    memcpy(buf, a->in, len);
    REQUIRE(len == 8 + get_be32(buf + 4));
    memcpy(whole, buf, len);
    put_be16(cdb + 7, (uint16_t)(len / 2));
    a = target_run(0, lun, cdb, 10, NULL, 0, size);
    REQUIRE(a->in_len == len / 2 && memcmp(a->in, whole, a->in_len) == 0);
    return len;
}

/* Which of our nexuses a TransportID names, however it spells name and ISID; -1: another port. */
static int nexus_of(const uint8_t *id, size_t len)
{
    static const char ours[] = "iqn.fuzz,i,0x";
    char text[256] = "", *end;
    unsigned long n;

    REQUIRE(len >= 24 && len % 4 == 0 && (id[0] & 0x0f) == 5 && get_be16(id + 2) == len - 4);
    memcpy(text, id + 4, len - 4 < sizeof(text) - 1 ? len - 4 : sizeof(text) - 1);
    if (strncasecmp(text, ours, sizeof(ours) - 1) != 0) /* RFC 3722 folds case */
        return -1;
    n = strtoul(text + sizeof(ours) - 1, &end, 16);
    return *end == '\0' && n < TARGET_NEXUSES ? (int)n : -1;
}

static void hear_registration(const uint8_t *d, size_t id_len, struct told *t)
{
    int n = nexus_of(d + 24, id_len);
    bool holds = d[12] & 0x01;

    REQUIRE(get_be64(d) != 0);
    t->registrations++;
    t->holders += holds;
    if (holds)
        REQUIRE(d[13] == t->type);
    if (n < 0)
        return;
    REQUIRE(!t->registered[n]);
    t->registered[n] = true;
    t->holds[n] = holds;
}

static void hear(struct told *t)
{
    uint8_t reservation[64], keys[2048], status[STATUS_MAX];
    size_t len = ask(1, reservation, sizeof(reservation)), keys_len = ask(0, keys, sizeof(keys));
    size_t at = 8;

    memset(t, 0, sizeof(*t));
    REQUIRE(len == 8 || len == 24);
    if (len == 24) {
        t->type = reservation[21];
        REQUIRE(t->type == 1 || t->type == 3 || (t->type >= 5 && t->type <= 8));
    }
    len = ask(3, status, sizeof(status));
    REQUIRE(memcmp(status, keys, 4) == 0); /* PRGENERATION */
    while (at < len) {
        size_t id_len = get_be32(status + at + 20);

        REQUIRE(at + 24 + id_len <= len);
        REQUIRE(memcmp(status + at, keys + 8 + (size_t)t->registrations * 8, 8) == 0);
        hear_registration(status + at, id_len, t);
        at += 24 + id_len;
    }
    REQUIRE(keys_len == 8 + (size_t)t->registrations * 8);
    if (t->type == 0)
        REQUIRE(t->holders == 0);
    else if (t->type >= 7)
        REQUIRE(t->holders == t->registrations && t->registrations > 0);
    else
        REQUIRE(t->holders == 1);
}

/* A command that writes (SPC-5, table of types): forbidden to all who do not hold it, or with the
 * types for registrants to those who are not registered. */
static void check_access(const struct told *t)
{
    static const uint8_t mode_select[6] = {0x15, 0x10};

    for (unsigned n = 0; n < TARGET_NEXUSES; n++) {
        bool forbidden = t->type && !t->holds[n] && !(t->type >= 5 && t->registered[n]);
        const struct target_answer *a;

        target_take_attentions(n, lun);
        a = target_run(n, lun, mode_select, 6, NULL, 0, 0);
        REQUIRE((a->status == SCSI_RESERVATION_CONFLICT) == forbidden);
    }
}

/* Nobody's RESERVE(6) is in the way of PERSISTENT RESERVE IN. */
static void release_old(void)
{
    static const uint8_t release[6] = {0x17};

    for (unsigned n = 0; n < TARGET_NEXUSES; n++) {
        target_take_attentions(n, lun);
        target_run(n, lun, release, 6, NULL, 0, 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct told told;

    target_rig_reset();
    lun = fuzz_u8(&in) & 1;
    for (unsigned i = 0; in.left > 0 && i < COMMANDS_MAX; i++) {
        order(&in);
        release_old();
        hear(&told);
        check_access(&told);
    }
    return 0;
}
