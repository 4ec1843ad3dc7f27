/* SPDX-License-Identifier: Apache-2.0 */
/* test_iscsi_data.c - data in both directions: every way it can come, and sizes around the limits.
 */
#include "tests/unit/iscsi_client.h"

#include "common/checked.h"

#define BIG (1u << 20)

static uint8_t pattern[BIG], received[BIG];

static void setup(void)
{
    for (size_t i = 0; i < BIG; i++)
        pattern[i] = fake_pattern(i);
}

/* C1h or C2h: lengths in the CDB as iscsi_fake.h says; cdb1 is kept in the history. */
static void vendor_cdb(uint8_t *cdb, uint8_t op, uint32_t want, uint32_t given, bool sense)
{
    memset(cdb, 0, 16);
    cdb[0] = op;
    put_be24(cdb + 6, want);
    put_be24(cdb + 9, given);
    cdb[12] = sense;
}

/* ---- data-in ----------------------------------------------------------------------------------*/

struct data_in {
    uint32_t len, pdus, finals;
    bool collapsed;
};

/* Take Data-In PDUs and the response; check offsets, DataSN, F, and the bytes. */
static struct data_in take_data_in(struct client *c, uint32_t itt, uint32_t recv_max,
                                   uint32_t burst_max)
{
    struct data_in in = {0};
    uint32_t burst = 0;

    for (;;) {
        CU_ASSERT_EQUAL_FATAL(client_recv(c, 10000), 1);
        CU_ASSERT_EQUAL_FATAL(bhs_itt(c->bhs), itt);
        if (bhs_opcode(c->bhs) == OP_SCSI_RESPONSE) {
            CU_ASSERT_EQUAL(get_be32(c->bhs + 36), in.pdus); /* ExpDataSN */
            break;
        }
        CU_ASSERT_EQUAL_FATAL(bhs_opcode(c->bhs), OP_DATA_IN);
        CU_ASSERT_EQUAL(get_be32(c->bhs + 36), in.pdus++);
        CU_ASSERT_EQUAL(get_be32(c->bhs + 40), in.len);
        CU_ASSERT_TRUE(c->len <= recv_max);
        memcpy(received + in.len, c->data, c->len);
        in.len += c->len;
        burst += c->len;
        CU_ASSERT_TRUE(burst <= burst_max);
        if (c->bhs[1] & FLAG_FINAL) {
            in.finals++;
            burst = 0;
        }
        if (c->bhs[1] & DATA_IN_STATUS) {
            CU_ASSERT_TRUE(c->bhs[1] & FLAG_FINAL);
            in.collapsed = true;
            break;
        }
    }
    CU_ASSERT_EQUAL(get_be32(c->bhs + 24), c->exp_stat_sn);
    c->exp_stat_sn++;
    CU_ASSERT_EQUAL(memcmp(received, pattern, in.len), 0);
    return in;
}

static struct data_in read_command(struct client *c, uint32_t edtl, uint32_t want, uint32_t given,
                                   bool sense, uint32_t recv_max, uint32_t burst_max)
{
    uint8_t bhs[BHS_SIZE], cdb[16];

    vendor_cdb(cdb, 0xc1, want, given, sense);
    client_command(c, bhs, FLAG_FINAL | COMMAND_READ, 0, edtl, cdb, sizeof(cdb));
    client_send(c, bhs, NULL, 0);
    return take_data_in(c, bhs_itt(bhs), recv_max, burst_max);
}

static void check_residual(const struct client *c, uint8_t flag, uint32_t residual)
{
    CU_ASSERT_EQUAL(c->bhs[1] & (RESIDUAL_OVERFLOW | RESIDUAL_UNDERFLOW), flag);
    CU_ASSERT_EQUAL(get_be32(c->bhs + 44), residual);
}

static void test_read_sizes(void)
{
    static const uint32_t sizes[] = {0,    1,    3,     4,      511,    512,    513, 4095,
                                     4096, 4097, 65536, 262143, 262144, 262145, BIG};
    static const struct {
        const char *keys;
        uint32_t recv_max, burst_max;
    } limits[] = {
        {"", 8192, 262144},
        {"MaxRecvDataSegmentLength=262144\nMaxBurstLength=16776192\n", 262144, 16776192},
        {"MaxRecvDataSegmentLength=512\nMaxBurstLength=512\n", 512, 512},
        {"MaxRecvDataSegmentLength=1000\nMaxBurstLength=4100\n", 1000, 4100},
        {"MaxRecvDataSegmentLength=16777215\nHeaderDigest=CRC32C\nDataDigest=CRC32C\n", BIG,
         262144},
        {"MaxRecvDataSegmentLength=513\nDataDigest=CRC32C\n", 513, 262144},
    };
    struct rig rig;

    rig_init(&rig);
    rig_up(&rig);
    for (size_t l = 0; l < ARRAY_LENGTH(limits); l++) {
        struct client *c = client_session(&rig, limits[l].keys);

        for (size_t s = 0; s < ARRAY_LENGTH(sizes); s++) {
            uint32_t n = sizes[s];
            struct data_in in =
                read_command(c, n, n, n, false, limits[l].recv_max, limits[l].burst_max);

            CU_ASSERT_EQUAL(in.len, n);
            CU_ASSERT_EQUAL(in.collapsed, n > 0);
            CU_ASSERT_EQUAL(client_status(c), SCSI_GOOD);
            check_residual(c, 0, 0);
            CU_ASSERT_EQUAL(in.finals, (n + limits[l].burst_max - 1) / limits[l].burst_max);
        }
        client_free(c);
    }
    rig_down(&rig);
}

static void test_read_residuals(void)
{
    struct rig rig;
    struct client *c;
    struct data_in in;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "MaxRecvDataSegmentLength=65536\n");
    in = read_command(c, 1000, 600, 600, false, 65536, 262144);
    CU_ASSERT_EQUAL(in.len, 600);
    check_residual(c, RESIDUAL_UNDERFLOW, 400);
    in = read_command(c, 600, 1000, 1000, false, 65536, 262144);
    CU_ASSERT_EQUAL(in.len, 600);
    check_residual(c, RESIDUAL_OVERFLOW, 400);
    in = read_command(c, 1000, 0, 0, false, 65536, 262144);
    CU_ASSERT_EQUAL(in.len, 0);
    CU_ASSERT_FALSE(in.collapsed);
    check_residual(c, RESIDUAL_UNDERFLOW, 1000);
    in = read_command(c, 0, 1000, 1000, false, 65536, 262144);
    CU_ASSERT_EQUAL(in.len, 0);
    check_residual(c, RESIDUAL_OVERFLOW, 1000);
    client_free(c);
    rig_down(&rig);
}

/* A tape block shorter than asked for: data, then sense and residual, never collapsed. */
static void test_read_with_sense(void)
{
    struct rig rig;
    struct client *c;
    struct data_in in;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "MaxRecvDataSegmentLength=65536\n");
    in = read_command(c, 262144, 262144, 100000, true, 65536, 262144);
    CU_ASSERT_EQUAL(in.len, 100000);
    CU_ASSERT_FALSE(in.collapsed);
    CU_ASSERT_EQUAL(in.finals, 1);
    CU_ASSERT_EQUAL(client_status(c), SCSI_CHECK_CONDITION);
    check_residual(c, RESIDUAL_UNDERFLOW, 162144);
    CU_ASSERT_EQUAL(get_be16(c->data), 18);
    CU_ASSERT_EQUAL(c->len, 20);
    CU_ASSERT_EQUAL(c->data[2], 0xf0);
    CU_ASSERT_EQUAL(c->data[4], 0x80);
    in = read_command(c, 512, 512, 0, true, 65536, 262144);
    CU_ASSERT_EQUAL(in.len, 0);
    CU_ASSERT_EQUAL(c->len, 20);
    client_free(c);
    rig_down(&rig);
}

/* MaxRecvDataSegmentLength may be declared again in full feature phase (13.12). */
static void test_read_length_declared_again(void)
{
    static const char text[] = "MaxRecvDataSegmentLength=1024";
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE];
    struct data_in in;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "MaxRecvDataSegmentLength=65536\n");
    in = read_command(c, 8192, 8192, 8192, false, 65536, 262144);
    CU_ASSERT_EQUAL(in.pdus, 1);
    client_request(c, bhs, OP_TEXT_REQUEST, FLAG_FINAL, 0);
    put_be32(bhs + 20, TAG_NONE);
    client_send(c, bhs, text, sizeof(text));
    client_expect(c, OP_TEXT_RESPONSE);
    in = read_command(c, 8192, 8192, 8192, false, 1024, 262144);
    CU_ASSERT_EQUAL(in.pdus, 8);
    client_free(c);
    rig_down(&rig);
}

/* ---- data-out ---------------------------------------------------------------------------------*/

/* Answer R2Ts until the response; checks what is asked for.  Returns how many there were. */
static unsigned serve_r2ts(struct client *c, uint32_t itt, uint32_t pdu_max, uint32_t burst_max)
{
    unsigned count = 0;

    for (;;) {
        uint32_t ttt, offset, length;

        CU_ASSERT_EQUAL_FATAL(client_recv(c, 10000), 1);
        CU_ASSERT_EQUAL_FATAL(bhs_itt(c->bhs), itt);
        CU_ASSERT_EQUAL(get_be32(c->bhs + 24), c->exp_stat_sn);
        if (bhs_opcode(c->bhs) == OP_SCSI_RESPONSE)
            break;
        CU_ASSERT_EQUAL_FATAL(bhs_opcode(c->bhs), OP_R2T);
        CU_ASSERT_EQUAL(get_be32(c->bhs + 36), count++);
        ttt = bhs_ttt(c->bhs);
        offset = get_be32(c->bhs + 40);
        length = get_be32(c->bhs + 44);
        CU_ASSERT_TRUE(length > 0 && length <= burst_max);
        CU_ASSERT_NOT_EQUAL(ttt, TAG_NONE);
        for (uint32_t at = 0, sn = 0; at < length; sn++) {
            uint32_t n = length - at < pdu_max ? length - at : pdu_max;

            client_data_out(c, itt, ttt, at + n == length, sn, offset + at, pattern + offset + at,
                            n);
            at += n;
        }
    }
    c->exp_stat_sn++;
    return count;
}

/* Write n bytes: `immediate` of them in the command, up to `first` unasked, the rest asked for. */
static unsigned write_command(struct client *c, uint32_t edtl, uint32_t want, uint32_t immediate,
                              uint32_t first, uint32_t pdu_max, uint32_t burst_max)
{
    uint8_t bhs[BHS_SIZE], cdb[16];
    uint32_t sent = immediate, sn = 0;
    bool more = first > immediate;

    vendor_cdb(cdb, 0xc2, want, 0, false);
    client_command(c, bhs, (uint8_t)(COMMAND_WRITE | (more ? 0 : FLAG_FINAL)), 0, edtl, cdb, 16);
    client_send(c, bhs, pattern, immediate);
    while (sent < first) {
        uint32_t n = first - sent < pdu_max ? first - sent : pdu_max;

        client_data_out(c, bhs_itt(bhs), TAG_NONE, sent + n == first, sn++, sent, pattern + sent,
                        n);
        sent += n;
    }
    return serve_r2ts(c, bhs_itt(bhs), pdu_max, burst_max);
}

static void check_kept(const struct rig *rig, uint32_t len)
{
    CU_ASSERT_EQUAL(fake_last_out(rig->target, received, sizeof(received)), len);
    CU_ASSERT_EQUAL(memcmp(received, pattern, len), 0);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void test_write_sizes(void)
{
    static const uint32_t sizes[] = {1,    3,    511,   512,   513,   1024,   1025,   4096, 8191,
                                     8192, 8193, 65535, 65536, 65537, 262144, 300001, BIG};
    static const struct {
        const char *keys;
        uint32_t first, burst;
        bool immediate, r2t_first;
    } limits[] = {
        {"InitialR2T=Yes\nImmediateData=No\n", 0, 262144, false, true},
        {"InitialR2T=Yes\nImmediateData=Yes\n", 65536, 262144, true, true},
        {"InitialR2T=No\nImmediateData=No\n", 65536, 262144, false, false},
        {"InitialR2T=No\nImmediateData=Yes\nFirstBurstLength=262144\nMaxBurstLength=16776192\n",
         262144, 16776192, true, false},
        {"InitialR2T=No\nFirstBurstLength=512\nMaxBurstLength=1024\nMaxOutstandingR2T=4\n", 512,
         1024, true, false},
        {"InitialR2T=No\nFirstBurstLength=1000\nMaxBurstLength=5000\nMaxOutstandingR2T=8\n"
         "HeaderDigest=CRC32C\nDataDigest=CRC32C\n",
         1000, 5000, true, false},
    };
    struct rig rig;

    rig_init(&rig);
    rig_up(&rig);
    for (size_t l = 0; l < ARRAY_LENGTH(limits); l++) {
        struct client *c = client_session(&rig, limits[l].keys);

        for (size_t s = 0; s < ARRAY_LENGTH(sizes); s++) {
            uint32_t n = sizes[s], immediate = 0, first;

            if (limits[l].immediate)
                immediate = least(least(n, limits[l].first), limits[l].r2t_first ? 8192 : 300);
            first = limits[l].r2t_first ? immediate : least(n, limits[l].first);
            CU_ASSERT_EQUAL(write_command(c, n, n, immediate, first, 4096, limits[l].burst),
                            (n - first + limits[l].burst - 1) / limits[l].burst);
            CU_ASSERT_EQUAL(client_status(c), SCSI_GOOD);
            check_residual(c, 0, 0);
            check_kept(&rig, n);
        }
        client_free(c);
    }
    rig_down(&rig);
}

static void test_write_residuals(void)
{
    struct rig rig;
    struct client *c;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "InitialR2T=No\n");
    /* The initiator has more than the CDB wants: only that is asked for. */
    CU_ASSERT_EQUAL(write_command(c, 10000, 6000, 0, 0, 4096, 262144), 1);
    check_residual(c, RESIDUAL_UNDERFLOW, 4000);
    check_kept(&rig, 6000);
    /* It sends it all unasked: the rest is dropped. */
    CU_ASSERT_EQUAL(write_command(c, 10000, 6000, 2000, 10000, 4096, 262144), 0);
    check_residual(c, RESIDUAL_UNDERFLOW, 4000);
    check_kept(&rig, 6000);
    CU_ASSERT_EQUAL(write_command(c, 6000, 10000, 6000, 6000, 4096, 262144), 0);
    check_residual(c, RESIDUAL_OVERFLOW, 4000);
    check_kept(&rig, 6000);
    CU_ASSERT_EQUAL(write_command(c, 1000, 0, 1000, 1000, 4096, 262144), 0);
    check_residual(c, RESIDUAL_UNDERFLOW, 1000);
    client_free(c);
    rig_down(&rig);
}

/* Several R2Ts at once, answered in the order asked. */
static void test_outstanding_r2ts(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE], cdb[16];
    uint32_t ttts[4], offsets[4];

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "MaxBurstLength=512\nMaxOutstandingR2T=4\nImmediateData=No\n");
    vendor_cdb(cdb, 0xc2, 2048, 0, false);
    client_command(c, bhs, COMMAND_WRITE | FLAG_FINAL, 0, 2048, cdb, 16);
    client_send(c, bhs, NULL, 0);
    for (unsigned i = 0; i < 4; i++) {
        client_expect(c, OP_R2T);
        ttts[i] = bhs_ttt(c->bhs);
        offsets[i] = get_be32(c->bhs + 40);
        CU_ASSERT_EQUAL(offsets[i], i * 512);
    }
    for (unsigned i = 0; i < 4; i++)
        client_data_out(c, bhs_itt(bhs), ttts[i], true, 0, offsets[i], pattern + offsets[i], 512);
    client_expect(c, OP_SCSI_RESPONSE);
    CU_ASSERT_EQUAL(client_status(c), SCSI_GOOD);
    check_kept(&rig, 2048);
    client_free(c);
    rig_down(&rig);
}

/* The first write waits for its data, the second is complete at once: the drive must still see
 * them in order, or two blocks on the tape change places. */
static void test_writes_keep_their_order(void)
{
    struct rig rig;
    struct client *c;
    uint8_t first[BHS_SIZE], second[BHS_SIZE], other[BHS_SIZE], cdb[16], history[8];
    uint32_t ttt;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    vendor_cdb(cdb, 0xc2, 512, 0, false);
    cdb[1] = 1;
    client_command(c, first, COMMAND_WRITE | FLAG_FINAL, 0, 512, cdb, 16);
    client_send(c, first, NULL, 0);
    client_expect(c, OP_R2T);
    ttt = bhs_ttt(c->bhs);
    cdb[1] = 2;
    client_command(c, second, COMMAND_WRITE | FLAG_FINAL, 0, 512, cdb, 16);
    client_send(c, second, pattern, 512);
    /* another unit need not wait */
    client_command(c, other, FLAG_FINAL, 1, 0, (const uint8_t[6]){0}, 6);
    client_send(c, other, NULL, 0);
    client_expect(c, OP_SCSI_RESPONSE);
    CU_ASSERT_EQUAL(bhs_itt(c->bhs), bhs_itt(other));
    CU_ASSERT_EQUAL(client_recv(c, 100), -1);
    client_data_out(c, bhs_itt(first), ttt, true, 0, 0, pattern, 512);
    client_expect(c, OP_SCSI_RESPONSE);
    CU_ASSERT_EQUAL(bhs_itt(c->bhs), bhs_itt(first));
    client_expect(c, OP_SCSI_RESPONSE);
    CU_ASSERT_EQUAL(bhs_itt(c->bhs), bhs_itt(second));
    CU_ASSERT_EQUAL(fake_history(rig.target, 0, history, 8), 2);
    CU_ASSERT_EQUAL(history[0], 1);
    CU_ASSERT_EQUAL(history[1], 2);
    client_free(c);
    rig_down(&rig);
}

/* ---- data-out that breaks a rule --------------------------------------------------------------*/

static void expect_failed(struct client *c, uint32_t itt, uint8_t asc, uint8_t ascq)
{
    client_expect(c, OP_SCSI_RESPONSE);
    CU_ASSERT_EQUAL(bhs_itt(c->bhs), itt);
    CU_ASSERT_EQUAL(client_status(c), SCSI_CHECK_CONDITION);
    CU_ASSERT_EQUAL_FATAL(c->len, 20);
    CU_ASSERT_EQUAL(c->data[2 + 2], 0x0b);
    CU_ASSERT_EQUAL(c->data[2 + 12], asc);
    CU_ASSERT_EQUAL(c->data[2 + 13], ascq);
}

/* One burst of 1024 is asked for and answered wrongly; the task fails, the session lives. */
static void test_bad_bursts(void)
{
    static const struct {
        bool final;
        uint32_t sn, offset, len;
        bool closes; /* an empty final PDU ends the burst */
    } rows[] = {
        {true, 1, 0, 1024, false},   /* DataSN */
        {true, 0, 4, 1020, false},   /* offset: a gap */
        {true, 0, 4, 1024, false},   /* offset, of the right length */
        {true, 0, 1024, 512, false}, /* behind the burst */
        {true, 0, 0, 1028, false},   /* longer than asked for */
        {true, 0, 0, 512, false},    /* F too early */
        {false, 0, 0, 1024, false},  /* no F at the end */
        {false, 0, 0xfffffe00, 512, true}, {true, 0xffffffff, 0, 1024, false},
    };
    struct rig rig;
    struct client *c;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint8_t bhs[BHS_SIZE], cdb[16];
        uint32_t ttt;

        vendor_cdb(cdb, 0xc2, 1024, 0, false);
        client_command(c, bhs, COMMAND_WRITE | FLAG_FINAL, 0, 1024, cdb, 16);
        client_send(c, bhs, NULL, 0);
        client_expect(c, OP_R2T);
        ttt = bhs_ttt(c->bhs);
        client_data_out(c, bhs_itt(bhs), ttt, rows[i].final, rows[i].sn, rows[i].offset, pattern,
                        rows[i].len);
        if (rows[i].closes) {
            CU_ASSERT_EQUAL(client_recv(c, 100), -1); /* waits for F */
            client_data_out(c, bhs_itt(bhs), ttt, true, 1, 0, pattern, 0);
        }
        expect_failed(c, bhs_itt(bhs), 0x0c, 0x0d);
        /* late data is skipped */
        client_data_out(c, bhs_itt(bhs), ttt, true, 1, 512, pattern, 512);
        client_alive(c);
    }
    client_free(c);
    rig_down(&rig);
}

static void test_stray_data_out(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE], cdb[16];
    uint32_t ttt;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    vendor_cdb(cdb, 0xc2, 512, 0, false);
    client_command(c, bhs, COMMAND_WRITE | FLAG_FINAL, 0, 512, cdb, 16);
    client_send(c, bhs, NULL, 0);
    client_expect(c, OP_R2T);
    ttt = bhs_ttt(c->bhs);
    /* a TTT that was never given out */
    client_data_out(c, bhs_itt(bhs), ttt + 1000, true, 0, 0, pattern, 512);
    client_expect(c, OP_REJECT);
    CU_ASSERT_EQUAL(c->bhs[2], REJECT_INVALID_FIELD);
    CU_ASSERT_EQUAL(c->len, BHS_SIZE);
    CU_ASSERT_EQUAL(bhs_opcode(c->data), OP_DATA_OUT);
    /* the right TTT with another task's ITT; unsolicited data where none is allowed */
    client_data_out(c, bhs_itt(bhs) + 99, ttt, true, 0, 0, pattern, 512);
    client_data_out(c, bhs_itt(bhs), TAG_NONE, true, 0, 0, pattern, 512);
    /* the task is unharmed */
    client_data_out(c, bhs_itt(bhs), ttt, true, 0, 0, pattern, 512);
    client_expect(c, OP_SCSI_RESPONSE);
    CU_ASSERT_EQUAL(client_status(c), SCSI_GOOD);
    check_kept(&rig, 512);
    client_free(c);
    rig_down(&rig);
}

static void test_forbidden_unsolicited(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE], cdb[16];

    rig_init(&rig);
    rig_up(&rig);
    vendor_cdb(cdb, 0xc2, 2048, 0, false);
    /* immediate data where it was refused */
    c = client_session(&rig, "ImmediateData=No\n");
    client_command(c, bhs, COMMAND_WRITE | FLAG_FINAL, 0, 2048, cdb, 16);
    client_send(c, bhs, pattern, 512);
    expect_failed(c, bhs_itt(bhs), 0x0c, 0x0c);
    /* F=0, but InitialR2T is Yes */
    client_command(c, bhs, COMMAND_WRITE, 0, 2048, cdb, 16);
    client_send(c, bhs, NULL, 0);
    expect_failed(c, bhs_itt(bhs), 0x0c, 0x0c);
    client_free(c);
    c = client_session(&rig, "InitialR2T=No\nFirstBurstLength=1024\n");
    /* more immediate data than FirstBurstLength, than EDTL; data with a read */
    client_command(c, bhs, COMMAND_WRITE | FLAG_FINAL, 0, 2048, cdb, 16);
    client_send(c, bhs, pattern, 1028);
    expect_failed(c, bhs_itt(bhs), 0x0c, 0x0d);
    client_command(c, bhs, COMMAND_WRITE | FLAG_FINAL, 0, 512, cdb, 16);
    client_send(c, bhs, pattern, 1024);
    expect_failed(c, bhs_itt(bhs), 0x0c, 0x0d);
    client_command(c, bhs, COMMAND_READ | FLAG_FINAL, 0, 2048, cdb, 16);
    client_send(c, bhs, pattern, 512);
    expect_failed(c, bhs_itt(bhs), 0x0c, 0x0c);
    /* unsolicited data beyond FirstBurstLength */
    client_command(c, bhs, COMMAND_WRITE, 0, 2048, cdb, 16);
    client_send(c, bhs, pattern, 512);
    client_data_out(c, bhs_itt(bhs), TAG_NONE, true, 0, 512, pattern + 512, 1024);
    expect_failed(c, bhs_itt(bhs), 0x0c, 0x0d);
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

/* Both directions at once: no tape command has that. */
static void test_bidirectional(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE], cdb[16];

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "");
    vendor_cdb(cdb, 0xc2, 512, 0, false);
    client_command(c, bhs, COMMAND_WRITE | COMMAND_READ | FLAG_FINAL, 0, 512, cdb, 16);
    client_send(c, bhs, pattern, 512);
    client_expect(c, OP_SCSI_RESPONSE);
    CU_ASSERT_EQUAL(client_status(c), SCSI_CHECK_CONDITION);
    CU_ASSERT_EQUAL(c->data[4], 5);
    client_alive(c);
    client_free(c);
    rig_down(&rig);
}

static void test_bad_data_digest(void)
{
    struct rig rig;
    struct client *c;
    uint8_t bhs[BHS_SIZE], cdb[16];
    uint32_t ttt;

    rig_init(&rig);
    rig_up(&rig);
    c = client_session(&rig, "DataDigest=CRC32C\n");
    vendor_cdb(cdb, 0xc2, 1024, 0, false);
    client_command(c, bhs, COMMAND_WRITE | FLAG_FINAL, 0, 1024, cdb, 16);
    client_send(c, bhs, NULL, 0);
    client_expect(c, OP_R2T);
    ttt = bhs_ttt(c->bhs);
    /* first half damaged, second half good: Reject, then the task fails behind F */
    pdu_init(bhs, OP_DATA_OUT, 0, bhs_itt(bhs));
    put_be24(bhs + 5, 512);
    put_be32(bhs + 20, ttt);
    client_write(c, bhs, BHS_SIZE);
    client_write(c, pattern, 512);
    client_write(c, "\1\2\3\4", 4);
    client_expect(c, OP_REJECT);
    CU_ASSERT_EQUAL(c->bhs[2], REJECT_DATA_DIGEST);
    CU_ASSERT_EQUAL(client_recv(c, 50), -1);
    client_data_out(c, bhs_itt(bhs), ttt, true, 1, 512, pattern, 512);
    expect_failed(c, bhs_itt(bhs), 0x47, 0x05);
    client_alive(c);
    /* a ping damaged: no answer, nothing left behind */
    client_request(c, bhs, OP_NOP_OUT | OP_IMMEDIATE, FLAG_FINAL, 0);
    put_be32(bhs + 20, TAG_NONE);
    put_be24(bhs + 5, 4);
    client_write(c, bhs, BHS_SIZE);
    client_write(c, "ping\0\0\0\0", 8);
    client_expect(c, OP_REJECT);
    client_ping(c);
    /* immediate data damaged: the command has not come */
    client_command(c, bhs, COMMAND_WRITE | FLAG_FINAL, 0, 1024, cdb, 16);
    put_be24(bhs + 5, 4);
    client_write(c, bhs, BHS_SIZE);
    client_write(c, "abcd\0\0\0\0", 8);
    client_expect(c, OP_REJECT);
    CU_ASSERT_EQUAL(c->bhs[2], REJECT_DATA_DIGEST);
    CU_ASSERT_EQUAL(c->exp_cmd_sn, get_be32(bhs + 24)); /* its number is still free */
    c->cmd_sn--;
    CU_ASSERT_EQUAL(write_command(c, 512, 512, 512, 512, 512, 512), 0);
    CU_ASSERT_EQUAL(client_status(c), SCSI_GOOD);
    client_free(c);
    rig_down(&rig);
}

static const struct check_test tests[] = {
    {"setup", setup},
    {"read_sizes", test_read_sizes},
    {"read_residuals", test_read_residuals},
    {"read_with_sense", test_read_with_sense},
    {"read_length_declared_again", test_read_length_declared_again},
    {"write_sizes", test_write_sizes},
    {"write_residuals", test_write_residuals},
    {"outstanding_r2ts", test_outstanding_r2ts},
    {"writes_keep_their_order", test_writes_keep_their_order},
    {"bad_bursts", test_bad_bursts},
    {"stray_data_out", test_stray_data_out},
    {"forbidden_unsolicited", test_forbidden_unsolicited},
    {"bidirectional", test_bidirectional},
    {"bad_data_digest", test_bad_data_digest},
};
CHECK_MAIN("iscsi data", tests)
