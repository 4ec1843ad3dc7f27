/* SPDX-License-Identifier: Apache-2.0 */
/* test_changer_search.c - SEND VOLUME TAG and REQUEST VOLUME ELEMENT ADDRESS, doors, log pages,
 * exceptions, and the layer in front of the robot. */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/changer_rig.h"
#include "vtl/scsi/sense.h"

static struct error err;

/* ---- volume tags ----------------------------------------------------------------------------- */

static uint8_t search_as(struct scsi_nexus *nexus, unsigned action, unsigned type,
                         const char *template)
{
    uint8_t cdb[12] = {0xb6, (uint8_t)type, 0, 0, 0, (uint8_t)action, 0, 0, 0, 40};
    uint8_t list[40];

    memset(list, ' ', 32);
    memset(list + 32, 0, 8);
    memcpy(list, template, strlen(template));
    return rig_send(nexus, CHANGER, cdb, sizeof(cdb), list, sizeof(list), 0);
}

static uint8_t search(unsigned action, const char *template)
{
    return search_as(rig.a, action, 0, template);
}

static uint8_t found_as(struct scsi_nexus *nexus, uint16_t start, uint16_t count,
                        uint32_t allocation)
{
    uint8_t cdb[12] = {0xb5, 0x10};

    put_be16(cdb + 2, start);
    put_be16(cdb + 4, count);
    put_be24(cdb + 7, allocation);
    return rig_send(nexus, CHANGER, cdb, sizeof(cdb), NULL, 0, allocation);
}

static unsigned found(void)
{
    CU_ASSERT_EQUAL(found_as(rig.a, 0, 0xffff, 4096), SCSI_GOOD);
    return get_be16(answer.in + 2);
}

static void test_search(void)
{
    rig_start();
    rig_cartridge("RIG100L8", SLOT(2), 0x5e, false, 0);
    rig_cartridge("CLN001CU", IE(0), 0x5e, false, 0);
    CU_ASSERT_EQUAL(search(0x05, "RIG001L8"), SCSI_GOOD);
    CU_ASSERT_EQUAL(found(), 1);
    CU_ASSERT_EQUAL(get_be16(answer.in), SLOT(1));
    CU_ASSERT_EQUAL(answer.in[4], 0x05); /* the action */
    CU_ASSERT_EQUAL(memcmp(descriptor(SLOT(1)) + 12, "RIG001L8  ", 10), 0);
    search(0x05, "RIG*");
    CU_ASSERT_EQUAL(found(), 3);
    search(0x01, "RIG?0?L8");
    CU_ASSERT_EQUAL(found(), 3);
    search(0x00, "RIG??0L8");
    CU_ASSERT_EQUAL(found(), 2);
    search(0x04, "*0L8");
    CU_ASSERT_EQUAL(found(), 2);
    search(0x04, "*1*");
    CU_ASSERT_EQUAL(found(), 3);
    search(0x05, "RIG001L");
    CU_ASSERT_EQUAL(found(), 0);
    CU_ASSERT_EQUAL(answer.in_len, 8);
    search(0x06, "*"); /* alternate tags: there are none */
    CU_ASSERT_EQUAL(found(), 0);
    search_as(rig.a, 0x05, ELEMENT_IMPORT_EXPORT, "*");
    CU_ASSERT_EQUAL(found(), 1);
    CU_ASSERT_EQUAL(descriptor(IE(0))[9] & 7, 2); /* a cleaning cartridge */
    rig_stop();
}

/* What has been handed over is not reported again; a cartridge is told where it is now. */
static void test_search_cursor(void)
{
    rig_start();
    rig_cartridge("RIG002L8", SLOT(2), 0x5e, false, 0);
    search(0x05, "RIG*");
    found_as(rig.a, 0, 0xffff, 8); /* how much is there? */
    CU_ASSERT_EQUAL(get_be16(answer.in + 2), 3);
    found_as(rig.a, 0, 1, 4096);
    CU_ASSERT_EQUAL(get_be16(answer.in), SLOT(0));
    found_as(rig.a, 0, 0xffff, 8 + 8 + 52 + 51); /* the second one does not fit */
    CU_ASSERT_EQUAL(get_be16(answer.in), SLOT(1));
    CU_ASSERT_EQUAL(get_be16(answer.in + 2), 2);
    CU_ASSERT_EQUAL(answer.in_len, 8 + 8 + 52);
    CU_ASSERT_EQUAL(move(SLOT(2), SLOT(3)), SCSI_GOOD);
    CU_ASSERT_EQUAL(found(), 1);
    CU_ASSERT_EQUAL(get_be16(answer.in), SLOT(3));
    CU_ASSERT_EQUAL(found(), 0);
    search(0x05, "RIG*");
    CU_ASSERT_EQUAL(found_as(rig.a, SLOT(1), 0xffff, 4096), SCSI_GOOD); /* lowest address */
    CU_ASSERT_EQUAL(get_be16(answer.in + 2), 2);
    rig_stop();
}

/* Each nexus has its own question. */
static void test_search_nexus(void)
{
    rig_start();
    search(0x05, "RIG000L8");
    found_as(rig.b, 0, 0xffff, 4096);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_COMMAND_SEQUENCE);
    search_as(rig.b, 0x05, 0, "RIG001L8");
    CU_ASSERT_EQUAL(found(), 1);
    CU_ASSERT_EQUAL(get_be16(answer.in), SLOT(0));
    rig_stop();
}

static void test_search_refused(void)
{
    static const unsigned actions[] = {0x03, 0x07, 0x08, 0x0a, 0x0c, 0x0e, 0x1f};
    uint8_t list[40];

    rig_start();
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        search(actions[i], "X");
        CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
        CU_ASSERT_EQUAL(get_be16(answer.sense + 16), 5);
    }
    search_as(rig.a, 0x05, 5, "X");
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    search(0x05, "");
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    memset(list, 'A', sizeof(list));
    list[3] = '\0';
    rig_cdb(rig.a, CHANGER, "b6 00 00 00 00 05 00 00 00 28 00 00", list, 40, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    rig_cdb(rig.a, CHANGER, "b6 00 00 00 00 05 00 00 00 27 00 00", list, 39, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    rig_cdb(rig.a, CHANGER, "b6 00 00 00 00 05 00 00 00 28 00 00", list, 20, 0); /* cut short */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_LIST_LENGTH_ERROR);
    found_as(rig.a, 0, 1, 4096); /* nothing of it was kept */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_COMMAND_SEQUENCE);
    memset(list, '*', 32); /* the worst template */
    memset(list + 32, 0, 8);
    rig_cdb(rig.a, CHANGER, "b6 00 00 00 00 05 00 00 00 28 00 00", list, 40, 0);
    CU_ASSERT_EQUAL(found(), 2);
    rig_stop();
}

/* ---- alternate volume tags ------------------------------------------------------------------- */

static uint8_t tag_cartridge(unsigned action, unsigned type, uint16_t address, const char *tag,
                             uint16_t sequence)
{
    uint8_t cdb[12] = {0xb6, (uint8_t)type, 0, 0, 0, (uint8_t)action, 0, 0, 0, 40};
    uint8_t list[40] = {0};

    put_be16(cdb + 2, address);
    memset(list, ' ', 32);
    memcpy(list, tag, strlen(tag));
    put_be16(list + 34, sequence);
    return rig_send(rig.a, CHANGER, cdb, sizeof(cdb), list, sizeof(list), 0);
}

/* Neither label nor alternate tag: what each descriptor has is said in the page's header. */
static void test_alternate_status(void)
{
    const uint8_t *d;

    rig_start();
    status(0x12, 0, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(answer.in[8 + 1], 0x80); /* PVOLTAG alone */
    CU_ASSERT_EQUAL(tag_cartridge(0x09, 0, SLOT(1), "Year end", 7), SCSI_GOOD);
    status(0x12, 0, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(answer.in[8 + 1], 0xc0);
    CU_ASSERT_EQUAL(get_be16(answer.in + 8 + 2), 16 + 36 + 36);
    d = descriptor(SLOT(1));
    CU_ASSERT_EQUAL(memcmp(d + 12, "RIG001L8                        \0\0\0\0", 36), 0);
    CU_ASSERT_EQUAL(memcmp(d + 48, "Year end                        \0\0\0\7", 36), 0);
    d = descriptor(SLOT(0));
    for (unsigned i = 48; i < 84; i++)
        CU_ASSERT_EQUAL(d[i], 0);
    status(0x02, 0, 0xffff, 0, 4096); /* without VOLTAG */
    CU_ASSERT_EQUAL(answer.in[8 + 1], 0);
    CU_ASSERT_EQUAL(get_be16(answer.in + 8 + 2), 16);
    CU_ASSERT_EQUAL(move(SLOT(1), DRIVE_AT(0)), SCSI_GOOD);
    status(0x14, 0, 0xffff, 1, 4096);
    d = descriptor(DRIVE_AT(0));
    CU_ASSERT_EQUAL(memcmp(d + 48, "Year end ", 9), 0);
    CU_ASSERT_EQUAL(memcmp(d + 84 + 4, "IBM     ULT3580-TD8     ", 24), 0);
    rig_restart();
    rig_cdb(rig.a, CHANGER, TUR, NULL, 0, 0);
    status(0x14, 0, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(memcmp(descriptor(DRIVE_AT(0)) + 48, "Year end ", 9), 0);
    rig_stop();
}

static void test_alternate_actions(void)
{
    rig_start();
    CU_ASSERT_EQUAL(tag_cartridge(0x09, ELEMENT_SLOT, SLOT(0), "A", 0), SCSI_GOOD);
    tag_cartridge(0x09, 0, SLOT(0), "B", 0); /* ASSERT: it has one */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(tag_cartridge(0x0b, 0, SLOT(0), "B", 0), SCSI_GOOD); /* REPLACE */
    CU_ASSERT_EQUAL(tag_cartridge(0x0b, 0, SLOT(1), "C", 0), SCSI_GOOD);
    tag_cartridge(0x0b, 0, SLOT(1), "C*", 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    tag_cartridge(0x0b, 0, SLOT(1), "", 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    tag_cartridge(0x0b, 0, SLOT(1), "\303\274", 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_LIST);
    tag_cartridge(0x09, 0, SLOT(3), "D", 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_SOURCE_EMPTY);
    tag_cartridge(0x09, 0, SLOT(4), "D", 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
    tag_cartridge(0x09, ELEMENT_DRIVE, SLOT(0), "D", 0); /* a slot is no drive */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
    search(0x06, "*");
    CU_ASSERT_EQUAL(found(), 2);
    search(0x06, "B");
    CU_ASSERT_EQUAL(found(), 1);
    CU_ASSERT_EQUAL(get_be16(answer.in), SLOT(0));
    rig_good(CHANGER, "b6 00 04 00 00 0d 00 00 00 00 00 00"); /* UNDEFINE needs no list */
    CU_ASSERT_EQUAL(tag_cartridge(0x0d, 0, SLOT(0), "whatever", 0), SCSI_GOOD);
    search(0x06, "*");
    CU_ASSERT_EQUAL(found(), 1);
    rig_stop();
}

/* Labels have the sequence number 0, alternate tags their own. */
static void test_alternate_search(void)
{
    uint8_t cdb[12] = {0xb6, 0, 0, 0, 0, 0x02, 0, 0, 0, 40}, list[40] = "T*";

    rig_start();
    tag_cartridge(0x09, 0, SLOT(0), "T1", 5);
    tag_cartridge(0x09, 0, SLOT(1), "T2", 9);
    put_be16(list + 34, 5);
    put_be16(list + 38, 8);
    CU_ASSERT_EQUAL(rig_send(rig.a, CHANGER, cdb, 12, list, 40, 0), SCSI_GOOD);
    CU_ASSERT_EQUAL(found(), 1);
    CU_ASSERT_EQUAL(get_be16(answer.in), SLOT(0));
    put_be16(list + 38, 9);
    rig_send(rig.a, CHANGER, cdb, 12, list, 40, 0);
    CU_ASSERT_EQUAL(found(), 2);
    search(0x04, "T2"); /* all tags, any sequence number */
    CU_ASSERT_EQUAL(found(), 1);
    search(0x05, "T2"); /* primary only */
    CU_ASSERT_EQUAL(found(), 0);
    search(0x00, "T2"); /* sequence number 0 only */
    CU_ASSERT_EQUAL(found(), 0);
    rig_stop();
}

/* Quantum's libraries tell the drive's serial number there. */
static void test_alternate_serial(void)
{
    uint8_t serial[16] = {0};
    uint16_t at;

    rig.library_model = "QUANTUM-SCALAR-I500";
    rig_start();
    rig_cdb(rig.a, DRIVE, "12 01 80 00 ff 00", NULL, 0, 255);
    memcpy(serial, answer.in + 4, answer.in[3] < 16 ? answer.in[3] : 15);
    at = library_drive_address(rig.library, 0);
    status(0x14, 0, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(answer.in[8 + 1], 0xc0);
    CU_ASSERT_EQUAL(memcmp(descriptor(at) + 48, serial, strlen((char *)serial)), 0);
    CU_ASSERT_EQUAL(descriptor(at)[48 + strlen((char *)serial)], ' ');
    status(0x12, 0, 0xffff, 0, 4096); /* slots have none */
    CU_ASSERT_EQUAL(answer.in[8 + 1], 0x80);
    rig_stop();
    rig.library_model = NULL;
}

/* ---- what could not be seen ------------------------------------------------------------------ */

/* Storage that fails leaves an element unknown, not missing, until somebody can look again. */
static void test_unknown(void)
{
    char path[256], aside[256];
    const uint8_t *d;

    rig_start();
    CHECK_OK(library_cartridge_path(rig.root, "RIG001L8", path, sizeof(path), &err), err);
    snprintf(aside, sizeof(aside), "%s/aside", rig.root);
    CU_ASSERT_EQUAL(rename(path, aside), 0);
    CU_ASSERT_EQUAL(symlink(path, path), 0);
    rig_good(CHANGER, "07 00 00 00 00 00");
    status(0x12, 0, 0xffff, 0, 4096);
    d = descriptor(SLOT(1));
    CU_ASSERT_EQUAL(d[2], 0x0d); /* ACCESS, EXCEPT, FULL */
    CU_ASSERT_EQUAL(get_be16(d + 4), 0x8300);
    CU_ASSERT_EQUAL(d[12], 0); /* no tag */
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(rename(aside, path), 0);
    rig_good(CHANGER, "07 00 00 00 00 00");
    status(0x12, 0, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(descriptor(SLOT(1))[2], 0x09);
    CU_ASSERT_EQUAL(memcmp(descriptor(SLOT(1)) + 12, "RIG001L8 ", 9), 0);
    rig_stop();
}

/* ---- whole descriptors ----------------------------------------------------------------------- */

static void test_whole_descriptors(void)
{
    rig_start();
    for (uint32_t allocation = 0; allocation < 700; allocation++) {
        status(0x10, 0, 0xffff, 0x03, allocation);
        CU_ASSERT(answer.in_len <= allocation);
        CU_ASSERT_EQUAL(answer.in_want, answer.in_len);
        if (answer.in_len > 8) {
            const uint8_t *page = answer.in + 8, *end = answer.in + answer.in_len;

            CU_ASSERT_EQUAL(get_be16(answer.in + 2), 9); /* the header tells of all */
            while (end - page >= 8 && (uint32_t)(end - page) >= 8 + get_be24(page + 5))
                page += 8 + get_be24(page + 5);
            if (page < end) { /* the last page is cut between two descriptors, not empty */
                CU_ASSERT(end - page > 8);
                CU_ASSERT_EQUAL((end - page - 8) % get_be16(page + 2), 0);
            }
        }
    }
    rig_stop();
}

/* ---- doors ----------------------------------------------------------------------------------- */

static void test_doors(void)
{
    struct scsi_door_state door;
    struct scsi_robot_state robot;
    int64_t start;

    rig_start();
    scsi_target_door_state(rig.target, IE(0), &door);
    CU_ASSERT(!door.open && !door.commanded && door.since_ns > 0);
    start = door.since_ns;
    rig_good(CHANGER, "1b 00 00 10 00 00"); /* open ie 0 */
    scsi_target_door_state(rig.target, IE(0), &door);
    CU_ASSERT(door.open && door.commanded && door.since_ns > start);
    scsi_target_door_state(rig.target, IE(1), &door);
    CU_ASSERT(!door.open && door.since_ns == start);
    status(0x10, 0, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(descriptor(IE(0))[2] & 0x08, 0); /* no access */
    CU_ASSERT_EQUAL(descriptor(IE(1))[2] & 0x08, 0x08);
    move(SLOT(0), IE(0));
    CHECK_SENSE(KEY_NOT_READY, ASC_MANUAL_INTERVENTION);
    scsi_target_robot_state(rig.target, &robot);
    CU_ASSERT(!robot.moving && robot.moves == 0 && robot.observed_ns == start);
    CU_ASSERT_EQUAL(move(SLOT(0), IE(1)), SCSI_GOOD);
    scsi_target_robot_state(rig.target, &robot);
    CU_ASSERT(!robot.moving && !robot.failed && robot.moves == 1 && robot.observed_ns > start);
    CU_ASSERT(robot.from == SLOT(0) && robot.to == IE(1));
    rig_good(CHANGER, "b1 00 00 10 01 00 00 00 00 00 00 00"); /* close it */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, CHANGER, TUR, NULL, 0, 0), SCSI_GOOD);
    rig_cdb(rig.b, CHANGER, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, ASC_IMPORT_EXPORT_ACCESSED);
    CU_ASSERT_EQUAL(move(SLOT(1), IE(0)), SCSI_GOOD);
    rig_good(CHANGER, "1b 00 00 10 01 00"); /* it is closed: nothing happens */
    CU_ASSERT_EQUAL(rig_cdb(rig.b, CHANGER, TUR, NULL, 0, 0), SCSI_GOOD);
    rig_cdb(rig.a, CHANGER, "1b 00 04 00 00 00", NULL, 0, 0); /* a slot has no door */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
    rig_cdb(rig.a, CHANGER, "1b 00 00 10 02 00", NULL, 0, 0);
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_INVALID_FIELD_IN_CDB);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, CHANGER, "1e 00 00 00 01 00", NULL, 0, 0), SCSI_GOOD);
    rig_cdb(rig.a, CHANGER, "1b 00 00 10 00 00", NULL, 0, 0); /* another host prevents it */
    CHECK_SENSE(KEY_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
    CU_ASSERT_EQUAL(rig_cdb(rig.b, CHANGER, "1e 00 00 00 00 00", NULL, 0, 0), SCSI_GOOD);
    rig_good(CHANGER, "1b 00 00 10 00 00");
    rig_stop();
}

/* ---- pages ----------------------------------------------------------------------------------- */

static uint64_t log_parameter(const char *cdb, uint16_t wanted, unsigned offset)
{
    CU_ASSERT_EQUAL(rig_cdb(rig.a, CHANGER, cdb, NULL, 0, 4096), SCSI_GOOD);
    for (size_t at = 4; at + 4 <= answer.in_len; at += 4u + answer.in[at + 3]) {
        if (get_be16(answer.in + at) == wanted)
            return get_be32(answer.in + at + 4 + offset);
    }
    return UINT64_MAX;
}

#define STATISTICS "4d 00 54 00 00 00 00 10 00 00"
#define ELEMENTS   "4d 00 55 00 00 00 00 10 00 00"

static void test_log_pages(void)
{
    rig_start();
    CU_ASSERT_EQUAL(move(SLOT(0), SLOT(2)), SCSI_GOOD);
    CU_ASSERT_EQUAL(exchange(SLOT(2), SLOT(1), SLOT(2)), SCSI_GOOD);
    move(SLOT(3), SLOT(0)); /* fails */
    rig_good(CHANGER, "07 00 00 00 00 00");
    rig_good(CHANGER, "37 01 04 01 00 00 00 01 00 00");
    rig_good(CHANGER, "1b 00 00 10 00 00");
    CU_ASSERT_EQUAL(log_parameter(STATISTICS, 0x00, 0), 3);
    CU_ASSERT_EQUAL(log_parameter(STATISTICS, 0x05, 0), 3); /* labels read: 2, then 1 */
    CU_ASSERT_EQUAL(log_parameter(STATISTICS, 0x08, 0), 1);
    CU_ASSERT_EQUAL(log_parameter(STATISTICS, 0x09, 0), 2);
    CU_ASSERT_EQUAL(log_parameter(ELEMENTS, SLOT(2), 0), 2); /* places */
    CU_ASSERT_EQUAL(log_parameter(ELEMENTS, SLOT(2), 8), 1); /* picks */
    CU_ASSERT_EQUAL(log_parameter(ELEMENTS, SLOT(3), 0), 0);
    rig_cdb(rig.a, CHANGER, "4d 00 55 00 00 04 03 10 00 00", NULL, 0, 4096);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 4 + 24); /* from the last slot on */
    rig_good(CHANGER, "4c 02 14 00 00 00 00 00 00 00");
    CU_ASSERT_EQUAL(log_parameter(STATISTICS, 0x00, 0), 0);
    CU_ASSERT_EQUAL(log_parameter(ELEMENTS, SLOT(2), 0), 2);
    rig_stop();
}

static void test_extended_capabilities(void)
{
    rig_start();
    CU_ASSERT_EQUAL(rig_cdb(rig.a, CHANGER, "1a 00 1f 41 ff 00", NULL, 0, 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in_len, 4 + 20);
    CU_ASSERT_EQUAL(answer.in[4], 0x5f); /* SPF */
    CU_ASSERT_EQUAL(answer.in[5], 0x41);
    CU_ASSERT_EQUAL(get_be16(answer.in + 6), 16);
    CU_ASSERT_EQUAL(answer.in[4 + 5], 0x08); /* RSSEA */
    CU_ASSERT_EQUAL(answer.in[4 + 6], 0x02); /* LCKIE */
    CU_ASSERT_EQUAL(rig_cdb(rig.a, CHANGER, "1a 00 1f 00 ff 00", NULL, 0, 255), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[4 + 3], 0x03); /* VTRP, S2C */
    rig_stop();
}

/* ---- exceptions ------------------------------------------------------------------------------ */

static void test_missing_cartridge(void)
{
    char from[128], to[128];
    const uint8_t *d;

    rig_start();
    snprintf(from, sizeof(from), "%s/cartridges/RIG001L8", rig.root);
    snprintf(to, sizeof(to), "%s/elsewhere", rig.root);
    CU_ASSERT_EQUAL(rename(from, to), 0);
    rig_good(CHANGER, "07 00 00 00 00 00");
    status(0x12, 0, 0xffff, 0, 4096);
    d = descriptor(SLOT(1));
    CU_ASSERT_EQUAL(d[2], 0x0d); /* ACCESS, EXCEPT, FULL */
    CU_ASSERT_EQUAL(get_be16(d + 4), ASC_CARTRIDGE_DAMAGED);
    CU_ASSERT_EQUAL(move(SLOT(1), SLOT(3)), SCSI_GOOD);
    status(0x12, 0, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(descriptor(SLOT(3))[2], 0x0d);
    CU_ASSERT_EQUAL(descriptor(SLOT(1))[2], 0x08);
    CU_ASSERT_EQUAL(rename(to, from), 0);
    rig_good(CHANGER, "37 01 04 03 00 00 00 01 00 00");
    status(0x12, 0, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(descriptor(SLOT(3))[2], 0x09);
    rig_stop();
}

/* A drive that a host prevents gives nothing away. */
static void test_drive_access(void)
{
    rig_start();
    CU_ASSERT_EQUAL(rig_cdb(rig.b, DRIVE, "1e 00 00 00 01 00", NULL, 0, 0), SCSI_GOOD);
    status(0x04, 0, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(descriptor(DRIVE_AT(0))[2] & 0x08, 0);
    CU_ASSERT_EQUAL(descriptor(DRIVE_AT(1))[2] & 0x08, 0x08);
    rig_stop();
}

/* ---- the layer ------------------------------------------------------------------------------- */

static struct {
    bool jammed, unreadable;
    unsigned refuse; /* opcode that is refused on the changer */
} layer_state;

static bool layer_command(void *ctx, unsigned lun, const struct scsi_task *task,
                          struct scsi_failure *failure)
{
    (void)ctx;
    *failure = (struct scsi_failure){KEY_HARDWARE_ERROR, 0x4400, "planted"};
    return lun == CHANGER && layer_state.refuse && task->cdb[0] == layer_state.refuse;
}

static bool layer_move(void *ctx, uint16_t from, uint16_t to, const struct scsi_task *task,
                       struct scsi_failure *failure)
{
    (void)ctx;
    (void)from;
    (void)task;
    *failure = (struct scsi_failure){KEY_HARDWARE_ERROR, 0x1501, "planted"};
    return layer_state.jammed && to == SLOT(3);
}

static uint16_t layer_element(void *ctx, const struct library_element *e)
{
    (void)ctx;
    return layer_state.unreadable && e->full ? ASC_LABEL_UNREADABLE : 0;
}

static const struct scsi_layer layer = {
    .command = layer_command, .move = layer_move, .element = layer_element};

static void test_layer(void)
{
    rig_start();
    scsi_target_set_layer(rig.target, &layer);
    layer_state.jammed = true;
    move(SLOT(0), SLOT(3));
    CHECK_SENSE(KEY_HARDWARE_ERROR, 0x1501);
    exchange(SLOT(0), SLOT(1), SLOT(3));
    CHECK_SENSE(KEY_HARDWARE_ERROR, 0x1501);
    CHECK_FAILS(scsi_target_move(rig.target, SLOT(0), SLOT(3), &err), ERR_IO, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "planted"));
    layer_state.jammed = false;
    CU_ASSERT_EQUAL(move(SLOT(0), SLOT(3)), SCSI_GOOD); /* it lay where it was */
    layer_state.refuse = 0x1a;
    rig_cdb(rig.a, CHANGER, "1a 00 1f 00 ff 00", NULL, 0, 255);
    CHECK_SENSE(KEY_HARDWARE_ERROR, 0x4400);
    layer_state.refuse = 0;
    rig_good(CHANGER, TUR);
    layer_state.unreadable = true;
    status(0x12, 0, 0xffff, 0, 4096);
    CU_ASSERT_EQUAL(descriptor(SLOT(1))[2], 0x0d);
    CU_ASSERT_EQUAL(get_be16(descriptor(SLOT(1)) + 4), ASC_LABEL_UNREADABLE);
    CU_ASSERT_EQUAL(descriptor(SLOT(1))[12], 0); /* no tag */
    layer_state.unreadable = false;
    rig_stop();
}

static const struct check_test tests[] = {
    {"search", test_search},
    {"search_cursor", test_search_cursor},
    {"search_nexus", test_search_nexus},
    {"search_refused", test_search_refused},
    {"alternate_status", test_alternate_status},
    {"alternate_actions", test_alternate_actions},
    {"alternate_search", test_alternate_search},
    {"alternate_serial", test_alternate_serial},
    {"unknown", test_unknown},
    {"whole_descriptors", test_whole_descriptors},
    {"doors", test_doors},
    {"log_pages", test_log_pages},
    {"extended_capabilities", test_extended_capabilities},
    {"missing_cartridge", test_missing_cartridge},
    {"drive_access", test_drive_access},
    {"layer", test_layer},
};

CHECK_MAIN("changer_search", tests)
