/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.c - main() of the fuzz targets in builds without libFuzzer, so that any compiler and
 * `make check` replay what the fuzzers found.
 *
 *   fuzz_NAME                    every file of tests/fuzz/corpus/fuzz_NAME, and of each also
 *                                MUTATIONS_PER_FILE damaged versions, always the same ones
 *   fuzz_NAME FILE|DIRECTORY...  exactly these inputs, directories wholly
 *
 * Invariants:
 *   1. An input is handed over in a heap block of exactly its size, so that the address sanitizer
 *      sees a read of one byte too many.
 *   2. The input being run is in the file fuzz_NAME.input of the working directory, which is
 *      removed only after the last input came back: after a crash it is what to look at.
 *   3. A run without any input fails: it would prove nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

#define INPUT_MAX          ((size_t)16 * 1024 * 1024)
#define INPUT_SECONDS_MAX  60 /* one input; SIGALRM then ends the program */
#define MUTATIONS_PER_FILE 64
#define PATH_SIZE          4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

struct run {
    char input_path[PATH_SIZE]; /* fuzz_NAME.input */
    uint8_t *shown;             /* that file, mapped: INPUT_MAX bytes */
    int shown_fd;
    unsigned mutations; /* damaged versions of each file */
    size_t files, inputs;
};

/* xorshift64*: damage is the same on every machine and in every run. */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dULL;
}

static void run_input(struct run *run, const uint8_t *data, size_t size)
{
    CLEANUP_FREE uint8_t *exact = malloc(size ? size : 1);

    if (!exact || ftruncate(run->shown_fd, (off_t)size) != 0)
        abort();
    if (size) {
        memcpy(exact, data, size);
        memcpy(run->shown, data, size);
    }
    alarm(INPUT_SECONDS_MAX);
    LLVMFuzzerTestOneInput(exact, size);
    alarm(0);
    run->inputs++;
}

static void damage_flip(uint8_t *data, size_t *size, uint64_t r)
{
    data[r % *size] ^= (uint8_t)(1u << ((r >> 32) & 7));
}

static void damage_byte(uint8_t *data, size_t *size, uint64_t r)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};

    data[r % *size] = edges[(r >> 32) % sizeof(edges)];
}

static void damage_word(uint8_t *data, size_t *size, uint64_t r)
{
    size_t width = (size_t)1 << ((r >> 32) & 3);
    size_t at = r % *size;

    for (size_t i = at; i < *size && i < at + width; i++)
        data[i] = (r >> 40) & 1 ? 0xff : 0x00;
}

static void damage_cut(uint8_t *data, size_t *size, uint64_t r)
{
    (void)data;
    *size = r % *size;
}

static void damage_remove(uint8_t *data, size_t *size, uint64_t r)
{
    size_t at = r % *size;
    size_t gone = 1 + (r >> 32) % (*size - at);

    memmove(data + at, data + at + gone, *size - at - gone);
    *size -= gone;
}

static void damage_copy(uint8_t *data, size_t *size, uint64_t r)
{
    size_t from = r % *size, to = (r >> 32) % *size;
    size_t len = *size - (from > to ? from : to);

    memmove(data + to, data + from, len < 64 ? len : 64);
}

static void (*const damages[])(uint8_t *data, size_t *size, uint64_t r) = {
    damage_flip, damage_byte, damage_word, damage_cut, damage_remove, damage_copy,
};

/* Run damaged versions of the input, each with one to four faults. */
static void run_mutations(struct run *run, const uint8_t *data, size_t size)
{
    CLEANUP_FREE uint8_t *copy = malloc(size ? size : 1);
    uint64_t state = 0x9e3779b97f4a7c15ULL ^ size;

    if (!copy)
        abort();
    for (unsigned m = 0; size && m < run->mutations; m++) {
        size_t len = size;
        uint64_t faults = 1 + random_next(&state) % 4;

        memcpy(copy, data, size);
        for (uint64_t f = 0; f < faults && len > 0; f++) {
            uint64_t kind = random_next(&state) % (sizeof(damages) / sizeof(damages[0]));

            damages[kind](copy, &len, random_next(&state));
        }
        run_input(run, copy, len);
    }
}

static int run_file(struct run *run, const char *path)
{
    CLEANUP_FREE uint8_t *data = malloc(INPUT_MAX);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    ssize_t n;

    if (!data || fd < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    while (size < INPUT_MAX && (n = read(fd, data + size, INPUT_MAX - size)) != 0) {
        if (n < 0) {
            fprintf(stderr, "%s: %s\n", path, strerror(errno));
            return -1;
        }
        size += (size_t)n;
    }
    run_input(run, data, size);
    run_mutations(run, data, size);
    run->files++;
    return 0;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int run_path(struct run *run, const char *path);

static int run_directory(struct run *run, const char *path)
{
    struct dirent **names = NULL;
    int count = scandir(path, &names, not_hidden, alphasort), rc = 0;

    if (count < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    for (int i = 0; i < count; i++) {
        char child[PATH_SIZE];
        int len = snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name);

        if (len < 0 || (size_t)len >= sizeof(child) || run_path(run, child) != 0)
            rc = -1;
        free(names[i]);
    }
    free(names);
    return rc;
}

static int run_path(struct run *run, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    return S_ISDIR(st.st_mode) ? run_directory(run, path) : run_file(run, path);
}

static int run_corpus(struct run *run, const char *name)
{
    const char *srcdir = getenv("CAPSTAN_SRCDIR");
    char path[PATH_SIZE];

    snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", name);
    run->mutations = MUTATIONS_PER_FILE;
    return run_path(run, path);
}

static int run_open(struct run *run, const char *name)
{
    snprintf(run->input_path, sizeof(run->input_path), "%s.input", name);
    run->shown_fd = open(run->input_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (run->shown_fd < 0) {
        fprintf(stderr, "%s: %s\n", run->input_path, strerror(errno));
        return -1;
    }
    /* Mapped once at full size; bytes are touched only where the file has them. */
    run->shown = mmap(NULL, INPUT_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, run->shown_fd, 0);
    return run->shown == MAP_FAILED ? -1 : 0;
}

int main(int argc, char **argv)
{
    struct run run = {.shown_fd = -1};
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash ? slash + 1 : argv[0];
    int rc = 0;

    if (run_open(&run, name) != 0)
        return 1;
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    if (argc < 2)
        rc = run_corpus(&run, name);
    for (int i = 1; i < argc; i++)
        rc |= run_path(&run, argv[i]);
    munmap(run.shown, INPUT_MAX);
    close(run.shown_fd);
    unlink(run.input_path);
    printf("%s: %zu files, %zu inputs\n", name, run.files, run.inputs);
    if (run.files == 0)
        fprintf(stderr, "%s: there was no input to run\n", name);
    return rc != 0 || run.files == 0;
}
