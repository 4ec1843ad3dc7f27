/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changer_move.c - the robot: MOVE MEDIUM, EXCHANGE MEDIUM, and the operator's panel.
 *
 * A drive that is the source is unloaded first, which synchronises it; if its removal is prevented,
 * nothing moves.  The move itself is one transaction of the library.
 */
#include "vtl/scsi/changer.h"
#include "common/clock.h"
#include "vtl/scsi/drive.h"

struct scsi_lu *changer_drive_at(struct scsi_target *target, uint16_t address)
{
    uint16_t first = library_first(target->library, ELEMENT_DRIVE);

    return address < first ? NULL : target_drive(target, (unsigned)(address - first));
}

/* ---- one job --------------------------------------------------------------------------------- */

/* Let go of the cartridge at address, if that is a drive; then `next` runs with the drive held
 * still, so no command of its host comes in between. */
static int with_drive_released(struct robot_job *job, uint16_t address,
                               int (*next)(struct robot_job *job, struct error *err),
                               struct error *err)
{
    struct scsi_lu *lu = changer_drive_at(job->target, address);
    int rc;

    if (!lu)
        return next(job, err);
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
        rc = next(job, err);
    drive_refresh(lu);
    pthread_mutex_lock(&lu->lock);
    lu->kind->publish(lu);
    pthread_mutex_unlock(&lu->lock);
    pthread_mutex_unlock(&lu->device);
    return rc;
}

static int check_end(struct robot_job *job, uint16_t address, struct library_element *e,
                     struct error *err)
{
    int rc = library_element(job->target->library, address, e, err);

    if (rc == 0 && changer_is_open(&job->target->lus[0], address)) {
        job->failure = (struct scsi_failure){KEY_NOT_READY, ASC_MANUAL_INTERVENTION, NULL};
        rc = error_set(err, ERR_BUSY, "The import/export element %u is open; close it first",
                       address);
    }
    return rc;
}

/* Everything that can be refused is, before a drive is unloaded for it. */
static int check_ends(struct robot_job *job, uint16_t from, uint16_t to,
                      struct library_element *destination, struct error *err)
{
    struct library_element source;
    int rc;

    if ((rc = check_end(job, from, &source, err)) != 0 ||
        (rc = check_end(job, to, destination, err)) != 0)
        return rc;
    if (destination->type == ELEMENT_TRANSPORT)
        return error_set(err, ERR_NOT_FOUND, "The robot's hand keeps no cartridge");
    if (destination->removed) {
        job->failure = (struct scsi_failure){KEY_ILLEGAL_REQUEST, ASC_DRIVE_REMOVED, NULL};
        return error_set(err, ERR_STATE, "There is no drive in element %u any more", to);
    }
    if (!source.full)
        return error_set(err, ERR_STATE, "Element %u is empty", from);
    return 0;
}

/* ---- what an operator sees of it ------------------------------------------------------------- */

static void robot_begin(struct robot_job *job)
{
    struct scsi_lu *lu = &job->target->lus[0];
    struct scsi_robot_state *r = &lu->changer->robot;

    pthread_mutex_lock(&lu->lock);
    r->moving = true;
    r->from = job->from;
    r->to = job->first;
    r->observed_ns = clock_real_ns();
    pthread_mutex_unlock(&lu->lock);
}

static int robot_end(struct robot_job *job, int rc)
{
    struct scsi_lu *lu = &job->target->lus[0];
    struct scsi_robot_state *r = &lu->changer->robot;

    pthread_mutex_lock(&lu->lock);
    r->moving = false;
    r->failed = rc != 0 && job->failure.key == KEY_HARDWARE_ERROR;
    r->moves = lu->changer->counters.moves;
    r->failures += r->failed;
    r->observed_ns = clock_real_ns();
    pthread_mutex_unlock(&lu->lock);
    return rc;
}

void scsi_target_robot_state(struct scsi_target *target, struct scsi_robot_state *out)
{
    struct scsi_lu *lu = &target->lus[0];

    pthread_mutex_lock(&lu->lock);
    *out = lu->changer->robot;
    pthread_mutex_unlock(&lu->lock);
}

/* A layer in front of the robot may have it fail. */
static int check_layer(struct robot_job *job, uint16_t from, uint16_t to, struct error *err)
{
    const struct scsi_layer *layer = job->target->layer;

    if (!layer || !layer->move || !layer->move(layer->ctx, from, to, job->task, &job->failure))
        return 0;
    return error_set(err, ERR_IO,
                     "The robot could not carry the cartridge from element %u to %u%s%s", from, to,
                     job->failure.why ? ": " : "", job->failure.why ? job->failure.why : "");
}

static void count_move(struct robot_job *job, uint16_t from, uint16_t to)
{
    struct changer *c = job->target->lus[0].changer;

    c->counters.moves++;
    c->counters.picks++;
    c->counters.places++;
    c->elements[from].picks++;
    c->elements[to].places++;
}

static int move_one(struct robot_job *job, struct error *err)
{
    int rc = library_move(job->target->library, job->from, job->first, err);

    if (rc == 0)
        count_move(job, job->from, job->first);
    return rc;
}

uint64_t changer_import_export(struct scsi_target *target)
{
    uint16_t first = library_first(target->library, ELEMENT_IMPORT_EXPORT);
    uint64_t sum = 0;
    struct library_element e;

    for (unsigned i = 0; i < library_geometry(target->library)->import_export; i++) {
        if (library_element(target->library, (uint16_t)(first + i), &e, NULL) == 0)
            sum += e.generation;
    }
    return sum;
}

int robot_move(struct robot_job *job, struct error *err)
{
    struct library_element destination;
    int rc = check_ends(job, job->from, job->first, &destination, err);

    if (rc != 0)
        return rc;
    if (destination.full)
        return error_set(err, ERR_EXISTS, "Element %u is full: cartridge %s is in it", job->first,
                         destination.barcode);
    robot_begin(job);
    rc = check_layer(job, job->from, job->first, err);
    if (rc == 0)
        rc = with_drive_released(job, job->from, move_one, err);
    return robot_end(job, rc);
}

/* ---- commands -------------------------------------------------------------------------------- */

static void move_result(struct scsi_lu *lu, struct scsi_task *task, const struct robot_job *job,
                        int rc)
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

    lu->changer->import_export_seen = changer_import_export(lu->target);
    if (rc == 0)
        return;
    if (job->failure.key) {
        task_fail(lu, task, job->failure.key, job->failure.code);
        lu->changer->counters.failures++;
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(map); i++) {
        if (rc == -(int)map[i].error) {
            task_fail(lu, task, map[i].key, map[i].code);
            return;
        }
    }
    task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
}

/* Transport element address: ours, or 0 for "the default", which is the same. */
static bool good_transport(struct scsi_lu *lu, struct scsi_task *task)
{
    uint16_t transport = get_be16(task->cdb + 2);

    if (transport == 0 || transport == library_first(lu->target->library, ELEMENT_TRANSPORT))
        return true;
    task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
    return false;
}

void cmd_move_medium(struct scsi_lu *lu, struct scsi_task *task)
{
    struct robot_job job = {lu->target, task, get_be16(task->cdb + 4), get_be16(task->cdb + 6),
                            0,          {0}};
    struct error err = ERROR_INIT;

    if (good_transport(lu, task))
        move_result(lu, task, &job, robot_move(&job, &err));
}

static int exchange_three(struct robot_job *job, struct error *err)
{
    int rc = library_exchange(job->target->library, job->from, job->first, job->second, err);

    if (rc == 0) {
        count_move(job, job->first, job->second);
        count_move(job, job->from, job->first);
    }
    return rc;
}

/* The source's drive is released inside the first destination's; drives are always locked in the
 * order of this chain, and only the changer, one command at a time, locks two. */
static int exchange_source_released(struct robot_job *job, struct error *err)
{
    return with_drive_released(job, job->from, exchange_three, err);
}

static int exchange(struct robot_job *job, struct error *err)
{
    struct library_element first, second;
    int rc;

    if ((rc = check_ends(job, job->from, job->first, &first, err)) != 0 ||
        (rc = check_ends(job, job->first, job->second, &second, err)) != 0)
        return rc;
    if (job->from == job->first || job->first == job->second ||
        (second.full && job->second != job->from))
        return error_set(err, ERR_EXISTS, "Element %u is full", job->second);
    robot_begin(job);
    if ((rc = check_layer(job, job->first, job->second, err)) == 0 &&
        (rc = check_layer(job, job->from, job->first, err)) == 0)
        rc = with_drive_released(job, job->first, exchange_source_released, err);
    return robot_end(job, rc);
}

void cmd_exchange_medium(struct scsi_lu *lu, struct scsi_task *task)
{
    struct robot_job job = {
        lu->target, task, get_be16(task->cdb + 4), get_be16(task->cdb + 6), get_be16(task->cdb + 8),
        {0}};
    struct error err = ERROR_INIT;

    if (good_transport(lu, task))
        move_result(lu, task, &job, exchange(&job, &err));
}

void cmd_position_to_element(struct scsi_lu *lu, struct scsi_task *task)
{
    struct library_element e;

    if (good_transport(lu, task) &&
        library_element(lu->target->library, get_be16(task->cdb + 4), &e, NULL) != 0)
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
}

/* ---- looking --------------------------------------------------------------------------------- */

/* The places are always known; what is looked at is whether the cartridges are really there. */
static void take_inventory(struct scsi_lu *lu, struct scsi_task *task, uint16_t first,
                           unsigned count)
{
    struct library_inventory seen;

    if (library_inventory(lu->target->library, first, count, &seen, NULL) != 0)
        task_fail(lu, task, KEY_HARDWARE_ERROR, ASC_INTERNAL_FAILURE);
    lu->changer->counters.inventories++;
    lu->changer->counters.tags_read += seen.seen;
    lu->changer->counters.tags_unreadable += seen.missing + seen.unknown;
}

void cmd_initialize_element_status(struct scsi_lu *lu, struct scsi_task *task)
{
    take_inventory(lu, task, 0, CHANGER_ADDRESSES);
}

/* Without RANGE the addresses have no meaning; a count of 0 is "all from there on" (SMC-3 6.5). */
void cmd_initialize_range(struct scsi_lu *lu, struct scsi_task *task)
{
    bool range = task->cdb[1] & 0x01;
    uint16_t first = range ? get_be16(task->cdb + 2) : 0;
    unsigned count = range ? get_be16(task->cdb + 6) : 0;
    struct library_element e;

    if (range && library_element(lu->target->library, first, &e, NULL) != 0)
        task_fail(lu, task, KEY_ILLEGAL_REQUEST, ASC_INVALID_ELEMENT);
    else
        take_inventory(lu, task, first, count ? count : CHANGER_ADDRESSES);
}

uint16_t changer_exception(struct scsi_lu *lu, const struct library_element *e)
{
    const struct scsi_layer *layer = lu->target->layer;

    if (e->removed)
        return ASC_DRIVE_REMOVED;
    if (e->missing)
        return ASC_CARTRIDGE_DAMAGED;
    if (e->evidence == EVIDENCE_RECORDED)
        return ASC_LABEL_UNREADABLE; /* nobody could look: it is not told as a fact */
    return layer && layer->element ? layer->element(layer->ctx, e) : 0;
}

/* ---- the operator ---------------------------------------------------------------------------- */

int scsi_target_move(struct scsi_target *target, uint16_t from, uint16_t to, struct error *err)
{
    struct scsi_lu *lu = &target->lus[0];
    struct robot_job job = {target, NULL, from, to, 0, {0}};
    int rc;

    pthread_mutex_lock(&lu->device);
    rc = robot_move(&job, err);
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
