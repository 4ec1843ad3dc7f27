/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tape_session.c - the drive and the changer over real iSCSI against a device that follows a
 * script: attentions, busy, lost sessions, odd sense, hostile answers, CHAP.
 *
 * The device stands in for vtl/scsi (scsi.h) below the iSCSI server.  A script is a list of answers
 * for opcodes, each used once in its turn; what is not in it is GOOD.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/log.h"
#include "engine/tape/changer.h"
#include "engine/tape/tape.h"
#include "tests/unit/check.h"
#include "vtl/iscsi/iscsid.h"
#include "vtl/scsi/scsi.h"

#define TARGET "iqn.2026-11.test:script"

/* ---- the device --------------------------------------------------------------------------------
 */

enum { FM = 0x80, EOM = 0x40, ILI = 0x20 };
enum { HANG = 0xff };

struct answer {
    uint8_t opcode;
    uint8_t status; /* SCSI_*, or HANG: none until the nexus goes */
    uint8_t key, asc, ascq;
    bool deferred, has_information;
    int32_t information;
    const void *data;
    size_t len;
};

struct scsi_nexus {
    struct scsi_target *target;
};

struct scsi_target {
    pthread_mutex_t mutex;
    pthread_cond_t hung_cond;
    uint8_t type; /* peripheral device type */
    const struct answer *script;
    size_t length, next;
    unsigned seen[256]; /* commands by opcode */
    struct scsi_task *hung;
    uint8_t last_cdb[16];
};

static void set_sense(struct scsi_task *t, const struct answer *a)
{
    memset(t->sense, 0, 18);
    t->sense[0] = (uint8_t)(0x70 | (a->deferred ? 1 : 0) | (a->has_information ? 0x80 : 0));
    t->sense[2] = a->key;
    put_be32(t->sense + 3, (uint32_t)a->information);
    t->sense[7] = 10;
    t->sense[12] = a->asc;
    t->sense[13] = a->ascq;
    t->sense_len = 18;
}

static void give(struct scsi_task *t, const void *data, size_t len)
{
    t->in_want = len;
    t->in_len = len < t->in_size ? len : t->in_size;
    if (t->in_len)
        memcpy(t->in, data, t->in_len);
}

static void answer_good(struct scsi_target *target, struct scsi_task *t)
{
    uint8_t data[96] = {0};

    t->out_want = t->out_len;
    if (t->cdb[0] == 0x12 && !(t->cdb[1] & 1)) {
        data[0] = target->type;
        data[4] = 31;
        memcpy(data + 8, "TESTER  SCRIPTED DRIVE  0001", 28);
        give(t, data, 36);
    } else if (t->cdb[0] == 0x12) {
        memcpy(data, "\x01\x80\x00\x06SERIAL", 10);
        data[0] = target->type;
        give(t, data, 10);
    } else if (t->cdb[0] == 0x05) { /* READ BLOCK LIMITS: 1 MiB */
        data[1] = 0x10;
        give(t, data, 6);
    } else if (t->cdb[0] == 0x34) {
        give(t, data, 32);
    }
}

/* True if the task is to be left hanging. */
static bool answer(struct scsi_target *target, struct scsi_task *t)
{
    const struct answer *a = NULL;

    pthread_mutex_lock(&target->mutex);
    target->seen[t->cdb[0]]++;
    memcpy(target->last_cdb, t->cdb, sizeof(target->last_cdb));
    if (target->next < target->length && target->script[target->next].opcode == t->cdb[0])
        a = &target->script[target->next++];
    if (a && a->status == HANG) {
        target->hung = t;
        pthread_cond_broadcast(&target->hung_cond);
    }
    pthread_mutex_unlock(&target->mutex);
    t->status = SCSI_GOOD;
    if (!a) {
        answer_good(target, t);
        return false;
    }
    t->out_want = t->out_len;
    if (a->data)
        give(t, a->data, a->len);
    else if (a->status == SCSI_GOOD)
        answer_good(target, t);
    t->status = a->status;
    if (a->status == SCSI_CHECK_CONDITION)
        set_sense(t, a);
    return a->status == HANG;
}

void scsi_target_submit(struct scsi_target *target, struct scsi_task *task)
{
    if (!answer(target, task))
        task->done(task);
}

void scsi_target_run(struct scsi_target *target, struct scsi_task *task)
{
    scsi_target_submit(target, task);
}

int scsi_nexus_open(struct scsi_target *target, const struct scsi_nexus_options *options,
                    struct scsi_nexus **out, struct error *err)
{
    (void)options;
    *out = malloc(sizeof(**out));
    if (!*out)
        return error_set(err, ERR_NO_MEMORY, "no memory for a nexus");
    (*out)->target = target;
    return 0;
}

void scsi_nexus_destroy(struct scsi_nexus *nexus)
{
    struct scsi_target *target = nexus->target;
    struct scsi_task *hung;

    pthread_mutex_lock(&target->mutex);
    hung = target->hung;
    target->hung = NULL;
    pthread_mutex_unlock(&target->mutex);
    if (hung) {
        hung->status = SCSI_TASK_ABORTED;
        hung->done(hung);
    }
    free(nexus);
}

enum scsi_tmf_result scsi_target_manage(struct scsi_target *target, struct scsi_nexus *nexus,
                                        enum scsi_tmf function, const uint8_t lun[8], uint64_t tag)
{
    (void)target;
    (void)nexus;
    (void)function;
    (void)lun;
    (void)tag;
    return SCSI_TMF_NO_TASK;
}

void scsi_nexus_set_view(struct scsi_nexus *nexus, const struct scsi_view *view)
{
    (void)nexus;
    (void)view;
}

bool scsi_nexus_sees_all(const struct scsi_nexus *nexus)
{
    (void)nexus;
    return true;
}

int scsi_target_add_port(struct scsi_target *target, uint16_t id, const char *name,
                         struct error *err)
{
    (void)target;
    (void)id;
    (void)name;
    (void)err;
    return 0;
}

size_t scsi_nexus_transfer_bound(const struct scsi_nexus *nexus, const uint8_t lun[8],
                                 const uint8_t *cdb, size_t cdb_len)
{
    (void)nexus;
    (void)lun;
    (void)cdb;
    (void)cdb_len;
    return 16u * 1024 * 1024;
}

/* ---- a rig for each test -----------------------------------------------------------------------
 */

struct rig {
    struct scsi_target device;
    struct iscsid *server;
    struct tape *tape;
    char url[128];
};

static void rig_serve(struct rig *rig, uint8_t type, const struct iscsid_chap *chap,
                      uint32_t nop_interval)
{
    struct iscsid_options options = {.target_name = TARGET,
                                     .portals = {"127.0.0.1:0"},
                                     .portal_count = 1,
                                     .nop_interval_s = nop_interval};
    struct error err = ERROR_INIT;

    memset(rig, 0, sizeof(*rig));
    rig->device.type = type;
    log_set_level(LOG_LEVEL_ERROR);
    pthread_mutex_init(&rig->device.mutex, NULL);
    pthread_cond_init(&rig->device.hung_cond, NULL);
    if (chap)
        options.chap = *chap;
    CHECK_OK(iscsid_create(&rig->device, &options, &rig->server, &err), err);
    CHECK_OK(iscsid_start(rig->server, &err), err);
    snprintf(rig->url, sizeof(rig->url), "iscsi://%s/%s/1", iscsid_portal(rig->server, 0), TARGET);
}

static void rig_script(struct rig *rig, const struct answer *script, size_t length)
{
    pthread_mutex_lock(&rig->device.mutex);
    rig->device.script = script;
    rig->device.length = length;
    rig->device.next = 0;
    memset(rig->device.seen, 0, sizeof(rig->device.seen));
    pthread_mutex_unlock(&rig->device.mutex);
}

#define SCRIPT(rig, ...)                                                                           \
    static const struct answer script_[] = {__VA_ARGS__};                                          \
    rig_script((rig), script_, sizeof(script_) / sizeof(script_[0]))

static void rig_open(struct rig *rig)
{
    struct error err = ERROR_INIT;

    rig_serve(rig, 1, NULL, 0);
    CHECK_OK(tape_open(rig->url, TAPE_WRITE, NULL, &rig->tape, &err), err);
}

static void rig_close(struct rig *rig)
{
    tape_close(rig->tape);
    if (rig->server) {
        iscsid_stop(rig->server, 100);
        iscsid_destroy(rig->server);
    }
    pthread_mutex_destroy(&rig->device.mutex);
    pthread_cond_destroy(&rig->device.hung_cond);
}

/* The whole script has been followed. */
static void expect_played(struct rig *rig)
{
    CU_ASSERT_EQUAL(rig->device.next, rig->device.length);
}

/* ---- opening -----------------------------------------------------------------------------------
 */

static void test_open(void)
{
    static const struct answer powered_on[] = {
        {0x00, SCSI_CHECK_CONDITION, 6, 0x29, 0x00, false, false, 0, NULL, 0},
        {0x00, SCSI_CHECK_CONDITION, 6, 0x28, 0x00, false, false, 0, NULL, 0},
        {0x00, SCSI_CHECK_CONDITION, 2, 0x04, 0x01, false, false, 0, NULL, 0},
        {0x00, SCSI_BUSY, 0, 0, 0, false, false, 0, NULL, 0},
    };
    struct tape_info info;
    struct error err = ERROR_INIT;
    struct rig rig;

    rig_serve(&rig, 1, NULL, 0);
    rig_script(&rig, powered_on, 4);
    CHECK_OK(tape_open(rig.url, TAPE_READ, NULL, &rig.tape, &err), err);
    expect_played(&rig);
    CHECK_OK(tape_get_info(rig.tape, &info, &err), err);
    CU_ASSERT_STRING_EQUAL(info.product, "TESTER SCRIPTED DRIVE");
    CU_ASSERT_STRING_EQUAL(info.serial, "SERIAL");
    CU_ASSERT_STRING_EQUAL(info.barcode, "");
    CU_ASSERT_EQUAL(info.block_max, 1024 * 1024);
    rig_close(&rig);
}

static void test_open_refused(void)
{
    struct error err = ERROR_INIT;
    struct changer *changer;
    struct tape *t;
    struct rig rig;
    char url[200];

    rig_serve(&rig, 8, NULL, 0);
    CHECK_FAILS(tape_open(rig.url, TAPE_READ, NULL, &t, &err), ERR_UNSUPPORTED, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "not a tape drive"));
    CHECK_OK(changer_open(rig.url, NULL, &changer, &err), err);
    changer_close(changer);
    rig.device.type = 0x7f; /* qualifier 3: there is no such LUN */
    CHECK_FAILS(tape_open(rig.url, TAPE_READ, NULL, &t, &err), ERR_NOT_FOUND, err);
    rig.device.type = 1;
    CHECK_FAILS(changer_open(rig.url, NULL, &changer, &err), ERR_UNSUPPORTED, err);
    CHECK_FAILS(changer_open("file:x", NULL, &changer, &err), ERR_USAGE, err);
    snprintf(url, sizeof(url), "iscsi://%s/iqn.2026-11.test:nobody/1",
             iscsid_portal(rig.server, 0));
    CHECK_FAILS(tape_open(url, TAPE_READ, NULL, &t, &err), ERR_NOT_FOUND, err);
    snprintf(url, sizeof(url), "%s", rig.url);
    rig_close(&rig); /* nobody serves there any more */
    CHECK_FAILS(tape_open(url, TAPE_READ, NULL, &t, &err), ERR_CLOSED, err);
}

static void test_no_medium(void)
{
    struct error err = ERROR_INIT;
    struct rig rig;

    rig_serve(&rig, 1, NULL, 0);
    {
        SCRIPT(&rig, {.opcode = 0x00, .status = SCSI_CHECK_CONDITION, .key = 2, .asc = 0x3a});
        CHECK_OK(tape_open(rig.url, TAPE_WRITE, NULL, &rig.tape, &err), err);
    }
    { /* ready at once */
        SCRIPT(&rig, {.opcode = 0x00, .status = SCSI_CHECK_CONDITION, .key = 6, .asc = 0x28});
        CHECK_OK(tape_load(rig.tape, &err), err);
        CU_ASSERT_EQUAL(rig.device.seen[0x1b], 0);
    }
    { /* it lies in the drive and must be loaded */
        SCRIPT(&rig,
               {.opcode = 0x00, .status = SCSI_CHECK_CONDITION, .key = 2, .asc = 4, .ascq = 2},
               {.opcode = 0x1b, .status = SCSI_GOOD},
               {.opcode = 0x00, .status = SCSI_CHECK_CONDITION, .key = 2, .asc = 4, .ascq = 1},
               {.opcode = 0x00, .status = SCSI_CHECK_CONDITION, .key = 6, .asc = 0x28},
               {.opcode = 0x00, .status = SCSI_GOOD});
        CHECK_OK(tape_load(rig.tape, &err), err);
        expect_played(&rig);
    }
    { /* there is none */
        SCRIPT(&rig, {.opcode = 0x00, .status = SCSI_CHECK_CONDITION, .key = 2, .asc = 0x3a},
               {.opcode = 0x1b, .status = SCSI_CHECK_CONDITION, .key = 2, .asc = 0x3a});
        CHECK_FAILS(tape_load(rig.tape, &err), ERR_NO_MEDIUM, err);
    }
    rig_close(&rig);
}

static void test_chap(void)
{
    static const struct iscsid_chap one_way = {.user = "joe", .secret = "a long secret 1"};
    static const struct iscsid_chap mutual = {.user = "joe",
                                              .secret = "a long secret 1",
                                              .mutual_user = "target",
                                              .mutual_secret = "another secret 2"};
    static const struct {
        const struct iscsid_chap *chap;
        struct tape_login login;
        enum error_code code;
    } cases[] = {
        {&one_way, {.user = "joe", .secret = "a long secret 1"}, ERR_NONE},
        {&one_way, {.user = "joe", .secret = "a wrong secret 1"}, ERR_AUTH},
        {&one_way, {.user = "jim", .secret = "a long secret 1"}, ERR_AUTH},
        {&one_way, {.user = NULL}, ERR_AUTH},
        {&mutual,
         {.user = "joe",
          .secret = "a long secret 1",
          .mutual_user = "target",
          .mutual_secret = "another secret 2"},
         ERR_NONE},
        {&mutual,
         {.user = "joe",
          .secret = "a long secret 1",
          .mutual_user = "target",
          .mutual_secret = "not that secret"},
         ERR_AUTH},
        {NULL, {.header_digest = true}, ERR_NONE},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = ERROR_INIT;
        struct rig rig;
        int rc;

        rig_serve(&rig, 1, cases[i].chap, 0);
        rc = tape_open(rig.url, TAPE_READ, &cases[i].login, &rig.tape, &err);
        if (rc != -(int)cases[i].code)
            printf("\n    case %zu: %d %s", i, rc, err.message);
        CU_ASSERT_EQUAL(rc, -(int)cases[i].code);
        if (rc)
            rig.tape = NULL;
        else
            CHECK_OK(tape_rewind(rig.tape, &err), err);
        rig_close(&rig);
    }
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static uint8_t block[256 * 1024];

static void test_write(void)
{
    struct error err = ERROR_INIT;
    struct rig rig;
    bool early;

    rig_open(&rig);
    CHECK_OK(tape_write(rig.tape, block, sizeof(block), &early, &err), err);
    CU_ASSERT_FALSE(early);
    CU_ASSERT_EQUAL(get_be24(rig.device.last_cdb + 2), sizeof(block));
    CU_ASSERT_EQUAL(rig.device.last_cdb[1], 0);
    {
        SCRIPT(&rig, {.opcode = 0x0a, .status = SCSI_CHECK_CONDITION, .key = EOM, .ascq = 2},
               {.opcode = 0x0a, .status = SCSI_CHECK_CONDITION, .key = EOM | 13, .ascq = 2});
        CHECK_OK(tape_write(rig.tape, block, 4096, &early, &err), err);
        CU_ASSERT_TRUE(early);
        CHECK_FAILS(tape_write(rig.tape, block, 4096, &early, &err), ERR_END_OF_TAPE, err);
        CU_ASSERT_FALSE(early);
    }
    {
        SCRIPT(&rig, {.opcode = 0x0a, .status = SCSI_CHECK_CONDITION, .key = 3, .asc = 0x0c},
               {.opcode = 0x0a, .status = SCSI_CHECK_CONDITION, .key = 7, .asc = 0x27},
               {.opcode = 0x0a, .status = SCSI_RESERVATION_CONFLICT},
               {.opcode = 0x0a, .status = 0x77});
        CHECK_FAILS(tape_write(rig.tape, block, 4096, NULL, &err), ERR_IO, err);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "write: MEDIUM ERROR, write error"));
        CHECK_FAILS(tape_write(rig.tape, block, 4096, NULL, &err), ERR_PROTECTED, err);
        CHECK_FAILS(tape_write(rig.tape, block, 4096, NULL, &err), ERR_BUSY, err);
    }
    { /* what was in the buffer is lost */
        SCRIPT(&rig, {.opcode = 0x10,
                      .status = SCSI_CHECK_CONDITION,
                      .key = EOM | 13,
                      .ascq = 2,
                      .deferred = true});
        CHECK_FAILS(tape_write_filemarks(rig.tape, 1, &err), ERR_IO, err);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "earlier write failed"));
    }
    CHECK_FAILS(tape_write(rig.tape, block, 0x1000000, NULL, &err), ERR_RANGE, err);
    rig_close(&rig);
}

/* The drive was reset: nothing is written until the position has been chosen anew. */
static void test_position_lost(void)
{
    static const uint8_t attentions[] = {0x28, 0x29, 0x2f};

    for (size_t i = 0; i < sizeof(attentions); i++) {
        struct answer script[] = {
            {.opcode = 0x0a, .status = SCSI_CHECK_CONDITION, .key = 6, .asc = attentions[i]}};
        struct tape_position pos;
        struct error err = ERROR_INIT;
        struct tape_info info;
        struct rig rig;
        size_t got;

        rig_open(&rig);
        rig_script(&rig, script, 1);
        CHECK_FAILS(tape_write(rig.tape, block, 4096, NULL, &err), ERR_STATE, err);
        CHECK_FAILS(tape_write(rig.tape, block, 4096, NULL, &err), ERR_STATE, err);
        CHECK_FAILS(tape_write_filemarks(rig.tape, 1, &err), ERR_STATE, err);
        CHECK_FAILS(tape_read(rig.tape, block, 4096, &got, &err), ERR_STATE, err);
        CHECK_FAILS(tape_tell(rig.tape, &pos, &err), ERR_STATE, err);
        CHECK_FAILS(tape_space_filemarks(rig.tape, 1, &err), ERR_STATE, err);
        CHECK_OK(tape_get_info(rig.tape, &info, &err), err);
        CHECK_FAILS(tape_write(rig.tape, block, 4096, NULL, &err), ERR_STATE, err);
        CU_ASSERT_EQUAL(rig.device.seen[0x0a], 1); /* the others never reached the drive */
        CU_ASSERT_EQUAL(rig.device.seen[0x10], 0);
        CHECK_OK(tape_locate(rig.tape, 7, &err), err);
        CHECK_OK(tape_write(rig.tape, block, 4096, NULL, &err), err);
        rig_close(&rig);
    }
}

/* Attentions that change nothing for us, and commands that choose the position themselves. */
static void test_attentions_passed_over(void)
{
    struct error err = ERROR_INIT;
    struct rig rig;

    rig_open(&rig);
    {
        SCRIPT(&rig,
               {.opcode = 0x0a, .status = SCSI_CHECK_CONDITION, .key = 6, .asc = 0x2a, .ascq = 1},
               {.opcode = 0x0a, .status = SCSI_CHECK_CONDITION, .key = 6, .asc = 0x3f, .ascq = 14},
               {.opcode = 0x0a, .status = SCSI_CHECK_CONDITION, .key = 1, .deferred = true},
               {.opcode = 0x0a, .status = SCSI_BUSY}, {.opcode = 0x0a, .status = SCSI_GOOD},
               {.opcode = 0x01, .status = SCSI_CHECK_CONDITION, .key = 6, .asc = 0x29},
               {.opcode = 0x01, .status = SCSI_TASK_SET_FULL},
               {.opcode = 0x01, .status = SCSI_GOOD});
        CHECK_OK(tape_write(rig.tape, block, 4096, NULL, &err), err);
        CHECK_OK(tape_rewind(rig.tape, &err), err);
        expect_played(&rig);
        CHECK_OK(tape_write(rig.tape, block, 4096, NULL, &err), err);
    }
    { /* a device that never has enough of it */
        static struct answer endless[40];

        for (size_t i = 0; i < 40; i++)
            endless[i] = (struct answer){
                .opcode = 0x01, .status = SCSI_CHECK_CONDITION, .key = 6, .asc = 0x29};
        rig_script(&rig, endless, 40);
        CHECK_FAILS(tape_rewind(rig.tape, &err), ERR_STATE, err);
    }
    rig_close(&rig);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static void test_read(void)
{
    struct error err = ERROR_INIT;
    struct rig rig;
    size_t got;

    rig_open(&rig);
    {
        static const char data[] = "0123456789";
        SCRIPT(&rig,
               {.opcode = 0x08,
                .status = SCSI_CHECK_CONDITION,
                .key = ILI,
                .has_information = true,
                .information = 4086,
                .data = data,
                .len = 10},
               {.opcode = 0x08,
                .status = SCSI_CHECK_CONDITION,
                .key = ILI,
                .has_information = true,
                .information = -100},
               {.opcode = 0x08,
                .status = SCSI_CHECK_CONDITION,
                .key = ILI,
                .has_information = true,
                .information = 5000},
               {.opcode = 0x08, .status = SCSI_CHECK_CONDITION, .key = ILI},
               {.opcode = 0x08, .status = SCSI_CHECK_CONDITION, .key = FM, .ascq = 1},
               {.opcode = 0x08, .status = SCSI_CHECK_CONDITION, .key = 8, .ascq = 5},
               {.opcode = 0x08, .status = SCSI_CHECK_CONDITION, .key = 3, .asc = 0x11},
               {.opcode = 0x08, .status = SCSI_GOOD, .data = data, .len = 10},
               {.opcode = 0x08, .status = SCSI_CHECK_CONDITION}); /* key 0, sense valid */
        CHECK_OK(tape_read(rig.tape, block, 4096, &got, &err), err);
        CU_ASSERT_EQUAL(got, 10);
        CU_ASSERT_EQUAL(memcmp(block, "0123456789", 10), 0);
        CHECK_FAILS(tape_read(rig.tape, block, 4096, &got, &err), ERR_LENGTH, err);
        CHECK_FAILS(tape_read(rig.tape, block, 4096, &got, &err), ERR_PROTOCOL, err);
        CHECK_FAILS(tape_read(rig.tape, block, 4096, &got, &err), ERR_PROTOCOL, err);
        CHECK_FAILS(tape_read(rig.tape, block, 4096, &got, &err), ERR_FILEMARK, err);
        CHECK_FAILS(tape_read(rig.tape, block, 4096, &got, &err), ERR_END_OF_DATA, err);
        CHECK_FAILS(tape_read(rig.tape, block, 4096, &got, &err), ERR_IO, err);
        CHECK_OK(tape_read(rig.tape, block, 4096, &got, &err), err);
        CU_ASSERT_EQUAL(got, 10); /* by the residual alone */
        CHECK_OK(tape_read(rig.tape, block, 4096, &got, &err), err);
        expect_played(&rig);
    }
    rig_close(&rig);
}

static void test_positions(void)
{
    static const uint8_t unknown[32] = {0x04};
    static const uint8_t here[32] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
                                     0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3};
    static const uint8_t no_file[32] = {0x88};
    static const uint8_t here_short[20] = {0, 0, 0, 0, 0, 0, 1, 4};
    struct tape_position pos;
    struct error err = ERROR_INIT;
    struct rig rig;

    rig_open(&rig);
    {
        SCRIPT(&rig, {.opcode = 0x34, .data = here, .len = 32},
               {.opcode = 0x34, .data = no_file, .len = 32},
               {.opcode = 0x34, .data = unknown, .len = 32},
               {.opcode = 0x34, .data = here, .len = 8},
               {.opcode = 0x34, .status = SCSI_CHECK_CONDITION, .key = 5, .asc = 0x24},
               {.opcode = 0x34, .data = here_short, .len = 20},
               {.opcode = 0x34, .data = here_short, .len = 4});
        CHECK_OK(tape_tell(rig.tape, &pos, &err), err);
        CU_ASSERT_EQUAL(pos.block, 0x100000002u);
        CU_ASSERT_EQUAL(pos.file, 3);
        CU_ASSERT_FALSE(pos.begin);
        CHECK_OK(tape_tell(rig.tape, &pos, &err), err);
        CU_ASSERT_TRUE(pos.begin);
        CU_ASSERT_EQUAL(pos.file, UINT64_MAX);
        CHECK_FAILS(tape_tell(rig.tape, &pos, &err), ERR_STATE, err);
        CHECK_FAILS(tape_tell(rig.tape, &pos, &err), ERR_PROTOCOL, err);
        CHECK_OK(tape_tell(rig.tape, &pos, &err), err); /* a drive with the short form only */
        CU_ASSERT_EQUAL(pos.block, 260);
        CU_ASSERT_EQUAL(pos.file, UINT64_MAX);
        CHECK_FAILS(tape_tell(rig.tape, &pos, &err), ERR_PROTOCOL, err);
        expect_played(&rig);
    }
    {
        SCRIPT(&rig, {.opcode = 0x11, .status = SCSI_CHECK_CONDITION, .key = EOM, .ascq = 4},
               {.opcode = 0x11, .status = SCSI_CHECK_CONDITION, .key = 8, .ascq = 5},
               {.opcode = 0x2b, .status = SCSI_CHECK_CONDITION, .key = 8, .ascq = 5});
        CHECK_FAILS(tape_space_filemarks(rig.tape, -3, &err), ERR_BEGIN, err);
        CU_ASSERT_EQUAL(get_be24(rig.device.last_cdb + 2), 0xfffffd);
        CHECK_FAILS(tape_space_filemarks(rig.tape, 3, &err), ERR_END_OF_DATA, err);
        CHECK_FAILS(tape_locate(rig.tape, 99, &err), ERR_END_OF_DATA, err);
        CU_ASSERT_EQUAL(get_be32(rig.device.last_cdb + 3), 99);
        CHECK_OK(tape_locate(rig.tape, 0x123456789au, &err), err);
        CU_ASSERT_EQUAL(rig.device.last_cdb[0], 0x92);
        CU_ASSERT_EQUAL(get_be64(rig.device.last_cdb + 4), 0x123456789au);
        CHECK_FAILS(tape_space_filemarks(rig.tape, 0x800000, &err), ERR_RANGE, err);
    }
    rig_close(&rig);
}

/* ---- the other side goes away ------------------------------------------------------------------
 */

/* Stops the server while a command hangs in the device. */
static void *stop_when_hung(void *arg)
{
    struct rig *rig = arg;

    pthread_mutex_lock(&rig->device.mutex);
    while (!rig->device.hung)
        pthread_cond_wait(&rig->device.hung_cond, &rig->device.mutex);
    pthread_mutex_unlock(&rig->device.mutex);
    iscsid_stop(rig->server, 0);
    return NULL;
}

static void test_target_vanishes(void)
{
    struct error err = ERROR_INIT;
    struct tape_info info;
    pthread_t thread;
    struct rig rig;

    rig_open(&rig);
    {
        SCRIPT(&rig, {.opcode = 0x0a, .status = HANG});
        CU_ASSERT_EQUAL(pthread_create(&thread, NULL, stop_when_hung, &rig), 0);
        CHECK_FAILS(tape_write(rig.tape, block, sizeof(block), NULL, &err), ERR_CLOSED, err);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, TARGET));
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "went away"));
        pthread_join(thread, NULL);
    }
    /* It stays lost, whatever is asked. */
    CHECK_FAILS(tape_write(rig.tape, block, 4096, NULL, &err), ERR_CLOSED, err);
    CHECK_FAILS(tape_rewind(rig.tape, &err), ERR_CLOSED, err);
    CHECK_FAILS(tape_load(rig.tape, &err), ERR_CLOSED, err);
    CHECK_FAILS(tape_get_info(rig.tape, &info, &err), ERR_CLOSED, err);
    rig_close(&rig);
}

/* It vanishes while nobody asks; the first write finds out, and SIGPIPE does not kill us. */
static void test_target_vanishes_idle(void)
{
    struct error err = ERROR_INIT;
    struct rig rig;

    rig_open(&rig);
    signal(SIGPIPE, SIG_DFL);
    iscsid_stop(rig.server, 0);
    for (unsigned i = 0; i < 3; i++)
        CHECK_FAILS(tape_write(rig.tape, block, sizeof(block), NULL, &err), ERR_CLOSED, err);
    rig_close(&rig);
}

static void test_command_times_out(void)
{
    struct tape_login login = {.timeout_s = 1};
    struct error err = ERROR_INIT;
    struct rig rig;

    rig_serve(&rig, 1, NULL, 0);
    CHECK_OK(tape_open(rig.url, TAPE_WRITE, &login, &rig.tape, &err), err);
    {
        SCRIPT(&rig, {.opcode = 0x0a, .status = HANG});
        CHECK_FAILS(tape_write(rig.tape, block, 4096, NULL, &err), ERR_TIMEOUT, err);
        CHECK_FAILS(tape_write(rig.tape, block, 4096, NULL, &err), ERR_TIMEOUT, err);
    }
    rig_close(&rig);
}

/* The target asks for signs of life while the engine is busy with something else. */
static void test_idle_session_is_kept(void)
{
    const struct timespec idle = {3, 500000000};
    struct error err = ERROR_INIT;
    struct rig rig;

    rig_serve(&rig, 1, NULL, 1);
    CHECK_OK(tape_open(rig.url, TAPE_WRITE, NULL, &rig.tape, &err), err);
    nanosleep(&idle, NULL); /* what is tested is time itself */
    CHECK_OK(tape_write(rig.tape, block, 4096, NULL, &err), err);
    rig_close(&rig);
}

/* A port where somebody speaks something else, or nothing. */
static void *talk_nonsense(void *arg)
{
    int listener = *(int *)arg;

    for (unsigned i = 0; i < 3; i++) {
        uint8_t junk[4096];
        int fd = accept(listener, NULL, NULL);

        memset(junk, i == 0 ? 0xff : 0x00, sizeof(junk));
        if (i == 2)
            memcpy(junk, "\x23\x80\x00\x00\x00\xff\xff\xff", 8); /* a login answer of 16 MB */
        if (i < 2 || recv(fd, junk + 2048, 48, 0) > 0)
            if (send(fd, junk, i == 1 ? 1 : 2048, MSG_NOSIGNAL) < 0)
                perror("send");
        close(fd);
    }
    return NULL;
}

static void test_no_iscsi_there(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct error err = ERROR_INIT;
    pthread_t thread;
    struct tape *t;
    char url[100];

    CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&address, len), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, 5), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, talk_nonsense, &listener), 0);
    snprintf(url, sizeof(url), "iscsi://127.0.0.1:%u/iqn.x/1", ntohs(address.sin_port));
    for (unsigned i = 0; i < 3; i++)
        CHECK_FAILS(tape_open(url, TAPE_READ, NULL, &t, &err), ERR_CLOSED, err);
    pthread_join(thread, NULL);
    close(listener);
}

/* ---- the changer -------------------------------------------------------------------------------
 */

static void test_changer_answers(void)
{
    /* 1 element of type 2 in a page that says it is longer than the answer */
    static const uint8_t liar[] = {0, 0, 0, 1, 0, 0, 0, 28, 2, 0, 0, 12, 0, 0xff, 0xff, 0xff, 4, 0,
                                   1, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0,  0, 0,    0,    0,    0, 0};
    static const uint8_t fair[] = {0, 0,  0, 1, 0, 0, 0, 20, 2, 0, 0, 12, 0, 0,
                                   0, 12, 4, 0, 1, 0, 0, 0,  0, 0, 0, 0,  0, 0};
    /* tells that there are 16 MB, and gives what was asked for */
    static const uint8_t endless[] = {0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 2, 0, 0, 12};
    struct error err = ERROR_INIT;
    struct changer_element *e;
    struct changer *c;
    struct rig rig;
    size_t count;

    rig_serve(&rig, 8, NULL, 0);
    CHECK_OK(changer_open(rig.url, NULL, &c, &err), err);
    {
        SCRIPT(
            &rig, {.opcode = 0xb8, .data = liar, .len = sizeof(liar)},
            {.opcode = 0xb8, .data = fair, .len = 5},
            {.opcode = 0xb8, .data = endless, .len = sizeof(endless)},
            {.opcode = 0xb8, .data = endless, .len = sizeof(endless)},
            {.opcode = 0xb8, .status = SCSI_CHECK_CONDITION, .key = 5, .asc = 0x24},
            {.opcode = 0xb8, .data = fair, .len = sizeof(fair)},
            {.opcode = 0xa5, .status = SCSI_CHECK_CONDITION, .key = 5, .asc = 0x3b, .ascq = 0x0d});
        CHECK_FAILS(changer_inventory(c, &e, &count, &err), ERR_PROTOCOL, err);
        CHECK_FAILS(changer_inventory(c, &e, &count, &err), ERR_PROTOCOL, err);
        CHECK_FAILS(changer_inventory(c, &e, &count, &err), ERR_PROTOCOL, err);
        CHECK_OK(changer_inventory(c, &e, &count, &err), err); /* without DVCID, when refused */
        CU_ASSERT_EQUAL_FATAL(count, 1);
        CU_ASSERT_EQUAL(e[0].address, 0x400);
        free(e);
        CHECK_FAILS(changer_move(c, 1, 2, &err), ERR_STATE, err);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "destination element is full"));
        expect_played(&rig);
    }
    CHECK_FAILS(changer_load(c, "NONE01L8", "SERIAL", &err), ERR_PROTOCOL, err);
    changer_close(c);
    rig_close(&rig);
}

static const struct check_test tests[] = {
    {"open", test_open},
    {"open_refused", test_open_refused},
    {"no_medium", test_no_medium},
    {"chap", test_chap},
    {"write", test_write},
    {"position_lost", test_position_lost},
    {"attentions_passed_over", test_attentions_passed_over},
    {"read", test_read},
    {"positions", test_positions},
    {"target_vanishes", test_target_vanishes},
    {"target_vanishes_idle", test_target_vanishes_idle},
    {"command_times_out", test_command_times_out},
    {"idle_session_is_kept", test_idle_session_is_kept},
    {"no_iscsi_there", test_no_iscsi_there},
    {"changer_answers", test_changer_answers},
};

CHECK_MAIN("tape_session", tests)
