/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_signals.c - a program as storage daemons are: a thread or its main program is busy with a
 * drive, and a signal's handler closes it and ends the program with exit().
 *
 *   exec_signals write|status|sg FILE [thread]
 *
 * Below `capstan exec` it must end at once, with 0, at whatever point the signal comes; in the
 * kernel's driver no handler runs within a call either.
 */
#include <fcntl.h>
#include <pthread.h>
#include <scsi/sg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mtio.h>
#include <unistd.h>

static int step_write(int fd)
{
    static char block[65536];
    static int n;
    struct mtop rewind = {.mt_op = MTREW, .mt_count = 1};

    if (++n % 50 == 0)
        return ioctl(fd, MTIOCTOP, &rewind);
    return write(fd, block, sizeof(block)) == (ssize_t)sizeof(block) ? 0 : -1;
}

static int step_status(int fd)
{
    struct mtget get;
    struct mtpos pos;

    return ioctl(fd, MTIOCGET, &get) < 0 ? -1 : ioctl(fd, MTIOCPOS, &pos);
}

static int step_sg(int fd)
{
    unsigned char cdb[6] = {0x12, 0, 0, 0, 96, 0}, data[96], sense[32];
    struct sg_io_hdr hdr = {.interface_id = 'S',
                            .dxfer_direction = SG_DXFER_FROM_DEV,
                            .cmd_len = sizeof(cdb),
                            .mx_sb_len = sizeof(sense),
                            .dxfer_len = sizeof(data),
                            .dxferp = data,
                            .cmdp = cdb,
                            .sbp = sense,
                            .timeout = 10000};

    return ioctl(fd, SG_IO, &hdr);
}

static const struct {
    const char *name;
    int (*step)(int fd);
} works[] = {{"write", step_write}, {"status", step_status}, {"sg", step_sg}};

static int (*step)(int fd);
static int device;

static void end(int number)
{
    (void)number;
    close(device); /* is a call of the driver, too */
    exit(0);
}

static void *work(void *unused)
{
    (void)unused;
    while (step(device) == 0)
        ;
    pause(); /* closed: the handler is at work */
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;

    for (size_t i = 0; argc > 2 && i < sizeof(works) / sizeof(works[0]); i++)
        if (strcmp(argv[1], works[i].name) == 0)
            step = works[i].step;
    if (!step || (device = open(argv[2], O_RDWR)) < 0) {
        perror("exec_signals");
        return 2;
    }
    signal(SIGTERM, end);
    printf("busy\n");
    fflush(stdout);
    if (argc == 3)
        work(NULL);
    else if (pthread_create(&thread, NULL, work, NULL) == 0)
        pthread_join(thread, NULL);
    return 2;
}
