/* SPDX-License-Identifier: Apache-2.0 */
/* test_iscsi_login.c - logins of every kind, discovery, and what is refused with which status. */
#include "tests/unit/iscsi_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/checked.h"
#include "vtl/iscsi/chap.h"
#include "vtl/iscsi/text.h"

#define NAMES     "InitiatorName=" RIG_INITIATOR "\nTargetName=" RIG_TARGET "\nSessionType=Normal\n"
#define DISCOVERY "InitiatorName=" RIG_INITIATOR "\nSessionType=Discovery\n"

#define TO_FULL_FROM_OPERATIONAL 0x87
#define TO_FULL_FROM_SECURITY    0x83
#define TO_OPERATIONAL           0x81

static unsigned one_login(const struct rig *rig, uint8_t flags, const char *text)
{
    struct client *c = client_new(rig);
    unsigned status = client_login_step(c, flags, text);

    if (status != LOGIN_SUCCESS)
        client_expect_close(c);
    client_free(c);
    return status;
}

static void test_login_paths(void)
{
    struct rig rig;
    struct client *c;

    rig_init(&rig);
    rig.options.target_alias = "a library";
    rig_up(&rig);
    /* operational only */
    c = client_session(&rig, "HeaderDigest=None\n");
    CU_ASSERT_TRUE(client_has(c, "TargetPortalGroupTag=1"));
    CU_ASSERT_TRUE(client_has(c, "TargetAlias=a library"));
    CU_ASSERT_TRUE(client_has(c, "MaxRecvDataSegmentLength=262144"));
    client_alive(c);
    client_free(c);
    /* security straight to full feature */
    c = client_new(&rig);
    CU_ASSERT_EQUAL(client_login_step(c, TO_FULL_FROM_SECURITY, NAMES "AuthMethod=CHAP,None\n"), 0);
    CU_ASSERT_EQUAL(c->bhs[1], TO_FULL_FROM_SECURITY);
    CU_ASSERT_TRUE(client_has(c, "AuthMethod=None"));
    client_alive(c);
    client_free(c);
    /* security, operational, full feature, with a round that ends nothing in between */
    c = client_new(&rig);
    CU_ASSERT_EQUAL(client_login_step(c, 0x00, NAMES "AuthMethod=None\n"), 0);
    CU_ASSERT_EQUAL(c->bhs[1], 0x00);
    CU_ASSERT_EQUAL(client_login_step(c, TO_OPERATIONAL, ""), 0);
    CU_ASSERT_EQUAL(c->bhs[1], TO_OPERATIONAL);
    CU_ASSERT_EQUAL(client_login_step(c, 0x04, "InitialR2T=No\n"), 0);
    CU_ASSERT_TRUE(client_has(c, "InitialR2T=No"));
    CU_ASSERT_EQUAL(client_login_step(c, TO_FULL_FROM_OPERATIONAL, "ImmediateData=Yes\n"), 0);
    CU_ASSERT_FALSE(client_has(c, "MaxRecvDataSegmentLength=262144")); /* once */
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

static void test_login_continued_text(void)
{
    struct rig rig;
    struct client *c;

    rig_init(&rig);
    rig_up(&rig);
    c = client_new(&rig);
    /* C bit: a key may be cut anywhere. */
    CU_ASSERT_EQUAL(client_login_step(c, 0x44, "InitiatorName=iqn.2026-01.te"), 0);
    CU_ASSERT_EQUAL(c->len, 0);
    CU_ASSERT_EQUAL(c->bhs[1], 0x04);
    CU_ASSERT_EQUAL(client_login_step(c, 0x44, "st:initiator\nTarget"), 0);
    CU_ASSERT_EQUAL(client_login_step(c, 0x87, "Name=" RIG_TARGET "\nErrorRecoveryLevel=1\n"), 0);
    CU_ASSERT_TRUE(client_has(c, "ErrorRecoveryLevel=0"));
    CU_ASSERT_EQUAL(c->bhs[1], 0x87);
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

/* 500 unknown keys need an answer longer than one PDU: it comes in pieces with C. */
static void test_login_long_answer(void)
{
    struct rig rig;
    struct client *c;
    char text[8000] = NAMES;
    unsigned pieces = 0;

    rig_init(&rig);
    rig_up(&rig);
    c = client_new(&rig);
    for (int i = 0; i < 480; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "X-key%d=1\n", i);
    CU_ASSERT_EQUAL(client_login_step(c, 0x87, text), 0);
    while (c->bhs[1] & TEXT_CONTINUE) {
        CU_ASSERT_EQUAL(c->len, 8192);
        CU_ASSERT_EQUAL(c->bhs[1] & 0x83, 0);
        pieces++;
        CU_ASSERT_EQUAL_FATAL(client_login_step(c, 0x87, ""), 0);
    }
    CU_ASSERT_EQUAL(pieces, 1);
    CU_ASSERT_EQUAL(c->bhs[1], 0x87);
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

static void test_login_refused(void)
{
    static const struct {
        uint8_t flags;
        const char *text;
        unsigned status;
    } rows[] = {
        {0x87, "TargetName=" RIG_TARGET "\n", LOGIN_MISSING_PARAMETER},
        {0x87, "InitiatorName=" RIG_INITIATOR "\n", LOGIN_MISSING_PARAMETER},
        {0x87, "InitiatorName=" RIG_INITIATOR "\nTargetName=iqn.2026-01.test:other\n",
         LOGIN_NOT_FOUND},
        {0x87, NAMES "SessionType=Odd\n", LOGIN_BAD_SESSION_TYPE},
        {0x87, NAMES "MaxRecvDataSegmentLength=1\n", LOGIN_INITIATOR_ERROR},
        {0x87, NAMES "garbage\n", LOGIN_INITIATOR_ERROR},
        {0x83, NAMES "AuthMethod=KRB5\n", LOGIN_AUTH_FAILED},
        {0x83, NAMES "AuthMethod=CHAP\n", LOGIN_AUTH_FAILED},
        {0x83, NAMES "CHAP_A=5\n", LOGIN_INITIATOR_ERROR},
        {0x82, NAMES, LOGIN_INITIATOR_ERROR}, /* NSG 2 is reserved */
        {0x80, NAMES, LOGIN_INITIATOR_ERROR}, /* from security to security */
        {0x85, NAMES, LOGIN_INITIATOR_ERROR}, /* from operational back */
        {0xc7, NAMES, LOGIN_INITIATOR_ERROR}, /* T and C */
        {0x0c, NAMES, LOGIN_INITIATOR_ERROR}, /* CSG 3 */
        {0x08, NAMES, LOGIN_INITIATOR_ERROR}, /* CSG 2 */
    };
    struct rig rig;

    rig_init(&rig);
    rig_up(&rig);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        unsigned status = one_login(&rig, rows[i].flags, rows[i].text);

        if (status != rows[i].status)
            printf("\n    row %zu: status 0x%04x\n", i, status);
        CU_ASSERT_EQUAL(status, rows[i].status);
    }
    rig_down(&rig);
}

static void test_login_identity_changes(void)
{
    struct rig rig;
    struct client *c;

    rig_init(&rig);
    rig_up(&rig);
    c = client_new(&rig);
    CU_ASSERT_EQUAL(client_login_step(c, 0x00, NAMES), 0);
    c->isid_last = 9;
    CU_ASSERT_EQUAL(client_login_step(c, 0x83, ""), LOGIN_INVALID_REQUEST);
    client_free(c);
    c = client_new(&rig);
    CU_ASSERT_EQUAL(client_login_step(c, 0x04, NAMES), 0);
    CU_ASSERT_EQUAL(client_login_step(c, 0x00, ""), LOGIN_INITIATOR_ERROR); /* back a stage */
    client_free(c);
    c = client_new(&rig);
    c->tsih = 77; /* no such session to join */
    CU_ASSERT_EQUAL(client_login_step(c, 0x87, NAMES), LOGIN_NO_SESSION);
    client_free(c);
    rig_down(&rig);
}

static void test_login_version(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE];

    rig_init(&rig);
    rig_up(&rig);
    c = client_new(&rig);
    pdu_init(bhs, OP_LOGIN_REQUEST | OP_IMMEDIATE, 0x87, 1);
    bhs[2] = bhs[3] = 1;
    client_send(c, bhs, NULL, 0);
    client_expect(c, OP_LOGIN_RESPONSE);
    CU_ASSERT_EQUAL(client_login_status(c), LOGIN_BAD_VERSION);
    client_free(c);
    rig_down(&rig);
}

static void test_access_list(void)
{
    struct rig rig;

    rig_init(&rig);
    rig.options.initiators[0] = "iqn.2026-01.test:other";
    rig.options.initiators[1] = "iqn.2026-01.org.example:*";
    rig.options.initiator_count = 2;
    rig_up(&rig);
    CU_ASSERT_EQUAL(one_login(&rig, 0x87, NAMES), LOGIN_FORBIDDEN);
    CU_ASSERT_EQUAL(one_login(&rig, 0x87,
                              "InitiatorName=iqn.2026-01.org.example:host7\nTargetName=" RIG_TARGET
                              "\n"),
                    LOGIN_SUCCESS);
    CU_ASSERT_EQUAL(
        one_login(&rig, 0x87, "InitiatorName=IQN.2026-01.test:OTHER\nTargetName=" RIG_TARGET "\n"),
        LOGIN_SUCCESS);
    CU_ASSERT_EQUAL(one_login(&rig, 0x87,
                              "InitiatorName=iqn.2026-01.test:otherwise\nTargetName=" RIG_TARGET
                              "\n"),
                    LOGIN_FORBIDDEN);
    rig_down(&rig);
}

/* 11.13.5: whoever is let in is sent on, without a portal group tag; discovery goes on here. */
static void test_redirect(void)
{
    static const uint8_t flags[] = {TO_FULL_FROM_OPERATIONAL, TO_FULL_FROM_SECURITY, 0x04};
    struct rig rig;
    struct client *c;

    rig_init(&rig);
    rig.options.redirect = "[2001:db8::7]:3260";
    rig.options.initiators[0] = RIG_INITIATOR;
    rig.options.initiator_count = 1;
    rig_up(&rig);
    for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
        c = client_new(&rig);
        CU_ASSERT_EQUAL(client_login_step(c, flags[i], NAMES), LOGIN_MOVED_TEMPORARILY);
        CU_ASSERT_TRUE(client_has(c, "TargetAddress=[2001:db8::7]:3260"));
        CU_ASSERT_EQUAL(c->len, sizeof("TargetAddress=[2001:db8::7]:3260"));
        client_expect_close(c);
        client_free(c);
    }
    CU_ASSERT_EQUAL(one_login(&rig, 0x87,
                              "InitiatorName=iqn.2026-01.test:stranger\nTargetName=" RIG_TARGET
                              "\n"),
                    LOGIN_FORBIDDEN);
    CU_ASSERT_EQUAL(
        one_login(&rig, 0x87, "InitiatorName=" RIG_INITIATOR "\nTargetName=iqn.2026-01.test:x\n"),
        LOGIN_NOT_FOUND);
    CU_ASSERT_EQUAL(one_login(&rig, 0x87, DISCOVERY), LOGIN_SUCCESS);
    rig_down(&rig);
}

static void test_max_sessions(void)
{
    struct rig rig;
    struct client *a, *b;

    rig_init(&rig);
    rig.options.max_sessions = 1;
    rig_up(&rig);
    a = client_session(&rig, "");
    b = client_new(&rig);
    b->isid_last = 2;
    CU_ASSERT_EQUAL(client_login_step(b, 0x87, NAMES), LOGIN_NO_RESOURCES);
    client_alive(a);
    client_free(a);
    client_free(b);
    rig_down(&rig);
}

/* ---- CHAP over the wire -----------------------------------------------------------------------*/

static const char user[] = "user", secret[] = "a-secret-of-24-bytes-....";
static const char mutual_user[] = "tape", mutual_secret[] = "another-secret-of-24-bytes";

static void chap_rig(struct rig *rig, bool mutual)
{
    rig_init(rig);
    rig->options.chap.user = user;
    rig->options.chap.secret = secret;
    if (mutual) {
        rig->options.chap.mutual_user = mutual_user;
        rig->options.chap.mutual_secret = mutual_secret;
    }
    rig_up(rig);
}

/* The value of a key in the data received, as text. */
static struct text value_of(const struct client *c, const char *key)
{
    struct text rest = {(const char *)c->data, c->len};
    struct text_pair pair = {{"", 0}, {"", 0}};

    while (text_next(&rest, &pair, NULL) > 0)
        if (text_is(pair.key, key))
            return pair.value;
    return (struct text){"", 0};
}

/* Offer CHAP and an algorithm, answer the challenge with this secret and what is appended. */
static unsigned chap_login(struct client *c, const char *algorithm, const char *with,
                           const char *more, bool base64)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t challenge[64], response[CHAP_RESPONSE_MAX + 3] = {0};
    char text[1024];
    size_t len, response_len, used;
    uint64_t id;

    CU_ASSERT_EQUAL(client_login_step(c, 0x00, NAMES "AuthMethod=CHAP,None\n"), 0);
    CU_ASSERT_TRUE(client_has(c, "AuthMethod=CHAP"));
    snprintf(text, sizeof(text), "CHAP_A=%s\n", algorithm);
    CU_ASSERT_EQUAL(client_login_step(c, 0x00, text), 0);
    CU_ASSERT_TRUE(text_number(value_of(c, "CHAP_I"), &id));
    CU_ASSERT_TRUE(text_binary(value_of(c, "CHAP_C"), challenge, sizeof(challenge), &len));
    CU_ASSERT_TRUE(len >= 16);
    chap_response((unsigned)atoi(algorithm), (uint8_t)id, with, challenge, len, response,
                  &response_len, NULL);
    used = (size_t)snprintf(text, sizeof(text), "CHAP_N=%s\nCHAP_R=%s", user, base64 ? "0b" : "0x");
    for (size_t i = 0; !base64 && i < response_len; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%02X", response[i]);
    for (size_t i = 0; base64 && i < response_len; i += 3) {
        uint32_t v = get_be24(response + i);

        for (int s = 18; s >= 0; s -= 6)
            text[used++] = digits[v >> s & 63];
    }
    if (base64) /* 16 bytes: two digits too many were made of zeros */
        memcpy(text + used - 2, "==", 2);
    snprintf(text + used, sizeof(text) - used, "\n%s", more);
    return client_login_step(c, TO_FULL_FROM_SECURITY, text);
}

static unsigned one_chap(const struct rig *rig, const char *algorithm, const char *with,
                         const char *more, bool base64)
{
    struct client *c = client_new(rig);
    unsigned status = chap_login(c, algorithm, with, more, base64);

    if (status == LOGIN_SUCCESS) {
        CU_ASSERT_EQUAL(c->bhs[1], TO_FULL_FROM_SECURITY);
        client_alive(c);
    } else {
        client_expect_close(c);
    }
    client_free(c);
    return status;
}

static void test_chap_one_way(void)
{
    struct rig rig;

    chap_rig(&rig, false);
    CU_ASSERT_EQUAL(one_chap(&rig, "5", secret, "", false), LOGIN_SUCCESS);
    CU_ASSERT_EQUAL(one_chap(&rig, "5", secret, "", true), LOGIN_SUCCESS);
    CU_ASSERT_EQUAL(one_chap(&rig, "6", secret, "", false), LOGIN_SUCCESS);
    CU_ASSERT_EQUAL(one_chap(&rig, "7", secret, "", false), LOGIN_SUCCESS);
    CU_ASSERT_EQUAL(one_chap(&rig, "8", secret, "", false), LOGIN_SUCCESS);
    CU_ASSERT_EQUAL(one_chap(&rig, "5", "not-the-secret-at-all", "", false), LOGIN_AUTH_FAILED);
    /* mutual asked for, but we have no secret for it */
    CU_ASSERT_EQUAL(one_chap(&rig, "5", secret, "CHAP_I=1\nCHAP_C=0x0102\n", false),
                    LOGIN_AUTH_FAILED);
    /* ways round */
    CU_ASSERT_EQUAL(one_login(&rig, 0x87, NAMES), LOGIN_AUTH_FAILED);
    CU_ASSERT_EQUAL(one_login(&rig, 0x83, NAMES), LOGIN_AUTH_FAILED);
    CU_ASSERT_EQUAL(one_login(&rig, 0x83, NAMES "AuthMethod=None\n"), LOGIN_AUTH_FAILED);
    rig_down(&rig);
}

/* T=1 while the proof is still owed is not granted. */
static void test_chap_no_shortcut(void)
{
    struct rig rig;
    struct client *c;

    chap_rig(&rig, false);
    c = client_new(&rig);
    CU_ASSERT_EQUAL(client_login_step(c, 0x83, NAMES "AuthMethod=CHAP\n"), 0);
    CU_ASSERT_EQUAL(c->bhs[1], 0x00);
    CU_ASSERT_EQUAL(client_login_step(c, 0x83, "CHAP_A=5\n"), 0);
    CU_ASSERT_EQUAL(c->bhs[1], 0x00);
    CU_ASSERT_EQUAL(client_login_step(c, 0x83, ""), 0);
    CU_ASSERT_EQUAL(c->bhs[1], 0x00);
    client_free(c);
    c = client_new(&rig);
    CU_ASSERT_EQUAL(client_login_step(c, 0x00, NAMES "AuthMethod=CHAP\n"), 0);
    CU_ASSERT_EQUAL(client_login_step(c, 0x87, ""), LOGIN_INITIATOR_ERROR); /* jump */
    client_free(c);
    rig_down(&rig);
}

static void test_chap_mutual(void)
{
    struct rig rig;
    struct client *c;
    uint8_t want[CHAP_RESPONSE_MAX], got[CHAP_RESPONSE_MAX];
    size_t want_len, got_len;

    chap_rig(&rig, true);
    c = client_new(&rig);
    CU_ASSERT_EQUAL(chap_login(c, "5", secret, "CHAP_I=200\nCHAP_C=0bAQIDBAUG\n", false),
                    LOGIN_SUCCESS);
    chap_response(5, 200, mutual_secret, (const uint8_t *)"\1\2\3\4\5\6", 6, want, &want_len, NULL);
    CU_ASSERT_TRUE(client_has(c, "CHAP_N=tape"));
    CU_ASSERT_TRUE(text_binary(value_of(c, "CHAP_R"), got, sizeof(got), &got_len));
    CU_ASSERT_EQUAL(got_len, want_len);
    CU_ASSERT_EQUAL(memcmp(got, want, want_len), 0);
    client_alive(c);
    client_free(c);
    /* one-way still works */
    CU_ASSERT_EQUAL(one_chap(&rig, "5", secret, "", false), LOGIN_SUCCESS);
    CU_ASSERT_EQUAL(one_chap(&rig, "5", secret, "CHAP_I=256\nCHAP_C=0x0102\n", false),
                    LOGIN_AUTH_FAILED);
    CU_ASSERT_EQUAL(one_chap(&rig, "5", secret, "CHAP_I=1\n", false), LOGIN_AUTH_FAILED);
    rig_down(&rig);
}

/* ---- discovery --------------------------------------------------------------------------------*/

static void send_targets(struct client *c, const char *text)
{
    uint8_t bhs[BHS_SIZE];
    char copy[256];
    uint32_t len = (uint32_t)strlen(text);

    for (uint32_t i = 0; i < len; i++)
        copy[i] = text[i] == '\n' ? '\0' : text[i];
    client_request(c, bhs, OP_TEXT_REQUEST, FLAG_FINAL, 0);
    put_be32(bhs + 20, TAG_NONE);
    client_send(c, bhs, copy, len);
    client_expect(c, OP_TEXT_RESPONSE);
}

static struct client *discovery_session(const struct rig *rig)
{
    struct client *c = client_new(rig);

    CU_ASSERT_EQUAL_FATAL(client_login_step(c, 0x87, DISCOVERY), 0);
    return c;
}

static void test_discovery(void)
{
    struct rig rig;
    struct client *c;
    char address[128];
    uint8_t bhs[BHS_SIZE];

    rig_init(&rig);
    rig.options.portals[1] = "[::1]:0";
    rig.options.portals[2] = "0.0.0.0:0";
    rig.options.portal_count = 3;
    rig_up(&rig);
    c = discovery_session(&rig);
    CU_ASSERT_FALSE(client_has(c, "TargetPortalGroupTag=1"));
    CU_ASSERT_EQUAL(fake_nexus_total(rig.target), 0);
    send_targets(c, "SendTargets=All\n");
    CU_ASSERT_EQUAL(c->bhs[1], FLAG_FINAL);
    CU_ASSERT_EQUAL(bhs_ttt(c->bhs), TAG_NONE);
    CU_ASSERT_TRUE(client_has(c, "TargetName=" RIG_TARGET));
    for (unsigned i = 0; i < 3; i++) {
        snprintf(address, sizeof(address), "TargetAddress=%s,1", iscsid_portal(rig.server, i));
        /* never a wildcard */
        CU_ASSERT_EQUAL(client_has(c, address), i < 2);
    }
    send_targets(c, "SendTargets=" RIG_TARGET "\n");
    CU_ASSERT_TRUE(client_has(c, "TargetName=" RIG_TARGET));
    send_targets(c, "SendTargets=iqn.2026-01.test:none\n");
    CU_ASSERT_EQUAL(c->len, 0);
    send_targets(c, "SendTargets=\n");
    CU_ASSERT_TRUE(client_has(c, "SendTargets=Reject"));
    send_targets(c, "Foo=1\n");
    CU_ASSERT_TRUE(client_has(c, "Foo=NotUnderstood"));
    client_ping(c);
    /* commands are not for discovery sessions */
    client_command(c, bhs, FLAG_FINAL, 0, 0, (const uint8_t[6]){0}, 6);
    client_send(c, bhs, NULL, 0);
    client_expect(c, OP_REJECT);
    CU_ASSERT_EQUAL(c->bhs[2], REJECT_PROTOCOL);
    client_free(c);
    rig_down(&rig);
}

/* A wildcard portal answers with the address the initiator came by; and over IPv6. */
static void test_discovery_addresses(void)
{
    struct rig rig;
    struct client *c;
    char address[128];

    rig_init(&rig);
    rig.options.portals[0] = "0.0.0.0:0";
    rig_up(&rig);
    c = discovery_session(&rig);
    send_targets(c, "SendTargets=All\n");
    snprintf(address, sizeof(address), "TargetAddress=127.0.0.1%s,1",
             strrchr(iscsid_portal(rig.server, 0), ':'));
    CU_ASSERT_TRUE(client_has(c, address));
    client_free(c);
    rig_down(&rig);
}

static void test_ipv6(void)
{
    struct rig rig;
    struct client *c;
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    char address[128];

    rig_init(&rig);
    rig.options.portals[1] = "[::1]:0";
    rig.options.portal_count = 2;
    rig_up(&rig);
    c = client_new(&rig);
    close(c->fd);
    c->fd = socket(AF_INET6, SOCK_STREAM, 0);
    sa.sin6_port = htons((uint16_t)atoi(strrchr(iscsid_portal(rig.server, 1), ':') + 1));
    CU_ASSERT_EQUAL_FATAL(connect(c->fd, (void *)&sa, sizeof(sa)), 0);
    CU_ASSERT_EQUAL_FATAL(client_login_step(c, 0x87, DISCOVERY), 0);
    send_targets(c, "SendTargets=All\n");
    snprintf(address, sizeof(address), "TargetAddress=%s,1", iscsid_portal(rig.server, 1));
    CU_ASSERT_TRUE(client_has(c, address));
    client_free(c);
    rig_down(&rig);
}

/* Portals enough that the answer needs several PDUs of the smallest size. */
static void test_discovery_split(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE];
    char whole[8192];
    size_t used = 0;
    unsigned pieces = 1;

    rig_init(&rig);
    for (unsigned i = 0; i < ISCSI_PORTALS_MAX; i++)
        rig.options.portals[i] = "127.0.0.1:0";
    rig.options.portal_count = ISCSI_PORTALS_MAX;
    rig_up(&rig);
    c = client_new(&rig);
    CU_ASSERT_EQUAL_FATAL(client_login_step(c, 0x87, DISCOVERY "MaxRecvDataSegmentLength=512\n"),
                          0);
    send_targets(c, "SendTargets=All\n");
    while (!(c->bhs[1] & FLAG_FINAL)) {
        uint32_t ttt = bhs_ttt(c->bhs), itt = bhs_itt(c->bhs);

        CU_ASSERT_EQUAL(c->len, 512);
        CU_ASSERT_TRUE(c->bhs[1] & TEXT_CONTINUE);
        CU_ASSERT_NOT_EQUAL(ttt, TAG_NONE);
        memcpy(whole + used, c->data, c->len);
        used += c->len;
        client_request(c, bhs, OP_TEXT_REQUEST, FLAG_FINAL, 0);
        put_be32(bhs + 16, itt);
        put_be32(bhs + 20, ttt);
        client_send(c, bhs, NULL, 0);
        client_expect(c, OP_TEXT_RESPONSE);
        pieces++;
    }
    CU_ASSERT_TRUE(pieces >= 2);
    memcpy(whole + used, c->data, c->len);
    used += c->len;
    memcpy(c->data, whole, used);
    c->len = (uint32_t)used;
    for (unsigned i = 0; i < ISCSI_PORTALS_MAX; i++) {
        char address[128];

        snprintf(address, sizeof(address), "TargetAddress=%s,1", iscsid_portal(rig.server, i));
        CU_ASSERT_TRUE(client_has(c, address));
    }
    client_free(c);
    rig_down(&rig);
}

static void test_send_targets_in_normal_session(void)
{
    struct rig rig;
    struct client *c;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    send_targets(c, "SendTargets=\n");
    CU_ASSERT_TRUE(client_has(c, "TargetName=" RIG_TARGET));
    send_targets(c, "SendTargets=" RIG_TARGET "\n");
    CU_ASSERT_TRUE(client_has(c, "TargetName=" RIG_TARGET));
    send_targets(c, "SendTargets=All\n");
    CU_ASSERT_TRUE(client_has(c, "SendTargets=Reject"));
    send_targets(c, "MaxRecvDataSegmentLength=1024\nMaxBurstLength=512\n");
    CU_ASSERT_TRUE(client_has(c, "MaxBurstLength=Reject"));
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

static void test_discovery_chap_and_acl(void)
{
    struct rig rig;
    struct client *c;

    rig_init(&rig);
    rig.options.discovery_chap.user = user;
    rig.options.discovery_chap.secret = secret;
    rig.options.initiators[0] = "iqn.2026-01.test:other";
    rig.options.initiator_count = 1;
    rig_up(&rig);
    CU_ASSERT_EQUAL(one_login(&rig, 0x87, DISCOVERY), LOGIN_AUTH_FAILED);
    rig_down(&rig);
    rig.options.discovery_chap.user = rig.options.discovery_chap.secret = NULL;
    rig_up(&rig);
    c = discovery_session(&rig);
    send_targets(c, "SendTargets=All\n");
    CU_ASSERT_EQUAL(c->len, 0); /* nothing that it could log in to */
    client_free(c);
    rig_down(&rig);
}

/* ---- a peer that leaves at any byte -----------------------------------------------------------*/

static void test_close_at_every_byte(void)
{
    static const char text[] = "InitiatorName=" RIG_INITIATOR "\0TargetName=" RIG_TARGET "\0";
    uint8_t stream[BHS_SIZE * 2 + sizeof(text) + 4] = {0};
    size_t whole = BHS_SIZE + sizeof(text) - 1 + pdu_pad(sizeof(text) - 1);
    struct rig rig;

    rig_init(&rig);
    rig_up(&rig);
    pdu_init(stream, OP_LOGIN_REQUEST | OP_IMMEDIATE, 0x87, 1);
    put_be24(stream + 5, sizeof(text) - 1);
    memcpy(stream + BHS_SIZE, text, sizeof(text) - 1);
    pdu_init(stream + whole, OP_SCSI_COMMAND, FLAG_FINAL, 2); /* and a TEST UNIT READY */
    for (size_t n = 0; n <= whole + BHS_SIZE; n++) {
        struct client *c = client_new(&rig);

        client_write(c, stream, n);
        if (n % 2)
            shutdown(c->fd, SHUT_WR); /* half-close: the server must close too */
        if (n % 2 && n < whole)
            CU_ASSERT_EQUAL(client_recv(c, 10000), 0);
        client_free(c);
    }
    struct client *c = client_session(&rig, "");
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

/* ---- options ----------------------------------------------------------------------------------*/

static void test_bad_options(void)
{
    struct error err = ERROR_INIT;
    struct scsi_target *target = fake_target_create();
    struct iscsid *server, *second;
    struct iscsid_options good = {
        .target_name = RIG_TARGET, .portals = {"127.0.0.1:0"}, .portal_count = 1};
    struct iscsid_options bad;
    char address[64];

#define BAD(field, value, code)                                                                    \
    do {                                                                                           \
        bad = good;                                                                                \
        bad.field = value;                                                                         \
        CHECK_FAILS(iscsid_create(target, &bad, &server, &err), code, err);                        \
    } while (0)
    BAD(target_name, "tape", ERR_RANGE);
    BAD(target_name, NULL, ERR_RANGE);
    BAD(target_name, "iqn.2026-01.test:a b", ERR_RANGE);
    BAD(portals[0], "::1:3260", ERR_RANGE);
    BAD(portals[0], "[::1", ERR_RANGE);
    BAD(portals[0], "127.0.0.1:", ERR_RANGE);
    BAD(portals[0], "127.0.0.1:99999", ERR_RANGE);
    BAD(portals[0], "192.0.2.1:0", ERR_RANGE);
    BAD(redirect, "::1:3260", ERR_RANGE);
    BAD(redirect, "192.0.2.7:0", ERR_RANGE);
    BAD(redirect, "192.0.2.7 :3260", ERR_RANGE);
    bad = good;
    bad.chap.user = "u";
    bad.chap.secret = "short";
    CHECK_FAILS(iscsid_create(target, &bad, &server, &err), ERR_RANGE, err);
    CU_ASSERT_PTR_NULL(strstr(err.message, "short"));
    bad.chap.secret = secret;
    bad.chap.mutual_user = "t";
    bad.chap.mutual_secret = secret;
    CHECK_FAILS(iscsid_create(target, &bad, &server, &err), ERR_RANGE, err);
    /* a port in use */
    CHECK_OK(iscsid_create(target, &good, &server, &err), err);
    bad = good;
    bad.portals[0] = iscsid_portal(server, 0);
    CHECK_FAILS(iscsid_create(target, &bad, &second, &err), ERR_EXISTS, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "in use"));
    bad.portals[0] = "127.0.0.1:0";
    CHECK_OK(iscsid_create(target, &bad, &second, &err), err);
    snprintf(address, sizeof(address), "%s", iscsid_portal(second, 0));
    iscsid_destroy(second);
    bad.portals[0] = bad.redirect = address;
    CHECK_FAILS(iscsid_create(target, &bad, &second, &err), ERR_RANGE, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "back"));
    iscsid_destroy(server);
    fake_target_destroy(target);
}

static const struct check_test tests[] = {
    {"login_paths", test_login_paths},
    {"login_continued_text", test_login_continued_text},
    {"login_long_answer", test_login_long_answer},
    {"login_refused", test_login_refused},
    {"login_identity_changes", test_login_identity_changes},
    {"login_version", test_login_version},
    {"access_list", test_access_list},
    {"redirect", test_redirect},
    {"max_sessions", test_max_sessions},
    {"chap_one_way", test_chap_one_way},
    {"chap_no_shortcut", test_chap_no_shortcut},
    {"chap_mutual", test_chap_mutual},
    {"discovery", test_discovery},
    {"discovery_addresses", test_discovery_addresses},
    {"ipv6", test_ipv6},
    {"discovery_split", test_discovery_split},
    {"send_targets_in_normal_session", test_send_targets_in_normal_session},
    {"discovery_chap_and_acl", test_discovery_chap_and_acl},
    {"close_at_every_byte", test_close_at_every_byte},
    {"bad_options", test_bad_options},
};
CHECK_MAIN("iscsi login", tests)
