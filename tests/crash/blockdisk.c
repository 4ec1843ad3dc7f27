/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blockdisk.c - a disk for a loop device that remembers all that was written to it, in order.
 *
 * A file system of one file, MOUNTPOINT/disk.  Each write to it and each flush (what the block
 * layer makes of a barrier, a FUA write or an fsync) is appended to LOG; blockcut plays the log up
 * to any point again.  While the file FAULT exists, writes and flushes (it holds "w"), or flushes
 * only
 * ("f"), fail with EIO and do nothing: fsyncgate.
 *
 *   blockdisk MOUNTPOINT IMAGE LOG FAULT MIB
 *
 * It runs in the foreground until it is unmounted.  One thread: what the log says was written came
 * before what it says next.
 */
#define FUSE_USE_VERSION 34
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/crash/blocklog.h"

#define DISK_INODE 2

struct disk {
    int image, log;
    const char *fault;
    off_t size;
};

static struct disk *disk_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

static bool fails(const struct disk *d, bool write)
{
    int fd = open(d->fault, O_RDONLY | O_CLOEXEC);
    char kind = 0;
    bool failing;

    if (fd < 0)
        return false;
    failing = read(fd, &kind, 1) == 1 && (kind == 'w' || (kind == 'f' && !write) ||
                                          (kind == 'r' && write && random() % 4 == 0));
    close(fd);
    return failing;
}

static bool log_entry(const struct disk *d, const struct blocklog_entry *e, const void *data)
{
    struct iovec iov[2] = {{(void *)(uintptr_t)e, sizeof(*e)}, {(void *)(uintptr_t)data, e->len}};

    return writev(d->log, iov, e->len ? 2 : 1) == (ssize_t)(sizeof(*e) + e->len);
}

static void fill_stat(const struct disk *d, fuse_ino_t ino, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_ino = ino;
    st->st_nlink = 1;
    st->st_mode = ino == DISK_INODE ? S_IFREG | 0600 : S_IFDIR | 0700;
    st->st_size = ino == DISK_INODE ? d->size : 0;
}

static void disk_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param e = {.ino = DISK_INODE, .attr_timeout = 1, .entry_timeout = 1};

    if (parent != FUSE_ROOT_ID || strcmp(name, "disk") != 0) {
        fuse_reply_err(req, ENOENT);
        return;
    }
    fill_stat(disk_of(req), DISK_INODE, &e.attr);
    fuse_reply_entry(req, &e);
}

static void disk_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct stat st;

    (void)fi;
    fill_stat(disk_of(req), ino, &st);
    fuse_reply_attr(req, &st, 1);
}

static void disk_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    if (ino != DISK_INODE) {
        fuse_reply_err(req, EISDIR);
        return;
    }
    fi->direct_io = 1;
    fuse_reply_open(req, fi);
}

static void disk_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                      struct fuse_file_info *fi)
{
    void *buf = malloc(size);
    ssize_t got = buf ? pread(disk_of(req)->image, buf, size, off) : -1;

    (void)ino;
    (void)fi;
    if (got < 0)
        fuse_reply_err(req, EIO);
    else
        fuse_reply_buf(req, buf, (size_t)got);
    free(buf);
}

static void disk_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
                       struct fuse_file_info *fi)
{
    const struct disk *d = disk_of(req);
    struct blocklog_entry e = {.offset = (uint64_t)off, .len = (uint32_t)size};

    (void)ino;
    (void)fi;
    if (fails(d, true) || pwrite(d->image, buf, size, off) != (ssize_t)size ||
        !log_entry(d, &e, buf))
        fuse_reply_err(req, EIO);
    else
        fuse_reply_write(req, size);
}

static void disk_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    const struct disk *d = disk_of(req);
    struct blocklog_entry e = {.flush = 1};

    (void)ino;
    (void)datasync;
    (void)fi;
    fuse_reply_err(req, fails(d, false) || !log_entry(d, &e, NULL) ? EIO : 0);
}

static const struct fuse_lowlevel_ops operations = {
    .lookup = disk_lookup,
    .getattr = disk_getattr,
    .open = disk_open,
    .read = disk_read,
    .write = disk_write,
    .fsync = disk_fsync,
};

static int serve(struct disk *d, const char *mountpoint)
{
    char *argv[] = {(char[]){"blockdisk"}, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(1, argv);
    struct fuse_session *se = fuse_session_new(&args, &operations, sizeof(operations), d);
    int rc = 1;

    if (se && fuse_session_mount(se, mountpoint) == 0) {
        rc = fuse_set_signal_handlers(se);
        if (rc == 0)
            rc = fuse_session_loop(se);
        fuse_session_unmount(se);
    }
    if (se)
        fuse_session_destroy(se);
    fuse_opt_free_args(&args);
    return rc != 0;
}

int main(int argc, char **argv)
{
    struct disk d;

    if (argc != 6) {
        fprintf(stderr, "usage: blockdisk MOUNTPOINT IMAGE LOG FAULT MIB\n");
        return 2;
    }
    d.image = open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    d.log = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    d.fault = argv[4];
    d.size = (off_t)strtol(argv[5], NULL, 10) << 20;
    if (d.image < 0 || d.log < 0 || ftruncate(d.image, d.size) != 0) {
        perror("blockdisk");
        return 1;
    }
    return serve(&d, argv[1]);
}
