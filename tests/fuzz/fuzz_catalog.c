/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_catalog.c - a catalog that somebody else has had in his hands: catalog.db, or the index of
 * an image.  Whatever is in it: no crash, no endless loop, and what is given out keeps the promises
 * of catalog.h (names are names, links and texts end, the parts can be counted with); the tree of
 * the view can be made of it.
 *
 * Input: 'd' and a catalog.db, or 'i' and an index; the other file is a good one.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/catalog.h"
#include "fuse/tree.h"

#define UUID         "00000001-0000-4000-8000-000000000000"
#define DEPTH_MAX    8
#define BLOCKING_MAX 16384
#define ENTRIES_MAX  2000 /* looked at; a directory may be in itself */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[64]; /* good/ and the one that is opened, bad/ */

static void must(bool good)
{
    if (!good)
        abort();
}

static void run(const char *what)
{
    char command[512];

    snprintf(command, sizeof(command), "cd '%s' && %s", root, what);
    must(system(command) == 0);
}

static void clean_up(void)
{
    run("rm -rf \"$PWD\"");
}

static void make_good(void)
{
    const struct catalog_inode inodes[] = {
        {.ino = 2, .mode = S_IFDIR | 0755, .nlink = 2},
        {.ino = 3, .mode = S_IFREG | 0644, .nlink = 1, .size = 5, .address = 7},
        {.ino = 4, .mode = S_IFLNK | 0777, .nlink = 1, .link = "file", .link_len = 4}};
    static const char *const names[] = {NULL, "file", "link"};
    struct catalog_image image = {.uuid = UUID, .host = "h", .path = "/p", .blocking = 16};
    struct catalog_part part = {.volume = 1, .barcode = "ABC001L8", .stream_blocks = 16};
    struct catalog_writer *w;
    struct catalog *cat;
    char dir[96];

    image.stream_blocks = 16;
    image.state = CATALOG_COMPLETE;
    snprintf(dir, sizeof(dir), "%s/good", root);
    must(catalog_open(dir, true, &cat, NULL) == 0);
    must(catalog_writer_begin(cat, UUID, &w, NULL) == 0);
    for (size_t i = 0; i < 3; i++) {
        must(catalog_writer_inode(w, &inodes[i], NULL) == 0);
        must(i == 0 || catalog_writer_entry(w, 2, names[i], 4, inodes[i].ino, NULL) == 0);
    }
    must(catalog_writer_xattr(w, 3, "user.a", "v", 1, NULL) == 0);
    must(catalog_writer_commit(w, &image, &part, 1, NULL) == 0);
    catalog_close(cat);
}

static void begin(void)
{
    strcpy(root, access("/dev/shm", W_OK) == 0 ? "/dev/shm/capstan-fuzz.XXXXXX"
                                               : "/tmp/capstan-fuzz.XXXXXX");
    must(mkdtemp(root) != NULL);
    atexit(clean_up);
    make_good();
}

static void copy_file(const char *name)
{
    char from[160], to[160], buf[65536];
    FILE *in, *out;
    size_t got;

    snprintf(from, sizeof(from), "%s/good/%s", root, name);
    snprintf(to, sizeof(to), "%s/bad/%s", root, name);
    in = fopen(from, "r");
    out = fopen(to, "w");
    must(in && out);
    while ((got = fread(buf, 1, sizeof(buf), in)) > 0)
        must(fwrite(buf, 1, got, out) == got);
    fclose(in);
    fclose(out);
}

static void put_file(const char *name, const uint8_t *data, size_t size)
{
    char path[160];
    FILE *out;

    snprintf(path, sizeof(path), "%s/bad/%s", root, name);
    out = fopen(path, "w");
    must(out && fwrite(data, 1, size, out) == size);
    fclose(out);
}

static void prepare(bool index, const uint8_t *data, size_t size)
{
    static const char *const leftovers[] = {"catalog.db-wal", "catalog.db-shm",
                                            "catalog.db-journal"};
    char path[160];

    snprintf(path, sizeof(path), "%s/bad", root);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/bad/images", root);
    mkdir(path, 0700);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/bad/%s", root, leftovers[i]);
        unlink(path);
    }
    if (index)
        copy_file("catalog.db");
    else
        put_file("catalog.db", data, size);
    if (index)
        put_file("images/" UUID ".idx", data, size);
    else
        copy_file("images/" UUID ".idx");
}

/* ---- looking at all of it -------------------------------------------------------------------- */

struct visit {
    struct catalog *cat;
    struct catalog_index *index;
    unsigned depth, entries;
};

static int visit_xattr(void *ctx, const char *name, const void *value, size_t len)
{
    (void)ctx;
    must(name[0] && strlen(name) <= 255 && (len == 0 || value));
    return 0;
}

static int visit_entry(void *ctx, const struct catalog_entry *entry)
{
    struct visit *v = ctx, deeper = *v;
    struct catalog_inode inode;

    must(entry->name_len >= 1 && entry->name_len <= CATALOG_NAME_MAX);
    must(!memchr(entry->name, '/', entry->name_len) && !memchr(entry->name, 0, entry->name_len));
    must(entry->name_len > 2 || memcmp(entry->name, "..", entry->name_len) != 0);
    if (++v->entries > ENTRIES_MAX)
        return 1;
    if (catalog_index_inode(v->index, entry->inode.ino, &inode, NULL) == 0) {
        must(!inode.link || ((const char *)inode.link)[inode.link_len] == '\0');
        catalog_inode_release(&inode);
    }
    (void)catalog_index_xattrs(v->index, entry->inode.ino, visit_xattr, NULL, NULL);
    deeper.depth++;
    deeper.entries = v->entries;
    if (S_ISDIR(entry->inode.mode) && deeper.depth < DEPTH_MAX)
        (void)catalog_index_entries(v->index, entry->inode.ino, NULL, 0, visit_entry, &deeper,
                                    NULL);
    v->entries = deeper.entries;
    return 0;
}

static int visit_image(void *ctx, const struct catalog_image *image)
{
    struct visit *v = ctx, inside = *v;
    struct catalog_part *parts = NULL;
    size_t count = 0;
    uint32_t ino;

    must(image->blocking > 0 && image->blocking <= BLOCKING_MAX);
    must(strlen(image->uuid) == CATALOG_UUID_TEXT - 1); /* it becomes a file's name */
    must(strspn(image->uuid, "0123456789abcdef-") == CATALOG_UUID_TEXT - 1);
    if (catalog_parts(v->cat, image->uuid, &parts, &count, NULL) == 0) {
        for (size_t i = 0; i < count; i++)
            must(strnlen(parts[i].barcode, sizeof(parts[i].barcode)) < sizeof(parts[i].barcode));
        free(parts);
    }
    if (catalog_index_open(v->cat, image->uuid, &inside.index, NULL) == 0) {
        (void)catalog_index_entries(inside.index, TREE_ROOT_INO, NULL, 0, visit_entry, &inside,
                                    NULL);
        (void)catalog_index_path(inside.index, "link/file", &ino, NULL);
        catalog_index_close(inside.index);
    }
    return 0;
}

static void visit_tree(struct catalog *cat)
{
    static const uint64_t fixed[] = {NODE_ROOT, NODE_IMAGES, NODE_BY_DATE, NODE_BY_VOLUME};
    struct tree_cache *trees;
    struct tree_child child;
    struct tree *tree;

    if (view_tree_cache_open(cat, &trees, NULL) != 0)
        return;
    if (view_tree_get(trees, &tree, NULL) == 0) {
        for (size_t f = 0; f < 4; f++)
            for (size_t i = 0; view_tree_child(tree, fixed[f], i, &child); i++)
                must(child.name[0] && !strchr(child.name, '/'));
        view_tree_put(tree);
    }
    view_tree_cache_close(trees);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct visit visit = {.depth = 0};
    struct error err = ERROR_INIT;
    char dir[96];

    if (!root[0])
        begin();
    if (size == 0 || (data[0] != 'd' && data[0] != 'i'))
        return 0;
    prepare(data[0] == 'i', data + 1, size - 1);
    snprintf(dir, sizeof(dir), "%s/bad", root);
    if (catalog_open(dir, false, &visit.cat, &err) != 0) {
        must(err.message[0] && !strpbrk(err.message, "\n\033"));
        return 0;
    }
    (void)catalog_images(visit.cat, visit_image, &visit, NULL);
    visit_tree(visit.cat);
    if (catalog_check(visit.cat, &err) != 0)
        must(err.message[0] && !strpbrk(err.message, "\n\033"));
    catalog_close(visit.cat);
    return 0;
}
