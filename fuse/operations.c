/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operations.c - the table of operations, and the ones that ask what a node is.
 *
 * Every operation begins with the node number alone (tree.h): nothing is remembered between
 * operations but open files and directories, so forget has nothing to do.
 */
#include "fuse/internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common/cleanup.h"
#include "common/log.h"

/* ---- errors ---------------------------------------------------------------------------------- */

int view_errno(int rc, const struct error *err)
{
    switch (-rc) {
    case 0:
        return 0;
    case ERR_NO_MEMORY:
        return ENOMEM;
    case ERR_NOT_FOUND:
        return ENOENT;
    case ERR_RANGE:
        return EINVAL;
    default:
        log_error("%s", err->message);
        return EIO;
    }
}

/* ---- what is open ---------------------------------------------------------------------------- */

void view_handle_add(struct view *view, struct view_handle *handle)
{
    CLEANUP_UNLOCK(&view->lock);

    handle->next = view->handles;
    handle->from = &view->handles;
    if (handle->next)
        handle->next->from = &handle->next;
    view->handles = handle;
}

void view_handle_free(struct view *view, struct view_handle *handle)
{
    pthread_mutex_lock(&view->lock);
    *handle->from = handle->next;
    if (handle->next)
        handle->next->from = handle->from;
    pthread_mutex_unlock(&view->lock);
    handle->free(handle);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

int view_inode_open(struct view *view, fuse_ino_t node, bool with_inode, struct view_inode *out)
{
    struct error err = ERROR_INIT;
    int rc;

    memset(out, 0, sizeof(*out));
    if (!node_in_image(node))
        return ENOENT;
    rc = view_tree_get(view->trees, &out->tree, &err);
    if (rc == 0) {
        out->image = view_tree_image_by_id(out->tree, node_image(node));
        rc = out->image ? 0 : -ERR_NOT_FOUND;
    }
    if (rc == 0) {
        rc = catalog_index_open(view->catalog, out->image->uuid, &out->index, &err);
        if (rc == -ERR_NOT_FOUND) /* an image without its history is damage */
            rc = -ERR_CORRUPT;
    }
    if (rc == 0 && with_inode)
        rc = catalog_index_inode(out->index, node_inside(node), &out->inode, &err);
    if (rc != 0)
        view_inode_close(out);
    return view_errno(rc, &err);
}

void view_inode_close(struct view_inode *vi)
{
    catalog_inode_release(&vi->inode);
    catalog_index_close(vi->index);
    view_tree_put(vi->tree);
    memset(vi, 0, sizeof(*vi));
}

static struct timespec timespec_of(int64_t ns)
{
    int64_t seconds = ns / 1000000000, rest = ns % 1000000000;

    if (rest < 0) { /* before 1970: the fraction still counts upwards */
        rest += 1000000000;
        seconds--;
    }
    return (struct timespec){.tv_sec = seconds, .tv_nsec = rest};
}

void view_inode_stat(const struct catalog_inode *inode, fuse_ino_t node, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_ino = node;
    st->st_mode = inode->mode;
    st->st_nlink = inode->nlink ? inode->nlink : 1;
    st->st_uid = inode->uid;
    st->st_gid = inode->gid;
    st->st_rdev = inode->rdev;
    st->st_size = (off_t)(S_ISLNK(inode->mode) ? inode->link_len : inode->size);
    st->st_blocks = (blkcnt_t)inode->blocks512;
    st->st_atim = timespec_of(inode->atime_ns);
    st->st_mtim = timespec_of(inode->mtime_ns);
    st->st_ctim = timespec_of(inode->ctime_ns);
}

bool view_tree_stat(const struct view *view, const struct tree *tree, fuse_ino_t node,
                    struct stat *st)
{
    static const mode_t modes[] = {
        [TREE_DIRECTORY] = S_IFDIR | 0555,
        [TREE_LINK] = S_IFLNK | 0777,
        [TREE_FILE] = S_IFREG | 0444,
    };
    enum tree_type type;
    int64_t changed_ns;
    char target[PATH_MAX];

    if (!view_tree_node(tree, node, &type, &changed_ns))
        return false;
    memset(st, 0, sizeof(*st));
    st->st_ino = node;
    st->st_mode = modes[type];
    st->st_nlink = type == TREE_DIRECTORY ? 2 : 1;
    st->st_uid = view->uid;
    st->st_gid = view->gid;
    st->st_atim = st->st_mtim = st->st_ctim = timespec_of(changed_ns);
    if (type == TREE_LINK && view_tree_link(tree, node, target, sizeof(target)))
        st->st_size = (off_t)strlen(target);
    return true;
}

void view_inode_entry(const struct catalog_inode *inode, fuse_ino_t parent,
                      struct fuse_entry_param *entry)
{
    memset(entry, 0, sizeof(*entry));
    entry->ino = node_make(node_kind(parent), node_image(parent), inode->ino);
    entry->generation = 1;
    entry->attr_timeout = TIMEOUT_FIXED;
    entry->entry_timeout = TIMEOUT_FIXED;
    view_inode_stat(inode, entry->ino, &entry->attr);
}

/* The directory that an image begins with: an image may be deleted. */
static int image_root_entry(struct view *view, fuse_ino_t node, struct fuse_entry_param *entry)
{
    struct view_inode vi;
    int error = view_inode_open(view, node, true, &vi);

    if (error != 0)
        return error;
    view_inode_entry(&vi.inode, node, entry);
    if (!S_ISDIR(vi.inode.mode))
        error = EIO;
    entry->entry_timeout = TIMEOUT_GROWING;
    view_inode_close(&vi);
    return error;
}

/* How long /.status is, is known when it is made. */
static void add_status_size(struct view *view, fuse_ino_t node, struct stat *st)
{
    char *text = NULL;
    size_t len;

    if (node == NODE_STATUS && view_status_text(view, &text, &len) == 0)
        st->st_size = (off_t)len;
    free(text);
}

/* What the kernel is told of a child of the tree; 0 or an errno. */
static int tree_entry(struct view *view, const struct tree *tree, const struct tree_child *child,
                      struct fuse_entry_param *entry)
{
    if (node_in_image(child->node))
        return image_root_entry(view, child->node, entry);
    memset(entry, 0, sizeof(*entry));
    entry->ino = child->node;
    entry->generation = 1;
    entry->attr_timeout = TIMEOUT_GROWING;
    entry->entry_timeout = TIMEOUT_GROWING;
    if (!view_tree_stat(view, tree, child->node, &entry->attr))
        return ENOENT;
    add_status_size(view, child->node, &entry->attr);
    return 0;
}

/* ---- operations ------------------------------------------------------------------------------ */

static void reply_negative(fuse_req_t req, double timeout)
{
    struct fuse_entry_param entry = {.ino = 0, .entry_timeout = timeout};

    fuse_reply_entry(req, &entry);
}

static void lookup_in_image(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct view *view = view_of(req);
    struct error err = ERROR_INIT;
    struct fuse_entry_param entry;
    struct catalog_inode inode;
    struct view_inode vi;
    uint32_t ino;
    int error = view_inode_open(view, parent, false, &vi);
    int rc;

    if (error != 0) {
        fuse_reply_err(req, error);
        return;
    }
    rc = catalog_index_lookup(vi.index, node_inside(parent), name, strlen(name), &ino, &err);
    if (rc == -ERR_NOT_FOUND) {
        view_inode_close(&vi);
        reply_negative(req, TIMEOUT_FIXED);
        return;
    }
    if (rc == 0) {
        rc = catalog_index_inode(vi.index, ino, &inode, &err);
        if (rc == -ERR_NOT_FOUND) /* a name without an inode is damage */
            rc = -ERR_CORRUPT;
    }
    view_inode_close(&vi);
    if (rc != 0) {
        fuse_reply_err(req, view_errno(rc, &err));
        return;
    }
    view_inode_entry(&inode, parent, &entry);
    catalog_inode_release(&inode);
    fuse_reply_entry(req, &entry);
}

static void lookup_in_tree(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct view *view = view_of(req);
    struct error err = ERROR_INIT;
    struct fuse_entry_param entry;
    struct tree_child child;
    struct tree *tree;
    int rc = view_tree_get(view->trees, &tree, &err);
    int error;

    if (rc != 0) {
        fuse_reply_err(req, view_errno(rc, &err));
        return;
    }
    if (!view_tree_lookup(tree, parent, name, &child))
        reply_negative(req, TIMEOUT_GROWING);
    else if ((error = tree_entry(view, tree, &child, &entry)) != 0)
        fuse_reply_err(req, error);
    else
        fuse_reply_entry(req, &entry);
    view_tree_put(tree);
}

static void view_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    if (node_in_image(parent))
        lookup_in_image(req, parent, name);
    else
        lookup_in_tree(req, parent, name);
}

static void getattr_in_image(fuse_req_t req, fuse_ino_t node)
{
    struct view_inode vi;
    struct stat st;
    int error = view_inode_open(view_of(req), node, true, &vi);

    if (error != 0) {
        fuse_reply_err(req, error);
        return;
    }
    view_inode_stat(&vi.inode, node, &st);
    view_inode_close(&vi);
    fuse_reply_attr(req, &st, TIMEOUT_FIXED);
}

static void view_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
    struct view *view = view_of(req);
    struct error err = ERROR_INIT;
    struct tree *tree;
    struct stat st;
    int rc;

    (void)fi;
    if (node_in_image(node)) {
        getattr_in_image(req, node);
        return;
    }
    rc = view_tree_get(view->trees, &tree, &err);
    if (rc != 0) {
        fuse_reply_err(req, view_errno(rc, &err));
        return;
    }
    if (view_tree_stat(view, tree, node, &st)) {
        add_status_size(view, node, &st);
        fuse_reply_attr(req, &st, TIMEOUT_GROWING);
    } else {
        fuse_reply_err(req, ENOENT);
    }
    view_tree_put(tree);
}

static void readlink_in_image(fuse_req_t req, fuse_ino_t node)
{
    struct view_inode vi;
    int error = view_inode_open(view_of(req), node, true, &vi);

    if (error != 0) {
        fuse_reply_err(req, error);
        return;
    }
    if (vi.inode.link && S_ISLNK(vi.inode.mode))
        fuse_reply_readlink(req, vi.inode.link); /* the catalog ends it with a NUL */
    else
        fuse_reply_err(req, S_ISLNK(vi.inode.mode) ? EIO : EINVAL);
    view_inode_close(&vi);
}

static void view_readlink(fuse_req_t req, fuse_ino_t node)
{
    struct error err = ERROR_INIT;
    char target[PATH_MAX];
    struct tree *tree;
    int rc;

    if (node_in_image(node)) {
        readlink_in_image(req, node);
        return;
    }
    rc = view_tree_get(view_of(req)->trees, &tree, &err);
    if (rc != 0) {
        fuse_reply_err(req, view_errno(rc, &err));
        return;
    }
    if (view_tree_link(tree, node, target, sizeof(target)))
        fuse_reply_readlink(req, target);
    else
        fuse_reply_err(req, EINVAL);
    view_tree_put(tree);
}

static void view_statfs(fuse_req_t req, fuse_ino_t node)
{
    struct statvfs st = {.f_bsize = 131072, .f_frsize = 1024, .f_namemax = CATALOG_NAME_MAX};
    struct error err = ERROR_INIT;
    struct tree *tree;
    int rc = view_tree_get(view_of(req)->trees, &tree, &err);

    (void)node;
    if (rc != 0) {
        fuse_reply_err(req, view_errno(rc, &err));
        return;
    }
    for (size_t i = 0; i < view_tree_image_count(tree); i++) {
        const struct tree_image *image = view_tree_image_at(tree, i);

        st.f_blocks += image->bytes / 1024 + 1;
        st.f_files += image->inodes;
    }
    view_tree_put(tree);
    fuse_reply_statfs(req, &st);
}

/* Everything is kept: images do not change.  Listings come with attributes, always: who lists a
 * backup looks at it, and a lookup per name costs ten times as much (readdirplus, measured). */
static void view_init(void *userdata, struct fuse_conn_info *conn)
{
    const unsigned wanted = FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_POSIX_ACL |
                            FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_READ | FUSE_CAP_READDIRPLUS;

    (void)userdata;
    conn->want |= conn->capable & wanted;
    conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
    conn->time_gran = 1;
}

const struct fuse_lowlevel_ops view_operations = {
    .init = view_init,
    .lookup = view_lookup,
    .getattr = view_getattr,
    .readlink = view_readlink,
    .statfs = view_statfs,
    .open = view_open,
    .read = view_read,
    .lseek = view_lseek,
    .release = view_release,
    .opendir = view_opendir,
    .readdir = view_readdir,
    .readdirplus = view_readdirplus,
    .releasedir = view_releasedir,
    .getxattr = view_getxattr,
    .listxattr = view_listxattr,
};
