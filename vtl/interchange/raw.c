/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raw.c - blocks one after the other, and nothing else: what dump(8) writes to a file.
 *
 * Lengths and filemarks are not in the stream: on import every block has the same length but the
 * last, which may be shorter; on export there must be one file only, or one is chosen (export.c).
 */
#include "vtl/interchange/internal.h"

static int raw_next(struct interchange_import *in, struct item *item, struct error *err)
{
    size_t got;
    int rc = source_read(&in->source, in->block, in->state.blocking, &got, err);

    if (rc)
        return rc;
    item->kind = got ? ITEM_BLOCK : ITEM_END;
    item->len = (uint32_t)got;
    return 0;
}

static int raw_block(struct exporter *out, uint32_t partition, const uint8_t *data, uint32_t len,
                     struct error *err)
{
    (void)partition;
    return sink_put(&out->sink, data, len, err);
}

/* export.c has seen to it that nothing follows them. */
static int raw_filemarks(struct exporter *out, uint32_t partition, uint32_t count,
                         struct error *err)
{
    (void)out;
    (void)partition;
    (void)count;
    (void)err;
    return 0;
}

const struct interchange_format format_raw = {
    .name = "raw",
    .next = raw_next,
    .block = raw_block,
    .filemarks = raw_filemarks,
};
