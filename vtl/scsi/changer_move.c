/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changer_move.c - the robot: MOVE MEDIUM, EXCHANGE MEDIUM, and the operator's panel.
 *
 * A drive that is the source is unloaded first, which synchronises it; if its removal is prevented,
 * nothing moves.  The move itself is one transaction of the library.
 */
#include "vtl/scsi/changer.h"
#include "vtl/scsi/drive.h"

static struct scsi_lu *drive_at(struct scsi_target *target, uint16_t address)
{
    unsigned number = address - LIBRARY_ADDRESS_DRIVE;

    if (address < LIBRARY_ADDRESS_DRIVE || number >= library_geometry(target->library)->drives)
        return NULL;
    return &target->lus[number + 1];
}

/* Let go of the cartridge at address, if that is a drive; then `move` runs with the drive held
 * still, so no command of its host comes in between. */
static int with_drive_released(struct scsi_target *target, uint16_t address,
                               int (*move)(struct scsi_target *target, const uint16_t *ends,
                                           struct error *err),
                               const uint16_t *ends, struct error *err)
{
    struct scsi_lu *lu = drive_at(target, address);
    int rc;

    if (!lu)
        return move(target, ends, err);
    pthread_mutex_lock(&lu->device);
    drive_refresh(lu);
    if (lu_prevented(lu))
        rc = error_set(err, ERR_BUSY,
                       "A host prevents the removal of cartridge %s from drive %u; let it unload "
                       "the drive first",
                       lu->drive->barcode, lu->drive->number);
    else if (!drive_unload(lu, MEDIUM_EJECTED))
        rc = error_set(err, ERR_IO,
                       "Drive %u could not bring all written blocks to cartridge %s, and unloaded "
                       "it; see the log, and move it again if it shall go",
                       lu->drive->number, lu->drive->barcode);
    else
        rc = move(target, ends, err);
    drive_refresh(lu);
    pthread_mutex_lock(&lu->lock);
    lu->kind->publish(lu);
    pthread_mutex_unlock(&lu->lock);
    pthread_mutex_unlock(&lu->device);
    return rc;
}

static int check_ends(struct scsi_target *target, uint16_t from, uint16_t to, struct error *err)
{
    struct library_element source, destination;
    int rc;

    if ((rc = library_element(target->library, from, &source, err)) != 0 ||
        (rc = library_element(target->library, to, &destination, err)) != 0)
        return rc;
    if (destination.type == ELEMENT_TRANSPORT)
        return error_set(err, ERR_NOT_FOUND, "The robot's hand keeps no cartridge");
    if (!source.full)
        return error_set(err, ERR_STATE, "Element %u is empty", from);
    return 0;
}

static int move_two(struct scsi_target *target, const uint16_t *ends, struct error *err)
{
    return library_move(target->library, ends[0], ends[1], err);
}

uint64_t changer_import_export(struct scsi_target *target)
{
    uint64_t sum = 0;
    struct library_element e;

    for (unsigned i = 0; i < library_geometry(target->library)->import_export; i++) {
        if (library_element(target->library, (uint16_t)(LIBRARY_ADDRESS_IMPORT_EXPORT + i), &e,
                            NULL) == 0)
            sum += e.generation;
    }
    return sum;
}

/* Everything that can be refused is, before a drive is unloaded for it. */
int robot_move(struct scsi_target *target, uint16_t from, uint16_t to, struct error *err)
{
    const uint16_t ends[2] = {from, to};
    struct library_element destination;
    int rc = check_ends(target, from, to, err);

    if (rc == 0)
        rc = library_element(target->library, to, &destination, err);
    if (rc != 0)
        return rc;
    if (destination.full)
        return error_set(err, ERR_EXISTS, "Element %u is full: cartridge %s is in it", to,
                         destination.barcode);
    return with_drive_released(target, from, move_two, ends, err);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void move_result(struct scsi_lu *lu, struct scsi_task *task, int rc)
{
    static const struct {
        enum error_code error;
        enum sense_key key;
        uint16_t code;
    } map[] = {
        {ERR_NOT_FOUND, KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT},
        {ERR_STATE, KEY_ILLEGAL_REQUEST, ASC_SOURCE_EMPTY},
        {ERR_EXISTS, KEY_ILLEGAL_REQUEST, ASC_DESTINATION_FULL},
        {ERR_BUSY, KEY_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED},
        {ERR_IO, KEY_HARDWARE_ERROR, ASC_LOAD_FAILED},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(map); i++) {
        if (rc == -(int)map[i].error) {
            task_fail(lu, task, map[i].key, map[i].code);
            return;
        }
    }
    if (rc != 0)
        task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
}

/* Transport element address: ours, or 0 for "the default", which is the same. */
static bool good_transport(struct scsi_lu *lu, struct scsi_task *task)
{
    if (get_be16(task->cdb + 2) == LIBRARY_ADDRESS_TRANSPORT)
        return true;
    task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
    return false;
}

void cmd_move_medium(struct scsi_lu *lu, struct scsi_task *task)
{
    struct error err = ERROR_INIT;

    if (!good_transport(lu, task))
        return;
    move_result(lu, task,
                robot_move(lu->target, get_be16(task->cdb + 4), get_be16(task->cdb + 6), &err));
    lu->changer->import_export_seen = changer_import_export(lu->target);
}

static int exchange_three(struct scsi_target *target, const uint16_t *ends, struct error *err)
{
    return library_exchange(target->library, ends[0], ends[1], ends[2], err);
}

/* The source's drive is released inside the first destination's; drives are always locked in the
 * order of this chain, and only the changer, one command at a time, locks two. */
static int exchange_source_released(struct scsi_target *target, const uint16_t *ends,
                                    struct error *err)
{
    return with_drive_released(target, ends[0], exchange_three, ends, err);
}

static int exchange(struct scsi_target *target, const uint16_t *ends, struct error *err)
{
    struct library_element second;
    int rc;

    if ((rc = check_ends(target, ends[0], ends[1], err)) != 0 ||
        (rc = check_ends(target, ends[1], ends[2], err)) != 0 ||
        (rc = library_element(target->library, ends[2], &second, err)) != 0)
        return rc;
    if (ends[0] == ends[1] || ends[1] == ends[2] || (second.full && ends[2] != ends[0]))
        return error_set(err, ERR_EXISTS, "Element %u is full", ends[2]);
    return with_drive_released(target, ends[1], exchange_source_released, ends, err);
}

void cmd_exchange_medium(struct scsi_lu *lu, struct scsi_task *task)
{
    const uint16_t ends[3] = {get_be16(task->cdb + 4), get_be16(task->cdb + 6),
                              get_be16(task->cdb + 8)};
    struct error err = ERROR_INIT;

    if (!good_transport(lu, task))
        return;
    move_result(lu, task, exchange(lu->target, ends, &err));
    lu->changer->import_export_seen = changer_import_export(lu->target);
}

void cmd_position_to_element(struct scsi_lu *lu, struct scsi_task *task)
{
    struct library_element e;

    if (good_transport(lu, task) &&
        library_element(lu->target->library, get_be16(task->cdb + 4), &e, NULL) != 0)
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
}

/* The places are always known: nothing has to be looked at. */
void cmd_initialize_element_status(struct scsi_lu *lu, struct scsi_task *task)
{
    (void)lu;
    (void)task;
}

void cmd_initialize_range(struct scsi_lu *lu, struct scsi_task *task)
{
    struct library_element e;

    /* RANGE (of E7h) or a count (of 37h) makes the starting address matter. */
    if ((task->cdb[1] & 0x01) &&
        library_element(lu->target->library, get_be16(task->cdb + 2), &e, NULL) != 0)
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
}

/* ---- the operator ---------------------------------------------------------------------------- */

int scsi_target_move(struct scsi_target *target, uint16_t from, uint16_t to, struct error *err)
{
    struct scsi_lu *lu = &target->lus[0];
    int rc;

    pthread_mutex_lock(&lu->device);
    rc = robot_move(target, from, to, err);
    pthread_mutex_unlock(&lu->device);
    if (rc == 0)
        scsi_target_inventory_changed(target);
    return rc;
}

void scsi_target_inventory_changed(struct scsi_target *target)
{
    struct scsi_lu *lu = &target->lus[0];
    uint64_t now;
    bool accessed;

    pthread_mutex_lock(&lu->device);
    now = changer_import_export(target);
    accessed = now != lu->changer->import_export_seen;
    lu->changer->import_export_seen = now;
    pthread_mutex_unlock(&lu->device);
    attention_raise(lu, accessed ? ASC_IMPORT_EXPORT_ACCESSED : ASC_MEDIUM_CHANGED, NULL);
}
