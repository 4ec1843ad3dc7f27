/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - everything that a dump has found: names, where they are, and their dump numbers.
 *
 * Compact, because a tree may have millions of names: a node is 40 bytes and its name; only
 * directories keep their attributes (a file's are read again with its data).  Nodes and
 * directories live in chunks that never move, so that the walk's threads can fill the tree
 * together: a directory's children are one run of nodes, sorted by name.
 *
 * Numbers (tree_number): the root is 2, then all directories parents first, then all other files
 * directory by directory; so both groups rise in the order in which they are dumped.  Names of one
 * file (hard links) share a number; the first one is where it is dumped.
 *
 * Thread rule: tree_add_*() by the walk only (it holds its lock); afterwards the tree is read-only.
 */
#ifndef CAPSTAN_ENGINE_DUMP_TREE_H
#define CAPSTAN_ENGINE_DUMP_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/error.h"
#include "engine/stream/stream.h"

#define TREE_NO_DIRECTORY UINT32_MAX

enum {
    NODE_LINKED = 1,     /* other names of this file may be in the tree (st_nlink > 1) */
    NODE_UNREADABLE = 2, /* known not to be in the dump: only its name is */
    NODE_DROPPED = 4     /* vanished before its directory was written: not even its name */
};

struct tree_node {
    const uint8_t *name; /* its length in one byte, then the name; no NUL; "" for the root */
    uint64_t ino;        /* of the source */
    uint32_t number;     /* of the dump; 0: none yet */
    uint32_t parent;     /* directory it stands in; the root: itself */
    uint32_t directory;  /* index if it is one, else TREE_NO_DIRECTORY */
    uint16_t device;     /* index of st_dev */
    uint16_t mode;       /* as st_mode: type and permissions fit 16 bits */
    uint8_t flags;       /* NODE_* */
};

struct tree_directory {
    uint32_t node;
    uint32_t first; /* its children are nodes first .. first + count - 1 */
    uint32_t count;
    struct stream_inode inode; /* without ino and size */
};

struct tree;

/* root_fd becomes the tree's. */
int tree_new(int root_fd, struct tree **out, struct error *err);
void tree_free(struct tree *t); /* NULL is allowed */

uint32_t tree_node_count(const struct tree *t);
uint32_t tree_directory_count(const struct tree *t);
struct tree_node *tree_node(const struct tree *t, uint32_t index);
struct tree_directory *tree_directory(const struct tree *t, uint32_t index);

/* Append count nodes in one run: *first is the index of the first.  They are zeroed. */
int tree_add_nodes(struct tree *t, uint32_t count, uint32_t *first, struct error *err);
int tree_add_directory(struct tree *t, uint32_t node, uint32_t *index, struct error *err);
/* The index for a device; at most 65,535 different ones. */
int tree_device(struct tree *t, uint64_t dev, uint16_t *index, struct error *err);
uint64_t tree_device_of(const struct tree *t, uint16_t index);
/* Take over memory that names lie in; freed with the tree. */
int tree_own_names(struct tree *t, void *memory, struct error *err);

/* ---- after the walk ----------------------------------------------------------------------------
 */

/* Give out the numbers.  *last is the highest. */
int tree_number(struct tree *t, uint32_t *last, struct error *err);
/* The directory with number STREAM_ROOT_INODE + n; n < the directories that were not dropped. */
uint32_t tree_directory_at(const struct tree *t, uint32_t n);
uint32_t tree_directories_numbered(const struct tree *t);

/* Walks over the files (all but directories) in the order of their numbers, each number once. */
struct tree_cursor {
    const struct tree *tree;
    uint32_t directory, child, next;
};
void tree_files(const struct tree *t, struct tree_cursor *c);
/* False at the end. */
bool tree_next_file(struct tree_cursor *c, uint32_t *node);

#define TREE_PATH_MIN 8
/* "a/b/c" below the root; "." is the root.  size >= TREE_PATH_MIN; what does not fit is cut off at
 * the front. */
void tree_path(const struct tree *t, uint32_t node, char *buf, size_t size);

/* Open a directory of the tree without following any symbolic link on the way.  -1 and errno. */
int tree_open(const struct tree *t, uint32_t directory);

#endif
