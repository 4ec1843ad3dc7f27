/* SPDX-License-Identifier: Apache-2.0 */
/* export.c - cartridge -> format; see interchange.h. */
#include <stdlib.h>

#include "vtl/interchange/internal.h"

static int put_filemarks(struct exporter *out, uint32_t partition, uint32_t *count,
                         struct error *err)
{
    int rc = *count ? out->format->filemarks(out, partition, *count, err) : 0;

    out->report->filemarks += *count;
    *count = 0;
    return rc;
}

/* Nothing to say of it but its bytes. */
static bool is_plain(const struct cartridge_block *b)
{
    return !b->compression && !b->encryption && !b->protection;
}

static int put_block(struct exporter *out, uint32_t partition, const struct cartridge_block *block,
                     struct error *err)
{
    int rc = is_plain(block) ? out->format->block(out, partition, out->block, block->length, err)
                             : out->format->stored(out, partition, block, out->block, err);

    out->report->blocks++;
    out->report->bytes += block->length;
    if (out->watch->progress)
        out->watch->progress(out->watch->ctx, out->report->bytes);
    return rc;
}

/* A block that can't be read.  The stream goes on if the format can say that one is missing. */
static int put_damaged(struct exporter *out, const struct error *why, struct error *err)
{
    if (!out->format->bad)
        return error_set(err, ERR_CORRUPT,
                         "%s; only the format tap can say that a block is missing", why->message);
    out->report->bad++;
    if (out->watch->warning)
        out->watch->warning(out->watch->ctx, why->message);
    return out->format->bad(out, err);
}

/* A raw stream has no filemarks: what follows one would be taken for the same file. */
static int check_one_file(const struct exporter *out, uint64_t filemarks, struct error *err)
{
    if (out->format != &format_raw || filemarks == 0)
        return 0;
    return error_set(err, ERR_UNSUPPORTED,
                     "cartridge %s has more than one file, and a raw stream can't tell them "
                     "apart; choose one with --file, or another format",
                     cartridge_identity(out->cartridge)->barcode);
}

/* The next object: a block as it is stored if the format can have that, else plain. */
static int read_object(struct exporter *out, struct cartridge_block *block, struct error *err)
{
    int rc;

    if (out->format->stored)
        return cartridge_read_block(out->cartridge, out->block, CARTRIDGE_STORED_MAX, block, err);
    *block = (struct cartridge_block){0};
    rc = cartridge_read(out->cartridge, out->block, CARTRIDGE_BLOCK_MAX, &block->length, err);
    if (rc == -ERR_ENCRYPTED)
        return error_set(err, ERR_ENCRYPTED,
                         "cartridge %s holds encrypted blocks, and the key is not on it; only the "
                         "format capstan can hold them, as they are",
                         cartridge_identity(out->cartridge)->barcode);
    return rc;
}

static bool stopped(const struct exporter *out)
{
    return out->watch->stop && atomic_load(out->watch->stop);
}

static int export_objects(struct exporter *out, uint32_t partition, struct error *err)
{
    uint32_t filemarks = 0;
    int rc = 0;

    while (!rc && !stopped(out)) {
        struct error why = ERROR_INIT;
        struct cartridge_block block;
        bool damaged;

        rc = read_object(out, &block, &why);
        if (rc == -ERR_FILEMARK && out->file != INTERCHANGE_NO_FILE)
            return 0;
        if (rc == -ERR_FILEMARK && filemarks < UINT32_MAX) {
            filemarks++;
            rc = 0;
            continue;
        }
        if (rc == -ERR_END_OF_DATA)
            return put_filemarks(out, partition, &filemarks, err);
        if (rc && rc != -ERR_CORRUPT)
            return error_set(err, why.code, "%s", why.message);
        damaged = rc != 0;
        rc = check_one_file(out, out->report->filemarks + filemarks, err);
        if (!rc)
            rc = put_filemarks(out, partition, &filemarks, err);
        if (!rc)
            rc = damaged ? put_damaged(out, &why, err) : put_block(out, partition, &block, err);
    }
    return rc ? rc : error_set(err, ERR_CANCELLED, "the export was stopped");
}

static int export_partition(struct exporter *out, uint32_t partition, struct error *err)
{
    struct cartridge_position pos;
    struct error why = ERROR_INIT;
    int rc = cartridge_locate(out->cartridge, partition, 0, &why);

    if (rc == -ERR_RANGE && partition > 0) /* there are no more */
        return 0;
    if (rc)
        return error_set(err, why.code, "%s", why.message);
    cartridge_tell(out->cartridge, &pos);
    if (pos.eod_lba == 0)
        return 0;
    if (partition > 0 && !out->format->partitions)
        return error_set(err, ERR_UNSUPPORTED,
                         "cartridge %s has more than one partition; only the format capstan can "
                         "hold them",
                         cartridge_identity(out->cartridge)->barcode);
    if (out->file != INTERCHANGE_NO_FILE)
        rc = cartridge_locate_file(out->cartridge, partition, out->file, err);
    return rc ? rc : export_objects(out, partition, err);
}

static int export_all(struct exporter *out, struct error *err)
{
    int rc = out->format->start ? out->format->start(out, err) : 0;

    for (uint32_t p = 0; p < CARTRIDGE_PARTITIONS && !rc; p++)
        rc = export_partition(out, p, err);
    if (!rc && out->format->finish)
        rc = out->format->finish(out, err);
    return rc ? rc : sink_flush(&out->sink, err);
}

int interchange_export(struct cartridge *c, const struct interchange_format *format, uint64_t file,
                       interchange_write_fn *write, void *write_ctx,
                       const struct interchange_watch *watch, struct interchange_report *report,
                       struct error *err)
{
    static const struct interchange_watch nobody;
    struct exporter out = {.format = format,
                           .cartridge = c,
                           .file = file,
                           .watch = watch ? watch : &nobody,
                           .report = report};
    int rc;

    *report = (struct interchange_report){.format = format};
    if (file != INTERCHANGE_NO_FILE && format != &format_raw)
        return error_set(err, ERR_USAGE, "one file of a tape can be had in the format raw only");
    rc = sink_open(&out.sink, write, write_ctx, err);
    out.block = malloc(BLOCK_ROOM);
    if (!rc && !out.block)
        rc = error_set(err, ERR_NO_MEMORY, "there is no memory left for a block");
    if (!rc)
        rc = export_all(&out, err);
    report->stream_bytes = out.sink.offset;
    sink_close(&out.sink);
    free(out.block);
    free(out.state.packed);
    return rc;
}
