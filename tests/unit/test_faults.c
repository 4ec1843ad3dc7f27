/* SPDX-License-Identifier: Apache-2.0 */
/* test_faults.c - every fault: what the host sees, and that it is gone when it is cleared. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/changer_rig.h"
#include "vtl/fault/faults.h"
#include "vtl/fault/internal.h"
#include "vtl/scsi/sense.h"

#define REWIND "01 00 00 00 00 00"

static struct error err;
static struct faults *faults;

static void begin(void)
{
    rig_start();
    CHECK_OK(faults_create(7, &faults, &err), err);
    faults_attach(faults, rig.library, rig.target);
}

static void end(void)
{
    rig_stop();
    faults_destroy(faults);
}

static struct fault_setting setting(enum fault_name name)
{
    return (struct fault_setting){
        .name = name, .drive = -1, .block = -1, .rate = 100, .delay_ms = 300};
}

static unsigned set(const struct fault_setting *s)
{
    unsigned id = 0;

    CHECK_OK(faults_set(faults, s, &id, &err), err);
    return id;
}

static unsigned set_simple(enum fault_name name)
{
    struct fault_setting s = setting(name);

    return set(&s);
}

static void clear(void)
{
    unsigned cleared;

    CHECK_OK(faults_clear(faults, NULL, &cleared, &err), err);
    CU_ASSERT(cleared > 0);
}

static uint8_t write_block(uint8_t fill)
{
    uint8_t block[1024];

    memset(block, fill, sizeof(block));
    return rig_cdb(rig.a, DRIVE, "0a 00 00 04 00 00", block, sizeof(block), 0);
}

static uint8_t read_block(void)
{
    return rig_cdb(rig.a, DRIVE, "08 00 00 04 00 00", NULL, 0, 1024);
}

static void write_blocks(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        CU_ASSERT_EQUAL(write_block((uint8_t)i), SCSI_GOOD);
    rig_good(DRIVE, "10 00 00 00 01 00");
    rig_good(DRIVE, REWIND);
}

/* ---- store ----------------------------------------------------------------------------------- */

static void test_medium_error(void)
{
    struct fault_setting s = setting(FAULT_MEDIUM_ERROR);

    begin();
    rig_load(1);
    write_blocks(8);
    strcpy(s.cartridge, "RIG001L8");
    s.block = 3;
    set(&s);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(read_block(), SCSI_GOOD); /* its neighbours are as they were */
    read_block();
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_READ_ERROR);
    CU_ASSERT_EQUAL(read_block(), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 4);
    rig_good(DRIVE, REWIND);
    rig_good(DRIVE, "2b 00 00 00 00 00 03 00 00 00"); /* locating there reads nothing */
    read_block();
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_READ_ERROR);
    clear();
    rig_good(DRIVE, "2b 00 00 00 00 00 03 00 00 00");
    CU_ASSERT_EQUAL(read_block(), SCSI_GOOD);
    CU_ASSERT_EQUAL(answer.in[0], 3);
    strcpy(s.cartridge, "RIG000L8"); /* another one's fault */
    set(&s);
    rig_good(DRIVE, "2b 00 00 00 00 00 03 00 00 00");
    CU_ASSERT_EQUAL(read_block(), SCSI_GOOD);
    end();
}

static void test_write_error(void)
{
    begin();
    rig_load(1);
    write_blocks(2);
    rig_good(DRIVE, "11 03 00 00 00 00"); /* to the end of data */
    set_simple(FAULT_WRITE_ERROR);
    if (write_block(9) == SCSI_GOOD)
        rig_cdb(rig.a, DRIVE, "10 00 00 00 01 00", NULL, 0, 0);
    CU_ASSERT_EQUAL(answer.status, SCSI_CHECK_CONDITION);
    CU_ASSERT_EQUAL(answer.sense[2] & 15, KEY_MEDIUM_ERROR);
    CU_ASSERT_EQUAL(get_be16(answer.sense + 12), ASC_WRITE_ERROR);
    clear();
    rig_cdb(rig.a, DRIVE, REWIND, NULL, 0, 0);
    rig_good(DRIVE, REWIND);
    CU_ASSERT_EQUAL(read_block(), SCSI_GOOD); /* what was there is there */
    rig_good(DRIVE, "11 03 00 00 00 00");
    CU_ASSERT_EQUAL(write_block(9), SCSI_GOOD);
    rig_good(DRIVE, "10 00 00 00 01 00");
    end();
}

static void test_disk_full(void)
{
    unsigned key;

    begin();
    rig_load(1);
    write_blocks(2);
    rig_good(DRIVE, "11 03 00 00 00 00");
    set_simple(FAULT_DISK_FULL);
    if (write_block(9) == SCSI_GOOD)
        rig_cdb(rig.a, DRIVE, "10 00 00 00 01 00", NULL, 0, 0);
    CU_ASSERT_EQUAL(answer.status, SCSI_CHECK_CONDITION);
    key = answer.sense[2] & 15u;
    CU_ASSERT_EQUAL(key, KEY_VOLUME_OVERFLOW);
    CU_ASSERT_EQUAL(get_be16(answer.sense + 12), ASC_END_OF_MEDIUM);
    clear();
    rig_cdb(rig.a, DRIVE, REWIND, NULL, 0, 0);
    rig_good(DRIVE, REWIND);
    rig_good(DRIVE, "11 03 00 00 00 00");
    CU_ASSERT_EQUAL(write_block(9), SCSI_GOOD);
    rig_good(DRIVE, "10 00 00 00 01 00");
    end();
}

static int count_bytes(void *ctx, const char *object, uint64_t size)
{
    (void)object;
    *(uint64_t *)ctx += size + 1;
    return 0;
}

/* What the layer does not pass on, no running daemon has: that the disk is nearly full, which is
 * the end of the tape, and listing without looking at every object. */
static void test_what_may_be_missing(void)
{
    char path[] = "/tmp/capstan-faults-XXXXXX";
    struct store *store = NULL;
    uint64_t left = 0, total = 0, names = 0;

    begin();
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(path));
    CHECK_OK(store_directory_open(path, false, &store, &err), err);
    CHECK_OK(faults_store_layer(faults, "RIG001L8", store, &store, &err), err);
    CHECK_OK(store_free(store, &left, &total, &err), err);
    CU_ASSERT(total > 0 && left <= total);
    CHECK_OK(store_put(store, "object", "123456", 6, &err), err);
    CHECK_OK(store_list_names(store, count_bytes, &names, &err), err);
    CU_ASSERT_EQUAL(names, 1);
    CHECK_OK(store_delete(store, "object", &err), err);
    store_close(store);
    CU_ASSERT_EQUAL(rmdir(path), 0);
    end();
}

static void test_load_failure(void)
{
    begin();
    set_simple(FAULT_LOAD_FAILURE);
    CU_ASSERT_EQUAL(move(SLOT(1), DRIVE_AT(0)), SCSI_GOOD);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(answer.status, SCSI_CHECK_CONDITION);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_MEDIUM_ERROR, ASC_LOAD_FAILED);
    clear();
    rig_good(DRIVE, "1b 00 00 00 01 00"); /* LOAD tries again */
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    rig_good(DRIVE, TUR);
    end();
}

/* ---- devices --------------------------------------------------------------------------------- */

static void test_robot_jam(void)
{
    begin();
    set_simple(FAULT_ROBOT_JAM);
    move(SLOT(1), DRIVE_AT(0));
    CHECK_SENSE(KEY_HARDWARE_ERROR, 0x1501);
    rig_cdb(rig.a, CHANGER, "07 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_HARDWARE_ERROR, 0x1501);
    CU_ASSERT_EQUAL(status(0x10, 0, 0xffff, 3, 4096), SCSI_GOOD); /* looking still works */
    CHECK_FAILS(scsi_target_move(rig.target, SLOT(1), SLOT(3), &err), ERR_IO, err);
    clear();
    CU_ASSERT_EQUAL(move(SLOT(1), DRIVE_AT(0)), SCSI_GOOD);
    end();
}

static void test_drive_stuck(void)
{
    struct fault_setting s = setting(FAULT_DRIVE_STUCK);

    begin();
    rig_load(1);
    s.drive = 0;
    set(&s);
    move(DRIVE_AT(0), SLOT(1));
    CHECK_SENSE(KEY_HARDWARE_ERROR, 0x5301);
    rig_cdb(rig.a, DRIVE, "1b 00 00 00 00 00", NULL, 0, 0);
    CHECK_SENSE(KEY_HARDWARE_ERROR, 0x5301);
    rig_good(DRIVE, TUR); /* it is loaded still */
    CU_ASSERT_EQUAL(move(SLOT(0), DRIVE_AT(1)), SCSI_GOOD);
    CU_ASSERT_EQUAL(move(DRIVE_AT(1), SLOT(0)), SCSI_GOOD); /* the other one is not */
    clear();
    CU_ASSERT_EQUAL(move(DRIVE_AT(0), SLOT(1)), SCSI_GOOD);
    end();
}

static void test_label_unreadable(void)
{
    struct fault_setting s = setting(FAULT_LABEL_UNREADABLE);

    begin();
    strcpy(s.cartridge, "RIG001L8");
    set(&s);
    status(0x12, 0, 0xffff, 3, 4096);
    CU_ASSERT_EQUAL(descriptor(SLOT(1))[2], 0x0d);
    CU_ASSERT_EQUAL(get_be16(descriptor(SLOT(1)) + 4), ASC_LABEL_UNREADABLE);
    CU_ASSERT_EQUAL(descriptor(SLOT(0))[2], 0x09);
    clear();
    status(0x12, 0, 0xffff, 3, 4096);
    CU_ASSERT_EQUAL(descriptor(SLOT(1))[2], 0x09);
    CU_ASSERT_EQUAL(memcmp(descriptor(SLOT(1)) + 12, "RIG001L8", 8), 0);
    end();
}

static void test_attention_storm(void)
{
    struct fault_setting s = setting(FAULT_ATTENTION_STORM);

    begin();
    s.count = 5;
    s.drive = 0;
    set(&s);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "12 00 00 00 60 00", NULL, 0, 96), SCSI_GOOD);
    rig_good(CHANGER, TUR); /* another unit */
    for (int i = 0; i < 5; i++) {
        rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
        CHECK_SENSE(KEY_UNIT_ATTENTION, 0x2904);
    }
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0); /* spent */
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    s.count = 0;
    set(&s);
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_UNIT_ATTENTION, 0x2904);
    clear();
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_NO_MEDIUM);
    end();
}

static int64_t elapsed_ms(void)
{
    static struct timespec last;
    struct timespec now;
    int64_t ms;

    clock_gettime(CLOCK_MONOTONIC, &now);
    ms = (now.tv_sec - last.tv_sec) * 1000 + (now.tv_nsec - last.tv_nsec) / 1000000;
    last = now;
    return ms;
}

static void test_slow(void)
{
    struct fault_setting drive = setting(FAULT_SLOW_DRIVE), robot = setting(FAULT_SLOW_ROBOT);

    begin();
    set(&drive);
    set(&robot);
    elapsed_ms();
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT(elapsed_ms() >= 300);
    CU_ASSERT_EQUAL(move(SLOT(1), SLOT(3)), SCSI_GOOD);
    CU_ASSERT(elapsed_ms() >= 300);
    rig_good(CHANGER, TUR);
    CU_ASSERT(elapsed_ms() < 300);
    clear();
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CU_ASSERT_EQUAL(move(SLOT(3), SLOT(1)), SCSI_GOOD);
    CU_ASSERT(elapsed_ms() < 300);
    end();
}

/* With IMMED it is slow behind the status, and quick in telling so. */
static void test_slow_in_background(void)
{
    struct fault_setting drive = setting(FAULT_SLOW_DRIVE);

    begin();
    rig_load(1);
    write_blocks(2);
    set(&drive);
    elapsed_ms();
    rig_good(DRIVE, "2b 01 00 00 00 00 02 00 00 00");
    rig_cdb(rig.a, DRIVE, TUR, NULL, 0, 0);
    CHECK_SENSE(KEY_NOT_READY, ASC_OPERATION_IN_PROGRESS);
    CU_ASSERT(elapsed_ms() < 300);
    usleep(300000);
    clear();
    rig_good(DRIVE, TUR);
    CU_ASSERT_EQUAL(rig_cdb(rig.a, DRIVE, "34 00 00 00 00 00 00 00 00 00", NULL, 0, 20), SCSI_GOOD);
    CU_ASSERT_EQUAL(get_be32(answer.in + 4), 2);
    end();
}

/* ---- connections ----------------------------------------------------------------------------- */

struct wire {
    int listener, client, server;
    char address[64];
};

static void wire_listen(struct wire *w)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sa);

    w->listener = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL_FATAL(bind(w->listener, (void *)&sa, sizeof(sa)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(w->listener, 1), 0);
    getsockname(w->listener, (void *)&sa, &len);
    snprintf(w->address, sizeof(w->address), "127.0.0.1:%u", ntohs(sa.sin_port));
    faults_portal(faults, w->address);
}

static void wire_connect(struct wire *w)
{
    struct sockaddr_in sa;
    socklen_t len = sizeof(sa);

    getsockname(w->listener, (void *)&sa, &len);
    w->client = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL_FATAL(connect(w->client, (void *)&sa, sizeof(sa)), 0);
    w->server = faults_connection(faults, accept(w->listener, NULL, NULL));
}

/* Send zeros through it; how many arrive changed.  -1: it was cut. */
static int wire_damage(struct wire *w)
{
    uint8_t out[2048] = {0}, in[2048];
    int changed = 0;

    for (int i = 0; i < 8; i++) {
        size_t got = 0;

        CU_ASSERT_EQUAL(send(w->client, out, sizeof(out), MSG_NOSIGNAL), sizeof(out));
        while (got < sizeof(in)) {
            ssize_t n = recv(w->server, in + got, sizeof(in) - got, 0);

            if (n < 0)
                usleep(1000);
            if (n == 0)
                return -1;
            got += n > 0 ? (size_t)n : 0;
        }
        for (size_t k = 0; k < sizeof(in); k++)
            changed += in[k] != 0;
    }
    return changed;
}

static void wire_close(struct wire *w)
{
    close(w->client);
    close(w->server);
}

static void test_connection_drop(void)
{
    struct fault_setting s = setting(FAULT_CONNECTION_DROP);
    struct wire w;
    char byte;

    begin();
    wire_listen(&w);
    wire_connect(&w);
    s.delay_ms = 50;
    s.count = 2;
    set(&s);
    CU_ASSERT_EQUAL(recv(w.client, &byte, 1, 0), 0);
    wire_close(&w);
    wire_connect(&w);
    CU_ASSERT_EQUAL(recv(w.client, &byte, 1, 0), 0); /* again */
    wire_close(&w);
    wire_connect(&w);
    usleep(120000);
    CU_ASSERT_EQUAL(wire_damage(&w), 0); /* and no more */
    wire_close(&w);
    s.count = 0;
    set(&s);
    clear();
    wire_connect(&w);
    usleep(120000);
    CU_ASSERT_EQUAL(wire_damage(&w), 0);
    wire_close(&w);
    close(w.listener);
    end();
}

/* ---- setting --------------------------------------------------------------------------------- */

static int note(void *ctx, const struct fault_setting *s)
{
    *(struct fault_setting *)ctx = *s;
    return 0;
}

static void test_settings(void)
{
    struct fault_setting s = setting(FAULT_ROBOT_JAM), got = {0};
    unsigned id, cleared;

    begin();
    s.drive = 1;
    CHECK_FAILS(faults_set(faults, &s, &id, &err), ERR_USAGE, err);
    s = setting(FAULT_MEDIUM_ERROR);
    s.block = 3;
    CHECK_FAILS(faults_set(faults, &s, &id, &err), ERR_USAGE, err); /* of which cartridge? */
    s = setting(FAULT_ROBOT_JAM);
    s.rate = 0;
    CHECK_FAILS(faults_set(faults, &s, &id, &err), ERR_RANGE, err);
    s.rate = 30;
    id = set(&s);
    for (int i = 0; i < 200; i++)
        rig_cdb(rig.a, CHANGER, "07 00 00 00 00 00", NULL, 0, 0);
    faults_list(faults, note, &got);
    CU_ASSERT_EQUAL(got.id, id);
    CU_ASSERT(got.strikes > 30 && got.strikes < 90);
    set_simple(FAULT_SLOW_ROBOT);
    CHECK_FAILS(faults_clear(faults, "drive-stuck", &cleared, &err), ERR_NOT_FOUND, err);
    CHECK_OK(faults_clear(faults, "slow-robot", &cleared, &err), err);
    CU_ASSERT_EQUAL(cleared, 1);
    CHECK_OK(faults_clear(faults, "1", &cleared, &err), err);
    CU_ASSERT_EQUAL(cleared, 1);
    rig_good(CHANGER, "07 00 00 00 00 00");
    for (int i = 0; i < FAULTS_MAX; i++)
        set_simple(FAULT_ROBOT_JAM);
    CHECK_FAILS(
        faults_set(faults, &(struct fault_setting){.drive = -1, .block = -1, .rate = 1}, &id, &err),
        ERR_STATE, err);
    for (unsigned i = 0; i < FAULT_NAMES; i++)
        CU_ASSERT_PTR_EQUAL(faults_find(faults_kinds()[i].name), &faults_kinds()[i]);
    end();
}

static const struct check_test tests[] = {
    {"medium_error", test_medium_error},
    {"write_error", test_write_error},
    {"disk_full", test_disk_full},
    {"what_may_be_missing", test_what_may_be_missing},
    {"load_failure", test_load_failure},
    {"robot_jam", test_robot_jam},
    {"drive_stuck", test_drive_stuck},
    {"label_unreadable", test_label_unreadable},
    {"attention_storm", test_attention_storm},
    {"slow", test_slow},
    {"slow_in_background", test_slow_in_background},
    {"connection_drop", test_connection_drop},
    {"settings", test_settings},
};

CHECK_MAIN("faults", tests)
