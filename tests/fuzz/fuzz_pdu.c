/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_pdu.c - a whole stream of PDUs into one connection of the iSCSI server, over a socketpair
 * and disks in memory.
 *
 * The first byte chooses what comes before the input: 0 nothing (the input starts with the login),
 * 1 the login of a normal session, 2 of a discovery session, 3 of a normal session that allows
 * unsolicited data and small bursts.  What the server sends is checked to be well-formed PDUs with
 * StatSN in order.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/iscsi_fake.h"
#include "vtl/iscsi/conn.h"

#define INPUT_MAX 65536
#define NAMES     "InitiatorName=iqn.2026-01.test:fuzz"
#define TARGET    "iqn.2026-01.test:fake"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct iscsid *server;

static const struct prologue {
    const char *text;
    size_t len;
} prologues[] = {
#define PROLOGUE(s)                                                                                \
    {                                                                                              \
        s, sizeof(s)                                                                               \
    }
    {NULL, 0},
    PROLOGUE(NAMES "\0TargetName=" TARGET),
    PROLOGUE(NAMES "\0SessionType=Discovery"),
    PROLOGUE(NAMES "\0TargetName=" TARGET "\0InitialR2T=No\0FirstBurstLength=1024\0"
                   "MaxBurstLength=2048\0MaxOutstandingR2T=4\0MaxRecvDataSegmentLength=512"),
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct iscsid_options options = {.target_name = TARGET};

    (void)argc;
    (void)argv;
    log_set_level(LOG_LEVEL_ERROR);
    if (iscsid_create(fake_target_create(), &options, &server, NULL))
        abort();
    return 0;
}

/* False at the end of the stream, which a connection may cut anywhere. */
static bool read_all(int fd, void *buf, size_t len)
{
    char *at = buf;

    while (len > 0) {
        ssize_t n = recv(fd, at, len, 0);

        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool carries_status(const uint8_t *bhs)
{
    uint8_t op = bhs_opcode(bhs);

    if (op == OP_DATA_IN)
        return bhs[1] & DATA_IN_STATUS;
    return op != OP_R2T && !(op == OP_NOP_IN && bhs_itt(bhs) == TAG_NONE);
}

/* Read what the server says until it closes.  Digests may have been agreed by the input itself:
 * then the bounds of PDUs are not known here, and it is only drained. */
static void *reader(void *arg)
{
    int fd = *(int *)arg;
    uint8_t bhs[BHS_SIZE], data[8192];
    uint32_t stat_sn = 0;
    bool first = true, checked = true;

    while (checked && read_all(fd, bhs, BHS_SIZE)) {
        uint32_t left = bhs_data_len(bhs) + pdu_pad(bhs_data_len(bhs));

        if (bhs_opcode(bhs) < OP_NOP_IN || bhs[4] != 0 || left > KEYS_RECV_LENGTH)
            abort();
        if (carries_status(bhs)) {
            if (!first && get_be32(bhs + 24) != stat_sn)
                abort();
            stat_sn = get_be32(bhs + 24) + 1;
            first = false;
        }
        while (left > 0) {
            uint32_t n = left < sizeof(data) ? left : (uint32_t)sizeof(data);

            if (!read_all(fd, data, n))
                return NULL;
            if (bhs_opcode(bhs) == OP_LOGIN_RESPONSE && memmem(data, n, "CRC32C", 6))
                checked = false;
            left -= n;
        }
    }
    while (recv(fd, data, sizeof(data), 0) > 0)
        ;
    return NULL;
}

static void write_all(int fd, const void *buf, size_t len)
{
    const char *at = buf;

    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        at += n;
        len -= (size_t)n;
    }
}

static void write_prologue(int fd, const struct prologue *p)
{
    static const uint8_t pad[4];
    uint8_t bhs[BHS_SIZE];

    if (!p->text)
        return;
    pdu_init(bhs, OP_LOGIN_REQUEST | OP_IMMEDIATE, 0x87, 1);
    put_be24(bhs + 5, (uint32_t)p->len);
    put_be32(bhs + 24, 1);
    write_all(fd, bhs, BHS_SIZE);
    write_all(fd, p->text, p->len);
    write_all(fd, pad, pdu_pad((uint32_t)p->len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int pair[2], grown = 4 * INPUT_MAX;
    struct socket_ends ends;
    pthread_t thread;
    struct conn *c;

    if (size == 0 || size > INPUT_MAX)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    socket_ends_of(pair[0], &ends);
    if (conn_create(server, 0, &ends, pair[0], &c, NULL))
        abort();
    /* All of the input fits into the socket, so that one thread can do after the other. */
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &grown, sizeof(grown));
    write_prologue(pair[1], &prologues[data[0] & 3]);
    write_all(pair[1], data + 1, size - 1);
    shutdown(pair[1], SHUT_WR);
    if (fcntl(pair[1], F_SETFL, 0) < 0 || pthread_create(&thread, NULL, reader, &pair[1]))
        abort();
    conn_run(c);
    conn_free(c);
    pthread_join(thread, NULL);
    close(pair[1]);
    if (server->conns || server->pool.lent)
        abort();
    return 0;
}
