/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blockcut.c - power cuts below a real file system.
 *
 *   blockcut work DIR LOG ACKS SEED SYNCS [FAULT]
 *       Do random tape work on a cartridge in DIR, which is on a file system on blockdisk's disk
 *       that writes LOG.  ACKS receives each state of the tape that a cut may leave, and each that
 *       it must, with the length of LOG at that time.  With FAULT, that file is made now and then,
 *       for a while: writes and flushes fail.
 *   blockcut replay LOG ACKS MIB FSTYPE CUTS SEED [FSCK...]
 *       For each of so many points of LOG, half of them flushes: make the disk as a power cut at
 * that point leaves it (all up to the last flush, of what is behind it some, some torn), mount it,
 * open the cartridge, and compare with what ACKS says of that moment.  FSCK is run on every eighth,
 * unmounted.  The last point is the end of the log.
 *
 * replay needs to be root with loop devices.  The exit status is 77 if they can't be had.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/crash/blocklog.h"
#include "tests/crash/life.h"

#define SECTOR     512
#define CHUNK      (64u << 10)
#define CAPACITY   (UINT64_C(1) << 30)
#define ACKS_MAX   200000
#define FAULTS_MAX 30 /* errors in a row; then the file system is taken for dead */

static uint64_t rng;

static uint64_t rnd(uint64_t below)
{
    uint64_t z = rng += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return below ? (z ^ z >> 31) % below : 0;
}

static void die(const char *what)
{
    perror(what);
    exit(99);
}

/* What the workload wrote down: a state that became possible, or certain. */
struct ack {
    uint64_t hash, log_len;
    char kind; /* 'p', 'c' */
};

/* ---- work ------------------------------------------------------------------------------------ */

struct work {
    FILE *acks;
    const char *log, *fault;
    unsigned errors_in_a_row;
    int faulty_for; /* operations */
    bool dead;
    uint64_t done; /* operations */
};

static void write_ack(struct life *l, uint64_t hash, bool certain)
{
    struct work *w = l->context;
    struct stat st;

    if (stat(w->log, &st) != 0)
        die(w->log);
    fprintf(w->acks, "%c %llx %llu\n", certain ? 'c' : 'p', (unsigned long long)hash,
            (unsigned long long)st.st_size);
    w->errors_in_a_row = 0;
}

static void set_fault(struct work *w, const char *kind)
{
    FILE *f;

    if (!kind) {
        (void)unlink(w->fault);
        return;
    }
    f = fopen(w->fault, "we");
    if (!f || fputs(kind, f) < 0 || fclose(f) != 0)
        die(w->fault);
}

static void on_error(struct life *l)
{
    struct work *w = l->context;

    set_fault(w, NULL);
    w->faulty_for = 0;
    if (++w->errors_in_a_row < FAULTS_MAX)
        return;
    w->dead = true;
    life_violation(l, "the file system is dead");
}

static size_t room(const struct life *l)
{
    return TAPE_OBJECTS_MAX - l->now.part[l->partition].count;
}

static void one_operation(struct life *l)
{
    static const uint64_t halves[2] = {CAPACITY / 2, CAPACITY / 2};
    uint64_t pick = rnd(100);

    if (room(l) < 10) {
        life_locate(l, l->partition, 0);
        life_write(l, 0);
    } else if (pick < 60) {
        life_locate_end(l, l->partition);
        life_write(l, 0);
    } else if (pick < 68) {
        life_locate_end(l, l->partition);
        life_filemarks(l, 1);
    } else if (pick < 88) {
        life_sync(l);
    } else if (pick < 92) {
        life_locate(l, l->partition, rnd(l->now.part[l->partition].count + 1));
        life_write(l, 0);
    } else if (pick < 94) {
        life_locate(l, l->partition, rnd(l->now.part[l->partition].count + 1));
        life_erase(l);
    } else if (pick < 96) {
        life_attribute(l, rnd(UINT64_MAX));
    } else if (pick < 98) {
        life_sync(l);
        life_reopen(l);
    } else if (rnd(8) == 0) {
        life_format(l, halves, 1 + (unsigned)rnd(2));
    } else {
        life_locate_end(l, (uint32_t)rnd(l->now.partitions));
    }
}

static void fault_now_and_then(struct work *w)
{
    if (!w->fault)
        return;
    if (w->faulty_for > 0 && --w->faulty_for == 0)
        set_fault(w, NULL);
    else if (w->faulty_for == 0 && rnd(15) == 0) {
        static const char *const kinds[] = {"w", "f", "r", "r", "r", "r"};

        set_fault(w, kinds[rnd(6)]);
        w->faulty_for = 1 + (int)rnd(8);
    }
}

static void make_cartridge(struct life *l, const char *dir)
{
    struct cartridge_identity id;
    struct error err = ERROR_INIT;

    if (store_directory_open(dir, true, &l->store, &err) != 0 ||
        cartridge_identity_default(&id, "BLOCK1L8", 0x5e, &err) != 0)
        life_violation(l, "%s", err.message);
    id.segment_size = 1 << 18;
    id.capacity = CAPACITY;
    id.early_warning = 0;
    id.limbo_bytes = 2 << 20;
    life_create(l, &id);
}

static int work(int argc, char **argv)
{
    struct life *l = calloc(1, sizeof(*l));
    struct work w = {.log = argv[3], .fault = argc > 7 ? argv[7] : NULL};
    uint64_t syncs = strtoull(argv[6], NULL, 0);
    bool failed;

    if (!l || !(w.acks = fopen(argv[4], "we")))
        die(argv[4]);
    rng = strtoull(argv[5], NULL, 0);
    l->context = &w;
    l->on_state = write_ack;
    l->on_error = w.fault ? on_error : NULL;
    l->next_id = 1;
    if (setjmp(l->violated) == 0) {
        make_cartridge(l, argv[2]);
        for (; w.done < syncs * 5; w.done++) {
            fault_now_and_then(&w);
            one_operation(l);
        }
    }
    if (w.fault)
        set_fault(&w, NULL);
    life_close(l);
    store_close(l->store);
    printf("work: %llu operations, %llu errors told%s%s\n", (unsigned long long)w.done,
           (unsigned long long)l->errors_met, l->violation[0] ? "; " : "", l->violation);
    failed = fclose(w.acks) != 0 || (l->violation[0] && !w.dead);
    free(l);
    return failed;
}

/* ---- the log --------------------------------------------------------------------------------- */

struct replay {
    int log, base, scratch;
    uint64_t size;    /* of the disk */
    uint64_t at;      /* base holds the log up to here, which is a flush or the beginning */
    uint8_t *touched; /* chunks of base that are not all zero */
    struct ack *acks;
    size_t ack_count, first_ack; /* ... of which the first certain one */
    char device[32], work[200];
    const char *fstype;
    char **fsck;
    uint64_t mounts, checks;
};

static bool read_entry(const struct replay *r, uint64_t at, struct blocklog_entry *e)
{
    return pread(r->log, e, sizeof(*e), (off_t)at) == (ssize_t)sizeof(*e);
}

static uint64_t entry_end(uint64_t at, const struct blocklog_entry *e)
{
    return at + sizeof(*e) + e->len;
}

static void copy_bytes(int from, uint64_t from_at, int to, uint64_t to_at, size_t len)
{
    static uint8_t buf[1 << 20];

    while (len > 0) {
        size_t n = len < sizeof(buf) ? len : sizeof(buf);

        if (pread(from, buf, n, (off_t)from_at) != (ssize_t)n ||
            pwrite(to, buf, n, (off_t)to_at) != (ssize_t)n)
            die("copying blocks");
        from_at += n;
        to_at += n;
        len -= n;
    }
}

/* Let base be the log up to the last flush at or before `to`; *pending is where that ends. */
static void advance_base(struct replay *r, uint64_t to)
{
    struct blocklog_entry e;
    uint64_t at = r->at, flushed = r->at;

    for (; read_entry(r, at, &e) && entry_end(at, &e) <= to; at = entry_end(at, &e))
        if (e.flush)
            flushed = entry_end(at, &e);
    for (at = r->at; at < flushed; at = entry_end(at, &e)) {
        if (!read_entry(r, at, &e))
            die("the log");
        if (e.flush)
            continue;
        copy_bytes(r->log, at + sizeof(e), r->base, e.offset, e.len);
        for (uint64_t c = e.offset / CHUNK; c <= (e.offset + e.len - 1) / CHUNK; c++)
            r->touched[c] = 1;
    }
    r->at = flushed;
}

/* What was written behind the last flush: any part of it may be there. */
static void add_some(const struct replay *r, uint64_t to)
{
    struct blocklog_entry e;
    uint64_t how = rnd(4); /* nothing, all, a prefix in order, any */

    for (uint64_t at = r->at; read_entry(r, at, &e) && entry_end(at, &e) <= to;
         at = entry_end(at, &e)) {
        uint64_t sectors = e.len / SECTOR, from = 0, n = sectors;

        if (how == 0 || (how == 3 && rnd(2)))
            continue;
        if (how == 3 && rnd(4) == 0)
            n = rnd(sectors + 1);
        if (how == 3 && rnd(4) == 0)
            from = rnd(n + 1);
        copy_bytes(r->log, at + sizeof(e) + from * SECTOR, r->scratch, e.offset + from * SECTOR,
                   (size_t)(n - from) * SECTOR);
        if (how == 2 && rnd(8) == 0)
            break;
    }
}

static void make_disk(struct replay *r, uint64_t to)
{
    advance_base(r, to);
    if (ftruncate(r->scratch, 0) != 0 || ftruncate(r->scratch, (off_t)r->size) != 0)
        die("the scratch disk");
    for (uint64_t c = 0; c < r->size / CHUNK; c++)
        if (r->touched[c])
            copy_bytes(r->base, c * CHUNK, r->scratch, c * CHUNK, CHUNK);
    add_some(r, to);
}

/* ---- mounting -------------------------------------------------------------------------------- */

static int attach(struct replay *r)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), fd, n;

    for (int i = 0; control >= 0 && i < 50; i++) {
        n = ioctl(control, LOOP_CTL_GET_FREE);
        snprintf(r->device, sizeof(r->device), "/dev/loop%d", n);
        fd = n < 0 ? -1 : open(r->device, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && ioctl(fd, LOOP_SET_FD, r->scratch) == 0) {
            close(control);
            return fd;
        }
        if (fd >= 0)
            close(fd);
        usleep(10000); /* somebody else took it */
    }
    printf("no loop device can be had: %s\n", strerror(errno));
    exit(77);
}

static void detach(int fd)
{
    (void)ioctl(fd, LOOP_CLR_FD, 0);
    close(fd);
}

static bool run_fsck(const struct replay *r)
{
    char *argv[8] = {NULL};
    int status = 0, n = 0;
    pid_t pid;

    while (r->fsck[n] && n < 6) {
        argv[n] = r->fsck[n];
        n++;
    }
    argv[n] = (char *)(uintptr_t)r->device;
    pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);

        dup2(null, 1);
        dup2(null, 2);
        execvp(argv[0], argv);
        _exit(99);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        die("fsck");
    return status == 0;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static bool allowed(const struct replay *r, uint64_t hash, uint64_t point, size_t *last)
{
    size_t i = r->first_ack, from;

    for (from = i; i < r->ack_count && r->acks[i].log_len <= point; i++)
        if (r->acks[i].kind == 'c')
            from = i;
    *last = from;
    for (i = from; i < r->ack_count; i++) {
        if (r->acks[i].hash == hash)
            return true;
        if (r->acks[i].log_len > point && r->acks[i].kind == 'c')
            break; /* the operation under way at that moment ended so */
    }
    return false;
}

static bool compare(struct replay *r, uint64_t point)
{
    static struct medium found;
    struct store *store = NULL;
    struct cartridge *c = NULL;
    struct error err = ERROR_INIT;
    char path[300], why[300] = "";
    uint64_t blocks = 0;
    size_t last;
    bool good = false;

    snprintf(path, sizeof(path), "%s/mnt/cart", r->work);
    if (store_directory_open(path, false, &store, &err) == 0 &&
        cartridge_open(store, CARTRIDGE_READ_WRITE, &c, &err) == 0 &&
        medium_read(c, TAPE_NUMBER, &found, &blocks, why) == 0) {
        good = allowed(r, medium_hash(&found), point, &last);
        if (!good)
            printf("  %zu objects in %u partitions: no state of the tape since it was synced\n",
                   medium_count(&found), found.partitions);
        r->checks += blocks;
    } else {
        printf("  %s\n", why[0] ? why : err.message);
    }
    cartridge_close(c);
    store_close(store);
    return good;
}

static bool cut_at(struct replay *r, uint64_t point, bool fsck)
{
    char path[300];
    bool good;
    int fd;

    make_disk(r, point);
    fd = attach(r);
    snprintf(path, sizeof(path), "%s/mnt", r->work);
    if (mount(r->device, path, r->fstype, 0, NULL) != 0) {
        printf("cut at %llu: it can't be mounted: %s\n", (unsigned long long)point,
               strerror(errno));
        detach(fd);
        return false;
    }
    r->mounts++;
    good = compare(r, point);
    if (umount(path) != 0)
        die("umount");
    if (good && fsck && r->fsck[0] && !run_fsck(r)) {
        printf("  %s objects\n", r->fsck[0]);
        good = false;
    }
    detach(fd);
    if (!good)
        printf("cut at %llu of the log\n", (unsigned long long)point);
    return good;
}

/* ---- the points ------------------------------------------------------------------------------ */

static void read_acks(struct replay *r, const char *path)
{
    FILE *f = fopen(path, "re");
    unsigned long long hash, len;
    char kind;

    r->acks = calloc(ACKS_MAX, sizeof(*r->acks));
    if (!f || !r->acks)
        die(path);
    while (r->ack_count < ACKS_MAX && fscanf(f, " %c %llx %llu", &kind, &hash, &len) == 3)
        r->acks[r->ack_count++] = (struct ack){hash, len, kind};
    fclose(f);
    while (r->first_ack < r->ack_count && r->acks[r->first_ack].kind != 'c')
        r->first_ack++;
    if (r->first_ack == r->ack_count)
        die("no acknowledgement");
}

/* Ends of entries behind the first acknowledgement: flushes into one list, all into the other. */
struct points {
    uint64_t *flushes, *all;
    size_t flush_count, all_count;
};

static void find_points(const struct replay *r, struct points *p)
{
    struct blocklog_entry e;
    uint64_t begin = r->acks[r->first_ack].log_len;
    size_t n = 0;

    for (uint64_t at = 0; read_entry(r, at, &e); at = entry_end(at, &e))
        n++;
    p->flushes = calloc(n + 1, sizeof(uint64_t));
    p->all = calloc(n + 1, sizeof(uint64_t));
    if (!p->flushes || !p->all)
        die("memory");
    for (uint64_t at = 0; read_entry(r, at, &e); at = entry_end(at, &e)) {
        uint64_t end = entry_end(at, &e);

        if (end < begin)
            continue;
        p->all[p->all_count++] = end;
        if (e.flush)
            p->flushes[p->flush_count++] = end;
    }
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* Half of them flushes, spread evenly; the others anywhere; in order, as base only goes on. */
static uint64_t *choose_points(const struct points *p, size_t count)
{
    uint64_t *chosen = calloc(count + 1, sizeof(*chosen));

    if (!chosen)
        die("memory");
    for (size_t i = 0; i < count; i++)
        chosen[i] = i % 2 && p->flush_count ? p->flushes[i * p->flush_count / count]
                                            : p->all[rnd(p->all_count)];
    chosen[count - 1] = p->all[p->all_count - 1];
    qsort(chosen, count, sizeof(*chosen), by_value);
    return chosen;
}

static void open_all(struct replay *r, char **argv)
{
    char path[300];

    snprintf(r->work, sizeof(r->work), "%s.d", argv[2]);
    r->size = strtoull(argv[4], NULL, 0) << 20;
    r->touched = calloc(1, (size_t)(r->size / CHUNK) + 1);
    r->log = open(argv[2], O_RDONLY | O_CLOEXEC);
    (void)mkdir(r->work, 0700);
    snprintf(path, sizeof(path), "%s/mnt", r->work);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/base", r->work);
    r->base = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    snprintf(path, sizeof(path), "%s/scratch", r->work);
    r->scratch = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (!r->touched || r->log < 0 || r->base < 0 || r->scratch < 0 ||
        ftruncate(r->base, (off_t)r->size) != 0)
        die(path);
}

static int replay(char **argv)
{
    struct replay r = {.fstype = argv[5], .fsck = argv + 8};
    struct points p = {0};
    size_t count = strtoul(argv[6], NULL, 0), failed = 0;
    uint64_t *chosen;
    time_t since = time(NULL);

    rng = strtoull(argv[7], NULL, 0);
    open_all(&r, argv);
    read_acks(&r, argv[3]);
    find_points(&r, &p);
    chosen = choose_points(&p, count);
    for (size_t i = 0; i < count && failed < 10; i++)
        failed += !cut_at(&r, chosen[i], i % 8 == 0 || i + 1 == count);
    printf("%s: %llu cuts (of %zu flushes and %zu writes), %llu mounted, %llu blocks compared, %zu "
           "wrong, %ld s\n",
           r.fstype, (unsigned long long)count, p.flush_count, p.all_count - p.flush_count,
           (unsigned long long)r.mounts, (unsigned long long)r.checks, failed,
           (long)(time(NULL) - since));
    free(chosen);
    free(p.all);
    free(p.flushes);
    free(r.acks);
    free(r.touched);
    return failed != 0;
}

int main(int argc, char **argv)
{
    log_set_level(LOG_LEVEL_ERROR);
    if (argc >= 7 && strcmp(argv[1], "work") == 0)
        return work(argc, argv);
    if (argc >= 8 && strcmp(argv[1], "replay") == 0)
        return replay(argv);
    fprintf(stderr, "usage: blockcut work DIR LOG ACKS SEED SYNCS [FAULT]\n"
                    "       blockcut replay LOG ACKS MIB FSTYPE CUTS SEED [FSCK...]\n");
    return 2;
}
