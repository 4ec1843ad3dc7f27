/* SPDX-License-Identifier: Apache-2.0 */
/* test_iscsi_session.c - command window, NOP, task management, logout, reinstatement, stop. */
#include "tests/unit/iscsi_client.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "common/checked.h"

static const uint8_t tur[6];

static void send_tur(struct client *c, uint8_t *bhs)
{
    client_command(c, bhs, FLAG_FINAL, 0, 0, tur, sizeof(tur));
    client_send(c, bhs, NULL, 0);
}

/* A command that keeps a unit busy until aborted. */
static void send_wait(struct client *c, uint8_t *bhs, uint8_t lun, uint16_t ms)
{
    uint8_t cdb[16] = {0xc0};

    put_be16(cdb + 2, ms);
    client_command(c, bhs, FLAG_FINAL, lun, 0, cdb, sizeof(cdb));
    client_send(c, bhs, NULL, 0);
}

static void expect_response_to(struct client *c, const uint8_t *bhs)
{
    client_expect(c, OP_SCSI_RESPONSE);
    CU_ASSERT_EQUAL(bhs_itt(c->bhs), bhs_itt(bhs));
    CU_ASSERT_EQUAL(client_status(c), SCSI_GOOD);
}

static void send_tmf(struct client *c, uint8_t *bhs, uint8_t function, uint8_t lun,
                     uint32_t ref_itt, uint32_t ref_sn)
{
    client_request(c, bhs, OP_TASK_REQUEST | OP_IMMEDIATE, (uint8_t)(FLAG_FINAL | function), lun);
    put_be32(bhs + 20, ref_itt);
    put_be32(bhs + 32, ref_sn);
    client_send(c, bhs, NULL, 0);
}

static void expect_tmf(struct client *c, const uint8_t *bhs, uint8_t response)
{
    client_expect(c, OP_TASK_RESPONSE);
    CU_ASSERT_EQUAL(bhs_itt(c->bhs), bhs_itt(bhs));
    CU_ASSERT_EQUAL(c->bhs[2], response);
}

/* End a wait that was sent with send_wait(). */
static void abort_wait(struct client *c, const uint8_t *bhs)
{
    uint8_t tmf[BHS_SIZE];

    send_tmf(c, tmf, 1, 0, bhs_itt(bhs), bhs_cmd_sn(bhs));
    expect_tmf(c, tmf, 0);
}

/* ---- command window ---------------------------------------------------------------------------*/

static void test_window_outside_ignored(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE];
    uint32_t sn;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    client_alive(c);
    sn = c->cmd_sn;
    CU_ASSERT_EQUAL(c->exp_cmd_sn, sn);
    CU_ASSERT_TRUE(c->max_cmd_sn - sn >= 1);
    c->cmd_sn = c->max_cmd_sn + 1; /* too high */
    send_tur(c, bhs);
    c->cmd_sn = sn - 1; /* too low: had already */
    send_tur(c, bhs);
    c->cmd_sn = sn + 0x80000000u; /* far away */
    send_tur(c, bhs);
    CU_ASSERT_EQUAL(client_recv(c, 100), -1);
    c->cmd_sn = sn;
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

static void test_window_wraps(void)
{
    struct rig rig;
    struct client *c = NULL;

    rig_init(&rig);
    rig_up(&rig);
    c = client_new(&rig);
    c->cmd_sn = 0xfffffffe;
    client_login(c, "");
    for (int i = 0; i < 5; i++)
        client_alive(c);
    CU_ASSERT_EQUAL(c->exp_cmd_sn, 3);
    client_free(c);
    rig_down(&rig);
}

/* MaxCmdSN stops as commands pile up, and moves on as they are answered; never back. */
static void test_window_moves(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE], wait[BHS_SIZE];
    uint32_t first_max, max, depth;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    first_max = c->max_cmd_sn;
    depth = first_max - c->cmd_sn + 1;
    CU_ASSERT_TRUE(depth >= 2);
    send_wait(c, wait, 0, 30000);
    for (uint32_t i = 1; i < depth; i++)
        send_tur(c, bhs);
    client_ping(c);
    CU_ASSERT_EQUAL(c->exp_cmd_sn, c->cmd_sn);
    CU_ASSERT_EQUAL(c->max_cmd_sn, first_max); /* closed: MaxCmdSN = ExpCmdSN - 1 */
    send_tur(c, bhs);                          /* one too many: ignored */
    c->cmd_sn--;
    max = first_max;
    send_tmf(c, bhs, 1, 0, bhs_itt(wait), bhs_cmd_sn(wait));
    for (uint32_t i = 0; i < depth; i++) { /* one answer is that to the abort */
        CU_ASSERT_EQUAL_FATAL(client_recv(c, 10000), 1);
        c->exp_stat_sn++;
        CU_ASSERT_FALSE(sn_before(c->max_cmd_sn, max));
        max = c->max_cmd_sn;
    }
    CU_ASSERT_EQUAL(max, first_max + depth);
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

/* Commands behind a gap wait for it, and go in order. */
static void test_window_gap(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE], cdb[6] = {0}, history[8];
    uint32_t sn, max;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    sn = c->cmd_sn;
    client_ping(c);
    max = c->max_cmd_sn;
    for (uint8_t i = 3; i >= 1; i--) {
        c->cmd_sn = sn + i - 1;
        cdb[1] = i;
        client_command(c, bhs, FLAG_FINAL, 0, 0, cdb, sizeof(cdb));
        if (i > 1) {
            client_send(c, bhs, NULL, 0);
            CU_ASSERT_EQUAL(client_recv(c, 50), -1);
            client_ping(c);
            CU_ASSERT_EQUAL(c->exp_cmd_sn, sn);
            CU_ASSERT_EQUAL(c->max_cmd_sn, max);
            client_send(c, bhs, NULL, 0); /* a duplicate: ignored */
        }
    }
    client_send(c, bhs, NULL, 0);
    for (unsigned i = 0; i < 3; i++)
        client_expect(c, OP_SCSI_RESPONSE);
    CU_ASSERT_EQUAL(fake_history(rig.target, 0, history, 8), 3);
    CU_ASSERT_EQUAL(memcmp(history, "\1\2\3", 3), 0);
    c->cmd_sn = sn + 3;
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

/* A gap may be closed by something that is no command. */
static void test_window_gap_closed_by_nop(void)
{
    struct rig rig;
    struct client *c;
    uint8_t nop[BHS_SIZE], bhs[BHS_SIZE];

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    client_request(c, nop, OP_NOP_OUT, FLAG_FINAL, 0);
    put_be32(nop + 20, TAG_NONE);
    send_tur(c, bhs);
    CU_ASSERT_EQUAL(client_recv(c, 50), -1);
    client_send(c, nop, NULL, 0);
    client_expect(c, OP_NOP_IN);
    expect_response_to(c, bhs);
    client_free(c);
    rig_down(&rig);
}

static void test_itt_reuse(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE], again[BHS_SIZE];

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    send_wait(c, bhs, 0, 30000);
    c->itt--;
    send_tur(c, again);
    client_expect(c, OP_REJECT);
    CU_ASSERT_EQUAL(c->bhs[2], REJECT_TASK_IN_PROGRESS);
    abort_wait(c, bhs);
    /* free again at once */
    for (int i = 0; i < 200; i++) {
        c->itt = 5;
        client_alive(c);
    }
    client_free(c);
    rig_down(&rig);
}

static void test_immediate_limit(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE], wait[BHS_SIZE];
    unsigned rejects = 0, answers = 0;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    send_wait(c, wait, 0, 30000);
    for (unsigned i = 0; i < 40; i++) {
        client_request(c, bhs, OP_SCSI_COMMAND | OP_IMMEDIATE, FLAG_FINAL, 0);
        client_send(c, bhs, NULL, 0);
    }
    send_tmf(c, bhs, 1, 0, bhs_itt(wait), bhs_cmd_sn(wait));
    for (unsigned i = 0; i < 41; i++) {
        CU_ASSERT_EQUAL_FATAL(client_recv(c, 10000), 1);
        rejects += bhs_opcode(c->bhs) == OP_REJECT && c->bhs[2] == REJECT_IMMEDIATE;
        answers += bhs_opcode(c->bhs) == OP_SCSI_RESPONSE;
    }
    CU_ASSERT_EQUAL(rejects, 24);
    CU_ASSERT_EQUAL(answers, 16);
    client_free(c);
    rig_down(&rig);
}

/* ---- NOP --------------------------------------------------------------------------------------*/

static void test_nop_while_busy(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE], nop[BHS_SIZE];
    static uint8_t data[10000];

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    send_wait(c, bhs, 0, 30000);
    for (int i = 0; i < 10; i++)
        client_ping(c);
    /* ordered NOP; more data than we said we take comes back cut */
    client_request(c, nop, OP_NOP_OUT, FLAG_FINAL, 0);
    put_be32(nop + 20, TAG_NONE);
    client_send(c, nop, data, sizeof(data));
    client_expect(c, OP_NOP_IN);
    CU_ASSERT_EQUAL(c->len, 8192);
    /* a ping that wants no answer */
    client_request(c, nop, OP_NOP_OUT | OP_IMMEDIATE, FLAG_FINAL, 0);
    put_be32(nop + 16, TAG_NONE);
    put_be32(nop + 20, TAG_NONE);
    client_send(c, nop, NULL, 0);
    abort_wait(c, bhs);
    client_free(c);
    rig_down(&rig);
}

/* An idle session is pinged, once; StatSN is not used up; the answer needs none. */
static void test_nop_keepalive(void)
{
    struct rig rig;
    struct client *c;
    uint8_t nop[BHS_SIZE];

    rig_init(&rig);
    rig.options.nop_interval_s = 1;
    rig_up(&rig);
    c = client_session(&rig, "");
    client_expect(c, OP_NOP_IN);
    CU_ASSERT_EQUAL(bhs_itt(c->bhs), TAG_NONE);
    CU_ASSERT_NOT_EQUAL(bhs_ttt(c->bhs), TAG_NONE);
    CU_ASSERT_EQUAL(client_recv(c, 1300), -1); /* no second one before the answer */
    pdu_init(nop, OP_NOP_OUT | OP_IMMEDIATE, FLAG_FINAL, TAG_NONE);
    put_be32(nop + 20, bhs_ttt(c->bhs));
    put_be32(nop + 24, c->cmd_sn);
    client_send(c, nop, NULL, 0);
    client_alive(c);
    client_expect(c, OP_NOP_IN);
    client_free(c);
    rig_down(&rig);
}

/* ---- task management --------------------------------------------------------------------------*/

static void test_abort_task(void)
{
    struct rig rig;
    struct client *c;
    uint8_t running[BHS_SIZE], queued[BHS_SIZE], tmf[BHS_SIZE];

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    send_wait(c, running, 0, 30000);
    send_wait(c, queued, 0, 30000);
    send_tmf(c, tmf, 1, 0, bhs_itt(queued), bhs_cmd_sn(queued));
    expect_tmf(c, tmf, 0);
    client_ping(c);
    send_tmf(c, tmf, 1, 0, bhs_itt(running), bhs_cmd_sn(running));
    expect_tmf(c, tmf, 0);
    send_tmf(c, tmf, 1, 0, bhs_itt(running), bhs_cmd_sn(running));
    expect_tmf(c, tmf, 1); /* does not exist any more */
    send_tmf(c, tmf, 1, 1, 0x1234, bhs_cmd_sn(running));
    expect_tmf(c, tmf, 1);
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

/* A write that waits for data is aborted; its late data is skipped. */
static void test_abort_collecting(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE], tmf[BHS_SIZE], cdb[16] = {0xc2};
    static uint8_t data[4096];
    uint32_t ttt;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    put_be24(cdb + 6, sizeof(data));
    for (uint8_t function = 1; function <= 5; function++) {
        if (function == 3)
            continue;
        client_command(c, bhs, COMMAND_WRITE | FLAG_FINAL, 0, sizeof(data), cdb, sizeof(cdb));
        client_send(c, bhs, NULL, 0);
        client_expect(c, OP_R2T);
        ttt = bhs_ttt(c->bhs);
        client_data_out(c, bhs_itt(bhs), ttt, false, 0, 0, data, 1024);
        send_tmf(c, tmf, function, 0, bhs_itt(bhs), bhs_cmd_sn(bhs));
        expect_tmf(c, tmf, 0);
        client_data_out(c, bhs_itt(bhs), ttt, true, 1, 1024, data, sizeof(data) - 1024);
        client_alive(c);
    }
    CU_ASSERT_EQUAL(fake_last_out(rig.target, data, sizeof(data)), 0);
    client_free(c);
    rig_down(&rig);
}

/* ABORT TASK for a command that never came, inside the window: its number counts as received. */
static void test_abort_never_received(void)
{
    struct rig rig;
    struct client *c;
    uint8_t tmf[BHS_SIZE];
    uint32_t sn;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    sn = c->cmd_sn++;
    send_tmf(c, tmf, 1, 0, 0x999, sn);
    expect_tmf(c, tmf, 0);
    client_alive(c); /* with sn + 1: no gap is left */
    client_free(c);
    rig_down(&rig);
}

static void test_task_sets(void)
{
    struct rig rig;
    struct client *c, *other;
    uint8_t bhs[BHS_SIZE], theirs[BHS_SIZE], tmf[BHS_SIZE];

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    other = client_new(&rig);
    other->isid_last = 7;
    client_login(other, "");
    /* ABORT TASK SET leaves others' tasks alone */
    send_wait(c, bhs, 0, 30000);
    send_wait(other, theirs, 1, 200);
    send_tmf(c, tmf, 2, 0, TAG_NONE, 0);
    expect_tmf(c, tmf, 0);
    expect_response_to(other, theirs);
    /* LUN RESET takes them too; they are told so */
    send_wait(other, theirs, 0, 30000);
    client_ping(other);
    send_wait(c, bhs, 0, 30000);
    client_ping(c);
    send_tmf(c, tmf, 5, 0, TAG_NONE, 0);
    expect_tmf(c, tmf, 0);
    client_expect(other, OP_SCSI_RESPONSE);
    CU_ASSERT_EQUAL(client_status(other), SCSI_TASK_ABORTED);
    /* TARGET WARM RESET, all units */
    send_wait(c, bhs, 0, 30000);
    send_wait(c, bhs, 1, 30000);
    send_tmf(c, tmf, 6, 0, TAG_NONE, 0);
    expect_tmf(c, tmf, 0);
    client_alive(c);
    client_alive(other);
    client_free(c);
    client_free(other);
    rig_down(&rig);
}

static void test_tmf_refusals(void)
{
    static const struct {
        uint8_t function, lun, response;
    } rows[] = {
        {0, 0, 5}, {3, 0, 5}, {8, 0, 4}, {9, 0, 5}, {0x7f, 0, 5}, {5, 9, 2}, {2, 9, 2},
    };
    struct rig rig;
    struct client *c;
    uint8_t tmf[BHS_SIZE];

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        send_tmf(c, tmf, rows[i].function, rows[i].lun, TAG_NONE, 0);
        expect_tmf(c, tmf, rows[i].response);
    }
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

static void test_cold_reset(void)
{
    struct rig rig;
    struct client *c, *other;
    uint8_t tmf[BHS_SIZE];

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    other = client_new(&rig);
    other->isid_last = 7;
    client_login(other, "");
    send_tmf(c, tmf, 7, 0, TAG_NONE, 0);
    CU_ASSERT_EQUAL(client_recv(other, 10000), 0);
    client_free(c);
    client_free(other);
    rig_down(&rig);
}

/* ---- logout and reinstatement -----------------------------------------------------------------*/

static void send_logout(struct client *c, uint8_t *bhs, uint8_t reason, uint16_t cid)
{
    client_request(c, bhs, OP_LOGOUT_REQUEST | OP_IMMEDIATE, (uint8_t)(FLAG_FINAL | reason), 0);
    put_be16(bhs + 20, cid);
    client_send(c, bhs, NULL, 0);
    client_expect(c, OP_LOGOUT_RESPONSE);
    CU_ASSERT_EQUAL(bhs_itt(c->bhs), bhs_itt(bhs));
}

static void test_logout(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE];

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    send_logout(c, bhs, 2, 0);
    CU_ASSERT_EQUAL(c->bhs[2], 2); /* recovery is not supported */
    send_logout(c, bhs, 1, 55);
    CU_ASSERT_EQUAL(c->bhs[2], 1); /* no such CID */
    client_alive(c);
    send_wait(c, bhs, 0, 30000); /* commands running are no obstacle */
    client_ping(c);
    send_logout(c, bhs, 0, 0);
    CU_ASSERT_EQUAL(c->bhs[2], 0);
    CU_ASSERT_EQUAL(fake_nexus_count(rig.target), 0); /* the drives are free by now */
    client_expect_close(c);
    client_free(c);
    c = client_session(&rig, "");
    send_logout(c, bhs, 1, 0);
    CU_ASSERT_EQUAL(c->bhs[2], 0);
    client_expect_close(c);
    client_free(c);
    rig_down(&rig);
}

static void test_session_reinstatement(void)
{
    struct rig rig;
    struct client *old, *fresh, *other;
    uint8_t bhs[BHS_SIZE];

    rig_init(&rig);
    rig_up(&rig);
    old = client_session(&rig, "");
    send_wait(old, bhs, 0, 30000);
    client_ping(old);
    other = client_new(&rig);
    other->isid_last = 3; /* another port of the same initiator */
    client_login(other, "");
    fresh = client_session(&rig, ""); /* the same ISID: the old one goes */
    client_expect_close(old);
    client_alive(fresh);
    client_alive(other);
    CU_ASSERT_EQUAL(fake_nexus_count(rig.target), 2);
    CU_ASSERT_EQUAL(fake_nexus_total(rig.target), 3);
    client_free(old);
    client_free(other);
    client_free(fresh);
    rig_down(&rig);
}

/* TSIH and CID of a session in being: connection reinstatement; another CID: no second connection.
 */
static void test_connection_reinstatement(void)
{
    struct rig rig;
    struct client *old, *fresh;
    uint16_t tsih;

    rig_init(&rig);
    rig_up(&rig);
    old = client_session(&rig, "");
    tsih = get_be16(old->bhs + 14);
    fresh = client_new(&rig);
    fresh->tsih = tsih;
    client_login(fresh, "");
    CU_ASSERT_EQUAL(get_be16(fresh->bhs + 14), tsih);
    client_expect_close(old);
    client_alive(fresh);
    client_free(old);
    client_free(fresh);
    rig_down(&rig);
}

static void test_close_while_running(void)
{
    struct rig rig;
    uint8_t bhs[BHS_SIZE], cdb[16] = {0xc1};

    rig_init(&rig);
    rig_up(&rig);
    put_be24(cdb + 6, 1u << 20);
    put_be24(cdb + 9, 1u << 20);
    for (int i = 0; i < 40; i++) {
        struct client *c = client_session(&rig, "MaxRecvDataSegmentLength=512\n");

        send_wait(c, bhs, 1, 30000);
        for (int n = 0; n < 4; n++) { /* answers larger than the socket takes, not read */
            client_command(c, bhs, COMMAND_READ | FLAG_FINAL, 0, 1u << 20, cdb, sizeof(cdb));
            client_send(c, bhs, NULL, 0);
        }
        if (i % 4 == 0)
            usleep(2000);
        client_free(c);
    }
    for (int i = 0; i < 500 && fake_nexus_count(rig.target) > 0; i++)
        usleep(10000);
    CU_ASSERT_EQUAL(fake_nexus_count(rig.target), 0);
    rig_down(&rig);
}

/* ---- what the daemon does ---------------------------------------------------------------------*/

static void *stop_thread(void *rig)
{
    iscsid_stop(((struct rig *)rig)->server, 5000);
    return NULL;
}

static void test_stop_asks_for_logout(void)
{
    struct rig rig;
    struct client *c;
    pthread_t thread;
    uint8_t bhs[BHS_SIZE];

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, stop_thread, &rig), 0);
    client_expect(c, OP_ASYNC);
    CU_ASSERT_EQUAL(c->bhs[36], 1);
    CU_ASSERT_EQUAL(get_be16(c->bhs + 42), 5);
    client_alive(c); /* still served */
    send_logout(c, bhs, 0, 0);
    client_expect_close(c);
    pthread_join(thread, NULL); /* at once, not after the grace */
    client_free(c);
    rig_down(&rig);
}

static int count_session(void *ctx, const struct iscsid_session_info *info)
{
    struct iscsid_session_info *out = ctx;

    *out = *info;
    return 0;
}

static void test_statistics(void)
{
    struct iscsid_session_info info = {.tsih = 0};
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE], cdb[16] = {0xc2};

    rig_init(&rig);
    rig_up(&rig);
    CU_ASSERT_EQUAL(iscsid_sessions(rig.server, count_session, &info), 0);
    CU_ASSERT_EQUAL(info.tsih, 0);
    c = client_session(&rig, "");
    put_be24(cdb + 6, 512);
    client_command(c, bhs, COMMAND_WRITE | FLAG_FINAL, 0, 512, cdb, 16);
    client_send(c, bhs, bhs, 48);
    client_expect(c, OP_R2T);
    client_data_out(c, bhs_itt(bhs), bhs_ttt(c->bhs), true, 0, 48, cdb, 0); /* F, short: fails */
    client_expect(c, OP_SCSI_RESPONSE);
    client_alive(c);
    CU_ASSERT_EQUAL(iscsid_sessions(rig.server, count_session, &info), 0);
    CU_ASSERT_STRING_EQUAL(info.initiator, RIG_INITIATOR);
    CU_ASSERT_EQUAL(strncmp(info.peer, "127.0.0.1:", 10), 0);
    CU_ASSERT_EQUAL(info.commands, 1);
    CU_ASSERT_EQUAL(info.bytes_in, 48);
    CU_ASSERT_FALSE(info.discovery);
    CU_ASSERT_TRUE(info.since_ns > 0);
    client_free(c);
    rig_down(&rig);
}

static void test_extended_cdb(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE], ahs[8] = {0, 5, 1, 0, 1, 2, 3, 4};

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    client_command(c, bhs, FLAG_FINAL, 0, 0, tur, sizeof(tur));
    bhs[4] = 2;
    client_write(c, bhs, BHS_SIZE);
    client_write(c, ahs, sizeof(ahs));
    expect_response_to(c, bhs);
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

static const struct check_test tests[] = {
    {"window_outside_ignored", test_window_outside_ignored},
    {"window_wraps", test_window_wraps},
    {"window_moves", test_window_moves},
    {"window_gap", test_window_gap},
    {"window_gap_closed_by_nop", test_window_gap_closed_by_nop},
    {"itt_reuse", test_itt_reuse},
    {"immediate_limit", test_immediate_limit},
    {"nop_while_busy", test_nop_while_busy},
    {"nop_keepalive", test_nop_keepalive},
    {"abort_task", test_abort_task},
    {"abort_collecting", test_abort_collecting},
    {"abort_never_received", test_abort_never_received},
    {"task_sets", test_task_sets},
    {"tmf_refusals", test_tmf_refusals},
    {"cold_reset", test_cold_reset},
    {"logout", test_logout},
    {"session_reinstatement", test_session_reinstatement},
    {"connection_reinstatement", test_connection_reinstatement},
    {"close_while_running", test_close_while_running},
    {"stop_asks_for_logout", test_stop_asks_for_logout},
    {"statistics", test_statistics},
    {"extended_cdb", test_extended_cdb},
};
CHECK_MAIN("iscsi session", tests)
