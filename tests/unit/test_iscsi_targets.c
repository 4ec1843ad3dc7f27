/* SPDX-License-Identifier: Apache-2.0 */
/* test_iscsi_targets.c - several targets on one server: shared portals, portal groups, discovery.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common/checked.h"
#include "common/log.h"
#include "tests/unit/check.h"
#include "tests/unit/iscsi_client.h"
#include "tests/unit/iscsi_fake.h"
#include "vtl/iscsi/chap.h"

#define TARGETS   3
#define DISCOVERY "InitiatorName=" RIG_INITIATOR "\nSessionType=Discovery\n"

static const char *const names[TARGETS] = {"iqn.2026-01.test:a", "iqn.2026-01.test:b",
                                           "iqn.2026-01.test:c"};

/* Three targets; each test changes the options between init and up. */
static struct {
    struct iscsid *server;
    struct scsi_target *targets[TARGETS];
    struct iscsid_options options[TARGETS];
} s;

static void init(void)
{
    memset(&s, 0, sizeof(s));
    log_set_level(LOG_LEVEL_ERROR);
    for (unsigned i = 0; i < TARGETS; i++)
        s.options[i] = (struct iscsid_options){
            .target_name = names[i], .portals = {"127.0.0.1:0"}, .portal_count = 1};
}

static void up(void)
{
    struct error err = ERROR_INIT;

    for (unsigned i = 0; i < TARGETS; i++) {
        unsigned n = 0;

        s.targets[i] = fake_target_create();
        CHECK_OK(i ? iscsid_add(s.server, s.targets[i], &s.options[i], &n, &err)
                   : iscsid_create(s.targets[i], &s.options[i], &s.server, &err),
                 err);
        CU_ASSERT_EQUAL(n, i);
    }
    CHECK_OK(iscsid_start(s.server, &err), err);
}

static void down(void)
{
    iscsid_stop(s.server, 0);
    iscsid_destroy(s.server);
    for (unsigned i = 0; i < TARGETS; i++) {
        CU_ASSERT_EQUAL(fake_nexus_count(s.targets[i]), 0);
        fake_target_destroy(s.targets[i]);
    }
}

static const char *portal(unsigned target, unsigned n)
{
    return iscsid_target_portal(s.server, target, n, NULL);
}

/* A login straight to the full feature phase; the status, and the session if it is 0. */
static unsigned login(const char *address, unsigned target, struct client **out)
{
    struct client *c = client_at(address);
    char text[512];
    unsigned status;

    snprintf(text, sizeof(text), "InitiatorName=" RIG_INITIATOR "\nTargetName=%s\n", names[target]);
    status = client_login_step(c, 0x87, text);
    if (status == 0 && out)
        *out = c;
    else
        client_free(c);
    return status;
}

static struct client *session(const char *address, unsigned target)
{
    struct client *c = NULL;

    CU_ASSERT_EQUAL_FATAL(login(address, target, &c), LOGIN_SUCCESS);
    return c;
}

static void send_targets(struct client *c, const char *which)
{
    uint8_t bhs[BHS_SIZE];
    char text[256];
    int len = snprintf(text, sizeof(text), "SendTargets=%s", which);

    client_request(c, bhs, OP_TEXT_REQUEST, FLAG_FINAL, 0);
    put_be32(bhs + 20, TAG_NONE);
    client_send(c, bhs, text, (uint32_t)len + 1);
    client_expect(c, OP_TEXT_RESPONSE);
}

static bool tells(const struct client *c, unsigned target)
{
    char text[128];

    snprintf(text, sizeof(text), "TargetName=%s", names[target]);
    return client_has(c, text);
}

static bool tells_address(const struct client *c, const char *address, unsigned group)
{
    char text[128];

    snprintf(text, sizeof(text), "TargetAddress=%s,%u", address, group);
    return client_has(c, text);
}

/* What discovery at this portal tells of, a bit per target. */
static unsigned told(const char *address, const char *which)
{
    struct client *c = client_at(address);
    unsigned bits = 0;

    CU_ASSERT_EQUAL_FATAL(client_login_step(c, 0x87, DISCOVERY), 0);
    send_targets(c, which);
    for (unsigned i = 0; i < TARGETS; i++)
        bits |= (unsigned)tells(c, i) << i;
    client_free(c);
    return bits;
}

/* ---- one portal for all -----------------------------------------------------------------------*/

static void test_shared_portal(void)
{
    struct client *c[TARGETS];

    init();
    up();
    CU_ASSERT_STRING_EQUAL(portal(0, 0), portal(1, 0));
    CU_ASSERT_STRING_EQUAL(portal(0, 0), portal(2, 0));
    CU_ASSERT_PTR_NULL(portal(0, 1));
    CU_ASSERT_EQUAL(told(portal(0, 0), "All"), 7);
    CU_ASSERT_EQUAL(told(portal(0, 0), names[1]), 2);
    for (unsigned i = 0; i < TARGETS; i++)
        c[i] = session(portal(0, 0), i);
    for (unsigned i = 0; i < TARGETS; i++) {
        CU_ASSERT_EQUAL(fake_nexus_total(s.targets[i]), 1);
        client_alive(c[i]);
        send_targets(c[i], "");
        for (unsigned other = 0; other < TARGETS; other++)
            CU_ASSERT_EQUAL(tells(c[i], other), other == i);
        send_targets(c[i], names[(i + 1) % TARGETS]); /* none of its business */
        CU_ASSERT_EQUAL(c[i]->len, 0);
        client_free(c[i]);
    }
    down();
}

/* The same initiator and ISID is another I_T nexus with each target, and the same one twice. */
static void test_reinstatement_is_per_target(void)
{
    struct client *a, *b, *again;

    init();
    up();
    a = session(portal(0, 0), 0);
    b = session(portal(0, 0), 1);
    client_alive(a);
    client_alive(b);
    again = session(portal(0, 0), 0);
    client_expect_close(a);
    client_alive(again);
    client_alive(b);
    client_free(a);
    client_free(b);
    client_free(again);
    down();
}

static unsigned count_sessions;
static int note_session(void *ctx, const struct iscsid_session_info *info)
{
    unsigned *seen = ctx;

    count_sessions++;
    *seen |= 1u << info->target | (unsigned)info->group << 8;
    CU_ASSERT_STRING_EQUAL(info->local, portal(info->target, 0));
    return 0;
}

/* A cold reset ends all sessions of one target, and no other's. */
static void test_cold_reset_is_per_target(void)
{
    struct client *a, *b;
    uint8_t bhs[BHS_SIZE];
    unsigned seen = 0;

    init();
    s.options[1].portal_groups[0] = 5;
    up();
    a = session(portal(0, 0), 0);
    b = session(portal(0, 0), 1);
    count_sessions = 0;
    CU_ASSERT_EQUAL(iscsid_sessions(s.server, note_session, &seen), 0);
    CU_ASSERT_EQUAL(count_sessions, 2);
    CU_ASSERT_EQUAL(seen, 3 | 5 << 8);
    client_request(a, bhs, OP_TASK_REQUEST | OP_IMMEDIATE, FLAG_FINAL | 7, 0);
    client_send(a, bhs, NULL, 0);
    while (client_recv(a, 10000) == 1)
        CU_ASSERT_EQUAL(bhs_opcode(a->bhs), OP_TASK_RESPONSE);
    client_alive(b);
    client_free(a);
    client_free(b);
    down();
}

/* ---- portal groups ----------------------------------------------------------------------------*/

/* a: on the first portal in group 1 and on the second in group 2; b: on the second only; c: both,
 * in one group. */
static void group_rig(void)
{
    init();
    s.options[0].portals[1] = "127.0.0.2:0";
    s.options[0].portal_groups[1] = 2;
    s.options[0].portal_count = 2;
    s.options[1].portals[0] = "127.0.0.2:0";
    s.options[1].portal_groups[0] = 9;
    s.options[2].portals[1] = "127.0.0.2:0";
    s.options[2].portal_groups[0] = s.options[2].portal_groups[1] = 7;
    s.options[2].portal_count = 2;
    up();
}

static struct client *client_second(void)
{
    return client_at(portal(0, 1));
}

static void test_groups_in_discovery(void)
{
    const char *one, *two;
    struct client *c;

    group_rig();
    one = portal(0, 0);
    two = portal(0, 1);
    CU_ASSERT_STRING_EQUAL(portal(1, 0), two);
    CU_ASSERT_EQUAL(told(one, "All"), 5); /* b is not offered here */
    CU_ASSERT_EQUAL(told(two, "All"), 7);
    c = client_second();
    CU_ASSERT_EQUAL_FATAL(client_login_step(c, 0x87, DISCOVERY), 0);
    send_targets(c, names[0]);
    CU_ASSERT_TRUE(tells_address(c, one, 1));
    CU_ASSERT_TRUE(tells_address(c, two, 2));
    send_targets(c, names[1]);
    CU_ASSERT_TRUE(tells_address(c, two, 9));
    CU_ASSERT_FALSE(tells_address(c, one, 1));
    send_targets(c, names[2]);
    CU_ASSERT_TRUE(tells_address(c, one, 7) && tells_address(c, two, 7));
    client_free(c);
    down();
}

/* 13.9: the login answer has the tag of the group that it came by. */
static void test_groups_in_login(void)
{
    struct client *first, *second, *again;
    uint16_t tsih;

    group_rig();
    CU_ASSERT_EQUAL(login(portal(0, 0), 1, NULL), LOGIN_NOT_FOUND);
    first = session(portal(0, 0), 0);
    CU_ASSERT_TRUE(client_has(first, "TargetPortalGroupTag=1"));
    tsih = get_be16(first->bhs + 14);
    /* The same ISID by the other group is another nexus (4.4.3): both live. */
    second = session(portal(0, 1), 0);
    CU_ASSERT_TRUE(client_has(second, "TargetPortalGroupTag=2"));
    client_alive(first);
    client_alive(second);
    /* A session stays in its group: it is not found by the other. */
    again = client_second();
    again->tsih = tsih;
    CU_ASSERT_EQUAL(client_login_step(again, 0x87,
                                      "InitiatorName=" RIG_INITIATOR
                                      "\nTargetName=iqn.2026-01.test:a\n"),
                    LOGIN_NO_SESSION);
    client_free(again);
    client_alive(first);
    client_free(first);
    client_free(second);
    /* In one group both portals are one target port. */
    first = session(portal(2, 0), 2);
    second = session(portal(2, 1), 2);
    CU_ASSERT_TRUE(client_has(second, "TargetPortalGroupTag=7"));
    client_expect_close(first);
    client_alive(second);
    client_free(first);
    client_free(second);
    down();
}

/* ---- who is told what ----------------------------------------------------------------------- */

static void test_discovery_by_access(void)
{
    init();
    s.options[0].initiators[0] = "iqn.2026-01.test:other";
    s.options[0].initiator_count = 1;
    s.options[1].initiators[0] = "iqn.2026-01.test:init*";
    s.options[1].initiator_count = 1;
    up();
    CU_ASSERT_EQUAL(told(portal(0, 0), "All"), 6);
    CU_ASSERT_EQUAL(told(portal(0, 0), names[0]), 0);
    CU_ASSERT_EQUAL(login(portal(0, 0), 0, NULL), LOGIN_FORBIDDEN);
    CU_ASSERT_EQUAL(login(portal(0, 0), 1, NULL), LOGIN_SUCCESS);
    down();
}

/* Discovery by CHAP; the targets told of, or 0x100 if the login fails. */
static unsigned told_to(const char *user, const char *secret)
{
    struct client *c = client_at(portal(0, 0));
    char text[512], *at = text;
    uint8_t challenge[CHAP_CHALLENGE_SIZE], response[CHAP_RESPONSE_MAX];
    unsigned id = 0, bits = 0x100;
    size_t len = 0;

    CU_ASSERT_EQUAL_FATAL(client_login_step(c, 0x00, DISCOVERY "AuthMethod=CHAP,None\n"), 0);
    CU_ASSERT_TRUE_FATAL(client_has(c, "AuthMethod=CHAP"));
    CU_ASSERT_EQUAL_FATAL(client_login_step(c, 0x00, "CHAP_A=7\n"), 0);
    struct text rest = {(const char *)c->data, c->len};
    struct text_pair pair;
    while (text_next(&rest, &pair, NULL) > 0) {
        uint64_t number;

        if (text_is(pair.key, "CHAP_I") && text_number(pair.value, &number))
            id = (unsigned)number;
        if (text_is(pair.key, "CHAP_C"))
            CU_ASSERT_TRUE(text_binary(pair.value, challenge, sizeof(challenge), &len));
    }
    chap_response(7, (uint8_t)id, secret, challenge, sizeof(challenge), response, &len, NULL);
    at += sprintf(at, "CHAP_N=%s\nCHAP_R=0x", user);
    for (size_t i = 0; i < len; i++)
        at += sprintf(at, "%02x", response[i]);
    strcpy(at, "\n");
    if (client_login_step(c, 0x83, text) == 0) {
        send_targets(c, "All");
        bits = 0;
        for (unsigned i = 0; i < TARGETS; i++)
            bits |= (unsigned)tells(c, i) << i;
    }
    client_free(c);
    return bits;
}

/* Each target may ask for another user; one asks for none. */
static void test_discovery_chap_of_several(void)
{
    struct client *c;

    init();
    s.options[0].discovery_chap = (struct iscsid_chap){.user = "u0", .secret = "secret-of-u0-here"};
    s.options[1].discovery_chap = (struct iscsid_chap){.user = "u1", .secret = "secret-of-u1-here"};
    up();
    CU_ASSERT_EQUAL(told_to("u0", "secret-of-u0-here"), 5);
    CU_ASSERT_EQUAL(told_to("u1", "secret-of-u1-here"), 6);
    CU_ASSERT_EQUAL(told_to("u0", "secret-of-u1-here"), 0x100);
    CU_ASSERT_EQUAL(told(portal(0, 0), "All"), 4); /* without a word of authentication */
    c = client_at(portal(0, 0));
    CU_ASSERT_EQUAL(client_login_step(c, 0x83, DISCOVERY "AuthMethod=None\n"), 0);
    CU_ASSERT_TRUE(client_has(c, "AuthMethod=None"));
    client_free(c);
    down();
    s.options[2].discovery_chap = s.options[1].discovery_chap;
    up();
    CU_ASSERT_EQUAL(told_to("u1", "secret-of-u1-here"), 6);
    c = client_at(portal(0, 0)); /* now nothing is open */
    CU_ASSERT_EQUAL(client_login_step(c, 0x83, DISCOVERY "AuthMethod=None\n"), LOGIN_AUTH_FAILED);
    client_free(c);
    c = client_at(portal(0, 0));
    CU_ASSERT_EQUAL(client_login_step(c, 0x87, DISCOVERY), LOGIN_AUTH_FAILED);
    client_free(c);
    down();
}

/* ---- many, and wrong ------------------------------------------------------------------------- */

/* All names at their longest, all with all portals: the answer is far beyond one PDU. */
static void test_as_many_as_there_may_be(void)
{
    static struct iscsid_options options[ISCSI_TARGETS_MAX];
    static struct scsi_target *targets[ISCSI_TARGETS_MAX];
    static char long_names[ISCSI_TARGETS_MAX][ISCSI_NAME_MAX + 1], spellings[16][32];
    struct error err = ERROR_INIT;
    struct iscsid *server = NULL;
    uint8_t bhs[BHS_SIZE];
    struct client *c;
    unsigned count = 0, n;
    size_t bytes = 0;

    log_set_level(LOG_LEVEL_ERROR);
    for (unsigned i = 0; i < ISCSI_TARGETS_MAX; i++) {
        memset(long_names[i], 'x', ISCSI_NAME_MAX);
        n = (unsigned)sprintf(long_names[i], "iqn.2026-01.test:%03u", i);
        long_names[i][n] = 'x';
        options[i] = (struct iscsid_options){.target_name = long_names[i], .portal_count = 16};
        for (unsigned p = 0; p < 16; p++) {
            sprintf(spellings[p], "127.0.0.%u:0", p + 1);
            options[i].portals[p] = spellings[p];
        }
        targets[i] = fake_target_create();
        CHECK_OK(i ? iscsid_add(server, targets[i], &options[i], &n, &err)
                   : iscsid_create(targets[i], &options[i], &server, &err),
                 err);
    }
    options[0].target_name = "iqn.2026-01.test:more";
    CHECK_FAILS(iscsid_add(server, targets[0], &options[0], &n, &err), ERR_RANGE, err);
    CHECK_OK(iscsid_start(server, &err), err);
    c = client_at(iscsid_portal(server, 0));
    CU_ASSERT_EQUAL_FATAL(client_login_step(c, 0x87, DISCOVERY "MaxRecvDataSegmentLength=16384\n"),
                          0);
    send_targets(c, "All");
    for (;;) {
        bytes += c->len;
        for (uint32_t i = 0; i + 11 <= c->len; i++)
            count += memcmp(c->data + i, "TargetName=", 11) == 0;
        if (c->bhs[1] & FLAG_FINAL)
            break;
        uint32_t ttt = bhs_ttt(c->bhs), itt = bhs_itt(c->bhs);
        client_request(c, bhs, OP_TEXT_REQUEST, FLAG_FINAL, 0);
        put_be32(bhs + 16, itt);
        put_be32(bhs + 20, ttt);
        client_send(c, bhs, NULL, 0);
        client_expect(c, OP_TEXT_RESPONSE);
    }
    CU_ASSERT_TRUE(count + 1 >= ISCSI_TARGETS_MAX); /* one may be cut by the end of a PDU */
    CU_ASSERT_TRUE(bytes > ISCSI_TARGETS_MAX * (ISCSI_NAME_MAX + 16 * 30u));
    client_free(c);
    iscsid_stop(server, 0);
    iscsid_destroy(server);
    for (unsigned i = 0; i < ISCSI_TARGETS_MAX; i++)
        fake_target_destroy(targets[i]);
}

/* What cannot be added leaves the server as it was. */
static void test_bad_additions(void)
{
    struct error err = ERROR_INIT;
    struct iscsid_options bad;
    unsigned n;

    init();
    up();
    iscsid_stop(s.server, 0); /* it accepts no more: targets may be added again */
    bad = s.options[0];
    CHECK_FAILS(iscsid_add(s.server, s.targets[0], &bad, &n, &err), ERR_EXISTS, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, names[0]));
    bad.target_name = "no name";
    CHECK_FAILS(iscsid_add(s.server, s.targets[0], &bad, &n, &err), ERR_RANGE, err);
    bad.target_name = "iqn.2026-01.test:d";
    bad.portals[0] = "127.0.0.3:0";
    bad.portals[1] = "192.0.2.1:0";
    bad.portal_count = 2;
    CHECK_FAILS(iscsid_add(s.server, s.targets[0], &bad, &n, &err), ERR_RANGE, err);
    CU_ASSERT_PTR_NOT_NULL(portal(0, 0));
    down();
}

/* Who stays logged in through a reload is told at once that it sees other units (11.9, event 0),
 * and the sessions of other targets are not. */
static void test_luns_changed_is_told(void)
{
    static const uint8_t unit_attention[20] = {0, 18,       0x70,        0,
                                               6, [9] = 10, [14] = 0x3f, [15] = 0x0e};
    struct error err = ERROR_INIT;
    struct client *c, *other;
    uint32_t stat_sn;

    init();
    up();
    c = session(portal(0, 0), 0);
    other = session(portal(1, 0), 1);
    client_alive(c);
    stat_sn = get_be32(c->bhs + 24);
    CHECK_OK(iscsid_reload(s.server, 0, &s.options[0], &err), err);
    client_expect(c, OP_ASYNC);
    CU_ASSERT_EQUAL(c->bhs[1], FLAG_FINAL);
    CU_ASSERT_EQUAL(c->bhs[36], 0);
    CU_ASSERT_EQUAL(get_be32(c->bhs + 16), TAG_NONE);
    CU_ASSERT_EQUAL(get_be32(c->bhs + 24), stat_sn + 1);
    CU_ASSERT_EQUAL_FATAL(c->len, sizeof(unit_attention));
    CU_ASSERT_EQUAL(memcmp(c->data, unit_attention, sizeof(unit_attention)), 0);
    client_alive(c);
    CU_ASSERT_EQUAL(get_be32(c->bhs + 24), stat_sn + 2);
    client_alive(other);
    client_free(c);
    client_free(other);
    down();
}

static void *read_portals(void *stop)
{
    while (!atomic_load((_Atomic bool *)stop))
        for (unsigned i = 0; i < TARGETS; i++)
            if (strncmp(portal(i, 0), "127.0.0.1:", 10) != 0)
                return stop;
    return NULL;
}

/* An operator asks for the status while another one reloads. */
static void test_portals_during_reload(void)
{
    struct error err = ERROR_INIT;
    _Atomic bool stop = false;
    pthread_t thread;
    void *wrong;

    init();
    up();
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, read_portals, &stop), 0);
    for (unsigned i = 0; i < 300; i++)
        CHECK_OK(iscsid_reload(s.server, i % TARGETS, &s.options[i % TARGETS], &err), err);
    atomic_store(&stop, true);
    pthread_join(thread, &wrong);
    CU_ASSERT_PTR_NULL(wrong);
    down();
}

static const struct check_test tests[] = {
    {"shared_portal", test_shared_portal},
    {"reinstatement_is_per_target", test_reinstatement_is_per_target},
    {"cold_reset_is_per_target", test_cold_reset_is_per_target},
    {"groups_in_discovery", test_groups_in_discovery},
    {"groups_in_login", test_groups_in_login},
    {"discovery_by_access", test_discovery_by_access},
    {"discovery_chap_of_several", test_discovery_chap_of_several},
    {"as_many_as_there_may_be", test_as_many_as_there_may_be},
    {"bad_additions", test_bad_additions},
    {"portals_during_reload", test_portals_during_reload},
    {"luns_changed_is_told", test_luns_changed_is_told},
};
CHECK_MAIN("iscsi targets", tests)
