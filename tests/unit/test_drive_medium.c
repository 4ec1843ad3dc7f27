/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_drive_medium.c - the medium in a drive: loading, prevention, protection, what the drive says
 * about it, and what happens when it can't be written.  The numbers in comments are the rows of
 * the list of behaviours that real backup software depends on.
 */
#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/drive_rig.h"
#include "vtl/cartridge/format.h"
#include "vtl/cartridge/scrub.h"

static struct error err;

/* ---- loading (rows 15, 17) ------------------------------------------------------------------- */

static void test_load_unload(void)
{
    rig_start();
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_cdb(rig.a, DRIVE, "08 00 00 00 10 00", NULL, 0, 16);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_cdb(rig.a, DRIVE, "1b 00 00 00 01 00", NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_good(DRIVE, "1b 00 00 00 00 00"); /* unloading nothing */
    rig_load(1);
    write_sample();
    rig_good(DRIVE, "1b 00 00 00 00 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM); /* ejected: st says "no tape" */
    rig_good(DRIVE, "1b 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    rig_good(DRIVE, TUR);
    CHECK_POSITION(0);
    rig_good(DRIVE, "1b 00 00 00 08 00"); /* HOLD */
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_INITIALIZING_REQUIRED);
    rig_good(DRIVE, "1b 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    locate16(0, 3);
    rig_good(DRIVE, "1b 00 00 00 01 00"); /* loaded already: to the beginning */
    CHECK_POSITION(0);
    rig_cdb(rig.a, DRIVE, "1b 00 00 00 05 00", NULL, 0, 0); /* LOAD with EOT */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

static void test_prevent(void)
{
    struct scsi_drive_state state;

    rig_start();
    rig_load(1);
    rig_good(DRIVE, "1e 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, "1b 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
    rig_good(DRIVE, TUR); /* still loaded */
    rig_cdb(rig.b, DRIVE, "1b 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
    CHECK_FAILS(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), ERR_BUSY, err);
    rig_cdb(rig.b, DRIVE, "1e 00 00 00 00 00", NULL, 0, 0); /* another nexus' ALLOW */
    CHECK_OK(scsi_target_drive_state(rig.target, 0, &state, &err), err);
    CU_ASSERT_TRUE(state.prevented);
    rig_cdb(rig.b, DRIVE, "1b 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
    scsi_nexus_destroy(rig.a); /* its prevent goes with it */
    rig.a = rig.b;
    rig.b = NULL;
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), err);
    rig_cdb(rig.a, DRIVE, "1e 00 00 00 02 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_cdb(rig.a, DRIVE, "a3 0c 01 1e 00 00 00 00 00 20 00 00", NULL, 0, 32);
    CU_ASSERT_EQUAL(answer.in[4 + 4], 0x01); /* the usage mask says so */
    rig_stop();
}

/* A cartridge taken by the robot while it is loaded keeps what was written. */
static void test_move_out_of_drive(void)
{
    struct scsi_drive_state state;

    rig_start();
    rig_load(1);
    write_block(1000, 0x11); /* not synchronised */
    CHECK_OK(scsi_target_drive_state(rig.target, 0, &state, &err), err);
    CU_ASSERT(state.loaded && state.present);
    CU_ASSERT_STRING_EQUAL(state.barcode, "RIG001L8");
    CU_ASSERT_EQUAL(state.bytes_written, 1000);
    CU_ASSERT_EQUAL(state.position.lba, 1);
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(3), &err), err);
    CHECK_OK(scsi_target_drive_state(rig.target, 0, &state, &err), err);
    CU_ASSERT(!state.loaded && !state.present);
    CU_ASSERT_STRING_EQUAL(state.barcode, "");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    CHECK_OK(scsi_target_move(rig.target, SLOT(3), DRIVE_AT(1), &err), err);
    rig_cdb(rig.a, SECOND, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, SECOND, "08 00 00 03 e8 00", NULL, 0, 1000), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[999], 0x11);
    CHECK_FAILS(scsi_target_drive_state(rig.target, 7, &state, &err), ERR_NOT_FOUND, err);
    rig_stop();
}

/* Rows 25, 26: what the drive does not take: what it can't know, and what it no longer reads. */
static void test_incompatible_media(void)
{
    static const struct {
        const char *barcode;
        uint8_t density;
        unsigned code;
    } cases[] = {
        {"INC001L6", 0x5a, ASC_INCOMPATIBLE_FORMAT},
        {"INC001L9", 0x60, ASC_UNKNOWN_FORMAT},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_start();
        rig_cartridge(cases[i].barcode, SLOT(2), cases[i].density, false, 0);
        CHECK_OK(scsi_target_move(rig.target, SLOT(2), DRIVE_AT(0), &err), err);
        rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
        CHECK_SENSE(KEY_MEDIUM_ERROR, cases[i].code);
        rig_cdb(rig.a, DRIVE, "08 00 00 00 10 00", NULL, 0, 16);
        CHECK_SENSE(KEY_MEDIUM_ERROR, cases[i].code);
        rig_cdb(rig.a, DRIVE, "1b 00 00 00 01 00", NULL, 0, 0);
        CHECK_SENSE(KEY_MEDIUM_ERROR, cases[i].code);
        CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(2), &err), err);
        rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
        CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
        rig_stop();
    }
    rig_start();
    rig_cartridge("RDY001L7", SLOT(2), 0x5c, false, 0);
    rig_load(2);
    rig_good(DRIVE, TUR);
    CU_ASSERT_EQUAL(write_block(100, 1), SCSI_GOOD);
    rig_stop();
}

/* A cleaning cartridge cleans, is let go, and can do so fifty times. */
static void test_cleaning(void)
{
    rig_start();
    rig_cartridge("CLN001CU", SLOT(2), 0x5e, false, 0);
    for (int use = 0; use < 50; use++) {
        CHECK_OK(scsi_target_move(rig.target, SLOT(2), DRIVE_AT(0), &err), err);
        rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
        CHECK_SENSE(KEY_NOT_READY, ASC_CLEANING_CARTRIDGE);
        rig_cdb(rig.a, DRIVE, "1b 00 00 00 01 00", NULL, 0, 0);
        CHECK_SENSE(KEY_NOT_READY, ASC_CLEANING_CARTRIDGE);
        if (use == 0) {
            usleep(1100000);
            rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
            CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM); /* ejected; no attention for a medium */
        }
        CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(2), &err), err);
    }
    CHECK_OK(scsi_target_move(rig.target, SLOT(2), DRIVE_AT(0), &err), err);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_CLEANING_FAILURE);
    rig_cdb(rig.a, DRIVE, "4d 00 6e 00 00 00 00 01 44 00", NULL, 0, 324);
    CU_ASSERT_EQUAL(answer.in[4 + 5 * 22 - 1], 1); /* TapeAlert 16h: expired */
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(2), &err), err);
    rig_load(1);
    rig_good(DRIVE, TUR);
    rig_stop();
}

/* TEST UNIT READY until it says something else than 04h/01h. */
static void while_becoming_ready(void)
{
    for (int i = 0; i < 1000; i++) {
        if (rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0) == SCSI_GOOD ||
            get_be16(answer.sense + 12) != ASC_BECOMING_READY)
            return;
        CU_ASSERT_EQUAL(answer.sense[2] & 0x0f, KEY_NOT_READY);
        usleep(1000);
    }
}

/* LOAD with IMMED: GOOD at once, also if the loading then fails; TEST UNIT READY tells. */
static void test_load_immediately(void)
{
    start_sample();
    locate16(0, 3);
    rig_good(DRIVE, "1b 01 00 00 00 00");
    rig_good(DRIVE, "1b 01 00 00 01 00");
    while_becoming_ready();
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    rig_good(DRIVE, TUR);
    CHECK_POSITION(0);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    rig_stop();
    rig_start();
    rig_cartridge("INC001L9", SLOT(2), 0x60, false, 0);
    CHECK_OK(scsi_target_move(rig.target, SLOT(2), DRIVE_AT(0), &err), err);
    rig_good(DRIVE, "1b 01 00 00 01 00");
    while_becoming_ready();
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_UNKNOWN_FORMAT);
    rig_stop();
}

/* A cartridge that another process writes to is "becoming ready", and is loaded when it is free. */
static void test_cartridge_in_use(void)
{
    struct store *store;
    struct cartridge *c;

    rig_start();
    CHECK_OK(library_cartridge_store(rig.library, "RIG001L8", &store, &err), err);
    CHECK_OK(cartridge_open(store, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(scsi_target_move(rig.target, SLOT(1), DRIVE_AT(0), &err), err);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_BECOMING_READY);
    cartridge_close(c);
    store_close(store);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    rig_good(DRIVE, TUR);
    rig_stop();
}

static void damage(const char *barcode)
{
    char command[256];

    snprintf(command, sizeof(command), "cd %s/cartridges/%s && for f in *; do echo x > $f; done",
             rig.root, barcode);
    CU_ASSERT_EQUAL(system(command), 0);
}

static void test_damaged_cartridge(void)
{
    rig_start();
    damage("RIG001L8");
    CHECK_OK(scsi_target_move(rig.target, SLOT(1), DRIVE_AT(0), &err), err);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(answer.status, SCSI_CHECK_CONDITION);
    CU_ASSERT_EQUAL(answer.sense[2] & 0x0f, KEY_MEDIUM_ERROR);
    CU_ASSERT(answer.sense[12] == 0x30 || answer.sense[12] == 0x53);
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), err);
    rig_stop();
}

/* Damage to a WORM cartridge is told as such, with its TapeAlert flag. */
static void test_damaged_worm(void)
{
    rig_start();
    rig_cartridge("WRM001LY", SLOT(2), 0x5e, true, 0);
    damage("WRM001LY");
    CHECK_OK(scsi_target_move(rig.target, SLOT(2), DRIVE_AT(0), &err), err);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WORM_INTEGRITY);
    rig_cdb(rig.a, DRIVE, "4d 00 6e 00 00 00 00 01 44 00", NULL, 0, 324);
    CU_ASSERT_EQUAL(answer.in[4 + 5 * 59 - 1], 1);
    rig_stop();
}

/* Turn over a bit of the payload of block lba, in the first segment of a cartridge. */
static void flip_block(const char *barcode, uint64_t lba)
{
    char path[256];
    uint8_t raw[RECORD_HEADER_SIZE], byte = 0;
    off_t offset = SEGMENT_HEADER_SIZE;
    struct record r;
    int fd;

    snprintf(path, sizeof(path), "%s/cartridges/%s/seg-0000000000000001", rig.root, barcode);
    fd = open(path, O_RDWR | O_CLOEXEC);
    while (pread(fd, raw, sizeof(raw), offset) == (ssize_t)sizeof(raw) && record_decode(raw, &r) &&
           !(r.type == RECORD_DATA && r.lba == lba))
        offset += (off_t)record_extent(r.stored);
    CU_ASSERT_EQUAL(pread(fd, &byte, 1, offset + RECORD_HEADER_SIZE), 1);
    byte ^= 16;
    CU_ASSERT_EQUAL(pwrite(fd, &byte, 1, offset + RECORD_HEADER_SIZE), 1);
    close(fd);
}

static void scrub(const char *barcode)
{
    struct cartridge_scrub_options options = {.restart = true};
    struct cartridge_scrub_report report;
    struct store *store;
    struct cartridge *c;

    CHECK_OK(library_cartridge_store(rig.library, barcode, &store, &err), err);
    CHECK_OK(cartridge_open(store, CARTRIDGE_READ_ONLY, &c, &err), err);
    CHECK_FAILS(cartridge_scrub(c, &options, &report, &err), ERR_CORRUPT, err);
    cartridge_close(c);
    store_close(store);
}

/* A block in quarantine is a medium error that says how much was not read; the next one is there.
 * That the block itself is healed shows that it is the quarantine that speaks. */
static void test_quarantine(void)
{
    rig_start();
    rig_load(1);
    for (uint8_t i = 0; i < 6; i++)
        CU_ASSERT_EQUAL(write_block(1000, i), SCSI_GOOD);
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), err);
    flip_block("RIG001L8", 3);
    scrub("RIG001L8");
    flip_block("RIG001L8", 3);
    rig_load(1);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_CHECK_CONDITION);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_READ_ERROR);
    CU_ASSERT_EQUAL(answer.sense[0], 0xf0); /* INFORMATION is valid */
    CU_ASSERT_EQUAL(get_be32(answer.sense + 3), 1000);
    CHECK_POSITION(4);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 4);
    rig_good(DRIVE, REWIND);
    set_block_length(1000);
    CU_ASSERT_EQUAL(read_fixed(6, 1000), SCSI_CHECK_CONDITION);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_READ_ERROR);
    CU_ASSERT_EQUAL(get_be32(answer.sense + 3), 3); /* of six blocks */
    rig_stop();
}

/* In descriptor format the first object lost has 64 bits, and may be object 0. */
static void test_deferred_descriptor(void)
{
    uint8_t list[4 + 12] = {0, 0, 0x10, 0, 0x0a, 0x0a, 0x04, 0, 0, 0x40, 0, 0, 0xff, 0xff};
    const uint8_t *d;

    rig_start();
    rig_load(1);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 10 00", list, 16, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(write_block(1000, 1), SCSI_GOOD);
    CU_ASSERT_EQUAL(write_block(1000, 2), SCSI_GOOD);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, REWIND, NULL, 0, 0);
    CU_ASSERT_EQUAL(answer.status, SCSI_CHECK_CONDITION);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x73);
    CU_ASSERT_EQUAL(answer.sense[1], KEY_MEDIUM_ERROR);
    d = answer.sense + 8;
    CU_ASSERT(d[0] == 0x00 && d[2] == 0x80 && get_be64(d + 4) == 2); /* INFORMATION: how many */
    d += 12;
    CU_ASSERT(d[0] == 0x01 && d[1] == 0x0a && get_be64(d + 4) == 0); /* the first of them */
    rig_store_fault = 0;
    rig_stop();
}

/* After a loss a host must say where it is: a motion over nothing, or one that is refused, does
 * not.
 */
static void test_no_motion_is_no_position(void)
{
    rig_start();
    rig_load(1);
    CU_ASSERT_EQUAL(write_block(1000, 1), SCSI_GOOD);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, REWIND, NULL, 0, 0);
    rig_store_fault = 0;
    rig_good(DRIVE, "11 00 00 00 00 00"); /* SPACE over no blocks */
    write_block(1000, 1);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    rig_cdb(rig.a, DRIVE, "11 04 00 00 01 00", NULL, 0, 0); /* setmarks */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    write_block(1000, 1);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    rig_good(DRIVE, "11 03 00 00 00 00");
    CU_ASSERT_EQUAL(write_block(1000, 1), SCSI_GOOD);
    rig_stop();
}

/* ---- protection (row 19) --------------------------------------------------------------------- */

static void set_tab(const char *barcode, bool on)
{
    struct store *store;
    struct cartridge *c;

    CHECK_OK(library_cartridge_store(rig.library, barcode, &store, &err), err);
    CHECK_OK(cartridge_open(store, CARTRIDGE_READ_WRITE, &c, &err), err);
    CHECK_OK(cartridge_set_protected(c, on, &err), err);
    cartridge_close(c);
    store_close(store);
}

static void test_write_protect(void)
{
    start_sample();
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), err);
    set_tab("RIG001L8", true);
    rig_load(1);
    write_block(10, 1);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WRITE_PROTECTED);
    rig_cdb(rig.a, DRIVE, "10 00 00 00 01 00", NULL, 0, 0);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WRITE_PROTECTED);
    rig_cdb(rig.a, DRIVE, "19 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WRITE_PROTECTED);
    rig_good(DRIVE, "10 00 00 00 00 00"); /* a flush writes nothing */
    CU_ASSERT_EQUAL(space(1, 1), SCSI_GOOD);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "1a 00 00 00 0c 00", NULL, 0, 12);
    CU_ASSERT_EQUAL(answer.in[2] & 0x80, 0x80);
    rig_stop();
}

static void test_worm(void)
{
    rig_start();
    rig_cartridge("WRM001LY", SLOT(2), 0x5e, true, 0);
    rig_load(2);
    write_sample();
    write_block(10, 1);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WORM_OVERWRITE);
    rig_cdb(rig.a, DRIVE, "19 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WORM_OVERWRITE);
    locate16(3, 0);
    CU_ASSERT_EQUAL(write_block(10, 1), SCSI_GOOD); /* appending is what it is for */
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, "1a 08 1d 00 ff 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(answer.in[4 + 2], 0x01);
    CU_ASSERT_EQUAL(answer.in[1], 0x8c); /* medium type: LTO-8 WORM */
    rig_stop();
}

/* ---- limits, density, attributes (rows 18, 27) ----------------------------------------------- */

static void test_block_limits_and_mode(void)
{
    rig_start();
    rig_load(1);
    rig_cdb(rig.a, DRIVE, "05 00 00 00 00 00", NULL, 0, 6);
    CU_ASSERT_EQUAL(answer.in_len, 6);
    CU_ASSERT_EQUAL(get_be24(answer.in + 1), 0x800000);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4), 1);
    rig_cdb(rig.a, DRIVE, "05 01 00 00 00 00", NULL, 0, 20);
    CU_ASSERT_EQUAL(answer.in_len, 20);
    set_block_length(70000);
    rig_cdb(rig.a, DRIVE, "1a 00 00 00 0c 00", NULL, 0, 12); /* what st does */
    CU_ASSERT_EQUAL(answer.in_len, 12);
    CU_ASSERT_EQUAL(answer.in[0], 11);
    CU_ASSERT_EQUAL(answer.in[1], 0x88);
    CU_ASSERT_EQUAL(answer.in[2], 0x10); /* buffered, not protected */
    CU_ASSERT_EQUAL(answer.in[3], 8);
    CU_ASSERT_EQUAL(answer.in[4], 0x5e);
    CU_ASSERT_EQUAL(get_be24(answer.in + 9), 70000);
    rig_stop();
}

static void test_density(void)
{
    rig_start();
    rig_cdb(rig.a, DRIVE, "44 00 00 00 00 00 00 10 00 00", NULL, 0, 4096);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 3 * 52);
    CU_ASSERT_EQUAL(get_be16(answer.in), answer.in_len - 2);
    rig_cdb(rig.a, DRIVE, "44 01 00 00 00 00 00 10 00 00", NULL, 0, 4096);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_load(1);
    rig_cdb(rig.a, DRIVE, "44 01 00 00 00 00 00 10 00 00", NULL, 0, 4096);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 52);
    CU_ASSERT_EQUAL(answer.in[4], 0x5e);
    CU_ASSERT_EQUAL(answer.in[6] & 0x80, 0x80); /* WRTOK */
    rig_cdb(rig.a, DRIVE, "44 03 00 00 00 00 00 10 00 00", NULL, 0, 4096);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 56);
    rig_stop();
}

/* READ ATTRIBUTE from the id on; leaves the value's place in answer.in + 4. */
static bool attribute(uint16_t id)
{
    uint8_t cdb[16] = {0x8c};

    put_be16(cdb + 8, id);
    put_be32(cdb + 10, 4096);
    return rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 4096) == SCSI_GOOD &&
           get_be16(answer.in + 4) == id;
}

static void test_attributes(void)
{
    static const uint8_t host[] = {0,   0,   0,    18,   0x08, 0x01, 1, 0, 4, 'T', 'E',
                                   'S', 'T', 0x08, 0x0c, 0,    0,    4, 1, 2, 3,   4};
    uint8_t list[22];
    uint32_t change;

    rig_start();
    rig_load(1);
    CU_ASSERT_TRUE(attribute(0x0806));
    CU_ASSERT_EQUAL(get_be16(answer.in + 7), 32);
    CU_ASSERT_EQUAL(memcmp(answer.in + 9, "RIG001L8   ", 11), 0);
    CU_ASSERT_TRUE(attribute(0x0001));
    CU_ASSERT_EQUAL(get_be64(answer.in + 9), 12000000000000 / 1048576);
    CU_ASSERT_TRUE(attribute(0x0003));
    CU_ASSERT_EQUAL(get_be64(answer.in + 9), 1);
    CU_ASSERT_TRUE(attribute(0x0009));
    change = get_be32(answer.in + 9);
    write_block(10, 1);
    write_block(10, 1);
    CU_ASSERT_TRUE(attribute(0x0009));
    CU_ASSERT_EQUAL(get_be32(answer.in + 9), change + 1);
    CU_ASSERT_FALSE(attribute(0x0801));
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    memcpy(list, host, sizeof(list));
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "8d 01 00 00 00 00 00 00 00 00 00 00 00 16 00 00", list,
                            sizeof(list), 0),
                    SCSI_GOOD);
    CU_ASSERT_TRUE(attribute(0x0801));
    CU_ASSERT_EQUAL(memcmp(answer.in + 9, "TEST", 4), 0);
    CU_ASSERT_TRUE(attribute(0x080c));
    CU_ASSERT_EQUAL(get_be32(answer.in + 9), 0x01020304);
    rig_restart();
    CU_ASSERT_TRUE(attribute(0x0801));
    rig_cdb(rig.a, DRIVE, "8c 01 00 00 00 00 00 00 00 00 00 00 10 00 00 00", NULL, 0, 4096);
    CU_ASSERT_EQUAL(get_be32(answer.in) + 4, answer.in_len);
    /* refused as a whole: the second attribute is read-only; then lengths that lie */
    list[13] = 0x00;
    list[14] = 0x01;
    list[9] = 'X';
    rig_cdb(rig.a, DRIVE, "8d 00 00 00 00 00 00 00 00 00 00 00 00 16 00 00", list, sizeof(list), 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    CU_ASSERT_TRUE(attribute(0x0801));
    CU_ASSERT_EQUAL(answer.in[9], 'T');
    memcpy(list, host, sizeof(list));
    put_be16(list + 16, 65535);
    rig_cdb(rig.a, DRIVE, "8d 00 00 00 00 00 00 00 00 00 00 00 00 16 00 00", list, sizeof(list), 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    rig_cdb(rig.a, DRIVE, "8d 00 00 00 00 00 00 00 00 00 ff ff ff ff 00 00", list, sizeof(list), 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    rig_stop();
}

/* ---- deferred errors (row 11) ---------------------------------------------------------------- */

static void check_deferred(int64_t blocks)
{
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x71);
    CHECK_INFO(blocks);
}

/* A command that must synchronise finds that it can't: it is not run, the loss is told, once, and
 * WRITE is refused until the host positions. */
static void test_deferred_error(void)
{
    start_sample();
    locate16(3, 0);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(write_block(1000, 8), SCSI_GOOD);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, REWIND, NULL, 0, 0);
    check_deferred(3);
    CU_ASSERT_EQUAL(get_be32(answer.sense + 8), 10); /* the first that is lost */
    rig_good(DRIVE, TUR);
    rig_store_fault = 0;
    write_block(1000, 9);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x70);
    CHECK_POSITION(10);
    CU_ASSERT_EQUAL(locate16(3, 0), SCSI_GOOD);
    CHECK_POSITION(10);
    CU_ASSERT_EQUAL(write_block(1000, 9), SCSI_GOOD);
    rig_good(DRIVE, "10 00 00 00 01 00");
    locate16(0, 10);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 9);
    rig_cdb(rig.a, DRIVE, "4d 00 42 00 00 00 06 00 ff 00", NULL, 0, 255);
    CU_ASSERT_EQUAL(get_be64(answer.in + 8), 1); /* one write error was counted */
    rig_stop();
}

/* RECOVER BUFFERED DATA of len bytes, or of blocks of the set length. */
static uint8_t recover(uint32_t len, unsigned bits)
{
    uint8_t cdb[6] = {0x14, (uint8_t)bits};

    put_be24(cdb + 2, len);
    return rig_send(rig.a, DRIVE, cdb, 6, NULL, 0, bits & 1 ? len * 1000 : len);
}

/* What a failed sync has taken off the tape is handed back, and can be written elsewhere. */
static void test_recover_buffered(void)
{
    start_sample();
    recover(1000, 0);
    CHECK_SENSE(KEY_NO_SENSE, ASC_END_OF_DATA); /* nothing was lost */
    CHECK_BITS(false, true, false);
    CHECK_INFO(1000);
    locate16(3, 0);
    for (uint8_t i = 1; i <= 3; i++)
        CU_ASSERT_EQUAL(write_block(1000, i), SCSI_GOOD);
    rig_good(DRIVE, "10 01 00 00 02 00"); /* buffered filemarks */
    CU_ASSERT_EQUAL(write_block(500, 4), SCSI_GOOD);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, REWIND, NULL, 0, 0);
    check_deferred(6);
    CHECK_POSITION(10);
    CU_ASSERT_EQUAL(recover(1000, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[999], 1);
    recover(600, 0); /* the rules of READ: a longer block, and its rest is gone */
    CHECK_SENSE(KEY_NO_SENSE, ASC_NONE);
    CHECK_BITS(false, false, true);
    CHECK_INFO(-400);
    CU_ASSERT_EQUAL(recover(2000, 2), SCSI_GOOD); /* SILI */
    CU_ASSERT(answer.in_len == 1000 && answer.in[0] == 3);
    for (int i = 0; i < 2; i++) {
        recover(1000, 0);
        CHECK_SENSE(KEY_NO_SENSE, ASC_FILEMARK_DETECTED);
        CHECK_INFO(1000);
    }
    CU_ASSERT_EQUAL(recover(500, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 4);
    recover(500, 0);
    CHECK_SENSE(KEY_NO_SENSE, ASC_END_OF_DATA);
    CHECK_POSITION(10); /* the tape has not moved */
    rig_store_fault = 0;
    locate16(3, 0);
    CU_ASSERT_EQUAL(write_block(1000, 9), SCSI_GOOD);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, REWIND, NULL, 0, 0);
    check_deferred(1);
    rig_store_fault = 0;
    locate16(3, 0);
    CU_ASSERT_EQUAL(write_block(1000, 9), SCSI_GOOD); /* the host goes on: what was lost is gone */
    recover(1000, 0);
    CHECK_SENSE(KEY_NO_SENSE, ASC_END_OF_DATA);
    rig_stop();
}

/* The same by fixed blocks, with what came before an odd one. */
static void test_recover_fixed(void)
{
    start_sample();
    set_block_length(1000);
    locate16(3, 0);
    for (uint8_t i = 1; i <= 3; i++)
        CU_ASSERT_EQUAL(write_block(1000, i), SCSI_GOOD);
    rig_store_fault = ERR_NO_SPACE;
    rig_cdb(rig.a, DRIVE, REWIND, NULL, 0, 0);
    CHECK_SENSE(KEY_VOLUME_OVERFLOW, ASC_END_OF_MEDIUM);
    recover(5, 1);
    CHECK_SENSE(KEY_NO_SENSE, ASC_END_OF_DATA);
    CHECK_INFO(2);
    CU_ASSERT(answer.in_len == 3000 && answer.in[0] == 1 && answer.in[2999] == 3);
    recover(5, 3);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB); /* FIXED and SILI */
    rig_store_fault = 0;
    rig_stop();
}

/* WRITE FILEMARKS is where hosts look for write errors. */
static void test_deferred_at_filemarks(void)
{
    start_sample();
    locate16(3, 0);
    write_block(1000, 8);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.a, DRIVE, "10 00 00 00 01 00", NULL, 0, 0);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CHECK_INFO(2); /* the block and the filemark */
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x71);
    rig_store_fault = 0;
    CU_ASSERT_EQUAL(locate16(3, 0), SCSI_GOOD);
    rig_store_fault = ERR_IO; /* nothing but the filemarks themselves: a current error */
    rig_cdb(rig.a, DRIVE, "10 00 00 00 03 00", NULL, 0, 0);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x70);
    CHECK_INFO(3);
    rig_store_fault = 0;
    CHECK_POSITION(10);
    rig_stop();
}

/* The background synchronisation fails: the next command of the nexus that wrote is not run. */
static void test_deferred_when_idle(void)
{
    start_sample();
    locate16(3, 0);
    write_block(1000, 8);
    rig_store_fault = ERR_IO;
    usleep(1500000);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD); /* it did not write */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "12 00 00 00 60 00", NULL, 0, 96), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, REWIND, NULL, 0, 0);
    check_deferred(1);
    rig_store_fault = 0;
    CHECK_POSITION(10); /* the REWIND was not carried out */
    rig_good(DRIVE, REWIND);
    rig_stop();
}

/* Another nexus' command finds the loss: both are told. */
static void test_deferred_for_the_writer(void)
{
    start_sample();
    locate16(3, 0);
    write_block(1000, 8);
    rig_store_fault = ERR_IO;
    rig_cdb(rig.b, DRIVE, REWIND, NULL, 0, 0);
    check_deferred(1);
    rig_store_fault = 0;
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    check_deferred(1);
    rig_good(DRIVE, TUR);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    rig_stop();
}

/* The robot comes for a cartridge whose last blocks can't be stored. */
static void test_deferred_at_move(void)
{
    start_sample();
    locate16(3, 0);
    write_block(1000, 8);
    rig_store_fault = ERR_IO;
    CHECK_FAILS(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), ERR_IO, err);
    rig_store_fault = 0;
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), err);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    check_deferred(1);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_load(1);
    locate16(3, 0);
    CHECK_POSITION(10); /* what was synchronised is there */
    rig_stop();
}

/* Unbuffered, a write that can't be stored is that WRITE's own error. */
static void test_unbuffered_error(void)
{
    start_sample();
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 04 00", "\0\0\0\0", 4, 0), SCSI_GOOD);
    locate16(3, 0);
    rig_store_fault = ERR_IO;
    write_block(1000, 8);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x70);
    CHECK_INFO(1000);
    rig_store_fault = 0;
    CHECK_POSITION(10);
    rig_stop();
}

/* At early warning a WRITE is brought to the medium: what fails then is its own, and no older. */
static void test_error_at_early_warning(void)
{
    rig_start();
    rig_load(0); /* 8 MiB, early warning at 7 */
    for (int i = 0; i < 28; i++)
        CU_ASSERT_EQUAL(write_block(262144, 1), SCSI_GOOD);
    rig_good(DRIVE, "10 00 00 00 00 00");
    rig_store_fault = ERR_IO;
    write_block(262144, 2);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x70); /* not deferred */
    CHECK_INFO(262144);
    rig_store_fault = 0;
    CHECK_POSITION(28);
    rig_stop();
}

/* A WRITE so large that the drive must store at once takes older blocks with it: their loss is
 * told, not only its own. */
static void test_write_loses_older_blocks(void)
{
    rig.model = "CAPSTAN-TAPE"; /* for its blocks of 16 MiB */
    start_sample();
    locate16(3, 0);
    CU_ASSERT_EQUAL(write_block(1000, 8), SCSI_GOOD);
    CU_ASSERT_EQUAL(write_block(1000, 8), SCSI_GOOD);
    rig_store_fault = ERR_IO;
    write_block(0xffffff, 9);
    check_deferred(2);
    CU_ASSERT_EQUAL(get_be32(answer.sense + 8), 10);
    rig_store_fault = 0;
    CHECK_POSITION(10);
    write_block(1000, 9);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_WRITE_ERROR); /* position first */
    CU_ASSERT_EQUAL(locate16(3, 0), SCSI_GOOD);
    rig_store_fault = ERR_NO_SPACE; /* and alone, it is its own error */
    write_block(0xffffff, 9);
    CHECK_SENSE(KEY_VOLUME_OVERFLOW, ASC_END_OF_MEDIUM);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x70);
    CHECK_INFO(0xffffff);
    rig_store_fault = 0;
    CHECK_POSITION(10);
    rig_stop();
    rig.model = NULL;
}

/* A full file system below is the end of the medium, not a loss without a word (mhvtl #99). */
static void test_no_space(void)
{
    start_sample();
    locate16(3, 0);
    write_block(1000, 8);
    rig_store_fault = ERR_NO_SPACE;
    rig_cdb(rig.a, DRIVE, "10 00 00 00 01 00", NULL, 0, 0);
    CHECK_SENSE(KEY_VOLUME_OVERFLOW, ASC_END_OF_MEDIUM);
    CHECK_BITS(false, true, false);
    rig_store_fault = 0;
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    rig_stop();
}

static const struct check_test tests[] = {
    {"load_unload", test_load_unload},
    {"prevent", test_prevent},
    {"move_out_of_drive", test_move_out_of_drive},
    {"incompatible_media", test_incompatible_media},
    {"cleaning", test_cleaning},
    {"load_immediately", test_load_immediately},
    {"cartridge_in_use", test_cartridge_in_use},
    {"damaged_cartridge", test_damaged_cartridge},
    {"damaged_worm", test_damaged_worm},
    {"quarantine", test_quarantine},
    {"deferred_descriptor", test_deferred_descriptor},
    {"no_motion_is_no_position", test_no_motion_is_no_position},
    {"write_protect", test_write_protect},
    {"worm", test_worm},
    {"block_limits_and_mode", test_block_limits_and_mode},
    {"density", test_density},
    {"attributes", test_attributes},
    {"deferred_error", test_deferred_error},
    {"recover_buffered", test_recover_buffered},
    {"recover_fixed", test_recover_fixed},
    {"deferred_at_filemarks", test_deferred_at_filemarks},
    {"deferred_when_idle", test_deferred_when_idle},
    {"deferred_for_the_writer", test_deferred_for_the_writer},
    {"deferred_at_move", test_deferred_at_move},
    {"unbuffered_error", test_unbuffered_error},
    {"error_at_early_warning", test_error_at_early_warning},
    {"write_loses_older_blocks", test_write_loses_older_blocks},
    {"no_space", test_no_space},
};

CHECK_MAIN("drive_medium", tests)
