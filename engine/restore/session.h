/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session.h - a restore or a comparison under way.  Internal to engine/restore.
 *
 * Stages (session_event drives them by the events of the dump):
 *
 *      DIRECTORIES  read the directories, build the tree of names, choose what is wanted
 *           │ first inode that is no directory, or the end
 *      FILES        make the directories; then each wanted file as it comes
 *           │ the end
 *      DONE         what did not come is told; directories get their attributes, deepest first
 *
 * A fault in one file is told and counted, the session goes on; only what concerns all (no space,
 * no memory, the tape) ends it.
 */
#ifndef CAPSTAN_ENGINE_RESTORE_SESSION_H
#define CAPSTAN_ENGINE_RESTORE_SESSION_H

#include <limits.h>
#include <time.h>

#include "engine/restore/names.h"
#include "engine/restore/restore.h"
#include "engine/restore/target.h"
#include "engine/stream/decoder.h"

enum session_stage { SESSION_DIRECTORIES, SESSION_FILES, SESSION_DONE };

/* The file whose events are coming. */
struct session_file {
    bool wanted;
    bool failed; /* it was told why; nothing is kept of it */
    struct attributes attributes;
    size_t first, links; /* names->by_ino[first .. first + links) */
    size_t link;         /* the one it is made under: index into names->entries */
    int fd;              /* regular file being written or compared */
    char temp[TARGET_TEMP_MAX];
    size_t temp_directory; /* where temp is; NAMES_NONE: there is none */
    char target[PATH_MAX]; /* of a symlink */
    size_t target_len;
    bool differs; /* comparing: the data does */
};

/* What is done with the files: written (file.c), compared (compare.c) or listed (list.c).  The
 * functions return != 0 only for what ends the session; else they tell, and set file.failed. */
struct session;
struct session_sink {
    bool makes_target; /* the destination is made; else it must be there */
    bool no_target;    /* there is none */
    int (*start)(struct session *s, struct error *err); /* the tree is known; may be NULL */
    int (*begin)(struct session *s, struct error *err);
    int (*data)(struct session *s, uint64_t offset, const void *data, size_t len,
                struct error *err);
    int (*hole)(struct session *s, uint64_t offset, uint64_t len, struct error *err);
    int (*end)(struct session *s, struct error *err);
    void (*discard)(struct session *s); /* let go of the file, whatever its state */
    void (*finish_directory)(struct session *s, size_t directory); /* deepest first */
};
extern const struct session_sink file_sink, compare_sink;

struct session {
    const struct session_sink *sink;
    const struct restore_options *options;
    struct restore_result *result;
    struct names names;
    struct target destination;
    struct attributes_policy policy;
    enum session_stage stage;
    bool by_catalog; /* the names were filled in beforehand */
    bool old_directories, big_endian;
    size_t missing;              /* names asked for that are not there */
    struct attributes directory; /* the one whose events are coming */
    bool in_directory;
    struct session_file file;
    char path[NAMES_PATH_MAX]; /* of what is being worked on, for warnings */
    struct restore_progress progress;
    struct timespec reported;
};

/* options and result must outlive the session. */
int session_begin(struct session *s, const struct session_sink *sink,
                  const struct restore_options *options, struct restore_result *result,
                  struct error *err);
int session_event(struct session *s, const struct stream_event *ev, struct error *err);
/* Leave DIRECTORIES: build, choose, make the directories. */
int session_start_files(struct session *s, struct error *err);
/* The end of the dump was reached; truncated: its end is missing. */
int session_finish(struct session *s, bool truncated, struct error *err);
void session_end(struct session *s);

/* Tell and count; path NULL: s->path. */
void session_warn(struct session *s, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
