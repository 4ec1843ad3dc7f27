/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directories.c - phase III: the directories, as the walk found them.
 *
 * Their attributes are those of the walk, before anything was read; only flags and extended
 * attributes are read now.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "engine/dump/attributes.h"
#include "engine/dump/history.h"
#include "engine/dump/phases.h"

/* The directory's data, and its entries for the catalog. */
static int collect_entries(struct dump *d, uint32_t index, struct stream_directory *data,
                           struct error *err)
{
    const struct tree_directory *dir = tree_directory(d->tree, index);
    const struct tree_node *self = tree_node(d->tree, dir->node);
    const struct tree_node *parent =
        tree_node(d->tree, tree_directory(d->tree, self->parent)->node);
    int rc = stream_directory_begin(data, self->number, parent->number, err);

    for (uint32_t i = 0; i < dir->count && !rc; i++) {
        const struct tree_node *n = tree_node(d->tree, dir->first + i);

        if (n->number == 0)
            continue; /* dropped */
        rc = stream_directory_add(data, n->number, n->mode, n->name + 1, n->name[0], err);
        if (!rc)
            rc = history_entry(d->history, self->number, n->name + 1, n->name[0], n->number, err);
    }
    if (!rc)
        stream_directory_finish(data);
    return rc;
}

static void warn_errno(struct dump *d, uint32_t node, const char *what, int value)
{
    char message[ERROR_MESSAGE_SIZE];

    snprintf(message, sizeof(message), "%s: %s", what, strerror(value));
    dump_warn(d, d->tree, node, "", message);
}

static void read_attributes(struct dump *d, uint32_t index, uint64_t *flags, struct xattr_set *set)
{
    uint32_t node = tree_directory(d->tree, index)->node;
    CLEANUP_CLOSE int fd = tree_open(d->tree, index);
    int failure;

    *flags = 0;
    *set = (struct xattr_set){0};
    if (fd < 0) {
        if (errno != EACCES) /* that one was reported by the walk */
            warn_errno(d, node, "cannot be opened any more; its extended attributes are left out",
                       errno);
        return;
    }
    *flags = attributes_flags(fd);
    failure = xattr_set_read(set, fd);
    if (failure)
        warn_errno(d, node, "some extended attributes could not be read", failure);
}

static int write_directory(struct dump *d, uint32_t index, struct stream_directory *data,
                           struct xattr_set *set, uint64_t flags, struct error *err)
{
    const struct tree_directory *dir = tree_directory(d->tree, index);
    struct stream_inode inode = dir->inode;
    uint64_t address;
    int rc;

    inode.ino = tree_node(d->tree, dir->node)->number;
    inode.size = data->len;
    inode.flags = flags;
    rc = dump_inode(d, dir->node, &inode, set->list, &set->count, &address, err);
    if (!rc)
        rc = stream_writer_data(d->writer, data->data, data->len, err);
    if (!rc)
        rc = stream_writer_finish(d->writer, err);
    if (!rc)
        rc = history_inode(d->history, &inode, address, NULL, set->list, set->count, err);
    return rc;
}

int dump_directories(struct dump *d, struct error *err)
{
    struct stream_directory data = {0};
    uint32_t count = tree_directories_numbered(d->tree);
    int rc = 0;

    dump_enter(d, DUMP_PHASE_DIRECTORIES);
    for (uint32_t n = 0; n < count && !rc; n++) {
        uint32_t index = tree_directory_at(d->tree, n);
        struct xattr_set set;
        uint64_t flags;

        rc = dump_cancelled(d, err);
        if (!rc)
            rc = collect_entries(d, index, &data, err);
        if (rc)
            break;
        read_attributes(d, index, &flags, &set);
        rc = write_directory(d, index, &data, &set, flags, err);
        xattr_set_free(&set);
        d->totals.directories++;
        d->progress.files_done++;
        dump_tick(d);
    }
    stream_directory_free(&data);
    return rc;
}
