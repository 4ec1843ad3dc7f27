/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - see session.h. */
#include "engine/restore/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/stream/directory.h"

#define PROGRESS_INTERVAL_NS 200000000LL
#define SHOWN_MAX            16384u /* of a path in a warning; longer ones are cut */

/* ---- telling -----------------------------------------------------------------------------------
 */

void session_warn(struct session *s, const char *path, const char *fmt, ...)
{
    char message[600], shown[SHOWN_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    s->result->warnings++;
    if (!s->options->warning)
        return;
    /* A name from a stranger's tape must not inject lines into a log or codes into a terminal. */
    path = path ? path : s->path;
    error_escape(shown, sizeof(shown), path, strlen(path));
    s->options->warning(s->options->ctx, shown, message);
}

static void warn_name(void *ctx, const char *path, const char *message)
{
    session_warn(ctx, path, "%s", message);
}

static void tell_attribute(void *ctx, const char *message)
{
    session_warn(ctx, NULL, "%s", message);
}

static void report(struct session *s, bool now)
{
    struct timespec t;
    long long passed;

    if (!s->options->progress)
        return;
    clock_gettime(CLOCK_MONOTONIC, &t);
    passed = (t.tv_sec - s->reported.tv_sec) * 1000000000LL + t.tv_nsec - s->reported.tv_nsec;
    if (!now && passed < PROGRESS_INTERVAL_NS)
        return;
    s->reported = t;
    s->progress.files_done = s->result->files;
    s->progress.bytes_done = s->result->bytes;
    s->options->progress(s->options->ctx, &s->progress);
}

/* ---- begin and end -----------------------------------------------------------------------------
 */

int session_begin(struct session *s, const struct session_sink *sink,
                  const struct restore_options *options, struct restore_result *result,
                  struct error *err)
{
    memset(s, 0, sizeof(*s));
    s->sink = sink;
    s->options = options;
    s->result = result;
    s->file.fd = -1;
    s->file.temp_directory = NAMES_NONE;
    s->destination.root = -1;
    s->policy = (struct attributes_policy){
        .keep_owner = options->keep_owner, .tell = tell_attribute, .ctx = s};
    names_init(&s->names, warn_name, s);
    if (sink->no_target)
        return 0;
    if (!options->destination)
        return error_set(err, ERR_USAGE, "name a directory to restore to");
    return target_open(&s->destination, options->destination, sink->makes_target, err);
}

void session_end(struct session *s)
{
    s->sink->discard(s);
    attributes_free(&s->file.attributes);
    attributes_free(&s->directory);
    names_free(&s->names);
    target_close(&s->destination);
}

/* ---- directories -------------------------------------------------------------------------------
 */

static void begin_directory(struct session *s, const struct stream_event *ev)
{
    snprintf(s->path, sizeof(s->path), "directory inode %u", ev->inode.ino);
    s->in_directory = !ev->continued;
    s->directory.inode = ev->inode;
    s->directory.address = ev->address;
    if (ev->continued)
        session_warn(s, NULL, "its beginning is not on this tape");
}

static int add_entries(struct session *s, const struct stream_event *ev, struct error *err)
{
    struct stream_entry_cursor c = {.data = ev->data,
                                    .len = ev->len,
                                    .big_endian = s->big_endian,
                                    .old_format = s->old_directories};
    struct stream_entry e;
    int rc = 0;

    while (!rc && stream_entry_next(&c, &e)) {
        bool dots = e.name_len > 0 && e.name_len <= 2 && memcmp(e.name, "..", e.name_len) == 0;

        if (!dots)
            rc = names_add_entry(&s->names, s->directory.inode.ino, e.ino, e.name, e.name_len, err);
    }
    if (c.damaged)
        session_warn(s, NULL, "part of the directory is damaged; names may be missing");
    return rc;
}

static int end_directory(struct session *s, bool damaged, struct error *err)
{
    size_t index;
    int rc;

    s->in_directory = false;
    if (damaged)
        session_warn(s, NULL, "the directory is damaged; names may be missing");
    rc = names_add_directory(&s->names, &s->directory, &index, err);
    if (!rc && index == NAMES_NONE)
        session_warn(s, NULL, "it is in the dump twice; the second was left out");
    return rc;
}

static void count_selected(struct session *s)
{
    for (size_t i = 0; i < s->names.entry_count; i++)
        s->progress.files_total += s->names.entries[i].selected &&
                                   !s->names.entries[i].is_directory && s->names.entries[i].ino;
}

int session_start_files(struct session *s, struct error *err)
{
    int rc;

    s->stage = SESSION_FILES;
    rc = names_build(&s->names, err);
    if (rc)
        return rc;
    if (s->options->names) {
        names_select(&s->names, s->options->names, s->options->name_count, &s->missing);
        if (s->missing == s->options->name_count)
            return error_set(err, ERR_NOT_FOUND, "none of the names is in the dump");
    } else {
        names_select_all(&s->names);
    }
    count_selected(s);
    return s->sink->start ? s->sink->start(s, err) : 0;
}

/* ---- files -------------------------------------------------------------------------------------
 */

/* Find the names of the inode; the first one that is wanted is what it is made under. */
static bool find_links(struct session *s)
{
    struct session_file *f = &s->file;

    f->links = names_find_links(&s->names, f->attributes.inode.ino, &f->first);
    for (size_t i = f->first; i < f->first + f->links; i++) {
        f->link = s->names.by_ino[i];
        if (s->names.entries[f->link].selected && !s->names.entries[f->link].done)
            return true;
    }
    return false;
}

static int begin_file(struct session *s, const struct stream_event *ev, struct error *err)
{
    struct session_file *f = &s->file;

    f->attributes.inode = ev->inode;
    f->attributes.address = ev->address;
    f->failed = f->differs = false;
    f->target_len = 0;
    f->wanted = find_links(s);
    if (!f->wanted)
        return 0;
    names_entry_path(&s->names, &s->names.entries[f->link], s->path);
    if (ev->continued || ev->metadata_only) {
        f->failed = true;
        session_warn(s, NULL,
                     ev->continued ? "left out: its beginning is not on this tape"
                                   : "left out: the dump has its attributes only");
        return 0;
    }
    return s->sink->begin(s, err);
}

static int take_target(struct session *s, const struct stream_event *ev)
{
    struct session_file *f = &s->file;

    if (ev->offset != f->target_len || ev->len >= sizeof(f->target) - f->target_len ||
        memchr(ev->data, '\0', ev->len)) {
        f->failed = true;
        session_warn(s, NULL, "left out: the symlink's target is no path");
        return 0;
    }
    memcpy(f->target + f->target_len, ev->data, ev->len);
    f->target_len += ev->len;
    f->target[f->target_len] = '\0';
    return 0;
}

static int take_data(struct session *s, const struct stream_event *ev, struct error *err)
{
    struct session_file *f = &s->file;

    if (S_ISLNK(f->attributes.inode.mode))
        return take_target(s, ev);
    if (!S_ISREG(f->attributes.inode.mode))
        return 0;
    s->result->bytes += ev->len;
    return s->sink->data(s, ev->offset, ev->data, ev->len, err);
}

static int end_file(struct session *s, const struct stream_event *ev, struct error *err)
{
    struct session_file *f = &s->file;
    int rc = 0;

    if (f->wanted && !f->failed && S_ISLNK(f->attributes.inode.mode) &&
        (f->target_len == 0 || f->target_len != f->attributes.inode.size)) {
        f->failed = true;
        session_warn(s, NULL, "left out: the symlink's target is missing or damaged");
    }
    if (f->wanted && !f->failed && ev->damaged)
        session_warn(s, NULL, "it is damaged on tape; what could be read was restored");
    if (f->wanted && !f->failed)
        rc = s->sink->end(s, err);
    if (f->wanted) /* tried, whatever became of it: not to be told again as missing */
        for (size_t i = f->first; i < f->first + f->links; i++)
            s->names.entries[s->names.by_ino[i]].done = true;
    f->wanted = false;
    s->sink->discard(s);
    attributes_free(&f->attributes);
    return rc;
}

/* ---- events ------------------------------------------------------------------------------------
 */

static int on_volume(struct session *s, const struct stream_event *ev, struct error *err)
{
    s->big_endian = ev->volume.big_endian;
    s->old_directories = ev->volume.old_directories;
    if (ev->volume.compressed)
        return error_set(err, ERR_UNSUPPORTED,
                         "the dump was compressed by dump(8); restore it with restore(8)");
    if (ev->volume.volume != 1 && s->stage == SESSION_DIRECTORIES && s->names.directory_count == 0)
        return error_set(err, ERR_OPERATOR,
                         "this is volume %u of the dump; begin with the cartridge of volume 1",
                         ev->volume.volume);
    return 0;
}

static int on_inode(struct session *s, const struct stream_event *ev, struct error *err)
{
    int rc = 0;

    if (S_ISDIR(ev->inode.mode) && s->stage == SESSION_DIRECTORIES) {
        begin_directory(s, ev);
        return 0;
    }
    if (s->stage == SESSION_DIRECTORIES)
        rc = session_start_files(s, err);
    if (!rc && S_ISDIR(ev->inode.mode)) {
        if (!s->by_catalog)
            session_warn(s, ".", "directory inode %u comes after the files and was left out",
                         ev->inode.ino);
        return 0;
    }
    return rc ? rc : begin_file(s, ev, err);
}

static int on_data(struct session *s, const struct stream_event *ev, struct error *err)
{
    if (s->in_directory)
        return add_entries(s, ev, err);
    return s->file.wanted && !s->file.failed ? take_data(s, ev, err) : 0;
}

static int on_hole(struct session *s, const struct stream_event *ev, struct error *err)
{
    if (!s->file.wanted || s->file.failed || !S_ISREG(s->file.attributes.inode.mode))
        return 0;
    return s->sink->hole(s, ev->offset, ev->bytes, err);
}

static int on_xattr(struct session *s, const struct stream_event *ev, struct error *err)
{
    struct attributes *a = s->in_directory ? &s->directory : &s->file.attributes;
    struct error own = ERROR_INIT;
    int rc;

    if (!s->in_directory && !s->file.wanted)
        return 0;
    rc = attributes_add_xattr(a, &ev->xattr, &own);
    if (rc == -ERR_NO_MEMORY)
        return error_set(err, ERR_NO_MEMORY, "%s", own.message);
    if (rc)
        session_warn(s, NULL, "%s", own.message);
    return 0;
}

static int on_inode_end(struct session *s, const struct stream_event *ev, struct error *err)
{
    if (s->in_directory)
        return end_directory(s, ev->damaged, err);
    return end_file(s, ev, err);
}

static int on_damage(struct session *s, const struct stream_event *ev, struct error *err)
{
    (void)err;
    if (s->file.wanted || s->in_directory)
        session_warn(s, NULL, "%s", ev->message);
    else
        session_warn(s, "tape", "%s", ev->message);
    return 0;
}

int session_event(struct session *s, const struct stream_event *ev, struct error *err)
{
    static int (*const handlers[])(struct session * s, const struct stream_event *ev,
                                   struct error *err) = {
        [STREAM_EVENT_VOLUME] = on_volume, [STREAM_EVENT_INODE] = on_inode,
        [STREAM_EVENT_DATA] = on_data,     [STREAM_EVENT_HOLE] = on_hole,
        [STREAM_EVENT_XATTR] = on_xattr,   [STREAM_EVENT_INODE_END] = on_inode_end,
        [STREAM_EVENT_DAMAGE] = on_damage, [STREAM_EVENT_END] = NULL,
        [STREAM_EVENT_MAP] = NULL,         [STREAM_EVENT_ORIGIN] = NULL,
    };

    if (s->options->cancel && atomic_load(s->options->cancel))
        return error_set(err, ERR_CANCELLED, "the restore was stopped; %llu files are done",
                         (unsigned long long)s->result->files);
    report(s, false);
    return handlers[ev->type] ? handlers[ev->type](s, ev, err) : 0;
}

/* ---- the end -----------------------------------------------------------------------------------
 */

static void tell_missing(struct session *s)
{
    for (size_t i = 0; i < s->names.entry_count; i++) {
        const struct names_entry *e = &s->names.entries[i];
        char path[NAMES_PATH_MAX];

        if (e->ino && e->selected && !e->done && !e->is_directory)
            session_warn(s, names_entry_path(&s->names, e, path),
                         "it is named in the dump, but not in it");
    }
}

/* Deepest first, so that what is set last on a directory stays. */
static void finish_directories(struct session *s)
{
    for (size_t i = s->names.order_count; i-- > 0;)
        if (s->names.directories[s->names.order[i]].needed && s->sink->finish_directory)
            s->sink->finish_directory(s, s->names.order[i]);
}

int session_finish(struct session *s, bool truncated, struct error *err)
{
    int rc = s->stage == SESSION_DIRECTORIES ? session_start_files(s, err) : 0;

    if (rc)
        return rc;
    s->stage = SESSION_DONE;
    if (truncated)
        session_warn(s, "tape", "the dump ends before its end record: files are missing");
    tell_missing(s);
    finish_directories(s);
    report(s, true);
    if (s->result->warnings == 0)
        return 0;
    return error_set(err, ERR_PARTIAL,
                     s->options->compare ? "%llu differences from the dump were found"
                                         : "%llu things could not be restored",
                     (unsigned long long)s->result->warnings);
}
