/* SPDX-License-Identifier: Apache-2.0 */
/* test_topology.c - drives, slots and cartridges that come and go: in the library, and as hosts see
 * it. */
#include <dirent.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/unit/changer_rig.h"
#include "vtl/scsi/sense.h"

static struct error err;

/* How many LUNs REPORT LUNS tells, and whether this one is among them. */
static unsigned luns(unsigned wanted, bool *there)
{
    uint32_t bytes;

    CU_ASSERT_EQUAL(rig_cdb(rig.a, CHANGER, "a0 00 00 00 00 00 00 00 10 00 00 00", NULL, 0, 4096),
                    SCSI_GOOD);
    bytes = get_be32(answer.in);
    *there = false;
    for (uint32_t at = 8; at < 8 + bytes; at += 8)
        *there = *there || get_be16(answer.in + at) == wanted;
    return bytes / 8;
}

static void both_are_told(unsigned lun)
{
    rig_cdb(rig.a, lun, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_REPORTED_LUNS_CHANGED);
    rig_cdb(rig.b, lun, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_REPORTED_LUNS_CHANGED);
}

static void test_drive_add(void)
{
    unsigned drive;
    bool there;

    rig_start();
    CU_ASSERT_EQUAL(luns(3, &there), 3);
    CU_ASSERT_FALSE(there);
    CHECK_OK(scsi_target_drive_add(rig.target, &drive, &err), err);
    CU_ASSERT_EQUAL(drive, 2);
    rig_cdb(rig.a, SECOND, TUR, NULL, 0, 0); /* drives at work are not disturbed */
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    both_are_told(CHANGER);
    rig_cdb(rig.a, 3, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_POWER_ON);
    CU_ASSERT_EQUAL(luns(3, &there), 4);
    CU_ASSERT_TRUE(there);
    CU_ASSERT_EQUAL(move(SLOT(1), DRIVE_AT(2)), SCSI_GOOD);
    rig_cdb(rig.a, 3, TUR, NULL, 0, 0);
    rig_cdb(rig.a, 3, TUR, NULL, 0, 0);
    rig_good(3, TUR);
    status(0x14, 0, 0xffff, 0x03, 4096);
    CU_ASSERT_EQUAL(memcmp(descriptor(DRIVE_AT(2)) + 12, "RIG001L8", 8), 0);
    CU_ASSERT_EQUAL(memcmp(descriptor(DRIVE_AT(2)) + 52 + 24, "CPRIG0000103", 12), 0);
    rig_stop();
}

/* A drive out of the middle: its LUN is gone, its element says so; the next one takes its place. */
static void test_drive_remove(void)
{
    unsigned drive;
    bool there;

    rig_start();
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "1e 00 00 00 01 00", NULL, 0, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "16 00 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    CHECK_OK(scsi_target_drive_remove(rig.target, 0, &err), err);
    both_are_told(CHANGER);
    CU_ASSERT_EQUAL(luns(DRIVE, &there), 2);
    CU_ASSERT_FALSE(there);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_NO_LOGICAL_UNIT);
    rig_cdb(rig.a, DRIVE, "12 00 00 00 60 00", NULL, 0, 96);
    CU_ASSERT_EQUAL(answer.in[0], 0x7f);
    status(0x14, 0, 0xffff, 0x03, 4096);
    CU_ASSERT_EQUAL(descriptor(DRIVE_AT(0))[2], 0x04); /* EXCEPT */
    CU_ASSERT_EQUAL(get_be16(descriptor(DRIVE_AT(0)) + 4), ASC_DRIVE_REMOVED);
    CU_ASSERT_EQUAL(descriptor(DRIVE_AT(0))[51], 0); /* no designator */
    move(SLOT(0), DRIVE_AT(0));
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_DRIVE_REMOVED);
    CHECK_FAILS(scsi_target_drive_remove(rig.target, 0, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(scsi_target_drive_remove(rig.target, 1, &err), ERR_STATE, err); /* the last */
    rig_restart();
    CU_ASSERT_EQUAL(luns(DRIVE, &there), 2); /* it is remembered */
    CU_ASSERT_FALSE(there);
    CHECK_OK(scsi_target_drive_add(rig.target, &drive, &err), err);
    CU_ASSERT_EQUAL(drive, 0);
    rig_cdb(rig.a, CHANGER, TUR, NULL, 0, 0);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_POWER_ON);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM); /* not reserved, not prevented */
    CU_ASSERT_EQUAL(move(SLOT(1), DRIVE_AT(0)), SCSI_GOOD);
    CU_ASSERT_EQUAL(move(DRIVE_AT(0), SLOT(1)), SCSI_GOOD);
    rig_stop();
}

/* A drive that comes back is another one: nothing of its former life is left, in one process too.
 */
static void test_drive_back(void)
{
    unsigned drive;

    rig_start();
    CU_ASSERT_EQUAL(move(SLOT(1), DRIVE_AT(0)), SCSI_GOOD);
    CHECK_FAILS(scsi_target_drive_remove(rig.target, 0, &err), ERR_STATE, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "RIG001L8"));
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0), SCSI_CHECK_CONDITION);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "1e 00 00 00 01 00", NULL, 0, 0), SCSI_GOOD);
    CHECK_FAILS(scsi_target_drive_eject(rig.target, 0, &err), ERR_BUSY, err);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "1e 00 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    CHECK_OK(scsi_target_drive_eject(rig.target, 0, &err), err);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    CU_ASSERT_EQUAL(move(DRIVE_AT(0), SLOT(1)), SCSI_GOOD);
    CHECK_FAILS(scsi_target_drive_eject(rig.target, 0, &err), ERR_STATE, err);
    CHECK_OK(scsi_target_drive_remove(rig.target, 0, &err), err);
    CHECK_OK(scsi_target_drive_add(rig.target, &drive, &err), err);
    rig_cdb(rig.a, CHANGER, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(move(SLOT(1), DRIVE_AT(0)), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_POWER_ON);
    for (int i = 0; i < 2; i++)
        rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    rig_stop();
}

/* Nor of what hosts have saved on it: who takes a drive out has got rid of a reservation that would
 * survive a power loss, too. */
static void test_drive_forgets(void)
{
    static const uint8_t aptpl[24] = {[8] = 1, [20] = 1};
    uint8_t pews[36] = {0, 0, 0, 0, 0x50, 0x01, 0x00, 0x1c, [11] = 9};
    unsigned drive;

    rig_start();
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "5f 00 00 00 00 00 00 00 18 00", aptpl, 24, 0),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "15 11 00 00 24 00", pews, 36, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "a4 06 00 00 00 00 00 00 00 04 00 00", "rack", 4, 0),
                    SCSI_GOOD);
    CHECK_OK(scsi_target_drive_remove(rig.target, 0, &err), err);
    CHECK_OK(scsi_target_drive_add(rig.target, &drive, &err), err);
    for (int process = 0; process < 2; process++) {
        for (int i = 0; i < 4; i++)
            rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
        CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "5e 00 00 00 00 00 00 00 ff 00", NULL, 0, 255),
                        SCSI_GOOD);
        CU_ASSERT_EQUAL(get_be32(answer.in + 4), 0);
        for (unsigned saved = 0; saved < 2; saved++) { /* current, saved */
            CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, saved ? "1a 08 d0 01 ff 00" : "1a 08 10 01 ff 00",
                                    NULL, 0, 255),
                            SCSI_GOOD);
            CU_ASSERT_EQUAL(get_be16(answer.in + 4 + 6), 0);
        }
        CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "a3 05 00 00 00 00 00 00 00 ff 00 00", NULL, 0, 255),
                        SCSI_GOOD);
        CU_ASSERT_EQUAL(get_be32(answer.in), 0);
        rig_restart();
    }
    rig_stop();
}

/* ---- under load ------------------------------------------------------------------------------ */

struct host {
    pthread_t thread;
    struct scsi_nexus *nexus;
    unsigned lun;
    _Atomic bool stop;
    unsigned commands, good;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool finished;
};

static void host_done(struct scsi_task *task)
{
    struct host *h = task->transport;

    pthread_mutex_lock(&h->lock);
    h->finished = true;
    pthread_cond_signal(&h->done);
    pthread_mutex_unlock(&h->lock);
}

/* TEST UNIT READY, REQUEST SENSE and MODE SENSE without end; each one is answered once. */
static void *host_main(void *arg)
{
    static const uint8_t cdbs[][6] = {{0x00}, {0x03, 0, 0, 0, 252}, {0x1a, 0, 0x3f, 0, 255}};
    struct host *h = arg;
    struct scsi_task *task = calloc(1, sizeof(*task));
    uint8_t in[256];

    while (!h->stop) {
        memset(task, 0, sizeof(*task));
        memcpy(task->cdb, cdbs[h->commands % 3], 6);
        task->cdb_len = 6;
        task->nexus = h->nexus;
        task->lun[1] = (uint8_t)h->lun;
        task->in = in;
        task->in_size = sizeof(in);
        task->done = host_done;
        task->transport = h;
        h->finished = false;
        scsi_target_submit(rig.target, task);
        pthread_mutex_lock(&h->lock);
        while (!h->finished)
            pthread_cond_wait(&h->done, &h->lock);
        pthread_mutex_unlock(&h->lock);
        h->good += task->status == SCSI_GOOD;
        h->commands++;
    }
    free(task);
    return NULL;
}

static void test_under_load(void)
{
    struct host hosts[3];
    unsigned drive;

    rig_start();
    for (unsigned i = 0; i < 3; i++) {
        hosts[i] = (struct host){.nexus = i == 2 ? rig.b : rig.a,
                                 .lun = i == 0 ? CHANGER : DRIVE,
                                 .lock = PTHREAD_MUTEX_INITIALIZER,
                                 .done = PTHREAD_COND_INITIALIZER};
        pthread_create(&hosts[i].thread, NULL, host_main, &hosts[i]);
    }
    for (int i = 0; i < 50; i++) {
        CHECK_OK(scsi_target_drive_remove(rig.target, 0, &err), err);
        CHECK_OK(scsi_target_drive_add(rig.target, &drive, &err), err);
        CU_ASSERT_EQUAL(drive, 0);
        CHECK_OK(library_resize(rig.library, 4u + (unsigned)i % 7u, 2, &err), err);
        scsi_target_elements_changed(rig.target);
        usleep(1000);
    }
    for (unsigned i = 0; i < 3; i++) {
        hosts[i].stop = true;
        pthread_join(hosts[i].thread, NULL);
        CU_ASSERT(hosts[i].commands > 10);
        CU_ASSERT(hosts[i].good > 0);
    }
    rig_stop();
}

/* ---- slots ----------------------------------------------------------------------------------- */

static void test_resize(void)
{
    struct library_element e;

    rig_start();
    CHECK_OK(library_resize(rig.library, 6, 1, &err), err);
    scsi_target_elements_changed(rig.target);
    rig_cdb(rig.a, CHANGER, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MODE_CHANGED);
    rig_good(CHANGER, TUR);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, CHANGER, "1a 00 1d 00 88 00", NULL, 0, 136), SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4 + 8), 6);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4 + 12), 1);
    CU_ASSERT_EQUAL(move(SLOT(1), SLOT(5)), SCSI_GOOD);
    CHECK_FAILS(library_resize(rig.library, 5, 1, &err), ERR_STATE, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "RIG001L8"));
    CHECK_FAILS(library_resize(rig.library, LIBRARY_SLOTS_MAX + 1, 1, &err), ERR_RANGE, err);
    CHECK_OK(library_find(rig.library, "RIG001L8", &e, &err), err);
    CU_ASSERT_EQUAL(e.address, SLOT(5));
    CU_ASSERT_EQUAL(move(SLOT(5), SLOT(1)), SCSI_GOOD);
    CHECK_OK(library_resize(rig.library, 2, 0, &err), err);
    CHECK_FAILS(library_element(rig.library, SLOT(2), &e, &err), ERR_NOT_FOUND, err);
    CHECK_OK(library_find(rig.library, "RIG001L8", &e, &err), err);
    rig_stop();
}

/* ---- vault ----------------------------------------------------------------------------------- */

static int note_vaulted(void *ctx, const struct library_vaulted *v)
{
    *(struct library_vaulted *)ctx = *v;
    return 0;
}

static void test_vault(void)
{
    struct library_vaulted v = {.barcode = ""};
    struct library_element e;

    rig_start();
    CHECK_OK(library_vault(rig.library, SLOT(1), "safe B, shelf 3", &err), err);
    CHECK_FAILS(library_find(rig.library, "RIG001L8", &e, &err), ERR_NOT_FOUND, err);
    CHECK_OK(library_vault_list(rig.library, note_vaulted, &v, &err), err);
    CU_ASSERT_STRING_EQUAL(v.barcode, "RIG001L8");
    CU_ASSERT_STRING_EQUAL(v.place, "safe B, shelf 3");
    rig_restart(); /* it is not taken for a stray */
    CHECK_FAILS(library_find(rig.library, "RIG001L8", &e, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(library_unvault(rig.library, "RIG000L8", 0xffff, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(library_unvault(rig.library, "RIG001L8", SLOT(0), &err), ERR_EXISTS, err);
    CHECK_FAILS(library_unvault(rig.library, "RIG001L8", DRIVE_AT(0), &err), ERR_NOT_FOUND, err);
    CHECK_OK(library_unvault(rig.library, "RIG001L8", IE(1), &err), err);
    CHECK_OK(library_find(rig.library, "RIG001L8", &e, &err), err);
    CU_ASSERT_EQUAL(e.address, IE(1));
    CU_ASSERT_TRUE(e.imported);
    scsi_target_inventory_changed(rig.target);
    rig_cdb(rig.a, CHANGER, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_IMPORT_EXPORT_ACCESSED);
    CHECK_FAILS(library_vault(rig.library, SLOT(3), "x", &err), ERR_STATE, err);
    CHECK_FAILS(library_vault(rig.library, SLOT(0), "", &err), ERR_RANGE, err);
    CHECK_FAILS(library_vault(rig.library, SLOT(0), "a\nb", &err), ERR_RANGE, err);
    CU_ASSERT_EQUAL(move(SLOT(0), DRIVE_AT(0)), SCSI_GOOD);
    CHECK_FAILS(library_vault(rig.library, DRIVE_AT(0), "x", &err), ERR_STATE, err);
    rig_stop();
}

/* A host that prevents the changer's media from being removed stops the operator, too. */
static void test_prevented(void)
{
    rig_start();
    CU_ASSERT_FALSE(scsi_target_prevented(rig.target));
    CU_ASSERT_EQUAL(rig_cdb(rig.b, CHANGER, "1e 00 00 00 01 00", NULL, 0, 0), SCSI_GOOD);
    CU_ASSERT_TRUE(scsi_target_prevented(rig.target));
    CU_ASSERT_EQUAL(rig_cdb(rig.a, CHANGER, "1e 00 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    CU_ASSERT_TRUE(scsi_target_prevented(rig.target)); /* each nexus for itself */
    CU_ASSERT_EQUAL(rig_cdb(rig.b, CHANGER, "1e 00 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    CU_ASSERT_FALSE(scsi_target_prevented(rig.target));
    rig_stop();
}

static void test_delete(void)
{
    struct library_element e;
    char path[128];

    rig_start();
    snprintf(path, sizeof(path), "%s/cartridges/RIG001L8", rig.root);
    CU_ASSERT_EQUAL(move(SLOT(1), DRIVE_AT(0)), SCSI_GOOD);
    CHECK_FAILS(library_cartridge_delete(rig.library, "RIG001L8", &err), ERR_STATE, err);
    CU_ASSERT_EQUAL(move(DRIVE_AT(0), SLOT(1)), SCSI_GOOD);
    CHECK_OK(library_cartridge_delete(rig.library, "RIG001L8", &err), err);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    CHECK_FAILS(library_find(rig.library, "RIG001L8", &e, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(library_cartridge_delete(rig.library, "RIG001L8", &err), ERR_NOT_FOUND, err);
    rig_cartridge("RIG001L8", SLOT(1), 0x5e, false, 0); /* the barcode is free again */
    CHECK_OK(library_vault(rig.library, SLOT(1), "safe", &err), err);
    CHECK_OK(library_cartridge_delete(rig.library, "RIG001L8", &err), err);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    rig_stop();
}

/* ---- scale ----------------------------------------------------------------------------------- */

static unsigned threads(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/task");

    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

/* Slots that have addresses without moving other elements together. */
#define ROOM (0xffff - LIBRARY_ADDRESS_SLOT)

/* 255 drives and as many slots as have addresses: no thread for what nobody uses, and everything
 * is found. */
static void test_large(void)
{
    unsigned drive, before, count = 0;
    struct library_element e;
    bool there;

    rig_start();
    before = threads();
    CHECK_OK(library_resize(rig.library, ROOM, LIBRARY_IMPORT_EXPORT_MAX, &err), err);
    CHECK_FAILS(library_resize(rig.library, ROOM + 1, LIBRARY_IMPORT_EXPORT_MAX, &err), ERR_RANGE,
                err);
    for (unsigned i = 2; i < LIBRARY_DRIVES_MAX; i++)
        CHECK_OK(scsi_target_drive_add(rig.target, &drive, &err), err);
    CHECK_FAILS(scsi_target_drive_add(rig.target, &drive, &err), ERR_STATE, err);
    CU_ASSERT_EQUAL(threads(), before);
    CU_ASSERT_EQUAL(luns(255, &there), 256);
    CU_ASSERT_TRUE(there);
    rig_cartridge("FAR001L8", 0xfffe, 0x5e, false, 0);
    CHECK_OK(library_find(rig.library, "FAR001L8", &e, &err), err);
    CU_ASSERT_EQUAL(e.address, 0xfffe);
    scsi_target_inventory_changed(rig.target);
    for (int i = 0; i < 3; i++)
        rig_cdb(rig.a, CHANGER, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(status(0x10, 0, 0xffff, 0x03, 0xffffff), SCSI_GOOD);
    count = 1 + LIBRARY_DRIVES_MAX + ROOM + LIBRARY_IMPORT_EXPORT_MAX;
    CU_ASSERT_EQUAL(get_be16(answer.in + 2), count & 0xffff);
    CU_ASSERT_EQUAL(memcmp(descriptor(0xfffe) + 12, "FAR001L8", 8), 0);
    CU_ASSERT_EQUAL(move(0xfffe, DRIVE_AT(254)), SCSI_GOOD);
    rig_cdb(rig.a, 255, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_POWER_ON);
    rig_stop();
}

static const struct check_test tests[] = {
    {"drive_add", test_drive_add},
    {"drive_remove", test_drive_remove},
    {"drive_forgets", test_drive_forgets},
    {"drive_back", test_drive_back},
    {"under_load", test_under_load},
    {"resize", test_resize},
    {"vault", test_vault},
    {"prevented", test_prevented},
    {"delete", test_delete},
    {"large", test_large},
};

CHECK_MAIN("topology", tests)
