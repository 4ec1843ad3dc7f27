/* SPDX-License-Identifier: Apache-2.0 */
/* layer.c - the magazine and the fault layer (layer.h). */
#include "engine/tape/layer.h"

#include <stdlib.h>

struct layer {
    struct tape tape;
    struct tape *inner; /* not ours */
    struct tape_faults faults;
    struct tape_fault_counts counts;
};

static struct layer *layer_of(struct tape *t)
{
    return (struct layer *)t;
}

static struct tape *inner_of(struct tape *t)
{
    return layer_of(t)->inner;
}

static void layer_close(struct tape *t)
{
    free(t);
}

static int layer_get_info(struct tape *t, struct tape_info *info, struct error *err)
{
    return tape_get_info(inner_of(t), info, err);
}

static int layer_write(struct tape *t, const void *data, size_t len, bool *early_warning,
                       struct error *err)
{
    return tape_write(inner_of(t), data, len, early_warning, err);
}

static int layer_read(struct tape *t, void *buf, size_t size, size_t *got, struct error *err)
{
    return tape_read(inner_of(t), buf, size, got, err);
}

static int layer_write_filemarks(struct tape *t, unsigned count, struct error *err)
{
    return tape_write_filemarks(inner_of(t), count, err);
}

static int layer_rewind(struct tape *t, struct error *err)
{
    return tape_rewind(inner_of(t), err);
}

static int layer_space_filemarks(struct tape *t, int count, struct error *err)
{
    return tape_space_filemarks(inner_of(t), count, err);
}

static int layer_space_end(struct tape *t, struct error *err)
{
    return tape_space_end(inner_of(t), err);
}

static int layer_locate(struct tape *t, uint64_t block, struct error *err)
{
    return tape_locate(inner_of(t), block, err);
}

static int layer_tell(struct tape *t, struct tape_position *pos, struct error *err)
{
    return tape_tell(inner_of(t), pos, err);
}

static int layer_load(struct tape *t, struct error *err)
{
    return tape_load(inner_of(t), err);
}

static int layer_unload(struct tape *t, struct error *err)
{
    return tape_unload(inner_of(t), err);
}

static int layer_open(const struct tape_ops *ops, struct tape *inner, struct tape **out,
                      struct error *err)
{
    struct layer *layer = calloc(1, sizeof(*layer));

    if (!layer)
        return error_set(err, ERR_NO_MEMORY, "no memory for a tape");
    layer->tape.ops = ops;
    layer->inner = inner;
    *out = &layer->tape;
    return 0;
}

static const struct tape_ops magazine_ops = {
    .scheme = "magazine",
    .close = layer_close,
    .get_info = layer_get_info,
    .write = layer_write,
    .read = layer_read,
    .write_filemarks = layer_write_filemarks,
    .rewind = layer_rewind,
    .space_filemarks = layer_space_filemarks,
    .space_end = layer_space_end,
    .locate = layer_locate,
    .tell = layer_tell,
    .load = layer_load,
    .unload = layer_unload,
};

int tape_magazine_open(struct tape *inner, struct tape **out, struct error *err)
{
    return layer_open(&magazine_ops, inner, out, err);
}

void tape_magazine_set(struct tape *magazine, struct tape *inner)
{
    layer_of(magazine)->inner = inner;
}

static int fault_write(struct tape *t, const void *data, size_t len, bool *early_warning,
                       struct error *err)
{
    struct layer *f = layer_of(t);
    const struct tape_faults *faults = &f->faults;
    int rc;

    f->counts.writes++;
    if (faults->write_error_at && f->counts.writes >= faults->write_error_at)
        return error_set(err, faults->write_code ? faults->write_code : ERR_IO,
                         "MEDIUM ERROR, write error (on purpose)");
    if (faults->end_at && f->counts.written + len > faults->end_at)
        return error_set(err, ERR_END_OF_TAPE, "VOLUME OVERFLOW (on purpose)");
    rc = layer_write(t, data, len, early_warning, err);
    if (rc)
        return rc;
    f->counts.written += len;
    if (faults->early_warning_at && f->counts.written > faults->early_warning_at)
        *early_warning = true;
    return 0;
}

static int fault_read(struct tape *t, void *buf, size_t size, size_t *got, struct error *err)
{
    struct layer *f = layer_of(t);
    int rc;

    f->counts.reads++;
    rc = layer_read(t, buf, size, got, err);
    if (f->faults.read_error_at == f->counts.reads && rc == 0)
        return error_set(err, ERR_IO, "MEDIUM ERROR, unrecovered read error (on purpose)");
    return rc;
}

static int fault_write_filemarks(struct tape *t, unsigned count, struct error *err)
{
    struct layer *f = layer_of(t);

    if (f->faults.filemark_error)
        return error_set(err, ERR_IO, "deferred error: MEDIUM ERROR, write error (on purpose)");
    f->counts.filemarks += count;
    return layer_write_filemarks(t, count, err);
}

static int fault_tell(struct tape *t, struct tape_position *pos, struct error *err)
{
    if (layer_of(t)->faults.lose_position)
        return error_set(err, ERR_STATE, "the position is unknown (on purpose)");
    return layer_tell(t, pos, err);
}

static const struct tape_ops fault_ops = {
    .scheme = "fault",
    .close = layer_close,
    .get_info = layer_get_info,
    .write = fault_write,
    .read = fault_read,
    .write_filemarks = fault_write_filemarks,
    .rewind = layer_rewind,
    .space_filemarks = layer_space_filemarks,
    .space_end = layer_space_end,
    .locate = layer_locate,
    .tell = fault_tell,
    .load = layer_load,
    .unload = layer_unload,
};

int tape_fault_open(struct tape *inner, const struct tape_faults *faults, struct tape **out,
                    struct error *err)
{
    int rc = layer_open(&fault_ops, inner, out, err);

    if (rc == 0)
        tape_fault_set(*out, faults);
    return rc;
}

void tape_fault_set(struct tape *fault, const struct tape_faults *faults)
{
    layer_of(fault)->faults = *faults;
}

struct tape_fault_counts tape_fault_count(const struct tape *fault)
{
    return ((const struct layer *)fault)->counts;
}
