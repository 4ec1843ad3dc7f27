/* SPDX-License-Identifier: Apache-2.0 */
/* initiator.c - see initiator.h; numbers in brackets are sections of RFC 7143. */
#include "tests/bench/initiator.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/crc32c.h"
#include "vtl/iscsi/pdu.h"

#define NAME        "iqn.2026-11.capstan:bench"
#define RECV_LENGTH 262144 /* what we declare: MaxRecvDataSegmentLength */
#define TEXT_MAX    8192

struct initiator {
    int fd;
    uint8_t lun, isid[6];
    char target[224];
    bool digests; /* asked for */
    bool header_digest, data_digest;
    bool immediate, initial_r2t;
    uint32_t peer_length, first_burst, max_burst;
    uint32_t itt, cmd_sn, exp_stat_sn;
    uint8_t bhs[BHS_SIZE]; /* the last PDU received */
    uint32_t data_len;
};

/* ---- PDUs -------------------------------------------------------------------------------------*/

static void iov_advance(struct msghdr *msg, size_t n)
{
    for (; msg->msg_iovlen > 0 && n >= msg->msg_iov->iov_len; msg->msg_iovlen--)
        n -= (msg->msg_iov++)->iov_len;
    if (msg->msg_iovlen > 0) {
        msg->msg_iov->iov_base = (char *)msg->msg_iov->iov_base + n;
        msg->msg_iov->iov_len -= n;
    }
}

static int send_all(int fd, struct iovec *iov, int count, struct error *err)
{
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)count};

    while (msg.msg_iovlen > 0) {
        ssize_t n = sendmsg(fd, &msg, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, "sending");
        iov_advance(&msg, (size_t)n);
    }
    return 0;
}

static int send_pdu(struct initiator *i, uint8_t *bhs, const uint8_t *data, uint32_t len,
                    struct error *err)
{
    static const uint8_t zero[4];
    uint8_t header_digest[DIGEST_SIZE], data_digest[DIGEST_SIZE];
    uint32_t pad = pdu_pad(len);
    struct iovec iov[5];
    int n = 0;

    put_be24(bhs + 5, len);
    put_be32(bhs + 28, i->exp_stat_sn);
    iov[n++] = (struct iovec){bhs, BHS_SIZE};
    put_le32(header_digest, i->header_digest ? crc32c(bhs, BHS_SIZE) : 0);
    if (i->header_digest)
        iov[n++] = (struct iovec){header_digest, DIGEST_SIZE};
    iov[n++] = (struct iovec){(void *)(uintptr_t)data, len};
    iov[n++] = (struct iovec){(void *)(uintptr_t)zero, pad};
    if (i->data_digest && len > 0) {
        put_le32(data_digest, crc32c_update(crc32c(data, len), zero, pad));
        iov[n++] = (struct iovec){data_digest, DIGEST_SIZE};
    }
    return send_all(i->fd, iov, n, err);
}

/* len bytes to data and, with the same call, what stands behind them to behind. */
static int receive(int fd, void *data, size_t len, void *behind, size_t behind_len,
                   struct error *err)
{
    struct iovec iov[2] = {{data, len}, {behind, behind_len}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = behind_len > 0 ? 2 : 1};

    while (msg.msg_iovlen > 0) {
        ssize_t n = recvmsg(fd, &msg, MSG_WAITALL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, "receiving");
        if (n == 0)
            return error_set(err, ERR_CLOSED, "the target closed the connection");
        iov_advance(&msg, (size_t)n);
    }
    return 0;
}

/* The next header, to i->bhs; its data segment is then to be received. */
static int receive_header(struct initiator *i, struct error *err)
{
    uint8_t raw[BHS_SIZE + DIGEST_SIZE];
    int rc = receive(i->fd, raw, BHS_SIZE + (i->header_digest ? DIGEST_SIZE : 0u), NULL, 0, err);

    if (rc)
        return rc;
    memcpy(i->bhs, raw, BHS_SIZE);
    i->data_len = bhs_data_len(raw);
    if (bhs_ahs_len(raw) != 0)
        return error_set(err, ERR_PROTOCOL, "a PDU with additional headers");
    if (i->header_digest && get_le32(raw + BHS_SIZE) != crc32c(raw, BHS_SIZE))
        return error_set(err, ERR_PROTOCOL, "header digest error");
    return 0;
}

static int receive_data(struct initiator *i, uint8_t *data, size_t room, struct error *err)
{
    uint8_t trailer[3 + DIGEST_SIZE];
    uint32_t pad = pdu_pad(i->data_len);
    int rc;

    if (i->data_len == 0)
        return 0;
    if (i->data_len > room)
        return error_set(err, ERR_PROTOCOL, "PDU 0x%02x with %u bytes of data", bhs_opcode(i->bhs),
                         i->data_len);
    rc = receive(i->fd, data, i->data_len, trailer, pad + (i->data_digest ? DIGEST_SIZE : 0u), err);
    if (rc == 0 && i->data_digest &&
        get_le32(trailer + pad) != crc32c_update(crc32c(data, i->data_len), trailer, pad))
        return error_set(err, ERR_PROTOCOL, "data digest error");
    return rc;
}

/* ---- login ------------------------------------------------------------------------------------*/

static int agreed(struct initiator *i, const char *key, const char *value, struct error *err)
{
    struct {
        const char *key;
        bool *flag; /* "Yes" or "CRC32C" */
        uint32_t *number;
    } rows[] = {
        {"HeaderDigest", &i->header_digest, NULL},
        {"DataDigest", &i->data_digest, NULL},
        {"ImmediateData", &i->immediate, NULL},
        {"InitialR2T", &i->initial_r2t, NULL},
        {"MaxRecvDataSegmentLength", NULL, &i->peer_length},
        {"FirstBurstLength", NULL, &i->first_burst},
        {"MaxBurstLength", NULL, &i->max_burst},
    };

    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        if (strcmp(key, rows[n].key) != 0)
            continue;
        if (rows[n].flag)
            *rows[n].flag = strcmp(value, "Yes") == 0 || strcmp(value, "CRC32C") == 0;
        else if ((*rows[n].number = (uint32_t)strtoul(value, NULL, 10)) < 512)
            return error_set(err, ERR_PROTOCOL, "%s=%s", key, value);
    }
    return 0;
}

/* The pairs of a login answer: text[0..len), which ends with NUL. */
static int take_keys(struct initiator *i, char *text, size_t len, struct error *err)
{
    int rc = 0;

    for (char *at = text; rc == 0 && at < text + len; at += strlen(at) + 1) {
        char *value = strchr(at, '=');

        if (!value)
            continue;
        *value = '\0';
        rc = agreed(i, at, value + 1, err);
        at = value + 1;
    }
    return rc;
}

static uint32_t offer_keys(const struct initiator *i, char *text)
{
    const char *digest = i->digests ? "CRC32C" : "None";
    int len = snprintf(text, TEXT_MAX,
                       "InitiatorName=" NAME "\nSessionType=Normal\nTargetName=%s\n"
                       "HeaderDigest=%s\nDataDigest=%s\nImmediateData=Yes\nInitialR2T=No\n"
                       "MaxRecvDataSegmentLength=%d\nFirstBurstLength=262144\n"
                       "MaxBurstLength=1048576\nMaxOutstandingR2T=8\nMaxConnections=1\n"
                       "DefaultTime2Wait=2\nDefaultTime2Retain=0\nErrorRecoveryLevel=0\n",
                       i->target, digest, digest, RECV_LENGTH);

    for (char *p = text; p < text + len; p++)
        if (*p == '\n')
            *p = '\0';
    return (uint32_t)len;
}

/* Straight to the operational stage (6.3): nobody is asked to prove who he is. */
static int log_in(struct initiator *i, struct error *err)
{
    char text[TEXT_MAX + 1];
    uint32_t len = offer_keys(i, text);
    bool header_digest = false, data_digest = false;
    int rc;

    for (;;) {
        uint8_t bhs[BHS_SIZE];

        pdu_init(bhs, OP_LOGIN_REQUEST | OP_IMMEDIATE, LOGIN_TRANSIT | 1 << 2 | 3, 0);
        memcpy(bhs + 8, i->isid, sizeof(i->isid));
        put_be32(bhs + 24, i->cmd_sn);
        rc = send_pdu(i, bhs, (uint8_t *)text, len, err);
        if (rc == 0)
            rc = receive_header(i, err);
        if (rc == 0)
            rc = receive_data(i, (uint8_t *)text, TEXT_MAX, err);
        if (rc)
            return rc;
        if (bhs_opcode(i->bhs) != OP_LOGIN_RESPONSE || get_be16(i->bhs + 36) != LOGIN_SUCCESS)
            return error_set(err, ERR_PROTOCOL, "the login was refused: status 0x%04x",
                             get_be16(i->bhs + 36));
        text[i->data_len] = '\0';
        i->exp_stat_sn = get_be32(i->bhs + 24) + 1;
        rc = take_keys(i, text, i->data_len, err);
        header_digest |= i->header_digest;
        data_digest |= i->data_digest;
        i->header_digest = i->data_digest = false; /* not before the login is done */
        if (rc || (i->bhs[1] & LOGIN_TRANSIT && (i->bhs[1] & 3) == 3))
            break;
        len = 0;
    }
    i->header_digest = header_digest;
    i->data_digest = data_digest;
    if (rc == 0 && i->digests && !data_digest)
        return error_set(err, ERR_PROTOCOL, "the target does not agree to data digests");
    return rc;
}

/* ---- commands ---------------------------------------------------------------------------------*/

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Data-Out PDUs (11.7) for out[from..to). */
static int send_data_out(struct initiator *i, const uint8_t *out, uint32_t from, uint32_t to,
                         uint32_t ttt, struct error *err)
{
    uint32_t data_sn = 0;
    int rc = 0;

    while (rc == 0 && from < to) {
        uint32_t len = least(i->peer_length, to - from);
        uint8_t bhs[BHS_SIZE];

        pdu_init(bhs, OP_DATA_OUT, from + len == to ? FLAG_FINAL : 0, i->itt);
        bhs[9] = i->lun;
        put_be32(bhs + 20, ttt);
        put_be32(bhs + 36, data_sn++);
        put_be32(bhs + 40, from);
        rc = send_pdu(i, bhs, out + from, len, err);
        from += len;
    }
    return rc;
}

/* The command, with what data may go before the target asks (13.10, 13.11, 13.14). */
static int send_command(struct initiator *i, const uint8_t *cdb, const uint8_t *out,
                        uint32_t out_len, uint32_t in_len, struct error *err)
{
    uint32_t first = least(i->first_burst, out_len), immediate = 0;
    uint8_t bhs[BHS_SIZE];
    int rc;

    if (i->immediate)
        immediate = least(first, i->peer_length);
    if (i->initial_r2t)
        first = immediate;
    pdu_init(bhs, OP_SCSI_COMMAND,
             (uint8_t)((first == immediate ? FLAG_FINAL : 0) | (out_len ? COMMAND_WRITE : 0) |
                       (in_len ? COMMAND_READ : 0)),
             ++i->itt);
    bhs[9] = i->lun;
    put_be32(bhs + BHS_EDTL, out_len + in_len);
    put_be32(bhs + 24, i->cmd_sn++);
    memcpy(bhs + BHS_CDB, cdb, 6);
    rc = send_pdu(i, bhs, out, immediate, err);
    return rc ? rc : send_data_out(i, out, immediate, first, TAG_NONE, err);
}

/* 11.19: a ping wants an answer. */
static int take_nop(struct initiator *i, struct error *err)
{
    uint8_t bhs[BHS_SIZE];

    if (get_be32(i->bhs + 20) == TAG_NONE)
        return 0;
    pdu_init(bhs, OP_NOP_OUT | OP_IMMEDIATE, FLAG_FINAL, TAG_NONE);
    memcpy(bhs + 8, i->bhs + 8, 8);
    memcpy(bhs + 20, i->bhs + 20, 4);
    put_be32(bhs + 24, i->cmd_sn);
    return send_pdu(i, bhs, NULL, 0, err);
}

/* The verdict: in a SCSI Response or on the last Data-In, which have these fields in one place. */
static int take_status(struct initiator *i, uint8_t opcode, const uint8_t *sense, struct error *err)
{
    bool fixed = i->data_len >= 2 + 14;

    i->exp_stat_sn = get_be32(i->bhs + 24) + 1;
    if (i->bhs[3] != 0)
        return error_set(err, ERR_IO, "command 0x%02x: status 0x%02x, sense %x %02x/%02x", opcode,
                         i->bhs[3], fixed ? sense[4] & 0xfu : 0, fixed ? sense[14] : 0u,
                         fixed ? sense[15] : 0u);
    if (i->bhs[1] & (RESIDUAL_OVERFLOW | RESIDUAL_UNDERFLOW))
        return error_set(err, ERR_LENGTH, "command 0x%02x: %u bytes were not moved", opcode,
                         get_be32(i->bhs + 44));
    return 0;
}

int initiator_command(struct initiator *i, const uint8_t *cdb, const uint8_t *out, uint32_t out_len,
                      uint8_t *in, uint32_t in_len, struct error *err)
{
    uint8_t small[TEXT_MAX];
    int rc = send_command(i, cdb, out, out_len, in_len, err);

    while (rc == 0) {
        uint32_t offset;

        rc = receive_header(i, err);
        if (rc)
            break;
        offset = get_be32(i->bhs + 40);
        if (bhs_opcode(i->bhs) == OP_DATA_IN && offset <= in_len)
            rc = receive_data(i, in + offset, in_len - offset, err);
        else
            rc = receive_data(i, small, sizeof(small), err);
        if (rc)
            break;
        switch (bhs_opcode(i->bhs)) {
        case OP_DATA_IN:
            if (i->bhs[1] & DATA_IN_STATUS)
                return take_status(i, cdb[0], small, err);
            break;
        case OP_SCSI_RESPONSE:
            return take_status(i, cdb[0], small, err);
        case OP_R2T:
            rc = send_data_out(i, out, offset, least(out_len, offset + get_be32(i->bhs + 44)),
                               get_be32(i->bhs + 20), err);
            break;
        case OP_NOP_IN:
            rc = take_nop(i, err);
            break;
        default:
            rc = error_set(err, ERR_PROTOCOL, "PDU 0x%02x", bhs_opcode(i->bhs));
        }
    }
    return rc;
}

/* ---- the session ------------------------------------------------------------------------------*/

static int connect_to(const char *host, const char *port, int *out, struct error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    CLEANUP_CLOSE int fd = -1;
    int one = 1, rc = getaddrinfo(host, port, &hints, &list);

    if (rc)
        return error_set(err, ERR_NOT_FOUND, "%s: %s", host, gai_strerror(rc));
    fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        rc = connect(fd, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    if (fd < 0 || rc)
        return error_errno(err, "%s:%s", host, port);
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0)
        return error_errno(err, "TCP_NODELAY");
    *out = steal_fd(&fd);
    return 0;
}

int initiator_open(const char *url, bool digests, struct initiator **out, struct error *err)
{
    static _Atomic uint8_t sessions;
    struct initiator *i = calloc(1, sizeof(*i));
    char host[64], port[8];
    unsigned lun;
    int rc;

    if (!i)
        return error_set(err, ERR_NO_MEMORY, "no memory for a session");
    *i = (struct initiator){.fd = -1,
                            .digests = digests,
                            .immediate = true,
                            .initial_r2t = true,
                            .peer_length = 8192,
                            .first_burst = 65536,
                            .max_burst = 262144}; /* chapter 13's defaults */
    if (sscanf(url, "iscsi://%63[^:]:%7[0-9]/%223[^/]/%u", host, port, i->target, &lun) != 4 ||
        lun > 255) {
        free(i);
        return error_set(err, ERR_USAGE, "\"%s\" is no iscsi://HOST:PORT/TARGET/LUN", url);
    }
    i->lun = (uint8_t)lun;
    memcpy(i->isid, (uint8_t[6]){0x80, 0, 0, sessions++}, sizeof(i->isid)); /* random: 11.12.5 */
    put_be16(i->isid + 4, (uint16_t)getpid());
    rc = connect_to(host, port, &i->fd, err);
    if (rc == 0)
        rc = log_in(i, err);
    if (rc)
        initiator_close(i);
    else
        *out = i;
    return rc;
}

void initiator_close(struct initiator *i)
{
    struct error ignored = ERROR_INIT;
    uint8_t bhs[BHS_SIZE];

    if (!i)
        return;
    if (i->fd >= 0) {
        pdu_init(bhs, OP_LOGOUT_REQUEST | OP_IMMEDIATE, FLAG_FINAL, ++i->itt);
        put_be32(bhs + 24, i->cmd_sn);
        if (send_pdu(i, bhs, NULL, 0, &ignored) == 0)
            (void)receive_header(i, &ignored);
        close(i->fd);
    }
    free(i);
}
