/* SPDX-License-Identifier: Apache-2.0 */
/* test_lu.c - on which thread a task runs, and that tasks of one unit never run side by side. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "tests/unit/drive_rig.h"
#include "vtl/scsi/internal.h"

/* A command on its way, and what became of it. */
struct run {
    struct scsi_task task;
    uint8_t out[64];
    pthread_t thread; /* that called done() */
    bool over;        /* done() was called ... */
    sem_t done;       /* ... posted then */
    sem_t *hold;      /* done() waits for this one: a slow transport; NULL: not */
};

static void run_done(struct scsi_task *task)
{
    struct run *r = task->transport;

    if (r->hold)
        sem_wait(r->hold);
    r->thread = pthread_self();
    r->over = true;
    sem_post(&r->done);
}

static void run_set(struct run *r, struct scsi_nexus *nexus, uint8_t opcode, uint64_t tag)
{
    memset(r, 0, sizeof(*r));
    sem_init(&r->done, 0, 0);
    r->task = (struct scsi_task){.nexus = nexus,
                                 .lun = {0, DRIVE},
                                 .cdb = {opcode},
                                 .cdb_len = 6,
                                 .tag = tag,
                                 .done = run_done,
                                 .transport = r};
    if (opcode == 0x0a) {
        put_be24(r->task.cdb + 2, sizeof(r->out));
        put_be64(r->out, tag);
        r->task.out = r->out;
        r->task.out_len = sizeof(r->out);
    }
}

static void start(void)
{
    rig_start();
    rig_load(1);
    rig_good(DRIVE, TUR);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void test_quick_runs_here(void)
{
    struct run r;

    start();
    run_set(&r, rig.a, 0x0a, 1);
    scsi_target_run(rig.target, &r.task);
    CU_ASSERT_TRUE_FATAL(r.over);
    CU_ASSERT_TRUE(pthread_equal(r.thread, pthread_self()));
    CU_ASSERT_EQUAL(r.task.status, SCSI_GOOD);
    CHECK_POSITION(1);
    rig_stop();
}

static void check_runs_elsewhere(struct run *r)
{
    scsi_target_run(rig.target, &r->task);
    sem_wait(&r->done);
    CU_ASSERT_FALSE(pthread_equal(r->thread, pthread_self()));
    CU_ASSERT_EQUAL(r->task.status, SCSI_GOOD);
}

/* Whatever may take long must not hold up the transport's thread, which has pings to answer. */
static void test_motion_runs_elsewhere(void)
{
    struct run r;

    start();
    run_set(&r, rig.a, 0x01, 1); /* REWIND */
    check_runs_elsewhere(&r);
    rig_stop();
}

/* While blocks are compressed, the next is received meanwhile; small ones are no work. */
static void test_laborious_runs_elsewhere(void)
{
    static uint8_t block[65536];
    struct run r;

    rig.compression = CARTRIDGE_LZ4;
    start();
    rig.compression = CARTRIDGE_PLAIN;
    for (int i = 0; i < 2; i++) {
        run_set(&r, rig.a, 0x0a, 1);
        put_be24(r.task.cdb + 2, sizeof(block));
        r.task.out = block;
        r.task.out_len = sizeof(block);
        if (i == 1) {
            check_runs_elsewhere(&r);
            continue;
        }
        scsi_target_run(rig.target, &r.task); /* nobody knows yet */
        CU_ASSERT_TRUE(r.over);
    }
    run_set(&r, rig.a, 0x0a, 1);
    scsi_target_run(rig.target, &r.task);
    CU_ASSERT_TRUE(r.over);
    CHECK_POSITION(3);
    rig_stop();
}

/* While the robot has the unit, a quick command queues as well. */
static void test_held_unit_queues(void)
{
    pthread_mutex_t *device;
    struct run r;

    start();
    device = &rig.target->lus[DRIVE].device;
    run_set(&r, rig.a, 0x0a, 1);
    pthread_mutex_lock(device);
    scsi_target_run(rig.target, &r.task);
    CU_ASSERT_FALSE(r.over);
    usleep(50000);
    CU_ASSERT_FALSE(r.over);
    pthread_mutex_unlock(device);
    sem_wait(&r.done);
    CU_ASSERT_FALSE(pthread_equal(r.thread, pthread_self()));
    CHECK_POSITION(1);
    rig_stop();
}

/* Nothing overtakes what is queued. */
static void test_queue_goes_first(void)
{
    enum { QUEUED = 1000 };
    static struct run runs[QUEUED + 1];

    start();
    for (unsigned i = 0; i < QUEUED; i++) {
        run_set(&runs[i], rig.a, 0x0a, i);
        scsi_target_submit(rig.target, &runs[i].task);
    }
    run_set(&runs[QUEUED], rig.a, 0x0a, QUEUED);
    scsi_target_run(rig.target, &runs[QUEUED].task);
    for (unsigned i = 0; i <= QUEUED; i++)
        sem_wait(&runs[i].done);
    rig_good(DRIVE, REWIND);
    for (unsigned i = 0; i <= QUEUED; i++) {
        CU_ASSERT_EQUAL_FATAL(read_block(64, false), SCSI_GOOD);
        CU_ASSERT_EQUAL(get_be64(answer.in), i);
    }
    rig_stop();
}

/* ---- abort ----------------------------------------------------------------------------------- */

static void *run_thread(void *arg)
{
    scsi_target_run(rig.target, arg);
    return NULL;
}

static void *reset_thread(void *arg)
{
    const uint8_t lun[8] = {0, DRIVE};

    CU_ASSERT_EQUAL(scsi_target_manage(rig.target, rig.a, SCSI_TMF_ABORT_TASK_SET, lun, 0),
                    SCSI_TMF_COMPLETE);
    sem_post(arg);
    return NULL;
}

/* Who aborts a task waits until its done() has returned, on whatever thread that is. */
static void test_abort_waits(void)
{
    pthread_t runner, aborter;
    sem_t hold, aborted;
    struct run r;
    int early;

    start();
    sem_init(&hold, 0, 0);
    sem_init(&aborted, 0, 0);
    run_set(&r, rig.a, 0x0a, 1);
    r.hold = &hold;
    pthread_create(&runner, NULL, run_thread, &r.task);
    usleep(50000); /* it is in done() now */
    pthread_create(&aborter, NULL, reset_thread, &aborted);
    usleep(50000);
    sem_getvalue(&aborted, &early);
    CU_ASSERT_EQUAL(early, 0);
    sem_post(&hold);
    pthread_join(runner, NULL);
    pthread_join(aborter, NULL);
    CU_ASSERT_TRUE(r.over);
    rig_stop();
}

/* Until done() has returned, here or there, the unit begins nothing else: an abort could not tell
 * what it has to wait for. */
static void test_done_ends_first(void)
{
    struct run first, second;
    pthread_t runner;
    sem_t hold;

    start();
    sem_init(&hold, 0, 0);
    run_set(&first, rig.a, 0x0a, 1);
    run_set(&second, rig.a, 0x0a, 2);
    first.hold = &hold;
    pthread_create(&runner, NULL, run_thread, &first.task);
    usleep(50000);
    scsi_target_submit(rig.target, &second.task);
    usleep(50000);
    CU_ASSERT_NOT_EQUAL(sem_trywait(&second.done), 0);
    sem_post(&hold);
    pthread_join(runner, NULL);
    sem_wait(&second.done);
    CHECK_POSITION(2);
    rig_stop();
}

/* ---- many at once ---------------------------------------------------------------------------- */

#define THREADS 4
#define EACH    200

static _Atomic uint64_t written;

/* Writes blocks, every other one by the queue; each says who wrote it, and which one it was. */
static void *write_many(void *arg)
{
    unsigned self = *(unsigned *)arg;

    for (unsigned i = 0; i < EACH; i++) {
        struct run r;

        run_set(&r, self % 2 ? rig.a : rig.b, 0x0a, (uint64_t)self << 32 | i);
        ((i + self) % 2 ? scsi_target_run : scsi_target_submit)(rig.target, &r.task);
        sem_wait(&r.done);
        if (r.task.status == SCSI_GOOD)
            written++;
    }
    return NULL;
}

/* Each block is on the tape once, whole, and those of one thread are in its order. */
static void test_many(void)
{
    unsigned self[THREADS], next[THREADS] = {0};
    pthread_t threads[THREADS];

    start();
    written = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        self[i] = i;
        pthread_create(&threads[i], NULL, write_many, &self[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(written, THREADS * EACH);
    CHECK_POSITION(THREADS * EACH);
    rig_good(DRIVE, REWIND);
    for (unsigned i = 0; i < THREADS * EACH; i++) {
        uint64_t tag;

        CU_ASSERT_EQUAL_FATAL(read_block(64, false), SCSI_GOOD);
        tag = get_be64(answer.in);
        CU_ASSERT_TRUE_FATAL(tag >> 32 < THREADS);
        CU_ASSERT_EQUAL(tag & UINT32_MAX, next[tag >> 32]++);
    }
    rig_stop();
}

/* What a quick command has buffered is synchronised by the unit's thread when nothing else comes.
 */
static void test_idle_sync(void)
{
    struct scsi_drive_state state; /* to look at it is no command, which would wake the thread */
    struct error err = ERROR_INIT;
    struct run r;

    start();
    run_set(&r, rig.a, 0x0a, 1);
    scsi_target_run(rig.target, &r.task);
    CHECK_OK(scsi_target_drive_state(rig.target, 0, &state, &err), err);
    CU_ASSERT_EQUAL(state.position.unsynced, 1);
    usleep(2500000);
    CHECK_OK(scsi_target_drive_state(rig.target, 0, &state, &err), err);
    CU_ASSERT_EQUAL(state.position.unsynced, 0);
    rig_stop();
}

static const struct check_test tests[] = {
    {"quick_runs_here", test_quick_runs_here},
    {"motion_runs_elsewhere", test_motion_runs_elsewhere},
    {"laborious_runs_elsewhere", test_laborious_runs_elsewhere},
    {"held_unit_queues", test_held_unit_queues},
    {"queue_goes_first", test_queue_goes_first},
    {"abort_waits", test_abort_waits},
    {"done_ends_first", test_done_ends_first},
    {"many", test_many},
    {"idle_sync", test_idle_sync},
};
CHECK_MAIN("lu", tests)
