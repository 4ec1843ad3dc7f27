/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tape_cartridge.c - a cartridge's directory as a tape, without a drive or a library in between.
 *
 * For writing it takes the cartridge's own lock, so a cartridge that a drive holds is ERR_BUSY;
 * reading works beside a writer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "engine/tape/backends.h"
#include "vtl/cartridge/cartridge.h"

struct tape_cartridge {
    struct tape tape;
    struct store *store;
    struct cartridge *cartridge;
    bool writable;
};

static struct cartridge *cartridge_of(struct tape *t)
{
    return ((struct tape_cartridge *)t)->cartridge;
}

static void backend_close(struct tape *t)
{
    struct tape_cartridge *c = (struct tape_cartridge *)t;

    cartridge_close(c->cartridge);
    store_close(c->store);
    free(c);
}

static int backend_open(const char *path, enum tape_mode mode, const struct tape_login *login,
                        struct tape **out, struct error *err)
{
    struct tape_cartridge *c = calloc(1, sizeof(*c));
    int rc;

    (void)login;
    if (!c)
        return error_set(err, ERR_NO_MEMORY, "no memory for a tape");
    c->tape.ops = &tape_cartridge_ops;
    c->writable = mode == TAPE_WRITE;
    rc = store_directory_open(path, false, &c->store, err);
    if (rc == 0)
        rc = cartridge_open(c->store,
                            mode == TAPE_WRITE ? CARTRIDGE_READ_WRITE : CARTRIDGE_READ_ONLY,
                            &c->cartridge, err);
    if (rc) {
        backend_close(&c->tape);
        return rc;
    }
    *out = &c->tape;
    return 0;
}

static int backend_get_info(struct tape *t, struct tape_info *info, struct error *err)
{
    const struct cartridge_identity *id = cartridge_identity(cartridge_of(t));

    (void)err;
    snprintf(info->product, sizeof(info->product), "cartridge");
    snprintf(info->barcode, sizeof(info->barcode), "%s", id->barcode);
    info->block_max = CARTRIDGE_BLOCK_MAX;
    info->write_protected = cartridge_protected(cartridge_of(t));
    info->has_filemarks = true;
    info->can_locate = true;
    return 0;
}

static int backend_write(struct tape *t, const void *data, size_t len, bool *early_warning,
                         struct error *err)
{
    if (len > CARTRIDGE_BLOCK_MAX)
        return error_set(err, ERR_RANGE, "a block of %zu bytes is too large for a cartridge", len);
    return cartridge_write(cartridge_of(t), data, (uint32_t)len, early_warning, err);
}

static int backend_read(struct tape *t, void *buf, size_t size, size_t *got, struct error *err)
{
    uint32_t len = 0;
    int rc = cartridge_read(cartridge_of(t), buf, size, &len, err);

    if (rc == 0)
        *got = len;
    return rc;
}

static int backend_write_filemarks(struct tape *t, unsigned count, struct error *err)
{
    struct cartridge *c = cartridge_of(t);
    int rc = 0;

    if (count)
        rc = cartridge_write_filemarks(c, count, NULL, err);
    if (rc || !((struct tape_cartridge *)t)->writable)
        return rc;
    return cartridge_sync(c, NULL, err);
}

static int backend_rewind(struct tape *t, struct error *err)
{
    (void)err;
    cartridge_rewind(cartridge_of(t));
    return 0;
}

static int backend_space_filemarks(struct tape *t, int count, struct error *err)
{
    uint64_t moved;

    return cartridge_space_filemarks(cartridge_of(t), count, &moved, err);
}

static int backend_space_end(struct tape *t, struct error *err)
{
    (void)err;
    cartridge_locate_end(cartridge_of(t));
    return 0;
}

static int backend_locate(struct tape *t, uint64_t block, struct error *err)
{
    return cartridge_locate(cartridge_of(t), 0, block, err);
}

static int backend_tell(struct tape *t, struct tape_position *pos, struct error *err)
{
    struct cartridge_position at;

    (void)err;
    cartridge_tell(cartridge_of(t), &at);
    pos->block = at.lba;
    pos->file = at.file;
    pos->begin = at.lba == 0;
    return 0;
}

static int backend_unload(struct tape *t, struct error *err)
{
    int rc = backend_write_filemarks(t, 0, err);

    cartridge_rewind(cartridge_of(t));
    return rc;
}

const struct tape_ops tape_cartridge_ops = {
    .scheme = "cartridge:",
    .open = backend_open,
    .close = backend_close,
    .get_info = backend_get_info,
    .write = backend_write,
    .read = backend_read,
    .write_filemarks = backend_write_filemarks,
    .rewind = backend_rewind,
    .space_filemarks = backend_space_filemarks,
    .space_end = backend_space_end,
    .locate = backend_locate,
    .tell = backend_tell,
    .unload = backend_unload,
};
