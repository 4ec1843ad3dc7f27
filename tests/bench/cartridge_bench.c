/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cartridge_bench.c - what a full cartridge costs: opening one of 68,700 segments after a crash,
 * locating in it, and filemarks by the hundred thousand.  Numbers to be read, not a test.
 *
 *   cartridge_bench make DIR [SEGMENTS]   a cartridge of 18 TB in DIR, its last segment left open
 *   cartridge_bench open DIR              open it for reading, for writing; locate in it
 *   cartridge_bench filemarks DIR [N]     N single filemarks on an empty cartridge in DIR
 *
 * The segments are full for the map, but each holds one RUN record: what an open reads is the
 * names, the map and the last segment.  For a cold open, put DIR on a file system that is mounted
 * anew between make and open.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vtl/cartridge/internal.h"

#define SEGMENTS 68700
#define BLOCK    262144u
#define PER_RUN  1000u /* 262 MB: as much as a segment has */
#define LAST_MIB 200   /* what the segment holds that a crash left open */
#define LOCATES  100000

static int fail(const struct error *err)
{
    fprintf(stderr, "cartridge_bench: %s\n", err->message);
    return 1;
}

static double seconds(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- making one ------------------------------------------------------------------------------ */

/* Segment number seq with one RUN; its entry for the map. */
static int make_segment(const char *where, const struct cartridge_identity *id, struct segment *seg,
                        const uint8_t *block, struct error *err)
{
    struct segment_header h = {.seq = seg->seq,
                               .epoch = seg->epoch,
                               .first_lba = seg->first.lba,
                               .first_used = seg->first.used};
    struct record r = {.type = RECORD_RUN,
                       .epoch = seg->epoch,
                       .lba = seg->first.lba,
                       .length = 512,
                       .stored = 512,
                       .count = PER_RUN,
                       .back = 8};
    uint8_t raw[SEGMENT_HEADER_SIZE + RECORD_HEADER_SIZE];
    char name[STORE_NAME_MAX + 1], path[4096];
    FILE *file;

    memcpy(h.uuid, id->uuid, sizeof(h.uuid));
    segment_header_encode(&h, raw);
    r.payload_crc = crc32c(block, 512);
    r.chain = record_chain(raw, SEGMENT_HEADER_SIZE, seg->epoch);
    record_encode(&r, raw + SEGMENT_HEADER_SIZE);
    seg->end = (struct place){seg->first.lba + PER_RUN, 0, seg->first.used + 512ull * PER_RUN};
    seg->records_end = sizeof(raw) + 512;
    segment_name(seg->seq, name);
    /* Not by the store: it keeps what was not synced open, and 68,700 syncs take their time. */
    snprintf(path, sizeof(path), "%s/%s", where, name);
    file = fopen(path, "w");
    if (!file || fwrite(raw, sizeof(raw), 1, file) != 1 || fwrite(block, 512, 1, file) != 1 ||
        fclose(file) != 0)
        return error_errno(err, "%s", path);
    return 0;
}

static int make_map(const char *where, struct store *s, const struct cartridge_identity *id,
                    size_t count, const uint8_t *block, struct error *err)
{
    struct super super = {.generation = 1, .map.division = division_whole(id)};
    struct place at = {0, 0, 0};
    int rc = 0;

    for (super.next_seq = 1; rc == 0 && super.next_seq <= count; super.next_seq++) {
        struct segment seg = {.seq = super.next_seq, .epoch = super.next_seq * 77, .first = at};

        rc = make_segment(where, id, &seg, block, err);
        if (rc == 0)
            rc = segment_list_add(&super.map.partition[0], &seg, err);
        at = seg.end;
    }
    if (rc == 0)
        rc = super_write(s, id->uuid, &super, err);
    super_free(&super);
    return rc;
}

/* A writer that begins a segment, syncs now and then, and is gone. */
static int leave_open(struct store *s, const uint8_t *block, struct error *err)
{
    struct cartridge *c;
    int rc = cartridge_open(s, CARTRIDGE_READ_WRITE, &c, err);

    if (rc)
        return rc;
    cartridge_locate_end(c);
    for (unsigned i = 0; rc == 0 && i < LAST_MIB * 4; i++) {
        rc = cartridge_write(c, block, BLOCK, NULL, err);
        if (rc == 0 && i % 64 == 0)
            rc = cartridge_sync(c, NULL, err);
    }
    return rc; /* not closed: it would seal */
}

static int make(const char *where, size_t count)
{
    static uint8_t block[BLOCK];
    struct cartridge_identity id;
    struct error err = ERROR_INIT;
    struct store *s;

    if (store_directory_open(where, true, &s, &err) ||
        cartridge_identity_default(&id, "BENCH1L9", 0x60, &err) || cartridge_create(s, &id, &err) ||
        make_map(where, s, &id, count, block, &err) || leave_open(s, block, &err))
        return fail(&err);
    printf("made: %zu segments, the last one open with %d MiB\n", count, LAST_MIB);
    return 0;
}

/* ---- measuring ------------------------------------------------------------------------------- */

static int open_once(const char *where, enum cartridge_mode mode, const char *what,
                     struct store **s, struct cartridge **c, struct error *err)
{
    double wall, cpu;
    int rc = store_directory_open(where, false, s, err);

    wall = seconds(CLOCK_MONOTONIC);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (rc == 0)
        rc = cartridge_open(*s, mode, c, err);
    if (rc == 0)
        printf("open for %s: %.1f ms, %.1f ms of CPU\n", what,
               (seconds(CLOCK_MONOTONIC) - wall) * 1e3,
               (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3);
    return rc;
}

static int locate_often(struct cartridge *c, const char *what, uint64_t step, struct error *err)
{
    struct cartridge_position pos;
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t lba = 1;
    int rc = 0;

    cartridge_tell(c, &pos);
    for (unsigned i = 0; rc == 0 && i < LOCATES; i++) {
        lba = (lba + step) % pos.eod_lba;
        rc = cartridge_locate(c, 0, lba, err);
    }
    printf("locate %s: %.2f us of CPU\n", what,
           (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e6 / LOCATES);
    return rc;
}

static int measure_open(const char *where)
{
    struct error err = ERROR_INIT;
    struct cartridge *c = NULL;
    struct store *s = NULL;
    int rc = open_once(where, CARTRIDGE_READ_ONLY, "reading", &s, &c, &err);

    if (rc)
        return fail(&err);
    cartridge_close(c);
    store_close(s);
    rc = open_once(where, CARTRIDGE_READ_WRITE, "writing, with recovery", &s, &c, &err);
    if (rc == 0)
        rc = locate_often(c, "to segments anywhere", 7919 * PER_RUN, &err);
    if (rc == 0)
        rc = locate_often(c, "near by", 1, &err);
    if (rc)
        return fail(&err);
    cartridge_close(c);
    store_close(s);
    rc = open_once(where, CARTRIDGE_READ_WRITE, "writing, again", &s, &c, &err);
    if (rc)
        return fail(&err);
    cartridge_close(c);
    store_close(s);
    return 0;
}

static int filemarks(const char *where, unsigned n)
{
    struct cartridge_identity id;
    struct error err = ERROR_INIT;
    struct cartridge *c;
    struct store *s;
    double from, tenth = 0;

    if (store_directory_open(where, true, &s, &err) ||
        cartridge_identity_default(&id, "MARKS1L8", 0x5e, &err) || cartridge_create(s, &id, &err) ||
        cartridge_open(s, CARTRIDGE_READ_WRITE, &c, &err))
        return fail(&err);
    from = seconds(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < n; i++) {
        if (cartridge_write_filemarks(c, 1, NULL, &err))
            return fail(&err);
        if (i == n / 10)
            tenth = seconds(CLOCK_MONOTONIC) - from;
    }
    printf("%u filemarks: %.2f us each; the first tenth %.2f us\n", n,
           (seconds(CLOCK_MONOTONIC) - from) * 1e6 / n, tenth * 1e7 / n);
    from = seconds(CLOCK_MONOTONIC);
    if (cartridge_sync(c, NULL, &err))
        return fail(&err);
    printf("their sync: %.1f ms\n", (seconds(CLOCK_MONOTONIC) - from) * 1e3);
    cartridge_close(c);
    store_close(s);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "make") == 0)
        return make(argv[2], argc > 3 ? strtoul(argv[3], NULL, 10) : SEGMENTS);
    if (argc > 2 && strcmp(argv[1], "open") == 0)
        return measure_open(argv[2]);
    if (argc > 2 && strcmp(argv[1], "filemarks") == 0)
        return filemarks(argv[2], argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 100000);
    fprintf(stderr, "usage: cartridge_bench make|open|filemarks DIR [NUMBER]\n");
    return 2;
}
