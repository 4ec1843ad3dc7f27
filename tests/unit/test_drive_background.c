/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_drive_background.c - IMMED: the status comes first, and what goes on behind it is told by
 * NOT READY and REQUEST SENSE.  A layer in front of the drive makes it last as long as a test
 * needs.
 */
#include <unistd.h>

#include "common/error.h"
#include "tests/unit/drive_rig.h"

static struct error err = ERROR_INIT;
static unsigned lasts_ms; /* an operation in the background */
static unsigned asked;    /* the layer was, about commands */

static bool layer_command(void *ctx, unsigned lun, const struct scsi_task *task,
                          struct scsi_failure *failure)
{
    (void)ctx;
    (void)lun;
    (void)task;
    (void)failure;
    asked++;
    return false;
}

static unsigned layer_background(void *ctx, unsigned lun, const struct scsi_task *task)
{
    (void)ctx;
    CU_ASSERT_EQUAL(lun, DRIVE);
    CU_ASSERT_TRUE(scsi_cdb_is_immediate(task->cdb));
    return lasts_ms;
}

static const struct scsi_layer layer = {.command = layer_command, .background = layer_background};

#define LONG_MS  60000 /* longer than a test */
#define SHORT_MS 1000  /* on a loaded machine commands may be slow */

/* On a small tape, which a long erase is done with at once. */
static void start_small(void)
{
    rig_start();
    rig_load(0);
    write_sample();
}

static void start(unsigned ms)
{
    start_small();
    lasts_ms = ms;
    scsi_target_set_layer(rig.target, &layer);
}

static void stop(void)
{
    scsi_target_set_layer(rig.target, NULL);
    rig_stop();
}

static uint8_t request_sense(bool descriptors)
{
    return rig_cdb(rig.a, DRIVE, descriptors ? "03 01 00 00 fc 00" : "03 00 00 00 fc 00", NULL, 0,
                   252);
}

/* What TEST UNIT READY says must be there at last, and NOT READY until then. */
static void until_ready(void)
{
    for (int i = 0; i < 3000; i++) {
        if (rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0) == SCSI_GOOD ||
            (answer.sense[2] & 0x0f) != KEY_NOT_READY)
            return;
        usleep(1000);
    }
    CU_FAIL("it never ends");
}

/* ---- what is told ---------------------------------------------------------------------------- */

static const struct told {
    const char *cdb;
    unsigned not_ready, key, code; /* of NOT READY; of REQUEST SENSE */
} told[] = {
    {"01 01 00 00 00 00", 0x0407, KEY_NO_SENSE, 0x001a},
    {"2b 01 00 00 00 00 03 00 00 00", 0x0407, KEY_NO_SENSE, 0x0019},
    {"92 01 00 00 00 00 00 00 00 00 00 03 00 00 00 00", 0x0407, KEY_NO_SENSE, 0x0019},
    {"19 02 00 00 00 00", 0x0407, KEY_NO_SENSE, 0x0018},
    {"19 03 00 00 00 00", 0x0407, KEY_NO_SENSE, 0x0018},
    {"93 02 00 00 00 00 00 00 00 00 00 03 00 00 00 00", 0x0407, KEY_NO_SENSE, 0x0018},
    {"04 01 00 00 00 00", 0x0404, KEY_NOT_READY, 0x0404},
    {"0b 01 00 80 00 00", 0x0407, KEY_NO_SENSE, 0x001b},
    {"13 04 00 03 e8 00", 0x0407, KEY_NO_SENSE, 0x001c},
    {"8f 04 00 00 00 00 00 00 00 00 00 01 00 03 e8 00", 0x0407, KEY_NO_SENSE, 0x001c},
    {"1b 01 00 00 00 00", 0x0400, KEY_NOT_READY, 0x0400},
    {"1b 01 00 00 08 00", 0x0400, KEY_NOT_READY, 0x0400},
    {"1b 01 00 00 01 00", 0x0401, KEY_NOT_READY, 0x0401},
};

static unsigned progress_of(const uint8_t *sense)
{
    CU_ASSERT_EQUAL(sense[15], 0x80); /* SKSV */
    return get_be16(sense + 16);
}

/* Each of them has GOOD at once and is told of by what asks, with how far it has come. */
static void test_told(void)
{
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        unsigned before;

        start(LONG_MS);
        rig_good(DRIVE, told[i].cdb);
        before = asked;
        rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
        CHECK_SENSE(KEY_NOT_READY, told[i].not_ready);
        CU_ASSERT(progress_of(answer.sense) < 0x8000);
        CU_ASSERT_EQUAL(request_sense(false), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in[0] & 0x7f, 0x70);
        CU_ASSERT_EQUAL(answer.in[2] & 0x0f, told[i].key);
        CU_ASSERT_EQUAL(get_be16(answer.in + 12), told[i].code);
        CU_ASSERT(progress_of(answer.in) < 0x8000);
        CU_ASSERT_EQUAL(request_sense(true), SCSI_GOOD);
        CU_ASSERT_EQUAL(answer.in[0], 0x72);
        CU_ASSERT_EQUAL(answer.in[8], 0x02); /* sense-key specific */
        CU_ASSERT_EQUAL(answer.in[12], 0x80);
        CU_ASSERT_EQUAL(asked, before); /* a slow drive is not slow in saying that it is busy */
        rig_cdb(rig.b, DRIVE, "08 00 00 03 e8 00", NULL, 0, 1000); /* the other host */
        if ((answer.sense[2] & 0x0f) == KEY_UNIT_ATTENTION)
            rig_cdb(rig.b, DRIVE, "08 00 00 03 e8 00", NULL, 0, 1000);
        CHECK_SENSE(KEY_NOT_READY, told[i].not_ready);
        stop();
    }
}

/* It comes nearer to the end all the time, and ends. */
static void test_progress(void)
{
    unsigned last = 0, seen = 0;

    start(SHORT_MS);
    rig_good(DRIVE, "19 03 00 00 00 00");
    for (;;) {
        unsigned now;

        CU_ASSERT_EQUAL(request_sense(false), SCSI_GOOD);
        if (get_be16(answer.in + 12) != 0x0018)
            break;
        now = progress_of(answer.in);
        CU_ASSERT(now >= last);
        seen += now > last;
        last = now;
        usleep(10000);
    }
    CU_ASSERT(seen >= 2);
    CU_ASSERT_EQUAL(answer.in[2], KEY_NO_SENSE);
    CU_ASSERT_EQUAL(get_be16(answer.in + 12), 0);
    rig_good(DRIVE, TUR);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_CHECK_CONDITION);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    stop();
}

/* Is a block of this byte anywhere in the files of the library? */
static bool found_on_disk(uint8_t fill)
{
    char command[200];

    snprintf(command, sizeof(command),
             "test $(find %s -type f -exec cat {} + | LC_ALL=C tr -d -c '\\%03o' | wc -c) -ge 900",
             rig.root, fill);
    return system(command) == 0;
}

/* A short erase keeps what it takes off, for undo; a long one does not, nor what was before. */
static void test_long_erase(void)
{
    struct scsi_drive_state state;

    start_small();
    rig_good(DRIVE, "2b 00 00 00 00 00 05 00 00 00");
    CU_ASSERT_EQUAL(write_block(1000, 0xd1), SCSI_GOOD);
    rig_good(DRIVE, "2b 00 00 00 00 00 05 00 00 00");
    CU_ASSERT_EQUAL(write_block(1000, 0xd2), SCSI_GOOD);
    rig_good(DRIVE, "2b 00 00 00 00 00 02 00 00 00");
    rig_good(DRIVE, "19 00 00 00 00 00");
    CU_ASSERT_TRUE(found_on_disk(0xd1));
    rig_good(DRIVE, "19 03 00 00 00 00");
    until_ready();
    CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
    CU_ASSERT_FALSE(found_on_disk(0xd1));
    CU_ASSERT_FALSE(found_on_disk(0xd2));
    CHECK_OK(scsi_target_drive_state(rig.target, 0, &state, &err), err);
    CU_ASSERT_EQUAL(state.position.eod_lba, 2);
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 2);
    rig_good(DRIVE, REWIND);
    rig_good(DRIVE, "93 01 00 00 00 00 00 00 00 00 00 01 00 00 00 00");
    CHECK_POSITION(1);
    rig_stop();
}

/* ---- what may run meanwhile ------------------------------------------------------------------ */

static void test_meanwhile(void)
{
    static const char *const answered[] = {
        "12 00 00 00 60 00",                   /* INQUIRY */
        "a0 00 00 00 00 00 00 00 01 00 00 00", /* REPORT LUNS */
        "1a 00 3f 00 ff 00",                   /* MODE SENSE(6) of all pages */
        "4d 00 40 00 00 00 00 00 ff 00",       /* LOG SENSE */
        "4d 00 51 00 00 00 00 00 ff 00",       /* ... device status */
        "05 00 00 00 00 00",                   /* READ BLOCK LIMITS */
        "44 00 00 00 00 00 00 00 ff 00",       /* REPORT DENSITY SUPPORT */
        "a3 0c 00 00 00 00 00 00 00 ff 00 00", /* REPORT SUPPORTED OPERATION CODES */
        "5e 00 00 00 00 00 00 00 ff 00",       /* PERSISTENT RESERVE IN */
    };
    static const char *const refused[] = {
        "01 00 00 00 00 00", "01 01 00 00 00 00",
        "08 00 00 03 e8 00", "34 00 00 00 00 00 00 00 00 00",
        "10 00 00 00 01 00", "19 03 00 00 00 00",
        "1b 00 00 00 00 00", "1b 00 00 00 01 00",
        "04 00 00 00 00 00", "2b 00 00 00 00 00 01 00 00 00",
    };

    start(LONG_MS);
    rig_good(DRIVE, "2b 01 00 00 00 00 03 00 00 00");
    for (size_t i = 0; i < sizeof(answered) / sizeof(answered[0]); i++)
        CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, answered[i], NULL, 0, 512), SCSI_GOOD);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        rig_cdb(rig.a, DRIVE, refused[i], NULL, 0, 1000);
        CHECK_SENSE(KEY_NOT_READY, 0x0407);
    }
    CU_ASSERT_EQUAL(write_block(1000, 9), SCSI_CHECK_CONDITION);
    CHECK_SENSE(KEY_NOT_READY, 0x0407);
    rig_cdb(rig.a, DRIVE, "08 80 00 03 e8 00", NULL, 0, 0); /* the CDB is looked at first */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    stop();
}

/* ---- how it ends ----------------------------------------------------------------------------- */

/* A host that does not ask finds everything as without IMMED. */
static void test_no_time(void)
{
    start_small();
    rig_good(DRIVE, "2b 01 00 00 00 00 05 00 00 00");
    CU_ASSERT_EQUAL(read_block(1000, false), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 5);
    rig_good(DRIVE, "01 01 00 00 00 00");
    CHECK_POSITION(0);
    rig_good(DRIVE, "92 09 00 00 00 00 00 00 00 00 00 01 00 00 00 00"); /* file 1 */
    CHECK_POSITION(5);
    rig_good(DRIVE, "19 02 00 00 00 00");
    rig_good(DRIVE, "11 03 00 00 00 00");
    CHECK_POSITION(5);
    rig_good(DRIVE, "01 01 00 00 00 00");
    rig_good(DRIVE, "13 04 00 03 e8 00");
    CHECK_POSITION(1);
    rig_good(DRIVE, REWIND);
    rig_good(DRIVE, "04 01 00 00 00 00");
    rig_good(DRIVE, "11 03 00 00 00 00");
    CHECK_POSITION(0);
    rig_good(DRIVE, "1b 01 00 00 00 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_good(DRIVE, "1b 01 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    rig_good(DRIVE, TUR);
    rig_stop();
}

/* A load shows its medium when it is over, not before. */
static void test_load_takes_time(void)
{
    start(SHORT_MS);
    rig_good(DRIVE, "1b 00 00 00 00 00");
    rig_good(DRIVE, "1b 01 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_BECOMING_READY);
    until_ready();
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    rig_good(DRIVE, TUR);
    CHECK_POSITION(0);
    rig_good(DRIVE, "1b 01 00 00 08 00"); /* unload, hold */
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NOT_READY);
    usleep(SHORT_MS * 1000);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_INITIALIZING_REQUIRED);
    stop();
}

/* What is wrong with the command itself is told at once; then nothing goes on. */
static void test_found_bad(void)
{
    static const struct {
        const char *cdb;
        unsigned key, code;
    } cases[] = {
        {"92 11 00 00 00 00 00 00 00 00 00 00 00 00 00 00", KEY_ILLEGAL_REQUEST, 0x2400},
        {"92 03 00 03 00 00 00 00 00 00 00 00 00 00 00 00", KEY_ILLEGAL_REQUEST, 0x2400},
        {"04 01 00 00 00 00", KEY_ILLEGAL_REQUEST, ASC_PAST_BEGINNING},
        {"0b 01 00 80 00 00", KEY_ILLEGAL_REQUEST, ASC_PAST_BEGINNING},
        {"13 05 00 00 01 00", KEY_ILLEGAL_REQUEST, 0x2400},
        {"1b 01 00 00 05 00", KEY_ILLEGAL_REQUEST, 0x2400},
    };

    start(LONG_MS);
    rig_good(DRIVE, "2b 00 00 00 00 00 03 00 00 00");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_cdb(rig.a, DRIVE, cases[i].cdb, NULL, 0, 0);
        CHECK_SENSE(cases[i].key, cases[i].code);
        rig_good(DRIVE, TUR);
    }
    rig_good(DRIVE, "1e 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, "1b 01 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
    rig_good(DRIVE, TUR);
    stop();
}

/* What fails behind the status is a deferred error, to the host that asked for it, once. */
static void test_deferred(void)
{
    start(LONG_MS);                                   /* which is over when it has failed */
    rig_good(DRIVE, "2b 01 00 00 00 00 63 00 00 00"); /* behind end of data */
    rig_good(DRIVE, "12 00 00 00 60 00");
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_BLANK_CHECK, ASC_END_OF_DATA);
    CU_ASSERT_EQUAL(answer.sense[0] & 0x7f, 0x71);
    rig_good(DRIVE, TUR);
    CHECK_POSITION(10);
    rig_good(DRIVE, REWIND);
    rig_good(DRIVE, "13 04 00 02 00 00"); /* VERIFY: a block is longer */
    CU_ASSERT_EQUAL(request_sense(false), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 0xf1);
    CU_ASSERT_EQUAL(answer.in[2], KEY_NO_SENSE | 0x20);
    CU_ASSERT_EQUAL((int32_t)get_be32(answer.in + 3), 512 - 1000);
    rig_good(DRIVE, TUR);
    stop();
}

/* VERIFY with BYTCMP keeps the data that came with it. */
static void test_compare(void)
{
    uint8_t data[1000];

    start_small();
    memset(data, 1, sizeof(data));
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "13 06 00 03 e8 00", data, sizeof(data), 0), SCSI_GOOD);
    memset(data, 0xff, sizeof(data));
    rig_good(DRIVE, TUR);
    data[999] = 7;
    memset(data, 2, 999);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "13 06 00 03 e8 00", data, sizeof(data), 0), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_MISCOMPARE, ASC_MISCOMPARE);
    CU_ASSERT_EQUAL(answer.sense[0], 0xf1);
    CU_ASSERT_EQUAL(get_be32(answer.sense + 3), 1);
    rig_stop();
}

/* Neither reset nor abort ends it; nor does the end of the session that it came from. */
static void test_reset(void)
{
    static const uint8_t lun[8] = {0, DRIVE};

    start(LONG_MS);
    rig_good(DRIVE, "2b 01 00 00 00 00 03 00 00 00");
    CU_ASSERT_EQUAL(scsi_target_manage(rig.target, rig.a, SCSI_TMF_LUN_RESET, lun, 0),
                    SCSI_TMF_COMPLETE);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_DEVICE_RESET);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, 0x0407);
    stop();
}

static void test_session_ends(void)
{
    struct scsi_nexus *short_lived;

    start(SHORT_MS);
    CHECK_OK(scsi_nexus_create(rig.target, "iqn.c,i,0x1", &short_lived, &err), err);
    for (int i = 0; i < 3; i++)
        rig_cdb(short_lived, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(rig_cdb(short_lived, DRIVE, "19 03 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    scsi_nexus_destroy(short_lived);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, 0x0407);
    until_ready();
    CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
    rig_good(DRIVE, "11 03 00 00 00 00");
    CHECK_POSITION(0);
    CHECK_OK(scsi_nexus_create(rig.target, "iqn.c,i,0x1", &short_lived, &err), err);
    for (int i = 0; i < 3; i++)
        rig_cdb(short_lived, DRIVE, TUR, NULL, 0, 0);
    write_sample();
    CU_ASSERT_EQUAL(rig_cdb(short_lived, DRIVE, "13 24 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    scsi_nexus_destroy(short_lived); /* VERIFY ends with its host */
    rig_good(DRIVE, TUR);
    stop();
}

/* The robot does not wait for it, and what was promised is done. */
static void test_taken_out(void)
{
    struct scsi_drive_state state;

    start(LONG_MS);
    rig_good(DRIVE, "19 02 00 00 00 00");
    CHECK_OK(scsi_target_drive_state(rig.target, 0, &state, &err), err);
    CU_ASSERT_TRUE(state.busy);
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(0), &err), err);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_load(0);
    CHECK_OK(scsi_target_drive_state(rig.target, 0, &state, &err), err);
    CU_ASSERT_FALSE(state.busy);
    rig_good(DRIVE, "11 03 00 00 00 00");
    CHECK_POSITION(0);
    rig_good(DRIVE, "1b 00 00 00 00 00");
    rig_good(DRIVE, "1b 01 00 00 01 00"); /* a load that never comes to its end */
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(0), &err), err);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    stop();
}

/* What is in the buffer is on the medium before the status comes. */
static void test_buffer_first(void)
{
    start(LONG_MS);
    rig_good(DRIVE, "11 03 00 00 00 00");
    CU_ASSERT_EQUAL(write_block(1000, 8), SCSI_GOOD);
    rig_good(DRIVE, "01 01 00 00 00 00");
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(0), &err), err);
    rig_load(0);
    rig_good(DRIVE, "11 03 00 00 00 00");
    CHECK_POSITION(11);
    stop();
}

static const struct check_test tests[] = {
    {"told", test_told},
    {"progress", test_progress},
    {"long_erase", test_long_erase},
    {"meanwhile", test_meanwhile},
    {"no_time", test_no_time},
    {"load_takes_time", test_load_takes_time},
    {"found_bad", test_found_bad},
    {"deferred", test_deferred},
    {"compare", test_compare},
    {"reset", test_reset},
    {"session_ends", test_session_ends},
    {"taken_out", test_taken_out},
    {"buffer_first", test_buffer_first},
};

CHECK_MAIN("drive_background", tests)
