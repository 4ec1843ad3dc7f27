/* SPDX-License-Identifier: Apache-2.0 */
/* test_nexus.c - what a nexus sees: LUNs by view; and target ports in VPD and in reservations. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tests/unit/check.h"

#include "common/bytes.h"
#include "common/checked.h"
#include "tests/unit/scsi_rig.h"
#include "vtl/scsi/reserve.h"
#include "vtl/scsi/sense.h"

#define READY "00 00 00 00 00 00"

static unsigned heard; /* by any of these: that its units are others */

static void hear(void *ctx)
{
    ++*(unsigned *)ctx;
}

static struct scsi_nexus *nexus_by(const char *name, uint16_t port, const struct scsi_view *view)
{
    const struct scsi_nexus_options o = {
        .name = name, .port = port, .view = view, .luns_changed = hear, .ctx = &heard};
    struct scsi_nexus *n;
    struct error err = ERROR_INIT;

    CHECK_OK(scsi_nexus_open(rig.target, &o, &n, &err), err);
    return n;
}

static void see(struct scsi_view *v, unsigned lun, unsigned unit)
{
    v->unit[lun] = (uint16_t)unit;
}

static struct scsi_view see_nothing(void)
{
    struct scsi_view v;

    memset(v.unit, 0xff, sizeof(v.unit));
    return v;
}

/* What REPORT LUNS tells, asked at a LUN: a bit each. */
static unsigned reported(struct scsi_nexus *n, unsigned lun)
{
    unsigned bits = 0;

    CU_ASSERT_EQUAL(rig_cdb(n, lun, "a0 00 00 00 00 00 00 00 08 00 00 00", NULL, 0, 2048),
                    SCSI_GOOD);
    for (size_t at = 8; at < answer.in_len; at += 8)
        bits |= 1u << answer.in[at + 1];
    return bits;
}

/* The peripheral qualifier and device type at a LUN. */
static unsigned device(struct scsi_nexus *n, unsigned lun)
{
    CU_ASSERT_EQUAL(rig_cdb(n, lun, "12 00 00 00 60 00", NULL, 0, 96), SCSI_GOOD);
    return answer.in[0];
}

static uint8_t ready(struct scsi_nexus *n, unsigned lun)
{
    return rig_cdb(n, lun, READY, NULL, 0, 0);
}

static enum scsi_tmf_result manage(struct scsi_nexus *n, enum scsi_tmf what, uint8_t lun)
{
    return scsi_target_manage(rig.target, n, what, (const uint8_t[8]){0, lun}, 0);
}

/* ---- views ----------------------------------------------------------------------------------- */

/* The changer, and drive 1 as LUN 1: drive 0 is not there, nor is what was LUN 2. */
static void test_hidden_and_renumbered(void)
{
    struct scsi_view view = see_nothing();
    struct scsi_nexus *n;
    uint8_t serial[96];
    size_t len;

    rig_start();
    see(&view, 0, CHANGER);
    see(&view, 1, SECOND);
    n = nexus_by("iqn.test:c,i,0x1", 1, &view);
    CU_ASSERT_EQUAL(reported(rig.a, 0), 7);
    CU_ASSERT_EQUAL(reported(n, 0), 3);
    CU_ASSERT_EQUAL(device(n, 0), 0x08);
    CU_ASSERT_EQUAL(device(n, 1), 0x01);
    CU_ASSERT_EQUAL(device(n, 2), 0x7f); /* qualifier 3: no unit can be there */
    ready(n, 2);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_NO_LOGICAL_UNIT);
    ready(n, 1);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_POWER_ON);
    /* Its LUN 1 is drive 1: the serial number is that of the others' LUN 2. */
    rig_cdb(n, 1, "12 01 80 00 60 00", NULL, 0, 96);
    len = answer.in_len;
    memcpy(serial, answer.in, len);
    rig_cdb(rig.a, SECOND, "12 01 80 00 60 00", NULL, 0, 96);
    CU_ASSERT_EQUAL(answer.in_len, len);
    CU_ASSERT_EQUAL(memcmp(answer.in, serial, len), 0);
    scsi_nexus_destroy(n);
    rig_stop();
}

/* The changer tells of the LUN at which the asker has a drive, and of none for one he has not. */
static void test_drive_addresses(void)
{
    struct scsi_view view = see_nothing();
    struct scsi_nexus *n;
    size_t size;

    rig_start();
    see(&view, 0, CHANGER);
    see(&view, 1, SECOND);
    n = nexus_by("iqn.test:c,i,0x1", 1, &view);
    ready(n, 0);
    CU_ASSERT_EQUAL(rig_cdb(n, 0, "b8 04 00 00 00 ff 00 00 10 00 00 00", NULL, 0, 4096), SCSI_GOOD);
    size = get_be16(answer.in + 10);
    CU_ASSERT_EQUAL(answer.in[16 + 6] & 0x17, 0);
    CU_ASSERT_EQUAL(answer.in[16 + size + 6] & 0x17, 0x11);
    scsi_nexus_destroy(n);
    rig_stop();
}

static void test_task_management(void)
{
    struct scsi_view view = see_nothing();
    struct scsi_nexus *n;

    rig_start();
    see(&view, 1, SECOND);
    n = nexus_by("iqn.test:c,i,0x1", 1, &view);
    CU_ASSERT_EQUAL(manage(n, SCSI_TMF_LUN_RESET, 2), SCSI_TMF_NO_LUN);
    CU_ASSERT_EQUAL(manage(n, SCSI_TMF_LUN_RESET, 0), SCSI_TMF_NO_LUN);
    CU_ASSERT_EQUAL(manage(n, SCSI_TMF_LUN_RESET, 1), SCSI_TMF_COMPLETE);
    ready(rig.a, SECOND);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_DEVICE_RESET);
    ready(rig.a, DRIVE);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    /* Who does not see all does not reset all. */
    CU_ASSERT_FALSE(scsi_nexus_sees_all(n));
    CU_ASSERT_TRUE(scsi_nexus_sees_all(rig.a));
    CU_ASSERT_EQUAL(manage(n, SCSI_TMF_TARGET_RESET, 0), SCSI_TMF_REJECTED);
    CU_ASSERT_EQUAL(manage(rig.a, SCSI_TMF_TARGET_RESET, 0), SCSI_TMF_COMPLETE);
    scsi_nexus_destroy(n);
    rig_stop();
}

/* Without LUN 0, and without anything: REPORT LUNS and INQUIRY are answered all the same. */
static void test_empty_view(void)
{
    struct scsi_view view = see_nothing();
    struct scsi_nexus *n;

    rig_start();
    n = nexus_by("iqn.test:c,i,0x1", 1, &view);
    CU_ASSERT_EQUAL(reported(n, 0), 0);
    CU_ASSERT_EQUAL(device(n, 0), 0x7f);
    CU_ASSERT_EQUAL(rig_cdb(n, 0, "03 00 00 00 fc 00", NULL, 0, 252), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[2], KEY_ILLEGAL_REQUEST);
    see(&view, 5, DRIVE);
    scsi_nexus_set_view(n, &view);
    CU_ASSERT_EQUAL(reported(n, 0), 1 << 5);
    CU_ASSERT_EQUAL(device(n, 5), 0x01);
    scsi_nexus_destroy(n);
    rig_stop();
}

/* Another view is told once, on the lowest LUN; the same view is not. */
static void test_change(void)
{
    struct scsi_view view = see_nothing();

    rig_start();
    scsi_nexus_set_view(rig.a, NULL);
    CU_ASSERT_EQUAL(ready(rig.a, CHANGER), SCSI_GOOD);
    /* It holds drive 0, and then does not see it any more. */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "16 00 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(ready(rig.b, DRIVE), SCSI_RESERVATION_CONFLICT);
    see(&view, 3, SECOND);
    scsi_nexus_set_view(rig.a, &view);
    ready(rig.b, DRIVE);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    ready(rig.a, 3);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_REPORTED_LUNS_CHANGED);
    ready(rig.a, 3);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    scsi_nexus_set_view(rig.a, NULL);
    CU_ASSERT_EQUAL(reported(rig.a, 0), 7); /* whoever asks knows, and is not told */
    CU_ASSERT_EQUAL(ready(rig.a, CHANGER), SCSI_GOOD);
    rig_stop();
}

static _Atomic bool waiting;
static bool noticed;

/* A layer that takes its time, until somebody waits for the task to end. */
static bool wait_for_abort(void *ctx, unsigned lun, const struct scsi_task *task,
                           struct scsi_failure *failure)
{
    (void)ctx;
    (void)lun;
    (void)failure;
    atomic_store(&waiting, true);
    for (unsigned i = 0; i < 500 && !(noticed = scsi_task_aborted(task)); i++)
        usleep(10000);
    return false;
}

static void *run_ready(void *nexus)
{
    ready(nexus, DRIVE);
    return NULL;
}

/* A task is found by who wants it to end, although its nexus does not see the unit any more. */
static void test_abort_after_change(void)
{
    static const struct scsi_layer layer = {.command = wait_for_abort};
    const struct scsi_view nothing = see_nothing();
    const uint8_t lun[8] = {0, DRIVE};
    pthread_t thread;

    rig_start();
    ready(rig.a, DRIVE);
    scsi_target_set_layer(rig.target, &layer);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, run_ready, rig.a), 0);
    while (!atomic_load(&waiting))
        usleep(1000);
    scsi_nexus_set_view(rig.a, &nothing);
    CU_ASSERT_EQUAL(scsi_target_manage(rig.target, rig.b, SCSI_TMF_LUN_RESET, lun, 0),
                    SCSI_TMF_COMPLETE);
    pthread_join(thread, NULL);
    CU_ASSERT_TRUE(noticed);
    scsi_target_set_layer(rig.target, NULL);
    rig_stop();
}

/* A drive that comes or goes is told to those who see it. */
static void test_hot_drive(void)
{
    struct scsi_view with = see_nothing(), without = see_nothing();
    struct scsi_nexus *sees, *blind;
    struct error err = ERROR_INIT;
    unsigned drive;

    rig_start();
    see(&with, 0, CHANGER);
    see(&with, 1, 3); /* drive 2, which is not there yet */
    see(&without, 0, DRIVE);
    sees = nexus_by("iqn.test:c,i,0x1", 1, &with);
    blind = nexus_by("iqn.test:d,i,0x1", 1, &without);
    ready(sees, 0);
    ready(blind, 0);
    CU_ASSERT_EQUAL(reported(sees, 0), 1);
    heard = 0;
    CHECK_OK(scsi_target_drive_add(rig.target, &drive, &err), err);
    CU_ASSERT_EQUAL(drive, 2);
    CU_ASSERT_EQUAL(heard, 1); /* only who sees it */
    ready(sees, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_REPORTED_LUNS_CHANGED);
    CU_ASSERT_EQUAL(reported(sees, 0), 3);
    ready(blind, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    CHECK_OK(scsi_target_drive_remove(rig.target, drive, &err), err);
    CU_ASSERT_EQUAL(heard, 2);
    ready(blind, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    CU_ASSERT_EQUAL(device(sees, 1), 0x7f);
    scsi_nexus_destroy(sees);
    scsi_nexus_destroy(blind);
    rig_stop();
}

/* ---- target ports ---------------------------------------------------------------------------- */

/* The designator of a type and association in VPD page 83h; its length, or 0. */
static size_t designator(struct scsi_nexus *n, uint8_t association_type, const uint8_t **out)
{
    rig_cdb(n, DRIVE, "12 01 83 02 00 00", NULL, 0, 512);
    for (size_t at = 4; at + 4 <= answer.in_len; at += 4u + answer.in[at + 3])
        if (answer.in[at + 1] == association_type) {
            *out = answer.in + at + 4;
            return answer.in[at + 3];
        }
    return 0;
}

static void test_port_in_vpd(void)
{
    uint64_t naa[2] = {0};
    const uint8_t *d = NULL;

    rig.ports = 2;
    rig_start();
    for (uint16_t port = 1; port <= 2; port++) {
        struct scsi_nexus *n = nexus_by("iqn.test:c,i,0x1", port, NULL);
        char name[40];

        CU_ASSERT_EQUAL_FATAL(designator(n, 0x14, &d), 4);
        CU_ASSERT_EQUAL(get_be32(d), port);
        CU_ASSERT_EQUAL_FATAL(designator(n, 0x13, &d), 8);
        naa[port - 1] = get_be64(d);
        CU_ASSERT_EQUAL_FATAL(designator(n, 0x18, &d), 28);
        snprintf(name, sizeof(name), "iqn.test:target,t,0x%04x", port);
        CU_ASSERT_EQUAL(memcmp(d, name, 24), 0);
        rig_cdb(n, DRIVE, "12 00 00 00 60 00", NULL, 0, 96);
        CU_ASSERT_TRUE(answer.in[6] & 0x10); /* MULTIP */
        scsi_nexus_destroy(n);
    }
    CU_ASSERT_NOT_EQUAL(naa[0], naa[1]);
    CU_ASSERT_EQUAL(naa[0] >> 60, 3);
    rig_stop();
    rig.ports = 0;
    rig_start();
    CU_ASSERT_EQUAL(designator(rig.a, 0x18, &d), 0);
    rig_cdb(rig.a, DRIVE, "12 00 00 00 60 00", NULL, 0, 96);
    CU_ASSERT_FALSE(answer.in[6] & 0x10);
    rig_stop();
}

enum { REGISTER = 0, RESERVE = 1, MOVE = 7, SPEC_I_PT = 8, ALL_TG_PT = 4 };

/* Two target ports, and one initiator port that came by both. */
static struct scsi_nexus *one, *two;

static void ports_start(void)
{
    rig.ports = 2;
    rig_start();
    one = nexus_by("iqn.test:c,i,0x1", 1, NULL);
    two = nexus_by("iqn.test:c,i,0x1", 2, NULL);
    ready(one, DRIVE);
    ready(two, DRIVE);
}

static void ports_stop(void)
{
    scsi_nexus_destroy(one);
    scsi_nexus_destroy(two);
    rig_stop();
    rig.ports = 0;
}

static uint8_t out(struct scsi_nexus *n, unsigned action, uint64_t key, uint64_t new_key,
                   uint8_t options)
{
    uint8_t cdb[10] = {0x5f, (uint8_t)action, TYPE_EXCLUSIVE_ACCESS, 0, 0, 0, 0, 0, 24, 0};
    uint8_t list[24] = {0};

    put_be64(list, key);
    put_be64(list + 8, new_key);
    list[20] = options;
    return rig_send(n, DRIVE, cdb, 10, list, 24, 0);
}

/* PREVENT, which an exclusive access reservation of another forbids. */
static uint8_t prevent(struct scsi_nexus *n)
{
    return rig_cdb(n, DRIVE, "1e 00 00 00 01 00", NULL, 0, 0);
}

/* How many registrations there are, and a bit for each relative target port among them. */
static unsigned registered(unsigned *ports)
{
    unsigned count = 0;

    *ports = 0;
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "5e 03 00 00 00 00 00 10 00 00", NULL, 0, 4096),
                    SCSI_GOOD);
    for (size_t at = 8; at < answer.in_len; at += 24u + get_be32(answer.in + at + 20)) {
        *ports |= 1u << get_be16(answer.in + at + 18);
        CU_ASSERT_EQUAL(answer.in[at + 12] & 2, 0); /* each is told of by itself */
        count++;
    }
    return count;
}

/* One initiator port by two target ports is two nexuses: registering by one is not by the other. */
static void test_registration_is_of_a_port(void)
{
    unsigned ports;

    ports_start();
    CU_ASSERT_EQUAL(out(two, REGISTER, 0, 7, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(registered(&ports), 1);
    CU_ASSERT_EQUAL(ports, 1 << 2);
    CU_ASSERT_EQUAL(out(two, RESERVE, 7, 0, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(prevent(one), SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(out(one, RESERVE, 7, 0, 0), SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(prevent(two), SCSI_GOOD);
    /* A second key by the other port, while ALL_TG_PT wants the same by each. */
    CU_ASSERT_EQUAL(out(one, REGISTER, 0, 8, ALL_TG_PT), SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(out(one, REGISTER, 0, 8, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(registered(&ports), 2);
    CU_ASSERT_EQUAL(out(one, REGISTER, 8, 0, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(registered(&ports), 1);
    CU_ASSERT_EQUAL(ports, 1 << 2);
    ports_stop();
}

/* ALL_TG_PT is as if each port had been asked; SPEC_I_PT names others by the same ports. */
static void test_all_ports(void)
{
    uint8_t cdb[10] = {0x5f, REGISTER, 0, 0, 0, 0, 0, 0, 24 + 4 + 24, 0};
    uint8_t list[24 + 4 + 24] = {0};
    unsigned ports;

    ports_start();
    CU_ASSERT_EQUAL(out(one, REGISTER, 0, 7, ALL_TG_PT), SCSI_GOOD);
    CU_ASSERT_EQUAL(registered(&ports), 2);
    CU_ASSERT_EQUAL(ports, 6);
    CU_ASSERT_EQUAL(out(two, RESERVE, 7, 0, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(out(two, REGISTER, 7, 9, ALL_TG_PT), SCSI_GOOD);
    CU_ASSERT_EQUAL(out(one, REGISTER, 9, 0, ALL_TG_PT), SCSI_GOOD);
    CU_ASSERT_EQUAL(registered(&ports), 0);
    put_be64(list + 8, 5);
    list[20] = SPEC_I_PT | ALL_TG_PT;
    put_be32(list + 24, 24);
    list[28] = 0x45; /* an iSCSI port */
    put_be16(list + 30, 20);
    memcpy(list + 32, "iqn.test:d,i,0x1", 16);
    CU_ASSERT_EQUAL(rig_send(one, DRIVE, cdb, 10, list, sizeof(list), 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(registered(&ports), 4);
    CU_ASSERT_EQUAL(ports, 6);
    /* The same again: it is registered already. */
    CU_ASSERT_EQUAL(out(two, REGISTER, 5, 0, ALL_TG_PT), SCSI_GOOD);
    CU_ASSERT_EQUAL(rig_send(one, DRIVE, cdb, 10, list, sizeof(list), 0), SCSI_CHECK_CONDITION);
    CU_ASSERT_EQUAL(registered(&ports), 2);
    ports_stop();
}

/* REGISTER AND MOVE names the target port: one that there is, and it may be the mover's own name by
 * another. */
static void test_move_between_ports(void)
{
    uint8_t cdb[10] = {0x5f, MOVE, TYPE_EXCLUSIVE_ACCESS, 0, 0, 0, 0, 0, 24 + 24, 0};
    static const uint16_t bad[] = {0, 1, 3}; /* no such port, itself, no such port */
    uint8_t list[24 + 24] = {0};
    unsigned ports;

    ports_start();
    CU_ASSERT_EQUAL(out(one, REGISTER, 0, 7, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(out(one, RESERVE, 7, 0, 0), SCSI_GOOD);
    put_be64(list, 7);
    put_be64(list + 8, 8);
    put_be32(list + 20, 24);
    list[24] = 0x45;
    put_be16(list + 26, 20);
    memcpy(list + 28, "iqn.test:c,i,0x1", 16);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        put_be16(list + 18, bad[i]);
        CU_ASSERT_EQUAL(rig_send(one, DRIVE, cdb, 10, list, sizeof(list), 0), SCSI_CHECK_CONDITION);
    }
    put_be16(list + 18, 2);
    CU_ASSERT_EQUAL(rig_send(one, DRIVE, cdb, 10, list, sizeof(list), 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(registered(&ports), 2);
    CU_ASSERT_EQUAL(prevent(two), SCSI_GOOD);
    CU_ASSERT_EQUAL(prevent(one), SCSI_RESERVATION_CONFLICT);
    ports_stop();
}

static const struct check_test tests[] = {
    {"hidden_and_renumbered", test_hidden_and_renumbered},
    {"drive_addresses", test_drive_addresses},
    {"task_management", test_task_management},
    {"empty_view", test_empty_view},
    {"change", test_change},
    {"hot_drive", test_hot_drive},
    {"abort_after_change", test_abort_after_change},
    {"port_in_vpd", test_port_in_vpd},
    {"registration_is_of_a_port", test_registration_is_of_a_port},
    {"all_ports", test_all_ports},
    {"move_between_ports", test_move_between_ports},
};
CHECK_MAIN("nexus", tests)
