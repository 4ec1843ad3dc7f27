/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - see rows.h. */
#include "engine/restore/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/restore/inode.h"
#include "engine/stream/directory.h"

static void warn(const struct rows *r, const char *message)
{
    if (r->warning)
        r->warning(r->ctx, r->image.path, message);
}

/* A row that breaks a rule of the catalog is told and left out; other errors are passed on. */
static int tolerate(const struct rows *r, int rc, const struct error *own, struct error *err)
{
    if (rc == -ERR_RANGE || rc == -ERR_EXISTS) {
        warn(r, own->message);
        return 0;
    }
    if (rc && err)
        *err = *own;
    return rc;
}

static struct rows_inode *find_slot(struct rows_inode *slots, size_t count, uint32_t ino)
{
    size_t i = (size_t)((ino * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (count - 1);

    while (slots[i].ino && slots[i].ino != ino)
        i = (i + 1) & (count - 1);
    return &slots[i];
}

/* The slot of an inode, made if it is new.  Numbers are a stranger's, so they are hashed: memory
 * grows with how many there are, not with how large they are.  NULL: no memory. */
static struct rows_inode *slot_of(struct rows *r, uint32_t ino)
{
    struct rows_inode *slot;

    if (2 * (r->inode_count + 1) > r->inode_slots) {
        size_t larger = r->inode_slots ? r->inode_slots * 2 : 4096;
        struct rows_inode *p = calloc(larger, sizeof(*p));

        if (!p)
            return NULL;
        for (size_t i = 0; i < r->inode_slots; i++)
            if (r->inodes[i].ino)
                *find_slot(p, larger, r->inodes[i].ino) = r->inodes[i];
        free(r->inodes);
        r->inodes = p;
        r->inode_slots = larger;
    }
    slot = find_slot(r->inodes, r->inode_slots, ino);
    r->inode_count += slot->ino == 0;
    slot->ino = ino;
    return slot;
}

static int no_memory(struct error *err)
{
    return error_set(err, ERR_NO_MEMORY, "no memory to rebuild the catalog");
}

static int write_inode(struct rows *r, struct error *err)
{
    struct error own = ERROR_INIT;
    struct catalog_inode row;
    struct rows_inode *slot = slot_of(r, r->inode.ino);

    if (!slot)
        return no_memory(err);
    inode_to_catalog(&r->inode, r->address, &row);
    if (S_ISLNK(row.mode)) {
        row.link = r->link;
        row.link_len = r->link_len;
    }
    slot->seen = true;
    return tolerate(r, catalog_writer_inode(r->writer, &row, &own), &own, err);
}

static int write_entries(struct rows *r, const struct stream_event *ev, struct error *err)
{
    struct stream_entry_cursor c = {.data = ev->data, .len = ev->len};
    struct stream_entry e;
    int rc = 0;

    while (!rc && stream_entry_next(&c, &e)) {
        struct error own = ERROR_INIT;
        struct rows_inode *slot;

        if (e.name_len > 0 && e.name_len <= 2 && memcmp(e.name, "..", e.name_len) == 0)
            continue;
        slot = slot_of(r, e.ino);
        if (!slot)
            return no_memory(err);
        slot->type = e.type & 0x0f;
        rc = catalog_writer_entry(r->writer, r->inode.ino, e.name, e.name_len, e.ino, &own);
        rc = tolerate(r, rc, &own, err);
    }
    if (c.damaged)
        warn(r, "part of a directory is damaged; names may be missing");
    return rc;
}

static void set_origin(struct rows *r, const struct stream_event *ev)
{
    char *to = ev->is_host ? r->image.host : r->image.path;
    size_t size = ev->is_host ? sizeof(r->image.host) : sizeof(r->image.path);

    snprintf(to, size, "%.*s", (int)ev->len, (const char *)ev->data);
}

static void set_totals(struct rows *r, const struct stream_event *ev)
{
    r->ended = ev->has_totals;
    r->image.files = ev->totals.files;
    r->image.directories = ev->totals.directories;
    r->image.bytes = ev->totals.bytes;
    r->image.stream_blocks = ev->totals.stream_blocks;
    r->image.warnings = ev->totals.warnings;
    r->image.ended_ns = ev->totals.ended_ns;
    r->image.state = ev->totals.state == STREAM_COMPLETE ? CATALOG_COMPLETE : CATALOG_PARTIAL;
}

static void take_link(struct rows *r, const struct stream_event *ev)
{
    if (ev->offset != r->link_len || ev->len > sizeof(r->link) - r->link_len)
        return;
    memcpy(r->link + r->link_len, ev->data, ev->len);
    r->link_len += ev->len;
}

int rows_event(struct rows *r, const struct stream_event *ev, struct error *err)
{
    struct error own = ERROR_INIT;

    switch (ev->type) {
    case STREAM_EVENT_INODE:
        r->inode = ev->inode;
        r->address = ev->address;
        r->link_len = 0;
        return ev->continued || S_ISLNK(ev->inode.mode) ? 0 : write_inode(r, err);
    case STREAM_EVENT_DATA:
        if (S_ISLNK(r->inode.mode))
            take_link(r, ev);
        return S_ISDIR(r->inode.mode) ? write_entries(r, ev, err) : 0;
    case STREAM_EVENT_XATTR:
        return tolerate(r,
                        catalog_writer_xattr(r->writer, r->inode.ino, ev->xattr.name,
                                             ev->xattr.value, ev->xattr.len, &own),
                        &own, err);
    case STREAM_EVENT_INODE_END: /* a damaged symlink has no row: it is as if not dumped */
        return S_ISLNK(r->inode.mode) && r->link_len && !ev->damaged ? write_inode(r, err) : 0;
    case STREAM_EVENT_ORIGIN:
        set_origin(r, ev);
        return 0;
    case STREAM_EVENT_DAMAGE:
        warn(r, ev->message);
        return 0;
    case STREAM_EVENT_END:
        set_totals(r, ev);
        return 0;
    default:
        return 0;
    }
}

int rows_finish(struct rows *r, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; i < r->inode_slots && !rc; i++) {
        const struct rows_inode *slot = &r->inodes[i];
        struct catalog_inode row = {
            .ino = slot->ino, .mode = (uint32_t)slot->type << 12, .address = UINT64_MAX};
        struct error own = ERROR_INIT;

        if (slot->ino && !slot->seen)
            rc = tolerate(r, catalog_writer_inode(r->writer, &row, &own), &own, err);
    }
    return rc;
}

void rows_free(struct rows *r)
{
    catalog_writer_abort(r->writer);
    free(r->inodes);
    r->writer = NULL;
    r->inodes = NULL;
}
