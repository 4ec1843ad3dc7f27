/* SPDX-License-Identifier: Apache-2.0 */
/*
 * null_target.c - an iSCSI target that stores nothing: the ceiling of one command at a time.
 *
 *   null_target PORT
 *
 * It receives what a WRITE brings into one buffer, answers a READ from another, and everything with
 * GOOD; no digests, no checks, a process for each connection on 127.0.0.1.  What a real target does
 * beyond that - look at the command, keep the data - is the difference to this one.  A stream as of
 * iperf3 is no such ceiling: nobody waits for an answer there.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/bytes.h"
#include "vtl/iscsi/pdu.h"

#define BLOCK_MAX (16u << 20)

static const char keys[] =
    "HeaderDigest=None\0DataDigest=None\0ImmediateData=Yes\0InitialR2T=No\0"
    "MaxRecvDataSegmentLength=262144\0FirstBurstLength=262144\0MaxBurstLength=16776192\0"
    "TargetPortalGroupTag=1";

struct session {
    int fd;
    uint32_t stat_sn;
    uint8_t *buffer;
};

static void take(int fd, void *data, size_t len)
{
    if (len > 0 && recv(fd, data, len, MSG_WAITALL) != (ssize_t)len)
        exit(0); /* the initiator is gone */
}

static void answer(struct session *s, const uint8_t *request, uint8_t *bhs, const void *data,
                   uint32_t len)
{
    struct iovec iov[] = {
        {bhs, BHS_SIZE}, {(void *)(uintptr_t)data, len}, {(uint8_t[3]){0}, pdu_pad(len)}};

    put_be24(bhs + 5, len);
    put_be32(bhs + 24, s->stat_sn++);
    put_be32(bhs + 28, bhs_cmd_sn(request) + !bhs_immediate(request));
    put_be32(bhs + 32, bhs_cmd_sn(request) + 32);
    if (writev(s->fd, iov, 3) != (ssize_t)(BHS_SIZE + len + pdu_pad(len)))
        exit(0);
}

static void log_in(struct session *s, const uint8_t *request)
{
    uint8_t bhs[BHS_SIZE];

    pdu_init(bhs, OP_LOGIN_RESPONSE, LOGIN_TRANSIT | 1 << 2 | 3, bhs_itt(request));
    memcpy(bhs + 8, request + 8, 6);
    put_be16(bhs + 14, 1); /* TSIH */
    answer(s, request, bhs, keys, sizeof(keys));
}

/* A command, with its immediate data: data that would have to be asked for is not. */
static void carry_out(struct session *s, const uint8_t *request)
{
    uint8_t bhs[BHS_SIZE];
    uint32_t left = request[1] & COMMAND_WRITE ? get_be32(request + BHS_EDTL) : 0, len;

    for (left -= bhs_data_len(request); left > 0; left -= len) { /* R2T: one for each segment */
        len = left < 262144 ? left : 262144;
        pdu_init(bhs, OP_R2T, FLAG_FINAL, bhs_itt(request));
        put_be32(bhs + 20, 1);
        put_be32(bhs + 40, get_be32(request + BHS_EDTL) - left);
        put_be32(bhs + 44, len);
        answer(s, request, bhs, NULL, 0);
        s->stat_sn--;
        take(s->fd, bhs, BHS_SIZE);
        take(s->fd, s->buffer, len + pdu_pad(len));
    }
    left = request[1] & COMMAND_READ ? get_be32(request + BHS_EDTL) : 0;
    for (uint32_t sn = 0; left > 0; left -= len, sn++) {
        len = left < 262144 ? left : 262144;
        pdu_init(bhs, OP_DATA_IN, len == left ? FLAG_FINAL | DATA_IN_STATUS : 0, bhs_itt(request));
        put_be32(bhs + 20, TAG_NONE);
        put_be32(bhs + 36, sn);
        put_be32(bhs + 40, get_be32(request + BHS_EDTL) - left);
        answer(s, request, bhs, s->buffer, len);
        if (len == left)
            return;
        s->stat_sn--;
    }
    pdu_init(bhs, OP_SCSI_RESPONSE, FLAG_FINAL, bhs_itt(request));
    answer(s, request, bhs, NULL, 0);
}

static void serve(int fd)
{
    struct session s = {.fd = fd, .buffer = calloc(1, BLOCK_MAX + 3)};
    uint8_t request[BHS_SIZE];

    if (!s.buffer)
        return;
    for (;;) {
        take(fd, request, BHS_SIZE);
        take(fd, s.buffer, bhs_data_len(request) + pdu_pad(bhs_data_len(request)));
        switch (bhs_opcode(request)) {
        case OP_LOGIN_REQUEST:
            log_in(&s, request);
            break;
        case OP_SCSI_COMMAND:
            carry_out(&s, request);
            break;
        default:
            return;
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int port = argc == 2 ? atoi(argv[1]) : 0, one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (port <= 0 || port > 65535) {
        fprintf(stderr, "usage: null_target PORT\n");
        return 2;
    }
    address.sin_port = htons((uint16_t)port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 8) != 0) {
        perror("null_target");
        return 1;
    }
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int peer = accept(fd, NULL, NULL);

        if (peer >= 0 && fork() == 0) {
            setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
            serve(peer);
            _exit(0);
        }
        close(peer);
    }
}
