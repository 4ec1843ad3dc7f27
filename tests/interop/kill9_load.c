/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill9_load.c - the daemon killed with -9 under load, again and again.
 *
 *   kill9_load CAPSTAN URL BARCODE KILLS SEED
 *
 * Each round starts `CAPSTAN serve`, waits for the first good TEST UNIT READY on the drive at URL
 * (from the start of the process, with a connection tried every few milliseconds), looks which
 * cartridge is in it, reads the tape and compares, and writes blocks, filemarks and synchronises
 * until the daemon is killed at a random moment.
 *
 * What must hold: every object that a good synchronise came back for is there and identical; the
 * tape is a prefix of what was written; an overwrite that no synchronise covers is there, as far as
 * it goes, or the old tape is; nothing else is ever read.  The rounds after the first compare the
 * last blocks, every RECHECK-th all of them.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

#include "common/bytes.h"
#include "common/log.h"
#include "engine/tape/tape.h"

#define OBJECTS_MAX  4096
#define BLOCK_MAX    (256u * 1024)
#define TAIL         40 /* objects compared in most rounds */
#define RECHECK      20
#define LOAD_MAX_US  120000
#define START_MAX_S  20
#define FILEMARK     UINT64_MAX
#define LIMIT_P99_MS 2000

struct tape_model {
    uint64_t ids[OBJECTS_MAX];
    size_t count, synced;
};

struct load {
    const char *capstan, *url, *barcode;
    pid_t daemon, killer;
    struct tape *tape;
    struct tape_model now, before;
    bool overwriting; /* the tape may still be `before` */
    uint64_t next_id, rng;
    uint64_t rounds, writes, syncs, compared;
    double *ready_ms;
};

static uint8_t data[BLOCK_MAX], expected[BLOCK_MAX];

static uint64_t rnd(struct load *l, uint64_t below)
{
    uint64_t z = l->rng += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % below;
}

static double now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void stop_daemon(struct load *l)
{
    if (l->killer > 0) {
        kill(l->killer, SIGKILL);
        waitpid(l->killer, NULL, 0);
    }
    if (l->daemon > 0) {
        kill(l->daemon, SIGKILL);
        waitpid(l->daemon, NULL, 0);
    }
    l->killer = l->daemon = 0;
}

static void fail(struct load *l, const char *what, const char *detail)
{
    stop_daemon(l);
    printf("FAIL in round %llu: %s: %s\n", (unsigned long long)l->rounds, what, detail);
    exit(1);
}

static size_t block_fill(uint8_t *out, uint64_t id)
{
    static const size_t sizes[] = {512, 10240, 65536, BLOCK_MAX};
    size_t len = sizes[id * 0xd1342543de82ef95u >> 62];
    uint64_t word = id;

    for (size_t i = 0; i < len; i += 8, word = word * 6364136223846793005u + 1442695040888963407u)
        put_le64(out + i, word);
    return len;
}

/* ---- the daemon ------------------------------------------------------------------------------ */

static void start_daemon(struct load *l)
{
    l->daemon = fork();
    if (l->daemon == 0) {
        execl(l->capstan, l->capstan, "serve", (char *)NULL);
        _exit(99);
    }
    if (l->daemon < 0)
        fail(l, "fork", strerror(errno));
}

/* One connection, and TEST UNIT READY until it is good.  False: nobody answers yet. */
static bool try_ready(struct load *l)
{
    struct iscsi_context *c = iscsi_create_context("iqn.2026-11.capstan:kill9");
    struct iscsi_url *u = c ? iscsi_parse_full_url(c, l->url) : NULL;
    bool ready = false;

    if (!u)
        fail(l, "the URL", l->url);
    iscsi_set_session_type(c, ISCSI_SESSION_NORMAL);
    iscsi_set_targetname(c, u->target);
    iscsi_set_noautoreconnect(c, 1);
    iscsi_set_timeout(c, 10);
    if (iscsi_connect_sync(c, u->portal) == 0 && iscsi_login_sync(c) == 0)
        for (int i = 0; i < 10 && !ready; i++) { /* unit attentions come first */
            struct scsi_task *task = iscsi_testunitready_sync(c, u->lun);

            ready = task && task->status == SCSI_STATUS_GOOD;
            scsi_free_scsi_task(task);
        }
    iscsi_destroy_url(u);
    iscsi_destroy_context(c);
    return ready;
}

static void wait_ready(struct load *l)
{
    double since = now_ms();

    start_daemon(l);
    while (!try_ready(l)) {
        if (waitpid(l->daemon, NULL, WNOHANG) != 0)
            fail(l, "the daemon", "it ended by itself");
        if (now_ms() - since > START_MAX_S * 1e3)
            fail(l, "the drive", "it is not ready after 20 s");
        usleep(3000);
    }
    l->ready_ms[l->rounds] = now_ms() - since;
}

/* A process of its own, so that the daemon dies wherever we are just then. */
static void kill_later(struct load *l)
{
    useconds_t after = (useconds_t)rnd(l, LOAD_MAX_US);

    l->killer = fork();
    if (l->killer == 0) {
        usleep(after);
        kill(l->daemon, SIGKILL);
        _exit(0);
    }
    if (l->killer < 0)
        fail(l, "fork", strerror(errno));
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool object_is(struct load *l, int rc, size_t got, uint64_t id)
{
    l->compared++;
    if (id == FILEMARK)
        return rc == -ERR_FILEMARK;
    return rc == 0 && got == block_fill(expected, id) && memcmp(data, expected, got) == 0;
}

/* Does the tape hold exactly the first count objects of m, looked at from `from` on? */
static bool tape_is(struct load *l, const struct tape_model *m, size_t from, size_t count)
{
    struct error err = ERROR_INIT;
    size_t got;
    int rc = tape_locate(l->tape, from, &err);

    if (rc)
        fail(l, "locating", err.message);
    for (size_t i = from; i < count; i++) {
        rc = tape_read(l->tape, data, sizeof(data), &got, &err);
        if (!object_is(l, rc, got, m->ids[i])) {
            printf("object %zu of %zu is another: %s\n", i, count, rc ? err.message : "other data");
            return false;
        }
    }
    return true;
}

static void compare(struct load *l)
{
    struct error err = ERROR_INIT;
    struct tape_position end;
    bool whole = l->rounds % RECHECK == 0, same;
    size_t from;

    if (tape_space_end(l->tape, &err) != 0 || tape_tell(l->tape, &end, &err) != 0)
        fail(l, "the end of data", err.message);
    from = whole || end.block < TAIL ? 0 : end.block - TAIL;
    /* An overwrite begins at 0: the first object tells which of the two tapes it is. */
    same = end.block >= l->now.synced && end.block <= l->now.count &&
           tape_is(l, &l->now, l->overwriting ? 0 : from, end.block);
    if (!same && l->overwriting && end.block == l->before.count) {
        same = tape_is(l, &l->before, from, end.block);
        l->now = l->before;
    }
    if (!same)
        fail(l, "the tape", "it is no prefix of what was written, or less than was synchronised");
    l->now.count = l->now.synced = (size_t)end.block;
    l->overwriting = false;
}

static void check_identity(struct load *l)
{
    struct tape_info info;
    struct error err = ERROR_INIT;

    if (tape_get_info(l->tape, &info, &err) != 0)
        fail(l, "the drive", err.message);
    if (strcmp(info.barcode, l->barcode) != 0)
        fail(l, "another cartridge is in the drive", info.barcode);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void begin_again(struct load *l, struct error *err)
{
    if (tape_rewind(l->tape, err) != 0)
        return;
    l->before = l->now;
    l->now.count = l->now.synced = 0;
    l->overwriting = true;
}

/* False: the daemon is gone, or something is wrong (which the next round will tell). */
static bool write_one(struct load *l)
{
    struct error err = ERROR_INIT;
    uint64_t pick = rnd(l, 100);
    int rc;

    if (l->now.count + 2 > OBJECTS_MAX || (pick == 0 && l->now.count > 200)) {
        if (l->overwriting && tape_sync(l->tape, &err) != 0)
            return false;
        begin_again(l, &err);
        return err.code == ERR_NONE;
    }
    if (pick < 85) {
        uint64_t id = l->next_id++;

        l->now.ids[l->now.count++] = id;
        rc = tape_write(l->tape, data, block_fill(data, id), NULL, &err);
        l->writes += rc == 0;
        return rc == 0;
    }
    if (pick < 93) {
        l->now.ids[l->now.count++] = FILEMARK;
        rc = tape_write_filemarks(l->tape, 1, &err);
    } else {
        rc = tape_sync(l->tape, &err);
    }
    if (rc == 0 && l->now.count > 0) {
        l->now.synced = l->now.count;
        l->overwriting = false;
        l->syncs++;
    }
    return rc == 0;
}

static void round_once(struct load *l)
{
    struct error err = ERROR_INIT;

    wait_ready(l);
    if (tape_open(l->url, TAPE_WRITE, NULL, &l->tape, &err) != 0 || tape_load(l->tape, &err) != 0)
        fail(l, "the drive can't be opened", err.message);
    check_identity(l);
    compare(l);
    if (tape_space_end(l->tape, &err) != 0)
        fail(l, "the end of data", err.message);
    kill_later(l);
    while (write_one(l))
        ;
    waitpid(l->killer, NULL, 0);
    l->killer = 0;
    waitpid(l->daemon, NULL, 0);
    l->daemon = 0;
    tape_close(l->tape);
    l->tape = NULL;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

int main(int argc, char **argv)
{
    struct load *l = calloc(1, sizeof(*l));
    uint64_t kills = argc == 6 ? strtoull(argv[4], NULL, 0) : 0;
    double p99;

    if (!l || kills == 0) {
        fprintf(stderr, "usage: kill9_load CAPSTAN URL BARCODE KILLS SEED\n");
        return 2;
    }
    *l = (struct load){.capstan = argv[1], .url = argv[2], .barcode = argv[3], .next_id = 1};
    l->rng = strtoull(argv[5], NULL, 0);
    l->ready_ms = calloc(kills, sizeof(double));
    if (!l->ready_ms)
        return 99;
    log_set_level(LOG_LEVEL_ERROR);
    signal(SIGPIPE, SIG_IGN);
    for (; l->rounds < kills; l->rounds++)
        round_once(l);
    qsort(l->ready_ms, kills, sizeof(double), by_value);
    p99 = l->ready_ms[kills * 99 / 100];
    printf("%llu kills: %llu blocks written, %llu synchronises, %llu objects compared; ready after "
           "%.0f ms (median), %.0f ms (99 %%), %.0f ms (longest)\n",
           (unsigned long long)kills, (unsigned long long)l->writes, (unsigned long long)l->syncs,
           (unsigned long long)l->compared, l->ready_ms[kills / 2], p99, l->ready_ms[kills - 1]);
    if (p99 > LIMIT_P99_MS)
        printf("FAIL: ready later than %d ms\n", LIMIT_P99_MS);
    free(l->ready_ms);
    free(l);
    return p99 > LIMIT_P99_MS;
}
