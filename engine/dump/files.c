/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.c - phase IV: everything that is not a directory, in the order of the numbers.
 *
 * What has become of a file since the walk, and while it was read, is told by the reader
 * (reader.h); here it gets its words.
 */
#include <stdio.h>
#include <string.h>

#include "engine/dump/history.h"
#include "engine/dump/phases.h"
#include "engine/dump/reader.h"

/* What to say, the gravest first: one sentence a file. */
static const struct {
    unsigned outcome;
    bool with_errno;
    const char *message;
} outcomes[] = {
    {FILE_VANISHED, false, "vanished before it could be read and was left out"},
    {FILE_OTHER_TYPE, false, "has become a file of another type and was left out"},
    {FILE_UNREADABLE, true, "cannot be read and was left out"},
    {FILE_READ_ERROR, true, "could not be read everywhere, the missing parts are zeros"},
    {FILE_SHRANK, false, "shrank while it was read, the rest of it is zeros"},
    {FILE_GREW, false, "grew while it was read, what was added is not in the dump"},
    {FILE_CHANGED, false, "changed while it was read"},
    {FILE_REPLACED, false, "was replaced since the walk, the new file is in the dump"},
    {FILE_XATTR_ERROR, true, "has extended attributes that could not be read"},
};

static void report(struct dump *d, const struct reader_file *f)
{
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        char message[ERROR_MESSAGE_SIZE];

        if (!(f->outcome & outcomes[i].outcome))
            continue;
        snprintf(message, sizeof(message), "%s%s%s", outcomes[i].message,
                 outcomes[i].with_errno ? ": " : "",
                 outcomes[i].with_errno ? strerror(f->error) : "");
        dump_warn(d, d->tree, f->node, "", message);
        return;
    }
}

static int write_data(struct dump *d, struct reader *r, struct error *err)
{
    struct reader_chunk chunk;

    while (reader_chunk(r, &chunk)) {
        int rc = dump_cancelled(d, err);

        if (!rc && chunk.data)
            rc = stream_writer_data(d->writer, chunk.data, (size_t)chunk.len, err);
        else if (!rc)
            rc = stream_writer_hole(d->writer, chunk.len, err);
        if (rc)
            return rc;
        if (chunk.data)
            d->totals.bytes += chunk.len;
        dump_tick(d);
    }
    return 0;
}

static int write_file(struct dump *d, struct reader *r, const struct reader_file *f,
                      struct error *err)
{
    size_t xattr_count = f->xattrs.count;
    uint64_t address;
    int rc = dump_inode(d, f->node, &f->inode, f->xattrs.list, &xattr_count, &address, err);

    if (!rc && f->link)
        rc = stream_writer_data(d->writer, f->link, (size_t)f->inode.size, err);
    if (!rc)
        rc = write_data(d, r, err);
    if (!rc)
        rc = stream_writer_finish(d->writer, err);
    if (!rc)
        rc = history_inode(d->history, &f->inode, address, f->link, f->xattrs.list, xattr_count,
                           err);
    if (!rc)
        d->totals.files++;
    return rc;
}

static int next_file(struct dump *d, struct reader *r, const struct reader_file *f,
                     struct error *err)
{
    const struct tree_node *n = tree_node(d->tree, f->node);
    int rc = dump_cancelled(d, err);

    if (rc)
        return rc;
    if (f->outcome & FILE_LEFT_OUT)
        rc = history_missing(d->history, n->number, n->mode, err);
    else
        rc = write_file(d, r, f, err);
    if (!rc)
        report(d, f);
    d->progress.files_done++;
    dump_tick(d);
    return rc;
}

/* The files that nobody tries to read: the walk has reported them. */
static int note_unreadable(struct dump *d, struct error *err)
{
    struct tree_cursor cursor;
    uint32_t node;
    int rc = 0;

    tree_files(d->tree, &cursor);
    while (!rc && tree_next_file(&cursor, &node)) {
        const struct tree_node *n = tree_node(d->tree, node);

        if (n->flags & NODE_UNREADABLE)
            rc = history_missing(d->history, n->number, n->mode, err);
    }
    return rc;
}

int dump_files(struct dump *d, struct error *err)
{
    struct reader_options options = {
        .tree = d->tree, .threads = d->readers, .window = d->options->window};
    const struct reader_file *f;
    struct reader *r;
    int rc = note_unreadable(d, err);

    dump_enter(d, DUMP_PHASE_FILES);
    if (!rc)
        rc = reader_open(&options, &r, err);
    if (rc)
        return rc;
    while (!rc && (f = reader_next(r)) != NULL) {
        rc = next_file(d, r, f, err);
        reader_end(r);
    }
    reader_close(r);
    return rc;
}
