/* SPDX-License-Identifier: Apache-2.0 */
/* walk.c - see walk.h. */
#include "engine/dump/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "engine/dump/attributes.h"

#define GETDENTS_BUFFER (256u * 1024)
#define NAME_BLOCK      (256u * 1024)

/* What getdents64(2) fills in. */
struct kernel_dirent {
    uint64_t ino;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

/* A name and what the tree keeps of its stat: small, as a directory may have millions of names. */
struct found {
    const uint8_t *name; /* as tree_node.name */
    uint64_t ino, device;
    uint64_t bytes;      /* of data */
    uint32_t attributes; /* directories: index into walker.attributes */
    uint16_t mode;
    uint8_t flags; /* NODE_* */
};

#define PROGRESS_NANOSECONDS 200000000

struct walk {
    const struct walk_options *options;
    struct tree *tree;
    uint64_t root_device;
    bool check_access; /* not root: some files will not be ours to read */

    pthread_mutex_t mutex; /* guards the tree and all below */
    pthread_cond_t work, finished;
    unsigned running;
    uint32_t *stack; /* directories to be read */
    size_t depth, room;
    unsigned busy; /* threads that may still push directories */
    bool failed;
    struct error failure;
    struct walk_totals totals;
};

/* One thread's memory. */
struct walker {
    struct walk *walk;
    char *dirents;
    uint8_t *names; /* the block that names are put into; the tree owns it */
    size_t name_used;
    struct found *found; /* of the directory at hand */
    size_t count, room;
    struct stream_inode *attributes; /* of the directories among them */
    size_t attribute_count, attribute_room;
};

/* ---- reading one directory ---------------------------------------------------------------------
 */

static int no_memory(struct error *err)
{
    return error_set(err, ERR_NO_MEMORY, "no memory to walk the tree");
}

static void warn(struct walk *w, uint32_t node, const char *name, const char *what, int value)
{
    char message[ERROR_MESSAGE_SIZE];
    CLEANUP_UNLOCK(&w->mutex);

    snprintf(message, sizeof(message), "%s%s%s", what, value ? ": " : "",
             value ? strerror(value) : "");
    if (w->options->warning)
        w->options->warning(w->options->ctx, w->tree, node, name, message);
}

/* Keep a copy of the name for as long as the tree lives. */
static const uint8_t *keep_name(struct walker *walker, const char *name, size_t len,
                                struct error *err)
{
    uint8_t *p;

    if (!walker->names || walker->name_used + 1 + len > NAME_BLOCK) {
        CLEANUP_UNLOCK(&walker->walk->mutex);

        walker->names = malloc(NAME_BLOCK);
        walker->name_used = 0;
        if (!walker->names) {
            no_memory(err);
            return NULL;
        }
        if (tree_own_names(walker->walk->tree, walker->names, err) != 0) {
            walker->names = NULL;
            return NULL;
        }
    }
    p = walker->names + walker->name_used;
    p[0] = (uint8_t)len;
    memcpy(p + 1, name, len);
    walker->name_used += 1 + len;
    return p;
}

static int add_name(struct walker *walker, uint32_t node, const char *name, struct error *err)
{
    size_t len = strlen(name);
    struct found *f;

    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0;
    if (len == 0 || len > STREAM_NAME_MAX || strchr(name, '/')) { /* a broken file system */
        warn(walker->walk, node, name, "is not a possible name and was left out", 0);
        return 0;
    }
    if (walker->count == walker->room) {
        size_t room = walker->room ? walker->room * 2 : 256;
        struct found *grown = reallocarray(walker->found, room, sizeof(*grown));

        if (!grown)
            return no_memory(err);
        walker->found = grown;
        walker->room = room;
    }
    f = &walker->found[walker->count];
    f->name = keep_name(walker, name, len, err);
    if (!f->name)
        return -(int)err->code;
    walker->count++;
    return 0;
}

static int read_names(struct walker *walker, int fd, uint32_t node, struct error *err)
{
    for (;;) {
        long len = syscall(SYS_getdents64, fd, walker->dirents, GETDENTS_BUFFER);

        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            warn(walker->walk, node, "", "could not be read to its end; what follows is left out",
                 errno);
        if (len <= 0)
            return 0;
        for (long at = 0; at < len;) {
            const struct kernel_dirent *d = (const void *)(walker->dirents + at);
            int rc = add_name(walker, node, d->name, err);

            if (rc)
                return rc;
            at += d->length;
        }
    }
}

static int by_name(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    size_t shorter = x->name[0] < y->name[0] ? x->name[0] : y->name[0];
    int order = memcmp(x->name + 1, y->name + 1, shorter);

    return order ? order : (int)x->name[0] - (int)y->name[0];
}

static int keep_attributes(struct walker *walker, struct found *f, const struct statx *stx,
                           struct error *err)
{
    if (walker->attribute_count == walker->attribute_room) {
        size_t room = walker->attribute_room ? walker->attribute_room * 2 : 64;
        struct stream_inode *grown = reallocarray(walker->attributes, room, sizeof(*grown));

        if (!grown)
            return no_memory(err);
        walker->attributes = grown;
        walker->attribute_room = room;
    }
    f->attributes = (uint32_t)walker->attribute_count;
    attributes_from_statx(&walker->attributes[walker->attribute_count++], stx);
    return 0;
}

/* What the tree keeps of a file. */
static int keep_stat(struct walker *walker, struct found *f, const struct statx *stx,
                     struct error *err)
{
    uint64_t allocated = stx->stx_blocks * 512;

    f->ino = stx->stx_ino;
    f->device = attributes_device(stx);
    f->mode = stx->stx_mode;
    f->flags = 0;
    f->bytes = 0;
    if (S_ISDIR(f->mode))
        return keep_attributes(walker, f, stx, err);
    if (stx->stx_nlink > 1)
        f->flags |= NODE_LINKED;
    if (S_ISREG(f->mode))
        f->bytes = allocated < stx->stx_size ? allocated : stx->stx_size;
    return 0;
}

static void check_access(struct walk *w, struct found *f, int fd, uint32_t node, const char *name)
{
    if (!w->check_access || !S_ISREG(f->mode) ||
        faccessat(fd, name, R_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0 || errno == ENOENT)
        return;
    f->flags |= NODE_UNREADABLE;
    f->bytes = 0;
    warn(w, node, name, "cannot be read and was left out", errno);
}

/* Stat the names; those that have vanished since getdents are taken out again. */
static int stat_names(struct walker *walker, int fd, uint32_t node, struct error *err)
{
    size_t kept = 0;
    int rc = 0;

    walker->attribute_count = 0;
    for (size_t i = 0; i < walker->count && !rc; i++) {
        struct found f = walker->found[i];
        char name[STREAM_NAME_MAX + 1];
        struct statx stx;

        memcpy(name, f.name + 1, f.name[0]);
        name[f.name[0]] = '\0';
        if (statx(fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, ATTRIBUTES_MASK, &stx) != 0) {
            warn(walker->walk, node, name,
                 errno == ENOENT ? "vanished" : "cannot be examined and was left out",
                 errno == ENOENT ? 0 : errno);
            continue;
        }
        rc = keep_stat(walker, &f, &stx, err);
        check_access(walker->walk, &f, fd, node, name);
        walker->found[kept++] = f;
    }
    walker->count = kept;
    return rc;
}

/* ---- into the tree -----------------------------------------------------------------------------
 */

static int push(struct walk *w, uint32_t directory, struct error *err)
{
    if (w->depth == w->room) {
        size_t room = w->room ? w->room * 2 : 256;
        uint32_t *grown = reallocarray(w->stack, room, sizeof(*grown));

        if (!grown)
            return no_memory(err);
        w->stack = grown;
        w->room = room;
    }
    w->stack[w->depth++] = directory;
    pthread_cond_signal(&w->work);
    return 0;
}

static int add_directory(struct walk *w, uint32_t node, const struct stream_inode *attributes,
                         struct error *err)
{
    uint32_t index;
    int rc = tree_add_directory(w->tree, node, &index, err);

    if (rc)
        return rc;
    tree_directory(w->tree, index)->inode = *attributes;
    w->totals.directories++;
    if (w->options->one_file_system && attributes->original_dev != w->root_device)
        return 0; /* another mount: an empty directory */
    return push(w, index, err);
}

static int add_node(struct walk *w, uint32_t index, uint32_t parent, const struct found *f,
                    const struct stream_inode *attributes, struct error *err)
{
    struct tree_node *n = tree_node(w->tree, index);
    int rc = tree_device(w->tree, f->device, &n->device, err);

    if (rc)
        return rc;
    n->name = f->name;
    n->ino = f->ino;
    n->parent = parent;
    n->directory = TREE_NO_DIRECTORY;
    n->mode = f->mode;
    n->flags = f->flags;
    if (S_ISDIR(n->mode))
        return add_directory(w, index, &attributes[f->attributes], err);
    w->totals.files++;
    w->totals.bytes += f->bytes;
    return 0;
}

static int add_found(struct walker *walker, uint32_t directory, struct error *err)
{
    struct walk *w = walker->walk;
    struct tree_directory *d = tree_directory(w->tree, directory);
    uint32_t first;
    int rc;
    CLEANUP_UNLOCK(&w->mutex);

    if (walker->count >= UINT32_MAX)
        return error_set(err, ERR_RANGE, "a directory has too many names");
    rc = tree_add_nodes(w->tree, (uint32_t)walker->count, &first, err);
    if (rc)
        return rc;
    d->first = first;
    d->count = (uint32_t)walker->count;
    for (size_t i = walker->count; i-- > 0 && !rc;) /* the stack gives them out in order again */
        rc =
            add_node(w, first + (uint32_t)i, directory, &walker->found[i], walker->attributes, err);
    return rc;
}

/* A directory that can't be opened: gone, with its name, or empty with a warning. */
static void cannot_open(struct walk *w, uint32_t node, int value)
{
    if (value == ENOENT || value == ENOTDIR || value == ELOOP) {
        warn(w, node, "", "vanished", 0);
        pthread_mutex_lock(&w->mutex);
        tree_node(w->tree, node)->flags |= NODE_DROPPED;
        w->totals.directories--;
        pthread_mutex_unlock(&w->mutex);
        return;
    }
    warn(w, node, "", "cannot be read; what is in it was left out", value);
}

static int walk_directory(struct walker *walker, uint32_t directory, struct error *err)
{
    struct walk *w = walker->walk;
    uint32_t node = tree_directory(w->tree, directory)->node;
    CLEANUP_CLOSE int fd = tree_open(w->tree, directory);
    int rc;

    if (fd < 0) {
        cannot_open(w, node, errno);
        return 0;
    }
    walker->count = 0;
    rc = read_names(walker, fd, node, err);
    if (rc)
        return rc;
    if (walker->count > 1)
        qsort(walker->found, walker->count, sizeof(*walker->found), by_name);
    rc = stat_names(walker, fd, node, err);
    return rc || !walker->count ? rc : add_found(walker, directory, err);
}

/* ---- threads -----------------------------------------------------------------------------------
 */

static bool cancelled(const struct walk *w)
{
    return w->options->cancel && atomic_load(w->options->cancel);
}

/* Take a directory from the stack; false when the walk is over. */
static bool take(struct walk *w, uint32_t *directory)
{
    CLEANUP_UNLOCK(&w->mutex);

    w->busy--;
    while (w->depth == 0 && w->busy > 0 && !w->failed)
        pthread_cond_wait(&w->work, &w->mutex);
    if (w->failed || w->depth == 0) {
        pthread_cond_broadcast(&w->work);
        return false;
    }
    *directory = w->stack[--w->depth];
    w->busy++;
    return true;
}

static void walk_fail(struct walk *w, const struct error *err)
{
    CLEANUP_UNLOCK(&w->mutex);

    if (!w->failed)
        w->failure = *err;
    w->failed = true;
    pthread_cond_broadcast(&w->work);
}

static void *walker_main(void *arg)
{
    struct walker walker = {.walk = arg};
    struct walk *w = arg;
    struct error err = ERROR_INIT;
    uint32_t directory;
    int rc = 0;

    walker.dirents = malloc(GETDENTS_BUFFER);
    if (!walker.dirents)
        rc = no_memory(&err);
    while (rc == 0 && take(w, &directory)) {
        if (cancelled(w))
            rc = error_set(&err, ERR_CANCELLED, "the dump was cancelled");
        else
            rc = walk_directory(&walker, directory, &err);
    }
    if (rc)
        walk_fail(w, &err);
    free(walker.dirents);
    free(walker.found);
    free(walker.attributes);
    pthread_mutex_lock(&w->mutex);
    w->running--;
    pthread_cond_signal(&w->finished);
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

/* Tell the progress until the last thread is through. */
static void wait_for_threads(struct walk *w)
{
    pthread_mutex_lock(&w->mutex);
    while (w->running > 0) {
        struct timespec until;
        uint64_t names = tree_node_count(w->tree);

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += PROGRESS_NANOSECONDS;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        if (pthread_cond_timedwait(&w->finished, &w->mutex, &until) == 0 || !w->options->found)
            continue;
        pthread_mutex_unlock(&w->mutex);
        w->options->found(w->options->ctx, names);
        pthread_mutex_lock(&w->mutex);
    }
    pthread_mutex_unlock(&w->mutex);
}

static int run_threads(struct walk *w, struct error *err)
{
    CLEANUP_FREE pthread_t *threads = calloc(w->options->threads, sizeof(*threads));
    unsigned started = 0;

    if (!threads)
        return no_memory(err);
    w->busy = w->options->threads; /* each is busy until it first finds nothing to do */
    w->running = w->options->threads;
    while (started < w->options->threads &&
           pthread_create(&threads[started], NULL, walker_main, w) == 0)
        started++;
    pthread_mutex_lock(&w->mutex);
    w->busy -= w->options->threads - started;
    w->running -= w->options->threads - started;
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->mutex);
    wait_for_threads(w);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (started == 0)
        return error_set(err, ERR_NO_MEMORY, "cannot start a thread to walk the tree");
    if (w->failed && err)
        *err = w->failure;
    return w->failed ? -(int)w->failure.code : 0;
}

/* ---- the root ----------------------------------------------------------------------------------
 */

static int add_root(struct walk *w, struct error *err)
{
    static const uint8_t no_name[1];
    struct found root = {.name = no_name, .mode = S_IFDIR};
    struct stream_inode attributes;
    struct statx stx;
    CLEANUP_CLOSE int fd = open(w->options->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint32_t first;
    int rc;

    if (fd < 0 && errno == ENOTDIR)
        return error_set(err, ERR_USAGE, "%s is not a directory", w->options->path);
    if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, ATTRIBUTES_MASK, &stx) != 0)
        return error_errno(err, "cannot open %s", w->options->path);
    attributes_from_statx(&attributes, &stx);
    w->root_device = root.device = attributes.original_dev;
    root.ino = stx.stx_ino;
    root.mode = stx.stx_mode;
    rc = tree_new(steal_fd(&fd), &w->tree, err);
    if (rc == 0)
        rc = tree_add_nodes(w->tree, 1, &first, err);
    return rc ? rc : add_node(w, first, 0, &root, &attributes, err);
}

int walk_tree(const struct walk_options *options, struct tree **out, struct walk_totals *totals,
              struct error *err)
{
    struct walk w = {.options = options, .check_access = geteuid() != 0};
    int rc;

    pthread_mutex_init(&w.mutex, NULL);
    pthread_cond_init(&w.work, NULL);
    pthread_cond_init(&w.finished, NULL);
    rc = add_root(&w, err);
    if (rc == 0)
        rc = run_threads(&w, err);
    pthread_mutex_destroy(&w.mutex);
    pthread_cond_destroy(&w.work);
    pthread_cond_destroy(&w.finished);
    free(w.stack);
    if (rc) {
        tree_free(w.tree);
        return rc;
    }
    *out = w.tree;
    *totals = w.totals;
    return 0;
}
