/* SPDX-License-Identifier: Apache-2.0 */
/* scsi_rig.c - see scsi_rig.h. */
#include "tests/unit/scsi_rig.h"

#include <pthread.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/log.h"
#include "tests/unit/check.h"
#include "vtl/store/fault.h"

struct rig rig;
struct answer answer;

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool finished;
};

static void rig_done(struct scsi_task *task)
{
    struct waiting *w = task->transport;

    pthread_mutex_lock(&w->lock);
    w->finished = true;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->lock);
}

uint8_t rig_send(struct scsi_nexus *nexus, unsigned lun, const uint8_t *cdb, size_t cdb_len,
                 const void *out, size_t out_len, size_t in_size)
{
    static struct scsi_task task; /* large; one command at a time */
    struct waiting w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

    free(answer.in);
    answer.in = malloc(in_size ? in_size : 1);
    memset(answer.in, 0xee, in_size ? in_size : 1);
    memset(&task, 0, sizeof(task));
    task.nexus = nexus;
    task.lun[1] = (uint8_t)lun;
    memcpy(task.cdb, cdb, cdb_len);
    task.cdb_len = cdb_len;
    task.out = out;
    task.out_len = out_len;
    task.in = in_size ? answer.in : NULL;
    task.in_size = in_size;
    task.done = rig_done;
    task.transport = &w;
    scsi_target_submit(rig.target, &task);
    pthread_mutex_lock(&w.lock);
    while (!w.finished)
        pthread_cond_wait(&w.done, &w.lock);
    pthread_mutex_unlock(&w.lock);
    CU_ASSERT(task.in_len <= in_size);
    CU_ASSERT(task.in_len <= task.in_want);
    answer.status = task.status;
    memcpy(answer.sense, task.sense, sizeof(answer.sense));
    answer.sense_len = task.sense_len;
    answer.in_len = task.in_len;
    answer.in_want = task.in_want;
    answer.out_want = task.out_want;
    return task.status;
}

uint8_t rig_cdb(struct scsi_nexus *nexus, unsigned lun, const char *cdb_text, const void *out,
                size_t out_len, size_t in_size)
{
    uint8_t cdb[32];
    size_t len = 0;
    char *end;

    for (const char *p = cdb_text; *p && len < sizeof(cdb); p = end) {
        cdb[len++] = (uint8_t)strtoul(p, &end, 16);
        if (end == p)
            break;
        while (*end == ' ')
            end++;
    }
    return rig_send(nexus, lun, cdb, len, out, out_len, in_size);
}

void rig_good(unsigned lun, const char *cdb_text)
{
    uint8_t status = rig_cdb(rig.a, lun, cdb_text, NULL, 0, 0);

    if (status != SCSI_GOOD)
        printf("\n    %s: status %02x sense %x/%02x%02x", cdb_text, status, answer.sense[2] & 15,
               answer.sense[12], answer.sense[13]);
    CU_ASSERT_EQUAL(status, SCSI_GOOD);
}

/* ---- sense ----------------------------------------------------------------------------------- */

bool rig_sense_is(unsigned key, unsigned code)
{
    bool right = answer.status == SCSI_CHECK_CONDITION && answer.sense_len >= 18 &&
                 (answer.sense[0] & 0x7e) == 0x70 && (answer.sense[2] & 0x0fu) == key &&
                 get_be16(answer.sense + 12) == code;

    if (!right)
        printf("\n    expected %x/%04x, got status %02x, %x/%02x%02x", key, code, answer.status,
               answer.sense[2] & 15, answer.sense[12], answer.sense[13]);
    return right;
}

bool rig_info_is(bool valid, int64_t information)
{
    bool is_valid = answer.sense[0] & 0x80;
    bool right = is_valid == valid &&
                 (!valid || (int32_t)get_be32(answer.sense + 3) == (int32_t)information);

    if (!right)
        printf("\n    expected INFORMATION %lld, got %d (valid %d)", (long long)information,
               (int32_t)get_be32(answer.sense + 3), is_valid);
    return right;
}

bool rig_bits_are(bool filemark, bool eom, bool ili)
{
    return (answer.sense[2] & 0xe0) == (filemark << 7 | eom << 6 | ili << 5);
}

/* ---- a store that fails on command ------------------------------------------------------------
 */

_Atomic int rig_store_fault;

static int fault_layer(void *ctx, const char *barcode, struct store *store, struct store **out,
                       struct error *err)
{
    (void)ctx;
    (void)barcode;
    return fault_open_switched(store, &rig_store_fault, out, err);
}

/* ---- the library ----------------------------------------------------------------------------- */

static const struct library_geometry *rig_geometry(void)
{
    static struct library_geometry geometry;

    geometry = (struct library_geometry){2, rig.slots ? rig.slots : 4, 2, "CPRIG00001"};
    return &geometry;
}

void rig_cartridge(const char *barcode, uint16_t to, uint8_t density, bool worm, uint64_t capacity)
{
    struct error err = ERROR_INIT;
    struct cartridge_identity id;

    CHECK_OK(cartridge_identity_default(&id, barcode, density, &err), err);
    id.worm = worm;
    if (capacity) {
        id.capacity = capacity;
        id.early_warning = 1048576;
    }
    CHECK_OK(library_cartridge_create(rig.library, &id, to, &err), err);
}

static struct personality_set *personalities;

static void rig_models(struct scsi_models *models)
{
    struct error err = ERROR_INIT;

    memset(models, 0, sizeof(*models));
    CHECK_OK(personality_set_load(NULL, &personalities, &err), err);
    if (rig.model)
        CHECK_OK(
            personality_find(personalities, PERSONALITY_DRIVE, rig.model, &models->drives[0], &err),
            err);
    if (rig.library_model)
        CHECK_OK(personality_find(personalities, PERSONALITY_CHANGER, rig.library_model,
                                  &models->changer, &err),
                 err);
}

static void rig_layout(const struct personality *changer)
{
    struct library_layout layout = {.barcode_max = changer->barcode_length};

    for (unsigned type = ELEMENT_TRANSPORT; type <= ELEMENT_DRIVE; type++)
        layout.first[type] = changer->elements[type].first;
    library_set_layout(rig.library, &layout);
}

static void rig_open(void)
{
    struct error err = ERROR_INIT;
    struct scsi_models models;

    rig_models(&models);
    CHECK_OK(library_open(rig.root, rig_geometry(), &rig.library, &err), err);
    if (models.changer)
        rig_layout(models.changer);
    library_set_store_layer(rig.library, fault_layer, NULL);
    CHECK_OK(scsi_target_create(rig.library, &models, &rig.target, &err), err);
    scsi_target_set_compression(rig.target, rig.compression);
    if (rig.disk_mib)
        CHECK_OK(scsi_target_add_disk(rig.target, rig.disk_mib, &err), err);
    for (unsigned i = 1; i <= rig.ports; i++) {
        char name[64];

        snprintf(name, sizeof(name), "iqn.test:target,t,0x%04x", i);
        CHECK_OK(scsi_target_add_port(rig.target, (uint16_t)i, name, &err), err);
    }
    CHECK_OK(scsi_nexus_create(rig.target, "iqn.test:a,i,0x1", &rig.a, &err), err);
    CHECK_OK(scsi_nexus_create(rig.target, "iqn.test:b,i,0x1", &rig.b, &err), err);
}

static void rig_close(void)
{
    scsi_nexus_destroy(rig.a);
    scsi_nexus_destroy(rig.b);
    scsi_target_destroy(rig.target);
    library_close(rig.library);
    personality_set_free(personalities);
    free(answer.in);
    answer.in = NULL;
}

static void take_attentions(void)
{
    for (unsigned lun = 0; lun < scsi_target_lun_count(rig.target); lun++) {
        for (int i = 0; i < 3; i++) {
            rig_cdb(rig.a, lun, "00 00 00 00 00 00", NULL, 0, 0);
            rig_cdb(rig.b, lun, "00 00 00 00 00 00", NULL, 0, 0);
        }
    }
}

void rig_start(void)
{
    struct error err = ERROR_INIT;
    uint16_t slot;

    log_set_level(LOG_LEVEL_ERROR);
    /* Nothing here must survive a power cut: in memory, synchronising costs nothing. */
    strcpy(rig.root, "/dev/shm/capstan-scsi-XXXXXX");
    if (!mkdtemp(rig.root)) {
        strcpy(rig.root, "/tmp/capstan-scsi-XXXXXX");
        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(rig.root));
    }
    CHECK_OK(library_create(rig.root, rig_geometry(), &err), err);
    rig_open();
    slot = library_first(rig.library, ELEMENT_SLOT);
    rig_cartridge("RIG000L8", slot, 0x5e, false, 8 * 1048576);
    rig_cartridge("RIG001L8", (uint16_t)(slot + 1), 0x5e, false, 0);
    take_attentions();
}

void rig_restart(void)
{
    rig_close();
    rig_open();
    take_attentions();
}

void rig_stop(void)
{
    char command[128];

    rig_close();
    snprintf(command, sizeof(command), "rm -rf %s", rig.root);
    CU_ASSERT_EQUAL(system(command), 0);
}

void rig_load(unsigned slot)
{
    struct error err = ERROR_INIT;

    CHECK_OK(scsi_target_move(rig.target, (uint16_t)SLOT(slot), DRIVE_AT(0), &err), err);
    take_attentions();
}
