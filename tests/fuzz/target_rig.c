/* SPDX-License-Identifier: Apache-2.0 */
/* target_rig.c - see target_rig.h. */
#include "tests/fuzz/target_rig.h"

#include <pthread.h>

#include "common/log.h"

static char root[64];
static struct library *library;
static struct scsi_target *target;
static struct scsi_nexus *nexuses[TARGET_NEXUSES];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done = PTHREAD_COND_INITIALIZER;
static unsigned finished;

struct library *target_library(void)
{
    return library;
}

const char *target_barcode(unsigned tape)
{
    static const char *const barcodes[TARGET_TAPES] = {"FUZ000L8", "FUZ001L8", "FUZ002L8"};

    return barcodes[tape];
}

/* ---- set up once ----------------------------------------------------------------------------- */

static uint16_t home(unsigned tape)
{
    return (uint16_t)(tape == 0 ? LIBRARY_ADDRESS_DRIVE : LIBRARY_ADDRESS_SLOT + tape - 1);
}

static void make_cartridge(unsigned tape)
{
    struct cartridge_identity id;

    REQUIRE(cartridge_identity_default(&id, target_barcode(tape), 0x5e, NULL) == 0);
    id.capacity = 2 * 1048576; /* so that an endless run stays small */
    id.early_warning = 65536;
    id.limbo_bytes = 0;
    REQUIRE(library_cartridge_create(library, &id, home(tape), NULL) == 0);
}

static void remove_library(void)
{
    char command[128];

    for (unsigned i = 0; i < TARGET_NEXUSES; i++)
        scsi_nexus_destroy(nexuses[i]);
    scsi_target_destroy(target);
    library_close(library);
    snprintf(command, sizeof(command), "rm -rf %s", root);
    if (system(command) != 0)
        fprintf(stderr, "%s is left\n", root);
}

void target_rig_start(void)
{
    static const struct library_geometry geometry = {2, TARGET_SLOTS, TARGET_IE, "CPFUZZ0001"};

    log_set_level(LOG_LEVEL_ERROR);
    /* Nothing here needs to survive a power cut: memory, where there is such a file system. */
    snprintf(root, sizeof(root), "/dev/shm/capstan-fuzz-XXXXXX");
    if (!mkdtemp(root)) {
        snprintf(root, sizeof(root), "/tmp/capstan-fuzz-XXXXXX");
        REQUIRE(mkdtemp(root) != NULL);
    }
    REQUIRE(library_create(root, &geometry, NULL) == 0);
    REQUIRE(library_open(root, &geometry, &library, NULL) == 0);
    for (unsigned t = 0; t < TARGET_TAPES; t++)
        make_cartridge(t);
    REQUIRE(scsi_target_create(library, NULL, &target, NULL) == 0);
    REQUIRE(scsi_target_add_disk(target, 1, NULL) == 0);
    for (unsigned i = 0; i < TARGET_NEXUSES; i++) {
        char name[32];

        snprintf(name, sizeof(name), "iqn.fuzz,i,0x%u", i);
        REQUIRE(scsi_nexus_create(target, name, &nexuses[i], NULL) == 0);
    }
    atexit(remove_library);
}

/* ---- one command ----------------------------------------------------------------------------- */

static void task_done(struct scsi_task *task)
{
    (void)task;
    pthread_mutex_lock(&lock);
    finished++;
    pthread_cond_signal(&done);
    pthread_mutex_unlock(&lock);
}

static void check_answer(const struct scsi_task *task)
{
    uint8_t response = task->sense[0] & 0x7f;

    REQUIRE(task->in_len <= task->in_size && task->in_len <= task->in_want);
    REQUIRE(task->status == SCSI_GOOD || task->status == SCSI_CHECK_CONDITION ||
            task->status == SCSI_RESERVATION_CONFLICT);
    if (task->status != SCSI_CHECK_CONDITION) {
        REQUIRE(task->sense_len == 0);
        return;
    }
    REQUIRE(response >= 0x70 && response <= 0x73);
    REQUIRE(task->sense_len >= 8 && task->sense_len == 8u + task->sense[7]);
}

static void take_answer(const struct scsi_task *task, struct target_answer *a)
{
    bool fixed = (task->sense[0] & 0x7f) < 0x72;

    memset(a, 0, sizeof(*a));
    a->status = task->status;
    a->in = task->in;
    a->in_len = task->in_len;
    if (task->sense_len == 0)
        return;
    a->key = task->sense[fixed ? 2 : 1] & 0x0f;
    a->code = get_be16(task->sense + (fixed ? 12 : 2));
}

const struct target_answer *target_run(unsigned nexus, unsigned lun, const uint8_t *cdb,
                                       size_t cdb_len, const uint8_t *out, size_t out_len,
                                       size_t in_size)
{
    static struct target_answer answer;
    static struct scsi_task task;

    free(answer.in);
    memset(&task, 0, sizeof(task));
    task.nexus = nexuses[nexus];
    task.lun[1] = (uint8_t)lun;
    memcpy(task.cdb, cdb, cdb_len);
    task.cdb_len = cdb_len;
    task.out = out;
    task.out_len = out_len;
    task.in = malloc(in_size ? in_size : 1);
    task.in_size = in_size;
    task.done = task_done;
    finished = 0;
    scsi_target_submit(target, &task);
    pthread_mutex_lock(&lock);
    while (!finished)
        pthread_cond_wait(&done, &lock);
    pthread_mutex_unlock(&lock);
    REQUIRE(finished == 1);
    check_answer(&task);
    take_answer(&task, &answer);
    return &answer;
}

/* ---- one input ------------------------------------------------------------------------------- */

void target_take_attentions(unsigned nexus, unsigned lun)
{
    static const uint8_t tur[6];

    const struct target_answer *a;
    unsigned taken = 0;

    do {
        a = target_run(nexus, lun, tur, 6, NULL, 0, 0);
        REQUIRE(taken++ < 16); /* they come to an end */
    } while (a->status == SCSI_CHECK_CONDITION && a->key == 6);
}

/* Take whatever persistent reservation there is, and clear it: a reset does not. */
static void clear_reservations(unsigned lun)
{
    static const uint8_t take[10] = {0x5f, 0x06, 0, 0, 0, 0, 0, 0, 24};
    static const uint8_t clear[10] = {0x5f, 0x03, 0, 0, 0, 0, 0, 0, 24};
    static const uint8_t new_key[24] = {[15] = 1}, key[24] = {[7] = 1};

    target_run(0, lun, take, 10, new_key, 24, 0);
    target_run(0, lun, clear, 10, key, 24, 0);
}

/* Bring tape home; what lies there goes to a free slot first. */
static void bring_home(unsigned tape)
{
    struct library_element e;

    REQUIRE(library_find(library, target_barcode(tape), &e, NULL) == 0);
    if (e.address == home(tape))
        return;
    REQUIRE(library_element(library, home(tape), &e, NULL) == 0);
    for (uint16_t s = 0; e.full && s < TARGET_SLOTS; s++)
        e.full = scsi_target_move(target, home(tape),
                                  (uint16_t)(LIBRARY_ADDRESS_SLOT + TARGET_SLOTS - 1 - s), NULL);
    REQUIRE(library_find(library, target_barcode(tape), &e, NULL) == 0);
    REQUIRE(scsi_target_move(target, e.address, home(tape), NULL) == 0);
}

/* A reset closes no door. */
static void close_doors(void)
{
    uint8_t close[6] = {0x1b, 0, 0, 0, 1};

    for (uint16_t e = 0; e < TARGET_IE; e++) {
        put_be16(close + 2, (uint16_t)(LIBRARY_ADDRESS_IMPORT_EXPORT + e));
        target_run(0, 0, close, 6, NULL, 0, 0);
    }
}

void target_rig_reset(void)
{
    static const uint8_t lun[8], load[6] = {0x1b, 0, 0, 0, 1};

    scsi_target_manage(target, nexuses[0], SCSI_TMF_TARGET_RESET, lun, 0);
    for (unsigned l = 0; l < TARGET_LUNS; l++) {
        target_take_attentions(0, l);
        clear_reservations(l);
    }
    close_doors();
    for (unsigned t = 0; t < TARGET_TAPES; t++)
        bring_home(t);
    for (unsigned n = 0; n < TARGET_NEXUSES; n++) {
        for (unsigned l = 0; l < TARGET_LUNS; l++)
            target_take_attentions(n, l);
    }
    target_run(0, 1, load, 6, NULL, 0, 0);
    for (unsigned n = 0; n < TARGET_NEXUSES; n++)
        target_take_attentions(n, 1);
}
