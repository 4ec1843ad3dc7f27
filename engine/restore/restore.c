/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore.c - see restore.h: a stream from a tape, or an image that the catalog knows.
 */
#include "engine/restore/restore.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/cleanup.h"
#include "engine/restore/events.h"
#include "engine/restore/session.h"

/* Further than this the tape is located, nearer it is read on. */
#define READ_ON_BLOCKS (8u * 1024)

static double seconds_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* All events through a session. */
static int run(struct session *s, struct events *r, struct error *err)
{
    struct stream_event ev;
    int rc;

    while ((rc = events_next(r, &ev, err)) == 1) {
        rc = session_event(s, &ev, err);
        if (rc)
            return rc;
    }
    return rc < 0 ? rc : session_finish(s, r->truncated, err);
}

int restore_stream(const struct restore_options *options, struct tape *tape, unsigned blocking,
                   struct restore_result *result, struct error *err)
{
    struct restore_result own;
    struct timespec start;
    struct session s;
    struct events r;
    int rc;

    result = result ? result : &own;
    memset(result, 0, sizeof(*result));
    clock_gettime(CLOCK_MONOTONIC, &start);
    rc = events_start_stream(&r, tape, blocking, options->volume, options->ctx, err);
    if (rc)
        return rc;
    rc = session_begin(&s, options->compare ? &compare_sink : &file_sink, options, result, err);
    if (!rc)
        rc = run(&s, &r, err);
    session_end(&s);
    events_end(&r);
    result->seconds = seconds_since(&start);
    return rc;
}

/* ---- chosen files by the catalog ---------------------------------------------------------------
 * The names come from the catalog's index: of each directory on the way to a chosen name all
 * entries, and below a chosen directory everything.  Then only the chosen files are read. */

struct wanted_file {
    uint64_t address;
    uint32_t ino;
};

struct by_catalog {
    struct session *session;
    struct catalog_index *index;
    uint32_t directory; /* the one whose entries are being added */
    bool deep;          /* its subdirectories, too */
    uint32_t *queue;    /* directories to be added with all that is below */
    size_t queued, capacity;
    struct error *err;
    int rc;
};

static int enqueue(struct by_catalog *c, uint32_t ino)
{
    if (c->queued == c->capacity) {
        size_t larger = c->capacity ? c->capacity * 2 : 64;
        uint32_t *p = reallocarray(c->queue, larger, sizeof(*p));

        if (!p)
            return error_set(c->err, ERR_NO_MEMORY, "no memory for the names of this restore");
        c->queue = p;
        c->capacity = larger;
    }
    c->queue[c->queued++] = ino;
    return 0;
}

static int add_xattr(void *ctx, const char *name, const void *value, size_t len)
{
    struct stream_xattr x = {name, value, len};

    attributes_add_xattr(ctx, &x, NULL);
    return 0;
}

static int add_entry(void *ctx, const struct catalog_entry *e)
{
    struct by_catalog *c = ctx;

    c->rc = names_add_entry(&c->session->names, c->directory, e->inode.ino, e->name, e->name_len,
                            c->err);
    if (!c->rc && c->deep && S_ISDIR(e->inode.mode))
        c->rc = enqueue(c, e->inode.ino);
    return c->rc;
}

/* Attributes of a directory as the catalog has them. */
static int catalog_attributes(struct by_catalog *c, uint32_t ino, struct attributes *a)
{
    struct catalog_inode i;
    int rc = catalog_index_inode(c->index, ino, &i, c->err);

    if (rc)
        return rc;
    a->inode = (struct stream_inode){
        .ino = ino,
        .mode = i.mode,
        .uid = i.uid,
        .gid = i.gid,
        .nlink = i.nlink,
        .st_size = i.size,
        .atime_ns = i.atime_ns,
        .mtime_ns = i.mtime_ns,
        .ctime_ns = i.ctime_ns,
        .btime_ns = i.btime_ns,
        .flags = i.flags,
    };
    catalog_inode_release(&i);
    return catalog_index_xattrs(c->index, ino, add_xattr, a, c->err);
}

/* The directory and its entries; deep: its subdirectories are queued.  Not if it was added before:
 * all deep ones are added before the first that is not. */
static int add_directory(struct by_catalog *c, uint32_t ino, bool deep)
{
    struct names *names = &c->session->names;
    struct attributes a = {0};
    size_t index;
    int rc;

    if (names_find_directory(names, ino) != NAMES_NONE)
        return 0;
    c->directory = ino;
    c->deep = deep;
    c->rc = 0;
    rc = catalog_attributes(c, ino, &a);
    if (!rc)
        rc = names_add_directory(names, &a, &index, c->err);
    attributes_free(&a);
    if (!rc)
        rc = catalog_index_entries(c->index, ino, NULL, 0, add_entry, c, c->err);
    return c->rc ? c->rc : rc;
}

/* Everything below the directory, if ino is one. */
static int add_subtree(struct by_catalog *c, uint32_t ino)
{
    struct catalog_inode i;
    int rc = catalog_index_inode(c->index, ino, &i, c->err);

    if (rc)
        return rc;
    if (S_ISDIR(i.mode))
        rc = enqueue(c, ino);
    catalog_inode_release(&i);
    while (!rc && c->queued)
        rc = add_directory(c, c->queue[--c->queued], true);
    return rc;
}

struct matches {
    const char *component;
    size_t len;
    bool last;
    uint32_t *inos;
    size_t count, capacity;
    struct error *err;
    int rc;
};

static int add_match(void *ctx, const struct catalog_entry *e)
{
    struct matches *m = ctx;

    if ((!m->last && !S_ISDIR(e->inode.mode)) ||
        !names_match(m->component, m->len, e->name, e->name_len))
        return 0;
    if (m->count == m->capacity) {
        size_t larger = m->capacity ? m->capacity * 2 : 16;
        uint32_t *p = reallocarray(m->inos, larger, sizeof(*p));

        if (!p)
            return m->rc = error_set(m->err, ERR_NO_MEMORY, "no memory for the matching names");
        m->inos = p;
        m->capacity = larger;
    }
    m->inos[m->count++] = e->inode.ino;
    return 0;
}

/* What the first component of path names in the directory; a name that is no pattern is looked up.
 */
static int find_matches(struct by_catalog *c, uint32_t ino, struct matches *m)
{
    struct catalog_entry e = {.name = m->component, .name_len = m->len};
    int rc;

    if (names_is_pattern(m->component, m->len)) {
        rc = catalog_index_entries(c->index, ino, NULL, 0, add_match, m, c->err);
        return m->rc ? m->rc : rc;
    }
    if (catalog_index_lookup(c->index, ino, m->component, m->len, &e.inode.ino, NULL))
        return 0; /* names_select() tells */
    e.inode.mode = S_IFDIR;
    return add_match(m, &e);
}

/* way: add the directories from ino to what path names; else what is below that. */
static int add_path(struct by_catalog *c, uint32_t ino, const char *path, bool way, unsigned depth)
{
    struct catalog_inode i;
    struct matches m = {.err = c->err};
    size_t below;
    bool directory;
    int rc = catalog_index_inode(c->index, ino, &i, c->err);

    if (rc)
        return rc;
    directory = S_ISDIR(i.mode);
    catalog_inode_release(&i);
    m.component = names_component(path, &m.len);
    if (m.len == 0 && !way)
        return add_subtree(c, ino);
    if (directory && way)
        rc = add_directory(c, ino, false);
    if (rc || m.len == 0 || !directory || depth >= NAMES_DEPTH_MAX)
        return rc;
    names_component(m.component + m.len, &below);
    m.last = below == 0;
    rc = find_matches(c, ino, &m);
    for (size_t k = 0; k < m.count && !rc; k++)
        rc = add_path(c, m.inos[k], m.component + m.len, way, depth + 1);
    free(m.inos);
    return rc;
}

static int add_names(struct by_catalog *c)
{
    const struct restore_options *o = c->session->options;
    int rc = 0;

    for (size_t i = 0; i < o->name_count && !rc; i++)
        rc = add_path(c, STREAM_ROOT_INODE, o->names[i], false, 0);
    for (size_t i = 0; i < o->name_count && !rc; i++)
        rc = add_path(c, STREAM_ROOT_INODE, o->names[i], true, 0);
    return rc;
}

static int compare_address(const void *a, const void *b)
{
    const struct wanted_file *x = a, *y = b;

    return x->address < y->address ? -1 : x->address > y->address;
}

/* The chosen files in the order in which they are on tape; *files is the caller's to free. */
static int find_files(struct by_catalog *c, struct wanted_file **files, size_t *count)
{
    const struct names *n = &c->session->names;
    uint32_t last = 0;

    *count = 0;
    *files = calloc(n->by_ino_count + 1, sizeof(**files));
    if (!*files)
        return error_set(c->err, ERR_NO_MEMORY, "no memory for the names of this restore");
    for (size_t i = 0; i < n->by_ino_count; i++) {
        const struct names_entry *e = &n->entries[n->by_ino[i]];
        struct catalog_inode inode;
        int rc;

        if (!e->selected || e->ino == last)
            continue;
        last = e->ino;
        rc = catalog_index_inode(c->index, e->ino, &inode, c->err);
        if (rc)
            return rc;
        if (inode.address != UINT64_MAX)
            (*files)[(*count)++] = (struct wanted_file){inode.address, e->ino};
        catalog_inode_release(&inode);
    }
    qsort(*files, *count, sizeof(**files), compare_address);
    return 0;
}

/* Read until the inode that comes next has been handled (or something else turned up). */
static int read_file(struct session *s, struct events *r, uint32_t ino, struct error *err)
{
    bool inside = false;
    struct stream_event ev;
    int rc;

    while ((rc = events_next(r, &ev, err)) == 1) {
        if (ev.type == STREAM_EVENT_INODE)
            inside = ev.inode.ino == ino;
        rc = session_event(s, &ev, err);
        if (rc)
            return rc;
        if (inside && ev.type == STREAM_EVENT_INODE_END)
            return 0;
    }
    return rc;
}

static int read_files(struct by_catalog *c, struct events *r)
{
    CLEANUP_FREE struct wanted_file *files = NULL;
    size_t count;
    int rc = find_files(c, &files, &count);

    for (size_t i = 0; i < count && !rc; i++) {
        uint64_t at = stream_decoder_position(r->decoder);

        if (i == 0 || files[i].address < at || files[i].address - at > READ_ON_BLOCKS)
            rc = events_seek(r, files[i].address, c->err);
        if (!rc)
            rc = read_file(c->session, r, files[i].ino, c->err);
    }
    return rc;
}

static int run_by_catalog(struct session *s, struct events *r, struct catalog *cat,
                          struct error *err)
{
    struct by_catalog c = {.session = s, .err = err};
    int rc = catalog_index_open(cat, r->image->uuid, &c.index, err);

    if (rc)
        return rc;
    s->by_catalog = true;
    rc = add_names(&c);
    if (!rc && s->names.directory_count == 0)
        rc = error_set(err, ERR_NOT_FOUND, "none of the names is in the dump");
    if (!rc)
        rc = session_start_files(s, err);
    if (!rc)
        rc = read_files(&c, r);
    if (!rc)
        rc = session_finish(s, false, err);
    free(c.queue);
    catalog_index_close(c.index);
    return rc;
}

static int restore_known(const struct restore_options *options, struct catalog *cat,
                         const struct catalog_image *image, struct catalog_part *parts,
                         size_t part_count, struct restore_result *result, struct error *err)
{
    struct session s;
    struct events r;
    int rc = events_start_image(&r, image, parts, part_count, options->volume, options->ctx, err);

    if (rc)
        return rc;
    rc = session_begin(&s, options->compare ? &compare_sink : &file_sink, options, result, err);
    s.progress.bytes_total = options->names ? 0 : image->bytes;
    if (!rc && options->names) {
        rc = run_by_catalog(&s, &r, cat, err);
    } else if (!rc) {
        rc = events_start_whole(&r, err);
        if (!rc)
            rc = run(&s, &r, err);
    }
    session_end(&s);
    events_end(&r);
    return rc;
}

int restore_image(const struct restore_options *options, struct catalog *cat, const char *uuid,
                  struct restore_result *result, struct error *err)
{
    CLEANUP_FREE struct catalog_part *parts = NULL;
    struct restore_result own;
    struct catalog_image image;
    struct timespec start;
    size_t count;
    int rc;

    result = result ? result : &own;
    memset(result, 0, sizeof(*result));
    clock_gettime(CLOCK_MONOTONIC, &start);
    rc = catalog_image(cat, uuid, &image, err);
    if (!rc)
        rc = catalog_parts(cat, image.uuid, &parts, &count, err);
    if (!rc)
        rc = restore_known(options, cat, &image, parts, count, result, err);
    result->seconds = seconds_since(&start);
    return rc;
}
