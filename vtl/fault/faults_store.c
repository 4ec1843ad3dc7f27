/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults_store.c - the layer over the store of each cartridge.
 *
 * A block that can't be read is one whose bytes come back wrong: the layer finds the block's record
 * header in what a READ has the cartridge fetch, and turns a bit of the payload behind it.  What
 * does that to the host is the cartridge's own checking.  The bytes below are never changed.
 */
#include <stdlib.h>
#include <string.h>

#include "common/checked.h"
#include "vtl/cartridge/format.h"
#include "vtl/fault/internal.h"

struct fault_store {
    struct store store;
    struct store *below; /* owned */
    struct faults *faults;
    char barcode[CARTRIDGE_BARCODE_MAX + 1];
    /* The payload of the block that was found last; one thread reads at a time what a drive reads,
     * and a drive has its handle alone. */
    char object[STORE_NAME_MAX + 1];
    uint64_t from, to;
};

static struct fault_store *layer_of(struct store *s)
{
    return (struct fault_store *)(void *)s;
}

static struct store *below(struct store *s)
{
    return layer_of(s)->below;
}

static bool strikes(struct store *s, enum fault_name name)
{
    const struct fault_place place = {layer_of(s)->barcode, -1, -1};

    return faults_strike(layer_of(s)->faults, name, &place, NULL);
}

/* Nothing can be written: there is no room, or the disk refuses. */
static int refuse_write(struct store *s, struct error *err)
{
    if (strikes(s, FAULT_DISK_FULL))
        return error_set(err, ERR_NO_SPACE, "fault: the disk is full");
    if (strikes(s, FAULT_WRITE_ERROR))
        return error_set(err, ERR_IO, "fault: the disk can't be written");
    return 0;
}

static int layer_put(struct store *s, const char *object, const void *data, size_t len,
                     struct error *err)
{
    int rc = refuse_write(s, err);

    return rc ? rc : store_put(below(s), object, data, len, err);
}

static int layer_append(struct store *s, const char *object, uint64_t offset,
                        const struct iovec *iov, int iov_count, struct error *err)
{
    int rc = refuse_write(s, err);

    return rc ? rc : store_append(below(s), object, offset, iov, iov_count, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Note the payload of each block in what was read that a fault strikes. */
static bool find_block(struct fault_store *l, const uint8_t *buf, size_t len, const char *object,
                       uint64_t offset)
{
    size_t at = (size_t)(-offset % RECORD_ALIGN);

    for (; at + RECORD_HEADER_SIZE <= len; at += RECORD_ALIGN) {
        struct fault_place place = {l->barcode, -1, -1};
        struct record r;

        if (!record_decode(buf + at, &r) || r.type != RECORD_DATA)
            continue;
        place.block = (int64_t)r.lba;
        if (r.stored > 0 && faults_strike(l->faults, FAULT_MEDIUM_ERROR, &place, NULL)) {
            snprintf(l->object, sizeof(l->object), "%s", object);
            l->from = offset + at + RECORD_HEADER_SIZE;
            l->to = l->from + r.stored;
            return true;
        }
        at += RECORD_HEADER_SIZE + r.stored;
        at = (at + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN - RECORD_ALIGN;
    }
    return false;
}

/* Turn a bit of the payload that was found, where it overlaps what was read. */
static void spoil(struct fault_store *l, uint8_t *buf, size_t len, const char *object,
                  uint64_t offset)
{
    if (l->to == 0 || strcmp(l->object, object) != 0 || offset >= l->to || offset + len <= l->from)
        return;
    buf[(l->from > offset ? l->from : offset) - offset] ^= 0x10;
    if (offset + len >= l->to)
        l->to = 0;
}

static int layer_read(struct store *s, const char *object, uint64_t offset, void *buf, size_t len,
                      size_t *got, struct error *err)
{
    struct fault_store *l = layer_of(s);
    int rc = store_read(l->below, object, offset, buf, len, got, err);

    if (rc || !faults_reading() || !faults_active(l->faults, FAULT_MEDIUM_ERROR))
        return rc;
    find_block(l, buf, *got, object, offset);
    spoil(l, buf, *got, object, offset);
    return 0;
}

/* ---- the rest -------------------------------------------------------------------------------- */

/* A drive takes the lock when it loads; whoever only looks does not. */
static int layer_lock(struct store *s, struct error *err)
{
    return strikes(s, FAULT_LOAD_FAILURE) ? error_set(err, ERR_IO, "fault: it does not load")
                                          : store_lock(below(s), err);
}

static int layer_size(struct store *s, const char *object, uint64_t *size, struct error *err)
{
    return store_size(below(s), object, size, err);
}

static int layer_truncate(struct store *s, const char *object, uint64_t size, struct error *err)
{
    return store_truncate(below(s), object, size, err);
}

static int layer_sync(struct store *s, const char *object, struct error *err)
{
    return store_sync(below(s), object, err);
}

static int layer_sync_names(struct store *s, struct error *err)
{
    return store_sync_names(below(s), err);
}

static int layer_list(struct store *s, store_list_fn *fn, void *ctx, struct error *err)
{
    return store_list(below(s), fn, ctx, err);
}

static int layer_names(struct store *s, store_list_fn *fn, void *ctx, struct error *err)
{
    return store_list_names(below(s), fn, ctx, err);
}

/* Without it a full disk would be no end of the tape (vtl/cartridge/room.c). */
static int layer_free(struct store *s, uint64_t *bytes, uint64_t *total, struct error *err)
{
    return store_free(below(s), bytes, total, err);
}

static int layer_remove(struct store *s, const char *object, struct error *err)
{
    return store_delete(below(s), object, err);
}

static int64_t layer_now(struct store *s)
{
    return store_now(below(s));
}

static int layer_random(struct store *s, void *buf, size_t len, struct error *err)
{
    return store_random(below(s), buf, len, err);
}

static void layer_unlock(struct store *s)
{
    store_unlock(below(s));
}

static int layer_guard(struct store *s, const char *object, struct error *err)
{
    return store_guard(below(s), object, err);
}

static void layer_unguard(struct store *s)
{
    store_unguard(below(s));
}

static void layer_close(struct store *s)
{
    store_close(below(s));
    free(s);
}

static const struct store_ops layer_ops = {
    .kind = "fault layer",
    .put = layer_put,
    .append = layer_append,
    .read = layer_read,
    .size = layer_size,
    .truncate = layer_truncate,
    .sync = layer_sync,
    .sync_names = layer_sync_names,
    .list = layer_list,
    .names = layer_names,
    .remove = layer_remove,
    .free = layer_free,
    .now = layer_now,
    .random = layer_random,
    .lock = layer_lock,
    .unlock = layer_unlock,
    .guard = layer_guard,
    .unguard = layer_unguard,
    .close = layer_close,
};

int faults_store_layer(void *faults, const char *barcode, struct store *store, struct store **out,
                       struct error *err)
{
    struct fault_store *l = calloc(1, sizeof(*l));

    if (!l)
        return error_set(err, ERR_NO_MEMORY, "There is no memory for the fault layer");
    l->store.ops = &layer_ops;
    l->below = store;
    l->faults = faults;
    snprintf(l->barcode, sizeof(l->barcode), "%s", barcode);
    *out = &l->store;
    return 0;
}
