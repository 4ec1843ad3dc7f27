/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec_bench.c - what compression, encryption and protection cost, beside the store that they
 * feed.
 *
 *   codec_bench DIRECTORY [MIB [ROUNDS]]
 *
 * In each round, one after the other, MIB mebibytes in blocks of 256 KiB go through each row of the
 * table, and into a new cartridge in DIRECTORY as they are and as a drive stores them; medians of
 * all rounds are printed in MB/s (10^6 bytes of the host's), by the clock and by the processor's
 * time, which says on a busy machine what a quiet one would do; and the bytes stored of 1000. Data:
 * text, as made of a few hundred words; half text, half random bytes, in turn by 4 KiB; random
 * bytes.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "vtl/cartridge/codec.h"
#include "vtl/cartridge/protection.h"

enum { BLOCK = 262144, POOL = 64, ROUNDS_MAX = 25, DENSITY_LTO_8 = 0x5e };
enum data { TEXT, HALF, RANDOM, KINDS };

static uint8_t *pool[KINDS]; /* POOL blocks each */
static uint64_t state = 88172645463325252u;

static uint64_t random_next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 2685821657736338717u;
}

static void fill(uint8_t *p, size_t len, bool text)
{
    char word[300][12];

    for (size_t i = 0; i < 300; i++)
        snprintf(word[i], sizeof(word[i]), "%.*s ", (int)(2 + i % 8), &"etaoinshrdlu"[i % 5]);
    for (size_t at = 0; at < len;) {
        uint64_t r = random_next();
        const char *w = word[(r >> 20) % 300];

        if (!text) {
            p[at++] = (uint8_t)(r >> 32);
            continue;
        }
        while (*w && at < len)
            p[at++] = (uint8_t)*w++;
    }
}

static void make_data(void)
{
    for (enum data d = 0; d < KINDS; d++) {
        pool[d] = malloc((size_t)POOL * BLOCK);
        for (size_t at = 0; at < (size_t)POOL * BLOCK; at += 4096)
            fill(pool[d] + at, 4096, d == TEXT || (d == HALF && at / 4096 % 2));
    }
}

static double now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fail(const struct error *err)
{
    fprintf(stderr, "codec_bench: %s\n", err->message);
    exit(1);
}

/* ---- what is measured ------------------------------------------------------------------------ */

struct row {
    const char *name;
    enum data data;
    enum cartridge_compression compression;
    bool encrypt, store;
    enum protection_method protection; /* alone: only the CRC is made */
    double rate[ROUNDS_MAX], cpu[ROUNDS_MAX];
    uint64_t stored;
};

static struct row rows[] = {
    {.name = "store, as it is", .data = RANDOM, .store = true},
    {.name = "store, LZ4, random", .data = RANDOM, .compression = CARTRIDGE_LZ4, .store = true},
    {.name = "store, LZ4, half", .data = HALF, .compression = CARTRIDGE_LZ4, .store = true},
    {.name = "store, LZ4, text", .data = TEXT, .compression = CARTRIDGE_LZ4, .store = true},
    {.name = "store, LZ4, text, AES",
     .data = TEXT,
     .compression = CARTRIDGE_LZ4,
     .encrypt = true,
     .store = true},
    {.name = "store, AES, random", .data = RANDOM, .encrypt = true, .store = true},
    {.name = "LZ4, random", .data = RANDOM, .compression = CARTRIDGE_LZ4},
    {.name = "LZ4, half", .data = HALF, .compression = CARTRIDGE_LZ4},
    {.name = "LZ4, text", .data = TEXT, .compression = CARTRIDGE_LZ4},
    {.name = "zstd, random", .data = RANDOM, .compression = CARTRIDGE_ZSTD},
    {.name = "zstd, text", .data = TEXT, .compression = CARTRIDGE_ZSTD},
    {.name = "AES-256-GCM", .data = RANDOM, .encrypt = true},
    {.name = "Reed-Solomon CRC", .data = RANDOM, .protection = PROTECTION_RS_CRC},
    {.name = "CRC32C", .data = RANDOM, .protection = PROTECTION_CRC32C},
};

static void open_tape(const char *dir, struct store **store, struct cartridge **tape)
{
    struct cartridge_identity id;
    struct error err = ERROR_INIT;

    if (store_directory_open(dir, true, store, &err) ||
        cartridge_identity_default(&id, "BENCH0L8", DENSITY_LTO_8, &err) ||
        cartridge_create(*store, &id, &err) ||
        cartridge_open(*store, CARTRIDGE_READ_WRITE, tape, &err))
        fail(&err);
}

static void run(struct row *r, struct codec *c, struct codec_key *key, struct cartridge *tape,
                unsigned blocks)
{
    struct error err = ERROR_INIT;
    volatile uint32_t crc = 0;

    r->stored = 0;
    for (unsigned i = 0; i < blocks; i++) {
        const uint8_t *plain = pool[r->data] + (size_t)(i % POOL) * BLOCK;
        struct cartridge_block block = {.length = BLOCK};
        const void *stored;

        if (r->protection) {
            crc = crc ^ protection_crc(r->protection, plain, BLOCK);
            r->stored += BLOCK;
            continue;
        }
        if (codec_encode(c, r->compression, r->encrypt ? key : NULL, plain, &block, &stored, &err))
            fail(&err);
        r->stored += block.stored;
        if (tape && cartridge_write_block(tape, &block, stored, NULL, &err))
            fail(&err);
    }
    if (tape && cartridge_sync(tape, NULL, &err))
        fail(&err);
}

static void measure(struct row *r, const char *top, unsigned round, unsigned blocks)
{
    static const uint8_t bytes[CODEC_KEY_SIZE] = "a key";
    static const struct codec_kads none;
    struct error err = ERROR_INIT;
    struct codec *c = codec_new(&err);
    struct codec_key *key = codec_key_new(bytes, &none, false, &err);
    struct cartridge *tape = NULL;
    struct store *store = NULL;
    char dir[4096];
    double began, worked;

    if (!c || !key)
        fail(&err);
    snprintf(dir, sizeof(dir), "%s/tape%td.%u", top, r - rows, round);
    if (r->store)
        open_tape(dir, &store, &tape);
    began = now(CLOCK_MONOTONIC);
    worked = now(CLOCK_PROCESS_CPUTIME_ID);
    run(r, c, key, tape, blocks);
    r->cpu[round] = (double)blocks * BLOCK / (now(CLOCK_PROCESS_CPUTIME_ID) - worked) / 1e6;
    r->rate[round] = (double)blocks * BLOCK / (now(CLOCK_MONOTONIC) - began) / 1e6;
    cartridge_close(tape);
    store_close(store);
    codec_key_free(key);
    codec_free(c);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    unsigned mib = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 256;
    unsigned rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 5;
    const size_t count = sizeof(rows) / sizeof(rows[0]);

    if (argc < 2 || mib < 1 || rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: codec_bench DIRECTORY [MIB [ROUNDS]]\n");
        return 2;
    }
    make_data();
    for (unsigned round = 0; round < rounds; round++) {
        for (size_t i = 0; i < count; i++)
            measure(&rows[i], argv[1], round, mib * 4);
    }
    for (size_t i = 0; i < count; i++) {
        qsort(rows[i].rate, rounds, sizeof(double), by_size);
        qsort(rows[i].cpu, rounds, sizeof(double), by_size);
        printf("%-24s %6.0f MB/s (%.0f..%.0f), of processor time %6.0f, stored %4.0f of 1000\n",
               rows[i].name, rows[i].rate[rounds / 2], rows[i].rate[0], rows[i].rate[rounds - 1],
               rows[i].cpu[rounds / 2],
               1000.0 * (double)rows[i].stored / ((double)mib * 4 * BLOCK));
    }
    for (enum data d = 0; d < KINDS; d++)
        free(pool[d]);
    return 0;
}
