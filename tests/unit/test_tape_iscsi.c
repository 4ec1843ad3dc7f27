/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tape_iscsi.c - the engine's drive and robot against our own library over iSCSI, and a dump
 * that the robot brings cartridges for.
 */
#include <fcntl.h>
#include <unistd.h>

#include "common/log.h"
#include "engine/dump/dump.h"
#include "engine/restore/restore.h"
#include "engine/tape/changer.h"
#include "tests/unit/check.h"
#include "tests/unit/scratch.h"
#include "tests/unit/scsi_rig.h"
#include "vtl/iscsi/iscsid.h"

#define KIB    1024u
#define MIB    (1024u * KIB)
#define TARGET "iqn.2026-11.test:library"

static struct iscsid *server;
static struct changer *changer;
static struct tape *drive;
static struct tape_info info;

static const char *url(unsigned lun)
{
    static char text[2][200];

    snprintf(text[lun % 2], sizeof(text[0]), "iscsi://%s/%s/%u", iscsid_portal(server, 0), TARGET,
             lun);
    return text[lun % 2];
}

static void start(enum tape_mode mode)
{
    struct iscsid_options options = {
        .target_name = TARGET, .portals = {"127.0.0.1:0"}, .portal_count = 1};
    struct error err = ERROR_INIT;

    log_set_level(LOG_LEVEL_ERROR);
    rig_start();
    scsi_nexus_destroy(rig.a); /* a server names the target's ports, before anyone uses them */
    scsi_nexus_destroy(rig.b);
    rig.a = rig.b = NULL;
    CHECK_OK(iscsid_create(rig.target, &options, &server, &err), err);
    CHECK_OK(iscsid_start(server, &err), err);
    CHECK_OK(changer_open(url(0), NULL, &changer, &err), err);
    CHECK_OK(tape_open(url(1), mode, NULL, &drive, &err), err);
    CHECK_OK(tape_get_info(drive, &info, &err), err);
}

static void stop(void)
{
    tape_close(drive);
    changer_close(changer);
    iscsid_stop(server, 1000);
    iscsid_destroy(server);
    rig_stop();
}

/* What the robot says is in an element. */
static void expect_element(uint16_t address, const char *barcode)
{
    struct changer_element *e;
    struct error err = ERROR_INIT;
    size_t count;
    bool seen = false;

    CHECK_OK(changer_inventory(changer, &e, &count, &err), err);
    for (size_t i = 0; i < count; i++)
        if (e[i].address == address) {
            seen = true;
            CU_ASSERT_EQUAL(e[i].full, barcode[0] != '\0');
            CU_ASSERT_STRING_EQUAL(e[i].barcode, barcode);
        }
    CU_ASSERT_TRUE(seen);
    free(e);
}

static void test_robot(void)
{
    struct changer_element *e;
    struct error err = ERROR_INIT;
    unsigned of_type[5] = {0};
    size_t count;

    start(TAPE_WRITE);
    CU_ASSERT_NOT_EQUAL(info.serial[0], '\0');
    CU_ASSERT_STRING_EQUAL(info.barcode, "");
    CHECK_OK(changer_inventory(changer, &e, &count, &err), err);
    for (size_t i = 0; i < count; i++) {
        of_type[e[i].type]++;
        if (e[i].address == DRIVE_AT(0))
            CU_ASSERT_STRING_EQUAL(e[i].drive_serial, info.serial);
    }
    free(e);
    CU_ASSERT_EQUAL(of_type[CHANGER_TRANSPORT], 1);
    CU_ASSERT_EQUAL(of_type[CHANGER_SLOT], 4);
    CU_ASSERT_EQUAL(of_type[CHANGER_IMPORT_EXPORT], 2);
    CU_ASSERT_EQUAL(of_type[CHANGER_DRIVE], 2);

    CHECK_FAILS(tape_load(drive, &err), ERR_NO_MEDIUM, err);
    CHECK_FAILS(changer_unload(changer, info.serial, &err), ERR_STATE, err);
    CHECK_FAILS(changer_load(changer, "NONE01L8", info.serial, &err), ERR_NOT_FOUND, err);
    CHECK_FAILS(changer_load(changer, "RIG000L8", "no such drive", &err), ERR_NOT_FOUND, err);
    CHECK_OK(changer_load(changer, "RIG000L8", info.serial, &err), err);
    CHECK_OK(tape_load(drive, &err), err);
    CHECK_OK(tape_get_info(drive, &info, &err), err);
    CU_ASSERT_STRING_EQUAL(info.barcode, "RIG000L8");
    expect_element(DRIVE_AT(0), "RIG000L8");
    expect_element(SLOT(0), "");
    CHECK_OK(changer_load(changer, "RIG000L8", info.serial, &err), err); /* it is there */
    /* Nobody takes out what is being used. */
    CU_ASSERT_NOT_EQUAL(changer_unload(changer, info.serial, &err), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "prevented"));
    expect_element(DRIVE_AT(0), "RIG000L8");
    /* Another one: the first goes back to where it was. */
    CHECK_OK(tape_unload(drive, &err), err);
    CHECK_OK(changer_load(changer, "RIG001L8", info.serial, &err), err);
    expect_element(SLOT(0), "RIG000L8");
    CHECK_OK(tape_load(drive, &err), err);
    CHECK_OK(tape_unload(drive, &err), err);
    CHECK_OK(changer_unload(changer, info.serial, &err), err);
    expect_element(SLOT(1), "RIG001L8");
    stop();
}

static void test_drive(void)
{
    struct tape_position pos;
    struct error err = ERROR_INIT;
    static uint8_t block[256 * KIB], back[256 * KIB];
    size_t got;

    start(TAPE_WRITE);
    CHECK_OK(changer_load(changer, "RIG000L8", info.serial, &err), err);
    CHECK_OK(tape_load(drive, &err), err);
    for (unsigned i = 0; i < 4; i++) {
        for (size_t k = 0; k < sizeof(block); k++)
            block[k] = (uint8_t)(k * 7 + k / 256 + i);
        CHECK_OK(tape_write(drive, block, sizeof(block) - i, NULL, &err), err);
    }
    CHECK_OK(tape_write_filemarks(drive, 2, &err), err);
    CHECK_OK(tape_tell(drive, &pos, &err), err);
    CU_ASSERT_EQUAL(pos.block, 6);
    CU_ASSERT_EQUAL(pos.file, 2);
    CHECK_OK(tape_locate(drive, 3, &err), err);
    CHECK_OK(tape_read(drive, back, sizeof(back), &got, &err), err);
    CU_ASSERT_EQUAL(got, sizeof(block) - 3);
    CU_ASSERT_EQUAL(memcmp(back, block, got), 0);
    CHECK_FAILS(tape_read(drive, back, sizeof(back), &got, &err), ERR_FILEMARK, err);
    CHECK_OK(tape_rewind(drive, &err), err);
    CHECK_FAILS(tape_read(drive, back, 1000, &got, &err), ERR_LENGTH, err);
    CHECK_OK(tape_read(drive, back, sizeof(back), &got, &err), err);
    CU_ASSERT_EQUAL(got, sizeof(block) - 1);
    CHECK_OK(tape_space_filemarks(drive, 1, &err), err);
    CHECK_OK(tape_tell(drive, &pos, &err), err);
    CU_ASSERT_EQUAL(pos.block, 5);
    CHECK_FAILS(tape_space_filemarks(drive, 5, &err), ERR_END_OF_DATA, err);
    CHECK_FAILS(tape_space_filemarks(drive, -5, &err), ERR_BEGIN, err);
    CHECK_OK(tape_tell(drive, &pos, &err), err);
    CU_ASSERT_TRUE(pos.begin);
    CHECK_OK(tape_space_end(drive, &err), err);
    CHECK_FAILS(tape_read(drive, back, sizeof(back), &got, &err), ERR_END_OF_DATA, err);
    CHECK_FAILS(tape_locate(drive, 77, &err), ERR_END_OF_DATA, err);
    stop();
}

/* ---- a dump over several cartridges ------------------------------------------------------------
 */

static const char *const pool[] = {"POOL00L8", "POOL01L8", "POOL02L8", "POOL03L8"};
static unsigned warnings;

static int bring(const char *barcode, struct error *err)
{
    int rc = tape_unload(drive, err);

    if (rc == -ERR_NO_MEDIUM || rc == -ERR_STATE)
        rc = 0;
    if (!rc)
        rc = changer_load(changer, barcode, info.serial, err);
    if (!rc)
        rc = tape_load(drive, err);
    return rc ? rc : tape_rewind(drive, err);
}

static int next_volume(void *ctx, unsigned volume, char barcode[40], struct error *err)
{
    (void)ctx;
    if (volume > 4)
        return error_set(err, ERR_OPERATOR, "the pool is empty");
    snprintf(barcode, 40, "%s", pool[volume - 1]);
    return bring(barcode, err);
}

static int find_volume(void *ctx, unsigned volume, const char *barcode, struct tape **out,
                       struct error *err)
{
    (void)ctx;
    *out = drive;
    return bring(barcode[0] ? barcode : pool[volume - 1], err);
}

static void hear(void *ctx, const char *path, const char *message)
{
    (void)ctx;
    printf("\n    %s: %s", path, message);
    warnings++;
}

static void make_files(void)
{
    char path[256], data[4096];

    snprintf(path, sizeof(path), "%s/tree", scratch);
    CU_ASSERT_EQUAL(mkdir(path, 0755), 0);
    for (unsigned i = 0; i < 5; i++) {
        int fd;

        snprintf(path, sizeof(path), "%s/tree/file%u", scratch, i);
        fd = open(path, O_WRONLY | O_CREAT, 0644);
        for (unsigned k = 0; k < MIB / sizeof(data);
             k++) { /* nothing that a drive could compress */
            FILE *random = fopen("/dev/urandom", "r");

            CU_ASSERT_EQUAL(fread(data, 1, sizeof(data), random), sizeof(data));
            CU_ASSERT_EQUAL(write(fd, data, sizeof(data)), (ssize_t)sizeof(data));
            fclose(random);
        }
        close(fd);
    }
}

static void test_dump_by_robot(void)
{
    char tree[256], dir[256];
    struct dump_options options = {
        .path = tree, .blocking = 64, .warning = hear, .next_volume = next_volume};
    struct restore_options back = {
        .destination = tree, .compare = true, .warning = hear, .volume = find_volume};
    struct dump_result result;
    struct restore_result restored;
    struct error err = ERROR_INIT;
    struct catalog *cat;

    start(TAPE_WRITE);
    make_files();
    snprintf(tree, sizeof(tree), "%s/tree", scratch);
    snprintf(dir, sizeof(dir), "%s/catalog", scratch);
    changer_move(changer, SLOT(0), IE(0), &err);
    changer_move(changer, SLOT(1), IE(1), &err);
    for (unsigned i = 0; i < 4; i++)
        rig_cartridge(pool[i], 0xffff, 0x5e, false, 3 * MIB); /* 1 MiB is early warning */
    CHECK_OK(catalog_open(dir, true, &cat, &err), err);
    CHECK_OK(bring(pool[0], &err), err);
    CHECK_OK(dump_run(&options, drive, pool[0], cat, &result, &err), err);
    CU_ASSERT_TRUE(result.part_count >= 3);
    CHECK_OK(restore_image(&back, cat, result.image.uuid, &restored, &err), err);
    CU_ASSERT_EQUAL(restored.files, 5);
    CHECK_OK(bring(pool[0], &err), err);
    CHECK_OK(restore_stream(&back, drive, 64, &restored, &err), err);
    CU_ASSERT_EQUAL(warnings, 0);
    free(result.parts);
    catalog_close(cat);
    stop();
}

static const struct check_test tests[] = {
    {"robot", test_robot},
    {"drive", test_drive},
    {"dump_by_robot", test_dump_by_robot},
};

int main(int argc, char **argv)
{
    int rc;

    if (scratch_make() != 0)
        return 99;
    rc = check_main("tape_iscsi", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
    scratch_remove(scratch);
    return rc;
}
