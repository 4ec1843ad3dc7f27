/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.c - the names in a stream: directories first, parents before children, then each file under
 * all its names as it comes.
 */
#include <string.h>
#include <sys/stat.h>

#include "engine/restore/inode.h"
#include "engine/restore/events.h"
#include "engine/restore/session.h"

struct listing {
    struct session session; /* first: the sink's functions get it */
    int (*fn)(void *ctx, const char *path, const struct catalog_inode *inode);
    void *ctx;
};

static int list_directories(struct session *s, struct error *err)
{
    struct listing *l = (struct listing *)s;
    char path[NAMES_PATH_MAX];
    int rc = 0;

    (void)err;
    for (size_t i = 0; i < s->names.order_count && !rc; i++) {
        const struct attributes *a = &s->names.directories[s->names.order[i]].attributes;
        struct catalog_inode inode;

        inode_to_catalog(&a->inode, a->address, &inode);
        rc = l->fn(l->ctx, names_directory_path(&s->names, s->names.order[i], path), &inode);
    }
    return rc;
}

static int list_begin(struct session *s, struct error *err)
{
    (void)s, (void)err;
    return 0;
}

static int list_data(struct session *s, uint64_t offset, const void *data, size_t len,
                     struct error *err)
{
    (void)s, (void)offset, (void)data, (void)len, (void)err;
    return 0;
}

static int list_hole(struct session *s, uint64_t offset, uint64_t len, struct error *err)
{
    (void)s, (void)offset, (void)len, (void)err;
    return 0;
}

static int list_end(struct session *s, struct error *err)
{
    struct listing *l = (struct listing *)s;
    struct session_file *f = &s->file;
    struct catalog_inode inode;
    char path[NAMES_PATH_MAX];
    int rc = 0;

    (void)err;
    inode_to_catalog(&f->attributes.inode, f->attributes.address, &inode);
    if (S_ISLNK(inode.mode)) {
        inode.link = f->target;
        inode.link_len = f->target_len;
    }
    for (size_t i = f->first; i < f->first + f->links && !rc; i++)
        rc = l->fn(l->ctx, names_entry_path(&s->names, &s->names.entries[s->names.by_ino[i]], path),
                   &inode);
    return rc;
}

static void list_discard(struct session *s)
{
    (void)s;
}

static const struct session_sink list_sink = {
    .no_target = true,
    .start = list_directories,
    .begin = list_begin,
    .data = list_data,
    .hole = list_hole,
    .end = list_end,
    .discard = list_discard,
};

int restore_list(struct tape *tape, unsigned blocking,
                 int (*fn)(void *ctx, const char *path, const struct catalog_inode *inode),
                 void *ctx, struct error *err)
{
    struct restore_options options = {0};
    struct restore_result result = {0};
    struct listing l = {.fn = fn, .ctx = ctx};
    struct stream_event ev;
    struct events r;
    int rc = events_start_stream(&r, tape, blocking, NULL, NULL, err);

    if (rc)
        return rc;
    rc = session_begin(&l.session, &list_sink, &options, &result, err);
    while (!rc && (rc = events_next(&r, &ev, err)) == 1)
        rc = session_event(&l.session, &ev, err);
    if (!rc)
        rc = session_finish(&l.session, r.truncated, err);
    session_end(&l.session);
    events_end(&r);
    return rc;
}
