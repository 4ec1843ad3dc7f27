/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what the operations of the view share; nobody outside of fuse/ includes it.
 *
 *   view.c         mount, serve, unmount
 *   operations.c   the table of operations; lookup, attributes, links
 *   listing.c      directories
 *   contents.c     files
 *   attributes.c   extended attributes
 *   tree.c         the levels above the images, made by tree_load.c
 *   file_data.c    data of a file            part.c     is what is on the cartridge the image's?
 *   volumes.c      blocks of cartridges      volume.c   one cartridge
 *   records.c      blocks read lately        facts.c    what is known about blocks
 */
#ifndef CAPSTAN_FUSE_INTERNAL_H
#define CAPSTAN_FUSE_INTERNAL_H

#define FUSE_USE_VERSION 34
#include <fuse_lowlevel.h>
#include <pthread.h>

#include "catalog/catalog.h"
#include "fuse/tree.h"
#include "fuse/volumes.h"

/* Seconds the kernel may remember: what never changes, and what the next dump changes. */
#define TIMEOUT_FIXED   86400.0
#define TIMEOUT_GROWING 1.0

/* What an open file or directory begins with.  A view keeps a list of them, because an unmount by
 * force brings no release for what is open. */
struct view_handle {
    struct view_handle *next, **from;
    void (*free)(struct view_handle *handle);
};

/* One mounted view.  Set up before the first operation; its members have their own locks. */
struct view {
    pthread_mutex_t lock; /* handles */
    struct view_handle *handles;
    struct catalog *catalog;
    struct tree_cache *trees;
    struct volumes *volumes;
    uid_t uid; /* owner of what is in no image */
    gid_t gid;
};

extern const struct fuse_lowlevel_ops view_operations;

static inline struct view *view_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* The handle is on its way to the kernel; it is released: freed. */
void view_handle_add(struct view *view, struct view_handle *handle);
void view_handle_free(struct view *view, struct view_handle *handle);

/* The errno for a failure; what an operator must know (damage, missing cartridges) is logged. */
int view_errno(int rc, const struct error *err);

/* An inode of an image, by node: the image, its index and the inode.  view_inode_close() it. */
struct view_inode {
    struct tree *tree;
    const struct tree_image *image; /* in tree */
    struct catalog_index *index;
    struct catalog_inode inode;
};
/* 0 or a positive errno; with_inode: read the inode too. */
int view_inode_open(struct view *view, fuse_ino_t node, bool with_inode, struct view_inode *out);
void view_inode_close(struct view_inode *vi);

/* Attributes of an inode of an image that is the node; of a node of the tree (false: not there). */
void view_inode_stat(const struct catalog_inode *inode, fuse_ino_t node, struct stat *st);
bool view_tree_stat(const struct view *view, const struct tree *tree, fuse_ino_t node,
                    struct stat *st);

/* What the kernel is told of a child of an inode in an image, attributes and times to live
 * included.
 */
void view_inode_entry(const struct catalog_inode *inode, fuse_ino_t parent,
                      struct fuse_entry_param *entry);

/* listing.c */
void view_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void view_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                  struct fuse_file_info *fi);
void view_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                      struct fuse_file_info *fi);
void view_releasedir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);

/* contents.c */
void view_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void view_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
               struct fuse_file_info *fi);
void view_lseek(fuse_req_t req, fuse_ino_t node, off_t offset, int whence,
                struct fuse_file_info *fi);
void view_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
/* The text of /.status; free(*text). */
int view_status_text(struct view *view, char **text, size_t *len);

/* attributes.c */
void view_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size);
void view_listxattr(fuse_req_t req, fuse_ino_t node, size_t size);

#endif
