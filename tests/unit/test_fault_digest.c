/* SPDX-License-Identifier: Apache-2.0 */
/* test_fault_digest.c - the fault corrupt-digest between a real initiator and the real server: who
 * has agreed on digests notices, loses at most the session, and comes back; who has not is spared.
 */
#include "tests/unit/iscsi_client.h"

#include <unistd.h>

#include "vtl/fault/faults.h"
#include "vtl/fault/framing.h"

static struct faults *faults;
static struct rig rig;
static struct error err;

/* The units of this test are those of iscsi_fake.h, which have no layers. */
void scsi_target_set_layer(struct scsi_target *target, const struct scsi_layer *layer)
{
    (void)target;
    (void)layer;
}

bool scsi_task_aborted(const struct scsi_task *task)
{
    (void)task;
    return false;
}

bool scsi_cdb_is_immediate(const uint8_t *cdb)
{
    (void)cdb;
    return false;
}

static void begin(void)
{
    CHECK_OK(faults_create(7, &faults, &err), err);
    rig_init(&rig);
    rig.options.connection = faults_connection;
    rig.options.connection_ctx = faults;
    rig_up(&rig);
    faults_portal(faults, iscsid_portal(rig.server, 0));
}

static void end(void)
{
    rig_down(&rig);
    faults_destroy(faults);
}

static void set(uint64_t count)
{
    const struct fault_setting s = {
        .name = FAULT_CORRUPT_DIGEST, .drive = -1, .block = -1, .rate = 100, .count = count};
    unsigned id;

    CHECK_OK(faults_set(faults, &s, &id, &err), err);
}

static int add_strikes(void *ctx, const struct fault_setting *s)
{
    *(uint64_t *)ctx += s->strikes;
    return 0;
}

static uint64_t strikes(void)
{
    uint64_t n = 0;

    faults_list(faults, add_strikes, &n);
    return n;
}

/* A wrong header digest can't be answered: the session is lost, and a new one works (RFC 7143
 * 7.8). */
static void test_header(void)
{
    struct client *c;
    uint8_t bhs[BHS_SIZE];
    const uint8_t tur[6] = {0};

    begin();
    c = client_session(&rig, "HeaderDigest=CRC32C\nDataDigest=CRC32C\n");
    CU_ASSERT_TRUE(c->header_digest);
    client_alive(c);
    set(1);
    client_expect_close(c); /* cut, to come back through the layer */
    client_free(c);
    c = client_session(&rig, "HeaderDigest=CRC32C\n"); /* the login has no digests */
    CU_ASSERT_EQUAL(strikes(), 0);
    client_command(c, bhs, FLAG_FINAL, 0, 0, tur, sizeof(tur));
    client_send(c, bhs, NULL, 0);
    client_expect_close(c);
    CU_ASSERT_EQUAL(strikes(), 1);
    client_free(c);
    c = client_session(&rig, "HeaderDigest=CRC32C\nDataDigest=CRC32C\n");
    client_alive(c);
    client_ping(c);
    client_free(c);
    end();
}

/* A ping whose data digest is wrong is not echoed: it is rejected (reason 02h), or the session is
 * lost. */
static void test_data(void)
{
    struct client *c;
    uint8_t bhs[BHS_SIZE];
    int got;

    begin();
    set(1);
    c = client_session(&rig, "HeaderDigest=None\nDataDigest=CRC32C\n");
    CU_ASSERT_TRUE(c->data_digest && !c->header_digest);
    client_alive(c); /* no data, no digest, no strike */
    CU_ASSERT_EQUAL(strikes(), 0);
    client_request(c, bhs, OP_NOP_OUT | OP_IMMEDIATE, FLAG_FINAL, 0);
    put_be32(bhs + 20, 0xffffffff);
    client_send(c, bhs, "ping ping", 9);
    got = client_recv(c, 5000);
    CU_ASSERT(got == 0 || (got == 1 && (c->bhs[0] & 0x3f) == OP_REJECT && c->bhs[2] == 0x02));
    CU_ASSERT_EQUAL(strikes(), 1);
    client_free(c);
    c = client_session(&rig, "DataDigest=CRC32C\n");
    client_ping(c);
    client_free(c);
    end();
}

static void test_none(void)
{
    struct client *c;

    begin();
    set(0);
    c = client_session(&rig, "HeaderDigest=None\nDataDigest=None\n");
    for (int i = 0; i < 20; i++) {
        client_alive(c);
        client_ping(c);
    }
    CU_ASSERT_EQUAL(strikes(), 0);
    client_free(c);
    end();
}

/* Behind the layer as in front of it, an initiator is told of an address that it can reach. */
static void test_addresses(void)
{
    static const char login[] = "InitiatorName=" RIG_INITIATOR "\nSessionType=Discovery\n";
    static const char all[] = "SendTargets=All";
    struct client *c;
    uint8_t bhs[BHS_SIZE];
    char want[128];

    begin();
    set(0);
    snprintf(want, sizeof(want), "TargetAddress=%s,1", iscsid_portal(rig.server, 0));
    c = client_new(&rig);
    CU_ASSERT_EQUAL_FATAL(client_login_step(c, 0x87, login), 0);
    client_request(c, bhs, OP_TEXT_REQUEST, FLAG_FINAL, 0);
    put_be32(bhs + 20, TAG_NONE);
    client_send(c, bhs, all, sizeof(all));
    client_expect(c, OP_TEXT_RESPONSE);
    CU_ASSERT_TRUE(client_has(c, want));
    client_free(c);
    end();
}

/* However the bytes come, the parts are the same. */
static void test_framing(void)
{
    uint8_t stream[48 + 8 + 4 + 8 + 4 + 48 + 4] = {0};
    const int wanted[] = {PART_HEADER,      PART_MORE,   PART_HEADER_DIGEST, PART_DATA,
                          PART_DATA_DIGEST, PART_HEADER, PART_HEADER_DIGEST};

    stream[4] = 2; /* words of additional header segments */
    stream[7] = 5; /* bytes of data */
    for (size_t step = 1; step <= sizeof(stream); step++) {
        struct framing f = {.header_digest = true, .data_digest = true};
        unsigned parts = 0;

        for (size_t at = 0; at < sizeof(stream);) {
            size_t len = at + step < sizeof(stream) ? step : sizeof(stream) - at;
            int ended;

            at += framing_step(&f, stream + at, len, &ended);
            if (ended >= 0) {
                CU_ASSERT_FATAL(parts < sizeof(wanted) / sizeof(wanted[0]));
                CU_ASSERT_EQUAL(ended, wanted[parts++]);
            }
        }
        CU_ASSERT_EQUAL(parts, 7);
        CU_ASSERT_EQUAL(f.part, PART_HEADER);
    }
}

static const struct check_test tests[] = {
    {"framing", test_framing}, {"header", test_header},       {"data", test_data},
    {"none", test_none},       {"addresses", test_addresses},
};

CHECK_MAIN("fault_digest", tests)
