/* SPDX-License-Identifier: Apache-2.0 */
/* rig.c - see rig.h. */
#include "tests/oracle/rig.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define DRIVE_LUN 1

static const struct tape {
    const char *barcode;
    uint8_t density;
    bool worm;
    uint64_t capacity, early_warning;
} tapes[RIG_TAPES] = {
    [RIG_PLAIN] = {"PLAIN0L8", 0x5e, false, 1048576, 4096},
    [RIG_FULL] = {"FULL00L8", 0x5e, false, 8192, 2048},
    [RIG_LARGE] = {"LARGE0L8", 0x5e, false, 3000000, 4096},
    [RIG_PROTECTED] = {"TAB000L8", 0x5e, false, 1048576, 4096},
    [RIG_WORM] = {"WORM00LY", 0x5e, true, 1048576, 4096},
    [RIG_DIVIDED] = {"PARTS0L8", 0x5e, false, 65536, 4096},
};

static struct rig {
    char root[64];
    struct library *library;
    struct scsi_target *target;
    struct scsi_nexus *nexus[MODEL_NEXUSES];
    enum rig_tape loaded;
    struct rig_answer answer;
} rig;

static void require(int rc, const struct error *err, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "oracle: %s: %s\n", what, err->message);
    abort();
}

#define REQUIRE(call, err) require((call), &(err), #call)

void rig_tape_size(enum rig_tape tape, uint64_t *capacity, uint64_t *early_warning)
{
    *capacity = tapes[tape].capacity;
    *early_warning = tapes[tape].early_warning;
}

/* ---- tapes ----------------------------------------------------------------------------------- */

static uint16_t slot(enum rig_tape tape)
{
    return (uint16_t)(LIBRARY_ADDRESS_SLOT + tape);
}

static void identity(enum rig_tape tape, struct cartridge_identity *id)
{
    struct error err = ERROR_INIT;

    REQUIRE(cartridge_identity_default(id, tapes[tape].barcode, tapes[tape].density, &err), err);
    id->capacity = tapes[tape].capacity;
    id->early_warning = tapes[tape].early_warning;
    id->worm = tapes[tape].worm;
    id->limbo_bytes = 0; /* an endless run stays small */
}

static int delete_object(void *ctx, const char *object, uint64_t size)
{
    (void)size;
    return store_delete(ctx, object, NULL);
}

void rig_blank(enum rig_tape tape)
{
    struct error err = ERROR_INIT;
    struct cartridge_identity id;
    struct store *store;

    identity(tape, &id);
    REQUIRE(library_cartridge_store(rig.library, tapes[tape].barcode, &store, &err), err);
    REQUIRE(store_list(store, delete_object, store, &err), err);
    REQUIRE(cartridge_create(store, &id, &err), err);
    store_close(store);
}

static struct cartridge *open_tape(enum rig_tape tape, struct store **store)
{
    struct error err = ERROR_INIT;
    struct cartridge *c;

    REQUIRE(library_cartridge_store(rig.library, tapes[tape].barcode, store, &err), err);
    REQUIRE(cartridge_open(*store, CARTRIDGE_READ_WRITE, &c, &err), err);
    return c;
}

static void close_tape(struct cartridge *c, struct store *store)
{
    cartridge_close(c);
    store_close(store);
}

void rig_protect(enum rig_tape tape, bool on)
{
    struct error err = ERROR_INIT;
    struct store *store;
    struct cartridge *c = open_tape(tape, &store);

    REQUIRE(cartridge_set_protected(c, on, &err), err);
    close_tape(c, store);
}

void rig_divide(enum rig_tape tape, const uint64_t *capacities, unsigned count)
{
    struct error err = ERROR_INIT;
    struct store *store;
    struct cartridge *c = open_tape(tape, &store);

    REQUIRE(cartridge_format(c, capacities, count, &err), err);
    close_tape(c, store);
}

void rig_load(enum rig_tape tape)
{
    struct error err = ERROR_INIT;

    if (rig.loaded == tape)
        return;
    if (rig.loaded != RIG_TAPES)
        REQUIRE(scsi_target_move(rig.target, LIBRARY_ADDRESS_DRIVE, slot(rig.loaded), &err), err);
    if (tape != RIG_TAPES)
        REQUIRE(scsi_target_move(rig.target, slot(tape), LIBRARY_ADDRESS_DRIVE, &err), err);
    rig.loaded = tape;
}

/* ---- commands -------------------------------------------------------------------------------- */

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool finished;
};

static void task_done(struct scsi_task *task)
{
    struct waiting *w = task->transport;

    pthread_mutex_lock(&w->lock);
    w->finished = true;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->lock);
}

static void submit(struct scsi_task *task)
{
    struct waiting w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

    task->transport = &w;
    task->done = task_done;
    scsi_target_submit(rig.target, task);
    pthread_mutex_lock(&w.lock);
    while (!w.finished)
        pthread_cond_wait(&w.done, &w.lock);
    pthread_mutex_unlock(&w.lock);
}

const struct rig_answer *rig_run(const struct model_request *r, const uint8_t *out)
{
    static struct scsi_task task; /* large */
    static const uint8_t lun[8] = {0, DRIVE_LUN};
    struct rig_answer *a = &rig.answer;

    free(a->in);
    memset(a, 0, sizeof(*a));
    if (r->action == MODEL_LUN_RESET) {
        scsi_target_manage(rig.target, rig.nexus[r->nexus], SCSI_TMF_LUN_RESET, lun, 0);
        return a;
    }
    a->in = malloc(r->in_size ? r->in_size : 1);
    memset(&task, 0, sizeof(task));
    task.nexus = rig.nexus[r->nexus];
    memcpy(task.lun, lun, sizeof(lun));
    memcpy(task.cdb, r->cdb, r->cdb_len);
    task.cdb_len = r->cdb_len;
    task.out = out;
    task.out_len = r->out_len;
    task.in = a->in;
    task.in_size = r->in_size;
    submit(&task);
    a->status = task.status;
    memcpy(a->sense, task.sense, sizeof(a->sense));
    a->sense_len = task.sense_len;
    a->in_len = task.in_len;
    a->in_want = task.in_want;
    return a;
}

void rig_state(struct scsi_drive_state *state)
{
    struct error err = ERROR_INIT;

    do /* what goes on behind a status takes no time, but another thread may be at it */
        REQUIRE(scsi_target_drive_state(rig.target, 0, state, &err), err);
    while (state->busy);
}

/* ---- the library ----------------------------------------------------------------------------- */

void rig_start(void)
{
    static const struct library_geometry geometry = {1, RIG_TAPES, 1, "CPORACLE01"};
    struct error err = ERROR_INIT;

    log_set_level(LOG_LEVEL_ERROR);
    /* Nothing here must survive a power cut: in memory, synchronising costs nothing. */
    strcpy(rig.root, "/dev/shm/capstan-oracle-XXXXXX");
    if (!mkdtemp(rig.root)) {
        strcpy(rig.root, "/tmp/capstan-oracle-XXXXXX");
        if (!mkdtemp(rig.root))
            abort();
    }
    REQUIRE(library_create(rig.root, &geometry, &err), err);
    REQUIRE(library_open(rig.root, &geometry, &rig.library, &err), err);
    for (unsigned t = 0; t < RIG_TAPES; t++) {
        struct cartridge_identity id;

        identity(t, &id);
        REQUIRE(library_cartridge_create(rig.library, &id, slot(t), &err), err);
    }
    REQUIRE(scsi_target_create(rig.library, NULL, &rig.target, &err), err);
    /* The model counts native bytes as the host's. */
    scsi_target_set_compression(rig.target, CARTRIDGE_PLAIN);
    for (unsigned n = 0; n < MODEL_NEXUSES; n++)
        REQUIRE(
            scsi_nexus_create(rig.target, n ? "iqn.b,i,0x1" : "iqn.a,i,0x1", &rig.nexus[n], &err),
            err);
    rig.loaded = RIG_TAPES;
}

void rig_stop(void)
{
    char command[128];

    for (unsigned n = 0; n < MODEL_NEXUSES; n++)
        scsi_nexus_destroy(rig.nexus[n]);
    scsi_target_destroy(rig.target);
    library_close(rig.library);
    free(rig.answer.in);
    snprintf(command, sizeof(command), "rm -rf %s", rig.root);
    if (system(command) != 0)
        fprintf(stderr, "%s is left\n", rig.root);
    memset(&rig, 0, sizeof(rig));
}
