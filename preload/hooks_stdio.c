/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks_stdio.c - see hooks.c: streams of stdio on a device.
 *
 * What stdio does inside of libc does not pass the hooks of read and write.  So a stream of a
 * device is one of fopencookie(3), whose functions are those hooks; fileno() tells its descriptor.
 * A standard stream that is a device as the program starts becomes such a one, too.  A stream that
 * got a device's descriptor later, by dup2, meets one that can't be written to (device.h), never
 * the wrong file.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/checked.h"
#include "preload/device.h"
#include "preload/hook.h"
#include "preload/preload.h"

#define STREAMS_MAX 64
#define WRITES      4096        /* st's block size of stat(2), which stdio goes by */
#define READS       (256 << 10) /* stdio would read large pieces past its buffer, a cookie's not */

static struct {
    pthread_mutex_t lock;
    struct {
        FILE *stream;
        int fd;
        char *buffer; /* setvbuf(3) keeps to a size only if it is given the room; owned */
    } of[STREAMS_MAX];
} streams = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The slot of a stream, or a free one for NULL; -1: none.  The lock is held. */
static int slot_of(const FILE *stream)
{
    for (int i = 0; i < STREAMS_MAX; i++)
        if (streams.of[i].stream == stream)
            return i;
    return -1;
}

/* The descriptor of one of our streams, else -1. */
static int stream_fd(FILE *stream)
{
    int slot, fd = -1;

    if (!device_active() || !stream)
        return -1;
    pthread_mutex_lock(&streams.lock);
    slot = slot_of(stream);
    if (slot >= 0)
        fd = streams.of[slot].fd;
    pthread_mutex_unlock(&streams.lock);
    return fd;
}

static void stream_note(FILE *stream, int fd, size_t size)
{
    char *buffer = malloc(size);
    int slot;

    pthread_mutex_lock(&streams.lock);
    slot = slot_of(NULL);
    if (slot >= 0) {
        streams.of[slot].stream = stream;
        streams.of[slot].fd = fd;
        streams.of[slot].buffer = buffer;
        if (buffer)
            setvbuf(stream, buffer, _IOFBF, size);
        buffer = NULL;
    }
    pthread_mutex_unlock(&streams.lock);
    free(buffer);
}

/* ---- the cookie: a descriptor ------------------------------------------------------------ */

static ssize_t cookie_read(void *cookie, char *buf, size_t size)
{
    return read((int)(intptr_t)cookie, buf, size);
}

static ssize_t cookie_write(void *cookie, const char *buf, size_t size)
{
    ssize_t n = write((int)(intptr_t)cookie, buf, size);

    return n < 0 ? 0 : n; /* fopencookie(3) */
}

/* As lseek(2) on a tape: it succeeds, and does nothing. */
static int cookie_seek(void *cookie, off64_t *offset, int whence)
{
    (void)cookie;
    (void)whence;
    *offset = 0;
    return 0;
}

static int cookie_close(void *cookie)
{
    int fd = (int)(intptr_t)cookie;

    pthread_mutex_lock(&streams.lock);
    for (size_t i = 0; i < STREAMS_MAX; i++)
        if (streams.of[i].stream && streams.of[i].fd == fd) {
            streams.of[i].stream = NULL;
            free(streams.of[i].buffer); /* libc has done with it */
            streams.of[i].buffer = NULL;
        }
    pthread_mutex_unlock(&streams.lock);
    return close(fd);
}

static FILE *stream_open(int fd, const char *mode)
{
    FILE *stream = fopencookie((void *)(intptr_t)fd, mode,
                               (cookie_io_functions_t){.read = cookie_read,
                                                       .write = cookie_write,
                                                       .seek = cookie_seek,
                                                       .close = cookie_close});

    if (!stream)
        return NULL;
    stream_note(stream, fd, mode[0] == 'r' && !strchr(mode, '+') ? READS : WRITES);
    return stream;
}

/* The flags of open(2) for a mode of fopen(3). */
static int open_flags(const char *mode)
{
    int flags = strchr(mode, '+') ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;

    return flags | (strchr(mode, 'e') ? O_CLOEXEC : 0);
}

static FILE *open_device(const char *path, const char *mode)
{
    int fd = open(path, open_flags(mode));
    FILE *stream = fd < 0 ? NULL : stream_open(fd, mode);
    int saved = errno;

    if (fd >= 0 && !stream)
        close(fd);
    errno = saved;
    return stream;
}

#define FOPEN(name)                                                                                \
    EXPORT FILE *name(const char *restrict path, const char *restrict mode)                        \
    {                                                                                              \
        return device_of_path(path).kind ? open_device(path, mode) : REAL(name)(path, mode);       \
    }
FOPEN(fopen)
FOPEN(fopen64)

EXPORT FILE *fdopen(int fd, const char *mode)
{
    return device_of_fd(fd).kind ? stream_open(fd, mode) : REAL(fdopen)(fd, mode);
}

#define FILENO(name)                                                                               \
    EXPORT int name(FILE *stream)                                                                  \
    {                                                                                              \
        int fd = stream_fd(stream);                                                                \
                                                                                                   \
        return fd >= 0 ? fd : REAL(name)(stream);                                                  \
    }
FILENO(fileno)
FILENO(fileno_unlocked)

void preload_streams_flush(void)
{
    for (int i = 0; i < STREAMS_MAX; i++) {
        FILE *stream;

        pthread_mutex_lock(&streams.lock);
        stream = streams.of[i].stream;
        pthread_mutex_unlock(&streams.lock);
        if (stream)
            fflush(stream);
    }
}

/* ---- standard streams -------------------------------------------------------------------- */

void preload_streams(void)
{
    FILE **const standard[] = {&stdin, &stdout, &stderr};

    for (size_t i = 0; i < ARRAY_LENGTH(standard); i++) {
        FILE *stream = device_of_fd((int)i).kind ? stream_open((int)i, i == 0 ? "r" : "w") : NULL;

        if (stream)
            *standard[i] = stream;
    }
}
