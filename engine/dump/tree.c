/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c - see tree.h. */
#include "engine/dump/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

#define CHUNK_BITS  14
#define CHUNK       (1u << CHUNK_BITS)
#define CHUNK_COUNT (1u << (32 - CHUNK_BITS))
#define DEVICES_MAX 65535u

/* An array of up to 2^32 items that never move. */
struct chunked {
    void **chunks; /* CHUNK_COUNT pointers; untouched pages of it take no memory */
    size_t item;
    uint32_t count;
};

struct tree {
    int root_fd;
    struct chunked nodes, directories;
    uint64_t *devices;
    size_t device_count;
    void **names;
    size_t name_count, name_room;
    uint32_t *order; /* directories by number */
    uint32_t order_count;
};

/* ---- storage -----------------------------------------------------------------------------------
 */

static int chunked_init(struct chunked *c, size_t item, struct error *err)
{
    c->item = item;
    c->chunks = calloc(CHUNK_COUNT, sizeof(void *));
    return c->chunks ? 0 : error_set(err, ERR_NO_MEMORY, "no memory for the tree");
}

static void chunked_free(struct chunked *c)
{
    for (uint32_t i = 0; c->chunks && i < CHUNK_COUNT && c->chunks[i]; i++)
        free(c->chunks[i]);
    free(c->chunks);
}

static void *chunked_at(const struct chunked *c, uint32_t index)
{
    return (char *)c->chunks[index >> CHUNK_BITS] + (size_t)(index & (CHUNK - 1)) * c->item;
}

static int chunked_grow(struct chunked *c, uint32_t count, uint32_t *first, struct error *err)
{
    if (count >= UINT32_MAX - c->count)
        return error_set(err, ERR_RANGE, "the tree has more than 4,294,967,294 names");
    for (uint64_t i = c->count >> CHUNK_BITS; i << CHUNK_BITS < (uint64_t)c->count + count; i++) {
        if (c->chunks[i])
            continue;
        c->chunks[i] = calloc(CHUNK, c->item);
        if (!c->chunks[i])
            return error_set(err, ERR_NO_MEMORY, "no memory for a tree of so many files");
    }
    *first = c->count;
    c->count += count;
    return 0;
}

int tree_new(int root_fd, struct tree **out, struct error *err)
{
    struct tree *t = calloc(1, sizeof(*t));
    int rc;

    if (!t) {
        close(root_fd);
        return error_set(err, ERR_NO_MEMORY, "no memory for the tree");
    }
    t->root_fd = root_fd;
    rc = chunked_init(&t->nodes, sizeof(struct tree_node), err);
    if (rc == 0)
        rc = chunked_init(&t->directories, sizeof(struct tree_directory), err);
    if (rc) {
        tree_free(t);
        return rc;
    }
    *out = t;
    return 0;
}

void tree_free(struct tree *t)
{
    if (!t)
        return;
    close(t->root_fd);
    chunked_free(&t->nodes);
    chunked_free(&t->directories);
    for (size_t i = 0; i < t->name_count; i++)
        free(t->names[i]);
    free(t->names);
    free(t->devices);
    free(t->order);
    free(t);
}

uint32_t tree_node_count(const struct tree *t)
{
    return t->nodes.count;
}

uint32_t tree_directory_count(const struct tree *t)
{
    return t->directories.count;
}

struct tree_node *tree_node(const struct tree *t, uint32_t index)
{
    return chunked_at(&t->nodes, index);
}

struct tree_directory *tree_directory(const struct tree *t, uint32_t index)
{
    return chunked_at(&t->directories, index);
}

int tree_add_nodes(struct tree *t, uint32_t count, uint32_t *first, struct error *err)
{
    return chunked_grow(&t->nodes, count, first, err);
}

int tree_add_directory(struct tree *t, uint32_t node, uint32_t *index, struct error *err)
{
    int rc = chunked_grow(&t->directories, 1, index, err);

    if (rc)
        return rc;
    tree_directory(t, *index)->node = node;
    tree_node(t, node)->directory = *index;
    return 0;
}

int tree_device(struct tree *t, uint64_t dev, uint16_t *index, struct error *err)
{
    uint64_t *grown;

    for (size_t i = t->device_count; i-- > 0;)
        if (t->devices[i] == dev) {
            *index = (uint16_t)i;
            return 0;
        }
    if (t->device_count >= DEVICES_MAX)
        return error_set(err, ERR_RANGE, "the tree spans more than %u file systems", DEVICES_MAX);
    grown = reallocarray(t->devices, t->device_count + 1, sizeof(*grown));
    if (!grown)
        return error_set(err, ERR_NO_MEMORY, "no memory for the tree");
    t->devices = grown;
    *index = (uint16_t)t->device_count;
    t->devices[t->device_count++] = dev;
    return 0;
}

uint64_t tree_device_of(const struct tree *t, uint16_t index)
{
    return t->devices[index];
}

int tree_own_names(struct tree *t, void *memory, struct error *err)
{
    if (t->name_count == t->name_room) {
        size_t room = t->name_room ? t->name_room * 2 : 64;
        void **grown = reallocarray(t->names, room, sizeof(*grown));

        if (!grown) {
            free(memory);
            return error_set(err, ERR_NO_MEMORY, "no memory for the tree");
        }
        t->names = grown;
        t->name_room = room;
    }
    t->names[t->name_count++] = memory;
    return 0;
}

/* ---- numbers -----------------------------------------------------------------------------------
 */

/* Directories parents first and in order of name: a stack instead of recursion, as a tree may be
 * deeper than any stack. */
static int number_directories(struct tree *t, struct error *err)
{
    uint32_t total = tree_directory_count(t), used = 0;
    CLEANUP_FREE uint32_t *stack = calloc((size_t)total + 1, sizeof(*stack));

    t->order = calloc((size_t)total + 1, sizeof(*t->order));
    if (!stack || !t->order)
        return error_set(err, ERR_NO_MEMORY, "no memory to number the tree");
    if (total > 0)
        stack[used++] = 0;
    while (used > 0) {
        uint32_t index = stack[--used];
        const struct tree_directory *d = tree_directory(t, index);

        tree_node(t, d->node)->number = STREAM_ROOT_INODE + t->order_count;
        t->order[t->order_count++] = index;
        for (uint32_t i = d->count; i-- > 0;) {
            const struct tree_node *child = tree_node(t, d->first + i);

            if (child->directory != TREE_NO_DIRECTORY && !(child->flags & NODE_DROPPED))
                stack[used++] = child->directory;
        }
    }
    return 0;
}

/* Numbers of files with several names, by device and inode: open addressing, half full at most. */
struct link_table {
    uint32_t *slots; /* node + 1; 0: free */
    size_t size, used;
};

static size_t link_hash(const struct tree_node *n)
{
    uint64_t h = (n->ino ^ (uint64_t)n->device << 48) * 0x9e3779b97f4a7c15u;

    return (size_t)(h ^ h >> 32);
}

/* The slot of the file that node is a name of, or the free one where it belongs. */
static size_t link_find(const struct tree *t, const struct link_table *links,
                        const struct tree_node *n)
{
    size_t at = link_hash(n) & (links->size - 1);

    while (links->slots[at]) {
        const struct tree_node *other = tree_node(t, links->slots[at] - 1);

        if (other->ino == n->ino && other->device == n->device &&
            (other->mode & S_IFMT) == (n->mode & S_IFMT))
            break;
        at = (at + 1) & (links->size - 1);
    }
    return at;
}

static int link_grow(const struct tree *t, struct link_table *links, struct error *err)
{
    struct link_table larger = {.size = links->size ? links->size * 2 : 1024, .used = links->used};

    if (links->used * 2 < links->size)
        return 0;
    larger.slots = calloc(larger.size, sizeof(*larger.slots));
    if (!larger.slots)
        return error_set(err, ERR_NO_MEMORY, "no memory for so many hard links");
    for (size_t i = 0; i < links->size; i++)
        if (links->slots[i])
            larger.slots[link_find(t, &larger, tree_node(t, links->slots[i] - 1))] =
                links->slots[i];
    free(links->slots);
    *links = larger;
    return 0;
}

static int number_file(struct tree *t, struct link_table *links, uint32_t index, uint32_t *next,
                       struct error *err)
{
    struct tree_node *n = tree_node(t, index);
    size_t slot = 0;
    int rc;

    if (n->flags & NODE_LINKED) {
        rc = link_grow(t, links, err);
        if (rc)
            return rc;
        slot = link_find(t, links, n);
        if (links->slots[slot]) {
            n->number = tree_node(t, links->slots[slot] - 1)->number;
            return 0;
        }
        links->slots[slot] = index + 1;
        links->used++;
    }
    if (*next == UINT32_MAX)
        return error_set(err, ERR_RANGE, "the tree has more files than a dump can number");
    n->number = (*next)++;
    return 0;
}

int tree_number(struct tree *t, uint32_t *last, struct error *err)
{
    struct link_table links = {0};
    uint32_t next;
    int rc = number_directories(t, err);

    next = STREAM_ROOT_INODE + t->order_count;
    for (uint32_t n = 0; rc == 0 && n < t->order_count; n++) {
        const struct tree_directory *d = tree_directory(t, t->order[n]);

        for (uint32_t i = 0; rc == 0 && i < d->count; i++) {
            const struct tree_node *child = tree_node(t, d->first + i);

            if (child->directory == TREE_NO_DIRECTORY && !(child->flags & NODE_DROPPED))
                rc = number_file(t, &links, d->first + i, &next, err);
        }
    }
    free(links.slots);
    *last = next - 1;
    return rc;
}

uint32_t tree_directory_at(const struct tree *t, uint32_t n)
{
    return t->order[n];
}

uint32_t tree_directories_numbered(const struct tree *t)
{
    return t->order_count;
}

void tree_files(const struct tree *t, struct tree_cursor *c)
{
    *c = (struct tree_cursor){.tree = t, .next = STREAM_ROOT_INODE + t->order_count};
}

bool tree_next_file(struct tree_cursor *c, uint32_t *node)
{
    for (; c->directory < c->tree->order_count; c->directory++, c->child = 0) {
        const struct tree_directory *d = tree_directory(c->tree, c->tree->order[c->directory]);

        while (c->child < d->count) {
            uint32_t index = d->first + c->child++;
            const struct tree_node *n = tree_node(c->tree, index);

            if (n->directory != TREE_NO_DIRECTORY || n->number != c->next)
                continue; /* a directory, or another name of a file that had its turn */
            c->next++;
            *node = index;
            return true;
        }
    }
    return false;
}

/* ---- paths -------------------------------------------------------------------------------------
 */

void tree_path(const struct tree *t, uint32_t node, char *buf, size_t size)
{
    static const char cut[] = ".../";
    const struct tree_node *n = tree_node(t, node);
    size_t at = size;

    buf[--at] = '\0';
    if (!n->name[0])
        buf[--at] = '.';
    for (; n->name[0]; n = tree_node(t, tree_directory(t, n->parent)->node)) {
        size_t len = n->name[0];

        if (len + sizeof(cut) > at) {
            at -= sizeof(cut) - 1;
            memcpy(buf + at, cut, sizeof(cut) - 1);
            break;
        }
        if (buf[at])
            buf[--at] = '/';
        at -= len;
        memcpy(buf + at, n->name + 1, len);
    }
    memmove(buf, buf + at, size - at);
}

#define OPEN_DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

/* O_NOATIME is the owner's and root's only. */
static int open_component(int at, const char *name)
{
    int fd = openat(at, name, OPEN_DIRECTORY | O_NOATIME);

    return fd < 0 && errno == EPERM ? openat(at, name, OPEN_DIRECTORY) : fd;
}

/* Component by component: for paths longer than the system takes, and for kernels before 5.6. */
static int open_stepwise(const struct tree *t, uint32_t directory)
{
    CLEANUP_FREE uint32_t *chain = NULL;
    uint32_t depth = 0, room = 0;
    int fd = -1;

    for (uint32_t d = directory; d != 0;) {
        const struct tree_node *n = tree_node(t, tree_directory(t, d)->node);

        if (depth == room) {
            uint32_t *grown = reallocarray(chain, room ? room * 2u : 64u, sizeof(*chain));

            if (!grown)
                return -1;
            chain = grown;
            room = room ? room * 2 : 64;
        }
        chain[depth++] = tree_directory(t, d)->node;
        d = n->parent;
    }
    fd = open_component(t->root_fd, ".");
    while (fd >= 0 && depth > 0) {
        const struct tree_node *n = tree_node(t, chain[--depth]);
        char name[STREAM_NAME_MAX + 1];
        int next;

        memcpy(name, n->name + 1, n->name[0]);
        name[n->name[0]] = '\0';
        next = open_component(fd, name);
        if (next < 0)
            cleanup_close(&fd);
        else
            close(fd);
        fd = next;
    }
    return fd;
}

int tree_open(const struct tree *t, uint32_t directory)
{
    struct open_how how = {.flags = OPEN_DIRECTORY | O_NOATIME,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    char path[4096];
    uint32_t node = tree_directory(t, directory)->node;
    size_t len = 0;
    long fd;

    for (const struct tree_node *n = tree_node(t, node); n->name[0];
         n = tree_node(t, tree_directory(t, n->parent)->node)) {
        len += n->name[0] + 1u;
        if (len + TREE_PATH_MIN > sizeof(path))
            return open_stepwise(t, directory);
    }
    tree_path(t, node, path, sizeof(path));
    fd = syscall(SYS_openat2, t->root_fd, path, &how, sizeof(how));
    if (fd < 0 && errno == EPERM) {
        how.flags = OPEN_DIRECTORY;
        fd = syscall(SYS_openat2, t->root_fd, path, &how, sizeof(how));
    }
    if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN))
        return open_stepwise(t, directory);
    return (int)fd;
}
