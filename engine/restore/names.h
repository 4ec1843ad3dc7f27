/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.h - the tree of names of a dump, and which of them are wanted.  Internal to engine/restore.
 *
 * Filled from directory data (or from the catalog), then closed by names_build(), which makes a
 * tree of whatever was in it:
 *
 * Invariants after names_build():
 *   1. order[0] is the root; a directory comes after its parent; each has one parent, so there are
 *      no cycles; what can't be reached from the root is left out.
 *   2. Depth, length of paths and number of entries are within the limits below.
 *   3. Every name passes stream_name_check().
 *
 * Thread rule: one thread at a time.
 */
#ifndef CAPSTAN_ENGINE_RESTORE_NAMES_H
#define CAPSTAN_ENGINE_RESTORE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "engine/restore/attributes.h"

#define NAMES_DEPTH_MAX   1024u
#define NAMES_PATH_MAX    65536u /* with NUL: a tree may be deeper than PATH_MAX lets one name */
#define NAMES_ENTRIES_MAX (UINT64_C(1) << 28)
#define NAMES_NONE        SIZE_MAX

struct names_entry {
    uint32_t directory; /* inode number that it is in */
    uint32_t ino;       /* 0: dropped */
    size_t name;        /* offset in the arena */
    uint8_t name_len;
    bool is_directory;
    bool selected;
    bool done; /* restored, compared or listed */
};

struct names_directory {
    struct attributes attributes;
    size_t parent; /* index of the parent; the root: NAMES_NONE */
    size_t entry;  /* its entry in the parent; the root: NAMES_NONE */
    unsigned depth;
    uint32_t path_len;
    bool reached;            /* in the tree */
    bool selected;           /* with all that is below */
    bool needed;             /* something below is selected */
    bool made;               /* by this restore: gets its attributes at the end */
    uint64_t st_dev, st_ino; /* on the destination, once opened; st_ino 0: not yet */
};

struct names {
    struct names_entry *entries;
    size_t entry_count, entry_capacity;
    struct names_directory *directories;
    size_t directory_count, directory_capacity;
    char *arena;
    size_t arena_used, arena_capacity;
    size_t *order; /* directories that can be reached, parents first */
    size_t order_count;
    size_t *by_ino; /* entries that are no directories, by inode */
    size_t by_ino_count;
    uint32_t *dir_slots; /* hash: inode -> directory index + 1 */
    size_t dir_slot_count;
    void (*warning)(void *ctx, const char *path, const char *message);
    void *ctx;
};

void names_init(struct names *n, void (*warning)(void *ctx, const char *path, const char *message),
                void *ctx);
void names_free(struct names *n);

/* Add a directory; the attributes are moved in (left empty).  *index NAMES_NONE: it was there
 * already and is ignored. */
int names_add_directory(struct names *n, struct attributes *attributes, size_t *index,
                        struct error *err);
/* Add an entry of directory inode `directory`; a bad name is warned about and left out. */
int names_add_entry(struct names *n, uint32_t directory, uint32_t ino, const void *name,
                    size_t name_len, struct error *err);

/* Close the tree.  ERR_CORRUPT: there is no root. */
int names_build(struct names *n, struct error *err);

/* The first component of path that says something ("/" and "." do not); *len 0: there is none. */
const char *names_component(const char *path, size_t *len);
/* Has the component one of * ? [? */
bool names_is_pattern(const char *component, size_t len);
/* Is name, of at most 255 bytes, the component, or does it match it as a pattern (fnmatch(3); a
 * leading period is nothing special)? */
bool names_match(const char *component, size_t len, const void *name, size_t name_len);

/* Select everything, or the given paths with what is below them.  A component of a path may be a
 * pattern.  Paths that are not there are
 * warned about and counted in *missing. */
void names_select_all(struct names *n);
void names_select(struct names *n, const char *const *paths, size_t count, size_t *missing);

/* The entries of a directory: entries[*first .. *first + count). */
size_t names_find_entries(const struct names *n, uint32_t directory, size_t *first);
/* Index of directory inode ino, or NAMES_NONE. */
size_t names_find_directory(const struct names *n, uint32_t ino);
/* The entries of inode ino that are no directories: by_ino[*first .. *first + count). */
size_t names_find_links(const struct names *n, uint32_t ino, size_t *first);

/* "a/b/c" without leading slash; the root is ".".  buf has NAMES_PATH_MAX bytes. */
const char *names_directory_path(const struct names *n, size_t directory, char *buf);
const char *names_entry_path(const struct names *n, const struct names_entry *e, char *buf);
/* The entry's name alone, with NUL; buf has 256 bytes. */
const char *names_entry_name(const struct names *n, const struct names_entry *e, char *buf);

#endif
