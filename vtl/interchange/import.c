/* SPDX-License-Identifier: Apache-2.0 */
/* import.c - format -> cartridge; see interchange.h. */
#include <stdio.h>
#include <stdlib.h>

#include "vtl/interchange/internal.h"

#define WARNINGS_MAX  20      /* of one kind; all are counted */
#define FILEMARKS_MAX 1000000 /* kept back, unless one record of the stream has more */

int interchange_import_open(interchange_read_fn *read, void *read_ctx,
                            const struct interchange_format *format, uint32_t blocking,
                            struct interchange_import **out, struct error *err)
{
    struct interchange_import *in;
    int rc;

    if (format == &format_raw && (blocking == 0 || blocking > CARTRIDGE_BLOCK_MAX))
        return error_set(err, ERR_RANGE, "a block of %u bytes is not possible: 1 to %u are",
                         blocking, CARTRIDGE_BLOCK_MAX);
    in = calloc(1, sizeof(*in));
    if (!in)
        return error_set(err, ERR_NO_MEMORY, "there is no memory left for a stream");
    in->state.blocking = blocking;
    in->format = format;
    in->block = malloc(BLOCK_ROOM);
    rc = source_open(&in->source, read, read_ctx, err);
    if (!rc && !in->block)
        rc = error_set(err, ERR_NO_MEMORY, "there is no memory left for a block");
    if (!rc && !format)
        rc = format_detect(&in->source, &in->format, err);
    if (!rc && in->format->begin)
        rc = in->format->begin(in, err);
    if (rc)
        interchange_import_close(in);
    else
        *out = in;
    return rc;
}

void interchange_import_close(struct interchange_import *in)
{
    if (!in)
        return;
    source_close(&in->source);
    free(in->state.packed);
    free(in->block);
    free(in);
}

const struct cartridge_identity *interchange_identity(const struct interchange_import *in)
{
    return in->has_identity ? &in->identity : NULL;
}

/* ---- the stream into the cartridge ------------------------------------------------------- */

struct importer {
    struct interchange_import *in;
    struct cartridge *cartridge;
    const struct interchange_watch *watch;
    struct interchange_report *report;
    uint32_t partition;
    uint32_t filemarks; /* seen, not yet written: many of them are one record */
};

static void warn(const struct importer *to, uint64_t nth, const struct item *item, const char *text)
{
    char message[160];

    if (!to->watch->warning || nth > WARNINGS_MAX)
        return;
    snprintf(message, sizeof(message), "at byte %llu of the stream: %s%s",
             (unsigned long long)item->offset, text,
             nth == WARNINGS_MAX ? "; further ones are only counted" : "");
    to->watch->warning(to->watch->ctx, message);
}

static int settle_filemarks(struct importer *to, struct error *err)
{
    int rc = cartridge_write_filemarks(to->cartridge, to->filemarks, NULL, err);

    to->report->filemarks += to->filemarks;
    to->filemarks = 0;
    return rc;
}

static int enter_partition(struct importer *to, uint32_t partition, struct error *err)
{
    int rc;

    if (partition == to->partition)
        return 0;
    rc = settle_filemarks(to, err);
    if (!rc)
        rc = cartridge_locate(to->cartridge, partition, 0, err);
    to->partition = partition;
    return rc;
}

static int take_block(struct importer *to, const struct item *item, struct error *err)
{
    int rc = settle_filemarks(to, err);

    if (rc)
        return rc;
    if (item->bad)
        warn(to, ++to->report->bad, item,
             item->len ? "the block was damaged when the stream was made; it is taken as it is"
                       : "a block that could not be read when the stream was made is missing");
    if (item->len == 0) {
        if (!item->bad)
            warn(to, ++to->report->skipped, item, "a block without any bytes is left out");
        return 0;
    }
    to->report->blocks++;
    to->report->bytes += item->is_stored ? item->stored.length : item->len;
    if (item->is_stored)
        return cartridge_write_block(to->cartridge, &item->stored, to->in->block + item->skip, NULL,
                                     err);
    return cartridge_write(to->cartridge, to->in->block, item->len, NULL, err);
}

static int take(struct importer *to, const struct item *item, struct error *err)
{
    int rc = 0;

    switch (item->kind) {
    case ITEM_BLOCK:
        rc = enter_partition(to, item->partition, err);
        return rc ? rc : take_block(to, item, err);
    case ITEM_FILEMARKS:
        rc = enter_partition(to, item->partition, err);
        if (!rc && (to->filemarks >= FILEMARKS_MAX || item->count > FILEMARKS_MAX))
            rc = settle_filemarks(to, err);
        to->filemarks += item->count;
        return rc;
    case ITEM_ATTRIBUTE:
        return cartridge_attribute_set(to->cartridge, item->partition, item->attribute,
                                       to->in->block, item->len, err);
    case ITEM_SKIPPED:
        warn(to, ++to->report->skipped, item, "a private record is no part of the tape, left out");
        return 0;
    default:
        return 0;
    }
}

static int import_items(struct importer *to, struct error *err)
{
    struct interchange_import *in = to->in;
    int rc = 0;

    for (;;) {
        struct item item = {.offset = in->source.offset};
        uint64_t at = in->source.offset;

        if (to->watch->stop && atomic_load(to->watch->stop))
            return error_set(err, ERR_CANCELLED, "the import was stopped");
        rc = in->format->next(in, &item, err);
        item.offset = at;
        if (rc)
            return rc;
        rc = item.kind == ITEM_END ? settle_filemarks(to, err) : take(to, &item, err);
        if (rc == -ERR_END_OF_TAPE)
            return error_set(err, ERR_END_OF_TAPE,
                             "the cartridge is full at byte %llu of the stream, after %llu blocks; "
                             "give it more --capacity",
                             (unsigned long long)at, (unsigned long long)to->report->blocks);
        if (rc || item.kind == ITEM_END)
            return rc;
        if (to->watch->progress)
            to->watch->progress(to->watch->ctx, in->source.offset);
    }
}

int interchange_import_run(struct interchange_import *in, struct cartridge *c,
                           const struct interchange_watch *watch, struct interchange_report *report,
                           struct error *err)
{
    static const struct interchange_watch nobody;
    struct importer to = {
        .in = in, .cartridge = c, .watch = watch ? watch : &nobody, .report = report};
    struct cartridge_position pos;
    int rc;

    *report = (struct interchange_report){.format = in->format};
    cartridge_tell(c, &pos);
    if (pos.eod_lba > 0)
        return error_set(err, ERR_STATE, "cartridge %s is not empty",
                         cartridge_identity(c)->barcode);
    rc = in->partitions ? cartridge_format(c, in->capacities, in->partitions, err) : 0;
    if (!rc)
        rc = import_items(&to, err);
    if (!rc)
        rc = cartridge_sync(c, NULL, err);
    if (!rc && in->protect)
        rc = cartridge_set_protected(c, true, err);
    report->stream_bytes = in->source.offset;
    return rc;
}
