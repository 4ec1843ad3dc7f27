/* SPDX-License-Identifier: Apache-2.0 */
/* changer.c - the medium changer as a kind of logical unit: its opcode table and what it is. */
#include "vtl/scsi/changer.h"

#include <stdlib.h>

#include "common/clock.h"
#include "vtl/scsi/vpd.h"

#define NO_SA NO_SERVICE_ACTION

enum { SHORT = 60, MOTION = 1800 };

/* clang-format off */
static const struct opcode changer_opcodes[] = {
    {0x00, NO_SA, 6, OP_PR_ANY, "TEST UNIT READY", {0}, SHORT, cmd_test_unit_ready},
    {0x03, NO_SA, 6, OP_ALWAYS, "REQUEST SENSE", {0x01, 0, 0, 0xff}, SHORT,
     cmd_request_sense},
    {0x07, NO_SA, 6, 0, "INITIALIZE ELEMENT STATUS", {0}, MOTION, cmd_initialize_element_status},
    {0x12, NO_SA, 6, OP_ALWAYS, "INQUIRY", {0x01, 0xff, 0xff, 0xff}, SHORT,
     cmd_inquiry},
    {0x15, NO_SA, 6, 0, "MODE SELECT(6)", {0x11, 0, 0, 0xff}, SHORT, cmd_mode_select},
    {0x1a, NO_SA, 6, OP_PR_READ, "MODE SENSE(6)", {0x08, 0xff, 0xff, 0xff}, SHORT, cmd_mode_sense},
    {0x1b, NO_SA, 6, 0, "OPEN/CLOSE IMPORT/EXPORT ELEMENT", {0, 0xff, 0xff, 0x1f}, MOTION,
     cmd_open_close},
    {0x1c, NO_SA, 6, OP_PR_READ, "RECEIVE DIAGNOSTIC RESULTS", {0x01, 0xff, 0xff, 0xff}, SHORT,
     cmd_receive_diagnostic},
    {0x1d, NO_SA, 6, 0, "SEND DIAGNOSTIC", {0xf7, 0, 0xff, 0xff}, MOTION, cmd_send_diagnostic},
    {0x1e, NO_SA, 6, OP_FREE, "PREVENT ALLOW MEDIUM REMOVAL", {0, 0, 0, 0x01}, SHORT,
     cmd_prevent_allow},
    {0x2b, NO_SA, 10, 0, "POSITION TO ELEMENT", {0, 0xff, 0xff, 0xff, 0xff}, MOTION,
     cmd_position_to_element},
    {0x37, NO_SA, 10, 0, "INITIALIZE ELEMENT STATUS WITH RANGE",
     {0x03, 0xff, 0xff, 0, 0, 0xff, 0xff}, MOTION, cmd_initialize_range},
    {0x3b, NO_SA, 10, 0, "WRITE BUFFER",
     {0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_write_buffer},
    {0x3c, NO_SA, 10, OP_SHARED | OP_PR_READ, "READ BUFFER(10)",
     {0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_read_buffer},
    {0x4c, NO_SA, 10, 0, "LOG SELECT", {0x03, 0xff, 0xff, 0, 0, 0, 0xff, 0xff}, SHORT,
     cmd_log_select},
    {0x4d, NO_SA, 10, OP_FREE, "LOG SENSE", {0x01, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff},
     SHORT, cmd_log_sense},
    {0x55, NO_SA, 10, 0, "MODE SELECT(10)", {0x11, 0, 0, 0, 0, 0, 0xff, 0xff}, SHORT,
     cmd_mode_select},
    {0x5a, NO_SA, 10, OP_PR_READ, "MODE SENSE(10)", {0x18, 0xff, 0xff, 0, 0, 0, 0xff, 0xff}, SHORT,
     cmd_mode_sense},
    {0xa0, NO_SA, 12, OP_ALWAYS, "REPORT LUNS",
     {0, 0xff, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_report_luns},
    {0xa3, 0x05, 12, OP_FREE, "REPORT IDENTIFYING INFORMATION",
     {0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xfe}, SHORT, cmd_report_identifier},
    {0xa3, 0x0c, 12, OP_SHARED | OP_PR_READ, "REPORT SUPPORTED OPERATION CODES",
     {0, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_report_opcodes},
    {0xa3, 0x0d, 12, OP_SHARED | OP_PR_READ, "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS",
     {0, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_report_tmfs},
    {0xa3, 0x0f, 12, OP_FREE, "REPORT TIMESTAMP",
     {0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT, cmd_report_timestamp},
    {0xa4, 0x06, 12, 0, "SET IDENTIFYING INFORMATION",
     {0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xfe}, SHORT, cmd_set_identifier},
    {0xa4, 0x0f, 12, 0, "SET TIMESTAMP", {0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, SHORT,
     cmd_set_timestamp},
    {0xa5, NO_SA, 12, 0, "MOVE MEDIUM", {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, MOTION,
     cmd_move_medium},
    {0xa6, NO_SA, 12, 0, "EXCHANGE MEDIUM",
     {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, MOTION, cmd_exchange_medium},
    {0xb1, NO_SA, 12, 0, "OPEN/CLOSE IMPORT/EXPORT ELEMENT (12)", {0, 0xff, 0xff, 0x1f}, MOTION,
     cmd_open_close},
    {0xb5, NO_SA, 12, 0, "REQUEST VOLUME ELEMENT ADDRESS",
     {0x1f, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff}, SHORT, cmd_request_volume_address},
    {0xb6, NO_SA, 12, 0, "SEND VOLUME TAG",
     {0x0f, 0xff, 0xff, 0, 0x1f, 0, 0, 0xff, 0xff}, SHORT, cmd_send_volume_tag},
    {0xb8, NO_SA, 12, OP_FREE, "READ ELEMENT STATUS",
     {0x1f, 0xff, 0xff, 0xff, 0xff, 0x03, 0xff, 0xff, 0xff}, SHORT, cmd_read_element_status},
    RESERVATION_OPCODES,
    {0xe7, NO_SA, 10, 0, "INITIALIZE ELEMENT STATUS WITH RANGE (vendor)",
     {0x03, 0xff, 0xff, 0, 0, 0xff, 0xff}, MOTION, cmd_initialize_range},
};
/* clang-format on */

static const struct log_page changer_log_pages[] = {
    {.code = 0x14, .build = log_changer_statistics},
    {.code = 0x15, .build = log_element_statistics, .fixed = true, .reset = log_element_reset},
    {.code = 0x2e, .build = log_tape_alert, .fixed = true, .reset = log_tape_alert_reset},
};

static const struct vpd_page changer_vpd_pages[] = {
    {0x00, vpd_supported}, {0x80, vpd_serial},   {0x83, vpd_identification},
    {0x85, vpd_addresses}, {0x86, vpd_extended}, {0x87, vpd_policy},
};

static void changer_forget(struct scsi_lu *lu, const struct scsi_nexus *nexus)
{
    changer_forget_search(lu->changer, nexus);
}

const struct lu_kind changer_kind = {
    .saves = true,
    .opcodes = changer_opcodes,
    .opcode_count = ARRAY_LENGTH(changer_opcodes),
    .mode_pages = changer_mode_pages,
    .mode_page_count = CHANGER_MODE_PAGES,
    .log_pages = changer_log_pages,
    .log_page_count = ARRAY_LENGTH(changer_log_pages),
    .vpd_pages = changer_vpd_pages,
    .vpd_page_count = ARRAY_LENGTH(changer_vpd_pages),
    .forget = changer_forget,
};

int changer_create(struct scsi_lu *lu, struct error *err)
{
    struct changer *c = calloc(1, sizeof(*c));

    if (c && !(c->elements = calloc(CHANGER_ADDRESSES, sizeof(*c->elements)))) {
        free(c);
        c = NULL;
    }
    if (!c)
        return error_set(err, ERR_NO_MEMORY, "There is no memory for the changer");
    lu->changer = c;
    c->import_export_seen = changer_import_export(lu->target);
    c->robot.observed_ns = clock_real_ns();
    for (unsigned i = 0; i < LIBRARY_IMPORT_EXPORT_MAX; i++)
        c->doors[i].since_ns = c->robot.observed_ns;
    return 0;
}

void changer_destroy(struct scsi_lu *lu)
{
    if (!lu->changer)
        return;
    changer_forget_search(lu->changer, NULL);
    free(lu->changer->elements);
    free(lu->changer);
    lu->changer = NULL;
}
