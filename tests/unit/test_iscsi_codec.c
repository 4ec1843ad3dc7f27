/* SPDX-License-Identifier: Apache-2.0 */
/* test_iscsi_codec.c - text, negotiation, CHAP, headers and the buffer pool, without sockets. */
#include "tests/unit/check.h"

#include "common/checked.h"
#include "vtl/iscsi/chap.h"
#include "vtl/iscsi/keys.h"
#include "vtl/iscsi/pdu.h"
#include "vtl/iscsi/pool.h"
#include "vtl/iscsi/text.h"

/* Text with '\n' for NUL. */
static struct text nul_text(char *buf, size_t size, const char *source)
{
    size_t len = strlen(source);

    CU_ASSERT_FATAL(len < size);
    for (size_t i = 0; i < len; i++)
        buf[i] = source[i] == '\n' ? '\0' : source[i];
    return (struct text){buf, len};
}

static void test_text_pairs(void)
{
    char buf[256];
    struct text rest = nul_text(buf, sizeof(buf), "A=1\n\n\nLong.Key-2=x=y\nEmpty=\nLast=end");
    struct text_pair p;
    struct error err = ERROR_INIT;

    CU_ASSERT_EQUAL(text_next(&rest, &p, &err), 1);
    CU_ASSERT_TRUE(text_is(p.key, "A") && text_is(p.value, "1"));
    CU_ASSERT_EQUAL(text_next(&rest, &p, &err), 1);
    CU_ASSERT_TRUE(text_is(p.key, "Long.Key-2") && text_is(p.value, "x=y"));
    CU_ASSERT_EQUAL(text_next(&rest, &p, &err), 1);
    CU_ASSERT_TRUE(text_is(p.key, "Empty") && text_is(p.value, ""));
    CU_ASSERT_EQUAL(text_next(&rest, &p, &err), 1);
    CU_ASSERT_TRUE(text_is(p.value, "end"));
    CU_ASSERT_EQUAL(text_next(&rest, &p, &err), 0);
}

static void test_text_malformed(void)
{
    static const char *const bad[] = {
        "nothing", "=value", "a b=1", "k\x01=1",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=64 bytes of key"};
    struct text_pair p;
    struct error err = ERROR_INIT;

    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct text rest = text_of(bad[i]);

        CHECK_FAILS(text_next(&rest, &p, &err), ERR_PROTOCOL, err);
    }
}

static void test_text_numbers(void)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},
        {"8192", true, 8192},
        {"0x2000", true, 8192},
        {"0Xff", true, 255},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"0x", false, 0},
        {"0xg", false, 0},
        {"1a", false, 0},
        {"0x10000000000000000", false, 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint64_t v = 0;

        CU_ASSERT_EQUAL(text_number(text_of(rows[i].text), &v), rows[i].good);
        if (rows[i].good)
            CU_ASSERT_EQUAL(v, rows[i].value);
    }
}

static void test_text_binary(void)
{
    static const struct {
        const char *text;
        bool good;
        const char *value;
    } rows[] = {
        {"0x616263", true, "abc"},
        {"0X616263", true, "abc"},
        {"0x61626", false, NULL},
        {"0x", false, NULL},
        {"0xzz", false, NULL},
        {"616263", false, NULL},
        {"0bYWJj", true, "abc"},
        {"0bYWI=", true, "ab"},
        {"0BYQ==", true, "a"},
        {"0bYWI", true, "ab"},
        {"0bY", false, NULL},
        {"0b", false, NULL},
        {"0bYW=j", false, NULL},
        {"0b====", false, NULL},
        {"0x616263616263616263", false, NULL}, /* 9 bytes: too long */
        {"0bYWJjYWJjYWJj", false, NULL},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint8_t out[8];
        size_t len;

        CU_ASSERT_EQUAL(text_binary(text_of(rows[i].text), out, sizeof(out), &len), rows[i].good);
        if (rows[i].good) {
            CU_ASSERT_EQUAL(len, strlen(rows[i].value));
            CU_ASSERT_EQUAL(memcmp(out, rows[i].value, len), 0);
        }
    }
}

static void test_text_builder_bounds(void)
{
    char buf[8];
    struct text_builder b = {buf, sizeof(buf), 0, false};

    text_addf(&b, "abc", "def");
    CU_ASSERT_EQUAL(b.used, 8);
    CU_ASSERT_FALSE(b.overflow);
    text_addf(&b, "x", "y");
    CU_ASSERT_TRUE(b.overflow);
    CU_ASSERT_EQUAL(b.used, 8);
}

/* ---- negotiation ------------------------------------------------------------------------------*/

/* Every rule of the table: what is offered, what is answered. */
static void test_keys_rules(void)
{
    static const struct {
        const char *offer, *answer;
    } rows[] = {
        {"HeaderDigest=CRC32C,None", "HeaderDigest=CRC32C"},
        {"HeaderDigest=None,CRC32C", "HeaderDigest=None"},
        {"DataDigest=X,CRC32C", "DataDigest=CRC32C"},
        {"DataDigest=MD5", "DataDigest=Reject"},
        {"MaxConnections=8", "MaxConnections=1"},
        {"MaxConnections=0", "MaxConnections=Reject"},
        {"InitialR2T=No", "InitialR2T=No"},
        {"InitialR2T=Yes", "InitialR2T=Yes"},
        {"InitialR2T=maybe", "InitialR2T=Reject"},
        {"ImmediateData=Yes", "ImmediateData=Yes"},
        {"ImmediateData=No", "ImmediateData=No"},
        {"MaxBurstLength=16776192", "MaxBurstLength=16776192"},
        {"MaxBurstLength=16777215", "MaxBurstLength=16776192"},
        {"MaxBurstLength=511", "MaxBurstLength=Reject"},
        {"MaxBurstLength=16777216", "MaxBurstLength=Reject"},
        {"FirstBurstLength=262144", "FirstBurstLength=262144"},
        {"DefaultTime2Wait=2", "DefaultTime2Wait=2"},
        {"DefaultTime2Wait=3601", "DefaultTime2Wait=Reject"},
        {"DefaultTime2Retain=20", "DefaultTime2Retain=0"},
        {"MaxOutstandingR2T=65535", "MaxOutstandingR2T=8"},
        {"MaxOutstandingR2T=0x2", "MaxOutstandingR2T=2"},
        {"DataPDUInOrder=No", "DataPDUInOrder=Yes"},
        {"DataSequenceInOrder=No", "DataSequenceInOrder=Yes"},
        {"ErrorRecoveryLevel=2", "ErrorRecoveryLevel=0"},
        {"TaskReporting=FastAbort,RFC3720", "TaskReporting=RFC3720"},
        {"iSCSIProtocolLevel=2", "iSCSIProtocolLevel=1"},
        {"IFMarker=No", "IFMarker=No"},
        {"OFMarker=Yes", "OFMarker=No"},
        {"IFMarkInt=2048~8192", "IFMarkInt=Reject"},
        {"X-com.example.key=1", "X-com.example.key=NotUnderstood"},
        {"Nonsense=1", "Nonsense=NotUnderstood"},
        {"InitiatorAlias=a", ""},
        {"MaxRecvDataSegmentLength=512", ""},
        {"X#NodeArchitecture=x86", ""},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct error err = ERROR_INIT;
        char answer[256] = "";
        struct text_builder out = {answer, sizeof(answer), 0, false};
        struct params p;

        params_init(&p);
        CHECK_OK(keys_negotiate(&p, STAGE_OPERATIONAL, text_of(rows[i].offer), &out, &err), err);
        CU_ASSERT_STRING_EQUAL(answer, rows[i].answer);
        CU_ASSERT_EQUAL(out.used, rows[i].answer[0] ? strlen(rows[i].answer) + 1 : 0);
    }
}

static int negotiate(struct params *p, enum key_stage stage, const char *offer, char *answer,
                     size_t size, struct error *err)
{
    char buf[512];
    struct text_builder out = {answer, size, 0, false};
    int rc;

    memset(answer, 0, size);
    rc = keys_negotiate(p, stage, nul_text(buf, sizeof(buf), offer), &out, err);
    for (size_t i = 0; i < out.used; i++)
        if (answer[i] == '\0')
            answer[i] = '\n';
    return rc;
}

static void test_keys_first_burst(void)
{
    struct error err = ERROR_INIT;
    char answer[512];
    struct params p;

    /* FirstBurstLength before the keys it hangs on, and larger than MaxBurstLength. */
    params_init(&p);
    CHECK_OK(negotiate(&p, STAGE_OPERATIONAL, "FirstBurstLength=65536\nMaxBurstLength=8192\n",
                       answer, sizeof(answer), &err),
             err);
    CU_ASSERT_STRING_EQUAL(answer, "MaxBurstLength=8192\nFirstBurstLength=8192\n");
    params_init(&p);
    CHECK_OK(negotiate(&p, STAGE_OPERATIONAL,
                       "FirstBurstLength=65536\nImmediateData=No\nInitialR2T=Yes\n", answer,
                       sizeof(answer), &err),
             err);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "FirstBurstLength=Irrelevant"));
    /* A MaxBurstLength that comes later still bounds what is effective. */
    params_init(&p);
    CHECK_OK(
        negotiate(&p, STAGE_OPERATIONAL, "FirstBurstLength=65536\n", answer, sizeof(answer), &err),
        err);
    CHECK_OK(
        negotiate(&p, STAGE_OPERATIONAL, "MaxBurstLength=1024\n", answer, sizeof(answer), &err),
        err);
    CU_ASSERT_EQUAL(params_first_burst(&p), 1024);
}

static void test_keys_discovery(void)
{
    struct error err = ERROR_INIT;
    char answer[512];
    struct params p;

    params_init(&p);
    CHECK_OK(negotiate(&p, STAGE_OPERATIONAL,
                       "SessionType=Discovery\nMaxConnections=1\nInitialR2T=No\nImmediateData=Yes\n"
                       "MaxBurstLength=512\nFirstBurstLength=512\nMaxOutstandingR2T=1\n"
                       "HeaderDigest=CRC32C,None\nErrorRecoveryLevel=0\n",
                       answer, sizeof(answer), &err),
             err);
    CU_ASSERT_STRING_EQUAL(answer, "MaxConnections=Irrelevant\nInitialR2T=Irrelevant\n"
                                   "ImmediateData=Irrelevant\nMaxBurstLength=Irrelevant\n"
                                   "MaxOutstandingR2T=Irrelevant\nHeaderDigest=None\n"
                                   "ErrorRecoveryLevel=0\nFirstBurstLength=Irrelevant\n");
    CU_ASSERT_EQUAL(p.max_burst, 262144);
}

static void test_keys_refused(void)
{
    static const struct {
        enum key_stage stage;
        const char *offer;
    } rows[] = {
        {STAGE_OPERATIONAL, "InitialR2T=No\nInitialR2T=No\n"},
        {STAGE_OPERATIONAL, "MaxRecvDataSegmentLength=0\n"},
        {STAGE_OPERATIONAL, "MaxRecvDataSegmentLength=511\n"},
        {STAGE_OPERATIONAL, "MaxRecvDataSegmentLength=16777216\n"},
        {STAGE_SECURITY, "HeaderDigest=None\n"},
        {STAGE_OPERATIONAL, "AuthMethod=None\n"},
        {STAGE_OPERATIONAL, "SendTargets=All\n"},
        {STAGE_SECURITY, "InitiatorName=iqn.a:b\nInitiatorName=iqn.a:c\n"},
        {STAGE_SECURITY, "InitiatorName=host\n"},
        {STAGE_SECURITY, "InitiatorName=iqn.with space\n"},
        {STAGE_SECURITY, "InitiatorName=\n"},
        {STAGE_SECURITY, "SessionType=Normal\nSessionType=Discovery\n"},
        {STAGE_OPERATIONAL, "no equals sign\n"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct error err = ERROR_INIT;
        char answer[512];
        struct params p;

        params_init(&p);
        CHECK_FAILS(negotiate(&p, rows[i].stage, rows[i].offer, answer, sizeof(answer), &err),
                    ERR_PROTOCOL, err);
    }
}

static void test_keys_full_feature(void)
{
    struct error err = ERROR_INIT;
    char answer[512];
    struct params p;

    params_init(&p);
    CHECK_OK(negotiate(&p, STAGE_FULL_FEATURE,
                       "MaxRecvDataSegmentLength=4096\nMaxRecvDataSegmentLength=65536\n"
                       "HeaderDigest=CRC32C\nSendTargets=All\n",
                       answer, sizeof(answer), &err),
             err);
    CU_ASSERT_STRING_EQUAL(answer, "HeaderDigest=Reject\n");
    CU_ASSERT_EQUAL(p.peer_recv_length, 65536);
    CU_ASSERT_EQUAL(p.header_digest, DIGEST_NONE);
}

static void test_keys_names_fold(void)
{
    struct error err = ERROR_INIT;
    char answer[512];
    struct params p;

    params_init(&p);
    CHECK_OK(negotiate(&p, STAGE_SECURITY, "InitiatorName=IQN.2026-01.Test:A\n", answer,
                       sizeof(answer), &err),
             err);
    CU_ASSERT_STRING_EQUAL(p.initiator, "iqn.2026-01.test:a");
    CHECK_OK(negotiate(&p, STAGE_OPERATIONAL, "InitiatorName=iqn.2026-01.test:a\n", answer,
                       sizeof(answer), &err),
             err);
}

/* ---- CHAP -------------------------------------------------------------------------------------*/

static const struct iscsid_chap secrets = {"user", "secret-of-user-", "target", "secret-of-target"};

/* The known answer, computed apart from this code: MD5(07 "secret-of-user-" 01 02 03 04). */
static void test_chap_vectors(void)
{
    static const struct {
        unsigned algorithm;
        size_t len;
        uint8_t first[4];
    } rows[] = {
        {5, 16, {0x09, 0x0d, 0x10, 0x05}},
        {6, 20, {0xcc, 0x50, 0x61, 0x3d}},
        {7, 32, {0x86, 0xd1, 0xf0, 0x32}},
        {8, 32, {0x00, 0x92, 0x2e, 0x8c}},
    };
    static const uint8_t challenge[] = {1, 2, 3, 4};
    struct error err = ERROR_INIT;
    uint8_t out[CHAP_RESPONSE_MAX];
    size_t len;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        CHECK_OK(chap_response(rows[i].algorithm, 7, secrets.secret, challenge, sizeof(challenge),
                               out, &len, &err),
                 err);
        CU_ASSERT_EQUAL(len, rows[i].len);
        CU_ASSERT_EQUAL(memcmp(out, rows[i].first, 4), 0);
    }
    CHECK_FAILS(chap_response(9, 7, "s", challenge, 4, out, &len, &err), ERR_UNSUPPORTED, err);
}

struct chap_run {
    struct chap chap;
    char answer[4096];
    struct text_builder out;
    uint8_t id, challenge[CHAP_CHALLENGE_SIZE];
};

static int step(struct chap_run *r, const char *text, struct error *err)
{
    char buf[4096];

    memset(r->answer, 0, sizeof(r->answer));
    r->out = (struct text_builder){r->answer, sizeof(r->answer), 0, false};
    return chap_step(&r->chap, nul_text(buf, sizeof(buf), text), &r->out, err);
}

static const struct iscsid_chap *const accepted = &secrets;

static void start_chap(struct chap_run *r, const char *algorithms)
{
    struct error err = ERROR_INIT;
    char text[64];

    chap_init(&r->chap, &accepted, 1);
    snprintf(text, sizeof(text), "CHAP_A=%s\n", algorithms);
    CHECK_OK(step(r, text, &err), err);
    r->id = r->chap.identifier;
    memcpy(r->challenge, r->chap.challenge, sizeof(r->challenge));
}

static void answer_text(const struct chap_run *r, unsigned algorithm, const char *name,
                        const char *secret, char *text, size_t size)
{
    struct error err = ERROR_INIT;
    uint8_t response[CHAP_RESPONSE_MAX];
    struct text_builder b = {text, size, 0, false};
    size_t len;

    memset(text, 0, size);
    CHECK_OK(chap_response(algorithm, r->id, secret, r->challenge, sizeof(r->challenge), response,
                           &len, &err),
             err);
    text_addf(&b, "CHAP_N", "%s", name);
    text_add_binary(&b, "CHAP_R", response, len);
    for (size_t i = 0; i < b.used; i++)
        text[i] = text[i] ? text[i] : '\n';
}

static void test_chap_good_and_bad(void)
{
    static const unsigned algorithms[] = {5, 6, 7, 8};
    struct chap_run *r = calloc(1, sizeof(*r));
    struct error err = ERROR_INIT;
    char list[16], text[512];

    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    for (size_t i = 0; i < ARRAY_LENGTH(algorithms); i++) {
        snprintf(list, sizeof(list), "99,%u,5", algorithms[i]);
        start_chap(r, list);
        answer_text(r, algorithms[i], "user", secrets.secret, text, sizeof(text));
        CHECK_OK(step(r, text, &err), err);
        CU_ASSERT_EQUAL(r->chap.state, CHAP_PROVEN);
        CHECK_FAILS(step(r, text, &err), ERR_AUTH, err); /* used up */
    }
    start_chap(r, "5");
    answer_text(r, 5, "user", "wrong-secret-of-u", text, sizeof(text));
    CHECK_FAILS(step(r, text, &err), ERR_AUTH, err);
    CU_ASSERT_PTR_NULL(strstr(err.message, "secret-of"));
    start_chap(r, "5");
    answer_text(r, 5, "usez", secrets.secret, text, sizeof(text));
    CHECK_FAILS(step(r, text, &err), ERR_AUTH, err);
    start_chap(r, "5");
    CHECK_FAILS(step(r, "CHAP_N=user\nCHAP_R=0x123\n", &err), ERR_AUTH, err);
    start_chap(r, "5");
    CHECK_FAILS(step(r, "CHAP_N=user\n", &err), ERR_AUTH, err);
    chap_init(&r->chap, &accepted, 1);
    CHECK_FAILS(step(r, "CHAP_A=1,2\n", &err), ERR_AUTH, err);
    free(r);
}

static void test_chap_mutual(void)
{
    struct chap_run *r = calloc(1, sizeof(*r));
    struct error err = ERROR_INIT;
    uint8_t expected[CHAP_RESPONSE_MAX];
    char text[1024], want[256] = "";
    struct text_builder b = {want, sizeof(want), 0, false};
    size_t len;

    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    start_chap(r, "7");
    answer_text(r, 7, "user", secrets.secret, text, sizeof(text));
    strcat(text, "CHAP_I=9\nCHAP_C=0x01020304\n");
    CHECK_OK(step(r, text, &err), err);
    CHECK_OK(chap_response(7, 9, secrets.mutual_secret, (const uint8_t *)"\1\2\3\4", 4, expected,
                           &len, &err),
             err);
    text_addf(&b, "CHAP_N", "target");
    text_add_binary(&b, "CHAP_R", expected, len);
    CU_ASSERT_EQUAL(r->out.used, b.used);
    CU_ASSERT_EQUAL(memcmp(r->answer, want, b.used), 0);
    free(r);
}

static void test_chap_reflection(void)
{
    struct chap_run *r = calloc(1, sizeof(*r));
    struct error err = ERROR_INIT;
    char text[1024];
    struct text_builder b;
    size_t used;

    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    start_chap(r, "5");
    answer_text(r, 5, "user", secrets.secret, text, sizeof(text));
    used = strlen(text);
    b = (struct text_builder){text, sizeof(text), used, false};
    text_addf(&b, "CHAP_I", "%u", r->id);
    text_add_binary(&b, "CHAP_C", r->challenge, sizeof(r->challenge));
    for (size_t i = used; i < b.used; i++)
        text[i] = text[i] ? text[i] : '\n';
    text[b.used] = '\0';
    CHECK_FAILS(step(r, text, &err), ERR_AUTH, err);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "reflected"));
    CU_ASSERT_EQUAL(r->out.used, 0);
    free(r);
}

static void test_chap_challenges_differ(void)
{
    struct chap_run *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));

    CU_ASSERT_FATAL(a && b);
    start_chap(a, "5");
    start_chap(b, "5");
    CU_ASSERT_NOT_EQUAL(memcmp(a->challenge, b->challenge, sizeof(a->challenge)), 0);
    free(a);
    free(b);
}

/* ---- headers and buffers ----------------------------------------------------------------------*/

static void test_ahs(void)
{
    /* an extended CDB of 4 bytes, then one of an unknown type */
    static const uint8_t good[] = {0, 5, 1, 0, 'a', 'b', 'c', 'd', 0, 1, 9, 0};
    static const uint8_t bad[][4] = {{0, 2, 1, 0}, {0xff, 0xff, 1, 0}, {0, 0, 1, 0}};
    const uint8_t *at = good, *body;
    size_t left = sizeof(good), len;
    uint8_t type;
    bool broken;

    CU_ASSERT_TRUE(pdu_next_ahs(&at, &left, &type, &body, &len, &broken));
    CU_ASSERT_EQUAL(type, AHS_EXTENDED_CDB);
    CU_ASSERT_EQUAL(len, 5);
    CU_ASSERT_EQUAL(memcmp(body + 1, "abcd", 4), 0);
    CU_ASSERT_TRUE(pdu_next_ahs(&at, &left, &type, &body, &len, &broken));
    CU_ASSERT_EQUAL(type, 9);
    CU_ASSERT_FALSE(pdu_next_ahs(&at, &left, &type, &body, &len, &broken));
    CU_ASSERT_FALSE(broken);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        at = bad[i];
        left = sizeof(bad[i]);
        CU_ASSERT_FALSE(pdu_next_ahs(&at, &left, &type, &body, &len, &broken));
        CU_ASSERT_TRUE(broken);
    }
}

static void test_opcode_table(void)
{
    unsigned legal = 0;

    for (unsigned op = 0; op <= OP_MASK; op++) {
        const struct pdu_rule *rule = pdu_rule((uint8_t)op);

        CU_ASSERT_PTR_NOT_NULL(rule->name);
        legal += rule->phases != 0;
        /* Nothing but Login before login, and Login nowhere else. */
        CU_ASSERT_EQUAL((rule->phases & PHASE_LOGIN) != 0, op == OP_LOGIN_REQUEST);
        if (op == OP_LOGIN_REQUEST)
            CU_ASSERT_EQUAL(rule->phases, PHASE_LOGIN);
    }
    CU_ASSERT_EQUAL(legal, 8);
    CU_ASSERT_TRUE(sn_before(0xffffffff, 0));
    CU_ASSERT_FALSE(sn_before(0, 0xffffffff));
}

static void test_pool(void)
{
    struct pool pool;
    uint8_t *a, *b, *c, *small[2], *again;

    pool_init(&pool, 1u << 20, 512u << 10);
    a = pool_get(&pool, 300000); /* 512 KiB */
    b = pool_get(&pool, 262144);
    c = pool_get(&pool, 131072);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    for (unsigned i = 0; i < 2; i++)
        CU_ASSERT_PTR_NOT_NULL_FATAL(small[i] = pool_get(&pool, POOL_SMALL));
    CU_ASSERT_PTR_NULL(pool_get(&pool, 1)); /* the limit */
    pool_put(&pool, a, 300000);
    pool_put(&pool, c, 131072);
    again = pool_get(&pool, 400000);
    CU_ASSERT_PTR_EQUAL(again, a);
    pool_put(&pool, again, 400000);
    pool_put(&pool, b, 262144);
    for (unsigned i = 0; i < 2; i++)
        pool_put(&pool, small[i], POOL_SMALL);
    CU_ASSERT_EQUAL(pool.lent, 0);
    CU_ASSERT_EQUAL(pool.idle, 512u << 10);
    CU_ASSERT_PTR_NULL(pool_get(&pool, POOL_BUFFER_MAX + 1));
    pool_destroy(&pool);
}

/* Transfers that are never finished do not keep others from asking what is the matter. */
static void test_pool_small_share(void)
{
    struct pool pool;
    uint8_t *big, *small[2];

    pool_init(&pool, 1u << 20, 0);
    big = pool_get(&pool, 512u << 10);
    CU_ASSERT_PTR_NOT_NULL_FATAL(big);
    CU_ASSERT_PTR_NULL(pool_get(&pool, 512u << 10)); /* an eighth is for small ones */
    for (unsigned i = 0; i < 2; i++)
        CU_ASSERT_PTR_NOT_NULL_FATAL(small[i] = pool_get(&pool, POOL_SMALL));
    pool_put(&pool, big, 512u << 10);
    for (unsigned i = 0; i < 2; i++)
        pool_put(&pool, small[i], POOL_SMALL);
    pool_destroy(&pool);
}

static const struct check_test tests[] = {
    {"pool_small_share", test_pool_small_share},
    {"text_pairs", test_text_pairs},
    {"text_malformed", test_text_malformed},
    {"text_numbers", test_text_numbers},
    {"text_binary", test_text_binary},
    {"text_builder_bounds", test_text_builder_bounds},
    {"keys_rules", test_keys_rules},
    {"keys_first_burst", test_keys_first_burst},
    {"keys_discovery", test_keys_discovery},
    {"keys_refused", test_keys_refused},
    {"keys_full_feature", test_keys_full_feature},
    {"keys_names_fold", test_keys_names_fold},
    {"chap_vectors", test_chap_vectors},
    {"chap_good_and_bad", test_chap_good_and_bad},
    {"chap_mutual", test_chap_mutual},
    {"chap_reflection", test_chap_reflection},
    {"chap_challenges_differ", test_chap_challenges_differ},
    {"ahs", test_ahs},
    {"opcode_table", test_opcode_table},
    {"pool", test_pool},
};
CHECK_MAIN("iscsi codec", tests)
