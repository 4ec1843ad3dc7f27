/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contents.c - files: those of images, and /.status.
 *
 * A read that cannot be answered wholly is an error, never a short one: the kernel takes a short
 * read for the end of the file and would show zeros where a block is damaged.  After an error of
 * a read-ahead it asks page by page, so the good pages beside a damaged block are still read.
 */
#include "fuse/internal.h"

#include <errno.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "fuse/file_data.h"

struct open_file {
    struct view_handle handle;
    struct file_data *data; /* a file of an image */
    char *text;             /* or /.status as it was when it was opened */
    size_t text_len;
    atomic_uint failures; /* reads that failed: only the first ones are logged */
};

static struct open_file *file_of(const struct fuse_file_info *fi)
{
    return (struct open_file *)(uintptr_t)fi->fh;
}

static void file_free(struct view_handle *handle)
{
    struct open_file *file = (struct open_file *)handle;

    view_file_data_close(file->data);
    free(file->text);
    free(file);
}

/* ---- /.status -------------------------------------------------------------------------------- */

static int status_volumes(struct view *view, const struct tree *tree, json_t *document)
{
    json_t *list = json_array();

    if (!list || json_object_set_new(document, "volumes", list) != 0)
        return ENOMEM;
    for (size_t i = 0; i < view_tree_volume_count(tree); i++) {
        const char *barcode = view_tree_volume_at(tree, i);
        json_t *volume = json_pack("{s:s%, s:b}", "barcode", barcode, strlen(barcode), "online",
                                   (int)view_volumes_online(view->volumes, barcode));

        if (volume && json_array_append_new(list, volume) != 0)
            return ENOMEM;
    }
    return 0;
}

int view_status_text(struct view *view, char **text, size_t *len)
{
    struct error err = ERROR_INIT;
    json_t *document = json_document();
    struct tree *tree = NULL;
    int rc = view_tree_get(view->trees, &tree, &err);
    int error = rc != 0 ? view_errno(rc, &err) : 0;

    if (error == 0 &&
        (!document ||
         json_object_set_new(document, "generation",
                             json_integer((json_int_t)view_tree_generation(tree))) != 0 ||
         json_object_set_new(document, "images",
                             json_integer((json_int_t)view_tree_image_count(tree))) != 0))
        error = ENOMEM;
    if (error == 0)
        error = status_volumes(view, tree, document);
    if (error == 0) {
        char *dump = json_dumps(document, JSON_INDENT(2));

        *text = NULL;
        if (!dump || asprintf(text, "%s\n", dump) < 0)
            error = ENOMEM;
        free(dump);
    }
    if (error == 0)
        *len = strlen(*text);
    json_decref(document);
    view_tree_put(tree);
    return error;
}

/* ---- open and release ------------------------------------------------------------------------ */

static int open_in_image(struct view *view, fuse_ino_t node, struct open_file *file)
{
    struct error err = ERROR_INIT;
    struct view_inode vi;
    int error = view_inode_open(view, node, true, &vi);
    int rc;

    if (error != 0)
        return error;
    if (!S_ISREG(vi.inode.mode)) {
        view_inode_close(&vi);
        return EINVAL;
    }
    rc = view_file_data_open(view->volumes, vi.image, &vi.inode, &file->data, &err);
    view_inode_close(&vi);
    return view_errno(rc, &err);
}

static int open_node(struct view *view, fuse_ino_t node, struct open_file *file)
{
    if (node_in_image(node))
        return open_in_image(view, node, file);
    if (node == NODE_STATUS)
        return view_status_text(view, &file->text, &file->text_len);
    return EISDIR;
}

void view_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
    struct view *view = view_of(req);
    struct open_file *file = calloc(1, sizeof(*file));
    int error;

    if (!file) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    file->handle.free = file_free;
    view_handle_add(view, &file->handle);
    error = open_node(view, node, file);
    if (error != 0) {
        view_handle_free(view, &file->handle);
        fuse_reply_err(req, error);
        return;
    }
    fi->fh = (uintptr_t)file;
    fi->keep_cache = file->data != NULL;
    fi->direct_io = file->data == NULL; /* its length changes */
    fi->noflush = 1;
    if (fuse_reply_open(req, fi) == -ENOENT) /* the open was interrupted: no release will come */
        view_handle_free(view, &file->handle);
}

void view_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
    (void)node;
    view_handle_free(view_of(req), &file_of(fi)->handle);
    fuse_reply_err(req, 0);
}

/* ---- read ------------------------------------------------------------------------------------ */

#define LOGGED_FAILURES 10u

/* A damaged file of many gigabytes must not fill the log. */
static void log_failure(struct open_file *file, fuse_ino_t node, const char *what, uint64_t offset,
                        const struct error *err)
{
    unsigned failures = atomic_fetch_add(&file->failures, 1) + 1;

    if (failures <= LOGGED_FAILURES)
        log_error("Cannot %s at %llu of inode %u in image %llu: %s", what,
                  (unsigned long long)offset, node_inside(node),
                  (unsigned long long)node_image(node), err->message);
    if (failures == LOGGED_FAILURES)
        log_error("More failures of this file are not reported until it is opened again");
}

static int read_data(struct open_file *file, fuse_ino_t node, uint64_t offset, char *buf,
                     size_t size, size_t *got)
{
    struct error err = ERROR_INIT;
    char what[40];
    int rc = view_file_data_read(file->data, offset, buf, size, got, &err);

    if (rc == 0)
        return 0;
    snprintf(what, sizeof(what), "read %zu bytes", size);
    log_failure(file, node, what, offset, &err);
    return rc == -ERR_NO_MEMORY ? ENOMEM : EIO;
}

static int read_text(const struct open_file *file, uint64_t offset, char *buf, size_t size,
                     size_t *got)
{
    size_t at = offset < file->text_len ? (size_t)offset : file->text_len;

    *got = size < file->text_len - at ? size : file->text_len - at;
    memcpy(buf, file->text + at, *got);
    return 0;
}

/* The file is not touched after the reply: its release may come at once, on another thread. */
void view_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
               struct fuse_file_info *fi)
{
    CLEANUP_FREE char *buf = malloc(size ? size : 1);
    struct open_file *file = file_of(fi);
    size_t got = 0;
    int error;

    if (!buf || offset < 0)
        error = buf ? EINVAL : ENOMEM;
    else if (file->data)
        error = read_data(file, node, (uint64_t)offset, buf, size, &got);
    else
        error = read_text(file, (uint64_t)offset, buf, size, &got);
    if (error != 0)
        fuse_reply_err(req, error);
    else
        fuse_reply_buf(req, buf, got);
}

/* ---- seek ------------------------------------------------------------------------------------ */

/* Only SEEK_DATA and SEEK_HOLE come here: so a copy of a sparse file is one, too, and a hole of a
 * terabyte takes no time. */
static int seek_data(struct open_file *file, fuse_ino_t node, uint64_t offset, int whence,
                     uint64_t *found)
{
    enum file_reader_part part = whence == SEEK_DATA ? FILE_READER_DATA : FILE_READER_HOLE;
    struct error err = ERROR_INIT;
    int rc;

    if (!file->data) { /* a text: no holes but the one at its end */
        *found = offset >= file->text_len ? UINT64_MAX
                 : whence == SEEK_DATA    ? offset
                                          : file->text_len;
        return 0;
    }
    rc = view_file_data_seek(file->data, offset, part, found, &err);
    if (rc == 0)
        return 0;
    log_failure(file, node, whence == SEEK_DATA ? "look for data" : "look for a hole", offset,
                &err);
    return rc == -ERR_NO_MEMORY ? ENOMEM : EIO;
}

void view_lseek(fuse_req_t req, fuse_ino_t node, off_t offset, int whence,
                struct fuse_file_info *fi)
{
    uint64_t found = UINT64_MAX;
    int error = EINVAL;

    if (whence == SEEK_DATA || whence == SEEK_HOLE)
        error = offset < 0 ? ENXIO : seek_data(file_of(fi), node, (uint64_t)offset, whence, &found);
    if (error == 0 && found > INT64_MAX)
        error = ENXIO;
    if (error != 0)
        fuse_reply_err(req, error);
    else
        fuse_reply_lseek(req, (off_t)found);
}
