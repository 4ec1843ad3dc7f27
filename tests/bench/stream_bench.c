/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_bench.c - how fast the cartridge engine alone streams, beside the same bytes in a file.
 * Numbers to be read, not a test; doc/performance.md says how.
 *
 *   stream_bench DIR [MIB [ROUNDS]]
 *
 * Each round writes blocks of 256 KiB and makes them durable: with fio (buffered writes, one fsync;
 * left out where it is not installed), with pwrite() and fsync(), and through the engine; then it
 * reads them back, out of the page cache and, after that was dropped for these files, from the
 * disk.  All in the same directory; the order changes from round to round, as what comes first
 * finds the disk idle.  The medians count.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vtl/cartridge/cartridge.h"

#define BLOCK      (256u * 1024)
#define ROUNDS_MAX 99
#define PATH_ROOM  4096

enum measure {
    FIO_WRITE,
    FILE_WRITE,
    ENGINE_WRITE,
    FILE_READ,
    ENGINE_READ,
    FILE_READ_COLD,
    ENGINE_READ_COLD,
    MEASURES,
};

struct bench {
    const char *dir;
    size_t blocks;
    unsigned rounds;
    uint8_t *block, *back;
    double rate[MEASURES][ROUNDS_MAX]; /* MB/s */
    struct error err;
};

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void note(struct bench *b, enum measure what, unsigned round, double from)
{
    b->rate[what][round] = (double)b->blocks * BLOCK / 1e6 / (now() - from);
}

static void number_block(struct bench *b, size_t i)
{
    memcpy(b->block, &i, sizeof(i));
}

static int refuse(struct bench *b, const char *what)
{
    return error_errno(&b->err, "%s", what);
}

/* ---- the file -------------------------------------------------------------------------------- */

static int file_write(struct bench *b, const char *path, unsigned round)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    double from = now();
    int rc = fd < 0 ? refuse(b, path) : 0;

    for (size_t i = 0; rc == 0 && i < b->blocks; i++) {
        number_block(b, i);
        if (pwrite(fd, b->block, BLOCK, (off_t)(i * BLOCK)) != BLOCK)
            rc = refuse(b, path);
    }
    if (rc == 0 && fsync(fd) != 0)
        rc = refuse(b, path);
    note(b, FILE_WRITE, round, from);
    close(fd);
    return rc;
}

static int file_read(struct bench *b, const char *path, enum measure what, unsigned round)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    double from = now();
    int rc = fd < 0 ? refuse(b, path) : 0;

    for (size_t i = 0; rc == 0 && i < b->blocks; i++)
        if (pread(fd, b->back, BLOCK, (off_t)(i * BLOCK)) != BLOCK)
            rc = refuse(b, path);
    note(b, what, round, from);
    close(fd);
    return rc;
}

static int fio_write(struct bench *b, unsigned round)
{
    char line[PATH_ROOM + 512];
    double bytes = 0;
    FILE *fio;

    snprintf(line, sizeof(line),
             "fio --name=fio --directory='%s' --rw=write --bs=%u --size=%zu --ioengine=psync "
             "--end_fsync=1 --output-format=terse 2>/dev/null | cut -d';' -f48; rm -f '%s'/fio.0.0",
             b->dir, BLOCK, b->blocks * BLOCK, b->dir);
    fio = popen(line, "r");
    if (!fio)
        return refuse(b, "fio");
    if (fscanf(fio, "%lf", &bytes) != 1) /* KiB/s; none: it is not installed */
        bytes = 0;
    pclose(fio);
    b->rate[FIO_WRITE][round] = bytes * 1024 / 1e6;
    return 0;
}

/* ---- the engine ------------------------------------------------------------------------------ */

static int engine_open(struct bench *b, const char *path, bool make, struct store **s,
                       struct cartridge **c)
{
    struct cartridge_identity id;
    int rc = store_directory_open(path, make, s, &b->err);

    if (rc == 0 && make)
        rc = cartridge_identity_default(&id, "BENCH1L9", 0x60, &b->err);
    if (rc == 0 && make)
        rc = cartridge_create(*s, &id, &b->err);
    return rc ? rc
              : cartridge_open(*s, make ? CARTRIDGE_READ_WRITE : CARTRIDGE_READ_ONLY, c, &b->err);
}

static int engine_write(struct bench *b, const char *path, unsigned round)
{
    struct store *s = NULL;
    struct cartridge *c = NULL;
    int rc = engine_open(b, path, true, &s, &c);
    double from = now();

    for (size_t i = 0; rc == 0 && i < b->blocks; i++) {
        number_block(b, i);
        rc = cartridge_write(c, b->block, BLOCK, NULL, &b->err);
    }
    if (rc == 0)
        rc = cartridge_sync(c, NULL, &b->err);
    note(b, ENGINE_WRITE, round, from);
    cartridge_close(c);
    store_close(s);
    return rc;
}

static int engine_read(struct bench *b, const char *path, enum measure what, unsigned round)
{
    struct store *s = NULL;
    struct cartridge *c = NULL;
    int rc = engine_open(b, path, false, &s, &c);
    double from = now();
    uint32_t len;

    for (size_t i = 0; rc == 0 && i < b->blocks; i++) {
        rc = cartridge_read(c, b->back, BLOCK, &len, &b->err);
        number_block(b, i);
        if (rc == 0 && memcmp(b->back, b->block, 64) != 0)
            rc = error_set(&b->err, ERR_CORRUPT, "block %zu came back different", i);
    }
    note(b, what, round, from);
    cartridge_close(c);
    store_close(s);
    return rc;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void forget_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd);
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
}

struct path {
    char file[PATH_ROOM], cartridge[PATH_ROOM];
};

static int forget_object(void *ctx, const char *object, uint64_t size)
{
    const struct path *p = ctx;
    char path[PATH_ROOM + STORE_NAME_MAX + 2];

    (void)size;
    snprintf(path, sizeof(path), "%s/%s", p->cartridge, object);
    forget_file(path);
    return 0;
}

static int remove_object(void *ctx, const char *object, uint64_t size)
{
    (void)size;
    return store_delete(ctx, object, NULL);
}

static int over_objects(struct bench *b, struct path *p, bool remove)
{
    char lock[PATH_ROOM + 8];
    struct store *s;
    int rc = store_directory_open(p->cartridge, false, &s, &b->err);

    if (rc)
        return rc;
    rc = store_list(s, remove ? remove_object : forget_object, remove ? (void *)s : p, &b->err);
    store_close(s);
    if (remove) {
        snprintf(lock, sizeof(lock), "%s/.lock", p->cartridge);
        (void)unlink(lock);
        (void)rmdir(p->cartridge);
    }
    return rc;
}

static int write_all(struct bench *b, struct path *p, unsigned round)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < 3; i++) {
        sync();
        switch ((round + i) % 3) {
        case 0:
            rc = fio_write(b, round);
            break;
        case 1:
            rc = file_write(b, p->file, round);
            break;
        default:
            rc = engine_write(b, p->cartridge, round);
            break;
        }
    }
    return rc;
}

static int read_all(struct bench *b, struct path *p, unsigned round)
{
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i < 2; i++)
        rc = (round + i) % 2 ? engine_read(b, p->cartridge, ENGINE_READ, round)
                             : file_read(b, p->file, FILE_READ, round);
    if (rc == 0)
        rc = over_objects(b, p, false);
    forget_file(p->file);
    for (unsigned i = 0; rc == 0 && i < 2; i++)
        rc = (round + i) % 2 ? engine_read(b, p->cartridge, ENGINE_READ_COLD, round)
                             : file_read(b, p->file, FILE_READ_COLD, round);
    return rc;
}

static int one_round(struct bench *b, unsigned round)
{
    struct path p;
    int rc;

    snprintf(p.file, sizeof(p.file), "%s/file", b->dir);
    snprintf(p.cartridge, sizeof(p.cartridge), "%s/cartridge", b->dir);
    rc = write_all(b, &p, round);
    if (rc == 0)
        rc = read_all(b, &p, round);
    (void)unlink(p.file);
    (void)over_objects(b, &p, true);
    return rc;
}

/* ---- the table ------------------------------------------------------------------------------- */

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(const struct bench *b, enum measure what)
{
    double sorted[ROUNDS_MAX];

    memcpy(sorted, b->rate[what], b->rounds * sizeof(*sorted));
    qsort(sorted, b->rounds, sizeof(*sorted), rising);
    return sorted[b->rounds / 2];
}

/* The median of the ratios, each of one round: the machine was the same machine then. */
static double ratio(const struct bench *b, enum measure of, enum measure to)
{
    double sorted[ROUNDS_MAX];

    for (unsigned i = 0; i < b->rounds; i++)
        sorted[i] = b->rate[to][i] > 0 ? b->rate[of][i] / b->rate[to][i] : 0;
    qsort(sorted, b->rounds, sizeof(*sorted), rising);
    return sorted[b->rounds / 2];
}

static void show(const struct bench *b)
{
    double load = 0;

    (void)getloadavg(&load, 1);
    printf("MB/s (10^6), medians of %u rounds of %zu MiB in blocks of 256 KiB; load %.1f\n",
           b->rounds, b->blocks / 4, load);
    printf("%-22s %7s %7s %7s %12s %12s\n", "", "engine", "file", "fio", "engine:file",
           "engine:fio");
    printf("%-22s %7.0f %7.0f %7.0f %12.2f %12.2f\n", "write, made durable",
           median(b, ENGINE_WRITE), median(b, FILE_WRITE), median(b, FIO_WRITE),
           ratio(b, ENGINE_WRITE, FILE_WRITE), ratio(b, ENGINE_WRITE, FIO_WRITE));
    printf("%-22s %7.0f %7.0f %7s %12.2f\n", "read, from the cache", median(b, ENGINE_READ),
           median(b, FILE_READ), "", ratio(b, ENGINE_READ, FILE_READ));
    printf("%-22s %7.0f %7.0f %7s %12.2f\n", "read, from the disk", median(b, ENGINE_READ_COLD),
           median(b, FILE_READ_COLD), "", ratio(b, ENGINE_READ_COLD, FILE_READ_COLD));
}

/* Bytes that neither the disk nor anything on the way can compress. */
static void fill(uint8_t *block)
{
    uint64_t x = 88172645463325252u;

    for (size_t i = 0; i < BLOCK; i += 8) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(block + i, &x, 8);
    }
}

int main(int argc, char **argv)
{
    static struct bench b;
    unsigned long rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 5;
    int rc = 0;

    if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: stream_bench DIR [MIB [ROUNDS]]\n");
        return 2;
    }
    b.dir = argv[1];
    b.blocks = (argc > 2 ? strtoul(argv[2], NULL, 10) : 512) * 4;
    b.rounds = (unsigned)rounds;
    b.block = malloc(BLOCK);
    b.back = malloc(BLOCK);
    if (!b.block || !b.back || (mkdir(b.dir, 0700) != 0 && access(b.dir, W_OK) != 0)) {
        fprintf(stderr, "stream_bench: %s can't be used\n", b.dir);
        return 1;
    }
    fill(b.block);
    for (unsigned i = 0; rc == 0 && i < b.rounds; i++)
        rc = one_round(&b, i);
    if (rc)
        fprintf(stderr, "stream_bench: %s\n", b.err.message);
    else
        show(&b);
    free(b.block);
    free(b.back);
    return rc ? 1 : 0;
}
