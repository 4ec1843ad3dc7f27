/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_cdb.c - hostile commands to a changer and two drives.
 *
 * An input is a sequence of commands:
 *   byte 0      bits 1..0 LUN (3: one that does not exist), bit 2 second nexus, bits 7..3 room for
 *               data-in in units of 33 bytes
 *   byte 1      length of the CDB, modulo 20
 *   bytes 2..3  length of data-out, little-endian, modulo 4096
 *   then the CDB and the data-out, as much of them as is left.
 *
 * Whatever comes: each task is done once with a legal status, sense data is well formed, data-in
 * keeps to its room, and at the end both cartridges are still in the library, in one place each.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/log.h"
#include "vtl/scsi/scsi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char root[64];
static struct library *library;
static struct scsi_target *target;
static struct scsi_nexus *nexus[2];

#define REQUIRE(what)                                                                              \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "fuzz_cdb: not true: %s\n", #what);                                    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* ---- set up once ----------------------------------------------------------------------------- */

static void make_cartridge(const char *barcode, uint16_t to)
{
    struct cartridge_identity id;

    REQUIRE(cartridge_identity_default(&id, barcode, 0x5e, NULL) == 0);
    id.capacity = 2 * 1048576; /* so that an endless run stays small */
    id.early_warning = 65536;
    id.limbo_bytes = 0;
    REQUIRE(library_cartridge_create(library, &id, to, NULL) == 0);
}

static void remove_library(void)
{
    char command[128];

    for (int i = 0; i < 2; i++)
        scsi_nexus_destroy(nexus[i]);
    scsi_target_destroy(target);
    library_close(library);
    snprintf(command, sizeof(command), "rm -rf %s", root);
    if (system(command) != 0)
        fprintf(stderr, "%s is left\n", root);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct library_geometry geometry = {2, 3, 1, "CPFUZZ0001"};

    (void)argc;
    (void)argv;
    log_set_level(LOG_LEVEL_ERROR);
    /* Nothing here needs to survive a power cut: memory, where there is such a file system. */
    snprintf(root, sizeof(root), "/dev/shm/capstan-fuzz-cdb-XXXXXX");
    if (!mkdtemp(root)) {
        snprintf(root, sizeof(root), "/tmp/capstan-fuzz-cdb-XXXXXX");
        REQUIRE(mkdtemp(root) != NULL);
    }
    REQUIRE(library_create(root, &geometry, NULL) == 0);
    REQUIRE(library_open(root, &geometry, &library, NULL) == 0);
    make_cartridge("FUZ000L8", LIBRARY_ADDRESS_DRIVE);
    make_cartridge("FUZ001L8", LIBRARY_ADDRESS_SLOT);
    REQUIRE(scsi_target_create(library, NULL, &target, NULL) == 0);
    REQUIRE(scsi_target_add_disk(target, 1, NULL) == 0);
    for (int i = 0; i < 2; i++)
        REQUIRE(scsi_nexus_create(target, i ? "iqn.fuzz,i,0x1" : "iqn.fuzz,i,0x0", &nexus[i],
                                  NULL) == 0);
    atexit(remove_library);
    return 0;
}

/* ---- one command ----------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done = PTHREAD_COND_INITIALIZER;
static unsigned finished;

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

static void run(struct scsi_nexus *from, unsigned lun, const uint8_t *cdb, size_t cdb_len,
                const uint8_t *out, size_t out_len, size_t in_size)
{
    static struct scsi_task task;

    memset(&task, 0, sizeof(task));
    task.nexus = from;
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
    free(task.in);
}

/* Take whatever persistent reservation there is, and clear it: a reset does not. */
static void clear_reservations(unsigned lun)
{
    static const uint8_t take[10] = {0x5f, 0x06, 0, 0, 0, 0, 0, 0, 24};
    static const uint8_t clear[10] = {0x5f, 0x03, 0, 0, 0, 0, 0, 0, 24};
    static const uint8_t new_key[24] = {[15] = 1}, key[24] = {[7] = 1};

    run(nexus[0], lun, take, 10, new_key, 24, 0);
    run(nexus[0], lun, clear, 10, key, 24, 0);
}

/* ---- one input ------------------------------------------------------------------------------- */

/* The same start for every input, as far as a host can bring it about: a cartridge in drive 0,
 * rewound, attentions taken, nothing reserved. */
static void start(void)
{
    static const uint8_t lun[8], tur[6], load[6] = {0x1b, 0, 0, 0, 1};
    struct library_element e;

    scsi_target_manage(target, nexus[0], SCSI_TMF_TARGET_RESET, lun, 0);
    REQUIRE(library_find(library, "FUZ000L8", &e, NULL) == 0);
    if (e.address != LIBRARY_ADDRESS_DRIVE) {
        if (library_element(library, LIBRARY_ADDRESS_DRIVE, &e, NULL) == 0 && e.full)
            scsi_target_move(target, LIBRARY_ADDRESS_DRIVE, LIBRARY_ADDRESS_SLOT + 2, NULL);
        REQUIRE(library_find(library, "FUZ000L8", &e, NULL) == 0);
        scsi_target_move(target, e.address, LIBRARY_ADDRESS_DRIVE, NULL);
    }
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned l = 0; l < scsi_target_lun_count(target); l++) {
            clear_reservations(l); /* the first time an attention may be in the way */
            run(nexus[0], l, tur, 6, NULL, 0, 0);
            run(nexus[1], l, tur, 6, NULL, 0, 0);
        }
    }
    run(nexus[0], 1, load, 6, NULL, 0, 0);
    run(nexus[0], 1, tur, 6, NULL, 0, 0);
    run(nexus[1], 1, tur, 6, NULL, 0, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct library_element e;
    size_t commands = 0;

    start();
    while (size >= 4 && commands++ < 64) {
        unsigned lun = data[0] & 3 /* 3: the disk */, which = data[0] >> 2 & 1;
        size_t in_size = (size_t)(data[0] >> 3) * 33, cdb_len = data[1] % 20;
        size_t out_len = get_le16(data + 2) % 4096;
        bool absent = lun == 3 && (data[3] & 0x80);

        data += 4;
        size -= 4;
        cdb_len = cdb_len < size ? cdb_len : size;
        out_len = out_len < size - cdb_len ? out_len : size - cdb_len;
        run(nexus[which], absent ? 77 : lun, data, cdb_len, data + cdb_len, out_len, in_size);
        data += cdb_len + out_len;
        size -= cdb_len + out_len;
    }
    REQUIRE(library_find(library, "FUZ000L8", &e, NULL) == 0);
    REQUIRE(library_find(library, "FUZ001L8", &e, NULL) == 0);
    return 0;
}
