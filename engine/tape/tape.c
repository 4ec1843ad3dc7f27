/* SPDX-License-Identifier: Apache-2.0 */
/* tape.c - the table of back ends, and the checks that all of them share (tape.h). */
#include "engine/tape/tape.h"

#include <string.h>

#include "common/checked.h"
#include "engine/tape/backends.h"

static const struct tape_ops *const backends[] = {
    &tape_iscsi_ops,
    &tape_cartridge_ops,
    &tape_file_ops,
};

int tape_open(const char *url, enum tape_mode mode, const struct tape_login *login,
              struct tape **out, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(backends); i++) {
        size_t len = strlen(backends[i]->scheme);

        if (strncmp(url, backends[i]->scheme, len) != 0)
            continue;
        if (url[len] == '\0')
            break;
        return backends[i]->open(url + len, mode, login, out, err);
    }
    return error_set(err, ERR_USAGE,
                     "\"%s\" is not a tape; write iscsi://HOST[:PORT]/TARGET/LUN, "
                     "cartridge:DIRECTORY or file:PATH",
                     url);
}

void tape_close(struct tape *t)
{
    if (t)
        t->ops->close(t);
}

static int unsupported(const struct tape *t, const char *what, struct error *err)
{
    return error_set(err, ERR_UNSUPPORTED, "a tape of the kind %s cannot %s", t->ops->scheme, what);
}

int tape_get_info(struct tape *t, struct tape_info *info, struct error *err)
{
    memset(info, 0, sizeof(*info));
    return t->ops->get_info(t, info, err);
}

int tape_write(struct tape *t, const void *data, size_t len, bool *early_warning, struct error *err)
{
    bool ignored;

    if (!t->ops->write)
        return unsupported(t, "be written", err);
    if (len == 0)
        return error_set(err, ERR_RANGE, "a tape block has at least one byte");
    if (!early_warning)
        early_warning = &ignored;
    *early_warning = false;
    return t->ops->write(t, data, len, early_warning, err);
}

int tape_read(struct tape *t, void *buf, size_t size, size_t *got, struct error *err)
{
    if (!t->ops->read)
        return unsupported(t, "be read", err);
    if (size == 0)
        return error_set(err, ERR_RANGE, "a tape block has at least one byte");
    *got = 0;
    return t->ops->read(t, buf, size, got, err);
}

int tape_write_filemarks(struct tape *t, unsigned count, struct error *err)
{
    if (!t->ops->write_filemarks)
        return unsupported(t, "take filemarks", err);
    return t->ops->write_filemarks(t, count, err);
}

int tape_sync(struct tape *t, struct error *err)
{
    return tape_write_filemarks(t, 0, err);
}

int tape_rewind(struct tape *t, struct error *err)
{
    return t->ops->rewind ? t->ops->rewind(t, err) : unsupported(t, "rewind", err);
}

int tape_space_filemarks(struct tape *t, int count, struct error *err)
{
    if (!t->ops->space_filemarks)
        return unsupported(t, "space over filemarks", err);
    return count ? t->ops->space_filemarks(t, count, err) : 0;
}

int tape_space_end(struct tape *t, struct error *err)
{
    return t->ops->space_end ? t->ops->space_end(t, err)
                             : unsupported(t, "space to the end of data", err);
}

int tape_locate(struct tape *t, uint64_t block, struct error *err)
{
    return t->ops->locate ? t->ops->locate(t, block, err) : unsupported(t, "locate a block", err);
}

int tape_tell(struct tape *t, struct tape_position *pos, struct error *err)
{
    memset(pos, 0, sizeof(*pos));
    return t->ops->tell ? t->ops->tell(t, pos, err) : unsupported(t, "tell its position", err);
}

int tape_load(struct tape *t, struct error *err)
{
    return t->ops->load ? t->ops->load(t, err) : 0;
}

int tape_unload(struct tape *t, struct error *err)
{
    return t->ops->unload ? t->ops->unload(t, err) : 0;
}
