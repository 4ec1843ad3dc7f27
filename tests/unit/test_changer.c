/* SPDX-License-Identifier: Apache-2.0 */
/* test_changer.c - the medium changer: element status, moves, and what hosts expect of them. */
#include "common/bytes.h"
#include "tests/unit/changer_rig.h"
#include "tests/unit/check.h"
#include "tests/unit/scsi_rig.h"
#include "vtl/scsi/sense.h"

static struct error err;

/* ---- READ ELEMENT STATUS (row 24) ------------------------------------------------------------ */

static void test_element_status(void)
{
    const uint8_t *d;

    rig_start();
    CU_ASSERT_EQUAL(status(0x10, 0, 0xffff, 0, 4096), SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be16(answer.in), 0);                 /* first address */
    CU_ASSERT_EQUAL(get_be16(answer.in + 2), 1 + 2 + 2 + 4); /* elements */
    d = descriptor(SLOT(1));
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    CU_ASSERT_EQUAL(d[2], 0x09); /* ACCESS, FULL */
    CU_ASSERT_EQUAL(memcmp(d + 12, "RIG001L8                        \0\0\0\0", 36), 0);
    d = descriptor(SLOT(2));
    CU_ASSERT_EQUAL(d[2], 0x08);
    CU_ASSERT_EQUAL(d[12], 0);
    d = descriptor(IE(0));
    CU_ASSERT_EQUAL(d[2], 0x38); /* INENAB, EXENAB, ACCESS */
    CU_ASSERT_PTR_NOT_NULL(descriptor(LIBRARY_ADDRESS_TRANSPORT));
    CU_ASSERT_PTR_NOT_NULL(descriptor(DRIVE_AT(1)));
    /* without volume tags the descriptors are short, but no shorter than mtx takes */
    CU_ASSERT_EQUAL(status(0x00, 0, 0xffff, 0, 4096), SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be16(answer.in + 8 + 2), 16);
    rig_stop();
}

static void test_element_status_source(void)
{
    const uint8_t *d;

    rig_start();
    CU_ASSERT_EQUAL(move(SLOT(1), DRIVE_AT(0)), SCSI_GOOD);
    status(0x14, 0, 0xffff, 0, 4096);
    d = descriptor(DRIVE_AT(0));
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    CU_ASSERT_EQUAL(d[2], 0x09);
    CU_ASSERT_EQUAL(d[9] & 0x80, 0x80); /* SVALID */
    CU_ASSERT_EQUAL(get_be16(d + 10), SLOT(1));
    CU_ASSERT_EQUAL(d[6], 0x10 | DRIVE); /* LU valid: what Linux' ch looks for */
    d = descriptor(DRIVE_AT(1));
    CU_ASSERT_EQUAL(d[9] & 0x80, 0);
    rig_stop();
}

/* Row 22: the drive designator is that of VPD page 83h and holds the serial of page 80h. */
static void test_dvcid(void)
{
    const uint8_t *d;
    uint8_t serial[12];

    rig_start();
    rig_cdb(rig.a, SECOND, "12 01 80 00 ff 00", NULL, 0, 255);
    memcpy(serial, answer.in + 4, 12);
    status(0x14, 0, 0xffff, 0x01, 4096);
    d = descriptor(DRIVE_AT(1));
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    CU_ASSERT_EQUAL(d[48], 2);      /* ASCII */
    CU_ASSERT_EQUAL(d[49] & 15, 1); /* T10 vendor id */
    CU_ASSERT_EQUAL(d[51], 36);
    CU_ASSERT_EQUAL(memcmp(d + 52, "IBM     ULT3580-TD8     ", 24), 0);
    CU_ASSERT_EQUAL(memcmp(d + 52 + 24, serial, 12), 0);
    status(0x04, 0, 0xffff, 0x03, 4096); /* without tags, with CURDATA */
    d = descriptor(DRIVE_AT(1));
    CU_ASSERT_EQUAL(memcmp(d + 16 + 24, serial, 12), 0);
    status(0x12, 0, 0xffff, 0x01, 4096); /* slots have none */
    d = descriptor(SLOT(0));
    CU_ASSERT_EQUAL(d[51], 0);
    rig_stop();
}

/* Type, start and count; and what is not there has no page. */
static void test_element_status_ranges(void)
{
    rig_start();
    status(0x02, SLOT(1), 2, 0, 4096);
    CU_ASSERT_EQUAL(get_be16(answer.in), SLOT(1));
    CU_ASSERT_EQUAL(get_be16(answer.in + 2), 2);
    CU_ASSERT_PTR_NOT_NULL(descriptor(SLOT(2)));
    CU_ASSERT_PTR_NULL(descriptor(SLOT(3)));
    status(0x02, SLOT(3), 100, 0, 4096);
    CU_ASSERT_EQUAL(get_be16(answer.in + 2), 1);
    status(0x00, IE(1), 2, 0, 4096); /* across types */
    CU_ASSERT_EQUAL(get_be16(answer.in), IE(1));
    CU_ASSERT_PTR_NOT_NULL(descriptor(DRIVE_AT(0)));
    status(0x02, 0xf000, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(answer.in_len, 8);
    CU_ASSERT_EQUAL(get_be16(answer.in + 2), 0);
    status(0x02, 0, 0, 0, 4096);
    CU_ASSERT_EQUAL(answer.in_len, 8);
    status(0x05, 0, 0xffff, 0, 4096);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(status(0x10, 0, 0xffff, 1, 0), SCSI_GOOD); /* item 19: no room */
    status(0x10, 0, 0xffff, 1, 8);                             /* how long would it be? */
    CU_ASSERT_EQUAL(answer.in_len, 8);
    CU_ASSERT_EQUAL(get_be24(answer.in + 5), 4 * 8 + 9 * 52 + 2 * 36);
    rig_stop();
}

/* ---- moving ---------------------------------------------------------------------------------- */

static void test_move_errors(void)
{
    rig_start();
    move(SLOT(2), DRIVE_AT(0));
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_SOURCE_EMPTY);
    move(SLOT(0), SLOT(1));
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_DESTINATION_FULL);
    move(SLOT(0), SLOT(0));
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_DESTINATION_FULL);
    move(SLOT(0), SLOT(4));
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
    move(0xffff, SLOT(3));
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
    move(SLOT(0), LIBRARY_ADDRESS_TRANSPORT);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
    move(LIBRARY_ADDRESS_TRANSPORT, SLOT(3));
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_SOURCE_EMPTY);
    rig_cdb(rig.a, CHANGER, "a5 00 00 01 04 00 01 00 00 00 00 00", NULL, 0, 0); /* transport 1 */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
    rig_cdb(rig.a, CHANGER, "a5 00 00 00 04 00 01 00 00 00 01 00", NULL, 0, 0); /* INVERT */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    rig_stop();
}

/* Row 17: a prevented drive keeps its cartridge; nothing else is stopped. */
static void test_move_prevented(void)
{
    rig_start();
    CU_ASSERT_EQUAL(move(SLOT(1), DRIVE_AT(0)), SCSI_GOOD);
    rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "1e 00 00 00 01 00", NULL, 0, 0), SCSI_GOOD);
    move(DRIVE_AT(0), SLOT(3));
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, TUR, NULL, 0, 0), SCSI_GOOD); /* still loaded */
    CU_ASSERT_EQUAL(move(SLOT(0), DRIVE_AT(1)), SCSI_GOOD);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "1e 00 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(move(DRIVE_AT(0), SLOT(3)), SCSI_GOOD);
    rig_stop();
}

/* A move that is refused does not unload the drive. */
static void test_refused_move_keeps_drive(void)
{
    rig_start();
    CU_ASSERT_EQUAL(move(SLOT(1), DRIVE_AT(0)), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    move(DRIVE_AT(0), SLOT(0));
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_DESTINATION_FULL);
    rig_good(DRIVE, TUR);
    rig_stop();
}

static void test_exchange(void)
{
    rig_start();
    CU_ASSERT_EQUAL(move(SLOT(1), DRIVE_AT(0)), SCSI_GOOD);
    CU_ASSERT_EQUAL(exchange(SLOT(0), DRIVE_AT(0), SLOT(3)), SCSI_GOOD);
    status(0x10, 0, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(memcmp(descriptor(DRIVE_AT(0)) + 12, "RIG000L8", 8), 0);
    CU_ASSERT_EQUAL(memcmp(descriptor(SLOT(3)) + 12, "RIG001L8", 8), 0);
    CU_ASSERT_EQUAL(exchange(SLOT(3), DRIVE_AT(0), SLOT(3)), SCSI_GOOD); /* change places */
    status(0x10, 0, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(memcmp(descriptor(DRIVE_AT(0)) + 12, "RIG001L8", 8), 0);
    exchange(SLOT(3), SLOT(2), SLOT(1));
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_SOURCE_EMPTY);
    exchange(SLOT(3), DRIVE_AT(0), DRIVE_AT(0));
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_DESTINATION_FULL);
    CU_ASSERT_EQUAL(move(SLOT(3), DRIVE_AT(1)), SCSI_GOOD); /* both drives, both unloaded for it */
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    rig_cdb(rig.a, SECOND, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(exchange(DRIVE_AT(0), DRIVE_AT(1), DRIVE_AT(0)), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    rig_stop();
}

/* ---- attentions (row 16) --------------------------------------------------------------------- */

static void test_operator_attentions(void)
{
    rig_start();
    rig_cartridge("NEW001L8", IE(1), 0x5e, false, 0);
    scsi_target_inventory_changed(rig.target);
    rig_cdb(rig.a, CHANGER, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_IMPORT_EXPORT_ACCESSED);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, CHANGER, TUR, NULL, 0, 0), SCSI_GOOD);
    rig_cdb(rig.b, CHANGER, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_IMPORT_EXPORT_ACCESSED);
    status(0x13, 0, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(descriptor(IE(1))[2], 0x3b); /* IMPEXP: an operator put it there */
    rig_cartridge("NEW002L8", SLOT(2), 0x5e, false, 0);
    scsi_target_inventory_changed(rig.target);
    rig_cdb(rig.a, CHANGER, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    rig_cdb(rig.b, CHANGER, TUR, NULL, 0, 0);
    /* the robot's own moves raise nothing, even through the import/export elements */
    CU_ASSERT_EQUAL(move(SLOT(2), IE(0)), SCSI_GOOD);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, CHANGER, TUR, NULL, 0, 0), SCSI_GOOD);
    status(0x13, 0, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(descriptor(IE(0))[2], 0x39);
    rig_cartridge("NEW003L8", SLOT(2), 0x5e, false, 0);
    scsi_target_inventory_changed(rig.target);
    rig_cdb(rig.b, CHANGER, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    rig_stop();
}

/* ---- pages and the rest ---------------------------------------------------------------------- */

static void test_mode_pages(void)
{
    rig_start();
    CU_ASSERT_EQUAL(rig_cdb(rig.a, CHANGER, "1a 00 1d 00 88 00", NULL, 0, 136), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 20);
    CU_ASSERT_EQUAL(answer.in[3], 0); /* no block descriptor */
    CU_ASSERT_EQUAL(get_be16(answer.in + 4 + 4), 1);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4 + 6), SLOT(0));
    CU_ASSERT_EQUAL(get_be16(answer.in + 4 + 8), 4);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4 + 10), IE(0));
    CU_ASSERT_EQUAL(get_be16(answer.in + 4 + 12), 2);
    CU_ASSERT_EQUAL(get_be16(answer.in + 4 + 14), DRIVE_AT(0));
    CU_ASSERT_EQUAL(get_be16(answer.in + 4 + 16), 2);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, CHANGER, "1a 08 1f 00 88 00", NULL, 0, 136), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[4 + 2], 0x0e);
    CU_ASSERT_EQUAL(answer.in[4 + 4], 0x00);  /* from the hand */
    CU_ASSERT_EQUAL(answer.in[4 + 5], 0x0e);  /* from a slot */
    CU_ASSERT_EQUAL(answer.in[4 + 7], 0x0e);  /* from a drive */
    CU_ASSERT_EQUAL(answer.in[4 + 13], 0x0e); /* exchange */
    rig_stop();
}

static void test_no_motion_commands(void)
{
    rig_start();
    rig_good(CHANGER, "07 00 00 00 00 00");
    rig_good(CHANGER, "37 00 00 00 00 00 00 00 00 00");
    rig_good(CHANGER, "e7 01 04 00 00 00 00 04 00 00");
    rig_good(CHANGER, "2b 00 00 00 04 01 00 00 00 00");
    rig_cdb(rig.a, CHANGER, "2b 00 00 00 70 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
    rig_cdb(rig.a, CHANGER, "e7 01 70 00 00 00 00 04 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
    rig_good(CHANGER, "1d 04 00 00 00 00");
    CHECK_FAILS(scsi_target_move(rig.target, SLOT(3), SLOT(2), &err), ERR_STATE, err);
    rig_stop();
}

/* RESERVE of the changer stops another's moves, not its looking. */
static void test_reserved_changer(void)
{
    uint8_t cdb[12] = {0xa5};

    rig_start();
    rig_good(CHANGER, "16 00 00 00 00 00");
    put_be16(cdb + 4, SLOT(0));
    put_be16(cdb + 6, SLOT(3));
    CU_ASSERT_EQUAL(rig_send(rig.b, CHANGER, cdb, 12, NULL, 0, 0), SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, CHANGER, "b8 00 00 00 ff ff 02 00 10 00 00 00", NULL, 0, 4096),
                    SCSI_GOOD);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, CHANGER, "b8 00 00 00 ff ff 00 00 10 00 00 00", NULL, 0, 4096),
                    SCSI_RESERVATION_CONFLICT);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, CHANGER, "12 00 00 00 60 00", NULL, 0, 96), SCSI_GOOD);
    CU_ASSERT_EQUAL(move(SLOT(0), SLOT(3)), SCSI_GOOD);
    rig_stop();
}

static const struct check_test tests[] = {
    {"element_status", test_element_status},
    {"element_status_source", test_element_status_source},
    {"dvcid", test_dvcid},
    {"element_status_ranges", test_element_status_ranges},
    {"move_errors", test_move_errors},
    {"move_prevented", test_move_prevented},
    {"refused_move_keeps_drive", test_refused_move_keeps_drive},
    {"exchange", test_exchange},
    {"operator_attentions", test_operator_attentions},
    {"mode_pages", test_mode_pages},
    {"no_motion_commands", test_no_motion_commands},
    {"reserved_changer", test_reserved_changer},
};

CHECK_MAIN("changer", tests)
