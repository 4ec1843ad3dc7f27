/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_tcmu.c - the tcmu-runner handler, with this program in the place of the runner.
 *
 * The handler is included as source; the functions that tcmu-runner provides are below, over a
 * mailbox and a command ring in memory, laid out as the kernel does.
 */
#include "vtl/tcmu/handler_capstan.c"

#include <ftw.h>
#include <semaphore.h>
#include <stdarg.h>

#include "common/bytes.h"
#include "common/checked.h"
#include "tests/unit/check.h"
#include "vtl/tcmu/past.h"

#define RING_SIZE 4096u

struct tcmu_device {
    char config[300];
    void *private;
    struct tcmu_mailbox *mailbox;
};

static struct tcmur_handler *registered;
static char root_path[64] = "/tmp/capstan-test-tcmu-XXXXXX";

int tcmur_register_handler(struct tcmur_handler *h)
{
    registered = h;
    return 0;
}

void tcmur_dev_set_private(struct tcmu_device *dev, void *private)
{
    dev->private = private;
}

void *tcmur_dev_get_private(struct tcmu_device *dev)
{
    return dev->private;
}

char *tcmu_dev_get_cfgstring(struct tcmu_device *dev)
{
    return dev->config;
}

/* The runner's log: its last line. */
static char logged[512];

void tcmu_err_message(struct tcmu_device *dev, const char *function, int line, const char *format,
                      ...)
{
    va_list args;

    (void)dev, (void)function, (void)line;
    va_start(args, format);
    vsnprintf(logged, sizeof(logged), format, args);
    va_end(args);
}

char *tcmu_dev_get_memory_info(struct tcmu_device *dev, void **base, size_t *len, off_t *offset)
{
    *base = dev->mailbox;
    *len = RING_SIZE * 2;
    *offset = 0;
    return strdup("/dev/uio0");
}

/* ---- a device and its ring
 * ----------------------------------------------------------------------- */

static void device_setup(struct tcmu_device *dev, unsigned lun)
{
    snprintf(dev->config, sizeof(dev->config), "capstan/%u%s", lun, root_path);
    dev->mailbox = calloc(2, RING_SIZE);
    dev->mailbox->version = TCMU_MAILBOX_VERSION;
    dev->mailbox->flags = TCMU_MAILBOX_FLAG_CAP_READ_LEN;
    dev->mailbox->cmdr_off = RING_SIZE;
    dev->mailbox->cmdr_size = RING_SIZE;
}

static struct tcmu_cmd_entry *ring_entry(struct tcmu_device *dev, uint32_t at)
{
    return (void *)((uint8_t *)dev->mailbox + dev->mailbox->cmdr_off + at);
}

struct outcome {
    int status;
    uint8_t sense[TCMUR_SENSE_SIZE];
    bool length_set;
    uint32_t length;
};

/* Run one command whose ring entry lies behind a PAD that wraps, as it may; data is split over two
 * iovecs, as the kernel splits it. */
static struct outcome run(struct tcmu_device *dev, const uint8_t *cdb_in, uint8_t *data, size_t len)
{
    uint8_t cdb[16] = {0};
    struct iovec iov[2] = {{data, len / 3}, {data + len / 3, len - len / 3}};
    struct tcmulib_cmd lib = {.cmd_id = 7, .cdb = cdb, .iovec = iov, .iov_cnt = len ? 2 : 0};
    struct tcmur_cmd cmd = {.lib_cmd = &lib};
    struct tcmu_cmd_entry *pad = ring_entry(dev, RING_SIZE - 64), *entry = ring_entry(dev, 0);
    struct outcome out = {0};

    memcpy(cdb, cdb_in, scsi_cdb_length(cdb_in[0]));
    memset(entry, 0, sizeof(*entry));
    pad->hdr.len_op = 64 | TCMU_OP_PAD;
    entry->hdr.len_op = 128 | TCMU_OP_CMD;
    entry->hdr.cmd_id = 7;
    dev->mailbox->cmd_tail = RING_SIZE - 64;
    dev->mailbox->cmd_head = 128;
    out.status = registered->handle_cmd(dev, &cmd);
    memcpy(out.sense, lib.sense_buf, sizeof(out.sense));
    out.length_set = (entry->hdr.uflags & TCMU_UFLAG_READ_LEN) != 0;
    out.length = entry->rsp.read_len;
    return out;
}

/* As st does: TEST UNIT READY until the unit attentions are used up. */
static int wait_ready(struct tcmu_device *dev)
{
    static const uint8_t test_unit_ready[6] = {0};
    int status = -1;

    for (int i = 0; i < 10 && status != TCMUR_STATUS_OK; i++)
        status = run(dev, test_unit_ready, NULL, 0).status;
    return status;
}

static void make_library(void)
{
    struct error err = ERROR_INIT;
    struct config *config = NULL;
    struct library *lib = NULL;
    struct library_geometry geometry;
    struct cartridge_identity id;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root_path));
    CHECK_OK(config_default(root_path, &config, &err), err);
    CHECK_OK(config_set(config, "library", "serial", "TCMUTEST01", &err), err);
    CHECK_OK(config_set(config, "library", "compression", "none", &err), err);
    CHECK_OK(config_set(config, "iscsi", "target", "iqn.2026-11.test:tcmu", &err), err);
    CHECK_OK(config_write(config, &err), err);
    config_geometry(config, &geometry);
    config_free(config);
    CHECK_OK(library_create(root_path, &geometry, &err), err);
    CHECK_OK(library_open(root_path, &geometry, &lib, &err), err);
    CHECK_OK(cartridge_identity_default(&id, "TCM001L8", 0x5e, &err), err);
    CHECK_OK(library_cartridge_create(lib, &id, library_drive_address(lib, 0), &err), err);
    library_close(lib);
}

/* ---- tests
 * --------------------------------------------------------------------------------------- */

static void test_configuration(void)
{
    static const char *const wrong[] = {
        "capstan/x/a",  "capstan/1/",   "capstan/1",    "capstan/9999/a",
        "capstan//a",   "capstan/-1/a", "capstan/+1/a", "capstan/ 1/a",
        "capstan/1x/a", "capstan1/a",   "other/1/a",    "",
    };
    unsigned lun;
    char root[256];

    CU_ASSERT_TRUE(parse_config("capstan/12/a/b", &lun, root, sizeof(root)));
    CU_ASSERT_EQUAL(lun, 12);
    CU_ASSERT_STRING_EQUAL(root, "/a/b");
    CU_ASSERT_FALSE(parse_config("capstan/1/abcdef", &lun, root, 4));
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        CU_ASSERT_FALSE(parse_config(wrong[i], &lun, root, sizeof(root)));
}

/* What is told before a device is made. */
static void test_check_config(void)
{
    static const struct {
        const char *config, *words;
    } wrong[] = {
        {"other/1/a", "must be capstan/LUN/ROOT"},
        {"capstan/1", "must be capstan/LUN/ROOT"},
        {"capstan/999/tmp", "LUN 999"},
        {"capstan/1/no/such/library", "/no/such/library"},
    };
    char right[300], *reason = NULL;

    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        CU_ASSERT_FALSE(registered->check_config(wrong[i].config, &reason));
        CU_ASSERT_PTR_NOT_NULL_FATAL(reason);
        CU_ASSERT_PTR_NOT_NULL(strstr(reason, wrong[i].words));
        free(reason);
    }
    snprintf(right, sizeof(right), "capstan/2%s", root_path);
    CU_ASSERT_TRUE(registered->check_config(right, &reason));
}

/* Attributes written while the device is in use. */
static void test_reconfig(void)
{
    struct tcmu_device dev = {0};
    struct tcmulib_cfg_info change = {.type = TCMULIB_CFG_DEV_SIZE, .data.dev_size = 4711};
    char other[] = "capstan/2/elsewhere";

    device_setup(&dev, 1);
    CU_ASSERT_EQUAL(registered->reconfig(&dev, &change), 0);
    change = (struct tcmulib_cfg_info){.type = TCMULIB_CFG_WRITE_CACHE};
    CU_ASSERT_EQUAL(registered->reconfig(&dev, &change), -EOPNOTSUPP);
    change = (struct tcmulib_cfg_info){TCMULIB_CFG_DEV_CFGSTR, {.dev_cfgstring = other}};
    CU_ASSERT_EQUAL(registered->reconfig(&dev, &change), -EOPNOTSUPP);
    change.data.dev_cfgstring = dev.config;
    CU_ASSERT_EQUAL(registered->reconfig(&dev, &change), 0);
    free(dev.mailbox);
}

static void test_kernel_without_read_length_is_refused(void)
{
    struct tcmu_device dev = {0};

    device_setup(&dev, 1);
    dev.mailbox->flags = 0;
    CU_ASSERT_TRUE(registered->open(&dev, false) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, "short reads"));
    free(dev.mailbox);
}

static void test_no_such_unit(void)
{
    struct tcmu_device dev = {0};

    device_setup(&dev, 99);
    CU_ASSERT_TRUE(registered->open(&dev, false) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, "no logical unit 99"));
    free(dev.mailbox);
}

static void test_changer_and_drive(void)
{
    static const uint8_t inquiry[6] = {0x12, 0, 0, 0, 96, 0};
    struct tcmu_device changer = {0}, drive = {0};
    uint8_t data[96];

    device_setup(&changer, 0);
    device_setup(&drive, 1);
    CU_ASSERT_EQUAL_FATAL(registered->open(&changer, false), 0);
    CU_ASSERT_EQUAL_FATAL(registered->open(&drive, false), 0);
    CU_ASSERT_EQUAL(run(&changer, inquiry, data, sizeof(data)).status, TCMUR_STATUS_OK);
    CU_ASSERT_EQUAL(data[0], 0x08);
    CU_ASSERT_EQUAL(run(&drive, inquiry, data, sizeof(data)).status, TCMUR_STATUS_OK);
    CU_ASSERT_EQUAL(data[0], 0x01);
    CU_ASSERT_EQUAL(wait_ready(&drive), TCMUR_STATUS_OK);
    registered->close(&drive);
    registered->close(&changer);
    free(drive.mailbox);
    free(changer.mailbox);
}

/* The case TCMU gets wrong by itself: a block shorter than the buffer. */
static void test_short_read(void)
{
    static const uint8_t write6[6] = {0x0a, 0, 0, 0x02, 0x00, 0}; /* 512 bytes, variable */
    static const uint8_t filemark[6] = {0x10, 0, 0, 0, 1, 0};
    static const uint8_t rewind[6] = {0x01, 0, 0, 0, 0, 0};
    static const uint8_t read6[6] = {0x08, 0, 0, 0x10, 0x00, 0}; /* 4096 bytes */
    static const uint8_t read6_sili[6] = {0x08, 2, 0, 0x10, 0x00, 0};
    struct tcmu_device dev = {0};
    uint8_t block[512], data[4096];
    struct outcome out;

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (uint8_t)(i * 7);
    device_setup(&dev, 1);
    CU_ASSERT_EQUAL_FATAL(registered->open(&dev, false), 0);
    CU_ASSERT_EQUAL_FATAL(wait_ready(&dev), TCMUR_STATUS_OK);
    CU_ASSERT_EQUAL(run(&dev, write6, block, sizeof(block)).status, TCMUR_STATUS_OK);
    CU_ASSERT_EQUAL(run(&dev, filemark, NULL, 0).status, TCMUR_STATUS_OK);
    CU_ASSERT_EQUAL(run(&dev, rewind, NULL, 0).status, TCMUR_STATUS_OK);

    memset(data, 0xee, sizeof(data));
    out = run(&dev, read6, data, sizeof(data));
    CU_ASSERT_EQUAL(out.status, TCMUR_STATUS_PASSTHROUGH_ERR);
    CU_ASSERT_EQUAL(out.sense[2] & 0x20, 0x20); /* ILI */
    CU_ASSERT_EQUAL(get_be32(out.sense + 3), 4096 - 512);
    CU_ASSERT_TRUE(out.length_set);
    CU_ASSERT_EQUAL(out.length, 512);
    CU_ASSERT_EQUAL(memcmp(data, block, sizeof(block)), 0);
    CU_ASSERT_EQUAL(data[512], 0);

    out = run(&dev, read6, data, sizeof(data)); /* the filemark */
    CU_ASSERT_EQUAL(out.status, TCMUR_STATUS_PASSTHROUGH_ERR);
    CU_ASSERT_EQUAL(out.sense[2] & 0x80, 0x80);
    CU_ASSERT_EQUAL(data[0], 0); /* nothing of an earlier command shows */

    CU_ASSERT_EQUAL(run(&dev, rewind, NULL, 0).status, TCMUR_STATUS_OK);
    out = run(&dev, read6_sili, data, sizeof(data));
    CU_ASSERT_EQUAL(out.status, TCMUR_STATUS_OK);
    CU_ASSERT_EQUAL(out.length, 512);
    registered->close(&dev);
    free(dev.mailbox);
}

/* [library] compression = none holds here too. */
static off_t stored;

static int add_size(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)path, (void)ftw;
    if (type == FTW_F)
        stored += st->st_size;
    return 0;
}

static void test_compression(void)
{
    static const uint8_t write6[6] = {0x0a, 0, 1, 0, 0, 0}; /* 64 KiB, variable */
    static const uint8_t filemark[6] = {0x10, 0, 0, 0, 1, 0};
    static uint8_t zeros[65536];
    struct tcmu_device dev = {0};

    device_setup(&dev, 1);
    CU_ASSERT_EQUAL_FATAL(registered->open(&dev, false), 0);
    CU_ASSERT_EQUAL_FATAL(wait_ready(&dev), TCMUR_STATUS_OK);
    CU_ASSERT_EQUAL(run(&dev, write6, zeros, sizeof(zeros)).status, TCMUR_STATUS_OK);
    CU_ASSERT_EQUAL(run(&dev, filemark, NULL, 0).status, TCMUR_STATUS_OK);
    stored = 0;
    CU_ASSERT_EQUAL(nftw(root_path, add_size, 16, FTW_PHYS), 0);
    CU_ASSERT_TRUE(stored >= 65536);
    registered->close(&dev);
    free(dev.mailbox);
}

/* ---- what a restart of the runner finds */

static const uint8_t rewind_cdb[6] = {0x01}, read_position[10] = {0x34};
static const uint8_t write_block[6] = {0x0a, 0, 0, 2, 0, 0};

static uint32_t tell(struct tcmu_device *dev)
{
    uint8_t data[20] = {0};

    CU_ASSERT_EQUAL(run(dev, read_position, data, sizeof(data)).status, TCMUR_STATUS_OK);
    return get_be32(data + 4);
}

/* Three blocks on the tape, the drive closed behind the second. */
static void close_behind_two(struct tcmu_device *dev)
{
    static const uint8_t locate[10] = {0x2b, 0, 0, 0, 0, 0, 2};
    uint8_t block[512] = {0};

    device_setup(dev, 1);
    CU_ASSERT_EQUAL_FATAL(registered->open(dev, false), 0);
    CU_ASSERT_EQUAL_FATAL(wait_ready(dev), TCMUR_STATUS_OK);
    CU_ASSERT_EQUAL(run(dev, rewind_cdb, NULL, 0).status, TCMUR_STATUS_OK);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(run(dev, write_block, block, sizeof(block)).status, TCMUR_STATUS_OK);
    CU_ASSERT_EQUAL(run(dev, locate, NULL, 0).status, TCMUR_STATUS_OK);
    registered->close(dev);
}

static void test_restart(void)
{
    static const uint8_t test_unit_ready[6] = {0};
    struct tcmu_device dev = {0};
    struct outcome out;

    close_behind_two(&dev);
    CU_ASSERT_EQUAL_FATAL(registered->open(&dev, false), 0);
    out = run(&dev, test_unit_ready, NULL, 0);
    CU_ASSERT_EQUAL(out.status, TCMUR_STATUS_PASSTHROUGH_ERR);
    CU_ASSERT_EQUAL(out.sense[12], 0x29); /* the hosts' unit attention is still theirs */
    CU_ASSERT_EQUAL(wait_ready(&dev), TCMUR_STATUS_OK);
    CU_ASSERT_EQUAL(tell(&dev), 2);
    registered->close(&dev);
    free(dev.mailbox);
}

/* Nothing is read or written until a host says where. */
static void lost_until(struct tcmu_device *dev, const uint8_t *cdb)
{
    static const uint8_t read6[6] = {0x08, 0, 0, 2, 0, 0}, filemark[6] = {0x10, 0, 0, 0, 1, 0};
    static const uint8_t space_back[6] = {0x11, 0, 0xff, 0xff, 0xff, 0};
    const uint8_t *refused[] = {write_block, read6, filemark, space_back, write_block};
    uint8_t block[512] = {0};

    CU_ASSERT_EQUAL_FATAL(registered->open(dev, false), 0);
    CU_ASSERT_EQUAL(run(dev, write_block, block, sizeof(block)).sense[12], 0x29);
    run(dev, write_block, block, sizeof(block)); /* 28h/00h: not another medium, just power on */
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        struct outcome out = run(dev, refused[i], block, sizeof(block));

        CU_ASSERT_EQUAL(out.status, TCMUR_STATUS_PASSTHROUGH_ERR);
        CU_ASSERT_EQUAL(out.sense[2] & 0x0f, 0x03);
        CU_ASSERT_EQUAL(out.sense[12], 0x3b);
        CU_ASSERT_EQUAL(out.sense[13], 0x00);
    }
    CU_ASSERT_EQUAL(run(dev, cdb, NULL, 0).status, TCMUR_STATUS_OK);
    CU_ASSERT_EQUAL(run(dev, write_block, block, sizeof(block)).status, TCMUR_STATUS_OK);
    registered->close(dev);
}

static void test_died(void)
{
    static const uint8_t locate[10] = {0x2b}, space_end[6] = {0x11, 3},
                         load[6] = {0x1b, 0, 0, 0, 1};
    const uint8_t *sets[] = {rewind_cdb, locate, space_end, load};
    struct tcmu_device dev = {0};
    struct error err = ERROR_INIT;

    close_behind_two(&dev);
    for (size_t i = 0; i < ARRAY_LENGTH(sets); i++) {
        CHECK_OK(past_begin(root_path, 0, &err), err); /* as if it had not been closed */
        lost_until(&dev, sets[i]);
    }
    CHECK_OK(past_begin(root_path, 0, &err), err);
    CU_ASSERT_EQUAL_FATAL(registered->open(&dev, false), 0);
    registered->close(&dev); /* the next one does not know more */
    lost_until(&dev, rewind_cdb);
    free(dev.mailbox);
}

/* Another medium, or the same once more, is at its beginning. */
static void test_died_and_moved(void)
{
    struct tcmu_device dev = {0};
    struct error err = ERROR_INIT;
    uint8_t block[512] = {0};
    struct tcmu_root *root;
    uint16_t drive, slot;

    close_behind_two(&dev);
    CHECK_OK(past_begin(root_path, 0, &err), err);
    CU_ASSERT_EQUAL_FATAL(registered->open(&dev, false), 0);
    CU_ASSERT_EQUAL(wait_ready(&dev), TCMUR_STATUS_OK);
    CU_ASSERT_EQUAL(run(&dev, write_block, block, sizeof(block)).sense[12], 0x3b);
    root = ((struct tcmu_unit *)dev.private)->root;
    drive = library_drive_address(root->library, 0);
    slot = library_first(root->library, ELEMENT_SLOT);
    CHECK_OK(scsi_target_move(root->target, drive, slot, &err), err);
    CHECK_OK(scsi_target_move(root->target, slot, drive, &err), err);
    CU_ASSERT_EQUAL(run(&dev, write_block, block, sizeof(block)).sense[12], 0x28);
    CU_ASSERT_EQUAL(run(&dev, write_block, block, sizeof(block)).status, TCMUR_STATUS_OK);
    registered->close(&dev);
    free(dev.mailbox);
}

static void write_past(const char *text)
{
    char path[100];
    FILE *f;

    snprintf(path, sizeof(path), "%s/run/tcmu-drive-0", root_path);
    f = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs(text, f);
    fclose(f);
}

static void test_past(void)
{
    struct past past, back = {.kind = PAST_ENDED, .partition = 3, .block = UINT64_MAX};
    static const char *const nonsense[] = {"", "\n"};
    struct tcmu_device dev = {0};

    snprintf(back.barcode, sizeof(back.barcode), "TCM001L8");
    past_end(root_path, 0, &back);
    past_read(root_path, 0, &past);
    CU_ASSERT_EQUAL(memcmp(&past, &back, sizeof(past)), 0);
    past_read(root_path, 7, &past);
    CU_ASSERT_EQUAL(past.kind, PAST_NONE);
    write_past("00000000-0000-0000-0000-000000000000 in-use\n");
    past_read(root_path, 0, &past);
    CU_ASSERT_EQUAL(past.kind, PAST_NONE); /* the machine has booted since */
    for (size_t i = 0; i < ARRAY_LENGTH(nonsense); i++) {
        write_past(nonsense[i]);
        past_read(root_path, 0, &past);
        CU_ASSERT_EQUAL(past.kind, PAST_LOST);
    }
    past_end(root_path, 0, &back); /* no tape is as long: the position is lost */
    device_setup(&dev, 1);
    lost_until(&dev, rewind_cdb);
    free(dev.mailbox);
}

/* The runner cancels a device's thread to close the device, maybe in the middle of a command. */
static sem_t in_command;

static bool slow_command(void *ctx, unsigned lun, const struct scsi_task *task,
                         struct scsi_failure *failure)
{
    (void)ctx, (void)lun, (void)task, (void)failure;
    sem_post(&in_command);
    usleep(100000);
    return false;
}

static void *rewind_slowly(void *arg)
{
    static const uint8_t rewind[6] = {0x01, 0, 0, 0, 0, 0};

    run(arg, rewind, NULL, 0);
    pthread_testcancel();
    return NULL;
}

static void test_cancelled_in_a_command(void)
{
    static const struct scsi_layer slow = {.command = slow_command};
    struct tcmu_device dev = {0};
    struct tcmu_unit *unit;
    pthread_t thread;
    void *result = NULL;

    sem_init(&in_command, 0, 0);
    device_setup(&dev, 1);
    CU_ASSERT_EQUAL_FATAL(registered->open(&dev, false), 0);
    CU_ASSERT_EQUAL_FATAL(wait_ready(&dev), TCMUR_STATUS_OK);
    unit = dev.private;
    scsi_target_set_layer(unit->root->target, &slow);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, rewind_slowly, &dev), 0);
    sem_wait(&in_command);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    CU_ASSERT_PTR_EQUAL(result, PTHREAD_CANCELED);
    CU_ASSERT_FALSE(unit->running); /* the command was seen through */
    scsi_target_set_layer(unit->root->target, NULL);
    registered->close(&dev);
    free(dev.mailbox);
    sem_destroy(&in_command);
}

static void test_directions(void)
{
    static const uint8_t verify[6] = {0x13, 0x02, 0, 0, 1, 0}, plain[6] = {0x13, 0, 0, 0, 1, 0};
    static const uint8_t b5[12] = {0xb5};

    CU_ASSERT_TRUE(scsi_cdb_is_data_out(verify, false));
    CU_ASSERT_FALSE(scsi_cdb_is_data_out(plain, false));
    CU_ASSERT_TRUE(scsi_cdb_is_data_out(b5, false));
    CU_ASSERT_FALSE(scsi_cdb_is_data_out(b5, true));
    CU_ASSERT_EQUAL(scsi_cdb_length(0x08), 6);
    CU_ASSERT_EQUAL(scsi_cdb_length(0x34), 10);
    CU_ASSERT_EQUAL(scsi_cdb_length(0x8c), 16);
    CU_ASSERT_EQUAL(scsi_cdb_length(0xa5), 12);
}

/* Nothing is left behind. */
static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void test_clean_up(void)
{
    CU_ASSERT_PTR_NULL(roots); /* the last device closed the library */
    CU_ASSERT_EQUAL(nftw(root_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void test_library(void)
{
    CU_ASSERT_EQUAL(handler_init(), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(registered);
    make_library();
}

static const struct check_test tests[] = {
    {"library", test_library}, /* first: the others need it */
    {"configuration", test_configuration},
    {"check_config", test_check_config},
    {"reconfig", test_reconfig},
    {"kernel_without_read_length_is_refused", test_kernel_without_read_length_is_refused},
    {"no_such_unit", test_no_such_unit},
    {"changer_and_drive", test_changer_and_drive},
    {"short_read", test_short_read},
    {"compression", test_compression},
    {"restart", test_restart},
    {"died", test_died},
    {"died_and_moved", test_died_and_moved},
    {"past", test_past},
    {"cancelled_in_a_command", test_cancelled_in_a_command},
    {"directions", test_directions},
    {"clean_up", test_clean_up},
};
CHECK_MAIN("tcmu", tests)
