/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - see names.h. */
#include "engine/restore/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/stream/directory.h"

void names_init(struct names *n, void (*warning)(void *ctx, const char *path, const char *message),
                void *ctx)
{
    memset(n, 0, sizeof(*n));
    n->warning = warning;
    n->ctx = ctx;
}

void names_free(struct names *n)
{
    for (size_t i = 0; i < n->directory_count; i++)
        attributes_free(&n->directories[i].attributes);
    free(n->entries);
    free(n->directories);
    free(n->arena);
    free(n->by_ino);
    free(n->order);
    free(n->dir_slots);
    memset(n, 0, sizeof(*n));
}

/* Make room for one more element of `size` bytes: memory grows with what was really read. */
static int grow(void **array, size_t count, size_t *capacity, size_t size, struct error *err)
{
    size_t larger;
    void *p;

    if (count < *capacity)
        return 0;
    larger = *capacity ? *capacity + *capacity / 2 : 64;
    p = reallocarray(*array, larger, size);
    if (!p)
        return error_set(err, ERR_NO_MEMORY, "no memory for the names of this dump");
    *array = p;
    *capacity = larger;
    return 0;
}

/* ---- directories by inode ----------------------------------------------------------------------
 * An open-addressing table of at least twice as many slots as there are directories. */

static size_t slot_of(const struct names *n, uint32_t ino)
{
    size_t i = (size_t)((ino * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (n->dir_slot_count - 1);

    while (n->dir_slots[i] && n->directories[n->dir_slots[i] - 1].attributes.inode.ino != ino)
        i = (i + 1) & (n->dir_slot_count - 1);
    return i;
}

static int grow_slots(struct names *n, struct error *err)
{
    size_t count = n->dir_slot_count ? n->dir_slot_count * 2 : 256;

    if (2 * (n->directory_count + 1) <= n->dir_slot_count)
        return 0;
    free(n->dir_slots);
    n->dir_slots = calloc(count, sizeof(*n->dir_slots));
    n->dir_slot_count = n->dir_slots ? count : 0;
    if (!n->dir_slots)
        return error_set(err, ERR_NO_MEMORY, "no memory for the names of this dump");
    for (size_t i = 0; i < n->directory_count; i++)
        n->dir_slots[slot_of(n, n->directories[i].attributes.inode.ino)] = (uint32_t)i + 1;
    return 0;
}

size_t names_find_directory(const struct names *n, uint32_t ino)
{
    uint32_t slot = n->dir_slot_count ? n->dir_slots[slot_of(n, ino)] : 0;

    return slot ? slot - 1 : NAMES_NONE;
}

int names_add_directory(struct names *n, struct attributes *attributes, size_t *index,
                        struct error *err)
{
    struct names_directory *d;
    int rc;

    *index = NAMES_NONE;
    if (names_find_directory(n, attributes->inode.ino) != NAMES_NONE) {
        attributes_free(attributes);
        return 0;
    }
    if (n->directory_count >= UINT32_MAX / 2)
        return error_set(err, ERR_RANGE, "the dump has too many directories");
    rc = grow((void **)&n->directories, n->directory_count, &n->directory_capacity,
              sizeof(*n->directories), err);
    if (!rc)
        rc = grow_slots(n, err);
    if (rc)
        return rc;
    d = &n->directories[n->directory_count];
    memset(d, 0, sizeof(*d));
    d->attributes = *attributes;
    d->parent = d->entry = NAMES_NONE;
    memset(attributes, 0, sizeof(*attributes));
    *index = n->directory_count++;
    n->dir_slots[slot_of(n, d->attributes.inode.ino)] = (uint32_t)*index + 1;
    return 0;
}

/* ---- entries -----------------------------------------------------------------------------------
 */

int names_add_entry(struct names *n, uint32_t directory, uint32_t ino, const void *name,
                    size_t name_len, struct error *err)
{
    enum stream_name_fault fault = stream_name_check(name, name_len);
    struct names_entry *e;
    int rc = 0;

    if (fault != STREAM_NAME_GOOD) {
        char text[STREAM_NAME_MAX + 1], message[160];

        snprintf(text, sizeof(text), "%.*s", (int)(name_len > 255 ? 255 : name_len),
                 (const char *)name);
        snprintf(message, sizeof(message), "a name in directory inode %u %s; it was left out",
                 directory, stream_name_fault_text(fault));
        n->warning(n->ctx, text, message);
        return 0;
    }
    if (n->entry_count >= NAMES_ENTRIES_MAX)
        return error_set(err, ERR_RANGE, "the dump has more than %llu names",
                         (unsigned long long)NAMES_ENTRIES_MAX);
    rc = grow((void **)&n->entries, n->entry_count, &n->entry_capacity, sizeof(*n->entries), err);
    while (!rc && n->arena_capacity - n->arena_used < name_len)
        rc = grow((void **)&n->arena, n->arena_capacity, &n->arena_capacity, 1, err);
    if (rc)
        return rc;
    e = &n->entries[n->entry_count++];
    *e = (struct names_entry){
        .directory = directory, .ino = ino, .name = n->arena_used, .name_len = (uint8_t)name_len};
    memcpy(n->arena + n->arena_used, name, name_len);
    n->arena_used += name_len;
    return 0;
}

const char *names_entry_name(const struct names *n, const struct names_entry *e, char *buf)
{
    memcpy(buf, n->arena + e->name, e->name_len);
    buf[e->name_len] = '\0';
    return buf;
}

const char *names_directory_path(const struct names *n, size_t directory, char *buf)
{
    const struct names_directory *d = &n->directories[directory];
    size_t at = d->path_len;

    if (d->parent == NAMES_NONE)
        return memcpy(buf, ".", sizeof("."));
    buf[at] = '\0';
    while (d->parent != NAMES_NONE) {
        const struct names_entry *e = &n->entries[d->entry];

        at -= e->name_len;
        memcpy(buf + at, n->arena + e->name, e->name_len);
        if (at > 0)
            buf[--at] = '/';
        d = &n->directories[d->parent];
    }
    return buf;
}

const char *names_entry_path(const struct names *n, const struct names_entry *e, char *buf)
{
    size_t d = names_find_directory(n, e->directory);
    size_t len = 0;

    if (d != NAMES_NONE && n->directories[d].parent != NAMES_NONE && n->directories[d].reached) {
        names_directory_path(n, d, buf);
        len = n->directories[d].path_len;
        buf[len++] = '/';
    }
    memcpy(buf + len, n->arena + e->name, e->name_len);
    buf[len + e->name_len] = '\0';
    return buf;
}

/* ---- the tree ----------------------------------------------------------------------------------
 */

static int compare_by_ino(const void *a, const void *b, void *ctx)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    const struct names *n = ctx;
    uint32_t i = n->entries[x].ino, j = n->entries[y].ino;

    return i != j ? (i < j ? -1 : 1) : x < y ? -1 : x > y;
}

static int compare_by_directory(const void *a, const void *b)
{
    const struct names_entry *x = a, *y = b;

    if (x->directory != y->directory)
        return x->directory < y->directory ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name;
}

size_t names_find_entries(const struct names *n, uint32_t directory, size_t *first)
{
    size_t low = 0, high = n->entry_count, count = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (n->entries[middle].directory < directory)
            low = middle + 1;
        else
            high = middle;
    }
    *first = low;
    while (low + count < n->entry_count && n->entries[low + count].directory == directory)
        count++;
    return count;
}

size_t names_find_links(const struct names *n, uint32_t ino, size_t *first)
{
    size_t low = 0, high = n->by_ino_count, count = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (n->entries[n->by_ino[middle]].ino < ino)
            low = middle + 1;
        else
            high = middle;
    }
    *first = low;
    while (low + count < n->by_ino_count && n->entries[n->by_ino[low + count]].ino == ino)
        count++;
    return count;
}

static void drop_entry(struct names *n, struct names_entry *e, const char *why)
{
    char name[STREAM_NAME_MAX + 1];

    n->warning(n->ctx, names_entry_name(n, e, name), why);
    e->ino = 0;
}

/* Hang the directory that entry e names below its parent, unless that breaks a rule. */
static void reach_directory(struct names *n, size_t parent, size_t entry, size_t child)
{
    const struct names_directory *p = &n->directories[parent];
    struct names_entry *e = &n->entries[entry];
    struct names_directory *d = &n->directories[child];
    size_t path_len = p->path_len + (p->parent != NAMES_NONE) + e->name_len;

    if (d->reached) {
        drop_entry(n, e, "a second name of a directory was left out");
    } else if (p->depth + 1 > NAMES_DEPTH_MAX) {
        drop_entry(n, e, "directories are nested too deeply; the ones below were left out");
    } else if (path_len >= NAMES_PATH_MAX - STREAM_NAME_MAX - 1) {
        drop_entry(n, e, "the path is too long; what is below was left out");
    } else {
        d->reached = true;
        d->parent = parent;
        d->entry = entry;
        d->depth = p->depth + 1;
        d->path_len = (uint32_t)path_len;
        e->is_directory = true;
        n->order[n->order_count++] = child;
    }
}

static void reach_children(struct names *n, size_t parent)
{
    uint32_t ino = n->directories[parent].attributes.inode.ino;
    size_t first, count = names_find_entries(n, ino, &first);

    for (size_t i = first; i < first + count; i++) {
        size_t child = names_find_directory(n, n->entries[i].ino);

        if (child != NAMES_NONE)
            reach_directory(n, parent, i, child);
    }
}

/* Entries of directories that are not in the tree are not in it either. */
static void drop_unreached(struct names *n)
{
    size_t lost = 0;

    for (size_t i = 0; i < n->entry_count; i++) {
        size_t d = names_find_directory(n, n->entries[i].directory);

        if (d == NAMES_NONE || !n->directories[d].reached)
            n->entries[i].ino = 0;
    }
    for (size_t i = 0; i < n->directory_count; i++)
        lost += !n->directories[i].reached;
    if (lost)
        n->warning(n->ctx, ".", "directories without a way from the root were left out");
}

static void index_links(struct names *n)
{
    for (size_t i = 0; i < n->entry_count; i++)
        if (n->entries[i].ino && !n->entries[i].is_directory)
            n->by_ino[n->by_ino_count++] = i;
    qsort_r(n->by_ino, n->by_ino_count, sizeof(*n->by_ino), compare_by_ino, n);
}

int names_build(struct names *n, struct error *err)
{
    size_t root = names_find_directory(n, STREAM_ROOT_INODE);

    if (root == NAMES_NONE)
        return error_set(err, ERR_CORRUPT,
                         "the dump has no root directory: it is damaged or no level-0 dump");
    n->order = calloc(n->directory_count, sizeof(*n->order));
    n->by_ino = calloc(n->entry_count + 1, sizeof(*n->by_ino));
    if (!n->order || !n->by_ino)
        return error_set(err, ERR_NO_MEMORY, "no memory for the names of this dump");
    if (n->entry_count)
        qsort(n->entries, n->entry_count, sizeof(*n->entries), compare_by_directory);
    n->directories[root].reached = true;
    n->order[n->order_count++] = root;
    for (size_t i = 0; i < n->order_count; i++)
        reach_children(n, n->order[i]);
    drop_unreached(n);
    index_links(n);
    return 0;
}
