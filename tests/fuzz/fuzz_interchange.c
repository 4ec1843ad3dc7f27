/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_interchange.c - any bytes as a stream to be imported: what is taken is what the report says,
 * and can be exported again; what is refused has its sentence.
 *
 * The first byte names the format (0: to be found out) and how many bytes a read gives.
 */
#include <stdlib.h>
#include <string.h>

#include "vtl/interchange/interchange.h"
#include "vtl/store/simdisk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

struct bytes {
    const uint8_t *data;
    size_t len, at, chunk;
};

static int give(void *ctx, void *buf, size_t len, size_t *got, struct error *err)
{
    struct bytes *b = ctx;
    size_t part = b->len - b->at;

    (void)err;
    part = part < len ? part : len;
    *got = part < b->chunk ? part : b->chunk;
    if (*got)
        memcpy(buf, b->data + b->at, *got);
    b->at += *got;
    return 0;
}

static int count(void *ctx, const void *buf, size_t len, struct error *err)
{
    (void)buf;
    (void)err;
    *(uint64_t *)ctx += len;
    return 0;
}

static struct cartridge *make(struct store *disk)
{
    struct cartridge_identity id;
    struct cartridge *c;

    require(cartridge_identity_default(&id, "FUZZ01L8", 0x5e, NULL) == 0);
    id.segment_size = 1 << 20;
    id.capacity = 64 << 20;
    id.early_warning = 1 << 20;
    require(cartridge_create(disk, &id, NULL) == 0);
    require(cartridge_open(disk, CARTRIDGE_READ_WRITE, &c, NULL) == 0);
    return c;
}

static void check_taken(struct cartridge *c, const struct interchange_report *report)
{
    static const char *const names[] = {"capstan", "tap", "aws", "het"};
    struct cartridge_position pos;

    cartridge_locate_end(c);
    cartridge_tell(c, &pos);
    require(pos.file == report->filemarks && pos.eod_lba == report->blocks + report->filemarks);
    for (size_t i = 0; i < 4; i++) {
        const struct interchange_format *format;
        struct interchange_report again;
        uint64_t bytes = 0;

        require(interchange_format_find(names[i], &format, NULL) == 0);
        require(interchange_export(c, format, INTERCHANGE_NO_FILE, count, &bytes, NULL, &again,
                                   NULL) == 0);
        require(again.blocks == report->blocks && again.filemarks == report->filemarks &&
                again.bytes == report->bytes && again.stream_bytes == bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {NULL, "capstan", "tap", "aws", "het", "raw", NULL, NULL};
    const struct interchange_format *format = NULL;
    struct interchange_import *in;
    struct interchange_report report;
    struct error err = ERROR_INIT;
    struct cartridge *c;
    struct store *disk;
    struct bytes b;
    int rc;

    if (size == 0)
        return 0;
    b = (struct bytes){data + 1, size - 1, 0, (data[0] >> 3) * 100u + 1};
    if (names[data[0] & 7])
        require(interchange_format_find(names[data[0] & 7], &format, NULL) == 0);
    rc = interchange_import_open(give, &b, format, 512, &in, &err);
    require(rc == 0 || err.message[0]);
    if (rc)
        return 0;
    require(simdisk_open(1, &disk, NULL) == 0);
    c = make(disk);
    rc = interchange_import_run(in, c, NULL, &report, &err);
    require(rc == 0 || err.message[0]);
    if (rc == 0)
        check_taken(c, &report);
    interchange_import_close(in);
    cartridge_close(c);
    store_close(disk);
    return 0;
}
