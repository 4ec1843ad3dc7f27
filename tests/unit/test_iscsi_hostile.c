/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_iscsi_hostile.c - what no initiator sends by mistake.  After each attack the server still
 * serves others; what a peer costs before it has logged in is bounded.
 */
#include "tests/unit/iscsi_client.h"
#include "tests/unit/sanitized.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/checked.h"
#include "common/crc32c.h"
#include "vtl/iscsi/conn.h"

#define NAMES               "InitiatorName=" RIG_INITIATOR "\nTargetName=" RIG_TARGET "\n"
#define UNAUTHENTICATED_MAX 65536 /* bytes of ours per peer */

static size_t resident(void)
{
    unsigned long total = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f) {
        if (fscanf(f, "%lu %lu", &total, &pages) != 2)
            pages = 0;
        fclose(f);
    }
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* The server still takes a new initiator. */
static void still_serves(const struct rig *rig)
{
    struct client *c = client_new(rig);

    c->isid_last = 0xee;
    client_login(c, "");
    client_alive(c);
    client_free(c);
}

static void expect_refused(struct client *c)
{
    if (client_recv(c, 10000) == 1) {
        CU_ASSERT_EQUAL(bhs_opcode(c->bhs), OP_LOGIN_RESPONSE);
        CU_ASSERT_NOT_EQUAL(client_login_status(c), LOGIN_SUCCESS);
        CU_ASSERT_EQUAL(client_recv(c, 10000), 0);
    }
}

/* 1: the largest data segment there is, announced before login, and partly sent. */
static void test_01_huge_length_before_login(void)
{
    static uint8_t data[65536];
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE];
    size_t before;

    rig_init(&rig);
    rig_up(&rig);
    before = resident();
    for (int i = 0; i < 20; i++) {
        c = client_new(&rig);
        pdu_init(bhs, OP_LOGIN_REQUEST | OP_IMMEDIATE, 0x87, 1);
        put_be24(bhs + 5, 0xffffff);
        client_write(c, bhs, BHS_SIZE);
        client_write(c, data, sizeof(data));
        expect_refused(c);
        client_free(c);
    }
    CU_ASSERT_TRUE(!MEASURE || resident() - before < 8u << 20 || resident() < before);
    still_serves(&rig);
    rig_down(&rig);
}

/* 2: a payload of exactly the limit, without a NUL anywhere near its end. */
static void test_02_payload_at_limit(void)
{
    struct rig rig;

    rig_init(&rig);
    rig_up(&rig);
    for (uint32_t len = 8188; len <= 8193; len++) {
        struct client *c = client_new(&rig);
        uint8_t bhs[BHS_SIZE];
        char *text = malloc(len);
        static const char names[] =
            "InitiatorName=" RIG_INITIATOR "\0TargetName=" RIG_TARGET "\0X-pad=";

        CU_ASSERT_PTR_NOT_NULL_FATAL(text);
        memset(text, 'x', len);
        memcpy(text, names, sizeof(names) - 1);
        pdu_init(bhs, OP_LOGIN_REQUEST | OP_IMMEDIATE, 0x87, 1);
        client_send(c, bhs, text, len);
        free(text);
        if (len <= 8192) {
            client_expect(c, OP_LOGIN_RESPONSE);
            CU_ASSERT_EQUAL(client_login_status(c), LOGIN_SUCCESS);
            CU_ASSERT_TRUE(client_has(c, "X-pad=NotUnderstood"));
        } else {
            expect_refused(c);
        }
        client_free(c);
    }
    rig_down(&rig);
}

/* 3: a key of 64 KiB in pieces, and 10,000 unknown ones. */
static void test_03_long_and_many_keys(void)
{
    struct rig rig;
    struct client *c;
    char text[8001];
    unsigned status = 0;

    rig_init(&rig);
    rig_up(&rig);
    memset(text, 'K', 8000);
    text[8000] = '\0';
    c = client_new(&rig);
    for (int i = 0; i < 8 && status == 0; i++)
        status = client_login_step(c, 0x44, text);
    CU_ASSERT_EQUAL(status, LOGIN_INITIATOR_ERROR);
    client_free(c);
    /* 64 bytes and more: longer than a key may be; the answer must not copy it */
    c = client_new(&rig);
    CU_ASSERT_EQUAL(client_login_step(c, 0x87,
                                      NAMES "KKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKKK"
                                            "KKKKKKKKKKKKKKKKKKKKKKKKKK=1\n"),
                    LOGIN_INITIATOR_ERROR);
    client_free(c);
    c = client_new(&rig);
    for (size_t i = 0; i + 4 <= 8000; i += 4)
        memcpy(text + i, "a=1\n", 4);
    status = 0;
    for (int i = 0; i < 5 && status == 0; i++)
        status = client_login_step(c, 0x44, text);
    CU_ASSERT_EQUAL(status, LOGIN_INITIATOR_ERROR);
    client_free(c);
    /* 4,000 that fit in, whose answers do not fit out */
    c = client_new(&rig);
    CU_ASSERT_EQUAL(client_login_step(c, 0x44, text), 0);
    CU_ASSERT_EQUAL(client_login_step(c, 0x87, NAMES), LOGIN_INITIATOR_ERROR);
    client_free(c);
    still_serves(&rig);
    rig_down(&rig);
}

/* 4: Text with C and no data, once and for ever. */
static void test_04_text_continued_without_data(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE];
    bool rejected = false;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    for (int i = 0; i < 200 && !rejected; i++) {
        client_request(c, bhs, OP_TEXT_REQUEST, TEXT_CONTINUE, 0);
        put_be32(bhs + 16, 5);
        put_be32(bhs + 20, i == 0 ? TAG_NONE : bhs_ttt(c->bhs));
        client_send(c, bhs, NULL, 0);
        CU_ASSERT_EQUAL_FATAL(client_recv(c, 5000), 1);
        c->exp_stat_sn++;
        rejected = bhs_opcode(c->bhs) == OP_REJECT;
    }
    CU_ASSERT_TRUE(rejected);
    /* a TTT out of thin air; F and C together */
    client_request(c, bhs, OP_TEXT_REQUEST, FLAG_FINAL, 0);
    put_be32(bhs + 20, 0x12345678);
    client_send(c, bhs, NULL, 0);
    client_expect(c, OP_REJECT);
    client_request(c, bhs, OP_TEXT_REQUEST, FLAG_FINAL | TEXT_CONTINUE, 0);
    put_be32(bhs + 20, TAG_NONE);
    client_send(c, bhs, NULL, 0);
    client_expect(c, OP_REJECT);
    /* text that is none */
    client_request(c, bhs, OP_TEXT_REQUEST, FLAG_FINAL, 0);
    put_be32(bhs + 20, TAG_NONE);
    client_send(c, bhs, "\xff\xfe no text", 10);
    client_expect(c, OP_REJECT);
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

/* 5: every opcode as the first PDU, with and without data; and every opcode after login. */
static void test_05_every_opcode_first(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE];

    rig_init(&rig);
    rig_up(&rig);
    for (unsigned op = 0; op < 0x100; op++) {
        c = client_new(&rig);
        pdu_init(bhs, (uint8_t)op, 0xff, op);
        client_send(c, bhs, "data", op & 1 ? 4 : 0);
        expect_refused(c);
        client_free(c);
    }
    for (unsigned op = 0; op <= OP_MASK; op++) {
        c = client_session(&rig, "");
        pdu_init(bhs, (uint8_t)(op | OP_IMMEDIATE), FLAG_FINAL, op);
        put_be32(bhs + 20, TAG_NONE);
        client_send(c, bhs, NULL, 0);
        if (pdu_rule((uint8_t)op)->phases == 0 || op == OP_SNACK) {
            client_expect(c, OP_REJECT);
            CU_ASSERT_EQUAL(c->bhs[2], op == OP_SNACK ? REJECT_SNACK : REJECT_NOT_SUPPORTED);
            client_alive(c);
        }
        client_free(c);
    }
    still_serves(&rig);
    rig_down(&rig);
}

/* 6: additional header segments of the largest size, contradictory, and where none belong. */
static void test_06_ahs(void)
{
    static const uint8_t starts[][4] = {{0xff, 0xff, 1, 0}, {0, 0, 1, 0}, {0x03, 0xf9, 1, 0},
                                        {0, 1, 0xff, 0},    {0, 5, 2, 0}, {0x01, 0x00, 1, 0}};
    static uint8_t ahs[AHS_MAX];
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE];

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "HeaderDigest=None\n");
    for (size_t i = 0; i < ARRAY_LENGTH(starts); i++) {
        memset(ahs, 0, sizeof(ahs));
        memcpy(ahs, starts[i], 4);
        client_command(c, bhs, FLAG_FINAL, 0, 0, (const uint8_t[6]){0}, 6);
        bhs[4] = 255;
        client_write(c, bhs, BHS_SIZE);
        client_write(c, ahs, sizeof(ahs));
        client_expect(c, OP_SCSI_RESPONSE);
        client_alive(c);
    }
    client_request(c, bhs, OP_NOP_OUT | OP_IMMEDIATE, FLAG_FINAL, 0);
    bhs[4] = 1;
    client_write(c, bhs, BHS_SIZE);
    client_write(c, ahs, 4);
    CU_ASSERT_TRUE(client_recv(c, 5000) == 0);
    client_free(c);
    c = client_new(&rig);
    pdu_init(bhs, OP_LOGIN_REQUEST | OP_IMMEDIATE, 0x87, 1);
    bhs[4] = 255;
    client_write(c, bhs, BHS_SIZE);
    client_write(c, ahs, sizeof(ahs));
    expect_refused(c);
    client_free(c);
    rig_down(&rig);
}

/* 7: a PDU cut off anywhere in full feature phase, then a half-close. */
static void test_07_short_pdus(void)
{
    struct rig rig;
    uint8_t stream[BHS_SIZE + 64] = {0};

    rig_init(&rig);
    rig_up(&rig);
    for (size_t n = 1; n < sizeof(stream); n += 3) {
        struct client *c = client_session(&rig, "");

        pdu_init(stream, OP_SCSI_COMMAND, COMMAND_WRITE | FLAG_FINAL, 9);
        put_be24(stream + 5, 64);
        put_be32(stream + 20, 64);
        put_be32(stream + 24, c->cmd_sn);
        stream[32] = 0xc2;
        stream[40] = 64;
        client_write(c, stream, n);
        shutdown(c->fd, SHUT_WR);
        client_expect_close(c);
        client_free(c);
    }
    still_serves(&rig);
    rig_down(&rig);
}

/* 8: CHAP answers of a megabyte, of a wrong form, a challenge too long, names with anything. */
static void test_08_chap_garbage(void)
{
    static const char *const rows[] = {
        "CHAP_N=user\nCHAP_R=0x0\n",
        "CHAP_N=user\nCHAP_R=0b=\n",
        "CHAP_N=user\nCHAP_R=\n",
        "CHAP_N=user\nCHAP_R=0x00112233445566778899aabbccddeeff00\n",
        "CHAP_R=0x00\n",
        "CHAP_N=%n%s\nCHAP_R=0x00112233445566778899aabbccddeeff\n",
        "CHAP_N=\nCHAP_R=0x00\n",
        "CHAP_A=5\n",
        "CHAP_I=999999\nCHAP_C=0x\n",
    };
    struct rig rig;
    struct client *c;
    char big[8001];
    unsigned status = 0;

    rig_init(&rig);
    rig.options.chap.user = "user";
    rig.options.chap.secret = "a-secret-of-24-bytes-....";
    rig_up(&rig);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        c = client_new(&rig);
        CU_ASSERT_EQUAL(client_login_step(c, 0, NAMES "AuthMethod=CHAP\n"), 0);
        CU_ASSERT_EQUAL(client_login_step(c, 0, "CHAP_A=5\n"), 0);
        CU_ASSERT_EQUAL(client_login_step(c, 0x83, rows[i]), LOGIN_AUTH_FAILED);
        client_free(c);
    }
    c = client_new(&rig);
    CU_ASSERT_EQUAL(client_login_step(c, 0, NAMES "AuthMethod=CHAP\n"), 0);
    CU_ASSERT_EQUAL(client_login_step(c, 0, "CHAP_A=5\n"), 0);
    CU_ASSERT_EQUAL(client_login_step(c, 0x40, "CHAP_N=user\nCHAP_R=0x"), 0);
    memset(big, 'a', 8000);
    big[8000] = '\0';
    for (int i = 0; i < 130 && status == 0; i++)
        status = client_login_step(c, 0x40, big);
    CU_ASSERT_EQUAL(status, LOGIN_INITIATOR_ERROR);
    client_free(c);
    rig_down(&rig);
}

static void set_login_s(struct rig *rig, unsigned seconds)
{
    pthread_mutex_lock(&rig->server->lock);
    rig->server->login_s = seconds;
    pthread_mutex_unlock(&rig->server->lock);
}

/* 9: a negotiation that never ends, and a login that trickles. */
static void test_09_endless_login(void)
{
    struct rig rig;
    struct client *c;
    unsigned rounds = 0, status = 0;

    rig_init(&rig);
    rig_up(&rig);
    c = client_new(&rig);
    for (; rounds < 1000 && status == 0; rounds++)
        status = client_login_step(c, 0x04, rounds ? "" : NAMES);
    CU_ASSERT_EQUAL(status, LOGIN_INITIATOR_ERROR);
    CU_ASSERT_TRUE(rounds <= LOGIN_ROUNDS_MAX + 1);
    client_free(c);
    set_login_s(&rig, 1);
    c = client_new(&rig);
    for (int i = 0; i < 60; i++) {
        struct pollfd fd = {.fd = c->fd, .events = POLLIN};

        client_write(c, "\x43", 1);
        if (poll(&fd, 1, 50) > 0)
            break;
    }
    CU_ASSERT_TRUE(client_recv(c, 1500) <= 0);
    CU_ASSERT_FALSE(client_write(c, "x", 1) && client_write(c, "x", 1) &&
                    (usleep(20000), client_write(c, "x", 1)));
    client_free(c);
    set_login_s(&rig, CONN_LOGIN_S);
    still_serves(&rig);
    rig_down(&rig);
}

/* 10: lengths at and beyond their limits; a burst smaller than its first part. */
static void test_10_lengths(void)
{
    static const struct {
        const char *keys;
        unsigned status;
    } rows[] = {
        {"MaxRecvDataSegmentLength=0\n", LOGIN_INITIATOR_ERROR},
        {"MaxRecvDataSegmentLength=16777216\n", LOGIN_INITIATOR_ERROR},
        {"MaxRecvDataSegmentLength=-1\n", LOGIN_INITIATOR_ERROR},
        {"MaxRecvDataSegmentLength=512\nMaxBurstLength=512\nFirstBurstLength=16777215\n", 0},
        {"MaxRecvDataSegmentLength=16777215\n", 0},
        {"MaxBurstLength=0\n", 0},
    };
    struct rig rig;

    rig_init(&rig);
    rig_up(&rig);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct client *c = client_new(&rig);
        char text[512];

        snprintf(text, sizeof(text), NAMES "%s", rows[i].keys);
        CU_ASSERT_EQUAL(client_login_step(c, 0x87, text), rows[i].status);
        if (rows[i].status == 0)
            client_alive(c);
        client_free(c);
    }
    rig_down(&rig);
}

/* 11: R2Ts that are never answered cost their session only: it holds its share of the buffers, and
 * others go on writing. */
static void test_11_unanswered_r2t(void)
{
    struct rig rig;
    struct client *hog[3], *c;
    uint8_t bhs[BHS_SIZE], cdb[16] = {0xc2};
    size_t before = resident();

    rig_init(&rig);
    rig_up(&rig);
    put_be24(cdb + 6, 0xffffff);
    for (unsigned h = 0; h < 3; h++) {
        unsigned asked = 0;

        hog[h] = client_new(&rig);
        hog[h]->isid_last = (uint8_t)(h + 1);
        client_login(hog[h], "MaxBurstLength=16776192\n");
        for (unsigned i = 0; i < CONN_WINDOW; i++) {
            client_command(hog[h], bhs, COMMAND_WRITE | FLAG_FINAL, 0, 0xffffffff, cdb, 16);
            client_send(hog[h], bhs, NULL, 0);
        }
        while (asked < CONN_BUFFERED_MAX >> 24 && client_recv(hog[h], 10000) == 1)
            asked += bhs_opcode(hog[h]->bhs) == OP_R2T;
        CU_ASSERT_EQUAL(asked, CONN_BUFFERED_MAX >> 24);
        CU_ASSERT_EQUAL(client_recv(hog[h], 100), -1);
    }
    CU_ASSERT_TRUE(!MEASURE || resident() - before < 64u << 20);
    c = client_session(&rig, "");
    put_be24(cdb + 6, 512);
    client_command(c, bhs, COMMAND_WRITE | FLAG_FINAL, 0, 512, cdb, 16);
    client_send(c, bhs, c->data, 512);
    client_expect(c, OP_SCSI_RESPONSE);
    CU_ASSERT_EQUAL(client_status(c), SCSI_GOOD);
    client_free(c);
    for (unsigned h = 0; h < 3; h++)
        client_free(hog[h]);
    for (int i = 0; i < 500 && fake_nexus_count(rig.target) > 0; i++)
        usleep(10000);
    CU_ASSERT_EQUAL(rig.server->pool.lent, 0);
    rig_down(&rig);
}

/* 12: CmdSN all over the place. */
static void test_12_random_numbers(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE];
    uint32_t x = 1, sn;

    rig_init(&rig);
    rig_up(&rig);
    c = client_new(&rig);
    c->cmd_sn = 0xfffffff0;
    client_login(c, "");
    sn = c->cmd_sn;
    for (int i = 0; i < 5000; i++) {
        x = x * 1664525u + 1013904223u;
        c->cmd_sn = sn + 64 + (x >> 1); /* never in the window */
        client_command(c, bhs, FLAG_FINAL, (uint8_t)(x >> 28), 0, (const uint8_t[6]){0}, 6);
        client_send(c, bhs, NULL, 0);
    }
    c->cmd_sn = sn;
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

/* 13: many connections that never log in; each costs little, and they do not lock others out. */
static void test_13_half_open_connections(void)
{
    struct rig rig;
    struct client *open[128];
    size_t before;
    unsigned pending = 0;

    rig_init(&rig);
    rig_up(&rig);
    still_serves(&rig);
    for (unsigned i = 0; i < 128; i++)
        open[i] = NULL;
    for (unsigned i = 0; i < 2000; i++) {
        struct client *c = client_new(&rig);

        if (i % 3 == 0)
            client_write(c, "\x43\x87", 2);
        if (open[i % 128])
            client_free(open[i % 128]);
        open[i % 128] = c;
    }
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(&rig.server->lock);
        pending = rig.server->pending;
        pthread_mutex_unlock(&rig.server->lock);
        if (pending <= CONN_PENDING_MAX)
            break;
        usleep(10000);
    }
    CU_ASSERT_TRUE(pending <= CONN_PENDING_MAX);
    still_serves(&rig);
    for (unsigned i = 0; i < 128; i++)
        client_free(open[i]);
    /* what one costs: structures and the touched part of a stack */
    CU_ASSERT_TRUE(sizeof(struct conn) + sizeof(struct login) + 2048 < UNAUTHENTICATED_MAX);
    before = resident();
    for (unsigned i = 0; i < CONN_PENDING_MAX / 2; i++) {
        open[i] = client_new(&rig);
        client_login_step(open[i], 0x04, NAMES);
        before += sizeof(struct client);
    }
    CU_ASSERT_TRUE(!MEASURE || resident() < before + CONN_PENDING_MAX / 2 * UNAUTHENTICATED_MAX);
    for (unsigned i = 0; i < CONN_PENDING_MAX / 2; i++)
        client_free(open[i]);
    rig_down(&rig);
}

static void *storm(void *arg)
{
    const struct rig *rig = arg;

    for (int i = 0; i < 40; i++) {
        struct client *c = client_new(rig);

        if (client_login_step(c, 0x87, NAMES) == LOGIN_SUCCESS && i % 2) {
            uint8_t bhs[BHS_SIZE];

            client_command(c, bhs, FLAG_FINAL, 0, 0, (const uint8_t[6]){0}, 6);
            client_send(c, bhs, NULL, 0);
        }
        client_free(c);
    }
    return NULL;
}

/* 13: reinstatement of the same session from all sides at once. */
static void test_13_reinstatement_storm(void)
{
    struct rig rig;
    pthread_t threads[6];

    rig_init(&rig);
    rig_up(&rig);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, storm, &rig), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
        pthread_join(threads[i], NULL);
    still_serves(&rig);
    rig_down(&rig);
}

/* 14: a wrong header digest ends the connection: not even the length can be trusted. */
static void test_14_header_digest(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE];

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "HeaderDigest=CRC32C\nDataDigest=CRC32C\n");
    client_ping(c);
    client_command(c, bhs, FLAG_FINAL, 0, 0, (const uint8_t[6]){0}, 6);
    client_write(c, bhs, BHS_SIZE);
    client_write(c, "\0\0\0\0", 4);
    CU_ASSERT_EQUAL(client_recv(c, 5000), 0);
    client_free(c);
    still_serves(&rig);
    rig_down(&rig);
}

/* A peer that sends for ever and never reads: we stop reading, others go on, nothing is lost. */
static void test_flood_without_reading(void)
{
    static uint8_t data[8192];
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE];
    unsigned sent = 0;
    size_t before = resident();

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    for (; sent < 20000; sent++) {
        struct pollfd fd = {.fd = c->fd, .events = POLLOUT};

        if (poll(&fd, 1, 500) == 0)
            break;
        client_request(c, bhs, OP_NOP_OUT | OP_IMMEDIATE, FLAG_FINAL, 0);
        put_be32(bhs + 20, TAG_NONE);
        put_be24(bhs + 5, sizeof(data));
        client_write(c, bhs, BHS_SIZE);
        if (poll(&fd, 1, 500) == 0)
            break; /* in the middle of a PDU: good enough */
        if (send(c->fd, data, sizeof(data), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(data))
            break;
    }
    CU_ASSERT_TRUE(sent < 20000);
    CU_ASSERT_TRUE(!MEASURE || resident() - before < 32u << 20);
    still_serves(&rig);
    for (unsigned i = 0; i < sent; i++) {
        client_expect(c, OP_NOP_IN);
        CU_ASSERT_EQUAL(c->len, sizeof(data));
    }
    client_free(c);
    rig_down(&rig);
}

/* Random bytes, and logins with bytes changed at random. */
static void test_random_streams(void)
{
    static const char text[] = "InitiatorName=" RIG_INITIATOR "\0TargetName=" RIG_TARGET "\0";
    struct rig rig;
    uint32_t x = 12345;

    rig_init(&rig);
    rig_up(&rig);
    for (int i = 0; i < 600; i++) {
        uint8_t stream[BHS_SIZE * 5 + sizeof(text) + 4] = {0};
        struct client *c = client_new(&rig);

        pdu_init(stream, OP_LOGIN_REQUEST | OP_IMMEDIATE, 0x87, 1);
        put_be24(stream + 5, sizeof(text) - 1);
        memcpy(stream + BHS_SIZE, text, sizeof(text) - 1);
        for (size_t k = i % 3 ? BHS_SIZE + sizeof(text) + 3 : 0; k < sizeof(stream); k++) {
            x = x * 1664525u + 1013904223u;
            stream[k] = (uint8_t)(x >> 24);
        }
        if (i % 3) {
            x = x * 1664525u + 1013904223u;
            stream[x >> 8 & 127] ^= (uint8_t)x;
        }
        client_write(c, stream, sizeof(stream));
        shutdown(c->fd, SHUT_WR);
        while (client_recv(c, 10000) == 1)
            ;
        client_free(c);
    }
    still_serves(&rig);
    rig_down(&rig);
}

/* Sessions may be many, but what serves the drives needs descriptors as well. */
static void test_sessions_leave_descriptors(void)
{
    enum { LIMIT = 96, MOST = 64, LEFT = LIMIT / 4 - 4 };
    struct client *clients[MOST] = {NULL};
    int kept[LEFT];
    unsigned count = 0;
    struct rlimit before, now;
    struct rig rig;

    rig_init(&rig);
    rig_up(&rig);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = LIMIT;
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &now), 0);
    while (count < MOST) {
        struct client *c = clients[count++] = client_new(&rig);

        c->isid_last = (uint8_t)count;
        if (client_login_step(c, 0x87, NAMES) != 0)
            break;
    }
    CU_ASSERT_TRUE(count > 10 && count < MOST);
    for (unsigned i = 0; i < LEFT; i++)
        CU_ASSERT_TRUE((kept[i] = dup(STDERR_FILENO)) >= 0);
    client_alive(clients[0]);
    for (unsigned i = 0; i < LEFT; i++)
        close(kept[i]);
    for (unsigned i = 0; i < count; i++)
        client_free(clients[i]);
    setrlimit(RLIMIT_NOFILE, &before);
    still_serves(&rig);
    rig_down(&rig);
}

static const struct check_test tests[] = {
    {"sessions_leave_descriptors", test_sessions_leave_descriptors},
    {"01_huge_length_before_login", test_01_huge_length_before_login},
    {"02_payload_at_limit", test_02_payload_at_limit},
    {"03_long_and_many_keys", test_03_long_and_many_keys},
    {"04_text_continued_without_data", test_04_text_continued_without_data},
    {"05_every_opcode_first", test_05_every_opcode_first},
    {"06_ahs", test_06_ahs},
    {"07_short_pdus", test_07_short_pdus},
    {"08_chap_garbage", test_08_chap_garbage},
    {"09_endless_login", test_09_endless_login},
    {"10_lengths", test_10_lengths},
    {"11_unanswered_r2t", test_11_unanswered_r2t},
    {"12_random_numbers", test_12_random_numbers},
    {"13_half_open_connections", test_13_half_open_connections},
    {"13_reinstatement_storm", test_13_reinstatement_storm},
    {"14_header_digest", test_14_header_digest},
    {"flood_without_reading", test_flood_without_reading},
    {"random_streams", test_random_streams},
};
CHECK_MAIN("iscsi hostile", tests)
