/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape_bench.c - how fast drives write and read: one block in flight each, as tar and dd do.
 *
 *   tape_bench [-d] [-n] [-p PID] BLOCK-BYTES MIB WHERE...
 *
 *   WHERE   iscsi://HOST:PORT/TARGET/LUN: a drive with a cartridge in it; or a directory: a new
 *           cartridge there, without a drive.  Several are moved at once, a thread each.
 *   -d      with header and data digests
 *   -n      do not compare what is read (null_target keeps nothing)
 *   -p PID  the target's process: what processor time it takes
 *
 * It prints one line: MB/s (10^6 bytes) of the WRITEs alone, of the WRITEs with the filemark behind
 * them (which makes the data durable), of the READs; then seconds of processor time per GB (10^9
 * bytes), user and system, that writing with the filemark and reading took the target and us.
 *
 * Rules of the measurement:
 *   1. The data does not compress and no two blocks are alike; each carries its number.
 *   2. Every byte read is compared, so that a fast wrong answer is an error and not a result.
 *   3. One drive: only the commands are timed; making and comparing the data is not.  Several: from
 *      the first command to the last, and the sum of all data.
 */
#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "tests/bench/initiator.h"
#include "vtl/cartridge/cartridge.h"

#define POOL_BYTES    ((size_t)64 * 1024 * 1024)
#define STAMP_BYTES   16
#define WAIT_READY    60 /* tries, one a second */
#define DENSITY_LTO_8 0x5e
#define DRIVES_MAX    16

/* What is measured; a row of ops for each kind. */
struct device {
    const struct device_ops *ops;
    struct initiator *initiator;
    struct store *store;
    struct cartridge *cartridge;
};

struct device_ops {
    int (*open)(struct device *d, const char *where, bool digests, struct error *err);
    void (*close)(struct device *d);
    int (*write)(struct device *d, const uint8_t *data, uint32_t len, struct error *err);
    int (*mark)(struct device *d, struct error *err); /* filemark, and all is durable */
    int (*rewind)(struct device *d, struct error *err);
    int (*read)(struct device *d, uint8_t *data, uint32_t len, struct error *err);
};

/* ---- a drive behind iSCSI ---------------------------------------------------------------------*/

static int drive_wait_ready(struct device *d, struct error *err)
{
    static const uint8_t cdb[6] = {0x00}; /* TEST UNIT READY */
    int rc = -1;

    for (int i = 0; i < WAIT_READY && rc != 0; i++) {
        if (i > 3)
            nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        rc = initiator_command(d->initiator, cdb, NULL, 0, NULL, 0, err);
    }
    return rc;
}

static void drive_close(struct device *d)
{
    initiator_close(d->initiator);
    d->initiator = NULL;
}

static int drive_open(struct device *d, const char *where, bool digests, struct error *err)
{
    int rc = initiator_open(where, digests, &d->initiator, err);

    return rc ? rc : drive_wait_ready(d, err);
}

static int drive_write(struct device *d, const uint8_t *data, uint32_t len, struct error *err)
{
    uint8_t cdb[6] = {0x0a}; /* WRITE(6), variable block */

    put_be24(cdb + 2, len);
    return initiator_command(d->initiator, cdb, data, len, NULL, 0, err);
}

static int drive_mark(struct device *d, struct error *err)
{
    static const uint8_t cdb[6] = {0x10, 0, 0, 0, 1, 0}; /* WRITE FILEMARKS(6), IMMED = 0 */

    return initiator_command(d->initiator, cdb, NULL, 0, NULL, 0, err);
}

static int drive_rewind(struct device *d, struct error *err)
{
    static const uint8_t cdb[6] = {0x01};

    return initiator_command(d->initiator, cdb, NULL, 0, NULL, 0, err);
}

static int drive_read(struct device *d, uint8_t *data, uint32_t len, struct error *err)
{
    uint8_t cdb[6] = {0x08}; /* READ(6), variable block */

    put_be24(cdb + 2, len);
    return initiator_command(d->initiator, cdb, NULL, 0, data, len, err);
}

static const struct device_ops drive_ops = {
    drive_open, drive_close, drive_write, drive_mark, drive_rewind, drive_read,
};

/* ---- a cartridge without a drive --------------------------------------------------------------
 */

static int cart_open(struct device *d, const char *where, bool digests, struct error *err)
{
    struct cartridge_identity id;
    int rc;

    (void)digests;
    rc = cartridge_identity_default(&id, "BENCH1L8", DENSITY_LTO_8, err);
    if (rc == 0)
        rc = store_directory_open(where, true, &d->store, err);
    if (rc == 0)
        rc = cartridge_create(d->store, &id, err);
    if (rc == 0)
        rc = cartridge_open(d->store, CARTRIDGE_READ_WRITE, &d->cartridge, err);
    return rc;
}

static void cart_close(struct device *d)
{
    cartridge_close(d->cartridge);
    store_close(d->store);
}

static int cart_write(struct device *d, const uint8_t *data, uint32_t len, struct error *err)
{
    return cartridge_write(d->cartridge, data, len, NULL, err);
}

static int cart_mark(struct device *d, struct error *err)
{
    int rc = cartridge_write_filemarks(d->cartridge, 1, NULL, err);

    return rc != 0 ? rc : cartridge_sync(d->cartridge, NULL, err);
}

static int cart_rewind(struct device *d, struct error *err)
{
    (void)err;
    cartridge_rewind(d->cartridge);
    return 0;
}

static int cart_read(struct device *d, uint8_t *data, uint32_t len, struct error *err)
{
    uint32_t got = 0;
    int rc = cartridge_read(d->cartridge, data, len, &got, err);

    if (rc == 0 && got != len)
        rc = error_set(err, ERR_LENGTH, "a block of %" PRIu32 " bytes came back", got);
    return rc;
}

static const struct device_ops cart_ops = {
    cart_open, cart_close, cart_write, cart_mark, cart_rewind, cart_read,
};

/* ---- processor time ---------------------------------------------------------------------------*/

/* Nanoseconds that the threads of a process have run; 0: no such process. */
static double process_seconds(const char *pid)
{
    char pattern[64];
    glob_t tasks;
    double ns = 0;

    snprintf(pattern, sizeof(pattern), "/proc/%s/task/*/schedstat", pid);
    if (glob(pattern, 0, NULL, &tasks) != 0)
        return 0;
    for (size_t i = 0; i < tasks.gl_pathc; i++) {
        CLEANUP_FILE FILE *file = fopen(tasks.gl_pathv[i], "r");
        double run;

        if (file && fscanf(file, "%lf", &run) == 1)
            ns += run;
    }
    globfree(&tasks);
    return ns / 1e9;
}

static double now(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- the measurement --------------------------------------------------------------------------*/

enum phase { WRITING, READING, PHASES };

/* What all drives have in common. */
struct bench {
    bool digests, compare;
    const char *target; /* process */
    uint8_t *pool;      /* POOL_BYTES of noise */
    uint32_t len;
    uint64_t count; /* blocks of each drive */
    unsigned drives;
    pthread_barrier_t edge; /* all movers and main: where a phase begins and ends */
    double wall[PHASES], target_s[PHASES];
};

struct mover { /* one drive and its thread */
    struct bench *bench;
    struct device device;
    const char *where;
    pthread_t thread;
    uint8_t *block;                 /* the one being moved */
    double write_s, mark_s, read_s; /* in commands */
    double own_s[PHASES];           /* processor time in them */
    int rc;
    struct error err;
};

/* xorshift64*: fast and incompressible. */
static void fill_noise(uint8_t *data, size_t len)
{
    uint64_t x = 0x9e3779b97f4a7c15ULL ^ (uint64_t)time(NULL);

    for (size_t i = 0; i + 8 <= len; i += 8) {
        uint64_t r;

        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        r = x * 0x2545f4914f6cdd1dULL;
        memcpy(data + i, &r, 8);
    }
}

/* Where the content of block n lies in the pool: a stride that is no multiple of the block. */
static const uint8_t *block_noise(const struct bench *b, uint64_t n)
{
    return b->pool + (n * 1000003 % (POOL_BYTES - b->len));
}

static void block_make(struct mover *m, uint64_t n)
{
    memcpy(m->block, block_noise(m->bench, n), m->bench->len);
    put_be64(m->block, n);
    put_be64(m->block + 8, ~n);
}

static int block_check(struct mover *m, uint64_t n)
{
    const struct bench *b = m->bench;

    if (!b->compare)
        return 0;
    if (get_be64(m->block) != n || get_be64(m->block + 8) != ~n ||
        memcmp(m->block + STAMP_BYTES, block_noise(b, n) + STAMP_BYTES, b->len - STAMP_BYTES) != 0)
        return error_set(&m->err, ERR_CORRUPT, "block %" PRIu64 " came back with other content", n);
    return 0;
}

/* Time from *wall, and processor time of this thread from *own, on. */
static void lap(double *wall, double *own, double wall_from, double own_from)
{
    *wall += now(CLOCK_MONOTONIC) - wall_from;
    *own += now(CLOCK_THREAD_CPUTIME_ID) - own_from;
}

static int move_out(struct mover *m)
{
    struct device *d = &m->device;
    double *own = &m->own_s[WRITING], own_from = 0, from = 0;
    int rc = 0;

    for (uint64_t n = 0; rc == 0 && n < m->bench->count; n++) {
        block_make(m, n);
        own_from = now(CLOCK_THREAD_CPUTIME_ID);
        from = now(CLOCK_MONOTONIC);
        rc = d->ops->write(d, m->block, m->bench->len, &m->err);
        lap(&m->write_s, own, from, own_from);
    }
    own_from = now(CLOCK_THREAD_CPUTIME_ID);
    from = now(CLOCK_MONOTONIC);
    if (rc == 0)
        rc = d->ops->mark(d, &m->err);
    lap(&m->mark_s, own, from, own_from);
    return rc;
}

static int move_in(struct mover *m)
{
    struct device *d = &m->device;
    int rc = 0;

    for (uint64_t n = 0; rc == 0 && n < m->bench->count; n++) {
        double own_from = now(CLOCK_THREAD_CPUTIME_ID), from = now(CLOCK_MONOTONIC);

        rc = d->ops->read(d, m->block, m->bench->len, &m->err);
        lap(&m->read_s, &m->own_s[READING], from, own_from);
        if (rc == 0)
            rc = block_check(m, n);
    }
    return rc;
}

static void *mover_main(void *arg)
{
    struct mover *m = arg;
    struct bench *b = m->bench;

    for (int phase = WRITING; phase < PHASES; phase++) {
        if (m->rc == 0)
            m->rc = m->device.ops->rewind(&m->device, &m->err);
        pthread_barrier_wait(&b->edge);
        if (m->rc == 0)
            m->rc = phase == WRITING ? move_out(m) : move_in(m);
        pthread_barrier_wait(&b->edge);
    }
    return NULL;
}

static int mover_open(struct mover *m, struct bench *b, const char *where)
{
    *m = (struct mover){.bench = b, .where = where, .block = malloc(b->len)};
    m->device.ops = strncmp(where, "iscsi://", 8) == 0 ? &drive_ops : &cart_ops;
    if (!m->block)
        return error_set(&m->err, ERR_NO_MEMORY, "no memory for the data");
    return m->device.ops->open(&m->device, where, b->digests, &m->err);
}

static void bench_run(struct bench *b, struct mover *movers)
{
    pthread_barrier_init(&b->edge, NULL, b->drives + 1);
    for (unsigned i = 0; i < b->drives; i++)
        if (pthread_create(&movers[i].thread, NULL, mover_main, &movers[i]) != 0)
            exit(1);
    for (int phase = WRITING; phase < PHASES; phase++) {
        double used, from;

        pthread_barrier_wait(&b->edge);
        used = b->target ? process_seconds(b->target) : 0;
        from = now(CLOCK_MONOTONIC);
        pthread_barrier_wait(&b->edge);
        b->wall[phase] = now(CLOCK_MONOTONIC) - from;
        b->target_s[phase] = b->target ? process_seconds(b->target) - used : 0;
    }
    for (unsigned i = 0; i < b->drives; i++)
        pthread_join(movers[i].thread, NULL);
    pthread_barrier_destroy(&b->edge);
}

static void report(const struct bench *b, const struct mover *movers)
{
    const struct mover *m = &movers[0];
    double mb = (double)b->drives * (double)b->count * b->len / 1e6, own[PHASES] = {0};

    for (unsigned i = 0; i < b->drives; i++)
        for (int phase = WRITING; phase < PHASES; phase++)
            own[phase] += movers[i].own_s[phase];
    if (b->drives == 1)
        printf("write %.1f write+fm %.1f read %.1f", mb / m->write_s, mb / (m->write_s + m->mark_s),
               mb / m->read_s);
    else
        printf("write - write+fm %.1f read %.1f", mb / b->wall[WRITING], mb / b->wall[READING]);
    printf(" target-write %.3f target-read %.3f own-write %.3f own-read %.3f\n",
           b->target_s[WRITING] * 1e3 / mb, b->target_s[READING] * 1e3 / mb,
           own[WRITING] * 1e3 / mb, own[READING] * 1e3 / mb);
}

static uint64_t number(const char *text, uint64_t low, uint64_t high)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno || *end || end == text || value < low || value > high) {
        fprintf(stderr, "tape_bench: \"%s\" is no number from %" PRIu64 " to %" PRIu64 "\n", text,
                low, high);
        exit(2);
    }
    return value;
}

static void read_arguments(struct bench *b, int argc, char **argv)
{
    int option;

    *b = (struct bench){.compare = true};
    while ((option = getopt(argc, argv, "dnp:")) != -1) {
        b->digests = b->digests || option == 'd';
        b->compare = b->compare && option != 'n';
        if (option == 'p')
            b->target = optarg;
    }
    if (argc - optind < 3 || argc - optind > 2 + DRIVES_MAX) {
        fprintf(stderr, "usage: tape_bench [-d] [-n] [-p PID] BLOCK-BYTES MIB WHERE...\n");
        exit(2);
    }
    b->len = (uint32_t)number(argv[optind], 2 * STAMP_BYTES, 8 * 1024 * 1024);
    b->count = number(argv[optind + 1], 1, 1024 * 1024) * 1024 * 1024 / b->len;
    b->drives = (unsigned)(argc - optind - 2);
    b->pool = malloc(POOL_BYTES);
    if (!b->pool)
        exit(1);
    fill_noise(b->pool, POOL_BYTES);
}

int main(int argc, char **argv)
{
    struct mover movers[DRIVES_MAX];
    struct bench b;
    bool good = true;

    read_arguments(&b, argc, argv);
    for (unsigned i = 0; i < b.drives; i++)
        movers[i].rc = mover_open(&movers[i], &b, argv[argc - (int)(b.drives - i)]);
    bench_run(&b, movers);
    for (unsigned i = 0; i < b.drives; i++) {
        struct mover *m = &movers[i];

        if (m->rc != 0)
            fprintf(stderr, "tape_bench: %s: %s\n", m->where, m->err.message);
        good = good && m->rc == 0;
        m->device.ops->close(&m->device);
        free(m->block);
    }
    if (good)
        report(&b, movers);
    free(b.pool);
    return good ? 0 : 1;
}
