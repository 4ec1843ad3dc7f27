/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape_bench.c - how fast one drive writes and reads: one block in flight, as tar and dd do.
 *
 *   tape_bench iscsi://HOST:PORT/TARGET/LUN BLOCK-BYTES MIB    a drive with a cartridge in it
 *   tape_bench DIRECTORY BLOCK-BYTES MIB                       a new cartridge there, no drive
 *
 * It prints one line, in MB/s (10^6 bytes): the WRITEs alone, the WRITEs with the filemark behind
 * them (which makes the data durable), the READs.  The engine's own drive client is not used, so
 * that any target can stand on the other side.
 *
 * Rules of the measurement:
 *   1. The data does not compress and no two blocks are alike; each carries its number.
 *   2. Every byte read is compared, so that a fast wrong answer is an error and not a result.
 *   3. Only the commands are timed; making and comparing the data is not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "vtl/cartridge/cartridge.h"

#define INITIATOR     "iqn.2026-11.capstan:bench"
#define POOL_BYTES    ((size_t)64 * 1024 * 1024)
#define STAMP_BYTES   16
#define WAIT_READY    60 /* tries, one a second */
#define TIMEOUT_S     600
#define DENSITY_LTO_8 0x5e

/* What is measured; a row of ops for each kind. */
struct device {
    const struct device_ops *ops;
    struct iscsi_context *iscsi;
    int lun;
    struct store *store;
    struct cartridge *cartridge;
};

struct device_ops {
    int (*open)(struct device *d, const char *where, struct error *err);
    void (*close)(struct device *d);
    int (*write)(struct device *d, uint8_t *data, uint32_t len, struct error *err);
    int (*mark)(struct device *d, struct error *err); /* filemark, and all is durable */
    int (*rewind)(struct device *d, struct error *err);
    int (*read)(struct device *d, uint8_t *data, uint32_t len, struct error *err);
};

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- a drive behind iSCSI ---------------------------------------------------------------------
 */

/* One command with at most one buffer; anything but GOOD is an error. */
static int drive_command(struct device *d, const char *name, unsigned char *cdb, int direction,
                         uint8_t *data, uint32_t len, struct error *err)
{
    struct scsi_task *task = scsi_create_task(6, cdb, direction, (int)len);
    struct iscsi_data out = {.size = len, .data = data};
    int rc = 0;

    if (!task)
        return error_set(err, ERR_NO_MEMORY, "no memory for a command");
    if (direction == SCSI_XFER_READ)
        scsi_task_add_data_in_buffer(task, (int)len, data);
    if (!iscsi_scsi_command_sync(d->iscsi, d->lun, task,
                                 direction == SCSI_XFER_WRITE ? &out : NULL))
        rc = error_set(err, ERR_CLOSED, "%s: %s", name, iscsi_get_error(d->iscsi));
    else if (task->status != SCSI_STATUS_GOOD)
        rc = error_set(err, ERR_IO, "%s: status %d, sense %s %s", name, task->status,
                       scsi_sense_key_str((int)task->sense.key),
                       scsi_sense_ascq_str(task->sense.ascq));
    else if (task->residual_status != SCSI_RESIDUAL_NO_RESIDUAL)
        rc = error_set(err, ERR_LENGTH, "%s: %zu bytes were not moved", name, task->residual);
    scsi_free_scsi_task(task);
    return rc;
}

static int drive_wait_ready(struct device *d, struct error *err)
{
    unsigned char cdb[6] = {0x00}; /* TEST UNIT READY */
    int rc = -1;

    for (int i = 0; i < WAIT_READY && rc != 0; i++) {
        if (i > 3)
            nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        rc = drive_command(d, "TEST UNIT READY", cdb, SCSI_XFER_NONE, NULL, 0, err);
    }
    return rc;
}

static void drive_close(struct device *d)
{
    if (d->iscsi) {
        iscsi_logout_sync(d->iscsi);
        iscsi_destroy_context(d->iscsi);
    }
    d->iscsi = NULL;
}

static int drive_open(struct device *d, const char *where, struct error *err)
{
    struct iscsi_url *url;
    int rc;

    d->iscsi = iscsi_create_context(INITIATOR);
    if (!d->iscsi)
        return error_set(err, ERR_NO_MEMORY, "no memory for a session");
    url = iscsi_parse_full_url(d->iscsi, where);
    if (!url)
        return error_set(err, ERR_USAGE, "%s", iscsi_get_error(d->iscsi));
    iscsi_set_targetname(d->iscsi, url->target);
    iscsi_set_session_type(d->iscsi, ISCSI_SESSION_NORMAL);
    iscsi_set_header_digest(d->iscsi, ISCSI_HEADER_DIGEST_NONE);
    iscsi_set_noautoreconnect(d->iscsi, 1);
    iscsi_set_timeout(d->iscsi, TIMEOUT_S);
    d->lun = url->lun;
    rc = iscsi_full_connect_sync(d->iscsi, url->portal, url->lun);
    iscsi_destroy_url(url);
    if (rc != 0)
        return error_set(err, ERR_CLOSED, "%s: %s", where, iscsi_get_error(d->iscsi));
    return drive_wait_ready(d, err);
}

static int drive_write(struct device *d, uint8_t *data, uint32_t len, struct error *err)
{
    unsigned char cdb[6] = {0x0a}; /* WRITE(6), variable block */

    put_be24(cdb + 2, len);
    return drive_command(d, "WRITE", cdb, SCSI_XFER_WRITE, data, len, err);
}

static int drive_mark(struct device *d, struct error *err)
{
    unsigned char cdb[6] = {0x10, 0, 0, 0, 1, 0}; /* WRITE FILEMARKS(6), IMMED = 0 */

    return drive_command(d, "WRITE FILEMARKS", cdb, SCSI_XFER_NONE, NULL, 0, err);
}

static int drive_rewind(struct device *d, struct error *err)
{
    unsigned char cdb[6] = {0x01};

    return drive_command(d, "REWIND", cdb, SCSI_XFER_NONE, NULL, 0, err);
}

static int drive_read(struct device *d, uint8_t *data, uint32_t len, struct error *err)
{
    unsigned char cdb[6] = {0x08}; /* READ(6), variable block */

    put_be24(cdb + 2, len);
    return drive_command(d, "READ", cdb, SCSI_XFER_READ, data, len, err);
}

static const struct device_ops drive_ops = {
    drive_open, drive_close, drive_write, drive_mark, drive_rewind, drive_read,
};

/* ---- a cartridge without a drive --------------------------------------------------------------
 */

static int cart_open(struct device *d, const char *where, struct error *err)
{
    struct cartridge_identity id;
    int rc;

    rc = cartridge_identity_default(&id, "BENCH1L8", DENSITY_LTO_8, err);
    if (rc == 0)
        rc = store_directory_open(where, true, &d->store, err);
    if (rc == 0)
        rc = cartridge_create(d->store, &id, err);
    if (rc == 0)
        rc = cartridge_open(d->store, CARTRIDGE_READ_WRITE, &d->cartridge, err);
    return rc;
}

static void cart_close(struct device *d)
{
    cartridge_close(d->cartridge);
    store_close(d->store);
}

static int cart_write(struct device *d, uint8_t *data, uint32_t len, struct error *err)
{
    return cartridge_write(d->cartridge, data, len, NULL, err);
}

static int cart_mark(struct device *d, struct error *err)
{
    int rc = cartridge_write_filemarks(d->cartridge, 1, NULL, err);

    return rc != 0 ? rc : cartridge_sync(d->cartridge, NULL, err);
}

static int cart_rewind(struct device *d, struct error *err)
{
    (void)err;
    cartridge_rewind(d->cartridge);
    return 0;
}

static int cart_read(struct device *d, uint8_t *data, uint32_t len, struct error *err)
{
    uint32_t got = 0;
    int rc = cartridge_read(d->cartridge, data, len, &got, err);

    if (rc == 0 && got != len)
        rc = error_set(err, ERR_LENGTH, "a block of %" PRIu32 " bytes came back", got);
    return rc;
}

static const struct device_ops cart_ops = {
    cart_open, cart_close, cart_write, cart_mark, cart_rewind, cart_read,
};

/* ---- the measurement --------------------------------------------------------------------------
 */

struct bench {
    struct device device;
    uint8_t *pool;  /* POOL_BYTES of noise */
    uint8_t *block; /* the one being moved */
    uint32_t len;
    uint64_t count;
    double write_s, mark_s, read_s;
};

/* xorshift64*: fast and incompressible. */
static void fill_noise(uint8_t *data, size_t len)
{
    uint64_t x = 0x9e3779b97f4a7c15ULL ^ (uint64_t)time(NULL);

    for (size_t i = 0; i + 8 <= len; i += 8) {
        uint64_t r;

        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        r = x * 0x2545f4914f6cdd1dULL;
        memcpy(data + i, &r, 8);
    }
}

/* Where the content of block n lies in the pool: a stride that is no multiple of the block. */
static const uint8_t *block_noise(const struct bench *b, uint64_t n)
{
    return b->pool + (n * 1000003 % (POOL_BYTES - b->len));
}

static void block_make(struct bench *b, uint64_t n)
{
    memcpy(b->block, block_noise(b, n), b->len);
    put_be64(b->block, n);
    put_be64(b->block + 8, ~n);
}

static int block_check(const struct bench *b, uint64_t n, struct error *err)
{
    if (get_be64(b->block) != n || get_be64(b->block + 8) != ~n ||
        memcmp(b->block + STAMP_BYTES, block_noise(b, n) + STAMP_BYTES, b->len - STAMP_BYTES) != 0)
        return error_set(err, ERR_CORRUPT, "block %" PRIu64 " came back with other content", n);
    return 0;
}

static int bench_write(struct bench *b, struct error *err)
{
    struct device *d = &b->device;
    double start;
    int rc = d->ops->rewind(d, err);

    for (uint64_t n = 0; rc == 0 && n < b->count; n++) {
        block_make(b, n);
        start = now();
        rc = d->ops->write(d, b->block, b->len, err);
        b->write_s += now() - start;
    }
    start = now();
    if (rc == 0)
        rc = d->ops->mark(d, err);
    b->mark_s = now() - start;
    return rc;
}

static int bench_read(struct bench *b, struct error *err)
{
    struct device *d = &b->device;
    int rc = d->ops->rewind(d, err);

    for (uint64_t n = 0; rc == 0 && n < b->count; n++) {
        double start = now();

        rc = d->ops->read(d, b->block, b->len, err);
        b->read_s += now() - start;
        if (rc == 0)
            rc = block_check(b, n, err);
    }
    return rc;
}

static int bench_run(struct bench *b, const char *where, struct error *err)
{
    int rc;

    b->device.ops = strncmp(where, "iscsi://", 8) == 0 ? &drive_ops : &cart_ops;
    b->pool = malloc(POOL_BYTES);
    b->block = malloc(b->len);
    if (!b->pool || !b->block)
        return error_set(err, ERR_NO_MEMORY, "no memory for the data");
    fill_noise(b->pool, POOL_BYTES);
    rc = b->device.ops->open(&b->device, where, err);
    if (rc == 0)
        rc = bench_write(b, err);
    if (rc == 0)
        rc = bench_read(b, err);
    b->device.ops->close(&b->device);
    return rc;
}

static uint64_t number(const char *text, uint64_t low, uint64_t high)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno || *end || end == text || value < low || value > high) {
        fprintf(stderr, "tape_bench: \"%s\" is no number from %" PRIu64 " to %" PRIu64 "\n", text,
                low, high);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    struct error err = ERROR_INIT;
    double mb;
    int rc;

    if (argc != 4) {
        fprintf(stderr,
                "usage: tape_bench iscsi://HOST:PORT/TARGET/LUN|DIRECTORY BLOCK-BYTES MIB\n");
        return 2;
    }
    b.len = (uint32_t)number(argv[2], 2 * STAMP_BYTES, 8 * 1024 * 1024);
    b.count = number(argv[3], 1, 1024 * 1024) * 1024 * 1024 / b.len;
    rc = bench_run(&b, argv[1], &err);
    free(b.pool);
    free(b.block);
    if (rc != 0) {
        fprintf(stderr, "tape_bench: %s\n", err.message);
        return 1;
    }
    mb = (double)b.count * b.len / 1e6;
    printf("write %.1f write+fm %.1f read %.1f\n", mb / b.write_s, mb / (b.write_s + b.mark_s),
           mb / b.read_s);
    return 0;
}
