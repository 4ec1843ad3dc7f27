/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_restore.c - restore any bytes: nothing outside of the destination changes.
 *
 * The destination lies beside a directory that must stay as it is; both are made anew for each
 * input, in memory where the machine has /dev/shm.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/restore/restore.h"
#include "tests/fuzz/stream_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)flag, (void)ftw;
    if (S_ISDIR(st->st_mode) && chmod(path, 0700) != 0)
        return 0;
    remove(path);
    return 0;
}

static int name_one(void *ctx, const char *path, const struct catalog_inode *inode)
{
    (void)ctx, (void)inode;
    require(path[0] != '\0' && path[0] != '/');
    return 0;
}

static void write_file(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    require(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    close(fd);
}

static void run(const char *url, const char *root, bool compare)
{
    struct restore_options options = {.destination = root, .compare = compare};
    struct restore_result result;
    struct error err = ERROR_INIT;
    struct tape *tape;
    int rc;

    require(tape_open(url, TAPE_READ, NULL, &tape, NULL) == 0);
    rc = restore_stream(&options, tape, 0, &result, &err);
    require(rc == 0 || err.message[0]);
    tape_close(tape);
}

static void list(const char *url)
{
    struct tape *tape;

    require(tape_open(url, TAPE_READ, NULL, &tape, NULL) == 0);
    restore_list(tape, 0, name_one, NULL, NULL);
    tape_close(tape);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char dir[64], root[80], secret[80], stream[80], url[100];
    struct stat before, after, dir_before, dir_after;
    struct stream_input in;

    snprintf(dir, sizeof(dir), "%s/capstan-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    require(mkdtemp(dir) != NULL);
    snprintf(root, sizeof(root), "%s/root", dir);
    snprintf(secret, sizeof(secret), "%s/secret", dir);
    snprintf(stream, sizeof(stream), "%s/stream", dir);
    snprintf(url, sizeof(url), "file:%s", stream);
    stream_input_read(data, size, &in);
    write_file(secret, "secret", 6);
    write_file(stream, in.blocks, in.count * STREAM_BLOCK);
    require(mkdir(root, 0700) == 0 && stat(secret, &before) == 0 && stat(dir, &dir_before) == 0);
    run(url, root, false);
    run(url, root, true);
    list(url);
    require(stat(secret, &after) == 0 && stat(dir, &dir_after) == 0);
    require(before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
            before.st_ctim.tv_nsec == after.st_ctim.tv_nsec && after.st_size == 6);
    require(dir_before.st_mtim.tv_nsec == dir_after.st_mtim.tv_nsec &&
            dir_before.st_nlink == dir_after.st_nlink);
    nftw(dir, remove_one, 20, FTW_DEPTH | FTW_PHYS);
    free(in.blocks);
    return 0;
}
