/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_drive_protect.c - what may be written where: WORM, append-only mode with ALLOW OVERWRITE,
 * formats that are only read; row 19 of the behaviours that backup software depends on.
 */
#include "tests/unit/drive_rig.h"

static struct error err;

/* Whether the TapeAlert flag is set for nexus a; reading takes all of them. */
static bool alert(unsigned flag)
{
    rig_cdb(rig.a, DRIVE, "4d 00 6e 00 00 00 00 01 44 00", NULL, 0, 324);
    CU_ASSERT_EQUAL(answer.in_len, 324);
    return answer.in[4 + 5 * flag - 1] == 1;
}

static void start_worm(void)
{
    rig_start();
    rig_cartridge("WRM001LY", SLOT(2), 0x5e, true, 0);
    rig_load(2);
}

/* The medium as a host reads it: every block, 'F' for a filemark. */
static void tape_is(const char *expected)
{
    char seen[64] = "";

    rig_good(DRIVE, REWIND);
    for (size_t i = 0; i < sizeof(seen) - 1; i++) {
        if (read_block(100, true) == SCSI_GOOD)
            seen[i] = (char)answer.in[0];
        else if (answer.sense[2] & 0x80)
            seen[i] = 'F';
        else
            break;
    }
    if (strcmp(seen, expected) != 0)
        printf("\n    the tape is \"%s\", not \"%s\"", seen, expected);
    CU_ASSERT_STRING_EQUAL(seen, expected);
}

/* Write what the text says: a letter is a block, 'F' a filemark. */
static void write_tape(const char *text)
{
    for (; *text; text++) {
        if (*text == 'F')
            filemarks(1);
        else
            CU_ASSERT_EQUAL(write_block(100, (uint8_t)*text), SCSI_GOOD);
    }
}

/* ---- WORM ------------------------------------------------------------------------------------ */

/* Every place of some tapes: '+' where writing is allowed, '-' where it is an overwrite. */
static void test_worm_places(void)
{
    static const struct {
        const char *tape, *allowed;
    } cases[] = {
        {"", "+"},         {"a", "++"},     /* a label */
        {"ab", "+-+"},                      /* a label of two blocks */
        {"abc", "---+"},                    /* data */
        {"F", "++"},                        /* nothing but filemarks */
        {"FFF", "++++"},   {"aFF", "+-++"}, /* a label; the first filemark closes the data, the
                                               others may go */
        {"abFF", "+--++"}, {"abcF", "----+"},     {"abcFFF", "----+++"},
        {"aFb", "---+"}, /* a label in front of data is none */
        {"Fab", "---+"},   {"aFbcFF", "-----++"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t at = 0; at <= strlen(cases[i].tape); at++) {
            bool allowed = cases[i].allowed[at] == '+';
            char after[64];

            start_worm();
            write_tape(cases[i].tape);
            CU_ASSERT_EQUAL(locate16(0, at), SCSI_GOOD);
            write_block(100, 'x');
            snprintf(after, sizeof(after), "%.*s%s", (int)(allowed ? at : strlen(cases[i].tape)),
                     cases[i].tape, allowed ? "x" : "");
            if (allowed)
                CU_ASSERT_EQUAL(answer.status, SCSI_GOOD);
            if (!allowed) {
                CHECK_SENSE(KEY_DATA_PROTECT, ASC_WORM_OVERWRITE);
                CHECK_POSITION(at); /* looking around has left it */
            }
            tape_is(after);
            rig_stop();
        }
    }
}

static void medium_page(uint8_t code, uint8_t subcode, uint8_t *page)
{
    uint8_t cdb[10] = {0x5a, 0x08, code, subcode, [8] = 64};

    CU_ASSERT_EQUAL(rig_send(rig.a, DRIVE, cdb, 10, NULL, 0, 64), SCSI_GOOD);
    memcpy(page, answer.in + 8, 32);
}

/* Each command that would change what is written: refused, and the tape is what it was. */
static void test_worm_paths(void)
{
    static const char *const paths[] = {
        "10 00 00 00 01 00",                               /* WRITE FILEMARKS(6) */
        "80 00 00 00 00 00 00 00 00 00 00 01 00 00 01 00", /* (16), object 1 */
        "19 00 00 00 00 00",                               /* ERASE, short */
        "19 01 00 00 00 00",                               /* long */
        "93 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00", /* ERASE(16), object 1 */
    };
    uint8_t page[32];

    start_worm();
    write_tape("abcFdF");
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        CU_ASSERT_EQUAL(locate16(0, 1), SCSI_GOOD);
        rig_cdb(rig.a, DRIVE, paths[i], NULL, 0, 0);
        CHECK_SENSE(KEY_DATA_PROTECT, ASC_WORM_OVERWRITE);
        tape_is("abcFdF");
    }
    CU_ASSERT_TRUE(alert(60));
    medium_page(0x1d, 0, page);
    CU_ASSERT_EQUAL(page[2], 1);    /* WORMM */
    CU_ASSERT_EQUAL(page[4], 0x01); /* some labels may be written over */
    CU_ASSERT_EQUAL(page[5], 0x02); /* and all filemarks but the first behind the data */
    rig_cdb(rig.a, DRIVE, "12 01 b0 00 10 00", NULL, 0, 16);
    CU_ASSERT_EQUAL(answer.in[4] & 1, 1);
    /* After a reload it is appended at the end of data. */
    rig_good(DRIVE, "1b 00 00 00 00 00");
    rig_good(DRIVE, "1b 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    write_block(100, 'y');
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WORM_OVERWRITE);
    CU_ASSERT_EQUAL(locate16(3, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(write_block(100, 'y'), SCSI_GOOD);
    tape_is("abcFdFy");
    rig_stop();
}

/* ---- append-only mode ------------------------------------------------------------------------ */

static void set_append_only(bool on)
{
    uint8_t list[4 + 32] = {0, 0, 0x10, 0, 0x50, 0x01, 0, 0x1c, [4 + 5] = on ? 0x10 : 0};

    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "15 10 00 00 24 00", list, sizeof(list), 0), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
}

static uint8_t allow_overwrite(unsigned what, uint8_t partition, uint64_t lba)
{
    uint8_t cdb[16] = {0x82, 0, (uint8_t)what, partition};

    put_be64(cdb + 4, lba);
    return rig_send(rig.a, DRIVE, cdb, 16, NULL, 0, 0);
}

#define CHECK_APPEND_ONLY() CHECK_SENSE(KEY_DATA_PROTECT, ASC_OPERATOR_WRITE_PROTECT)

static void test_append_only(void)
{
    rig_start();
    rig_load(1);
    set_append_only(true);
    write_tape("abFcFF"); /* at the end of data it is written as ever */
    CU_ASSERT_EQUAL(locate16(0, 4), SCSI_GOOD);
    write_block(100, 'x');
    CHECK_APPEND_ONLY();
    CHECK_POSITION(4);
    CU_ASSERT_TRUE(alert(9));
    rig_good(DRIVE, REWIND);
    rig_cdb(rig.a, DRIVE, "10 00 00 00 01 00", NULL, 0, 0);
    CHECK_APPEND_ONLY();
    rig_cdb(rig.a, DRIVE, "19 01 00 00 00 00", NULL, 0, 0);
    CHECK_APPEND_ONLY();
    tape_is("abFcFF");
    CU_ASSERT_EQUAL(locate16(0, 5), SCSI_GOOD); /* behind a filemark, before only filemarks */
    CU_ASSERT_EQUAL(write_block(100, 'd'), SCSI_GOOD);
    tape_is("abFcFd");
    set_append_only(false);
    CU_ASSERT_EQUAL(locate16(0, 1), SCSI_GOOD);
    CU_ASSERT_EQUAL(write_block(100, 'x'), SCSI_GOOD);
    tape_is("ax");
    rig_stop();
}

/* A label is no append point in this mode, whatever WORM lets pass. */
static void test_append_only_worm(void)
{
    start_worm();
    write_tape("aF");
    set_append_only(true);
    rig_good(DRIVE, REWIND);
    write_block(100, 'x');
    CHECK_APPEND_ONLY();
    CU_ASSERT_EQUAL(allow_overwrite(1, 0, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(write_block(100, 'x'), SCSI_GOOD); /* allowed: the WORM rules decide */
    write_tape("yz");
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(allow_overwrite(1, 0, 0), SCSI_GOOD);
    write_block(100, 'x');
    CHECK_SENSE(KEY_DATA_PROTECT, ASC_WORM_OVERWRITE);
    tape_is("xyz");
    rig_stop();
}

static void test_allow_overwrite(void)
{
    rig_start();
    rig_load(1);
    write_tape("abcd");
    allow_overwrite(1, 0, 4);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_NOT_APPEND_ONLY);
    set_append_only(true);
    allow_overwrite(3, 0, 4);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(locate16(0, 2), SCSI_GOOD);
    allow_overwrite(1, 0, 1);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_POSITIONING_ERROR);
    allow_overwrite(1, 1, 2);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_POSITIONING_ERROR);
    CU_ASSERT_EQUAL(allow_overwrite(1, 0, 2), SCSI_GOOD);
    rig_good(DRIVE, TUR); /* neither this nor INQUIRY moves the medium */
    CU_ASSERT_EQUAL(write_block(100, 'X'), SCSI_GOOD);
    tape_is("abX");
    /* For one command only. */
    CU_ASSERT_EQUAL(locate16(0, 1), SCSI_GOOD);
    write_block(100, 'Y');
    CHECK_APPEND_ONLY();
    tape_is("abX");
    rig_stop();
}

/* What takes the permission away again: each of these, and the write is refused. */
static void test_allow_overwrite_ends(void)
{
    rig_start();
    rig_load(1);
    write_tape("abcd");
    set_append_only(true);
    for (int way = 0; way < 5; way++) {
        CU_ASSERT_EQUAL(locate16(0, 1), SCSI_GOOD);
        CU_ASSERT_EQUAL(allow_overwrite(1, 0, 1), SCSI_GOOD);
        if (way == 0) { /* the medium moves away and comes back */
            CU_ASSERT_EQUAL(read_block(100, false), SCSI_GOOD);
            CU_ASSERT_EQUAL(space(0, -1), SCSI_GOOD);
        } else if (way == 1) {
            allow_overwrite(1, 0, 3); /* refused: wrong place */
        } else if (way == 2) {
            CU_ASSERT_EQUAL(allow_overwrite(0, 0, 0), SCSI_GOOD);
        } else if (way == 3) {
            set_append_only(false);
            set_append_only(true);
        } else {
            CU_ASSERT_EQUAL(allow_overwrite(2, 0, 1), SCSI_GOOD); /* FORMAT is no WRITE */
        }
        write_block(100, 'X');
        CHECK_APPEND_ONLY();
    }
    tape_is("abcd");
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(allow_overwrite(1, 0, 0), SCSI_GOOD);
    rig_good(DRIVE, "1b 00 00 00 00 00"); /* unloaded and loaded again: at the same place */
    rig_good(DRIVE, "1b 00 00 00 01 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    write_block(100, 'X');
    CHECK_APPEND_ONLY();
    CHECK_OK(scsi_target_move(rig.target, DRIVE_AT(0), SLOT(1), &err), err);
    allow_overwrite(1, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    rig_stop();
}

static const struct check_test tests[] = {
    {"worm_places", test_worm_places},         {"worm_paths", test_worm_paths},
    {"append_only", test_append_only},         {"append_only_worm", test_append_only_worm},
    {"allow_overwrite", test_allow_overwrite}, {"allow_overwrite_ends", test_allow_overwrite_ends},
};

CHECK_MAIN("drive_protect", tests)
