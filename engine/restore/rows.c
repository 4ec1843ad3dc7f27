/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - see rows.h. */
#include "engine/restore/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/restore/inode.h"
#include "engine/stream/directory.h"

#define ROWS_SEEN 0x80u

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

/* The slot of an inode, or NULL beyond what the map of the dump goes up to. */
static uint8_t *slot_of(struct rows *r, uint32_t ino)
{
    if (ino >= r->inode_count && ino < r->inode_limit) {
        size_t larger = r->inode_count ? r->inode_count * 2 : 4096;
        uint8_t *p;

        while (larger <= ino)
            larger *= 2;
        p = realloc(r->inodes, larger);
        if (!p)
            return NULL;
        memset(p + r->inode_count, 0, larger - r->inode_count);
        r->inodes = p;
        r->inode_count = larger;
    }
    return ino < r->inode_count ? &r->inodes[ino] : NULL;
}

static int write_inode(struct rows *r, struct error *err)
{
    struct error own = ERROR_INIT;
    struct catalog_inode row;
    uint8_t *slot = slot_of(r, r->inode.ino);

    inode_to_catalog(&r->inode, r->address, &row);
    if (S_ISLNK(row.mode)) {
        row.link = r->link;
        row.link_len = r->link_len;
    }
    if (slot)
        *slot |= ROWS_SEEN;
    return tolerate(r, catalog_writer_inode(r->writer, &row, &own), &own, err);
}

static int write_entries(struct rows *r, const struct stream_event *ev, struct error *err)
{
    struct stream_entry_cursor c = {.data = ev->data, .len = ev->len};
    struct stream_entry e;
    int rc = 0;

    while (!rc && stream_entry_next(&c, &e)) {
        struct error own = ERROR_INIT;
        uint8_t *slot;

        if (e.name_len > 0 && e.name_len <= 2 && memcmp(e.name, "..", e.name_len) == 0)
            continue;
        slot = slot_of(r, e.ino);
        if (slot)
            *slot |= (uint8_t)(e.type & 0x0f);
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
    case STREAM_EVENT_MAP: /* as much as was really read of it is what a number may go up to */
        if (!ev->map_dumped && ev->offset + ev->len < SIZE_MAX / 8)
            r->inode_limit = (size_t)(ev->offset + ev->len) * 8 + 1;
        return 0;
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

    for (size_t i = 1; i < r->inode_count && !rc; i++) {
        struct catalog_inode row = {.ino = (uint32_t)i,
                                    .mode = (uint32_t)(r->inodes[i] & 0x0f) << 12,
                                    .address = UINT64_MAX};
        struct error own = ERROR_INIT;

        if (r->inodes[i] == 0 || r->inodes[i] & ROWS_SEEN)
            continue;
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
