/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listing.c - directories.
 *
 * The offset behind an entry is its place in the order of names plus 3 ("." and ".." come first),
 * so it is the same in every listing of an image and never given twice.  An open directory
 * remembers the name behind which the next read goes on; after a seek it is found by counting.
 */
#include "fuse/internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

struct directory {
    struct view_handle handle;
    pthread_mutex_t lock; /* next, after */
    struct view_inode vi; /* a directory of an image; else only vi.tree is used */
    uint64_t next;        /* place of the entry behind `after` */
    size_t after_len;
    char after[CATALOG_NAME_MAX];
};

/* The answer that is being filled. */
struct listing {
    fuse_req_t req;
    fuse_ino_t node;
    struct directory *directory;
    bool plus;
    char *buf;
    size_t size, used;
    uint64_t place; /* of the next entry; "." is none */
    uint64_t from;  /* entries before this place are skipped */
};

static struct directory *directory_of(const struct fuse_file_info *fi)
{
    return (struct directory *)(uintptr_t)fi->fh;
}

static void directory_free(struct view_handle *handle)
{
    struct directory *directory = (struct directory *)handle;

    view_inode_close(&directory->vi);
    pthread_mutex_destroy(&directory->lock);
    free(directory);
}

static int open_directory(struct view *view, fuse_ino_t node, struct directory *directory)
{
    struct error err = ERROR_INIT;
    enum tree_type type;
    int64_t changed;
    int rc;

    if (node_in_image(node)) {
        int error = view_inode_open(view, node, true, &directory->vi);

        return error == 0 && !S_ISDIR(directory->vi.inode.mode) ? ENOTDIR : error;
    }
    rc = view_tree_get(view->trees, &directory->vi.tree, &err);
    if (rc != 0)
        return view_errno(rc, &err);
    if (!view_tree_node(directory->vi.tree, node, &type, &changed))
        return ENOENT;
    return type == TREE_DIRECTORY ? 0 : ENOTDIR;
}

void view_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
    struct view *view = view_of(req);
    struct directory *directory = calloc(1, sizeof(*directory));
    int error;

    if (!directory) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    pthread_mutex_init(&directory->lock, NULL);
    directory->handle.free = directory_free;
    view_handle_add(view, &directory->handle);
    error = open_directory(view, node, directory);
    if (error != 0) {
        view_handle_free(view, &directory->handle);
        fuse_reply_err(req, error);
        return;
    }
    fi->fh = (uintptr_t)directory;
    if (node_in_image(node)) {
        fi->cache_readdir = 1;
        fi->keep_cache = 1;
    }
    if (fuse_reply_open(req, fi) == -ENOENT) /* the open was interrupted: no release will come */
        view_handle_free(view, &directory->handle);
}

void view_releasedir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
    (void)node;
    view_handle_free(view_of(req), &directory_of(fi)->handle);
    fuse_reply_err(req, 0);
}

/* Append one entry; false if it does not fit any more. */
static bool list_entry(struct listing *list, const char *name, const struct fuse_entry_param *entry,
                       off_t next)
{
    char *at = list->buf + list->used;
    size_t room = list->size - list->used;
    size_t need = list->plus ? fuse_add_direntry_plus(list->req, at, room, name, entry, next)
                             : fuse_add_direntry(list->req, at, room, name, &entry->attr, next);

    if (need > room)
        return false;
    list->used += need;
    return true;
}

/* "." and "..": the kernel takes only number and type of them. */
static bool list_dots(struct listing *list, off_t offset)
{
    struct fuse_entry_param entry = {.attr = {.st_ino = list->node, .st_mode = S_IFDIR}};

    if (offset < 1 && !list_entry(list, ".", &entry, 1))
        return false;
    return offset >= 2 || list_entry(list, "..", &entry, 2);
}

static int list_inode(void *ctx, const struct catalog_entry *entry)
{
    struct listing *list = ctx;
    struct directory *directory = list->directory;
    struct fuse_entry_param param;
    char name[CATALOG_NAME_MAX + 1];

    if (list->place >= list->from) {
        memcpy(name, entry->name, entry->name_len);
        name[entry->name_len] = '\0';
        view_inode_entry(&entry->inode, list->node, &param);
        if (!list_entry(list, name, &param, (off_t)(list->place + 3)))
            return 1;
    }
    list->place++;
    directory->next = list->place;
    directory->after_len = entry->name_len;
    memcpy(directory->after, entry->name, entry->name_len);
    return 0;
}

static int list_image(struct listing *list)
{
    struct directory *directory = list->directory;
    struct error err = ERROR_INIT;
    const char *after = NULL;
    int rc;

    if (directory->next > 0 && directory->next <= list->from) {
        list->place = directory->next;
        after = directory->after;
    }
    rc = catalog_index_entries(directory->vi.index, node_inside(list->node), after,
                               directory->after_len, list_inode, list, &err);
    if (rc > 0 || list->used > 0) /* full; or an error that the next read will meet again */
        return 0;
    return view_errno(rc, &err);
}

/* Only numbers and types: with entry.ino 0 the kernel asks by lookup for what it wants to know.
 * So listing a thousand images does not open a thousand indexes. */
static void list_tree(struct listing *list)
{
    static const mode_t modes[] = {
        [TREE_DIRECTORY] = S_IFDIR, [TREE_LINK] = S_IFLNK, [TREE_FILE] = S_IFREG};
    struct tree_child child;

    for (list->place = list->from;
         view_tree_child(list->directory->vi.tree, list->node, (size_t)list->place, &child);
         list->place++) {
        struct fuse_entry_param entry = {
            .attr = {.st_ino = child.node, .st_mode = modes[child.type]}};

        if (!list_entry(list, child.name, &entry, (off_t)(list->place + 3)))
            return;
    }
}

/* From the beginning, after rewinddir(3) too, the directory is as it is now. */
static int renew(struct listing *list)
{
    struct tree **tree = &list->directory->vi.tree, *present;
    struct error err = ERROR_INIT;
    int rc = view_tree_get(view_of(list->req)->trees, &present, &err);

    if (rc != 0)
        return view_errno(rc, &err);
    view_tree_put(*tree);
    *tree = present;
    return 0;
}

/* Fill list->buf from offset on; 0 or an errno. */
static int fill_listing(struct listing *list, off_t offset)
{
    CLEANUP_UNLOCK(&list->directory->lock);
    int error = offset == 0 && !node_in_image(list->node) ? renew(list) : 0;

    if (offset < 0)
        return EINVAL;
    if (error != 0)
        return error;
    list->from = offset > 2 ? (uint64_t)offset - 2 : 0;
    if (!list_dots(list, offset))
        return 0;
    if (node_in_image(list->node))
        return list_image(list);
    list_tree(list);
    return 0;
}

/* The directory is not touched after the reply: its release may come at once, on another thread. */
static void reply_listing(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                          struct fuse_file_info *fi, bool plus)
{
    CLEANUP_FREE char *buf = malloc(size);
    struct listing list = {
        .req = req,
        .node = node,
        .directory = directory_of(fi),
        .plus = plus,
        .buf = buf,
        .size = size,
    };
    int error = buf ? fill_listing(&list, offset) : ENOMEM;

    if (error != 0)
        fuse_reply_err(req, error);
    else
        fuse_reply_buf(req, buf, list.used);
}

void view_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                  struct fuse_file_info *fi)
{
    reply_listing(req, node, size, offset, fi, false);
}

void view_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                      struct fuse_file_info *fi)
{
    reply_listing(req, node, size, offset, fi, true);
}
