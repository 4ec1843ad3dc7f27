/* SPDX-License-Identifier: Apache-2.0 */
/* iscsi_client.c - see iscsi_client.h. */
#include "tests/unit/iscsi_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "common/log.h"

#define PATIENCE_MS 10000

void rig_init(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    log_set_level(LOG_LEVEL_ERROR);
    rig->options.target_name = RIG_TARGET;
    rig->options.portals[0] = "127.0.0.1:0";
    rig->options.portal_count = 1;
}

void rig_up(struct rig *rig)
{
    struct error err = ERROR_INIT;

    rig->target = fake_target_create();
    CHECK_OK(iscsid_create(rig->target, &rig->options, &rig->server, &err), err);
    CHECK_OK(iscsid_start(rig->server, &err), err);
}

void rig_down(struct rig *rig)
{
    iscsid_stop(rig->server, 0);
    iscsid_destroy(rig->server);
    CU_ASSERT_EQUAL(fake_nexus_count(rig->target), 0);
    fake_target_destroy(rig->target);
}

struct client *client_new(const struct rig *rig)
{
    return client_at(iscsid_portal(rig->server, 0));
}

struct client *client_at(const char *address)
{
    struct client *c = calloc(1, sizeof(*c));
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char host[64];
    int one = 1;

    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    snprintf(host, sizeof(host), "%.*s", (int)strcspn(address, ":"), address);
    if (inet_pton(AF_INET, host, &sa.sin_addr) == 1 && sa.sin_addr.s_addr == htonl(INADDR_ANY))
        sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sa.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(connect(c->fd, (void *)&sa, sizeof(sa)), 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->cmd_sn = 1;
    c->itt = 1;
    return c;
}

void client_free(struct client *c)
{
    close(c->fd);
    free(c);
}

bool client_write(struct client *c, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = send(c->fd, at, len, MSG_NOSIGNAL);

        if (n < 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool client_send(struct client *c, uint8_t *bhs, const void *data, uint32_t len)
{
    uint8_t pad[4] = {0}, digest[4];
    uint32_t pads = pdu_pad(len);

    put_be24(bhs + 5, len);
    if (!client_write(c, bhs, BHS_SIZE))
        return false;
    put_le32(digest, crc32c(bhs, BHS_SIZE));
    if (c->header_digest && !client_write(c, digest, 4))
        return false;
    if (!client_write(c, data, len) || !client_write(c, pad, pads))
        return false;
    put_le32(digest, crc32c_update(crc32c(data, len), pad, pads));
    return !c->data_digest || len == 0 || client_write(c, digest, 4);
}

/* 1, 0 at a clean end before the first byte (or a reset), -1 time-out or end in the middle. */
static int read_all(struct client *c, void *data, size_t len, int timeout_ms)
{
    size_t got = 0;

    while (got < len) {
        struct pollfd fd = {.fd = c->fd, .events = POLLIN};
        ssize_t n;

        if (poll(&fd, 1, timeout_ms) == 0)
            return -1;
        n = recv(c->fd, (char *)data + got, len - got, 0);
        if (n <= 0)
            return got == 0 ? 0 : -1;
        got += (size_t)n;
    }
    return 1;
}

static bool read_digest(struct client *c, uint32_t crc)
{
    uint8_t digest[4];

    return read_all(c, digest, 4, PATIENCE_MS) == 1 && get_le32(digest) == crc;
}

int client_recv(struct client *c, int timeout_ms)
{
    int rc = read_all(c, c->bhs, BHS_SIZE, timeout_ms);
    uint8_t pad[4];
    uint32_t pads;

    if (rc <= 0)
        return rc;
    CU_ASSERT_FATAL(!c->header_digest || read_digest(c, crc32c(c->bhs, BHS_SIZE)));
    c->len = bhs_data_len(c->bhs);
    pads = pdu_pad(c->len);
    CU_ASSERT_EQUAL_FATAL(c->bhs[4], 0);
    CU_ASSERT_FATAL(c->len <= CLIENT_DATA);
    if (c->len) {
        CU_ASSERT_EQUAL_FATAL(read_all(c, c->data, c->len, PATIENCE_MS), 1);
        CU_ASSERT_FATAL(pads == 0 || read_all(c, pad, pads, PATIENCE_MS) == 1);
        if (c->data_digest)
            CU_ASSERT_FATAL(read_digest(c, crc32c_update(crc32c(c->data, c->len), pad, pads)));
    }
    c->exp_cmd_sn = get_be32(c->bhs + 28);
    c->max_cmd_sn = get_be32(c->bhs + 32);
    return 1;
}

/* StatSN rises by one with each answer and stays for R2T and NOP-In that ask (RFC 7143 4.2.2.2). */
static void check_stat_sn(struct client *c)
{
    uint8_t op = bhs_opcode(c->bhs);
    bool asks = op == OP_R2T || (op == OP_NOP_IN && bhs_itt(c->bhs) == TAG_NONE);

    if (op == OP_DATA_IN && !(c->bhs[1] & DATA_IN_STATUS))
        return;
    CU_ASSERT_EQUAL(get_be32(c->bhs + 24), c->exp_stat_sn);
    if (!asks)
        c->exp_stat_sn++;
}

void client_expect(struct client *c, uint8_t opcode)
{
    int rc = client_recv(c, PATIENCE_MS);

    if (rc != 1)
        printf("\n    expected opcode 0x%02x, but %s\n", opcode, rc ? "nothing came" : "closed");
    CU_ASSERT_EQUAL_FATAL(rc, 1);
    if (bhs_opcode(c->bhs) != opcode)
        printf("\n    expected opcode 0x%02x, got 0x%02x reason/status 0x%02x\n", opcode,
               bhs_opcode(c->bhs), c->bhs[2]);
    CU_ASSERT_EQUAL_FATAL(bhs_opcode(c->bhs), opcode);
    check_stat_sn(c);
}

void client_expect_close(struct client *c)
{
    CU_ASSERT_EQUAL(client_recv(c, PATIENCE_MS), 0);
}

unsigned client_login_step(struct client *c, uint8_t flags, const char *text)
{
    uint8_t bhs[BHS_SIZE];
    uint32_t len = (uint32_t)strlen(text);
    char *copy = malloc(len + 1);

    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    for (uint32_t i = 0; i < len; i++)
        copy[i] = text[i] == '\n' ? '\0' : text[i];
    pdu_init(bhs, OP_LOGIN_REQUEST | OP_IMMEDIATE, flags, 0x77);
    bhs[8] = 0x80;
    bhs[13] = c->isid_last;
    put_be16(bhs + 14, c->tsih);
    put_be32(bhs + 24, c->cmd_sn);
    put_be32(bhs + 28, c->exp_stat_sn);
    client_send(c, bhs, copy, len);
    free(copy);
    if (client_recv(c, PATIENCE_MS) != 1)
        return 0xffff;
    CU_ASSERT_EQUAL_FATAL(bhs_opcode(c->bhs), OP_LOGIN_RESPONSE);
    CU_ASSERT_EQUAL(get_be32(c->bhs + 24), c->exp_stat_sn);
    c->exp_stat_sn = get_be32(c->bhs + 24) + 1;
    return client_login_status(c);
}

void client_login(struct client *c, const char *keys)
{
    char text[4096];

    snprintf(text, sizeof(text),
             "InitiatorName=" RIG_INITIATOR "\nTargetName=" RIG_TARGET "\nSessionType=Normal\n%s",
             keys);
    CU_ASSERT_EQUAL_FATAL(client_login_step(c, 0x87, text), LOGIN_SUCCESS);
    CU_ASSERT_EQUAL_FATAL(c->bhs[1], 0x87);
    CU_ASSERT_NOT_EQUAL(get_be16(c->bhs + 14), 0);
    c->header_digest = client_has(c, "HeaderDigest=CRC32C");
    c->data_digest = client_has(c, "DataDigest=CRC32C");
}

struct client *client_session(const struct rig *rig, const char *keys)
{
    struct client *c = client_new(rig);

    client_login(c, keys);
    return c;
}

bool client_has(const struct client *c, const char *pair)
{
    size_t want = strlen(pair) + 1;

    for (size_t i = 0; i + want <= c->len; i++)
        if ((i == 0 || c->data[i - 1] == 0) && memcmp(c->data + i, pair, want) == 0)
            return true;
    return false;
}

void client_request(struct client *c, uint8_t *bhs, uint8_t opcode, uint8_t flags, uint8_t lun)
{
    pdu_init(bhs, opcode, flags, c->itt++);
    bhs[9] = lun;
    put_be32(bhs + 24, c->cmd_sn);
    put_be32(bhs + 28, c->exp_stat_sn);
    if (!(opcode & OP_IMMEDIATE))
        c->cmd_sn++;
}

void client_command(struct client *c, uint8_t *bhs, uint8_t flags, uint8_t lun, uint32_t edtl,
                    const uint8_t *cdb, size_t cdb_len)
{
    client_request(c, bhs, OP_SCSI_COMMAND, flags, lun);
    put_be32(bhs + BHS_EDTL, edtl);
    memcpy(bhs + BHS_CDB, cdb, cdb_len);
}

bool client_data_out(struct client *c, uint32_t itt, uint32_t ttt, bool final, uint32_t data_sn,
                     uint32_t offset, const void *data, uint32_t len)
{
    uint8_t bhs[BHS_SIZE];

    pdu_init(bhs, OP_DATA_OUT, final ? FLAG_FINAL : 0, itt);
    put_be32(bhs + 20, ttt);
    put_be32(bhs + 28, c->exp_stat_sn);
    put_be32(bhs + 36, data_sn);
    put_be32(bhs + 40, offset);
    return client_send(c, bhs, data, len);
}

void client_alive(struct client *c)
{
    uint8_t bhs[BHS_SIZE];
    const uint8_t cdb[6] = {0};

    client_command(c, bhs, FLAG_FINAL, 0, 0, cdb, sizeof(cdb));
    client_send(c, bhs, NULL, 0);
    client_expect(c, OP_SCSI_RESPONSE);
    CU_ASSERT_EQUAL(bhs_itt(c->bhs), bhs_itt(bhs));
    CU_ASSERT_EQUAL(client_status(c), SCSI_GOOD);
}

void client_ping(struct client *c)
{
    uint8_t bhs[BHS_SIZE];

    client_request(c, bhs, OP_NOP_OUT | OP_IMMEDIATE, FLAG_FINAL, 0);
    put_be32(bhs + 20, TAG_NONE);
    client_send(c, bhs, "ping", 4);
    client_expect(c, OP_NOP_IN);
    CU_ASSERT_EQUAL(bhs_itt(c->bhs), bhs_itt(bhs));
    CU_ASSERT_EQUAL(bhs_ttt(c->bhs), TAG_NONE);
    CU_ASSERT_EQUAL(c->len, 4);
    CU_ASSERT_EQUAL(memcmp(c->data, "ping", 4), 0);
}
